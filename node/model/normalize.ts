// The quantizer's rule for normalization over rows: exact squares of rounded distances from the mean, one square root and one
// reciprocal a row, one product an element. Interval bounds alone show that nothing overflows.
import { exponentOf, pow2 } from "./binary.ts";
import { add, level, reachOf, rescale, shapeOf } from "./build.ts";
import type { Value } from "./build.ts";
import { bestExponent } from "./calibrate.ts";
import { bitsOf, observedOf, valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";
import { repeatRows, sumRows } from "./products.ts";

type Normalize = FloatOf<"normalize">;

/** Bits behind the point that a row's mean gets. */
const MEAN_BITS = 2;
/** Bits that the reciprocal of the largest deviation has less than the result; deviations are rarely that large. */
const FEWER_BITS = 2;
/** Bits of the root of what epsilon adds to the squares, at most: values far below it need no finer unit. */
const EPSILON_BITS = 22;
/** Square roots and products stay below 2^50. */
const WIDEST = 50;

export function normalize(job: Job, node: Normalize, ref: number): Value {
  const { bench } = job;
  const { name, shape } = node;
  const count = shape.at(-1) as number;
  const bits = bitsOf(job, "features", name);
  const x = read(job, node, bits);
  const d = node.centered ? centered(job, node, x) : x;
  const unit = d.scale[0] as number;
  // v + E = count * (variance + epsilon), in squares of the unit; at least 1, so that its root can divide.
  const epsilon = Math.max(1, Math.floor((count * node.epsilon) / (unit * unit) + 0.5));
  const square = add(bench, `${name}.square`, { op: "mul", a: d.ref, b: d.ref, shape }, Float64Array.of(unit * unit));
  const variance = sumRows(bench, `${name}.variance`, square, epsilon);
  const rows = shapeOf(bench, variance.ref);
  const k = Math.max(0, Math.floor((WIDEST - 1 - exponentOf(reachOf(bench, variance))) / 2));
  const finer = { op: "affine", x: variance.ref, shape: rows, factor: Float64Array.of(pow2(2 * k)), bias: Float64Array.of(0) } as const; // prettier-ignore
  const fine = add(bench, `${name}.fine`, finer, Float64Array.of((unit * unit) / pow2(2 * k)));
  const root = add(bench, `${name}.root`, { op: "sqrt", x: fine.ref, shape: rows }, Float64Array.of(unit / pow2(k)));
  // 2^t / root: as fine as the product's bound allows, and no finer than the largest deviation seen asks for.
  const { lo, hi } = observedOf(job, node.x);
  const least = exponentOf((bench.bounds[root.ref] as { readonly lo: Float64Array }).lo[0] as number);
  const reach = Math.max(hi - lo, hi, -lo) / unit;
  const expected = Math.sqrt(count * reach * reach + epsilon);
  const t = Math.min(
    WIDEST + least - exponentOf(Math.max(1, reachOf(bench, d))) - 2,
    k + exponentOf(expected) + 1 + bits - FEWER_BITS,
  );
  const constant = { op: "affine", x: root.ref, shape: rows, factor: Float64Array.of(0), bias: Float64Array.of(pow2(t)) } as const; // prettier-ignore
  const above = add(bench, `${name}.power`, constant, Float64Array.of(1));
  const inverse = add(bench, `${name}.inverse`, { op: "div", a: above.ref, b: root.ref, shape: rows }, Float64Array.of(pow2(k - t) / unit)); // prettier-ignore
  const wide = repeatRows(bench, `${name}.inverses`, inverse, count);
  // d / sqrt((v + E) / count) = d * inverse * sqrt(count) * 2^(k-t)
  const scale = Float64Array.of(Math.sqrt(count) * pow2(k - t));
  const product = add(bench, `${name}.product`, { op: "mul", a: d.ref, b: wide.ref, shape }, scale);
  const target = { bits, signed: true, lo: -Infinity, hi: Infinity, common: false };
  return rescale(bench, name, product, observedOf(job, ref), target);
}

/** x at one scale and `bits` bits, but no finer than what epsilon makes matter. */
function read(job: Job, node: Normalize, bits: number): Value {
  const { bench } = job;
  const value = valueOf(job, node.x);
  const root = Math.sqrt((node.shape.at(-1) as number) * node.epsilon);
  const floor = root === 0 ? -1000 : exponentOf(root) - EPSILON_BITS;
  const flat = value.scale.length === 1 ? value : level(bench, value);
  const unit = flat.scale[0] as number;
  if (reachOf(bench, flat) < pow2(bits) && exponentOf(unit) >= floor) return flat;
  const observed = observedOf(job, node.x);
  const exponent = Math.max(bestExponent(observed, -pow2(bits - 1), pow2(bits - 1) - 1), floor);
  const target = { bits, signed: true, lo: -Infinity, hi: Infinity, common: true, exponent };
  return rescale(bench, `${node.name}.narrow`, value, observed, target);
}

/** 2^f (x - mean), with the mean rounded to f bits behind the point. */
function centered(job: Job, { name, shape }: Normalize, x: Value): Value {
  const { bench } = job;
  const count = shape.at(-1) as number;
  const total = sumRows(bench, `${name}.sum`, x);
  const unit = (x.scale[0] as number) / pow2(MEAN_BITS);
  // multiplier / 2^shift = 2^f / count, to 20 bits; exact for powers of two.
  let shift = Math.max(0, 20 + exponentOf(count) - MEAN_BITS);
  let multiplier = Math.floor(pow2(shift + MEAN_BITS) / count + 0.5);
  while (multiplier % 2 === 0 && shift > 0) [multiplier, shift] = [multiplier / 2, shift - 1];
  const most = reachOf(bench, x) * pow2(MEAN_BITS);
  const mean = { op: "rescale", x: total.ref, shape: shape.with(-1, 1), multiplier: [multiplier], shift: [shift], axis: 0, lo: -most, hi: most, ties: "up" } as const; // prettier-ignore
  const wide = repeatRows(bench, `${name}.means`, add(bench, `${name}.mean`, mean, Float64Array.of(unit)), count);
  const distance = { op: "sum", xs: [x.ref, wide.ref], factors: [pow2(MEAN_BITS), -1], shape } as const;
  return add(bench, `${name}.distance`, distance, Float64Array.of(unit));
}
