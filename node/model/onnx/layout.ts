// Ops that move elements and compute nothing: on constants they fold, on tensors of the graph they become reshape,
// transpose, concat and pad, or nothing at all.
import { sizeOf } from "../../core/tensor.ts";
import { type Constant } from "./constant.ts";
import { emit, reshape, sameShape, transpose, type Value } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import {
  axesIn,
  axisIn,
  flagOf,
  integersAt,
  intOf,
  intsOf,
  needSameType,
  type OpRule,
  optionalConstant,
  scalarAt,
  type Site,
  stringOf,
  valueAt,
} from "./site.ts";

function view(site: Site, shape: readonly number[]): Value {
  return reshape(site.draft, site.name, valueAt(site, 0), shape);
}

function lowerReshape(site: Site): Value {
  const from = valueAt(site, 0).shape;
  const wanted = integersAt(site, 1, "shape") ?? malformed("it has no shape");
  const keepZero = flagOf(site, "allowzero", false);
  const shape = wanted.map((dim, axis) => {
    if (dim !== 0 || keepZero) return dim;
    return from[axis] ?? malformed(`its shape copies axis ${axis}, which its input lacks`);
  });
  const open = shape.indexOf(-1);
  if (shape.some((dim, i) => dim < 0 && i !== open)) malformed(`its shape is [${wanted.join(", ")}]`);
  if (open < 0) return view(site, shape);
  const rest = sizeOf(shape.toSpliced(open, 1));
  const size = sizeOf(from);
  if (rest === 0 || size % rest !== 0) malformed(`[${from.join(", ")}] does not take the shape [${wanted.join(", ")}]`);
  return view(site, shape.with(open, size / rest));
}

function lowerFlatten(site: Site): Value {
  const { shape } = valueAt(site, 0);
  const axis = axisIn(intOf(site, "axis", 1), shape.length, true);
  return view(site, [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))]);
}

/** An attribute up to opset 12, input 1 from 13 on. */
function axesOf(site: Site): readonly number[] | undefined {
  return intsOf(site, "axes") ?? integersAt(site, 1, "axes");
}

function lowerSqueeze(site: Site): Value {
  const { shape } = valueAt(site, 0);
  const given = axesOf(site);
  const axes = given === undefined ? shape.flatMap((dim, i) => (dim === 1 ? i : [])) : axesIn(given, shape.length);
  const wide = axes.find((axis) => shape[axis] !== 1);
  if (wide !== undefined) malformed(`it squeezes axis ${wide} of [${shape.join(", ")}], which is not 1`);
  return view(site, shape.filter((_, i) => !axes.includes(i))); // prettier-ignore
}

function lowerUnsqueeze(site: Site): Value {
  const { shape } = valueAt(site, 0);
  const given = axesOf(site) ?? malformed("it has no axes");
  const axes = axesIn(given, shape.length + given.length);
  const rest = shape.values();
  const rank = shape.length + axes.length;
  return view(site, Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (rest.next().value as number)))); // prettier-ignore
}

function lowerTranspose(site: Site): Value {
  const x = valueAt(site, 0);
  const given = intsOf(site, "perm") ?? x.shape.map((_, i) => x.shape.length - 1 - i);
  if (given.length !== x.shape.length || !given.toSorted((a, b) => a - b).every((axis, i) => axis === i)) {
    malformed(`its perm [${given.join(", ")}] is no order of the axes of [${x.shape.join(", ")}]`);
  }
  return transpose(site.draft, site.name, x, given);
}

function lowerConcat(site: Site): Value {
  const values = site.inputs.map((_, i) => valueAt(site, i));
  const first = valueAt(site, 0);
  if (!site.attributes.has("axis")) malformed("it has no axis");
  const axis = axisIn(intOf(site, "axis", 0), first.shape.length);
  for (const value of values) {
    needSameType(first, value);
    const fits = value.shape.length === first.shape.length;
    if (!fits || !sameShape(value.shape.with(axis, 0), first.shape.with(axis, 0))) {
      malformed(`[${first.shape.join(", ")}] and [${value.shape.join(", ")}] do not join along axis ${axis}`);
    }
  }
  const total = values.reduce((sum, value) => sum + (value.shape[axis] as number), 0);
  const shape = first.shape.with(axis, total);
  if (first.kind === "constant") return concatConstants(site, values, axis, shape);
  const xs = values.map((value) => (value.kind === "activation" ? value.ref : mixedConcat()));
  return { ...first, ref: emit(site.draft, { op: "concat", xs, axis, shape, name: site.name }), shape };
}

