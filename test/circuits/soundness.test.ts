// Evil hints: may a dishonest prover make a gadget yield anything but its formula? The search tries every assignment of the
// gadget's own wires, over the whole field, so that what it does not find does not exist.
import { expect } from "chai";
import { specName } from "../../node/circuit/compile.ts";
import type { Spec } from "../../node/circuit/compile.ts";
import { compile } from "../../node/circuit/compile.ts";
import type { Gadget } from "../../node/circuit/gadget.ts";
import type { Row, Value } from "../../node/circuit/lc.ts";
import { Library } from "../../node/circuit/library.ts";
import { readR1cs, rowsOf } from "../../node/circuit/r1cs.ts";
import { R, inverse, reduce } from "../../node/core/field.ts";
import { solutions } from "../support/r1csSolve.ts";

const library = new Library();

interface Attack {
  readonly spec: Spec;
  /** Inputs to try, one list per input. */
  readonly inputs: readonly (readonly Value[])[];
  /** The outputs that the header ensures, or undefined where it says that there is no witness. */
  readonly honest: (inputs: readonly number[]) => readonly number[] | undefined;
}

function span(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** What no integer of a sound range is: halves, thirds, the field's ends, and wrap-arounds of small multiples. */
const ALIEN: readonly Value[] = [R - 2n ** 20n, R / 2n, R / 2n + 1n, 2n ** 100n, inverse(2n), inverse(3n), inverse(8n)];

function rescale(B: number, s: number, k: number, lo: number, signed: number): Attack {
  const half = s > 0 ? 2 ** (s - 1) : 0;
  const off = half - lo * 2 ** s + (signed === 1 ? 2 ** (B - 1) : 0);
  return {
    spec: { template: "Rescale", params: [B, s, k, lo, signed] },
    inputs: [[...span(-off - 9, 2 ** B - off + 8), ...ALIEN]],
    honest: ([x = 0]) => {
      if (!Number.isInteger(x) || x + off < 0 || x + off >= 2 ** B) return undefined;
      return [Math.min(lo + 2 ** k - 1, Math.max(lo, Math.floor((x + half) / 2 ** s)))];
    },
  };
}

function difference(template: string, n: number, outputs: (x: number, y: number) => number[]): Attack {
  const fits = (x: number, y: number): boolean => x - y >= -(2 ** n) && x - y < 2 ** n;
  const more = template === "MaxIndex" ? [[4], [-2, 0, 1, 4]] : [];
  const [x, y] = [span(-11, 11), [-2, 0, 1]];
  return {
    spec: { template, params: [n] },
    inputs: template === "MaxIndex" ? [[...x, ...ALIEN], more[0] as number[], y, [7]] : [[...x, ...ALIEN], y],
    honest: (inputs) => {
      const [a, b] = (template === "MaxIndex" ? [inputs[0], inputs[2]] : inputs) as [number, number];
      return Number.isInteger(a) && fits(a, b) ? outputs(a, b) : undefined;
    },
  };
}

function rescaleEven(B: number, s: number, k: number, lo: number, signed: number): Attack {
  const off = 2 ** (s - 1) - Math.abs(lo % 2) - lo * 2 ** s + (signed === 1 ? 2 ** (B - 1) : 0);
  return {
    spec: { template: "RescaleEven", params: [B, s, k, lo, signed] },
    inputs: [[...span(-off - 9, 2 ** B - off + 8), ...ALIEN]],
    honest: ([x = 0]) => {
      if (!Number.isInteger(x) || x + off < 0 || x + off >= 2 ** B) return undefined;
      const below = Math.floor(x / 2 ** s);
      const rest = x / 2 ** s - below;
      const rounded = rest === 0.5 ? below + Math.abs(below % 2) : Math.round(x / 2 ** s);
      return [Math.min(lo + 2 ** k - 1, Math.max(lo, rounded))];
    },
  };
}

function steps(B: number, T: readonly number[]): Attack {
  const [from, to] = [T[0] ?? 0, T.at(-1) ?? 0];
  return {
    spec: { template: "Steps", params: [B, T.length - 2, T] },
    inputs: [[...span(from - 2 ** B - 3, to + 2 ** B + 2), ...ALIEN]],
    honest: ([x = 0]) => {
      if (!Number.isInteger(x) || x < from || x >= to) return undefined;
      return T.slice(1, -1).map((t) => (x >= t ? 1 : 0));
    },
  };
}

const ATTACKS: readonly Attack[] = [
  rescaleEven(7, 2, 2, 0, 1), // h = 2: sign, zero test
  rescaleEven(7, 1, 2, -3, 1), // h = 3, an odd end
  rescaleEven(6, 2, 2, -1, 1), // h = 1 with a sign
  rescaleEven(6, 2, 3, -2, 1), // h = 0 with a sign
  rescaleEven(6, 2, 4, 3, 0), // h = 0
  rescaleEven(6, 3, 2, -4, 0), // h = 1, one select
  rescaleEven(7, 2, 3, -5, 0), // h = 2, zero test
  {
    spec: { template: "Mul", params: [] },
    inputs: [
      [3, 0, -1],
      [5, 0],
    ],
    honest: ([x = 0, y = 0]) => [x * y],
  },
  {
    spec: { template: "Select", params: [] },
    inputs: [[0, 1], [5, -7], [9]],
    honest: ([c = 0, a = 0, b = 0]) => [c === 1 ? a : b],
  },
  {
    spec: { template: "IsZero", params: [] },
    inputs: [[0, ...span(-3, 3), ...ALIEN]],
    honest: ([x]) => [x === 0 ? 1 : 0],
  },
  {
    spec: { template: "AtLeast", params: [3] },
    inputs: [[...span(-12, 12), ...ALIEN]],
    honest: ([x = 0]) => (Number.isInteger(x) && x >= -8 && x < 8 ? [x >= 0 ? 1 : 0] : undefined),
  },
  steps(2, [-6, -3, 0, 3, 6]),
  steps(2, [-1, 2, 4, 7]),
  {
    spec: { template: "OneHot", params: [4] },
    inputs: [[...span(-3, 12), ...ALIEN]],
    honest: ([x = -1]) => (x >= 0 && x < 4 ? span(0, 3).map((k) => (k === x ? 1 : 0)) : undefined),
  },
  {
    spec: { template: "Div", params: [3, -4, 2] },
    inputs: [
      [...span(-24, 22), ...ALIEN],
      [-1, 0, 1, 2, 3, 4, 5, 7],
    ],
    honest: ([a = 0, b = 0]) => {
      if (!Number.isInteger(a) || b < 1) return undefined;
      const q = Math.floor(a / b);
      const fits = q >= -4 && q < 4 && a - q * b < 4 && b - 1 - (a - q * b) < 4;
      return fits ? [q] : undefined;
    },
  },
  {
    spec: { template: "Sqrt", params: [2, 1, 4] },
    inputs: [[...span(-5, 40), ...ALIEN]],
    honest: ([x = 0]) => (Number.isInteger(x) && x >= 1 && x < 25 ? [Math.floor(Math.sqrt(x))] : undefined),
  },
  rescale(7, 2, 2, 0, 1), // h = 2: sign, zero test
  rescale(7, 1, 2, -2, 1), // h = 3
  rescale(6, 2, 2, 0, 1), // h = 1 with a sign
  rescale(6, 0, 3, 0, 1), // no remainder
  rescale(6, 2, 3, -1, 1), // h = 0 with a sign
  rescale(6, 2, 4, 3, 0), // h = 0
  rescale(6, 2, 3, -4, 0), // h = 1, one select
  rescale(7, 2, 3, -4, 0), // h = 2, zero test
  {
    spec: { template: "AtMost", params: [3, 5] },
    inputs: [[...span(-12, 24), ...ALIEN]],
    honest: ([x = 0]) => (Number.isInteger(x) && x - 6 >= -8 && x - 6 < 8 ? [Math.min(x, 5)] : undefined),
  },
  difference("Max2", 3, (x, y) => [Math.max(x, y)]),
  difference("MaxIndex", 3, (x, y) => [Math.max(x, y), x >= y ? 4 : 7]),
  {
    spec: { template: "Bits", params: [5, 16] },
    inputs: [[...span(-20, 20), ...ALIEN]],
    honest: ([x = 0]) =>
      Number.isInteger(x) && x >= -16 && x < 16 ? span(0, 4).map((i) => ((x + 16) >> i) & 1) : undefined,
  },
  {
    spec: { template: "Horner", params: [] },
    inputs: [[3, 0], [5], [7, 0]],
    honest: ([t = 0, w = 0, r = 0]) => [(t + w) * r],
  },
  { spec: { template: "Sbox", params: [] }, inputs: [[0, 1, -3, 11]], honest: ([x = 0]) => [x ** 5] },
];

function product<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((all, list) => all.flatMap((head) => list.map((item) => [...head, item])), [[]]);
}

