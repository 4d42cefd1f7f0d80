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

/** y = clamp(rne((multipliers[0] x + multipliers[1] y + bias) / 2^shift), lo, hi) */
export interface Plane {
  readonly multipliers: readonly [number, number];
  readonly bias: number;
  readonly shift: number;
}

const MOST_SHIFT = 36;

/** The cheapest plane that is right for every pair; undefined if there is none. `ys`: what the second value may be. */
export function planeFor(add: Addition, xs: readonly number[], ys: readonly number[]): Plane | undefined {
  const sum = addition(add);
  const wanted = ys.map((y) => xs.map((x) => sum(x, y)));
  const ratios = [f(add.a.scale / add.c.scale), f(add.b.scale / add.c.scale)] as const;
  for (let shift = 1; shift <= MOST_SHIFT; shift++) {
    const unit = 2 ** shift;
    const [p, q] = ratios.map((ratio) => Math.round(ratio * unit)) as [number, number];
    if (p < 1 || q < 1) continue;
    const bias = biasFor(add, xs, ys, wanted, [p, q], unit);
    if (bias !== undefined) return { multipliers: [p, q], bias, shift };
  }
  return undefined;
}

/** A bias with which every pair rounds as wanted. */
function biasFor(
  { lo, hi }: Addition,
  xs: readonly number[],
  ys: readonly number[],
  wanted: readonly (readonly number[])[],
  [p, q]: readonly [number, number],
  unit: number,
): number | undefined {
  let [least, most] = [-Infinity, Infinity];
  for (let j = 0; j < ys.length; j++) {
    for (let i = 0; i < xs.length; i++) {
      const value = wanted[j]?.[i] as number;
      const at = p * (xs[i] as number) + q * (ys[j] as number);
      // rne rounds both halves next to an even value towards it.
      const slack = value % 2 === 0 ? 0 : 1;
      if (value > lo) least = Math.max(least, (value - 0.5) * unit + slack - at);
      if (value < hi) most = Math.min(most, (value + 0.5) * unit - slack - at);
    }
    if (least > most) return undefined;
  }
  return Math.floor((Math.max(least, -(2 ** 50)) + Math.min(most, 2 ** 50)) / 2);
}
