// The example dapp: it books what was proven, and nothing else.
import { expect } from "chai";
import type { BaseContract } from "ethers";
import { Evidence } from "../../node/core/domain.ts";
import { encodeInts } from "../../node/core/tensor.ts";
import {
  DEADLINE,
  FEE,
  INPUT,
  MODEL,
  START,
  openChain,
  requestIdOf,
  send,
  view,
  type Chain,
  type Stage,
} from "../support/contracts.ts";

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
  const ask = (fee = FEE, from = owner()) => send(reader, "ask", [METER, INPUT, DEADLINE], { from, value: fee });
  const book = (meter = METER) => send(reader, "book", [meter], { from: s.signers.stranger });
  const idOf = (nonce = 0) => requestIdOf(s.coordinatorAddress, address, nonce, s.model, INPUT);
  const answer = (scores = SCORES, nonce = 0) => s.fulfil(s.answer(idOf(nonce), { output: encodeInts(scores, INT16) }));

  it("books the digit of the largest score, with when and which request", async () => {
    await expect(ask()).to.emit(reader, "Asked").withArgs(METER, idOf());
    await chain.at(START + 4000);
    await answer();
    await expect(book()).to.emit(reader, "Booked").withArgs(METER, idOf(), 5);
    const reading = (await view(reader, "readings", [METER])) as readonly unknown[];
    expect([...reading]).to.deep.equal([5n, BigInt(START + 4000), idOf()]);
  });

  it("reads scores as signed numbers, and the first of equals", async () => {
    const largest = async (scores: number[]) => Number(await view(reader, "largest", [encodeInts(scores, INT16)]));
    for (let digit = 0; digit < 10; digit++) {
      expect(await largest(Array.from({ length: 10 }, (_, i) => (i === digit ? -1 : -2)))).to.equal(digit);
      expect(await largest(Array.from({ length: 10 }, (_, i) => (i === digit ? 256 : 255)))).to.equal(digit);
    }
    expect(await largest(Array<number>(10).fill(-32768))).to.equal(0);
    expect(await largest([...Array<number>(9).fill(-32768), -32767])).to.equal(9);
    expect(await largest([0, 3, 3, 0, 0, 0, 0, 0, 0, 0])).to.equal(1);
    for (const bytes of [0, 19, 21]) {
      await expect(view(reader, "largest", [new Uint8Array(bytes)]))
        .to.be.revertedWithCustomError(reader, "ScoresLengthInvalid")
        .withArgs(bytes);
    }
  });

  it("books nothing before there is a result", async () => {
    await ask();
    await expect(book()).to.be.revertedWithCustomError(s.coordinator, "RequestNotFulfilled");
  });

  it("books a result once", async () => {
    await ask();
    await answer();
    await book();
    await expect(book()).to.be.revertedWithCustomError(reader, "NothingPending").withArgs(METER);
  });

  it("books no result of somebody else's request, however well proven, nor for another meter", async () => {
    const { id } = await s.request();
    await s.fulfil(s.answer(id, { output: encodeInts(SCORES, INT16) }));
    await expect(book()).to.be.revertedWithCustomError(reader, "NothingPending").withArgs(METER);
    await ask();
    await answer();
    await expect(book(METER + 1n)).to.be.revertedWithCustomError(reader, "NothingPending");
    await book();
  });

  it("books no old reading over a newer one: asking again gives up the request before", async () => {
    await ask();
    await ask();
    await answer(SCORES, 1);
    await book();
    await answer([9, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0);
    await expect(book()).to.be.revertedWithCustomError(reader, "NothingPending");
    expect(((await view(reader, "readings", [METER])) as { digit: bigint }).digit).to.equal(5n);
  });

  it("books no unproven scores: they never become a result", async () => {
    await ask();
    const proven = s.answer(idOf(), { output: encodeInts(SCORES, INT16) });
    const forged = { ...proven, output: encodeInts([...SCORES.slice(0, 9), 1501], INT16) };
    await expect(s.fulfil(forged)).to.be.revertedWithCustomError(s.coordinator, "InvalidProof");
    await expect(book()).to.be.revertedWithCustomError(s.coordinator, "RequestNotFulfilled");
  });

  it("books no result without the zk bit, should a coordinator ever give one", async () => {
    const fake = await s.deploy("FakeCoordinator");
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
    const facts = { ...MODEL, keyKind: 0 };
    await s.register({ facts });
    const model = s.registration({ facts }).id;
    reader = await s.deploy("MeterReader", s.coordinatorAddress, model, false);
    await expect(ask()).to.be.revertedWithCustomError(s.coordinator, "DevelopmentKeyNotAllowed");
    reader = await s.deploy("MeterReader", s.coordinatorAddress, model, true);
    await ask();
  });

  it("asks for its owner only, and gives refunded fees back to the owner only", async () => {
    const { stranger } = s.signers;
    await expect(ask(FEE, stranger)).to.be.revertedWithCustomError(reader, "OwnableUnauthorizedAccount");
    await ask();
    await chain.at(DEADLINE + 1);
    await s.refund(idOf());
    await expect(send(reader, "reclaim", [], { from: stranger })).to.be.revertedWithCustomError(
      reader,
      "OwnableUnauthorizedAccount",
    );
    await expect(send(reader, "reclaim", [], { from: owner() })).to.changeEtherBalance(chain.ethers, owner(), FEE);
  });
});
