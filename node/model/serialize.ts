// The integer graph as bytes and back, so that a package can be proven without its source: magic, length of the JSON, the
// JSON (one line per field table below), then all weights in order, little-endian. The same graph gives the same bytes.
// Reading trusts nothing: every reference, length and shape is checked. That the graph is the one of the quantized ONNX
// file is for the loader to check, by emitting it again.
import { NodeError } from "../core/errors.ts";
import { type BorderTensor, type Shape, sizeOf } from "../core/tensor.ts";
import { problemOf, workOf } from "./graph-checks.ts";
import type { Graph, Node, NodeOf, Op, Rules } from "./ir.ts";

const MAGIC = Buffer.from("gbgraph2");
const MAX_NODES = 20_000;
const MAX_OUTPUTS = 64;
const MAX_ELEMENTS = 2 ** 26;
const MAX_RANK = 8;
/** Of all nodes together: far beyond any circuit, and what a reader can be made to do by a small file. */
const MAX_WORK = 2 ** 34;

/** How a field is spelled: i32 and f64 are typed arrays of integers, of which the JSON holds the length. */
type Kind = "ref" | "refs" | "int" | "ints" | "i32" | "f64" | "border" | "ties";
type FieldsOf<K extends Op> = { readonly [F in Exclude<keyof NodeOf<K>, "op" | "shape" | "name">]: Kind };

const FIELDS: Rules<{ readonly [K in Op]: FieldsOf<K> }> = {
  input: { border: "border" },
  dense: { x: "ref", weights: "i32", bias: "f64" },
  conv: {
    x: "ref",
    weights: "i32",
    weightShape: "ints",
    bias: "f64",
    strides: "ints",
    pads: "ints",
    dilations: "ints",
    group: "int",
  },
  affine: { x: "ref", factor: "f64", bias: "f64" },
  sum: { xs: "refs", factors: "ints" },
  rescale: { x: "ref", multiplier: "ints", shift: "ints", axis: "int", lo: "int", hi: "int", ties: "ties" },
  max: { a: "ref", b: "ref" },
  maxpool: { x: "ref", kernel: "ints", strides: "ints", pads: "ints", dilations: "ints" },
  argmax: { x: "ref", axis: "int" },
  reshape: { x: "ref" },
  transpose: { x: "ref", perm: "ints" },
  pad: { x: "ref", pads: "ints", value: "int" },
  concat: { xs: "refs", axis: "int" },
  mul: { a: "ref", b: "ref" },
  matmul: { a: "ref", b: "ref" },
  div: { a: "ref", b: "ref" },
  sqrt: { x: "ref" },
  lookup: { x: "ref", axis: "int", first: "int", length: "int", table: "f64" },
  step: { x: "ref", index: "i32", threshold: "f64" },
  iszero: { x: "ref" },
  onehot: { x: "ref" },
  select: { c: "ref", a: "ref", b: "ref" },
  take: { x: "ref", index: "i32" },
};

