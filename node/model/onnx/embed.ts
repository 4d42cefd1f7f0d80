// What depends on one index alone is a table of it: normalizations, functions and products of an embedding are embeddings
// themselves. They are computed here, once for each index, and looked up by the one-hot rows that are there already.
import { sizeOf } from "../../core/tensor.ts";
import { evaluateNode } from "../evaluate-float.ts";
import type { FloatGraph, FloatNode, FloatRef } from "../graph.ts";
import { readsOf, withReads } from "../refs.ts";
import { permuted } from "./draft.ts";

/** A tensor whose row r, of as many as the one-hot tensor has, depends on row r of that alone. */
interface Table {
  /** The one-hot tensor. */
  readonly hot: FloatRef;
  /** By index: the tensor, if all rows have that index. */
  readonly tensors: readonly Float64Array[];
  /** Whether looking it up saves more than the addition of constants. */
  readonly folded: boolean;
}

/** Elements of one table, and of the one-hot rows that tell places apart. */
const MOST = 2 ** 18;

/** Tables in place of what they save, of which at least one op that is not free. */
export function embed(graph: FloatGraph): FloatGraph {
  const tables = tablesOf(graph);
  if (![...tables.values()].some(({ folded }) => folded)) return graph;
  const ends = new Set(graph.outputs.map(({ ref }) => ref));
  graph.nodes.forEach((node, ref) => {
    if (!tables.has(ref)) for (const read of readsOf(node)) ends.add(read);
  });
  const names = new Set(graph.nodes.map(({ name }) => name));
  const nodes: FloatNode[] = [];
  const moved: FloatRef[] = [];
  const push = (node: FloatNode): FloatRef => {
    let { name } = node;
    for (let k = 2; names.has(name); k++) name = `${node.name}#${k}`;
    names.add(name);
    return nodes.push({ ...node, name }) - 1;
  };
  const placed = new Map<FloatRef, FloatRef>();
  graph.nodes.forEach((node, ref) => {
    const table = tables.get(ref);
    if (table?.folded !== true || !ends.has(ref)) {
      moved.push(nodes.push(withReads(node, (read) => moved[read] as FloatRef)) - 1);
      return;
    }
    const hot = graph.nodes[table.hot] as FloatNode;
    const count = hot.shape.at(-1) as number;
    const rows = sizeOf(hot.shape) / count;
    const width = sizeOf(node.shape) / rows;
    const alike = table.tensors.every((tensor) => tensor.every((v, i) => v === tensor[i % width]));
    const at = moved[table.hot] as FloatRef;
    const name = `${node.name}/table`;
    const shape = [rows, width];
    const bias = new Float64Array(width);
    if (alike) {
      const x = push({ op: "reshape", x: at, shape: [rows, count], name: `${name}/rows` });
      const weights = Float64Array.from({ length: count * width }, (_, i) => table.tensors[Math.floor(i / width)]?.[i % width] as number); // prettier-ignore
      moved.push(push({ op: "reshape", x: push({ op: "dense", x, weights, bias, shape, name }), shape: node.shape, name: `${name}/shape` })); // prettier-ignore
      return;
    }
    let x = placed.get(table.hot);
    if (x === undefined) placed.set(table.hot, (x = inPlaces(push, at, hot.name, rows, count)));
    const weights = Float64Array.from({ length: rows * count * width }, (_, i) => {
      const [row, k] = [Math.floor(i / (count * width)), Math.floor(i / width) % count];
      return table.tensors[k]?.[row * width + (i % width)] as number;
    });
    moved.push(push({ op: "reshape", x: push({ op: "dense", x, weights, bias, shape, name }), shape: node.shape, name: `${name}/shape` })); // prettier-ignore
  });
  const outputs = graph.outputs.map((output) => ({ ...output, ref: moved[output.ref] as FloatRef }));
  return { ...graph, nodes, outputs };
}

