// Which bits of a value a circuit has already: those of inputs, and of quotients that a rescale took apart. A table or a
// comparison that reads the value, perhaps moved or scaled by affine ops, takes them instead of making its own.
import type { Graph, Ref } from "../model/ir.ts";
import { nodeAt } from "../model/ir.ts";
import { typeRange } from "../core/tensor.ts";
import { bitsFor } from "./lc.ts";
import { termsOf } from "./linear.ts";
import type { LinearNode } from "./linear.ts";
import { boundsAt } from "./plan.ts";
import type { Interval, Plan } from "./plan.ts";
import { planRescale } from "./plan-rescale.ts";

/**
 * value = constant + factor * v, where v is what the bits of an element of `owner` spell: v = base + sum of bit[t] 2^t; or,
 * where a rescale has clamped it, an end of [base, base + 2^n).
 */
export interface Digits {
  readonly owner: Ref;
  readonly element: number;
  readonly factor: number;
  readonly constant: number;
  /** Made for the purpose, by a gadget Bits of the owner's element. */
  readonly own: boolean;
  readonly n: number;
  readonly base: number;
  /** The ends of v that count: beyond them lie bits that no value has, or that the owner clamps further. */
  readonly ends: Interval;
  /** How many b the owner's gadget has, and which is the lowest bit; none where its output y is the bit. */
  readonly width: number;
  readonly first: number;
  /** To be added to the lowest bit: the correction of halves. */
  readonly fix: 0 | 1 | -1;
  readonly clamp: Clamp | undefined;
}

/** Where the bits do not say v: whether the clamp's flag is 1 ("out"), the top bit is 1 ("over") or 0 ("under"). */
export type Clamp = "under" | "over" | "out" | "out, signed";

/** Bits of element `element` of tensor x, or the constant that it is. */
export function digitsOf(plan: Plan, x: Ref, element: number): Digits | { readonly always: number } {
  let [owner, at, factor, constant] = [x, element, 1, 0];
  for (;;) {
    const next = onlyTerm(plan.graph, owner, at);
    if (next === undefined) break;
    constant += factor * next.constant;
    if (next.factor === 0) return { always: constant };
    [owner, at, factor] = [next.ref, next.index, factor * next.factor];
  }
  const node = nodeAt(plan.graph, owner);
  const place = { owner, element: at, factor, constant, own: false, fix: 0, clamp: undefined } as const;
  if (node.op === "input") {
    const { lo, hi } = typeRange(node.border.type);
    return {
      ...place,
      n: node.border.type.bits,
      base: lo,
      ends: { least: lo, most: hi },
      width: node.border.type.bits,
      first: 0,
    };
  }
  if (node.op === "rescale") {
    const choice = planRescale(plan, node, at);
    if ("constant" in choice) return { always: constant + factor * choice.constant };
    const ends = { least: node.lo, most: node.hi };
    if ("atLeast" in choice) {
      const base = choice.lower;
      return { ...place, n: 1, base, ends: { least: base, most: base + 1 }, width: 0, first: 0 };
    }
    const { template, params } = choice.rescale;
    const [B, s, k, base, signed] = params as readonly [number, number, number, number, 0 | 1];
    const h = B - signed - s - k;
    const clamp =
      h <= 0 ? (signed === 1 ? "under" : undefined) : signed === 1 ? "out, signed" : h === 1 ? "over" : "out";
    const fix = template === "Rescale" ? 0 : base % 2 === 0 ? -1 : 1;
    return { ...place, n: k, base, ends, width: B, first: s, fix, clamp };
  }
  const bounds = boundsAt(plan, x, element);
  const { least, most } = bounds;
  if (least === most) return { always: least };
  const n = bitsFor(most - least);
  // few bases, so that elements share gadgets and forms
  const base = [0, -(2 ** (n - 1))].find((from) => from <= least && most < from + 2 ** n) ?? least;
  return { ...place, owner: x, element, factor: 1, constant: 0, own: true, n, base, ends: bounds, width: n, first: 0 };
}

interface Term {
  readonly ref: Ref;
  readonly index: number;
  readonly factor: number;
  readonly constant: number;
}

const SINGLE: ReadonlySet<string> = new Set(["affine", "sum", "reshape", "transpose", "pad", "concat", "take"]);

/** What an element is an affine image of; a factor of 0 for a constant, undefined where it is none. */
function onlyTerm(graph: Graph, ref: Ref, element: number): Term | undefined {
  const node = nodeAt(graph, ref);
  if (!SINGLE.has(node.op) || (node.op === "sum" && node.xs.length > 1)) return undefined;
  let term = { ref, index: element, factor: 0 };
  const constant = termsOf(graph, node as LinearNode, element, (x, index, factor) => {
    term = { ref: x, index, factor };
  });
  return { ...term, constant };
}
