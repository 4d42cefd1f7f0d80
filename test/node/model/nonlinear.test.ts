// The quantizer's rules for functions, products, quotients, maxima, comparisons and choices: over whole input domains, with
// the errors that they promise, and in networks. The integer graph is compared with the float graph on the same integers.
import { expect } from "chai";
import { NodeError } from "../../../node/core/errors.ts";
import { toIntegers } from "../../../node/model/border.ts";
import { quantizeModel, type QuantizeOptions } from "../../../node/model/compile.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { functionOf } from "../../../node/model/functions.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { openRunner } from "../../../node/model/run.ts";
import { type AttributeOf, bytesOf, type Elem, type ModelSpec, node, type NodeInit, noise, tensor } from "../../support/onnx.ts"; // prettier-ignore
import { quantizedRun } from "../../support/onnxAgree.ts";

const U8 = { type: { bits: 8, signed: false }, exponent: 0 } as const;
const I8 = { type: { bits: 8, signed: true }, exponent: -4 } as const;
const I32 = { type: { bits: 32, signed: true }, exponent: -20 } as const;
const I16 = { type: { bits: 16, signed: true }, exponent: -12 } as const;
/** -8 to 8 in steps of 2^-4 and 2^-12. */
const BYTES = Float64Array.from({ length: 256 }, (_, i) => (i - 128) / 16);
const WORDS = Float64Array.from({ length: 65536 }, (_, i) => (i - 32768) / 4096);

const n = (op: string, inputs: string, output: string, attributes: Readonly<Record<string, AttributeOf>> = {}): NodeInit =>
  node(op, inputs.split(" "), [output], attributes); // prettier-ignore
const of = (op: string, size: number, type: Elem = "float32"): ModelSpec => ({
  nodes: [n(op, "x", "y")],
  input: { dims: [1, size], type },
  opset: 24,
});

/** Functions with their largest slope on [-8, 8]. */
const SLOPES: Readonly<Record<string, number>> = {
  Sigmoid: 0.25, Tanh: 1, Erf: 1.13, Gelu: 1.13, Mish: 1.09, Swish: 1.1, HardSwish: 1.5, Softplus: 1, Softsign: 1, Elu: 1, Selu: 1.76, Celu: 1,
}; // prettier-ignore

