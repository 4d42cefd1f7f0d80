// Softmax and LogSoftmax. One that ends the model is monotone and left to the reader of the answer (lower.ts); others are
// proven.
import { sizeOf } from "../../core/tensor.ts";
import { type Activation, reshape, tensorOf } from "./draft.ts";
import { toFront, toLast } from "./rows.ts";
import { activationAt, axisIn, intOf, type OpRule, type Site } from "./site.ts";

function softmaxLast(site: Site, x: Activation, log: boolean): Activation {
  return tensorOf(site.draft, { op: "softmax", x: x.ref, log, shape: x.shape, name: site.name }, x.type);
}

/**
 * Up to opset 12, it runs over all axes from `axis` on, flattened into one; from 13 on over one axis, the last by default.
 * Where just one of the flattened axes is longer than 1, the old form is the new one over that axis.
 */
function lowerSoftmax(site: Site, log: boolean): Activation {
  const x = activationAt(site, 0);
  const { draft, name } = site;
  let axis: number;
  if (site.opset >= 13) {
    axis = axisIn(intOf(site, "axis", -1), x.shape.length);
  } else {
    const from = axisIn(intOf(site, "axis", 1), x.shape.length, true);
    const long = x.shape.flatMap((dim, k) => (k >= from && dim > 1 ? k : []));
    if (long.length !== 1) {
      const flat = reshape(draft, `${name}/flat`, x, [...x.shape.slice(0, from), sizeOf(x.shape.slice(from))]);
      return reshape(draft, `${name}/shape`, softmaxLast(site, flat, log), x.shape);
    }
    axis = long[0] as number;
  }
  return toFront(draft, `${name}/back`, softmaxLast(site, toLast(draft, `${name}/turn`, x, axis), log), axis);
}

const softmax = (log: boolean): OpRule => ({
  inputs: [1, 1],
  attributes: { axis: { kind: "int" } },
  limits: "as the last op, it is left to the reader of the answer",
  lower: (site) => lowerSoftmax(site, log),
});

export const SOFTMAX_RULES = { LogSoftmax: softmax(true), Softmax: softmax(false) } satisfies Record<string, OpRule>;
