// Products of field elements, two at a time: Montgomery multiplication on 51-bit limbs held as 64-bit floats (see field.ts
// for the representation). Written out because AssemblyScript does not unroll loops; every row is the same three steps.
//
// Exact products by fused multiply-add (Emmart, Zheng, Weems: "Faster modular exponentiation using double precision
// floating point arithmetic on the GPU", ARITH 2018). With C1 = 3*2^102, a multiply-add rounds a*b to a multiple of 2^51:
//   hi = fma(a, b, C1)            = C1 + 2^51 H,     H = round(a*b / 2^51)      exact while |a*b| < 2^102
//   lo = fma(a, b, C1+C3 - hi)    = C3 + L,          L = a*b - 2^51 H, |L| <= 2^50, with C3 = 3*2^51
// Both lie in one binade, so their bit patterns, read as integers, are B1 + H and B3 + L, with B1 and B3 those of C1 and C3:
// columns add up as 64-bit integers, and the constants' bits are taken off all at once, by what a column starts from.
//
// Reduction. A column is cut into a centred digit d in [-2^50, 2^50) and a carry. Four times, d * 2^(51i) is replaced by
// d * N * 2^(51(i+1)), with N = 2^-51 mod p, centred: nothing has to be multiplied by -1/p first, which shortens the chain
// of dependent steps by a third. N is as long as p, so this keeps 51 bits too many in the end; the fifth step is
// Montgomery's own, adding m * p with m = d * (-1/p) mod 2^51.
//
// Bounds. With values A and B, the columns hold T = A*B, and the result is
//   (T + sum over i < 4 of d_i N 2^(51(i+1)) + m p 2^204) / 2^255,   |d_i|, |m| <= 2^50, |N| < 0.26 p, p < 0.76 * 2^254:
//   |result| < 0.38 (|A| |B| / p^2) p + 0.13 p + 0.5 p + 2^-40 p.
// A result's top limb is exact while |result| < 2.6 p, that is while |A| |B| < 5 p^2 (all pairs of a sum together).
// A column gets at most 2*10 + 10 terms of at most 2^51: below 2^56, and 2^62 is added to make it positive.

/** Offsets in the table of a modulus (field.ts), in bytes: N, p and -1/p mod 2^51, each limb in both lanes. */
export const N: usize = 0;
export const P: usize = 80;
export const QI: usize = 160;

/** What both moduli share: C1, C1 + C3, C3, 2^52 + 2^50 as floats, then the mask of 51 bits, the exponent of 2^52, and 2^-51. */
export const SHARED: usize = memory.data<u64>(
  [
    0x4668000000000000, 0x4668000000000000, 0x4668000000000003, 0x4668000000000003,
    0x4338000000000000, 0x4338000000000000, 0x4334000000000000, 0x4334000000000000,
    0x0007ffffffffffff, 0x0007ffffffffffff, 0x4330000000000000, 0x4330000000000000,
    0x3cc0000000000000, 0x3cc0000000000000,
  ],
  16,
);
export const C1: usize = 0;
const C13: usize = 16;
export const C3: usize = 32;
const CENTRE: usize = 48;
const MASK: usize = 64;
const EXPONENT: usize = 80;
export const DOWN: usize = 96;

