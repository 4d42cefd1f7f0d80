// Float graph to integer graph: one rule per float op. Linear ops keep their wide accumulators as long as they can, since
// linear costs nothing in the circuit; only a Relu, a wide input to weights, or the output pays for a rescale.
import { NodeError } from "../core/errors.ts";
import { sizeOf, typeRange } from "../core/tensor.ts";
import type { BorderTensor, IntType, Shape } from "../core/tensor.ts";
import { exponentFor, exponentOf, mantissaOf, pow2 } from "./binary.ts";
import { add, integersFor, level, multiply, reachOf, rescale, scaleAt, shapeOf, stepsOf } from "./build.ts";
import type { Value, Workbench } from "./build.ts";
import type { Observed } from "./calibrate.ts";
import type { FloatConv, FloatDense, FloatGraph, FloatNode, FloatRef } from "./graph.ts";
import type { Graph } from "./ir.ts";
import { quantizeChannels } from "./weights.ts";

export interface Widths {
  /** Bits of a weight, symmetric about 0. */
  readonly weights: number;
  /** Bits of an activation behind a Relu or Clip, or where accumulators meet weights. */
  readonly activations: number;
  /** Bits to which wide inputs (int32 features) are brought before they meet weights. */
  readonly features: number;
}

export const DEFAULT_WIDTHS: Widths = { weights: 8, activations: 8, features: 12 };

/** What the caller declares of the output; undeclared, it is chosen from static bounds and observed values. */
export interface OutputSpec {
  readonly type?: IntType;
  readonly exponent?: number;
}

export interface Quantized {
  readonly graph: Graph;
  /** What each node's tensor stands for, by node. */
  readonly values: readonly Value[];
  readonly notices: readonly string[];
}

interface Job {
  readonly float: FloatGraph;
  readonly observed: readonly Observed[];
  readonly widths: Widths;
  readonly input: BorderTensor;
  readonly outputSpec: OutputSpec;
  readonly bench: Workbench;
  /** By float node. */
  readonly values: Value[];
  /** Float nodes whose values no weights and no rescale have touched yet: they keep the input's precision. */
  readonly raw: Set<FloatRef>;
  readonly notices: string[];
  output?: { readonly value: Value; readonly border: BorderTensor };
}

/** Values below this meet weights as they are. */
const NARROW = 2 ** 16;

export function quantize(
  float: FloatGraph,
  observed: readonly Observed[],
  input: BorderTensor,
  outputSpec: OutputSpec = {},
  widths: Widths = DEFAULT_WIDTHS,
): Quantized {
  const bench: Workbench = { nodes: [], bounds: [], values: [] };
  const job: Job = { float, observed, widths, input, outputSpec, bench, values: [], raw: new Set(), notices: [] };
  float.nodes.forEach((node, ref) => {
    job.values.push((RULES[node.op] as Rule<FloatNode["op"]>)(job, node, ref));
  });
  const value = valueOf(job, float.output);
  const { border, value: last } = job.output ?? toOutput(job, float.output, value, -Infinity, Infinity);
  // Wiring behind a Relu that already took the output's form leaves that form alone.
  const ref = job.output === undefined ? last.ref : value.ref;
  return {
    graph: { nodes: bench.nodes, input: 0, output: { ref, border } },
    values: bench.values,
    notices: job.notices,
  };
}

type FloatOf<K> = Extract<FloatNode, { readonly op: K }>;
type Rule<K> = (job: Job, node: FloatOf<K>, ref: FloatRef) => Value;

function valueOf(job: Job, ref: FloatRef): Value {
  return job.values[ref] as Value;
}

function observedOf(job: Job, ref: FloatRef): Observed {
  return job.observed[ref] as Observed;
}

const ONE = Float64Array.of(1);

