// How points lie in memory, and their coordinates taken out two at a time.
//
// A point is affine: x, then y, each part five limbs of 64-bit floats (see field.ts; one lane's worth, 40 bytes): 80 bytes
// in G1 (x, y), 160 in G2 (x.c0, x.c1, y.c0, y.c1), aligned to 16. Coordinates are reduced: |value| < 0.51 p. Infinity has
// the bits of a float's infinity in the first 8 bytes; the others mean nothing. Bit 0 of a pointer to a point says "minus".

import { PAIR } from "./field";

// The groups as type parameters: functions are compiled once for each, with sizes that are constants.
export type G1 = u32;
export type G2 = u64;

/** Bytes of a point, and of a coordinate of two points (one or two pairs of field elements): 80 or 160. */
// @ts-ignore: decorator
@inline export function size<G>(): usize { return sizeof<G>() == 4 ? 80 : 160; }

const INFINITY: u64 = 0x7ff0000000000000;
// @ts-ignore: decorator
@inline export function isInfinite(point: usize): bool { return load<u64>(point) == INFINITY; }
// @ts-ignore: decorator
@inline export function setInfinite(point: usize): void { store<u64>(point, INFINITY); }

export function copyPoint<G>(from: usize, to: usize): void {
  const negative = from & 1;
  from &= ~1;
  memory.copy(to, from, size<G>());
  // Of infinity, too: what is negated there means nothing.
  if (negative) {
    for (let o = size<G>() / 2; o < size<G>(); o += 8) store<f64>(to + o, -load<f64>(to + o));
  }
}

// Two parts lie in a block of 80 bytes: f0 f1, f2 f3, f4 s0, s1 s2, s3 s4. Of two blocks, one for each lane:
// @ts-ignore: decorator
@inline function low(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 0, 2); }
// @ts-ignore: decorator
@inline function high(a: v128, b: v128): v128 { return i64x2.shuffle(a, b, 1, 3); }
// @ts-ignore: decorator
@inline function storeFirst(a0: v128, a1: v128, a2: v128, b0: v128, b1: v128, b2: v128, r: usize): void {
  v128.store(r, low(a0, b0));
  v128.store(r, high(a0, b0), 16);
  v128.store(r, low(a1, b1), 32);
  v128.store(r, high(a1, b1), 48);
  v128.store(r, low(a2, b2), 64);
}
// @ts-ignore: decorator
@inline function storeSecond(a2: v128, a3: v128, a4: v128, b2: v128, b3: v128, b4: v128, r: usize): void {
  v128.store(r, high(a2, b2));
  v128.store(r, low(a3, b3), 16);
  v128.store(r, high(a3, b3), 32);
  v128.store(r, low(a4, b4), 48);
  v128.store(r, high(a4, b4), 64);
}

/** r = the x of points a (lane 0) and b (lane 1). */
// @ts-ignore: decorator
@inline export function loadX<G>(a: usize, b: usize, r: usize): void {
  a &= ~1; b &= ~1;
  const a2 = v128.load(a, 32), b2 = v128.load(b, 32);
  storeFirst(v128.load(a), v128.load(a, 16), a2, v128.load(b), v128.load(b, 16), b2, r);
  if (sizeof<G>() == 8) {
    storeSecond(a2, v128.load(a, 48), v128.load(a, 64), b2, v128.load(b, 48), v128.load(b, 64), r + PAIR);
  }
}

// @ts-ignore: decorator
@inline function sum(a: usize, b: usize, o: usize): v128 { return f64x2.add(v128.load(a + o), v128.load(b + o)); }
// @ts-ignore: decorator
@inline function difference(a: usize, b: usize, o: usize): v128 { return f64x2.sub(v128.load(b + o), v128.load(a + o)); }

/** r = x(a) + x(b) in lane 0, x(c) + x(d) in lane 1. */
// @ts-ignore: decorator
@inline export function loadSumOfX<G>(a: usize, b: usize, c: usize, d: usize, r: usize): void {
  a &= ~1; b &= ~1; c &= ~1; d &= ~1;
  const u = sum(a, b, 32), v = sum(c, d, 32);
  storeFirst(sum(a, b, 0), sum(a, b, 16), u, sum(c, d, 0), sum(c, d, 16), v, r);
  if (sizeof<G>() == 8) storeSecond(u, sum(a, b, 48), sum(a, b, 64), v, sum(c, d, 48), sum(c, d, 64), r + PAIR);
}

/** r = x(b) - x(a) in lane 0, x(d) - x(c) in lane 1. */
// @ts-ignore: decorator
@inline export function loadDifferenceOfX<G>(a: usize, b: usize, c: usize, d: usize, r: usize): void {
  a &= ~1; b &= ~1; c &= ~1; d &= ~1;
  const u = difference(a, b, 32), v = difference(c, d, 32);
  storeFirst(difference(a, b, 0), difference(a, b, 16), u, difference(c, d, 0), difference(c, d, 16), v, r);
  if (sizeof<G>() == 8) {
    storeSecond(u, difference(a, b, 48), difference(a, b, 64), v, difference(c, d, 48), difference(c, d, 64), r + PAIR);
  }
}

/** What to combine a point's y with for its pointer's sign. */
const SIGNS: usize = memory.data<u64>([0, 0, 0x8000000000000000, 0x8000000000000000], 16);
// @ts-ignore: decorator
@inline function sign(a: usize): v128 { return v128.load(SIGNS + ((a & 1) << 4)); }
// @ts-ignore: decorator
@inline function signed(a: usize, o: usize, sign: v128): v128 { return v128.xor(v128.load(a + o), sign); }

/** r = the y of points a and b, with the pointers' signs. */
// @ts-ignore: decorator
@inline export function loadY<G>(a: usize, b: usize, r: usize): void {
  const s = sign(a), t = sign(b);
  a &= ~1; b &= ~1;
  if (sizeof<G>() == 8) {
    a += 80;
    b += 80;
  }
  const a2 = signed(a, 32, s), b2 = signed(b, 32, t);
  const a3 = signed(a, 48, s), a4 = signed(a, 64, s), b3 = signed(b, 48, t), b4 = signed(b, 64, t);
  if (sizeof<G>() == 4) storeSecond(a2, a3, a4, b2, b3, b4, r);
  else {
    storeFirst(signed(a, 0, s), signed(a, 16, s), a2, signed(b, 0, t), signed(b, 16, t), b2, r);
    storeSecond(a2, a3, a4, b2, b3, b4, r + PAIR);
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
