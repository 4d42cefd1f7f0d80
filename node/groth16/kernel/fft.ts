// From a polynomial's values at the n-th roots of unity to its values at the odd powers of the 2n-th root g, which are the
// coset g * w^i: an inverse Fourier transform and a forward one in a single recursion, so that the coefficients, in
// bit-reversed order, exist only a few at a time, in the cache. The result is n times too large; qap.ts allows for that.
//
// Element 2j of n is lane 0 of pair j and element 2j+1 is lane 1, so that all stages but the innermost two have both lanes do
// the same. All butterflies are Cooley and Tukey's, (x, y) -> (x + t y, x - t y):
//   inverse, values in natural order to coefficients in bit-reversed order: in block k of any stage (from 0, left to right)
//     t = T[k] = w^-bitrev(k) for all butterflies, where bitrev reverses log2(n)-1 bits; all stages share the table's beginning.
//     (The values, taken for a polynomial's coefficients, are evaluated at all w^-j by remainders: what is known modulo
//     X^2m - t^2 is split into what it is modulo X^m - t and X^m + t.)
//   forward, coefficients in bit-reversed order to values in natural order: merging two blocks into one of m elements,
//     butterfly j has t = g_m w_m^j with g_m = g^(n/m), as P(x) = E(x^2) + x O(x^2) at x = g_m w_m^j. g_m w_m^j = w_2m^(1+2j).
//     The coset thus costs nothing: these are as many products as for the plain domain.
// A block is cut in four at a time (two stages in one pass over memory). After its four parts are split, transformed and
// merged, one after the other, the block itself is merged: any part that fits a cache stays there for all its stages.
//
// Bounds. A unit is 2^50, for limbs; products take 3 units times 1 unit (a reduced twiddle), and give 1 unit. With
// |t| < 0.51 p and |y| < a p, |t y| < (0.194 a + 0.64) p (see product.ts). Each pass takes elements below 3 units and 3 p:
//   reduced x: 1 unit, 0.51 p; y as it came, so t y < 1.23 p; after the first stage 2 units, 1.74 p;
//   second stage: t y < 0.98 p; result 3 units, 2.72 p.
// So of four elements only the two that are not multiplied first have to be reduced.

import { FR, PAIR, TOP, reduce } from "./field";
import { C1, DOWN, P, SHARED, mul } from "./product";

/** T: pair q holds T[2q] and T[2q+1]; n/4 pairs, at least one. */
let inverse: usize = 0;
/** For merged blocks of s pairs (m = 2s): s/2 pairs from pair s/2 on; pair j of them holds the twiddles 2j and 2j+1. Pair 0: w_4. */
let forward: usize = 0;

const SPLAT: usize = memory.data(3 * 80, 16);

/** Both lanes of `to` are T[k]. */
function spread(k: usize, to: usize): void {
  const at = inverse + (k >> 1) * PAIR + ((k & 1) << 3);
  v128.store(to, v128.load64_splat(at));
  v128.store(to, v128.load64_splat(at, 16), 16);
  v128.store(to, v128.load64_splat(at, 32), 32);
  v128.store(to, v128.load64_splat(at, 48), 48);
  v128.store(to, v128.load64_splat(at, 64), 64);
}

// @ts-ignore: decorator
@inline function cross(x: usize, y: usize, o: usize, u: v128): void {
  const v = v128.load(y + o);
  v128.store(x + o, f64x2.add(u, v));
  v128.store(y + o, f64x2.sub(u, v));
}

/** (x, y) -> (x + y, x - y) */
function butterfly(x: usize, y: usize): void {
  cross(x, y, 0, v128.load(x));
  cross(x, y, 16, v128.load(x, 16));
  cross(x, y, 32, v128.load(x, 32));
  cross(x, y, 48, v128.load(x, 48));
  cross(x, y, 64, v128.load(x, 64));
}

