// Constants of the model: TensorProto -> exact float64 values with their element type. Integers beyond 2^53 come out
// rounded (exporters write INT64_MAX for "to the end"): arithmetic refuses them, Slice clamps them. External data is
// loaded before this (external.ts).
import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { Tensor } from "./gen/onnx_pb.ts";
import { malformed, quote, TOO_LARGE, unsupported } from "./problems.ts";

export type ElemType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "uint8"
  | "int8"
  | "uint16"
  | "int16"
  | "uint32"
  | "int32"
  | "uint64"
  | "int64"
  | "bool";

export interface Constant {
  readonly kind: "constant";
  readonly type: ElemType;
  readonly shape: Shape;
  readonly data: Float64Array;
}

type ListField = "floatData" | "int32Data" | "int64Data" | "doubleData" | "uint64Data";

interface ElemRule {
  readonly type: ElemType;
  /** Bytes in raw_data. */
  readonly width: number;
  /** The repeated field that may hold it instead. */
  readonly list: ListField;
  readonly read: (view: DataView, at: number) => number;
}

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const scratch = new DataView(new ArrayBuffer(4));
function bfloat(bits: number): number {
  scratch.setUint32(0, bits * 65536);
  return scratch.getFloat32(0);
}

/** By ONNX's data type code. */
const ELEM_TYPES: ReadonlyMap<number, ElemRule> = new Map([
  [1, { type: "float32", width: 4, list: "floatData", read: (v, at) => v.getFloat32(at, true) }],
  [2, { type: "uint8", width: 1, list: "int32Data", read: (v, at) => v.getUint8(at) }],
  [3, { type: "int8", width: 1, list: "int32Data", read: (v, at) => v.getInt8(at) }],
  [4, { type: "uint16", width: 2, list: "int32Data", read: (v, at) => v.getUint16(at, true) }],
  [5, { type: "int16", width: 2, list: "int32Data", read: (v, at) => v.getInt16(at, true) }],
  [6, { type: "int32", width: 4, list: "int32Data", read: (v, at) => v.getInt32(at, true) }],
  [7, { type: "int64", width: 8, list: "int64Data", read: (v, at) => Number(v.getBigInt64(at, true)) }],
  [9, { type: "bool", width: 1, list: "int32Data", read: (v, at) => v.getUint8(at) }],
  [10, { type: "float16", width: 2, list: "int32Data", read: (v, at) => half(v.getUint16(at, true)) }],
  [11, { type: "float64", width: 8, list: "doubleData", read: (v, at) => v.getFloat64(at, true) }],
  [12, { type: "uint32", width: 4, list: "uint64Data", read: (v, at) => v.getUint32(at, true) }],
  [13, { type: "uint64", width: 8, list: "uint64Data", read: (v, at) => Number(v.getBigUint64(at, true)) }],
  [16, { type: "bfloat16", width: 2, list: "int32Data", read: (v, at) => bfloat(v.getUint16(at, true)) }],
] satisfies [number, ElemRule][]);

const OTHER_TYPES: ReadonlyMap<number, string> = new Map(
  "undefined,,,,,,,,string,,,,,,complex64,complex128,,float8e4m3fn,float8e4m3fnuz,float8e5m2,float8e5m2fnuz,uint4,int4,float4e2m1,float8e8m0,uint2,int2,float6e2m3,float6e3m2"
    .split(",")
    .map((name, code) => [code, name]),
);

const INTEGER_RANGES: Partial<Record<ElemType, readonly [number, number]>> = {
  bool: [0, 1],
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint64: [0, 2 ** 64],
  int64: [-(2 ** 63), 2 ** 63],
};

/** Undefined for the floating-point types. */
export function integerRange(type: ElemType): readonly [number, number] | undefined {
  return INTEGER_RANGES[type];
}

export function isFloat(type: ElemType): boolean {
  return integerRange(type) === undefined;
}

/** @throws Refusal by name for strings, complex numbers, 8-bit floats and the like */
export function elemTypeOf(code: number, what: string): ElemType {
  return ruleOf(code, what).type;
}