const RULES: { readonly [K in FloatNode["op"]]: Rule<K> } = {
  input: (job, node, ref) => {
    job.raw.add(ref);
    const scale = Float64Array.of(pow2(job.input.exponent));
    return add(job.bench, node.name, { op: "input", shape: node.shape, border: job.input }, scale);
  },
  dense: (job, node) => dense(job, node),
  conv: (job, node) => conv(job, node),
  affine: (job, node, ref) => {
    if (job.raw.has(node.x)) job.raw.add(ref);
    return affine(job, node);
  },
  sum: (job, node) => sum(job, node),
  clip: (job, node, ref) => {
    const value = valueOf(job, node.x);
    if (node.lo === -Infinity && node.hi === Infinity) return value;
    if (leadsToOutput(job.float, ref)) {
      job.output = toOutput(job, ref, value, node.lo, node.hi);
      return job.output.value;
    }
    return rescale(job.bench, node.name, value, observedOf(job, ref), {
      bits: job.widths.activations,
      signed: node.lo < 0,
      lo: node.lo,
      hi: node.hi,
      common: false,
    });
  },
  leaky: (job, node) => {
    // max(x, slope x), or -max(-x, -slope x) where the slope is above 1; slope = odd / 2^k to within 2^-11.
    const value = valueOf(job, node.x);
    let k = 0;
    while (k < 12 && Math.abs(Math.floor(node.slope * 2 ** k + 0.5) / 2 ** k - node.slope) > 2 ** -11) k++;
    const sign = node.slope > 1 ? -1 : 1;
    const image = (factor: number, which: string): Value =>
      multiply(job.bench, `${node.name}.${which}`, value, Float64Array.of(sign * factor));
    const a = image(2 ** k, "positive");
    const slope = Math.floor(node.slope * 2 ** k + 0.5);
    const b =
      slope === 0
        ? add(
            job.bench,
            `${node.name}.negative`,
            { op: "affine", x: value.ref, shape: node.shape, factor: Float64Array.of(0), bias: Float64Array.of(0) },
            a.scale,
            a.axis,
          )
        : image(slope, "negative");
    const max = add(job.bench, node.name, { op: "max", a: a.ref, b: b.ref, shape: node.shape }, a.scale, a.axis);
    return multiply(job.bench, `${node.name}.sign`, max, Float64Array.of(sign));
  },
  maxpool: (job, node) => {
    const x = alongAxis(job, valueOf(job, node.x), 1);
    const { kernel, strides, pads, dilations, shape, op } = node;
    return add(job.bench, node.name, { op, x: x.ref, kernel, strides, pads, dilations, shape }, x.scale, x.axis);
  },
  argmax: (job, { name, op, axis, x, shape }) => {
    return add(job.bench, name, { op, x: level(job.bench, valueOf(job, x)).ref, axis, shape }, ONE);
  },
  reshape: (job, { name, op, shape, x }) => {
    const value = valueOf(job, x);
    const old = shapeOf(job.bench, value.ref);
    const moved = value.scale.length === 1 ? value : reshaped(value, old, shape);
    const kept = moved ?? level(job.bench, value);
    return add(job.bench, name, { op, shape, x: kept.ref }, kept.scale, kept.axis);
  },
  transpose: (job, { name, op, shape, x, perm }) => {
    const value = valueOf(job, x);
    return add(job.bench, name, { op, shape, x: value.ref, perm }, value.scale, perm.indexOf(value.axis));
  },
  pad: (job, { name, op, shape, x, pads, value: real }) => {
    const value =
      real === 0 && padsOf(pads, valueOf(job, x).axis) === 0 ? valueOf(job, x) : level(job.bench, valueOf(job, x));
    const integer = Math.floor(real / (value.scale[0] as number) + 0.5);
    return add(job.bench, name, { op, shape, x: value.ref, pads, value: integer }, value.scale, value.axis);
  },
  concat: (job, { name, op, shape, xs, axis }) => {
    let values = xs.map((x) => valueOf(job, x));
    if (!values.every((value) => value.scale.length === 1 || value.axis === axis))
      values = equalScales(job, name, values);
    const scale = values.flatMap((value) => {
      const count = shapeOf(job.bench, value.ref)[axis] as number;
      return value.scale.length === 1 ? new Array<number>(count).fill(value.scale[0] as number) : [...value.scale];
    });
    const same = scale.every((s) => s === scale[0]);
    const refs = values.map((value) => value.ref);
    return add(
      job.bench,
      name,
      { op, shape, xs: refs, axis },
      Float64Array.from(same ? scale.slice(0, 1) : scale),
      axis,
    );
  },
};

