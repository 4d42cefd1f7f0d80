// The reference evaluator: what each op of the integer graph yields, in float64 that never rounds. It is no second
// definition of the bounds: range.ts proves that |v| < 2^53 throughout, and this file relies on it.
import { joinFlat, sizeOf, splitFlat, stridesOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { conv, dense, matmul } from "./evaluate-linear.ts";
import { inputsOf, nodeAt, readsOf } from "./ir.ts";
import type { Graph, MaxPoolNode, Node, NodeOf, Op, RescaleNode, Rules } from "./ir.ts";
import { ROW, rowsOf } from "./window.ts";

type Tensors = readonly Float64Array[];
type Rule<K extends Op> = (node: NodeOf<K>, xs: Tensors, shapes: readonly Shape[]) => Float64Array;

/** The tensor of every node. `flat`: the inputs' elements, one after the other. @throws NodeError "input" if they are not as many */
export function evaluate(graph: Graph, flat: Float64Array): Float64Array[] {
  const tensors: Float64Array[] = splitFlat(inputsOf(graph), flat).map((input) => Float64Array.from(input));
  for (const node of graph.nodes.slice(tensors.length)) {
    const reads = readsOf(node);
    tensors.push(
      apply(
        node,
        reads.map((ref) => tensors[ref] as Float64Array),
        reads.map((ref) => nodeAt(graph, ref).shape),
      ),
    );
  }
  return tensors;
}

/** The outputs' elements, one after the other, among the tensors of all nodes. */
export function outputsOf(graph: Graph, tensors: readonly Float64Array[]): Float64Array {
  return joinFlat(graph.outputs.map(({ ref }) => tensors[ref] as Float64Array));
}

/** What one node yields from the tensors that it reads (for the input: xs[0] as it is). */
export function apply(node: Node, xs: Tensors, shapes: readonly Shape[]): Float64Array {
  return (RULES[node.op] as Rule<Op>)(node, xs, shapes);
}

/** The only or first tensor that a node reads. */
function first(xs: Tensors): Float64Array {
  return xs[0] as Float64Array;
}

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: (_, xs) => first(xs),
  dense: (node, xs) => dense(node, first(xs)),
  conv: (node, xs, shapes) => conv(node, first(xs), shapes[0] as Shape),
  affine: ({ factor, bias }, xs) => {
    const [f, b] = [factor.length === 1 ? 0 : 1, bias.length === 1 ? 0 : 1];
    return first(xs).map((value, i) => value * (factor[i * f] as number) + (bias[i * b] as number));
  },
  sum: ({ factors }, xs) =>
    first(xs).map((_, i) => xs.reduce((sum, x, k) => sum + (factors[k] as number) * (x[i] as number), 0)),
  rescale: (node, xs) => rescale(node, first(xs)),
  max: (_, xs) => {
    const b = xs[1] as Float64Array;
    return first(xs).map((value, i) => Math.max(value, b[i] as number));
  },
  maxpool: (node, xs, shapes) => maxpool(node, first(xs), shapes[0] as Shape),
  argmax: ({ axis }, xs, shapes) => {
    const x = first(xs);
    const shape = shapes[0] as Shape;
    const count = shape[axis] as number;
    const inner = sizeOf(shape.slice(axis + 1));
    return Float64Array.from({ length: x.length / count }, (_, at) => {
      const start = Math.floor(at / inner) * count * inner + (at % inner);
      let best = 0;
      for (let k = 1; k < count; k++) {
        if ((x[start + k * inner] as number) > (x[start + best * inner] as number)) best = k;
      }
      return best;
    });
  },
  reshape: (_, xs) => first(xs),
  transpose: ({ perm, shape }, xs, shapes) => {
    const strides = stridesOf(shapes[0] as Shape);
    return gather(
      first(xs),
      shape,
      perm.map((axis) => strides[axis] as number),
    );
  },
  pad: ({ pads, shape, value }, xs, shapes) => {
    const out = new Float64Array(sizeOf(shape)).fill(value);
    scatter(out, shape, first(xs), shapes[0] as Shape, pads);
    return out;
  },
  concat: ({ axis, shape }, xs, shapes) => {
    const out = new Float64Array(sizeOf(shape));
    const at = shape.map(() => 0);
    xs.forEach((x, k) => {
      scatter(out, shape, x, shapes[k] as Shape, at);
      at[axis] = (at[axis] as number) + ((shapes[k] as Shape)[axis] as number);
    });
    return out;
  },
  mul: (_, xs) => {
    const b = xs[1] as Float64Array;
    return first(xs).map((value, i) => value * (b[i] as number) + 0);
  },
  matmul: (node, xs, shapes) => matmul(node, xs, shapes),
  // A rounded quotient of integers below 2^53, or root of one below 2^52, never crosses an integer.
  div: (_, xs) => {
    const b = xs[1] as Float64Array;
    return first(xs).map((value, i) => Math.floor(value / (b[i] as number)));
  },
  sqrt: (_, xs) => first(xs).map((value) => Math.floor(Math.sqrt(value))),
  lookup: ({ axis, first: least, length, table, shape }, xs) => {
    const inner = sizeOf(shape.slice(axis + 1));
    const tables = table.length / length;
    return first(xs).map((value, i) => {
      const from = tables === 1 ? 0 : (Math.floor(i / inner) % tables) * length;
      return table[from + value - least] as number;
    });
  },
  step: ({ index, threshold }, xs) => {
    const x = first(xs);
    return threshold.map((level, i) => ((x[index[i] as number] as number) >= level ? 1 : 0));
  },
  iszero: (_, xs) => first(xs).map((value) => (value === 0 ? 1 : 0)),
  onehot: ({ shape }, xs) => {
    const count = shape[shape.length - 1] as number;
    const out = new Float64Array(sizeOf(shape));
    first(xs).forEach((value, i) => (out[i * count + value] = 1));
    return out;
  },
  select: (_, xs) => {
    const [a, b] = [xs[1] as Float64Array, xs[2] as Float64Array];
    return first(xs).map((value, i) => (value === 1 ? a : b)[i] as number);
  },
  take: ({ index }, xs) => {
    const x = first(xs);
    const out = new Float64Array(index.length);
    for (let i = 0; i < index.length; i++) out[i] = x[index[i] as number] as number;
    return out;
  },
};

