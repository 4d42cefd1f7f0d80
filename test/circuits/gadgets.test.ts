// Each gadget on its own: what it yields, over whole small domains, against the formula in its header; hint against circom's
// own witness program; rows pinned; parameters that break a header's demands.
import { expect } from "chai";
import { compile, specName } from "../../node/circuit/compile.ts";
import type { Param, Spec } from "../../node/circuit/compile.ts";
import { isInput, slotOf } from "../../node/circuit/gadget.ts";
import type { Gadget } from "../../node/circuit/gadget.ts";
import { inverseOfSmall } from "../../node/circuit/hints.ts";
import { Values, plus, times } from "../../node/circuit/lc.ts";
import type { Lc, Value } from "../../node/circuit/lc.ts";
import { Library } from "../../node/circuit/library.ts";
import { R, power, reduce } from "../../node/core/field.ts";
import { gadgetProgram } from "../support/r1csCircom.ts";
import { randomOf, whole } from "../support/nets.ts";

const library = new Library();

async function gadget(template: string, ...params: Param[]): Promise<Gadget> {
  const spec = { template, params };
  await library.load([spec]);
  return library.get(spec);
}

/** Outputs and internals by the hint. */
function hinted({ hint, fresh }: Gadget, inputs: readonly Value[]): Value[] {
  const values = new Values(1 + fresh);
  hint.run(inputs, 1, values);
  return Array.from({ length: fresh }, (_, slot) => values.get(1 + slot));
}

/** The first row that the assignment fails. */
function failing(g: Gadget, inputs: readonly Value[], fresh: readonly Value[]): number | undefined {
  const outs = g.hint.outputs.length;
  const at = (wire: number): Value =>
    wire === 0 ? 1 : isInput(g, wire) ? (inputs[wire - 1 - outs] as Value) : (fresh[slotOf(g, wire)] as Value);
  const value = ({ wires, factors }: Lc): Value =>
    wires.reduce<Value>((sum, wire, i) => plus(sum, times(factors[i] as Value, at(wire))), 0);
  const bad = g.rows.findIndex(([a, b, c]) => reduce(BigInt(times(value(a), value(b))) - BigInt(value(c))) !== 0n);
  return bad < 0 ? undefined : bad;
}

/** Quotients and clamps as the header of Rescale.circom says. */
function rescaled(x: number, s: number, k: number, lo: number): number {
  const half = s === 0 ? 0 : 2 ** (s - 1);
  return Math.min(lo + 2 ** k - 1, Math.max(lo, Math.floor((x + half) / 2 ** s)));
}

/** [B, s, k, lo, signed] with every form of the gadget. */
const RESCALES: readonly (readonly [number, number, number, number, number])[] = [
  [12, 3, 5, 0, 1],
  [12, 3, 8, -128, 1],
  [12, 4, 7, 0, 1],
  [12, 0, 7, 0, 1],
  [12, 1, 10, -3, 1],
  [11, 2, 4, 5, 0],
  [11, 6, 4, -8, 0],
  [11, 6, 5, 0, 0],
  [11, 5, 5, -16, 0],
];

/** The whole domain of a rescale: all x that its B bits admit. */
function domain([B, s, , lo, signed]: (typeof RESCALES)[number]): { from: number; to: number } {
  const off = (s > 0 ? 2 ** (s - 1) : 0) - lo * 2 ** s + (signed === 1 ? 2 ** (B - 1) : 0);
  return { from: -off, to: 2 ** B - 1 - off };
}

/** [B, s, k, lo, signed] of RescaleEven: every form, with even and odd ends, one and more bits below the half. */
const EVENS: readonly (readonly [number, number, number, number, number])[] = [
  [12, 3, 5, 0, 1],
  [12, 3, 8, -128, 1],
  [12, 4, 7, -127, 1],
  [12, 1, 8, -3, 1],
  [11, 2, 4, 5, 0],
  [11, 2, 4, -6, 0],
  [11, 6, 4, -8, 0],
  [11, 6, 4, 7, 0],
  [11, 6, 5, 0, 0],
  [11, 5, 6, -17, 0],
  [9, 7, 1, 3, 1],
];

/** Rounded as IEEE does, from the nearest integers: no formula of the gadget's. */
function rescaledEven(x: number, s: number, k: number, lo: number): number {
  const below = Math.floor(x / 2 ** s);
  const rest = x / 2 ** s - below;
  const rounded = rest === 0.5 ? (below % 2 === 0 ? below : below + 1) : rest < 0.5 ? below : below + 1;
  return Math.min(lo + 2 ** k - 1, Math.max(lo, rounded));
}

