// What the coordinator and the registry say, as typed values: for the node, the auditor and the command line. Reads only;
// transactions are in write.ts. Relies on codec for spelling and on refusal for the contracts' reasons.
import type { Address, Digest, Hex, KeyKind, ModelId, RequestId, VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Interface } from "ethers";
import {
  bytesOf,
  coordinatorAbi,
  decodeFulfilled,
  decodeRequested,
  digestOfHex,
  FULFILLED_TOPIC,
  type FulfilmentSeen,
  keyKindOf,
  keyOfBytes,
  registryAbi,
  REQUESTED_TOPIC,
  type RequestSeen,
} from "./codec.ts";
import { type Block, blockAt, readLogs } from "./follow.ts";
import { explained, type RefusalName, refusalOf } from "./refusal.ts";
import { httpRpc, type Rpc } from "./rpc.ts";

export type RequestStatus = "open" | "fulfilled" | "expired";

export interface RequestRecord {
  readonly requester: Address;
  readonly fee: bigint;
  readonly model: ModelId;
  readonly inputHash: Hex;
  /** Unix seconds. */
  readonly deadline: number;
  readonly requiredEvidence: number;
  readonly allowDevelopmentKeys: boolean;
  readonly status: RequestStatus;
}

export interface ResultRecord {
  readonly output: Uint8Array;
  readonly model: ModelId;
  readonly prover: Address;
  readonly evidence: number;
  readonly fulfilledAt: number;
  readonly environment: Hex;
}

export interface ModelRecord {
  /** Contract whose code is 0x00 and the key. */
  readonly key: Address;
  readonly inputLength: number;
  readonly outputLength: number;
  readonly keyKind: KeyKind;
  readonly retired: boolean;
  readonly publisher: Address;
  readonly registeredAt: number;
  readonly keyHash: Hex;
  readonly sourceDigest: Digest;
  readonly quantizedDigest: Digest;
  readonly circuitDigest: Digest;
  readonly manifestDigest: Digest;
  readonly manifestURI: string;
}

export interface ChainClient {
  readonly rpc: Rpc;
  readonly chainId: bigint;
  readonly coordinator: Address;
  readonly registry: Address;
  head(signal?: AbortSignal): Promise<Block>;
  /** Undefined where the coordinator knows no such request. */
  requestOf(id: RequestId, signal?: AbortSignal): Promise<RequestRecord | undefined>;
  /** Undefined while there is no result. */
  result(id: RequestId, signal?: AbortSignal): Promise<ResultRecord | undefined>;
  modelOf(id: ModelId, signal?: AbortSignal): Promise<ModelRecord | undefined>;
  /** The verifying key from the registry's own code contract. */
  keyOf(id: ModelId, signal?: AbortSignal): Promise<VerifyingKey | undefined>;
  /** The request's event, searched from `fromBlock` on. */
  requested(id: RequestId, fromBlock: number, signal?: AbortSignal): Promise<RequestSeen | undefined>;
  fulfilled(id: RequestId, fromBlock: number, signal?: AbortSignal): Promise<FulfilmentSeen | undefined>;
  /** Wei. */
  credit(account: Address, signal?: AbortSignal): Promise<bigint>;
  environmentOf(prover: Address, signal?: AbortSignal): Promise<Hex>;
}

export interface ConnectOptions {
  /** Either an address or an open Rpc. */
  readonly rpc: string | Rpc;
  readonly coordinator: Address;
  /** Read from the coordinator if not given; checked against it if given. */
  readonly registry?: Address | undefined;
  /** Blocks per eth_getLogs at most. */
  readonly maxRange?: number;
  readonly signal?: AbortSignal;
}

const STATUSES: readonly RequestStatus[] = ["open", "fulfilled", "expired"];

