// The quantized ONNX file in onnxruntime against the reference evaluator: the same bits, whatever the optimizer or the number
// of threads, in float32 where that is certified and in float64 where not.
import fs from "node:fs";
import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { NodeError } from "../../../node/core/errors.ts";
import { joinFlat } from "../../../node/core/tensor.ts";
import type { BorderTensor, IntType, Shape } from "../../../node/core/tensor.ts";
import { emit, emitOnnx } from "../../../node/model/emit.ts";
import { evaluate } from "../../../node/model/evaluate.ts";
import type { ConvNode, Graph, Node, Op } from "../../../node/model/ir.ts";
import { onnxWriter } from "../../../node/model/onnx-writer.ts";
import { ModelSchema } from "../../../node/model/onnx/gen/onnx_pb.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { rangesOf } from "../../../node/model/range.ts";
import { openRunner } from "../../../node/model/run.ts";
import type { RunnerOptions } from "../../../node/model/run.ts";
import { integer, pick, randomGraph, randomInput } from "./random-graph.ts";
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
  const rescale: Node = { op: "rescale", name: "small", x: 2, shape: pool.shape, axis: 1, multiplier: [1, 3, 1, 5, 1, 1], shift: [20, 21, 20, 23, 0, 24], lo: -128, hi: 127, ties: "up" }; // prettier-ignore
  return {
    nodes: [{ op: "input", name: "x", shape, border }, conv, pool, rescale],
    outputs: [{ ref: 3, border: { name: "y", shape: pool.shape, type: { bits: 8, signed: true }, exponent: 0 } }],
  };
}

function borderOf(name: string, shape: Shape, type: IntType = { bits: 32, signed: true }): BorderTensor {
  return { name, shape, type, exponent: 0 };
}

function inputOf(name: string, shape: Shape, type?: IntType): Node {
  return { op: "input", name, shape, border: borderOf(name, shape, type) };
}

function clamp(x: number, shape: Shape, [lo, hi]: readonly [number, number]): Node {
  return { op: "rescale", name: `clamp${x}`, x, shape, axis: 0, multiplier: [1], shift: [0], lo, hi, ties: "up" };
}

/** The last node is the output. */
function graphOf(nodes: readonly Node[]): Graph {
  return { nodes, outputs: [{ ref: nodes.length - 1, border: borderOf("y", nodes.at(-1)!.shape) }] };
}

function typesOf(graph: Graph): string[] {
  return emit(graph).tensors.map(({ type }) => type);
}

function opTypesOf(graph: Graph): string[] {
  return fromBinary(ModelSchema, emitOnnx(graph)).graph!.node.map(({ opType }) => opType);
}

/** floor((q * b + r) / b) of three inputs, each within its bounds. */
function quotients(shape: Shape, { q, b, r }: Readonly<Record<"q" | "b" | "r", readonly [number, number]>>): Graph {
  return graphOf([
    ...["q", "b", "r"].map((name) => inputOf(name, shape)),
    ...[q, b, r].map((bounds, x) => clamp(x, shape, bounds)),
    { op: "mul", name: "product", a: 3, b: 4, shape },
    { op: "sum", name: "near", xs: [6, 5], factors: [1, 1], shape },
    { op: "div", name: "quotient", a: 7, b: 4, shape },
  ]);
}

