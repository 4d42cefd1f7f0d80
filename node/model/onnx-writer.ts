// A small writer of ONNX files on the committed onnx.proto: names, constants, attributes, casts. Knows the format, not the
// integer graph; what it writes is the same bytes for the same calls.
import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { ModelSchema } from "./onnx/gen/onnx_pb.ts";
import type { AttributeSchema, NodeSchema, TensorSchema, ValueInfoSchema } from "./onnx/gen/onnx_pb.ts";
import type { Shape } from "../core/tensor.ts";

/** The element types that the emitted files use, by their number in the standard. */
export const ELEMENT = { float32: 1, int64: 7, bool: 9, float64: 11 } as const;
/** What constants are made of. */
export type Element = Exclude<keyof typeof ELEMENT, "bool">;
export type Real = "float32" | "float64";

export interface OnnxWriter {
  /** A name that nothing has yet: `hint`, or `hint` with a number. */
  fresh(hint: string): string;
  /** Adds an initializer, or finds the one of the same type, shape and bytes; returns its name. */
  constant(hint: string, type: Element, shape: Shape, values: ArrayLike<number>): string;
  /** Adds a node with one output; returns the output's name. */
  op(opType: string, inputs: readonly string[], output: string, attributes?: Attributes): string;
  finish(model: {
    readonly name: string;
    readonly opset: number;
    readonly irVersion: number;
    readonly producer: { readonly name: string; readonly version: string };
    readonly metadata: Readonly<Record<string, string>>;
    readonly inputs: readonly TensorInfo[];
    readonly outputs: readonly TensorInfo[];
  }): Uint8Array;
}

export interface TensorInfo {
  readonly name: string;
  readonly type: Real;
  readonly shape: Shape;
}

/** A number is an integer attribute, a list is one of integers. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** Attributes of a Cast. */
export function castTo(type: keyof typeof ELEMENT): Attributes {
  return { to: ELEMENT[type] };
}

/** Attribute types of the standard. */
const [INT, INTS] = [2, 7];

export function onnxWriter(reserved: readonly string[]): OnnxWriter {
  const taken = new Set(reserved);
  const nodes: MessageInitShape<typeof NodeSchema>[] = [];
  const constants: MessageInitShape<typeof TensorSchema>[] = [];
  const written = new Map<string, string>();

  const fresh = (hint: string): string => {
    let name = hint;
    for (let k = 2; taken.has(name); k++) name = `${hint}#${k}`;
    taken.add(name);
    return name;
  };

  return {
    fresh,
    constant: (hint, type, shape, values) => {
      const rawData = littleEndian(type, values);
      const key = `${type} ${shape.join("x")} ${createHash("sha256").update(rawData).digest("hex")}`;
      const same = written.get(key);
      if (same !== undefined) return same;
      const name = fresh(hint);
      written.set(key, name);
      constants.push({ name, dataType: ELEMENT[type], dims: shape.map(BigInt), rawData });
      return name;
    },
    op: (opType, inputs, output, attributes = {}) => {
      nodes.push({
        name: output,
        opType,
        input: [...inputs],
        output: [output],
        attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
      });
      return output;
    },
    finish: ({ name, opset, irVersion, producer, metadata, inputs, outputs }) =>
      toBinary(
        ModelSchema,
        create(ModelSchema, {
          irVersion: BigInt(irVersion),
          opsetImport: [{ domain: "", version: BigInt(opset) }],
          producerName: producer.name,
          producerVersion: producer.version,
          metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
          graph: {
            name,
            node: nodes,
            initializer: constants,
            input: inputs.map(tensorInfo),
            output: outputs.map(tensorInfo),
          },
        }),
      ),
  };
}

export function tensorInfo({ name, type, shape }: TensorInfo): MessageInitShape<typeof ValueInfoSchema> {
  const dim = shape.map((size) => ({ value: { case: "dimValue" as const, value: BigInt(size) } }));
  return { name, type: { value: { case: "tensorType", value: { elemType: ELEMENT[type], shape: { dim } } } } };
}

function attribute(name: string, value: number | readonly number[]): MessageInitShape<typeof AttributeSchema> {
  return typeof value === "number"
    ? { name, type: INT, i: BigInt(value) }
    : { name, type: INTS, ints: value.map((item) => BigInt(item)) };
}

function littleEndian(type: Element, values: ArrayLike<number>): Uint8Array {
  const width = type === "float32" ? 4 : 8;
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (type === "float32") view.setFloat32(i * width, value, true);
    else if (type === "float64") view.setFloat64(i * width, value, true);
    else view.setBigInt64(i * width, BigInt(value), true);
  }
  return bytes;
}
