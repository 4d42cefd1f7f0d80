// The quantizer's rule for integers of a model's own: onnxruntime's float32 requantization, as integers that are certified
// when the model is compiled. What is proven then equals the original file's result, bit for bit.
import { NodeError } from "../core/errors.ts";
import { sizeOf } from "../core/tensor.ts";
import { bitsFor, exponentOf } from "./binary.ts";
import { add, rescale, stepsOf, type Value } from "./build.ts";
import { certify, type Channel, type Form, formsOf } from "./certificate.ts";
import { isUnit } from "./exact.ts";
import type { FloatRequantize } from "./graph.ts";
import { lineFor, stepAt } from "./line.ts";
import { type Job, observedOf, valueOf } from "./lowering.ts";
import type { Bounds } from "./range.ts";
import { thresholdsOf } from "./rounding.ts";

const ONE = Float64Array.of(1);

export function requantize(job: Job, node: FloatRequantize, ref: number): Value {
  if (!isUnit(job, node.x)) return rounded(job, node, ref);
  job.integers.add(ref);
  const channels = channelsOf(job, node);
  const lines = channels.flatMap(({ line }) => line ?? []);
  const forms = lines.length < channels.length ? undefined : formsOf(lines, node.zeroPoint);
  job.certificates.push(certify(node.name, channels, forms));
  if (forms !== undefined) return byForms(job, node, forms);
  job.notices.push(tableNotice(node, channels));
  return byTable(job, node, channels);
}

/** One channel for each scale, with its range and thresholds; equal ones are computed once. */
function channelsOf(job: Job, node: FloatRequantize): readonly Channel[] {
  const bounds = job.bench.bounds[valueOf(job, node.x).ref] as Bounds;
  const { count, inner } = stepsOf(node.shape, node.axis);
  const ranges = Array.from(node.scale, () => [Infinity, -Infinity] as [number, number]);
  bounds.lo.forEach((low, i) => {
    const range = ranges[node.scale.length === 1 ? 0 : Math.floor(i / inner) % count] as [number, number];
    range[0] = Math.min(range[0], low);
    range[1] = Math.max(range[1], bounds.hi[i] as number);
  });
  const known = new Map<string, Channel>();
  return ranges.map(([from, to], c) => {
    const rounding = { ...node, arithmetic: node.arithmetic ?? "scaled", scale: node.scale[c] as number };
    if (rounding.arithmetic !== "exact" && Math.max(-from, to) >= 2 ** 31) {
      throw new NodeError("unsupported", `accumulators of "${node.name}" reach ${from} to ${to}, beyond int32`, {
        mend: "onnxruntime would wrap around there: quantize the layer's weights to fewer bits or split its inputs.",
      });
    }
    const key = [rounding.scale, from, to].join();
    const same = known.get(key);
    if (same !== undefined) return same;
    const steps = { lo: node.lo, hi: node.hi, from, to, thresholds: thresholdsOf(rounding, from, to) };
    const channel = { ...steps, rounding, line: lineFor(steps, rounding) };
    known.set(key, channel);
    return channel;
  });
}

/** A list with one entry per channel, element by element; of length 1 where all are equal. */
function spread(node: FloatRequantize, perChannel: readonly number[]): Float64Array {
  if (perChannel.every((v) => v === perChannel[0])) return Float64Array.of(perChannel[0] as number);
  const { count, inner } = stepsOf(node.shape, node.axis);
  return Float64Array.from(
    { length: sizeOf(node.shape) },
    (_, i) => perChannel[Math.floor(i / inner) % count] as number,
  );
}

/** factor * x + bias, each one per channel; nothing where that is x. */
function affine(
  job: Job,
  node: FloatRequantize,
  step: string,
  x: Value,
  factors: readonly number[],
  biases: readonly number[],
): Value {
  if (factors.every((f) => f === 1) && biases.every((b) => b === 0)) return x;
  const [factor, bias] = [spread(node, factors), spread(node, biases)];
  const long = Math.max(factor.length, bias.length);
  const full = (list: Float64Array): Float64Array =>
    list.length === long ? list : new Float64Array(long).fill(list[0] as number);
  const { shape } = node;
  const name = `${node.name}.${step}`;
  return add(job.bench, name, { op: "affine", x: x.ref, shape, factor: full(factor), bias: full(bias) }, ONE);
}

function byForms(job: Job, node: FloatRequantize, forms: readonly Form[]): Value {
  const [{ ties, offset }] = forms as readonly [Form];
  const x = mended(job, node, forms);
  const factors = forms.map(({ factor }) => factor);
  const scaled = affine(job, node, "line", x, factors, forms.map(({ bias }) => bias)); // prettier-ignore
  const shift = forms.map((form) => form.shift);
  const same = shift.every((s) => s === shift[0]);
  const y = add(
    job.bench,
    node.name,
    {
      op: "rescale",
      x: scaled.ref,
      shape: node.shape,
      axis: node.axis,
      multiplier: same ? [1] : shift.map(() => 1),
      shift: same ? shift.slice(0, 1) : shift,
      lo: node.lo - offset,
      hi: node.hi - offset,
      ties,
    },
    ONE,
  );
  return affine(job, node, "zero", y, [1], [offset]);
}

