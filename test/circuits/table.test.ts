// Tables and thresholds as forms: every entry, over whole small domains; what a form costs; which bits a table takes, and
// that no table of a value that has them makes its own.
import { expect } from "chai";
import { buildCircuit } from "../../node/circuit/build.ts";
import { digitsOf } from "../../node/circuit/digits.ts";
import { planOf } from "../../node/circuit/plan.ts";
import { planStep } from "../../node/circuit/plan-table.ts";
import { costOf, soleSlot, tableForm, thresholdForm } from "../../node/circuit/table.ts";
import type { Combo, TableForm } from "../../node/circuit/table.ts";
import type { Ref, StepNode } from "../../node/model/ir.ts";
import { INT16, INT32, INT8, NetBuilder, UINT8, randomOf, whole } from "../support/nets.ts";

/** What a form yields for a value, by its products and choices alone. */
function valueOf({ bits, products, choices, result }: TableForm, value: number): number {
  const slots = [1, ...Array.from({ length: bits }, (_, t) => Math.floor(value / 2 ** t) % 2)];
  const at = ({ slots: which, factors }: Combo): number =>
    which.reduce((sum, slot, i) => sum + slots[slot]! * factors[i]!, 0);
  for (const { bit, other } of products) slots.push(slots[bit]! * slots[other]!);
  for (const { bit, one, zero } of choices) slots.push(slots[bit] === 1 ? at(one) : at(zero));
  return at(result);
}

function formOf(bits: number, entry: (i: number) => number): TableForm {
  return tableForm(
    bits,
    Float64Array.from({ length: 2 ** bits }, (_, i) => entry(i)),
  );
}

/** Rows of the network above those of the same one with only `kept` of its nodes. */
async function rowsOf(make: (net: NetBuilder) => Ref, before: (net: NetBuilder) => Ref, type = INT16): Promise<number> {
  const cost = async (build: (net: NetBuilder) => Ref): Promise<number> => {
    const net = new NetBuilder(3, [1, 1], type);
    const report = await buildCircuit(net.graphOf([[build(net), INT32]]));
    return report.constraints - report.claimConstraints;
  };
  return (await cost(make)) - (await cost(before));
}

describe("tables", function () {
  this.timeout(60_000);

  it("of every number of bits have the entries they were made from (random tables, seed 8)", () => {
    const random = randomOf(8);
    for (let bits = 1; bits <= 9; bits++) {
      for (const most of [1, 3, 1000, 2 ** 40]) {
        const entries = Array.from({ length: 2 ** bits }, () => whole(random, -most, most));
        const form = formOf(bits, (i) => entries[i]!);
        entries.forEach((entry, i) => expect(valueOf(form, i)).to.equal(entry));
        const other = formOf(bits, (i) => entries[i]! + (i === 2 ** bits - 1 ? 1 : 0));
        expect(valueOf(other, 2 ** bits - 1)).to.not.equal(entries.at(-1));
      }
    }
  });

  it("cost 2^ceil(n/2) + 2^floor(n/2) - ceil(n/2) - 2 rows at most: 26 for 256 entries", () => {
    const random = randomOf(9);
    for (let bits = 1; bits <= 16; bits++) {
      const l = Math.ceil(bits / 2);
      const form = formOf(bits, () => whole(random, -30000, 30000));
      expect(costOf(form), `${bits} bits`).to.equal(bits === 1 ? 1 : 2 ** l + 2 ** (bits - l) - l - 2);
    }
    expect(costOf(formOf(8, () => whole(random, -128, 127)))).to.equal(26);
  });

  it("cost less where they are constant, affine, stepped, level at the ends, or of a low degree", () => {
    const shapes: readonly (readonly [string, number, (i: number) => number])[] = [
      ["constant", 1, () => 7],
      ["affine", 1, (i) => 5 - 3 * i],
      ["a step", 7, (i) => (i >= 101 ? 9 : -9)],
      ["a step at a multiple", 3, (i) => (i >= 0x50 ? 1 : 0)],
      ["relu", 2, (i) => Math.max(0, i - 128)],
      ["absolute value", 2, (i) => Math.abs(i - 128)],
      ["level ends", 20, (i) => (i < 64 ? 0 : i >= 192 ? 255 : (i * i * 7919) % 251)],
    ];
    for (const [name, most, entry] of shapes) {
      const form = formOf(8, entry);
      for (let i = 0; i < 256; i++) expect(valueOf(form, i), name).to.equal(entry(i));
      expect(costOf(form), name).to.be.at.most(most);
    }
  });

  it("thresholds are exact for every value and every number of bits, and cost one row less than bits at most", () => {
    for (let bits = 1; bits <= 7; bits++) {
      for (let least = 1; least < 2 ** bits; least++) {
        const form = thresholdForm(bits, least);
        for (let value = 0; value < 2 ** bits; value++) {
          expect(valueOf(form, value), `${value} >= ${least}`).to.equal(value >= least ? 1 : 0);
        }
        expect(soleSlot(form.result)).to.be.a("number");
        expect(costOf(form)).to.be.at.most(bits - 1);
      }
    }
  });

  it("take the bits of inputs, of quotients, and of affine images of both", async () => {
    const input = (net: NetBuilder): Ref => net.last;
    const table = (bits: number, signed: boolean) => (net: NetBuilder) =>
      net.lookup(signed ? -(2 ** (bits - 1)) : 0, 2 ** bits);
    expect(await rowsOf(table(8, true), input, INT8)).to.equal(26);
    expect(await rowsOf(table(8, false), input, UINT8)).to.equal(26);
    expect(await rowsOf(table(16, true), input, INT16)).to.equal(502);

    const quotient = (net: NetBuilder): Ref => net.rescale(8, { lo: -128, hi: 127 });
    const clamped = (net: NetBuilder): Ref => net.rescale(6, { lo: -128, hi: 127 });
    const even = (net: NetBuilder): Ref => net.rescale(6, { lo: -128, hi: 127, ties: "even" });
    for (const [before, rows] of [
      [quotient, 27], // clamps the one value 128
      [clamped, 27],
      [even, 27],
    ] as const) {
      expect(await rowsOf((net) => (before(net), table(8, true)(net)), before)).to.equal(rows);
    }
    const moved = (net: NetBuilder): Ref => {
      net.rescale(9, { lo: -128, hi: 127 });
      return net.push({
        op: "affine",
        x: net.last,
        factor: Float64Array.of(-1),
        bias: Float64Array.of(3),
        shape: [1, 1],
      });
    };
    expect(await rowsOf((net) => (moved(net), net.lookup(-70, 140)), moved)).to.be.at.most(26);
  });

  it("make bits where there are none, once for all tables of a tensor", async () => {
    const sum = (net: NetBuilder): Ref => net.dense(1, net.rescale(9, { lo: 0, hi: 1 }));
    const one = (net: NetBuilder): Ref => net.lookup(-6000, 12001, undefined, sum(net));
    const wide = (net: NetBuilder): Ref => net.push({ op: "max", a: 0, b: 0, shape: [1, 1] });
    const first = await rowsOf((net) => net.lookup(-32768, 65536, undefined, wide(net)), wide);
    expect(first).to.equal(502 + 17);
    const second = await rowsOf(
      (net) => {
        const x = wide(net);
        net.lookup(-32768, 65536, undefined, x);
        return net.lookup(-32768, 65536, undefined, x);
      },
      (net) => net.lookup(-32768, 65536, undefined, wide(net)),
    );
    expect(second).to.equal(502);
    expect(await rowsOf(one, sum)).to.be.at.most(40);
  });

  it("know what the bits say of a value, and where the owner has clamped it", () => {
    const net = new NetBuilder(1, [1, 1], INT16);
    const up = net.rescale(4, { lo: -128, hi: 127 });
    const even = net.rescale(4, { lo: -127, hi: 127, ties: "even" }, 0);
    const relu = net.rescale(9, { lo: 0, hi: 127 }, 0);
    const whole = net.rescale(9, { lo: -1000, hi: 1000 }, 0);
    const flag = net.rescale(15, { lo: 0, hi: 1 }, 0);
    const max = net.push({ op: "max", a: up, b: even, shape: [1, 1] });
    const plan = planOf(net.graph(INT16));
    const digits = (ref: Ref): object => digitsOf(plan, ref, 0);
    expect(digits(0)).to.include({ owner: 0, n: 16, base: -32768, first: 0, clamp: undefined });
    expect(digits(up)).to.include({ owner: up, n: 8, base: -128, first: 4, fix: 0, clamp: "out, signed" });
    expect(digits(even)).to.include({ owner: even, n: 8, base: -127, first: 4, fix: 1, clamp: "out, signed" });
    expect(digits(relu)).to.include({ owner: relu, n: 7, base: 0, clamp: "under" });
    expect(digits(whole)).to.include({ owner: whole, base: -64, clamp: undefined });
    expect(digits(flag)).to.include({ owner: flag, n: 1, width: 0, base: 0 });
    expect(digits(max)).to.include({ owner: max, own: true, n: 8, base: -128 });
  });
});

