// Requests that one party signs and another sends, and private inputs: what leaves the requester's hands, and what it allows.
import { expect } from "chai";
import type { BaseContract } from "ethers";
import { privateCommitment } from "../../../node/core/commitment.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { labelOf, open } from "../../../node/private/envelope.ts";
import { serveInbox } from "../../../node/private/server.ts";
import { readSigned, writeSigned } from "../../../node/sdk/index.ts";
import { ALL, DEADLINE, FEE, INPUT, send, START, view } from "../../support/contracts.ts";
import { memoryJournal } from "../../support/fakes.ts";
import { failure, openSdkChain, type SdkStage } from "../../support/sdk.ts";

const TERMS = { fee: FEE, within: DEADLINE - START } as const;
const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3";

describe("the SDK, for others", function () {
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

  it("signs a request that anybody may send, as text, and the requester's account pays", async () => {
    const requester = await s.client();
    await requester.deposit(FEE);
    const signed = await requester.sign(s.model, INPUT, TERMS);
    const text = writeSigned(signed);
    expect(readSigned(text)).to.deep.equal(signed);
    const stranger = await s.client({ by: "stranger" });
    const asked = await stranger.relay(readSigned(text));
    expect(asked.request.requester).to.equal(s.signers.requester.address);
    expect(await requester.balance()).to.equal(0n);
    await s.fulfil(s.answerTo(asked, INPUT));
    expect((await asked.result()).verified).to.equal("proof");
    expect((await failure(stranger.relay(signed))).facts["refusal"]).to.equal("RequestAlreadyMade");
  });

  it("signs for who pays, and nothing but what was signed is made", async () => {
    const payer = await s.client({ by: "payer" });
    await payer.deposit(FEE);
    const signed = await (await s.client()).sign(s.model, INPUT, { ...TERMS, payer: s.signers.payer.address as never });
    const stranger = await s.client({ by: "stranger" });
    expect((await failure(stranger.relay(signed))).facts["refusal"]).to.equal("AllowanceTooLow");
    const cheaper = { ...signed, request: { ...signed.request, maxFee: FEE - 1n, minFee: FEE - 1n } };
    expect((await failure(stranger.relay(cheaper))).facts["refusal"]).to.equal("SignatureInvalid");
    await payer.authorise(s.signers.requester.address, FEE);
    expect((await stranger.relay(signed)).request).to.deep.equal(signed.request);
  });

  it("reads no text that is not a signed request", () => {
    const texts = ["", "{}", "null", '{"request":{},"input":"0x","signature":"0x"}'];
    for (const text of texts)
      expect(() => readSigned(text), text)
        .to.throw()
        .with.property("code", "input");
  });

  describe("paid by signature", () => {
    let coin: BaseContract;
    let token: string;
    let relay: string;
    beforeEach(async () => {
      coin = await s.deploy("PlainToken");
      token = await coin.getAddress();
      relay = await s.relay.getAddress();
      await send(coin, "mint", [s.signers.requester.address, FEE], { from: s.signers.stranger });
      const permit2 = await s.deploy("Permit2");
      await s.chain.helpers.setCode(PERMIT2, await s.ethers.provider.getCode(await permit2.getAddress()));
    });

    for (const kind of ["permit", "permit2"] as const) {
      it(`a request of a token by ${kind} costs its requester neither gas nor approval of ours`, async () => {
        if (kind === "permit2") await send(coin, "approve", [PERMIT2, ALL], { from: s.signers.requester });
        const requester = await s.client();
        const signed = await requester.sign(s.model, INPUT, { ...TERMS, token: token as never });
        const payment = await requester.pay(signed, { kind, relay });
        const stranger = await s.client({ by: "stranger" });
        const asked = await stranger.relay(signed, { payment });
        expect(asked.request.token).to.equal(token);
        expect(await view(coin, "balanceOf", [s.signers.requester.address])).to.equal(0n);
        await s.fulfil(s.answerTo(asked, INPUT));
        expect((await asked.result()).price).to.equal(FEE);
      });
    }

    it("is refused to who is not the payer, for the chain's coin, and by a token that takes no permits", async () => {
      const requester = await s.client();
      const signed = await requester.sign(s.model, INPUT, { ...TERMS, token: token as never });
      const stranger = await s.client({ by: "stranger" });
      expect((await failure(stranger.pay(signed, { kind: "permit", relay }))).code).to.equal("usage");
      const native = await requester.sign(s.model, INPUT, TERMS);
      expect((await failure(requester.pay(native, { kind: "permit2", relay }))).code).to.equal("usage");
      const odd = (await (await s.deploy("OddToken")).getAddress()) as never;
      const other = await requester.sign(s.model, INPUT, { ...TERMS, token: odd });
      const error = await failure(requester.pay(other, { kind: "permit", relay }));
      expect([error.code, error.mend]).to.match(/^unsupported,.*Permit2/);
    });
  });

  describe("a private input", () => {
    let model: string;
    let directory: BaseContract;
    let key: CryptoKeyPair;
    let prover: never;
    beforeEach(async () => {
      model = await s.another({ inputKinds: 8, inputLength: 64 });
      directory = await s.deploy("ProverDirectory");
      key = await crypto.subtle.generateKey({ name: "X25519" }, true, ["deriveBits"]);
      prover = s.signers.prover.address as never;
    });
    const publish = async (endpoint: string): Promise<void> => {
      const raw = new Uint8Array(await crypto.subtle.exportKey("raw", key.publicKey));
      await send(directory, "publish", [raw, endpoint], { from: s.signers.prover });
    };

    it("is committed to, sealed to its prover and posted before anything is paid; the proof is about the commitment", async () => {
      const kept: Uint8Array[] = [];
      const keep = async (envelope: Uint8Array) => {
        kept.push(envelope);
        return labelOf(envelope);
      };
      const inbox = await serveInbox({ inbox: { keep }, log: memoryJournal(), maxBytes: 4096, port: 0 });
      try {
        await publish(inbox.url);
        const client = await s.client();
        const given = { kind: "private", values: INPUT, prover, directory: await directory.getAddress() } as const;
        const asked = await client.infer(model, { ...given, directory: given.directory as never }, TERMS);
        const { secret, request } = asked;
        if (secret === undefined) throw new Error("no secret");
        expect(BigInt(request.inputHash)).to.equal(privateCommitment(secret.salt, INPUT));
        expect([request.inputKind, request.prover]).to.deep.equal(["private", prover]);
        expect(kept.map((bytes) => [...bytes])).to.deep.equal([[...secret.envelope]]);
        const { requester } = request;
        const about = { ...client, model: model as never, requester, commitment: BigInt(request.inputHash) };
        expect([...(await open(key, about, kept[0]!)).input]).to.deep.equal([...INPUT]);
        await s.fulfil(s.answerTo(asked, INPUT));
        expect((await asked.result()).verified).to.equal("proof");
        expect((await (await s.client({ by: undefined })).open(asked.id).then((again) => again.result())).verified).to.equal("proof"); // prettier-ignore
      } finally {
        await inbox.close();
      }
    });

    it("goes nowhere, and nothing is paid, where the prover has no key, no endpoint, or refuses it", async () => {
      const client = await s.client();
      const at = (await directory.getAddress()) as never;
      const ask = (more: object = {}) =>
        client.infer(model, { kind: "private", values: INPUT, prover, directory: at, ...more }, TERMS);
      const before = async () => s.ethers.provider.getBalance(s.coordinatorAddress);
      const held = await before();
      expect((await failure(ask())).code).to.equal("input");
      await publish("");
      expect((await failure(ask())).message).to.contain("by post");
      const uri = "https://example.org/envelope";
      const delivered = await ask({ deliver: async () => uri });
      expect(delivered.request.originHash).to.not.equal(`0x${"0".repeat(64)}`);
      const inbox = await serveInbox({
        inbox: { keep: async () => Promise.reject(new NodeError("input", "not for me")) },
        log: memoryJournal(),
        maxBytes: 4096,
        port: 0,
      });
      await publish(inbox.url);
      expect((await failure(ask())).message).to.contain("not for me");
      await inbox.close();
      const gone = await failure(ask());
      expect([gone.code, gone.retry]).to.deep.equal(["chain", true]);
      expect(await before()).to.equal(held + FEE);
    });
  });
});
