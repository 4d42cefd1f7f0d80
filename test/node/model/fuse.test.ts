// Fusion: exported sub-graphs that are one function of one tensor become one node, whatever their spelling; all else stays.
// Every graph is compared with onnxruntime.
import { expect } from "chai";
import type { FloatNode } from "../../../node/model/graph.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { ints, type ModelSpec, node, type NodeInit, noise, tensor, type TensorInit } from "../../support/onnx.ts";
import { agree, opsOf } from "../../support/onnxAgree.ts";

const CONSTANTS: Readonly<Record<string, number>> = {
  zero: 0, half: 0.5, one: 1, two: 2, three: 3, six: 6, root: Math.SQRT2, c: 0.044715, s: 0.7978845608, big: 20,
}; // prettier-ignore
const scalars: readonly TensorInit[] = Object.entries(CONSTANTS).map(([name, value]) => tensor(name, [], [value]));
const net = (...nodes: NodeInit[]): ModelSpec => ({
  nodes,
  initializers: [...scalars, tensor("w", [8, 8], noise(3, 64))],
  input: { dims: [1, 8] },
});
/** op(inputs) -> output */
const n = (op: string, inputs: string, output: string): NodeInit => node(op, inputs.split(" "), [output]);
const ops = async (...nodes: NodeInit[]): Promise<string[]> => opsOf(await agree(net(...nodes)));
const TABLE = ["input", "unary"];