// What the ten columns start from: minus the bits of the constants that they will be given (B3 for each low part, B1 for
// each high part), plus 2^62 + 2^50 to make a shifted-out carry positive and the digit centred, minus 2^11, which is what
// the 2^62 of the column before carries over. The last column keeps B3: it becomes a float by subtraction. A test derives
// these tables.
export const PRODUCT: usize = memory.data<u64>(
  [
    0xfccc000000000000, 0xfccc000000000000,
    0x2ff3fffffffff800, 0x2ff3fffffffff800,
    0x1cb3fffffffff800, 0x1cb3fffffffff800,
    0x0973fffffffff800, 0x0973fffffffff800,
    0xb2fbfffffffff800, 0xb2fbfffffffff800,
    0x22fbfffffffff800, 0x22fbfffffffff800,
    0xefd3fffffffff800, 0xefd3fffffffff800,
    0x0313fffffffff800, 0x0313fffffffff800,
    0x1653fffffffff800, 0x1653fffffffff800,
    0x6ffffffffffff800, 0x6ffffffffffff800,
  ],
  16,
);
const SQUARE: usize = memory.data<u64>(
  [
    0xfccc000000000000, 0xfccc000000000000,
    0x732bfffffffff800, 0x732bfffffffff800,
    0xa653fffffffff800, 0xa653fffffffff800,
    0xd64bfffffffff800, 0xd64bfffffffff800,
    0xc63bfffffffff800, 0xc63bfffffffff800,
    0x363bfffffffff800, 0x363bfffffffff800,
    0xbfdbfffffffff800, 0xbfdbfffffffff800,
    0x8cb3fffffffff800, 0x8cb3fffffffff800,
    0x5cbbfffffffff800, 0x5cbbfffffffff800,
    0x6ffffffffffff800, 0x6ffffffffffff800,
  ],
  16,
);
const TWO_PRODUCTS: usize = memory.data<u64>(
  [
    0xb994000000000000, 0xb994000000000000,
    0x631bfffffffff800, 0x631bfffffffff800,
    0xc63bfffffffff800, 0xc63bfffffffff800,
    0x295bfffffffff800, 0x295bfffffffff800,
    0x4943fffffffff800, 0x4943fffffffff800,
    0xb613fffffffff800, 0xb613fffffffff800,
    0x0c8bfffffffff800, 0x0c8bfffffffff800,
    0xa96bfffffffff800, 0xa96bfffffffff800,
    0x464bfffffffff800, 0x464bfffffffff800,
    0x2997fffffffff800, 0x2997fffffffff800,
  ],
  16,
);

// Constants are loaded from memory, not splatted: V8 builds a splatted constant again at every use (a third slower).
// @ts-ignore: decorator
@inline export function load(at: usize, offset: usize): v128 { return v128.load(at + offset); }
// @ts-ignore: decorator
@inline export function store(at: usize, value: v128, offset: usize): void { v128.store(at + offset, value); }
// @ts-ignore: decorator
@inline export function plus(a: v128, b: v128): v128 { return i64x2.add(a, b); }
// @ts-ignore: decorator
@inline export function hi(a: v128, b: v128): v128 { return f64x2.relaxed_madd(a, b, load(SHARED, C1)); }
// @ts-ignore: decorator
@inline export function lo(a: v128, b: v128, h: v128): v128 { return f64x2.relaxed_madd(a, b, f64x2.sub(load(SHARED, C13), h)); }
/** The low part as a plain float. */
// @ts-ignore: decorator
@inline export function lo0(a: v128, b: v128, h: v128): v128 { return f64x2.relaxed_madd(a, b, f64x2.sub(load(SHARED, C1), h)); }
// @ts-ignore: decorator
@inline export function digit(t: v128): v128 {
  return f64x2.sub(v128.or(v128.and(t, load(SHARED, MASK)), load(SHARED, EXPONENT)), load(SHARED, CENTRE));
}
// @ts-ignore: decorator
@inline export function carry(t: v128): v128 { return i64x2.shr_u(t, 51); }

