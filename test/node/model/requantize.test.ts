// Requantization: the float32 rule against onnxruntime, and the integer forms against the rule, for every accumulator.
import { expect } from "chai";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { fma } from "../../../node/model/float32.ts";
import type { FloatGraph } from "../../../node/model/graph.ts";
import { borderPoints, firstMiss, lineAt, lineFor } from "../../../node/model/line.ts";
import type { Steps } from "../../../node/model/line.ts";
import { quantize } from "../../../node/model/quantize.ts";
import type { Quantized } from "../../../node/model/quantize.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { requantized, roundToEven, thresholdsOf } from "../../../node/model/rounding.ts";
import type { Arithmetic, Rounding } from "../../../node/model/rounding.ts";
import { bytesOf, node, runOnnx, tensor } from "../../support/onnx.ts";

const f = Math.fround;
const SEED = 20_260_101;

/** Ratios of small integers of which float32 makes many halves: no line meets them. */
const DECIMALS = [f(0.05), f(0.02), f(1.7), f(1 / 36)];

/** Random mantissas, powers of two, decimals and small multiples of powers of two, from 2^-13 to 2. */
function scalesOf(seed: number, count: number): number[] {
  const next = mulberry32(seed);
  const random = Array.from({ length: count }, () => f((1 + next()) * 2 ** Math.floor(next() * 13 - 13)));
  return [...random, 0.5, 2 ** -7, 2 ** -12, f(3 / 4096), f(5 / 1024), ...DECIMALS, f(0.001), f(1 / 3), f(1 / 49), 1];
}

function roundingOf(scale: number, more: Partial<Rounding> = {}): Rounding {
  return { arithmetic: "scaled", scale, zeroPoint: 3, lo: -128, hi: 127, ...more };
}

function stepsOf(rounding: Rounding, from: number, to: number): Steps {
  return { lo: rounding.lo, hi: rounding.hi, from, to, thresholds: thresholdsOf(rounding, from, to) };
}

/** A graph from int16 (or wider) integers to their requantized values, one scale per channel of `width` elements. */
function quantizedOf(scales: readonly number[], width: number, more: Partial<Rounding> = {}, factor = 1): Quantized {
  const shape = [1, scales.length, width];
  const { arithmetic, zeroPoint, lo, hi } = roundingOf(1, more);
  const float: FloatGraph = {
    nodes: [
      { op: "input", elemType: "int16", shape, name: "x" },
      { op: "affine", x: 0, factor: Float64Array.of(factor), bias: Float64Array.of(0), shape, name: "wide" },
      {
        op: "requantize",
        x: 1,
        axis: 1,
        scale: Float64Array.from(scales),
        zeroPoint,
        lo,
        hi,
        arithmetic,
        shape,
        name: "y",
      },
    ],
    outputs: [{ ref: 2, name: "y" }],
    notices: [],
  };
  const unseen = { lo: 0, hi: 0, values: new Float64Array() };
  const border = { name: "x", shape, type: { bits: 16, signed: true }, exponent: 0 } as const;
  return quantize(float, [unseen, unseen, unseen], [border]);
}

/** Accumulators as a product of unsigned 8-bit values (zero point 128) with weights of 63, and one of 1. */
async function runMatMul(
  scale: number,
  zeroPoint: number,
  accumulators: readonly number[],
  columns = 64,
): Promise<number[]> {
  const rows = accumulators.flatMap((acc) => {
    let rest = Math.floor(acc / 63);
    const last = acc - 63 * rest;
    const row = Array.from({ length: columns }, () => {
      const part = Math.max(-128, Math.min(127, rest));
      rest -= part;
      return part + 128;
    });
    expect(rest, "the accumulator is out of the product's reach").to.equal(0);
    return [...row, last + 128];
  });
  const list: [string, number, "float32" | "uint8" | "int8"][] = [["as", scale, "float32"], ["az", 128, "uint8"], ["bs", 1, "float32"], ["bz", 0, "int8"], ["ys", 1, "float32"], ["yz", zeroPoint, "uint8"]]; // prettier-ignore
  const names = ["as", "az", "b", "bs", "bz", "ys", "yz"];
  const dims = [accumulators.length, columns + 1];
  const bytes = bytesOf({
    nodes: [node("QLinearMatMul", ["x", ...names], ["y"])],
    input: { dims, type: "uint8" },
    outputType: "uint8",
    initializers: [
      ...list.map(([name, value, type]) => tensor(name, [], [value], type)),
      tensor("b", [columns + 1, 1], [...new Array<number>(columns).fill(63), 1], "int8"),
    ],
  });
  return (await runOnnx(bytes, rows, dims, "uint8")).data;
}

