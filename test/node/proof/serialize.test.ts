// The integer graph as bytes: every op goes there and back, and no damaged or forged file comes back as a graph.
import { expect } from "chai";
import { inputsOf } from "../../../node/model/ir.ts";
import type { Graph, Node, Op } from "../../../node/model/ir.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { parseGraph, serializeGraph } from "../../../node/model/serialize.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { refusalOf } from "../../support/keys.ts";
import { randomGraph } from "../model/random-graph.ts";

const SEED = 5;

const type = { bits: 8, signed: false } as const;
const border = { name: "image", shape: [1, 2, 6, 6], type, exponent: 0 } as const;
const floats = (n: number): Float64Array =>
  Float64Array.from({ length: n }, (_, i) => (i % 2 ? -1 : 1) * (2 ** 40 + i));
const ints = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => (i % 3) * 2 ** 29 - 2 ** 30);

/** One node of every op; each reads an earlier one of a fitting shape. */
const NODES: { readonly [K in Op]: Extract<Node, { op: K }> } = {
  input: { op: "input", name: "image", shape: [1, 2, 6, 6], border },
  conv: {
    op: "conv",
    name: "conv",
    shape: [1, 4, 3, 2],
    x: 0,
    weights: ints(4 * 1 * 3 * 2),
    weightShape: [4, 1, 3, 2],
    bias: floats(4),
    strides: [2, 3],
    pads: [1, 0, 1, 1],
    dilations: [1, 2],
    group: 2,
  },
  rescale: {
    op: "rescale",
    name: "rescale",
    shape: [1, 4, 3, 2],
    x: 1,
    multiplier: [1, 3, 5, 7],
    shift: [4, 4, 5, 0],
    axis: 1,
    lo: -128,
    hi: 127,
    ties: "even",
  },
  maxpool: {
    op: "maxpool",
    name: "pool",
    shape: [1, 4, 2, 1],
    x: 2,
    kernel: [2, 2],
    strides: [1, 2],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
  },
  transpose: { op: "transpose", name: "turned", shape: [1, 2, 1, 4], x: 3, perm: [0, 2, 3, 1] },
  reshape: { op: "reshape", name: "flat", shape: [1, 8], x: 4 },
  dense: { op: "dense", name: "dense", shape: [1, 5], x: 5, weights: ints(40), bias: floats(5) },
  affine: { op: "affine", name: "affine", shape: [1, 5], x: 6, factor: floats(5), bias: floats(1) },
  sum: { op: "sum", name: "sum", shape: [1, 5], xs: [6, 7], factors: [2, -3] },
  max: { op: "max", name: "max", shape: [1, 5], a: 7, b: 8 },
  pad: { op: "pad", name: "pad", shape: [1, 8], x: 9, pads: [0, 1, 0, 2], value: -7 },
  concat: { op: "concat", name: "concat", shape: [1, 13], xs: [9, 10], axis: 1 },
  argmax: { op: "argmax", name: "argmax", shape: [1, 1], x: 11, axis: 1 },
  mul: { op: "mul", name: "mul", shape: [1, 5], a: 9, b: 9 },
  take: {
    op: "take",
    name: "take",
    shape: [1, 4, 2, 2],
    x: 2,
    index: Int32Array.from({ length: 16 }, (_, i) => 23 - i),
  },
  matmul: { op: "matmul", name: "matmul", shape: [1, 4, 3, 2], a: 2, b: 14 },
  div: { op: "div", name: "div", shape: [1, 5], a: 9, b: 13 },
  sqrt: { op: "sqrt", name: "sqrt", shape: [1, 5], x: 13 },
  lookup: { op: "lookup", name: "lookup", shape: [1, 5], x: 17, axis: 1, first: -4, length: 3, table: floats(15) },
  step: { op: "step", name: "step", shape: [3], x: 18, index: Int32Array.of(4, 0, 4), threshold: floats(3) },
  iszero: { op: "iszero", name: "iszero", shape: [3], x: 19 },
  onehot: { op: "onehot", name: "onehot", shape: [3, 4], x: 20 },
  select: { op: "select", name: "select", shape: [3], c: 20, a: 19, b: 19 },
};
const ends = [
  { ref: 12, border: { name: "class", shape: [1, 1], type, exponent: 3 } },
  { ref: 22, border: { name: "chosen", shape: [3], type: { bits: 32, signed: true }, exponent: 0 } },
  { ref: 12, border: { name: "again", shape: [1, 1], type, exponent: 3 } },
] as const;
const graph: Graph = { nodes: Object.values(NODES), outputs: ends };
const bytes = serializeGraph(graph);
const length = Buffer.from(bytes).readUInt32LE(8);
interface Description {
  nodes: unknown;
  outputs: unknown;
}
const json = (): { nodes: Record<string, unknown>[]; outputs: Record<string, unknown>[] } =>
  JSON.parse(Buffer.from(bytes).toString("utf8", 12, 12 + length)) as ReturnType<typeof json>;
