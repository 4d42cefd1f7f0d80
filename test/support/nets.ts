// Integer graphs for tests and bench: the sizes that the circuit's bars are set on, and tiny random nets that together use
// every op. All from a seed; nothing is trained.
import type { BorderTensor, IntType, Shape } from "../../node/core/tensor.ts";
import { joinFlat, sizeOf, typeRange } from "../../node/core/tensor.ts";
import { inputsOf } from "../../node/model/ir.ts";
import type { ConvNode, Graph, Node, NodeOf, Op, Ref, RescaleNode } from "../../node/model/ir.ts";

export type Random = () => number;

/** Mulberry32: uniform in [0, 1). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from lo to hi. */
export function whole(random: Random, lo: number, hi: number): number {
  return lo + Math.floor(random() * (hi - lo + 1));
}

/** Elements of all inputs, one after the other; every value of a type is as likely as any other. */
export function randomInput(graph: Graph, seed: number): Float64Array {
  const random = randomOf(seed);
  return joinFlat(
    inputsOf(graph).map(({ border, shape }) => {
      const { lo, hi } = typeRange(border.type);
      return Float64Array.from({ length: sizeOf(shape) }, () => whole(random, lo, hi));
    }),
  );
}

export const INT8: IntType = { bits: 8, signed: true };
export const UINT8: IntType = { bits: 8, signed: false };
export const INT16: IntType = { bits: 16, signed: true };
export const INT32: IntType = { bits: 32, signed: true };

type Fields<K extends Op> = Omit<NodeOf<K>, "op" | "name" | "x">;

/** Adds nodes one after another; each reads the one before unless told otherwise. */
export class NetBuilder {
  readonly nodes: Node[] = [];
  readonly random: Random;

  constructor(seed: number, shape: Shape, type: IntType) {
    this.random = randomOf(seed);
    this.nodes.push({ op: "input", name: "input", shape, border: borderOf("input", shape, type) });
  }

  /** One more input; before any op. */
  input(shape: Shape, type: IntType): Ref {
    const name = `input${this.nodes.length}`;
    this.nodes.push({ op: "input", name, shape, border: borderOf(name, shape, type) });
    return this.last;
  }

  get last(): Ref {
    return this.nodes.length - 1;
  }

  shapeOf(ref: Ref): Shape {
    return (this.nodes[ref] as Node).shape;
  }

  /** Any node as it is, but for its name. */
  push(node: Node extends infer N ? (N extends Node ? Omit<N, "name"> : never) : never): Ref {
    this.nodes.push({ ...node, name: `${node.op}${this.nodes.length}` });
    return this.last;
  }

  dense(outputs: number, x = this.last): Ref {
    const shape = this.shapeOf(x);
    const inputs = shape[shape.length - 1] as number;
    const weights = Int32Array.from({ length: inputs * outputs }, () => whole(this.random, -127, 127));
    const bias = Float64Array.from({ length: outputs }, () => whole(this.random, -2048, 2047));
    return this.push({ op: "dense", x, weights, bias, shape: [...shape.slice(0, -1), outputs] });
  }

  conv(channels: number, kernel: number, options: Partial<Fields<"conv">> = {}, x = this.last): Ref {
    const [, depth, height, width] = this.shapeOf(x) as readonly [number, number, number, number];
    const { strides = [1, 1], pads = [0, 0, 0, 0], dilations = [1, 1], group = 1 } = options;
    const reach = dilations.map((dilation) => dilation * (kernel - 1) + 1) as [number, number];
    const oh = Math.floor((height + pads[0] + pads[2] - reach[0]) / strides[0]) + 1;
    const ow = Math.floor((width + pads[1] + pads[3] - reach[1]) / strides[1]) + 1;
    const weightShape = [channels, depth / group, kernel, kernel] as const;
    const node: Omit<ConvNode, "name"> = {
      op: "conv",
      x,
      weightShape,
      weights: Int32Array.from({ length: sizeOf(weightShape) }, () => whole(this.random, -127, 127)),
      bias: Float64Array.from({ length: channels }, () => whole(this.random, -2048, 2047)),
      strides,
      pads,
      dilations,
      group,
      shape: [1, channels, oh, ow],
      ...options,
    };
    return this.push(node);
  }