/** The float32 nearest to a b + c, halves to even, by integers. */
function exactly(a: number, b: number, c: number): number {
  const unit = 2n ** 200n;
  const big = (x: number): bigint => {
    let [mantissa, k] = [x, 0];
    while (!Number.isInteger(mantissa)) [mantissa, k] = [mantissa * 2, k + 1];
    return (BigInt(mantissa) * unit) / 2n ** BigInt(k);
  };
  const sum = (big(a) * big(b)) / unit + big(c);
  const size = sum < 0n ? -sum : sum;
  const bits = size.toString(2).length;
  const low = BigInt(Math.max(0, bits - 24));
  const [whole, rest, half] = [size >> low, size & ((1n << low) - 1n), low === 0n ? 1n : 1n << (low - 1n)];
  const nearest = rest > half || (rest === half && whole % 2n === 1n) ? whole + 1n : whole;
  return (sum < 0n ? -1 : 1) * Number(nearest) * 2 ** (Number(low) - 200) + 0;
}

describe("requantization", () => {
  it(`is onnxruntime's at every accumulator where a value begins or ends (seed ${SEED})`, async () => {
    const reach = 63 * 128 * 63;
    for (const [k, scale] of scalesOf(SEED, 20).entries()) {
      const zeroPoint = (37 * k) % 256;
      const rounding = roundingOf(scale, { zeroPoint, lo: 0, hi: 255 });
      const points = borderPoints(stepsOf(rounding, -reach, reach));
      const theirs = await runMatMul(scale, zeroPoint, points);
      expect(theirs, `scale ${scale}`).to.deep.equal(points.map((x) => requantized(rounding, x)));
    }
  }).timeout(30_000);

  it(`is onnxruntime's where accumulators are rounded to float32, beyond 2^24 (seed ${SEED})`, async () => {
    const next = mulberry32(SEED);
    const columns = 4300;
    const reach = 63 * 127 * columns;
    let told = 0;
    for (let k = 0; k < 4; k++) {
      const rounding = roundingOf(f((90 + 30 * next()) / reach), { zeroPoint: 128, lo: 0, hi: 255 });
      const far = borderPoints(stepsOf(rounding, -reach, reach)).filter((x) => Math.abs(x) > 2 ** 24);
      const points = far.flatMap((x) => [x - 1, x]);
      const theirs = await runMatMul(rounding.scale, 128, points, columns);
      expect(theirs, `scale ${rounding.scale}`).to.deep.equal(points.map((x) => requantized(rounding, x)));
      told += points.filter((x) => roundToEven(f(x * rounding.scale)) + 128 !== requantized(rounding, x)).length;
    }
    expect(told, "accumulators that tell the two roundings apart").to.be.greaterThan(0);
  }).timeout(60_000);

  it("rounds accumulators beyond 2^24 to float32 first, halves to even", () => {
    const rounding = roundingOf(2 ** -18);
    expect(requantized(rounding, 2 ** 24 + 2 ** 17 + 1)).to.equal(67); // 2^24 + 2^17: halfway, to the even 64.
    expect(requantized(rounding, 2 ** 24 + 2 ** 17 + 2)).to.equal(68);
    expect(requantized({ ...rounding, arithmetic: "exact" }, 2 ** 24 + 2 ** 17 + 1)).to.equal(68);
  });

  it("adds an odd zero point before or after it rounds, which differs at halves", () => {
    const at = (arithmetic: Arithmetic): number => requantized(roundingOf(0.5, { arithmetic }), 1);
    expect([at("scaled"), at("shifted"), at("exact")]).to.deep.equal([3, 4, 3]);
  });

  /** Compares the emitted graph with the rule for every int16. */
  function sweep(scales: readonly number[], width: number, more: Partial<Rounding>): Quantized {
    const quantized = quantizedOf(scales, width, more);
    for (let first = -32_768; first < 32_768; first += width) {
      const x = Float64Array.from({ length: scales.length * width }, (_, i) => first + (i % width));
      const y = outputsOf(quantized.graph, evaluate(quantized.graph, x));
      const wrong = y.findIndex((v, i) => {
        return v !== requantized(roundingOf(scales[Math.floor(i / width)] as number, more), x[i] as number);
      });
      expect(wrong, `scale ${scales[Math.floor(wrong / width)]}, x ${x[wrong]}`).to.equal(-1);
    }
    return quantized;
  }

  for (const arithmetic of ["scaled", "shifted", "exact"] as const) {
    it(`is the emitted integer graph for every int16 accumulator, ${arithmetic} (seed ${SEED})`, () => {
      const power = (scale: number): boolean => Number.isInteger(Math.log2(scale));
      const tried = scalesOf(SEED, 10).filter((s) => (arithmetic === "exact" ? power(s) : !DECIMALS.includes(s)));
      for (const zeroPoint of [0, 7, -128]) {
        const { certificates } = sweep(tried, 4096, { arithmetic, zeroPoint });
        expect(certificates[0]?.form).to.not.equal("table");
      }
    }).timeout(60_000);
  }

  it("is the emitted level table for every int16 accumulator, channel by channel", () => {
    const { certificates } = sweep([f(0.05), f(0.0123)], 1024, {});
    expect(certificates[0]).to.include({ form: "table", scales: 2 });
  }).timeout(60_000);

  it(`has a line with few mends for random scales, right for every accumulator of 21 bits (seed ${SEED})`, () => {
    const reach = 2 ** 20;
    for (const scale of scalesOf(SEED + 1, 12).slice(0, 12)) {
      const steps = stepsOf(roundingOf(scale), -reach, reach);
      const line = lineFor(steps, roundingOf(scale));
      if (line === undefined) throw new Error(`no line for ${scale}`);
      for (let x = -reach; x <= reach; x++) {
        if (lineAt(line, steps, x) !== requantized(roundingOf(scale), x)) throw new Error(`scale ${scale}, x ${x}`);
      }
    }
  }).timeout(60_000);

  it("multiplies and adds with one rounding", () => {
    // a b = 2^-24 - 2^-70: just below halfway from c to its neighbour, which a float64 sum would take for halfway.
    const [a, b, c] = [1 + 2 ** -23, 2 ** -24 * (1 - 2 ** -23), 1 + 2 ** -23];
    expect(f(a * b + c)).to.equal(1 + 2 ** -22);
    for (const sign of [1, -1]) expect(fma(sign * a, b, sign * c)).to.equal(sign * (1 + 2 ** -23));
    expect(fma(a, 2 ** -24 * (1 + 2 ** -23), 1)).to.equal(1 + 2 ** -23);
    const next = mulberry32(SEED);
    for (let k = 0; k < 20_000; k++) {
      const p = f(next() - 0.5);
      const q = f((next() - 0.5) * 2 ** Math.floor(next() * 40 - 20));
      const r = f((next() - 0.5) * 2 ** Math.floor(next() * 60 - 30));
      expect(fma(p, q, r), `${p} * ${q} + ${r}`).to.equal(exactly(p, q, r));
    }
  });

  it("finds what is wrong with a line that is off by one", () => {
    const rounding = roundingOf(f(0.0123));
    const steps = stepsOf(rounding, -20_000, 20_000);
    const line = lineFor(steps, rounding);
    if (line === undefined) throw new Error("no line");
    expect(firstMiss(line, steps)).to.equal(undefined);
    expect(firstMiss({ ...line, bias: line.bias + 2 ** line.shift }, steps)).to.be.a("number");
    expect(firstMiss({ ...line, multiplier: line.multiplier + Math.ceil(line.multiplier / 500) }, steps)).to.be.a(
      "number",
    );
  });

  it("costs a rescale of as many bits as the power of two has", () => {
    const { graph } = quantizedOf([2 ** -9], 4, { zeroPoint: 0 });
    const rescale = graph.nodes.find(({ op }) => op === "rescale");
    expect(rescale).to.include({ ties: "even" }).and.to.have.deep.property("shift", [9]);
  });

  it("certifies each scale, and its digest is of the scales and thresholds", () => {
    const of = (...scales: number[]): Quantized["certificates"][number] => {
      const [certificate, ...more] = quantizedOf(scales, 4).certificates;
      if (certificate === undefined || more.length > 0) throw new Error("not one certificate");
      return certificate;
    };
    const [a, b] = [f(0.0123), f(0.0321)];
    expect(of(a)).to.include({ name: "y", scales: 1, points: 512 });
    expect(of(a, b, a)).to.include({ scales: 2, points: 1024 });
    expect(of(a).sha256)
      .to.match(/^[0-9a-f]{64}$/)
      .and.to.equal(of(a, a).sha256);
    expect(of(a).sha256).to.not.equal(of(f(a + 2 ** -29)).sha256);
  });

  it("falls back to levels where no line steps as float32 does, and says which scale and how to snap it", () => {
    const { graph, certificates, notices } = quantizedOf([f(0.01)], 8);
    expect(certificates[0]?.form).to.equal("table");
    expect(graph.nodes.map(({ op }) => op)).to.include("step");
    expect(notices.join()).to.match(/0\.00999\d+ \(near 2621 \* 2\^-18\)/);
    const snapped = quantizedOf([2621 * 2 ** -18], 8);
    expect(snapped.certificates[0]?.form).to.not.equal("table");
    expect(snapped.notices).to.deep.equal([]);
  });

  it("refuses accumulators beyond int32, where runtimes wrap around", () => {
    expect(() => quantizedOf([f(1e-7)], 2, {}, 65_536)).to.throw(/beyond int32/);
    expect(() => quantizedOf([f(1e-7)], 2, {}, 65_535)).to.not.throw();
  });
});
