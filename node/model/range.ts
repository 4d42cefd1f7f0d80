// Static ranges: for every element of every tensor the exact interval that interval arithmetic gives over all inputs of the
// declared type (each single layer's bounds are attained), and the largest partial sum on the way there. Knows no circuit
// and no runtime; the circuit takes its bit widths from here, the emitter its float32 or float64.
import { NodeError } from "../core/errors.ts";
import { sizeOf, typeRange } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { apply } from "./evaluate.ts";
import { nodeAt, readsOf } from "./ir.ts";
import type { Graph, Node, NodeOf, Op, Ref, Rules } from "./ir.ts";
import { conv, dense, matmul } from "./range-linear.ts";

export interface Bounds {
  readonly lo: Float64Array;
  readonly hi: Float64Array;
  /** No partial sum or product that computes an element of this node, in any order, exceeds this in absolute value. */
  readonly worst: number;
}

/** Integers up to here are exact in float64. */
export const DOUBLE_LIMIT = 2 ** 53;

/** Below it floored quotients and square roots are exact in float64 with room to spare, see emit.ts. */
const QUOTIENT_LIMIT = 2 ** 50;

type Rule<K extends Op> = (node: NodeOf<K>, xs: readonly Bounds[], shapes: readonly Shape[]) => Bounds;

/** Bounds of every node. @throws NodeError "unsupported" where a value could leave what float64 holds exactly. */
export function rangesOf(graph: Graph): readonly Bounds[] {
  const all: Bounds[] = [];
  for (const node of graph.nodes) {
    const reads = readsOf(node);
    const bounds = boundsOf(
      node,
      reads.map((ref) => all[ref] as Bounds),
      reads.map((ref) => nodeAt(graph, ref).shape),
    );
    if (bounds.lo.length !== sizeOf(node.shape) || bounds.hi.length !== sizeOf(node.shape)) {
      // Nobody sizes bits by bounds that do not exist.
      throw new NodeError("unsupported", `node "${node.name}" (${node.op}) yields other elements than its shape has`);
    }
    if (!(bounds.worst < DOUBLE_LIMIT)) {
      throw new NodeError("unsupported", `node "${node.name}" (${node.op}) may reach ${bounds.worst}, above 2^53`, {
        mend: "Use narrower weights or activations, or split the layer's inputs by a rescale.",
        facts: { node: node.name, op: node.op },
      });
    }
    all.push(bounds);
  }
  return all;
}

/** Bounds of one node from the bounds of what it reads. */
export function boundsOf(node: Node, xs: readonly Bounds[], shapes: readonly Shape[]): Bounds {
  return (RULES[node.op] as Rule<Op>)(node, xs, shapes);
}

export function largest(values: Float64Array): number {
  return values.reduce((most, value) => Math.max(most, value), -Infinity);
}

export function smallest(values: Float64Array): number {
  return values.reduce((least, value) => Math.min(least, value), Infinity);
}

/** The largest absolute value. */
export function reach(bounds: Pick<Bounds, "lo" | "hi">): number {
  return Math.max(0, -smallest(bounds.lo), largest(bounds.hi));
}

