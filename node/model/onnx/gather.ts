// Ops that choose elements. Choices known at compile time are rearrangements (take.ts); indices that depend on the model's
// input become one-hot rows that multiply the table, which is constant (an embedding) or a tensor of the graph.
import { type Shape, sizeOf, stridesOf } from "../../core/tensor.ts";
import { type Constant, integerRange } from "./constant.ts";
import { type Activation, affine, reshape, sameShape, tensorOf, transpose, type Value } from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import { sumLast, toFront, toLast } from "./rows.ts";
import {
  axesIn,
  axisIn,
  constantAt,
  integersAt,
  intOf,
  intsOf,
  needFloat,
  type OpRule,
  type Site,
  valueAt,
} from "./site.ts";
import { counted, pick, positions, take } from "./take.ts";

/** One-hot rows over `count` columns. Indices outside are clamped to the nearest one: nothing else is provable. */
export function oneHot(site: Site, indices: Activation, count: number): Activation {
  if (integerRange(indices.type) === undefined) malformed(`its indices are ${indices.type}`);
  const shape = [...indices.shape, count];
  site.draft.budget(sizeOf(shape), "its one-hot rows");
  const node = { op: "onehot", x: indices.ref, shape, name: `${site.name}/onehot` } as const;
  return tensorOf(site.draft, node, "float32");
}

/** Rows of a constant table [K, R] for one-hot rows [..., K]; integers stay exact. */
function rowsOf(site: Site, hot: Activation, table: Constant): Activation {
  const columns = table.shape[1] as number;
  const shape = hot.shape.with(-1, columns);
  const bad = table.data.find((v) => !Number.isFinite(v));
  if (bad !== undefined) unsupported(`its table holds ${bad}`, "A table that is looked up must be finite.");
  const exact = integerRange(table.type) !== undefined;
  return tensorOf(
    site.draft,
    {
      op: "dense",
      x: hot.ref,
      weights: table.data,
      bias: new Float64Array(columns),
      shape,
      name: site.name,
      ...(exact ? { exact } : {}),
    },
    table.type,
  );
}

function indexIn(index: number, dim: number): number {
  if (!Number.isInteger(index) || index < -dim || index >= dim) {
    malformed(`its index ${index} is outside an axis of ${dim}`);
  }
  return index < 0 ? index + dim : index;
}

function lowerGather(site: Site): Value {
  const [data, indices] = [valueAt(site, 0), valueAt(site, 1)];
  const axis = axisIn(intOf(site, "axis", 0), data.shape.length);
  const dim = data.shape[axis] as number;
  const [before, after] = [data.shape.slice(0, axis), data.shape.slice(axis + 1)];
  const shape = [...before, ...indices.shape, ...after];
  if (integerRange(indices.type) === undefined) malformed(`its indices are ${indices.type}`);
  if (indices.kind === "constant") {
    const list = Array.from(indices.data, (index) => indexIn(index, dim));
    const picked = pick(
      site.draft,
      site.name,
      data,
      new Array<undefined>(axis).fill(undefined).concat([list as never]),
    );
    return reshape(site.draft, site.name, picked, shape);
  }
  if (sizeOf(data.shape) === 0) malformed("its table is empty");
  const rank = data.shape.length;
  const front = [axis, ...counted(0, rank).filter((k) => k !== axis)];
  const table = reshape(site.draft, `${site.name}/table`, transpose(site.draft, `${site.name}/turn`, data, front), [dim, sizeOf(before) * sizeOf(after)]); // prettier-ignore
  const flat = reshape(site.draft, `${site.name}/indices`, indices, [sizeOf(indices.shape)]);
  const hot = oneHot(site, flat, dim);
  const rows = table.kind === "constant" ? rowsOf(site, hot, table) : product(site, hot, table);
  const wide = reshape(site.draft, `${site.name}/shape`, rows, [...indices.shape, ...before, ...after]);
  const [i, b] = [indices.shape.length, before.length];
  const perm = [...counted(i, b), ...counted(0, i), ...counted(i + b, after.length)];
  return transpose(site.draft, `${site.name}/order`, wide, perm);
}

/** One-hot rows [..., I, K] times [..., K, R]: each product is exact, so that rows come out as they are. */
function product(site: Site, hot: Activation, table: Activation): Activation {
  const shape = hot.shape.with(-1, table.shape.at(-1) as number);
  return tensorOf(site.draft, { op: "matmul", a: hot.ref, b: table.ref, shape, name: site.name }, table.type);
}

function lowerGatherElements(site: Site): Value {
  const [data, indices] = [valueAt(site, 0), valueAt(site, 1)];
  const rank = data.shape.length;
  const axis = axisIn(intOf(site, "axis", 0), rank);
  const dim = data.shape[axis] as number;
  const { shape } = indices;
  if (shape.length !== rank || shape.some((size, k) => k !== axis && size > (data.shape[k] as number))) {
    malformed(`its indices [${shape.join(", ")}] do not fit its data [${data.shape.join(", ")}]`);
  }
  if (integerRange(indices.type) === undefined) malformed(`its indices are ${indices.type}`);
  const strides = stridesOf(data.shape);
  if (indices.kind === "constant") {
    const index = positions(site.draft, shape, strides.with(axis, 0));
    for (let i = 0; i < index.length; i++) {
      index[i]! += indexIn(indices.data[i] as number, dim) * (strides[axis] as number);
    }
    return take(site.draft, site.name, data, shape, index);
  }
  const corner = pick(site.draft, `${site.name}/corner`, data, shape.map((size, k) => (k === axis ? undefined : counted(0, size)))); // prettier-ignore
  const hot = oneHot(site, toLast(site.draft, `${site.name}/turn`, indices, axis), dim);
  const rows = toLast(site.draft, `${site.name}/rows`, corner, axis);
  const chosen = rows.kind === "constant" ? weighed(site, hot, rows) : columns(site, hot, rows);
  return toFront(site.draft, `${site.name}/back`, chosen, axis);
}

