// The ops of the domain ai.onnx.ml that are read, as skl2onnx and onnxmltools write them.
import type { OpRule } from "../site.ts";
import { TREE_RULES } from "./trees.ts";

export const ML_RULES = { ...TREE_RULES } satisfies Record<string, OpRule>;
