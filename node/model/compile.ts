// Float graph and calibration data to integer graph, quantized ONNX file and layer report: the compiler's back in one call.
// Deterministic: nothing here reads a clock, a thread count, a platform's transcendental functions or the order of a map.
import type { LongCall } from "../core/ports.ts";
import { inputBorders } from "./border.ts";
import type { InputSpec, Specs } from "./border.ts";
import { observe } from "./calibrate.ts";
import { emitOnnx } from "./emit.ts";
import type { FloatGraph } from "./graph.ts";
import type { Graph } from "./ir.ts";
import { optimize } from "./optimize.ts";
import { prune } from "./prune.ts";
import type { Pruned } from "./prune.ts";
import { DEFAULT_WIDTHS, quantize } from "./quantize.ts";
import type { OutputSpec, Widths } from "./quantize.ts";
import { reportLayers } from "./report.ts";
import type { LayerReport } from "./report.ts";
import type { Certificate } from "./certificate.ts";

export interface QuantizeOptions {
  /** Of the inputs; otherwise the ONNX element type says it, or the samples do. */
  readonly inputs?: Specs<InputSpec>;
  readonly outputs?: Specs<OutputSpec>;
  readonly widths?: Partial<Widths>;
}

export interface QuantizedModel {
  readonly graph: Graph;
  readonly onnx: Uint8Array;
  readonly layers: readonly LayerReport[];
  /** Things that a person should know, of the reader and of the quantizer. */
  readonly notices: readonly string[];
  /** Of models that come quantized: that each requantization is onnxruntime's, bit for bit. */
  readonly certificates: readonly Certificate[];
}

/** Quantizes a model by what `samples` (reals, as the float model takes them) show of it. */
export function quantizeModel(
  float: FloatGraph,
  samples: readonly Float64Array[],
  options: QuantizeOptions = {},
  call: LongCall = {},
): QuantizedModel {
  const observed = observe(float, samples, call);
  const inputs = inputBorders(float, samples, options.inputs);
  const quantized = quantize(float, observed, inputs, options.outputs, { ...DEFAULT_WIDTHS, ...options.widths });
  const { graph, values } = reduced(quantized);
  return {
    graph,
    onnx: emitOnnx(graph),
    layers: reportLayers(graph, values, samples, call),
    notices: [...float.notices, ...quantized.notices],
    certificates: quantized.certificates,
  };
}

/** The quantizer's graph without what no output needs, and rewritten until nothing is left to do. */
export function reduced(quantized: Pruned): Pruned {
  const whole = optimized(quantized);
  const needed = prune(whole.graph, whole.values);
  return needed === undefined ? whole : optimized(needed);
}

function optimized({ graph, values }: Pruned): Pruned {
  const { graph: better, origin } = optimize(graph, (ref) => values[ref]?.scale.length === 1);
  return { graph: better, values: origin.map((ref) => values[ref] as (typeof values)[number]) };
}
