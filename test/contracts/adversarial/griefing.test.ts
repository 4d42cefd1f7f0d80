// Attacks that win nothing and want others to lose: claims of dust, claims of everything, blocks that are stuffed. For each, what
// the attacker pays, what the others get, and what they can lose at most.
import { expect } from "chai";
import { ALL, CLAIM_PERIOD, DEADLINE, FEE, START, view, type Asked } from "../../support/contracts.ts";
import { market } from "../../support/contractsMarket.ts";
import { STATUS, priceOf } from "../../support/contractsRequest.ts";

describe("Who claims to annoy", () => {
  const m = market();
  const attacker = () => m.s.signers.rival;
  const pocket = async (who: { readonly address: string }): Promise<bigint> => m.s.balanceOf(who.address);
  /** The claim was made and ran out. */
  async function blocked(asked: Asked, collateral: bigint): Promise<void> {
    await m.s.deposit(attacker(), collateral);
    await m.chain.at(START + 1_000);
    await m.s.claim(asked, attacker());
    expect(await pocket(attacker())).to.equal(0n);
    await m.chain.helpers.time.increaseTo(START + 1_000 + CLAIM_PERIOD);
  }

  for (const [collateral, toPayer, toProver] of [
    [0n, 0n, 0n],
    [1n, 0n, 1n],
    [2n, 1n, 1n],
    [3n, 1n, 2n],
  ] as const) {
    it(`with a collateral of ${collateral} units loses them: ${toPayer} to the payer, ${toProver} to who answers`, async () => {
      const model = await m.s.another({ collateralBps: 0 });
      const asked = await m.s.request({ model, minCollateral: collateral });
      await blocked(asked, collateral);
      await m.s.fulfil(m.s.answer(asked));
      expect(await pocket(m.s.signers.prover)).to.equal(FEE + toProver);
      expect(await pocket(m.s.signers.requester)).to.equal(toPayer);
      await m.s.withdraw(m.s.signers.prover);
      await m.refused(m.s.withdraw(attacker(), attacker().address, ALL), "NothingToWithdraw");
    });
  }

  it("of a request for dust locks a fifth of dust, rounded down, unless the request asks for more", async () => {
    const free = await m.s.request({ maxFee: 4n });
    expect(await view(m.s.coordinator, "quote", [free.r, START + 1_000])).to.deep.equal([4n, 0n]);
    const dear = await m.s.request({ maxFee: 4n, minCollateral: FEE });
    expect(await view(m.s.coordinator, "quote", [dear.r, START + 1_000])).to.deep.equal([4n, FEE]);
    await blocked(dear, FEE);
    await m.s.fulfil(m.s.answer(dear));
    expect(await pocket(m.s.signers.prover)).to.equal(4n + FEE / 2n);
    expect(await pocket(m.s.signers.requester)).to.equal(FEE / 2n);
  });

  it("everything there is pays for each, and every request is answered all the same, at a claim's delay", async () => {
    const asked: Asked[] = [];
    for (let i = 0; i < 5; i++) asked.push(await m.s.request());
    const collateral = FEE / 5n;
    await m.s.deposit(attacker(), 5n * collateral);
    for (const each of asked) await m.s.claim(each, attacker());
    expect(await pocket(attacker())).to.equal(0n);
    for (const each of asked) await m.refused(m.s.fulfil(m.s.answer(each)), "ClaimedByOther");
    await m.chain.helpers.time.increaseTo(START + CLAIM_PERIOD + 60);
    for (const each of asked) await m.s.fulfil(m.s.answer(each));
    await m.holds(0n, { prover: 5n * FEE + (5n * collateral) / 2n, requester: (5n * collateral) / 2n });
  });

  it("can not do it twice to one request", async () => {
    const asked = await m.s.request();
    await blocked(asked, FEE / 5n);
    await m.s.deposit(attacker(), FEE);
    await m.refused(m.s.claim(asked, attacker()), "RequestNotOpen", asked.id, STATUS.claimed);
  });

  it("and never lets go costs the payer no money: fee and collateral come back after the deadline", async () => {
    const asked = await m.s.request();
    await blocked(asked, FEE / 5n);
    await m.chain.at(DEADLINE + 1);
    await m.s.expire(asked);
    await m.holds(0n, { requester: FEE + FEE / 5n });
  });

  it("can be kept out by the requester: no claims at all, or one prover only", async () => {
    await m.s.deposit(attacker(), FEE);
    const direct = await m.s.request({ claimPeriod: 0 });
    await m.refused(m.s.claim(direct, attacker()), "ClaimsNotTaken", direct.id);
    const chosen = await m.s.request({ prover: m.s.signers.prover.address });
    await m.refused(m.s.claim(chosen, attacker()), "ProverNotChosen");
  });
});

describe("Who stuffs blocks so that nothing else gets in", () => {
  const m = market();

  it("makes the answer dearer, up to maxFee and not a unit more, and takes none of it", async () => {
    const over = { minFee: 1_000n, maxFee: FEE, rampEnd: START + 10_000 };
    const asked = await m.s.request(over);
    for (const [after, time] of [
      [0, START],
      [5_000, START + 5_000],
      [50_000, START + 50_000],
    ] as const) {
      const [price] = (await view(m.s.coordinator, "quote", [asked.r, time])) as [bigint];
      expect(price, `${after} s`).to.equal(priceOf(asked.r, time));
      expect(price <= FEE).to.equal(true);
    }
    await m.chain.at(START + 50_000);
    await m.s.fulfil(m.s.answer(asked));
    await m.holds(0n, { prover: FEE });
  });

  it("through the whole of a claim costs the claimer at most its collateral, and less if it answers late", async () => {
    const asked = await m.s.request();
    await m.s.deposit(m.s.signers.prover, FEE / 5n);
    await m.chain.at(START + 1_000);
    await m.s.claim(asked);
    await m.chain.at(START + 1_000 + CLAIM_PERIOD + 1);
    await m.s.fulfil(m.s.answer(asked));
    await m.holds(0n, { prover: FEE + FEE / 10n, requester: FEE / 10n });
  });

  it("through the deadline costs the prover its work and the requester nothing: the fee comes back", async () => {
    const asked = await m.s.request();
    await m.chain.at(DEADLINE + 1);
    await m.refused(m.s.fulfil(m.s.answer(asked)), "DeadlinePassed", DEADLINE, DEADLINE + 1);
    await m.s.expire(asked);
    await m.holds(0n, { requester: FEE });
  });

  it("until the last second of a signed request keeps it from being made, and takes nothing", async () => {
    await m.s.deposit(m.s.signers.requester, FEE);
    const submitBy = START + 2_000;
    const r = m.s.draft({ submitBy });
    const signature = await m.s.sign(r);
    await m.chain.at(submitBy + 1);
    await m.refused(m.s.requestFor({ ...r, signature }), "SubmittedTooLate", submitBy, submitBy + 1);
    await m.holds(0n, { requester: FEE });
  });
});
