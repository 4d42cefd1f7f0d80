// The float graph: what is left of an ONNX model once it is checked, its constants are folded and its shapes are fixed.
// A typed list like ir.ts, over reals. The reader (onnx/) makes it; the quantizer turns it into the integer graph.
import type { Shape } from "../core/tensor.ts";

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
}
/** y[..., n] = sum_k x[..., k] * weights[k * N + n] + bias[n] */
export interface FloatDense extends Common {
  readonly op: "dense";
  readonly x: FloatRef;
  readonly weights: Float64Array;
  readonly bias: Float64Array;
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
/** Lowest index wins a tie; the axis is kept with size 1. Last (but for reshapes) or refused. */
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
  | FloatConcat;

export interface FloatGraph {
  readonly nodes: readonly FloatNode[];
  /** Node 0. */
  readonly input: FloatRef;
  readonly output: FloatRef;
  readonly inputName: string;
  readonly outputName: string;
  /** A final Softmax is left to the reader (it is monotone): the axis it ran over, and which form. */
  readonly finalSoftmax?: { readonly kind: "softmax" | "logsoftmax"; readonly axis: number };
  /** Things that a person should know, e.g. that the batch dimension was fixed to 1. */
  readonly notices: readonly string[];
}
