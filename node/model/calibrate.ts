// What calibration data say about a float graph: each tensor's range, and a sample of its values small enough to keep.
// Chooses nothing; relies on evaluateFloat, which is plain float64 arithmetic and so the same everywhere.
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { sizeOf } from "../core/tensor.ts";
import { exponentFor, pow2 } from "./binary.ts";
import { evaluateFloat } from "./evaluate-float.ts";
import { floatInputs } from "./graph.ts";
import type { FloatGraph } from "./graph.ts";

export interface Observed {
  readonly lo: number;
  readonly hi: number;
  /** Some of the values, evenly spread over samples and elements. */
  readonly values: Float64Array;
}

/** At most about this many values are kept per tensor. */
const KEPT = 20_000;

/** The observed values of every node over all samples. @throws NodeError "input" if a sample has another size, or none. */
export function observe(graph: FloatGraph, samples: readonly Float64Array[], call: LongCall = {}): readonly Observed[] {
  if (samples.length === 0) throw new NodeError("input", "the calibration data hold no sample");
  const sizes = graph.nodes.map((node) => sizeOf(node.shape));
  const wanted = floatInputs(graph).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  // A step that is prime to most sizes, so that the kept values do not all come from one channel or column.
  const steps = sizes.map((size) => 2 * Math.floor((size * samples.length) / KEPT / 2) + 1);
  const kept = steps.map((step, k) => new Float64Array(Math.ceil(((sizes[k] as number) * samples.length) / step)));
  const lows = new Float64Array(sizes.length).fill(Infinity);
  const highs = new Float64Array(sizes.length).fill(-Infinity);
  samples.forEach((sample, s) => {
    throwIfAborted(call.signal);
    if (sample.length !== wanted) {
      throw new NodeError("input", `calibration sample ${s} has ${sample.length} elements, not ${wanted}`);
    }
    evaluateFloat(graph, sample).forEach((tensor, k) => {
      const [step, size] = [steps[k] as number, sizes[k] as number];
      let [lo, hi] = [lows[k] as number, highs[k] as number];
      for (let i = 0; i < tensor.length; i++) {
        const value = tensor[i] as number;
        if (!Number.isFinite(value)) {
          throw new NodeError("input", `calibration sample ${s} makes "${graph.nodes[k]?.name}" yield ${value}`);
        }
        if (value < lo) lo = value;
        if (value > hi) hi = value;
      }
      for (let j = Math.ceil((s * size) / step); j * step < (s + 1) * size; j++) {
        (kept[k] as Float64Array)[j] = tensor[j * step - s * size] as number;
      }
      lows[k] = lo;
      highs[k] = hi;
    });
    call.onProgress?.({ what: "calibration samples", done: s + 1, total: samples.length });
  });
  return sizes.map((_, k) => ({ lo: lows[k] as number, hi: highs[k] as number, values: kept[k] as Float64Array }));
}

/**
 * The exponent e for which rounding to multiples of 2^e within [lo, hi] * 2^e loses least (sum of squares): the smallest
 * that clips nothing, or one of the two below it.
 */
export function bestExponent(observed: Observed, lo: number, hi: number): number {
  const widest = Math.max(
    observed.hi > 0 ? exponentFor(observed.hi, hi) : -Infinity,
    observed.lo < 0 && lo < 0 ? exponentFor(observed.lo, -lo) : -Infinity,
  );
  if (widest === -Infinity) return 0;
  let best = widest;
  let least = Infinity;
  for (let e = widest; e > widest - 3; e--) {
    const unit = pow2(e);
    let loss = 0;
    for (const value of observed.values) {
      const error = value - Math.min(hi, Math.max(lo, Math.floor(value / unit + 0.5))) * unit;
      loss += error * error;
    }
    if (loss < least) [best, least] = [e, loss];
  }
  return best;
}
