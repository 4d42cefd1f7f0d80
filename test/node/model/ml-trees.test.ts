// Tree ensembles against onnxruntime: every mode, aggregate, class layout and transform; thresholds to the last bit of
// float32 and of the integer border; and what a forest costs.
import { expect } from "chai";
import { buildCircuit } from "../../../node/circuit/build.ts";
import { toReals } from "../../../node/model/border.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { firstFloat32, firstInteger, nextFloat32, nextFloat64 } from "../../../node/model/floats.ts";
import type { FloatGraph } from "../../../node/model/graph.ts";
import { bordersOf, type NodeOf } from "../../../node/model/ir.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { ensembleOf, mlBytes, mlNode, openOriginal, outputsOfFloat, type TreeSpec } from "../../support/ml.ts";
import { expectNear } from "../../support/near.ts";
import { type AttributeOf, type Elem, type ModelSpec, node, tensor } from "../../support/onnx.ts";

const MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"];

const before32 = (x: number): number => -nextFloat32(-x);

/** x itself and its neighbours in float32. */
const around = (x: number): number[] => [before32(x), x, nextFloat32(x)];

/** A regressor or classifier over `x` [1, features]. */
function specOf(
  kind: "class" | "target",
  trees: readonly TreeSpec[],
  attributes: Record<string, AttributeOf> = {},
  features = 3,
  type: Elem = "float32",
): ModelSpec {
  const all = { ...ensembleOf(kind, trees), ...attributes };
  const made = kind === "class" ? mlNode("TreeEnsembleClassifier", ["x"], ["label", "y"], all) : mlNode("TreeEnsembleRegressor", ["x"], ["y"], all); // prettier-ignore
  const labels = kind === "class" ? { moreOutputs: [{ name: "label", type: "int64" as const }] } : {};
  return { nodes: [made], input: { dims: [1, features], type }, ...labels };
}

/** Reads the model and holds it to onnxruntime on the samples: integers exactly, reals to float32's sums. */
async function agree(bytes: Uint8Array, samples: readonly (readonly number[])[]): Promise<FloatGraph> {
  const graph = await readModelBytes(bytes);
  const original = await openOriginal(bytes, graph);
  try {
    for (const sample of samples) {
      const reals = Float64Array.from(sample);
      const [expected, own] = [await original.run(reals), outputsOfFloat(graph, reals)];
      expected.forEach((values, k) => {
        const name = graph.outputs[k]!.name;
        expect(own[k], name).to.have.lengthOf(values.length);
        values.forEach((value, i) => {
          const tolerance = name === "label" ? 0 : 1e-6 * Math.max(1, Math.abs(value));
          expectNear(own[k]![i], value, tolerance, `${name}[${i}] at [${sample.join(", ")}]`);
        });
      });
    }
  } finally {
    await original.close();
  }
  return graph;
}

async function refusal(bytes: Uint8Array): Promise<string> {
  return readModelBytes(bytes).then(
    () => expect.fail("it was read"),
    (thrown: Error) => thrown.message,
  );
}

const leaf = (weight: number, target = 0): TreeSpec => [[target, weight]];

/** A full tree of random questions, with leaves made by `leafOf`. */
function randomTree(
  random: () => number,
  depth: number,
  features: number,
  leafOf: () => TreeSpec,
  modes = MODES,
): TreeSpec {
  if (depth === 0) return leafOf();
  const mode = modes[Math.floor(random() * modes.length)] as string;
  const ask: [number, string, number] = [Math.floor(random() * features), mode, Math.fround(4 * random() - 2)];
  const below = (): TreeSpec => randomTree(random, depth - 1, features, leafOf, modes);
  return { ask, yes: below(), no: below() };
}

function valuesOf(tree: TreeSpec): [number, number][] {
  return "ask" in tree ? [[tree.ask[0], tree.ask[2]], ...valuesOf(tree.yes), ...valuesOf(tree.no)] : [];
}

