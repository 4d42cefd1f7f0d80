// The transform from a polynomial's values at the roots of unity to those on the odd coset: against the definition for all
// unit vectors of small domains, against ffjavascript for large ones, and at the limits that fft.ts promises.
import { expect } from "chai";
import type { Curve } from "ffjavascript";
import { NodeError } from "../../../node/core/errors.ts";
import { inverse, power as raise, R } from "../../../node/core/field.ts";
import { Arena, compile, instantiate, type Kernel, type Pointer } from "../../../node/groth16/module.ts";
import { type Domain, openDomain } from "../../../node/groth16/polynomials.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { localCurve } from "../../../node/groth16/curve.ts";
import { lanes, limbsOf, PAIR, UNIT, valueOf } from "../../support/limbs.ts";

const SEED = 20264;
const MONTGOMERY = 1n << 255n;

const modulo = (value: bigint): bigint => ((value % R) + R) % R;

describe("the prover's transform to the odd coset", function () {
  this.timeout(60_000);
  let kernel: Kernel;
  let curve: Curve;
  before(async () => {
    kernel = instantiate(await compile());
    curve = await localCurve();
  });

  const random = mulberry32(SEED);
  const field = (): bigint => {
    let bits = 0n;
    for (let i = 0; i < 9; i++) bits = (bits << 30n) | BigInt(Math.floor(random() * 2 ** 30));
    return bits % R;
  };
  const root = (k: number): bigint => curve.Fr.toObject(curve.Fr.w[k] as Uint8Array);

  /** Sets up a domain, with room for one polynomial; `run` takes limbs, or values to be held in reduced form. */
  function openCase(power: number): {
    readonly domain: Domain;
    readonly run: (values: readonly (bigint | readonly number[])[]) => bigint[];
  } {
    const arena = new Arena(kernel);
    const domain = openDomain(arena, power);
    const at = arena.alloc(PAIR * Math.max(2, domain.size / 2));
    const run = (values: readonly (bigint | readonly number[])[]): bigint[] => {
      const view = lanes(kernel);
      arena.bytes(at, PAIR * Math.max(2, domain.size / 2)).fill(0);
      values.forEach((value, i) => {
        view.put(at + PAIR * (i >> 1), i & 1, typeof value === "bigint" ? limbsOf(centred(value)) : value);
      });
      kernel.coset(at, domain.size / 2, domain.inverse, domain.forward);
      return values.map((_, i) => {
        const limbs = view.get(at + PAIR * (i >> 1), i & 1);
        const value = valueOf(limbs);
        const isReduced = limbs.every((x) => Math.abs(x) <= UNIT) && Math.abs(Number(value) / Number(R)) < 0.51;
        if (!isReduced) throw new Error(`element ${i} is not reduced: ${limbs.join(" ")}`);
        return modulo(value);
      });
    };
    return { domain, run };
  }

  const centred = (value: bigint): bigint => (value > R / 2n ? value - R : value);

  /** n times the values at g w^i of the polynomial that has `values` at w^i: by the definition. */
  function byDefinition(values: readonly bigint[], power: number): bigint[] {
    const n = values.length;
    const [w, g] = [root(power), root(power + 1)];
    const backwards = inverse(w);
    const coefficients = values.map((_, j) =>
      modulo(values.reduce((sum, value, i) => sum + value * raise(backwards, BigInt(i * j)), 0n)),
    );
    return Array.from({ length: n }, (_, i) => {
      const x = (g * raise(w, BigInt(i))) % R;
      return coefficients.reduceRight((sum, coefficient) => modulo(sum * x + coefficient), 0n);
    });
  }

  /** The same as snarkjs does it. */
  async function byFfjavascript(values: readonly bigint[], power: number): Promise<bigint[]> {
    const { Fr } = curve;
    const bytes = new Uint8Array(32 * values.length);
    values.forEach((value, i) => bytes.set(Fr.e(value), 32 * i));
    const coefficients = await Fr.batchApplyKey(
      await Fr.ifft(bytes),
      Fr.e(BigInt(values.length)),
      Fr.w[power + 1] as Uint8Array,
    );
    const result = await Fr.fft(coefficients);
    return values.map((_, i) => Fr.toObject(result.slice(32 * i, 32 * i + 32)));
  }

  it("takes every unit vector of domains of 2 to 32 to its values by the definition", () => {
    for (let power = 1; power <= 5; power++) {
      const { run } = openCase(power);
      const n = 2 ** power;
      for (let i = 0; i < n; i++) {
        const values = Array.from({ length: n }, (_, j) => (i === j ? 1n : 0n));
        expect(run(values), `unit ${i} of ${n}`).to.deep.equal(byDefinition(values, power));
      }
      expect(run(Array.from({ length: n }, () => 0n))).to.deep.equal(Array.from({ length: n }, () => 0n));
    }
  });

  it(`agrees with ffjavascript on domains of 2 to 2^14 (seed ${SEED})`, async () => {
    for (let power = 1; power <= 14; power++) {
      const values = Array.from({ length: 2 ** power }, field);
      const [got, want] = [openCase(power).run(values), await byFfjavascript(values, power)];
      const wrong = got.findIndex((value, i) => value !== want[i]);
      if (wrong >= 0) throw new Error(`2^${power}: element ${wrong} is ${got[wrong]}, not ${want[wrong]}`);
    }
  });

  it("is right at its limits: elements of 3 units and 3 p, all of one sign or of both", async () => {
    const most = 3 * UNIT;
    const top = Math.floor((2.99 * Number(R)) / 2 ** 204);
    const kinds: ((i: number) => number[])[] = [
      () => [most, most, most, most, top],
      () => [-most, -most, -most, -most, -top],
      (i) => (i % 2 === 0 ? [most, -most, most, -most, top] : [-most, most, -most, most, -top]),
      () => Array.from({ length: 5 }, (_, k) => Math.round((2 * random() - 1) * (k === 4 ? top : most))),
    ];
    for (const power of [1, 2, 3, 4, 7, 8, 10]) {
      for (const kind of kinds) {
        const limbs = Array.from({ length: 2 ** power }, (_, i) => kind(i));
        const want = await byFfjavascript(
          limbs.map((x) => modulo(valueOf(x))),
          power,
        );
        expect(openCase(power).run(limbs), `2^${power}`).to.deep.equal(want);
      }
    }
  });

  it("has the twiddles of snarkjs' roots of unity, reduced", () => {
    for (const power of [1, 2, 3, 6, 9]) {
      const { domain } = openCase(power);
      const view = lanes(kernel);
      const at = (table: Pointer, k: number): bigint => {
        const limbs = view.get(table + PAIR * (k >> 1), k & 1);
        const value = valueOf(limbs);
        expect(limbs.every((x) => Math.abs(x) <= UNIT) && Math.abs(Number(value) / Number(R)) < 0.51).to.equal(true);
        return modulo(value);
      };
      const held = (value: bigint): bigint => (value * MONTGOMERY) % R;
      const reversed = (k: number, bits: number): number =>
        Array.from({ length: bits }, (_, i) => ((k >> i) & 1) << (bits - 1 - i)).reduce((sum, bit) => sum + bit, 0);
      for (let k = 0; k < domain.size / 2; k++) {
        expect(at(domain.inverse, k)).to.equal(held(inverse(raise(root(power), BigInt(reversed(k, power - 1))))));
      }
      expect([at(domain.forward, 0), at(domain.forward, 1)]).to.deep.equal([held(root(2)), held(root(2))]);
      for (let level = 2; level <= power; level++) {
        const m = 2 ** level;
        for (let j = 0; j < m / 2; j++) {
          expect(at(domain.forward, m / 2 + j)).to.equal(held(raise(root(level + 1), BigInt(1 + 2 * j))));
        }
      }
    }
  });

  it("refuses domains that there are not", () => {
    const arena = new Arena(kernel);
    for (const power of [-1, 0, 0.5, 28, 29, Number.NaN]) {
      expect(() => openDomain(arena, power), `${power}`)
        .to.throw(NodeError)
        .with.property("code", "input");
    }
  });
});
