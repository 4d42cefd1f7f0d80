// Products of tensors, equations, turned convolutions and normalizations, with their edge attributes, against onnxruntime on
// the same file.
import { expect } from "chai";
import { type AttributeOf, node, noise, single, tensor, type TensorInit } from "../../support/onnx.ts";
import { agree, opsOf, refused } from "../../support/onnxAgree.ts";

const sizeOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const weights = (name: string, dims: readonly number[], seed = 7): TensorInit =>
  tensor(name, dims, noise(seed, sizeOf(dims)));

describe("onnx ops against onnxruntime: products of two tensors", () => {
  it("MatMul with batches that broadcast, and with vectors", async () => {
    const cases: [number[], number[]][] = [
      [[2, 3], [3, 4]],
      [[1, 2, 3], [1, 3, 4]],
      [[2, 2, 3], [2, 3, 4]],
      [[2, 1, 2, 3], [3, 3, 4]],
      [[2, 3], [5, 3, 1]],
      [[3], [3, 4]],
      [[2, 3], [3]],
      [[3], [3]],
      [[2, 2, 3], [3]],
      [[3], [2, 3, 2]],
    ]; // prettier-ignore
    for (const [a, b] of cases) {
      const graph = await agree({ nodes: [node("MatMul", ["x", "b"], ["y"])], input: { dims: a }, moreInputs: [{ name: "b", dims: b }] }); // prettier-ignore
      expect(opsOf(graph)).to.include("matmul");
    }
  });

  it("MatMul with a batch of constants on either side: one dense each", async () => {
    for (const [x, c] of [
      [
        [1, 2, 3],
        [4, 3, 2],
      ],
      [
        [2, 2, 3],
        [2, 3, 1],
      ],
      [
        [2, 1, 2, 3],
        [2, 3, 2],
      ],
    ] as const) {
      const spec = { initializers: [weights("c", c)], input: { dims: x } };
      expect(opsOf(await agree({ nodes: [node("MatMul", ["x", "c"], ["y"])], ...spec }))).not.to.include("matmul");
    }
    await agree({ nodes: [node("MatMul", ["c", "x"], ["y"])], initializers: [weights("c", [3, 2, 4])], input: { dims: [3, 4, 2] } }); // prettier-ignore
    await refused({ nodes: [node("MatMul", ["c", "x"], ["y"])], initializers: [weights("c", [3, 2, 4])], input: { dims: [3, 3, 2] } }, "input", "inner sizes differ"); // prettier-ignore
  });

  it("Gemm of two tensors, with every flag", async () => {
    for (const transA of [0, 1]) {
      for (const transB of [0, 1]) {
        const a = transA === 1 ? [3, 2] : [2, 3];
        const b = transB === 1 ? [4, 3] : [3, 4];
        const attributes = { transA, transB, alpha: { float: 0.5 }, beta: { float: -2 } };
        const spec = {
          input: { dims: a },
          moreInputs: [
            { name: "b", dims: b },
            { name: "c", dims: [4] },
          ],
        };
        await agree({ nodes: [node("Gemm", ["x", "b", "c"], ["y"], attributes)], ...spec });
        await agree({ nodes: [node("Gemm", ["x", "b"], ["y"], attributes)], ...spec, moreInputs: [{ name: "b", dims: b }] }); // prettier-ignore
      }
    }
  });

  it("Einsum: transpositions, sums, products, batches, dots, with two tensors or a constant", async () => {
    const cases: [string, ...number[][]][] = [
      ["ij->ji", [2, 3]],
      ["ij->i", [2, 3]],
      ["ij->", [2, 3]],
      ["ij", [2, 3]],
      ["ba", [2, 3]],
      ["...i->...", [2, 3, 4]],
      ["ij,jk->ik", [2, 3], [3, 4]],
      ["ij,jk", [2, 3], [3, 4]],
      ["bij,bjk->bik", [2, 2, 3], [2, 3, 4]],
      ["bhqd,bhkd->bhqk", [1, 2, 3, 4], [1, 2, 5, 4]],
      ["bhqk,bkhd->bqhd", [1, 2, 3, 5], [1, 5, 2, 4]],
      ["ij,ij->ij", [2, 3], [2, 3]],
      ["ij,ij->", [2, 3], [2, 3]],
      ["i,j->ij", [2], [3]],
      ["i,i", [3], [3]],
      ["ij,kl->il", [2, 3], [4, 2]],
      ["...ij,...jk->...ik", [2, 2, 3], [2, 3, 4]],
      ["...ij,...jk->...ik", [2, 1, 2, 3], [2, 3, 3, 4]],
      ["...ij,jk->...ik", [2, 2, 3], [3, 4]],
      ["abc,cd->dab", [2, 2, 3], [3, 4]],
      ["a b c , c d -> d a b", [2, 2, 3], [3, 4]],
    ];
    for (const [equation, a, b] of cases) {
      const dims = a as number[];
      if (b === undefined) {
        await agree(single("Einsum", dims, { equation }));
        continue;
      }
      await agree({ nodes: [node("Einsum", ["x", "b"], ["y"], { equation })], input: { dims }, moreInputs: [{ name: "b", dims: b }] }); // prettier-ignore
      await agree({ nodes: [node("Einsum", ["x", "b"], ["y"], { equation })], input: { dims }, initializers: [weights("b", b)] }); // prettier-ignore
    }
    const three = [node("Einsum", ["x", "b", "c"], ["y"], { equation: "ij,jk,kl->il" })];
    await agree({ nodes: three, input: { dims: [2, 3] }, moreInputs: [{ name: "b", dims: [3, 2] }], initializers: [weights("c", [2, 4])] }); // prettier-ignore
  });

  it("Einsum refuses diagonals and equations that do not fit", async () => {
    await refused(single("Einsum", [3, 3], { equation: "ii->i" }), "unsupported", "a diagonal");
    await refused(single("Einsum", [3, 3], { equation: "ijk->i" }), "input", "does not name 2 axes");
    await refused(single("Einsum", [3, 3], { equation: "ij->k" }), "input", "does not name axes of its terms");
    await refused(single("Einsum", [3, 3], { equation: "ij,jk->ik" }), "input", "has 2 terms");
    await refused(single("Einsum", [3, 3], { equation: "i=j" }), "input", 'equation is "i=j"');
  });
});