describe("tables", () => {
  for (const [op, slope] of Object.entries(SLOPES)) {
    it(`${op} of all int8 is off by its entries' rounding alone, of all int16 by half a step of the index, too`, async () => {
      const bytes = await quantizedRun(of(op, 256), [BYTES], { inputs: { x: I8 } });
      expect(bytes.graph.nodes.map((each) => each.op).slice(0, 2)).to.deep.equal(["input", "lookup"]);
      expect(bytes.errors[0]).to.be.below(2 ** -11);
      const words = await quantizedRun(of(op, 65536), [WORDS], { inputs: { x: I16 } });
      const largest = Math.max(...(words.samples[0]?.float[0] ?? []).map(Math.abs));
      // 2^10 entries over 16, or fewer where the ends are flat.
      expect(words.errors[0]).to.be.below((slope * 2 ** -6) / 2 / largest + 2 ** -11);
      expect(words.graph.nodes.map((each) => each.op).slice(0, 3)).to.deep.equal(["input", "rescale", "lookup"]);
    }).timeout(10_000);
  }

  it("get finer with their bits, and become segments above 12", async () => {
    const errors: number[] = [];
    for (const tables of [6, 8, 10, 12, 14]) {
      const run = await quantizedRun(of("Gelu", 65536), [WORDS], { inputs: { x: I16 }, widths: { tables } });
      errors.push(run.errors[0] as number);
      expect(run.graph.nodes.some((each) => each.op === "mul")).to.equal(tables > 12);
      for (const each of run.graph.nodes) if (each.op === "lookup") expect(each.length).to.be.at.most(2 ** 12);
    }
    errors.slice(1).forEach((error, i) => expect(error, errors.join(" ")).to.be.below((errors[i] as number) / 2));
    expect(errors.at(-1)).to.be.below(2e-4);
  }).timeout(10_000);

  it("spend their entries where values are: on one side of 0, and not on flat ends", async () => {
    const far = Float64Array.from({ length: 256 }, (_, i) => 6 + (i % 64) / 32);
    const windows = await quantizedRun(of("Swish", 256), [far], { inputs: { x: I16 } });
    expect(windows.errors[0]).to.be.below(2 ** -10);
    const wide = Float64Array.from({ length: 4096 }, (_, i) => (i - 2048) / 16);
    const flat = await quantizedRun(of("Sigmoid", 4096), [wide], { inputs: { x: { ...I16, exponent: -8 } } });
    expect(flat.errors[0]).to.be.below(0.25 * 2 ** -6);
  });

  it("hold a value for every input of the declared type, also where the function has none", async () => {
    const positive = Float64Array.from({ length: 256 }, (_, i) => (1 + (i % 127)) / 16);
    for (const [op, increasing] of [["Log", 1], ["Reciprocal", -1], ["Sqrt", 1]] as const) {
      const { graph, notices } = quantizeModel(await readModelBytes(bytesOf(of(op, 256))), [positive], { inputs: { x: I8 } });
      const all = outputsOf(graph, evaluate(graph, toIntegers(bordersOf(graph).inputs, BYTES)));
      for (let i = 1; i < 256; i++) expect(increasing * ((all[i] as number) - (all[i - 1] as number)), `${op} of byte ${i}`).to.be.at.least(0);
      expect(notices.some((notice) => notice.includes("could bring to 0")), op).to.equal(op === "Reciprocal");
    } // prettier-ignore
  });

  it("say how far they are off where that is much", async () => {
    const float = await readModelBytes(bytesOf(of("Erf", 65536)));
    const told = (tables: number): string => quantizeModel(float, [WORDS], { inputs: { x: I16 }, widths: { tables } }).notices.join(); // prettier-ignore
    expect(told(10)).to.equal("");
    expect(told(5)).to.include("a table of 32 entries that is up to").and.include("more bits for tables");
  });
});

describe("functions without tables", () => {
  it("roundings of all int16 are exact", async () => {
    for (const op of ["Floor", "Ceil", "Round"]) {
      for (const exponent of [-12, -1, 0, 3]) {
        const samples = [WORDS.map((v) => v * 2 ** (exponent + 12))];
        const run = await quantizedRun(of(op, 65536), samples, { inputs: { x: { ...I16, exponent } } });
        expect(run.errors, `${op} at 2^${exponent}`).to.deep.equal([0]);
        expect(run.graph.outputs[0]?.border.exponent).to.equal(0);
      }
    }
    const cast: ModelSpec = {
      nodes: [n("Cast", "x", "y", { to: 7 })],
      input: { dims: [1, 65536] },
      outputType: "int64",
    };
    expect((await quantizedRun(cast, [WORDS], { inputs: { x: I16 } })).errors).to.deep.equal([0]);
  }).timeout(20_000);

  it("Abs, Neg, Sign, Relu and ThresholdedRelu of all int16 are as exact as the output's type", async () => {
    for (const op of ["Abs", "Neg", "Sign", "Relu", "ThresholdedRelu"]) {
      const run = await quantizedRun(of(op, 65536), [WORDS], { inputs: { x: I16 } });
      expect(run.errors[0], op).to.be.at.most(op === "Sign" ? 0 : 2 ** -14);
      expect(
        run.graph.nodes.some((each) => each.op === "lookup"),
        op,
      ).to.equal(false);
    }
  }).timeout(10_000);

  it("roots and reciprocals keep small values apart: 1 % of each value over three decades", async () => {
    const values = Float64Array.from({ length: 512 }, (_, i) => 2 ** (-5 + i / 51.2));
    for (const op of ["Sqrt", "Reciprocal"]) {
      const run = await quantizedRun(of(op, 512), [values], { inputs: { x: I32 }, outputs: { y: { type: I32.type } } });
      const [{ float, integer }] = run.samples as [(typeof run.samples)[number]];
      float[0]?.forEach((v, i) => {
        const bound = op === "Sqrt" ? 0.01 * v : 0.001 * v + 2 ** -13 * 32;
        expect(Math.abs(v - (integer[0]?.[i] as number)), `${op} of ${values[i]}`).to.be.below(bound);
      });
    }
  });
});

