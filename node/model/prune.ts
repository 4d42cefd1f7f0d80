// Leaves out of the integer graph what its outputs do not need: ops are made to yield fewer elements, picked and spread by
// takes, which cost nothing. Only needed elements keep their values. Rearrangements between ops are left to optimize.ts.
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { scaleAt } from "./build.ts";
import type { Value } from "./build.ts";
import type { Graph, Node, Output, Ref } from "./ir.ts";
import { nodeAt, readsOf } from "./ir.ts";
import { neededOf } from "./needed.ts";
import { partOf } from "./prune-part.ts";
import { withReads } from "./refs.ts";

export interface Pruned {
  readonly graph: Graph;
  /** What each node's tensor stands for. */
  readonly values: readonly Value[];
}

/** values: what each node's tensor stands for. Undefined if all is needed. */
export function prune(graph: Graph, values: readonly Value[]): Pruned | undefined {
  const needed = neededOf(graph);
  const nodes: Node[] = [];
  const kept: Value[] = [];
  const names = new Set(graph.nodes.map(({ name }) => name));
  const push = (node: Node, scale: Float64Array, axis: number): Ref => {
    const ref = nodes.push(node) - 1;
    kept.push({ ref, scale, axis });
    return ref;
  };
  const fresh = (hint: string): string => {
    let name = hint;
    for (let k = 2; names.has(name); k++) name = `${hint}#${k}`;
    names.add(name);
    return name;
  };
  const moved: Ref[] = [];
  let pruned = false;
  graph.nodes.forEach((node, ref) => {
    const value = values[ref] as Value;
    const mask = needed[ref] as Uint8Array;
    const part = mask.includes(0) && mask.includes(1) ? partOf(graph, node, mask) : undefined;
    if (part === undefined || part.places.length === mask.length) {
      moved.push(
        push(
          withReads(node, (read) => moved[read] as Ref),
          value.scale,
          value.axis,
        ),
      );
      return;
    }
    pruned = true;
    const reads = readsOf(node);
    const inputs: Ref[] = [];
    part.inputs.forEach((input, k) => {
      if (input === undefined) return;
      const from = reads[k] as Ref;
      const same = reads.findIndex((read, j) => j < k && read === from && part.inputs[j] === input); // x * x is a square
      if (same >= 0) {
        inputs.push(inputs[same] as Ref);
        return;
      }
      const { places, shape } = input;
      const { scale, axis } = scalesAt(values[from] as Value, nodeAt(graph, from).shape, places, shape);
      const name = fresh(`${node.name}.needs${k}`);
      inputs.push(push({ op: "take", x: moved[from] as Ref, index: places, shape, name }, scale, axis));
    });
    let last = -1;
    for (const made of part.nodes(inputs, nodes.length)) {
      const { scale, axis } = scalesAt(value, node.shape, part.places, made.shape);
      last = push(made.name === node.name ? made : { ...made, name: fresh(made.name) }, scale, axis);
    }
    // Elements that nobody needs take the first value that there is.
    const index = new Int32Array(mask.length);
    part.places.forEach((place, i) => (index[place] = i));
    const name = fresh(`${node.name}.spread`);
    moved.push(push({ op: "take", x: last, index, shape: node.shape, name }, value.scale, value.axis));
  });
  const outputs = graph.outputs.map((output): Output => ({ ...output, ref: moved[output.ref] as Ref }));
  return pruned ? { graph: { nodes, outputs }, values: kept } : undefined;
}

/** Scales of the elements at `places`, as a tensor of `shape` has them. */
function scalesAt(value: Value, whole: Shape, places: Int32Array, shape: Shape): { scale: Float64Array; axis: number } {
  if (value.scale.length === 1) return { scale: value.scale, axis: 0 };
  const scales = Float64Array.from(places, (place) => scaleAt(value, whole, place));
  for (let axis = 0; axis < shape.length; axis++) {
    const inner = sizeOf(shape.slice(axis + 1));
    const count = shape[axis] as number;
    const scale = Float64Array.from({ length: count }, (_, c) => scales[c * inner] as number);
    if (scales.every((unit, i) => unit === scale[Math.floor(i / inner) % count])) return { scale, axis };
  }
  return { scale: value.scale.slice(0, 1), axis: 0 };
}
