// Which gadget rescales an element, by its static bounds: none for a constant, a comparison for one of two values, else
// Rescale or RescaleEven with the fewest bits, capped where both ends of the clamp cut. Pure, as plan.ts is.
import { NodeError } from "../core/errors.ts";
import type { RescaleNode } from "../model/ir.ts";
import type { Spec } from "./compile.ts";
import { bitsFor } from "./lc.ts";
import { alongAxis } from "./linear.ts";
import { MOST_BITS, boundsAt, specOf } from "./plan.ts";
import type { Plan } from "./plan.ts";

/**
 * How one element is rescaled: to a constant; to one of two values by a comparison of x * multiplier - minus with 0; or by
 * a gadget and, where both ends cut a width that is no power of two, a second one.
 */
export type RescalePlan = { readonly constant: number } | ComparedRescale | GadgetRescale;

export interface ComparedRescale {
  readonly multiplier: number;
  readonly atLeast: Spec;
  readonly minus: number;
  readonly lower: number;
}

export interface GadgetRescale {
  readonly multiplier: number;
  readonly rescale: Spec;
  readonly atMost: Spec | undefined;
}

export function planRescale(plan: Plan, node: RescaleNode, element: number): RescalePlan {
  const { lo, hi } = node;
  const index = node.multiplier.length === 1 ? 0 : alongAxis(node.shape, node.axis, element).at;
  const multiplier = node.multiplier[index] as number;
  const s = node.shift[node.shift.length === 1 ? 0 : index] as number;
  const even = node.ties === "even" && s > 0;
  const step = 2 ** s;
  const half = s > 0 ? step / 2 : 0;
  const { least, most } = boundsAt(plan, node.x, element);
  const [low, high] = [multiplier * least + half, multiplier * most + half];
  const quotient = (v: number): number => {
    const up = Math.floor(v / step);
    return even && v === up * step ? up - Math.abs(up % 2) : up;
  };
  const clamp = (q: number): number => Math.min(hi, Math.max(lo, q));
  const [lower, upper] = [clamp(quotient(low)), clamp(quotient(high))];
  if (lower === upper) return { constant: lower };

  // halves that go down make quotients one less
  const { base, k, capped } = windowFor(lo, hi, Math.floor((low - (even ? 1 : 0)) / step), Math.floor(high / step));
  const down = even && base % 2 !== 0 ? 1 : 0;
  const [from, to] = [low - down - base * step, high - down - base * step]; // of u in Rescale.circom
  const signed = from < 0 ? 1 : 0;
  // a correction of halves needs a lowest bit of the quotient even where u has none
  const bits = Math.max(signed + bitsFor(Math.max(to, -from - 1)), even ? signed + s + 1 : 0);
  if (upper === lower + 1) {
    // from its half-way point on; the even one of the two has that point itself
    const minus = upper * step - half + (even && upper % 2 !== 0 ? 1 : 0);
    const n = Math.max(1, bitsFor(Math.max(high - half - minus, minus - (low - half) - 1)));
    if (n < MOST_BITS && (lower === 0 || n < bits)) return { multiplier, atLeast: specOf("AtLeast", n), minus, lower };
  }
  if (!(bits <= MOST_BITS)) {
    throw new NodeError("unsupported", `node "${node.name}" needs ${bits} bits to be rescaled, above ${MOST_BITS}`, {
      mend: "Use narrower weights or a smaller multiplier, or split the layer's inputs by a rescale.",
      facts: { node: node.name, element },
    });
  }
  return {
    multiplier,
    rescale: specOf(even ? "RescaleEven" : "Rescale", bits, s, Math.min(k, bits - signed - s), base, signed),
    atMost: capped ? specOf("AtMost", k, hi) : undefined,
  };
}

/**
 * Rescale clamps to 2^k values from `base` on. Quotients run from `first` to `last`: an end of [lo, hi] that they cannot
 * pass gives way, so that only a clamp that cuts both ends of a width that is no power of two has to be capped again.
 */
function windowFor(lo: number, hi: number, first: number, last: number): { base: number; k: number; capped: boolean } {
  if (first < lo) {
    const k = last > hi ? bitsFor(hi - lo) : MOST_BITS;
    return { base: lo, k, capped: last > hi && hi - lo + 1 !== 2 ** k };
  }
  if (last > hi) {
    const k = bitsFor(hi - first);
    return { base: hi + 1 - 2 ** k, k, capped: false };
  }
  const base = first < 0 ? -(2 ** bitsFor(-first - 1)) : 0; // few bases, so that elements share gadgets
  return { base, k: MOST_BITS, capped: false };
}
