// LSTM, GRU and RNN as ONNX defines them, unrolled over the time steps into float nodes: the products with W of all steps
// at once, the rest step by step (recurrent-cell.ts). Gates' functions are the ONNX ops of the same names.
import { sizeOf } from "../../core/tensor.ts";
import type { AttributeRules, AttributeValue } from "./attributes.ts";
import type { Constant } from "./constant.ts";
import { type Activation, affine, permuted, reshape, tensorOf, transpose, type Value } from "./draft.ts";
import { ACTIVATION_RULES } from "./activations.ts";
import { malformed, quote, unsupported } from "./problems.ts";
import {
  type Cell,
  constantOf,
  dense,
  entry,
  type Gate,
  type Kind,
  KINDS,
  type State,
  STEPS,
} from "./recurrent-cell.ts";
import {
  activationAt,
  constantAt,
  finite,
  flagOf,
  floatOf,
  intOf,
  needSameType,
  optionalConstant,
  type OpRule,
  type Site,
  stringOf,
} from "./site.ts";

/** Functions without a default that both ONNX and onnxruntime have: theirs differ, or are no use. */
const EXPLICIT: readonly string[] = ["Affine", "ScaledTanh", "ThresholdedRelu"];

/** Known functions, each with its parameters. */
const PARAMETERS: Readonly<Record<string, readonly ("alpha" | "beta")[]>> = {
  Affine: ["alpha", "beta"],
  Elu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
  LeakyRelu: ["alpha"],
  Relu: [],
  ScaledTanh: ["alpha", "beta"],
  Sigmoid: [],
  Softplus: [],
  Softsign: [],
  Tanh: [],
  ThresholdedRelu: ["alpha"],
};

/** The functions of all directions, with their parameters, which are consumed in order by those that have some. */
function functionsOf(site: Site, kind: Kind, directions: number): readonly (readonly Gate[])[] {
  const defaults = KINDS[kind].functions;
  const names =
    (site.attributes.get("activations") as readonly string[] | undefined) ??
    Array.from({ length: directions }, () => defaults).flat();
  if (names.length !== directions * defaults.length) {
    malformed(`it names ${names.length} activations, not ${directions * defaults.length}`);
  }
  const queue = {
    alpha: [...((site.attributes.get("activation_alpha") as readonly number[] | undefined) ?? [])],
    beta: [...((site.attributes.get("activation_beta") as readonly number[] | undefined) ?? [])],
  };
  const clip = site.attributes.has("clip") ? floatOf(site, "clip", 0) : undefined;
  if (clip !== undefined && !(clip > 0)) malformed(`its clip is ${clip}`);
  const gates = names.map((written, k): Gate => {
    const op = Object.keys(PARAMETERS).find((name) => name.toLowerCase() === written.toLowerCase());
    if (op === undefined) {
      const list = Object.keys(PARAMETERS).join(", ");
      return unsupported(`its activation ${quote(written)} is unknown`, `Known ones are ${list}.`);
    }
    const given = (PARAMETERS[op] ?? []).flatMap((name) => {
      const value = queue[name].shift();
      return value === undefined ? [] : [[name, value] as const];
    });
    if (EXPLICIT.includes(op) && given.length < (PARAMETERS[op] ?? []).length) {
      unsupported(`its activation ${op} leaves out a parameter`, "Give activation_alpha (and activation_beta).");
    }
    const gate = functionOf(site, op, new Map(given));
    // LSTM's last function gets the cell as it is: so has onnxruntime it, and ONNX' text may be read either way.
    return clip === undefined || k % defaults.length === 2 ? gate : clipped(site, gate, clip);
  });
  return Array.from({ length: directions }, (_, d) => gates.slice(d * defaults.length, (d + 1) * defaults.length));
}

function functionOf(site: Site, op: string, attributes: ReadonlyMap<string, AttributeValue>): Gate {
  const lower = (rule: string, name: string, x: Value): Activation => {
    const place: Site = { ...site, op: rule, name, inputs: [x], attributes };
    return (ACTIVATION_RULES as Readonly<Record<string, OpRule>>)[rule]?.lower(place) as Activation;
  };
  const [alpha, beta] = ["alpha", "beta"].map((name) => attributes.get(name) as number);
  return (name, x) => {
    const { draft } = site;
    const at = `${name}/${op.toLowerCase()}`;
    if (op === "Affine") return affine(draft, at, x, alpha as number, beta as number);
    if (op !== "ScaledTanh") return lower(op, at, x);
    const inner = affine(draft, `${at}/scale`, x, beta as number, 0);
    return affine(draft, at, lower("Tanh", `${at}/tanh`, inner), alpha as number, 0);
  };
}

