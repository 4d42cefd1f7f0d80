// Element-by-element ops against onnxruntime on the same file: functions, arithmetic, truth values, choices and casts, of
// tensors and of constants, with their edge attributes and every way to broadcast.
import { expect } from "chai";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import { OPSETS } from "../../../node/model/onnx/check.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import {
  type AttributeOf,
  bytesOf,
  type Elem,
  ints,
  type ModelSpec,
  node,
  noise,
  tensor,
  type TensorInit,
} from "../../support/onnx.ts";
import { agree, drawn, opsOf, refused } from "../../support/onnxAgree.ts";

type Attributes = Readonly<Record<string, AttributeOf>>;
const float = (value: number): AttributeOf => ({ float: value });

/** Around 0, ties of rounding, where functions saturate, and further out. */
const EDGES = [0, -0, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 1, -1, 1e-3, -1e-3, 1e-20, 3, -3, 6, -6, 20, -20, 40, -40, 1e4, -1e4]; // prettier-ignore
const NEAR = [...EDGES.slice(0, 19), ...noise(5, 45).map((v) => Math.fround(4 * v))];
const POSITIVE = [...NEAR.map(Math.abs).map((v) => Math.fround(v + 2 ** -10)), 1e-6, 1e6];

const of = (op: string, attributes: Attributes = {}, opset = 17, more: readonly TensorInit[] = []): ModelSpec => ({
  nodes: [node(op, ["x", ...more.map(({ name }) => name as string)], ["y"], attributes)],
  initializers: more,
  opset,
});
const wide = (spec: ModelSpec, values: readonly number[], type: Elem = "float32"): ModelSpec => ({
  ...spec,
  input: { dims: [1, values.length], type },
});

/** On a tensor, and (folded) on a constant that is added to one. */
async function both(
  op: string,
  values: readonly number[],
  attributes: Attributes = {},
  opset = 17,
  more: readonly TensorInit[] = [],
): Promise<void> {
  const plain = values.map(Math.fround);
  await agree(wide(of(op, attributes, opset, more), plain), [plain]);
  const inputs = ["k", ...more.map(({ name }) => name as string)];
  const folded: ModelSpec = {
    nodes: [node(op, inputs, ["c"], attributes), node("Add", ["x", "c"], ["y"])],
    initializers: [tensor("k", [1, values.length], plain), ...more],
    opset,
  };
  const graph = await agree(wide(folded, plain), [plain]);
  expect(opsOf(graph), `${op} of a constant folds`).to.deep.equal(["input", "affine"]);
}

