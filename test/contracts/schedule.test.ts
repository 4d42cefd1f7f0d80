// Scheduled inference: the grid of intervals at its borders, one request and one bounty in each, the ring of answers, what
// was missed, the schedule's money, and keepers that misbehave.
import { expect } from "chai";
import { type BaseContract, hexlify, keccak256, parseEther, toBeHex, ZeroAddress, zeroPadBytes } from "ethers";
import { describeTensors } from "../../node/core/described.ts";
import { ALL, type Asked, type Chain, INPUT, NATIVE, OUTPUT, START, openChain, send, type Stage, view } from "../support/contracts.ts"; // prettier-ignore
import { INPUT_KIND } from "../support/contractsRequest.ts";
import { askedIn, staticcallQuery } from "../support/dapps.ts";

const FIRST = START + 10_000;
const INTERVAL = 600;
const WINDOW = 1_500;
const KEPT = 3;
const FEE = parseEther("0.01");
const BOUNTY = parseEther("0.001");
const [REJECT, TRIGGER_AGAIN, TAKE_ALL] = [1, 2, 3];

interface Plan {
  readonly model: string;
  readonly source: string;
  readonly data: string;
  readonly token: string;
  readonly minFee: bigint;
  readonly maxFee: bigint;
  readonly minCollateral: bigint;
  readonly bounty: bigint;
  readonly start: number;
  readonly interval: number;
  readonly ramp: number;
  readonly window: number;
  readonly claimPeriod: number;
  readonly kept: number;
  readonly allowDevelopmentKeys: boolean;
}

