// Values and linear combinations over the scalar field. Small numbers stay numbers: nearly all of a circuit is small.
// No wires are made here; linker.ts does.
import { reduce } from "../core/field.ts";

/** A field element: a safe integer of either sign, or a bigint. */
export type Value = number | bigint;

/** Index of a wire; wire 0 is the constant one. */
export type Wire = number;
export const ONE: Wire = 0;

/** sum of factors[i] * wires[i]; a wire may occur more than once until the linker writes it. */
export interface Lc {
  readonly wires: Wire[];
  readonly factors: Value[];
}

/** One row: a * b = c. */
export type Row = readonly [a: Lc, b: Lc, c: Lc];

export function lcOf(...terms: readonly (readonly [Wire, Value])[]): Lc {
  return { wires: terms.map(([wire]) => wire), factors: terms.map(([, factor]) => factor) };
}

export function times(a: Value, b: Value): Value {
  if (typeof a === "number" && typeof b === "number") {
    const small = a * b;
    if (Number.isSafeInteger(small)) return small;
  }
  return reduce(BigInt(a) * BigInt(b));
}

export function plus(a: Value, b: Value): Value {
  if (typeof a === "number" && typeof b === "number") {
    const small = a + b;
    if (Number.isSafeInteger(small)) return small;
  }
  return reduce(BigInt(a) + BigInt(b));
}

/** How many bits spell `value`, 0 <= value < 2^53; none for 0. */
export function bitsFor(value: number): number {
  let bits = 0;
  for (let power = 1; power <= value; power *= 2) bits++;
  return bits;
}

/** What a circuit's wires hold: small numbers in an array, the few others beside it. */
export class Values {
  readonly small: Float64Array;
  readonly #big = new Map<Wire, bigint>();

  constructor(wires: number) {
    this.small = new Float64Array(wires);
    this.small[ONE] = 1;
  }

  set(wire: Wire, value: Value): void {
    if (typeof value === "number") {
      this.small[wire] = value;
    } else {
      this.small[wire] = Number.NaN;
      this.#big.set(wire, value);
    }
  }

  get(wire: Wire): Value {
    const small = this.small[wire] as number;
    return Number.isNaN(small) ? (this.#big.get(wire) as bigint) : small;
  }
}
