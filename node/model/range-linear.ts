// Static ranges of the linear layers: interval sums, and the largest absolute sum, in flat loops as in evaluate-linear.ts.
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import type { ConvNode, DenseNode, MatMulNode } from "./ir.ts";
import type { Bounds } from "./range.ts";
import { ROW, rowsOf } from "./window.ts";

export function dense(node: DenseNode, x: Bounds): Bounds {
  const { weights, bias } = node;
  const columns = bias.length;
  const inner = weights.length / columns;
  const size = (x.lo.length / inner) * columns;
  const [lo, hi, absolute] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  for (let row = 0; row < x.lo.length / inner; row++) {
    const to = row * columns;
    lo.set(bias, to);
    hi.set(bias, to);
    for (let n = 0; n < columns; n++) absolute[to + n] = Math.abs(bias[n] as number);
    for (let k = 0; k < inner; k++) {
      const least = x.lo[row * inner + k] as number;
      const most = x.hi[row * inner + k] as number;
      const wide = Math.max(Math.abs(least), Math.abs(most));
      for (let n = 0; n < columns; n++) {
        const weight = weights[k * columns + n] as number;
        lo[to + n]! += weight * (weight > 0 ? least : most);
        hi[to + n]! += weight * (weight > 0 ? most : least);
        absolute[to + n]! += Math.abs(weight) * wide;
      }
    }
  }
  return { lo, hi, worst: most(absolute) };
}

export function conv(node: ConvNode, x: Bounds, xShape: Shape): Bounds {
  const [, , height, width] = xShape as readonly [number, number, number, number];
  const [, channels, oh, ow] = node.shape as readonly [number, number, number, number];
  const [, depth, kh, kw] = node.weightShape;
  const rows = rowsOf({ ...node, kernel: [kh, kw] }, [height, width], [oh, ow]);
  const [plane, area, taps, step] = [oh * ow, height * width, kh * kw, node.strides[1]];
  const { weights, bias } = node;
  const wide = x.lo.map((least, i) => Math.max(Math.abs(least), Math.abs(x.hi[i] as number)));
  const lo = new Float64Array(channels * plane);
  for (let m = 0; m < channels; m++) {
    if (bias.length === lo.length) lo.set(bias.subarray(m * plane, (m + 1) * plane), m * plane);
    else lo.fill(bias[m] as number, m * plane, (m + 1) * plane);
  }
  const hi = Float64Array.from(lo);
  const absolute = lo.map(Math.abs);
  for (let m = 0; m < channels; m++) {
    const group = Math.floor((m * node.group) / channels);
    for (let c = 0; c < depth; c++) {
      const from = (group * depth + c) * area;
      const kernel = (m * depth + c) * taps;
      for (let r = 0; r < rows.length; r += ROW) {
        const weight = weights[kernel + (rows[r] as number)] as number;
        if (weight === 0) continue;
        const [least, most] = weight > 0 ? [x.lo, x.hi] : [x.hi, x.lo];
        const positive = Math.abs(weight);
        let i = from + (rows[r + 1] as number);
        let o = m * plane + (rows[r + 2] as number);
        const end = o + (rows[r + 3] as number);
        for (; o < end; o++, i += step) {
          lo[o]! += weight * (least[i] as number);
          hi[o]! += weight * (most[i] as number);
          absolute[o]! += positive * (wide[i] as number);
        }
      }
    }
  }
  return { lo, hi, worst: most(absolute) };
}

export function matmul({ shape }: MatMulNode, xs: readonly Bounds[], shapes: readonly Shape[]): Bounds {
  const [a, b] = xs as readonly [Bounds, Bounds];
  const inner = (shapes[0] as Shape).at(-1) as number;
  const [rows, columns] = shape.slice(-2) as [number, number];
  const size = sizeOf(shape);
  const [lo, hi, absolute] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  for (let row = 0; row < a.lo.length / inner; row++) {
    const from = Math.floor(row / rows) * inner * columns;
    for (let k = 0; k < inner; k++) {
      const [p, q] = [a.lo[row * inner + k] as number, a.hi[row * inner + k] as number];
      for (let n = 0; n < columns; n++) {
        const r = b.lo[from + k * columns + n] as number;
        const s = b.hi[from + k * columns + n] as number;
        // Of p * r, p * s, q * r and q * s the least and the most, by comparisons alone: this is the innermost loop.
        const low = p < 0 ? p * s : p * r;
        const lower = q < 0 ? q * s : q * r;
        const high = p < 0 ? p * r : p * s;
        const higher = q < 0 ? q * r : q * s;
        const least = low < lower ? low : lower;
        const most = high > higher ? high : higher;
        lo[row * columns + n]! += least;
        hi[row * columns + n]! += most;
        absolute[row * columns + n]! += -least > most ? -least : most;
      }
    }
  }
  return { lo, hi, worst: most(absolute) };
}

function most(values: Float64Array): number {
  return values.reduce((greatest, value) => Math.max(greatest, value), 0);
}