/** r = a * b / 2^255 mod p. Limbs: |a_i| * |b_j| < 2^102 for all i, j; values: |A| |B| < 5 p^2. m: table of the modulus. */
export function mul(m: usize, a: usize, b: usize, r: usize): void {
  const a0 = load(a, 0); const a1 = load(a, 16); const a2 = load(a, 32); const a3 = load(a, 48); const a4 = load(a, 64);
  let t0 = load(PRODUCT, 0); let t1 = load(PRODUCT, 16); let t2 = load(PRODUCT, 32); let t3 = load(PRODUCT, 48); let t4
  = load(PRODUCT, 64); let t5 = load(PRODUCT, 80); let t6 = load(PRODUCT, 96); let t7 = load(PRODUCT, 112); let t8 =
  load(PRODUCT, 128); let t9 = load(PRODUCT, 144);
  let h: v128, d: v128, x: v128;

  x = load(b, 0);
  h = hi(a0, x); t0 = plus(t0, lo(a0, x, h)); t1 = plus(t1, h);
  h = hi(a1, x); t1 = plus(t1, lo(a1, x, h)); t2 = plus(t2, h);
  h = hi(a2, x); t2 = plus(t2, lo(a2, x, h)); t3 = plus(t3, h);
  h = hi(a3, x); t3 = plus(t3, lo(a3, x, h)); t4 = plus(t4, h);
  h = hi(a4, x); t4 = plus(t4, lo(a4, x, h)); t5 = plus(t5, h);
  d = digit(t0); t1 = plus(t1, carry(t0));
  h = hi(load(m, N + 0), d); t1 = plus(t1, lo(load(m, N + 0), d, h)); t2 = plus(t2, h);
  h = hi(load(m, N + 16), d); t2 = plus(t2, lo(load(m, N + 16), d, h)); t3 = plus(t3, h);
  h = hi(load(m, N + 32), d); t3 = plus(t3, lo(load(m, N + 32), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 48), d); t4 = plus(t4, lo(load(m, N + 48), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 64), d); t5 = plus(t5, lo(load(m, N + 64), d, h)); t6 = plus(t6, h);

  x = load(b, 16);
  h = hi(a0, x); t1 = plus(t1, lo(a0, x, h)); t2 = plus(t2, h);
  h = hi(a1, x); t2 = plus(t2, lo(a1, x, h)); t3 = plus(t3, h);
  h = hi(a2, x); t3 = plus(t3, lo(a2, x, h)); t4 = plus(t4, h);
  h = hi(a3, x); t4 = plus(t4, lo(a3, x, h)); t5 = plus(t5, h);
  h = hi(a4, x); t5 = plus(t5, lo(a4, x, h)); t6 = plus(t6, h);
  d = digit(t1); t2 = plus(t2, carry(t1));
  h = hi(load(m, N + 0), d); t2 = plus(t2, lo(load(m, N + 0), d, h)); t3 = plus(t3, h);
  h = hi(load(m, N + 16), d); t3 = plus(t3, lo(load(m, N + 16), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 32), d); t4 = plus(t4, lo(load(m, N + 32), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 48), d); t5 = plus(t5, lo(load(m, N + 48), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 64), d); t6 = plus(t6, lo(load(m, N + 64), d, h)); t7 = plus(t7, h);

  x = load(b, 32);
  h = hi(a0, x); t2 = plus(t2, lo(a0, x, h)); t3 = plus(t3, h);
  h = hi(a1, x); t3 = plus(t3, lo(a1, x, h)); t4 = plus(t4, h);
  h = hi(a2, x); t4 = plus(t4, lo(a2, x, h)); t5 = plus(t5, h);
  h = hi(a3, x); t5 = plus(t5, lo(a3, x, h)); t6 = plus(t6, h);
  h = hi(a4, x); t6 = plus(t6, lo(a4, x, h)); t7 = plus(t7, h);
  d = digit(t2); t3 = plus(t3, carry(t2));
  h = hi(load(m, N + 0), d); t3 = plus(t3, lo(load(m, N + 0), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 16), d); t4 = plus(t4, lo(load(m, N + 16), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 32), d); t5 = plus(t5, lo(load(m, N + 32), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 48), d); t6 = plus(t6, lo(load(m, N + 48), d, h)); t7 = plus(t7, h);
  h = hi(load(m, N + 64), d); t7 = plus(t7, lo(load(m, N + 64), d, h)); t8 = plus(t8, h);

  x = load(b, 48);
  h = hi(a0, x); t3 = plus(t3, lo(a0, x, h)); t4 = plus(t4, h);
  h = hi(a1, x); t4 = plus(t4, lo(a1, x, h)); t5 = plus(t5, h);
  h = hi(a2, x); t5 = plus(t5, lo(a2, x, h)); t6 = plus(t6, h);
  h = hi(a3, x); t6 = plus(t6, lo(a3, x, h)); t7 = plus(t7, h);
  h = hi(a4, x); t7 = plus(t7, lo(a4, x, h)); t8 = plus(t8, h);
  d = digit(t3); t4 = plus(t4, carry(t3));
  h = hi(load(m, N + 0), d); t4 = plus(t4, lo(load(m, N + 0), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 16), d); t5 = plus(t5, lo(load(m, N + 16), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 32), d); t6 = plus(t6, lo(load(m, N + 32), d, h)); t7 = plus(t7, h);
  h = hi(load(m, N + 48), d); t7 = plus(t7, lo(load(m, N + 48), d, h)); t8 = plus(t8, h);
  h = hi(load(m, N + 64), d); t8 = plus(t8, lo(load(m, N + 64), d, h)); t9 = plus(t9, h);

  x = load(b, 64);
  h = hi(a0, x); t4 = plus(t4, lo(a0, x, h)); t5 = plus(t5, h);
  h = hi(a1, x); t5 = plus(t5, lo(a1, x, h)); t6 = plus(t6, h);
  h = hi(a2, x); t6 = plus(t6, lo(a2, x, h)); t7 = plus(t7, h);
  h = hi(a3, x); t7 = plus(t7, lo(a3, x, h)); t8 = plus(t8, h);
  h = hi(a4, x); t8 = plus(t8, lo(a4, x, h)); t9 = plus(t9, h);
  d = digit(t4); h = hi(d, load(m, QI)); d = lo0(d, load(m, QI), h);
  h = hi(load(m, P + 0), d); t4 = plus(t4, lo(load(m, P + 0), d, h)); t5 = plus(t5, h);
  h = hi(load(m, P + 16), d); t5 = plus(t5, lo(load(m, P + 16), d, h)); t6 = plus(t6, h);
  h = hi(load(m, P + 32), d); t6 = plus(t6, lo(load(m, P + 32), d, h)); t7 = plus(t7, h);
  h = hi(load(m, P + 48), d); t7 = plus(t7, lo(load(m, P + 48), d, h)); t8 = plus(t8, h);
  h = hi(load(m, P + 64), d); t8 = plus(t8, lo(load(m, P + 64), d, h)); t9 = plus(t9, h);
  t5 = plus(t5, carry(t4));

  store(r, digit(t5), 0); t6 = plus(t6, carry(t5));
  store(r, digit(t6), 16); t7 = plus(t7, carry(t6));
  store(r, digit(t7), 32); t8 = plus(t8, carry(t7));
  store(r, digit(t8), 48); t9 = plus(t9, carry(t8));
  store(r, f64x2.sub(t9, load(SHARED, C3)), 64);
}

