// Groups DQ -> op -> Q, op by op: the integer ops that onnxruntime's optimizer makes of them (com.microsoft's QLinear ops
// and QGemm, QLinearConv, QLinearMatMul), or the op itself on integers where it only moves them.
import { create } from "@bufbuild/protobuf";
import { quantizeLinear } from "../float32.ts";
import { type Attribute, type Node, NodeSchema } from "./gen/onnx_pb.ts";
import {
  constant,
  constantOf,
  dqOf,
  intAttribute,
  isDq,
  limits,
  made,
  MS,
  paramsOf,
  type Pass,
  perTensor,
  plainDomain,
  readersOf,
  sameParams,
  type Scaled,
  scaledOf,
  typeOf,
} from "./qdq-file.ts";

/** What the group becomes, yielding `y`; undefined if it is none that is known. */
type Fuse = (
  pass: Pass,
  op: Node,
  xs: readonly (Scaled | undefined)[],
  q: Scaled,
  y: string,
) => readonly Node[] | undefined;

/** Weights quantized per channel must be so along the op's own output channels. */
function alongAxis(weights: Scaled, axis: number): boolean {
  return (
    perTensor(weights) ||
    [axis, axis - (weights.node.input.length > 0 ? rankOf(weights) : 0)].includes(intAttribute(weights.node, "axis", 1))
  );
}
const ranks = new WeakMap<Node, number>();
function rankOf({ node }: Scaled): number {
  return ranks.get(node) ?? 0;
}

const unary = (opType: string, attributes?: (op: Node) => readonly Attribute[]): Fuse => {
  return (_, op, [x], q, y) => {
    if (x === undefined || !perTensor(x)) return undefined;
    return [made(op, opType, [x.x, ...paramsOf(x), ...paramsOf(q)], y, attributes?.(op), MS)];
  };
};

const binary = (opType: string): Fuse => {
  return (_, op, [a, b], q, y) => {
    if (a === undefined || b === undefined || !perTensor(a) || !perTensor(b)) return undefined;
    return [made(op, opType, [a.x, ...paramsOf(a), b.x, ...paramsOf(b), ...paramsOf(q)], y, [], MS)];
  };
};

/** Ops that move elements: the same on integers, where both sides stand for the same reals. */
const moving: Fuse = (pass, op, [x], q, y) => {
  if (x === undefined || op.output.length > 1) return undefined;
  if (sameParams(x, q)) return [made(op, op.opType, [x.x, ...op.input.slice(1)], y)];
  if (!perTensor(x)) return undefined;
  const between = `${y}/moved`;
  return [made(op, op.opType, [x.x, ...op.input.slice(1)], between), ...rescaled(pass, op, between, x, q, y)];
};

const float = (name: string, f: number): Attribute => ({ name, type: 1, f }) as Attribute;

/** x's integers at q's scale. */
function rescaled(_: Pass, op: Node, from: string, x: Scaled, q: Scaled, y: string): Node[] {
  if (sameParams(x, q)) return [made(op, "Identity", [from], y, [])];
  return [made(op, "QLinearLeakyRelu", [from, ...paramsOf(x), ...paramsOf(q)], y, [leakiness(1)], MS)];
}

function leakiness(alpha: number): Attribute {
  const node = create(NodeSchema, { attribute: [float("alpha", alpha)] });
  return node.attribute[0] as Attribute;
}

