// A model's way from its ONNX file to integers, compared twice: what the reader makes of the file with onnxruntime on the
// same file, and the integer graph with the float graph.
import { expect } from "chai";
import { NodeError } from "../../node/core/errors.ts";
import { joinFlat, splitFlat } from "../../node/core/tensor.ts";
import { toIntegers, toReals } from "../../node/model/border.ts";
import { type QuantizeOptions, quantizeModel } from "../../node/model/compile.ts";
import { evaluateFloat } from "../../node/model/evaluate-float.ts";
import { evaluate, outputsOf } from "../../node/model/evaluate.ts";
import { floatInputs, type FloatGraph, type FloatNode } from "../../node/model/graph.ts";
import { bordersOf, type Graph } from "../../node/model/ir.ts";
import { readModel, readModelBytes } from "../../node/model/onnx/read.ts";
import { expectNear } from "./near.ts";
import { bytesOf, type Elem, type ModelSpec, noise, runAll } from "./onnx.ts";

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export const opsOf = (graph: FloatGraph): string[] => graph.nodes.map(({ op }) => op);

interface Input {
  readonly dims: readonly number[];
  readonly type: Elem;
}

function inputsOf(spec: ModelSpec): Input[] {
  const list = [spec.input ?? { dims: [1, 4] }, ...(spec.moreInputs ?? [])];
  return list.map(({ dims, type = "float32" }) => ({
    dims: dims.map((dim) => (typeof dim === "number" ? dim : 1)),
    type,
  }));
}

/** Values that fit each input's type: up to +-3 for floats, small integers for others. */
export function drawn(spec: ModelSpec, seed: number): Float64Array {
  return joinFlat(
    inputsOf(spec).map(({ dims, type }, i) => {
      const values = noise(100 * seed + i, sizeOf(dims));
      const one = (v: number): number => (type === "bool" ? +(v > 0) : type.startsWith("float") ? Math.fround(3 * v) : Math.floor(20 * (v + 1))); // prettier-ignore
      return Float64Array.from(values, one);
    }),
  );
}

/** The outputs of a float graph, with a softmax that was left to the reader of the answer. */
export function floatOutputs(
  graph: FloatGraph,
  input: Float64Array,
): { shape: readonly number[]; data: Float64Array }[] {
  const tensors = evaluateFloat(graph, input);
  return graph.outputs.map(({ ref, finalSoftmax }) => {
    const { shape } = graph.nodes[ref] as FloatNode;
    const data = tensors[ref] as Float64Array;
    if (finalSoftmax === undefined) return { shape, data };
    const dim = shape[finalSoftmax.axis] as number;
    const inner = sizeOf(shape.slice(finalSoftmax.axis + 1));
    const group = (i: number): number => Math.floor(i / (inner * dim)) * inner + (i % inner);
    const most = new Map<number, number>();
    data.forEach((v, i) => most.set(group(i), Math.max(most.get(group(i)) ?? -Infinity, v)));
    const less = data.map((v, i) => v - (most.get(group(i)) as number));
    const sums = new Map<number, number>();
    less.forEach((v, i) => sums.set(group(i), (sums.get(group(i)) ?? 0) + Math.exp(v)));
    const of = (i: number): number => sums.get(group(i)) as number;
    return { shape, data: less.map((v, i) => (finalSoftmax.kind === "softmax" ? Math.exp(v) / of(i) : v - Math.log(of(i)))) }; // prettier-ignore
  });
}

/** Reads the model, evaluates it and compares every output with onnxruntime's, on two inputs; yields the graph. */
export async function agree(
  spec: ModelSpec,
  inputs: readonly ArrayLike<number>[] = [drawn(spec, 1), drawn(spec, 2)],
  tolerance = 1e-5,
): Promise<FloatGraph> {
  const bytes = bytesOf(spec);
  const graph = await readModelBytes(bytes);
  for (const input of inputs) {
    const flat = Float64Array.from(input);
    const borders = inputsOf(spec);
    const parts = splitFlat(borders.map(({ dims }) => ({ shape: dims })), flat); // prettier-ignore
    const expected = await runAll(bytes, borders.map((border, i) => ({ ...border, data: parts[i] as Float64Array }))); // prettier-ignore
    floatOutputs(graph, flat).forEach(({ shape, data }, k) => {
      const theirs = expected[k];
      expect(shape, `shape of output ${k}`).to.deep.equal(theirs?.shape);
      const largest = theirs?.data.reduce((a, b) => Math.max(a, Math.abs(b)), 1) ?? 1;
      theirs?.data.forEach((v, i) => expectNear(data[i], v, tolerance * largest, `output ${k}, element ${i}`));
    });
  }
  return graph;
}

