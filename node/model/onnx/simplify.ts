// Makes a float graph smaller without changing what it computes in real arithmetic: views collapse, padding and affine
// maps go into the linear ops beside them. Every rule is exact; each pass is linear in the graph's size.
//
// Where affine maps go, for the quantizer's sake:
// - behind a dense or conv (BatchNormalization, bias, scale): into its weights and bias, wherever the factor is the same
//   for all elements that share weights. Weights are quantized per output channel, so this costs no precision.
// - before a dense or conv: into it only if the factors are nonzero and within MAX_SPREAD of each other, so for every
//   scalar (a raw image's 1/255 vanishes) and for an image's mean and deviation. Weights of one output share one scale:
//   folding factors that span decades (the standardisation of raw features) would leave int8 weights nothing for the
//   small ones. Such a map stays a node of its own right after what it reads, and can be rescaled feature by feature.
import { type Shape, sizeOf } from "../../core/tensor.ts";
import { convolve } from "../evaluate-float.ts";
import type { FloatAffine, FloatConv, FloatDense, FloatGraph, FloatMaxPool, FloatNode } from "../graph.ts";
import { permuted, sameShape } from "./draft.ts";
import { type Problem, quote, throwIfAny } from "./problems.ts";
import { tapsWithin } from "./window.ts";

/** Two bits of the eight that a weight has. */
const MAX_SPREAD = 4;
/** Multiplications that folding biases through convolutions may take in all (seconds); beyond it the maps stay. */
const MAX_FOLD_WORK = 2 ** 31;

type Linear = FloatDense | FloatConv;

export function inputsOf(node: FloatNode): readonly number[] {
  if (node.op === "input") return [];
  return node.op === "sum" || node.op === "concat" ? node.xs : [node.x];
}

function withInputs(node: FloatNode, to: (ref: number) => number): FloatNode {
  if (node.op === "input") return node;
  if (node.op === "sum" || node.op === "concat") return { ...node, xs: node.xs.map(to) };
  return { ...node, x: to(node.x) };
}

/** The list under work. `uses` counts the readers that are alive; rules rely on it to know what only they read. */
interface Work {
  readonly nodes: FloatNode[];
  readonly uses: number[];
  /** What is left of MAX_FOLD_WORK. */
  foldWork: number;
}

function retain(work: Work, node: FloatNode): void {
  for (const ref of inputsOf(node)) work.uses[ref] = (work.uses[ref] as number) + 1;
}

/** Takes back what `node` reads, and what nodes read that nothing reads any more. */
function release(work: Work, node: FloatNode): void {
  const refs = [...inputsOf(node)];
  for (let ref = refs.pop(); ref !== undefined; ref = refs.pop()) {
    work.uses[ref] = (work.uses[ref] as number) - 1;
    if (work.uses[ref] === 0) refs.push(...inputsOf(work.nodes[ref] as FloatNode));
  }
}

function replace(work: Work, index: number, node: FloatNode): void {
  const old = work.nodes[index] as FloatNode;
  retain(work, node);
  work.nodes[index] = node;
  release(work, old);
}

/** Leaves out what the output does not need and renumbers; node 0, the input, stays. */
function sweep(graph: FloatGraph, nodes: readonly FloatNode[], output: number): FloatGraph {
  const live = new Set([graph.input, output]);
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (live.has(i)) for (const ref of inputsOf(nodes[i] as FloatNode)) live.add(ref);
  }
  const numbers = new Map([...live].toSorted((a, b) => a - b).map((old, i) => [old, i]));
  const at = (old: number): number => numbers.get(old) as number;
  const kept = nodes.filter((_, i) => live.has(i)).map((node) => withInputs(node, at));
  return { ...graph, nodes: kept, input: at(graph.input), output: at(output) };
}