const FUSED: Readonly<Record<string, Fuse>> = {
  Conv: (pass, op, [x, w, b], q, y) => {
    if (x === undefined || w === undefined || !perTensor(x) || !alongAxis(w, 0)) return undefined;
    const bias = biasOf(pass, op, b, x, w);
    if (bias === undefined) return undefined;
    const inputs = [x.x, ...paramsOf(x), w.x, ...paramsOf(w), ...paramsOf(q), ...bias];
    return [made(op, "QLinearConv", inputs, y)];
  },
  MatMul: (_, op, [a, b], q, y) => {
    if (a === undefined || b === undefined || !perTensor(a) || !alongAxis(b, 1)) return undefined;
    return [made(op, "QLinearMatMul", [a.x, ...paramsOf(a), b.x, ...paramsOf(b), ...paramsOf(q)], y)];
  },
  Gemm: (pass, op, xs, q, y) => gemm(pass, op, xs, paramsOf(q), y),
  Add: binary("QLinearAdd"),
  Mul: binary("QLinearMul"),
  AveragePool: unary("QLinearAveragePool"),
  GlobalAveragePool: unary("QLinearGlobalAveragePool"),
  LeakyRelu: unary("QLinearLeakyRelu"),
  Relu: (pass, op, xs, q, y) => {
    const [x] = xs;
    if (x !== undefined && sameParams(x, q)) return clip(pass, op, q, x.x, y);
    return unary("QLinearLeakyRelu", () => [leakiness(0)])(pass, op, xs, q, y);
  },
  Sigmoid: unary("QLinearSigmoid"),
  Softmax: unary("QLinearSoftmax"),
  Concat: (_, op, xs, q, y) => {
    if (!xs.every((x) => x !== undefined && perTensor(x))) return undefined;
    const parts = (xs as readonly Scaled[]).flatMap((x) => [x.x, ...paramsOf(x)]);
    return [made(op, "QLinearConcat", [...paramsOf(q), ...parts], y, op.attribute, MS)];
  },
  Clip: (pass, op, [x], q, y) => {
    if (x === undefined || !perTensor(x)) return undefined;
    const between = `${y}/whole`;
    const clipped = clip(pass, op, q, between, y);
    return clipped && [...rescaled(pass, op, x.x, x, q, between), ...clipped];
  },
  Pad: (pass, op, [x], q, y) => {
    if (x === undefined || !sameParams(x, q)) return undefined;
    const given = op.input[2] ? constantOf(pass, op.input[2])?.data[0] : 0;
    if (given === undefined) return undefined;
    const [lo, hi] = limits(q);
    const value = quantizeLinear(given, q.scale.data[0] as number, q.zero?.data[0] ?? 0, lo, hi);
    const filler = constant(pass, `${y}/filler`, typeOf(q), [value]);
    return [made(op, "Pad", [x.x, op.input[1] ?? "", filler, ...op.input.slice(3)], y)];
  },
  ...Object.fromEntries(
    [
      "DepthToSpace",
      "Expand",
      "Flatten",
      "Gather",
      "Identity",
      "MaxPool",
      "Reshape",
      "Slice",
      "SpaceToDepth",
      "Squeeze",
      "Tile",
      "Transpose",
      "Unsqueeze",
    ].map((op) => [op, moving]),
  ),
};

/** [] without a bias, its int32 values' name, or undefined where it is something else. */
function biasOf(pass: Pass, op: Node, b: Scaled | undefined, x: Scaled, w: Scaled): readonly string[] | undefined {
  const name = op.input[2] ?? "";
  if (name === "") return [];
  if (b !== undefined) return constantOf(pass, b.x)?.type === "int32" && (b.zero?.data ?? []).every((z) => z === 0) ? [b.x] : undefined; // prettier-ignore
  const given = constantOf(pass, name);
  if (given?.type !== "float32") return undefined;
  // onnxruntime quantizes such a bias at the accumulators' scale.
  const values = Array.from(given.data, (v, i) => {
    const scale = Math.fround((x.scale.data[0] as number) * (w.scale.data[perTensor(w) ? 0 : i] as number));
    return quantizeLinear(v, scale, 0, -(2 ** 31), 2 ** 31 - 1);
  });
  return [constant(pass, `${name}/quantized`, "int32", values, [values.length])];
}

function gemm(
  pass: Pass,
  op: Node,
  [a, b, c]: readonly (Scaled | undefined)[],
  out: readonly string[],
  y: string,
): Node[] | undefined {
  if (a === undefined || b === undefined || !perTensor(a)) return undefined;
  if (!alongAxis(b, intAttribute(op, "transB", 0) === 1 ? 0 : 1)) return undefined;
  const beta = op.attribute.find(({ name }) => name === "beta")?.f ?? 1;
  const bias = biasOf(pass, op, c, a, b);
  if (bias === undefined || (bias.length > 0 && beta !== 1)) return undefined;
  const attributes = op.attribute.filter(({ name }) => name !== "beta");
  const inputs = [a.x, ...paramsOf(a), b.x, ...paramsOf(b), bias[0] ?? "", ...out];
  return [made(op, "QGemm", inputs, y, attributes, MS)];
}

