// Constants for the kernel: field elements of circuits, from BigInt to pairs in memory (kernel/field.ts), centred.
import { R, reduce } from "../core/field.ts";
import type { Arena, Pointer } from "./module.ts";

/** Bytes of two field elements in the kernel's form. */
export const PAIR = 80;
/** Bytes of one element alone. */
export const SINGLE = 40;

/** Both values, in Montgomery form, as a pair; without a second value, the first in both lanes. */
export function putPair(arena: Arena, at: Pointer, first: bigint, second: bigint = first): void {
  putPlain(arena, at, (first << 255n) % R, (second << 255n) % R);
}

/** As putPair, but as they are: for products that leave Montgomery form. */
export function putPlain({ kernel }: Arena, at: Pointer, first: bigint, second: bigint = first): void {
  const floats = new Float64Array(kernel.memory.buffer, at, 10);
  [first, second].forEach((value, lane) => {
    let rest = reduce(value);
    if (rest > R / 2n) rest -= R;
    for (let limb = 0; limb < 5; limb++) {
      const digit = limb < 4 ? BigInt.asIntN(51, rest) : rest;
      floats[2 * limb + lane] = Number(digit);
      rest = (rest - digit) >> 51n;
    }
  });
}
