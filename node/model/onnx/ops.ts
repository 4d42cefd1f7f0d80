// The total table of ops that are read, and hints for well-known ones that are not. Documentation is printed from it.
import { ACTIVATION_RULES } from "./activations.ts";
import { ELEMENTWISE_RULES } from "./elementwise.ts";
import { COSTS } from "./costs.ts";
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

const OPS = {
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
} satisfies Record<string, OpRule>;

/** By domain; "" is ai.onnx. */
const RULES = { "": OPS, "ai.onnx.ml": ML_RULES, "com.microsoft": { ...QLINEAR_RULES, ...QLINEAR_POOL_RULES } };

export type OpNames = { readonly [D in keyof typeof RULES]: keyof (typeof RULES)[D] };

const DOMAINS: ReadonlyMap<string, ReadonlyMap<string, OpRule>> = new Map(
  Object.entries(RULES).map(([domain, rules]) => [domain, new Map<string, OpRule>(Object.entries(rules))]),
);

/** The rules of a domain that is read; "" is ai.onnx. */
export function rulesOf(domain: string): ReadonlyMap<string, OpRule> | undefined {
  return DOMAINS.get(domain);
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

/** Ops of ai.onnx' newest opsets, which older ones spell in others. */
const NEWER = /^(Attention|RotaryEmbedding|SwiGLU)$/;

/** What to do about an op that is not in its domain's table; "" is ai.onnx. */
export function hintFor(op: string, domain: string): string {
  if (domain === "" && NEWER.test(op)) return "Export with opset 22 or an older one, where it is written out in ops of the list."; // prettier-ignore
  if (DYNAMIC.test(op)) return "Its scales depend on the input: quantize statically (onnxruntime's quantize_static).";
  if (QUANTIZED.test(op)) {
    return "Leave this op out of the quantization (quantize_static's nodes_to_exclude), or give the float model.";
  }
  if (FUSED.test(op)) {
    return "onnxruntime's optimizer writes such ops; give the model as it was before optimization (or level basic).";
  }
  if (CONTROL.test(op))
    return "Control flow is not provable; export with torch.jit.trace, static shapes, or unrolled layers (Keras: unroll=True).";
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
  /** The opset of its domain that brought it, where that is later than the oldest one that is read. */
  readonly since: number | undefined;
  readonly attributes: readonly string[];
  readonly limits: string;
  /** In constraints; docs/ops.md says what its letters stand for. */
  readonly cost: string;
}

/** All ops that are read, in alphabetical order. */
export function supportedOps(): readonly SupportedOp[] {
  const costs: Readonly<Record<string, Readonly<Record<string, string>>>> = COSTS;
  return [...DOMAINS]
    .flatMap(([domain, rules]) =>
      [...rules].map(([op, { since, attributes, limits }]) => ({
        op: domain === "" ? op : `${domain}.${op}`,
        since,
        attributes: Object.keys(attributes).toSorted(),
        limits,
        cost: costs[domain]?.[op] ?? "",
      })),
    )
    .toSorted((a, b) => (a.op < b.op ? -1 : 1));
}