describe("ops of two tensors", () => {
  /** All pairs of bytes: x along rows, z along columns. */
  const pairs = (nodes: readonly NodeInit[], type: Elem, outputType: Elem = type): ModelSpec => ({
    nodes,
    input: { dims: [1, 256, 1], type },
    moreInputs: [{ name: "z", dims: [1, 1, 256], type }],
    outputType,
    initializers: [tensor("one", [], [1])],
  });
  const ALL = Float64Array.from({ length: 512 }, (_, i) => i % 256);
  const inputs = { "": U8 };

  it("are exact on all pairs of integers", async () => {
    for (const op of ["Add", "Sub", "Mul", "Max", "Min"]) {
      const run = await quantizedRun(pairs([n(op, "x z", "y")], "int32"), [ALL], { inputs });
      expect(run.errors, op).to.deep.equal([0]);
      expect(run.graph.outputs[0]?.border.exponent).to.equal(0);
    }
    const chosen = [n("Less", "x z", "c"), n("Mul", "x z", "m"), n("Where", "c m x", "y")];
    expect((await quantizedRun(pairs(chosen, "int32"), [ALL], { inputs })).errors).to.deep.equal([0]);
  }).timeout(20_000);

  it("compare all pairs exactly, and join truth values", async () => {
    for (const op of ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"]) {
      for (const type of ["int32", "float32"] as const) {
        const run = await quantizedRun(pairs([n(op, "x z", "y")], type, "bool"), [ALL], { inputs });
        expect(run.errors, op).to.deep.equal([0]);
        expect(run.graph.outputs[0]?.border.type).to.deep.equal(U8.type);
      }
    }
    const joined = [n("Less", "x z", "a"), n("Equal", "x z", "b"), n("Or", "a b", "c"), n("Xor", "c a", "d"), n("Not", "d", "e"), n("And", "c e", "y")]; // prettier-ignore
    expect((await quantizedRun(pairs(joined, "int32", "bool"), [ALL], { inputs })).errors).to.deep.equal([0]);
  }).timeout(20_000);

  it("divide all pairs with a positive divisor to a half of the last of 12 bits", async () => {
    const run = await quantizedRun(pairs([n("Add", "z one", "d"), n("Div", "x d", "y")], "float32"), [ALL], { inputs });
    expect(run.errors[0]).to.be.below(2 ** -12 + 2 ** -15);
    expect(run.graph.nodes.some((each) => each.op === "div")).to.equal(true);
  }).timeout(10_000);

  it("multiply without loss, and narrow what would be wider than a product may be", async () => {
    const spec = pairs([n("Mul", "x z", "y")], "float32");
    const bytes = await quantizedRun(spec, [ALL], { inputs: { "": I8 } }).catch((error: unknown) => error);
    expect(bytes).to.be.instanceOf(NodeError); // 255 is no int8
    const run = await quantizedRun(spec, [ALL.map((v) => v / 16 - 8)], { inputs: { "": I8 } });
    expect(run.errors[0]).to.equal(0);
    const wide = await quantizedRun(spec, [ALL.map((v) => v / 16 - 8)], { inputs: { "": I32 } }); // prettier-ignore
    expect(wide.errors[0]).to.be.below(2 ** -10);
    expect(wide.graph.nodes.filter((each) => each.op === "rescale").length).to.be.at.least(2);
  }).timeout(10_000);

  it("rescale what is repeated before it is repeated", async () => {
    const spec: ModelSpec = {
      nodes: [n("MatMul", "x w", "h"), n("Mul", "h h", "q"), n("Mul", "q q", "r"), n("Mul", "z r", "y")],
      initializers: [tensor("w", [4, 1], [0.5, -0.25, 1, 0.3])],
      input: { dims: [1, 4] },
      moreInputs: [{ name: "z", dims: [1, 64] }],
    };
    const samples = Array.from({ length: 20 }, (_, i) => Float64Array.from(noise(i, 68)));
    const { graph } = await quantizedRun(spec, samples, { inputs: { "": I16 } });
    for (const each of graph.nodes) {
      if (each.op !== "rescale" || each.name.includes("y.rescale") || each.name === "z.narrow") continue;
      expect(each.shape, each.name).to.deep.equal([1, 1]);
    }
  });

  it("refuse a divisor of both signs, and tell of one that could be 0", async () => {
    const spec = pairs([n("Sub", "z one", "d"), n("Div", "x d", "y")], "float32");
    const float = await readModelBytes(bytesOf(spec));
    const sample = (first: number): Float64Array => ALL.map((v, i) => (i < 256 ? v : Math.max(first, v)));
    expect(() => quantizeModel(float, [sample(2).with(256, 0)], { inputs })).to.throw(NodeError, 'divides by values from -1 to 254'); // prettier-ignore
    const { notices, graph } = quantizeModel(float, [sample(3)], { inputs });
    expect(notices.join()).to.include("calibration saw from 2 to 254").and.include("kept at 1.00 or");
    const all = outputsOf(graph, evaluate(graph, ALL));
    expect(all.every(Number.isSafeInteger)).to.equal(true);
  }).timeout(10_000);
});

