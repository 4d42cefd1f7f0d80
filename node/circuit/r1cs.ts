// The .r1cs and .wtns files of circom and snarkjs, read: headers, rows as spans of a buffer, values. Writing is the
// linker's and the witness's part.
import { R_WORDS, centred, getField } from "../core/field.ts";
import { NodeError } from "../core/errors.ts";
import type { Lc, Row, Value } from "./lc.ts";

export interface R1csHeader {
  readonly wires: number;
  readonly outputs: number;
  readonly publicInputs: number;
  readonly privateInputs: number;
  readonly rows: number;
}

export interface R1cs extends R1csHeader {
  readonly bytes: Buffer;
  /** Where the rows begin. */
  readonly start: number;
}

/** Bytes of one term: wire and factor. */
export const TERM = 36;

/** @throws NodeError "input" for what is no .r1cs over BN254 */
export function readR1cs(bytes: Buffer): R1cs {
  const at = sectionsOf(bytes, "r1cs");
  const head = at.get(1);
  const start = at.get(2);
  if (head === undefined || start === undefined) throw new NodeError("input", "the .r1cs lacks its header or its rows");
  const u32 = (k: number): number => bytes.readUInt32LE(head + 36 + 4 * k);
  requireField(bytes, head + 4, ".r1cs");
  // the 64-bit count of labels sits between the private inputs and the rows
  return { wires: u32(0), outputs: u32(1), publicInputs: u32(2), privateInputs: u32(3), rows: u32(6), bytes, start };
}

/** Every row, with factors in (-R/2, R/2] as numbers where they are safe integers. */
export function* rowsOf({ bytes, start, rows }: R1cs): Generator<Row> {
  let at = start;
  const lc = (): Lc => {
    const count = bytes.readUInt32LE(at);
    const from = at + 4;
    at = from + TERM * count;
    const index = Array.from({ length: count }, (_, k) => from + TERM * k);
    return {
      wires: index.map((k) => bytes.readUInt32LE(k)),
      factors: index.map((k) => centred(getField(bytes, k + 4))),
    };
  };
  for (let row = 0; row < rows; row++) yield [lc(), lc(), lc()];
}

/** The values of a .wtns. @throws NodeError "input" for what is no .wtns over BN254 */
export function readWtns(wtns: Uint8Array): Value[] {
  const bytes = Buffer.from(wtns.buffer, wtns.byteOffset, wtns.byteLength);
  const at = sectionsOf(bytes, "wtns");
  const head = at.get(1);
  const start = at.get(2);
  if (head === undefined || start === undefined)
    throw new NodeError("input", "the .wtns lacks its header or its values");
  requireField(bytes, head + 4, ".wtns");
  const count = bytes.readUInt32LE(head + 36);
  return Array.from({ length: count }, (_, i) => centred(getField(bytes, start + 32 * i)));
}

/** Names of signals by wire from a .sym text. */
export function* symbolsOf(sym: string): Generator<{ readonly wire: number; readonly name: string }> {
  for (const line of sym.split("\n")) {
    if (line === "") continue;
    const [, wire, , name] = line.split(",");
    yield { wire: Number(wire), name: name as string };
  }
}

function sectionsOf(bytes: Buffer, magic: string): Map<number, number> {
  if (bytes.length < 12 || bytes.toString("latin1", 0, 4) !== magic)
    throw new NodeError("input", `not a .${magic} file`);
  const at = new Map<number, number>();
  let offset = 12;
  for (let left = bytes.readUInt32LE(8); left > 0; left--) {
    if (offset + 12 > bytes.length) throw new NodeError("input", `the .${magic} file is cut short`);
    at.set(bytes.readUInt32LE(offset), offset + 12);
    offset += 12 + Number(bytes.readBigUInt64LE(offset + 4));
  }
  if (offset > bytes.length) throw new NodeError("input", `the .${magic} file is cut short`);
  return at;
}

function requireField(bytes: Buffer, at: number, file: string): void {
  if (!R_WORDS.every((word, i) => bytes.readUInt32LE(at + 4 * i) === word)) {
    throw new NodeError("input", `the ${file} file is not over BN254's scalar field`);
  }
}
