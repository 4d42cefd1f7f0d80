// The base contracts that dapps are built on: what a draft says, each way to pay, whose answers get in and how often, and
// what happens to money that was not spent.
import { expect } from "chai";
import { type BaseContract, hexlify, id as keccakOfText, keccak256, toBeHex, ZeroHash } from "ethers";
import fs from "node:fs";
import { Evidence } from "../../node/core/domain.ts";
import { type Asked, type Chain, FEE, INPUT, NATIVE, NOBODY, OUTPUT, START, openChain, send, type Stage, view } from "../support/contracts.ts"; // prettier-ignore
import { INPUT_KIND, type Terms } from "../support/contractsRequest.ts";
import { askedIn, originOf } from "../support/dapps.ts";

const PERIOD = 600;
const [ACCOUNT, DIRECT] = [0, 1];
const [REVERT] = [1];
const CONTEXT = (1n << 248n) - 1n;

describe("a consumer", () => {
  let chain: Chain;
  let s: Stage;
  let dapp: BaseContract;
  let place: string;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    s = await chain.stage();
    dapp = await s.deploy("OpenConsumer", s.coordinatorAddress);
    place = await dapp.getAddress();
  });
  const from = () => s.signers.requester;
  const draft = async (over: Partial<Terms> = {}, fee = FEE): Promise<Terms> => ({
    ...((await view(dapp, "draft", [s.model, fee, PERIOD])) as { toObject(): Terms }).toObject(),
    submitBy: START + 200_000, // in a dapp, draft and request are of one transaction
    ...over,
  });
  async function ask(over: Partial<Terms> = {}, { payment = DIRECT, context = 7n, value = FEE } = {}): Promise<Asked> {
    const args = [await draft(over), INPUT, payment, context];
    return askedIn(s, await send(dapp, "ask", args, { from: from(), value: payment === DIRECT ? value : 0n }));
  }
  const noted = async (): Promise<readonly unknown[]> => [...((await view(dapp, "noted")) as unknown[])];
  const answers = () => view(dapp, "answers");

  describe("drafts", () => {
    it("with defaults that are safe", async () => {
      const now = await chain.helpers.time.latest();
      const r = await draft({ submitBy: now });
      const terms = Object.fromEntries(Object.entries(r).map(([k, v]) => [k, typeof v === "bigint" ? Number(v) : v]));
      expect(terms).to.deep.equal({
        ...{ requester: place, payer: place, consumer: place, prover: NOBODY, model: s.model },
        ...{ inputKind: INPUT_KIND.data, inputHash: ZeroHash, originHash: ZeroHash },
        ...{ token: NATIVE, minFee: Number(FEE), maxFee: Number(FEE), minCollateral: Number(FEE) },
        ...{ start: now, rampEnd: now, submitBy: now, deadline: now + PERIOD, claimPeriod: PERIOD / 4 },
        ...{ callbackGas: 200_000, requiredEvidence: Evidence.zk, allowDevelopmentKeys: false, nonce: 0, readAt: 0 },
      });
    });

    it("refuse fees and times that do not fit, instead of cutting them off", async () => {
      await draft({}, 2n ** 96n - 1n);
      await expect(draft({}, 2n ** 96n)).to.be.revertedWithCustomError(dapp, "SafeCastOverflowedUintDowncast");
      await expect(view(dapp, "draft", [s.model, FEE, 2n ** 32n])).to.be.revertedWithCustomError(dapp, "SafeCastOverflowedUintDowncast"); // prettier-ignore
    });

    it("refuse a development key unless the dapp says otherwise", async () => {
      const model = await s.another({ keyKind: 0 });
      await expect(ask({ model })).to.be.revertedWithCustomError(s.coordinator, "DevelopmentKeyNotAllowed");
      await ask({ model, allowDevelopmentKeys: true });
    });

    it("become requests with the input's hash and a number of their own", async () => {
      const [one, two] = [await ask(), await ask()];
      expect(one.r.inputHash).to.equal(keccak256(INPUT));
      expect([one.r.nonce, two.r.nonce]).to.deep.equal([1n, 2n]);
      expect(one.id).to.equal(s.idOf(one.r));
      const uri = "ipfs://input";
      const args = [await draft({ inputKind: INPUT_KIND.reference, inputHash: keccak256(INPUT) }), Buffer.from(uri), DIRECT, 0]; // prettier-ignore
      const far = await askedIn(s, await send(dapp, "ask", args, { from: from(), value: FEE }));
      expect(far.r.originHash).to.equal(keccakOfText(uri));
    });

    it("read from a source, and demand that the result says so", async () => {
      const source = await s.deploy("FixedSource");
      const where = await source.getAddress();
      await send(source, "set", [INPUT], { from: from() });
      const args = [await draft(), where, hexlify(INPUT)];
      const asked = await askedIn(s, await send(dapp, "askSource", args, { from: from(), value: FEE }));
      expect(asked.r.requiredEvidence).to.equal(Evidence.zk | 16);
      expect(asked.r.originHash).to.equal(keccak256(originOf(where, hexlify(INPUT))));
      await s.fulfil(s.answer(asked));
      expect(await answers()).to.equal(1n);
    });
  });

  describe("pays", () => {
    it("in the native coin, with the transaction", async () => {
      await ask();
      expect((await s.books()).escrow).to.equal(FEE);
    });

    it("in a token that it holds, leaving nothing approved", async () => {
      const token = await s.deploy("PlainToken");
      const coin = await token.getAddress();
      await send(token, "mint", [place, 5n * FEE], { from: from() });
      await ask({ token: coin }, { value: 0n });
      expect((await s.books(coin)).escrow).to.equal(FEE);
      expect(await view(token, "allowance", [place, s.coordinatorAddress])).to.equal(0n);
      expect(await view(token, "balanceOf", [place])).to.equal(4n * FEE);
    });

    it("from its account at the coordinator", async () => {
      await expect(ask({}, { payment: ACCOUNT })).to.be.revertedWithCustomError(s.coordinator, "BalanceTooLow");
      await s.deposit(from(), FEE, NATIVE, place);
      await ask({}, { payment: ACCOUNT });
      expect(await s.balanceOf(place)).to.equal(0n);
    });

    it("from the account of somebody who authorised it, as far as that goes", async () => {
      const { payer } = s.signers;
      await s.deposit(payer, 3n * FEE);
      const over = { payer: payer.address };
      await expect(ask(over, { payment: ACCOUNT })).to.be.revertedWithCustomError(s.coordinator, "AllowanceTooLow");
      await s.authorise(payer, place, FEE);
      const asked = await ask(over, { payment: ACCOUNT });
      await expect(ask(over, { payment: ACCOUNT })).to.be.revertedWithCustomError(s.coordinator, "AllowanceTooLow");
      await chain.at(Number(asked.r.deadline) + 1);
      await s.expire(asked);
      expect(await s.balanceOf(payer.address)).to.equal(3n * FEE);
    });

    it("and gets back what nobody earned", async () => {
      const asked = await ask({ minFee: 0n, rampEnd: START + 100_000, deadline: START + 100_000, start: START + 50_000 }); // prettier-ignore
      await chain.at(START + 75_000);
      await s.fulfil(s.answer(asked));
      const late = await ask({ deadline: START + 80_000 });
      await chain.at(START + 80_001);
      await s.expire(late);
      expect(await s.balanceOf(place)).to.equal(FEE / 2n + FEE);
      const { stranger } = s.signers;
      await expect(send(dapp, "withdraw", [NATIVE, stranger.address], { from: from() })).to.changeEtherBalance(
        chain.ethers,
        stranger,
        FEE / 2n + FEE,
      );
    });
  });

  describe("is called", () => {
    it("with the answer and its context, by the coordinator", async () => {
      const asked = await ask({}, { context: CONTEXT });
      await s.fulfil(s.answer(asked));
      expect(await noted()).to.deep.equal([asked.id, CONTEXT, hexlify(OUTPUT)]);
    });

    it("by nobody else", async () => {
      const asked = await ask();
      for (const caller of [s.signers.deployer, s.signers.prover, from()]) {
        await expect(send(dapp, "onInference", [asked.id, OUTPUT], { from: caller }))
          .to.be.revertedWithCustomError(dapp, "CallerIsNotCoordinator")
          .withArgs(caller.address);
      }
    });

    it("not with answers to what others asked in its name", async () => {
      const foreign = await s.request({ consumer: place, callbackGas: 200_000 });
      await expect(s.fulfil(s.answer(foreign)))
        .to.emit(s.coordinator, "CallbackFailed")
        .withArgs(foreign.id, place);
      await expect(s.retry(foreign)).to.be.revertedWithCustomError(dapp, "RequestNotPending").withArgs(foreign.id);
      expect(await answers()).to.equal(0n);
    });

    it("once, and not for a request that it gave up", async () => {
      const [kept, dropped] = [await ask(), await ask()];
      await send(dapp, "forget", [dropped.id], { from: from() });
      await s.fulfil(s.answer(kept));
      await expect(s.fulfil(s.answer(dropped)))
        .to.emit(s.coordinator, "CallbackFailed")
        .withArgs(dropped.id, place);
      await expect(s.retry(kept)).to.be.revertedWithCustomError(s.coordinator, "CallbackNotPending");
      await expect(s.retry(dropped)).to.be.revertedWithCustomError(dapp, "RequestNotPending");
      expect(await answers()).to.equal(1n);
      expect((await s.resultOf(dropped)).output).to.equal(hexlify(OUTPUT));
    });

    it("once, even if a coordinator called twice", async () => {
      const fake = await s.deploy("FakeCoordinator");
      const other = await s.deploy("OpenConsumer", await fake.getAddress());
      const r = await draft({ requester: await other.getAddress() });
      await send(other, "ask", [r, INPUT, DIRECT, 7], { from: from(), value: FEE });
      const deliver = () => send(fake, "deliver", [other, toBeHex(1, 32), OUTPUT], { from: from() });
      await deliver();
      await expect(deliver()).to.be.revertedWithCustomError(other, "RequestNotPending");
      expect(await view(other, "answers")).to.equal(1n);
    });

    it("again by anybody after it reverted, since the request stayed pending", async () => {
      const asked = await ask();
      await send(dapp, "behave", [REVERT], { from: from() });
      await expect(s.fulfil(s.answer(asked)))
        .to.emit(s.coordinator, "CallbackFailed")
        .withArgs(asked.id, place);
      await expect(s.retry(asked)).to.be.revertedWithCustomError(dapp, "NotToday");
      await send(dapp, "behave", [0], { from: from() });
      await expect(s.retry(asked)).to.emit(s.coordinator, "CallbackDelivered");
      expect(await answers()).to.equal(1n);
    });

    it("and may ask the next question while it is", async () => {
      await s.deposit(from(), FEE, NATIVE, place);
      const asked = await ask({ callbackGas: 600_000 });
      await send(dapp, "askNext", [await draft(), INPUT], { from: from() });
      const next = await askedIn(s, await s.fulfil(s.answer(asked)));
      expect(await view(s.coordinator, "callbackPending", [asked.id])).to.equal(false);
      await s.fulfil(s.answer(next));
      expect(await noted()).to.deep.equal([next.id, 8n, hexlify(OUTPUT)]);
    });

    it("and says by ERC-165 that it can be", async () => {
      const onInference = keccakOfText("onInference(bytes32,bytes)").slice(0, 10);
      for (const [id, supported] of [
        ["0x01ffc9a7", true],
        [onInference, true],
        ["0xffffffff", false],
      ] as const)
        // prettier-ignore
        expect(await view(dapp, "supportsInterface", [id])).to.equal(supported);
    });
  });

  it("is short: the first dapp of the documents keeps a score by its entry", async () => {
    const jury = await s.deploy("Jury", s.coordinatorAddress, s.model);
    const asked = await askedIn(s, await send(jury, "ask", [42, INPUT], { from: from(), value: FEE }));
    const output = Uint8Array.from(OUTPUT);
    output.set([0xfe, 0x80]); // -384 / 256
    await s.fulfil(s.answer(asked, { output }));
    expect(await view(jury, "scores", [42])).to.equal(-1_500_000_000_000_000_000n);
  });

  it("is documented with code that is compiled, all of it", () => {
    const plain = (text: string): string => text.replaceAll(/\s+/g, " ").trim();
    const places = ["contracts", "contracts/examples", "contracts/sources", "test/contracts/harness"];
    const files = places.flatMap((folder) => fs.readdirSync(folder).map((file) => `${folder}/${file}`));
    const code = plain(files.filter((file) => file.endsWith(".sol")).map((file) => fs.readFileSync(file, "utf8")).join("\n")); // prettier-ignore
    const text = fs.readFileSync("docs/dapps.md", "utf8");
    const blocks = [...text.matchAll(/```(\w*)\n([^`]*)```/g)];
    expect(blocks).to.have.length.of.at.least(8);
    for (const [, language, block = ""] of blocks) {
      expect(language).to.equal("solidity");
      expect(code).to.contain(plain(block));
    }
  });
});
