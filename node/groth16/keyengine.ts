// What one thread does for making a key, on its own kernel instance: one task at a time. Memory: tables of the generators and
// values of the Lagrange basis, once asked for, lie below, what a task needs for itself above them. Keeps nothing secret.
import { NodeError } from "../core/errors.ts";
import { Q, R } from "../core/field.ts";
import type { Fractions, KeyTask, WeighedColumns } from "./messages.ts";
import { Arena, type Kernel, type Pointer } from "./module.ts";
import { type Group, POINT_BYTES, WIRE_BYTES } from "./msm.ts";
import { buildTables, combinations, loadPoints, multiples, type PointList, type Tables } from "./multiples.ts";
import { PAIR, putPair, putPlain, SINGLE } from "./pair.ts";

/**
 * By task:
 * - multiples: of the group's generator by scalars (32 bytes each), in snarkjs' form.
 * - fractions: the same of G1's by fractions. values: keeps fractions for what follows.
 * - columns: the same by scalars that are sums over parts of factor * column * values, as `terms` has the columns.
 * - combinations: of points, in snarkjs' form and as plain numbers, the most significant byte first.
 * - differences: a[i] - b[i] in G1, as such numbers, which is what ceremonies hash.
 */
export type KeyEngine = (task: KeyTask) => Uint8Array | readonly Uint8Array[] | undefined;

/** Pairs in one call, and in one inversion. */
const CHUNK = 512;
const SCALAR_BYTES = 32;
const TERM_BYTES = 8;

/** @param width of the tables, see buildTables */
export function openKeyEngine(kernel: Kernel, width: number): KeyEngine {
  const arena = new Arena(kernel);
  const tables: Partial<Record<Group, Tables>> = {};
  let kept: { readonly at: Pointer; readonly count: number } = { at: 0, count: 0 };

  const tablesOf = (group: Group): Tables => (tables[group] ??= buildTables(arena, group, GENERATORS[group], width));
  /** Takes back what `work` allocated. */
  const briefly = <T>(work: () => T): T => {
    const mark = arena.mark();
    try {
      return work();
    } finally {
      arena.rewind(mark);
    }
  };

  return (task) => {
    switch (task.make) {
      case "multiples":
        return multiples(arena, tablesOf(task.group), task.scalars);
      case "fractions": {
        const { count } = task.of;
        const scalars = briefly(() => {
          const at = arena.alloc(SCALAR_BYTES * count);
          eachFraction(arena, task.of, "plain", (pairs, from, n) =>
            kernel.packPairs(pairs, n, at + SCALAR_BYTES * from),
          );
          return arena.bytes(at, SCALAR_BYTES * count).slice();
        });
        return multiples(arena, tablesOf(1), scalars);
      }
      case "values": {
        const { count } = task.of;
        const at = arena.alloc(SINGLE * count);
        eachFraction(arena, task.of, "Montgomery", (pairs, from, n) => kernel.separate(pairs, n, at + SINGLE * from));
        kept = { at, count };
        return undefined;
      }
      case "columns": {
        const { at, count } = kept;
        const scalars = briefly(() => weighed(arena, at, count, task.parts));
        return multiples(arena, tablesOf(task.group), scalars);
      }
      case "combinations":
        return briefly(() => {
          const result = combinations(arena, loadPoints(arena, task.group, [task.points]), task.of);
          const list = loadPoints(arena, task.group, [result]);
          return [result, plain(arena, list)];
        });
      case "differences":
        return briefly(() => {
          const [a, b] = [loadPoints(arena, 1, [task.a]), loadPoints(arena, 1, [task.b])];
          const to = { ...a, at: arena.alloc(POINT_BYTES[1] * a.count) };
          kernel.differences(a.at, b.at, a.count, to.at);
          return plain(arena, to);
        });
    }
  };
}

/** Plain numbers, most significant byte first; in G2 imaginary parts first. */
function plain(arena: Arena, { group, at, count }: PointList): Uint8Array {
  const size = WIRE_BYTES[group];
  const bytes = arena.alloc(size * count);
  for (let from = 0; from < count; from += CHUNK) {
    const n = Math.min(CHUNK, count - from);
    arena.kernel.writePlain(group, at + POINT_BYTES[group] * from, n, bytes + size * from);
  }
  return arena.bytes(bytes, size * count).slice();
}

