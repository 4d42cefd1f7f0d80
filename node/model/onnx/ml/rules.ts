// The ops of the domain ai.onnx.ml that are read, as skl2onnx and onnxmltools write them.
import type { OpRule } from "../site.ts";
import { FEATURE_RULES } from "./features.ts";
import { LINEAR_ML_RULES } from "./linear.ts";
import { SVM_RULES } from "./svm.ts";
import { TREE_RULES } from "./trees.ts";

export const ML_RULES = {
  ...FEATURE_RULES,
  ...LINEAR_ML_RULES,
  ...SVM_RULES,
  ...TREE_RULES,
} satisfies Record<string, OpRule>;