/** One-hot rows over all pairs of a place and an index: row r has its 1 at r * count + its index. Wiring alone. */
function inPlaces(
  push: (node: FloatNode) => FloatRef,
  hot: FloatRef,
  name: string,
  rows: number,
  count: number,
): FloatRef {
  const size = rows * count;
  const flat = push({ op: "reshape", x: hot, shape: [1, size], name: `${name}/flat` });
  const zero = push({ op: "pad", x: flat, pads: [0, 0, 0, 1], value: 0, shape: [1, size + 1], name: `${name}/zero` });
  const index = Int32Array.from({ length: rows * size }, (_, i) => {
    return Math.floor((i % size) / count) === Math.floor(i / size) ? i % size : size;
  });
  return push({ op: "take", x: zero, index, shape: [rows, size], name: `${name}/places` });
}

function tablesOf(graph: FloatGraph): ReadonlyMap<FloatRef, Table> {
  /** One-hot tensors and views of their rows, each with the tensor itself. */
  const hots = new Map<FloatRef, FloatRef>();
  const tables = new Map<FloatRef, Table>();
  const shapeAt = (ref: FloatRef): readonly number[] => (graph.nodes[ref] as FloatNode).shape;
  graph.nodes.forEach((node, ref) => {
    if (node.op === "onehot") hots.set(ref, ref);
    const hotBelow = "x" in node ? hots.get(node.x) : undefined;
    if (hotBelow !== undefined && node.op === "reshape" && node.shape.at(-1) === shapeAt(hotBelow).at(-1)) {
      hots.set(ref, hotBelow);
    }
    const reads = readsOf(node).map((read) => tables.get(read));
    const [first] = reads;
    const hot = node.op === "dense" ? (hotBelow ?? first?.hot) : first?.hot;
    if (hot === undefined) return;
    const count = shapeAt(hot).at(-1) as number;
    const rows = sizeOf(shapeAt(hot)) / count;
    if (sizeOf(node.shape) * count > MOST || (rows > 1 && rows * rows * count > MOST)) return;
    if (node.op === "dense" && hotBelow !== undefined) {
      if (node.exact === true) return;
      const width = node.bias.length;
      const tensors = Array.from({ length: count }, (_, k) =>
        Float64Array.from(
          { length: rows * width },
          (_, i) => (node.weights[k * width + (i % width)] as number) + (node.bias[i % width] as number),
        ),
      );
      tables.set(ref, { hot, tensors, folded: false });
      return;
    }
    if (!reads.every((read) => read?.hot === hot) || !staysInRows(node, shapeAt, rows)) return;
    const known = reads as readonly Table[];
    const refs = readsOf(node);
    const tensors = Array.from({ length: count }, (_, k) =>
      evaluateNode(node, (read) => (known[refs.indexOf(read)] as Table).tensors[k] as Float64Array, shapeAt),
    );
    if (!tensors.every((tensor) => tensor.every(Number.isFinite))) return;
    const folded = known.some((table) => table.folded) || !FREE.has(node.op);
    tables.set(ref, { hot, tensors, folded });
  });
  return tables;
}

const FREE: ReadonlySet<FloatNode["op"]> = new Set(["affine", "sum", "reshape", "transpose", "take"]);

/** Does each of `rows` equal parts of the node's tensor depend on that part alone of what it reads? */
function staysInRows(node: FloatNode, shapeAt: (ref: FloatRef) => readonly number[], rows: number): boolean {
  const size = sizeOf(node.shape);
  if (size % rows !== 0) return false;
  switch (node.op) {
    case "unary":
    case "clip":
    case "leaky":
    case "compare":
    case "affine":
    case "sum":
    case "mul":
    case "div":
    case "max":
    case "select":
    case "reshape":
      return true;
    case "dense":
      return node.exact !== true && (sizeOf(shapeAt(node.x)) / rows) % (shapeAt(node.x).at(-1) as number) === 0;
    case "normalize":
    case "softmax":
      return (size / rows) % (node.shape.at(-1) as number) === 0;
    case "take":
      return keepsRows(node.index, size / rows, sizeOf(shapeAt(node.x)) / rows);
    case "transpose": {
      const from = shapeAt(node.x);
      const places = Float64Array.from({ length: size }, (_, i) => i);
      return keepsRows(permuted(places, from, node.perm), size / rows, size / rows);
    }
    default:
      return false;
  }
}

/** Does row r of the result, `width` long, come from row r of what is read, `from` long? */
function keepsRows(index: Int32Array | Float64Array, width: number, from: number): boolean {
  return index.every((at, i) => Math.floor(at / from) === Math.floor(i / width));
}
