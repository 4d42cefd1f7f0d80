// The market between asking and answering: the price of each second, claims with their collateral, what a claim keeps out
// and until when, and who gets what in each ending. docs/market.md says the same in words.
import { expect } from "chai";
import {
  DEADLINE,
  FEE,
  NATIVE,
  NOBODY,
  START,
  view,
  type Answer,
  type Asked,
  type Asking,
} from "../support/contracts.ts";
import { market } from "../support/contractsMarket.ts";
import { STATUS, priceOf } from "../support/contractsRequest.ts";

const BEGIN = START + 1_000;
const RAMP_END = BEGIN + 600;
const PERIOD = 300;
/** From 100 to 1,300 over 600 seconds: 2 a second. */
const [LOW, HIGH] = [100n, 1_300n];
const RAMP = { minFee: LOW, maxFee: HIGH, start: BEGIN, rampEnd: RAMP_END, claimPeriod: PERIOD } as const;
const POCKET = 10_000n;
/** A claim leaves as much time as it takes. */
const LAST_CLAIM = DEADLINE - 2 * PERIOD;

describe("auction", () => {
  const m = market();
  const ask = (over: Partial<Asking> = {}): Promise<Asked> => m.s.request({ ...RAMP, ...over });
  const claimOf = ({ r }: Asked): Promise<unknown> => view(m.s.coordinator, "claimOf", [r]);
  const byRival = (asked: Asked): Answer => m.s.answer(asked, { prover: m.s.signers.rival.address });
  /** Gives the prover an account of POCKET, and claims at second `after` of the ramp. */
  async function claimAt(asked: Asked, after: number): Promise<void> {
    await m.s.deposit(m.s.signers.prover, POCKET);
    await m.chain.at(BEGIN + after);
    await m.s.claim(asked);
  }

  describe("price", () => {
    const rows = [[0, LOW], [1, LOW + 2n], [599, HIGH - 2n], [600, HIGH], [601, HIGH]] as const; // prettier-ignore
    for (const [after, price] of rows) {
      it(`of an answer ${after} s after the start of a ramp from ${LOW} to ${HIGH} is ${price}`, async () => {
        const asked = await ask();
        await m.chain.at(BEGIN + after);
        await m.s.fulfil(m.s.answer(asked));
        await m.holds(0n, { prover: price, ...(price < HIGH ? { requester: HIGH - price } : {}) });
      });

      it(`of a claim ${after} s after the start is ${price}, and stays so until it is answered`, async () => {
        const { prover } = m.s.signers;
        const asked = await ask();
        await m.s.deposit(prover, POCKET);
        await m.chain.at(BEGIN + after);
        const collateral = price / 5n; // the model of the stage demands a fifth
        await expect(m.s.claim(asked))
          .to.emit(m.s.coordinator, "Claimed")
          .withArgs(asked.id, prover.address, price, collateral, BEGIN + after + PERIOD);
        expect(await claimOf(asked)).to.deep.equal([prover.address, BigInt(BEGIN + after + PERIOD)]);
        expect(await m.status(asked)).to.equal(STATUS.claimed);
        await m.holds(HIGH + collateral, { prover: POCKET - collateral });
        await m.chain.at(BEGIN + after + PERIOD);
        await expect(m.s.fulfil(m.s.answer(asked))).to.emit(m.s.coordinator, "Fulfilled");
        await m.holds(0n, { prover: POCKET + price, ...(price < HIGH ? { requester: HIGH - price } : {}) });
      });
    }

    it("is the same to whoever asks before as to whoever answers: at the borders, and in between rounded down", async () => {
      const quote = async (over: Partial<Asking>, time: number): Promise<unknown> => {
        const r = m.s.draft({ ...RAMP, ...over });
        const [price] = (await view(m.s.coordinator, "quote", [r, time])) as [bigint, bigint];
        expect(price, `${time - BEGIN}`).to.equal(priceOf(r, time));
        return price;
      };
      for (const after of [-1_000, -1, 0, 1, 299, 599, 600, 601, 10_000]) await quote({}, BEGIN + after);
      const third = { minFee: 0n, maxFee: 1n, rampEnd: BEGIN + 3 };
      for (const [after, price] of [
        [0, 0n],
        [1, 0n],
        [2, 0n],
        [3, 1n],
      ] as const) {
        // prettier-ignore
        expect(await quote(third, BEGIN + after)).to.equal(price);
      }
      const wide = { minFee: 0n, maxFee: 2n ** 96n - 1n, start: 0, rampEnd: 2 ** 32 - 1 };
      for (const time of [1, 2 ** 31, 2 ** 32 - 2]) await quote(wide, time);
      const flat = { minFee: 7n, maxFee: 9n, rampEnd: BEGIN };
      for (const [after, price] of [
        [-1, 7n],
        [0, 9n],
        [1, 9n],
      ] as const) {
        // prettier-ignore
        expect(await quote(flat, BEGIN + after)).to.equal(price);
      }
    });
  });

  describe("claim", () => {
    for (const [name, second, possible, error] of [
      ["the start", BEGIN - 1, false, "NotStarted"],
      ["the start", BEGIN, true],
      ["the start", BEGIN + 1, true],
      ["its last second", LAST_CLAIM - 1, true],
      ["its last second", LAST_CLAIM, true],
      ["its last second", LAST_CLAIM + 1, false, "ClaimTooLate"],
      ["the deadline", DEADLINE, false, "ClaimTooLate"],
      ["the deadline", DEADLINE + 1, false, "DeadlinePassed"],
    ] as const) {
      const border = { "the start": BEGIN, "its last second": LAST_CLAIM, "the deadline": DEADLINE }[name];
      it(`is ${possible ? "possible" : "refused"} ${second - border} s from ${name}`, async () => {
        const asked = await ask();
        await m.s.deposit(m.s.signers.prover, POCKET);
        await m.chain.at(second);
        if (error === "ClaimTooLate") return m.refused(m.s.claim(asked), error, second + 2 * PERIOD, DEADLINE);
        if (error !== undefined) return m.refused(m.s.claim(asked), error, border, second);
        await m.s.claim(asked);
        expect(await claimOf(asked)).to.deep.equal([m.s.signers.prover.address, BigInt(second + PERIOD)]);
      });
    }

    for (const [offset, kept] of [
      [-1, true],
      [0, true],
      [1, false],
    ] as const) {
      // prettier-ignore
      it(`${kept ? "keeps others out" : "lets anybody in"} ${offset} s from its end`, async () => {
        const { prover, rival } = m.s.signers;
        const asked = await ask();
        await claimAt(asked, 0);
        const end = BEGIN + PERIOD;
        await m.chain.at(end + offset);
        const late = m.s.fulfil(byRival(asked), rival);
        if (kept) {
          await m.refused(late, "ClaimedByOther", asked.id, prover.address, end);
          await m.chain.at(end + offset);
          await m.s.fulfil(m.s.answer(asked));
          await m.holds(0n, { prover: POCKET + LOW, requester: HIGH - LOW });
        } else {
          await expect(late)
            .to.emit(m.s.coordinator, "CollateralForfeited")
            .withArgs(asked.id, prover.address, 20);
          await m.holds(0n, { prover: POCKET - 20n, rival: LOW + 10n, requester: HIGH - LOW + 10n });
        }
      });
    }

    it("lasts for half of the time at most: a period beyond that takes no claims", async () => {
      const half = (DEADLINE - BEGIN) / 2;
      const [longest, longer, endless] = [
        await ask({ claimPeriod: half }),
        await ask({ claimPeriod: half + 1 }),
        await ask({ claimPeriod: 2 ** 32 - 1 }),
      ];
      await claimAt(longest, 0);
      expect(await claimOf(longest)).to.deep.equal([m.s.signers.prover.address, BigInt(BEGIN + half)]);
      await m.chain.at(BEGIN + 1);
      await m.refused(m.s.claim(longer), "ClaimTooLate", DEADLINE + 3, DEADLINE);
      await m.chain.at(BEGIN + 2);
      await m.refused(m.s.claim(endless), "ClaimTooLate", BEGIN + 2 ** 33, DEADLINE);
      await m.s.fulfil(m.s.answer(endless));
    });

    it("is made once: by nobody again, not even when it ran out", async () => {
      const { rival } = m.s.signers;
      const asked = await ask();
      await claimAt(asked, 0);
      await m.s.deposit(rival, POCKET);
      for (const after of [10, PERIOD + 1, PERIOD + 100]) {
        for (const from of [m.s.signers.prover, rival]) {
          await m.chain.at(BEGIN + after);
          await m.refused(m.s.claim(asked, from), "RequestNotOpen", asked.id, STATUS.claimed);
        }
      }
    });

    it("is not of what was never made, was answered, or can only be answered directly", async () => {
      await m.s.deposit(m.s.signers.prover, POCKET);
      const r = m.s.draft(RAMP);
      await m.refused(m.s.claim({ r }), "RequestNotOpen", m.s.idOf(r), STATUS.unknown);
      const [answered, direct] = [await ask(), await ask({ claimPeriod: 0 })];
      await m.chain.at(BEGIN);
      await m.s.fulfil(m.s.answer(answered));
      await m.refused(m.s.claim(answered), "RequestNotOpen", answered.id, STATUS.fulfilled);
      await m.refused(m.s.claim(direct), "ClaimsNotTaken", direct.id);
      await m.s.fulfil(m.s.answer(direct));
    });

    it("is for the chosen prover alone, if one was chosen, also when it ran out", async () => {
      const { prover, rival } = m.s.signers;
      const asked = await ask({ prover: prover.address });
      await m.s.deposit(rival, POCKET);
      await m.chain.at(BEGIN);
      await m.refused(m.s.claim(asked, rival), "ProverNotChosen", rival.address, prover.address);
      await claimAt(asked, 5);
      await m.chain.at(BEGIN + 5 + PERIOD + 1);
      await m.refused(m.s.fulfil(byRival(asked), rival), "ProverNotChosen", rival.address, prover.address);
      await m.s.fulfil(m.s.answer(asked));
      const price = LOW + 10n;
      await m.holds(0n, { prover: POCKET + price - 11n, rival: POCKET, requester: HIGH - price + 11n });
    });

    it("says nothing of a claim before one is made, nor after the request has ended", async () => {
      const asked = await ask();
      expect(await claimOf(asked)).to.deep.equal([NOBODY, 0n]);
      await claimAt(asked, 0);
      await m.s.fulfil(m.s.answer(asked));
      expect(await claimOf(asked)).to.deep.equal([NOBODY, 0n]);
    });
  });

  describe("collateral", () => {
    const share = HIGH / 5n;
    for (const minCollateral of [0n, share - 1n, share, share + 1n, 5_000n]) {
      const collateral = minCollateral > share ? minCollateral : share;
      it(`is ${collateral} of a price of ${HIGH}, if the request wants ${minCollateral} and the model a fifth`, async () => {
        const asked = await ask({ minCollateral });
        expect(await view(m.s.coordinator, "quote", [asked.r, RAMP_END])).to.deep.equal([HIGH, collateral]);
        await claimAt(asked, 600);
        await m.holds(HIGH + collateral, { prover: POCKET - collateral });
        await m.s.fulfil(m.s.answer(asked));
        await m.holds(0n, { prover: POCKET + HIGH });
      });
    }

    it("can be several times the price, as the model says, and nothing if neither asks for any", async () => {
      const heavy = await ask({ model: await m.s.another({ collateralBps: 65_535 }) });
      await claimAt(heavy, 600);
      await m.holds(HIGH + 8_519n, { prover: POCKET - 8_519n }); // 1,300 * 6.5535, rounded down
      const light = await ask({ model: await m.s.another({ collateralBps: 0 }) });
      await m.s.claim(light);
      await m.holds(2n * HIGH + 8_519n, { prover: POCKET - 8_519n });
    });

    it("comes out of the prover's account, and the claim with it or not at all", async () => {
      const { prover } = m.s.signers;
      const asked = await ask();
      await m.s.deposit(prover, 19n);
      await m.chain.at(BEGIN);
      await m.refused(m.s.claim(asked), "BalanceTooLow", prover.address, NATIVE, 19, 20);
      expect(await m.status(asked)).to.equal(STATUS.open);
      await m.s.deposit(prover, 20n, NATIVE);
      await m.chain.at(BEGIN + 10);
      await m.s.claim(asked);
      await m.holds(HIGH + 24n, { prover: 15n });
    });

    it("may come with the claim: what is too much stays in the account, since nobody knows the second before", async () => {
      const { prover } = m.s.signers;
      const [asked, second] = [await ask(), await ask()];
      await m.chain.at(BEGIN + 1);
      const sent = m.s.claim(asked, prover, 1_000n);
      await expect(sent).to.emit(m.s.coordinator, "Deposited").withArgs(prover.address, NATIVE, 1_000);
      await m.holds(2n * HIGH + 20n, { prover: 980n });
      await m.chain.at(RAMP_END);
      await m.s.claim(second, prover, 1n);
      await m.holds(2n * HIGH + 20n + 260n, { prover: 721n });
    });

    it("with the claim is refused if it is too little", async () => {
      const { prover } = m.s.signers;
      const asked = await ask();
      await m.chain.at(BEGIN);
      await m.refused(m.s.claim(asked, prover, 19n), "BalanceTooLow", prover.address, NATIVE, 19, 20);
    });
  });

  describe("endings", () => {
    /** A claim at 100 s: price 300, collateral 60 unless said otherwise. */
    const PRICE = 300n;
    const royal = (): Promise<string> => m.s.another({ royaltyBps: 1_000, collateralBps: 2_000 });

    it("answered without a claim: fee to the prover, share of it to the publisher, the rest back", async () => {
      const asked = await ask({ model: await royal() });
      await m.chain.at(BEGIN + 100);
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, { prover: 270n, publisher: 30n, requester: HIGH - PRICE });
    });

    it("answered by who claimed it: the same, and the collateral back", async () => {
      const asked = await ask({ model: await royal() });
      await claimAt(asked, 100);
      await m.s.fulfil(m.s.answer(asked), m.s.signers.stranger);
      await m.holds(0n, { prover: POCKET + 270n, publisher: 30n, requester: HIGH - PRICE });
    });

    it("answered by another when the claim ran out: the claimed price, and the collateral between answerer and payer", async () => {
      const asked = await ask({ model: await royal(), payer: m.s.signers.payer.address });
      await claimAt(asked, 100);
      await m.chain.at(RAMP_END + 1);
      await m.s.fulfil(byRival(asked));
      await m.holds(0n, { prover: POCKET - 60n, rival: 270n + 30n, publisher: 30n, payer: HIGH - PRICE + 30n });
    });

    it("answered by who claimed it, too late: the claimed price, and half of the collateral", async () => {
      const asked = await ask();
      await claimAt(asked, 100);
      await m.chain.at(BEGIN + 100 + PERIOD + 1);
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, { prover: POCKET + PRICE - 30n, requester: HIGH - PRICE + 30n });
    });

    it("never answered: fee and all of the collateral to the payer", async () => {
      const asked = await ask({ payer: m.s.signers.payer.address });
      await claimAt(asked, 100);
      await m.chain.at(DEADLINE + 1);
      const sent = m.s.expire(asked);
      await expect(sent)
        .to.emit(m.s.coordinator, "CollateralForfeited")
        .withArgs(asked.id, m.s.signers.prover.address, 60);
      await expect(sent)
        .to.emit(m.s.coordinator, "Expired")
        .withArgs(asked.id, m.s.signers.payer.address, HIGH + 60n);
      await m.holds(0n, { prover: POCKET - 60n, payer: HIGH + 60n });
    });

    for (const [collateral, toPayer, toProver] of [
      [0n, 0n, 0n],
      [1n, 0n, 1n],
      [2n, 1n, 1n],
      [3n, 1n, 2n],
    ] as const) {
      // prettier-ignore
      it(`splits a collateral of ${collateral}: ${toProver} to who answers, ${toPayer} to the payer`, async () => {
        const asked = await ask({ model: await m.s.another({ collateralBps: 0 }), minCollateral: collateral });
        await claimAt(asked, 600);
        await m.chain.at(RAMP_END + PERIOD + 1);
        await m.s.fulfil(byRival(asked));
        const owed = { prover: POCKET - collateral, rival: HIGH + toProver, requester: toPayer };
        await m.holds(0n, Object.fromEntries(Object.entries(owed).filter(([, amount]) => amount > 0n)));
      });
    }

    it("is one for each request, whatever is tried after it", async () => {
      const { prover, rival } = m.s.signers;
      const [first, second] = [await ask(), await ask()];
      await claimAt(first, 0);
      await m.s.claim(second);
      await m.chain.at(BEGIN + PERIOD + 50);
      await m.s.fulfil(byRival(first), rival);
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(second);
      for (const [asked, status] of [
        [first, STATUS.fulfilled],
        [second, STATUS.expired],
      ] as const) {
        // prettier-ignore
        for (const act of [m.s.claim, m.s.expire, m.s.cancel]) {
          await m.refused(act(asked), "RequestNotOpen", asked.id, status);
        }
        for (const answer of [m.s.answer(asked), byRival(asked)]) {
          await m.refused(m.s.fulfil(answer, prover), "RequestNotOpen", asked.id, status);
        }
      }
    });
  });

  describe("what a claimer can spoil, and what it costs", () => {
    it("a claim of a request without collateral is free, and locks the price of its second for good", async () => {
      const model = await m.s.another({ collateralBps: 0 });
      const half = (DEADLINE - BEGIN) / 2;
      const asked = await ask({ model, minFee: 0n, claimPeriod: half });
      await m.chain.at(BEGIN);
      await m.s.claim(asked, m.s.signers.stranger);
      await m.chain.at(BEGIN + half);
      await m.refused(m.s.fulfil(m.s.answer(asked)), "ClaimedByOther");
      await m.chain.at(DEADLINE);
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, { requester: HIGH });
    });

    it("with a least collateral, the payer is paid for it, and a short claim leaves the rest of the time to others", async () => {
      const asked = await ask({ minFee: 0n, minCollateral: FEE, claimPeriod: 60 });
      await m.chain.at(BEGIN);
      await m.s.claim(asked, m.s.signers.stranger, FEE);
      await m.chain.at(BEGIN + 61);
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, { prover: FEE / 2n, requester: HIGH + FEE / 2n });
    });

    it("who claims everything locks collateral for each, and wins nothing by it", async () => {
      const { stranger } = m.s.signers;
      const asked = await Promise.all([1, 2, 3, 4].map(() => ask({ minCollateral: 1_000n })));
      await m.s.deposit(stranger, 3_999n);
      await m.chain.at(BEGIN);
      for (const one of asked.slice(0, 3)) await m.s.claim(one, stranger);
      await m.refused(m.s.claim(asked[3] as Asked, stranger), "BalanceTooLow", stranger.address, NATIVE, 999, 1_000);
      await m.chain.at(BEGIN + PERIOD + 100);
      for (const one of asked) await m.s.fulfil(m.s.answer(one));
      expect(await m.s.balanceOf(stranger.address)).to.equal(999n);
    });
  });
});
