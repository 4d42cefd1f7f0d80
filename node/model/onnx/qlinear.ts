// onnxruntime's quantized ops of the domain com.microsoft: sums, products, joins and tables of 8-bit tensors. Each
// becomes exact integer ops, compared here with onnxruntime's float32 arithmetic over all values that it can meet.
import { logistic, quantizeLinear } from "../float32.ts";
import type { Expr } from "../graph.ts";
import { type Plane, planeFor, type Side } from "../plane.ts";
import { type Activation, affine, broadcastShape, emit, sameShape, spread, spreadTensor, tensorOf } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import { QGEMM } from "./quantized-sums.ts";
import {
  centered,
  type Params,
  paramsAt,
  QUANTIZED_RULES,
  quantizedAt,
  rangeOf,
  requantizeTo,
  single,
} from "./quantized.ts";
import { axisIn, floatOf, intOf, type OpRule, type Site, valueAt } from "./site.ts";

const f = Math.fround;

function valuesOf(type: Activation["type"]): number[] {
  const [lo, hi] = rangeOf(type);
  if (hi - lo > 255) unsupported(`it computes on ${type}`, "8-bit tensors are read.");
  return Array.from({ length: hi - lo + 1 }, (_, i) => lo + i);
}

export function sideOf({ scale, zeroPoint }: Params): Side {
  return { scale: single(scale), zeroPoint: single(zeroPoint) };
}

export function needType(x: { readonly type: Activation["type"] }, ...params: readonly Params[]): void {
  if (params.some(({ type }) => (type ?? "uint8") !== x.type)) malformed("its tensors are of different types");
}

// ---- tables ----

/** y = fn(x), value by value: fn takes the real that x stands for (float32) and yields a float32. */
function table(
  site: Site,
  x: Activation,
  from: Params,
  to: Params,
  fn: (real: number) => number,
  name = site.name,
): Activation {
  needType(x, from, to);
  const [lo, hi] = rangeOf(x.type);
  const values = valuesOf(x.type).map((q) => {
    const real = f((q - single(from.zeroPoint)) * single(from.scale));
    return quantizeLinear(fn(real), single(to.scale), single(to.zeroPoint), lo, hi);
  });
  if (values.every((v, i) => v === lo + i)) return x;
  const entries: Expr = ["entry", "x", lo, ...values];
  return tensorOf(site.draft, { op: "unary", x: x.ref, fn: entries, shape: x.shape, name }, x.type);
}

function lowerTable(site: Site, fn: (real: number) => number): Activation {
  const x = quantizedAt(site, 0);
  return table(site, x, paramsAt(site, 1, "input"), paramsAt(site, 3, "output"), fn);
}

/** By FMA, as onnxruntime has it on x86-64; told where a machine without it would have another value. */
function lowerSigmoid(site: Site): Activation {
  const y = lowerTable(site, (real) => logistic(real, true));
  const { scale, zeroPoint } = paramsAt(site, 1, "input");
  const to = paramsAt(site, 3, "output");
  const [lo, hi] = rangeOf(y.type);
  const at = (q: number, fused: boolean): number => {
    const real = f((q - single(zeroPoint)) * single(scale));
    return quantizeLinear(logistic(real, fused), single(to.scale), single(to.zeroPoint), lo, hi);
  };
  const other = valuesOf(y.type).filter((q) => at(q, true) !== at(q, false));
  if (other.length > 0) {
    site.draft.notices.push(
      `${quote(site.name)} is taken as on a machine with fused multiply-add; others differ at ${other.join(", ")}`,
    );
  }
  return y;
}

function lowerLeaky(site: Site): Activation {
  const alpha = f(floatOf(site, "alpha", 0.01));
  return lowerTable(site, (real) => (real >= 0 ? real : f(alpha * real)));
}

