// The coordinator without claims: the terms of a request, its answer, its end without one, and everything next to it that
// must not work. Auctions, accounts, signatures, callbacks and views have files of their own.
import { expect } from "chai";
import { AbiCoder, ZeroHash, hexlify, keccak256, toBeHex, toUtf8Bytes } from "ethers";
import { Q, R } from "../../node/core/field.ts";
import {
  C,
  CHAIN_ID,
  CLAIM_PERIOD,
  DEADLINE,
  FEE,
  INPUT,
  NOBODY,
  OUTPUT,
  START,
  ZERO_ID,
  flipped,
  openChain,
  send,
  view,
  withWord,
  type Answer,
  type Asked,
} from "../support/contracts.ts";
import { market } from "../support/contractsMarket.ts";
import { INPUT_KIND, STATUS, type Terms } from "../support/contractsRequest.ts";
import { bytesOf } from "../support/contractsVectors.ts";

const ENVIRONMENT = keccak256("0x01");
const OTHER_ENVIRONMENT = keccak256("0x02");
const UNKNOWN = `0x${"12".repeat(32)}`;
const MAX_WINDOW = 180 * 86_400;
const LAST_CLAIM = DEADLINE - 2 * CLAIM_PERIOD;
const URI = toUtf8Bytes("ipfs://input");

