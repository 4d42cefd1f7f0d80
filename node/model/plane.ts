// QLinearAdd as integers: the plane a x + b y + c over 2^shift that rounds, for all 65,536 pairs of 8-bit values, to what
// onnxruntime's float32 kernel yields. A search over numbers; knows no graph.
import { fma } from "./float32.ts";
import { roundToEven } from "./rounding.ts";

const f = Math.fround;

/** Of one operand or of the result: (q - zeroPoint) * scale. */
export interface Side {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface Addition {
  readonly a: Side;
  readonly b: Side;
  readonly c: Side;
  readonly lo: number;
  readonly hi: number;
  /** One side is a single value that meets many: onnxruntime adds it to the constant part first. */
  readonly single?: "a" | "b";
}

/**
 * The sum of x and y as MlasQLinearAddKernelAvx2 has it: f32 ratios of scales, one constant part, two FMAs. Its constant
 * part is contracted by the compiler that built onnxruntime (Linux, x86-64).
 */
export function addition({ a, b, c, lo, hi, single }: Addition): (x: number, y: number) => number {
  const [ratioA, ratioB] = [f(a.scale / c.scale), f(b.scale / c.scale)];
  const fixed = f(c.zeroPoint - fma(ratioA, a.zeroPoint, f(ratioB * b.zeroPoint)));
  const sum = (x: number, y: number): number => {
    if (single === "a") return fma(y, ratioB, f(fixed + f(x * ratioA)));
    if (single === "b") return fma(x, ratioA, f(fixed + f(y * ratioB)));
    return fma(x, ratioA, fma(y, ratioB, fixed));
  };
  return (x, y) => Math.min(hi, Math.max(lo, roundToEven(sum(x, y)))) + 0;
}

/** clamp(rne((multipliers[0] x + multipliers[1] y + bias + by) / 2^shift), lo, hi), by being 0 but for the mended pairs. */
export interface Plane {
  readonly multipliers: readonly [number, number];
  readonly bias: number;
  readonly shift: number;
  readonly mends: readonly { readonly x: number; readonly y: number; readonly by: number }[];
}

const MOST_SHIFT = 30;
/** Shifts beyond this are only tried once no line without mends was found up to it. */
const MENDED_FROM = 16;
const MOST_MENDS = 12;

/** The cheapest plane that is right for every pair of xs and ys; undefined if there is none. */
export function planeFor(add: Addition, xs: readonly number[], ys: readonly number[]): Plane | undefined {
  const sum = addition(add);
  const wanted = ys.map((y) => xs.map((x) => sum(x, y)));
  const ratios = [f(add.a.scale / add.c.scale), f(add.b.scale / add.c.scale)] as const;
  let best: Plane | undefined;
  for (let shift = 1; shift <= MOST_SHIFT; shift++) {
    if (best !== undefined && best.mends.length === 0) return best;
    const [p, q] = ratios.map((ratio) => Math.round(ratio * 2 ** shift)) as [number, number];
    if (p < 1 || q < 1) continue;
    const found = through(add, xs, ys, wanted, [p, q], shift, shift < MENDED_FROM ? 0 : MOST_MENDS);
    if (found !== undefined && (best === undefined || found.mends.length < best.mends.length)) best = found;
  }
  return best;
}

/** The plane of these multipliers and shift, with the bias that needs the fewest mends. */
function through(
  { lo, hi }: Addition,
  xs: readonly number[],
  ys: readonly number[],
  wanted: readonly (readonly number[])[],
  multipliers: readonly [number, number],
  shift: number,
  mostMends: number,
): Plane | undefined {
  const [p, q] = multipliers;
  const unit = 2 ** shift;
  // A bias from `least` to `most` is right for the pair; the tightest ones, worst first.
  const tops: number[] = [];
  const bottoms: number[] = [];
  for (const [j, y] of ys.entries()) {
    for (const [i, x] of xs.entries()) {
      const [least, most] = room(wanted[j]?.[i] as number, p * x + q * y, unit, lo, hi);
      insert(tops, -least, mostMends + 1);
      insert(bottoms, most, mostMends + 1);
    }
    if (mostMends === 0 && -(tops[0] as number) > (bottoms[0] as number)) return undefined;
  }
  for (let count = 0; count <= mostMends; count++) {
    for (let k = 0; k <= count; k++) {
      const [least, most] = [-(tops[k] ?? -Infinity), bottoms[count - k] ?? -Infinity];
      if (!(least <= most)) continue;
      const bias = Math.floor((Math.max(least, -(2 ** 45)) + Math.min(most, 2 ** 45)) / 2);
      const mends = ys.flatMap((y, j) =>
        xs.flatMap((x, i) => {
          const at = p * x + q * y;
          const [low, high] = room(wanted[j]?.[i] as number, at, unit, lo, hi);
          if (low <= bias && bias <= high) return [];
          return { x, y, by: bias < low ? low - bias : high - bias };
        }),
      );
      if (mends.length <= mostMends) return { multipliers, bias, shift, mends };
    }
  }
  return undefined;
}

/** The biases with which `at` rounds to `value`: rne takes both halves next to an even value, none next to an odd one. */
function room(value: number, at: number, unit: number, lo: number, hi: number): readonly [number, number] {
  const slack = value % 2 === 0 ? 0 : 1;
  const least = value > lo ? (value - 0.5) * unit + slack - at : -Infinity;
  return [least, value < hi ? (value + 0.5) * unit - slack - at : Infinity];
}

/** Keeps the `most` least numbers, sorted. */
function insert(list: number[], value: number, most: number): void {
  if (list.length === most && value >= (list[most - 1] as number)) return;
  let k = list.length;
  while (k > 0 && (list[k - 1] as number) > value) k--;
  list.splice(k, 0, value);
  if (list.length > most) list.pop();
}
