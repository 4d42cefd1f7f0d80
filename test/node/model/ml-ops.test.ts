// Preprocessing, linear models and support vector machines of ai.onnx.ml against onnxruntime, op by op with their edge
// attributes; what is refused, by name; and what becomes of strings and maps.
import { expect } from "chai";
import type { FloatGraph } from "../../../node/model/graph.ts";
import { supportedOps } from "../../../node/model/onnx/ops.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { mlBytes, mlNode, openOriginal, outputsOfFloat } from "../../support/ml.ts";
import { expectNear } from "../../support/near.ts";
import { type AttributeOf, type Elem, ints, type ModelInit, type ModelSpec, node, noise, tensor } from "../../support/onnx.ts"; // prettier-ignore

const seen = new Set<string>();

/** Reads the model and holds it to onnxruntime: labels exactly, reals to `tolerance`. */
async function agree(spec: ModelSpec, samples: readonly (readonly number[])[], tolerance = 1e-5): Promise<FloatGraph> {
  for (const { domain, opType } of spec.nodes) if (domain === "ai.onnx.ml") seen.add(`${domain}.${opType}`);
  const bytes = mlBytes(spec);
  const graph = await readModelBytes(bytes);
  const original = await openOriginal(bytes, graph);
  try {
    for (const sample of samples) {
      const reals = Float64Array.from(sample, Math.fround);
      const [expected, own] = [await original.run(reals), outputsOfFloat(graph, reals)];
      expected.forEach((values, k) => {
        const name = graph.outputs[k]!.name;
        expect(own[k], name).to.have.lengthOf(values.length);
        values.forEach((value, i) => {
          const near = name === "label" ? 0 : tolerance * Math.max(1, Math.abs(value));
          expectNear(own[k]![i], value, near, `${name}[${i}] at [${sample.join(", ")}]`);
        });
      });
    }
  } finally {
    await original.close();
  }
  return graph;
}

async function refusal(spec: ModelSpec): Promise<string> {
  return readModelBytes(mlBytes(spec)).then(
    () => expect.fail("it was read"),
    (thrown: Error) => thrown.message,
  );
}

const one = (
  op: string,
  attributes: Record<string, AttributeOf>,
  features = 3,
  type: Elem = "float32",
  outputType: Elem = "float32",
): ModelSpec => ({ nodes: [mlNode(op, ["x"], ["y"], attributes)], input: { dims: [1, features], type }, outputType });

const classifier = (op: string, attributes: Record<string, AttributeOf>, features = 3): ModelSpec => ({
  nodes: [mlNode(op, ["x"], ["label", "y"], attributes)],
  input: { dims: [1, features] },
  moreOutputs: [{ name: "label", type: "int64" }],
});

const random = (count: number, features = 3): number[][] => Array.from({ length: count }, (_, k) => noise(k + 1, features).map((v) => 3 * v)); // prettier-ignore

