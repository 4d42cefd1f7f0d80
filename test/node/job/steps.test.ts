// Each step on its own: what it makes of a job, what it refuses at the border and just inside, and that it may run twice.
import { expect } from "chai";
import { NOBODY, type Request } from "../../../node/chain/request.ts";
import type { Address } from "../../../node/core/domain.ts";
import { NodeError } from "../../../node/core/errors.ts";
import type { Closed, Inferred, OpenJob, Proved, Settled, Submitted } from "../../../node/job/job.ts";
import { exponentialBackoff, type Inputs, type Policy, type Ports, type Standing } from "../../../node/job/ports.ts";
import { isWaiting, type Outcome, runStep } from "../../../node/job/steps.ts";
import {
  answerTo,
  type FakeJobChain,
  fakeInfer,
  fakeJobChain,
  fakeModels,
  inputOf,
  noInputs,
  policyOf,
  PROVER,
  requestSeen,
  trapdoorProving,
} from "../../support/fakes.ts";
import { TRAPDOOR } from "../../support/trapdoor.ts";

/** Somebody else. */
const WALLET = "0x00000000000000000000000000000000000000B2";
const signal = new AbortController().signal;
const base = { id: 1, version: 4, attempts: 0 };
const receipt = { hash: "0x01", block: { number: 9, hash: "0x09" }, gasUsed: 5n } as const;
const included = {
  kind: "included",
  confirmed: false,
  receipt: { ...receipt, ok: true, contract: undefined },
} as const;

interface Case {
  readonly ports: Ports;
  readonly chain: FakeJobChain;
  readonly request: ReturnType<typeof requestSeen>;
}

function setting(over: Partial<Ports> & { readonly request?: Case["request"] } = {}): Case {
  const request = over.request ?? requestSeen();
  const chain = fakeJobChain(request);
  const ports: Ports = {
    models: fakeModels(request.request.model),
    inputs: noInputs(),
    infer: fakeInfer(),
    proving: trapdoorProving(TRAPDOOR),
    chain,
    policy: policyOf({ minimumFees: { [NOBODY]: 1000n }, marginSeconds: 10 }),
    ...over,
  };
  return { ports, chain, request };
}

const step = (job: OpenJob, ports: Ports): Promise<Outcome> => runStep(job, ports, signal);
async function closedBy(job: OpenJob, ports: Ports): Promise<Closed["reason"]> {
  const outcome = await step(job, ports);
  if (isWaiting(outcome) || outcome.state !== "closed")
    throw new Error(`not closed: ${JSON.stringify(Object.keys(outcome))}`);
  return outcome.reason;
}

/** A job of `request` in each state. */
async function jobs({ ports, request, chain }: Case) {
  const accepted = { ...base, asked: request, state: "accepted" } as const;
  const inferred = (await step(accepted, ports)) as Inferred;
  const proved = (await step(inferred, ports)) as Proved;
  const submitted: Submitted = { ...proved, state: "submitted" };
  const settled: Settled = { ...proved, state: "settled", receipt };
  chain.sent.length = 0;
  return { accepted, inferred, proved, submitted, settled };
}

