// The SDK on the market, with proofs by trapdoor: what is asked, how it is paid, what happens, and what is believed of it.
import { expect } from "chai";
import { getBytes, keccak256, toBeHex, ZeroAddress } from "ethers";
import type { Inference, InferenceEvent, Wallet } from "../../../node/sdk/index.ts";
import { DEADLINE, FEE, INPUT, OUTPUT, send, START } from "../../support/contracts.ts";
import { failure, kindsOf, openSdkChain, type SdkStage } from "../../support/sdk.ts";

/** The stage's OUTPUT: ten int16 with 8 bits behind the point. */
const REALS = Array.from({ length: 10 }, (_, i) => new DataView(getBytes(OUTPUT).buffer).getInt16(2 * i) / 256);
/** As long as the stage's draft. */
const TERMS = { fee: FEE, within: DEADLINE - START } as const;

describe("the SDK's client", function () {
  this.timeout(20_000);
  let opened: Awaited<ReturnType<typeof openSdkChain>>;
  let s: SdkStage;
  before(async () => {
    opened = await openSdkChain();
  });
  beforeEach(async () => {
    s = await opened.stage();
  });
  after(() => opened.close());

  const balance = (who: keyof SdkStage["signers"]) => s.balanceOf(s.signers[who].address);
  const answer = (inference: Inference, over = {}) => s.fulfil(s.answerTo(inference, INPUT, over));

  it("asks with reals, tells what happens, and hands out an answer that it verified by its proof", async () => {
    const client = await s.client();
    const sent: string[] = [];
    const asked = await client.infer(s.model, Array.from(INPUT), { ...TERMS, onSent: (hash) => sent.push(hash) });
    expect(sent).to.deep.equal([asked.transaction]);
    expect(await asked.status()).to.equal("open");
    await answer(asked);
    const result = await asked.result();
    expect(result.verified).to.equal("proof");
    expect([...result.bytes]).to.deep.equal([...OUTPUT]);
    expect(result.outputs.map(({ name, shape }) => [name, shape])).to.deep.equal([["output 0", [10]]]);
    expect([...result.outputs[0]!.reals]).to.deep.equal(REALS);
    expect(result.prover).to.equal(s.signers.prover.address);
    expect(result.price).to.equal(FEE);
    expect(result.evidence).to.deep.equal({ bits: 1, developmentKey: false, chainInput: false });
    expect(await kindsOf(asked)).to.deep.equal(["made", "fulfilled"]);
    expect(await asked.status()).to.equal("fulfilled");
    expect(await balance("prover")).to.equal(FEE);
  });

  it("tells of claims, of claims that ran out and of what they cost the claimer", async () => {
    const asked = await (await s.client()).infer(s.model, INPUT, { ...TERMS, claimPeriod: 100 });
    const { r } = s.answerTo(asked, INPUT);
    await s.deposit(s.signers.rival, FEE);
    await s.claim({ r }, s.signers.rival);
    const told = async (): Promise<InferenceEvent[]> => s.toldSoFar(asked.id);
    const [made, claimed] = await told();
    expect(made?.kind).to.equal("made");
    if (claimed?.kind !== "claimed") throw new Error(claimed?.kind);
    expect([claimed.prover, claimed.price, claimed.collateral]).to.deep.equal([s.signers.rival.address, FEE, FEE / 5n]);
    await s.chain.at(claimed.end);
    await s.chain.helpers.mine();
    expect((await told()).map(({ kind }) => kind)).to.deep.equal(["made", "claimed"]);
    await s.chain.helpers.mine();
    expect((await told()).map(({ kind }) => kind)).to.deep.equal(["made", "claimed", "lapsed"]);
    await answer(asked);
    expect((await kindsOf(asked)).sort()).to.deep.equal(["claimed", "forfeited", "fulfilled", "made"]);
    expect((await asked.result()).price).to.equal(FEE);
  });

  it("says that nobody answered, one second after the deadline, and takes the money back", async () => {
    const client = await s.client();
    const asked = await client.infer(s.model, INPUT, { ...TERMS, within: 1000 });
    await s.chain.at(asked.request.deadline);
    await s.chain.helpers.mine();
    expect((await s.toldSoFar(asked.id)).map(({ kind }) => kind)).to.deep.equal(["made"]);
    expect(await asked.status()).to.equal("open");
    await s.chain.helpers.mine();
    const late = await failure(asked.result());
    expect([late.code, late.message]).to.deep.equal(["chain", "nobody answered the request by its deadline"]);
    expect(late.mend).to.contain("refund()");
    expect(await kindsOf(asked)).to.deep.equal(["made", "overdue"]);
    await asked.refund();
    expect(await kindsOf(asked)).to.deep.equal(["made", "overdue", "expired"]);
    expect(await client.balance()).to.equal(FEE);
    expect((await failure(asked.result())).facts["refund"]).to.equal(FEE);
    await client.withdraw();
    expect(await client.balance()).to.equal(0n);
  });

  it("cancels before the start, and is told why not after it", async () => {
    const client = await s.client();
    const asked = await client.infer(s.model, INPUT, { ...TERMS, delay: 1000 });
    const other = await client.infer(s.model, INPUT, { ...TERMS, delay: 10 });
    await asked.cancel();
    expect(await kindsOf(asked)).to.deep.equal(["made", "expired"]);
    expect(await client.balance()).to.equal(FEE);
    await s.chain.at(other.request.start);
    await s.chain.helpers.mine();
    const late = await failure(other.cancel());
    expect([late.code, late.facts["refusal"]]).to.deep.equal(["input", "AlreadyStarted"]);
  });

  it("tells of a consumer whose call failed, and has it made again", async () => {
    const consumer = await s.deploy("Consumer");
    await send(consumer, "behave", [1], { from: s.signers.stranger });
    const client = await s.client();
    const callback = { consumer: (await consumer.getAddress()) as never, gas: 200_000 };
    const asked = await client.infer(s.model, INPUT, { ...TERMS, callback });
    await answer(asked);
    expect(await kindsOf(asked)).to.deep.equal(["made", "fulfilled", "callback-failed"]);
    expect((await asked.result()).price).to.equal(FEE);
    await send(consumer, "behave", [0], { from: s.signers.stranger });
    await asked.retryCallback();
    expect(await kindsOf(asked)).to.deep.equal(["made", "fulfilled", "callback-failed", "callback-delivered"]);
  });

  it("opens a request that another made, and reads its answer", async () => {
    const asked = await (await s.client()).infer(s.model, INPUT, TERMS);
    await answer(asked);
    const reader = await s.client();
    const again = await reader.open(asked.id);
    expect(again.request).to.deep.equal(asked.request);
    expect((await again.result()).verified).to.equal("proof");
    const none = await failure(reader.open(toBeHex(1, 32)));
    expect([none.code, none.message]).to.deep.equal([
      "input",
      `the chain has no request ${toBeHex(1, 32)} from block 0 on`,
    ]);
  });

  it("pays from an account, of one's own or of who allowed it, and in a token that is approved on the way", async () => {
    const payer = await s.client({ by: "payer" });
    await payer.deposit(2n * FEE);
    await payer.authorise(s.signers.requester.address, FEE);
    const client = await s.client();
    const terms = { ...TERMS, payment: "account", payer: s.signers.payer.address as never } as const;
    await client.infer(s.model, INPUT, terms);
    expect(await payer.balance()).to.equal(FEE);
    const more = await failure(client.infer(s.model, INPUT, terms));
    expect([more.code, more.facts["refusal"]]).to.deep.equal(["input", "AllowanceTooLow"]);

    const coin = await s.deploy("PlainToken");
    const token = (await coin.getAddress()) as never;
    await send(coin, "mint", [s.signers.requester.address, 3n * FEE], { from: s.signers.stranger });
    const unapproved = await failure(client.infer(s.model, INPUT, { ...TERMS, token }));
    expect(unapproved.code).to.equal("chain");
    const asked = await client.infer(s.model, INPUT, { ...TERMS, token, approve: true });
    await answer(asked);
    expect((await asked.result()).price).to.equal(FEE);
    const prover = await s.client({ by: "prover" });
    expect(await prover.balance({ token })).to.equal(FEE);
    await client.deposit(FEE, { token, approve: true, account: s.signers.stranger.address });
    expect(await client.balance({ token, account: s.signers.stranger.address })).to.equal(FEE);
    await prover.withdraw({ token, amount: 1n, to: s.signers.rival.address });
    expect(await prover.balance({ token })).to.equal(FEE - 1n);
  });

  it("asks about what a URI holds, and verifies by the proof if it knows the bytes", async () => {
    const client = await s.client();
    const uri = "https://example.org/input";
    const known = await client.infer(s.model, { kind: "reference", uri, bytes: INPUT }, TERMS);
    const unknown = await client.infer(s.model, { kind: "reference", uri, hash: keccak256(INPUT) as never }, TERMS);
    for (const asked of [known, unknown]) await answer(asked);
    expect((await known.result()).verified).to.equal("proof");
    expect((await unknown.result()).verified).to.equal("chain");
    expect((await failure(unknown.result({ verify: "proof" }))).code).to.equal("usage");
  });

  it("asks about what another contract says, and knows the input from the event", async () => {
    const source = await s.deploy("FixedSource");
    await send(source, "set", [INPUT], { from: s.signers.stranger });
    const given = { kind: "source", source: await source.getAddress(), query: "0x1234" } as const;
    const asked = await (await s.client()).infer(s.model, given, TERMS);
    expect(asked.request.inputHash).to.equal(keccak256(INPUT));
    await answer(asked);
    const { evidence, verified } = await asked.result();
    expect([evidence.chainInput, verified]).to.deep.equal([true, "proof"]);
    expect(await kindsOf(asked)).to.deep.equal(["made", "read", "fulfilled"]);
  });

  it("offers what the estimate says, where no fee is given", async () => {
    const client = await s.client();
    const { fee } = await client.estimate(s.model);
    const asked = await client.infer(s.model, INPUT, { within: 1000 });
    expect(asked.request.maxFee).to.equal(fee);
    const token = (await (await s.deploy("PlainToken")).getAddress()) as never;
    const priceless = await failure(client.infer(s.model, INPUT, { token }));
    expect([priceless.code, priceless.mend]).to.deep.equal(["usage", "Give a fee."]);
  });

  it("says what is wrong before anything is sent", async () => {
    const client = await s.client();
    const mute = await s.client({ by: undefined });
    const before = await s.ethers.provider.getBlockNumber();
    const refusals = [
      [() => client.infer(s.model, [1, 2, 3], TERMS), "input", /given 3 numbers/],
      [() => client.infer(s.model, { kind: "bytes", bytes: new Uint8Array(63) }, TERMS), "input", /63 bytes/],
      [() => client.infer(s.model, Array(64).fill(256), TERMS), "input", /outside 0 to 255/],
      [() => client.infer(toBeHex(7, 32), INPUT, TERMS), "input", /knows no model/],
      [() => client.infer("0x12", INPUT, TERMS), "input", /is not an id/],
      [() => client.infer(s.model, INPUT, { ...TERMS, requiredEvidence: 2 }), "input", /evidence/],
      [() => mute.infer(s.model, INPUT, TERMS), "usage", /wallet/],
      [() => s.client({ coordinator: ZeroAddress }), "chain", /no contract/],
    ] as const;
    for (const [work, code, message] of refusals) {
      const error = await failure(work());
      expect(error.code, error.message).to.equal(code);
      expect(error.message).to.match(message);
      expect(error.mend, error.message).to.be.a("string");
    }
    expect(await s.ethers.provider.getBlockNumber()).to.equal(before);
  });

  it("stops on request, wherever it waits", async () => {
    const client = await s.client();
    const gone = AbortSignal.abort();
    expect((await failure(client.infer(s.model, INPUT, { ...TERMS, signal: gone }))).code).to.equal("aborted");
    const asked = await client.infer(s.model, INPUT, TERMS);
    const stop = new AbortController();
    const waiting = failure(asked.result({ signal: stop.signal }));
    const iterating = failure(
      (async () => {
        for await (const _ of asked.events({ signal: stop.signal })) stop.abort();
      })(),
    );
    const patient = asked.result();
    expect([(await waiting).code, (await iterating).code]).to.deep.equal(["aborted", "aborted"]);
    await answer(asked);
    expect((await patient).price).to.equal(FEE);
  });

  it("says what a wallet says", async () => {
    const wallet = (code: string | number): Wallet => ({
      getAddress: async () => s.signers.requester.address,
      sendTransaction: async () => Promise.reject(Object.assign(new Error("no"), { code })),
      signTypedData: async () => Promise.reject(Object.assign(new Error("no"), { code })),
    });
    const outcomes = [
      ["ACTION_REJECTED", "aborted"],
      [4001, "aborted"],
      ["INSUFFICIENT_FUNDS", "input"],
      ["OTHER", "chain"],
    ] as const;
    for (const [code, expected] of outcomes) {
      const client = await s.client({ signer: wallet(code) });
      expect((await failure(client.infer(s.model, INPUT, TERMS))).code).to.equal(expected);
      expect((await failure(client.sign(s.model, INPUT, TERMS))).code).to.equal(
        expected === "input" ? "input" : expected,
      );
    }
  });
});