/** The function behind a clip of what it gets. */
function clipped({ draft }: Site, gate: Gate, clip: number): Gate {
  return (name, x) => {
    const node = { op: "clip", x: x.ref, lo: -clip, hi: clip, shape: x.shape, name: `${name}/clip` } as const;
    return gate(name, tensorOf(draft, node, x.type));
  };
}

/** A constant input of the shape [directions, ...shape], cut into its directions. */
function perDirection(site: Site, index: number, what: string, shape: readonly number[]): readonly Constant[] {
  const constant = optionalConstant(site, index, what);
  if (constant === undefined) return [];
  needShape(constant, shape, what);
  const part = shape.slice(1);
  const size = sizeOf(part);
  finite(constant.data, what);
  return Array.from({ length: shape[0] as number }, (_, d) =>
    constantOf(constant, part, constant.data.slice(d * size, (d + 1) * size)),
  );
}

function needShape(value: Value, shape: readonly number[], what: string): void {
  if (value.shape.length === shape.length && value.shape.every((dim, i) => dim === shape[i])) return;
  malformed(`its ${what} has the shape [${value.shape.join(", ")}], not [${shape.join(", ")}]`);
}

/** Rows of each gate. */
function gatesOf(constant: Constant, count: number): readonly Constant[] {
  const [rows, ...rest] = constant.shape as [number, ...number[]];
  const size = constant.data.length / count;
  return Array.from({ length: count }, (_, g) =>
    constantOf(constant, [rows / count, ...rest], constant.data.slice(g * size, (g + 1) * size)),
  );
}

function turned({ shape, ...constant }: Constant): Constant {
  return { ...constant, shape: shape.toReversed(), data: permuted(constant.data, shape, [1, 0]) };
}

function lowerRecurrent(site: Site, kind: Kind): readonly (Value | undefined)[] {
  const { draft, name } = site;
  const given = activationAt(site, 0);
  if (given.shape.length !== 3) malformed(`its input has ${given.shape.length} dimensions, not 3`);
  const batchFirst = flagOf(site, "layout", false);
  const x = batchFirst ? transpose(draft, `${name}/turn`, given, [1, 0, 2]) : given;
  const [steps, batch, width] = x.shape as [number, number, number];
  const direction = stringOf(site, "direction", "forward");
  const ways = { forward: ["forward"], reverse: ["reverse"], bidirectional: ["forward", "reverse"] }[direction];
  if (ways === undefined) return malformed(`its direction is ${quote(direction)}`);
  const count = KINDS[kind].gates.length;
  const hidden = constantAt(site, 2, "R").shape[2] ?? 0;
  const stated = intOf(site, "hidden_size", hidden);
  if (stated !== hidden) malformed(`its hidden_size is ${stated}, and that of R ${hidden}`);
  for (const index of [1, 2, 3, 5, 6, 7]) {
    const value = site.inputs[index];
    if (value !== undefined) needSameType(x, value);
  }
  const lengths = optionalConstant(site, 4, "sequence_lens");
  if (lengths !== undefined && (lengths.data.length !== batch || lengths.data.some((length) => length !== steps))) {
    unsupported(
      `its sequence_lens are [${lengths.data.join(", ")}], not ${steps} each`,
      "Only full sequences are read.",
    );
  }
  const d = ways.length;
  const w = perDirection(site, 1, "W", [d, count * hidden, width]);
  const r = perDirection(site, 2, "R", [d, count * hidden, hidden]);
  const b = perDirection(site, 3, "B", [d, 2 * count * hidden]);
  const p = perDirection(site, 7, "P", [d, 3 * hidden]);
  const functions = functionsOf(site, kind, d);
  const [h, c] = [5, 6].map((index) => initial(site, index, [d, batch, hidden], batchFirst)) as [Value, Value];
  const runs = ways.map((way, k) => {
    const at = `${name}/${way}`;
    const [wb, rb] = b[k] === undefined ? [] : gatesOf(b[k], 2).map((half) => gatesOf(half, count));
    // GRU's r comes between h * R + Rb and the rest where linear_before_reset is 1.
    const isLate = (g: number): boolean => kind === "GRU" && g === 2 && flagOf(site, "linear_before_reset", false);
    const peepholes = p[k] === undefined ? [] : gatesOf(p[k], 3);
    const cell: Cell = {
      site,
      name: at,
      inputs: gatesOf(w[k] as Constant, count).map((gate, g) => {
        const [first, second] = [wb?.[g], isLate(g) ? undefined : rb?.[g]];
        const bias = first && { ...first, data: first.data.map((v, i) => v + (second?.data[i] ?? 0)) };
        return dense(draft, `${at}/${KINDS[kind].gates[g] as string}/x`, x, turned(gate), bias) as Activation;
      }),
      recurrent: gatesOf(r[k] as Constant, count).map(turned),
      late: KINDS[kind].gates.map((_, g) => (isLate(g) ? rb?.[g] : undefined)),
      peepholes,
      functions: functions[k] as readonly Gate[],
    };
    return unroll(cell, kind, { h: entry(draft, `${at}/initial-h`, h, k), c: entry(draft, `${at}/initial-c`, c, k) }, steps, way === "reverse"); // prettier-ignore
  });
  const all = Array.from({ length: steps }, (_, t) => runs.map(({ hs }) => hs[t] as Activation)).flat();
  const wants = (k: number): boolean => (site.outputs[k] ?? "") !== "";
  return [
    wants(0) ? stacked(site, "Y", all, [steps, d, batch, hidden], batchFirst ? [2, 0, 1, 3] : undefined) : undefined,
    ...([["h", 1], ["c", 2]] as const).map(([which, k]) => {
      if (!wants(k) || (which === "c" && kind !== "LSTM")) return undefined;
      const ends = runs.map(({ end }) => end[which] as Activation);
      return stacked(site, `Y_${which}`, ends, [d, batch, hidden], batchFirst ? [1, 0, 2] : undefined);
    }),
  ]; // prettier-ignore
}

