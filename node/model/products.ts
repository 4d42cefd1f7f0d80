// The quantizer's rules for products of two tensors, one-hot rows and rearrangements, and the steps over rows (sums, maxima,
// repetitions) that softmax and normalization are made of.
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { add, level, reachOf, rescale, scaleAt, shapeOf, stepsOf } from "./build.ts";
import type { Value, Workbench } from "./build.ts";
import { exponentOf } from "./binary.ts";
import type { FloatRef } from "./graph.ts";
import { narrow, observedOf, valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";

const ONE = Float64Array.of(1);

/** Sums of products stay below this, so that a rescale by a coefficient of 12 bits can still read them. */
const SUM_BITS = 41;
/** What an operand keeps at least. */
const NARROW_BITS = 12;

/** Of two operands at scales of rows, the wider one rounded, then the other one, until their products add up to little enough. */
function fitting(job: Job, { name, a, b }: FloatOf<"matmul">, pair: readonly [Value, Value]): readonly [Value, Value] {
  const { bench } = job;
  const values = [...pair] as [Value, Value];
  const count = shapeOf(bench, values[0].ref).at(-1) as number;
  const bits = (k: 0 | 1): number => exponentOf(Math.max(1, reachOf(bench, values[k]))) + 1;
  const room = SUM_BITS - exponentOf(count) - 1;
  for (const k of bits(0) < bits(1) ? ([1, 0] as const) : ([0, 1] as const)) {
    const value = values[k];
    if (bits(0) + bits(1) <= room || value.scale.length > 1) continue;
    const aim = Math.max(NARROW_BITS, room - bits(k === 0 ? 1 : 0), Math.floor(room / 2));
    const target = { bits: aim, signed: true, lo: -Infinity, hi: Infinity, common: true };
    values[k] = rescale(bench, `${name}.operand`, value, observedOf(job, k === 0 ? a : b), target);
  }
  return values;
} // prettier-ignore

/** Both operands are narrow, but where the other one holds truth values (one-hot rows choose, and lose nothing). */
export function matmul(job: Job, node: FloatOf<"matmul">): Value {
  const { op, name, shape } = node;
  const inner = shape.length - 1;
  const chooses = (ref: FloatRef): boolean => reachOf(job.bench, valueOf(job, ref)) <= 1;
  const read = (ref: FloatRef, other: FloatRef, contracted: number): Value => {
    const value = chooses(other) ? valueOf(job, ref) : narrow(job, ref);
    return value.axis === contracted ? level(job.bench, value) : value;
  };
  let a = read(node.a, node.b, inner);
  let b = read(node.b, node.a, inner - 1);
  if (a.scale.length > 1 && b.axis !== a.axis) b = level(job.bench, b);
  [a, b] = fitting(job, node, [a, b]);
  const wide = a.scale.length > 1 ? a : b;
  const at = (value: Value, c: number): number => value.scale[value.scale.length === 1 ? 0 : c] as number;
  const scale = wide.scale.map((_, c) => at(a, c) * at(b, c));
  return add(job.bench, name, { op, a: a.ref, b: b.ref, shape }, scale, wide.axis);
}

/** Scales go along where those of the result vary along one axis; otherwise all elements share one. */
export function take(job: Job, node: FloatOf<"take">, ref: FloatRef): Value {
  const { op, name, shape, index } = node;
  if (job.raw.has(node.x)) job.raw.add(ref);
  const value = valueOf(job, node.x);
  const from = shapeOf(job.bench, value.ref);
  const kept = value.scale.length === 1 ? value : scalesOf(Float64Array.from(index, (i) => scaleAt(value, from, i)), shape); // prettier-ignore
  const x = kept === undefined ? level(job.bench, value) : value;
  const { scale, axis } = kept ?? x;
  return add(job.bench, name, { op, x: x.ref, index, shape }, scale, axis);
}

/** Scales of single elements as one scale, or one per index of an axis. */
function scalesOf(
  each: Float64Array,
  shape: Shape,
): { readonly scale: Float64Array; readonly axis: number } | undefined {
  if (each.every((scale) => scale === each[0])) return { scale: each.slice(0, 1), axis: 0 };
  for (let axis = 0; axis < shape.length; axis++) {
    const { count, inner } = stepsOf(shape, axis);
    if (each.every((scale, i) => scale === each[(Math.floor(i / inner) % count) * inner])) {
      return { scale: Float64Array.from({ length: count }, (_, c) => each[c * inner] as number), axis };
    }
  }
  return undefined;
}

/** An index at whatever scale it comes is rounded to whole numbers and clamped to the rows' length. */
export function onehot(job: Job, node: FloatOf<"onehot">, ref: FloatRef): Value {
  job.integers.add(ref);
  const { op, name, shape } = node;
  const last = (shape.at(-1) as number) - 1;
  const { bench } = job;
  const value = level(bench, valueOf(job, node.x));
  const bounds = bench.bounds[value.ref] as { readonly lo: Float64Array; readonly hi: Float64Array };
  const whole = value.scale[0] === 1 && bounds.lo.every((lo) => lo >= 0) && bounds.hi.every((hi) => hi <= last);
  const x = whole ? value : indexOf(bench, `${name}.index`, value, last);
  return add(bench, name, { op, x: x.ref, shape }, ONE);
}

/** clamp(round(x), 0, last) at a scale of 1; scales are powers of two, or as near to the index as 20 bits come. */
function indexOf(bench: Workbench, name: string, value: Value, last: number): Value {
  const shape = shapeOf(bench, value.ref);
  let [multiplier, shift] = [value.scale[0] as number, 0];
  while (!Number.isInteger(multiplier) && shift < 20) [multiplier, shift] = [2 * multiplier, shift + 1];
  const node = { op: "rescale", x: value.ref, shape, axis: 0, lo: 0, hi: last, ties: "up" } as const;
  return add(bench, name, { ...node, multiplier: [Math.max(1, Math.floor(multiplier + 0.5))], shift: [shift] }, ONE);
}

/** Sums over the last axis, which stays with size 1. */
export function sumRows(bench: Workbench, name: string, x: Value, bias = 0): Value {
  const shape = shapeOf(bench, x.ref);
  const weights = new Int32Array(shape.at(-1) as number).fill(1);
  const node = { op: "dense", x: x.ref, shape: shape.with(-1, 1), weights, bias: Float64Array.of(bias) } as const;
  return add(bench, name, node, x.scale, x.axis);
}

/** Maxima over the last axis, which stays with size 1; x has one scale. */
export function maxRows(bench: Workbench, name: string, x: Value): Value {
  const shape = shapeOf(bench, x.ref);
  const inner = shape.at(-1) as number;
  const rows = sizeOf(shape) / inner;
  const view = add(bench, `${name}.view`, { op: "reshape", x: x.ref, shape: [1, rows, inner, 1] }, x.scale);
  const windows = { kernel: [inner, 1], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1] } as const;
  const most = add(bench, name, { op: "maxpool", x: view.ref, shape: [1, rows, 1, 1], ...windows }, x.scale);
  return add(bench, `${name}.rows`, { op: "reshape", x: most.ref, shape: shape.with(-1, 1) }, x.scale);
}

/** Each row's single element, repeated `count` times. */
export function repeatRows(bench: Workbench, name: string, x: Value, count: number): Value {
  const shape = shapeOf(bench, x.ref);
  if (count === 1) return x;
  const index = Int32Array.from({ length: sizeOf(shape) * count }, (_, i) => Math.floor(i / count));
  return add(bench, name, { op: "take", x: x.ref, index, shape: shape.with(-1, count) }, x.scale, x.axis);
}