/** For every question of the trees a sample on each side of it, and on it; the other features at random. */
function samplesFor(trees: readonly TreeSpec[], features: number, seed: number): number[][] {
  const random = mulberry32(seed);
  return trees.flatMap(valuesOf).flatMap(([feature, value]) =>
    around(value).map((at) => {
      const sample = Array.from({ length: features }, () => Math.fround(4 * random() - 2));
      return sample.with(feature, at);
    }),
  );
}

describe("the order of floating-point numbers", () => {
  it("has neighbours as the bits say, at borders and at 1,000 random numbers (seed 5)", () => {
    const [bits, floats] = [new Uint32Array(1), new Float32Array(1)];
    const random = mulberry32(5);
    for (let i = 0; i < 1000; i++) {
      bits[0] = Math.floor(random() * 0x7f800000);
      floats.set(new Float32Array(bits.buffer.slice(0)));
      const x = floats[0] as number;
      bits[0] += 1;
      floats.set(new Float32Array(bits.buffer.slice(0)));
      expect(nextFloat32(x)).to.equal(floats[0]);
      expect(nextFloat32(-(floats[0] as number))).to.equal(0 - x);
    }
    expect(nextFloat32(0)).to.equal(2 ** -149);
    expect(nextFloat32(-0)).to.equal(2 ** -149);
    expect(Object.is(nextFloat32(-(2 ** -149)), 0)).to.equal(true);
    expect(nextFloat32((2 - 2 ** -23) * 2 ** 127)).to.equal(Infinity);
    expect(nextFloat32(Infinity)).to.equal(Infinity);
    expect([nextFloat64(1), nextFloat64(-1), nextFloat64(0), nextFloat64(-0)]).to.deep.equal([1 + 2 ** -52, -1 + 2 ** -53, 2 ** -1074, 2 ** -1074]); // prettier-ignore
  });

  it("has a first float32 number for a condition, and a first integer that rounds to one (3,000 random cases, seed 6)", () => {
    const random = mulberry32(6);
    for (let i = 0; i < 3000; i++) {
      const t = Math.fround((2 * random() - 1) * 2 ** Math.floor(40 * random() - 10));
      expect(firstFloat32((x) => x >= t)).to.equal(t);
      const unit = 2 ** Math.floor(30 * random() - 20);
      const q = firstInteger(t, unit);
      const passes = (k: number): boolean => Math.fround(k * unit) >= t;
      expect([passes(q - 1), passes(q)], `${t} in units of ${unit}`).to.deep.equal([false, true]);
    }
    expect(firstFloat32(() => true)).to.equal(-Infinity);
    expect(firstFloat32(() => false)).to.equal(Infinity);
    expect([firstInteger(Infinity, 1), firstInteger(-Infinity, 1)]).to.deep.equal([Infinity, -Infinity]);
  });
});

