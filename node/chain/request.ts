// A request as the coordinator takes it: the struct, its EIP-712 digest (which is the request's id and what a requester
// signs), a draft with sane terms, and what the contract computes of it. Pure, and fit for a browser; mirrors RequestLib.
import { AbiCoder, getBytes, keccak256, toUtf8Bytes, TypedDataEncoder } from "ethers";
import {
  type Address,
  Evidence,
  type Hex,
  INPUT_KIND_CODE,
  type InputKind,
  type ModelId,
  type RequestId,
} from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";

/** contracts/types/Request.sol, field by field. Amounts in the token's smallest unit, times in Unix seconds. */
export interface Request {
  readonly requester: Address;
  /** Whose account pays, and gets back what is not spent. */
  readonly payer: Address;
  /** Contract that is called with the answer; NOBODY for none. */
  readonly consumer: Address;
  /** The only prover that may claim or fulfil; NOBODY for anybody. */
  readonly prover: Address;
  readonly model: ModelId;
  readonly inputKind: InputKind;
  /** keccak256 of the input; private: the commitment; source: zero before it was read. */
  readonly inputHash: Hex;
  /** keccak256 of what is sent beside the request, if that is not the input itself; zero for data. */
  readonly originHash: Hex;
  /** NOBODY for the native coin. */
  readonly token: Address;
  /** The price rises from minFee at `start` to maxFee at `rampEnd`. */
  readonly minFee: bigint;
  readonly maxFee: bigint;
  readonly minCollateral: bigint;
  readonly start: number;
  readonly rampEnd: number;
  readonly deadline: number;
  readonly submitBy: number;
  /** Seconds for which a claim keeps others out; 0: no claims. */
  readonly claimPeriod: number;
  readonly callbackGas: number;
  /** Bits of Evidence that the result must carry. */
  readonly requiredEvidence: number;
  readonly allowDevelopmentKeys: boolean;
  readonly nonce: bigint;
  /** Block at which a source was read; 0 as it is sent. */
  readonly readAt: number;
}

/** Address zero: no consumer, any prover, the native coin. */
export const NOBODY = `0x${"0".repeat(40)}` as Address;
export const ZERO_HASH: Hex = `0x${"0".repeat(64)}`;
const BPS = 10_000n;

/** In the contract's order; the EIP-712 type, the ABI's tuple and every conversion follow from this table. */
export const REQUEST_FIELDS: readonly { readonly name: keyof Request; readonly type: string }[] = [
  { name: "requester", type: "address" },
  { name: "payer", type: "address" },
  { name: "consumer", type: "address" },
  { name: "prover", type: "address" },
  { name: "model", type: "bytes32" },
  { name: "inputKind", type: "uint8" },
  { name: "inputHash", type: "bytes32" },
  { name: "originHash", type: "bytes32" },
  { name: "token", type: "address" },
  { name: "minFee", type: "uint96" },
  { name: "maxFee", type: "uint96" },
  { name: "minCollateral", type: "uint96" },
  { name: "start", type: "uint32" },
  { name: "rampEnd", type: "uint32" },
  { name: "deadline", type: "uint32" },
  { name: "submitBy", type: "uint32" },
  { name: "claimPeriod", type: "uint32" },
  { name: "callbackGas", type: "uint32" },
  { name: "requiredEvidence", type: "uint32" },
  { name: "allowDevelopmentKeys", type: "bool" },
  { name: "nonce", type: "uint64" },
  { name: "readAt", type: "uint40" },
];

/** The types of the EIP-712 message, for signTypedData. */
export const REQUEST_TYPES: Record<string, { name: string; type: string }[]> = {
  Request: REQUEST_FIELDS.map(({ name, type }) => ({ name, type })),
};

/** Where a request is made: the EIP-712 domain. */
export interface RequestDomain {
  readonly chainId: bigint;
  readonly coordinator: Address;
}

export function typedDomain({ chainId, coordinator }: RequestDomain) {
  return { name: "Glassbox", version: "1", chainId, verifyingContract: coordinator };
}

/** The struct with its input kind as the contract's number: what ethers encodes, as a call's argument or typed data. */
export function requestTuple(r: Request): Record<string, unknown> {
  return { ...r, inputKind: INPUT_KIND_CODE[r.inputKind] };
}

