// A requester against whoever answers without a claim: it reads the answer in the mempool and has an account of its own claim
// the request first. The claim leaves as much time as it takes, so that the answer comes in all the same, and it costs.
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

  it("keeps out an answer that it saw, and pays it the price and half of the collateral when it is sent again", async () => {
    const { asked, answer } = await deal({ claimPeriod: 60 });
    await m.chain.at(START + 1000);
    await m.s.claim(asked, own());
    await m.refused(m.s.fulfil(answer), "ClaimedByOther", asked.id, own().address, START + 1060);
    await m.chain.at(START + 1061);
    await m.s.fulfil(answer);
    expect(await paid()).to.equal(FEE + COLLATERAL / 2n);
    expect(await m.s.balanceOf(requester().address)).to.equal(COLLATERAL / 2n);
  });

  it("can not claim so late that no time is left for the answer: as much as it kept it out is there again", async () => {
    const last = DEADLINE - 120;
    const [late, kept] = [await deal({ claimPeriod: 60 }), await deal({ claimPeriod: 60 })];
    await m.chain.at(last);
    await m.s.claim(kept.asked, own());
    await m.chain.at(last + 1);
    await m.refused(m.s.claim(late.asked, own()), "ClaimTooLate", DEADLINE + 1, DEADLINE);
    await m.s.fulfil(late.answer);
    await m.chain.at(DEADLINE);
    await m.s.fulfil(kept.answer);
    expect(await paid()).to.equal(2n * FEE + COLLATERAL / 2n);
  });

  it("leaves a minute, however short the claim: seconds between two blocks would be no time", async () => {
    const [late, kept] = [await deal({ claimPeriod: 5 }), await deal({ claimPeriod: 5 })];
    await m.chain.at(DEADLINE - 65);
    await m.s.claim(kept.asked, own());
    await m.chain.at(DEADLINE - 64);
    await m.refused(m.s.claim(late.asked, own()), "ClaimTooLate", DEADLINE + 1, DEADLINE);
    await m.chain.at(DEADLINE);
    await m.s.fulfil(kept.answer);
    expect(await paid()).to.equal(FEE + COLLATERAL / 2n);
  });

  it("nor is there a period with which a claim lasts to the deadline", async () => {
    const half = (DEADLINE - START) / 2;
    const { asked, answer } = await deal({ claimPeriod: half + 1 });
    await m.refused(m.s.claim(asked, own()), "ClaimTooLate");
    await m.s.fulfil(answer);
    expect(await paid()).to.equal(FEE);
  });

  it("comes too late for a prover that claimed first, whatever it sees then", async () => {
    const { asked, answer } = await deal({ claimPeriod: 60 });
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
