// The five nouns (Model, Request, Claim, Proof, Result) and their ids, spelled as in Solidity and circom. Types only, but
// for the few constants that all three languages share.

export type Hex = `0x${string}`;
declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** keccak256 of what the registry records of a model. */
export type ModelId = Branded<Hex, "ModelId">;
/** keccak256 of chain, coordinator, requester, nonce, model and input. */
export type RequestId = Branded<Hex, "RequestId">;
export type Address = Branded<Hex, "Address">;
/** SHA-256 of a file, 64 lower-case hex digits without 0x. */
export type Digest = Branded<string, "Digest">;

/** Bits of a Result's evidence mask. */
export const Evidence = { zk: 1, attested: 2, optimistic: 4, developmentKey: 8 } as const;

export type KeyKind = "development" | "ceremony";
export const KEY_KIND_CODE: Readonly<Record<KeyKind, number>> = { development: 0, ceremony: 1 };

/** Hashed (keccak256 of the text) into the first field of what they separate. */
export const DOMAINS = {
  claim: "glassbox.claim.v1",
  sample: "glassbox.sample.v1",
  model: "glassbox.model.v1",
  request: "glassbox.request.v1",
} as const;

/** Groth16 proof, coordinates < Q. B's halves are [imaginary, real], as EIP-197 wants them. */
export interface Proof {
  readonly a: readonly [bigint, bigint];
  readonly b: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly c: readonly [bigint, bigint];
}

/** The public signals of every circuit, in the order of the verifying key's IC[1..3]. */
export interface Signals {
  /** Sponge over the words: binds the witness before r exists. */
  readonly c: bigint;
  /** Fingerprint of the words at r. */
  readonly v: bigint;
  /** Challenge that the contract derives from everything the claim is about. */
  readonly r: bigint;
}

export function signalList(signals: Signals): readonly [bigint, bigint, bigint] {
  return [signals.c, signals.v, signals.r];
}

/** Groth16 verifying key: affine points, G2 halves [imaginary, real]; ic has one point more than there are signals. */
export interface VerifyingKey {
  readonly alpha: readonly [bigint, bigint];
  readonly beta: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly gamma: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly delta: readonly [readonly [bigint, bigint], readonly [bigint, bigint]];
  readonly ic: readonly (readonly [bigint, bigint])[];
}
