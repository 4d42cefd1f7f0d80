// TreeEnsembleClassifier, TreeEnsembleRegressor and TreeEnsemble: what is done to the sums over trees, as onnxruntime does it.
import type { FloatRef } from "../../graph.ts";
import { type Activation, emit, tensorOf } from "../draft.ts";
import { malformed, unsupported } from "../problems.ts";
import { intOf, type OpRule, type Site } from "../site.ts";
import {
  classOf,
  featuresAt,
  labelOf,
  labelsOf,
  logisticPair,
  mapped,
  numbersOf,
  postTransformOf,
  transformed,
} from "./classes.ts";
import { aggregateOf, isScored, readEnsemble, readNewEnsemble, weightsOf } from "./ensemble.ts";
import { lowerForest, type Sums } from "./forest.ts";

/** The sums as reals. */
function scoresOf(site: Site, { integers, unit }: Sums): Activation {
  const factor = Float64Array.of(unit);
  const { shape } = integers;
  const bias = Float64Array.of(0);
  return tensorOf(site.draft, { op: "affine", x: integers.ref, factor, bias, shape, name: `${site.name}/score` }, "float32"); // prettier-ignore
}

/** 1 where the sum is above `level`; as near to a share of one half as leaf values are rounded, it counts as equal. */
function above(site: Site, { integers, unit, tie }: Sums, level: number): FloatRef {
  const threshold = Float64Array.of(Math.floor((level + (level === 0 ? 0 : tie)) / unit) + 1);
  const index = Int32Array.of(integers.shape.at(-1) === 1 ? 0 : 1);
  return emit(site.draft, { op: "step", x: integers.ref, index, threshold, shape: [1, 1], name: `${site.name}/class` });
}

function baseOf(site: Site, targets: number): readonly number[] {
  const base = [...weightsOf(site, "base_values").data];
  if (base.length === 0) return new Array<number>(targets).fill(0);
  if (base.length === targets) return base;
  return unsupported(`it has ${base.length} base_values for ${targets} scores`, "Export it again with one for each.");
}

function lowerClassifier(site: Site): readonly Activation[] {
  const x = featuresAt(site);
  const labels = labelsOf(site, "classlabels_int64s");
  const post = postTransformOf(site);
  const classes = labels.length;
  const trees = readEnsemble(site, "class", classes);
  const used = new Set(numbersOf(site, "class_ids") ?? []);
  const positive = weightsOf(site, "class_weights").data.every((weight) => weight >= 0);
  if (classes < 2) unsupported("it has one class", "A model with one answer needs no proof.");
  const given = weightsOf(site, "base_values").data;
  if (classes > 2) {
    const base = baseOf(site, classes);
    if (given.length === 0 && labels.some((_, k) => !isScored(trees, k))) {
      unsupported(
        "it has a class that no tree adds to for some samples",
        "Export it with a base value for each class.",
      );
    }
    const sums = lowerForest(site, x, trees, base, "SUM");
    return [labelOf(site, classOf(site, sums.integers), labels), transformed(site, scoresOf(site, sums), post)];
  }
  const level = positive ? 0.5 : 0;
  if (used.size === 1 && used.has(0) && given.length <= 1) {
    const sums = lowerForest(site, x, trees, [given[0] ?? 0], "SUM");
    return [labelOf(site, above(site, sums, level), labels), pairOf(site, sums, positive, post)];
  }
  const missing = given.length === 1 && used.has(0) && !isScored(trees, 0);
  if (given.length > 1 || missing || !isScored(trees, 1)) {
    unsupported(
      "it has two classes with scores of their own, and base values or samples without a score for one of them",
      "Export it with another converter or an older opset of ai.onnx.ml.",
    );
  }
  // A class without a score of its own gets no base value, either.
  const sums = lowerForest(site, x, trees, [used.has(0) ? (given[0] ?? 0) : 0, 0], "SUM");
  // Where both classes have scores, onnxruntime calls them 0 and 1, whatever their labels.
  const both = used.size > 1;
  const bit = above(site, sums, both ? 0 : level);
  return [labelOf(site, bit, both ? [0, 1] : labels), transformed(site, scoresOf(site, sums), post)];
}

