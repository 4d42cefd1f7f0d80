// What quantization did to each layer: ranges seen and possible, values cut off, widths. Measures only; the circuit adds its
// constraints to the layers, accuracy.ts measures the model as a whole.
import { throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import type { Shape } from "../core/tensor.ts";
import { bitsFor } from "./binary.ts";
import { toIntegers } from "./border.ts";
import { scaleAt } from "./build.ts";
import type { Value } from "./build.ts";
import { apply, evaluate } from "./evaluate.ts";
import { bordersOf, nodeAt } from "./ir.ts";
import type { Graph, NodeOf, Op } from "./ir.ts";
import { DOUBLE_LIMIT, largest, rangesOf, smallest } from "./range.ts";

type Interval = readonly [lo: number, hi: number];

export interface LayerReport {
  readonly name: string;
  readonly op: Op;
  readonly shape: Shape;
  /** Reals seen on the calibration data, and reals possible at all. */
  readonly observed: Interval;
  readonly possible: Interval;
  /** Bits that spell every possible integer of the tensor. */
  readonly bits: number;
  /** Of a rescale: the bits of the accumulators that it reads. */
  readonly accumulatorBits?: number;
  /** Of a rescale: the share of values that the clamp changed, but for those that a Relu sends to 0. */
  readonly clipped?: number;
  /** Of dense and conv: bits that spell every weight. */
  readonly weightBits?: number;
}

/** values: what each node's tensor stands for. */
export function reportLayers(
  graph: Graph,
  values: readonly Value[],
  samples: readonly Float64Array[],
  { signal, onProgress }: LongCall = {},
): LayerReport[] {
  const bounds = rangesOf(graph);
  const seen = graph.nodes.map((): [number, number] => [Infinity, -Infinity]);
  const cut = graph.nodes.map(() => 0);
  for (const [i, sample] of samples.entries()) {
    throwIfAborted(signal);
    onProgress?.({ what: "samples in integers", done: i, total: samples.length });
    const tensors = evaluate(graph, toIntegers(bordersOf(graph).inputs, sample));
    tensors.forEach((tensor, ref) => {
      const node = nodeAt(graph, ref);
      const [least, most] = realRange(tensor, tensor, values[ref] as Value, node.shape);
      const range = seen[ref] as [number, number];
      range[0] = Math.min(range[0], least);
      range[1] = Math.max(range[1], most);
      if (node.op === "rescale") cut[ref] = (cut[ref] as number) + cutOff(node, tensors[node.x] as Float64Array);
    });
  }
  return graph.nodes.map((node, ref) => {
    const { lo, hi } = bounds[ref] as { readonly lo: Float64Array; readonly hi: Float64Array };
    return {
      name: node.name,
      op: node.op,
      shape: node.shape,
      observed: seen[ref] as Interval,
      possible: realRange(lo, hi, values[ref] as Value, node.shape),
      bits: bitsFor(smallest(lo), largest(hi)),
      ...(node.op === "rescale"
        ? { accumulatorBits: widthOf(bounds, node.x), clipped: (cut[ref] as number) / (samples.length * lo.length) }
        : {}),
      ...("weights" in node ? { weightBits: weightBitsOf(node.weights) } : {}),
    };
  });
}

function widthOf(bounds: readonly { readonly lo: Float64Array; readonly hi: Float64Array }[], ref: number): number {
  const { lo, hi } = bounds[ref] as { readonly lo: Float64Array; readonly hi: Float64Array };
  return bitsFor(smallest(lo), largest(hi));
}

function weightBitsOf(weights: Int32Array): number {
  return weights.reduce((most, weight) => Math.max(most, bitsFor(Math.min(0, weight), weight)), 0);
}

function realRange(lo: Float64Array, hi: Float64Array, value: Value, shape: Shape): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < lo.length; i++) {
    const unit = scaleAt(value, shape, i);
    least = Math.min(least, (lo[i] as number) * unit);
    most = Math.max(most, (hi[i] as number) * unit);
  }
  return [least, most];
}

/** How many elements the clamp changed, but for those that a Relu sends to 0. */
function cutOff(node: NodeOf<"rescale">, x: Float64Array): number {
  const free = apply({ ...node, lo: -DOUBLE_LIMIT, hi: DOUBLE_LIMIT }, [x], [node.shape]);
  return free.reduce((count, value) => count + (value > node.hi || (value < node.lo && node.lo < 0) ? 1 : 0), 0);
}