describe("tree ensembles", function () {
  this.timeout(60_000);

  for (const mode of MODES) {
    it(`${mode} decides at its value and next to it as onnxruntime does`, async () => {
      for (const value of [0.1, -1.5, 0, 2 ** -149, 16777216, 3e38]) {
        const v = Math.fround(value);
        const trees: TreeSpec[] = [{ ask: [1, mode, v], yes: leaf(1), no: leaf(2) }];
        const samples = [...around(v), 0, -0, -v].filter(Number.isFinite).map((x) => [7, x, -7]);
        await agree(mlBytes(specOf("target", trees, { n_targets: 1 })), samples);
      }
    });
  }

  for (const aggregate of ["SUM", "AVERAGE", "MIN", "MAX"]) {
    for (const base of [[], [0.5, -3]]) {
      it(`${aggregate} over trees of all modes and two targets, ${base.length === 0 ? "without" : "with"} base values`, async () => {
        const random = mulberry32(21);
        const both = (): TreeSpec => [
          [0, Math.fround(random() - 0.5)],
          [1, Math.fround(random())],
        ];
        const trees = Array.from({ length: 5 }, () => randomTree(random, 3, 3, both));
        const attributes = { n_targets: 2, aggregate_function: aggregate, base_values: { floats: base } };
        await agree(mlBytes(specOf("target", trees, attributes)), samplesFor(trees, 3, 22));
      });
    }
  }

  it("one target, one tree that is a leaf, a base value, and trees of very different depth", async () => {
    const deep = Array.from({ length: 20 }, (_, k) => k).reduceRight<TreeSpec>((no, k) => {
      return { ask: [k % 3, "BRANCH_LT", k / 8 - 1], yes: leaf(2 ** -k), no };
    }, leaf(7));
    const trees: TreeSpec[] = [leaf(0.25), deep, { ask: [2, "BRANCH_LEQ", 0.5], yes: leaf(-1), no: leaf(1) }];
    const attributes = { n_targets: 1, base_values: { floats: [150] } };
    await agree(mlBytes(specOf("target", trees, attributes)), samplesFor(trees, 3, 23));
  });

  const LAYOUTS: readonly { readonly name: string; readonly leafOf: (random: () => number) => TreeSpec; readonly labels: number[]; readonly base: number[][] }[] = [
    { name: "two classes, shares of the second", leafOf: (r) => [[0, Math.fround(r() / 5)]], labels: [0, 1], base: [[], [0.125]] },
    { name: "two classes, one score of either sign", leafOf: (r) => [[0, Math.fround(r() - 0.5)]], labels: [0, 1], base: [[], [0.25]] },
    { name: "two classes with labels of their own", leafOf: (r) => [[0, Math.fround(r() - 0.5)]], labels: [-3, 70], base: [[]] },
    { name: "two classes, all under the second", leafOf: (r) => [[1, Math.fround(r() / 5)]], labels: [0, 1], base: [[], [0.25]] },
    { name: "two classes, both scored", leafOf: (r) => [[0, Math.fround(r() - 0.5)], [1, Math.fround(r() - 0.5)]], labels: [4, 5], base: [[], [0.25]] },
    { name: "three classes", leafOf: (r) => [0, 1, 2].map((k) => [k, Math.fround(r() - 0.5)] as const), labels: [0, 1, 2], base: [[], [0.25, 0.5, -0.25]] },
    { name: "three classes that share 1", leafOf: (r) => { const k = Math.floor(3 * r()); return [0, 1, 2].map((i) => [i, i === k ? Math.fround(0.2) : 0] as const); }, labels: [0, 1, 2], base: [[]] },
    { name: "four classes with labels of their own", leafOf: (r) => [0, 1, 2, 3].map((k) => [k, Math.fround(r())] as const), labels: [5, -2, 1000, 17], base: [[]] },
  ]; // prettier-ignore
  for (const { name, leafOf, labels, base } of LAYOUTS) {
    it(`${name}: label and scores are onnxruntime's, with each transform`, async () => {
      const random = mulberry32(31);
      const trees = Array.from({ length: 5 }, () => randomTree(random, 3, 3, () => leafOf(random), ["BRANCH_LEQ"]));
      for (const base_values of base) {
        for (const post_transform of ["NONE", "SOFTMAX", "LOGISTIC"]) {
          const attributes = { classlabels_int64s: labels, post_transform, ...(base_values.length > 0 ? { base_values: { floats: base_values } } : {}) }; // prettier-ignore
          await agree(mlBytes(specOf("class", trees, attributes)), samplesFor(trees, 3, 32));
        }
      }
    });
  }

  it("a vote that is tied goes to the first class, in integers as in shares", async () => {
    const votes = (share: number, classes: number): TreeSpec[] =>
      Array.from({ length: 10 }, (_, k) => {
        const ballot = (k: number): TreeSpec => (classes === 2 ? leaf(k === 1 ? share : 0) : [0, 1, 2].map((i) => [i, i === k ? share : 0] as const)); // prettier-ignore
        return { ask: [k % 3, "BRANCH_LEQ", 0], yes: ballot(k < 5 ? 1 : 0), no: ballot(k % classes) };
      });
    for (const classes of [2, 3]) {
      const trees = votes(Math.fround(0.1), classes);
      const labels = Array.from({ length: classes }, (_, k) => k);
      const graph = await agree(mlBytes(specOf("class", trees, { classlabels_int64s: labels })), [[-1, -1, -1]]);
      const { graph: integers } = quantizeModel(graph, [Float64Array.of(-1, -1, -1)]);
      const tensors = evaluate(integers, Float64Array.of(-1, -1, -1));
      expect(outputsOf(integers, tensors)[2 + (classes - 2)]).to.equal(0);
    }
  });

  it("compares integer inputs, and float64 ones with thresholds of their own", async () => {
    const trees = [{ ask: [0, "BRANCH_LEQ", 2.5], yes: leaf(1), no: { ask: [1, "BRANCH_LT", -3], yes: leaf(2), no: { ask: [0, "BRANCH_LT", 16777220], yes: leaf(8), no: leaf(4) } } }] as TreeSpec[]; // prettier-ignore
    const samples = [2, 3, -4, -3, 16777217, 16777218, 16777219, 16777220].flatMap((a) =>
      [-4, -3, 2].map((b) => [a, b, 0]),
    );
    await agree(mlBytes({ ...specOf("target", trees, { n_targets: 1 }), nodes: [node("Cast", ["x"], ["f"], { to: 1 }), mlNode("TreeEnsembleRegressor", ["f"], ["y"], { ...ensembleOf("target", trees), n_targets: 1 })], input: { dims: [1, 3], type: "int32" } }), samples); // prettier-ignore
    const {
      nodes_values: _,
      target_weights: __,
      ...rest
    } = ensembleOf("target", [
      { ask: [0, "BRANCH_LEQ", 0], yes: leaf(1), no: { ask: [1, "BRANCH_LT", 0], yes: leaf(2), no: leaf(4) } },
    ]);
    const doubles = {
      ...rest,
      nodes_values_as_tensor: { tensor: tensor("v", [5], [0.1, 0, 1 / 3, 0, 0], "float64") },
      target_weights_as_tensor: { tensor: tensor("w", [3], [1, 2, 4], "float64") },
      n_targets: 1,
    };
    const near = [0.1, 1 / 3].flatMap((v) => [v, nextFloat64(v), -nextFloat64(-v)]);
    const spec: ModelSpec = { nodes: [mlNode("TreeEnsembleRegressor", ["x"], ["y"], doubles)], input: { dims: [1, 3], type: "float64" }, outputType: "float32" }; // prettier-ignore
    await agree(mlBytes(spec), near.flatMap((a) => near.map((b) => [a, b, 0]))); // prettier-ignore
  });

  it("compares behind scalers and wiring as the file's float32 steps do, without computing them", async () => {
    const random = mulberry32(41);
    const trees = Array.from({ length: 4 }, () => randomTree(random, 3, 3, () => leaf(Math.fround(random())), ["BRANCH_LEQ", "BRANCH_GT"])); // prettier-ignore
    const scale = { offset: { floats: [0.1, -3, 1e-3] }, scale: { floats: [1 / 3, -0.7, 1000] } };
    const nodes = [
      mlNode("Scaler", ["x"], ["s"], scale),
      node("Mul", ["s", "c"], ["m"]),
      node("Concat", ["m", "x"], ["cat"], { axis: 1 }),
      mlNode("ArrayFeatureExtractor", ["cat", "columns"], ["f"]),
      mlNode("TreeEnsembleRegressor", ["f"], ["y"], { ...ensembleOf("target", trees), n_targets: 1 }),
    ];
    const initializers = [tensor("c", [1, 3], [1.7, 0.3, -2]), tensor("columns", [3], [4, 1, 2], "int64")];
    const bytes = mlBytes({ nodes, initializers, input: { dims: [1, 3] } });
    // The numbers at which the second and third feature pass: by search, both neighbours of each.
    const images = [
      (x: number) => x,
      (x: number) => Math.fround(Math.fround(Math.fround(x + 3) * Math.fround(-0.7)) * Math.fround(0.3)),
      (x: number) => Math.fround(Math.fround(Math.fround(x - Math.fround(1e-3)) * 1000) * -2),
    ];
    const samples = trees.flatMap(valuesOf).flatMap(([feature, value]) => {
      const image = images[feature] as (x: number) => number;
      const rising = image(1) > image(-1);
      const first = firstFloat32((x) => image(x) >= value === rising);
      const column = feature === 0 ? 1 : feature;
      return around(first).map((x) => [0.5, -0.5, 0.01].with(column, x));
    });
    const graph = await agree(bytes, samples);
    expect(graph.nodes.filter(({ op }) => op === "step").map((step) => graph.nodes[(step as { x: number }).x]!.op)).to.deep.equal(["input"]); // prettier-ignore
    expect(graph.nodes.map(({ op }) => op)).to.not.include.members(["concat"]);
  });

  it("the newer TreeEnsemble, with sets of members, agrees, and so do its aggregates", async () => {
    const u8 = (values: number[]): AttributeOf => ({ tensor: tensor("m", [values.length], values, "uint8") });
    const floats = (values: number[]): AttributeOf => ({ tensor: tensor("t", [values.length], values.map(Math.fround)) }); // prettier-ignore
    for (const aggregate_function of [0, 1, 2, 3]) {
      const attributes = {
        aggregate_function,
        n_targets: aggregate_function < 2 ? 2 : 1,
        nodes_featureids: [0, 1, 2, 0],
        nodes_modes: u8([0, 6, 4, 6]),
        nodes_splits: floats([0.5, 0, 3, 0]),
        nodes_truenodeids: [1, 0, 1, 4],
        nodes_trueleafs: [0, 1, 1, 1],
        nodes_falsenodeids: [2, 2, 3, 5],
        nodes_falseleafs: [0, 1, 1, 1],
        leaf_targetids: [0, 1, 0, 1, 0, 1].map((k) => (aggregate_function < 2 ? k : 0)),
        leaf_weights: floats([1.5, -2, 0.25, 8, -0.5, 3]),
        membership_values: floats([1, 2.5, 7, NaN, -4, 4]),
        tree_roots: [0, 3],
      };
      const spec = { nodes: [mlNode("TreeEnsemble", ["x"], ["y"], attributes)], input: { dims: [1, 3] } };
      const samples = [0.5, 0.6, -4, 4, 3].flatMap((a) => [1, 2.5, 7, 3, 8].flatMap((b) => [3, 2].map((c) => [a, b, c]))); // prettier-ignore
      await agree(mlBytes(spec, 5), samples.map((sample) => sample.map(Math.fround))); // prettier-ignore
    }
  });

  for (const exponent of [-10, 3, -24]) {
    it(`integers at 2^${exponent}: one below, at and one above every threshold, label and score are onnxruntime's`, async () => {
      const unit = 2 ** exponent;
      const random = mulberry32(51);
      const room = 2 ** 30 * unit;
      const value = (): number => Math.fround((2 * random() - 1) * room * 2 ** -Math.floor(20 * random()));
      const shaped = (tree: TreeSpec): TreeSpec => ("ask" in tree ? { ask: [tree.ask[0], tree.ask[1], value()], yes: shaped(tree.yes), no: shaped(tree.no) } : tree); // prettier-ignore
      const trees = Array.from({ length: 6 }, () => shaped(randomTree(random, 3, 3, () => leaf(Math.fround(random() - 0.5))))); // prettier-ignore
      const bytes = mlBytes(specOf("class", trees, { classlabels_int64s: [0, 1] }));
      const graph = await readModelBytes(bytes);
      const random2 = mulberry32(52);
      const anywhere = (): number => Math.floor((2 * random2() - 1) * 2 ** 31);
      const spec = { type: { bits: 32, signed: true }, exponent } as const;
      const { graph: integers } = quantizeModel(graph, [Float64Array.of(0, unit, -unit)], { inputs: { x: spec } });
      const step = integers.nodes.find((n): n is NodeOf<"step"> => n.op === "step")!;
      const original = await openOriginal(bytes, graph);
      const { outputs } = bordersOf(integers);
      let changed = 0;
      try {
        for (const [i, threshold] of step.threshold.entries()) {
          const answers: string[] = [];
          const others = [anywhere(), anywhere(), anywhere()];
          for (const q of [threshold - 1, threshold, threshold + 1]) {
            const sample = Float64Array.from(others.with(step.index[i] as number, Math.min(Math.max(q, -(2 ** 31)), 2 ** 31 - 1))); // prettier-ignore
            const [y, label] = await original.run(sample.map((k) => k * unit));
            const own = toReals(outputs, outputsOf(integers, evaluate(integers, sample)));
            expect(own[2], `label at ${sample.join(", ")}`).to.equal(label![0]);
            expectNear(own[1], y![1]!, 2e-4, "score");
            answers.push(`${own[1]}`);
          }
          if (answers[0] !== answers[1]) changed++;
        }
      } finally {
        await original.close();
      }
      expect(changed, "thresholds that decide a score").to.be.above(5);
    });
  }

  it("100 full trees of depth 6 on 30 features take 12,824 constraints, of the 60,000 that they may", async () => {
    const random = mulberry32(61);
    const trees = Array.from({ length: 100 }, () => randomTree(random, 6, 30, () => leaf(Math.fround(random() / 100)), ["BRANCH_LEQ"])); // prettier-ignore
    const graph = await readModelBytes(mlBytes(specOf("class", trees, { classlabels_int64s: [0, 1] }, 30)));
    const { graph: integers } = quantizeModel(graph, [Float64Array.from({ length: 30 }, () => 2 * random() - 1)]);
    const { constraints, layers } = await buildCircuit(integers);
    const rowsOf = (op: string): number => layers.filter((layer) => layer.op === op).reduce((sum, layer) => sum + layer.constraints, 0); // prettier-ignore
    expect(rowsOf("select"), "branches above the lowest").to.equal(100 * 31);
    expect(constraints).to.equal(12_824);
  });

  const BAD: readonly (readonly [string, Record<string, AttributeOf>, ...string[]])[] = [
    ["PROBIT", { post_transform: "PROBIT" }, 'its post_transform is "PROBIT"'],
    ["SOFTMAX_ZERO", { post_transform: "SOFTMAX_ZERO" }, 'its post_transform is "SOFTMAX_ZERO"'],
    ["an unknown mode", { nodes_modes: { strings: ["BRANCH_ODD", "LEAF", "LEAF"] } }, 'it compares by "BRANCH_ODD"'],
    ["a threshold of NaN", { nodes_values: { floats: [NaN, 0, 0] } }, "it compares with NaN"],
    ["a leaf value of infinity", { target_weights: { floats: [Infinity, 1] } }, "its leaf weights hold(s) Infinity"],
    ["a circle", { nodes_truenodeids: [0, 0, 0] }, "no single root"],
    ["a node that is not there", { nodes_truenodeids: [9, 0, 0] }, "tree 0 has no node 9"],
    ["a list that is too short", { nodes_featureids: [0] }, '"nodes_featureids" has 1 entries where 3 belong'],
    ["a target that is not there", { target_ids: [0, 1] }, "a leaf adds to 1, not one of 1"],
    ["a feature that is not there", { nodes_featureids: [3, 0, 0] }, "it asks for feature 3 of 3"],
    ["nothing to ask", { nodes_modes: { strings: ["LEAF", "LEAF", "LEAF"] } }, "no single root"],
  ];
  for (const [what, change, ...messages] of BAD) {
    it(`refuses ${what}`, async () => {
      const trees: TreeSpec[] = [{ ask: [0, "BRANCH_LEQ", 1], yes: leaf(1), no: leaf(2) }];
      const message = await refusal(mlBytes(specOf("target", trees, { n_targets: 1, ...change })));
      for (const part of messages) expect(message).to.contain(part);
    });
  }

  it("the least over trees of which none always adds to a target is refused, as it may be none", async () => {
    const one: TreeSpec[] = [{ ask: [0, "BRANCH_LEQ", 1], yes: leaf(1, 0), no: leaf(2, 1) }];
    const attributes = { n_targets: 2, aggregate_function: "MIN" };
    expect(await refusal(mlBytes(specOf("target", one, attributes)))).to.contain("no tree adds to target 0 for every");
  });

  it("a base value of a score that no leaf adds to is refused, as onnxruntime leaves it out; one of 0 is not", async () => {
    const one: TreeSpec[] = [{ ask: [0, "BRANCH_LEQ", 1], yes: leaf(1, 0), no: [[0, 2], [1, 3]] }];
    const targets = (floats: number[]) => mlBytes(specOf("target", one, { n_targets: 2, base_values: { floats } }));
    expect(await refusal(targets([0.5, 0.25]))).to.contain("no tree adds to target 1 for some samples");
    await agree(targets([0.5, 0]), [[0, 0, 0], [2, 0, 0]]);
    const two: TreeSpec[] = [{ ask: [0, "BRANCH_LEQ", 1], yes: leaf(1, 1), no: [[0, 2], [1, 3]] }];
    const classes = (more: object) => mlBytes(specOf("class", two, { classlabels_int64s: [0, 1], ...more }));
    expect(await refusal(classes({ base_values: { floats: [0.5] } }))).to.contain("without a score for one of them");
    await agree(classes({}), [[0, 0, 0], [2, 0, 0]]);
  }); // prettier-ignore

  it("branches that share what lies below them, 256 levels of EQ and a set of 3,000 members, take no time", async () => {
    const chain = (depth: number): TreeSpec => (depth === 0 ? leaf(1) : { ask: [0, "BRANCH_EQ", depth], yes: leaf(depth), no: chain(depth - 1) }); // prettier-ignore
    const deep = specOf("class", [chain(256)], { classlabels_int64s: [0, 1] });
    await agree(mlBytes(deep), [[7, 0, 0], [7.5, 0, 0], [0, 0, 0]]); // prettier-ignore
    const set = {
      aggregate_function: 1,
      n_targets: 1,
      nodes_featureids: [0],
      nodes_modes: { tensor: tensor("m", [1], [6], "uint8") },
      nodes_splits: { tensor: tensor("s", [1], [0]) },
      nodes_truenodeids: [0],
      nodes_trueleafs: [1],
      nodes_falsenodeids: [1],
      nodes_falseleafs: [1],
      leaf_targetids: [0, 0],
      leaf_weights: { tensor: tensor("w", [2], [1, 2]) },
      membership_values: {
        tensor: tensor(
          "v",
          [3000],
          Array.from({ length: 3000 }, (_, k) => 2 * k),
        ),
      },
      tree_roots: [0],
    };
    const spec = { nodes: [mlNode("TreeEnsemble", ["x"], ["y"], set)], input: { dims: [1, 3] } };
    expect((await readModelBytes(mlBytes(spec, 5))).nodes.length).to.be.above(3000);
  });

  it("refuses more targets than could be held", async () => {
    const one: TreeSpec[] = [{ ask: [0, "BRANCH_LEQ", 1], yes: leaf(1), no: leaf(2) }];
    expect(await refusal(mlBytes(specOf("target", one, { n_targets: 2 ** 40 })))).to.contain("elements in all");
  });

  it("refuses trees deeper than 256 levels, several samples at once, and classes beyond int32", async () => {
    const chain = (depth: number): TreeSpec => (depth === 0 ? leaf(1) : { ask: [0, "BRANCH_LT", depth], yes: leaf(depth), no: chain(depth - 1) }); // prettier-ignore
    expect((await agree(mlBytes(specOf("target", [chain(256)], { n_targets: 1 })), [[3, 0, 0]])).outputs).to.have.lengthOf(1); // prettier-ignore
    expect(await refusal(mlBytes(specOf("target", [chain(257)], { n_targets: 1 })))).to.contain("deeper than 256 levels"); // prettier-ignore
    const one: TreeSpec[] = [{ ask: [0, "BRANCH_LEQ", 1], yes: leaf(1), no: leaf(2) }];
    const several = { ...specOf("target", one, { n_targets: 1 }), input: { dims: [2, 3] } };
    expect(await refusal(mlBytes(several))).to.contain("it reads [2, 3] where one sample's features");
    const far = specOf("class", one, { classlabels_int64s: [0, 2 ** 31] });
    expect(await refusal(mlBytes(far))).to.contain("its class label 2147483648 does not fit int32");
  });
});
