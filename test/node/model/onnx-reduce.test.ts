// Reductions, running sums, extremes, norms and softmax, with their edge attributes, against onnxruntime on the same file.
import { expect } from "chai";
import { type AttributeOf, type Elem, ints, type ModelSpec, node, noise, tensor, type TensorInit } from "../../support/onnx.ts"; // prettier-ignore
import { agree, opsOf, refused } from "../../support/onnxAgree.ts";

const OPSETS_TRIED = [11, 13, 17, 18, 21, 26];
const single = (
  op: string,
  dims: readonly number[],
  attributes: Readonly<Record<string, AttributeOf>>,
  initializers: readonly TensorInit[] = [],
  more: Partial<ModelSpec> & { readonly type?: Elem } = {},
): ModelSpec => ({
  nodes: [node(op, ["x", ...initializers.map(({ name }) => name as string)], ["y"], attributes)],
  initializers,
  input: { dims, ...(more.type === undefined ? {} : { type: more.type }) },
  ...more,
});
const everyOpset = (title: string, test: (opset: number) => Promise<unknown>, since = 11): void => {
  it(title, async () => {
    for (const opset of OPSETS_TRIED.filter((opset) => opset >= since)) await test(opset);
  }).timeout(30_000);
};
const positive = (size: number): number[][] => [1, 2].map((seed) => noise(seed, size).map((v) => Math.fround(v + 1.5)));
const SIZE = 1 * 3 * 4 * 2;

describe("onnx ops against onnxruntime: reductions", () => {
  const OPS = [
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
  ];
  /** Axes as an attribute or an input, as the opset has it. */
  const axesAt = (op: string, opset: number): boolean => opset >= (op === "ReduceSum" ? 13 : 18);
  for (const op of OPS) {
    everyOpset(`${op} over any axes, with and without keepdims`, async (opset) => {
      for (const axes of [undefined, [1], [-1], [2, 3], [-3, 3], [0], [3, 1, 2, 0]]) {
        for (const keepdims of [0, 1]) {
          const input = axesAt(op, opset);
          const attributes = { keepdims, ...(axes === undefined || input ? {} : { axes }) };
          const list = axes === undefined || !input ? [] : [ints("a", axes)];
          await agree(single(op, [1, 3, 4, 2], attributes, list, { opset }), positive(SIZE));
        }
      }
    });

    it(`${op} of no axes is the tensor itself where noop_with_empty_axes says so`, async () => {
      for (const opset of [18, 21, 26]) {
        for (const noop_with_empty_axes of [0, 1]) {
          for (const list of [[], [ints("a", [])]]) {
            await agree(single(op, [1, 3, 4, 2], { noop_with_empty_axes }, list, { opset }), positive(SIZE));
          }
        }
      }
    });

    it(`${op} of constants folds`, async () => {
      const nodes = [node(op, ["c"], ["r"], { axes: [1], keepdims: 1 }), node("Add", ["x", "r"], ["y"])];
      const c = tensor("c", [4, 3], (positive(12) as [number[]])[0]);
      const graph = await agree({ nodes, initializers: [c], input: { dims: [4, 2] }, opset: 12 });
      expect(opsOf(graph)).to.deep.equal(["input", "affine"]);
    });
  }

  it("a mean over the plane stays a convolution, which takes in what is around it", async () => {
    const graph = await agree(single("ReduceMean", [1, 3, 4, 4], { axes: [-1, -2], keepdims: 0 }));
    expect(opsOf(graph)).to.include("conv");
  });

  it("sums and maxima of integers stay integers; other reductions of them are refused", async () => {
    const list = [ints("a", [1])];
    for (const op of ["ReduceSum", "ReduceMax"]) {
      const nodes = [node(op, ["x", "a"], ["r"], { keepdims: 0 }), node("Cast", ["r"], ["y"], { to: 1 })];
      await agree({ nodes, initializers: list, input: { dims: [1, 4], type: "int32" }, opset: 18 });
    }
    await refused(single("ReduceMean", [1, 4], {}, list, { input: { dims: [1, 4], type: "int32" }, opset: 18 }), "unsupported", "int32"); // prettier-ignore
  });

  everyOpset("CumSum, exclusive and reversed, along any axis", async (opset) => {
    for (const axis of [0, 1, -1]) {
      for (const exclusive of [0, 1]) {
        for (const reverse of [0, 1]) {
          const list = [tensor("a", [], [axis], "int64")];
          await agree(single("CumSum", [2, 3, 4], { exclusive, reverse }, list, { opset }));
        }
      }
    }
  });

  everyOpset("LpNormalization with norms 1 and 2", async (opset) => {
    for (const p of [1, 2]) {
      for (const axis of [-1, 1]) await agree(single("LpNormalization", [1, 3, 4], { p, axis }, [], { opset }));
    }
  });

  // onnxruntime has no LpPool of opset 22.
  everyOpset("LpPool and GlobalLpPool with norms 1 and 2", async (given) => {
    const opset = Math.min(given, 21);
    for (const p of [1, 2]) {
      await agree(single("LpPool", [1, 2, 5, 6], { p, kernel_shape: [2, 3], strides: [1, 2] }, [], { opset }));
      await agree(single("LpPool", [1, 2, 5, 6], { p, kernel_shape: [3, 3], pads: [1, 0, 1, 1] }, [], { opset }));
      await agree(single("LpPool", [1, 1, 7, 6], { p, kernel_shape: [3, 2], strides: [2, 2], auto_pad: "SAME_UPPER" }, [], { opset })); // prettier-ignore
      if (opset >= 18) {
        const more = { kernel_shape: [2, 2], strides: [2, 2], dilations: [2, 1], ceil_mode: 1 };
        await agree(single("LpPool", [1, 2, 6, 5], { p, ...more }, [], { opset }));
      }
      await agree(single("GlobalLpPool", [1, 2, 3, 4], { p }, [], { opset }));
    }
    await refused(single("GlobalLpPool", [1, 2, 3, 4], { p: 3 }, [], { opset }), "unsupported", "its p is 3");
  });
});

