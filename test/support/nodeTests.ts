// The ONNX project's own tests of single nodes, from test/vectors/onnx/node-tests.bin.gz (scripts/train/
// fixtures_node_tests.py says how it came about), and the models that tests make of them.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fs from "node:fs";
import zlib from "node:zlib";
import {
  type Model,
  ModelSchema,
  NodeSchema,
  TensorSchema,
  ValueInfoSchema,
} from "../../node/model/onnx/gen/onnx_pb.ts";
import { ARRAYS, type Elem, ELEM, node, type NodeInit, tensor, valueInfo } from "./onnx.ts";

export interface NodeTensor {
  readonly type: Elem;
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export interface NodeTest {
  readonly name: string;
  /** Encoded; its graph's inputs and outputs are in the order of those below. */
  readonly model: Uint8Array;
  /** Names of the inputs that exporters write as constants. */
  readonly constants: readonly string[];
  /** Undefined where they are no numbers of types that the compiler takes. */
  readonly inputs?: readonly NodeTensor[];
  readonly outputs?: readonly NodeTensor[];
}

interface Head {
  readonly onnx: string;
  readonly licence: string;
  readonly tensors: readonly (readonly [Elem, readonly number[], number, number])[];
  readonly cases: readonly {
    readonly name: string;
    readonly model: readonly [number, number];
    readonly constants?: readonly string[];
    readonly inputs?: readonly number[];
    readonly outputs?: readonly number[];
  }[];
}

const FILE = "test/vectors/onnx/node-tests.bin.gz";

export function readNodeTests(): readonly NodeTest[] {
  const all = zlib.gunzipSync(fs.readFileSync(FILE));
  const end = all.indexOf(10);
  const head = JSON.parse(all.subarray(0, end).toString()) as Head;
  const bytes = (at: number, length: number): Uint8Array<ArrayBuffer> => Uint8Array.from(all.subarray(end + 1 + at, end + 1 + at + length)); // prettier-ignore
  const tensorAt = (k: number): NodeTensor => {
    const [type, shape, at, length] = head.tensors[k] as Head["tensors"][number];
    const array: ArrayLike<number | bigint> = new ARRAYS[type](bytes(at, length).buffer);
    return { type, shape, data: Float64Array.from({ length: array.length }, (_, i) => Number(array[i])) };
  };
  return head.cases.map(({ name, model, constants = [], inputs, outputs }) => {
    const data = inputs && outputs && { inputs: inputs.map(tensorAt), outputs: outputs.map(tensorAt) };
    return { name, model: bytes(...model), constants, ...data };
  });
}

export const decode = ({ model }: NodeTest): Model => fromBinary(ModelSchema, model);
export const encode = (model: Model): Uint8Array => toBinary(ModelSchema, model);

/** The ops of a model, each once, with their domain in front but for ai.onnx. */
export function opsOfModel(model: Uint8Array): readonly string[] {
  const nodes = fromBinary(ModelSchema, model).graph?.node ?? [];
  return [...new Set(nodes.map(({ domain, opType }) => (domain === "" ? opType : `${domain}.${opType}`)))];
}

/** The op that a case tests; of an expanded function, all its ops. */
export function testedOps(test: NodeTest): readonly string[] {
  return opsOfModel(test.model);
}

/** The model with the inputs for which `isConstant` holds as constants, and the tensors of those that stay. */
export function withConstants(
  test: NodeTest,
  isConstant: (name: string) => boolean,
): { readonly model: Model; readonly feeds: readonly NodeTensor[] } {
  const model = decode(test);
  const feeds: NodeTensor[] = [];
  model.graph?.input.forEach(({ name }, k) => {
    const value = test.inputs?.[k];
    if (value === undefined) return;
    if (!isConstant(name)) feeds.push(value);
    else model.graph?.initializer.push(create(TensorSchema, tensor(name, value.shape, value.data, value.type)));
  });
  return { model, feeds };
}

export function addNode(model: Model, init: NodeInit): void {
  model.graph?.node.push(create(NodeSchema, init));
}

/** All inputs as constants, and every output a sum with a new input of zeros: what folds comes out at the other end. */
export function folded(test: NodeTest): Model {
  const { model } = withConstants(test, () => true);
  const { graph } = model;
  if (graph === undefined) return model;
  const names = graph.output.map(({ name }) => name);
  graph.output = [];
  names.forEach((name, k) => {
    const shape = test.outputs?.[k]?.shape ?? [];
    addNode(model, node("Cast", [name], [`${name}/cast`], { to: ELEM.float64 }));
    addNode(model, node("Add", [`${name}/cast`, `${name}/zeros`], [`${name}/sum`]));
    graph.input.push(create(ValueInfoSchema, valueInfo(`${name}/zeros`, shape, "float64")));
    graph.output.push(create(ValueInfoSchema, valueInfo(`${name}/sum`, shape, "float64")));
  });
  return model;
}

const AT_BORDERS = /^(Quantize|Dequantize)Linear$/;

/** A model's first QuantizeLinear and last DequantizeLinear are its borders, and no ops; behind a product they are ops. */
export function atBorders(model: Model): void {
  const { graph } = model;
  const [only] = graph?.node ?? [];
  if (graph === undefined || graph.node.length !== 1 || only === undefined || !AT_BORDERS.test(only.opType)) return;
  const [x, y] = [only.input[0] as string, only.output[0] as string];
  graph.initializer.push(create(TensorSchema, tensor("one", [], [1])));
  const quantizes = only.opType === "QuantizeLinear";
  if (quantizes) only.input[0] = "inner";
  else only.output[0] = "inner";
  addNode(model, quantizes ? node("Mul", [x, "one"], ["inner"]) : node("Mul", ["inner", "one"], [y]));
}
