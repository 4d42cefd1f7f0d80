// The quantizer's rule for softmax: exponentials of the distances from each row's maximum come from a table, their shares of
// the row's sum from a division. Nothing overflows: the maximum's own exponential is the largest entry.
import { sizeOf } from "../core/tensor.ts";
import { exponentFor, exponentOf, pow2 } from "./binary.ts";
import { add, level, multiply, rescale, shapeOf } from "./build.ts";
import type { Value } from "./build.ts";
import { exp, log } from "./functions.ts";
import { bitsOf, observedOf, valueOf } from "./lowering.ts";
import type { FloatOf, Job } from "./lowering.ts";
import { maxRows, repeatRows, sumRows } from "./products.ts";
import { largest } from "./range.ts";

type Softmax = FloatOf<"softmax">;

/** e^-8 is 3 parts in 10,000: a table of 2^10 entries has steps of 2^-7 up to there. */
const REACH = 8;

export function softmax(job: Job, node: Softmax): Value {
  const { bench } = job;
  const { name, shape } = node;
  const inner = shape.at(-1) as number;
  if (inner === 1) {
    // The only element of its row, whatever it is.
    const bias = Float64Array.of(node.log ? 0 : 1);
    const alone = { op: "affine", x: valueOf(job, node.x).ref, shape, factor: Float64Array.of(0), bias } as const;
    return add(bench, name, alone, Float64Array.of(1));
  }
  const x = seen(job, node, level(bench, valueOf(job, node.x)));
  const most = repeatRows(bench, `${name}.most`, maxRows(bench, `${name}.max`, x), inner);
  const below = { op: "sum", xs: [most.ref, x.ref], factors: [1, -1], shape } as const;
  const gap = add(bench, `${name}.gap`, below, x.scale);
  const bits = bitsOf(job, "tables", name);
  const { lo, hi } = observedOf(job, node.x);
  const exponent = exponentFor(Math.min(REACH, Math.max(hi - lo, 2 ** -10)), pow2(bits));
  const window = { bits, signed: false, lo: -Infinity, hi: Infinity, common: true, exponent };
  const index = rescale(bench, `${name}.index`, gap, observedOf(job, node.x), window);
  // Beyond the table lies at least REACH, or what no sample has shown: nothing is left of it.
  const one = pow2(bits + 3);
  const step = index.scale[0] as number;
  const table = Float64Array.from({ length: pow2(bits) }, (_, i) => Math.floor(one * exp(-i * step) + 0.5));
  table[table.length - 1] = 0;
  const look = { op: "lookup", x: index.ref, shape, axis: 0, first: 0, length: table.length, table } as const;
  const scale = Float64Array.of(1 / one);
  const power = masked(job, node, add(bench, `${name}.exp`, look, scale));
  const total = sumRows(bench, `${name}.sum`, power);
  // The maximum's own entry is in the sum, which interval arithmetic cannot know.
  const whole = shapeOf(bench, total.ref);
  const top = largest((bench.bounds[total.ref] as { readonly hi: Float64Array }).hi);
  const clamp = { op: "rescale", x: total.ref, shape: whole, multiplier: [1], shift: [0], axis: 0, lo: one, hi: top, ties: "up" } as const; // prettier-ignore
  const sum = add(bench, `${name}.total`, clamp, scale);
  return node.log ? difference(job, node, gap, sum, bits) : share(job, node, power, sum, bits + 3);
}

/** floor(2^k e / S + 1/2) = floor((2^(k+1) e + S) / 2S) */
function share(job: Job, { name, shape }: Softmax, power: Value, sum: Value, k: number): Value {
  const { bench } = job;
  const wide = repeatRows(bench, `${name}.totals`, sum, shape.at(-1) as number);
  const above = { op: "sum", xs: [power.ref, wide.ref], factors: [2 * pow2(k), 1], shape } as const;
  const twice = multiply(bench, `${name}.twice`, wide, Float64Array.of(2));
  const a = add(bench, `${name}.above`, above, sum.scale);
  return add(bench, name, { op: "div", a: a.ref, b: twice.ref, shape }, Float64Array.of(pow2(-k)));
}

