// The quadratic extension of the base field, Fp2 = Fp[u] / (u^2 + 1), two elements at a time: coordinates of points of G2.
// An element is two pairs (see field.ts), c0 then c1, 160 bytes. Every result may be written over an operand.

import { FP, PAIR, copy, inverse, neg } from "./field";
import { mul, mulAdd } from "./product";
import { settleElement } from "./settle";

const minus: usize = memory.data(80, 16);
const first: usize = memory.data(80, 16);
const total: usize = memory.data(80, 16);
const norm: usize = memory.data(80, 16);

/**
 * r = a * b = (a0 b0 - a1 b1) + (a0 b1 + a1 b0) u, one reduction for each part. Limbs as for mul; values, with A and B
 * bounds for both parts: |A| |B| < 2.5 p^2, and each part of the result is below (0.756 |A| |B| / p^2 + 0.63) p.
 */
export function mul2(a: usize, b: usize, r: usize): void {
  neg(a + PAIR, minus);
  mulAdd(FP, a, b, minus, b + PAIR, first);
  // mulAdd stores when it has loaded everything.
  mulAdd(FP, a, b + PAIR, a + PAIR, b, r + PAIR);
  copy(first, r);
}

/** r = a * conjugate of b = (a0 b0 + a1 b1) + (a1 b0 - a0 b1) u, bounds as for mul2. */
export function mulConjugate2(a: usize, b: usize, r: usize): void {
  neg(a, minus);
  mulAdd(FP, a, b, a + PAIR, b + PAIR, r);
  mulAdd(FP, a + PAIR, b, minus, b + PAIR, first);
  copy(first, r + PAIR);
}

/** r = a0^2 + a1^2, a field element: 1/a = conjugate of a / r, and r is zero only if a is, as -1 is no square. */
export function norm2(a: usize, r: usize): void {
  mulAdd(FP, a, a, a + PAIR, a + PAIR, r);
}

/**
 * r = a^2 = (a0 + a1)(a0 - a1) + 2 a0 a1 u. Limbs up to 2^50 + 4, parts below 1.3 p: then |a0 + a1| is 0.51 p when
 * reduced, |a0 - a1| < 2.6 p, their product 1.4 p^2, and 2 a0 a1 is below 3.4 p^2; parts of the result are below 1.92 p.
 */
export function sqr2(a: usize, r: usize): void {
  for (let o: usize = 0; o < PAIR; o += 16) {
    const x = v128.load(a + o), y = v128.load(a + o, 80);
    v128.store(total + o, f64x2.add(x, y));
    v128.store(minus + o, f64x2.sub(x, y));
    v128.store(first + o, f64x2.add(x, x));
  }
  settleElement(total, total);
  mul(FP, first, a + PAIR, r + PAIR);
  mul(FP, total, minus, r);
}

/** r = 1 / a = (a0 - a1 u) / (a0^2 + a1^2); 0 for 0. Parts of a below 1.5 p. */
export function inverse2(a: usize, r: usize): void {
  norm2(a, norm);
  settleElement(norm, norm);
  inverse(FP, norm, first);
  neg(a + PAIR, minus);
  mul(FP, a, first, r);
  mul(FP, minus, first, r + PAIR);
}
