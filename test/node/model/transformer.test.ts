// Decoder-only transformers as PyTorch exports them: causal attention in six ways by two exporters, against onnxruntime;
// masks that hide exactly; and the example.
import { expect } from "chai";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import type { FloatGraph, FloatNode } from "../../../node/model/graph.ts";
import { type ModelSpec, node, tensor } from "../../support/onnx.ts";
import { agree, agreeFile, refused } from "../../support/onnxAgree.ts";

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
});

/** Nothing is left of the masks' numbers. */
function expectSmall(graph: FloatGraph): void {
  for (const one of graph.nodes) {
    for (const list of [one.op === "affine" || one.op === "dense" ? one.bias : []]) {
      expect(Array.from(list).every((v) => Math.abs(v) < 100), one.name).to.equal(true); // prettier-ignore
    }
  }
}

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