describe("elementwise: functions of one tensor", () => {
  it("agree with onnxruntime on tensors and fold on constants", async () => {
    for (const op of ["Sigmoid", "Tanh", "Erf", "Softplus", "Softsign", "HardSwish", "Abs", "Neg", "Sign", "Floor", "Ceil", "Round", "Relu"]) await both(op, EDGES); // prettier-ignore
    await both("Exp", NEAR);
    for (const op of ["Log", "Sqrt", "Reciprocal"]) await both(op, POSITIVE);
    await both("Reciprocal", [-4, -0.1, 0.1, 4]);
    await both("Mish", NEAR, {}, 18);
  }).timeout(20_000);

  it("take their attributes, given or not", async () => {
    for (const alpha of [undefined, 0.3, 1, 2]) {
      const attributes = alpha === undefined ? {} : { alpha: float(alpha) };
      for (const op of ["Elu", "Celu", "Selu", "ThresholdedRelu", "HardSigmoid"]) await both(op, NEAR, attributes);
      await both("Swish", NEAR, attributes, 24);
    }
    await both("Selu", NEAR, { alpha: float(2), gamma: float(0.5) });
    await both("HardSigmoid", NEAR, { alpha: float(-0.5), beta: float(0.25) });
    await both("ThresholdedRelu", [-1, 0, 1, 2, 3], { alpha: float(0) });
    for (const alpha of [0, 0.01, 1, 3, -0.5]) await both("LeakyRelu", NEAR, { alpha: float(alpha) });
    for (const approximate of [undefined, "none", "tanh"]) {
      await both("Gelu", NEAR, approximate === undefined ? {} : { approximate }, 20);
    }
  }).timeout(20_000);

  it("PRelu takes one slope or many, above and below 1, broadcast to its input", async () => {
    for (const [dims, slopes] of [
      [[1], [0.25]],
      [
        [3, 1, 1],
        [0.1, 1, 2.5],
      ],
      [
        [1, 3, 1, 1],
        [-0.5, 0, 4],
      ],
      [[2], [0.1, -3]],
      [[3, 2, 2], noise(3, 12).map((v) => Math.fround(2 * v))],
    ] as const) {
      const spec = of("PRelu", {}, 17, [tensor("s", dims, slopes)]);
      await agree({ ...spec, input: { dims: [1, 3, 2, 2] } });
    }
    await refused({ ...of("PRelu", {}, 17, [tensor("s", [2, 3], noise(1, 6))]), input: { dims: [1, 3] } }, "input", "do not broadcast"); // prettier-ignore
  });

  it("Pow takes constant exponents, and a constant base", async () => {
    const exponent = (value: number, type: Elem = "float32"): TensorInit => tensor("e", [], [value], type);
    for (const value of [2, 3, 0, 1, -1, 4]) await both("Pow", NEAR.filter((v) => Math.abs(v) > 0.05), {}, 17, [exponent(value)]); // prettier-ignore
    for (const value of [0.5, 1.5, 1 / 3, -0.5]) await both("Pow", POSITIVE.slice(3, 30), {}, 17, [exponent(value)]);
    await both("Pow", [1, 2, -3], {}, 17, [exponent(3, "int64")]);
    const base: ModelSpec = { nodes: [node("Pow", ["b", "x"], ["y"])], initializers: [tensor("b", [], [2.5])] };
    await agree(base);
    await refused(
      { ...base, initializers: [tensor("b", [], [-2])] },
      "unsupported",
      "neither its exponent nor its base",
    );
    await refused(of("Pow", {}, 17, [tensor("e", [4], [1, 2, 3, 4])]), "unsupported", "neither its exponent nor its base"); // prettier-ignore
  });

  it("are read at every opset that has them", async () => {
    for (const opset of [11, 13, 17, 21, OPSETS.newest]) {
      for (const op of ["Sigmoid", "Tanh", "Erf", "Elu", "Abs", "Sign", "Round", "Softplus"]) await agree(of(op, {}, opset)); // prettier-ignore
    }
    for (const [op, opset] of [["Celu", 12], ["HardSwish", 14], ["Mish", 18], ["Gelu", 20], ["Swish", 24]] as const) {
      await agree(of(op, {}, opset));
      await refused(of(op, {}, opset - 1), "input", `does not exist at opset ${opset - 1}`);
    } // prettier-ignore
  }).timeout(20_000);

  it("want floating-point numbers where a result is no integer, and take integers where it is", async () => {
    for (const op of ["Sigmoid", "Tanh", "Exp", "Sqrt", "Floor"]) {
      await refused({ ...of(op), input: { dims: [1, 4], type: "int32" }, outputType: "int32" }, "unsupported", "int32");
    }
    for (const op of ["Abs", "Neg", "Sign", "Relu"]) {
      await agree({ ...of(op), input: { dims: [1, 4], type: "int32" }, outputType: "int32" }, [[-3, 0, 7, -(2 ** 31) + 1]]); // prettier-ignore
    }
  });
});

