// Reads .r1cs files (iden3's binary format, version 1) in bounded pieces: header, then every term of every row. Refuses
// what is malformed before anything is computed from it. Does not write them; that is node/circuit's.
import { NodeError } from "../core/errors.ts";
import { getField, MAX_POWER, R, R_WORDS } from "../core/field.ts";
import { malformed, openBinFile, type BinFile } from "./binfile.ts";

export interface R1csHeader {
  readonly wires: number;
  readonly outputs: number;
  readonly publicInputs: number;
  readonly constraints: number;
  /** Outputs and public inputs; wire 0, the one, is not counted. */
  readonly publics: number;
  /** log2 of the domain, as snarkjs takes it: floor(log2(constraints + publics)) + 1. */
  readonly power: number;
}

export interface R1cs {
  readonly header: R1csHeader;
  /** Calls `visit` for every term in file order; awaits `pause(row)` between pieces of the file. */
  terms(visit: TermVisitor, pause: (row: number) => Promise<void>): Promise<void>;
  close(): void;
}

/** matrix: 0 = A, 1 = B, 2 = C. The coefficient is in (-R/2, R/2], a number where that is exact. */
export type TermVisitor = (matrix: 0 | 1 | 2, row: number, wire: number, coefficient: number | bigint) => void;

const MATRICES = [0, 1, 2] as const;
const TERM_BYTES = 36;
const PIECE_BYTES = 1 << 22;
const R_LOW = (BigInt(R_WORDS[1] as number) << 32n) | BigInt(R_WORDS[0] as number);