describe("preprocessing of ai.onnx.ml", () => {
  it("Scaler: per feature, one for all, and integers", async () => {
    await agree(one("Scaler", { offset: { floats: [1, -2, 0] }, scale: { floats: [0.5, -3, 100] } }), random(3));
    await agree(one("Scaler", { offset: { floats: [1.5] }, scale: { floats: [0.25] } }), random(3));
    const whole = { offset: { floats: [1, 2, 3] }, scale: { floats: [2, 2, 0.1] } };
    await agree(one("Scaler", whole, 3, "int64"), [[5, -7, 100]]);
  });

  for (const norm of ["L1", "L2", "MAX"]) {
    it(`Normalizer ${norm}`, async () => {
      const positive = random(4, 5).map((row) => row.map((v) => Math.abs(v) + 0.1));
      await agree(one("Normalizer", { norm }, 5), norm === "MAX" ? positive : [...positive, ...random(4, 5)]);
    });
  }

  it("Normalizer L1 behind a Softmax does nothing, since scores add up to 1", async () => {
    const nodes = [node("Softmax", ["x"], ["s"], { axis: 1 }), mlNode("Normalizer", ["s"], ["y"], { norm: "L1" })];
    const graph = await agree({ nodes, input: { dims: [1, 3] } }, random(3));
    expect(graph.nodes.map(({ op }) => op)).to.deep.equal(["input"]);
  });

  it("Imputer: NaN passes with a notice, another value is replaced where it stands exactly", async () => {
    const given = { floats: [10, 20, 30] };
    const graph = await agree(one("Imputer", { imputed_value_floats: given, replaced_value_float: { float: NaN } }), random(2)); // prettier-ignore
    expect(graph.notices.join()).to.contain("replaces NaN, which no integer input can be");
    const replaced = Math.fround(-0.1);
    const near = [-(2 ** -27), 0, 2 ** -27].map((d) => replaced + d);
    const exact = one("Imputer", { imputed_value_floats: given, replaced_value_float: { float: replaced } });
    expect((await agree(exact, near.map((v) => [v, replaced, 0]))).notices.join()).to.contain("exactly -0.1"); // prettier-ignore
    const whole = { imputed_value_int64s: [7], replaced_value_int64: -1 };
    await agree(one("Imputer", whole, 3, "int64", "int64"), [[-1, 0, -2], [3, -1, -1]]); // prettier-ignore
  });

  it("Binarizer: above its threshold, not at it", async () => {
    const at = Math.fround(0.3);
    await agree(one("Binarizer", { threshold: { float: at } }), [[at, at + 2 ** -25, at - 2 ** -25], ...random(2)]);
    await agree(one("Binarizer", {}), [[0, 2 ** -149, -(2 ** -149)]]);
  });

  it("OneHotEncoder: integers and reals cut to integers, known categories and others", async () => {
    const cats = { cats_int64s: [0, 3, -2, 100, 4] };
    const rows = [[0, 3, -2], [100, 4, 5], [-1, 1, 99]]; // prettier-ignore
    await agree(one("OneHotEncoder", cats, 3, "int64"), rows);
    await agree(one("OneHotEncoder", cats), [...rows, [0.9, -0.9, 3.99], [-2.5, -3, -1.99], [99.99, 100.5, 1]]);
    const strict = await readModelBytes(mlBytes(one("OneHotEncoder", { ...cats, zeros: 0 }, 3, "int64")));
    expect(strict.notices.join()).to.contain("yields zeros for categories it does not know (the file: an error)");
  });

  it("LabelEncoder: from integers and reals to integers and reals, with defaults", async () => {
    const keys = { keys_int64s: [5, 1, 7, 6] };
    const rows = [[5, 1, 7], [6, 0, 8], [4, 2, -5]]; // prettier-ignore
    const to = { values_int64s: [10, -20, 30, 40], default_int64: 99 };
    await agree(one("LabelEncoder", { ...keys, ...to }, 3, "int64", "int64"), rows);
    await agree(one("LabelEncoder", { ...keys, values_int64s: [1, 2, 3, 4] }, 3, "int64", "int64"), rows);
    const twice = { keys_int64s: [5, 1, 5], values_int64s: [1, 2, 3] };
    await agree(one("LabelEncoder", twice, 3, "int64", "int64"), rows);
    const reals = { values_floats: { floats: [0.1, -2.5, 1000, 3] }, default_float: { float: -7.25 } };
    await agree(one("LabelEncoder", { ...keys, ...reals }, 3, "int64"), rows, 1e-6);
    const real = { keys_floats: { floats: [0.5, -1.25, Math.fround(0.1)] }, values_int64s: [1, 2, 3] };
    await agree(one("LabelEncoder", real, 3, "float32", "int64"), [[0.5, -1.25, 0.1], [0.5 + 2 ** -24, -1.25, 0.3]]); // prettier-ignore
  });

  it("LabelEncoder: strings that it yields come out as numbers, and a notice tells which", async () => {
    const strings = { keys_int64s: [1, 2, 3], values_strings: { strings: ["lo", "hi", "lo"] }, default_string: "none" };
    const spec = one("LabelEncoder", strings, 3, "int64");
    const typed = (model: ModelInit): ModelInit => {
      const [y] = model.graph!.output!;
      (y!.type!.value as { value: { elemType: number } }).value.elemType = 8;
      return model;
    };
    const graph = await agree({ ...spec, change: typed }, [[1, 2, 3], [4, 0, 2]]); // prettier-ignore
    expect(graph.notices.join()).to.contain('are given by their number: 0 = "lo", 1 = "hi"');
  });

  it("ArrayFeatureExtractor: columns of a tensor, and of a constant by a number that is computed", async () => {
    const initializers = [ints("columns", [2, 0, 2])];
    const nodes = [mlNode("ArrayFeatureExtractor", ["x", "columns"], ["y"])];
    await agree({ nodes, initializers, input: { dims: [1, 3] } }, random(2));
    await agree({ nodes, initializers, input: { dims: [2, 3] } }, random(2, 6));
    await agree({ nodes, initializers, input: { dims: [3] } }, random(2));
    for (const labels of [
      [4, 9, -1],
      [0, 1, 2],
      [7, 8, 9],
    ]) {
      // prettier-ignore
      const table = [node("ArgMax", ["x"], ["i"], { axis: 1 }), mlNode("ArrayFeatureExtractor", ["classes", "i"], ["y"])]; // prettier-ignore
      await agree({ nodes: table, initializers: [ints("classes", labels)], input: { dims: [1, 3] }, outputType: "int64" }, random(5)); // prettier-ignore
    }
  });

  it("FeatureVectorizer: several inputs side by side", async () => {
    const nodes = [mlNode("FeatureVectorizer", ["x", "z"], ["y"], { inputdimensions: [3, 2] })];
    const spec = { nodes, input: { dims: [1, 3] }, moreInputs: [{ name: "z", dims: [1, 2] }] };
    await agree(spec, random(2, 5));
    const wrong = { ...spec, nodes: [mlNode("FeatureVectorizer", ["x", "z"], ["y"], { inputdimensions: [3, 3] })] };
    expect(await refusal(wrong)).to.contain("its input 1 has 2 features, not 3");
  });
});

