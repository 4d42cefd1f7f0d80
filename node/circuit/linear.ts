// Each element of a linear op as the terms that it sums: the one description of weights that the circuit has. Reshapes,
// transposes, pads, concatenations and takes are sums of one term or a constant. The semantics are ir.ts'; equality with the
// evaluator is tested through the rows.
import { sizeOf, stridesOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { nodeAt } from "../model/ir.ts";
import type { Graph, Node, NodeOf, Op, Ref } from "../model/ir.ts";

export type LinearOp = "dense" | "conv" | "affine" | "sum" | "reshape" | "transpose" | "pad" | "concat" | "take";
export type LinearNode = NodeOf<LinearOp>;

/** Gets element `index` of tensor `ref`, times `factor`. */
export type Visit = (ref: Ref, index: number, factor: number) => void;

type Terms<K extends Op> = (graph: Graph, node: NodeOf<K>, element: number, visit: Visit) => number;

export function isLinear(node: Node): node is LinearNode {
  return node.op in TERMS;
}

/** Visits the terms of one element of a linear node and returns its constant. */
export function termsOf(graph: Graph, node: LinearNode, element: number, visit: Visit): number {
  return (TERMS[node.op] as Terms<LinearOp>)(graph, node, element, visit);
}

/** The most terms that an element has, the constant included, if those it reads have `width` terms each. */
export function widthOf(node: LinearNode, width: (ref: Ref) => number): number {
  switch (node.op) {
    case "dense":
      return (node.weights.length / node.bias.length) * width(node.x) + 1;
    case "conv":
      return node.weightShape[1] * node.weightShape[2] * node.weightShape[3] * width(node.x) + 1;
    case "affine":
      return width(node.x) + 1;
    case "sum":
      return node.xs.reduce((sum, x) => sum + width(x), 0);
    case "concat":
      return Math.max(...node.xs.map(width));
    default:
      return width(node.x);
  }
}

function shapeOf(graph: Graph, ref: Ref): Shape {
  return nodeAt(graph, ref).shape;
}

/** The index along `axis` of a row-major element, and the size of what is within one step of it. */
export function alongAxis(shape: Shape, axis: number, element: number): { at: number; inner: number } {
  const inner = sizeOf(shape.slice(axis + 1));
  return { at: Math.floor(element / inner) % (shape[axis] as number), inner };
}

const TERMS: { readonly [K in LinearOp]: Terms<K> } = {
  dense: (_, { x, weights, bias }, element, visit) => {
    const columns = bias.length;
    const inner = weights.length / columns;
    const column = element % columns;
    const from = Math.floor(element / columns) * inner;
    for (let k = 0; k < inner; k++) {
      const weight = weights[k * columns + column] as number;
      if (weight !== 0) visit(x, from + k, weight);
    }
    return bias[column] as number;
  },
  conv: (graph, node, element, visit) => {
    const { x, weights, strides, pads, dilations, group, bias, shape } = node;
    const [, channels, oh, ow] = shape as readonly [number, number, number, number];
    const [, , height, width] = shapeOf(graph, x) as readonly [number, number, number, number];
    const [, depth, kh, kw] = node.weightShape;
    const m = Math.floor(element / (oh * ow));
    const top = (Math.floor(element / ow) % oh) * strides[0] - pads[0];
    const left = (element % ow) * strides[1] - pads[1];
    const first = Math.floor((m * group) / channels) * depth;
    for (let c = 0; c < depth; c++) {
      for (let ky = 0; ky < kh; ky++) {
        const y = top + ky * dilations[0];
        if (y < 0 || y >= height) continue;
        for (let kx = 0; kx < kw; kx++) {
          const at = left + kx * dilations[1];
          if (at < 0 || at >= width) continue;
          const weight = weights[((m * depth + c) * kh + ky) * kw + kx] as number;
          if (weight !== 0) visit(x, ((first + c) * height + y) * width + at, weight);
        }
      }
    }
    return bias[bias.length === channels ? m : element] as number;
  },
  affine: (_, { x, factor, bias }, element, visit) => {
    visit(x, element, factor[factor.length === 1 ? 0 : element] as number);
    return bias[bias.length === 1 ? 0 : element] as number;
  },
  sum: (_, { xs, factors }, element, visit) => {
    xs.forEach((x, k) => visit(x, element, factors[k] as number));
    return 0;
  },
  reshape: (_, { x }, element, visit) => {
    visit(x, element, 1);
    return 0;
  },
  transpose: (graph, { x, perm, shape }, element, visit) => {
    const strides = stridesOf(shapeOf(graph, x));
    const from = perm.reduce((sum, axis, k) => sum + alongAxis(shape, k, element).at * (strides[axis] as number), 0);
    visit(x, from, 1);
    return 0;
  },
  take: (_, { x, index }, element, visit) => {
    visit(x, index[element] as number, 1);
    return 0;
  },
  pad: (graph, { x, pads, value, shape }, element, visit) => {
    const inside = shapeOf(graph, x);
    const strides = stridesOf(inside);
    let from = 0;
    for (let k = 0; k < shape.length; k++) {
      const at = alongAxis(shape, k, element).at - (pads[k] as number);
      if (at < 0 || at >= (inside[k] as number)) return value;
      from += at * (strides[k] as number);
    }
    visit(x, from, 1);
    return 0;
  },
  concat: (graph, { xs, axis, shape }, element, visit) => {
    const { at, inner } = alongAxis(shape, axis, element);
    const outer = Math.floor(element / (inner * (shape[axis] as number)));
    let rest = at;
    for (const x of xs) {
      const length = shapeOf(graph, x)[axis] as number;
      if (rest < length) {
        visit(x, (outer * length + rest) * inner + (element % inner), 1);
        break;
      }
      rest -= length;
    }
    return 0;
  },
};
