// Models that come quantized: what is proven equals, bit for bit, what onnxruntime computes on the original file.
import { expect } from "chai";
import fs from "node:fs";
import ort from "onnxruntime-node";
import { NodeError } from "../../../node/core/errors.ts";
import { sizeOf } from "../../../node/core/tensor.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import type { QuantizedModel } from "../../../node/model/compile.ts";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { floatInputs } from "../../../node/model/graph.ts";
import type { FloatGraph } from "../../../node/model/graph.ts";
import { inputsOf } from "../../../node/model/ir.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import {
  bytesOf,
  type Elem,
  ints,
  type ModelSpec,
  node,
  type NodeInit,
  runAll,
  tensor,
  type TensorInit,
} from "../../support/onnx.ts";

const FOLDER = new URL("../../vectors/onnx/", import.meta.url);
const f = Math.fround;
const SEED = 20_260_102;

interface Model {
  readonly float: FloatGraph;
  readonly quantized: QuantizedModel;
}

async function compiled(bytes: Uint8Array): Promise<Model> {
  const float = await readModelBytes(bytes);
  const size = floatInputs(float).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return { float, quantized: quantizeModel(float, [new Float64Array(size)]) };
}

function integersOf({ quantized: { graph } }: Model, x: Float64Array): number[] {
  return Array.from(outputsOf(graph, evaluate(graph, x)));
}

/** A model of the domain com.microsoft. */
function microsoft(spec: ModelSpec): Uint8Array {
  const change = (model: object): object => ({
    ...model,
    opsetImport: [
      { domain: "", version: BigInt(spec.opset ?? 17) },
      { domain: "com.microsoft", version: 1n },
    ],
  });
  return bytesOf({ ...spec, change: change });
}

const ms = (op: string, inputs: string[], attributes: Parameters<typeof node>[3] = {}): NodeInit =>
  node(op, inputs, ["y"], attributes, { domain: "com.microsoft" });

interface Params {
  readonly scale: number;
  readonly zero: number;
}

/** Scale and zero point as initializers "<name>s" and "<name>z". */
const params = (name: string, type: Elem, { scale, zero }: Params): TensorInit[] => [
  tensor(`${name}s`, [], [scale]),
  tensor(`${name}z`, [], [zero], type),
];

const lowOf = (type: Elem): number => (type === "int8" ? -128 : 0);
const bytesFrom = (type: Elem): number[] => Array.from({ length: 256 }, (_, i) => i + lowOf(type));

function draw(next: () => number, type: Elem, finest = 0.001, widest = 0.05): Params {
  return { scale: f(finest + next() * (widest - finest)), zero: Math.floor(next() * 256) + lowOf(type) };
}

/** Compares integers in and integers out with onnxruntime's. */
async function agreeExactly(
  bytes: Uint8Array,
  feeds: readonly { readonly data: readonly number[]; readonly dims: readonly number[]; readonly type: Elem }[],
  what: string,
): Promise<Model> {
  const model = await compiled(bytes);
  const [theirs] = await runAll(bytes, feeds);
  const flat = Float64Array.from(feeds.flatMap(({ data }) => data));
  const mine = integersOf(model, flat);
  const wrong = theirs?.data.findIndex((v, i) => v !== mine[i]);
  expect(wrong, `${what}: element ${wrong}, ${theirs?.data[wrong ?? 0]} there, ${mine[wrong ?? 0]} here`).to.equal(-1);
  expect(mine.length).to.equal(theirs?.data.length);
  const { float } = model;
  const reals = evaluateFloat(float, flat)[float.outputs[0]?.ref as number] as Float64Array;
  expect(Array.from(reals), `${what}: the float graph`).to.deep.equal(mine);
  return model;
}

