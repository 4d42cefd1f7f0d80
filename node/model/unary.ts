// The quantizer's rule for a function of one tensor: a table over as many entries as the job allows, or straight segments
// where more are asked for. Roundings, roots and reciprocals need no table (nonlinear.ts).
//
// The index is x rounded to a window that calibration chose: it ends where the function is flat, and where x was never
// seen. Beyond it, the end's value stands. The index keeps x's mantissa, so that it costs a shift; what x and y are scaled
// by goes into the table. Entries have two bits more than the index: they cost the table nothing, and one row each per
// output of the next layer.
import { exponentFor, exponentOf, mantissaOf, pow2 } from "./binary.ts";
import { add, rescale, scaleAt, shapeOf } from "./build.ts";
import type { Value } from "./build.ts";
import type { Observed } from "./calibrate.ts";
import { isUnit } from "./exact.ts";
import { functionOf } from "./functions.ts";
import { bitsOf, observedOf, valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";
import { reciprocal, round, squareRoot } from "./nonlinear.ts";
import { largest, smallest } from "./range.ts";
import type { Bounds } from "./range.ts";

const ENTRY_BITS = 2;
const MOST_ENTRY_BITS = 16;
/** Wider indices are split into a segment and a place in it. */
const MOST_TABLE_BITS = 12;
/** Bits of the segment's index. */
const SEGMENT_BITS = 8;
/** Entries of all tables of one node. */
const MOST_ENTRIES = 2 ** 20;
/** A table that is further off than this share of the values seen is told of. */
const TOLD = 1 / 64;

type Unary = FloatOf<"unary">;

export function unary(job: Job, node: Unary, ref: number): Value {
  return withoutTable(job, node, ref) ?? byTable(job, node, ref);
}

function withoutTable(job: Job, node: Unary, ref: number): Value | undefined {
  if (typeof node.fn !== "object") return undefined;
  const [name, a, b] = node.fn;
  if (a === "x" && (name === "floor" || name === "ceil" || name === "round" || name === "trunc")) {
    const rounded = isUnit(job, node.x) ? valueOf(job, node.x) : round(job, node.name, valueOf(job, node.x), name);
    job.integers.add(ref);
    return rounded;
  }
  if (name === "sqrt" && a === "x") return squareRoot(job, node.name, node.x);
  if (name === "div" && typeof a === "number" && b === "x") return reciprocal(job, node.name, a, node.x, ref);
  return undefined;
}

/** The integers of an index: `count` from `first` on. */
interface Window {
  readonly first: number;
  readonly count: number;
}

interface Curve {
  readonly f: (x: number) => number;
  readonly x: Observed;
  readonly y: Observed;
  readonly bits: number;
}

function byTable(job: Job, node: Unary, ref: number): Value {
  const { bench } = job;
  const bits = bitsOf(job, "tables", node.name);
  const curve: Curve = { f: functionOf(node.fn), x: observedOf(job, node.x), y: observedOf(job, ref), bits };
  const x = valueOf(job, node.x);
  const bounds = bench.bounds[x.ref] as Bounds;
  const [lo, hi] = [smallest(bounds.lo), largest(bounds.hi)];
  const narrow = hi - lo < 2 ** Math.min(bits, MOST_TABLE_BITS) && (hi - lo + 1) * x.scale.length <= MOST_ENTRIES;
  if (narrow) return lookUp(job, node, curve, x, { first: lo, count: hi - lo + 1 }, 0);
  const mantissa = mantissaOf(x.scale[0] as number);
  const alike = x.scale.every((scale) => mantissaOf(scale) === mantissa);
  const reals: [number, number] = [Infinity, -Infinity];
  bounds.lo.forEach((low, i) => {
    const unit = scaleAt(x, shapeOf(bench, x.ref), i);
    reals[0] = Math.min(reals[0], low * unit);
    reals[1] = Math.max(reals[1], (bounds.hi[i] as number) * unit);
  });
  const finest = x.scale.length === 1 && alike ? exponentOf(x.scale[0] as number) : -Infinity;
  const { exponent, window } = choose(curve, reals, alike ? mantissa : 1, finest);
  const last = window.first + window.count - 1;
  const unclamped = { bits, signed: true, lo: -Infinity, hi: Infinity };
  const target = { ...unclamped, common: !alike, exponent, window: [window.first, last] as const };
  const index = rescale(bench, `${node.name}.index`, x, curve.x, target);
  return bits > MOST_TABLE_BITS ? segments(job, node, curve, index, window) : lookUp(job, node, curve, index, window, 0.5); // prettier-ignore
}

/** The step (mantissa * 2^exponent, no finer than 2^finest) and the window that lose least on the values seen. */
function choose(
  curve: Curve,
  reals: readonly [number, number],
  mantissa: number,
  finest: number,
): { readonly exponent: number; readonly window: Window } {
  const { x, f, bits } = curve;
  const room = (x.hi - x.lo) / 16;
  const [lo, hi] = withoutFlatEnds(curve, Math.max(reals[0], x.lo - room), Math.min(reals[1], x.hi + room));
  const most = 2 ** bits;
  const span = Math.max(hi - lo, Math.max(Math.abs(lo), Math.abs(hi), pow2(-40)) / most);
  const widest = Math.max(finest, exponentFor(span / mantissa, most - 2));
  const expected = x.values.map((value) => f(value));
  let best: { exponent: number; window: Window; loss: number } | undefined;
  for (let exponent = widest; exponent > widest - 3 && exponent >= finest; exponent--) {
    const unit = mantissa * pow2(exponent);
    const anchors = [Math.floor((lo + hi) / 2 / unit) - most / 2];
    if (exponent < widest) anchors.push(Math.floor(lo / unit), Math.ceil(hi / unit) - most + 1);
    for (const anchor of anchors) {
      const first = Math.max(anchor, Math.floor(reals[0] / unit + 0.5));
      const last = Math.max(first, Math.min(anchor + most - 1, Math.floor(reals[1] / unit + 0.5)));
      const window = { first, count: last - first + 1 };
      const entries = entriesOf(curve, window, unit);
      let [squares, worst] = [0, 0];
      x.values.forEach((value, i) => {
        const q = Math.min(last, Math.max(first, Math.floor(value / unit + 0.5)));
        const error = ((entries[q - first] as number) - (expected[i] as number)) ** 2;
        squares += error;
        worst = Math.max(worst, error);
      });
      // What lies further out is cut off only as far as it gains elsewhere: other inputs may have more of it.
      const loss = squares / x.values.length + worst / 16;
      if (best === undefined || loss < best.loss) best = { exponent, window, loss };
    }
  }
  return best as { exponent: number; window: Window };
}

/** The part of [lo, hi] outside of which the function keeps, as nearly as the index could tell, its value at that part's end. */
function withoutFlatEnds(curve: Curve, lo: number, hi: number): readonly [number, number] {
  const steps = 2 ** 12;
  const at = (i: number): number => lo + ((hi - lo) * i) / steps;
  const values = Array.from({ length: steps + 1 }, (_, i) => curve.f(at(i)));
  const close = (a: number, b: number): boolean =>
    Math.abs(a - b) <= (curve.y.hi - curve.y.lo) / 2 ** (Math.min(curve.bits, MOST_TABLE_BITS) + 2);
  let [first, last] = [0, steps];
  while (first < last && close(values[first + 1] as number, values[0] as number)) first++;
  while (last > first && close(values[last - 1] as number, values[steps] as number)) last--;
  return [at(first), at(last)];
}

/**
 * f(q * unit) for each q of the window, within twice the range seen; where f has no value, that of the nearest q (towards
 * the window's middle) that has one.
 */
function entriesOf({ f, y }: Curve, { first, count }: Window, unit: number): Float64Array {
  const room = Math.max(y.hi - y.lo, Math.abs(y.hi), Math.abs(y.lo));
  const entries = Float64Array.from({ length: count }, (_, i) => f((first + i) * unit));
  const clamped = entries.map((v) => Math.min(y.hi + room, Math.max(y.lo - room, v)));
  const middle = Math.floor(count / 2);
  const fill = (from: number, to: number, step: number): void => {
    for (let i = from; i !== to; i += step) if (Number.isNaN(clamped[i])) clamped[i] = clamped[i - step] ?? NaN;
  };
  fill(middle, count, 1);
  fill(count - 1, -1, -1);
  fill(0, count, 1);
  return clamped.map((v) => (Number.isNaN(v) ? 0 : v));
}

/** The power of two in which entries are spelled. */
function unitOf({ y, bits }: Curve): number {
  const reach = Math.max(Math.abs(y.lo), Math.abs(y.hi));
  return reach === 0 ? 1 : pow2(exponentFor(reach, 2 ** (Math.min(MOST_ENTRY_BITS, bits + ENTRY_BITS) - 1)));
}

/** One table, or one per index along the axis of the index' scale. `rounding`: of the index, in its units. */
function lookUp(job: Job, node: Unary, curve: Curve, index: Value, window: Window, rounding: number): Value {
  const byScale = new Map([...new Set(index.scale)].map((scale) => [scale, entriesOf(curve, window, scale)]));
  const reals = Array.from(index.scale, (scale) => byScale.get(scale) as Float64Array);
  let unit = unitOf(curve);
  const exact = (wide: number): boolean => reals.every((list) => list.every((v) => Number.isInteger(v / wide)));
  while (exact(unit) && exact(2 * unit) && unit < 1) unit *= 2;
  const table = Float64Array.from(reals.flatMap((list) => Array.from(list, (v) => Math.floor(v / unit + 0.5) + 0)));
  const error = errorOf(curve, index.scale, window, rounding, (c, i) => (table[c * window.count + i] as number) * unit);
  tell(job, node, curve, error);
  const { first, count: length } = window;
  const { axis } = index;
  const lookup = { op: "lookup", x: index.ref, shape: node.shape, axis, first, length, table } as const;
  return add(job.bench, node.name, lookup, Float64Array.of(unit));
}

/** The function at 2^8 + 1 places, and straight lines between them, exactly. */
function segments(job: Job, node: Unary, curve: Curve, index: Value, { first }: Window): Value {
  const { bench } = job;
  const { shape, name } = node;
  const shift = curve.bits - SEGMENT_BITS;
  const [width, count] = [2 ** shift, 2 ** SEGMENT_BITS];
  const shifted = (part: string, bias: number): number => {
    const affine = {
      op: "affine",
      x: index.ref,
      shape,
      factor: Float64Array.of(1),
      bias: Float64Array.of(bias),
    } as const;
    return add(bench, `${name}.${part}`, affine, index.scale, index.axis).ref;
  };
  const whole = { multiplier: [1], shift: [shift], axis: 0, lo: 0, hi: count - 1, ties: "up" } as const;
  const segment = add(bench, `${name}.segment`, { op: "rescale", x: shifted("down", -first - width / 2), shape, ...whole }, index.scale, index.axis).ref; // prettier-ignore
  const place = add(bench, `${name}.place`, { op: "sum", xs: [shifted("from", -first), segment], factors: [1, -width], shape }, index.scale, index.axis).ref; // prettier-ignore
  const unit = unitOf(curve);
  // A chord lies on one side of its curve: ends moved by half of the largest distance halve the error.
  const ends = Array.from(index.scale, (scale) => {
    const list = entriesOf(curve, { first: first / width - 1, count: count + 3 }, scale * width);
    const at = (i: number): number => list[i] as number;
    return list.slice(1, -1).map((v, i) => Math.floor((v - (at(i) - 2 * v + at(i + 2)) / 16) / unit + 0.5) + 0);
  });
  const { axis } = index;
  const table = (part: string, of: (list: Float64Array, i: number) => number): Value => {
    const entries = Float64Array.from(ends.flatMap((list) => Array.from({ length: count }, (_, i) => of(list, i))));
    const lookup = { op: "lookup", x: segment, shape, axis, first: 0, length: count, table: entries } as const;
    return add(bench, `${name}.${part}`, lookup, Float64Array.of(unit));
  };
  const begin = table("begin", (list, i) => list[i] as number);
  const rise = table("rise", (list, i) => (list[i + 1] as number) - (list[i] as number));
  const step = add(bench, `${name}.step`, { op: "mul", a: rise.ref, b: place, shape }, Float64Array.of(unit / width));
  const error = errorOf(curve, index.scale, { first, count: count * width }, 0.5, (c, q) => {
    const list = ends[c] as Float64Array;
    const [i, at] = [Math.floor(q / width), q % width];
    return unit * ((list[i] as number) + (((list[i + 1] as number) - (list[i] as number)) * at) / width);
  });
  tell(job, node, curve, error);
  const sum = { op: "sum", xs: [begin.ref, step.ref], factors: [width, 1], shape } as const;
  return add(bench, name, sum, Float64Array.of(unit / width));
}

/** The largest difference from f for any x that rounds to an index within the values seen. */
function errorOf(
  { f, x }: Curve,
  scales: Float64Array,
  { first, count }: Window,
  rounding: number,
  tableAt: (c: number, i: number) => number,
): number {
  let worst = 0;
  scales.forEach((scale, c) => {
    if (scales.indexOf(scale) !== c) return;
    for (let i = 0; i < count; i++) {
      for (const at of [-rounding, 0, rounding]) {
        const real = (first + i + at) * scale;
        if (real < x.lo || real > x.hi) continue;
        const error = Math.abs(f(real) - tableAt(c, i));
        if (error > worst) worst = error;
      }
    }
  });
  return worst;
}

function tell(job: Job, node: Unary, { y, bits }: Curve, error: number): void {
  const reach = y.hi - y.lo;
  if (error <= reach * TOLD) return;
  job.notices.push(
    `"${node.name}" is a table of ${2 ** bits} entries that is up to ${error.toPrecision(3)} off, of values from ` +
      `${y.lo.toPrecision(3)} to ${y.hi.toPrecision(3)}; more bits for tables make it finer`,
  );
}