/** The same with x reduced first, step by step as reduce() does it, but without a way through memory. */
function settle(x: usize, y: usize): void {
  const k = f64x2.nearest(f64x2.mul(v128.load(x, 64), v128.load(FR + TOP)));
  const round = v128.load(SHARED + C1);
  const down = v128.load(SHARED + DOWN);
  let u = f64x2.sub(v128.load(x), f64x2.mul(k, v128.load(FR + P)));
  let c = f64x2.sub(f64x2.add(u, round), round);
  cross(x, y, 0, f64x2.sub(u, c));
  u = f64x2.add(f64x2.sub(v128.load(x, 16), f64x2.mul(k, v128.load(FR + P + 16))), f64x2.mul(c, down));
  c = f64x2.sub(f64x2.add(u, round), round);
  cross(x, y, 16, f64x2.sub(u, c));
  u = f64x2.add(f64x2.sub(v128.load(x, 32), f64x2.mul(k, v128.load(FR + P + 32))), f64x2.mul(c, down));
  c = f64x2.sub(f64x2.add(u, round), round);
  cross(x, y, 32, f64x2.sub(u, c));
  u = f64x2.add(f64x2.sub(v128.load(x, 48), f64x2.mul(k, v128.load(FR + P + 48))), f64x2.mul(c, down));
  c = f64x2.sub(f64x2.add(u, round), round);
  cross(x, y, 48, f64x2.sub(u, c));
  u = f64x2.add(f64x2.sub(v128.load(x, 64), f64x2.mul(k, v128.load(FR + P + 64))), f64x2.mul(c, down));
  cross(x, y, 64, u);
}

// @ts-ignore: decorator
@inline function exchange(a: usize, b: usize, o: usize): void {
  const u = v128.load(a + o);
  const v = v128.load(b + o);
  v128.store(a + o, i64x2.shuffle(u, v, 0, 2));
  v128.store(b + o, i64x2.shuffle(u, v, 1, 3));
}

/** The pairs (a0, a1), (b0, b1) become (a0, b0), (a1, b1). */
function transpose(a: usize, b: usize): void {
  exchange(a, b, 0); exchange(a, b, 16); exchange(a, b, 32); exchange(a, b, 48); exchange(a, b, 64);
}

/** The innermost two stages, inverse and forward, of block 2q (pair a) and block 2q+1 (pair b), across lanes. 3 units in, 2 out. */
function turn(a: usize, b: usize, q: usize): void {
  transpose(a, b);
  mul(FR, b, inverse + q * PAIR, b);
  settle(a, b);
  mul(FR, b, forward, b);
  settle(a, b);
  transpose(a, b);
}

/** Block k of two pairs: there and back. */
function leaf(at: usize, k: usize): void {
  const a = at, b = at + PAIR;
  spread(k, SPLAT);
  mul(FR, b, SPLAT, b);
  settle(a, b);
  turn(a, b, k);
  // turn leaves 2 units and less than 0.51 + 1.1 p.
  mul(FR, b, forward + PAIR, b);
  butterfly(a, b);
}

/** Splits block k in four, `count` butterflies of it from x on; `quarter` bytes lie between its parts. */
export function split(x: usize, quarter: usize, count: usize, k: usize): void {
  const t = SPLAT, even = SPLAT + 80, odd = SPLAT + 160;
  spread(k, t); spread(2 * k, even); spread(2 * k + 1, odd);
  for (const end = x + count * PAIR; x < end; x += PAIR) {
    const x1 = x + quarter, x2 = x1 + quarter, x3 = x2 + quarter;
    mul(FR, x2, t, x2);
    mul(FR, x3, t, x3);
    settle(x, x2);
    settle(x1, x3);
    mul(FR, x1, even, x1);
    mul(FR, x3, odd, x3);
    butterfly(x, x1);
    butterfly(x2, x3);
  }
}

/** The same for block 0, where three of four twiddles are 1. Sums of four reduced elements are reduced: 4 units would be too many. */
export function splitFirst(x: usize, quarter: usize, count: usize): void {
  spread(1, SPLAT);
  for (const end = x + count * PAIR; x < end; x += PAIR) {
    const x1 = x + quarter, x2 = x1 + quarter, x3 = x2 + quarter;
    reduce(FR, x2);
    reduce(FR, x3);
    settle(x, x2);
    settle(x1, x3);
    butterfly(x, x1);
    reduce(FR, x);
    reduce(FR, x1);
    mul(FR, x3, SPLAT, x3);
    butterfly(x2, x3);
  }
}

