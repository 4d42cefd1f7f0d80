// The reference evaluator and the static ranges, against the ops' definitions in BigInt and against exhaustion.
import { expect } from "chai";
import { NodeError } from "../../../node/core/errors.ts";
import type { Shape } from "../../../node/core/tensor.ts";
import { apply, evaluate } from "../../../node/model/evaluate.ts";
import { readsOf } from "../../../node/model/ir.ts";
import type { Graph, Node, Op } from "../../../node/model/ir.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { boundsOf, rangesOf, reach } from "../../../node/model/range.ts";
import type { Bounds } from "../../../node/model/range.ts";
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

type Interval = readonly [lo: number, hi: number];

function intervals(from: number, to: number): Interval[] {
  const all: Interval[] = [];
  for (let lo = from; lo <= to; lo++) for (let hi = lo; hi <= to; hi++) all.push([lo, hi]);
  return all;
}

/** Bounds of a node from intervals of the elements of each tensor that it reads; vectors unless shapes are given. */
function ranged(
  node: Node,
  xs: readonly (readonly Interval[])[],
  shapes: readonly Shape[] = xs.map((x) => [x.length]),
): Bounds {
  const bounds = xs.map((x) => ({
    lo: Float64Array.from(x, ([lo]) => lo),
    hi: Float64Array.from(x, ([, hi]) => hi),
    worst: 0,
  }));
  // A tensor that the node reads twice is given once.
  const tensors = readsOf(node).length > xs.length ? [...bounds, ...bounds] : bounds;
  return boundsOf(node, tensors, [...shapes, ...shapes]);
}

