// Element-by-element ops: arithmetic with constants (folded when both sides are), sums of tensors, and the activation
// functions that have a circuit.
import { type Constant, integerRange } from "./constant.ts";
import { type Activation, affine, broadcastShape, spread, spreadTensor, tensorOf, type Value } from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import { activationAt, floatOf, needFloat, needSameType, type OpRule, scalarAt, type Site, valueAt } from "./site.ts";

type Arithmetic = "Add" | "Sub" | "Mul" | "Div";

const APPLY: Readonly<Record<Arithmetic, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

/** Rounds as the type does. Integers beyond its range or 2^53 are refused rather than wrapped. */
function stored(value: number, type: Constant["type"]): number {
  if (type === "float64") return value;
  if (type === "float32") return Math.fround(value);
  const range = integerRange(type);
  if (range === undefined) return unsupported(`it computes on ${type} constants`, "Keep constants in float32.");
  const whole = Math.trunc(value) + 0;
  if (!Number.isSafeInteger(whole) || whole < range[0] || whole > range[1]) {
    return unsupported(`its result ${value} on constants does not fit ${type}`);
  }
  return whole;
}

function foldConstants(site: Site, op: Arithmetic, a: Constant, b: Constant): Constant {
  const shape = broadcastShape(a.shape, b.shape);
  const [left, right] = [spread(site.draft, a, shape), spread(site.draft, b, shape)];
  site.draft.budget(left.length, "a computed constant");
  const integers = integerRange(a.type) !== undefined;
  const data = left.map((v, i) => {
    const [p, q] = [v, right[i] as number];
    if (integers && !(Number.isSafeInteger(p) && Number.isSafeInteger(q))) unsupported("it computes beyond 2^53");
    return stored(APPLY[op](p, q), a.type);
  });
  return { kind: "constant", type: a.type, shape, data };
}

function inverse(site: Site, constant: Constant): Constant {
  if (constant.data.some((v) => v === 0)) unsupported("it divides by a constant that holds 0");
  site.draft.budget(constant.data.length, "the inverse of a constant");
  return { ...constant, data: constant.data.map((v) => 1 / v) };
}

function negative(site: Site, constant: Constant): Constant {
  site.draft.budget(constant.data.length, "the negative of a constant");
  return { ...constant, data: constant.data.map((v) => 0 - v) };
}

/** x op c, or c op x where `swapped`. */
function withConstant(site: Site, op: Arithmetic, x: Activation, c: Constant, swapped: boolean): Activation {
  const { draft, name } = site;
  switch (op) {
    case "Add":
      return affine(draft, name, x, 1, c);
    case "Sub":
      return swapped ? affine(draft, name, x, -1, c) : affine(draft, name, x, 1, negative(site, c));
    case "Mul":
      return affine(draft, name, x, c, 0);
    case "Div":
      if (!swapped) return affine(draft, name, x, inverse(site, c), 0);
      return unsupported(
        "it divides by values that depend on the model's input",
        "Only division by constants is read.",
      );
  }
}

function lowerArithmetic(site: Site, op: Arithmetic): Value {
  const [a, b] = [valueAt(site, 0), valueAt(site, 1)];
  needSameType(a, b);
  if (a.kind === "constant" && b.kind === "constant") return foldConstants(site, op, a, b);
  needFloat(a.type);
  if (a.kind === "constant") return withConstant(site, op, b as Activation, a, true);
  if (b.kind === "constant") return withConstant(site, op, a, b, false);
  if (op === "Mul" || op === "Div") {
    return unsupported(
      `it ${op === "Mul" ? "multiplies" : "divides"} two values that both depend on the model's input`,
      "Only arithmetic with constants, and the sum or difference of two tensors, is read.",
    );
  }
  const shape = broadcastShape(a.shape, b.shape);
  const xs = [a, b].map((value) => spreadTensor(site.draft, `${site.name}/repeat`, value, shape).ref);
  const factors = [1, op === "Add" ? 1 : -1];
  return tensorOf(site.draft, { op: "sum", xs, factors, shape, name: site.name }, a.type);
}

function clip(site: Site, x: Activation, lo: number, hi: number): Activation {
  if (lo === -Infinity && hi === Infinity) return x;
  return tensorOf(site.draft, { op: "clip", x: x.ref, lo, hi, shape: x.shape, name: site.name }, x.type);
}

function lowerClip(site: Site): Activation {
  const lo = scalarAt(site, 1, "minimum") ?? -Infinity;
  const hi = scalarAt(site, 2, "maximum") ?? Infinity;
  if (!(lo <= hi) || lo === Infinity || hi === -Infinity) malformed(`it clips to [${lo}, ${hi}]`);
  return clip(site, activationAt(site, 0), lo, hi);
}

/** Slopes above 1 make a minimum of what is a maximum below: leaky_s(x) = -leaky_(1/s)(-s x). */
function lowerLeakyRelu(site: Site): Activation {
  const x = activationAt(site, 0);
  const alpha = floatOf(site, "alpha", 0.01);
  if (alpha === 1) return x;
  if (alpha === 0) return clip(site, x, 0, Infinity);
  const { draft, name } = site;
  const leaky = (input: Activation, slope: number): Activation =>
    tensorOf(draft, { op: "leaky", x: input.ref, slope, shape: x.shape, name }, x.type);
  if (alpha < 1) return leaky(x, alpha);
  return affine(draft, `${name}/back`, leaky(affine(draft, `${name}/turn`, x, -alpha, 0), 1 / alpha), -1, 0);
}

const arithmetic = (op: Arithmetic, limits: string): OpRule => ({
  inputs: [2, 2],
  attributes: {},
  limits,
  lower: (site) => lowerArithmetic(site, op),
});

export const ELEMENTWISE_RULES = {
  Add: arithmetic("Add", ""),
  Clip: { inputs: [1, 3], attributes: {}, limits: "constant bounds (inputs, as from opset 11 on)", lower: lowerClip },
  Div: arithmetic("Div", "by constants"),
  LeakyRelu: { inputs: [1, 1], attributes: { alpha: { kind: "float" } }, limits: "", lower: lowerLeakyRelu },
  Mul: arithmetic("Mul", "with constants"),
  Relu: { inputs: [1, 1], attributes: {}, limits: "", lower: (site) => clip(site, activationAt(site, 0), 0, Infinity) },
  Sub: arithmetic("Sub", ""),
} satisfies Record<string, OpRule>;
