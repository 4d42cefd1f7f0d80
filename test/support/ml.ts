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