describe("steps", function () {
  this.timeout(60_000);

  it("compare affine images of bits exactly, for every value and every threshold", () => {
    for (const [factor, bias] of [
      [1, 0],
      [3, -1],
      [7, 4],
      [-2, 5],
    ] as const) {
      for (let level = -40; level <= 40; level++) {
        const net = new NetBuilder(1, [1, 1], INT8);
        net.push({ op: "affine", x: 0, factor: Float64Array.of(factor), bias: Float64Array.of(bias), shape: [1, 1] });
        net.step([0], [level]);
        const plan = planOf(net.graph(UINT8));
        const [step, ...others] = planStep(plan, plan.graph.nodes[2] as StepNode);
        expect(others).to.deep.equal([]);
        expect(step?.how).to.equal(factor > 0 ? "formed" : "compared");
        if (step?.how !== "formed") continue;
        for (let x = -128; x < 128; x++) {
          expect(valueOf(step.form, x + 128), `${factor} * ${x} + ${bias} >= ${level}`).to.equal(factor * x + bias >= level ? 1 : 0); // prettier-ignore
        }
      }
    }
  });

  it("cost a comparison, or bits that exist, while they are few, and a row each and two range proofs when many", async () => {
    const rows = async (levels: readonly number[], behind?: (net: NetBuilder) => Ref): Promise<number> => {
      const before = behind ?? ((net: NetBuilder): Ref => net.last);
      const index = levels.map(() => 0);
      return rowsOf((net) => net.step(index, levels, before(net)), before);
    };
    const wide = (net: NetBuilder): Ref => net.push({ op: "max", a: 0, b: 0, shape: [1, 1] });
    const spread = (m: number): number[] => Array.from({ length: m }, (_, k) => Math.floor(((k + 1) * 65536) / (m + 1)) - 32768 + (k % 2)); // prettier-ignore
    expect(await rows([5])).to.equal(15); // 16 bits that exist
    expect(await rows([5], wide)).to.equal(18);
    expect(await rows([4096])).to.equal(3); // a multiple of 2^12
    expect(await rows(spread(10), wide)).to.equal(10 + 2 * 13 + 3);
    expect(await rows(spread(200), wide)).to.equal(200 + 2 * 9 + 3);
    expect(await rows([7, 7, 7], wide)).to.equal(18);
    expect(await rows([-32768, 32768], wide)).to.equal(0);
  });
});
