// Forms of tables and thresholds (table.ts) on a circuit: the bits that they choose by, as operands, and the products and
// choices over them. Knows no op; layers.ts calls it for look-ups and steps.
import { sizeOf } from "../core/tensor.ts";
import { nodeAt } from "../model/ir.ts";
import type { Clamp, Digits } from "./digits.ts";
import { ONE, lcOf, plus, times } from "./lc.ts";
import type { Value, Wire } from "./lc.ts";
import { specOf } from "./plan.ts";
import { onWire } from "./sheet.ts";
import type { Operand, Sheet } from "./sheet.ts";
import type { Combo, TableForm } from "./table.ts";
import { soleSlot } from "./table.ts";
import { elementOf, symbolOf } from "./walk.ts";
import type { Walk } from "./walk.ts";

/** Bits, the lowest first, and how their owner has clamped what they spell. */
export interface Bits {
  readonly operands: readonly (Operand & { readonly wire?: Wire })[];
  readonly clamp: { readonly how: Clamp; readonly flag: Operand; readonly sign: Operand } | undefined;
}

/** The bits that a plan speaks of; makes those that are its own where no earlier node has. */
export function bitsOn(walk: Walk, digits: Digits): Bits {
  const { sheet, plan } = walk;
  const { owner, element, own, n, base, width, first, fix, clamp } = digits;
  const { op, shape } = nodeAt(plan.graph, owner);
  const known = (walk.bits[owner] ??= new Int32Array(sizeOf(shape)));
  if (own && known[element] === 0) {
    sheet.at({ symbol: `${symbolOf(plan, owner)}_bits`, index: [element] });
    known[element] = sheet.stamp(specOf("Bits", n, -base), [elementOf(walk, owner, element)]);
  }
  // a rescale's wires: y, b; then inv and out, or in RescaleEven fix and out
  const y = known[element] as Wire;
  const b = op === "rescale" && width > 0 ? y + 1 : y;
  const operands: Bits["operands"][number][] = Array.from({ length: n }, (_, t) => {
    return { ...onWire(sheet, b + first + t), wire: b + first + t };
  });
  if (fix !== 0) operands[0] = weighted([operands[0] as Operand, onWire(sheet, b + width)], [1, fix]);
  if (clamp === undefined) return { operands, clamp };
  const sign = onWire(sheet, b + width - 1);
  const out = onWire(sheet, b + width + 1);
  return { operands, clamp: { how: clamp, flag: clamp === "under" || clamp === "over" ? sign : out, sign } };
}

/** What a table yields where its index was clamped to the lower or the upper end. */
export interface Ends {
  readonly low: number;
  readonly high: number;
}

/** The form over these bits as a wire: element `element` of `symbol`. `ends`: needed where the bits are clamped. */
export function stampForm(
  { sheet }: Pick<{ sheet: Sheet }, "sheet">,
  symbol: string,
  element: number,
  form: TableForm,
  { operands, clamp }: Bits,
  { low, high }: Ends = { low: 0, high: 0 },
): Wire {
  const wires: (Wire | undefined)[] = [ONE, ...operands.map(({ wire }) => wire)];
  const slots: Operand[] = [onWire(sheet, ONE), ...operands];
  const put = (wire: Wire): void => {
    wires.push(wire);
    slots.push(onWire(sheet, wire));
  };
  form.products.forEach(({ bit, other }, k) => {
    sheet.at({ symbol: `${symbol}_product`, index: [element, k] });
    put(sheet.stamp(specOf("Mul"), [slots[bit] as Operand, slots[other] as Operand]));
  });
  form.choices.forEach(({ bit, one, zero }, k) => {
    sheet.at({ symbol: `${symbol}_choice`, index: [element, k] });
    put(sheet.stamp(specOf("Select"), [slots[bit] as Operand, onSlots(slots, one), onSlots(slots, zero)]));
  });
  const result = onSlots(slots, form.result);
  if (clamp !== undefined) {
    const [lower, upper] = [onSlots(slots, constant(low)), onSlots(slots, constant(high))];
    sheet.at({ symbol: `${symbol}_clamped`, index: [element] });
    switch (clamp.how) {
      case "under":
        return sheet.stamp(specOf("Select"), [clamp.flag, result, lower]);
      case "over":
      case "out":
        return sheet.stamp(specOf("Select"), [clamp.flag, upper, result]);
      case "out, signed":
        return sheet.stamp(specOf("Select"), [clamp.flag, weighted([lower, clamp.sign], [1, high - low]), result]);
    }
  }
  const wire = wires[soleSlot(form.result) ?? -1];
  if (wire !== undefined) return wire;
  sheet.at({ symbol: `${symbol}_sum`, index: [element] });
  return sheet.bind(result);
}

function constant(value: number): Combo {
  return { slots: [0], factors: [value] };
}

function onSlots(slots: readonly Operand[], { slots: which, factors }: Combo): Operand {
  return { ...weighted(which.map((slot) => slots[slot] as Operand), factors), dense: true }; // prettier-ignore
}

function weighted(operands: readonly Operand[], factors: readonly number[]): Operand {
  return {
    lc: () => {
      const lc = lcOf();
      operands.forEach((operand, i) => {
        const { wires, factors: own } = operand.lc();
        lc.wires.push(...wires);
        lc.factors.push(...own.map((factor) => times(factor, factors[i] as number)));
      });
      return lc;
    },
    value: () =>
      operands.reduce<Value>((sum, operand, i) => plus(sum, times(operand.value(), factors[i] as number)), 0),
  };
}
