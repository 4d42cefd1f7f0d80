// Ops of shape arithmetic: they fold on constants and never see the model's input (but for Shape, which asks for nothing
// more than the shape, known once the batch is fixed).
import { sizeOf, stridesOf } from "../../core/tensor.ts";
import { type Constant, integerRange, readTensor } from "./constant.ts";
import { gathered } from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import {
  axesIn,
  axisIn,
  constantAt,
  integersAt,
  intOf,
  type OpRule,
  scalarAt,
  type Site,
  tensorAttribute,
  valueAt,
} from "./site.ts";

function lowerGather(site: Site): Constant {
  const data = constantAt(site, 0, "data");
  const indices = constantAt(site, 1, "indices");
  const axis = axisIn(intOf(site, "axis", 0), data.shape.length);
  const dim = data.shape[axis] as number;
  const inner = sizeOf(data.shape.slice(axis + 1));
  const outer = sizeOf(data.shape.slice(0, axis));
  const shape = [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)];
  site.draft.budget(sizeOf(shape), "a gathered constant");
  const result = new Float64Array(sizeOf(shape));
  let at = 0;
  for (let i = 0; i < outer && result.length > 0; i++) {
    for (const index of indices.data) {
      const start = (i * dim + axisIn(index, dim)) * inner;
      result.set(data.data.subarray(start, start + inner), at);
      at += inner;
    }
  }
  return { ...data, shape, data: result };
}

function lowerSlice(site: Site): Constant {
  const data = constantAt(site, 0, "data");
  const starts = integersAt(site, 1, "starts") ?? malformed("it has no starts");
  const ends = integersAt(site, 2, "ends") ?? malformed("it has no ends");
  const axes = axesIn(integersAt(site, 3, "axes") ?? starts.map((_, i) => i), data.shape.length);
  const steps = integersAt(site, 4, "steps") ?? starts.map(() => 1);
  if (new Set([starts.length, ends.length, axes.length, steps.length]).size > 1)
    malformed("its lists differ in length");
  const shape = [...data.shape];
  const strides = stridesOf(data.shape);
  let offset = 0;
  axes.forEach((axis, i) => {
    const dim = data.shape[axis] as number;
    const step = steps[i] as number;
    if (step === 0 || !Number.isSafeInteger(step)) malformed(`it has a step of ${step}`);
    const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + dim : v, low), high);
    const start = step > 0 ? clamp(starts[i] as number, 0, dim) : clamp(starts[i] as number, 0, dim - 1);
    const end = step > 0 ? clamp(ends[i] as number, 0, dim) : clamp(ends[i] as number, -1, dim - 1);
    shape[axis] = Math.max(0, Math.ceil((end - start) / step));
    offset += start * (strides[axis] as number);
    strides[axis] = (strides[axis] as number) * step;
  });
  site.draft.budget(sizeOf(shape), "a sliced constant");
  const part = sizeOf(shape) === 0 ? new Float64Array() : gathered(data.data, shape, strides, offset);
  return { ...data, shape, data: part };
}

function lowerShape(site: Site): Constant {
  const shape = valueAt(site, 0).shape;
  const clamp = (v: number): number => Math.min(Math.max(v < 0 ? v + shape.length : v, 0), shape.length);
  const part = shape.slice(clamp(intOf(site, "start", 0)), clamp(intOf(site, "end", shape.length)));
  return { kind: "constant", type: "int64", shape: [part.length], data: Float64Array.from(part) };
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

function lowerRange(site: Site): Constant {
  const type = constantAt(site, 0, "start").type;
  if (integerRange(type) === undefined) unsupported(`it counts in ${type}`, "Only integer ranges are folded.");
  const [start, limit, delta] = ["start", "limit", "delta"].map((what, i) => {
    return scalarAt(site, i, what);
  }) as [number, number, number];
  const size = Math.max(0, Math.ceil((limit - start) / delta));
  if (![start, limit, delta, size].every(Number.isSafeInteger)) {
    malformed(`it counts from ${start} to ${limit} by ${delta}`);
  }
  site.draft.budget(size, "a constant made by Range");
  const data = Float64Array.from({ length: size }, (_, i) => start + i * delta);
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
  Gather: { inputs: [2, 2], attributes: { axis: { kind: "int" } }, limits: onConstants, lower: lowerGather },
  Range: { inputs: [3, 3], attributes: {}, limits: `integers, ${onConstants}`, lower: lowerRange },
  Shape: {
    inputs: [1, 1],
    attributes: { start: { kind: "int", since: 15 }, end: { kind: "int", since: 15 } },
    limits: "",
    lower: lowerShape,
  },
  Slice: { inputs: [3, 5], attributes: {}, limits: onConstants, lower: lowerSlice },
} satisfies Record<string, OpRule>;