/** Pads of one axis, begin and end together. */
function padsOf(pads: readonly number[], axis: number): number {
  return (pads[axis] as number) + (pads[axis + pads.length / 2] as number);
}

/** The value with one scale, or one per index of `axis`. */
function alongAxis(job: Job, value: Value, axis: number): Value {
  return value.scale.length === 1 || value.axis === axis ? value : level(job.bench, value);
}

/** The value's scales in the new shape, if they still run along one axis of it. */
function reshaped(value: Value, old: Shape, shape: Shape): Value | undefined {
  const long = shape.findIndex((dim) => dim > 1);
  if (long >= 0 && shape.every((dim, axis) => axis === long || dim === 1)) {
    return {
      ...value,
      axis: long,
      scale: Float64Array.from({ length: sizeOf(old) }, (_, i) => scaleAt(value, old, i)),
    };
  }
  const outer = sizeOf(old.slice(0, value.axis));
  const axis = shape.findIndex((dim, k) => dim === old[value.axis] && sizeOf(shape.slice(0, k)) === outer);
  return axis < 0 ? undefined : { ...value, axis };
}

/** Replaces a wide tensor, for all who read it, by one narrow enough to meet weights. */
function narrow(job: Job, ref: FloatRef): Value {
  const value = valueOf(job, ref);
  const bounds = job.bench.bounds[value.ref];
  if (bounds === undefined || reachOf(job.bench, value) < NARROW) return value;
  const raw = job.raw.has(ref);
  const observed = observedOf(job, ref);
  // Features of samples not seen yet may lie further out than any of the calibration data: twice the room.
  const roomy = raw ? { ...observed, lo: 2 * observed.lo, hi: 2 * observed.hi, values: new Float64Array(0) } : observed;
  const narrowed = rescale(job.bench, `${(job.float.nodes[ref] as FloatNode).name}.narrow`, value, roomy, {
    bits: raw ? job.widths.features : job.widths.activations,
    signed: bounds.lo.some((lo) => lo < 0),
    lo: -Infinity,
    hi: Infinity,
    common: false,
  });
  job.values[ref] = narrowed;
  return narrowed;
}

function dense(job: Job, node: FloatDense): Value {
  const last = node.shape.length - 1;
  const x = alongAxis(job, narrow(job, node.x), last);
  const columns = node.shape[last] as number;
  const inner = node.weights.length / columns;
  const scaleOf = (k: number): number => x.scale[x.scale.length === 1 ? 0 : k] as number;
  const channels = quantizeChannels(
    Array.from({ length: columns }, (_, n) =>
      Array.from({ length: inner }, (_, k) => (node.weights[k * columns + n] as number) * scaleOf(k)),
    ),
    Array.from(node.bias, (b) => [b]),
    job.widths.weights,
  );
  const weights = new Int32Array(node.weights.length);
  channels.forEach(({ integers }, n) => integers.forEach((q, k) => (weights[k * columns + n] = q)));
  const bias = Float64Array.from(channels, (channel) => channel.bias[0] as number);
  const scale = Float64Array.from(channels, (channel) => pow2(channel.exponent));
  return add(job.bench, node.name, { op: "dense", x: x.ref, shape: node.shape, weights, bias }, scale, last);
}

