// The example fee: what scores become, between its bounds, as long as they are fresh, and the higher bound otherwise.
import { expect } from "chai";
import { type BaseContract, hexlify, ZeroAddress } from "ethers";
import { describeTensors } from "../../node/core/described.ts";
import { encodeInts } from "../../node/core/tensor.ts";
import { type Asked, type Chain, INPUT, NATIVE, START, openChain, send, type Stage, view } from "../support/contracts.ts"; // prettier-ignore
import { askedIn } from "../support/dapps.ts";

const INT16 = { bits: 16, signed: true } as const;
const [LOWEST, HIGHEST, SLOPE] = [500n, 10_000n, 40n];
const MAX_AGE = 1_200;
const FIRST = START + 1_000;
const INTERVAL = 600;

describe("VolatilityFee", () => {
  let chain: Chain;
  let s: Stage;
  let schedule: BaseContract;
  let fees: BaseContract;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    await make(await modelOf(-4));
  });
  /** From the usual input to a score, and something else. */
  const modelOf = (exponent: number, others = 1): Promise<string> => {
    const inputs = [{ type: { bits: 8, signed: false }, exponent: 0, shape: [64] }] as const;
    const outputs = [{ type: INT16, exponent, shape: [1, 1] }, { type: INT16, exponent: 0, shape: [others] }] as const; // prettier-ignore
    return s.another({ outputLength: 2 + 2 * others, tensors: hexlify(describeTensors({ inputs, outputs })) });
  };
  async function make(model: string, bounds = [LOWEST, HIGHEST]): Promise<void> {
    const plan = {
      ...{ model, source: ZeroAddress, data: hexlify(INPUT), token: NATIVE },
      ...{ minFee: 1n, maxFee: 1n, minCollateral: 0n, bounty: 0n, start: FIRST, interval: INTERVAL, ramp: 0 },
      ...{ window: 500, claimPeriod: 0, kept: 4, allowDevelopmentKeys: false },
    };
    schedule = await s.deploy("ScheduledInference", s.coordinatorAddress, plan);
    await s.deposit(s.signers.payer, 1_000n, NATIVE, await schedule.getAddress());
    fees = await s.deploy("VolatilityFee", await schedule.getAddress(), ...bounds, SLOPE, MAX_AGE);
  }
  const fee = () => view(fees, "fee");
  async function run(interval: number): Promise<Asked> {
    await chain.at(FIRST + interval * INTERVAL);
    return askedIn(s, await send(schedule, "trigger", [], { from: s.signers.stranger }));
  }
  const answer = (asked: Asked, score: number, others = [12_345]) =>
    s.fulfil(s.answer(asked, { output: encodeInts([score, ...others], INT16) }));

  it("is the higher bound while there is no answer", async () => {
    expect(await fee()).to.equal(HIGHEST);
    await run(0);
    expect(await fee()).to.equal(HIGHEST);
  });

  it("follows the newest score, rounded down, between the bounds", async () => {
    // Sixteenths, 40 millionths each: 2.5 a step.
    const cases = [
      [0, 500n],
      [1, 502n],
      [2, 505n],
      [16, 540n],
      [3_799, 9_997n],
      [3_800, HIGHEST],
      [3_801, HIGHEST],
      [32_767, HIGHEST],
      [-1, LOWEST],
      [-32_768, LOWEST],
    ] as const;
    for (const [interval, [score, expected]] of cases.entries()) {
      await answer(await run(interval), score);
      expect(await fee(), `${score}`).to.equal(expected);
    }
  });

  it("reads scores by the model's own scale", async () => {
    for (const [exponent, expected] of [
      [0, 540n],
      [-1, 520n],
      [3, 820n],
      [-15, 500n],
    ] as const) {
      // prettier-ignore
      await make(await modelOf(exponent, 2));
      await answer(await run(100), 1, [0, 7]);
      expect(await fee(), `${exponent}`).to.equal(expected);
      s = await chain.stage();
    }
  });

  it("uses a score to the last second of its age, counted from when its input was read", async () => {
    const asked = await run(0);
    await chain.at(FIRST + 400);
    await answer(asked, 16);
    for (const [age, expected] of [
      [MAX_AGE - 1, 540n],
      [MAX_AGE, 540n],
      [MAX_AGE + 1, HIGHEST],
    ] as const) {
      // prettier-ignore
      await chain.helpers.time.increaseTo(FIRST + age);
      expect(await fee(), `${age}`).to.equal(expected);
    }
    await answer(await run(3), 32);
    expect(await fee()).to.equal(580n);
  });

  it("is what a pool charges", async () => {
    const pool = await s.deploy("SwapPool", await fees.getAddress(), 10n ** 12n, 10n ** 12n);
    const bought = (millionths: bigint): bigint => {
      const net = (10n ** 6n * (10n ** 6n - millionths)) / 10n ** 6n;
      return (net * 10n ** 12n) / (10n ** 12n + net);
    };
    expect(await view(pool, "quote", [10n ** 6n])).to.equal(bought(HIGHEST));
    await answer(await run(0), 160);
    expect(await view(pool, "quote", [10n ** 6n])).to.equal(bought(900n));
  });

  it("has bounds in order, and a score that the schedule keeps whole", async () => {
    const model = await modelOf(-4, 2);
    await make(model, [HIGHEST, HIGHEST]);
    await expect(make(model, [HIGHEST + 1n, HIGHEST])).to.be.revertedWithCustomError(fees, "BoundsOutOfOrder");
    await make(model, [0n, 999_999n]);
    await expect(make(model, [0n, 1_000_000n])).to.be.revertedWithCustomError(fees, "BoundsOutOfOrder");
    await make(await modelOf(0, 15));
    await expect(modelOf(0, 16).then((long) => make(long)))
      .to.be.revertedWithCustomError(fees, "OutputTooLong")
      .withArgs(34);
  });
});
