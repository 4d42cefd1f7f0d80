// The total table of ops that are read, and hints for well-known ones that are not. Documentation is printed from it.
import { ELEMENTWISE_RULES } from "./elementwise.ts";
import { END_RULES } from "./ends.ts";
import { LAYOUT_RULES } from "./layout.ts";
import { LINEAR_RULES } from "./linear.ts";
import { POOL_RULES } from "./pool.ts";
import { SHAPE_RULES } from "./shapes.ts";
import type { OpRule } from "./site.ts";

const OPS: ReadonlyMap<string, OpRule> = new Map<string, OpRule>(
  Object.entries({
    ...ELEMENTWISE_RULES,
    ...END_RULES,
    ...LAYOUT_RULES,
    ...LINEAR_RULES,
    ...POOL_RULES,
    ...SHAPE_RULES,
  }),
);

export function ruleFor(op: string): OpRule | undefined {
  return OPS.get(op);
}

const QUANTIZED = /^(QLinear|Quantize|Dequantize|DynamicQuantize|MatMulInteger|ConvInteger)/;
const CONTROL = /^(If|Loop|Scan|SequenceMap)$/;
const CURVED =
  /^(Sigmoid|Tanh|Gelu|Elu|Selu|Celu|Mish|Softplus|Softsign|HardSigmoid|HardSwish|Swish|Erf|Exp|Log|Sqrt)$/;

/** What to do about an op of the default domain that is not in the table. */
export function hintFor(op: string): string {
  if (QUANTIZED.test(op)) return "Models that are quantized already come later; give the float model.";
  if (CONTROL.test(op)) return "Control flow is not provable; export the model with torch.jit.trace or static shapes.";
  if (CURVED.test(op)) return "Functions by look-up table come later; use Relu, LeakyRelu or Clip.";
  return "Replace it by ops of the list.";
}

/** Hints by domain, for domains that people meet. */
export function domainHint(domain: string): string {
  if (domain === "com.microsoft") {
    return "onnxruntime's optimizer writes such ops; give the model as it was before optimization (or level basic).";
  }
  if (domain === "ai.onnx.ml") return "Trees and other classic learners are not read; give a neural network.";
  return "Only ops of the domain ai.onnx are read.";
}

export interface SupportedOp {
  readonly op: string;
  readonly attributes: readonly string[];
  readonly limits: string;
}

/** All ops that are read, in alphabetical order. */
export function supportedOps(): readonly SupportedOp[] {
  return [...OPS]
    .map(([op, rule]) => ({ op, attributes: Object.keys(rule.attributes).toSorted(), limits: rule.limits }))
    .toSorted((a, b) => (a.op < b.op ? -1 : 1));
}
