// The quantizer's rules for models that bring integers of their own: tensors that hold integers at a scale of 1 stay so
// through every op that keeps integers, and no coefficient is touched. What has no exact form falls back to linear.ts.
import { NodeError } from "../core/errors.ts";
import { add } from "./build.ts";
import type { Value } from "./build.ts";
import type { FloatConv, FloatDense, FloatGraph, FloatNode, FloatRef } from "./graph.ts";
import { valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";
import { readsOf } from "./refs.ts";

const ONE = Float64Array.of(1);

/** Does the model come with integers of its own? */
export function bringsIntegers(float: FloatGraph): boolean {
  return float.nodes.some((node) => node.op === "requantize" || ("exact" in node && node.exact === true));
}

/** Does the tensor hold integers that stand for themselves? */
export function isUnit(job: Job, ref: FloatRef): boolean {
  const { scale } = valueOf(job, ref);
  return job.integers.has(ref) && scale.length === 1 && scale[0] === 1;
}

const whole = (list: Float64Array | readonly number[]): boolean => list.every((v) => Number.isSafeInteger(v));

/** Ops that move elements or choose among them. */
const MOVING: ReadonlySet<FloatNode["op"]> = new Set(["reshape", "transpose", "concat", "take", "maxpool", "max"]);

/** Notes that a node yields integers, if it only moves them. To be called once the node has its value. */
export function keepIntegers(job: Job, node: FloatNode, ref: FloatRef): void {
  const value = valueOf(job, ref);
  if (job.integers.has(ref) || value.scale.length !== 1 || value.scale[0] !== 1) return;
  // An input as it is, or one at a power of two that is brought to its own integers by that scale.
  const scaled = node.op === "affine" && job.raw.has(ref) && valueOf(job, node.x).ref === value.ref;
  if ((node.op === "input" || scaled) && bringsIntegers(job.float)) job.integers.add(ref);
  const moves = MOVING.has(node.op) || (node.op === "pad" && Number.isInteger(node.value));
  if (moves && readsOf(node).every((x) => isUnit(job, x))) job.integers.add(ref);
}

/** y = x * factor + bias as it stands, where all of it is integers. */
export function exactAffine(job: Job, node: FloatOf<"affine">, ref: FloatRef): Value | undefined {
  if (!isUnit(job, node.x) || !whole(node.factor) || !whole(node.bias)) return undefined;
  job.integers.add(ref);
  const { op, shape, name, factor, bias } = node;
  return add(job.bench, name, { op, x: valueOf(job, node.x).ref, shape, factor, bias }, ONE);
}

/** y = sum of factor * x as it stands, where all of it is integers. */
export function exactSum(job: Job, node: FloatOf<"sum">, ref: FloatRef): Value | undefined {
  if (!whole(node.factors) || !node.xs.every((x) => isUnit(job, x))) return undefined;
  job.integers.add(ref);
  const { op, shape, name, factors } = node;
  return add(job.bench, name, { op, xs: node.xs.map((x) => valueOf(job, x).ref), shape, factors }, ONE);
}

/** y = min(max(x, lo), hi) for integers: at integer bounds. */
export function exactClip(job: Job, node: FloatOf<"clip">, ref: FloatRef): Value | undefined {
  if (!isUnit(job, node.x)) return undefined;
  job.integers.add(ref);
  const x = valueOf(job, node.x);
  const [lo, hi] = [Math.max(Math.ceil(node.lo), -(2 ** 31)), Math.min(Math.floor(node.hi), 2 ** 31 - 1)];
  const clamp = { op: "rescale", multiplier: [1], shift: [0], axis: 0, lo, hi, ties: "up" } as const;
  return add(job.bench, node.name, { ...clamp, x: x.ref, shape: node.shape }, ONE);
}

/** A dense or conv whose weights are integers of the model. @throws NodeError "unsupported" if its input holds others */
export function exactLinear(job: Job, node: FloatDense | FloatConv, ref: FloatRef): Value {
  if (!isUnit(job, node.x) || !whole(node.weights) || !whole(node.bias)) {
    throw new NodeError("unsupported", `"${node.name}" has integer weights, but what it reads is not integers`, {
      mend: "Give the model with QuantizeLinear in front of it, or the float model.",
    });
  }
  job.integers.add(ref);
  const { name, exact: _, ...kept } = node;
  const integers = { ...kept, x: valueOf(job, node.x).ref, weights: Int32Array.from(node.weights) };
  return add(job.bench, name, integers, ONE);
}
