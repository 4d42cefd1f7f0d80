// The engine on the embedded chain with the real contracts: rivals, reorgs, outages, deadlines, errors. Gates hold the model
// or the prover where the test needs the world to change meanwhile.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { fulfilCall } from "../../../node/chain/calls.ts";
import { challenge, type RequestSeen, TOPICS } from "../../../node/chain/codec.ts";
import { NOBODY } from "../../../node/chain/request.ts";
import type { Rpc } from "../../../node/chain/rpc.ts";
import { connect } from "../../../node/chain/client.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { R } from "../../../node/core/field.ts";
import { fingerprint, wordsOfBytes } from "../../../node/core/tensor.ts";
import type { Engine, EngineOptions } from "../../../node/job/engine.ts";
import type { Closed, Job } from "../../../node/job/job.ts";
import { nodeOn, senderOf, stage, type Staged, WALLETS } from "../../support/chain.ts";
import { embeddedChain } from "../../support/chainEmbedded.ts";
import { answerTo, fakeInfer, gate, memoryJournal, policyOf, trapdoorProving, watch } from "../../support/fakes.ts";
import { prove, TRAPDOOR } from "../../support/trapdoor.ts";

describe("the engine", function () {
  this.timeout(120_000);
  let chain: Awaited<ReturnType<typeof embeddedChain>>;
  let staged: Staged;
  let node: Engine | undefined;

  before(async () => {
    chain = await embeddedChain();
    staged = await stage(chain.rpc);
  });
  afterEach(async () => {
    await node?.stop();
    node = undefined;
  });
  after(() => chain.close());

  async function open(over: Partial<EngineOptions> = {}) {
    const seen = watch();
    node = await nodeOn(staged, {
      onStored: seen.onStored,
      startBlock: (await staged.client.head()).number + 1,
      ...over,
    });
    await node.start();
    return { node, seen };
  }
  const closed =
    (request: RequestSeen) =>
    (job: Job): job is Closed =>
      job.state === "closed" && job.asked.id === request.id;
  const fulfilments = async (request: RequestSeen): Promise<number> => {
    const filter = { address: staged.client.coordinator, topics: [TOPICS.fulfilled, request.id], fromBlock: "0x0" };
    return ((await chain.rpc.request("eth_getLogs", [filter])) as unknown[]).length;
  };

  /** Somebody else answers. */
  async function rival(request: RequestSeen): Promise<void> {
    const sender = await senderOf(chain.rpc, WALLETS[3]);
    const { chainId, coordinator } = staged.client;
    const { input } = request;
    const { model } = request.request;
    const { output, c } = answerTo(input);
    const claim = { chainId, contract: coordinator, request: request.id, model, prover: sender.address };
    const r = challenge("claim", { ...claim, c, input, output });
    const v = fingerprint([...wordsOfBytes(input), ...wordsOfBytes(output)], r, R);
    const answer = { input, output, c, proof: prove(TRAPDOOR, { c, v, r }) };
    const call = fulfilCall(coordinator, { request: request.request, answer, prover: sender.address });
    await sender.submit(`rival:${request.id}`, call);
  }

  it("answers two requests of the same input as two", async () => {
    const { node, seen } = await open();
    const [one, two] = [await staged.ask({ seed: 5 }), await staged.ask({ seed: 5 })];
    await node.tick();
    for (const request of [one, two]) {
      expect(((await seen.until(closed(request))) as Closed).reason.kind).to.equal("fulfilled");
      expect(await fulfilments(request)).to.equal(1);
    }
    expect(one.id).to.not.equal(two.id);
    expect((await node.status()).jobs).to.include({ closed: 2, accepted: 0 });
    expect(await staged.client.balanceOf(node.sender.address, NOBODY)).to.equal(2n * 10n ** 15n);
  });

  it("sees the request of a replaced block closed, its work stopped, and its return as a new job", async () => {
    const proving = gate();
    let stopped: unknown;
    let held = true;
    const { node, seen } = await open({
      proving: trapdoorProving(TRAPDOOR, async (_call, signal) => {
        if (held) await proving.pass(signal).catch((error: unknown) => Promise.reject((stopped = error) as Error));
      }),
    });
    const back = await chain.snapshot();
    const first = await staged.ask();
    await node.tick();
    await proving.reached;
    await back();
    await chain.rpc.request("evm_increaseTime", [5]);
    await chain.mine();
    held = false;
    await node.tick();
    const [lost] = await node.store.list({ states: ["closed"] });
    expect(lost).to.deep.include({ state: "closed" });
    expect((lost as Closed).reason.kind).to.equal("reorged");
    expect(stopped).to.be.instanceOf(NodeError).with.property("code", "aborted");

    // The requester's transaction comes back, in another block.
    const again = await staged.ask({ struct: first.request });
    expect(again.id).to.equal(first.id);
    expect(again.block.hash).to.not.equal(first.block.hash);
    await node.tick();
    const answered = (await seen.until((job) => closed(again)(job) && job.id !== lost?.id)) as Closed;
    expect(answered.reason.kind).to.equal("fulfilled");
    expect(await fulfilments(again)).to.equal(1);
  });
  it("answers again when the block of its answer is replaced", async () => {
    const { node, seen } = await open({ confirmations: 1 });
    const request = await staged.ask();
    await chain.mine();
    const back = await chain.snapshot();
    await node.tick();
    await seen.until((job) => job.state === "settled");
    await back();
    expect(await fulfilments(request)).to.equal(0);
    await node.tick(); // offers the same bytes again
    await chain.mine();
    await node.tick();
    const job = (await seen.until(closed(request))) as Closed;
    expect(job.reason.kind).to.equal("fulfilled");
    expect(await fulfilments(request)).to.equal(1);
  });

  it("yields to another prover that was faster, without a transaction of its own", async () => {
    const proving = gate();
    const { node, seen } = await open({ proving: trapdoorProving(TRAPDOOR, (_call, signal) => proving.pass(signal)) });
    const request = await staged.ask();
    await node.tick();
    await proving.reached;
    await rival(request);
    proving.open();
    const job = (await seen.until(closed(request))) as Closed;
    expect(job.reason).to.deep.equal({ kind: "elsewhere", text: `answered by ${WALLETS[3].address}` });
    expect(await node.sender.progress(`fulfil:${request.id}`)).to.deep.equal({ kind: "none" });
  });

  it("closes a request whose deadline passes while it is being proven, without a transaction", async () => {
    const proving = gate();
    const { node, seen } = await open({ proving: trapdoorProving(TRAPDOOR, (_call, signal) => proving.pass(signal)) });
    const request = await staged.ask({ within: 60 });
    await node.tick();
    await proving.reached;
    await chain.rpc.request("evm_increaseTime", [120]);
    await chain.mine();
    proving.open();
    expect(((await seen.until(closed(request))) as Closed).reason.kind).to.equal("expired");
    expect(await node.sender.progress(`fulfil:${request.id}`)).to.deep.equal({ kind: "none" });
  });

  it("goes on where it was when the chain comes back", async () => {
    let down = false;
    const rpc: Rpc = {
      name: "flaky",
      async request(method, params, signal) {
        if (down) throw new NodeError("chain", `${method}: no answer`, { retry: true });
        return chain.rpc.request(method, params, signal);
      },
    };
    const client = await connect({ rpc, coordinator: staged.client.coordinator });
    const proving = gate();
    let failures = 0;
    const recovered = gate();
    const { node, seen } = await open({
      client,
      proving: trapdoorProving(TRAPDOOR, (_call, signal) => proving.pass(signal)),
      policy: policyOf({
        maxAttempts: 100,
        backoffMs: () => {
          if (++failures === 3) void recovered.pass();
          return 0;
        },
      }),
    });
    const request = await staged.ask();
    await node.tick();
    await proving.reached;
    down = true;
    const tick: unknown = await node.tick().catch((error: unknown) => error);
    expect(tick).to.be.instanceOf(NodeError).with.property("retry", true);
    proving.open();
    await recovered.reached; // three failed tries to submit
    down = false;
    const job = (await seen.until(closed(request))) as Closed;
    expect(job.reason.kind).to.equal("fulfilled");
    expect(job.attempts).to.be.at.least(3);
    expect(await fulfilments(request)).to.equal(1);
  });

  it("tries again what may succeed, and closes what cannot with the reason", async () => {
    const troubles: Readonly<Record<number, NodeError>> = {
      1: new NodeError("environment", "the prover died", { retry: true }),
      2: new NodeError("environment", "the prover died again", { retry: true }),
      4: new NodeError("integrity", "the proof does not hold", { mend: "Compile again." }),
    };
    const proving = trapdoorProving(TRAPDOOR, async (call) => {
      if (troubles[call] !== undefined) throw troubles[call];
    });
    const { node, seen } = await open({ proving });
    const one = await staged.ask({ seed: 1 });
    await node.tick();
    const first = (await seen.until(closed(one))) as Closed;
    expect(first.reason.kind).to.equal("fulfilled");
    expect(first).to.include({ attempts: 2, trouble: "the prover died again" });
    const two = await staged.ask({ seed: 2 });
    await node.tick();
    const second = (await seen.until(closed(two))) as Closed;
    expect(second.reason).to.deep.equal({ kind: "failed", text: "the proof does not hold. Compile again." });
    expect(second.attempts).to.equal(1);
  });

  it("gives up after as many attempts as the policy says", async () => {
    const infer = fakeInfer(async () => {
      throw new NodeError("environment", "no memory", { retry: true });
    });
    const { node, seen } = await open({ infer, policy: policyOf({ maxAttempts: 3 }) });
    const request = await staged.ask();
    await node.tick();
    const job = (await seen.until(closed(request))) as Closed;
    expect(job.reason).to.deep.equal({ kind: "failed", text: "no memory (3 attempts)" });
    expect(infer.calls).to.equal(3);
  });

  it("stops in the middle of a proof and begins it again at the next start", async () => {
    const place = { dir: fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-engine-")) };
    const proving = gate();
    const journal = memoryJournal();
    const held = trapdoorProving(TRAPDOOR, (_call, signal) => proving.pass(signal));
    const first = await open({ place, log: journal, proving: held });
    const request = await staged.ask();
    await first.node.tick();
    await proving.reached;
    expect((await first.node.status()).active).to.have.length(1);
    await first.node.stop();
    expect(journal.lines.filter(({ level }) => level === "error")).to.deep.equal([]);
    expect(first.seen.all.map(({ state }) => state)).to.deep.equal(["inferred"]);

    const infer = fakeInfer();
    const second = await open({ place, infer });
    expect(((await second.seen.until(closed(request))) as Closed).reason.kind).to.equal("fulfilled");
    expect(infer.calls, "what was stored is not done again").to.equal(0);
    await second.node.stop();
    fs.rmSync(place.dir, { recursive: true });
  });
});