describe("models that come quantized", () => {
  const files = fs.readdirSync(FOLDER).filter((file) => /^quantized-.*\.onnx$/.test(file));

  it("are eighteen fixtures of three nets, in both formats of onnxruntime's quantizer", () => {
    expect(files.length).to.equal(18);
  });

  for (const file of files) {
    it(`${file} computes as onnxruntime does, for 300 inputs (seed ${SEED})`, async () => {
      const bytes = fs.readFileSync(new URL(file, FOLDER));
      const model = await compiled(bytes);
      const { notices, certificates, graph } = model.quantized;
      expect(certificates.length).to.be.greaterThan(2);
      const [from, to] = ["input", "output"].map((what) => {
        const match = new RegExp(`the ${what} .*: an integer q stands for \\(q ([+-]) (\\d+)\\) \\* (.*)$`, "m").exec(notices.join("\n")); // prettier-ignore
        if (match === null) throw new Error(`no notice tells what the integers of the ${what} are`);
        return { zero: Number(match[2]) * (match[1] === "+" ? -1 : 1), scale: Number(match[3]) };
      }) as [Params, Params];
      const [input] = inputsOf(graph) as [ReturnType<typeof inputsOf>[number]];
      const low = input.border.type.signed ? -128 : 0;
      const next = mulberry32(SEED);
      const inputs = Array.from({ length: 300 }, (_, k) => {
        const spread = [256, 100, 30][k % 3] as number;
        const draw = (): number => Math.floor(128 + (next() - 0.5) * spread) + low;
        return Float64Array.from({ length: sizeOf(input.shape) }, draw);
      });
      // onnxruntime's own optimizer cannot load its QGemm and QLinearConv of signed 8-bit tensors.
      const levels = /qop-s8s8/.test(file) ? (["disabled"] as const) : (["disabled", "all"] as const);
      for (const graphOptimizationLevel of levels) {
        const options = { graphOptimizationLevel, intraOpNumThreads: 1, logSeverityLevel: 4, extra: { session: { x64quantprecision: "1" } } } as const; // prettier-ignore
        // Unfused, the file's own float32 arithmetic decides near halves: a step apart, once in thousands.
        const fused = graphOptimizationLevel === "all" || file.includes("-qop-");
        let apart = 0;
        const session = await ort.InferenceSession.create(bytes, options);
        try {
          for (const x of inputs) {
            const reals = Float32Array.from(x, (q) => (q - from.zero) * from.scale);
            const { y } = await session.run({ x: new ort.Tensor("float32", reals, [...input.shape]) });
            const theirs = Array.from(y?.data as Float32Array, (v) => Math.round(v / to.scale) + to.zero);
            const mine = integersOf(model, x);
            if (fused) expect(mine, graphOptimizationLevel).to.deep.equal(theirs);
            mine.forEach((q, i) => {
              expect(Math.abs(q - (theirs[i] as number))).to.be.at.most(1);
              if (q !== theirs[i]) apart++;
            });
          }
          expect(apart).to.be.at.most(fused ? 0 : 5);
        } finally {
          await session.release();
        }
      }
    }).timeout(60_000);
  }

  it("are emitted as a standard file with the same integers", async () => {
    for (const file of files.filter((name) => name.includes("channels"))) {
      const model = await compiled(fs.readFileSync(new URL(file, FOLDER)));
      const [input] = inputsOf(model.quantized.graph) as [ReturnType<typeof inputsOf>[number]];
      const type = input.border.type.signed ? "int8" : "uint8";
      const next = mulberry32(SEED + 9);
      const x = Array.from({ length: sizeOf(input.shape) }, () => Math.floor(256 * next()) + lowOf(type));
      const [theirs] = await runAll(model.quantized.onnx, [{ data: x, dims: input.shape }]);
      expect(integersOf(model, Float64Array.from(x)), file).to.deep.equal(theirs?.data);
    }
  }).timeout(20_000);

  it("keep the original's integers, whatever they are calibrated with", async () => {
    const bytes = fs.readFileSync(new URL("quantized-mlp-qdq-u8s8.onnx", FOLDER));
    const float = await readModelBytes(bytes);
    const next = mulberry32(1);
    const samples = [1, 2, 3].map(() => Float64Array.from({ length: 8 }, () => Math.floor(256 * next())));
    const [a, b] = [[new Float64Array(8)], samples].map((data) => quantizeModel(float, data));
    expect(a?.onnx).to.deep.equal(b?.onnx);
    expect(a?.certificates).to.deep.equal(b?.certificates);
  });
});

