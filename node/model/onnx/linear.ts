// Conv, ConvTranspose and BatchNormalization: conv and affine nodes with constant weights.
import type { Constant } from "./constant.ts";
import { type Activation, affine, emit, reshape, tensorOf } from "./draft.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import {
  activationAt,
  constantAt,
  finite,
  flagOf,
  floatOf,
  intOf,
  intsOf,
  needSameType,
  type OpRule,
  optionalConstant,
  type Site,
  stringOf,
} from "./site.ts";
import { counted, pick } from "./take.ts";
import { type Plane, planeOf, unlift, windowsOf } from "./window.ts";

function lowerConv(site: Site): Activation {
  const plane = planeOf(site);
  const w = constantAt(site, 1, "weights");
  const b = optionalConstant(site, 2, "bias");
  needSameType(plane.x, w);
  if (b !== undefined) needSameType(plane.x, b);
  const rank = plane.flat ? 1 : 2;
  if (w.shape.length !== rank + 2) malformed(`its weights have the shape [${w.shape.join(", ")}]`);
  const [maps, depth, ...kernel] = w.shape as [number, number, ...number[]];
  const declared = intsOf(site, "kernel_shape") ?? kernel;
  if (declared.length !== rank || declared.some((k, i) => k !== kernel[i])) {
    malformed(`its kernel_shape [${declared.join(", ")}] is not that of its weights, [${kernel.join(", ")}]`);
  }
  const group = intOf(site, "group", 1);
  const channels = plane.x.shape[1] as number;
  if (group < 1 || channels !== depth * group || maps % group !== 0) {
    malformed(`its ${channels} channels, ${group} group(s) and weights [${w.shape.join(", ")}] do not fit together`);
  }
  if (b !== undefined && (b.shape.length !== 1 || b.shape[0] !== maps)) malformed(`its bias is not ${maps} values`);
  const { pads, strides, dilations, out, kernel: size } = windowsOf(site, plane, kernel);
  site.draft.budget(maps + w.data.length, "its weights");
  const y = tensorOf(
    site.draft,
    {
      op: "conv",
      x: plane.x.ref,
      weights: finite(w.data, "weights"),
      weightShape: [maps, depth, ...size],
      bias: b === undefined ? new Float64Array(maps) : finite(b.data, "bias"),
      strides,
      pads,
      dilations,
      group,
      shape: [1, maps, ...out],
      name: site.name,
    },
    plane.x.type,
  );
  return unlift(site, plane, y);
}

interface Span {
  readonly begin: number;
  readonly out: number;
}

/** Padding before each axis and size of the result, by ONNX's formulas; all in order of the op's own spatial axes. */
function transposedSpans(site: Site, dims: readonly number[], kernel: readonly number[]): readonly Span[] {
  const rank = dims.length;
  const list = (name: string, length: number, fallback: number, least: number): readonly number[] => {
    const given = intsOf(site, name) ?? new Array<number>(length).fill(fallback);
    if (given.length === length && given.every((v) => v >= least && v < 2 ** 31)) return given;
    return malformed(`attribute "${name}" is [${given.join(", ")}], not ${length} number(s) of ${least} or more`);
  };
  const strides = list("strides", rank, 1, 1);
  const dilations = list("dilations", rank, 1, 1);
  const pads = list("pads", 2 * rank, 0, 0);
  const extra = list("output_padding", rank, 0, 0);
  const sizes = intsOf(site, "output_shape");
  const auto = stringOf(site, "auto_pad", "NOTSET");
  if (!["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"].includes(auto)) malformed(`its auto_pad is ${quote(auto)}`);
  if (sizes !== undefined && sizes.length !== rank) malformed(`its output_shape is [${sizes.join(", ")}]`);
  return dims.map((dim, i) => {
    const reach = (dim - 1) * (strides[i] as number) + ((kernel[i] as number) - 1) * (dilations[i] as number) + 1;
    const whole = reach + (extra[i] as number);
    if (sizes === undefined && !auto.startsWith("SAME")) {
      const [begin, end] = auto === "VALID" ? [0, 0] : [pads[i] as number, pads[rank + i] as number];
      return { begin, out: whole - begin - end };
    }
    // Where strides are wider than the kernel, padding of SAME would have to be negative: onnxruntime adds none.
    const out = sizes?.[i] ?? Math.min(whole, dim * (strides[i] as number));
    const cut = Math.max(0, whole - out);
    return { begin: auto === "SAME_UPPER" ? Math.floor(cut / 2) : Math.ceil(cut / 2), out };
  });
}

