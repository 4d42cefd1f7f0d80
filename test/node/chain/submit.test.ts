// The sender on the embedded chain: same name, same transaction; crashes between record and offer; gaps, bumps, reorgs,
// replaced and senseless nonces.
import { expect } from "chai";
import { expireCall, fulfilCall } from "../../../node/chain/calls.ts";
import { type Rpc, rpcError } from "../../../node/chain/rpc.ts";
import { type Intent, type IntentLog, memoryLog } from "../../../node/chain/submit.ts";
import { settle } from "../../../node/chain/write.ts";
import type { Address } from "../../../node/core/domain.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { senderOf, stage, type Staged, WALLETS } from "../../support/chain.ts";
import { embeddedChain } from "../../support/chainEmbedded.ts";
import { fakeClock, hastyClock, memoryJournal } from "../../support/fakes.ts";

type Chain = Awaited<ReturnType<typeof embeddedChain>>;

const wallet = WALLETS[3];
const payee = (n: number): Address => `0x${n.toString(16).padStart(40, "0")}` as Address;
const pay = (n: number, value = 1n) => ({ to: payee(0x1000 + n), data: "0x" as const, value });

async function failure(work: Promise<unknown>): Promise<NodeError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).to.be.instanceOf(NodeError);
  return thrown as NodeError;
}

