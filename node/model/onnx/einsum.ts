// Einsum: equations of one or more operands whose terms are transpositions, sums and products of matrices. Diagonals (a label
// twice in one term) are refused.
import { type Shape, sizeOf } from "../../core/tensor.ts";
import { type Activation, affine, broadcastShape, reshape, spread, spreadTensor, transpose, type Value } from "./draft.ts"; // prettier-ignore
import { product } from "./matmul.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { sumLast, times } from "./rows.ts";
import { needFloat, needSameType, type OpRule, type Site, stringOf, valueAt } from "./site.ts";

/** A value whose axes are named; names of axes that "..." stands for are numbers, counted from the last. */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly string[];
}

function labelsOf(term: string, rank: number): readonly string[] {
  const letters = term.replace("...", "@");
  const open = letters.includes("@") ? rank - (letters.length - 1) : 0;
  const labels = [...letters].flatMap((c) => (c === "@" ? Array.from({ length: Math.max(0, open) }, (_, i) => `${open - i}`) : c)); // prettier-ignore
  if (labels.length !== rank || open < 0) malformed(`its term ${quote(term)} does not name ${rank} axes`);
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) {
    unsupported(`its term ${quote(term)} has ${quote(twice)} twice, a diagonal`, "Take the diagonal with Gather.");
  }
  return labels;
}

function parse(site: Site): { readonly operands: readonly Labelled[]; readonly result: readonly string[] } {
  const equation = stringOf(site, "equation", "").replaceAll(" ", "");
  if (!/^[A-Za-z.,]*(->[A-Za-z.]*)?$/.test(equation)) malformed(`its equation is ${quote(equation)}`);
  const [left, right] = equation.split("->") as [string, string | undefined];
  const terms = left.split(",");
  if (terms.length !== site.inputs.length) malformed(`its equation has ${terms.length} terms`);
  const operands = terms.map((term, i): Labelled => {
    const value = valueAt(site, i);
    return { value, labels: labelsOf(term, value.shape.length) };
  });
  const all = operands.flatMap(({ labels }) => labels);
  const open = [...new Set(all.filter((label) => /\d/.test(label)))].toSorted((a, b) => Number(b) - Number(a));
  // Without "->": what "..." stands for, then the labels that appear once, in alphabetical order.
  const once = [...new Set(all)].filter((label) => /\D/.test(label) && all.indexOf(label) === all.lastIndexOf(label));
  if (right === undefined) return { operands, result: [...open, ...once.toSorted()] };
  const result = [...right.replace("...", "@")].flatMap((c) => (c === "@" ? open : c));
  if (new Set(result).size !== result.length || result.some((label) => !all.includes(label))) {
    malformed(`its result ${quote(right)} does not name axes of its terms once each`);
  }
  return { operands, result };
}

function dimOf({ value, labels }: Labelled, label: string): number {
  return value.shape[labels.indexOf(label)] ?? 1;
}

/** The axes in the order of `order`; labels that are missing get an axis of 1. */
function ordered(site: Site, operand: Labelled, order: readonly string[]): Value {
  const present = order.filter((label) => operand.labels.includes(label));
  const perm = present.map((label) => operand.labels.indexOf(label));
  const turned = transpose(site.draft, `${site.name}/order`, operand.value, perm);
  return reshape(site.draft, `${site.name}/axes`, turned, order.map((label) => dimOf(operand, label))); // prettier-ignore
}

/** Sums over the axes that nothing else needs. */
function summed(site: Site, operand: Labelled, needed: ReadonlySet<string>): Labelled {
  const kept = operand.labels.filter((label) => needed.has(label));
  const gone = operand.labels.filter((label) => !needed.has(label));
  if (gone.length === 0) return operand;
  const turned = ordered(site, operand, [...kept, ...gone]);
  const shape = turned.shape.slice(0, kept.length);
  const rows = reshape(site.draft, `${site.name}/rows`, turned, [...shape, sizeOf(turned.shape.slice(kept.length))]);
  if (rows.kind === "activation") return { value: sumLast(site.draft, `${site.name}/sum`, rows, false), labels: kept };
  const inner = rows.shape.at(-1) as number;
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => rows.data.subarray(i * inner, (i + 1) * inner).reduce((a, b) => a + b, 0)); // prettier-ignore
  return { value: { ...rows, shape, data }, labels: kept };
}