describe("ops on quantized tensors", () => {
  for (const type of ["uint8", "int8"] as const) {
    const all = bytesFrom(type);
    const pairs = all.flatMap((a) => all.map((b) => [a, b] as const));
    const dims = [1, pairs.length];
    const two = (op: string, [a, b, y]: readonly Params[]): Uint8Array =>
      microsoft({
        nodes: [ms(op, ["x", "as", "az", "x2", "bs", "bz", "ys", "yz"])],
        input: { dims, type },
        moreInputs: [{ name: "x2", dims, type }],
        outputType: type,
        initializers: [...params("a", type, a as Params), ...params("b", type, b as Params), ...params("y", type, y as Params)], // prettier-ignore
      });
    const feeds = [0, 1].map((k) => ({ data: pairs.map((pair) => pair[k] as number), dims, type }));

    for (const op of ["QLinearAdd", "QLinearMul"]) {
      it(`${op} is onnxruntime's for all pairs of ${type} values, at 12 draws of scales (seed ${SEED})`, async () => {
        const next = mulberry32(SEED);
        for (let k = 0; k < 12; k++) {
          const drawn = [
            draw(next, type),
            draw(next, type),
            draw(next, type, 0.002, op === "QLinearAdd" ? 0.08 : 0.02),
          ];
          await agreeExactly(two(op, drawn), feeds, JSON.stringify(drawn));
        }
        const powers = [0.25, 0.5, 1].map((scale) => ({ scale, zero: lowOf(type) + 131 }));
        await agreeExactly(two(op, powers), feeds, "powers of two");
      }).timeout(120_000);
    }

    it(`QLinearSigmoid, QLinearLeakyRelu and QLinearConcat are onnxruntime's for every ${type} value (seed ${SEED})`, async () => {
      const next = mulberry32(SEED + 1);
      const feed = { data: all, dims: [1, 256], type };
      for (let k = 0; k < 40; k++) {
        const [x, y] = [draw(next, type, 0.005, 0.2), draw(next, type, 0.002, 0.05)];
        const unit = { scale: f(1 / 256), zero: lowOf(type) };
        const one = (inputs: string[], op: string, to: Params, attributes = {}): Uint8Array =>
          microsoft({
            nodes: [ms(op, inputs, attributes)],
            input: { dims: [1, 256], type },
            outputType: type,
            initializers: [...params("x", type, x), ...params("y", type, to)],
          });
        const plain = ["x", "xs", "xz", "ys", "yz"];
        const alpha = { alpha: { float: f(next()) } };
        await agreeExactly(one(plain, "QLinearSigmoid", k % 2 === 0 ? unit : y), [feed], JSON.stringify([x, y]));
        await agreeExactly(one(plain, "QLinearLeakyRelu", y, alpha), [feed], JSON.stringify([x, y, alpha]));
        const [tenth, fifth] = [
          { ...x, scale: f(0.1 * (k + 1)) },
          { ...y, scale: f(0.2 * (k + 1)) },
        ];
        const halves = microsoft({
          nodes: [ms("QLinearLeakyRelu", plain, { alpha: { float: 1 } })],
          input: { dims: [1, 256], type },
          outputType: type,
          initializers: [...params("x", type, tenth), ...params("y", type, fifth)],
        });
        await agreeExactly(halves, [feed], JSON.stringify([tenth, fifth]));
        const joined = ["ys", "yz", "x", "xs", "xz", "x", "ys", "yz"];
        await agreeExactly(one(joined, "QLinearConcat", y, { axis: 1 }), [feed], JSON.stringify([x, y]));
      }
    }).timeout(120_000);

    it(`QLinearGlobalAveragePool and QLinearAveragePool are onnxruntime's on random ${type} images (seed ${SEED})`, async () => {
      const next = mulberry32(SEED + 2);
      for (const [height, width] of [
        [2, 2],
        [3, 5],
        [7, 7],
      ] as const) {
        const shape = [1, 64, height, width];
        const data = Array.from({ length: sizeOf(shape) }, () => Math.floor(256 * next()) + lowOf(type));
        const [x, y] = [draw(next, type), draw(next, type, 0.002, 0.02)];
        const pool = (op: string, from: Params, attributes = {}): Uint8Array =>
          microsoft({
            nodes: [ms(op, ["x", "xs", "xz", "ys", "yz"], attributes)],
            input: { dims: shape, type },
            outputType: type,
            initializers: [...params("x", type, from), ...params("y", type, y)],
          });
        const feed = { data, dims: shape, type };
        await agreeExactly(pool("QLinearGlobalAveragePool", x), [feed], JSON.stringify([shape, x, y]));
        const windows = { kernel_shape: [2, 2], strides: [1, 1] };
        const exact = { ...x, scale: 2 ** -6 };
        await agreeExactly(pool("QLinearAveragePool", exact, windows), [feed], JSON.stringify([shape, exact, y]));
      }
    }).timeout(60_000);
  }

  it(`QLinearAveragePool at any scales is refused or onnxruntime's, with padding that counts (seed ${SEED})`, async () => {
    const next = mulberry32(SEED + 10);
    let read = 0;
    for (let k = 0; k < 60; k++) {
      const type = k % 2 === 0 ? "uint8" : "int8";
      const [x, y] = [draw(next, type), draw(next, type, 0.002, 0.05)];
      const dims = [1, 8, 6, 6];
      const data = Array.from({ length: sizeOf(dims) }, () => Math.floor(256 * next()) + lowOf(type));
      const attributes = [{ kernel_shape: [2, 2] }, { kernel_shape: [3, 2], strides: [2, 2] }, { kernel_shape: [2, 2], pads: [1, 1, 1, 1], count_include_pad: 1 }][k % 3]; // prettier-ignore
      const bytes = microsoft({
        nodes: [ms("QLinearAveragePool", ["x", "xs", "xz", "ys", "yz"], attributes)],
        input: { dims, type },
        outputType: type,
        initializers: [...params("x", type, x), ...params("y", type, y)],
      });
      const readable = await readModelBytes(bytes).then(() => true, (error: unknown) => !/function of the integers' sum/.test(String(error))); // prettier-ignore
      if (!readable) continue;
      read++;
      await agreeExactly(bytes, [{ data, dims, type }], JSON.stringify([x, y, attributes]));
    }
    expect(read).to.be.greaterThan(30);
  }).timeout(60_000);

  it("QLinearAdd of single values is onnxruntime's for all pairs, which it adds in another order", async () => {
    const next = mulberry32(SEED + 11);
    const dims = [256, 256];
    for (let k = 0; k < 8; k++) {
      const drawn = [draw(next, "uint8"), draw(next, "uint8"), draw(next, "uint8", 0.01, 0.08)] as const;
      const sides = [["x", "as", "az"], ["x2", "bs", "bz"]]; // prettier-ignore
      const [a, b] = (k % 2 === 0 ? sides : sides.toReversed()) as [string[], string[]];
      const column = Array.from({ length: 256 }, (_, i) => i);
      const bytes = microsoft({
        nodes: [ms("QLinearAdd", [...a, ...b, "ys", "yz"])],
        input: { dims: k % 4 < 2 ? [256, 1] : dims, type: "uint8" },
        moreInputs: [{ name: "x2", dims: k % 4 < 2 ? dims : [256, 1], type: "uint8" }],
        outputType: "uint8",
        initializers: [...params("a", "uint8", drawn[0]), ...params("b", "uint8", drawn[1]), ...params("y", "uint8", drawn[2])], // prettier-ignore
      });
      const transposed = column.flatMap(() => column);
      const feeds = [{ data: column, dims: [256, 1], type: "uint8" as const }, { data: transposed, dims, type: "uint8" as const }]; // prettier-ignore
      await agreeExactly(bytes, k % 4 < 2 ? feeds : feeds.toReversed(), JSON.stringify(drawn));
    }
  }).timeout(60_000);

  it("QLinearAdd repeats a smaller operand, and takes a constant", async () => {
    const next = mulberry32(SEED + 3);
    const dims = [1, 3, 4, 5];
    const data = Array.from({ length: 60 }, () => Math.floor(256 * next()));
    for (const small of [[1, 3, 1, 1], [5], [1, 1, 4, 1], []]) {
      const drawn = [draw(next, "uint8"), draw(next, "uint8"), draw(next, "uint8", 0.01, 0.08)] as const;
      const part = Array.from({ length: sizeOf(small) }, () => Math.floor(256 * next()));
      for (const turned of [false, true]) {
        const [a, b] = [["x", "as", "az"], ["c", "bs", "bz"]]; // prettier-ignore
        const bytes = microsoft({
          nodes: [ms("QLinearAdd", [...(turned ? [...b, ...a] : [...a, ...b]), "ys", "yz"])],
          input: { dims, type: "uint8" },
          outputType: "uint8",
          initializers: [
            ...params("a", "uint8", drawn[0]),
            ...params("b", "uint8", drawn[1]),
            ...params("y", "uint8", drawn[2]),
            tensor("c", small, part, "uint8"),
          ],
        });
        await agreeExactly(bytes, [{ data, dims, type: "uint8" }], `[${small.join()}] ${turned}`);
      }
    }
  });

  it("QLinearConv takes zero points of weights per channel, padding, strides, dilations and groups", async () => {
    const next = mulberry32(SEED + 4);
    const dims = [1, 4, 7, 6];
    const data = Array.from({ length: sizeOf(dims) }, () => Math.floor(256 * next()));
    for (const [attributes, group, weightType] of [
      [{ pads: [1, 2, 0, 1] }, 1, "int8"],
      [{ strides: [2, 1], auto_pad: "SAME_UPPER" }, 2, "int8"],
      [{ dilations: [2, 1], pads: [1, 1, 1, 1] }, 4, "uint8"],
    ] as const) {
      const depth = 4 / group;
      const low = weightType === "int8" ? -64 : 64;
      const weights = Array.from({ length: 4 * depth * 6 }, () => Math.floor(128 * next()) + low);
      const zeros = weightType === "uint8" ? [128, 128, 128, 128] : [0, 0, 0, 0];
      const bytes = bytesOf({
        nodes: [node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["y"], { ...attributes, group, kernel_shape: [3, 2] })], // prettier-ignore
        input: { dims, type: "uint8" },
        outputType: "uint8",
        initializers: [
          ...params("x", "uint8", draw(next, "uint8")),
          tensor("w", [4, depth, 3, 2], weights, weightType),
          tensor("ws", [4], [0.011, 0.007, 0.03, 0.0123]),
          tensor("wz", [4], zeros, weightType),
          ...params("y", "uint8", draw(next, "uint8", 0.02, 0.2)),
          tensor("b", [4], [100, -2000, 0, 77], "int32"),
        ],
      });
      await agreeExactly(bytes, [{ data, dims, type: "uint8" }], JSON.stringify(attributes));
    }
  });

  it("QLinearMatMul multiplies two tensors that both depend on the input", async () => {
    const next = mulberry32(SEED + 12);
    const [dims, more] = [[2, 3, 5], [2, 5, 4]]; // prettier-ignore
    const draws = (shape: readonly number[]): number[] =>
      Array.from({ length: sizeOf(shape) }, () => Math.floor(256 * next()));
    const bytes = bytesOf({
      nodes: [node("QLinearMatMul", ["x", "as", "az", "x2", "bs", "bz", "ys", "yz"], ["y"])],
      input: { dims, type: "uint8" },
      moreInputs: [{ name: "x2", dims: more, type: "uint8" }],
      outputType: "uint8",
      initializers: [
        ...params("a", "uint8", draw(next, "uint8")),
        ...params("b", "uint8", draw(next, "uint8")),
        ...params("y", "uint8", draw(next, "uint8", 0.02, 0.2)),
      ],
    });
    const feeds = [{ data: draws(dims), dims, type: "uint8" as const }, { data: draws(more), dims: more, type: "uint8" as const }]; // prettier-ignore
    await agreeExactly(bytes, feeds, "QLinearMatMul");
  });

  it("ConvInteger and MatMulInteger yield the accumulators themselves", async () => {
    const next = mulberry32(SEED + 5);
    const draws = (count: number, low: number, range: number): number[] =>
      Array.from({ length: count }, () => Math.floor(range * next()) + low);
    const conv = bytesOf({
      nodes: [node("ConvInteger", ["x", "w", "xz", "wz"], ["y"], { pads: [1, 1, 1, 1] })],
      input: { dims: [1, 2, 4, 4], type: "uint8" },
      outputType: "int32",
      initializers: [tensor("w", [3, 2, 3, 3], draws(54, 0, 128), "uint8"), tensor("xz", [], [117], "uint8"), tensor("wz", [], [64], "uint8")], // prettier-ignore
    });
    await agreeExactly(conv, [{ data: draws(32, 0, 256), dims: [1, 2, 4, 4], type: "uint8" }], "ConvInteger");
    const matmul = bytesOf({
      nodes: [node("MatMulInteger", ["x", "b", "az", "bz"], ["y"])],
      input: { dims: [3, 8], type: "uint8" },
      outputType: "int32",
      initializers: [tensor("b", [8, 4], draws(32, -64, 128), "int8"), tensor("az", [], [9], "uint8"), tensor("bz", [4], [1, -2, 3, 0], "int8")], // prettier-ignore
    });
    await agreeExactly(matmul, [{ data: draws(24, 0, 256), dims: [3, 8], type: "uint8" }], "MatMulInteger");
  });

  it("QGemm takes alpha, transpositions and a bias; without an output scale it yields reals", async () => {
    const next = mulberry32(SEED + 6);
    const b = Array.from({ length: 24 }, () => Math.floor(128 * next()) - 64);
    const data = Array.from({ length: 6 }, () => Math.floor(256 * next()));
    const spec = (transB: number, out: string[]): ModelSpec => ({
      nodes: [ms("QGemm", ["x", "xs", "xz", "b", "bs", "bz", "c", ...out], { transB, alpha: { float: 0.75 } })],
      input: { dims: [1, 6], type: "uint8" },
      outputType: out.length > 0 ? "uint8" : "float32",
      initializers: [
        ...params("x", "uint8", { scale: f(0.02), zero: 100 }),
        tensor("b", transB === 1 ? [4, 6] : [6, 4], b, "int8"),
        tensor("bs", [4], [0.01, 0.02, 0.013, 0.007]),
        tensor("bz", [4], [0, 0, 0, 0], "int8"),
        tensor("c", [4], [55, -66, 7, 8], "int32"),
        ...params("y", "uint8", { scale: f(0.031), zero: 77 }),
      ],
    });
    for (const transB of [0, 1]) {
      await agreeExactly(microsoft(spec(transB, ["ys", "yz"])), [{ data, dims: [1, 6], type: "uint8" }], "QGemm");
      const bytes = microsoft(spec(transB, []));
      const float = await readModelBytes(bytes);
      const mine = evaluateFloat(float, Float64Array.from(data))[float.outputs[0]?.ref as number] as Float64Array;
      const [theirs] = await runAll(bytes, [{ data, dims: [1, 6], type: "uint8" }]);
      expect(Array.from(mine, (v) => f(v))).to.deep.equal(theirs?.data);
    }
  });
});

