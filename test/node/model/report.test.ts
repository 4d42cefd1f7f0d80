// The report on layers, on a graph made by hand: what it counts, and of which nodes.
import { expect } from "chai";
import type { Graph, RescaleNode } from "../../../node/model/ir.ts";
import { reportLayers } from "../../../node/model/report.ts";

const shape = [1, 4];
const border = { name: "x", shape, type: { bits: 8, signed: true }, exponent: 0 } as const;

function graphOf(overrides: Partial<RescaleNode>): Graph {
  return {
    nodes: [
      { op: "input", name: "x", shape, border },
      { op: "rescale", name: "r", x: 0, shape, multiplier: [1], shift: [1], axis: 0, lo: -3, hi: 4, ties: "up", ...overrides },
      { op: "dense", name: "d", x: 1, shape: [1, 1], weights: Int32Array.of(1, -5, 2, 0), bias: Float64Array.of(0) },
      { op: "step", name: "s", x: 2, shape: [1], index: Int32Array.of(0), threshold: Float64Array.of(100) },
    ],
    outputs: [{ ref: 3, border: { ...border, name: "y", shape: [1] } }],
  }; // prettier-ignore
}

describe("the report on layers", () => {
  const values = [0, 1, 2, 3].map((ref) => ({ ref, scale: Float64Array.of(0.5), axis: 0 }));
  const clippedOf = (overrides: Partial<RescaleNode>, sample: readonly number[]): number | undefined =>
    reportLayers(graphOf(overrides), values, [Float64Array.from(sample)])[1]!.clipped;

  it("counts what the clamp changed, by the rounding of the op, and not what lies at a bound by itself", () => {
    // 9 / 2 is 5 by ties up, which 4 cuts off, and 4 by ties to even.
    expect(clippedOf({}, [9, 8, -6, 0])).to.equal(0.25);
    expect(clippedOf({ ties: "even" }, [9, 8, -6, 0])).to.equal(0);
    expect(clippedOf({ ties: "even" }, [10, 11, -8, -9])).to.equal(1);
  });

  it("does not count what a Relu sends to 0", () => {
    expect(clippedOf({ lo: 0 }, [-100, -9, 8, 10])).to.equal(0.25);
  });

  it("gives weights' bits to layers of weights only, and ranges in reals", () => {
    const layers = reportLayers(graphOf({}), values, [Float64Array.of(0, 2, 4, 6)]);
    expect(layers.map(({ weightBits }) => weightBits)).to.deep.equal([undefined, undefined, 4, undefined]);
    expect(layers.map(({ bits }) => bits)).to.deep.equal([8, 4, 6, 0]);
    expect(layers[1]).to.deep.include({ observed: [0, 1.5], possible: [-1.5, 2], accumulatorBits: 8 });
  });
});
