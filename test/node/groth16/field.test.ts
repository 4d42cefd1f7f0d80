// The prover's field arithmetic against BigInt: products on a million random pairs and on all edge limbs, up to the limits
// that product.ts and field.ts promise; the ways in and out; and every constant of both files from what it stands for.
import { expect } from "chai";
import { readFileSync } from "node:fs";
import { Q, R } from "../../../node/core/field.ts";
import { Arena, compile, instantiate, type Kernel, type Pointer } from "../../../node/groth16/module.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { littleEndian } from "../../../node/proof/zkey.ts";
import { lanes, limbsOf, PAIR, UNIT, valueOf } from "../../support/limbs.ts";

const SEED = 20263;
const MONTGOMERY = 1n << 255n;
const EDGES = [0, 1, -1, UNIT, -UNIT, UNIT - 1, 1 - UNIT];

const modulo = (value: bigint, p: bigint): bigint => ((value % p) + p) % p;

function invert(value: bigint, p: bigint): bigint {
  let [a, b, x, y] = [modulo(value, p), p, 1n, 0n];
  while (a !== 0n) {
    const quotient = b / a;
    [a, b, x, y] = [b - quotient * a, a, y - quotient * x, x];
  }
  return modulo(y, p);
}

interface Element {
  readonly at: Pointer;
  readonly values: readonly [bigint, bigint];
}