/** The two scores that follow from one sum s: [1 - s, s] where it is a share, else [-s, s], or their logistic. */
function pairOf(site: Site, sums: Sums, positive: boolean, post: string): Activation {
  const { integers, unit } = sums;
  if (post === "LOGISTIC") return logisticPair(site, integers, unit);
  const whole = positive ? 1 / unit : 0;
  const pair = mapped(site.draft, `${site.name}/pair`, integers, [0, 0], [-1, 1], [whole, 0]);
  return scoresOf(site, { ...sums, integers: pair });
}

function lowerRegressor(site: Site): Activation {
  const x = featuresAt(site);
  const targets = intOf(site, "n_targets", 1);
  if (!(targets >= 1)) malformed(`it has ${targets} targets`);
  site.draft.budget(targets, `its ${targets} targets`);
  const trees = site.op === "TreeEnsemble" ? readNewEnsemble(site, targets) : readEnsemble(site, "target", targets);
  const base = baseOf(site, targets);
  const lone = base.findIndex((value, k) => targets > 1 && value !== 0 && !isScored(trees, k));
  if (lone >= 0) {
    unsupported(
      `no tree adds to target ${lone} for some samples, and onnxruntime then leaves out its base value, ${base[lone]}`,
      "Train with more samples, or add the base values behind the trees.",
    );
  }
  const sums = lowerForest(site, x, trees, base, aggregateOf(site));
  const post = postTransformOf(site);
  // onnxruntime transforms the scores of several targets only.
  return transformed(site, scoresOf(site, sums), targets === 1 ? "NONE" : post);
}

const NODES = {
  base_values: { kind: "floats" },
  base_values_as_tensor: { kind: "tensor" },
  nodes_falsenodeids: { kind: "ints" },
  nodes_featureids: { kind: "ints" },
  nodes_hitrates: { kind: "floats" },
  nodes_hitrates_as_tensor: { kind: "tensor" },
  nodes_missing_value_tracks_true: { kind: "ints" },
  nodes_modes: { kind: "strings" },
  nodes_nodeids: { kind: "ints" },
  nodes_treeids: { kind: "ints" },
  nodes_truenodeids: { kind: "ints" },
  nodes_values: { kind: "floats" },
  nodes_values_as_tensor: { kind: "tensor" },
  post_transform: { kind: "string" },
} as const;

const leafRules = <K extends "class" | "target">(kind: K) =>
  ({
    [`${kind}_ids`]: { kind: "ints" },
    [`${kind}_nodeids`]: { kind: "ints" },
    [`${kind}_treeids`]: { kind: "ints" },
    [`${kind}_weights`]: { kind: "floats" },
    [`${kind}_weights_as_tensor`]: { kind: "tensor" },
  }) as OpRule["attributes"];

const LIMITS = "leaf values as 24-bit integers; missing values cannot come; post_transform NONE, SOFTMAX, LOGISTIC";

export const TREE_RULES = {
  TreeEnsemble: {
    inputs: [1, 1],
    attributes: {
      aggregate_function: { kind: "int" },
      leaf_targetids: { kind: "ints" },
      leaf_weights: { kind: "tensor" },
      membership_values: { kind: "tensor" },
      n_targets: { kind: "int" },
      nodes_falseleafs: { kind: "ints" },
      nodes_falsenodeids: { kind: "ints" },
      nodes_featureids: { kind: "ints" },
      nodes_hitrates: { kind: "tensor" },
      nodes_missing_value_tracks_true: { kind: "ints" },
      nodes_modes: { kind: "tensor" },
      nodes_splits: { kind: "tensor" },
      nodes_trueleafs: { kind: "ints" },
      nodes_truenodeids: { kind: "ints" },
      post_transform: { kind: "int" },
      tree_roots: { kind: "ints" },
    },
    limits: LIMITS,
    lower: lowerRegressor,
  },
  TreeEnsembleClassifier: {
    inputs: [1, 1],
    outputs: 2,
    attributes: { ...NODES, ...leafRules("class"), classlabels_int64s: { kind: "ints" } },
    limits: `string labels by their index; ${LIMITS}`,
    lower: lowerClassifier,
  },
  TreeEnsembleRegressor: {
    inputs: [1, 1],
    attributes: {
      ...NODES,
      ...leafRules("target"),
      aggregate_function: { kind: "string" },
      n_targets: { kind: "int" },
    },
    limits: LIMITS,
    lower: lowerRegressor,
  },
} satisfies Record<string, OpRule>;
