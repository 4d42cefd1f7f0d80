// Ops on quantized tensors whose sums are exact: Quantize-/DequantizeLinear, QLinearConv, QLinearMatMul, QGemm, ConvInteger
// and MatMulInteger. Tensors hold the file's own integers; a requantize node rounds as onnxruntime does (rounding.ts).
import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { Arithmetic } from "../rounding.ts";
import { roundToEven } from "../rounding.ts";
import { elemTypeOf, integerRange, isFloat } from "./constant.ts";
import type { Constant, ElemType } from "./constant.ts";
import { type Activation, affine, permuted, spread, tensorOf, transpose, type Value } from "./draft.ts";
import { windowAttributes } from "./linear.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import {
  axisIn,
  constantAt,
  flagOf,
  floatOf,
  intOf,
  intsOf,
  needFloat,
  type OpRule,
  optionalConstant,
  type Site,
  valueAt,
} from "./site.ts";
import { planeOf, unlift, windowsOf } from "./window.ts";

/** What integers of a tensor stand for: (q - zeroPoint) * scale, both one number or one per index of an axis. */
export interface Params {
  readonly scale: Float64Array;
  readonly zeroPoint: Float64Array;
  /** Of the zero point, and so of the tensor; undefined where there is none. */
  readonly type: ElemType | undefined;
}

const INTEGERS: readonly ElemType[] = ["uint8", "int8", "uint16", "int16", "int32"];

/** Inputs `scale` and `scale + 1`: constants with 1 or `count` entries. */
export function paramsAt(site: Site, scale: number, what: string, count = 1): Params {
  const scales = constantAt(site, scale, `${what}'s scale`);
  const zero = optionalConstant(site, scale + 1, `${what}'s zero point`);
  if (!isFloat(scales.type)) malformed(`its ${what}'s scale is ${scales.type}`);
  if (scales.type !== "float32") unsupported(`its ${what}'s scale is ${scales.type}`, "Use float32 scales.");
  const bad = scales.data.find((s) => !(s > 0 && s < Infinity));
  if (bad !== undefined) unsupported(`its ${what}'s scale holds ${bad}`, "Scales must be above 0.");
  if (zero !== undefined && !INTEGERS.includes(zero.type)) {
    unsupported(`its ${what}'s zero point is ${zero.type}`, "8- and 16-bit integers are read.");
  }
  const zeroPoint = zero?.data ?? Float64Array.of(0);
  for (const list of [scales.data, zeroPoint]) {
    if (list.length === 1 || list.length === count) continue;
    unsupported(
      `its ${what} has ${list.length} scales or zero points, not 1${count > 1 ? ` or ${count}` : ""}`,
      "Quantize activations per tensor and weights per output channel.",
    );
  }
  return { scale: scales.data, zeroPoint, type: zero?.type };
}

export function single(list: Float64Array): number {
  return list[0] as number;
}

/** The integer range of a quantized type. */
export function rangeOf(type: ElemType): readonly [lo: number, hi: number] {
  const range = INTEGERS.includes(type) ? integerRange(type) : undefined;
  return range ?? unsupported(`it computes on ${type} as quantized values`, "8- and 16-bit integers are read.");
}

/** Input `index`: integers that depend on the model's input. */
export function quantizedAt(site: Site, index: number, what = "input"): Activation {
  const value = valueAt(site, index);
  rangeOf(value.type);
  if (value.kind === "activation") return value;
  return unsupported(`its ${what} (input ${index}) is a constant`, "Fold constants first, with onnxsim.");
}

/** q - zeroPoint */
export function centered(site: Site, x: Activation, zeroPoint: number): Activation {
  if (zeroPoint === 0) return { ...x, type: "int32" };
  return { ...affine(site.draft, `${site.name}/centered`, x, 1, -zeroPoint), type: "int32" };
}