function ruleOf(code: number, what: string): ElemRule {
  const rule = ELEM_TYPES.get(code);
  if (rule !== undefined) return rule;
  const name = OTHER_TYPES.get(code) || `number ${code}`;
  if (!OTHER_TYPES.has(code) || code === 0) malformed(`${what} has element type ${name}, which ONNX does not define`);
  return unsupported(`${what} has element type ${name}`, "Export the model with float32 weights.");
}

/** Counts the elements that reading a model allocates, so that no file makes the process run out of memory. */
export type Budget = (elements: number, what: string) => void;

export function createBudget(maxElements: number): Budget {
  let left = maxElements;
  return (elements, what) => {
    if (!(elements <= left)) {
      unsupported(`${what} takes the model over ${maxElements} elements in all`, TOO_LARGE);
    }
    left -= elements;
  };
}

/** Far beyond any real tensor; what it bounds is the work on shapes. */
export const MAX_RANK = 16;

/** ONNX dims as a shape. @throws Refusal if one is negative or the size is beyond 2^40. */
export function shapeOf(dims: readonly bigint[], what: string): number[] {
  const shape = dims.map((dim) => {
    if (dim < 0n) malformed(`${what} has a dimension of ${dim}`);
    if (dim >= 2n ** 40n) unsupported(`${what} has a dimension of ${dim}`, TOO_LARGE);
    return Number(dim);
  });
  if (shape.length > MAX_RANK)
    unsupported(`${what} has ${shape.length} dimensions, more than ${MAX_RANK}`, "Flatten some.");
  if (!(sizeOf(shape) < 2 ** 40)) unsupported(`${what} has ${sizeOf(shape)} elements`, TOO_LARGE);
  return shape;
}

/** Bytes that raw or external data of this tensor must have. */
export function rawLength(tensor: Tensor, what: string): number {
  return sizeOf(shapeOf(tensor.dims, what)) * ruleOf(tensor.dataType, what).width;
}

export function tensorTitle(tensor: Tensor): string {
  return `tensor ${quote(tensor.name)}`;
}

/** @throws Refusal */
export function readTensor(tensor: Tensor, budget: Budget, what = tensorTitle(tensor)): Constant {
  const rule = ruleOf(tensor.dataType, what);
  const shape = shapeOf(tensor.dims, what);
  const size = sizeOf(shape);
  if (tensor.segment !== undefined) unsupported(`${what} is stored in segments`, "Save the model again.");
  if (tensor.dataLocation !== 0) malformed(`${what} has data location ${tensor.dataLocation}, or is external in vain`);
  budget(size, what);
  const lists = ["floatData", "int32Data", "int64Data", "doubleData", "uint64Data", "stringData"] as const;
  const used = lists.filter((name) => tensor[name].length > 0);
  const raw = tensor.rawData;
  if (raw.length > 0) {
    if (used.length > 0) malformed(`${what} holds both raw data and ${used.join(", ")}`);
    if (raw.length !== size * rule.width) {
      malformed(`${what} holds ${raw.length} bytes of raw data where [${shape.join(", ")}] needs ${size * rule.width}`);
    }
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    const data = Float64Array.from({ length: size }, (_, i) => rule.read(view, i * rule.width));
    return checked({ kind: "constant", type: rule.type, shape, data }, what);
  }
  const stray = used.find((name) => name !== rule.list);
  if (stray !== undefined) malformed(`${what} is ${rule.type} but holds ${stray}`);
  const list = tensor[rule.list];
  if (list.length !== size) malformed(`${what} holds ${list.length} values where [${shape.join(", ")}] needs ${size}`);
  const decode = rule.type === "float16" ? half : rule.type === "bfloat16" ? bfloat : Number;
  const data = Float64Array.from({ length: size }, (_, i) => decode(Number(list[i])));
  return checked({ kind: "constant", type: rule.type, shape, data }, what);
}

function checked(constant: Constant, what: string): Constant {
  const range = integerRange(constant.type);
  if (range === undefined) return constant;
  for (const value of constant.data) {
    if (!(value >= range[0] && value <= range[1])) malformed(`${what} is ${constant.type} but holds ${value}`);
  }
  return constant;
}
