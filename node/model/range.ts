// Static ranges: for every element of every tensor the exact interval that interval arithmetic gives over all inputs of the
// declared type (each single layer's bounds are attained), and the largest partial sum on the way there. Knows no circuit
// and no runtime; the circuit takes its bit widths from here, the emitter its float32 or float64.
import { NodeError } from "../core/errors.ts";
import { sizeOf, typeRange } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { apply } from "./evaluate.ts";
import { nodeAt, readsOf } from "./ir.ts";
import type { ConvNode, DenseNode, Graph, Node, NodeOf, Op, Rules } from "./ir.ts";
import { ROW, rowsOf } from "./window.ts";

export interface Bounds {
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  /** No partial sum or product that computes an element of this node, in any order, exceeds this in absolute value. */
  readonly worst: number;
}

/** Integers up to here are exact in float64. */
export const DOUBLE_LIMIT = 2 ** 53;

type Rule<K extends Op> = (node: NodeOf<K>, xs: readonly Bounds[], shapes: readonly Shape[]) => Bounds;

/** Bounds of every node. @throws NodeError "unsupported" where a value could leave what float64 holds exactly. */
export function rangesOf(graph: Graph): readonly Bounds[] {
  const all: Bounds[] = [];
  for (const node of graph.nodes) {
    const reads = readsOf(node);
    const bounds = boundsOf(
      node,
      reads.map((ref) => all[ref] as Bounds),
      reads.map((ref) => nodeAt(graph, ref).shape),
    );
    if (bounds.lo.length !== sizeOf(node.shape) || bounds.hi.length !== sizeOf(node.shape)) {
      // Nobody sizes bits by bounds that do not exist.
      throw new NodeError("unsupported", `node "${node.name}" (${node.op}) yields other elements than its shape has`);
    }
    if (!(bounds.worst < DOUBLE_LIMIT)) {
      throw new NodeError("unsupported", `node "${node.name}" (${node.op}) may reach ${bounds.worst}, above 2^53`, {
        mend: "Use narrower weights or activations, or split the layer's inputs by a rescale.",
        facts: { node: node.name, op: node.op },
      });
    }
    all.push(bounds);
  }
  return all;
}

/** Bounds of one node from the bounds of what it reads. */
export function boundsOf(node: Node, xs: readonly Bounds[], shapes: readonly Shape[]): Bounds {
  return (RULES[node.op] as Rule<Op>)(node, xs, shapes);
}

export function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, value), -Infinity);
}

export function smallest(values: Float64Array): number {
  return values.reduce((least, value) => Math.min(least, value), Infinity);
}

/** The largest absolute value. */
export function reach(bounds: Pick<Bounds, "lo" | "hi">): number {
  return Math.max(0, -smallest(bounds.lo), largest(bounds.hi));
}

/** The op is monotone in every element that it reads: its image of the lower bounds is its lower bound, and so above. */
function monotone(node: Node, xs: readonly Bounds[], shapes: readonly Shape[]): Bounds {
  const lows = xs.map((x) => x.lo);
  const highs = xs.map((x) => x.hi);
  const bounds = { lo: apply(node, lows, shapes), hi: apply(node, highs, shapes) };
  return { ...bounds, worst: reach(bounds) };
}

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: ({ border, shape }) => {
    const { lo, hi } = typeRange(border.type);
    const size = sizeOf(shape);
    return { lo: new Float64Array(size).fill(lo), hi: new Float64Array(size).fill(hi), worst: Math.max(-lo, hi) };
  },
  dense: (node, xs) => dense(node, xs[0] as Bounds),
  conv: (node, xs, shapes) => conv(node, xs[0] as Bounds, shapes[0] as Shape),
  affine: ({ factor, bias }, xs) => {
    const x = xs[0] as Bounds;
    const out = { lo: new Float64Array(x.lo.length), hi: new Float64Array(x.lo.length) };
    let worst = 0;
    for (let i = 0; i < x.lo.length; i++) {
      const f = factor[factor.length === 1 ? 0 : i] as number;
      const b = bias[bias.length === 1 ? 0 : i] as number;
      const [p, q] = [f * (x.lo[i] as number), f * (x.hi[i] as number)];
      out.lo[i] = Math.min(p, q) + b;
      out.hi[i] = Math.max(p, q) + b;
      worst = Math.max(worst, Math.max(Math.abs(p), Math.abs(q)) + Math.abs(b));
    }
    return { ...out, worst };
  },
  sum: ({ factors }, xs) => {
    const size = (xs[0] as Bounds).lo.length;
    const out = { lo: new Float64Array(size), hi: new Float64Array(size) };
    let worst = 0;
    for (let i = 0; i < size; i++) {
      let absolute = 0;
      xs.forEach((x, k) => {
        const f = factors[k] as number;
        const [p, q] = [f * (x.lo[i] as number), f * (x.hi[i] as number)];
        out.lo[i]! += Math.min(p, q);
        out.hi[i]! += Math.max(p, q);
        absolute += Math.max(Math.abs(p), Math.abs(q));
      });
      worst = Math.max(worst, absolute);
    }
    return { ...out, worst };
  },
  rescale: (node, xs, shapes) => {
    const wide = reach(xs[0] as Bounds);
    const inside = node.multiplier.map((m, k) => {
      const s = node.shift[k] as number;
      return m * wide + (s === 0 ? 0 : 2 ** (s - 1));
    });
    return { ...monotone(node, xs, shapes), worst: Math.max(...inside) };
  },
  max: monotone,
  maxpool: monotone,
  argmax: ({ axis, shape }, _, shapes) => {
    const last = ((shapes[0] as Shape)[axis] as number) - 1;
    return { lo: new Float64Array(sizeOf(shape)), hi: new Float64Array(sizeOf(shape)).fill(last), worst: last };
  },
  reshape: monotone,
  transpose: monotone,
  pad: monotone,
  concat: monotone,
  mul: () => notYet(),
  matmul: () => notYet(),
  div: () => notYet(),
  sqrt: () => notYet(),
  lookup: () => notYet(),
  step: () => notYet(),
  iszero: () => notYet(),
  onehot: () => notYet(),
  select: () => notYet(),
  take: () => notYet(),
};

