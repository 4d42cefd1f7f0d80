// The rewrites of the integer graph: not one output bit may change, and each must happen where it should.
import { expect } from "chai";
import { evaluate } from "../../../node/model/evaluate.ts";
import type { Graph, Node, RescaleNode } from "../../../node/model/ir.ts";
import { optimize } from "../../../node/model/optimize.ts";
import { printGraph } from "../../../node/model/print.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { integer, randomGraph, randomInput } from "./random-graph.ts";

const SEED = 99;
const SHAPE = [1, 2, 4, 4];

function graphOf(nodes: readonly Node[], ref = nodes.length - 1): Graph {
  const border = { name: "y", shape: nodes[ref]!.shape, type: { bits: 32, signed: true } as const, exponent: 0 };
  return { nodes, input: 0, output: { ref, border } };
}

const input: Node = {
  op: "input", name: "x", shape: SHAPE,
  border: { name: "x", shape: SHAPE, type: { bits: 8, signed: true }, exponent: 0 },
}; // prettier-ignore

function rescale(x: number, overrides: Partial<RescaleNode> = {}): RescaleNode {
  return {
    op: "rescale", name: `r${x}`, x, shape: SHAPE, multiplier: [1], shift: [0], axis: 1, lo: -128, hi: 127, ...overrides,
  }; // prettier-ignore
}

function pool(x: number, kernel: number, stride: number, size: number): Node {
  return {
    op: "maxpool", name: "pool", x, shape: [1, 2, size, size], kernel: [kernel, kernel], strides: [stride, stride],
    pads: [0, 0, 0, 0], dilations: [1, 1],
  }; // prettier-ignore
}

const opsOf = (graph: Graph): string[] => graph.nodes.map(({ op }) => op);

describe("optimization of the integer graph", () => {
  it(`changes no output bit of random graphs, and shrinks many (seed ${SEED})`, () => {
    const random = mulberry32(SEED);
    let shrunk = 0;
    for (let k = 0; k < 300; k++) {
      const graph = randomGraph(random, { type: { bits: 8, signed: true }, steps: integer(random, 2, 9) });
      const { graph: better, origin } = optimize(graph);
      if (better.nodes.length < graph.nodes.length) shrunk++;
      expect(better.nodes.length).to.be.at.most(graph.nodes.length);
      expect(origin).to.have.lengthOf(better.nodes.length);
      for (let j = 0; j < 4; j++) {
        const x = randomInput(random, graph);
        expect(evaluate(better, x)[better.output.ref], printGraph(graph)).to.deep.equal(
          evaluate(graph, x)[graph.output.ref],
        );
      }
    }
    expect(shrunk).to.be.above(50);
  });

  it("pools first where that is cheaper, channel by channel scales and all, and says whose scale the pool has now", () => {
    const shifts = rescale(0, { multiplier: [1, 3], shift: [2, 4], lo: 0, hi: 20 });
    const { graph, origin } = optimize(graphOf([input, shifts, pool(1, 2, 2, 2)]));
    expect(graph.nodes.map(({ op, name }) => [op, name])).to.deep.equal([
      ["input", "x"],
      ["maxpool", "pool"],
      ["rescale", "r0"],
    ]);
    expect(origin).to.deep.equal([0, 0, 2]);
    expect(graph.nodes[2]!.shape).to.deep.equal([1, 2, 2, 2]);
  });

  it("does not pool first where windows overlap, where another reader needs the rescaled tensor, or across channels", () => {
    const kept = (nodes: readonly Node[]): void => {
      expect(opsOf(optimize(graphOf(nodes)).graph)).to.deep.equal(nodes.map(({ op }) => op));
    };
    kept([input, rescale(0, { shift: [3], lo: 0, hi: 3 }), pool(1, 3, 1, 2)]);
    const both: Node = { op: "concat", name: "both", xs: [1, 1], axis: 1, shape: [1, 4, 4, 4] };
    const flat: Node = { op: "reshape", name: "flat", x: 2, shape: [1, 8] };
    const wide: Node = { op: "reshape", name: "wide", x: 3, shape: [1, 64] };
    const all: Node = { op: "concat", name: "all", xs: [4, 5], axis: 1, shape: [1, 72] };
    kept([input, rescale(0, { shift: [3] }), pool(1, 2, 2, 2), both, flat, wide, all]);
    kept([input, rescale(0, { axis: 2, multiplier: [1, 1, 1, 1], shift: [1, 2, 3, 4] }), pool(1, 2, 2, 2)]);
  });

  it("merges a clamp into the rescale below it, and only a clamp", () => {
    const merged = optimize(
      graphOf([input, rescale(0, { shift: [1], lo: -50, hi: 60 }), rescale(1, { lo: 0, hi: 40 })]),
    ).graph;
    expect(merged.nodes).to.have.lengthOf(2);
    expect(merged.nodes[1]).to.deep.include({ shift: [1], lo: 0, hi: 40 });
    const apart = optimize(
      graphOf([input, rescale(0, { shift: [1], lo: -50, hi: 60 }), rescale(1, { lo: 70, hi: 80 })]),
    ).graph;
    expect(apart.nodes[1]).to.deep.include({ lo: 70, hi: 70 });
    const twice = graphOf([input, rescale(0, { shift: [1] }), rescale(1, { shift: [1] })]);
    expect(optimize(twice).graph.nodes).to.have.lengthOf(3);
  });

  it("drops what does nothing: idle clamps, reshapes, transposes, dead ends; never the input", () => {
    const idle = graphOf([
      input,
      rescale(0),
      { op: "reshape", name: "same", x: 1, shape: SHAPE },
      { op: "transpose", name: "still", x: 2, perm: [0, 1, 2, 3], shape: SHAPE },
      rescale(3, { shift: [2] }),
      rescale(3, { shift: [3], name: "dead" }),
    ], 4); // prettier-ignore
    expect(opsOf(optimize(idle).graph)).to.deep.equal(["input", "rescale"]);
    const nothing = graphOf([input, rescale(0)]);
    expect(opsOf(optimize(nothing).graph)).to.deep.equal(["input"]);
    const clamps = graphOf([input, rescale(0, { hi: 126 })]);
    expect(opsOf(optimize(clamps).graph)).to.deep.equal(["input", "rescale"]);
  });
});

describe("the printed graph", () => {
  it("is one line per node, the same for the same graph, and another for another weight", () => {
    const dense = (weight: number): Graph =>
      graphOf([
        input,
        { op: "reshape", name: "flat", x: 0, shape: [1, 32] },
        { op: "dense", name: "d", x: 1, shape: [1, 1], weights: new Int32Array(32).fill(2).fill(weight, 0, 1), bias: Float64Array.of(-3) },
        { op: "rescale", name: "r", x: 2, shape: [1, 1], multiplier: [1], shift: [4], axis: 0, lo: 0, hi: 255 },
      ]); // prettier-ignore
    const text = printGraph(dense(1));
    expect(text.replace(/#[0-9a-f]{8}/, "#").split("\n")).to.deep.equal([
      '%0 = input() [1x2x4x4] "x"  int8 * 2^0 "x"',
      '%1 = reshape(%0) [1x32] "flat"',
      '%2 = dense(%1) [1x1] "d"  weights [32: 1..2 #] bias -3',
      '%3 = rescale(%2) [1x1] "r"  * 1 >> 4 clamp 0..255',
      'output %3  int32 * 2^0 "y"',
      "",
    ]);
    expect(printGraph(dense(1))).to.equal(text);
    expect(printGraph(dense(2))).not.to.equal(text);
  });
});
