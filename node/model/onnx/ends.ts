// Ops that end a model. Softmax and LogSoftmax are monotone and left to the reader of the answer; ArgMax is proven.
import { type Activation, reshape, tensorOf } from "./draft.ts";
import { unsupported } from "./problems.ts";
import { activationAt, axisIn, flagOf, intOf, type OpRule, type Site, valueAt } from "./site.ts";

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
  return { ...x, end: { kind, axis: softmaxAxis(site, x.shape) } };
}

function lowerArgMax(site: Site): Activation {
  const value = valueAt(site, 0);
  const x = activationAt(site, 0);
  const axis = axisIn(intOf(site, "axis", 0), x.shape.length);
  if (flagOf(site, "select_last_index", false)) {
    unsupported("it selects the last index among equals", "Export it with select_last_index = 0.");
  }
  if (x.end !== undefined && (x.end.kind === "argmax" || x.end.axis !== axis)) {
    unsupported(`it follows the ${x.end.kind} over another axis`, "Take one of them out of the model.");
  }
  const shape = value.shape.with(axis, 1);
  const node = { op: "argmax", x: x.ref, axis, shape, name: site.name } as const;
  const y: Activation = { ...tensorOf(site.draft, node, "int64"), end: { kind: "argmax", axis } };
  if (flagOf(site, "keepdims", true)) return y;
  return reshape(site.draft, `${site.name}/shape`, y, shape.toSpliced(axis, 1));
}

const softmax = (kind: "softmax" | "logsoftmax"): OpRule => ({
  inputs: [1, 1],
  attributes: { axis: { kind: "int" } },
  limits: "as the last op; left to the reader of the answer",
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
    afterEnd: true,
    limits: "as the last op (reshapes may follow), the first index among equals",
    lower: lowerArgMax,
  },
  LogSoftmax: softmax("logsoftmax"),
  Softmax: softmax("softmax"),
} satisfies Record<string, OpRule>;
