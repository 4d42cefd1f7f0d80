// What float ops over rows compute, in float64: products of matrices, softmax and normalization over the last axis. Part of
// evaluate-float.ts; calibration observes these values, so they come from IEEE basics only.
import { exp, log as ln } from "./functions.ts";
import type { FloatMatMul, FloatNormalize, FloatSoftmax } from "./graph.ts";

export function matmul(
  { shape }: FloatMatMul,
  a: Float64Array,
  b: Float64Array,
  aShape: readonly number[],
): Float64Array {
  const inner = aShape.at(-1) as number;
  const [rows, columns] = shape.slice(-2) as [number, number];
  const y = new Float64Array((a.length / inner) * columns);
  for (let row = 0; row < a.length / inner; row++) {
    const from = Math.floor(row / rows) * inner * columns;
    for (let k = 0; k < inner; k++) {
      const value = a[row * inner + k] as number;
      for (let n = 0; n < columns; n++) y[row * columns + n]! += value * (b[from + k * columns + n] as number);
    }
  }
  return y;
}

export function softmax({ mask, log, shape }: FloatSoftmax, x: Float64Array): Float64Array {
  const inner = shape.at(-1) ?? 1;
  const y = new Float64Array(x.length);
  const seen = (i: number): boolean => mask === undefined || mask[i] === 1;
  for (let row = 0; row < x.length; row += inner) {
    let most = -Infinity;
    for (let i = row; i < row + inner; i++) if (seen(i)) most = Math.max(most, x[i] as number);
    let total = 0;
    for (let i = row; i < row + inner; i++) total += y[i] = seen(i) ? exp((x[i] as number) - most) : 0;
    for (let i = row; i < row + inner; i++) {
      y[i] = log ? (x[i] as number) - most - ln(total) : (y[i] as number) / total;
    }
  }
  return y;
}

export function normalize({ centered, epsilon, shape }: FloatNormalize, x: Float64Array): Float64Array {
  const inner = shape.at(-1) ?? 1;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += inner) {
    let mean = 0;
    if (centered) for (let i = row; i < row + inner; i++) mean += (x[i] as number) / inner;
    let square = 0;
    for (let i = row; i < row + inner; i++) square += ((x[i] as number) - mean) * ((x[i] as number) - mean);
    const deviation = Math.sqrt(square / inner + epsilon);
    // A row of equal values, without an epsilon, is taken for zeros rather than for NaN.
    for (let i = row; i < row + inner; i++) y[i] = deviation === 0 ? 0 : ((x[i] as number) - mean) / deviation;
  }
  return y;
}
