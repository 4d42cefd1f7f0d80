// The quantizer's rules for rearrangements, products, indices, softmax and normalization: exact where integers are exact, near
// the float model elsewhere, and provable over the whole range of the declared inputs.
import { expect } from "chai";
import { parseInputSpec } from "../../../node/model/border.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import type { Graph } from "../../../node/model/ir.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { rangesOf } from "../../../node/model/range.ts";
import { sizeOf, typeRange } from "../../../node/core/tensor.ts";
import { bytesOf, ints, type ModelSpec, node, noise, tensor, type TensorInit } from "../../support/onnx.ts";
import { drawn, quantizedRun } from "../../support/onnxAgree.ts";

const weights = (name: string, dims: readonly number[], seed = 7): TensorInit => tensor(name, dims, noise(seed, sizeOf(dims))); // prettier-ignore
const samplesOf = (spec: ModelSpec, count = 12): Float64Array[] => Array.from({ length: count }, (_, i) => drawn(spec, i + 1)); // prettier-ignore

/** All ends of the inputs' types, mixed: what no calibration shows. Ranges hold there, and the graph is evaluated. */
function expectProvable(graph: Graph): void {
  const bounds = rangesOf(graph);
  const { inputs } = bordersOf(graph);
  const size = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const ends = inputs.flatMap(({ shape, type }) => new Array(sizeOf(shape)).fill(typeRange(type)) as { lo: number; hi: number }[]); // prettier-ignore
  for (const pick of [() => true, () => false, (i: number) => i % 2 === 0, (i: number) => i === 0, (i: number) => i === size - 1]) {
    const input = Float64Array.from(ends, ({ lo, hi }, i) => (pick(i) ? lo : hi));
    evaluate(graph, input).forEach((values, ref) => {
      const { lo, hi } = bounds[ref] as { lo: Float64Array; hi: Float64Array };
      const out = values.findIndex((v, i) => !(v >= (lo[i] as number) && v <= (hi[i] as number)));
      expect(out, `an element of "${graph.nodes[ref]?.name}" outside its range`).to.equal(-1);
    });
  }
} // prettier-ignore

describe("the quantizer: rearrangements", () => {
  it("scales of channels go along with slices, repetitions and reversals, and cost no level", async () => {
    const conv = (op: string, list: readonly TensorInit[], attributes = {}): ModelSpec => ({
      nodes: [node("Conv", ["x", "w"], ["c"]), node(op, ["c", ...list.map(({ name }) => name as string)], ["y"], attributes)],
      initializers: [tensor("w", [3, 2, 1, 1], [1, 0.5, 0.01, 0.02, 5, -3]), ...list],
      input: { dims: [1, 2, 4, 4] },
    }); // prettier-ignore
    for (const spec of [
      conv("Slice", [ints("s", [3, 1]), ints("e", [-9, 4]), ints("a", [1, 2]), ints("t", [-1, 1])]),
      conv("Tile", [ints("r", [1, 2, 1, 1])]),
      conv("Gather", [ints("i", [2, 0, 2])], { axis: 1 }),
      conv("Pad", [ints("p", [0, 0, 1, 1, 0, 0, 1, 1])], { mode: "reflect" }),
    ]) {
      const { graph, errors } = await quantizedRun(spec, samplesOf(spec));
      expect(errors[0]).to.be.below(0.01);
      expect(graph.nodes.map(({ name }) => name).filter((name) => name.includes("level"))).to.deep.equal([]);
    }
  });

  it("elements of several channels in one place are brought to one scale", async () => {
    const spec: ModelSpec = {
      nodes: [node("MatMul", ["x", "w"], ["h"]), node("Reshape", ["h", "s"], ["r"]), node("Slice", ["r", "b", "e", "a", "t"], ["y"])],
      initializers: [tensor("w", [2, 6], [1, 0.01, 5, 1, 2, 3, 0.5, 0.02, -3, 1, 1, 1]), ints("s", [3, 2]), ints("b", [1]), ints("e", [-9]), ints("a", [0]), ints("t", [-1])],
      input: { dims: [1, 2] },
    }; // prettier-ignore
    expect((await quantizedRun(spec, samplesOf(spec))).errors[0]).to.be.below(0.01);
  });
});

