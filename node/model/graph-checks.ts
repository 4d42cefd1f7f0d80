// What a serialized graph must show of each node before anything trusts it: that lengths, shapes and places fit, and how
// much work it asks for. Evaluation, emission and circuit rely on it.
import { type Shape, sizeOf } from "../core/tensor.ts";
import type { Node, NodeOf, Op, Rules } from "./ir.ts";

type Check<K extends Op> = (node: NodeOf<K>, shapeOf: (ref: number) => Shape) => string | undefined;

/** What does not fit, or undefined. */
export function problemOf(node: Node, shapeOf: (ref: number) => Shape): string | undefined {
  return (CHECKS[node.op] as Check<Op>)(node, shapeOf);
}

const same = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, i) => dim === b[i]);
const expect = (holds: boolean, problem: string): string | undefined => (holds ? undefined : problem);
const SHAPE = "its shape does not follow from its input's";

const CHECKS: Rules<{ readonly [K in Op]: Check<K> }> = {
  input: ({ shape, border }) => expect(same(shape, border.shape), "its border has another shape"),
  dense: ({ x, shape, weights, bias }, shapeOf) => {
    const [inner, outer] = [shapeOf(x).at(-1), shape.at(-1)];
    if (inner === undefined || outer === undefined || !same(shape, [...shapeOf(x).slice(0, -1), outer])) return SHAPE;
    return expect(weights.length === inner * outer && bias.length === outer, "its weights do not fit its shape");
  },
  conv: (node, shapeOf) => {
    const { shape, weightShape, weights, bias, group } = node;
    const channels = shapeOf(node.x)[1] ?? 0;
    const [outputs, perGroup, kh, kw] = weightShape;
    if (weightShape.length !== 4 || weightShape.some((dim) => dim < 1) || group < 1) return "its kernel is malformed";
    if (channels !== perGroup * group || outputs % group !== 0) return "its groups do not divide its channels";
    if (!windowFits(node, [kh, kw], outputs, shapeOf(node.x))) return SHAPE;
    const fits = bias.length === outputs || bias.length === sizeOf(shape);
    return expect(fits && weights.length === sizeOf(weightShape), "its weights do not fit its shape");
  },
  affine: ({ x, shape, factor, bias }, shapeOf) => {
    if (!same(shape, shapeOf(x))) return SHAPE;
    return expect(
      [factor, bias].every(({ length }) => length === 1 || length === sizeOf(shape)),
      "its factors do not fit its shape",
    );
  },
  sum: ({ xs, shape, factors }, shapeOf) =>
    expect(xs.length === factors.length && xs.every((x) => same(shape, shapeOf(x))), SHAPE),
  rescale: ({ x, shape, multiplier, shift, axis, lo, hi }, shapeOf) => {
    if (!same(shape, shapeOf(x)) || axis < 0 || (axis > 0 && axis >= shape.length)) return SHAPE;
    const lengths = multiplier.length === shift.length && (shift.length === 1 || shift.length === shape[axis]);
    if (!lengths || multiplier.some((m) => m < 1) || shift.some((s) => s < 0 || s > 1000))
      return "its steps do not fit";
    return expect(lo <= hi, "its bounds are crossed");
  },
  max: pairwise,
  maxpool: (node, shapeOf) =>
    expect(
      node.kernel.length === 2 &&
        node.kernel.every((size) => size >= 1) &&
        windowFits(node, node.kernel, shapeOf(node.x)[1] ?? 0, shapeOf(node.x)),
      SHAPE,
    ),
  argmax: ({ x, shape, axis }, shapeOf) =>
    expect(axis >= 0 && axis < shape.length && same(shape, shapeOf(x).with(axis, 1)), SHAPE),
  reshape: ({ x, shape }, shapeOf) => expect(sizeOf(shape) === sizeOf(shapeOf(x)), SHAPE),
  transpose: ({ x, shape, perm }, shapeOf) => {
    const from = shapeOf(x);
    const isPermutation = perm.length === from.length && [...perm].sort((a, b) => a - b).every((p, i) => p === i);
    if (!isPermutation) return "its perm is no permutation";
    return expect(
      same(
        shape,
        perm.map((p) => from[p] as number),
      ),
      SHAPE,
    );
  },
  pad: ({ x, shape, pads }, shapeOf) => {
    const from = shapeOf(x);
    if (pads.length !== 2 * from.length || pads.some((pad) => pad < 0)) return "its pads do not fit";
    return expect(
      same(
        shape,
        from.map((dim, i) => dim + (pads[i] as number) + (pads[i + from.length] as number)),
      ),
      SHAPE,
    );
  },
  concat: ({ xs, shape, axis }, shapeOf) => {
    if (axis < 0 || axis >= shape.length) return "its axis is out of range";
    const shapes = xs.map(shapeOf);
    const joined = shapes.reduce((sum, from) => sum + (from[axis] ?? 0), 0);
    const fits = shapes.every((from) => from.length === shape.length && same(shape.with(axis, 1), from.with(axis, 1)));
    return expect(fits && shape[axis] === joined, SHAPE);
  },
  mul: pairwise,
  matmul: ({ a, b, shape }, shapeOf) => {
    const [left, right] = [shapeOf(a), shapeOf(b)];
    if (left.length < 2 || right.length < 2 || left.at(-1) !== right.at(-2)) return SHAPE;
    const lead = left.slice(0, -1);
    return expect(same(right.slice(0, -2), lead.slice(0, -1)) && same(shape, [...lead, right.at(-1) as number]), SHAPE);
  },
  div: pairwise,
  sqrt: elementwise,
  lookup: (node, shapeOf) => {
    const { shape, axis, length, table } = node;
    if (!same(shape, shapeOf(node.x)) || axis < 0 || (axis > 0 && axis >= shape.length)) return SHAPE;
    return expect(
      table.length === length || table.length === length * (shape[axis] ?? 1),
      "its tables do not fit its shape",
    );
  },
  step: (node, shapeOf) =>
    expect(node.threshold.length === sizeOf(node.shape), "its thresholds do not fit its shape") ??
    placesFit(node, shapeOf),
  iszero: elementwise,
  onehot: ({ x, shape }, shapeOf) => expect(shape.length > 0 && same(shape.slice(0, -1), shapeOf(x)), SHAPE),
  select: ({ c, a, b, shape }, shapeOf) =>
    expect(
      [c, a, b].every((read) => same(shape, shapeOf(read))),
      SHAPE,
    ),
  take: placesFit,
};

