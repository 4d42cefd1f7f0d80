// The example models compiled for tests: once per process, into a temporary folder, with a key cache of its own.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { compile, type Compiled, type StepRunner } from "../../node/app/compile.ts";

export const EXAMPLES = ["digits-cnn", "digits-mlp", "breast-cancer-mlp"] as const;
export type Example = (typeof EXAMPLES)[number];

export const silentStep: StepRunner = (_name, work) =>
  work({ signal: new AbortController().signal, onProgress: () => undefined });

const root = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-packages-"));
process.once("exit", () => fs.rmSync(root, { recursive: true, force: true }));
const compiled = new Map<string, Promise<Compiled>>();

/** @param variant compiles anew, into a folder of its own, the same way */
export function compiledExample(name: Example, options: { keys: boolean; variant?: string }): Promise<Compiled> {
  const { keys, variant = "" } = options;
  const id = `${name}${keys ? "" : "-nokeys"}${variant}`;
  const before = compiled.get(id);
  if (before !== undefined) return before;
  const making = compile(
    {
      source: `models/${name}/model.onnx`,
      calibration: `models/${name}/calibration.npz`,
      test: `models/${name}/test.npz`,
      name,
      out: path.join(root, id),
      keys,
      keyCache: path.join(root, "keys"),
    },
    silentStep,
  );
  compiled.set(id, making);
  return making;
}
