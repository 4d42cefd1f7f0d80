// Rewrites of one node of the integer graph and what it reads, for optimize.ts to apply. Each is exact; whether it pays is
// counted in constraints, roughly (the circuit counts exactly).
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { bitsFor } from "./binary.ts";
import { apply } from "./evaluate.ts";
import type { LookupNode, Node, NodeOf, Ref, RescaleNode, TakeNode } from "./ir.ts";
import { largest, smallest } from "./range.ts";
import type { Bounds } from "./range.ts";

export interface Site {
  at(ref: Ref): Node;
  bounds(ref: Ref): Bounds;
  /** Whether nobody else reads it: then it need not be kept, and another node may take its name. */
  alone(ref: Ref): boolean;
  /** Whether all elements of the node stand for reals at one scale. */
  readonly uniform: boolean;
  /** Adds a node before this one; its integers have the scale of `like`'s, or of this node's. */
  put(node: Node, like?: Ref): Ref;
}

/** A node of the same tensor to take its place, or where that tensor is already; undefined if there is nothing to do. */
export type Rewrite = (node: Node, site: Site) => Node | Ref | undefined;

/** Composed tables may have this many entries. */
const MAX_TABLE = 2 ** 16;

/** A clamp, reshape, transpose or take that changes nothing. */
const withoutIdle: Rewrite = (node, site) => {
  switch (node.op) {
    case "rescale": {
      const { lo, hi } = site.bounds(node.x);
      return clampsOnly(node) && smallest(lo) >= node.lo && largest(hi) <= node.hi ? node.x : undefined;
    }
    case "reshape":
      return same(node.shape, site.at(node.x).shape) ? node.x : undefined;
    case "transpose":
      return node.perm.every((axis, k) => axis === k) ? node.x : undefined;
    case "take": {
      const { name, x, shape, index } = node;
      const from = site.at(x).shape;
      if (index.length !== sizeOf(from) || !index.every((at, i) => at === i)) return undefined;
      return same(shape, from) ? x : { op: "reshape", name, x, shape };
    }
    default:
      return undefined;
  }
};

/** Rearrangements of rearrangements: one of what lies below both. */
const composed: Rewrite = (node, site) => {
  if (node.op !== "reshape" && node.op !== "transpose" && node.op !== "take") return undefined;
  const below = site.at(node.x);
  if (node.op === "reshape") {
    if (below.op === "reshape") return { ...node, x: below.x };
    return below.op === "take" && site.alone(node.x) ? { ...below, name: node.name, shape: node.shape } : undefined;
  }
  if (node.op === "transpose") {
    if (below.op !== "transpose") return undefined;
    return { ...node, x: below.x, perm: node.perm.map((axis) => below.perm[axis] as number) };
  }
  if (below.op === "reshape") return { ...node, x: below.x };
  if (below.op !== "take" && below.op !== "transpose") return undefined;
  const from = below.op === "take" ? below.index : placesOf(below, site.at(below.x).shape);
  return { ...node, x: below.x, index: node.index.map((at) => from[at] as number) };
};

/** A clamp of a rescale: rescale is monotone, so one pair of bounds does for both. */
const clampedOnce: Rewrite = (node, site) => {
  if (node.op !== "rescale" || !clampsOnly(node) || !site.alone(node.x)) return undefined;
  const below = site.at(node.x);
  if (below.op !== "rescale") return undefined;
  const clamp = (q: number): number => Math.min(node.hi, Math.max(node.lo, q));
  return { ...below, name: node.name, lo: clamp(below.lo), hi: clamp(below.hi) };
};

/** Pooling wide accumulators leaves fewer of them to rescale; with overlapping windows that may not pay. */
const pooledFirst: Rewrite = (node, site) => {
  if (node.op !== "maxpool" || !site.alone(node.x)) return undefined;
  const below = site.at(node.x);
  if (below.op !== "rescale" || (below.multiplier.length > 1 && below.axis !== 1)) return undefined;
  const { lo, hi } = site.bounds(below.x);
  const wide = bitsFor(smallest(lo), largest(hi));
  const [inputs, outputs] = [sizeOf(below.shape), sizeOf(node.shape)];
  const comparisons = outputs * (node.kernel[0] * node.kernel[1] - 1);
  // A comparison of n-bit values costs n + 3 rows, a rescale of B bits B + 4.
  const poolFirst = comparisons * (wide + 4) + outputs * (wide + 4);
  const rescaleFirst = inputs * (wide + 4) + comparisons * (bitsFor(below.lo, below.hi) + 4);
  if (poolFirst >= rescaleFirst) return undefined;
  return { ...below, x: site.put({ ...node, x: below.x }, below.x), shape: node.shape };
};

