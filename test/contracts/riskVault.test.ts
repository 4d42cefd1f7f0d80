// The example vault: a day's budget goes out freely, more by a model's score of features that the coordinator read from the
// vault itself; each bound of it at its border.
import { expect } from "chai";
import { type BaseContract, hexlify } from "ethers";
import { describeTensors } from "../../node/core/described.ts";
import { decodeInts, encodeInts } from "../../node/core/tensor.ts";
import { ALL, type Asked, type Chain, FEE, NATIVE, START, openChain, send, type Stage, view } from "../support/contracts.ts"; // prettier-ignore
import { INPUT_KIND } from "../support/contractsRequest.ts";
import { askedIn } from "../support/dapps.ts";

const INT16 = { bits: 16, signed: true } as const;
const UNIT = 10n ** 18n;
const BUDGET = 100n * UNIT;
const DAY = 86_400;
const HOUR = 3_600;
/** Of the score, int16 with 14 digits behind the point: a half, and what is above it. */
const HALF = 8_192;

describe("RiskVault", () => {
  let chain: Chain;
  let s: Stage;
  let model: string;
  let source: BaseContract;
  let token: BaseContract;
  let vault: BaseContract;
  let place: string;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    const features = { type: INT16, exponent: -8, shape: [1, 4] };
    const score = { type: INT16, exponent: -14, shape: [1, 1] };
    const tensors = hexlify(describeTensors({ inputs: [features], outputs: [score] }));
    model = await s.another({ inputLength: 8, outputLength: 2, tensors });
    source = await s.deploy("StaticcallSource", s.registryAddress);
    token = await s.deploy("PlainToken");
    await make();
    await deposit(alice(), 600n * UNIT);
    await deposit(bob(), 400n * UNIT);
  });
  async function make(over: { readonly model?: string; readonly development?: boolean } = {}): Promise<void> {
    const args = [s.coordinatorAddress, over.model ?? model, await source.getAddress(), BUDGET, UNIT / 2n];
    vault = await s.deploy("RiskVault", await token.getAddress(), ...args, over.development ?? false);
    place = await vault.getAddress();
  }
  const alice = () => s.signers.requester;
  const bob = () => s.signers.stranger;
  async function deposit(from = alice(), amount = UNIT) {
    await send(token, "mint", [from.address, amount], { from });
    await send(token, "approve", [place, ALL], { from });
    return send(vault, "deposit", [amount, from.address], { from });
  }
  const withdraw = (amount: bigint, from = alice()) =>
    send(vault, "withdraw", [amount, from.address, from.address], { from });
  const most = (of = alice()) => view(vault, "maxWithdraw", [of.address]);
  const ask = async (amount: bigint, from = alice()): Promise<Asked> =>
    askedIn(s, await send(vault, "askClearance", [amount], { from, value: FEE }));
  const score = (asked: Asked, q = HALF) => s.fulfil(s.answer(asked, { output: encodeInts([q], INT16) }));
  const featuresIn = ({ input }: Asked): number[] => [...decodeInts(input, INT16)].map((q) => q / 256);

  describe("without a clearance", () => {
    it("lets the day's budget go, and not a unit more, whoever asks", async () => {
      expect(await most()).to.equal(BUDGET);
      await expect(withdraw(BUDGET + 1n)).to.be.revertedWithCustomError(vault, "ERC4626ExceededMaxWithdraw");
      await withdraw(BUDGET - 5n);
      expect(await most(bob())).to.equal(5n);
      await expect(withdraw(6n, bob())).to.be.revertedWithCustomError(vault, "ERC4626ExceededMaxWithdraw");
      await withdraw(5n, bob());
      await expect(withdraw(1n, bob())).to.be.revertedWithCustomError(vault, "ERC4626ExceededMaxWithdraw");
    });

    it("has a new budget from the first second of the next day on", async () => {
      await withdraw(BUDGET);
      await chain.at(START + DAY - 1);
      await expect(withdraw(1n)).to.be.revertedWithCustomError(vault, "ERC4626ExceededMaxWithdraw");
      await chain.at(START + DAY);
      await withdraw(BUDGET);
    });

    it("counts shares that are redeemed the same way", async () => {
      await expect(send(vault, "redeem", [BUDGET + 1n, alice().address, alice().address], { from: alice() }))
        .to.be.revertedWithCustomError(vault, "ERC4626ExceededMaxRedeem")
        .withArgs(alice().address, BUDGET + 1n, BUDGET);
      await send(vault, "redeem", [BUDGET, alice().address, alice().address], { from: alice() });
    });

    it("gives no more than the account has", async () => {
      const { rival } = s.signers;
      await deposit(rival, 7n);
      expect(await most(rival)).to.equal(7n);
      expect(await view(vault, "maxRedeem", [rival.address])).to.equal(7n);
      await withdraw(7n, rival);
    });
  });

  describe("asks the model", () => {
    it("about features that the coordinator reads from the vault: sizes, time, and what left today", async () => {
      await withdraw(50n * UNIT, bob());
      await chain.at(START + 3 * DAY);
      await withdraw(90n * UNIT, bob());
      await chain.at(START + 3 * DAY + DAY / 2);
      const asked = await ask(300n * UNIT);
      const held = (await view(vault, "featuresOf", [alice().address, 300n * UNIT])) as readonly bigint[];
      const exact = [300 / 860, 300 / 600, Number(held[2]) / 1e18, 90 / 950];
      expect(exact[2]).to.be.within(3.49, 3.51);
      expect(featuresIn(asked)).to.deep.equal(exact.map((x) => Math.floor(x * 256 + 0.5) / 256));
      expect(asked.r).to.deep.include({ inputKind: INPUT_KIND.source, requiredEvidence: 17, payer: alice().address });
    });

    it("and is not deceived about time by dust that others send, nor by new shares of an old account", async () => {
      await chain.at(START + 10 * DAY);
      await send(vault, "transfer", [alice().address, 1n], { from: bob() });
      const days = async () => featuresIn(await ask(UNIT))[2] as number;
      expect(await days()).to.be.within(9.98, 10);
      await deposit(alice(), 600n * UNIT);
      expect(await days()).to.be.within(4.98, 5.01);
      await send(vault, "transfer", [alice().address, 300n * UNIT], { from: bob() });
      expect(await days()).to.be.within(3.98, 4.01); // 6000 units of days over 1500
    });

    it("only about assets that the account has", async () => {
      await expect(ask(600n * UNIT + 1n))
        .to.be.revertedWithCustomError(vault, "NotEnoughShares")
        .withArgs(alice().address, 600n * UNIT + 1n, 600n * UNIT);
      await expect(ask(0n)).to.be.revertedWithCustomError(vault, "NotEnoughShares");
      await ask(600n * UNIT);
    });

    it("with a ceremony's key, unless it was made to take others", async () => {
      const tensors = hexlify(
        describeTensors({
          inputs: [{ type: INT16, exponent: -8, shape: [4] }],
          outputs: [{ type: INT16, exponent: 0, shape: [1] }],
        }),
      );
      const development = await s.another({ inputLength: 8, outputLength: 2, keyKind: 0, tensors });
      for (const allowed of [false, true]) {
        await make({ model: development, development: allowed });
        await deposit();
        if (allowed) await ask(1n);
        else await expect(ask(1n)).to.be.revertedWithCustomError(s.coordinator, "DevelopmentKeyNotAllowed");
      }
    });

    it("for a fee that goes back to the account if nobody answers", async () => {
      const asked = await ask(300n * UNIT);
      await chain.at(asked.r.deadline + 1);
      await s.expire(asked);
      expect(await s.balanceOf(alice().address, NATIVE)).to.equal(FEE);
      expect(await most()).to.equal(BUDGET);
    });
  });

  describe("with a clearance", () => {
    it("lets go what was cleared, once, at the highest score; nothing more a step above it", async () => {
      for (const [q, cleared] of [
        [HALF + 1, false],
        [HALF, true],
        [HALF - 1, true],
        [-32_768, true],
      ] as const) {
        // prettier-ignore
        const asked = await ask(200n * UNIT);
        const value = (BigInt(q) * UNIT) >> 14n;
        await expect(score(asked, q)).to.emit(vault, "Scored").withArgs(alice().address, asked.id, value, cleared);
        expect(await most(), `${q}`).to.equal(cleared ? 200n * UNIT : BUDGET);
      }
      await expect(withdraw(200n * UNIT + 1n)).to.be.revertedWithCustomError(vault, "ERC4626ExceededMaxWithdraw");
      expect(await most(bob())).to.equal(BUDGET);
      await withdraw(200n * UNIT);
      expect(await most()).to.equal(0n); // used up, and the day's budget with it
    });

    it("for an hour after the question, whenever the answer came, to its last second", async () => {
      const now = START + 5_000;
      await chain.at(now);
      const asked = await ask(200n * UNIT);
      await chain.at(now + 500);
      await score(asked);
      for (const [more, limit] of [
        [HOUR - 1, 200n * UNIT],
        [HOUR, 200n * UNIT],
        [HOUR + 1, BUDGET],
      ] as const) {
        // prettier-ignore
        await chain.helpers.time.increaseTo(now + more);
        expect(await most(), `${more}`).to.equal(limit);
      }
    });

    it("keeps it while withdrawals fit into the budget", async () => {
      await score(await ask(200n * UNIT));
      await withdraw(60n * UNIT);
      expect(await most()).to.equal(200n * UNIT);
      await withdraw(200n * UNIT);
      expect(await most()).to.equal(0n);
    });

    it("gives exactly what was cleared at any rate of shares", async () => {
      await send(token, "mint", [place, 333n * UNIT + 7n], { from: bob() });
      const assets = 200n * UNIT + 1n;
      await score(await ask(assets));
      expect(await most()).to.equal(assets);
      const shares = (await view(vault, "maxRedeem", [alice().address])) as bigint;
      expect(await view(vault, "previewRedeem", [shares])).to.be.within(assets - 2n, assets);
      await withdraw(assets);
    });

    it("is not had by a proof of another question", async () => {
      const [mine, other] = [await ask(200n * UNIT), await ask(150n * UNIT, bob())];
      const stolen = s.answer(other, { output: encodeInts([0], INT16) });
      await expect(s.fulfil({ ...stolen, r: mine.r, input: mine.input })).to.be.revertedWithCustomError(s.coordinator, "InvalidProof"); // prettier-ignore
      const foreign = await s.request({ model, consumer: place, callbackGas: 200_000, input: mine.input });
      await expect(score(foreign)).to.emit(s.coordinator, "CallbackFailed");
      expect(await most()).to.equal(BUDGET);
    });
  });
});
