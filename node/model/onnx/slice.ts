// Ops that cut, repeat and reverse along axes, by lists known at compile time: all are rearrangements (take.ts).
import { type Shape, stridesOf } from "../../core/tensor.ts";
import { reshape, type Value } from "./draft.ts";
import { malformed } from "./problems.ts";
import { axesIn, axisIn, integersAt, intOf, intsOf, type OpRule, type Site, valueAt } from "./site.ts";
import { counted, pick, positions, take } from "./take.ts";

function lowerSlice(site: Site): Value {
  const data = valueAt(site, 0);
  const starts = integersAt(site, 1, "starts") ?? malformed("it has no starts");
  const ends = integersAt(site, 2, "ends") ?? malformed("it has no ends");
  const axes = axesIn(integersAt(site, 3, "axes") ?? starts.map((_, i) => i), data.shape.length);
  const steps = integersAt(site, 4, "steps") ?? starts.map(() => 1);
  if (new Set([starts.length, ends.length, axes.length, steps.length]).size > 1)
    malformed("its lists differ in length");
  const lists = data.shape.map((): number[] | undefined => undefined);
  axes.forEach((axis, i) => {
    const dim = data.shape[axis] as number;
    const step = steps[i] as number;
    if (step === 0 || !Number.isSafeInteger(step)) malformed(`it has a step of ${step}`);
    const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + dim : v, low), high);
    const start = step > 0 ? clamp(starts[i] as number, 0, dim) : clamp(starts[i] as number, 0, dim - 1);
    const end = step > 0 ? clamp(ends[i] as number, 0, dim) : clamp(ends[i] as number, -1, dim - 1);
    lists[axis] = counted(start, Math.max(0, Math.ceil((end - start) / step)), step);
  });
  return pick(site.draft, site.name, data, lists);
}

function lowerSplit(site: Site): readonly (Value | undefined)[] {
  const data = valueAt(site, 0);
  const axis = axisIn(intOf(site, "axis", 0), data.shape.length);
  const dim = data.shape[axis] as number;
  const given = intsOf(site, "split") ?? integersAt(site, 1, "split");
  const parts = intOf(site, "num_outputs", given?.length ?? site.outputs.length);
  const chunk = site.attributes.has("num_outputs") ? Math.ceil(dim / parts) : dim / parts;
  const sizes = given ?? counted(0, parts).map((k) => Math.min(chunk, dim - k * chunk));
  if (sizes.length !== parts || sizes.some((size) => !Number.isInteger(size) || size < 0) || sizes.reduce((a, b) => a + b, 0) !== dim) {
    malformed(`it splits an axis of ${dim} into [${sizes.join(", ")}]`);
  } // prettier-ignore
  if (site.outputs.length > sizes.length) malformed(`it has ${site.outputs.length} outputs for ${sizes.length} parts`);
  let from = 0;
  return site.outputs.map((output, k) => {
    const size = sizes[k] as number;
    const list = counted(from, size);
    from += size;
    if (output === "") return undefined;
    const lists: (readonly number[] | undefined)[] = data.shape.map((_, i) => (i === axis ? list : undefined));
    return pick(site.draft, `${site.name}/${k}`, data, lists);
  });
}

/** Each row along time_axis is reversed up to its length, which is constant. */
function lowerReverseSequence(site: Site): Value {
  const data = valueAt(site, 0);
  const [time, batch] = [intOf(site, "time_axis", 0), intOf(site, "batch_axis", 1)];
  if (!((time === 0 && batch === 1) || (time === 1 && batch === 0)) || data.shape.length < 2) {
    malformed(`its time_axis is ${time} and its batch_axis ${batch}`);
  }
  const lengths = integersAt(site, 1, "sequence_lens") ?? malformed("it has no sequence_lens");
  const steps = data.shape[time] as number;
  if (lengths.length !== data.shape[batch] || lengths.some((n) => n < 0 || n > steps)) {
    malformed(`its sequence_lens are [${lengths.join(", ")}]`);
  }
  const strides = stridesOf(data.shape);
  const index = positions(site.draft, data.shape, strides);
  const [alongTime, alongBatch] = [strides[time] as number, strides[batch] as number];
  const turned = index.map((from) => {
    const t = Math.floor(from / alongTime) % steps;
    const n = lengths[Math.floor(from / alongBatch) % lengths.length] as number;
    return t < n ? from + (n - 1 - 2 * t) * alongTime : from;
  });
  return take(site.draft, site.name, data, data.shape, turned);
}

function lowerExpand(site: Site): Value {
  const x = valueAt(site, 0);
  const wanted = integersAt(site, 1, "shape") ?? malformed("it has no shape");
  return broadcast(site, x, wanted);
}

function broadcast(site: Site, x: Value, wanted: Shape): Value {
  const rank = Math.max(wanted.length, x.shape.length);
  const lifted = reshape(site.draft, `${site.name}/lift`, x, [...new Array<number>(rank - x.shape.length).fill(1), ...x.shape]); // prettier-ignore
  const lists = lifted.shape.map((dim, axis) => {
    const size = wanted[axis - (rank - wanted.length)] ?? 1;
    if (size !== dim && size !== 1 && dim !== 1) {
      malformed(`[${x.shape.join(", ")}] does not broadcast to [${wanted.join(", ")}]`);
    }
    return dim === 1 && size !== 1 ? new Array<number>(size).fill(0) : undefined;
  });
  return pick(site.draft, site.name, lifted, lists);
}

function lowerTile(site: Site): Value {
  const x = valueAt(site, 0);
  const repeats = integersAt(site, 1, "repeats") ?? malformed("it has no repeats");
  if (repeats.length !== x.shape.length || repeats.some((n) => n < 0)) malformed(`it repeats [${repeats.join(", ")}]`);
  const lists = x.shape.map((dim, axis) => {
    const times = repeats[axis] as number;
    site.draft.budget(times * dim, "the list of its repetitions");
    return times === 1 ? undefined : counted(0, times * dim).map((i) => i % dim);
  });
  return pick(site.draft, site.name, x, lists);
}

export const SLICE_RULES = {
  Expand: { inputs: [2, 2], attributes: {}, limits: "constant shape", lower: lowerExpand },
  ReverseSequence: {
    inputs: [2, 2],
    attributes: { batch_axis: { kind: "int" }, time_axis: { kind: "int" } },
    limits: "constant lengths",
    lower: lowerReverseSequence,
  },
  Slice: { inputs: [3, 5], attributes: {}, limits: "constant bounds", lower: lowerSlice },
  Split: {
    inputs: [1, 2],
    outputs: Infinity,
    attributes: { axis: { kind: "int" }, num_outputs: { kind: "int", since: 18 }, split: { kind: "ints", until: 12 } },
    limits: "constant sizes",
    lower: lowerSplit,
  },
  Tile: { inputs: [2, 2], attributes: {}, limits: "constant repeats", lower: lowerTile },
} satisfies Record<string, OpRule>;