/** The accumulator as integers of `type`, by onnxruntime's arithmetic. */
export function requantizeTo(
  site: Site,
  x: Activation,
  scale: Float64Array,
  y: Params,
  more: { readonly axis?: number; readonly arithmetic?: Arithmetic; readonly type?: ElemType } = {},
): Activation {
  const type = y.type ?? more.type ?? "uint8";
  const [lo, hi] = rangeOf(type);
  const { axis = 0, arithmetic = "scaled" } = more;
  const { draft, name } = site;
  const zeroPoint = single(y.zeroPoint);
  if (hi - lo > 255) {
    draft.notices.push(
      `${quote(name)} is quantized to ${type}, for which onnxruntime computes in float32: it may differ by a step`,
    );
  }
  const rule = { op: "requantize", x: x.ref, axis, scale, zeroPoint, lo, hi, arithmetic } as const;
  return tensorOf(draft, { ...rule, shape: x.shape, name }, type);
}

/** f32(f32(a * b) / c), scale by scale. */
export function ratios(a: number, b: Float64Array, c: number): Float64Array {
  return b.map((scale) => Math.fround(Math.fround(a * scale) / c));
}

/** Accumulators are int32 in every runtime: what could wrap around is refused. */
function needInt32(weights: Float64Array, perOutput: number, reach: number, bias: Float64Array): void {
  const heaviest = bias.reduce((most, b) => Math.max(most, Math.abs(b)), 0);
  const weight = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 0);
  if (perOutput * weight * reach + heaviest < 2 ** 31) return;
  unsupported("its accumulators may leave int32, where runtimes wrap around", "Use narrower weights.");
}

/** The weights less their zero points: one per index of `axis`, or one. */
function centeredWeights(site: Site, w: Constant, zeroPoint: Float64Array, axis: number): Float64Array {
  site.draft.budget(w.data.length, "its weights");
  const inner = sizeOf(w.shape.slice(axis + 1));
  const at = (i: number): number => (zeroPoint.length === 1 ? 0 : Math.floor(i / inner) % zeroPoint.length);
  return w.data.map((v, i) => v - (zeroPoint[at(i)] as number));
}

const reachOf = (type: ElemType): number => rangeOf(type)[1] - rangeOf(type)[0];

// ---- products ----

/** [..., K] of centered integers times [K, N] of integers, plus N integers. */
function exactDense(site: Site, x: Activation, weights: Float64Array, bias: Float64Array, reach: number): Activation {
  const outer = bias.length;
  const inner = weights.length / outer;
  if (x.shape.at(-1) !== inner) malformed(`[${x.shape.join(", ")}] does not multiply ${inner} rows`);
  needInt32(weights, inner, reach, bias);
  const shape = x.shape.with(-1, outer);
  const node = { op: "dense", x: x.ref, weights, bias, exact: true, shape, name: `${site.name}/sum` } as const;
  return tensorOf(site.draft, node, "int32");
}

/** Matrix B as a constant of two dimensions. */
function matrixAt(site: Site, index: number): Constant {
  const b = constantAt(site, index, "matrix B");
  rangeOf(b.type);
  if (b.shape.length < 2 || sizeOf(b.shape.slice(0, -2)) !== 1) {
    unsupported(`its B is [${b.shape.join(", ")}]`, "A single matrix is read.");
  }
  return { ...b, shape: b.shape.slice(-2) };
}

/** Accumulators of a product, with the scales of both sides, and how far they reach. */
function product(
  site: Site,
  index: { readonly a: number; readonly b: number; readonly zeros: readonly [number, number] },
): Activation {
  const a = quantizedAt(site, index.a, "A");
  if (a.shape.length < 2) unsupported("its A is a vector", "Give it as a matrix of one row.");
  const b = matrixAt(site, index.b);
  const columns = b.shape[1] as number;
  const [zeroA, zeroB] = index.zeros.map((at, i) => zeroPointAt(site, at, i === 0 ? 1 : columns)) as [Float64Array, Float64Array]; // prettier-ignore
  const weights = centeredWeights(site, b, zeroB, 1);
  return exactDense(site, centered(site, a, single(zeroA)), weights, new Float64Array(columns), reachOf(a.type));
}

