// The circuit of each op: one total table over the integer graph's ops. Each rule gives the node's elements wires, or
// leaves them the combinations that they are. Bit widths come from plan.ts, meaning from ir.ts, constraints from circuits/.
import type { NodeOf, Op, Ref, Rules } from "../model/ir.ts";
import { nodeAt } from "../model/ir.ts";
import { sizeOf } from "../core/tensor.ts";
import { ONE } from "./lc.ts";
import type { Wire } from "./lc.ts";
import { alwaysZero, boundsAt, contestOf, differenceBits, factorsOf, innerOf, isZero, lineOf, planDiv, planSqrt, specOf, windowOf } from "./plan.ts"; // prettier-ignore
import { planRescale } from "./plan-rescale.ts";
import { placeOf, planLookup, planStep } from "./plan-table.ts";
import { onWire } from "./sheet.ts";
import type { Operand } from "./sheet.ts";
import { bitsOn, stampForm } from "./stamp-form.ts";
import { NOTHING, constantOf, elementOf, shifted, symbolOf } from "./walk.ts";
import type { Walk } from "./walk.ts";

/** Lays node `ref`; its inputs must have been laid. */
export function lay(walk: Walk, ref: Ref): void {
  const node = nodeAt(walk.plan.graph, ref);
  walk.wires[ref] = (RULES[node.op] as Rule<Op>)(walk, node, ref);
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
    walk.bits[ref] = wires.map((wire, i) => {
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
  take: linear,
  rescale: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    const bits = new Int32Array(sizeOf(node.shape));
    walk.bits[ref] = bits;
    return wiresOf(node, (i) => {
      const choice = planRescale(plan, node, i);
      if ("constant" in choice) return bindConstant(walk, symbol, i, choice.constant);
      const x = elementOf(walk, node.x, i, choice.multiplier);
      if ("atLeast" in choice) {
        sheet.at({ symbol: `${symbol}_least`, index: [i] });
        const y = sheet.stamp(choice.atLeast, [shifted(x, -choice.minus)]);
        bits[i] = y;
        if (choice.lower === 0) return y;
        sheet.at({ symbol: `${symbol}_raised`, index: [i] });
        return sheet.bind(shifted(onWire(sheet, y), choice.lower));
      }
      sheet.at({ symbol: choice.rescale.template === "Rescale" ? symbol : `${symbol}_even`, index: [i] });
      const y = sheet.stamp(choice.rescale, [x]);
      bits[i] = y;
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
  mul: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      sheet.at({ symbol, index: [i] });
      return sheet.stamp(MUL, [elementOf(walk, node.a, i), elementOf(walk, node.b, i)]);
    });
  },
  matmul: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    const inner = innerOf(plan.graph, node);
    const products = new Int32Array(sizeOf(node.shape) * inner);
    for (let i = 0, at = 0; at < products.length; i++) {
      for (let k = 0; k < inner; k++, at++) {
        const [a, b] = factorsOf(plan, node, i, k);
        if (isZero(plan, node.a, a) || isZero(plan, node.b, b)) {
          products[at] = NOTHING;
          continue;
        }
        sheet.at({ symbol: `${symbol}_product`, index: [i, k] });
        products[at] = sheet.stamp(MUL, [elementOf(walk, node.a, a), elementOf(walk, node.b, b)]);
      }
    }
    walk.products[ref] = products;
    return linear(walk, node, ref);
  },
  div: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      const choice = planDiv(plan, node, i, boundsAt(plan, ref, i));
      if (typeof choice === "number") return bindConstant(walk, symbol, i, choice);
      if (choice === "same") {
        sheet.at({ symbol: `${symbol}_same`, index: [i] });
        return sheet.bind(elementOf(walk, node.a, i));
      }
      sheet.at({ symbol, index: [i] });
      return sheet.stamp(choice, [elementOf(walk, node.a, i), elementOf(walk, node.b, i)]);
    });
  },
  sqrt: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      const choice = planSqrt(node, boundsAt(plan, ref, i));
      if (typeof choice === "number") return bindConstant(walk, symbol, i, choice);
      sheet.at({ symbol, index: [i] });
      return sheet.stamp(choice, [elementOf(walk, node.x, i)]);
    });
  },
  lookup: (walk, node, ref) => {
    const { plan } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      const choice = planLookup(plan, node, i);
      if ("constant" in choice) return bindConstant(walk, symbol, i, choice.constant);
      const bits = bitsOn(walk, choice.digits);
      return stampForm(walk, symbol, i, choice.form, bits, choice);
    });
  },
  step: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    const wires = new Int32Array(sizeOf(node.shape));
    const yields = (outputs: readonly number[], wire: Wire): void => outputs.forEach((j) => (wires[j] = wire));
    for (const step of planStep(plan, node)) {
      const place = placeOf(step);
      sheet.at({ symbol: step.how === "together" ? `${symbol}_together` : symbol, index: [place] });
      switch (step.how) {
        case "constant":
          yields(step.outputs, step.value === 1 ? ONE : NOTHING);
          break;
        case "compared":
          yields(step.outputs, sheet.stamp(step.spec, [shifted(elementOf(walk, node.x, step.element), -step.minus)]));
          break;
        case "formed":
          yields(step.outputs, stampForm(walk, symbol, place, step.form, bitsOn(walk, step.digits)));
          break;
        case "together": {
          const first = sheet.stamp(step.spec, [elementOf(walk, node.x, step.element)]);
          step.lists.forEach((outputs, k) => yields(outputs, first + k));
        }
      }
    }
    return wires;
  },
  iszero: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      const always = alwaysZero(boundsAt(plan, node.x, i));
      if (always !== undefined) return always ? ONE : NOTHING;
      sheet.at({ symbol, index: [i] });
      return sheet.stamp(specOf("IsZero"), [elementOf(walk, node.x, i)]);
    });
  },
  onehot: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    const wires = new Int32Array(sizeOf(node.shape)).fill(NOTHING);
    const count = node.shape.at(-1) as number;
    for (let i = 0; i * count < wires.length; i++) {
      const { least, most } = boundsAt(plan, node.x, i);
      const from = i * count + least;
      if (least === most) {
        wires[from] = ONE;
        continue;
      }
      sheet.at({ symbol, index: [i] });
      const first = sheet.stamp(specOf("OneHot", most - least + 1), [shifted(elementOf(walk, node.x, i), -least)]);
      for (let k = 0; k <= most - least; k++) wires[from + k] = first + k;
    }
    return wires;
  },
  select: (walk, node, ref) => {
    const { plan, sheet } = walk;
    const symbol = symbolOf(plan, ref);
    return wiresOf(node, (i) => {
      sheet.at({ symbol, index: [i] });
      return sheet.stamp(
        specOf("Select"),
        [node.c, node.a, node.b].map((x) => elementOf(walk, x, i)),
      );
    });
  },
};

const MUL = specOf("Mul");

function bindConstant({ sheet }: Walk, symbol: string, element: number, value: number): Wire {
  sheet.at({ symbol: `${symbol}_constant`, index: [element] });
  return sheet.bind(constantOf(value));
}

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
