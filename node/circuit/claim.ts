// The claim in the open, for nodes and auditors: input and output as 31-byte words, bound by c (Poseidon sponge) and
// fingerprinted by v at r. border.ts is the same as a circuit; the contract computes r and v, but never c.
import { R } from "../core/field.ts";
import { fingerprint, wordsOfBytes } from "../core/tensor.ts";
import { RATE, poseidon16 } from "./poseidon.ts";

/** c: h' = Poseidon(h, 15 words) from h = 0, the last block padded with zero words. */
export function sponge(words: readonly bigint[]): bigint {
  let h = 0n;
  for (let i = 0; i < words.length; i += RATE) {
    h = poseidon16([h, ...Array.from({ length: RATE }, (_, k) => words[i + k] ?? 0n)]);
  }
  return h;
}

/** Words of a claim: those of the input, then those of the output. */
export function claimWords(input: Uint8Array, output: Uint8Array): bigint[] {
  return [...wordsOfBytes(input), ...wordsOfBytes(output)];
}

export function claimOf(input: Uint8Array, output: Uint8Array, r: bigint): { readonly c: bigint; readonly v: bigint } {
  const words = claimWords(input, output);
  return { c: sponge(words), v: fingerprint(words, r, R) };
}
