// Constants and shape arithmetic: what is made from attributes and shapes alone, known once the batch is fixed. Trilu, a
// mask, may also cover a tensor of the graph.
import { sizeOf } from "../../core/tensor.ts";
import { type Constant, elemTypeOf, integerRange, readTensor } from "./constant.ts";
import { affine, type Value } from "./draft.ts";
import { malformed } from "./problems.ts";
import {
  constantAt,
  flagOf,
  integersAt,
  intOf,
  type OpRule,
  scalarAt,
  type Site,
  tensorAttribute,
  valueAt,
} from "./site.ts";

function lowerShape(site: Site): Constant {
  const shape = valueAt(site, 0).shape;
  const clamp = (v: number): number => Math.min(Math.max(v < 0 ? v + shape.length : v, 0), shape.length);
  const part = shape.slice(clamp(intOf(site, "start", 0)), clamp(intOf(site, "end", shape.length)));
  return { kind: "constant", type: "int64", shape: [part.length], data: Float64Array.from(part) };
}

function lowerSize(site: Site): Constant {
  return { kind: "constant", type: "int64", shape: [], data: Float64Array.of(sizeOf(valueAt(site, 0).shape)) };
}

function lowerConstantOfShape(site: Site): Constant {
  const shape = integersAt(site, 0, "shape") ?? malformed("it has no shape");
  if (shape.some((dim) => dim < 0)) malformed(`its shape is [${shape.join(", ")}]`);
  const tensor = tensorAttribute(site, "value");
  const value = tensor && readTensor(tensor, site.draft.budget, 'attribute "value"');
  if (value !== undefined && value.data.length !== 1) malformed('its attribute "value" is not one value');
  site.draft.budget(sizeOf(shape), "a constant made by ConstantOfShape");
  const data = new Float64Array(sizeOf(shape)).fill(value?.data[0] ?? 0);
  return { kind: "constant", type: value?.type ?? "float32", shape, data };
}

/** Floats are added up one by one and rounded each time, as onnxruntime counts. */
function lowerRange(site: Site): Constant {
  const type = constantAt(site, 0, "start").type;
  const [start, limit, delta] = ["start", "limit", "delta"].map((what, i) => {
    return scalarAt(site, i, what);
  }) as [number, number, number];
  const size = Math.max(0, Math.ceil((limit - start) / delta));
  const whole = integerRange(type) !== undefined;
  if (![start, limit, delta].every(whole ? Number.isSafeInteger : Number.isFinite) || !Number.isSafeInteger(size)) {
    malformed(`it counts from ${start} to ${limit} by ${delta}`);
  }
  site.draft.budget(size, "a constant made by Range");
  const data = new Float64Array(size);
  const stored = type === "float32" ? Math.fround : (v: number): number => v;
  for (let i = 0, at = start; i < size; i++, at = stored(at + delta)) data[i] = at;
  return { kind: "constant", type, shape: [size], data };
}

function lowerConstant(site: Site): Constant {
  const [entry, ...more] = site.attributes;
  if (entry === undefined || more.length > 0) return malformed("it has none or several values, not one");
  const [name, value] = entry;
  const numbers = (typeof value === "number" ? [value] : value) as readonly number[];
  switch (name) {
    case "value": {
      const tensor = tensorAttribute(site, name);
      return tensor === undefined ? malformed("it has no value") : readTensor(tensor, site.draft.budget, "its value");
    }
    default: {
      site.draft.budget(numbers.length, "a constant");
      const type = name.startsWith("value_int") ? "int64" : "float32";
      const shape = name.endsWith("s") ? [numbers.length] : [];
      return { kind: "constant", type, shape, data: Float64Array.from(numbers) };
    }
  }
}

function lowerEyeLike(site: Site): Constant {
  const { shape, type } = valueAt(site, 0);
  if (shape.length !== 2) malformed(`it makes an identity of the shape [${shape.join(", ")}]`);
  const [rows, columns] = shape as [number, number];
  const k = intOf(site, "k", 0);
  site.draft.budget(rows * columns, "a constant made by EyeLike");
  const data = Float64Array.from(
    { length: rows * columns },
    (_, i) => +((i % columns) - Math.floor(i / columns) === k),
  );
  const to = site.attributes.has("dtype") ? elemTypeOf(intOf(site, "dtype", 0), "its result") : type;
  return { kind: "constant", type: to, shape, data };
}

function lowerNonZero(site: Site): Constant {
  const { shape, data } = constantAt(site, 0, "input");
  const found = [...data.keys()].filter((i) => data[i] !== 0);
  const axes = shape.length === 0 ? [1] : shape;
  site.draft.budget(found.length * axes.length, "a constant made by NonZero");
  const rows = axes.map((dim, axis) => found.map((i) => Math.floor(i / sizeOf(axes.slice(axis + 1))) % dim));
  return { kind: "constant", type: "int64", shape: [axes.length, found.length], data: Float64Array.from(rows.flat()) };
}

/** The upper (or lower) triangle, zeros elsewhere: on tensors of the graph a multiplication by a constant mask. */
function lowerTrilu(site: Site): Value {
  const x = valueAt(site, 0);
  if (x.shape.length < 2) malformed(`its input has ${x.shape.length} dimension(s)`);
  const [k = 0] = integersAt(site, 1, "k") ?? [];
  const upper = flagOf(site, "upper", true);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  site.draft.budget(rows * columns, "the mask of Trilu");
  const kept = (i: number): boolean => {
    const above = (i % columns) - (Math.floor(i / columns) % rows);
    return upper ? above >= k : above <= k;
  };
  if (x.kind === "constant") {
    site.draft.budget(x.data.length, "a constant made by Trilu");
    return { ...x, data: x.data.map((v, i) => (kept(i) ? v : 0)) };
  }
  const data = Float64Array.from({ length: rows * columns }, (_, i) => (kept(i) ? 1 : 0));
  return affine(site.draft, site.name, x, { kind: "constant", type: x.type, shape: [rows, columns], data }, 0);
}

const onConstants = "on constants only (shape arithmetic)";

export const SHAPE_RULES = {
  Constant: {
    inputs: [0, 0],
    attributes: {
      value: { kind: "tensor" },
      value_float: { kind: "float", since: 12 },
      value_floats: { kind: "floats", since: 12 },
      value_int: { kind: "int", since: 12 },
      value_ints: { kind: "ints", since: 12 },
    },
    limits: "no strings, no sparse values",
    lower: lowerConstant,
  },
  ConstantOfShape: {
    inputs: [1, 1],
    attributes: { value: { kind: "tensor" } },
    limits: onConstants,
    lower: lowerConstantOfShape,
  },
  EyeLike: {
    inputs: [1, 1],
    attributes: { dtype: { kind: "int" }, k: { kind: "int" } },
    limits: "",
    lower: lowerEyeLike,
  },
  NonZero: { inputs: [1, 1], attributes: {}, limits: onConstants, lower: lowerNonZero },
  Range: { inputs: [3, 3], attributes: {}, limits: onConstants, lower: lowerRange },
  Shape: {
    inputs: [1, 1],
    attributes: { start: { kind: "int", since: 15 }, end: { kind: "int", since: 15 } },
    limits: "",
    lower: lowerShape,
  },
  Size: { inputs: [1, 1], attributes: {}, limits: "", lower: lowerSize },
  Trilu: { inputs: [1, 2], since: 14, attributes: { upper: { kind: "int" } }, limits: "constant k", lower: lowerTrilu },
} satisfies Record<string, OpRule>;
