// Each op that is read, with its edge attributes, against onnxruntime on the same file.
import { expect } from "chai";
import type { FloatGraph } from "../../../node/model/graph.ts";
import { OPSETS } from "../../../node/model/onnx/check.ts";
import {
  type AttributeOf,
  type Elem,
  ints,
  type ModelSpec,
  node,
  type NodeInit,
  noise,
  tensor,
  type TensorInit,
} from "../../support/onnx.ts";
import { agree as agreeTo, drawn, opsOf } from "../../support/onnxAgree.ts";

const OPSETS_TRIED = [11, 13, 17, 21, OPSETS.newest];

/** As agree(), to 1e-4; yields the graph. */
const agree = (spec: ModelSpec, inputs?: readonly ArrayLike<number>[]): Promise<FloatGraph> =>
  agreeTo(spec, inputs ?? [drawn(spec, 1), drawn(spec, 2)], 1e-4);

/** One op between "x" and "y". */
const single = (
  op: string,
  dims: readonly number[],
  attributes: Readonly<Record<string, AttributeOf>>,
  initializers: readonly TensorInit[] = [],
  opset = 17,
): ModelSpec => ({
  nodes: [node(op, ["x", ...initializers.map(({ name }) => name as string)], ["y"], attributes)],
  initializers,
  input: { dims },
  opset,
});
const weights = (name: string, dims: readonly number[], seed = 7): TensorInit =>
  tensor(
    name,
    dims,
    noise(
      seed,
      dims.reduce((a, b) => a * b, 1),
    ),
  );
const everyOpset = (title: string, test: (opset: number) => Promise<unknown>): void => {
  it(title, async () => {
    for (const opset of OPSETS_TRIED) await test(opset);
  }).timeout(30_000);
};

