// Models of ai.onnx.ml for tests: written, run in onnxruntime, and run as the reader understands them.
import ort from "onnxruntime-node";
import { joinFlat, splitFlat } from "../../node/core/tensor.ts";
import { evaluateFloat } from "../../node/model/evaluate-float.ts";
import { type FloatGraph, floatInputs } from "../../node/model/graph.ts";
import { plainSource } from "../../node/model/onnx/ml/plain.ts";
import { type AttributeOf, bytesOf, type ModelInit, type ModelSpec, node, type NodeInit, typed } from "./onnx.ts";

export function mlNode(
  op: string,
  input: string[],
  output: string[],
  attributes: Readonly<Record<string, AttributeOf>> = {},
): NodeInit {
  return node(op, input, output, attributes, { domain: "ai.onnx.ml" });
}

/** A model from "x" to "y" that imports ai.onnx.ml, too. */
export function mlBytes(spec: ModelSpec, version = 3): Uint8Array {
  return bytesOf({
    ...spec,
    change: (model) => {
      const changed = spec.change?.(model) ?? model;
      const more = { domain: "ai.onnx.ml", version: BigInt(version) };
      return { ...changed, opsetImport: [...(changed.opsetImport ?? []), more] } as ModelInit;
    },
  });
}

/** onnxruntime on the model without its maps and strings: outputs by name, for one sample of reals (all inputs, flat). */
export async function openOriginal(
  bytes: Uint8Array,
  graph: FloatGraph,
): Promise<{ run: (sample: Float64Array) => Promise<readonly Float64Array[]>; close: () => Promise<void> }> {
  const options = { graphOptimizationLevel: "disabled", intraOpNumThreads: 1, logSeverityLevel: 4 } as const;
  const session = await ort.InferenceSession.create((await plainSource(bytes)) as Uint8Array, options);
  const inputs = floatInputs(graph);
  return {
    run: async (sample) => {
      const feeds = splitFlat(inputs, sample).map((values, k) => {
        const { name, elemType, shape } = inputs[k] as (typeof inputs)[number];
        return [name, new ort.Tensor(elemType, typed(values, elemType) as never, [...shape])] as const;
      });
      const results = await session.run(Object.fromEntries(feeds));
      return graph.outputs.map(({ name }) => Float64Array.from((results[name] as ort.Tensor).data as ArrayLike<number>, Number)); // prettier-ignore
    },
    close: () => session.release(),
  };
}

/** The float graph's outputs, with a final softmax applied. */
export function outputsOfFloat(graph: FloatGraph, sample: Float64Array): readonly Float64Array[] {
  const tensors = evaluateFloat(graph, sample);
  return withEnds(graph, joinFlat(graph.outputs.map(({ ref }) => tensors[ref] as Float64Array)));
}

/** Flat outputs, by output, with a final softmax applied. */
export function withEnds(graph: FloatGraph, flat: Float64Array): readonly Float64Array[] {
  const shapes = graph.outputs.map(({ ref }) => ({ shape: graph.nodes[ref]?.shape ?? [] }));
  return splitFlat(shapes, flat).map((values, k) => {
    if (graph.outputs[k]?.finalSoftmax === undefined) return values;
    const top = Math.max(...values);
    const powers = values.map((v) => Math.exp(v - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((v) => v / sum);
  });
}

/** A tree by what it asks: x[feature] `mode` value ? yes : no; or a leaf's [target, weight] pairs. */
export type TreeSpec =
  { ask: [number, string, number]; yes: TreeSpec; no: TreeSpec } | readonly (readonly [number, number])[];

function isLeafSpec(tree: TreeSpec): tree is readonly (readonly [number, number])[] {
  return Array.isArray(tree);
}

/** The attributes of TreeEnsembleClassifier ("class") or TreeEnsembleRegressor ("target"). */
export function ensembleOf(kind: "class" | "target", trees: readonly TreeSpec[]): Record<string, AttributeOf> {
  const rows: { tree: number; id: number; feature: number; mode: string; value: number; yes: number; no: number }[] =
    [];
  const leaves: { tree: number; id: number; target: number; weight: number }[] = [];
  trees.forEach((root, tree) => {
    let next = 0;
    const visit = (spec: TreeSpec): number => {
      const id = next++;
      const row = { tree, id, feature: 0, mode: "LEAF", value: 0, yes: 0, no: 0 };
      rows.push(row);
      if (isLeafSpec(spec)) {
        for (const [target, weight] of spec) leaves.push({ tree, id, target, weight });
      } else {
        [row.feature, row.mode, row.value] = spec.ask;
        [row.yes, row.no] = [visit(spec.yes), visit(spec.no)];
      }
      return id;
    };
    visit(root);
  });
  return {
    nodes_treeids: rows.map(({ tree }) => tree),
    nodes_nodeids: rows.map(({ id }) => id),
    nodes_featureids: rows.map(({ feature }) => feature),
    nodes_modes: { strings: rows.map(({ mode }) => mode) },
    nodes_values: { floats: rows.map(({ value }) => value) },
    nodes_truenodeids: rows.map(({ yes }) => yes),
    nodes_falsenodeids: rows.map(({ no }) => no),
    [`${kind}_treeids`]: leaves.map(({ tree }) => tree),
    [`${kind}_nodeids`]: leaves.map(({ id }) => id),
    [`${kind}_ids`]: leaves.map(({ target }) => target),
    [`${kind}_weights`]: { floats: leaves.map(({ weight }) => weight) },
  };
}
