// Trains small nets for the example dapps, from data with a seed, the same each time: one hidden layer, full-batch Adam. For
// tests; the models in models/ come from scikit-learn.
import { mulberry32 } from "../../node/model/random.ts";
import { bytesOf, node, tensor } from "./onnx.ts";

export interface Example {
  readonly x: readonly number[];
  readonly y: number;
}

export interface NetSpec {
  readonly hidden: number;
  readonly steps: number;
  readonly seed: number;
  /** A probability (logistic loss), or a number (squared loss). */
  readonly ends: "sigmoid" | "linear";
  /** Looks at the inputs' sizes only. */
  readonly abs?: boolean;
}

interface Weights {
  /** [input][hidden], for inputs as they are. */
  readonly first: readonly (readonly number[])[];
  readonly bias: readonly number[];
  readonly second: readonly number[];
  readonly end: number;
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** An ONNX model from "x" (float32 [1, n]) to "y" (float32 [1, 1]). */
export function trainedOnnx(examples: readonly Example[], spec: NetSpec): Uint8Array {
  const { first, bias, second, end } = train(examples, spec);
  const abs = spec.abs === true ? [node("Abs", ["x"], ["size"])] : [];
  const linear = spec.ends === "linear";
  return bytesOf({
    input: { dims: [1, first.length] },
    nodes: [
      ...abs,
      node("Gemm", [spec.abs === true ? "size" : "x", "w1", "b1"], ["z1"]),
      node("Relu", ["z1"], ["a1"]),
      node("Gemm", ["a1", "w2", "b2"], [linear ? "y" : "z2"]),
      ...(linear ? [] : [node("Sigmoid", ["z2"], ["y"])]),
    ],
    initializers: [
      tensor("w1", [first.length, spec.hidden], first.flat()),
      tensor("b1", [spec.hidden], bias),
      tensor("w2", [spec.hidden, 1], second),
      tensor("b2", [1], [end]),
    ],
  });
}

function train(examples: readonly Example[], { hidden, steps, seed, ends, abs = false }: NetSpec): Weights {
  const random = mulberry32(seed);
  const width = examples[0]?.x.length ?? 0;
  const inputs = examples.map(({ x }) => (abs ? x.map(Math.abs) : x));
  // Each input is brought to about 1; the weights take that back at the end.
  const scale = Array.from({ length: width }, (_, i) => 1 / Math.max(...inputs.map((x) => Math.abs(x[i] as number))));
  const xs = inputs.map((x) => x.map((value, i) => value * (scale[i] as number)));
  const parameters = Array.from({ length: width * hidden + 2 * hidden + 1 }, () => 2 * random() - 1);
  const [atBias, atSecond, atEnd] = [width * hidden, width * hidden + hidden, width * hidden + 2 * hidden];
  const p = (k: number): number => parameters[k] as number;
  const [m, v] = [parameters.map(() => 0), parameters.map(() => 0)];
  for (let step = 1; step <= steps; step++) {
    const gradient = parameters.map(() => 0);
    const add = (k: number, g: number): void => void (gradient[k] = (gradient[k] as number) + g / xs.length);
    for (const [n, x] of xs.entries()) {
      const a = Array.from(
        { length: hidden },
        (_, j) =>
        Math.max(0, x.reduce((sum, value, i) => sum + value * p(i * hidden + j), p(atBias + j))), // prettier-ignore
      );
      const z = a.reduce((sum, value, j) => sum + value * p(atSecond + j), p(atEnd));
      // Both losses have the same gradient at z: what comes out, less what should.
      const error = (ends === "sigmoid" ? sigmoid(z) : z) - (examples[n] as Example).y;
      add(atEnd, error);
      for (const [j, value] of a.entries()) {
        if (value === 0) continue;
        add(atSecond + j, error * value);
        add(atBias + j, error * p(atSecond + j));
        for (const [i, input] of x.entries()) add(i * hidden + j, error * p(atSecond + j) * input);
      }
    }
    for (const [k, g] of gradient.entries()) {
      m[k] = 0.9 * (m[k] as number) + 0.1 * g;
      v[k] = 0.999 * (v[k] as number) + 0.001 * g * g;
      const [first, second] = [m[k] / (1 - 0.9 ** step), v[k] / (1 - 0.999 ** step)];
      parameters[k] = p(k) - (0.02 * first) / (Math.sqrt(second) + 1e-8);
    }
  }
  return {
    first: scale.map((s, i) => parameters.slice(i * hidden, (i + 1) * hidden).map((w) => w * s)),
    bias: parameters.slice(atBias, atSecond),
    second: parameters.slice(atSecond, atEnd),
    end: p(atEnd),
  };
}

/** A normal number by Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Withdrawals as a RiskVault describes them (part of the vault, part of the account's own, days held, part that left today),
 * and whether they turned out to be a drain: large, of fresh shares, in a run on the vault.
 */
export function withdrawals(count: number, seed: number): readonly Example[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => {
    const [vault, own, out] = [random() ** 2, random(), random() ** 3];
    const days = 30 * random() ** 2;
    const z = 7 * vault * own + 4 * out + 3 * Math.exp(-days / 2) - 3.2 + 0.4 * normal(random);
    return { x: [vault, own, days, out], y: z > 0 ? 1 : 0 };
  });
}

/** Changes of mean ticks over eight windows, and the deviation that they were drawn with, in ticks. */
export function markets(count: number, seed: number): readonly Example[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, () => {
    const deviation = Math.exp(1 + 4 * random()); // 3 to 150 ticks
    return { x: Array.from({ length: 8 }, () => Math.round(deviation * normal(random))), y: deviation };
  });
}
