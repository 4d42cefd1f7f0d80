// The quantizer's rules for weights: dense, conv, average pooling, affine and sum. All are linear, so all are free in the
// circuit; what they choose is how many bits the accumulators get.
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { exponentOf, mantissaOf, pow2 } from "./binary.ts";
import { add, integersFor, level, multiply, reachOf, rescale, scaleAt, stepsOf } from "./build.ts";
import type { Value } from "./build.ts";
import { isUnit } from "./exact.ts";
import type { FloatConv, FloatDense, FloatNode, FloatRef } from "./graph.ts";
import { NARROW, alongAxis, bitsOf, narrow, observedOf, valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";
import { largest, smallest } from "./range.ts";
import type { Bounds } from "./range.ts";
import { quantizeChannels } from "./weights.ts";

export function dense(job: Job, node: FloatDense, ref: FloatRef): Value {
  const last = node.shape.length - 1;
  const summed = denseSums(job, node, ref);
  if (summed !== undefined) return summed;
  const x = alongAxis(job, narrow(job, node.x), last);
  const columns = node.shape[last] as number;
  const inner = node.weights.length / columns;
  const scaleOf = (k: number): number => x.scale[x.scale.length === 1 ? 0 : k] as number;
  const channels = quantizeChannels(
    Array.from({ length: columns }, (_, n) =>
      Array.from({ length: inner }, (_, k) => (node.weights[k * columns + n] as number) * scaleOf(k)),
    ),
    Array.from(node.bias, (b) => [b]),
    bitsOf(job, "weights", node.name),
  );
  const weights = new Int32Array(node.weights.length);
  channels.forEach(({ integers }, n) => integers.forEach((q, k) => (weights[k * columns + n] = q)));
  const bias = Float64Array.from(channels, (channel) => channel.bias[0] as number);
  const scale = Float64Array.from(channels, (channel) => pow2(channel.exponent));
  return add(job.bench, node.name, { op: "dense", x: x.ref, shape: node.shape, weights, bias }, scale, last);
}

/** Weights that are up to this many times a column's smallest one, and whole so to float32's precision, are exact. */
const MOST_MULTIPLE = 16;

/** Scales within this of each other have 8 bits and more as coefficients of one unit. */
const MOST_SPREAD = 16;

/** A weight for each column of which its weights are small multiples: one for all columns where that does. */
function unitsOf(weights: Float64Array, columns: number): Float64Array | undefined {
  const units = new Float64Array(columns);
  weights.forEach((weight, i) => {
    const size = Math.abs(weight);
    const n = i % columns;
    if (size > 0 && (units[n] === 0 || size < (units[n] as number))) units[n] = size;
  });
  const least = units.reduce((some, unit) => (unit > 0 && (some === 0 || unit < some) ? unit : some), 0) || 1;
  const fits = (unitAt: (column: number) => number): boolean =>
    weights.every((weight, i) => {
      const multiple = Math.abs(weight) / unitAt(i % columns);
      const whole = Math.floor(multiple + 0.5);
      return whole <= MOST_MULTIPLE && Math.abs(multiple - whole) <= 1e-5 * whole;
    });
  if (fits(() => least)) return units.fill(least);
  const own = units.map((unit) => unit || least);
  return fits((column) => own[column] as number) ? own : undefined;
}

/** Sums, means, running sums, interpolations: exact, however wide x is, since their units go into the scales. */
function denseSums(job: Job, node: FloatDense, ref: FloatRef): Value | undefined {
  const { op, name, shape } = node;
  const last = shape.length - 1;
  const columns = shape[last] as number;
  const units = unitsOf(node.weights, columns);
  if (units === undefined) return undefined;
  const wide = valueOf(job, node.x);
  // Features whose scales lie far apart keep them: one scale would leave the small ones few bits.
  const spread = largest(wide.scale) / smallest(wide.scale);
  if (wide.axis === last && spread > MOST_SPREAD && !integersFor([...wide.scale]).exact) return undefined;
  const x = wide.axis === last ? level(job.bench, wide) : wide;
  const [first, along] = [units[0] as number, x.scale.length > 1];
  const same = units.every((unit) => unit === first);
  const biased = node.bias.some((b) => b !== 0);
  if (along && (!same || biased)) return undefined;
  const scale = along ? x.scale.map((s) => s * first) : (same ? units.slice(0, 1) : units).map((u) => u * (x.scale[0] as number)); // prettier-ignore
  const bias = node.bias.map((b, n) => Math.floor(b / (scale[same ? 0 : n] as number) + 0.5) + 0);
  if (bias.some((b) => Math.abs(b) > MOST_BIAS)) return undefined;
  const whole = isUnit(job, node.x) && scale.length === 1 && scale[0] === 1 && node.bias.every(Number.isInteger);
  if (whole) job.integers.add(ref);
  const weights = Int32Array.from(node.weights, (w, i) => Math.floor(w / (units[i % columns] as number) + 0.5));
  return add(job.bench, name, { op, x: x.ref, shape, weights, bias }, scale, along ? x.axis : last);
}

export function conv(job: Job, node: FloatConv): Value {
  const [m, depth, kh, kw] = node.weightShape;
  const { op, shape, weightShape, strides, pads, dilations, group } = node;
  const kept = { op, shape, weightShape, strides, pads, dilations, group };
  const pooled = pooling(job, node);
  if (pooled !== undefined) {
    const { x, weight } = pooled;
    const scale = x.scale.map((s) => s * Math.abs(weight));
    const weights = Int32Array.from(node.weights, Math.sign);
    return add(job.bench, node.name, { ...kept, x: x.ref, weights, bias: new Float64Array(m) }, scale, 1);
  }
  const x = alongAxis(job, narrow(job, node.x), 1);
  const inner = depth * kh * kw;
  const perElement = node.bias.length / m;
  const channels = quantizeChannels(
    Array.from({ length: m }, (_, c) =>
      Array.from({ length: inner }, (_, k) => {
        const from = Math.floor((c * group) / m) * depth + Math.floor(k / (kh * kw));
        return (node.weights[c * inner + k] as number) * (x.scale[x.scale.length === 1 ? 0 : from] as number);
      }),
    ),
    Array.from({ length: m }, (_, c) => [...node.bias.subarray(c * perElement, (c + 1) * perElement)]),
    bitsOf(job, "weights", node.name),
  );
  const weights = Int32Array.from(channels.flatMap((channel) => channel.integers));
  const bias = Float64Array.from(channels.flatMap((channel) => channel.bias));
  const scale = Float64Array.from(channels, (channel) => pow2(channel.exponent));
  return add(job.bench, node.name, { ...kept, x: x.ref, weights, bias }, scale, 1);
}

/** An average pooling (all weights 0 or one value, no bias) sums exactly, and its 1/k goes into the scale. */
function pooling(job: Job, node: FloatConv): { readonly x: Value; readonly weight: number } | undefined {
  const weight = node.weights.find((w) => w !== 0);
  if (weight === undefined || node.bias.some((b) => b !== 0)) return undefined;
  if (node.weights.some((w) => w !== 0 && w !== weight)) return undefined;
  const x = valueOf(job, node.x);
  const depthwise = node.weightShape[1] === 1 && node.group === node.weightShape[0] && x.axis === 1;
  return x.scale.length === 1 || depthwise ? { x, weight } : undefined;
}

/** Factors that vary along one axis at most go into the scale, others become coefficients. */
export function affine(job: Job, node: FloatOf<"affine">): Value {
  return affineByScale(job, node) ?? affineByCoefficients(job, node);
}

/** A larger bias than this would make the accumulators wider than coefficients do. */
const MOST_BIAS = 2 ** 40;
/** Where factors differ, a bias that exceeds what it is added to by more than this would suffer when scales are levelled. */
const MOST_ABOVE = 2 ** 4;

/** y = +-2^k * x + bias at a scale of its own; the bias is exact, or at least to 2^-14 of the tensor's reach. */
function affineByScale({ bench, values }: Job, node: FloatOf<"affine">): Value | undefined {
  const x = values[node.x] as Value;
  const factorAt = (i: number): number => node.factor[node.factor.length === 1 ? 0 : i] as number;
  const sizes = sizesOf(node.factor);
  const along = sizes === undefined ? undefined : scaleAlong(x, node.shape, sizes);
  if (along === undefined) return undefined;
  const { axis } = along;
  const biased = node.bias.some((b) => b !== 0);
  if (!biased && node.factor.every((f) => f > 0)) return { ref: x.ref, scale: along.scale, axis };
  const biasAt = (i: number): number => node.bias[node.bias.length === 1 ? 0 : i] as number;
  const most = biased ? Math.max(0, 14 - exponentOf(Math.max(1, reachOf(bench, x)))) : 0;
  const unitAt = (i: number): number => scaleAt({ ref: x.ref, scale: along.scale, axis }, node.shape, i);
  const exact = (k: number): boolean =>
    node.bias.length === 1
      ? along.scale.every((s) => Number.isInteger((biasAt(0) / s) * 2 ** k))
      : node.bias.every((b, i) => Number.isInteger((b / unitAt(i)) * 2 ** k));
  let finer = 0;
  while (finer < most && !exact(finer)) finer++;
  const scale = along.scale.map((s) => s / 2 ** finer);
  const { op, shape, name } = node;
  const full = new Float64Array(sizeOf(shape));
  const factor = short(full.map((_, i) => Math.sign(factorAt(i)) * 2 ** finer));
  const bias = short(
    full.map((_, i) => {
      return Math.floor(biasAt(i) / scaleAt({ ref: x.ref, scale, axis }, shape, i) + 0.5);
    }),
  );
  const room = along.scale.length === 1 ? MOST_BIAS : Math.min(MOST_BIAS, MOST_ABOVE * 2 ** finer * reachOf(bench, x));
  if (bias.some((b) => Math.abs(b) > room)) return undefined;
  return add(bench, name, { op, x: x.ref, shape, factor, bias }, scale, axis);
}

/** y = (n * x + m) * unit: the largest factor has 12 bits, unless the largest bias would then have more than 40. */
function affineByCoefficients({ bench, values }: Job, node: FloatOf<"affine">): Value {
  const x = level(bench, values[node.x] as Value);
  const reals = node.factor.map((f) => f * (x.scale[0] as number));
  const heaviest = (list: Float64Array): number => list.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const widest = Math.max(heaviest(reals), heaviest(node.bias) / 2 ** 28);
  const unit = widest === 0 ? 1 : pow2(exponentOf(widest) - 11);
  const round = (real: number): number => Math.floor(real / unit + 0.5);
  const { op, shape, name } = node;
  const whole = { op, x: x.ref, shape, factor: reals.map(round), bias: node.bias.map(round) };
  return add(bench, name, whole, Float64Array.of(unit));
}

/** One value stands for many equal ones. */
function short(values: Float64Array): Float64Array {
  return values.every((value) => value === values[0]) ? values.slice(0, 1) : values;
}

/**
 * The size of each factor, for a scale to carry. A factor of 0 (a mask) goes with any scale: with the others' if they are
 * all of one size, with 1 if there are none. Undefined if there are several sizes.
 */
function sizesOf(factor: Float64Array): Float64Array | undefined {
  const sizes = factor.map(Math.abs);
  if (!sizes.includes(0)) return sizes;
  const size = sizes.find((f) => f !== 0) ?? 1;
  return sizes.every((f) => f === 0 || f === size) ? Float64Array.of(size) : undefined;
}

/** The resulting scale, if it and x's vary along one axis only. */
function scaleAlong(
  x: Value,
  shape: Shape,
  sizes: Float64Array,
): { readonly axis: number; readonly scale: Float64Array } | undefined {
  const first = sizes[0] as number;
  if (sizes.every((f) => f === first)) return { axis: x.axis, scale: x.scale.map((s) => s * first) };
  for (let axis = 0; axis < shape.length; axis++) {
    const { count, inner } = stepsOf(shape, axis);
    if (x.scale.length > 1 && x.axis !== axis) continue;
    if (sizes.some((f, i) => f !== sizes[(Math.floor(i / inner) % count) * inner])) continue;
    const at = (c: number): number => (sizes[c * inner] as number) * scaleAt(x, shape, c * inner);
    return { axis, scale: Float64Array.from({ length: count }, (_, c) => at(c)) };
  }
  return undefined;
}

export function sum(job: Job, node: FloatOf<"sum">): Value {
  const { values, met, axis } = meet(job, node.xs, node.factors);
  const scale = Float64Array.from(met, ({ unit }) => unit);
  const factors = met[0]?.integers ?? [];
  const { op, shape, name } = node;
  if (met.every(({ integers }) => integers.every((n, i) => n === factors[i]))) {
    return add(job.bench, name, { op, shape, xs: values.map((v) => v.ref), factors }, scale, axis);
  }
  const xs = broughtTo(job, name, values, met, axis).map((value) => value.ref);
  return add(job.bench, name, { op, shape, xs, factors: xs.map(() => 1) }, scale, axis);
}

/** The tensors at one scale, or one per index of an axis that they share. */
export function atOneScale(job: Job, name: string, xs: readonly FloatRef[]): readonly Value[] {
  const { values, met, axis } = meet(job, xs, xs.map(() => 1)); // prettier-ignore
  const scale = Float64Array.from(met, ({ unit }) => unit);
  return broughtTo(job, name, values, met, axis).map((value) => ({ ...value, scale, axis }));
}

/** Coefficients of 12 bits widen a sum, at a row per bit; narrowing its terms first would cost a row per bit of each. */
const MOST_BEFORE_COEFFICIENTS = 2 ** 28;

interface Meeting {
  readonly values: readonly Value[];
  /** By index of the axis. */
  readonly met: readonly ReturnType<typeof integersFor>[];
  readonly axis: number;
}

/** Scales meet at the finest of them, index by index; scales that are no small multiples of it cost a rounding to 12 bits. */
function meet(job: Job, xs: readonly FloatRef[], factors: readonly number[]): Meeting {
  let values = xs.map((x) => valueOf(job, x));
  const axes = new Set(values.filter((value) => value.scale.length > 1).map((value) => value.axis));
  if (axes.size > 1) values = values.map((value) => level(job.bench, value));
  let met = meeting(values, factors);
  const wide = values.map((value) => reachOf(job.bench, value) >= NARROW);
  // Exact where that is provable.
  const rounds = (): boolean => !met.every(({ exact }) => exact) || largestSum(job, values, met) >= MOST_IN_A_SUM;
  if (rounds() && values.every((value, i) => wide[i] || isDyadic(value))) {
    // Wide accumulators are brought to a power of two not far below the coarsest term: no row dearer than narrowing them.
    const exponent = exponentOf(Math.max(...values.map(({ scale }) => largest(scale)))) - FINER_BITS;
    values = values.map((value, i) => (wide[i] ? noFiner(job, xs[i] as FloatRef, value, exponent) : value));
    met = meeting(values, factors);
  }
  if (rounds() && values.some((value) => reachOf(job.bench, value) >= MOST_BEFORE_COEFFICIENTS)) {
    const distinct = xs.map((x) => narrow(job, x));
    values = axes.size > 1 ? distinct.map((value) => level(job.bench, value)) : distinct;
    met = meeting(values, factors);
  }
  return { values, met, axis: values.find((value) => value.scale.length > 1)?.axis ?? 0 };
}

/** What a sum may reach for its rescale to be provable, with some room for what is added to it. */
const MOST_IN_A_SUM = 2 ** 50;

function largestSum(job: Job, values: readonly Value[], met: Meeting["met"]): number {
  return values.reduce((sum, value, i) => {
    const factor = met.reduce((most, { integers }) => Math.max(most, Math.abs(integers[i] as number)), 0);
    return sum + reachOf(job.bench, value) * factor;
  }, 0);
}

/** Bits below the coarsest term of a sum that the others keep. */
const FINER_BITS = 16;

function isDyadic({ scale }: Value): boolean {
  return scale.every((s) => mantissaOf(s) === 1);
}

/** What is wider loses bits before a rescale multiplies it by a coefficient of 12 bits. */
const MOST_BEFORE_A_MULTIPLIER = 2 ** 40;

/** The value at powers of two from 2^exponent on; none of it saturates. */
function noFiner(job: Job, ref: FloatRef, value: Value, exponent: number): Value {
  const unit = pow2(exponent);
  const dyadic = isDyadic(value);
  if (dyadic && value.scale.every((scale) => scale >= unit)) return value;
  const { bench, float } = job;
  const reach = reachOf(bench, value);
  if (!dyadic && reach >= MOST_BEFORE_A_MULTIPLIER) {
    const first = exponentOf(largest(value.scale)) + exponentOf(reach / MOST_BEFORE_A_MULTIPLIER) + 1;
    const window = [-MOST_BEFORE_A_MULTIPLIER, MOST_BEFORE_A_MULTIPLIER] as const;
    const target = { bits: 0, signed: true, lo: -Infinity, hi: Infinity, common: false, exponent: first, window };
    const short = rescale(bench, `${(float.nodes[ref] as FloatNode).name}.short`, value, observedOf(job, ref), target);
    return noFiner(job, ref, short, exponent);
  }
  const { lo, hi } = bench.bounds[value.ref] as Bounds;
  const { name, shape } = float.nodes[ref] as FloatNode;
  // A unit of room for the multiplier's own rounding, 2^-12 of the value.
  const most = lo.reduce((top, low, i) => {
    const scale = scaleAt(value, shape, i);
    return Math.max(top, Math.max(-low, hi[i] as number) * (dyadic ? Math.min(1, scale / unit) : scale / unit));
  }, 0);
  const end = Math.ceil(most * (1 + 2 ** -11)) + 1;
  const target = { bits: 0, signed: true, lo: -Infinity, hi: Infinity, common: !dyadic, exponent, window: [-end, end] } as const; // prettier-ignore
  return rescale(bench, `${name}.meet`, value, observedOf(job, ref), target);
}

function broughtTo(job: Job, name: string, values: readonly Value[], met: Meeting["met"], axis: number): Value[] {
  return values.map((value, i) => {
    const integers = met.map((index) => index.integers[i] as number);
    const factors = integers.every((n) => n === integers[0]) ? integers.slice(0, 1) : integers;
    return multiply(job.bench, `${name}.align${i}`, { ...value, axis }, Float64Array.from(factors));
  });
}

function meeting(values: readonly Value[], factors: readonly number[]): ReturnType<typeof integersFor>[] {
  const count = Math.max(...values.map((value) => value.scale.length));
  return Array.from({ length: count }, (_, c) =>
    integersFor(
      values.map((value, i) => (factors[i] as number) * (value.scale[value.scale.length === 1 ? 0 : c] as number)),
    ),
  );
}

/** All values at one and the same scale. */
export function equalScales(job: Job, name: string, values: readonly Value[]): Value[] {
  const flat = values.map((value) => level(job.bench, value));
  const { integers, unit } = integersFor(flat.map((value) => value.scale[0] as number));
  return flat.map((value, i) => ({
    ...multiply(job.bench, `${name}.align${i}`, value, Float64Array.of(integers[i] as number)),
    scale: Float64Array.of(unit),
    axis: 0,
  }));
}
