// The ops' definitions, spelled out element by element in BigInt: slow, and plain enough to believe. For tests only.
import type { Shape } from "../../../node/core/tensor.ts";
import { sizeOf } from "../../../node/core/tensor.ts";
import type { Graph, Node, NodeOf, Op, Rules } from "../../../node/model/ir.ts";
import { readsOf } from "../../../node/model/ir.ts";

type Index = readonly number[];
/** A tensor as a function of the index. */
type Read = (index: Index) => bigint;
type Rule<K extends Op> = (node: NodeOf<K>, index: Index, xs: readonly Read[], shapes: readonly Shape[]) => bigint;

function indexOf(shape: Shape, at: number): number[] {
  return shape.map((dim, k) => Math.floor(at / sizeOf(shape.slice(k + 1))) % dim);
}

function flat(shape: Shape, index: Index): number {
  return index.reduce((sum, i, k) => sum * shape[k]! + i, 0);
}

function inside(shape: Shape, index: Index): boolean {
  return index.every((i, k) => i >= 0 && i < shape[k]!);
}

function floorDiv(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((-a + b - 1n) / b);
}

const clamp = (v: bigint, lo: number, hi: number): bigint =>
  v < BigInt(lo) ? BigInt(lo) : v > BigInt(hi) ? BigInt(hi) : v;

