// A part of one node's tensor as a node of its own: the same op on what that part reads. For prune.ts.
import { sizeOf, stridesOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import type { ConcatNode, Graph, MatMulNode, Node, Ref } from "./ir.ts";
import { nodeAt, readsOf } from "./ir.ts";
import { withReads } from "./refs.ts";

/** A part of a node's tensor, as a node of its own. */
export interface Part {
  /** Nodes to add, the last of which yields the part, given what they read; the first of them will be node `next`. */
  readonly nodes: (inputs: readonly Ref[], next: Ref) => readonly Node[];
  /** Which elements it holds, in its order. */
  readonly places: Int32Array;
  /** Which elements of each tensor that the node reads it is given, and in which shape; undefined for none at all. */
  readonly inputs: readonly ({ readonly places: Int32Array; readonly shape: Shape } | undefined)[];
}

/** Products of matrices of which only a part is needed are written out where that saves this share. */
const WRITTEN_OUT = 1 / 8;

/** The part in which `mask` is 1, or more of it; undefined for ops of which only the whole is of use. */
export function partOf(graph: Graph, node: Node, mask: Uint8Array): Part | undefined {
  const { shape } = node;
  const lastAxis = shape.length - 1;
  const only =
    (small: Node): Part["nodes"] =>
    ([x = 0, y = 0, z = 0]) => {
      const refs = [x, y, z];
      let k = 0;
      return [withReads(small, () => refs[k++] as Ref)];
    };
  switch (node.op) {
    case "rescale":
    case "sqrt":
    case "lookup":
    case "iszero":
    case "max":
    case "mul":
    case "div":
    case "select":
    case "affine":
      return alike(node, mask);
    case "sum": {
      const { places, shape: small } = chosen(shape, mask, false);
      const input = { places, shape: small };
      return { places, inputs: node.xs.map(() => input), nodes: (xs) => [{ ...node, xs, shape: small }] };
    }
    case "dense": {
      const lists = listsOf(shape, mask, [lastAxis]);
      const inner = node.weights.length / node.bias.length;
      const rows = [...lists.slice(0, -1), all(inner)];
      const places = placesOf(shape, lists);
      const input = { places: placesOf(shape.with(-1, inner), rows), shape: sizesOf(rows) };
      return { places, inputs: [input], nodes: only({ ...node, shape: sizesOf(lists) }) };
    }
    case "onehot": {
      const lists = listsOf(shape, mask, [lastAxis]);
      const rows = lists.slice(0, -1);
      const input = { places: placesOf(shape.slice(0, -1), rows), shape: sizesOf(rows) };
      return { places: placesOf(shape, lists), inputs: [input], nodes: only({ ...node, shape: sizesOf(lists) }) };
    }
    case "argmax": {
      const lists = listsOf(shape, mask, []);
      const from = nodeAt(graph, node.x).shape;
      const lines = lists.with(node.axis, all(from[node.axis] as number));
      const input = { places: placesOf(from, lines), shape: sizesOf(lines) };
      return { places: placesOf(shape, lists), inputs: [input], nodes: only({ ...node, shape: sizesOf(lists) }) };
    }
    case "maxpool": {
      const lists = listsOf(shape, mask, [0, 2, 3]);
      const from = nodeAt(graph, node.x).shape;
      const windows = [all(1), lists[1] as Int32Array, all(from[2] as number), all(from[3] as number)];
      const input = { places: placesOf(from, windows), shape: sizesOf(windows) };
      return { places: placesOf(shape, lists), inputs: [input], nodes: only({ ...node, shape: sizesOf(lists) }) };
    }
    case "concat":
      return concatPart(graph, node, mask);
    case "matmul":
      return matmulPart(graph, node, mask);
    case "step": {
      const places = onesOf(mask);
      const [index, threshold] = [places.map((i) => node.index[i] as number), Float64Array.from(places, (i) => node.threshold[i] as number)]; // prettier-ignore
      const from = nodeAt(graph, node.x).shape;
      const input = { places: all(sizeOf(from)), shape: from };
      return { places, inputs: [input], nodes: only({ ...node, shape: [1, places.length], index, threshold }) };
    }
    default:
      return undefined; // wiring, and windows, which leave little over
  }
}

/** The pieces of which something is needed. */
function concatPart(graph: Graph, node: ConcatNode, mask: Uint8Array): Part {
  const { axis, shape } = node;
  const [along] = listsOf(shape, mask, []).slice(axis, axis + 1) as [Int32Array];
  const kept: number[] = [];
  let begin = 0;
  const inputs = node.xs.map((x) => {
    const from = nodeAt(graph, x).shape;
    const places = all(from[axis] as number).map((i) => begin + i);
    begin += places.length;
    if (!places.some((at) => along.includes(at))) return undefined;
    kept.push(...places);
    return { places: all(sizeOf(from)), shape: from };
  });
  const lists = shape.map((dim, k) => (k === axis ? Int32Array.from(kept) : all(dim)));
  return { places: placesOf(shape, lists), inputs, nodes: (xs) => [{ ...node, xs, shape: sizesOf(lists) }] };
}

type Alike = Extract<Node, { readonly op: "rescale" | "sqrt" | "lookup" | "iszero" | "max" | "mul" | "div" | "select" | "affine" }>; // prettier-ignore

/** Ops element by element: just the needed ones, one after the other unless they are all of some rows and columns. */
function alike(node: Alike, mask: Uint8Array): Part {
  const tabled = node.op === "lookup" && node.table.length > node.length;
  const { places, shape, lists } = chosen(node.shape, mask, tabled);
  const input = { places, shape };
  const inputs = readsOf(node).map(() => input);
  const small = withParameters(node, places, shape, lists);
  return {
    places,
    inputs,
    nodes: (refs) => {
      let k = 0;
      return [withReads(small, () => refs[k++] as Ref)];
    },
  };
}

function withParameters(
  node: Alike,
  places: Int32Array,
  shape: Shape,
  lists: readonly Int32Array[] | undefined,
): Alike {
  switch (node.op) {
    case "affine": {
      const part = (list: Float64Array): Float64Array =>
        list.length === 1 ? list : Float64Array.from(places, (place) => list[place] as number);
      const [factor, bias] = [part(node.factor), part(node.bias)];
      return { ...node, shape, factor, bias };
    }
    case "rescale": {
      const stride = stridesOf(node.shape)[node.axis] as number;
      const count = node.shape[node.axis] as number;
      const along = lists?.[node.axis] ?? places.map((place) => Math.floor(place / stride) % count);
      const part = (list: readonly number[]): readonly number[] =>
        list.length === 1 ? list : Array.from(along, (at) => list[at] as number);
      const axis = lists === undefined ? 1 : node.axis;
      return { ...node, shape, axis, multiplier: part(node.multiplier), shift: part(node.shift) };
    }
    case "lookup": {
      if (lists === undefined || node.table.length === node.length) return { ...node, shape, axis: 0 };
      const tables = Array.from(lists[node.axis] as Int32Array, (at) => [...node.table.subarray(at * node.length, (at + 1) * node.length)]); // prettier-ignore
      return { ...node, shape, table: Float64Array.from(tables.flat()) };
    }
    default:
      return { ...node, shape };
  }
}

/** The needed rows and columns; or, where that would be more than is needed, the elements one after the other. */
function chosen(
  shape: Shape,
  mask: Uint8Array,
  structured: boolean,
): { places: Int32Array; shape: Shape; lists?: readonly Int32Array[] } {
  const lists = listsOf(shape, mask, []);
  const ones = onesOf(mask);
  const small = sizesOf(lists);
  if (structured || sizeOf(small) === ones.length) return { places: placesOf(shape, lists), shape: small, lists };
  return { places: ones, shape: [1, ones.length] };
}

function matmulPart(graph: Graph, node: MatMulNode, mask: Uint8Array): Part {
  const { shape, name } = node;
  const inner = nodeAt(graph, node.a).shape.at(-1) as number;
  const [rows, columns] = shape.slice(-2) as [number, number];
  const lists = listsOf(shape, mask, []);
  const ones = onesOf(mask);
  const small = sizesOf(lists);
  if (ones.length <= sizeOf(small) * (1 - WRITTEN_OUT)) {
    const [a, b] = [new Int32Array(ones.length * inner), new Int32Array(ones.length * inner)];
    ones.forEach((place, i) => {
      const row = Math.floor(place / columns);
      for (let k = 0; k < inner; k++) {
        a[i * inner + k] = row * inner + k;
        b[i * inner + k] = (Math.floor(row / rows) * inner + k) * columns + (place % columns);
      }
    });
    const wide = [1, ones.length, inner];
    const sum = { op: "dense", weights: new Int32Array(inner).fill(1), bias: new Float64Array(1), shape: [1, ones.length, 1] } as const; // prettier-ignore
    return {
      places: ones,
      inputs: [{ places: a, shape: wide }, { places: b, shape: wide }],
      nodes: ([x = 0, y = 0], next) => [
        { op: "mul", a: x, b: y, shape: wide, name: `${name}.products` },
        { ...sum, x: next, name },
      ],
    }; // prettier-ignore
  }
  const lefts = lists.with(-1, all(inner));
  const rights = lists.with(-2, all(inner));
  return {
    places: placesOf(shape, lists),
    inputs: [
      { places: placesOf(shape.with(-1, inner), lefts), shape: sizesOf(lefts) },
      { places: placesOf(shape.with(-2, inner), rights), shape: sizesOf(rights) },
    ],
    nodes: ([a = 0, b = 0]) => [{ ...node, a, b, shape: small }],
  };
}

function all(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}

function onesOf(mask: Uint8Array): Int32Array {
  const ones: number[] = [];
  for (let i = mask.indexOf(1); i >= 0; i = mask.indexOf(1, i + 1)) ones.push(i);
  return Int32Array.from(ones);
}

/** Along each axis, the indices at which something is needed; all of them along those in `whole`. */
function listsOf(shape: Shape, mask: Uint8Array, whole: readonly number[]): readonly Int32Array[] {
  const strides = stridesOf(shape);
  return shape.map((dim, axis) => {
    if (whole.includes(axis)) return all(dim);
    const seen = new Uint8Array(dim);
    for (let i = mask.indexOf(1); i >= 0; i = mask.indexOf(1, i + 1))
      seen[Math.floor(i / (strides[axis] as number)) % dim] = 1;
    return onesOf(seen);
  });
}

function sizesOf(lists: readonly Int32Array[]): Shape {
  return lists.map((list) => list.length);
}

/** Flat indices, into a tensor of `shape`, of all combinations of the indices along each axis. */
function placesOf(shape: Shape, lists: readonly Int32Array[]): Int32Array {
  const strides = stridesOf(shape);
  let places = Int32Array.of(0);
  lists.forEach((list, axis) => {
    const stride = strides[axis] as number;
    const next = new Int32Array(places.length * list.length);
    places.forEach((place, i) => list.forEach((at, k) => (next[i * list.length + k] = place + at * stride)));
    places = next;
  });
  return places;
}