describe("onnx ops against onnxruntime: ConvTranspose", () => {
  const cases: [string, number[], number[], Record<string, AttributeOf>][] = [
    ["plain", [1, 2, 3, 4], [2, 3, 3, 2], {}],
    ["strides", [1, 2, 3, 4], [2, 3, 2, 2], { strides: [2, 2] }],
    ["strides wider than the kernel", [1, 1, 3, 3], [1, 1, 2, 1], { strides: [3, 2] }],
    ["uneven pads", [1, 2, 4, 4], [2, 1, 3, 3], { strides: [2, 1], pads: [1, 0, 0, 2] }],
    ["pads beyond the kernel's reach", [1, 1, 5, 5], [1, 2, 2, 2], { pads: [2, 2, 2, 3] }],
    ["output_padding", [1, 2, 3, 3], [2, 2, 3, 3], { strides: [3, 2], output_padding: [2, 1], pads: [1, 1, 1, 1] }],
    ["dilations", [1, 1, 4, 4], [1, 2, 2, 3], { dilations: [2, 3], strides: [2, 1], pads: [1, 1, 1, 1] }],
    ["groups", [1, 4, 3, 3], [4, 3, 2, 2], { group: 2, strides: [2, 2] }],
    ["depthwise", [1, 3, 3, 3], [3, 1, 3, 3], { group: 3, strides: [2, 2], pads: [1, 1, 1, 1] }],
    ["output_shape", [1, 1, 3, 3], [1, 2, 3, 3], { strides: [3, 2], output_shape: [10, 8] }],
    ["output_shape that cuts", [1, 1, 3, 3], [1, 2, 3, 3], { strides: [2, 2], output_shape: [6, 5] }],
    ["SAME_UPPER", [1, 1, 3, 4], [1, 2, 3, 4], { strides: [2, 2], auto_pad: "SAME_UPPER" }],
    ["SAME_LOWER", [1, 1, 3, 4], [1, 2, 3, 4], { strides: [2, 2], auto_pad: "SAME_LOWER" }],
    [
      "SAME_UPPER, strides wider than the kernel",
      [1, 1, 3, 4],
      [1, 2, 1, 2],
      { strides: [2, 3], auto_pad: "SAME_UPPER" },
    ],
    ["VALID", [1, 1, 3, 4], [1, 2, 3, 3], { strides: [2, 2], auto_pad: "VALID" }],
    ["1-D", [1, 2, 5], [2, 3, 4], { strides: [2], pads: [1, 2] }],
  ];
  for (const [title, dims, w, attributes] of cases) {
    it(title, async () => {
      const group = (attributes.group as number | undefined) ?? 1;
      for (const opset of [11, 17, 26]) {
        const bias = weights("b", [(w[1] as number) * group], 3);
        await agree(single("ConvTranspose", dims, attributes, [weights("w", w), bias], { opset }));
        await agree(single("ConvTranspose", dims, attributes, [weights("w", w)], { opset }));
      }
    });
  }

  it("refuses 3-D planes, weights that depend on the input, and pads that leave nothing", async () => {
    await refused(single("ConvTranspose", [1, 1, 2, 2, 2], {}, [weights("w", [1, 1, 2, 2, 2])]), "unsupported", "5 dimensions", "1-D"); // prettier-ignore
    const nodes = [node("Conv", ["x", "w"], ["y"])];
    await refused({ nodes, input: { dims: [1, 1, 4, 4] }, moreInputs: [{ name: "w", dims: [1, 1, 2, 2] }] }, "unsupported", "weights (input 1) depends on the model's input"); // prettier-ignore
    await refused(single("ConvTranspose", [1, 1, 2, 2], { pads: [2, 2, 2, 2] }, [weights("w", [1, 1, 2, 2])]), "input", "pads leave nothing"); // prettier-ignore
    await agree(single("ConvTranspose", [1, 1, 2, 2], { pads: [1, 1, 1, 1] }, [weights("w", [1, 1, 2, 2])]));
  });
});