describe("the quantizer: sums of equal weights", () => {
  it("are exact, however wide what they sum up: integers in, integers out", async () => {
    for (const [op, attributes, initializers] of [
      ["ReduceSum", { keepdims: 0 }, [ints("a", [1])]],
      ["CumSum", { reverse: 1 }, [tensor("a", [], [1], "int64")]],
      ["CumSum", { exclusive: 1 }, [tensor("a", [], [1], "int64")]],
    ] as const) {
      const nodes = [node("Cast", ["x"], ["f"], { to: 1 }), node(op, ["f", "a"], ["y"], attributes)];
      const spec: ModelSpec = { nodes, initializers: [...initializers], input: { dims: [2, 9], type: "int16" } };
      const wide = Array.from({ length: 5 }, (_, i) => Float64Array.from(noise(i, 18), (v) => Math.floor(v * 32767)));
      const { errors, graph } = await quantizedRun(spec, wide);
      expect(errors[0], op).to.equal(0);
      expectProvable(graph);
    }
  });

  it("means and linear interpolations keep the precision of what they read", async () => {
    for (const spec of [
      { nodes: [node("ReduceMean", ["x"], ["y"], { axes: [1] })], input: { dims: [1, 3, 5] } },
      { nodes: [node("Resize", ["x", "", "s"], ["y"], { mode: "linear" })], initializers: [tensor("s", [3], [1, 1, 2])], input: { dims: [1, 3, 5] } },
    ] as ModelSpec[]) {
      expect((await quantizedRun(spec, samplesOf(spec))).errors[0]).to.be.below(3e-4);
    } // prettier-ignore
  });
});

describe("the quantizer: indices", () => {
  const table: ModelSpec = {
    nodes: [node("Gather", ["t", "x"], ["y"])],
    initializers: [tensor("t", [4, 2], [0, 10, 1, 11, 2, 12, 3, 13])],
    input: { dims: [3], type: "int32" },
  };

  it("count from a table's end where they are negative; outside of it they are clamped, whatever integers come in", async () => {
    const float = await readModelBytes(bytesOf(table));
    const { graph } = quantizeModel(float, [Float64Array.of(0, 3, 2)], { inputs: { x: parseInputSpec("int32") } });
    const of = (...list: number[]): number[] => {
      const { exponent } = bordersOf(graph).outputs[0] as { exponent: number };
      return Array.from(outputsOf(graph, evaluate(graph, Float64Array.from(list))), (q) => q * 2 ** exponent);
    };
    expect(of(0, 3, 2)).to.deep.equal([0, 10, 3, 13, 2, 12]);
    expect(of(-1, 4, 1)).to.deep.equal([3, 13, 3, 13, 1, 11]);
    expect(of(-4, -5, -2)).to.deep.equal([0, 10, 0, 10, 2, 12]);
    expect(of(-(2 ** 31), 2 ** 31 - 1, 0)).to.deep.equal([0, 10, 3, 13, 0, 10]);
    expectProvable(graph);
  });

  it("from a tensor with a scale are rounded to the nearest", async () => {
    const float = await readModelBytes(bytesOf(table));
    const { graph } = quantizeModel(float, [Float64Array.of(0, 3, 2)], { inputs: { x: parseInputSpec("int16@-2") } });
    const out = outputsOf(graph, evaluate(graph, Float64Array.of(4, 7, 9)));
    const { exponent } = bordersOf(graph).outputs[0] as { exponent: number };
    expect(Array.from(out, (q) => q * 2 ** exponent)).to.deep.equal([1, 11, 2, 12, 2, 12]);
  });

  it("of extremes and the TopK of integers are exact, with every tie", async () => {
    const of = (last: ModelSpec["nodes"][number], more: Partial<ModelSpec> = {}): ModelSpec => ({
      nodes: [node("Cast", ["x"], ["f"], { to: 1 }), last],
      input: { dims: [2, 4], type: "int8" },
      ...more,
    });
    const rows = Array.from({ length: 81 }, (_, i) => [i % 3, Math.floor(i / 3) % 3, Math.floor(i / 9) % 3, Math.floor(i / 27)]); // prettier-ignore
    const samples = rows.map((row, i) => Float64Array.from([...row, ...(rows[(i * 7) % 81] as number[])]));
    for (const op of ["ArgMax", "ArgMin"]) {
      for (const select_last_index of [0, 1]) {
        const spec = of(node(op, ["f"], ["y"], { axis: 1, select_last_index }), { outputType: "int64" });
        const { errors, graph } = await quantizedRun(spec, samples);
        expect(errors, `${op} ${select_last_index}`).to.deep.equal([0]);
        expectProvable(graph);
      }
    }
    for (const largest of [0, 1]) {
      const top = { initializers: [ints("k", [3])], moreOutputs: [{ name: "i", type: "int64" as const }] };
      const spec = of(node("TopK", ["f", "k"], ["y", "i"], { largest }), top);
      const { errors, graph } = await quantizedRun(spec, samples);
      expect(errors, `TopK ${largest}`).to.deep.equal([0, 0]);
      expectProvable(graph);
    }
  });
});