describe("elementwise: arithmetic", () => {
  const OPS = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"];

  it("of two tensors broadcasts either way, at ranks from 1 to 5", async () => {
    const pairs: readonly (readonly [readonly number[], readonly number[]])[] = [
      [[1], [1]],
      [[1, 3], [1, 3]],
      [[1, 3], [1, 1]],
      [[1, 1], [1, 4]],
      [[1, 3, 1], [1, 1, 4]],
      [[1, 2, 3, 4], [1, 2, 1, 1]],
      [[1, 4], [1, 2, 3, 4]],
      [[1, 2, 1, 2, 1], [1, 1, 3, 1, 2]],
    ]; // prettier-ignore
    for (const op of OPS) {
      for (const [a, b] of pairs) {
        const spec: ModelSpec = {
          nodes: [node(op, ["x", "z"], ["y"])],
          input: { dims: a },
          moreInputs: [{ name: "z", dims: b }],
        };
        // Divisors far from 0, where float32 would make much of a little.
        const inputs = [1, 2].map((seed) => drawn(spec, seed).map((v) => (op === "Div" ? v + Math.sign(v) : v)));
        await agree(spec, inputs.map((list) => list.map(Math.fround)));
      }
    } // prettier-ignore
  }).timeout(30_000);

  it("with constants folds into affine maps, from either side and with any shape", async () => {
    for (const op of OPS) {
      for (const dims of [[], [1], [3], [2, 1], [1, 2, 3], [4, 1, 1], [5, 1, 2, 3]]) {
        const size = dims.reduce((a, b) => a * b, 1);
        const k = tensor("k", dims, noise(9, size).map((v) => v + 2 * Math.sign(v))); // prettier-ignore
        for (const list of [["x", "k"], ["k", "x"]]) {
          const spec = { nodes: [node(op, list, ["y"])], initializers: [k], input: { dims: [1, 2, 3] } };
          await agree(spec, [[-3, -0.25, -1, 2, 0.5, 3]]);
        }
      }
    } // prettier-ignore
  }).timeout(30_000);

  it("with a constant of one number but more axes takes the constant's shape", async () => {
    const single = [[], [1], [1, 1, 1]].flatMap((dims) => [[], [1]].map((x) => [x, dims] as const));
    for (const op of [...OPS, "Pow"]) {
      for (const [dims, shape] of op === "Pow" ? [...single, [[1, 3], [2, 1]] as const] : single) {
        const size = shape.reduce((a, b) => a * b, 1);
        for (const value of [1, 2, 3]) {
          const k = tensor("k", shape, new Array<number>(size).fill(value));
          for (const list of [["x", "k"], ["k", "x"]]) {
            const spec = { nodes: [node(op, list, ["y"])], initializers: [k], input: { dims } };
            await agree(spec, [new Array<number>(dims.reduce((a, b) => a * b, 1)).fill(0.75)]);
          }
        }
      }
    } // prettier-ignore
  }).timeout(20_000);

  it("of one tensor with itself is a function of it", async () => {
    for (const op of OPS) await agree({ nodes: [node(op, ["x", "x"], ["y"])] });
    expect(opsOf(await agree({ nodes: [node("Mul", ["x", "x"], ["y"])] }))).to.deep.equal(["input", "mul"]);
  });

  it("takes any number of operands where ONNX does, constants among them", async () => {
    const k = tensor("k", [4], [0.5, -0.5, 2, -2]);
    const q = tensor("q", [1, 1], [0.25]);
    for (const op of ["Max", "Min", "Sum", "Mean"]) {
      for (const list of [["x"], ["x", "k", "q"], ["k", "q", "x"], ["x", "z", "k"], ["z", "x", "x", "q", "k"], ["k", "q"]]) {
        const constant = !list.some((name) => name === "x" || name === "z");
        const nodes = constant ? [node(op, list, ["c"]), node("Add", ["x", "c"], ["y"])] : [node(op, list, ["y"])];
        await agree({ nodes: [node("Neg", ["x"], ["z"]), ...nodes], initializers: [k, q] });
      }
    } // prettier-ignore
  }).timeout(20_000);

  it("of integers is exact, and refuses a division that drops remainders", async () => {
    const k = tensor("k", [1], [3], "int64");
    for (const type of ["int64", "int32"] as const) {
      for (const op of ["Add", "Sub", "Mul", "Max", "Min"]) {
        const spec: ModelSpec = {
          nodes: [node(op, ["x", "z"], ["m"]), node("Add", ["m", "k"], ["y"])],
          initializers: [type === "int64" ? k : tensor("k", [1], [3], "int32")],
          input: { dims: [1, 4], type },
          moreInputs: [{ name: "z", dims: [1, 4], type }],
          outputType: type,
        };
        await agree(spec, [[-7, 0, 40000, -5, 3, -3, 40000, 9]], 0);
      }
    }
    const divided: ModelSpec = { nodes: [node("Div", ["x", "k"], ["y"])], initializers: [k], input: { dims: [1, 4], type: "int64" }, outputType: "int64" }; // prettier-ignore
    await refused(divided, "unsupported", "drops the remainder");
    const folded: ModelSpec = { ...divided, nodes: [node("Div", ["q", "k"], ["c"]), node("Add", ["x", "c"], ["y"])], initializers: [k, ints("q", [7, -7, 8])], input: { dims: [1, 3], type: "int64" } }; // prettier-ignore
    await agree(folded, [[1, 2, 3]], 0);
  });

  it("Clip takes bounds given or left out, of floats and of integers", async () => {
    const clip = (inputs: string[], lo: number, hi: number, type: Elem = "float32"): ModelSpec => ({
      nodes: [node("Clip", inputs, ["y"])],
      initializers: [tensor("lo", [], [lo], type), tensor("hi", [], [hi], type)],
      input: { dims: [1, 4], type },
      outputType: type,
    });
    for (const inputs of [["x"], ["x", "lo"], ["x", "", "hi"], ["x", "lo", "hi"]]) {
      await agree(clip(inputs, -0.5, 1));
      await agree(clip(inputs, -1, 3, "int32"), [[-5, 0, 3, 9]], 0);
    }
    await refused(clip(["x", "lo", "hi"], 2, 1), "unsupported", "clips to [2, 1]");
  });

  it("refuses truth values, mixed types and what does not broadcast", async () => {
    for (const op of ["Add", "Max", "Neg"]) {
      const inputs = op === "Neg" ? ["x"] : ["x", "x"];
      const spec: ModelSpec = { nodes: [node(op, inputs, ["y"])], input: { dims: [1, 2], type: "bool" } };
      await refused(spec, "input", "truth values");
    }
    await refused({ nodes: [node("Mul", ["x", "k"], ["y"])], initializers: [ints("k", [1])] }, "input", "mixes float32 and int64"); // prettier-ignore
    await refused({ nodes: [node("Mul", ["x", "k"], ["y"])], initializers: [tensor("k", [3], [1, 2, 3])] }, "input", "do not broadcast"); // prettier-ignore
    await refused({ nodes: [node("Div", ["x", "k"], ["y"])], initializers: [tensor("k", [1], [0])] }, "unsupported", "holds 0"); // prettier-ignore
    for (const op of ["BitShift", "BitwiseAnd"]) {
      await refused({ nodes: [node(op, ["x", "x"], ["y"])] }, "unsupported", `op "${op}"`, "not read");
    }
  });
});

