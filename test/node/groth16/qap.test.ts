// The scalars of the quotient's sum: snarkjs' own, byte for byte, for random terms and witnesses; and the way there, from a
// key's terms in any pieces and any order to rows, at its borders and for keys that nobody would make by mistake.
import { expect } from "chai";
import { buildBn128, type Curve } from "ffjavascript";
import { readFileSync } from "node:fs";
import * as snarkjs from "snarkjs";
import { NodeError } from "../../../node/core/errors.ts";
import { getField, inverse, power as raise, R } from "../../../node/core/field.ts";
import { Arena, compile, instantiate, type Kernel, type Pointer } from "../../../node/groth16/module.ts";
import { coset, join, loadWitness, openDomain } from "../../../node/groth16/polynomials.ts";
import { type Terms, termsLoader } from "../../../node/groth16/terms.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { littleEndian } from "../../../node/proof/zkey.ts";
import { binFile, sectionsOf, wtnsBytes } from "../../support/circuits-small.ts";
import { smallKey, workFolder } from "../../support/keys.ts";
import { lanes, limbsOf, PAIR } from "../../support/limbs.ts";

const SEED = 20265;
const TERM_BYTES = 44;
/** What section 4 multiplies values by. */
const SCALE = (1n << 512n) % R;

interface Term {
  readonly matrix: number;
  readonly row: number;
  readonly signal: number;
  /** As in the file, any number below 2^256. */
  readonly coefficient: bigint;
}

const term = (matrix: number, row: number, signal: number, value: bigint): Term => ({
  matrix,
  row,
  signal,
  coefficient: (modulo(value) * SCALE) % R,
});

function modulo(value: bigint): bigint {
  return ((value % R) + R) % R;
}

function bytesOf(terms: readonly Term[]): Buffer {
  const bytes = Buffer.alloc(TERM_BYTES * terms.length);
  terms.forEach(({ matrix, row, signal, coefficient }, i) => {
    bytes.writeUInt32LE(matrix, TERM_BYTES * i);
    bytes.writeUInt32LE(row, TERM_BYTES * i + 4);
    bytes.writeUInt32LE(signal, TERM_BYTES * i + 8);
    littleEndian(coefficient).copy(bytes, TERM_BYTES * i + 12);
  });
  return bytes;
}