function dense(node: DenseNode, x: Bounds): Bounds {
  const { weights, bias } = node;
  const columns = bias.length;
  const inner = weights.length / columns;
  const size = (x.lo.length / inner) * columns;
  const [lo, hi, absolute] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  for (let row = 0; row < x.lo.length / inner; row++) {
    const to = row * columns;
    lo.set(bias, to);
    hi.set(bias, to);
    for (let n = 0; n < columns; n++) absolute[to + n] = Math.abs(bias[n] as number);
    for (let k = 0; k < inner; k++) {
      const least = x.lo[row * inner + k] as number;
      const most = x.hi[row * inner + k] as number;
      const wide = Math.max(Math.abs(least), Math.abs(most));
      for (let n = 0; n < columns; n++) {
        const weight = weights[k * columns + n] as number;
        lo[to + n]! += weight * (weight > 0 ? least : most);
        hi[to + n]! += weight * (weight > 0 ? most : least);
        absolute[to + n]! += Math.abs(weight) * wide;
      }
    }
  }
  return { lo, hi, worst: largest(absolute) };
}

function conv(node: ConvNode, x: Bounds, xShape: Shape): Bounds {
  const [, , height, width] = xShape as readonly [number, number, number, number];
  const [, channels, oh, ow] = node.shape as readonly [number, number, number, number];
  const [, depth, kh, kw] = node.weightShape;
  const rows = rowsOf({ ...node, kernel: [kh, kw] }, [height, width], [oh, ow]);
  const [plane, area, taps, step] = [oh * ow, height * width, kh * kw, node.strides[1]];
  const { weights, bias } = node;
  const wide = x.lo.map((least, i) => Math.max(Math.abs(least), Math.abs(x.hi[i] as number)));
  const lo = new Float64Array(channels * plane);
  for (let m = 0; m < channels; m++) {
    if (bias.length === lo.length) lo.set(bias.subarray(m * plane, (m + 1) * plane), m * plane);
    else lo.fill(bias[m] as number, m * plane, (m + 1) * plane);
  }
  const hi = Float64Array.from(lo);
  const absolute = lo.map(Math.abs);
  for (let m = 0; m < channels; m++) {
    const group = Math.floor((m * node.group) / channels);
    for (let c = 0; c < depth; c++) {
      const from = (group * depth + c) * area;
      const kernel = (m * depth + c) * taps;
      for (let r = 0; r < rows.length; r += ROW) {
        const weight = weights[kernel + (rows[r] as number)] as number;
        if (weight === 0) continue;
        const [least, most] = weight > 0 ? [x.lo, x.hi] : [x.hi, x.lo];
        const positive = Math.abs(weight);
        let i = from + (rows[r + 1] as number);
        let o = m * plane + (rows[r + 2] as number);
        const end = o + (rows[r + 3] as number);
        for (; o < end; o++, i += step) {
          lo[o]! += weight * (least[i] as number);
          hi[o]! += weight * (most[i] as number);
          absolute[o]! += positive * (wide[i] as number);
        }
      }
    }
  }
  return { lo, hi, worst: largest(absolute) };
}

function notYet(): never {
  throw new Error("not built yet");
}
