// The claim in the open, for nodes and auditors: input and output as 31-byte words, bound by c (Poseidon sponge) and
// fingerprinted by v at r. border.ts is the same as a circuit; the contract computes r and v, but never c. A claim whose
// input is private has a salt: c is then the commitment to salt and input, and v is of the output alone.
import { privateCommitment } from "../core/commitment.ts";
import { R } from "../core/field.ts";
import { sponge } from "../core/poseidon.ts";
import { fingerprint, wordsOfBytes } from "../core/tensor.ts";

/** Words of a public claim: those of the input, then those of the output. */
export function claimWords(input: Uint8Array, output: Uint8Array): bigint[] {
  return [...wordsOfBytes(input), ...wordsOfBytes(output)];
}

/** c, which is there before r. */
export function bindingOf(input: Uint8Array, output: Uint8Array, salt?: bigint): bigint {
  return salt === undefined ? sponge(claimWords(input, output)) : privateCommitment(salt, input);
}

export function claimOf(
  input: Uint8Array,
  output: Uint8Array,
  r: bigint,
  salt?: bigint,
): { readonly c: bigint; readonly v: bigint } {
  const words = salt === undefined ? claimWords(input, output) : wordsOfBytes(output);
  return { c: bindingOf(input, output, salt), v: fingerprint(words, r, R) };
}