describe("the prover's quotient", function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => void (kernel = instantiate(await compile())));

  const random = mulberry32(SEED);
  const whole = (below: number): number => Math.floor(random() * below);
  const field = (): bigint => {
    let bits = 0n;
    for (let i = 0; i < 9; i++) bits = (bits << 30n) | BigInt(whole(2 ** 30));
    return bits % R;
  };
  /** Mostly what circuits have. */
  const coefficient = (): bigint => [1n, -1n, 1n, -1n, 2n, 1n << BigInt(whole(64)), field()][whole(7)] as bigint;
  const randomTerms = (count: number, size: number, wires: number): Term[] =>
    Array.from({ length: count }, () => term(whole(2), whole(size), whole(wires), coefficient()));

  function loadTerms(arena: Arena, power: number, wires: number, terms: readonly Term[], piece = terms.length): Terms {
    const domain = openDomain(arena, power);
    const loader = termsLoader(arena, { domain, wires, count: terms.length });
    const bytes = bytesOf(terms);
    for (let at = 0; at < bytes.length; at += TERM_BYTES * piece)
      loader.feed(bytes.subarray(at, at + TERM_BYTES * piece));
    return loader.finish();
  }

  function witnessOf(arena: Arena, values: readonly bigint[]): Pointer {
    const bytes = Buffer.concat(values.map(littleEndian));
    const at = arena.alloc(bytes.length);
    arena.bytes(at, bytes.length).set(bytes);
    return loadWitness(arena, at, values.length);
  }

  /** All of it, as a proof does it. */
  function scalarsOf(power: number, terms: readonly Term[], values: readonly bigint[], piece?: number): Buffer {
    const arena = new Arena(kernel);
    const loaded = loadTerms(arena, power, values.length, terms, piece);
    return finish(arena, power, loaded, values);
  }

  function finish(arena: Arena, power: number, loaded: Terms, values: readonly bigint[]): Buffer {
    const domain = openDomain(arena, power);
    const witness = witnessOf(arena, values);
    const [a, b, c] = (["a", "b", "c"] as const).map((which) => coset(arena, domain, loaded, witness, which));
    const scalars = join(arena, domain, a as Pointer, b as Pointer, c as Pointer);
    return Buffer.from(arena.bytes(scalars, 32 * domain.size));
  }

  /** By the definition: rows, products, and both polynomials' values on the coset by interpolation. Small domains only. */
  function byDefinition(power: number, terms: readonly Term[], values: readonly bigint[]): Buffer {
    const n = 2 ** power;
    const root = (k: number): bigint => raise(5n, (R - 1n) >> BigInt(k));
    const [w, g] = [root(power), root(power + 1)];
    const rows = [0, 1].map(() => Array.from({ length: n }, () => 0n));
    const unscale = inverse(SCALE);
    for (const { matrix, row, signal, coefficient } of terms) {
      const sums = rows[matrix] as bigint[];
      sums[row] = modulo((sums[row] as bigint) + modulo(coefficient * unscale) * (values[signal] as bigint));
    }
    const [a, b] = rows as [bigint[], bigint[]];
    const c = a.map((value, i) => modulo(value * (b[i] as bigint)));
    // Lagrange: L_i(x) = w^i (x^n - 1) / (n (x - w^i)), and x^n = -1 on the coset.
    const powers = Array.from({ length: n }, (_, i) => raise(w, BigInt(i)));
    return Buffer.concat(
      powers.map((point) => {
        const x = (g * point) % R;
        const weights = powers.map((p) => modulo(-2n * p * inverse(modulo(BigInt(n) * (x - p)))));
        const at = (list: readonly bigint[]): bigint =>
          modulo(list.reduce((sum, value, i) => sum + value * (weights[i] as bigint), 0n));
        return littleEndian(modulo(at(a) * at(b) - at(c)));
      }),
    );
  }

  describe("beside snarkjs", () => {
    const folder = workFolder();
    let template: Buffer;
    const shared = globalThis as { curve_bn128?: Curve | null };
    const stranger = shared.curve_bn128;
    let captured: Uint8Array | undefined;

    before(async () => {
      template = readFileSync((await smallKey(folder.path)).zkey);
      // snarkjs' own prover up to the sum over H, whose scalars are kept; no sum is computed.
      const curve = await buildBn128(true);
      const zero = { G1: curve.G1.zero, G2: curve.G2.zero };
      for (const group of ["G1", "G2"] as const) {
        Object.assign(curve[group], {
          multiExpAffine: (_points: Uint8Array, scalars: Uint8Array, _logger: unknown, text: string) => {
            if (text === "multiexp H") captured = scalars.slice();
            return Promise.resolve(zero[group]);
          },
        });
      }
      shared.curve_bn128 = curve;
    });
    after(() => {
      shared.curve_bn128 = stranger ?? null;
      folder.remove();
    });

    const memory = (data: Buffer) => ({ type: "mem", data: new Uint8Array(data) }) as const;

    async function bySnarkjs(power: number, terms: readonly Term[], values: readonly bigint[]): Promise<Buffer> {
      const zkey = binFile(
        "zkey",
        1,
        sectionsOf(template).map(({ id, bytes }) => {
          if (id === 2) {
            bytes.writeUInt32LE(values.length, 72);
            bytes.writeUInt32LE(0, 76);
            bytes.writeUInt32LE(2 ** power, 80);
          }
          const count = Buffer.alloc(4);
          count.writeUInt32LE(terms.length);
          return { id, bytes: id === 4 ? Buffer.concat([count, bytesOf(terms)]) : bytes };
        }),
      );
      captured = undefined;
      await snarkjs.groth16.prove(memory(zkey), memory(wtnsBytes(values)));
      if (captured === undefined) throw new Error("snarkjs has no sum over H");
      return Buffer.from(captured);
    }

    it(`has the same scalars on domains of 2 to 2^10, whatever the rows (seed ${SEED})`, async () => {
      for (let power = 1; power <= 10; power++) {
        const size = 2 ** power;
        const wires = size + 5;
        const values = [
          1n,
          ...Array.from({ length: wires - 1 }, () => (whole(2) === 0 ? field() : BigInt(whole(256)))),
        ];
        for (const count of [0, 1, 3 * size, power < 6 ? 40 * size : 5 * size]) {
          const terms = randomTerms(count, size, wires);
          const want = await bySnarkjs(power, terms, values);
          expect(scalarsOf(power, terms, values).equals(want), `2^${power}, ${count} terms`).to.equal(true);
        }
      }
    });

    it("has the same scalars at the field's borders", async () => {
      const edges = [0n, 1n, 2n, R - 1n, R - 2n, (R - 1n) / 2n, (R + 1n) / 2n, 1n << 253n, (1n << 51n) - 1n, 1n << 51n];
      const terms = Array.from({ length: 200 }, (_, i) =>
        term(i & 1, (i >> 1) % 16, whole(edges.length), edges[i % edges.length] as bigint),
      );
      expect(scalarsOf(4, terms, edges).equals(await bySnarkjs(4, terms, edges))).to.equal(true);
      const extreme = Array.from({ length: 256 }, (_, i) => term(i & 1, (i >> 1) % 4, 0, R - 1n));
      expect(scalarsOf(2, extreme, [R - 1n]).equals(await bySnarkjs(2, extreme, [R - 1n]))).to.equal(true);
    });
  });

  describe("from a key's terms", () => {
    const power = 3;
    const wires = 11;
    const values = [1n, ...Array.from({ length: wires - 1 }, field)];

    it(`takes them in pieces of any length and in any order (seed ${SEED})`, () => {
      const terms = randomTerms(97, 2 ** power, wires);
      const want = byDefinition(power, terms, values);
      for (const piece of [1, 2, 7, 96, 97]) {
        expect(scalarsOf(power, terms, values, piece).equals(want), `pieces of ${piece}`).to.equal(true);
      }
      for (let k = 0; k < 5; k++) {
        const shuffled = terms.map((one) => [random(), one] as const).sort(([x], [y]) => x - y);
        expect(
          scalarsOf(
            power,
            shuffled.map(([, one]) => one),
            values,
          ).equals(want),
        ).to.equal(true);
      }
      expect(scalarsOf(power, terms.slice(1), values).equals(want), "one term less").to.equal(false);
    });

    it("adds up rows of any two lengths side by side, and signals that come twice", () => {
      for (let first = 0; first <= 33; first++) {
        for (const second of [0, 1, 7, 8, 9, 15, 16, 17, 33]) {
          const row = (length: number, at: number, matrix: number): Term[] =>
            Array.from({ length }, (_, i) => term(matrix, at, i % 3, BigInt(i) - 5n));
          const terms = [...row(first, 2, 0), ...row(second, 3, 0), ...row(second, 2, 1), ...row(first, 3, 1)];
          expect(scalarsOf(2, terms, values).equals(byDefinition(2, terms, values)), `${first}, ${second}`).to.equal(
            true,
          );
        }
      }
    });

    it("takes coefficients that are not below R as what they are modulo R", () => {
      const terms = [R, 2n * R - 1n, R + 7n, (1n << 256n) - 1n].flatMap((coefficient, i) => [
        { matrix: 0, row: i, signal: i, coefficient },
        { matrix: 1, row: i, signal: i + 1, coefficient: 3n },
      ]);
      expect(scalarsOf(2, terms, values).equals(byDefinition(2, terms, values))).to.equal(true);
    });

    it(`tells thousands of coefficients apart, and those that meet in its table (seed ${SEED})`, () => {
      const many = Array.from({ length: 9000 }, (_, i) =>
        term(i & 1, i % 8, i % wires, i < 6000 ? field() : BigInt(i % 5)),
      );
      expect(scalarsOf(power, many, values).equals(byDefinition(power, many, values))).to.equal(true);
      const meeting: bigint[] = [];
      for (let x = 1n; meeting.length < 80; x++) if ((hash(x) & 0xfffn) === 77n) meeting.push(x);
      // And some that meet, and differ in one of their words only.
      for (const [word, slot] of [0n, 1n, 2n, 3n].map((k) => [1n << (64n * k), hash(0n) & 0xfffn] as const)) {
        let x = word;
        while ((hash(x) & 0xfffn) !== slot) x += word;
        meeting.push(x);
      }
      meeting.push(0n);
      const clash = [...meeting, ...meeting].map((coefficient, i) => ({
        matrix: i & 1,
        row: whole(8),
        signal: i % wires,
        coefficient,
      }));
      expect(scalarsOf(power, clash, values).equals(byDefinition(power, clash, values))).to.equal(true);
    });

    /** The loader's. */
    function hash(x: bigint): bigint {
      let h = 0n;
      for (let i = 0n; i < 4n; i++) {
        const turned = BigInt.asUintN(64, (h << 29n) | (h >> 35n));
        h = BigInt.asUintN(64, (turned ^ BigInt.asUintN(64, x >> (64n * i))) * 0x9e3779b97f4a7c15n);
      }
      return h >> 32n;
    }

    it("keeps two keys apart in one memory", () => {
      const [one, two] = [randomTerms(50, 2 ** power, wires), randomTerms(70, 2 ** power, wires)];
      const arena = new Arena(kernel);
      const loaded = [one, two].map((terms) => loadTerms(arena, power, wires, terms, 13));
      [one, two].forEach((terms, i) => {
        const want = byDefinition(power, terms, values);
        expect(finish(arena, power, loaded[i] as Terms, values).equals(want)).to.equal(true);
      });
    });

    it("refuses matrices, rows and signals that there are not, and writes nothing for them", () => {
      const refused = (bad: Term): void => {
        const arena = new Arena(kernel);
        const guard = arena.alloc(4096);
        arena.bytes(guard, 4096).fill(0xa5);
        for (const before of [0, 1, 30]) {
          const terms = [...Array.from({ length: before }, () => term(1, 7, 10, 5n)), bad, term(0, 0, 0, 1n)];
          expect(() => loadTerms(arena, power, wires, terms), JSON.stringify({ ...bad, coefficient: "" }))
            .to.throw(NodeError, new RegExp(`term ${before} `))
            .with.property("code", "input");
        }
        expect(arena.bytes(guard, 4096).every((byte) => byte === 0xa5)).to.equal(true);
      };
      for (const most of [2, 3, 0x7fffffff, 0x80000000, 0xffffffff]) refused(term(most, 0, 0, 1n));
      for (const most of [8, 9, 16, 0x7fffffff, 0x80000000, 0xffffffff]) {
        refused(term(0, most, 0, 1n));
        refused(term(1, most, 0, 1n));
      }
      for (const most of [11, 12, 0x7fffffff, 0x80000000, 0xffffffff]) refused(term(0, 0, most, 1n));
      const last = [term(1, 7, 10, 5n), term(0, 7, 10, 5n)];
      expect(scalarsOf(power, last, values).equals(byDefinition(power, last, values))).to.equal(true);
    });

    it("refuses one term too many or too few, and half a term", () => {
      const arena = new Arena(kernel);
      const domain = openDomain(arena, power);
      const open = (count: number) => termsLoader(arena, { domain, wires, count });
      const bytes = bytesOf([term(0, 0, 0, 1n), term(0, 1, 0, 1n)]);
      const code = (act: () => unknown): string => {
        try {
          act();
        } catch (thrown) {
          if (thrown instanceof NodeError) return thrown.code;
        }
        return "";
      };
      expect(code(() => open(1).feed(bytes))).to.equal("input");
      const short = open(3);
      short.feed(bytes);
      expect(code(() => short.finish())).to.equal("input");
      const exact = open(2);
      exact.feed(bytes);
      expect(code(() => exact.feed(bytes.subarray(0, TERM_BYTES)))).to.equal("input");
      expect(code(() => exact.feed(bytes.subarray(1)))).to.equal("internal");
      expect(code(() => exact.finish())).to.equal("");
    });
  });

  it("refuses a witness with a value that is not below R", () => {
    const arena = new Arena(kernel);
    const top = 1n << 192n;
    const good = [0n, R - 1n, R - 2n, R - top, (R / top) * top, (1n << 253n) - 1n];
    const at = witnessOf(arena, good);
    const floats = new Float64Array(kernel.memory.buffer, at, 5 * good.length);
    good.forEach((value, i) => {
      const limbs = Array.from(floats.subarray(5 * i, 5 * i + 5), BigInt);
      expect(limbs.reduceRight((sum, limb) => (sum << 51n) + limb, 0n)).to.equal(value);
    });
    for (const bad of [R, R + 1n, R + (1n << 64n), R + (1n << 128n), R + top, 1n << 254n, (1n << 256n) - 1n]) {
      for (const place of [0, 3, 6]) {
        const values = [...good];
        values.splice(place, 0, bad);
        expect(() => witnessOf(arena, values))
          .to.throw(NodeError, new RegExp(`value ${place} `))
          .with.property("code", "input");
      }
    }
  });

  it("joins reduced values of any sign to numbers below R", () => {
    const arena = new Arena(kernel);
    const domain = openDomain(arena, 1);
    const [a, b, c] = [0, 1, 2].map(() => arena.alloc(PAIR)) as [Pointer, Pointer, Pointer];
    const edges = [0n, 1n, -1n, (R - 1n) / 2n, (1n - R) / 2n];
    // As kept: a b / 2^255 - n c; see kernel/qap.ts.
    const factor = inverse(1n << 255n);
    const scalars = join(arena, domain, a, b, c);
    const view = lanes(kernel);
    const put = (at: Pointer, value: bigint): void => [0, 1].forEach((lane) => view.put(at, lane, limbsOf(value)));
    for (const x of edges) {
      for (const y of edges) {
        for (const z of edges) {
          put(a, x);
          put(b, y);
          put(c, z);
          arena.rewind(scalars);
          join(arena, domain, a, b, c);
          const want = modulo(x * y * factor - 2n * z);
          for (const lane of [0, 1]) expect(getField(arena.bytes(scalars, 64), 32 * lane)).to.equal(want);
        }
      }
    }
  });
});
