// What making keys takes beside sums of points: values of a Lagrange basis at a secret point, a circuit's columns applied to
// them, differences of points, and points as a ceremony hashes them. See ../keyengine.ts, which leads through the steps. Wipes
// nothing: a development key's secrets are public, and a ceremony's start has none.

import { flush, queue } from "./batch";
import { FP, FR, FROM_PLAIN, ONE, PAIR, TO_PLAIN, add, copy, inverse, pack, reduce, sub, unpack } from "./field";
import { G1, copyPoint, isInfinite, size } from "./layout";
import { mul } from "./product";

const SINGLE: usize = 40;

const X: usize = memory.data(80, 16);
const REST: usize = memory.data(80, 16);
const BYTES: usize = memory.data(32, 16);

/**
 * to[j] = scale * x_j / (point - x_j), reduced, for `count` pairs x_j = first * step^j, with one inversion. `first` is set to
 * x_count; scratch takes 3 * count + 1 pairs. No x_j may be the point. All pairs are reduced.
 * Bounds, in p: x 0.51, then by products with step below 0.83; point - x 1.34, with limbs below 2^51; products v of these
 * 0.51 v + 0.63 < 1.3; the rest likewise; x * scale 0.8.
 */
export function fractions(first: usize, step: usize, point: usize, scale: usize, count: u32, scratch: usize, to: usize): void {
  const xs = scratch, differences = xs + PAIR * <usize>count, products = differences + PAIR * <usize>count;
  copy(FR + ONE, products);
  copy(first, X);
  for (let o: usize = 0; o < PAIR * <usize>count; o += PAIR) {
    copy(X, xs + o);
    sub(point, X, differences + o);
    mul(FR, products + o, differences + o, products + o + PAIR);
    mul(FR, X, step, X);
  }
  copy(X, first);
  reduce(FR, first);
  copy(products + PAIR * <usize>count, X);
  reduce(FR, X);
  inverse(FR, X, REST);
  for (let o = PAIR * <usize>count; o != 0;) {
    o -= PAIR;
    mul(FR, xs + o, scale, X);
    mul(FR, REST, products + o, to + o);
    mul(FR, REST, differences + o, REST);
    mul(FR, to + o, X, to + o);
    reduce(FR, to + o);
  }
}

/** `count` pairs to elements alone, 40 bytes each. */
export function separate(from: usize, count: u32, to: usize): void {
  for (const end = from + PAIR * <usize>count; from != end; from += PAIR, to += 2 * SINGLE) {
    for (let l: usize = 0; l < 5; l++) {
      store<f64>(to + 8 * l, load<f64>(from + 16 * l));
      store<f64>(to + 8 * l, load<f64>(from + 16 * l, 8), SINGLE);
    }
  }
}

const WIDE: i32 = i32.MIN_VALUE;

/**
 * Terms as rows() in qap.ts takes them: terms[t] (8 bytes) has row rows[t] and coefficient 1 + t; elements[1 + t] (40 bytes,
 * an even number of them behind the first) is the coefficient, reduced, from coefficients[t] or, where that is WIDE, from the
 * next 32 bytes of `wide`; elements[0] is 0, as rows() wants it.
 */
export function spellTerms(rows: usize, coefficients: usize, wide: usize, count: u32, terms: usize, elements: usize): void {
  memory.fill(elements, 0, SINGLE);
  for (let t: u32 = 0; t < count; t++) {
    const lane = t & 1, coefficient = load<i32>(coefficients + 4 * <usize>t);
    store<u32>(terms + 8 * <usize>t, load<u32>(rows + 4 * <usize>t));
    store<u32>(terms + 8 * <usize>t, 1 + t, 4);
    if (lane == 0) memory.fill(X, 0, PAIR);
    if (coefficient == WIDE) {
      unpack(wide, X, lane);
      wide += 32;
    } else store<f64>(X + 8 * <usize>lane, <f64>coefficient);
    if (lane == 0 && t + 1 != count) continue;
    mul(FR, X, FR + FROM_PLAIN, X);
    reduce(FR, X);
    separate(X, 1, elements + SINGLE * (1 + <usize>(t & ~1)));
  }
}

/** to[j] += from[j] * factor, reduced. |from| < 2.2 p with limbs as after a product; factor and `to` are reduced. */
export function weigh(from: usize, count: u32, factor: usize, to: usize): void {
  for (const end = from + PAIR * <usize>count; from != end; from += PAIR, to += PAIR) {
    mul(FR, from, factor, X);
    add(X, to, to);
    reduce(FR, to);
  }
}

/** `count` pairs, which are no longer in Montgomery form, to 64 bytes each. */
export function packPairs(from: usize, count: u32, to: usize): void {
  for (const end = from + PAIR * <usize>count; from != end; from += PAIR, to += 64) {
    pack(FR, from, 0, to);
    pack(FR, from, 1, to + 32);
  }
}

/** to[i] = a[i] - b[i], in G1. */
export function differences(a: usize, b: usize, count: u32, to: usize): void {
  for (let i: u32 = 0; i < count; i++, a += size<G1>(), b += size<G1>(), to += size<G1>()) {
    if (isInfinite(b)) copyPoint<G1>(a, to);
    else if (isInfinite(a)) copyPoint<G1>(b | 1, to);
    else queue<G1>(a, b | 1, to);
  }
  flush<G1>();
}

/** Points as plain numbers, most significant byte first, the second part of each coordinate first; infinity as zeros. */
export function writePlain(group: u32, points: usize, count: u32, bytes: usize): void {
  const parts: usize = group == 1 ? 2 : 4;
  for (let i: u32 = 0; i < count; i++, bytes += 32 * parts, points += 40 * parts) {
    if (isInfinite(points)) {
      memory.fill(bytes, 0, 32 * parts);
      continue;
    }
    for (let k: usize = 0; k < parts; k += 2) {
      for (let l: usize = 0; l < 5; l++) {
        store<f64>(X + 16 * l, load<f64>(points + 40 * k + 8 * l));
        store<f64>(X + 16 * l, load<f64>(points + 40 * k + 8 * l, 40), 8);
      }
      mul(FP, X, FP + TO_PLAIN, X);
      reduce(FP, X);
      // (x, y) in G1; of G2 the parts of one coordinate.
      const swap: usize = group == 1 ? 0 : 32;
      reversed(0, bytes + 32 * k + swap);
      reversed(1, bytes + 32 * k + (32 - swap));
    }
  }
}

function reversed(lane: usize, to: usize): void {
  pack(FP, X, lane, BYTES);
  for (let o: usize = 0; o < 32; o += 8) store<u64>(to + o, bswap<u64>(load<u64>(BYTES + 24 - o)));
}
