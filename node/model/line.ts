// Thresholds as a line: the cheapest integers m, b and s for which floor((m x + b) / 2^s) steps exactly where the
// thresholds do, but for a few x that are mended one by one. A search over numbers; knows no graph.
import { roundToEven } from "./rounding.ts";
import type { Rounding } from "./rounding.ts";

/** y = clamp(R((multiplier * x' + bias) / 2^shift) + offset, lo, hi), x' = x + by where x = at; R is floor, or halves to even. */
export interface Line {
  readonly multiplier: number;
  readonly bias: number;
  readonly shift: number;
  readonly offset: number;
  readonly ties: "up" | "even";
  readonly mends: readonly { readonly at: number; readonly by: number }[];
}

/** Accumulators from `from` to `to`; thresholds[i] is the least x with a value of at least lo + 1 + i, to + 1 if none. */
export interface Steps {
  readonly lo: number;
  readonly hi: number;
  readonly thresholds: Float64Array;
  readonly from: number;
  readonly to: number;
}

/** What the line yields for x. */
export function lineAt(line: Line, { lo, hi }: Steps, x: number): number {
  const by = line.mends.find(({ at }) => at === x)?.by ?? 0;
  const value = ((x + by) * line.multiplier + line.bias) / 2 ** line.shift; // Below 2^53 / 2^shift: exact.
  const whole = line.ties === "up" ? Math.floor(value) : roundToEven(value);
  return Math.min(hi, Math.max(lo, whole + line.offset)) + 0;
}

/** All x at which a value begins or ends, and both ends of the range. */
export function borderPoints({ thresholds, from, to }: Steps): number[] {
  const points = new Set([from, to]);
  for (const t of thresholds) for (const x of [t - 1, t]) if (x >= from && x <= to) points.add(x);
  return [...points].toSorted((a, b) => a - b);
}

/** The value at x by the thresholds. */
export function stepAt({ lo, thresholds }: Steps, x: number): number {
  let [least, most] = [0, thresholds.length];
  while (least < most) {
    const middle = (least + most) >> 1;
    if ((thresholds[middle] as number) <= x) least = middle + 1;
    else most = middle;
  }
  return lo + least;
}

/** Mends that one line may have: beyond it, a table of levels is no dearer. */
const MOST_MENDS = 24;
/** A mend costs about as much as this many bits of the shift. */
const MEND_COST = 2;
/** Larger products than this have no gadget. */
const MOST_REACH = 2 ** 50;

/** The cheapest line for the steps that `rounding` makes; undefined if there is none with few mends. */
export function lineFor(steps: Steps, rounding: Rounding): Line | undefined {
  let best = evenLine(steps, rounding);
  let cost = best === undefined ? Infinity : best.shift;
  const reach = Math.max(-steps.from, steps.to, 1) + 1;
  const { least, most, middle } = slopesOf(steps, rounding.scale);
  for (let shift = 0; shift < cost; shift++) {
    const unit = 2 ** shift;
    const nearest = Math.min(Math.floor(most * unit), Math.max(Math.ceil(least * unit), Math.round(middle * unit)));
    if (nearest * reach + 512 * unit >= MOST_REACH) break;
    if (nearest < 1) continue;
    const line = through(steps, nearest, shift, Math.min(MOST_MENDS, Math.floor((cost - shift - 1) / MEND_COST)));
    if (line === undefined) continue;
    best = line;
    cost = shift + MEND_COST * line.mends.length;
  }
  return best;
}

/** scale = multiplier / 2^shift, halves to even: right for powers of two and their small multiples. */
function evenLine(steps: Steps, { arithmetic, scale, zeroPoint }: Rounding): Line | undefined {
  let [multiplier, shift] = [scale, 0];
  while (!Number.isInteger(multiplier) && shift < 60) [multiplier, shift] = [multiplier * 2, shift + 1];
  const reach = Math.max(-steps.from, steps.to, 1);
  if (!Number.isInteger(multiplier) || multiplier * reach + 512 * 2 ** shift >= MOST_REACH) return undefined;
  // Where an odd zero point is added decides which of two neighbours is even.
  const [bias, offset] = arithmetic === "shifted" ? [zeroPoint * 2 ** shift, 0] : [0, zeroPoint];
  const line: Line = { multiplier, bias, shift, offset, ties: "even", mends: [] };
  return firstMiss(line, steps) === undefined ? line : undefined;
}

