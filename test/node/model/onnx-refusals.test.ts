// What the reader refuses, by what name, and that it says all of it at once. Beside each refusal stands the nearest model
// that is read.
import { create, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { NodeError } from "../../../node/core/errors.ts";
import { IR_VERSIONS, OPSETS } from "../../../node/model/onnx/check.ts";
import { ModelSchema } from "../../../node/model/onnx/gen/onnx_pb.ts";
import { type ReadPolicy, readModelBytes } from "../../../node/model/onnx/read.ts";
import {
  attribute,
  bytesOf,
  ints,
  type ModelInit,
  type ModelSpec,
  node,
  type NodeInit,
  noise,
  runOnnx,
  tensor,
  type TensorInit,
  valueInfo,
  single,
} from "../../support/onnx.ts";

async function refusal(bytes: Uint8Array, policy: Partial<ReadPolicy> = {}): Promise<NodeError> {
  const thrown = await readModelBytes(bytes, undefined, policy).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown, "a refusal").to.be.instanceOf(NodeError);
  return thrown as NodeError;
}

const refused = async (spec: ModelSpec, code: "input" | "unsupported", ...texts: string[]): Promise<void> => {
  const error = await refusal(bytesOf(spec));
  for (const text of texts) expect(error.message).to.contain(text);
  expect(error.code, error.message).to.equal(code);
};
const accepted = async (spec: ModelSpec): Promise<void> => {
  await readModelBytes(bytesOf(spec));
};

const weights = (name: string, dims: readonly number[]): TensorInit =>
  tensor(name, dims, noise(7, dims.reduce((a, b) => a * b, 1))); // prettier-ignore
const relu = node("Relu", ["x"], ["y"]);
const plain: ModelSpec = { nodes: [relu] };
const changed = (change: (model: ModelInit & { graph: object }) => object): ModelSpec => ({
  ...plain,
  change: (model) => ({ ...model, ...change(model as ModelInit & { graph: object }) }),
});
const inGraph = (more: object): ModelSpec => changed((model) => ({ graph: { ...model.graph, ...more } }));

