// The circuit of each op: one total table over the integer graph's ops. Each rule gives the node's elements wires, or
// leaves them the combinations that they are. Bit widths come from plan.ts, meaning from ir.ts, constraints from circuits/.
import type { NodeOf, Op, Ref, Rules } from "../model/ir.ts";
import { nodeAt } from "../model/ir.ts";
import { sizeOf } from "../core/tensor.ts";
import { lcOf, times } from "./lc.ts";
import type { Lc, Value, Wire } from "./lc.ts";
import { isLinear, termsOf } from "./linear.ts";
import { boundsAt, contestOf, differenceBits, lineOf, planRescale, specOf, windowOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { onWire } from "./sheet.ts";
import type { Operand, Sheet } from "./sheet.ts";

/** A circuit on its way: what was laid so far. */
export interface Walk {
  readonly plan: Plan;
  readonly sheet: Sheet;
  /** Values of every tensor, where the sheet is a witness. */
  readonly tensors: readonly Float64Array[];
  /** Per node, its elements' wires; undefined for a tensor of combinations. */
  readonly wires: (Int32Array | undefined)[];
  /** Per input node, the first wire of each element's bits. */
  readonly inputBits: Int32Array[];
}

export function walkOn(plan: Plan, sheet: Sheet, tensors: readonly Float64Array[] = []): Walk {
  return { plan, sheet, tensors, wires: [], inputBits: [] };
}

/** Lays node `ref`; its inputs must have been laid. */
export function lay(walk: Walk, ref: Ref): void {
  const node = nodeAt(walk.plan.graph, ref);
  walk.wires[ref] = (RULES[node.op] as Rule<Op>)(walk, node, ref);
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
    lc.wires.push(wires[index] as Wire);
    lc.factors.push(factor);
    return;
  }
  const node = nodeAt(walk.plan.graph, ref);
  if (!isLinear(node)) throw new RangeError(`node ${ref} has no wires`);
  const constant = termsOf(walk.plan.graph, node, index, (x, i, by) => expand(walk, x, i, times(by, factor), lc));
  if (constant !== 0) {
    lc.wires.push(0);
    lc.factors.push(times(constant, factor));
  }
}

function constantOf(value: number): Operand {
  return { lc: () => lcOf([0, value]), value: () => value };
}

type Rule<K extends Op> = (walk: Walk, node: NodeOf<K>, ref: Ref) => Int32Array | undefined;

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: (walk, { border, shape }, ref) => {
    const { sheet } = walk;
    const { bits, signed } = border.type;
    const spec = specOf("Bits", bits, signed ? 2 ** (bits - 1) : 0); // the range of an input is proved, not known
    const symbol = symbolOf(walk.plan, ref);
    const wires = new Int32Array(sizeOf(shape));
    for (let i = 0; i < wires.length; i++) {
      sheet.at({ symbol, index: [i] });
      const wire = sheet.free(() => (walk.tensors[ref] as Float64Array)[i] as number);
      wires[i] = wire;
    }
    walk.inputBits[ref] = wires.map((wire, i) => {
      sheet.at({ symbol: `${symbol}_bits`, index: [i] });
      return sheet.stamp(spec, [onWire(sheet, wire)]);
    });
    return wires;
  },
  dense: linear,
  conv: linear,
  affine: linear,
  sum: linear,
  reshape: linear,
  transpose: linear,
  pad: linear,
  concat: linear,
  rescale: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      const choice = planRescale(plan, node, i);
      if ("constant" in choice) {
        sheet.at({ symbol: `${symbol}_constant`, index: [i] });
        return sheet.bind(constantOf(choice.constant));
      }
      sheet.at({ symbol, index: [i] });
      const y = sheet.stamp(choice.rescale, [elementOf(walk, node.x, i, choice.multiplier)]);
      if (choice.atMost === undefined) return y;
      sheet.at({ symbol: `${symbol}_most`, index: [i] });
      return sheet.stamp(choice.atMost, [onWire(sheet, y)]);
    });
  },
  max: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const { a, b } = node;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      sheet.at({ symbol, index: [i] });
      const n = differenceBits(boundsAt(plan, a, i), boundsAt(plan, b, i));
      return sheet.stamp(specOf("Max2", n), [elementOf(walk, a, i), elementOf(walk, b, i)]);
    });
  },
  maxpool: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      const { first, steps } = contestOf(plan, node.x, windowOf(plan.graph, node, i));
      if (steps.length === 0) {
        sheet.at({ symbol: `${symbol}_single`, index: [i] });
        return sheet.bind(elementOf(walk, node.x, first));
      }
      return steps.reduce(
        (best: Operand & { wire: Wire }, { index, n }, k) => {
          sheet.at({ symbol, index: [i, k] });
          const wire = sheet.stamp(specOf("Max2", n), [best, elementOf(walk, node.x, index)]);
          return { ...onWire(sheet, wire), wire };
        },
        { ...elementOf(walk, node.x, first), wire: -1 },
      ).wire;
    });
  },
  argmax: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      const { first, steps } = contestOf(plan, node.x, lineOf(plan.graph, node, i));
      let best = elementOf(walk, node.x, first);
      let at = constantOf(0);
      let wire: Wire | undefined;
      steps.forEach(({ index, n }, k) => {
        sheet.at({ symbol, index: [i, k] });
        const m = sheet.stamp(specOf("MaxIndex", n), [best, at, elementOf(walk, node.x, index), constantOf(k + 1)]);
        wire = m + 1;
        [best, at] = [onWire(sheet, m), onWire(sheet, wire)];
      });
      if (wire !== undefined) return wire;
      sheet.at({ symbol: `${symbol}_single`, index: [i] });
      return sheet.bind(at);
    });
  },
  mul: () => notYet(),
  matmul: () => notYet(),
  div: () => notYet(),
  sqrt: () => notYet(),
  lookup: () => notYet(),
  step: () => notYet(),
  iszero: () => notYet(),
  onehot: () => notYet(),
  select: () => notYet(),
  take: () => notYet(),
};

function wiresOf(node: NodeOf<Op>, wire: (element: number) => Wire): Int32Array {
  return Int32Array.from({ length: sizeOf(node.shape) }, (_, i) => wire(i));
}

function linear(walk: Walk, node: NodeOf<Op>, ref: Ref): Int32Array | undefined {
  if (walk.plan.bound[ref] !== true) return undefined;
  const symbol = symbolOf(walk.plan, ref);
  return wiresOf(node, (i) => {
    walk.sheet.at({ symbol, index: [i] });
    return walk.sheet.bind(elementOf(walk, ref, i));
  });
}

function notYet(): never {
  throw new Error("not built yet");
}
