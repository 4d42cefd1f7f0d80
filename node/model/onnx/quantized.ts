// Tensors that hold a quantized model's own integers: their scales and zero points, and the ways from reals and back,
// QuantizeLinear and DequantizeLinear. A requantize node rounds as onnxruntime does (rounding.ts).
import type { Shape } from "../../core/tensor.ts";
import { type Arithmetic, roundToEven } from "../rounding.ts";
import { type Constant, type ElemType, elemTypeOf, integerRange, isFloat } from "./constant.ts";
import { type Activation, affine, spread, tensorOf, type Value } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { axisIn, constantAt, intOf, needFloat, type OpRule, optionalConstant, type Site, valueAt } from "./site.ts";

/** What integers of a tensor stand for: (q - zeroPoint) * scale, both one number or one per index of an axis. */
export interface Params {
  readonly scale: Float64Array;
  readonly zeroPoint: Float64Array;
  /** Of the zero point, and so of the tensor; undefined where there is none. */
  readonly type: ElemType | undefined;
}

const INTEGERS: readonly ElemType[] = ["uint8", "int8", "uint16", "int16", "int32"];

/** Inputs `scale` and `scale + 1`: constants with 1 or `count` entries. */
export function paramsAt(site: Site, scale: number, what: string, count = 1): Params {
  const scales = constantAt(site, scale, `${what}'s scale`);
  const zero = optionalConstant(site, scale + 1, `${what}'s zero point`);
  if (!isFloat(scales.type)) malformed(`its ${what}'s scale is ${scales.type}`);
  if (scales.type !== "float32") unsupported(`its ${what}'s scale is ${scales.type}`, "Use float32 scales.");
  const bad = scales.data.find((s) => !(s > 0 && s < Infinity));
  if (bad !== undefined) unsupported(`its ${what}'s scale holds ${bad}`, "Scales must be above 0.");
  if (zero !== undefined && !INTEGERS.includes(zero.type)) {
    unsupported(`its ${what}'s zero point is ${zero.type}`, "8- and 16-bit integers are read.");
  }
  const zeroPoint = zero?.data ?? Float64Array.of(0);
  for (const list of [scales.data, zeroPoint]) {
    if (list.length === 1 || list.length === count) continue;
    unsupported(
      `its ${what} has ${list.length} scales or zero points, not 1${count > 1 ? ` or ${count}` : ""}`,
      "Quantize activations per tensor and weights per output channel.",
    );
  }
  return { scale: scales.data, zeroPoint, type: zero?.type };
}

export function single(list: Float64Array): number {
  return list[0] as number;
}

/** The integer range of a quantized type. */
export function rangeOf(type: ElemType): readonly [lo: number, hi: number] {
  const range = INTEGERS.includes(type) ? integerRange(type) : undefined;
  return range ?? unsupported(`it computes on ${type} as quantized values`, "8- and 16-bit integers are read.");
}

/** Input `index`: integers that depend on the model's input. */
export function quantizedAt(site: Site, index: number, what = "input"): Activation {
  const value = valueAt(site, index);
  rangeOf(value.type);
  if (value.kind === "activation") return value;
  return unsupported(`its ${what} (input ${index}) is a constant`, "Fold constants first, with onnxsim.");
}

/** q - zeroPoint */
export function centered(site: Site, x: Activation, zeroPoint: number): Activation {
  if (zeroPoint === 0) return { ...x, type: "int32" };
  return { ...affine(site.draft, `${site.name}/centered`, x, 1, -zeroPoint), type: "int32" };
}

/** The accumulator as integers of `type`, by onnxruntime's arithmetic. */
export function requantizeTo(
  site: Site,
  x: Activation,
  scale: Float64Array,
  y: Params,
  more: { readonly axis?: number; readonly arithmetic?: Arithmetic; readonly type?: ElemType } = {},
): Activation {
  const type = y.type ?? more.type ?? "uint8";
  const [lo, hi] = rangeOf(type);
  const { axis = 0, arithmetic = "scaled" } = more;
  const { draft, name } = site;
  const zeroPoint = single(y.zeroPoint);
  if (hi - lo > 255) {
    draft.notices.push(
      `${quote(name)} is quantized to ${type}, for which onnxruntime computes in float32: it may differ by a step`,
    );
  }
  const rule = { op: "requantize", x: x.ref, axis, scale, zeroPoint, lo, hi, arithmetic } as const;
  return tensorOf(draft, { ...rule, shape: x.shape, name }, type);
}