describe("elementwise: truth values", () => {
  const RELATIONS = ["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"];
  const TIES = [-1, 0, 0.5, 2, 2, 0, 0.5, -1];

  it("comparisons agree, at ties too, between tensors and with constants on either side", async () => {
    for (const op of RELATIONS) {
      const two: ModelSpec = {
        nodes: [node(op, ["x", "z"], ["y"])],
        input: { dims: [1, 4] },
        moreInputs: [{ name: "z", dims: [1, 4] }],
        outputType: "bool",
      };
      await agree(two, [TIES, [1, 1, 1, 1, 1, 1, 1, 1]], 0);
      const k = tensor("k", [], [0.5]);
      for (const list of [["x", "k"], ["k", "x"]]) {
        await agree({ nodes: [node(op, list, ["y"])], initializers: [k], outputType: "bool" }, [[-1, 0.5, 0.25, 2]], 0);
      }
      const row = { nodes: [node(op, ["x", "q"], ["y"])], initializers: [tensor("q", [2, 1], [0, 1])], outputType: "bool" } as const; // prettier-ignore
      await agree(row, [[-1, 0, 1, 2]], 0);
      const integers: ModelSpec = { ...two, input: { dims: [1, 4], type: "int32" }, moreInputs: [{ name: "z", dims: [1, 4], type: "int32" }] }; // prettier-ignore
      await agree(integers, [[1, 2, 3, -4, 1, 3, 2, -4]], 0);
    } // prettier-ignore
  }).timeout(20_000);

  it("connectives agree on all four pairs, with constants too", async () => {
    const pairs = [0, 0, 1, 1, 0, 1, 0, 1];
    for (const op of ["And", "Or", "Xor"]) {
      const spec: ModelSpec = { nodes: [node(op, ["x", "z"], ["y"])], input: { dims: [1, 4], type: "bool" }, moreInputs: [{ name: "z", dims: [1, 4], type: "bool" }], outputType: "bool" }; // prettier-ignore
      await agree(spec, [pairs], 0);
      const k = tensor("k", [4], [0, 1, 0, 1], "bool");
      for (const list of [
        ["x", "k"],
        ["k", "x"],
      ]) {
        await agree({ nodes: [node(op, list, ["y"])], initializers: [k], input: { dims: [1, 4], type: "bool" }, outputType: "bool" }, [[0, 0, 1, 1]], 0); // prettier-ignore
      }
      const folded: ModelSpec = { nodes: [node(op, ["k", "q"], ["c"]), node("Xor", ["x", "c"], ["y"])], initializers: [k, tensor("q", [4], [0, 0, 1, 1], "bool")], input: { dims: [1, 4], type: "bool" }, outputType: "bool" }; // prettier-ignore
      await agree(folded, [[0, 1, 1, 0]], 0);
    }
    await agree({ nodes: [node("Not", ["x"], ["y"])], input: { dims: [1, 2], type: "bool" }, outputType: "bool" }, [[0, 1]], 0); // prettier-ignore
    await refused({ nodes: [node("Not", ["x"], ["y"])], outputType: "bool" }, "input", "is float32, not bool");
    await refused({ nodes: [node("And", ["x", "x"], ["y"])], outputType: "bool" }, "input", "is float32, not bool");
  });

  it("Where takes each of its inputs as a tensor or as a constant, and broadcasts all three", async () => {
    const initializers = [
      tensor("ck", [2, 1], [1, 0], "bool"),
      tensor("ak", [4], [1, -2, 3, -4]),
      tensor("bk", [], [0.25]),
      tensor("zk", [], [0]),
    ];
    const nodes = [node("Greater", ["x", "zk"], ["c"]), node("Neg", ["x"], ["a"]), node("Reshape", ["x", "s"], ["b"])];
    for (const c of ["c", "ck"]) {
      for (const a of ["a", "ak", "zk"]) {
        for (const b of ["b", "bk"]) {
          const constant = [c, a, b].every((name) => name.endsWith("k"));
          const end = constant ? [node("Where", [c, a, b], ["w"]), node("Add", ["x", "w"], ["y"])] : [node("Where", [c, a, b], ["y"])]; // prettier-ignore
          await agree({ nodes: [...nodes, ...end], initializers: [...initializers, ints("s", [1, 1, 4])] });
        }
      }
    }
    const whole: ModelSpec = {
      nodes: [node("Greater", ["x", "z"], ["c"]), node("Where", ["c", "x", "z"], ["y"])],
      input: { dims: [1, 4], type: "int64" },
      moreInputs: [{ name: "z", dims: [1, 4], type: "int64" }],
      outputType: "int64",
    };
    await agree(whole, [[0, 5, -1, 1, 0, 1, 0, 70000]], 0);
    await refused({ nodes: [node("Where", ["x", "x", "x"], ["y"])] }, "input", "not bool");
    await refused({ nodes: [node("Where", ["x", "k", "k2"], ["y"])], input: { dims: [1, 1], type: "bool" }, initializers: [tensor("k", [1], [1]), ints("k2", [1])] }, "input", "mixes"); // prettier-ignore
  }).timeout(20_000);

  it("casts between floats, integers and truth values agree", async () => {
    const cast = (from: Elem, to: Elem, code: number): ModelSpec => ({ nodes: [node("Cast", ["x"], ["y"], { to: code })], input: { dims: [1, 6], type: from }, outputType: to }); // prettier-ignore
    await agree(cast("float32", "int32", 6), [[-2.7, -0.5, 0, 0.5, 2.7, 3]], 0);
    await agree(cast("float32", "int64", 7), [[-2.7, -0.5, 0, 0.5, 2.7, 3]], 0);
    await agree(cast("float32", "bool", 9), [[-2.7, -0.5, 0, 0.5, 2.7, 3]], 0);
    await agree(cast("int32", "bool", 9), [[-2, 0, 1, 2, 0, 255]], 0);
    await agree(cast("bool", "float32", 1), [[0, 1, 1, 0, 0, 1]], 0);
    await agree(cast("int64", "int32", 6), [[0, 1, -1, 7, 100, -100]], 0);
    await agree(cast("uint8", "float32", 1), [[0, 1, 1, 255, 7, 9]], 0);
    await refused(cast("int32", "uint8", 2), "unsupported", "changes them");
  });

  it("a cast of floats to a narrow integer clips what lies beyond the type, which ONNX leaves open", async () => {
    const spec: ModelSpec = { nodes: [node("Cast", ["x"], ["y"], { to: 2 })], input: { dims: [1, 6] }, outputType: "uint8" }; // prettier-ignore
    await agree(spec, [[0, 0.5, 17.9, 254.99, 255, 255.5]], 0);
    const graph = await readModelBytes(bytesOf(spec));
    const yielded = evaluateFloat(graph, Float64Array.of(-2, -0.5, 256, 300.7, 1e6, -1e6)).at(-1);
    expect([...(yielded ?? [])].map((v) => v + 0)).to.deep.equal([0, 0, 255, 255, 255, 0]);
  });

  it("IsNaN and IsInf of what depends on the input are false, and tell constants apart", async () => {
    for (const op of ["IsNaN", "IsInf"]) {
      const spec: ModelSpec = { nodes: [node(op, ["x"], ["c"]), node("Where", ["c", "zero", "x"], ["y"])], initializers: [tensor("zero", [], [0])] }; // prettier-ignore
      expect(opsOf(await agree(spec))).to.deep.equal(["input"]);
      for (const attributes of op === "IsInf" ? [{}, { detect_negative: 0 }, { detect_positive: 0 }] : [{}]) {
        const constant: ModelSpec = {
          nodes: [node(op, ["k"], ["c"], attributes), node("Where", ["c", "zero", "x"], ["y"])],
          initializers: [tensor("k", [4], [NaN, Infinity, -Infinity, 1]), tensor("zero", [], [0])],
        };
        await agree(constant);
      }
    }
  });
});
