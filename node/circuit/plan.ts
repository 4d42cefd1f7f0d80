// What a circuit decides before it makes a row: which tensors get wires of their own, and which gadget, with which
// parameters, each element needs by its static bounds. Pure; the walk (layers.ts) and the circom export share it.
import { NodeError } from "../core/errors.ts";
import { typeName } from "../core/tensor.ts";
import type { IntType } from "../core/tensor.ts";
import { nodeAt, readsOf } from "../model/ir.ts";
import type { ArgMaxNode, Graph, MaxPoolNode, Node, Ref, RescaleNode } from "../model/ir.ts";
import { rangesOf } from "../model/range.ts";
import type { Bounds } from "../model/range.ts";
import type { Spec } from "./compile.ts";
import { bitsFor } from "./lc.ts";
import { alongAxis, isLinear, widthOf } from "./linear.ts";
import { LONG } from "./linker.ts";

/** Bits that a gadget may handle, so that its witness is computed in exact float64. */
const MOST_BITS = 53;

export interface Plan {
  readonly graph: Graph;
  readonly ranges: readonly Bounds[];
  /** Per node: a linear tensor that gets a wire per element. */
  readonly bound: readonly boolean[];
}

export function planOf(graph: Graph): Plan {
  return { graph, ranges: rangesOf(graph), bound: boundOf(graph) };
}

/**
 * A long combination may stay one only where it is written once, into a linear row: by a rescale or at the output,
 * directly or through ops that read each element once.
 */
function boundOf(graph: Graph): boolean[] {
  const uses = graph.nodes.map(() => 0);
  for (const { ref } of graph.outputs) uses[ref] = (uses[ref] as number) + 1;
  for (let ref = graph.nodes.length - 1; ref >= 0; ref--) {
    const node = nodeAt(graph, ref);
    for (const x of readsOf(node)) uses[x] = (uses[x] as number) + usesEach(node, uses[ref] as number);
  }
  const widths: number[] = [];
  return graph.nodes.map((node, ref) => {
    const width = isLinear(node) ? widthOf(node, (x) => widths[x] as number) : 1;
    const bound = width > LONG && (uses[ref] as number) > 1;
    widths[ref] = bound ? 1 : width;
    return bound;
  });
}

/** How often `node`, whose elements are written `uses` times, writes an element that it reads; at most, where it varies. */
function usesEach(node: Node, uses: number): number {
  switch (node.op) {
    case "rescale":
      return 1;
    case "affine":
    case "sum":
    case "reshape":
    case "transpose":
    case "pad":
    case "concat":
      return uses;
    default:
      return Infinity;
  }
}

// ---- gadgets by bounds ----

const interned = new Map<string, Spec>();

/** Specs are compared by identity where they are many. */
export function specOf(template: string, ...params: readonly number[]): Spec {
  const key = `${template}(${params.join(",")})`;
  let spec = interned.get(key);
  if (spec === undefined) interned.set(key, (spec = { template, params }));
  return spec;
}

/** How one element is rescaled: to a constant, or by a gadget and, where both ends cut a width that is no power of two, a second one. */
export type RescalePlan =
  | { readonly constant: number }
  | { readonly multiplier: number; readonly rescale: Spec; readonly atMost: Spec | undefined };

export function planRescale(plan: Plan, node: RescaleNode, element: number): RescalePlan {
  const { lo, hi } = node;
  const index = node.multiplier.length === 1 ? 0 : alongAxis(node.shape, node.axis, element).at;
  const multiplier = node.multiplier[index] as number;
  const s = node.shift[node.shift.length === 1 ? 0 : index] as number;
  const step = 2 ** s;
  const half = s > 0 ? step / 2 : 0;
  const { least, most } = boundsAt(plan, node.x, element);
  const [low, high] = [multiplier * least + half, multiplier * most + half];
  const [first, last] = [Math.floor(low / step), Math.floor(high / step)];
  const clamp = (q: number): number => Math.min(hi, Math.max(lo, q));
  if (clamp(first) === clamp(last)) return { constant: clamp(first) };

  const { base, k, capped } = windowFor(lo, hi, first, last);
  const [from, to] = [low - base * step, high - base * step]; // of u in Rescale.circom
  const signed = from < 0 ? 1 : 0;
  const bits = signed + bitsFor(Math.max(to, -from - 1));
  if (!(bits <= MOST_BITS)) {
    throw new NodeError("unsupported", `node "${node.name}" needs ${bits} bits to be rescaled, above ${MOST_BITS}`, {
      mend: "Use narrower weights or a smaller multiplier, or split the layer's inputs by a rescale.",
      facts: { node: node.name, element },
    });
  }
  return {
    multiplier,
    rescale: specOf("Rescale", bits, s, Math.min(k, bits - signed - s), base, signed),
    atMost: capped ? specOf("AtMost", k, hi) : undefined,
  };
}

