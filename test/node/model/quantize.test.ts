// The quantizer: each float op, alone and in the company that makes it hard, stays near the float model; what it emits stays
// within the types it declares. Exactness of the integer graph itself is evaluate.test.ts' and emit.test.ts' matter.
import { expect } from "chai";
import { NodeError } from "../../../node/core/errors.ts";
import { sizeOf, typeRange } from "../../../node/core/tensor.ts";
import type { IntType, Shape } from "../../../node/core/tensor.ts";
import { toIntegers, toReals } from "../../../node/model/border.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import type { QuantizeOptions, QuantizedModel } from "../../../node/model/compile.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import type { FloatGraph, FloatNode } from "../../../node/model/graph.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import type { NodeOf, Op } from "../../../node/model/ir.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { rangesOf } from "../../../node/model/range.ts";
import { openRunner } from "../../../node/model/run.ts";

const SEED = 7;
const I16: IntType = { bits: 16, signed: true };

/** Reals around 0, about normal. */
function reals(random: () => number, count: number, size = 1): Float64Array {
  return Float64Array.from({ length: count }, () => size * (random() + random() + random() - 1.5));
}

type NewNode = FloatNode extends infer N ? (N extends FloatNode ? Omit<N, "name"> : never) : never;

/** A float graph from nodes in order; the last is the output. */
function floatGraph(shape: Shape, ...nodes: readonly NewNode[]): FloatGraph {
  const input: FloatNode = { op: "input", name: "x", shape, elemType: "float32" };
  const named = nodes.map((node, k) => ({ ...node, name: `${k + 1}.${node.op}` }));
  return { nodes: [input, ...named], outputs: [{ ref: nodes.length, name: "y" }], notices: [] };
}

function samplesOf(shape: Shape, count: number, seed = SEED): Float64Array[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => reals(random, sizeOf(shape)));
}

function conv(random: () => number, x: number, from: Shape, channels: number, group = 1): NewNode {
  const [, c, h, w] = from as [number, number, number, number];
  const weightShape = [channels, c / group, 3, 3] as const;
  return {
    op: "conv", x, shape: [1, channels, h, w], weightShape, weights: reals(random, sizeOf(weightShape), 0.5),
    bias: reals(random, channels), strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group,
  }; // prettier-ignore
}

function dense(random: () => number, x: number, inner: number, columns: number, lead: Shape = [1]): NewNode {
  const weights = reals(random, inner * columns, 0.5);
  return { op: "dense", x, shape: [...lead, columns], weights, bias: reals(random, columns) };
}

const relu = (x: number, shape: Shape): NewNode => ({ op: "clip", x, shape, lo: 0, hi: Infinity });

interface Outcome extends QuantizedModel {
  /** Root of the mean square error over that of the outputs, on samples that the quantizer has not seen. */
  readonly loss: number;
}

/** Quantizes, checks what must hold of every result, and measures. */
function quantized(float: FloatGraph, options: QuantizeOptions = {}): Outcome {
  const { shape } = float.nodes[0]!;
  const model = quantizeModel(float, samplesOf(shape, 60), { inputs: { x: { type: I16, exponent: -12 } }, ...options });
  const { graph } = model;
  const output = graph.outputs[0]!;
  const bounds = rangesOf(graph)[output.ref]!;
  const { lo, hi } = typeRange(output.border.type);
  expect(bounds.lo.every((v) => v >= lo) && bounds.hi.every((v) => v <= hi), "the output fits its type").to.equal(true);
  expect(graph.nodes.map(({ name }) => name)).to.have.lengthOf(new Set(graph.nodes.map(({ name }) => name)).size);
  const { inputs, outputs } = bordersOf(graph);
  let [wrong, whole] = [0, 0];
  for (const sample of samplesOf(shape, 40, SEED + 1)) {
    const expected = evaluateFloat(float, sample)[float.outputs[0]!.ref]!;
    const got = toReals(outputs, outputsOf(graph, evaluate(graph, toIntegers(inputs, sample))));
    expect(got.length).to.equal(expected.length);
    expected.forEach((value, i) => {
      wrong += (value - got[i]!) ** 2;
      whole += value ** 2;
    });
  }
  return { ...model, loss: Math.sqrt(wrong / whole) };
}

