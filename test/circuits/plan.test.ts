// Which gadget an element gets from its bounds: never a wrong one, whatever the clamp, the scale and the bounds.
import { expect } from "chai";
import { buildCircuit } from "../../node/circuit/build.ts";
import { HINTS } from "../../node/circuit/hints.ts";
import { Values } from "../../node/circuit/lc.ts";
import type { Spec } from "../../node/circuit/compile.ts";
import { differenceBits, planOf, spellingOf } from "../../node/circuit/plan.ts";
import type { Plan } from "../../node/circuit/plan.ts";
import { planRescale } from "../../node/circuit/plan-rescale.ts";
import type { RescaleNode } from "../../node/model/ir.ts";
import { INT16, INT8, NetBuilder, UINT8, randomOf, whole } from "../support/nets.ts";

/** The first output of a gadget, by its hint, which other tests hold equal to its rows. */
function outputOf({ template, params }: Spec, ...inputs: number[]): number {
  const values = new Values(64);
  HINTS[template]!(...params.flat()).run(inputs, 1, values);
  return values.get(1) as number;
}

/** A plan for one rescale of one element between two bounds. */
function rescaleOf(least: number, most: number, options: Partial<RescaleNode>): { plan: Plan; node: RescaleNode } {
  const net = new NetBuilder(1, [1, 1], INT16);
  net.rescale(1, options);
  const graph = net.graph(INT16);
  const range = { lo: Float64Array.of(least), hi: Float64Array.of(most), worst: 0 };
  return { plan: { graph, claim: "public", ranges: [range], bound: [] }, node: graph.nodes[1] as RescaleNode };
}

