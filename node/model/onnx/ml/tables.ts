// Values chosen by one number of the input: sorted keys become comparisons, and a table is a sum of its steps. Exact for
// integers and, to 29 bits, for reals.
import { exponentOf, pow2 } from "../../binary.ts";
import { type Activation, emit, tensorOf } from "../draft.ts";
import { unsupported } from "../problems.ts";
import type { Site } from "../site.ts";
import { conditionFor, createConditions, emitConditions } from "./conditions.ts";

/** Where x >= from and not x >= until, the values are `values`; elsewhere nothing is added. */
export interface Span {
  readonly from: number;
  readonly until: number;
  readonly values: readonly number[];
}

/** Steps between two values are coefficients of 32 bits. */
const VALUE_BITS = 29;

/**
 * For each of `elements` of x: the sum of the values of the spans that it lies in, plus `base`; [1, elements * width] with
 * the values of one element side by side.
 */
export function lookup(
  site: Site,
  x: Activation,
  elements: readonly number[],
  spansOf: (element: number) => readonly Span[],
  base: readonly number[],
  type: Activation["type"],
): Activation {
  const { draft, name } = site;
  const conditions = createConditions(draft);
  const width = base.length;
  const spans = elements.map(spansOf);
  const all = [...base, ...spans.flat().flatMap(({ values }) => values)];
  const whole = all.every((v) => Number.isSafeInteger(v) && Math.abs(v) < 2 ** 31);
  const most = all.reduce((top, v) => Math.max(top, Math.abs(v)), 0);
  const unit = whole || most === 0 ? 1 : pow2(exponentOf(most) + 1 - VALUE_BITS);
  const round = (v: number): number => Math.floor(v / unit + 0.5) + 0;
  // Terms of each result: bits with their integers.
  const columns = spans.length * width;
  const bias = Float64Array.from({ length: columns }, (_, i) => round(base[i % width] as number));
  const terms: { readonly bit: number; readonly column: number; readonly value: number }[] = [];
  spans.forEach((own, e) => {
    for (const { from, until, values } of own) {
      const ends = [
        { at: from, sign: 1 },
        { at: until, sign: -1 },
      ];
      for (const { at, sign } of ends) {
        const condition = conditionFor(conditions, x, elements[e] as number, at);
        values.forEach((value, k) => {
          const [column, step] = [e * width + k, sign * round(value)];
          if (condition === true) bias[column]! += step;
          if (typeof condition === "boolean") return;
          if (condition.flipped) bias[column]! += step;
          terms.push({ bit: condition.bit, column, value: condition.flipped ? -step : step });
        });
      }
    }
  });
  const shape = [1, columns];
  draft.budget(conditions.found.size * columns, "its table");
  const bits = emitConditions(conditions, name);
  const integers =
    bits === undefined
      ? emit(draft, { op: "affine", x: emit(draft, { op: "take", x: x.ref, index: new Int32Array(columns), shape, name: `${name}/any` }), factor: new Float64Array(columns), bias, shape, name }) // prettier-ignore
      : emit(draft, { op: "dense", x: bits, weights: weightsOf(terms, conditions.found.size, columns), bias, exact: true, shape, name }); // prettier-ignore
  const result: Activation = { kind: "activation", ref: integers, shape, type };
  if (unit === 1) return result;
  const factor = Float64Array.of(unit);
  return tensorOf(draft, { op: "affine", x: integers, factor, bias: Float64Array.of(0), shape, name: `${name}/value` }, type); // prettier-ignore
}

function weightsOf(
  terms: readonly { readonly bit: number; readonly column: number; readonly value: number }[],
  bits: number,
  columns: number,
): Float64Array {
  const weights = new Float64Array(bits * columns);
  for (const { bit, column, value } of terms) weights[bit * columns + column]! += value;
  if (weights.some((w) => Math.abs(w) >= 2 ** 31))
    unsupported("its values lie further apart than int32 reaches", "Number the labels from 0 on.");
  return weights;
}