describe("onnx ops against onnxruntime: normalizations", () => {
  const vector = (name: string, size: number, seed: number): TensorInit => weights(name, [size], seed);

  it("InstanceNormalization, 1-D and 2-D, batches too", async () => {
    for (const dims of [
      [1, 3, 4, 5],
      [1, 3, 6],
      [2, 3, 2, 2],
    ]) {
      for (const opset of [11, 21, 22]) {
        for (const epsilon of [{}, { epsilon: { float: 0.1 } }]) {
          await agree(
            single("InstanceNormalization", dims, epsilon, [vector("s", 3, 1), vector("b", 3, 2)], { opset }),
          );
        }
      }
    }
  });

  it("LayerNormalization and RMSNormalization over any axes, with and without a bias", async () => {
    for (const [axis, scale] of [
      [undefined, [4]],
      [-1, [4]],
      [2, [1]],
      [1, [3, 4]],
      [-2, [3, 4]],
      [0, [2, 3, 4]],
    ] as const) {
      const attributes = axis === undefined ? {} : { axis, epsilon: { float: 0.01 } };
      const [s, b] = [weights("s", scale, 1), weights("b", scale, 2)];
      for (const list of [[s], [s, b]]) {
        for (const opset of [17, 26]) await agree(single("LayerNormalization", [2, 3, 4], attributes, list, { opset }));
      }
      await agree(single("RMSNormalization", [2, 3, 4], attributes, [s], { opset: 23 }));
    }
    const unread = [node("LayerNormalization", ["x", "s"], ["n", "m"]), node("Add", ["n", "m"], ["y"])];
    await refused({ nodes: unread, initializers: [vector("s", 4, 1)] }, "unsupported", '"m", output 1');
  });

  it("GroupNormalization with parameters of groups (opset 18) and of channels (opset 21)", async () => {
    for (const num_groups of [1, 2, 6]) {
      for (const [opset, size] of [
        [18, num_groups],
        [21, 6],
      ] as const) {
        const list = [vector("s", size, 1), vector("b", size, 2)];
        await agree(single("GroupNormalization", [1, 6, 2, 3], { num_groups }, list, { opset }));
      }
    }
    const list = [vector("s", 6, 1), vector("b", 6, 2)];
    await refused(single("GroupNormalization", [1, 6, 2], { num_groups: 4 }, list, { opset: 21 }), "input", "4 groups");
    await refused(single("GroupNormalization", [1, 6, 2], { num_groups: 2 }, list, { opset: 17 }), "input", "does not exist at opset 17"); // prettier-ignore
  });

  it("MeanVarianceNormalization over given axes", async () => {
    await agree(single("MeanVarianceNormalization", [1, 3, 4, 2], {}));
    await agree(single("MeanVarianceNormalization", [1, 3, 4, 2], { axes: [1, 3] }));
  });

  it("LRN over windows of any odd size", async () => {
    for (const size of [1, 3, 9]) {
      const attributes = { size, alpha: { float: 0.5 }, beta: { float: 0.6 }, bias: { float: 1.5 } };
      await agree(single("LRN", [1, 5, 3, 2], attributes));
      await agree(single("LRN", [2, 5, 1, 1], { size }));
    }
    await refused(single("LRN", [1, 5, 3, 2], { size: 2 }), "input", "size is 2, not odd");
  });

  it("refuses a scale that depends on the input", async () => {
    const nodes = [node("LayerNormalization", ["x", "s"], ["y"])];
    await refused({ nodes, moreInputs: [{ name: "s", dims: [4] }] }, "unsupported", "scale (input 1) depends");
  });
});