describe("onnx ops against onnxruntime: linear", () => {
  everyOpset("Gemm with every mix of alpha, beta, transA, transB and C", async (opset) => {
    for (const [alpha, beta] of [
      [1, 1],
      [0.5, -2],
      [1, 0],
    ] as const)
      // prettier-ignore
      for (const transA of [0, 1])
        for (const transB of [0, 1])
          for (const c of [undefined, [], [1], [3], [1, 3]]) {
            const rows = transA === 1 ? [4, 1] : [1, 4];
            const attributes = { alpha: { float: alpha }, beta: { float: beta }, transA, transB };
            const b = weights("b", transB === 1 ? [3, 4] : [4, 3]);
            const list = c === undefined ? [b] : [b, weights("c", c, 3)];
            const reshaped = [node("Reshape", ["x", "s"], ["r"]), node("Gemm", ["r", ...list.map((t) => t.name as string)], ["y"], attributes)]; // prettier-ignore
            await agree({ nodes: reshaped, initializers: [...list, ints("s", rows)], opset });
          }
  });

  it("Gemm of several rows, with C along either axis, and with the constant on the left", async () => {
    const lift = (list: readonly TensorInit[], inputs: string[], attributes = {}): ModelSpec => ({
      nodes: [node("Reshape", ["x", "s"], ["r"]), node("Gemm", inputs, ["y"], attributes)],
      initializers: [...list, ints("s", [3, 4])],
      input: { dims: [1, 12] },
    });
    for (const c of [[2], [3, 1], [3, 2], [1, 2], [1, 1]]) {
      await agree(lift([weights("b", [4, 2]), weights("c", c)], ["r", "b", "c"], { beta: { float: 2 } }));
    }
    for (const transA of [0, 1]) {
      const a = weights("a", transA === 1 ? [3, 2] : [2, 3]);
      await agree(lift([a, weights("c", [4], 3)], ["a", "r", "c"], { transA, alpha: { float: -0.5 } }));
    }
  });

  it("Gemm whose C depends on the input", async () => {
    const nodes = [node("Gemm", ["x", "b", "x"], ["y"], { beta: { float: 0.25 } })];
    await agree({ nodes, initializers: [weights("b", [4, 4])] });
  });

  everyOpset("MatMul with the constant on either side, and with vectors", async (opset) => {
    const cases: [number[], number[], boolean][] = [
      [[1, 4], [4, 3], false],
      [[1, 2, 4], [4, 3], false],
      [[1, 2, 4], [1, 4, 3], false],
      [[1, 4], [1, 1, 4, 3], false],
      [[1, 2, 4], [4], false],
      [[1, 4], [4], false],
      [[1, 3, 4], [2, 3], true],
      [[1, 3, 4], [1, 2, 3], true],
      [[1, 3, 4], [3], true],
    ]; // prettier-ignore
    for (const [dims, w, left] of cases) {
      const inputs = left ? ["w", "x"] : ["x", "w"];
      await agree({ nodes: [node("MatMul", inputs, ["y"])], initializers: [weights("w", w)], input: { dims }, opset });
    }
  });

  it("MatMul of a vector that depends on the input", async () => {
    for (const inputs of [
      ["r", "w"],
      ["v", "r"],
    ]) {
      const nodes = [node("Reshape", ["x", "s"], ["r"]), node("MatMul", inputs, ["y"])];
      await agree({ nodes, initializers: [ints("s", [4]), weights("w", [4, 3]), weights("v", [3, 4])] });
    }
  });

  const convs: [string, number[], number[], Record<string, AttributeOf>][] = [
    ["plain", [1, 2, 6, 5], [3, 2, 3, 3], {}],
    ["kernel_shape stated", [1, 2, 6, 5], [3, 2, 3, 2], { kernel_shape: [3, 2] }],
    ["strides and uneven pads", [1, 2, 7, 6], [3, 2, 3, 2], { strides: [2, 3], pads: [1, 0, 2, 1] }],
    ["dilations", [1, 1, 9, 8], [2, 1, 3, 2], { dilations: [2, 3], pads: [1, 2, 0, 1] }],
    ["groups", [1, 4, 5, 5], [6, 2, 3, 3], { group: 2, pads: [1, 1, 1, 1] }],
    ["depthwise with a multiplier", [1, 3, 5, 5], [6, 1, 3, 3], { group: 3 }],
    ["1x1", [1, 3, 4, 4], [5, 3, 1, 1], {}],
    ["stride wider than the kernel", [1, 1, 7, 7], [1, 1, 1, 1], { strides: [3, 3] }],
    ["SAME_UPPER", [1, 2, 7, 6], [3, 2, 3, 2], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
    ["SAME_UPPER, uneven", [1, 1, 7, 6], [1, 1, 4, 3], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
    ["SAME_LOWER", [1, 2, 7, 6], [3, 2, 4, 2], { auto_pad: "SAME_LOWER", strides: [2, 1] }],
    [
      "SAME_UPPER, stride wider than the kernel",
      [1, 1, 7, 8],
      [1, 1, 1, 1],
      { auto_pad: "SAME_UPPER", strides: [3, 3] },
    ],
    ["VALID", [1, 2, 7, 6], [3, 2, 3, 2], { auto_pad: "VALID", strides: [2, 2] }],
    ["pads wider than the kernel", [1, 1, 2, 2], [1, 1, 2, 2], { pads: [3, 3, 3, 3] }],
    ["1-D", [1, 2, 9], [3, 2, 3], { pads: [1, 2], strides: [2], dilations: [2] }],
    ["1-D SAME_LOWER", [1, 2, 9], [4, 1, 4], { auto_pad: "SAME_LOWER", group: 2, strides: [2] }],
  ];
  for (const [title, dims, w, attributes] of convs) {
    it(`Conv: ${title}`, async () => {
      for (const opset of [11, OPSETS.newest]) {
        await agree(single("Conv", dims, attributes, [weights("w", w), weights("b", [w[0] as number], 3)], opset));
        await agree(single("Conv", dims, attributes, [weights("w", w)], opset));
      }
    });
  }

  everyOpset("BatchNormalization after Conv (2-D, 1-D), Gemm, MatMul, on the input and after Relu", async (opset) => {
    const norm = (channels: number): TensorInit[] => [
      weights("scale", [channels], 1),
      weights("shift", [channels], 2),
      weights("mean", [channels], 3),
      tensor("var", [channels], noise(4, channels).map((v) => v + 1.2)), // prettier-ignore
    ];
    const bn = (from: string): NodeInit =>
      node("BatchNormalization", [from, "scale", "shift", "mean", "var"], ["y"], { epsilon: { float: 0.01 } });
    const conv = { nodes: [node("Conv", ["x", "w", "b"], ["c"], { pads: [1, 1, 1, 1] }), bn("c")], opset };
    const folded = await agree({
      ...conv,
      initializers: [weights("w", [3, 2, 3, 3]), weights("b", [3]), ...norm(3)],
      input: { dims: [1, 2, 4, 4] },
    });
    expect(opsOf(folded)).to.deep.equal(["input", "conv"]);
    const line = await agree({
      nodes: [node("Conv", ["x", "w"], ["c"]), bn("c")],
      initializers: [weights("w", [3, 2, 3]), ...norm(3)],
      input: { dims: [1, 2, 6] },
      opset,
    });
    expect(opsOf(line)).to.deep.equal(["input", "reshape", "conv", "reshape"]);
    for (const op of ["Gemm", "MatMul"]) {
      const graph = await agree({ nodes: [node(op, ["x", "w"], ["c"]), bn("c")], initializers: [weights("w", [4, 5]), ...norm(5)], opset }); // prettier-ignore
      expect(opsOf(graph)).to.deep.equal(["input", "dense"]);
    }
    await agree({ nodes: [bn("x")], initializers: norm(3), input: { dims: [1, 3, 2, 2] }, opset });
    await agree({ nodes: [bn("x")], initializers: norm(3), input: { dims: [1, 3] }, opset });
    await agree({ nodes: [node("Relu", ["x"], ["r"]), bn("r")], initializers: norm(3), input: { dims: [1, 3, 2, 2] }, opset }); // prettier-ignore
  });
});

describe("onnx ops against onnxruntime: pools", () => {
  const pools: [string, number[], Record<string, AttributeOf>][] = [
    ["plain", [1, 2, 6, 6], { kernel_shape: [2, 2], strides: [2, 2] }],
    ["stride 1 by default", [1, 1, 5, 5], { kernel_shape: [3, 2] }],
    ["uneven pads", [1, 2, 6, 5], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 0, 2, 1] }],
    ["ceil_mode", [1, 1, 6, 5], { kernel_shape: [3, 2], strides: [2, 2], ceil_mode: 1 }],
    ["ceil_mode with pads", [1, 1, 6, 7], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }],
    ["ceil_mode whose last window would start outside", [1, 1, 4, 4], { kernel_shape: [2, 2], strides: [3, 3], pads: [1, 1, 1, 1], ceil_mode: 1 }],
    ["ceil_mode with a window outside", [1, 1, 3, 3], { kernel_shape: [1, 1], strides: [3, 3], ceil_mode: 1 }],
    ["SAME_UPPER", [1, 1, 7, 6], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: "SAME_UPPER" }],
    ["SAME_LOWER", [1, 1, 7, 6], { kernel_shape: [4, 2], strides: [2, 1], auto_pad: "SAME_LOWER" }],
    ["VALID", [1, 1, 7, 6], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: "VALID" }],
    ["1-D", [1, 2, 9], { kernel_shape: [3], strides: [2], pads: [1, 1] }],
    ["1-D ceil_mode", [1, 2, 8], { kernel_shape: [3], strides: [2], pads: [1, 0], ceil_mode: 1 }],
    ["whole plane", [1, 2, 4, 4], { kernel_shape: [4, 4] }],
  ]; // prettier-ignore
  const dilated: [string, number[], Record<string, AttributeOf>][] = [
    ["dilations", [1, 1, 9, 9], { kernel_shape: [2, 3], dilations: [3, 2], strides: [2, 1] }],
    ["dilations and pads", [1, 1, 7, 7], { kernel_shape: [2, 3], dilations: [2, 2], pads: [1, 2, 1, 0] }],
    ["dilations and ceil_mode", [1, 1, 8, 8], { kernel_shape: [2, 2], dilations: [3, 2], strides: [3, 3], ceil_mode: 1 }],
    ["1-D dilations", [1, 1, 9], { kernel_shape: [3], dilations: [2] }],
  ]; // prettier-ignore
  for (const [title, dims, attributes] of [...pools, ...dilated]) {
    everyOpset(`MaxPool: ${title}`, async (opset) => agree(single("MaxPool", dims, attributes, [], opset)));
  }
  for (const [title, dims, attributes] of pools) {
    everyOpset(`AveragePool: ${title}, padding counted or not`, async (opset) => {
      for (const count_include_pad of [0, 1]) {
        await agree(single("AveragePool", dims, { ...attributes, count_include_pad }, [], opset));
      }
    });
  }
  for (const [title, dims, attributes] of dilated) {
    it(`AveragePool: ${title}, padding counted or not (from opset 19 on)`, async () => {
      for (const count_include_pad of [0, 1]) {
        for (const opset of [19, 22, OPSETS.newest]) {
          await agree(single("AveragePool", dims, { ...attributes, count_include_pad }, [], opset));
        }
      }
    });
  }
  everyOpset("GlobalAveragePool and GlobalMaxPool, 1-D and 2-D", async (opset) => {
    for (const op of ["GlobalAveragePool", "GlobalMaxPool"]) {
      await agree(single(op, [1, 3, 4, 5], {}, [], opset));
      await agree(single(op, [1, 3, 7], {}, [], opset));
    }
  });
  it("ReduceMean over the spatial axes, given as attribute and as input, with and without keepdims", async () => {
    for (const keepdims of [0, 1]) {
      await agree(single("ReduceMean", [1, 3, 4, 5], { axes: [2, 3], keepdims }, [], 13));
      await agree(single("ReduceMean", [1, 3, 4, 5], { axes: [-1, -2], keepdims }, [], 11));
      await agree(single("ReduceMean", [1, 3, 4, 5], { keepdims }, [ints("axes", [2, 3])], 18));
      await agree(single("ReduceMean", [1, 3, 6], { keepdims }, [ints("axes", [-1])], 21));
    }
  });
});

