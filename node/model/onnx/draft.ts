// The float graph while it is drawn: values (constants and tensors of the graph), the list of nodes, and the views and
// affine maps that many ops need. Knows shapes; knows no ONNX op.
import { type Shape, sizeOf, stridesOf } from "../../core/tensor.ts";
import type { FloatNode, FloatRef } from "../graph.ts";
import type { Budget, Constant, ElemType } from "./constant.ts";
import { malformed, unsupported } from "./problems.ts";

export interface Activation {
  readonly kind: "activation";
  readonly ref: FloatRef;
  readonly shape: Shape;
  readonly type: ElemType;
}

export type Value = Constant | Activation;

export interface Draft {
  readonly nodes: FloatNode[];
  /** Names taken, each with the next number to make it unique by. */
  readonly names: Map<string, number>;
  readonly budget: Budget;
  readonly notices: string[];
}

export function noElements(shape: Shape): never {
  return unsupported(`it yields an empty tensor, [${shape.join(", ")}]`, "Take this part out of the model.");
}

/** Appends `node` under a name made unique. */
export function emit(draft: Draft, node: FloatNode): FloatRef {
  if (node.shape.some((dim) => dim < 1)) noElements(node.shape);
  draft.budget(sizeOf(node.shape), `the tensor [${node.shape.join(", ")}]`);
  let name = node.name;
  for (let next = draft.names.get(name); next !== undefined && draft.names.has(name); next++) {
    name = `${node.name}#${next}`;
    draft.names.set(node.name, next + 1);
  }
  draft.names.set(name, 2);
  return draft.nodes.push({ ...node, name }) - 1;
}

export function tensorOf(draft: Draft, node: FloatNode, type: ElemType): Activation {
  return { kind: "activation", ref: emit(draft, node), shape: node.shape, type };
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

export function reshape<V extends Value>(draft: Draft, name: string, value: V, shape: Shape): V;
export function reshape(draft: Draft, name: string, value: Value, shape: Shape): Value {
  if (sizeOf(shape) !== sizeOf(value.shape)) {
    malformed(`[${value.shape.join(", ")}] cannot take the shape [${shape.join(", ")}]`);
  }
  if (value.kind === "constant") return { ...value, shape };
  if (sameShape(shape, value.shape)) return value;
  return { ...value, ref: emit(draft, { op: "reshape", x: value.ref, shape, name }), shape };
}

/** `data` of `shape` with its axes in the order `perm`. */
export function permuted(data: Float64Array, shape: Shape, perm: readonly number[]): Float64Array {
  const strides = stridesOf(shape);
  return gathered(
    data,
    perm.map((axis) => shape[axis] as number),
    perm.map((axis) => strides[axis] as number),
  );
}

/** data at offset + sum(index * strides), for each index of `shape` in row-major order. */
export function gathered(data: Float64Array, shape: Shape, strides: readonly number[], offset = 0): Float64Array {
  const result = new Float64Array(sizeOf(shape));
  const index = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] as number;
      if (++(index[axis] as number) < (shape[axis] as number)) break;
      from -= (shape[axis] as number) * (strides[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}

export function transpose<V extends Value>(draft: Draft, name: string, value: V, perm: readonly number[]): V;
export function transpose(draft: Draft, name: string, value: Value, perm: readonly number[]): Value {
  const shape = perm.map((axis) => value.shape[axis] as number);
  if (perm.every((axis, i) => axis === i)) return value;
  if (value.kind === "constant") {
    draft.budget(value.data.length, "a transposed constant");
    return { ...value, shape, data: permuted(value.data, value.shape, perm) };
  }
  return { ...value, ref: emit(draft, { op: "transpose", x: value.ref, perm, shape, name }), shape };
}

/** numpy's rule. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const p = a[a.length - rank + i] ?? 1;
    const q = b[b.length - rank + i] ?? 1;
    if (p !== q && p !== 1 && q !== 1) malformed(`shapes [${a.join(", ")}] and [${b.join(", ")}] do not broadcast`);
    return p === 1 ? q : p;
  });
}

function needSpread(from: Shape, to: Shape): void {
  if (sameShape(broadcastShape(from, to), to)) return;
  malformed(`[${from.join(", ")}] does not broadcast to [${to.join(", ")}]`);
}

/** The constant's values repeated to `shape`. @throws Refusal if they do not broadcast to it */
export function spread(draft: Draft, constant: Constant, shape: Shape): Float64Array {
  if (sameShape(constant.shape, shape)) return constant.data;
  needSpread(constant.shape, shape);
  draft.budget(sizeOf(shape), "a constant repeated to the shape it is used in");
  const own = stridesOf(constant.shape);
  const skip = shape.length - constant.shape.length;
  return gathered(
    constant.data,
    shape,
    shape.map((_, i) => (i < skip || constant.shape[i - skip] === 1 ? 0 : (own[i - skip] as number))),
  );
}

/** A tensor repeated to `shape`: reading an element twice costs nothing in a circuit. */
export function spreadTensor(draft: Draft, name: string, value: Activation, shape: Shape): Activation {
  if (sizeOf(value.shape) === sizeOf(shape)) {
    needSpread(value.shape, shape);
    return reshape(draft, name, value, shape);
  }
  const places = Float64Array.from({ length: sizeOf(value.shape) }, (_, i) => i);
  const index = Int32Array.from(spread(draft, { kind: "constant", type: "int64", shape: value.shape, data: places }, shape)); // prettier-ignore
  return { ...value, ref: emit(draft, { op: "take", x: value.ref, index, shape, name }), shape };
}

export function uniform(data: Float64Array): boolean {
  return data.every((value) => value === data[0]);
}

/** x * factor + bias, with both brought to one length: 1 if they are the same everywhere, else full size. */
export function affine(
  draft: Draft,
  name: string,
  x: Activation,
  factor: Constant | number,
  bias: Constant | number,
): Activation {
  const shapes = [factor, bias].flatMap((part) => (typeof part === "number" ? [] : [part.shape]));
  const shape = shapes.reduce(broadcastShape, x.shape);
  const wide = spreadTensor(draft, name, x, shape);
  const same = [factor, bias].every((part) => typeof part === "number" || uniform(part.data));
  const values = (part: Constant | number): Float64Array => {
    if (typeof part === "number") return new Float64Array(same ? 1 : sizeOf(shape)).fill(part);
    return same ? part.data.slice(0, 1) : spread(draft, part, shape);
  };
  const node = { op: "affine", x: wide.ref, factor: values(factor), bias: values(bias), shape, name } as const;
  // Masks add -Infinity; simplify.ts bounds those in front of a softmax and refuses the others.
  const bad = node.factor.find((v) => !Number.isFinite(v)) ?? node.bias.find((v) => !(Math.abs(v) < Infinity) && v !== -Infinity); // prettier-ignore
  if (bad !== undefined) unsupported(`it multiplies or adds ${bad}`, "Its constants must be finite.");
  return tensorOf(draft, node, x.type);
}