describe("the quantized ONNX file", () => {
  for (const optimization of ["disabled", "all"] as const) {
    it(`yields in onnxruntime what evaluation yields, on random graphs of every op (optimizer ${optimization}, seed ${SEED})`, async function () {
      this.timeout(60_000);
      const random = mulberry32(SEED);
      const seen = new Map<Op, number>();
      const types = new Set<string>();
      const kinds: readonly GraphOptions[] = [
        {},
        { type: { bits: 8, signed: false } },
        { type: { bits: 8, signed: true } },
        { type: { bits: 16, signed: true } },
        { type: { bits: 8, signed: false }, bias: 2 ** 26 },
        { type: { bits: 8, signed: true }, weight: 3, bias: 7 },
      ];
      for (let k = 0; k < 400; k++) {
        const graph = randomGraph(random, { ...kinds[k % kinds.length]!, steps: integer(random, 2, 8) });
        for (const node of graph.nodes) seen.set(node.op, (seen.get(node.op) ?? 0) + 1);
        for (const { type } of emit(graph).tensors) types.add(type);
        await expectAgreement(graph, inputsFor(graph, 4), { optimization });
      }
      expect(seen.size, "ops met").to.equal(23);
      expect(Math.min(...seen.values()), JSON.stringify([...seen])).to.be.at.least(20);
      expect([...types]).to.have.members(["float32", "float64"]);
    });
  }

  it("computes a convolution beyond 2^24 in float32 pieces that meet in float64", async () => {
    const graph = wideConv();
    expect(opTypesOf(graph).filter((op) => op === "Conv")).to.have.length.above(1);
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
      outputs: [{ ...wide.outputs[0]!, ref: 2 }],
    };
    expect(() => emitOnnx(graph)).to.throw(NodeError, "2^53");
  });

  it("leaves float32 exactly where a partial sum may reach 2^24", () => {
    const graph = (bias: number): Graph => ({
      nodes: [
        { op: "input", name: "x", shape: [1, 2], border: { name: "x", shape: [1, 2], type: { bits: 8, signed: false }, exponent: 0 } },
        { op: "dense", name: "d", x: 0, shape: [1, 1], weights: Int32Array.of(1, -1), bias: Float64Array.of(bias) },
      ],
      outputs: [{ ref: 1, border: { name: "y", shape: [1, 1], type: { bits: 32, signed: true }, exponent: 0 } }],
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
          ties: "up",
        },
      ],
      outputs: [{ ref: 2, border: { ...border, name: "y" } }],
    };
    expect(emit(graph).tensors.map(({ type }) => type)).to.deep.equal(["float64", "float64", "float64"]);
    await expectAgreement(graph, inputsFor(graph, 50));
  });

  it("floors quotients in float32 right for every quotient and divisor, and next to each multiple", async function () {
    this.timeout(60_000);
    const values = { q: [-512, 511], b: [1, 1024], r: [-1, 1] } as const;
    const size = 2 ** 18;
    const graph = quotients([size], values);
    expect(typesOf(graph).at(-1)).to.equal("float32");
    // The half keeps a runtime right whose division is one unit in the last place off.
    expect(opTypesOf(graph).slice(-3)).to.deep.equal(["Add", "Div", "Floor"]);
    const inputs: Float64Array[] = [];
    for (let from = 0; from < 1024 * 1024; from += size) {
      for (const r of [-1, 0, 1]) {
        const q = Float64Array.from({ length: size }, (_, i) => ((from + i) >> 10) - 512);
        const b = q.map((_, i) => ((from + i) & 1023) + 1);
        inputs.push(joinFlat([q, b, q.map(() => r)]));
      }
    }
    await expectAgreement(graph, inputs);
  });

  it(`floors quotients in float64 right next to multiples of up to 2^48 (seed ${SEED})`, async () => {
    const values = { q: [-(2 ** 24), 2 ** 24], b: [1, 2 ** 24], r: [-1, 1] } as const;
    const graph = quotients([2 ** 16], values);
    expect(typesOf(graph).at(-1)).to.equal("float64");
    const random = mulberry32(SEED);
    const wide = (lo: number): Float64Array =>
      Float64Array.from({ length: 2 ** 16 }, (_, i) =>
        i % 3 === 0 ? 2 ** 24 - (i >> 8) : integer(random, lo, 2 ** 24),
      );
    const [q, b] = [wide(-(2 ** 24)), wide(1)];
    for (const r of [-1, 0, 1]) {
      const input = joinFlat([q, b, q.map(() => r)]);
      await expectAgreement(graph, [input]);
      const off = evaluate(graph, input)
        .at(-1)!
        .findIndex((value, i) => {
          const exact = BigInt(q[i]!) * BigInt(b[i]!) + BigInt(r);
          return BigInt(value) !== exact / BigInt(b[i]!) - (exact < 0n && exact % BigInt(b[i]!) !== 0n ? 1n : 0n);
        });
      expect(off).to.equal(-1);
    }
  });

  it("floors square roots in float32 right at every integer, and in float64 next to squares up to 2^50", async function () {
    this.timeout(60_000);
    const shape = [2 ** 20];
    const small = graphOf([
      inputOf("x", shape),
      clamp(0, shape, [0, 2 ** 20 - 1]),
      { op: "sqrt", name: "root", x: 1, shape },
    ]);
    expect(typesOf(small).at(-1)).to.equal("float32");
    await expectAgreement(small, [Float64Array.from({ length: 2 ** 20 }, (_, i) => i)]);
    const most = 2 ** 25 - 1;
    const few = [2 ** 16];
    const wide = graphOf([
      inputOf("n", few),
      inputOf("r", few),
      clamp(0, few, [0, most]),
      clamp(1, few, [-1, 1]),
      { op: "mul", name: "square", a: 2, b: 2, shape: few },
      { op: "sum", name: "near", xs: [4, 3], factors: [1, 1], shape: few },
      clamp(5, few, [0, most ** 2 + 1]),
      { op: "sqrt", name: "root", x: 6, shape: few },
    ]);
    expect(typesOf(wide).at(-1)).to.equal("float64");
    expect(opTypesOf(wide).slice(-3)).to.deep.equal(["Add", "Sqrt", "Floor"]);
    const n = Float64Array.from({ length: 2 ** 16 }, (_, i) => most - (i < 2 ** 15 ? i : 512 * (i - 2 ** 15)));
    for (const r of [-1, 0, 1]) {
      const input = joinFlat([n, n.map(() => r)]);
      expect(evaluate(wide, input).at(-1)).to.deep.equal(r < 0 ? n.map((v) => v - 1) : n);
      await expectAgreement(wide, [input]);
    }
  });

  it("indexes, compares and chooses by tensors that are in float64", async () => {
    const shape = [2, 64];
    const at = 2 ** 30;
    const table = Float64Array.from({ length: 2 * 9 }, (_, i) => i * i - 40);
    const graph: Graph = {
      nodes: [
        inputOf("a", shape, { bits: 32, signed: false }),
        inputOf("b", shape, { bits: 32, signed: false }),
        clamp(0, shape, [at, at + 5]),
        { op: "div", name: "quotient", a: 1, b: 2, shape }, // 0 to 3, in float64
        { op: "onehot", name: "onehot", x: 3, shape: [...shape, 4] },
        { op: "iszero", name: "none", x: 3, shape },
        { op: "lookup", name: "table", x: 2, axis: 0, first: at - 2, length: 9, table, shape },
        { op: "step", name: "steps", x: 1, index: Int32Array.of(0, 1, 2), threshold: Float64Array.of(at + 1, at, 2 ** 31 + 1), shape: [3] }, // prettier-ignore
        { op: "select", name: "either", c: 5, a: 1, b: 2, shape },
        { op: "take", name: "turned", x: 8, index: Int32Array.of(127, 0, 64), shape: [3, 1] },
      ],
      outputs: [{ ref: 9, border: borderOf("y", [3, 1]) }],
    };
    expect(typesOf(graph)).to.deep.equal([
      ...new Array<string>(4).fill("float64"), "float32", "float32", "float32", "float32", "float64", "float64",
    ]); // prettier-ignore
    const edges = [0, 1, at - 1, at, at + 1, at + 5, 2 * at, 2 * at + 1, 3 * at, 3 * at + 14, 3 * at + 15, 2 ** 32 - 1];
    const random = mulberry32(SEED);
    const some = (): Float64Array => Float64Array.from({ length: 128 }, () => pick(random, edges));
    const inputs = Array.from({ length: 30 }, () => joinFlat([some(), some()]));
    for (const optimization of ["disabled", "all"] as const) await expectAgreement(graph, inputs, { optimization });
  });

  it("compares with a threshold that float32 would round down to a value that occurs", async () => {
    const threshold = Float64Array.of(2 ** 24 + 1);
    const step: Node = { op: "step", name: "never", x: 1, index: Int32Array.of(0), threshold, shape: [1] };
    const graph = graphOf([inputOf("x", [1]), clamp(0, [1], [0, 2 ** 24]), step]);
    expect(typesOf(graph)).to.deep.equal(["float64", "float32", "float32"]);
    await expectAgreement(graph, [Float64Array.of(2 ** 24), Float64Array.of(2 ** 24 - 1)]);
  });

  it("gives a tensor that is two outputs, and an input that is one, a name for each", async () => {
    const shape = [2, 3];
    const graph: Graph = {
      nodes: [inputOf("x", shape), inputOf("z", [], { bits: 8, signed: false }), clamp(0, shape, [0, 9])],
      outputs: [2, 0, 2, 1].map((ref, k) => ({ ref, border: { ...borderOf(`y${k}`, ref === 1 ? [] : shape) } })),
    };
    const bytes = emitOnnx(graph);
    const session = await InferenceSession.create(bytes);
    expect([session.inputNames, session.outputNames]).to.deep.equal([
      ["x", "z"],
      ["y0", "y1", "y2", "y3"],
    ]);
    const x = [-5, 3, 11, 0, 9, 10];
    const yielded = await session.run({
      x: new Tensor("float64", Float64Array.from(x), shape),
      z: new Tensor("float32", Float32Array.of(200), []),
    });
    const clamped = [0, 3, 9, 0, 9, 9];
    for (const [k, expected] of [clamped, x, clamped, [200]].entries()) {
      expect([...(yielded[`y${k}`]!.data as Float64Array)], `y${k}`).to.deep.equal(expected);
      expect(yielded[`y${k}`]!.dims).to.deep.equal(k === 3 ? [] : shape);
    }
    await session.release();
    const metadata = fromBinary(ModelSchema, bytes).metadataProps.map(({ key }) => key);
    expect(metadata).to.deep.equal([
      "glassbox.input", "glassbox.input.1", "glassbox.output", "glassbox.output.1", "glassbox.output.2", "glassbox.output.3",
    ]); // prettier-ignore
  });

  it("holds constants of one type, shape and content once", () => {
    const shape = [1, 4];
    const table = Float64Array.from({ length: 256 }, (_, i) => (i * 7) % 256);
    const lookup = (x: number, name: string): Node => ({
      op: "lookup",
      name,
      x,
      axis: 0,
      first: -128,
      length: 256,
      table,
      shape,
    });
    const graph = graphOf([
      inputOf("x", shape, { bits: 8, signed: true }),
      lookup(0, "one"),
      clamp(1, shape, [-128, 127]),
      lookup(2, "two"),
    ]);
    const names = fromBinary(ModelSchema, emitOnnx(graph)).graph!.initializer.map(({ name }) => name);
    expect(names).to.deep.equal(["one.table", "one.starts", "clamp1.lo", "clamp1.hi"]);
    const writer = onnxWriter([]);
    const zero = writer.constant("zero", "float64", [1], [0]);
    expect(writer.constant("again", "float64", [1], [0])).to.equal(zero);
    for (const [type, of, value] of [["int64", [1], 0], ["float64", [], 0], ["float64", [1], 1]] as const) {
      expect(writer.constant("other", type, of, [value])).not.to.equal(zero);
    } // prettier-ignore
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
