// Many multiples of one point, from tables; and many short combinations of points with mostly small coefficients. For making
// keys; see ../multiples.ts, which leads through the steps.

import { double, flush, flushDoublings, queue } from "./batch";
import { copyPoint, isInfinite, setInfinite, size } from "./layout";
import { centre, k0, k1, k2, k3, setSmall } from "./scalars";

/** to = 2^times * from. */
export function doublePoint<G>(from: usize, times: u32, to: usize): void {
  copyPoint<G>(from, to);
  for (let i: u32 = 0; i < times && !isInfinite(to); i++) {
    double<G>(to, to);
    flushDoublings<G>();
  }
}

/** The table's first entry is a point; the next ones become 2 to `count` times it. count is a power of two. */
export function buildTable<G>(table: usize, count: u32): void {
  for (let have: usize = 1; have < count; have *= 2) {
    const last = table + (have - 1) * size<G>();
    // The last of these is a doubling.
    for (let i: usize = 0; i < have; i++) queue<G>(table + i * size<G>(), last, table + (have + i) * size<G>());
    flush<G>();
  }
}

/** to[i] += (digit of values[i]) * table's point, for the window of `width` bits from `bit` on. */
export function addMultiples<G>(table: usize, values: usize, count: u32, bit: u32, width: u32, to: usize): void {
  const half: i32 = 1 << (width - 1);
  const mask = 2 * half - 1;
  const shift = bit & 7;
  let at = values + (bit >> 3);
  for (let i: u32 = 0; i < count; i++, at += 32, values += 32, to += size<G>()) {
    const digit = half - ((load<u32>(at) >> shift) & mask);
    if (digit == 0) continue;
    const sign = digit >> 31;
    const entry = (table + <usize>((digit ^ sign) - sign - 1) * size<G>()) | (((sign & 1) ^ (load<u8>(values, 31) >> 7)) & 1);
    if (isInfinite(to)) copyPoint<G>(entry, to);
    else queue<G>(to, entry, to);
  }
  flush<G>();
}

// Combinations: output i has the terms starts[i] to starts[i + 1], each with a point's number and a signed coefficient, WIDE
// standing for the next 32 bytes of `wide`. A coefficient is written with digits -1, 0, 1, no two next to each other
// other than 0 (the non-adjacent form: 3k and k differ in its digits, one place higher), so that a third of them count. Terms
// with a digit at bit b go to bucket b of output i; the buckets' sums then go through Horner's rule, all outputs at once.
const WIDE: i32 = i32.MIN_VALUE;
/** Digits +1, then digits -1, of the last coefficient. */
const digits: usize = memory.data(64, 16);

/** Writes `digits` and returns their number, which is 0 for 0. */
function recode(coefficient: i32, wide: usize): u32 {
  let negative: bool;
  if (coefficient == WIDE) negative = centre(wide);
  else {
    negative = coefficient < 0;
    setSmall(<u64>abs<i64>(coefficient));
  }
  const a0 = k0, a1 = k1, a2 = k2, a3 = k3;
  // 3k = 2k + k, below 2^255.
  const d0 = a0 << 1, d1 = (a1 << 1) | (a0 >> 63), d2 = (a2 << 1) | (a1 >> 63), d3 = (a3 << 1) | (a2 >> 63);
  const h0 = d0 + a0;
  let c = u64(h0 < a0);
  const h1 = d1 + a1 + c;
  c = ((d1 & a1) | ((d1 | a1) & ~h1)) >> 63;
  const h2 = d2 + a2 + c;
  c = ((d2 & a2) | ((d2 | a2) & ~h2)) >> 63;
  const h3 = d3 + a3 + c;
  const plus = negative ? digits + 32 : digits, minus = negative ? digits : digits + 32;
  // One place down.
  const p0 = h0 & ~a0, p1 = h1 & ~a1, p2 = h2 & ~a2, p3 = h3 & ~a3;
  store<u64>(plus, (p0 >> 1) | (p1 << 63));
  store<u64>(plus, (p1 >> 1) | (p2 << 63), 8);
  store<u64>(plus, (p2 >> 1) | (p3 << 63), 16);
  store<u64>(plus, p3 >> 1, 24);
  const m0 = a0 & ~h0, m1 = a1 & ~h1, m2 = a2 & ~h2, m3 = a3 & ~h3;
  store<u64>(minus, (m0 >> 1) | (m1 << 63));
  store<u64>(minus, (m1 >> 1) | (m2 << 63), 8);
  store<u64>(minus, (m2 >> 1) | (m3 << 63), 16);
  store<u64>(minus, m3 >> 1, 24);
  // The highest digit of |k| is +1.
  if (p3 >> 1) return 256 - <u32>clz(p3 >> 1);
  const q2 = (p2 >> 1) | (p3 << 63), q1 = (p1 >> 1) | (p2 << 63), q0 = (p0 >> 1) | (p1 << 63);
  if (q2) return 192 - <u32>clz(q2);
  if (q1) return 128 - <u32>clz(q1);
  return 64 - <u32>clz(q0);
}

