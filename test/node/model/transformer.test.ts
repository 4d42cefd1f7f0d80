// Decoder-only transformers as PyTorch exports them: causal attention in six ways by two exporters, against onnxruntime;
// masks that hide exactly; embeddings of which all that follows is a table; and the example.
import { expect } from "chai";
import fs from "node:fs";
import { splitFlat } from "../../../node/core/tensor.ts";
import { toIntegers, toReals } from "../../../node/model/border.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { readDataset } from "../../../node/model/dataset.ts";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { floatInputs, type FloatGraph, type FloatNode } from "../../../node/model/graph.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { readModel } from "../../../node/model/onnx/read.ts";
import { ints, type ModelSpec, node, type NodeInit, noise, tensor } from "../../support/onnx.ts";
import { agree, agreeFile, quantizedFile, refused } from "../../support/onnxAgree.ts";

const CONTEXT = 6;
const STYLES = ["causal", "boolean", "filled", "lowest", "added", "module"] as const;
const EXPORTERS = ["legacy", "dynamo"] as const;
const fileOf = (style: string, exporter: string): string => `test/vectors/onnx/transformer-${style}-${exporter}.onnx`;

type Softmax = Extract<FloatNode, { readonly op: "softmax" }>;

/** Tokens 0 to 9, the same for the same seed. */
function tokens(seed: number): Float64Array {
  return Float64Array.from({ length: CONTEXT }, (_, i) => (7 * seed + 3 * i + seed * i * i) % 10);
}

/** `after` is as `before` at all positions in front of `at`, and is not at `at`. */
function expectCausal(before: Float64Array, after: Float64Array, at: number): void {
  const wide = before.length / CONTEXT;
  expect(Array.from(after.subarray(0, at * wide))).to.deep.equal(Array.from(before.subarray(0, at * wide)));
  expect(Array.from(after.subarray(at * wide, (at + 1) * wide))).to.not.deep.equal(Array.from(before.subarray(at * wide, (at + 1) * wide))); // prettier-ignore
}

describe("transformer blocks as PyTorch exports them", function () {
  this.timeout(60_000);

  for (const style of STYLES)
    for (const exporter of EXPORTERS) {
      it(`attention that is ${style}, by the ${exporter} exporter, yields what onnxruntime yields`, async () => {
        const graph = await agreeFile(fileOf(style, exporter));
        const [softmax, ...others] = graph.nodes.filter((one): one is Softmax => one.op === "softmax");
        expect(others).to.deep.equal([]);
        const lower = Array.from({ length: 2 * CONTEXT * CONTEXT }, (_, i) => +(i % CONTEXT <= Math.floor(i / CONTEXT) % CONTEXT)); // prettier-ignore
        expect(Array.from(softmax?.mask ?? [])).to.deep.equal(lower);
        expectSmall(graph);
      });
    }

  it("a position is not changed by what comes behind it, and is by itself", async () => {
    for (const style of STYLES) {
      const graph = await agreeFile(fileOf(style, "dynamo"));
      const scores = (ids: Float64Array): Float64Array => evaluateFloat(graph, ids)[graph.outputs[0]?.ref ?? -1] as Float64Array; // prettier-ignore
      for (let at = 0; at < CONTEXT; at++) {
        const ids = tokens(at + 1);
        expectCausal(scores(ids), scores(ids.with(at, (ids[at] as number) === 9 ? 0 : (ids[at] as number) + 1)), at);
      }
    }
  });

  it("loses little to integers, and hides what comes behind from them, too", async () => {
    for (const style of STYLES) {
      const { graph, errors } = await quantizedFile(fileOf(style, "legacy"));
      errors.forEach((error) => expect(error, style).to.be.below(0.03));
      const scores = (ids: Float64Array): Float64Array => outputsOf(graph, evaluate(graph, ids));
      for (let at = 0; at < CONTEXT; at++) {
        const ids = tokens(at + 1);
        expectCausal(scores(ids), scores(ids.with(at, (ids[at] as number) === 9 ? 0 : (ids[at] as number) + 1)), at);
      }
    }
  });
});

/** Nothing is left of the masks' numbers. */
function expectSmall(graph: FloatGraph): void {
  for (const one of graph.nodes) {
    for (const list of [one.op === "affine" || one.op === "dense" ? one.bias : []]) {
      expect(Array.from(list).every((v) => Math.abs(v) < 100), one.name).to.equal(true); // prettier-ignore
    }
  }
}

