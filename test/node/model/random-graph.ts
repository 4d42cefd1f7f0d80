// Small random integer graphs that use every op, with several inputs and outputs of any rank, for tests. The same random
// numbers give the same graph.
import type { BorderTensor, IntType, Shape } from "../../../node/core/tensor.ts";
import { joinFlat, sizeOf, typeRange } from "../../../node/core/tensor.ts";
import { inputsOf, readsOf } from "../../../node/model/ir.ts";
import type { Graph, Node, Op, Output, Ref } from "../../../node/model/ir.ts";
import { boundsOf, largest, reach, smallest, type Bounds } from "../../../node/model/range.ts";

export type Random = () => number;

export function integer(random: Random, lo: number, hi: number): number {
  return lo + Math.floor(random() * (hi - lo + 1));
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[integer(random, 0, list.length - 1)] as T;
}

function integers(random: Random, count: number, reachable: number): Float64Array {
  return Float64Array.from({ length: count }, () => integer(random, -reachable, reachable));
}

export interface GraphOptions {
  /** Of every input; each gets one of its own if not given. */
  readonly type?: IntType;
  readonly steps?: number;
  /** Largest absolute weight, bias and factor. */
  readonly weight?: number;
  readonly bias?: number;
  /** At most so many inputs and so many outputs; 3 if not given. */
  readonly borders?: number;
  /** None but these. */
  readonly ops?: readonly Op[];
}

/** What makes a node: the graph so far, and room to put what it needs before itself. */
interface Site {
  readonly random: Random;
  readonly nodes: readonly Node[];
  readonly bounds: readonly Bounds[];
  readonly weight: number;
  readonly bias: number;
  put(made: Made): Ref;
}

type Made = { readonly op: Op; readonly shape: Shape } & Readonly<Record<string, unknown>>;
type Make = (site: Site, x: Ref) => Made | undefined;

/** Tensors grow to about this many elements. */
const MOST = 300;
/** Values beyond this are brought down before they are read again. */
const TAME = 2 ** 30;

/** A graph of its own making: inputs, then `steps` ops, each reading tensors made before it, most often the last one. */
export function randomGraph(random: Random, options: GraphOptions = {}): Graph {
  const { steps = 6, weight = 127, bias = 1000, borders = 3, ops = OPS } = options;
  const nodes: Node[] = [];
  const bounds: Bounds[] = [];
  const put = (made: Made): Ref => {
    const node = { name: `n${nodes.length}.${made.op}`, ...made } as unknown as Node;
    const reads = readsOf(node);
    const read = (ref: Ref): Bounds => bounds[ref]!;
    bounds.push(boundsOf(node, reads.map(read), reads.map((ref) => nodes[ref]!.shape))); // prettier-ignore
    return nodes.push(node) - 1;
  };
  const site: Site = { random, nodes, bounds, weight, bias, put };
  const count = random() < 0.6 ? 1 : integer(random, 1, borders);
  for (let k = 0; k < count; k++) {
    const shape =
      random() < 0.6 ? [1, integer(random, 1, 3), integer(random, 1, 5), integer(random, 1, 5)] : anyShape(random);
    put({ op: "input", shape, border: borderOf(`x${k}`, shape, options.type ?? pick(random, TYPES)) });
  }
  let last = nodes.length - 1;
  for (let k = 0; k < steps; k++) {
    const x = random() < 0.7 ? last : integer(random, 0, nodes.length - 1);
    const made = MAKE[pick(random, ops) as (typeof OPS)[number]](site, x);
    if (made === undefined) continue;
    last = put(made);
    if (reach(bounds[last]!) > TAME) last = clamped(site, last, -128, 127, 20);
  }
  const int32 = { bits: 32, signed: true } as const;
  const fits = [...nodes.keys()].filter((ref) => reach(bounds[ref]!) <= typeRange(int32).hi && random() < 0.1);
  const ends = [last, ...fits].slice(0, integer(random, 1, borders));
  const outputs: Output[] = ends.map((ref, k) => ({ ref, border: borderOf(`y${k}`, nodes[ref]!.shape, int32) }));
  return { nodes, outputs };
}