/** What the mask hides reads an element of its row that is seen, so that no maximum comes from it. */
function seen(job: Job, { name, mask, shape }: Softmax, x: Value): Value {
  if (mask === undefined) return x;
  const inner = shape.at(-1) as number;
  const index = Int32Array.from({ length: sizeOf(shape) }, (_, i) => {
    const row = i - (i % inner);
    return mask[i] === 1 ? i : row + mask.subarray(row, row + inner).indexOf(1);
  });
  return add(job.bench, `${name}.seen`, { op: "take", x: x.ref, index, shape }, x.scale);
}

function masked(job: Job, { name, mask, shape }: Softmax, power: Value): Value {
  if (mask === undefined) return power;
  const whole = {
    op: "affine",
    x: power.ref,
    shape,
    factor: Float64Array.from(mask),
    bias: Float64Array.of(0),
  } as const;
  return add(job.bench, `${name}.mask`, whole, power.scale);
}

/** -gap - log(S): S = m 2^p with m in [1, 2), so that a table of log(m) is equally fine for short and long rows. */
function difference(job: Job, { name, shape }: Softmax, gap: Value, sum: Value, bits: number): Value {
  const { bench } = job;
  const [unit, one] = [gap.scale[0] as number, pow2(bits + 3)];
  const inner = shape.at(-1) as number;
  const rows = shapeOf(bench, sum.ref);
  const most = exponentOf(inner);
  const finer = Math.max(0, exponentOf(unit) + bits + 2);
  const step = unit / pow2(finer);
  const round = (real: number): number => Math.floor(real / step + 0.5) + 0;
  const lookup = (part: string, x: Value, first: number, entries: number[]): Value => {
    const table = Float64Array.from(entries);
    const node = { op: "lookup", x: x.ref, shape: rows, axis: 0, first, length: table.length, table } as const;
    return add(bench, `${name}.${part}`, node, Float64Array.of(step));
  };
  let logarithm: Value;
  let mantissa = sum;
  let doublings: Value | undefined;
  if (most > 0) {
    const list = Array.from({ length: sizeOf(rows) * most }, (_, i) => i);
    const index = Int32Array.from(list, (i) => Math.floor(i / most));
    const threshold = Float64Array.from(list, (i) => one * pow2((i % most) + 1));
    const steps = { op: "step", x: sum.ref, index, threshold, shape: rows.with(-1, most) } as const;
    doublings = sumRows(bench, `${name}.doublings`, add(bench, `${name}.steps`, steps, Float64Array.of(1)));
    const power = lookup(
      "power",
      doublings,
      0,
      Array.from({ length: most + 1 }, (_, p) => pow2(most - p)),
    );
    mantissa = add(bench, `${name}.shifted`, { op: "mul", a: sum.ref, b: power.ref, shape: rows }, sum.scale);
  }
  // The mantissa, in [2^bits, 2^(bits+1)): the sum has 3 bits more.
  const [first, count] = [pow2(bits), pow2(bits) + 1];
  const narrow = { op: "rescale", x: mantissa.ref, shape: rows, multiplier: [1], shift: [most + 3], axis: 0, lo: first, hi: 2 * first, ties: "up" } as const; // prettier-ignore
  const index = add(bench, `${name}.mantissa`, narrow, Float64Array.of(1 / first));
  logarithm = lookup("log", index, first, Array.from({ length: count }, (_, i) => round(log((first + i) / first)))); // prettier-ignore
  if (doublings !== undefined) {
    const whole = lookup(
      "wholes",
      doublings,
      0,
      Array.from({ length: most + 1 }, (_, p) => round(p * log(2))),
    );
    const both = { op: "sum", xs: [logarithm.ref, whole.ref], factors: [1, 1], shape: rows } as const;
    logarithm = add(bench, `${name}.total-log`, both, Float64Array.of(step));
  }
  const wide = repeatRows(bench, `${name}.logs`, logarithm, inner);
  const sums = { op: "sum", xs: [gap.ref, wide.ref], factors: [-pow2(finer), -1], shape } as const;
  return add(bench, name, sums, Float64Array.of(step));
}