describe("masks in front of a softmax", () => {
  const masked = (mask: readonly number[], between: readonly NodeInit[] = [], axis = -1): ModelSpec => ({
    nodes: [
      node("Add", ["x", "mask"], ["m"]),
      ...between,
      node("Softmax", [between.length > 0 ? "v" : "m"], ["s"], { axis }),
      node("Mul", ["s", "two"], ["y"]),
    ],
    initializers: [tensor("mask", [3, 4], mask), tensor("two", [], [2]), ints("shape", [1, 2, 6])],
    input: { dims: [1, 3, 4] },
  });
  const maskOf = (graph: FloatGraph): readonly number[] | undefined => {
    const found = graph.nodes.find((one): one is Softmax => one.op === "softmax")?.mask;
    return found && Array.from(found);
  };
  const hidden = [0, -Infinity, 1, -1e4, 0, 0, -1e9, 0.5, -3.4e38, 0, 0, 0];
  const seen = [1, 0, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1];

  it("hide what lies below -4096, wherever a view has moved it", async () => {
    expect(maskOf(await agree(masked(hidden)))).to.deep.equal(seen);
    const turned = [node("Transpose", ["m"], ["v"], { perm: [0, 2, 1] })];
    expect(maskOf(await agree(masked(hidden, turned)))).to.deep.equal([1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 1, 1]);
    expect(maskOf(await agree(masked(hidden, [node("Reshape", ["m", "shape"], ["v"])])))).to.deep.equal(seen);
    expect(maskOf(await agree(masked(hidden, [], 1)))).to.deep.equal([1, 1, 0, 0, 1, 1, 1, 0, 1, 0, 1, 1]);
    const near = [0, -4096, 1, -100, 0, 0, -4095, 0.5, 0, 0, 0, 0];
    expect(maskOf(await agree(masked(near)))).to.equal(undefined);
  });

  it("are sums like others where they hide a whole row, and refused if they are infinite", async () => {
    const row = (v: number): number[] => [v, v, v, v, 0, 0, 0, 0, 0, 0, 0, 0];
    expect(maskOf(await agree(masked(row(-5000)), undefined, 1e-3))).to.equal(undefined);
    await refused(masked(row(-Infinity)), "unsupported", "A mask of -Infinity is read in front of a Softmax only.");
  });
});

describe("Mod of constants", () => {
  const spec = (type: "int64" | "float32", fmod: 0 | 1): ModelSpec => ({
    nodes: [
      node("Mod", ["a", "b"], ["m"], fmod === 1 ? { fmod } : {}),
      node("Cast", ["m"], ["f"], { to: 1 }),
      node("Add", ["x", "f"], ["y"]),
    ],
    initializers: [
      tensor("a", [8], [7, -7, 7, -7, 6, -6, 0, 1], type),
      tensor("b", [8], [3, 3, -3, -3, 3, -3, 5, 9], type),
    ],
    input: { dims: [1, 8] },
  });

  it("has the divisor's sign, or with fmod the dividend's", async () => {
    for (const fmod of [0, 1] as const) await agree(spec("int64", fmod));
    await agree(spec("float32", 1));
  });

  it("refuses a divisor of 0, and values that depend on the input", async () => {
    const zero = spec("int64", 0);
    const initializers = [
      ...(zero.initializers ?? []).slice(0, 1),
      tensor("b", [8], [3, 3, 3, 0, 3, 3, 3, 3], "int64"),
    ];
    await refused({ ...zero, initializers }, "input", "it divides by 0");
    await refused({ nodes: [node("Mod", ["x", "b"], ["y"], { fmod: 1 })], initializers: [tensor("b", [4], [1, 2, 3, 4])] }, "unsupported", "its dividend (input 0) depends"); // prettier-ignore
  });
});