function zeroPointAt(site: Site, index: number, count: number): Float64Array {
  const data = optionalConstant(site, index, "zero point")?.data ?? Float64Array.of(0);
  if (data.length === 1 || data.length === count) return data;
  return unsupported(`it has ${data.length} zero points, not 1${count > 1 ? ` or ${count}` : ""}`);
}

function lowerQLinearMatMul(site: Site): Activation {
  const b = matrixAt(site, 3);
  const [a, own, y] = [paramsAt(site, 1, "A"), paramsAt(site, 4, "B", b.shape[1]), paramsAt(site, 6, "output")];
  const sum = product(site, { a: 0, b: 3, zeros: [2, 5] });
  const scale = ratios(single(a.scale), own.scale, single(y.scale));
  return requantizeTo(site, sum, scale, y, { axis: sum.shape.length - 1 });
}

function lowerQGemm(site: Site): Activation {
  const { draft, name } = site;
  const turned = flagOf(site, "transB", false);
  const given = constantAt(site, 3, "B");
  rangeOf(given.type);
  if (given.shape.length !== 2) malformed("its B is not a matrix");
  const [rows, columns] = given.shape as [number, number];
  const [inner, outer] = turned ? [columns, rows] : [rows, columns];
  const [a, b] = [paramsAt(site, 1, "A"), paramsAt(site, 4, "B", outer)];
  const left = quantizedAt(site, 0, "A");
  if (left.shape.length !== 2) malformed("its A is not a matrix");
  const x = flagOf(site, "transA", false) ? transpose(draft, `${name}/transA`, left, [1, 0]) : left;
  const centeredB = centeredWeights(site, given, b.zeroPoint, turned ? 0 : 1);
  const weights = turned ? permuted(centeredB, given.shape, [1, 0]) : centeredB;
  if (weights.length !== inner * outer) malformed("its B is not whole");
  const sum = exactDense(
    site,
    centered(site, x, single(a.zeroPoint)),
    weights,
    rowOf(site, 6, outer),
    reachOf(left.type),
  );
  const alpha = Math.fround(floatOf(site, "alpha", 1));
  const factor = Math.fround(alpha * single(a.scale));
  if (site.inputs[7] === undefined) return realOf(site, sum, b.scale.map((s) => Math.fround(factor * s)), 1); // prettier-ignore
  const y = paramsAt(site, 7, "output");
  const scale = b.scale.map((s) => Math.fround(Math.fround(factor * s) / single(y.scale)));
  return requantizeTo(site, sum, scale, y, { axis: 1 });
}

/** An int32 bias of one row. */
function rowOf(site: Site, index: number, columns: number): Float64Array {
  const bias = optionalConstant(site, index, "bias");
  if (bias === undefined) return new Float64Array(columns);
  if (bias.type !== "int32") malformed(`its bias is ${bias.type}`);
  if (sizeOf(bias.shape.slice(0, -1)) !== 1) unsupported("its bias has several rows", "Use one row.");
  return spread(site.draft, { ...bias, shape: bias.shape.slice(-1) }, [columns]);
}

/** Integers as the reals that they stand for. */
function realOf(site: Site, x: Activation, scale: Float64Array, axis: number): Activation {
  const shape: Shape = x.shape.map((_, k) => (k === axis ? scale.length : 1));
  const factor: Constant = { kind: "constant", type: "float32", shape, data: scale };
  const y = affine(site.draft, site.name, x, scale.length === 1 ? single(scale) : factor, 0);
  return { ...y, type: "float32" };
}

// ---- convolutions ----

