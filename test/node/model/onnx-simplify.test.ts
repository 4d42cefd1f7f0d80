// What the simplifier may do to a graph: it computes the same, gets smaller, and leaves affine maps where the quantizer
// wants them. Random graphs are compared with onnxruntime.
import { expect } from "chai";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import type { FloatAffine, FloatConv, FloatGraph } from "../../../node/model/graph.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { expectNear } from "../../support/near.ts";
import { bytesOf, ints, type ModelSpec, node, type NodeInit, noise, runOnnx, tensor, type TensorInit } from "../../support/onnx.ts"; // prettier-ignore

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const weights = (name: string, dims: readonly number[], seed = 7): TensorInit =>
  tensor(name, dims, noise(seed, product(dims)));
const opsOf = (graph: FloatGraph): string[] => graph.nodes.map(({ op }) => op);

async function read(spec: ModelSpec): Promise<FloatGraph> {
  const bytes = bytesOf(spec);
  const graph = await readModelBytes(bytes);
  const dims = (spec.input?.dims ?? [1, 4]) as number[];
  const input = noise(11, product(dims)).map((v) => Math.fround(2 * v));
  const expected = (await runOnnx(bytes, input, dims)).data;
  const actual = evaluateFloat(graph, Float64Array.from(input))[graph.outputs[0]?.ref ?? -1] as Float64Array;
  const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-3);
  expect(actual.length).to.equal(expected.length);
  expected.forEach((v, i) => expectNear(actual[i], v, 1e-4 * largest, `element ${i} of ${opsOf(graph).join(" ")}`)); // prettier-ignore
  return graph;
}

/** x * factor + bias -> Conv with zero padding */
const scaledConv = (factor: readonly number[], bias: readonly number[]): ModelSpec => ({
  nodes: [
    node("Mul", ["x", "f"], ["m"]),
    node("Add", ["m", "a"], ["s"]),
    node("Conv", ["s", "w"], ["y"], { pads: [1, 1, 1, 1] }),
  ],
  initializers: [
    tensor("f", [factor.length, 1, 1], factor),
    tensor("a", [bias.length, 1, 1], bias),
    weights("w", [3, 2, 3, 3]),
  ],
  input: { dims: [1, 2, 4, 4] },
});

