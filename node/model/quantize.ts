// Float graph to integer graph: one rule per float op. Linear ops keep their wide accumulators as long as they can, since
// linear costs nothing in the circuit; only a Relu, a wide input to weights, or the output pays for a rescale.
import { NodeError } from "../core/errors.ts";
import { sizeOf } from "../core/tensor.ts";
import type { BorderTensor, Shape } from "../core/tensor.ts";
import { pow2 } from "./binary.ts";
import { needNames } from "./border.ts";
import type { Specs } from "./border.ts";
import { add, level, multiply, rescale, scaleAt, shapeOf } from "./build.ts";
import type { Value, Workbench } from "./build.ts";
import type { Observed } from "./calibrate.ts";
import { exactly, keepIntegers } from "./exact.ts";
import type { FloatGraph, FloatNode, FloatRef } from "./graph.ts";
import type { Graph, Output } from "./ir.ts";
import { affine, conv, dense, equalScales, sum } from "./linear.ts";
import { DEFAULT_WIDTHS, alongAxis, bitsOf, observedOf, valueOf } from "./lowering.ts";
import type { Choice, FloatOf, Job, OutputSpec, Widths } from "./lowering.ts";
import { normalize } from "./normalize.ts";
import { compare, div, max, mul, select } from "./nonlinear.ts";
import { leadsTo, toOutput } from "./output.ts";
import { matmul, onehot, take } from "./products.ts";
import { requantize } from "./requantize.ts";
import type { Certificate } from "./certificate.ts";
import { softmax } from "./softmax.ts";
import { step } from "./trees.ts";
import { unary } from "./unary.ts";

export { DEFAULT_WIDTHS };
export type { OutputSpec, Widths };

export interface Quantized {
  readonly graph: Graph;
  /** What each node's tensor stands for, by node. */
  readonly values: readonly Value[];
  readonly notices: readonly string[];
  readonly certificates: readonly Certificate[];
  readonly choices: readonly Choice[];
}

export function quantize(
  float: FloatGraph,
  observed: readonly Observed[],
  inputs: readonly BorderTensor[],
  outputSpecs: Specs<OutputSpec> = {},
  widths: Widths = DEFAULT_WIDTHS,
): Quantized {
  const { tensors = {}, ...kinds } = widths;
  for (const [which, bits] of Object.entries({ ...tensors, ...kinds })) {
    if (Number.isInteger(bits) && bits >= 2 && bits <= 16) continue;
    throw new NodeError("usage", `${bits} bits for ${which} are not from 2 to 16`, {
      mend: "Leave it out for the default.",
    });
  }
  const bench: Workbench = { nodes: [], names: new Map(), bounds: [], values: [] };
  needNames(outputSpecs, float.outputs.map(({ name }) => name), "output"); // prettier-ignore
  const job: Job = {
    float,
    observed,
    widths,
    inputs,
    outputSpecs,
    bench,
    values: [],
    raw: new Set(),
    integers: new Set(),
    outputs: new Map(),
    notices: [],
    certificates: [],
    choices: new Map(),
  };
  float.nodes.forEach((node, ref) => {
    job.values.push(exactly(job, node, ref) ?? (RULES[node.op] as Rule<FloatNode["op"]>)(job, node, ref));
    keepIntegers(job, node, ref);
  });
  const outputs = float.outputs.map(({ ref }, k): Output => {
    const value = valueOf(job, ref);
    const early = job.outputs.get(k);
    // Wiring behind a Relu that already took the output's form leaves that form alone.
    if (early !== undefined) return { ref: value.ref, border: early.border };
    const { border, value: last } = toOutput(job, k, ref, value, -Infinity, Infinity);
    return { ref: last.ref, border };
  });
  return {
    graph: { nodes: bench.nodes, outputs },
    values: bench.values,
    notices: job.notices,
    certificates: job.certificates,
    choices: [...job.choices.values()],
  };
}