describe("the sender", () => {
  let chain: Chain;
  let restore: () => Promise<void>;
  let journal: ReturnType<typeof memoryJournal>;
  const balance = async (n: number): Promise<bigint> =>
    BigInt((await chain.rpc.request("eth_getBalance", [payee(0x1000 + n), "latest"])) as string);

  before(async () => {
    chain = await embeddedChain();
  });
  beforeEach(async () => {
    restore = await chain.snapshot();
    journal = memoryJournal();
  });
  afterEach(async () => {
    await chain.automine(true);
    await restore();
  });
  after(() => chain.close());

  it("sends what has the same name once", async () => {
    const sender = await senderOf(chain.rpc, wallet);
    const first = await sender.submit("pay:1", pay(1));
    const second = await sender.submit("pay:1", pay(1));
    expect(second).to.deep.equal(first);
    expect(await balance(1)).to.equal(1n);
    expect(await sender.progress("pay:1")).to.deep.include({ kind: "included", confirmed: true });
    expect(await sender.progress("pay:2")).to.deep.equal({ kind: "none" });
  });

  it("sends a confirmed name again only if told that its effect was undone", async () => {
    const sender = await senderOf(chain.rpc, wallet);
    await sender.submit("pay:1", pay(1));
    await sender.submit("pay:1", pay(1), { again: true });
    expect(await balance(1), "not confirmed by tend() yet: still the same").to.equal(1n);
    await sender.tend();
    await sender.submit("pay:1", pay(1), { again: true });
    expect(await balance(1)).to.equal(2n);
  });

  it("sends one call under several names once, whichever of them it is asked for again", async () => {
    const log = memoryLog();
    const sender = await senderOf(chain.rpc, wallet, { log });
    const first = await sender.submit(["pay:1", "pay:2"], pay(1));
    for (const name of ["pay:1", "pay:2"]) {
      expect(await sender.submit(name, pay(1))).to.deep.equal(first);
      expect(await sender.progress(name)).to.deep.include({ kind: "included", confirmed: true });
    }
    expect(await sender.submit(["pay:3", "pay:2"], pay(1)), "one of them is known").to.deep.equal(first);
    expect(await sender.progress("pay:3")).to.deep.equal({ kind: "none" });
    expect(await balance(1)).to.equal(1n);
    await sender.tend();
    expect((await log.find("pay:2"))?.state).to.equal("mined");
  });

  it("takes the gas that a call names, if the call would not revert", async () => {
    const log = memoryLog();
    const sender = await senderOf(chain.rpc, wallet, { log });
    await sender.submit("pay:1", { ...pay(1), gas: 123_456n });
    expect((await log.find("pay:1"))?.gas).to.equal(123_456n);
  });

  it("gives concurrent callers different nonces", async () => {
    const sender = await senderOf(chain.rpc, wallet);
    await Promise.all([1, 2, 3, 4, 5].map((n) => sender.submit(`pay:${n}`, pay(n))));
    for (const n of [1, 2, 3, 4, 5]) expect(await balance(n), `payee ${n}`).to.equal(1n);
  });

  it("offers the recorded bytes after a crash between record and offer, and sends them once", async () => {
    const log = memoryLog();
    const dying = await senderOf(chain.rpc, wallet, {
      log,
      fault: (point) => {
        if (point === "recorded") throw new Error("crash");
      },
    });
    await dying.submit("pay:1", pay(1)).catch(() => undefined);
    expect(await balance(1)).to.equal(0n);
    const next = await senderOf(chain.rpc, wallet, { log });
    await next.submit("pay:1", pay(1));
    await next.tend();
    expect(await balance(1)).to.equal(1n);
    expect(await log.open()).to.deep.equal([]);
  });

  it("closes the gap that a crash left before later nonces", async () => {
    const log = memoryLog();
    let crash = true;
    const options = {
      log,
      fault: (point: string) => {
        if (crash && point === "recorded") throw new Error("crash");
      },
    };
    const sender = await senderOf(chain.rpc, wallet, options);
    await sender.submit("pay:1", pay(1)).catch(() => undefined);
    crash = false;
    await sender.submit("pay:2", pay(2));
    expect(await sender.progress("pay:2")).to.include({ kind: "pending" });
    await sender.tend();
    expect([await balance(1), await balance(2)]).to.deep.equal([1n, 1n]);
    await sender.tend();
    expect(await log.open()).to.deep.equal([]);
  });

  it("counts transactions that it does not know: pending ones of another tool", async () => {
    await chain.automine(false);
    const other = await senderOf(chain.rpc, wallet);
    await other.submit("pay:1", pay(1));
    const sender = await senderOf(chain.rpc, wallet);
    await sender.submit("pay:2", pay(2));
    await chain.mine();
    expect([await balance(1), await balance(2)]).to.deep.equal([1n, 1n]);
  });

  it("voids a nonce that another tool used, and takes the next one for the same name", async () => {
    const log = memoryLog();
    const dying = await senderOf(chain.rpc, wallet, {
      log,
      fault: (point) => {
        if (point === "recorded") throw new Error("crash");
      },
    });
    await dying.submit("pay:1", pay(1)).catch(() => undefined);
    await (await senderOf(chain.rpc, wallet)).submit("pay:2", pay(2));
    const sender = await senderOf(chain.rpc, wallet, { log, journal });
    await sender.tend();
    expect(await sender.progress("pay:1")).to.deep.equal({ kind: "none" });
    expect(journal.lines.map(({ message }) => message)).to.include(
      "the nonce was used by another transaction of this key",
    );
    await sender.submit("pay:1", pay(1));
    expect([await balance(1), await balance(2)]).to.deep.equal([1n, 1n]);
  });

  it("does not take its own transaction for another tool's if the block comes between two questions", async () => {
    const log = memoryLog();
    let early = true;
    const rpc: Rpc = {
      ...chain.rpc,
      async request(method, params, signal) {
        const answer = await chain.rpc.request(method, params, signal);
        if (method !== "eth_getTransactionReceipt" || !early) return answer;
        early = false;
        return null;
      },
    };
    const sender = await senderOf(rpc, wallet, { log });
    await sender.submit("pay:1", pay(1));
    await sender.tend();
    expect(early).to.equal(false);
    expect((await log.find("pay:1"))?.state).to.equal("open");
    await sender.tend();
    expect((await log.find("pay:1"))?.state).to.equal("mined");
  });

  it("raises the fees of a transaction that is not included, after the time and not before", async () => {
    await chain.automine(false);
    const clock = fakeClock();
    const log = memoryLog();
    const sender = await senderOf(chain.rpc, wallet, { log, clock, bumpAfterMs: 1000 });
    await sender.submit("pay:1", pay(1));
    const [before] = await log.open();
    clock.advance(999);
    await sender.tend();
    expect((await log.open())[0]).to.deep.equal(before);
    clock.advance(1);
    await sender.tend();
    const [raised] = (await log.open()) as [Intent];
    expect(raised.nonce).to.equal(before?.nonce);
    expect(raised.hashes).to.have.length(2);
    expect(raised.maxFee >= ((before?.maxFee as bigint) * 110n) / 100n).to.equal(true);
    expect(raised.priorityFee >= ((before?.priorityFee as bigint) * 110n) / 100n).to.equal(true);
    await chain.mine();
    expect(await balance(1)).to.equal(1n);
    const progress = await sender.progress("pay:1");
    expect(progress.kind === "included" && progress.receipt.hash).to.equal(raised.hashes[1]);
  });

  it("never offers more than its limit per gas", async () => {
    await chain.automine(false);
    const clock = fakeClock();
    const log = memoryLog();
    const sender = await senderOf(chain.rpc, wallet, { log, clock, bumpAfterMs: 1, maxFeePerGas: 4n * 10n ** 9n });
    await sender.submit("pay:1", pay(1));
    for (let i = 0; i < 20; i++) {
      clock.advance(10);
      await sender.tend();
    }
    const [intent] = (await log.open()) as [Intent];
    expect(intent.maxFee <= 4n * 10n ** 9n).to.equal(true);
    const poor = await senderOf(chain.rpc, wallet, { maxFeePerGas: 1n });
    expect(await failure(poor.submit("pay:2", pay(2)))).to.include({ code: "chain", retry: true });
  });

  it("offers a transaction again that a reorg threw out", async () => {
    const log = memoryLog();
    const sender = await senderOf(chain.rpc, wallet, { log, confirmations: 2 });
    const back = await chain.snapshot();
    await sender.submit("pay:1", pay(1));
    await sender.tend();
    expect(await log.open(), "one block is not two").to.have.length(1);
    await back();
    expect(await balance(1)).to.equal(0n);
    await sender.tend();
    expect(await balance(1)).to.equal(1n);
    await chain.mine(2);
    await sender.tend();
    expect(await log.open()).to.deep.equal([]);
  });

  it("settle() waits for the confirmations and returns the receipt", async () => {
    const sender = await senderOf(chain.rpc, wallet, { confirmations: 3 });
    const waits: number[] = [];
    const clock = {
      now: () => 0,
      sleep: async () => {
        waits.push(1);
        await chain.mine();
      },
    };
    const receipt = await settle("pay:1", pay(1), { sender, clock });
    expect(receipt).to.deep.include({ ok: true, gasUsed: 21_000n });
    expect(waits).to.have.length(3);
  });

  it("takes a usual tip where the endpoint has no opinion", async () => {
    const rpc: Rpc = {
      name: "silent on tips",
      async request(method, params, signal) {
        if (method === "eth_maxPriorityFeePerGas") throw rpcError(method, { code: -32601, message: "no such method" });
        return chain.rpc.request(method, params, signal);
      },
    };
    const log = memoryLog();
    await chain.automine(false);
    await (await senderOf(rpc, wallet, { log })).submit("pay:1", pay(1));
    expect((await log.open())[0]?.priorityFee).to.equal(10n ** 9n);
  });

  it("looks after the other nonces when one cannot be helped", async () => {
    await chain.automine(false);
    const log = memoryLog();
    const clock = fakeClock();
    const rpc: Rpc = {
      name: "stubborn",
      async request(method, params, signal) {
        const [first] = params;
        if (method === "eth_estimateGas" && clock.now() > start && (first as { to: string }).to === payee(0x1001)) {
          throw rpcError(method, { code: -32602, message: "no" });
        }
        return chain.rpc.request(method, params, signal);
      },
    };
    const start = clock.now();
    const sender = await senderOf(rpc, wallet, { log, clock, journal, bumpAfterMs: 1 });
    await sender.submit("pay:1", pay(1));
    await sender.submit("pay:2", pay(2));
    clock.advance(5);
    await sender.tend();
    expect((await log.open()).map(({ hashes }) => hashes.length)).to.deep.equal([1, 2]);
    expect(journal.lines.map(({ message }) => message)).to.deep.equal(["a transaction needs a person"]);
  });

  it("does not mistake an endpoint that is down for a refusal, and leaves nothing behind that it did not record", async () => {
    const log = memoryLog();
    let down = true;
    const rpc: Rpc = {
      name: "flaky",
      async request(method, params, signal) {
        if (down && method === "eth_sendRawTransaction") throw new NodeError("chain", "down", { retry: true });
        return chain.rpc.request(method, params, signal);
      },
    };
    const sender = await senderOf(rpc, wallet, { log });
    expect(await failure(sender.submit("pay:1", pay(1)))).to.include({ retry: true });
    expect(await log.open()).to.have.length(1);
    down = false;
    await sender.submit("pay:1", pay(1));
    expect(await balance(1)).to.equal(1n);
    expect(await log.nextNonce()).to.equal(1);
  });
});