/** Inputs of the graph's types, one after the other; now and then all of an input lies at its type's ends. */
export function randomInput(random: Random, graph: Graph): Float64Array {
  const parts = inputsOf(graph).map(({ border, shape }) => {
    const { lo, hi } = typeRange(border.type);
    const extreme = random() < 0.3;
    return Float64Array.from({ length: sizeOf(shape) }, () =>
      extreme ? (random() < 0.5 ? lo : hi) : integer(random, lo, hi),
    );
  });
  return joinFlat(parts);
}

const TYPES: readonly IntType[] = [8, 16].flatMap((bits) =>
  [true, false].map((signed) => ({ bits, signed }) as IntType),
);

function borderOf(name: string, shape: Shape, type: IntType): BorderTensor {
  return { name, shape, type, exponent: 0 };
}

/** Any rank from 0 to 4. */
function anyShape(random: Random): number[] {
  return Array.from({ length: integer(random, 0, 4) }, () => integer(random, 1, 4));
}

/** x itself if it is known to lie in [lo, hi], else a rescale of it that does. */
function clamped(site: Site, x: Ref, lo: number, hi: number, shift: number): Ref {
  const { shape } = site.nodes[x]!;
  const { lo: lows, hi: highs } = site.bounds[x]!;
  if (smallest(lows) >= lo && largest(highs) <= hi && site.random() < 0.5) return x;
  const ties = pick(site.random, ["up", "even"]);
  return site.put({ op: "rescale", x, shape, axis: 0, multiplier: [1], shift: [shift], lo, hi, ties });
}

/** The shift that brings x to about [-reach, reach]. */
function shiftTo({ bounds }: Site, x: Ref, most: number): number {
  let shift = 0;
  while (reach(bounds[x]!) > most * 2 ** shift) shift++;
  return shift;
}

const OPS = [
  "dense", "conv", "affine", "sum", "rescale", "max", "maxpool", "argmax", "reshape", "transpose", "pad", "concat", "mul",
  "matmul", "div", "sqrt", "lookup", "step", "iszero", "onehot", "select", "take",
] as const satisfies readonly Op[]; // prettier-ignore

