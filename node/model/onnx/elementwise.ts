// Arithmetic element by element: of constants (folded), of a tensor with constants (affine maps), and of tensors with each
// other, broadcast as numpy does. Functions of one tensor are in activations.ts, truth values in logic.ts.
import { pow } from "../functions.ts";
import { areConstant, clip, foldConstants, linear, numberAt, pairOf, sumOf, unary, uniformOf } from "./apply.ts"; // prettier-ignore
import { type Constant, isFloat } from "./constant.ts";
import { type Activation, affine, broadcastShape, spreadTensor, type Value } from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import { constantAt, flagOf, needFloat, needSameType, type OpRule, scalarAt, type Site } from "./site.ts";

type Arithmetic = "Add" | "Sub" | "Mul" | "Div";

const APPLY: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

function inverse(site: Site, constant: Constant): Constant {
  if (constant.data.some((v) => v === 0))
    unsupported("it divides by a constant that holds 0", "Divisors must differ from 0; check the training.");
  site.draft.budget(constant.data.length, "the inverse of a constant");
  return { ...constant, data: constant.data.map((v) => 1 / v) };
}

function negative(site: Site, constant: Constant): Constant {
  site.draft.budget(constant.data.length, "the negative of a constant");
  return { ...constant, data: constant.data.map((v) => 0 - v) };
}

/** x repeated to the shape that it shares with a constant of one number throughout. */
function repeated({ draft, name }: Site, x: Activation, other: Value): Activation {
  return spreadTensor(draft, `${name}/repeat`, x, broadcastShape(x.shape, other.shape));
}

/** x op c, or c op x where `swapped`. */
function withConstant(site: Site, op: Arithmetic, x: Activation, c: Constant, swapped: boolean): Value {
  const { draft, name } = site;
  switch (op) {
    case "Add":
      return affine(draft, name, x, 1, c);
    case "Sub":
      return swapped ? affine(draft, name, x, -1, c) : affine(draft, name, x, 1, negative(site, c));
    case "Mul":
      return affine(draft, name, x, c, 0);
    case "Div": {
      if (!swapped) return affine(draft, name, x, inverse(site, c), 0);
      const dividend = uniformOf(c);
      if (dividend !== undefined && c.data.length === 1)
        return unary(site, repeated(site, x, c), ["div", dividend, "x"]);
      return affine(draft, name, unary(site, x, ["div", 1, "x"]) as Activation, c, 0);
    }
  }
}

function lowerArithmetic(site: Site, op: Arithmetic): Value {
  const [a, b] = [numberAt(site, 0), numberAt(site, 1)];
  needSameType(a, b);
  if (a.kind === "constant" && b.kind === "constant") return foldConstants(site, [a, b], APPLY[op], a.type);
  if (op === "Div" && !isFloat(a.type)) {
    unsupported(
      `it divides ${a.type} values that depend on the model's input, and drops the remainder`,
      "Divide as float32 and put a Floor behind it.",
    );
  }
  if (a.kind === "constant") return withConstant(site, op, b as Activation, a, true);
  if (b.kind === "constant") return withConstant(site, op, a, b, false);
  if (op === "Mul" || op === "Div") return pairOf(site, op === "Mul" ? "mul" : "div", a, b);
  return sumOf(site, [a, b], [1, op === "Add" ? 1 : -1]);
}

/** All inputs, of one type. */
function listOf(site: Site): readonly Value[] {
  const list = site.inputs.map((_, i) => numberAt(site, i));
  for (const value of list) needSameType(list[0] as Value, value);
  return list;
}

/** Sum and Mean of any number. */
function lowerSum(site: Site, mean: boolean): Value {
  const list = listOf(site);
  const share = mean ? 1 / list.length : 1;
  const total = (...values: number[]): number => values.reduce((sum, v) => sum + v, 0) * share;
  const constants = list.filter((value) => value.kind === "constant");
  const rest = constants.length === 0 ? undefined : foldConstants(site, constants, total, (list[0] as Value).type);
  const tensors = list.filter((value) => value.kind === "activation");
  if (tensors.length === 0) return rest as Constant;
  const whole = tensors.length === 1 ? affine(site.draft, site.name, tensors[0] as Activation, share, 0) : sumOf(site, tensors, tensors.map(() => share)); // prettier-ignore
  return rest === undefined ? whole : affine(site.draft, site.name, whole, 1, rest);
}

/** Two at a time; with a constant, it is a clip of what exceeds it. */
function maximum(site: Site, a: Value, b: Value): Value {
  if (areConstant([a, b])) return foldConstants(site, [a, b] as Constant[], (p, q) => Math.max(p, q), a.type);
  if (a.kind === "constant") return maximum(site, b, a);
  if (b.kind === "activation") return pairOf(site, "max", a, b);
  const bound = uniformOf(b);
  if (bound !== undefined && b.data.length === 1) return clip(site, repeated(site, a, b), bound, Infinity);
  const above = affine(site.draft, `${site.name}/above`, a, 1, negative(site, b));
  return affine(site.draft, site.name, clip(site, above, 0, Infinity) as Activation, 1, b);
}

