// Scalars: 256-bit little-endian numbers below r, in memory and, one at a time, in four globals. What is said in msm.ts of
// their signs, lengths and order.

const R0: u64 = 0x43e1f593f0000001;
const R1: u64 = 0x2833e84879b97091;
const R2: u64 = 0xb85045b68181585d;
const R3: u64 = 0x30644e72e131a029;
const HALF0: u64 = 0xa1f0fac9f8000000;
const HALF1: u64 = 0x9419f4243cdcb848;
const HALF2: u64 = 0xdc2822db40c0ac2e;
const HALF3: u64 = 0x183227397098d014;

// |k| of the last scalar that was centred.
export let k0: u64 = 0;
export let k1: u64 = 0;
export let k2: u64 = 0;
export let k3: u64 = 0;

// @ts-ignore: decorator
@inline function above(a3: u64, a2: u64, a1: u64, a0: u64, b3: u64, b2: u64, b1: u64, b0: u64): bool {
  if (a3 != b3) return a3 > b3;
  if (a2 != b2) return a2 > b2;
  if (a1 != b1) return a1 > b1;
  return a0 > b0;
}

/** k0 to k3 = |k|; returns whether k counts as negative. */
// @ts-ignore: decorator
@inline export function centre(scalar: usize): bool {
  const s0 = load<u64>(scalar), s1 = load<u64>(scalar, 8), s2 = load<u64>(scalar, 16), s3 = load<u64>(scalar, 24);
  if (!above(s3, s2, s1, s0, HALF3, HALF2, HALF1, HALF0)) {
    k0 = s0; k1 = s1; k2 = s2; k3 = s3;
    return false;
  }
  subtract(R0, R1, R2, R3, s0, s1, s2, s3);
  return true;
}

// @ts-ignore: decorator
@inline export function subtract(a0: u64, a1: u64, a2: u64, a3: u64, b0: u64, b1: u64, b2: u64, b3: u64): void {
  k0 = a0 - b0;
  let borrow: u64 = u64(a0 < b0);
  k1 = a1 - b1 - borrow;
  borrow = u64(a1 < b1) | (u64(a1 == b1) & borrow);
  k2 = a2 - b2 - borrow;
  borrow = u64(a2 < b2) | (u64(a2 == b2) & borrow);
  k3 = a3 - b3 - borrow;
}

// @ts-ignore: decorator
@inline function bits(): u32 {
  if (k3) return 256 - <u32>clz(k3);
  if (k2) return 192 - <u32>clz(k2);
  if (k1) return 128 - <u32>clz(k1);
  return 64 - <u32>clz(k0);
}

/** Adds to counts[b], 257 of 4 bytes, how many centred scalars have b bits. Returns how many are not below r. */
export function histogram(scalars: usize, count: u32, counts: usize): u32 {
  let wrong: u32 = 0;
  for (const end = scalars + 32 * <usize>count; scalars != end; scalars += 32) {
    const s3 = load<u64>(scalars, 24);
    if (s3 >= R3 && !above(R3, R2, R1, R0, s3, load<u64>(scalars, 16), load<u64>(scalars, 8), load<u64>(scalars))) wrong++;
    centre(scalars);
    const at = counts + 4 * <usize>bits();
    store<u32>(at, load<u32>(at) + 1);
  }
  return wrong;
}

/** For each length, first how many scalars have it, then where the next one goes. */
const places: usize = memory.data(257 * 4, 4);

const reach: usize = memory.data(258 * 4, 4);

/** How many of the prepared scalars have `bit` bits or more. Only these can have a digit other than 0 from `bit` on. */
export function reaching(bit: u32): u32 {
  return load<u32>(reach + 4 * <usize>max(bit, 1));
}

/**
 * Step 1, for points whose scalars have the numbers `indices`. order: 4 bytes a point, its number times 2 plus the scalar's sign;
 * values: 32 bytes a point and 8 more.
 */
export function prepare(indices: usize, count: u32, scalars: usize, constant: usize, order: usize, values: usize): void {
  memory.fill(places, 0, 257 * 4);
  for (let i: u32 = 0; i < count; i++) {
    centre(scalars + 32 * <usize>load<u32>(indices + 4 * <usize>i));
    const at = places + 4 * <usize>bits();
    store<u32>(at, load<u32>(at) + 1);
  }
  let total: u32 = 0;
  for (let b: i32 = 256; b > 0; b--) {
    const n = load<u32>(places + 4 * <usize>b);
    store<u32>(places + 4 * <usize>b, total);
    total += n;
    store<u32>(reach + 4 * <usize>b, total);
  }
  const c0 = load<u64>(constant), c1 = load<u64>(constant, 8), c2 = load<u64>(constant, 16), c3 = load<u64>(constant, 24);
  for (let i: u32 = 0; i < count; i++) {
    const negative = centre(scalars + 32 * <usize>load<u32>(indices + 4 * <usize>i));
    const b = bits();
    if (b == 0) continue;
    const place = <usize>load<u32>(places + 4 * <usize>b);
    store<u32>(places + 4 * <usize>b, place + 1);
    store<u32>(order + 4 * place, (i << 1) | u32(negative));
    subtract(c0, c1, c2, c3, k0, k1, k2, k3);
    const at = values + 32 * place;
    store<u64>(at, k0);
    store<u64>(at, k1, 8);
    store<u64>(at, k2, 16);
    store<u64>(at, k3, 24);
  }
}

/** For each scalar 32 bytes, and 4 more at the end: C - |k| as in msm.ts, with k's sign as the highest bit. */
export function offsets(scalars: usize, count: u32, constant: usize, values: usize): void {
  const c0 = load<u64>(constant), c1 = load<u64>(constant, 8), c2 = load<u64>(constant, 16), c3 = load<u64>(constant, 24);
  for (const end = scalars + 32 * <usize>count; scalars != end; scalars += 32, values += 32) {
    const negative = centre(scalars);
    subtract(c0, c1, c2, c3, k0, k1, k2, k3);
    store<u64>(values, k0);
    store<u64>(values, k1, 8);
    store<u64>(values, k2, 16);
    store<u64>(values, k3 | (u64(negative) << 63), 24);
  }
}

/** As if k were this number. */
// @ts-ignore: decorator
@inline export function setSmall(value: u64): void {
  k0 = value; k1 = 0; k2 = 0; k3 = 0;
}

export function forgetScalars(): void {
  setSmall(0);
  memory.fill(places, 0, 257 * 4);
  memory.fill(reach, 0, 257 * 4);
}