describe("onnx ops against onnxruntime: element by element", () => {
  everyOpset("Relu, Clip with any of its bounds, LeakyRelu with any slope", async (opset) => {
    await agree(single("Relu", [1, 9], {}, [], opset));
    const lo = tensor("lo", [], [-0.5]);
    const hi = tensor("hi", [], [1.25]);
    for (const inputs of [["x"], ["x", "lo"], ["x", "", "hi"], ["x", "lo", "hi"]]) {
      await agree({ nodes: [node("Clip", inputs, ["y"])], initializers: [lo, hi], input: { dims: [1, 9] }, opset });
    }
    for (const alpha of [undefined, 0, 0.3, 1, 1.5, 4, -0.5]) {
      const attributes: Record<string, AttributeOf> = alpha === undefined ? {} : { alpha: { float: alpha } };
      await agree(single("LeakyRelu", [1, 9], attributes, [], opset));
    }
  });

  everyOpset("Add, Sub, Mul and Div with a constant on either side, of any shape that broadcasts", async (opset) => {
    for (const op of ["Add", "Sub", "Mul", "Div"]) {
      for (const dims of [[], [1], [3], [2, 1], [1, 2, 3], [1, 2, 1], [4, 1, 1], [1, 1, 2, 3]]) {
        const spec = { initializers: [weights("c", dims)], input: { dims: [1, 2, 3] }, opset };
        await agree({ nodes: [node(op, ["x", "c"], ["y"])], ...spec });
        if (op !== "Div") await agree({ nodes: [node(op, ["c", "x"], ["y"])], ...spec });
      }
    }
  });

  everyOpset("Add and Sub of two tensors of the graph, equal or broadcast", async (opset) => {
    for (const op of ["Add", "Sub"]) {
      const relu = node("Relu", ["x"], ["r"]);
      await agree({ nodes: [relu, node(op, ["r", "x"], ["y"])], input: { dims: [1, 3, 2] }, opset });
      await agree({ nodes: [node(op, ["x", "x"], ["y"])], opset });
      const pooled = [node("GlobalMaxPool", ["x"], ["p"]), node(op, ["x", "p"], ["y"])];
      await agree({ nodes: pooled, input: { dims: [1, 3, 2, 4] }, opset });
      const flat = [node("Flatten", ["x"], ["f"]), node(op, ["f", "x"], ["y"])];
      await agree({ nodes: flat, input: { dims: [1, 1, 1, 4] }, opset });
    }
  });
});

