// Multiples from tables and short combinations: known multiples of the generator, so that each result has a known answer.
import { expect } from "chai";
import { R } from "../../../node/core/field.ts";
import { Arena, compile, instantiate, type Kernel } from "../../../node/groth16/module.ts";
import type { Group } from "../../../node/groth16/msm.ts";
import {
  buildTables,
  combinations,
  type Combinations,
  loadPoints,
  multiples,
  tableWidth,
  WIDE,
} from "../../../node/groth16/multiples.ts";
import { localCurve } from "../../../node/groth16/curve.ts";

const SEED = 99;

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

function pack(scalars: readonly bigint[]): Uint8Array {
  const words = new BigUint64Array(4 * scalars.length);
  scalars.forEach((scalar, i) => {
    for (let k = 0; k < 4; k++) words[4 * i + k] = scalar >> BigInt(64 * k);
  });
  return new Uint8Array(words.buffer);
}

type Term = readonly [row: number, coefficient: bigint];

/** Coefficients of 32 bits and less as they are, others as WIDE. */
function combinationsOf(outputs: readonly (readonly Term[])[]): Combinations {
  const starts = [0];
  const rows: number[] = [];
  const coefficients: number[] = [];
  const wide: bigint[] = [];
  for (const terms of outputs) {
    for (const [row, coefficient] of terms) {
      rows.push(row);
      const small = coefficient > -(2n ** 31n) && coefficient < 2n ** 31n;
      coefficients.push(small ? Number(coefficient) : WIDE);
      if (!small) wide.push(mod(coefficient));
    }
    starts.push(rows.length);
  }
  return {
    starts: Uint32Array.from(starts),
    rows: Uint32Array.from(rows),
    coefficients: Int32Array.from(coefficients),
    wide: pack(wide),
  };
}

