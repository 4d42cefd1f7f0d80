// Tree ensembles -> the float graph: all comparisons at once, then values from the leaves up, one `select` per branch that
// has a branch below it, then sums over trees. Leaf values are integers times one power of two, so all of this is exact.
import { exponentOf, pow2 } from "../../binary.ts";
import type { FloatRef } from "../../graph.ts";
import { type Activation, emit, tensorOf } from "../draft.ts";
import { malformed, quote, unsupported } from "../problems.ts";
import type { Site } from "../site.ts";
import { type Condition, type Conditions, conditionFor, createConditions, emitConditions } from "./conditions.ts";
import { type Aggregate, bottomUp, type Branch, isLeaf, isScored, type Leaf, type Tree } from "./ensemble.ts";

/** Bits of the largest leaf value: linear in the circuit, so free. */
const LEAF_BITS = 24;

/** Scores [1, targets] that stand for integers * unit. */
export interface Sums {
  readonly integers: Activation;
  readonly unit: number;
  /** A score differs by at most this from the sum of the file's leaf values. */
  readonly error: number;
  /** Sums closer than this are told apart by the rounding of leaf values alone, here or in the file. */
  readonly tie: number;
}

/** A value that depends on the features: one number of the tensor of its level. */
interface Entry {
  readonly bit: number;
  readonly high: Value;
  readonly low: Value;
  /** 1 where both sides are numbers. */
  readonly level: number;
  /** Position within its level. */
  readonly at: number;
}
type Value = number | Entry;

interface Forest {
  readonly conditions: Conditions;
  readonly x: Activation;
  readonly entries: Map<string, Entry>;
  readonly ids: Map<Entry, number>;
  readonly levels: Entry[][];
}

/** Sums (or means, least or largest values) over all trees, by target, plus `base`. */
export function lowerForest(
  site: Site,
  x: Activation,
  trees: readonly Tree[],
  base: readonly number[],
  aggregate: Aggregate,
): Sums {
  const { draft, name } = site;
  const targets = base.length;
  draft.budget(trees.length * targets, `${trees.length} trees of ${targets} targets`);
  const share = aggregate === "AVERAGE" ? 1 / trees.length : 1;
  const largest = heaviest(trees) * share;
  const most = Math.max(largest, ...base.map(Math.abs), 2 ** -60);
  // A base far above the leaves must leave the sums room below 2^53; whole numbers stay what they are.
  const fine = Math.max(exponentOf(largest === 0 ? most : largest) + 1 - LEAF_BITS, exponentOf(most) + 1 - 40);
  const whole = share === 1 ? coarsest(trees, base) : -Infinity;
  const unit = pow2(Math.max(fine, whole));
  const round = (real: number): number => Math.floor(real / unit + 0.5) + 0;
  const forest: Forest = { conditions: createConditions(draft), x, entries: new Map(), ids: new Map(), levels: [] };
  const constant = aggregate === "SUM" && targets > 1 ? totals(trees, targets) : undefined;
  const kept = constant === undefined ? targets : targets - 1;
  const columns = Array.from({ length: kept }, (_, target) => {
    const missing = aggregate === "MIN" || aggregate === "MAX" ? neutral(trees, target, aggregate) : 0;
    return valuesOf(forest, trees, (leaf) => round((leaf.get(target) ?? missing) * share));
  });
  const bits = emitConditions(forest.conditions, name);
  if (bits === undefined || forest.levels.length === 0)
    unsupported("none of its trees asks anything of its input", "Such a model is a constant; check the training.");
  const pool = emitLevels(site, forest, bits);
  const bias = base.map(round);
  const integers =
    aggregate === "MIN" || aggregate === "MAX"
      ? extremes(site, forest, pool, columns, bias, aggregate)
      : sums(site, forest, pool, columns, bias, constant?.totals.map(round));
  const rounding = whole >= fine ? 0 : (unit / 2) * (trees.length * Math.max(1, targets - 1) + 1);
  const error = rounding + (constant?.spread ?? 0);
  if (error > 0) {
    const what = `leaf values of the ${trees.length} tree(s) at node ${quote(name)} are rounded to multiples of 2^${exponentOf(unit)}`;
    draft.notices.push(`${what}: sums are exact to ${error.toPrecision(2)}`);
  }
  return { integers, unit, error, tie: error + trees.length * largest * 2 ** -24 };
}

function heaviest(trees: readonly Tree[]): number {
  let most = 0;
  for (const leaf of bottomUp(trees).filter(isLeaf)) {
    for (const weight of leaf.values()) most = Math.max(most, Math.abs(weight));
  }
  return most;
}

