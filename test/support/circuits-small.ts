// Small circuits with the three public signals of a claim, as .r1cs and .wtns bytes, for tests of keys, provers and
// contracts that do not want a whole model. Not a compiler: rows are written out by hand.
import { getField, R, reduce } from "../../node/core/field.ts";

/** [wire, coefficient] pairs. */
export type Combination = readonly (readonly [number, number | bigint])[];
export type Row = readonly [Combination, Combination, Combination];

export interface Circuit {
  readonly wires: number;
  readonly outputs: number;
  readonly publicInputs: number;
  readonly privateInputs: number;
  readonly rows: readonly Row[];
}

function field(value: bigint): Buffer {
  const bytes = Buffer.alloc(32);
  for (let k = 0, rest = reduce(value); k < 4; k++, rest >>= 64n) {
    bytes.writeBigUInt64LE(rest & 0xffffffffffffffffn, 8 * k);
  }
  return bytes;
}

function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
  return bytes;
}

export interface RawSection {
  readonly id: number;
  readonly bytes: Buffer;
}

/** An iden3 container, of any sections in any order. */
export function binFile(magic: string, version: number, sections: readonly RawSection[]): Buffer {
  const parts = [Buffer.from(magic), u32(version, sections.length)];
  for (const { id, bytes } of sections) {
    const head = Buffer.alloc(12);
    head.writeUInt32LE(id);
    head.writeBigUInt64LE(BigInt(bytes.length), 4);
    parts.push(head, bytes);
  }
  return Buffer.concat(parts);
}

/** The sections of such a file. */
export function sectionsOf(file: Buffer): RawSection[] {
  const sections: RawSection[] = [];
  for (let at = 12; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at + 4));
    sections.push({ id: file.readUInt32LE(at), bytes: Buffer.from(file.subarray(at + 12, at + 12 + length)) });
    at += 12 + length;
  }
  return sections;
}

export function r1csBytes(circuit: Circuit, prime = R): Buffer {
  const terms = (combination: Combination): Buffer[] => [
    u32(combination.length),
    ...combination.flatMap(([wire, value]) => [u32(wire), field(BigInt(value))]),
  ];
  const primeBytes = Buffer.from(prime.toString(16).padStart(64, "0"), "hex").reverse();
  const labels = Buffer.alloc(8);
  labels.writeBigUInt64LE(BigInt(circuit.wires));
  const counts = u32(circuit.wires, circuit.outputs, circuit.publicInputs, circuit.privateInputs);
  const map = Buffer.alloc(8 * circuit.wires);
  for (let i = 0; i < circuit.wires; i++) map.writeBigUInt64LE(BigInt(i), 8 * i);
  return binFile("r1cs", 1, [
    { id: 1, bytes: Buffer.concat([u32(32), primeBytes, counts, labels, u32(circuit.rows.length)]) },
    { id: 2, bytes: Buffer.concat(circuit.rows.flatMap((row) => row.flatMap(terms))) },
    { id: 3, bytes: map },
  ]);
}

export function wtnsBytes(values: readonly bigint[]): Buffer {
  return binFile("wtns", 2, [
    { id: 1, bytes: Buffer.concat([u32(32), field(0n).fill(0), u32(values.length)]).fill(primeBytes(), 4, 36) },
    { id: 2, bytes: Buffer.concat(values.map(field)) },
  ]);
}

function primeBytes(): Buffer {
  return Buffer.from(R.toString(16).padStart(64, "0"), "hex").reverse();
}

export function valuesOf(wtns: Buffer): bigint[] {
  const data = sectionsOf(wtns).find(({ id }) => id === 2)?.bytes ?? Buffer.alloc(0);
  return Array.from({ length: data.length / 32 }, (_, i) => getField(data, 32 * i));
}

/** Whether every row holds: the definition, without any tool. */
export function satisfies(circuit: Circuit, values: readonly bigint[]): boolean {
  const at = (combination: Combination): bigint =>
    reduce(combination.reduce((sum, [wire, value]) => sum + BigInt(value) * (values[wire] as bigint), 0n));
  return circuit.rows.every(([a, b, c]) => reduce(at(a) * at(b)) === at(c));
}

/** A coefficient of full width, as Poseidon's are. */
const WIDE = R / 3n + 12345n;

/**
 * c = x^3 + 5 + k, v = x*r + x^2, with x private and k a constant that makes it another circuit; r is free, as in a
 * claim. `padding` appends boolean wires with a dense linear row for every eight of them, so that keys get longer.
 */
export function smallCircuit({ k = 0, padding = 0 } = {}): {
  readonly circuit: Circuit;
  readonly witness: (x: bigint, r: bigint) => bigint[];
} {
  // 0 one | 1 c | 2 v | 3 r | 4 x | 5 x^2 | 6 wide * x | 7 + i bits | then the sums
  const rows: Row[] = [
    [[[4, 1]], [[4, 1]], [[5, 1]]],
    [
      [[5, 1]],
      [[4, 1]],
      [
        [1, 1],
        [0, -5 - k],
      ],
    ],
    [
      [[4, 1]],
      [[3, 1]],
      [
        [2, 1],
        [5, -1],
      ],
    ],
    [
      [[4, WIDE]],
      [
        [0, 3],
        [4, 0],
      ],
      [[6, 3]],
    ],
  ];
  const bits = Array.from({ length: padding }, (_, i) => 7 + i);
  const sums: (readonly [number, number])[][] = [];
  for (const bit of bits) {
    rows.push([
      [[bit, 1]],
      [
        [bit, 1],
        [0, -1],
      ],
      [],
    ]);
  }
  for (let from = 0; from < padding; from += 8) {
    const sum = bits.slice(from, from + 8).map((bit, i) => [bit, (i % 2 === 0 ? 1 : -1) * (from + i + 1)] as const);
    rows.push([[], [], [...sum, [7 + padding + sums.length, -1]]]);
    sums.push(sum);
  }
  const circuit: Circuit = {
    wires: 7 + padding + sums.length,
    outputs: 2,
    publicInputs: 1,
    privateInputs: 1,
    rows,
  };
  const witness = (x: bigint, r: bigint): bigint[] => {
    const values = [1n, x ** 3n + 5n + BigInt(k), x * r + x * x, r, x, x * x, WIDE * x].map(reduce);
    for (let i = 0; i < padding; i++) values.push((x >> BigInt(i % 7)) & 1n);
    for (const sum of sums) {
      values.push(reduce(sum.reduce((total, [wire, value]) => total + BigInt(value) * (values[wire] as bigint), 0n)));
    }
    return values;
  };
  return { circuit, witness };
}