describe("points for keys", function () {
  this.timeout(60_000);
  let kernel: Kernel;
  let multiple: (group: Group, k: bigint) => Uint8Array;

  before(async () => {
    kernel = instantiate(await compile());
    const curve = await localCurve();
    const known = new Map<string, Uint8Array>();
    multiple = (group, k) => {
      const scalar = mod(k);
      const name = `${group} ${scalar}`;
      const g = group === 1 ? curve.G1 : curve.G2;
      const point =
        known.get(name) ?? (scalar === 0n ? new Uint8Array(64 * group) : g.toAffine(g.timesScalar(g.g, scalar)));
      known.set(name, point);
      return point;
    };
  });

  /** Compares point by point, so that a failure names its number. */
  function same(group: Group, got: Uint8Array, want: readonly bigint[]): void {
    expect(got.length).to.equal(64 * group * want.length);
    want.forEach((k, i) => {
      const part = got.subarray(64 * group * i, 64 * group * (i + 1));
      if (Buffer.compare(part, multiple(group, k)) !== 0) expect.fail(`number ${i} is not ${k} times the generator`);
    });
  }

  for (const group of [1, 2] as const) {
    describe(`in G${group}`, () => {
      it("are multiples of one point for every kind of scalar and width", () => {
        const scalars = [0n, 1n, 2n, 3n, R - 1n, R - 2n, (R - 1n) / 2n, (R + 1n) / 2n];
        for (let k = 0n; k < 254n; k += group === 1 ? 1n : 7n)
          scalars.push(mod(2n ** k), mod(2n ** k - 1n), mod(-(2n ** k)));
        for (const width of [1, 2, 3, 5, 8, 13]) {
          const arena = new Arena(kernel);
          const tables = buildTables(arena, group, multiple(group, 1n), width);
          // All digits at their limits.
          const low = tables.starts.slice(1, -1).reduce((sum, end) => sum + (1n << BigInt(end - 1)), 0n);
          const all = [...scalars, low, low - 1n, low + 1n, mod(-low), mod(1n - low), mod(-1n - low)];
          const before = arena.mark();
          same(group, multiples(arena, tables, pack(all)), all);
          expect(arena.mark()).to.equal(before);
          expect(multiples(arena, tables, new Uint8Array(0)).length).to.equal(0);
        }
        // Of another point.
        const arena = new Arena(kernel);
        const tables = buildTables(arena, group, multiple(group, -7n), 6);
        same(
          group,
          multiples(arena, tables, pack(scalars)),
          scalars.map((k) => -7n * k),
        );
      });

      it("are as many multiples as asked for, more than fit a batch", () => {
        const arena = new Arena(kernel);
        const tables = buildTables(arena, group, multiple(group, 1n), 8);
        const scalars = Array.from({ length: 2 ** 15 + 77 }, (_, i) => BigInt(i % 300));
        same(group, multiples(arena, tables, pack(scalars)), scalars);
      });

      it("are all combinations of two terms with small coefficients, of equal, opposite and infinite points too", () => {
        const points = [1n, -1n, 2n, 0n, 5n];
        const arena = new Arena(kernel);
        const list = loadPoints(arena, group, [
          ...points.slice(0, 2).map((k) => multiple(group, k)),
          Buffer.concat(points.slice(2).map((k) => multiple(group, k))),
        ]);
        expect(list.count).to.equal(5);
        const outputs: Term[][] = [[]];
        for (let a = 0; a < 5; a++) {
          for (let k = -9n; k <= 9n; k++) {
            outputs.push([[a, k]]);
            for (let b = 0; b < 5; b++)
              for (const l of [-3n, 0n, 1n, 6n])
                outputs.push([
                  [a, k],
                  [b, l],
                ]);
          }
        }
        const before = arena.mark();
        const got = combinations(arena, list, combinationsOf(outputs));
        expect(arena.mark()).to.equal(before);
        same(
          group,
          got,
          outputs.map((terms) => terms.reduce((sum, [row, k]) => sum + k * (points[row] as bigint), 0n)),
        );
      });

      it(`are combinations with coefficients of every length, short and long columns mixed (seed ${SEED})`, () => {
        const random = generator(SEED);
        const points = Array.from({ length: 40 }, (_, i) => BigInt(i - 8));
        const arena = new Arena(kernel);
        const list = loadPoints(
          arena,
          group,
          points.map((k) => multiple(group, k)),
        );
        const borders = [
          0n,
          1n,
          -1n,
          2n ** 31n - 1n,
          1n - 2n ** 31n,
          2n ** 31n,
          -(2n ** 31n),
          R / 2n,
          -(R / 2n),
          R - 1n,
          2n ** 252n,
        ];
        const coefficient = (): bigint => {
          const kind = random(8);
          if (kind === 0) return borders[random(borders.length)] as bigint;
          if (kind === 1) return BigInt(random(2 ** 32)) ** 7n;
          return BigInt(random(256) - 128);
        };
        const outputs = Array.from({ length: group === 1 ? 2500 : 300 }, (_, i) =>
          Array.from({ length: i === 5 ? 9000 : random(6) }, (): Term => [
            random(40),
            i % 3 === 0 ? coefficient() : BigInt(random(256) - 128),
          ]),
        );
        outputs.push(...borders.map((k): Term[] => [[20, k]]));
        same(
          group,
          combinations(arena, list, combinationsOf(outputs)),
          outputs.map((terms) => terms.reduce((sum, [row, k]) => sum + k * (points[row] as bigint), 0n)),
        );
      });
    });
  }

  it("refuse rows that name no point, and wide coefficients without a number", () => {
    const arena = new Arena(kernel);
    const list = loadPoints(arena, 1, [multiple(1, 1n), multiple(1, 2n)]);
    const good = combinationsOf([
      [
        [0, 3n],
        [1, 2n ** 40n],
      ],
    ]);
    same(1, combinations(arena, list, good), [3n + 2n ** 41n]);
    expect(() => combinations(arena, list, { ...good, rows: Uint32Array.of(0, 2) })).to.throw("not given");
    expect(() => combinations(arena, list, { ...good, wide: new Uint8Array(0) })).to.throw("not given");
    expect(() => combinations(arena, list, { ...good, wide: new Uint8Array(64) })).to.throw("not given");
  });

  it("take tables as wide as their number is worth", () => {
    expect(tableWidth(1)).to.be.lessThan(4);
    for (const count of [10, 1000, 10 ** 5, 10 ** 6]) {
      const cost = (width: number): number => Math.ceil(254 / width) * (count + 2 ** (width - 1));
      for (let width = 1; width <= 16; width++) expect(cost(tableWidth(count))).to.be.at.most(cost(width));
    }
  });
});
