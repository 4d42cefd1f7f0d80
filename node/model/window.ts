// How a convolution's or pooling's window slides over one NCHW plane: a list of rows, the same for every channel. Shared by
// evaluation and ranges so that both loop over typed arrays; relies on the graph's shapes being right.

export interface Window {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  /** top, left, bottom, right */
  readonly pads: readonly [number, number, number, number];
  readonly dilations: readonly [number, number];
}

type Plane = readonly [height: number, width: number];

/** Numbers per row in what rowsOf returns. */
export const ROW = 4;

/**
 * Quadruples (tap, from, to, count): output elements to, to+1, .. to+count-1 see input elements from, from+strides[1], ..
 * at kernel position tap. What falls into the padding is left out.
 */
export function rowsOf(window: Window, input: Plane, output: Plane): Int32Array {
  const [kh, kw] = window.kernel;
  const [sy, sx] = window.strides;
  const [top, left] = window.pads;
  const [dy, dx] = window.dilations;
  const rows: number[] = [];
  for (let ky = 0; ky < kh; ky++) {
    for (let kx = 0; kx < kw; kx++) {
      const offset = kx * dx - left;
      const first = Math.max(0, Math.ceil(-offset / sx));
      const last = Math.min(output[1] - 1, Math.floor((input[1] - 1 - offset) / sx));
      if (last < first) continue;
      for (let oy = 0; oy < output[0]; oy++) {
        const iy = oy * sy - top + ky * dy;
        if (iy < 0 || iy >= input[0]) continue;
        rows.push(ky * kw + kx, iy * input[1] + first * sx + offset, oy * output[1] + first, last - first + 1);
      }
    }
  }
  return Int32Array.from(rows);
}
