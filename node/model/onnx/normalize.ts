// Normalizations over rows that depend on the input: each is one normalize node over a last axis, then an affine map of
// constants. (BatchNormalization, whose statistics are constants, is in linear.ts.)
import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { Constant } from "./constant.ts";
import { type Activation, affine, broadcastShape, reshape, sameShape, tensorOf, transpose } from "./draft.ts";
import { malformed } from "./problems.ts";
import { activationAt, axesIn, axisIn, constantAt, finite, floatOf, intOf, intsOf, type OpRule, optionalConstant, type Site } from "./site.ts"; // prettier-ignore
import { linear, times, toFront, toLast } from "./rows.ts";
import { counted } from "./take.ts";

/** x normalized over rows that reshaping to `rows` brings to the last axis; in x's own shape. */
function normalized(site: Site, x: Activation, rows: Shape, epsilon: number, centered = true): Activation {
  const { draft, name } = site;
  if (!(epsilon >= 0)) malformed(`its epsilon is ${epsilon}`);
  const view = reshape(draft, `${name}/rows`, x, rows);
  const node = { op: "normalize", x: view.ref, epsilon, centered, shape: rows, name } as const;
  return reshape(draft, `${name}/shape`, tensorOf(draft, node, x.type), x.shape);
}

/** Scale and bias of one value per index of an axis, or of any shape that broadcasts. */
function scaled(site: Site, y: Activation, scale: Constant | undefined, bias: Constant | undefined): Activation {
  for (const part of [scale, bias]) if (part !== undefined) finite(part.data, "scale or bias");
  if (scale === undefined && bias === undefined) return y;
  const shape = [scale, bias].reduce<Shape>((whole, part) => broadcastShape(whole, part?.shape ?? []), y.shape);
  if (!sameShape(shape, y.shape)) malformed(`its scale or bias does not broadcast to [${y.shape.join(", ")}]`);
  return affine(site.draft, `${site.name}/scale`, y, scale ?? 1, bias ?? 0);
}

/** A list of one value per channel, to be broadcast over what follows the channel axis. */
function perChannel(site: Site, x: Activation, index: number, what: string, count: number, each = 1): Constant {
  const constant = constantAt(site, index, what);
  if (constant.shape.length !== 1 || constant.shape[0] !== count) {
    malformed(`its ${what} has the shape [${constant.shape.join(", ")}], not [${count}]`);
  }
  const data = each === 1 ? constant.data : Float64Array.from({ length: count * each }, (_, i) => constant.data[Math.floor(i / each)] as number); // prettier-ignore
  return { ...constant, shape: [count * each, ...counted(0, x.shape.length - 2).map(() => 1)], data };
}

function channelsOf(x: Activation): { readonly batch: number; readonly channels: number; readonly rest: number } {
  const [batch, channels, ...rest] = x.shape;
  if (batch === undefined || channels === undefined) malformed("its input has no channels");
  return { batch, channels, rest: sizeOf(rest) };
}

function lowerInstanceNormalization(site: Site): Activation {
  const x = activationAt(site, 0);
  const { batch, channels, rest } = channelsOf(x);
  const y = normalized(site, x, [batch, channels, rest], floatOf(site, "epsilon", 1e-5));
  return scaled(site, y, perChannel(site, x, 1, "scale", channels), perChannel(site, x, 2, "B", channels));
}

/** Scale and bias belong to groups up to opset 20, to channels from 21 on. */
function lowerGroupNormalization(site: Site): Activation {
  const x = activationAt(site, 0);
  const { batch, channels, rest } = channelsOf(x);
  const groups = intOf(site, "num_groups", 0);
  if (groups < 1 || channels % groups !== 0) malformed(`its ${groups} groups do not divide ${channels} channels`);
  const inner = channels / groups;
  const y = normalized(site, x, [batch, groups, inner * rest], floatOf(site, "epsilon", 1e-5));
  const [count, each] = site.opset < 21 ? [groups, inner] : [channels, 1];
  return scaled(site, y, perChannel(site, x, 1, "scale", count, each), perChannel(site, x, 2, "bias", count, each));
}