/** The same for a file, with inputs drawn for its types: tokens below `tokens` where they are integers. */
export async function agreeFile(file: string, tokens = 10, tolerance = 1e-5): Promise<FloatGraph> {
  const graph = await readModel(file);
  const inputs = floatInputs(graph);
  for (const seed of [1, 2, 3]) {
    const flat = drawnFor(graph, seed, tokens);
    const parts = splitFlat(inputs, flat);
    const feeds = inputs.map(({ shape, elemType }, i) => ({
      dims: shape,
      type: elemType,
      data: parts[i] as Float64Array,
    }));
    const expected = await runAll(file, feeds);
    floatOutputs(graph, flat).forEach(({ shape, data }, k) => {
      expect(shape, `shape of output ${k}`).to.deep.equal(expected[k]?.shape);
      expected[k]?.data.forEach((v, i) => expectNear(data[i], v, tolerance * Math.max(1, Math.abs(v)), `output ${k}, element ${i}`)); // prettier-ignore
    });
  }
  return graph;
}

function drawnFor(graph: FloatGraph, seed: number, tokens: number): Float64Array {
  return joinFlat(
    floatInputs(graph).map(({ shape, elemType }, i) => {
      const one = (v: number): number => (elemType.startsWith("float") ? Math.fround(2 * v) : Math.floor((tokens / 2) * (v + 1))); // prettier-ignore
      return Float64Array.from(noise(100 * seed + i, sizeOf(shape)), one);
    }),
  );
}

export interface QuantizedRun {
  readonly graph: Graph;
  readonly float: FloatGraph;
  /** Largest difference of each output, in units of its largest absolute value over all samples. */
  readonly errors: readonly number[];
  /** By sample and output: reals of the float and of the integer graph. */
  readonly samples: readonly { readonly float: readonly Float64Array[]; readonly integer: readonly Float64Array[] }[];
}

/** Quantizes the model by `samples` and compares the integer graph with the float graph on them (and on `more`). */
export async function quantizedRun(
  spec: ModelSpec,
  samples: readonly Float64Array[],
  options: QuantizeOptions = {},
  more: readonly Float64Array[] = [],
): Promise<QuantizedRun> {
  return runBoth(await readModelBytes(bytesOf(spec)), samples, options, more);
}

/** The same for a file, calibrated by and compared on drawn inputs, as agreeFile draws them. */
export async function quantizedFile(file: string, tokens = 10, options: QuantizeOptions = {}): Promise<QuantizedRun> {
  const float = await readModel(file);
  const samples = Array.from({ length: 300 }, (_, seed) => drawnFor(float, seed + 1, tokens));
  return runBoth(float, samples.slice(0, 250), options, samples.slice(250));
}

function runBoth(
  float: FloatGraph,
  samples: readonly Float64Array[],
  options: QuantizeOptions,
  more: readonly Float64Array[],
): QuantizedRun {
  const { graph } = quantizeModel(float, samples, options);
  const { inputs, outputs } = bordersOf(graph);
  const runs = [...samples, ...more].map((sample) => {
    const integers = toIntegers(inputs, sample);
    // The float graph sees what the integer graph sees: the border's rounding is not the quantizer's doing.
    const reals = evaluateFloat(float, toReals(inputs, integers));
    const ours = toReals(outputs, outputsOf(graph, evaluate(graph, integers)));
    return { float: float.outputs.map(({ ref }) => reals[ref] as Float64Array), integer: splitFlat(outputs, ours) };
  });
  const errors = float.outputs.map((_, k) => {
    let [worst, largest] = [0, 0];
    for (const run of runs) {
      run.float[k]?.forEach((v, i) => {
        worst = Math.max(worst, Math.abs(v - (run.integer[k]?.[i] as number)));
        largest = Math.max(largest, Math.abs(v));
      });
    }
    return worst / (largest || 1);
  });
  return { graph, float, errors, samples: runs };
}

/** Reading the model throws a NodeError of `code` whose message holds all `texts`. */
export async function refused(spec: ModelSpec, code: "input" | "unsupported", ...texts: string[]): Promise<void> {
  const error = await readModelBytes(bytesOf(spec)).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, "a refusal").to.be.instanceOf(NodeError);
  for (const text of texts) expect((error as NodeError).message).to.contain(text);
  expect((error as NodeError).code, (error as NodeError).message).to.equal(code);
}