function* taps(
  node: NodeOf<"conv" | "maxpool">,
  kernel: readonly [number, number],
  y: number,
  x: number,
): Generator<Index> {
  for (let ky = 0; ky < kernel[0]; ky++) {
    for (let kx = 0; kx < kernel[1]; kx++) {
      const iy = y * node.strides[0] + ky * node.dilations[0] - node.pads[0];
      const ix = x * node.strides[1] + kx * node.dilations[1] - node.pads[1];
      yield [iy, ix, ky, kx];
    }
  }
}

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: (_, index, xs) => xs[0]!(index),
  dense: ({ weights, bias }, index, xs) => {
    const n = index[index.length - 1]!;
    let sum = BigInt(bias[n]!);
    for (let k = 0; k < weights.length / bias.length; k++) {
      sum += xs[0]!([...index.slice(0, -1), k]) * BigInt(weights[k * bias.length + n]!);
    }
    return sum;
  },
  conv: (node, index, xs, shapes) => {
    const [, m, y, x] = index as [number, number, number, number];
    const [channels, depth, kh, kw] = node.weightShape;
    const group = Math.floor(m / (channels / node.group));
    let sum = BigInt(node.bias[node.bias.length === channels ? m : flat(node.shape, index)]!);
    for (let c = 0; c < depth; c++) {
      for (const [iy, ix, ky, kx] of taps(node, [kh, kw], y, x)) {
        const from = [0, group * depth + c, iy!, ix!];
        if (inside(shapes[0]!, from))
          sum += xs[0]!(from) * BigInt(node.weights[flat(node.weightShape, [m, c, ky!, kx!])]!);
      }
    }
    return sum;
  },
  affine: ({ factor, bias, shape }, index, xs) => {
    const at = flat(shape, index);
    return xs[0]!(index) * BigInt(factor[factor.length === 1 ? 0 : at]!) + BigInt(bias[bias.length === 1 ? 0 : at]!);
  },
  sum: ({ factors }, index, xs) => xs.reduce((sum, x, i) => sum + BigInt(factors[i]!) * x(index), 0n),
  rescale: ({ multiplier, shift, axis, lo, hi, ties }, index, xs) => {
    const c = multiplier.length === 1 ? 0 : index[axis]!;
    const product = xs[0]!(index) * BigInt(multiplier[c]!);
    const unit = 1n << BigInt(shift[c]!);
    const below = floorDiv(product, unit);
    const twice = 2n * (product - below * unit);
    const up = twice > unit || (twice === unit && (ties === "up" || below % 2n !== 0n));
    return clamp(up ? below + 1n : below, lo, hi);
  },
  max: (_, index, xs) => xs.map((x) => x(index)).reduce((a, b) => (a > b ? a : b)),
  maxpool: (node, index, xs, shapes) => {
    const seen: bigint[] = [];
    for (const [iy, ix] of taps(node, node.kernel, index[2]!, index[3]!)) {
      const from = [0, index[1]!, iy!, ix!];
      if (inside(shapes[0]!, from)) seen.push(xs[0]!(from));
    }
    return seen.reduce((a, b) => (a > b ? a : b));
  },
  argmax: ({ axis }, index, xs, shapes) => {
    const values = Array.from({ length: shapes[0]![axis]! }, (_, k) => xs[0]!(index.with(axis, k)));
    return BigInt(values.findIndex((value) => values.every((other) => other <= value)));
  },
  reshape: ({ shape }, index, xs, shapes) => xs[0]!(indexOf(shapes[0]!, flat(shape, index))),
  transpose: ({ perm }, index, xs) => {
    const from = index.map(() => 0);
    perm.forEach((axis, k) => (from[axis] = index[k]!));
    return xs[0]!(from);
  },
  pad: ({ pads, value }, index, xs, shapes) => {
    const from = index.map((i, k) => i - pads[k]!);
    return inside(shapes[0]!, from) ? xs[0]!(from) : BigInt(value);
  },
  concat: ({ axis }, index, xs, shapes) => {
    let at = index[axis]!;
    for (let k = 0; k < xs.length; k++) {
      if (at < shapes[k]![axis]!) return xs[k]!(index.with(axis, at));
      at -= shapes[k]![axis]!;
    }
    throw new RangeError("beyond the parts");
  },
  mul: (_, index, xs) => xs[0]!(index) * xs[1]!(index),
  matmul: (_, index, xs, shapes) => {
    const [lead, i, j] = [index.slice(0, -2), index.at(-2)!, index.at(-1)!];
    return Array.from(
      { length: shapes[0]!.at(-1)! },
      (_, k) => xs[0]!([...lead, i, k]) * xs[1]!([...lead, k, j]),
    ).reduce((sum, product) => sum + product, 0n);
  },
  div: (_, index, xs) => floorDiv(xs[0]!(index), xs[1]!(index)),
  sqrt: (_, index, xs) => {
    let root = 0n;
    for (let bit = 1n << 30n; bit > 0n; bit >>= 1n) if ((root + bit) ** 2n <= xs[0]!(index)) root += bit;
    return root;
  },
  lookup: ({ axis, first, length, table }, index, xs) => {
    const start = table.length === length ? 0 : index[axis]! * length;
    return BigInt(table[start + Number(xs[0]!(index)) - first]!);
  },
  step: ({ index: places, threshold, shape }, index, xs, shapes) => {
    const at = flat(shape, index);
    return xs[0]!(indexOf(shapes[0]!, places[at]!)) >= BigInt(threshold[at]!) ? 1n : 0n;
  },
  iszero: (_, index, xs) => (xs[0]!(index) === 0n ? 1n : 0n),
  onehot: (_, index, xs) => (xs[0]!(index.slice(0, -1)) === BigInt(index.at(-1)!) ? 1n : 0n),
  select: (_, index, xs) => (xs[0]!(index) === 1n ? xs[1]!(index) : xs[2]!(index)),
  take: ({ index: places, shape }, index, xs, shapes) => xs[0]!(indexOf(shapes[0]!, places[flat(shape, index)]!)),
};

/** Every node's tensor, by the definitions, from the inputs' elements, one input after the other. */
export function naive(graph: Graph, input: Float64Array): bigint[][] {
  const tensors: bigint[][] = [];
  let at = 0;
  for (const node of graph.nodes) {
    const own = node.op === "input" ? [Array.from(input.subarray(at, (at += sizeOf(node.shape))), BigInt)] : undefined;
    const reads = own ?? readsOf(node).map((ref) => tensors[ref]!);
    const shapes = node.op === "input" ? [node.shape] : readsOf(node).map((ref) => graph.nodes[ref]!.shape);
    const xs = reads.map(
      (tensor, k): Read =>
        (index) =>
          tensor[flat(shapes[k]!, index)]!,
    );
    const rule = RULES[node.op] as unknown as (node: Node, index: Index, xs: Read[], shapes: Shape[]) => bigint;
    tensors.push(Array.from({ length: sizeOf(node.shape) }, (_, i) => rule(node, indexOf(node.shape, i), xs, shapes)));
  }
  return tensors;
}
