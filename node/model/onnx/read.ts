// ONNX file -> float graph: read, parse, attach external data, check, lower, simplify. Everything is bounded before it is
// allocated; whatever the file holds, the only thing thrown is a NodeError.
import fs from "node:fs/promises";
import path from "node:path";
import { NodeError } from "../../core/errors.ts";
import type { FloatGraph } from "../graph.ts";
import { checkModel, type Dims } from "./check.ts";
import { createBudget } from "./constant.ts";
import { attachExternal } from "./external.ts";
import { lower } from "./lower.ts";
import { makePlain } from "./ml/plain.ts";
import { fuseQuantized } from "./qdq.ts";
import { type Problem, Refusal, throwIfAny, TOO_LARGE } from "./problems.ts";
import { simplify } from "./simplify.ts";
import { parseOnnx } from "./wire.ts";

export interface ReadPolicy {
  /** Of the file, and of its external data in all. */
  readonly maxBytes: number;
  /** Of all constants, weights and tensors that reading meets, 8 bytes each; time is bounded by it, too. */
  readonly maxElements: number;
  readonly maxNodes: number;
  /** Sizes for dimensions of inputs that the file leaves open, by their names. */
  readonly dims: Dims;
}

export const READ_POLICY: ReadPolicy = { maxBytes: 512 * 2 ** 20, maxElements: 2 ** 26, maxNodes: 100_000, dims: {} };

/**
 * Reads a model from bytes. `folder` is where its external data may lie, if anywhere.
 * @throws NodeError "input" if the file is unsound, "unsupported" if the compiler does not do what it asks; lists all
 */
export async function readModelBytes(
  bytes: Uint8Array,
  folder?: string,
  policy: Partial<ReadPolicy> = {},
): Promise<FloatGraph> {
  const { maxBytes, maxElements, maxNodes, dims } = { ...READ_POLICY, ...policy };
  needSize(bytes.length, maxBytes, "the model");
  const model = parseOnnx(bytes);
  await attachExternal(model, folder, maxBytes).catch((thrown: unknown) => {
    if (!(thrown instanceof Refusal)) throw thrown;
    const { code, message: why, mend } = thrown;
    throwIfAny([{ code, where: "external data", why, mend } satisfies Problem]);
  });
  const notices = makePlain(model);
  const budget = createBudget(maxElements);
  const checked = fuseQuantized(checkModel(model, maxNodes, dims), budget);
  return simplify(lower({ ...checked, notices: [...notices, ...checked.notices] }, budget));
}

/** Reads `file`. @throws NodeError as readModelBytes does, and if the file cannot be read */
export async function readModel(file: string, policy: Partial<ReadPolicy> = {}): Promise<FloatGraph> {
  const { maxBytes } = { ...READ_POLICY, ...policy };
  return readModelBytes(await readBounded(file, maxBytes), path.dirname(file), policy);
}

function needSize(size: number, maxBytes: number, what: string): void {
  if (size <= maxBytes) return;
  throw new NodeError("input", `${what} has ${size} bytes, more than the ${maxBytes} that are read`, {
    mend: TOO_LARGE,
  });
}

async function readBounded(file: string, maxBytes: number): Promise<Uint8Array> {
  const mend = "Give the path of an .onnx file.";
  const stat = await fs.stat(file).catch((cause: unknown) => {
    throw new NodeError("input", `cannot read ${file}`, { mend, cause });
  });
  if (!stat.isFile()) throw new NodeError("input", `${file} is not a file`, { mend });
  needSize(stat.size, maxBytes, file);
  const bytes = await fs.readFile(file).catch((cause: unknown) => {
    throw new NodeError("input", `cannot read ${file}`, { mend, cause });
  });
  return bytes;
}