describe("a call that the contract refuses", () => {
  let chain: Chain;
  let staged: Staged;
  let log: IntentLog;
  before(async () => {
    chain = await embeddedChain();
    staged = await stage(chain.rpc);
  });
  beforeEach(() => (log = memoryLog()));
  after(() => chain.close());

  it("is not sent, and its reason is named with the facts", async () => {
    const { request } = await staged.ask();
    const sender = await senderOf(chain.rpc, wallet, { log });
    const call = expireCall(staged.client.coordinator, request);
    const error = await failure(settle("expire", call, { sender, clock: hastyClock() }));
    expect(error.message).to.equal("expire: the deadline is not over yet");
    expect(error.mend).to.be.a("string");
    expect(error.facts).to.include({ refusal: "DeadlineNotPassed", deadline: BigInt(request.deadline) });
    expect(error.retry).to.equal(false);
    expect(await log.open()).to.deep.equal([]);
  });

  it("has its nonce used up for nothing if it was recorded before it lost its sense", async () => {
    const { id, request } = await staged.ask({ within: 100 });
    await chain.rpc.request("evm_increaseTime", [200]);
    await chain.mine();
    await chain.automine(false);
    const clock = fakeClock();
    const late = await senderOf(chain.rpc, wallet, { log, clock, bumpAfterMs: 10 });
    const rival = await senderOf(chain.rpc, WALLETS[2]);
    const call = expireCall(staged.client.coordinator, request);
    await late.submit(`expire:${id}`, call);
    await chain.rpc.request("hardhat_dropTransaction", [(await log.open())[0]?.hashes[0]]);
    await rival.submit(`expire:${id}`, call);
    await chain.mine();
    clock.advance(10);
    await late.tend();
    await chain.mine();
    await late.tend();
    await chain.automine(true);
    expect(await late.progress(`expire:${id}`)).to.deep.equal({ kind: "none" });
    expect(await log.open()).to.deep.equal([]);
    const nonce = await chain.rpc.request("eth_getTransactionCount", [wallet.address, "latest"]);
    expect(Number(nonce), "the nonce is used").to.equal(await log.nextNonce());
  });

  it("a proof that does not hold is an integrity error", async () => {
    const { request, input } = await staged.ask();
    const sender = await senderOf(chain.rpc, wallet, { log });
    const output = new Uint8Array(20);
    const proof = { a: [1n, 2n], b: [[0n, 0n], [0n, 0n]], c: [1n, 2n] } as const; // prettier-ignore
    const answer = { input, output, c: 1n, proof };
    const call = fulfilCall(staged.client.coordinator, { request, answer, prover: sender.address });
    const error = await failure(sender.submit("fulfil:x", call));
    expect(error).to.include({ code: "integrity", retry: false });
    expect(error.facts).to.include({ refusal: "InvalidProof" });
  });
});
