// Work on the last axis: bringing axes there and back, and the sums, maxima and signs that reductions, norms and products
// are made of. Each yields nodes of the float graph; knows no ONNX op.
import { sizeOf } from "../../core/tensor.ts";
import { type Activation, affine, type Draft, reshape, tensorOf, transpose, type Value } from "./draft.ts";
import { counted, pick } from "./take.ts";

/** The tensor with `axis` moved behind all others. */
export function toLast<V extends Value>(draft: Draft, name: string, x: V, axis: number): V {
  const rank = x.shape.length;
  return transpose(draft, name, x, [...counted(0, rank).filter((k) => k !== axis), axis]);
}

/** The tensor with its last axis moved to `axis`: what toLast did, undone. */
export function toFront<V extends Value>(draft: Draft, name: string, x: V, axis: number): V {
  const last = x.shape.length - 1;
  return transpose(draft, name, x, [...counted(0, axis), last, ...counted(axis, last - axis)]);
}

/** weights [K, N] on the last axis: sums of equal weights are exact in integers. */
export function linear(draft: Draft, name: string, x: Activation, weights: Float64Array, columns: number): Activation {
  draft.budget(weights.length, "the weights of a sum");
  const shape = x.shape.with(-1, columns);
  const node = { op: "dense", x: x.ref, weights, bias: new Float64Array(columns), shape, name } as const;
  return tensorOf(draft, node, x.type);
}

/** factor * the sum over the last axis, which stays with size 1 or goes. */
export function sumLast(draft: Draft, name: string, x: Activation, keep: boolean, factor = 1): Activation {
  const y = linear(draft, name, x, new Float64Array(x.shape.at(-1) as number).fill(factor), 1);
  return keep ? y : reshape(draft, `${name}/shape`, y, y.shape.slice(0, -1));
}

/** The maximum over the last axis, which stays with size 1: one window over a view. */
export function maxLast(draft: Draft, name: string, x: Activation): Activation {
  const inner = x.shape.at(-1) as number;
  if (inner === 1) return x;
  const rows = sizeOf(x.shape.slice(0, -1));
  const view = reshape(draft, `${name}/view`, x, [1, rows, inner, 1]);
  const pool = {
    op: "maxpool",
    x: view.ref,
    kernel: [inner, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    shape: [1, rows, 1, 1],
    name,
  } as const;
  return reshape(draft, `${name}/shape`, tensorOf(draft, pool, x.type), x.shape.with(-1, 1));
}

export function negate(draft: Draft, name: string, x: Activation): Activation {
  return affine(draft, name, x, -1, 0);
}

export function absolute(draft: Draft, name: string, x: Activation): Activation {
  const node = { op: "max", a: x.ref, b: negate(draft, `${name}/negative`, x).ref, shape: x.shape, name } as const;
  return tensorOf(draft, node, x.type);
}

export function times(draft: Draft, name: string, a: Activation, b: Activation): Activation {
  return tensorOf(draft, { op: "mul", a: a.ref, b: b.ref, shape: a.shape, name }, a.type);
}

/** factors[0] * a + factors[1] * b, equal shapes. */
export function plus(
  draft: Draft,
  name: string,
  a: Activation,
  b: Activation,
  factors: readonly [number, number] = [1, 1],
): Activation {
  return tensorOf(draft, { op: "sum", xs: [a.ref, b.ref], factors, shape: a.shape, name }, a.type);
}

/** Rows of length 1 repeated along the last axis. */
export function along(draft: Draft, name: string, x: Activation, count: number): Activation {
  const lists = x.shape.map((_, axis) => (axis === x.shape.length - 1 ? new Array<number>(count).fill(0) : undefined));
  return pick(draft, name, x, lists);
}
