// The quantizer's rules for ops of two tensors that are not linear (products, quotients, maxima, choices, comparisons), and
// for functions that need no table: roundings, square roots and reciprocals.
import { NodeError } from "../core/errors.ts";
import { bitsFor, exponentFor, exponentOf, mantissaOf, pow2 } from "./binary.ts";
import { add, beforeRepeat, level, multiply, ratio, reachOf, rescale } from "./build.ts";
import type { Value } from "./build.ts";
import type { Observed } from "./calibrate.ts";
import { isUnit } from "./exact.ts";
import type { FloatNode, FloatRef } from "./graph.ts";
import { atOneScale } from "./linear.ts";
import { bitsOf, observedOf, valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";
import { largest, smallest } from "./range.ts";
import type { Bounds } from "./range.ts";

const ONE = Float64Array.of(1);

/**
 * Bits of a product. It is one row, and its rescale costs a row per bit: no more than rescales of its operands would. A
 * rescale's multiplier has 12 bits beside, and all must stay below 2^53.
 */
const PRODUCT_BITS = 40;
/** What a narrowed operand has more than an activation: errors of both operands add up in a product. */
const OPERAND_BITS = 4;
/** Bits that a quotient or a root has at the largest value seen. */
const QUOTIENT_BITS = 12;
/** A divisor that could be 0 is kept at this part of the least one seen: each octave costs a row per quotient. */
const ROOM_BELOW = 16;
/** What div and sqrt read stays below 2^50. */
const READ_BITS = 49;

function boundsOf(job: Job, value: Value): { readonly lo: number; readonly hi: number } {
  const { lo, hi } = job.bench.bounds[value.ref] as Bounds;
  return { lo: smallest(lo), hi: largest(hi) };
}

function shapeOf(job: Job, value: Value): readonly number[] {
  return (job.bench.nodes[value.ref] as { readonly shape: readonly number[] }).shape;
}

/** y = x * factor + bias in integers, with the scale of the result. */
function shifted(job: Job, name: string, x: Value, factor: number, bias: number, scale: Float64Array = x.scale): Value {
  if (factor === 1 && bias === 0) return { ...x, scale };
  const affine = { op: "affine", x: x.ref, shape: shapeOf(job, x), factor: Float64Array.of(factor), bias: Float64Array.of(bias) } as const; // prettier-ignore
  return add(job.bench, name, affine, scale, x.axis);
}

/** clamp(x, lo, hi) in integers. */
function clamped(job: Job, name: string, x: Value, lo: number, hi: number, scale: Float64Array = x.scale): Value {
  const { axis } = x;
  const node = { op: "rescale", x: x.ref, shape: shapeOf(job, x), multiplier: [1], shift: [0], axis, lo, hi, ties: "up" } as const; // prettier-ignore
  return add(job.bench, name, node, scale, axis);
}

function bitsOfValue(job: Job, value: Value): number {
  const { lo, hi } = boundsOf(job, value);
  return bitsFor(lo, hi);
}

/** Replaces a wide tensor, for all who read it, by one that a product or a quotient can read; nothing seen is cut off. */
function narrowOperand(job: Job, ref: FloatRef): void {
  const value = valueOf(job, ref);
  const { name } = job.float.nodes[ref] as FloatNode;
  const seen = observedOf(job, ref);
  const bits = Math.min(16, bitsOf(job, "activations", name) + OPERAND_BITS);
  const signed = boundsOf(job, value).lo < 0;
  const target = { bits, signed, lo: -Infinity, hi: Infinity, common: false };
  job.values[ref] = rescale(job.bench, `${name}.narrow`, value, { ...seen, values: new Float64Array(0) }, target);
}

/** Products keep the precision of both operands; only too wide ones are narrowed first, the wider one before. */
export function mul(job: Job, node: FloatOf<"mul">, ref: FloatRef): Value {
  const { op, name, shape } = node;
  if (isUnit(job, node.a) && isUnit(job, node.b)) {
    job.integers.add(ref);
    return add(job.bench, name, { op, a: valueOf(job, node.a).ref, b: valueOf(job, node.b).ref, shape }, ONE);
  }
  const bits = (x: FloatRef): number => bitsOfValue(job, valueOf(job, x));
  for (const x of [node.a, node.b].toSorted((p, q) => bits(q) - bits(p))) {
    if (bits(node.a) + bits(node.b) > PRODUCT_BITS) narrowOperand(job, x);
  }
  let [a, b] = [valueOf(job, node.a), valueOf(job, node.b)];
  if (a.scale.length > 1 && b.scale.length > 1 && a.axis !== b.axis)
    [a, b] = [level(job.bench, a), level(job.bench, b)];
  const wide = a.scale.length > 1 ? a : b;
  const at = (value: Value, c: number): number => value.scale[value.scale.length === 1 ? 0 : c] as number;
  const scale = wide.scale.map((_, c) => at(a, c) * at(b, c));
  return add(job.bench, name, { op, a: a.ref, b: b.ref, shape }, scale, wide.axis);
}

export function max(job: Job, node: FloatOf<"max">, ref: FloatRef): Value {
  const { op, name, shape } = node;
  if (isUnit(job, node.a) && isUnit(job, node.b)) job.integers.add(ref);
  const [a, b] = atOneScale(job, name, [node.a, node.b]) as [Value, Value];
  return add(job.bench, name, { op, a: a.ref, b: b.ref, shape }, a.scale, a.axis);
}

export function select(job: Job, node: FloatOf<"select">, ref: FloatRef): Value {
  const { op, name, shape } = node;
  if (isUnit(job, node.a) && isUnit(job, node.b)) job.integers.add(ref);
  if (boundsOf(job, valueOf(job, node.c)).lo >= 1) return valueOf(job, node.a);
  const [a, b] = atOneScale(job, name, [node.a, node.b]) as [Value, Value];
  const c = truth(job, `${name}.condition`, valueOf(job, node.c));
  return add(job.bench, name, { op, c: c.ref, a: a.ref, b: b.ref, shape }, a.scale, a.axis);
}

/** A condition as 0 or 1; what is not known to be one of them is compared with 0. */
function truth(job: Job, name: string, c: Value): Value {
  const { lo, hi } = boundsOf(job, c);
  if (lo >= 0 && hi <= 1) return c;
  const zero = add(job.bench, `${name}.zero`, { op: "iszero", x: c.ref, shape: shapeOf(job, c) }, ONE);
  return shifted(job, name, zero, -1, 1);
}

/** The sign of x at the precision that it has, whatever its scales. */
export function compare(job: Job, node: FloatOf<"compare">, ref: FloatRef): Value {
  job.integers.add(ref);
  const x = valueOf(job, node.x);
  const { name, shape } = node;
  switch (node.relation) {
    case "positive":
      return clamped(job, name, x, 0, 1, ONE);
    case "nonnegative":
      if (boundsOf(job, x).lo >= 0) return shifted(job, name, x, 0, 1, ONE);
      return clamped(job, name, shifted(job, `${name}.above`, x, 1, 1), 0, 1, ONE);
    case "zero":
      return add(job.bench, name, { op: "iszero", x: x.ref, shape }, ONE);
  }
}

/** floor, ceil, trunc or round of reals, as integers at a scale of 1; exact where x's scale is a power of two. */
export function round(job: Job, name: string, value: Value, how: "floor" | "ceil" | "trunc" | "round"): Value {
  const { bench } = job;
  const x = level(bench, value);
  const shape = shapeOf(job, x);
  const { multiplier, shift } = ratio(x.scale[0] as number, 1);
  const sign = how === "ceil" ? -1 : 1;
  const { lo, hi } = boundsOf(job, x);
  const ends = [lo, hi].map((q) => (sign * q * multiplier) / 2 ** shift);
  const [bottom, top] = [Math.floor(Math.min(...ends)), Math.ceil(Math.max(...ends))];
  const ties = how === "round" ? "even" : "up";
  const scaled = { op: "rescale", shape, multiplier: [1], shift: [shift], axis: 0, lo: bottom, hi: top, ties } as const;
  let wide = shifted(job, `${name}.wide`, x, sign * multiplier, 0);
  if (shift === 0) return { ...shifted(job, `${name}.sign`, wide, sign, 0), scale: ONE, axis: 0 };
  if (how === "trunc") {
    const negative = clamped(job, `${name}.negative`, shifted(job, `${name}.turned`, x, -1, 0), 0, 1, ONE);
    const sum = { op: "sum", xs: [wide.ref, negative.ref], factors: [1, 2 ** shift - 1], shape } as const;
    wide = add(bench, `${name}.towards`, sum, wide.scale);
  }
  // A rescale rounds to the nearest: half less makes that the floor.
  if (how !== "round") wide = shifted(job, `${name}.half`, wide, 1, -(2 ** (shift - 1)));
  const rounded = add(bench, sign < 0 ? `${name}.turned` : name, { ...scaled, x: wide.ref }, ONE);
  return shifted(job, name, rounded, sign, 0);
}

/** A value of one scale, at `bits` bits that hold twice the values seen; what is below `least` becomes that. */
function positive(job: Job, name: string, value: Value, seen: Observed, least: number, bits: number): Value {
  const { bench } = job;
  const repeated = beforeRepeat(bench, value, (once) => positive(job, name, once, seen, least, bits));
  if (repeated !== undefined) return repeated;
  const x = level(bench, value);
  const unit = x.scale[0] as number;
  const { lo, hi } = boundsOf(job, x);
  const exponent = exponentFor(Math.max(2 * seen.hi, unit) / mantissaOf(unit), 2 ** bits - 1);
  const step = hi < 2 ** bits ? unit : Math.max(unit, mantissaOf(unit) * pow2(exponent));
  const bottom = least === 0 ? 0 : Math.max(1, Math.floor(least / step));
  if (lo >= bottom && hi < 2 ** bits) return x;
  if (step === unit) return clamped(job, name, x, bottom, Math.max(bottom, Math.min(hi, 2 ** bits - 1)));
  const window = [bottom, 2 ** bits - 1] as const;
  return rescale(bench, name, x, seen, {
    bits,
    signed: false,
    lo: -Infinity,
    hi: Infinity,
    common: false,
    exponent,
    window,
  });
}

/** Bits by which the smallest positive value seen is below the largest. */
function octaves({ lo, hi, values }: Observed): number {
  const least = values.reduce((small, v) => (v > 0 && v < small ? v : small), lo > 0 ? lo : hi);
  return hi > 0 && least > 0 ? Math.min(12, exponentOf(hi) - exponentOf(least)) : 0;
}

/** floor(sqrt(4^k x)): the smallest values seen still have half the bits of a quotient. */
export function squareRoot(job: Job, name: string, ref: FloatRef): Value {
  const seen = observedOf(job, ref);
  const wanted = Math.min(24, QUOTIENT_BITS + octaves(seen));
  const x = positive(job, `${name}.positive`, valueOf(job, ref), seen, 0, Math.max(wanted, 16));
  const unit = x.scale[0] as number;
  const most = Math.max(1, seen.hi / unit);
  const room = READ_BITS - bitsFor(0, boundsOf(job, x).hi);
  const k = Math.max(0, Math.floor(Math.min(room, 2 * QUOTIENT_BITS + octaves(seen) - exponentOf(most)) / 2));
  const wide = shifted(job, `${name}.wide`, x, 4 ** k, 0, Float64Array.of(unit / 4 ** k));
  const scale = Float64Array.of(Math.sqrt(unit) / 2 ** k);
  return add(job.bench, name, { op: "sqrt", x: wide.ref, shape: shapeOf(job, x) }, scale);
}

/** The divisor as integers of at least 1, and the sign that it was given. @throws NodeError "unsupported" if it has both signs */
function divisor(job: Job, name: string, ref: FloatRef): { readonly b: Value; readonly sign: 1 | -1 } {
  const seen = observedOf(job, ref);
  if (seen.lo <= 0 && seen.hi >= 0) {
    throw new NodeError(
      "unsupported",
      `"${name}" divides by values from ${seen.lo} to ${seen.hi}, so by 0 or nearly 0 for some inputs`,
      {
        mend: "Keep the divisor above 0 in the model, by an epsilon or a Clip; calibration samples of one sign may do.",
      },
    );
  }
  const sign = seen.hi < 0 ? -1 : 1;
  const value = sign < 0 ? shifted(job, `${name}.turned`, valueOf(job, ref), -1, 0) : valueOf(job, ref);
  const turned = sign < 0 ? { lo: -seen.hi, hi: -seen.lo, values: seen.values.map((v) => -v) } : seen;
  const bits = Math.min(24, QUOTIENT_BITS + 1 + octaves(turned));
  const b = positive(job, `${name}.divisor`, value, turned, turned.lo / ROOM_BELOW, bits);
  if (boundsOf(job, value).lo < 1) {
    const { lo } = boundsOf(job, b);
    job.notices.push(
      `"${name}" divides by values that calibration saw from ${seen.lo} to ${seen.hi}, but that inputs could bring to 0: ` +
        `they are kept at ${(sign * lo * (b.scale[0] as number)).toPrecision(3)} or further from 0`,
    );
  }
  return { b, sign };
}

/** round(a / b) with the bits of a quotient at the largest value seen. */
function quotient(job: Job, name: string, a: Value, b: Value, sign: number, seen: Observed): Value {
  const [p, q] = [a.scale[0] as number, b.scale[0] as number];
  const reach = Math.max(Math.abs(seen.lo), Math.abs(seen.hi));
  const wanted = reach === 0 ? 0 : exponentOf(p / q) - exponentFor(reach, 2 ** QUOTIENT_BITS);
  const room = READ_BITS - 2 - bitsFor(0, reachOf(job.bench, a));
  const k = Math.max(0, Math.min(wanted, room));
  const { shape } = { shape: shapeOf(job, b) };
  // floor((2^(k+1) a + b) / 2b) rounds to the nearest, and 0 to 0.
  const sum = { op: "sum", xs: [a.ref, b.ref], factors: [sign * 2 ** (k + 1), 1], shape } as const;
  const dividend = add(job.bench, `${name}.dividend`, sum, Float64Array.of(p / 2 ** (k + 1)));
  const twice = shifted(job, `${name}.twice`, b, 2, 0, Float64Array.of(q / 2));
  return add(job.bench, name, { op: "div", a: dividend.ref, b: twice.ref, shape }, Float64Array.of(p / q / 2 ** k));
}

export function div(job: Job, node: FloatOf<"div">, ref: FloatRef): Value {
  const { b, sign } = divisor(job, node.name, node.b);
  if (bitsOfValue(job, valueOf(job, node.a)) > 30) narrowOperand(job, node.a);
  return quotient(job, node.name, level(job.bench, valueOf(job, node.a)), b, sign, observedOf(job, ref));
}

/** c / x */
export function reciprocal(job: Job, name: string, c: number, x: FloatRef, ref: FloatRef): Value {
  const { b, sign } = divisor(job, name, x);
  if (c === 0) return multiply(job.bench, name, b, Float64Array.of(0));
  const a = shifted(job, `${name}.dividend`, b, 0, c < 0 ? -1 : 1, Float64Array.of(Math.abs(c)));
  return quotient(job, name, a, b, sign, observedOf(job, ref));
}
