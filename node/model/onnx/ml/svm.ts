// SVMClassifier and SVMRegressor: kernels of the features with the support vectors, then libsvm's scores of pairs of classes
// and their votes.
import type { Expr, FloatRef } from "../../graph.ts";
import { type Activation, emit, tensorOf } from "../draft.ts";
import { malformed, quote, unsupported } from "../problems.ts";
import { flagOf, intOf, type OpRule, type Site, stringOf } from "../site.ts";
import { classOf, featuresAt, labelOf, labelsOf, logisticPair, mapped, numbersOf, postTransformOf, transformed } from "./classes.ts"; // prettier-ignore
import { product, weighted } from "./linear.ts";

type Numbers = readonly number[];

interface Kernel {
  readonly kind: string;
  readonly gamma: number;
  readonly coef0: number;
  readonly degree: number;
}

function kernelOf(site: Site): Kernel {
  const kind = stringOf(site, "kernel_type", "LINEAR");
  if (!["LINEAR", "POLY", "RBF", "SIGMOID"].includes(kind)) malformed(`its kernel_type is ${quote(kind)}`);
  const [gamma = 0, coef0 = 0, degree = 0] = numbersOf(site, "kernel_params") ?? [];
  return { kind, gamma, coef0, degree };
}

/** sum_v coefficients[row][v] * kernel(x, vectors[v]) + bias[row]; vectors lie one after the other. */
function kernelScores(
  site: Site,
  x: Activation,
  kernel: Kernel,
  vectors: Numbers,
  rows: readonly Numbers[],
  bias: Numbers,
): Activation {
  const inner = x.shape.at(-1) as number;
  const count = vectors.length / inner;
  if (!Number.isInteger(count)) malformed(`its support_vectors are not of ${inner} features`);
  if (kernel.kind === "LINEAR") {
    // The sum of products with support vectors is one product.
    const folded = rows.flatMap((row) => Array.from({ length: inner }, (_, f) => row.reduce((sum, c, v) => sum + c * (vectors[v * inner + f] as number), 0))); // prettier-ignore
    return weighted(site, x, folded, rows.length, bias, `${site.name}/score`);
  }
  const values = kernel.kind === "RBF" ? radial(site, x, kernel, vectors, count) : ofProducts(site, x, kernel, vectors, count); // prettier-ignore
  return product(site, values, rows.flat(), rows.length, bias, `${site.name}/score`);
}

/** y = fn(gamma * x . v + coef0) */
function ofProducts(site: Site, x: Activation, kernel: Kernel, vectors: Numbers, count: number): Activation {
  const { gamma, coef0, degree, kind } = kernel;
  const { draft, name } = site;
  const scaled = vectors.map((v) => v * gamma);
  const dots = weighted(site, x, scaled, count, new Array<number>(count).fill(coef0), `${name}/products`);
  if (kind === "POLY" && (!Number.isInteger(degree) || degree < 1 || degree > 8)) {
    unsupported(`its kernel is a polynomial of degree ${degree}`, "Degrees from 1 to 8 are read.");
  }
  const power = (n: number): Expr => (n === 1 ? "x" : ["mul", "x", power(n - 1)]);
  const fn: Expr = kind === "SIGMOID" ? ["tanh", "x"] : power(degree);
  if (fn === "x") return dots;
  return tensorOf(draft, { op: "unary", x: dots.ref, fn, shape: dots.shape, name: `${name}/kernel` }, "float32");
}