const DOUBLE = { offset: { floats: [0] }, scale: { floats: [2] } };
const POSTS = ["NONE", "SOFTMAX", "LOGISTIC"];

describe("linear models of ai.onnx.ml", () => {
  it("LinearRegressor: one target and several, each transform, features of any size", async () => {
    for (const post_transform of POSTS) {
      const single = {
        coefficients: { floats: [0.5, -2, 0] },
        intercepts: { floats: [3] },
        targets: 1,
        post_transform,
      };
      await agree(one("LinearRegressor", single), random(3));
      const two = { coefficients: { floats: [1, -2, 3, 1e-3, 0, 500] }, targets: 2, post_transform };
      await agree(one("LinearRegressor", two), random(3), 1e-4);
    }
  });

  it("LinearClassifier: one row for two classes, two opposite ones, and several, with each transform", async () => {
    const rows = noise(9, 12);
    for (const post_transform of POSTS) {
      const single = { coefficients: { floats: [1, -2, 0.5] }, intercepts: { floats: [0.25] }, post_transform };
      await agree(classifier("LinearClassifier", { ...single, classlabels_ints: [3, 8] }), random(6));
      const pair = { coefficients: { floats: [1, -2, 0.5, -1, 2, -0.5] }, intercepts: { floats: [-0.25, 0.25] }, post_transform }; // prettier-ignore
      const graph = await agree(classifier("LinearClassifier", { ...pair, classlabels_ints: [0, 1] }), random(6));
      const left = graph.outputs.map(({ finalSoftmax }) => finalSoftmax?.kind);
      expect(left, "left to the reader of the answer").to.include(post_transform === "NONE" ? undefined : "softmax");
      const four = { coefficients: { floats: rows }, intercepts: { floats: noise(10, 4) }, classlabels_ints: [10, 20, 30, 50], post_transform }; // prettier-ignore
      await agree(classifier("LinearClassifier", four), random(8));
    }
  });
});

describe("support vector machines of ai.onnx.ml", () => {
  const KERNELS = [["LINEAR", 0, 0, 0], ["POLY", 0.5, 1, 3], ["POLY", 0.25, -0.5, 2], ["POLY", 0.5, 1, 1], ["RBF", 0.3, 0, 0], ["SIGMOID", 0.2, 0.1, 0]] as const; // prettier-ignore
  const kernelOf = ([kernel_type, ...params]: (typeof KERNELS)[number]): Record<string, AttributeOf> => ({ kernel_type, kernel_params: { floats: params } }); // prettier-ignore

  for (const kernel of KERNELS) {
    const [kind, , , degree] = kernel;
    it(`SVMRegressor and SVMClassifier of kernel ${kind}${kind === "POLY" ? ` of degree ${degree}` : ""}`, async () => {
      const regressor = {
        ...kernelOf(kernel),
        n_supports: 4,
        support_vectors: { floats: noise(1, 12) },
        coefficients: { floats: noise(2, 4) },
        rho: { floats: [0.5] },
      };
      await agree(one("SVMRegressor", regressor), random(5), 1e-4);
      await agree(one("SVMRegressor", { ...regressor, one_class: 1 }), random(8));
      for (const [classes, labels] of [
        [2, [4, 9]],
        [3, [0, 1, 2]],
        [4, [1, 2, 30, 4]],
      ] as const) {
        // prettier-ignore
        const perClass = [2, 3, 1, 2].slice(0, classes);
        const count = perClass.reduce((a, b) => a + b);
        const pairs = (classes * (classes - 1)) / 2;
        for (const post_transform of POSTS) {
          const attributes = {
            ...kernelOf(kernel),
            vectors_per_class: perClass,
            support_vectors: { floats: noise(3, 3 * count) },
            coefficients: { floats: noise(4, (classes - 1) * count) },
            rho: { floats: noise(5, pairs).map((v) => v / 4) },
            classlabels_ints: [...labels],
            post_transform,
          };
          await agree(classifier("SVMClassifier", attributes), random(8), 1e-4);
        }
      }
    });
  }

  it("liblinear: no support vectors", async () => {
    const linear = { coefficients: { floats: [1, -2, 0.5] }, rho: { floats: [0.25] }, n_supports: 0, kernel_params: { floats: [0, 0, 0] } }; // prettier-ignore
    await agree(one("SVMRegressor", linear), random(3));
    const classes = { ...linear, coefficients: { floats: noise(6, 9) }, classlabels_ints: [0, 1, 2] };
    const { n_supports: _, ...rest } = classes;
    await agree(classifier("SVMClassifier", rest), random(6));
  });
});

