// What the coordinator and the registry say, as typed values: for the node, the auditor and the command line. Reads only;
// transactions are in write.ts. Relies on codec for spelling and on refusal for the contracts' reasons.
import type {
  Address,
  Digest,
  Hex,
  InputKind,
  KeyKind,
  ModelId,
  RequestId,
  SeriesId,
  VerifyingKey,
} from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Interface } from "ethers";
import {
  bytesOf,
  type ClaimSeen,
  coordinatorAbi,
  decodeClaimed,
  decodeFulfilled,
  decodeInputRead,
  decodeRequested,
  digestOfHex,
  type FulfilmentSeen,
  type InputReadSeen,
  keyKindOf,
  keyKindsOf,
  keyOfBytes,
  registryAbi,
  type RequestSeen,
  TOPICS,
} from "./codec.ts";
import { type Block, blockAt, readLogs } from "./follow.ts";
import { explained, type RefusalName, refusalOf } from "./refusal.ts";
import { inputKindsOf, NOBODY, type Request, type RequestDomain, requestTuple, ZERO_HASH } from "./request.ts";
import { httpRpc, type Rpc } from "./rpc.ts";

export type RequestStatus = "unknown" | "open" | "claimed" | "fulfilled" | "expired";

/** A claim that stands, or stood to its end. */
export interface ClaimRecord {
  readonly claimer: Address;
  /** Unix seconds: the last second at which nobody else may fulfil. */
  readonly end: number;
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
  readonly inputKinds: readonly InputKind[];
  readonly retired: boolean;
  readonly collateralBps: number;
  readonly royaltyBps: number;
  readonly registeredAt: number;
  readonly series: SeriesId;
  /** Position in its series, from 1. */
  readonly version: number;
  /** What its publisher names instead; undefined while it is not deprecated. */
  readonly successor: ModelId | undefined;
  readonly registrant: Address;
  readonly keyHash: Hex;
  readonly sourceDigest: Digest;
  readonly quantizedDigest: Digest;
  readonly circuitDigest: Digest;
  readonly manifestDigest: Digest;
  readonly tensors: Uint8Array;
  readonly manifestURI: string;
}

export interface SeriesRecord {
  /** The publisher. */
  readonly owner: Address;
  readonly pendingOwner: Address | undefined;
  readonly keyKinds: readonly KeyKind[];
  readonly versions: number;
  readonly name: string;
}

/** Reads. Who asks about a request brings it along, from its event: the coordinator keeps its digest alone. */
export interface ChainClient extends RequestDomain {
  readonly rpc: Rpc;
  readonly registry: Address;
  head(signal?: AbortSignal): Promise<Block>;
  /** Expired from the second after the deadline on, whether somebody sent expire or not. */
  statusOf(r: Request, signal?: AbortSignal): Promise<RequestStatus>;
  /** Undefined while nobody claimed it, and once it is fulfilled or expired. */
  claimOf(r: Request, signal?: AbortSignal): Promise<ClaimRecord | undefined>;
  callbackPending(id: RequestId, signal?: AbortSignal): Promise<boolean>;
  /** Undefined while there is no result. */
  resultOf(id: RequestId, signal?: AbortSignal): Promise<ResultRecord | undefined>;
  modelOf(id: ModelId, signal?: AbortSignal): Promise<ModelRecord | undefined>;
  seriesOf(id: SeriesId, signal?: AbortSignal): Promise<SeriesRecord | undefined>;
  /** The verifying key from the registry's own code contract. */
  keyOf(id: ModelId, signal?: AbortSignal): Promise<VerifyingKey | undefined>;
  /** The request's event, searched from `fromBlock` on. */
  requested(id: RequestId, fromBlock: number, signal?: AbortSignal): Promise<RequestSeen | undefined>;
  fulfilled(id: RequestId, fromBlock: number, signal?: AbortSignal): Promise<FulfilmentSeen | undefined>;
  claimed(id: RequestId, fromBlock: number, signal?: AbortSignal): Promise<ClaimSeen | undefined>;
  inputRead(id: RequestId, fromBlock: number, signal?: AbortSignal): Promise<InputReadSeen | undefined>;
  /** What `account` can withdraw or spend of `token` (NOBODY for the native coin), in its smallest unit. */
  balanceOf(account: Address, token: Address, signal?: AbortSignal): Promise<bigint>;
  /** What `consumer` may spend from `account`. */
  allowance(account: Address, consumer: Address, token: Address, signal?: AbortSignal): Promise<bigint>;
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

const STATUSES: readonly RequestStatus[] = ["unknown", "open", "claimed", "fulfilled", "expired"];

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
      const values = abi.decodeFunctionResult(name, answer);
      return (values.length === 1 ? values[0] : values) as unknown;
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