/** lengths[i] (4 bytes) = buckets of output i; returns their sum. */
export function combinationLengths(starts: usize, coefficients: usize, wide: usize, count: u32, lengths: usize): u32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < count; i++, starts += 4, lengths += 4) {
    let length: u32 = 0;
    for (let t = load<u32>(starts); t < load<u32>(starts, 4); t++) {
      const coefficient = load<i32>(coefficients + 4 * <usize>t);
      length = max(length, recode(coefficient, wide));
      if (coefficient == WIDE) wide += 32;
    }
    store<u32>(lengths, length);
    total += length;
  }
  return total;
}

/**
 * What sumBuckets takes. With `sorted` zero: counts, from zeros; returns their sum. Otherwise, `places` being where each bucket
 * starts: sorted.
 */
export function combinationEntries(
  starts: usize, rows: usize, coefficients: usize, wide: usize, count: u32, lengths: usize, places: usize, sorted: usize,
): u32 {
  let total: u32 = 0;
  for (let i: u32 = 0; i < count; i++, starts += 4, lengths += 4) {
    for (let t = load<u32>(starts); t < load<u32>(starts, 4); t++) {
      const coefficient = load<i32>(coefficients + 4 * <usize>t);
      recode(coefficient, wide);
      if (coefficient == WIDE) wide += 32;
      for (let w: usize = 0; w < 8; w++) {
        const sign = <u32>(w >> 2);
        for (let word = load<u64>(digits + 8 * w); word; word &= word - 1, total++) {
          const place = places + 4 * (((w & 3) << 6) + <usize>ctz(word));
          const to = load<u32>(place);
          store<u32>(place, to + 1);
          if (sorted) store<u32>(sorted + 4 * <usize>to, (load<u32>(rows + 4 * <usize>t) << 1) | sign);
        }
      }
    }
    places += 4 * load<u32>(lengths);
  }
  return total;
}

/** Running totals: places[b] = the sum of counts before b. */
export function placesOf(counts: usize, buckets: u32, places: usize): void {
  let total: u32 = 0;
  for (let b: u32 = 0; b < buckets; b++, counts += 4, places += 4) {
    store<u32>(places, total);
    total += load<u32>(counts);
  }
}

/** to[i] = sum of 2^b sums[b of i]. */
export function hornerAll<G>(sums: usize, lengths: usize, count: u32, to: usize): void {
  let most: u32 = 0;
  for (let i: usize = 0; i < count; i++) {
    setInfinite(to + i * size<G>());
    most = max(most, load<u32>(lengths + 4 * i));
  }
  for (let b: usize = most; b > 0; b--) {
    for (let i: usize = 0; i < count; i++) {
      const at = to + i * size<G>();
      if (<usize>load<u32>(lengths + 4 * i) > b && !isInfinite(at)) double<G>(at, at);
    }
    flushDoublings<G>();
    let sum = sums + (b - 1) * size<G>();
    for (let i: usize = 0; i < count; i++) {
      const length: usize = load<u32>(lengths + 4 * i);
      if (length >= b && !isInfinite(sum)) {
        const at = to + i * size<G>();
        if (isInfinite(at)) copyPoint<G>(sum, at);
        else queue<G>(at, sum, at);
      }
      sum += length * size<G>();
    }
    flush<G>();
  }
}