describe("what of ai.onnx.ml is refused", () => {
  const REFUSED: readonly (readonly [string, ModelSpec, string])[] = [
    ["another op", one("DictVectorizer", {}), "this op is not read"],
    ["string categories", one("OneHotEncoder", { cats_strings: { strings: ["a"] } }), "its categories are strings"],
    ["string keys", one("LabelEncoder", { keys_strings: { strings: ["a"] }, values_int64s: [1] }), "its keys are strings or tensors"], // prettier-ignore
    ["another norm", one("Normalizer", { norm: "L3" }), 'its norm is "L3"'],
    ["a scale of another length", one("Scaler", { scale: { floats: [1, 2] } }), '"scale" has 2 numbers for 3 features'],
    ["too few coefficients", one("LinearRegressor", { coefficients: { floats: [1] } }), "it has 1 coefficients for 1 score(s) of 3 features"], // prettier-ignore
    ["an infinite coefficient", one("LinearRegressor", { coefficients: { floats: [1, Infinity, 0] } }), "coefficients hold(s)"], // prettier-ignore
    ["PROBIT", classifier("LinearClassifier", { coefficients: { floats: [1, 2, 3] }, intercepts: { floats: [0] }, classlabels_ints: [0, 1], post_transform: "PROBIT" }), 'post_transform is "PROBIT"'], // prettier-ignore
    ["a kernel of degree 2.5", one("SVMRegressor", { kernel_type: "POLY", kernel_params: { floats: [1, 0, 2.5] }, n_supports: 1, support_vectors: { floats: [1, 2, 3] }, coefficients: { floats: [1] }, rho: { floats: [0] } }), "a polynomial of degree 2.5"], // prettier-ignore
    ["a probability of three classes", classifier("SVMClassifier", { kernel_params: { floats: [0, 0, 0] }, vectors_per_class: [1, 1, 1], support_vectors: { floats: noise(1, 9) }, coefficients: { floats: noise(2, 6) }, rho: { floats: [0, 0, 0] }, prob_a: { floats: [1, 1, 1] }, prob_b: { floats: [0, 0, 0] }, classlabels_ints: [0, 1, 2] }), "probabilities of more than two classes are found by iteration"], // prettier-ignore
  ];
  for (const [what, spec, message] of REFUSED) {
    it(`${what}`, async () => expect(await refusal(spec)).to.contain(message));
  }

  it("a ZipMap whose map is read by another op, and a Resize of an opset before 11", async () => {
    const zip = { nodes: [mlNode("ZipMap", ["x"], ["m"], { classlabels_int64s: [0, 1, 2] }), node("Identity", ["m"], ["y"])], input: { dims: [1, 3] } }; // prettier-ignore
    expect(await refusal(zip)).to.contain('op "ZipMap"');
    const old = { nodes: [mlNode("Scaler", ["x"], ["s"], DOUBLE), node("Resize", ["s", "k"], ["y"])], initializers: [tensor("k", [2], [1, 2])], input: { dims: [1, 3] }, opset: 10 }; // prettier-ignore
    expect(await refusal(old)).to.contain("its opset is 10, not one from 11");
  });
});

describe("opsets of ai.onnx beside ai.onnx.ml", () => {
  it("may be old, or none where none is needed", async () => {
    const nodes = [mlNode("Scaler", ["x"], ["s"], DOUBLE), node("Identity", ["s"], ["y"])];
    for (const opset of [7, 9, 11]) await agree({ nodes, input: { dims: [1, 3] }, opset }, random(1));
    expect(await refusal({ nodes, input: { dims: [1, 3] }, opset: 6 })).to.contain("its opset is 6, not one from 7");
    const bare = (model: ModelInit): ModelInit => ({ ...model, opsetImport: [] });
    await agree({ ...one("Scaler", DOUBLE), change: bare }, random(1));
    expect(await refusal({ nodes, input: { dims: [1, 3] }, change: bare })).to.contain("imports 0 versions");
  });
});

describe("ops of ai.onnx.ml", () => {
  it("are each run against onnxruntime above (trees: in a file of their own), and each documented", () => {
    const names = supportedOps().map(({ op }) => op).filter((op) => op.startsWith("ai.onnx.ml.")); // prettier-ignore
    expect([...seen].toSorted()).to.deep.equal(names.filter((name) => !name.includes("TreeEnsemble")));
  });
});
