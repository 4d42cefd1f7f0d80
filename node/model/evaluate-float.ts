// Evaluates a float graph in float64: what calibration observes, and the check of the reader against onnxruntime on the
// same file. Not the result that is proven; that is the integer graph's.
import { sizeOf, splitFlat, stridesOf } from "../core/tensor.ts";
import { matmul, normalize, softmax } from "./float-rows.ts";
import { functionOf } from "./functions.ts";
import { floatInputs } from "./graph.ts";
import type { FloatConv, FloatDense, FloatGraph, FloatMaxPool, FloatNode } from "./graph.ts";
import { requantized } from "./rounding.ts";

type Inputs = (ref: number) => Float64Array;
type Shapes = (ref: number) => readonly number[];
type Rule<K extends FloatNode["op"]> = (
  node: Extract<FloatNode, { readonly op: K }>,
  at: Inputs,
  shapeAt: Shapes,
) => Float64Array;

function dense(node: FloatDense, x: Float64Array): Float64Array {
  const outer = node.bias.length;
  const inner = node.weights.length / outer;
  const y = new Float64Array(sizeOf(node.shape));
  for (let row = 0; row * outer < y.length; row++) {
    const into = y.subarray(row * outer, (row + 1) * outer);
    into.set(node.bias);
    for (let k = 0; k < inner; k++) {
      const value = x[row * inner + k] as number;
      if (value === 0) continue;
      for (let n = 0; n < outer; n++) into[n] = (into[n] as number) + value * (node.weights[k * outer + n] as number);
    }
  }
  return y;
}

/** Outputs o in [from, to) along one axis whose tap at `offset` reads an element of the input: 0 <= o*stride+offset < dim. */
function reached(outputs: number, dim: number, stride: number, offset: number): readonly [number, number] {
  return [Math.max(0, Math.ceil(-offset / stride)), Math.min(outputs, Math.ceil((dim - offset) / stride))];
}

/** Calls `each(weight index, input index, output index, run, step)` for runs along the width; padding is never visited. */
function eachTap(
  node: Pick<FloatConv | FloatMaxPool, "strides" | "pads" | "dilations">,
  kernel: readonly [number, number],
  input: readonly [number, number],
  output: readonly [number, number],
  each: (tap: number, from: number, to: number, run: number) => void,
): void {
  const [strideY, strideX] = node.strides;
  for (let ky = 0; ky < kernel[0]; ky++) {
    const offsetY = ky * node.dilations[0] - node.pads[0];
    const [firstY, lastY] = reached(output[0], input[0], strideY, offsetY);
    for (let kx = 0; kx < kernel[1]; kx++) {
      const offsetX = kx * node.dilations[1] - node.pads[1];
      const [firstX, lastX] = reached(output[1], input[1], strideX, offsetX);
      if (lastX <= firstX) continue;
      for (let y = firstY; y < lastY; y++) {
        const from = (y * strideY + offsetY) * input[1] + firstX * strideX + offsetX;
        each(ky * kernel[1] + kx, from, y * output[1] + firstX, lastX - firstX);
      }
    }
  }
}

/** Convolution of `x` [1, C, H, W] without bias. */
export function convolve(node: FloatConv, x: Float64Array, inputShape: readonly number[]): Float64Array {
  const [, , height, width] = inputShape as [number, number, number, number];
  const [, maps, rows, columns] = node.shape as [number, number, number, number];
  const [, depth, kh, kw] = node.weightShape;
  const y = new Float64Array(sizeOf(node.shape));
  const stride = node.strides[1];
  for (let m = 0; m < maps; m++) {
    const first = Math.floor(m / (maps / node.group)) * depth;
    const into = y.subarray(m * rows * columns, (m + 1) * rows * columns);
    for (let c = 0; c < depth; c++) {
      const plane = x.subarray((first + c) * height * width, (first + c + 1) * height * width);
      const weights = node.weights.subarray((m * depth + c) * kh * kw, (m * depth + c + 1) * kh * kw);
      eachTap(node, [kh, kw], [height, width], [rows, columns], (tap, from, to, run) => {
        const weight = weights[tap] as number;
        for (let i = 0; i < run; i++) {
          into[to + i] = (into[to + i] as number) + weight * (plane[from + i * stride] as number);
        }
      });
    }
  }
  return y;
}