function lowerMax(site: Site): Value {
  return listOf(site).reduce((a, b) => maximum(site, a, b));
}

/** The negative of the maximum of the negatives. */
function lowerMin(site: Site): Value {
  const list = listOf(site);
  if (list.length === 1) return list[0] as Value;
  if (areConstant(list)) return foldConstants(site, list, Math.min, (list[0] as Value).type);
  const turned = list.map((value): Value => {
    if (value.kind === "activation") return linear(site, value, -1, 0, `${site.name}/turn`);
    return { ...negative(site, value), type: "float64" }; // Unsigned integers have no negatives.
  });
  return linear(site, turned.reduce((a, b) => maximum(site, a, b)), -1, 0, `${site.name}/back`); // prettier-ignore
}

function lowerClip(site: Site): Value {
  const lo = scalarAt(site, 1, "minimum") ?? -Infinity;
  const hi = scalarAt(site, 2, "maximum") ?? Infinity;
  if (Number.isNaN(lo) || Number.isNaN(hi) || lo === Infinity || hi === -Infinity)
    malformed(`it clips to [${lo}, ${hi}]`);
  if (lo > hi) unsupported(`it clips to [${lo}, ${hi}]`, "Its result is one number, whatever its input: take it out.");
  return clip(site, numberAt(site, 0), lo, hi);
}

function lowerAbs(site: Site): Value {
  const x = numberAt(site, 0);
  if (x.kind === "constant") return unary(site, x, ["abs", "x"]);
  return pairOf(site, "max", x, affine(site.draft, `${site.name}/turn`, x, -1, 0));
}

/** A constant exponent; or a constant base, where it is positive. */
function lowerPow(site: Site): Value {
  const [base, exponent] = [numberAt(site, 0), numberAt(site, 1)];
  if (base.kind === "constant" && exponent.kind === "constant") return foldConstants(site, [base, exponent], pow, base.type); // prettier-ignore
  const [a, b] = [uniformOf(base), uniformOf(exponent)];
  if (base.kind === "activation" && b !== undefined) {
    const x = repeated(site, base, exponent);
    if (b === 1) return x;
    if (b === 2) return pairOf(site, "mul", x, x);
    needFloat(x.type);
    return unary(site, x, b === 0.5 ? ["sqrt", "x"] : ["pow", "x", b]);
  }
  if (exponent.kind === "activation" && a !== undefined && a > 0) {
    needFloat(exponent.type);
    return unary(site, repeated(site, exponent, base), ["pow", a, "x"]);
  }
  return unsupported("neither its exponent nor its base is one constant number", "Use Mul, Exp and Log.");
}

/** The remainder has the divisor's sign, or with fmod the dividend's. Constants only: exporters compute shapes with it. */
function lowerMod(site: Site): Value {
  const parts = [constantAt(site, 0, "dividend"), constantAt(site, 1, "divisor")] as const;
  needSameType(...parts);
  if (parts[1].data.includes(0)) malformed("it divides by 0");
  const truncated = flagOf(site, "fmod", false);
  const rest = (a: number, b: number): number => (truncated || a % b === 0 || a < 0 === b < 0 ? a % b : (a % b) + b);
  return foldConstants(site, parts, rest, parts[0].type);
}

const arithmetic = (op: Arithmetic, limits: string): OpRule => ({
  inputs: [2, 2],
  attributes: {},
  limits,
  lower: (site) => lowerArithmetic(site, op),
});
const ofMany = (lower: OpRule["lower"]): OpRule => ({ inputs: [1, 64], attributes: {}, limits: "", lower });
const ofOne = (lower: OpRule["lower"]): OpRule => ({ inputs: [1, 1], attributes: {}, limits: "", lower });

export const ELEMENTWISE_RULES = {
  Abs: ofOne(lowerAbs),
  Add: arithmetic("Add", ""),
  Clip: { inputs: [1, 3], attributes: {}, limits: "constant bounds (inputs, as from opset 11 on)", lower: lowerClip },
  Div: arithmetic("Div", "integers: constants only"),
  Max: ofMany(lowerMax),
  Mean: ofMany((site) => lowerSum(site, true)),
  Min: ofMany(lowerMin),
  Mod: { inputs: [2, 2], attributes: { fmod: { kind: "int" } }, limits: "constants only", lower: lowerMod },
  Mul: arithmetic("Mul", ""),
  Neg: ofOne((site) => linear(site, numberAt(site, 0), -1, 0)),
  Pow: { inputs: [2, 2], attributes: {}, limits: "a constant exponent, or a constant positive base", lower: lowerPow },
  Sub: arithmetic("Sub", ""),
  Sum: ofMany((site) => lowerSum(site, false)),
} satisfies Record<string, OpRule>;
