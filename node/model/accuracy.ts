// The one place where a tolerance exists: the float model, run by onnxruntime from its own file, against the integer model.
// Measures and judges nothing.
import { InferenceSession, Tensor } from "onnxruntime-node";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { toIntegers, toReals } from "./border.ts";
import type { Dataset } from "./dataset.ts";
import { evaluateFloat } from "./evaluate-float.ts";
import type { FloatGraph, FloatInput } from "./graph.ts";
import { nodeAt } from "./ir.ts";
import type { Graph } from "./ir.ts";
import { yieldsIndex } from "./output.ts";
import type { Runner } from "./run.ts";

interface Score {
  readonly right: number;
  readonly share: number;
}

export interface Accuracy {
  readonly samples: number;
  /** How many labels are hit, by the float model and by the integer model; on labelled data only. */
  readonly float?: Score;
  readonly integer?: Score;
  /** Samples whose class differs between float and integer model, whatever the label; for models that yield classes. */
  readonly changed?: number;
  /** Difference of the outputs in the float model's units (before a final Softmax); not for class indices. */
  readonly error?: { readonly max: number; readonly mean: number };
}

export interface Comparison {
  /** The float model's file: its path, or its bytes if it has no external data. */
  readonly source: string | Uint8Array;
  readonly float: FloatGraph;
  readonly graph: Graph;
  readonly runner: Runner;
  readonly data: Dataset;
}

export async function measureAccuracy(comparison: Comparison, call: LongCall = {}): Promise<Accuracy> {
  const { source, float, graph, runner, data } = comparison;
  const input = nodeAt(graph, graph.input);
  if (input.op !== "input") throw new NodeError("internal", "node 0 of an integer graph is its input");
  const { ref, border } = graph.output;
  const index = yieldsIndex(float);
  const classes = index || border.shape.filter((dim) => dim > 1).length === 1;
  const original = await openFloat(source, float);
  let [right, rightInteger, changed, worst, total, elements] = [0, 0, 0, 0, 0, 0];
  try {
    for (const [i, sample] of data.samples.entries()) {
      throwIfAborted(call.signal);
      const theirs = await original.run(sample);
      const tensors = await runner.run(toIntegers(input.border, sample));
      const ours = toReals(border, tensors[ref] as Float64Array);
      const [a, b] = [theirs, ours].map((output) => (index ? output[0] : indexOfMax(output)));
      if (a !== b) changed++;
      if (data.labels?.[i] === a) right++;
      if (data.labels?.[i] === b) rightInteger++;
      const reals =
        float.finalSoftmax === undefined ? theirs : (evaluateFloat(float, sample)[float.output] as Float64Array);
      ours.forEach((value, k) => {
        const error = Math.abs(value - (reals[k] as number));
        worst = Math.max(worst, error);
        total += error;
        elements++;
      });
      call.onProgress?.({ what: "test samples", done: i + 1, total: data.samples.length });
    }
  } finally {
    await original.close();
  }
  const samples = data.samples.length;
  const score = (hits: number): Score => ({ right: hits, share: hits / samples });
  return {
    samples,
    ...(classes && data.labels !== undefined ? { float: score(right), integer: score(rightInteger) } : {}),
    ...(classes ? { changed } : {}),
    ...(index ? {} : { error: { max: worst, mean: total / elements } }),
  };
}

/** The first index of the largest value. */
export function indexOfMax(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}

interface FloatRunner {
  run(sample: Float64Array): Promise<Float64Array>;
  close(): Promise<void>;
}

/** The float model in onnxruntime: one sample of reals in, its output out. */
async function openFloat(source: string | Uint8Array, float: FloatGraph): Promise<FloatRunner> {
  const options = { executionProviders: ["cpu"], logSeverityLevel: 3 } as const;
  const session = await (typeof source === "string"
    ? InferenceSession.create(source, options)
    : InferenceSession.create(source, options));
  const { shape, elemType } = float.nodes[float.input] as FloatInput;
  return {
    run: async (sample) => {
      const yielded = await session.run({ [float.inputName]: tensorOf(elemType, sample, shape) });
      return Float64Array.from((yielded[float.outputName] as Tensor).data as ArrayLike<number | bigint>, Number);
    },
    close: () => session.release(),
  };
}

function tensorOf(type: FloatInput["elemType"], data: Float64Array, shape: readonly number[]): Tensor {
  switch (type) {
    case "float32":
      return new Tensor(type, Float32Array.from(data), shape);
    case "float64":
      return new Tensor(type, data, shape);
    case "uint8":
      return new Tensor(type, Uint8Array.from(data), shape);
    case "int8":
      return new Tensor(type, Int8Array.from(data), shape);
    case "uint16":
      return new Tensor(type, Uint16Array.from(data), shape);
    case "int16":
      return new Tensor(type, Int16Array.from(data), shape);
    case "int32":
      return new Tensor(type, Int32Array.from(data), shape);
    case "int64":
      return new Tensor(type, BigInt64Array.from(data, BigInt), shape);
    case "bool":
      return new Tensor(type, Uint8Array.from(data), shape);
  }
}