/** A request as ethers decodes it. */
export function requestOfTuple(raw: Readonly<Record<keyof Request, unknown>>): Request {
  const read = ({ name, type }: (typeof REQUEST_FIELDS)[number]): unknown => {
    if (name === "inputKind") return inputKindOf(Number(raw.inputKind));
    return /^uint(8|32|40)$/.test(type) ? Number(raw[name]) : raw[name];
  };
  return Object.fromEntries(REQUEST_FIELDS.map((field) => [field.name, read(field)])) as unknown as Request;
}

export function inputKindOf(code: number): InputKind {
  for (const kind of Object.keys(INPUT_KIND_CODE) as InputKind[]) if (INPUT_KIND_CODE[kind] === code) return kind;
  throw new NodeError("chain", `an input of kind ${code}, which this version does not know`, {
    mend: "Update Glassbox.",
  });
}

/** The mask of a model that takes these kinds of input. */
export const inputKindsMask = (kinds: readonly InputKind[]): number =>
  kinds.reduce((mask, kind) => mask | (1 << INPUT_KIND_CODE[kind]), 0);
export const inputKindsOf = (mask: number): InputKind[] =>
  (Object.keys(INPUT_KIND_CODE) as InputKind[]).filter((kind) => mask & (1 << INPUT_KIND_CODE[kind]));

/** The id of `r` as it stands: of a source's request only as it is in the event, with what was read. */
export function requestId(domain: RequestDomain, r: Request): RequestId {
  return TypedDataEncoder.hash(typedDomain(domain), REQUEST_TYPES, requestTuple(r)) as RequestId;
}

/** What answering pays at `time` (Unix seconds): minFee to `start`, maxFee from `rampEnd` on, linear in between. */
export function priceAt(r: Pick<Request, "minFee" | "maxFee" | "start" | "rampEnd">, time: number): bigint {
  if (time >= r.rampEnd) return r.maxFee;
  if (time <= r.start) return r.minFee;
  return r.minFee + ((r.maxFee - r.minFee) * BigInt(time - r.start)) / BigInt(r.rampEnd - r.start);
}

/** First second at which answering pays `price` or more; undefined if it never does. */
export function timeOfPrice(
  r: Pick<Request, "minFee" | "maxFee" | "start" | "rampEnd">,
  price: bigint,
): number | undefined {
  if (price <= r.minFee) return r.start;
  if (price > r.maxFee) return undefined;
  const [rise, span] = [r.maxFee - r.minFee, BigInt(r.rampEnd - r.start)];
  // The least t with floor(rise * t / span) >= price - minFee.
  return r.start + Number(((price - r.minFee) * span + rise - 1n) / rise);
}

/** What a claim at `price` locks, in the request's token. */
export function collateralAt(r: Pick<Request, "minCollateral">, price: bigint, collateralBps: number): bigint {
  const share = (price * BigInt(collateralBps)) / BPS;
  return share > r.minCollateral ? share : r.minCollateral;
}

/** What a request's amounts are in, for people. */
export const unitOf = ({ token }: Pick<Request, "token">): string => (token === NOBODY ? "wei" : `of token ${token}`);

/** Last second of a claim that was made at `time`. */
export function claimEnd(r: Pick<Request, "claimPeriod">, time: number): number {
  return time + r.claimPeriod;
}

/** Seconds that a claim leaves to the deadline at least. */
const MIN_TIME_AFTER_CLAIM = 60;

/** Last second at which the request can be claimed: a claim leaves as much time to the deadline as it lasts, or a minute. */
export function lastClaim(r: Pick<Request, "claimPeriod" | "deadline">): number {
  return r.deadline - r.claimPeriod - Math.max(r.claimPeriod, MIN_TIME_AFTER_CLAIM);
}

/** Where a request's input comes from. */
export type InputFrom =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** The node fetches `uri` and checks that its bytes have the hash. */
  | { readonly kind: "reference"; readonly uri: string; readonly hash: Hex }
  /** The coordinator calls read(query) of `source` in the transaction of the request. */
  | { readonly kind: "source"; readonly source: Address; readonly query: Uint8Array }
  /** `uri` says where the chosen prover finds what was encrypted for it; none if it is brought to it. */
  | { readonly kind: "private"; readonly commitment: Hex; readonly uri?: string };

