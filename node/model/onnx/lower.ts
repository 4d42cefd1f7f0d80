// A checked model -> the float graph, one ONNX node after the other by the rules of ops.ts. All refusals are gathered; a
// value that could not be made is passed on as broken, so that each fault is told once.
import { type FloatGraph, type FloatNode, type FloatOutput } from "../graph.ts";
import type { CheckedModel, CheckedOutput } from "./check.ts";
import { type Budget, MAX_RANK, readTensor } from "./constant.ts";
import { type Activation, affine, type Draft, emit, type Value } from "./draft.ts";
import type { Node } from "./gen/onnx_pb.ts";
import { checkNode, titleOf } from "./nodes.ts";
import { gather, type Problem, quote, throwIfAny, unsupported } from "./problems.ts";
import type { Site } from "./site.ts";

type Values = Map<string, Value | "broken">;

/** Lowers a node by its op's rule; undefined if there was a problem, here or before. */
function lowerNode(
  node: Node,
  opset: number,
  values: Values,
  draft: Draft,
  problems: Problem[],
): readonly (Value | undefined)[] | undefined {
  const checked = checkNode(node, opset, problems);
  const inputs = node.input.map((name) => (name === "" ? undefined : values.get(name)));
  if (checked === undefined || inputs.includes("broken")) return undefined;
  const { rule, attributes } = checked;
  const site: Site = {
    op: node.opType,
    name: node.name || (node.output[0] ?? ""),
    opset,
    inputs: inputs as (Value | undefined)[],
    outputs: node.output,
    attributes,
    draft,
  };
  return gather(problems, titleOf(node), () => {
    const lowered = rule.lower(site);
    const yielded = "kind" in lowered ? [lowered] : lowered;
    for (const value of yielded) {
      const rank = value?.shape.length ?? 0;
      if (rank > MAX_RANK) unsupported(`it yields ${rank} dimensions, more than ${MAX_RANK}`, "Flatten some.");
    }
    return yielded;
  });
}

/** The initializers that the nodes (or the output) read. */
function readInitializers(model: CheckedModel, values: Values, budget: Budget, problems: Problem[]): void {
  for (const name of [...model.outputs.map((output) => output.name), ...model.nodes.flatMap((node) => node.input)]) {
    const tensor = model.initializers.get(name);
    if (tensor === undefined || values.has(name)) continue;
    const value = gather(problems, `initializer ${quote(name)}`, () => readTensor(tensor, budget, "it"));
    values.set(name, value ?? "broken");
  }
}

function checkShape({ name, shape }: CheckedOutput, output: Activation, draft: Draft): void {
  const odd = shape?.length !== output.shape.length || shape.some((d, i) => d !== undefined && d !== output.shape[i]);
  if (shape === undefined || !odd) return;
  const text = shape.map((dim) => dim ?? "?").join(", ");
  draft.notices.push(`the output ${quote(name)} is declared as [${text}] but is [${output.shape.join(", ")}]`);
}

/** A tensor without the softmax that ends it, if one does, transposed or not: that is left to the reader of the answer. */
function withoutSoftmax(draft: Draft, ref: number): Omit<FloatOutput, "name"> {
  const turns: Extract<FloatNode, { op: "transpose" }>[] = [];
  for (let at = ref; ;) {
    const node = draft.nodes[at] as FloatNode;
    // LightGBM's exporter multiplies by 1.
    const idle = node.op === "affine" && node.factor.every((v) => v === 1) && node.bias.every((v) => v === 0);
    if (node.op === "softmax") {
      const kind = node.log ? "logsoftmax" : "softmax";
      const scores = { ref: node.x, finalSoftmax: { kind, axis: node.shape.length - 1 } } as const;
      return turns.reduceRight((output, turn) => turned(draft, output, turn), scores);
    }
    if (node.op === "transpose") turns.push(node);
    else if (!idle) return { ref };
    at = node.x;
  }
}

type Scores = Required<Omit<FloatOutput, "name">>;

function turned(draft: Draft, { ref: x, finalSoftmax }: Scores, turn: Extract<FloatNode, { op: "transpose" }>): Scores {
  const axis = turn.perm.indexOf(finalSoftmax.axis);
  return { ref: emit(draft, { ...turn, x }), finalSoftmax: { ...finalSoftmax, axis } };
}

/** A truth value that comes in may be any byte: 0 is false, every other one is true. */
function truth(draft: Draft, name: string, { ref: x, shape, type }: Activation): Activation {
  const ref = emit(draft, { op: "compare", x, relation: "zero", shape, name: `${name}/false` });
  return affine(draft, `${name}/true`, { kind: "activation", ref, shape, type }, -1, 1);
}

/** @throws NodeError that lists all problems of the model's nodes */
export function lower(model: CheckedModel, budget: Budget): FloatGraph {
  const problems: Problem[] = [];
  const nodes: FloatNode[] = [];
  const draft: Draft = { nodes, names: new Map(), budget, notices: [...model.notices] };
  const values: Values = new Map();
  for (const input of model.inputs) {
    const { name, shape, elemType, exponent } = input;
    const ref = gather(problems, `input ${quote(name)}`, () => emit(draft, { op: "input", ...input }));
    const type = exponent === undefined ? elemType : "float32";
    values.set(name, ref === undefined ? "broken" : { kind: "activation", ref, shape, type });
  }
  throwIfAny(problems);
  for (const [name, value] of values) {
    if (value !== "broken" && value.kind === "activation" && value.type === "bool")
      values.set(name, truth(draft, name, value));
  }
  readInitializers(model, values, budget, problems);
  const extra = new Map<string, string>();
  for (const node of model.nodes) {
    for (const read of node.input) {
      const place = extra.get(read);
      if (place === undefined || values.has(read)) continue;
      const why = `it reads ${quote(read)}, ${place}`;
      problems.push({ code: "unsupported", where: titleOf(node), why, mend: "This output is not read." });
      values.set(read, "broken");
    }
    const yielded = lowerNode(node, model.opset, values, draft, problems);
    node.output.forEach((output, i) => {
      const value = yielded === undefined ? "broken" : yielded[i];
      if (output === "") return;
      if (value !== undefined) values.set(output, value);
      else extra.set(output, `output ${i} of ${titleOf(node)}`);
    });
  }
  throwIfAny(problems);
  const outputs = model.outputs.map((output) =>
    gather(problems, `output ${quote(output.name)}`, (): FloatOutput => {
      const value = values.get(output.name);
      if (value === undefined || value === "broken")
        return unsupported(`it is ${extra.get(output.name) ?? "not made"}`, "Take it out of the model's outputs.");
      if (value.kind === "constant")
        return unsupported("it does not depend on the model's inputs", "Take it out of the model's outputs.");
      checkShape(output, value, draft);
      return { name: output.name, ...withoutSoftmax(draft, value.ref) };
    }),
  );
  throwIfAny(problems);
  return { nodes, outputs: outputs as FloatOutput[], notices: draft.notices };
}