/** x with single accumulators moved to where the line has their value. */
function mended(job: Job, node: FloatRequantize, forms: readonly Form[]): Value {
  const x = valueOf(job, node.x);
  const most = Math.max(...forms.map(({ mends }) => mends.length));
  const moved: Value[] = [x];
  for (let j = 0; j < most; j++) {
    const mends = forms.map((form) => form.mends[j]);
    // Channels without such an accumulator test the constant 1, which costs nothing.
    const factors = mends.map((mend) => (mend === undefined ? 0 : 1));
    const away = affine(job, node, "away", x, factors, mends.map((mend) => (mend === undefined ? 1 : -mend.at))); // prettier-ignore
    const met = add(job.bench, `${node.name}.met`, { op: "iszero", x: away.ref, shape: node.shape }, ONE);
    moved.push(affine(job, node, "by", met, mends.map((mend) => mend?.by ?? 0), mends.map(() => 0))); // prettier-ignore
  }
  if (moved.length === 1) return x;
  const xs = moved.map(({ ref }) => ref);
  const sum = { op: "sum", xs, factors: xs.map(() => 1), shape: node.shape } as const;
  return add(job.bench, `${node.name}.mended`, sum, ONE);
}

/** y = value at the range's lower end + how many thresholds x has reached. */
function byTable(job: Job, node: FloatRequantize, channels: readonly Channel[]): Value {
  const x = valueOf(job, node.x);
  const { shape } = node;
  const inside = channels.map(({ thresholds, from, to }) => thresholds.filter((t) => t > from && t <= to));
  const levels = Math.max(1, ...inside.map((list) => list.length));
  const { count, inner } = stepsOf(shape, node.axis);
  const size = sizeOf(shape);
  const index = new Int32Array(size * levels);
  const threshold = new Float64Array(size * levels);
  for (let i = 0; i < size; i++) {
    const c = channels.length === 1 ? 0 : Math.floor(i / inner) % count;
    for (let k = 0; k < levels; k++) {
      index[i * levels + k] = i;
      threshold[i * levels + k] = inside[c]?.[k] ?? (channels[c] as Channel).to + 1; // Never reached: free.
    }
  }
  const wide = [...shape, levels];
  const steps = add(job.bench, `${node.name}.steps`, { op: "step", x: x.ref, shape: wide, index, threshold }, ONE);
  const weights = new Int32Array(levels).fill(1);
  const single = [...shape, 1];
  const dense = { op: "dense", x: steps.ref, shape: single, weights, bias: Float64Array.of(0) } as const;
  const sum = add(job.bench, `${node.name}.levels`, dense, ONE);
  const flat = add(job.bench, `${node.name}.flat`, { op: "reshape", x: sum.ref, shape }, ONE);
  return affine(job, node, "first", flat, channels.map(() => 1), channels.map((channel) => stepAt(channel, channel.from))); // prettier-ignore
}

/** Names the scales that no line meets, and the nearest that have a cheap one. */
function tableNotice(node: FloatRequantize, channels: readonly Channel[]): string {
  const odd = [...new Set(channels.filter(({ line }) => line === undefined).map(({ rounding }) => rounding.scale))];
  const listed = odd.slice(0, 3).map((scale) => {
    const shift = Math.max(0, 11 - exponentOf(scale));
    return `${scale} (near ${Math.round(scale * 2 ** shift)} * 2^-${shift})`;
  });
  return (
    `"${node.name}" compares each value with up to ${node.hi - node.lo} thresholds: no integer line steps where float32 ` +
    `does for ${odd.length} scale(s), such as ${listed.join(", ")}; scales of few bits, as in brackets, cost a tenth`
  );
}

/** QuantizeLinear of reals that the compiler itself brought to integers: as near as those are. */
function rounded(job: Job, node: FloatRequantize, ref: number): Value {
  job.notices.push(
    `"${node.name}" quantizes values that are computed in real numbers: there the compiler's own integers are proven, ` +
      "which may differ from onnxruntime's, most often by a step",
  );
  job.integers.add(ref);
  const scaled = valueOf(job, node.x);
  const scale = scaled.scale.map((s) => s * (node.scale[0] as number));
  const [lo, hi] = [node.lo - node.zeroPoint, node.hi - node.zeroPoint];
  const bits = 1 + bitsFor(lo, hi);
  const target = { bits, signed: true, lo, hi, common: true, exponent: 0 };
  const value = rescale(job.bench, node.name, { ...scaled, scale }, observedOf(job, ref), target);
  return affine(job, node, "zero", { ...value, scale: ONE }, [1], [node.zeroPoint]);
}