/** f32(f32(a * b) / c), scale by scale. */
export function ratios(a: number, b: Float64Array, c: number): Float64Array {
  return b.map((scale) => Math.fround(Math.fround(a * scale) / c));
}

/** One scale and zero point per index of `axis` of a tensor of `shape`, as they lie along it. */
function along(site: Site, shape: Shape, params: Params): (list: Float64Array) => Constant {
  const axis = params.scale.length === 1 ? 0 : axisIn(intOf(site, "axis", 1), shape.length);
  const lengths = shape.map((dim, k) => (k === axis ? dim : 1));
  return (list) => ({ kind: "constant", type: "float32", shape: list.length === 1 ? [] : lengths, data: list });
}

function countAlong(site: Site, shape: Shape): number {
  const scale = constantAt(site, 1, "scale");
  if (intOf(site, "block_size", 0) !== 0)
    unsupported("it is quantized in blocks", "Quantize per tensor or per channel.");
  return scale.data.length === 1 ? 1 : (shape[axisIn(intOf(site, "axis", 1), shape.length)] as number);
}

function lowerQuantize(site: Site): Value {
  const x = valueAt(site, 0);
  needFloat(x.type);
  const params = paramsAt(site, 1, "output", countAlong(site, x.shape));
  const named = intOf(site, "output_dtype", 0);
  const type = params.type ?? (named === 0 ? "uint8" : elemTypeOf(named, "its result"));
  const [lo, hi] = rangeOf(type);
  const { draft, name } = site;
  if (x.kind === "constant") {
    const at = along(site, x.shape, params);
    const [scale, zero] = [spread(draft, at(params.scale), x.shape), spread(draft, at(params.zeroPoint), x.shape)];
    const data = x.data.map((v, i) => {
      const q = roundToEven(Math.fround(v / (scale[i] as number))) + (zero[i] as number);
      return Math.min(hi, Math.max(lo, q)) + 0;
    });
    return { kind: "constant", type, shape: x.shape, data };
  }
  if (params.scale.length > 1) return unsupported("it quantizes the model's own values per channel", "Quantize activations per tensor."); // prettier-ignore
  const scale = single(params.scale);
  const node = draft.nodes[x.ref];
  // The model's input, declared at this very power of two.
  if (node?.op === "input" && node.exponent !== undefined) return { ...affine(draft, name, x, 1 / scale, 0), type };
  return requantizeTo(site, x, Float64Array.of(1 / scale), { ...params, type }, { arithmetic: "exact" });
}

function lowerDequantize(site: Site): Value {
  const x = valueAt(site, 0);
  rangeOf(x.type);
  const params = paramsAt(site, 1, "input", countAlong(site, x.shape));
  const at = along(site, x.shape, params);
  const { draft, name } = site;
  if (x.kind === "constant") {
    const [scale, zero] = [spread(draft, at(params.scale), x.shape), spread(draft, at(params.zeroPoint), x.shape)];
    const data = x.data.map((q, i) => Math.fround((q - (zero[i] as number)) * (scale[i] as number)));
    return { kind: "constant", type: "float32", shape: x.shape, data };
  }
  const zeros = params.zeroPoint.map((zero) => -zero);
  const moved = affine(draft, `${name}/centered`, x, 1, at(zeros));
  return { ...affine(draft, name, moved, at(params.scale), 0), type: "float32" };
}

const quantization = {
  axis: { kind: "int" },
  block_size: { kind: "int", since: 21 },
  output_dtype: { kind: "int", since: 21 },
} as const;

/** Of the domains ai.onnx and com.microsoft. */
export const QUANTIZED_RULES = {
  DequantizeLinear: {
    inputs: [2, 3],
    attributes: quantization,
    limits: "8- and 16-bit integers and int32, no blocks",
    lower: lowerDequantize,
  },
  QuantizeLinear: {
    inputs: [2, 3],
    attributes: { ...quantization, saturate: { kind: "int", since: 19 }, precision: { kind: "int", since: 23 } },
    limits: "8- and 16-bit integers, activations per tensor",
    lower: lowerQuantize,
  },
} satisfies Record<string, OpRule>;
