// One time step of an LSTM, GRU or RNN as float nodes, and the arithmetic on states, which may be constants (zero at the
// start, most often). Knows nothing of directions, layouts or attributes' names beyond those of the step itself.
import { sizeOf } from "../../core/tensor.ts";
import { type Activation, affine, type Draft, reshape, tensorOf, type Value } from "./draft.ts";
import type { Constant } from "./constant.ts";
import { flagOf, type Site } from "./site.ts";

export type Kind = "LSTM" | "GRU" | "RNN";

/** Gates in the order of W's rows, and functions in the order of the attribute "activations". */
export const KINDS = {
  LSTM: { gates: ["i", "o", "f", "c"], functions: ["Sigmoid", "Tanh", "Tanh"] },
  GRU: { gates: ["z", "r", "h"], functions: ["Sigmoid", "Tanh"] },
  RNN: { gates: ["i"], functions: ["Tanh"] },
} as const;

/** One direction of one node: everything that its steps share. */
export interface Cell {
  readonly site: Site;
  readonly name: string;
  /** x * W + Wb (and Rb, where nothing comes between) by gate, each [steps, batch, hidden]. */
  readonly inputs: readonly Activation[];
  /** R of each gate, turned: hidden x hidden, row-major. */
  readonly recurrent: readonly Constant[];
  /** Rb of each gate, where it is not in `inputs`. */
  readonly late: readonly (Constant | undefined)[];
  /** P of each gate that has one. */
  readonly peepholes: readonly (Constant | undefined)[];
  readonly functions: readonly Gate[];
}

export interface State {
  readonly h: Value;
  /** Of an LSTM. */
  readonly c: Value;
}

export type Gate = (name: string, x: Activation) => Activation;
type Step = (cell: Cell, name: string, t: number, state: State) => State & { readonly h: Activation };

export function constantOf(like: Value, shape: readonly number[], data: Float64Array): Constant {
  return { kind: "constant", type: like.type, shape, data };
}

function isZero(value: Value): boolean {
  return value.kind === "constant" && value.data.every((v) => v === 0);
}

/** a + sign * b, of equal shapes. */
function plus(draft: Draft, name: string, a: Activation, b: Value, sign?: 1 | -1): Activation;
function plus(draft: Draft, name: string, a: Value, b: Activation, sign?: 1 | -1): Activation;
function plus(draft: Draft, name: string, a: Value, b: Value, sign: 1 | -1 = 1): Activation {
  if (b.kind === "constant") {
    const x = a as Activation;
    return isZero(b) ? x : affine(draft, name, x, 1, { ...b, data: b.data.map((v) => sign * v) });
  }
  if (a.kind === "constant") return isZero(a) && sign === 1 ? b : affine(draft, name, b, sign, a);
  return tensorOf(draft, { op: "sum", xs: [a.ref, b.ref], factors: [1, sign], shape: a.shape, name }, a.type);
}

/** a * b, of equal shapes. */
function times(draft: Draft, name: string, a: Activation, b: Activation): Activation;
function times(draft: Draft, name: string, a: Activation, b: Value): Value;
function times(draft: Draft, name: string, a: Activation, b: Value): Value {
  if (isZero(b)) return b;
  if (b.kind === "constant") return affine(draft, name, a, b, 0);
  return tensorOf(draft, { op: "mul", a: a.ref, b: b.ref, shape: a.shape, name }, a.type);
}

/** x * weights + bias, over the last axis; weights are K x N. */
export function dense(draft: Draft, name: string, x: Value, weights: Constant, bias?: Constant): Value {
  const [inner, outer] = weights.shape as [number, number];
  const added = bias?.data ?? new Float64Array(outer);
  const shape = x.shape.with(-1, outer);
  if (x.kind === "activation") {
    return tensorOf(draft, { op: "dense", x: x.ref, weights: weights.data, bias: added, shape, name }, x.type);
  }
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const row = Math.floor(i / outer) * inner;
    return weights.data
      .filter((_, w) => w % outer === i % outer)
      .reduce((sum, w, k) => sum + w * (x.data[row + k] as number), added[i % outer] as number);
  });
  return constantOf(x, shape, data);
}