  const ask = (name: string, args: readonly unknown[], stop?: AbortSignal): Promise<unknown> =>
    read(coordinatorAbi, coordinator, name, args, stop);

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
    async statusOf(r, stop) {
      const status = STATUSES[Number(await ask("statusOf", [requestTuple(r)], stop))];
      if (status === undefined) throw new NodeError("chain", "a request has an unknown status");
      return status;
    },
    async claimOf(r, stop) {
      const [claimer, end] = (await ask("claimOf", [requestTuple(r)], stop)) as [Address, bigint];
      return claimer === NOBODY ? undefined : { claimer, end: Number(end) };
    },
    callbackPending: async (id, stop) => (await ask("callbackPending", [id], stop)) as boolean,
    async resultOf(id, stop) {
      const raw = await readUnless("RequestNotFulfilled", coordinatorAbi, coordinator, "resultOf", [id], stop);
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
      const successor = raw["successor"] as ModelId;
      return {
        key: raw["key"] as Address,
        inputLength: Number(raw["inputLength"]),
        outputLength: Number(raw["outputLength"]),
        keyKind: keyKindOf(raw["keyKind"] as bigint),
        inputKinds: inputKindsOf(Number(raw["inputKinds"])),
        retired: raw["retired"] as boolean,
        collateralBps: Number(raw["collateralBps"]),
        royaltyBps: Number(raw["royaltyBps"]),
        registeredAt: Number(raw["registeredAt"]),
        series: raw["series"] as SeriesId,
        version: Number(raw["version"]),
        successor: successor === ZERO_HASH ? undefined : successor,
        registrant: raw["registrant"] as Address,
        keyHash: raw["keyHash"] as Hex,
        sourceDigest: digestOfHex(raw["sourceDigest"] as string),
        quantizedDigest: digestOfHex(raw["quantizedDigest"] as string),
        circuitDigest: digestOfHex(raw["circuitDigest"] as string),
        manifestDigest: digestOfHex(raw["manifestDigest"] as string),
        tensors: bytesOf(raw["tensors"] as string),
        manifestURI: raw["manifestURI"] as string,
      };
    },
    async seriesOf(id, stop) {
      const raw = await readUnless("SeriesUnknown", registryAbi, registry, "seriesOf", [id], stop);
      if (raw === undefined) return undefined;
      const pending = raw["pendingOwner"] as Address;
      return {
        owner: raw["owner"] as Address,
        pendingOwner: pending === NOBODY ? undefined : pending,
        keyKinds: keyKindsOf(Number(raw["keyKinds"])),
        versions: Number(raw["versions"]),
        name: raw["name"] as string,
      };
    },
    async keyOf(id, stop) {
      const raw = await readUnless("ModelUnknown", registryAbi, registry, "keyOf", [id], stop);
      return raw === undefined ? undefined : keyOfBytes(bytesOf(raw as unknown as string));
    },
    async requested(id, fromBlock, stop) {
      const log = await findLog(TOPICS.requested, id, fromBlock, stop);
      return log === undefined ? undefined : decodeRequested(log);
    },
    async fulfilled(id, fromBlock, stop) {
      const log = await findLog(TOPICS.fulfilled, id, fromBlock, stop);
      return log === undefined ? undefined : decodeFulfilled(log);
    },
    async claimed(id, fromBlock, stop) {
      const log = await findLog(TOPICS.claimed, id, fromBlock, stop);
      return log === undefined ? undefined : decodeClaimed(log);
    },
    async inputRead(id, fromBlock, stop) {
      const log = await findLog(TOPICS.inputRead, id, fromBlock, stop);
      return log === undefined ? undefined : decodeInputRead(log);
    },
    balanceOf: async (account, token, stop) => (await ask("balanceOf", [account, token], stop)) as bigint,
    allowance: async (account, consumer, token, stop) =>
      (await ask("allowance", [account, consumer, token], stop)) as bigint,
    environmentOf: async (prover, stop) => (await ask("environmentOf", [prover], stop)) as Hex,
  };
}

/** A decoded struct, by the names in abi.ts. */
type Fields = Readonly<Record<string, unknown>>;
