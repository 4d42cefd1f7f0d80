// The record of a ceremony inside a .zkey (section 10): who changed delta, and how. Reads it; that the steps are true is
// for ceremony.ts to verify.
import { createHash } from "node:crypto";
import type { Curve } from "../groth16/curve.ts";
import { G1_BYTES, G2_BYTES } from "../groth16/key.ts";
import { type BinFile, malformed } from "./binfile.ts";
import { HASH_BYTES, SECTION } from "./zkey.ts";

export interface Contribution {
  readonly kind: "contribution" | "beacon";
  readonly name: string;
  /** BLAKE2b-512 in hex, as snarkjs prints it. */
  readonly hash: string;
  /** The public randomness of a beacon, in hex, and the log2 of how often it is hashed. */
  readonly beacon?: { readonly hash: string; readonly iterations: number };
}

export interface CeremonyRecord {
  /** Hex; all zeros in a development key. */
  readonly circuitHash: string;
  readonly contributions: readonly Contribution[];
}

const FIXED_BYTES = 3 * G1_BYTES + G2_BYTES + HASH_BYTES + 8;
const MAX_BYTES = 1 << 20;

/** @throws NodeError "input" if the section does not parse to its last byte. */
export function readContributions(curve: Curve, file: BinFile): CeremonyRecord {
  const { offset, size } = file.section(SECTION.transcript);
  if (size < HASH_BYTES + 4 || size > MAX_BYTES) throw malformed(file.path, `a contributions section of ${size} bytes`);
  const bytes = file.read(offset, size);
  const count = bytes.readUInt32LE(HASH_BYTES);
  let at = HASH_BYTES + 4;
  const take = (length: number, index: number): Buffer => {
    if (at + length > size)
      throw malformed(file.path, `truncated: contribution ${index + 1} of ${count} is incomplete`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  const contributions: Contribution[] = [];
  for (let index = 0; index < count; index++) {
    const fixed = take(FIXED_BYTES, index);
    const end = FIXED_BYTES - 8;
    const parameters = take(fixed.readUInt32LE(end + 4), index);
    contributions.push({
      hash: hashOf(curve, fixed.subarray(0, end)),
      ...parametersOf(file.path, index, fixed.readUInt32LE(end), parameters),
    });
  }
  if (at !== size) throw malformed(file.path, `${size - at} bytes follow the last contribution`);
  return { circuitHash: bytes.toString("hex", 0, HASH_BYTES), contributions };
}

/** delta after, s and s*x in G1, sp*x in G2, then the transcript so far. */
function hashOf(curve: Curve, fixed: Buffer): string {
  const hash = createHash("blake2b512");
  const point = (from: number, length: number): Uint8Array => new Uint8Array(fixed.subarray(from, from + length));
  for (let i = 0; i < 3; i++) hash.update(curve.G1.toUncompressed(point(i * G1_BYTES, G1_BYTES)));
  hash.update(curve.G2.toUncompressed(point(3 * G1_BYTES, G2_BYTES)));
  return hash.update(fixed.subarray(3 * G1_BYTES + G2_BYTES)).digest("hex");
}

const PARAMETER = { name: 1, iterations: 2, beacon: 3 } as const;

function parametersOf(path: string, index: number, type: number, bytes: Buffer): Omit<Contribution, "hash"> {
  const bad = (what: string) => malformed(path, `contribution ${index + 1} ${what}`);
  if (type > 1) throw bad(`is of unknown type ${type}`);
  let name = "";
  let iterations: number | undefined;
  let beacon: string | undefined;
  for (let at = 0; at < bytes.length;) {
    const id = bytes[at];
    if (id === PARAMETER.iterations && at + 2 <= bytes.length) {
      iterations = bytes[at + 1];
      at += 2;
      continue;
    }
    const length = bytes[at + 1] ?? Infinity;
    if (at + 2 + length > bytes.length) throw bad("has parameters that end too soon");
    const value = bytes.subarray(at + 2, at + 2 + length);
    if (id === PARAMETER.name) name = value.toString("utf8");
    else if (id === PARAMETER.beacon) beacon = value.toString("hex");
    else throw bad(`has an unknown parameter ${id}`);
    at += 2 + length;
  }
  if (type === 0) return { kind: "contribution", name };
  if (iterations === undefined || !beacon) throw bad("is a beacon without its randomness");
  return { kind: "beacon", name, beacon: { hash: beacon, iterations } };
}
