// What a circuit decides before it makes a row: which tensors get wires of their own, and which gadget, with which
// parameters, each element needs by its static bounds. Pure; the walk (layers.ts) and the circom export share it.
import type { ClaimForm } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { typeName } from "../core/tensor.ts";
import type { IntType } from "../core/tensor.ts";
import { nodeAt, readsOf } from "../model/ir.ts";
import type { ArgMaxNode, DivNode, Graph, MatMulNode, MaxPoolNode, Ref, SqrtNode } from "../model/ir.ts"; // prettier-ignore
import { rangesOf } from "../model/range.ts";
import type { Bounds } from "../model/range.ts";
import { specName } from "./compile.ts";
import type { Param, Spec } from "./compile.ts";
import { bitsFor } from "./lc.ts";
import { alongAxis, isLinear, widthOf } from "./linear.ts";
import { LONG } from "./linker.ts";

/** Bits that a gadget may handle, so that its witness is computed in exact float64. */
export const MOST_BITS = 53;

/** Linear ops in a row, after which one gets wires: they are expanded by recursion. */
const MOST_DEEP = 200;

export interface Plan {
  readonly graph: Graph;
  readonly claim: ClaimForm;
  readonly ranges: readonly Bounds[];
  /** Per node: a linear tensor that gets a wire per element. */
  readonly bound: readonly boolean[];
}

export function planOf(graph: Graph, claim: ClaimForm = "public"): Plan {
  return { graph, claim, ranges: rangesOf(graph), bound: boundOf(graph) };
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
    const each = usesEach(graph, ref, uses[ref] as number);
    for (const x of readsOf(node)) uses[x] = (uses[x] as number) + each;
  }
  const widths: number[] = [];
  const depths: number[] = [];
  return graph.nodes.map((node, ref) => {
    const width = isLinear(node) ? widthOf(node, (x) => widths[x] as number) : node.op === "matmul" ? innerOf(graph, node) : 1; // prettier-ignore
    const depth = isLinear(node) ? 1 + readsOf(node).reduce((most, x) => Math.max(most, depths[x] as number), 0) : 0;
    const bound = depth > MOST_DEEP || (width > LONG && (uses[ref] as number) > 1);
    widths[ref] = bound ? 1 : width;
    depths[ref] = bound ? 0 : depth;
    return bound;
  });
}

/** How often a node, whose elements are written `uses` times, writes an element that it reads; at most, where it varies. */
function usesEach(graph: Graph, ref: Ref, uses: number): number {
  const node = nodeAt(graph, ref);
  switch (node.op) {
    case "rescale":
    case "onehot":
      return 1;
    case "lookup":
      return takesApart(graph, ref) ? 1 : 0;
    case "step":
      return mostOften(node.index) > 1 ? Infinity : 1;
    case "take":
      return uses * mostOften(node.index);
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

/** Is look-up `ref` the first that reads its tensor? If the tensor's elements have no bits yet, it makes them. */
export function takesApart(graph: Graph, ref: Ref): boolean {
  const node = nodeAt(graph, ref);
  return node.op === "lookup" && graph.nodes.findIndex((other) => other.op === "lookup" && other.x === node.x) === ref;
}

function mostOften(index: Int32Array): number {
  const counts = new Map<number, number>();
  for (const at of index) counts.set(at, (counts.get(at) ?? 0) + 1);
  return [...counts.values()].reduce((most, count) => Math.max(most, count), 0);
}

/** How many products an element of a product of matrices sums. */
export function innerOf(graph: Graph, { a }: MatMulNode): number {
  return nodeAt(graph, a).shape.at(-1) as number;
}

// ---- gadgets by bounds ----

const interned = new Map<string, Spec>();

/** Specs are compared by identity where they are many. */
export function specOf(template: string, ...params: readonly Param[]): Spec {
  const key = specName({ template, params });
  let spec = interned.get(key);
  if (spec === undefined) interned.set(key, (spec = { template, params }));
  return spec;
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

/** Elements of a and b that the k-th product of an element of their matrix product has. */
export function factorsOf(
  { graph }: Plan,
  { a, shape }: MatMulNode,
  element: number,
  k: number,
): readonly [number, number] {
  const inner = nodeAt(graph, a).shape.at(-1) as number;
  const [rows, columns] = shape.slice(-2) as [number, number];
  const row = Math.floor(element / columns);
  return [row * inner + k, (Math.floor(row / rows) * inner + k) * columns + (element % columns)];
}

/** Is an element always 0? */
export function isZero(plan: Plan, ref: Ref, element: number): boolean {
  const { least, most } = boundsAt(plan, ref, element);
  return least === 0 && most === 0;
}

/** Whether a number between these bounds is 0, if they tell. */
export function alwaysZero({ least, most }: Interval): boolean | undefined {
  if (least > 0 || most < 0) return false;
  return most === least ? true : undefined;
}

/** The gadget of a quotient or a root, or the constant that it is; "same" where it divides by one. */
export function planDiv(
  plan: Plan,
  { name, a, b }: DivNode,
  element: number,
  quotient: Interval,
): Spec | number | "same" {
  const [{ most }, divided] = [boundsAt(plan, b, element), boundsAt(plan, a, element)];
  if (quotient.least === quotient.most) return quotient.least;
  if (most === 1) return "same";
  const k = bitsFor(most - 1);
  // the remainder of 2^53 b + a must be exact, and so must the bits of b - 1 - r
  if (k > MOST_BITS - 1 || Math.max(-divided.least, divided.most) >= 2 ** MOST_BITS) throw tooWide(name, k);
  return specOf("Div", bitsFor(quotient.most - quotient.least), baseOf(quotient), k);
}

export function planSqrt({ name }: SqrtNode, root: Interval): Spec | number {
  if (root.least === root.most) return root.least;
  const k = bitsFor(2 * root.most);
  if (k > 28) throw tooWide(name, 2 * k);
  return specOf("Sqrt", bitsFor(root.most - root.least), baseOf(root), k);
}

/** The lowest number that the bits of [least, most] spell: 0 where that takes no more of them. */
function baseOf({ least, most }: Interval): number {
  return least > 0 && most < 2 ** bitsFor(most - least) ? 0 : least;
}

function tooWide(name: string, bits: number): NodeError {
  return new NodeError("unsupported", `node "${name}" needs ${bits} bits, above ${MOST_BITS}`, {
    mend: "Use narrower weights, or rescale what it reads.",
  });
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

/** @throws NodeError "input" if the element could leave its type */
export function spellingOf({ least, most }: Interval, type: IntType): Spelling {
  const magnitude = bitsFor(Math.max(most, -least - 1));
  const signed = least < 0;
  const n = Math.max(1, magnitude + (signed ? 1 : 0));
  if (n > type.bits - (type.signed && !signed ? 1 : 0) || (signed && !type.signed)) {
    throw new NodeError("input", `an element from ${least} to ${most} is declared as ${typeName(type)}`, {
      mend: "The package is damaged or forged; get it again, or compile the model again.",
    });
  }
  return { n, bias: signed ? 2 ** (n - 1) : 0 };
}
