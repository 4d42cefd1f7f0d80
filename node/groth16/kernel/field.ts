// The two prime fields of BN254, two elements at a time: constants, sums, reduction, inverse, and the way in and out.
//
// An element x is held in Montgomery form, x * 2^255 mod p, as five signed limbs of 51 bits: value = sum of l_i * 2^(51i),
// each limb a 64-bit float with an integer value. A pair of elements is five 128-bit vectors, 80 bytes, one element in each
// lane; all pointers below are to such pairs, aligned to 16 bytes. Sums are taken limb by limb without carries, and values
// may be negative: a sum of k reduced elements has limbs below k * 2^50 and a value below k * p (see the bounds of mul).
// Reduced means: limbs in [-2^50, 2^50], |value| < 1.01 p, as mul, sqr and mulAdd leave it; reduce() leaves |value| < 0.51 p.

import { C1, DOWN, P, SHARED, mul, sqr } from "./product";

// Tables of constants of a modulus, each limb twice, for both lanes. A test derives every number.
/** The base field: coordinates of points. p = q of Ethereum's precompiles. */
export const FP: usize = memory.data<f64>(
  [
    // N = 2^-51 mod p
    324664056633514, 324664056633514, 96566577995231, 96566577995231, 1117491690367775, 1117491690367775,
    134030102137171, 134030102137171, 215951800464420, 215951800464420,
    // p
    154029749239111, 154029749239111, 612489067865988, 612489067865988, -557033797581398, -557033797581398,
    22935798733633, 22935798733633, 851317936231194, 851317936231194,
    // -1/p mod 2^51
    571208714576777, 571208714576777,
    // 2^204/p
    1.1746492790073532e-15, 1.1746492790073532e-15,
    // 1: 2^255
    -462089247717333, -462089247717333, 414332610087284, 414332610087284, -580698420941055, -580698420941055,
    -68807396200898, -68807396200898, -302153995008334, -302153995008334,
    // from snarkjs' Montgomery form: 2^254
    -154029749239111, -154029749239111, -612489067865988, -612489067865988, 557033797581398, 557033797581398,
    -22935798733633, -22935798733633, 274581970611430, 274581970611430,
    // to snarkjs' Montgomery form: 2^256
    -770148746195555, -770148746195555, -810645525644692, -810645525644692, 533369174221741, 533369174221741,
    -114678993668164, -114678993668164, 247009946214526, 247009946214526,
    // from a plain number: 2^510
    952299660901876, 952299660901876, -815950531901062, -815950531901062, 1058659313215620, 1058659313215620,
    748904847808177, 748904847808177, 242939315007399, 242939315007399,
    // to a plain number: 1
    1, 1, 0, 0, 0, 0,
    0, 0, 0, 0,
  ],
  16,
);
/** The scalar field, of the group's order: circuits' values. */
export const FR: usize = memory.data<f64>(
  [
    // N = 2^-51 mod p
    102016710444964, 102016710444964, -477029361072262, -477029361072262, 624454531360320, 624454531360320,
    -269735390174723, -269735390174723, 208497190621298, 208497190621298,
    // p
    551490712240129, 551490712240129, 298204647270524, 298204647270524, -557033826758751, -557033826758751,
    22935798733633, 22935798733633, 851317936231194, 851317936231194,
    // -1/p mod 2^51
    551490712240127, 551490712240127,
    // 2^204/p
    1.1746492790073532e-15, 1.1746492790073532e-15,
    // 1: 2^255
    597327676964861, 597327676964861, -894613941811573, -894613941811573, -580698333408995, -580698333408995,
    -68807396200898, -68807396200898, -302153995008334, -302153995008334,
    // from snarkjs' Montgomery form: 2^254
    -551490712240129, -551490712240129, -298204647270524, -298204647270524, 557033826758751, 557033826758751,
    -22935798733633, -22935798733633, 274581970611430, 274581970611430,
    // to snarkjs' Montgomery form: 2^256
    -505653747515397, -505653747515397, 760776577332627, 760776577332627, 533369320108506, 533369320108506,
    -114678993668164, -114678993668164, 247009946214526, 247009946214526,
    // from a plain number: 2^510
    -361780538221718, -361780538221718, -49578177748227, -49578177748227, -777522719739357, -777522719739357,
    -956675725386117, -956675725386117, 222017539375616, 222017539375616,
    // to a plain number: 1
    1, 1, 0, 0, 0, 0,
    0, 0, 0, 0,
  ],
  16,
);
export const TOP: usize = 176;
/** Offsets, in bytes, of pairs that are constants: 1, and what to multiply by on the way in and out. */
export const ONE: usize = 192;
export const FROM_MONTGOMERY: usize = 272;
export const TO_MONTGOMERY: usize = 352;
export const FROM_PLAIN: usize = 432;
export const TO_PLAIN: usize = 512;