describe("onnx ops against onnxruntime: layout", () => {
  everyOpset("Flatten at every axis", async (opset) => {
    for (const axis of [-3, -1, 0, 1, 2, 3]) await agree(single("Flatten", [1, 3, 4], { axis }, [], opset));
  });

  everyOpset("Reshape with 0, -1 and plain sizes", async (opset) => {
    for (const shape of [[1, 12], [0, -1], [0, 4, 3], [-1], [1, 0, 2, -1], [1, 2, 2, 3]]) {
      await agree(single("Reshape", [1, 3, 4], {}, [ints("s", shape)], opset));
    }
    if (opset >= 14) await agree(single("Reshape", [1, 3, 4], { allowzero: 1 }, [ints("s", [1, -1, 2])], opset));
  });

  everyOpset("Squeeze and Unsqueeze, with axes as attribute, input or left out", async (opset) => {
    for (const axes of [[1], [-1], [1, 3], undefined]) {
      const given: readonly number[] = axes ?? [];
      const attributes: Record<string, AttributeOf> = axes !== undefined && opset < 13 ? { axes: given } : {};
      const inputs = axes !== undefined && opset >= 13 ? [ints("a", given)] : [];
      await agree(single("Squeeze", [1, 1, 3, 1], attributes, inputs, opset));
      if (axes !== undefined) await agree(single("Unsqueeze", [1, 3], attributes, inputs, opset));
    }
    // An empty list is none.
    const none = opset < 13 ? [] : [ints("a", [])];
    await agree(single("Squeeze", [1, 1, 3, 1], {}, none, opset));
  });

  everyOpset("Transpose, by perm and reversed", async (opset) => {
    for (const perm of [
      [0, 2, 1],
      [0, 1, 2],
      [2, 0, 1],
      [1, 2, 0],
    ]) {
      await agree(single("Transpose", [1, 3, 4], { perm }, [], opset));
    }
    await agree(single("Transpose", [1, 3, 4], {}, [], opset));
  });

  everyOpset("Concat of tensors along any axis", async (opset) => {
    for (const axis of [1, 2, 3, -1]) {
      const nodes = [node("Relu", ["x"], ["r"]), node("Concat", ["r", "x", "r"], ["y"], { axis })];
      await agree({ nodes, input: { dims: [1, 2, 3, 2] }, opset });
    }
    await agree({ nodes: [node("Concat", ["x"], ["y"], { axis: 1 })], opset });
  });

  everyOpset("Pad of any axes, by any value", async (opset) => {
    const padded = (list: TensorInit[]): ModelSpec => single("Pad", [1, 2, 3, 2], {}, list, opset);
    await agree(padded([ints("p", [0, 1, 2, 0, 0, 0, 1, 3])]));
    await agree(padded([ints("p", [0, 0, 1, 1, 0, 0, 1, 1]), tensor("v", [], [-2.5])]));
    await agree(padded([ints("p", [0, 0, 0, 0, 0, 0, 0, 0])]));
    if (opset >= 18) {
      const nodes = [node("Pad", ["x", "p", "", "a"], ["y"], { mode: "constant" })];
      await agree({ nodes, initializers: [ints("p", [1, 2]), ints("a", [-1])], input: { dims: [1, 2, 3] }, opset });
    }
  });

  everyOpset("Identity and Dropout vanish", async (opset) => {
    const nodes = [node("Identity", ["x"], ["i"]), node("Dropout", ["i"], ["d", "mask"]), node("Relu", ["d"], ["y"])];
    expect(opsOf(await agree({ nodes, opset }))).to.deep.equal(["input", "clip"]);
  });

  it("Cast of every integer input to float", async () => {
    for (const type of ["uint8", "int8", "uint16", "int16", "int32", "int64", "bool"] as const satisfies Elem[]) {
      const nodes = [node("Cast", ["x"], ["f"], { to: 1 }), node("Mul", ["f", "c"], ["y"])];
      const inputs = type === "bool" ? [[1, 0, 0, 1]] : [[0, 1, 5, 127]];
      const spec = { nodes, initializers: [tensor("c", [], [0.5])], input: { dims: [1, 4], type } };
      const graph = await agree(spec, inputs);
      expect(graph.nodes[0]).to.include({ op: "input", elemType: type });
      expect(opsOf(graph)).to.deep.equal(["input", ...(type === "bool" ? ["compare"] : []), "affine"]);
    }
    const wider = [node("Cast", ["x"], ["i"], { to: 6 }), node("Flatten", ["i"], ["g"]), node("Cast", ["g"], ["y"], { to: 1 })]; // prettier-ignore
    await agree({ nodes: wider, input: { dims: [1, 2, 2], type: "uint8" } });
    const double = [node("Cast", ["x"], ["d"], { to: 11 }), node("Cast", ["d"], ["e"], { to: 1 }), node("Relu", ["e"], ["y"])]; // prettier-ignore
    await agree({ nodes: double });
  });
});

