// Accounts: deposits, withdrawals, allowances of consumers, in the native coin and in tokens good and bad; and receivers
// that misbehave when they are paid.
import { expect } from "chai";
import type { BaseContract } from "ethers";
import {
  ALL,
  DEADLINE,
  FEE,
  INPUT,
  NATIVE,
  NOBODY,
  START,
  send,
  view,
  type Asked,
  type Asking,
  type Sent,
} from "../support/contracts.ts";
import { market } from "../support/contractsMarket.ts";

const ODD = {
  plain: 0,
  takesFee: 1,
  givesMore: 2,
  returnsFalse: 3,
  pretendsTrue: 4,
  reverts: 5,
  hidesReceiver: 6,
  callsBefore: 7,
  callsAfter: 8,
} as const;

describe("ledger", () => {
  const m = market();

  /** A token, of which requester, payer, prover and rival have a fee each and have approved the coordinator for all. */
  async function coin(
    name: "PlainToken" | "OddToken" | "SilentToken",
  ): Promise<{ contract: BaseContract; token: string }> {
    const contract = await m.s.deploy(name);
    const { requester, payer, prover, rival } = m.s.signers;
    for (const from of [requester, payer, prover, rival]) {
      await send(contract, "mint", [from.address, FEE], { from });
      await send(contract, "approve", [m.s.coordinatorAddress, ALL], { from });
    }
    return { contract, token: await contract.getAddress() };
  }
  const behave = (contract: BaseContract, manner: number): Sent =>
    send(contract, "behave", [manner], { from: m.s.signers.stranger });
  const has = (contract: BaseContract, account: string): Promise<unknown> => view(contract, "balanceOf", [account]);

  describe("deposit", () => {
    it("puts the native coin into the caller's account or another's", async () => {
      const { requester, payer } = m.s.signers;
      await expect(m.s.deposit(requester, 3n))
        .to.emit(m.s.coordinator, "Deposited")
        .withArgs(requester.address, NATIVE, 3);
      await m.s.deposit(requester, 5n, NATIVE, payer.address);
      await m.s.deposit(requester, 7n);
      await m.holds(0n, { requester: 10n, payer: 5n });
    });

    it("puts a token into the caller's account or another's", async () => {
      const { requester, payer } = m.s.signers;
      const { token, contract } = await coin("PlainToken");
      await expect(m.s.deposit(requester, 3n, token))
        .to.emit(m.s.coordinator, "Deposited")
        .withArgs(requester.address, token, 3);
      await m.s.deposit(requester, FEE - 3n, token, payer.address);
      await m.holds(0n, { requester: 3n, payer: FEE - 3n }, token);
      await m.holds(0n, {});
      await expect(m.s.deposit(requester, 1n, token)).to.be.revertedWithCustomError(
        contract,
        "ERC20InsufficientBalance",
      );
    });

    it("takes the value that it names, and none with a token", async () => {
      const { requester: from } = m.s.signers;
      const { token } = await coin("PlainToken");
      const deposit = (of: string, amount: bigint, value: bigint): Sent =>
        send(m.s.coordinator, "deposit", [of, from.address, amount], { from, value });
      await m.refused(deposit(NATIVE, 5n, 4n), "ValueMismatch", 4, 5);
      await m.refused(deposit(NATIVE, 5n, 6n), "ValueMismatch", 6, 5);
      await m.refused(deposit(NATIVE, 5n, 0n), "ValueMismatch", 0, 5);
      await m.refused(deposit(token, 5n, 5n), "ValueMismatch", 5, 0);
      await deposit(NATIVE, 5n, 5n);
    });

    it("is for somebody", () => m.refused(m.s.deposit(m.s.signers.requester, 1n, NATIVE, NOBODY), "ReceiverMissing"));

    it("of nothing changes nothing", async () => {
      const { token } = await coin("PlainToken");
      await m.s.deposit(m.s.signers.requester, 0n);
      await m.s.deposit(m.s.signers.requester, 0n, token);
      await m.holds(0n, {});
    });
  });

  describe("withdraw", () => {
    it("pays a part, or all, to whom the caller says, and says so", async () => {
      const { prover, stranger } = m.s.signers;
      await m.s.deposit(prover, FEE);
      await expect(m.s.withdraw(prover, stranger.address, 1n))
        .to.emit(m.s.coordinator, "Withdrawn")
        .withArgs(prover.address, NATIVE, stranger.address, 1);
      await expect(m.s.withdraw(prover, stranger.address)).to.changeEtherBalances(
        m.chain.ethers,
        [m.s.coordinatorAddress, stranger],
        [1n - FEE, FEE - 1n],
      );
      await m.holds(0n, {});
    });

    it("pays a token's own", async () => {
      const { prover, stranger } = m.s.signers;
      const { contract, token } = await coin("PlainToken");
      await m.s.deposit(prover, FEE, token);
      await m.s.deposit(prover, 5n);
      await m.s.withdraw(prover, stranger.address, ALL, token);
      expect(await has(contract, stranger.address)).to.equal(FEE);
      await m.holds(0n, { prover: 5n });
      await m.holds(0n, {}, token);
    });

    it("pays at most the account's balance, and never nothing", async () => {
      const { prover, stranger } = m.s.signers;
      await m.s.deposit(prover, FEE);
      await m.refused(
        m.s.withdraw(prover, prover.address, FEE + 1n),
        "BalanceTooLow",
        prover.address,
        NATIVE,
        FEE,
        FEE + 1n,
      );
      await m.refused(m.s.withdraw(prover, prover.address, 0n), "NothingToWithdraw", prover.address, NATIVE);
      await m.refused(m.s.withdraw(stranger), "NothingToWithdraw", stranger.address, NATIVE);
      await m.s.withdraw(prover, prover.address, FEE);
      await m.refused(m.s.withdraw(prover), "NothingToWithdraw", prover.address, NATIVE);
    });

    it("pays somebody: not address zero, and not the coordinator, which takes no native coin", async () => {
      const { prover } = m.s.signers;
      await m.s.deposit(prover, FEE);
      await m.refused(m.s.withdraw(prover, NOBODY), "ReceiverMissing");
      await m.refused(m.s.withdraw(prover, m.s.coordinatorAddress), "PaymentFailed", m.s.coordinatorAddress, FEE);
    });

    it("leaves alone what is locked in requests and claims", async () => {
      const { prover, requester } = m.s.signers;
      const asked = await m.s.request({ minCollateral: 10n * FEE });
      await m.s.deposit(prover, 11n * FEE);
      await m.s.claim(asked);
      await m.s.withdraw(prover);
      await m.refused(m.s.withdraw(requester), "NothingToWithdraw", requester.address, NATIVE);
      await m.holds(11n * FEE, {});
      await m.s.fulfil(m.s.answer(asked));
      await m.s.withdraw(prover);
      await m.holds(0n, {});
    });
  });

  describe("paying from an account", () => {
    const ask = (over: Partial<Asking> = {}): Promise<Asked> => m.s.request({ payment: "account", ...over });

    it("takes the fee from the requester's own, and gives the rest back to it", async () => {
      await m.s.deposit(m.s.signers.requester, FEE);
      const asked = await ask({ minFee: 0n, rampEnd: DEADLINE });
      await m.holds(FEE, {});
      await m.chain.at(START + 43_200);
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, { prover: FEE / 2n, requester: FEE / 2n });
    });

    it("needs the balance, to the unit, and no value", async () => {
      const { requester } = m.s.signers;
      await m.s.deposit(requester, FEE - 1n);
      await m.refused(ask(), "BalanceTooLow", requester.address, NATIVE, FEE - 1n, FEE);
      await m.s.deposit(requester, 1n);
      await m.refused(ask({ value: 1n }), "ValueMismatch", 1, 0);
      await ask();
      await m.holds(FEE, {});
    });

    it("of somebody else needs that account's word, up to what it allows in all", async () => {
      const { payer, requester } = m.s.signers;
      await m.s.deposit(payer, 10n * FEE);
      const over = { payer: payer.address };
      await m.refused(ask(over), "AllowanceTooLow", payer.address, requester.address, NATIVE, 0, FEE);
      await expect(m.s.authorise(payer, requester.address, 2n * FEE))
        .to.emit(m.s.coordinator, "ConsumerAuthorised")
        .withArgs(payer.address, requester.address, NATIVE, 2n * FEE);
      const first = await ask(over);
      const left = (): Promise<unknown> =>
        view(m.s.coordinator, "allowance", [payer.address, requester.address, NATIVE]);
      expect(await left()).to.equal(FEE);
      await m.refused(
        ask({ ...over, maxFee: FEE + 1n }),
        "AllowanceTooLow",
        payer.address,
        requester.address,
        NATIVE,
        FEE,
        FEE + 1n,
      );
      await ask(over);
      expect(await left()).to.equal(0n);
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(first);
      expect(await left(), "what comes back is not allowed again").to.equal(0n);
      await m.holds(FEE, { payer: 9n * FEE });
    });

    it("of somebody else is without limit if it says so, and ends when it is taken back", async () => {
      const { payer, requester } = m.s.signers;
      await m.s.deposit(payer, 10n * FEE);
      const over = { payer: payer.address };
      await m.s.authorise(payer, requester.address, ALL);
      await ask(over);
      expect(await view(m.s.coordinator, "allowance", [payer.address, requester.address, NATIVE])).to.equal(ALL);
      await m.s.authorise(payer, requester.address, 0n);
      await m.refused(ask(over), "AllowanceTooLow", payer.address, requester.address, NATIVE, 0, FEE);
      await m.s.authorise(payer, requester.address, ALL - 1n);
      await ask(over);
      expect(await view(m.s.coordinator, "allowance", [payer.address, requester.address, NATIVE])).to.equal(
        ALL - 1n - FEE,
      );
    });

    it("allows one consumer one token, and neither withdrawals nor claims", async () => {
      const { payer, requester, rival } = m.s.signers;
      const { token } = await coin("PlainToken");
      await m.s.deposit(payer, FEE);
      await m.s.deposit(payer, FEE, token);
      await m.s.authorise(payer, requester.address, ALL, token);
      const over = { payer: payer.address };
      await m.refused(ask(over), "AllowanceTooLow", payer.address, requester.address, NATIVE, 0, FEE);
      await m.refused(
        ask({ ...over, token, from: rival }),
        "AllowanceTooLow",
        payer.address,
        rival.address,
        token,
        0,
        FEE,
      );
      await m.refused(m.s.withdraw(requester, requester.address, ALL, token), "NothingToWithdraw");
      const asked = await ask({ ...over, token });
      await m.refused(m.s.claim(asked, requester), "BalanceTooLow", requester.address, token, 0, FEE / 5n);
      await m.holds(FEE, {}, token);
    });

    it("of nothing needs no word: a free request for another's account moves nothing", async () => {
      await ask({ payer: m.s.signers.payer.address, maxFee: 0n });
      await m.holds(0n, {});
    });
  });

  for (const name of ["PlainToken", "SilentToken"] as const) {
    it(`${name}: asked, claimed, answered and withdrawn, from accounts and directly`, async () => {
      const { contract, token } = await coin(name);
      const { requester, payer, prover, rival, stranger } = m.s.signers;
      await m.s.deposit(payer, FEE, token);
      await m.s.authorise(payer, requester.address, FEE, token);
      const model = await m.s.another({ royaltyBps: 1_000, collateralBps: 5_000 });
      const terms = { token, model, claimPeriod: 100 };
      const direct = await m.s.request(terms);
      const prepaid = await m.s.request({ ...terms, payer: payer.address, payment: "account" });
      await m.s.deposit(prover, FEE, token);
      await m.s.claim(direct);
      await m.s.claim(prepaid);
      await m.holds(3n * FEE, {}, token);
      await m.s.fulfil(m.s.answer(direct));
      await m.chain.at(START + 5_000);
      await m.s.fulfil(m.s.answer(prepaid, { prover: rival.address }));
      const tenth = FEE / 10n;
      const owed = {
        publisher: 2n * tenth,
        prover: 9n * tenth + FEE / 2n,
        payer: FEE / 4n,
        rival: 9n * tenth + FEE / 4n,
      };
      await m.holds(0n, owed, token);
      for (const [who, amount] of Object.entries(owed)) {
        const before = (await has(contract, stranger.address)) as bigint;
        await m.s.withdraw(m.s.signers[who as keyof typeof owed], stranger.address, ALL, token);
        expect(await has(contract, stranger.address)).to.equal(before + amount);
      }
      expect(await has(contract, m.s.coordinatorAddress)).to.equal(0n);
    });
  }

  it("takes value with a claim for native requests only", async () => {
    const { token } = await coin("PlainToken");
    const asked = await m.s.request({ token });
    await m.refused(m.s.claim(asked, m.s.signers.prover, 1n), "ValueMismatch", 1, 0);
    await m.refused(m.s.request({ token, value: FEE }), "ValueMismatch", FEE, 0);
  });

  describe("tokens that misbehave", () => {
    /** What goes in: a deposit and a request that is paid directly. */
    async function refusedBoth(token: string, refuse: (sent: Promise<unknown>) => Promise<void>): Promise<void> {
      await refuse(m.s.deposit(m.s.signers.requester, 1_000n, token));
      await refuse(m.s.request({ token, maxFee: 1_000n }));
      await m.holds(0n, {}, token);
    }

    it("one that takes a fee is refused by name, and what was received is said", async () => {
      const { contract, token } = await coin("OddToken");
      await behave(contract, ODD.takesFee);
      await refusedBoth(token, (sent) => m.refused(sent, "TokenTakesFee", token, 1_000, 990));
    });

    it("one that gives a unit too much is refused, too: nobody would own it", async () => {
      const { contract, token } = await coin("OddToken");
      await behave(contract, ODD.givesMore);
      await refusedBoth(token, (sent) => m.refused(sent, "TokenTakesFee", token, 1_000, 1_001));
    });

    it("one that pretends to have paid is refused", async () => {
      const { contract, token } = await coin("OddToken");
      await behave(contract, ODD.pretendsTrue);
      await refusedBoth(token, (sent) => m.refused(sent, "TokenTakesFee", token, 1_000, 0));
    });

    it("one whose balances fall while they rise is refused", async () => {
      const { contract, token } = await coin("OddToken");
      await m.s.deposit(m.s.signers.requester, 10n, token);
      await m.s.withdraw(m.s.signers.requester, m.s.signers.requester.address, ALL, token);
      await send(contract, "mint", [m.s.coordinatorAddress, 7n], { from: m.s.signers.stranger });
      await behave(contract, ODD.hidesReceiver);
      await m.refused(m.s.deposit(m.s.signers.requester, 1_000n, token), "TokenTakesFee", token, 1_000, 0);
      await m.refused(m.s.request({ token, maxFee: 1_000n }), "TokenTakesFee", token, 1_000, 0);
      await send(contract, "burn", [m.s.coordinatorAddress, 7n], { from: m.s.signers.stranger });
    });

    it("one that returns false is refused as failed", async () => {
      const { contract, token } = await coin("OddToken");
      await behave(contract, ODD.returnsFalse);
      await refusedBoth(token, (sent) => m.refused(sent, "SafeERC20FailedOperation", token));
    });

    it("one that reverts says its own reason", async () => {
      const { contract, token } = await coin("OddToken");
      await behave(contract, ODD.reverts);
      await refusedBoth(token, (sent) => expect(sent).to.be.revertedWithCustomError(contract, "NotToday"));
    });

    it("one that is no contract is refused by name", async () => {
      const token = m.s.signers.stranger.address;
      await m.refused(m.s.deposit(m.s.signers.requester, 1n, token), "TokenHasNoCode", token);
      await m.refused(m.s.request({ token }), "TokenHasNoCode", token);
    });

    it("one that stops paying out keeps its own and nobody else's; what it froze can be paid elsewhere", async () => {
      const { requester, prover, rival } = m.s.signers;
      const { contract, token } = await coin("OddToken");
      const asked = await m.s.request({ token });
      await m.s.deposit(prover, FEE);
      await send(contract, "freeze", [prover.address], { from: requester });
      await m.s.fulfil(m.s.answer(asked), rival);
      await m.holds(0n, { prover: FEE }, token);
      await expect(m.s.withdraw(prover, prover.address, ALL, token))
        .to.be.revertedWithCustomError(contract, "AccountFrozen")
        .withArgs(prover.address);
      for (const manner of [ODD.reverts, ODD.returnsFalse]) {
        await behave(contract, manner);
        await expect(m.s.withdraw(prover, rival.address, ALL, token)).to.be.revert(m.chain.ethers);
      }
      await m.holds(0n, { prover: FEE }, token);
      await m.s.withdraw(prover);
      await behave(contract, ODD.plain);
      await m.s.withdraw(prover, rival.address, ALL, token);
      expect(await has(contract, rival.address)).to.equal(2n * FEE);
    });

    it("one that stops stops no answer and no refund, since both only write accounts", async () => {
      const { contract, token } = await coin("OddToken");
      const answered = await m.s.request({ token, maxFee: 400n });
      const expired = await m.s.request({ token, maxFee: 600n });
      await m.s.deposit(m.s.signers.prover, FEE, token);
      await m.s.claim(answered);
      await behave(contract, ODD.reverts);
      await m.s.fulfil(m.s.answer(answered));
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(expired);
      await m.holds(0n, { prover: FEE + 400n, requester: 600n }, token);
    });

    it("what is lost by one is its own: accounts in other tokens stay whole", async () => {
      const { requester, prover } = m.s.signers;
      const [odd, plain] = [await coin("OddToken"), await coin("PlainToken")];
      for (const { token } of [odd, plain]) await m.s.deposit(requester, FEE, token);
      await m.s.deposit(prover, FEE);
      await behave(odd.contract, ODD.pretendsTrue);
      await m.s.withdraw(requester, requester.address, ALL, odd.token);
      expect(await has(odd.contract, requester.address), "it pretended").to.equal(0n);
      await m.s.withdraw(requester, requester.address, ALL, plain.token);
      await m.s.withdraw(prover);
      expect(await has(plain.contract, requester.address)).to.equal(FEE);
      await behave(odd.contract, ODD.plain);
      expect(await has(odd.contract, m.s.coordinatorAddress)).to.equal(FEE);
      await send(odd.contract, "burn", [m.s.coordinatorAddress, FEE], { from: prover });
    });

    describe("by calling its sender or receiver in between (as ERC-777 does)", () => {
      /** A contract with an account of FEE in native coin, in whose name the token's hook calls the coordinator. */
      async function hooked() {
        const { contract, token } = await coin("OddToken");
        const thief = await m.s.deploy("Consumer");
        const address = await thief.getAddress();
        await m.s.deposit(m.s.signers.stranger, FEE, NATIVE, address);
        await m.s.deposit(m.s.signers.requester, FEE / 2n, token);
        const arm = (manner: number, name: string, args: readonly unknown[]): Sent => {
          const data = m.s.coordinator.interface.encodeFunctionData(name, args);
          const call = thief.interface.encodeFunctionData("execute", [{ to: m.s.coordinatorAddress, value: 0n, data }]);
          return send(contract, "prepare", [manner, address, call], { from: m.s.signers.stranger });
        };
        return { contract, token, thief, address, arm };
      }

      for (const manner of [ODD.callsBefore, ODD.callsAfter]) {
        const when = manner === ODD.callsBefore ? "before" : "after";
        it(`it can not enter again ${when} the transfer: not to withdraw, deposit, ask, claim, answer, cancel or expire`, async () => {
          const { contract, token, address, arm } = await hooked();
          const open = await m.s.request();
          const answer = m.s.answer(open);
          const calls: readonly (readonly [string, readonly unknown[]])[] = [
            ["withdraw", [NATIVE, address, ALL]],
            ["deposit", [NATIVE, address, 0n]],
            ["request", [m.s.draft({ requester: address, maxFee: 0n }), INPUT, 0]],
            ["requestFor", [m.s.draft(), INPUT, "0x"]],
            ["claim", [open.r]],
            ["fulfil", [answer.r, m.s.answerArgs(answer), answer.prover]],
            ["cancel", [m.s.draft({ requester: address })]],
            ["expire", [open.r]],
          ];
          const guard = m.s.coordinator.interface.getError("ReentrancyGuardReentrantCall")?.selector ?? "none";
          for (const [name, args] of calls) {
            await arm(manner, name, args);
            await m.s.deposit(m.s.signers.requester, 1n, token);
            expect(await view(contract, "hookSucceeded"), name).to.equal(false);
            expect(await view(contract, "hookReturned"), name).to.contain(guard.slice(2));
          }
          await arm(manner, "withdraw", [NATIVE, address, ALL]);
          await m.s.withdraw(m.s.signers.requester, m.s.signers.requester.address, 1n, token);
          expect(await view(contract, "hookSucceeded")).to.equal(false);
          await arm(manner, "withdraw", [NATIVE, address, ALL]);
          await m.s.request({ token, maxFee: 5n });
          expect(await view(contract, "hookSucceeded")).to.equal(false);
          expect(await m.s.balanceOf(address)).to.equal(FEE);
        });

        it(`what it may do ${when} the transfer is its own: allow a consumer of its account`, async () => {
          const { contract, token, address, arm } = await hooked();
          await arm(manner, "authorise", [m.s.signers.rival.address, NATIVE, 5n]);
          await m.s.deposit(m.s.signers.requester, 1n, token);
          expect(await view(contract, "hookSucceeded")).to.equal(true);
          expect(await view(m.s.coordinator, "allowance", [address, m.s.signers.rival.address, NATIVE])).to.equal(5n);
        });
      }

      it("it can not count a transfer of its own as a deposit of somebody's", async () => {
        const { contract, token } = await hooked();
        const { stranger, requester } = m.s.signers;
        const data = contract.interface.encodeFunctionData("mint", [m.s.coordinatorAddress, 5n]);
        await send(contract, "prepare", [ODD.callsBefore, token, data], { from: stranger });
        await m.refused(m.s.deposit(requester, 10n, token), "TokenTakesFee", token, 10, 15);
      });
    });
  });

  describe("receivers that misbehave", () => {
    const [REJECT, AGAIN, AGAIN_QUIETLY, BURN] = [1, 2, 3, 4];

    /** A contract with an account of FEE, beside an open request of the same fee that it must not touch. */
    async function receiver(manner: number) {
      const contract = await m.s.deploy("Receiver", m.s.coordinatorAddress);
      const address = await contract.getAddress();
      await m.s.fulfil(m.s.answer(await m.s.request(), { prover: address }));
      await m.s.request();
      await behave(contract, manner);
      const withdraw = (to: string): Promise<unknown> =>
        send(contract, "withdraw", [to], { from: m.s.signers.stranger, gasLimit: 5_000_000n });
      return { contract, address, withdraw };
    }

    for (const [name, manner] of [
      ["rejects", REJECT],
      ["enters again", AGAIN],
      ["burns its gas", BURN],
    ] as const) {
      it(`one that ${name} keeps its balance, harms nobody and can be paid elsewhere`, async () => {
        const { address, withdraw } = await receiver(manner);
        await m.refused(withdraw(address), "PaymentFailed", address, FEE);
        expect(await m.s.balanceOf(address)).to.equal(FEE);
        await withdraw(m.s.signers.stranger.address);
        expect(await m.s.balanceOf(address)).to.equal(0n);
      });
    }

    it("one that enters again and swallows the refusal gets its balance and no more", async () => {
      const { contract, address, withdraw } = await receiver(AGAIN_QUIETLY);
      await withdraw(address);
      expect(await m.chain.ethers.provider.getBalance(address)).to.equal(FEE);
      expect(await view(contract, "attempts")).to.equal(1n);
      expect(await m.s.balanceOf(address)).to.equal(0n);
    });

    it("a requester that rejects money can neither stop an answer nor the end without one", async () => {
      const contract = await m.s.deploy("Receiver", m.s.coordinatorAddress);
      const address = await contract.getAddress();
      await behave(contract, REJECT);
      const ask = async (): Promise<Pick<Asked, "r">> => {
        const r = m.s.draft({ requester: address, minFee: 0n, rampEnd: DEADLINE });
        await send(contract, "request", [r, INPUT], { from: m.s.signers.stranger, value: FEE });
        return { r };
      };
      const [first, second] = [await ask(), await ask()];
      await m.chain.at(START + 43_200);
      await m.s.fulfil(m.s.answer(first));
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(second);
      expect(await m.s.balanceOf(address)).to.equal(FEE + FEE / 2n);
    });

    it("money that is forced upon the coordinator belongs to nobody, and changes no account", async () => {
      await m.s.deposit(m.s.signers.prover, FEE);
      const held = await m.chain.ethers.provider.getBalance(m.s.coordinatorAddress);
      await m.chain.helpers.setBalance(m.s.coordinatorAddress, held + 5n);
      await m.holds(5n, { prover: FEE });
      await m.s.withdraw(m.s.signers.prover);
      await m.chain.helpers.setBalance(m.s.coordinatorAddress, 0n);
    });
  });
});
