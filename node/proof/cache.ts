// Development keys, kept by circuit and seed. Keys are deterministic, so that two processes that make the same one at once
// only waste time: each writes its own temporary file and renames it over the other's equal one.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Digest, VerifyingKey } from "../core/domain.ts";
import type { LongCall } from "../core/ports.ts";
import { atomically, sha256, sha256File, writeAtomically } from "./files.ts";
import { DEVELOPMENT_SEED, makeDevelopmentKey, SETUP } from "./setup.ts";
import { readVerifyingKey } from "./vkey.ts";

export interface CachedKeyOptions extends LongCall {
  readonly r1cs: string;
  /** Made if missing. */
  readonly directory: string;
  readonly seed?: string;
}

export interface CachedKey {
  /** Path within the cache. Copy it, do not move it. */
  readonly zkey: string;
  readonly digest: Digest;
  readonly vkey: VerifyingKey;
  readonly circuit: Digest;
  /** It was there already. */
  readonly hit: boolean;
}

/** @throws what makeDevelopmentKey throws. A damaged entry is made again. */
export async function developmentKey(options: CachedKeyOptions): Promise<CachedKey> {
  const { r1cs, signal, onProgress, seed = DEVELOPMENT_SEED } = options;
  const circuit = await sha256File(r1cs, signal);
  const { zkey, note } = placeOf(circuit, options);
  const known = await digestOf(zkey, note, signal);
  if (known !== undefined) return { zkey, digest: known, vkey: readVerifyingKey(zkey), circuit, hit: true };

  const { vkey, digest } = await atomically(zkey, async (temporary) => {
    const made = await makeDevelopmentKey({
      r1cs,
      zkey: temporary,
      seed,
      ...(signal ? { signal } : {}),
      ...(onProgress ? { onProgress } : {}),
    });
    onProgress?.({ what: "hashing the key" });
    return { vkey: made.vkey, digest: await sha256File(temporary, signal) };
  });
  await writeAtomically(note, `${digest}\n`);
  return { zkey, digest, vkey, circuit, hit: false };
}

/** Is there a key of the circuit with this SHA-256? A damaged one counts as well. */
export async function isKept(circuit: string, options: Pick<CachedKeyOptions, "directory" | "seed">): Promise<boolean> {
  const { zkey, note } = placeOf(circuit, options);
  const found = await Promise.allSettled([stat(zkey), stat(note)]);
  return found.every(({ status }) => status === "fulfilled");
}

function placeOf(
  circuit: string,
  { directory, seed = DEVELOPMENT_SEED }: Pick<CachedKeyOptions, "directory" | "seed">,
) {
  const zkey = join(directory, `${circuit}-${sha256(`${SETUP}\0${seed}`).slice(0, 16)}.zkey`);
  return { zkey, note: `${zkey}.sha256` };
}

/** The digest of a kept key whose bytes still have it. */
async function digestOf(zkey: string, note: string, signal: AbortSignal | undefined): Promise<Digest | undefined> {
  try {
    const stated = (await readFile(note, "utf8")).trim();
    await stat(zkey);
    return (await sha256File(zkey, signal)) === stated ? (stated as Digest) : undefined;
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return undefined;
    throw thrown;
  }
}