/** Outputs that satisfy the rows for these inputs, each once; "free" where an output may be anything. `all`: not just two. */
function reachable(g: Gadget, rows: readonly Row[], inputs: readonly Value[], all: boolean): Set<string> {
  const outs = g.hint.outputs.length;
  const known = new Map(inputs.map((value, i) => [1 + outs + i, value]));
  const found = new Set<string>();
  for (const { values } of solutions(rows, 1 + g.ins + g.fresh, known, !all)) {
    found.add(values.slice(1, 1 + outs).map((value) => value ?? "free").join()); // prettier-ignore
    if (!all && found.size > 2) break;
  }
  return found;
}

/** Of a field element that stands for a small integer; NaN for the rest. */
function small(value: Value): number {
  return typeof value === "number" ? value : NaN;
}

describe("soundness of the gadgets", function () {
  this.timeout(60_000);
  before(async () => {
    await library.load(ATTACKS.map(({ spec }) => spec));
  });

  for (const { spec, inputs, honest } of ATTACKS) {
    it(`${specName(spec)} yields its formula and nothing else, whatever the prover's hints`, () => {
      const g = library.get(spec);
      for (const given of product(inputs)) {
        const expected = honest(given.map(small))?.map((value) => reduce(BigInt(value))).join(); // prettier-ignore
        const found = [...reachable(g, g.rows, given, true)];
        expect(found, `${specName(spec)} of ${given.join()}`).to.deep.equal(expected === undefined ? [] : [expected]);
      }
    });

    it(`${specName(spec)} needs every one of its rows: without it some lie passes`, () => {
      const g = library.get(spec);
      g.rows.forEach((_, left) => {
        const rows = g.rows.filter((_, row) => row !== left);
        const lie = product(inputs).some((given) => {
          const expected = honest(given.map(small))?.map((value) => reduce(BigInt(value))).join(); // prettier-ignore
          const found = reachable(g, rows, given, false);
          return [...found].some((outputs) => outputs !== expected);
        });
        expect(lie, `row ${left} left out`).to.equal(true);
      });
    });
  }

  it("the search finds the lie of a decomposition that is as wide as the field, which the gadgets' asserts refuse", async () => {
    // 3 bits over a field of 5 elements would do the same; over BN254 it takes 254 bits
    const source = `pragma circom 2.1.6;
template Wide() {
    signal input x;
    signal output low;
    signal b[254];
    var sum = 0;
    for (var i = 0; i < 254; i++) { b[i] <-- (x >> i) & 1; b[i] * (b[i] - 1) === 0; sum += b[i] * 2**i; }
    sum === x;
    low <== b[0];
}
component main = Wide();
`;
    const { r1cs } = await compile(source, { level: "--O0" });
    const { wires } = readR1cs(r1cs);
    const rows = [...rowsOf(readR1cs(r1cs))];
    // both spellings of x = 2: 2 itself, and 2 + R, which is odd
    const lows = [2n, 2n + R].map((spelled) => {
      const known = new Map<number, Value>([[2, 2n]]);
      for (let i = 0; i < 254; i++) known.set(3 + i, (spelled >> BigInt(i)) & 1n);
      return [...solutions(rows, wires, known)].map(({ values }) => values[1]);
    });
    expect(lows).to.deep.equal([[0n], [1n]]);
  });
});