describe("onnx ops against onnxruntime: shape arithmetic folds", () => {
  everyOpset("x.view(x.size(0), -1) as PyTorch writes it", async (opset) => {
    const axes = opset < 13 ? { attributes: { axes: [0] }, more: [] } : { attributes: {}, more: ["zero"] };
    const nodes = [
      node("Shape", ["x"], ["shape"]),
      node("Constant", [], ["index"], { value: { tensor: tensor("", [], [0], "int64") } }),
      node("Gather", ["shape", "index"], ["batch"], { axis: 0 }),
      node("Unsqueeze", ["batch", ...axes.more], ["lifted"], axes.attributes),
      node("Concat", ["lifted", "minus"], ["target"], { axis: 0 }),
      node("Reshape", ["x", "target"], ["y"]),
    ];
    const initializers = [ints("minus", [-1]), ints("zero", [0])];
    const graph = await agree({ nodes, initializers, input: { dims: [1, 3, 2, 2] }, opset });
    expect(opsOf(graph)).to.deep.equal(["input", "reshape"]);
  });

  it("Slice in all directions, Mul, Div, Sub, Cast, ConstantOfShape, Range and Squeeze", async () => {
    const slices: [number[], number[], number[]?, number[]?][] = [
      [[0], [2]],
      [[1], [2 ** 62]],
      [[-1], [-5], [0], [-1]],
      [[3], [-(2 ** 62)], [0], [-2]],
      [[-2], [4], [-1]],
    ];
    for (const [starts, ends, axes, steps] of slices) {
      const given = [ints("starts", starts), ints("ends", ends), ...(axes ? [ints("axes", axes)] : []), ...(steps ? [ints("steps", steps)] : [])]; // prettier-ignore
      const nodes = [
        node("Slice", ["data", ...given.map(({ name }) => name as string)], ["part"]),
        node("Cast", ["part"], ["f"], { to: 1 }),
        node("Concat", ["f", "f"], ["two"], { axis: 0 }),
        node("MatMul", ["x", "ones"], ["m"]),
        node("Add", ["m", "two"], ["y"]),
      ];
      await agree({ nodes, initializers: [ints("data", [5, 7, 11, 13]), weights("ones", [4, 1]), ...given] });
    }
    const nodes = [
      node("Shape", ["x"], ["shape"]),
      node("Slice", ["shape", "one", "two"], ["features"]),
      node("Mul", ["features", "two"], ["eight"]),
      node("Div", ["eight", "minus3"], ["minus2"]),
      node("Sub", ["one", "minus2"], ["three"]),
      node("Squeeze", ["three"], ["scalar"]),
      node("Range", ["zero0", "scalar", "one0"], ["range"]),
      node("Cast", ["range"], ["floats"], { to: 1 }),
      node("ConstantOfShape", ["three"], ["halves"], { value: { tensor: tensor("", [1], [0.5]) } }),
      node("Mul", ["floats", "halves"], ["bias"]),
      node("Gemm", ["x", "w", "bias"], ["y"]),
    ];
    const scalars = [tensor("zero0", [], [0], "int64"), tensor("one0", [], [1], "int64")];
    const initializers = [ints("one", [1]), ints("two", [2]), ints("minus3", [-3]), weights("w", [4, 3]), ...scalars];
    const graph = await agree({ nodes, initializers });
    expect(opsOf(graph)).to.deep.equal(["input", "dense"]);
    expect(Array.from((graph.nodes[1] as { bias: Float64Array }).bias)).to.deep.equal([0, 0.5, 1]);
  });

  it("Constant in all its forms, and Shape with start and end", async () => {
    const forms: [Record<string, AttributeOf>, boolean][] = [
      [{ value: { tensor: tensor("", [2], [1.5, -1]) } }, false],
      [{ value_float: { float: 0.25 } }, false],
      [{ value_floats: { floats: [0.25, 4] } }, false],
      [{ value_int: 3 }, true],
      [{ value_ints: [3, -4] }, true],
    ];
    for (const [attributes, cast] of forms) {
      const nodes = [node("Constant", [], ["c"], attributes), ...(cast ? [node("Cast", ["c"], ["f"], { to: 1 })] : []), node("Add", ["x", cast ? "f" : "c"], ["y"])]; // prettier-ignore
      await agree({ nodes, input: { dims: [1, 2] }, opset: 13 });
    }
    for (const part of [{ start: 1 }, { start: -2, end: -1 }, { end: 9 }]) {
      const nodes = [node("Shape", ["x"], ["s"], part), node("Cast", ["s"], ["f"], { to: 1 }), node("Add", ["l", "f"], ["y"]), node("MatMul", ["x", "w"], ["l"])]; // prettier-ignore
      await agree({ nodes, initializers: [weights("w", [4, 1])], input: { dims: [1, 3, 4] }, opset: 15 });
    }
  });
});