/** Relu and Clip behind a group act on its integers: both are monotone, and so is rounding. */
function clip(pass: Pass, op: Node, q: Scaled, from: string, y: string): Node[] | undefined {
  const [lo, hi] = limits(q);
  const bound = (name: string | undefined): number | undefined =>
    name === undefined || name === "" ? undefined : constantOf(pass, name)?.data[0];
  const [low, high] = op.opType === "Relu" ? [0, undefined] : [bound(op.input[1]), bound(op.input[2])];
  if (op.opType === "Clip" && [1, 2].some((i) => (op.input[i] ?? "") !== "" && bound(op.input[i]) === undefined)) return undefined; // prettier-ignore
  const at = (real: number): number => quantizeLinear(real, q.scale.data[0] as number, q.zero?.data[0] ?? 0, lo, hi);
  const bounds = [low === undefined ? lo : at(low), high === undefined ? hi : at(high)];
  const [least, most] = bounds.map((v, i) => constant(pass, `${y}/${i === 0 ? "least" : "most"}`, typeOf(q), [v]));
  return [made(op, "Clip", [from, least as string, most as string], y, [])];
}

/** Finds the group that `node`, a QuantizeLinear, ends, and notes what takes its place. */
export function fuseGroup(pass: Pass, node: Node): void {
  const q = scaledOf(pass, node);
  if (q === undefined || !perTensor(q)) return;
  const y = node.output[0] as string;
  let op = pass.makers.get(q.x);
  const alone = (name: string): boolean => readersOf(pass, name).length === 1 && !pass.outputs.has(name);
  if (op === undefined || !plainDomain(op) || !alone(q.x)) return;
  let clipping: Node | undefined;
  const inner = op.opType === "Relu" || op.opType === "Clip" ? pass.makers.get(op.input[0] ?? "") : undefined;
  if (inner !== undefined && !isDq(inner) && alone(op.input[0] as string)) [clipping, op] = [op, inner];
  if (isDq(op)) {
    const x = scaledOf(pass, op);
    if (x !== undefined && perTensor(x)) pass.instead.set(node, rescaled(pass, node, x.x, x, q, y));
    return;
  }
  const fuse = plainDomain(op) && Object.hasOwn(FUSED, op.opType) ? FUSED[op.opType] : undefined;
  if (fuse === undefined) return;
  const xs = op.input.map((name) => dqOf(pass, name));
  for (const x of xs) if (x !== undefined) ranks.set(x.node, constantOf(pass, x.x)?.shape.length ?? 0);
  const whole = clipping === undefined ? y : `${y}/whole`;
  const last = clipping === undefined ? [] : clip(pass, clipping, q, whole, y);
  const group = last && fuse(pass, op, xs, q, whole);
  if (group !== undefined && last !== undefined) pass.instead.set(node, [...group, ...last]);
}

/** Products of quantized tensors that nothing quantizes again: sums of integers, then their scale. */
export function fuseOpen(pass: Pass, op: Node): void {
  if (!plainDomain(op) || (op.opType !== "Gemm" && op.opType !== "MatMul")) return;
  const xs = op.input.map((name) => dqOf(pass, name));
  const [a, b] = xs;
  if (a === undefined || b === undefined || constantOf(pass, b.x) === undefined) return;
  ranks.set(b.node, constantOf(pass, b.x)?.shape.length ?? 0);
  const y = op.output[0] as string;
  if (op.opType === "Gemm") {
    const fused = gemm(pass, op, xs, [], y);
    if (fused !== undefined) pass.instead.set(op, fused);
    return;
  }
  if (!perTensor(a) || !alongAxis(b, 1)) return;
  const scale = Array.from(b.scale.data, (s) => Math.fround((a.scale.data[0] as number) * s));
  const [sum, real] = [`${y}/sum`, `${y}/real`];
  const to = create(NodeSchema, { attribute: [{ name: "to", type: 2, i: 1n }] }).attribute;
  pass.instead.set(op, [
    made(op, "MatMulInteger", [a.x, b.x, a.names[1], b.names[1]], sum),
    made(op, "Cast", [sum], real, to),
    made(
      op,
      "Mul",
      [real, constant(pass, `${y}/scale`, "float32", scale, scale.length === 1 ? [] : [scale.length])],
      y,
    ),
  ]);
}
