// Sums of many points times scalars by the bucket method (Pippenger 1976; signed digits, as Bernstein, Doumen, Lange and
// Oosterwijk 2012, with affine additions in batches). The caller (../msm.ts) leads through the steps:
//
// 1. prepare: a scalar k above (r-1)/2 counts as -(r-k), so that small negative numbers are short too. What remains, C - |k|
//    with C = sum of 2^(c-1) 2^b over the windows (c bits from bit b on), has digits u from which the signed ones follow
//    window by window without carries: |k| = sum of (2^(c-1) - u) 2^b. Short scalars have zeros in the upper windows, and
//    sorting the scalars by falling length, these zeros are not even looked at.
// 2. sort: the numbers of a window's points by absolute digit, into 2^(c-1) buckets. Bucket 2^(c-1) has place 0.
// 3. sumBuckets: rounds of additions in pairs, in all buckets of some windows at a time.
// 4. fold: the sums X_i of a window's buckets are added to sum i X_i without the usual running sums, which would be one long
//    chain: T = the sum of the upper half belongs to bit c-2, the lower half plus the upper half is the same problem with
//    half the buckets. All T of all windows are summed at once. This takes two additions a bucket in c-2 batches.
//
// What is left is one point for each bit of the scalars; see horner.ts.

import { copyPoint, isInfinite, setInfinite, size } from "./layout";
import { flush, forgetBatch, queue } from "./batch";
import { forgetScalars, reaching } from "./scalars";

/** First additions in a turn of step 3: few enough for the processor's cache, enough for full batches. */
const SLOTS: usize = 1 << 13;

/**
 * Step 2, for the window of `width` bits (at most 16) from `bit` on. counts: for each of 2^(width-1) buckets, 4 bytes; sorted:
 * numbers as in `order`, bucket by bucket, with the digits' signs. Returns how many.
 */
export function sort(order: usize, values: usize, bit: u32, width: u32, counts: usize, sorted: usize): u32 {
  const half: i32 = 1 << (width - 1);
  const buckets = <usize>half;
  memory.fill(counts, 0, 4 * buckets);
  const n = <usize>reaching(bit);
  const from = values + (bit >> 3);
  countDigits(from, from + 32 * n, bit & 7, half, counts);
  let total: u32 = 0;
  for (let b: usize = 0; b < buckets; b++) {
    const count = load<u32>(counts + 4 * b);
    store<u32>(next + 4 * b, total);
    total += count;
  }
  scatter(order, from, from + 32 * n, bit & 7, half, sorted);
  return total;
}

const next: usize = memory.data(4 << 15, 16);

function countDigits(at: usize, end: usize, shift: u32, half: i32, counts: usize): void {
  const mask = 2 * half - 1;
  for (; at != end; at += 32) {
    const digit = half - ((load<u32>(at) >> shift) & mask);
    if (digit == 0) continue;
    const sign = digit >> 31;
    const place = counts + (<usize>(((digit ^ sign) - sign) & (half - 1)) << 2);
    store<u32>(place, load<u32>(place) + 1);
  }
}

function scatter(order: usize, at: usize, end: usize, shift: u32, half: i32, sorted: usize): void {
  const mask = 2 * half - 1;
  for (; at != end; at += 32, order += 4) {
    const digit = half - ((load<u32>(at) >> shift) & mask);
    if (digit == 0) continue;
    const sign = digit >> 31;
    const place = next + (<usize>(((digit ^ sign) - sign) & (half - 1)) << 2);
    const to = load<u32>(place);
    store<u32>(place, to + 1);
    store<u32>(sorted + 4 * <usize>to, load<u32>(order) ^ (sign & 1));
  }
}

/** Wipes what tells something of scalars. */
export function forget(): void {
  forgetScalars();
  memory.fill(next, 0, 4 << 15);
  memory.fill(work, 0, 12 * SLOTS + 8);
  memory.fill(segments, 0, 12 * SLOTS);
  touched = 0;
  forgetBatch();
}

// Step 3. Buckets are taken until their first additions fill SLOTS. Then a bucket is a segment of `work`, which holds pointers to points: given ones, or sums in slots.
const work: usize = memory.data(4 * (3 * (1 << 13) + 2), 16);
/** First pointer, number of pointers, where the sum goes. */
const segments: usize = memory.data(12 << 13, 16);
let segmentCount: usize = 0;
let workEnd: usize = 0;
let slotsWanted: usize = 0;
let slotsFrom: usize = 0;
let slotsEnd: usize = 0;

/** Bytes that sumBuckets needs at `slots`. */
export function slotBytes(): usize {
  return SLOTS * 160;
}

/** sums[b] = the sum of bucket b's points, for `buckets` buckets with `counts` of `sorted`. */
export function sumBuckets<G>(points: usize, sorted: usize, counts: usize, buckets: u32, sums: usize, slots: usize): void {
  slotsFrom = slots;
  clear();
  for (let b: u32 = 0; b < buckets; b++, sums += size<G>(), counts += 4) {
    let count: usize = load<u32>(counts);
    if (count == 0) setInfinite(sums);
    else if (count == 1) {
      copyPoint<G>(pointer<G>(points, sorted), sums);
      sorted += 4;
    } else {
      if (slotsWanted + (count >> 1) > SLOTS) sumSegments<G>();
      // A bucket too large is summed in pieces: what there is already is one of the next piece's points.
      let before: usize = 0;
      while (true) {
        const n = min(count, 2 * SLOTS - before);
        const segment = segments + 12 * segmentCount++;
        store<usize>(segment, workEnd);
        store<usize>(segment, before + n, 4);
        store<usize>(segment, sums, 8);
        slotsWanted += (before + n) >> 1;
        if (before) push(sums);
        for (const end = sorted + 4 * n; sorted != end; sorted += 4) push(pointer<G>(points, sorted));
        count -= n;
        if (count == 0) break;
        sumSegments<G>();
        before = 1;
      }
    }
  }
  sumSegments<G>();
}

