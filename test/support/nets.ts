// Integer graphs for tests and bench: the sizes that the circuit's bars are set on, and tiny random nets that together use
// every op. All from a seed; nothing is trained.
import type { BorderTensor, IntType, Shape } from "../../node/core/tensor.ts";
import { sizeOf, typeRange } from "../../node/core/tensor.ts";
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

/** Every value of the type is as likely as any other. */
export function randomInput(graph: Graph, seed: number): Float64Array {
  const node = graph.nodes[graph.input] as NodeOf<"input">;
  const { lo, hi } = typeRange(node.border.type);
  const random = randomOf(seed);
  return Float64Array.from({ length: sizeOf(node.shape) }, () => whole(random, lo, hi));
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

  get last(): Ref {
    return this.nodes.length - 1;
  }

  shapeOf(ref: Ref): Shape {
    return (this.nodes[ref] as Node).shape;
  }

  /** Any node as it is, but for its name. */
  push(node: Node extends infer N ? (N extends Node ? Omit<N, "name"> : never) : never): Ref {
    this.nodes.push({ ...node, name: `${node.op}${this.nodes.length}` } as Node);
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
      shape: this.shapeOf(x),
      ...options,
    };
    return this.push(node);
  }

  reshape(shape: Shape, x = this.last): Ref {
    return this.push({ op: "reshape", x, shape });
  }

  graph(type: IntType, ref = this.last): Graph {
    return { nodes: this.nodes, input: 0, output: { ref, border: borderOf("output", this.shapeOf(ref), type) } };
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
