// Small random integer graphs that use every op, for tests. The same random numbers give the same graph.
import type { BorderTensor, IntType, Shape } from "../../../node/core/tensor.ts";
import { sizeOf, typeRange } from "../../../node/core/tensor.ts";
import type { Graph, Node, Op, Ref } from "../../../node/model/ir.ts";
import { boundsOf, reach, type Bounds } from "../../../node/model/range.ts";

export type Random = () => number;

export function integer(random: Random, lo: number, hi: number): number {
  return lo + Math.floor(random() * (hi - lo + 1));
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[integer(random, 0, list.length - 1)] as T;
}

function integers(random: Random, count: number, reachable: number): Float64Array {
  return Float64Array.from({ length: count }, () => integer(random, -reachable, reachable));
}

export interface GraphOptions {
  readonly type?: IntType;
  readonly steps?: number;
  /** Largest absolute weight, bias and factor. */
  readonly weight?: number;
  readonly bias?: number;
}

/** A graph of its own making: input, then `steps` ops, each reading tensors made before it. */
export function randomGraph(random: Random, options: GraphOptions = {}): Graph {
  const { type = { bits: 8, signed: false }, steps = 6, weight = 127, bias = 1000 } = options;
  const shape = [1, integer(random, 1, 3), integer(random, 1, 5), integer(random, 1, 5)];
  const border: BorderTensor = { name: "x", shape, type, exponent: 0 };
  const nodes: Node[] = [];
  const bounds: Bounds[] = [];
  const put = (node: Node): Ref => {
    const reads = "x" in node ? [node.x] : "xs" in node ? [...node.xs] : "a" in node ? [node.a, node.b] : [];
    bounds.push(
      boundsOf(
        node,
        reads.map((r) => bounds[r]!),
        reads.map((r) => nodes[r]!.shape),
      ),
    );
    return nodes.push(node) - 1;
  };
  put({ op: "input", name: "x", shape, border });
  let last = 0;
  for (let k = 0; k < steps; k++) {
    const op = pick(random, OPS);
    const made = MAKE[op](random, nodes, last, { weight, bias });
    if (made === undefined) continue;
    last = put({ ...made, name: `n${nodes.length}.${op}` } as Node);
    if (reach(bounds[last]!) > 2 ** 30) {
      const x = nodes[last]!;
      last = put({
        op: "rescale", x: last, name: `n${nodes.length}.tame`, shape: x.shape, axis: 0, multiplier: [1], shift: [20], lo: -128, hi: 127,
      }); // prettier-ignore
    }
  }
  const outer: BorderTensor = { name: "y", shape: nodes[last]!.shape, type: { bits: 32, signed: true }, exponent: 0 };
  return { nodes, input: 0, output: { ref: last, border: outer } };
}

/** An input of the graph's type; now and then all of it lies at the type's ends. */
export function randomInput(random: Random, graph: Graph): Float64Array {
  const node = graph.nodes[0]!;
  if (node.op !== "input") throw new Error("no input");
  const { lo, hi } = typeRange(node.border.type);
  const extreme = random() < 0.3;
  return Float64Array.from({ length: sizeOf(node.shape) }, () =>
    extreme ? (random() < 0.5 ? lo : hi) : integer(random, lo, hi),
  );
}

type Made = { readonly op: Op; readonly shape: Shape } & Readonly<Record<string, unknown>>;
type Make = (
  random: Random,
  nodes: readonly Node[],
  x: Ref,
  sizes: { weight: number; bias: number },
) => Made | undefined;

const OPS = [
  "dense", "conv", "affine", "sum", "rescale", "max", "maxpool", "argmax", "reshape", "transpose", "pad", "concat",
] as const; // prettier-ignore

