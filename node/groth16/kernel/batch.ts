// Additions of affine points in batches: one inversion for many denominators (Montgomery's trick), two additions at a time.
// In G2 the denominators are replaced by their norms, which lie in Fp: 1/d = conjugate of d / norm of d.
//
// queue() notes an addition, flush() does what was noted. The order holds: an addition may write what it or an earlier one of
// the same batch reads, as results are stored in order, after the operands were read; it may not read what an earlier one
// writes. Equal and opposite points are exact: they make the product of all denominators zero, and then the batch is looked
// through one by one, with doublings among the additions (denominator 2y, numerator 3x^2) and 1 as the denominator for
// opposite points, whose sum is then marked infinite. Infinite operands must not get into a batch.

import { FP, ONE, PAIR, copy, isZero } from "./field";
import { mulConjugate2, norm2 } from "./fp2";
import { inversePair } from "./inverse";
import { mul } from "./product";
import { minus, plus, settle, settleMinus, settleMinusTwo, square, times, zeros } from "./curve";
import { loadDifferenceOfX, loadSumOfX, loadX, loadY, setInfinite, size, storePoints } from "./layout";

/** Additions in a batch, at most: an inversion costs as much as some 20. A multiple of 4. */
const BATCH: u32 = 2048;
// An addition: pointers to a and b, with signs, and to where the sum goes; 16 bytes.
const additions: usize = memory.data((2048 + 3) * 16, 16);
// A place in these for each two additions, 2i and 2i + 1, which are lanes 0 and 1: x2 - x1, in G2 its norm, and the products
// of these for i, i + 2, i + 4 and so on, that is of two chains, with 1 at their ends. Steps of the two chains take turns:
// one product does not wait for the other, which saves a quarter of its time.
const denominators: usize = memory.data(1024 * 160, 16);
const normsOf2: usize = memory.data(1024 * 80, 16);
const products: usize = memory.data(1026 * 80, 16);
const kinds: usize = memory.data(2048);
const ADDED: u8 = 0;
const DOUBLED: u8 = 1;
const OPPOSITE: u8 = 2;
/** Of a batch: each as in `kinds`. */
const MIXED: u8 = 3;

let waiting: u32 = 0;

// @ts-ignore: decorator
@inline function norms<G>(): usize { return sizeof<G>() == 4 ? denominators : normsOf2; }

// What fills the last four: (0, 0) + (1, 1), any points with different x, or the double of the second. The sum goes behind.
const filler1: usize = memory.data(3 * 80, 16);
const filler2: usize = memory.data(3 * 160, 16);
function fillerOf<G>(): usize {
  const filler = sizeof<G>() == 4 ? filler1 : filler2;
  store<f64>(filler + size<G>(), 1);
  store<f64>(filler + size<G>() + size<G>() / 2, 1);
  return filler;
}

/** Places in the scratch of a step, one for each chain. */
const X1: usize = 0;
const SUM: usize = 160;
const Y1: usize = 320;
const DY: usize = 480;
const SLOPE: usize = 640;
const X3: usize = 800;
const INVERSE: usize = 960;
const REST: usize = 1040;
const left: usize = memory.data(7 * 160, 16);
const right: usize = memory.data(7 * 160, 16);

// @ts-ignore: decorator
@inline export function queue<G>(a: usize, b: usize, to: usize): void {
  note(a, b, to);
  if (waiting == BATCH) flush<G>();
}

// @ts-ignore: decorator
@inline function note(a: usize, b: usize, to: usize): void {
  const at = additions + 16 * <usize>waiting;
  waiting++;
  store<usize>(at, a);
  store<usize>(at, b, 4);
  store<usize>(at, to, 8);
}

/** Notes to = 2a; only flushDoublings() may follow, and other doublings. */
// @ts-ignore: decorator
@inline export function double<G>(a: usize, to: usize): void {
  note(a, a, to);
  if (waiting == BATCH) flushDoublings<G>();
}

export function flush<G>(): void {
  if (waiting == 0) return;
  const filler = fillerOf<G>();
  while (waiting & 3) note(filler, filler + size<G>(), filler + 2 * size<G>());
  const count = waiting;
  waiting = 0;
  subtract<G>(count >> 1);
  multiply<G>(count >> 1);
  let exceptions = ADDED;
  if (isZero(FP, products) | isZero(FP, products + PAIR)) {
    classify<G>(count);
    multiply<G>(count >> 1);
    exceptions = MIXED;
  }
  finish<G>(count >> 2, exceptions);
}

