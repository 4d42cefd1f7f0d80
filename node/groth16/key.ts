// What the prover is given, judged before anything is computed from it: the header and sections of a .zkey of Groth16 over
// BN254 and the values of a .wtns, as snarkjs 0.7.6 lays them out. Reads no points and no terms; holds no arithmetic.
import { getField, MAX_POWER, Q, R } from "../core/field.ts";
import { type Container, numbersOf, readContainer, type Section } from "./container.ts";
import { type ByteSource, malformed } from "./source.ts";

export const SECTION = { kind: 1, header: 2, ic: 3, terms: 4, a: 5, b1: 6, b2: 7, c: 8, h: 9, transcript: 10 } as const;
export const GROTH16 = 1;
/** Affine points, two coordinates of 32 or 64 bytes. */
export const G1_BYTES = 64;
export const G2_BYTES = 128;
/** Matrix, row and wire, four bytes each, and a coefficient times 2^512 mod R. */
export const TERM_BYTES = 44;
export const VALUE_BYTES = 32;

/** Affine points, Montgomery, little-endian. */
export interface HeaderPoints {
  readonly alpha1: Uint8Array;
  readonly beta1: Uint8Array;
  readonly beta2: Uint8Array;
  readonly gamma2: Uint8Array;
  readonly delta1: Uint8Array;
  readonly delta2: Uint8Array;
}

export interface KeyHeader extends HeaderPoints {
  readonly wires: number;
  readonly publics: number;
  /** A power of two, at most 2^27. */
  readonly domain: number;
}

/** Plain data, which can be posted to a thread. */
export interface ProvingKey extends KeyHeader {
  /** How many terms section 4 has, behind a count of four bytes. */
  readonly terms: number;
  readonly sections: Readonly<Record<"ic" | "terms" | "a" | "b1" | "b2" | "c" | "h", Section>>;
}

export const POINT_ORDER = ["alpha1", "beta1", "beta2", "gamma2", "delta1", "delta2"] as const;
const SIZE_OF = { alpha1: 64, beta1: 64, beta2: 128, gamma2: 128, delta1: 64, delta2: 128 } as const;
const HEADER_BYTES = 4 + 32 + 4 + 32 + 12 + 3 * G1_BYTES + 3 * G2_BYTES;

/** @throws NodeError "input" if this is not a Groth16 key over BN254, is truncated, or its sections do not fit. */
export function readKey(source: ByteSource): ProvingKey {
  const file = readContainer(source, "zkey", 1);
  const header = readHeader(file);
  const section = (name: keyof ProvingKey["sections"]): Section => file.section(SECTION[name]);
  const terms = section("terms");
  return {
    ...header,
    terms: (terms.size - 4) / TERM_BYTES,
    sections: {
      ic: section("ic"),
      terms,
      a: section("a"),
      b1: section("b1"),
      b2: section("b2"),
      c: section("c"),
      h: section("h"),
    },
  };
}

/** Sections 1 and 2, and that all others are there and as long as these say. @throws as readKey */
export function readHeader(file: Container): KeyHeader {
  const kind = file.section(SECTION.kind);
  if (kind.size !== 4 || numbersOf(file.read(kind.offset, 4)).getUint32(0, true) !== GROTH16) {
    throw malformed(file.name, "is not a Groth16 key");
  }
  const { offset, size } = file.section(SECTION.header);
  if (size !== HEADER_BYTES) throw malformed(file.name, `key header of ${size} bytes, not ${HEADER_BYTES}`);
  const bytes = file.read(offset, size);
  const numbers = numbersOf(bytes);
  const sized = numbers.getUint32(0, true) === 32 && numbers.getUint32(36, true) === 32;
  if (!sized || getField(bytes, 4) !== Q || getField(bytes, 40) !== R) {
    throw malformed(file.name, "is over another curve than BN254");
  }
  const wires = numbers.getUint32(72, true);
  const publics = numbers.getUint32(76, true);
  const domain = numbers.getUint32(80, true);
  const points: Record<string, Uint8Array> = {};
  let at = 84;
  for (const name of POINT_ORDER) {
    points[name] = new Uint8Array(bytes.subarray(at, at + SIZE_OF[name]));
    at += SIZE_OF[name];
  }
  const power = Math.log2(domain);
  if (!Number.isInteger(power) || power >= MAX_POWER || wires < 1 + publics) {
    throw malformed(file.name, `impossible sizes: ${wires} wires, ${publics} public, a domain of ${domain}`);
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
    if (found !== length) throw malformed(file.name, `section ${id} has ${found} bytes, not ${length}`);
  }
  const terms = file.section(SECTION.terms);
  if (terms.size < 4 || terms.size !== 4 + TERM_BYTES * numbersOf(file.read(terms.offset, 4)).getUint32(0, true)) {
    throw malformed(file.name, `section ${SECTION.terms} does not have the length it states`);
  }
  return { wires, publics, domain, ...(points as unknown as HeaderPoints) };
}

const WTNS = { header: 1, values: 2 } as const;
const R_BYTES = Array.from({ length: VALUE_BYTES }, (_, i) => Number((R >> BigInt(8 * i)) & 0xffn));

/**
 * The values of the .wtns in `source`, 32 bytes a wire, little-endian: where they are if the source is in memory, or in
 * `target`, of 32 * wires bytes, if that is given. They are secret: whoever holds a copy should clear it.
 * @throws NodeError "input" if it is no witness of a circuit with `wires` wires over BN254's scalar field: of another
 * circuit or field, truncated, a first value other than 1, or a value that is not reduced
 */
export function readWitness(source: ByteSource, wires: number, target?: Uint8Array): Uint8Array {
  const file = readContainer(source, "wtns", 2);
  const { offset, size } = file.section(WTNS.header);
  if (size !== 40) throw malformed(file.name, `header of ${size} bytes, not 40`);
  const header = file.read(offset, size);
  const numbers = numbersOf(header);
  if (numbers.getUint32(0, true) !== 32 || getField(header, 4) !== R) {
    throw malformed(file.name, "is over another field than BN254's");
  }
  const count = numbers.getUint32(36, true);
  if (count !== wires) {
    const mend = "The witness is of another circuit than the key.";
    throw malformed(file.name, `has ${count} values, not one for each of the key's ${wires} wires`, mend);
  }
  const section = file.section(WTNS.values);
  if (section.size !== VALUE_BYTES * count) {
    throw malformed(file.name, `${count} values in ${section.size} bytes, not ${VALUE_BYTES * count}`);
  }
  if (target !== undefined) source.readInto(section.offset, target);
  const values = target ?? source.read(section.offset, section.size);
  checkValues(file.name, values);
  return values;
}

/** By bytes from the top: a BigInt of a witness' value would lie in memory that nobody can wipe. */
function belowR(values: Uint8Array, at: number): boolean {
  for (let i = VALUE_BYTES - 1; i >= 0; i--) {
    const difference = (values[at + i] as number) - (R_BYTES[i] as number);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function checkValues(name: string, values: Uint8Array): void {
  if (getField(values, 0) !== 1n) throw malformed(name, "the value of wire 0 is not 1");
  for (let at = 0; at < values.length; at += VALUE_BYTES) {
    if (belowR(values, at)) continue;
    throw malformed(name, `the value of wire ${at / VALUE_BYTES} is not below the field's prime`);
  }
}

/** Of a key with `publics` public signals: wires 1 to `publics`. */
export function publicSignals(values: Uint8Array, publics: number): bigint[] {
  return Array.from({ length: publics }, (_, i) => getField(values, VALUE_BYTES * (i + 1)));
}
