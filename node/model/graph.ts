// The float graph: what is left of an ONNX model once it is checked, its constants are folded and its shapes are fixed.
// A typed list like ir.ts, over reals. The reader (onnx/) makes it; the quantizer turns it into the integer graph.
import type { Shape } from "../core/tensor.ts";
import type { FunctionName } from "./functions.ts";
import type { Arithmetic } from "./rounding.ts";

export type FloatRef = number;

interface Common {
  readonly shape: Shape;
  /** Unique; the ONNX node (or tensor) that it came from. */
  readonly name: string;
}

/** elemType: the ONNX element type of the declared input; integers arrive as they are. */
export interface FloatInput extends Common {
  readonly op: "input";
  readonly elemType: "float32" | "float64" | "uint8" | "int8" | "uint16" | "int16" | "int32" | "int64" | "bool";
  /** Reals that the model itself quantizes at once, as integers of elemType times 2^exponent. */
  readonly exponent?: number;
}
/** y[..., n] = sum_k x[..., k] * weights[k * N + n] + bias[n]; `exact`: weights and bias are integers to be kept as they are. */
export interface FloatDense extends Common {
  readonly op: "dense";
  readonly x: FloatRef;
  readonly weights: Float64Array;
  readonly bias: Float64Array;
  readonly exact?: boolean;
}
/** NCHW, weights [M, C/group, kh, kw], bias of M values or of M*oh*ow values. 1-D models are lifted to a height of 1. */
export interface FloatConv extends Common {
  readonly op: "conv";
  readonly x: FloatRef;
  readonly weights: Float64Array;
  readonly weightShape: readonly [number, number, number, number];
  readonly bias: Float64Array;
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly group: number;
  readonly exact?: boolean;
}
/** y = x * factor + bias, full-size or length 1. */
export interface FloatAffine extends Common {
  readonly op: "affine";
  readonly x: FloatRef;
  readonly factor: Float64Array;
  readonly bias: Float64Array;
}
/** y = sum_i factors[i] * xs[i], equal shapes after broadcasting was resolved. */
export interface FloatSum extends Common {
  readonly op: "sum";
  readonly xs: readonly FloatRef[];
  readonly factors: readonly number[];
}
/** y = min(max(x, lo), hi); Relu is [0, Infinity]. */
export interface FloatClip extends Common {
  readonly op: "clip";
  readonly x: FloatRef;
  readonly lo: number;
  readonly hi: number;
}
/** y = x < 0 ? slope * x : x */
export interface FloatLeaky extends Common {
  readonly op: "leaky";
  readonly x: FloatRef;
  readonly slope: number;
}
export interface FloatMaxPool extends Common {
  readonly op: "maxpool";
  readonly x: FloatRef;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
}
/** Lowest index wins a tie; the axis is kept with size 1. */
export interface FloatArgMax extends Common {
  readonly op: "argmax";
  readonly x: FloatRef;
  readonly axis: number;
}
export interface FloatReshape extends Common {
  readonly op: "reshape";
  readonly x: FloatRef;
}
export interface FloatTranspose extends Common {
  readonly op: "transpose";
  readonly x: FloatRef;
  readonly perm: readonly number[];
}
/** pads: begins, then ends, as in ONNX; none negative. */
export interface FloatPad extends Common {
  readonly op: "pad";
  readonly x: FloatRef;
  readonly pads: readonly number[];
  readonly value: number;
}
export interface FloatConcat extends Common {
  readonly op: "concat";
  readonly xs: readonly FloatRef[];
  readonly axis: number;
}

