// The reference evaluator and the static ranges, against the ops' definitions in BigInt and against exhaustion.
import { expect } from "chai";
import { NodeError } from "../../../node/core/errors.ts";
import { evaluate } from "../../../node/model/evaluate.ts";
import type { Graph, Node, Op } from "../../../node/model/ir.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { rangesOf, reach } from "../../../node/model/range.ts";
import { naive } from "./naive.ts";
import { integer, randomGraph, randomInput } from "./random-graph.ts";

const SEED = 20240607;

function graphOf(...nodes: readonly Node[]): Graph {
  const last = nodes[nodes.length - 1]!;
  return {
    nodes,
    outputs: [
      {
        ref: nodes.length - 1,
        border: { name: "y", shape: last.shape, type: { bits: 32, signed: true }, exponent: 0 },
      },
    ],
  };
}

function inputNode(shape: readonly number[], bits: 8 | 16 | 32 = 8, signed = true): Node {
  return { op: "input", name: "x", shape, border: { name: "x", shape, type: { bits, signed }, exponent: 0 } };
}

describe("evaluation of the integer graph", () => {
  it(`equals the definitions in BigInt on random graphs of every op (seed ${SEED})`, () => {
    const random = mulberry32(SEED);
    const seen = new Map<Op, number>();
    for (let k = 0; k < 300; k++) {
      const signed = random() < 0.5;
      const graph = randomGraph(random, { type: { bits: 8, signed }, steps: integer(random, 2, 8) });
      const input = randomInput(random, graph);
      const [tensors, expected] = [evaluate(graph, input), naive(graph, input)];
      graph.nodes.forEach((node, ref) => {
        seen.set(node.op, (seen.get(node.op) ?? 0) + 1);
        expect(Array.from(tensors[ref]!, BigInt), `graph ${k}, ${node.name}`).to.deep.equal(expected[ref]);
      });
    }
    expect(
      [...seen.values()].every((count) => count >= 20),
      JSON.stringify([...seen]),
    ).to.equal(true);
    expect(seen.size).to.equal(23);
  });

  for (const ties of ["up", "even"] as const) {
    it(`rounds to the nearest, a tie ${ties === "up" ? "up" : "to the even one"}, and clamps, at every int8 input of every small shift`, () => {
      for (let shift = 0; shift <= 9; shift++) {
        for (const multiplier of [1, 3]) {
          const graph = graphOf(inputNode([1, 256]), {
            op: "rescale", x: 0, name: "r", shape: [1, 256], axis: 1, multiplier: [multiplier], shift: [shift], lo: -5, hi: 6, ties,
          }); // prettier-ignore
          const all = Float64Array.from({ length: 256 }, (_, i) => i - 128);
          const expected = naive(graph, all)[1]!.map(Number);
          expect(Array.from(evaluate(graph, all)[1]!)).to.deep.equal(expected);
          if (shift < 4) expect(expected).to.include.members([-5, 6]);
        }
      }
    });
  }

  it("refuses an input of another size", () => {
    expect(() => evaluate(graphOf(inputNode([1, 3])), new Float64Array(2))).to.throw(
      NodeError,
      "takes 3 input elements",
    );
  });
});

describe("static ranges", () => {
  it("are attained, both ends, by a layer whose inputs are exhausted, and never exceeded", () => {
    const random = mulberry32(SEED);
    for (let k = 0; k < 12; k++) {
      // Two int8 inputs: all 65,536 of them.
      const weights = Int32Array.from({ length: 6 }, () => integer(random, -9, 9));
      const bias = Float64Array.from({ length: 3 }, () => integer(random, -50, 50));
      const shift = [1, 2, 3];
      const graph = graphOf(
        inputNode([1, 2]),
        { op: "dense", x: 0, name: "d", shape: [1, 3], weights, bias },
        {
          op: "rescale",
          x: 1,
          name: "r",
          shape: [1, 3],
          axis: 1,
          multiplier: [1, 3, 1],
          shift,
          lo: -100,
          hi: 90,
          ties: "up",
        },
      );
      const bounds = rangesOf(graph);
      const least = bounds.map(({ lo }) => lo.map(() => Infinity));
      const most = bounds.map(({ hi }) => hi.map(() => -Infinity));
      for (let a = -128; a < 128; a++) {
        for (let b = -128; b < 128; b++) {
          evaluate(graph, Float64Array.of(a, b)).forEach((tensor, ref) =>
            tensor.forEach((value, i) => {
              if (value < least[ref]![i]!) least[ref]![i] = value;
              if (value > most[ref]![i]!) most[ref]![i] = value;
            }),
          );
        }
      }
      bounds.forEach(({ lo, hi }, ref) => {
        expect([...lo], graph.nodes[ref]!.name).to.deep.equal([...least[ref]!]);
        expect([...hi], graph.nodes[ref]!.name).to.deep.equal([...most[ref]!]);
      });
    }
  });

  it(`hold on random graphs, as do their widest partial sums (seed ${SEED})`, () => {
    const random = mulberry32(SEED);
    for (let k = 0; k < 150; k++) {
      const graph = randomGraph(random, { steps: 7 });
      const bounds = rangesOf(graph);
      for (let j = 0; j < 8; j++) {
        evaluate(graph, randomInput(random, graph)).forEach((tensor, ref) => {
          const { lo, hi, worst } = bounds[ref]!;
          expect(reach(bounds[ref]!)).to.be.at.most(worst);
          tensor.forEach((value, i) => {
            if (value < lo[i]! || value > hi[i]!) expect.fail(`graph ${k}, ${graph.nodes[ref]!.name}: ${value}`);
          });
        });
      }
    }
  });

  it("bound every partial sum, in whatever order the terms come", () => {
    // 100 * 127 - 100 * 127 is near 0 in the end, and 12,700 on the way.
    const dense: Node = {
      op: "dense",
      x: 0,
      name: "d",
      shape: [1, 1],
      weights: Int32Array.of(100, -100),
      bias: Float64Array.of(5),
    };
    const [, bounds] = rangesOf(graphOf(inputNode([1, 2]), dense));
    expect(bounds).to.deep.include({
      lo: Float64Array.of(-100 * 255 + 5),
      hi: Float64Array.of(100 * 255 + 5),
      worst: 25605,
    });
  });

  it("refuse a graph one step beyond 2^53, and take it one step below", () => {
    const affine = (factor: number): Graph =>
      graphOf(inputNode([1, 1], 32, false), {
        op: "affine", x: 0, name: "a", shape: [1, 1], factor: Float64Array.of(factor), bias: Float64Array.of(2 ** 21 - 1),
      }); // prettier-ignore
    expect(rangesOf(affine(2 ** 21))[1]!.worst).to.equal(2 ** 53 - 1);
    expect(() => rangesOf(affine(2 ** 21 + 1))).to.throw(NodeError, "above 2^53");
  });

  it("refuse a node that does not yield as many elements as its shape says, so that no bound is missing later", () => {
    const pool: Node = {
      op: "maxpool",
      x: 0,
      name: "p",
      shape: [2, 1, 1, 1],
      kernel: [1, 1],
      strides: [1, 1],
      pads: [0, 0, 0, 0],
      dilations: [1, 1],
    };
    expect(() => rangesOf(graphOf(inputNode([2, 1, 1, 1]), pool))).to.throw(NodeError, "other elements than its shape");
  });
});