describe("simplify: affine maps before a linear op", () => {
  it("fold into a conv when the factor is one scalar, with a bias per output element if there is padding", async () => {
    const graph = await read(scaledConv([1 / 255], [0]));
    expect(opsOf(graph)).to.deep.equal(["input", "conv"]);
    expect((graph.nodes[1] as FloatConv).bias.length).to.equal(3);
    const shifted = await read(scaledConv([1 / 255], [-0.5]));
    expect(opsOf(shifted)).to.deep.equal(["input", "conv"]);
    expect((shifted.nodes[1] as FloatConv).bias.length).to.equal(3 * 4 * 4);
  });

  it("fold per channel when the factors are within 4 of each other, and stay when they are not", async () => {
    expect(opsOf(await read(scaledConv([1 / 0.229, 1 / 0.224], [-2.1, -2])))).to.deep.equal(["input", "conv"]);
    expect(opsOf(await read(scaledConv([0.5, -2], [0, 1])))).to.deep.equal(["input", "conv"]);
    expect(opsOf(await read(scaledConv([0.5, 2.01], [0, 1])))).to.deep.equal(["input", "affine", "conv"]);
    expect(opsOf(await read(scaledConv([0.5, 0], [0, 1])))).to.deep.equal(["input", "affine", "conv"]);
    expect(opsOf(await read(scaledConv([0], [0])))).to.deep.equal(["input", "affine", "conv"]);
  });

  it("fold in one, though views that fell away had read them", async () => {
    const nodes = [
      node("Mul", ["x", "f"], ["a"]),
      node("Reshape", ["a", "s"], ["r"]),
      node("Reshape", ["r", "t"], ["q"]),
      node("Mul", ["q", "f"], ["b"]),
      node("MatMul", ["b", "w"], ["y"]),
    ];
    const initializers = [tensor("f", [], [0.5]), ints("s", [1, 1, 4]), ints("t", [1, 4]), weights("w", [4, 2])];
    const graph = await read({ nodes, initializers, input: { dims: [1, 2, 2] } });
    expect(opsOf(graph)).to.deep.equal(["input", "reshape", "dense"]);
  });

  it("fold into grouped convs by the group's own channels", async () => {
    const nodes = [node("Mul", ["x", "f"], ["m"]), node("Conv", ["m", "w"], ["y"], { group: 2 })];
    const list = [tensor("f", [4, 1, 1], [1, 2, 3, 4]), weights("w", [6, 2, 2, 2])];
    expect(opsOf(await read({ nodes, initializers: list, input: { dims: [1, 4, 3, 3] } }))).to.deep.equal(["input", "conv"]); // prettier-ignore
  });

  it("keep a standardisation of raw features right after the input, even behind a Flatten", async () => {
    const list = [tensor("mean", [4], [1, 10, 100, 1000]), tensor("std", [4], [0.1, 2, 30, 400]), weights("w", [4, 3])];
    const nodes = [
      node("Flatten", ["x"], ["f"]),
      node("Sub", ["f", "mean"], ["s"]),
      node("Div", ["s", "std"], ["d"]),
      node("MatMul", ["d", "w"], ["y"]),
    ];
    const graph = await read({ nodes, initializers: list, input: { dims: [1, 2, 2] } });
    expect(opsOf(graph)).to.deep.equal(["input", "affine", "reshape", "dense"]);
    expect(Array.from((graph.nodes[1] as FloatAffine).factor)).to.deep.equal([0.1, 2, 30, 400].map((v) => 1 / Math.fround(v))); // prettier-ignore
  });

  it("fold through a transposition and a reshape into a dense, feature by feature", async () => {
    const nodes = [
      node("Mul", ["x", "f"], ["m"]),
      node("Transpose", ["m"], ["t"], { perm: [0, 2, 3, 1] }),
      node("Flatten", ["t"], ["r"]),
      node("MatMul", ["r", "w"], ["y"]),
    ];
    const list = [tensor("f", [3, 1, 1], [1, 2, 3]), weights("w", [12, 2])];
    const graph = await read({ nodes, initializers: list, input: { dims: [1, 3, 2, 2] } });
    expect(opsOf(graph)).to.deep.equal(["input", "transpose", "reshape", "dense"]);
  });

  it("fold into each of two convs that read them, and stay for a third reader", async () => {
    const nodes = [
      node("Mul", ["x", "f"], ["m"]),
      node("Conv", ["m", "v"], ["a"]),
      node("Conv", ["m", "w"], ["b"]),
      node("Add", ["a", "b"], ["c"]),
    ];
    const initializers = [tensor("f", [], [0.25]), weights("v", [2, 2, 1, 1]), weights("w", [2, 2, 1, 1], 3)];
    const spec = { initializers, input: { dims: [1, 2, 3, 3] } };
    const two = await read({ ...spec, nodes: [...nodes, node("Relu", ["c"], ["y"])] });
    expect(opsOf(two)).to.deep.equal(["input", "conv", "conv", "sum", "clip"]);
    const three = await read({ ...spec, nodes: [...nodes, node("Add", ["c", "m"], ["y"])] });
    expect(opsOf(three)).to.deep.equal(["input", "affine", "conv", "conv", "sum", "sum"]);
  });
});

describe("simplify: affine maps that something else reads, too", () => {
  const square = { input: { dims: [1, 2, 2] } };
  const scale = [node("Mul", ["x", "f"], ["m"]), node("Reshape", ["m", "s"], ["r"])];
  const initializers = [tensor("f", [], [0.5]), ints("s", [1, 4]), weights("w", [4, 4])];

  it("stay behind a reshape that has a second reader", async () => {
    const nodes = [...scale, node("MatMul", ["r", "w"], ["d"]), node("Add", ["d", "r"], ["y"])];
    const graph = await read({ nodes, initializers, ...square });
    expect(opsOf(graph)).to.deep.equal(["input", "affine", "reshape", "dense", "sum"]);
  });

  it("fold through a reshape of their own", async () => {
    const nodes = [...scale, node("MatMul", ["r", "w"], ["d"]), node("Reshape", ["d", "t"], ["e"]), node("Add", ["e", "m"], ["y"])]; // prettier-ignore
    const graph = await read({ nodes, initializers: [...initializers, ints("t", [1, 2, 2])], ...square });
    expect(opsOf(graph)).to.deep.equal(["input", "affine", "reshape", "dense", "reshape", "sum"]);
    expect(graph.nodes[2]).to.include({ op: "reshape", x: 0 });
  });

  it("do not meet the next one, which may be foldable alone", async () => {
    const nodes = [
      node("Mul", ["x", "wide"], ["a"]),
      node("Mul", ["a", "f"], ["b"]),
      node("Conv", ["b", "k"], ["c"]),
      node("Add", ["c", "a"], ["y"]),
    ];
    const list = [tensor("wide", [2, 1, 1], [1, 100]), tensor("f", [], [0.5]), weights("k", [2, 2, 1, 1])];
    const graph = await read({ nodes, initializers: list, input: { dims: [1, 2, 3, 3] } });
    expect(opsOf(graph)).to.deep.equal(["input", "affine", "conv", "sum"]);
  });
});