/** exp(-gamma |x - v|^2), with |x - v|^2 = |x - m|^2 - 2 (x - m).(v - m) + |v - m|^2 around the vectors' mean m. */
function radial(site: Site, x: Activation, { gamma }: Kernel, vectors: Numbers, count: number): Activation {
  const { draft, name } = site;
  const inner = x.shape.at(-1) as number;
  const mean = Array.from({ length: inner }, (_, f) => {
    let sum = 0;
    for (let v = 0; v < count; v++) sum += vectors[v * inner + f] as number;
    return sum / count;
  });
  const every = Array.from({ length: inner }, (_, f) => f);
  const centred = mapped(draft, `${name}/centred`, x, every, every.map(() => 1), mean.map((m) => -m)); // prettier-ignore
  const square = emit(draft, { op: "mul", a: centred.ref, b: centred.ref, shape: x.shape, name: `${name}/squares` });
  const offsets = vectors.map((v, i) => v - (mean[i % inner] as number));
  const norms = Array.from({ length: count }, (_, v) => {
    return offsets.slice(v * inner, (v + 1) * inner).reduce((sum, d) => sum + d * d, 0);
  });
  const squares: Activation = { ...x, ref: square };
  const own = product(site, squares, every.map(() => gamma), 1, [0], `${name}/norm`); // prettier-ignore
  const cross = product(site, centred, offsets.map((d) => 2 * gamma * d), count, norms.map((n) => -gamma * n), `${name}/products`); // prettier-ignore
  const index = new Int32Array(count);
  const shape = [1, count];
  const spread = emit(draft, { op: "take", x: own.ref, index, shape, name: `${name}/norms` });
  const exponent = emit(draft, { op: "sum", xs: [cross.ref, spread], factors: [1, -1], shape, name: `${name}/distances` }); // prettier-ignore
  return tensorOf(draft, { op: "unary", x: exponent, fn: ["exp", "x"], shape, name: `${name}/kernel` }, "float32");
}

function lowerRegressor(site: Site): Activation {
  const x = featuresAt(site);
  const kernel = kernelOf(site);
  const vectors = numbersOf(site, "support_vectors") ?? [];
  const coefficients = numbersOf(site, "coefficients") ?? malformed("it has no coefficients");
  const rho = numbersOf(site, "rho")?.[0] ?? malformed("it has no rho");
  const linear = intOf(site, "n_supports", 0) === 0;
  const scores = linear
    ? weighted(site, x, coefficients, 1, [rho], `${site.name}/score`)
    : kernelScores(site, x, kernel, vectors, [coefficients], [rho]);
  if (!flagOf(site, "one_class", false)) return scores;
  const sign = {
    op: "compare",
    x: scores.ref,
    relation: "positive",
    shape: [1, 1],
    name: `${site.name}/sign`,
  } as const;
  return mapped(site.draft, site.name, tensorOf(site.draft, sign, "float32"), [0], [2], [-1]);
}

function lowerClassifier(site: Site): readonly Activation[] {
  const x = featuresAt(site);
  const labels = labelsOf(site, "classlabels_ints");
  const classes = labels.length;
  const post = postTransformOf(site);
  const perClass = numbersOf(site, "vectors_per_class") ?? [];
  const coefficients = numbersOf(site, "coefficients") ?? malformed("it has no coefficients");
  const rho = numbersOf(site, "rho") ?? malformed("it has no rho");
  const supports = perClass.reduce((a, b) => a + b, 0);
  if (classes < 2) unsupported("it has one class", "A model with one answer needs no proof.");
  if (supports === 0) {
    // liblinear: one row for each class, and one bias for all.
    const scores = weighted(site, x, coefficients, classes, new Array<number>(classes).fill(rho[0] as number), `${site.name}/score`); // prettier-ignore
    if (classes === 2) unsupported("it is linear without support vectors, with two classes", "Export a LinearSVC.");
    return [labelOf(site, classOf(site, scores), labels), transformed(site, scores, post)];
  }
  const proba = numbersOf(site, "prob_a") ?? [];
  if (proba.length > 0 && classes > 2) {
    unsupported("its probabilities of more than two classes are found by iteration", "Train with probability=False.");
  }
  if (proba.length > 0 && post !== "NONE")
    unsupported(`it has probabilities and a post_transform of ${post}`, "Export it with post_transform NONE.");
  const { rows, pairs } = pairRows(classes, perClass, coefficients, supports);
  const scores = kernelScores(site, x, kernelOf(site), numbersOf(site, "support_vectors") ?? [], rows, rho);
  const votes = votesOf(site, scores, pairs, classes);
  const label = labelOf(site, votes, labels);
  return [label, classes === 2 ? pairScores(site, scores, proba, numbersOf(site, "prob_b") ?? [], post) : transformed(site, scores, post)]; // prettier-ignore
}