describe("onnx refusals: the model as a whole", () => {
  it("reads the versions that onnxruntime 1.30 reads, from opset 11 on, and none beyond", async () => {
    for (const opset of [OPSETS.oldest, OPSETS.newest]) {
      await accepted({ ...plain, opset });
      await runOnnx(bytesOf({ ...plain, opset }), [1, 2, 3, 4], [1, 4]);
    }
    const beyond = { ...plain, opset: OPSETS.newest + 1 };
    await refused(beyond, "unsupported", `its opset is ${OPSETS.newest + 1}`, "from 11 to 26", "version_converter");
    await refused({ ...plain, opset: OPSETS.oldest - 1 }, "unsupported", "its opset is 10");
    const runs = await runOnnx(bytesOf(beyond), [1, 2, 3, 4], [1, 4]).then(() => true, () => false); // prettier-ignore
    expect(runs, "onnxruntime reads a newer opset: raise OPSETS.newest").to.equal(false);
    for (const irVersion of [IR_VERSIONS.oldest, IR_VERSIONS.newest]) {
      const spec = changed(() => ({ irVersion: BigInt(irVersion) }));
      await accepted(spec);
      await runOnnx(bytesOf(spec), [1, 2, 3, 4], [1, 4]);
    }
    for (const irVersion of [IR_VERSIONS.oldest - 1, IR_VERSIONS.newest + 1, 2 ** 40]) {
      await refused(changed(() => ({ irVersion: BigInt(irVersion) })), "unsupported", `IR version is ${irVersion}`); // prettier-ignore
    }
  });

  it("wants exactly one version of ai.onnx, under either of its names", async () => {
    const imports = (...list: [string, bigint][]): ModelSpec =>
      changed(() => ({ opsetImport: list.map(([domain, version]) => ({ domain, version })) }));
    await accepted(imports(["ai.onnx", 17n]));
    await accepted(imports(["", 17n], ["com.microsoft", 1n]));
    await refused(imports(), "input", "imports 0 versions");
    await refused(imports(["", 17n], ["ai.onnx", 13n]), "input", "imports 2 versions");
  });

  it("refuses functions, training information, sparse initializers and empty models by name", async () => {
    await refused(changed(() => ({ functions: [{ name: "Mine", domain: "d" }] })), "unsupported", 'local function(s), such as "Mine"', "onnx.inliner"); // prettier-ignore
    await refused(
      changed(() => ({ trainingInfo: [{}] })),
      "unsupported",
      "training information",
    );
    await refused(inGraph({ sparseInitializer: [{ values: weights("s", [1]) }] }), "unsupported", "1 sparse initializer(s)"); // prettier-ignore
    await refused(
      changed(() => ({ graph: undefined })),
      "input",
      "no graph",
    );
    await refused({ nodes: [] }, "input", "no graph with nodes");
    expect((await refusal(bytesOf(plain), { maxNodes: 0 })).message).to.contain("it has 1 nodes, more than 0");
  });

  it("fixes an open batch to 1 and says so; takes any given one but 0, and scalars", async () => {
    for (const batch of ["batch", undefined]) {
      const graph = await readModelBytes(bytesOf({ ...plain, input: { dims: [batch, 4] } }));
      expect(graph.nodes[0]?.shape).to.deep.equal([1, 4]);
      expect(graph.notices.join()).to.contain('the batch dimension of input "x" was open and is fixed to 1');
    }
    expect((await readModelBytes(bytesOf(plain))).notices).to.deep.equal([]);
    await accepted({ ...plain, input: { dims: [2, 4] } });
    await accepted({ ...plain, input: { dims: [] } });
    await refused({ ...plain, input: { dims: [0, 4] } }, "unsupported", "but so is 0 (");
  });

  it("refuses other open dimensions, empty, negative and huge ones", async () => {
    await refused({ ...plain, input: { dims: [1, "length"] } }, "unsupported", 'of the dimensions of input "x", only the batch, dimension 0, may be open, but so is 1 ("length")'); // prettier-ignore
    await refused({ ...plain, input: { dims: [1, undefined, "w", 4] } }, "unsupported", 'but so is 1 (open), 2 ("w")');
    await refused({ ...plain, input: { dims: [1, 0] } }, "unsupported", 'but so is 1 ("0")');
    await refused({ ...plain, input: { dims: [1, -4] } }, "input", "a dimension of -4");
    await refused({ ...plain, input: { dims: [-1, 4] } }, "input", "a dimension of -1");
    await refused({ ...plain, input: { dims: [1, 2 ** 45] } }, "input", "a dimension of 35184372088832");
    await refused({ ...plain, input: { dims: [1, 2 ** 20, 2 ** 20] } }, "unsupported", "elements in all");
    await refused(inGraph({ input: [valueInfo("x", undefined)] }), "unsupported", "has no shape");
  });

  it("refuses inputs that are no tensors, or of a type without a circuit", async () => {
    const typed = (value: object): ModelSpec => inGraph({ input: [{ name: "x", type: { value } }] });
    await refused(typed({ case: "sequenceType", value: {} }), "unsupported", 'input "x" is not a tensor but of the kind sequenceType'); // prettier-ignore
    await refused(typed({ case: "mapType", value: {} }), "unsupported", "mapType");
    await refused(typed({ case: "optionalType", value: {} }), "unsupported", "optionalType");
    await refused(inGraph({ input: [{ name: "x" }] }), "input", "has no type");
    for (const [code, name] of [
      [8, "string"],
      [10, "float16"],
      [14, "complex64"],
      [13, "uint64"],
      [17, "float8e4m3fn"],
    ] as const) {
      // prettier-ignore
      const shape = { dim: [{ value: { case: "dimValue", value: 1n } }] };
      await refused(
        typed({ case: "tensorType", value: { elemType: code, shape } }),
        "unsupported",
        `element type ${name}`,
      );
    }
  });

  it("takes several inputs and outputs, refuses none at all and more than 64", async () => {
    const many = (count: number): object[] => Array.from({ length: count }, (_, i) => valueInfo(i === 0 ? "x" : `x${i}`, [1, 4])); // prettier-ignore
    await accepted(inGraph({ input: many(64) }));
    await refused(inGraph({ input: many(65) }), "unsupported", "65 inputs, more than 64");
    await refused(inGraph({ input: [] }), "unsupported", "it has no input");
    await accepted(inGraph({ output: [valueInfo("y", undefined), valueInfo("x", undefined)] }));
    await refused(inGraph({ output: [] }), "input", "it has no output");
    await refused(inGraph({ output: [{ name: "y", type: { value: { case: "sequenceType", value: {} } } }] }), "unsupported", 'output "y" is not a tensor'); // prettier-ignore
    await refused(inGraph({ output: [valueInfo("z", undefined)] }), "input", 'nothing makes its output "z"');
  });

  it("takes an input with an initializer of its name for a constant, and leaves idle nodes and initializers out", async () => {
    const spec: ModelSpec = {
      nodes: [node("Gemm", ["x", "w"], ["y"]), node("NoSuchOp", ["x"], ["idle"])],
      initializers: [weights("w", [4, 2]), { name: "garbage", dims: [-1n], dataType: 99 }],
      change: (model) => ({ ...model, graph: { ...model.graph, input: [valueInfo("x", [1, 4]), valueInfo("w", [4, 2])] } as never }), // prettier-ignore
    };
    const graph = await readModelBytes(bytesOf(spec));
    expect(graph.nodes.map(({ op }) => op)).to.deep.equal(["input", "dense"]);
    expect(graph.notices).to.deep.equal(["1 node(s) that the outputs do not need are left out"]);
  });

  it("refuses names given twice, empty or missing, and circles", async () => {
    const nodes = (...list: NodeInit[]): ModelSpec => ({ nodes: list });
    await refused(nodes(relu, node("Identity", ["x"], ["y"])), "input", 'value "y" is defined twice');
    await refused(nodes(node("Relu", ["x"], ["x"]), relu), "input", 'value "x" is defined twice');
    await refused({ ...plain, initializers: [weights("w", [1]), weights("w", [1])] }, "input", 'initializer "w" is defined twice'); // prettier-ignore
    await refused({ ...plain, initializers: [weights("", [1])] }, "input", "initializer has an empty name");
    await refused(nodes(node("Relu", ["z"], ["y"])), "input", 'reads "z", which nothing in the model makes');
    await refused(nodes(node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])), "input", "3 node(s) wait for each other in a circle"); // prettier-ignore
    await refused(nodes(node("Add", ["x", "y"], ["y"])), "input", "circle");
    await accepted(nodes(node("Relu", ["a"], ["y"]), node("Identity", ["x"], ["a"])));
  });

  it("refuses an output that does not depend on the input", async () => {
    await refused({ nodes: [node("Constant", [], ["y"], { value: { tensor: weights("", [1, 2]) } })] }, "unsupported", "does not depend on the model's inputs"); // prettier-ignore
    await refused({ nodes: [node("Shape", ["x"], ["y"])] }, "unsupported", "does not depend on the model's inputs");
  });

  it("says that the declared output shape is another one", async () => {
    const graph = await readModelBytes(bytesOf(inGraph({ output: [valueInfo("y", [1, 5])] })));
    expect(graph.notices).to.deep.equal(['the output "y" is declared as [1, 5] but is [1, 4]']);
    const fine = await readModelBytes(bytesOf(inGraph({ output: [valueInfo("y", ["n", 4])] })));
    expect(fine.notices).to.deep.equal([]);
  });
});

