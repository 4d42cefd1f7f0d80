// Envelopes that came before they are needed, kept by what they are for in a folder: as they came, sealed, so that the disk
// never sees an input. Only what opens its commitment for a model that is served is kept; count and age are bounded. Age
// counts from the last use. Nothing of a content is ever in an error.
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import type { Address, ModelId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import { takeTurns } from "../core/turns.ts";
import { type Label, labelOf, open, type OpeningKey, type PrivateInput } from "./envelope.ts";

export interface InboxOptions {
  /** Made if it is not there. */
  readonly folder: string;
  readonly key: OpeningKey;
  readonly chainId: bigint;
  readonly coordinator: Address;
  /** Bytes of the model's input; undefined for one that is not served, or whose input is not private. */
  readonly inputLengthOf: (model: ModelId, signal: AbortSignal) => Promise<number | undefined>;
  readonly clock: Pick<Clock, "now">;
  readonly maxCount: number;
  readonly maxAgeMs: number;
}

/** A request, as far as it says which envelope is for it. */
export type Wanted = Pick<Label, "model" | "requester" | "commitment">;

export interface Inbox {
  /** @throws NodeError "input", "unsupported"; with `retry` where it may be taken later */
  keep(envelope: Uint8Array, signal: AbortSignal): Promise<Label>;
  /** Undefined: nothing came, it is too long ago, or it was sealed to an older key. */
  find(wanted: Wanted, signal: AbortSignal): Promise<PrivateInput | undefined>;
}

/** Envelopes that may wait for the one that is being opened: opening takes up to a tenth of a second. */
const MOST_WAITING = 32;
const SUFFIX = ".sealed";

export async function openInbox(options: InboxOptions): Promise<Inbox> {
  const { folder, key, chainId, coordinator, inputLengthOf, clock, maxCount, maxAgeMs } = options;
  await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  const inTurn = takeTurns();
  let waiting = 0;
  const fileOf = ({ model, requester, commitment }: Wanted): string => {
    const name = createHash("sha256").update(`${model} ${requester} ${commitment}`.toLowerCase()).digest("hex");
    return path.join(folder, `${name}${SUFFIX}`);
  };
  const touch = (file: string): Promise<void> => fs.utimes(file, clock.now() / 1000, clock.now() / 1000);

  /** Deletes what is too old, and what a crash left half written; counts the rest. */
  async function prune(): Promise<number> {
    let count = 0;
    for (const name of await fs.readdir(folder)) {
      const file = path.join(folder, name);
      const age = clock.now() - ((await fs.stat(file).catch(() => undefined))?.mtimeMs ?? -Infinity);
      if (!name.endsWith(SUFFIX) || age > maxAgeMs) await fs.rm(file, { force: true });
      else count++;
    }
    return count;
  }

  return {
    async keep(envelope, signal) {
      const label = labelOf(envelope);
      if (waiting >= MOST_WAITING) throw full("too many envelopes at once");
      waiting++;
      try {
        return await inTurn(signal, async () => {
          const length = await inputLengthOf(label.model, signal);
          if (length === undefined) {
            throw new NodeError("unsupported", `this node takes no private input of model ${label.model}`, {
              mend: "Ask a prover that serves the model, or name the model that was compiled with --private-input.",
            });
          }
          if (label.inputLength !== length) {
            throw new NodeError("input", `the input has ${label.inputLength} bytes, the model takes ${length}`, {
              mend: "Seal the model's input bytes, and nothing else.",
            });
          }
          await open(key, { ...label, chainId, coordinator }, envelope);
          const file = fileOf(label);
          const before = await prune();
          const known = await fs.stat(file).catch(() => undefined);
          if (known === undefined && before >= maxCount) throw full(`${maxCount} envelopes are waiting`);
          const fresh = path.join(folder, `${randomBytes(8).toString("hex")}.tmp`);
          await fs.writeFile(fresh, envelope, { mode: 0o600, flag: "wx" });
          await touch(fresh);
          await fs.rename(fresh, file);
          return label;
        });
      } finally {
        waiting--;
      }
    },
    async find(wanted, signal) {
      return inTurn(signal, async () => {
        await prune();
        const file = fileOf(wanted);
        const envelope = await fs.readFile(file).catch(() => undefined);
        if (envelope === undefined) return undefined;
        try {
          const found = await open(key, { ...wanted, chainId, coordinator }, new Uint8Array(envelope));
          await touch(file);
          return found;
        } catch {
          await fs.rm(file, { force: true }); // sealed to a key that was replaced since, or spoilt on the disk
          return undefined;
        }
      });
    },
  };
}

function full(what: string): NodeError {
  return new NodeError("environment", what, {
    retry: true,
    mend: "Try again in a while, or put the envelope where the request's URI points to.",
  });
}
