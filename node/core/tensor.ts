// Shapes, integer types at the border, and how integers become the bytes and words of a claim. Pure; no ONNX, no circuit.
import { NodeError } from "./errors.ts";

/** Row-major; the leading batch dimension, always 1, is part of it. */
export type Shape = readonly number[];

/** Integers held exactly in float64 (absolute value < 2^53), row-major. */
export interface Tensor {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Row-major strides of `shape`. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] as number) * (shape[i + 1] as number);
  return strides;
}

/** An integer type of the wire: inputs and outputs of a model are spelled in it, big-endian, two's complement. */
export interface IntType {
  readonly bits: 8 | 16 | 32;
  readonly signed: boolean;
}

/** A border tensor: integers q that stand for the reals q * 2^exponent. */
export interface BorderTensor {
  readonly name: string;
  readonly shape: Shape;
  readonly type: IntType;
  readonly exponent: number;
}

export function typeName(type: IntType): string {
  return `${type.signed ? "int" : "uint"}${type.bits}`;
}

export function typeRange(type: IntType): { readonly lo: number; readonly hi: number } {
  return type.signed
    ? { lo: -(2 ** (type.bits - 1)), hi: 2 ** (type.bits - 1) - 1 }
    : { lo: 0, hi: 2 ** type.bits - 1 };
}

export function byteLength(tensor: Pick<BorderTensor, "shape" | "type">): number {
  return sizeOf(tensor.shape) * (tensor.type.bits / 8);
}

/** Spells integers as bytes. @throws NodeError "input" if one does not fit the type. */
export function encodeInts(values: ArrayLike<number>, type: IntType): Uint8Array {
  const width = type.bits / 8;
  const { lo, hi } = typeRange(type);
  const bytes = new Uint8Array(values.length * width);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!Number.isInteger(value) || value < lo || value > hi) {
      throw new NodeError("input", `element ${i} is ${value}, not an integer from ${lo} to ${hi} (${typeName(type)})`, {
        mend: "Give values within the model's declared input type; `glassbox inspect` prints it.",
      });
    }
    if (width === 1) view.setUint8(i, value & 0xff);
    else if (width === 2) view.setUint16(2 * i, value & 0xffff);
    else view.setUint32(4 * i, value >>> 0);
  }
  return bytes;
}

/** Cuts the elements of all `borders`, one tensor after the other, into one array each. @throws NodeError "input" */
export function splitFlat(borders: readonly Pick<BorderTensor, "shape">[], flat: Float64Array): Float64Array[] {
  const total = borders.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (flat.length !== total)
    throw new NodeError("input", `the model takes ${total} input elements, not ${flat.length}`);
  let at = 0;
  return borders.map(({ shape }) => flat.subarray(at, (at += sizeOf(shape))));
}

/** Arrays one after the other: how a model's inputs (or outputs) are handed on, in the order of its borders. */
export function joinFlat(parts: readonly Float64Array[]): Float64Array {
  const flat = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    flat.set(part, at);
    at += part.length;
  }
  return flat;
}

/** Bytes of all border tensors on the wire: one after the other, nothing between them. */
export function byteLengthOf(borders: readonly Pick<BorderTensor, "shape" | "type">[]): number {
  return borders.reduce((sum, border) => sum + byteLength(border), 0);
}

/** The wire format of inputs or outputs: each tensor's elements in its own type. @throws NodeError "input" */
export function encodeTensors(borders: readonly BorderTensor[], flat: Float64Array): Uint8Array {
  const bytes = new Uint8Array(byteLengthOf(borders));
  let at = 0;
  splitFlat(borders, flat).forEach((values, i) => {
    const part = encodeInts(values, (borders[i] as BorderTensor).type);
    bytes.set(part, at);
    at += part.length;
  });
  return bytes;
}

/** Reads wire bytes back into elements, one tensor after the other. @throws NodeError "input" if the length is another */
export function decodeTensors(borders: readonly BorderTensor[], bytes: Uint8Array): Float64Array {
  const length = byteLengthOf(borders);
  if (bytes.length !== length) throw new NodeError("input", `${bytes.length} bytes are not the ${length} of the model`);
  let at = 0;
  return joinFlat(borders.map((border) => decodeInts(bytes.subarray(at, (at += byteLength(border))), border.type)));
}

/** Reads bytes back into integers. @throws NodeError "input" if the length is not a whole number of elements. */
export function decodeInts(bytes: Uint8Array, type: IntType): Float64Array {
  const width = type.bits / 8;
  if (bytes.length % width !== 0) {
    throw new NodeError("input", `${bytes.length} bytes are not a whole number of ${typeName(type)} elements`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.length / width }, (_, i) => {
    if (width === 1) return type.signed ? view.getInt8(i) : view.getUint8(i);
    if (width === 2) return type.signed ? view.getInt16(2 * i) : view.getUint16(2 * i);
    return type.signed ? view.getInt32(4 * i) : view.getUint32(4 * i);
  });
}

/** Bytes per word of a claim: the most that always stays below the field's order. */
export const WORD_BYTES = 31;

export function wordCount(bytes: number): number {
  return Math.ceil(bytes / WORD_BYTES);
}

/** Cuts bytes into 31-byte big-endian words; the last is padded with zeros on the right. */
export function wordsOfBytes(bytes: Uint8Array): bigint[] {
  return Array.from({ length: wordCount(bytes.length) }, (_, i) => {
    let hex = "0x";
    for (let k = i * WORD_BYTES; k < (i + 1) * WORD_BYTES; k++) hex += (bytes[k] ?? 0).toString(16).padStart(2, "0");
    return BigInt(hex);
  });
}

/** v of a claim: the sum of words[i] * r^(i+1) mod R; of all words in the order of the claim, or of the output's alone. */
export function fingerprint(words: readonly bigint[], r: bigint, modulus: bigint): bigint {
  let v = 0n;
  for (let i = words.length - 1; i >= 0; i--) v = ((v + (words[i] as bigint)) * r) % modulus;
  return v;
}
