// Every transaction to registry, coordinator and tokens as a Call: whom to call with what. Pure; sending is submit.ts, seeing
// one through is write.ts.
import { Interface } from "ethers";
import {
  type Address,
  type Hex,
  KEY_KIND_CODE,
  type KeyKind,
  type ModelId,
  type Proof,
  type SeriesId,
  type VerifyingKey,
} from "../core/domain.ts";
import {
  coordinatorAbi,
  hexOf,
  hexOfDigest,
  keyBytes,
  keyKindsMask,
  type ModelFacts,
  proofWords,
  registryAbi,
} from "./codec.ts";
import { type Drafted, inputKindsMask, NOBODY, type Request, requestTuple } from "./request.ts";

const tokenAbi = new Interface([
  "function approve(address spender, uint256 amount) returns (bool)",
  "function allowance(address owner, address spender) view returns (uint256)",
]);

/** A transaction, but for its sender. */
export interface Call {
  /** Undefined deploys `data` as a contract. */
  readonly to: Address | undefined;
  readonly data: Hex;
  /** Wei. */
  readonly value?: bigint;
  /** Gas limit; without it the chain is asked for an estimate. */
  readonly gas?: bigint;
}

/** All that the registry is told of a model. */
export interface Registration {
  readonly model: Omit<ModelFacts, "keyHash">;
  readonly manifestURI: string;
  readonly key: VerifyingKey;
  readonly sample: {
    /** Empty if the model's input is private. */
    readonly input: Uint8Array;
    readonly output: Uint8Array;
    readonly c: bigint;
    readonly proof: Proof;
  };
}

/** What a prover brings for a request. */
export interface Answer {
  /** Empty if the input is private. */
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  readonly c: bigint;
  readonly proof: Proof;
}

export interface Fulfilment {
  readonly request: Request;
  readonly answer: Answer;
  /** The address inside the claim; it is paid. */
  readonly prover: Address;
}

/** How a request is paid: from the payer's account at the coordinator, or with the transaction. */
export type Payment = "account" | "direct";
const PAYMENT_CODE: Readonly<Record<Payment, number>> = { account: 0, direct: 1 };

/** For withdraw: all there is; for authorise: without limit. */
export const ALL = 2n ** 256n - 1n;

const call = (to: Address, data: string, value = 0n): Call => ({
  to,
  data: data as Hex,
  ...(value === 0n ? {} : { value }),
});
const registryCall = (to: Address, name: string, args: readonly unknown[]): Call =>
  call(to, registryAbi.encodeFunctionData(name, [...args]));
const coordinatorCall = (to: Address, name: string, args: readonly unknown[], value?: bigint): Call =>
  call(to, coordinatorAbi.encodeFunctionData(name, [...args]), value);

// ---- the registry ----

export const createSeriesCall = (registry: Address, name: string, keyKinds: readonly KeyKind[]): Call =>
  registryCall(registry, "createSeries", [name, keyKindsMask(keyKinds)]);
export const offerSeriesCall = (registry: Address, id: SeriesId, to: Address): Call =>
  registryCall(registry, "offerSeries", [id, to]);
export const acceptSeriesCall = (registry: Address, id: SeriesId): Call => registryCall(registry, "acceptSeries", [id]);
export const deprecateCall = (registry: Address, id: ModelId, successor: ModelId): Call =>
  registryCall(registry, "deprecate", [id, successor]);
export const retireCall = (registry: Address, id: ModelId): Call => registryCall(registry, "retire", [id]);

export function registerCall(registry: Address, { model, manifestURI, key, sample }: Registration): Call {
  const params = {
    ...model,
    sourceDigest: hexOfDigest(model.sourceDigest),
    quantizedDigest: hexOfDigest(model.quantizedDigest),
    circuitDigest: hexOfDigest(model.circuitDigest),
    manifestDigest: hexOfDigest(model.manifestDigest),
    keyKind: KEY_KIND_CODE[model.keyKind],
    inputKinds: inputKindsMask(model.inputKinds),
    manifestURI,
  };
  const shown = { ...sample, proof: proofWords(sample.proof) };
  return registryCall(registry, "register", [model.series, params, hexOf(keyBytes(key)), shown]);
}

// ---- requests ----

/** Whoever sends it is the requester. */
export function requestCall(coordinator: Address, { request: r, input }: Drafted, payment: Payment): Call {
  const value = payment === "direct" && r.token === NOBODY ? r.maxFee : 0n;
  return coordinatorCall(coordinator, "request", [requestTuple(r), input, PAYMENT_CODE[payment]], value);
}
/** Anybody may send it; the payer's account pays. */
export const requestForCall = (coordinator: Address, { request: r, input }: Drafted, signature: Hex): Call =>
  coordinatorCall(coordinator, "requestFor", [requestTuple(r), input, signature]);
export const cancelCall = (coordinator: Address, r: Request): Call =>
  coordinatorCall(coordinator, "cancel", [requestTuple(r)]);
export const expireCall = (coordinator: Address, r: Request): Call =>
  coordinatorCall(coordinator, "expire", [requestTuple(r)]);
export const retryCallbackCall = (coordinator: Address, r: Request): Call =>
  coordinatorCall(coordinator, "retryCallback", [requestTuple(r)]);

// ---- answers ----

/** @param collateral of the native coin that is sent along; without it the claimer's account pays */
export const claimCall = (coordinator: Address, r: Request, collateral = 0n): Call =>
  coordinatorCall(coordinator, "claim", [requestTuple(r)], collateral);

const answerTuple = (answer: Answer): unknown => ({ ...answer, proof: proofWords(answer.proof) });

export const fulfilCall = (coordinator: Address, { request, answer, prover }: Fulfilment): Call =>
  coordinatorCall(coordinator, "fulfil", [requestTuple(request), answerTuple(answer), prover]);

/** Of one model and one prover. */
export function fulfilBatchCall(coordinator: Address, items: readonly Fulfilment[], prover: Address): Call {
  const requests = items.map(({ request }) => requestTuple(request));
  const answers = items.map(({ answer }) => answerTuple(answer));
  return coordinatorCall(coordinator, "fulfilBatch", [requests, answers, prover]);
}

export const declareEnvironmentCall = (coordinator: Address, digest: Hex): Call =>
  coordinatorCall(coordinator, "declareEnvironment", [digest]);

// ---- accounts ----

export const depositCall = (coordinator: Address, token: Address, account: Address, amount: bigint): Call =>
  coordinatorCall(coordinator, "deposit", [token, account, amount], token === NOBODY ? amount : 0n);
export const withdrawCall = (coordinator: Address, token: Address, to: Address, amount: bigint): Call =>
  coordinatorCall(coordinator, "withdraw", [token, to, amount]);
export const authoriseCall = (coordinator: Address, consumer: Address, token: Address, amount: bigint): Call =>
  coordinatorCall(coordinator, "authorise", [consumer, token, amount]);
/** Lets the coordinator take `amount` of a token from the sender. */
export const approveCall = (token: Address, spender: Address, amount: bigint): Call =>
  call(token, tokenAbi.encodeFunctionData("approve", [spender, amount]));
/** What a token's owner approved; for eth_call. */
export const approvedCall = (token: Address, owner: Address, spender: Address): Call =>
  call(token, tokenAbi.encodeFunctionData("allowance", [owner, spender]));