export function serializeGraph(graph: Graph): Uint8Array {
  const tail: Buffer[] = [];
  const nodes = graph.nodes.map((node) => {
    const fields: Record<string, unknown> = { op: node.op, name: node.name, shape: node.shape };
    const values = node as unknown as Readonly<Record<string, unknown>>;
    for (const [name, kind] of Object.entries<Kind>(FIELDS[node.op])) {
      const value = values[name];
      if (kind === "i32" || kind === "f64") {
        const array = value as Int32Array | Float64Array;
        fields[name] = array.length;
        tail.push(Buffer.from(array.buffer, array.byteOffset, array.byteLength));
      } else fields[name] = kind === "border" ? borderFields(value as BorderTensor) : value;
    }
    return fields;
  });
  const outputs = graph.outputs.map(({ ref, border }) => ({ ref, border: borderFields(border) }));
  const json = Buffer.from(JSON.stringify({ nodes, outputs }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return new Uint8Array(Buffer.concat([MAGIC, length, json, ...tail]));
}

/** Fixed order, whatever the object's own. */
function borderFields({ name, shape, type, exponent }: BorderTensor): BorderTensor {
  return { name, shape, type: { bits: type.bits, signed: type.signed }, exponent };
}

/** @throws NodeError "input" naming the node and what is wrong with it */
export function parseGraph(bytes: Uint8Array): Graph {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 12 || !file.subarray(0, 8).equals(MAGIC)) throw broken("does not begin as one");
  const end = 12 + file.readUInt32LE(8);
  if (end > file.length) throw broken("ends before its description does");
  const source: unknown = parseJson(file.toString("utf8", 12, end));
  const top = record(source, "the description");
  const tail = { file, at: end };
  const nodes: Node[] = [];
  const names = new Set<string>();
  const list = array(top["nodes"], "nodes");
  if (list.length === 0 || list.length > MAX_NODES) throw broken(`has ${list.length} nodes`);
  const ends = array(top["outputs"], "outputs");
  if (ends.length === 0 || ends.length > MAX_OUTPUTS) throw broken(`has ${ends.length} outputs`);
  let [elements, work] = [0, 0];
  for (const [index, fields] of list.entries()) {
    const node = parseNode(record(fields, `node ${index}`), nodes, tail);
    if (names.has(node.name)) throw broken(`has two nodes named "${node.name}"`);
    const before = nodes.at(-1);
    if (before === undefined ? node.op !== "input" : node.op === "input" && before.op !== "input") {
      throw broken(`node ${index}: the inputs, and only they, come first`);
    }
    names.add(node.name);
    nodes.push(node);
    elements += sizeOf(node.shape);
    work += workOf(node, (ref) => (nodes[ref] as Node).shape);
    if (elements > MAX_ELEMENTS || work > MAX_WORK) throw broken(`asks for too much up to node ${index}`);
  }
  if (tail.at !== file.length) throw broken(`has ${file.length - tail.at} bytes too many`);
  const outputs = ends.map((each, index) => {
    const what = `output ${index}`;
    const output = record(each, what);
    const ref = refIn(output["ref"], nodes, what);
    const border = borderIn(output["border"], what);
    if (sizeOf(border.shape) !== sizeOf((nodes[ref] as Node).shape))
      throw broken(`${what}: its shape is not its node's`);
    return { ref, border };
  });
  const borders = [...nodes.filter((node) => node.op === "input"), ...outputs].map(({ border }) => border.name);
  if (new Set(borders).size !== borders.length) throw broken("has two inputs or outputs of one name");
  return { nodes, outputs };
}

function broken(what: string): NodeError {
  return new NodeError("input", `the integer graph ${what}`, {
    mend: "The package is damaged or forged; get it again, or compile the model again.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NodeError("input", "the integer graph's description is not JSON", { cause });
  }
}

interface Tail {
  readonly file: Buffer;
  at: number;
}

function parseNode(fields: Readonly<Record<string, unknown>>, before: readonly Node[], tail: Tail): Node {
  const where = `node ${before.length}`;
  const op = fields["op"];
  if (typeof op !== "string" || !Object.hasOwn(FIELDS, op)) throw broken(`${where}: has an unknown op`);
  const name = fields["name"];
  if (typeof name !== "string" || name.length === 0 || name.length > 1000) throw broken(`${where}: has no name`);
  const node: Record<string, unknown> = { op, name, shape: shapeIn(fields["shape"], where) };
  const kinds = Object.entries<Kind>(FIELDS[op as Op]);
  if (Object.keys(fields).length !== kinds.length + 3) throw broken(`${where}: has fields that ${op} has not`);
  for (const [field, kind] of kinds) node[field] = READ[kind](fields[field], before, `${where}: ${field}`, tail);
  const result = node as unknown as Node;
  const problem = problemOf(result, (ref) => (before[ref] as Node).shape);
  if (problem !== undefined) throw broken(`${where} ("${name}", ${op}): ${problem}`);
  return result;
}

type Read = (value: unknown, before: readonly Node[], where: string, tail: Tail) => unknown;

const READ: { readonly [K in Kind]: Read } = {
  ref: (value, before, where) => refIn(value, before, where),
  refs: (value, before, where) => {
    const refs = array(value, where).map((ref) => refIn(ref, before, where));
    if (refs.length === 0) throw broken(`${where} is empty`);
    return refs;
  },
  int: (value, _, where) => int(value, where),
  ints: (value, _, where) => array(value, where).map((each) => int(each, where)),
  border: (value, _, where) => borderIn(value, where),
  ties: (value, _, where) => {
    if (value !== "up" && value !== "even") throw broken(`${where} is neither "up" nor "even"`);
    return value;
  },
  i32: (value, _, where, tail) => new Int32Array(take(value, 4, where, tail)),
  f64: (value, _, where, tail) => {
    const values = new Float64Array(take(value, 8, where, tail));
    if (!values.every(Number.isSafeInteger)) throw broken(`${where} holds what is no integer below 2^53`);
    return values;
  },
};

function take(count: unknown, width: number, where: string, tail: Tail): ArrayBuffer {
  const length = int(count, where);
  if (length < 1 || length > MAX_ELEMENTS) throw broken(`${where} has ${length} elements`);
  const end = tail.at + width * length;
  if (end > tail.file.length) throw broken(`${where} lies outside the file`);
  const copy = Uint8Array.from(tail.file.subarray(tail.at, end));
  tail.at = end;
  return copy.buffer;
}

function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw broken(`${where} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function array(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw broken(`${where} is not a list`);
  return value;
}

function int(value: unknown, where: string): number {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw broken(`${where} is not an integer below 2^53`);
  return value as number;
}

function refIn(value: unknown, before: readonly Node[], where: string): number {
  const ref = int(value, where);
  if (ref < 0 || ref >= before.length) throw broken(`${where} reads node ${ref}, which does not come before it`);
  return ref;
}

function shapeIn(value: unknown, where: string): Shape {
  const shape = array(value, where).map((dim) => int(dim, where));
  if (shape.length > MAX_RANK || shape.some((dim) => dim < 1) || sizeOf(shape) > MAX_ELEMENTS) {
    throw broken(`${where}: has an impossible shape`);
  }
  return shape;
}

function borderIn(value: unknown, where: string): BorderTensor {
  const fields = record(value, where);
  const type = record(fields["type"], where);
  const bits = type["bits"];
  if ((bits !== 8 && bits !== 16 && bits !== 32) || typeof type["signed"] !== "boolean") {
    throw broken(`${where} has no integer type`);
  }
  const { name } = fields;
  const exponent = int(fields["exponent"], where);
  if (typeof name !== "string" || Math.abs(exponent) > 1000) throw broken(`${where} is not a border tensor`);
  return { name, shape: shapeIn(fields["shape"], where), type: { bits, signed: type["signed"] }, exponent };
}
