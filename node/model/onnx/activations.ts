// Functions of one tensor, element by element: each an expression over functions.ts, but for those that are piecewise linear
// and need no table. On constants they fold.
import type { Expr } from "../graph.ts";
import { clip, compare, floatAt, linear, numberAt, pairOf, sumOf, unary, uniformOf } from "./apply.ts";
import type { AttributeRules } from "./attributes.ts";
import { type Constant } from "./constant.ts";
import { type Activation, affine, broadcastShape, sameShape, tensorOf, type Value } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { constantAt, finite, floatOf, needSameType, type OpRule, type Site, stringOf } from "./site.ts";

const X = "x";
const HALF_PLUS = (inner: Expr): Expr => ["mul", ["mul", 0.5, X], ["add", 1, inner]];

/** Gelu by the error function, or by tanh. */
function gelu(site: Site): Expr {
  const form = stringOf(site, "approximate", "none");
  if (form === "none") return HALF_PLUS(["erf", ["mul", X, Math.SQRT1_2]]);
  if (form !== "tanh") malformed(`its approximation is ${quote(form)}, not "none" or "tanh"`);
  const cube: Expr = ["add", X, ["mul", 0.044715, ["pow", X, 3]]];
  return HALF_PLUS(["tanh", ["mul", 0.7978845608028653559, cube]]);
}

/** x where it is positive, else `below`. */
const orBelow = (below: Expr): Expr => ["select", ["positive", X], X, below];
const elu = (alpha: number): Expr => orBelow(["mul", alpha, ["expm1", X]]);

function celu(site: Site): Expr {
  const alpha = floatOf(site, "alpha", 1);
  if (alpha === 0) malformed("its alpha is 0");
  const below: Expr = ["mul", alpha, ["expm1", ["div", X, alpha]]];
  return ["add", ["max", 0, X], ["min", 0, below]];
}

function selu(site: Site): Expr {
  const gamma = floatOf(site, "gamma", 1.0507009873554805);
  return ["mul", gamma, elu(floatOf(site, "alpha", 1.6732632423543772))];
}

function lowerHardSigmoid(site: Site): Value {
  const [alpha, beta] = [floatOf(site, "alpha", 0.2), floatOf(site, "beta", 0.5)];
  return clip(site, linear(site, floatAt(site, 0), alpha, beta, `${site.name}/line`), 0, 1);
}

/** Slopes above 1 make a minimum of what is a maximum below: leaky_s(x) = -leaky_(1/s)(-s x). */
function leakyRelu(site: Site, x: Value, alpha: number): Value {
  if (alpha === 1) return x;
  if (alpha === 0) return clip(site, x, 0, Infinity);
  if (x.kind === "constant") return unary(site, x, ["select", ["nonnegative", X], X, ["mul", alpha, X]]);
  const { draft, name } = site;
  const leaky = (input: Activation, slope: number): Activation =>
    tensorOf(draft, { op: "leaky", x: input.ref, slope, shape: x.shape, name }, x.type);
  if (alpha < 1) return leaky(x, alpha);
  return affine(draft, `${name}/back`, leaky(affine(draft, `${name}/turn`, x, -alpha, 0), 1 / alpha), -1, 0);
}

/** max(x, s x) where the slope s is at most 1, -max(-x, -s x) where it is above: the sign goes into the affine maps. */
function lowerPRelu(site: Site): Value {
  const x = numberAt(site, 0);
  const slopes = constantAt(site, 1, "slope");
  needSameType(x, slopes);
  finite(slopes.data, "slopes");
  if (!sameShape(broadcastShape(x.shape, slopes.shape), x.shape)) {
    malformed(`its slopes of [${slopes.shape.join(", ")}] do not broadcast to [${x.shape.join(", ")}]`);
  }
  const same = uniformOf(slopes);
  if (same !== undefined) return leakyRelu(site, x, same);
  if (x.kind === "constant")
    return unsupported("it is applied to a constant with several slopes", "Fold constants first, with onnxsim.");
  const { draft, name } = site;
  const turned = (data: Float64Array): Constant => ({ ...slopes, data });
  const sign = slopes.data.map((slope) => (slope > 1 ? -1 : 1));
  const above = affine(draft, `${name}/positive`, x, turned(sign), 0);
  const below = affine(draft, `${name}/negative`, x, turned(slopes.data.map((s, i) => s * (sign[i] as number))), 0);
  return affine(draft, name, pairOf(site, "max", above, below), turned(sign), 0);
}