describe("the quantizer: products of two tensors", () => {
  it("meet in sums that are provable, however fine their scales are: an LSTM that looks at its cell", async () => {
    for (const seed of [0, 10, 30, 40, 50, 60]) {
      const list = [weights("w", [1, 4, 2], seed), weights("r", [1, 4, 1], seed + 1), weights("b", [1, 8], seed + 2), weights("p", [1, 3], seed + 3)]; // prettier-ignore
      const nodes = [node("LSTM", ["x", "w", "r", "b", "", "", "", "p"], ["y"], { hidden_size: 1 })];
      const spec: ModelSpec = { nodes, initializers: list, input: { dims: [2, 1, 2] } };
      const { graph, errors } = await quantizedRun(spec, samplesOf(spec));
      expect(errors[0], `seed ${seed}`).to.be.below(0.02);
      expectProvable(graph);
    }
  });

  it("of two tensors whose channels have scales of their own are rounded where their sums would not be provable", async () => {
    const nodes = [
      node("Mul", ["x", "c"], ["q"]),
      node("Transpose", ["q"], ["t"], { perm: [0, 2, 1] }),
      node("MatMul", ["q", "t"], ["y"]),
    ];
    const spec: ModelSpec = { nodes, initializers: [tensor("c", [4], [0.009957, 0.004562, 0.006255, -0.007614])], input: { dims: [1, 2, 4] } }; // prettier-ignore
    const { graph, errors } = await quantizedRun(spec, samplesOf(spec));
    expect(errors[0]).to.be.below(0.01);
    expectProvable(graph);
  });

  it("of int8 tensors are the products of their integers", async () => {
    const nodes = [node("Cast", ["x"], ["f"], { to: 1 }), node("Cast", ["b"], ["g"], { to: 1 }), node("MatMul", ["f", "g"], ["y"])]; // prettier-ignore
    const spec: ModelSpec = { nodes, input: { dims: [2, 3, 4], type: "int8" }, moreInputs: [{ name: "b", dims: [4, 2], type: "int8" }] }; // prettier-ignore
    const { errors, graph } = await quantizedRun(spec, samplesOf(spec));
    expect(errors[0]).to.equal(0);
    expectProvable(graph);
  });

  it("of wide tensors are as near as their 8 bits, and nearer with more", async () => {
    const spec: ModelSpec = {
      nodes: [node("MatMul", ["x", "w"], ["q"]), node("MatMul", ["x", "v"], ["k"]), node("Transpose", ["k"], ["t"], { perm: [0, 2, 1] }), node("MatMul", ["q", "t"], ["y"])],
      initializers: [weights("w", [6, 6], 1), weights("v", [6, 6], 2)],
      input: { dims: [1, 4, 6] },
    }; // prettier-ignore
    const errors: number[] = [];
    for (const activations of [8, 10, 12]) {
      const run = await quantizedRun(spec, samplesOf(spec), { widths: { activations, weights: 14 } });
      errors.push(run.errors[0] as number);
      expectProvable(run.graph);
    }
    expect(errors[0]).to.be.below(0.1);
    expect(errors[1]).to.be.below(0.02);
    expect(errors[2]).to.be.below(0.005);
  });

  it("rows that one-hot rows choose keep all their bits", async () => {
    const spec: ModelSpec = {
      nodes: [node("Gather", ["t", "x"], ["y"], { axis: 1 })],
      input: { dims: [2], type: "int64" },
      moreInputs: [{ name: "t", dims: [1, 41, 2] }],
    };
    const { errors } = await quantizedRun(spec, samplesOf(spec), { inputs: { t: parseInputSpec("int32@-24") } });
    expect(errors[0]).to.be.below(1e-6);
  });
});