describe("simplify: affine maps behind a linear op", () => {
  const behind = (factor: readonly number[], bias: readonly number[], bDims: readonly number[]): ModelSpec => ({
    nodes: [
      node("Conv", ["x", "w"], ["c"]),
      node("Mul", ["c", "f"], ["m"]),
      node("Add", ["m", "a"], ["y"]),
    ],
    initializers: [
      weights("w", [2, 2, 2, 2]),
      tensor("f", factor.length === 4 ? [2, 2] : [factor.length, 1, 1], factor),
      tensor("a", bDims, bias),
    ],
    input: { dims: [1, 2, 3, 3] },
  }); // prettier-ignore

  it("fold whatever their spread if they are per channel, with a bias of any shape", async () => {
    expect(opsOf(await read(behind([1e-3, 50], [1, 2], [2, 1, 1])))).to.deep.equal(["input", "conv"]);
    const map = await read(behind([1e-3, 50], [1, 2, 3, 4], [2, 2]));
    expect(opsOf(map)).to.deep.equal(["input", "conv"]);
    expect((map.nodes[1] as FloatConv).bias.length).to.equal(8);
  });

  it("fold on both sides of a conv, when its bias is one per output element already", async () => {
    const spec = scaledConv([0.5], [-0.5]);
    const nodes = spec.nodes.map((each) => (each.opType === "Conv" ? { ...each, output: ["c"] } : each));
    const map = [...(spec.initializers ?? []), weights("map", [4, 4])];
    const graph = await read({ ...spec, nodes: [...nodes, node("Add", ["c", "map"], ["y"])] as NodeInit[], initializers: map }); // prettier-ignore
    expect(opsOf(graph)).to.deep.equal(["input", "conv"]);
  });

  it("fold one after the other through reshapes that collapse", async () => {
    const nodes = [
      node("Conv", ["x", "w"], ["c"]),
      node("Mul", ["c", "f"], ["m"]),
      node("Reshape", ["m", "s"], ["r"]),
      node("Reshape", ["r", "t"], ["q"]),
      node("Mul", ["q", "f"], ["y"]),
    ];
    const initializers = [weights("w", [2, 2, 1, 1]), tensor("f", [], [0.5]), ints("s", [1, 8]), ints("t", [1, 4, 2])];
    const graph = await read({ nodes, initializers, input: { dims: [1, 2, 2, 2] } });
    expect(opsOf(graph)).to.deep.equal(["input", "conv", "reshape"]);
  });

  it("stay if the factor differs within a channel, or if something else reads the conv", async () => {
    expect(opsOf(await read(behind([1, 2, 3, 4], [0], [1])))).to.deep.equal(["input", "conv", "affine"]);
    const nodes = [node("Conv", ["x", "w"], ["c"]), node("Mul", ["c", "f"], ["m"]), node("Add", ["m", "c"], ["y"])];
    const initializers = [weights("w", [2, 2, 2, 2]), tensor("f", [], [3])];
    const graph = await read({ nodes, initializers, input: { dims: [1, 2, 3, 3] } });
    expect(opsOf(graph)).to.deep.equal(["input", "conv", "affine", "sum"]);
  });

  it("stay behind a dense of several rows if they differ from row to row", async () => {
    const spec = (dims: readonly number[]): ModelSpec => ({
      nodes: [node("MatMul", ["x", "w"], ["d"]), node("Mul", ["d", "f"], ["y"])],
      initializers: [weights("w", [4, 2]), weights("f", dims)],
      input: { dims: [1, 3, 4] },
    });
    expect(opsOf(await read(spec([2])))).to.deep.equal(["input", "dense"]);
    expect(opsOf(await read(spec([3, 1])))).to.deep.equal(["input", "dense", "affine"]);
  });
});

