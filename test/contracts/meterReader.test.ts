// The example dapp: it books what was proven, and nothing else.
import { expect } from "chai";
import type { BaseContract } from "ethers";
import { anyValue } from "@nomicfoundation/hardhat-ethers-chai-matchers/withArgs";
import { Evidence } from "../../node/core/domain.ts";
import { encodeInts } from "../../node/core/tensor.ts";
import { type Asked, type Chain, FEE, INPUT, NATIVE, START, openChain, send, type Stage, view } from "../support/contracts.ts"; // prettier-ignore
import { askedIn } from "../support/dapps.ts";

const PERIOD = 3_600;
const METER = 4711n;
const INT16 = { bits: 16, signed: true } as const;
const SCORES = [-300, 12, 255, -32768, 256, 1500, 1499, 0, -1, 7];

describe("MeterReader", () => {
  let chain: Chain;
  let s: Stage;
  let reader: BaseContract;
  let address: string;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    reader = await s.deploy("MeterReader", s.coordinatorAddress, s.model, false);
    address = await reader.getAddress();
  });
  const owner = () => s.signers.deployer;
  const ask = (fee = FEE, from = owner()) => send(reader, "ask", [METER, INPUT, PERIOD], { from, value: fee });
  const asked = async (): Promise<Asked> => askedIn(s, await ask());
  const book = (meter = METER) => send(reader, "book", [meter], { from: s.signers.stranger });
  const answer = (to: Asked, scores = SCORES) => s.fulfil(s.answer(to, { output: encodeInts(scores, INT16) }));

  it("books the digit of the largest score, with when and which request", async () => {
    const made = await asked();
    await expect(made.sent).to.emit(reader, "Asked").withArgs(METER, made.id);
    await chain.at(START + 3000);
    await answer(made);
    await expect(book()).to.emit(reader, "Booked").withArgs(METER, made.id, 5);
    const reading = (await view(reader, "readings", [METER])) as readonly unknown[];
    expect([...reading]).to.deep.equal([5n, BigInt(START + 3000), made.id]);
  });

  it("reads scores as signed numbers, and the first of equals", async () => {
    const cases = [
      [[-32768, -1, -2, -3, -4, -5, -6, -7, -8, -9], 1],
      [Array<number>(10).fill(-32768), 0],
      [[...Array<number>(9).fill(-32768), -32767], 9],
      [[0, 3, 3, 0, 0, 0, 0, 0, 0, 0], 1],
    ] as const;
    for (const [scores, digit] of cases) {
      await answer(await asked(), [...scores]);
      await expect(book()).to.emit(reader, "Booked").withArgs(METER, anyValue, digit);
    }
  });

  it("takes a model of ten scores only", async () => {
    for (const outputLength of [18, 22]) {
      const model = await s.another({ outputLength });
      await expect(s.deploy("MeterReader", s.coordinatorAddress, model, false))
        .to.be.revertedWithCustomError(reader, "ScoresMissing")
        .withArgs(outputLength / 2);
    }
  });

  it("books nothing before there is a result", async () => {
    await ask();
    await expect(book()).to.be.revertedWithCustomError(s.coordinator, "RequestNotFulfilled");
  });

  it("books a result once", async () => {
    await answer(await asked());
    await book();
    await expect(book()).to.be.revertedWithCustomError(reader, "NothingPending").withArgs(METER);
  });

  it("books no result of somebody else's request, however well proven, nor for another meter", async () => {
    await answer(await s.request());
    await expect(book()).to.be.revertedWithCustomError(reader, "NothingPending").withArgs(METER);
    await answer(await asked());
    await expect(book(METER + 1n)).to.be.revertedWithCustomError(reader, "NothingPending");
    await book();
  });

  it("books no old reading over a newer one: asking again gives up the request before", async () => {
    const [older, newer] = [await asked(), await asked()];
    await answer(newer);
    await book();
    await answer(older, [9, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    await expect(book()).to.be.revertedWithCustomError(reader, "NothingPending");
    expect(((await view(reader, "readings", [METER])) as { digit: bigint }).digit).to.equal(5n);
  });

  it("books no unproven scores: they never become a result", async () => {
    const proven = s.answer(await asked(), { output: encodeInts(SCORES, INT16) });
    const forged = { ...proven, output: encodeInts([...SCORES.slice(0, 9), 1501], INT16) };
    await expect(s.fulfil(forged)).to.be.revertedWithCustomError(s.coordinator, "InvalidProof");
    await expect(book()).to.be.revertedWithCustomError(s.coordinator, "RequestNotFulfilled");
  });

  it("books no result without the zk bit, should a coordinator ever give one", async () => {
    const fake = await s.deploy("FakeCoordinator");
    await send(fake, "setRegistry", [s.registryAddress], { from: owner() });
    reader = await s.deploy("MeterReader", await fake.getAddress(), s.model, false);
    await ask();
    const id = `0x${"00".repeat(31)}01`;
    const result = {
      output: encodeInts(SCORES, INT16),
      model: s.model,
      prover: address,
      evidence: Evidence.attested | Evidence.optimistic,
      fulfilledAt: START,
      environment: id,
    };
    await send(fake, "set", [result], { from: owner() });
    await expect(book()).to.be.revertedWithCustomError(reader, "EvidenceMissing").withArgs(6);
    await send(fake, "set", [{ ...result, evidence: Evidence.zk }], { from: owner() });
    await book();
  });

  it("does not ask a model with a development key unless it was made to", async () => {
    const model = await s.another({ keyKind: 0 });
    reader = await s.deploy("MeterReader", s.coordinatorAddress, model, false);
    await expect(ask()).to.be.revertedWithCustomError(s.coordinator, "DevelopmentKeyNotAllowed");
    reader = await s.deploy("MeterReader", s.coordinatorAddress, model, true);
    await ask();
  });

  it("asks for its owner only, and gives refunded fees back to the owner only", async () => {
    const { stranger } = s.signers;
    await expect(ask(FEE, stranger)).to.be.revertedWithCustomError(reader, "OwnableUnauthorizedAccount");
    const made = await asked();
    await chain.at(made.r.deadline + 1);
    await s.expire(made);
    expect(await s.balanceOf(address, NATIVE)).to.equal(FEE);
    await expect(send(reader, "reclaim", [], { from: stranger })).to.be.revertedWithCustomError(
      reader,
      "OwnableUnauthorizedAccount",
    );
    await expect(send(reader, "reclaim", [], { from: owner() })).to.changeEtherBalance(chain.ethers, owner(), FEE);
  });
});
