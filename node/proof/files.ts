// Digests of files read in pieces, and files that appear whole or not at all. Knows no format.
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Digest } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";

/** Lower-case hex. @throws NodeError "input" if the file cannot be read, "aborted" on request. */
export async function hashFile(path: string, algorithm: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash(algorithm);
  try {
    const stream = createReadStream(path, { highWaterMark: 1 << 20, ...(signal ? { signal } : {}) });
    for await (const piece of stream) hash.update(piece as Buffer);
  } catch (cause) {
    if (signal?.aborted) throw new NodeError("aborted", "stopped on request", { cause });
    throw new NodeError("input", `${path}: cannot be read`, { cause, facts: { path } });
  }
  return hash.digest("hex");
}

export async function sha256File(path: string, signal?: AbortSignal): Promise<Digest> {
  return (await hashFile(path, "sha256", signal)) as Digest;
}

export function sha256(bytes: Uint8Array | string): Digest {
  return createHash("sha256").update(bytes).digest("hex") as Digest;
}

/** Lets `make` write a temporary name beside `path`, then renames it into place; nothing is left behind on failure. */
export async function atomically<T>(path: string, make: (temporary: string) => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const result = await make(temporary);
    await rename(temporary, path);
    return result;
  } catch (thrown) {
    await rm(temporary, { force: true, recursive: true });
    throw thrown;
  }
}

export function writeAtomically(path: string, bytes: Uint8Array | string): Promise<void> {
  return atomically(path, (temporary) => writeFile(temporary, bytes));
}
