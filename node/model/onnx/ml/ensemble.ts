// Tree ensembles as the two generations of ONNX operators spell them -> one normal form: every branch asks x >= threshold.
// Knows attributes and modes of comparison; knows no circuit and no float graph.
import { readTensor } from "../constant.ts";
import { malformed, quote, unsupported } from "../problems.ts";
import { finite, type Site, tensorAttribute } from "../site.ts";
import { nextFloat32, nextFloat64 } from "../../floats.ts";

/** Where x[feature] >= threshold to `high`, else to `low`; a node may be reached on several ways. */
export interface Branch {
  readonly feature: number;
  readonly threshold: number;
  readonly high: Tree;
  readonly low: Tree;
}

/** By target: what the leaf adds to it. */
export type Leaf = ReadonlyMap<number, number>;
export type Tree = Branch | Leaf;

export function isLeaf(tree: Tree): tree is Leaf {
  return tree instanceof Map;
}

/** Every node of the trees once, those below a branch before it. Not by recursion: sets of members make long chains. */
export function bottomUp(trees: readonly Tree[]): readonly Tree[] {
  const order: Tree[] = [];
  const seen = new Set<Tree>();
  const open: { readonly tree: Tree; readonly done: boolean }[] = trees.map((tree) => ({ tree, done: false }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { tree, done } = next;
    if (done) order.push(tree);
    if (done || seen.has(tree)) continue;
    seen.add(tree);
    open.push({ tree, done: true });
    if (!isLeaf(tree)) open.push({ tree: tree.high, done: false }, { tree: tree.low, done: false });
  }
  return order;
}

/** Do all leaves of some tree add to `target`? Then the target has a score, whatever the sample. */
export function isScored(trees: readonly Tree[], target: number): boolean {
  const always = new Map<Tree, boolean>();
  for (const tree of bottomUp(trees)) {
    always.set(tree, isLeaf(tree) ? tree.has(target) : always.get(tree.high) === true && always.get(tree.low) === true);
  }
  return trees.some((tree) => always.get(tree));
}

/** Deeper trees than this are refused; trained ones have some tens of levels. */
const MAX_DEPTH = 256;

/** ONNX's modes of comparison; the newer TreeEnsemble numbers them in this order. */
const MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"] as const;
type Mode = (typeof MODES)[number];

/** The branch that goes to `yes` where `x mode value`; comparisons are of float32 numbers, or of float64. */
function branchOf(mode: Mode, feature: number, value: number, yes: Tree, no: Tree, double: boolean): Branch {
  if (Number.isNaN(value)) unsupported("it compares with NaN, which no feature equals", "Prune such branches.");
  const above = (double ? nextFloat64 : nextFloat32)(value);
  switch (mode) {
    case "BRANCH_LEQ":
      return { feature, threshold: above, high: no, low: yes };
    case "BRANCH_LT":
      return { feature, threshold: value, high: no, low: yes };
    case "BRANCH_GTE":
      return { feature, threshold: value, high: yes, low: no };
    case "BRANCH_GT":
      return { feature, threshold: above, high: yes, low: no };
    case "BRANCH_EQ":
      return { feature, threshold: value, high: { feature, threshold: above, high: no, low: yes }, low: no };
    case "BRANCH_NEQ":
      return branchOf("BRANCH_EQ", feature, value, no, yes, double);
  }
}

type Ints = readonly number[];

function listOf<T>(site: Site, name: string, length?: number): readonly T[] {
  const list = (site.attributes.get(name) as readonly T[] | undefined) ?? [];
  if (length !== undefined && list.length !== length) {
    malformed(`its attribute ${quote(name)} has ${list.length} entries where ${length} belong`);
  }
  return list;
}

/** Numbers given as floats, or as a tensor in float64. */
export function weightsOf(site: Site, name: string): { readonly data: Float64Array; readonly double: boolean } {
  const tensor = tensorAttribute(site, `${name}_as_tensor`);
  const floats = listOf<number>(site, name);
  if (tensor === undefined) return { data: Float64Array.from(floats), double: false };
  if (floats.length > 0) malformed(`it holds both ${name} and ${name}_as_tensor`);
  const { data, type } = readTensor(tensor, site.draft.budget, `its attribute ${quote(name)}`);
  return { data, double: type === "float64" };
}

/** TreeEnsembleClassifier and TreeEnsembleRegressor: nodes by (tree, number), leaves listed by the same. */
export function readEnsemble(site: Site, leaves: "class" | "target", targets: number): readonly Tree[] {
  const trees = listOf<number>(site, "nodes_treeids");
  const count = trees.length;
  const ints = (name: string): Ints => listOf<number>(site, name, count);
  const [numbers, features] = [ints("nodes_nodeids"), ints("nodes_featureids")];
  const [yes, no] = [ints("nodes_truenodeids"), ints("nodes_falsenodeids")];
  const modes = listOf<string>(site, "nodes_modes", count);
  const { data: values, double } = weightsOf(site, "nodes_values");
  if (values.length !== count) malformed(`it has ${values.length} node values for ${count} nodes`);
  const at = new Map<string, number>();
  trees.forEach((tree, i) => {
    const key = `${tree}:${numbers[i]}`;
    if (at.has(key)) malformed(`tree ${tree} has two nodes ${numbers[i]}`);
    at.set(key, i);
  });
  const nodeAt = (tree: number, number: number): number =>
    at.get(`${tree}:${number}`) ?? malformed(`tree ${tree} has no node ${number}, which it names`);
  const leafAt = new Map<number, Map<number, number>>();
  const weights = weightsOf(site, `${leaves}_weights`).data;
  const [ids, numbersOfLeaves] = [`${leaves}_ids`, `${leaves}_nodeids`].map((n) => listOf<number>(site, n, weights.length)) as [Ints, Ints]; // prettier-ignore
  listOf<number>(site, `${leaves}_treeids`, weights.length).forEach((tree, k) => {
    const leaf = nodeAt(tree, numbersOfLeaves[k] as number);
    const target = targetIn(ids[k] as number, targets);
    const own = leafAt.get(leaf) ?? new Map<number, number>();
    leafAt.set(leaf, own.set(target, (own.get(target) ?? 0) + (weights[k] as number)));
  });
  finite(weights, "leaf weights");
  const build = once((i: number, down: (i: number) => Tree): Tree => {
    const mode = modes[i] as string;
    if (mode === "LEAF") return leafAt.get(i) ?? new Map<number, number>();
    if (!(MODES as readonly string[]).includes(mode))
      unsupported(`it compares by ${quote(mode)}`, "Train trees that compare with thresholds.");
    const [a, b] = [yes, no].map((next) => down(nodeAt(trees[i] as number, next[i] as number))) as [Tree, Tree];
    return branchOf(mode as Mode, features[i] as number, values[i] as number, a, b, double);
  });
  const children = new Set<number>();
  modes.forEach((mode, i) => {
    if (mode !== "LEAF") for (const next of [yes, no]) children.add(nodeAt(trees[i] as number, next[i] as number));
  });
  const roots = trees.flatMap((tree, i) => (tree === trees[i - 1] ? [] : i));
  const stray = trees.findIndex((_, i) => roots.includes(i) === children.has(i));
  if (stray >= 0) malformed(`node ${numbers[stray]} of tree ${trees[stray]} is no single root that stands first`);
  return roots.map(build);
}

/** TreeEnsemble (ai.onnx.ml 5): branches and leaves are numbered through all trees. */
export function readNewEnsemble(site: Site, targets: number): readonly Tree[] {
  const tensor = (name: string): { data: Float64Array; double: boolean } | undefined => {
    const given = tensorAttribute(site, name);
    if (given === undefined) return undefined;
    const { data, type } = readTensor(given, site.draft.budget, `its attribute ${quote(name)}`);
    return { data, double: type === "float64" };
  };
  const { data: splits, double } = tensor("nodes_splits") ?? malformed("it has no nodes_splits");
  const modes = tensor("nodes_modes")?.data ?? malformed("it has no nodes_modes");
  const count = splits.length;
  if (modes.length !== count) malformed(`it has ${modes.length} modes for ${count} nodes`);
  const ints = (name: string): Ints => listOf<number>(site, name, count);
  const features = ints("nodes_featureids");
  const sides = [
    { next: ints("nodes_truenodeids"), leaf: ints("nodes_trueleafs") },
    { next: ints("nodes_falsenodeids"), leaf: ints("nodes_falseleafs") },
  ];
  const weights = finite(tensor("leaf_weights")?.data ?? malformed("it has no leaf_weights"), "leaf weights");
  const ids = listOf<number>(site, "leaf_targetids", weights.length);
  const leafOf = (k: number): Leaf => {
    const weight = weights[k] ?? malformed(`it has no leaf ${k}, which it names`);
    return new Map([[targetIn(ids[k] as number, targets), weight]]);
  };
  const members = memberSets(modes, tensor("membership_values")?.data ?? new Float64Array());
  const build = once((i: number, down: (i: number) => Tree): Tree => {
    const value = splits[i] ?? malformed(`it has no node ${i}, which it names`);
    const [yes, no] = sides.map(({ next, leaf }) => {
      return leaf[i] === 0 ? down(next[i] as number) : leafOf(next[i] as number);
    }) as [Tree, Tree];
    const feature = features[i] as number;
    const set = members.get(i);
    if (set !== undefined) {
      return set.reduce((rest, member) => branchOf("BRANCH_EQ", feature, member, yes, rest, double), no);
    }
    const mode = MODES[modes[i] as number] ?? malformed(`node ${i} has mode ${modes[i]}, which ONNX does not define`);
    return branchOf(mode, feature, value, yes, no, double);
  });
  return listOf<number>(site, "tree_roots").map(build);
}

const BRANCH_MEMBER = 6;

/** The sets that BRANCH_MEMBER nodes test, by node: membership_values, one set after the other, NaN between them. */
function memberSets(modes: Float64Array, values: Float64Array): ReadonlyMap<number, Ints> {
  const nodes = Array.from(modes.keys()).filter((i) => modes[i] === BRANCH_MEMBER);
  const sets: number[][] = [[]];
  values.forEach((value) => void (Number.isNaN(value) ? sets.push([]) : sets.at(-1)?.push(value)));
  if (nodes.length > 0 && sets.filter((set) => set.length > 0).length !== nodes.length) {
    malformed(`it has ${nodes.length} nodes of mode BRANCH_MEMBER and not as many sets`);
  }
  return new Map(nodes.map((node, k) => [node, sets[k] as number[]]));
}

function targetIn(id: number, targets: number): number {
  return Number.isInteger(id) && id >= 0 && id < targets
    ? id
    : malformed(`a leaf adds to ${id}, not one of ${targets}`);
}

/** Builds a node from what lies below it, each node once. @throws Refusal on circles and on trees too deep */
function once(make: (i: number, down: (i: number) => Tree) => Tree): (i: number) => Tree {
  const built = new Map<number, Tree>();
  const open = new Set<number>();
  const visit = (i: number): Tree => {
    const known = built.get(i);
    if (known !== undefined) return known;
    if (open.has(i)) return malformed(`node ${i} lies below itself`);
    if (open.size > MAX_DEPTH)
      return unsupported(`it has a tree deeper than ${MAX_DEPTH} levels`, "Train shallower trees (max_depth).");
    open.add(i);
    const tree = make(i, visit);
    open.delete(i);
    built.set(i, tree);
    return tree;
  };
  return visit;
}

/** "SUM" and the like; the newer TreeEnsemble numbers them. */
export function aggregateOf(site: Site): Aggregate {
  const given = site.attributes.get("aggregate_function");
  const name = typeof given === "number" ? (["AVERAGE", "SUM", "MIN", "MAX"] as const)[given] : (given ?? "SUM");
  if (name === "SUM" || name === "AVERAGE" || name === "MIN" || name === "MAX") return name;
  return malformed(`its aggregate_function is ${quote(`${given as string | number}`)}`);
}

export type Aggregate = "SUM" | "AVERAGE" | "MIN" | "MAX";