interface ConvInputs {
  readonly w: number;
  readonly zeroX: number;
  readonly zeroW: number;
  readonly bias?: number;
}

/** Accumulators of a convolution; padding holds the zero point, as ONNX has it. */
function exactConv(
  site: Site,
  index: ConvInputs,
): { readonly sum: Activation; readonly done: (y: Activation) => Activation } {
  const plane = planeOf(site, quantizedAt(site, 0));
  const w = constantAt(site, index.w, "weights");
  rangeOf(w.type);
  const rank = plane.flat ? 1 : 2;
  if (w.shape.length !== rank + 2) malformed(`its weights have the shape [${w.shape.join(", ")}]`);
  const [maps, depth, ...kernel] = w.shape as [number, number, ...number[]];
  const declared = intsOf(site, "kernel_shape") ?? kernel;
  if (declared.length !== rank || declared.some((k, i) => k !== kernel[i])) malformed("its kernel_shape is not that of its weights"); // prettier-ignore
  const group = intOf(site, "group", 1);
  if (group < 1 || plane.x.shape[1] !== depth * group || maps % group !== 0) {
    malformed(`its channels, ${group} group(s) and weights [${w.shape.join(", ")}] do not fit together`);
  }
  const bias = index.bias === undefined ? new Float64Array(maps) : rowOf(site, index.bias, maps);
  const weights = centeredWeights(site, w, zeroPointAt(site, index.zeroW, maps), 0);
  const { pads, strides, dilations, out, kernel: size } = windowsOf(site, plane, kernel);
  needInt32(weights, weights.length / maps, reachOf(plane.x.type), bias);
  const x = centered(site, plane.x, single(zeroPointAt(site, index.zeroX, 1)));
  const weightShape = [maps, depth, ...size] as const;
  const more = { strides, pads, dilations, group, exact: true, shape: [1, maps, ...out], name: `${site.name}/sum` };
  const sum = tensorOf(site.draft, { op: "conv", x: x.ref, weights, weightShape, bias, ...more }, "int32");
  return { sum, done: (y) => unlift(site, plane, y) };
}

function lowerQLinearConv(site: Site): Activation {
  const maps = constantAt(site, 3, "weights").shape[0] ?? 1;
  const [x, w, y] = [paramsAt(site, 1, "input"), paramsAt(site, 4, "weights", maps), paramsAt(site, 6, "output")];
  const { sum, done } = exactConv(site, { w: 3, zeroX: 2, zeroW: 5, bias: 8 });
  return done(requantizeTo(site, sum, ratios(single(x.scale), w.scale, single(y.scale)), y, { axis: 1 }));
}

function lowerConvInteger(site: Site): Activation {
  const { sum, done } = exactConv(site, { w: 1, zeroX: 2, zeroW: 3 });
  return done(sum);
}

// ---- to and from reals ----

/** One scale and zero point per index of `axis` of a tensor of `shape`, as they lie along it. */
function along(site: Site, shape: Shape, params: Params): (list: Float64Array) => Constant {
  const axis = params.scale.length === 1 ? 0 : axisIn(intOf(site, "axis", 1), shape.length);
  const lengths = shape.map((dim, k) => (k === axis ? dim : 1));
  return (list) => ({ kind: "constant", type: "float32", shape: list.length === 1 ? [] : lengths, data: list });
}

function countAlong(site: Site, shape: Shape): number {
  const scale = constantAt(site, 1, "scale");
  if (intOf(site, "block_size", 0) !== 0)
    unsupported("it is quantized in blocks", "Quantize per tensor or per channel.");
  return scale.data.length === 1 ? 1 : (shape[axisIn(intOf(site, "axis", 1), shape.length)] as number);
}

