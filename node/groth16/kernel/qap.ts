// The prover's polynomials as values: the constraints' rows applied to a witness, and what is left of a * b - c in the end.
//
// Scaling. Rows are linear, so any factor may hide in the coefficients. With R = 2^255 and s^2 = R / n^2, a coefficient v is
// kept as v s R and multiplied by plain numbers of the witness: a row of A is a s, one of B is b s (products take an R off).
// c is made by one product: (a s)(b s) / R = a b / n^2. coset() multiplies by n:
//   (n A s)(n B s) / R - (n C / n^2)(n R) / R = A B - C   as a plain number, with one reduction and nothing to take off.

import { FR, PAIR, add, pack, reduce, unpack } from "./field";
import {
  C1, C3, N, P, PRODUCT, QI, SHARED, carry, digit, hi, load as vector, lo, lo0, mul, mulAdd, plus, store as put,
} from "./product";

/** Bytes of an element alone, as five floats: of the witness and of a coefficient. */
const SINGLE: usize = 40;
/** Of a term in a row: signal, coefficient. */
export const TERM: usize = 8;

const X: usize = memory.data(80, 16);
const Y: usize = memory.data(80, 16);

/** `count` numbers of 32 bytes, times `factor` (a pair), reduced, to 40 bytes each. Any below 2^256, which is less than 5.3 p. */
export function convertCoefficients(from: usize, count: u32, factor: usize, to: usize): void {
  for (let i: u32 = 0; i < count; i++, from += 32, to += SINGLE) {
    unpack(from, X, 0);
    mul(FR, X, factor, X);
    reduce(FR, X);
    for (let k: usize = 0; k < 5; k++) store<f64>(to + 8 * k, load<f64>(X + 16 * k));
  }
}

const R0: u64 = 0x43e1f593f0000001, R1: u64 = 0x2833e84879b97091, R2: u64 = 0xb85045b68181585d, R3: u64 = 0x30644e72e131a029;
const LIMB: u64 = 0x7ffffffffffff;

/** `count` numbers of 32 bytes to limbs in [0, 2^51), 40 bytes each. Stops at one that is not below r; returns how many it took. */
export function unpackValues(from: usize, count: u32, to: usize): u32 {
  for (let i: u32 = 0; i < count; i++, from += 32, to += SINGLE) {
    const w0 = load<u64>(from), w1 = load<u64>(from, 8), w2 = load<u64>(from, 16), w3 = load<u64>(from, 24);
    if (w3 >= R3 && (w3 > R3 || (w2 >= R2 && (w2 > R2 || (w1 >= R1 && (w1 > R1 || w0 >= R0)))))) return i;
    store<f64>(to, <f64>(w0 & LIMB));
    store<f64>(to, <f64>(((w0 >> 51) | (w1 << 13)) & LIMB), 8);
    store<f64>(to, <f64>(((w1 >> 38) | (w2 << 26)) & LIMB), 16);
    store<f64>(to, <f64>(((w2 >> 25) | (w3 << 39)) & LIMB), 24);
    store<f64>(to, <f64>(w3 >> 12), 32);
  }
  return count;
}

// Rows. Columns collect up to GROUP products before they are reduced, as in product.ts, whose bounds hold: limbs in
// [-2^50, 2^50] times limbs in [0, 2^51); |T| < 8 * 0.51 p * p < 4.1 p^2, so |sum| < 2.2 p; columns below (8 * 10 + 10) 2^51 <
// 2^58. They start without the bits of as many constants as they will be given: from START + 160 (g - 1) for g products.
const GROUP: usize = 8;
const START: usize = memory.data(8 * 160, 16);
const SUM: usize = memory.data(80, 16);
/** A term that adds nothing: coefficient 0. */
const NOTHING: usize = memory.data(8, 8);

function prepare(): void {
  const b1 = load<u64>(SHARED + C1), b3 = load<u64>(SHARED + C3);
  for (let k: usize = 0; k < 10; k++) {
    // Of one product, column k gets this many low and high parts.
    const low: u64 = k < 5 ? k + 1 : 9 - k;
    const high: u64 = k < 5 ? k : 10 - k;
    let start = load<u64>(PRODUCT + 16 * k);
    for (let g: usize = 0; g < GROUP; g++) {
      store<u64>(START + g * 160 + 16 * k, start);
      store<u64>(START + g * 160 + 16 * k, start, 8);
      start -= low * b3 + high * b1;
    }
  }
}