describe("onnx ops against onnxruntime: ends", () => {
  it("Softmax and LogSoftmax over one axis from opset 13 on, over all from the axis on before", async () => {
    for (const op of ["Softmax", "LogSoftmax"]) {
      for (const axis of [undefined, 1, 2, -1, 0]) {
        const attributes: Record<string, AttributeOf> = axis === undefined ? {} : { axis };
        for (const opset of [13, OPSETS.newest]) await agree(single(op, [1, 3, 4], attributes, [], opset));
      }
      await agree(single(op, [1, 5], {}, [], 11));
      await agree(single(op, [1, 3, 4], { axis: 2 }, [], 11));
      await agree(single(op, [1, 5, 1, 1], {}, [], 12));
      await agree(single(op, [1, 1, 5], { axis: 0 }, [], 12));
    }
  });

  it("leaves a softmax over one axis to the reader of the answer, and proves the old one over several", async () => {
    expect((await agree(single("Softmax", [1, 3, 4], {}, [], 13))).outputs[0]?.finalSoftmax).to.deep.equal({ kind: "softmax", axis: 2 }); // prettier-ignore
    const flat = await agree(single("Softmax", [1, 3, 4], { axis: 1 }, [], 12));
    expect(flat.outputs[0]?.finalSoftmax).to.equal(undefined);
    expect(opsOf(flat)).to.deep.equal(["input", "reshape", "softmax", "reshape"]);
  });

  everyOpset("ArgMax along any axis, kept or not, the first among equals", async (opset) => {
    await agree({ ...single("ArgMax", [1, 4], {}, [], opset), outputType: "int64" });
    for (const keepdims of [0, 1]) {
      for (const axis of [0, 1, 2, -1]) {
        const spec = { ...single("ArgMax", [1, 3, 4], { axis, keepdims }, [], opset), outputType: "int64" as const };
        await agree(spec, [noise(5, 12).map((v) => Math.round(v * 3)), new Array<number>(12).fill(2)]);
      }
    }
  });

  it("ArgMax after Softmax over the same axis needs no Softmax, and a cast or reshape may follow", async () => {
    const nodes = [
      node("Softmax", ["x"], ["s"], { axis: 1 }),
      node("ArgMax", ["s"], ["a"], { axis: 1, keepdims: 0 }),
      node("Cast", ["a"], ["f"], { to: 1 }),
      node("Unsqueeze", ["f", "one"], ["y"]),
    ];
    const graph = await agree({ nodes, initializers: [ints("one", [1])], input: { dims: [1, 6] } });
    expect(graph.outputs[0]?.finalSoftmax).to.equal(undefined);
    expect(opsOf(graph)).to.deep.equal(["input", "argmax"]);
  });
});
