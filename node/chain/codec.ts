// Between the chain's bytes and our nouns: the challenge r, the ids of models and series, keys, proofs and events. Pure;
// mirrors ClaimLib and ModelRegistry in contracts/, to which tests hold it. Requests are in request.ts, errors in refusal.ts.
import { AbiCoder, getAddress, getBytes, hexlify, Interface, keccak256, toUtf8Bytes } from "ethers";
import {
  type Address,
  type Digest,
  DOMAINS,
  type Hex,
  type InputKind,
  KEY_KIND_CODE,
  type KeyKind,
  type ModelId,
  type Proof,
  type RequestId,
  type SeriesId,
  type VerifyingKey,
} from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { R } from "../core/field.ts";
import { COORDINATOR_ABI, REGISTRY_ABI, RELAY_ABI } from "./abi.ts";
import { inputKindsMask, type Request, requestOfTuple } from "./request.ts";

export const coordinatorAbi = new Interface(COORDINATOR_ABI);
export const registryAbi = new Interface(REGISTRY_ABI);
export const relayAbi = new Interface(RELAY_ABI);

export interface BlockRef {
  readonly number: number;
  readonly hash: Hex;
}

/** A Requested event. */
export interface RequestSeen {
  readonly id: RequestId;
  /** As it is stored: with inputHash and readAt of a source filled in. */
  readonly request: Request;
  /** The input (data, source) or the URI that it is fetched from (reference, private). */
  readonly input: Uint8Array;
  readonly block: BlockRef;
  readonly transaction: Hex;
}

/** A Fulfilled event: with the request's input, all that it takes to check the proof again. */
export interface FulfilmentSeen {
  readonly id: RequestId;
  readonly model: ModelId;
  readonly prover: Address;
  /** What it was paid, with the publisher's royalty; in the request's token. */
  readonly price: bigint;
  readonly evidence: number;
  readonly environment: Hex;
  readonly c: bigint;
  readonly output: Uint8Array;
  readonly proof: Proof;
  readonly block: BlockRef;
  readonly transaction: Hex;
}

/** A Claimed event. */
export interface ClaimSeen {
  readonly id: RequestId;
  readonly prover: Address;
  readonly price: bigint;
  readonly collateral: bigint;
  /** Unix seconds: the last second at which nobody else may fulfil. */
  readonly end: number;
  readonly transaction: Hex;
}

/** An InputRead event: which contract was asked what. */
export interface InputReadSeen {
  readonly source: Address;
  readonly query: Uint8Array;
}

/** A log as eth_getLogs gives it. */
export interface RawLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
  readonly blockNumber: string;
  readonly blockHash: string;
  readonly transactionHash: string;
  readonly logIndex: string;
  readonly removed?: boolean;
}

export interface Claim {
  readonly chainId: bigint;
  /** The coordinator for a request, the registry for a sample: the contract that checks the claim. */
  readonly contract: Address;
  /** ZERO_HASH for a sample. */
  readonly request: Hex;
  readonly model: ModelId;
  /** The publisher for a sample. */
  readonly prover: Address;
  readonly c: bigint;
  /** Undefined if it is private: c then stands for its hash. */
  readonly input: Uint8Array | undefined;
  readonly output: Uint8Array;
}

/** All that a model's id is a hash of. */
export interface ModelFacts {
  readonly series: SeriesId;
  readonly sourceDigest: Digest;
  readonly quantizedDigest: Digest;
  readonly circuitDigest: Digest;
  readonly manifestDigest: Digest;
  readonly keyHash: Hex;
  readonly keyKind: KeyKind;
  /** Bytes. */
  readonly inputLength: number;
  readonly outputLength: number;
  readonly inputKinds: readonly InputKind[];
  /** Hundredths of a percent of a claim's price, and of each price. */
  readonly collateralBps: number;
  readonly royaltyBps: number;
  /** Types, scales and shapes, as the registry keeps them. */
  readonly tensors: Uint8Array;
}

const domainHash = (name: keyof typeof DOMAINS): string => keccak256(toUtf8Bytes(DOMAINS[name]));
const encode = (types: readonly string[], values: readonly unknown[]): string =>
  AbiCoder.defaultAbiCoder().encode([...types], [...values]);

