// The integer graph: the one definition of a model's result. A typed list; node i yields tensor i; every op reads only
// earlier nodes. ONNX emission, evaluation, ranges and circuit are each one total table over `Op` (see Rules).
//
// All tensors hold integers with |v| < 2^53 and carry the batch dimension, 1. Bounds that make this true are in range.ts.
import type { BorderTensor, Shape } from "../core/tensor.ts";

/** Index of a node, and so of the tensor it yields. */
export type Ref = number;

interface Common {
  readonly shape: Shape;
  /** The ONNX node or tensor that this came from, for reports and for names in the emitted file. Unique. */
  readonly name: string;
}

/** The model's input: q stands for q * 2^exponent. Its values fill the type's whole range unless lo/hi narrow it. */
export interface InputNode extends Common {
  readonly op: "input";
  readonly border: BorderTensor;
}

/** y[..., n] = sum_k x[..., k] * weights[k * N + n] + bias[n]; weights K x N row-major, bias N. */
export interface DenseNode extends Common {
  readonly op: "dense";
  readonly x: Ref;
  readonly weights: Int32Array;
  readonly bias: Float64Array;
}

/**
 * 2-D convolution, NCHW (1-D models get a height of 1). weights [M, C/group, kh, kw]; bias: M values, or M*oh*ow values
 * (one per output element, for constants folded through zero padding).
 */
export interface ConvNode extends Common {
  readonly op: "conv";
  readonly x: Ref;
  readonly weights: Int32Array;
  readonly weightShape: readonly [number, number, number, number];
  readonly bias: Float64Array;
  readonly strides: readonly [number, number];
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
  readonly group: number;
}

/** y = x * factor + bias, element by element; both full-size, or length 1 for the same everywhere. */
export interface AffineNode extends Common {
  readonly op: "affine";
  readonly x: Ref;
  readonly factor: Float64Array;
  readonly bias: Float64Array;
}

/** y = sum_i factors[i] * xs[i], equal shapes (residual additions with scales aligned). */
export interface SumNode extends Common {
  readonly op: "sum";
  readonly xs: readonly Ref[];
  readonly factors: readonly number[];
}

/**
 * y = clamp(floor((x * multiplier + 2^(shift-1)) / 2^shift), lo, hi), shift >= 1; a shift of 0 adds nothing and only
 * clamps. multiplier and shift: one per index along `axis`, or length 1. multiplier is a positive integer.
 */
export interface RescaleNode extends Common {
  readonly op: "rescale";
  readonly x: Ref;
  readonly multiplier: readonly number[];
  readonly shift: readonly number[];
  readonly axis: number;
  readonly lo: number;
  readonly hi: number;
}

/** y = max(a, b), equal shapes. LeakyRelu is the maximum of two affine images of the same tensor. */
export interface MaxNode extends Common {
  readonly op: "max";
  readonly a: Ref;
  readonly b: Ref;
}

/** Window maximum over NCHW; padding never wins. pads: top, left, bottom, right (ceil_mode already resolved into them). */
export interface MaxPoolNode extends Common {
  readonly op: "maxpool";
  readonly x: Ref;
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
}

/** Index of the maximum along `axis` (kept with size 1); the lowest index wins a tie. */
export interface ArgMaxNode extends Common {
  readonly op: "argmax";
  readonly x: Ref;
  readonly axis: number;
}

export interface ReshapeNode extends Common {
  readonly op: "reshape";
  readonly x: Ref;
}

export interface TransposeNode extends Common {
  readonly op: "transpose";
  readonly x: Ref;
  readonly perm: readonly number[];
}

/** pads: begin of each axis, then end of each axis, as in ONNX, none negative. */
export interface PadNode extends Common {
  readonly op: "pad";
  readonly x: Ref;
  readonly pads: readonly number[];
  readonly value: number;
}

export interface ConcatNode extends Common {
  readonly op: "concat";
  readonly xs: readonly Ref[];
  readonly axis: number;
}

export type Node =
  | InputNode
  | DenseNode
  | ConvNode
  | AffineNode
  | SumNode
  | RescaleNode
  | MaxNode
  | MaxPoolNode
  | ArgMaxNode
  | ReshapeNode
  | TransposeNode
  | PadNode
  | ConcatNode;

export type Op = Node["op"];
export type NodeOf<K extends Op> = Extract<Node, { readonly op: K }>;

/** A concern's total table: a new op does not compile until every concern has a rule. */
export type Rules<R extends { readonly [K in Op]: unknown }> = R;

export interface Graph {
  readonly nodes: readonly Node[];
  /** Exactly one input for now, node 0. */
  readonly input: Ref;
  readonly output: { readonly ref: Ref; readonly border: BorderTensor };
}

/** The tensors that a node reads. */
export function readsOf(node: Node): readonly Ref[] {
  switch (node.op) {
    case "input":
      return [];
    case "sum":
    case "concat":
      return node.xs;
    case "max":
      return [node.a, node.b];
    default:
      return [node.x];
  }
}

export function nodeAt(graph: Graph, ref: Ref): Node {
  const node = graph.nodes[ref];
  if (node === undefined) throw new RangeError(`no node ${ref} in a graph of ${graph.nodes.length}`);
  return node;
}