export const PAIR: usize = 80;
const LIMB_MASK: i64 = 0x7ffffffffffff;

export function add(a: usize, b: usize, r: usize): void {
  for (let o: usize = 0; o < PAIR; o += 16) v128.store(r + o, f64x2.add(v128.load(a + o), v128.load(b + o)));
}

export function sub(a: usize, b: usize, r: usize): void {
  for (let o: usize = 0; o < PAIR; o += 16) v128.store(r + o, f64x2.sub(v128.load(a + o), v128.load(b + o)));
}

export function neg(a: usize, r: usize): void {
  for (let o: usize = 0; o < PAIR; o += 16) v128.store(r + o, f64x2.neg(v128.load(a + o)));
}

export function copy(a: usize, r: usize): void {
  memory.copy(r, a, PAIR);
}

/**
 * In place: |value| < 0.51 p and limbs in [-2^50, 2^50]. Takes limbs up to 2^52 and values below 7 p.
 * k = round(top limb * 2^204 / p) is off by less than 0.01 from value / p, as the limbs below weigh less than 2^-46 of p.
 * k * p is subtracted limb by limb, exactly: |k| <= 7 and p's lower limbs are below 2^49.2, so the differences are below
 * 2^53. Carries are rounded to nearest by adding and subtracting C1: floats near C1 are multiples of 2^51.
 */
export function reduce(m: usize, r: usize): void {
  const k = f64x2.nearest(f64x2.mul(v128.load(r, 64), v128.load(m + TOP)));
  const round = v128.load(SHARED + C1);
  const down = v128.load(SHARED + DOWN);
  let x = f64x2.sub(v128.load(r), f64x2.mul(k, v128.load(m + P)));
  let c = f64x2.sub(f64x2.add(x, round), round);
  v128.store(r, f64x2.sub(x, c));
  x = f64x2.add(f64x2.sub(v128.load(r, 16), f64x2.mul(k, v128.load(m + P + 16))), f64x2.mul(c, down));
  c = f64x2.sub(f64x2.add(x, round), round);
  v128.store(r, f64x2.sub(x, c), 16);
  x = f64x2.add(f64x2.sub(v128.load(r, 32), f64x2.mul(k, v128.load(m + P + 32))), f64x2.mul(c, down));
  c = f64x2.sub(f64x2.add(x, round), round);
  v128.store(r, f64x2.sub(x, c), 32);
  x = f64x2.add(f64x2.sub(v128.load(r, 48), f64x2.mul(k, v128.load(m + P + 48))), f64x2.mul(c, down));
  c = f64x2.sub(f64x2.add(x, round), round);
  v128.store(r, f64x2.sub(x, c), 48);
  x = f64x2.add(f64x2.sub(v128.load(r, 64), f64x2.mul(k, v128.load(m + P + 64))), f64x2.mul(c, down));
  v128.store(r, x, 64);
}

const zeroScratch: usize = memory.data(80, 16);

/** Which lanes are zero mod p: bit 0 and bit 1. Takes what reduce() takes. A value below 0.51 p is zero only with all limbs. */
export function isZero(m: usize, a: usize): i32 {
  copy(a, zeroScratch);
  reduce(m, zeroScratch);
  let any = v128.load(zeroScratch);
  // Limbs are integers, so the sum of absolute values is zero only if each is.
  any = f64x2.abs(any);
  for (let o: usize = 16; o < PAIR; o += 16) any = f64x2.add(any, f64x2.abs(v128.load(zeroScratch + o)));
  return i64x2.bitmask(f64x2.eq(any, f64x2.splat(0)));
}

