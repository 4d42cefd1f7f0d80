// Which elements of an integer graph's tensors the outputs depend on: one total table over the ops, walked from the outputs
// back. The last position of a transformer, the hidden half of its scores, what a pooling leaves over at the border.
import { sizeOf, stridesOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import type { ConvNode, Graph, MaxPoolNode, Node, NodeOf, Op, Rules } from "./ir.ts";
import { nodeAt, readsOf } from "./ir.ts";

/** 1 for each element that is needed, by node. */
export function neededOf(graph: Graph): readonly Uint8Array[] {
  const needed = graph.nodes.map(({ shape }) => new Uint8Array(sizeOf(shape)));
  for (const { ref } of graph.outputs) (needed[ref] as Uint8Array).fill(1);
  for (let ref = graph.nodes.length - 1; ref >= 0; ref--) {
    const node = nodeAt(graph, ref);
    const reads = readsOf(node).map((read) => ({
      shape: nodeAt(graph, read).shape,
      needed: needed[read] as Uint8Array,
    }));
    const own = needed[ref] as Uint8Array;
    if (own.includes(1)) (RULES[node.op] as Rule<Op>)(node, own, reads);
  }
  return needed;
}

interface Read {
  readonly shape: Shape;
  readonly needed: Uint8Array;
}

/** Marks what the needed elements of a node read. */
type Rule<K extends Op> = (node: NodeOf<K>, own: Uint8Array, reads: readonly Read[]) => void;

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: () => undefined,
  dense: (node, own, [x]) =>
    eachRow(own, node.bias.length, (row) => markRow(x, row, node.weights.length / node.bias.length)),
  conv: (node, _, [x]) => eachTap(node, x, [node.weightShape[2], node.weightShape[3]]),
  maxpool: (node, own, [x]) => {
    const plane = own.length / (node.shape[1] as number);
    eachTap(node, x, node.kernel, (channel) => own.subarray(channel * plane, (channel + 1) * plane).includes(1));
  },
  affine: ({ factor }, own, [x]) =>
    each(own, (i) => {
      if (factor[factor.length === 1 ? 0 : i] !== 0) mark(x, i);
    }),
  sum: alike,
  rescale: alike,
  max: alike,
  mul: alike,
  div: alike,
  sqrt: alike,
  lookup: alike,
  iszero: alike,
  select: alike,
  reshape: alike,
  matmul: ({ shape }, own, [a, b]) => {
    const inner = a?.shape.at(-1) as number;
    const [rows, columns] = shape.slice(-2) as [number, number];
    eachRow(own, columns, (row) => markRow(a, row, inner));
    const used = new Uint8Array((own.length / rows) | 0); // one per column of each matrix
    each(own, (i) => (used[Math.floor(i / (rows * columns)) * columns + (i % columns)] = 1));
    each(used, (c) => {
      const from = Math.floor(c / columns) * inner * columns + (c % columns);
      for (let k = 0; k < inner; k++) mark(b, from + k * columns);
    });
  },
  step: ({ index }, own, [x]) => each(own, (i) => mark(x, index[i] as number)),
  take: ({ index }, own, [x]) => each(own, (i) => mark(x, index[i] as number)),
  onehot: ({ shape }, own, [x]) => eachRow(own, shape.at(-1) as number, (row) => mark(x, row)),
  argmax: ({ axis }, own, [x]) => {
    const { shape } = x as Read;
    const inner = sizeOf(shape.slice(axis + 1));
    const count = shape[axis] as number;
    each(own, (i) => {
      const from = Math.floor(i / inner) * count * inner + (i % inner);
      for (let k = 0; k < count; k++) mark(x, from + k * inner);
    });
  },
  transpose: ({ perm, shape }, own, [x]) => {
    const strides = stridesOf((x as Read).shape);
    each(own, (i) =>
      mark(
        x,
        placeOf(shape, i, (at, axis) => at * (strides[perm[axis] as number] as number)),
      ),
    );
  },
  pad: ({ pads, shape }, own, [x]) => {
    const inside = (x as Read).shape;
    const strides = stridesOf(inside);
    each(own, (i) => {
      let out = false;
      const from = placeOf(shape, i, (at, axis) => {
        const within = at - (pads[axis] as number);
        out ||= within < 0 || within >= (inside[axis] as number);
        return within * (strides[axis] as number);
      });
      if (!out) mark(x, from);
    });
  },
  concat: ({ axis, shape }, own, reads) => {
    const inner = sizeOf(shape.slice(axis + 1));
    const whole = shape[axis] as number;
    let begin = 0;
    for (const read of reads) {
      const count = read.shape[axis] as number;
      for (let i = 0; i < read.needed.length; i++) {
        const outer = Math.floor(i / (count * inner));
        if (own[(outer * whole + begin) * inner + (i % (count * inner))] === 1) read.needed[i] = 1;
      }
      begin += count;
    }
  },
};

function mark(read: Read | undefined, index: number): void {
  (read as Read).needed[index] = 1;
}

function markRow(read: Read | undefined, row: number, length: number): void {
  (read as Read).needed.fill(1, row * length, (row + 1) * length);
}

/** Element i of the result needs element i of all that is read. */
function alike(_: Node, own: Uint8Array, reads: readonly Read[]): void {
  for (const read of reads) each(own, (i) => mark(read, i));
}

function each(own: Uint8Array, action: (index: number) => void): void {
  for (let i = own.indexOf(1); i >= 0; i = own.indexOf(1, i + 1)) action(i);
}

/** Rows of `length` elements in which one is needed. */
function eachRow(own: Uint8Array, length: number, action: (row: number) => void): void {
  for (let i = own.indexOf(1); i >= 0; i = own.indexOf(1, (Math.floor(i / length) + 1) * length))
    action(Math.floor(i / length));
}

/** The sum over all axes of what `part` makes of the element's index along each. */
function placeOf(shape: Shape, element: number, part: (at: number, axis: number) => number): number {
  let [place, rest] = [0, element];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const dim = shape[axis] as number;
    place += part(rest % dim, axis);
    rest = Math.floor(rest / dim);
  }
  return place;
}

/** Marks all that the windows touch in a channel. */
function eachTap(
  node: ConvNode | MaxPoolNode,
  read: Read | undefined,
  kernel: readonly [number, number],
  counts: (channel: number) => boolean = () => true,
): void {
  const { shape, needed } = read as Read;
  const [, channels, height, width] = shape as readonly [number, number, number, number];
  const reached = (axis: 0 | 1): Set<number> => {
    const taps = Array.from({ length: (node.shape[2 + axis] as number) * kernel[axis] }, (_, i) => i);
    const at = (i: number): number => Math.floor(i / kernel[axis]) * node.strides[axis] + (i % kernel[axis]) * node.dilations[axis]; // prettier-ignore
    return new Set(taps.map((i) => at(i) - node.pads[axis]));
  };
  const [ys, xs] = [reached(0), reached(1)];
  for (let c = 0, i = 0; c < channels; c++) {
    const used = counts(c);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++, i++) if (used && ys.has(y) && xs.has(x)) needed[i] = 1;
  }
}