function lowerThresholdedRelu(site: Site): Value {
  const x = floatAt(site, 0);
  const alpha = floatOf(site, "alpha", 1);
  if (x.kind === "constant") return unary(site, x, ["select", ["positive", ["sub", X, alpha]], X, 0]);
  const above = compare(site, affine(site.draft, `${site.name}/above`, x, 1, -alpha), "positive");
  return pairOf(site, "mul", x, above);
}

function lowerSign(site: Site): Value {
  const x = numberAt(site, 0);
  if (x.kind === "constant") return unary(site, x, ["sign", X]);
  const positive = compare(site, x, "positive");
  const negative = compare(site, affine(site.draft, `${site.name}/turn`, x, -1, 0), "positive");
  return { ...sumOf(site, [positive, negative], [1, -1]), type: x.type };
}

const FLOAT = { kind: "float" } as const;

const rule = (lower: OpRule["lower"], attributes: AttributeRules = {}, since?: number): OpRule => ({
  inputs: [1, 1],
  attributes,
  limits: "",
  lower,
  ...(since === undefined ? {} : { since }),
});
const curve = (fn: (site: Site) => Expr, attributes: AttributeRules = {}, since?: number): OpRule =>
  rule((site) => unary(site, floatAt(site, 0), fn(site)), attributes, since);
const plain = (fn: Expr, since?: number): OpRule => curve(() => fn, {}, since);

export const ACTIVATION_RULES = {
  Ceil: plain(["ceil", X]),
  Celu: curve(celu, { alpha: FLOAT }, 12),
  Elu: curve((site) => elu(floatOf(site, "alpha", 1)), { alpha: FLOAT }),
  Erf: plain(["erf", X]),
  Exp: plain(["exp", X]),
  Floor: plain(["floor", X]),
  Gelu: curve(gelu, { approximate: { kind: "string" } }, 20),
  HardSigmoid: rule(lowerHardSigmoid, { alpha: FLOAT, beta: FLOAT }),
  HardSwish: plain(["mul", X, ["max", 0, ["min", 1, ["add", ["div", X, 6], 0.5]]]], 14),
  LeakyRelu: rule((site) => leakyRelu(site, floatAt(site, 0), floatOf(site, "alpha", 0.01)), { alpha: FLOAT }),
  Log: plain(["log", X]),
  Mish: plain(["mul", X, ["tanh", ["softplus", X]]], 18),
  PRelu: { inputs: [2, 2], attributes: {}, limits: "constant slopes", lower: lowerPRelu },
  Reciprocal: plain(["div", 1, X]),
  Relu: rule((site) => clip(site, numberAt(site, 0), 0, Infinity)),
  Round: plain(["round", X]),
  Selu: curve(selu, { alpha: FLOAT, gamma: FLOAT }),
  Sigmoid: plain(["sigmoid", X]),
  Sign: rule(lowerSign),
  Softplus: plain(["softplus", X]),
  Softsign: plain(["div", X, ["add", 1, ["abs", X]]]),
  Sqrt: plain(["sqrt", X]),
  Swish: curve((site) => ["mul", X, ["sigmoid", ["mul", floatOf(site, "alpha", 1), X]]], { alpha: FLOAT }, 24),
  Tanh: plain(["tanh", X]),
  ThresholdedRelu: rule(lowerThresholdedRelu, { alpha: FLOAT }),
} satisfies Record<string, OpRule>;
