// A function of a few bits as products and choices: what a look-up table, or a comparison with a constant, costs. Pure: it
// knows numbers only, no wires. layers.ts stamps it (Mul for a product, Select for a choice).
//
// The lower bits choose among 2^l entries by a polynomial in them: products of bits, shared by all blocks of the table. The
// upper bits choose among the blocks by a tree. Equal branches are one; branches that differ by a constant need no choice,
// as a + bit * constant is linear. What is affine costs nothing so, and what is a step no more than a comparison.

/** sum of factors[i] * slots[i]. Slots: 0 is one; then the bits, the lowest first; the products; the choices. */
export interface Combo {
  readonly slots: readonly number[];
  readonly factors: readonly number[];
}

export interface TableForm {
  readonly bits: number;
  readonly products: readonly { readonly bit: number; readonly other: number }[];
  readonly choices: readonly { readonly bit: number; readonly one: Combo; readonly zero: Combo }[];
  readonly result: Combo;
}

/** The slot that alone is the form's result, if there is one. */
export function soleSlot({ slots, factors }: Combo): number | undefined {
  return slots.length === 1 && factors[0] === 1 ? slots[0] : undefined;
}

/** Rows: one for each product and choice, and one where the result has to become a wire. */
export function costOf({ products, choices, result }: TableForm): number {
  return products.length + choices.length + (soleSlot(result) === undefined ? 1 : 0);
}

/** [value >= least] of the number that `bits` bits spell, 1 <= least < 2^bits: bits - 1 choices, or fewer. */
export function thresholdForm(bits: number, least: number): TableForm {
  const digit = (t: number): number => Math.floor(least / 2 ** t) % 2;
  let t = 0;
  while (digit(t) === 0) t++;
  let last: Combo = { slots: [1 + t], factors: [1] };
  const choices = Array.from({ length: bits - t - 1 }, (_, k) => {
    const [bit, before] = [2 + t + k, last];
    last = { slots: [1 + bits + k], factors: [1] };
    return digit(t + 1 + k) === 1
      ? { bit, one: before, zero: { slots: [], factors: [] } }
      : { bit, one: { slots: [0], factors: [1] }, zero: before };
  });
  return { bits, products: [], choices, result: last };
}

/** The cheapest form of y = entries[value], 2^bits of them. */
export function tableForm(bits: number, entries: Float64Array): TableForm {
  const widest = entries.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  const half = Math.ceil(bits / 2);
  const splits = [half, ...Array.from({ length: bits + 1 }, (_, l) => l).filter((l) => l !== half)];
  return splits
    .filter((l) => (bits <= 8 || l === 0 || Math.abs(l - half) <= 1) && widest * 2 ** (l + 1) < 2 ** 53)
    .map((l) => formOf(bits, entries, l))
    .reduce((best, form) => (costOf(form) < costOf(best) ? form : best));
}

/** Factors by key: a product of lower bits is the set of them, 0 for the constant; see keys below. */
type Polynomial = ReadonlyMap<number, number>;

function formOf(bits: number, entries: Float64Array, l: number): TableForm {
  // keys: sets of the l lower bits, then the upper bits, then choices
  const size = 2 ** l;
  const firstChoice = size + bits - l;
  let blocks = Array.from({ length: 2 ** (bits - l) }, (_, block) =>
    polynomialOf(entries.subarray(block * size, (block + 1) * size)),
  );
  const choices: { readonly bit: number; readonly one: Polynomial; readonly zero: Polynomial }[] = [];
  for (let bit = l; bit < bits; bit++) {
    const known = new Map<string, Polynomial>();
    blocks = Array.from({ length: blocks.length / 2 }, (_, k) => {
      const [zero, one] = [blocks[2 * k] as Polynomial, blocks[2 * k + 1] as Polynomial];
      const step = constantBetween(zero, one);
      if (step === 0) return zero;
      if (step !== undefined) return new Map([...zero, [size + bit - l, step]]);
      const name = `${textOf(zero)}|${textOf(one)}`;
      let chosen = known.get(name);
      if (chosen === undefined) {
        chosen = new Map([[firstChoice + choices.length, 1]]);
        choices.push({ bit: 1 + bit, one, zero });
        known.set(name, chosen);
      }
      return chosen;
    });
  }
  const root = blocks[0] as Polynomial;
  const sets = productsIn([...choices.flatMap(({ one, zero }) => [one, zero]), root], size);
  const slotOf = (key: number): number => {
    if (key === 0) return 0;
    if (key >= firstChoice) return 1 + bits + sets.length + key - firstChoice;
    if (key >= size) return 1 + l + key - size;
    const top = Math.floor(Math.log2(key));
    return key === 2 ** top ? 1 + top : 1 + bits + sets.indexOf(key);
  };
  const combo = (polynomial: Polynomial): Combo => {
    const terms = [...polynomial].map(([key, factor]) => [slotOf(key), factor] as const).sort(([a], [b]) => a - b);
    return { slots: terms.map(([slot]) => slot), factors: terms.map(([, factor]) => factor) };
  };
  return {
    bits,
    products: sets.map((set) => {
      const top = highest(set);
      return { bit: 1 + top, other: slotOf(set - 2 ** top) };
    }),
    choices: choices.map(({ bit, one, zero }) => ({ bit, one: combo(one), zero: combo(zero) })),
    result: combo(root),
  };
}

/** The one polynomial, linear in each bit, with these values: factors by inclusion and exclusion. */
function polynomialOf(values: Float64Array): Polynomial {
  const factors = values.slice();
  for (let bit = 1; bit < factors.length; bit *= 2) {
    for (let set = 0; set < factors.length; set++) {
      if (Math.floor(set / bit) % 2 === 1) factors[set]! -= factors[set - bit] as number;
    }
  }
  return new Map([...factors.entries()].filter(([, factor]) => factor !== 0));
}

/** one - zero, where that is a constant. */
function constantBetween(zero: Polynomial, one: Polynomial): number | undefined {
  const others = (polynomial: Polynomial): number => polynomial.size - (polynomial.has(0) ? 1 : 0);
  if (others(zero) !== others(one)) return undefined;
  for (const [key, factor] of zero) if (key !== 0 && one.get(key) !== factor) return undefined;
  return (one.get(0) ?? 0) - (zero.get(0) ?? 0);
}

function textOf(polynomial: Polynomial): string {
  return [...polynomial].sort(([a], [b]) => a - b).join(";");
}

/** The sets of two bits and more that the polynomials mention, and those that they are made from, the smallest first. */
function productsIn(polynomials: readonly Polynomial[], size: number): number[] {
  const sets = new Set<number>();
  for (const polynomial of polynomials) {
    for (const key of polynomial.keys()) {
      for (let set = key < size ? key : 0; set !== 0 && set !== 2 ** highest(set); set -= 2 ** highest(set)) {
        sets.add(set);
      }
    }
  }
  return [...sets].sort((a, b) => a - b);
}

function highest(set: number): number {
  return 31 - Math.clz32(set);
}
