// Requests as values against the contract: id, price and collateral at every border and at random; drafts; the price's time.
import { expect } from "chai";
import { coordinatorAbi } from "../../../node/chain/codec.ts";
import {
  claimEnd,
  collateralAt,
  draftRequest,
  type InputFrom,
  inputKindsMask,
  inputKindsOf,
  lastClaim,
  NOBODY,
  priceAt,
  type Request,
  requestId,
  requestOfTuple,
  requestTuple,
  type Terms,
  timeOfPrice,
  ZERO_HASH,
} from "../../../node/chain/request.ts";
import { type Address, type Hex, INPUT_KIND_CODE, type InputKind, type ModelId } from "../../../node/core/domain.ts";
import { registerFake, senderOf, stage, type Staged, WALLETS } from "../../support/chain.ts";
import { embeddedChain } from "../../support/chainEmbedded.ts";
import { hastyClock, requestOf } from "../../support/fakes.ts";

const SEED = 20260;
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
const HASH: Hex = `0x${"ab".repeat(32)}`;
const address = (n: number): Address => `0x${n.toString(16).padStart(40, "0")}` as Address;

describe("a request as a value", function () {
  this.timeout(60_000);
  let chain: Awaited<ReturnType<typeof embeddedChain>>;
  let staged: Staged;
  let model: ModelId;
  const BPS = 3333;
  before(async () => {
    chain = await embeddedChain();
    staged = await stage(chain.rpc);
    const publisher = { sender: await senderOf(chain.rpc, WALLETS[0]), clock: hastyClock() };
    model = await registerFake(staged.client, publisher, 50, { collateralBps: BPS });
  });
  after(() => chain.close());
  async function ask(name: string, ...args: readonly unknown[]): Promise<readonly unknown[]> {
    const call = { to: staged.client.coordinator, data: coordinatorAbi.encodeFunctionData(name, args) };
    const answer = (await chain.rpc.request("eth_call", [call, "latest"])) as string;
    return coordinatorAbi.decodeFunctionResult(name, answer).toArray() as unknown[];
  }

  it(`has the contract's id, whatever it says, and another one for each field (seed ${SEED})`, async () => {
    const next = random(SEED);
    const some = (): Request => ({
      ...requestOf(),
      requester: address(next(1e9)),
      consumer: address(next(1e9)),
      inputKind: (Object.keys(INPUT_KIND_CODE) as InputKind[])[next(4)] as InputKind,
      maxFee: BigInt(next(2 ** 32)) << 60n,
      deadline: next(2 ** 32),
      callbackGas: next(2 ** 32),
      allowDevelopmentKeys: next(2) === 1,
      nonce: BigInt(next(2 ** 32)) << 32n,
      readAt: next(2 ** 32) * 200,
    });
    for (let i = 0; i < 10; i++) {
      const r = some();
      expect(await ask("idOf", requestTuple(r))).to.deep.equal([requestId(staged.client, r)]);
      expect(requestOfTuple(requestTuple(r) as never)).to.deep.equal(r);
    }
    const r = requestOf();
    const changes: Partial<Record<keyof Request, unknown>> = {
      ...{ inputKind: "source", allowDevelopmentKeys: false, inputHash: HASH, originHash: HASH, model: HASH },
      ...{ requester: address(7), payer: address(7), consumer: address(7), prover: address(7), token: address(7) },
    };
    const ids = Object.entries(r).map(([name, value]: [string, unknown]) => {
      const more = typeof value === "bigint" ? value + 1n : typeof value === "number" ? value + 1 : undefined;
      return requestId(staged.client, { ...r, [name]: changes[name as keyof Request] ?? more });
    });
    expect(new Set([requestId(staged.client, r), ...ids]).size).to.equal(23);
    const elsewhere = [
      { ...staged.client, chainId: 1n },
      { ...staged.client, coordinator: address(7) },
    ];
    for (const domain of elsewhere) expect(requestId(domain, r)).not.to.equal(requestId(staged.client, r));
  });

  it(`has the contract's price and collateral at every second (seed ${SEED})`, async () => {
    const next = random(SEED);
    for (let i = 0; i < 12; i++) {
      const start = 1000 + next(1000);
      const rampEnd = start + next(3) * next(1000);
      const minFee = BigInt(next(1000));
      const r = requestOf({ model, start, rampEnd, deadline: 10_000, minFee, maxFee: minFee + BigInt(next(100_000)), minCollateral: BigInt(next(20_000)) }); // prettier-ignore
      const times = [0, start - 1, start, start + 1, rampEnd - 1, rampEnd, rampEnd + 1, start + next(2000), 20_000];
      for (const time of times) {
        const price = priceAt(r, time);
        expect(await ask("quote", requestTuple(r), time)).to.deep.equal([price, collateralAt(r, price, BPS)]);
      }
    }
  });

  it("pays a price from a second on and not one before", () => {
    const next = random(SEED);
    for (let i = 0; i < 500; i++) {
      const start = next(1000);
      const r = { start, rampEnd: start + next(50), minFee: BigInt(next(100)), maxFee: BigInt(100 + next(1000)) };
      const price = BigInt(next(1200));
      const time = timeOfPrice(r, price);
      if (time === undefined) expect(price > r.maxFee).to.equal(true);
      else {
        expect(time).to.be.within(r.start, Math.max(r.start, r.rampEnd));
        expect(priceAt(r, time) >= price, JSON.stringify({ i, time, price: `${price}` })).to.equal(true);
        if (time > r.start) expect(priceAt(r, time - 1) < price).to.equal(true);
      }
    }
    const flat = { start: 5, rampEnd: 5, minFee: 7n, maxFee: 7n };
    expect([timeOfPrice(flat, 7n), timeOfPrice(flat, 8n)]).to.deep.equal([5, undefined]);
  });

  it("ends a claim after its period, which leaves as much time to the deadline", () => {
    const r = { claimPeriod: 300, deadline: 1000 };
    expect(claimEnd(r, lastClaim(r)) + r.claimPeriod).to.equal(r.deadline);
    expect(claimEnd({ claimPeriod: 0 }, 7)).to.equal(7);
  });

  describe("as a draft", () => {
    const base: Terms = { requester: address(1), model: HASH as ModelId, from: { kind: "data", bytes: Uint8Array.of(1) }, now: 1000, fee: 5n }; // prettier-ignore
    const of = (over: Partial<Terms> = {}): Request => draftRequest({ ...base, ...over }).request;

    it("says what is usual where nothing is said", () => {
      const { nonce, inputHash, ...rest } = of();
      expect(rest).to.deep.equal({
        ...{ requester: address(1), payer: address(1), consumer: NOBODY, prover: NOBODY, model: HASH },
        ...{ inputKind: "data", originHash: ZERO_HASH, token: NOBODY, minFee: 5n, maxFee: 5n, minCollateral: 0n },
        ...{ start: 1000, rampEnd: 1000, deadline: 4600, submitBy: 4600, claimPeriod: 600, callbackGas: 0 },
        ...{ requiredEvidence: 1, allowDevelopmentKeys: false, readAt: 0 },
      });
      expect(inputHash).to.equal("0x5fe7f977e71dba2ea1a68e21057beebb9be2ac30c6410aa38d4f3fbe41dcffd2");
      expect(nonce).not.to.equal(of().nonce);
      expect(nonce < 2n ** 64n).to.equal(true);
    });
    it("keeps its times in order, whatever is asked", () => {
      const cases = [
        { within: 10 },
        { within: 10, fee: { min: 0n, max: 1n, ramp: 11 } },
        { delay: 7200 },
        { within: 1 },
      ];
      for (const over of cases) {
        const { start, rampEnd, deadline, submitBy } = of(over);
        expect([1000, start, rampEnd, deadline]).to.deep.equal([1000, start, rampEnd, deadline].sort((a, b) => a - b));
        expect(submitBy).to.be.at.most(deadline);
      }
    });
    it("is taken by the contract for each kind of input that needs no other contract", async () => {
      const froms: readonly InputFrom[] = [
        { kind: "data", bytes: new Uint8Array(64) },
        { kind: "reference", uri: "https://example.org/x", hash: HASH },
      ];
      for (const from of froms) {
        const seen = await staged.ask({ from });
        expect(seen.request.inputKind).to.equal(from.kind);
        expect(Buffer.from(seen.input).toString()).to.equal(
          from.kind === "data" ? "\0".repeat(64) : "https://example.org/x",
        );
      }
    });
    it("reads masks of kinds as it writes them", () => {
      for (let mask = 0; mask < 16; mask++) expect(inputKindsMask(inputKindsOf(mask))).to.equal(mask);
      expect(inputKindsMask(["private"])).to.equal(8);
    });
  });
});
