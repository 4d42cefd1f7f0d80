// Between the chain's bytes and our nouns: the challenge r and the ids, calls, views and events. Pure; mirrors ClaimLib
// and ModelRegistry in contracts/, to which tests hold it. What the contracts' errors mean is in refusal.ts.
import { AbiCoder, getAddress, Interface, keccak256, toUtf8Bytes } from "ethers";
import {
  type Address,
  type Digest,
  DOMAINS,
  type Hex,
  KEY_KIND_CODE,
  type KeyKind,
  type ModelId,
  type Proof,
  type RequestId,
  type VerifyingKey,
} from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { R } from "../core/field.ts";
import { COORDINATOR_ABI, REGISTRY_ABI } from "./abi.ts";

export const coordinatorAbi = new Interface(COORDINATOR_ABI);
export const registryAbi = new Interface(REGISTRY_ABI);

export interface BlockRef {
  readonly number: number;
  readonly hash: Hex;
}

/** A Requested event. */
export interface RequestSeen {
  readonly id: RequestId;
  readonly model: ModelId;
  readonly requester: Address;
  /** Wei. */
  readonly fee: bigint;
  /** Unix seconds: the last second at which it may be fulfilled. */
  readonly deadline: number;
  readonly requiredEvidence: number;
  readonly allowDevelopmentKeys: boolean;
  readonly input: Uint8Array;
  readonly block: BlockRef;
  readonly transaction: Hex;
}

/** A Fulfilled event: with the request's input, all that it takes to check the proof again. */
export interface FulfilmentSeen {
  readonly id: RequestId;
  readonly model: ModelId;
  readonly prover: Address;
  readonly evidence: number;
  readonly environment: Hex;
  readonly c: bigint;
  readonly output: Uint8Array;
  readonly proof: Proof;
  readonly block: BlockRef;
  readonly transaction: Hex;
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
  /** Zero (ZERO_ID) for a sample. */
  readonly request: Hex;
  readonly model: ModelId;
  /** The publisher for a sample. */
  readonly prover: Address;
  readonly c: bigint;
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

export interface ModelFacts {
  readonly publisher: Address;
  readonly sourceDigest: Digest;
  readonly quantizedDigest: Digest;
  readonly circuitDigest: Digest;
  readonly manifestDigest: Digest;
  readonly keyHash: Hex;
  readonly keyKind: KeyKind;
  /** Bytes. */
  readonly inputLength: number;
  readonly outputLength: number;
}

export const ZERO_ID: Hex = `0x${"0".repeat(64)}`;
const domainHash = (name: keyof typeof DOMAINS): string => keccak256(toUtf8Bytes(DOMAINS[name]));
const encode = (types: readonly string[], values: readonly unknown[]): string =>
  AbiCoder.defaultAbiCoder().encode([...types], [...values]);

export const keccak = (bytes: Uint8Array): Hex => keccak256(bytes) as Hex;
export const hexOf = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString("hex")}`;
export const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), "hex"));
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
export function challenge(kind: "claim" | "sample", claim: Claim): bigint {
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
      keccak256(claim.input),
      keccak256(claim.output),
    ],
  );
  return BigInt(keccak256(text)) % R;
}

/** A model's name on every chain: keccak256 of what its publisher declares. */
export function modelId(model: ModelFacts): ModelId {
  const text = encode(
    ["bytes32", "address", "bytes32", "bytes32", "bytes32", "bytes32", "bytes32", "uint8", "uint32", "uint32"],
    [
      domainHash("model"),
      model.publisher,
      hexOfDigest(model.sourceDigest),
      hexOfDigest(model.quantizedDigest),
      hexOfDigest(model.circuitDigest),
      hexOfDigest(model.manifestDigest),
      model.keyHash,
      KEY_KIND_CODE[model.keyKind],
      model.inputLength,
      model.outputLength,
    ],
  );
  return keccak256(text) as ModelId;
}

/** The id that the coordinator gives to the `nonce`-th request (from 0) of `requester`. */
export function requestId(args: {
  readonly chainId: bigint;
  readonly coordinator: Address;
  readonly requester: Address;
  readonly nonce: bigint;
  readonly model: ModelId;
  readonly input: Uint8Array;
}): RequestId {
  const text = encode(
    ["bytes32", "uint256", "address", "address", "uint256", "bytes32", "bytes32"],
    [
      domainHash("request"),
      args.chainId,
      args.coordinator,
      args.requester,
      args.nonce,
      args.model,
      keccak256(args.input),
    ],
  );
  return keccak256(text) as RequestId;
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

const REQUESTED = coordinatorAbi.getEvent("Requested")!;
const FULFILLED = coordinatorAbi.getEvent("Fulfilled")!;
export const REQUESTED_TOPIC = REQUESTED.topicHash as Hex;
export const FULFILLED_TOPIC = FULFILLED.topicHash as Hex;

const place = (log: RawLog): { readonly block: BlockRef; readonly transaction: Hex } => ({
  block: { number: Number(log.blockNumber), hash: log.blockHash as Hex },
  transaction: log.transactionHash as Hex,
});

export function decodeRequested(log: RawLog): RequestSeen {
  const args = coordinatorAbi.decodeEventLog(REQUESTED, log.data, log.topics) as unknown as {
    id: string;
    model: string;
    requester: string;
    fee: bigint;
    deadline: bigint;
    requiredEvidence: bigint;
    allowDevelopmentKeys: boolean;
    input: string;
  };
  return {
    id: args.id as RequestId,
    model: args.model as ModelId,
    requester: args.requester as Address,
    fee: args.fee,
    deadline: Number(args.deadline),
    requiredEvidence: Number(args.requiredEvidence),
    allowDevelopmentKeys: args.allowDevelopmentKeys,
    input: bytesOf(args.input),
    ...place(log),
  };
}

export function decodeFulfilled(log: RawLog): FulfilmentSeen {
  const args = coordinatorAbi.decodeEventLog(FULFILLED, log.data, log.topics) as unknown as {
    id: string;
    model: string;
    prover: string;
    evidence: bigint;
    environment: string;
    c: bigint;
    output: string;
    proof: readonly bigint[];
  };
  return {
    id: args.id as RequestId,
    model: args.model as ModelId,
    prover: args.prover as Address,
    evidence: Number(args.evidence),
    environment: args.environment as Hex,
    c: args.c,
    output: bytesOf(args.output),
    proof: proofOfWords([...args.proof]),
    ...place(log),
  };
}