/** The bounds are the least and the most of every element over all that the intervals hold. */
function tight(
  node: Node,
  xs: readonly (readonly Interval[])[],
  shapes: readonly Shape[] = xs.map((x) => [x.length]),
): void {
  const { lo, hi, worst } = ranged(node, xs, shapes);
  const [least, most] = [lo.map(() => Infinity), hi.map(() => -Infinity)];
  const values = xs.map((x) => Float64Array.from(x, ([low]) => low));
  const places = xs.flatMap((x, t) => x.map((interval, i) => ({ tensor: values[t]!, i, interval })));
  for (;;) {
    const tensors = readsOf(node).length > xs.length ? [...values, ...values] : values;
    apply(node, tensors, [...shapes, ...shapes]).forEach((value, i) => {
      least[i] = Math.min(least[i]!, value);
      most[i] = Math.max(most[i]!, value);
    });
    const next = places.find(({ tensor, i, interval }) => {
      if (tensor[i]! < interval[1]) return true;
      tensor[i] = interval[0];
      return false;
    });
    if (next === undefined) break;
    next.tensor[next.i]! += 1;
  }
  expect([[...lo], [...hi]], `${node.op} of ${JSON.stringify(xs)}`).to.deep.equal([[...least], [...most]]);
  expect(worst).to.be.at.least(reach({ lo, hi }));
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
  it("are attained, both ends, by a layer whose inputs are exhausted, and never exceeded", function () {
    this.timeout(20_000);
    const random = mulberry32(SEED);
    for (let k = 0; k < 6; k++) {
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

  it("are attained, both ends, by every op that is no layer, over all small intervals of what it reads", () => {
    let checked = 0;
    for (const a of intervals(-3, 3)) {
      for (const b of intervals(-2, 3)) {
        tight({ op: "mul", name: "m", a: 0, b: 1, shape: [1] }, [[a], [b]]);
        tight({ op: "max", name: "m", a: 0, b: 1, shape: [1] }, [[a], [b]]);
        tight({ op: "sum", name: "s", xs: [0, 1], factors: [2, -3], shape: [1] }, [[a], [b]]);
        if (b[0] >= 1) tight({ op: "div", name: "d", a: 0, b: 1, shape: [1] }, [[a], [b]]);
        for (const c of intervals(0, 1))
          tight({ op: "select", name: "s", c: 0, a: 1, b: 2, shape: [1] }, [[c], [a], [b]]);
        const two = { name: "two", x: 0, shape: [2] } as const;
        const table = Float64Array.of(3, -1, 4, 1, -5, 9, 2, 0, 5, 3, -5, 8, 9, 7);
        tight({ op: "lookup", axis: 0, first: -3, length: 7, table, ...two }, [[a, b]]);
        tight({ op: "lookup", axis: 0, first: -4, length: 14, table, ...two }, [[a, b]]);
        tight({ op: "step", index: Int32Array.of(1, 0), threshold: Float64Array.of(0, 2), ...two }, [[a, b]]);
        tight({ op: "iszero", ...two }, [[a, b]]);
        tight({ op: "take", index: Int32Array.of(1, 1), ...two }, [[a, b]]);
        if (a[0] >= 0) tight({ op: "onehot", name: "o", x: 0, shape: [1, 4] }, [[a]]);
        if (a[0] >= 0) tight({ op: "sqrt", name: "q", x: 0, shape: [1] }, [[[a[0], 5 * a[1]]]]);
        for (const ties of ["up", "even"] as const) {
          const axis = { axis: 0, multiplier: [1, 3], shift: [1, 2], lo: -2, hi: 1 };
          tight({ op: "rescale", ...axis, ties, ...two }, [[a, b]]);
        }
        checked++;
      }
      tight({ op: "mul", name: "square", a: 0, b: 0, shape: [1] }, [[a]]);
      for (const factors of [
        [1, -1],
        [3, -5],
        [1, 1],
      ])
        tight({ op: "sum", name: "s", xs: [0, 0], factors, shape: [1] }, [[a]]);
    }
    expect(checked).to.equal(28 * 21);
  });

  it("are attained by products of matrices of different tensors", () => {
    const random = mulberry32(SEED);
    const some = (): Interval => {
      const lo = integer(random, -4, 3);
      return [lo, lo + integer(random, 0, 2)];
    };
    for (let k = 0; k < 60; k++) {
      const rows = [some(), some(), some(), some()];
      tight({ op: "matmul", name: "mm", a: 0, b: 1, shape: [2, 1, 1] }, [rows, [some(), some(), some(), some()]], [[2, 1, 2], [2, 2, 1]]); // prettier-ignore
    }
  });

  it("refuse what an op cannot read, and take what lies next to it", () => {
    const shape = [1];
    const refused = (node: Node, xs: readonly (readonly Interval[])[], pattern: RegExp): void => {
      expect(() => ranged(node, xs))
        .to.throw(NodeError, pattern)
        .with.property("code", "unsupported");
    };
    const div: Node = { op: "div", name: "d", a: 0, b: 1, shape };
    ranged(div, [[[-9, 9]], [[1, 9]]]);
    refused(div, [[[-9, 9]], [[0, 9]]], /may be 0, below 1/);
    ranged(div, [[[2 - 2 ** 50, 0]], [[1, 1]]]);
    refused(div, [[[1 - 2 ** 50, 0]], [[1, 1]]], /above 2\^50/);
    const sqrt: Node = { op: "sqrt", name: "q", x: 0, shape };
    ranged(sqrt, [[[0, 2 ** 50 - 1]]]);
    refused(sqrt, [[[0, 2 ** 50]]], /above 2\^50/);
    refused(sqrt, [[[-1, 9]]], /may read -1, below 0/);
    const lookup: Node = {
      op: "lookup",
      name: "l",
      x: 0,
      axis: 0,
      first: -1,
      length: 3,
      table: Float64Array.of(7, 8, 9),
      shape,
    };
    ranged(lookup, [[[-1, 1]]]);
    refused(lookup, [[[-2, 1]]], /from -2 to 1, outside its table of -1 to 1/);
    refused(lookup, [[[-1, 2]]], /from -1 to 2, outside its table/);
    const onehot: Node = { op: "onehot", name: "o", x: 0, shape: [1, 3] };
    ranged(onehot, [[[0, 2]]]);
    refused(onehot, [[[0, 3]]], /not an index below 3/);
    refused(onehot, [[[-1, 2]]], /not an index below 3/);
    const select: Node = { op: "select", name: "s", c: 0, a: 1, b: 2, shape };
    ranged(select, [[[0, 1]], [[0, 0]], [[0, 0]]]);
    refused(select, [[[0, 2]], [[0, 0]], [[0, 0]]], /condition may be 2/);
    refused(select, [[[-1, 0]], [[0, 0]], [[0, 0]]], /condition may be -1/);
  });

  it("know what meets on the way: products, partial sums, the product under a rescale, a table's unread entries", () => {
    const worst = (node: Node, xs: readonly (readonly Interval[])[], shapes?: readonly Shape[]): number =>
      ranged(node, xs, shapes).worst;
    expect(worst({ op: "matmul", name: "m", a: 0, b: 1, shape: [1, 1] }, [[[100, 100], [100, 100]], [[7, 7], [-7, -7]]], [[1, 2], [2, 1]])).to.equal(1400); // prettier-ignore
    expect(worst({ op: "sum", name: "s", xs: [0, 0], factors: [1, -1], shape: [1] }, [[[-3, 2]]])).to.equal(6);
    expect(worst({ op: "mul", name: "m", a: 0, b: 1, shape: [1] }, [[[-3, 2]], [[-5, 4]]])).to.equal(15);
    const rescale = {
      op: "rescale",
      name: "r",
      x: 0,
      shape: [1],
      axis: 0,
      multiplier: [3],
      shift: [4],
      lo: 0,
      hi: 1,
    } as const;
    expect(worst({ ...rescale, ties: "up" }, [[[-10, 9]]])).to.equal(38);
    expect(worst({ ...rescale, ties: "even" }, [[[-10, 9]]])).to.equal(30);
    expect(worst({ ...rescale, ties: "up", lo: 99, hi: 99 }, [[[-10, 9]]])).to.equal(99);
    const table = Float64Array.of(-50, 1, 2);
    expect(worst({ op: "lookup", name: "l", x: 0, axis: 0, first: 0, length: 3, table, shape: [1] }, [[[1, 2]]])).to.equal(50); // prettier-ignore
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
