// The total table of ops that are read, and hints for well-known ones that are not. Documentation is printed from it.
import { ACTIVATION_RULES } from "./activations.ts";
import { ELEMENTWISE_RULES } from "./elementwise.ts";
import { END_RULES } from "./ends.ts";
import { GATHER_RULES } from "./gather.ts";
import { LAYOUT_RULES } from "./layout.ts";
import { LINEAR_RULES } from "./linear.ts";
import { ML_RULES } from "./ml/rules.ts";
import { LOGIC_RULES } from "./logic.ts";
import { POOL_RULES } from "./pool.ts";
import { RECURRENT_RULES } from "./recurrent.ts";
import { SHAPE_RULES } from "./shapes.ts";
import type { OpRule } from "./site.ts";

const OPS: ReadonlyMap<string, OpRule> = new Map<string, OpRule>(
  Object.entries({
    ...ACTIVATION_RULES,
    ...ELEMENTWISE_RULES,
    ...END_RULES,
    ...GATHER_RULES,
    ...LAYOUT_RULES,
    ...LINEAR_RULES,
    ...LOGIC_RULES,
    ...POOL_RULES,
    ...RECURRENT_RULES,
    ...SHAPE_RULES,
  }),
);

/** Tables of the domains beside ai.onnx. */
const DOMAINS: ReadonlyMap<string, ReadonlyMap<string, OpRule>> = new Map([
  ["ai.onnx.ml", new Map<string, OpRule>(Object.entries(ML_RULES))],
]);

/** The rules of a domain that is read; "" is ai.onnx. */
export function rulesOf(domain: string): ReadonlyMap<string, OpRule> | undefined {
  return domain === "" ? OPS : DOMAINS.get(domain);
}

const QUANTIZED = /^(QLinear|Quantize|Dequantize|DynamicQuantize|MatMulInteger|ConvInteger)/;
const CONTROL = /^(If|Loop|Scan|SequenceMap)$/;
/** What to do about an op of the default domain that is not in the table. */
export function hintFor(op: string): string {
  if (QUANTIZED.test(op)) return "Models that are quantized already come later; give the float model.";
  if (CONTROL.test(op)) return "Control flow is not provable; export the model with torch.jit.trace or static shapes.";
  return "Replace it by ops of the list.";
}

/** Hints by domain, for domains that people meet. */
export function domainHint(domain: string): string {
  if (domain === "com.microsoft") {
    return "onnxruntime's optimizer writes such ops; give the model as it was before optimization (or level basic).";
  }
  return "Only ops of the domains ai.onnx and ai.onnx.ml are read.";
}

export interface SupportedOp {
  /** With its domain in front, but for ai.onnx. */
  readonly op: string;
  readonly attributes: readonly string[];
  readonly limits: string;
}

/** All ops that are read, in alphabetical order. */
export function supportedOps(): readonly SupportedOp[] {
  const others = [...DOMAINS].flatMap(([domain, ops]) =>
    [...ops].map(([op, rule]) => [`${domain}.${op}`, rule] as const),
  );
  return [...OPS, ...others]
    .map(([op, rule]) => ({ op, attributes: Object.keys(rule.attributes).toSorted(), limits: rule.limits }))
    .toSorted((a, b) => (a.op < b.op ? -1 : 1));
}
