// Additions of affine points in batches: one inversion for many denominators (Montgomery's trick), two additions at a time.
//
// queue() notes an addition, flush() does what was noted. The order holds: an addition may write what it or an earlier one of
// the same batch reads, as results are stored in order, after the operands were read; it may not read what an earlier one
// writes. Equal and opposite points are exact: they make the product of all denominators zero, and then the batch is looked
// through one by one, with doublings among the additions (denominator 2y, numerator 3x^2) and 1 as the denominator for
// opposite points, whose sum is then marked infinite. Infinite operands never get into a batch: see sum().

import { FP, ONE, PAIR, copy } from "./field";
import {
  copyPoint, invert, isInfinite, loadX, loadY, minus, plus, setInfinite, settle, size, square, storePoints, times, zeros,
} from "./curve";

/** Additions in a batch: an inversion costs as much as 85. */
const BATCH: u32 = 2048;
// An addition: pointers to a and b, with signs, and to where the sum goes; 16 bytes.
const additions: usize = memory.data((2048 + 2) * 16, 16);
// Denominators, and products of them with all that follow; a pair of additions to a place.
const denominators: usize = memory.data(1025 * 160, 16);
const products: usize = memory.data(1025 * 160, 16);
const kinds: usize = memory.data(2050);
const ADDED: u8 = 0;
const DOUBLED: u8 = 1;
const OPPOSITE: u8 = 2;

let waiting: u32 = 0;

// What an odd addition is paired with: (0, 0) + (1, 0), any points with different x. Its sum goes behind.
const filler: usize = memory.data(3 * 160, 16);

const x1: usize = memory.data(160, 16);
const x2: usize = memory.data(160, 16);
const y1: usize = memory.data(160, 16);
const y2: usize = memory.data(160, 16);
const rest: usize = memory.data(160, 16);
const slope: usize = memory.data(160, 16);
const x3: usize = memory.data(160, 16);

// @ts-ignore: decorator
@inline export function queue<G>(a: usize, b: usize, to: usize): void {
  const at = additions + 16 * <usize>waiting;
  store<usize>(at, a);
  store<usize>(at, b, 4);
  store<usize>(at, to, 8);
  if (++waiting == BATCH) flush<G>();
}

export function flush<G>(): void {
  if (waiting == 0) return;
  if (waiting & 1) {
    const at = additions + 16 * <usize>waiting;
    store<f64>(filler + size<G>(), 1);
    store<usize>(at, filler);
    store<usize>(at, filler + size<G>(), 4);
    store<usize>(at, filler + 2 * size<G>(), 8);
  }
  const pairs = (waiting + 1) >> 1;
  subtract<G>(pairs);
  multiply<G>(pairs);
  let exceptions = false;
  if (zeros<G>(products)) {
    classify<G>(waiting);
    multiply<G>(pairs);
    exceptions = true;
  }
  waiting = 0;
  invert<G>(products, rest);
  finish<G>(pairs, exceptions);
}

/** denominators = x2 - x1. Parts below 1.02 p; in G2 reduced, which keeps products of them within the bounds of mul2. */
function subtract<G>(pairs: u32): void {
  let at = additions;
  let d = denominators;
  for (let i: u32 = 0; i < pairs; i++, at += 32, d += size<G>()) {
    loadX<G>(load<usize>(at), load<usize>(at, 16), x1);
    loadX<G>(load<usize>(at, 4), load<usize>(at, 20), x2);
    minus<G>(x2, x1, d);
    if (sizeof<G>() == 8) settle<G>(d);
  }
}

/** products[i] = the product of denominators[i] and all behind. */
function multiply<G>(pairs: u32): void {
  let d = denominators + size<G>() * <usize>(pairs - 1);
  let p = products + size<G>() * <usize>(pairs - 1);
  memory.copy(p, d, size<G>());
  settle<G>(p);
  for (let i: u32 = 1; i < pairs; i++) {
    d -= size<G>();
    p -= size<G>();
    times<G>(p + size<G>(), d, p);
  }
}

function finish<G>(pairs: u32, exceptions: bool): void {
  let at = additions;
  let d = denominators;
  let p = products;
  for (let i: u32 = 0; i < pairs; i++, at += 32, d += size<G>()) {
    p += size<G>();
    const a = load<usize>(at), b = load<usize>(at, 4), c = load<usize>(at, 16), e = load<usize>(at, 20);
    // rest is the inverse of products[i].
    if (i + 1 < pairs) {
      times<G>(rest, p, slope);
      times<G>(rest, d, rest);
    } else memory.copy(slope, rest, size<G>());
    if (sizeof<G>() == 8) settle<G>(slope);
    loadY<G>(a, c, y1);
    loadY<G>(b, e, y2);
    loadX<G>(a, c, x1);
    loadX<G>(b, e, x2);
    minus<G>(y2, y1, y2);
    if (exceptions) double<G>(i);
    times<G>(y2, slope, slope);
    square<G>(slope, x3);
    minus<G>(x3, x1, x3);
    minus<G>(x3, x2, x3);
    settle<G>(x3);
    minus<G>(x1, x3, x1);
    times<G>(slope, x1, y2);
    minus<G>(y2, y1, y2);
    settle<G>(y2);
    storePoints<G>(load<usize>(at, 8), load<usize>(at, 24), x3, y2);
    if (exceptions) {
      if (load<u8>(kinds + 2 * i) == OPPOSITE) setInfinite(load<usize>(at, 8));
      if (load<u8>(kinds + 2 * i, 1) == OPPOSITE) setInfinite(load<usize>(at, 24));
    }
  }
}

/** kinds, and the denominators of doublings and of opposite points. */
function classify<G>(count: u32): void {
  store<u8>(kinds + count, ADDED);
  for (let i: u32 = 0; i < count; i++) {
    const a = load<usize>(additions + 16 * i), b = load<usize>(additions + 16 * i, 4);
    store<u8>(kinds + i, ADDED);
    const d = denominators + size<G>() * <usize>(i >> 1);
    if ((zeros<G>(d) >> (i & 1) & 1) == 0) continue;
    loadY<G>(a, a, y1);
    loadY<G>(b, b, y2);
    // 2y, or 0.
    plus<G>(y1, y2, y2);
    settle<G>(y2);
    if (zeros<G>(y2)) {
      store<u8>(kinds + i, OPPOSITE);
      memory.fill(y2, 0, size<G>());
      copy(FP + ONE, y2);
    } else store<u8>(kinds + i, DOUBLED);
    for (let o: usize = (i & 1) * 8; o < size<G>(); o += 16) store<f64>(d + o, load<f64>(y2 + o));
  }
}

/** Puts 3 x^2 in y2, for those lanes of additions 2i and 2i + 1 that are doublings. */
function double<G>(i: u32): void {
  for (let lane: usize = 0; lane < 2; lane++) {
    if (load<u8>(kinds + 2 * i + lane) != DOUBLED) continue;
    square<G>(x1, x3);
    plus<G>(x3, x3, rest2);
    settle<G>(rest2);
    plus<G>(rest2, x3, rest2);
    settle<G>(rest2);
    for (let o: usize = lane * 8; o < size<G>(); o += 16) store<f64>(y2 + o, load<f64>(rest2 + o));
  }
}

const rest2: usize = memory.data(160, 16);