  maxpool(size: number, options: Partial<Fields<"maxpool">> = {}, x = this.last): Ref {
    const [, channels, height, width] = this.shapeOf(x) as readonly [number, number, number, number];
    const { strides = [size, size], pads = [0, 0, 0, 0], dilations = [1, 1] } = options;
    const reach = dilations.map((dilation) => dilation * (size - 1) + 1) as [number, number];
    const oh = Math.floor((height + pads[0] + pads[2] - reach[0]) / strides[0]) + 1;
    const ow = Math.floor((width + pads[1] + pads[3] - reach[1]) / strides[1]) + 1;
    return this.push({
      op: "maxpool",
      x,
      kernel: [size, size],
      strides,
      pads,
      dilations,
      shape: [1, channels, oh, ow],
    });
  }

  /** clamp(floor(x / 2^shift + 1/2), lo, hi); the defaults are an int8 ReLU. */
  rescale(shift: number, options: Partial<Fields<"rescale">> = {}, x = this.last): Ref {
    const node: Omit<RescaleNode, "name"> = {
      op: "rescale",
      x,
      multiplier: [1],
      shift: [shift],
      axis: 1,
      lo: 0,
      hi: 127,
      ties: "up",
      shape: this.shapeOf(x),
      ...options,
    };
    return this.push(node);
  }

  /** y = entry(x) for x from `first` on; random entries if not given. */
  lookup(first: number, length: number, entry?: (x: number) => number, x = this.last): Ref {
    const table = Float64Array.from({ length }, (_, i) => entry?.(first + i) ?? whole(this.random, -128, 127));
    return this.push({ op: "lookup", x, axis: 0, first, length, table, shape: this.shapeOf(x) });
  }

  step(index: readonly number[], threshold: readonly number[], x = this.last): Ref {
    const shape = [1, index.length];
    return this.push({ op: "step", x, index: Int32Array.from(index), threshold: Float64Array.from(threshold), shape });
  }

  reshape(shape: Shape, x = this.last): Ref {
    return this.push({ op: "reshape", x, shape });
  }

  graph(type: IntType, ref = this.last): Graph {
    return this.graphOf([[ref, type]]);
  }

  graphOf(ends: readonly (readonly [Ref, IntType])[]): Graph {
    const outputs = ends.map(([ref, type], k) => {
      return { ref, border: borderOf(k === 0 ? "output" : `output${k}`, this.shapeOf(ref), type) };
    });
    return { nodes: this.nodes, outputs };
  }
}

function borderOf(name: string, shape: Shape, type: IntType): BorderTensor {
  return { name, shape, type, exponent: 0 };
}

/** 784-128-10, int8 in, raw accumulators out. */
export function mlp784(): Graph {
  const net = new NetBuilder(1, [1, 784], INT8);
  net.dense(128);
  net.rescale(11);
  net.dense(10);
  return net.graph(INT32);
}

/** LeNet-5 on 28x28, int8 in, raw accumulators out; pools come before rescales, as the compiler puts them. */
export function lenet5(): Graph {
  const net = new NetBuilder(2, [1, 1, 28, 28], INT8);
  net.conv(6, 5, { pads: [2, 2, 2, 2] });
  net.maxpool(2);
  net.rescale(9);
  net.conv(16, 5);
  net.maxpool(2);
  net.rescale(10);
  net.reshape([1, 400]);
  net.dense(120);
  net.rescale(10);
  net.dense(84);
  net.rescale(9);
  net.dense(10);
  return net.graph(INT32);
}

/** 32x32x3: conv32, pool, conv64, pool, conv64, pool, 128, 10; about 8 million multiplications. */
export function cifarCnn(): Graph {
  const net = new NetBuilder(4, [1, 3, 32, 32], UINT8);
  for (const channels of [32, 64, 64]) {
    net.conv(channels, 3, { pads: [1, 1, 1, 1] });
    net.maxpool(2);
    net.rescale(10);
  }
  net.reshape([1, 1024]);
  net.dense(128);
  net.rescale(11);
  net.dense(10);
  return net.graph(INT32);
}

