// A circuit on its way: what was laid so far, and each element of each tensor as an operand, whether it is a wire, a
// combination, or always 0. Knows no op's circuit; layers.ts does.
import type { Ref } from "../model/ir.ts";
import { nodeAt } from "../model/ir.ts";
import { ONE, lcOf, plus, times } from "./lc.ts";
import type { Lc, Value, Wire } from "./lc.ts";
import { isLinear, termsOf } from "./linear.ts";
import { innerOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import type { Operand, Sheet } from "./sheet.ts";

export interface Walk {
  readonly plan: Plan;
  readonly sheet: Sheet;
  /** Values of every tensor, where the sheet is a witness; and of the salt, where the claim has one. */
  readonly tensors: readonly Float64Array[];
  readonly salt: bigint;
  /** Per node, its elements' wires, NOTHING where one is always 0; undefined for a tensor of combinations. */
  readonly wires: (Int32Array | undefined)[];
  /** Per node, the first wire of the gadget that took each element apart; 0 where none did. */
  readonly bits: (Int32Array | undefined)[];
  /** Per product of matrices, the wires of each element's products, NOTHING where one is always 0. */
  readonly products: (Int32Array | undefined)[];
}

/** In place of a wire: the number 0. */
export const NOTHING: Wire = -1;

export function walkOn(plan: Plan, sheet: Sheet, tensors: readonly Float64Array[] = [], salt = 0n): Walk {
  return { plan, sheet, tensors, salt, wires: [], bits: [], products: [] };
}

/** The name of a node in .sym files and exported circom: an identifier, unique by its number. */
export function symbolOf(plan: Plan, ref: Ref): string {
  return `n${ref}_${nodeAt(plan.graph, ref).name.replace(/[^A-Za-z0-9]+/g, "_")}`;
}

/** Element `index` of tensor `ref`, times `factor`. */
export function elementOf(walk: Walk, ref: Ref, index: number, factor = 1): Operand {
  return {
    lc: () => {
      const lc = lcOf();
      expand(walk, ref, index, factor, lc);
      return lc;
    },
    value: () => ((walk.tensors[ref] as Float64Array)[index] as number) * factor,
  };
}

function expand(walk: Walk, ref: Ref, index: number, factor: Value, lc: Lc): void {
  const wires = walk.wires[ref];
  if (wires !== undefined) {
    append(lc, wires[index] as Wire, factor);
    return;
  }
  const node = nodeAt(walk.plan.graph, ref);
  const products = walk.products[ref];
  if (products !== undefined && node.op === "matmul") {
    const inner = innerOf(walk.plan.graph, node);
    for (let k = index * inner; k < (index + 1) * inner; k++) append(lc, products[k] as Wire, factor);
    return;
  }
  if (!isLinear(node)) throw new RangeError(`node ${ref} has no wires`);
  const constant = termsOf(walk.plan.graph, node, index, (x, i, by) => expand(walk, x, i, times(by, factor), lc));
  if (constant !== 0) append(lc, ONE, times(constant, factor));
}

function append(lc: Lc, wire: Wire, factor: Value): void {
  if (wire === NOTHING) return;
  lc.wires.push(wire);
  lc.factors.push(factor);
}

export function constantOf(value: number): Operand {
  return { lc: () => lcOf([0, value]), value: () => value };
}

/** x + constant */
export function shifted(x: Operand, constant: number): Operand {
  if (constant === 0) return x;
  return {
    lc: () => {
      const lc = x.lc();
      append(lc, ONE, constant);
      return lc;
    },
    value: () => plus(x.value(), constant),
  };
}