function domainEven([B, s, , lo, signed]: (typeof EVENS)[number]): { from: number; to: number } {
  const off = 2 ** (s - 1) - Math.abs(lo % 2) - lo * 2 ** s + (signed === 1 ? 2 ** (B - 1) : 0);
  return { from: -off, to: 2 ** B - 1 - off };
}

/** Where a gadget has a witness, if not from -500 to 499. */
const DOMAINS: Readonly<Record<string, { readonly from: number; readonly to: number }>> = {
  AtMost: { from: 41 - 63, to: 41 + 64 },
  Sqrt: { from: 0, to: 1023 },
  OneHot: { from: 0, to: 499 },
};

describe("gadgets", function () {
  this.timeout(60_000);
  before(async () => {
    const each = (template: string, list: typeof EVENS): Spec[] => list.map((params) => ({ template, params }));
    await library.load([...each("Rescale", RESCALES), ...each("RescaleEven", EVENS)]); // in one run of circom
  });

  for (const params of EVENS) {
    const [B, s, k, lo, signed] = params;
    it(`RescaleEven(${params.join()}) rounds halves to even for all ${2 ** B} values, and takes no other`, async () => {
      const g = await gadget("RescaleEven", ...params);
      const h = B - signed - s - k;
      expect(g.rows.length).to.equal(h <= 0 || (h === 1 && signed === 0) ? B + 5 : B + 7);
      const { from, to } = domainEven(params);
      for (let x = from; x <= to; x++) {
        const fresh = hinted(g, [x]);
        const expected = rescaledEven(x, s, k, lo);
        if (fresh[0] !== expected) expect.fail(`x = ${x}: ${fresh[0]}, not ${expected}`);
        const bad = failing(g, [x], fresh);
        if (bad !== undefined) expect.fail(`x = ${x} fails row ${bad}`);
      }
      expect(() => hinted(g, [from - 1])).to.throw(RangeError);
      expect(() => hinted(g, [to + 1])).to.throw(RangeError);
    });
  }

  it("Mul, Select and IsZero are their formulas, in the field too", async () => {
    const [mul, select, zero] = [await gadget("Mul"), await gadget("Select"), await gadget("IsZero")];
    expect([mul, select, zero].map((g) => g.rows.length)).to.deep.equal([1, 1, 2]);
    for (const x of [-7, 0, 1, 2 ** 40, R - 5n]) {
      for (const y of [-3, 0, 2 ** 30]) {
        const z = hinted(mul, [x, y]);
        expect(reduce(BigInt(z[0] as Value))).to.equal(reduce(BigInt(x) * BigInt(y)));
        expect(failing(mul, [x, y], z)).to.equal(undefined);
        expect(failing(mul, [x, y], [plus(z[0] as Value, 1)])).to.equal(0);
        for (const c of [0, 1]) {
          expect(hinted(select, [c, x, y])).to.deep.equal([c === 1 ? x : y]);
          expect(failing(select, [c, x, y], [c === 1 ? x : y])).to.equal(undefined);
          if (x !== y) expect(failing(select, [c, x, y], [c === 1 ? y : x])).to.equal(0);
        }
      }
    }
    for (let x = -300; x <= 300; x++) {
      const fresh = hinted(zero, [x]);
      expect(fresh[0]).to.equal(x === 0 ? 1 : 0);
      expect(failing(zero, [x], fresh)).to.equal(undefined);
      expect(failing(zero, [x], [x === 0 ? 0 : 1, fresh[1] as Value])).to.be.a("number");
    }
  });

  it("AtLeast compares every value that its bits admit with 0", async () => {
    for (const n of [1, 2, 9]) {
      const g = await gadget("AtLeast", n);
      expect(g.rows.length).to.equal(n + 2);
      for (let x = -(2 ** n); x < 2 ** n; x++) {
        const fresh = hinted(g, [x]);
        expect(fresh[0]).to.equal(x >= 0 ? 1 : 0);
        expect(failing(g, [x], fresh)).to.equal(undefined);
      }
      for (const x of [-(2 ** n) - 1, 2 ** n]) expect(() => hinted(g, [x])).to.throw(RangeError);
    }
  });

  it("Steps compares every value of its intervals with every threshold", async () => {
    for (const T of [
      [-40, -39, -8, 0, 1, 2, 24],
      [-128, -127, 127, 128],
      [5, 6, 7, 8, 9],
    ]) {
      const m = T.length - 2;
      const B = Math.max(1, Math.ceil(Math.log2(Math.max(...T.slice(1).map((cut, k) => cut - T[k]!)))));
      const g = await gadget("Steps", B, m, T);
      expect(g.rows.length).to.equal(m + 2 * B + 3);
      for (let x = T[0]!; x < T[m + 1]!; x++) {
        const fresh = hinted(g, [x]);
        expect(fresh.slice(0, m)).to.deep.equal(T.slice(1, -1).map((t) => (x >= t ? 1 : 0)));
        expect(failing(g, [x], fresh)).to.equal(undefined);
      }
      for (const x of [T[0]! - 1, T[m + 1]!]) expect(() => hinted(g, [x])).to.throw(RangeError);
    }
  });

  it("OneHot marks every index and takes no other", async () => {
    for (const m of [2, 3, 100]) {
      const g = await gadget("OneHot", m);
      expect(g.rows.length).to.equal(m + 2);
      for (let x = 0; x < m; x++) {
        const fresh = hinted(g, [x]);
        expect(fresh).to.deep.equal(Array.from({ length: m }, (_, k) => (k === x ? 1 : 0)));
        expect(failing(g, [x], fresh)).to.equal(undefined);
        expect(failing(g, [x], hinted(g, [(x + 1) % m]))).to.be.a("number");
      }
      for (const x of [-1, m]) expect(() => hinted(g, [x])).to.throw(RangeError);
    }
  });

  it("Div takes the floor for all dividends of either sign and all divisors that its bits admit", async () => {
    const [n, lo, k] = [7, -60, 4];
    const g = await gadget("Div", n, lo, k);
    expect(g.rows.length).to.equal(n + 2 * k + 3);
    for (let b = 1; b <= 16; b++) {
      const [from, to] = [b * lo, b * (lo + 2 ** n) - 1];
      for (let a = from; a <= to; a++) {
        const fresh = hinted(g, [a, b]);
        expect(fresh[0]).to.equal(Math.floor(a / b));
        if (failing(g, [a, b], fresh) !== undefined) expect.fail(`${a} / ${b}`);
      }
      for (const a of [from - 1, to + 1]) expect(() => hinted(g, [a, b])).to.throw(RangeError);
    }
    const wide = await gadget("Div", 53, -(2 ** 52), 40);
    for (const [a, b] of [[2 ** 50 - 1, 1], [-(2 ** 50), 3], [-1, 2 ** 40], [2 ** 50 - 1, 2 ** 40 - 1]] as const) {
      const fresh = hinted(wide, [a, b]);
      expect(fresh[0]).to.equal(Number((BigInt(a) - ((BigInt(a) % BigInt(b)) + BigInt(b)) % BigInt(b)) / BigInt(b)));
      expect(failing(wide, [a, b], fresh)).to.equal(undefined);
    } // prettier-ignore
  });

  it("Sqrt takes the floor for all values that its bits admit, squares and their neighbours", async () => {
    const [n, lo, k] = [5, 3, 7];
    const g = await gadget("Sqrt", n, lo, k);
    expect(g.rows.length).to.equal(n + 2 * k + 3);
    for (let x = lo * lo; x < (lo + 2 ** n) ** 2; x++) {
      const fresh = hinted(g, [x]);
      const q = fresh[0] as number;
      expect(q * q <= x && x < (q + 1) ** 2).to.equal(true);
      expect(failing(g, [x], fresh)).to.equal(undefined);
    }
    for (const x of [lo * lo - 1, (lo + 2 ** n) ** 2]) expect(() => hinted(g, [x])).to.throw(RangeError);
    const wide = await gadget("Sqrt", 25, 0, 26);
    for (const q of [1, 2 ** 24 + 1, 2 ** 25 - 1]) {
      for (const x of [q * q - 1, q * q, q * q + 2 * q]) {
        const fresh = hinted(wide, [x]);
        expect(fresh[0]).to.equal(x < q * q ? q - 1 : q);
        expect(failing(wide, [x], fresh)).to.equal(undefined);
      }
    }
  });

  for (const params of RESCALES) {
    const [B, s, k, lo, signed] = params;
    it(`Rescale(${params.join()}) is its formula and satisfies its rows for all ${2 ** B} values, and for no other`, async () => {
      const g = await gadget("Rescale", ...params);
      const h = B - signed - s - k;
      expect(g.rows.length).to.equal(h <= 0 || (h === 1 && signed === 0) ? B + 2 : B + 4);
      const { from, to } = domain(params);
      for (let x = from; x <= to; x++) {
        const fresh = hinted(g, [x]);
        if (fresh[0] !== rescaled(x, s, k, lo)) expect.fail(`x = ${x}: ${fresh[0]}, not ${rescaled(x, s, k, lo)}`);
        const bad = failing(g, [x], fresh);
        if (bad !== undefined) expect.fail(`x = ${x} fails row ${bad}`);
      }
      expect(() => hinted(g, [from - 1])).to.throw(RangeError);
      expect(() => hinted(g, [to + 1])).to.throw(RangeError);
    });
  }

  it("AtMost is the minimum for all values that its bits admit", async () => {
    const [n, hi] = [6, 41];
    const g = await gadget("AtMost", n, hi);
    expect(g.rows.length).to.equal(n + 3);
    for (let x = hi + 1 - 2 ** n; x < hi + 1 + 2 ** n; x++) {
      const fresh = hinted(g, [x]);
      expect(fresh[0]).to.equal(Math.min(x, hi));
      expect(failing(g, [x], fresh)).to.equal(undefined);
    }
    for (const x of [hi - 2 ** n, hi + 1 + 2 ** n]) expect(() => hinted(g, [x])).to.throw(RangeError);
  });

  it("Max2 and MaxIndex take the larger, and the first of equals, for all pairs that their bits admit", async () => {
    for (const n of [0, 4]) {
      const max = await gadget("Max2", n);
      const index = await gadget("MaxIndex", n);
      expect(max.rows.length).to.equal(n + 3);
      expect(index.rows.length).to.equal(n + 4);
      for (const y of [-20, 0, 7]) {
        for (let x = y - 2 ** n; x < y + 2 ** n; x++) {
          const m = hinted(max, [x, y]);
          expect(m[0]).to.equal(Math.max(x, y));
          expect(failing(max, [x, y], m)).to.equal(undefined);
          const k = hinted(index, [x, 3, y, 9]);
          expect(k.slice(0, 2)).to.deep.equal([Math.max(x, y), x >= y ? 3 : 9]);
          expect(failing(index, [x, 3, y, 9], k)).to.equal(undefined);
        }
        for (const x of [y - 2 ** n - 1, y + 2 ** n]) expect(() => hinted(max, [x, y])).to.throw(RangeError);
      }
    }
  });

  it("Bits spells every value of its range and no other", async () => {
    for (const [n, bias] of [
      [1, 0],
      [8, 128],
      [8, 0],
      [9, 256],
    ] as const) {
      const g = await gadget("Bits", n, bias);
      expect(g.rows.length).to.equal(n + 1);
      for (let x = -bias; x < 2 ** n - bias; x++) {
        const bits = hinted(g, [x]);
        expect(bits.reduce<number>((sum, bit, i) => sum + (bit as number) * 2 ** i, 0)).to.equal(x + bias);
        expect(failing(g, [x], bits)).to.equal(undefined);
      }
      for (const x of [-bias - 1, 2 ** n - bias]) expect(() => hinted(g, [x])).to.throw(RangeError);
    }
  });

  it("Horner and Sbox compute in the field", async () => {
    const horner = await gadget("Horner");
    const sbox = await gadget("Sbox");
    expect([horner.rows.length, sbox.rows.length]).to.deep.equal([1, 3]);
    const x = R - 5n;
    expect(hinted(horner, [x, 7, 2n ** 200n])[0]).to.equal(2n ** 201n);
    expect(failing(horner, [x, 7, 3], hinted(horner, [x, 7, 3]))).to.equal(undefined);
    expect(hinted(sbox, [x])[0]).to.equal(power(x, 5n));
    expect(failing(sbox, [x], hinted(sbox, [x]))).to.equal(undefined);
    expect(failing(sbox, [x], [1, 2, 3])).to.equal(0);
  });

  it("the inverse of a small number is its inverse", () => {
    for (const n of [1, -1, 2, -2, 3, 127, -128, 2 ** 26 + 1, 2 ** 31, -(2 ** 52), 2 ** 53 - 1]) {
      expect(reduce(inverseOfSmall(n) * BigInt(n))).to.equal(1n);
    }
  });

  it("every hint fills what circom's own witness program fills, on borders and random values (seed 5)", async () => {
    const random = randomOf(5);
    const specs: Spec[] = [
      ...[0, 1, 2, 5, 7, 8].map((i) => ({ template: "Rescale", params: RESCALES[i] as readonly number[] })),
      { template: "AtMost", params: [6, 41] },
      { template: "Max2", params: [10] },
      { template: "MaxIndex", params: [10] },
      { template: "Bits", params: [16, 32768] },
      { template: "Horner", params: [] },
      { template: "Sbox", params: [] },
      ...[0, 2, 4, 7, 9].map((i) => ({ template: "RescaleEven", params: EVENS[i] as readonly number[] })),
      { template: "Mul", params: [] },
      { template: "IsZero", params: [] },
      { template: "AtLeast", params: [9] },
      { template: "Steps", params: [9, 3, [-500, -20, 0, 3, 500]] },
      { template: "Div", params: [10, -500, 9] },
      { template: "Sqrt", params: [5, 0, 6] },
      { template: "OneHot", params: [500] },
    ];
    for (const spec of specs) {
      const g = await gadget(spec.template, ...spec.params);
      const program = await gadgetProgram(spec);
      const { from, to } =
        spec.template === "Rescale"
          ? domain(spec.params as unknown as (typeof RESCALES)[number])
          : spec.template === "RescaleEven"
            ? domainEven(spec.params as unknown as (typeof EVENS)[number])
            : (DOMAINS[spec.template] ?? { from: -500, to: 499 });
      for (let round = 0; round < 60; round++) {
        const inputs = g.hint.inputs.map(() => (round < 2 ? [from, to][round] : whole(random, from, to)) as number);
        if (spec.template === "Div") inputs[1] = whole(random, 1, 512);
        const given = Object.fromEntries(g.hint.inputs.map((name, i) => [name, [BigInt(inputs[i] as number)]]));
        const theirs = program.run(given);
        hinted(g, inputs).forEach((value, slot) => {
          const signal = [...g.hint.outputs, ...g.hint.internals][slot] as string;
          const expected = theirs[program.wireOf.get(signal) as number];
          expect(reduce(BigInt(value)), `${specName(spec)}.${signal} of ${inputs.join()}`).to.equal(expected);
        });
      }
    }
  });

  it("a gadget has the same rows, term by term, wherever in circom's batch it stands", async () => {
    const spec = { template: "Rescale", params: [20, 9, 7, 0, 1] };
    const before = Array.from({ length: 12 }, (_, n) => ({ template: "Max2", params: [n] }));
    const texts: string[] = [];
    for (const batch of [[spec], [...before, spec], [...before.slice(7), spec, ...before.slice(0, 7)]]) {
      const fresh = new Library();
      await fresh.load(batch);
      texts.push(JSON.stringify(fresh.get(spec).rows)); // its factors are small numbers
    }
    expect(new Set(texts).size).to.equal(1);
  });

  it("parameters that break a header's demands do not compile", async () => {
    const cases = ["Rescale(10,9,1,0,1)", "Rescale(9,9,1,0,0)", "Rescale(54,9,8,0,1)", "Rescale(12,3,0,0,1)"];
    cases.push("RescaleEven(10,9,1,0,1)", "RescaleEven(12,0,3,0,0)", "AtLeast(0)", "AtLeast(53)", "OneHot(1)");
    cases.push("Steps(3,2,[0,1,9,18])", "Steps(3,2,[0,1,1,5])", "Steps(3,1,[0,1,5])", "Steps(53,2,[0,1,2,3])");
    cases.push("Div(0,0,4)", "Div(54,0,4)", "Div(4,0,0)", "Div(4,0,53)", "Sqrt(0,0,4)", "Sqrt(27,0,4)", "Sqrt(4,0,29)");
    cases.push(
      "Sqrt(4,-1,4)",
      "Rescale(12,3,5,0,2)",
      "Bits(0,0)",
      "Bits(54,0)",
      "Max2(53)",
      "MaxIndex(53)",
      "AtMost(53,1)",
    );
    for (const main of cases) {
      const template = main.split("(")[0] as string;
      const source = `pragma circom 2.1.6;\ninclude "${template}.circom";\ncomponent main = ${main};\n`;
      let thrown: unknown;
      await compile(source, { level: "--O0" }).catch((error: unknown) => (thrown = error));
      expect(String(thrown), main).to.include("False assert reached");
    }
    for (const main of [
      "Rescale(11,9,1,0,1)",
      "Rescale(53,9,8,0,1)",
      "Bits(1,0)",
      "Bits(53,0)",
      "Max2(52)",
      "AtMost(52,1)",
      "RescaleEven(53,9,8,-3,1)",
      "AtLeast(1)",
      "AtLeast(52)",
      "OneHot(2)",
      "Steps(3,2,[0,1,9,17])",
      "Div(53,-4503599627370496,52)",
      "Sqrt(26,0,28)",
    ]) {
      const template = main.split("(")[0] as string;
      const source = `pragma circom 2.1.6;\ninclude "${template}.circom";\ncomponent main = ${main};\n`;
      await compile(source, { level: "--O0" });
    }
  });
});
