// Reductions. Sums and means are sums of equal weights (free and exact in the circuit), maxima are windows, products are
// trees of multiplications; norms and logarithms are composed of them.
import { sizeOf } from "../../core/tensor.ts";
import { exp, log } from "../functions.ts";
import { type Constant, isFloat } from "./constant.ts";
import { type Activation, affine, reshape, tensorOf, transpose, type Value } from "./draft.ts";
import { globalAverage } from "./pool.ts";
import { malformed, unsupported } from "./problems.ts";
import { absolute, linear, maxLast, negate, plus, sumLast, times, toFront, toLast } from "./rows.ts";
import {
  axesIn,
  axisIn,
  constantAt,
  flagOf,
  integersAt,
  intsOf,
  needFloat,
  type OpRule,
  type Site,
  valueAt,
} from "./site.ts";
import { counted, pick } from "./take.ts";

/** What happens to the last axis: it stays, with size 1. `fold` does the same to plain numbers. */
interface Reduction {
  readonly lower: (site: Site, x: Activation) => Activation;
  readonly fold: (values: Float64Array) => number;
  /** Integers may be reduced, too. */
  readonly integers: boolean;
}

const total = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0);
const squares = (values: Float64Array): number => values.reduce((sum, v) => sum + v * v, 0);
const largest = (values: Float64Array): number => values.reduce((most, v) => Math.max(most, v), -Infinity);

function unary(site: Site, fn: "log" | "sqrt", x: Activation): Activation {
  const node = { op: "unary", x: x.ref, fn: [fn, "x"], shape: x.shape, name: `${site.name}/${fn}` } as const;
  return tensorOf(site.draft, node, x.type);
}

function sum(site: Site, x: Activation): Activation {
  return sumLast(site.draft, `${site.name}/sum`, x, true);
}

function sumSquare(site: Site, x: Activation): Activation {
  return sum(site, times(site.draft, `${site.name}/square`, x, x));
}

/** Halves are multiplied with each other until one element is left. */
function product(site: Site, x: Activation): Activation {
  const { draft, name } = site;
  const inner = x.shape.at(-1) as number;
  if (inner === 1) return x;
  const part = (from: number, count: number): Activation =>
    pick(draft, `${name}/part`, x, [...x.shape.slice(0, -1).map(() => undefined), counted(from, count)]);
  const half = Math.floor(inner / 2);
  const y = product(site, times(draft, `${name}/product`, part(0, half), part(half, half)));
  return inner % 2 === 0 ? y : times(draft, `${name}/product`, y, part(inner - 1, 1));
}

/** log(sum(exp(x))) = x_0 - logsoftmax(x)_0, which no large x makes overflow. */
function logSumExp(site: Site, x: Activation): Activation {
  const { draft, name } = site;
  const node = { op: "softmax", x: x.ref, log: true, shape: x.shape, name: `${name}/logsoftmax` } as const;
  const first = (value: Activation): Activation =>
    pick(draft, `${name}/first`, value, [...x.shape.slice(0, -1).map(() => undefined), [0]]);
  return plus(draft, name, first(x), first(tensorOf(draft, node, x.type)), [1, -1]);
}

const REDUCTIONS = {
  ReduceL1: {
    lower: (site, x) => sum(site, absolute(site.draft, `${site.name}/abs`, x)),
    fold: (values) => total(values.map(Math.abs)),
    integers: false,
  },
  ReduceL2: {
    lower: (site, x) => unary(site, "sqrt", sumSquare(site, x)),
    fold: (values) => Math.sqrt(squares(values)),
    integers: false,
  },
  ReduceLogSum: {
    lower: (site, x) => unary(site, "log", sum(site, x)),
    fold: (values) => log(total(values)),
    integers: false,
  },
  ReduceLogSumExp: { lower: logSumExp, fold: (values) => log(total(values.map(exp))), integers: false },
  ReduceMax: { lower: (site, x) => maxLast(site.draft, site.name, x), fold: largest, integers: true },
  ReduceMean: {
    lower: (site, x) => sumLast(site.draft, site.name, x, true, 1 / (x.shape.at(-1) as number)),
    fold: (values) => total(values) / values.length,
    integers: false,
  },
  ReduceMin: {
    lower: ({ draft, name }, x) => negate(draft, name, maxLast(draft, `${name}/max`, negate(draft, `${name}/turn`, x))),
    fold: (values) => -largest(values.map((v) => -v)),
    integers: true,
  },
  ReduceProd: { lower: product, fold: (values) => values.reduce((y, v) => y * v, 1), integers: false },
  ReduceSum: { lower: sum, fold: total, integers: true },
  ReduceSumSquare: { lower: sumSquare, fold: squares, integers: false },
} satisfies Record<string, Reduction>;