function mixedConcat(): never {
  return unsupported(
    "it joins a constant to values that depend on the model's input",
    "Make room with Pad and add the constant.",
  );
}

function concatConstants(site: Site, values: readonly Value[], axis: number, shape: readonly number[]): Constant {
  const parts = values.map((value) => (value.kind === "constant" ? value : mixedConcat()));
  site.draft.budget(sizeOf(shape), "a joined constant");
  const data = new Float64Array(sizeOf(shape));
  const outer = sizeOf(shape.slice(0, axis));
  let at = 0;
  for (let i = 0; i < outer && data.length > 0; i++) {
    for (const part of parts) {
      const run = part.data.length / outer;
      data.set(part.data.subarray(i * run, (i + 1) * run), at);
      at += run;
    }
  }
  return { ...(parts[0] as Constant), shape, data };
}

function lowerPad(site: Site): Value {
  const x = valueAt(site, 0);
  if (x.kind === "constant") return unsupported("it pads a constant", "Fold constants first, with onnxsim.");
  const mode = stringOf(site, "mode", "constant");
  if (mode !== "constant") unsupported(`its mode is ${quote(mode)}`, "Only constant padding is read.");
  const given = integersAt(site, 1, "pads") ?? malformed("it has no pads");
  const rank = x.shape.length;
  const axes = axesIn(integersAt(site, 3, "axes") ?? x.shape.map((_, i) => i), rank);
  if (given.length !== 2 * axes.length) malformed(`it has ${given.length} pads for ${axes.length} axes`);
  if (given.some((pad) => pad < 0)) unsupported("it has negative pads, which crop", "Crop outside the model.");
  const pads = new Array<number>(2 * rank).fill(0);
  axes.forEach((axis, i) => {
    pads[axis] = given[i] as number;
    pads[rank + axis] = given[axes.length + i] as number;
  });
  const shape = x.shape.map((dim, i) => dim + (pads[i] as number) + (pads[rank + i] as number));
  const value = scalarAt(site, 2, "constant_value") ?? 0;
  if (Number.isNaN(value) || value === Infinity) unsupported(`it pads with ${value}`);
  return { ...x, ref: emit(site.draft, { op: "pad", x: x.ref, pads, value, shape, name: site.name }), shape };
}

function lowerDropout(site: Site): Value {
  const training = optionalConstant(site, 2, "training_mode");
  if (training?.data.some((flag) => flag !== 0)) {
    unsupported("its training_mode is true", "Export the model for inference (model.eval()).");
  }
  return valueAt(site, 0);
}

const axesRule = { axes: { kind: "ints", until: 12 } } as const;

export const LAYOUT_RULES = {
  Concat: {
    inputs: [1, Infinity],
    attributes: { axis: { kind: "int" } },
    limits: "constants with constants, tensors with tensors",
    lower: lowerConcat,
  },
  Dropout: {
    inputs: [1, 3],
    outputs: 2,
    attributes: { ratio: { kind: "float", until: 11 }, seed: { kind: "int", since: 12 } },

    limits: "inference only, mask output unused",
    lower: lowerDropout,
  },
  Flatten: { inputs: [1, 1], attributes: { axis: { kind: "int" } }, limits: "", lower: lowerFlatten },
  Identity: { inputs: [1, 1], attributes: {}, limits: "", lower: (site) => valueAt(site, 0) },
  Pad: {
    inputs: [2, 4],
    attributes: { mode: { kind: "string" } },
    limits: "mode constant, pads not negative",
    lower: lowerPad,
  },
  Reshape: {
    inputs: [2, 2],
    attributes: { allowzero: { kind: "int", since: 14 } },

    limits: "constant shape",
    lower: lowerReshape,
  },
  Squeeze: { inputs: [1, 2], attributes: axesRule, limits: "constant axes", lower: lowerSqueeze },
  Transpose: {
    inputs: [1, 1],
    attributes: { perm: { kind: "ints" } },
    limits: "",
    lower: lowerTranspose,
  },
  Unsqueeze: { inputs: [1, 2], attributes: axesRule, limits: "constant axes", lower: lowerUnsqueeze },
} satisfies Record<string, OpRule>;