export const keccak = (bytes: Uint8Array): Hex => keccak256(bytes) as Hex;
export const hexOf = (bytes: Uint8Array): Hex => hexlify(bytes) as Hex;
/** 32 bytes, big-endian. */
export const wordOf = (value: bigint): Hex => `0x${value.toString(16).padStart(64, "0")}`;
export const bytesOf = (hex: string): Uint8Array => getBytes(hex);
export const hexOfDigest = (digest: Digest): Hex => `0x${digest}`;
export const digestOfHex = (hex: string): Digest => hex.slice(2) as Digest;

/** Checks and checksums an address. @throws NodeError "input" */
export function parseAddress(text: string): Address {
  try {
    return getAddress(text) as Address;
  } catch (cause) {
    throw new NodeError("input", `${text} is not an address`, {
      mend: "Give 0x and 40 hexadecimal digits; where upper and lower case are mixed, they are a checksum.",
      cause,
    });
  }
}

/** Checks an id of 32 bytes (model, request). @throws NodeError "input" */
export function parseId(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) {
    throw new NodeError("input", `${text} is not an id`, { mend: "Give 0x and 64 hexadecimal digits." });
  }
  return text.toLowerCase() as Hex;
}

/** r of a claim, as ClaimLib.challenge computes it. */
export function challenge(kind: "claim" | "sample" | "direct", claim: Claim): bigint {
  const text = encode(
    ["bytes32", "uint256", "address", "bytes32", "bytes32", "address", "uint256", "bytes32", "bytes32"],
    [
      domainHash(kind),
      claim.chainId,
      claim.contract,
      claim.request,
      claim.model,
      claim.prover,
      claim.c,
      claim.input === undefined ? wordOf(claim.c) : keccak256(claim.input),
      keccak256(claim.output),
    ],
  );
  return BigInt(keccak256(text)) % R;
}

/** A series' name on every chain: keccak256 of whoever created it, and its name. */
export function seriesId(creator: Address, name: string): SeriesId {
  return keccak256(encode(["bytes32", "address", "string"], [domainHash("series"), creator, name])) as SeriesId;
}

/** A model's name on every chain: keccak256 of what its publisher declares. */
export function modelId(model: ModelFacts): ModelId {
  const fields = [
    ["bytes32", domainHash("model")],
    ["bytes32", model.series],
    ["bytes32", hexOfDigest(model.sourceDigest)],
    ["bytes32", hexOfDigest(model.quantizedDigest)],
    ["bytes32", hexOfDigest(model.circuitDigest)],
    ["bytes32", hexOfDigest(model.manifestDigest)],
    ["bytes32", model.keyHash],
    ["uint8", KEY_KIND_CODE[model.keyKind]],
    ["uint32", model.inputLength],
    ["uint32", model.outputLength],
    ["uint8", inputKindsMask(model.inputKinds)],
    ["uint16", model.collateralBps],
    ["uint16", model.royaltyBps],
    ["bytes32", keccak256(model.tensors)],
  ] as const;
  const text = encode(
    fields.map(([type]) => type),
    fields.map(([, value]) => value),
  );
  return keccak256(text) as ModelId;
}

/** The 704 bytes that the registry takes: alpha | beta, gamma, delta | IC[0..3], G2 halves imaginary first. */
export function keyBytes(key: VerifyingKey): Uint8Array {
  const words = [key.alpha, ...key.beta, ...key.gamma, ...key.delta, ...key.ic].flat();
  if (words.length !== 22) {
    throw new NodeError("integrity", `a verifying key of ${key.ic.length} IC points, not 4`, {
      mend: "Keys have three public signals: c, v and r. Make the key again with `glassbox compile`.",
    });
  }
  return bytesOf(encode(Array<string>(22).fill("uint256"), words));
}

export function keyOfBytes(bytes: Uint8Array): VerifyingKey {
  if (bytes.length !== 704) throw new NodeError("integrity", `a verifying key of ${bytes.length} bytes, not 704`);
  const word = (i: number): bigint => BigInt(hexOf(bytes.subarray(32 * i, 32 * i + 32)));
  const g1 = (i: number): [bigint, bigint] => [word(i), word(i + 1)];
  const g2 = (i: number): [[bigint, bigint], [bigint, bigint]] => [g1(i), g1(i + 2)];
  return { alpha: g1(0), beta: g2(2), gamma: g2(6), delta: g2(10), ic: [14, 16, 18, 20].map(g1) };
}

