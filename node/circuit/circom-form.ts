// The circom text of a form (table.ts) over bits: as stamp-form.ts stamps it, one element after another. Part of the export.
import { nodeAt } from "../model/ir.ts";
import type { Digits } from "./digits.ts";
import type { Plan } from "./plan.ts";
import type { Ends } from "./stamp-form.ts";
import type { Combo, TableForm } from "./table.ts";
import { soleSlot } from "./table.ts";
import { symbolOf } from "./walk.ts";

/** What the elements of one node that have a form are made of; nothing where none has. */
export function formParts(symbol: string, size: number, forms: readonly TableForm[]): string {
  if (forms.length === 0) return "";
  const most = (count: (form: TableForm) => number): number => Math.max(1, ...forms.map(count));
  return `component ${symbol}_product[${size}][${most(({ products }) => products.length)}];
component ${symbol}_choice[${size}][${most(({ choices }) => choices.length)}];
component ${symbol}_clamped[${size}];
signal ${symbol}_sum[${size}];
`;
}

/** Takes `value` apart for the forms that read it. */
export function spell({ element, n, base }: Digits, owner: string, value: string): string {
  return `${owner}_bits[${element}] = Bits(${n}, ${-base});
${owner}_bits[${element}].x <== ${value};
`;
}

/** Puts the form over the bits into element i of the node's array. */
export function formed(
  plan: Plan,
  symbol: string,
  i: number,
  form: TableForm,
  digits: Digits,
  { low, high }: Ends = { low: 0, high: 0 },
): string {
  const { products, choices, result } = form;
  const { bit, sign, out } = bitNames(plan, digits);
  const { n, clamp } = digits;
  const at = `${symbol}_${i}`; // its own variables
  const slots = 1 + n + products.length + choices.length;
  const value = sum(`${at}_slot`, result);
  const lines = [
    `var ${at}_slot[${slots}];`,
    `${at}_slot[0] = 1;`,
    ...Array.from({ length: n }, (_, t) => `${at}_slot[${1 + t}] = ${bit(t)};`),
    ...products.flatMap(({ bit: a, other }, k) => [
      `${symbol}_product[${i}][${k}] = Mul();`,
      `${symbol}_product[${i}][${k}].x <== ${at}_slot[${a}];`,
      `${symbol}_product[${i}][${k}].y <== ${at}_slot[${other}];`,
      `${at}_slot[${1 + n + k}] = ${symbol}_product[${i}][${k}].z;`,
    ]),
    ...choices.flatMap(({ bit: c, one, zero }, k) => [
      `${symbol}_choice[${i}][${k}] = Select();`,
      `${symbol}_choice[${i}][${k}].c <== ${at}_slot[${c}];`,
      `${symbol}_choice[${i}][${k}].a <== ${sum(`${at}_slot`, one)};`,
      `${symbol}_choice[${i}][${k}].b <== ${sum(`${at}_slot`, zero)};`,
      `${at}_slot[${1 + n + products.length + k}] = ${symbol}_choice[${i}][${k}].y;`,
    ]),
  ];
  if (clamp !== undefined) {
    const [c, a, b] =
      clamp === "under"
        ? [sign, value, `${low}`]
        : clamp === "over"
          ? [sign, `${high}`, value]
          : [out, clamp === "out" ? `${high}` : `${low} + ${sign} * (${high - low})`, value];
    const select = `${symbol}_clamped[${i}]`;
    lines.push(`${select} = Select();`, `${select}.c <== ${c};`, `${select}.a <== ${a};`, `${select}.b <== ${b};`);
    lines.push(`${symbol}_out[${i}] = ${select}.y;`);
  } else if (isWire(result, digits)) {
    lines.push(`${symbol}_out[${i}] = ${value};`);
  } else {
    lines.push(`${symbol}_sum[${i}] <== ${value};`, `${symbol}_out[${i}] = ${symbol}_sum[${i}];`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** A corrected lowest bit is a sum of two wires. */
function isWire(result: Combo, { fix }: Digits): boolean {
  const slot = soleSlot(result);
  return slot !== undefined && !(slot === 1 && fix !== 0);
}

function bitNames(
  plan: Plan,
  { owner, element, width, first, fix }: Digits,
): { readonly bit: (t: number) => string; readonly sign: string; readonly out: string } {
  const symbol = symbolOf(plan, owner);
  if (nodeAt(plan.graph, owner).op === "rescale" && width === 0) {
    return { bit: () => `${symbol}_least[${element}].y`, sign: "", out: "" };
  }
  const rescale = fix === 0 ? symbol : `${symbol}_even`;
  const gadget = `${nodeAt(plan.graph, owner).op === "rescale" ? rescale : `${symbol}_bits`}[${element}]`;
  const fixed = fix === 0 ? "" : ` ${fix > 0 ? "+" : "-"} ${gadget}.fix`;
  return {
    bit: (t) => `${gadget}.b[${first + t}]${t === 0 ? fixed : ""}`,
    sign: `${gadget}.b[${width - 1}]`,
    out: `${gadget}.out[0]`,
  };
}

function sum(slot: string, { slots, factors }: Combo): string {
  return slots.map((k, i) => (factors[i] === 1 ? `${slot}[${k}]` : `${factors[i]} * ${slot}[${k}]`)).join(" + ") || "0";
}
