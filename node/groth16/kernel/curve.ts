// Points of BN254's two groups, G1: y^2 = x^3 + 3 over Fp, and G2 over Fp2: their layout, their coordinates two at a time,
// the way in and out, and what is said once for both groups.
//
// A point is affine: x, then y, each part five limbs of 64-bit floats (see field.ts; one lane's worth, 40 bytes): 80 bytes
// in G1 (x, y), 160 in G2 (x.c0, x.c1, y.c0, y.c1), aligned to 16. Coordinates are reduced: |value| < 0.51 p. Infinity has
// the bits of a float's infinity in the first 8 bytes; the others mean nothing. Bit 0 of a pointer to a point says "minus".

import { FP, FROM_MONTGOMERY, ONE, PAIR, TO_MONTGOMERY, add, inverse, isZero, pack, reduce, sub, unpack } from "./field";
import { inverse2, mul2, sqr2 } from "./fp2";
import { mul, sqr } from "./product";

// The groups as type parameters: functions are compiled once for each, with its degree a constant.
export type G1 = u32;
export type G2 = u64;

/** Bytes of a point, and of a coordinate of two points (a pair of field elements): 80 or 160. */
// @ts-ignore: decorator
@inline export function size<G>(): usize { return sizeof<G>() == 4 ? 80 : 160; }

const INFINITY: u64 = 0x7ff0000000000000;
// @ts-ignore: decorator
@inline export function isInfinite(point: usize): bool { return load<u64>(point) == INFINITY; }
// @ts-ignore: decorator
@inline export function setInfinite(point: usize): void { store<u64>(point, INFINITY); }

/** Sign bits for lanes 0 and 1, by the two pointers' signs. */
const SIGNS: usize = memory.data<u64>([0, 0, 0x8000000000000000, 0, 0, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000], 16);
// @ts-ignore: decorator
@inline function signs(a: usize, b: usize): v128 { return v128.load(SIGNS + (((a & 1) | ((b & 1) << 1)) << 4)); }

// Two parts lie in 80 bytes, a block: f0 f1, f2 f3, f4 s0, s1 s2, s3 s4.
// @ts-ignore: decorator
@inline function low(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 0, 2); }
// @ts-ignore: decorator
@inline function high(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 1, 3); }
// @ts-ignore: decorator
@inline function loadFirst(a: usize, b: usize, r: usize): void {
  let x = v128.load(a), y = v128.load(b);
  v128.store(r, low(x, y));
  v128.store(r, high(x, y), 16);
  x = v128.load(a, 16); y = v128.load(b, 16);
  v128.store(r, low(x, y), 32);
  v128.store(r, high(x, y), 48);
  v128.store(r, low(v128.load(a, 32), v128.load(b, 32)), 64);
}
// @ts-ignore: decorator
@inline function loadSecond(a: usize, b: usize, sign: v128, r: usize): void {
  let x = v128.load(a, 32), y = v128.load(b, 32);
  v128.store(r, v128.xor(sign, high(x, y)));
  x = v128.load(a, 48); y = v128.load(b, 48);
  v128.store(r, v128.xor(sign, low(x, y)), 16);
  v128.store(r, v128.xor(sign, high(x, y)), 32);
  x = v128.load(a, 64); y = v128.load(b, 64);
  v128.store(r, v128.xor(sign, low(x, y)), 48);
  v128.store(r, v128.xor(sign, high(x, y)), 64);
}
// @ts-ignore: decorator
@inline function loadFirstSigned(a: usize, b: usize, sign: v128, r: usize): void {
  let x = v128.load(a), y = v128.load(b);
  v128.store(r, v128.xor(sign, low(x, y)));
  v128.store(r, v128.xor(sign, high(x, y)), 16);
  x = v128.load(a, 16); y = v128.load(b, 16);
  v128.store(r, v128.xor(sign, low(x, y)), 32);
  v128.store(r, v128.xor(sign, high(x, y)), 48);
  v128.store(r, v128.xor(sign, low(v128.load(a, 32), v128.load(b, 32))), 64);
}
// @ts-ignore: decorator
@inline function storeBlock(a: usize, b: usize, f: usize, s: usize): void {
  let x = v128.load(f), y = v128.load(f, 16);
  v128.store(a, low(x, y));
  v128.store(b, high(x, y));
  x = v128.load(f, 32); y = v128.load(f, 48);
  v128.store(a, low(x, y), 16);
  v128.store(b, high(x, y), 16);
  x = v128.load(f, 64); y = v128.load(s);
  v128.store(a, low(x, y), 32);
  v128.store(b, high(x, y), 32);
  x = v128.load(s, 16); y = v128.load(s, 32);
  v128.store(a, low(x, y), 48);
  v128.store(b, high(x, y), 48);
  x = v128.load(s, 48); y = v128.load(s, 64);
  v128.store(a, low(x, y), 64);
  v128.store(b, high(x, y), 64);
}

