// Ops that move elements and compute nothing: on constants they fold, on tensors of the graph they become reshape,
// transpose, concat and pad, or nothing at all.
import { sizeOf } from "../../core/tensor.ts";
import { type Constant } from "./constant.ts";
import { type Activation, affine, emit, reshape, sameShape, transpose, type Value } from "./draft.ts";
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
  const given = axesOf(site) ?? [];
  const axes = given.length === 0 ? shape.flatMap((dim, i) => (dim === 1 ? i : [])) : axesIn(given, shape.length);
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
  const constants = values.filter((value) => value.kind === "constant");
  if (constants.length === values.length) return concatConstants(site, constants, axis, shape);
  const joined = joinTensors(site, values, axis, shape);
  return { ...joined, shape };
}

/** Constants among tensors of the graph: the tensors are padded to make room, and the constants are added there. */
function joinTensors(site: Site, values: readonly Value[], axis: number, shape: readonly number[]): Activation {
  const { draft, name } = site;
  const tensors = values.filter((value) => value.kind === "activation");
  const concat = (xs: readonly number[], whole: readonly number[]): Activation => ({
    ...(tensors[0] as Activation),
    ref: emit(draft, { op: "concat", xs, axis, shape: whole, name }),
    shape: whole,
  });
  if (tensors.length === values.length) return concat(tensors.map(({ ref }) => ref), shape); // prettier-ignore
  const lengths = values.map((value) => value.shape[axis] as number);
  const begins = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
  const room = values.flatMap((value, i): number[] => {
    if (value.kind === "constant") return [];
    const pads = new Array<number>(2 * shape.length).fill(0);
    pads[axis] = begins[i] as number;
    pads[shape.length + axis] = (shape[axis] as number) - (begins[i] as number) - (lengths[i] as number);
    return [emit(draft, { op: "pad", x: value.ref, pads, value: 0, shape, name: `${name}/room` })];
  });
  const xs = room.length === 1 ? (room[0] as number) : emit(draft, { op: "sum", xs: room, factors: room.map(() => 1), shape, name: `${name}/join` }); // prettier-ignore
  const zeros = (value: Value): Constant =>
    value.kind === "constant" ? value : { kind: "constant", type: value.type, shape: value.shape, data: new Float64Array(sizeOf(value.shape)) }; // prettier-ignore
  const bias = concatConstants(site, values.map(zeros), axis, shape);
  return affine(draft, `${name}/constants`, { ...(tensors[0] as Activation), ref: xs, shape }, 1, bias);
}

function concatConstants(site: Site, parts: readonly Constant[], axis: number, shape: readonly number[]): Constant {
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

/** Blocks of channels become blocks of the plane (to space), or the other way round. */
function lowerBlocks(site: Site, toSpace: boolean): Value {
  const x = valueAt(site, 0);
  const size = intOf(site, "blocksize", 0);
  const mode = stringOf(site, "mode", "DCR");
  if (x.shape.length !== 4) malformed(`its input has ${x.shape.length} dimensions, not 4`);
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const fits = toSpace ? c % (size * size) === 0 : h % size === 0 && w % size === 0;
  if (size < 1 || !fits) malformed(`its blocksize of ${size} does not fit [${x.shape.join(", ")}]`);
  if (mode !== "DCR" && mode !== "CRD") malformed(`its mode is ${quote(mode)}`);
  const [depth, rows, columns] = toSpace ? [c / size ** 2, h * size, w * size] : [c * size ** 2, h / size, w / size];
  const columnFirst = mode === "CRD";
  const split = toSpace
    ? columnFirst
      ? [n, depth, size, size, h, w]
      : [n, size, size, depth, h, w]
    : [n, c, rows, size, columns, size];
  const perm = toSpace ? (columnFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]) : [0, 3, 5, 1, 2, 4];
  const parts = transpose(site.draft, `${site.name}/turn`, reshape(site.draft, `${site.name}/split`, x, split), perm);
  return reshape(site.draft, site.name, parts, [n, depth, rows, columns]);
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
    limits: "",
    lower: lowerConcat,
  },
  DepthToSpace: {
    inputs: [1, 1],
    attributes: { blocksize: { kind: "int" }, mode: { kind: "string" } },
    limits: "",
    lower: (site) => lowerBlocks(site, true),
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
  Reshape: {
    inputs: [2, 2],
    attributes: { allowzero: { kind: "int", since: 14 } },

    limits: "constant shape",
    lower: lowerReshape,
  },
  SpaceToDepth: {
    inputs: [1, 1],
    attributes: { blocksize: { kind: "int" } },
    limits: "",
    lower: (site) => lowerBlocks(site, false),
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