/** An initial state as [directions, batch, hidden], zero if it is not given. */
function initial(site: Site, index: number, shape: readonly number[], batchFirst: boolean): Value {
  const value = site.inputs[index];
  if (value === undefined) return constantOf(activationAt(site, 0), shape, new Float64Array(sizeOf(shape)));
  const what = index === 5 ? "initial_h" : "initial_c";
  needShape(value, batchFirst ? [shape[1] as number, shape[0] as number, shape[2] as number] : shape, what);
  if (value.kind === "constant") finite(value.data, what);
  return batchFirst ? transpose(site.draft, `${site.name}/${what}`, value, [1, 0, 2]) : value;
}

/** The hidden states by time, whatever the way, and the state after the last step. */
function unroll(
  cell: Cell,
  kind: Kind,
  start: State,
  steps: number,
  reverse: boolean,
): { readonly hs: readonly Activation[]; readonly end: State } {
  const hs = new Array<Activation>(steps);
  let end = start;
  for (let k = 0; k < steps; k++) {
    const t = reverse ? steps - 1 - k : k;
    const next = STEPS[kind](cell, `${cell.name}/${t}`, t, end);
    hs[t] = next.h;
    end = next;
  }
  return { hs, end };
}

/** Parts [batch, hidden] one after the other, as one tensor. */
function stacked(
  { draft, name }: Site,
  what: string,
  parts: readonly Activation[],
  shape: readonly number[],
  perm?: readonly number[],
): Activation {
  const [first] = parts as readonly [Activation];
  const [rows, hidden] = first.shape as [number, number];
  const xs = parts.map(({ ref }) => ref);
  const list = tensorOf(draft, { op: "concat", xs, axis: 0, shape: [rows * parts.length, hidden], name: `${name}/${what}` }, first.type); // prettier-ignore
  const whole = reshape(draft, `${name}/${what}/shape`, list, shape);
  return perm === undefined ? whole : transpose(draft, `${name}/${what}/turn`, whole, perm);
}

const attributes: AttributeRules = {
  activation_alpha: { kind: "floats" },
  activation_beta: { kind: "floats" },
  activations: { kind: "strings" },
  clip: { kind: "float" },
  direction: { kind: "string" },
  hidden_size: { kind: "int" },
  layout: { kind: "int", since: 14 },
};

const rule = (kind: Kind, inputs: number, outputs: number, more: AttributeRules = {}): OpRule => ({
  inputs: [3, inputs],
  outputs,
  attributes: { ...attributes, ...more },
  limits: "constant weights, sequences of one length known at compile time",
  lower: (site) => lowerRecurrent(site, kind),
});

export const RECURRENT_RULES = {
  GRU: rule("GRU", 6, 2, { linear_before_reset: { kind: "int" } }),
  LSTM: rule("LSTM", 8, 3, { input_forget: { kind: "int" } }),
  RNN: rule("RNN", 6, 2),
} satisfies Record<string, OpRule>;
