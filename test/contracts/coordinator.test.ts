// The coordinator: a request's life, who is paid, and everything next to it that must not work.
import { expect } from "chai";
import { hexlify, keccak256 } from "ethers";
import { Evidence } from "../../node/core/domain.ts";
import { Q, R } from "../../node/core/field.ts";
import {
  C,
  CHAIN_ID,
  DEADLINE,
  FEE,
  INPUT,
  MODEL,
  OUTPUT,
  START,
  ZERO_ID,
  flipped,
  openChain,
  requestIdOf,
  send,
  view,
  withWord,
  type Answer,
  type Asked,
  type Chain,
  type Stage,
} from "../support/contracts.ts";
import { bytesOf } from "../support/contractsVectors.ts";

const ENVIRONMENT = keccak256("0x01");
const OTHER_ENVIRONMENT = keccak256("0x02");
const UNKNOWN = `0x${"12".repeat(32)}`;
const MAX_WINDOW = 180 * 86_400;
const [OPEN, FULFILLED, EXPIRED] = [0n, 1n, 2n];

describe("InferenceCoordinator", () => {
  let chain: Chain;
  let s: Stage;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
  });

  const refused = (sent: Promise<unknown>, error: string, ...args: unknown[]): Promise<void> => {
    const refusal = expect(sent).to.be.revertedWithCustomError(s.coordinator, error);
    return args.length === 0 ? refusal : refusal.withArgs(...args);
  };
  const requestOf = (id: string): Promise<Record<string, unknown>> =>
    view(s.coordinator, "requestOf", [id]) as Promise<Record<string, unknown>>;
  const resultOf = (id: string): Promise<Record<string, unknown>> =>
    view(s.coordinator, "result", [id]) as Promise<Record<string, unknown>>;
  const declare = (environment: string, from = s.signers.prover): Promise<unknown> =>
    send(s.coordinator, "declareEnvironment", [environment], { from });
  const balance = (): Promise<bigint> => chain.ethers.provider.getBalance(s.coordinatorAddress);

  it("refuses to stand on a registry without code, since nobody could ever change it", async () => {
    const { stranger } = s.signers;
    await refused(s.deploy("InferenceCoordinator", stranger.address), "RegistryHasNoCode", stranger.address);
    expect(await view(s.coordinator, "registry")).to.equal(s.registryAddress);
  });

  it("takes no money but with a request", async () => {
    const { stranger } = s.signers;
    await expect(stranger.sendTransaction({ to: s.coordinatorAddress, value: 1n })).to.be.revertedWithoutReason(
      chain.ethers,
    );
  });

  describe("request", () => {
    it("keeps the fee and says everything, the input too", async () => {
      const { requester } = s.signers;
      const { id, sent } = await s.request();
      await expect(sent)
        .to.emit(s.coordinator, "Requested")
        .withArgs(id, s.model, requester.address, FEE, DEADLINE, Evidence.zk, false, hexlify(INPUT));
      expect(await balance()).to.equal(FEE);
      const record = await requestOf(id);
      for (const [name, value] of Object.entries({
        requester: requester.address,
        fee: FEE,
        model: s.model,
        inputHash: keccak256(INPUT),
        deadline: BigInt(DEADLINE),
        requiredEvidence: 1n,
        allowDevelopmentKeys: false,
        status: OPEN,
      })) {
        expect(record[name], name).to.equal(value);
      }
      await refused(resultOf(id), "RequestNotFulfilled", id);
    });

    it("has an id that no other request has: the nonce, the requester, model and input are in it", async () => {
      const { requester, stranger } = s.signers;
      const ids = [(await s.request()).id, (await s.request()).id, (await s.request({ from: stranger })).id];
      ids.push((await s.request({ input: flipped(INPUT, 0) })).id);
      expect(new Set(ids).size).to.equal(4);
      for (const id of ids) expect((await requestOf(id))["status"]).to.equal(OPEN);
      expect(await view(s.coordinator, "nonceOf", [requester.address])).to.equal(3n);
      expect(ids[1]).to.equal(requestIdOf(s.coordinatorAddress, requester.address, 1, s.model, INPUT));
    });

    it("may be free of charge, and may demand no evidence in particular", async () => {
      const { id } = await s.request({ fee: 0n, requiredEvidence: 0 });
      const record = await requestOf(id);
      expect([record["fee"], record["requiredEvidence"]]).to.deep.equal([0n, 0n]);
      await s.fulfil(s.answer(id));
      expect(await s.credit(s.signers.prover.address)).to.equal(0n);
      expect((await resultOf(id))["evidence"]).to.equal(1n);
    });

    it("takes fees up to 2^96 - 1 wei and not one above", async () => {
      const most = 2n ** 96n - 1n;
      await chain.helpers.setBalance(s.signers.requester.address, 2n ** 100n);
      const { id } = await s.request({ fee: most });
      expect((await requestOf(id))["fee"]).to.equal(most);
      await refused(s.request({ fee: most + 1n }), "FeeTooLarge", most + 1n);
      await s.fulfil(s.answer(id));
      expect(await s.credit(s.signers.prover.address)).to.equal(most);
    });

    it("has a deadline ahead: not now, and at most 180 days", async () => {
      const now = START + 5000;
      await chain.at(now);
      await refused(s.request({ deadline: now }), "DeadlinePassed", now, now);
      await chain.at(now + 10);
      await s.request({ deadline: now + 11 });
      await chain.at(now + 20);
      await refused(
        s.request({ deadline: now + 20 + MAX_WINDOW + 1 }),
        "DeadlineTooFar",
        now + 20 + MAX_WINDOW + 1,
        now + 20 + MAX_WINDOW,
      );
      await chain.at(now + 30);
      const { id } = await s.request({ deadline: now + 30 + MAX_WINDOW });
      await chain.at(now + 31);
      await s.fulfil(s.answer(id));
      expect((await resultOf(id))["fulfilledAt"]).to.equal(BigInt(now + 31));
      await refused(s.request({ deadline: 2n ** 64n - 1n }), "DeadlineTooFar");
    });

    for (const bits of [Evidence.attested, Evidence.optimistic, Evidence.developmentKey, 16, 256, 2 ** 31]) {
      it(`is refused at once if it demands evidence ${bits}, which nothing here provides`, async () => {
        await refused(s.request({ requiredEvidence: bits }), "EvidenceUnavailable", bits, 1);
        await refused(s.request({ requiredEvidence: bits + 1 }), "EvidenceUnavailable", bits + 1, 1);
      });
    }

    it("must be as long as the model's input", async () => {
      for (const length of [0, 63, 65]) {
        await refused(s.request({ input: new Uint8Array(length) }), "InputLengthMismatch", length, 64);
      }
    });

    it("must be to a model that is known and not retired", async () => {
      await expect(s.request({ model: UNKNOWN })).to.be.revertedWithCustomError(s.registry, "ModelUnknown");
      await send(s.registry, "retire", [s.model], { from: s.signers.publisher });
      await refused(s.request(), "ModelIsRetired", s.model);
    });

    it("must allow development keys for a model that has one; the result then says so", async () => {
      const facts = { ...MODEL, keyKind: 0 };
      await s.register({ facts });
      const model = s.registration({ facts }).id;
      await refused(s.request({ model }), "DevelopmentKeyNotAllowed", model);
      const { id } = await s.request({ model, allowDevelopmentKeys: true });
      const record = await requestOf(id);
      expect([record["requiredEvidence"], record["allowDevelopmentKeys"]]).to.deep.equal([1n, true]);
      await s.fulfil(s.answer(id, { modelId: model }));
      expect((await resultOf(id))["evidence"]).to.equal(BigInt(Evidence.zk | Evidence.developmentKey));
    });

    it("that allows development keys is not marked when the model has a ceremony's", async () => {
      const { id } = await s.request({ allowDevelopmentKeys: true });
      await s.fulfil(s.answer(id));
      expect((await resultOf(id))["evidence"]).to.equal(BigInt(Evidence.zk));
    });
  });

  describe("fulfil", () => {
    let id: string;
    beforeEach(async () => {
      ({ id } = await s.request());
    });
    const refuses = (answer: Answer, error = "InvalidProof", ...args: unknown[]): Promise<void> =>
      refused(s.fulfil(answer), error, ...args);

    it("stores the result, credits the prover and says everything, whoever sends it", async () => {
      const { prover, stranger } = s.signers;
      await declare(ENVIRONMENT);
      const answer = s.answer(id);
      await chain.at(START + 7000);
      await expect(s.fulfil(answer, stranger))
        .to.emit(s.coordinator, "Fulfilled")
        .withArgs(id, s.model, prover.address, 1, ENVIRONMENT, C, hexlify(OUTPUT), answer.words);
      const result = await resultOf(id);
      for (const [name, value] of Object.entries({
        output: hexlify(OUTPUT),
        model: s.model,
        prover: prover.address,
        evidence: 1n,
        fulfilledAt: BigInt(START + 7000),
        environment: ENVIRONMENT,
      })) {
        expect(result[name], name).to.equal(value);
      }
      const record = await requestOf(id);
      expect([record["status"], record["fee"]]).to.deep.equal([FULFILLED, FEE]);
      expect(await s.credit(prover.address)).to.equal(FEE);
      expect(await s.credit(stranger.address)).to.equal(0n);
      expect(await balance()).to.equal(FEE);
    });

    it("happens once: neither the same proof, nor the same re-randomised, nor another output comes after it", async () => {
      await s.fulfil(s.answer(id));
      await refuses(s.answer(id), "RequestAlreadyFulfilled", id);
      await refuses(s.answer(id, { blinding: { a: 8n, b: 9n } }), "RequestAlreadyFulfilled", id);
      await refuses(s.answer(id, { output: flipped(OUTPUT, 0) }), "RequestAlreadyFulfilled", id);
      expect(await s.credit(s.signers.prover.address)).to.equal(FEE);
    });

    it("takes a re-randomised proof as well: it pays the same prover", async () => {
      const { prover, stranger } = s.signers;
      const [first, second] = [s.answer(id), s.answer(id, { blinding: { a: 1234n, b: 5678n } })];
      expect(first.words).not.to.deep.equal(second.words);
      await s.fulfil(second, stranger);
      expect(await s.credit(prover.address)).to.equal(FEE);
    });

    it("is possible in the last second and not in the one after", async () => {
      const answer = s.answer(id);
      await chain.at(DEADLINE + 1);
      await refuses(answer, "DeadlinePassed", DEADLINE, DEADLINE + 1);
      s = await chain.stage();
      ({ id } = await s.request());
      await chain.at(DEADLINE);
      await s.fulfil(s.answer(id));
      expect((await resultOf(id))["fulfilledAt"]).to.equal(BigInt(DEADLINE));
    });

    it("needs a request", () => refuses({ ...s.answer(id), id: UNKNOWN }, "RequestUnknown", UNKNOWN));

    it("refuses a proof made for someone else: a thief gets nothing", async () => {
      const { stranger } = s.signers;
      await refuses({ ...s.answer(id), prover: stranger.address });
      await refuses({ ...s.answer(id), prover: "0x0000000000000000000000000000000000000000" }, "ProverMissing");
    });

    it("refuses a proof of no prover even if it is one", () =>
      refuses(s.answer(id, { prover: "0x0000000000000000000000000000000000000000" }), "ProverMissing"));

    it("refuses a proof of another request for the very same model and input", async () => {
      const { id: second } = await s.request();
      await refuses({ ...s.answer(id), id: second });
      await s.fulfil(s.answer(second));
    });

    it("refuses a proof of another model, even one that has the same key", async () => {
      const facts = { ...MODEL, sourceDigest: keccak256("0x01") };
      await s.register({ facts });
      const other = s.registration({ facts }).id;
      await refuses(s.answer(id, { modelId: other }));
      const { id: second } = await s.request({ model: other });
      await refuses(s.answer(second));
      await s.fulfil(s.answer(second, { modelId: other }));
    });

    it("refuses a proof of another coordinator on the same registry", async () => {
      const second = await s.deploy("InferenceCoordinator", s.registryAddress);
      const address = await second.getAddress();
      await refuses(s.answer(id, { contract: address }));
    });

    it("refuses a proof of another chain, a sample's domain, and a proof made for the registry", async () => {
      await refuses(s.answer(id, { chainId: CHAIN_ID + 1n }));
      await refuses(s.answer(id, { domain: "sample" }));
      await refuses(s.answer(id, { contract: s.registryAddress }));
      await refuses(s.answer(id, { requestId: ZERO_ID }));
    });

    it("refuses any other input", async () => {
      for (const at of [0, 30, 31, 63]) {
        const input = flipped(INPUT, at);
        const answer = s.answer(id);
        await refuses({ ...answer, input }, "InputMismatch", keccak256(input), keccak256(INPUT));
        await refuses(s.answer(id, { input }), "InputMismatch");
        await refuses({ ...s.answer(id, { input }), input: INPUT });
      }
      for (const input of [INPUT.subarray(0, 63), Uint8Array.of(...INPUT, 0), new Uint8Array(0)]) {
        await refuses(s.answer(id, { input }), "InputMismatch");
      }
    });

    it("refuses any other output than the proven one", async () => {
      for (let at = 0; at < OUTPUT.length; at++) await refuses({ ...s.answer(id), output: flipped(OUTPUT, at) });
      for (const length of [0, 19, 21, 4096]) {
        await refuses(s.answer(id, { output: bytesOf("output", length) }), "OutputLengthMismatch", length, 20);
      }
    });

    it("refuses c one off, and the same c spelled above the field", async () => {
      await refuses({ ...s.answer(id), c: C + 1n });
      await refuses({ ...s.answer(id), c: C + R }, "SignalOutOfField", 0, C + R);
      await refuses(s.answer(id, { c: C + R }), "SignalOutOfField", 0, C + R);
    });

    it("refuses every word of the proof one above, and the same word spelled above the field", async () => {
      const answer = s.answer(id);
      for (let at = 0; at < 8; at++) {
        await refuses({ ...answer, words: withWord(answer.words, at, (word) => (word + 1n) % Q) });
        const alias = withWord(answer.words, at, (word) => word + Q);
        await refuses({ ...answer, words: alias }, "CoordinateOutOfField", at, alias[at]);
      }
    });

    it("goes on for open requests after the model's retirement", async () => {
      await send(s.registry, "retire", [s.model], { from: s.signers.publisher });
      await s.fulfil(s.answer(id));
      expect((await requestOf(id))["status"]).to.equal(FULFILLED);
    });

    it("stores outputs of every length around a slot's borders as they are", async () => {
      for (const outputLength of [1, 31, 32, 33, 64, 4096]) {
        const facts = { ...MODEL, outputLength };
        await s.register({ facts });
        const model = s.registration({ facts }).id;
        const output = bytesOf("long", outputLength);
        const asked = await s.request({ model });
        await s.fulfil(s.answer(asked.id, { modelId: model, output }));
        expect((await resultOf(asked.id))["output"], `${outputLength}`).to.equal(hexlify(output));
      }
    });

    it("is not misled by bytes that the caller hides in the ABI's padding", async () => {
      const answer = s.answer(id);
      const args = [answer.id, answer.input, answer.output, answer.c, answer.words, answer.prover];
      const data = s.coordinator.interface.encodeFunctionData("fulfil", args);
      // The last twelve bytes are the padding of the 20 output bytes; the prover's address has twelve before it.
      const dirtyOutput = data.slice(0, -24) + "ff".repeat(12);
      const { stranger } = s.signers;
      const address = answer.prover.slice(2).toLowerCase();
      const at = data.indexOf("00".repeat(12) + address);
      const dirtyProver = `${data.slice(0, at)}${"00".repeat(11)}01${data.slice(at + 24)}`;
      await expect(
        stranger.sendTransaction({ to: s.coordinatorAddress, data: dirtyProver }),
      ).to.be.revertedWithoutReason(chain.ethers);
      await stranger.sendTransaction({ to: s.coordinatorAddress, data: dirtyOutput });
      expect((await resultOf(id))["output"]).to.equal(hexlify(OUTPUT));
    });
  });

  describe("environments", () => {
    it("are told by the prover alone: a copied proof carries the prover's, not the sender's", async () => {
      const { prover, stranger } = s.signers;
      await declare(ENVIRONMENT);
      await declare(OTHER_ENVIRONMENT, stranger);
      const { id } = await s.request();
      await s.fulfil(s.answer(id), stranger);
      expect((await resultOf(id))["environment"]).to.equal(ENVIRONMENT);
      expect(await view(s.coordinator, "environmentOf", [prover.address])).to.equal(ENVIRONMENT);
    });

    it("stay in a result as they were when it came", async () => {
      const ids = [];
      for (const environment of [undefined, ENVIRONMENT, OTHER_ENVIRONMENT, ENVIRONMENT, ZERO_ID]) {
        if (environment !== undefined) {
          await expect(declare(environment))
            .to.emit(s.coordinator, "EnvironmentDeclared")
            .withArgs(s.signers.prover.address, environment);
        }
        const { id } = await s.request();
        await s.fulfil(s.answer(id));
        ids.push([id, environment ?? ZERO_ID] as const);
      }
      for (const [id, environment] of ids) expect((await resultOf(id))["environment"]).to.equal(environment);
    });

    it("share a slot with credit and nonce, and leave both alone", async () => {
      const { prover } = s.signers;
      const { id } = await s.request();
      await s.fulfil(s.answer(id));
      await s.request({ from: prover });
      await declare(ENVIRONMENT);
      expect(await s.credit(prover.address)).to.equal(FEE);
      expect(await view(s.coordinator, "nonceOf", [prover.address])).to.equal(1n);
      await s.withdraw(prover);
      expect(await view(s.coordinator, "nonceOf", [prover.address])).to.equal(1n);
      expect(await view(s.coordinator, "environmentOf", [prover.address])).to.equal(ENVIRONMENT);
    });

    it("run out after 65,535, with a reason", async () => {
      const { prover } = s.signers;
      await declare(ENVIRONMENT);
      // The account is (credit 128, nonce 64, environments 16) in slot keccak256(prover, 1).
      const slot = keccak256(
        chain.ethers.AbiCoder.defaultAbiCoder().encode(["address", "uint256"], [prover.address, 1]),
      );
      const packed = await chain.ethers.provider.getStorage(s.coordinatorAddress, slot);
      expect(BigInt(packed)).to.equal(1n << 192n);
      await chain.helpers.setStorageAt(
        s.coordinatorAddress,
        slot,
        `0x${(65_534n << 192n).toString(16).padStart(64, "0")}`,
      );
      await declare(OTHER_ENVIRONMENT);
      const { id } = await s.request();
      await s.fulfil(s.answer(id));
      expect((await resultOf(id))["environment"]).to.equal(OTHER_ENVIRONMENT);
      await refused(declare(ENVIRONMENT), "EnvironmentsExhausted", prover.address);
    });
  });

  describe("refund", () => {
    it("is refused at the deadline and possible one second later, for the requester's credit", async () => {
      const { requester, stranger } = s.signers;
      const { id } = await s.request();
      await chain.at(DEADLINE);
      await refused(s.refund(id), "DeadlineNotPassed", DEADLINE, DEADLINE);
      await chain.at(DEADLINE + 1);
      await expect(s.refund(id, stranger)).to.emit(s.coordinator, "Refunded").withArgs(id, requester.address, FEE);
      expect(await s.credit(requester.address)).to.equal(FEE);
      expect(await s.credit(stranger.address)).to.equal(0n);
      const record = await requestOf(id);
      expect([record["status"], record["fee"]]).to.deep.equal([EXPIRED, 0n]);
    });

    it("happens once, and nothing comes after it", async () => {
      const { id } = await s.request();
      await chain.at(DEADLINE + 1);
      await s.refund(id);
      await refused(s.refund(id), "NothingToRefund", id);
      await refused(s.fulfil(s.answer(id)), "DeadlinePassed");
      await refused(resultOf(id), "RequestNotFulfilled", id);
      expect(await s.credit(s.signers.requester.address)).to.equal(FEE);
    });

    it("is refused for what was fulfilled, was free or never asked", async () => {
      const { id } = await s.request();
      await s.fulfil(s.answer(id));
      const free = await s.request({ fee: 0n });
      await chain.at(DEADLINE + 1);
      await refused(s.refund(id), "RequestAlreadyFulfilled", id);
      await refused(s.refund(free.id), "NothingToRefund", free.id);
      await refused(s.refund(UNKNOWN), "RequestUnknown", UNKNOWN);
      await refused(requestOf(UNKNOWN), "RequestUnknown", UNKNOWN);
      await refused(resultOf(UNKNOWN), "RequestNotFulfilled", UNKNOWN);
    });
  });

  describe("withdraw", () => {
    beforeEach(async () => {
      const { id } = await s.request();
      await s.fulfil(s.answer(id));
      await s.request();
    });

    it("pays all of the caller's credit to whom the caller says, once", async () => {
      const { prover, stranger } = s.signers;
      await expect(s.withdraw(prover, stranger.address)).to.changeEtherBalances(
        chain.ethers,
        [s.coordinatorAddress, stranger],
        [-FEE, FEE],
      );
      expect(await s.credit(prover.address)).to.equal(0n);
      await refused(s.withdraw(prover), "NothingToWithdraw", prover.address);
      expect(await balance()).to.equal(FEE);
    });

    it("pays the sum of fees earned and fees refunded", async () => {
      const { prover } = s.signers;
      const { id } = await s.request({ fee: 3n });
      await s.request({ fee: 5n, from: prover });
      await s.fulfil(s.answer(id));
      const own = requestIdOf(s.coordinatorAddress, prover.address, 0, s.model, INPUT);
      await chain.at(DEADLINE + 1);
      await s.refund(own);
      expect(await s.credit(prover.address)).to.equal(FEE + 8n);
    });

    it("says so", () =>
      expect(s.withdraw(s.signers.prover, s.signers.stranger.address))
        .to.emit(s.coordinator, "Withdrawn")
        .withArgs(s.signers.prover.address, s.signers.stranger.address, FEE));

    it("pays nothing to strangers, nor to nobody", async () => {
      await refused(s.withdraw(s.signers.stranger), "NothingToWithdraw", s.signers.stranger.address);
      await refused(s.withdraw(s.signers.prover, `0x${"00".repeat(20)}`), "ReceiverMissing");
    });
  });

  describe("receivers that misbehave", () => {
    const [REJECT, AGAIN, AGAIN_QUIETLY, BURN] = [1, 2, 3, 4];

    /** A contract with a credit of FEE, beside an open request of the same fee that it must not touch. */
    async function receiver(manner: number) {
      const contract = await s.deploy("Receiver", s.coordinatorAddress);
      const address = await contract.getAddress();
      const { id } = await s.request();
      await s.fulfil(s.answer(id, { prover: address }));
      await s.request();
      await send(contract, "behave", [manner], { from: s.signers.stranger });
      const withdraw = (to: string): Promise<unknown> => send(contract, "withdraw", [to], { from: s.signers.stranger });
      return { contract, address, withdraw };
    }

    for (const [name, manner] of [
      ["rejects", REJECT],
      ["enters again", AGAIN],
      ["burns its gas", BURN],
    ] as const) {
      it(`one that ${name} keeps its credit, harms nobody and can be paid elsewhere`, async () => {
        const { address, withdraw } = await receiver(manner);
        await refused(withdraw(address), "PaymentFailed", address, FEE);
        expect(await s.credit(address)).to.equal(FEE);
        expect(await balance()).to.equal(2n * FEE);
        await withdraw(s.signers.stranger.address);
        expect(await balance()).to.equal(FEE);
      });
    }

    it("one that enters again and swallows the refusal gets its credit and no more", async () => {
      const { contract, address, withdraw } = await receiver(AGAIN_QUIETLY);
      await withdraw(address);
      expect(await chain.ethers.provider.getBalance(address)).to.equal(FEE);
      expect(await view(contract, "attempts")).to.equal(1n);
      expect(await balance()).to.equal(FEE);
    });

    it("a requester that rejects money can neither stop a fulfilment nor a refund", async () => {
      const contract = await s.deploy("Receiver", s.coordinatorAddress);
      const address = await contract.getAddress();
      await send(contract, "behave", [REJECT], { from: s.signers.stranger });
      const ask = (): Promise<unknown> =>
        send(contract, "request", [s.model, INPUT, DEADLINE], { from: s.signers.stranger, value: FEE });
      await ask();
      await ask();
      const [first, second] = [0, 1].map((nonce) =>
        requestIdOf(s.coordinatorAddress, address, nonce, s.model, INPUT),
      ) as [string, string];
      await s.fulfil(s.answer(first));
      await chain.at(DEADLINE + 1);
      await s.refund(second);
      expect(await s.credit(address)).to.equal(FEE);
    });
  });

  it("does not take a proof to a coordinator at the same address of another chain", async () => {
    const here = await s.request();
    const answer = s.answer(here.id);
    const other = await openChain(1);
    const there = await other.stage();
    expect(there.coordinatorAddress).to.equal(s.coordinatorAddress);
    const asked: Partial<Asked> = { model: there.model };
    const { id } = await there.request(asked);
    expect(there.model).to.equal(s.model);
    expect(id).not.to.equal(here.id);
    await expect(there.fulfil({ ...answer, id })).to.be.revertedWithCustomError(there.coordinator, "InvalidProof");
    await expect(there.fulfil(answer)).to.be.revertedWithCustomError(there.coordinator, "RequestUnknown");
    await there.fulfil(there.answer(id));
    await s.fulfil(answer);
  });
});