function lowerConcat(site: Site): Activation {
  const y = paramsAt(site, 0, "output");
  const count = (site.inputs.length - 2) / 3;
  if (!Number.isInteger(count)) malformed("its inputs are not tensors with a scale and a zero point each");
  const xs = Array.from({ length: count }, (_, i) => {
    const x = quantizedAt(site, 2 + 3 * i, "tensor");
    return table(site, x, paramsAt(site, 3 + 3 * i, "tensor"), y, (real) => real, `${site.name}/table${i}`);
  });
  const [first] = xs as [Activation, ...Activation[]];
  const axis = axisIn(intOf(site, "axis", 1), first.shape.length);
  for (const { shape } of xs) {
    if (shape.length !== first.shape.length || !sameShape(shape.with(axis, 0), first.shape.with(axis, 0))) {
      malformed(`[${first.shape.join(", ")}] and [${shape.join(", ")}] do not join along axis ${axis}`);
    }
  }
  const total = xs.reduce((sum, { shape }) => sum + (shape[axis] as number), 0);
  const shape = first.shape.with(axis, total);
  const refs = xs.map(({ ref }) => ref);
  return { ...first, ref: emit(site.draft, { op: "concat", xs: refs, axis, shape, name: site.name }), shape };
}

// ---- sums and products ----

/** Where a last axis of 1 meets a longer one, onnxruntime takes the value for a single one. */
function isSingle(shape: readonly number[], whole: readonly number[]): boolean {
  const skip = whole.length - shape.length;
  const last = whole.findLastIndex((dim) => dim > 1);
  return last >= 0 && (shape[last - skip] ?? 1) === 1;
}

function lowerAdd(site: Site): Activation {
  const { draft, name } = site;
  const sides = [0, 3].map((at) => ({ value: valueAt(site, at), ...paramsAt(site, at + 1, at === 0 ? "A" : "B") }));
  const y = paramsAt(site, 6, "output");
  const [a, b] = sides as [(typeof sides)[number], (typeof sides)[number]];
  needType(a.value, a, b, y);
  const shape = broadcastShape(a.value.shape, b.value.shape);
  const [lo, hi] = rangeOf(a.value.type);
  const lone = isSingle(a.value.shape, shape)
    ? ("a" as const)
    : isSingle(b.value.shape, shape)
      ? ("b" as const)
      : undefined;
  const values = sides.map(({ value }) =>
    value.kind === "constant" ? [...new Set(value.data)] : valuesOf(value.type),
  );
  const addition = { a: sideOf(a), b: sideOf(b), c: sideOf(y), lo, hi, ...(lone && { single: lone }) };
  const plane = planeFor(addition, values[0] as number[], values[1] as number[]);
  if (plane === undefined) {
    return unsupported(
      `no integers add as onnxruntime does at the scales ${sideOf(a).scale}, ${sideOf(b).scale} and ${sideOf(y).scale}`,
      "Give the sum a scale that is a power of two times one of its operands' scales.",
    );
  }
  const bias = { kind: "constant", type: "int32", shape: [], data: Float64Array.of(plane.bias) } as const;
  const parts = sides.map(({ value }, i) => {
    const factor = plane.multipliers[i] as number;
    if (value.kind === "activation") return { factor, wide: spreadTensor(draft, `${name}/repeat`, value, shape) };
    return { factor, constant: spread(draft, value, shape) };
  });
  const refs = parts.flatMap(({ wide, factor }) => (wide === undefined ? [] : [{ ref: wide.ref, factor }]));
  if (refs.length === 0) return unsupported("both its operands are constants", "Fold constants first, with onnxsim.");
  const fixed = parts.find(({ constant }) => constant !== undefined);
  const offset = fixed?.constant?.map((v) => v * fixed.factor + plane.bias) ?? bias.data;
  const whole = { op: "sum", xs: refs.map(({ ref }) => ref), factors: refs.map(({ factor }) => factor), shape, name: `${name}/sum` } as const; // prettier-ignore
  const sum = tensorOf(draft, whole, "int32");
  const biased = affine(draft, `${name}/bias`, sum, 1, {
    ...bias,
    shape: offset.length === 1 ? [] : shape,
    data: offset,
  });
  const moved = mended(site, plane, biased, parts.map(({ wide }) => wide)); // prettier-ignore
  const exact = { ...y, zeroPoint: Float64Array.of(0) };
  return requantizeTo(site, moved, Float64Array.of(2 ** -plane.shift), exact, { arithmetic: "exact" });
}

