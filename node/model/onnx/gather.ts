// Ops that choose elements. Choices known at compile time are rearrangements (take.ts); indices that depend on the model's
// input become one-hot rows that multiply the table, which is constant (an embedding) or a tensor of the graph.
import { sizeOf, stridesOf } from "../../core/tensor.ts";
import { type Constant, integerRange } from "./constant.ts";
import { type Activation, affine, reshape, sameShape, tensorOf, transpose, type Value } from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import { sumLast, toFront, toLast } from "./rows.ts";
import { axisIn, constantAt, intOf, needFloat, type OpRule, type Site, valueAt } from "./site.ts";
import { counted, pick, positions, take } from "./take.ts";

/** Indices of a signed type: negative ones count from the back. Costs nothing where the compiler sees that none is. */
function fromFront(site: Site, indices: Activation, count: number): Activation {
  const range = integerRange(indices.type) ?? malformed(`its indices are ${indices.type}`);
  if (range[0] >= 0) return indices;
  const { draft, name } = site;
  const sign = { op: "compare", x: indices.ref, relation: "nonnegative", shape: indices.shape, name: `${name}/sign` } as const; // prettier-ignore
  const c = tensorOf(draft, sign, "bool");
  const back = affine(draft, `${name}/back`, indices, 1, count);
  const node = { op: "select", c: c.ref, a: indices.ref, b: back.ref, shape: indices.shape, name: `${name}/front` } as const; // prettier-ignore
  return tensorOf(draft, node, indices.type);
}

/** One-hot rows over `count` columns. Indices outside are clamped to the nearest one: nothing else is provable. */
function oneHot(site: Site, indices: Activation, count: number): Activation {
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
  const hot = oneHot(site, fromFront(site, flat, dim), dim);
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
  const turned = toLast(site.draft, `${site.name}/turn`, indices, axis);
  const hot = oneHot(site, fromFront(site, turned, dim), dim);
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
  // What is outside is clamped to a column of its own on either side, and left out: its row is off.
  const inner = affine(site.draft, `${site.name}/inner`, fromFront(site, indices, count), 1, 1);
  const wide = { ...oneHot(site, inner, count + 2), type: values.type };
  const hot = pick(site.draft, `${site.name}/inside`, wide, [...indices.shape.map(() => undefined), counted(1, count)]);
  const turned = toFront(site.draft, `${site.name}/turn`, hot, axis);
  return on === 1 && off === 0 ? turned : affine(site.draft, site.name, turned, on - off, off);
}

const axisAttribute = { axis: { kind: "int" } } as const;
const clamped = "indices that depend on the input are clamped to the table";
const outside = "rows of indices that are outside are off";

export const GATHER_RULES = {
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
    limits: `constant depth and values; ${outside}`,
    lower: lowerOneHot,
  },
} satisfies Record<string, OpRule>;
