// The real functions that tables are computed from, against the platform's own and against values from published tables.
import { expect } from "chai";
import * as own from "../../../node/model/functions.ts";
import type { Expr } from "../../../node/model/graph.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { expectNear } from "../../support/near.ts";

const SEED = 11;
const EPSILON = 2 ** -52;

/** `count` numbers from lo to hi, and as many that crowd around 0. */
function points(lo: number, hi: number, count = 20_000): number[] {
  const random = mulberry32(SEED);
  return Array.from({ length: count }, (_, i) => {
    const x = lo + (hi - lo) * random();
    return i % 2 === 0 ? x : x * 2 ** -Math.floor(60 * random());
  });
}

/** Largest error in units of 2^-52 of the expected value. */
function worst(f: (x: number) => number, expected: (x: number) => number, xs: readonly number[]): number {
  return xs.reduce((most, x) => {
    const value = expected(x);
    return Math.max(most, value === 0 ? (f(x) === 0 ? 0 : Infinity) : Math.abs(f(x) / value - 1) / EPSILON);
  }, 0);
}

describe("functions", () => {
  it("exp, log, expm1, log1p and tanh are within a few units in the last place of the platform's", () => {
    const positive = [...points(0, 1e9), ...points(0, 4), ...points(0, 1e300), 2 ** -1060].map(Math.abs);
    expect(worst(own.exp, Math.exp, points(-700, 700))).to.be.below(2);
    expect(worst(own.log, Math.log, positive)).to.be.below(2);
    expect(worst(own.expm1, Math.expm1, points(-50, 50))).to.be.below(4);
    expect(worst(own.log1p, Math.log1p, points(-0.999, 10))).to.be.below(4);
    expect(worst(own.tanh, Math.tanh, points(-30, 30))).to.be.below(6);
  });

  it("erf agrees with values of DLMF table 7.23 and is odd", () => {
    // Digits from the arbitrary-precision evaluation of mpmath.erf.
    const known = [
      [0.1, 0.11246291601828489],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [1.5, 0.9661051464753108],
      [2, 0.9953222650189527],
      [3, 0.9999779095030014],
      [5.5, 0.9999999999999926],
      [1e-8, 1.1283791670955126e-8],
    ] as const;
    for (const [x, y] of known) {
      expect(Math.abs(own.erf(x) / y - 1) / EPSILON, `erf(${x}) = ${own.erf(x)}`).to.be.below(16);
      expect(own.erf(-x)).to.equal(-own.erf(x));
    }
    for (const [x, y] of [
      [6, 1],
      [1e9, 1],
      [Infinity, 1],
      [0, 0],
    ] as const)
      expect(own.erf(x)).to.equal(y); // prettier-ignore
  });

  it("special values are IEEE's", () => {
    expect([own.exp(-Infinity), own.exp(Infinity), own.exp(0), own.exp(-800), own.exp(710)]).to.deep.equal([0, Infinity, 1, 0, Infinity]); // prettier-ignore
    expect([own.log(0), own.log(Infinity), own.log(1)]).to.deep.equal([-Infinity, Infinity, 0]);
    expect([own.log(-1), own.exp(NaN), own.log(NaN), own.pow(-1, 0.5)].every(Number.isNaN)).to.equal(true);
    expect([own.expm1(-Infinity), own.expm1(Infinity), own.log1p(-1), own.log1p(Infinity)]).to.deep.equal([-1, Infinity, -Infinity, Infinity]); // prettier-ignore
    expect([own.sigmoid(-Infinity), own.sigmoid(0), own.sigmoid(Infinity), own.tanh(-Infinity)]).to.deep.equal([0, 0.5, 1, -1]); // prettier-ignore
    expect(own.exp(-745)).to.equal(Math.exp(-745));
    expect(own.exp(709.7)).to.be.within(0.999999 * Math.exp(709.7), 1.000001 * Math.exp(709.7));
  });

  it("pow is within 1e-13 for integers, halves and any other exponent", () => {
    for (const b of [0, 1, 2, 3, 7, 64, 0.5, 1.5, -1, -2, -0.5, 1 / 3, 2.2, -0.75, 1e-3]) {
      for (const a of points(0, 20, 500).map(Math.abs)) {
        if (a ** b === 0) continue;
        expectNear(own.pow(a, b) / a ** b, 1, 1e-13, `${a} ^ ${b}`);
      }
    }
    expect([own.pow(-2, 3), own.pow(-2, 2), own.pow(-2, -1), own.pow(0, 0), own.pow(0, 2.5), own.pow(0, -1)]).to.deep.equal([-8, 4, -0.5, 1, 0, Infinity]); // prettier-ignore
    expect(own.pow(-2, 601)).to.equal(-own.pow(2, 601));
  });

  it("increasing functions never fall by more than their error on a fine grid", () => {
    const increasing = { exp: own.exp, expm1: own.expm1, tanh: own.tanh, erf: own.erf, sigmoid: own.sigmoid };
    for (const [name, f] of Object.entries({ ...increasing, softplus: own.softplus })) {
      let last = -Infinity;
      for (let q = -8 * 1024; q <= 8 * 1024; q++) {
        const y = f(q / 1024);
        expect(y >= last - 16 * EPSILON * Math.abs(last), `${name}(${q / 1024})`).to.equal(true);
        last = y;
      }
    }
  });

  it("rounding goes to the even one of two, also below 0", () => {
    const xs = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, 2.5001, -2.5001, 3, -3];
    expect(xs.map((x) => own.roundEven(x) + 0)).to.deep.equal([-2, -2, 0, 0, 2, 2, 2, 3, -3, 3, -3]);
  });

  it("expressions are evaluated, composed and measured", () => {
    const silu: Expr = ["mul", "x", ["sigmoid", "x"]];
    expect(own.evaluateExpr(silu, 2)).to.equal(2 * own.sigmoid(2));
    const shifted = own.composed(silu, ["add", "x", 1]);
    expect(own.evaluateExpr(shifted, 2)).to.equal(3 * own.sigmoid(3));
    expect([own.sizeOfExpr("x"), own.sizeOfExpr(silu), own.sizeOfExpr(shifted)]).to.deep.equal([1, 4, 8]);
    expect(own.evaluateExpr(["select", ["nonnegative", "x"], ["ceil", "x"], ["trunc", "x"]], -1.5)).to.equal(-1);
    expect(Object.is(own.evaluateExpr(["trunc", "x"], -0.5), 0)).to.equal(true);
    expect([-1, 0, 1].map((x) => own.evaluateExpr(["zero", "x"], x))).to.deep.equal([0, 1, 0]);
  });
});