/** The exponent of the largest power of two that divides all leaf values and the base. */
function coarsest(trees: readonly Tree[], base: readonly number[]): number {
  let least = Infinity;
  const see = (value: number): void => {
    let e = exponentOf(value === 0 ? 1 : value);
    while (!Number.isInteger(value / pow2(e))) e--;
    if (value !== 0) least = Math.min(least, e);
  };
  base.forEach(see);
  for (const leaf of bottomUp(trees).filter(isLeaf)) leaf.forEach(see);
  return Math.min(least, 0);
}

/** What a leaf that does not add to the target has, so that the other trees decide. */
function neutral(trees: readonly Tree[], target: number, aggregate: "MIN" | "MAX"): number {
  if (!isScored(trees, target))
    unsupported(`no tree adds to target ${target} for every sample`, "Train with more samples or another aggregate.");
  const sign = aggregate === "MAX" ? -1 : 1;
  let most = -Infinity;
  for (const leaf of bottomUp(trees).filter(isLeaf)) {
    if (leaf.has(target)) most = Math.max(most, sign * (leaf.get(target) as number));
  }
  return sign * most;
}

/**
 * Of each tree, what the targets of a leaf add up to, if that is the same for all of its leaves but for the rounding of
 * float32 shares: one target then follows from the others. `spread`: by how much that rounding may differ in all.
 */
function totals(
  trees: readonly Tree[],
  targets: number,
): { readonly totals: readonly number[]; readonly spread: number } | undefined {
  const found: number[] = [];
  let spread = 0;
  for (const tree of trees) {
    const leaves = bottomUp([tree]).filter(isLeaf);
    const sums = leaves.map((leaf) => (leaf.size === 0 ? NaN : [...leaf.values()].reduce((a, b) => a + b, 0)));
    const first = sums[0] as number;
    const off = sums.reduce((most, sum) => Math.max(most, Math.abs(sum - first)), 0);
    if (!(off <= targets * 2 ** -23 * Math.abs(first))) return undefined;
    found.push(first);
    spread += off;
  }
  return { totals: found, spread };
}

/** The values of trees, equal parts of all of them once. */
function valuesOf(forest: Forest, trees: readonly Tree[], leafValue: (leaf: Leaf) => number): readonly Value[] {
  const values = new Map<Tree, Value>();
  const at = (tree: Tree): Value => values.get(tree) as Value;
  for (const tree of bottomUp(trees)) {
    values.set(tree, isLeaf(tree) ? leafValue(tree) : choice(forest, tree, at(tree.high), at(tree.low)));
  }
  return trees.map(at);
}

function choice(forest: Forest, { feature, threshold }: Branch, high: Value, low: Value): Value {
  if (high === low) return high;
  const features = forest.x.shape.at(-1) as number;
  if (!(feature >= 0 && feature < features)) malformed(`it asks for feature ${feature} of ${features}`);
  const condition: Condition = conditionFor(forest.conditions, forest.x, feature, threshold);
  if (typeof condition === "boolean") return condition ? high : low;
  const [a, b] = condition.flipped ? [low, high] : [high, low];
  const idOf = (value: Value): string => (typeof value === "number" ? `${value}` : `#${forest.ids.get(value)}`);
  const key = `${condition.bit}?${idOf(a)}:${idOf(b)}`;
  const known = forest.entries.get(key);
  if (known !== undefined) return known;
  const levelOf = (value: Value): number => (typeof value === "number" ? 0 : value.level);
  const level = 1 + Math.max(levelOf(a), levelOf(b));
  const own = (forest.levels[level - 1] ??= []);
  const entry = { bit: condition.bit, high: a, low: b, level, at: own.length };
  own.push(entry);
  forest.entries.set(key, entry);
  forest.ids.set(entry, forest.ids.size);
  return entry;
}

/** The tensors of all levels [1, n], one after the other. */
function emitLevels({ draft, name }: Site, { levels }: Forest, bits: FloatRef): FloatRef[] {
  const made: FloatRef[] = [];
  levels.forEach((entries, k) => {
    const shape = [1, entries.length];
    const title = `${name}/level${k + 1}`;
    const index = Int32Array.from(entries, ({ bit }) => bit);
    const c = emit(draft, { op: "take", x: bits, index, shape, name: `${title}.bits` });
    if (k === 0) {
      const factor = Float64Array.from(entries, ({ high, low }) => (high as number) - (low as number));
      const bias = Float64Array.from(entries, ({ low }) => low as number);
      made.push(emit(draft, { op: "affine", x: c, factor, bias, shape, name: title }));
      return;
    }
    const [a, b] = (["high", "low"] as const).map((side) => {
      return emitValues(draft, levels, made, entries.map((entry) => entry[side]), `${title}.${side}`); // prettier-ignore
    }) as [FloatRef, FloatRef];
    made.push(emit(draft, { op: "select", c, a, b, shape, name: title }));
  });
  return made;
}

