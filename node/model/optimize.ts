// Rewrites of the integer graph that change no output bit and make the circuit smaller: sweeps over the list by the rules
// of rewrites.ts, equal nodes merged, dead ones dropped, until a sweep finds nothing more to do.
import { createHash } from "node:crypto";
import { readsOf } from "./ir.ts";
import type { Graph, Node, Output, Ref } from "./ir.ts";
import { boundsOf } from "./range.ts";
import type { Bounds } from "./range.ts";
import { withReads } from "./refs.ts";
import { REWRITES } from "./rewrites.ts";
import type { Site } from "./rewrites.ts";

export interface Optimized {
  readonly graph: Graph;
  /** For each node, the node of the original graph whose integers stand for reals at the same scale. */
  readonly origin: readonly Ref[];
}

/** The graph so far, and what is known of its nodes. */
interface State extends Optimized {
  readonly bounds: readonly Bounds[];
}

interface Draft {
  readonly nodes: Node[];
  readonly bounds: Bounds[];
  readonly origin: Ref[];
  /** How many readers a node will have at most; an output is one. */
  readonly readers: number[];
  /** Where a node of this content is, and what the content of each is. */
  readonly known: Map<string, Ref>;
  readonly contents: string[];
  changed: boolean;
}

/** Each sweep leaves fewer nodes, or some nearer to the inputs; a few do. */
const MAX_SWEEPS = 20;

/** uniform: whether all elements of an original node's tensor stand for reals at one scale. */
export function optimize(graph: Graph, uniform: (ref: Ref) => boolean = () => true): Optimized {
  const bounds: Bounds[] = [];
  for (const node of graph.nodes) bounds.push(boundsIn(graph.nodes, bounds, node));
  let state = withoutDead({ graph, bounds, origin: [...graph.nodes.keys()] });
  for (let k = 0; k < MAX_SWEEPS; k++) {
    const next = sweep(state, uniform);
    if (next === undefined) break;
    state = next;
  }
  return { graph: state.graph, origin: state.origin };
}

/** Undefined if there was nothing to do. */
function sweep(state: State, uniform: (ref: Ref) => boolean): State | undefined {
  const { graph } = state;
  const readers = graph.nodes.map((_, ref): number => graph.outputs.filter((output) => output.ref === ref).length);
  for (const node of graph.nodes) for (const ref of readsOf(node)) readers[ref] = (readers[ref] as number) + 1;
  const draft: Draft = {
    nodes: [],
    bounds: [],
    origin: [],
    readers: [],
    known: new Map(),
    contents: [],
    changed: false,
  };
  const moved: Ref[] = [];
  graph.nodes.forEach((old, ref) => {
    const node = withReads(old, (read) => moved[read] as Ref);
    const placed = place(draft, node, state.origin[ref] as Ref, uniform, state.bounds[ref]);
    draft.readers[placed] = (draft.readers[placed] as number) + (readers[ref] as number);
    moved.push(placed);
  });
  if (!draft.changed) return undefined;
  const outputs = graph.outputs.map((output): Output => ({ ...output, ref: moved[output.ref] as Ref }));
  return withoutDead({ ...draft, graph: { nodes: draft.nodes, outputs } });
}

/** Adds the node, or what it turns into, without readers so far; returns where its tensor is. */
function place(draft: Draft, node: Node, origin: Ref, uniform: (ref: Ref) => boolean, bounds?: Bounds): Ref {
  const content = contentOf(node);
  const same = draft.known.get(content);
  if (same !== undefined) {
    draft.changed = true;
    return same;
  }
  const site: Site = {
    at: (ref) => draft.nodes[ref] as Node,
    bounds: (ref) => draft.bounds[ref] as Bounds,
    alone: (ref) => draft.readers[ref] === 1,
    uniform: uniform(origin),
    put: (made, like) => {
      read(draft, made);
      return place(draft, made, like === undefined ? origin : (draft.origin[like] as Ref), uniform);
    },
  };
  for (const rewrite of REWRITES) {
    const better = rewrite(node, site);
    if (better === undefined) continue;
    draft.changed = true;
    if (typeof better === "number") return better;
    // What only this node read is dead, and its name may live on.
    for (const ref of readsOf(node)) if (site.alone(ref)) draft.known.delete(draft.contents[ref] as string);
    read(draft, better);
    return place(draft, better, origin, uniform);
  }
  draft.bounds.push(bounds ?? boundsIn(draft.nodes, draft.bounds, node));
  draft.origin.push(origin);
  draft.readers.push(0);
  draft.contents.push(content);
  draft.known.set(content, draft.nodes.length);
  return draft.nodes.push(node) - 1;
}

/** A rewritten node is one reader more. Whom it replaces is still counted: at most too many, until the next sweep. */
function read(draft: Draft, node: Node): void {
  for (const ref of readsOf(node)) draft.readers[ref] = (draft.readers[ref] as number) + 1;
}

function boundsIn(nodes: readonly Node[], bounds: readonly Bounds[], node: Node): Bounds {
  const reads = readsOf(node);
  return boundsOf(
    node,
    reads.map((ref) => bounds[ref] as Bounds),
    reads.map((ref) => (nodes[ref] as Node).shape),
  );
}

const digests = new WeakMap<Int32Array | Float64Array, string>();

/** All that makes a node's tensor: equal contents, equal tensors. An input is like no other node. */
function contentOf(node: Node): string {
  const fields = Object.entries(node).filter(([name]) => name !== "name" || node.op === "input");
  const spelled = fields.map(([name, value]: [string, unknown]) => {
    if (!(value instanceof Int32Array || value instanceof Float64Array)) return [name, value];
    const digest = digests.get(value) ?? createHash("sha256").update(value).digest("hex");
    digests.set(value, digest);
    return [name, digest];
  });
  return JSON.stringify(spelled.sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)));
}

function withoutDead({ graph, bounds, origin }: State): State {
  const ends = new Set(graph.outputs.map(({ ref }) => ref));
  const alive = graph.nodes.map((node, ref) => node.op === "input" || ends.has(ref));
  for (let ref = graph.nodes.length - 1; ref >= 0; ref--) {
    if (alive[ref]) for (const read of readsOf(graph.nodes[ref] as Node)) alive[read] = true;
  }
  const kept = [...graph.nodes.keys()].filter((ref) => alive[ref]);
  const at = new Map(kept.map((ref, place) => [ref, place]));
  const moved = (ref: Ref): Ref => at.get(ref) as Ref;
  return {
    graph: {
      nodes: kept.map((ref) => withReads(graph.nodes[ref] as Node, moved)),
      outputs: graph.outputs.map((output) => ({ ...output, ref: moved(output.ref) })),
    },
    bounds: kept.map((ref) => bounds[ref] as Bounds),
    origin: kept.map((ref) => origin[ref] as Ref),
  };
}