/** The tensor with `axes` as one last axis, the others before it. */
function gatheredLast<V extends Value>(site: Site, x: V, axes: readonly number[]): V {
  const kept = counted(0, x.shape.length).filter((axis) => !axes.includes(axis));
  const turned = transpose(site.draft, `${site.name}/turn`, x, [...kept, ...axes]);
  const dims = kept.map((axis) => x.shape[axis] as number);
  const inner = sizeOf(axes.map((axis) => x.shape[axis] as number));
  return reshape(site.draft, `${site.name}/rows`, turned, [...dims, inner]);
}

function foldConstant(site: Site, x: Constant, axes: readonly number[], reduction: Reduction): Constant {
  const rows = gatheredLast(site, x, axes);
  const inner = rows.shape.at(-1) as number;
  if (inner === 0) malformed("it reduces an axis of no elements");
  const stored = x.type === "float32" ? Math.fround : (v: number): number => v;
  const data = Float64Array.from({ length: rows.data.length / inner }, (_, row) =>
    stored(reduction.fold(rows.data.subarray(row * inner, (row + 1) * inner))),
  );
  if (!isFloat(x.type) && !data.every(Number.isSafeInteger))
    unsupported("it reduces integers beyond 2^53", "Use smaller constants.");
  return { ...x, shape: rows.shape.with(-1, 1), data };
}

function lowerReduction(site: Site, op: keyof typeof REDUCTIONS): Value {
  const x = valueAt(site, 0);
  const reduction: Reduction = REDUCTIONS[op];
  const rank = x.shape.length;
  const given = intsOf(site, "axes") ?? integersAt(site, 1, "axes") ?? [];
  const noop = given.length === 0 && flagOf(site, "noop_with_empty_axes", false);
  const axes = noop ? [] : given.length === 0 ? counted(0, rank) : axesIn(given, rank).toSorted((a, b) => a - b);
  if (noop && (op === "ReduceMax" || op === "ReduceMin" || op === "ReduceSum" || op === "ReduceMean" || op === "ReduceProd")) return x; // prettier-ignore
  const keep = flagOf(site, "keepdims", true);
  const shape = x.shape.flatMap((dim, axis) => (axes.includes(axis) ? (keep ? [1] : []) : [dim]));
  if (x.kind === "constant") return reshape(site.draft, "", foldConstant(site, x, axes, reduction), shape);
  if (!reduction.integers) needFloat(x.type);
  const plane = rank >= 3 && rank <= 4 && x.shape[0] === 1 && axes.length === rank - 2 && axes[0] === 2;
  // A global average pool stays one: a conv takes what is around it into its weights.
  const y = op === "ReduceMean" && plane ? globalAverage(site) : reduction.lower(site, gatheredLast(site, x, axes));
  return reshape(site.draft, `${site.name}/shape`, y, shape);
}

