// The engine in the market, on the embedded chain with the real contracts: claims of its own and of others, prices that
// rise, collateral, several answers in one transaction, inputs by reference.
import { expect } from "chai";
import { keccak256 } from "ethers";
import { claimCall } from "../../../node/chain/calls.ts";
import { type RequestSeen, TOPICS } from "../../../node/chain/codec.ts";
import { NOBODY } from "../../../node/chain/request.ts";
import type { Address, Hex } from "../../../node/core/domain.ts";
import { systemClock } from "../../../node/app/observe.ts";
import { NodeError } from "../../../node/core/errors.ts";
import type { Engine, EngineOptions } from "../../../node/job/engine.ts";
import type { Closed, Job } from "../../../node/job/job.ts";
import { nodeOn, senderOf, stage, type Staged, WALLETS } from "../../support/chain.ts";
import { embeddedChain } from "../../support/chainEmbedded.ts";
import { gate, inputOf, policyOf, trapdoorProving, watch } from "../../support/fakes.ts";
import { TRAPDOOR } from "../../support/trapdoor.ts";

const FEE = 10n ** 15n;
const COLLATERAL = 10n ** 14n + 1n;

describe("a node in the market", function () {
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
    ({ id }: RequestSeen) =>
    (job: Job): job is Closed =>
      job.state === "closed" && job.asked.id === id;
  const balance = (n: 1 | 2 | 3): Promise<bigint> => staged.client.balanceOf(WALLETS[n].address as Address, NOBODY);
  const pass = async (seconds: number): Promise<void> => {
    await chain.rpc.request("evm_increaseTime", [seconds]);
    await chain.mine();
  };
  /** Looks at the chain until a job is closed. */
  async function done(node: Engine, job: Promise<Job>): Promise<Closed> {
    let ended: Job | undefined;
    void job.then((value) => (ended = value));
    while (ended === undefined) {
      await node.tick();
      await new Promise((resolve) => setImmediate(resolve));
    }
    return ended as Closed;
  }

  it("claims with collateral from its wallet, answers at the claim's price, and has the collateral back", async () => {
    const before = await balance(2);
    const { node, seen } = await open({ policy: policyOf({ claim: "always" }) });
    const fee = { min: FEE / 2n, max: FEE, ramp: 1000 };
    const request = await staged.ask({ fee, minCollateral: COLLATERAL, within: 4000 });
    const job = await done(node, seen.until(closed(request)));
    expect(job.reason.kind).to.equal("fulfilled");
    const claim = await staged.client.claimed(request.id, request.block.number);
    const answer = await staged.client.fulfilled(request.id, request.block.number);
    expect(claim).to.include({ prover: WALLETS[2].address, price: answer?.price, collateral: COLLATERAL });
    expect(await balance(2)).to.equal(before + (answer?.price as bigint) + COLLATERAL);
  });

  it("pays collateral from its account while that has enough, and sends none along then", async () => {
    const before = await balance(2);
    expect(before >= COLLATERAL).to.equal(true);
    const wallet = async (): Promise<bigint> =>
      BigInt((await chain.rpc.request("eth_getBalance", [WALLETS[2].address, "latest"])) as string);
    const { node, seen } = await open({ policy: policyOf({ claim: "always" }) });
    const held = await wallet();
    const request = await staged.ask({ minCollateral: COLLATERAL });
    await done(node, seen.until(closed(request)));
    expect(await balance(2)).to.equal(before + FEE);
    const claim = await staged.client.claimed(request.id, request.block.number);
    const sent = (await chain.rpc.request("eth_getTransactionByHash", [claim?.transaction])) as { value: string };
    expect(BigInt(sent.value)).to.equal(0n);
    expect(held > (await wallet()), "gas alone").to.equal(true);
  });

  it("waits for the end of another's claim, answers at its price, and gets half of its collateral", async () => {
    const request = await staged.ask({ fee: FEE, minCollateral: COLLATERAL, claimPeriod: 300 });
    const rival = await senderOf(chain.rpc, WALLETS[3]);
    await rival.submit("claim", claimCall(staged.client.coordinator, request.request, COLLATERAL));
    const [before, refunds] = [await balance(2), await balance(1)];
    const { node, seen } = await open({ startBlock: request.block.number, policy: policyOf({ claim: "always" }) });
    await node.tick();
    await pass(301);
    // It sleeps until then: what wakes it sooner here is a start.
    await node.stop();
    const second = await open({ startBlock: request.block.number, policy: policyOf({ claim: "always" }) });
    const job = await done(second.node, second.seen.until(closed(request)));
    expect(job.reason.kind).to.equal("fulfilled");
    expect(seen.all).to.deep.equal([]);
    expect(await balance(2)).to.equal(before + FEE + COLLATERAL - COLLATERAL / 2n);
    expect(await balance(1)).to.equal(refunds + COLLATERAL / 2n);
  });

  it("keeps its answer for the time after a claim that another was faster with", async () => {
    const proving = gate();
    const { node, seen } = await open({
      policy: policyOf({ claim: "never" }),
      proving: trapdoorProving(TRAPDOOR, (_call, signal) => proving.pass(signal)),
    });
    const request = await staged.ask({ minCollateral: COLLATERAL, within: 1000, claimPeriod: 400 });
    await node.tick();
    await proving.reached;
    const rival = await senderOf(chain.rpc, WALLETS[3]);
    await rival.submit("claim", claimCall(staged.client.coordinator, request.request, COLLATERAL));
    const claim = await staged.client.claimOf(request.request);
    proving.open();
    // The claim leaves time to others before the deadline: the answer waits for it.
    const waiting = await seen.until((job) => job.state === "proved" && job.asked.id === request.id);
    expect(waiting.attempts).to.equal(0);
    expect(claim?.claimer).to.equal(WALLETS[3].address);
    expect(await node.sender.progress(`fulfil:${request.id}`)).to.deep.equal({ kind: "none" });
  });

  it("sends the answers of several requests in one transaction, each paid", async () => {
    const before = await balance(2);
    const { node, seen } = await open({ batchSize: 3, batchMs: 60_000, clock: patient });
    const requests = [await staged.ask({ seed: 1 }), await staged.ask({ seed: 2 }), await staged.ask({ seed: 3 })];
    await node.tick();
    const jobs = [];
    for (const request of requests) jobs.push(await done(node, seen.until(closed(request))));
    expect(jobs.map(({ reason }) => reason.kind)).to.deep.equal(["fulfilled", "fulfilled", "fulfilled"]);
    expect(new Set(jobs.map(({ receipt }) => receipt?.hash)).size).to.equal(1);
    expect(await balance(2)).to.equal(before + 3n * FEE);
  });

  it("leaves out of a batch what cannot be answered any more, and sends the others", async () => {
    const { node, seen } = await open({ batchSize: 4, batchMs: 300, clock: systemClock });
    const short = await staged.ask({ seed: 4, within: 30 });
    const long = [await staged.ask({ seed: 5 }), await staged.ask({ seed: 6 })];
    await node.tick();
    await seen.until((job) => job.state === "proved" && job.asked.id === short.id);
    await pass(60);
    const ended = await Promise.all([short, ...long].map((request) => done(node, seen.until(closed(request)))));
    expect(ended.map(({ reason }) => reason.kind)).to.deep.equal(["expired", "fulfilled", "fulfilled"]);
  });

  it("fetches inputs by reference, and closes with the reason where they are not the request's", async () => {
    const bytes = inputOf(77);
    const good = { kind: "reference", uri: "https://example.org/input", hash: keccak256(bytes) as Hex } as const;
    const { node, seen } = await open({
      inputs: {
        async get({ input }) {
          const uri = Buffer.from(input).toString("utf8");
          if (uri === good.uri) return { bytes };
          throw new NodeError("input", `${uri} is not there`, { mend: "Put it there." });
        },
      },
    });
    const [one, two] = [
      await staged.ask({ from: good }),
      await staged.ask({ from: { ...good, uri: "https://nowhere" } }),
    ];
    expect((await done(node, seen.until(closed(one)))).reason.kind).to.equal("fulfilled");
    const lost = (await done(node, seen.until(closed(two)))).reason;
    expect(lost).to.deep.equal({ kind: "failed", text: "https://nowhere is not there. Put it there." });
    const logs = await chain.rpc.request("eth_getLogs", [{ topics: [TOPICS.fulfilled, one.id], fromBlock: "0x0" }]);
    expect(logs).to.have.length(1);
  });
});

/** Sleeps long sleeps never to their end: a batch goes out when it is full. */
const patient = {
  now: () => Date.now(),
  sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
    ms < 1000
      ? new Promise((resolve) => setImmediate(resolve))
      : new Promise((_resolve, reject) =>
          signal?.addEventListener("abort", () => reject(new NodeError("aborted", "stopped")), { once: true }),
        ),
};