describe("the plan of a circuit", () => {
  it("rescales to the formula for every value between the bounds (6,000 random cases, seed 31)", () => {
    const random = randomOf(31);
    const forms = new Map<string, number>();
    for (let round = 0; round < 6000; round++) {
      const least = whole(random, -150, 120);
      const most = whole(random, least, least + whole(random, 0, 250));
      const [m, s] = [whole(random, 1, 5), whole(random, 0, 5)];
      const lo = whole(random, -40, 30);
      const hi = random() < 0.5 ? lo + 2 ** whole(random, 0, 6) - 1 : whole(random, lo, lo + 60);
      const ties = random() < 0.5 ? "up" : "even";
      const { plan, node } = rescaleOf(least, most, { multiplier: [m], shift: [s], lo, hi, ties });
      const choice = planRescale(plan, node, 0);
      const name = `x in [${least}, ${most}] * ${m} / 2^${s} to [${lo}, ${hi}]: ${JSON.stringify(choice)}`;
      for (let x = least; x <= most; x++) {
        const up = Math.floor((x * m + (s > 0 ? 2 ** (s - 1) : 0)) / 2 ** s);
        const tie = s > 0 && (x * m) / 2 ** s + 0.5 === up;
        const expected = Math.min(hi, Math.max(lo, tie && ties === "even" && up % 2 !== 0 ? up - 1 : up));
        if ("constant" in choice) {
          if (choice.constant !== expected) expect.fail(`${name} at ${x}`);
          continue;
        }
        if ("atLeast" in choice) {
          const y = choice.lower + outputOf(choice.atLeast, x * choice.multiplier - choice.minus);
          if (y !== expected) expect.fail(`${name} at ${x}: ${y}, not ${expected}`);
          continue;
        }
        const y = outputOf(choice.rescale, x * choice.multiplier);
        const capped = choice.atMost === undefined ? y : outputOf(choice.atMost, y);
        if (capped !== expected) expect.fail(`${name} at ${x}: ${capped}, not ${expected}`);
      }
      const form = "constant" in choice ? "constant" : "atLeast" in choice ? "compared" : `${choice.rescale.template} ${String(choice.rescale.params[4])}${choice.atMost === undefined ? "" : " capped"}`; // prettier-ignore
      forms.set(form, (forms.get(form) ?? 0) + 1);
      if (!("rescale" in choice)) continue;
      const [B, , k, , signed] = choice.rescale.params as [number, number, number, number, number];
      expect(B, name).to.be.greaterThan(s + signed); // what the gadget's header demands
      expect(k, name).to.be.at.least(1);
      if (choice.atMost !== undefined) expect(Math.log2(hi - lo + 1) % 1, name).to.not.equal(0);
    }
    expect([...forms.keys()].sort()).to.deep.equal(["0", "1", "1 capped"].flatMap((form) => [`Rescale ${form}`, `RescaleEven ${form}`]).concat("compared", "constant").sort()); // prettier-ignore
  });

  it("takes the fewest bits where the bounds rule out an end of the clamp", () => {
    const params = (least: number, most: number, options: Partial<RescaleNode>): unknown => {
      const { plan, node } = rescaleOf(least, most, { shift: [4], ...options });
      return planRescale(plan, node, 0);
    };
    const rescale = (...list: number[]): object => ({
      multiplier: 1,
      rescale: { template: "Rescale", params: list },
      atMost: undefined,
    });
    expect(params(-32768, 32000, {})).to.deep.equal(rescale(16, 4, 7, 0, 1)); // both ends: B + 4
    expect(params(-2000, 2000, {})).to.deep.equal(rescale(12, 4, 7, 0, 1)); // the upper end is out of reach: B + 2
    expect(params(0, 4000, {})).to.deep.equal(rescale(12, 4, 7, 0, 0)); // the lower end is: no sign
    expect(params(0, 2000, {})).to.deep.equal(rescale(11, 4, 7, 0, 0)); // neither end
    expect(params(-300, 300, { lo: -128 })).to.deep.equal(rescale(10, 4, 6, -32, 0)); // neither end, with a sign of its own
    expect(params(0, 4000, { hi: 96 })).to.deep.equal(rescale(13, 4, 7, -31, 0)); // one end only: a shifted window, no cap
    expect(params(-4000, -8, {})).to.deep.equal({ constant: 0 });
    expect(params(2040, 4000, {})).to.deep.equal({ constant: 127 });
  });

  it("compares and spells with exactly the bits that the bounds need", () => {
    for (let n = 0; n < 12; n++) {
      const at = (least: number, most: number): number => differenceBits({ least, most }, { least: 0, most: 0 });
      expect(at(-(2 ** n), 2 ** n - 1)).to.equal(n);
      expect(at(-(2 ** n) - 1, 0)).to.equal(n + 1);
      expect(at(0, 2 ** n)).to.equal(n + 1);
    }
    expect(spellingOf({ least: -128, most: 127 }, INT8)).to.deep.equal({ n: 8, bias: 128 });
    expect(spellingOf({ least: -1, most: 0 }, INT8)).to.deep.equal({ n: 1, bias: 1 });
    expect(spellingOf({ least: 0, most: 255 }, UINT8)).to.deep.equal({ n: 8, bias: 0 });
    expect(spellingOf({ least: 0, most: 127 }, INT8)).to.deep.equal({ n: 7, bias: 0 });
    for (const [least, most, type] of [
      [-129, 0, INT8],
      [0, 128, INT8],
      [-1, 0, UINT8],
      [0, 256, UINT8],
    ] as const) {
      expect(() => spellingOf({ least, most }, type)).to.throw("declared as");
    }
  });

  it("gives wires to a long tensor that is read more than once, and to no other", () => {
    const net = new NetBuilder(1, [1, 8], INT8);
    const once = net.dense(4);
    net.rescale(9);
    const viewed = net.dense(6);
    net.reshape([1, 3, 2]);
    net.rescale(9);
    net.reshape([1, 6]);
    const twice = net.dense(6);
    const a = net.rescale(9, {}, twice);
    const b = net.rescale(8, {}, twice);
    const short = net.push({ op: "sum", xs: [a, b], factors: [1, 1], shape: [1, 6] });
    const deep = net.dense(5);
    net.dense(2);
    const { bound } = planOf(net.graph({ bits: 32, signed: true }));
    expect([once, viewed, twice, short, deep, net.last].map((ref) => bound[ref])).to.deep.equal([false, false, true, false, true, false]); // prettier-ignore
  });

  it("gives wires to a linear tensor after every 200 ops in a row, so that no file makes the walk recurse deeply", async () => {
    const net = new NetBuilder(1, [1, 1], INT8);
    for (let k = 0; k < 5_000; k++) net.reshape([1, 1]);
    const graph = net.graph(INT8);
    const places = planOf(graph).bound.flatMap((bound, ref) => (bound ? ref : []));
    expect(places).to.deep.equal(Array.from({ length: 24 }, (_, k) => 201 * (k + 1)));
    expect((await buildCircuit(graph)).constraints).to.be.greaterThan(0);
  });
});