/** Sums up to each element: a triangle of ones as weights. */
function lowerCumSum(site: Site): Value {
  const x = valueAt(site, 0);
  const axisTensor = constantAt(site, 1, "axis");
  const axis = axisIn(axisTensor.data[0] ?? malformed("it has no axis"), x.shape.length);
  const [exclusive, reverse] = [flagOf(site, "exclusive", false), flagOf(site, "reverse", false)];
  const { draft, name } = site;
  const turned = toLast(draft, `${name}/turn`, x, axis);
  const count = x.shape[axis] as number;
  draft.budget(count * count, "the weights of a running sum");
  const weights = Float64Array.from({ length: count * count }, (_, i) => {
    const [from, to] = [Math.floor(i / count), i % count];
    return from === to ? +!exclusive : +(reverse ? from > to : from < to);
  });
  if (turned.kind === "activation") return toFront(draft, `${name}/back`, linear(draft, name, turned, weights, count), axis); // prettier-ignore
  const sums = turned.data.map((_, i) => {
    const row = i - (i % count);
    return counted(0, count).reduce((s, k) => s + (weights[k * count + (i % count)] as number) * (turned.data[row + k] as number), 0); // prettier-ignore
  });
  return toFront(draft, name, { ...turned, data: sums }, axis);
}

/** x / norm of x along one axis: 1 and 2. */
function lowerLpNormalization(site: Site): Activation {
  const x = valueAt(site, 0);
  if (x.kind === "constant") return unsupported("it normalizes a constant", "Fold constants first, with onnxsim.");
  needFloat(x.type);
  const { draft, name } = site;
  const axis = axisIn((site.attributes.get("axis") as number | undefined) ?? -1, x.shape.length);
  const p = (site.attributes.get("p") as number | undefined) ?? 2;
  const rows = toLast(draft, `${name}/turn`, x, axis);
  const count = x.shape[axis] as number;
  if (p === 2) {
    const node = { op: "normalize", x: rows.ref, epsilon: 0, centered: false, shape: rows.shape, name } as const;
    const y = affine(draft, `${name}/norm`, tensorOf(draft, node, x.type), 1 / Math.sqrt(count), 0);
    return toFront(draft, `${name}/back`, y, axis);
  }
  if (p !== 1) return unsupported(`its p is ${p}`, "Norms 1 and 2 are read.");
  const norm = sumLast(draft, `${name}/norm`, absolute(draft, `${name}/abs`, rows), true);
  const lists = rows.shape.map((dim, k) => (k === rows.shape.length - 1 ? new Array<number>(dim).fill(0) : undefined));
  const b = pick(draft, `${name}/repeat`, norm, lists);
  const node = { op: "div", a: rows.ref, b: b.ref, shape: rows.shape, name } as const;
  return toFront(draft, `${name}/back`, tensorOf(draft, node, x.type), axis);
}

const reduction = (op: keyof typeof REDUCTIONS): OpRule => ({
  inputs: [1, 2],
  attributes: {
    axes: { kind: "ints", until: op === "ReduceSum" ? 12 : 17 },
    keepdims: { kind: "int" },
    noop_with_empty_axes: { kind: "int", since: op === "ReduceSum" ? 13 : 18 },
  },
  limits: "constant axes",
  lower: (site) => lowerReduction(site, op),
});

export const REDUCE_RULES = {
  CumSum: {
    inputs: [2, 2],
    attributes: { exclusive: { kind: "int" }, reverse: { kind: "int" } },
    limits: "constant axis",
    lower: lowerCumSum,
  },
  LpNormalization: {
    inputs: [1, 1],
    attributes: { axis: { kind: "int" }, p: { kind: "int" } },
    limits: "p of 1 and 2",
    lower: lowerLpNormalization,
  },
  ReduceL1: reduction("ReduceL1"),
  ReduceL2: reduction("ReduceL2"),
  ReduceLogSum: reduction("ReduceLogSum"),
  ReduceLogSumExp: reduction("ReduceLogSumExp"),
  ReduceMax: reduction("ReduceMax"),
  ReduceMean: reduction("ReduceMean"),
  ReduceMin: reduction("ReduceMin"),
  ReduceProd: reduction("ReduceProd"),
  ReduceSum: reduction("ReduceSum"),
  ReduceSumSquare: reduction("ReduceSumSquare"),
} satisfies Record<string, OpRule>;
