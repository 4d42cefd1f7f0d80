// What tables and thresholds become: forms over bits that exist, or gadgets that compare. Pure, as plan.ts is, and shared
// by the walk and the circom export like it.
import { NodeError } from "../core/errors.ts";
import type { LookupNode, StepNode } from "../model/ir.ts";
import type { Spec } from "./compile.ts";
import { digitsOf } from "./digits.ts";
import type { Digits } from "./digits.ts";
import { bitsFor } from "./lc.ts";
import { alongAxis } from "./linear.ts";
import { boundsAt, specOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { costOf, tableForm, thresholdForm } from "./table.ts";
import type { TableForm } from "./table.ts";

/** Bits of a table's index beyond which its form would not be found in reasonable time. */
const MOST_INDEX_BITS = 20;

/** An element of a look-up: a constant, or a form over bits, and the entries at the ends where the bits were clamped. */
export type LookupPlan =
  | { readonly constant: number }
  | { readonly digits: Digits; readonly form: TableForm; readonly low: number; readonly high: number };

type Tabled = Extract<LookupPlan, { form: TableForm }>;
const known = new WeakMap<LookupNode, Map<string, Omit<Tabled, "digits">>>();

export function planLookup(plan: Plan, node: LookupNode, element: number): LookupPlan {
  const { first, length, table } = node;
  const { least, most } = boundsAt(plan, node.x, element);
  const tables = table.length / length;
  const at = tables === 1 ? 0 : alongAxis(node.shape, node.axis, element).at;
  const entry = (x: number): number => table[at * length + Math.min(length - 1, Math.max(0, x - first))] as number;
  const digits = least === most ? { always: least } : digitsOf(plan, node.x, element);
  if ("always" in digits) return { constant: entry(digits.always) };
  const { factor, constant, n, base, ends } = digits;
  if (n > MOST_INDEX_BITS) {
    throw new NodeError("unsupported", `node "${node.name}" looks up a value of ${n} bits, above ${MOST_INDEX_BITS}`, {
      mend: "Rescale what it reads to fewer bits.",
      facts: { node: node.name, element },
    });
  }
  const forms = known.get(node) ?? new Map<string, Omit<Tabled, "digits">>();
  known.set(node, forms);
  const key = [at, factor, constant, n, base, ends.least, ends.most].join();
  let made = forms.get(key);
  if (made === undefined) {
    // what no value has is filled with the nearest entry
    const inside = (v: number): number => Math.min(ends.most, Math.max(ends.least, v));
    const entries = Float64Array.from({ length: 2 ** n }, (_, v) => entry(constant + factor * inside(base + v)));
    made = { form: tableForm(n, entries), low: entries[0] as number, high: entries[2 ** n - 1] as number };
    forms.set(key, made);
  }
  return { digits, ...made };
}

/** How the outputs of a step that read one element of x are made. Each lists the outputs with one threshold. */
export type StepPlan =
  | { readonly how: "constant"; readonly value: 0 | 1; readonly outputs: readonly number[] }
  /** The gadget AtLeast, of x - minus. */
  | { readonly how: "compared"; readonly element: number; readonly minus: number; readonly spec: Spec; readonly outputs: readonly number[] } // prettier-ignore
  /** From bits that exist. */
  | { readonly how: "formed"; readonly digits: Digits; readonly form: TableForm; readonly outputs: readonly number[] }
  /** One gadget Steps for all of them; the k-th list is of its k-th output. */
  | { readonly how: "together"; readonly element: number; readonly spec: Spec; readonly lists: readonly (readonly number[])[] }; // prettier-ignore

/** The first output of a plan, by which its rows are named. */
export function placeOf(step: StepPlan): number {
  return (step.how === "together" ? step.lists[0]?.[0] : step.outputs[0]) ?? 0;
}

/** The plans of all outputs of a step, by element of x and then by threshold. */
export function planStep(plan: Plan, node: StepNode): readonly StepPlan[] {
  const byElement = new Map<number, Map<number, number[]>>();
  node.index.forEach((element, j) => {
    const levels = byElement.get(element) ?? new Map<number, number[]>();
    byElement.set(element, levels);
    const level = node.threshold[j] as number;
    const outputs = levels.get(level);
    if (outputs === undefined) levels.set(level, [j]);
    else outputs.push(j);
  });
  return [...byElement].flatMap(([element, levels]) => {
    const sorted = [...levels].map(([level, outputs]) => ({ level, outputs })).sort((a, b) => a.level - b.level);
    return stepsOf(plan, node, element, sorted);
  });
}

interface Level {
  readonly level: number;
  readonly outputs: readonly number[];
}

function stepsOf(plan: Plan, node: StepNode, element: number, levels: readonly Level[]): StepPlan[] {
  const { least, most } = boundsAt(plan, node.x, element);
  const always = levels.filter(({ level }) => level <= least || level > most);
  const open = levels.filter(({ level }) => level > least && level <= most);
  const constants = always.map(({ level, outputs }): StepPlan => {
    return { how: "constant", value: level <= least ? 1 : 0, outputs };
  });
  const digits = open.length === 0 ? { always: 0 } : digitsOf(plan, node.x, element);
  const alone = open.map(({ level, outputs }): { rows: number; step: StepPlan } => {
    const compared = compareAt(least, most, level);
    const form = "always" in digits ? undefined : formFor(digits, level);
    if (form !== undefined && !("always" in digits) && costOf(form) < compared.rows) {
      return { rows: costOf(form), step: { how: "formed", digits, form, outputs } };
    }
    return { rows: compared.rows, step: { how: "compared", element, minus: level, spec: compared.spec, outputs } };
  });
  const single = alone.reduce((sum, { rows }) => sum + rows, 0);
  const cuts = [least, ...open.map(({ level }) => level), most + 1];
  const widest = cuts.slice(1).reduce((wide, cut, k) => Math.max(wide, cut - (cuts[k] as number)), 0);
  const bits = Math.max(1, bitsFor(widest - 1));
  if (open.length < 2 || bits > 52 || open.length + 2 * bits + 3 >= single)
    return [...constants, ...alone.map(({ step }) => step)];
  const spec = specOf("Steps", bits, open.length, cuts);
  return [...constants, { how: "together", element, spec, lists: open.map(({ outputs }) => outputs) }];
}

function compareAt(least: number, most: number, level: number): { readonly rows: number; readonly spec: Spec } {
  const n = Math.max(1, bitsFor(Math.max(most - level, level - least - 1)));
  return { rows: n + 2, spec: specOf("AtLeast", n) };
}

/** x >= level by bits of x, if they say it. */
function formFor({ n, base, factor, constant, own, clamp, fix }: Digits, level: number): TableForm | undefined {
  if (own || clamp !== undefined || fix !== 0 || factor < 1) return undefined;
  const bound = Math.ceil((level - constant) / factor) - base;
  return bound > 0 && bound < 2 ** n ? thresholdForm(n, bound) : undefined;
}