describe("functions of an embedding", () => {
  const dims = [1, 4];
  const values = (name: string, shape: readonly number[], seed: number) =>
    tensor(
      name,
      shape,
      noise(
        seed,
        shape.reduce((a, b) => a * b),
      ),
    );
  const initializers = [values("table", [5, 6], 1), values("positions", [1, 4, 6], 2), values("w", [6, 3], 3), values("scale", [6], 4)]; // prettier-ignore
  const gather = node("Gather", ["table", "x"], ["e"]);
  const add = node("Add", ["e", "positions"], ["p"]);
  const spec = (nodes: readonly NodeInit[]): ModelSpec => ({ nodes, initializers, input: { dims, type: "int64" } });
  const ids = [
    [0, 1, 2, 3],
    [4, 4, 0, 2],
  ];
  const counts = (graph: FloatGraph, ...ops: readonly string[]): number =>
    graph.nodes.filter(({ op }) => ops.includes(op)).length;

  it("are one table of it, the same in all places or one for each", async () => {
    const rest = (from: string): NodeInit[] => [
      node("LayerNormalization", [from, "scale"], ["n"], { axis: -1 }),
      node("Tanh", ["n"], ["t"]),
      node("Mul", ["t", from], ["m"]),
      node("MatMul", ["m", "w"], ["y"]),
    ];
    for (const nodes of [
      [gather, ...rest("e")],
      [gather, add, ...rest("p")],
    ]) {
      const graph = await agree(spec(nodes), ids);
      expect(counts(graph, "normalize", "unary", "mul")).to.equal(0);
      expect(counts(graph, "dense")).to.equal(1);
    }
  });

  it("end where places meet: what mixes them is computed", async () => {
    const nodes = [gather, add, node("Tanh", ["p"], ["t"]), node("Transpose", ["t"], ["z"], { perm: [0, 2, 1] }), node("Softmax", ["z"], ["q"], { axis: -1 }), node("Relu", ["q"], ["y"])]; // prettier-ignore
    const graph = await agree(spec(nodes), ids);
    expect(counts(graph, "unary")).to.equal(0);
    expect(counts(graph, "softmax")).to.equal(1);
  });

  it("stay where two indices meet, and where nothing but constants is added", async () => {
    const other = node("Gather", ["table", "x2"], ["f"]);
    const both = [gather, other, node("Mul", ["e", "f"], ["m"]), node("Tanh", ["m"], ["y"])];
    const two = { ...spec(both), moreInputs: [{ name: "x2", dims, type: "int64" }] } as const;
    const graph = await agree(two, [[0, 1, 2, 3, 3, 2, 1, 4]]);
    expect(counts(graph, "mul", "unary")).to.equal(2);
    const plain = await agree(spec([gather, node("Add", ["e", "positions"], ["y"])]), ids);
    expect(plain.nodes.some(({ name }) => name.includes("/table"))).to.equal(false);
  });

  it("are left alone where the table would be too large", async () => {
    const table = values("table", [3000, 32], 1);
    const nodes = [gather, node("Tanh", ["e"], ["y"])];
    const graph = await agree({ nodes, initializers: [table], input: { dims: [1, 8], type: "int64" } }, [[0, 1, 2999, 3, 4, 5, 6, 7]]); // prettier-ignore
    expect(counts(graph, "unary")).to.equal(1);
  });
});

describe("the example tiny-transformer", function () {
  this.timeout(120_000);
  const folder = "models/tiny-transformer";

  it("is as accurate as its card says, loses nothing to integers, and each token has the highest score", async () => {
    const float = await readModel(`${folder}/model.onnx`);
    const slots = floatInputs(float);
    const { graph } = quantizeModel(float, (await readDataset(`${folder}/calibration.npz`, slots)).samples);
    const { samples, labels } = await readDataset(`${folder}/test.npz`, slots);
    const { inputs, outputs } = bordersOf(graph);
    expect(outputs.map(({ name }) => name)).to.deep.equal(["token", "scores"]);
    let right = 0;
    samples.forEach((sample, i) => {
      const reals = toReals(outputs, outputsOf(graph, evaluate(graph, toIntegers(inputs, sample))));
      const [token, scores] = splitFlat(outputs, reals) as [Float64Array, Float64Array];
      expect(scores[token[0] as number]).to.equal(Math.max(...scores));
      if (token[0] === labels?.[i]) right++;
    });
    const card = JSON.parse(fs.readFileSync(`${folder}/model.json`, "utf8")) as { accuracy: { float: number; heldOut: number } }; // prettier-ignore
    expect(samples.length).to.equal(card.accuracy.heldOut);
    expect(right / samples.length).to.be.at.least(card.accuracy.float - 0.005);
  });

  it("tells the letters of a word in order, token by token", async () => {
    const float = await readModel(`${folder}/model.onnx`);
    const { graph } = quantizeModel(
      float,
      (await readDataset(`${folder}/calibration.npz`, floatInputs(float))).samples,
    );
    const vocabulary = JSON.parse(fs.readFileSync(`${folder}/vocabulary.json`, "utf8")) as string[];
    const { inputs, outputs } = bordersOf(graph);
    for (const [word, answer] of [
      ["glassbox", "abglosx."],
      ["z", "z."],
      ["aaaa", "a."],
      ["b?a", "ab."],
    ]) {
      const ids = [...`${word}=`].map((c) => vocabulary.indexOf(c));
      let told = "";
      while (!told.endsWith(".") && told.length < 16) {
        const context = [...new Array<number>(16).fill(0), ...ids].slice(-16);
        const reals = toReals(
          outputs,
          outputsOf(graph, evaluate(graph, toIntegers(inputs, Float64Array.from(context)))),
        );
        ids.push(reals[0] as number);
        told += vocabulary[reals[0] as number];
      }
      expect(told).to.equal(answer);
    }
  });
});
