// The transactions that people and nodes send: deploy, register, request, fulfil, refund, withdraw. Each is a Call for the
// sender; `settle` sees one through to its block. No state of its own.
import { AbiCoder, concat } from "ethers";
import {
  type Address,
  type Hex,
  KEY_KIND_CODE,
  type ModelId,
  type Proof,
  type RequestId,
  type VerifyingKey,
} from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import {
  coordinatorAbi,
  hexOf,
  hexOfDigest,
  keyBytes,
  type ModelFacts,
  modelId,
  keyHash,
  proofWords,
  registryAbi,
  type RawLog,
  decodeRequested,
  REQUESTED_TOPIC,
  type RequestSeen,
} from "./codec.ts";
import type { ChainClient } from "./client.ts";
import type { Call, MinedReceipt, Sender } from "./submit.ts";

/** What Hardhat writes into artifacts/, as far as it is needed here. */
export interface Artifact {
  readonly contractName: string;
  readonly bytecode: string;
}

export interface Registration {
  readonly model: Omit<ModelFacts, "keyHash" | "publisher">;
  readonly manifestURI: string;
  readonly key: VerifyingKey;
  readonly sample: {
    readonly input: Uint8Array;
    readonly output: Uint8Array;
    readonly c: bigint;
    readonly proof: Proof;
  };
}

export interface Question {
  readonly model: ModelId;
  readonly input: Uint8Array;
  /** Unix seconds. */
  readonly deadline: number;
  /** Bits of Evidence. */
  readonly requiredEvidence: number;
  readonly allowDevelopmentKeys: boolean;
  /** Wei. */
  readonly fee: bigint;
}

export interface Fulfilment {
  readonly request: RequestId;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly c: bigint;
  readonly proof: Proof;
  readonly prover: Address;
}

export interface Wait {
  readonly sender: Sender;
  readonly clock: Clock;
  /** Milliseconds between looks. */
  readonly pollMs?: number;
  readonly signal?: AbortSignal;
}

const call = (to: Address, data: string, value?: bigint): Call => ({
  to,
  data: data as Hex,
  ...(value === undefined ? {} : { value }),
});

export function fulfilCall(coordinator: Address, f: Fulfilment): Call {
  const args = [f.request, hexOf(f.input), hexOf(f.output), f.c, proofWords(f.proof), f.prover];
  return call(coordinator, coordinatorAbi.encodeFunctionData("fulfil", args));
}

export function declareEnvironmentCall(coordinator: Address, digest: Hex): Call {
  return call(coordinator, coordinatorAbi.encodeFunctionData("declareEnvironment", [digest]));
}

/** Sends `what` and waits for its block (and its confirmations, as the sender counts them). */
export async function settle(name: string, what: Call, wait: Wait): Promise<MinedReceipt> {
  const { sender, clock, pollMs = 250, signal } = wait;
  const { hash } = await sender.submit(name, what, signal);
  for (;;) {
    const progress = await sender.progress(name, signal);
    if (progress.kind === "included" && progress.confirmed) {
      if (progress.receipt.ok) return progress.receipt;
      throw new NodeError(
        "chain",
        `${name.split(":")[0] as string}: the transaction ${hash} was reverted in its block`,
        {
          mend: "Look at it in an explorer; the state changed between the estimate and the block.",
          facts: { hash },
        },
      );
    }
    if (progress.kind === "none") {
      throw new NodeError("chain", `${name.split(":")[0] as string}: the transaction ${hash} was replaced`, {
        mend: "Another program uses this key, or the call lost its sense; look at the account and try again.",
        facts: { hash },
      });
    }
    await clock.sleep(pollMs, signal);
    await sender.tend(signal);
  }
}

