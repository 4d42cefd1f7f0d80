// How onnxruntime brings an integer accumulator back to eight bits, in float32, and where its steps lie. Monotone in the
// accumulator, so its thresholds say all of it. Knows no graph; Math.fround gives float32 on every machine.

/** What is rounded to float32 on the way from an accumulator to its quantized value. */
export type Arithmetic =
  /** rne(f32(f32(x) * scale)) + zeroPoint: QLinearConv, QLinearMatMul, QGemm, QLinearGlobalAveragePool. */
  | "scaled"
  /** rne(f32(f32(f32(x) * scale) + zeroPoint)): QLinearMul, QLinearAveragePool. */
  | "shifted"
  /** rne(x * scale) + zeroPoint without any rounding but the last; scale is a power of two. */
  | "exact";

/** How one accumulator is requantized; scale is a float32 above 0. */
export interface Rounding {
  readonly arithmetic: Arithmetic;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly lo: number;
  readonly hi: number;
}

/** To the nearest integer, the even one of two. */
export function roundToEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** The quantized value of the accumulator x, |x| < 2^31. Source: MlasRequantizeOutput, MlasQLinearMul (onnxruntime 1.30). */
export function requantized({ arithmetic, scale, zeroPoint, lo, hi }: Rounding, x: number): number {
  const clamped = (value: number): number => Math.min(hi, Math.max(lo, value)) + 0;
  if (arithmetic === "exact") return clamped(roundToEven(x * scale) + zeroPoint);
  const product = Math.fround(Math.fround(x) * scale);
  if (arithmetic === "scaled") return clamped(roundToEven(product) + zeroPoint);
  return clamped(roundToEven(Math.fround(product + zeroPoint)));
}

/**
 * The least x of [from, to] whose quantized value is at least q, for each q of lo + 1 to hi; to + 1 where there is none.
 * `from` where all are.
 */
export function thresholdsOf(rounding: Rounding, from: number, to: number): Float64Array {
  const { lo, hi } = rounding;
  const thresholds = new Float64Array(hi - lo);
  let start = from;
  for (let q = lo + 1; q <= hi; q++) {
    let [least, most] = [start, to + 1];
    while (least < most) {
      const middle = Math.floor((least + most) / 2);
      if (requantized(rounding, middle) >= q) most = middle;
      else least = middle + 1;
    }
    thresholds[q - lo - 1] = start = least;
  }
  return thresholds;
}
