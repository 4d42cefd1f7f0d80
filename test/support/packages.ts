// Models compiled for tests, the examples and a small one of several inputs: once per process, into a temporary folder, with
// a key cache of its own.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { compile, type Compiled, type CompileOptions, type StepRunner } from "../../node/app/compile.ts";
import { bytesOf, node, noise, tensor } from "./onnx.ts";

export const EXAMPLES = [
  "digits-cnn",
  "digits-mlp",
  "breast-cancer-mlp",
  "breast-cancer-forest",
  "diabetes-gbm",
  "tiny-transformer",
] as const;
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

/**
 * Inputs "x" (float32 [batch, n], n left open), "image" (uint8 [1, 2, 2]) and "on" (bool [1, 3]); outputs "y" (three scores)
 * and "class" (the index of the largest).
 */
export function severalOnnx(): Uint8Array {
  return bytesOf({
    input: { dims: ["batch", "n"] },
    moreInputs: [
      { name: "image", dims: [1, 2, 2], type: "uint8" },
      { name: "on", dims: [1, 3], type: "bool" },
    ],
    nodes: [
      node("Cast", ["image"], ["image_f"], { to: 1 }),
      node("Flatten", ["image_f"], ["flat"]),
      node("Cast", ["on"], ["on_f"], { to: 1 }),
      node("Concat", ["x", "flat", "on_f"], ["all"], { axis: 1 }),
      node("Gemm", ["all", "w", "b"], ["y"]),
      node("ArgMax", ["y"], ["class"], { axis: 1 }),
    ],
    initializers: [tensor("w", [12, 3], noise(3, 36)), tensor("b", [3], [0.5, -0.25, 0])],
    moreOutputs: [{ name: "class", type: "int64" }],
  });
}

/** That model, calibrated at random: every choice that the manifest has to tell an auditor is another than the default. */
export const SEVERAL = {
  calibration: "random:7",
  dims: { n: 5 },
  inputRanges: { x: [-2, 2] },
  outputs: { y: { type: { bits: 32, signed: true } } },
  widths: { weights: 7, tensors: { Gemm_y: 6 } },
} as const satisfies Partial<CompileOptions>;

export function compiledSeveral(options: { keys: boolean }): Promise<Compiled> {
  const id = `several${options.keys ? "" : "-nokeys"}`;
  const source = path.join(root, "several.onnx");
  fs.writeFileSync(source, severalOnnx());
  const out = path.join(root, id);
  const making = compiled.get(id) ?? compile({ ...SEVERAL, ...options, source, name: "several", out, keyCache: path.join(root, "keys") }, silentStep); // prettier-ignore
  compiled.set(id, making);
  return making;
}