export interface NamedNet {
  readonly name: string;
  readonly graph: Graph;
}

/** Small nets that together use every op, every border type and every form of rescale; sizes and weights from the seed. */
export function tinyNets(seed: number): NamedNet[] {
  const random = randomOf(seed);
  const next = (): number => whole(random, 1, 2 ** 31 - 1);
  const nets: NamedNet[] = [];
  type Ends = IntType | readonly (readonly [Ref, IntType])[];
  const add = (name: string, shape: Shape, type: IntType, make: (net: NetBuilder) => Ends): void => {
    const net = new NetBuilder(next(), shape, type);
    const ends = make(net);
    nets.push({ name, graph: "bits" in ends ? net.graph(ends) : net.graphOf(ends) });
  };

  add("conv, pool, relu, dense", [1, 1, 6, 6], INT8, (net) => {
    net.conv(2, 3, { pads: [1, 1, 1, 1] });
    net.maxpool(2);
    net.rescale(6);
    net.reshape([1, 18]);
    net.dense(3);
    return INT32;
  });
  add("mlp from uint8 to int8", [1, 7], UINT8, (net) => {
    net.dense(5);
    net.rescale(9);
    net.dense(9);
    net.rescale(7, { lo: -128, hi: 127 });
    return INT8;
  });
  add("leaky relu", [1, 2, 3, 3], INT8, (net) => {
    const x = net.conv(2, 2, { strides: [1, 1] });
    const a = net.push({
      op: "affine",
      x,
      factor: Float64Array.of(8),
      bias: Float64Array.of(0),
      shape: net.shapeOf(x),
    });
    const b = net.push({
      op: "affine",
      x,
      factor: Float64Array.of(1),
      bias: Float64Array.of(-3),
      shape: net.shapeOf(x),
    });
    net.push({ op: "max", a, b, shape: net.shapeOf(x) });
    net.rescale(9, { lo: -128, hi: 127 });
    return INT16;
  });
  add("residual with relu6", [1, 2, 4, 4], INT8, (net) => {
    const x = net.rescale(0, { lo: -100, hi: 99 });
    net.conv(2, 3, { pads: [1, 1, 1, 1], group: 2 });
    const y = net.rescale(6, { lo: -128, hi: 127 });
    net.push({ op: "sum", xs: [x, y], factors: [3, 5], shape: net.shapeOf(x) });
    net.rescale(2, { lo: 0, hi: 96 });
    return UINT8;
  });
  add("concat, pad, transpose, per-channel scales", [1, 3, 3, 2], INT16, (net) => {
    const x = 0;
    const y = net.rescale(0, { multiplier: [3, 1, 5], shift: [9, 8, 10], lo: -32, hi: 31 });
    const z = net.push({ op: "pad", x, pads: [0, 0, 1, 0, 0, 0, 0, 2], value: -7, shape: [1, 3, 4, 4] });
    net.maxpool(2, { strides: [1, 2] }, z);
    const pooled = net.rescale(10, { lo: -20, hi: 20 });
    const t = net.push({ op: "transpose", x: y, perm: [0, 1, 3, 2], shape: [1, 3, 2, 3] });
    const v = net.push({ op: "transpose", x: pooled, perm: [0, 1, 3, 2], shape: [1, 3, 2, 3] });
    net.push({ op: "concat", xs: [t, v], axis: 1, shape: [1, 6, 2, 3] });
    net.conv(3, 2, { dilations: [1, 2] });
    net.rescale(4, { lo: -32768, hi: 32767 });
    return INT16;
  });
  add("argmax", [1, 6], INT8, (net) => {
    const x = net.dense(5);
    net.push({ op: "argmax", x, axis: 1, shape: [1, 1] });
    return UINT8;
  });
  add("argmax of small ties along a middle axis", [1, 3, 2], UINT8, (net) => {
    const x = net.rescale(7, { lo: 0, hi: 1 });
    net.push({ op: "argmax", x, axis: 1, shape: [1, 1, 2] });
    return UINT8;
  });
  add("constants, single windows, padded pools", [1, 2, 3, 3], INT8, (net) => {
    const x = net.conv(2, 1, { weights: Int32Array.of(0, 0, 1, -2), bias: Float64Array.of(-9, 4) });
    net.maxpool(1, { strides: [2, 2] });
    net.rescale(1); // the first channel is constant and negative
    const small = net.last;
    net.maxpool(2, { strides: [1, 1], pads: [1, 1, 0, 0], dilations: [2, 2] }, x);
    net.rescale(1, { lo: -128, hi: 127 });
    const large = net.maxpool(2, { strides: [1, 1] });
    const shape = net.shapeOf(large);
    const crop = net.shapeOf(small).join() === shape.join() ? small : large;
    net.push({ op: "sum", xs: [crop, large], factors: [1, -1], shape });
    return INT16;
  });
  add("full-size affine and raw int32 in and out", [1, 9], INT32, (net) => {
    const factor = Float64Array.from({ length: 9 }, () => whole(net.random, -9, 9));
    const bias = Float64Array.from({ length: 9 }, () => whole(net.random, -999, 999));
    net.push({ op: "affine", x: 0, factor, bias, shape: [1, 9] });
    net.rescale(20, { lo: -32768, hi: 32767 });
    net.dense(9);
    return INT32;
  });
  add("tables on clamped and unclamped quotients", [1, 3], INT8, (net) => {
    const x = 0;
    net.lookup(-128, 256); // the input's own bits
    const shape = [1, 3] as const;
    const scaled = (factor: number, bias: number): Ref =>
      net.push({ op: "affine", x, factor: Float64Array.of(factor), bias: Float64Array.of(bias), shape });
    const ends = [net.last];
    const table = (wide: Ref, shift: number, lo: number, hi: number, ties: "up" | "even"): void => {
      const y = net.rescale(shift, { lo, hi, ties }, wide);
      ends.push(net.lookup(lo - 3, hi - lo + 9, undefined, y)); // entries that no value has, too
    };
    table(scaled(9, 4), 3, -128, 127, "up"); // out, signed
    table(scaled(9, 4), 3, -128, 127, "even");
    table(scaled(9, 4), 3, -127, 120, "even"); // and capped, from an odd end
    table(scaled(3, 7), 4, 0, 127, "up"); // under
    table(scaled(3, 7), 4, 1, 127, "even"); // under, from an odd end
    table(scaled(5, 700), 4, 0, 63, "up"); // over
    table(scaled(5, 700), 2, 0, 63, "even"); // out
    table(scaled(5, 700), 4, 0, 127, "even"); // nothing to clamp
    table(scaled(-4, 3), 2, -1000, 1000, "up"); // nothing to clamp, and a sign
    net.push({ op: "concat", xs: ends, axis: 1, shape: [1, 3 * ends.length] });
    return INT8;
  });
  add("tables of sums, of few values, affine, by channel", [1, 4], UINT8, (net) => {
    const folded = net.push({ op: "take", x: 0, index: Int32Array.of(3, 0, 0, 1), shape: [1, 4] });
    const wide = net.push({ op: "sum", xs: [0, folded], factors: [1, -1], shape: [1, 4] });
    const shared = net.lookup(-255, 511, (x) => Math.abs(x) % 91, wide); // makes the bits
    const second = net.lookup(-256, 600, (x) => (x < -100 ? -7 : x > 90 ? 50 : x), wide); // reads them
    const affine = net.lookup(0, 256, (x) => 100 - x, 0);
    const same = net.lookup(0, 256, () => 6, folded);
    const moved = net.push({ op: "affine", x: folded, factor: Float64Array.of(-2), bias: Float64Array.of(9, 1, 0, 5), shape: [1, 4] }); // prettier-ignore
    const scaled = net.lookup(-510, 520, (x) => Math.trunc(x / 3), moved);
    const table = Float64Array.from({ length: 4 * 256 }, (_, i) => (i % 256 >= 60 * (i >> 8) ? 1 : 0));
    const byChannel = net.push({ op: "lookup", x: 0, axis: 1, first: 0, length: 256, table, shape: [1, 4] });
    const bits = net.rescale(7, { lo: 0, hi: 1 }, 0);
    const ofBits = net.lookup(0, 2, (x) => 5 - 3 * x, bits);
    const raised = net.rescale(7, { lo: 2, hi: 3, ties: "even" }, 0);
    const ofRaised = net.lookup(1, 9, (x) => x * x, raised);
    const xs = [shared, second, affine, same, scaled, byChannel, ofBits, ofRaised];
    net.push({ op: "concat", xs, axis: 1, shape: [1, 4 * xs.length] });
    return INT16;
  });
  add("steps", [1, 3], INT16, (net) => {
    const many = Array.from({ length: 9 }, (_, k) => 3000 * k - 12000);
    const own = net.step([0, 1, 1, 0, 2, 2, 2], [17, -5, 4096, 17, -32768, 32768, 12], 0);
    const together = net.step([...many.map(() => 1), 2, 2, 1], [...many, 5, 6, 0], 0);
    const wide = net.dense(2, 0);
    const few = net.step([0, 1, 1], [1000, -77, 80000], wide);
    const scaled = net.push({
      op: "affine",
      x: 0,
      factor: Float64Array.of(3),
      bias: Float64Array.of(-1),
      shape: [1, 3],
    });
    const moved = net.step([0, 2, 2], [5, -64, 700], scaled);
    const xs = [own, together, few, moved];
    net.push({ op: "concat", xs, axis: 1, shape: [1, 25] });
    net.push({ op: "dense", x: net.last, weights: Int32Array.from({ length: 50 }, (_, k) => k - 20), bias: new Float64Array(2), shape: [1, 2] }); // prettier-ignore
    return INT16;
  });
  add("products, quotients, roots and choices of two inputs", [1, 2, 3], INT8, (net) => {
    const other = net.input([1, 3, 2], UINT8);
    const product = net.push({ op: "matmul", a: 0, b: other, shape: [1, 2, 2] });
    const padded = net.push({ op: "pad", x: product, pads: [0, 0, 0, 0, 1, 0], value: 0, shape: [1, 3, 2] });
    const dense = net.dense(5, other);
    net.push({ op: "matmul", a: padded, b: product, shape: [1, 3, 2] });
    const twice = net.push({ op: "matmul", a: dense, b: net.push({ op: "take", x: dense, index: Int32Array.from({ length: 10 }, (_, k) => k), shape: [1, 5, 2] }), shape: [1, 3, 2] }); // prettier-ignore
    const narrow = net.rescale(9, { lo: -100, hi: 100, ties: "even" }, twice);
    const square = net.push({ op: "mul", a: narrow, b: narrow, shape: [1, 3, 2] });
    const root = net.push({ op: "sqrt", x: square, shape: [1, 3, 2] });
    const divisor = net.push({ op: "affine", x: root, factor: Float64Array.of(1, 2, 3, 0, 0, 1), bias: Float64Array.of(1, 1, 5, 1, 9, 2), shape: [1, 3, 2] }); // prettier-ignore
    const quotient = net.push({ op: "div", a: twice, b: divisor, shape: [1, 3, 2] });
    const tame = net.rescale(18, { lo: -30000, hi: 30000 }, quotient);
    const zero = net.push({ op: "iszero", x: narrow, shape: [1, 3, 2] });
    const never = net.push({ op: "iszero", x: divisor, shape: [1, 3, 2] });
    const chosen = net.push({ op: "select", c: zero, a: narrow, b: other, shape: [1, 3, 2] });
    net.push({ op: "sum", xs: [chosen, never], factors: [1, 5], shape: [1, 3, 2] });
    const sum = net.last;
    const small = net.rescale(6, { lo: 0, hi: 3 }, other);
    const hot = net.push({ op: "onehot", x: small, shape: [1, 3, 2, 5] });
    return [[tame, INT16], [sum, INT16], [hot, UINT8]]; // prettier-ignore
  });
  return nets;
}
