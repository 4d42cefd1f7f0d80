// The integer graph: the one definition of a model's result. A typed list; node i yields tensor i; every op reads only
// earlier nodes. ONNX emission, evaluation, ranges and circuit are each one total table over `Op` (see Rules).
//
// All tensors hold integers with |v| < 2^53, are of any rank, and carry the batch dimension (1) where the model has one.
// Bounds that make this true, and say which operands an op can take at all, are in range.ts.
import { NodeError } from "../core/errors.ts";
import type { BorderTensor, Shape } from "../core/tensor.ts";
export { readsOf } from "./refs.ts";

/** Index of a node, and so of the tensor it yields. */
export type Ref = number;

interface Common {
  readonly shape: Shape;
  /** The ONNX node or tensor that this came from, for reports and for names in the emitted file. Unique. */
  readonly name: string;
}

/** One of the model's inputs: q stands for q * 2^exponent. Its values fill the type's whole range. */
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
 * y = clamp(x * multiplier / 2^shift rounded to the nearest integer, lo, hi). multiplier and shift: one per index along
 * `axis`, or length 1. multiplier is a positive integer.
 */
export interface RescaleNode extends Common {
  readonly op: "rescale";
  readonly x: Ref;
  readonly multiplier: readonly number[];
  readonly shift: readonly number[];
  readonly axis: number;
  readonly lo: number;
  readonly hi: number;
  /**
   * What is halfway between two integers goes to the upper one: floor((x * multiplier + 2^(shift-1)) / 2^shift) for a shift
   * above 0; or to the even one, as in ONNX' Round.
   */
  readonly ties: "up" | "even";
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

/** y = a * b, element by element, equal shapes. */
export interface MulNode extends Common {
  readonly op: "mul";
  readonly a: Ref;
  readonly b: Ref;
}

/** y[..., i, j] = sum_k a[..., i, k] * b[..., k, j]; ranks of at least 2, equal leading dimensions. */
export interface MatMulNode extends Common {
  readonly op: "matmul";
  readonly a: Ref;
  readonly b: Ref;
}

/** y = floor(a / b), equal shapes; static bounds show that b >= 1 and |a| + b < 2^50. */
export interface DivNode extends Common {
  readonly op: "div";
  readonly a: Ref;
  readonly b: Ref;
}

/** y = floor(sqrt(x)); static bounds show that 0 <= x < 2^50. */
export interface SqrtNode extends Common {
  readonly op: "sqrt";
  readonly x: Ref;
}

/**
 * y = table[x - first]; static bounds show that x lies in the table. One table for all elements, or one per index along
 * `axis`, one after the other, all of the same length and with the same first.
 */
export interface LookupNode extends Common {
  readonly op: "lookup";
  readonly x: Ref;
  readonly axis: number;
  readonly first: number;
  /** Entries of one table. */
  readonly length: number;
  readonly table: Float64Array;
}

/** y[i] = 1 if x[index[i]] >= threshold[i], else 0: flat elements of x, as many as y has. Trees and level tables. */
export interface StepNode extends Common {
  readonly op: "step";
  readonly x: Ref;
  readonly index: Int32Array;
  readonly threshold: Float64Array;
}

/** y = 1 if x = 0, else 0. */
export interface IsZeroNode extends Common {
  readonly op: "iszero";
  readonly x: Ref;
}

/** y[..., k] = 1 if x[...] = k, else 0: a new last axis; static bounds show that x is one of its indices. */
export interface OneHotNode extends Common {
  readonly op: "onehot";
  readonly x: Ref;
}

/** y = c = 1 ? a : b, equal shapes; static bounds show that c is 0 or 1. */
export interface SelectNode extends Common {
  readonly op: "select";
  readonly c: Ref;
  readonly a: Ref;
  readonly b: Ref;
}

/** y[i] = x[index[i]], flat elements: slices, repetitions, reversals, any rearrangement known at compile time. */
export interface TakeNode extends Common {
  readonly op: "take";
  readonly x: Ref;
  readonly index: Int32Array;
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
  | ConcatNode
  | MulNode
  | MatMulNode
  | DivNode
  | SqrtNode
  | LookupNode
  | StepNode
  | IsZeroNode
  | OneHotNode
  | SelectNode
  | TakeNode;

export type Op = Node["op"];
export type NodeOf<K extends Op> = Extract<Node, { readonly op: K }>;

/** A concern's total table: a new op does not compile until every concern has a rule. */
export type Rules<R extends { readonly [K in Op]: unknown }> = R;

export interface Output {
  readonly ref: Ref;
  readonly border: BorderTensor;
}

export interface Graph {
  /** Its inputs are the first nodes, in the order in which the wire format spells them. */
  readonly nodes: readonly Node[];
  /** In the order in which the wire format spells them; at least one. */
  readonly outputs: readonly Output[];
}

/** The graph's inputs, in order. @throws NodeError "internal" if there is none */
export function inputsOf(graph: Graph): readonly InputNode[] {
  const inputs = graph.nodes.filter((node) => node.op === "input");
  if (inputs.length === 0) throw new NodeError("internal", "an integer graph begins with its inputs");
  return inputs;
}

/** What carries the graph's inputs, and its outputs. */
export function bordersOf(graph: Graph): {
  readonly inputs: readonly BorderTensor[];
  readonly outputs: readonly BorderTensor[];
} {
  return { inputs: inputsOf(graph).map(({ border }) => border), outputs: graph.outputs.map(({ border }) => border) };
}

export function nodeAt(graph: Graph, ref: Ref): Node {
  const node = graph.nodes[ref];
  if (node === undefined) throw new RangeError(`no node ${ref} in a graph of ${graph.nodes.length}`);
  return node;
}
