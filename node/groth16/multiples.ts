// Points for making keys, many at a time: multiples of one point, from tables, and short combinations of given points. Uses
// the kernel's batched additions (kernel/fixed.ts), some ten times as fast as ffjavascript's. Not constant in time.
import { NodeError } from "../core/errors.ts";
import type { Arena, Pointer } from "./module.ts";
import { type Group, offsetOf, POINT_BYTES, WIRE_BYTES } from "./msm.ts";

const SCALAR_BYTES = 32;
const SCALAR_BITS = 254;
/** Multiples made at a time. */
const BATCH = 1 << 15;
/** Sums kept at a time for combinations, at most, unless one alone takes more. */
const BUCKETS = 1 << 16;

/** Multiples of a point in memory, for windows of a scalar. */
export interface Tables {
  readonly group: Group;
  readonly starts: readonly number[];
  readonly at: readonly Pointer[];
}

/**
 * Tables for multiples of `point` (snarkjs' form, not infinity). A multiple will cost 254 / width additions, the tables
 * 254 / width * 2^(width - 1) in time and points of memory: width 13 takes 7 MB and 10 ms in G1, width 16 42 MB and 70 ms.
 */
export function buildTables(arena: Arena, group: Group, point: Uint8Array, width: number): Tables {
  const { kernel } = arena;
  const size = POINT_BYTES[group];
  const starts: number[] = [];
  for (let bit = 0; bit < SCALAR_BITS; bit += width) starts.push(bit);
  starts.push(SCALAR_BITS);
  const entries = starts.slice(1).map((end, w) => 2 ** (end - (starts[w] as number) - 1));
  const at = entries.map((count) => arena.alloc(size * count));
  const mark = arena.mark();
  const staged = arena.alloc(WIRE_BYTES[group]);
  arena.bytes(staged, WIRE_BYTES[group]).set(point);
  at.forEach((table, w) => {
    if (w === 0) kernel.readPoints(group, staged, 1, 0, table, 0);
    else kernel.doublePoint(group, at[w - 1] as Pointer, width, table);
  });
  at.forEach((table, w) => {
    kernel.buildTable(group, table, entries[w] as number);
  });
  arena.rewind(mark);
  return { group, starts, at };
}

/** The width of tables that makes `count` multiples cheapest, tables included. */
export function tableWidth(count: number): number {
  const cost = (width: number): number => Math.ceil(SCALAR_BITS / width) * (count + 2 ** (width - 1));
  let best = 1;
  for (let width = 2; width <= 16; width++) if (cost(width) < cost(best)) best = width;
  return best;
}

/** For each of `scalars` (32 bytes each, little-endian, below r) its multiple of the tables' point, in snarkjs' form. */
export function multiples(arena: Arena, { group, starts, at }: Tables, scalars: Uint8Array): Uint8Array {
  const { kernel } = arena;
  const [size, wire] = [POINT_BYTES[group], WIRE_BYTES[group]];
  const count = scalars.length / SCALAR_BYTES;
  const result = new Uint8Array(wire * count);
  const mark = arena.mark();
  const most = Math.min(count, BATCH);
  const constant = arena.alloc(SCALAR_BYTES);
  const values = arena.alloc(SCALAR_BYTES * most + 8);
  const points = arena.alloc(size * most);
  const staged = arena.alloc(Math.max(wire, SCALAR_BYTES) * most);
  arena.bytes(constant, SCALAR_BYTES).set(offsetOf(starts));
  for (let from = 0; from < count; from += most) {
    const n = Math.min(most, count - from);
    arena.bytes(staged, SCALAR_BYTES * n).set(scalars.subarray(SCALAR_BYTES * from, SCALAR_BYTES * (from + n)));
    kernel.offsets(staged, n, constant, values);
    for (let i = 0; i < n; i++) kernel.setInfinite(points + size * i);
    at.forEach((table, w) => {
      const bit = starts[w] as number;
      kernel.addMultiples(group, table, values, n, bit, (starts[w + 1] as number) - bit, points);
    });
    kernel.writePoints(group, points, n, staged);
    result.set(arena.bytes(staged, wire * n), wire * from);
  }
  arena.bytes(mark, arena.mark() - mark).fill(0);
  kernel.forget();
  arena.rewind(mark);
  return result;
}

/** Points in memory by number, infinite ones in their places. */
export interface PointList {
  readonly group: Group;
  readonly at: Pointer;
  readonly count: number;
}