describe("the quantizer: softmax in the middle of a model", () => {
  /** Behind it stands something that keeps it from being left to the reader. */
  const softmax = (dims: readonly number[], op = "Softmax", before: ModelSpec["nodes"] = []): ModelSpec => ({
    nodes: [...before, node(op, [before.length > 0 ? "s" : "x"], ["p"]), node("Mul", ["p", "c"], ["y"])],
    initializers: [tensor("c", [], [0.5]), weights("m", [2, 3]), tensor("mask", [2, 3], [0, -1e9, -1e9, 0, 0, -1e9])],
    input: { dims },
  });

  it("of two int8 scores is within 3 in a thousand of the real one, for all 2^16 of them", async () => {
    const spec = softmax([1, 2]);
    const float = await readModelBytes(bytesOf(spec));
    for (const [exponent, bound] of [[-4, 3e-3], [-1, 3e-3]] as const) {
      const { graph } = quantizeModel(float, [Float64Array.of(-128 * 2 ** exponent, 127 * 2 ** exponent)], { inputs: { x: { type: { bits: 8, signed: true }, exponent } } }); // prettier-ignore
      const { exponent: out } = bordersOf(graph).outputs[0] as { exponent: number };
      let worst = 0;
      for (let a = -128; a < 128; a++) {
        for (let b = -128; b < 128; b++) {
          const [p, q] = outputsOf(graph, evaluate(graph, Float64Array.of(a, b))) as unknown as [number, number];
          const real = 1 / (1 + Math.exp((b - a) * 2 ** exponent));
          worst = Math.max(worst, Math.abs(2 * p * 2 ** out - real), Math.abs(2 * q * 2 ** out - (1 - real)));
        }
      }
      expect(worst, `scores of 2^${exponent}`).to.be.below(bound);
      expectProvable(graph);
    }
  }).timeout(60_000); // prettier-ignore

  it("of longer rows is near, sums up to 1 and keeps the order, with finer tables nearer", async () => {
    for (const [tables, bound] of [
      [8, 1.5e-2],
      [10, 4e-3],
      [12, 1.5e-3],
    ] as const) {
      const spec = softmax([4, 40]);
      const run = await quantizedRun(spec, samplesOf(spec), { widths: { tables } });
      expect(run.errors[0], `${tables} bits`).to.be.below(bound);
      for (const { float, integer } of run.samples) {
        const [reals, ours] = [float[0] as Float64Array, integer[0] as Float64Array];
        for (let row = 0; row < 4; row++) {
          const part = ours.subarray(row * 40, row * 40 + 40);
          expect(part.reduce((a, b) => a + b)).to.be.within(0.5 - 0.02, 0.5 + 0.02);
          const best = reals.subarray(row * 40, row * 40 + 40);
          expect(Math.max(...part)).to.equal(part[best.indexOf(Math.max(...best))]);
        }
      }
    }
  });

  it("leaves nothing of what lies beyond the table", async () => {
    const spec = softmax([1, 3]);
    const run = await quantizedRun(spec, [Float64Array.of(0, -40, -7), Float64Array.of(-90, 3, -20)]);
    expect(run.samples.map(({ integer }) => [integer[0]?.[1], integer[0]?.[0]])).to.deep.equal([
      [0, run.samples[0]?.integer[0]?.[0]],
      [0.5, 0],
    ]);
  });

  it("yields 0 where a mask hides, and shares the rest", async () => {
    const spec = softmax([2, 2], "Softmax", [node("MatMul", ["x", "m"], ["h"]), node("Add", ["h", "mask"], ["s"])]);
    const run = await quantizedRun(spec, samplesOf(spec));
    expect(run.float.nodes.some((one) => one.op === "softmax" && one.mask !== undefined)).to.equal(true);
    for (const { integer } of run.samples) {
      const ours = integer[0] as Float64Array;
      expect([ours[1], ours[2], ours[5]]).to.deep.equal([0, 0, 0]);
      expect(ours[0]).to.equal(0.5);
    }
    expect(run.errors[0]).to.be.below(0.02);
    expectProvable(run.graph);
  });

  it("a row of one element is 1, and 0 as a logarithm", async () => {
    for (const [op, value] of [["Softmax", 1], ["LogSoftmax", 0], ["ReduceLogSumExp", undefined]] as const) {
      const nodes = [node(op, ["x"], ["m"], op === "ReduceLogSumExp" ? { axes: [1] } : {}), node("Add", ["m", "m"], ["y"])];
      const spec: ModelSpec = { nodes, input: { dims: [3, 1] } };
      const { graph, samples } = await quantizedRun(spec, samplesOf(spec));
      expectProvable(graph);
      if (value !== undefined) expect(samples[0]?.integer).to.deep.equal([Float64Array.of(2 * value, 2 * value, 2 * value)]);
    }
  }); // prettier-ignore

  it("LogSoftmax is near for short and long rows", async () => {
    for (const count of [1, 2, 3, 16, 200]) {
      const spec = softmax([2, count], "LogSoftmax");
      const run = await quantizedRun(spec, samplesOf(spec));
      expect(run.errors[0], `${count} scores`).to.be.below(1e-3);
      expectProvable(run.graph);
    }
  });
});