/** @throws NodeError "input" if the file is malformed, of another field, or too large for any domain. */
export function openR1cs(path: string): R1cs {
  const file = openBinFile(path, "r1cs", 1);
  try {
    const header = readHeader(file);
    return { header, terms: (visit, pause) => readTerms(file, header, visit, pause), close: () => file.close() };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}

function readHeader(file: BinFile): R1csHeader {
  const { offset, size } = file.section(1);
  if (size !== 64) throw malformed(file.path, `header of ${size} bytes, not 64`);
  const bytes = file.read(offset, size);
  if (bytes.readUInt32LE(0) !== 32 || getField(bytes, 4) !== R) {
    throw malformed(
      file.path,
      "is over another field than BN254's",
      "Compile the circuit for bn128, circom's default.",
    );
  }
  const wires = bytes.readUInt32LE(36);
  const outputs = bytes.readUInt32LE(40);
  const publicInputs = bytes.readUInt32LE(44);
  const privateInputs = bytes.readUInt32LE(48);
  const constraints = bytes.readUInt32LE(60);
  const publics = outputs + publicInputs;
  if (wires < 1 + publics + privateInputs) {
    throw malformed(file.path, `${wires} wires cannot hold ${publics} public and ${privateInputs} private signals`);
  }
  if (constraints === 0) throw malformed(file.path, "has no constraints");
  const power = Math.floor(Math.log2(constraints + publics)) + 1;
  if (power >= MAX_POWER) throw malformed(file.path, `${constraints} constraints are too many for one proof`);
  // Memory is taken by these counts, so the file must be long enough for them.
  if (file.section(3).size !== 8 * wires) throw malformed(file.path, `does not map its ${wires} wires to labels`);
  if (file.section(2).size < 12 * constraints)
    throw malformed(file.path, `truncated: too short for ${constraints} rows`);
  if (file.has(4) || file.has(5)) throw malformed(file.path, "uses custom gates, which Groth16 has not");
  return { wires, outputs, publicInputs, constraints, publics, power };
}

/** How many terms A, B and C have in all: only the counts are read. @throws NodeError "input" if the file is cut short */
export function countTerms(path: string): readonly [a: number, b: number, c: number] {
  const file = openBinFile(path, "r1cs", 1);
  try {
    const { constraints } = readHeader(file);
    const { offset, size } = file.section(2);
    const counts: [number, number, number] = [0, 0, 0];
    let piece: Buffer = Buffer.alloc(0);
    let [base, at] = [0, 0];
    for (let row = 0; row < constraints; row++) {
      for (const matrix of MATRICES) {
        if (at + 4 > size) throw malformed(path, `truncated: row ${row} ends outside the constraints section`);
        if (at - base + 4 > piece.length) {
          base = at;
          piece = file.read(offset + base, Math.min(size - base, PIECE_BYTES));
        }
        const count = piece.readUInt32LE(at - base);
        counts[matrix] += count;
        at += 4 + TERM_BYTES * count;
      }
    }
    return counts;
  } finally {
    file.close();
  }
}

async function readTerms(
  file: BinFile,
  header: R1csHeader,
  visit: TermVisitor,
  pause: (row: number) => Promise<void>,
): Promise<void> {
  const { offset, size } = file.section(2);
  const end = offset + size;
  // The row in which a wire was last seen in this matrix: a repeated wire is summed by some readers and not by others.
  const seen = new Float64Array(header.wires).fill(-1);
  let piece: Buffer = Buffer.alloc(0);
  let base = offset;
  let at = 0;
  const need = async (length: number, row: number): Promise<void> => {
    if (at + length <= piece.length) return;
    base += at;
    at = 0;
    if (length > end - base) throw malformed(file.path, `truncated: row ${row} ends outside the constraints section`);
    await pause(row);
    piece = file.read(base, Math.min(end - base, Math.max(PIECE_BYTES, length)));
  };
  for (let row = 0; row < header.constraints; row++) {
    for (const matrix of MATRICES) {
      if (at + 4 > piece.length) await need(4, row);
      const count = piece.readUInt32LE(at);
      if (count > header.wires) throw malformed(file.path, `row ${row} lists ${count} of ${header.wires} wires`);
      at += 4;
      if (at + TERM_BYTES * count > piece.length) await need(TERM_BYTES * count, row);
      for (let i = 0; i < count; i++, at += TERM_BYTES) {
        const wire = piece.readUInt32LE(at);
        if (wire >= header.wires) throw malformed(file.path, `row ${row} names wire ${wire} of ${header.wires}`);
        const stamp = 3 * row + matrix;
        if (seen[wire] === stamp) throw malformed(file.path, `row ${row} lists wire ${wire} twice in one combination`);
        seen[wire] = stamp;
        visit(matrix, row, wire, coefficientAt(piece, at + 4, file.path, row));
      }
    }
  }
  if (base + at !== end) throw malformed(file.path, `${end - base - at} bytes follow the last row`);
}

function coefficientAt(bytes: Buffer, at: number, path: string, row: number): number | bigint {
  const top = bytes.readUInt32LE(at + 28);
  const second = bytes.readUInt32LE(at + 4);
  if (top === 0 && second === 0) {
    let rest = 0;
    for (let k = 8; k < 28; k += 4) rest |= bytes.readUInt32LE(at + k);
    if (rest === 0) return bytes.readUInt32LE(at);
  } else if (top === R_WORDS[7]) {
    let same = true;
    for (let k = 2; k < 7; k++) same &&= bytes.readUInt32LE(at + 4 * k) === R_WORDS[k];
    const low = bytes.readBigUInt64LE(at);
    if (same && low < R_LOW && R_LOW - low < 1n << 32n) return -Number(R_LOW - low);
  }
  const value = getField(bytes, at);
  if (value >= R) throw malformed(path, `row ${row} has a coefficient that is not reduced`);
  return value > R / 2n ? value - R : value;
}

/** A pause that yields to the event loop, reports progress and stops on abort. */
export function yielding(
  signal: AbortSignal | undefined,
  report: (row: number) => void,
): (row: number) => Promise<void> {
  return async (row) => {
    await new Promise((resolve) => setImmediate(resolve));
    if (signal?.aborted) throw new NodeError("aborted", "stopped on request", { cause: signal.reason });
    report(row);
  };
}
