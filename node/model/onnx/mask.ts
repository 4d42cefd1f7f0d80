// What a constant hides from a softmax: exporters add -Infinity, -1e9 or float32's lowest number to the scores that must not
// count. Here that becomes a mask, so that a hidden element's share is 0 exactly and no large number is left.
import { sizeOf } from "../../core/tensor.ts";
import type { FloatAffine, FloatNode } from "../graph.ts";
import { permuted } from "./draft.ts";
import { replace, type Work } from "./rewrite.ts";

/** Scores this far below others have an exponential of 0 in float32, and no model's scores lie as far apart. */
const HIDDEN = -(2 ** 12);

/** The mask as a view of it shows it. */
function seenThrough(view: FloatNode, mask: Float64Array, shape: readonly number[]): Float64Array {
  if (view.op === "transpose") return permuted(mask, shape, view.perm);
  return view.op === "take" ? Float64Array.from(view.index, (from) => mask[from] as number) : mask;
}

/** softmax(x * factor + bias), where parts of the bias hide elements, as a masked softmax. A pass's rule. */
export function maskSoftmax(node: FloatNode, work: Work): FloatNode {
  if (node.op !== "softmax" || node.log || node.mask !== undefined) return node;
  const views: FloatNode[] = [];
  let ref = node.x;
  let below = work.nodes[ref] as FloatNode;
  while (below.op === "reshape" || below.op === "transpose" || below.op === "take") {
    if (work.uses[ref] !== 1) return node;
    views.unshift(below);
    ref = below.x;
    below = work.nodes[ref] as FloatNode;
  }
  if (below.op !== "affine" || work.uses[ref] !== 1 || !below.bias.some((b) => b < HIDDEN)) return node;
  const { bias, shape } = below;
  let mask = new Float64Array(sizeOf(shape)).map((_, i) =>
    (bias[bias.length === 1 ? 0 : i] as number) < HIDDEN ? 0 : 1,
  );
  let from = shape;
  for (const view of views) {
    mask = seenThrough(view, mask, from) as typeof mask;
    from = view.shape;
  }
  const row = node.shape.at(-1) ?? 1;
  for (let i = 0; i < mask.length; i += row) if (!mask.subarray(i, i + row).includes(1)) return node;
  replace(work, ref, withoutHidden(below));
  return { ...node, mask: Uint8Array.from(mask) };
}

/** Hidden elements take the map of the first that is not: what they hold does not count, and one map for all is shortest. */
function withoutHidden(node: FloatAffine): FloatAffine {
  const first = node.bias.findIndex((b) => b >= HIDDEN);
  const kept = (data: Float64Array): Float64Array => {
    if (data.length === 1) return data;
    const filled = data.map((v, i) => ((node.bias[i] as number) < HIDDEN ? (data[first] as number) : v));
    return filled;
  };
  const [factor, bias] = [kept(node.factor), kept(node.bias)];
  const same = [factor, bias].every((data) => data.every((v) => v === data[0]));
  return same ? { ...node, factor: factor.slice(0, 1), bias: bias.slice(0, 1) } : { ...node, factor, bias };
}