export interface Terms {
  readonly requester: Address;
  readonly model: ModelId;
  readonly from: InputFrom;
  /** Seconds: the chain's time, from which the times below count. */
  readonly now: number;
  /** A flat price; or an auction from `min` to `max` over `ramp` seconds. */
  readonly fee: bigint | { readonly min: bigint; readonly max: bigint; readonly ramp: number };
  /** Seconds from the start to the last second of an answer. Default: an hour. */
  readonly within?: number | undefined;
  /** Seconds from now to the start: until then it may be cancelled. Default 0. */
  readonly delay?: number | undefined;
  /** Seconds; default: a quarter of the time to the deadline, at most 10 minutes. 0 for no claims. */
  readonly claimPeriod?: number | undefined;
  readonly minCollateral?: bigint | undefined;
  /** Default: the native coin. */
  readonly token?: Address | undefined;
  /** Default: the requester. */
  readonly payer?: Address | undefined;
  readonly prover?: Address | undefined;
  readonly callback?: { readonly consumer: Address; readonly gas: number } | undefined;
  /** Bits of Evidence. Default: a zk proof. */
  readonly requiredEvidence?: number | undefined;
  /** Default: no. */
  readonly allowDevelopmentKeys?: boolean | undefined;
  /** Seconds from now within which it must be made. Default: an hour, or to the deadline if that is sooner. */
  readonly submitWithin?: number | undefined;
  /** Default: random. */
  readonly nonce?: bigint | undefined;
}

export interface Drafted {
  readonly request: Request;
  /** What is sent beside it: the input, a URI, or abi.encode(source, query). */
  readonly input: Uint8Array;
}

/** The bytes that are sent beside a request. */
export function inputBytes(from: InputFrom): Uint8Array {
  switch (from.kind) {
    case "data":
      return from.bytes;
    case "reference":
      return toUtf8Bytes(from.uri);
    case "source":
      return getBytes(AbiCoder.defaultAbiCoder().encode(["address", "bytes"], [from.source, from.query]));
    case "private":
      return toUtf8Bytes(from.uri ?? "");
  }
}

/** A request with what it must say, and usual terms for the rest. */
export function draftRequest(terms: Terms): Drafted {
  const { requester, from, now, fee, within = 3600, delay = 0 } = terms;
  const { min, max, ramp } = typeof fee === "bigint" ? { min: fee, max: fee, ramp: 0 } : fee;
  const input = inputBytes(from);
  const start = now + delay;
  const deadline = start + within;
  const request: Request = {
    requester,
    payer: terms.payer ?? requester,
    consumer: terms.callback?.consumer ?? NOBODY,
    prover: terms.prover ?? NOBODY,
    model: terms.model,
    inputKind: from.kind,
    inputHash: inputHashOf(from),
    originHash: from.kind === "data" ? ZERO_HASH : (keccak256(input) as Hex),
    token: terms.token ?? NOBODY,
    minFee: min,
    maxFee: max,
    minCollateral: terms.minCollateral ?? 0n,
    start,
    rampEnd: Math.min(start + ramp, deadline),
    deadline,
    submitBy: Math.min(now + (terms.submitWithin ?? 3600), deadline),
    claimPeriod: terms.claimPeriod ?? Math.min(600, Math.floor(within / 4)),
    callbackGas: terms.callback?.gas ?? 0,
    requiredEvidence: terms.requiredEvidence ?? Evidence.zk,
    allowDevelopmentKeys: terms.allowDevelopmentKeys ?? false,
    nonce: terms.nonce ?? randomNonce(),
    readAt: 0,
  };
  return { request, input };
}

function inputHashOf(from: InputFrom): Hex {
  if (from.kind === "data") return keccak256(from.bytes) as Hex;
  if (from.kind === "reference") return from.hash;
  return from.kind === "private" ? from.commitment : ZERO_HASH;
}

/** 64 random bits. */
export function randomNonce(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] as bigint;
}
