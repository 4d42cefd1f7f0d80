// The rewrites of the integer graph: not one output bit may change, and each must happen where it should.
import { expect } from "chai";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { inputsOf } from "../../../node/model/ir.ts";
import type { Graph, Node, NodeOf, Op, RescaleNode } from "../../../node/model/ir.ts";
import { optimize } from "../../../node/model/optimize.ts";
import { printGraph } from "../../../node/model/print.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { rangesOf } from "../../../node/model/range.ts";
import { integer, randomGraph, randomInput } from "./random-graph.ts";

const SEED = 99;
const SHAPE = [1, 2, 4, 4];
/** The ops that rewrites look for. */
const REARRANGED: readonly Op[] = [
  "reshape",
  "transpose",
  "take",
  "rescale",
  "lookup",
  "maxpool",
  "iszero",
  "sqrt",
  "mul",
];

function graphOf(nodes: readonly Node[], ref = nodes.length - 1): Graph {
  const border = { name: "y", shape: nodes[ref]!.shape, type: { bits: 32, signed: true } as const, exponent: 0 };
  return { nodes, outputs: [{ ref, border }] };
}

const input: Node = {
  op: "input", name: "x", shape: SHAPE,
  border: { name: "x", shape: SHAPE, type: { bits: 8, signed: true }, exponent: 0 },
}; // prettier-ignore