const MAKE: Readonly<Record<(typeof OPS)[number], Make>> = {
  dense: ({ random, nodes, weight, bias }, x) => {
    const { shape } = nodes[x]!;
    const inner = shape.at(-1);
    if (inner === undefined) return undefined;
    const columns = integer(random, 1, 4);
    const weights = Int32Array.from(integers(random, inner * columns, weight));
    return { op: "dense", x, weights, bias: integers(random, columns, bias), shape: [...shape.slice(0, -1), columns] };
  },
  conv: ({ random, nodes, weight, bias }, last) => {
    const x = planes(nodes, last);
    if (x === undefined) return undefined;
    const { shape } = nodes[x]!;
    const [, c, h, w] = shape as readonly [number, number, number, number];
    const group = random() < 0.3 ? c : 1;
    const m = group * integer(random, 1, 2);
    const window = randomWindow(random, h, w);
    if (window === undefined) return undefined;
    const { kernel, out, ...rest } = window;
    const weightShape = [m, c / group, ...kernel];
    const full = random() < 0.3;
    return {
      op: "conv", x, group, weightShape, ...rest,
      weights: Int32Array.from(integers(random, sizeOf(weightShape), weight)),
      bias: integers(random, full ? m * sizeOf(out) : m, bias),
      shape: [1, m, ...out],
    }; // prettier-ignore
  },
  affine: ({ random, nodes, bias }, x) => {
    const { shape } = nodes[x]!;
    const size = sizeOf(shape);
    const factor = integers(random, random() < 0.5 ? 1 : size, 9);
    return { op: "affine", x, shape, factor, bias: integers(random, random() < 0.5 ? 1 : size, bias) };
  },
  sum: ({ random, nodes }, x) => {
    const xs = [x, x, ...like(nodes, x)].slice(0, integer(random, 1, 4));
    return { op: "sum", xs, factors: xs.map(() => integer(random, -4, 4)), shape: nodes[x]!.shape };
  },
  rescale: ({ random, nodes }, x) => {
    const { shape } = nodes[x]!;
    const axis = integer(random, 0, Math.max(0, shape.length - 1));
    const count = random() < 0.5 ? 1 : (shape[axis] ?? 1);
    const [lo, hi] = pick(random, [[0, 255], [-128, 127], [0, 6], [-1000, 1000], [-32768, 32767]] as const); // prettier-ignore
    const each = (least: number, most: number): number[] =>
      Array.from({ length: count }, () => integer(random, least, most));
    const ties = pick(random, ["up", "even"]);
    return { op: "rescale", x, shape, axis, multiplier: each(1, 5), shift: each(0, 9), lo, hi, ties };
  },
  max: ({ random, nodes }, x) => ({ op: "max", a: x, b: pick(random, like(nodes, x)), shape: nodes[x]!.shape }),
  maxpool: ({ random, nodes }, last) => {
    const x = planes(nodes, last);
    if (x === undefined) return undefined;
    const { shape } = nodes[x]!;
    // Every window must see an element, and onnxruntime wants pads below the kernel.
    const window = randomWindow(random, shape[2]!, shape[3]!, true);
    if (window === undefined) return undefined;
    const { out, ...rest } = window;
    return { op: "maxpool", x, ...rest, shape: [1, shape[1]!, ...out] };
  },
  argmax: ({ random, nodes }, x) => {
    const { shape } = nodes[x]!;
    if (shape.length === 0) return undefined;
    const axis = integer(random, 0, shape.length - 1);
    return { op: "argmax", x, axis, shape: shape.with(axis, 1) };
  },
  reshape: ({ random, nodes }, x) => {
    const { shape } = nodes[x]!;
    const four = [1, 1, 1, 1, ...shape].slice(-4);
    if (sizeOf(shape) === 1 && random() < 0.3) return { op: "reshape", x, shape: [] };
    return { op: "reshape", x, shape: random() < 0.5 && sizeOf(four) === sizeOf(shape) ? four : [1, sizeOf(shape)] };
  },
  transpose: ({ random, nodes }, x) => {
    const { shape } = nodes[x]!;
    const perm = shape.map((_, k) => k);
    for (let k = perm.length - 1; k > 0; k--) {
      const other = integer(random, 0, k);
      [perm[k], perm[other]] = [perm[other]!, perm[k]!];
    }
    return { op: "transpose", x, perm, shape: perm.map((axis) => shape[axis]!) };
  },
  pad: ({ random, nodes }, x) => {
    const { shape } = nodes[x]!;
    const pads = [...shape, ...shape].map((_, k) => (k % shape.length === 0 ? 0 : integer(random, 0, 1)));
    const padded = shape.map((dim, k) => dim + pads[k]! + pads[k + shape.length]!);
    return sizeOf(padded) > MOST ? undefined : { op: "pad", x, pads, value: integer(random, -20, 20), shape: padded };
  },
  concat: ({ random, nodes }, x) => {
    const { shape } = nodes[x]!;
    if (shape.length === 0 || 2 * sizeOf(shape) > MOST) return undefined;
    const axis = integer(random, Math.min(1, shape.length - 1), shape.length - 1);
    const xs = [x, pick(random, like(nodes, x))];
    return { op: "concat", xs, axis, shape: shape.with(axis, 2 * shape[axis]!) };
  },
  mul: (site, x) => {
    const { random, nodes, bounds } = site;
    const b = random() < 0.4 ? x : pick(random, like(nodes, x));
    if (reach(bounds[x]!) * reach(bounds[b]!) > 2 ** 50) return undefined;
    return { op: "mul", a: x, b, shape: nodes[x]!.shape };
  },
  matmul: (site, x) => {
    const { random, nodes, bounds, put } = site;
    const { shape } = nodes[x]!;
    const columns = integer(random, 1, 4);
    if (shape.length < 2 || reach(bounds[x]!) ** 2 * shape.at(-1)! > 2 ** 50) return undefined;
    const [lead, rows, inner] = [shape.slice(0, -2), shape.at(-2)!, shape.at(-1)!];
    const square = rows === inner && random() < 0.5;
    const b = square ? x : put(taken(site, pick(random, [x, 0]), [...lead, inner, columns]));
    if (reach(bounds[x]!) * reach(bounds[b]!) * inner > 2 ** 50) return undefined;
    return { op: "matmul", a: x, b, shape: [...lead, rows, square ? inner : columns] };
  },
  div: (site, x) => {
    const { random, nodes } = site;
    const divisor = pick(random, like(nodes, x));
    const b = clamped(site, divisor, 1, pick(random, [1, 7, 1000, 2 ** 20]), 0);
    return { op: "div", a: x, b, shape: nodes[x]!.shape };
  },
  sqrt: (site, x) => ({ op: "sqrt", x: clamped(site, x, 0, TAME, 0), shape: site.nodes[x]!.shape }),
  lookup: (site, x) => {
    const { random, nodes, weight } = site;
    const { shape } = nodes[x]!;
    // Now and then beyond what float32 holds.
    const base = random() < 0.2 ? 2 ** 26 : 0;
    const [lo, hi] = [base + integer(random, -20, 5), base + integer(random, 5, 20)];
    const narrow = clamped(site, x, lo, hi, base > 0 ? 0 : shiftTo(site, x, 20));
    const axis = integer(random, 0, Math.max(0, shape.length - 1));
    const tables = random() < 0.5 ? 1 : (shape[axis] ?? 1);
    const [first, length] = [lo - integer(random, 0, 2), hi - lo + integer(random, 3, 5)];
    return { op: "lookup", x: narrow, axis, first, length, table: integers(random, tables * length, weight), shape };
  },
  step: (site, x) => {
    const { random, nodes, bounds } = site;
    const shape = anyShape(random);
    const index = Int32Array.from({ length: sizeOf(shape) }, () => integer(random, 0, sizeOf(nodes[x]!.shape) - 1));
    const threshold = Float64Array.from(index, (at) => integer(random, bounds[x]!.lo[at]! - 1, bounds[x]!.hi[at]! + 1));
    return { op: "step", x, index, threshold: random() < 0.2 ? threshold.fill(threshold[0]!) : threshold, shape };
  },
  iszero: (site, x) => {
    // Seldom 0 otherwise.
    const narrow = site.random() < 0.7 ? clamped(site, x, -2, 2, shiftTo(site, x, 2)) : x;
    return { op: "iszero", x: narrow, shape: site.nodes[x]!.shape };
  },
  onehot: (site, x) => {
    const { shape } = site.nodes[x]!;
    const count = integer(site.random, 1, 5);
    if (shape.length > 3 || sizeOf(shape) * count > MOST) return undefined;
    const narrow = clamped(site, x, 0, integer(site.random, 0, count - 1), shiftTo(site, x, count));
    return { op: "onehot", x: narrow, shape: [...shape, count] };
  },
  select: (site, x) => {
    const { random, nodes } = site;
    const c = clamped(site, pick(random, like(nodes, x)), 0, 1, 0);
    return { op: "select", c, a: x, b: pick(random, like(nodes, x)), shape: nodes[x]!.shape };
  },
  take: (site, x) => taken(site, x, anyShape(site.random)),
};