for (const [name, p] of [
  ["base", Q],
  ["scalar", R],
] as const) {
  describe(`the prover's ${name} field`, function () {
    this.timeout(60_000);
    let kernel: Kernel;
    let m: Pointer;
    let arena: Arena;
    let view: ReturnType<typeof lanes>;
    /** Scratch pairs. */
    let a: Pointer, b: Pointer, c: Pointer, d: Pointer, r: Pointer;

    before(async () => {
      kernel = instantiate(await compile());
      m = (p === Q ? kernel.FP : kernel.FR).value as Pointer;
      arena = new Arena(kernel);
      // The memory that the tests need, so that views of it last.
      arena.rewind(arena.alloc(2 ** 24));
      [a, b, c, d, r] = Array.from({ length: 5 }, () => arena.alloc(PAIR)) as [number, number, number, number, number];
      view = lanes(kernel);
    });

    const random = mulberry32(SEED);
    const whole = (below: number): number => Math.floor(random() * below);
    const field = (): bigint => {
      let bits = 0n;
      for (let i = 0; i < 9; i++) bits = (bits << 30n) | BigInt(whole(2 ** 30));
      return bits % p;
    };
    /** Limbs up to `units` units (inclusive), of a value up to `most` p, of either sign. */
    const loose = (units: number, most: number): number[] => {
      const limbs = Array.from({ length: 5 }, () => Math.round((2 * random() - 1) * units * UNIT));
      const top = Math.min(units * UNIT, Math.floor((most * Number(p)) / 2 ** 204) - 4);
      limbs[4] = Math.round((2 * random() - 1) * top);
      return limbs;
    };
    const put = (at: Pointer, first: readonly number[], second: readonly number[]): Element => {
      view.put(at, 0, first);
      view.put(at, 1, second);
      return { at, values: [valueOf(first), valueOf(second)] };
    };
    /** Both lanes of r: `want` times 2^-255, with limbs and a size as after a product, for operands of `size` p^2 at most. */
    const isProduct = (want: readonly [bigint, bigint], size: number): void => {
      for (const lane of [0, 1] as const) {
        const limbs = view.get(r, lane);
        const got = valueOf(limbs);
        const right = (got * MONTGOMERY - want[lane]) % p === 0n;
        if (right && limbs.every((x, i) => i === 4 || Math.abs(x) <= UNIT) && magnitude(got) < 0.38 * size + 0.64)
          continue;
        throw new Error(`lane ${lane}: ${limbs.join(" ")} for ${modulo(want[lane], p)}`);
      }
    };
    /** In units of p. */
    const magnitude = (value: bigint): number => Math.abs(Number(value) / Number(p));
    const isReduced = (at: Pointer, lane: number): void => {
      const limbs = view.get(at, lane);
      if (limbs.some((x) => Math.abs(x) > UNIT) || magnitude(valueOf(limbs)) >= 0.51) {
        throw new Error(`not reduced: ${limbs.join(" ")}`);
      }
    };
    const residue = (at: Pointer, lane: number): bigint => modulo(view.value(at, lane), p);

    it(`multiplies 500,000 random pairs, up to 4 units by 1 and 5 p^2 (seed ${SEED})`, () => {
      const pool = (units: number, most: number): Element[] =>
        Array.from({ length: 1500 }, () => put(arena.alloc(PAIR), loose(units, most), loose(units, most)));
      const before = arena.mark();
      const shapes = [
        { left: pool(3.99, 3.7), right: pool(1, 1.3), size: 4.9 },
        { left: pool(1.99, 2.2), right: pool(1.99, 2.2), size: 4.9 },
        { left: pool(1, 0.52), right: pool(1, 0.52), size: 0.28 },
      ];
      for (let k = 0; k < 250_000; k++) {
        const { left, right, size } = shapes[k % 3] as (typeof shapes)[0];
        const [x, y] = [left[whole(1500)] as Element, right[whole(1500)] as Element];
        kernel.mul(m, x.at, y.at, r);
        isProduct([x.values[0] * y.values[0], x.values[1] * y.values[1]], size);
      }
      arena.rewind(before);
    });

    it("multiplies all edge limbs by edge limbs", () => {
      const before = arena.mark();
      const all = edges();
      const lefts = all.map(([first, second]) => put(arena.alloc(PAIR), first, second));
      const rights = Array.from({ length: 8 }, (_, i) => (i === 0 ? all[all.length - 1] : all[whole(all.length)]));
      for (const pair of rights) {
        const y = put(b, ...(pair as [number[], number[]]));
        for (const x of lefts) {
          kernel.mul(m, x.at, y.at, r);
          isProduct([x.values[0] * y.values[0], x.values[1] * y.values[1]], 1.8);
        }
      }
      arena.rewind(before);
    });

    it(`squares random elements and all edge limbs, and adds two products (seed ${SEED})`, () => {
      for (const [first, second] of edges()) {
        const x = put(a, first, second);
        kernel.sqr(m, a, r);
        isProduct([x.values[0] ** 2n, x.values[1] ** 2n], 1.8);
        const y = put(b, second, first);
        kernel.mulAdd(m, a, b, b, b, r);
        isProduct([x.values[0] * y.values[0] + y.values[0] ** 2n, x.values[1] * y.values[1] + y.values[1] ** 2n], 3.6);
      }
      for (let k = 0; k < 15_000; k++) {
        const x = put(a, loose(1.41, 2.1), loose(1.41, 2.1));
        kernel.sqr(m, a, r);
        isProduct([x.values[0] ** 2n, x.values[1] ** 2n], 4.5);
        const [y, u, v] = [
          put(b, loose(1.9, 1.1), loose(1.9, 1.1)),
          put(c, loose(3, 2), loose(3, 2)),
          put(d, loose(1, 1.2), loose(1, 1.2)),
        ];
        kernel.mulAdd(m, a, b, c, d, r);
        const sum = (lane: 0 | 1): bigint => x.values[lane] * y.values[lane] + u.values[lane] * v.values[lane];
        isProduct([sum(0), sum(1)], 4.9);
      }
    });

    /** All combinations of edge limbs, in lane 0; in lane 1 another one. */
    function edges(): (readonly [number[], number[]])[] {
      const all = Array.from({ length: EDGES.length ** 5 }, (_, k) =>
        Array.from({ length: 5 }, (_limb, i) => EDGES[Math.floor(k / EDGES.length ** i) % EDGES.length] as number),
      );
      return all.map((limbs, k) => [limbs, all[(7919 * k + 13) % all.length] as number[]]);
    }

    it("lets a product's result lie where an operand does", () => {
      const [x, y] = [put(a, limbsOf(field()), limbsOf(field())), put(b, limbsOf(field()), limbsOf(field()))];
      kernel.mul(m, a, b, r);
      const want = [0, 1].map((lane) => view.get(r, lane));
      kernel.mul(m, a, b, a);
      expect([0, 1].map((lane) => view.get(a, lane))).to.deep.equal(want);
      put(a, limbsOf(x.values[0]), limbsOf(x.values[1]));
      kernel.mul(m, a, b, b);
      expect([0, 1].map((lane) => view.get(b, lane))).to.deep.equal(want);
      kernel.sqr(m, a, r);
      kernel.sqr(m, a, a);
      expect([0, 1].map((lane) => view.get(a, lane))).to.deep.equal([0, 1].map((lane) => view.get(r, lane)));
      expect(y.values[0]).to.not.equal(x.values[0]);
    });

    it("adds, subtracts and negates limb by limb", () => {
      for (let k = 0; k < 200; k++) {
        const [x, y] = [put(a, loose(2, 2), loose(2, 2)), put(b, loose(2, 2), loose(2, 2))];
        for (const lane of [0, 1] as const) {
          kernel.add(a, b, r);
          expect(view.value(r, lane)).to.equal(x.values[lane] + y.values[lane]);
          kernel.sub(a, b, r);
          expect(view.value(r, lane)).to.equal(x.values[lane] - y.values[lane]);
          kernel.neg(a, r);
          expect(view.value(r, lane)).to.equal(-x.values[lane]);
        }
      }
    });

    /** Values around the places where the multiple to be subtracted changes, up to 7 p. */
    const borders = (): bigint[] =>
      Array.from({ length: 27 }, (_, i) => BigInt(i - 13)).flatMap((halves) =>
        [-2n, -1n, 0n, 1n, 2n].map((near) => (halves * p) / 2n + near),
      );
    /** The same value with other limbs, below 4 units. */
    const spread = (limbs: readonly number[]): number[] => {
      const other = [...limbs];
      for (let i = 0; i < 4; i++) {
        const moved = whole(3) - 1;
        other[i] = (other[i] as number) + moved * 2 * UNIT;
        other[i + 1] = (other[i + 1] as number) - moved;
      }
      return other;
    };

    it(`reduces to the nearest representative, whatever the limbs (seed ${SEED})`, () => {
      const near = borders();
      for (const [i, value] of near.entries()) {
        for (let k = 0; k < 40; k++) {
          const other = k < 20 ? (near[(i + k + 1) % near.length] as bigint) : valueOf(loose(4, 6.9));
          put(a, spread(limbsOf(value)), k < 20 ? spread(limbsOf(other)) : limbsOf(other));
          kernel.reduce(m, a);
          isReduced(a, 0);
          isReduced(a, 1);
          expect(residue(a, 0)).to.equal(modulo(value, p));
          expect(residue(a, 1)).to.equal(modulo(other, p));
        }
      }
      for (let k = 0; k < 20_000; k++) {
        const x = put(a, loose(4, 6.9), loose(4, 6.9));
        kernel.reduce(m, a);
        isReduced(a, 0);
        isReduced(a, 1);
        if (residue(a, 0) !== modulo(x.values[0], p) || residue(a, 1) !== modulo(x.values[1], p)) {
          throw new Error(`wrong: ${x.values.join(" ")}`);
        }
      }
    });

    it("sees zero in all its forms, in either lane, and nothing beside it", () => {
      for (let k = -6n; k <= 6n; k++) {
        const zero = limbsOf(k * p);
        for (const limbs of [zero, spread(zero)]) {
          put(a, limbs, limbs);
          expect(kernel.isZero(m, a)).to.equal(3);
          for (const off of [-1n, 1n, -(1n << 51n), 1n << 51n, 1n << 203n, (p - 1n) / 2n, -(p - 1n) / 2n]) {
            put(a, limbsOf(k * p + off), limbs);
            expect(kernel.isZero(m, a), `${k} ${off}`).to.equal(2);
            put(a, limbs, limbsOf(k * p + off));
            expect(kernel.isZero(m, a), `${k} ${off}`).to.equal(1);
            put(a, limbsOf(k * p + off), limbsOf(off));
            expect(kernel.isZero(m, a), `${k} ${off}`).to.equal(0);
          }
        }
      }
    });

    it(`inverts: borders, random elements, and 0 to 0 (seed ${SEED})`, () => {
      const values = [0n, 1n, -1n, 2n, p - 2n, (p - 1n) / 2n, MONTGOMERY % p, invert(MONTGOMERY, p)];
      while (values.length < 200) values.push(field());
      const one = MONTGOMERY % p;
      values.forEach((value, i) => {
        const other = values[(i + 1) % values.length] as bigint;
        put(a, limbsOf(centred(value)), limbsOf(centred(other)));
        kernel.inverse(m, a, r);
        for (const [lane, x] of [value, other].entries()) {
          expect(residue(r, lane)).to.equal(modulo(invert(x, p) * one * one, p));
        }
      });
    });

    function centred(value: bigint): bigint {
      const rest = modulo(value, p);
      return rest > p / 2n ? rest - p : rest;
    }

    it(`packs and unpacks numbers at every limb's and word's border (seed ${SEED})`, () => {
      const bytes = arena.alloc(32);
      const near = [51n, 64n, 102n, 128n, 153n, 192n, 204n, 253n].flatMap((k) =>
        [-1n, 0n, 1n].map((x) => (1n << k) + x),
      );
      const values = [0n, 1n, 2n, p - 1n, p - 2n, (p - 1n) / 2n, ...near, ...Array.from({ length: 500 }, field)];
      for (const value of values) {
        for (const lane of [0, 1]) {
          put(a, [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]);
          arena.bytes(bytes, 32).set(littleEndian(value));
          kernel.unpack(bytes, a, lane);
          const limbs = view.get(a, lane);
          expect(valueOf(limbs)).to.equal(value);
          expect(limbs.every((x) => x >= 0 && x < 2 * UNIT)).to.equal(true);
          expect(view.get(a, 1 - lane)).to.deep.equal([1, 2, 3, 4, 5]);
          for (const form of [limbsOf(value), limbsOf(value - p), spread(limbsOf(value)), spread(limbsOf(value - p))]) {
            if (value === 0n && valueOf(form) !== 0n) continue;
            put(a, lane ? [7, 7, 7, 7, 7] : form, lane ? form : [7, 7, 7, 7, 7]);
            kernel.pack(m, a, lane, bytes);
            expect([...arena.bytes(bytes, 32)]).to.deep.equal([...littleEndian(value)]);
          }
        }
      }
      arena.bytes(bytes, 32).fill(255);
      kernel.unpack(bytes, a, 0);
      expect(view.value(a, 0)).to.equal((1n << 256n) - 1n);
      expect(view.get(a, 0)[4]).to.equal(2 ** 52 - 1);
    });

    it("has the constants that it is meant to have", () => {
      const table = new Float64Array(kernel.memory.buffer, m, 74);
      const pair = (at: number): number[][] => [view.get(m + at, 0), view.get(m + at, 1)];
      const both = (value: bigint): number[][] => [limbsOf(value), limbsOf(value)];
      const r255 = (1n << 255n) % p;
      const near = (value: bigint): number[][] => both(centred(value));
      expect(pair(0), "N").to.deep.equal(near(invert(1n << 51n, p)));
      expect(pair(80), "p").to.deep.equal(both(p));
      const negative = BigInt.asIntN(51, invert(-p, 1n << 51n));
      expect([table[20], table[21]], "-1/p").to.deep.equal([Number(negative), Number(negative)]);
      const ratio = Number((1n << 404n) / p) / 2 ** 200;
      expect([table[22], table[23]], "2^204/p").to.deep.equal([ratio, ratio]);
      expect(pair(192), "1").to.deep.equal(near(r255));
      expect(pair(272), "from Montgomery").to.deep.equal(near(1n << 254n));
      expect(pair(352), "to Montgomery").to.deep.equal(near(1n << 256n));
      expect(pair(432), "from plain").to.deep.equal(near(r255 * r255));
      expect(pair(512), "to plain").to.deep.equal(near(1n));
      for (const limbs of [0, 80, 192, 272, 352, 432, 512].flatMap(pair)) {
        expect(limbs.every((x) => Math.abs(x) <= UNIT)).to.equal(true);
      }
      expect(magnitude(valueOf(limbsOf(centred(invert(1n << 51n, p))))), "|N|").to.be.below(0.26);
      const exponent = bigUints("field", p === Q ? "P_MINUS_2" : "R_MINUS_2");
      expect(exponent.reduceRight((sum, word) => (sum << 64n) | word, 0n)).to.equal(p - 2n);
    });
  });
}

