// The quantized ONNX file in onnxruntime against the reference evaluator: the same bits, whatever the optimizer or the number
// of threads, in float32 where that is certified and in float64 where not.
import fs from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { NodeError } from "../../../node/core/errors.ts";
import { emit, emitOnnx } from "../../../node/model/emit.ts";
import { evaluate } from "../../../node/model/evaluate.ts";
import type { ConvNode, Graph, Node, Op } from "../../../node/model/ir.ts";
import { ModelSchema } from "../../../node/model/onnx/gen/onnx_pb.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { rangesOf } from "../../../node/model/range.ts";
import { openRunner } from "../../../node/model/run.ts";
import type { RunnerOptions } from "../../../node/model/run.ts";
import { integer, randomGraph, randomInput } from "./random-graph.ts";
import type { GraphOptions } from "./random-graph.ts";

const SEED = 42;

async function expectAgreement(
  graph: Graph,
  inputs: readonly Float64Array[],
  options: RunnerOptions = {},
): Promise<void> {
  const runner = await openRunner(emitOnnx(graph), graph, options);
  try {
    for (const input of inputs) {
      const [expected, got] = [evaluate(graph, input), await runner.run(input)];
      expected.forEach((tensor, ref) => {
        const off = tensor.findIndex((value, i) => value !== got[ref]![i]);
        if (off >= 0 || got[ref]!.length !== tensor.length) {
          expect.fail(
            `${graph.nodes[ref]!.name}[${off}]: ${got[ref]![off]} in onnxruntime, ${tensor[off]} by definition`,
          );
        }
      });
    }
  } finally {
    await runner.close();
  }
}

function inputsFor(graph: Graph, count: number): Float64Array[] {
  const random = mulberry32(SEED + 1);
  return Array.from({ length: count }, () => randomInput(random, graph));
}

/** One 3x3 convolution of int16 values, wide enough that no float32 holds its sums. */
function wideConv(overrides: Partial<ConvNode> = {}): Graph {
  const random = mulberry32(SEED);
  const shape = [1, 4, 6, 6];
  const border = { name: "x", shape, type: { bits: 16, signed: true } as const, exponent: 0 };
  const conv: ConvNode = {
    op: "conv", name: "wide", x: 0, shape: [1, 6, 6, 6],
    weights: Int32Array.from({ length: 6 * 4 * 9 }, () => integer(random, -127, 127)),
    weightShape: [6, 4, 3, 3], bias: Float64Array.from({ length: 6 }, () => integer(random, -(2 ** 30), 2 ** 30)),
    strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 1, ...overrides,
  }; // prettier-ignore
  const pool: Node = { op: "maxpool", name: "pool", x: 1, shape: [1, 6, 3, 3], kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1] }; // prettier-ignore
  const rescale: Node = { op: "rescale", name: "small", x: 2, shape: pool.shape, axis: 1, multiplier: [1, 3, 1, 5, 1, 1], shift: [20, 21, 20, 23, 0, 24], lo: -128, hi: 127 }; // prettier-ignore
  return {
    nodes: [{ op: "input", name: "x", shape, border }, conv, pool, rescale],
    input: 0,
    output: { ref: 3, border: { name: "y", shape: pool.shape, type: { bits: 8, signed: true }, exponent: 0 } },
  };
}

