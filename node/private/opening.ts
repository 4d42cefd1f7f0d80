// What opens a commitment, in a file that nobody else can read: salt and input. The requester keeps it, and shows it to whom
// it likes; the prover has the same from the envelope.
import fs from "node:fs";
import { bytesOf, hexOf } from "../chain/codec.ts";
import { readSecret } from "../chain/keys.ts";
import { privateCommitment, saltOfBytes, saltToBytes } from "../core/commitment.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import type { PrivateInput } from "./envelope.ts";

const FORMAT = "glassbox.opening.v1";

/** Replaces nothing: the salt that a file holds may be the only one there is. @throws NodeError "input" */
export function writeOpening(file: string, { salt, input }: PrivateInput): void {
  const commitment = hexOf(saltToBytes(privateCommitment(salt, input)));
  const text = JSON.stringify({ format: FORMAT, commitment, salt: hexOf(saltToBytes(salt)), input: hexOf(input) }, null, 2); // prettier-ignore
  try {
    fs.writeFileSync(file, `${text}\n`, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw new NodeError("input", `${file} cannot be written (${asNodeError(cause).message})`, {
      mend: "Name a file that is not there yet, in a folder that is.",
      cause,
    });
  }
}

/** @throws NodeError "input" if it is no such file, or does not open what it says */
export function readOpening(file: string): PrivateInput {
  const text = readSecret(file, "opening");
  try {
    const { format, commitment, salt, input } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const opening = { salt: saltOfBytes(bytesIn(salt)), input: bytesIn(input) };
    const holds = hexOf(saltToBytes(privateCommitment(opening.salt, opening.input))) === commitment;
    if (format === FORMAT && holds) return opening;
  } catch {
    // The cause is left out: it may quote the input.
  }
  throw new NodeError("input", `${file} opens no commitment`, {
    mend: "Give the file that `glassbox request --private` or `glassbox prove` wrote.",
  });
}

function bytesIn(value: unknown): Uint8Array {
  if (typeof value !== "string" || !/^0x([0-9a-f]{2})*$/.test(value)) throw new RangeError("no bytes");
  return bytesOf(value);
}
