// The quantizer's rules for models that bring integers of their own: tensors that hold integers at a scale of 1 stay so
// through every op that keeps integers, and no coefficient is touched. What has no exact form falls back to linear.ts.
import { NodeError } from "../core/errors.ts";
import { add } from "./build.ts";
import type { NewNode, Value } from "./build.ts";
import { functionOf } from "./functions.ts";
import type { FloatConv, FloatDense, FloatGraph, FloatNode, FloatRef } from "./graph.ts";
import { valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";
import { largest, smallest } from "./range.ts";
import type { Bounds } from "./range.ts";
import { readsOf } from "./refs.ts";

const ONE = Float64Array.of(1);

/** Does the model come with integers of its own? */
function bringsIntegers(float: FloatGraph): boolean {
  return float.nodes.some((node) => {
    if (node.op === "unary") return typeof node.fn === "object" && node.fn[0] === "entry";
    return node.op === "requantize" || ("exact" in node && node.exact === true);
  });
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
  if (node.op === "input" && !node.elemType.startsWith("float")) job.integers.add(ref);
  const moves = MOVING.has(node.op) || (node.op === "pad" && Number.isInteger(node.value));
  if (moves && readsOf(node).every((x) => isUnit(job, x))) job.integers.add(ref);
}

/** What a node over integers yields as integers; undefined where it has to round. */
export function exactly(job: Job, node: FloatNode, ref: FloatRef): Value | undefined {
  if (!("exact" in node && node.exact) && !readsOf(node).every((x) => isUnit(job, x))) return undefined;
  const integers = integersOf(job, node);
  if (integers === undefined) return undefined;
  job.integers.add(ref);
  return add(job.bench, node.name, integers, ONE);
}

function integersOf(job: Job, node: FloatNode): NewNode | undefined {
  const x = "x" in node ? valueOf(job, node.x).ref : 0;
  const { shape } = node;
  switch (node.op) {
    case "affine": {
      const { op, factor, bias } = node;
      return whole(factor) && whole(bias) ? { op, x, shape, factor, bias } : undefined;
    }
    case "sum": {
      const { op, factors } = node;
      return whole(factors) ? { op, xs: node.xs.map((at) => valueOf(job, at).ref), shape, factors } : undefined;
    }
    case "mul":
      return { op: "mul", a: valueOf(job, node.a).ref, b: valueOf(job, node.b).ref, shape };
    case "matmul":
      return { op: "matmul", a: valueOf(job, node.a).ref, b: valueOf(job, node.b).ref, shape };
    case "compare":
      return node.relation === "zero" ? { op: "iszero", x, shape } : undefined;
    case "clip": {
      const [lo, hi] = [Math.max(Math.ceil(node.lo), -(2 ** 31)), Math.min(Math.floor(node.hi), 2 ** 31 - 1)];
      return { op: "rescale", x, shape, multiplier: [1], shift: [0], axis: 0, lo, hi, ties: "up" };
    }
    case "unary":
      return tableOf(job, node, x);
    case "dense":
    case "conv":
      return node.exact ? linearOf(job, node, x) : undefined;
    default:
      return undefined;
  }
}

/** Longer tables than this are left to the rules for reals. */
const MOST_ENTRIES = 2 ** 10;

/** A function that yields integers for every integer that it can meet. */
function tableOf(job: Job, node: FloatOf<"unary">, x: number): NewNode | undefined {
  const bounds = job.bench.bounds[x] as Bounds;
  const [first, last] = [smallest(bounds.lo), largest(bounds.hi)];
  if (last - first >= MOST_ENTRIES) return undefined;
  const fn = functionOf(node.fn);
  const table = Float64Array.from({ length: last - first + 1 }, (_, i) => fn(first + i));
  if (!whole(table)) return undefined;
  return { op: "lookup", x, shape: node.shape, axis: 0, first, length: table.length, table };
}

/** A dense or conv whose weights are integers of the model. @throws NodeError "unsupported" if it reads others */
function linearOf(job: Job, node: FloatDense | FloatConv, x: number): NewNode {
  if (!isUnit(job, node.x) || !whole(node.weights) || !whole(node.bias)) {
    throw new NodeError("unsupported", `"${node.name}" has integer weights, but what it reads is not integers`, {
      mend: "Give the model with QuantizeLinear in front of it, or the float model.",
    });
  }
  const { name: _, exact: __, ...kept } = node;
  return { ...kept, x, weights: Int32Array.from(node.weights) };
}
