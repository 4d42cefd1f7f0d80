// Poseidon over BN254's scalar field, 16 inputs wide, and the sponge that claims and commitments are made with. Over values
// only, and without files, so that a browser runs it too; as a circuit it is circuit/poseidon.ts. Constants are made here
// by the Grain generator of the Poseidon paper (https://eprint.iacr.org/2019/458, appendix F), as circomlib's were; equal to
// circomlib's Poseidon(16) by test.
import { inverse, R } from "./field.ts";

const INPUTS = 16;
/** Words that one permutation absorbs: the other input is the state. */
export const RATE = INPUTS - 1;
const T = INPUTS + 1;
const FULL = 8;
const PARTIAL = 68;
const FIELD_BITS = 254;

interface Constants {
  /** T of each round. */
  readonly added: readonly bigint[];
  /** Row by row. */
  readonly matrix: readonly (readonly bigint[])[];
}

let constants: Constants | undefined;

/** h' = Poseidon(16 inputs); inputs below R. */
export function poseidon16(inputs: readonly bigint[]): bigint {
  const { added, matrix } = (constants ??= generate());
  let state = [0n, ...inputs];
  for (let round = 0; round < FULL + PARTIAL; round++) {
    const full = round < FULL / 2 || round >= FULL / 2 + PARTIAL;
    const boxed = state.map((x, i) => {
      const sum = (x + (added[round * T + i] as bigint)) % R;
      if (!full && i > 0) return sum;
      const square = (sum * sum) % R;
      return (((square * square) % R) * sum) % R;
    });
    state = matrix.map((row) => row.reduce((sum, factor, i) => sum + factor * (boxed[i] as bigint), 0n) % R);
  }
  return state[0] as bigint;
}

/** h' = Poseidon(h, 15 words) from h = 0, the last block padded with zero words. */
export function sponge(words: readonly bigint[]): bigint {
  let h = 0n;
  for (let i = 0; i < words.length; i += RATE) {
    h = poseidon16([h, ...Array.from({ length: RATE }, (_, k) => words[i + k] ?? 0n)]);
  }
  return h;
}

/** 76 * 17 round constants below R by rejection, then the points of a Cauchy matrix. About 20 ms, once. */
function generate(): Constants {
  const bit = grain();
  const number = (): bigint => {
    let value = 0n;
    for (let i = 0; i < FIELD_BITS; i++) value = (value << 1n) | BigInt(bit());
    return value;
  };
  const below = (): bigint => {
    for (let value = number(); ; value = number()) if (value < R) return value;
  };
  const added = Array.from({ length: T * (FULL + PARTIAL) }, below);
  const points = Array.from({ length: 2 * T }, () => number() % R);
  const matrix = points.slice(0, T).map((x) => points.slice(T).map((y) => inverse(x + y)));
  return { added, matrix };
}

/** The generator's bits: a register of 80, begun with the parameters; of each two bits the first says whether the second counts. */
function grain(): () => number {
  const spelled = (value: number, bits: number): string => value.toString(2).padStart(bits, "0");
  // a prime field, x^5, size of the field, width, rounds, ones
  const begin = [[1, 2], [0, 4], [FIELD_BITS, 12], [T, 12], [FULL, 10], [PARTIAL, 10], [2 ** 30 - 1, 30]] as const; // prettier-ignore
  const state = Uint8Array.from([...begin.map(([value, bits]) => spelled(value, bits)).join("")], Number);
  let at = 0; // of the oldest bit
  const next = (): number => {
    const tap = (i: number): number => state[(at + i) % 80] as number;
    const bit = tap(62) ^ tap(51) ^ tap(38) ^ tap(23) ^ tap(13) ^ tap(0);
    state[at] = bit;
    at = (at + 1) % 80;
    return bit;
  };
  for (let i = 0; i < 160; i++) next();
  return () => {
    for (;;) {
      const counts = next();
      const bit = next();
      if (counts === 1) return bit;
    }
  };
}
