// Rearrangements known at compile time: y[i] = x[index[i]]. What slices, repeats, reverses or samples ends here; constants
// fold. What is a plain view (reshape, transpose) or padding keeps its own node, since those merge with their neighbours.
import { type Shape, sizeOf, stridesOf } from "../../core/tensor.ts";
import { type Draft, noElements, reshape, tensorOf, type Value } from "./draft.ts";

/** The elements of `value` at the flat positions `index`, as a tensor of `shape`. */
export function take<V extends Value>(draft: Draft, name: string, value: V, shape: Shape, index: Int32Array): V;
export function take(draft: Draft, name: string, value: Value, shape: Shape, index: Int32Array): Value {
  if (value.kind === "constant") {
    draft.budget(index.length, "a rearranged constant");
    return { ...value, shape, data: Float64Array.from(index, (i) => value.data[i] as number) };
  }
  if (index.length === sizeOf(value.shape) && index.every((from, i) => from === i)) {
    return reshape(draft, name, value, shape);
  }
  return tensorOf(draft, { op: "take", x: value.ref, index, shape, name }, value.type);
}

/** Positions offset + sum(index * strides) for each index of `shape` in row-major order. */
export function positions(draft: Draft, shape: Shape, strides: readonly number[], offset = 0): Int32Array {
  const zeros = shape.map((dim): readonly number[] => new Array<number>(dim).fill(0));
  return positionsAt(
    draft,
    zeros.map((list, axis) => list.map((_, i) => i * (strides[axis] as number))),
    offset,
  );
}

/** Positions offset + sum over axes of offsets[axis][index[axis]], for each index in row-major order. */
export function positionsAt(draft: Draft, offsets: readonly (readonly number[])[], offset = 0): Int32Array {
  const size = offsets.reduce((product, list) => product * list.length, 1);
  draft.budget(size, "the index of a rearranged tensor");
  const result = new Int32Array(size).fill(offset);
  let run = size;
  for (const list of offsets) {
    const inner = run / list.length;
    for (let i = 0; i < size; i++) result[i]! += list[Math.floor(i / inner) % list.length] as number;
    run = inner;
  }
  return result;
}

/** y[i, j, ...] = x[lists[0][i], lists[1][j], ...]; an axis without a list stays as it is. */
export function pick<V extends Value>(
  draft: Draft,
  name: string,
  value: V,
  lists: readonly (readonly number[] | undefined)[],
): V {
  const strides = stridesOf(value.shape);
  const shape = value.shape.map((dim, axis) => lists[axis]?.length ?? dim);
  if (value.shape.every((dim, axis) => lists[axis]?.every((from, i) => from === i && i < dim) ?? true)) {
    if (shape.every((dim, axis) => dim === value.shape[axis])) return value;
  }
  if (value.kind === "activation" && sizeOf(shape) === 0) noElements(shape);
  draft.budget(shape.reduce((sum, dim) => sum + dim, 0), "the lists of a rearrangement"); // prettier-ignore
  const offsets = value.shape.map((dim, axis) =>
    (lists[axis] ?? Array.from({ length: dim }, (_, i) => i)).map((from) => from * (strides[axis] as number)),
  );
  return take(draft, name, value, shape, positionsAt(draft, offsets));
}

/** The positions from..to of one axis, counted by `step`. */
export function counted(from: number, count: number, step = 1): number[] {
  return Array.from({ length: count }, (_, i) => from + i * step);
}
