// Sums of products of quantized tensors: QLinearConv, QLinearMatMul, QGemm, ConvInteger and MatMulInteger. Accumulators are
// exact int32; weights and biases are the file's own integers, less their zero points.
import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { Constant, ElemType } from "./constant.ts";
import { type Activation, affine, permuted, sameShape, spread, tensorOf, transpose } from "./draft.ts";
import { windowAttributes } from "./linear.ts";
import { malformed, unsupported } from "./problems.ts";
import { centered, type Params, paramsAt, quantizedAt, rangeOf, ratios, requantizeTo, single } from "./quantized.ts";
import {
  constantAt,
  flagOf,
  floatOf,
  intOf,
  intsOf,
  type OpRule,
  optionalConstant,
  type Site,
  valueAt,
} from "./site.ts";
import { planeOf, unlift, windowsOf } from "./window.ts";

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
  return unsupported(
    `it has ${data.length} zero points, not 1${count > 1 ? ` or ${count}` : ""}`,
    "Quantize activations per tensor.",
  );
}

function lowerQLinearMatMul(site: Site): Activation {
  const [a, y] = [paramsAt(site, 1, "A"), paramsAt(site, 6, "output")];
  const moving = valueAt(site, 3).kind === "activation";
  const b = paramsAt(site, 4, "B", moving ? 1 : matrixAt(site, 3).shape[1]);
  const sum = moving ? movingProduct(site, a, b) : product(site, { a: 0, b: 3, zeros: [2, 5] });
  const scale = ratios(single(a.scale), b.scale, single(y.scale));
  return requantizeTo(site, sum, scale, y, { axis: sum.shape.length - 1 });
}

/** Accumulators of two tensors that both depend on the model's input. */
function movingProduct(site: Site, a: Params, b: Params): Activation {
  const [left, right] = [quantizedAt(site, 0, "A"), quantizedAt(site, 3, "B")];
  const [rows, inner, columns] = [left.shape.at(-2), left.shape.at(-1), right.shape.at(-1)];
  const same = sameShape(left.shape.slice(0, -2), right.shape.slice(0, -2)) && right.shape.at(-2) === inner;
  if (rows === undefined || inner === undefined || columns === undefined || !same) {
    return unsupported(`it multiplies [${left.shape.join(", ")}] and [${right.shape.join(", ")}]`, "Give both the same leading dimensions."); // prettier-ignore
  }
  const [x, y] = [centered(site, left, single(a.zeroPoint)), centered(site, right, single(b.zeroPoint))];
  const shape = [...left.shape.slice(0, -1), columns];
  return tensorOf(site.draft, { op: "matmul", a: x.ref, b: y.ref, shape, name: `${site.name}/sum` }, "int32");
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

const convolution = { ...windowAttributes, group: { kind: "int" } } as const;
const ownIntegers = "8-bit integers, constant weights and scales; bit for bit onnxruntime's";

/** Of the domain ai.onnx. */
export const QUANTIZED_SUM_RULES = {
  ConvInteger: {
    inputs: [2, 4],
    attributes: convolution,
    limits: "constant weights and zero points",
    lower: lowerConvInteger,
  },
  MatMulInteger: {
    inputs: [2, 4],
    attributes: {},
    limits: "B and zero points constant",
    lower: (site) => product(site, { a: 0, b: 1, zeros: [2, 3] }),
  },
  QLinearConv: { inputs: [8, 9], attributes: convolution, limits: ownIntegers, lower: lowerQLinearConv },
  QLinearMatMul: { inputs: [8, 8], attributes: {}, limits: ownIntegers, lower: lowerQLinearMatMul },
} satisfies Record<string, OpRule>;

export const QGEMM: OpRule = {
  inputs: [6, 9],
  attributes: { alpha: { kind: "float" }, transA: { kind: "int" }, transB: { kind: "int" } },
  limits: `B and a bias of one row constant; ${ownIntegers}`,
  lower: lowerQGemm,
};