/** r = a * a / 2^255 mod p, with 15 products instead of 25. Limbs: |a_i| < 2^50.5; value: |A| < 2.2 p. */
export function sqr(m: usize, a: usize, r: usize): void {
  const a0 = load(a, 0); const a1 = load(a, 16); const a2 = load(a, 32); const a3 = load(a, 48); const a4 = load(a, 64);
  const e0 = f64x2.add(a0, a0); const e1 = f64x2.add(a1, a1); const e2 = f64x2.add(a2, a2); const e3 = f64x2.add(a3, a3);
  let t0 = load(SQUARE, 0); let t1 = load(SQUARE, 16); let t2 = load(SQUARE, 32); let t3 = load(SQUARE, 48); let t4 =
  load(SQUARE, 64); let t5 = load(SQUARE, 80); let t6 = load(SQUARE, 96); let t7 = load(SQUARE, 112); let t8 =
  load(SQUARE, 128); let t9 = load(SQUARE, 144);
  let h: v128, d: v128;

  h = hi(a0, a0); t0 = plus(t0, lo(a0, a0, h)); t1 = plus(t1, h);
  h = hi(e0, a1); t1 = plus(t1, lo(e0, a1, h)); t2 = plus(t2, h);
  h = hi(e0, a2); t2 = plus(t2, lo(e0, a2, h)); t3 = plus(t3, h);
  h = hi(e0, a3); t3 = plus(t3, lo(e0, a3, h)); t4 = plus(t4, h);
  h = hi(e0, a4); t4 = plus(t4, lo(e0, a4, h)); t5 = plus(t5, h);
  h = hi(a1, a1); t2 = plus(t2, lo(a1, a1, h)); t3 = plus(t3, h);
  h = hi(e1, a2); t3 = plus(t3, lo(e1, a2, h)); t4 = plus(t4, h);
  h = hi(e1, a3); t4 = plus(t4, lo(e1, a3, h)); t5 = plus(t5, h);
  h = hi(e1, a4); t5 = plus(t5, lo(e1, a4, h)); t6 = plus(t6, h);
  h = hi(a2, a2); t4 = plus(t4, lo(a2, a2, h)); t5 = plus(t5, h);
  h = hi(e2, a3); t5 = plus(t5, lo(e2, a3, h)); t6 = plus(t6, h);
  h = hi(e2, a4); t6 = plus(t6, lo(e2, a4, h)); t7 = plus(t7, h);
  h = hi(a3, a3); t6 = plus(t6, lo(a3, a3, h)); t7 = plus(t7, h);
  h = hi(e3, a4); t7 = plus(t7, lo(e3, a4, h)); t8 = plus(t8, h);
  h = hi(a4, a4); t8 = plus(t8, lo(a4, a4, h)); t9 = plus(t9, h);

  d = digit(t0); t1 = plus(t1, carry(t0));
  h = hi(load(m, N + 0), d); t1 = plus(t1, lo(load(m, N + 0), d, h)); t2 = plus(t2, h);
  h = hi(load(m, N + 16), d); t2 = plus(t2, lo(load(m, N + 16), d, h)); t3 = plus(t3, h);
  h = hi(load(m, N + 32), d); t3 = plus(t3, lo(load(m, N + 32), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 48), d); t4 = plus(t4, lo(load(m, N + 48), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 64), d); t5 = plus(t5, lo(load(m, N + 64), d, h)); t6 = plus(t6, h);

  d = digit(t1); t2 = plus(t2, carry(t1));
  h = hi(load(m, N + 0), d); t2 = plus(t2, lo(load(m, N + 0), d, h)); t3 = plus(t3, h);
  h = hi(load(m, N + 16), d); t3 = plus(t3, lo(load(m, N + 16), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 32), d); t4 = plus(t4, lo(load(m, N + 32), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 48), d); t5 = plus(t5, lo(load(m, N + 48), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 64), d); t6 = plus(t6, lo(load(m, N + 64), d, h)); t7 = plus(t7, h);

  d = digit(t2); t3 = plus(t3, carry(t2));
  h = hi(load(m, N + 0), d); t3 = plus(t3, lo(load(m, N + 0), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 16), d); t4 = plus(t4, lo(load(m, N + 16), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 32), d); t5 = plus(t5, lo(load(m, N + 32), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 48), d); t6 = plus(t6, lo(load(m, N + 48), d, h)); t7 = plus(t7, h);
  h = hi(load(m, N + 64), d); t7 = plus(t7, lo(load(m, N + 64), d, h)); t8 = plus(t8, h);

  d = digit(t3); t4 = plus(t4, carry(t3));
  h = hi(load(m, N + 0), d); t4 = plus(t4, lo(load(m, N + 0), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 16), d); t5 = plus(t5, lo(load(m, N + 16), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 32), d); t6 = plus(t6, lo(load(m, N + 32), d, h)); t7 = plus(t7, h);
  h = hi(load(m, N + 48), d); t7 = plus(t7, lo(load(m, N + 48), d, h)); t8 = plus(t8, h);
  h = hi(load(m, N + 64), d); t8 = plus(t8, lo(load(m, N + 64), d, h)); t9 = plus(t9, h);

  d = digit(t4); h = hi(d, load(m, QI)); d = lo0(d, load(m, QI), h);
  h = hi(load(m, P + 0), d); t4 = plus(t4, lo(load(m, P + 0), d, h)); t5 = plus(t5, h);
  h = hi(load(m, P + 16), d); t5 = plus(t5, lo(load(m, P + 16), d, h)); t6 = plus(t6, h);
  h = hi(load(m, P + 32), d); t6 = plus(t6, lo(load(m, P + 32), d, h)); t7 = plus(t7, h);
  h = hi(load(m, P + 48), d); t7 = plus(t7, lo(load(m, P + 48), d, h)); t8 = plus(t8, h);
  h = hi(load(m, P + 64), d); t8 = plus(t8, lo(load(m, P + 64), d, h)); t9 = plus(t9, h);
  t5 = plus(t5, carry(t4));

  store(r, digit(t5), 0); t6 = plus(t6, carry(t5));
  store(r, digit(t6), 16); t7 = plus(t7, carry(t6));
  store(r, digit(t7), 32); t8 = plus(t8, carry(t7));
  store(r, digit(t8), 48); t9 = plus(t9, carry(t8));
  store(r, f64x2.sub(t9, load(SHARED, C3)), 64);
}

