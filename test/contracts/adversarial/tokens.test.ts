// Requests in a token that lies. Whatever it does, it does to those who use it: amounts are what was received, and no other
// token's accounts are touched. What tokens do in deposits and withdrawals is in ledger.test.ts, in every manner.
import { expect } from "chai";
import { type BaseContract } from "ethers";
import { ALL, FEE, send, view, type Asked } from "../../support/contracts.ts";
import { market } from "../../support/contractsMarket.ts";
import { STATUS } from "../../support/contractsRequest.ts";

const PAIR = { TakesFee: 1, GivesMore: 2, ReturnsFalse: 3, PretendsTrue: 4, Reverts: 5 } as const;
const PLAIN = 0;

describe("A dishonest token", () => {
  const m = market();
  let token: string;
  let contract: BaseContract;
  beforeEach(async () => {
    contract = await m.s.deploy("OddToken");
    token = await contract.getAddress();
    for (const who of [m.s.signers.requester, m.s.signers.prover]) {
      await send(contract, "mint", [who.address, 100n * FEE], { from: who });
      await send(contract, "approve", [m.s.coordinatorAddress, ALL], { from: who });
    }
  });
  const behave = (manner: number) => send(contract, "behave", [manner], { from: m.s.signers.stranger });
  const held = (): Promise<unknown> => view(contract, "balanceOf", [m.s.coordinatorAddress]);
  const ask = (): Promise<Asked> => m.s.request({ token });

  for (const [name, manner] of Object.entries(PAIR)) {
    it(`that ${name} makes no request, and no money of another token is there for it`, async () => {
      await m.s.deposit(m.s.signers.requester, FEE);
      await behave(manner);
      await expect(ask()).to.be.revert(m.s.ethers);
      expect(await held()).to.equal(0n);
      await m.holds(0n, { requester: FEE });
    });
  }

  it("that turns dishonest after the request stops neither answer nor refund; only its own payouts fail", async () => {
    const [asked, left] = [await ask(), await m.s.request({ token, deadline: m.s.draft().start + 1_000 })];
    await behave(PAIR.Reverts);
    await m.s.fulfil(m.s.answer(asked));
    await m.chain.helpers.time.increaseTo(left.r.deadline + 1);
    await m.s.expire(left);
    const { prover, requester } = m.s.signers;
    for (const who of [prover, requester]) {
      await expect(m.s.withdraw(who, who.address, ALL, token)).to.be.revert(m.s.ethers);
      expect(await m.s.balanceOf(who.address, token)).to.equal(FEE);
    }
    await behave(PLAIN);
    for (const who of [prover, requester]) await m.s.withdraw(who, who.address, ALL, token);
    expect(await held()).to.equal(0n);
  });

  it("that freezes the prover's address can not keep it from being paid elsewhere", async () => {
    const asked = await ask();
    const { prover, stranger } = m.s.signers;
    await send(contract, "freeze", [prover.address], { from: stranger });
    await m.s.fulfil(m.s.answer(asked));
    await expect(m.s.withdraw(prover, prover.address, ALL, token)).to.be.revertedWithCustomError(
      contract,
      "AccountFrozen",
    );
    await m.s.withdraw(prover, stranger.address, ALL, token);
    expect(await view(contract, "balanceOf", [stranger.address])).to.equal(FEE);
  });

  it("that says less than it holds loses its users' money, and nobody else's", async () => {
    const [asked, native] = [await ask(), await m.s.request()];
    await send(contract, "burn", [m.s.coordinatorAddress, FEE], { from: m.s.signers.stranger });
    for (const each of [asked, native]) await m.s.fulfil(m.s.answer(each));
    const { prover } = m.s.signers;
    await expect(m.s.withdraw(prover, prover.address, ALL, token)).to.be.revert(m.s.ethers);
    await m.s.withdraw(prover);
    expect(await m.s.ethers.provider.getBalance(m.s.coordinatorAddress)).to.equal(0n);
    await send(contract, "mint", [m.s.coordinatorAddress, FEE], { from: prover });
  });

  it("that does not exist yet at its address takes part in nothing", async () => {
    const nowhere = m.s.ethers.getCreateAddress({ from: m.s.signers.deployer.address, nonce: 10_000 });
    await m.refused(m.s.request({ token: nowhere }), "TokenHasNoCode", nowhere);
    await m.refused(m.s.request({ token: nowhere, payment: "account" }), "BalanceTooLow");
  });

  it("as collateral of a claim is what the claimer's account holds of it, and no native coin stands in", async () => {
    const asked = await m.s.request({ token, minCollateral: 7n });
    await m.refused(m.s.claim(asked, m.s.signers.prover, FEE), "ValueMismatch", FEE, 0);
    await m.s.deposit(m.s.signers.prover, FEE);
    await m.refused(m.s.claim(asked), "BalanceTooLow");
    await m.s.deposit(m.s.signers.prover, FEE, token);
    await m.s.claim(asked);
    expect(await m.status(asked)).to.equal(STATUS.claimed);
  });
});
