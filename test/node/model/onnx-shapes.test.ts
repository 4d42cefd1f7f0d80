// Ops that move, repeat or choose elements, with their edge attributes, against onnxruntime on the same file.
import { expect } from "chai";
import {
  type AttributeOf,
  ints,
  type ModelSpec,
  node,
  noise,
  single,
  tensor,
  type TensorInit,
} from "../../support/onnx.ts";
import { agree, opsOf, refused } from "../../support/onnxAgree.ts";

const OPSETS_TRIED = [11, 13, 17, 21, 26];
const sizeOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const weights = (name: string, dims: readonly number[], seed = 7): TensorInit =>
  tensor(name, dims, noise(seed, sizeOf(dims)));
const everyOpset = (title: string, test: (opset: number) => Promise<unknown>, since = 11): void => {
  it(title, async () => {
    for (const opset of OPSETS_TRIED.filter((opset) => opset >= since)) await test(opset);
  }).timeout(30_000);
};

describe("onnx ops against onnxruntime: slices and repetitions", () => {
  everyOpset("Slice of a tensor, in all directions", async (opset) => {
    const cases: [number[], number[], number[]?, number[]?][] = [
      [[0], [1]],
      [
        [0, 1],
        [1, 2 ** 62],
      ],
      [[-1], [-9], [1], [-1]],
      [[3], [-(2 ** 62)], [2], [-2]],
      [[-2], [4], [-1]],
      [
        [1, 0],
        [3, 4],
        [-2, 2],
        [1, 3],
      ],
    ];
    for (const list of cases) {
      const inputs = list.flatMap((part, i) => (part === undefined ? [] : [ints(`p${i}`, part)]));
      await agree(single("Slice", [1, 3, 4], {}, inputs, { opset }));
    }
    const nothing = await agree(single("Slice", [1, 3, 4], {}, [ints("s", [0]), ints("e", [9]), ints("a", [1])], { opset })); // prettier-ignore
    expect(opsOf(nothing)).to.deep.equal(["input"]);
  });

  everyOpset("Split into equal, given and rounded parts, of which some are read", async (opset) => {
    const outputs = { moreOutputs: [{ name: "b" }, { name: "c" }] };
    const three = ["y", "b", "c"];
    const x = { input: { dims: [1, 6, 2] }, opset };
    const sizes = opset < 13 ? { split: [1, 2, 3] } : {};
    const list = opset < 13 ? [] : [ints("s", [1, 2, 3])];
    const inputs = ["x", ...list.map(({ name }) => name as string)];
    await agree({
      nodes: [node("Split", inputs, three, { axis: -2, ...sizes })],
      initializers: list,
      ...x,
      ...outputs,
    });
    const some = [node("Split", inputs, ["unread", "b", "y"], { axis: 1, ...sizes })];
    await agree({ nodes: some, initializers: list, ...x, moreOutputs: [{ name: "b" }] });
    const equal = opset < 18 ? {} : { num_outputs: 3 };
    await agree({ nodes: [node("Split", ["x"], three, { axis: 1, ...equal })], ...x, ...outputs });
    if (opset >= 18) {
      await agree({ nodes: [node("Split", ["x"], three, { axis: 1, num_outputs: 3 })], input: { dims: [1, 7] }, opset, ...outputs }); // prettier-ignore
    }
  });

  everyOpset("Gather by constant indices of any rank, negative ones too", async (opset) => {
    for (const axis of [0, 1, 2, -1]) {
      const list = axis === 0 ? [0, -1] : [1, -1, 0, 1];
      for (const dims of axis === 0 ? [[2], [2, 1]] : [[4], [2, 2], [1, 4]]) {
        await agree(single("Gather", [1, 3, 2], { axis }, [tensor("i", dims, list, "int64")], { opset }));
      }
    }
    await agree(single("Gather", [1, 3, 2], { axis: 1 }, [tensor("i", [], [-2], "int32")], { opset }));
  });

  everyOpset("GatherElements and GatherND by constant indices", async (opset) => {
    const at = (dims: number[], list: number[]): TensorInit => tensor("i", dims, list, "int64");
    await agree(single("GatherElements", [1, 3, 2], { axis: 1 }, [at([1, 2, 2], [0, -1, 2, 1])], { opset }));
    await agree(single("GatherElements", [1, 3, 2], { axis: -1 }, [at([1, 3, 3], [0, 1, 0, -1, 1, 0, 1, 1, -2])], { opset })); // prettier-ignore
    await agree(single("GatherND", [2, 3, 2], {}, [at([2, 2], [0, 1, -1, 2])], { opset }));
    await agree(single("GatherND", [2, 3, 2], {}, [at([1, 2, 3], [0, 1, 1, 1, 2, 0])], { opset }));
    if (opset > 11) {
      await agree(single("GatherND", [2, 3, 2], { batch_dims: 1 }, [at([2, 2, 1], [0, 2, 1, -1])], { opset }));
    }
  });

  everyOpset("Expand both ways, Tile and ReverseSequence", async (opset) => {
    for (const shape of [[1, 3, 4], [2, 1, 1], [4], [2, 3, 1], [1, 2, 3, 4]]) {
      await agree(single("Expand", [1, 3, 1], {}, [ints("s", shape)], { opset }));
    }
    await agree(single("Tile", [1, 3, 2], {}, [ints("r", [1, 2, 3])], { opset }));
    await agree(single("Tile", [2], {}, [ints("r", [3])], { opset }));
    for (const [time_axis, batch_axis, list] of [
      [1, 0, [3, 1]],
      [0, 1, [2, 0, 1]],
    ] as const) {
      await agree(single("ReverseSequence", [2, 3, 2], { time_axis, batch_axis }, [ints("l", list)], { opset }));
    }
  });

  everyOpset("DepthToSpace in both modes and SpaceToDepth", async (opset) => {
    for (const mode of ["DCR", "CRD"]) await agree(single("DepthToSpace", [1, 8, 2, 3], { blocksize: 2, mode }, [], { opset })); // prettier-ignore
    await agree(single("DepthToSpace", [1, 9, 1, 2], { blocksize: 3 }, [], { opset }));
    await agree(single("SpaceToDepth", [1, 2, 4, 6], { blocksize: 2 }, [], { opset }));
  });

  everyOpset("Concat with constants before, between and behind tensors", async (opset) => {
    for (const inputs of [
      ["c", "x"],
      ["x", "c"],
      ["x", "c", "r"],
      ["c", "x", "r", "c"],
    ]) {
      const nodes = [node("Relu", ["x"], ["r"]), node("Concat", inputs, ["y"], { axis: 1 })];
      await agree({ nodes, initializers: [weights("c", [1, 2, 3])], input: { dims: [1, 2, 3] }, opset });
    }
  });

  it("Pad in every mode, cropped by negative pads, of chosen axes", async () => {
    for (const opset of OPSETS_TRIED) {
      for (const mode of ["constant", "reflect", "edge", ...(opset >= 19 ? ["wrap"] : [])]) {
        for (const pads of [
          [0, 1, 2, 0, 0, 2, 1, 1],
          [0, -1, 1, 0, 0, 0, 2, -1],
          [0, 0, 0, 0, 0, 0, 0, 0],
        ]) {
          const list = [ints("p", pads), ...(mode === "constant" ? [tensor("v", [], [-1.5])] : [])];
          await agree(single("Pad", [1, 3, 4, 3], { mode }, list, { opset }));
        }
      }
    }
    const nodes = [node("Pad", ["x", "p", "", "a"], ["y"], { mode: "edge" })];
    await agree({ nodes, initializers: [ints("p", [1, 2]), ints("a", [-1])], input: { dims: [1, 2, 3] }, opset: 18 });
    await refused(single("Pad", [1, 2, 3], { mode: "reflect" }, [ints("p", [0, 0, 3, 0, 0, 0])]), "input", "reflect more than the 3 elements of axis 2"); // prettier-ignore
    await agree(single("Pad", [1, 2, 3], { mode: "reflect" }, [ints("p", [0, 0, 2, 0, 0, 0])]));
    await refused(single("Pad", [1, 2, 3], {}, [ints("p", [0, 0, -2, 0, 0, -1])]), "input", "crop axis 2 of 3 to nothing"); // prettier-ignore
  }).timeout(30_000);
});

