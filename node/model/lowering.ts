// What every rule of the quantizer shares: the job at hand, the value of each float node so far, and the step from wide
// accumulators to integers narrow enough to meet weights.
import type { BorderTensor, IntType } from "../core/tensor.ts";
import type { Specs } from "./border.ts";
import { level, reachOf, rescale } from "./build.ts";
import type { Value, Workbench } from "./build.ts";
import type { Observed } from "./calibrate.ts";
import type { FloatGraph, FloatNode, FloatRef } from "./graph.ts";
import type { Certificate } from "./certificate.ts";

export interface Widths {
  /** Bits of a weight, symmetric about 0. */
  readonly weights: number;
  /** Bits of an activation behind a Relu or Clip, or where accumulators meet weights. */
  readonly activations: number;
  /** Bits to which wide inputs (int32 features) are brought before they meet weights. */
  readonly features: number;
  /** Bits of a table's index: where a function of one variable is looked up. */
  readonly tables: number;
  /** Bits of single tensors, by the name of the float node, whatever the kind. */
  readonly tensors?: Readonly<Record<string, number>>;
}

export type WidthKind = Exclude<keyof Widths, "tensors">;

/** A width that the quantizer took from Widths: what a search may change, tensor by tensor. */
export interface Choice {
  readonly name: string;
  readonly kind: WidthKind;
  readonly bits: number;
}

/** Bits for the tensor `name`, which is of `kind`. */
export function bitsOf(job: Pick<Job, "widths" | "choices">, kind: WidthKind, name: string): number {
  const bits = job.widths.tensors?.[name] ?? job.widths[kind];
  job.choices.set(name, { name, kind, bits });
  return bits;
}

export const DEFAULT_WIDTHS: Widths = { weights: 8, activations: 8, features: 12, tables: 10 };

/** What the caller declares of the output; undeclared, it is chosen from static bounds and observed values. */
export interface OutputSpec {
  readonly type?: IntType;
  readonly exponent?: number;
}

export interface Job {
  readonly float: FloatGraph;
  readonly observed: readonly Observed[];
  readonly widths: Widths;
  /** By float input. */
  readonly inputs: readonly BorderTensor[];
  readonly outputSpecs: Specs<OutputSpec>;
  readonly bench: Workbench;
  /** By float node. */
  readonly values: Value[];
  /** Float nodes whose values no weights and no rescale have touched yet: they keep the input's precision. */
  readonly raw: Set<FloatRef>;
  readonly notices: string[];
  /** Of each requantization of a model that brings integers of its own. */
  readonly certificates: Certificate[];
  /** By name. */
  readonly choices: Map<string, Choice>;
  /** Float nodes whose values are integers exactly, at a scale of 1: indices, truth values, integers of quantized models. */
  readonly integers: Set<FloatRef>;
  /** By output: what already took its form on the way there. */
  readonly outputs: Map<number, { readonly value: Value; readonly border: BorderTensor }>;
}

/** Values below this meet weights as they are. */
export const NARROW = 2 ** 16;

export function valueOf(job: Job, ref: FloatRef): Value {
  return job.values[ref] as Value;
}

export function observedOf(job: Job, ref: FloatRef): Observed {
  return job.observed[ref] as Observed;
}

export type FloatOf<K> = Extract<FloatNode, { readonly op: K }>;

/** The value with one scale, or one per index of `axis`. */
export function alongAxis(job: Job, value: Value, axis: number): Value {
  return value.scale.length === 1 || value.axis === axis ? value : level(job.bench, value);
}

/** Replaces a wide tensor, for all who read it, by one narrow enough to meet weights. */
export function narrow(job: Job, ref: FloatRef): Value {
  const value = valueOf(job, ref);
  const bounds = job.bench.bounds[value.ref];
  if (bounds === undefined || reachOf(job.bench, value) < NARROW) return value;
  const raw = job.raw.has(ref);
  const observed = observedOf(job, ref);
  // Features of samples not seen yet may lie further out than any of the calibration data: twice the room.
  const roomy = raw ? { ...observed, lo: 2 * observed.lo, hi: 2 * observed.hi, values: new Float64Array(0) } : observed;
  const narrowed = rescale(job.bench, `${(job.float.nodes[ref] as FloatNode).name}.narrow`, value, roomy, {
    bits: bitsOf(job, raw ? "features" : "activations", (job.float.nodes[ref] as FloatNode).name),
    signed: bounds.lo.some((lo) => lo < 0),
    lo: -Infinity,
    hi: Infinity,
    common: false,
  });
  job.values[ref] = narrowed;
  return narrowed;
}
