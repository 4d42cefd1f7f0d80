// Writes small ONNX models for tests and runs them in onnxruntime. Not used by the product, whose writer is its own.
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import ort from "onnxruntime-node";
import { mulberry32 } from "../../node/model/random.ts";
import { ModelSchema, type NodeSchema, type TensorSchema } from "../../node/model/onnx/gen/onnx_pb.ts";

export type ModelInit = MessageInitShape<typeof ModelSchema>;
export type NodeInit = MessageInitShape<typeof NodeSchema>;
export type TensorInit = MessageInitShape<typeof TensorSchema>;
type AttributeInit = NonNullable<NodeInit["attribute"]>[number];

export const ELEM = { float32: 1, uint8: 2, int8: 3, uint16: 4, int16: 5, int32: 6, int64: 7, bool: 9, float64: 11 };
export type Elem = keyof typeof ELEM;
/** What holds the values of each type. */
export const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
} as const satisfies Record<Elem, unknown>;

/** The values as an array of the type's own kind. */
export function typed(values: ArrayLike<number>, type: Elem): ArrayBufferView & { readonly buffer: ArrayBufferLike } {
  return type === "int64" ? BigInt64Array.from(Array.from(values), BigInt) : ARRAYS[type].from(values);
}

export function tensor(
  name: string,
  dims: readonly number[],
  values: ArrayLike<number>,
  type: Elem = "float32",
): TensorInit {
  const { buffer, byteOffset, byteLength } = typed(values, type);
  const rawData = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength).slice();
  return { name, dims: dims.map(BigInt), dataType: ELEM[type], rawData };
}

export function ints(name: string, values: readonly number[]): TensorInit {
  return tensor(name, [values.length], values, "int64");
}

/** An attribute by the type of its value: integers are INT (write { float: 2 } for a whole FLOAT). */
export type AttributeOf =
  | number
  | string
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly strings: readonly string[] }
  | { readonly tensor: TensorInit };

export function attribute(name: string, value: AttributeOf): AttributeInit {
  if (typeof value === "number") return { name, type: 2, i: BigInt(value) };
  if (typeof value === "string") return { name, type: 3, s: new TextEncoder().encode(value) };
  if ("float" in value) return { name, type: 1, f: value.float };
  if ("floats" in value) return { name, type: 6, floats: [...value.floats] };
  if ("tensor" in value) return { name, type: 4, t: value.tensor };
  if ("strings" in value)
    return { name, type: 8, strings: value.strings.map((text) => new TextEncoder().encode(text)) };
  return { name, type: 7, ints: value.map(BigInt) };
}

export function node(
  opType: string,
  input: string[],
  output: string[],
  attributes: Readonly<Record<string, AttributeOf>> = {},
  more: NodeInit = {},
): NodeInit {
  const list = Object.entries(attributes).map(([name, value]) => attribute(name, value));
  return { name: `${opType}_${output[0] ?? ""}`, opType, input, output, attribute: list, ...more };
}

export type Dim = number | string | undefined;

export function valueInfo(name: string, dims: readonly Dim[] | undefined, type: Elem = "float32"): object {
  const dim = dims?.map((d) => {
    if (d === undefined) return {};
    if (typeof d === "number") return { value: { case: "dimValue", value: BigInt(d) } };
    return { value: { case: "dimParam", value: d } };
  });
  const tensorType = { elemType: ELEM[type], ...(dim === undefined ? {} : { shape: { dim } }) };
  return { name, type: { value: { case: "tensorType", value: tensorType } } };
}

export interface ModelSpec {
  readonly nodes: readonly NodeInit[];
  readonly input?: { readonly dims: readonly Dim[]; readonly type?: Elem };
  readonly initializers?: readonly TensorInit[];
  readonly opset?: number;
  /** Element type of the output "y" (its shape is left open). */
  readonly outputType?: Elem;
  /** More inputs beside "x", and more outputs beside "y". */
  readonly moreInputs?: readonly { readonly name: string; readonly dims: readonly Dim[]; readonly type?: Elem }[];
  readonly moreOutputs?: readonly { readonly name: string; readonly type?: Elem }[];
  readonly change?: (model: ModelInit) => ModelInit;
}

/** A model from "x" (and more) to "y" (and more). */
export function modelOf(spec: ModelSpec): ModelInit {
  const { dims, type = "float32" } = spec.input ?? { dims: [1, 4] };
  const model = {
    irVersion: 8n,
    producerName: "test",
    opsetImport: [{ domain: "", version: BigInt(spec.opset ?? 17) }],
    graph: {
      name: "g",
      node: [...spec.nodes],
      initializer: [...(spec.initializers ?? [])],
      input: [
        valueInfo("x", dims, type),
        ...(spec.moreInputs ?? []).map((input) => valueInfo(input.name, input.dims, input.type)),
      ],
      output: [
        valueInfo("y", undefined, spec.outputType),
        ...(spec.moreOutputs ?? []).map((output) => valueInfo(output.name, undefined, output.type)),
      ],
    },
  } as ModelInit;
  return spec.change?.(model) ?? model;
}

/** A model of one node that reads "x", then the initializers. */
export function single(
  op: string,
  dims: readonly number[],
  attributes: Readonly<Record<string, AttributeOf>> = {},
  initializers: readonly TensorInit[] = [],
  more: Partial<ModelSpec> = {},
): ModelSpec {
  const nodes = [node(op, ["x", ...initializers.map(({ name }) => name as string)], ["y"], attributes)];
  return { nodes, initializers, input: { dims }, ...more };
}

export function bytesOf(spec: ModelSpec): Uint8Array {
  return toBinary(ModelSchema, create(ModelSchema, modelOf(spec)));
}

/** What onnxruntime computes with its optimizer off: the first output. */
export async function runOnnx(
  model: Uint8Array | string,
  data: ArrayLike<number>,
  dims: readonly number[],
  type: Elem = "float32",
): Promise<Result> {
  const [first] = await runAll(model, [{ data, dims, type }]);
  return first as Result;
}

interface Result {
  readonly shape: readonly number[];
  readonly data: number[];
}

/** What onnxruntime computes with its optimizer off: every output, in the file's order, for the inputs in theirs. */
export async function runAll(
  model: Uint8Array | string,
  feeds: readonly { readonly data: ArrayLike<number>; readonly dims: readonly number[]; readonly type?: Elem }[],
): Promise<readonly Result[]> {
  const options = { graphOptimizationLevel: "disabled", intraOpNumThreads: 1, logSeverityLevel: 4 } as const;
  const session = await (typeof model === "string"
    ? ort.InferenceSession.create(model, options)
    : ort.InferenceSession.create(model, options));
  try {
    const named = feeds.map(({ data, dims, type = "float32" }, i) => {
      return [session.inputNames[i] as string, new ort.Tensor(type, typed(data, type) as never, [...dims])] as const;
    });
    const results = await session.run(Object.fromEntries(named));
    return session.outputNames.map((name) => {
      const { dims, data } = results[name] as ort.Tensor;
      return { shape: dims, data: Array.from(data as ArrayLike<number>, Number) };
    });
  } finally {
    await session.release();
  }
}

/** `count` numbers in [-1, 1). */
export function noise(seed: number, count: number): number[] {
  const next = mulberry32(seed);
  return Array.from({ length: count }, () => 2 * next() - 1);
}

/** Runs `action` in a new folder that is gone afterwards. */
export async function inFolder<T>(action: (folder: string) => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-onnx-"));
  try {
    return await action(folder);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