function taken({ random, nodes }: Site, x: Ref, shape: Shape): Made {
  const size = sizeOf(nodes[x]!.shape);
  return {
    op: "take",
    x,
    index: Int32Array.from({ length: sizeOf(shape) }, () => integer(random, 0, size - 1)),
    shape,
  };
}

/** Tensors of the same shape as x, x among them. */
function like(nodes: readonly Node[], x: Ref): Ref[] {
  return nodes.flatMap((node, ref) => (node.shape.join() === nodes[x]!.shape.join() ? [ref] : []));
}

/** The last tensor up to x that windows can run over. */
function planes(nodes: readonly Node[], x: Ref): Ref | undefined {
  const at = nodes.slice(0, x + 1).findLastIndex(({ shape }) => shape.length === 4 && shape[0] === 1);
  return at < 0 ? undefined : at;
}

interface RandomWindow {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly pads: readonly number[];
  readonly dilations: readonly [number, number];
  readonly out: readonly [number, number];
}

function randomWindow(random: Random, h: number, w: number, pooling = false): RandomWindow | undefined {
  const two = (lo: number, hi: number): [number, number] => [integer(random, lo, hi), integer(random, lo, hi)];
  const [kernel, strides, dilations] = [two(1, 3), two(1, 2), pooling ? two(1, 1) : two(1, 2)];
  const pads = [...two(0, 1), ...two(0, 1)].map((p, k) => (pooling ? Math.min(p, kernel[k % 2]! - 1) : p));
  const out = [h, w].map(
    (dim, k) => Math.floor((dim + pads[k]! + pads[k + 2]! - dilations[k]! * (kernel[k]! - 1) - 1) / strides[k]!) + 1,
  ) as [number, number];
  return out.some((dim) => dim < 1) ? undefined : { kernel, strides, pads, dilations, out };
}