/** Merges four blocks into one: `count` butterflies from x on; t: twiddles of the halves, u: of the whole, for x. */
export function merge(x: usize, quarter: usize, count: usize, t: usize, u: usize): void {
  for (const end = x + count * PAIR; x < end; x += PAIR, t += PAIR, u += PAIR) {
    const x1 = x + quarter, x2 = x1 + quarter, x3 = x2 + quarter;
    mul(FR, x1, t, x1);
    mul(FR, x3, t, x3);
    settle(x, x1);
    settle(x2, x3);
    mul(FR, x2, u, x2);
    mul(FR, x3, u + quarter, x3);
    butterfly(x, x2);
    butterfly(x1, x3);
  }
}

// Long loops are cut up: V8 exchanges slow code for fast code only between calls.
const CHUNK: usize = 256;

/** Block k of `pairs` pairs, 2 times a power of 4, there and back. */
function block(at: usize, pairs: usize, k: usize): void {
  if (pairs === 2) {
    leaf(at, k);
    return;
  }
  const part = pairs >> 2;
  const quarter = part * PAIR;
  const chunk = min(part, CHUNK);
  for (let j: usize = 0; j < part; j += chunk) {
    if (k) split(at + j * PAIR, quarter, chunk, k);
    else splitFirst(at + j * PAIR, quarter, chunk);
  }
  for (let j: usize = 0; j < 4; j++) block(at + j * quarter, part, 4 * k + j);
  const t = forward + part * PAIR, u = t + quarter;
  for (let j: usize = 0; j < part; j += chunk) merge(at + j * PAIR, quarter, chunk, t + j * PAIR, u + j * PAIR);
}

/** One stage alone, where their number is odd: block 0 in two, where the twiddle is 1. */
export function halve(x: usize, half: usize, count: usize): void {
  for (const end = x + count * PAIR; x < end; x += PAIR) {
    reduce(FR, x + half);
    settle(x, x + half);
  }
}

/** And back: block 0 from its two halves. */
export function double(x: usize, half: usize, count: usize, t: usize): void {
  for (const end = x + count * PAIR; x < end; x += PAIR, t += PAIR) {
    mul(FR, x + half, t, x + half);
    settle(x, x + half);
  }
}

export function reduceAll(x: usize, count: usize): void {
  for (const end = x + count * PAIR; x < end; x += PAIR) reduce(FR, x);
}

/**
 * In place: n/2 = `pairs` pairs, below 3 units and 3 p (for n = 2 with a second pair of zeros behind). `inverseTable` and
 * `forwardTable`: see above. The result is reduced.
 */
export function coset(at: usize, pairs: usize, inverseTable: usize, forwardTable: usize): void {
  inverse = inverseTable;
  forward = forwardTable;
  if (pairs === 1) {
    turn(at, at + PAIR, 0);
  } else if (ctz(pairs) & 1) {
    block(at, pairs, 0);
  } else {
    const part = pairs >> 1;
    const half = part * PAIR;
    const chunk = min(part, CHUNK);
    for (let j: usize = 0; j < part; j += chunk) halve(at + j * PAIR, half, chunk);
    block(at, part, 0);
    block(at + half, part, 1);
    for (let j: usize = 0; j < part; j += chunk) double(at + j * PAIR, half, chunk, forward + half + j * PAIR);
  }
  const chunk = min(pairs, CHUNK);
  for (let j: usize = 0; j < pairs; j += chunk) reduceAll(at + j * PAIR, chunk);
}

/** to[i] = from[i] * factor, reduced, for `count` pairs: what tables of powers grow by. */
export function scale(from: usize, count: usize, factor: usize, to: usize): void {
  for (const end = from + count * PAIR; from < end; from += PAIR, to += PAIR) {
    mul(FR, from, factor, to);
    reduce(FR, to);
  }
}