function maxpool(node: MaxPoolNode, x: Float64Array, xShape: Shape): Float64Array {
  const [, channels, height, width] = xShape as readonly [number, number, number, number];
  const [, , oh, ow] = node.shape as readonly [number, number, number, number];
  const rows = rowsOf(node, [height, width], [oh, ow]);
  const step = node.strides[1];
  const out = new Float64Array(channels * oh * ow).fill(-Infinity);
  for (let c = 0; c < channels; c++) {
    for (let r = 0; r < rows.length; r += ROW) {
      let i = c * height * width + (rows[r + 1] as number);
      let o = c * oh * ow + (rows[r + 2] as number);
      const end = o + (rows[r + 3] as number);
      for (; o < end; o++, i += step) if ((x[i] as number) > (out[o] as number)) out[o] = x[i] as number;
    }
  }
  return out;
}

function rescale(node: RescaleNode, x: Float64Array): Float64Array {
  const { multiplier, shift, axis, lo, hi, shape, ties } = node;
  const count = multiplier.length === 1 ? 1 : (shape[axis] as number);
  const inner = count === 1 ? x.length : sizeOf(shape.slice(axis + 1));
  const out = new Float64Array(x.length);
  for (let start = 0, index = 0; start < x.length; start += inner, index = (index + 1) % count) {
    const m = multiplier[index] as number;
    const s = shift[index] as number;
    const half = s === 0 || ties === "even" ? 0 : 2 ** (s - 1);
    const scale = 2 ** -s;
    for (let i = start; i < start + inner; i++) {
      const scaled = ((x[i] as number) * m + half) * scale;
      out[i] = Math.min(hi, Math.max(lo, ties === "even" ? roundEven(scaled) : Math.floor(scaled)));
    }
  }
  return out;
}

/** The nearest integer, the even one of two. Math.round takes the upper one; what it adds is exact in float64. */
function roundEven(value: number): number {
  const upper = Math.round(value);
  return upper - value === 0.5 && upper % 2 !== 0 ? upper - 1 : upper + 0;
}

/** out[index] = x[sum_k index[k] * strides[k]] for every index of `shape`. */
function gather(x: Float64Array, shape: Shape, strides: readonly number[]): Float64Array {
  const index = shape.map(() => 0);
  let from = 0;
  return Float64Array.from({ length: x.length }, () => {
    const value = x[from] as number;
    for (let k = shape.length - 1; k >= 0; k--) {
      from += strides[k] as number;
      index[k] = (index[k] as number) + 1;
      if ((index[k] as number) < (shape[k] as number)) break;
      from -= (strides[k] as number) * (shape[k] as number);
      index[k] = 0;
    }
    return value;
  });
}

/** Copies the box x into out, its first corner at `at` (further entries of `at` are ignored). */
function scatter(out: Float64Array, shape: Shape, x: Float64Array, box: Shape, at: readonly number[]): void {
  const strides = stridesOf(shape);
  const width = box[box.length - 1] ?? 1;
  const inner = stridesOf(box);
  for (let row = 0; row < x.length; row += width) {
    let to = 0;
    for (let k = 0; k < box.length; k++) {
      const index = Math.floor(row / (inner[k] as number)) % (box[k] as number);
      to += (index + (at[k] as number)) * (strides[k] as number);
    }
    out.set(x.subarray(row, row + width), to);
  }
}