export const keyHash = (key: VerifyingKey): Hex => keccak(keyBytes(key));

/** A.x, A.y, B.x imaginary, B.x real, B.y imaginary, B.y real, C.x, C.y */
export function proofWords(proof: Proof): readonly bigint[] {
  return [...proof.a, ...proof.b.flat(), ...proof.c];
}

export function proofOfWords(words: readonly bigint[]): Proof {
  const [ax, ay, bxi, bxr, byi, byr, cx, cy, more] = words;
  if (cy === undefined || more !== undefined)
    throw new NodeError("integrity", `a proof of ${words.length} words, not 8`);
  return {
    a: [ax as bigint, ay as bigint],
    b: [
      [bxi as bigint, bxr as bigint],
      [byi as bigint, byr as bigint],
    ],
    c: [cx as bigint, cy],
  };
}

export function keyKindOf(code: bigint | number): KeyKind {
  for (const kind of Object.keys(KEY_KIND_CODE) as KeyKind[]) if (KEY_KIND_CODE[kind] === Number(code)) return kind;
  throw new NodeError("chain", `the registry records a key kind ${code} that this version does not know`, {
    mend: "Update Glassbox.",
  });
}

/** Masks of a series: which kinds of key its versions may ever have. */
export const keyKindsMask = (kinds: readonly KeyKind[]): number =>
  kinds.reduce((mask, kind) => mask | (1 << KEY_KIND_CODE[kind]), 0);
export const keyKindsOf = (mask: number): KeyKind[] =>
  (Object.keys(KEY_KIND_CODE) as KeyKind[]).filter((kind) => mask & (1 << KEY_KIND_CODE[kind]));

const EVENTS = {
  requested: coordinatorAbi.getEvent("Requested")!,
  fulfilled: coordinatorAbi.getEvent("Fulfilled")!,
  claimed: coordinatorAbi.getEvent("Claimed")!,
  inputRead: coordinatorAbi.getEvent("InputRead")!,
} as const;
type EventName = keyof typeof EVENTS;
/** First topic of each event. */
export const TOPICS = Object.fromEntries(
  Object.entries(EVENTS).map(([name, event]) => [name, event.topicHash]),
) as Readonly<Record<EventName, Hex>>;

const place = (log: RawLog): { readonly block: BlockRef; readonly transaction: Hex } => ({
  block: { number: Number(log.blockNumber), hash: log.blockHash as Hex },
  transaction: log.transactionHash as Hex,
});
const argsOf = (name: EventName, log: RawLog): Readonly<Record<string, unknown>> =>
  coordinatorAbi.decodeEventLog(EVENTS[name], log.data, log.topics);

export function decodeRequested(log: RawLog): RequestSeen {
  const { id, request, input } = argsOf("requested", log);
  return {
    id: id as RequestId,
    request: requestOfTuple(request as Readonly<Record<keyof Request, unknown>>),
    input: bytesOf(input as string),
    ...place(log),
  };
}

export function decodeFulfilled(log: RawLog): FulfilmentSeen {
  const args = argsOf("fulfilled", log);
  return {
    id: args["id"] as RequestId,
    model: args["model"] as ModelId,
    prover: args["prover"] as Address,
    price: args["price"] as bigint,
    evidence: Number(args["evidence"]),
    environment: args["environment"] as Hex,
    c: args["c"] as bigint,
    output: bytesOf(args["output"] as string),
    proof: proofOfWords([...(args["proof"] as readonly bigint[])]),
    ...place(log),
  };
}

export function decodeClaimed(log: RawLog): ClaimSeen {
  const args = argsOf("claimed", log);
  return {
    id: args["id"] as RequestId,
    prover: args["prover"] as Address,
    price: args["price"] as bigint,
    collateral: args["collateral"] as bigint,
    end: Number(args["end"]),
    transaction: log.transactionHash as Hex,
  };
}

export function decodeInputRead(log: RawLog): InputReadSeen {
  const { source, query } = argsOf("inputRead", log);
  return { source: source as Address, query: bytesOf(query as string) };
}