/** Values as one tensor [1, n]: entries of the levels made so far, and numbers among them. */
function emitValues(
  draft: Site["draft"],
  levels: readonly (readonly Entry[])[],
  made: readonly FloatRef[],
  values: readonly Value[],
  name: string,
): FloatRef {
  const shape = [1, values.length];
  const used = made.flatMap((ref, k) =>
    values.some((v) => typeof v !== "number" && v.level === k + 1) ? [{ ref, k }] : [],
  );
  const starts = new Map<number, number>();
  let total = 0;
  for (const { k } of used) {
    starts.set(k + 1, total);
    total += (levels[k] as readonly Entry[]).length;
  }
  const xs = used.map(({ ref }) => ref);
  const [first] = xs.length > 0 ? xs : made;
  const pool = xs.length > 1 ? emit(draft, { op: "concat", xs, axis: 1, shape: [1, total], name: `${name}.of` }) : (first as FloatRef); // prettier-ignore
  const index = Int32Array.from(values, (v) => (typeof v === "number" ? 0 : (starts.get(v.level) as number) + v.at));
  const taken = emit(draft, { op: "take", x: pool, index, shape, name });
  if (!values.some((v) => typeof v === "number")) return taken;
  const factor = Float64Array.from(values, (v) => (typeof v === "number" ? 0 : 1));
  const bias = Float64Array.from(values, (v) => (typeof v === "number" ? v : 0));
  return emit(draft, { op: "affine", x: taken, factor, bias, shape, name: `${name}.leaves` });
}

function sums(
  { draft, name }: Site,
  { levels }: Forest,
  made: readonly FloatRef[],
  columns: readonly (readonly Value[])[],
  base: readonly number[],
  totals: readonly number[] | undefined,
): Activation {
  const counts = columns.map((column) => {
    const count = new Map<Entry, number>();
    for (const value of column) if (typeof value !== "number") count.set(value, (count.get(value) ?? 0) + 1);
    return count;
  });
  const entries = [...new Set(counts.flatMap((count) => [...count.keys()]))];
  const x = emitValues(draft, levels, made, entries, `${name}/roots`);
  const targets = base.length;
  draft.budget(entries.length * targets, "its sums over trees");
  const weights = new Float64Array(entries.length * targets);
  const bias = Float64Array.from(base);
  columns.forEach((column, n) => {
    entries.forEach((entry, k) => (weights[k * targets + n] = counts[n]?.get(entry) ?? 0));
    for (const value of column) if (typeof value === "number") bias[n]! += value;
  });
  if (totals !== undefined) {
    // The last target is what the others leave of the total.
    const last = targets - 1;
    bias[last]! += totals.reduce((a, b) => a + b, 0);
    for (let n = 0; n < last; n++) {
      bias[last]! -= (bias[n] as number) - (base[n] as number);
      entries.forEach((_, k) => (weights[k * targets + last]! -= weights[k * targets + n] as number));
    }
  }
  return tensorOf(draft, { op: "dense", x, weights, bias, exact: true, shape: [1, targets], name: `${name}/sum` }, "float32"); // prettier-ignore
}

/** Least or largest values over the trees, by target. */
function extremes(
  { draft, name }: Site,
  { levels }: Forest,
  made: readonly FloatRef[],
  columns: readonly (readonly Value[])[],
  base: readonly number[],
  aggregate: "MIN" | "MAX",
): Activation {
  const sign = aggregate === "MAX" ? 1 : -1;
  const targets = columns.length;
  const width = (columns[0] as readonly Value[]).length;
  const turn = (x: FloatRef, bias: Float64Array, shape: readonly number[], title: string): FloatRef =>
    emit(draft, { op: "affine", x, factor: new Float64Array(bias.length).fill(sign), bias, shape, name: title });
  // Tree by tree, the targets side by side.
  const flat = Array.from({ length: width * targets }, (_, i) => (columns[i % targets] as readonly Value[])[Math.floor(i / targets)] as Value); // prettier-ignore
  const all = emitValues(draft, levels, made, flat, `${name}/roots`);
  let x = turn(all, Float64Array.of(0), [1, flat.length], `${name}/turn`);
  for (let left = width; left > 1; left = Math.ceil(left / 2)) {
    const half = Math.ceil(left / 2);
    const shape = [1, half * targets];
    const part = (from: number): FloatRef => {
      const index = Int32Array.from({ length: half * targets }, (_, i) => from * targets + i);
      return emit(draft, { op: "take", x, index, shape, name: `${name}/half` });
    };
    x = emit(draft, { op: "max", a: part(0), b: part(left - half), shape, name: `${name}/extreme` });
  }
  const ref = turn(x, Float64Array.from(base), [1, targets], `${name}/extreme`);
  return { kind: "activation", ref, shape: [1, targets], type: "float32" };
}
