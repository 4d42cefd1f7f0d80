// The evaluator's linear layers: flat loops over flat arrays, the innermost along the memory of both sides.
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import type { ConvNode, DenseNode, MatMulNode } from "./ir.ts";
import { ROW, rowsOf } from "./window.ts";

export function dense(node: DenseNode, x: Float64Array): Float64Array {
  const { weights, bias } = node;
  const columns = bias.length;
  const inner = weights.length / columns;
  const out = new Float64Array((x.length / inner) * columns);
  for (let row = 0; row < x.length / inner; row++) {
    const to = row * columns;
    out.set(bias, to);
    for (let k = 0; k < inner; k++) {
      const value = x[row * inner + k] as number;
      if (value === 0) continue;
      for (let n = 0; n < columns; n++) out[to + n]! += value * (weights[k * columns + n] as number);
    }
  }
  return out;
}

/** Rows of a times rows of b, as in dense: the innermost loop runs along both b and out. */
export function matmul({ shape }: MatMulNode, xs: readonly Float64Array[], shapes: readonly Shape[]): Float64Array {
  const [a, b] = xs as readonly [Float64Array, Float64Array];
  const inner = (shapes[0] as Shape).at(-1) as number;
  const [rows, columns] = shape.slice(-2) as [number, number];
  const out = new Float64Array(sizeOf(shape));
  for (let row = 0; row < a.length / inner; row++) {
    const from = Math.floor(row / rows) * inner * columns;
    const to = row * columns;
    for (let k = 0; k < inner; k++) {
      const value = a[row * inner + k] as number;
      if (value === 0) continue;
      for (let n = 0; n < columns; n++) out[to + n]! += value * (b[from + k * columns + n] as number);
    }
  }
  return out;
}

export function conv(node: ConvNode, x: Float64Array, xShape: Shape): Float64Array {
  const [, , height, width] = xShape as readonly [number, number, number, number];
  const [, channels, oh, ow] = node.shape as readonly [number, number, number, number];
  const [, depth, kh, kw] = node.weightShape;
  const rows = rowsOf({ ...node, kernel: [kh, kw] }, [height, width], [oh, ow]);
  const [plane, area, taps, step] = [oh * ow, height * width, kh * kw, node.strides[1]];
  const { weights, bias } = node;
  const out = new Float64Array(channels * plane);
  for (let m = 0; m < channels; m++) {
    const to = m * plane;
    if (bias.length === out.length) out.set(bias.subarray(to, to + plane), to);
    else out.fill(bias[m] as number, to, to + plane);
    const group = Math.floor((m * node.group) / channels);
    for (let c = 0; c < depth; c++) {
      const from = (group * depth + c) * area;
      const kernel = (m * depth + c) * taps;
      for (let r = 0; r < rows.length; r += ROW) {
        const weight = weights[kernel + (rows[r] as number)] as number;
        if (weight === 0) continue;
        let i = from + (rows[r + 1] as number);
        let o = to + (rows[r + 2] as number);
        const end = o + (rows[r + 3] as number);
        for (; o < end; o++, i += step) out[o]! += weight * (x[i] as number);
      }
    }
  }
  return out;
}
