// Multi-scalar multiplication: points are known multiples of the generator, so that every sum has a known answer; some large
// ones are compared with ffjavascript's own. Small domains whole, then hostile points and scalars, then seeded large ones.
import { expect } from "chai";
import type { NodeError } from "../../../node/core/errors.ts";
import { R } from "../../../node/core/field.ts";
import { Arena, compile, instantiate, type Kernel } from "../../../node/groth16/module.ts";
import {
  type Bases,
  combine,
  cut,
  type Group,
  type Histogram,
  histogram,
  loadBases,
  type Plan,
  plan,
  POINT_BYTES,
  sums,
} from "../../../node/groth16/msm.ts";
import { localCurve } from "../../../node/groth16/curve.ts";

const SEED = 4711;
/** Points that are multiples from -64 to 64. */
const MOST = 64;

type Curve = Awaited<ReturnType<typeof localCurve>>;

/** xorshift32: enough to reach every path, the same on each run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

const mod = (value: bigint): bigint => ((value % R) + R) % R;
const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0);

function pack(scalars: readonly bigint[]): Uint8Array {
  const words = new BigUint64Array(4 * scalars.length);
  scalars.forEach((scalar, i) => {
    for (let k = 0; k < 4; k++) words[4 * i + k] = scalar >> BigInt(64 * k);
  });
  return new Uint8Array(words.buffer);
}

/** Windows of these widths. */
function windows(widths: readonly number[]): Plan {
  const starts = [0];
  for (const width of widths) starts.push((starts.at(-1) as number) + width);
  return { windows: widths.length, starts, costs: widths.map(() => 1) };
}

/** 254 bits in windows of `width`, the last one smaller. */
function uniform(width: number): Plan {
  const whole = Math.floor(254 / width);
  return windows([...new Array<number>(whole).fill(width), ...(254 % width === 0 ? [] : [254 % width])]);
}

