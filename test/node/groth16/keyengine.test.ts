// What a thread computes for a key: fractions, columns and differences against BigInt and ffjavascript, at the limits of pairs,
// chunks and inversions, with the points and terms that key makers meet rarely.
import { expect } from "chai";
import { inverse, power, R } from "../../../node/core/field.ts";
import { type Curve, localCurve } from "../../../node/groth16/curve.ts";
import { type KeyEngine, openKeyEngine } from "../../../node/groth16/keyengine.ts";
import { packScalars } from "../../../node/groth16/keymaking.ts";
import type { Fractions, KeyTask, WeighedColumns } from "../../../node/groth16/messages.ts";
import { compile, instantiate } from "../../../node/groth16/module.ts";
import { type Group, WIRE_BYTES } from "../../../node/groth16/msm.ts";
import { type Combinations, WIDE } from "../../../node/groth16/multiples.ts";
import { rootOf } from "../../../node/groth16/polynomials.ts";

const SEED = 4711;
const mod = (value: bigint): bigint => ((value % R) + R) % R;

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

describe("a thread for keys", () => {
  let curve: Curve;
  let module: WebAssembly.Module;
  let engine: KeyEngine;

  before(async () => {
    curve = await localCurve();
    module = await compile();
    engine = openKeyEngine(instantiate(module), 5);
  });

  const run = (task: KeyTask): Uint8Array => engine(task) as Uint8Array;
  const groupOf = (group: Group) => (group === 1 ? curve.G1 : curve.G2);
  /** k times the generator, in snarkjs' form. */
  const multiple = (group: Group, k: bigint): Uint8Array => {
    const g = groupOf(group);
    return g.toAffine(g.timesScalar(g.g, mod(k)));
  };
  const joined = (points: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(points));
  const same = (got: Uint8Array, wanted: readonly Uint8Array[], what: string): void => {
    const size = wanted[0]?.length ?? 1;
    expect(got.length, what).to.equal(size * wanted.length);
    wanted.forEach((point, i) => {
      const found = Buffer.from(got.subarray(size * i, size * (i + 1)));
      expect(found.equals(point), `${what}, number ${i}`).to.equal(true);
    });
  };

  it("has the generators that ffjavascript has", () => {
    for (const group of [1, 2] as const) {
      const scalars = [0n, 1n, 2n, R - 1n];
      const got = run({ make: "multiples", group, scalars: packScalars(scalars) });
      same(
        got,
        scalars.map((k) => multiple(group, k)),
        `G${group}`,
      );
    }
  });

  const tau = power(5n, 12345678901234567890n);
  const fraction = ({ first, root, point, scale }: Fractions, i: number): bigint => {
    const x = (first * power(root, BigInt(i))) % R;
    return (((scale * x) % R) * inverse(mod(point - x))) % R;
  };

  it("makes multiples by fractions, across chunks and from any first one on", () => {
    for (const [count, log, from] of [
      [2, 1, 0],
      [2, 3, 5],
      [1024, 10, 1],
      [1026, 12, 1000],
      [2050, 28, 0],
    ] as const) {
      const root = rootOf(log);
      const of = { first: power(root, BigInt(from)), root, point: tau, scale: R - 3n, count };
      const got = run({ make: "fractions", of });
      const wanted = run({
        make: "multiples",
        group: 1,
        scalars: packScalars(Array.from({ length: count }, (_, i) => fraction(of, i))),
      });
      expect(Buffer.from(got).equals(wanted), `${count} of order 2^${log}`).to.equal(true);
    }
    const one = { first: 7n, root: 1n, point: 8n, scale: 11n, count: 2 };
    same(run({ make: "fractions", of: one }), [multiple(1, 77n), multiple(1, 77n)], "by hand");
    const odd = { ...one, count: 3 };
    expect(() => run({ make: "fractions", of: odd })).to.throw(/not pairs/);
  });

  type Terms = readonly (readonly [row: number, coefficient: bigint])[];
  const combinationsOf = (columns: readonly Terms[]): Combinations => {
    const terms = columns.flat();
    const small = (k: bigint): boolean => k > -(2n ** 31n) && k < 2n ** 31n;
    const starts = [0];
    for (const column of columns) starts.push((starts.at(-1) as number) + column.length);
    return {
      starts: Uint32Array.from(starts),
      rows: Uint32Array.from(terms, ([row]) => row),
      coefficients: Int32Array.from(terms, ([, k]) => (small(k) ? Number(k) : WIDE)),
      wide: packScalars(terms.flatMap(([, k]) => (small(k) ? [] : [mod(k)]))),
    };
  };
  const EDGES = [0n, 1n, -1n, 2n ** 31n - 1n, 1n - 2n ** 31n, 2n ** 31n, -(2n ** 31n), R - 1n, R / 2n, 2n ** 253n];

  it(`applies columns of no, few and many terms, small and wide, to its values (seed ${SEED})`, () => {
    const random = generator(SEED);
    const of = { first: 1n, root: rootOf(12), point: tau, scale: 99n, count: 4096 };
    engine({ make: "values", of });
    const value = (row: number): bigint => fraction(of, row);
    const sum = (column: Terms): bigint => column.reduce((all, [row, k]) => mod(all + value(row) * k), 0n);
    const columnOf = (length: number): Terms =>
      Array.from({ length }, () => {
        const k = random(3) === 0 ? (EDGES[random(EDGES.length)] as bigint) : BigInt(random(2 ** 16) - 2 ** 15);
        return [random(4096), k] as const;
      });
    for (const lengths of [
      [],
      [0],
      [1],
      [0, 1],
      [8, 9, 1],
      [17, 0, 64, 3, 1000],
      Array.from({ length: 1025 }, () => 1),
    ]) {
      for (const group of lengths.length > 10 ? ([1] as const) : ([1, 2] as const)) {
        const factors = [1n, R - 1n, tau].slice(0, 1 + random(3));
        const parts = factors.map((factor) => ({ factor, columns: lengths.map(columnOf) }));
        const got = run({
          make: "columns",
          group,
          parts: parts.map(({ factor, columns }): WeighedColumns => ({ factor, terms: combinationsOf(columns) })),
        });
        const scalars = lengths.map((_, i) =>
          parts.reduce((all, { factor, columns }) => mod(all + factor * sum(columns[i] as Terms)), 0n),
        );
        const wanted = run({ make: "multiples", group, scalars: packScalars(scalars) });
        expect(Buffer.from(got).equals(wanted), `G${group}, columns of ${lengths.slice(0, 6).join()} terms`).to.equal(
          true,
        );
      }
    }
    const edges = EDGES.map((k, i): Terms => [[i, k]]);
    const got = run({ make: "columns", group: 1, parts: [{ factor: 1n, terms: combinationsOf(edges) }] });
    same(
      got,
      edges.map((column) => multiple(1, sum(column))),
      "edges",
    );
  });

  it("refuses columns that name values it was not given", () => {
    engine({ make: "values", of: { first: 1n, root: rootOf(3), point: tau, scale: 1n, count: 8 } });
    const columns = (row: number): KeyTask => ({
      make: "columns",
      group: 1,
      parts: [{ factor: 1n, terms: combinationsOf([[[row, 1n]]]) }],
    });
    expect(run(columns(7)).length).to.equal(64);
    expect(() => run(columns(8))).to.throw(/do not fit/);
  });

  it("combines points, and tells the sums both ways, infinity too", () => {
    for (const group of [1, 2] as const) {
      const points = joined([1n, 5n, -5n, 0n, 7n].map((k) => multiple(group, k)));
      const columns: readonly Terms[] = [
        [[0, 3n]],
        [
          [1, 1n],
          [2, 1n],
        ],
        [[3, R / 2n]],
        [],
        [
          [4, R - 2n],
          [1, -3n],
          [0, 2n ** 200n],
        ],
      ];
      const sums = [3n, 0n, 0n, 0n, 2n ** 200n - 29n].map((k) => multiple(group, k));
      const [affine, plain] = engine({
        make: "combinations",
        group,
        points,
        of: combinationsOf(columns),
      }) as Uint8Array[];
      same(affine as Uint8Array, sums, `G${group}`);
      same(
        plain as Uint8Array,
        sums.map((point) => groupOf(group).toUncompressed(point)),
        `G${group}, to be hashed`,
      );
      expect(affine?.length).to.equal(WIRE_BYTES[group] * 5);
    }
  });

  it("takes differences of any points: equal, opposite, infinite on either side or on both", () => {
    const small = [-2n, -1n, 0n, 1n, 2n, 1000n];
    const pairs = small.flatMap((a) => small.map((b) => [a, b] as const));
    const many = Array.from({ length: 100 }, () => pairs).flat();
    const points = new Map(small.map((k) => [k, multiple(1, k)]));
    const at = (which: 0 | 1) => joined(many.map((pair) => points.get(pair[which]) as Uint8Array));
    const got = run({ make: "differences", a: at(0), b: at(1) });
    const wanted = new Map(pairs.map(([a, b]) => [a - b, curve.G1.toUncompressed(multiple(1, a - b))] as const));
    same(
      got,
      many.map(([a, b]) => wanted.get(a - b) as Uint8Array),
      "a - b",
    );
  });
});