// @ts-ignore: decorator
@inline function pair(a: usize, b: usize, o: usize): v128 {
  return v128.load_lane<f64>(b + o, v128.load64_zero(a + o), 1);
}

let values: usize = 0;
let witness: usize = 0;

/** r = the sum of `count` terms, at most GROUP, from at0 on in lane 0 and from at1 on in lane 1; those behind end0, end1 count 0. */
export function group(at0: usize, end0: usize, at1: usize, end1: usize, count: usize, r: usize): void {
  const from = START + (count - 1) * 160;
  let t0 = vector(from, 0); let t1 = vector(from, 16); let t2 = vector(from, 32); let t3 = vector(from, 48); let t4 =
  vector(from, 64); let t5 = vector(from, 80); let t6 = vector(from, 96); let t7 = vector(from, 112); let t8 = vector(from,
  128); let t9 = vector(from, 144);
  let h: v128, d: v128, x: v128;
  for (let i: usize = 0; i < count; i++, at0 += TERM, at1 += TERM) {
    const p0 = at0 < end0 ? at0 : NOTHING, p1 = at1 < end1 ? at1 : NOTHING;
    const c0 = values + <usize>load<u32>(p0, 4) * SINGLE, c1 = values + <usize>load<u32>(p1, 4) * SINGLE;
    const w0 = witness + <usize>load<u32>(p0) * SINGLE, w1 = witness + <usize>load<u32>(p1) * SINGLE;
    const a0 = pair(c0, c1, 0); const a1 = pair(c0, c1, 8); const a2 = pair(c0, c1, 16); const a3 = pair(c0, c1, 24);
    const a4 = pair(c0, c1, 32);
    x = pair(w0, w1, 0);
    h = hi(a0, x); t0 = plus(t0, lo(a0, x, h)); t1 = plus(t1, h);
    h = hi(a1, x); t1 = plus(t1, lo(a1, x, h)); t2 = plus(t2, h);
    h = hi(a2, x); t2 = plus(t2, lo(a2, x, h)); t3 = plus(t3, h);
    h = hi(a3, x); t3 = plus(t3, lo(a3, x, h)); t4 = plus(t4, h);
    h = hi(a4, x); t4 = plus(t4, lo(a4, x, h)); t5 = plus(t5, h);
    x = pair(w0, w1, 8);
    h = hi(a0, x); t1 = plus(t1, lo(a0, x, h)); t2 = plus(t2, h);
    h = hi(a1, x); t2 = plus(t2, lo(a1, x, h)); t3 = plus(t3, h);
    h = hi(a2, x); t3 = plus(t3, lo(a2, x, h)); t4 = plus(t4, h);
    h = hi(a3, x); t4 = plus(t4, lo(a3, x, h)); t5 = plus(t5, h);
    h = hi(a4, x); t5 = plus(t5, lo(a4, x, h)); t6 = plus(t6, h);
    x = pair(w0, w1, 16);
    h = hi(a0, x); t2 = plus(t2, lo(a0, x, h)); t3 = plus(t3, h);
    h = hi(a1, x); t3 = plus(t3, lo(a1, x, h)); t4 = plus(t4, h);
    h = hi(a2, x); t4 = plus(t4, lo(a2, x, h)); t5 = plus(t5, h);
    h = hi(a3, x); t5 = plus(t5, lo(a3, x, h)); t6 = plus(t6, h);
    h = hi(a4, x); t6 = plus(t6, lo(a4, x, h)); t7 = plus(t7, h);
    x = pair(w0, w1, 24);
    h = hi(a0, x); t3 = plus(t3, lo(a0, x, h)); t4 = plus(t4, h);
    h = hi(a1, x); t4 = plus(t4, lo(a1, x, h)); t5 = plus(t5, h);
    h = hi(a2, x); t5 = plus(t5, lo(a2, x, h)); t6 = plus(t6, h);
    h = hi(a3, x); t6 = plus(t6, lo(a3, x, h)); t7 = plus(t7, h);
    h = hi(a4, x); t7 = plus(t7, lo(a4, x, h)); t8 = plus(t8, h);
    x = pair(w0, w1, 32);
    h = hi(a0, x); t4 = plus(t4, lo(a0, x, h)); t5 = plus(t5, h);
    h = hi(a1, x); t5 = plus(t5, lo(a1, x, h)); t6 = plus(t6, h);
    h = hi(a2, x); t6 = plus(t6, lo(a2, x, h)); t7 = plus(t7, h);
    h = hi(a3, x); t7 = plus(t7, lo(a3, x, h)); t8 = plus(t8, h);
    h = hi(a4, x); t8 = plus(t8, lo(a4, x, h)); t9 = plus(t9, h);
  }
  d = digit(t0); t1 = plus(t1, carry(t0));
  h = hi(vector(FR, N + 0), d); t1 = plus(t1, lo(vector(FR, N + 0), d, h)); t2 = plus(t2, h);
  h = hi(vector(FR, N + 16), d); t2 = plus(t2, lo(vector(FR, N + 16), d, h)); t3 = plus(t3, h);
  h = hi(vector(FR, N + 32), d); t3 = plus(t3, lo(vector(FR, N + 32), d, h)); t4 = plus(t4, h);
  h = hi(vector(FR, N + 48), d); t4 = plus(t4, lo(vector(FR, N + 48), d, h)); t5 = plus(t5, h);
  h = hi(vector(FR, N + 64), d); t5 = plus(t5, lo(vector(FR, N + 64), d, h)); t6 = plus(t6, h);
  d = digit(t1); t2 = plus(t2, carry(t1));
  h = hi(vector(FR, N + 0), d); t2 = plus(t2, lo(vector(FR, N + 0), d, h)); t3 = plus(t3, h);
  h = hi(vector(FR, N + 16), d); t3 = plus(t3, lo(vector(FR, N + 16), d, h)); t4 = plus(t4, h);
  h = hi(vector(FR, N + 32), d); t4 = plus(t4, lo(vector(FR, N + 32), d, h)); t5 = plus(t5, h);
  h = hi(vector(FR, N + 48), d); t5 = plus(t5, lo(vector(FR, N + 48), d, h)); t6 = plus(t6, h);
  h = hi(vector(FR, N + 64), d); t6 = plus(t6, lo(vector(FR, N + 64), d, h)); t7 = plus(t7, h);
  d = digit(t2); t3 = plus(t3, carry(t2));
  h = hi(vector(FR, N + 0), d); t3 = plus(t3, lo(vector(FR, N + 0), d, h)); t4 = plus(t4, h);
  h = hi(vector(FR, N + 16), d); t4 = plus(t4, lo(vector(FR, N + 16), d, h)); t5 = plus(t5, h);
  h = hi(vector(FR, N + 32), d); t5 = plus(t5, lo(vector(FR, N + 32), d, h)); t6 = plus(t6, h);
  h = hi(vector(FR, N + 48), d); t6 = plus(t6, lo(vector(FR, N + 48), d, h)); t7 = plus(t7, h);
  h = hi(vector(FR, N + 64), d); t7 = plus(t7, lo(vector(FR, N + 64), d, h)); t8 = plus(t8, h);
  d = digit(t3); t4 = plus(t4, carry(t3));
  h = hi(vector(FR, N + 0), d); t4 = plus(t4, lo(vector(FR, N + 0), d, h)); t5 = plus(t5, h);
  h = hi(vector(FR, N + 16), d); t5 = plus(t5, lo(vector(FR, N + 16), d, h)); t6 = plus(t6, h);
  h = hi(vector(FR, N + 32), d); t6 = plus(t6, lo(vector(FR, N + 32), d, h)); t7 = plus(t7, h);
  h = hi(vector(FR, N + 48), d); t7 = plus(t7, lo(vector(FR, N + 48), d, h)); t8 = plus(t8, h);
  h = hi(vector(FR, N + 64), d); t8 = plus(t8, lo(vector(FR, N + 64), d, h)); t9 = plus(t9, h);
  d = digit(t4); h = hi(d, vector(FR, QI)); d = lo0(d, vector(FR, QI), h);
  h = hi(vector(FR, P + 0), d); t4 = plus(t4, lo(vector(FR, P + 0), d, h)); t5 = plus(t5, h);
  h = hi(vector(FR, P + 16), d); t5 = plus(t5, lo(vector(FR, P + 16), d, h)); t6 = plus(t6, h);
  h = hi(vector(FR, P + 32), d); t6 = plus(t6, lo(vector(FR, P + 32), d, h)); t7 = plus(t7, h);
  h = hi(vector(FR, P + 48), d); t7 = plus(t7, lo(vector(FR, P + 48), d, h)); t8 = plus(t8, h);
  h = hi(vector(FR, P + 64), d); t8 = plus(t8, lo(vector(FR, P + 64), d, h)); t9 = plus(t9, h);
  t5 = plus(t5, carry(t4));
  put(r, digit(t5), 0); t6 = plus(t6, carry(t5));
  put(r, digit(t6), 16); t7 = plus(t7, carry(t6));
  put(r, digit(t7), 32); t8 = plus(t8, carry(t7));
  put(r, digit(t8), 48); t9 = plus(t9, carry(t8));
  put(r, f64x2.sub(t9, vector(SHARED, C3)), 64);
}