/** One pass: `rule` sees each live node; it returns what replaces it, or the ref that stands for it from then on. */
function pass(graph: FloatGraph, rule: (node: FloatNode, work: Work, index: number) => FloatNode | number): FloatGraph {
  const work: Work = {
    nodes: [...graph.nodes],
    uses: new Array<number>(graph.nodes.length).fill(0),
    foldWork: MAX_FOLD_WORK,
  };
  work.uses[graph.output] = 1;
  for (const node of graph.nodes) retain(work, node);
  const alias = graph.nodes.map((_, i) => i);
  for (let i = 0; i < work.nodes.length; i++) {
    if (work.uses[i] === 0) continue;
    const node = withInputs(work.nodes[i] as FloatNode, (ref) => alias[ref] as number);
    work.nodes[i] = node; // Counted already: an alias took over the readers of what it stands for.
    const result = rule(node, work, i);
    if (typeof result !== "number") {
      if (result !== node) replace(work, i, result);
      continue;
    }
    alias[i] = result;
    work.uses[result] = (work.uses[result] as number) + (work.uses[i] as number);
    work.uses[i] = 0;
    release(work, node);
  }
  return sweep(graph, work.nodes, alias[graph.output] as number);
}

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
  if (node.op === "input" || node.op === "sum") return node;
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
    case "pad":
      return node.pads.every((pad) => pad === 0) ? node.x : node;
    case "affine":
      if (node.factor.every((v) => v === 1) && node.bias.every((v) => v === 0)) return node.x;
      if (from.op === "affine" && work.uses[node.x] === 1) return tidy(composed(node, from), work, index);
      return beforeReshape(node, work);
    case "clip":
    case "leaky":
      return beforeReshape(node, work);
    default:
      return node;
  }
}

