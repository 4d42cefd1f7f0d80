// One ONNX node against the table of ops, before its inputs are looked at: domain, op, attributes and counts.
import { type Attributes, readAttributes } from "./attributes.ts";
import type { Node } from "./gen/onnx_pb.ts";
import { domainHint, hintFor, rulesOf } from "./ops.ts";
import { gather, malformed, type Problem, quote, unsupported } from "./problems.ts";
import type { OpRule } from "./site.ts";

export function isDefaultDomain(domain: string): boolean {
  return domain === "" || domain === "ai.onnx";
}

/** What messages call a node. */
export function titleOf(node: Node): string {
  const output = node.output.find((name) => name !== "") ?? "";
  const name = node.name === "" ? `that makes ${quote(output)}` : quote(node.name);
  return `node ${name} (op ${quote(node.opType)}${isDefaultDomain(node.domain) ? "" : `, domain ${quote(node.domain)}`})`;
}

function ruleOf(node: Node): OpRule {
  const domain = isDefaultDomain(node.domain) ? "" : node.domain;
  const rules = rulesOf(domain);
  if (rules === undefined) unsupported(`the domain ${quote(node.domain)} is not read`, domainHint(node.domain));
  return rules.get(node.opType) ?? unsupported("this op is not read", hintFor(node.opType, domain));
}

export interface CheckedNode {
  readonly rule: OpRule;
  readonly attributes: Attributes;
}

/** All that is wrong with the node as it stands goes to `problems`; undefined if anything is. */
export function checkNode(node: Node, opset: number, problems: Problem[]): CheckedNode | undefined {
  const here = <T>(action: () => T): T | undefined => gather(problems, titleOf(node), action);
  const rule = here(() => ruleOf(node));
  if (rule === undefined) return undefined;
  const before = problems.length;
  const attributes = readAttributes(node, rule.attributes, opset, here);
  here(() => {
    if (opset < (rule.since ?? 0)) malformed(`${quote(node.opType)} does not exist at opset ${opset}`);
    const [least, most] = rule.inputs;
    const count = node.input.length;
    if (count < least || count > most) malformed(`it has ${count} inputs, not ${least} to ${most}`);
    if (node.output.length > (rule.outputs ?? 1)) malformed(`it has ${node.output.length} outputs`);
  });
  return problems.length === before ? { rule, attributes } : undefined;
}