describe("simplify: views and padding", () => {
  it("collapses reshapes and transposes, and drops those that do nothing", async () => {
    const nodes = [
      node("Transpose", ["x"], ["a"], { perm: [0, 2, 1] }),
      node("Transpose", ["a"], ["b"], { perm: [0, 2, 1] }),
      node("Reshape", ["b", "s"], ["c"]),
      node("Relu", ["c"], ["d"]),
      node("Reshape", ["d", "t"], ["e"]),
      node("Transpose", ["e"], ["y"], { perm: [1, 0, 2] }),
    ];
    const graph = await read({ nodes, initializers: [ints("s", [1, 6]), ints("t", [1, 1, 6])], input: { dims: [1, 2, 3] } }); // prettier-ignore
    expect(opsOf(graph)).to.deep.equal(["input", "clip", "reshape"]);
  });

  const padded = (before: NodeInit[], value: number, last: NodeInit, pads = [0, 0, 1, 0, 0, 0, 1, 2]): ModelSpec => ({
    nodes: [...before, node("Pad", [before.length > 0 ? "r" : "x", "p", "v"], ["q"]), last],
    initializers: [ints("p", pads), tensor("v", [], [value]), weights("w", [2, 2, 2, 2])],
    input: { dims: [1, 2, 4, 4] },
  });
  const conv = node("Conv", ["q", "w"], ["y"], { pads: [1, 1, 0, 0] });
  const pool = node("MaxPool", ["q"], ["y"], { kernel_shape: [3, 3], strides: [2, 2] });

  it("takes zeros into a conv, and nothing else", async () => {
    expect(opsOf(await read(padded([], 0, conv)))).to.deep.equal(["input", "conv"]);
    expect(opsOf(await read(padded([], 0.5, conv)))).to.deep.equal(["input", "pad", "conv"]);
    const spec = padded([], 0, node("Conv", ["q", "wide"], ["y"]), [0, 1, 0, 0, 0, 0, 0, 0]);
    const channels = { ...spec, initializers: [...(spec.initializers ?? []), weights("wide", [2, 3, 2, 2])] };
    expect(opsOf(await read(channels))).to.deep.equal(["input", "pad", "conv"]);
  });

  it("takes minus infinity into a max-pool, and zeros behind a Relu, and nothing else", async () => {
    const relu = [node("Relu", ["x"], ["r"])];
    expect(opsOf(await read(padded([], -Infinity, pool)))).to.deep.equal(["input", "maxpool"]);
    expect(opsOf(await read(padded(relu, 0, pool)))).to.deep.equal(["input", "clip", "maxpool"]);
    expect(opsOf(await read(padded([], 0, pool)))).to.deep.equal(["input", "pad", "maxpool"]);
    expect(opsOf(await read(padded(relu, 0.1, pool)))).to.deep.equal(["input", "clip", "pad", "maxpool"]);
    const far = padded(relu, 0, pool, [0, 0, 3, 0, 0, 0, 0, 0]);
    expect(opsOf(await read(far)), "a window of padding only").to.deep.equal(["input", "clip", "pad", "maxpool"]);
  });

  it("makes an average pool behind zeros one convolution", async () => {
    const average = node("AveragePool", ["q"], ["y"], { kernel_shape: [3, 3], strides: [2, 2] });
    expect(opsOf(await read(padded([], 0, average)))).to.deep.equal(["input", "conv"]);
  });
});

