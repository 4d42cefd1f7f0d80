// Makes a float graph smaller without changing what it computes in real arithmetic: views collapse, padding and affine
// maps (fold.ts) go into the linear ops beside them. Every rule is exact; each pass is linear in the graph's size.
import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { FloatAffine, FloatConv, FloatGraph, FloatMaxPool, FloatNode } from "../graph.ts";
import { sameShape } from "./draft.ts";
import { embed } from "./embed.ts";
import { foldBefore, foldBehind } from "./fold.ts";
import { fuse } from "./fuse.ts";
import { maskSoftmax } from "./mask.ts";
import { recognizeNorms } from "./norms.ts";
import { type Problem, quote, throwIfAny } from "./problems.ts";
import { pass, replace, type Work } from "./rewrite.ts";
import { tapsWithin } from "./window.ts";

/** A transposition that only moves axes of length 1 leaves the elements where they are. */
function keepsOrder(shape: Shape, perm: readonly number[]): boolean {
  const long = perm.filter((axis) => shape[axis] !== 1);
  return long.every((axis, i) => i === 0 || axis > (long[i - 1] as number));
}

function composed(outer: FloatAffine, inner: FloatAffine): FloatAffine {
  const wide = [outer, inner].find((node) => node.factor.length > 1) ?? outer;
  const pick = (data: Float64Array, i: number): number => data[data.length === 1 ? 0 : i] as number;
  const factor = wide.factor.map((_, i) => pick(outer.factor, i) * pick(inner.factor, i));
  const bias = wide.factor.map((_, i) => pick(outer.factor, i) * pick(inner.bias, i) + pick(outer.bias, i));
  return { ...outer, x: inner.x, factor, bias };
}

/** Views collapse; affine maps meet; element-by-element ops move in front of reshapes, to the op that they belong to. */
function tidy(node: FloatNode, work: Work, index: number): FloatNode | number {
  if (!("x" in node) && node.op !== "concat") return node;
  if (node.op === "concat") return node.xs.length === 1 ? (node.xs[0] as number) : node;
  const from = work.nodes[node.x] as FloatNode;
  switch (node.op) {
    case "reshape":
      if (from.op === "reshape") return tidy({ ...node, x: from.x }, work, index);
      return sameShape(node.shape, from.shape) ? node.x : node;
    case "transpose": {
      if (from.op === "transpose") {
        const perm = node.perm.map((axis) => from.perm[axis] as number);
        return tidy({ ...node, x: from.x, perm }, work, index);
      }
      if (!keepsOrder(from.shape, node.perm)) return node;
      return tidy({ op: "reshape", x: node.x, shape: node.shape, name: node.name }, work, index);
    }
    case "take":
      if (from.op === "reshape") return tidy({ ...node, x: from.x }, work, index);
      if (from.op === "take") {
        const { index: inner } = from;
        return tidy({ ...node, x: from.x, index: node.index.map((i) => inner[i] as number) }, work, index);
      }
      if (node.index.length !== sizeOf(from.shape) || node.index.some((at, i) => at !== i)) return node;
      return tidy({ op: "reshape", x: node.x, shape: node.shape, name: node.name }, work, index);
    case "pad":
      return node.pads.every((pad) => pad === 0) ? node.x : node;
    case "affine":
      if (node.factor.every((v) => v === 1) && node.bias.every((v) => v === 0)) return node.x;
      if (from.op === "affine" && work.uses[node.x] === 1) return tidy(composed(node, from), work, index);
      return beforeReshape(node, work);
    case "clip":
    case "leaky":
    case "unary":
      return beforeReshape(node, work);
    default:
      return node;
  }
}

/** op(reshape(x)) as reshape(op(x)), where nothing else reads the reshape: the two change places in the list. */
function beforeReshape(node: Extract<FloatNode, { op: "affine" | "clip" | "leaky" | "unary" }>, work: Work): FloatNode {
  const view = work.nodes[node.x] as FloatNode;
  if (view.op !== "reshape" || work.uses[node.x] !== 1) return node;
  const shape = (work.nodes[view.x] as FloatNode).shape;
  const moved = tidy({ ...node, x: view.x, shape }, work, node.x);
  const below = typeof moved === "number" ? moved : node.x;
  if (typeof moved !== "number") replace(work, node.x, moved);
  return { op: "reshape", x: below, shape: node.shape, name: view.name };
}

/** Zeros before a conv, and what never wins before a max-pool, become its own padding. */
function mergePad(node: FloatNode, work: Work): FloatNode | number {
  if (node.op !== "conv" && node.op !== "maxpool") return node;
  let merged: FloatConv | FloatMaxPool = node;
  for (;;) {
    const pad = work.nodes[merged.x] as FloatNode;
    if (pad.op !== "pad" || pad.shape.length !== 4) return merged;
    const [n, c, top, left, n2, c2, bottom, right] = pad.pads as [number, ...number[]] & { length: 8 };
    const before = work.nodes[pad.x] as FloatNode;
    const never = pad.value === -Infinity || (before.op === "clip" && pad.value <= before.lo);
    const neutral = merged.op === "conv" ? pad.value === 0 : never && windowsTouch(merged, pad.shape, pad.pads);
    if (n !== 0 || c !== 0 || n2 !== 0 || c2 !== 0 || !neutral) return merged;
    const [a, b, d, e] = merged.pads;
    merged = { ...merged, x: pad.x, pads: [a + (top as number), b + (left as number), d + (bottom as number), e + (right as number)] }; // prettier-ignore
  }
}

/** Does each window of the pool hold an element that is not padding? */
function windowsTouch(pool: FloatMaxPool, padded: Shape, pads: readonly number[]): boolean {
  const windows = { ...pool, out: pool.shape.slice(2) as [number, number] };
  return ([0, 1] as const).every((axis) => {
    const begin = pool.pads[axis] + (pads[2 + axis] as number);
    const end = pool.pads[axis] + (padded[2 + axis] as number) - (pads[6 + axis] as number);
    return !tapsWithin(windows, axis, begin, end).includes(0);
  });
}

/** Folding can overflow, and padding that found no pool may be infinite. @throws NodeError "unsupported" */
function checkFinite(graph: FloatGraph): void {
  const numbers = (node: FloatNode): readonly (Float64Array | number)[] => {
    if (node.op === "dense" || node.op === "conv") return [node.weights, node.bias];
    if (node.op === "affine") return [node.factor, node.bias];
    return node.op === "pad" ? [node.value] : [];
  };
  const problems = graph.nodes.flatMap((node): Problem[] => {
    const bad = numbers(node).some((v) => (typeof v === "number" ? !Number.isFinite(v) : !v.every(Number.isFinite)));
    const hides = node.op === "affine" && node.bias.includes(-Infinity);
    const why =
      node.op === "pad"
        ? "it pads with an infinite value"
        : hides
          ? "it adds -Infinity to what depends on the input"
          : "its weights overflow when they are folded";
    const mend = hides ? "A mask of -Infinity is read in front of a Softmax only." : undefined;
    return bad ? [{ code: "unsupported", where: `node ${quote(node.name)}`, why, mend }] : [];
  });
  throwIfAny(problems);
}

export function simplify(graph: FloatGraph): FloatGraph {
  const rules = [tidy, recognizeNorms, maskSoftmax, fuse(), mergePad, foldBehind, foldBefore];
  const folded = rules.reduce((current, rule) => pass(current, rule), graph);
  const result = pass(embed(folded), tidy);
  checkFinite(result);
  return result;
}
