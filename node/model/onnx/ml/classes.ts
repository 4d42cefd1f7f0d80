// What classifiers of all families share: the label as an exact integer, and what is done to scores at the end. Strings
// have become indices before (plain.ts).
import type { FloatRef } from "../../graph.ts";
import { integerRange, isFloat } from "../constant.ts";
import { type Activation, type Draft, emit, reshape, tensorOf } from "../draft.ts";
import { malformed, quote, unsupported } from "../problems.ts";
import { activationAt, type Site, stringOf, valueAt } from "../site.ts";

/** A list of numbers, however long. */
export function numbersOf(site: Site, name: string): readonly number[] | undefined {
  return site.attributes.get(name) as readonly number[] | undefined;
}

/** Labels leave through an int32 border at most. */
const LABELS = integerRange("int32") as readonly [number, number];

/** The class labels that a classifier declares, at least one. */
export function labelsOf(site: Site, name: string): readonly number[] {
  const labels = numbersOf(site, name) ?? [];
  if (labels.length === 0) malformed(`it has no ${name}`);
  const odd = labels.find((label) => label < LABELS[0] || label > LABELS[1]);
  if (odd !== undefined) unsupported(`its class label ${odd} does not fit int32`, "Train on labels from 0 on.");
  return labels;
}

/** The features [1, n] that a model of this domain reads; a list [n] is one sample. Integers are taken as they are. */
export function featuresAt(site: Site, index = 0): Activation {
  const value = valueAt(site, index);
  if (value.kind === "constant") return activationAt(site, index);
  const { shape } = value;
  const wide = shape.length === 1 ? [1, shape[0] as number] : shape;
  if (wide.length !== 2 || wide[0] !== 1) {
    unsupported(`it reads [${shape.join(", ")}] where one sample's features [1, n] belong`, "Fix the batch to 1.");
  }
  const features = reshape(site.draft, `${site.name}/features`, value, wide);
  return isFloat(value.type) ? features : { ...features, type: "float32" };
}

/** y[i] = factor[i] * x[from[i]] + bias[i], of shape [1, n]. */
export function mapped(
  draft: Draft,
  name: string,
  x: Activation,
  from: readonly number[],
  factor: readonly number[],
  bias: readonly number[],
): Activation {
  const shape = [1, from.length];
  const plain = from.every((k, i) => k === i) && from.length === x.shape.at(-1);
  const ref = plain ? x.ref : emit(draft, { op: "take", x: x.ref, index: Int32Array.from(from), shape, name: `${name}.of` }); // prettier-ignore
  const node = { op: "affine", x: ref, factor: Float64Array.from(factor), bias: Float64Array.from(bias), shape, name } as const; // prettier-ignore
  return tensorOf(draft, node, x.type);
}

/** The label [1] of the class whose number the integer tensor `index` holds. */
export function labelOf(site: Site, index: FloatRef, labels: readonly number[]): Activation {
  const { draft } = site;
  const name = `${site.name}/label`;
  const at: Activation = { kind: "activation", ref: index, shape: [1, 1], type: "int64" };
  const [first, second] = labels as [number, number?];
  const step = (second ?? first + 1) - first;
  const even = labels.every((label, i) => label === first + i * step);
  if (even) {
    const label = step === 1 && first === 0 ? at : mapped(draft, name, at, [0], [step], [first]);
    return reshape(draft, name, label, [1]);
  }
  const hot = emit(draft, { op: "onehot", x: index, shape: [1, 1, labels.length], name: `${name}.class` });
  const weights = Float64Array.from(labels);
  const shape = [1, 1, 1];
  const node = { op: "dense", x: hot, weights, bias: Float64Array.of(0), exact: true, shape, name } as const;
  return reshape(draft, name, tensorOf(draft, node, "int64"), [1]);
}

/** The number [1, 1] of the largest of the scores [1, n], the lowest among equals. */
export function classOf(site: Site, scores: Activation): FloatRef {
  return emit(site.draft, { op: "argmax", x: scores.ref, axis: 1, shape: [1, 1], name: `${site.name}/class` });
}

export type PostTransform = "NONE" | "SOFTMAX" | "LOGISTIC";

/** @throws Refusal for the transforms that are not read */
export function postTransformOf(site: Site): PostTransform {
  const given = site.attributes.get("post_transform");
  const numbered = ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"];
  const name = typeof given === "number" ? numbered[given] : stringOf(site, "post_transform", "NONE");
  if (name === "NONE" || name === "SOFTMAX" || name === "LOGISTIC") return name;
  return unsupported(
    `its post_transform is ${quote(name ?? `number ${given as number}`)}`,
    "Export it with post_transform NONE.",
  );
}

/** The scores as the file yields them. A final softmax is left to the reader of the answer. */
export function transformed(site: Site, scores: Activation, transform: PostTransform): Activation {
  const { draft, name } = site;
  const { ref, shape, type } = scores;
  if (transform === "NONE") return scores;
  if (transform === "SOFTMAX") return tensorOf(draft, { op: "softmax", x: ref, log: false, shape, name: `${name}/softmax` }, type); // prettier-ignore
  return tensorOf(draft, { op: "unary", x: ref, fn: ["sigmoid", "x"], shape, name: `${name}/logistic` }, type);
}

/** [logistic(-s), logistic(s)] of a score s [1, 1]: the softmax of [-s/2, s/2], which is left to the reader of the answer. */
export function logisticPair(site: Site, score: Activation, unit = 1): Activation {
  const halves = mapped(site.draft, `${site.name}/pair`, score, [0, 0], [-unit / 2, unit / 2], [0, 0]);
  return transformed(site, halves, "SOFTMAX");
}
