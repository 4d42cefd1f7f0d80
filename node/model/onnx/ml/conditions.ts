// Comparisons of single elements with numbers, gathered into `step` nodes: equal ones once, and each brought back to where
// its element comes from, through scalers and wiring, so that nothing is computed only to be compared.
import { sizeOf, stridesOf } from "../../../core/tensor.ts";
import { firstFloat32, firstInteger, nextFloat64 } from "../../floats.ts";
import type { FloatAffine, FloatNode, FloatRef } from "../../graph.ts";
import { integerRange } from "../constant.ts";
import { type Activation, type Draft, emit } from "../draft.ts";

/** A truth value: a constant, or bit `bit` of the gathered ones, the other way round if `flipped`. */
export type Condition = boolean | { readonly bit: number; readonly flipped: boolean };

interface Place {
  readonly ref: FloatRef;
  readonly element: number;
}

interface Comparison extends Place {
  readonly threshold: number;
  readonly flipped: boolean;
}

/** Comparisons met so far, each with its number. */
export interface Conditions {
  readonly draft: Draft;
  readonly found: Map<string, { readonly at: Comparison; readonly bit: number }>;
}

export function createConditions(draft: Draft): Conditions {
  return { draft, found: new Map() };
}

/** x[element] >= threshold, as numbers of x's type compare. */
export function conditionFor(conditions: Conditions, x: Activation, element: number, threshold: number): Condition {
  const exact = x.type === "float64";
  const at = traced(conditions.draft, { ref: x.ref, element, threshold, flipped: false }, exact);
  if (at.threshold === -Infinity) return !at.flipped;
  if (at.threshold === Infinity) return at.flipped;
  const key = `${at.ref}:${at.element}:${at.threshold}`;
  const known = conditions.found.get(key);
  const bit = known?.bit ?? conditions.found.size;
  if (known === undefined) conditions.found.set(key, { at, bit });
  return { bit, flipped: at.flipped };
}

/** The same comparison of the earliest tensor whose element decides it. */
function traced(draft: Draft, comparison: Comparison, exact: boolean): Comparison {
  let at = comparison;
  for (;;) {
    const node = draft.nodes[at.ref] as FloatNode;
    if (node.op === "input") {
      // Integers are compared as the float32 numbers that they are rounded to.
      const whole = !exact && integerRange(node.elemType) !== undefined;
      return whole ? { ...at, threshold: firstInteger(at.threshold, 1) } : at;
    }
    const before = node.op === "affine" ? beforeAffine(node, at, exact) : placeBefore(draft, node, at.element);
    if (before === undefined) return at;
    at = { ...at, ...before };
  }
}

/**
 * An affine step is taken as the file has it, rounded to float32, and monotone, so that the least float32 number that it
 * lets pass is exact; in float64 it is taken over the reals.
 */
function beforeAffine(node: FloatAffine, at: Comparison, exact: boolean): Partial<Comparison> | undefined {
  if (!Number.isFinite(at.threshold)) return undefined;
  const pick = (data: Float64Array): number => data[data.length === 1 ? 0 : at.element] as number;
  const [factor, bias] = [pick(node.factor), pick(node.bias)];
  const round = exact ? (v: number): number => v : Math.fround;
  const passes = (v: number): boolean => round(v * factor + bias) >= at.threshold;
  if (factor === 0) return { threshold: passes(0) ? -Infinity : Infinity };
  const flipped = at.flipped !== factor < 0;
  if (!exact) return { ref: node.x, threshold: firstFloat32((v) => passes(v) === factor > 0), flipped };
  const border = (at.threshold - bias) / factor;
  return { ref: node.x, threshold: factor > 0 ? border : nextFloat64(border), flipped };
}

/** Where an element of wiring comes from. */
function placeBefore(draft: Draft, node: FloatNode, element: number): Place | undefined {
  switch (node.op) {
    case "reshape":
      return { ref: node.x, element };
    case "take":
      return { ref: node.x, element: node.index[element] as number };
    case "transpose": {
      const strides = stridesOf((draft.nodes[node.x] as FloatNode).shape);
      const own = stridesOf(node.shape);
      const from = node.shape.map((dim, k) => Math.floor(element / (own[k] as number)) % dim);
      return {
        ref: node.x,
        element: from.reduce((sum, i, k) => sum + i * (strides[node.perm[k] as number] as number), 0),
      };
    }
    case "concat": {
      const inner = sizeOf(node.shape.slice(node.axis + 1));
      const along = node.shape[node.axis] as number;
      let index = Math.floor(element / inner) % along;
      const outer = Math.floor(element / (inner * along));
      for (const ref of node.xs) {
        const dim = (draft.nodes[ref] as FloatNode).shape[node.axis] as number;
        if (index < dim) return { ref, element: (outer * dim + index) * inner + (element % inner) };
        index -= dim;
      }
      return undefined;
    }
    default:
      return undefined;
  }
}

/** All gathered comparisons as one list of bits [1, n], in the order of their numbers. @returns undefined if there is none */
export function emitConditions({ draft, found }: Conditions, name: string): FloatRef | undefined {
  const all = [...found.values()];
  if (all.length === 0) return undefined;
  const order: number[] = [];
  const refs = [...new Set(all.map(({ at }) => at.ref))].toSorted((a, b) => a - b);
  const parts = refs.map((ref) => {
    // A feature's thresholds lie side by side, in their order.
    const own = all.filter(({ at }) => at.ref === ref).toSorted((a, b) => a.at.element - b.at.element || a.at.threshold - b.at.threshold); // prettier-ignore
    order.push(...own.map(({ bit }) => bit));
    const index = Int32Array.from(own, ({ at }) => at.element);
    const threshold = Float64Array.from(own, ({ at }) => at.threshold);
    return emit(draft, { op: "step", x: ref, index, threshold, shape: [1, own.length], name: `${name}/compare` });
  });
  const shape = [1, all.length];
  const xs = parts.length === 1 ? (parts[0] as FloatRef) : emit(draft, { op: "concat", xs: parts, axis: 1, shape, name: `${name}/compare` }); // prettier-ignore
  const index = new Int32Array(order.length);
  order.forEach((bit, at) => (index[bit] = at));
  return emit(draft, { op: "take", x: xs, index, shape, name: `${name}/bits` });
}
