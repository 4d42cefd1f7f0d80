// Multi-scalar multiplication over an instance's memory: points are loaded once, sums taken window by window, so that threads
// can share the windows of one sum; and single points. See kernel/msm.ts for the method. Not constant in time.
import { NodeError } from "../core/errors.ts";
import type { Arena, Pointer } from "./module.ts";

/** 1: G1, 2: G2. */
export type Group = 1 | 2;
/** Bytes of a point in snarkjs' form: affine, Montgomery with 2^256, little-endian; all zero is infinity. */
export const WIRE_BYTES: Readonly<Record<Group, number>> = { 1: 64, 2: 128 };
/** Bytes of a point in the kernel's memory, which all instances share as a form. */
export const POINT_BYTES: Readonly<Record<Group, number>> = { 1: 80, 2: 160 };
const SCALAR_BYTES = 32;

/** Points in an instance's memory. */
export interface Bases {
  readonly group: Group;
  /** How many were given, infinite ones included: a sum takes as many scalars. */
  readonly count: number;
  /** Those that are not infinite, and the 4-byte numbers of their scalars. */
  readonly finite: number;
  readonly at: Pointer;
  readonly indices: Pointer;
}

/** Scalars by the length of their distance from 0 mod r: [b] is how many have b bits, b <= 256. */
export type Histogram = Uint32Array;

/** How to cut scalars into windows, least significant first. Plain data. */
export interface Plan {
  readonly windows: number;
  /** Window w has the bits starts[w] to starts[w + 1]. */
  readonly starts: readonly number[];
  /** Additions that each takes, about. */
  readonly costs: readonly number[];
}

/** Points converted at a time. */
const PIECE = 4096;
/** An instance's scratch, in 4-byte numbers, for points sorted by bucket: as many windows at a time as fit. */
const SORTED = 1 << 17;
const WIDEST = 16;
/** What a window costs in any case, and what each of its buckets costs, in additions. */
const WINDOW_COST = 40;
const BUCKET_COST = 1.25;

/** Loads `count` points of 64 or 128 bytes, from pieces of any length. Keeps 84 or 164 bytes for each finite one. */
export function loadBases(arena: Arena, group: Group, count: number, chunks: Iterable<Uint8Array>): Bases {
  const { kernel } = arena;
  const [wire, size] = [WIRE_BYTES[group], POINT_BYTES[group]];
  const at = arena.alloc(size * count);
  const places = arena.alloc(4 * count);
  const mark = arena.mark();
  const staged = arena.alloc(wire * PIECE);
  let [done, finite, fill] = [0, 0, 0];
  const convert = (points: number): void => {
    finite += kernel.readPoints(group, staged, points, done, at + size * finite, places + 4 * finite) >>> 0;
    done += points;
  };
  for (const chunk of chunks) {
    for (let from = 0; from < chunk.length;) {
      const length = Math.min(chunk.length - from, wire * PIECE - fill);
      arena.bytes(staged + fill, length).set(chunk.subarray(from, from + length));
      [from, fill] = [from + length, fill + length];
      if (fill === wire * PIECE && done + PIECE <= count) {
        convert(PIECE);
        fill = 0;
      } else if (fill === wire * PIECE) throw wrongLength(count);
    }
  }
  if (fill !== wire * (count - done)) throw wrongLength(count);
  convert(count - done);
  arena.rewind(mark);
  // Gives back what infinite points would have taken.
  const indices = Math.ceil((at + size * finite) / 64) * 64;
  if (finite < count) {
    arena.bytes(0, places + 4 * finite).copyWithin(indices, places);
    arena.rewind(Math.ceil((indices + 4 * finite) / 64) * 64);
  }
  return { group, count, finite, at, indices: finite < count ? indices : places };
}

function wrongLength(count: number): NodeError {
  return new NodeError("input", `the points' bytes are not those of ${count} points`);
}

/**
 * Lengths of `count` scalars (32 bytes each, little-endian) in memory.
 * @throws NodeError "input" if one is not below r
 */
export function histogram(arena: Arena, scalars: Pointer, count: number): Histogram {
  const mark = arena.mark();
  const counts = arena.alloc(4 * 257);
  arena.bytes(counts, 4 * 257).fill(0);
  const wrong = arena.kernel.histogram(scalars, count, counts);
  const result = new Uint32Array(arena.bytes(counts, 4 * 257).slice().buffer);
  arena.rewind(mark);
  if (wrong !== 0) {
    throw new NodeError("input", `${wrong >>> 0} of ${count} scalars are not reduced: r or above`, {
      mend: "Make the witness again; a witness has values below the field's size.",
    });
  }
  return result;
}