/** Fractions as reduced pairs, a chunk of `pairs` pairs at a time, of which the first is number `from`. */
function eachFraction(
  arena: Arena,
  { first, root, point, scale, count }: Fractions,
  form: "plain" | "Montgomery",
  use: (at: Pointer, from: number, pairs: number) => void,
): void {
  if (count % 2 !== 0) throw new NodeError("internal", `${count} fractions are not pairs`);
  const mark = arena.mark();
  const [x, step, at, factor] = [PAIR, PAIR, PAIR, PAIR].map((bytes) => arena.alloc(bytes)) as [
    number,
    number,
    number,
    number,
  ];
  const scratch = arena.alloc(PAIR * (3 * CHUNK + 1));
  const to = arena.alloc(PAIR * CHUNK);
  putPair(arena, x, first, (first * root) % R);
  putPair(arena, step, (root * root) % R);
  putPair(arena, at, point);
  if (form === "plain") putPlain(arena, factor, scale);
  else putPair(arena, factor, scale);
  for (let from = 0; from < count / 2; from += CHUNK) {
    const pairs = Math.min(CHUNK, count / 2 - from);
    arena.kernel.fractions(x, step, at, factor, pairs, scratch, to);
    use(to, 2 * from, pairs);
  }
  arena.rewind(mark);
}

/** For each column of the parts, 32 bytes: the sum over parts of factor * column * values. */
function weighed(arena: Arena, values: Pointer, count: number, parts: readonly WeighedColumns[]): Uint8Array {
  const { kernel } = arena;
  const columns = (parts[0]?.terms.starts.length ?? 1) - 1;
  const pairs = Math.ceil(columns / 2);
  const [factor, sums, products] = [arena.alloc(PAIR), arena.alloc(PAIR * pairs), arena.alloc(PAIR * pairs)];
  arena.bytes(sums, PAIR * pairs).fill(0);
  for (const { terms, factor: by } of parts) {
    const mark = arena.mark();
    const { starts, rows, coefficients, wide } = terms;
    if (starts.length !== columns + 1 || rows.some((row) => row >= count)) {
      throw new NodeError("internal", "columns do not fit the values that they are applied to");
    }
    const put = (bytes: Uint32Array | Int32Array | Uint8Array, spare = 0): Pointer => {
      const at = arena.alloc(bytes.byteLength + spare);
      arena.bytes(at, bytes.byteLength).set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return at;
    };
    // The last pair may have one column only: the other one has no terms.
    const startsAt = put(Uint32Array.from([...starts, starts[columns] as number]));
    const [rowsAt, coefficientsAt, wideAt] = [put(rows), put(coefficients), put(wide)];
    const termsAt = arena.alloc(TERM_BYTES * rows.length);
    const elements = arena.alloc(SINGLE * (rows.length + 2));
    kernel.spellTerms(rowsAt, coefficientsAt, wideAt, rows.length, termsAt, elements);
    putPlain(arena, factor, by);
    for (let from = 0; from < pairs; from += CHUNK) {
      const n = Math.min(CHUNK, pairs - from);
      kernel.rows(startsAt + 8 * from, termsAt, elements, values, n, products + PAIR * from);
      kernel.weigh(products + PAIR * from, n, factor, sums + PAIR * from);
    }
    arena.rewind(mark);
  }
  const scalars = arena.alloc(2 * SCALAR_BYTES * pairs);
  for (let from = 0; from < pairs; from += CHUNK) {
    kernel.packPairs(sums + PAIR * from, Math.min(CHUNK, pairs - from), scalars + 2 * SCALAR_BYTES * from);
  }
  return arena.bytes(scalars, SCALAR_BYTES * columns).slice();
}

/** As EIP-197 has them. */
const GENERATORS: Readonly<Record<Group, Uint8Array>> = {
  1: wireOf([1n, 2n]),
  2: wireOf([
    10857046999023057135944570762232829481370756359578518086990519993285655852781n,
    11559732032986387107991004021392285783925812861821192530917403151452391805634n,
    8495653923123431417604973247489272438418190587263600148770280649306958101930n,
    4082367875863433681332203403145435568316851327593401208105741076214120093531n,
  ]),
};

/** Coordinates in snarkjs' form. */
function wireOf(parts: readonly bigint[]): Uint8Array {
  const words = parts.flatMap((part) => {
    const value = (part << 256n) % Q;
    return Array.from({ length: 4 }, (_, k) => BigInt.asUintN(64, value >> BigInt(64 * k)));
  });
  return new Uint8Array(BigUint64Array.from(words).buffer);
}