describe("a schedule", () => {
  let chain: Chain;
  let s: Stage;
  let model: string;
  let schedule: BaseContract;
  let place: string;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    model = await s.another({ outputLength: 2 });
    await make();
    await s.deposit(s.signers.payer, 20n * (FEE + BOUNTY), NATIVE, place);
  });
  /** Deploys a schedule; its owner is the deployer. */
  async function make(over: Partial<Plan> = {}): Promise<BaseContract> {
    const plan: Plan = {
      ...{ model, source: ZeroAddress, data: hexlify(INPUT), token: NATIVE },
      ...{ minFee: FEE / 4n, maxFee: FEE, minCollateral: FEE / 2n, bounty: BOUNTY },
      ...{ start: FIRST, interval: INTERVAL, ramp: 300, window: WINDOW, claimPeriod: 60 },
      ...{ kept: KEPT, allowDevelopmentKeys: false },
      ...over,
    };
    schedule = await s.deploy("ScheduledInference", s.coordinatorAddress, plan);
    place = await schedule.getAddress();
    return schedule;
  }
  const owner = () => s.signers.deployer;
  const keeper = () => s.signers.stranger;
  const trigger = (from = keeper()) => send(schedule, "trigger", [], { from });
  const second = (interval: number, more = 0): number => FIRST + interval * INTERVAL + more;
  async function run(interval: number, more = 0): Promise<Asked> {
    await chain.at(second(interval, more));
    return askedIn(s, await trigger());
  }
  const output = (value: number): Uint8Array => Uint8Array.of(value >> 8, value & 0xff);
  const answer = (asked: Asked, value: number) => s.fulfil(s.answer(asked, { output: output(value) }));
  /** [request, interval, triggered, answered, output] */
  const runOf = async (interval: number): Promise<unknown[]> => [...((await view(schedule, "runOf", [interval])) as unknown[])]; // prettier-ignore
  const latest = async (): Promise<unknown[]> => [...((await view(schedule, "latest")) as unknown[])];
  const word = (value: number): string => zeroPadBytes(hexlify(output(value)), 32);
  const counts = async (): Promise<Record<string, number>> => {
    const names = ["triggered", "answered", "missed", "unanswered"];
    const values = await Promise.all(names.map(async (name) => Number(await view(schedule, name))));
    return Object.fromEntries(names.map((name, i) => [name, values[i] as number]));
  };

  describe("its intervals", () => {
    it("begin at the start's second, not before", async () => {
      await chain.at(FIRST - 1);
      await expect(trigger())
        .to.be.revertedWithCustomError(schedule, "NotStarted")
        .withArgs(FIRST, FIRST - 1);
      await run(0);
    });

    it("take one request each, up to their last second", async () => {
      await run(0, 1);
      await chain.at(second(0, INTERVAL - 1));
      await expect(trigger()).to.be.revertedWithCustomError(schedule, "AlreadyTriggered").withArgs(0);
      await run(1, 0);
      await chain.at(second(1, 1));
      await expect(trigger()).to.be.revertedWithCustomError(schedule, "AlreadyTriggered").withArgs(1);
      await run(2, INTERVAL - 1);
      await run(3, 0); // a second later
    });

    it("stay on their grid, however late a trigger comes, and leave no bounty behind", async () => {
      await run(0);
      const before = await s.balanceOf(place);
      const late = await run(7, INTERVAL - 1);
      await expect(late.sent).to.emit(schedule, "Triggered").withArgs(7, late.id, keeper().address);
      expect(before - (await s.balanceOf(place))).to.equal(FEE + BOUNTY);
      await run(8, 0);
      expect((await counts()).missed).to.equal(6);
    });

    it("are counted if they end without a run: from the second after, and not once the schedule is stopped", async () => {
      const missedAt = async (time: number): Promise<number> => {
        await chain.helpers.time.increaseTo(time);
        return (await counts()).missed as number;
      };
      expect((await counts()).missed).to.equal(0);
      expect(await missedAt(second(1, -1))).to.equal(0);
      expect(await missedAt(second(1))).to.equal(1);
      await run(1, 5);
      expect(await missedAt(second(2, -1))).to.equal(1);
      expect(await missedAt(second(2))).to.equal(1);
      expect(await missedAt(second(3))).to.equal(2);
      await chain.at(second(5, 1));
      await send(schedule, "stop", [], { from: owner() });
      expect(await missedAt(second(20))).to.equal(4); // 0, 2, 3, 4
    });
  });

  describe("its requests", () => {
    it("are in its own name, by the plan", async () => {
      const { r, id, sent } = await run(2, 100);
      const now = second(2, 100);
      expect(r).to.deep.include({ requester: place, payer: place, consumer: place, model, token: NATIVE });
      expect(r).to.deep.include({ minFee: FEE / 4n, maxFee: FEE, minCollateral: FEE / 2n, claimPeriod: 60 });
      expect(r).to.deep.include({ start: now, rampEnd: now + 300, deadline: now + WINDOW, inputHash: keccak256(INPUT) }); // prettier-ignore
      expect(r).to.deep.include({ allowDevelopmentKeys: false, requiredEvidence: 1 });
      await expect(sent).to.emit(schedule, "Triggered").withArgs(2, id, keeper().address);
    });

    it("read their source each time anew", async () => {
      const source = await s.deploy("StaticcallSource", s.registryAddress);
      const target = await s.deploy("CallTarget");
      const one = { type: { bits: 16, signed: true }, exponent: 0, shape: [1] } as const;
      model = await s.another({ inputLength: 2, outputLength: 2, tensors: hexlify(describeTensors({ inputs: [one], outputs: [one] })) }); // prettier-ignore
      const data = staticcallQuery(model, false, [{ target: await target.getAddress(), fields: [[0, true, 0]] }]);
      await make({ model, source: await source.getAddress(), data });
      await s.deposit(owner(), 10n * FEE, NATIVE, place);
      for (const [interval, value] of [
        [0, 77],
        [1, 78],
      ] as const) {
        // prettier-ignore
        await send(target, "set", [toBeHex(value, 32)], { from: owner() });
        const asked = await run(interval);
        expect(asked.r).to.deep.include({ inputKind: INPUT_KIND.source, requiredEvidence: 17 });
        expect(hexlify(asked.input)).to.equal(toBeHex(value, 2));
        await answer(asked, value);
        expect((await s.resultOf(asked)).evidence).to.equal(17n);
      }
      await send(target, "behave", [1], { from: owner() });
      await chain.at(second(2));
      await expect(trigger()).to.be.revertedWithCustomError(source, "CallReverted");
      await send(target, "set", [toBeHex(79, 32)], { from: owner() });
      await run(2, 100); // nothing was used up
    });

    it("refuse a development key unless the plan says otherwise", async () => {
      const development = await s.another({ outputLength: 2, keyKind: 0 });
      for (const allowDevelopmentKeys of [false, true]) {
        await make({ model: development, allowDevelopmentKeys });
        await s.deposit(owner(), 10n * FEE, NATIVE, place);
        if (allowDevelopmentKeys) await run(1);
        else {
          await chain.at(second(0));
          await expect(trigger()).to.be.revertedWithCustomError(s.coordinator, "DevelopmentKeyNotAllowed");
        }
      }
    });
  });

  describe("its answers", () => {
    it("are kept by interval with both times, the newest first to hand", async () => {
      await expect(view(schedule, "latest")).to.be.revertedWithCustomError(schedule, "NothingAnswered");
      const asked = await run(0, 3);
      await expect(view(schedule, "latest")).to.be.revertedWithCustomError(schedule, "NothingAnswered");
      await expect(view(schedule, "runOf", [0]))
        .to.be.revertedWithCustomError(schedule, "NotKept")
        .withArgs(0);
      await chain.at(second(0, 40));
      await expect(answer(asked, 513)).to.emit(schedule, "Answered").withArgs(0, asked.id, "0x0201");
      const expected = [asked.id, 0n, BigInt(second(0, 3)), BigInt(second(0, 40)), word(513)];
      expect(await runOf(0)).to.deep.equal(expected);
      expect(await latest()).to.deep.equal(expected);
      expect(await counts()).to.deep.equal({ triggered: 1, answered: 1, missed: 0, unanswered: 0 });
    });

    it("of the last intervals only: the ring forgets the oldest", async () => {
      for (let interval = 0; interval < KEPT + 2; interval++) {
        await answer(await run(interval), interval);
        for (let i = 0; i <= interval; i++) {
          if (i > interval - KEPT) expect((await runOf(i))[4], `${i} at ${interval}`).to.equal(word(i));
          else await expect(view(schedule, "runOf", [i])).to.be.revertedWithCustomError(schedule, "NotKept");
        }
        expect((await latest())[1]).to.equal(BigInt(interval));
      }
    });

    it("may come out of order: an older one takes its own place and is not the latest", async () => {
      const [a, b] = [await run(0), await run(1)];
      await answer(b, 11);
      await answer(a, 10);
      expect((await latest())[4]).to.equal(word(11));
      expect((await runOf(0))[4]).to.equal(word(10));
    });

    it("that come after their place was taken are counted and not kept", async () => {
      await make({ kept: 1 });
      await s.deposit(owner(), 10n * FEE, NATIVE, place);
      const [a, b, c] = [await run(0), await run(1), await run(2)];
      await answer(a, 10);
      expect((await latest())[4]).to.equal(word(10)); // one that is only asked for takes no place
      await answer(c, 12);
      await expect(answer(b, 11)).to.emit(schedule, "Answered").withArgs(1, b.id, "0x000b");
      expect((await latest())[4]).to.equal(word(12));
      await expect(view(schedule, "runOf", [1])).to.be.revertedWithCustomError(schedule, "NotKept");
      expect(await counts()).to.deep.include({ triggered: 3, answered: 3 });
    });

    it("leave gaps that can be seen: intervals without a run, and runs without an answer", async () => {
      await answer(await run(0), 1);
      const lost = await run(2);
      await answer(await run(3), 3);
      await chain.at(lost.r.deadline + 1);
      await s.expire(lost);
      await chain.helpers.time.increaseTo(second(6));
      expect(await counts()).to.deep.equal({ triggered: 3, answered: 2, missed: 3, unanswered: 1 });
      await expect(view(schedule, "runOf", [2])).to.be.revertedWithCustomError(schedule, "NotKept");
    });

    it("are kept whole up to 32 bytes, as their hash beyond", async () => {
      for (const outputLength of [32, 34]) {
        await make({ model: await s.another({ outputLength }) });
        await s.deposit(owner(), 10n * FEE, NATIVE, place);
        const asked = await run(outputLength);
        const bytes = Uint8Array.from({ length: outputLength }, (_, i) => 255 - i);
        await s.fulfil(s.answer(asked, { output: bytes }));
        expect((await latest())[4]).to.equal(outputLength === 32 ? hexlify(bytes) : keccak256(bytes));
      }
    });

    it("get in with the gas of the request, even the longest that a model may have", async () => {
      const outputLength = 4_096;
      await make({ model: await s.another({ outputLength }) });
      await s.deposit(owner(), 10n * FEE, NATIVE, place);
      const asked = await run(0);
      await s.fulfil(s.answer(asked, { output: Uint8Array.from({ length: outputLength }, (_, i) => i & 255) }));
      expect(await view(s.coordinator, "callbackPending", [asked.id])).to.equal(false);
      expect((await counts()).answered).to.equal(1);
    });

    it("are let in from the coordinator alone, of its own requests alone", async () => {
      await expect(send(schedule, "onInference", [toBeHex(1, 32), OUTPUT], { from: keeper() }))
        .to.be.revertedWithCustomError(schedule, "CallerIsNotCoordinator")
        .withArgs(keeper().address);
      const foreign = await s.request({ model, consumer: place, callbackGas: 300_000 });
      await expect(answer(foreign, 9)).to.emit(s.coordinator, "CallbackFailed");
      expect((await counts()).answered).to.equal(0);
    });
  });

  describe("its money", () => {
    it("pays fee and bounty out of its account, in the native coin", async () => {
      const before = await s.balanceOf(place);
      await chain.at(second(0));
      await expect(trigger()).to.changeEtherBalance(chain.ethers, keeper(), BOUNTY);
      expect(before - (await s.balanceOf(place))).to.equal(FEE + BOUNTY);
    });

    it("or in a token", async () => {
      const token = await s.deploy("PlainToken");
      const coin = await token.getAddress();
      await make({ token: coin });
      const { payer } = s.signers;
      await send(token, "mint", [payer.address, FEE + BOUNTY], { from: payer });
      await send(token, "approve", [s.coordinatorAddress, ALL], { from: payer });
      await s.deposit(payer, FEE + BOUNTY, coin, place);
      const asked = await run(0);
      expect(await view(token, "balanceOf", [keeper().address])).to.equal(BOUNTY);
      await answer(asked, 1);
      await chain.at(second(1));
      // What the auction left of the fee is back, and not enough for another run.
      await expect(trigger()).to.be.revertedWithCustomError(schedule, "FundsTooLow");
    });

    it("suffices to the last unit, or not at all", async () => {
      await make();
      await s.deposit(owner(), FEE + BOUNTY - 1n, NATIVE, place);
      await chain.at(second(0));
      await expect(trigger())
        .to.be.revertedWithCustomError(schedule, "FundsTooLow")
        .withArgs(FEE + BOUNTY - 1n, FEE + BOUNTY);
      await s.deposit(owner(), 1n, NATIVE, place);
      await run(0, 100);
      expect(await s.balanceOf(place)).to.equal(0n);
    });

    it("comes back: what the auction left, and all of it when nobody answers", async () => {
      const before = await s.balanceOf(place);
      const asked = await run(0);
      await chain.at(second(0, 150)); // half of the ramp
      await answer(asked, 1);
      const price = FEE / 4n + (FEE - FEE / 4n) / 2n;
      expect(before - (await s.balanceOf(place))).to.equal(price + BOUNTY);
      const lost = await run(1);
      await chain.at(lost.r.deadline + 1);
      await s.expire(lost);
      expect(before - (await s.balanceOf(place))).to.equal(price + 2n * BOUNTY);
    });

    it("and collateral of a claim that came to nothing, too", async () => {
      const before = await s.balanceOf(place);
      const asked = await run(0);
      await s.claim(asked, s.signers.rival, FEE / 2n);
      await chain.at(asked.r.deadline + 1);
      await s.expire(asked);
      expect((await s.balanceOf(place)) - before).to.equal(FEE / 2n - BOUNTY);
    });

    it("is the owner's to take, at any time, and nobody else's", async () => {
      const { rival } = s.signers;
      await expect(send(schedule, "withdraw", [NATIVE, rival.address, ALL], { from: rival }))
        .to.be.revertedWithCustomError(schedule, "CallerIsNotOwner")
        .withArgs(rival.address);
      const all = await s.balanceOf(place);
      await expect(send(schedule, "withdraw", [NATIVE, rival.address, 5n], { from: owner() })).to.changeEtherBalance(chain.ethers, rival, 5n); // prettier-ignore
      await expect(send(schedule, "withdraw", [NATIVE, rival.address, ALL], { from: owner() })).to.changeEtherBalance(chain.ethers, rival, all - 5n); // prettier-ignore
    });

    it("needs no bounty", async () => {
      await make({ bounty: 0n });
      await s.deposit(owner(), FEE, NATIVE, place);
      await chain.at(second(0));
      await expect(trigger()).to.changeEtherBalance(chain.ethers, keeper(), 0n);
    });
  });

  describe("its end", () => {
    it("is the owner's decision, once", async () => {
      const { rival } = s.signers;
      await expect(send(schedule, "stop", [], { from: rival })).to.be.revertedWithCustomError(schedule, "CallerIsNotOwner"); // prettier-ignore
      await chain.at(second(0));
      await expect(send(schedule, "stop", [], { from: owner() })).to.emit(schedule, "Stopped");
      await expect(send(schedule, "stop", [], { from: owner() })).to.be.revertedWithCustomError(schedule, "ScheduleStopped"); // prettier-ignore
      await expect(trigger()).to.be.revertedWithCustomError(schedule, "ScheduleStopped").withArgs(second(0));
    });

    it("leaves what was asked to be answered and kept", async () => {
      const asked = await run(0);
      await send(schedule, "stop", [], { from: owner() });
      await answer(asked, 5);
      expect((await latest())[4]).to.equal(word(5));
    });

    it("comes with the model's, too", async () => {
      await send(s.registry, "retire", [model], { from: s.signers.publisher });
      await chain.at(second(0));
      await expect(trigger()).to.be.revertedWithCustomError(s.coordinator, "ModelIsRetired");
    });
  });

  describe("its keepers", () => {
    const triggerAs = async (manner: number) => {
      const contract = await s.deploy("Keeper");
      const sent = () => send(contract, "trigger", [place, manner], { from: keeper() });
      return { contract, sent };
    };

    it("can not have two bounties of an interval by coming in again", async () => {
      const { contract, sent } = await triggerAs(TRIGGER_AGAIN);
      await chain.at(second(0));
      await expect(sent()).to.changeEtherBalance(chain.ethers, contract, BOUNTY);
      expect(await view(contract, "succeeded")).to.equal(false);
      const returned = (await view(contract, "returned")) as string;
      expect(schedule.interface.parseError(returned)?.name).to.equal("AlreadyTriggered");
      expect((await counts()).triggered).to.equal(1);
    });

    it("can not take the rest either", async () => {
      const { contract, sent } = await triggerAs(TAKE_ALL);
      await chain.at(second(0));
      await expect(sent()).to.changeEtherBalance(chain.ethers, contract, BOUNTY);
      expect(schedule.interface.parseError((await view(contract, "returned")) as string)?.name).to.equal("CallerIsNotOwner"); // prettier-ignore
    });

    it("that refuse the bounty harm themselves: the interval is still to be had", async () => {
      const { sent } = await triggerAs(REJECT);
      await chain.at(second(0));
      await expect(sent()).to.be.revertedWithCustomError(s.coordinator, "PaymentFailed");
      await run(0, 100);
    });
  });

  it("is set up and funded by a contract in one transaction", async () => {
    const subscriber = await s.deploy("Subscriber");
    const plan = ((await view(schedule, "plan")) as { toObject(deep: boolean): object }).toObject(true);
    await send(subscriber, "subscribe", [s.coordinatorAddress, plan], { from: keeper(), value: FEE + BOUNTY });
    place = (await view(subscriber, "schedule")) as string;
    schedule = await s.ethers.getContractAt("ScheduledInference", place);
    expect(await view(schedule, "owner")).to.equal(await subscriber.getAddress());
    await answer(await run(0), 3);
    expect((await latest())[4]).to.equal(word(3));
  });

  it("is made of a plan that makes sense, or not at all", async () => {
    for (const over of [
      { kept: 0 },
      { kept: 257 },
      { interval: 0 },
      { window: 0, ramp: 0 },
      { ramp: WINDOW + 1 },
      { minFee: FEE + 1n },
    ])
      // prettier-ignore
      await expect(make(over), JSON.stringify(over, String)).to.be.revertedWithCustomError(schedule, "PlanInvalid");
    for (const over of [
      { kept: 1 },
      { kept: 256 },
      { interval: 1 },
      { window: 1, ramp: 1 },
      { ramp: WINDOW },
      { minFee: FEE },
    ])
      // prettier-ignore
      await make(over);
    await expect(make({ model: toBeHex(7, 32) })).to.be.revertedWithCustomError(s.registry, "ModelUnknown");
    expect(((await view(schedule, "plan")) as { minFee: bigint }).minFee).to.equal(FEE);
  });
});
