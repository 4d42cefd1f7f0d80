// One sum of points with powers of two, by doubling and adding: the end of a multi-scalar multiplication, and single points.
//
// The sum is held as (X, Y, ZZ, ZZZ) with x = X / ZZ, y = Y / ZZZ, ZZ^3 = ZZZ^2: formulas dbl-2008-s-1 and madd-2008-s of the
// Explicit-Formulas Database (hyperelliptic.org/EFD/g1p/auto-shortw-xyzz.html). Exceptional cases are told apart, so that
// every sum is right. Both lanes hold the same. Everything is reduced after each step, which keeps all bounds trivially.

import { FP, ONE, copy } from "./field";
import { invert, plus, settle, settleMinus, square, times, zeros } from "./curve";
import { isInfinite, loadX, loadY, setInfinite, size, storePoints } from "./layout";

const x: usize = memory.data(160, 16);
const y: usize = memory.data(160, 16);
const zz: usize = memory.data(160, 16);
const zzz: usize = memory.data(160, 16);
const px: usize = memory.data(160, 16);
const py: usize = memory.data(160, 16);
const u: usize = memory.data(160, 16);
const v: usize = memory.data(160, 16);
const s: usize = memory.data(160, 16);
const t: usize = memory.data(160, 16);

let infinite: bool = true;

// @ts-ignore: decorator
@inline function product<G>(a: usize, b: usize, r: usize): void { times<G>(a, b, r); settle<G>(r, r); }
// @ts-ignore: decorator
@inline function squared<G>(a: usize, r: usize): void { square<G>(a, r); settle<G>(r, r); }
// @ts-ignore: decorator
@inline function difference<G>(a: usize, b: usize, r: usize): void { settleMinus<G>(a, b, r); }
// @ts-ignore: decorator
@inline function sum<G>(a: usize, b: usize, r: usize): void { plus<G>(a, b, r); settle<G>(r, r); }

function twice<G>(): void {
  if (infinite) return;
  sum<G>(y, y, u);
  squared<G>(u, v);
  product<G>(u, v, u); // W
  product<G>(x, v, s);
  product<G>(v, zz, zz);
  product<G>(u, zzz, zzz);
  squared<G>(x, v);
  sum<G>(v, v, t);
  sum<G>(t, v, t); // M
  squared<G>(t, x);
  difference<G>(x, s, x);
  difference<G>(x, s, x);
  difference<G>(s, x, s);
  product<G>(t, s, t);
  product<G>(u, y, u);
  difference<G>(t, u, y);
}

function addPoint<G>(point: usize): void {
  if (isInfinite(point)) return;
  loadX<G>(point, point, px);
  loadY<G>(point, point, py);
  if (infinite) {
    infinite = false;
    memory.copy(x, px, size<G>());
    memory.copy(y, py, size<G>());
    memory.fill(zz, 0, size<G>());
    copy(FP + ONE, zz);
    memory.copy(zzz, zz, size<G>());
    return;
  }
  product<G>(px, zz, px);
  difference<G>(px, x, px); // P
  product<G>(py, zzz, py);
  difference<G>(py, y, py); // R
  if (zeros<G>(px)) {
    if (zeros<G>(py)) twice<G>();
    else infinite = true;
    return;
  }
  squared<G>(px, u); // PP
  product<G>(px, u, v); // PPP
  product<G>(x, u, s); // Q
  product<G>(zz, u, zz);
  product<G>(zzz, v, zzz);
  squared<G>(py, x);
  difference<G>(x, v, x);
  difference<G>(x, s, x);
  difference<G>(x, s, x);
  difference<G>(s, x, s);
  product<G>(py, s, s);
  product<G>(y, v, v);
  difference<G>(s, v, y);
}

/** result = the sum of 2^i points[i], i < count; an ordinary sum if not `doubling`. */
export function horner<G>(points: usize, count: u32, doubling: bool, result: usize): void {
  infinite = true;
  for (let i: u32 = count; i > 0; i--) {
    if (doubling) twice<G>();
    addPoint<G>(points + <usize>(i - 1) * size<G>());
  }
  if (infinite) {
    setInfinite(result);
    return;
  }
  invert<G>(zzz, u);
  settle<G>(u, u);
  product<G>(u, zz, v);
  squared<G>(v, v);
  product<G>(x, v, x);
  product<G>(y, u, y);
  storePoints<G>(result, result, x, y);
}