type Rule<K> = (job: Job, node: FloatOf<K>, ref: FloatRef) => Value;

const ONE = Float64Array.of(1);

const RULES: { readonly [K in FloatNode["op"]]: Rule<K> } = {
  input: (job, node, ref) => {
    job.raw.add(ref);
    const border = job.inputs[ref] as BorderTensor;
    const scale = Float64Array.of(pow2(border.exponent));
    return add(job.bench, node.name, { op: "input", shape: node.shape, border }, scale);
  },
  dense: (job, node, ref) => dense(job, node, ref),
  conv: (job, node) => conv(job, node),
  affine: (job, node, ref) => {
    if (job.raw.has(node.x)) job.raw.add(ref);
    return affine(job, node);
  },
  sum: (job, node) => sum(job, node),
  clip: (job, node, ref) => {
    const value = valueOf(job, node.x);
    if (node.lo === -Infinity && node.hi === Infinity) return value;
    const k = job.float.outputs.findIndex((output) => leadsTo(job.float, output.ref, ref));
    if (k >= 0) {
      const early = toOutput(job, k, ref, value, node.lo, node.hi);
      job.outputs.set(k, early);
      return early.value;
    }
    return rescale(job.bench, node.name, value, observedOf(job, ref), {
      bits: bitsOf(job, "activations", node.name),
      signed: node.lo < 0,
      lo: node.lo,
      hi: node.hi,
      common: false,
    });
  },
  leaky: (job, node) => {
    // max(x, slope x), or -max(-x, -slope x) where the slope is above 1; slope = odd / 2^k to within 2^-11.
    const { bench } = job;
    const value = valueOf(job, node.x);
    const nearest = (bits: number): number => Math.floor(node.slope * 2 ** bits + 0.5);
    let k = 0;
    while (k < 12 && Math.abs(nearest(k) / 2 ** k - node.slope) > 2 ** -11) k++;
    const sign = node.slope > 1 ? -1 : 1;
    const a = multiply(bench, `${node.name}.positive`, value, Float64Array.of(sign * 2 ** k));
    const factor = Float64Array.of(nearest(k) === 0 ? 0 : sign * nearest(k));
    const slope = { op: "affine", x: value.ref, shape: node.shape, factor, bias: Float64Array.of(0) } as const;
    const b = add(bench, `${node.name}.negative`, slope, a.scale, a.axis);
    const max = add(bench, node.name, { op: "max", a: a.ref, b: b.ref, shape: node.shape }, a.scale, a.axis);
    return multiply(bench, `${node.name}.sign`, max, Float64Array.of(sign));
  },
  maxpool: (job, node) => {
    const x = alongAxis(job, valueOf(job, node.x), 1);
    const { kernel, strides, pads, dilations, shape, op } = node;
    return add(job.bench, node.name, { op, x: x.ref, kernel, strides, pads, dilations, shape }, x.scale, x.axis);
  },
  argmax: (job, { name, op, axis, x, shape }, ref) => {
    job.integers.add(ref);
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
  unary: (job, node, ref) => unary(job, node, ref),
  mul: (job, node, ref) => mul(job, node, ref),
  div: (job, node, ref) => div(job, node, ref),
  max: (job, node, ref) => max(job, node, ref),
  matmul: (job, node) => matmul(job, node),
  compare: (job, node, ref) => compare(job, node, ref),
  select: (job, node, ref) => select(job, node, ref),
  take: (job, node, ref) => take(job, node, ref),
  onehot: (job, node, ref) => onehot(job, node, ref),
  step: (job, node, ref) => step(job, node, ref),
  softmax: (job, node) => softmax(job, node),
  normalize: (job, node, ref) => normalize(job, node, ref),
  requantize: (job, node, ref) => requantize(job, node, ref),
};

/** Pads of one axis, begin and end together. */
function padsOf(pads: readonly number[], axis: number): number {
  return (pads[axis] as number) + (pads[axis + pads.length / 2] as number);
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