/** libsvm's coefficients: for the classes i < j, row j - 1 holds those of i's vectors, and row i those of j's. */
function pairRows(
  classes: number,
  perClass: Numbers,
  coefficients: Numbers,
  supports: number,
): { readonly rows: readonly Numbers[]; readonly pairs: readonly (readonly [number, number])[] } {
  if (perClass.length !== classes) malformed(`it has ${perClass.length} vectors_per_class for ${classes} classes`);
  if (coefficients.length !== (classes - 1) * supports) malformed(`it has ${coefficients.length} coefficients`);
  const owner = perClass.flatMap((count, k) => new Array<number>(count).fill(k));
  const pairs: [number, number][] = [];
  for (let i = 0; i < classes; i++) for (let j = i + 1; j < classes; j++) pairs.push([i, j]);
  const rows = pairs.map(
    ([i, j]) =>
    owner.map((k, v) => (k === i ? coefficients[(j - 1) * supports + v] : k === j ? coefficients[i * supports + v] : 0) as number), // prettier-ignore
  );
  return { rows, pairs };
}

/** The number of the class with most votes, the first among equals: i wins its pair with j where the score is above 0. */
function votesOf(
  site: Site,
  scores: Activation,
  pairs: readonly (readonly [number, number])[],
  classes: number,
): FloatRef {
  const { draft, name } = site;
  const { ref, shape } = scores;
  const wins = emit(draft, { op: "compare", x: ref, relation: "positive", shape, name: `${name}/wins` });
  const weights = new Float64Array(pairs.length * classes);
  const bias = new Float64Array(classes);
  pairs.forEach(([i, j], p) => {
    weights[p * classes + i] = 1;
    weights[p * classes + j] = -1;
    bias[j]! += 1;
  });
  const votes = tensorOf(draft, { op: "dense", x: wins, weights, bias, exact: true, shape: [1, classes], name: `${name}/votes` }, "float32"); // prettier-ignore
  return classOf(site, votes);
}

/** The two scores of a pair of classes, as onnxruntime writes them. */
function pairScores(site: Site, score: Activation, proba: Numbers, probb: Numbers, post: string): Activation {
  const { draft, name } = site;
  if (proba.length > 0) {
    // Platt: the first class has 1 / (1 + exp(a s + b)): the softmax of [-z / 2, z / 2] with z = a s + b.
    const [a, b] = [proba[0] as number, probb[0] ?? 0];
    return transformed(site, mapped(draft, `${name}/pair`, score, [0, 0], [-a / 2, a / 2], [-b / 2, b / 2]), "SOFTMAX");
  }
  if (post === "LOGISTIC") return logisticPair(site, score);
  if (post === "NONE") return mapped(draft, `${name}/pair`, score, [0, 0], [-1, 1], [0, 0]);
  return mapped(draft, `${name}/pair`, score, [0, 0], [-1, 1], [1, 0]);
}

const KERNEL = {
  coefficients: { kind: "floats" },
  kernel_params: { kind: "floats" },
  kernel_type: { kind: "string" },
  post_transform: { kind: "string" },
  rho: { kind: "floats" },
  support_vectors: { kind: "floats" },
} as const;

export const SVM_RULES = {
  SVMClassifier: {
    inputs: [1, 1],
    outputs: 2,
    attributes: {
      ...KERNEL,
      classlabels_ints: { kind: "ints" },
      prob_a: { kind: "floats" },
      prob_b: { kind: "floats" },
      vectors_per_class: { kind: "ints" },
    },
    limits: "probabilities of two classes only; string labels by their index",
    lower: lowerClassifier,
  },
  SVMRegressor: {
    inputs: [1, 1],
    attributes: { ...KERNEL, n_supports: { kind: "int" }, one_class: { kind: "int" } },
    limits: "",
    lower: lowerRegressor,
  },
} satisfies Record<string, OpRule>;