function elementwise({ x, shape }: NodeOf<"sqrt" | "iszero">, shapeOf: (ref: number) => Shape): string | undefined {
  return expect(same(shape, shapeOf(x)), SHAPE);
}

function pairwise({ a, b, shape }: NodeOf<"max" | "mul" | "div">, shapeOf: (ref: number) => Shape): string | undefined {
  return expect(same(shape, shapeOf(a)) && same(shape, shapeOf(b)), SHAPE);
}

function placesFit({ x, index, shape }: NodeOf<"step" | "take">, shapeOf: (ref: number) => Shape): string | undefined {
  const size = sizeOf(shapeOf(x));
  if (index.length !== sizeOf(shape)) return "its places do not fit its shape";
  return expect(
    index.every((at) => at >= 0 && at < size),
    "its places lie outside what it reads",
  );
}

/** Operations that evaluating the node, or its bounds, takes at most, roughly. */
export function workOf(node: Node, shapeOf: (ref: number) => Shape): number {
  const size = sizeOf(node.shape);
  switch (node.op) {
    case "dense":
      return size * (node.weights.length / node.bias.length);
    case "conv":
      return size * sizeOf(node.weightShape.slice(1));
    case "maxpool":
      return size * sizeOf(node.kernel);
    case "matmul":
      return size * (shapeOf(node.a).at(-1) as number);
    case "lookup":
      return size * node.length;
    case "argmax":
      return sizeOf(shapeOf(node.x));
    case "sum":
    case "concat":
      return size * node.xs.length;
    default:
      return size;
  }
}

interface Window {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

/** Whether a node's shape is [n, channels, oh, ow] of a window over `from`. */
function windowFits(
  { shape, strides, pads, dilations }: Window,
  kernel: Shape,
  channels: number,
  from: Shape,
): boolean {
  if (from.length !== 4 || from[0] !== 1 || strides.length !== 2 || dilations.length !== 2 || pads.length !== 4)
    return false;
  if (![...strides, ...dilations].every((step) => step >= 1) || pads.some((pad) => pad < 0)) return false;
  const plane = [0, 1].map((i) => {
    const room = (from[2 + i] as number) + (pads[i] as number) + (pads[2 + i] as number);
    const reach = (dilations[i] as number) * ((kernel[i] as number) - 1) + 1;
    return Math.floor((room - reach) / (strides[i] as number)) + 1;
  });
  return same(shape, [from[0], channels, ...plane]);
}