const source = { field: "", product: "" };
/** A table of 64-bit words, as the kernel's source has it. */
function bigUints(file: keyof typeof source, name: string): bigint[] {
  source[file] ||= readFileSync(new URL(`../../../node/groth16/kernel/${file}.ts`, import.meta.url), "utf8");
  const [, body] =
    new RegExp(`const ${name}: usize = memory\\.data<u64>\\(\\s*\\[([^\\]]*)\\]`).exec(source[file]) ?? [];
  return (body ?? "").match(/0x[0-9a-f]+/g)?.map(BigInt) ?? [];
}

describe("the tables of the prover's products", () => {
  const bits = (value: number): bigint => new BigUint64Array(new Float64Array([value]).buffer)[0] as bigint;
  const B1 = bits(3 * 2 ** 102);
  const B3 = bits(3 * 2 ** 51);
  const twice = (words: readonly bigint[]): bigint[] => words.flatMap((word) => [word, word]);

  it("shares the floats and masks that it is meant to", () => {
    const floats = [3 * 2 ** 102, 3 * 2 ** 102 + 3 * 2 ** 51, 3 * 2 ** 51, 2 ** 52 + 2 ** 50].map(bits);
    const want = [...floats, (1n << 51n) - 1n, bits(2 ** 52), bits(2 ** -51)];
    expect(bigUints("product", "SHARED")).to.deep.equal(twice(want));
  });

  // Where the products of a limb i and a limb j go: the low part to column i + j, the high part to the next.
  const PAIRS = Array.from({ length: 25 }, (_, k) => [Math.floor(k / 5), k % 5] as const);
  for (const [name, products] of [
    ["PRODUCT", PAIRS],
    ["SQUARE", PAIRS.filter(([i, j]) => i <= j)],
    ["TWO_PRODUCTS", [...PAIRS, ...PAIRS]],
  ] as const) {
    it(`starts the columns of ${name} without the bits of what they are given`, () => {
      const columns = Array.from({ length: 10 }, () => 0n);
      const take = (column: number, what: bigint): void => {
        columns[column] = (columns[column] as bigint) - what;
      };
      // Four digits times N, one column up; the fifth step's times p, where it is.
      const steps = PAIRS.map(([i, j]) => [i === 4 ? 4 : i + 1, j] as const);
      for (const [i, j] of [...products, ...steps]) {
        take(i + j, B3);
        take(i + j + 1, B1);
      }
      columns.forEach((_, k) => {
        if (k < 9) take(k, -(1n << 62n) - (1n << 50n));
        if (k > 0) take(k, 1n << 11n);
      });
      take(9, -B3);
      expect(bigUints("product", name)).to.deep.equal(twice(columns.map((column) => BigInt.asUintN(64, column))));
    });
  }
});