export async function connect(options: ConnectOptions): Promise<ChainClient> {
  const { coordinator, signal, maxRange = 10_000 } = options;
  const rpc = typeof options.rpc === "string" ? httpRpc(options.rpc) : options.rpc;
  const chainId = BigInt((await rpc.request("eth_chainId", [], signal)) as string);
  const code = (await rpc.request("eth_getCode", [coordinator, "latest"], signal)) as string;
  if (code === "0x") {
    throw new NodeError(
      "chain",
      `there is no contract at the coordinator's address ${coordinator} on chain ${chainId}`,
      {
        mend: "Check the address and that the RPC endpoint is of the right chain.",
      },
    );
  }

  async function read(abi: Interface, to: Address, name: string, args: readonly unknown[], stop?: AbortSignal) {
    const data = abi.encodeFunctionData(name, [...args]);
    const answer = (await rpc.request("eth_call", [{ to, data }, "latest"], stop)) as string;
    try {
      const [value] = abi.decodeFunctionResult(name, answer) as unknown as [unknown];
      return value;
    } catch (cause) {
      // "0x" from an endpoint that lags behind the deployment, or from one that answers nonsense for a moment.
      throw new NodeError("chain", `${name}: ${rpc.name} answered what the contract cannot have said`, {
        retry: true,
        mend: "Check that the endpoint is of the right chain and in step with it.",
        cause,
      });
    }
  }
  /** The view's value, or undefined where the contract refuses with `absent`. */
  async function readUnless(
    absent: RefusalName,
    ...[abi, to, name, args, stop]: Parameters<typeof read>
  ): Promise<Fields | undefined> {
    try {
      return (await read(abi, to, name, args, stop)) as Fields;
    } catch (error) {
      if (refusalOf(error)?.name === absent) return undefined;
      throw explained(error, name);
    }
  }

  const declared = (await read(coordinatorAbi, coordinator, "registry", [], signal)) as Address;
  if (options.registry !== undefined && options.registry.toLowerCase() !== declared.toLowerCase()) {
    throw new NodeError("input", `the coordinator looks models up in ${declared}, not in ${options.registry}`, {
      mend: "Leave the registry out, or correct the addresses: they are of different deployments.",
    });
  }
  const registry = declared;

  async function findLog(topic: Hex, id: RequestId, fromBlock: number, stop?: AbortSignal) {
    const end = (await head(stop)).number;
    let span = maxRange;
    for (let from = fromBlock; from <= end;) {
      const filter = { address: coordinator, topics: [topic, id] };
      const batch = await readLogs(rpc, filter, from, end, span, stop);
      const log = batch.logs.find(({ removed }) => removed !== true);
      if (log !== undefined) return log;
      from = batch.to + 1;
      span = Math.min(maxRange, batch.span * 2);
    }
    return undefined;
  }

  async function head(stop?: AbortSignal): Promise<Block> {
    const block = await blockAt(rpc, "latest", stop);
    if (block === undefined) throw new NodeError("chain", "the endpoint has no latest block", { retry: true });
    return block;
  }

  return {
    rpc,
    chainId,
    coordinator,
    registry,
    head,
    async requestOf(id, stop) {
      const raw = await readUnless("RequestUnknown", coordinatorAbi, coordinator, "requestOf", [id], stop);
      if (raw === undefined) return undefined;
      const status = STATUSES[Number(raw["status"])];
      if (status === undefined) throw new NodeError("chain", `request ${id} has an unknown status`);
      return {
        requester: raw["requester"] as Address,
        fee: raw["fee"] as bigint,
        model: raw["model"] as ModelId,
        inputHash: raw["inputHash"] as Hex,
        deadline: Number(raw["deadline"]),
        requiredEvidence: Number(raw["requiredEvidence"]),
        allowDevelopmentKeys: raw["allowDevelopmentKeys"] as boolean,
        status,
      };
    },
    async result(id, stop) {
      const raw = await readUnless("RequestNotFulfilled", coordinatorAbi, coordinator, "result", [id], stop);
      if (raw === undefined) return undefined;
      return {
        output: bytesOf(raw["output"] as string),
        model: raw["model"] as ModelId,
        prover: raw["prover"] as Address,
        evidence: Number(raw["evidence"]),
        fulfilledAt: Number(raw["fulfilledAt"]),
        environment: raw["environment"] as Hex,
      };
    },
    async modelOf(id, stop) {
      const raw = await readUnless("ModelUnknown", registryAbi, registry, "modelOf", [id], stop);
      if (raw === undefined) return undefined;
      return {
        key: raw["key"] as Address,
        inputLength: Number(raw["inputLength"]),
        outputLength: Number(raw["outputLength"]),
        keyKind: keyKindOf(raw["keyKind"] as bigint),
        retired: raw["retired"] as boolean,
        publisher: raw["publisher"] as Address,
        registeredAt: Number(raw["registeredAt"]),
        keyHash: raw["keyHash"] as Hex,
        sourceDigest: digestOfHex(raw["sourceDigest"] as string),
        quantizedDigest: digestOfHex(raw["quantizedDigest"] as string),
        circuitDigest: digestOfHex(raw["circuitDigest"] as string),
        manifestDigest: digestOfHex(raw["manifestDigest"] as string),
        manifestURI: raw["manifestURI"] as string,
      };
    },
    async keyOf(id, stop) {
      const raw = await readUnless("ModelUnknown", registryAbi, registry, "keyOf", [id], stop);
      return raw === undefined ? undefined : keyOfBytes(bytesOf(raw as unknown as string));
    },
    async requested(id, fromBlock, stop) {
      const log = await findLog(REQUESTED_TOPIC, id, fromBlock, stop);
      return log === undefined ? undefined : decodeRequested(log);
    },
    async fulfilled(id, fromBlock, stop) {
      const log = await findLog(FULFILLED_TOPIC, id, fromBlock, stop);
      return log === undefined ? undefined : decodeFulfilled(log);
    },
    credit: async (account, stop) => (await read(coordinatorAbi, coordinator, "credit", [account], stop)) as bigint,
    environmentOf: async (prover, stop) =>
      (await read(coordinatorAbi, coordinator, "environmentOf", [prover], stop)) as Hex,
  };
}

/** A decoded struct, by the names in abi.ts. */
type Fields = Readonly<Record<string, unknown>>;