describe("simplify: random graphs", () => {
  /** A random network over [1, C, H, W] tensors with residual additions, views and scales in every place. */
  function randomModel(seed: number): ModelSpec {
    const next = mulberry32(seed);
    const below = (n: number): number => Math.floor(next() * n);
    const nodes: NodeInit[] = [];
    const initializers: TensorInit[] = [];
    const values: { name: string; dims: number[] }[] = [
      { name: "x", dims: [1, 1 + below(3), 3 + below(3), 3 + below(3)] },
    ];
    const input = values[0]!.dims;
    const constant = (dims: readonly number[], scale = 1): string => {
      const name = `c${initializers.length}`;
      initializers.push(
        tensor(
          name,
          dims,
          noise(seed * 100 + initializers.length, product(dims)).map((v) => v * scale),
        ),
      );
      return name;
    };
    const push = (op: string, inputs: string[], dims: number[], attributes: Parameters<typeof node>[3] = {}): void => {
      const name = `v${nodes.length}`;
      nodes.push(node(op, inputs, [name], attributes));
      values.push({ name, dims });
    };
    for (let i = 0; i < 4 + below(9); i++) {
      const { name, dims } = next() < 0.75 ? values.at(-1)! : values[below(values.length)]!;
      const [, channels, height, width] = dims as [number, number, number, number];
      const constantDims = [[], [channels, 1, 1], [height, width], [1, channels, height, width]][below(4)]!;
      switch (below(10)) {
        case 0: {
          const maps = 1 + below(3);
          const w = constant([maps, channels, 2, 2]);
          push("Conv", [name, w], [1, maps, height + 1, width], { pads: [1, 0, 1, 1] });
          break;
        }
        case 1:
          push("Mul", [name, constant(constantDims, 2)], dims);
          break;
        case 2:
          push("Add", [name, constant(constantDims)], dims);
          break;
        case 3:
          push("Relu", [name], dims);
          break;
        case 4: {
          const perm = [0, ...[[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 3, 2]][below(4)]!]; // prettier-ignore
          push("Transpose", [name], perm.map((axis) => dims[axis]!), { perm }); // prettier-ignore
          break;
        }
        case 5: {
          const shape = [1, width, channels, height];
          initializers.push(ints(`c${initializers.length}`, shape));
          push("Reshape", [name, `c${initializers.length - 1}`], shape);
          break;
        }
        case 6: {
          initializers.push(ints(`c${initializers.length}`, [0, 0, 1, 0, 0, 0, 0, 1]));
          push("Pad", [name, `c${initializers.length - 1}`], [1, channels, height + 1, width + 1]);
          break;
        }
        case 7:
          if (height < 2 || width < 2) break;
          push(next() < 0.5 ? "MaxPool" : "AveragePool", [name], [1, channels, height, width - 1], { kernel_shape: [2, 2], pads: [1, 0, 0, 0] }); // prettier-ignore
          break;
        case 8: {
          const other = values.find((value) => value.name !== name && value.dims.join() === dims.join());
          if (other !== undefined) push(next() < 0.5 ? "Add" : "Sub", [name, other.name], dims);
          break;
        }
        default:
          push("MatMul", [name, constant([width, 3])], [1, channels, height, 3]);
      }
    }
    nodes.push(node("Identity", [values.at(-1)!.name], ["y"]));
    return { nodes, initializers, input: { dims: input } };
  }

  it("compute what onnxruntime computes, whatever is folded", async () => {
    const first = 20_000;
    for (let seed = first; seed < first + 400; seed++) {
      try {
        await read(randomModel(seed));
      } catch (cause) {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
      }
    }
  }).timeout(60_000);

  it("is done in linear time: 20,000 alternating views and scales", async () => {
    const nodes: NodeInit[] = [];
    for (let i = 0; i < 20_000; i++) {
      const [from, to] = [i === 0 ? "x" : `v${i - 1}`, `v${i}`];
      const attributes = { perm: i % 4 === 0 ? [0, 2, 1] : [0, 1, 2] };
      nodes.push(i % 2 === 0 ? node("Transpose", [from], [to], attributes) : node("Mul", [from, "f"], [to]));
    }
    nodes.push(node("MatMul", ["v19999", "w"], ["y"]));
    const initializers = [tensor("f", [], [1.0001]), weights("w", [2, 2])];
    const start = performance.now();
    const graph = await readModelBytes(bytesOf({ nodes, initializers, input: { dims: [1, 2, 2] } }));
    expect(performance.now() - start).to.be.below(5_000);
    expect(graph.nodes.length).to.be.below(20_002);
  }).timeout(20_000);
});
