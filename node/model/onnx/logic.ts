// Truth values: comparisons, connectives, choices and casts. A truth value is 0 or 1, so that connectives are products and
// sums; what is compared is the sign of a difference.
import { areConstant, clip, compare, difference, foldConstants, pairOf, spreadAll, sumOf, unary } from "./apply.ts";
import { sizeOf } from "../../core/tensor.ts";
import { type Constant, elemTypeOf, type ElemType, integerRange } from "./constant.ts";
import { type Activation, affine, broadcastShape, spread, spreadTensor, tensorOf, type Value } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { intOf, needSameType, type OpRule, type Site, valueAt } from "./site.ts";

type Relation = "positive" | "nonnegative" | "zero";

/** `relation` of a - b, or of b - a where `turned`. */
function lowerComparison(
  site: Site,
  relation: Relation,
  turned: boolean,
  holds: (a: number, b: number) => boolean,
): Value {
  const [a, b] = [valueAt(site, 0), valueAt(site, 1)];
  needSameType(a, b);
  if (areConstant([a, b])) return foldConstants(site, [a, b] as Constant[], (p, q) => +holds(p, q), "bool");
  // What is computed is finite, so that 0 compares with infinities as it does.
  const finite = (value: Value): Constant =>
    value.kind === "constant" ? value : { ...value, kind: "constant", data: new Float64Array(sizeOf(value.shape)) };
  const extreme = [a, b].some((value) => value.kind === "constant" && !value.data.some(Number.isFinite));
  if (extreme) return foldConstants(site, [finite(a), finite(b)], (p, q) => +holds(p, q), "bool");
  return compare(site, turned ? difference(site, b, a) : difference(site, a, b), relation);
}

function truthAt(site: Site, index: number): Value {
  const value = valueAt(site, index);
  if (value.type !== "bool") malformed(`its input ${index} is ${value.type}, not bool`);
  return value;
}

/** y = either * (a + b) + both * a b: 0, 1 for And; 1, -1 for Or; 1, -2 for Xor. */
function lowerConnective(site: Site, either: 0 | 1, both: 1 | -1 | -2): Value {
  const [a, b] = [truthAt(site, 0), truthAt(site, 1)];
  if (areConstant([a, b])) return foldConstants(site, [a, b] as Constant[], (p, q) => either * (p + q) + both * p * q, "bool"); // prettier-ignore
  if (a.kind === "activation" && b.kind === "activation") {
    const product = pairOf(site, "mul", a, b);
    return either === 0 ? product : sumOf(site, [a, b, product], [1, 1, both]);
  }
  const [x, c] = (a.kind === "activation" ? [a, b] : [b, a]) as [Activation, Constant];
  const factor = foldConstants(site, [c], (v) => either + both * v, "float32");
  return affine(site.draft, site.name, x, factor, either === 0 ? 0 : c);
}

function not(site: Site, x: Value): Value {
  if (x.kind === "constant") return foldConstants(site, [x], (v) => 1 - v, "bool");
  return affine(site.draft, `${site.name}/not`, x, -1, 1);
}

/** c ? a : b. Constants beside tensors become tensors that do not vary. */
function lowerWhere(site: Site): Value {
  const [c, a, b] = [truthAt(site, 0), valueAt(site, 1), valueAt(site, 2)];
  needSameType(a, b);
  if (areConstant([c, a, b]))
    return foldConstants(site, [c, a, b] as Constant[], (p, q, r) => (p !== 0 ? q : r), a.type); // prettier-ignore
  const shape = [a.shape, b.shape].reduce(broadcastShape, c.shape);
  const { draft, name } = site;
  if (c.kind === "constant") return masked(site, c, a, b, shape);
  if (a.kind === "constant" && b.kind === "constant") {
    const step = foldConstants(site, [a, b], (p, q) => p - q, a.type);
    return { ...affine(draft, name, c, step, b), type: a.type };
  }
  const like = spreadTensor(draft, `${name}/repeat`, a.kind === "activation" ? a : (b as Activation), shape); // prettier-ignore
  const tensor = (value: Value): Activation =>
    value.kind === "activation" ? value : affine(draft, `${name}/constant`, like, 0, value);
  const [chosen, left, right] = spreadAll(site, [c, tensor(a), tensor(b)]) as [Activation, Activation, Activation];
  const node = { op: "select", c: chosen.ref, a: left.ref, b: right.ref, shape, name } as const;
  return tensorOf(draft, node, a.type);
}

/** A choice known at compile time: a map with factors 0 and 1. */
function masked(site: Site, c: Constant, a: Value, b: Value, shape: readonly number[]): Value {
  const { draft, name } = site;
  const chosen = { ...c, shape, data: spread(draft, c, shape) };
  const others = foldConstants(site, [chosen], (v) => 1 - v, "bool");
  const part = (value: Value, mask: Constant): Activation | Constant => {
    if (value.kind === "activation") return affine(draft, `${name}/part`, value, mask, 0);
    // No product: an infinite constant that is not chosen adds nothing.
    return foldConstants(site, [value, mask], (v, chosen) => (chosen !== 0 ? v : 0), value.type);
  };
  const [p, q] = [part(a, chosen), part(b, others)];
  if (p.kind === "activation" && q.kind === "activation") return sumOf(site, [p, q], [1, 1]);
  const [x, constant] = (p.kind === "activation" ? [p, q] : [q, p]) as [Activation, Constant];
  return affine(draft, name, x, 1, constant);
}

