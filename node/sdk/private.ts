// A private input: committed to with a fresh salt, sealed to the key that the prover published, and posted to where it takes
// such envelopes (or handed to whoever keeps them). The chain sees the commitment alone.
import { wordOf } from "../chain/codec.ts";
import { proverEntry } from "../chain/directory.ts";
import type { InputFrom } from "../chain/request.ts";
import { newSalt, privateCommitment } from "../core/commitment.ts";
import type { Address } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { deliver as post } from "../private/deliver.ts";
import { seal } from "../private/envelope.ts";
import { addressOf, type Context } from "./context.ts";
import type { Model } from "./model.ts";

/** What opens the commitment. Keep it if the input must be shown to somebody later; nobody needs it for the answer. */
export interface Secret {
  readonly salt: bigint;
  readonly envelope: Uint8Array;
}

export interface PrivateOptions {
  readonly prover: Address;
  /** ProverDirectory's address. */
  readonly directory: Address;
  /** Puts the envelope where the prover can fetch it; the answer is the URI that the request names. Default: posts it. */
  readonly deliver?: ((envelope: Uint8Array) => Promise<string>) | undefined;
}

/** Seals and delivers `input`; what is left is to make the request. @throws NodeError "input", "chain" */
export async function sendPrivately(
  context: Context,
  model: Model,
  input: Uint8Array,
  { prover, directory, deliver }: PrivateOptions,
  signal?: AbortSignal,
): Promise<{ readonly from: InputFrom; readonly secret: Secret }> {
  const { chainId, coordinator, rpc } = context.chain;
  const entry = await proverEntry(rpc, directory, prover, signal);
  if (entry === undefined || (deliver === undefined && entry.endpoint === "")) {
    const how = entry === undefined ? "" : " by post";
    throw new NodeError("input", `the prover ${prover} takes no private inputs${how}`, {
      mend: "Choose a prover that has a key and an endpoint in the directory, or give `deliver`.",
    });
  }
  const salt = newSalt();
  const about = { chainId, coordinator, model: model.id, requester: await addressOf(context) };
  const envelope = await seal(entry.encryptionKey, about, { salt, input });
  const uri = deliver === undefined ? "" : await deliver(envelope);
  if (deliver === undefined) await post(entry.endpoint, envelope, signal);
  const commitment = wordOf(privateCommitment(salt, input));
  return { from: { kind: "private", commitment, ...(uri === "" ? {} : { uri }) }, secret: { salt, envelope } };
}
