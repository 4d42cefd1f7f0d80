// The five nouns (Model, Request, Claim, Proof, Result) and their ids, spelled as in Solidity and circom. Types only, but
// for the few constants that all three languages share.

export type Hex = `0x${string}`;
declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

/** keccak256 of what the registry records of a model. */
export type ModelId = Branded<Hex, "ModelId">;
/** keccak256 of whoever created a series and its name: the versions of one named model. */
export type SeriesId = Branded<Hex, "SeriesId">;
/** EIP-712 digest of a request: chain, coordinator and every field. What a requester signs is the id. */
export type RequestId = Branded<Hex, "RequestId">;
export type Address = Branded<Hex, "Address">;
/** SHA-256 of a file, 64 lower-case hex digits without 0x. */
export type Digest = Branded<string, "Digest">;

/** Bits of a Result's evidence mask. */
export const Evidence = { zk: 1, attested: 2, optimistic: 4, developmentKey: 8, chainInput: 16 } as const;

export type KeyKind = "development" | "ceremony";
export const KEY_KIND_CODE: Readonly<Record<KeyKind, number>> = { development: 0, ceremony: 1 };

/** How a request brings its input: bytes, a URI and their hash, another contract that is read, or a salted commitment. */
export type InputKind = "data" | "reference" | "source" | "private";
export const INPUT_KIND_CODE: Readonly<Record<InputKind, number>> = { data: 0, reference: 1, source: 2, private: 3 };

/**
 * What c and v of a model's circuit are about. public: both, the words of input and output. private-input: c is the sponge
 * over a salt and the input's words, v is of the output's words.
 */
export type ClaimForm = "public" | "private-input";

/** Hashed (keccak256 of the text) into the first field of what they separate. */
export const DOMAINS = {
  claim: "glassbox.claim.v1",
  sample: "glassbox.sample.v1",
  direct: "glassbox.direct.v1",
  model: "glassbox.model.v1",
  series: "glassbox.series.v1",
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
  /** Sponge over the words, or over salt and input words: binds the witness before r exists. */
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
