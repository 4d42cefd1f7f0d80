// What outputs do not need is left out: same outputs, fewer elements, for every op; and nothing is left out that is needed.
import { expect } from "chai";
import { sizeOf } from "../../../node/core/tensor.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import type { Graph, Node, Op } from "../../../node/model/ir.ts";
import { neededOf } from "../../../node/model/needed.ts";
import { optimize } from "../../../node/model/optimize.ts";
import { prune } from "../../../node/model/prune.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import type { Value } from "../../../node/model/build.ts";
import { integer, randomGraph, randomInput } from "./random-graph.ts";

const SEED = 7;
const ONE = Float64Array.of(1);
const U8 = { bits: 8, signed: false } as const;

const plain = (graph: Graph): Value[] => graph.nodes.map((_, ref) => ({ ref, scale: ONE, axis: 0 }));

/** The graph, yielding no more than a few elements of its last tensor. */
function narrowed(graph: Graph, random: () => number): Graph {
  const ref = graph.nodes.length - 1;
  const size = sizeOf((graph.nodes[ref] as Node).shape);
  const index = Int32Array.from({ length: integer(random, 1, Math.max(1, Math.floor(size / 3))) }, () => integer(random, 0, size - 1)); // prettier-ignore
  const shape = [1, index.length];
  const take = { op: "take", x: ref, index, shape, name: "few" } as const;
  const border = { name: "few", shape, type: { bits: 32, signed: true }, exponent: 0 } as const;
  return { nodes: [...graph.nodes, take], outputs: [{ ref: ref + 1, border }] };
}

const elementsOf = (graph: Graph, op: Op): number =>
  graph.nodes.reduce((sum, node) => sum + (node.op === op ? sizeOf(node.shape) : 0), 0);

describe("pruning", function () {
  this.timeout(60_000);

  it(`keeps every output of random graphs that yield a few elements of their last tensor (seed ${SEED})`, () => {
    const random = mulberry32(SEED);
    const smaller = new Set<Op>();
    for (let k = 0; k < 1500; k++) {
      const graph = narrowed(randomGraph(random, { steps: integer(random, 1, 7) }), random);
      const pruned = prune(graph, plain(graph));
      if (pruned === undefined) continue;
      const better = optimize(pruned.graph).graph;
      const before = optimize(graph).graph;
      for (const { op } of before.nodes) if (elementsOf(better, op) < elementsOf(before, op)) smaller.add(op);
      for (let i = 0; i < 3; i++) {
        const input = randomInput(random, graph);
        const expected = outputsOf(graph, evaluate(graph, input));
        for (const other of [pruned.graph, better]) {
          expect(outputsOf(other, evaluate(other, input)), `graph ${k}`).to.deep.equal(expected);
        }
      }
    }
    const shrinking = ["affine", "argmax", "concat", "dense", "div", "iszero", "lookup", "matmul", "max", "maxpool", "mul", "onehot", "rescale", "select", "sqrt", "step", "sum"]; // prettier-ignore
    expect([...smaller].filter((op) => shrinking.includes(op)).toSorted()).to.deep.equal(shrinking);
  });

  it("leaves a graph alone of which all is needed", () => {
    const input = { op: "input", name: "x", shape: [1, 4], border: { name: "x", shape: [1, 4], type: U8, exponent: 0 } } as const; // prettier-ignore
    const square = { op: "mul", name: "y", a: 0, b: 0, shape: [1, 4] } as const;
    const border = { name: "y", shape: [1, 4], type: { bits: 32, signed: true }, exponent: 0 } as const;
    const graph: Graph = { nodes: [input, square], outputs: [{ ref: 1, border }] };
    expect(prune(graph, plain(graph))).to.equal(undefined);
  });

  it("needs just what has a path to an output: changing anything else changes no output, for every op", () => {
    const random = mulberry32(SEED + 1);
    let idle = 0;
    for (let k = 0; k < 300; k++) {
      const graph = narrowed(randomGraph(random, { steps: integer(random, 1, 5), borders: 1 }), random);
      const [needed] = neededOf(graph);
      const input = randomInput(random, graph);
      const expected = outputsOf(graph, evaluate(graph, input));
      const other = randomInput(random, graph);
      const mixed = input.map((v, i) => (needed?.[i] === 1 || i >= (needed?.length ?? 0) ? v : (other[i] as number)));
      idle += needed?.filter((one) => one === 0).length ?? 0;
      expect(outputsOf(graph, evaluate(graph, mixed)), `graph ${k}`).to.deep.equal(expected);
    }
    expect(idle).to.be.above(300);
  });

  it("takes a triangle of a product of matrices for what it is, product by product", () => {
    const [n, inner] = [8, 3];
    const type = U8;
    const matrix = (name: string, shape: readonly number[]): Node => ({ op: "input", name, shape, border: { name, shape, type, exponent: 0 } }); // prettier-ignore
    const lower = Array.from({ length: n * n }, (_, i) => i).filter((i) => i % n <= Math.floor(i / n));
    const nodes: Node[] = [
      matrix("a", [1, n, inner]),
      matrix("b", [1, inner, n]),
      { op: "matmul", name: "y", a: 0, b: 1, shape: [1, n, n] },
      { op: "take", name: "lower", x: 2, index: Int32Array.from(lower), shape: [1, lower.length] },
    ];
    const border = { name: "lower", shape: [1, lower.length], type: { bits: 32, signed: true }, exponent: 0 } as const;
    const graph: Graph = { nodes, outputs: [{ ref: 3, border }] };
    const pruned = prune(graph, plain(graph));
    const better = optimize((pruned as { graph: Graph }).graph).graph;
    expect(elementsOf(better, "mul")).to.equal(lower.length * inner);
    expect(elementsOf(better, "matmul")).to.equal(0);
    const input = randomInput(mulberry32(1), graph);
    expect(outputsOf(better, evaluate(better, input))).to.deep.equal(outputsOf(graph, evaluate(graph, input)));
  });
});
