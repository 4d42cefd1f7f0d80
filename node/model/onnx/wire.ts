// Bytes -> the messages of onnx.proto. A first walk over the bytes checks framing, nesting, wire types and unknown fields
// and counts what decoding would allocate; only then does @bufbuild/protobuf decode. Knows no meaning of any field.
import { type DescField, type DescMessage, fromBinary, ScalarType } from "@bufbuild/protobuf";
import { NodeError } from "../../core/errors.ts";
import { type Model, ModelSchema } from "./gen/onnx_pb.ts";

/** Messages nested in messages; a plain model needs 7, and the decoder itself stops at 100. */
const MAX_DEPTH = 64;
/** An object each, some 500 bytes. */
const MAX_MESSAGES = 1_000_000;
/** Elements of float_data, int64_data and the like: JavaScript arrays, 8 to 40 bytes each. raw_data is not among them. */
const MAX_LISTED = 2 ** 23;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;

interface Field {
  readonly name: string;
  /** The wire type of one element. */
  readonly wire: number;
  readonly repeated: boolean;
  readonly message: DescMessage | undefined;
}

function wireTypeOf(scalar: ScalarType | undefined): number {
  if (scalar === undefined || scalar === ScalarType.STRING || scalar === ScalarType.BYTES) return LENGTH;
  if (scalar === ScalarType.FLOAT) return FIXED32;
  if (scalar === ScalarType.DOUBLE) return FIXED64;
  return VARINT;
}

function fieldOf(field: DescField): Field {
  return {
    name: field.name,
    wire: wireTypeOf(field.scalar),
    repeated: field.fieldKind === "list",
    message: field.message,
  };
}

const tables = new Map<DescMessage, ReadonlyMap<number, Field>>();

function tableOf(message: DescMessage): ReadonlyMap<number, Field> {
  const known = tables.get(message);
  if (known !== undefined) return known;
  const table = new Map(message.fields.map((field) => [field.number, fieldOf(field)]));
  tables.set(message, table);
  return table;
}

function bad(why: string, cause?: unknown): NodeError {
  return new NodeError("input", `this is not an ONNX file, or a damaged one: ${why}`, {
    mend: "Check that the file was copied whole (a Git LFS pointer is a small text file) or export it again.",
    cause,
  });
}

/** @throws NodeError "input" */
function checkWire(bytes: Uint8Array): void {
  let at = 0;
  let messages = 0;
  let listed = 0;

  const varint = (end: number): number => {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      if (at >= end) throw bad(`it ends inside a number at byte ${at}`);
      const byte = bytes[at++] as number;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw bad(`a number at byte ${at} is longer than ten bytes`);
  };
  const count = (elements: number): void => {
    listed += elements;
    if (listed > MAX_LISTED) {
      throw new NodeError("input", `the file lists more than ${MAX_LISTED} numbers one by one`, {
        mend: "Store tensors as raw_data (onnx.numpy_helper.from_array does).",
      });
    }
  };
  const scalar = (wire: number, end: number): void => {
    if (wire === VARINT) varint(end);
    else at += wire === FIXED64 ? 8 : 4;
    if (at > end) throw bad(`it ends inside a number at byte ${end}`);
  };
  const walk = (message: DescMessage, end: number, depth: number): void => {
    if (depth > MAX_DEPTH) throw bad(`messages are nested deeper than ${MAX_DEPTH}`);
    if (++messages > MAX_MESSAGES) throw bad(`it holds more than ${MAX_MESSAGES} messages`);
    const table = tableOf(message);
    while (at < end) {
      const tag = varint(end);
      const field = table.get(Math.floor(tag / 8));
      const wire = tag % 8;
      if (field === undefined) {
        throw bad(`${message.name} at byte ${at} has field ${Math.floor(tag / 8)}, which ONNX does not know`);
      }
      const packed = field.repeated && field.wire !== LENGTH && wire === LENGTH;
      if (wire !== field.wire && !packed) throw bad(`${field.name} at byte ${at} has wire type ${wire}`);
      if (wire !== LENGTH) {
        scalar(wire, end);
        if (field.repeated) count(1);
        continue;
      }
      const stop = varint(end) + at;
      if (stop > end) throw bad(`${field.name} at byte ${at} is longer than what holds it`);
      if (field.message !== undefined) walk(field.message, stop, depth + 1);
      else if (packed) {
        while (at < stop) {
          scalar(field.wire, stop);
          count(1);
        }
      } else if (field.repeated) count(1);
      at = stop;
    }
  };
  walk(ModelSchema, bytes.length, 1);
}

/**
 * Decodes a model file; raw_data stays a view of `bytes`.
 * @throws NodeError "input"
 */
export function parseOnnx(bytes: Uint8Array): Model {
  checkWire(bytes);
  try {
    return fromBinary(ModelSchema, bytes);
  } catch (thrown) {
    throw bad("its messages do not decode", thrown);
  }
}
