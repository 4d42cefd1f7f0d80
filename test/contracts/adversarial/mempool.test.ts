// A stranger sees an answer before it is in a block, and sends its own first.
import { expect } from "chai";
import { keccak256 } from "ethers";
import { ALL, DEADLINE, FEE, NATIVE, START, send, view, type Answer } from "../../support/contracts.ts";
import { block, fulfilBy, repelled } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { STATUS } from "../../support/contractsRequest.ts";
import { proofWords, rerandomise } from "../../support/trapdoor.ts";

describe("An answer that is copied from the mempool", () => {
  const m = market();
  let seen: Answer;
  beforeEach(async () => {
    seen = m.s.answer(await m.s.request());
  });

  it("and sent first pays the prover all the same, and the sender nothing", async () => {
    const { prover, stranger } = m.s.signers;
    const acts = [fulfilBy(m, seen, stranger), fulfilBy(m, seen, prover)];
    expect(await block(m, START + 100, acts)).to.deep.equal([true, false]);
    await m.holds(0n, { prover: FEE });
  });

  it("and sent under the sender's own name is refused, re-randomised or not", async () => {
    const prover = m.s.signers.stranger.address;
    await repelled(m, { ...seen, prover });
    const [ax, ay, bxi, bxr, byi, byr, cx, cy] = seen.words as [
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
      bigint,
    ];
    const other = rerandomise({ a: [ax, ay], b: [[bxi, bxr], [byi, byr]], c: [cx, cy] }, 31337n); // prettier-ignore
    await repelled(m, { ...seen, prover, words: proofWords(other) });
  });

  it("keeps the prover's word on its environment, whatever the sender declares", async () => {
    const { prover, stranger } = m.s.signers;
    const declare = (what: string, from: typeof prover) =>
      send(m.s.coordinator, "declareEnvironment", [what], { from });
    await declare(keccak256("0x01"), prover);
    await declare(keccak256("0x02"), stranger);
    await m.s.fulfil(seen, stranger);
    expect((await m.s.resultOf(seen))["environment"]).to.equal(keccak256("0x01"));
  });

  it("can not be had for nothing: the requester can not cancel what has started", async () => {
    const { prover, requester } = m.s.signers;
    const acts = [{ from: requester, name: "cancel", args: [seen.r] }, fulfilBy(m, seen, prover)];
    expect(await block(m, START + 100, acts)).to.deep.equal([false, true]);
    await m.holds(0n, { prover: FEE });
  });

  it("is stopped by a rival's claim for as long as the claim lasts, at the rival's price, and pays more after it", async () => {
    const { prover, rival } = m.s.signers;
    await m.s.deposit(rival, FEE);
    const acts = [{ from: rival, name: "claim", args: [seen.r] }, fulfilBy(m, seen, prover)];
    expect(await block(m, START + 100, acts)).to.deep.equal([true, false]);
    const [, end] = (await view(m.s.coordinator, "claimOf", [seen.r])) as [string, bigint];
    expect(end < BigInt(DEADLINE)).to.equal(true);
    await m.chain.at(Number(end) + 1);
    await m.s.fulfil(seen);
    expect(await m.s.balanceOf(prover.address)).to.equal(FEE + FEE / 10n);
  });

  it("can not be given too little gas for the consumer's call by who sends it first", async () => {
    const consumer = await m.s.deploy("Consumer");
    const at = await consumer.getAddress();
    const answer = m.s.answer(await m.s.request({ consumer: at, callbackGas: 500_000 }));
    const enough = await m.s.coordinator
      .getFunction("fulfil")
      .estimateGas(answer.r, m.s.answerArgs(answer), answer.prover);
    const tries = [enough / 2n, enough - 1_000n].map((gas) => m.s.fulfil(answer, m.s.signers.stranger, gas));
    for (const sent of tries) await expect(sent).to.be.revert(m.s.ethers);
    expect(await m.status(answer)).to.equal(STATUS.open);
    await m.s.fulfil(answer);
    expect(await view(consumer, "calls")).to.equal(1n);
  });

  it("pays only who is in it when the sender has an account, too", async () => {
    const { stranger } = m.s.signers;
    await m.s.fulfil(seen, stranger);
    await m.refused(m.s.withdraw(stranger, stranger.address, ALL), "NothingToWithdraw", stranger.address, NATIVE);
  });
});