function opsOf({ graph }: Pick<QuantizedModel, "graph">): Op[] {
  return graph.nodes.map(({ op }) => op);
}

const R = mulberry32(SEED);
const IMAGE = [1, 2, 6, 6];

describe("the quantizer", () => {
  const cases: Record<string, { float: FloatGraph; loss: number }> = {
    "a dense layer": { float: floatGraph([1, 8], dense(R, 0, 8, 5)), loss: 0.01 },
    "dense, Relu, dense": {
      float: floatGraph([1, 8], dense(R, 0, 8, 16), relu(1, [1, 16]), dense(R, 2, 16, 4)),
      loss: 0.02,
    },
    "two dense layers with nothing between": {
      float: floatGraph([1, 8], dense(R, 0, 8, 16), dense(R, 1, 16, 4)),
      loss: 0.02,
    },
    "dense over three axes, transposed": {
      float: floatGraph(
        [1, 3, 8],
        dense(R, 0, 8, 6, [1, 3]),
        { op: "transpose", x: 1, perm: [0, 2, 1], shape: [1, 6, 3] },
        relu(2, [1, 6, 3]),
        { op: "reshape", x: 3, shape: [1, 18] },
        dense(R, 4, 18, 3),
      ),
      loss: 0.02,
    },
    "a grouped convolution, flattened": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 4, 2), { op: "reshape", x: 1, shape: [1, 144] }, relu(2, [1, 144]), dense(R, 3, 144, 4)),
      loss: 0.02,
    },
    "a residual block": {
      float: floatGraph(
        IMAGE, conv(R, 0, IMAGE, 2), relu(1, IMAGE), conv(R, 2, IMAGE, 2),
        { op: "sum", xs: [3, 2], factors: [1, 1], shape: IMAGE }, relu(4, IMAGE), conv(R, 5, IMAGE, 2),
      ),
      loss: 0.03,
    },
    "a sum whose factors are no powers of two": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 2), { op: "sum", xs: [1, 0, 1], factors: [0.3, -1.7, 0.01], shape: IMAGE }),
      loss: 0.02,
    },
    "branches concatenated along channels and along rows": {
      float: floatGraph(
        IMAGE, conv(R, 0, IMAGE, 2), relu(1, IMAGE),
        { op: "concat", xs: [2, 0, 1], axis: 1, shape: [1, 6, 6, 6] },
        { op: "concat", xs: [3, 3], axis: 2, shape: [1, 6, 12, 6] },
        conv(R, 4, [1, 6, 12, 6], 2),
      ),
      loss: 0.02,
    },
    "concatenation of a wide and a narrow tensor along rows": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 2), { op: "concat", xs: [1, 0], axis: 2, shape: [1, 2, 12, 6] }),
      loss: 0.01,
    },
    "average pooling behind a Relu": {
      float: floatGraph(
        IMAGE, conv(R, 0, IMAGE, 2), relu(1, IMAGE),
        { op: "conv", x: 2, shape: [1, 2, 2, 2], weightShape: [2, 1, 3, 3], weights: new Float64Array(18).fill(1 / 9),
          bias: new Float64Array(2), strides: [3, 3], pads: [0, 0, 0, 0], dilations: [1, 1], group: 2 },
        { op: "reshape", x: 3, shape: [1, 8] }, dense(R, 4, 8, 3),
      ),
      loss: 0.02,
    },
    "average pooling of accumulators, then a Clip": {
      float: floatGraph(
        IMAGE, conv(R, 0, IMAGE, 2),
        { op: "conv", x: 1, shape: [1, 2, 2, 2], weightShape: [2, 1, 3, 3], weights: new Float64Array(18).fill(1 / 9),
          bias: new Float64Array(2), strides: [3, 3], pads: [0, 0, 0, 0], dilations: [1, 1], group: 2 },
        { op: "clip", x: 2, shape: [1, 2, 2, 2], lo: -0.5, hi: 0.75 },
        { op: "reshape", x: 3, shape: [1, 8] }, dense(R, 4, 8, 3),
      ),
      loss: 0.02,
    },
    "average pooling as the output": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 2), { op: "conv", x: 1, shape: [1, 2, 2, 2], weightShape: [2, 1, 3, 3], weights: new Float64Array(18).fill(1 / 9), bias: new Float64Array(2), strides: [3, 3], pads: [0, 0, 0, 0], dilations: [1, 1], group: 2 }),
      loss: 0.01,
    },
    "max pooling before and behind a Relu": {
      float: floatGraph(
        IMAGE, conv(R, 0, IMAGE, 2),
        { op: "maxpool", x: 1, shape: [1, 2, 6, 6], kernel: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1] },
        relu(2, IMAGE),
        { op: "maxpool", x: 3, shape: [1, 2, 3, 3], kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1] },
        conv(R, 4, [1, 2, 3, 3], 3),
      ),
      loss: 0.02,
    },
    "ReLU6 as the output": {
      float: floatGraph([1, 8], dense(R, 0, 8, 16), { op: "clip", x: 1, shape: [1, 16], lo: 0, hi: 1.5 }),
      loss: 0.01,
    },
    "Relu, wiring, output": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 3), relu(1, [1, 3, 6, 6]), { op: "transpose", x: 2, perm: [0, 2, 3, 1], shape: [1, 6, 6, 3] }, { op: "reshape", x: 3, shape: [1, 108] }),
      loss: 0.01,
    },
    "a Clip that holds values away from 0": {
      float: floatGraph([1, 8], dense(R, 0, 8, 16), { op: "clip", x: 1, shape: [1, 16], lo: 0.25, hi: 2 }, dense(R, 2, 16, 2)),
      loss: 0.02,
    },
    "padding with a value": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 2), relu(1, IMAGE), { op: "pad", x: 2, pads: [0, 0, 1, 0, 0, 1, 0, 2], value: 0.5, shape: [1, 3, 7, 8] }, conv(R, 3, [1, 3, 7, 8], 2)),
      loss: 0.02,
    },
    "one factor and bias for the whole tensor": {
      float: floatGraph(IMAGE, { op: "affine", x: 0, shape: IMAGE, factor: Float64Array.of(-1 / 3), bias: Float64Array.of(0.4) }, conv(R, 1, IMAGE, 2)),
      loss: 0.01,
    },
    "a factor per channel on accumulators": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 2), { op: "affine", x: 1, shape: IMAGE, factor: Float64Array.from({ length: 72 }, (_, i) => (i < 36 ? 0.37 : -2.1)), bias: reals(R, 72) }, relu(2, IMAGE), conv(R, 3, IMAGE, 2)),
      loss: 0.02,
    },
    "a factor per element, some of them 0": {
      float: floatGraph(IMAGE, conv(R, 0, IMAGE, 2), { op: "affine", x: 1, shape: IMAGE, factor: reals(R, 72).fill(0, 0, 5), bias: reals(R, 72) }, relu(2, IMAGE)),
      loss: 0.01,
    },
  }; // prettier-ignore
  for (const slope of [0, 0.01, 0.25, 2, -0.5]) {
    cases[`a leaky Relu of slope ${slope}`] = {
      float: floatGraph([1, 8], dense(R, 0, 8, 16), { op: "leaky", x: 1, shape: [1, 16], slope }, dense(R, 2, 16, 4)),
      loss: 0.02,
    };
  }
  for (const [name, { float, loss }] of Object.entries(cases)) {
    it(`keeps ${name} within ${loss * 100} % of the float model, and onnxruntime agrees`, async () => {
      const outcome = quantized(float);
      expect(outcome.loss).to.be.below(loss);
      const runner = await openRunner(outcome.onnx, outcome.graph);
      const { border } = outcome.graph.nodes[0] as NodeOf<"input">;
      for (const sample of samplesOf(border.shape, 5, SEED + 2)) {
        const input = toIntegers([border], sample);
        expect(await runner.run(input)).to.deep.equal(evaluate(outcome.graph, input).map((t) => t.map((v) => v + 0)));
      }
      await runner.close();
    });
  }

  it("yields the class index of a model that ends in ArgMax, in the narrowest unsigned type", () => {
    const head = (classes: number): FloatGraph =>
      floatGraph(
        [1, 8],
        dense(R, 0, 8, classes),
        { op: "argmax", x: 1, axis: 1, shape: [1, 1] },
        { op: "reshape", x: 2, shape: [1] },
      );
    const { graph, loss } = quantized(head(12));
    expect(graph.outputs[0]!.border).to.deep.equal({
      name: "y",
      shape: [1],
      type: { bits: 8, signed: false },
      exponent: 0,
    });
    expect(loss).to.be.below(0.2);
    expect(quantized(head(256)).graph.outputs[0]!.border.type.bits).to.equal(8);
    expect(quantized(head(257)).graph.outputs[0]!.border.type.bits).to.equal(16);
    const declared = { outputs: { y: { type: { bits: 8, signed: false } as const } } };
    expect(() => quantized(head(257), declared)).to.throw(NodeError, "do not fit");
  });

  it("pays no rescale where a scalar factor, an average or a power of two can go into the scale", () => {
    const scaled = floatGraph(
      IMAGE,
      { op: "affine", x: 0, shape: IMAGE, factor: Float64Array.of(1 / 255), bias: Float64Array.of(0) },
      conv(R, 1, IMAGE, 2),
    );
    expect(opsOf(quantized(scaled))).to.deep.equal(["input", "conv", "rescale"]);
  });

  it("pools accumulators before it rescales them where windows do not overlap, and not where it would cost more", () => {
    const pooled = (kernel: number, stride: number, size: number, pad: number): FloatGraph =>
      floatGraph(IMAGE, conv(R, 0, IMAGE, 2), relu(1, IMAGE), { op: "maxpool", x: 2, shape: [1, 2, size, size], kernel: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad], dilations: [1, 1] }, conv(R, 3, [1, 2, size, size], 2)); // prettier-ignore
    expect(opsOf(quantized(pooled(2, 2, 3, 0))).slice(1, 4)).to.deep.equal(["conv", "maxpool", "rescale"]);
    expect(opsOf(quantized(pooled(3, 1, 6, 1))).slice(1, 4)).to.deep.equal(["conv", "rescale", "maxpool"]);
  });

  it("scales features of very different sizes one by one behind an int32 input", () => {
    const sizes = [4000, 20, 0.1, 0.002];
    const random = mulberry32(3);
    const samples = Array.from({ length: 100 }, () => Float64Array.from(sizes, (size) => size * (1 + random())));
    const float = floatGraph(
      [1, 4],
      { op: "affine", x: 0, shape: [1, 4], factor: Float64Array.from(sizes, (s) => 3.7 / s), bias: new Float64Array(4).fill(-5.5) },
      dense(random, 1, 4, 8), relu(2, [1, 8]), dense(random, 3, 8, 2),
    ); // prettier-ignore
    const { graph, notices, layers } = quantizeModel(float, samples);
    const { border } = graph.nodes[0] as NodeOf<"input">;
    expect(border.type).to.deep.equal({ bits: 32, signed: true });
    expect(border.exponent).to.equal(-17);
    const narrowed = graph.nodes.find((node) => node.op === "rescale")!;
    expect(
      narrowed.multiplier.every((m) => m === 1),
      "by shifts alone",
    ).to.equal(true);
    expect(new Set(narrowed.shift).size).to.be.above(2);
    let worst = 0;
    for (const sample of samples) {
      const expected = evaluateFloat(float, sample)[float.outputs[0]!.ref]!;
      const got = toReals(bordersOf(graph).outputs, outputsOf(graph, evaluate(graph, toIntegers([border], sample))));
      expected.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - got[i]!))));
    }
    expect(worst).to.be.below(0.1);
    expect(notices).to.deep.equal([]);
    expect(layers.every(({ clipped }) => (clipped ?? 0) === 0)).to.equal(true);
  });

  it("reports what its clamps cut off: nothing on bounded data, something where an outlier is not worth its bits", () => {
    const once: NewNode = {
      op: "dense",
      x: 0,
      shape: [1, 1],
      weights: Float64Array.of(0.75),
      bias: Float64Array.of(0),
    };
    const float = floatGraph([1, 1], once, relu(1, [1, 1]), { ...once, x: 2 });
    const even = Array.from({ length: 1000 }, (_, i) => Float64Array.of(i / 1000));
    const inputs = { x: { type: I16, exponent: -8 } };
    const clippedOf = (samples: Float64Array[]): number | undefined =>
      quantizeModel(float, samples, { inputs, widths: { activations: 4 } }).layers.find(({ op }) => op === "rescale")!
        .clipped;
    expect(clippedOf(even)).to.equal(0);
    expect(clippedOf([...even, Float64Array.of(4)])).to.be.within(1e-4, 0.01);
  });

  it("says so when a declared output type may saturate, and lets none overflow", () => {
    const float = floatGraph([1, 8], dense(R, 0, 8, 5));
    const { notices, graph } = quantized(float, { outputs: { y: { type: { bits: 8, signed: true }, exponent: -6 } } });
    expect(notices.join()).to.include("may saturate");
    expect(graph.outputs[0]!.border).to.deep.include({ type: { bits: 8, signed: true }, exponent: -6 });
    const unsigned = quantized(float, { outputs: { y: { type: { bits: 16, signed: false }, exponent: -6 } } });
    expect(unsigned.notices.join(), "below 0").to.include("may saturate");
    expect(quantized(float).notices).to.deep.equal([]);
  });

  it("takes the widths it is given: fewer bits, fewer constraints, more loss", () => {
    const float = floatGraph([1, 8], dense(R, 0, 8, 16), relu(1, [1, 16]), dense(R, 2, 16, 4));
    const [wide, usual, narrow] = [12, 8, 5].map((bits) =>
      quantized(float, { widths: { weights: bits, activations: bits } }),
    );
    expect(wide!.loss).to.be.below(usual!.loss);
    expect(usual!.loss).to.be.below(narrow!.loss);
    const bits = [wide!, usual!, narrow!].map(
      ({ layers }) => layers.find(({ op }) => op === "rescale")!.accumulatorBits!,
    );
    expect(bits[0]! > bits[1]! && bits[1]! > bits[2]!, bits.join()).to.equal(true);
  });

  it("refuses widths that are none", () => {
    const float = floatGraph([1, 2], dense(R, 0, 2, 2));
    for (const weights of [1, 17, 8.5])
      expect(() => quantized(float, { widths: { weights } })).to.throw(NodeError, "from 2 to 16");
    for (const weights of [2, 16]) quantized(float, { widths: { weights } });
  });

  it("refuses to calibrate on nothing, on samples of another size, and on what makes the model infinite", () => {
    const float = floatGraph([1, 2], dense(R, 0, 2, 2));
    expect(() => quantizeModel(float, [])).to.throw(NodeError, "no sample");
    expect(() => quantizeModel(float, [new Float64Array(3)])).to.throw(NodeError, "has 3 elements, not 2");
    expect(() => quantizeModel(float, [Float64Array.of(1e308, 1e308).map((v) => v * 10)])).to.throw(
      NodeError,
      "yield Infinity",
    );
  });

  it("makes the same bytes twice", () => {
    const { float } = cases["a residual block"]!;
    expect(Buffer.from(quantized(float).onnx).equals(quantized(float).onnx)).to.equal(true);
  });
});
