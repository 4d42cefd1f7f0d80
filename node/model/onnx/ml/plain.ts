// Models with maps and strings, which no border of integers carries, in plain tensors: a ZipMap's scores come out as they
// are, and class names as their numbers. Works on the decoded file, so that onnxruntime can run what the compiler reads.
import fs from "node:fs/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { type Attribute, AttributeSchema, type Graph, type Model, ModelSchema, type Node, TypeSchema } from "../gen/onnx_pb.ts"; // prettier-ignore
import { quote } from "../problems.ts";
import { parseOnnx } from "../wire.ts";

const FLOAT = 1;
const INT64 = 7;
const STRING = 8;
const INT_ATTRIBUTE = 2;
const INTS_ATTRIBUTE = 7;
/** Names that a notice spells out. */
const MOST_NAMES = 20;

const utf8 = new TextDecoder();

/** The attribute that holds integers in the place of strings. */
const NUMBERED: Readonly<Record<string, string>> = {
  TreeEnsembleClassifier: "classlabels_int64s",
  LinearClassifier: "classlabels_ints",
  SVMClassifier: "classlabels_ints",
};

/** Takes maps and strings out of the model, in place, as far as they are known ones. @returns what a person should know */
export function makePlain({ graph }: Model): readonly string[] {
  if (graph === undefined) return [];
  const notices: string[] = [];
  for (const node of graph.node.filter(isZipMap)) dropZipMap(graph, node, notices);
  for (const node of graph.node) {
    if (isMl(node) && Object.hasOwn(NUMBERED, node.opType)) numberClasses(node, notices);
    if (isMl(node) && node.opType === "LabelEncoder") numberValues(node, notices);
  }
  for (const tensor of graph.initializer) {
    if (tensor.dataType !== STRING) continue;
    const names = tensor.stringData.map((bytes) => utf8.decode(bytes));
    if (new Set(names).size !== names.length) continue;
    tensor.dataType = INT64;
    tensor.int64Data = names.map((_, i) => BigInt(i));
    tensor.stringData = [];
    notices.push(`the strings of ${quote(tensor.name)} are given by their number: ${listed(names)}`);
  }
  if (notices.length === 0) return notices;
  for (const info of [...graph.output, ...graph.valueInfo]) {
    const type = info.type?.value;
    if (type?.case === "tensorType" && type.value.elemType === STRING) type.value.elemType = INT64;
  }
  return notices;
}

/** What onnxruntime is to run: the file itself, or its bytes without maps and strings. */
export async function plainSource(source: string | Uint8Array): Promise<string | Uint8Array> {
  const bytes = typeof source === "string" ? await fs.readFile(source) : source;
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).includes("ai.onnx.ml")) return source;
  const model = parseOnnx(bytes);
  return makePlain(model).length === 0 ? source : toBinary(ModelSchema, model);
}

function isMl(node: Node): boolean {
  return node.domain === "ai.onnx.ml";
}

function isZipMap(node: Node): boolean {
  return isMl(node) && node.opType === "ZipMap";
}

/** The scores take the name of the map that was made of them. */
function dropZipMap(graph: Graph, node: Node, notices: string[]): void {
  const [from, to] = [node.input[0], node.output[0]];
  const output = graph.output.find(({ name }) => name === to);
  const makes = (other: Node): boolean => from !== undefined && other.output.includes(from);
  if (from === undefined || to === undefined || output === undefined || !graph.node.some(makes)) return;
  if (graph.node.some(({ input }) => input.includes(to))) return;
  const value = output.type?.value;
  const map = value?.case === "sequenceType" ? value.value.elemType?.value : undefined;
  const scores = map?.case === "mapType" ? map.value.valueType?.value : undefined;
  const elemType = scores?.case === "tensorType" ? scores.value.elemType : FLOAT;
  output.type = create(TypeSchema, { value: { case: "tensorType", value: { elemType } } });
  graph.node.splice(graph.node.indexOf(node), 1);
  const twin = graph.output.findIndex(({ name }) => name === from);
  if (twin >= 0) graph.output.splice(twin, 1);
  for (const other of graph.node) {
    for (const list of [other.input, other.output]) list.forEach((name, i) => name === from && (list[i] = to));
  }
  for (const info of graph.valueInfo) if (info.name === from) info.name = to;
  const labels = node.attribute.find(({ name }) => name.startsWith("classlabels"));
  const names = labels?.strings.map((bytes) => utf8.decode(bytes)) ?? [];
  const order = names.length > 0 ? listed(names) : labels?.ints.slice(0, MOST_NAMES).join(", ");
  notices.push(
    `the output ${quote(to)} is its scores without the map around them, in the order of the classes ${order}`,
  );
}

function numberClasses(node: Node, notices: string[]): void {
  const at = node.attribute.findIndex(({ name, strings }) => name === "classlabels_strings" && strings.length > 0);
  if (at < 0) return;
  const names = (node.attribute[at] as Attribute).strings.map((bytes) => utf8.decode(bytes));
  node.attribute[at] = integers(NUMBERED[node.opType] as string, names.map((_, i) => i)); // prettier-ignore
  notices.push(`classes of node ${quote(node.name || node.opType)} are given by their number: ${listed(names)}`);
}

/** Strings that a LabelEncoder yields, by their number among its own; another default comes out as -1. */
function numberValues(node: Node, notices: string[]): void {
  const find = (name: string): number => node.attribute.findIndex((attribute) => attribute.name === name);
  const at = find("values_strings");
  if (at < 0) return;
  const values = (node.attribute[at] as Attribute).strings.map((bytes) => utf8.decode(bytes));
  const names = [...new Set(values)];
  node.attribute[at] = integers("values_int64s", values.map((value) => names.indexOf(value))); // prettier-ignore
  const given = find("default_string");
  const fallback = given < 0 ? "_Unused" : utf8.decode((node.attribute[given] as Attribute).s);
  const number = create(AttributeSchema, { name: "default_int64", type: INT_ATTRIBUTE, i: BigInt(names.indexOf(fallback)) }); // prettier-ignore
  if (given >= 0) node.attribute[given] = number;
  else node.attribute.push(number);
  notices.push(`strings of node ${quote(node.name || node.opType)} are given by their number: ${listed(names)}`);
}

function integers(name: string, values: readonly number[]): Attribute {
  return create(AttributeSchema, { name, type: INTS_ATTRIBUTE, ints: values.map(BigInt) });
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_NAMES).map((name, i) => `${i} = ${quote(name)}`);
  return [...shown, ...(names.length > MOST_NAMES ? [`and ${names.length - MOST_NAMES} more`] : [])].join(", ");
}
