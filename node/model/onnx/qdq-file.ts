// A quantized model's file while its groups are fused: who makes and who reads a name, and what each QuantizeLinear and
// DequantizeLinear says. Knows no op but those two.
import { create } from "@bufbuild/protobuf";
import { type Budget, type Constant, elemTypeOf, integerRange, readTensor } from "./constant.ts";
import { type Attribute, type Node, NodeSchema, type Tensor, TensorSchema } from "./gen/onnx_pb.ts";
import { isDefaultDomain } from "./nodes.ts";
import { Refusal } from "./problems.ts";

/** A DequantizeLinear or QuantizeLinear: names of what it reads and yields, and its constants. */
export interface Scaled {
  readonly node: Node;
  readonly x: string;
  readonly names: readonly [scale: string, zero: string];
  readonly scale: Constant;
  readonly zero: Constant | undefined;
}

export interface Pass {
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

export const MS = "com.microsoft";

export function readersOf({ readers }: Pass, name: string): readonly Node[] {
  return readers.get(name) ?? [];
}

export const plainDomain = (node: Node): boolean => isDefaultDomain(node.domain);
export const isQ = (node: Node): boolean =>
  node.opType === "QuantizeLinear" && (plainDomain(node) || node.domain === MS);
export const isDq = (node: Node): boolean =>
  node.opType === "DequantizeLinear" && (plainDomain(node) || node.domain === MS);

/** A constant of the file, by its name; undefined if it is none or cannot be read (its rule says why). */
export function constantOf({ initializers, makers, budget }: Pass, name: string): Constant | undefined {
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

export function scaledOf(pass: Pass, node: Node | undefined): Scaled | undefined {
  if (node === undefined || intAttribute(node, "block_size", 0) !== 0) return undefined;
  const [x = "", scaleName = "", zeroName = ""] = node.input;
  const [scale, zero] = [constantOf(pass, scaleName), constantOf(pass, zeroName)];
  if (scale?.type !== "float32" || (zeroName !== "" && zero === undefined)) return undefined;
  if (!scale.data.every((s) => s > 0 && s < Infinity)) return undefined; // The op's own rule says what is wrong.
  return { node, x, names: [scaleName, zeroName], scale, zero };
}

export function intAttribute(node: Node, name: string, fallback: number): number {
  const attribute = node.attribute.find((a) => a.name === name);
  return attribute === undefined ? fallback : Number(attribute.i);
}

export const perTensor = (scaled: Scaled): boolean => scaled.scale.data.length === 1;

/** The DequantizeLinear that makes `name`. */
export function dqOf(pass: Pass, name: string | undefined): Scaled | undefined {
  const maker = name === undefined ? undefined : pass.makers.get(name);
  return maker !== undefined && isDq(maker) ? scaledOf(pass, maker) : undefined;
}

export function sameParams(a: Scaled, b: Scaled): boolean {
  const same = (p: Constant | undefined, q: Constant | undefined): boolean =>
    (p?.data[0] ?? 0) === (q?.data[0] ?? 0) && (p?.type ?? "uint8") === (q?.type ?? "uint8");
  return perTensor(a) && perTensor(b) && a.scale.data[0] === b.scale.data[0] && same(a.zero, b.zero);
}

export function made(
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
export function constant(
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

export const paramsOf = (scaled: Scaled): readonly string[] => scaled.names;

export function typeOf(scaled: Scaled): Constant["type"] {
  const named = intAttribute(scaled.node, "output_dtype", 0);
  return scaled.zero?.type ?? (named === 0 ? "uint8" : elemTypeOf(named, "it"));
}

export function limits(q: Scaled): readonly [number, number] {
  return integerRange(typeOf(q)) ?? [0, 255];
}