/** No finite computation yields NaN or an infinity: false, at once. */
function lowerNever(site: Site, holds: (v: number) => boolean): Constant {
  const x = valueAt(site, 0);
  if (x.kind === "constant") return foldConstants(site, [x], (v) => +holds(v), "bool");
  site.draft.budget(sizeOf(x.shape), "a constant");
  return { kind: "constant", type: "bool", shape: x.shape, data: new Float64Array(sizeOf(x.shape)) };
}

function lowerCast(site: Site): Value {
  const value = valueAt(site, 0);
  if (!site.attributes.has("to")) malformed("it has no type to cast to");
  return castTo(site, value, elemTypeOf(intOf(site, "to", 0), "its result"));
}

function castTo(site: Site, value: Value, to: ElemType): Value {
  if (to === value.type) return value;
  if (value.kind === "constant") return castConstant(site, value, to);
  if (to === "bool") return not(site, compare(site, value, "zero"));
  const [from, range] = [integerRange(value.type), integerRange(to)];
  if (range !== undefined && from === undefined) {
    const whole = unary(site, value, ["trunc", "x"]) as Activation;
    // ONNX leaves open what becomes of values beyond the type; the wide types are left as they are.
    const held = range[1] < 2 ** 31 - 1 ? (clip(site, whole, range[0], range[1]) as Activation) : whole;
    return { ...held, type: to };
  }
  if (
    range !== undefined &&
    from !== undefined &&
    range[1] < 2 ** 31 - 1 &&
    (from[0] < range[0] || from[1] > range[1])
  ) {
    unsupported(
      `it casts ${value.type} values that depend on the model's input to ${to}, which changes them`,
      "Take the cast out of the model.",
    );
  }
  if (to === "float16" || to === "bfloat16") {
    site.draft.notices.push(`the cast to ${to} at node ${quote(site.name)} is read without its rounding`);
  }
  return { ...value, type: to };
}

function castConstant(site: Site, value: Constant, to: ElemType): Constant {
  if (to === "float16" || to === "bfloat16") unsupported(`it casts a constant to ${to}`, "Keep constants in float32.");
  const range = integerRange(to);
  site.draft.budget(value.data.length, "a cast constant");
  const data = value.data.map((v) => {
    if (to === "bool") return v === 0 ? 0 : 1;
    if (range === undefined) return to === "float32" ? Math.fround(v) : v;
    const whole = Math.trunc(v) + 0;
    return whole >= range[0] && whole <= range[1]
      ? whole
      : unsupported(`it casts the constant ${v} to ${to}`, "Use a type that holds it.");
  });
  return { ...value, type: to, data };
}

/** To the type of input 1, whose values nobody reads. */
function lowerCastLike(site: Site): Value {
  return castTo(site, valueAt(site, 0), valueAt(site, 1).type);
}

const comparison = (
  relation: Relation,
  turned: boolean,
  holds: (a: number, b: number) => boolean,
  since?: number,
): OpRule => ({
  inputs: [2, 2],
  attributes: {},
  limits: "",
  lower: (site) => lowerComparison(site, relation, turned, holds),
  ...(since === undefined ? {} : { since }),
});
const connective = (either: 0 | 1, both: 1 | -1 | -2): OpRule => ({
  inputs: [2, 2],
  attributes: {},
  limits: "",
  lower: (site) => lowerConnective(site, either, both),
});
const FLAG = { kind: "int" } as const;

export const LOGIC_RULES = {
  And: connective(0, 1),
  Cast: {
    inputs: [1, 1],
    attributes: { to: FLAG, saturate: { kind: "int", since: 19 }, round_mode: { kind: "string", since: 24 } },
    limits: "tensors: to types that hold their values",
    lower: lowerCast,
  },
  CastLike: {
    inputs: [2, 2],
    since: 15,
    attributes: { saturate: { kind: "int", since: 19 }, round_mode: { kind: "string", since: 24 } },
    limits: "tensors: to types that hold their values",
    lower: lowerCastLike,
  },
  Equal: comparison("zero", false, (a, b) => a === b),
  Greater: comparison("positive", false, (a, b) => a > b),
  GreaterOrEqual: comparison("nonnegative", false, (a, b) => a >= b, 12),
  IsInf: {
    inputs: [1, 1],
    attributes: { detect_negative: FLAG, detect_positive: FLAG },
    limits: "tensors never are",
    lower: (site) => lowerNever(site, (v) => (v === Infinity && intOf(site, "detect_positive", 1) === 1) || (v === -Infinity && intOf(site, "detect_negative", 1) === 1)), // prettier-ignore
  },
  IsNaN: {
    inputs: [1, 1],
    attributes: {},
    limits: "tensors never are",
    lower: (site) => lowerNever(site, Number.isNaN),
  },
  Less: comparison("positive", true, (a, b) => a < b),
  LessOrEqual: comparison("nonnegative", true, (a, b) => a <= b, 12),
  Not: { inputs: [1, 1], attributes: {}, limits: "", lower: (site) => not(site, truthAt(site, 0)) },
  Or: connective(1, -1),
  Where: { inputs: [3, 3], attributes: {}, limits: "", lower: lowerWhere },
  Xor: connective(1, -2),
} satisfies Record<string, OpRule>;
