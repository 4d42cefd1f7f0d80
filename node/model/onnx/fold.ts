// Folds affine maps into the dense or conv beside them. Exact in real arithmetic; where they go is for the quantizer's sake:
//
// - behind a dense or conv (BatchNormalization, bias, scale): into its weights and bias, wherever the factor is the same
//   for all elements that share weights. Weights are quantized per output channel, so this costs no precision.
// - before a dense or conv: into it only if the factors are nonzero and within MAX_SPREAD of each other, so for every
//   scalar (a raw image's 1/255 vanishes) and for an image's mean and deviation. Weights of one output share one scale:
//   folding factors that span decades (the standardisation of raw features) would leave int8 weights nothing for the
//   small ones. Such a map stays a node of its own right after what it reads, and can be rescaled feature by feature.
import { sizeOf } from "../../core/tensor.ts";
import { convolve } from "../evaluate-float.ts";
import type { FloatAffine, FloatConv, FloatDense, FloatNode } from "../graph.ts";
import { permuted } from "./draft.ts";
import { withReads } from "../refs.ts";
import { replace, type Work } from "./rewrite.ts";

/** Two bits of the eight that a weight has. */
const MAX_SPREAD = 4;

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
export function foldBehind(node: FloatNode, work: Work): FloatNode | number {
  if (node.op !== "affine" || work.uses[node.x] !== 1) return node;
  const linear = work.nodes[node.x] as FloatNode;
  if ("exact" in linear && linear.exact) return node;
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
function affineBefore(
  linear: FloatDense | FloatConv,
  work: Work,
): { node: FloatAffine; views: number[]; at: FloatAffine } | undefined {
  const views: number[] = [];
  let ref = linear.x;
  let node = work.nodes[ref] as FloatNode;
  while ((node.op === "reshape" || node.op === "transpose" || node.op === "take") && work.uses[ref] === 1) {
    views.push(ref);
    ref = node.x;
    node = work.nodes[ref] as FloatNode;
  }
  if (node.op !== "affine") return undefined;
  let at = node;
  for (const ref of views.toReversed()) {
    const view = work.nodes[ref] as FloatNode;
    const turn = (data: Float64Array): Float64Array => {
      if (data.length === 1) return data;
      if (view.op === "take") return Float64Array.from(view.index, (from) => data[from] as number);
      return view.op === "transpose" ? permuted(data, at.shape, view.perm) : data;
    };
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
export function foldBefore(node: FloatNode, work: Work): FloatNode | number {
  if ((node.op !== "dense" && node.op !== "conv") || node.exact) return node;
  const found = affineBefore(node, work);
  if (found === undefined) return node;
  const folded = node.op === "dense" ? denseOf(node, found.at) : convOf(node, found.at, work);
  if (folded === undefined) return node;
  const last = found.views.at(-1);
  if (last === undefined) return { ...folded, x: found.node.x };
  replace(
    work,
    last,
    withReads(work.nodes[last] as FloatNode, () => found.node.x),
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