describe("multi-scalar multiplication", function () {
  this.timeout(60_000);
  let kernel: Kernel;
  let curve: Curve;
  /** Wire forms of -MOST to MOST times the generator. */
  const table = new Map<Group, Uint8Array[]>();

  const groupOf = (group: Group): Curve["G1"] => (group === 1 ? curve.G1 : curve.G2);

  before(async () => {
    kernel = instantiate(await compile());
    curve = await localCurve();
    for (const group of [1, 2] as const) {
      const g = groupOf(group);
      const points: Uint8Array[] = [];
      for (let k = -MOST; k <= MOST; k++) {
        points.push(k === 0 ? new Uint8Array(64 * group) : g.toAffine(g.timesScalar(g.g, mod(BigInt(k)))));
      }
      table.set(group, points);
    }
  });

  const wire = (group: Group, k: number): Uint8Array => (table.get(group) as Uint8Array[])[k + MOST] as Uint8Array;
  const load = (arena: Arena, group: Group, multiples: readonly number[]): Bases =>
    loadBases(arena, group, multiples.length, [Buffer.concat(multiples.map((k) => wire(group, k)))]);
  function place(arena: Arena, scalars: readonly bigint[]): number {
    const at = arena.alloc(32 * scalars.length);
    arena.bytes(at, 32 * scalars.length).set(pack(scalars));
    return at;
  }
  function expected(group: Group, multiples: readonly number[], scalars: readonly bigint[]): Uint8Array {
    const total = mod(multiples.reduce((sum, k, i) => sum + BigInt(k) * (scalars[i] as bigint), 0n));
    const g = groupOf(group);
    return total === 0n ? new Uint8Array(64 * group) : g.toAffine(g.timesScalar(g.g, total));
  }
  function compute(group: Group, multiples: readonly number[], scalars: readonly bigint[], shape?: Plan): Uint8Array {
    const arena = new Arena(kernel);
    const bases = load(arena, group, multiples);
    const at = place(arena, scalars);
    const used = shape ?? plan(histogram(arena, at, scalars.length));
    return combine(arena, group, sums(arena, [bases], at, used, 0, used.windows));
  }
  function check(group: Group, multiples: readonly number[], scalars: readonly bigint[], shape?: Plan): void {
    const name = `G${group}, ${shape === undefined ? "own plan" : String(shape.starts)}, points ${String(multiples.slice(0, 8))}, scalars ${String(scalars.slice(0, 8))}`;
    expect(Buffer.from(compute(group, multiples, scalars, shape)).toString("hex"), name).to.equal(
      Buffer.from(expected(group, multiples, scalars)).toString("hex"),
    );
  }

  /** 1 to n times the generator; n is a power of two. */
  function distinct(group: Group, n: number): Uint8Array {
    const arena = new Arena(kernel);
    const size = POINT_BYTES[group];
    const points = arena.alloc(size * n);
    const g = groupOf(group);
    const multiple = (k: number): number => loadBases(arena, group, 1, [g.toAffine(g.timesScalar(g.g, BigInt(k)))]).at;
    kernel.copyPoint(group, multiple(1), points);
    for (let have = 1; have < n; have *= 2) {
      const step = multiple(have);
      // The first sum is a doubling.
      for (let i = 0; i < have; i++) kernel.addLater(group, points + size * i, step, points + size * (have + i));
      kernel.flush(group);
    }
    const bytes = arena.alloc(64 * group * n);
    kernel.writePoints(group, points, n, bytes);
    return arena.bytes(bytes, 64 * group * n).slice();
  }

  const BORDERS = [0n, 1n, 2n, R - 1n, R - 2n, (R - 1n) / 2n, (R + 1n) / 2n];

  for (const group of [1, 2] as const) {
    describe(`in G${group}`, () => {
      it("is right for no point, one point, and all pairs of small points and scalars", () => {
        check(group, [], []);
        for (let a = -2; a <= 2; a++) {
          for (const scalar of BORDERS) check(group, [a], [scalar]);
          for (let b = -2; b <= 2; b++) {
            for (const k of [0n, 1n, 3n, R - 1n, R - 2n])
              for (const l of [0n, 1n, 2n, R - 2n]) check(group, [a, b], [k, l]);
          }
        }
      });

      it("is right for three points of small multiples in windows of 1 to 3 bits", () => {
        for (const shape of [windows([4]), windows([3, 1]), windows([1, 1, 1, 1]), windows([2, 2]), windows([1, 3])]) {
          for (let a = -1; a <= 1; a++) {
            for (let k = -7; k <= 7; k++) {
              for (let l = -7; l <= 7; l += 2) check(group, [1, a, 2], [mod(BigInt(k)), mod(BigInt(l)), 5n], shape);
            }
          }
        }
      });

      it("takes all powers of two, the numbers next to them, and digits at their limits, for windows of any width", () => {
        const scalars = [...BORDERS];
        for (let k = 0n; k < 254n; k++)
          scalars.push(mod(2n ** k), mod(2n ** k - 1n), mod(-(2n ** k)), mod(1n - 2n ** k));
        const multiples = scalars.map((_, i) => ((i * 37) % MOST) + 1);
        for (const width of group === 1 ? [1, 2, 3, 4, 7, 8, 13, 15, 16] : [1, 5, 12, 16]) {
          const shape = uniform(width);
          // All digits -2^(c-1), all 2^(c-1) - 1, and one off.
          const low = shape.starts.slice(1, -1).reduce((sum, end) => sum + (1n << BigInt(end - 1)), 0n);
          const limits = [low, low - 1n, low + 1n, mod(-low), mod(1n - low), mod(-1n - low)];
          check(group, [...multiples, 1, 2, 3, 4, 5, 6], [...scalars, ...limits], shape);
          for (const limit of limits) check(group, [1], [limit], shape);
        }
        check(group, multiples, scalars);
        check(
          group,
          multiples,
          scalars,
          windows([16, 1, 13, 15, 2, 16, 7, 9, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 16, 8]),
        );
      });

      it(`is exact for equal, opposite and infinite points with every kind of scalar (seed ${SEED})`, () => {
        const random = generator(SEED);
        const wide = (): bigint => {
          let v = 0n;
          for (let i = 0; i < 9; i++) v = (v << 32n) + BigInt(random(2 ** 32));
          return v % R;
        };
        const points: Readonly<Record<string, (i: number) => number>> = {
          "all equal": () => 2,
          "all infinite": () => 0,
          "opposite in turn": (i) => (i % 2 === 0 ? 3 : -3),
          "few, opposite and infinite": () => random(7) - 3,
          "many, opposite and infinite": () => random(2 * MOST + 1) - MOST,
        };
        const scalars: Readonly<Record<string, () => bigint>> = {
          zero: () => 0n,
          one: () => 1n,
          "minus one": () => R - 1n,
          bits: () => BigInt(random(2)),
          "small, both signs": () => mod(BigInt(random(201) - 100)),
          borders: () => BORDERS[random(BORDERS.length)] as bigint,
          any: wide,
          "mostly bits": () => (random(10) === 0 ? wide() : BigInt(random(2))),
        };
        for (const [n, shape] of [[3], [61], [600], [600, uniform(3)]] as const) {
          for (const point of Object.values(points)) {
            for (const scalar of Object.values(scalars)) {
              const multiples = Array.from({ length: n }, (_, i) => point(i));
              check(group, multiples, multiples.map(scalar), shape);
            }
          }
        }
        check(group, [...new Array<number>(500).fill(5), -5], [...new Array<bigint>(500).fill(1n), 500n]);
      });

      it("sums a bucket in pieces when it has very many points", () => {
        const n = 2 * 32768 + 12345;
        const kinds: ((i: number) => number)[] = [(i) => (i % MOST) + 1];
        if (group === 1)
          kinds.push(
            () => 7,
            (i) => (i < 40_000 ? 3 : -3),
            (i) => (i % 2 === 0 ? 1 : -1),
          );
        for (const kind of kinds) {
          const multiples = Array.from({ length: n }, (_, i) => kind(i));
          check(group, multiples, new Array<bigint>(n).fill(1n));
          if (group === 1)
            check(
              group,
              multiples,
              multiples.map((_, i) => (i < 50_000 ? R - 2n : 9n)),
            );
        }
      });
    });
  }

  it(`agrees with ffjavascript on many points, for several widths, in groups of windows, and for both groups at once (seed ${SEED})`, async () => {
    const random = generator(SEED);
    const n = 2 ** 14;
    const bytes = (): Uint8Array =>
      Uint8Array.from({ length: 32 * n }, (_, i) => random(256) & (i % 32 === 31 ? 0x1f : 0xff));
    // As circuits have them: bits, small signed numbers, and some of full length.
    const typical = Array.from({ length: n }, (_, i) => {
      if (i % 10 < 5) return BigInt(random(2));
      if (i % 10 < 9) return mod(BigInt(random(2 ** 16) - 2 ** 15));
      return mod(BigInt(random(2 ** 32)) ** 8n);
    });
    const [wire1, wire2] = [distinct(1, n), distinct(2, n)];
    // A few infinite ones, the same in both.
    for (const i of [0, 17, 1000, n - 1]) {
      wire1.fill(0, 64 * i, 64 * i + 64);
      wire2.fill(0, 128 * i, 128 * i + 128);
    }
    for (const values of [bytes(), pack(typical)]) {
      const arena = new Arena(kernel);
      const want = [
        curve.G1.toAffine(await curve.G1.multiExpAffine(wire1, values)),
        curve.G2.toAffine(await curve.G2.multiExpAffine(wire2, values)),
      ] as const;
      const both = [loadBases(arena, 1, n, [wire1]), loadBases(arena, 2, n, [wire2])] as const;
      const at = arena.alloc(32 * n);
      arena.bytes(at, 32 * n).set(values);
      const own = plan(histogram(arena, at, n));

      const together = sums(arena, both, at, own, 0, own.windows) as [Uint8Array, Uint8Array];
      expect(combine(arena, 1, [together[0]])).to.deep.equal(want[0]);
      expect(combine(arena, 2, [together[1]])).to.deep.equal(want[1]);
      for (const groups of [2, 3, own.windows]) {
        const bounds = cut(own, groups);
        const parts = bounds.slice(1).map((to, k) => sums(arena, both, at, own, bounds[k] as number, to));
        for (const k of [0, 1] as const) {
          const group = k === 0 ? 1 : 2;
          const points = parts.map((part) => part[k] as Uint8Array);
          expect(sumOf(points.map((part) => part.length))).to.equal(POINT_BYTES[group] * (own.starts.at(-1) as number));
          expect(combine(arena, group, points)).to.deep.equal(want[k]);
        }
        // One window left out is seen.
        expect(
          combine(
            arena,
            1,
            parts.slice(1).map((part) => part[0] as Uint8Array),
          ),
        ).not.to.deep.equal(want[0]);
      }
      for (const width of [8, 11, 14]) {
        const shape = uniform(width);
        expect(combine(arena, 1, sums(arena, [both[0]], at, shape, 0, shape.windows))).to.deep.equal(want[0]);
      }
    }
  });

  it("refuses scalars that are not below r, and counts lengths of both signs alike", () => {
    const arena = new Arena(kernel);
    const count = (scalars: readonly bigint[]): Histogram => histogram(arena, place(arena, scalars), scalars.length);
    for (const wrong of [R, R + 1n, 2n ** 254n, 2n ** 256n - 1n]) {
      expect(() => count([1n, wrong, R - 1n]))
        .to.throw("1 of 3 scalars are not reduced")
        .with.property("code", "input" satisfies NodeError["code"]);
    }
    for (let k = 0; k < 253; k++) {
      const [low, high] = [2n ** BigInt(k), 2n ** BigInt(k + 1) - 1n];
      const top = high > (R - 1n) / 2n ? (R - 1n) / 2n : high;
      const counts = count([low, top, R - low, R - top]);
      expect([...counts.entries()].filter(([, n]) => n > 0)).to.deep.equal([[k + 1, 4]]);
    }
    expect(count([0n, 0n])[0]).to.equal(2);
  });

  it("plans the cheapest windows, and none for zeros", () => {
    expect(plan(new Uint32Array(257)).windows).to.equal(0);
    expect(plan(Uint32Array.from({ length: 257 }, (_, b) => (b === 0 ? 99 : 0))).windows).to.equal(0);

    const random = generator(SEED);
    for (let round = 0; round < 20; round++) {
      const longest = 1 + random(9);
      const counts = Uint32Array.from({ length: 257 }, (_, b) =>
        b > longest ? 0 : b === longest ? 1 : random(2 ** (1 + random(14))),
      );
      const { starts, costs } = plan(counts);
      const reach = (bit: number): number => sumOf([...counts.subarray(Math.max(bit, 1))]);
      const cost = (from: number, width: number): number => reach(from) + 1.25 * 2 ** (width - 1) + 40;
      // Every way to cut longest + 1 bits.
      const cheapest = (from: number): number =>
        from === longest + 1
          ? 0
          : Math.min(
              ...Array.from({ length: longest + 1 - from }, (_, i) => cost(from, i + 1) + cheapest(from + i + 1)),
            );
      expect([starts[0], starts.at(-1)]).to.deep.equal([0, longest + 1]);
      expect(costs).to.deep.equal(
        starts.slice(1).map((end, w) => cost(starts[w] as number, end - (starts[w] as number))),
      );
      expect(sumOf(costs)).to.equal(cheapest(0));
    }
  });

  it("cuts windows into as many groups as there are, none empty", () => {
    for (const costs of [
      [1],
      [1, 1],
      [5, 1, 1, 1, 1],
      [1, 1, 1, 1, 9],
      new Array<number>(20).fill(3),
      [90, 20, 5, 5, 5, 5],
    ]) {
      const shape = { ...windows(costs.map(() => 8)), costs };
      for (let parts = 1; parts <= 8; parts++) {
        const bounds = cut(shape, parts);
        expect(bounds[0]).to.equal(0);
        expect(bounds.at(-1)).to.equal(costs.length);
        expect(bounds.length - 1).to.equal(Math.min(parts, costs.length));
        for (const [k, to] of bounds.slice(1).entries()) expect(to).to.be.greaterThan(bounds[k] as number);
      }
    }
    expect(cut({ ...windows(new Array<number>(20).fill(8)), costs: new Array<number>(20).fill(3) }, 4)).to.deep.equal([
      0, 5, 10, 15, 20,
    ]);
    expect(cut(windows([]), 3)).to.deep.equal([0, 0]);
  });

  it("leaves nothing of the scalars behind", async () => {
    const own = instantiate(await compile());
    const arena = new Arena(own);
    const fresh = arena.bytes(0, own.heap()).slice();
    const multiples = Array.from({ length: 1000 }, (_, i) => (i % MOST) + 1);
    // Words that a search finds, as they are and taken from C, and at r - k.
    const scalars = multiples.map(
      (_, i) => (0x1122334455667788n << 128n) + (0x2468ace013579bdfn << 64n) + BigInt(i + 1),
    );
    const bases = load(arena, 1, multiples);
    const at = place(arena, scalars);
    const shape = plan(histogram(arena, at, scalars.length));
    const before = arena.mark();
    const parts = sums(arena, [bases], at, shape, 0, shape.windows);
    combine(arena, 1, parts);
    expect(arena.mark()).to.equal(before);
    expect(arena.bytes(before, own.memory.buffer.byteLength - before).every((byte) => byte === 0)).to.equal(true);
    // The kernel's own memory: no lists are left, only the coordinates that it computed with last.
    const kept = arena.bytes(0, own.heap()).reduce((count, byte, i) => count + (byte === fresh[i] ? 0 : 1), 0);
    expect(kept).to.be.lessThan(5000);
    const found = (): number => {
      const c = shape.starts.slice(1).reduce((sum, end) => sum + (1n << BigInt(end - 1)), 0n);
      const words = new Set<bigint>();
      for (const scalar of scalars) {
        for (const form of [scalar, c - scalar])
          for (const k of [0n, 64n, 128n]) words.add(BigInt.asUintN(64, form >> k));
      }
      return new BigUint64Array(own.memory.buffer).reduce(
        (count, word) => count + (word > 2n ** 32n && words.has(word) ? 1 : 0),
        0,
      );
    };
    expect(found()).to.be.greaterThan(1000);
    arena.bytes(at, 32 * scalars.length).fill(0);
    expect(found()).to.equal(0);
  });
});
