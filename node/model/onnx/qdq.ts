// Models between QuantizeLinear and DequantizeLinear, as most exporters write them: a group DQ -> op -> Q becomes the
// integer op that onnxruntime's optimizer makes of it, and the ends of the model become integers. Works on the file's own
// nodes, before they are lowered; what it does not know stays as it is.
import { create } from "@bufbuild/protobuf";
import { exponentOf, pow2 } from "../binary.ts";
import type { FloatInput } from "../graph.ts";
import type { CheckedInput, CheckedModel } from "./check.ts";
import type { Budget } from "./constant.ts";
import { type Node, NodeSchema } from "./gen/onnx_pb.ts";
import { quote } from "./problems.ts";
import {
  constantOf,
  isDq,
  isQ,
  made,
  type Pass,
  perTensor,
  plainDomain,
  readersOf,
  sameParams,
  type Scaled,
  scaledOf,
  typeOf,
} from "./qdq-file.ts";
import { fuseGroup, fuseOpen } from "./qdq-groups.ts";

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
