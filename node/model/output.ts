// The quantizer's last step: integers of the output's type at one power of two, which Solidity reads as fixed point.
import { NodeError } from "../core/errors.ts";
import { typeName, typeRange } from "../core/tensor.ts";
import type { BorderTensor, IntType } from "../core/tensor.ts";
import { exponentFor, exponentOf, mantissaOf, pow2 } from "./binary.ts";
import { rescale, scaleAt, shapeOf } from "./build.ts";
import type { Value } from "./build.ts";
import { INT_TYPES, specFor } from "./border.ts";
import type { FloatGraph, FloatNode, FloatOutput, FloatRef } from "./graph.ts";
import { observedOf } from "./lowering.ts";
import type { Job } from "./lowering.ts";
import { largest, smallest } from "./range.ts";

/** Levels of the observed range that an output type must tell apart to be wide enough. */
const OUTPUT_LEVELS = 2 ** 10;

/** Rescales to the output's type at one power of two: no finer than the accumulators, and saturating only if it must. */
export function toOutput(
  job: Job,
  k: number,
  ref: FloatRef,
  value: Value,
  lo: number,
  hi: number,
): { value: Value; border: BorderTensor } {
  const { bench, float } = job;
  const output = float.outputs[k] as FloatOutput;
  const { name } = output;
  const shape = (float.nodes[output.ref] as FloatNode).shape;
  const outputSpec = specFor(job.outputSpecs, name) ?? {};
  const bounds = bench.bounds[value.ref] as { readonly lo: Float64Array; readonly hi: Float64Array };
  if (isInteger(job, output.ref)) {
    const [bottom, top] = [smallest(bounds.lo), largest(bounds.hi)];
    const fits = (type: IntType): boolean => typeRange(type).lo <= bottom && top <= typeRange(type).hi;
    const type = outputSpec.type ?? INT_TYPES.find(fits);
    if (type === undefined || !fits(type) || (outputSpec.exponent ?? 0) !== 0) {
      throw new NodeError(
        "usage",
        `integers from ${bottom} to ${top} do not fit the type and exponent of output "${name}"`,
        { mend: "Declare a wider output type, or inputs of narrower types: int32 is the widest that a claim carries." },
      );
    }
    return { value, border: { name, shape, type, exponent: 0 } };
  }
  let [least, most] = [Infinity, -Infinity];
  bounds.lo.forEach((low, i) => {
    const unit = scaleAt(value, shapeOf(bench, value.ref), i);
    least = Math.min(least, Math.max(low * unit, lo));
    most = Math.max(most, Math.min((bounds.hi[i] as number) * unit, hi));
  });
  const reach = Math.max(-least, most, 0);
  const seen = Math.max(Math.abs(observedOf(job, ref).lo), Math.abs(observedOf(job, ref).hi));
  const finest = Math.min(...Array.from(value.scale, (s) => exponentOf(s) + (mantissaOf(s) === 1 ? 0 : -8)));
  const exponentAt = (type: IntType): number =>
    reach === 0 ? finest : Math.max(finest, exponentFor(reach, typeRange(type).hi));
  let type: IntType = outputSpec.type ?? { bits: 16, signed: true };
  if (outputSpec.type === undefined && seen < OUTPUT_LEVELS * pow2(exponentAt(type)) && exponentAt(type) > finest) {
    type = { bits: 32, signed: true };
  }
  const exponent = outputSpec.exponent ?? exponentAt(type);
  const [bottom, top] = [typeRange(type).lo * pow2(exponent), typeRange(type).hi * pow2(exponent)];
  if (least < bottom || most > top) {
    const declared = `${typeName(type)} * 2^${exponent}`;
    job.notices.push(
      `the output "${name}" may saturate: it can reach ${least} to ${most}, and ${declared} ends at ${bottom} and ${top}`,
    );
  }
  const target = { bits: type.bits, signed: type.signed, lo, hi, common: true, exponent };
  const rescaled = rescale(bench, `${name}.rescale`, value, observedOf(job, ref), target);
  return { value: rescaled, border: { name, shape, type, exponent } };
}

/** Does nothing but wiring lie between `ref` and the output `end`? */
export function leadsTo(float: FloatGraph, end: FloatRef, ref: FloatRef): boolean {
  return wayOut(float, end).includes(ref);
}

/** Is the tensor nothing but wiring over integers that are exact? */
function isInteger(job: Job, ref: FloatRef): boolean {
  return wayOut(job.float, ref).some((at) => job.integers.has(at));
}

/** Does output `k` yield class indices, or labels that follow from one by integers? */
export function yieldsIndex(float: FloatGraph, k: number): boolean {
  for (let ref = (float.outputs[k] as FloatOutput).ref; ;) {
    const node = float.nodes[wayOut(float, ref).at(-1) as FloatRef] as FloatNode;
    const whole = node.op === "affine" && [...node.factor, ...node.bias].every(Number.isInteger);
    const table = node.op === "dense" && node.exact === true;
    if (!whole && !table && node.op !== "onehot") return ["argmax", "step", "compare"].includes(node.op);
    ref = node.x;
  }
}

/** From a tensor back to the first node that is no wiring. */
function wayOut(float: FloatGraph, end: FloatRef): FloatRef[] {
  const way: FloatRef[] = [];
  for (let at = end; ;) {
    way.push(at);
    const node = float.nodes[at] as FloatNode;
    if (node.op !== "reshape" && node.op !== "transpose" && node.op !== "take") return way;
    at = node.x;
  }
}