/** Entry t along the first axis, which is dropped. */
export function entry(draft: Draft, name: string, x: Activation, t: number): Activation;
export function entry(draft: Draft, name: string, x: Value, t: number): Value;
export function entry(draft: Draft, name: string, x: Value, t: number): Value {
  const shape = x.shape.slice(1);
  if (x.shape[0] === 1) return reshape(draft, name, x, shape);
  const size = sizeOf(shape);
  if (x.kind === "constant") return constantOf(x, shape, x.data.slice(t * size, (t + 1) * size));
  const index = Int32Array.from({ length: size }, (_, i) => t * size + i);
  return tensorOf(draft, { op: "take", x: x.ref, index, shape, name }, x.type);
}

/** What a gate's function gets: its share of x, of h * R and of the peephole. */
function gateOf(cell: Cell, name: string, t: number, gate: number, h: Value, c?: Value): Activation {
  const { draft } = cell.site;
  const recurrent = dense(draft, `${name}/recurrent`, h, cell.recurrent[gate] as Constant, cell.late[gate]);
  let sum = plus(draft, `${name}/sum`, entry(draft, `${name}/x`, cell.inputs[gate] as Activation, t), recurrent);
  const peephole = cell.peepholes[gate];
  if (peephole !== undefined && c !== undefined) {
    const seen = c.kind === "constant" ? constantOf(c, c.shape, c.data.map((v, i) => v * (peephole.data[i % peephole.data.length] as number))) : affine(draft, `${name}/weighted`, c, peephole, 0); // prettier-ignore
    sum = plus(draft, `${name}/peephole`, sum, seen);
  }
  return sum;
}

export const STEPS: { readonly [K in Kind]: Step } = {
  RNN: (cell, name, t, { h, c }) => {
    const [f] = cell.functions as readonly [Gate];
    return { h: f(name, gateOf(cell, name, t, 0, h)), c };
  },
  GRU: (cell, name, t, { h, c }) => {
    const { draft } = cell.site;
    const [f, g] = cell.functions as readonly [Gate, Gate];
    const z = f(`${name}/z`, gateOf(cell, `${name}/z`, t, 0, h));
    const r = f(`${name}/r`, gateOf(cell, `${name}/r`, t, 1, h));
    let candidate: Activation;
    if (flagOf(cell.site, "linear_before_reset", false)) {
      const linear = dense(draft, `${name}/h/recurrent`, h, cell.recurrent[2] as Constant, cell.late[2]);
      const x = entry(draft, `${name}/h/x`, cell.inputs[2] as Activation, t);
      candidate = plus(draft, `${name}/h/sum`, x, times(draft, `${name}/h/reset`, r, linear));
    } else {
      candidate = gateOf(cell, `${name}/h`, t, 2, times(draft, `${name}/reset`, r, h));
    }
    const fresh = g(`${name}/h`, candidate);
    // (1 - z) * fresh + z * h with one product
    const change = plus(draft, `${name}/change`, h, fresh, -1);
    return { h: plus(draft, name, fresh, times(draft, `${name}/kept`, z, change)), c };
  },
  LSTM: (cell, name, t, { h, c }) => {
    const { draft } = cell.site;
    const [f, g, last] = cell.functions as readonly [Gate, Gate, Gate];
    const input = f(`${name}/i`, gateOf(cell, `${name}/i`, t, 0, h, c));
    const fresh = g(`${name}/c`, gateOf(cell, `${name}/c`, t, 3, h));
    let next: Activation;
    if (flagOf(cell.site, "input_forget", false)) {
      // (1 - input) * c + input * fresh with one product
      const change = plus(draft, `${name}/change`, fresh, c, -1);
      next = plus(draft, `${name}/cell`, c, times(draft, `${name}/new`, input, change));
    } else {
      const forget = f(`${name}/f`, gateOf(cell, `${name}/f`, t, 2, h, c));
      const added = times(draft, `${name}/new`, input, fresh);
      next = plus(draft, `${name}/cell`, times(draft, `${name}/kept`, forget, c), added);
    }
    const output = f(`${name}/o`, gateOf(cell, `${name}/o`, t, 1, h, next));
    return { h: times(draft, name, output, last(`${name}/seen`, next)), c: next };
  },
};