/** The op is monotone in every element that it reads: its image of the lower bounds is its lower bound, and so above. */
function monotone(node: Node, xs: readonly Bounds[], shapes: readonly Shape[]): Bounds {
  const lows = xs.map((x) => x.lo);
  const highs = xs.map((x) => x.hi);
  const bounds = { lo: apply(node, lows, shapes), hi: apply(node, highs, shapes) };
  return { ...bounds, worst: reach(bounds) };
}

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: ({ border, shape }) => {
    const { lo, hi } = typeRange(border.type);
    const size = sizeOf(shape);
    return { lo: new Float64Array(size).fill(lo), hi: new Float64Array(size).fill(hi), worst: Math.max(-lo, hi) };
  },
  dense: (node, xs) => dense(node, xs[0] as Bounds),
  conv: (node, xs, shapes) => conv(node, xs[0] as Bounds, shapes[0] as Shape),
  affine: ({ factor, bias }, xs) => {
    const x = xs[0] as Bounds;
    const out = { lo: new Float64Array(x.lo.length), hi: new Float64Array(x.lo.length) };
    let worst = 0;
    for (let i = 0; i < x.lo.length; i++) {
      const f = factor[factor.length === 1 ? 0 : i] as number;
      const b = bias[bias.length === 1 ? 0 : i] as number;
      const [p, q] = [f * (x.lo[i] as number), f * (x.hi[i] as number)];
      out.lo[i] = Math.min(p, q) + b;
      out.hi[i] = Math.max(p, q) + b;
      worst = Math.max(worst, Math.max(Math.abs(p), Math.abs(q)) + Math.abs(b));
    }
    return { ...out, worst };
  },
  sum: ({ xs: refs, factors }, xs) => {
    const size = (xs[0] as Bounds).lo.length;
    const [lo, hi, absolute] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
    // A tensor that is read twice counts once, by what its factors add up to: x - x is 0.
    const totals = new Map<Ref, number>();
    refs.forEach((ref, k) => totals.set(ref, (totals.get(ref) ?? 0) + (factors[k] as number)));
    xs.forEach((x, k) => {
      const wide = Math.abs(factors[k] as number);
      const f = totals.get(refs[k] as Ref) ?? 0;
      totals.delete(refs[k] as Ref);
      for (let i = 0; i < size; i++) {
        const [least, most] = [x.lo[i] as number, x.hi[i] as number];
        lo[i]! += f * (f > 0 ? least : most);
        hi[i]! += f * (f > 0 ? most : least);
        absolute[i]! += wide * Math.max(Math.abs(least), Math.abs(most));
      }
    });
    return { lo, hi, worst: largest(absolute) };
  },
  rescale: (node, xs, shapes) => {
    const wide = reach(xs[0] as Bounds);
    const bounds = monotone(node, xs, shapes);
    // Ties to even: x * multiplier * 2^-shift has the product's bits, and Round and Clip yield no more than it or a bound.
    const worst = node.multiplier.reduce((most, m, k) => {
      const s = node.shift[k] as number;
      return Math.max(most, m * wide + (s === 0 || node.ties === "even" ? 0 : 2 ** (s - 1)));
    }, bounds.worst);
    return { ...bounds, worst };
  },
  max: monotone,
  maxpool: monotone,
  argmax: ({ axis, shape }, _, shapes) => {
    const last = ((shapes[0] as Shape)[axis] as number) - 1;
    return { lo: new Float64Array(sizeOf(shape)), hi: new Float64Array(sizeOf(shape)).fill(last), worst: last };
  },
  reshape: monotone,
  transpose: monotone,
  pad: monotone,
  concat: monotone,
  mul: ({ a, b }, xs) => {
    const [x, y] = pair(xs);
    const size = x.lo.length;
    const out = { lo: new Float64Array(size), hi: new Float64Array(size) };
    for (let i = 0; i < size; i++) {
      const corners = cornersOf(x, y, i, (p, q) => p * q);
      const square = a === b;
      const straddles = (x.lo[i] as number) < 0 && (x.hi[i] as number) > 0;
      out.lo[i] = square ? (straddles ? 0 : Math.min(corners[0], corners[3])) : Math.min(...corners);
      out.hi[i] = Math.max(...corners);
    }
    return { ...out, worst: reach(out) };
  },
  matmul,
  div: (node, xs) => {
    const [x, y] = pair(xs);
    const size = x.lo.length;
    const out = { lo: new Float64Array(size), hi: new Float64Array(size) };
    for (let i = 0; i < size; i++) {
      if ((y.lo[i] as number) < 1) throw outside(node, `element ${i} of its divisor may be ${y.lo[i]}, below 1`);
      // Monotone in each operand alone, so that both ends lie in corners.
      const corners = cornersOf(x, y, i, (p, q) => Math.floor(p / q));
      out.lo[i] = Math.min(...corners);
      out.hi[i] = Math.max(...corners);
    }
    const worst = reach(x) + reach(y);
    if (worst >= QUOTIENT_LIMIT) throw outside(node, `what it reads may add up to ${worst}, above 2^50`);
    return { ...out, worst };
  },
  sqrt: (node, xs, shapes) => {
    const x = xs[0] as Bounds;
    if (smallest(x.lo) < 0) throw outside(node, `it may read ${smallest(x.lo)}, below 0`);
    if (largest(x.hi) >= QUOTIENT_LIMIT) throw outside(node, `it may read ${largest(x.hi)}, above 2^50`);
    return { ...monotone(node, xs, shapes), worst: reach(x) };
  },
  lookup,
  step: ({ index, threshold }, xs) => {
    const { lo, hi } = xs[0] as Bounds;
    const reaches = (values: Float64Array): Float64Array =>
      threshold.map((level, i) => ((values[index[i] as number] as number) >= level ? 1 : 0));
    return { lo: reaches(lo), hi: reaches(hi), worst: 1 };
  },
  iszero: (_, xs) => {
    const { lo, hi } = xs[0] as Bounds;
    return {
      lo: lo.map((least, i) => (least === 0 && hi[i] === 0 ? 1 : 0)),
      hi: lo.map((least, i) => (least <= 0 && (hi[i] as number) >= 0 ? 1 : 0)),
      worst: 1,
    };
  },
  onehot: (node, xs) => {
    const x = xs[0] as Bounds;
    const count = node.shape[node.shape.length - 1] as number;
    const out = { lo: new Float64Array(x.lo.length * count), hi: new Float64Array(x.lo.length * count) };
    for (let i = 0; i < x.lo.length; i++) {
      const [least, most] = [x.lo[i] as number, x.hi[i] as number];
      if (least < 0 || most >= count) {
        throw outside(node, `element ${i} may be from ${least} to ${most}, not an index below ${count}`);
      }
      out.hi.fill(1, i * count + least, i * count + most + 1);
      if (least === most) out.lo[i * count + least] = 1;
    }
    return { ...out, worst: 1 };
  },
  select: (node, xs) => {
    const [c, a, b] = xs as [Bounds, Bounds, Bounds];
    const size = c.lo.length;
    const out = { lo: new Float64Array(size), hi: new Float64Array(size) };
    for (let i = 0; i < size; i++) {
      const [least, most] = [c.lo[i] as number, c.hi[i] as number];
      if (least < 0 || most > 1)
        throw outside(node, `element ${i} of its condition may be ${least < 0 ? least : most}`);
      const [one, other] = [most === 1 ? a : b, least === 0 ? b : a];
      out.lo[i] = Math.min(one.lo[i] as number, other.lo[i] as number);
      out.hi[i] = Math.max(one.hi[i] as number, other.hi[i] as number);
    }
    return { ...out, worst: reach(out) };
  },
  take: monotone,
};