/** op(reshape(x)) as reshape(op(x)), where nothing else reads the reshape: the two change places in the list. */
function beforeReshape(node: Extract<FloatNode, { op: "affine" | "clip" | "leaky" }>, work: Work): FloatNode {
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

/** `data` reduced to one value per channel if it is the same over each channel's `inner` elements, else undefined. */
function perChannel(data: Float64Array, channels: number, size: number): Float64Array | undefined {
  if (data.length === 1) return new Float64Array(channels).fill(data[0] as number);
  const inner = size / channels;
  const first = Float64Array.from({ length: channels }, (_, c) => data[c * inner] as number);
  return data.every((value, i) => value === first[Math.floor(i / inner)]) ? first : undefined;
}

/** `data` reduced to one value per feature of the last axis if all rows are alike, else undefined. */
function perFeature(data: Float64Array, features: number): Float64Array | undefined {
  if (data.length === 1) return new Float64Array(features).fill(data[0] as number);
  const first = data.slice(0, features);
  return data.every((value, i) => value === first[i % features]) ? first : undefined;
}

/** affine(linear(x)) as linear'(x). */
function foldBehind(node: FloatNode, work: Work): FloatNode | number {
  if (node.op !== "affine" || work.uses[node.x] !== 1) return node;
  const linear = work.nodes[node.x] as FloatNode;
  if (linear.op === "dense") {
    const outer = linear.bias.length;
    const [factor, bias] = [perFeature(node.factor, outer), perFeature(node.bias, outer)];
    if (factor === undefined || bias === undefined) return node;
    const weights = linear.weights.map((w, i) => w * (factor[i % outer] as number));
    return { ...linear, weights, bias: bias.map((b, n) => b + (linear.bias[n] as number) * (factor[n] as number)) };
  }
  if (linear.op !== "conv") return node;
  const maps = linear.weightShape[0];
  const size = sizeOf(linear.shape);
  const factor = perChannel(node.factor, maps, size);
  if (factor === undefined) return node;
  const added = perChannel(node.bias, maps, size);
  const length = added !== undefined && linear.bias.length === maps ? maps : size;
  const share = size / maps;
  const bias = Float64Array.from({ length }, (_, i) => {
    const map = length === maps ? i : Math.floor(i / share);
    const own = linear.bias[linear.bias.length === maps ? map : i] as number;
    return own * (factor[map] as number) + (added === undefined ? (node.bias[i] as number) : (added[map] as number));
  });
  const perMap = linear.weights.length / maps;
  return { ...linear, weights: linear.weights.map((w, i) => w * (factor[Math.floor(i / perMap)] as number)), bias };
}

/** The affine map that `linear` reads, through views that nothing else reads, with its values as `linear` meets them. */
function affineBefore(linear: Linear, work: Work): { node: FloatAffine; views: number[]; at: FloatAffine } | undefined {
  const views: number[] = [];
  let ref = linear.x;
  let node = work.nodes[ref] as FloatNode;
  while ((node.op === "reshape" || node.op === "transpose") && work.uses[ref] === 1) {
    views.push(ref);
    ref = node.x;
    node = work.nodes[ref] as FloatNode;
  }
  if (node.op !== "affine" || (views.length > 0 && work.uses[ref] !== 1)) return undefined;
  let at = node;
  for (const ref of views.toReversed()) {
    const view = work.nodes[ref] as FloatNode;
    const turn = (data: Float64Array): Float64Array =>
      view.op === "transpose" && data.length > 1 ? permuted(data, at.shape, view.perm) : data;
    at = { ...at, factor: turn(at.factor), bias: turn(at.bias), shape: view.shape };
  }
  return { node, views, at };
}

function foldable(factor: Float64Array | undefined): factor is Float64Array {
  if (factor === undefined) return false;
  const sizes = factor.map(Math.abs);
  const [least, most] = [sizes.reduce((a, b) => Math.min(a, b)), sizes.reduce((a, b) => Math.max(a, b))];
  return least > 0 && most <= MAX_SPREAD * least;
}

/** linear(affine(x)) as linear'(x), where the rule above allows it. */
function foldBefore(node: FloatNode, work: Work): FloatNode | number {
  if (node.op !== "dense" && node.op !== "conv") return node;
  const found = affineBefore(node, work);
  if (found === undefined) return node;
  const folded = node.op === "dense" ? denseOf(node, found.at) : convOf(node, found.at, work);
  if (folded === undefined) return node;
  const last = found.views.at(-1);
  if (last === undefined) return { ...folded, x: found.node.x };
  replace(
    work,
    last,
    withInputs(work.nodes[last] as FloatNode, () => found.node.x),
  );
  return folded;
}

function denseOf(node: FloatDense, at: FloatAffine): FloatDense | undefined {
  const outer = node.bias.length;
  const inner = node.weights.length / outer;
  const [factor, shift] = [perFeature(at.factor, inner), perFeature(at.bias, inner)];
  if (!foldable(factor) || shift === undefined) return undefined;
  const bias = node.bias.slice();
  for (let k = 0; k < inner; k++) {
    for (let n = 0; n < outer; n++) {
      bias[n] = (bias[n] as number) + (node.weights[k * outer + n] as number) * (shift[k] as number);
    }
  }
  return { ...node, bias, weights: node.weights.map((w, i) => w * (factor[Math.floor(i / outer)] as number)) };
}

function convOf(node: FloatConv, at: FloatAffine, work: Work): FloatConv | undefined {
  const [maps, depth, kh, kw] = node.weightShape;
  const channels = depth * node.group;
  const factor = perChannel(at.factor, channels, sizeOf(at.shape));
  const multiplications = at.bias.every((b) => b === 0) ? 0 : sizeOf(node.shape) * depth * kh * kw;
  if (!foldable(factor) || multiplications > work.foldWork) return undefined;
  work.foldWork -= multiplications;
  const channelOf = (weight: number): number => {
    const m = Math.floor(weight / (depth * kh * kw));
    return Math.floor(m / (maps / node.group)) * depth + (Math.floor(weight / (kh * kw)) % depth);
  };
  const weights = node.weights.map((w, i) => w * (factor[channelOf(i)] as number));
  if (multiplications === 0) return { ...node, weights };
  // Zero padding is zero behind the map, so the map's bias reaches border elements through fewer taps.
  const size = sizeOf(node.shape);
  const shift = at.bias.length === 1 ? new Float64Array(sizeOf(at.shape)).fill(at.bias[0] as number) : at.bias;
  const added = convolve(node, shift, at.shape);
  const share = node.bias.length === maps ? size / maps : 1;
  const bias = added.map((b, i) => b + (node.bias[Math.floor(i / share)] as number));
  return { ...node, weights, bias: perChannel(bias, maps, size) ?? bias };
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
    const why = node.op === "pad" ? "it pads with an infinite value" : "its weights overflow when they are folded";
    return bad ? [{ code: "unsupported", where: `node ${quote(node.name)}`, why }] : [];
  });
  throwIfAny(problems);
}

export function simplify(graph: FloatGraph): FloatGraph {
  const rules = [tidy, mergePad, foldBehind, foldBefore, tidy];
  const result = rules.reduce((current, rule) => pass(current, rule), graph);
  checkFinite(result);
  return result;
}