function rescale(x: number, overrides: Partial<RescaleNode> = {}): RescaleNode {
  return {
    op: "rescale", name: `r${x}`, x, shape: SHAPE, multiplier: [1], shift: [0], axis: 1, lo: -128, hi: 127, ties: "up", ...overrides,
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
  it(`changes no output bit of random graphs, keeps names apart, and shrinks many (seed ${SEED})`, () => {
    const random = mulberry32(SEED);
    let shrunk = 0;
    for (let k = 0; k < 600; k++) {
      const ops = k % 2 === 0 ? {} : { ops: REARRANGED };
      const graph = randomGraph(random, { type: { bits: 8, signed: true }, steps: integer(random, 2, 9), ...ops });
      const { graph: better, origin } = optimize(graph);
      if (better.nodes.length < graph.nodes.length) shrunk++;
      expect(better.nodes.length).to.be.at.most(graph.nodes.length);
      expect(new Set(better.nodes.map(({ name }) => name)).size).to.equal(better.nodes.length);
      expect(origin).to.have.lengthOf(better.nodes.length);
      expect(inputsOf(better)).to.deep.equal(inputsOf(graph));
      rangesOf(better);
      for (let j = 0; j < 4; j++) {
        const x = randomInput(random, graph);
        const [yielded, expected] = [evaluate(better, x), evaluate(graph, x)];
        expect(outputsOf(better, yielded), printGraph(graph)).to.deep.equal(outputsOf(graph, expected));
      }
    }
    expect(shrunk).to.be.above(200);
  });

  it("finds nothing more to do in what it made", () => {
    const random = mulberry32(SEED);
    for (let k = 0; k < 200; k++) {
      const { graph } = optimize(randomGraph(random, { steps: 9, ops: REARRANGED }));
      expect(printGraph(optimize(graph).graph)).to.equal(printGraph(graph));
    }
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

  it("gives no two nodes one name where a rescale that pooling took over is written a second time", () => {
    const again = rescale(0, { name: "again", shift: [3] });
    const flat = (x: number, size: number): Node => ({ op: "reshape", name: `flat${x}`, x, shape: [size] });
    const all: Node = { op: "concat", name: "all", xs: [4, 5], axis: 0, shape: [40] };
    const { graph } = optimize(
      graphOf([input, rescale(0, { shift: [3] }), pool(1, 2, 2, 2), again, flat(2, 8), flat(3, 32), all]),
    );
    expect(graph.nodes.map(({ name }) => name)).to.have.members(["x", "pool", "r0", "again", "flat2", "flat3", "all"]);
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

  it("reads what lies below rearrangements of rearrangements", () => {
    const flat: Node = { op: "reshape", name: "flat", x: 0, shape: [32] };
    const turned: Node = { op: "transpose", name: "turned", x: 0, perm: [0, 3, 1, 2], shape: [1, 4, 2, 4] };
    const take = (x: number, ...index: number[]): Node => ({ op: "take", name: `take${x}`, x, index: Int32Array.from(index), shape: [index.length] }); // prettier-ignore
    const readsOnly = (nodes: readonly Node[]): Node => {
      const { graph } = optimize(graphOf(nodes));
      expect(graph.nodes, printGraph(graph)).to.have.lengthOf(2);
      return graph.nodes[1]!;
    };
    const square: Node = { op: "reshape", name: "square", x: 1, shape: [8, 4] };
    expect(readsOnly([input, flat, square])).to.deep.equal({ ...square, x: 0 });
    expect(readsOnly([input, flat, take(1, 5, 31)])).to.deep.include({ x: 0, index: Int32Array.of(5, 31) });
    expect(readsOnly([input, take(0, 9, 8, 7, 9), take(1, 3, 1)])).to.deep.include({ index: Int32Array.of(9, 8) });
    expect(readsOnly([input, take(0, 9, 8, 7, 6), { op: "reshape", name: "two", x: 1, shape: [2, 2] }])).to.deep.include({ op: "take", name: "two", shape: [2, 2] }); // prettier-ignore
    // Element 1 of the turned tensor is [0, 0, 0, 1], which was [0, 0, 1, 0].
    expect(readsOnly([input, turned, take(1, 0, 1)])).to.deep.include({ index: Int32Array.of(0, 4) });
    const back: Node = { op: "transpose", name: "back", x: 1, perm: [0, 2, 1, 3], shape: [1, 2, 4, 4] };
    expect(readsOnly([input, turned, back])).to.deep.include({ perm: [0, 1, 3, 2], x: 0 });
  });

  it("drops a take of everything in order, or makes it a reshape; not one in another order or of less", () => {
    const all = Int32Array.from({ length: 32 }, (_, i) => i);
    const take = (index: Int32Array, shape: readonly number[]): Node => ({
      op: "take",
      name: "take",
      x: 0,
      index,
      shape,
    });
    expect(opsOf(optimize(graphOf([input, take(all, SHAPE)])).graph)).to.deep.equal(["input"]);
    expect(opsOf(optimize(graphOf([input, take(all, [4, 8])])).graph)).to.deep.equal(["input", "reshape"]);
    expect(opsOf(optimize(graphOf([input, take(all.slice(0, 31), [31])])).graph)).to.deep.equal(["input", "take"]);
    expect(opsOf(optimize(graphOf([input, take(all.slice().reverse(), SHAPE)])).graph)).to.deep.equal([
      "input",
      "take",
    ]);
  });

  it("computes once what is written twice, under the first's name and scale, and nothing that differs", () => {
    const product = (name: string, a: number, b: number): Node => ({ op: "mul", name, a, b, shape: SHAPE });
    const sum = (a: number, b: number): Node => ({ op: "sum", name: "sum", xs: [a, b], factors: [1, 2], shape: SHAPE });
    const table = (name: string, entry: number): Node => ({
      op: "lookup", name, x: 0, axis: 0, first: -128, length: 256, table: new Float64Array(256).fill(entry), shape: SHAPE,
    }); // prettier-ignore
    const twice = optimize(
      graphOf([input, table("s", 3), table("t", 3), product("p", 0, 1), product("q", 0, 2), sum(3, 4)]),
    );
    expect(twice.graph.nodes.map(({ name }) => name)).to.deep.equal(["x", "s", "p", "sum"]);
    expect(twice.graph.nodes.at(-1)).to.deep.include({ xs: [2, 2] });
    expect(twice.origin).to.deep.equal([0, 1, 3, 5]);
    const apart = graphOf([input, table("s", 3), table("t", 4), product("p", 0, 1), product("q", 0, 2), sum(3, 4)]);
    expect(optimize(apart).graph.nodes).to.have.lengthOf(6);
    const second: Node = { ...input, name: "z" };
    expect(optimize(graphOf([input, second, sum(0, 1)])).graph.nodes).to.have.lengthOf(3);
  });

  const SQUARES = Float64Array.from({ length: 256 }, (_, i) => (i - 128) ** 2);
  const squares: Node = {
    op: "lookup",
    name: "squares",
    x: 0,
    axis: 0,
    first: -128,
    length: 256,
    table: SQUARES,
    shape: SHAPE,
  };

  it("makes one table of a table and what is done to its entries, if nobody else reads them", () => {
    const halved = optimize(graphOf([input, squares, rescale(1, { shift: [7], lo: 0, hi: 90 })])).graph;
    expect(opsOf(halved)).to.deep.equal(["input", "lookup"]);
    expect((halved.nodes[1] as NodeOf<"lookup">).table[138]).to.equal(1); // 10 * 10 / 128 is nearest to 1
    const roots = optimize(graphOf([input, squares, { op: "sqrt", name: "root", x: 1, shape: SHAPE }])).graph;
    expect((roots.nodes[1] as NodeOf<"lookup">).table).to.deep.equal(SQUARES.map(Math.sqrt));
    // Two tables along the channels of one.
    const two: Node = { op: "lookup", name: "two", x: 1, axis: 1, first: 0, length: 16385, table: Float64Array.from({ length: 32770 }, (_, i) => (i < 16385 ? i : 20000 - i)), shape: SHAPE }; // prettier-ignore
    const composed = optimize(graphOf([input, squares, two])).graph;
    expect(composed.nodes[1]).to.deep.include({ name: "two", axis: 1, length: 256 });
    const { table } = composed.nodes[1] as NodeOf<"lookup">;
    expect([table.length, table[131], table[256 + 131]]).to.deep.equal([512, 9, 20000 - 16385 - 9]);
    const kept = (nodes: readonly Node[]): void => {
      expect(opsOf(optimize(graphOf(nodes)).graph)).to.deep.equal(nodes.map(({ op }) => op));
    };
    kept([
      input,
      squares,
      rescale(1, { shift: [7] }),
      { op: "concat", name: "both", xs: [1, 2], axis: 1, shape: [1, 4, 4, 4] },
    ]);
    kept([input, squares, rescale(1, { multiplier: [1, 3], shift: [7, 7] })]);
    const tables = (x: number, axis: number, length: number, first: number): Node => ({
      op: "lookup", name: `t${x}`, x, axis, first, length, shape: SHAPE,
      table: Float64Array.from({ length: length * SHAPE[axis]! }, (_, i) => i % 7),
    }); // prettier-ignore
    kept([input, tables(0, 1, 256, -128), tables(1, 2, 7, 0)]);
    expect(optimize(graphOf([input, tables(0, 1, 256, -128), tables(1, 1, 7, 0)])).graph.nodes).to.have.lengthOf(2);
  });

  it("takes a few entries more rather than a clamp, but not thousands", () => {
    const relu = rescale(0, { lo: 0, hi: 100 });
    const table = Float64Array.from({ length: 101 }, (_, i) => 7 * i);
    const lookup: Node = { op: "lookup", name: "l", x: 1, axis: 0, first: 0, length: 101, table, shape: SHAPE };
    const { graph } = optimize(graphOf([input, relu, lookup]));
    expect(graph.nodes[1]).to.deep.include({ op: "lookup", x: 0, first: -128, length: 256 });
    const entries = (graph.nodes[1] as NodeOf<"lookup">).table;
    expect([entries[0], entries[128], entries[129], entries[228], entries[255]]).to.deep.equal([0, 0, 7, 700, 700]);
    const wide: Node = { ...(input), border: { name: "x", shape: SHAPE, type: { bits: 16, signed: true }, exponent: 0 } }; // prettier-ignore
    expect(optimize(graphOf([wide, relu, lookup])).graph.nodes).to.have.lengthOf(3);
  });

  it("computes before elements are repeated, not after; never what nothing reads, nor where scales differ", () => {
    const few: Node = { op: "input", name: "x", shape: [3], border: { name: "x", shape: [3], type: { bits: 8, signed: true }, exponent: 0 } }; // prettier-ignore
    const spread = (...index: number[]): Node => ({ op: "take", name: "spread", x: 0, index: Int32Array.from(index), shape: [2, 3] }); // prettier-ignore
    const small = rescale(1, { shape: [2, 3], shift: [2], axis: 1 });
    const all = graphOf([few, spread(0, 1, 2, 0, 1, 2), small]);
    const before = optimize(all);
    expect(before.graph.nodes.map(({ op, name }) => [op, name])).to.deep.equal([["input", "x"], ["rescale", "r1"], ["take", "spread"]]); // prettier-ignore
    expect(before.graph.nodes[1]).to.deep.include({ shape: [3], axis: 0, x: 0 });
    expect(before.origin).to.deep.equal([0, 2, 2]);
    expect(opsOf(optimize(all, (ref) => ref !== 2).graph)).to.deep.equal(["input", "take", "rescale"]);
    expect(opsOf(optimize(graphOf([few, spread(0, 1, 1, 0, 1, 0), small])).graph)).to.deep.equal(["input", "take", "rescale"]); // prettier-ignore
    const steps = rescale(1, { shape: [2, 3], axis: 1, multiplier: [1, 1, 1], shift: [1, 2, 3] });
    expect(opsOf(optimize(graphOf([few, spread(0, 1, 2, 0, 1, 2), steps])).graph)).to.deep.equal(["input", "take", "rescale"]); // prettier-ignore
  });
});

describe("the printed graph", () => {
  it("is one line per node, the same for the same graph, and another for another weight", () => {
    const dense = (weight: number): Graph =>
      graphOf([
        input,
        { op: "reshape", name: "flat", x: 0, shape: [1, 32] },
        { op: "dense", name: "d", x: 1, shape: [1, 1], weights: new Int32Array(32).fill(2).fill(weight, 0, 1), bias: Float64Array.of(-3) },
        { op: "rescale", name: "r", x: 2, shape: [1, 1], multiplier: [1], shift: [4], axis: 0, lo: 0, hi: 255, ties: "up" },
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
