// The models that are taken the whole way, as a user takes them: two of the largest sizes that are promised, with random
// weights from a seed, and the examples under models/, with their own data.
import fs from "node:fs";
import path from "node:path";
import { bytesOf, node, noise, tensor } from "../../test/support/onnx.ts";

export const EXAMPLES = path.join(import.meta.dirname, "../../models");

export interface Model {
  readonly name: string;
  readonly title: string;
  /** A float ONNX file to calibrate at random; without it, an example. */
  readonly onnx?: () => Uint8Array;
}

export const MODELS: readonly Model[] = [
  { name: "mlp-2m", title: "MLP 784-2000-60-4000-10: 2 M parameters, random weights", onnx: mlp },
  { name: "cnn-8m", title: "CNN 32x32x3, conv32-pool-conv64-pool-conv64-128-10: 8 M MAC, random weights", onnx: cnn },
  ...fs.readdirSync(EXAMPLES).map((name) => ({ name, title: name })),
];

/** Uniform, as wide as He et al. (2015) have it: a Relu keeps the variance. */
function weights(name: string, dims: readonly number[], fan: number, seed: number) {
  const count = dims.reduce((all, n) => all * n, 1);
  const scale = Math.sqrt(6 / fan);
  const values = noise(seed, count).map((value) => value * scale);
  return tensor(name, dims, values);
}

function bias(name: string, count: number, seed: number) {
  const values = noise(seed, count).map((value) => value / 10);
  return tensor(name, [count], values);
}

/** Dense layers of these sizes, a Relu after each but the last; from tensor `from` to "y". */
function stack(from: string, sizes: readonly number[], seed: number) {
  const inputOf = (i: number): string => (i === 0 ? from : `d${i - 1}`);
  const layers = sizes.slice(1).map((n, i) => {
    const [k, last] = [sizes[i] as number, i === sizes.length - 2];
    const gemm = node("Gemm", [inputOf(i), `dw${i}`, `db${i}`], [last ? "y" : `g${i}`]);
    return {
      nodes: last ? [gemm] : [gemm, node("Relu", [`g${i}`], [`d${i}`])],
      initializers: [weights(`dw${i}`, [k, n], k, seed + i), bias(`db${i}`, n, seed + 50 + i)],
    };
  });
  return {
    nodes: layers.flatMap(({ nodes }) => nodes),
    initializers: layers.flatMap(({ initializers }) => initializers),
  };
}

function mlp(): Uint8Array {
  return bytesOf({ ...stack("x", [784, 2000, 60, 4000, 10], 1), input: { dims: [1, 784] } });
}

function cnn(): Uint8Array {
  const channels = [3, 32, 64, 64] as const;
  const convs = channels.slice(1).map((m, i) => {
    const c = channels[i] as number;
    const conv = node("Conv", [i === 0 ? "x" : `p${i - 1}`, `cw${i}`, `cb${i}`], [`c${i}`], { pads: [1, 1, 1, 1] });
    const relu = node("Relu", [`c${i}`], [i < 2 ? `r${i}` : `p${i}`]);
    const pool = node("MaxPool", [`r${i}`], [`p${i}`], { kernel_shape: [2, 2], strides: [2, 2] });
    return {
      nodes: i < 2 ? [conv, relu, pool] : [conv, relu],
      initializers: [weights(`cw${i}`, [m, c, 3, 3], 9 * c, 1 + i), bias(`cb${i}`, m, 30 + i)],
    };
  });
  const head = stack("flat", [64 * 8 * 8, 128, 10], 100);
  return bytesOf({
    nodes: [...convs.flatMap(({ nodes }) => nodes), node("Flatten", ["p2"], ["flat"]), ...head.nodes],
    initializers: [...convs.flatMap(({ initializers }) => initializers), ...head.initializers],
    input: { dims: [1, 3, 32, 32] },
  });
}