describe("onnx ops against onnxruntime: extremes", () => {
  /** Rows with ties, and rows that are equal throughout. */
  const ties = [
    [1, 3, 3, 2, 3, 1, 0, 0, 0, 0, 0, 0],
    [-1, -1, -2, -2, -1, -3, 5, 4, 5, 4, 5, 4],
  ];

  everyOpset("ArgMax and ArgMin with ties, first and last, along any axis", async (opset) => {
    for (const op of ["ArgMax", "ArgMin"]) {
      for (const axis of [0, 1, -1]) {
        for (const keepdims of [0, 1]) {
          for (const select_last_index of opset < 12 ? [undefined] : [0, 1]) {
            const attributes = { axis, keepdims, ...(select_last_index === undefined ? {} : { select_last_index }) };
            await agree(single(op, [2, 2, 3], attributes, [], { opset, outputType: "int64" }), ties);
          }
        }
      }
    }
  });

  everyOpset("TopK: largest and smallest, every k, values and indices, with ties", async (opset) => {
    for (const largest of [0, 1]) {
      for (const [axis, dims] of [
        [-1, [2, 6]],
        [0, [6, 2]],
        [1, [1, 3, 4]],
      ] as const) {
        for (const k of axis === 1 ? [2, 3] : [1, 2, 6]) {
          const spec = single("TopK", dims, { axis, largest }, [ints("k", [k])], { opset });
          const nodes = [node("TopK", ["x", "k"], ["y", "i"], { axis, largest })];
          await agree({ ...spec, nodes, moreOutputs: [{ name: "i", type: "int64" }] }, [...ties, noise(3, 12)]);
        }
      }
    }
  });

  it("TopK of more elements than there are, or of too many rounds, is refused", async () => {
    await refused(single("TopK", [1, 4], {}, [ints("k", [5])]), "input", "wants 5 of 4 elements");
    await refused(single("TopK", [1, 99], {}, [ints("k", [65])]), "input", "more than 64");
    const nodes = [node("TopK", ["x", "k"], ["y", "i"])];
    await agree({ nodes, initializers: [ints("k", [4])], moreOutputs: [{ name: "i", type: "int64" }] });
  });
});

describe("onnx ops against onnxruntime: softmax in the middle of a model", () => {
  everyOpset("Softmax and LogSoftmax over any axis, in the form of the opset", async (opset) => {
    for (const op of ["Softmax", "LogSoftmax"]) {
      for (const axis of [undefined, 0, 1, 2, -1, ...(opset < 13 ? [] : [-2])]) {
        const nodes = [node(op, ["x"], ["s"], axis === undefined ? {} : { axis }), node("Mul", ["s", "c"], ["y"])];
        await agree({ nodes, initializers: [tensor("c", [], [2])], input: { dims: [2, 3, 4] }, opset });
      }
    }
  });

  it("does not overflow where the scores are large", async () => {
    const nodes = [node("Softmax", ["x"], ["s"]), node("Neg", ["s"], ["y"])];
    await agree({ nodes }, [
      [1000, 999, -1000, 0],
      [-900, -901, -902, -990],
    ]);
  });
});
