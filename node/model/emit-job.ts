// What the emitter's rules share: the job at hand, which type is exact for a node, casts between types, and chains of
// steps with constant operands.
import { typeRange } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { FLOAT_LIMIT } from "./emit-conv.ts";
import { nodeAt, readsOf } from "./ir.ts";
import type { Graph, NodeOf, Ref } from "./ir.ts";
import { castTo } from "./onnx-writer.ts";
import type { Attributes, Element, OnnxWriter, Real } from "./onnx-writer.ts";
import { reach } from "./range.ts";
import type { Bounds } from "./range.ts";

/** A tensor of the file. */
export interface Held {
  readonly name: string;
  readonly type: Real;
}

/** Quotients and roots are floored in float32 below this, see roundedIn. */
const QUOTIENT_FLOAT_LIMIT = 2 ** 20;

export interface Job {
  readonly graph: Graph;
  readonly bounds: readonly Bounds[];
  readonly writer: OnnxWriter;
  /** Where the file holds each node's tensor. */
  readonly tensors: Held[];
  readonly casts: Map<string, string>;
}

/** float32 if every value that the node reads and computes is below its limit. */
export function computedIn(job: Job, ref: Ref): Real {
  const { worst } = job.bounds[ref] as Bounds;
  const reads = readsOf(nodeAt(job.graph, ref));
  return worst < FLOAT_LIMIT && reads.every((read) => fitsFloat(job, read)) ? "float32" : "float64";
}

export function fitsFloat(job: Job, ref: Ref): boolean {
  return reach(job.bounds[ref] as Bounds) <= FLOAT_LIMIT;
}

/** float32 if it holds the node's own values; what it reads meets nothing else on the way. */
export function heldIn(job: Job, ref: Ref): Real {
  return (job.bounds[ref] as Bounds).worst < FLOAT_LIMIT ? "float32" : "float64";
}

/**
 * The type in which floor((a + 1/2) / b) and floor(sqrt(x + 1/2)) are floor(a / b) and floor(sqrt(x)), even where the
 * runtime's quotient or root is one unit in the last place off. For integers a and b >= 1 the quotient lies at least
 * 1/(2b) from any integer, and its last place is at most |a + 1/2| / b * 2^-52: below 2^50, half of that. The root of
 * n^2 <= x < (n + 1)^2 lies more than 1/(4(n + 1)) from either, and its last place is below (n + 1) * 2^-52: no more than
 * that where x < 2^50 (range.ts sees to it). In float32 the last place is 2^-23, and 2^20 leaves as much room or more.
 */
export function roundedIn(job: Job, ref: Ref): Real {
  return (job.bounds[ref] as Bounds).worst < QUOTIENT_FLOAT_LIMIT ? "float32" : "float64";
}

export function typeOf(job: Job, ref: Ref): Real {
  return (job.tensors[ref] as Held).type;
}

export function nameOf(job: Job, ref: Ref): string {
  return (job.tensors[ref] as Held).name;
}

/** Node `ref`'s tensor with one dimension, which Gather then picks elements of. */
export function flattened(job: Job, ref: Ref, type: Real, hint: string): string {
  const x = as(job, ref, type);
  if (nodeAt(job.graph, ref).shape.length === 1) return x;
  const all = job.writer.constant(`${hint}.all`, "int64", [1], [-1]);
  return job.writer.op("Reshape", [x, all], job.writer.fresh(`${hint}.flat`));
}

export function inputType(node: NodeOf<"input">): Real {
  return typeRange(node.border.type).hi <= FLOAT_LIMIT ? "float32" : "float64";
}

/** The name of node `ref`'s tensor in the given type, cast if need be. */
export function as(job: Job, ref: Ref, type: Real): string {
  const tensor = job.tensors[ref] as Held;
  if (tensor.type === type) return tensor.name;
  const key = `${type} ${tensor.name}`;
  const known = job.casts.get(key);
  if (known !== undefined) return known;
  const cast = job.writer.op("Cast", [tensor.name], job.writer.fresh(`${tensor.name}.${type}`), castTo(type));
  job.casts.set(key, cast);
  return cast;
}

/** Applies the steps one after another; the last one's output is `name`. */
export function chain(job: Job, first: string, name: string, steps: readonly Step[]): void {
  const real = steps.length > 0 ? steps : [{ opType: "Identity", more: [] }];
  real.reduce((x, { opType, more, attributes }, k) => {
    const output = k === real.length - 1 ? name : job.writer.fresh(`${name}.${opType.toLowerCase()}`);
    return job.writer.op(opType, [x, ...more], output, attributes);
  }, first);
}

export interface Step {
  readonly opType: string;
  readonly more: readonly string[];
  readonly attributes?: Attributes;
}

/** A step with one constant operand, left out where it would do nothing. */
export function withConstant(
  job: Job,
  opType: "Mul" | "Add",
  hint: string,
  type: Element,
  shape: Shape,
  values: ArrayLike<number>,
): Step[] {
  const neutral = opType === "Mul" ? 1 : 0;
  if (Array.from(values).every((value) => value === neutral)) return [];
  return [{ opType, more: [job.writer.constant(hint, type, values.length === 1 ? [] : shape, values)] }];
}

/** The shape that lets a vector along `axis` broadcast. */
export function alongAxis(rank: number, axis: number, count: number): Shape {
  return Array.from({ length: rank }, (_, k) => (k === axis ? count : 1));
}