/**
 * The windows of least cost. A window of c bits from bit b on costs an addition for each scalar that reaches bit b, and for
 * each of its 2^(c-1) buckets two less the one that its first point does not need, and some time to sort. So the best cut
 * follows bit by bit from the best cuts of fewer bits.
 */
export function plan(histogram: Histogram): Plan {
  const reaching = new Array<number>(257).fill(0);
  for (let b = 256; b > 0; b--) reaching[b] = (reaching[b + 1] ?? 0) + (histogram[b] ?? 0);
  reaching[0] = reaching[1] as number;
  const longest = reaching.findLastIndex((n) => n > 0);
  // Signed digits take a bit more. Without a scalar other than zero there is nothing to do.
  const bits = longest < 0 ? 0 : longest + 1;
  const best: { cost: number; width: number; own: number }[] = [{ cost: 0, width: 0, own: 0 }];
  for (let end = 1; end <= bits; end++) {
    let found = { cost: Infinity, width: 0, own: 0 };
    for (let width = 1; width <= Math.min(WIDEST, end); width++) {
      const own = (reaching[end - width] as number) + BUCKET_COST * 2 ** (width - 1) + WINDOW_COST;
      const cost = (best[end - width] as { cost: number }).cost + own;
      if (cost < found.cost) found = { cost, width, own };
    }
    best.push(found);
  }
  const starts = [bits];
  const costs: number[] = [];
  for (let end = bits; end > 0;) {
    const { width, own } = best[end] as { width: number; own: number };
    costs.unshift(own);
    starts.unshift((end -= width));
  }
  return { windows: costs.length, starts, costs };
}

/** Bounds of `parts` groups of windows of about the same cost: group k has windows [k] to [k + 1]. Fewer if there are fewer. */
export function cut({ windows, costs }: Plan, parts: number): number[] {
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  const bounds = [0];
  let sum = 0;
  for (let w = 0; w < windows; w++) {
    sum += costs[w] as number;
    const left = windows - w - 1;
    const missing = parts - bounds.length;
    if (missing > 0 && left > 0 && (sum >= (total * bounds.length) / parts || left <= missing)) bounds.push(w + 1);
  }
  bounds.push(windows);
  return bounds;
}

/**
 * For each of `bases`, whose infinite points must be the same, one point for each bit of the windows [from, to), in the
 * kernel's form: the sum over points of scalar times point is the sum over bits of 2^bit times these. `scalars` points to
 * `count` numbers below r of 32 bytes that the plan was made for (or for more than them).
 * Scratch: 36 bytes a point, 4 bytes a point or 0.5 MB, 1.3 or 2.6 MB, and 2^(c-1) points for each window of c bits. It is
 * wiped.
 */
export function sums(
  arena: Arena,
  bases: readonly Bases[],
  scalars: Pointer,
  plan: Plan,
  from: number,
  to: number,
): Uint8Array[] {
  const { kernel } = arena;
  const first = bases[0];
  if (first === undefined || from >= to) return bases.map(() => new Uint8Array(0));
  const mark = arena.mark();
  const { finite, indices } = first;
  const widths = Array.from({ length: to - from }, (_, k) => start(plan, from + k + 1) - start(plan, from + k));
  const buckets = widths.reduce((sum, width) => sum + 2 ** (width - 1), 0);

  const secret = arena.mark();
  const constant = arena.alloc(32);
  const order = arena.alloc(4 * finite);
  const values = arena.alloc(SCALAR_BYTES * finite + 8);
  const sorted = arena.alloc(4 * Math.max(finite, SORTED));
  const counts = arena.alloc(4 * buckets);
  const widthsAt = arena.alloc(4 * widths.length);
  const slots = arena.alloc(kernel.slotBytes());
  const areas = bases.map(({ group }) => arena.alloc(POINT_BYTES[group] * buckets));
  const bits = start(plan, to) - start(plan, from);
  const points = arena.alloc(POINT_BYTES[2] * bits);

  arena.bytes(constant, 32).set(offsetOf(plan.starts));
  new Uint32Array(kernel.memory.buffer, widthsAt, widths.length).set(widths);
  kernel.prepare(indices, finite, scalars, constant, order, values);

  let [used, bucket, open] = [0, 0, 0];
  const sumUp = (): void => {
    bases.forEach(({ group, at }, k) => {
      const area = (areas[k] as Pointer) + POINT_BYTES[group] * open;
      kernel.sumBuckets(group, at, sorted, counts + 4 * open, bucket - open, area, slots);
    });
    [used, open] = [0, bucket];
  };
  widths.forEach((width, k) => {
    const bit = start(plan, from + k);
    if (used + (kernel.reaching(bit) >>> 0) > Math.max(finite, SORTED)) sumUp();
    used += kernel.sort(order, values, bit, width, counts + 4 * bucket, sorted + 4 * used) >>> 0;
    bucket += 2 ** (width - 1);
  });
  sumUp();
  const results = bases.map(({ group }, k) => {
    kernel.fold(group, areas[k] as Pointer, widthsAt, widths.length);
    kernel.gather(group, areas[k] as Pointer, widthsAt, widths.length, points);
    return arena.bytes(points, POINT_BYTES[group] * bits).slice();
  });
  arena.bytes(secret, arena.mark() - secret).fill(0);
  kernel.forget();
  arena.rewind(mark);
  return results;
}