describe("models between QuantizeLinear and DequantizeLinear", () => {
  const scale = f(0.037);
  const shared = [tensor("s", [], [scale]), tensor("z", [], [121], "uint8"), tensor("t", [], [f(0.021)]), tensor("u", [], [90], "uint8")]; // prettier-ignore
  const q = (from: string, to: string, names = ["s", "z"]): NodeInit => node("QuantizeLinear", [from, ...names], [to]);
  const dq = (from: string, to: string, names = ["s", "z"]): NodeInit =>
    node("DequantizeLinear", [from, ...names], [to]);
  /** DQ -> op -> Q on integers in and out. */
  const group = (
    dims: readonly number[],
    nodes: readonly NodeInit[],
    more: readonly TensorInit[] = [],
    out = ["t", "u"],
    type: Elem = "uint8",
  ): ModelSpec => ({
    nodes: [dq("x", "xr"), ...nodes, q("yr", "y", out)],
    input: { dims, type },
    outputType: type,
    initializers: [...shared, ...more],
  });
  const every = bytesFrom("uint8");

  for (const [what, nodes, more, out] of [
    ["Relu", [node("Relu", ["xr"], ["yr"])], [], ["t", "u"]],
    [
      "Clip",
      [node("Clip", ["xr", "lo", "hi"], ["yr"])],
      [tensor("lo", [], [-1.5]), tensor("hi", [], [2.25])],
      ["t", "u"],
    ],
    ["Sigmoid", [node("Sigmoid", ["xr"], ["yr"])], [], ["t", "u"]],
    ["nothing", [node("Identity", ["xr"], ["yr"])], [], ["t", "u"]],
    ["Reshape", [node("Reshape", ["xr", "n"], ["yr"])], [ints("n", [4, 64])], ["s", "z"]],
    ["Transpose at another scale", [node("Reshape", ["xr", "n"], ["r"]), q("r", "rq"), dq("rq", "rr"), node("Transpose", ["rr"], ["yr"])], [ints("n", [4, 64])], ["t", "u"]], // prettier-ignore
    ["Pad", [node("Pad", ["xr", "p", "v"], ["yr"])], [ints("p", [0, 2, 0, 3]), tensor("v", [], [-1.23])], ["s", "z"]],
  ] as const) {
    it(`${what} keeps every value as onnxruntime has it`, async () => {
      const bytes = bytesOf(group([1, 256], nodes, more, [...out]));
      await agreeExactly(bytes, [{ data: every, dims: [1, 256], type: "uint8" }], what);
    });
  }

  it("a Clip behind a Conv acts on its integers", async () => {
    const next = mulberry32(SEED + 7);
    const nodes = [dq("w", "wr", ["ws", "wz"]), node("Conv", ["xr", "wr"], ["c"]), node("Clip", ["c", "lo", "hi"], ["yr"])]; // prettier-ignore
    const weights = Array.from({ length: 18 }, () => Math.floor(128 * next()) - 64);
    const more = [tensor("w", [1, 2, 3, 3], weights, "int8"), tensor("ws", [], [0.004]), tensor("wz", [], [0], "int8"), tensor("lo", [], [-0.4]), tensor("hi", [], [0.9])]; // prettier-ignore
    const bytes = bytesOf(group([1, 2, 6, 6], nodes, more));
    const data = Array.from({ length: 72 }, () => Math.floor(256 * next()));
    await agreeExactly(bytes, [{ data, dims: [1, 2, 6, 6], type: "uint8" }], "Clip");
  });

  it("an input at a power of two without zero point stays real, at that exponent", async () => {
    const power = [tensor("s", [], [2 ** -5]), tensor("z", [], [0], "int8")];
    const bytes = bytesOf({
      nodes: [q("x", "xq"), dq("xq", "xr"), node("Relu", ["xr"], ["r"]), q("r", "rq"), dq("rq", "y")],
      input: { dims: [1, 256] },
      initializers: power,
    });
    const { quantized } = await compiled(bytes);
    const [input] = inputsOf(quantized.graph);
    expect(input?.border).to.deep.include({ type: { bits: 8, signed: true }, exponent: -5 });
    expect(quantized.graph.outputs[0]?.border.exponent).to.equal(-5);
    expect(quantized.notices).to.deep.equal([]);
    const x = Float64Array.from(bytesFrom("int8"));
    expect(integersOf({ quantized } as Model, x)).to.deep.equal(Array.from(x, (v) => Math.max(0, v)));
  });

  it("a product that nothing quantizes again keeps its integer weights and yields reals", async () => {
    const nodes = [q("x", "xq"), dq("xq", "xr"), dq("w", "wr", ["ws", "wz"]), node("MatMul", ["xr", "wr"], ["y"])];
    const initializers = [...shared, tensor("w", [4, 2], [1, -2, 3, 4, 5, 6, -7, 127], "int8"), tensor("ws", [], [0.01]), tensor("wz", [], [0], "int8")]; // prettier-ignore
    const { quantized } = await compiled(bytesOf({ nodes, initializers, input: { dims: [1, 4] } }));
    const dense = quantized.graph.nodes.find(({ op }) => op === "dense") as { readonly weights: Int32Array };
    expect(Array.from(dense.weights)).to.deep.equal([1, -2, 3, 4, 5, 6, -7, 127]);
  });

  it("a softmax at the end is left to the reader, over the integers that are proven", async () => {
    const nodes = [q("x", "xq"), dq("xq", "xr"), node("Relu", ["xr"], ["r"]), q("r", "rq"), dq("rq", "rr"), node("Softmax", ["rr"], ["y"])]; // prettier-ignore
    const { float, quantized } = await compiled(bytesOf({ nodes, initializers: shared, input: { dims: [1, 4] } }));
    expect(float.outputs[0]?.finalSoftmax?.kind).to.equal("softmax");
    expect(quantized.notices.join()).to.match(/the output "y" is the model's own integers/);
    expect(integersOf({ float, quantized }, Float64Array.of(0, 120, 121, 255))).to.deep.equal([121, 121, 121, 255]);
  });

  it("a quantization between reals is told not to be bit for bit", async () => {
    const nodes = [q("x", "xq"), dq("xq", "xr"), node("Exp", ["xr"], ["e"]), q("e", "eq"), dq("eq", "y")];
    const { quantized } = await compiled(bytesOf({ nodes, initializers: shared, input: { dims: [1, 4] } }));
    expect(quantized.notices.join()).to.match(/computed in real numbers/);
  });
});

describe("quantized models that are refused, by name", () => {
  const refuses = async (spec: ModelSpec, ...texts: RegExp[]): Promise<void> => {
    const thrown: unknown = await readModelBytes(microsoft(spec)).catch((error: unknown) => error);
    expect(thrown).to.be.instanceOf(NodeError);
    for (const text of texts) expect((thrown as NodeError).message).to.match(text);
  };
  const u8 = { dims: [1, 4], type: "uint8" } as const;
  const common = [...params("x", "uint8", { scale: f(0.1), zero: 3 }), ...params("y", "uint8", { scale: f(0.2), zero: 4 })]; // prettier-ignore

  it("DynamicQuantizeLinear: quantize statically", () =>
    refuses({ nodes: [node("DynamicQuantizeLinear", ["x"], ["y", "ys", "yz"])] }, /"DynamicQuantizeLinear"/, /quantize_static/)); // prettier-ignore

  it("QLinearSoftmax: leave it out of the quantization", () =>
    refuses({ nodes: [ms("QLinearSoftmax", ["x", "xs", "xz", "ys", "yz"])], input: u8, initializers: common }, /"QLinearSoftmax"/, /nodes_to_exclude/)); // prettier-ignore

  it("a Softmax between integers, as QLinearSoftmax", () =>
    refuses(
      { nodes: [node("DequantizeLinear", ["x", "xs", "xz"], ["a"]), node("Softmax", ["a"], ["b"]), node("QuantizeLinear", ["b", "ys", "yz"], ["y"])], input: u8, initializers: common }, // prettier-ignore
      /"QLinearSoftmax"/,
    ));

  it("ops that onnxruntime's optimizer fuses: the model as it was before", async () => {
    for (const op of ["FusedConv", "FusedMatMul", "SkipLayerNormalization", "MatMulIntegerToFloat"]) {
      await refuses({ nodes: [ms(op, ["x"])] }, new RegExp(`"${op}"`), /before optimization/);
    }
  });

  it("weights of four bits, and 8-bit floats", async () => {
    for (const [dataType, name] of [
      [22, /int4/],
      [17, /float8e4m3fn/],
    ] as const) {
      const w = { name: "w", dims: [4n], dataType, rawData: new Uint8Array(dataType === 22 ? 2 : 4) };
      const dq = node("DequantizeLinear", ["w", "xs"], ["wr"]);
      await refuses({ nodes: [dq, node("Add", ["x", "wr"], ["y"])], opset: 21, initializers: [w, tensor("xs", [], [0.5])] }, name); // prettier-ignore
    }
  });

  it("scales that are 0, per channel on activations, or in blocks", async () => {
    const one = (scale: TensorInit, attributes = {}): ModelSpec => ({
      nodes: [node("QuantizeLinear", ["x", "s"], ["y"], attributes)],
      initializers: [scale],
      opset: 21,
      outputType: "uint8",
    });
    await refuses(one(tensor("s", [], [0])), /scale holds 0/);
    await refuses(one(tensor("s", [4], [1, 2, 3, 4]), { axis: 1 }), /per channel/);
    await refuses(one(tensor("s", [1, 2], [1, 2]), { block_size: 2 }), /blocks/);
  });

  it("an average pool whose rounded sums depend on more than the sum, with the scale to give it", () =>
    refuses(
      {
        nodes: [ms("QLinearAveragePool", ["x", "xs", "xz", "ys", "yz"], { kernel_shape: [2, 2] })],
        input: { dims: [1, 1, 4, 4], type: "uint8" },
        initializers: [...params("x", "uint8", { scale: f(0.1), zero: 3 }), ...params("y", "uint8", { scale: f(0.1), zero: 3 })], // prettier-ignore
      },
      /0\.10000000149011612/,
      /power of two/,
    ));
});

describe("Relu and Clip between a DequantizeLinear and a QuantizeLinear of the same scale", () => {
  const xs = [-32768, -1001, -1000, -999, -1, 0, 1, 999, 32766, 32767];
  const group = (op: NodeInit): ModelSpec => ({
    nodes: [node("DequantizeLinear", ["x", "xs", "xz"], ["r"]), op, node("QuantizeLinear", ["t", "xs", "xz"], ["y"])],
    initializers: [...params("x", "int16", { scale: f(0.0371), zero: -1000 }), tensor("lo", [], [-0.2]), tensor("hi", [], [9.5])],
    input: { dims: [1, xs.length], type: "int16" },
    outputType: "int16",
    opset: 21,
  }); // prettier-ignore

  for (const op of [
    node("Relu", ["r"], ["t"]),
    node("Clip", ["r", "lo", "hi"], ["t"]),
    node("Identity", ["r"], ["t"]),
  ]) {
    it(`${op.opType} moves no int16 by a step`, async () => {
      const bytes = bytesOf(group(op));
      const model = await compiled(bytes);
      const [expected] = await runAll(bytes, [{ data: xs, dims: [1, xs.length], type: "int16" }]);
      expect(integersOf(model, Float64Array.from(xs))).to.deep.equal(expected?.data);
      expect(model.quantized.notices.filter((notice) => /step|float/.test(notice))).to.deep.equal([]);
    });
  }
});