/** x with stride - 1 zeros behind each element of its plane. */
function stuffed(site: Site, plane: Plane, strides: readonly [number, number]): Activation {
  const { x } = plane;
  if (strides[0] === 1 && strides[1] === 1) return x;
  const { draft, name } = site;
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const cells = reshape(draft, `${name}/cells`, x, [1, channels, height, 1, width, 1]);
  const shape = [1, channels, height, strides[0], width, strides[1]];
  const pads = [0, 0, 0, 0, 0, 0, 0, 0, 0, strides[0] - 1, 0, strides[1] - 1];
  const wide = { op: "pad", x: cells.ref, pads, value: 0, shape, name: `${name}/stuff` } as const;
  const whole = [1, channels, height * strides[0], width * strides[1]];
  return reshape(draft, `${name}/stuffed`, { ...x, ref: emit(draft, wide), shape }, whole);
}

/** A convolution of the zero-stuffed input with the weights turned round. */
function lowerConvTranspose(site: Site): Activation {
  const plane = planeOf(site);
  const w = constantAt(site, 1, "weights");
  const b = optionalConstant(site, 2, "bias");
  for (const part of [w, b]) if (part !== undefined) needSameType(plane.x, part);
  const rank = plane.flat ? 1 : 2;
  if (w.shape.length !== rank + 2) malformed(`its weights have the shape [${w.shape.join(", ")}]`);
  const [channels, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
  const group = intOf(site, "group", 1);
  if (group < 1 || channels % group !== 0 || plane.x.shape[1] !== channels) {
    malformed(`its ${plane.x.shape[1]} channels, ${group} group(s) and weights [${w.shape.join(", ")}] do not fit`);
  }
  const declared = intsOf(site, "kernel_shape") ?? kernel;
  if (declared.length !== rank || declared.some((k, i) => k !== kernel[i])) {
    malformed(`its kernel_shape [${declared.join(", ")}] is not that of its weights, [${kernel.join(", ")}]`);
  }
  const maps = perGroup * group;
  if (b !== undefined && (b.shape.length !== 1 || b.shape[0] !== maps)) malformed(`its bias is not ${maps} values`);
  const pair = (list: readonly number[], whole: number): [number, number] =>
    (plane.flat ? [whole, ...list] : list) as [number, number];
  const [kh, kw] = pair(kernel, 1);
  const strides = pair(intsOf(site, "strides") ?? kernel.map(() => 1), 1);
  const dilations = pair(intsOf(site, "dilations") ?? kernel.map(() => 1), 1);
  const spans = transposedSpans(site, plane.x.shape.slice(plane.flat ? 3 : 2), kernel);
  const [rows, columns] = (plane.flat ? [{ begin: 0, out: 1 }, ...spans] : spans) as [Span, Span];
  if (rows.out < 1 || columns.out < 1) malformed("its pads leave nothing");
  const { draft, name } = site;
  const wide = stuffed(site, plane, strides);
  // Where pads are wider than the kernel's reach, or the last zeros are too many, the input is cropped.
  const [, , height, width] = wide.shape as [number, number, number, number];
  const begins = [(kh - 1) * dilations[0] - rows.begin, (kw - 1) * dilations[1] - columns.begin] as const;
  const ends = [
    rows.out - 1 + (kh - 1) * dilations[0] + 1 - height - begins[0],
    columns.out - 1 + (kw - 1) * dilations[1] + 1 - width - begins[1],
  ] as const;
  const kept = ([height, width] as const).map((dim, i) => {
    const [from, cut] = [Math.max(0, -(begins[i] as number)), Math.max(0, -(ends[i] as number))];
    if (from + cut >= dim) malformed("its pads leave nothing of its input");
    return from + cut === 0 ? undefined : counted(from, dim - from - cut);
  });
  const cropped = pick(draft, `${name}/crop`, wide, [undefined, undefined, ...kept]);
  draft.budget(maps + w.data.length, "its weights");
  const taps = kh * kw;
  const depth = channels / group;
  const weights = Float64Array.from({ length: maps * depth * taps }, (_, i) => {
    const [map, c, tap] = [Math.floor(i / (depth * taps)), Math.floor(i / taps) % depth, i % taps];
    const from = Math.floor(map / perGroup) * depth + c;
    return w.data[(from * perGroup + (map % perGroup)) * taps + (taps - 1 - tap)] as number;
  });
  const node = {
    op: "conv",
    x: cropped.ref,
    weights: finite(weights, "weights"),
    weightShape: [maps, depth, kh, kw],
    bias: b === undefined ? new Float64Array(maps) : finite(b.data, "bias"),
    strides: [1, 1],
    pads: [Math.max(0, begins[0]), Math.max(0, begins[1]), Math.max(0, ends[0]), Math.max(0, ends[1])],
    dilations,
    group,
    shape: [1, maps, rows.out, columns.out],
    name,
  } as const;
  return unlift(site, plane, tensorOf(draft, node, plane.x.type));
}

function lowerBatchNormalization(site: Site): Activation {
  const x = activationAt(site, 0);
  if (flagOf(site, "training_mode", false)) {
    unsupported("its training_mode is 1", "Export the model for inference (model.eval()).");
  }
  const channels = x.shape[1] ?? malformed("its input has no channels");
  const [scale, shift, mean, variance] = ["scale", "B", "mean", "var"].map((what, i) => {
    const constant = constantAt(site, i + 1, what);
    if (constant.shape.length !== 1 || constant.shape[0] !== channels) {
      malformed(`its ${what} has the shape [${constant.shape.join(", ")}] for ${channels} channels`);
    }
    return finite(constant.data, what);
  }) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const epsilon = floatOf(site, "epsilon", 1e-5);
  if (variance.some((v) => !(v + epsilon > 0))) unsupported("its variance is not positive", "Check the training.");
  const factor = scale.map((s, i) => s / Math.sqrt((variance[i] as number) + epsilon));
  const bias = shift.map((s, i) => s - (mean[i] as number) * (factor[i] as number));
  const shape = [channels, ...new Array<number>(x.shape.length - 2).fill(1)];
  const constant = (data: Float64Array): Constant => ({ kind: "constant", type: "float64", shape, data });
  return affine(site.draft, site.name, x, constant(factor), constant(bias));
}

export const windowAttributes = {
  auto_pad: { kind: "string" },
  dilations: { kind: "ints" },
  kernel_shape: { kind: "ints" },
  pads: { kind: "ints" },
  strides: { kind: "ints" },
} as const;

export const LINEAR_RULES = {
  BatchNormalization: {
    inputs: [5, 5],
    outputs: 5,
    attributes: { epsilon: { kind: "float" }, momentum: { kind: "float" }, training_mode: { kind: "int", since: 14 } },
    limits: "inference only, constant parameters",
    lower: lowerBatchNormalization,
  },
  Conv: {
    inputs: [2, 3],
    attributes: { ...windowAttributes, group: { kind: "int" } },
    limits: "1-D and 2-D, constant weights and bias",
    lower: lowerConv,
  },
  ConvTranspose: {
    inputs: [2, 3],
    attributes: {
      ...windowAttributes,
      group: { kind: "int" },
      output_padding: { kind: "ints" },
      output_shape: { kind: "ints" },
    },
    limits: "1-D and 2-D, constant weights and bias",
    lower: lowerConvTranspose,
  },
} satisfies Record<string, OpRule>;
