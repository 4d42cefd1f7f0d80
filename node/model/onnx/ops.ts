// The total table of ops that are read, and hints for well-known ones that are not. Documentation is printed from it.
import { ACTIVATION_RULES } from "./activations.ts";
import { ELEMENTWISE_RULES } from "./elementwise.ts";
import { EINSUM_RULES } from "./einsum.ts";
import { GATHER_RULES } from "./gather.ts";
import { LAYOUT_RULES } from "./layout.ts";
import { LINEAR_RULES } from "./linear.ts";
import { ML_RULES } from "./ml/rules.ts";
import { LOGIC_RULES } from "./logic.ts";
import { MATMUL_RULES } from "./matmul.ts";
import { NORMALIZE_RULES } from "./normalize.ts";
import { PAD_RULES } from "./pad.ts";
import { POOL_RULES } from "./pool.ts";
import { QLINEAR_POOL_RULES } from "./qlinear-pool.ts";
import { QLINEAR_RULES } from "./qlinear.ts";
import { QUANTIZED_SUM_RULES } from "./quantized-sums.ts";
import { QUANTIZED_RULES } from "./quantized.ts";
import { RECURRENT_RULES } from "./recurrent.ts";
import { REDUCE_RULES } from "./reduce.ts";
import { RESIZE_RULES } from "./resize.ts";
import { SHAPE_RULES } from "./shapes.ts";
import type { OpRule } from "./site.ts";
import { SLICE_RULES } from "./slice.ts";
import { SOFTMAX_RULES } from "./softmax.ts";
import { TOPK_RULES } from "./topk.ts";

const OPS: ReadonlyMap<string, OpRule> = new Map<string, OpRule>(
  Object.entries({
    ...ACTIVATION_RULES,
    ...ELEMENTWISE_RULES,
    ...EINSUM_RULES,
    ...GATHER_RULES,
    ...LAYOUT_RULES,
    ...LINEAR_RULES,
    ...LOGIC_RULES,
    ...MATMUL_RULES,
    ...NORMALIZE_RULES,
    ...PAD_RULES,
    ...POOL_RULES,
    ...QUANTIZED_RULES,
    ...QUANTIZED_SUM_RULES,
    ...RECURRENT_RULES,
    ...REDUCE_RULES,
    ...RESIZE_RULES,
    ...SHAPE_RULES,
    ...SLICE_RULES,
    ...SOFTMAX_RULES,
    ...TOPK_RULES,
  }),
);

/** Tables of the domains beside ai.onnx. */
const DOMAINS: ReadonlyMap<string, ReadonlyMap<string, OpRule>> = new Map([
  ["ai.onnx.ml", new Map<string, OpRule>(Object.entries(ML_RULES))],
  ["com.microsoft", new Map<string, OpRule>(Object.entries({ ...QLINEAR_RULES, ...QLINEAR_POOL_RULES }))],
]);

/** The rules of a domain that is read; "" is ai.onnx. */
export function rulesOf(domain: string): ReadonlyMap<string, OpRule> | undefined {
  return domain === "" ? OPS : DOMAINS.get(domain);
}

const DYNAMIC = /^Dynamic/;
const QUANTIZED = /^Q|NBits|Bnb4|Float8|Nhwc/;
const FUSED = /^(Fused|Skip|Attention|MultiHead|Bias|EmbedLayer|QuickGelu|FastGelu|Gelu|MatMulIntegerToFloat|BiasGelu)/;
const CONTROL = /^(If|Loop|Scan|SequenceMap)$/;
/** Well-known ops that no rule stands for, and what to do instead. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/^(Scatter|TensorScatter)/, "Write into tensors outside of the model, or make it a sum of one-hot products."],
  [
    /^(NonMaxSuppression|RoiAlign|MaxRoiPool)$/,
    "Let the model end in its scores and boxes; choose among them outside.",
  ],
  [/^(Unique|Compress|StringNormalizer|TfIdfVectorizer)$/, "The size of its result depends on the input; do this outside."], // prettier-ignore
  [/^(SoftmaxCrossEntropyLoss|NegativeLogLikelihoodLoss)$/, "It is a loss: export the model for inference (model.eval())."], // prettier-ignore
  [
    /^(Random|Bernoulli|Multinomial)/,
    "Random numbers are not provable; export the model for inference (model.eval()).",
  ],
  [/^(Sequence|Optional|SplitToSequence|ConcatFromSequence)/, "Only tensors are read; export with static shapes."],
  [/^(String|RegexFull)/, "Texts are not read; give numbers."],
];

/** What to do about an op of the default domain that is not in the table. */
export function hintFor(op: string): string {
  if (DYNAMIC.test(op)) return "Its scales depend on the input: quantize statically (onnxruntime's quantize_static).";
  if (QUANTIZED.test(op)) {
    return "Leave this op out of the quantization (quantize_static's nodes_to_exclude), or give the float model.";
  }
  if (FUSED.test(op)) {
    return "onnxruntime's optimizer writes such ops; give the model as it was before optimization (or level basic).";
  }
  if (CONTROL.test(op)) return "Control flow is not provable; export the model with torch.jit.trace or static shapes.";
  return HINTS.find(([ops]) => ops.test(op))?.[1] ?? "Replace it by ops of the list.";
}

/** Hints by domain, for domains that people meet. */
export function domainHint(domain: string): string {
  if (domain === "com.microsoft.nchwc") {
    return "onnxruntime's optimizer writes such ops; give the model as it was before optimization (or level basic).";
  }
  return "Only ops of the domains ai.onnx, ai.onnx.ml and some of com.microsoft are read.";
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