export function flushDoublings<G>(): void {
  if (waiting == 0) return;
  const filler = fillerOf<G>() + size<G>();
  while (waiting & 3) note(filler, filler, filler + size<G>());
  const count = waiting;
  waiting = 0;
  let d = denominators;
  for (let at = additions; at != additions + 16 * <usize>count; at += 32, d += size<G>()) {
    loadY<G>(load<usize>(at), load<usize>(at, 16), d);
    plus<G>(d, d, d);
    if (sizeof<G>() == 8) settle<G>(d, d);
  }
  multiply<G>(count >> 1);
  finish<G>(count >> 2, DOUBLED);
}

/** Denominators: below 1.02 p in G1, which is within the bounds for products of them; reduced in G2. */
function subtract<G>(pairs: u32): void {
  let at = additions;
  let d = denominators;
  for (let i: u32 = 0; i < pairs; i++, at += 32, d += size<G>()) {
    loadDifferenceOfX<G>(load<usize>(at), load<usize>(at, 4), load<usize>(at, 16), load<usize>(at, 20), d);
    if (sizeof<G>() == 8) settle<G>(d, d);
  }
}

function multiply<G>(pairs: u32): void {
  const chain = products + PAIR * <usize>pairs;
  copy(FP + ONE, chain);
  copy(FP + ONE, chain + PAIR);
  if (sizeof<G>() == 8) {
    for (let i: u32 = 0; i < pairs; i++) norm2(denominators + size<G>() * <usize>i, norms<G>() + PAIR * <usize>i);
  }
  let n = norms<G>() + PAIR * <usize>pairs;
  let p = chain;
  while (p != products) {
    n -= PAIR;
    p -= PAIR;
    mul(FP, p + 2 * PAIR, n, p);
  }
}

/**
 * From the products on, four additions at a time. left + REST and right + REST are the inverses of what is left of the
 * chains' products. Bounds, with coordinates x and y below 0.51 p and limbs up to 2^50 + 4 (a difference of two: 1.02 p and
 * twice the limbs, which mul allows for one operand), by what mul and so on state:
 *   G1: d, dy < 1.02 p; products, rests, inverses, slopes < 1.03 p; slope^2 < 1.03 p, minus the sum of x < 2.1 p: settled.
 *       slope * (x1 - x3) < 1.03 p, minus y1 < 1.6 p: settled.
 *   G2, each part: d < 0.51 p (settled); norm < 0.83 p; products, rests, inverses < 1.03 p; dy * conjugate of d < 1.03 p, times
 *       the inverse, the slope < 1.04 p; slope^2 < 1.45 p, minus the sum of x < 2.5 p: settled. slope * (x1 - x3) < 1.44 p,
 *       minus y1 < 2 p: settled.
 *   Doublings: d = 2y, as d above, settled in G2; 3 x^2 settled instead of dy.
 */