describe("onnx ops against onnxruntime: Resize", () => {
  const MODES = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"];
  const resize = (
    dims: readonly number[],
    attributes: Readonly<Record<string, AttributeOf>>,
    given: { readonly scales?: readonly number[]; readonly sizes?: readonly number[] },
    opset = 13,
  ): ModelSpec => {
    const { scales, sizes } = given;
    const list = scales === undefined ? ints("s", sizes ?? []) : tensor("s", [scales.length], scales);
    const inputs = scales === undefined ? ["x", "", "", "s"] : ["x", "", "s"];
    return { nodes: [node("Resize", inputs, ["y"], attributes)], initializers: [list], input: { dims }, opset };
  };

  it("nearest, in every coordinate and rounding mode, larger and smaller", async () => {
    for (const coordinate_transformation_mode of [...MODES]) {
      for (const nearest_mode of ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]) {
        const attributes = { mode: "nearest", coordinate_transformation_mode, nearest_mode };
        for (const scales of [
          [1, 1, 2, 3],
          [1, 1, 0.5, 0.6],
          [1, 1, 1.5, 2.5],
        ]) {
          await agree(resize([1, 2, 4, 5], attributes, { scales }));
        }
        for (const sizes of [
          [1, 2, 7, 3],
          [1, 2, 1, 10],
        ]) {
          await agree(resize([1, 2, 4, 5], attributes, { sizes }));
        }
      }
    }
  }).timeout(60_000);

  it("linear and cubic, larger and smaller, 1-D and 2-D", async () => {
    for (const coordinate_transformation_mode of MODES) {
      for (const mode of ["linear", "cubic"]) {
        const attributes = { mode, coordinate_transformation_mode };
        for (const scales of [
          [1, 1, 2, 3],
          [1, 1, 0.5, 0.6],
          [1, 1, 1.5, 1],
        ]) {
          await agree(resize([1, 2, 4, 5], attributes, { scales }));
        }
        await agree(resize([1, 2, 4, 5], attributes, { sizes: [1, 2, 7, 3] }));
      }
      await agree(resize([1, 2, 5], { mode: "linear", coordinate_transformation_mode }, { scales: [1, 1, 2] }));
    }
    for (const mode of ["nearest", "linear"]) {
      const attributes = { mode, coordinate_transformation_mode: "half_pixel_symmetric" };
      await agree(resize([1, 2, 4, 5], attributes, { scales: [1, 1, 2, 1.7] }, 19));
    }
    const cubic = { mode: "cubic", cubic_coeff_a: { float: -0.5 }, exclude_outside: 1 };
    await agree(resize([1, 1, 4, 4], cubic, { scales: [1, 1, 2, 2] }));
  }).timeout(60_000);

  it("of chosen axes, keeping the ratio, from opset 18 on; and refuses what no constant matrix is", async () => {
    for (const keep_aspect_ratio_policy of ["stretch", "not_larger", "not_smaller"]) {
      const attributes = { mode: "nearest", axes: [2, 3], keep_aspect_ratio_policy };
      await agree(resize([1, 2, 4, 5], attributes, { sizes: [7, 12] }, 18));
    }
    await agree(resize([1, 2, 4, 5], { mode: "linear", axes: [3, 2], antialias: 1 }, { scales: [2, 1.5] }, 18));
    const cropped = resize([1, 1, 4, 4], { coordinate_transformation_mode: "tf_crop_and_resize" }, { scales: [1, 1, 2, 2] }); // prettier-ignore
    await refused(cropped, "unsupported", '"tf_crop_and_resize"', "half_pixel");
    await refused(resize([1, 1, 4, 4], { mode: "linear", antialias: 1 }, { scales: [1, 1, 0.5, 1] }, 18), "unsupported", "antialias"); // prettier-ignore
  });
});