function conv(job: Job, node: FloatConv): Value {
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
    job.widths.weights,
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

/** Factors that vary along one axis at most go into the scale; a bias is then exact to 2^-14 of the tensor's reach. */
function affine(job: Job, node: FloatOf<"affine">): Value {
  const { bench } = job;
  const x = valueOf(job, node.x);
  const size = sizeOf(node.shape);
  const factorAt = (i: number): number => node.factor[node.factor.length === 1 ? 0 : i] as number;
  const biasAt = (i: number): number => node.bias[node.bias.length === 1 ? 0 : i] as number;
  const along = node.factor.every((f) => f !== 0) ? factorsAlong(x, node.shape, factorAt) : undefined;
  if (along !== undefined) {
    const biased = node.bias.some((b) => b !== 0);
    if (!biased && along.factors.every((f) => f > 0)) return { ref: x.ref, scale: along.scale, axis: along.axis };
    const finer = biased ? Math.max(0, 14 - exponentOf(Math.max(1, reachOf(bench, x)))) : 0;
    const scale = along.scale.map((s) => s / 2 ** finer);
    const value = { ref: x.ref, scale, axis: along.axis };
    const factor = Float64Array.from({ length: size }, (_, i) => Math.sign(factorAt(i)) * 2 ** finer);
    const bias = Float64Array.from({ length: size }, (_, i) =>
      Math.floor(biasAt(i) / scaleAt(value, node.shape, i) + 0.5),
    );
    if (bias.every((b) => Math.abs(b) < 2 ** 40)) {
      return add(
        bench,
        node.name,
        { op: "affine", x: x.ref, shape: node.shape, factor: short(factor), bias: short(bias) },
        scale,
        along.axis,
      );
    }
  }
  const flat = level(bench, x);
  const reals = Array.from({ length: node.factor.length }, (_, i) => factorAt(i) * (flat.scale[0] as number));
  const heaviest = (values: Iterable<number>): number =>
    [...values].reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const widest = Math.max(heaviest(reals), heaviest(node.bias) / 2 ** 12);
  const unit = widest === 0 ? 1 : pow2(exponentOf(widest) - 11);
  const round = (real: number): number => Math.floor(real / unit + 0.5);
  const [factor, bias] = [Float64Array.from(reals, round), node.bias.map(round)];
  return add(bench, node.name, { op: "affine", x: flat.ref, shape: node.shape, factor, bias }, Float64Array.of(unit));
}

/** One value stands for many equal ones. */
function short(values: Float64Array): Float64Array {
  return values.every((value) => value === values[0]) ? values.slice(0, 1) : values;
}

/** Factors and resulting scales, if both vary along one axis only. */
function factorsAlong(
  x: Value,
  shape: Shape,
  factorAt: (i: number) => number,
): { readonly axis: number; readonly factors: number[]; readonly scale: Float64Array } | undefined {
  const size = sizeOf(shape);
  const one = Array.from({ length: size }, (_, i) => factorAt(i)).every((f) => f === factorAt(0));
  if (one) {
    return { axis: x.axis, factors: [factorAt(0)], scale: x.scale.map((s) => s * Math.abs(factorAt(0))) };
  }
  for (let axis = 0; axis < shape.length; axis++) {
    const { count, inner } = stepsOf(shape, axis);
    const at = (c: number): number => c * inner;
    if (x.scale.length > 1 && x.axis !== axis) continue;
    const varies = Array.from({ length: size }, (_, i) => factorAt(i) !== factorAt(at(Math.floor(i / inner) % count)));
    if (varies.includes(true)) continue;
    const factors = Array.from({ length: count }, (_, c) => factorAt(at(c)));
    return { axis, factors, scale: Float64Array.from(factors, (f, c) => Math.abs(f) * scaleAt(x, shape, at(c))) };
  }
  return undefined;
}

/** Scales meet at the finest of them, index by index; scales that are no small multiples of it cost a rounding to 12 bits. */
function sum(job: Job, node: FloatOf<"sum">): Value {
  const { bench } = job;
  let values = node.xs.map((x) => valueOf(job, x));
  const axes = new Set(values.filter((value) => value.scale.length > 1).map((value) => value.axis));
  if (axes.size > 1) values = values.map((value) => level(bench, value));
  let met = meeting(values, node.factors);
  if (!met.every(({ exact }) => exact)) {
    const distinct = node.xs.map((x) => narrow(job, x));
    values = axes.size > 1 ? distinct.map((value) => level(bench, value)) : distinct;
    met = meeting(values, node.factors);
  }
  const axis = values.find((value) => value.scale.length > 1)?.axis ?? 0;
  const scale = Float64Array.from(met, ({ unit }) => unit);
  const factors = met[0]?.integers ?? [];
  if (met.every(({ integers }) => integers.every((n, i) => n === factors[i]))) {
    return add(bench, node.name, { op: "sum", shape: node.shape, xs: values.map((v) => v.ref), factors }, scale, axis);
  }
  const aligned = values.map((value, i) => {
    const along = { ...value, axis };
    return multiply(
      bench,
      `${node.name}.align${i}`,
      along,
      Float64Array.from(met, ({ integers }) => integers[i] as number),
    );
  });
  const xs = aligned.map((value) => value.ref);
  return add(bench, node.name, { op: "sum", shape: node.shape, xs, factors: xs.map(() => 1) }, scale, axis);
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
function equalScales(job: Job, name: string, values: readonly Value[]): Value[] {
  const flat = values.map((value) => level(job.bench, value));
  const { integers, unit } = integersFor(flat.map((value) => value.scale[0] as number));
  return flat.map((value, i) => ({
    ...multiply(job.bench, `${name}.align${i}`, value, Float64Array.of(integers[i] as number)),
    scale: Float64Array.of(unit),
    axis: 0,
  }));
}

/** Does nothing but wiring lie between a node and the output? */
function leadsToOutput(float: FloatGraph, ref: FloatRef): boolean {
  let at = float.output;
  for (;;) {
    if (at === ref) return true;
    const node = float.nodes[at] as FloatNode;
    if (node.op !== "reshape" && node.op !== "transpose") return false;
    at = node.x;
  }
}

/** Levels of the observed range that an output type must tell apart to be wide enough. */
const OUTPUT_LEVELS = 2 ** 10;

/** Rescales to the output's type at one power of two: no finer than the accumulators, and saturating only if it must. */
function toOutput(
  job: Job,
  ref: FloatRef,
  value: Value,
  lo: number,
  hi: number,
): { value: Value; border: BorderTensor } {
  const { bench, float, outputSpec } = job;
  const name = float.outputName;
  const shape = (float.nodes[float.output] as FloatNode).shape;
  if (isIndex(float)) {
    const { hi: top } = bench.bounds[value.ref] as { readonly hi: Float64Array };
    const type = outputSpec.type ?? { bits: (top[0] as number) < 256 ? 8 : 16, signed: false };
    if ((top[0] as number) > typeRange(type).hi || (outputSpec.exponent ?? 0) !== 0) {
      throw new NodeError("usage", `a class index up to ${top[0]} does not fit the declared output type and exponent`);
    }
    return { value, border: { name, shape, type, exponent: 0 } };
  }
  const bounds = bench.bounds[value.ref] as { readonly lo: Float64Array; readonly hi: Float64Array };
  let reach = 0;
  bounds.lo.forEach((least, i) => {
    const unit = scaleAt(value, shapeOf(bench, value.ref), i);
    reach = Math.max(reach, -Math.max(least * unit, lo), Math.min((bounds.hi[i] as number) * unit, hi));
  });
  const seen = Math.max(Math.abs(observedOf(job, ref).lo), Math.abs(observedOf(job, ref).hi));
  const finest = Math.min(...Array.from(value.scale, (s) => exponentOf(s) + (mantissaOf(s) === 1 ? 0 : -8)));
  const exponentAt = (type: IntType): number =>
    reach === 0 ? finest : Math.max(finest, exponentFor(reach, typeRange(type).hi));
  let type: IntType = outputSpec.type ?? { bits: 16, signed: true };
  if (outputSpec.type === undefined && seen < OUTPUT_LEVELS * pow2(exponentAt(type)) && exponentAt(type) > finest) {
    type = { bits: 32, signed: true };
  }
  const exponent = outputSpec.exponent ?? exponentAt(type);
  if (reach > typeRange(type).hi * pow2(exponent)) {
    job.notices.push(
      `the output may saturate: its static bound ${reach} exceeds ${typeRange(type).hi} * 2^${exponent}`,
    );
  }
  const target = { bits: type.bits, signed: type.signed, lo, hi, common: true, exponent };
  const rescaled = rescale(bench, `${float.outputName}.rescale`, value, observedOf(job, ref), target);
  return { value: rescaled, border: { name, shape, type, exponent } };
}

function isIndex(float: FloatGraph): boolean {
  let node = float.nodes[float.output] as FloatNode;
  while (node.op === "reshape" || node.op === "transpose") node = float.nodes[node.x] as FloatNode;
  return node.op === "argmax";
}
