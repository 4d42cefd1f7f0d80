// The last formulas of a Groth16 proof (Groth, "On the Size of Pairing-based Non-interactive Arguments", EUROCRYPT 2016,
// section 3.2), from the sums over the key's points and two fresh scalars; and the proof as snarkjs spells it.
import { Q, R } from "../core/field.ts";
import type { ProvingKey } from "./key.ts";
import { add, scale } from "./msm.ts";
import type { Arena } from "./module.ts";

/** Affine points as in the .zkey: Montgomery form, little-endian; 64 bytes in G1, 128 in G2; all zero is infinity. */
export interface Sums {
  readonly a: Uint8Array;
  readonly b1: Uint8Array;
  readonly b2: Uint8Array;
  readonly c: Uint8Array;
  readonly h: Uint8Array;
}

export interface Points {
  readonly a: Uint8Array;
  readonly b: Uint8Array;
  readonly c: Uint8Array;
}

/** A proof in snarkjs' JSON form: decimal coordinates, projective with a last coordinate of one. */
export interface SnarkjsProof {
  readonly pi_a: readonly string[];
  readonly pi_b: readonly (readonly string[])[];
  readonly pi_c: readonly string[];
  readonly protocol: "groth16";
  readonly curve: "bn128";
}

/** The two scalars that hide the witness, in [0, R). */
export interface Blinding {
  readonly r: bigint;
  readonly s: bigint;
}

/** Uniform: 254 random bits, drawn again until below R. */
export function drawBlinding(): Blinding {
  return { r: drawScalar(), s: drawScalar() };
}

function drawScalar(): bigint {
  const bytes = new Uint8Array(32);
  for (;;) {
    globalThis.crypto.getRandomValues(bytes);
    bytes[31] = (bytes[31] as number) & 0x3f;
    const value = fromLittleEndian(bytes);
    if (value < R) {
      bytes.fill(0);
      return value;
    }
  }
}

/**
 * A = alpha + sum_A + r delta, B = beta + sum_B + s delta, C = sum_C + sum_H + s A + r B1 - r s delta, B1 being B in G1.
 */
export function assemble(arena: Arena, key: ProvingKey, sums: Sums, { r, s }: Blinding): Points {
  const plus = (...points: readonly Uint8Array[]): Uint8Array =>
    points.reduce((sum, point) => add(arena, 1, sum, point));
  const times = (point: Uint8Array, scalar: bigint): Uint8Array => scale(arena, 1, point, toLittleEndian(scalar));
  const a = plus(key.alpha1, sums.a, times(key.delta1, r));
  const b1 = plus(key.beta1, sums.b1, times(key.delta1, s));
  const b = add(arena, 2, add(arena, 2, key.beta2, sums.b2), scale(arena, 2, key.delta2, toLittleEndian(s)));
  const c = plus(sums.c, sums.h, times(a, s), times(b1, r), times(key.delta1, (R - ((r * s) % R)) % R));
  return { a, b, c };
}

export function toSnarkjs({ a, b, c }: Points): SnarkjsProof {
  const [a0, a1, b0, b1, b2, b3, c0, c1] = [...coordinates(a), ...coordinates(b), ...coordinates(c)].map(String) as [
    ...[string, string, string, string],
    ...[string, string, string, string],
  ];
  return {
    pi_a: [a0, a1, "1"],
    pi_b: [
      [b0, b1],
      [b2, b3],
      ["1", "0"],
    ],
    pi_c: [c0, c1, "1"],
    protocol: "groth16",
    curve: "bn128",
  };
}

/** 2^-256 mod Q takes a coordinate out of Montgomery form. */
const OUT = inverse(2n ** 256n % Q);

function coordinates(point: Uint8Array): bigint[] {
  return Array.from({ length: point.length / 32 }, (_, i) => {
    return (fromLittleEndian(point.subarray(32 * i, 32 * i + 32)) * OUT) % Q;
  });
}

function inverse(value: bigint): bigint {
  let [a, b, x, y] = [value, Q, 1n, 0n];
  while (a > 1n) {
    const quotient = b / a;
    [a, b, x, y] = [b - quotient * a, a, y - quotient * x, x];
  }
  return ((x % Q) + Q) % Q;
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

function toLittleEndian(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0, rest = value; i < 32; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}