describe("the steps", () => {
  it("go from accepted to closed, and give the same when run twice", async () => {
    const at = setting();
    const { accepted, inferred, proved } = await jobs(at);
    expect(inferred).to.deep.include({ state: "inferred", ...answerTo(at.request.input) });
    expect(await step(accepted, at.ports)).to.deep.equal(inferred);
    expect(proved).to.deep.include({ state: "proved", prover: PROVER });
    expect(await step(inferred, at.ports)).to.deep.equal(proved);
    const submitted = await step(proved, at.ports);
    expect(submitted).to.include({ state: "submitted" });
    expect(at.chain.sent).to.have.length(1);
    at.chain.state = { kind: "pending", hash: "0x01" };
    expect(await step(proved, at.ports), "sent before a crash: not sent again").to.deep.equal(submitted);
    expect(at.chain.sent).to.have.length(1);
    at.chain.state = included;
    at.chain.stands = { status: "fulfilled", by: PROVER };
    const settled = (await step(submitted as Submitted, at.ports)) as Settled;
    expect(settled).to.deep.include({ state: "settled", receipt });
    expect(await step(settled, at.ports)).to.have.property("waitsFor");
    at.chain.state = { ...included, confirmed: true };
    expect((await closedBy(settled, at.ports)).kind).to.equal("fulfilled");
  });

  describe("admission", () => {
    const accepted = (at: Case) => ({ ...base, asked: at.request, state: "accepted" }) as const;
    const admits = async (at: Case): Promise<void> => {
      expect(await step(accepted(at), at.ports)).to.include({ state: "inferred" });
    };
    const refuses = async (at: Case, kind: string, text: RegExp): Promise<void> => {
      const reason = await closedBy(accepted(at), at.ports);
      expect(reason.kind).to.equal(kind);
      expect(reason.text).to.match(text);
      expect((at.ports.infer as ReturnType<typeof fakeInfer>).calls, "the model did not run").to.equal(0);
    };

    it("refuses a model that is not served", async () => {
      await refuses(setting({ models: fakeModels() }), "refused", /not among this node's packages/);
    });
    it("takes the minimum fee and refuses one wei less", async () => {
      await admits(setting({ request: requestSeen({ request: { minFee: 1000n, maxFee: 1000n } }) }));
      const poor = requestSeen({ request: { minFee: 999n, maxFee: 999n } });
      await refuses(setting({ request: poor }), "refused", /fee of at most 999 wei.*1000/);
    });
    it("takes the tokens that it has a minimum for, each with its own", async () => {
      const token = `0x${"70".repeat(20)}` as Address;
      const paid = { request: requestSeen({ request: { token, minFee: 5n, maxFee: 5n } }) };
      const policy = (least: bigint): Policy => policyOf({ minimumFees: { [NOBODY]: 1000n, [token]: least } });
      await admits(setting({ ...paid, policy: policy(5n) }));
      await refuses(setting({ ...paid, policy: policy(6n) }), "refused", /below this node's minimum of 6/);
      await refuses(setting(paid), "refused", /does not take/);
    });
    it("takes the callback's gas that it pays for, and refuses one more; without a consumer the number says nothing", async () => {
      const calling = (callbackGas: number, consumer = WALLET as Address): Case =>
        setting({
          request: requestSeen({ request: { consumer, callbackGas } }),
          policy: policyOf({ minimumFees: { [NOBODY]: 1000n }, callbackGas: 70_000 }),
        });
      await admits(calling(70_000));
      await refuses(calling(70_001), "refused", /may use 70001 gas, this node pays for 70000/);
      await admits(calling(70_001, NOBODY));
    });
    it("takes what is for anybody or for it, and refuses what is for another prover", async () => {
      for (const prover of [NOBODY, PROVER]) await admits(setting({ request: requestSeen({ request: { prover } }) }));
      const other = WALLET as Address;
      await refuses(setting({ request: requestSeen({ request: { prover: other } }) }), "refused", /only prover/);
    });
    it("takes the model's input length and refuses one byte more or less", async () => {
      for (const length of [63, 65, 0]) {
        const request = requestSeen({ input: new Uint8Array(length) });
        await refuses(setting({ request }), "refused", new RegExp(`${length} bytes, the model takes 64`));
      }
    });
    it("takes no evidence, zk and chain input, and refuses what it cannot provide", async () => {
      const demanding = (requiredEvidence: number): Case =>
        setting({ request: requestSeen({ request: { requiredEvidence } }) });
      for (const bits of [0, 1, 16, 17]) await admits(demanding(bits));
      for (const bits of [2, 3, 4, 8, 18]) await refuses(demanding(bits), "refused", /evidence/);
    });
    it("takes a deadline that leaves the estimate and the margin, and refuses one second less", async () => {
      const at = setting(); // 1 s for the proof, 10 s of margin
      at.chain.now = at.request.request.deadline - 11;
      await admits(at);
      const late = setting();
      late.chain.now = late.request.request.deadline - 10;
      await refuses(late, "expired", /10 s are left.*11 s are needed/);
    });
    it("comes back to what the chain does not know yet: an endpoint may lag", async () => {
      const lagging = setting();
      lagging.chain.stands = { status: "unknown" };
      const error: unknown = await runStep(accepted(lagging), lagging.ports, new AbortController().signal).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).to.be.instanceOf(NodeError).and.to.deep.include({ code: "chain", retry: true });
    });
    it("refuses what the chain has answered, or has let run out", async () => {
      const answered = setting();
      answered.chain.stands = { status: "fulfilled", by: WALLET as Address };
      await refuses(answered, "elsewhere", new RegExp(WALLET));
      const expired = setting();
      expired.chain.stands = { status: "expired" };
      await refuses(expired, "expired", /deadline/);
    });
  });

  it("prove only while there is time for it, and only what is still open", async () => {
    const at = setting();
    const { inferred } = await jobs(at);
    const { calls } = at.ports.proving as ReturnType<typeof trapdoorProving>;
    at.chain.now = at.request.request.deadline - 10;
    expect((await closedBy(inferred, at.ports)).kind).to.equal("expired");
    at.chain.stands = { status: "fulfilled", by: undefined };
    expect((await closedBy(inferred, at.ports)).kind).to.equal("elsewhere");
    expect((at.ports.proving as ReturnType<typeof trapdoorProving>).calls).to.equal(calls);
  });

  it("refuse a proof of other signals than the claim's", async () => {
    const real = trapdoorProving(TRAPDOOR);
    for (const name of ["c", "r"] as const) {
      const at = setting({
        proving: {
          async prove(order, stop) {
            const made = await real.prove(order, stop);
            return { ...made, signals: { ...made.signals, [name]: made.signals[name] + 1n } };
          },
        },
      });
      const inferred = (await step({ ...base, asked: at.request, state: "accepted" }, at.ports)) as Inferred;
      const thrown: unknown = await step(inferred, at.ports).catch((error: unknown) => error);
      expect(thrown).to.be.instanceOf(NodeError).with.property("code", "internal");
    }
  });

  it("submit up to the last second and not after it", async () => {
    const at = setting();
    const { proved } = await jobs(at);
    at.chain.now = at.request.request.deadline;
    expect(await step(proved, at.ports)).to.include({ state: "submitted" });
    at.chain.now = at.request.request.deadline + 1;
    expect((await closedBy(proved, at.ports)).kind).to.equal("expired");
  });

  it("find out why a submission was refused: answered meanwhile, or a trouble of its own", async () => {
    const at = setting();
    const { proved } = await jobs(at);
    at.chain.refuse = new NodeError("chain", "reverted");
    expect(await step(proved, at.ports).catch((e: unknown) => e)).to.equal(at.chain.refuse);
    // Open at the first look, answered at the second.
    let looks = 0;
    const standings: readonly Standing[] = [{ status: "open" }, { status: "fulfilled", by: undefined }];
    const chain = { ...at.chain, standing: async () => standings[looks++] as Standing };
    expect((await closedBy(proved, { ...at.ports, chain })).kind).to.equal("elsewhere");
  });

  it("wait for a pending transaction, and stop waiting when the request is out of time or answered", async () => {
    const at = setting();
    const { submitted } = await jobs(at);
    at.chain.state = { kind: "pending", hash: "0x01" };
    expect(await step(submitted, at.ports)).to.have.property("waitsFor");
    at.chain.stands = { status: "expired" };
    expect((await closedBy(submitted, at.ports)).kind).to.equal("expired");
    at.chain.stands = { status: "fulfilled", by: undefined };
    expect((await closedBy(submitted, at.ports)).kind).to.equal("elsewhere");
  });

  it("go back when the transaction is lost or leaves the chain, and count it", async () => {
    const at = setting();
    const { submitted, settled } = await jobs(at);
    expect(await step(submitted, at.ports)).to.include({ state: "proved", attempts: 1 });
    expect(await step(settled, at.ports)).to.include({ state: "proved", attempts: 1 });
    at.chain.state = { kind: "pending", hash: "0x01" };
    const back = await step(settled, at.ports);
    expect(back).to.include({ state: "submitted" });
    expect(back).to.not.have.property("receipt");
    at.chain.state = { kind: "none" };
    expect((await closedBy({ ...submitted, attempts: 4 }, at.ports)).kind, "five attempts").to.equal("failed");
    expect(await step({ ...submitted, attempts: 3 }, at.ports)).to.include({ state: "proved", attempts: 4 });
  });

  it("do not take a reverted transaction for an answer", async () => {
    const at = setting();
    const { submitted, settled } = await jobs(at);
    at.chain.state = { ...included, confirmed: true, receipt: { ...included.receipt, ok: false } };
    expect(await step(submitted, at.ports)).to.have.property("waitsFor");
    expect(await step(settled, at.ports)).to.include({ state: "submitted" });
    at.chain.state = { kind: "none" };
    at.chain.stands = { status: "fulfilled", by: undefined };
    expect((await closedBy(submitted, at.ports)).kind).to.equal("elsewhere");
  });

  it("leave a trouble of the next block to the next try", async () => {
    const at = setting();
    const { proved } = await jobs(at);
    for (const refusal of ["NotStarted", "ClaimedByOther", "RequestNotOpen"]) {
      at.chain.refuse = new NodeError("input", "not now", { facts: { refusal } });
      expect(await step(proved, at.ports).catch((e: unknown) => e), refusal).to.include({ retry: true });
    }
    at.chain.refuse = new NodeError("integrity", "never", { facts: { refusal: "InvalidProof" } });
    expect(await step(proved, at.ports).catch((e: unknown) => e)).to.include({ retry: false });
  });

  it("send again, under another name, what a confirmed batch left out; and wait while it is not confirmed", async () => {
    const at = setting();
    const { submitted } = await jobs(at);
    at.chain.state = included;
    expect(await step(submitted, at.ports)).to.have.property("waitsFor");
    at.chain.state = { ...included, confirmed: true };
    const again = (await step(submitted, at.ports)) as Proved;
    expect(again).to.include({ state: "proved", round: 1, attempts: 1 });
    at.chain.state = { kind: "none" };
    await step(again, at.ports);
    expect(at.chain.sent.map(({ round }) => round)).to.deep.equal([1]);
  });

  it("bring inputs by reference, keep them to the answer, and forget them when they close", async () => {
    const bytes = inputOf(9);
    const inputs: Inputs = { get: async () => ({ bytes }) };
    const request = requestSeen({ request: { inputKind: "reference" }, input: new Uint8Array(5) });
    const at = setting({ request, inputs });
    const { inferred, proved } = await jobs(at);
    expect(inferred).to.deep.include({ input: { bytes }, ...answerTo(bytes) });
    await step(proved, at.ports);
    expect(at.chain.sent[0]?.fulfilment.answer.input).to.deep.equal(bytes);
    at.chain.stands = { status: "expired" };
    expect(await step(proved, at.ports))
      .to.include({ state: "closed" })
      .and.not.have.property("input");
  });

  it("keep what was worked out when they close a job", async () => {
    const at = setting();
    const { proved } = await jobs(at);
    at.chain.stands = { status: "expired" };
    const closed = (await step(proved, at.ports)) as Closed;
    expect(closed.answer).to.deep.equal({
      output: proved.output,
      c: proved.c,
      prover: PROVER,
      proof: proved.proof,
      signals: proved.signals,
    });
  });
});

describe("a step before its time", () => {
  /** 1 s for a proof, 10 s of margin; price from 0 at 1000 to 100 at 1100, deadline 2000. */
  const TERMS = { start: 1000, rampEnd: 1100, deadline: 2000, minFee: 0n, maxFee: 100n, claimPeriod: 300 } as const;
  function auction(now: number, policy: Partial<Policy> = {}, terms: Partial<Request> = {}): Case {
    const least = { minimumFees: { [NOBODY]: 50n }, ...policy };
    const at = setting({ request: requestSeen({ request: { ...TERMS, ...terms } }), policy: policyOf(least) });
    at.chain.now = now;
    return at;
  }
  const first = (at: Case): Promise<Outcome> => step({ ...base, asked: at.request, state: "accepted" }, at.ports);
  const WAITS = (seconds: number, text: RegExp) => (outcome: Outcome) => {
    if (!isWaiting(outcome)) throw new Error(`goes on as ${outcome.state}`);
    expect(outcome.seconds).to.equal(seconds);
    expect(outcome.waitsFor).to.match(text);
  };

  it("begins so that its answer lands when the price is reached, and not a second before", async () => {
    await first(auction(1048)).then(WAITS(1, /price of 50/));
    expect(await first(auction(1049))).to.include({ state: "inferred" });
    await first(auction(1000)).then(WAITS(49, /price/));
  });
  it("waits for the price itself before it claims or submits", async () => {
    const claims = { claim: "always" } as const;
    await first(auction(1049, claims)).then(WAITS(1, /price of 50/));
    expect(await first(auction(1050, claims))).to.include({ state: "inferred" });
    const ready = auction(1050);
    const { proved } = await jobs(ready);
    ready.chain.now = 1049;
    await step(proved, ready.ports).then(WAITS(1, /price of 50/));
    expect(ready.chain.sent).to.deep.equal([]);
  });
  it("waits for the start, until which the request may be cancelled", async () => {
    const free = { minimumFees: { [NOBODY]: 0n } };
    await first(auction(999, free)).then(WAITS(1, /start/));
    expect(await first(auction(1000, free))).to.include({ state: "inferred" });
  });
  it("takes the price at the end of the ramp, and refuses what is above or comes too late", async () => {
    await first(auction(1000, { minimumFees: { [NOBODY]: 100n } })).then(WAITS(99, /price/));
    expect((await closedBy({ ...base, asked: auction(1000).request, state: "accepted" }, auction(1000, { minimumFees: { [NOBODY]: 101n } }).ports)).kind).to.equal("refused"); // prettier-ignore
    const late = auction(1000, {}, { rampEnd: 2000, minFee: 0n });
    late.chain.now = 1000;
    const dear = { ...late.ports, policy: policyOf({ minimumFees: { [NOBODY]: 100n } }) };
    const reason = await closedBy({ ...base, asked: late.request, state: "accepted" }, dear);
    expect(reason).to.include({ kind: "refused" });
    expect(reason.text).to.match(/too late/);
  });

  it("waits for a price that covers the gas, where that is wanted, and for cheaper gas", async () => {
    const wei = { ...TERMS, maxFee: 100n * 400_000n };
    const dear = auction(1000, { coverGas: true }, wei);
    dear.chain.gas = 50n;
    await first(dear).then(WAITS(49, /price of 20000000/));
    dear.chain.gas = 100n;
    await first(dear).then(WAITS(99, /price of 40000000/));
    dear.chain.gas = 101n;
    await first(dear).then(WAITS(60, /gas that its fee covers/));
    const called = auction(1000, { coverGas: true }, { ...wei, callbackGas: 1 });
    called.chain.gas = 100n;
    await first(called).then(WAITS(60, /gas that its fee covers; now it costs 40000100 wei/));
    const token = `0x${"70".repeat(20)}` as Address;
    const paid = auction(1000, { coverGas: true, minimumFees: { [token]: 0n } }, { token });
    paid.chain.gas = 10n ** 12n;
    expect(isWaiting(await first(paid)), "in tokens, gas is not compared").to.equal(false);
  });

  it("waits for the end of another's claim, and takes over at the second after it", async () => {
    const at = auction(1200);
    at.chain.stands = { status: "claimed", claimer: WALLET as Address, end: 1380 };
    await first(at).then(WAITS(181, /end of the claim/));
    at.chain.now = 1380;
    await first(at).then(WAITS(1, /end of the claim/));
    at.chain.now = 1381;
    expect(await first(at)).to.include({ state: "inferred" });
  });
  it("leaves another's claim alone that ends too late, or was made at too low a price", async () => {
    const closes = async (end: number): Promise<void> => {
      const at = auction(1200);
      at.chain.stands = { status: "claimed", claimer: WALLET as Address, end };
      expect((await closedBy({ ...base, asked: at.request, state: "accepted" }, at.ports)).kind, `${end}`).to.equal(
        "elsewhere",
      );
    };
    const goesOn = async (end: number): Promise<void> => {
      const at = auction(1200);
      at.chain.stands = { status: "claimed", claimer: WALLET as Address, end };
      expect(isWaiting(await first(at)), `${end}`).to.equal(true);
    };
    await goesOn(1988); // 11 s are left after it
    await closes(1989);
    await goesOn(1350); // claimed at 1050, at 50
    await closes(1349);
  });
});

describe("claims", () => {
  const TERMS = { start: 1000, rampEnd: 1000, deadline: 2000, minFee: 100n, maxFee: 100n, claimPeriod: 300 } as const;
  function open(policy: Partial<Policy>, terms: Partial<Request> = {}, collateralBps = 5000): Case {
    const at = setting({ request: requestSeen({ request: { ...TERMS, ...terms } }), policy: policyOf(policy) });
    at.chain.now = 1300;
    at.chain.collateralBps = collateralBps;
    return at;
  }
  /** What the step of proving does: claim first, or prove at once. */
  async function proving(at: Case): Promise<Outcome> {
    const inferred = await step({ ...base, asked: at.request, state: "accepted" }, at.ports);
    return step(inferred as Inferred, at.ports);
  }

  it("are made always, never, or where the proof takes long enough", async () => {
    for (const [policy, claimed] of [
      [{ claim: "always" }, true],
      [{ claim: "never" }, false],
      [{ claim: "auto", claimSeconds: 1 }, true],
      [{ claim: "auto", claimSeconds: 1.001 }, false],
    ] as const) {
      const at = open(policy);
      const outcome = await proving(at);
      expect(at.chain.claims, JSON.stringify(policy)).to.deep.equal(claimed ? [50n] : []);
      expect(isWaiting(outcome)).to.equal(claimed);
    }
  });
  it("are not made where they end before the answer, nor where there are none", async () => {
    for (const [claimPeriod, claimed] of [
      [11, 1],
      [10, 0],
      [0, 0],
    ] as const) {
      // prettier-ignore
      const at = open({ claim: "always" }, { claimPeriod });
      await proving(at);
      expect(at.chain.claims, `${claimPeriod} s`).to.have.length(claimed);
    }
  });
  it("are not made where the next block would refuse them: they leave as much time as they last", async () => {
    for (const [now, claimed] of [
      [1399, 1],
      [1400, 0],
    ] as const) {
      // prettier-ignore
      const at = open({ claim: "always" });
      at.chain.now = now;
      await proving(at);
      expect(at.chain.claims, `at ${now}`).to.have.length(claimed);
    }
  });
  it("lock as much of the price as the operator allows, and not more", async () => {
    for (const [collateralPercent, claimed] of [
      [50, 1],
      [49, 0],
    ] as const) {
      // prettier-ignore
      const at = open({ claim: "always", collateralPercent });
      const outcome = await proving(at);
      expect(at.chain.claims).to.have.length(claimed);
      if (claimed === 0) expect(outcome, "without a claim").to.include({ state: "proved" });
    }
    const dear = open({ claim: "always" }, { minCollateral: 101n });
    expect(await proving(dear), "the request's own minimum counts").to.include({ state: "proved" });
  });
  it("are waited for while they are on their way, and not made twice", async () => {
    const at = open({ claim: "always" });
    at.chain.claimState = { kind: "pending", hash: "0x01" };
    expect(isWaiting(await proving(at))).to.equal(true);
    expect(at.chain.claims).to.deep.equal([]);
    at.chain.stands = { status: "claimed", claimer: PROVER, end: 1800 };
    expect(await proving(at)).to.include({ state: "proved" });
    expect(at.chain.claims).to.deep.equal([]);
  });
  it("are done without where the account cannot pay for them", async () => {
    const at = open({ claim: "always" });
    const broke = { ...at.chain, claim: async () => false };
    const inferred = await step({ ...base, asked: at.request, state: "accepted" }, at.ports);
    expect(await step(inferred as Inferred, { ...at.ports, chain: broke })).to.include({ state: "proved" });
  });
});

describe("the backoff", () => {
  it("doubles from one second and stays at two minutes", () => {
    const pauses = Array.from({ length: 10 }, (_, i) => exponentialBackoff(i + 1));
    expect(pauses).to.deep.equal([1, 2, 4, 8, 16, 32, 64, 120, 120, 120].map((s) => s * 1000));
  });
});
