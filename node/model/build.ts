// The quantizer's workbench: a growing integer graph with running bounds, and values, which say what reals its tensors stand
// for. Here live the steps that no float op asks for by itself: aligning scales and rescaling. Knows no float graph.
import { NodeError } from "../core/errors.ts";
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { bestExponent } from "./calibrate.ts";
import type { Observed } from "./calibrate.ts";
import { exponentOf, mantissaOf, pow2 } from "./binary.ts";
import { readsOf } from "./ir.ts";
import type { Node, Ref } from "./ir.ts";
import { boundsOf } from "./range.ts";
import type { Bounds } from "./range.ts";

/** Tensor `ref` stands for the reals q * scale[index along axis]; a scale of length 1 is the same everywhere. */
export interface Value {
  readonly ref: Ref;
  readonly scale: Float64Array;
  readonly axis: number;
}

export interface Workbench {
  readonly nodes: Node[];
  /** Names taken, each with the last number that made it unique. */
  readonly names: Map<string, number>;
  readonly bounds: Bounds[];
  /** What each node's tensor stands for; for reports. */
  readonly values: Value[];
}

type DistributeOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A node but for its name, to which a number is added where it is taken. */
export type NewNode = DistributeOmit<Node, "name">;

/** Appends a node. @throws NodeError "unsupported" if its values could leave float64's exact integers. */
export function add(bench: Workbench, name: string, node: NewNode, scale: Float64Array, axis = 0): Value {
  let free = name;
  for (let k = bench.names.get(name) ?? 1; bench.names.has(free); k++) {
    free = `${name}#${k + 1}`;
    bench.names.set(name, k + 1);
  }
  bench.names.set(free, 1);
  const named = { ...node, name: free } as Node;
  const reads = readsOf(named);
  const bounds = boundsOf(
    named,
    reads.map((ref) => bench.bounds[ref] as Bounds),
    reads.map((ref) => shapeOf(bench, ref)),
  );
  bench.bounds.push(bounds);
  const value = { ref: bench.nodes.push(named) - 1, scale, axis };
  bench.values.push(value);
  return value;
}

export function shapeOf(bench: Workbench, ref: Ref): Shape {
  return (bench.nodes[ref] as Node).shape;
}

/** Indices along a value's axis, and how far apart they are. */
export function stepsOf(shape: Shape, axis: number): { readonly count: number; readonly inner: number } {
  return { count: shape[axis] ?? 1, inner: sizeOf(shape.slice(axis + 1)) };
}

/** The scale of element i of a tensor. */
export function scaleAt(value: Value, shape: Shape, i: number): number {
  if (value.scale.length === 1) return value.scale[0] as number;
  const { count, inner } = stepsOf(shape, value.axis);
  return value.scale[Math.floor(i / inner) % count] as number;
}

/** The largest absolute integer that a value can take. */
export function reachOf(bench: Workbench, value: Value): number {
  const { lo, hi } = bench.bounds[value.ref] as Bounds;
  let most = 0;
  for (let i = 0; i < lo.length; i++) most = Math.max(most, -(lo[i] as number), hi[i] as number);
  return most;
}

/** y = x * factors (positive or negative integers, one per index of the value's axis or one), a free linear step. */
export function multiply(bench: Workbench, name: string, value: Value, factors: Float64Array): Value {
  if (factors.every((factor) => factor === 1)) return value;
  const shape = shapeOf(bench, value.ref);
  const { count, inner } = stepsOf(shape, value.axis);
  const factor =
    factors.length === 1
      ? factors
      : Float64Array.from({ length: sizeOf(shape) }, (_, i) => factors[Math.floor(i / inner) % count] as number);
  const scale =
    value.scale.length >= factors.length ? value.scale : new Float64Array(count).fill(value.scale[0] as number);
  return add(
    bench,
    name,
    { op: "affine", x: value.ref, shape, factor, bias: Float64Array.of(0) },
    scale.map((s, c) => s / Math.abs(factors[factors.length === 1 ? 0 : c] as number)),
    value.axis,
  );
}

/** Bits of a coefficient that no power of two can spell. */
const COEFFICIENT_BITS = 12;

/**
 * Integers n_i and a unit with n_i * unit = reals[i]: exact where the reals are small multiples of the smallest one (as
 * powers of two are), else the unit is the power of two that leaves the largest COEFFICIENT_BITS bits.
 */
export function integersFor(reals: readonly number[]): {
  readonly integers: readonly number[];
  readonly unit: number;
  readonly exact: boolean;
} {
  const sizes = reals.map(Math.abs).filter((size) => size > 0);
  if (sizes.length === 0) return { integers: reals.map(() => 0), unit: 1, exact: true };
  const smallest = Math.min(...sizes);
  const largest = Math.max(...sizes);
  const exact = reals.map((real) => real / smallest);
  if (exact.every(Number.isInteger) && largest / smallest <= 2 ** 20)
    return { integers: exact, unit: smallest, exact: true };
  const unit = pow2(exponentOf(largest) - COEFFICIENT_BITS + 1);
  return { integers: reals.map((real) => Math.floor(real / unit + 0.5)), unit, exact: false };
}