describe("onnx ops against onnxruntime: indices that depend on the input", () => {
  const index = (dims: readonly number[]): Pick<ModelSpec, "input"> => ({ input: { dims, type: "int64" } });

  it("Gather from a constant table, along any axis: an embedding", async () => {
    for (const [axis, dims] of [
      [0, [5, 3]],
      [1, [2, 5]],
      [-1, [2, 3, 5]],
      [0, [5]],
    ] as const) {
      const nodes = [node("Gather", ["t", "x"], ["y"], { axis })];
      for (const at of [
        [1, 4],
        [2, 2],
      ]) {
        await agree({ nodes, initializers: [weights("t", dims)], ...index(at) }, [[4, 0, 2, 1].slice(0, sizeOf(at)), [3, 3, 0, 4].slice(0, sizeOf(at))]); // prettier-ignore
      }
    }
    const classes = [node("ArgMax", ["x"], ["i"], { axis: 1, keepdims: 0 }), node("Gather", ["t", "i"], ["y"])];
    const labels = tensor("t", [4], [70, -3, 12, 9], "int64");
    await agree({ nodes: classes, initializers: [labels], outputType: "int64" });
  });

  it("Gather and GatherElements from a tensor of the graph", async () => {
    const feeds = [
      [0, 2, 1, 1, ...noise(1, 12)],
      [2, 2, 0, 1, ...noise(2, 12)],
    ];
    const tables = { moreInputs: [{ name: "t", dims: [1, 3, 4] }] };
    await agree({ nodes: [node("Gather", ["t", "x"], ["y"], { axis: 1 })], ...index([2, 2]), ...tables }, feeds);
    await agree({ nodes: [node("Gather", ["t", "x"], ["y"], { axis: -1 })], ...index([4]), ...tables }, feeds);
    await agree({ nodes: [node("GatherElements", ["t", "x"], ["y"], { axis: 1 })], ...index([1, 2, 2]), ...tables }, feeds); // prettier-ignore
    await agree({ nodes: [node("GatherElements", ["t", "x"], ["y"], { axis: -1 })], ...index([1, 2, 2]), ...tables }, feeds); // prettier-ignore
    const fixed = { nodes: [node("GatherElements", ["t", "x"], ["y"], { axis: 1 })], initializers: [weights("t", [1, 3, 2])] }; // prettier-ignore
    await agree({ ...fixed, ...index([1, 2, 2]) }, [[0, 2, 1, 1]]);
  });

  it("OneHot with any axis and values", async () => {
    for (const axis of [-1, 0, 1]) {
      for (const values of [
        [0, 1],
        [-1, 3],
      ]) {
        const list = [tensor("d", [], [4], "int64"), tensor("v", [2], values)];
        const nodes = [node("OneHot", ["x", "d", "v"], ["y"], { axis })];
        await agree({ nodes, initializers: list, ...index([2, 2]) }, [[0, 3, 1, 2]]);
      }
    }
  });

  it("refuses GatherND by such indices, and those that no table holds", async () => {
    const nodes = [node("GatherND", ["t", "x"], ["y"])];
    await refused({ nodes, initializers: [weights("t", [3, 2])], ...index([1, 1]) }, "unsupported", "indices (input 1) depends on the model's input"); // prettier-ignore
    await refused(single("Gather", [1, 3], { axis: 1 }, [ints("i", [3])]), "input", "index 3 is outside an axis of 3");
    await agree(single("Gather", [1, 3], { axis: 1 }, [ints("i", [2])]));
  });
});