describe("onnx refusals: nodes", () => {
  it("lists all problems at once, each with node, op, reason and mend", async () => {
    const spec: ModelSpec = {
      nodes: [
        node("Unique", ["x"], ["a"]),
        node("FusedConv", ["a"], ["b"], {}, { domain: "com.microsoft" }),
        node("Relu", ["b"], ["c"], { mystery: 1 }),
        node("LeakyRelu", ["c"], ["d"], { alpha: 1, beta: { float: 2 } }),
        node("QLinearConv", ["d"], ["e"]),
        node("Trees", ["e"], ["y"], {}, { domain: "ai.onnx.ml" }),
      ],
    };
    const error = await refusal(bytesOf(spec));
    expect(error.code).to.equal("unsupported");
    expect(error.message.split("\n")).to.deep.equal([
      "the model needs what the compiler does not do; 7 problem(s):",
      '- node "Unique_a" (op "Unique"): this op is not read. The size of its result depends on the input; do this outside.',
      `- node "FusedConv_b" (op "FusedConv", domain "com.microsoft"): this op is not read. onnxruntime's optimizer writes such ops; give the model as it was before optimization (or level basic).`,
      '- node "Relu_c" (op "Relu"): attribute "mystery" is not one that the compiler knows for "Relu". Export without it, or with another opset.',
      '- node "LeakyRelu_d" (op "LeakyRelu"): attribute "alpha" is int where float belongs.',
      '- node "LeakyRelu_d" (op "LeakyRelu"): attribute "beta" is not one that the compiler knows for "LeakyRelu". Export without it, or with another opset.',
      '- node "QLinearConv_e" (op "QLinearConv"): it has 1 inputs, not 8 to 9.',
      '- node "Trees_y" (op "Trees", domain "ai.onnx.ml"): this op is not read. Replace it by ops of the list.',
    ]);
    expect(error.mend).to.contain("glassbox inspect --ops");
  });

  it("lists faults of the model and of its nodes together", async () => {
    const spec: ModelSpec = {
      nodes: [node("Unique", ["x"], ["t"]), node("Relu", ["t"], ["y"], { mystery: 1 })],
      input: { dims: [3, "n"] },
      change: (model) => ({ ...model, trainingInfo: [{}] }) as ModelInit,
    };
    await refused(
      spec,
      "unsupported",
      "4 problem(s)",
      "training information",
      "dimensions of input",
      'op "Unique"',
      "mystery",
    );
  });

  it("lists control flow, texts, random numbers, open shapes and sequences at once, each with what to do", async () => {
    const body = { name: "body", node: [relu] };
    const graphs = (...names: string[]): NodeInit => ({ attribute: names.map((name) => ({ name, type: 5, g: body })) });
    const sequence = { case: "sequenceType", value: {} } as const;
    const spec: ModelSpec = {
      nodes: [
        node("If", ["x"], ["a"], {}, graphs("then_branch", "else_branch")),
        node("Loop", ["trips", "", "a"], ["b"], {}, graphs("body")),
        node("Scan", ["b"], ["c"], {}, graphs("body")),
        node("RandomNormalLike", ["c"], ["d"]),
        node("StringConcat", ["d", "texts"], ["e"]),
        node("SequenceConstruct", ["e", "s"], ["f"]),
        node("Unique", ["f", "narrow"], ["y"]),
      ],
      initializers: [ints("trips", [3]), { name: "narrow", dims: [1n], dataType: 22 }],
      input: { dims: [1, "length"] },
      change: (model) => {
        const graph = model.graph as { input: object[] };
        const dim = [{ value: { case: "dimValue", value: 1n } }];
        const texts = {
          name: "texts",
          type: { value: { case: "tensorType", value: { elemType: 8, shape: { dim } } } },
        };
        return { ...model, graph: { ...graph, input: [...graph.input, { name: "s", type: { value: sequence } }, texts] } } as ModelInit; // prettier-ignore
      },
    };
    const error = await refusal(bytesOf(spec));
    expect(error.code).to.equal("unsupported");
    const lines = error.message.split("\n").slice(1);
    const problems = error.facts["problems"] as string[];
    expect(lines).to.have.length(11);
    for (const text of ['op "If"', 'op "Loop"', 'op "Scan"', "RandomNormalLike", "StringConcat", "SequenceConstruct", "Unique", 'initializer "narrow"', 'input "texts" has element type string', "sequenceType", '1 ("length")']) {
      expect(problems.filter((problem) => problem.includes(text)), text).to.have.length(1);
    } // prettier-ignore
    lines.forEach((line, i) =>
      expect(line, "what to do")
        .to.match(/^- .*\. [A-Z].*\.$/)
        .and.not.equal(`- ${problems[i]}.`),
    );
  });

  it("names control flow, ops that no circuit stands for and names from object prototypes", async () => {
    const body = { name: "g", node: [relu] };
    const attributes = [
      { name: "then_branch", type: 5, g: body },
      { name: "else_branch", type: 5, g: body },
    ];
    await refused({ nodes: [node("If", ["x"], ["y"], {}, { attribute: attributes })] }, "unsupported", 'op "If"', "Control flow"); // prettier-ignore
    for (const [op, hint] of [
      ["DynamicQuantizeLinear", "quantize statically"],
      ["ScatterElements", "one-hot products"],
      ["ScatterND", "one-hot products"],
      ["NonMaxSuppression", "scores and boxes"],
      ["RoiAlign", "scores and boxes"],
      ["Unique", "depends on the input"],
      ["Compress", "depends on the input"],
      ["SoftmaxCrossEntropyLoss", "model.eval()"],
      ["RandomNormalLike", "not provable"],
      ["SequenceConstruct", "Only tensors"],
      ["StringConcat", "give numbers"],
    ] as const) {
      await refused(single(op, [1, 4]), "unsupported", `op "${op}"`, hint);
    }
    for (const op of ["constructor", "__proto__", "toString"]) await refused(single(op, [1, 4]), "unsupported", "this op is not read"); // prettier-ignore
    await refused(single("Relu", [1, 4], { constructor: 1 }), "unsupported", 'attribute "constructor"');
  });

  it("keeps what the file says out of the terminal", async () => {
    const name = `\u001b[31m${"long".repeat(1000)}`;
    const error = await refusal(bytesOf({ nodes: [node("Unique", ["x"], ["y"], {}, { name })] }));
    expect(error.message).to.contain('node "\\u{1b}[31mlong');
    expect(error.message).to.not.contain("\u001b");
    expect(error.message.length).to.be.below(400);
  });

  it("refuses attributes of another opset, type, or given twice, and references to function attributes", async () => {
    const reshape = (opset: number): ModelSpec => single("Reshape", [1, 4], { allowzero: 0 }, [ints("s", [1, 4])], { opset }); // prettier-ignore
    await accepted(reshape(14));
    await refused(reshape(13), "input", '"allowzero" does not exist for "Reshape" at opset 13');
    await refused(single("Squeeze", [1, 1, 4], { axes: [1] }, [], { opset: 13 }), "input", '"axes" does not exist for "Squeeze" at opset 13'); // prettier-ignore
    const twice = node("Flatten", ["x"], ["y"], {}, { attribute: [attribute("axis", 1), attribute("axis", 1)] });
    await refused({ nodes: [twice] }, "input", '"axis" is given twice');
    const reference = node("Flatten", ["x"], ["y"], {}, { attribute: [{ name: "axis", type: 2, refAttrName: "a" }] });
    await refused({ nodes: [reference] }, "input", "refers to a function's attribute");
    await refused(single("Flatten", [1, 4], { axis: [1] }), "input", '"axis" is ints where int belongs');
    const stray = node("Flatten", ["x"], ["y"], {}, { attribute: [{ name: "axis", type: 2, i: 1n, ints: [1n] }] });
    await refused({ nodes: [stray] }, "input", '"axis" is int but also holds data in "ints"');
    await refused(single("Flatten", [1, 4], { axis: 2 ** 60 }), "unsupported", "beyond 2^53");
    await refused(single("Clip", [1, 4], { min: { float: 0 }, max: { float: 6 } }), "unsupported", 'attribute "min"');
  });

  it("refuses wrong counts of inputs and outputs, and second outputs that are read", async () => {
    await refused({ nodes: [node("Relu", ["x", "x"], ["y"])] }, "input", "it has 2 inputs, not 1 to 1");
    await refused({ nodes: [node("Relu", [], ["y"])] }, "input", "it has 0 inputs");
    await refused({ nodes: [node("Relu", [""], ["y"])] }, "input", "its input 0 is missing");
    await refused({ nodes: [node("Relu", ["x"], ["y", "z"])] }, "input", "it has 2 outputs");
    const pool = node("MaxPool", ["x"], ["p", "i"], { kernel_shape: [2, 2] });
    const spec = { input: { dims: [1, 1, 4, 4] } };
    await accepted({ nodes: [pool, node("Relu", ["p"], ["y"])], ...spec });
    await refused({ nodes: [pool, node("Cast", ["i"], ["y"], { to: 1 })], ...spec }, "unsupported", 'it reads "i", output 1 of node "MaxPool_p"'); // prettier-ignore
    await refused({ nodes: [node("MaxPool", ["x"], ["p", "y"], { kernel_shape: [2, 2] })], ...spec }, "unsupported", "output 1 of node"); // prettier-ignore
  });

  const wants = (title: string, spec: ModelSpec, code: "input" | "unsupported", ...texts: string[]): void => {
    it(`refuses ${title}`, () => refused(spec, code, ...texts));
  };
  const two = [node("Relu", ["x"], ["r"])];
  const image = { input: { dims: [1, 2, 4, 4] } };
  const w = weights("w", [3, 2, 3, 3]);

  wants("division by zero", single("Div", [1, 4], {}, [tensor("c", [4], [1, 2, 0, 4])]), "unsupported", "holds 0");
  wants("shapes that do not broadcast", single("Add", [1, 4], {}, [weights("c", [3])]), "input", "[1, 4] and [3] do not broadcast"); // prettier-ignore
  wants("inner sizes that differ", single("MatMul", [1, 4], {}, [weights("w", [5, 3])]), "input", "inner sizes differ");
  wants("Gemm with a C that does not broadcast", single("Gemm", [1, 4], {}, [weights("w", [4, 3]), weights("c", [5])]), "input", "[5] and [3] do not broadcast"); // prettier-ignore
  wants("Gemm with a C of more rows", single("Gemm", [1, 4], {}, [weights("w", [4, 3]), weights("c", [2, 3])]), "input", "C, [2, 3], does not broadcast to [1, 3]"); // prettier-ignore
  wants("Gemm with a C of more columns", single("Gemm", [1, 4], {}, [weights("w", [4, 1]), weights("c", [1, 3])]), "input", "[1, 3] does not broadcast to [1, 1]"); // prettier-ignore
  wants("Gemm of something else than matrices", single("Gemm", [1, 2, 4], {}, [weights("w", [4, 3])]), "input", "not matrices"); // prettier-ignore
  wants("a factor that is no number", single("Gemm", [1, 4], { beta: { float: NaN } }, [weights("w", [4, 3]), weights("c", [3])]), "unsupported", 'attribute "beta" is NaN'); // prettier-ignore
  wants("Conv whose bias is of another type", single("Conv", [1, 2, 4, 4], {}, [w, tensor("b", [3], [1, 2, 3], "int64")]), "input", "mixes float32 and int64"); // prettier-ignore
  wants("infinite weights", single("Gemm", [1, 2], {}, [tensor("w", [2, 1], [1, Infinity])]), "unsupported", "weights hold(s) Infinity"); // prettier-ignore
  wants("NaN among the constants", single("Add", [1, 2], {}, [tensor("c", [2], [1, NaN])]), "unsupported", "adds NaN");
  wants("Conv over three spatial dimensions", single("Conv", [1, 1, 2, 2, 2], {}, [weights("w", [1, 1, 1, 1, 1])]), "unsupported", "its input has 5 dimensions"); // prettier-ignore
  wants("Conv whose weights depend on the input", { nodes: [...two, node("Conv", ["x", "r"], ["y"])], ...image }, "unsupported", "its weights (input 1) depends"); // prettier-ignore
  wants("Conv with another kernel_shape", single("Conv", [1, 2, 4, 4], { kernel_shape: [2, 3] }, [w]), "input", "is not that of its weights"); // prettier-ignore
  wants("Conv with channels that do not fit", single("Conv", [1, 3, 4, 4], {}, [w]), "input", "do not fit together");
  wants("Conv with groups that do not divide", single("Conv", [1, 4, 4, 4], { group: 2 }, [w]), "input", "do not fit together"); // prettier-ignore
  wants(
    "Conv with a stride of 0",
    single("Conv", [1, 2, 4, 4], { strides: [1, 0] }, [w]),
    "input",
    '"strides" is [1, 0]',
  );
  wants("Conv with too few pads", single("Conv", [1, 2, 4, 4], { pads: [1, 1] }, [w]), "input", '"pads" is [1, 1]');
  wants("Conv with negative pads", single("Conv", [1, 2, 4, 4], { pads: [-1, 0, 0, 0] }, [w]), "input", '"pads"');
  wants("Conv with an unknown auto_pad", single("Conv", [1, 2, 4, 4], { auto_pad: "SAME" }, [w]), "input", 'auto_pad is "SAME"'); // prettier-ignore
  wants("Conv with pads and auto_pad", single("Conv", [1, 2, 4, 4], { auto_pad: "VALID", pads: [1, 1, 1, 1] }, [w]), "input", "both pads and auto_pad"); // prettier-ignore
  wants("SAME with dilations", single("Conv", [1, 2, 4, 4], { auto_pad: "SAME_UPPER", dilations: [2, 1] }, [w]), "unsupported", "dilations with auto_pad"); // prettier-ignore
  wants("a window wider than its input", single("Conv", [1, 2, 2, 4], {}, [w]), "input", "larger than its input");
  wants("Conv over a batch", { nodes: [node("Reshape", ["x", "s"], ["r"]), node("Conv", ["r", "w"], ["y"])], initializers: [ints("s", [2, 1, 4, 4]), weights("w", [1, 1, 2, 2])], ...image }, "unsupported", "a batch of 2"); // prettier-ignore
  wants("a pool's window in the padding", single("MaxPool", [1, 1, 2, 2], { kernel_shape: [1, 1], pads: [1, 0, 0, 0] }), "unsupported", "in the padding entirely"); // prettier-ignore
  wants("a pool without a kernel", single("AveragePool", [1, 1, 2, 2]), "input", "no kernel_shape");
  wants("AveragePool with dilations before opset 19", single("AveragePool", [1, 1, 3, 3], { kernel_shape: [2, 2], dilations: [1, 1] }), "input", '"dilations" does not exist'); // prettier-ignore
  wants("SAME with a stride wider than a pool's window", single("MaxPool", [1, 1, 7, 8], { kernel_shape: [1, 1], strides: [3, 3], auto_pad: "SAME_UPPER" }), "unsupported", "negative padding"); // prettier-ignore
  wants("BatchNormalization in training", single("BatchNormalization", [1, 2, 4], { training_mode: 1 }, ["a", "b", "c", "d"].map((n) => weights(n, [2]))), "unsupported", "training_mode is 1"); // prettier-ignore
  wants("a negative variance", single("BatchNormalization", [1, 1, 4], {}, ["a", "b", "c", "d"].map((n) => tensor(n, [1], [-1]))), "unsupported", "variance is not positive"); // prettier-ignore
  wants("Dropout in training", { nodes: [node("Dropout", ["x", "", "t"], ["y"])], initializers: [tensor("t", [], [1], "bool")] }, "unsupported", "training_mode is true"); // prettier-ignore
  wants("Clip with bounds of another type", single("Clip", [1, 4], {}, [tensor("a", [], [1], "int64")]), "input", "mixes float32 and int64"); // prettier-ignore
  wants("Clip with crossed bounds", single("Clip", [1, 4], {}, [tensor("a", [], [1]), tensor("b", [], [0])]), "unsupported", "clips to [1, 0]"); // prettier-ignore
  wants("Clip with bounds that depend on the input", { nodes: [node("Clip", ["x", "x"], ["y"])] }, "unsupported", "its minimum (input 1) depends"); // prettier-ignore
  wants("Reshape to another size", single("Reshape", [1, 4], {}, [ints("s", [1, 5])]), "input", "cannot take the shape [1, 5]"); // prettier-ignore
  wants("Reshape to an indivisible size", single("Reshape", [1, 4], {}, [ints("s", [3, -1])]), "input", "does not take the shape [3, -1]"); // prettier-ignore
  wants("Reshape with two open sizes", single("Reshape", [1, 4], {}, [ints("s", [-1, -1])]), "input", "its shape is [-1, -1]"); // prettier-ignore
  wants("Reshape that copies an axis that is not there", single("Reshape", [1, 4], {}, [ints("s", [1, 4, 0])]), "input", "copies axis 2"); // prettier-ignore
  wants("Reshape to float sizes", single("Reshape", [1, 4], {}, [tensor("s", [2], [1, 4])]), "input", "not a list of integers"); // prettier-ignore
  wants(
    "Squeeze of an axis that is not 1",
    single("Squeeze", [1, 4], {}, [ints("a", [1])]),
    "input",
    "squeezes axis 1",
  );
  wants("Unsqueeze of one axis twice", single("Unsqueeze", [1, 4], {}, [ints("a", [1, -3])]), "input", "name one axis twice"); // prettier-ignore
  wants("an axis outside", single("Concat", [1, 4], { axis: 2 }), "input", "axis 2 is outside a tensor of 2");
  wants("a perm that is none", single("Transpose", [1, 4], { perm: [0, 0] }), "input", "no order of the axes");
  wants("Concat of tensors that do not join", { nodes: [node("Flatten", ["x"], ["f"]), node("Concat", ["x", "f"], ["y"], { axis: 1 })], input: { dims: [1, 2, 2] } }, "input", "do not join"); // prettier-ignore
  wants("Pad by infinity that no pool takes", single("Pad", [1, 4], {}, [ints("p", [0, 1, 0, 1]), tensor("v", [], [-Infinity])]), "unsupported", "infinite value"); // prettier-ignore
  wants("Cast to a string", single("Cast", [1, 4], { to: 8 }), "unsupported", "element type string");
  wants("Cast to a narrower integer", single("Cast", [1, 4], { to: 2 }, [], { input: { dims: [1, 4], type: "int8" } }), "unsupported", "casts int8 values"); // prettier-ignore
  wants(
    "mixed types",
    single("Add", [1, 4], {}, [tensor("c", [], [1], "float64")]),
    "input",
    "mixes float32 and float64",
  );
  wants("a sparse Constant", { nodes: [node("Constant", [], ["c"], {}, { attribute: [{ name: "sparse_value", type: 11 }] }), node("Add", ["x", "c"], ["y"])] }, "unsupported", 'attribute "sparse_value"'); // prettier-ignore
  wants("a Constant of two values", { nodes: [node("Constant", [], ["c"], { value_int: 1, value_float: { float: 1 } }), node("Add", ["x", "c"], ["y"])] }, "input", "none or several values"); // prettier-ignore
});

