// onnxruntime's float32 kernels on x86-64 with FMA, for tensors of 8-bit values: what QLinearSigmoid, QLinearLeakyRelu,
// QLinearConcat and QLinearAdd compute, value by value. Float64 holds float32 products exactly; Math.fround rounds.
import { roundToEven } from "./rounding.ts";

const f = Math.fround;

/** f32(a * b + c) with one rounding, for float32 a, b and c: the sum in float64 is rounded to odd before it is narrowed. */
export function fma(a: number, b: number, c: number): number {
  const product = a * b; // 48 bits: exact.
  const sum = product + c;
  const back = sum - product;
  const error = product - (sum - back) + (c - back); // Knuth's two-sum.
  if (error === 0 || !Number.isFinite(sum)) return f(sum);
  view.setFloat64(0, sum);
  const low = view.getUint32(4);
  if (low % 2 === 1) return f(sum);
  // Even: step one unit towards the error, to the odd neighbour that keeps ties from being seen where there is none.
  const bits = view.getBigInt64(0);
  view.setBigInt64(0, error > 0 === sum > 0 ? bits + 1n : bits - 1n);
  return f(view.getFloat64(0));
}
const view = new DataView(new ArrayBuffer(8));

/** MlasQuantizeLinear: clamp(rne(f32(x / scale)), lo - zero, hi - zero) + zero. */
export function quantizeLinear(x: number, scale: number, zero: number, lo: number, hi: number): number {
  return roundToEven(Math.min(hi - zero, Math.max(lo - zero, f(x / scale)))) + zero + 0;
}

const ALPHA = [4.37031012579801e-11, 1.15627324459942e-7, 6.08574864600143e-5, 8.51377133304701e-3, 2.48287947061529e-1].map(f); // prettier-ignore
const BETA = [6.10247389755681e-13, 5.76102136993427e-9, 6.2910678501704e-6, 1.70198817374094e-3, 1.16817656904453e-1, 9.9315192102318e-1].map(f); // prettier-ignore

/** MlasComputeLogistic: 0.5 + p(x) / q(x) (Eigen's rational), by FMA as its AVX kernels do, or without. */
export function logistic(x: number, fused: boolean): number {
  const value = Math.min(18, Math.max(-18, x));
  const square = f(value * value);
  const step = (sum: number, c: number): number => (fused ? fma(sum, square, c) : f(f(sum * square) + c));
  const p = f(ALPHA.slice(1).reduce(step, ALPHA[0] as number) * value);
  const q = BETA.slice(1).reduce(step, BETA[0] as number);
  return Math.min(1, Math.max(0, f(f(p / q) + 0.5)));
}
