// Models between QuantizeLinear and DequantizeLinear, as most exporters write them: a group DQ -> op -> Q becomes the
// integer op that onnxruntime's optimizer makes of it, and the ends of the model become integers. Works on the file's own
// nodes, before they are lowered; what it does not know stays as it is.
import { create } from "@bufbuild/protobuf";
import { exponentOf, pow2 } from "../binary.ts";
import { quantizeLinear } from "../float32.ts";
import type { FloatInput } from "../graph.ts";
import type { CheckedInput, CheckedModel } from "./check.ts";
import { type Budget, type Constant, elemTypeOf, integerRange, readTensor } from "./constant.ts";
import { type Attribute, type Node, NodeSchema, type Tensor, TensorSchema } from "./gen/onnx_pb.ts";
import { isDefaultDomain } from "./nodes.ts";
import { quote, Refusal } from "./problems.ts";

/** A DequantizeLinear or QuantizeLinear: names of what it reads and yields, and its constants. */
interface Scaled {
  readonly node: Node;
  readonly x: string;
  readonly names: readonly [scale: string, zero: string];
  readonly scale: Constant;
  readonly zero: Constant | undefined;
}

interface Pass {
  readonly budget: Budget;
  /** By what they yield. */
  readonly makers: Map<string, Node>;
  readonly readers: ReadonlyMap<string, readonly Node[]>;
  readonly outputs: ReadonlySet<string>;
  readonly initializers: Map<string, Tensor>;
  /** What takes a node's place, in this order; other nodes stay. */
  readonly instead: Map<Node, readonly Node[]>;
  readonly notices: string[];
}

const MS = "com.microsoft";

/** @returns the model with its groups fused; the same one if it has no Q and no DQ */
export function fuseQuantized(model: CheckedModel, budget: Budget): CheckedModel {
  if (!model.nodes.some((node) => isQ(node) || isDq(node))) return model;
  const readers = Map.groupBy(
    model.nodes.flatMap((node) => [...new Set(node.input)].map((name) => ({ name, node }))),
    ({ name }) => name,
  );
  const makers = new Map(model.nodes.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const initializers = new Map(model.initializers);
  const pass: Pass = {
    budget,
    makers,
    readers: new Map([...readers].map(([name, list]) => [name, list.map(({ node }) => node)])),
    outputs: new Set(model.outputs.map(({ name }) => name)),
    initializers,
    instead: new Map(),
    notices: [],
  };
  for (const node of model.nodes) if (isQ(node)) fuseGroup(pass, node);
  for (const node of model.nodes) fuseOpen(pass, node);
  const inputs = model.inputs.map((input) => quantizedInput(pass, input));
  const idle = idleNodes(pass, model.nodes);
  for (const node of model.nodes) if (isDq(node) && !idle.has(node)) bareEnd(pass, node, idle);
  const nodes = model.nodes.flatMap((node) => pass.instead.get(node) ?? [node]);
  const live = liveNodes(nodes, model.outputs.map(({ name }) => name)); // prettier-ignore
  return { ...model, inputs, nodes: live, initializers, notices: [...model.notices, ...pass.notices] };
}

function readersOf({ readers }: Pass, name: string): readonly Node[] {
  return readers.get(name) ?? [];
}

/** Nodes that nothing needs any more: those with something in their place, and those that only feed such. */
function idleNodes(pass: Pass, nodes: readonly Node[]): ReadonlySet<Node> {
  const idle = new Set<Node>(pass.instead.keys());
  for (const node of nodes.toReversed()) {
    const readers = node.output.flatMap((name) => readersOf(pass, name));
    if (node.output.some((name) => pass.outputs.has(name)) || readers.length === 0) continue;
    if (readers.every((reader) => idle.has(reader))) idle.add(node);
  }
  return idle;
}

function liveNodes(nodes: readonly Node[], outputs: readonly string[]): Node[] {
  const needed = new Set(outputs);
  const live = nodes.toReversed().filter((node) => {
    if (!node.output.some((name) => needed.has(name))) return false;
    for (const name of node.input) needed.add(name);
    return true;
  });
  return live.reverse();
}

const plainDomain = (node: Node): boolean => isDefaultDomain(node.domain);
const isQ = (node: Node): boolean => node.opType === "QuantizeLinear" && (plainDomain(node) || node.domain === MS);
const isDq = (node: Node): boolean => node.opType === "DequantizeLinear" && (plainDomain(node) || node.domain === MS);

/** A constant of the file, by its name; undefined if it is none or cannot be read (its rule says why). */
function constantOf({ initializers, makers, budget }: Pass, name: string): Constant | undefined {
  const maker = makers.get(name);
  const stored = maker?.opType === "Constant" ? maker.attribute.find((a) => a.name === "value")?.t : undefined;
  const tensor = initializers.get(name) ?? stored;
  if (tensor === undefined) return undefined;
  try {
    return readTensor(tensor, budget, "it");
  } catch (thrown) {
    if (thrown instanceof Refusal) return undefined;
    throw thrown;
  }
}

function scaledOf(pass: Pass, node: Node | undefined): Scaled | undefined {
  if (node === undefined || intAttribute(node, "block_size", 0) !== 0) return undefined;
  const [x = "", scaleName = "", zeroName = ""] = node.input;
  const [scale, zero] = [constantOf(pass, scaleName), constantOf(pass, zeroName)];
  if (scale?.type !== "float32" || (zeroName !== "" && zero === undefined)) return undefined;
  if (!scale.data.every((s) => s > 0 && s < Infinity)) return undefined; // The op's own rule says what is wrong.
  return { node, x, names: [scaleName, zeroName], scale, zero };
}

function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attribute.find((a) => a.name === name);
  return attribute === undefined ? fallback : Number(attribute.i);
}