/** r = 0; also of scratch, at the end, as it depends on the witness. */
function clear(r: usize): void {
  const zero = f64x2.splat(0);
  for (let o: usize = 0; o < PAIR; o += 16) put(r, zero, o);
}

/** r = two rows, whose starts are at `at`, as a pair. Limbs as after a product, |value| < 2.2 p. Returns whether there are terms. */
export function rowPair(at: usize, terms: usize, r: usize): bool {
  let first = terms + <usize>load<u32>(at) * TERM, second = terms + <usize>load<u32>(at, 4) * TERM;
  const middle = second, end = terms + <usize>load<u32>(at, 8) * TERM;
  let left = max(middle - first, end - middle) / TERM;
  if (left === 0) {
    clear(r);
    return false;
  }
  group(first, middle, second, end, min(left, GROUP), r);
  while (left > GROUP) {
    left -= GROUP;
    first += GROUP * TERM;
    second += GROUP * TERM;
    group(first, middle, second, end, min(left, GROUP), SUM);
    add(r, SUM, r);
    reduce(FR, r);
  }
  return true;
}

/** `count` pairs of rows, 2j and 2j + 1; `at`: where the start of the first row is. */
export function rows(at: usize, terms: usize, coefficientsAt: usize, witnessAt: usize, count: u32, r: usize): void {
  prepare();
  values = coefficientsAt;
  witness = witnessAt;
  for (const end = r + <usize>count * PAIR; r < end; at += 8, r += PAIR) rowPair(at, terms, r);
  clear(SUM);
}

/** The products of A's rows and B's, |value| < 2.5 p. */
export function products(
  a: usize, b: usize, terms: usize, coefficientsAt: usize, witnessAt: usize, count: u32, r: usize,
): void {
  prepare();
  values = coefficientsAt;
  witness = witnessAt;
  for (const end = r + <usize>count * PAIR; r < end; a += 8, b += 8, r += PAIR) {
    if (!rowPair(b, terms, r)) continue;
    if (rowPair(a, terms, Y)) mul(FR, Y, r, r);
    else clear(r);
  }
  clear(SUM);
  clear(Y);
}

/** a * b + c * factor as plain numbers of 32 bytes, for `count` reduced pairs: |result| < 0.38 * 0.53 p + 0.64 p < p. */
export function join(a: usize, b: usize, c: usize, factor: usize, count: u32, to: usize): void {
  for (const end = a + <usize>count * PAIR; a < end; a += PAIR, b += PAIR, c += PAIR, to += 64) {
    mulAdd(FR, a, b, c, factor, X);
    pack(FR, X, 0, to);
    pack(FR, X, 1, to + 32);
  }
  clear(X);
}
