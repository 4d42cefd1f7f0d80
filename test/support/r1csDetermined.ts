// Whether a whole circuit leaves its prover a choice: which wires follow from the given ones, by rules that hold for every
// value of them. Where all wires follow, a second witness for the same inputs does not exist, whatever the hints. Says
// nothing of what the one witness is: that is for the tests that compute it.
import { R, reduce } from "../../node/core/field.ts";
import type { Lc, Row } from "../../node/circuit/lc.ts";

export interface Determined {
  /** Wires that nothing binds, the constant and the given ones left out. */
  readonly open: readonly number[];
  /** Inverses of a zero test, free where the tested value is zero and read by no other row. */
  readonly inverses: readonly number[];
}

type Term = readonly [wire: number, factor: bigint];
type Terms = readonly Term[];

/** A factor in (-R/2, R/2]. */
function centred(factor: number | bigint): bigint {
  const value = reduce(BigInt(factor));
  return value > R / 2n ? value - R : value;
}

const termsOf = ({ wires, factors }: Lc): Terms => wires.map((wire, i) => [wire, centred(factors[i] ?? 0)]);
const factorOf = (terms: Terms, wire: number): bigint => terms.find(([at]) => at === wire)?.[1] ?? 0n;

/** A row of k w (w - 1) = 0 in either order: w is 0 or 1. */
function booleanOf(a: Terms, b: Terms, c: Terms): number | undefined {
  const [one, two] = a.length === 1 ? [a, b] : [b, a];
  const wire = one[0]?.[0];
  if (c.length > 0 || one.length !== 1 || two.length !== 2 || wire === undefined || wire === 0) return undefined;
  const factor = factorOf(two, wire);
  return factor !== 0n && factor === -factorOf(two, 0) ? wire : undefined;
}

/** Bits whose factors have one sign, each above the sum of the smaller ones, and no sum that wraps: one way to add up. */
function addUpOneWay(open: Terms, booleans: ReadonlySet<number>): boolean {
  const negative = (open[0]?.[1] ?? 0n) < 0n;
  if (!open.every(([wire, factor]) => booleans.has(wire) && factor < 0n === negative)) return false;
  const sizes = open.map(([, factor]) => (negative ? -factor : factor)).sort((x, y) => (x < y ? -1 : 1));
  let sum = 0n;
  for (const size of sizes) {
    if (size <= sum) return false;
    sum += size;
  }
  return sum < R;
}

/** k z = l z' for some k, l other than 0. */
function proportional(z: Terms, other: Terms): boolean {
  const [wire, factor] = z[0] ?? [0, 0n];
  const scale = factorOf(other, wire);
  if (z.length !== other.length || scale === 0n) return false;
  return z.every(([at, by]) => reduce(factorOf(other, at) * factor) === reduce(by * scale));
}

/**
 * A stamp of a gadget that soundness.test.ts has shown, by search, to have one witness at most: what its rows read decides
 * the wires that it adds.
 */
export interface Decided {
  readonly firstRow: number;
  readonly rows: number;
  readonly firstWire: number;
  readonly wires: number;
}

/** What follows in a circuit of `wires` wires from the constant and the wires in `given`. */
export function determined(
  source: readonly Row[],
  wires: number,
  given: readonly number[],
  decided: readonly Decided[] = [],
): Determined {
  const rows = source.map(([a, b, c]) => [termsOf(a), termsOf(b), termsOf(c)] as const);
  const booleans = new Set(rows.flatMap((row) => booleanOf(...row) ?? []));
  const known = new Set([0, ...given]);
  const inverses = new Map<number, readonly [Terms, Terms, Terms]>();
  const unknown = (terms: Terms): Terms => terms.filter(([wire]) => !known.has(wire));

  /** z inv = c and (1 - c) z = 0, z known: c, a wire or one minus it, is 0 or 1 as z is. */
  function zeroTest(row: readonly [Terms, Terms, Terms]): boolean {
    const [a, b, c] = row;
    const [out, more] = c.filter(([wire]) => wire !== 0);
    return [[a, b] as const, [b, a] as const].some(([z, [inverse, ...others]]) => {
      if (out === undefined || more !== undefined || inverse === undefined || others.length > 0) return false;
      if (unknown(z).length > 0 || known.has(inverse[0]) || known.has(out[0])) return false;
      const rest: Terms = [[0, 1n - factorOf(c, 0)] as const, [out[0], -out[1]] as const].filter(([, by]) => by !== 0n);
      const isNot = (terms: Terms): boolean => proportional(terms, rest);
      const second = rows.some(
        ([p, q, zero]) => zero.length === 0 && ((isNot(p) && proportional(z, q)) || (isNot(q) && proportional(z, p))),
      );
      if (!second) return false;
      known.add(out[0]);
      inverses.set(inverse[0], row);
      return true;
    });
  }

  function settle({ firstRow, rows: count, firstWire, wires: added }: Decided): void {
    const inside = (wire: number): boolean => firstWire <= wire && wire < firstWire + added;
    const reads = rows.slice(firstRow, firstRow + count).flatMap((row) => row.flatMap((terms) => unknown(terms)));
    if (reads.some(([wire]) => !inside(wire))) return;
    for (let wire = firstWire; wire < firstWire + added; wire++) known.add(wire);
  }

  let open = rows;
  for (let before = -1; before !== known.size;) {
    before = known.size;
    open = open.filter(([a, b, c]) => {
      if (unknown(a).length > 0 || unknown(b).length > 0) return true;
      const rest = unknown(c);
      if (rest.length === 1 || addUpOneWay(rest, booleans)) for (const [wire] of rest) known.add(wire);
      return rest.some(([wire]) => !known.has(wire));
    });
    if (before === known.size) for (const row of open) zeroTest(row);
    if (before === known.size) for (const stamp of decided) settle(stamp);
  }
  // An inverse may be left open only if no other row reads it.
  const read = (wire: number): number => rows.filter((row) => row.some((terms) => factorOf(terms, wire) !== 0n)).length;
  const harmless = [...inverses.keys()].filter((wire) => !known.has(wire) && read(wire) === 1);
  const all = Array.from({ length: wires }, (_, wire) => wire);
  return { open: all.filter((wire) => !known.has(wire) && !harmless.includes(wire)), inverses: harmless };
}