function pair(xs: readonly Bounds[]): readonly [Bounds, Bounds] {
  return xs as readonly [Bounds, Bounds];
}

/** f at the ends of element i of both: lo lo, lo hi, hi lo, hi hi. */
function cornersOf(
  { lo, hi }: Bounds,
  other: Bounds,
  i: number,
  f: (p: number, q: number) => number,
): readonly [number, number, number, number] {
  const [p, q, r, s] = [lo[i] as number, hi[i] as number, other.lo[i] as number, other.hi[i] as number];
  return [f(p, r) + 0, f(p, s) + 0, f(q, r) + 0, f(q, s) + 0];
}

/** An operand whose bounds the op cannot take. */
function outside({ name, op }: Node, what: string): NodeError {
  return new NodeError("unsupported", `node "${name}" (${op}): ${what}`, {
    mend: "Clamp what it reads, by a Clip or a Relu before it.",
    facts: { node: name, op },
  });
}

function lookup(node: NodeOf<"lookup">, xs: readonly Bounds[]): Bounds {
  const { axis, first, length, table, shape } = node;
  const x = xs[0] as Bounds;
  const [tables, inner] = [table.length / length, sizeOf(shape.slice(axis + 1))];
  const out = { lo: new Float64Array(x.lo.length), hi: new Float64Array(x.lo.length) };
  // Elements with equal bounds share what they reach.
  const known = new Map<string, readonly [number, number]>();
  for (let i = 0; i < x.lo.length; i++) {
    const [least, most] = [(x.lo[i] as number) - first, (x.hi[i] as number) - first];
    if (least < 0 || most >= length) {
      const [from, to] = [first, first + length - 1];
      throw outside(node, `element ${i} may be from ${x.lo[i]} to ${x.hi[i]}, outside its table of ${from} to ${to}`);
    }
    const start = tables === 1 ? 0 : (Math.floor(i / inner) % tables) * length;
    const key = `${start + least} ${start + most}`;
    const reached = known.get(key) ?? endsOf(table.subarray(start + least, start + most + 1));
    known.set(key, reached);
    [out.lo[i], out.hi[i]] = reached;
  }
  return { ...out, worst: reach({ lo: table, hi: table }) };
}

function endsOf(values: Float64Array): readonly [number, number] {
  return [smallest(values), largest(values)];
}
