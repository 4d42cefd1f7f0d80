// Points of BN254's two groups, G1: y^2 = x^3 + 3 over Fp, and G2 over Fp2: arithmetic of their coordinates, said once for
// both groups, and the way in and out. How points lie in memory: see layout.ts.

import { FP, FROM_MONTGOMERY, PAIR, TO_MONTGOMERY, add, inverse, isZero, pack, reduce, sub, unpack } from "./field";
import { inverse2, mul2, sqr2 } from "./fp2";
import { isInfinite, setInfinite, size } from "./layout";
import { mul, sqr } from "./product";
import { settleDifference, settleElement, settleTwo } from "./settle";

// Arithmetic of coordinates. Bounds: see product.ts, settle.ts and fp2.ts.
// @ts-ignore: decorator
@inline export function times<G>(a: usize, b: usize, r: usize): void { if (sizeof<G>() == 4) mul(FP, a, b, r); else mul2(a, b, r); }
// @ts-ignore: decorator
@inline export function square<G>(a: usize, r: usize): void { if (sizeof<G>() == 4) sqr(FP, a, r); else sqr2(a, r); }
// @ts-ignore: decorator
@inline export function invert<G>(a: usize, r: usize): void { if (sizeof<G>() == 4) inverse(FP, a, r); else inverse2(a, r); }
// @ts-ignore: decorator
@inline export function plus<G>(a: usize, b: usize, r: usize): void {
  add(a, b, r);
  if (sizeof<G>() == 8) add(a + PAIR, b + PAIR, r + PAIR);
}
// @ts-ignore: decorator
@inline export function minus<G>(a: usize, b: usize, r: usize): void {
  sub(a, b, r);
  if (sizeof<G>() == 8) sub(a + PAIR, b + PAIR, r + PAIR);
}
// @ts-ignore: decorator
@inline export function settle<G>(a: usize, r: usize): void {
  settleElement(a, r);
  if (sizeof<G>() == 8) settleElement(a + PAIR, r + PAIR);
}
/** r = a - b, reduced. */
// @ts-ignore: decorator
@inline export function settleMinus<G>(a: usize, b: usize, r: usize): void {
  settleDifference(a, b, r);
  if (sizeof<G>() == 8) settleDifference(a + PAIR, b + PAIR, r + PAIR);
}
/** r = a - b, reduced, and rest = c - r. */
// @ts-ignore: decorator
@inline export function settleMinusTwo<G>(a: usize, b: usize, c: usize, r: usize, rest: usize): void {
  settleTwo(a, b, c, r, rest);
  if (sizeof<G>() == 8) settleTwo(a + PAIR, b + PAIR, c + PAIR, r + PAIR, rest + PAIR);
}
/** Which lanes are zero: bits 0 and 1. */
// @ts-ignore: decorator
@inline export function zeros<G>(a: usize): i32 {
  if (sizeof<G>() == 4) return isZero(FP, a);
  return isZero(FP, a) & isZero(FP, a + PAIR);
}

const coordinates: usize = memory.data(80, 16);

/**
 * From snarkjs' form (affine, Montgomery with 2^256, little-endian, 64 or 128 bytes; all zero is infinity) to ours. With
 * `indices`, infinite points are left out, and the numbers of the others, counted from `from`, are written there. Returns how
 * many points were written.
 */
export function readPoints<G>(bytes: usize, count: u32, from: u32, points: usize, indices: usize): u32 {
  let written: u32 = 0;
  const parts: usize = size<G>() / 40;
  for (let i: u32 = 0; i < count; i++, bytes += parts * 32) {
    let any: u64 = 0;
    for (let o: usize = 0; o < parts * 32; o += 8) any |= load<u64>(bytes + o);
    if (!any) {
      if (indices) continue;
      setInfinite(points);
      points += size<G>();
      written++;
      continue;
    }
    for (let k: usize = 0; k < parts; k += 2) {
      unpack(bytes + 32 * k, coordinates, 0);
      unpack(bytes + 32 * k + 32, coordinates, 1);
      mul(FP, coordinates, FP + FROM_MONTGOMERY, coordinates);
      reduce(FP, coordinates);
      for (let l: usize = 0; l < 5; l++) {
        store<f64>(points + 40 * k + 8 * l, load<f64>(coordinates + 16 * l));
        store<f64>(points + 40 * k + 8 * l, load<f64>(coordinates + 16 * l, 8), 40);
      }
    }
    points += size<G>();
    if (indices) {
      store<u32>(indices, from + i);
      indices += 4;
    }
    written++;
  }
  return written;
}

/** The way back, infinity included. */
export function writePoints<G>(points: usize, count: u32, bytes: usize): void {
  const parts: usize = size<G>() / 40;
  for (let i: u32 = 0; i < count; i++, bytes += parts * 32, points += size<G>()) {
    if (isInfinite(points)) {
      memory.fill(bytes, 0, parts * 32);
      continue;
    }
    for (let k: usize = 0; k < parts; k += 2) {
      for (let l: usize = 0; l < 5; l++) {
        store<f64>(coordinates + 16 * l, load<f64>(points + 40 * k + 8 * l));
        store<f64>(coordinates + 16 * l, load<f64>(points + 40 * k + 8 * l, 40), 8);
      }
      mul(FP, coordinates, FP + TO_MONTGOMERY, coordinates);
      reduce(FP, coordinates);
      pack(FP, coordinates, 0, bytes + 32 * k);
      pack(FP, coordinates, 1, bytes + 32 * k + 32);
    }
  }
}