describe("InferenceCoordinator", () => {
  const m = market();
  const declare = (environment: string, from = m.s.signers.prover): Promise<unknown> =>
    send(m.s.coordinator, "declareEnvironment", [environment], { from });

  it("refuses to stand on a registry or a validator without code, since nobody could ever change it", async () => {
    const { stranger } = m.s.signers;
    const validator = await m.s.validator.getAddress();
    await m.refused(
      m.s.deploy("InferenceCoordinator", stranger.address, validator),
      "RegistryHasNoCode",
      stranger.address,
    );
    await m.refused(
      m.s.deploy("InferenceCoordinator", m.s.registryAddress, stranger.address),
      "ValidatorHasNoCode",
      stranger.address,
    );
    expect(await view(m.s.coordinator, "registry")).to.equal(m.s.registryAddress);
    expect(await view(m.s.coordinator, "signatureValidator")).to.equal(validator);
  });

  it("takes no money but with a call that says what it is for", async () => {
    await expect(
      m.s.signers.stranger.sendTransaction({ to: m.s.coordinatorAddress, value: 1n }),
    ).to.be.revertedWithoutReason(m.chain.ethers);
  });

  describe("request", () => {
    it("keeps the fee and says everything, the input too", async () => {
      const { requester } = m.s.signers;
      const { id, r, sent } = await m.s.request();
      await expect(sent)
        .to.emit(m.s.coordinator, "Requested")
        .withArgs(id, m.s.model, requester.address, Object.values(r), hexlify(INPUT));
      await m.holds(FEE, {});
      expect(await m.status({ r })).to.equal(STATUS.open);
      expect(await view(m.s.coordinator, "idOf", [r])).to.equal(id);
      await m.refused(m.s.resultOf({ id }), "RequestNotFulfilled", id);
    });

    it("has every field in its id: a change of any one makes another request, which was never made", async () => {
      const { r } = await m.s.request();
      const fields = Object.keys(r) as (keyof Terms)[];
      const changed = (value: Terms[keyof Terms]): unknown =>
        typeof value === "bigint"
          ? value + 1n
          : typeof value === "number"
            ? value ^ 1
            : typeof value === "boolean"
              ? !value
              : `0x${(BigInt(value) ^ 1n).toString(16).padStart(value.length - 2, "0")}`;
      expect(fields.length).to.equal(22);
      for (const name of fields) {
        const other = { ...r, [name]: changed(r[name]) };
        expect(await view(m.s.coordinator, "idOf", [other]), name).to.equal(m.s.idOf(other));
        expect(await m.status({ r: other }), name).to.equal(STATUS.unknown);
      }
    });

    it("can not be written in two ways: bytes beyond a field's width are refused", async () => {
      const { r } = await m.s.request();
      const data = m.s.coordinator.interface.encodeFunctionData("idOf", [r]);
      const widths = { address: [0, 1, 2, 3, 8], uint96: [9, 10, 11], uint32: [12, 13, 14, 15, 16, 17, 18] };
      const fields = [...Object.values(widths).flat(), 5, 19, 20, 21];
      expect(fields.length).to.equal(22 - 3);
      for (const at of fields) {
        const start = 10 + 64 * at;
        const dirty = `${data.slice(0, start)}f${data.slice(start + 1)}`;
        await expect(m.chain.ethers.provider.call({ to: m.s.coordinatorAddress, data: dirty }), `${at}`).to.be.revert(
          m.chain.ethers,
        );
      }
    });

    it("is made once: the same again is refused, open, answered or expired", async () => {
      const nonce = 77n;
      const asked = await m.s.request({ nonce });
      await m.refused(m.s.request({ nonce }), "RequestAlreadyMade", asked.id);
      await m.s.fulfil(m.s.answer(asked));
      await m.refused(m.s.request({ nonce }), "RequestAlreadyMade", asked.id);
      const second = await m.s.request({ nonce: 78n, deadline: START + 5000, submitBy: DEADLINE });
      await m.chain.at(START + 5001);
      await m.s.expire(second);
      await m.refused(m.s.request({ nonce: 78n, deadline: START + 5000 }), "DeadlinePassed");
      await m.s.request({ nonce: 79n });
    });

    it("is its requester's own", async () => {
      const { requester, stranger } = m.s.signers;
      await m.refused(
        m.s.request({ from: stranger, requester: requester.address }),
        "CallerIsNotRequester",
        stranger.address,
        requester.address,
      );
    });

    it("must have a payer, though another than the requester, who gets back what is left", async () => {
      await m.refused(m.s.request({ payer: NOBODY }), "PayerMissing");
      const asked = await m.s.request({ payer: m.s.signers.payer.address, minFee: 1n, rampEnd: DEADLINE });
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(asked);
      await m.holds(0n, { payer: FEE });
    });

    it("may be free of charge, and may demand no evidence in particular", async () => {
      const asked = await m.s.request({ maxFee: 0n, requiredEvidence: 0 });
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(0n, {});
      expect((await m.s.resultOf(asked))["evidence"]).to.equal(1n);
    });

    it("takes fees up to 2^96 - 1 and pays them", async () => {
      const most = 2n ** 96n - 1n;
      await m.chain.helpers.setBalance(m.s.signers.requester.address, 2n ** 100n);
      const asked = await m.s.request({ maxFee: most, minFee: 0n, minCollateral: most, rampEnd: LAST_CLAIM });
      await m.chain.helpers.setBalance(m.s.signers.prover.address, 2n ** 100n);
      await m.s.deposit(m.s.signers.prover, most);
      await m.chain.at(LAST_CLAIM);
      await m.s.claim(asked);
      await m.holds(2n * most, {});
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(asked);
      await m.holds(0n, { requester: 2n * most });
    });

    it("costs maxFee exactly, in the transaction", async () => {
      for (const value of [0n, FEE - 1n, FEE + 1n])
        await m.refused(m.s.request({ value }), "ValueMismatch", value, FEE);
      await m.s.request({ value: FEE });
    });

    const NOW = START + 5000;
    const FOREVER = 2 ** 32 - 1;
    for (const [deadline, error] of [
      [NOW - 1, "DeadlinePassed"],
      [NOW, "DeadlinePassed"],
      [NOW + 1, undefined],
      [NOW + MAX_WINDOW - 1, undefined],
      [NOW + MAX_WINDOW, undefined],
      [NOW + MAX_WINDOW + 1, "DeadlineTooFar"],
      [FOREVER, "DeadlineTooFar"],
    ] as const) {
      it(`made at ${NOW - START}, with a deadline ${deadline - NOW} s away, is ${error ?? "taken"}`, async () => {
        const sent = (): Promise<unknown> => m.s.request({ deadline, submitBy: FOREVER });
        await m.chain.at(NOW);
        if (error === undefined) await sent();
        else await m.refused(sent(), error, deadline, error === "DeadlinePassed" ? NOW : NOW + MAX_WINDOW);
      });
    }

    for (const [offset, taken] of [
      [-1, true],
      [0, true],
      [1, false],
    ] as const) {
      it(`is ${taken ? "taken" : "refused"} ${offset} s from the last second at which it may be made`, async () => {
        await m.chain.at(NOW + offset);
        const sent = m.s.request({ submitBy: NOW });
        if (taken) await sent;
        else await m.refused(sent, "SubmittedTooLate", NOW, NOW + offset);
      });
    }

    it("has its times and fees in order", async () => {
      const day = START + 1000;
      const refuse = (start: number, rampEnd: number, deadline: number): Promise<void> =>
        m.refused(m.s.request({ start, rampEnd, deadline }), "TimesOutOfOrder", start, rampEnd, deadline);
      await refuse(day + 1, day, day + 2);
      await refuse(day, day + 3, day + 2);
      await refuse(day + 3, day + 3, day + 2);
      await m.s.request({ start: day, rampEnd: day, deadline: day });
      await m.s.request({ start: day, rampEnd: day + 2, deadline: day + 2 });
      await m.refused(m.s.request({ minFee: FEE + 1n }), "FeesOutOfOrder", FEE + 1n, FEE);
      await m.s.request({ minFee: FEE });
    });

    for (const bits of [2, 4, 8, 16, 32, 256, 2 ** 31]) {
      it(`is refused at once if it demands evidence ${bits}, which nothing can provide for an input in calldata`, async () => {
        await m.refused(m.s.request({ requiredEvidence: bits }), "EvidenceUnavailable", bits, 1);
        await m.refused(m.s.request({ requiredEvidence: bits + 1 }), "EvidenceUnavailable", bits + 1, 1);
      });
    }

    it("must bring an input of the model's length, and the one whose hash it names", async () => {
      for (const length of [0, 63, 65]) {
        await m.refused(m.s.request({ input: new Uint8Array(length) }), "InputLengthMismatch", length, 64);
      }
      const inputHash = keccak256(flipped(INPUT, 63));
      await m.refused(m.s.request({ inputHash }), "InputMismatch", keccak256(INPUT), inputHash);
      await m.refused(m.s.request({ originHash: UNKNOWN }), "OriginMismatch", UNKNOWN, ZeroHash);
    });

    it("leaves to the coordinator what only the coordinator knows: the block at which a source was read", () =>
      m.refused(m.s.request({ readAt: 1 }), "FieldNotZero", 1));

    it("gives a callback at most 10 million gas", async () => {
      await m.refused(m.s.request({ callbackGas: 10_000_001 }), "CallbackGasTooHigh", 10_000_001, 10_000_000);
      await m.s.request({ callbackGas: 10_000_000 });
    });

    it("must be to a model that is known and not retired", async () => {
      await expect(m.s.request({ model: UNKNOWN })).to.be.revertedWithCustomError(m.s.registry, "ModelUnknown");
      await send(m.s.registry, "retire", [m.s.model], { from: m.s.signers.publisher });
      await m.refused(m.s.request(), "ModelIsRetired", m.s.model);
    });

    it("must allow development keys for a model that has one; the result then says so", async () => {
      const model = await m.s.another({ keyKind: 0 });
      await m.refused(m.s.request({ model }), "DevelopmentKeyNotAllowed", model);
      const asked = await m.s.request({ model, allowDevelopmentKeys: true });
      await m.s.fulfil(m.s.answer(asked));
      expect((await m.s.resultOf(asked))["evidence"]).to.equal(9n);
      const ceremony = await m.s.request({ allowDevelopmentKeys: true });
      await m.s.fulfil(m.s.answer(ceremony));
      expect((await m.s.resultOf(ceremony))["evidence"]).to.equal(1n);
    });

    it("brings its input in a way that the model takes", async () => {
      const onlyData = await m.s.another({ inputKinds: 1 });
      const onlyPrivate = await m.s.another({ inputKinds: 8 });
      await m.refused(
        m.s.request({ model: onlyData, inputKind: INPUT_KIND.reference, origin: URI }),
        "InputKindNotTaken",
        onlyData,
      );
      await m.refused(m.s.request({ model: onlyPrivate }), "InputKindNotTaken", onlyPrivate);
      await m.refused(m.s.request({ inputKind: INPUT_KIND.private, origin: URI }), "InputKindNotTaken", m.s.model);
      await m.s.request({ model: onlyData });
    });
  });

  describe("input that is not in calldata", () => {
    const reference = (over: Parameters<typeof m.s.request>[0] = {}): Promise<Asked> =>
      m.s.request({ inputKind: INPUT_KIND.reference, origin: URI, ...over });

    it("may be named by its hash, with a URI to fetch it from; the answer brings it", async () => {
      const asked = await reference();
      await expect(asked.sent)
        .to.emit(m.s.coordinator, "Requested")
        .withArgs(asked.id, m.s.model, m.s.signers.requester.address, Object.values(asked.r), hexlify(URI));
      const other = flipped(INPUT, 0);
      await m.refused(
        m.s.fulfil(m.s.answer({ ...asked, input: other })),
        "InputMismatch",
        keccak256(other),
        keccak256(INPUT),
      );
      await m.s.fulfil(m.s.answer(asked));
      expect((await m.s.resultOf(asked))["output"]).to.equal(hexlify(OUTPUT));
    });

    it("has a URI of at most 2,048 bytes, and the one that was hashed", async () => {
      await m.refused(reference({ origin: bytesOf("uri", 2_049) }), "UriTooLong", 2_049);
      await reference({ origin: bytesOf("uri", 2_048) });
      await m.refused(reference({ originHash: UNKNOWN }), "OriginMismatch", keccak256(URI), UNKNOWN);
    });

    it("of another length than the model's is never answered, and its fee comes back", async () => {
      const input = bytesOf("input", 65);
      const asked = await reference({ input });
      await m.refused(m.s.fulfil(m.s.answer(asked)), "InputLengthMismatch", 65, 64);
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(asked);
      await m.holds(0n, { requester: FEE });
    });

    it("may be private: the commitment is the first signal, and no input is brought", async () => {
      const model = await m.s.another({ inputKinds: 8 });
      const secret = { model, inputKind: INPUT_KIND.private, origin: URI };
      const asked = await m.s.request(secret);
      const answer = m.s.answer(asked);
      expect([answer.c, answer.input.length]).to.deep.equal([C, 0]);
      await m.refused(m.s.fulfil({ ...answer, input: INPUT }), "InputLengthMismatch", 64, 0);
      await m.refused(m.s.fulfil(m.s.answer(asked, { c: C + 1n })), "CommitmentMismatch", C + 1n, toBeHex(C, 32));
      await m.refused(m.s.fulfil(m.s.answer(asked, { c: C + R })), "CommitmentMismatch", C + R, toBeHex(C, 32));
      await m.s.fulfil(answer);
      for (const commitment of [R, 2n ** 256n - 1n]) {
        const inputHash = toBeHex(commitment, 32);
        await m.refused(m.s.request({ ...secret, inputHash }), "CommitmentOutOfField", inputHash);
      }
      await m.s.request({ ...secret, inputHash: toBeHex(R - 1n, 32) });
    });

    it("may be read from a contract: hash and block are filled in, and asked for again it is another request", async () => {
      const source = await m.s.deploy("FixedSource");
      await (await send(source, "set", [INPUT], { from: m.s.signers.stranger })).wait();
      const query = "0x1234";
      const origin = AbiCoder.defaultAbiCoder().encode(["address", "bytes"], [await source.getAddress(), query]);
      const asking = { inputKind: INPUT_KIND.source, origin, requiredEvidence: 17, nonce: 5n };
      const asked = await m.s.request(asking);
      await expect(asked.sent)
        .to.emit(m.s.coordinator, "InputRead")
        .withArgs(asked.id, await source.getAddress(), query);
      expect(asked.r.inputHash).to.equal(keccak256(INPUT));
      expect(asked.r.readAt).to.equal(asked.sent.blockNumber);
      const again = await m.s.request(asking);
      expect(again.id).not.to.equal(asked.id);
      await m.s.fulfil(m.s.answer(asked));
      expect((await m.s.resultOf(asked))["evidence"]).to.equal(17n);
      await m.refused(m.s.request({ ...asking, inputHash: UNKNOWN }), "InputMismatch", ZeroHash, UNKNOWN);
      await m.refused(m.s.request({ ...asking, originHash: UNKNOWN }), "OriginMismatch", keccak256(origin), UNKNOWN);
      await (await send(source, "set", [bytesOf("short", 63)], { from: m.s.signers.stranger })).wait();
      await m.refused(m.s.request(asking), "InputLengthMismatch", 63, 64);
    });
  });

  describe("fulfil", () => {
    let asked: Asked;
    beforeEach(async () => {
      asked = await m.s.request();
    });
    const refuses = (answer: Answer, error = "InvalidProof", ...args: unknown[]): Promise<void> =>
      m.refused(m.s.fulfil(answer), error, ...args);

    it("stores the result, credits the prover and says everything, whoever sends it", async () => {
      const { prover, stranger } = m.s.signers;
      await declare(ENVIRONMENT);
      const answer = m.s.answer(asked);
      await m.chain.at(START + 7000);
      await expect(m.s.fulfil(answer, stranger))
        .to.emit(m.s.coordinator, "Fulfilled")
        .withArgs(asked.id, m.s.model, prover.address, FEE, 1, ENVIRONMENT, C, hexlify(OUTPUT), answer.words);
      const result = await m.s.resultOf(asked);
      for (const [name, value] of Object.entries({
        output: hexlify(OUTPUT),
        model: m.s.model,
        prover: prover.address,
        evidence: 1n,
        fulfilledAt: BigInt(START + 7000),
        environment: ENVIRONMENT,
      })) {
        expect(result[name], name).to.equal(value);
      }
      expect(await m.status(asked)).to.equal(STATUS.fulfilled);
      await m.holds(0n, { prover: FEE });
    });

    it("happens once: neither the same proof, nor the same re-randomised, nor another output comes after it", async () => {
      await m.s.fulfil(m.s.answer(asked));
      for (const over of [{}, { blinding: { a: 8n, b: 9n } }, { output: flipped(OUTPUT, 0) }]) {
        await refuses(m.s.answer(asked, over), "RequestNotOpen", asked.id, STATUS.fulfilled);
      }
      await m.holds(0n, { prover: FEE });
    });

    it("takes a re-randomised proof as well: it pays the same prover", async () => {
      const [first, second] = [m.s.answer(asked), m.s.answer(asked, { blinding: { a: 1234n, b: 5678n } })];
      expect(first.words).not.to.deep.equal(second.words);
      await m.s.fulfil(second, m.s.signers.stranger);
      await m.holds(0n, { prover: FEE });
    });

    it("pays the publisher the model's share, rounded down, and who owns the series by then", async () => {
      const { publisher, rival } = m.s.signers;
      const model = await m.s.another({ royaltyBps: 2_500 });
      for (const [maxFee, royalty] of [
        [FEE, FEE / 4n],
        [3n, 0n],
        [4n, 1n],
        [7n, 1n],
        [8n, 2n],
      ] as const) {
        const before = [
          await m.s.balanceOf(publisher.address),
          await m.s.balanceOf(m.s.signers.prover.address),
        ] as const;
        await m.s.fulfil(m.s.answer(await m.s.request({ model, maxFee })));
        expect(await m.s.balanceOf(publisher.address)).to.equal(before[0] + royalty);
        expect(await m.s.balanceOf(m.s.signers.prover.address)).to.equal(before[1] + maxFee - royalty);
      }
      const last = await m.s.request({ model });
      await send(m.s.registry, "offerSeries", [m.s.series, rival.address], { from: publisher });
      await send(m.s.registry, "acceptSeries", [m.s.series], { from: rival });
      await m.s.fulfil(m.s.answer(last));
      expect(await m.s.balanceOf(rival.address)).to.equal(FEE / 4n);
    });

    it("needs a request that was made: a change of one term, and it is another", async () => {
      for (const over of [{ maxFee: FEE - 1n }, { nonce: asked.r.nonce + 1n }, { deadline: DEADLINE + 1 }]) {
        const r = { ...asked.r, ...over };
        const answer = m.s.answer({ r });
        await refuses(answer, "RequestNotOpen", answer.id, STATUS.unknown);
      }
    });

    it("refuses a proof made for someone else: a thief gets nothing", async () => {
      await refuses({ ...m.s.answer(asked), prover: m.s.signers.stranger.address });
      await refuses({ ...m.s.answer(asked), prover: NOBODY }, "ProverMissing");
      await refuses(m.s.answer(asked, { prover: NOBODY }), "ProverMissing");
    });

    it("is for the chosen prover alone, if one was chosen", async () => {
      const { prover, rival } = m.s.signers;
      const chosen = await m.s.request({ prover: rival.address });
      await refuses(m.s.answer(chosen), "ProverNotChosen", prover.address, rival.address);
      await m.s.fulfil(m.s.answer(chosen, { prover: rival.address }), m.s.signers.stranger);
      await m.holds(FEE, { rival: FEE });
    });

    it("refuses a proof of another request for the very same model and input", async () => {
      const second = await m.s.request();
      await refuses({ ...m.s.answer(asked), r: second.r });
      await m.s.fulfil(m.s.answer(second));
    });

    it("refuses a proof of another model, even one that has the same key", async () => {
      const model = await m.s.another({ sourceDigest: keccak256("0x01") });
      await refuses(m.s.answer(asked, { modelId: model }));
      const second = await m.s.request({ model });
      await refuses(m.s.answer(second, { modelId: m.s.model }));
      await m.s.fulfil(m.s.answer(second));
    });

    it("refuses a proof of another coordinator on the same registry", async () => {
      const second = await m.s.deploy("InferenceCoordinator", m.s.registryAddress, await m.s.validator.getAddress());
      await refuses(m.s.answer(asked, { contract: await second.getAddress() }));
    });

    it("refuses a proof of another chain, of another domain, and one made for the registry", async () => {
      await refuses(m.s.answer(asked, { chainId: CHAIN_ID + 1n }));
      for (const domain of ["sample", "direct"] as const) await refuses(m.s.answer(asked, { domain }));
      await refuses(m.s.answer(asked, { contract: m.s.registryAddress }));
      await refuses(m.s.answer(asked, { requestId: ZERO_ID }));
    });

    it("refuses any other input", async () => {
      for (const at of [0, 30, 31, 63]) {
        const input = flipped(INPUT, at);
        const answer = m.s.answer(asked);
        await refuses({ ...answer, input }, "InputMismatch", keccak256(input), keccak256(INPUT));
        await refuses(m.s.answer(asked, { input }), "InputMismatch");
        await refuses({ ...m.s.answer(asked, { input }), input: INPUT });
      }
      for (const input of [INPUT.subarray(0, 63), Uint8Array.of(...INPUT, 0), new Uint8Array(0)]) {
        await refuses(m.s.answer(asked, { input }), "InputLengthMismatch", input.length, 64);
      }
    });

    it("refuses any other output than the proven one", async () => {
      for (let at = 0; at < OUTPUT.length; at++) await refuses({ ...m.s.answer(asked), output: flipped(OUTPUT, at) });
      for (const length of [0, 19, 21, 4096]) {
        await refuses(m.s.answer(asked, { output: bytesOf("output", length) }), "OutputLengthMismatch", length, 20);
      }
    });

    it("refuses c one off, and the same c spelled above the field", async () => {
      await refuses({ ...m.s.answer(asked), c: C + 1n });
      await refuses({ ...m.s.answer(asked), c: C + R }, "SignalOutOfField", 0, C + R);
      await refuses(m.s.answer(asked, { c: C + R }), "SignalOutOfField", 0, C + R);
    });

    it("refuses every word of the proof one above, and the same word spelled above the field", async () => {
      const answer = m.s.answer(asked);
      for (let at = 0; at < 8; at++) {
        await refuses({ ...answer, words: withWord(answer.words, at, (word) => (word + 1n) % Q) });
        const alias = withWord(answer.words, at, (word) => word + Q);
        await refuses({ ...answer, words: alias }, "CoordinateOutOfField", at, alias[at]);
      }
    });

    it("goes on for open requests after the model's retirement, claimed or not", async () => {
      const second = await m.s.request();
      await send(m.s.registry, "retire", [m.s.model], { from: m.s.signers.publisher });
      await m.s.fulfil(m.s.answer(asked));
      await m.s.deposit(m.s.signers.prover, FEE);
      await m.s.claim(second);
      await m.s.fulfil(m.s.answer(second));
      await m.holds(0n, { prover: 3n * FEE });
    });

    it("stores outputs of every length around a slot's borders as they are", async () => {
      for (const outputLength of [1, 31, 32, 33, 64, 4096]) {
        const model = await m.s.another({ outputLength });
        const output = bytesOf("long", outputLength);
        const long = await m.s.request({ model });
        await m.s.fulfil(m.s.answer(long, { output }));
        expect((await m.s.resultOf(long))["output"], `${outputLength}`).to.equal(hexlify(output));
      }
    });

    it("is not misled by bytes that the caller hides in the ABI's padding", async () => {
      const answer = m.s.answer(asked);
      const args = [answer.r, m.s.answerArgs(answer), answer.prover];
      const data = m.s.coordinator.interface.encodeFunctionData("fulfil", args);
      // The last twelve bytes are the padding of the 20 output bytes; the prover's address has twelve before it.
      const dirtyOutput = data.slice(0, -24) + "ff".repeat(12);
      const address = answer.prover.slice(2).toLowerCase();
      const at = data.indexOf("00".repeat(12) + address);
      const dirtyProver = `${data.slice(0, at)}${"00".repeat(11)}01${data.slice(at + 24)}`;
      const { stranger } = m.s.signers;
      await expect(
        stranger.sendTransaction({ to: m.s.coordinatorAddress, data: dirtyProver }),
      ).to.be.revertedWithoutReason(m.chain.ethers);
      await stranger.sendTransaction({ to: m.s.coordinatorAddress, data: dirtyOutput });
      expect((await m.s.resultOf(asked))["output"]).to.equal(hexlify(OUTPUT));
    });
  });

  describe("environments", () => {
    it("are told by the prover alone: a copied proof carries the prover's, not the sender's", async () => {
      const { prover, stranger } = m.s.signers;
      await declare(ENVIRONMENT);
      await declare(OTHER_ENVIRONMENT, stranger);
      const asked = await m.s.request();
      await m.s.fulfil(m.s.answer(asked), stranger);
      expect((await m.s.resultOf(asked))["environment"]).to.equal(ENVIRONMENT);
      expect(await view(m.s.coordinator, "environmentOf", [prover.address])).to.equal(ENVIRONMENT);
    });

    it("stay in a result as they were when it came", async () => {
      const asked: (readonly [Asked, string])[] = [];
      for (const environment of [undefined, ENVIRONMENT, OTHER_ENVIRONMENT, ENVIRONMENT, ZERO_ID]) {
        if (environment !== undefined) {
          await expect(declare(environment))
            .to.emit(m.s.coordinator, "EnvironmentDeclared")
            .withArgs(m.s.signers.prover.address, environment);
        }
        const one = await m.s.request();
        await m.s.fulfil(m.s.answer(one));
        asked.push([one, environment ?? ZERO_ID]);
      }
      for (const [one, environment] of asked) {
        expect((await m.s.resultOf(one))["environment"]).to.equal(environment);
      }
    });

    it("run out after 65,535, with a reason", async () => {
      const { prover } = m.s.signers;
      await declare(ENVIRONMENT);
      const keyed = (slot: number): string =>
        keccak256(AbiCoder.defaultAbiCoder().encode(["address", "uint256"], [prover.address, slot]));
      const slots = Array.from({ length: 12 }, (_, slot) => keyed(slot));
      const values = await Promise.all(
        slots.map((slot) => m.chain.ethers.provider.getStorage(m.s.coordinatorAddress, slot)),
      );
      const at = values.findIndex((value) => BigInt(value) === 1n);
      await m.chain.helpers.setStorageAt(m.s.coordinatorAddress, slots[at] as string, toBeHex(65_534, 32));
      await declare(OTHER_ENVIRONMENT);
      const asked = await m.s.request();
      await m.s.fulfil(m.s.answer(asked));
      expect((await m.s.resultOf(asked))["environment"]).to.equal(OTHER_ENVIRONMENT);
      await m.refused(declare(ENVIRONMENT), "EnvironmentsExhausted", prover.address);
    });
  });

  describe("expire", () => {
    for (const [offset, possible] of [
      [-1, false],
      [0, false],
      [1, true],
    ] as const) {
      it(`is ${possible ? "possible" : "refused"} ${offset} s from the deadline; an answer is the other way round`, async () => {
        const { requester, stranger } = m.s.signers;
        const [asked, other] = [await m.s.request(), await m.s.request()];
        const time = DEADLINE + offset;
        const answer = m.s.answer(other);
        await m.chain.at(time);
        if (possible) {
          await m.refused(m.s.fulfil(answer), "DeadlinePassed", DEADLINE, time);
          await m.chain.at(time);
          await expect(m.s.expire(asked, stranger))
            .to.emit(m.s.coordinator, "Expired")
            .withArgs(asked.id, requester.address, FEE);
          await m.holds(FEE, { requester: FEE });
          expect(await m.status(other), "not expired by anybody yet, but past its deadline").to.equal(STATUS.expired);
        } else {
          await m.refused(m.s.expire(asked), "DeadlineNotPassed", DEADLINE, time);
          await m.chain.at(time);
          await m.s.fulfil(answer);
          await m.holds(FEE, { prover: FEE });
          expect(await m.status(asked)).to.equal(STATUS.open);
        }
      });
    }

    it("happens once, and nothing comes after it", async () => {
      const asked = await m.s.request();
      await m.chain.at(DEADLINE + 1);
      await m.s.expire(asked);
      for (const act of [m.s.expire, m.s.cancel, m.s.claim]) {
        await m.refused(act(asked), "RequestNotOpen", asked.id, STATUS.expired);
      }
      await m.refused(m.s.fulfil(m.s.answer(asked)), "RequestNotOpen", asked.id, STATUS.expired);
      await m.refused(m.s.resultOf(asked), "RequestNotFulfilled", asked.id);
      await m.holds(0n, { requester: FEE });
    });

    it("is refused for what was fulfilled or never made", async () => {
      const asked = await m.s.request();
      await m.s.fulfil(m.s.answer(asked));
      const r = m.s.draft();
      await m.chain.at(DEADLINE + 1);
      await m.refused(m.s.expire(asked), "RequestNotOpen", asked.id, STATUS.fulfilled);
      await m.refused(m.s.expire({ r }), "RequestNotOpen", m.s.idOf(r), STATUS.unknown);
      expect(await m.status({ r })).to.equal(STATUS.unknown);
      await m.refused(m.s.resultOf({ id: UNKNOWN }), "RequestNotFulfilled", UNKNOWN);
    });
  });

  describe("cancel", () => {
    const LATER = START + 1000;

    for (const [offset, possible] of [
      [-1, true],
      [0, false],
      [1, false],
    ] as const) {
      it(`is ${possible ? "possible" : "refused"} ${offset} s from the start; an answer is the other way round`, async () => {
        const [asked, other] = [await m.s.request({ start: LATER }), await m.s.request({ start: LATER })];
        const time = LATER + offset;
        const answer = m.s.answer(other);
        await m.chain.at(time);
        if (possible) {
          await m.refused(m.s.fulfil(answer), "NotStarted", LATER, time);
          await m.refused(m.s.claim(other), "NotStarted", LATER, time);
          await m.chain.at(time);
          await expect(m.s.cancel(asked))
            .to.emit(m.s.coordinator, "Expired")
            .withArgs(asked.id, m.s.signers.requester.address, FEE);
          await m.holds(FEE, { requester: FEE });
          await m.refused(m.s.cancel(asked), "RequestNotOpen", asked.id, STATUS.expired);
        } else {
          await m.refused(m.s.cancel(asked), "AlreadyStarted", LATER, time);
          await m.chain.at(time);
          await m.s.fulfil(answer);
          await m.holds(FEE, { prover: FEE });
        }
      });
    }

    it("is the requester's alone, and gives the fee to the payer", async () => {
      const { payer, requester } = m.s.signers;
      const asked = await m.s.request({ start: LATER, payer: payer.address });
      await m.refused(m.s.cancel(asked, payer), "CallerIsNotRequester", payer.address, requester.address);
      await m.s.cancel(asked);
      await m.holds(0n, { payer: FEE });
    });

    it("before a request is made takes the request back for ever", async () => {
      const r = m.s.draft();
      await expect(m.s.cancel({ r }))
        .to.emit(m.s.coordinator, "Expired")
        .withArgs(m.s.idOf(r), m.s.signers.requester.address, 0);
      await m.refused(m.s.request({ nonce: r.nonce }), "RequestAlreadyMade", m.s.idOf(r));
      await m.holds(0n, {});
    });
  });

  it("does not take a proof to a coordinator at the same address of another chain", async () => {
    const here = await m.s.request();
    const other = await openChain(1);
    const there = await other.stage();
    expect(there.coordinatorAddress).to.equal(m.s.coordinatorAddress);
    const asked = await there.request();
    expect(there.model).to.equal(m.s.model);
    expect(asked.r).to.deep.equal(here.r);
    expect(asked.id).not.to.equal(here.id);
    const answer = m.s.answer(here);
    await expect(there.fulfil(answer)).to.be.revertedWithCustomError(there.coordinator, "InvalidProof");
    await there.fulfil(there.answer(asked));
    await m.s.fulfil(answer);
  });
});