/** The sum with single pairs of values moved to where they round as onnxruntime has it. */
function mended(site: Site, { mends }: Plane, sum: Activation, sides: readonly (Activation | undefined)[]): Activation {
  if (mends.length === 0) return sum;
  const [a, b] = sides;
  const { draft, name } = site;
  const { shape } = sum;
  const wide = 2 ** 10; // Above the distance of any two 8-bit values: each pair has a number of its own.
  const xs = [a, b].flatMap((side) => (side === undefined ? [] : [side.ref]));
  const factors = [a, b].flatMap((side, i) => (side === undefined ? [] : [i === 0 ? 1 : wide]));
  if (xs.length < 2) unsupported("single values of it round otherwise in float32", "Add two tensors of the model, or round its scale to fewer bits."); // prettier-ignore
  const pair = tensorOf(draft, { op: "sum", xs, factors, shape, name: `${name}/pair` }, "int32");
  const met = mends.map(({ x, y }) => {
    const away = affine(draft, `${name}/away`, pair, 1, -(x + wide * y));
    return emit(draft, { op: "compare", x: away.ref, relation: "zero", shape, name: `${name}/met` });
  });
  const all = { op: "sum", xs: [sum.ref, ...met], factors: [1, ...mends.map(({ by }) => by)] } as const;
  return tensorOf(draft, { ...all, shape, name: `${name}/mended` }, "int32");
}

function lowerMul(site: Site): Activation {
  const { draft, name } = site;
  const [a, b, y] = [paramsAt(site, 1, "A"), paramsAt(site, 4, "B"), paramsAt(site, 6, "output")];
  const [left, right] = [valueAt(site, 0), valueAt(site, 3)];
  needType(left, a, b, y);
  needType(right, b);
  const scale = Float64Array.of(f(f(single(a.scale) * single(b.scale)) / single(y.scale)));
  const shape = broadcastShape(left.shape, right.shape);
  const one = (value: typeof left, params: Params): Activation | Float64Array => {
    if (value.kind === "constant") return spread(draft, value, shape).map((q) => q - single(params.zeroPoint));
    return spreadTensor(draft, `${name}/repeat`, centered(site, value, single(params.zeroPoint)), shape);
  };
  const [p, q] = [one(left, a), one(right, b)];
  if (p instanceof Float64Array && q instanceof Float64Array) {
    return unsupported("both its operands are constants", "Fold constants first, with onnxsim.");
  }
  const product =
    p instanceof Float64Array || q instanceof Float64Array
      ? scaled(
          site,
          (p instanceof Float64Array ? q : p) as Activation,
          (p instanceof Float64Array ? p : q) as Float64Array,
        )
      : tensorOf(draft, { op: "mul", a: p.ref, b: q.ref, shape, name: `${name}/product` }, "int32");
  return requantizeTo(site, product, scale, y, { arithmetic: "shifted" });
}

function scaled(site: Site, x: Activation, data: Float64Array): Activation {
  return affine(site.draft, `${site.name}/product`, x, { kind: "constant", type: "int32", shape: x.shape, data }, 0);
}

const eightBit = "8-bit tensors, constant scales; bit for bit onnxruntime's";

/** Of the domain com.microsoft. */
export const QLINEAR_RULES = {
  ...QUANTIZED_RULES,
  QGemm: QGEMM,
  QLinearAdd: { inputs: [7, 8], attributes: {}, limits: eightBit, lower: lowerAdd },
  QLinearConcat: { inputs: [5, Infinity], attributes: { axis: { kind: "int" } }, limits: eightBit, lower: lowerConcat },
  QLinearLeakyRelu: { inputs: [4, 5], attributes: { alpha: { kind: "float" } }, limits: eightBit, lower: lowerLeaky },
  QLinearMul: { inputs: [7, 8], attributes: {}, limits: eightBit, lower: lowerMul },
  QLinearSigmoid: { inputs: [4, 5], attributes: {}, limits: eightBit, lower: lowerSigmoid },
} satisfies Record<string, OpRule>;
