// Normalizations that come in pieces are recognized, and only those; nets that rearrange, as PyTorch exports them.
import { expect } from "chai";
import { type ModelSpec, node, noise, tensor } from "../../support/onnx.ts";
import { agree, agreeFile, opsOf, quantizedRun } from "../../support/onnxAgree.ts";

const STYLES = ["layer", "group", "instance", "rms", "llama", "divided", "by-hand", "channels"] as const;
const fileOf = (name: string, exporter: string): string => `test/vectors/onnx/${name}-${exporter}.onnx`;

describe("normalizations as PyTorch exports them", () => {
  for (const style of STYLES) {
    for (const exporter of style === "rms" ? ["dynamo"] : ["legacy", "dynamo"]) {
      it(`${style}, by the ${exporter} exporter, is one normalize node`, async () => {
        const ops = opsOf(await agreeFile(fileOf(`norm-${style}`, exporter)));
        const views = new Set(["input", "reshape", "take", "transpose", "affine"]);
        expect(ops.filter((op) => !views.has(op))).to.deep.equal(["normalize"]);
      });
    }
  }
});

describe("nets that rearrange, as PyTorch exports them", () => {
  for (const exporter of ["legacy", "dynamo"]) {
    it(`a decoder with every kind of padding and enlargement, by the ${exporter} exporter`, async () => {
      await agreeFile(fileOf("decoder", exporter));
    });
    it(`an embedding, running sums, an equation, extremes, by the ${exporter} exporter`, async () => {
      await agreeFile(fileOf("chooser", exporter), 7);
    });
  }
});

/** A normalization of rows in pieces, each of which a test may change. */
interface Pieces {
  readonly axis?: number;
  readonly innerAxis?: number;
  readonly epsilon?: number;
  readonly square?: ReturnType<typeof node>;
  readonly distance?: ReturnType<typeof node>;
  readonly end?: readonly ReturnType<typeof node>[];
}

const pieces = (change: Pieces = {}): ModelSpec => {
  const { axis = -1, innerAxis = axis, epsilon = 1e-5 } = change;
  const nodes = [
    node("ReduceMean", ["x"], ["m"], { axes: [axis] }),
    change.distance ?? node("Sub", ["x", "m"], ["d"]),
    change.square ?? node("Mul", ["d", "d"], ["s"]),
    node("ReduceMean", ["s"], ["v"], { axes: [innerAxis] }),
    node("Add", ["v", "e"], ["w"]),
    node("Sqrt", ["w"], ["r"]),
    ...(change.end ?? [node("Div", ["d", "r"], ["y"])]),
  ];
  const initializers = [tensor("e", [], [epsilon]), tensor("two", [], [2]), tensor("half", [], [0.5]), tensor("minus", [], [-0.5])]; // prettier-ignore
  return { nodes, initializers, input: { dims: [1, 3, 4, 4] }, opset: 13 };
};
const isOne = async (spec: ModelSpec): Promise<boolean> => opsOf(await agree(spec)).includes("normalize");

describe("normalizations in pieces", () => {
  it("are recognized whatever axis they run over, and whoever spelled the square, the root and the quotient", async () => {
    const inverse = node("Reciprocal", ["r"], ["i"]);
    for (const change of [
      {},
      { axis: 1 },
      { axis: 2 },
      { square: node("Pow", ["d", "two"], ["s"]) },
      { distance: node("Sub", ["x", "m"], ["d"]), end: [inverse, node("Mul", ["i", "d"], ["y"])] },
      { end: [node("Sub", ["x", "m"], ["again"]), inverse, node("Mul", ["again", "i"], ["y"])] },
      { axis: 1, end: [inverse, node("Mul", ["d", "i"], ["y"])] },
      { epsilon: 0.5 },
    ] satisfies Pieces[]) {
      expect(await isOne(pieces(change)), JSON.stringify(change)).to.equal(true);
    }
    const plain = (name: string, end: ReturnType<typeof node>): ModelSpec => ({
      nodes: [node("Mul", ["x", "x"], ["s"]), node("ReduceMean", ["s"], ["v"], { axes: [-1] }), node("Add", ["v", "e"], ["w"]), node(name, name === "Pow" ? ["w", "minus"] : ["w"], ["r"]), end],
      initializers: [tensor("e", [], [0.01]), tensor("minus", [], [-0.5])],
      input: { dims: [2, 3, 5] },
      opset: 13,
    }); // prettier-ignore
    expect(await isOne(plain("Sqrt", node("Div", ["x", "r"], ["y"])))).to.equal(true);
    expect(await isOne(plain("Pow", node("Mul", ["x", "r"], ["y"])))).to.equal(true);
  });

  it("over several axes at once, and over a whole plane", async () => {
    for (const axes of [
      [2, 3],
      [1, 2, 3],
      [1, 3],
    ]) {
      const spec = pieces();
      const nodes = spec.nodes.map((one) => (one.opType === "ReduceMean" ? node("ReduceMean", one.input as string[], one.output as string[], { axes }) : one)); // prettier-ignore
      expect(await isOne({ ...spec, nodes })).to.equal(true);
    }
  });

  it("of something else than x less its mean are normalizations without a mean", async () => {
    for (const change of [
      { innerAxis: 2 },
      { distance: node("Add", ["x", "m"], ["d"]) },
      { distance: node("Sub", ["m", "x"], ["d"]) },
    ] satisfies Pieces[]) {
      const graph = await agree(pieces(change));
      const found = graph.nodes.filter((one) => one.op === "normalize");
      expect(found.map(({ centered }) => centered)).to.deep.equal([false]);
    }
  });

  it("are left as they are where a piece is another one", async () => {
    for (const change of [
      { square: node("Mul", ["d", "x"], ["s"]) },
      { end: [node("Div", ["x", "r"], ["y"])] },
      { end: [node("Mul", ["d", "r"], ["y"])] },
      { end: [node("Div", ["r", "d"], ["y"])] },
    ] satisfies Pieces[]) {
      const safe = pieces(change);
      // Roots of negative numbers are no test of anything: the input is kept positive, and far from 0.
      const input = [1, 2].map((seed) => noise(seed, 48).map((v) => Math.fround(v + 3)));
      expect(opsOf(await agree(safe, input, 1e-3)), JSON.stringify(change)).not.to.include("normalize");
    }
  });

  it("quantize to what the float model yields, within half a percent", async () => {
    const samples = Array.from({ length: 20 }, (_, i) => Float64Array.from(noise(i + 1, 48)));
    for (const axis of [-1, 1]) {
      const { errors } = await quantizedRun(pieces({ axis }), samples);
      expect(errors[0]).to.be.below(5e-3);
    }
  });
});