/** Deploys registry and coordinator. */
export async function deploy(
  artifacts: { readonly registry: Artifact; readonly coordinator: Artifact },
  wait: Wait,
): Promise<{ readonly registry: Address; readonly coordinator: Address; readonly block: number }> {
  const put = async (artifact: Artifact, args: string): Promise<MinedReceipt & { readonly contract: Address }> => {
    const data = concat([artifact.bytecode, args]) as Hex;
    const receipt = await settle(`deploy:${artifact.contractName}`, { to: undefined, data }, wait);
    if (receipt.contract === undefined) throw new NodeError("chain", `${artifact.contractName} was not created`);
    return { ...receipt, contract: receipt.contract };
  };
  const registry = await put(artifacts.registry, "0x");
  const args = AbiCoder.defaultAbiCoder().encode(["address"], [registry.contract]);
  const coordinator = await put(artifacts.coordinator, args);
  return { registry: registry.contract, coordinator: coordinator.contract, block: registry.block.number };
}

/** Registers a model under the sender's name. A model that is registered already is no error: its id is the same. */
export async function register(
  client: ChainClient,
  what: Registration,
  wait: Wait,
): Promise<{ readonly id: ModelId; readonly receipt: MinedReceipt | undefined }> {
  const { model, key, sample } = what;
  const id = modelId({ ...model, publisher: wait.sender.address, keyHash: keyHash(key) });
  if ((await client.modelOf(id, wait.signal)) !== undefined) return { id, receipt: undefined };
  const params = {
    sourceDigest: hexOfDigest(model.sourceDigest),
    quantizedDigest: hexOfDigest(model.quantizedDigest),
    circuitDigest: hexOfDigest(model.circuitDigest),
    manifestDigest: hexOfDigest(model.manifestDigest),
    inputLength: model.inputLength,
    outputLength: model.outputLength,
    keyKind: KEY_KIND_CODE[model.keyKind],
    manifestURI: what.manifestURI,
  };
  const shown = {
    input: hexOf(sample.input),
    output: hexOf(sample.output),
    c: sample.c,
    proof: proofWords(sample.proof),
  };
  const data = registryAbi.encodeFunctionData("register", [params, hexOf(keyBytes(key)), shown]);
  return { id, receipt: await settle(`register:${id}`, call(client.registry, data), wait) };
}

/** @param once names this question: the same name is never sent twice by one sender. */
export async function request(
  client: ChainClient,
  q: Question,
  once: string,
  wait: Wait,
): Promise<{ readonly seen: RequestSeen; readonly receipt: MinedReceipt }> {
  const terms = { requiredEvidence: q.requiredEvidence, allowDevelopmentKeys: q.allowDevelopmentKeys };
  const data = coordinatorAbi.encodeFunctionData("request", [q.model, hexOf(q.input), q.deadline, terms]);
  const receipt = await settle(`request:${once}`, call(client.coordinator, data, q.fee), wait);
  const raw = (await client.rpc.request("eth_getTransactionReceipt", [receipt.hash], wait.signal)) as {
    readonly logs: readonly RawLog[];
  };
  const log = raw.logs.find(
    ({ address, topics }) =>
      address.toLowerCase() === client.coordinator.toLowerCase() && topics[0] === REQUESTED_TOPIC,
  );
  if (log === undefined) throw new NodeError("chain", `the transaction ${receipt.hash} left no Requested event`);
  return { seen: decodeRequested(log), receipt };
}

/** Gives an expired request's fee back to its requester's credit. */
export function refund(client: ChainClient, id: RequestId, wait: Wait): Promise<MinedReceipt> {
  return settle(`refund:${id}`, call(client.coordinator, coordinatorAbi.encodeFunctionData("refund", [id])), wait);
}

/** Pays the sender's whole credit to `to`. */
export function withdraw(client: ChainClient, to: Address, once: string, wait: Wait): Promise<MinedReceipt> {
  return settle(
    `withdraw:${once}`,
    call(client.coordinator, coordinatorAbi.encodeFunctionData("withdraw", [to])),
    wait,
  );
}

/** Ends new requests to a model of the sender's. */
export function retire(client: ChainClient, id: ModelId, wait: Wait): Promise<MinedReceipt> {
  return settle(`retire:${id}`, call(client.registry, registryAbi.encodeFunctionData("retire", [id])), wait);
}