/** r = the x of points a (lane 0) and b (lane 1). */
// @ts-ignore: decorator
@inline export function loadX<G>(a: usize, b: usize, r: usize): void {
  a &= ~1; b &= ~1;
  loadFirst(a, b, r);
  if (sizeof<G>() == 8) loadSecond(a, b, signs(0, 0), r + PAIR);
}
/** r = the y of points a and b, with the pointers' signs. */
// @ts-ignore: decorator
@inline export function loadY<G>(a: usize, b: usize, r: usize): void {
  const sign = signs(a, b);
  a &= ~1; b &= ~1;
  if (sizeof<G>() == 4) loadSecond(a, b, sign, r);
  else {
    loadFirstSigned(a + 80, b + 80, sign, r);
    loadSecond(a + 80, b + 80, sign, r + PAIR);
  }
}
/** Lanes 0 of x and y to point a, lanes 1 to point b. */
// @ts-ignore: decorator
@inline export function storePoints<G>(a: usize, b: usize, x: usize, y: usize): void {
  if (sizeof<G>() == 4) storeBlock(a, b, x, y);
  else {
    storeBlock(a, b, x, x + PAIR);
    storeBlock(a + 80, b + 80, y, y + PAIR);
  }
}

// Arithmetic of coordinates. Bounds: see product.ts, field.ts and fp2.ts.
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
@inline export function settle<G>(r: usize): void {
  reduce(FP, r);
  if (sizeof<G>() == 8) reduce(FP, r + PAIR);
}
/** Which lanes are zero: bits 0 and 1. */
// @ts-ignore: decorator
@inline export function zeros<G>(a: usize): i32 {
  if (sizeof<G>() == 4) return isZero(FP, a);
  return isZero(FP, a) & isZero(FP, a + PAIR);
}

export function copyPoint<G>(from: usize, to: usize): void {
  const negative = from & 1;
  from &= ~1;
  memory.copy(to, from, size<G>());
  if (negative && !isInfinite(to)) {
    for (let o = size<G>() / 2; o < size<G>(); o += 8) store<f64>(to + o, -load<f64>(to + o));
  }
}

const coordinates: usize = memory.data(80, 16);

/**
 * From snarkjs' form (affine, Montgomery with 2^256, little-endian, 64 or 128 bytes; all zero is infinity) to ours. Leaves
 * out infinite points: `indices` gets the numbers of the others, counted from `from`. Returns how many were written.
 */
export function readPoints<G>(bytes: usize, count: u32, from: u32, points: usize, indices: usize): u32 {
  let finite: u32 = 0;
  const parts: usize = size<G>() / 40;
  for (let i: u32 = 0; i < count; i++, bytes += parts * 32) {
    let any: u64 = 0;
    for (let o: usize = 0; o < parts * 32; o += 8) any |= load<u64>(bytes + o);
    if (!any) continue;
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
    store<u32>(indices, from + i);
    indices += 4;
    finite++;
  }
  return finite;
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