/** The first border point at which line and steps differ. */
export function firstMiss(line: Line, steps: Steps): number | undefined {
  return borderPoints(steps).find((x) => lineAt(line, steps, x) !== stepAt(steps, x));
}

/** Where thresholds inside the range lie: value q is reached at x, and not yet at x - 1. */
function cornersOf({ lo, thresholds, from, to }: Steps): { readonly q: number; readonly x: number }[] {
  return Array.from(thresholds, (x, i) => ({ q: lo + 1 + i, x })).filter(({ x }) => x > from && x <= to);
}

/** The slopes of lines that pass between all corners, or about which most do. */
function slopesOf(
  steps: Steps,
  slope: number,
): { readonly least: number; readonly most: number; readonly middle: number } {
  const corners = cornersOf(steps);
  const room = (mu: number): number => {
    let [low, high] = [-Infinity, Infinity];
    for (const { q, x } of corners) {
      low = Math.max(low, q - mu * x);
      high = Math.min(high, q - mu * (x - 1));
    }
    return high - low;
  };
  let [a, b] = [slope * 0.97, slope * 1.03];
  for (let i = 0; i < 100; i++) {
    const [p, q] = [a + (b - a) / 3, b - (b - a) / 3];
    if (room(p) < room(q)) a = p;
    else b = q;
  }
  const middle = (a + b) / 2;
  if (!(room(middle) > 0)) return { least: slope * (1 - 2 ** -20), most: slope * (1 + 2 ** -20), middle: slope };
  const edge = (out: number): number => {
    let [inside, outside] = [middle, out];
    for (let i = 0; i < 80; i++) {
      const half = (inside + outside) / 2;
      if (room(half) > 0) inside = half;
      else outside = half;
    }
    return inside;
  };
  return { least: edge(slope * 0.5), most: edge(slope * 2), middle };
}

/** The line of this multiplier and shift that needs the fewest mends, if they are not more than `mostMends`. */
function through(steps: Steps, multiplier: number, shift: number, mostMends: number): Line | undefined {
  const corners = cornersOf(steps);
  const unit = 2 ** shift;
  // A bias b passes the corner (q, x) if multiplier * (x - 1) + b < q * unit <= multiplier * x + b.
  const starts = corners.map(({ q, x }) => q * unit - multiplier * x).toSorted((a, b) => a - b);
  const bias = starts.length === 0 ? constantBias(steps, multiplier, unit) : densest(starts, multiplier);
  const line: Line = { multiplier, bias, shift, offset: 0, ties: "up", mends: [] };
  const wrong: number[] = [];
  for (const { q, x } of corners) {
    const own = Math.ceil((q * unit - bias) / multiplier);
    if (Math.abs(own - x) + wrong.length > mostMends) return undefined;
    for (let at = Math.min(own, x); at < Math.max(own, x); at++) wrong.push(at);
  }
  const inside = wrong.filter((at) => at >= steps.from && at <= steps.to);
  const mends = inside.flatMap((at) => {
    for (const by of [1, -1, 2, -2]) {
      if (lineAt(line, steps, at + by) === stepAt(steps, at)) return [{ at, by }];
    }
    return [];
  });
  const mended = { ...line, mends };
  return new Set(inside).size === mends.length && firstMiss(mended, steps) === undefined ? mended : undefined;
}

/** The start of `width` consecutive integers in which most of the sorted values lie; the middle of the room left. */
function densest(sorted: readonly number[], width: number): number {
  let [first, last, best] = [0, 0, -1];
  let from = 0;
  for (let to = 0; to < sorted.length; to++) {
    while ((sorted[to] as number) - (sorted[from] as number) > width - 1) from++;
    if (to - from > best) [best, first, last] = [to - from, from, to];
  }
  // Any b from the last start to the first start + width - 1.
  return Math.floor(((sorted[last] as number) + (sorted[first] as number) + width - 1) / 2);
}

/** Where the steps do not change within the range: any line at that height. */
function constantBias(steps: Steps, multiplier: number, unit: number): number {
  return Math.floor((stepAt(steps, steps.from) + 0.5) * unit - (multiplier * (steps.from + steps.to)) / 2);
}