const perTensor = (scaled: Scaled): boolean => scaled.scale.data.length === 1;

/** The DequantizeLinear that makes `name`. */
function dqOf(pass: Pass, name: string | undefined): Scaled | undefined {
  const maker = name === undefined ? undefined : pass.makers.get(name);
  return maker !== undefined && isDq(maker) ? scaledOf(pass, maker) : undefined;
}

function sameParams(a: Scaled, b: Scaled): boolean {
  const same = (p: Constant | undefined, q: Constant | undefined): boolean =>
    (p?.data[0] ?? 0) === (q?.data[0] ?? 0) && (p?.type ?? "uint8") === (q?.type ?? "uint8");
  return perTensor(a) && perTensor(b) && a.scale.data[0] === b.scale.data[0] && same(a.zero, b.zero);
}

function made(
  like: Node,
  opType: string,
  input: readonly string[],
  output: string,
  attribute: readonly Attribute[] = like.attribute,
  domain = "",
): Node {
  return create(NodeSchema, {
    name: like.name,
    opType,
    domain,
    input: [...input],
    output: [output],
    attribute: [...attribute],
  });
}

/** An initializer of one value, under a name of its own. */
function constant(
  pass: Pass,
  name: string,
  type: Constant["type"],
  values: readonly number[],
  dims: readonly number[] = [],
): string {
  let free = name;
  for (let k = 2; pass.initializers.has(free) || pass.makers.has(free); k++) free = `${name}#${k}`;
  const dataType = [1, 2, 3, 4, 5, 6].find((code) => elemTypeOf(code, name) === type) as number;
  const list = type === "float32" ? { floatData: [...values] } : { int32Data: [...values] };
  pass.initializers.set(free, create(TensorSchema, { name: free, dims: dims.map(BigInt), dataType, ...list }));
  return free;
}

const paramsOf = (scaled: Scaled): readonly string[] => scaled.names;

// ---- groups ----

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
  Relu: unary("QLinearLeakyRelu", () => [leakiness(0)]),
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

function typeOf(scaled: Scaled): Constant["type"] {
  const named = intAttribute(scaled.node, "output_dtype", 0);
  return scaled.zero?.type ?? (named === 0 ? "uint8" : elemTypeOf(named, "it"));
}

function limits(q: Scaled): readonly [number, number] {
  return integerRange(typeOf(q)) ?? [0, 255];
}

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

function fuseGroup(pass: Pass, node: Node): void {
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
function fuseOpen(pass: Pass, op: Node): void {
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

// ---- ends ----

function text({ scale, zero }: Scaled): string {
  const shift = zero?.data[0] ?? 0;
  return `(q ${shift < 0 ? "+" : "-"} ${Math.abs(shift)}) * ${scale.data[0]}`;
}

const isPower = (scale: number): boolean => scale === pow2(exponentOf(scale));

/** A real input that is quantized at once: its integers are the model's input, or its reals at that power of two. */
function quantizedInput(pass: Pass, input: CheckedInput): CheckedInput {
  if (input.elemType !== "float32") return input;
  const readers = readersOf(pass, input.name);
  const scaled = readers.map((node) => (isQ(node) ? scaledOf(pass, node) : undefined));
  const [first] = scaled;
  if (first === undefined || pass.outputs.has(input.name)) return input;
  if (!scaled.every((q) => q !== undefined && sameParams(q, first))) return input;
  const elemType = typeOf(first) as FloatInput["elemType"];
  const scale = first.scale.data[0] as number;
  if (isPower(scale) && (first.zero?.data[0] ?? 0) === 0) return { ...input, elemType, exponent: exponentOf(scale) };
  for (const node of readers) pass.instead.set(node, [made(node, "Identity", [input.name], node.output[0] as string, [])]); // prettier-ignore
  pass.notices.push(
    `the input ${quote(input.name)} is the integers that the model itself makes of it, ${elemType}: an integer q stands for ${text(first)}`,
  );
  return { ...input, elemType };
}

/** Behind which an output's reals are still one scale times integers. */
const ENDS = /^(Softmax|LogSoftmax|ArgMax|Reshape|Flatten|Transpose|Squeeze|Unsqueeze|Identity)$/;

/** A DequantizeLinear that only leads out of the model leaves the integers as they are. */
function bareEnd(pass: Pass, node: Node, idle: ReadonlySet<Node>): void {
  const scaled = scaledOf(pass, node);
  if (scaled === undefined || !perTensor(scaled)) return;
  if (constantOf(pass, scaled.x) !== undefined) return;
  const reached: string[] = [];
  for (const names = [node.output[0] as string]; names.length > 0;) {
    const name = names.pop() as string;
    if (pass.outputs.has(name)) reached.push(name);
    const open = readersOf(pass, name).filter((reader) => !idle.has(reader));
    if (!open.every((reader) => plainDomain(reader) && ENDS.test(reader.opType))) return;
    names.push(...open.flatMap((reader) => reader.output));
  }
  if (reached.length === 0) return;
  const scale = scaled.scale.data[0] as number;
  if (isPower(scale) && (scaled.zero?.data[0] ?? 0) === 0) return;
  const to = create(NodeSchema, { attribute: [{ name: "to", type: 2, i: 1n }] }).attribute;
  pass.instead.set(node, [made(node, "Cast", [scaled.x], node.output[0] as string, to)]);
  pass.notices.push(
    `the output ${reached.map(quote).join(", ")} is the model's own integers: an integer q stands for ${text(scaled)}`,
  );
}
