// Normalizations as exporters spell them out: x less its mean, divided by the root of the mean of squares and an epsilon. Here
// the pieces become one normalize node, which has a circuit of its own: a root and a reciprocal a row, not an element.
import { sizeOf } from "../../core/tensor.ts";
import type { Expr, FloatDense, FloatNode, FloatRef } from "../graph.ts";
import { permuted } from "./draft.ts";
import { replace, type Work } from "./rewrite.ts";

/** Rows of elements: flat positions in the tensor that they were taken from, row by row. */
interface Rows {
  readonly positions: Float64Array;
  readonly length: number;
}

interface Mean {
  /** What is averaged, with its rows. */
  readonly x: FloatRef;
  readonly rows: Rows;
  /** n times what is taken of each of a row's n elements: 1 for a mean. */
  readonly share: number;
  readonly bias: number;
}

const nodeAt = (work: Work, ref: FloatRef): FloatNode => work.nodes[ref] as FloatNode;

function iota(size: number): Float64Array {
  return Float64Array.from({ length: size }, (_, i) => i);
}

function unviewed(work: Work, ref: FloatRef): FloatRef {
  let at = ref;
  for (let node = nodeAt(work, at); node.op === "reshape"; node = nodeAt(work, at)) at = node.x;
  return at;
}

/** Through views back to what a dense node sums up. */
function rowsOf(work: Work, dense: FloatDense): { readonly x: FloatRef; readonly rows: Rows } {
  const views: FloatRef[] = [];
  let x = dense.x;
  for (let node = nodeAt(work, x); node.op === "reshape" || node.op === "transpose"; node = nodeAt(work, x)) {
    views.unshift(x);
    x = node.x;
  }
  let { shape } = nodeAt(work, x);
  let positions = iota(sizeOf(shape));
  for (const ref of views) {
    const view = nodeAt(work, ref);
    if (view.op === "transpose") positions = new Float64Array(permuted(positions, shape, view.perm));
    ({ shape } = view);
  }
  return { x, rows: { positions, length: dense.weights.length } };
}

/** share * mean(x) + bias over rows, if that is what `ref` holds. */
function meanAt(work: Work, ref: FloatRef): Mean | undefined {
  const at = unviewed(work, ref);
  const node = nodeAt(work, at);
  if (node.op === "affine") {
    const [factor, bias] = [node.factor[0] as number, node.bias[0] as number];
    if (node.factor.some((f) => f !== factor) || node.bias.some((b) => b !== bias)) return undefined;
    const mean = meanAt(work, node.x);
    return mean && { ...mean, share: mean.share * factor, bias: mean.bias * factor + bias };
  }
  if (node.op === "conv") return planeMean(work, node);
  if (node.op !== "dense" || node.bias.length !== 1) return undefined;
  const weight = node.weights[0] as number;
  if (node.weights.some((w) => w !== weight)) return undefined;
  return { ...rowsOf(work, node), share: weight * node.weights.length, bias: node.bias[0] as number };
}

/** A mean over each channel's whole plane, as the reader makes it. */
function planeMean(work: Work, node: Extract<FloatNode, { op: "conv" }>): Mean | undefined {
  const x = unviewed(work, node.x);
  const [, channels, height, width] = nodeAt(work, node.x).shape as [number, number, number, number];
  const [, depth, kh, kw] = node.weightShape;
  const weight = node.weights[0] as number;
  const whole = depth === 1 && node.group === channels && kh === height && kw === width && node.shape[1] === channels;
  if (!whole || node.weights.some((w) => w !== weight) || node.bias.some((b) => b !== 0)) return undefined;
  const length = height * width;
  return { x, rows: { positions: iota(channels * length), length }, share: weight * length, bias: 0 };
}

/** The row's values that `ref` repeats for each element of its row: the tensor of one value a row. */
function repeated(work: Work, ref: FloatRef, rows: Rows): FloatRef | undefined {
  const node = nodeAt(work, unviewed(work, ref));
  if (node.op !== "take" || node.index.length !== rows.positions.length) return undefined;
  const fits = rows.positions.every((at, i) => node.index[at] === Math.floor(i / rows.length));
  return fits ? node.x : undefined;
}

const sameRows = (a: Rows, b: Rows): boolean =>
  a.length === b.length && a.positions.length === b.positions.length && a.positions.every((at, i) => at === b.positions[i]); // prettier-ignore

/** x, if `ref` holds x less the mean of its row. */
function centeredAt(work: Work, ref: FloatRef, rows: Rows): FloatRef | undefined {
  const node = nodeAt(work, ref);
  if (node.op !== "sum" || node.xs.length !== 2) return undefined;
  const [p, q] = node.xs as [FloatRef, FloatRef];
  const [x, other] = node.factors[0] === 1 ? [p, q] : [q, p];
  if (node.factors[0] === node.factors[1] || node.factors.some((f) => Math.abs(f) !== 1)) return undefined;
  const row = repeated(work, other, rows);
  const mean = row === undefined ? undefined : meanAt(work, row);
  const fits = mean !== undefined && mean.bias === 0 && near(mean.share, 1) && sameRows(mean.rows, rows);
  return fits && mean.x === unviewed(work, x) ? x : undefined;
}