describe("onnx ops against onnxruntime: constants", () => {
  /** y = x + the constant that `nodes` make as "c". */
  const added = (nodes: ModelSpec["nodes"], initializers: readonly TensorInit[], opset = 17, dims = [1, 4]): ModelSpec => ({
    nodes: [...nodes, node("Cast", ["c"], ["f"], { to: 1 }), node("Add", ["x", "f"], ["y"])],
    initializers,
    input: { dims },
    opset,
  }); // prettier-ignore

  it("Range of floats, Size, EyeLike, NonZero, Trilu and rearranged constants fold", async () => {
    const numbers = (type: "float32" | "float64"): TensorInit[] => [tensor("a", [], [0.1], type), tensor("b", [], [1.2], type), tensor("d", [], [0.3], type)]; // prettier-ignore
    for (const type of ["float32", "float64"] as const) {
      expect(opsOf(await agree(added([node("Range", ["a", "b", "d"], ["c"])], numbers(type))))).to.deep.equal(["input", "affine"]); // prettier-ignore
    }
    await agree(added([node("Size", ["x"], ["c"])], []));
    for (const k of [0, 1, -2]) {
      await agree(added([node("EyeLike", ["e"], ["c"], { k, dtype: 1 })], [weights("e", [3, 4])], 17, [3, 4]));
    }
    await agree(added([node("NonZero", ["n"], ["c"])], [tensor("n", [2, 3], [0, 1, 1, 1, 0, 1])], 17, [2, 4]));
    for (const upper of [0, 1]) {
      for (const k of [undefined, 1, -1]) {
        const list = k === undefined ? [] : [tensor("k", [], [k], "int64")];
        const inputs = ["t", ...list.map(({ name }) => name as string)];
        await agree(added([node("Trilu", inputs, ["c"], { upper })], [weights("t", [3, 4]), ...list], 17, [3, 4]));
        await agree(single("Trilu", [1, 2, 3, 4], { upper }, list));
      }
    }
    for (const [op, list, attributes] of [
      ["Tile", [weights("t", [2]), ints("r", [2])], {}],
      ["Expand", [weights("t", [1]), ints("s", [4])], {}],
      ["Pad", [weights("t", [2]), ints("p", [1, 1])], {}],
      ["Pad", [weights("t", [4]), ints("p", [1, -1])], { mode: "reflect" }],
      ["GatherElements", [weights("t", [3]), ints("i", [2, 0, -1, 1])], {}],
      ["CumSum", [weights("t", [4]), tensor("a", [], [0], "int64")], { reverse: 1 }],
      ["MatMul", [weights("t", [3]), weights("m", [3, 4])], {}],
    ] as const) {
      const nodes = [
        node(
          op,
          list.map(({ name }) => name as string),
          ["c"],
          attributes,
        ),
      ];
      expect(opsOf(await agree(added(nodes, list)))).to.deep.equal(["input", "affine"]);
    }
  });
});
