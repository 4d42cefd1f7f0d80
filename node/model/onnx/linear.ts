// Gemm, MatMul, Conv and BatchNormalization: everything becomes dense, conv and affine nodes with constant weights.
import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { Constant } from "./constant.ts";
import {
  type Activation,
  affine,
  broadcastShape,
  reshape,
  sameShape,
  spread,
  spreadTensor,
  tensorOf,
  transpose,
  type Value,
} from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import {
  activationAt,
  constantAt,
  finite,
  flagOf,
  floatOf,
  intOf,
  intsOf,
  needFloat,
  needSameType,
  type OpRule,
  optionalConstant,
  type Site,
  valueAt,
} from "./site.ts";
import { planeOf, unlift, windowsOf } from "./window.ts";

/** x[..., K] times a K x N constant, plus bias. */
function dense(site: Site, x: Activation, weights: Constant, bias?: Float64Array): Activation {
  needFloat(x.type);
  const [inner, outer] = weights.shape as [number, number];
  if (x.shape.at(-1) !== inner) {
    malformed(`[${x.shape.join(", ")}] does not multiply [${weights.shape.join(", ")}]: inner sizes differ`);
  }
  const shape = x.shape.with(-1, outer);
  const data = finite(weights.data, "weights");
  site.draft.budget(outer + data.length, "its weights");
  const node = { op: "dense", x: x.ref, weights: data, bias: bias ?? new Float64Array(outer), shape, name: site.name };
  return tensorOf(site.draft, node as Parameters<typeof tensorOf>[1], x.type);
}

function swapLast(shape: Shape): number[] {
  const perm = shape.map((_, i) => i);
  return [...perm.slice(0, -2), shape.length - 1, shape.length - 2];
}

/** constant[M, K] times x[..., K, N]: the transpose of x^T times constant^T. */
function denseFromLeft(site: Site, constant: Constant, x: Activation): Activation {
  const turned = transpose(site.draft, `${site.name}/turn`, x, swapLast(x.shape));
  const y = dense(site, turned, transpose(site.draft, "", constant, [1, 0]));
  return transpose(site.draft, `${site.name}/turn-back`, y, swapLast(y.shape));
}

function twoTensors(): never {
  return unsupported(
    "it multiplies two values that both depend on the model's input",
    "Only products with constants are read.",
  );
}

function lowerMatMul(site: Site): Value {
  const [a, b] = [valueAt(site, 0), valueAt(site, 1)];
  needSameType(a, b);
  if (a.shape.length === 0 || b.shape.length === 0) malformed("it multiplies a scalar");
  if (a.kind === "activation" && b.kind === "activation") return twoTensors();
  if (a.kind === "constant" && b.kind === "constant") return activationAt(site, 0);
  const [constant, x] = (a.kind === "constant" ? [a, b] : [b, a]) as [Constant, Activation];
  if (sizeOf(constant.shape.slice(0, -2)) !== 1) {
    unsupported(
      `its constant is a batch of matrices, [${constant.shape.join(", ")}]`,
      "Only a single matrix is read; use one MatMul for each.",
    );
  }
  // A vector is a row on the left and a column on the right; its axis leaves the result. Leading ones of the constant
  // lift the result's rank.
  const left = constant === a;
  const matrix = (v: Value, onLeft: boolean): Shape => (v.shape.length > 1 ? v.shape : onLeft ? [1, ...v.shape] : [...v.shape, 1]); // prettier-ignore
  const weights = reshape(site.draft, "", constant, matrix(constant, left).slice(-2));
  const input = reshape(site.draft, `${site.name}/matrix`, x, matrix(x, !left));
  const y = left ? denseFromLeft(site, weights, input) : dense(site, input, weights);
  const rank = Math.max(matrix(constant, left).length, y.shape.length);
  const full = [...new Array<number>(rank - y.shape.length).fill(1), ...y.shape];
  const dropped = full.filter((_, i) => !(i === rank - 2 && a.shape.length === 1) && !(i === rank - 1 && b.shape.length === 1)); // prettier-ignore
  return reshape(site.draft, `${site.name}/shape`, y, dropped);
}

function scaled(site: Site, constant: Constant, factor: number): Constant {
  if (factor === 1) return constant;
  site.draft.budget(constant.data.length, "scaled weights");
  return { ...constant, data: constant.data.map((v) => v * factor) };
}

/** alpha * A' * B' + beta * C, where ' is the optional transposition. */
function lowerGemm(site: Site): Value {
  const [a, b] = [valueAt(site, 0), valueAt(site, 1)];
  needSameType(a, b);
  if (a.shape.length !== 2 || b.shape.length !== 2) malformed("its inputs A and B are not matrices");
  if (a.kind === "activation" && b.kind === "activation") return twoTensors();
  const { draft, name } = site;
  const [alpha, beta] = [floatOf(site, "alpha", 1), floatOf(site, "beta", 1)];
  const turned = <V extends Value>(value: V, flag: string): V =>
    flagOf(site, flag, false) ? transpose(draft, `${name}/${flag}`, value, [1, 0]) : value;
  const [left, right] = [turned(a, "transA"), turned(b, "transB")];
  if (right.kind === "constant" && left.kind === "activation") {
    const weights = scaled(site, right, alpha);
    const c = site.inputs[2];
    const rows = c?.kind === "constant" ? sizeOf(c.shape.slice(0, -1)) : 0;
    if (c?.kind === "constant" && rows === 1 && c.shape.length <= 2) {
      needSameType(a, c);
      const outer = right.shape[1] as number;
      const bias = spread(draft, scaled(site, c, beta), c.shape.length === 2 ? [1, outer] : [outer]);
      return dense(site, left, weights, finite(bias, "bias"));
    }
    return addC(site, dense(site, left, weights), beta);
  }
  if (left.kind === "constant" && right.kind === "activation") {
    return addC(site, denseFromLeft(site, scaled(site, left, alpha), right), beta);
  }
  return activationAt(site, 0);
}

function addC(site: Site, y: Activation, beta: number): Activation {
  const c = site.inputs[2];
  if (c === undefined || beta === 0) return y;
  needSameType(y, c);
  if (!sameShape(broadcastShape(c.shape, y.shape), y.shape)) {
    malformed(`its input C, [${c.shape.join(", ")}], does not broadcast to [${y.shape.join(", ")}]`);
  }
  const name = `${site.name}/add`;
  if (c.kind === "constant") return affine(site.draft, name, y, 1, scaled(site, c, beta));
  const wide = spreadTensor(site.draft, `${name}/repeat`, c, y.shape);
  const node = { op: "sum", xs: [y.ref, wide.ref], factors: [1, beta], shape: y.shape, name } as const;
  return tensorOf(site.draft, node, y.type);
}

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
  if (variance.some((v) => !(v + epsilon > 0))) unsupported("its variance is not positive");
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
  Gemm: {
    inputs: [2, 3],
    attributes: {
      alpha: { kind: "float" },
      beta: { kind: "float" },
      transA: { kind: "int" },
      transB: { kind: "int" },
    },
    limits: "A or B constant",
    lower: lowerGemm,
  },
  MatMul: { inputs: [2, 2], attributes: {}, limits: "one side a single constant matrix or vector", lower: lowerMatMul },
} satisfies Record<string, OpRule>;