function near(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-6 * Math.abs(b);
}

function squareOf(work: Work, ref: FloatRef): FloatRef | undefined {
  const node = nodeAt(work, unviewed(work, ref));
  if (node.op === "mul") return node.a === node.b ? node.a : undefined;
  if (node.op !== "unary" || typeof node.fn !== "object") return undefined;
  const [name, a, b] = node.fn;
  const square = (name === "pow" && a === "x" && b === 2) || (name === "mul" && a === "x" && b === "x");
  return square ? node.x : undefined;
}

const isRoot = (fn: Expr): boolean => typeof fn === "object" && fn[0] === "sqrt" && fn[1] === "x";
const isInverse = (fn: Expr): boolean => typeof fn === "object" && fn[0] === "div" && fn[1] === 1 && fn[2] === "x";
const isInverseRoot = (fn: Expr): boolean => {
  if (typeof fn !== "object") return false;
  if (fn[0] === "pow") return fn[1] === "x" && fn[2] === -0.5;
  return fn[0] === "div" && fn[1] === 1 && fn[2] !== undefined && isRoot(fn[2]);
};

/** What the root is taken of, if `ref` holds a root, or one over it where `inverse`. */
function underRoot(work: Work, ref: FloatRef, inverse: boolean): FloatRef | undefined {
  const node = nodeAt(work, unviewed(work, ref));
  if (node.op !== "unary") return undefined;
  if (!inverse) return isRoot(node.fn) ? node.x : undefined;
  if (isInverseRoot(node.fn)) return node.x;
  return isInverse(node.fn) ? underRoot(work, node.x, false) : undefined;
}

/** d / root(mean(d^2) + epsilon), or d times one over it. A pass's rule. */
export function recognizeNorms(node: FloatNode, work: Work): FloatNode {
  if (node.op === "div") return recognized(node, work, node.a, node.b, false) ?? node;
  if (node.op !== "mul" || node.a === node.b) return node;
  return recognized(node, work, node.a, node.b, true) ?? recognized(node, work, node.b, node.a, true) ?? node;
}

function recognized(
  node: FloatNode,
  work: Work,
  above: FloatRef,
  below: FloatRef,
  inverse: boolean,
): FloatNode | undefined {
  const spread = unviewed(work, below);
  const take = nodeAt(work, spread);
  if (take.op !== "take") return undefined;
  const root = underRoot(work, take.x, inverse);
  const mean = root === undefined ? undefined : meanAt(work, root);
  if (mean === undefined || !near(mean.share, 1) || !(mean.bias >= 0)) return undefined;
  const distance = squareOf(work, mean.x);
  if (distance === undefined || repeated(work, below, mean.rows) === undefined) return undefined;
  const from = centeredAt(work, distance, mean.rows);
  // The distance may be computed twice: both times of the same x.
  const same = distance === above || (from !== undefined && centeredAt(work, above, mean.rows) === from);
  if (!same) return undefined;
  const x = from ?? distance;
  const { length, positions } = mean.rows;
  const part = { op: "normalize", epsilon: mean.bias, centered: from !== undefined, name: node.name } as const;
  const straight = positions.every((at, i) => at === i);
  const { shape } = nodeAt(work, x);
  if (straight && shape.at(-1) === length && node.shape.length === shape.length)
    return { ...part, x, shape: node.shape };
  return throughRows(node, work, spread, x, part, mean.rows);
}

/** Where rows do not lie along the last axis: x row by row, normalized, and back; in the places of what is not needed now. */
function throughRows(
  node: FloatNode,
  work: Work,
  spread: FloatRef,
  x: FloatRef,
  part: Omit<Extract<FloatNode, { op: "normalize" }>, "x" | "shape">,
  { length, positions }: Rows,
): FloatNode | undefined {
  const take = nodeAt(work, spread) as Extract<FloatNode, { op: "take" }>;
  const free = unviewed(work, take.x);
  if (work.uses[free] !== 1 || work.uses[spread] !== 1) return undefined;
  const shape = [positions.length / length, length];
  const back = new Int32Array(positions.length);
  positions.forEach((at, i) => (back[at] = i));
  const straight = positions.every((at, i) => at === i);
  const view = (from: FloatRef, index: Int32Array, to: readonly number[], name: string): FloatNode =>
    straight ? { op: "reshape", x: from, shape: to, name } : { op: "take", x: from, index, shape: to, name };
  replace(work, free, view(x, Int32Array.from(positions), shape, nodeAt(work, free).name));
  replace(work, spread, { ...part, x: free, shape, name: take.name });
  return view(spread, back, node.shape, node.name);
}