const inverseTable: usize = memory.data(16 * 80, 16);
const P_MINUS_2: usize = memory.data<u64>([0x3c208c16d87cfd45, 0x97816a916871ca8d, 0xb85045b68181585d, 0x30644e72e131a029], 16);
const R_MINUS_2: usize = memory.data<u64>([0x43e1f593efffffff, 0x2833e84879b97091, 0xb85045b68181585d, 0x30644e72e131a029], 16);

/** r = 1 / a by Fermat, in windows of four bits; 0 for 0. a is reduced. */
export function inverse(m: usize, a: usize, r: usize): void {
  const exponent = m === FP ? P_MINUS_2 : R_MINUS_2;
  copy(m + ONE, inverseTable);
  for (let i: usize = 1; i < 16; i++) mul(m, inverseTable + (i - 1) * PAIR, a, inverseTable + i * PAIR);
  // The top window is 3 for both moduli.
  copy(inverseTable + 3 * PAIR, r);
  for (let i: i32 = 62; i >= 0; i--) {
    for (let k = 0; k < 4; k++) sqr(m, r, r);
    const window = (load<u64>(exponent + ((i >> 4) << 3)) >> ((i & 15) << 2)) & 15;
    if (window) mul(m, r, inverseTable + <usize>window * PAIR, r);
  }
}

/** One 256-bit little-endian number to the five limbs of lane `lane` of r: limbs in [0, 2^51), the top one below 2^52. */
export function unpack(bytes: usize, r: usize, lane: usize): void {
  const w0 = load<u64>(bytes), w1 = load<u64>(bytes, 8), w2 = load<u64>(bytes, 16), w3 = load<u64>(bytes, 24);
  const at = r + lane * 8;
  store<f64>(at, <f64>(w0 & LIMB_MASK));
  store<f64>(at, <f64>(((w0 >> 51) | (w1 << 13)) & LIMB_MASK), 16);
  store<f64>(at, <f64>(((w1 >> 38) | (w2 << 26)) & LIMB_MASK), 32);
  store<f64>(at, <f64>(((w2 >> 25) | (w3 << 39)) & LIMB_MASK), 48);
  store<f64>(at, <f64>(w3 >> 12), 64);
}

/** The five limbs of lane `lane` of a, |value| < p, to the 256-bit little-endian number in [0, p). */
export function pack(m: usize, a: usize, lane: usize, bytes: usize): void {
  const at = a + lane * 8;
  let l0 = <i64>load<f64>(at), l1 = <i64>load<f64>(at, 16), l2 = <i64>load<f64>(at, 32);
  let l3 = <i64>load<f64>(at, 48), l4 = <i64>load<f64>(at, 64);
  l1 += l0 >> 51; l2 += l1 >> 51; l3 += l2 >> 51; l4 += l3 >> 51;
  l0 &= LIMB_MASK; l1 &= LIMB_MASK; l2 &= LIMB_MASK; l3 &= LIMB_MASK;
  if (l4 < 0) {
    l0 += <i64>load<f64>(m + P); l1 += <i64>load<f64>(m + P, 16); l2 += <i64>load<f64>(m + P, 32);
    l3 += <i64>load<f64>(m + P, 48); l4 += <i64>load<f64>(m + P, 64);
    l1 += l0 >> 51; l2 += l1 >> 51; l3 += l2 >> 51; l4 += l3 >> 51;
    l0 &= LIMB_MASK; l1 &= LIMB_MASK; l2 &= LIMB_MASK; l3 &= LIMB_MASK;
  }
  store<i64>(bytes, l0 | (l1 << 51));
  store<i64>(bytes, (l1 >> 13) | (l2 << 38), 8);
  store<i64>(bytes, (l2 >> 26) | (l3 << 25), 16);
  store<i64>(bytes, (l3 >> 39) | (l4 << 12), 24);
}
