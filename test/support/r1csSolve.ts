// The strongest dishonest prover on a few rows: searches for every assignment of the unknown wires that satisfies them, over
// the whole field. Complete but where it says that it guessed; for gadgets of a dozen bits, not for circuits.
import { R, inverse, reduce } from "../../node/core/field.ts";
import type { Lc, Row, Value } from "../../node/circuit/lc.ts";

export interface Solution {
  /** By wire; a wire that is left out may hold anything. */
  readonly values: readonly (bigint | undefined)[];
  /** Some row could not be decided without a guess: other solutions may exist. */
  readonly guessed: boolean;
}

/** A linear form: constant + sum of factor * unknown. */
interface Form {
  constant: bigint;
  readonly unknowns: Map<number, bigint>;
}

type Step = "done" | "contradiction" | "stuck" | "moved";

/** Every solution of `rows` for the `known` wires (wire 0 is one), of `wires` wires. `mayGuess`: else it throws where it would. */
export function* solutions(
  rows: readonly Row[],
  wires: number,
  known: ReadonlyMap<number, Value>,
  mayGuess = true,
): Generator<Solution> {
  const start = new Array<bigint | undefined>(wires);
  start[0] = 1n;
  for (const [wire, value] of known) start[wire] = reduce(BigInt(value));
  yield* search(rows, start, false, mayGuess);
}

function* search(
  rows: readonly Row[],
  values: (bigint | undefined)[],
  guessed: boolean,
  mayGuess: boolean,
): Generator<Solution> {
  let open = rows;
  for (;;) {
    let moved = false;
    const left: Row[] = [];
    for (const row of open) {
      const step = settle(row, values);
      if (step === "contradiction") return;
      if (step === "moved") moved = true;
      if (step === "stuck") left.push(row);
    }
    open = left;
    if (!moved) break;
  }
  if (open.length === 0) {
    yield { values, guessed };
    return;
  }
  for (const row of open) {
    const roots = rootsOf(row, values);
    if (roots === undefined) continue;
    for (const root of new Set(roots.values))
      yield* search(open, assigned(values, roots.wire, root), guessed, mayGuess);
    return;
  }
  if (!mayGuess) throw new Error("no row has a single unknown: the search would have to guess");
  // try a few values for one
  const [product, ...others] = open[0] as Row;
  const wire = [...others, product].flatMap((lc) => [...form(lc, values).unknowns.keys()])[0];
  if (wire === undefined) throw new Error("an undecided row without unknowns");
  for (const guess of [0n, 1n, 2n, R - 1n]) yield* search(open, assigned(values, wire, guess), true, mayGuess);
}

function assigned(values: readonly (bigint | undefined)[], wire: number, value: bigint): (bigint | undefined)[] {
  const copy = [...values];
  copy[wire] = value;
  return copy;
}

function form({ wires, factors }: Lc, values: readonly (bigint | undefined)[]): Form {
  const result: Form = { constant: 0n, unknowns: new Map() };
  wires.forEach((wire, i) => {
    const factor = BigInt(factors[i] as Value);
    const value = values[wire];
    if (value !== undefined) result.constant += factor * value;
    else result.unknowns.set(wire, reduce((result.unknowns.get(wire) ?? 0n) + factor));
  });
  result.constant = reduce(result.constant);
  for (const [wire, factor] of result.unknowns) if (factor === 0n) result.unknowns.delete(wire);
  return result;
}

/** Decides a row that is linear in at most one unknown. */
function settle([a, b, c]: Row, values: (bigint | undefined)[]): Step {
  const [fa, fb, fc] = [form(a, values), form(b, values), form(c, values)];
  const zero = [fa, fb].some(({ constant, unknowns }) => constant === 0n && unknowns.size === 0);
  if (!zero && fa.unknowns.size > 0 && fb.unknowns.size > 0) return "stuck";
  const unknowns = new Map<number, bigint>();
  const add = ({ unknowns: from }: Form, by: bigint): void => {
    for (const [wire, factor] of from) unknowns.set(wire, reduce((unknowns.get(wire) ?? 0n) + factor * by));
  };
  if (!zero) {
    add(fa, fb.constant);
    add(fb, fa.constant);
  }
  add(fc, -1n);
  for (const [wire, factor] of unknowns) if (factor === 0n) unknowns.delete(wire);
  const rest = reduce((zero ? 0n : fa.constant * fb.constant) - fc.constant);
  if (unknowns.size === 0) return rest === 0n ? "done" : "contradiction";
  if (unknowns.size > 1) return "stuck";
  for (const [wire, factor] of unknowns) values[wire] = reduce(-rest * inverse(factor));
  return "moved";
}

/** The roots of a row A * B = 0 whose only unknown stands in A and in B, as booleans do. */
function rootsOf(
  [a, b, c]: Row,
  values: readonly (bigint | undefined)[],
): { wire: number; values: bigint[] } | undefined {
  const [fa, fb, fc] = [form(a, values), form(b, values), form(c, values)];
  const wires = new Set([...fa.unknowns.keys(), ...fb.unknowns.keys(), ...fc.unknowns.keys()]);
  const [wire] = wires;
  if (wires.size !== 1 || wire === undefined || fc.constant !== 0n || fc.unknowns.size > 0) return undefined;
  const root = ({ constant, unknowns }: Form): bigint => reduce(-constant * inverse(unknowns.get(wire) as bigint));
  return { wire, values: [root(fa), root(fb)] };
}
