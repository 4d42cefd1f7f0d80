// LinearRegressor and LinearClassifier: one dense each; the label by the largest score, or by the sign of a single one.
import { type Activation, emit, tensorOf } from "../draft.ts";
import { malformed } from "../problems.ts";
import { finite, intOf, type OpRule, type Site } from "../site.ts";
import { classOf, featuresAt, labelOf, labelsOf, logisticPair, mapped, numbersOf, postTransformOf, transformed } from "./classes.ts"; // prettier-ignore

/** x W^T + b, for `rows` rows of coefficients. */
export function product(
  site: Site,
  x: Activation,
  coefficients: readonly number[],
  rows: number,
  bias: readonly number[],
  name = site.name,
): Activation {
  const inner = x.shape.at(-1) as number;
  if (coefficients.length !== rows * inner) {
    malformed(`it has ${coefficients.length} coefficients for ${rows} score(s) of ${inner} features`);
  }
  site.draft.budget(coefficients.length, "its coefficients");
  const weights = Float64Array.from({ length: coefficients.length }, (_, i) => {
    return coefficients[(i % rows) * inner + Math.floor(i / rows)] as number;
  });
  finite(weights, "coefficients");
  const node = { op: "dense", x: x.ref, weights, bias: finite(Float64Array.from(bias), "intercepts"), shape: [1, rows], name } as const; // prettier-ignore
  return tensorOf(site.draft, node, "float32");
}

/**
 * The same for features as they come, of very different sizes: each is brought to the size of what it adds to the scores,
 * which is free, so that the quantizer gives bits where they count.
 */
export function weighted(
  site: Site,
  x: Activation,
  coefficients: readonly number[],
  rows: number,
  bias: readonly number[],
  name = site.name,
): Activation {
  const inner = x.shape.at(-1) as number;
  if (coefficients.length !== rows * inner) return product(site, x, coefficients, rows, bias, name);
  const most = new Float64Array(inner);
  coefficients.forEach((c, i) => (most[i % inner] = Math.max(most[i % inner] as number, Math.abs(c))));
  const least = most.reduce((low, m) => (m > 0 && m < low ? m : low), Infinity);
  if (!Number.isFinite(least)) return product(site, x, coefficients, rows, bias, name);
  const factors = Array.from(most, (m) => (m > 0 ? m : least));
  const every = factors.map((_, k) => k);
  const sized = mapped(site.draft, `${name}/sized`, x, every, factors, every.map(() => 0)); // prettier-ignore
  return product(site, sized, coefficients.map((c, i) => c / (factors[i % inner] as number)), rows, bias, name); // prettier-ignore
}

function lowerRegressor(site: Site): Activation {
  const x = featuresAt(site);
  const targets = intOf(site, "targets", 1);
  if (!(targets >= 1)) malformed(`it has ${targets} targets`);
  site.draft.budget(targets, `its ${targets} targets`);
  const bias = numbersOf(site, "intercepts") ?? new Array<number>(targets).fill(0);
  if (bias.length !== targets) malformed(`it has ${bias.length} intercepts for ${targets} target(s)`);
  const scores = weighted(site, x, numbersOf(site, "coefficients") ?? [], targets, bias);
  const post = postTransformOf(site);
  // onnxruntime transforms the scores of several targets only.
  return transformed(site, scores, targets === 1 ? "NONE" : post);
}

function lowerClassifier(site: Site): readonly Activation[] {
  const x = featuresAt(site);
  const labels = labelsOf(site, "classlabels_ints");
  const post = postTransformOf(site);
  const coefficients = numbersOf(site, "coefficients") ?? [];
  const bias = numbersOf(site, "intercepts") ?? malformed("it has no intercepts");
  const rows = bias.length;
  const scores = weighted(site, x, coefficients, rows, bias);
  if (rows === 1) {
    if (labels.length !== 2) malformed(`it has one score and ${labels.length} labels`);
    const { ref, shape } = scores;
    const bit = emit(site.draft, { op: "compare", x: ref, relation: "positive", shape, name: `${site.name}/class` });
    const label = labelOf(site, bit, labels);
    if (post === "LOGISTIC") return [label, logisticPair(site, scores)];
    return [label, mapped(site.draft, `${site.name}/pair`, scores, [0, 0], [-1, 1], [1, 0])];
  }
  if (labels.length !== rows) malformed(`it has ${labels.length} labels for ${rows} scores`);
  const label = labelOf(site, classOf(site, scores), labels);
  if (rows === 2 && post === "LOGISTIC" && opposite(coefficients) && opposite(bias)) {
    const { ref } = scores;
    const second = emit(site.draft, { op: "take", x: ref, index: Int32Array.of(1), shape: [1, 1], name: `${site.name}/second` }); // prettier-ignore
    return [label, logisticPair(site, { ...scores, ref: second, shape: [1, 1] })];
  }
  return [label, transformed(site, scores, post)];
}

/** Is the second half the negative of the first? */
function opposite(list: readonly number[]): boolean {
  const half = list.length / 2;
  return list.every((v, i) => i < half || v === -(list[i - half] as number));
}

export const LINEAR_ML_RULES = {
  LinearClassifier: {
    inputs: [1, 1],
    outputs: 2,
    attributes: {
      classlabels_ints: { kind: "ints" },
      coefficients: { kind: "floats" },
      intercepts: { kind: "floats" },
      multi_class: { kind: "int" },
      post_transform: { kind: "string" },
    },
    limits: "string labels by their index; post_transform NONE, SOFTMAX, LOGISTIC",
    lower: lowerClassifier,
  },
  LinearRegressor: {
    inputs: [1, 1],
    attributes: {
      coefficients: { kind: "floats" },
      intercepts: { kind: "floats" },
      post_transform: { kind: "string" },
      targets: { kind: "int" },
    },
    limits: "post_transform NONE, SOFTMAX, LOGISTIC",
    lower: lowerRegressor,
  },
} satisfies Record<string, OpRule>;
