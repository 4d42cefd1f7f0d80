// The one place where a tolerance exists: the float model, run by onnxruntime from its own file, against the integer model.
// Measures and judges nothing.
import { InferenceSession, Tensor } from "onnxruntime-node";
import { throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { splitFlat } from "../core/tensor.ts";
import { toIntegers, toReals } from "./border.ts";
import type { Dataset } from "./dataset.ts";
import { evaluateFloat } from "./evaluate-float.ts";
import { outputsOf } from "./evaluate.ts";
import { floatInputs } from "./graph.ts";
import type { FloatGraph, FloatInput, FloatNode } from "./graph.ts";
import { bordersOf } from "./ir.ts";
import type { Graph } from "./ir.ts";
import { plainSource } from "./onnx/ml/plain.ts";
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
  const borders = bordersOf(graph);
  const k = classesAt(float);
  const original = await openFloat(source, float);
  const tally = newTally();
  try {
    for (const [i, sample] of data.samples.entries()) {
      throwIfAborted(call.signal);
      const theirs = await original.run(sample);
      const tensors = await runner.run(toIntegers(borders.inputs, sample));
      const ours = splitFlat(borders.outputs, toReals(borders.outputs, outputsOf(graph, tensors)));
      const own = float.outputs.some(({ finalSoftmax }) => finalSoftmax !== undefined)
        ? evaluateFloat(float, sample)
        : [];
      const reals = float.outputs.map(({ ref, finalSoftmax }, n) =>
        finalSoftmax === undefined ? (theirs[n] as Float64Array) : (own[ref] as Float64Array),
      );
      count(tally, float, reals, ours, k, data.labels?.[i]);
      call.onProgress?.({ what: "test samples", done: i + 1, total: data.samples.length });
    }
  } finally {
    await original.close();
  }
  return summary(tally, data.samples.length, k !== undefined, data.labels !== undefined);
}

/** What is counted over samples, by whoever compares the float and the integer model. */
export interface Tally {
  right: number;
  rightInteger: number;
  changed: number;
  worst: number;
  total: number;
  elements: number;
}

export function newTally(): Tally {
  return { right: 0, rightInteger: 0, changed: 0, worst: 0, total: 0, elements: 0 };
}

/** Adds one sample: the outputs' reals of the float and of the integer model. `k`: the output that yields classes. */
export function count(
  tally: Tally,
  float: FloatGraph,
  reals: readonly Float64Array[],
  ours: readonly Float64Array[],
  k: number | undefined,
  label: number | undefined,
): void {
  if (k !== undefined) {
    const classOf = (values: Float64Array): number =>
      yieldsIndex(float, k) ? (values[0] as number) : indexOfMax(values);
    const [a, b] = [classOf(reals[k] as Float64Array), classOf(ours[k] as Float64Array)];
    if (a !== b) tally.changed++;
    if (label === a) tally.right++;
    if (label === b) tally.rightInteger++;
  }
  ours.forEach((output, n) => {
    if (yieldsIndex(float, n)) return;
    output.forEach((value, i) => {
      const error = Math.abs(value - (reals[n] as Float64Array)[i]!);
      tally.worst = Math.max(tally.worst, error);
      tally.total += error;
      tally.elements++;
    });
  });
}

export function summary(tally: Tally, samples: number, classes: boolean, labelled: boolean): Accuracy {
  const score = (hits: number): Score => ({ right: hits, share: hits / samples });
  return {
    samples,
    ...(classes && labelled ? { float: score(tally.right), integer: score(tally.rightInteger) } : {}),
    ...(classes ? { changed: tally.changed } : {}),
    ...(tally.elements > 0 ? { error: { max: tally.worst, mean: tally.total / tally.elements } } : {}),
  };
}

/** The output that yields classes: the first that is an index, else the first with one axis of scores, if any. */
export function classesAt(float: FloatGraph): number | undefined {
  const index = float.outputs.findIndex((_, k) => yieldsIndex(float, k));
  if (index >= 0) return index;
  const scores = float.outputs.findIndex(
    ({ ref }) => (float.nodes[ref] as FloatNode).shape.filter((dim) => dim > 1).length === 1,
  );
  return scores < 0 ? undefined : scores;
}

/** The first index of the largest value. */
export function indexOfMax(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > (values[best] as number) ? i : best), 0);
}

interface FloatRunner {
  run(sample: Float64Array): Promise<readonly Float64Array[]>;
  close(): Promise<void>;
}

/** The float model in onnxruntime: one sample of reals in, its outputs out. */
async function openFloat(source: string | Uint8Array, float: FloatGraph): Promise<FloatRunner> {
  const options = { executionProviders: ["cpu"], logSeverityLevel: 3 } as const;
  const plain = await plainSource(source);
  const session = await (typeof plain === "string"
    ? InferenceSession.create(plain, options)
    : InferenceSession.create(plain, options));
  const inputs = floatInputs(float);
  return {
    run: async (sample) => {
      const feeds = splitFlat(inputs, sample).map((values, k) => {
        const { name, elemType, shape } = inputs[k] as FloatInput;
        return [name, tensorOf(elemType, values, shape)] as const;
      });
      const yielded = await session.run(Object.fromEntries(feeds));
      return float.outputs.map(({ name }) =>
        Float64Array.from((yielded[name] as Tensor).data as ArrayLike<number | bigint>, Number),
      );
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
      return new Tensor(
        type,
        Uint8Array.from(data, (value) => (value === 0 ? 0 : 1)),
        shape,
      );
  }
}