/**
 * Rescale clamps to 2^k values from `base` on. Quotients run from `first` to `last`: an end of [lo, hi] that they cannot
 * pass gives way, so that only a clamp that cuts both ends of a width that is no power of two has to be capped again.
 */
function windowFor(lo: number, hi: number, first: number, last: number): { base: number; k: number; capped: boolean } {
  if (first < lo) {
    const k = last > hi ? bitsFor(hi - lo) : MOST_BITS;
    return { base: lo, k, capped: last > hi && hi - lo + 1 !== 2 ** k };
  }
  if (last > hi) {
    const k = bitsFor(hi - first);
    return { base: hi + 1 - 2 ** k, k, capped: false };
  }
  const base = first < 0 ? -(2 ** bitsFor(-first - 1)) : 0; // few bases, so that elements share gadgets
  return { base, k: MOST_BITS, capped: false };
}

export interface Interval {
  readonly least: number;
  readonly most: number;
}

export function boundsAt({ ranges }: Plan, ref: Ref, element: number): Interval {
  const { lo, hi } = ranges[ref] as Bounds;
  return { least: lo[element] as number, most: hi[element] as number };
}

/** n of Max2 and MaxIndex: -2^n <= x - y < 2^n. */
export function differenceBits(x: Interval, y: Interval): number {
  return bitsFor(Math.max(0, x.most - y.least, y.most - x.least - 1));
}

/** The elements among which a maximum is sought, in order: the first, then each with the n of its comparison. */
export interface Contest {
  readonly first: number;
  readonly steps: readonly { readonly index: number; readonly n: number }[];
}

export function contestOf(plan: Plan, x: Ref, indices: readonly number[]): Contest {
  const [first = 0, ...rest] = indices;
  let best = boundsAt(plan, x, first);
  const steps = rest.map((index) => {
    const next = boundsAt(plan, x, index);
    const n = differenceBits(best, next);
    best = { least: Math.max(best.least, next.least), most: Math.max(best.most, next.most) };
    return { index, n };
  });
  return { first, steps };
}

/** The elements of x under the window of one output element; padding never wins, so it is left out. */
export function windowOf(graph: Graph, node: MaxPoolNode, element: number): number[] {
  const [, , oh, ow] = node.shape as readonly [number, number, number, number];
  const [, , height, width] = nodeAt(graph, node.x).shape as readonly [number, number, number, number];
  const plane = Math.floor(element / (oh * ow)) * height * width;
  const top = (Math.floor(element / ow) % oh) * node.strides[0] - node.pads[0];
  const left = (element % ow) * node.strides[1] - node.pads[1];
  const indices: number[] = [];
  for (let ky = 0; ky < node.kernel[0]; ky++) {
    const y = top + ky * node.dilations[0];
    for (let kx = 0; kx < node.kernel[1]; kx++) {
      const at = left + kx * node.dilations[1];
      if (y >= 0 && y < height && at >= 0 && at < width) indices.push(plane + y * width + at);
    }
  }
  if (indices.length === 0) throw new NodeError("unsupported", `a window of node "${node.name}" lies in the padding`);
  return indices;
}

/** The elements of x along the axis of one output element. */
export function lineOf(graph: Graph, node: ArgMaxNode, element: number): number[] {
  const shape = nodeAt(graph, node.x).shape;
  const count = shape[node.axis] as number;
  const { inner } = alongAxis(shape, node.axis, 0);
  const from = Math.floor(element / inner) * count * inner + (element % inner);
  return Array.from({ length: count }, (_, k) => from + k * inner);
}

/** How a border element is spelled in bits: x + bias in n bits, the top one inverted where it is a sign. */
export interface Spelling {
  readonly n: number;
  readonly bias: number;
}

/** @throws NodeError "internal" if the element could leave its type */
export function spellingOf({ least, most }: Interval, type: IntType): Spelling {
  const magnitude = bitsFor(Math.max(most, -least - 1));
  const signed = least < 0;
  const n = Math.max(1, magnitude + (signed ? 1 : 0));
  if (n > type.bits - (type.signed && !signed ? 1 : 0) || (signed && !type.signed)) {
    throw new NodeError("internal", `an element from ${least} to ${most} is declared as ${typeName(type)}`);
  }
  return { n, bias: signed ? 2 ** (n - 1) : 0 };
}
