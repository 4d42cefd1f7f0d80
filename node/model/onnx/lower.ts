// A checked model -> the float graph, one ONNX node after the other by the rules of ops.ts. All refusals are gathered; a
// value that could not be made is passed on as broken, so that each fault is told once.
import { type FloatGraph, type FloatNode } from "../graph.ts";
import type { CheckedModel } from "./check.ts";
import { type Budget, MAX_RANK, readTensor } from "./constant.ts";
import { type Activation, type Draft, emit, reshape, type Value } from "./draft.ts";
import type { Node } from "./gen/onnx_pb.ts";
import { checkNode, titleOf } from "./nodes.ts";
import { gather, type Problem, quote, throwIfAny, unsupported } from "./problems.ts";
import type { Site } from "./site.ts";

type Values = Map<string, Value | "broken">;

/** Lowers a node by its op's rule; undefined if there was a problem, here or before. */
function lowerNode(node: Node, opset: number, values: Values, draft: Draft, problems: Problem[]): Value | undefined {
  const checked = checkNode(node, opset, problems);
  const inputs = node.input.map((name) => (name === "" ? undefined : values.get(name)));
  if (checked === undefined || inputs.includes("broken")) return undefined;
  const { rule, attributes } = checked;
  const site: Site = {
    op: node.opType,
    name: node.name || (node.output[0] ?? ""),
    opset,
    inputs: inputs as (Value | undefined)[],
    attributes,
    draft,
  };
  return gather(problems, titleOf(node), () => {
    const ended = site.inputs.find((value) => value?.kind === "activation" && value.end !== undefined);
    const end = (ended as Activation | undefined)?.end;
    const refuseEnd = (): never =>
      unsupported(
        `it follows the ${end?.kind}, which must be the last op`,
        "End the model there; use its result outside.",
      );
    if (end !== undefined && rule.afterEnd !== true) refuseEnd();
    const value = rule.lower(site);
    if (value.shape.length > MAX_RANK) unsupported(`it yields ${value.shape.length} dimensions, more than ${MAX_RANK}`);
    const moved = value.shape.length !== ended?.shape.length || value.shape.some((dim, i) => dim !== ended.shape[i]);
    if (end !== undefined && end.kind !== "argmax" && moved && node.opType !== "ArgMax") refuseEnd();
    return value;
  });
}

/** The initializers that the nodes (or the output) read. */
function readInitializers(model: CheckedModel, values: Values, budget: Budget, problems: Problem[]): void {
  for (const name of [model.outputName, ...model.nodes.flatMap((node) => node.input)]) {
    const tensor = model.initializers.get(name);
    if (tensor === undefined || values.has(name)) continue;
    const value = gather(problems, `initializer ${quote(name)}`, () => readTensor(tensor, budget, "it"));
    values.set(name, value ?? "broken");
  }
}

function checkOutput(model: CheckedModel, output: Activation, draft: Draft): void {
  const declared = model.outputShape;
  const odd = declared?.length !== output.shape.length || declared.some((d, i) => i > 0 && d !== undefined && d !== output.shape[i]); // prettier-ignore
  if (declared === undefined || !odd) return;
  const text = declared.map((dim) => dim ?? "?").join(", ");
  draft.notices.push(`the output is declared as [${text}] but is [${output.shape.join(", ")}]`);
}

/** @throws NodeError that lists all problems of the model's nodes */
export function lower(model: CheckedModel, budget: Budget): FloatGraph {
  const problems: Problem[] = [];
  const nodes: FloatNode[] = [];
  const draft: Draft = { nodes, names: new Map(), budget, notices: [...model.notices] };
  const values: Values = new Map();
  const { name, shape, elemType } = model.input;
  const input = gather(problems, `input ${quote(name)}`, () => emit(draft, { op: "input", elemType, shape, name }));
  throwIfAny(problems);
  values.set(name, { kind: "activation", ref: input as number, shape, type: elemType });
  readInitializers(model, values, budget, problems);
  const extra = new Map<string, string>();
  for (const node of model.nodes) {
    for (const read of node.input) {
      const why = extra.get(read);
      if (why === undefined || values.has(read)) continue;
      problems.push({ code: "unsupported", where: titleOf(node), why, mend: "Only first outputs are read." });
      values.set(read, "broken");
    }
    const value = lowerNode(node, model.opset, values, draft, problems) ?? "broken";
    node.output.forEach((output, i) => {
      if (i === 0 && output !== "") values.set(output, value);
      else if (output !== "") extra.set(output, `it reads ${quote(output)}, output ${i} of ${titleOf(node)}`);
    });
  }
  throwIfAny(problems);
  const output = gather(problems, "the model", () => {
    const value = values.get(model.outputName);
    if (value === undefined || value === "broken") {
      return unsupported(`its output ${quote(model.outputName)} is ${extra.get(model.outputName) ?? "not made"}`);
    }
    if (value.kind === "constant") return unsupported("its output does not depend on its input");
    checkOutput(model, value, draft);
    if (value.shape[0] === 1) return value;
    draft.notices.push(`the output [${value.shape.join(", ")}] is given with a leading dimension of 1`);
    const end = value.end && { ...value.end, axis: value.end.axis + 1 };
    return { ...reshape(draft, `${model.outputName}/batch`, value, [1, ...value.shape]), end };
  });
  throwIfAny(problems);
  const { end, ref } = output as Activation;
  return {
    nodes,
    input: input as number,
    output: ref,
    inputName: name,
    outputName: model.outputName,
    ...(end === undefined || end.kind === "argmax" ? {} : { finalSoftmax: { kind: end.kind, axis: end.axis } }),
    notices: draft.notices,
  };
}