/** The file with another description and the same weights. */
function described(description: unknown, tail: Uint8Array = bytes.subarray(12 + length)): Uint8Array {
  const text = Buffer.from(JSON.stringify(description));
  const head = Buffer.from(bytes.subarray(0, 12));
  head.writeUInt32LE(text.length, 8);
  return new Uint8Array(Buffer.concat([head, text, tail]));
}

describe("the integer graph as bytes", () => {
  it("comes back equal, whatever its ops", () => {
    const back = parseGraph(bytes);
    expect(back).to.deep.equal(graph);
    expect(Buffer.from(serializeGraph(back)).equals(bytes)).to.equal(true);
  });

  it(`comes back equal with several inputs and outputs of any rank (seed ${SEED})`, () => {
    const random = mulberry32(SEED);
    const counts = new Set<string>();
    for (let k = 0; k < 100; k++) {
      const some = randomGraph(random, { steps: 6 });
      counts.add(`${inputsOf(some).length} in`).add(`${some.outputs.length} out`);
      expect(parseGraph(serializeGraph(some))).to.deep.equal(some);
    }
    expect([...counts]).to.include.members(["1 in", "2 in", "3 in", "1 out", "2 out", "3 out"]);
  });

  it("does not depend on the order in which a node's members were written", () => {
    const turned = graph.nodes.map((node) => Object.fromEntries(Object.entries(node).reverse()) as unknown as Node);
    expect(Buffer.from(serializeGraph({ ...graph, nodes: turned })).equals(bytes)).to.equal(true);
  });

  it("reads from the middle of a larger buffer", () => {
    const larger = Buffer.concat([Buffer.alloc(3), bytes, Buffer.alloc(3)]);
    expect(parseGraph(new Uint8Array(larger.buffer, larger.byteOffset + 3, bytes.length))).to.deep.equal(graph);
  });

  it("is refused at every length but its own", async () => {
    for (let end = 0; end < bytes.length; end += end < 64 ? 1 : 7) {
      expect((await refusalOf(() => parseGraph(bytes.subarray(0, end)))).code, `${end} bytes`).to.equal("input");
    }
    expect((await refusalOf(() => parseGraph(Uint8Array.from([...bytes, 0])))).message).to.match(/1 bytes too many/);
  });

  it("gives a graph or a refusal for every flipped byte of its head, never another error", async () => {
    let refused = 0;
    for (let at = 0; at < 12 + length; at++) {
      const other = bytes.slice();
      other[at] = (other[at] as number) ^ 0x11;
      try {
        parseGraph(other);
      } catch (thrown) {
        expect(thrown).to.be.instanceOf(NodeError).with.property("code", "input");
        refused++;
      }
    }
    expect(refused).to.be.above(length / 2);
  });

  it("is refused with a bias that is no integer below 2^53", async () => {
    for (const value of [0.5, Number.NaN, Infinity, 2 ** 53]) {
      const tail = Buffer.from(bytes.subarray(12 + length));
      tail.writeDoubleLE(value, 4 * 24); // the convolution's bias follows its weights
      expect((await refusalOf(() => parseGraph(described(json(), tail)))).message).to.match(/node 1: bias holds what/);
    }
  });

  const index = (op: Op): number => graph.nodes.findIndex((node) => node.op === op);
  const changes: readonly (readonly [Op, Record<string, unknown>, RegExp])[] = [
    ["input", { op: "softmax" }, /unknown op/],
    ["input", { op: "toString" }, /unknown op/],
    ["input", { shape: [1, 2, 6, 7] }, /border has another shape/],
    ["input", { border: { ...border, type: { bits: 12, signed: true } } }, /no integer type/],
    ["input", { border: { ...border, exponent: 0.5 } }, /integer below/],
    ["input", { extra: 1 }, /fields that input has not/],
    ["conv", { x: 1 }, /reads node 1, which does not come before it/],
    ["conv", { x: -1 }, /reads node -1/],
    ["conv", { shape: [1, 4, 3, 3] }, /does not follow/],
    ["conv", { group: 0 }, /malformed/],
    ["conv", { group: 1 }, /groups do not divide/],
    ["conv", { weightShape: [4, 1, 3] }, /malformed/],
    ["conv", { strides: [0, 3] }, /does not follow/],
    ["conv", { strides: [2] }, /does not follow/],
    ["conv", { pads: [-1, 2, 3, 1] }, /does not follow/],
    ["conv", { bias: 5 }, /./],
    ["conv", { weights: 2 ** 30 }, /elements/],
    ["conv", { weights: 0 }, /elements/],
    ["rescale", { multiplier: [1, 0, 5, 7] }, /steps do not fit/],
    ["rescale", { multiplier: [1, 3] }, /steps do not fit/],
    ["rescale", { multiplier: [1] }, /steps do not fit/],
    ["rescale", { shift: [4] }, /steps do not fit/],
    ["rescale", { shift: [4, 4, 5, -1] }, /steps do not fit/],
    ["rescale", { shift: [] }, /steps do not fit/],
    ["rescale", { axis: 4 }, /does not follow/],
    ["rescale", { lo: 128 }, /bounds are crossed/],
    ["rescale", { hi: 1.5 }, /integer below/],
    ["rescale", { ties: "down" }, /neither "up" nor "even"/],
    ["rescale", { ties: 1 }, /neither "up" nor "even"/],
    ["maxpool", { kernel: [2, 0] }, /does not follow/],
    ["maxpool", { shape: [1, 4, 2, 2] }, /does not follow/],
    ["transpose", { perm: [0, 1, 2, 2] }, /no permutation/],
    ["transpose", { perm: [0, 1, 2] }, /no permutation/],
    ["transpose", { perm: [0, 3, 2, 1] }, /does not follow/],
    ["reshape", { shape: [1, 9] }, /does not follow/],
    ["reshape", { shape: [-1, -8] }, /impossible shape/],
    ["reshape", { shape: [2 ** 20, 2 ** 20] }, /impossible shape/],
    ["dense", { shape: [1, 6] }, /weights do not fit/],
    ["dense", { shape: [2, 5] }, /does not follow/],
    ["affine", { shape: [1, 6] }, /does not follow/],
    ["sum", { factors: [2] }, /does not follow/],
    ["sum", { xs: [], factors: [] }, /empty/],
    ["sum", { xs: [6, 5] }, /does not follow/],
    ["max", { b: 5 }, /does not follow/],
    ["pad", { pads: [0, 1, 0, 3] }, /does not follow/],
    ["pad", { pads: [0, 4, 0, -1] }, /pads do not fit/],
    ["concat", { axis: 0 }, /does not follow/],
    ["concat", { axis: 2 }, /out of range/],
    ["argmax", { axis: 0 }, /does not follow/],
    ["mul", { b: 5 }, /does not follow/],
    ["mul", { shape: [5, 1] }, /does not follow/],
    ["matmul", { b: 2 }, /does not follow/],
    ["matmul", { a: 14 }, /does not follow/],
    ["matmul", { shape: [1, 4, 2, 3] }, /does not follow/],
    ["matmul", { shape: [4, 3, 2] }, /does not follow/],
    ["div", { a: 5 }, /does not follow/],
    ["sqrt", { x: 5 }, /does not follow/],
    ["lookup", { axis: 2 }, /does not follow/],
    ["lookup", { axis: -1 }, /does not follow/],
    ["lookup", { axis: 0 }, /tables do not fit/],
    ["lookup", { length: 5 }, /tables do not fit/],
    ["lookup", { length: 0 }, /tables do not fit/],
    ["lookup", { first: 2 ** 53 }, /integer below/],
    ["lookup", { shape: [1, 6] }, /does not follow/],
    ["step", { x: 12 }, /places lie outside/],
    ["step", { shape: [4] }, /thresholds do not fit/],
    ["step", { threshold: 2 }, /thresholds do not fit/],
    ["step", { index: 2 }, /./],
    ["iszero", { x: 18 }, /does not follow/],
    ["onehot", { shape: [3] }, /does not follow/],
    ["onehot", { shape: [4, 3] }, /does not follow/],
    ["onehot", { shape: [3, 2 ** 26] }, /impossible shape/],
    ["onehot", { shape: [3, 22369621] }, /too much/],
    ["select", { c: 18 }, /does not follow/],
    ["select", { a: 18 }, /does not follow/],
    ["select", { b: 18 }, /does not follow/],
    ["take", { x: 3 }, /places lie outside/],
    ["take", { shape: [1, 4, 2, 1] }, /places do not fit/],
    ["take", { shape: [4, 1, 2, 2] }, /matmul.*does not follow/],
    ["take", { index: 15 }, /places do not fit/],
    ["argmax", { name: "image" }, /two nodes named/],
    ["argmax", { name: "" }, /has no name/],
  ];
  for (const [op, change, pattern] of changes) {
    it(`is refused with ${JSON.stringify(change)} in ${op}`, async () => {
      const description = json();
      Object.assign(description.nodes[index(op)] as object, change);
      const refusal = await refusalOf(() => parseGraph(described(description)));
      expect(refusal.message).to.match(pattern);
      expect(refusal.code).to.equal("input");
    });
  }

  it("is refused with a batch of two before a window, which only the ONNX file would see", async () => {
    const { nodes, outputs } = json();
    const [input, conv] = nodes as [{ border: object }, object];
    const shape = [2, 2, 6, 6];
    const doubled = [
      { ...input, shape, border: { ...input.border, shape } },
      { ...conv, shape: [2, 4, 3, 2] },
    ];
    const description = { nodes: doubled, outputs: [{ ...outputs[0], ref: 1 }] };
    expect((await refusalOf(() => parseGraph(described(description)))).message).to.match(/conv.*does not follow/);
  });

  it("is refused with a place below 0, or one beyond the last element", async () => {
    const at = bytes.length - 4 * 16 - 8 * 15 - 4 * 3 - 8 * 3; // take's places come before a table, places and thresholds
    for (const [value, pattern] of [
      [-1, /take.*places lie outside/],
      [24, /take.*places lie outside/],
    ] as const) {
      // prettier-ignore
      const other = Buffer.from(bytes);
      expect(other.readInt32LE(at)).to.equal(23);
      other.writeInt32LE(value, at);
      expect((await refusalOf(() => parseGraph(other))).message).to.match(pattern);
    }
  });

  it("is refused where a small file asks for the work of a large one", async () => {
    const shape = [2 ** 13, 2 ** 13];
    const input = { ...NODES.input, shape, border: { ...border, shape } };
    const square = { op: "matmul", name: "square", shape, a: 0, b: 0 };
    const outputs = [{ ref: 0, border: { ...border, name: "y", shape } }];
    const wrong = async (nodes: readonly unknown[]): Promise<string> =>
      (await refusalOf(() => parseGraph(described({ nodes, outputs }, new Uint8Array(0))))).message;
    const small = [2 ** 12, 2 ** 12];
    const smaller = { ...input, shape: small, border: { ...border, shape: small } };
    expect(await wrong([smaller, { ...square, shape: small }])).to.match(/too much up to node 1/);
    expect(await wrong([input, { op: "sqrt", name: "root", shape, x: 0 }])).to.match(/too much up to node 1/);
    expect(() => parseGraph(described({ nodes: [input], outputs }, new Uint8Array(0)))).not.to.throw();
  });

  it("is refused with a one-hot that has no axis for its indices", async () => {
    const scalar = { ...border, shape: [] };
    const nodes = (shape: readonly number[]): unknown => [
      { ...NODES.input, shape: [], border: scalar },
      { op: "onehot", name: "onehot", shape, x: 0 },
    ];
    const file = (shape: readonly number[]): Uint8Array =>
      described(
        { nodes: nodes(shape), outputs: [{ ref: 1, border: { ...border, name: "y", shape } }] },
        new Uint8Array(0),
      );
    expect((await refusalOf(() => parseGraph(file([])))).message).to.match(/onehot.*does not follow/);
    expect(parseGraph(file([7])).nodes).to.have.lengthOf(2);
  });

  it("is refused with an output that is not there, no output, an input among the rest, no node or no list", async () => {
    const { nodes, outputs } = json();
    const [first] = outputs as [Record<string, unknown>];
    const wrong = async (change: Partial<Description>): Promise<string> =>
      (await refusalOf(() => parseGraph(described({ nodes, outputs, ...change })))).message;
    expect(await wrong({ outputs: [{ ...first, ref: 23 }] })).to.match(/output 0 reads node 23/);
    expect(await wrong({ outputs: [outputs[1], { ...first, ref: 11 }] })).to.match(/output 1: its shape/);
    expect(await wrong({ outputs: undefined })).to.match(/not a list/);
    expect(await wrong({ outputs: [] })).to.match(/has 0 outputs/);
    expect(await wrong({ outputs: Array.from({ length: 65 }, () => first) })).to.match(/has 65 outputs/);
    expect(await wrong({ outputs: [first, first] })).to.match(/of one name/);
    expect(await wrong({ outputs: [{ ...first, border: { ...border, name: "image", shape: [1, 1] } }] })).to.match(
      /of one name/,
    );
    expect(await wrong({ nodes: [] })).to.match(/has 0 nodes/);
    expect(await wrong({ nodes: {} })).to.match(/not a list/);
    expect(await wrong({ nodes: nodes.toSpliced(2, 0, { ...nodes[0], name: "second" }) })).to.match(/come first/);
    expect(await wrong({ nodes: nodes.slice(1) })).to.match(/does not come before/);
  });
});
