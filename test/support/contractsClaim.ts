// The claim in TypeScript, written from the specification and apart from the node's codec, so that contracts, node and
// vectors can be held against each other. Relies on node/core for words and field.
import { AbiCoder, id, keccak256 } from "ethers";
import type { Hex, Signals } from "../../node/core/domain.ts";
import { R } from "../../node/core/field.ts";
import { fingerprint, wordsOfBytes } from "../../node/core/tensor.ts";

/** Everything that r is a hash of, with input and output in full. */
export interface ClaimText {
  readonly domain: "claim" | "sample" | "direct";
  readonly chainId: bigint;
  readonly contract: string;
  readonly requestId: string;
  readonly modelId: string;
  readonly prover: string;
  readonly c: bigint;
  /** Empty if the input is private. */
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  /** keccak256 of the input unless it is given: c, as a word, if the input is private. */
  readonly inputHash?: Hex;
}

export interface ClaimFacts {
  readonly inputHash: Hex;
  readonly outputHash: Hex;
  readonly words: readonly bigint[];
  readonly signals: Signals;
}

const TYPES = ["bytes32", "uint256", "address", "bytes32", "bytes32", "address", "uint256", "bytes32", "bytes32"];

export function claimFacts(text: ClaimText): ClaimFacts {
  const inputHash = text.inputHash ?? (keccak256(text.input) as Hex);
  const outputHash = keccak256(text.output) as Hex;
  const { domain, chainId, contract, requestId, modelId, prover, c } = text;
  const values = [id(`glassbox.${domain}.v1`), chainId, contract, requestId, modelId, prover, c, inputHash, outputHash];
  const r = BigInt(keccak256(AbiCoder.defaultAbiCoder().encode(TYPES, values))) % R;
  const words = [...wordsOfBytes(text.input), ...wordsOfBytes(text.output)];
  return { inputHash, outputHash, words, signals: { c, v: fingerprint(words, r, R), r } };
}
