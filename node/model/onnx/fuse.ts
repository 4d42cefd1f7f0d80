// Sub-graphs that compute one function of one tensor, element by element, become one unary node: a table instead of many
// ops. So an exported Gelu, Silu or Mish is one table, whatever its exporter spelled, and no pattern is looked for.
//
// Left as they are: maps that are piecewise linear, a single product, roots and reciprocals (which have circuits that are
// exact where tables are coarse), and what computes on integers, since integers stay exact.
import { composed, sizeOfExpr } from "../functions.ts";
import type { Expr, FloatNode } from "../graph.ts";
import { readsOf } from "../refs.ts";
import type { Work } from "./rewrite.ts";

/** Larger expressions are cut: each is evaluated for every element of every calibration sample. */
const LARGEST = 100;

const constant = (data: Float64Array): number | undefined => (data.length === 1 ? data[0] : undefined);

/** The node as an expression of what it reads; undefined if it does more than one element at a time, or differs by place. */
function expressionOf(node: FloatNode, of: (ref: number) => Expr): Expr | undefined {
  switch (node.op) {
    case "unary":
      return composed(node.fn, of(node.x));
    case "affine": {
      const [factor, bias] = [constant(node.factor), constant(node.bias)];
      if (factor === undefined || bias === undefined) return undefined;
      const scaled: Expr = factor === 1 ? of(node.x) : ["mul", of(node.x), factor];
      return bias === 0 ? scaled : ["add", scaled, bias];
    }
    case "sum":
      return node.xs
        .map((x, i): Expr => (node.factors[i] === 1 ? of(x) : ["mul", of(x), node.factors[i] as number]))
        .reduce((sum, part): Expr => ["add", sum, part]);
    case "clip": {
      const above: Expr = node.lo === -Infinity ? of(node.x) : ["max", of(node.x), node.lo];
      return node.hi === Infinity ? above : ["min", above, node.hi];
    }
    case "leaky":
      return ["select", ["nonnegative", of(node.x)], of(node.x), ["mul", of(node.x), node.slope]];
    case "mul":
    case "div":
    case "max":
      return [node.op, of(node.a), of(node.b)];
    case "compare":
      return [node.relation, of(node.x)];
    case "select":
      return ["select", of(node.c), of(node.a), of(node.b)];
    default:
      return undefined;
  }
}

const ROUNDINGS: readonly string[] = ["floor", "ceil", "round", "trunc"];

function isRounding(fn: Expr): boolean {
  return typeof fn === "object" && ROUNDINGS.includes(fn[0]) && fn[1] === "x";
}

/** Has the function a circuit of its own, without a table? Roundings, the root and reciprocals. */
function hasOwnCircuit(fn: Expr): boolean {
  if (typeof fn !== "object") return false;
  const [name, a, b] = fn;
  return isRounding(fn) || (name === "sqrt" && a === "x") || (name === "div" && typeof a === "number" && b === "x");
}

function isTruth(work: Work, ref: number): boolean {
  return (work.nodes[ref] as FloatNode).op === "compare";
}

/** Is one table cheaper, or more exact, than the nodes one by one? */
function pays(work: Work, group: readonly number[]): boolean {
  if (group.length < 2) return false;
  let [tables, products, bends] = [0, 0, 0];
  for (const ref of group) {
    const node = work.nodes[ref] as FloatNode;
    if (node.op === "unary" && !hasOwnCircuit(node.fn)) tables++;
    if ((node.op === "mul" && !isTruth(work, node.a) && !isTruth(work, node.b)) || node.op === "div") products++;
    if (["clip", "leaky", "max", "compare", "select"].includes(node.op)) bends++;
  }
  return tables > 0 || products > 1 || (products > 0 && bends > 0);
}

const whole = (list: Float64Array | readonly number[]): boolean => list.every((v) => Number.isSafeInteger(v));

