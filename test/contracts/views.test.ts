// What other contracts read: results with their model and age, the state of a request, and inference that needs no request
// at all, verified in the caller's own transaction.
import { expect } from "chai";
import { hexlify, keccak256, toBeHex, type BaseContract } from "ethers";
import { Q, R } from "../../node/core/field.ts";
import {
  ALL,
  C,
  CHAIN_ID,
  DEADLINE,
  FEE,
  INPUT,
  OUTPUT,
  START,
  ZERO_ID,
  flipped,
  send,
  view,
  withWord,
  type Asked,
} from "../support/contracts.ts";
import { claimFacts, type ClaimText } from "../support/contractsClaim.ts";
import { market } from "../support/contractsMarket.ts";
import { STATUS } from "../support/contractsRequest.ts";
import { bytesOf } from "../support/contractsVectors.ts";
import { TRAPDOOR, proofWords, prove } from "../support/trapdoor.ts";

const UNKNOWN = `0x${"12".repeat(32)}`;

describe("views", () => {
  const m = market();
  /** Calls after this see this second. */
  const passTo = async (time: number): Promise<void> => {
    await m.chain.at(time);
    await m.chain.helpers.mine();
  };

  describe("requireResult", () => {
    const ANSWERED = START + 5_000;
    let asked: Asked;
    beforeEach(async () => {
      asked = await m.s.request();
      await m.chain.at(ANSWERED);
      await m.s.fulfil(m.s.answer(asked));
    });
    const require = (maxAge: number | bigint, model = m.s.model): Promise<unknown> =>
      view(m.s.coordinator, "requireResult", [asked.id, model, maxAge]);

    it("gives what resultOf gives", async () => {
      expect(await require(ALL)).to.deep.equal(await m.s.resultOf(asked));
      const result = (await require(ALL)) as Record<string, unknown>;
      expect(result["output"]).to.equal(hexlify(OUTPUT));
      expect(result["fulfilledAt"]).to.equal(BigInt(ANSWERED));
    });

    for (const [age, maxAge, fresh] of [
      [0, 0, true],
      [1, 0, false],
      [100, 101, true],
      [100, 100, true],
      [100, 99, false],
    ] as const) {
      it(`${fresh ? "takes" : "refuses"} an answer of ${age} s where at most ${maxAge} s are wanted`, async () => {
        if (age > 0) await passTo(ANSWERED + age);
        if (fresh) await require(maxAge);
        else await m.refused(require(maxAge), "ResultTooOld", ANSWERED, ANSWERED + age - maxAge);
      });
    }

    it("takes any age for the largest number, and for one beyond the chain's own", async () => {
      await passTo(ANSWERED + 10_000_000);
      for (const maxAge of [ALL, ALL - 1n, 2n ** 64n, BigInt(ANSWERED) * 2n]) await require(maxAge);
    });

    it("refuses an answer of another model", async () => {
      const model = await m.s.another({ sourceDigest: keccak256("0x01") });
      await m.refused(require(ALL, model), "ResultOfOtherModel", m.s.model, model);
      await m.refused(require(ALL, UNKNOWN), "ResultOfOtherModel", m.s.model, UNKNOWN);
    });

    it("refuses while there is none", async () => {
      const other = await m.s.request();
      for (const id of [other.id, UNKNOWN, ZERO_ID]) {
        await m.refused(view(m.s.coordinator, "requireResult", [id, m.s.model, ALL]), "RequestNotFulfilled", id);
        await m.refused(view(m.s.coordinator, "resultOf", [id]), "RequestNotFulfilled", id);
      }
    });

    it("keeps on giving it after the model is retired and its series has another owner", async () => {
      const before = await m.s.resultOf(asked);
      const { publisher, rival } = m.s.signers;
      await send(m.s.registry, "retire", [m.s.model], { from: publisher });
      await send(m.s.registry, "offerSeries", [m.s.series, rival.address], { from: publisher });
      await send(m.s.registry, "acceptSeries", [m.s.series], { from: rival });
      expect(await m.s.resultOf(asked)).to.deep.equal(before);
      await require(ALL);
    });

    it("tells apart results of many models by the number that each request keeps", async () => {
      const models = [];
      for (const name of ["a", "b", "c"]) models.push(await m.s.another({ sourceDigest: keccak256(bytesOf(name, 1)) }));
      for (const model of models.reverse()) {
        const one = await m.s.request({ model });
        await m.s.fulfil(m.s.answer(one));
        expect((await m.s.resultOf(one))["model"]).to.equal(model);
      }
    });
  });

  describe("statusOf", () => {
    for (const [offset, waiting] of [
      [-1, true],
      [0, true],
      [1, false],
    ] as const) {
      // prettier-ignore
      it(`${offset} s from the deadline, what waits is ${waiting ? "still open or claimed" : "expired"}`, async () => {
        const [open, claimed, answered] = [await m.s.request(), await m.s.request(), await m.s.request()];
        await m.s.deposit(m.s.signers.prover, FEE);
        await m.s.claim(claimed);
        await m.s.fulfil(m.s.answer(answered));
        const r = m.s.draft();
        await passTo(DEADLINE + offset);
        expect(await m.status(open)).to.equal(waiting ? STATUS.open : STATUS.expired);
        expect(await m.status(claimed)).to.equal(waiting ? STATUS.claimed : STATUS.expired);
        expect(await m.status(answered)).to.equal(STATUS.fulfilled);
        expect(await m.status({ r })).to.equal(STATUS.unknown);
      });
    }
  });

  describe("verifyInference", () => {
    let caller: BaseContract;
    let address: string;
    beforeEach(async () => {
      caller = await m.s.deploy("Consumer");
      address = await caller.getAddress();
    });

    /** A proof for the contract `caller`, or for what the overrides say. */
    function direct(over: Partial<ClaimText> = {}) {
      const text: ClaimText = {
        domain: "direct",
        chainId: CHAIN_ID,
        contract: m.s.coordinatorAddress,
        requestId: ZERO_ID,
        modelId: m.s.model,
        prover: address,
        c: C,
        input: INPUT,
        output: OUTPUT,
        ...over,
      };
      const proof = proofWords(prove(TRAPDOOR, claimFacts(text).signals));
      return { model: m.s.model, input: text.input, output: text.output, c: text.c, proof };
    }
    type Direct = ReturnType<typeof direct>;
    const argsOf = ({ model, input, output, c, proof }: Direct) => [model, input, output, c, proof];
    const verify = (a: Direct, from = address): Promise<string> =>
      m.s.ethers.provider.call({
        from,
        to: m.s.coordinatorAddress,
        data: m.s.coordinator.interface.encodeFunctionData("verifyInference", argsOf(a)),
      });
    const refuses = (a: Direct, error = "InvalidProof", ...args: unknown[]): Promise<void> =>
      m.refused(verify(a), error, ...args);

    it("returns for a proof that was made for the caller, and needs neither request nor money", async () => {
      expect(await verify(direct())).to.equal("0x");
      expect(await verify(direct({ prover: m.s.signers.stranger.address }), m.s.signers.stranger.address)).to.equal(
        "0x",
      );
    });

    it("works inside of a contract's own transaction", async () => {
      const data = m.s.coordinator.interface.encodeFunctionData("verifyInference", argsOf(direct()));
      const call = { to: m.s.coordinatorAddress, value: 0n, data };
      await send(caller, "execute", [call], { from: m.s.signers.stranger });
      const bad = m.s.coordinator.interface.encodeFunctionData(
        "verifyInference",
        argsOf(direct({ prover: m.s.signers.rival.address })),
      );
      await expect(
        send(caller, "execute", [{ ...call, data: bad }], { from: m.s.signers.stranger }),
      ).to.be.revertedWithCustomError(caller, "CallFailed");
    });

    it("refuses a proof that was made for another caller", async () => {
      await m.refused(verify(direct(), m.s.signers.stranger.address), "InvalidProof");
      await refuses(direct({ prover: m.s.signers.stranger.address }));
    });

    it("refuses a proof of a request, of a sample, of a request's id, of another chain, contract or model", async () => {
      for (const domain of ["claim", "sample"] as const) await refuses(direct({ domain }));
      await refuses(direct({ requestId: UNKNOWN }));
      await refuses(direct({ chainId: CHAIN_ID + 1n }));
      await refuses(direct({ contract: m.s.registryAddress }));
      const model = await m.s.another({ sourceDigest: keccak256("0x01") });
      await refuses(direct({ modelId: model }));
      await refuses({ ...direct(), model });
      expect(await verify({ ...direct({ modelId: model }), model })).to.equal("0x");
    });

    it("refuses any other input, output, c or word of the proof", async () => {
      const good = direct();
      for (const at of [0, 31, 63]) await refuses({ ...good, input: flipped(INPUT, at) });
      for (let at = 0; at < OUTPUT.length; at++) await refuses({ ...good, output: flipped(OUTPUT, at) });
      await refuses({ ...good, c: C + 1n });
      await refuses({ ...good, c: C + R }, "SignalOutOfField", 0, C + R);
      for (let at = 0; at < 8; at++) {
        await refuses({ ...good, proof: withWord(good.proof, at, (word) => (word + 1n) % Q) });
        const alias = withWord(good.proof, at, (word) => word + Q);
        await refuses({ ...good, proof: alias }, "CoordinateOutOfField", at, alias[at]);
      }
    });

    it("refuses wrong lengths by name, also with a proof of them", async () => {
      for (const length of [0, 63, 65]) {
        await refuses(direct({ input: bytesOf("input", length) }), "InputLengthMismatch", length, 64);
      }
      for (const length of [0, 19, 21]) {
        await refuses(direct({ output: bytesOf("output", length) }), "OutputLengthMismatch", length, 20);
      }
    });

    it("refuses a model that is unknown", () =>
      expect(verify({ ...direct(), model: UNKNOWN })).to.be.revertedWithCustomError(m.s.registry, "ModelUnknown"));

    it("takes private inputs as their commitment, and no bytes of them", async () => {
      const model = await m.s.another({ inputKinds: 8 });
      const inputHash = toBeHex(C, 32) as `0x${string}`;
      const good = { ...direct({ modelId: model, input: new Uint8Array(0), inputHash }), model };
      expect(await verify(good)).to.equal("0x");
      await refuses({ ...good, input: INPUT }, "InputLengthMismatch", 64, 0);
      await refuses({ ...good, c: C + 1n });
      await refuses({ ...direct({ modelId: model, input: new Uint8Array(0) }), model });
    });

    it("says nothing of a model's keys or retirement: that is for the caller to look at", async () => {
      const model = await m.s.another({ keyKind: 0 });
      await send(m.s.registry, "retire", [model], { from: m.s.signers.publisher });
      expect(await verify({ ...direct({ modelId: model }), model })).to.equal("0x");
    });
  });
});