const MAKE: Readonly<Record<(typeof OPS)[number], Make>> = {
  dense: (random, nodes, x, { weight, bias }) => {
    const shape = nodes[x]!.shape;
    const inner = shape[shape.length - 1]!;
    const columns = integer(random, 1, 4);
    const weights = Int32Array.from(integers(random, inner * columns, weight));
    return { op: "dense", x, weights, bias: integers(random, columns, bias), shape: [...shape.slice(0, -1), columns] };
  },
  conv: (random, nodes, x, { weight, bias }) => {
    const shape = nodes[x]!.shape;
    if (shape.length !== 4 || shape[0] !== 1) return undefined;
    const [, c, h, w] = shape as [number, number, number, number];
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
  affine: (random, nodes, x, { bias }) => {
    const { shape } = nodes[x]!;
    const size = sizeOf(shape);
    const factor = integers(random, random() < 0.5 ? 1 : size, 9);
    return { op: "affine", x, shape, factor, bias: integers(random, random() < 0.5 ? 1 : size, bias) };
  },
  sum: (random, nodes, x) => {
    const xs = [x, x, ...like(nodes, x)].slice(0, integer(random, 1, 4));
    return { op: "sum", xs, factors: xs.map(() => integer(random, -4, 4)), shape: nodes[x]!.shape };
  },
  rescale: (random, nodes, x) => {
    const { shape } = nodes[x]!;
    const axis = integer(random, 0, shape.length - 1);
    const count = random() < 0.5 ? 1 : shape[axis]!;
    const [lo, hi] = pick(random, [[0, 255], [-128, 127], [0, 6], [-1000, 1000], [-32768, 32767]] as const); // prettier-ignore
    const each = (least: number, most: number): number[] =>
      Array.from({ length: count }, () => integer(random, least, most));
    return { op: "rescale", x, shape, axis, multiplier: each(1, 5), shift: each(0, 9), lo, hi };
  },
  max: (random, nodes, x) => ({ op: "max", a: x, b: pick(random, like(nodes, x)), shape: nodes[x]!.shape }),
  maxpool: (random, nodes, x) => {
    const shape = nodes[x]!.shape;
    if (shape.length !== 4 || shape[0] !== 1) return undefined;
    // Every window must see an element, and onnxruntime wants pads below the kernel.
    const window = randomWindow(random, shape[2]!, shape[3]!, true);
    if (window === undefined) return undefined;
    const { out, ...rest } = window;
    return { op: "maxpool", x, ...rest, shape: [1, shape[1]!, ...out] };
  },
  argmax: (random, nodes, x) => {
    const shape = nodes[x]!.shape;
    const axis = integer(random, 0, shape.length - 1);
    return { op: "argmax", x, axis, shape: shape.with(axis, 1) };
  },
  reshape: (random, nodes, x) => {
    const shape = nodes[x]!.shape;
    return { op: "reshape", x, shape: random() < 0.5 ? [1, 1, ...shape].slice(-4) : [1, sizeOf(shape)] };
  },
  transpose: (random, nodes, x) => {
    const shape = nodes[x]!.shape;
    const perm = shape.map((_, k) => k).sort(() => random() - 0.5);
    return { op: "transpose", x, perm, shape: perm.map((axis) => shape[axis]!) };
  },
  pad: (random, nodes, x) => {
    const shape = nodes[x]!.shape;
    const pads = [...shape, ...shape].map((_, k) => (k % shape.length === 0 ? 0 : integer(random, 0, 1)));
    const padded = shape.map((dim, k) => dim + pads[k]! + pads[k + shape.length]!);
    return sizeOf(padded) > 300 ? undefined : { op: "pad", x, pads, value: integer(random, -20, 20), shape: padded };
  },
  concat: (random, nodes, x) => {
    const shape = nodes[x]!.shape;
    const axis = integer(random, Math.min(1, shape.length - 1), shape.length - 1);
    const xs = [x, pick(random, like(nodes, x))];
    return sizeOf(shape) > 150 ? undefined : { op: "concat", xs, axis, shape: shape.with(axis, 2 * shape[axis]!) };
  },
};

/** Tensors of the same shape as x, x among them. */
function like(nodes: readonly Node[], x: Ref): Ref[] {
  return nodes.flatMap((node, ref) => (node.shape.join() === nodes[x]!.shape.join() ? [ref] : []));
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