/** Does the tensor hold integers, whatever the input is? `known` keeps answers. */
function isIntegral(work: Work, ref: number, known: Map<number, boolean>): boolean {
  const answer = known.get(ref);
  if (answer !== undefined) return answer;
  const node = work.nodes[ref] as FloatNode;
  const below = (): boolean => readsOf(node).every((x) => isIntegral(work, x, known));
  const own = ((): boolean => {
    switch (node.op) {
      case "input":
        return !node.elemType.startsWith("float");
      case "argmax":
      case "compare":
      case "onehot":
      case "step":
      case "requantize":
        return true;
      case "dense":
      case "conv":
        return node.exact === true;
      case "unary":
        return isRounding(node.fn);
      case "affine":
        return whole(node.factor) && whole(node.bias) && below();
      case "sum":
        return whole(node.factors) && below();
      case "pad":
        return Number.isInteger(node.value) && below();
      case "clip":
        return [node.lo, node.hi].every((v) => Number.isInteger(v) || Math.abs(v) === Infinity) && below();
      case "mul":
      case "max":
      case "select":
      case "take":
      case "reshape":
      case "transpose":
      case "concat":
      case "maxpool":
        return below();
      default:
        return false;
    }
  })();
  known.set(ref, own);
  return own;
}

interface Found {
  readonly root: number;
  readonly group: readonly number[];
}

/**
 * From node `end` back to tensors of which alone it is a function, the furthest last. A tensor that others read, too, is
 * computed anyway: it is a root unless it is a free linear step.
 */
function rootsOf(work: Work, end: number): Found[] {
  const found: Found[] = [];
  const frontier = new Set([end]);
  const group: number[] = [];
  const readers = new Map<number, number>();
  while (group.length < LARGEST) {
    const ref = Math.max(...frontier);
    if (ref !== end && frontier.size === 1) found.push({ root: ref, group: [...group] });
    const node = work.nodes[ref] as FloatNode;
    const free = node.op === "affine" || node.op === "sum";
    if (expressionOf(node, () => "x") === undefined) break;
    if (ref !== end && !free && work.uses[ref] !== readers.get(ref)) break;
    frontier.delete(ref);
    group.push(ref);
    for (const read of readsOf(node)) {
      frontier.add(read);
      readers.set(read, (readers.get(read) ?? 0) + 1);
    }
  }
  return found;
}

/** The function of `root` that node `end` computes, undefined if it is too large. */
function functionFrom(work: Work, end: number, root: number): Expr | undefined {
  const known = new Map<number, { readonly expr: Expr; readonly size: number }>([[root, { expr: "x", size: 1 }]]);
  const of = (ref: number): Expr => {
    const before = known.get(ref);
    if (before !== undefined) return before.expr;
    const node = work.nodes[ref] as FloatNode;
    const reads = readsOf(node);
    for (const read of reads) of(read);
    const size = reads.reduce((sum, read) => sum + (known.get(read)?.size ?? Infinity), 0);
    const tooLarge = size > LARGEST;
    const expr = tooLarge ? "x" : (expressionOf(node, of) as Expr);
    known.set(ref, { expr, size: tooLarge ? Infinity : sizeOfExpr(expr) });
    return expr;
  };
  const expr = of(end);
  return (known.get(end)?.size ?? Infinity) <= LARGEST ? expr : undefined;
}

/** A rule for one pass over a graph. */
export function fuse(): (node: FloatNode, work: Work, index: number) => FloatNode {
  const known = new Map<number, boolean>();
  return (node, work, index) => {
    // Asked of every node, so that nothing below it is still unknown: no recursion is deep.
    const integral = isIntegral(work, index, known);
    if (integral || expressionOf(node, () => "x") === undefined) return node;
    for (const { root, group } of rootsOf(work, index).toReversed()) {
      if (!pays(work, group)) return node;
      const fn = functionFrom(work, index, root);
      if (fn !== undefined) return { op: "unary", x: root, fn, shape: node.shape, name: node.name };
    }
    return node;
  };
}
