// A private input: committed to with a fresh salt, sealed to the key that the prover published, and posted to where it takes
// such envelopes (or handed to whoever keeps them). The chain sees the commitment alone.
import { getBytes, Interface } from "ethers";
import { wordOf } from "../chain/codec.ts";
import type { InputFrom } from "../chain/request.ts";
import { newSalt, privateCommitment } from "../core/commitment.ts";
import type { Address, Hex } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import { seal } from "../private/envelope.ts";
import type { Context } from "./context.ts";
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

const DIRECTORY = new Interface([
  "function entryOf(address prover) view returns ((bytes32 encryptionKey, uint64 publishedAt, string endpoint))",
]);

interface Entry {
  readonly encryptionKey: Hex;
  readonly endpoint: string;
}

/** Seals and delivers `input`; what is left is to make the request. @throws NodeError "input", "chain" */
export async function sendPrivately(
  { chain }: Context,
  model: Model,
  input: Uint8Array,
  { prover, directory, deliver }: PrivateOptions,
  signal?: AbortSignal,
): Promise<{ readonly from: InputFrom; readonly secret: Secret }> {
  const call = { to: directory, data: DIRECTORY.encodeFunctionData("entryOf", [prover]) };
  const said = (await chain.rpc.request("eth_call", [call, "latest"], signal)) as string;
  const [entry] = DIRECTORY.decodeFunctionResult("entryOf", said) as unknown as [Entry];
  if (BigInt(entry.encryptionKey) === 0n || (deliver === undefined && entry.endpoint === "")) {
    throw new NodeError(
      "input",
      `the prover ${prover} takes no private inputs${deliver === undefined ? " by post" : ""}`,
      {
        mend: "Choose a prover that has a key and an endpoint in the directory, or give `deliver`.",
      },
    );
  }
  const salt = newSalt();
  const envelope = await seal(getBytes(entry.encryptionKey), { ...chain, model: model.id }, { salt, input });
  const uri = await (deliver ?? ((bytes) => post(entry.endpoint, bytes, signal)))(envelope);
  const commitment = wordOf(privateCommitment(salt, input));
  return { from: { kind: "private", commitment, ...(uri === "" ? {} : { uri }) }, secret: { salt, envelope } };
}

async function post(endpoint: string, envelope: Uint8Array, signal?: AbortSignal): Promise<string> {
  const failed = (why: string, cause?: unknown): NodeError =>
    new NodeError("chain", `the prover's endpoint ${endpoint} did not take the input (${why})`, {
      retry: true,
      mend: "Try again, or choose another prover: without the input nobody can answer, and nothing was paid yet.",
      cause,
    });
  const init = {
    method: "POST",
    body: new Blob([Uint8Array.from(envelope)]),
    ...(signal === undefined ? {} : { signal }),
  };
  const answer = await fetch(endpoint, init).catch((cause: unknown) => {
    throw failed(asNodeError(cause).message, cause);
  });
  if (answer.ok) return "";
  const said = (await answer.json().catch(() => undefined)) as { readonly error?: unknown } | undefined;
  throw failed(typeof said?.error === "string" ? said.error : `HTTP ${answer.status}`);
}