describe("onnx refusals: constants", () => {
  const withWeights = (change: object): ModelSpec => single("Add", [1, 4], {}, [{ ...tensor("c", [4], [1, 2, 3, 4]), ...change }]); // prettier-ignore
  const cases: [string, object, "input" | "unsupported", string][] = [
    ["too little raw data", { rawData: new Uint8Array(15) }, "input", "holds 15 bytes of raw data where [4] needs 16"],
    ["too much raw data", { rawData: new Uint8Array(17) }, "input", "holds 17 bytes"],
    ["no data", { rawData: new Uint8Array() }, "input", "holds 0 values where [4] needs 4"],
    ["two kinds of data", { floatData: [1, 2, 3, 4] }, "input", "both raw data and floatData"],
    ["data of another type", { rawData: new Uint8Array(), int64Data: [1n, 2n, 3n, 4n] }, "input", "but holds int64Data"],
    ["a negative dimension", { dims: [-4n] }, "input", "a dimension of -4"],
    ["a huge dimension", { dims: [2n ** 62n] }, "unsupported", "a dimension of 4611686018427387904"],
    ["dimensions whose product is huge", { dims: [2n ** 39n, 2n ** 39n, 2n ** 39n] }, "unsupported", "elements"],
    ["more dimensions than any tensor has", { dims: new Array<bigint>(17).fill(1n) }, "unsupported", "17 dimensions"],
    ["an unknown type", { dataType: 99 }, "input", "element type number 99"],
    ["no type", { dataType: 0 }, "input", "element type undefined"],
    ["strings", { dataType: 8, rawData: new Uint8Array(), stringData: [1, 2, 3, 4].map(() => new Uint8Array(1)) }, "unsupported", "element type string"],
    ["4-bit integers", { dataType: 22 }, "unsupported", "element type int4"],
    ["segments", { segment: { begin: 0n, end: 1n } }, "unsupported", "stored in segments"],
    ["an unknown place", { dataLocation: 2 }, "input", "data location 2"],
  ]; // prettier-ignore
  for (const [title, change, code, text] of cases) {
    it(`refuses ${title}`, () => refused(withWeights(change), code, text));
  }

  it("reads float16, bfloat16, float_data and int32_data exactly", async () => {
    const halves = [0x3c00, 0xc100, 0x0001, 0x7bff]; // 1, -2.5, 2^-24, 65504
    const cast = (change: TensorInit): ModelSpec => ({
      nodes: [node("Cast", ["c"], ["f"], { to: 1 }), node("Add", ["x", "f"], ["y"])],
      initializers: [{ name: "c", dims: [4n], ...change }],
    });
    const biasOf = async (spec: ModelSpec): Promise<number[]> => {
      const last = (await readModelBytes(bytesOf(spec))).nodes.at(-1) as { bias?: Float64Array };
      return Array.from(last.bias ?? []);
    };
    const expected = [1, -2.5, 2 ** -24, 65504];
    expect(await biasOf(cast({ dataType: 10, int32Data: halves }))).to.deep.equal(expected);
    const raw = new Uint8Array(Uint16Array.from(halves).buffer);
    expect(await biasOf(cast({ dataType: 10, rawData: raw }))).to.deep.equal(expected);
    expect((await runOnnx(bytesOf(cast({ dataType: 10, rawData: raw })), [0, 0, 0, 0], [1, 4])).data).to.deep.equal(expected); // prettier-ignore
    expect(await biasOf(cast({ dataType: 16, int32Data: [0x3f80, 0xc020, 0x4000, 0x0080] }))).to.deep.equal([1, -2.5, 2, 2 ** -126]); // prettier-ignore
    expect(await biasOf(cast({ dataType: 1, floatData: [1, 2, 3, 0.5] }))).to.deep.equal([1, 2, 3, 0.5]);
    expect(await biasOf(cast({ dataType: 3, int32Data: [1, -128, 3, 127] }))).to.deep.equal([1, -128, 3, 127]);
    await refused(cast({ dataType: 3, int32Data: [1, -129, 3, 127] }), "input", "is int8 but holds -129");
    await refused(cast({ dataType: 10, int32Data: [0x7c00, 0, 0, 0] }), "unsupported", "Infinity");
    await refused(cast({ dataType: 9, int32Data: [0, 1, 2, 0] }), "input", "is bool but holds 2");
  });

  it("bounds what constants and tensors take together", async () => {
    const spec = single("Add", [1, 4], {}, [weights("c", [4])]);
    await readModelBytes(bytesOf(spec), undefined, { maxElements: 16 });
    expect((await refusal(bytesOf(spec), { maxElements: 15 })).message).to.contain("over 15 elements in all");
    const shape = [ints("s", [2 ** 20, 2 ** 20])];
    await refused({ nodes: [node("ConstantOfShape", ["s"], ["c"]), node("Add", ["x", "c"], ["y"])], initializers: shape }, "unsupported", "elements in all"); // prettier-ignore
    const range = ["a", "b", "c"].map((name, i) => tensor(name, [], [[0, 2 ** 40, 1][i] as number], "int64"));
    await refused({ nodes: [node("Range", ["a", "b", "c"], ["r"]), node("Reshape", ["x", "r"], ["y"])], initializers: range }, "unsupported", "elements in all"); // prettier-ignore
  });
});

