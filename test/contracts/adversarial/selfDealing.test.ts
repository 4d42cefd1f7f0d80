// A requester against whoever answers without a claim: it reads the answer in the mempool and has an account of its own claim
// the request first. What that gains, against whom it gains nothing, and when the prover is paid all the same.
import { expect } from "chai";
import { DEADLINE, FEE, INPUT, START } from "../../support/contracts.ts";
import { market } from "../../support/contractsMarket.ts";

const COLLATERAL = FEE / 5n;

describe("a requester that claims its own request", () => {
  const m = market();
  /** The requester's second account, with the collateral and not a unit more. */
  const own = () => m.s.signers.rival;
  const requester = () => m.s.signers.requester;
  const paid = () => m.s.balanceOf(m.s.signers.prover.address);
  const deal = async (over: Parameters<typeof m.s.request>[0]) => {
    const asked = await m.s.request(over);
    await m.s.deposit(own(), COLLATERAL);
    return { asked, answer: m.s.answer(asked) };
  };

  for (const [what, claimPeriod, time] of [
    ["that lasts to the deadline", DEADLINE - START, START + 1000],
    ["that is short, near the deadline", 60, DEADLINE - 60],
  ] as const) {
    it(`has an answer that was sent without a claim for nothing, by a claim ${what}`, async () => {
      const { asked, answer } = await deal({ claimPeriod });
      await m.chain.at(time);
      await m.s.claim(asked, own());
      await m.refused(m.s.fulfil(answer), "ClaimedByOther", asked.id, own().address, DEADLINE);
      await m.chain.at(DEADLINE);
      await m.refused(m.s.fulfil(answer), "ClaimedByOther", asked.id, own().address, DEADLINE);
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(asked);
      expect(await m.s.balanceOf(requester().address)).to.equal(FEE + COLLATERAL);
      expect(await paid()).to.equal(0n);
    });
  }

  it("pays if a second is left between the claim's end and the deadline: the same answer, sent again, has fee and half", async () => {
    const { asked, answer } = await deal({ claimPeriod: 60 });
    await m.chain.at(DEADLINE - 61);
    await m.s.claim(asked, own());
    await m.refused(m.s.fulfil(answer), "ClaimedByOther", asked.id, own().address, DEADLINE - 1);
    await m.chain.at(DEADLINE);
    await m.s.fulfil(answer);
    expect(await paid()).to.equal(FEE + COLLATERAL / 2n);
    expect(await m.s.balanceOf(requester().address)).to.equal(COLLATERAL / 2n);
  });

  it("comes too late for a prover that claimed first, whatever it sees then", async () => {
    const { asked, answer } = await deal({ claimPeriod: DEADLINE - START });
    await m.s.deposit(m.s.signers.prover, COLLATERAL);
    await m.s.claim(asked);
    await m.refused(m.s.claim(asked, own()), "RequestNotOpen");
    await m.s.fulfil(answer);
    expect(await paid()).to.equal(FEE + COLLATERAL);
  });

  it("can not where the request takes no claims, or names its prover", async () => {
    const free = await deal({ claimPeriod: 0, input: INPUT });
    await m.refused(m.s.claim(free.asked, own()), "ClaimsNotTaken", free.asked.id);
    await m.s.fulfil(free.answer);
    const { address } = m.s.signers.prover;
    const chosen = await deal({ prover: address });
    await m.refused(m.s.claim(chosen.asked, own()), "ProverNotChosen", own().address, address);
    await m.s.fulfil(chosen.answer);
    expect(await paid()).to.equal(2n * FEE);
  });
});
