// Field elements in the memory of the prover's kernel: pairs of 80 bytes, each five limbs of 51 bits (kernel/field.ts).
import type { Kernel, Pointer } from "../../node/groth16/module.ts";

export const PAIR = 80;
export const UNIT = 2 ** 50;

/** What the limbs stand for. */
export function valueOf(limbs: readonly number[]): bigint {
  return limbs.reduceRight((sum, limb) => (sum << 51n) + BigInt(limb), 0n);
}

/** Limbs in [-2^50, 2^50), but for the last, which takes what is left. */
export function limbsOf(value: bigint): number[] {
  const limbs: number[] = [];
  for (let rest = value; limbs.length < 5;) {
    const limb = limbs.length < 4 ? BigInt.asIntN(51, rest) : rest;
    limbs.push(Number(limb));
    rest = (rest - limb) >> 51n;
  }
  return limbs;
}

/** A view of memory that holds until it grows: the limbs of a lane, and what they stand for. */
export function lanes({ memory }: Kernel): {
  get(pair: Pointer, lane: number): number[];
  put(pair: Pointer, lane: number, limbs: readonly number[]): void;
  value(pair: Pointer, lane: number): bigint;
} {
  const floats = new Float64Array(memory.buffer);
  const get = (pair: Pointer, lane: number): number[] =>
    Array.from({ length: 5 }, (_, i) => floats[pair / 8 + 2 * i + lane] as number);
  return {
    get,
    put: (pair, lane, limbs) => limbs.forEach((limb, i) => (floats[pair / 8 + 2 * i + lane] = limb)),
    value: (pair, lane) => valueOf(get(pair, lane)),
  };
}
