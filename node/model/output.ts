// The quantizer's last step: integers of the output's type at one power of two, which Solidity reads as fixed point.
import { NodeError } from "../core/errors.ts";
import { typeName, typeRange } from "../core/tensor.ts";
import type { BorderTensor, IntType } from "../core/tensor.ts";
import { exponentFor, exponentOf, mantissaOf, pow2 } from "./binary.ts";
import { rescale, scaleAt, shapeOf } from "./build.ts";
import type { Value } from "./build.ts";
import type { FloatGraph, FloatNode, FloatRef } from "./graph.ts";
import { observedOf } from "./lowering.ts";
import type { Job } from "./lowering.ts";

/** Levels of the observed range that an output type must tell apart to be wide enough. */
const OUTPUT_LEVELS = 2 ** 10;

/** Rescales to the output's type at one power of two: no finer than the accumulators, and saturating only if it must. */
export function toOutput(
  job: Job,
  ref: FloatRef,
  value: Value,
  lo: number,
  hi: number,
): { value: Value; border: BorderTensor } {
  const { bench, float, outputSpec } = job;
  const name = float.outputName;
  const shape = (float.nodes[float.output] as FloatNode).shape;
  if (yieldsIndex(float)) {
    const { hi: top } = bench.bounds[value.ref] as { readonly hi: Float64Array };
    const type = outputSpec.type ?? { bits: (top[0] as number) < 256 ? 8 : 16, signed: false };
    if ((top[0] as number) > typeRange(type).hi || (outputSpec.exponent ?? 0) !== 0) {
      throw new NodeError("usage", `a class index up to ${top[0]} does not fit the declared output type and exponent`);
    }
    return { value, border: { name, shape, type, exponent: 0 } };
  }
  const bounds = bench.bounds[value.ref] as { readonly lo: Float64Array; readonly hi: Float64Array };
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
      `the output may saturate: it can reach ${least} to ${most}, and ${declared} ends at ${bottom} and ${top}`,
    );
  }
  const target = { bits: type.bits, signed: type.signed, lo, hi, common: true, exponent };
  const rescaled = rescale(bench, `${float.outputName}.rescale`, value, observedOf(job, ref), target);
  return { value: rescaled, border: { name, shape, type, exponent } };
}

/** Does nothing but wiring lie between a node and the output? */
export function leadsToOutput(float: FloatGraph, ref: FloatRef): boolean {
  return wayOut(float).includes(ref);
}

/** Does the model yield a class index? */
export function yieldsIndex(float: FloatGraph): boolean {
  return float.nodes[wayOut(float).at(-1) as FloatRef]?.op === "argmax";
}

/** From the output back to the first node that is no wiring. */
function wayOut(float: FloatGraph): FloatRef[] {
  const way: FloatRef[] = [];
  for (let at = float.output; ;) {
    way.push(at);
    const node = float.nodes[at] as FloatNode;
    if (node.op !== "reshape" && node.op !== "transpose") return way;
    at = node.x;
  }
}
