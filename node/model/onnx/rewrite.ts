// Rewriting a float graph: passes over its list that keep track of who reads what. Knows the ops' inputs, no more.
import type { FloatGraph, FloatNode } from "../graph.ts";
import { readsOf, withReads } from "../refs.ts";

/** Multiplications that folding biases through convolutions may take in one pass (seconds). */
const MAX_FOLD_WORK = 2 ** 31;

/** The list under work. `uses` counts the readers that are alive; rules rely on it to know what only they read. */
export interface Work {
  readonly nodes: FloatNode[];
  readonly uses: number[];
  /** Multiplications that folding may still take; beyond it affine maps stay nodes. */
  foldWork: number;
}

function retain(work: Work, node: FloatNode): void {
  for (const ref of readsOf(node)) work.uses[ref] = (work.uses[ref] as number) + 1;
}

/** Takes back what `node` reads, and what nodes read that nothing reads any more. */
function release(work: Work, node: FloatNode): void {
  const refs = [...readsOf(node)];
  for (let ref = refs.pop(); ref !== undefined; ref = refs.pop()) {
    work.uses[ref] = (work.uses[ref] as number) - 1;
    if (work.uses[ref] === 0) refs.push(...readsOf(work.nodes[ref] as FloatNode));
  }
}

export function replace(work: Work, index: number, node: FloatNode): void {
  const old = work.nodes[index] as FloatNode;
  retain(work, node);
  work.nodes[index] = node;
  release(work, old);
}

/** Leaves out what the outputs, now at `ends`, do not need and renumbers; the inputs stay. */
function sweep(graph: FloatGraph, nodes: readonly FloatNode[], ends: readonly number[]): FloatGraph {
  const live = new Set([...nodes.flatMap((node, i) => (node.op === "input" ? [i] : [])), ...ends]);
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (live.has(i)) for (const ref of readsOf(nodes[i] as FloatNode)) live.add(ref);
  }
  const numbers = new Map([...live].toSorted((a, b) => a - b).map((old, i) => [old, i]));
  const at = (old: number): number => numbers.get(old) as number;
  const kept = nodes.filter((_, i) => live.has(i)).map((node) => withReads(node, at));
  const outputs = graph.outputs.map((output, k) => ({ ...output, ref: at(ends[k] as number) }));
  return { ...graph, nodes: kept, outputs };
}

/** One pass: `rule` sees each live node; it returns what replaces it, or the ref that stands for it from then on. */
export function pass(
  graph: FloatGraph,
  rule: (node: FloatNode, work: Work, index: number) => FloatNode | number,
): FloatGraph {
  const work: Work = {
    nodes: [...graph.nodes],
    uses: new Array<number>(graph.nodes.length).fill(0),
    foldWork: MAX_FOLD_WORK,
  };
  for (const { ref } of graph.outputs) work.uses[ref] = (work.uses[ref] as number) + 1;
  for (const node of graph.nodes) retain(work, node);
  const alias = graph.nodes.map((_, i) => i);
  for (let i = 0; i < work.nodes.length; i++) {
    if (work.uses[i] === 0) continue;
    const node = withReads(work.nodes[i] as FloatNode, (ref) => alias[ref] as number);
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
  return sweep(
    graph,
    work.nodes,
    graph.outputs.map(({ ref }) => alias[ref] as number),
  );
}