function start({ starts }: Plan, window: number): number {
  return starts[window] as number;
}

/** C of kernel/msm.ts: half of each window's range, for windows that begin at `starts` and end with the next one. */
export function offsetOf(starts: readonly number[]): Uint8Array {
  let sum = 0n;
  for (const end of starts.slice(1)) sum += 1n << BigInt(end - 1);
  const words = new BigUint64Array(4);
  words.forEach((_, i) => (words[i] = sum >> BigInt(64 * i)));
  return new Uint8Array(words.buffer);
}

/** The whole sum, in snarkjs' form, from the parts of all windows in order. */
export function combine(arena: Arena, group: Group, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return briefly(arena, (place) => {
    const points = place(length);
    let at = points;
    for (const part of parts) {
      arena.bytes(at, part.length).set(part);
      at += part.length;
    }
    return horner(arena, group, points, length / POINT_BYTES[group], true, place);
  });
}

/** a + b, in snarkjs' form; of equal, opposite and infinite points too. */
export function add(arena: Arena, group: Group, a: Uint8Array, b: Uint8Array): Uint8Array {
  const size = POINT_BYTES[group];
  return briefly(arena, (place) => {
    const points = place(2 * size);
    read(arena, group, a, points, place);
    read(arena, group, b, points + size, place);
    return horner(arena, group, points, 2, false, place);
  });
}

/** -a, in snarkjs' form. */
export function negate(arena: Arena, group: Group, a: Uint8Array): Uint8Array {
  return briefly(arena, (place) => {
    const points = place(2 * POINT_BYTES[group]);
    read(arena, group, a, points, place);
    arena.kernel.copyPoint(group, points + 1, points + POINT_BYTES[group]);
    return horner(arena, group, points + POINT_BYTES[group], 1, false, place);
  });
}

/** scalar (32 bytes, little-endian, any number) times a, in snarkjs' form. */
export function scale(arena: Arena, group: Group, a: Uint8Array, scalar: Uint8Array): Uint8Array {
  const size = POINT_BYTES[group];
  return briefly(arena, (place) => {
    const points = place(256 * size);
    const point = place(size);
    const none = place(size);
    read(arena, group, a, point, place);
    read(arena, group, new Uint8Array(WIRE_BYTES[group]), none, place);
    for (let bit = 0; bit < 256; bit++) {
      const set = ((scalar[bit >> 3] as number) >> (bit & 7)) & 1;
      arena.kernel.copyPoint(group, set === 1 ? point : none, points + size * bit);
    }
    return horner(arena, group, points, 256, true, place);
  });
}

/** Memory for the time of `use`, wiped. */
function briefly<T>(arena: Arena, use: (place: (bytes: number) => Pointer) => T): T {
  const mark = arena.mark();
  try {
    return use((bytes) => arena.alloc(bytes));
  } finally {
    arena.bytes(mark, arena.mark() - mark).fill(0);
    arena.rewind(mark);
  }
}

/** One point from snarkjs' form; infinity too. */
function read(arena: Arena, group: Group, wire: Uint8Array, point: Pointer, place: (bytes: number) => Pointer): void {
  const staged = place(WIRE_BYTES[group]);
  arena.bytes(staged, WIRE_BYTES[group]).set(wire);
  arena.kernel.readPoints(group, staged, 1, 0, point, 0);
}

function horner(
  arena: Arena,
  group: Group,
  points: Pointer,
  count: number,
  doubling: boolean,
  place: (bytes: number) => Pointer,
): Uint8Array {
  const result = place(POINT_BYTES[group]);
  const wire = place(WIRE_BYTES[group]);
  arena.kernel.horner(group, points, count, doubling ? 1 : 0, result);
  arena.kernel.writePoints(group, result, 1, wire);
  return arena.bytes(wire, WIRE_BYTES[group]).slice();
}