describe("the quantizer: normalization", () => {
  const norm = (dims: readonly number[], op = "LayerNormalization", epsilon = 1e-5): ModelSpec => ({
    nodes: [node(op, ["x", "g"], ["y"], { epsilon: { float: epsilon } })],
    initializers: [weights("g", [dims.at(-1) as number])],
    input: { dims },
    opset: 23,
  });

  it("is near for rows of any length, mean and spread", async () => {
    for (const op of ["LayerNormalization", "RMSNormalization"]) {
      for (const count of [2, 7, 64, 300]) {
        for (const [factor, shift] of [[1, 0], [0.01, 0], [1000, 300]] as const) {
          const spec = norm([2, count], op);
          const samples = samplesOf(spec, 6).map((sample) => sample.map((v) => v * factor + shift));
          const { errors, graph } = await quantizedRun(spec, samples);
          expect(errors[0], `${op} of ${count}, times ${factor}`).to.be.below(count === 2 ? 0.03 : 5e-3);
          expectProvable(graph);
        }
      }
    }
  }).timeout(60_000); // prettier-ignore

  it("rows of equal values become 0, with and without an epsilon, and rows of zeros, too", async () => {
    for (const epsilon of [0, 1e-5, 1]) {
      const spec = norm([2, 8], "LayerNormalization", epsilon);
      const odd = [Float64Array.from({ length: 16 }, (_, i) => (i < 8 ? 2.5 : 0))];
      const run = await quantizedRun(spec, samplesOf(spec), {}, odd);
      expect(Array.from(run.samples.at(-1)?.integer[0] ?? [], (v) => Math.abs(v) < 0.01)).to.not.include(false);
      expectProvable(run.graph);
    }
  });

  it("an epsilon that is large beside the values counts for what it is", async () => {
    const spec = norm([2, 8], "LayerNormalization", 4);
    expect((await quantizedRun(spec, samplesOf(spec))).errors[0]).to.be.below(5e-3);
    const tiny = norm([2, 8]);
    for (const [factor, bound] of [
      [1e-4, 5e-3],
      [1e-6, 2e-2],
      [1e-9, 1],
    ] as const) {
      const run = await quantizedRun(tiny, samplesOf(tiny).map((sample) => sample.map((v) => v * factor))); // prettier-ignore
      expect(run.errors[0], `values times ${factor}`).to.be.at.most(bound);
      expectProvable(run.graph);
    }
  });
});