describe("onnx refusals: bytes", () => {
  const good = bytesOf(plain);
  const cases: [string, Uint8Array, string][] = [
    ["an empty file", new Uint8Array(), "no graph"],
    ["a web page", new TextEncoder().encode("<!DOCTYPE html><html></html>"), "not an ONNX file"],
    ["a Git LFS pointer", new TextEncoder().encode("version https://git-lfs.example/spec/v1\noid sha256:00\n"), "Git LFS"],
    ["zeros", new Uint8Array(100), "field 0, which ONNX does not know"],
    ["a field that ONNX does not know", Uint8Array.of(...good, 0x98, 0x06, 1), "field 99"],
    ["a field of another wire type", Uint8Array.of(0x0a, 1, 65), "ir_version at byte 1 has wire type 2"],
    ["a group", Uint8Array.of(0x3b, 0x3c), "wire type 3"],
    ["a message longer than the file", Uint8Array.of(0x3a, 0x7f, 0), "graph at byte 2 is longer than what holds it"],
    ["a message longer than 2^53", Uint8Array.of(0x3a, ...new Array<number>(9).fill(0xff), 1), "longer than what holds it"],
    ["an endless number", new Uint8Array(30).fill(0xff), "longer than ten bytes"],
    ["a cut number", Uint8Array.of(0x08, 0xff), "ends inside a number"],
    ["messages nested without end", nested(99), "nested deeper than 64"],
  ]; // prettier-ignore
  for (const [title, bytes, text] of cases) {
    it(`refuses ${title}`, async () => {
      const error = await refusal(bytes);
      expect(`${error.message} ${error.mend}`).to.contain(text);
      expect(error.code).to.equal("input");
    });
  }

  it("refuses every truncation of a good file", async () => {
    for (let length = 0; length < good.length; length++) {
      expect((await refusal(good.subarray(0, length))).code).to.be.oneOf(["input", "unsupported"]);
    }
  });

  it("counts before it decodes: numbers and messages one by one", async () => {
    const list = new Uint8Array(2 ** 23 + 1);
    const many = toBinary(ModelSchema, create(ModelSchema, { graph: { initializer: [{ rawData: list }] } }));
    const numbers = many.slice();
    numbers[many.indexOf(0x4a)] = 0x3a; // raw_data (9) becomes int64_data (7)
    expect((await refusal(numbers)).message).to.contain("numbers one by one");
    const empty = Buffer.alloc(2 * 1_000_001, Uint8Array.of(0x0a, 0)); // nodes of length 0
    const varint = [0, 7, 14].map((shift, i) => ((empty.length >> shift) & 127) | (i < 2 ? 128 : 0));
    expect((await refusal(Buffer.concat([Uint8Array.of(0x3a, ...varint), empty]))).message).to.contain(
      "more than 1000000 messages",
    );
  }).timeout(30_000);
});

/** Graph in attribute in node in graph ..., `levels` deep. */
function nested(levels: number): Uint8Array {
  let bytes = Uint8Array.of();
  const wrap = (tag: number): void => {
    const size = bytes.length;
    bytes = Uint8Array.of(tag, (size & 127) | 128, size >> 7, ...bytes);
  };
  const tags = [0x32, 0x2a, 0x0a]; // Attribute.g, Node.attribute, Graph.node
  for (let i = 0; i < levels; i++) wrap(tags[i % 3] as number);
  wrap(0x3a);
  return bytes;
}