/** Sums of one-hot rows [..., I, K] under constants [..., K]. */
function weighed(site: Site, hot: Activation, rows: Constant): Activation {
  const lifted = { ...rows, shape: [...rows.shape.slice(0, -1), 1, rows.shape.at(-1) as number] };
  const weighted = affine(site.draft, `${site.name}/values`, hot, lifted, 0);
  return sumLast(site.draft, site.name, weighted, false);
}

/** One-hot rows [..., I, K] times columns [..., K, 1], without the last axis. */
function columns(site: Site, hot: Activation, rows: Activation): Activation {
  needFloat(rows.type);
  const column = reshape(site.draft, `${site.name}/columns`, rows, [...rows.shape, 1]);
  const chosen = product(site, hot, column);
  return reshape(site.draft, `${site.name}/shape`, chosen, chosen.shape.slice(0, -1));
}

function lowerGatherND(site: Site): Value {
  const data = valueAt(site, 0);
  const indices = constantAt(site, 1, "indices");
  const batch = intOf(site, "batch_dims", 0);
  const depth = indices.shape.at(-1) ?? malformed("its indices are a scalar");
  const common = indices.shape.slice(0, batch);
  if (batch < 0 || batch + depth > data.shape.length || !sameShape(common, data.shape.slice(0, batch))) {
    malformed(`its indices [${indices.shape.join(", ")}] do not fit its data [${data.shape.join(", ")}]`);
  }
  const strides = stridesOf(data.shape);
  const tail = data.shape.slice(batch + depth);
  const inner = sizeOf(tail);
  const tuples = indices.data.length / depth;
  const perBatch = tuples / sizeOf(common);
  const start = Array.from({ length: tuples }, (_, t) => {
    const from = Math.floor(t / perBatch) * (batch === 0 ? 0 : (strides[batch - 1] as number));
    return counted(0, depth).reduce((sum, k) => {
      const index = indexIn(indices.data[t * depth + k] as number, data.shape[batch + k] as number);
      return sum + index * (strides[batch + k] as number);
    }, from);
  });
  site.draft.budget(tuples * inner, "its index");
  const index = Int32Array.from({ length: tuples * inner }, (_, i) => (start[Math.floor(i / inner)] as number) + (i % inner)); // prettier-ignore
  return take(site.draft, site.name, data, [...indices.shape.slice(0, -1), ...tail], index);
}

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

function lowerOneHot(site: Site): Value {
  const indices = valueAt(site, 0);
  const depth = constantAt(site, 1, "depth");
  const values = constantAt(site, 2, "values");
  const [count] = depth.data;
  if (depth.data.length !== 1 || count === undefined || !Number.isSafeInteger(count) || count < 1) {
    malformed(`its depth is ${depth.data.join(", ")}`);
  }
  if (values.data.length !== 2) malformed(`it has ${values.data.length} values, not an off and an on value`);
  const [off, on] = values.data as unknown as readonly [number, number];
  const rank = indices.shape.length + 1;
  const axis = axisIn(intOf(site, "axis", -1), rank);
  if (indices.kind === "constant") {
    site.draft.budget(indices.data.length * count, "one-hot rows of constants");
    const data = Float64Array.from({ length: indices.data.length * count }, (_, i) => {
      const index = indices.data[Math.floor(i / count)] as number;
      return (index < 0 ? index + count : index) === i % count ? on : off;
    });
    const rows: Constant = { kind: "constant", type: values.type, shape: [...indices.shape, count], data };
    return toFront(site.draft, site.name, rows, axis);
  }
  const hot = { ...oneHot(site, indices, count), type: values.type };
  const turned = toFront(site.draft, `${site.name}/turn`, hot, axis);
  return on === 1 && off === 0 ? turned : affine(site.draft, site.name, turned, on - off, off);
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

const axisAttribute = { axis: { kind: "int" } } as const;
const clamped = "indices that depend on the input are clamped to the table";

export const GATHER_RULES = {
  Expand: { inputs: [2, 2], attributes: {}, limits: "constant shape", lower: lowerExpand },
  Gather: { inputs: [2, 2], attributes: axisAttribute, limits: clamped, lower: lowerGather },
  GatherElements: { inputs: [2, 2], attributes: axisAttribute, limits: clamped, lower: lowerGatherElements },
  GatherND: {
    inputs: [2, 2],
    attributes: { batch_dims: { kind: "int", since: 12 } },
    limits: "constant indices",
    lower: lowerGatherND,
  },
  OneHot: {
    inputs: [3, 3],
    attributes: axisAttribute,
    limits: `constant depth and values; ${clamped}`,
    lower: lowerOneHot,
  },
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
    attributes: { ...axisAttribute, num_outputs: { kind: "int", since: 18 }, split: { kind: "ints", until: 12 } },
    limits: "constant sizes",
    lower: lowerSplit,
  },
  Tile: { inputs: [2, 2], attributes: {}, limits: "constant repeats", lower: lowerTile },
} satisfies Record<string, OpRule>;