/** r = (a * b + c * d) / 2^255 mod p, with one reduction for both. Limbs as for mul; values: |A| |B| + |C| |D| < 5 p^2. */
export function mulAdd(m: usize, a: usize, b: usize, c: usize, e: usize, r: usize): void {
  const a0 = load(a, 0); const a1 = load(a, 16); const a2 = load(a, 32); const a3 = load(a, 48); const a4 = load(a, 64);
  const c0 = load(c, 0); const c1 = load(c, 16); const c2 = load(c, 32); const c3 = load(c, 48); const c4 = load(c, 64);
  let t0 = load(TWO_PRODUCTS, 0); let t1 = load(TWO_PRODUCTS, 16); let t2 = load(TWO_PRODUCTS, 32); let t3 =
  load(TWO_PRODUCTS, 48); let t4 = load(TWO_PRODUCTS, 64); let t5 = load(TWO_PRODUCTS, 80); let t6 = load(TWO_PRODUCTS,
  96); let t7 = load(TWO_PRODUCTS, 112); let t8 = load(TWO_PRODUCTS, 128); let t9 = load(TWO_PRODUCTS, 144);
  let h: v128, d: v128, x: v128;

  x = load(b, 0);
  h = hi(a0, x); t0 = plus(t0, lo(a0, x, h)); t1 = plus(t1, h);
  h = hi(a1, x); t1 = plus(t1, lo(a1, x, h)); t2 = plus(t2, h);
  h = hi(a2, x); t2 = plus(t2, lo(a2, x, h)); t3 = plus(t3, h);
  h = hi(a3, x); t3 = plus(t3, lo(a3, x, h)); t4 = plus(t4, h);
  h = hi(a4, x); t4 = plus(t4, lo(a4, x, h)); t5 = plus(t5, h);
  x = load(e, 0);
  h = hi(c0, x); t0 = plus(t0, lo(c0, x, h)); t1 = plus(t1, h);
  h = hi(c1, x); t1 = plus(t1, lo(c1, x, h)); t2 = plus(t2, h);
  h = hi(c2, x); t2 = plus(t2, lo(c2, x, h)); t3 = plus(t3, h);
  h = hi(c3, x); t3 = plus(t3, lo(c3, x, h)); t4 = plus(t4, h);
  h = hi(c4, x); t4 = plus(t4, lo(c4, x, h)); t5 = plus(t5, h);
  d = digit(t0); t1 = plus(t1, carry(t0));
  h = hi(load(m, N + 0), d); t1 = plus(t1, lo(load(m, N + 0), d, h)); t2 = plus(t2, h);
  h = hi(load(m, N + 16), d); t2 = plus(t2, lo(load(m, N + 16), d, h)); t3 = plus(t3, h);
  h = hi(load(m, N + 32), d); t3 = plus(t3, lo(load(m, N + 32), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 48), d); t4 = plus(t4, lo(load(m, N + 48), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 64), d); t5 = plus(t5, lo(load(m, N + 64), d, h)); t6 = plus(t6, h);

  x = load(b, 16);
  h = hi(a0, x); t1 = plus(t1, lo(a0, x, h)); t2 = plus(t2, h);
  h = hi(a1, x); t2 = plus(t2, lo(a1, x, h)); t3 = plus(t3, h);
  h = hi(a2, x); t3 = plus(t3, lo(a2, x, h)); t4 = plus(t4, h);
  h = hi(a3, x); t4 = plus(t4, lo(a3, x, h)); t5 = plus(t5, h);
  h = hi(a4, x); t5 = plus(t5, lo(a4, x, h)); t6 = plus(t6, h);
  x = load(e, 16);
  h = hi(c0, x); t1 = plus(t1, lo(c0, x, h)); t2 = plus(t2, h);
  h = hi(c1, x); t2 = plus(t2, lo(c1, x, h)); t3 = plus(t3, h);
  h = hi(c2, x); t3 = plus(t3, lo(c2, x, h)); t4 = plus(t4, h);
  h = hi(c3, x); t4 = plus(t4, lo(c3, x, h)); t5 = plus(t5, h);
  h = hi(c4, x); t5 = plus(t5, lo(c4, x, h)); t6 = plus(t6, h);
  d = digit(t1); t2 = plus(t2, carry(t1));
  h = hi(load(m, N + 0), d); t2 = plus(t2, lo(load(m, N + 0), d, h)); t3 = plus(t3, h);
  h = hi(load(m, N + 16), d); t3 = plus(t3, lo(load(m, N + 16), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 32), d); t4 = plus(t4, lo(load(m, N + 32), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 48), d); t5 = plus(t5, lo(load(m, N + 48), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 64), d); t6 = plus(t6, lo(load(m, N + 64), d, h)); t7 = plus(t7, h);

  x = load(b, 32);
  h = hi(a0, x); t2 = plus(t2, lo(a0, x, h)); t3 = plus(t3, h);
  h = hi(a1, x); t3 = plus(t3, lo(a1, x, h)); t4 = plus(t4, h);
  h = hi(a2, x); t4 = plus(t4, lo(a2, x, h)); t5 = plus(t5, h);
  h = hi(a3, x); t5 = plus(t5, lo(a3, x, h)); t6 = plus(t6, h);
  h = hi(a4, x); t6 = plus(t6, lo(a4, x, h)); t7 = plus(t7, h);
  x = load(e, 32);
  h = hi(c0, x); t2 = plus(t2, lo(c0, x, h)); t3 = plus(t3, h);
  h = hi(c1, x); t3 = plus(t3, lo(c1, x, h)); t4 = plus(t4, h);
  h = hi(c2, x); t4 = plus(t4, lo(c2, x, h)); t5 = plus(t5, h);
  h = hi(c3, x); t5 = plus(t5, lo(c3, x, h)); t6 = plus(t6, h);
  h = hi(c4, x); t6 = plus(t6, lo(c4, x, h)); t7 = plus(t7, h);
  d = digit(t2); t3 = plus(t3, carry(t2));
  h = hi(load(m, N + 0), d); t3 = plus(t3, lo(load(m, N + 0), d, h)); t4 = plus(t4, h);
  h = hi(load(m, N + 16), d); t4 = plus(t4, lo(load(m, N + 16), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 32), d); t5 = plus(t5, lo(load(m, N + 32), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 48), d); t6 = plus(t6, lo(load(m, N + 48), d, h)); t7 = plus(t7, h);
  h = hi(load(m, N + 64), d); t7 = plus(t7, lo(load(m, N + 64), d, h)); t8 = plus(t8, h);

  x = load(b, 48);
  h = hi(a0, x); t3 = plus(t3, lo(a0, x, h)); t4 = plus(t4, h);
  h = hi(a1, x); t4 = plus(t4, lo(a1, x, h)); t5 = plus(t5, h);
  h = hi(a2, x); t5 = plus(t5, lo(a2, x, h)); t6 = plus(t6, h);
  h = hi(a3, x); t6 = plus(t6, lo(a3, x, h)); t7 = plus(t7, h);
  h = hi(a4, x); t7 = plus(t7, lo(a4, x, h)); t8 = plus(t8, h);
  x = load(e, 48);
  h = hi(c0, x); t3 = plus(t3, lo(c0, x, h)); t4 = plus(t4, h);
  h = hi(c1, x); t4 = plus(t4, lo(c1, x, h)); t5 = plus(t5, h);
  h = hi(c2, x); t5 = plus(t5, lo(c2, x, h)); t6 = plus(t6, h);
  h = hi(c3, x); t6 = plus(t6, lo(c3, x, h)); t7 = plus(t7, h);
  h = hi(c4, x); t7 = plus(t7, lo(c4, x, h)); t8 = plus(t8, h);
  d = digit(t3); t4 = plus(t4, carry(t3));
  h = hi(load(m, N + 0), d); t4 = plus(t4, lo(load(m, N + 0), d, h)); t5 = plus(t5, h);
  h = hi(load(m, N + 16), d); t5 = plus(t5, lo(load(m, N + 16), d, h)); t6 = plus(t6, h);
  h = hi(load(m, N + 32), d); t6 = plus(t6, lo(load(m, N + 32), d, h)); t7 = plus(t7, h);
  h = hi(load(m, N + 48), d); t7 = plus(t7, lo(load(m, N + 48), d, h)); t8 = plus(t8, h);
  h = hi(load(m, N + 64), d); t8 = plus(t8, lo(load(m, N + 64), d, h)); t9 = plus(t9, h);

  x = load(b, 64);
  h = hi(a0, x); t4 = plus(t4, lo(a0, x, h)); t5 = plus(t5, h);
  h = hi(a1, x); t5 = plus(t5, lo(a1, x, h)); t6 = plus(t6, h);
  h = hi(a2, x); t6 = plus(t6, lo(a2, x, h)); t7 = plus(t7, h);
  h = hi(a3, x); t7 = plus(t7, lo(a3, x, h)); t8 = plus(t8, h);
  h = hi(a4, x); t8 = plus(t8, lo(a4, x, h)); t9 = plus(t9, h);
  x = load(e, 64);
  h = hi(c0, x); t4 = plus(t4, lo(c0, x, h)); t5 = plus(t5, h);
  h = hi(c1, x); t5 = plus(t5, lo(c1, x, h)); t6 = plus(t6, h);
  h = hi(c2, x); t6 = plus(t6, lo(c2, x, h)); t7 = plus(t7, h);
  h = hi(c3, x); t7 = plus(t7, lo(c3, x, h)); t8 = plus(t8, h);
  h = hi(c4, x); t8 = plus(t8, lo(c4, x, h)); t9 = plus(t9, h);
  d = digit(t4); h = hi(d, load(m, QI)); d = lo0(d, load(m, QI), h);
  h = hi(load(m, P + 0), d); t4 = plus(t4, lo(load(m, P + 0), d, h)); t5 = plus(t5, h);
  h = hi(load(m, P + 16), d); t5 = plus(t5, lo(load(m, P + 16), d, h)); t6 = plus(t6, h);
  h = hi(load(m, P + 32), d); t6 = plus(t6, lo(load(m, P + 32), d, h)); t7 = plus(t7, h);
  h = hi(load(m, P + 48), d); t7 = plus(t7, lo(load(m, P + 48), d, h)); t8 = plus(t8, h);
  h = hi(load(m, P + 64), d); t8 = plus(t8, lo(load(m, P + 64), d, h)); t9 = plus(t9, h);
  t5 = plus(t5, carry(t4));

  store(r, digit(t5), 0); t6 = plus(t6, carry(t5));
  store(r, digit(t6), 16); t7 = plus(t7, carry(t6));
  store(r, digit(t7), 32); t8 = plus(t8, carry(t7));
  store(r, digit(t8), 48); t9 = plus(t9, carry(t8));
  store(r, f64x2.sub(t9, load(SHARED, C3)), 64);
}
