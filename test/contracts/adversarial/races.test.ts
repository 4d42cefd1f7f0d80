// Two of the last second: acts of one block, in both orders. Whatever the order is, one ending comes of it, and it is paid once.
import { expect } from "chai";
import { CLAIM_PERIOD, DEADLINE, FEE, START, type Asked } from "../../support/contracts.ts";
import { block, fulfilBy, type Act } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { STATUS } from "../../support/contractsRequest.ts";

const COLLATERAL = FEE / 5n;

describe("In one block", () => {
  const m = market();
  const expire = ({ r }: Asked): Act => ({ from: m.s.signers.stranger, name: "expire", args: [r] });
  const claim = ({ r }: Asked, from = m.s.signers.rival): Act => ({ from, name: "claim", args: [r] });
  const fulfil = (asked: Asked, from = m.s.signers.prover): Act =>
    fulfilBy(m, m.s.answer(asked, { prover: from.address }), from);
  beforeEach(async () => {
    for (const who of [m.s.signers.rival, m.s.signers.payer]) await m.s.deposit(who, COLLATERAL);
  });
  const pockets = { rival: COLLATERAL, payer: COLLATERAL };

  for (const order of ["answer first", "refund first"] as const) {
    const sorted = (asked: Asked): readonly Act[] =>
      order === "answer first" ? [fulfil(asked), expire(asked)] : [expire(asked), fulfil(asked)];

    it(`at the deadline, an answer and a refund, ${order}: the answer`, async () => {
      const asked = await m.s.request();
      const succeeded = await block(m, DEADLINE, sorted(asked));
      expect(succeeded).to.deep.equal(order === "answer first" ? [true, false] : [false, true]);
      await m.holds(0n, { ...pockets, prover: FEE });
    });

    it(`a second after the deadline, an answer and a refund, ${order}: the refund`, async () => {
      const asked = await m.s.request();
      const succeeded = await block(m, DEADLINE + 1, sorted(asked));
      expect(succeeded).to.deep.equal(order === "answer first" ? [false, true] : [true, false]);
      await m.holds(0n, { ...pockets, requester: FEE });
    });
  }

  it("a claim and another's answer: who comes first has it", async () => {
    const [one, two] = [await m.s.request(), await m.s.request()];
    expect(await block(m, START + 1_000, [claim(one), fulfil(one)])).to.deep.equal([true, false]);
    expect(await block(m, START + 1_012, [fulfil(two), claim(two)])).to.deep.equal([true, false]);
    expect([await m.status(one), await m.status(two)]).to.deep.equal([STATUS.claimed, STATUS.fulfilled]);
  });

  it("a claim and its own answer: both, at the price of that second", async () => {
    const { rival } = m.s.signers;
    const asked = await m.s.request();
    const acts = [claim(asked)];
    expect(await block(m, START + 1_000, acts)).to.deep.equal([true]);
    expect(await block(m, START + 1_001, [fulfil(asked, rival)])).to.deep.equal([true]);
    await m.holds(0n, { ...pockets, rival: FEE + COLLATERAL });
  });

  it("two claims: the first, and the second keeps its collateral", async () => {
    const asked = await m.s.request();
    const acts = [claim(asked), claim(asked, m.s.signers.payer)];
    expect(await block(m, START + 1_000, acts)).to.deep.equal([true, false]);
    await m.holds(FEE + COLLATERAL, { payer: COLLATERAL });
  });

  it("two answers of two provers: the first", async () => {
    const asked = await m.s.request();
    const acts = [fulfil(asked), fulfil(asked, m.s.signers.rival)];
    expect(await block(m, START + 1_000, acts)).to.deep.equal([true, false]);
    await m.holds(0n, { ...pockets, prover: FEE });
  });

  it("at the end of a claim, the claimer's answer and a rival's, rival first: the claimer's", async () => {
    const asked = await m.s.request();
    await m.chain.at(START + 1_000);
    await m.s.claim(asked, m.s.signers.rival);
    const end = START + 1_000 + CLAIM_PERIOD;
    expect(await block(m, end, [fulfil(asked), fulfil(asked, m.s.signers.rival)])).to.deep.equal([false, true]);
    await m.holds(0n, { payer: COLLATERAL, rival: FEE + COLLATERAL });
  });

  it("a second later, the claimer's answer and a rival's: whichever is first, and the collateral is halved for both", async () => {
    for (const first of ["prover", "rival"] as const) {
      const asked = await m.s.request();
      const second = first === "prover" ? "rival" : "prover";
      const before = await m.s.balanceOf(m.s.signers[first].address);
      const { timestamp = 0 } = (await m.s.ethers.provider.getBlock("latest")) ?? {};
      await m.s.deposit(m.s.signers.rival, COLLATERAL);
      await m.chain.at(timestamp + 10);
      await m.s.claim(asked, m.s.signers.rival);
      const acts = [fulfil(asked, m.s.signers[first]), fulfil(asked, m.s.signers[second])];
      expect(await block(m, timestamp + 10 + CLAIM_PERIOD + 1, acts)).to.deep.equal([true, false]);
      const gained = (await m.s.balanceOf(m.s.signers[first].address)) - before;
      expect(gained).to.equal(FEE + COLLATERAL / 2n);
    }
  });

  it("at the start, a cancellation and an answer: the answer; a second before, the cancellation", async () => {
    const start = START + 5_000;
    const over = { start, rampEnd: start };
    const [one, two] = [await m.s.request(over), await m.s.request(over)];
    const cancel = ({ r }: Asked): Act => ({ from: m.s.signers.requester, name: "cancel", args: [r] });
    expect(await block(m, start - 1, [fulfil(two), cancel(two)])).to.deep.equal([false, true]);
    expect(await block(m, start, [cancel(one), fulfil(one)])).to.deep.equal([false, true]);
    await m.holds(0n, { ...pockets, prover: FEE, requester: FEE });
  });
});