function conv(node: FloatConv, x: Float64Array, inputShape: readonly number[]): Float64Array {
  const y = convolve(node, x, inputShape);
  const spatial = (y.length / node.bias.length) | 0; // 1 where the bias is one value per output element
  return y.map((value, i) => value + (node.bias[Math.floor(i / spatial)] as number));
}

function maxPool(node: FloatMaxPool, x: Float64Array, inputShape: readonly number[]): Float64Array {
  const [, channels, height, width] = inputShape as [number, number, number, number];
  const [, , rows, columns] = node.shape as [number, number, number, number];
  const y = new Float64Array(sizeOf(node.shape)).fill(-Infinity);
  const stride = node.strides[1];
  for (let c = 0; c < channels; c++) {
    const plane = x.subarray(c * height * width, (c + 1) * height * width);
    const into = y.subarray(c * rows * columns, (c + 1) * rows * columns);
    eachTap(node, node.kernel, [height, width], [rows, columns], (_tap, from, to, run) => {
      for (let i = 0; i < run; i++) {
        into[to + i] = Math.max(into[to + i] as number, plane[from + i * stride] as number);
      }
    });
  }
  return y;
}

/** Copies `part`, a block of `shape`, to where its corner `begin` lies in `whole` of shape `wholeShape`. */
function place(
  part: Float64Array,
  shape: readonly number[],
  whole: Float64Array,
  wholeShape: readonly number[],
  begin: readonly number[],
): void {
  const own = stridesOf(shape);
  const strides = stridesOf(wholeShape);
  const run = shape.at(-1) ?? 1;
  for (let i = 0; i < part.length; i += run) {
    const to = shape.reduce((sum, dim, axis) => {
      const index = Math.floor(i / (own[axis] as number)) % dim;
      return sum + (index + (begin[axis] as number)) * (strides[axis] as number);
    }, 0);
    whole.set(part.subarray(i, i + run), to);
  }
}

function both(
  { a, b }: { readonly a: number; readonly b: number },
  at: Inputs,
  apply: (a: number, b: number) => number,
): Float64Array {
  const right = at(b);
  return at(a).map((value, i) => apply(value, right[i] as number));
}

