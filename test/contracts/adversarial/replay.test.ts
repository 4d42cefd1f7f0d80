// A proof that was good somewhere is brought somewhere else: to another request, model, chain, coordinator or prover, or from
// another kind of claim.
import { expect } from "chai";
import { CHAIN_ID, FEE, ZERO_ID, openChain, type Answer } from "../../support/contracts.ts";
import { repelled } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { STATUS } from "../../support/contractsRequest.ts";
import { trapdoorOf } from "../../support/trapdoor.ts";

describe("A proof from elsewhere", () => {
  const m = market();
  let good: Answer;
  beforeEach(async () => {
    good = m.s.answer(await m.s.request());
  });

  it("from another request for the very same, by the same requester: refused", async () => {
    const second = m.s.answer(await m.s.request());
    await repelled(m, { ...good, words: second.words });
    await repelled(m, { ...second, words: good.words });
  });

  it("from this request, with one of its terms changed: there is no such request", async () => {
    const changes = {
      requester: m.s.signers.rival.address,
      payer: m.s.signers.rival.address,
      maxFee: FEE + 1n,
      nonce: 99n,
    };
    for (const [name, value] of Object.entries(changes)) {
      const r = { ...good.r, [name]: value };
      const id = m.s.idOf(r);
      await repelled(m, { ...good, r, id }, "RequestNotOpen", id, STATUS.unknown);
    }
  });

  it("from another model with the same key: refused, here and there", async () => {
    const model = await m.s.another({ royaltyBps: 1 });
    const there = m.s.answer(await m.s.request({ model }));
    await repelled(m, { ...good, words: there.words });
    await repelled(m, { ...there, words: good.words });
    await repelled(m, m.s.answer(good, { modelId: model }));
  });

  it("from a model with another key: refused", () =>
    repelled(m, m.s.answer(good, { trapdoor: trapdoorOf("another") })));

  it("from another chain: refused", () => repelled(m, m.s.answer(good, { chainId: CHAIN_ID + 1n })));

  it("from a coordinator at the same address of another chain, for a request of the same terms: refused", async () => {
    const other = await openChain(1);
    const there = await other.stage();
    expect(there.coordinatorAddress).to.equal(m.s.coordinatorAddress);
    const asked = await there.request({ nonce: good.r.nonce });
    expect(asked.r).to.deep.equal(good.r);
    expect(asked.id).not.to.equal(good.id);
    await there.fulfil(there.answer(asked));
    await repelled(m, { ...good, words: there.answer(asked).words });
  });

  it("from another coordinator on the same registry: refused", async () => {
    const second = await m.s.deploy("InferenceCoordinator", m.s.registryAddress, await m.s.validator.getAddress());
    await repelled(m, m.s.answer(good, { contract: await second.getAddress() }));
  });

  it("from another prover: refused under the sender's name", () =>
    repelled(m, { ...good, prover: m.s.signers.stranger.address }));

  it("from a registration's sample, of the same input and output: refused", async () => {
    await repelled(m, m.s.answer(good, { domain: "sample" }));
    await repelled(m, m.s.answer(good, { domain: "sample", contract: m.s.registryAddress, requestId: ZERO_ID }));
  });

  it("from a proof that a contract had verified directly: refused, and the other way round", async () => {
    const { prover, stranger } = m.s.signers;
    const direct = m.s.answer(good, { domain: "direct", requestId: ZERO_ID });
    await repelled(m, direct);
    const call = (a: Answer, from: typeof prover): Promise<unknown> =>
      m.s.coordinator
        .connect(from)
        .getFunction("verifyInference")
        .staticCall(m.s.model, a.input, a.output, a.c, a.words);
    await call(direct, prover);
    await m.refused(call(good, prover), "InvalidProof");
    await m.refused(call(direct, stranger), "InvalidProof");
  });
});
