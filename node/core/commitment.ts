// The commitment to a private input: c = sponge(salt, words of the input). It is what a request shows of the input, and the
// first public signal of the proof that answers it. Runs in a browser too.
//
// Binding: for one model the number of words is fixed, so that two openings of one c are a collision of Poseidon. Hiding: c
// tells nothing that a guess of (salt, input) could be checked against, as long as the salt is uniform in the field and used
// for one request only; with a salt that can be guessed, or that was used before and then told, whoever can guess the input
// can confirm the guess.
import { NodeError } from "./errors.ts";
import { R } from "./field.ts";
import { sponge } from "./poseidon.ts";
import { wordsOfBytes } from "./tensor.ts";

export const SALT_BYTES = 32;

/** @param salt below R. @param input the model's input bytes, as on the wire */
export function privateCommitment(salt: bigint, input: Uint8Array): bigint {
  return sponge([salt, ...wordsOfBytes(input)]);
}

/** Uniform in the field, by rejection; `random` fills the bytes that it is given. */
export function newSalt(
  random: (bytes: Uint8Array<ArrayBuffer>) => void = (bytes) => crypto.getRandomValues(bytes),
): bigint {
  for (;;) {
    const bytes = new Uint8Array(SALT_BYTES);
    random(bytes);
    bytes[0] = (bytes[0] as number) & 0x3f; // 254 bits, of which R is three quarters
    const salt = numberOf(bytes);
    if (salt < R) return salt;
  }
}

/** 32 bytes, big-endian. */
export function saltToBytes(salt: bigint): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: SALT_BYTES }, (_, i) => Number((salt >> BigInt(8 * (SALT_BYTES - 1 - i))) & 0xffn));
}

/** @throws NodeError "input" for other than 32 bytes, or a number that is not below R: every salt has one spelling */
export function saltOfBytes(bytes: Uint8Array): bigint {
  const salt = numberOf(bytes);
  if (bytes.length === SALT_BYTES && salt < R) return salt;
  throw new NodeError("input", "the salt is not a field element of 32 bytes", {
    mend: "Give the salt that the input was committed to with, as 64 hex digits.",
  });
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}