function finish<G>(fours: u32, kind: u8): void {
  mul(FP, products, products + PAIR, left);
  inversePair(left, right);
  mul(FP, right, products + PAIR, left + REST);
  mul(FP, right, products, right + REST);
  let at = additions;
  let d = denominators;
  let n = norms<G>();
  let p = products + 2 * PAIR;
  for (let i: u32 = 0; i < fours; i++, at += 64, d += 2 * size<G>(), n += 2 * PAIR, p += 2 * PAIR) {
    mul(FP, left + REST, p, left + INVERSE);
    mul(FP, right + REST, p + PAIR, right + INVERSE);
    mul(FP, left + REST, n, left + REST);
    mul(FP, right + REST, n + PAIR, right + REST);
    loadOperands<G>(at, left);
    loadOperands<G>(at + 32, right);
    if (kind == DOUBLED) {
      tripleSquare<G>(left, left + DY);
      tripleSquare<G>(right, right + DY);
    } else if (kind == MIXED) {
      patchDoublings<G>(4 * i, left);
      patchDoublings<G>(4 * i + 2, right);
    }
    if (sizeof<G>() == 8) {
      mulConjugate2(left + DY, d, left + DY);
      mulConjugate2(right + DY, d + size<G>(), right + DY);
      mul(FP, left + DY + PAIR, left + INVERSE, left + SLOPE + PAIR);
      mul(FP, right + DY + PAIR, right + INVERSE, right + SLOPE + PAIR);
    }
    mul(FP, left + DY, left + INVERSE, left + SLOPE);
    mul(FP, right + DY, right + INVERSE, right + SLOPE);
    square<G>(left + SLOPE, left + X3);
    square<G>(right + SLOPE, right + X3);
    settleMinusTwo<G>(left + X3, left + SUM, left + X1, left + X3, left + X1);
    settleMinusTwo<G>(right + X3, right + SUM, right + X1, right + X3, right + X1);
    times<G>(left + SLOPE, left + X1, left + DY);
    times<G>(right + SLOPE, right + X1, right + DY);
    settleMinus<G>(left + DY, left + Y1, left + DY);
    settleMinus<G>(right + DY, right + Y1, right + DY);
    storePoints<G>(load<usize>(at, 8), load<usize>(at, 24), left + X3, left + DY);
    storePoints<G>(load<usize>(at, 40), load<usize>(at, 56), right + X3, right + DY);
    if (kind == MIXED) {
      for (let k: usize = 0; k < 4; k++) {
        if (load<u8>(kinds + 4 * i + k) == OPPOSITE) setInfinite(load<usize>(at + 16 * k, 8));
      }
    }
  }
}

// @ts-ignore: decorator
@inline function loadOperands<G>(at: usize, s: usize): void {
  const a = load<usize>(at), b = load<usize>(at, 4), c = load<usize>(at, 16), d = load<usize>(at, 20);
  loadY<G>(a, c, s + Y1);
  loadY<G>(b, d, s + DY);
  minus<G>(s + DY, s + Y1, s + DY);
  loadX<G>(a, c, s + X1);
  loadSumOfX<G>(a, b, c, d, s + SUM);
}

/** kinds, and the denominators of doublings and of opposite points. */
function classify<G>(count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const a = load<usize>(additions + 16 * i), b = load<usize>(additions + 16 * i, 4);
    store<u8>(kinds + i, ADDED);
    const d = denominators + size<G>() * <usize>(i >> 1);
    if ((zeros<G>(d) >> (i & 1) & 1) == 0) continue;
    loadY<G>(a, a, left + Y1);
    loadY<G>(b, b, left + DY);
    plus<G>(left + Y1, left + DY, left + DY);
    settle<G>(left + DY, left + DY);
    if (zeros<G>(left + DY)) {
      store<u8>(kinds + i, OPPOSITE);
      memory.fill(left + DY, 0, size<G>());
      copy(FP + ONE, left + DY);
    } else store<u8>(kinds + i, DOUBLED);
    for (let o: usize = (i & 1) * 8; o < size<G>(); o += 16) store<f64>(d + o, load<f64>(left + DY + o));
  }
}

/** to = 3 x^2. */
function tripleSquare<G>(s: usize, to: usize): void {
  square<G>(s + X1, s + X3);
  plus<G>(s + X3, s + X3, to);
  settle<G>(to, to);
  plus<G>(to, s + X3, to);
  settle<G>(to, to);
}

const triple: usize = memory.data(160, 16);

/** For those lanes of additions i and i + 1 that are doublings: 3 x^2 instead of y2 - y1. */
function patchDoublings<G>(i: u32, s: usize): void {
  for (let lane: usize = 0; lane < 2; lane++) {
    if (load<u8>(kinds + i + lane) != DOUBLED) continue;
    tripleSquare<G>(s, triple);
    for (let o: usize = lane * 8; o < size<G>(); o += 16) store<f64>(s + DY + o, load<f64>(triple + o));
  }
}

/** Wipes what is left of points. */
export function forgetBatch(): void {
  memory.fill(additions, 0, (BATCH + 3) * 16);
  memory.fill(denominators, 0, (BATCH / 2) * 160);
  memory.fill(normsOf2, 0, (BATCH / 2) * 80);
  memory.fill(products, 0, (BATCH / 2 + 2) * 80);
  memory.fill(left, 0, 7 * 160);
  memory.fill(right, 0, 7 * 160);
}
