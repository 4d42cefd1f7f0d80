// Real weights to integers, one output channel at a time. A channel's scale is a power of two, so that every rescale behind
// it is a shift; its bias is an integer in the same unit, which is fine enough to call it exact.
import { exponentFor, exponentOf, pow2 } from "./binary.ts";

export interface Channel {
  readonly integers: readonly number[];
  readonly bias: readonly number[];
  readonly exponent: number;
}

/** A bias of more bits than this would only widen the accumulator: the weights' unit is made coarser instead. */
const BIAS_BITS = 24;

function round(x: number): number {
  return Math.floor(x + 0.5);
}

/** The exponent for `weights` at `bits` bits: what clips nothing or the next finer one, whichever loses less. */
function exponentOfWeights(weights: readonly number[], bits: number): number | undefined {
  const top = 2 ** (bits - 1) - 1;
  const widest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  if (widest === 0) return undefined;
  const loss = (e: number): number => {
    const unit = pow2(e);
    return weights.reduce((sum, weight) => {
      const error = weight - clamp(round(weight / unit), top) * unit;
      return sum + error * error;
    }, 0);
  };
  const safe = exponentFor(widest, top);
  return loss(safe - 1) < loss(safe) ? safe - 1 : safe;
}

function clamp(q: number, top: number): number {
  return Math.min(top, Math.max(-top, q));
}

/** weights[c], biases[c]: the reals of output channel c. */
export function quantizeChannels(
  weights: readonly (readonly number[])[],
  biases: readonly (readonly number[])[],
  bits: number,
): Channel[] {
  const top = 2 ** (bits - 1) - 1;
  const found = weights.map((channel) => exponentOfWeights(channel, bits));
  // A channel without weights is a constant: any unit does, so it takes the coarsest of the others.
  const others = found.filter((e) => e !== undefined);
  const fallback = others.length > 0 ? Math.max(...others) : -bits;
  return weights.map((channel, c) => {
    const bias = biases[c] as readonly number[];
    const widest = bias.reduce((most, b) => Math.max(most, Math.abs(b)), 0);
    const least = widest === 0 ? -Infinity : exponentOf(widest) + 1 - BIAS_BITS;
    const exponent = Math.max(found[c] ?? fallback, least);
    const unit = pow2(exponent);
    return {
      integers: channel.map((weight) => clamp(round(weight / unit), top)),
      bias: bias.map((b) => round(b / unit)),
      exponent,
    };
  });
}
