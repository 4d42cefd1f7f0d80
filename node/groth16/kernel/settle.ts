// Reduction of sums in the base field: what reduce() in field.ts does, with all carries at once instead of one after the
// other, a third of the time where something waits for it.

import { FP, PAIR, TOP } from "./field";
import { C1, DOWN, P, SHARED } from "./product";

/** r = a, reduced: |value| < 0.51 p, limbs up to 2^50 + 4. Takes limbs up to 2^52 and values below 5 p. */
export function settleElement(a: usize, r: usize): void {
  settled(v128.load(a), v128.load(a, 16), v128.load(a, 32), v128.load(a, 48), v128.load(a, 64), r);
}

/** r = a - b, reduced. */
export function settleDifference(a: usize, b: usize, r: usize): void {
  settled(
    f64x2.sub(v128.load(a), v128.load(b)), f64x2.sub(v128.load(a, 16), v128.load(b, 16)),
    f64x2.sub(v128.load(a, 32), v128.load(b, 32)), f64x2.sub(v128.load(a, 48), v128.load(b, 48)),
    f64x2.sub(v128.load(a, 64), v128.load(b, 64)), r,
  );
}

/** r = a - b, reduced, and rest = c - r, not reduced. */
export function settleTwo(a: usize, b: usize, c: usize, r: usize, rest: usize): void {
  settleDifference(a, b, r);
  for (let o: usize = 0; o < PAIR; o += 16) v128.store(rest + o, f64x2.sub(v128.load(c + o), v128.load(r + o)));
}

/**
 * k = round(top limb * 2^204 / p) is off by less than 0.01 from value / p. With |k| <= 5 and p's limbs (but for the top one)
 * below 0.55 * 2^50, k * p is subtracted limb by limb exactly: 2^52 + 2.75 * 2^50 < 2^53. Carries are rounded to nearest, and
 * are at most 4, so that limbs stay below 2^50 + 4. A value below 0.51 p is still zero only if all limbs are, as these are below
 * 2^51.
 */
// @ts-ignore: decorator
@inline function settled(l0: v128, l1: v128, l2: v128, l3: v128, l4: v128, r: usize): void {
  const k = f64x2.nearest(f64x2.mul(l4, v128.load(FP + TOP)));
  const round = v128.load(SHARED + C1);
  const down = v128.load(SHARED + DOWN);
  l0 = f64x2.sub(l0, f64x2.mul(k, v128.load(FP + P)));
  l1 = f64x2.sub(l1, f64x2.mul(k, v128.load(FP + P + 16)));
  l2 = f64x2.sub(l2, f64x2.mul(k, v128.load(FP + P + 32)));
  l3 = f64x2.sub(l3, f64x2.mul(k, v128.load(FP + P + 48)));
  l4 = f64x2.sub(l4, f64x2.mul(k, v128.load(FP + P + 64)));
  const c0 = f64x2.sub(f64x2.add(l0, round), round);
  const c1 = f64x2.sub(f64x2.add(l1, round), round);
  const c2 = f64x2.sub(f64x2.add(l2, round), round);
  const c3 = f64x2.sub(f64x2.add(l3, round), round);
  v128.store(r, f64x2.sub(l0, c0));
  v128.store(r, f64x2.add(f64x2.sub(l1, c1), f64x2.mul(c0, down)), 16);
  v128.store(r, f64x2.add(f64x2.sub(l2, c2), f64x2.mul(c1, down)), 32);
  v128.store(r, f64x2.add(f64x2.sub(l3, c3), f64x2.mul(c2, down)), 48);
  v128.store(r, f64x2.add(l4, f64x2.mul(c3, down)), 64);
}