// @ts-ignore: decorator
@inline function pointer<G>(points: usize, entry: usize): usize {
  const e = load<u32>(entry);
  return (points + <usize>(e >> 1) * size<G>()) | (e & 1);
}

// @ts-ignore: decorator
@inline function push(point: usize): void {
  store<usize>(workEnd, point);
  workEnd += 4;
}

function clear(): void {
  segmentCount = 0;
  workEnd = work;
  slotsWanted = 0;
  slotsEnd = slotsFrom;
}

function sumSegments<G>(): void {
  while (segmentCount) {
    segmentCount = addPairs<G>(segmentCount);
    flush<G>();
  }
  clear();
}

/** One round: halves each segment. Returns how many are left; the others' sums are on their way. */
function addPairs<G>(count: usize): usize {
  let kept = segments;
  const end = segments + 12 * count;
  for (let segment = segments; segment != end; segment += 12) {
    const start = load<usize>(segment), n = load<usize>(segment, 4), to = load<usize>(segment, 8);
    if (n == 2) {
      const a = load<usize>(start), b = load<usize>(start, 4);
      touch<G>(a, b);
      if (isInfinite(a & ~1)) copyPoint<G>(b, to);
      else if (isInfinite(b & ~1)) copyPoint<G>(a, to);
      else queue<G>(a, b, to);
      continue;
    }
    let out = start;
    let at = start;
    for (const last = start + 4 * (n & ~1); at != last; at += 8, out += 4) {
      store<usize>(out, sum<G>(load<usize>(at), load<usize>(at, 4)));
    }
    if (n & 1) store<usize>(out, load<usize>(at));
    store<usize>(kept, start);
    store<usize>(kept, (n + 1) >> 1, 4);
    store<usize>(kept, to, 8);
    kept += 12;
  }
  return (kept - segments) / 12;
}

// A point lies in two cache lines. Reading the second one here, as isInfinite() does the first, has the processor fetch those
// of many points at a time, before flush() needs them one after the other: a tenth of the time for large sums.
let touched: u64 = 0;
// @ts-ignore: decorator
@inline function touch<G>(a: usize, b: usize): void {
  touched ^= load<u64>((a & ~1) + size<G>() - 8) ^ load<u64>((b & ~1) + size<G>() - 8);
}

/** Where a + b will be: in the slot of one of them, if it is in one. */
// @ts-ignore: decorator
@inline function sum<G>(a: usize, b: usize): usize {
  touch<G>(a, b);
  if (isInfinite(a & ~1)) return b;
  if (isInfinite(b & ~1)) return a;
  let to: usize;
  if (a - slotsFrom < SLOTS * 160) to = a & ~1;
  else if (b - slotsFrom < SLOTS * 160) to = b & ~1;
  else {
    to = slotsEnd;
    slotsEnd += size<G>();
  }
  queue<G>(a, b, to);
  return to;
}

/** Step 4, in place: of each window, with 2^(width-1) sums and its width in `widths`, X[2^j] becomes bit j's point, X[0] the top one's. */
export function fold<G>(sums: usize, widths: usize, windows: u32): void {
  let widest: u32 = 0;
  for (let w: u32 = 0; w < windows; w++) widest = max(widest, load<u32>(widths + 4 * w));
  for (let round: u32 = 0; round + 2 < widest; round++) {
    let x = sums;
    for (let w: u32 = 0; w < windows; w++) {
      const width = load<u32>(widths + 4 * w);
      if (round + 2 < width) foldOnce<G>(x, 1 << (width - 1), round);
      x += size<G>() << (width - 1);
    }
    flush<G>();
  }
}

/** The lower half takes in the upper; the upper halves of this and earlier rounds are summed, each a step on. */
function foldOnce<G>(x: usize, buckets: usize, round: u32): void {
  const half = buckets >> (round + 1);
  for (let i: usize = 1; i < half; i++) into<G>(x + i * size<G>(), x + (half + i) * size<G>());
  for (let r: u32 = 0; r <= round; r++) {
    const upper = buckets >> (r + 1);
    // Of `upper` sums from there on, upper >> (round - r) are left.
    const left = upper >> (round - r + 1);
    for (let i: usize = 0; i < left; i++) into<G>(x + (upper + i) * size<G>(), x + (upper + left + i) * size<G>());
  }
}

/** a += b. A copy at once does no harm: as a is infinite, no addition that waits reads or writes it. */
// @ts-ignore: decorator
@inline function into<G>(a: usize, b: usize): void {
  if (isInfinite(b)) return;
  if (isInfinite(a)) copyPoint<G>(b, a);
  else queue<G>(a, b, a);
}

/** The points that fold leaves, from bit 0 of the first window on. */
export function gather<G>(sums: usize, widths: usize, windows: u32, points: usize): void {
  for (let w: u32 = 0; w < windows; w++) {
    const width = load<u32>(widths + 4 * w);
    for (let j: u32 = 0; j < width; j++, points += size<G>()) {
      copyPoint<G>(j + 1 < width ? sums + (size<G>() << j) : sums, points);
    }
    sums += size<G>() << (width - 1);
  }
}