describe("the quantized ONNX file", () => {
  for (const optimization of ["disabled", "all"] as const) {
    it(`yields in onnxruntime what evaluation yields, on random graphs of every op (optimizer ${optimization}, seed ${SEED})`, async function () {
      this.timeout(60_000);
      const random = mulberry32(SEED);
      const seen = new Map<Op, number>();
      const types = new Set<string>();
      const kinds: readonly GraphOptions[] = [
        { type: { bits: 8, signed: false } },
        { type: { bits: 8, signed: true } },
        { type: { bits: 16, signed: true } },
        { type: { bits: 8, signed: false }, bias: 2 ** 26 },
        { type: { bits: 8, signed: true }, weight: 3, bias: 7 },
      ];
      for (let k = 0; k < 150; k++) {
        const graph = randomGraph(random, { ...kinds[k % kinds.length]!, steps: integer(random, 2, 8) });
        for (const node of graph.nodes) seen.set(node.op, (seen.get(node.op) ?? 0) + 1);
        for (const { type } of emit(graph).tensors) types.add(type);
        await expectAgreement(graph, inputsFor(graph, 4), { optimization });
      }
      expect(seen.size, "ops met").to.equal(13);
      expect([...seen.values()].every((count) => count >= 20)).to.equal(true);
      expect([...types]).to.have.members(["float32", "float64"]);
    });
  }

  it("computes a convolution beyond 2^24 in float32 pieces that meet in float64", async () => {
    const graph = wideConv();
    const ops = fromBinary(ModelSchema, emitOnnx(graph)).graph!.node.map((node) => node.opType);
    expect(ops.filter((op) => op === "Conv")).to.have.length.above(1);
    for (const threads of [1, 2]) {
      for (const optimization of ["disabled", "all"] as const) {
        await expectAgreement(graph, inputsFor(graph, 40), { threads, optimization });
      }
    }
  });

  it("computes such a convolution also by groups, and with a bias per element", async () => {
    await expectAgreement(
      wideConv({ group: 2, weightShape: [6, 2, 3, 3], weights: wideWeights(6 * 2 * 9) }),
      inputsFor(wideConv(), 10),
    );
    const bias = Float64Array.from({ length: 216 }, (_, i) => i * 2 ** 20);
    await expectAgreement(wideConv({ bias }), inputsFor(wideConv(), 10));
  });

  it("computes convolutions digit by digit where a single product leaves float32: wide weights, int32 inputs", async () => {
    const heavy = wideWeights(6 * 4 * 9).map((weight) => weight * 9001 + 3);
    await expectAgreement(wideConv({ weights: heavy }), inputsFor(wideConv(), 20));
    await expectAgreement(wideConv({ weights: wideWeights(6 * 4 * 9).fill(2 ** 9, 0, 1) }), inputsFor(wideConv(), 20));
    const wide = wideConv();
    const [input] = wide.nodes as [Node & { op: "input" }];
    const border = { ...input.border, type: { bits: 32, signed: true } as const };
    const graph = { ...wide, nodes: [{ ...input, border }, ...wide.nodes.slice(1)] };
    await expectAgreement(graph, inputsFor(graph, 20));
  });

  it("refuses a convolution whose digits' sums come too near to 2^53", () => {
    const wide = wideConv({ weights: wideWeights(6 * 4 * 9).map((weight) => weight * 2000) });
    const [input] = wide.nodes as [Node & { op: "input" }];
    const border = { ...input.border, type: { bits: 32, signed: true } as const };
    const graph = {
      ...wide,
      nodes: [{ ...input, border }, ...wide.nodes.slice(1, 3)],
      output: { ...wide.output, ref: 2 },
    };
    expect(() => emitOnnx(graph)).to.throw(NodeError, "2^53");
  });

  it("leaves float32 exactly where a partial sum may reach 2^24", () => {
    const graph = (bias: number): Graph => ({
      nodes: [
        { op: "input", name: "x", shape: [1, 2], border: { name: "x", shape: [1, 2], type: { bits: 8, signed: false }, exponent: 0 } },
        { op: "dense", name: "d", x: 0, shape: [1, 1], weights: Int32Array.of(1, -1), bias: Float64Array.of(bias) },
      ],
      input: 0,
      output: { ref: 1, border: { name: "y", shape: [1, 1], type: { bits: 32, signed: true }, exponent: 0 } },
    }); // prettier-ignore
    const limit = 2 ** 24 - 2 * 255;
    expect(rangesOf(graph(limit - 1))[1]!.worst).to.equal(2 ** 24 - 1);
    expect(emit(graph(limit - 1)).tensors[1]!.type).to.equal("float32");
    expect(emit(graph(limit)).tensors[1]!.type).to.equal("float64");
    // And rightly so: beyond it float32 is wrong.
    expect(Math.fround(2 ** 24 + 1)).not.to.equal(2 ** 24 + 1);
  });

  it("takes and yields int32 in float64", async () => {
    const shape = [1, 3];
    const border = { name: "x", shape, type: { bits: 32, signed: true } as const, exponent: 0 };
    const graph: Graph = {
      nodes: [
        { op: "input", name: "x", shape, border },
        { op: "affine", name: "a", x: 0, shape, factor: Float64Array.of(1, -7, 1000), bias: Float64Array.of(-5) },
        {
          op: "rescale",
          name: "r",
          x: 1,
          shape,
          axis: 1,
          multiplier: [1],
          shift: [3],
          lo: -(2 ** 31),
          hi: 2 ** 31 - 1,
        },
      ],
      input: 0,
      output: { ref: 2, border: { ...border, name: "y" } },
    };
    expect(emit(graph).tensors.map(({ type }) => type)).to.deep.equal(["float64", "float64", "float64"]);
    await expectAgreement(graph, inputsFor(graph, 50));
  });

  it("is the same bytes for the same graph, with its own names at the border", () => {
    const random = (): Graph => randomGraph(mulberry32(7), { steps: 8 });
    expect(Buffer.from(emitOnnx(random())).equals(emitOnnx(random()))).to.equal(true);
    const model = fromBinary(ModelSchema, emitOnnx(wideConv()));
    expect(model.graph!.input.map(({ name }) => name)).to.deep.equal(["x"]);
    expect(model.graph!.output.map(({ name }) => name)).to.deep.equal(["y"]);
    expect(model.metadataProps.map(({ key, value }) => [key, value])).to.deep.equal([
      ["glassbox.input", "int16 * 2^0"],
      ["glassbox.output", "int8 * 2^0"],
    ]);
    const { version } = JSON.parse(fs.readFileSync("package.json", "utf8")) as { version: string };
    expect([model.producerName, model.producerVersion]).to.deep.equal(["glassbox", version]);
    const outputs = model.graph!.node.flatMap(({ output }) => output);
    expect(new Set(outputs).size).to.equal(outputs.length);
    expect(new Set(model.graph!.node.map(({ domain }) => domain))).to.deep.equal(new Set([""]));
  });

  it("gives its one output alone, as a session without our extra outputs sees it", async () => {
    const graph = wideConv();
    const session = await InferenceSession.create(emitOnnx(graph));
    expect(session.outputNames).to.deep.equal(["y"]);
    const [input] = inputsFor(graph, 1) as [Float64Array];
    const yielded = await session.run({ x: new Tensor("float32", Float32Array.from(input), [1, 4, 6, 6]) });
    expect([...(yielded["y"]!.data as Float32Array)]).to.deep.equal([...evaluate(graph, input)[3]!]);
    await session.release();
  });
});

describe("the runner", () => {
  it("refuses a file of which one byte is not the graph's", async () => {
    const graph = wideConv();
    const bytes = emitOnnx(graph);
    bytes[bytes.length >> 1]! ^= 1;
    const refused = await openRunner(bytes, graph).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(NodeError).with.property("code", "integrity");
  });

  it("takes the ends of the input type and refuses what lies next to them", async () => {
    const graph = wideConv();
    const runner = await openRunner(emitOnnx(graph), graph);
    const filled = (value: number): Float64Array => new Float64Array(144).fill(value);
    await runner.run(filled(-32768));
    await runner.run(filled(32767));
    for (const value of [-32769, 32768, 0.5, NaN]) {
      const refused = await runner.run(filled(value)).catch((error: unknown) => error);
      expect(refused, String(value)).to.be.instanceOf(NodeError).with.property("code", "input");
    }
    const refused = await runner.run(new Float64Array(143)).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(NodeError).with.property("message", "the model takes 144 input elements, not 143");
    await runner.close();
  });
});

function wideWeights(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => ((i * 37) % 255) - 127);
}
