// The float model against the integer model, both by their definitions: the same figures on any machine, so that a manifest can
// hold them. What onnxruntime makes of either is model/accuracy.ts.
import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { splitFlat } from "../core/tensor.ts";
import { type Accuracy, classesAt, count, newTally, summary } from "../model/accuracy.ts";
import { toIntegers, toReals } from "../model/border.ts";
import type { Dataset } from "../model/dataset.ts";
import { evaluate, outputsOf } from "../model/evaluate.ts";
import { evaluateFloat } from "../model/evaluate-float.ts";
import type { FloatGraph } from "../model/graph.ts";
import { bordersOf, type Graph } from "../model/ir.ts";

export async function compareWithFloat(
  float: FloatGraph,
  graph: Graph,
  data: Dataset,
  call: LongCall,
): Promise<Accuracy> {
  const { inputs, outputs } = bordersOf(graph);
  const classes = classesAt(float);
  const tally = newTally();
  for (const [i, sample] of data.samples.entries()) {
    call.onProgress?.({ what: "samples", done: i, total: data.samples.length });
    await setImmediate(); // so that an abort is heard
    throwIfAborted(call.signal);
    const tensors = evaluateFloat(float, sample);
    const reals = float.outputs.map(({ ref }) => tensors[ref] as Float64Array);
    const answer = outputsOf(graph, evaluate(graph, toIntegers(inputs, sample)));
    count(tally, float, reals, splitFlat(outputs, toReals(outputs, answer)), classes, data.labels?.[i]);
  }
  return summary(tally, data.samples.length, classes !== undefined, data.labels !== undefined);
}

export function comparisonText({ samples, float, integer, changed, error }: Accuracy): string {
  const share = (count: number): string => `${((100 * count) / samples).toFixed(2)} %`;
  const accuracy = float && integer && `float ${share(float.right)}, integer ${share(integer.right)} right`;
  const labels = changed !== undefined && `${changed} of ${samples} classes changed`;
  const largest = error !== undefined && `largest error ${error.max.toPrecision(3)}`;
  return [accuracy, labels, largest].filter(Boolean).join("; ");
}