/** y = fn(x), element by element: one table, or segments of one. */
export interface FloatUnary extends Common {
  readonly op: "unary";
  readonly x: FloatRef;
  readonly fn: Expr;
}
/** y = a * b, equal shapes (broadcasting was resolved by takes), as for all ops of two tensors. */
export interface FloatMul extends Common {
  readonly op: "mul";
  readonly a: FloatRef;
  readonly b: FloatRef;
}
/** y = a / b; elements of b that are 0 are a refusal at calibration. */
export interface FloatDiv extends Common {
  readonly op: "div";
  readonly a: FloatRef;
  readonly b: FloatRef;
}
export interface FloatMax extends Common {
  readonly op: "max";
  readonly a: FloatRef;
  readonly b: FloatRef;
}
/** y[..., i, j] = sum_k a[..., i, k] * b[..., k, j]; equal leading dimensions. */
export interface FloatMatMul extends Common {
  readonly op: "matmul";
  readonly a: FloatRef;
  readonly b: FloatRef;
}
/** y = 1 where x is > 0, >= 0 or = 0, else 0. */
export interface FloatCompare extends Common {
  readonly op: "compare";
  readonly x: FloatRef;
  readonly relation: "positive" | "nonnegative" | "zero";
}
/** y = c ? a : b; c is 0 or 1. */
export interface FloatSelect extends Common {
  readonly op: "select";
  readonly c: FloatRef;
  readonly a: FloatRef;
  readonly b: FloatRef;
}
/** y[i] = x[index[i]], flat elements. */
export interface FloatTake extends Common {
  readonly op: "take";
  readonly x: FloatRef;
  readonly index: Int32Array;
}
/** y[..., k] = 1 where x = k, k < the last dimension; indices are clamped to it. */
export interface FloatOneHot extends Common {
  readonly op: "onehot";
  readonly x: FloatRef;
}
/** y[i] = x[index[i]] >= threshold[i] ? 1 : 0, flat elements; thresholds are exact in x's own precision. */
export interface FloatStep extends Common {
  readonly op: "step";
  readonly x: FloatRef;
  readonly index: Int32Array;
  readonly threshold: Float64Array;
}
/**
 * Softmax over the last axis; `log` for its logarithm. `mask`: full-size, 1 where an element counts, 0 where it is hidden
 * and yields 0; each row has one that counts, and `log` has no mask.
 */
export interface FloatSoftmax extends Common {
  readonly op: "softmax";
  readonly x: FloatRef;
  readonly log: boolean;
  readonly mask?: Uint8Array;
}
/** y = (x - mean) / sqrt(mean((x - mean)^2) + epsilon) over the last axis; without `centered`, the mean is taken for 0. */
export interface FloatNormalize extends Common {
  readonly op: "normalize";
  readonly x: FloatRef;
  readonly epsilon: number;
  readonly centered: boolean;
}
/**
 * y = clamp(rne(f32(f32(x) * scale[c])) + zeroPoint, lo, hi), as onnxruntime requantizes, or another arithmetic of
 * rounding.ts; x holds integers, scales are float32, one per index along `axis` or one. Its result holds integers, too:
 * models that are quantized already keep theirs.
 */
export interface FloatRequantize extends Common {
  readonly op: "requantize";
  readonly x: FloatRef;
  readonly axis: number;
  readonly scale: Float64Array;
  readonly zeroPoint: number;
  readonly lo: number;
  readonly hi: number;
  /** "scaled" if left out. */
  readonly arithmetic?: Arithmetic;
}

/**
 * A real function of one variable: "x", a number, or a function of ../functions.ts and its arguments, such as
 * ["mul", "x", ["sigmoid", "x"]].
 */
export type Expr = "x" | number | readonly [name: FunctionName, ...args: Expr[]];

export type FloatNode =
  | FloatInput
  | FloatDense
  | FloatConv
  | FloatAffine
  | FloatSum
  | FloatClip
  | FloatLeaky
  | FloatMaxPool
  | FloatArgMax
  | FloatReshape
  | FloatTranspose
  | FloatPad
  | FloatConcat
  | FloatUnary
  | FloatMul
  | FloatDiv
  | FloatMax
  | FloatMatMul
  | FloatCompare
  | FloatSelect
  | FloatTake
  | FloatOneHot
  | FloatStep
  | FloatSoftmax
  | FloatNormalize
  | FloatRequantize;

export interface FloatOutput {
  readonly ref: FloatRef;
  /** Its name in the ONNX file. */
  readonly name: string;
  /** A final Softmax is left to the reader (it is monotone): the axis it ran over, and which form. */
  readonly finalSoftmax?: { readonly kind: "softmax" | "logsoftmax"; readonly axis: number };
}

export interface FloatGraph {
  /** Its inputs are the first nodes, in the file's order and under the file's names. */
  readonly nodes: readonly FloatNode[];
  readonly outputs: readonly FloatOutput[];
  /** Things that a person should know, e.g. that the batch dimension was fixed to 1. */
  readonly notices: readonly string[];
}

export function floatInputs(graph: FloatGraph): readonly FloatInput[] {
  return graph.nodes.filter((node) => node.op === "input");
}
