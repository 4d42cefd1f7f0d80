// The .zkey file of Groth16 over BN254 as snarkjs 0.7.6 lays it out: what both writers (setup.ts, start.ts) share, and
// opening one by path. Reading is groth16/key.ts. Holds no curve arithmetic; points are bytes in Montgomery form.
import { Q, R } from "../core/field.ts";
import {
  GROTH16,
  type HeaderPoints,
  type KeyHeader,
  POINT_ORDER,
  readHeader,
  SECTION,
  TERM_BYTES,
} from "../groth16/key.ts";
import { type BinFile, type BinFileWriter, openBinFile } from "./binfile.ts";
import type { R1csHeader } from "./r1cs.ts";

export { type HeaderPoints, type KeyHeader as ZkeyHeader, SECTION, TERM_BYTES };
export const HASH_BYTES = 64;

export function littleEndian(value: bigint): Buffer {
  const bytes = Buffer.alloc(32);
  for (let k = 0; k < 4; k++) bytes.writeBigUInt64LE((value >> BigInt(64 * k)) & 0xffffffffffffffffn, 8 * k);
  return bytes;
}

/** Sections 1 and 2. */
export function writeHeader(out: BinFileWriter, circuit: R1csHeader, points: HeaderPoints): void {
  out.begin(SECTION.kind);
  out.u32(GROTH16);
  out.end();
  out.begin(SECTION.header);
  for (const prime of [Q, R]) {
    out.u32(32);
    out.write(littleEndian(prime));
  }
  out.u32(circuit.wires);
  out.u32(circuit.publics);
  out.u32(2 ** circuit.power);
  for (const name of POINT_ORDER) out.write(points[name]);
  out.end();
}

/** Section 4: the terms of A and B, each with its coefficient times 2^512 mod R, which is how snarkjs wants it. */
export class TermsWriter {
  private readonly out: BinFileWriter;
  private readonly start: number;
  private readonly spelled = new Map<number | bigint, Buffer>();
  private count = 0;

  constructor(out: BinFileWriter) {
    this.out = out;
    out.begin(SECTION.terms);
    this.start = out.position;
    out.u32(0);
  }

  add(matrix: 0 | 1, row: number, wire: number, coefficient: number | bigint): void {
    const bytes = Buffer.allocUnsafe(TERM_BYTES);
    bytes.writeUInt32LE(matrix, 0);
    bytes.writeUInt32LE(row, 4);
    bytes.writeUInt32LE(wire, 8);
    bytes.set(this.spell(coefficient), 12);
    this.out.write(bytes);
    this.count++;
  }

  /** The public wires' rows, which bind the public signals, and the count. */
  end(circuit: R1csHeader): void {
    for (let wire = 0; wire <= circuit.publics; wire++) this.add(0, circuit.constraints + wire, wire, 1);
    const count = Buffer.alloc(4);
    count.writeUInt32LE(this.count);
    this.out.end();
    this.out.patch(this.start, count);
  }

  private spell(coefficient: number | bigint): Buffer {
    const known = this.spelled.get(coefficient);
    if (known !== undefined) return known;
    const value = (BigInt(coefficient) << 512n) % R;
    const bytes = littleEndian(value < 0n ? value + R : value);
    if (this.spelled.size < 1 << 16) this.spelled.set(coefficient, bytes);
    return bytes;
  }
}

/** @throws NodeError "input" if the file is not a Groth16 key over BN254, is truncated, or its sections do not fit. */
export function openZkey(path: string): { readonly file: BinFile; readonly header: KeyHeader } {
  const file = openBinFile(path, "zkey", 1);
  try {
    return { file, header: readHeader(file) };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}