function lowerQuantize(site: Site): Value {
  const x = valueAt(site, 0);
  needFloat(x.type);
  const params = paramsAt(site, 1, "output", countAlong(site, x.shape));
  const named = intOf(site, "output_dtype", 0);
  const type = params.type ?? (named === 0 ? "uint8" : elemTypeOf(named, "its result"));
  const [lo, hi] = rangeOf(type);
  const { draft, name } = site;
  if (x.kind === "constant") {
    const at = along(site, x.shape, params);
    const [scale, zero] = [spread(draft, at(params.scale), x.shape), spread(draft, at(params.zeroPoint), x.shape)];
    const data = x.data.map((v, i) => {
      const q = roundToEven(Math.fround(v / (scale[i] as number))) + (zero[i] as number);
      return Math.min(hi, Math.max(lo, q)) + 0;
    });
    return { kind: "constant", type, shape: x.shape, data };
  }
  if (params.scale.length > 1) return unsupported("it quantizes the model's own values per channel", "Quantize activations per tensor."); // prettier-ignore
  const scale = single(params.scale);
  const node = draft.nodes[x.ref];
  // The model's input, declared at this very power of two.
  if (node?.op === "input" && node.exponent !== undefined) return { ...affine(draft, name, x, 1 / scale, 0), type };
  return requantizeTo(site, x, Float64Array.of(1 / scale), { ...params, type }, { arithmetic: "exact" });
}

function lowerDequantize(site: Site): Value {
  const x = valueAt(site, 0);
  rangeOf(x.type);
  const params = paramsAt(site, 1, "input", countAlong(site, x.shape));
  const at = along(site, x.shape, params);
  const { draft, name } = site;
  if (x.kind === "constant") {
    const [scale, zero] = [spread(draft, at(params.scale), x.shape), spread(draft, at(params.zeroPoint), x.shape)];
    const data = x.data.map((q, i) => Math.fround((q - (zero[i] as number)) * (scale[i] as number)));
    return { kind: "constant", type: "float32", shape: x.shape, data };
  }
  const zeros = params.zeroPoint.map((zero) => -zero);
  const moved = affine(draft, `${name}/centered`, x, 1, at(zeros));
  return { ...affine(draft, name, moved, at(params.scale), 0), type: "float32" };
}

const quantization = {
  axis: { kind: "int" },
  block_size: { kind: "int", since: 21 },
  output_dtype: { kind: "int", since: 21 },
} as const;

const convolution = { ...windowAttributes, group: { kind: "int" } } as const;
const ownIntegers = "8-bit integers, constant weights and scales; bit for bit onnxruntime's";

/** Of the domain ai.onnx. */
export const QUANTIZED_RULES = {
  ConvInteger: {
    inputs: [2, 4],
    attributes: convolution,
    limits: "constant weights and zero points",
    lower: lowerConvInteger,
  },
  DequantizeLinear: {
    inputs: [2, 3],
    attributes: quantization,
    limits: "8- and 16-bit integers and int32, no blocks",
    lower: lowerDequantize,
  },
  MatMulInteger: {
    inputs: [2, 4],
    attributes: {},
    limits: "B and zero points constant",
    lower: (site) => product(site, { a: 0, b: 1, zeros: [2, 3] }),
  },
  QLinearConv: { inputs: [8, 9], attributes: convolution, limits: ownIntegers, lower: lowerQLinearConv },
  QLinearMatMul: { inputs: [8, 8], attributes: {}, limits: ownIntegers, lower: lowerQLinearMatMul },
  QuantizeLinear: {
    inputs: [2, 3],
    attributes: { ...quantization, saturate: { kind: "int", since: 19 }, precision: { kind: "int", since: 23 } },
    limits: "8- and 16-bit integers, activations per tensor",
    lower: lowerQuantize,
  },
} satisfies Record<string, OpRule>;

export const QGEMM: OpRule = {
  inputs: [6, 9],
  attributes: { alpha: { kind: "float" }, transA: { kind: "int" }, transB: { kind: "int" } },
  limits: `B and a bias of one row constant; ${ownIntegers}`,
  lower: lowerQGemm,
};
