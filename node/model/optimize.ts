// Rewrites of the integer graph that change no output bit and make the circuit smaller. Each is exact because rescale is
// monotone; whether it pays is counted in constraints, roughly (the circuit counts exactly).
import { bitsFor } from "./binary.ts";
import { sizeOf } from "../core/tensor.ts";
import { readsOf } from "./ir.ts";
import type { Graph, MaxPoolNode, Node, Output, Ref, RescaleNode } from "./ir.ts";
import { withReads } from "./refs.ts";
import { boundsOf, largest, smallest } from "./range.ts";
import type { Bounds } from "./range.ts";

export interface Optimized {
  readonly graph: Graph;
  /** For each node, the node of the original graph whose integers stand for reals at the same scale. */
  readonly origin: readonly Ref[];
}

interface Draft {
  readonly nodes: Node[];
  readonly bounds: Bounds[];
  readonly origin: Ref[];
  /** How many readers a node will have; the output is one. */
  readonly readers: number[];
}

export function optimize(graph: Graph): Optimized {
  const readers = graph.nodes.map((_, ref): number => graph.outputs.filter((output) => output.ref === ref).length);
  for (const node of graph.nodes) for (const ref of readsOf(node)) readers[ref] = (readers[ref] as number) + 1;
  const draft: Draft = { nodes: [], bounds: [], origin: [], readers: [] };
  const moved: Ref[] = [];
  graph.nodes.forEach((old, ref) => {
    const node = withReads(old, (read) => moved[read] as Ref);
    moved.push(place(draft, node, ref, readers[ref] as number));
  });
  return withoutDead(
    draft,
    graph.outputs.map((output) => ({ ...output, ref: moved[output.ref] as Ref })),
  );
}

/** Adds the node, or what it turns into; returns where its tensor is. */
function place(draft: Draft, node: Node, origin: Ref, readers: number): Ref {
  const below = "x" in node ? (draft.nodes[node.x] as Node) : undefined;
  if (below !== undefined && isIdentity(draft, node, below)) {
    const { x } = node as RescaleNode;
    draft.readers[x] = (draft.readers[x] as number) - 1 + readers;
    return x;
  }
  const alone = below !== undefined && draft.readers[(node as RescaleNode).x] === 1;
  if (alone && node.op === "rescale" && clampsOnly(node) && below.op === "rescale") {
    const clamp = (q: number): number => Math.min(node.hi, Math.max(node.lo, q));
    return append(draft, { ...below, name: node.name, lo: clamp(below.lo), hi: clamp(below.hi) }, origin, readers);
  }
  if (alone && node.op === "maxpool" && below.op === "rescale" && isCheaperPooledFirst(draft, node, below)) {
    const pooled = append(draft, { ...node, x: below.x }, draft.origin[below.x] as Ref, 1);
    return append(draft, { ...below, x: pooled, shape: node.shape }, origin, readers);
  }
  return append(draft, node, origin, readers);
}

function append(draft: Draft, node: Node, origin: Ref, readers: number): Ref {
  const reads = readsOf(node);
  draft.bounds.push(
    boundsOf(
      node,
      reads.map((ref) => draft.bounds[ref] as Bounds),
      reads.map((ref) => (draft.nodes[ref] as Node).shape),
    ),
  );
  draft.origin.push(origin);
  draft.readers.push(readers);
  return draft.nodes.push(node) - 1;
}

function clampsOnly(node: RescaleNode): boolean {
  return node.shift.every((shift) => shift === 0) && node.multiplier.every((m) => m === 1);
}

function isIdentity(draft: Draft, node: Node, below: Node): boolean {
  switch (node.op) {
    case "rescale": {
      const { lo, hi } = draft.bounds[node.x] as Bounds;
      return clampsOnly(node) && smallest(lo) >= node.lo && largest(hi) <= node.hi;
    }
    case "reshape":
      return node.shape.length === below.shape.length && node.shape.every((dim, k) => dim === below.shape[k]);
    case "transpose":
      return node.perm.every((axis, k) => axis === k);
    default:
      return false;
  }
}

/** Pooling first compares wide accumulators but rescales fewer of them; with overlapping windows that may not pay. */
function isCheaperPooledFirst(draft: Draft, pool: MaxPoolNode, rescale: RescaleNode): boolean {
  if (rescale.multiplier.length > 1 && rescale.axis !== 1) return false;
  const { lo, hi } = draft.bounds[rescale.x] as Bounds;
  const wide = bitsFor(smallest(lo), largest(hi));
  const [inputs, outputs] = [sizeOf(rescale.shape), sizeOf(pool.shape)];
  const comparisons = outputs * (pool.kernel[0] * pool.kernel[1] - 1);
  // A comparison of n-bit values costs n + 3 rows, a rescale of B bits B + 4.
  const poolFirst = comparisons * (wide + 4) + outputs * (wide + 4);
  const rescaleFirst = inputs * (wide + 4) + comparisons * (bitsFor(rescale.lo, rescale.hi) + 4);
  return poolFirst < rescaleFirst;
}

function withoutDead(draft: Draft, outputs: readonly Output[]): Optimized {
  const ends = new Set(outputs.map(({ ref }) => ref));
  const alive = draft.nodes.map((node, ref) => node.op === "input" || ends.has(ref));
  for (let ref = draft.nodes.length - 1; ref >= 0; ref--) {
    if (alive[ref]) for (const read of readsOf(draft.nodes[ref] as Node)) alive[read] = true;
  }
  const kept = draft.nodes.flatMap((_, ref) => (alive[ref] ? [ref] : []));
  const place = new Map(kept.map((ref, at) => [ref, at]));
  const moved = (ref: Ref): Ref => place.get(ref) as Ref;
  const nodes = kept.map((ref) => withReads(draft.nodes[ref] as Node, moved));
  return {
    graph: { nodes, outputs: outputs.map((output) => ({ ...output, ref: moved(output.ref) })) },
    origin: kept.map((ref) => draft.origin[ref] as Ref),
  };
}