describe("truth values as inputs", () => {
  it("take every byte: 0 is false, all others are true", async () => {
    const spec: ModelSpec = {
      nodes: [n("Not", "x", "y")],
      input: { dims: [1, 256], type: "bool" },
      outputType: "bool",
    };
    const { graph } = quantizeModel(await readModelBytes(bytesOf(spec)), [new Float64Array(256).fill(1, 7)]);
    const bytes = Float64Array.from({ length: 256 }, (_, i) => i);
    expect(Array.from(outputsOf(graph, evaluate(graph, bytes)))).to.deep.equal([1, ...new Array<number>(255).fill(0)]);
  });
});

describe("networks of functions", () => {
  const W = [tensor("w", [16, 16], noise(7, 256).map((v) => v / 2)), tensor("v", [16, 16], noise(9, 256).map((v) => v / 2)), tensor("u", [16, 4], noise(3, 64)), tensor("one", [], [1]), tensor("k", [1, 3, 3, 3], noise(2, 27)), tensor("kk", [4, 1, 3, 3], noise(8, 36).map((v, i) => v * (1 + Math.floor(i / 9) ** 3)))]; // prettier-ignore
  const both = [n("MatMul", "x w", "h"), n("MatMul", "x v", "g")];
  const NETS: Readonly<Record<string, { readonly nodes: readonly NodeInit[]; readonly loss: number; readonly dims?: readonly number[] }>> = {
    "Gelu between weights": { nodes: [...both, n("Gelu", "h", "a"), n("MatMul", "a u", "y")], loss: 0.01 },
    "a gated unit": { nodes: [...both, n("Sigmoid", "h", "a"), n("Mul", "a g", "b"), n("MatMul", "b u", "y")], loss: 0.02 },
    "tanh times sigmoid": { nodes: [...both, n("Sigmoid", "h", "a"), n("Tanh", "g", "t"), n("Mul", "a t", "b"), n("MatMul", "b u", "y")], loss: 0.02 },
    "a product of accumulators": { nodes: [...both, n("Mul", "h g", "a"), n("MatMul", "a u", "y")], loss: 0.02 },
    "a maximum of accumulators": { nodes: [...both, n("Max", "h g", "a"), n("MatMul", "a u", "y")], loss: 0.02 },
    "a quotient": { nodes: [...both, n("Mul", "g g", "q"), n("Add", "q one", "d"), n("Div", "h d", "a"), n("MatMul", "a u", "y")], loss: 0.02 },
    "a length": { nodes: [...both, n("Mul", "h h", "q"), n("ReduceSum", "q", "s"), n("Sqrt", "s", "e"), n("Div", "h e", "y")], loss: 0.02 },
    "PRelu": { nodes: [...both, n("PRelu", "h g0", "a"), n("MatMul", "a u", "y")], loss: 0.02 },
    "squeeze and excitation": { nodes: [...both, n("ReduceMean", "h", "m"), n("Sigmoid", "m", "s"), n("Mul", "h s", "y")], loss: 0.01 },
    "channels of very different scales": { nodes: [n("Conv", "x kk", "h"), n("Swish", "h", "y")], dims: [1, 1, 6, 6], loss: 0.01 },
    "a choice between functions": { nodes: [...both, n("Exp", "h", "e"), n("Tanh", "g", "t"), n("Greater", "h one", "c"), n("Where", "c t e", "y")], loss: 1 },
  }; // prettier-ignore

  for (const [title, { nodes, loss, dims = [1, 16] }] of Object.entries(NETS)) {
    it(`keeps ${title} within ${loss * 100} % of the float model on inputs not seen, and onnxruntime agrees bit by bit`, async () => {
      const spec: ModelSpec = {
        nodes,
        initializers: [...W, tensor("g0", [16], noise(4, 16))],
        input: { dims },
        opset: 24,
      };
      const size = dims.reduce((a, b) => a * b, 1);
      const draw = (seed: number, count: number): Float64Array[] => {
        const random = mulberry32(seed);
        return Array.from({ length: count }, () =>
          Float64Array.from({ length: size }, () => random() + random() + random() - 1.5),
        );
      };
      const options: QuantizeOptions = { inputs: { x: I16 } };
      const run = await quantizedRun(spec, draw(1, 60), options, draw(2, 40));
      expect(run.errors[0]).to.be.below(loss);
      const { onnx, graph } = quantizeModel(run.float, draw(1, 60), options);
      const runner = await openRunner(onnx, graph);
      for (const sample of draw(3, 5)) {
        const input = toIntegers(bordersOf(graph).inputs, sample);
        expect(await runner.run(input)).to.deep.equal(evaluate(graph, input).map((t) => t.map((v) => v + 0)));
      }
      await runner.close();
      expect(Buffer.from(quantizeModel(run.float, draw(1, 60), options).onnx).equals(onnx)).to.equal(true);
    });
  }

  it("computes tables from the functions of functions.ts", async () => {
    const { graph } = await quantizedRun(of("Tanh", 256), [BYTES], { inputs: { x: I8 } });
    const lookup = graph.nodes.find((each) => each.op === "lookup");
    const tanh = functionOf(["tanh", "x"]);
    lookup?.table.forEach((entry, i) =>
      expect(entry).to.equal(Math.floor(tanh((lookup.first + i) / 16) * 2 ** 11 + 0.5)),
    );
    expect(lookup?.table.length).to.equal(256);
  });
});

describe("products of wide operands", () => {
  it("leave room for the multiplier of a scale that is no power of two", async () => {
    const nodes = [n("Mul", "x k", "a"), n("Mul", "a z", "y")];
    const more = { initializers: [tensor("k", [], [1.3])], moreInputs: [{ name: "z", dims: [1, 4] }] };
    const float = await readModelBytes(bytesOf({ nodes, ...more, input: { dims: [1, 4] } }));
    const samples = [1, 2, 3].map((seed) => Float64Array.from(noise(seed, 8)));
    const x = { type: { bits: 32, signed: true }, exponent: -28 } as const; // 48 bits, with z
    const z = { type: { bits: 16, signed: true }, exponent: -14 } as const;
    const { graph } = quantizeModel(float, samples, { inputs: { x, z } });
    const { inputs } = bordersOf(graph);
    for (const sample of samples) {
      const integers = outputsOf(graph, evaluate(graph, toIntegers(inputs, sample)));
      const unit = 2 ** (graph.outputs[0]?.border.exponent as number);
      integers.forEach((q, i) => {
        const real = 1.3 * (sample[i] as number) * (sample[4 + i] as number);
        expect(Math.abs(q * unit - real)).to.be.below(2e-3);
      });
    }
  });
});