/** Any function of a looked-up value is a table of the same index. */
const tabled: Rewrite = (node, site) => {
  if (!isElementwise(node) || !site.alone(node.x)) return undefined;
  const below = site.at(node.x);
  if (below.op !== "lookup") return undefined;
  const tables = node.op === "lookup" ? node.table.length / node.length : 1;
  const own = below.table.length / below.length;
  if (tables > 1 && own > 1 && (node as LookupNode).axis !== below.axis) return undefined;
  const count = Math.max(tables, own);
  if (count * below.length > MAX_TABLE && count > own) return undefined;
  const entries = Float64Array.from(
    { length: count * below.length },
    (_, i) => below.table[i % below.table.length] as number,
  );
  const axis = tables > 1 ? (node as LookupNode).axis : below.axis;
  return { ...below, name: node.name, axis, table: onEntries(node, entries, count) };
};

/** What a node with one set of parameters, or a lookup with one table for each, makes of `count` tables' entries. */
function onEntries(node: Elementwise, entries: Float64Array, count: number): Float64Array {
  const shape = [count, entries.length / count];
  const at = { ...node, axis: 0, shape } as Elementwise;
  // Entries that no index reaches may be what the node cannot read; then anything will do.
  const readable = entries.map((entry) => {
    if (node.op === "sqrt") return Math.max(0, entry);
    return node.op === "lookup" ? Math.min(node.first + node.length - 1, Math.max(node.first, entry)) : entry;
  });
  return apply(at, [readable], [shape]);
}

/** A clamp before a table costs a comparison; a few more entries do the same. */
const tableForClamp: Rewrite = (node, site) => {
  if (node.op !== "lookup" || !site.alone(node.x)) return undefined;
  const below = site.at(node.x);
  if (below.op !== "rescale" || !clampsOnly(below)) return undefined;
  const bounds = site.bounds(below.x);
  const [first, last] = [smallest(bounds.lo), largest(bounds.hi)];
  const length = last - first + 1;
  const tables = node.table.length / node.length;
  // A clamp of B bits costs about B + 4 rows, a table about twice the root of its entries.
  if (2 * (Math.sqrt(length) - Math.sqrt(node.length)) >= bitsFor(first, last) + 4) return undefined;
  if (tables * length > MAX_TABLE) return undefined;
  const table = Float64Array.from({ length: tables * length }, (_, i) => {
    const clamped = Math.min(below.hi, Math.max(below.lo, first + (i % length)));
    // Beyond what the clamp yields, nothing is read.
    const at = Math.min(node.length - 1, Math.max(0, clamped - node.first));
    return node.table[Math.floor(i / length) * node.length + at] as number;
  });
  return { ...node, x: below.x, first, length, table };
};

/** What repeats elements can repeat the results instead: fewer of them to compute. */
const beforeRepeats: Rewrite = (node, site) => {
  if (!isElementwise(node) || !site.uniform || !site.alone(node.x)) return undefined;
  const below = site.at(node.x);
  if (below.op !== "take" || (node.op === "lookup" && node.table.length > node.length)) return undefined;
  const { shape } = site.at(below.x);
  const size = sizeOf(shape);
  if (size >= below.index.length || new Set(below.index).size < size) return undefined;
  return { ...below, x: site.put({ ...node, x: below.x, shape, ...("axis" in node ? { axis: 0 } : {}) }) };
};

export const REWRITES: readonly Rewrite[] = [
  withoutIdle,
  composed,
  clampedOnce,
  pooledFirst,
  tabled,
  tableForClamp,
  beforeRepeats,
];

type Elementwise = NodeOf<"rescale" | "lookup" | "iszero" | "sqrt">;

/** One function for all elements, or a lookup. */
function isElementwise(node: Node): node is Elementwise {
  return (
    node.op === "lookup" ||
    node.op === "iszero" ||
    node.op === "sqrt" ||
    (node.op === "rescale" && node.multiplier.length === 1)
  );
}

function clampsOnly(node: RescaleNode): boolean {
  return node.shift.every((shift) => shift === 0) && node.multiplier.every((m) => m === 1);
}

function same(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, k) => dim === b[k]);
}

/** The flat place in `from` of each element that the transpose yields. */
function placesOf(node: NodeOf<"transpose">, from: Shape): TakeNode["index"] {
  const places = Float64Array.from({ length: sizeOf(from) }, (_, i) => i);
  return Int32Array.from(apply(node, [places], [from]));
}