/** LayerNormalization and RMSNormalization: over all axes from `axis` on. */
function lowerLayerNormalization(site: Site, centered: boolean): Activation {
  const x = activationAt(site, 0);
  const axis = axisIn(intOf(site, "axis", -1), x.shape.length);
  const rows = [...x.shape.slice(0, axis), sizeOf(x.shape.slice(axis))];
  const y = normalized(site, x, rows, floatOf(site, "epsilon", 1e-5), centered);
  return scaled(site, y, constantAt(site, 1, "scale"), optionalConstant(site, 2, "bias"));
}

function lowerMeanVariance(site: Site): Activation {
  const x = activationAt(site, 0);
  const axes = axesIn(intsOf(site, "axes") ?? [0, 2, 3], x.shape.length);
  const kept = counted(0, x.shape.length).filter((axis) => !axes.includes(axis));
  const perm = [...kept, ...axes];
  const turned = transpose(site.draft, `${site.name}/turn`, x, perm);
  const y = normalized(site, turned, [...turned.shape.slice(0, kept.length), sizeOf(turned.shape.slice(kept.length))], 0); // prettier-ignore
  return transpose(site.draft, `${site.name}/back`, y, perm.map((_, axis) => perm.indexOf(axis))); // prettier-ignore
}

/** x / (bias + alpha / size * sum of squares over neighbouring channels)^beta */
function lowerLRN(site: Site): Activation {
  const x = activationAt(site, 0);
  const { draft, name } = site;
  const { channels } = channelsOf(x);
  const size = intOf(site, "size", 0);
  if (size < 1 || size % 2 === 0) malformed(`its size is ${size}, not odd`); // onnxruntime takes no other.
  const [alpha, beta, bias] = [floatOf(site, "alpha", 1e-4), floatOf(site, "beta", 0.75), floatOf(site, "bias", 1)];
  draft.budget(channels * channels, "the weights of a sum over channels");
  const weights = Float64Array.from({ length: channels * channels }, (_, i) => {
    const [from, to] = [Math.floor(i / channels), i % channels];
    return 2 * Math.abs(from - to) < size ? alpha / size : 0;
  });
  const squares = toLast(draft, `${name}/turn`, times(draft, `${name}/square`, x, x), 1);
  const sums = affine(draft, `${name}/bias`, linear(draft, `${name}/sum`, squares, weights, channels), 1, bias);
  const fn = ["pow", "x", -beta] as const;
  const power = tensorOf(draft, { op: "unary", x: sums.ref, fn, shape: sums.shape, name: `${name}/power` }, x.type);
  return times(draft, name, x, toFront(draft, `${name}/back`, power, 1));
}

const constants = "constant scale and bias";
const epsilon = { epsilon: { kind: "float" } } as const;

export const NORMALIZE_RULES = {
  GroupNormalization: {
    inputs: [3, 3],
    since: 18,
    attributes: { ...epsilon, num_groups: { kind: "int" }, stash_type: { kind: "int", since: 21 } },
    limits: constants,
    lower: lowerGroupNormalization,
  },
  InstanceNormalization: {
    inputs: [3, 3],
    attributes: epsilon,
    limits: constants,
    lower: lowerInstanceNormalization,
  },
  LRN: {
    inputs: [1, 1],
    attributes: { alpha: { kind: "float" }, beta: { kind: "float" }, bias: { kind: "float" }, size: { kind: "int" } },
    limits: "",
    lower: lowerLRN,
  },
  LayerNormalization: {
    inputs: [2, 3],
    outputs: 3,
    since: 17,
    attributes: { ...epsilon, axis: { kind: "int" }, stash_type: { kind: "int" } },
    limits: `${constants}; outputs Mean and InvStdDev unused`,
    lower: (site) => lowerLayerNormalization(site, true),
  },
  MeanVarianceNormalization: {
    inputs: [1, 1],
    attributes: { axes: { kind: "ints" } },
    limits: "",
    lower: lowerMeanVariance,
  },
  RMSNormalization: {
    inputs: [2, 2],
    since: 23,
    attributes: { ...epsilon, axis: { kind: "int" }, stash_type: { kind: "int" } },
    limits: constants,
    lower: (site) => lowerLayerNormalization(site, false),
  },
} satisfies Record<string, OpRule>;