/** Loads points in snarkjs' form, one piece behind the other. */
export function loadPoints(arena: Arena, group: Group, pieces: readonly Uint8Array[]): PointList {
  const [size, wire] = [POINT_BYTES[group], WIRE_BYTES[group]];
  const count = pieces.reduce((sum, piece) => sum + piece.length / wire, 0);
  const at = arena.alloc(size * count);
  const mark = arena.mark();
  const staged = arena.alloc(wire * BATCH);
  let done = 0;
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; from += wire * BATCH) {
      const part = piece.subarray(from, from + wire * BATCH);
      arena.bytes(staged, part.length).set(part);
      done += arena.kernel.readPoints(group, staged, part.length / wire, 0, at + size * done, 0) >>> 0;
    }
  }
  arena.rewind(mark);
  return { group, at, count };
}

/** Stands for the next number in `wide`. */
export const WIDE = -(2 ** 31);

/** Output i is the sum over its terms t, starts[i] <= t < starts[i + 1], of coefficients[t] * point rows[t]. */
export interface Combinations {
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
  /** Signed, or WIDE. */
  readonly coefficients: Int32Array;
  /** Numbers below r, 32 bytes each, little-endian: one for each WIDE, in order. */
  readonly wide: Uint8Array;
}

/**
 * The combinations of `points`, in snarkjs' form. A term costs an addition for a third of its coefficient's bits, an output a
 * doubling for each bit of its longest.
 * @throws NodeError "internal" if a row names no point or a WIDE has no number
 */
export function combinations(
  arena: Arena,
  points: PointList,
  { starts, rows, coefficients, wide }: Combinations,
): Uint8Array {
  const { kernel } = arena;
  const { group } = points;
  const [size, wire] = [POINT_BYTES[group], WIRE_BYTES[group]];
  const outputs = starts.length - 1;
  const wides = coefficients.reduce((sum, coefficient) => sum + (coefficient === WIDE ? 1 : 0), 0);
  if (rows.some((row) => row >= points.count) || wides * SCALAR_BYTES !== wide.length) {
    throw new NodeError("internal", "a combination names points or coefficients that it was not given");
  }
  const mark = arena.mark();
  const put = (bytes: Uint32Array | Int32Array | Uint8Array): Pointer => {
    const at = arena.alloc(bytes.byteLength);
    arena.bytes(at, bytes.byteLength).set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return at;
  };
  const [startsAt, rowsAt, coefficientsAt, wideAt] = [put(starts), put(rows), put(coefficients), put(wide)];
  const lengthsAt = arena.alloc(4 * outputs);
  kernel.combinationLengths(startsAt, coefficientsAt, wideAt, outputs, lengthsAt);
  const lengths = new Uint32Array(arena.bytes(lengthsAt, 4 * outputs).slice().buffer);

  const result = new Uint8Array(wire * outputs);
  const inner = arena.mark();
  let usedWide = 0;
  for (let from = 0; from < outputs;) {
    let to = from;
    let buckets = 0;
    while (to < outputs && (to === from || buckets + (lengths[to] as number) <= BUCKETS))
      buckets += lengths[to++] as number;
    const n = to - from;
    const counts = arena.alloc(4 * buckets);
    const places = arena.alloc(4 * buckets);
    const sums = arena.alloc(size * buckets);
    const slots = arena.alloc(kernel.slotBytes());
    const totals = arena.alloc(size * n);
    const staged = arena.alloc(wire * n);
    const entries = (at: Pointer, sorted: Pointer): number =>
      kernel.combinationEntries(
        startsAt + 4 * from,
        rowsAt,
        coefficientsAt,
        wideAt + SCALAR_BYTES * usedWide,
        n,
        lengthsAt + 4 * from,
        at,
        sorted,
      ) >>> 0;
    arena.bytes(counts, 4 * buckets).fill(0);
    const sorted = arena.alloc(4 * entries(counts, 0));
    kernel.placesOf(counts, buckets, places);
    entries(places, sorted);
    kernel.sumBuckets(group, points.at, sorted, counts, buckets, sums, slots);
    kernel.hornerAll(group, sums, lengthsAt + 4 * from, n, totals);
    kernel.writePoints(group, totals, n, staged);
    result.set(arena.bytes(staged, wire * n), wire * from);
    for (let t = starts[from] as number; t < (starts[to] as number); t++) if (coefficients[t] === WIDE) usedWide++;
    from = to;
    arena.rewind(inner);
  }
  arena.rewind(mark);
  return result;
}
