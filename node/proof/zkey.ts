// The .zkey file of Groth16 over BN254 as snarkjs 0.7.6 lays it out: header and section numbers, for both writers
// (setup.ts, start.ts) and all readers. Holds no curve arithmetic; points are bytes in Montgomery form.
import { getField, Q, R } from "../core/field.ts";
import { type BinFile, type BinFileWriter, malformed, openBinFile } from "./binfile.ts";
import { G1_BYTES, G2_BYTES } from "./curve.ts";
import { MAX_POWER, type R1csHeader } from "./r1cs.ts";

export const SECTION = { kind: 1, header: 2, ic: 3, terms: 4, a: 5, b1: 6, b2: 7, c: 8, h: 9, transcript: 10 } as const;
const GROTH16 = 1;
export const TERM_BYTES = 44;
export const HASH_BYTES = 64;

/** Affine points, Montgomery, little-endian. */
export interface HeaderPoints {
  readonly alpha1: Uint8Array;
  readonly beta1: Uint8Array;
  readonly beta2: Uint8Array;
  readonly gamma2: Uint8Array;
  readonly delta1: Uint8Array;
  readonly delta2: Uint8Array;
}

export interface ZkeyHeader extends HeaderPoints {
  readonly wires: number;
  readonly publics: number;
  readonly domain: number;
}

const POINT_ORDER = ["alpha1", "beta1", "beta2", "gamma2", "delta1", "delta2"] as const;
const SIZE_OF = { alpha1: 64, beta1: 64, beta2: 128, gamma2: 128, delta1: 64, delta2: 128 } as const;
const HEADER_BYTES = 4 + 32 + 4 + 32 + 12 + 3 * G1_BYTES + 3 * G2_BYTES;

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
export function openZkey(path: string): { readonly file: BinFile; readonly header: ZkeyHeader } {
  const file = openBinFile(path, "zkey", 1);
  try {
    return { file, header: readHeader(file) };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}

function readHeader(file: BinFile): ZkeyHeader {
  const kind = file.section(SECTION.kind);
  if (kind.size !== 4 || file.read(kind.offset, 4).readUInt32LE(0) !== GROTH16) {
    throw malformed(file.path, "is not a Groth16 key");
  }
  const { offset, size } = file.section(SECTION.header);
  if (size !== HEADER_BYTES) throw malformed(file.path, `key header of ${size} bytes, not ${HEADER_BYTES}`);
  const bytes = file.read(offset, size);
  if (getField(bytes, 4) !== Q || getField(bytes, 40) !== R)
    throw malformed(file.path, "is over another curve than BN254");
  const wires = bytes.readUInt32LE(72);
  const publics = bytes.readUInt32LE(76);
  const domain = bytes.readUInt32LE(80);
  const points: Record<string, Uint8Array> = {};
  let at = 84;
  for (const name of POINT_ORDER) {
    points[name] = new Uint8Array(bytes.subarray(at, at + SIZE_OF[name]));
    at += SIZE_OF[name];
  }
  const power = Math.log2(domain);
  if (!Number.isInteger(power) || power >= MAX_POWER || wires < 1 + publics) {
    throw malformed(file.path, `impossible sizes: ${wires} wires, ${publics} public, a domain of ${domain}`);
  }
  const expected: readonly (readonly [number, number])[] = [
    [SECTION.ic, G1_BYTES * (publics + 1)],
    [SECTION.a, G1_BYTES * wires],
    [SECTION.b1, G1_BYTES * wires],
    [SECTION.b2, G2_BYTES * wires],
    [SECTION.c, G1_BYTES * (wires - publics - 1)],
    [SECTION.h, G1_BYTES * domain],
  ];
  for (const [id, length] of expected) {
    const found = file.section(id).size;
    if (found !== length) throw malformed(file.path, `section ${id} has ${found} bytes, not ${length}`);
  }
  const terms = file.section(SECTION.terms);
  if (terms.size < 4 || terms.size !== 4 + TERM_BYTES * file.read(terms.offset, 4).readUInt32LE(0)) {
    throw malformed(file.path, `section ${SECTION.terms} does not have the length it states`);
  }
  return { wires, publics, domain, ...(points as unknown as HeaderPoints) };
}
