// Convolutions whose sums float32 cannot hold. onnxruntime has no Conv in float64 on the CPU, so weights (and, where a single
// product is too large, weights and input digit by digit) are split into pieces whose sums all stay below 2^24. Each piece
// is a float32 Conv; pieces and bias meet in float64.
import { NodeError } from "../core/errors.ts";
import type { ConvNode } from "./ir.ts";
import { castTo } from "./onnx-writer.ts";
import type { Attributes, OnnxWriter } from "./onnx-writer.ts";
import { DOUBLE_LIMIT, reach } from "./range.ts";
import type { Bounds } from "./range.ts";

/** Integers up to here are exact in float32. */
export const FLOAT_LIMIT = 2 ** 24;

/** Digits of inputs are below 2^12 and digits of weights below 2^11 (in absolute value): their products fit. */
const [INPUT_BASE, WEIGHT_BASE] = [2 ** 12, 2 ** 11];

export function convAttributes({ weightShape, strides, pads, dilations, group }: ConvNode): Attributes {
  return { kernel_shape: weightShape.slice(2), strides, pads, dilations, group };
}

/** A part of the input: a float32 tensor, its weight in the whole, and its largest absolute value in each channel. */
interface Part {
  readonly name: string;
  readonly unit: number;
  readonly widest: readonly number[];
}

/** x is in float64. Returns the type of the tensor `name` that it writes. */
export function convInPieces(
  writer: OnnxWriter,
  node: ConvNode,
  x: { readonly name: string; readonly bounds: Bounds },
  name: string,
): "float64" {
  const channels = node.weightShape[1] * node.group;
  const area = x.bounds.lo.length / channels;
  const widest = Array.from({ length: channels }, (_, c) =>
    reach({ lo: x.bounds.lo.subarray(c * area, (c + 1) * area), hi: x.bounds.hi.subarray(c * area, (c + 1) * area) }),
  );
  const heaviest = node.weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  const most = Math.max(...widest);
  const whole = most <= FLOAT_LIMIT && most * heaviest < FLOAT_LIMIT;
  const parts: readonly Part[] = whole
    ? [{ name: writer.op("Cast", [x.name], writer.fresh(`${name}.input`), castTo("float32")), unit: 1, widest }]
    : inputDigits(writer, node, x.name, most, name);
  const digits = whole ? [{ weights: node.weights, unit: 1 }] : weightDigits(node.weights);
  const terms = parts.flatMap((part) =>
    digits.flatMap(({ weights, unit }) =>
      piecesOf(node, weights, part.widest).map((piece) => {
        const constant = writer.constant(`${name}.weights`, "float32", node.weightShape, piece);
        const sum = writer.op("Conv", [part.name, constant], writer.fresh(`${name}.piece`), convAttributes(node));
        const wide = writer.op("Cast", [sum], writer.fresh(`${name}.wide`), castTo("float64"));
        return times(writer, wide, part.unit * unit, name);
      }),
    ),
  );
  const shape = node.bias.length === node.weightShape[0] ? [1, node.bias.length, 1, 1] : node.shape;
  writer.op("Sum", [...terms, writer.constant(`${name}.bias`, "float64", shape, node.bias)], name);
  return "float64";
}

function times(writer: OnnxWriter, x: string, factor: number, name: string): string {
  if (factor === 1) return x;
  return writer.op("Mul", [x, writer.constant(`${name}.unit`, "float64", [], [factor])], writer.fresh(`${name}.term`));
}

/** x = low + 2^12 * (next + 2^12 * ..): digits from 0 to 2^12 - 1, the highest of either sign. */
function inputDigits(writer: OnnxWriter, node: ConvNode, x: string, most: number, name: string): Part[] {
  const channels = node.weightShape[1] * node.group;
  const count = node.weights.length / node.weightShape[0];
  let heaviest = 0;
  for (let m = 0; m < node.weightShape[0]; m++) {
    const row = node.weights.subarray(m * count, (m + 1) * count);
    heaviest = Math.max(
      heaviest,
      row.reduce((sum, weight) => sum + Math.abs(weight), 0),
    );
  }
  // A negative value's digits add up to less than its absolute value plus twice the base, and their sums with them.
  if (!((most + 2 * INPUT_BASE) * heaviest < DOUBLE_LIMIT / 2)) {
    throw new NodeError("unsupported", `convolution "${node.name}" has sums too near to 2^53 to be computed in parts`, {
      mend: "Declare a narrower input type, or use narrower weights.",
      facts: { node: node.name },
    });
  }
  const float = (wide: string): string => writer.op("Cast", [wide], writer.fresh(`${name}.digit`), castTo("float32"));
  const parts: Part[] = [];
  let [rest, left, unit] = [x, most, 1];
  while (left >= INPUT_BASE) {
    const scaled = times(writer, rest, 1 / INPUT_BASE, name);
    const higher = writer.op("Floor", [scaled], writer.fresh(`${name}.higher`));
    const lower = writer.op("Add", [rest, times(writer, higher, -INPUT_BASE, name)], writer.fresh(`${name}.lower`));
    parts.push({ name: float(lower), unit, widest: new Array<number>(channels).fill(INPUT_BASE - 1) });
    [rest, left, unit] = [higher, Math.ceil(left / INPUT_BASE), unit * INPUT_BASE];
  }
  parts.push({ name: float(rest), unit, widest: new Array<number>(channels).fill(left) });
  return parts;
}

/** weights = sum of digits * unit; the digits of a weight have its sign. */
function weightDigits(weights: Int32Array): { readonly weights: Int32Array; readonly unit: number }[] {
  const digits: { weights: Int32Array; unit: number }[] = [];
  let [rest, unit] = [weights, 1];
  do {
    digits.push({ weights: rest.map((weight) => weight % WEIGHT_BASE), unit });
    rest = rest.map((weight) => Math.trunc(weight / WEIGHT_BASE));
    unit *= WEIGHT_BASE;
  } while (rest.some((weight) => weight !== 0));
  return digits;
}

/** Weights masked to consecutive (input channel, kernel position) places, as many to a piece as float32 allows. */
function piecesOf(node: ConvNode, weights: Int32Array, widest: readonly number[]): Int32Array[] {
  const [m, depth, kh, kw] = node.weightShape;
  const places = depth * kh * kw;
  const pieces: Int32Array[] = [];
  let sums = new Float64Array(m).fill(FLOAT_LIMIT);
  for (let place = 0; place < places; place++) {
    const adds = sums.map((_, c) => {
      const from = Math.floor((c * node.group) / m) * depth + Math.floor(place / (kh * kw));
      return Math.abs(weights[c * places + place] as number) * (widest[from] as number);
    });
    if (adds.some((add, c) => (sums[c] as number) + add >= FLOAT_LIMIT)) {
      pieces.push(new Int32Array(weights.length));
      sums = new Float64Array(m);
    }
    const piece = pieces[pieces.length - 1] as Int32Array;
    for (let c = 0; c < m; c++) {
      piece[c * places + place] = weights[c * places + place] as number;
      sums[c] = (sums[c] as number) + (adds[c] as number);
    }
  }
  return pieces;
}
