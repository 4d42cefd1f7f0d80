// Ops that end a model. Softmax and LogSoftmax are monotone and left to the reader of the answer; ArgMax is proven.
import { type Activation, reshape, tensorOf, transpose } from "./draft.ts";
import { unsupported } from "./problems.ts";
import { activationAt, axisIn, flagOf, intOf, type OpRule, type Site } from "./site.ts";

/**
 * Up to opset 12, Softmax runs over all axes from `axis` on, flattened into one; from 13 on over one axis, the last by
 * default. Where at most one of the flattened axes is longer than 1, the old form is the new one over that axis.
 */
function softmaxAxis(site: Site, shape: readonly number[]): number {
  if (site.opset >= 13) return axisIn(intOf(site, "axis", -1), shape.length);
  const from = axisIn(intOf(site, "axis", 1), shape.length, true);
  const long = shape.flatMap((dim, axis) => (axis >= from && dim > 1 ? axis : []));
  if (long.length > 1) {
    unsupported(
      `it runs over the axes ${long.join(", ")} of [${shape.join(", ")}] at once, as before opset 13`,
      "Put a Flatten before it, or export at opset 13 or later.",
    );
  }
  return long[0] ?? Math.min(from, shape.length - 1);
}

function lowerSoftmax(site: Site, kind: "softmax" | "logsoftmax"): Activation {
  const x = activationAt(site, 0);
  const { draft, name } = site;
  const axis = softmaxAxis(site, x.shape);
  const last = x.shape.length - 1;
  const swap = x.shape.map((_, k) => (k === axis ? last : k === last ? axis : k));
  const turned = axis === last ? x : transpose(draft, `${name}/turn`, x, swap);
  const { shape } = turned;
  const y = tensorOf(draft, { op: "softmax", x: turned.ref, log: kind === "logsoftmax", shape, name }, x.type);
  return axis === last ? y : transpose(draft, `${name}/back`, y, swap);
}

function lowerArgMax(site: Site): Activation {
  const x = activationAt(site, 0);
  const axis = axisIn(intOf(site, "axis", 0), x.shape.length);
  if (flagOf(site, "select_last_index", false)) {
    unsupported("it selects the last index among equals", "Export it with select_last_index = 0.");
  }
  const shape = x.shape.with(axis, 1);
  const y = tensorOf(site.draft, { op: "argmax", x: x.ref, axis, shape, name: site.name }, "int64");
  if (flagOf(site, "keepdims", true)) return y;
  return reshape(site.draft, `${site.name}/shape`, y, shape.toSpliced(axis, 1));
}

const softmax = (kind: "softmax" | "logsoftmax"): OpRule => ({
  inputs: [1, 1],
  attributes: { axis: { kind: "int" } },
  limits: "as the last op, it is left to the reader of the answer",
  lower: (site) => lowerSoftmax(site, kind),
});

export const END_RULES = {
  ArgMax: {
    inputs: [1, 1],
    attributes: {
      axis: { kind: "int" },
      keepdims: { kind: "int" },
      select_last_index: { kind: "int", since: 12 },
    },
    limits: "the first index among equals",
    lower: lowerArgMax,
  },
  LogSoftmax: softmax("logsoftmax"),
  Softmax: softmax("softmax"),
} satisfies Record<string, OpRule>;