/** What each op computes, given its inputs. */
const RULES: { readonly [K in FloatNode["op"]]: Rule<K> } = {
  input: () => new Float64Array(),
  dense: (node, at) => dense(node, at(node.x)),
  conv: (node, at, shapeAt) => conv(node, at(node.x), shapeAt(node.x)),
  affine: ({ x, factor, bias }, at) => {
    return at(x).map((v, i) => {
      const factorAt = factor[factor.length === 1 ? 0 : i] as number;
      return v * factorAt + (bias[bias.length === 1 ? 0 : i] as number);
    });
  },
  sum: ({ xs, factors, shape }, at) => {
    const y = new Float64Array(sizeOf(shape));
    xs.forEach((ref, k) => {
      const x = at(ref);
      const factor = factors[k] as number;
      for (let i = 0; i < y.length; i++) y[i] = (y[i] as number) + factor * (x[i] as number);
    });
    return y;
  },
  clip: ({ x, lo, hi }, at) => at(x).map((v) => Math.min(Math.max(v, lo), hi)),
  leaky: ({ x, slope }, at) => at(x).map((v) => (v < 0 ? slope * v : v)),
  maxpool: (node, at, shapeAt) => maxPool(node, at(node.x), shapeAt(node.x)),
  argmax: ({ x, axis, shape }, at, shapeAt) => {
    const from = shapeAt(x);
    const dim = from[axis] as number;
    const inner = sizeOf(from.slice(axis + 1));
    const data = at(x);
    return Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
      const start = Math.floor(i / inner) * dim * inner + (i % inner);
      let best = 0;
      for (let k = 1; k < dim; k++) {
        if ((data[start + k * inner] as number) > (data[start + best * inner] as number)) best = k;
      }
      return best;
    });
  },
  reshape: ({ x }, at) => at(x),
  transpose: ({ x, perm, shape }, at, shapeAt) => {
    const strides = stridesOf(shapeAt(x));
    const own = stridesOf(shape);
    const data = at(x);
    return Float64Array.from({ length: data.length }, (_, i) => {
      let from = 0;
      for (let axis = 0; axis < shape.length; axis++) {
        const index = Math.floor(i / (own[axis] as number)) % (shape[axis] as number);
        from += index * (strides[perm[axis] as number] as number);
      }
      return data[from] as number;
    });
  },
  pad: ({ x, pads, value, shape }, at, shapeAt) => {
    const y = new Float64Array(sizeOf(shape)).fill(value);
    place(at(x), shapeAt(x), y, shape, pads);
    return y;
  },
  concat: ({ xs, axis, shape }, at, shapeAt) => {
    const y = new Float64Array(sizeOf(shape));
    let begin = 0;
    for (const ref of xs) {
      const corner = new Array<number>(shape.length).fill(0).with(axis, begin);
      place(at(ref), shapeAt(ref), y, shape, corner);
      begin += shapeAt(ref)[axis] as number;
    }
    return y;
  },
  unary: ({ x, fn }, at) => at(x).map(functionOf(fn)),
  mul: (node, at) => both(node, at, (a, b) => a * b),
  div: (node, at) => both(node, at, (a, b) => a / b),
  max: (node, at) => both(node, at, (a, b) => Math.max(a, b)),
  matmul: (node, at, shapeAt) => matmul(node, at(node.a), at(node.b), shapeAt(node.a)),
  compare: ({ x, relation }, at) => at(x).map(functionOf([relation, "x"])),
  select: ({ c, a, b }, at) => at(c).map((chosen, i) => (chosen !== 0 ? at(a) : at(b))[i] as number),
  take: ({ x, index }, at) => Float64Array.from(index, (i) => at(x)[i] as number),
  onehot: ({ x, shape }, at) => {
    const last = (shape.at(-1) as number) - 1;
    const y = new Float64Array(sizeOf(shape));
    at(x).forEach((v, i) => (y[i * (last + 1) + Math.min(Math.max(Math.floor(v + 0.5), 0), last)] = 1));
    return y;
  },
  step: ({ x, index, threshold }, at) => {
    const data = at(x);
    return threshold.map((level, i) => ((data[index[i] as number] as number) >= level ? 1 : 0));
  },
  softmax: (node, at) => softmax(node, at(node.x)),
  normalize: (node, at) => normalize(node, at(node.x)),
  requantize: ({ axis, scale, shape, ...rule }, at) => {
    const inner = sizeOf(shape.slice(axis + 1));
    return at(rule.x).map((v, i) => {
      const own = scale[Math.floor(i / inner) % scale.length] as number;
      return requantized({ arithmetic: "scaled", ...rule, scale: own }, v);
    });
  },
};

/**
 * The tensors of all nodes, in the order of `graph.nodes`, for one sample: the inputs' elements, one after the other.
 * Reshapes share their input's array. A final Softmax that was left to the reader is not applied.
 * @throws NodeError "input" if there are more or fewer elements
 */
export function evaluateFloat(graph: FloatGraph, input: Float64Array): Float64Array[] {
  const tensors = splitFlat(floatInputs(graph), input);
  const at: Inputs = (ref) => tensors[ref] as Float64Array;
  const shapeAt: Shapes = (ref) => (graph.nodes[ref] as FloatNode).shape;
  for (const node of graph.nodes.slice(tensors.length)) {
    tensors.push(evaluateNode(node, at, shapeAt));
  }
  return tensors;
}

/** The tensor of one node, given those that it reads. */
export function evaluateNode(node: FloatNode, at: Inputs, shapeAt: Shapes): Float64Array {
  return (RULES[node.op] as Rule<FloatNode["op"]>)(node, at, shapeAt);
}