/** a times b, summed over the labels of both that `needed` lacks. */
function pair(site: Site, a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const left = summed(site, a, new Set([...needed, ...shared]));
  const right = summed(site, b, new Set([...needed, ...shared]));
  const batch = shared.filter((label) => needed.has(label));
  const inner = shared.filter((label) => !needed.has(label));
  const rows = left.labels.filter((label) => !shared.includes(label));
  const columns = right.labels.filter((label) => !shared.includes(label));
  const labels = [...batch, ...rows, ...columns];
  const sizes = (operand: Labelled, list: readonly string[]): number[] => list.map((label) => dimOf(operand, label));
  const lead = broadcastShape(sizes(left, batch), sizes(right, batch));
  const shape = [...lead, ...sizes(left, rows), ...sizes(right, columns)];
  const { draft, name } = site;
  if (inner.length === 0) {
    const [p, q] = [ordered(site, left, labels), ordered(site, right, labels)];
    return { value: elementwise(site, p, q, shape), labels };
  }
  const depth = broadcastShape(sizes(left, inner), sizes(right, inner));
  const view = (operand: Labelled, order: readonly string[], dims: Shape): Value => {
    const value = ordered(site, operand, order);
    const wide = order.map((label, i) => (i < batch.length ? (value.shape[i] as number) : inner.includes(label) ? (depth[inner.indexOf(label)] as number) : (value.shape[i] as number))); // prettier-ignore
    const full = value.kind === "constant" ? { ...value, shape: wide, data: spread(draft, value, wide) } : spreadTensor(draft, `${name}/repeat`, value, wide); // prettier-ignore
    return reshape(draft, `${name}/matrix`, full, [...wide.slice(0, batch.length), ...dims]);
  };
  const p = view(left, [...batch, ...rows, ...inner], [sizeOf(sizes(left, rows)), sizeOf(depth)]);
  const q = view(right, [...batch, ...inner, ...columns], [sizeOf(depth), sizeOf(sizes(right, columns))]);
  return { value: reshape(draft, `${name}/shape`, product(site, p, q), shape), labels };
}

function elementwise(site: Site, a: Value, b: Value, shape: Shape): Activation {
  const { draft, name } = site;
  if (a.kind === "constant" && b.kind === "constant") return constants();
  if (a.kind === "constant") return affine(draft, name, b as Activation, a, 0);
  if (b.kind === "constant") return affine(draft, name, a, b, 0);
  const wide = (value: Activation): Activation => spreadTensor(draft, `${name}/repeat`, value, shape);
  return times(draft, name, wide(a), wide(b));
}

function constants(): never {
  return unsupported("its terms are constants", "Fold constants first, with onnxsim.");
}

/** Operands are multiplied from the left; each product sums over what no later operand and not the result names. */
function lowerEinsum(site: Site): Value {
  const { operands, result } = parse(site);
  for (const { value } of operands) {
    needSameType(valueAt(site, 0), value);
    needFloat(value.type);
  }
  if (operands.every(({ value }) => value.kind === "constant")) constants();
  const [first, ...rest] = operands as [Labelled, ...Labelled[]];
  const last = rest.reduce<Labelled>((so, operand, i) => {
    const later = rest.slice(i + 1).flatMap(({ labels }) => labels);
    return pair(site, so, operand, new Set([...result, ...later]));
  }, first);
  return ordered(site, summed(site, last, new Set(result)), result);
}

export const EINSUM_RULES = {
  Einsum: {
    inputs: [1, Infinity],
    since: 12,
    attributes: { equation: { kind: "string" } },
    limits: "no diagonals",
    lower: lowerEinsum,
  },
} satisfies Record<string, OpRule>;