describe("fuse: one function of one tensor", () => {
  it("Gelu by the error function, as PyTorch writes it", async () => {
    expect(await ops(n("Div", "x root", "a"), n("Erf", "a", "b"), n("Add", "b one", "d"), n("Mul", "x d", "e"), n("Mul", "e half", "y"))).to.deep.equal(TABLE); // prettier-ignore
  });

  it("Gelu by tanh, with its cube as products or as a power", async () => {
    const rest = [n("Mul", "p c", "q"), n("Add", "x q", "r"), n("Mul", "r s", "t"), n("Tanh", "t", "u"), n("Add", "u one", "v"), n("Mul", "x half", "h"), n("Mul", "h v", "y")]; // prettier-ignore
    expect(await ops(n("Mul", "x x", "xx"), n("Mul", "xx x", "p"), ...rest)).to.deep.equal(TABLE);
    expect(await ops(n("Pow", "x three", "p"), ...rest)).to.deep.equal(TABLE);
  });

  it("Silu, HardSwish, Mish, Softplus with a threshold, Elu as a choice, and Softsign", async () => {
    expect(await ops(n("Sigmoid", "x", "a"), n("Mul", "x a", "y"))).to.deep.equal(TABLE);
    expect(await ops(n("Add", "x three", "a"), n("Clip", "a zero six", "b"), n("Div", "b six", "d"), n("Mul", "x d", "y"))).to.deep.equal(TABLE); // prettier-ignore
    expect(await ops(n("HardSigmoid", "x", "a"), n("Mul", "x a", "y"))).to.deep.equal(TABLE);
    expect(await ops(n("Softplus", "x", "a"), n("Tanh", "a", "b"), n("Mul", "x b", "y"))).to.deep.equal(TABLE);
    expect(await ops(n("Exp", "x", "a"), n("Add", "a one", "b"), n("Log", "b", "l"), n("Greater", "x big", "g"), n("Where", "g x l", "y"))).to.deep.equal(TABLE); // prettier-ignore
    expect(await ops(n("Exp", "x", "a"), n("Sub", "a one", "b"), n("Less", "x zero", "g"), n("Where", "g b x", "y"))).to.deep.equal(TABLE); // prettier-ignore
    expect(await ops(n("Abs", "x", "a"), n("Add", "a one", "b"), n("Div", "x b", "y"))).to.deep.equal(TABLE);
  });

  it("goes through what only it reads, and stops at what others need, so that nothing is computed twice", async () => {
    const hidden = n("MatMul", "x w", "h");
    expect(await ops(hidden, n("Sigmoid", "h", "a"), n("Mul", "h a", "y"))).to.deep.equal(["input", "dense", "unary"]);
    // tanh(h) is read by the last Add, too: the table of h stays, and the next one is a table of its result.
    const twice = await agree(net(hidden, n("Tanh", "h", "t"), n("Exp", "t", "e"), n("MatMul", "t w", "m"), n("Add", "e m", "y"))); // prettier-ignore
    expect(opsOf(twice)).to.deep.equal(["input", "dense", "unary", "unary", "dense", "sum"]);
    expect(twice.nodes[3]).to.include({ x: 2 });
    // x * tanh(x) would be a second table of what is one already.
    const product = await agree(net(hidden, n("Tanh", "h", "t"), n("Mul", "h t", "p"), n("MatMul", "t w", "m"), n("Add", "p m", "y"))); // prettier-ignore
    expect(opsOf(product)).to.deep.equal(["input", "dense", "unary", "mul", "dense", "sum"]);
    // A free linear step is done twice gladly.
    const linear = await ops(n("Mul", "x two", "l"), n("Sigmoid", "l", "a"), n("MatMul", "a w", "m"), n("Add", "m l", "y")); // prettier-ignore
    expect(linear).to.deep.equal(["input", "affine", "unary", "dense", "sum"]);
  });

  it("stops at an output", async () => {
    const spec = net(n("Tanh", "x", "t"), n("Exp", "t", "y"));
    expect(opsOf(await agree(spec))).to.deep.equal(TABLE);
    expect(opsOf(await agree({ ...spec, moreOutputs: [{ name: "t" }] }))).to.deep.equal(["input", "unary", "unary"]);
  });

  it("leaves what is piecewise linear, one product, roots, reciprocals and functions of two tensors", async () => {
    expect(await ops(n("Clip", "x zero six", "a"), n("Mul", "a two", "y"))).to.deep.equal(["input", "clip", "affine"]);
    expect(await ops(n("Mul", "x two", "a"), n("Mul", "a x", "y"))).to.deep.equal(["input", "affine", "mul"]);
    expect(await ops(n("Mul", "x x", "a"), n("Add", "a one", "b"), n("Sqrt", "b", "d"), n("Reciprocal", "d", "y"))).to.deep.equal(["input", "mul", "affine", "unary", "unary"]); // prettier-ignore
    expect(await ops(n("Greater", "x zero", "g"), n("Where", "g x zero", "y"))).to.deep.equal(["input", "compare", "affine", "select"]); // prettier-ignore
    const hidden = n("MatMul", "x w", "h");
    expect(await ops(hidden, n("Sigmoid", "h", "a"), n("Mul", "x a", "y"))).to.deep.equal(["input", "dense", "unary", "mul"]); // prettier-ignore
  });

  it("leaves maps that differ from element to element, and goes on behind them", async () => {
    const spec = net(n("Mul", "x k", "a"), n("Sigmoid", "a", "b"), n("Mul", "a b", "y"));
    const graph = await agree({ ...spec, initializers: [...scalars, tensor("k", [8], noise(5, 8))] });
    expect(opsOf(graph)).to.deep.equal(["input", "affine", "unary"]);
  });

  it("leaves integers to integer ops, which are exact", async () => {
    const cube: ModelSpec = { nodes: [n("Mul", "x x", "a"), n("Mul", "a x", "y")], input: { dims: [1, 4], type: "int32" }, outputType: "int32" }; // prettier-ignore
    expect(opsOf(await agree(cube, [[-3, 0, 1000, 7]], 0))).to.deep.equal(["input", "mul", "mul"]);
    expect(await ops(n("Mul", "x x", "a"), n("Mul", "a x", "y"))).to.deep.equal(TABLE);
    // A comparison is an integer, a float behind it is not.
    expect(await ops(n("Greater", "x zero", "g"), node("Cast", ["g"], ["f"], { to: 1 }), n("Mul", "f f", "p"), n("Mul", "p f", "y"))).to.deep.equal(["input", "compare", "mul", "mul"]); // prettier-ignore
  });

  it("moves a function in front of a reshape that nothing else reads", async () => {
    const spec = net(n("MatMul", "x w", "h"), n("Reshape", "h to", "r"), n("Sigmoid", "r", "a"), n("Mul", "r a", "y"));
    const graph = await agree({ ...spec, initializers: [...(spec.initializers ?? []), ints("to", [1, 2, 4])] });
    expect(opsOf(graph)).to.deep.equal(["input", "dense", "unary", "reshape"]);
  });

  it("bounds what it composes", async () => {
    const chain = Array.from({ length: 40 }, (_, i) => n("Mul", `v${i} v${i}`, `v${i + 1}`));
    const graph = await agree(net(n("Tanh", "x", "v0"), ...chain, n("Identity", "v40", "y")));
    const sizes = graph.nodes.map((each: FloatNode) => (each.op === "unary" ? JSON.stringify(each.fn).length : 0));
    expect(Math.max(...sizes)).to.be.below(2_000);
    expect(graph.nodes.length).to.be.within(3, 42);
  });

  it("computes what onnxruntime computes on random graphs", async () => {
    const first = 5_000;
    for (let seed = first; seed < first + 200; seed++) {
      const random = mulberry32(seed);
      const pick = (count: number): number => Math.floor(random() * count);
      const values = ["x"];
      const nodes: NodeInit[] = [];
      for (let i = 0; i < 3 + pick(8); i++) {
        const [a, b] = [values[pick(values.length)], values.at(-1)] as [string, string];
        const to = `v${i}`;
        const made = [
          () => n(["Sigmoid", "Tanh", "Softplus", "Abs", "Neg", "Relu", "Erf"][pick(7)] as string, b, to),
          () => n(["Add", "Sub", "Mul", "Max", "Min"][pick(5)] as string, `${a} ${b}`, to),
          () => n(["Add", "Sub", "Mul", "Div"][pick(4)] as string, `${b} two`, to),
          () => n("Clip", `${b} zero six`, to),
          () => n("MatMul", `${b} w`, to),
        ][pick(5)]; // prettier-ignore
        nodes.push((made as () => NodeInit)());
        values.push(to);
      }
      nodes.push(n("Identity", values.at(-1) as string, "y"));
      try {
        await agree(net(...nodes), undefined, 1e-4);
      } catch (cause) {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
      }
    }
  }).timeout(30_000);
});
