// The prover directory as typed values: the key and the endpoint that a prover takes private inputs with, now and before.
// Whether the endpoint answers is for whoever posts to it.
import { Interface } from "ethers";
import type { Address } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { DIRECTORY_ABI } from "./abi.ts";
import { bytesOf, hexOf } from "./codec.ts";
import type { Rpc } from "./rpc.ts";
import type { Call } from "./calls.ts";

const directoryAbi = new Interface(DIRECTORY_ABI);

/** As the contract bounds it. */
export const MAX_ENDPOINT_BYTES = 256;

export interface ProverEntry {
  /** X25519, 32 bytes; undefined: from then on it takes no private inputs. */
  readonly encryptionKey: Uint8Array | undefined;
  /** Where envelopes are posted; empty if the prover only fetches them. */
  readonly endpoint: string;
  /** Unix seconds. */
  readonly publishedAt: number;
}

/** What is in force; undefined if the prover takes no private inputs. */
export async function proverEntry(
  rpc: Rpc,
  directory: Address,
  prover: Address,
  signal?: AbortSignal,
): Promise<(ProverEntry & { readonly encryptionKey: Uint8Array }) | undefined> {
  const { encryptionKey, ...entry } = entryOf(await read(rpc, directory, "entryOf", [prover], signal));
  return encryptionKey === undefined ? undefined : { ...entry, encryptionKey };
}

/** All that the prover ever published, oldest first: for who asks which key was in force when. */
export async function proverEntries(
  rpc: Rpc,
  directory: Address,
  prover: Address,
  signal?: AbortSignal,
): Promise<readonly ProverEntry[]> {
  const count = Number(await read(rpc, directory, "entryCount", [prover], signal));
  const entries: ProverEntry[] = [];
  for (let k = 0; k < count; k++) entries.push(entryOf(await read(rpc, directory, "entryAt", [prover, k], signal)));
  return entries;
}

/** Puts key and endpoint of the sender in force; without a key, withdraws them. @throws NodeError "input" */
export function publishCall(directory: Address, encryptionKey: Uint8Array | undefined, endpoint = ""): Call {
  const bytes = new TextEncoder().encode(endpoint).length;
  if (bytes > MAX_ENDPOINT_BYTES || (encryptionKey === undefined && bytes > 0)) {
    throw new NodeError("input", `the directory does not take this endpoint of ${bytes} bytes`, {
      mend: `Give at most ${MAX_ENDPOINT_BYTES} bytes, and a key with it.`,
    });
  }
  const data = directoryAbi.encodeFunctionData("publish", [hexOf(encryptionKey ?? new Uint8Array(32)), endpoint]);
  return { to: directory, data: data as Call["data"] };
}

async function read(
  rpc: Rpc,
  directory: Address,
  name: string,
  args: readonly unknown[],
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const data = directoryAbi.encodeFunctionData(name, [...args]);
  const answer = (await rpc.request("eth_call", [{ to: directory, data }, "latest"], signal)) as string;
  try {
    return directoryAbi.decodeFunctionResult(name, answer)[0] as unknown;
  } catch (cause) {
    throw new NodeError("chain", `there is no prover directory at ${directory}`, {
      mend: "Check its address and that the endpoint is of the right chain.",
      cause,
    });
  }
}

function entryOf(raw: unknown): ProverEntry {
  const fields = raw as { readonly encryptionKey: string; readonly endpoint: string; readonly publishedAt: bigint };
  const key = bytesOf(fields.encryptionKey);
  return {
    encryptionKey: key.every((byte) => byte === 0) ? undefined : key,
    endpoint: fields.endpoint,
    publishedAt: Number(fields.publishedAt),
  };
}
