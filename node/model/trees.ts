// The quantizer's rule for `step`: thresholds meet the integers of what they compare, exactly as far as those are known.
import { add, scaleAt, shapeOf } from "./build.ts";
import type { Value } from "./build.ts";
import { firstInteger } from "./floats.ts";
import type { FloatNode, FloatRef, FloatStep } from "./graph.ts";
import { valueOf } from "./lowering.ts";
import type { Job } from "./lowering.ts";
import type { Bounds } from "./range.ts";

const ONE = Float64Array.of(1);

/**
 * An integer q passes where its real q * scale reaches the threshold. Of a float32 input, the real is what float32 makes
 * of it: exactly the comparison that the model's own file makes. The compared tensor is read as it is, however wide.
 */
export function step(job: Job, node: FloatStep, ref: FloatRef): Value {
  const { op, name, index, shape } = node;
  const value = valueOf(job, node.x);
  const from = job.float.nodes[node.x] as FloatNode;
  const single = from.op === "input" && from.elemType === "float32";
  const whole = shapeOf(job.bench, value.ref);
  const { lo, hi } = job.bench.bounds[value.ref] as Bounds;
  const threshold = node.threshold.map((level, i) => {
    const at = index[i] as number;
    const scale = scaleAt(value, whole, at);
    const first = single ? firstInteger(level, scale) : Math.ceil(level / scale);
    // Beyond what the tensor can hold, all thresholds are one.
    return Math.min(Math.max(first, lo[at] as number), (hi[at] as number) + 1) + 0;
  });
  job.integers.add(ref);
  return add(job.bench, name, { op, x: value.ref, index, threshold, shape }, ONE);
}
