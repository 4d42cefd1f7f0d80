// The integer graph as text, one line per node, for people and for diffs: the same graph gives the same text. Weights are
// shown by their range and a digest; the ONNX file holds them.
import { createHash } from "node:crypto";
import { typeName } from "../core/tensor.ts";
import type { BorderTensor } from "../core/tensor.ts";
import type { Graph, NodeOf, Op, Rules } from "./ir.ts";
import { readsOf } from "./ir.ts";

export function printGraph(graph: Graph): string {
  const lines = graph.nodes.map((node, ref) => {
    const reads = readsOf(node).map((read) => `%${read}`);
    const details = (DETAILS[node.op] as Detail<Op>)(node);
    return `%${ref} = ${node.op}(${reads.join(", ")}) [${node.shape.join("x")}] "${node.name}"${details === "" ? "" : `  ${details}`}`;
  });
  const outputs = graph.outputs.map((output) => `output %${output.ref}  ${border(output.border)}`);
  return [...lines, ...outputs, ""].join("\n");
}

type Detail<K extends Op> = (node: NodeOf<K>) => string;

const DETAILS: Rules<{ readonly [K in Op]: Detail<K> }> = {
  input: (node) => border(node.border),
  dense: ({ weights, bias }) => `weights ${numbers(weights)} bias ${numbers(bias)}`,
  conv: (node) =>
    `weights ${node.weightShape.join("x")} ${numbers(node.weights)} bias ${numbers(node.bias)}${windowed(node)} group ${node.group}`,
  affine: ({ factor, bias }) => `factor ${numbers(factor)} bias ${numbers(bias)}`,
  sum: ({ factors }) => `factors ${factors.join(",")}`,
  rescale: ({ multiplier, shift, axis, lo, hi, ties }) =>
    `* ${runs(multiplier)} >> ${runs(shift)}${along(axis, multiplier.length)}${ties === "even" ? " ties to even" : ""} clamp ${lo}..${hi}`,
  max: () => "",
  maxpool: (node) => `kernel ${node.kernel.join("x")}${windowed(node)}`,
  argmax: ({ axis }) => `axis ${axis}`,
  reshape: () => "",
  transpose: ({ perm }) => `perm ${perm.join(",")}`,
  pad: ({ pads, value }) => `pads ${pads.join(",")} value ${value}`,
  concat: ({ axis }) => `axis ${axis}`,
  mul: () => "",
  matmul: () => "",
  div: () => "",
  sqrt: () => "",
  lookup: ({ axis, first, length, table }) =>
    `table from ${first} ${numbers(table)}${along(axis, table.length / length)}`,
  step: ({ index, threshold }) => `places ${numbers(index)} thresholds ${numbers(threshold)}`,
  iszero: () => "",
  onehot: () => "",
  select: () => "",
  take: ({ index }) => `places ${numbers(index)}`,
};

function border({ name, type, exponent }: BorderTensor): string {
  return `${typeName(type)} * 2^${exponent} "${name}"`;
}

function along(axis: number, count: number): string {
  return count > 1 ? ` along axis ${axis}` : "";
}

function windowed(node: NodeOf<"conv" | "maxpool">): string {
  const { strides, pads, dilations } = node;
  return ` strides ${strides.join(",")} pads ${pads.join(",")} dilations ${dilations.join(",")}`;
}

/** Count, range and the first 8 hex digits of the SHA-256 of their decimal spelling. */
function numbers(values: Int32Array | Float64Array): string {
  if (values.length === 1) return String(values[0]);
  const list = Array.from(values);
  const [least, most] = list.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
  const digest = createHash("sha256").update(list.join(",")).digest("hex").slice(0, 8);
  return `[${list.length}: ${least}..${most} #${digest}]`;
}

/** 5,5,5,7 as 5x3,7. */
function runs(values: readonly number[]): string {
  const parts: { value: number; count: number }[] = [];
  for (const value of values) {
    const last = parts[parts.length - 1];
    if (last?.value === value) last.count++;
    else parts.push({ value, count: 1 });
  }
  return parts.map(({ value, count }) => (count > 1 ? `${value}x${count}` : String(value))).join(",");
}
