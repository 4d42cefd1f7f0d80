// A Groth16 proof can be written in other bytes by anybody who sees it. So bytes name nothing: each spelling of an answer is
// accepted, one of them, once, and pays the prover that is inside.
import { expect } from "chai";
import { bn254 } from "@noble/curves/bn254.js";
import { Q } from "../../../node/core/field.ts";
import { FEE, send, type Answer } from "../../support/contracts.ts";
import { batchArgs } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { STATUS } from "../../support/contractsRequest.ts";
import { TRAPDOOR, g1Sum, g2, proofWords, rerandomise, type G1, type G2 } from "../../support/trapdoor.ts";

const pointsOf = (w: readonly bigint[]): { a: G1; b: G2; c: G1 } => {
  const at = (i: number): bigint => w[i] ?? 0n;
  return { a: [at(0), at(1)], b: [[at(2), at(3)], [at(4), at(5)]], c: [at(6), at(7)] }; // prettier-ignore
};
const negated = (w: readonly bigint[]): bigint[] => w.map((word, i) => ([1, 4, 5].includes(i) ? (Q - word) % Q : word));
/** (A, B + t delta, C + t A): what anybody can do who knows the key. */
function shifted(w: readonly bigint[], t: bigint): bigint[] {
  const { a, b, c } = pointsOf(w);
  const point = ([x, y]: G2) => bn254.G2.Point.fromAffine({ x: { c0: x[1], c1: x[0] }, y: { c0: y[1], c1: y[0] } });
  const { x, y } = point(b)
    .add(point(g2(TRAPDOOR.delta)).multiply(t))
    .toAffine();
  const tA = bn254.G1.Point.fromAffine({ x: a[0], y: a[1] }).multiply(t).toAffine();
  return proofWords({ a, b: [[x.c1, x.c0], [y.c1, y.c0]], c: g1Sum(c, [tA.x, tA.y]) }); // prettier-ignore
}
const SPELLINGS: Readonly<Record<string, (w: readonly bigint[]) => readonly bigint[]>> = {
  "(-A, -B, C)": negated,
  "(s A, B / s, C)": (w) => proofWords(rerandomise(pointsOf(w), 987_654_321n)),
  "(A, B + t delta, C + t A)": (w) => shifted(w, 55n),
};

describe("The same proof in other bytes", () => {
  const m = market();
  const taken = (answer: Answer) => m.s.fulfil(answer, m.s.signers.stranger);

  for (const [name, spell] of Object.entries(SPELLINGS)) {
    it(`as ${name} is taken once, before or after which the first spelling is not, and pays the prover`, async () => {
      const [one, two] = [m.s.answer(await m.s.request()), m.s.answer(await m.s.request())];
      const other = (a: Answer): Answer => ({ ...a, words: spell(a.words) });
      expect(other(one).words).not.to.deep.equal(one.words);
      await taken(other(one));
      await m.refused(taken(one), "RequestNotOpen", one.id, STATUS.fulfilled);
      await taken(two);
      await m.refused(taken(other(two)), "RequestNotOpen", two.id, STATUS.fulfilled);
      await m.holds(0n, { prover: 2n * FEE });
    });
  }

  it("three times in one batch is paid once", async () => {
    const answer = m.s.answer(await m.s.request());
    const all = [answer, ...Object.values(SPELLINGS).map((spell) => ({ ...answer, words: spell(answer.words) }))];
    const { stranger: from } = m.s.signers;
    await send(m.s.coordinator, "fulfilBatch", batchArgs(m, all), { from, gasLimit: 3_000_000n });
    await m.holds(0n, { prover: FEE });
  });

  it("with one sign changed is no proof", async () => {
    const answer = m.s.answer(await m.s.request());
    for (const signs of [[1], [4, 5], [7], [1, 7]]) {
      const words = answer.words.map((word, i) => (signs.includes(i) ? Q - word : word));
      await m.refused(taken({ ...answer, words }), "InvalidProof");
    }
  });
});
