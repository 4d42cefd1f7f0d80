// Functions applied element by element, to constants (folded, rounded as their type does) and to tensors of the graph.
// What the rules of elementwise.ts, activations.ts and logic.ts are made of; knows no ONNX op by name.
import { functionOf } from "../functions.ts";
import type { Expr } from "../graph.ts";
import { type Constant, type ElemType, integerRange, isFloat } from "./constant.ts";
import { type Activation, affine, broadcastShape, spread, spreadTensor, tensorOf, type Value } from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import { needFloat, type Site, valueAt } from "./site.ts";

/** Rounds as the type does. Integers beyond its range or 2^53 are refused rather than wrapped. */
function stored(value: number, type: ElemType): number {
  if (type === "float64") return value;
  if (type === "float32") return Math.fround(value);
  const range = integerRange(type);
  if (range === undefined) return unsupported(`it computes on ${type} constants`, "Keep constants in float32.");
  const whole = Math.trunc(value) + 0;
  if (!Number.isSafeInteger(whole) || whole < range[0] || whole > range[1]) {
    return unsupported(`its result ${value} on constants does not fit ${type}`, "Compute it in int64 or float32.");
  }
  return whole;
}

/** fn of the constants' elements, broadcast against each other. */
export function foldConstants(
  site: Site,
  parts: readonly Constant[],
  fn: (...values: number[]) => number,
  type: ElemType,
): Constant {
  const shape = parts.map((part) => part.shape).reduce(broadcastShape);
  for (const { type, data } of parts) {
    if (!isFloat(type) && !data.every(Number.isSafeInteger))
      unsupported("it computes beyond 2^53", "Use smaller constants.");
  }
  const wide = parts.map((part) => spread(site.draft, part, shape));
  site.draft.budget((wide[0] as Float64Array).length, "a computed constant");
  const data = (wide[0] as Float64Array).map((_, i) => stored(fn(...wide.map((list) => list[i] as number)), type));
  return { kind: "constant", type, shape, data };
}

export function areConstant(values: readonly Value[]): values is readonly Constant[] {
  return values.every((value) => value.kind === "constant");
}

/** Is it one number throughout? */
export function uniformOf(value: Value): number | undefined {
  if (value.kind !== "constant" || value.data.length === 0) return undefined;
  return value.data.every((v) => v === value.data[0]) ? value.data[0] : undefined;
}

/** Input `index`, of a type that has a sign or a size: no truth values. */
export function numberAt(site: Site, index: number): Value {
  const value = valueAt(site, index);
  if (value.type === "bool") malformed(`it computes on truth values (input ${index})`);
  return value;
}

export function floatAt(site: Site, index: number): Value {
  const value = valueAt(site, index);
  needFloat(value.type);
  return value;
}

/** fn of every element: folded, or a node of the graph. */
export function unary(site: Site, x: Value, fn: Expr): Value {
  if (x.kind === "constant") return foldConstants(site, [x], functionOf(fn), x.type);
  return tensorOf(site.draft, { op: "unary", x: x.ref, fn, shape: x.shape, name: site.name }, x.type);
}

/** factor * x + bias of tensors and constants. */
export function linear(site: Site, x: Value, factor: number, bias: number, name = site.name): Value {
  if (x.kind === "activation") return affine(site.draft, name, x, factor, bias);
  return foldConstants(site, [x], (v) => factor * v + bias, x.type);
}

export function clip(site: Site, x: Value, lo: number, hi: number): Value {
  if (lo === -Infinity && hi === Infinity) return x;
  if (x.kind === "constant") return foldConstants(site, [x], (v) => Math.min(Math.max(v, lo), hi), x.type);
  return tensorOf(site.draft, { op: "clip", x: x.ref, lo, hi, shape: x.shape, name: site.name }, x.type);
}

/** The tensors repeated to the shape that they share. */
export function spreadAll(site: Site, values: readonly Activation[]): readonly Activation[] {
  const shape = values.map((value) => value.shape).reduce(broadcastShape);
  return values.map((value) => spreadTensor(site.draft, `${site.name}/repeat`, value, shape));
}

/** sum_i factors[i] * xs[i] of tensors. */
export function sumOf(site: Site, xs: readonly Activation[], factors: readonly number[], name = site.name): Activation {
  const wide = spreadAll(site, xs);
  const { shape, type } = wide[0] as Activation;
  return tensorOf(site.draft, { op: "sum", xs: wide.map(({ ref }) => ref), factors, shape, name }, type);
}

/** An op of two tensors. */
export function pairOf(
  site: Site,
  op: "mul" | "div" | "max",
  a: Activation,
  b: Activation,
  name = site.name,
): Activation {
  const [left, right] = spreadAll(site, [a, b]) as [Activation, Activation];
  return tensorOf(site.draft, { op, a: left.ref, b: right.ref, shape: left.shape, name }, a.type);
}

/** a - b, one of them a tensor at least. */
export function difference(site: Site, a: Value, b: Value): Activation {
  const { draft } = site;
  const name = `${site.name}/difference`;
  if (a.kind === "activation" && b.kind === "activation") return sumOf(site, [a, b], [1, -1], name);
  if (b.kind === "activation") return affine(draft, name, b, -1, a as Constant);
  return affine(draft, name, a as Activation, 1, { ...b, data: b.data.map((v) => 0 - v) });
}

/** 1 where x is > 0, >= 0 or = 0. */
export function compare(site: Site, x: Activation, relation: "positive" | "nonnegative" | "zero"): Activation {
  const node = { op: "compare", x: x.ref, relation, shape: x.shape, name: site.name } as const;
  return tensorOf(site.draft, node, "bool");
}