/** The same reals at one scale for all indices; lossless where the scales differ by powers of two. */
export function level(bench: Workbench, value: Value): Value {
  if (value.scale.length === 1) return value;
  const { integers, unit } = integersFor([...value.scale]);
  const name = `${(bench.nodes[value.ref] as Node).name}.level`;
  const { ref } = multiply(bench, name, value, Float64Array.from(integers));
  const levelled = { ref, scale: Float64Array.of(unit), axis: 0 };
  bench.values[ref] = levelled;
  return levelled;
}

/** `make` of what is repeated, repeated: elements that are read more than once are computed once. Undefined if none are. */
export function beforeRepeat(bench: Workbench, value: Value, make: (once: Value) => Value): Value | undefined {
  const node = bench.nodes[value.ref] as Node;
  if (node.op !== "take" || value.scale.length > 1) return undefined;
  if (sizeOf(shapeOf(bench, node.x)) >= sizeOf(node.shape)) return undefined;
  const { index, shape } = node;
  const once = make({ ...value, ref: node.x });
  return add(bench, `${node.name}.again`, { op: "take", x: once.ref, index, shape }, once.scale);
}

/** What a rescale aims at. */
export interface Target {
  readonly bits: number;
  readonly signed: boolean;
  /** The real clamp, of a Relu or Clip; infinite where there is none. */
  readonly lo: number;
  readonly hi: number;
  /** All indices must share one power-of-two scale (otherwise each keeps its own mantissa, which costs nothing). */
  readonly common: boolean;
  /** The scale's exponent, where it is not chosen from the observed values. */
  readonly exponent?: number;
  /** The first and last integer, where they are not those of `bits`. */
  readonly window?: readonly [number, number];
}

/**
 * Rounds a value to `target.bits` bits. A scale that is a power of two (all that comes out of dense and conv) takes
 * multiplier 1; another one takes an odd multiplier of at most 12 bits, and only where the target's scale must be common.
 */
export function rescale(bench: Workbench, name: string, value: Value, observed: Observed, target: Target): Value {
  const shape = shapeOf(bench, value.ref);
  const repeated = beforeRepeat(bench, value, (once) => rescale(bench, name, once, observed, target));
  if (repeated !== undefined) return repeated;
  const top = target.window?.[1] ?? (target.signed ? 2 ** (target.bits - 1) - 1 : 2 ** target.bits - 1);
  const bottom = target.window?.[0] ?? (target.signed ? -top - 1 : 0);
  const common =
    target.common || (target.hi !== Infinity && target.hi !== 0) || (target.lo !== -Infinity && target.lo !== 0);
  let e = target.exponent ?? bestExponent(observed, bottom, top);
  // No finer than what is there: a coarser scale has nothing to round, only to clamp.
  const first = value.scale[0] as number;
  if (target.exponent === undefined && value.scale.length === 1 && mantissaOf(first) === 1)
    e = Math.max(e, exponentOf(first));
  const aims = value.scale.map((scale) => (common ? pow2(e) : Math.max(scale, mantissaOf(scale) * pow2(e))));
  const steps = [...value.scale].map((scale, c) => ratio(scale, aims[c] as number));
  const scale = aims.every((aim) => aim === aims[0]) ? aims.slice(0, 1) : aims;
  const same = steps.every((step) => step.multiplier === steps[0]?.multiplier && step.shift === steps[0].shift);
  const kept = same ? steps.slice(0, 1) : steps;
  const unit = scale[0] as number;
  const clamped = (real: number): number => Math.min(top, Math.max(bottom, Math.floor(real / unit + 0.5)));
  return add(
    bench,
    name,
    {
      op: "rescale",
      x: value.ref,
      shape,
      axis: value.axis,
      multiplier: kept.map((step) => step.multiplier),
      shift: kept.map((step) => step.shift),
      lo: target.lo === -Infinity ? bottom : clamped(target.lo),
      hi: target.hi === Infinity ? top : clamped(target.hi),
      ties: "up",
    },
    scale,
    value.axis,
  );
}

/** multiplier / 2^shift nearest to scale / aim: exact where that is a power of two. */
export function ratio(scale: number, aim: number): { readonly multiplier: number; readonly shift: number } {
  const mantissa = mantissaOf(scale / aim);
  let multiplier = Math.floor(mantissa * 2 ** (COEFFICIENT_BITS - 1) + 0.5);
  let shift = COEFFICIENT_BITS - 1 - exponentOf(scale / aim);
  while (multiplier % 2 === 0 && shift > 0) {
    multiplier /= 2;
    shift -= 1;
  }
  if (shift < -40) throw new NodeError("unsupported", `a scale of ${scale} cannot be brought to ${aim}`);
  return shift < 0 ? { multiplier: multiplier * pow2(-shift), shift: 0 } : { multiplier, shift };
}
