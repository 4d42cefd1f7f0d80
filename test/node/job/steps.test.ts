// Each step on its own: what it makes of a job, what it refuses at the border and just inside, and that it may run twice.
import { expect } from "chai";
import { NodeError } from "../../../node/core/errors.ts";
import type { Closed, Inferred, OpenJob, Proved, Settled, Submitted } from "../../../node/job/job.ts";
import { exponentialBackoff, type Ports } from "../../../node/job/ports.ts";
import { isWaiting, type Outcome, runStep } from "../../../node/job/steps.ts";
import {
  answerTo,
  type FakeJobChain,
  fakeInfer,
  fakeJobChain,
  fakeModels,
  policyOf,
  PROVER,
  requestSeen,
  trapdoorProving,
} from "../../support/fakes.ts";
import { TRAPDOOR } from "../../support/trapdoor.ts";

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
    models: fakeModels(request.model),
    infer: fakeInfer(),
    proving: trapdoorProving(TRAPDOOR),
    chain,
    policy: policyOf({ minimumFee: 1000n, marginSeconds: 10 }),
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
  const accepted = { ...base, request, state: "accepted" } as const;
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
    const settled = (await step(submitted as Submitted, at.ports)) as Settled;
    expect(settled).to.deep.include({ state: "settled", receipt });
    expect(await step(settled, at.ports)).to.have.property("waitsFor");
    at.chain.state = { ...included, confirmed: true };
    expect((await closedBy(settled, at.ports)).kind).to.equal("fulfilled");
  });

  describe("admission", () => {
    const accepted = (at: Case) => ({ ...base, request: at.request, state: "accepted" }) as const;
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
    it("refuses a retired model", async () => {
      const at = setting();
      at.chain.retired = true;
      await refuses(at, "refused", /retired/);
    });
    it("takes the minimum fee and refuses one wei less", async () => {
      await admits(setting({ request: requestSeen({ fee: 1000n }) }));
      await refuses(setting({ request: requestSeen({ fee: 999n }) }), "refused", /fee of 999 wei.*1000/);
    });
    it("takes the model's input length and refuses one byte more or less", async () => {
      for (const length of [63, 65, 0]) {
        const request = requestSeen({ input: new Uint8Array(length) });
        await refuses(setting({ request }), "refused", new RegExp(`${length} bytes, the model takes 64`));
      }
    });
    it("takes no evidence and zk, and refuses what it cannot provide", async () => {
      for (const requiredEvidence of [0, 1]) await admits(setting({ request: requestSeen({ requiredEvidence }) }));
      for (const requiredEvidence of [2, 3, 4, 8]) {
        await refuses(setting({ request: requestSeen({ requiredEvidence }) }), "refused", /evidence/);
      }
    });
    it("takes a deadline that leaves the estimate and the margin, and refuses one second less", async () => {
      const at = setting(); // 1 s for the proof, 10 s of margin
      at.chain.now = at.request.deadline - 11;
      await admits(at);
      const late = setting();
      late.chain.now = late.request.deadline - 10;
      await refuses(late, "expired", /10 s are left.*11 s are needed/);
    });
    it("comes back to what the chain does not know yet: an endpoint may lag", async () => {
      const lagging = setting();
      lagging.chain.record = undefined;
      const error: unknown = await runStep(accepted(lagging), lagging.ports, new AbortController().signal).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).to.be.instanceOf(NodeError).and.to.deep.include({ code: "chain", retry: true });
    });
    it("refuses what the chain has answered, or has let run out", async () => {
      const answered = setting();
      answered.chain.record = { ...answered.chain.record!, status: "fulfilled" };
      answered.chain.answerer = answered.request.requester;
      await refuses(answered, "elsewhere", new RegExp(answered.request.requester));
      const expired = setting();
      expired.chain.record = { ...expired.chain.record!, status: "expired" };
      await refuses(expired, "expired", /deadline/);
    });
  });

  it("prove only while there is time for it, and only what is still open", async () => {
    const at = setting();
    const { inferred } = await jobs(at);
    const { calls } = at.ports.proving as ReturnType<typeof trapdoorProving>;
    at.chain.now = at.request.deadline - 10;
    expect((await closedBy(inferred, at.ports)).kind).to.equal("expired");
    at.chain.record = { ...at.chain.record!, status: "fulfilled" };
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
      const inferred = (await step({ ...base, request: at.request, state: "accepted" }, at.ports)) as Inferred;
      const thrown: unknown = await step(inferred, at.ports).catch((error: unknown) => error);
      expect(thrown).to.be.instanceOf(NodeError).with.property("code", "internal");
    }
  });

  it("submit up to the last second and not after it", async () => {
    const at = setting();
    const { proved } = await jobs(at);
    at.chain.now = at.request.deadline;
    expect(await step(proved, at.ports)).to.include({ state: "submitted" });
    at.chain.now = at.request.deadline + 1;
    expect((await closedBy(proved, at.ports)).kind).to.equal("expired");
  });

  it("find out why a submission was refused: answered meanwhile, or a trouble of its own", async () => {
    const at = setting();
    const { proved } = await jobs(at);
    at.chain.refuse = new NodeError("chain", "reverted");
    expect(await step(proved, at.ports).catch((e: unknown) => e)).to.equal(at.chain.refuse);
    // Open at the first look, answered at the second.
    let looks = 0;
    const open = at.chain.record!;
    const chain = {
      ...at.chain,
      requestOf: async () => ({ ...open, status: looks++ === 0 ? "open" : "fulfilled" }) as const,
    };
    expect((await closedBy(proved, { ...at.ports, chain })).kind).to.equal("elsewhere");
  });

  it("wait for a pending transaction, and stop waiting when the request is out of time or answered", async () => {
    const at = setting();
    const { submitted } = await jobs(at);
    at.chain.state = { kind: "pending", hash: "0x01" };
    expect(await step(submitted, at.ports)).to.have.property("waitsFor");
    at.chain.record = { ...at.chain.record!, status: "expired" };
    expect((await closedBy(submitted, at.ports)).kind).to.equal("expired");
    at.chain.record = { ...at.chain.record, status: "fulfilled" };
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
    at.chain.record = { ...at.chain.record!, status: "fulfilled" };
    expect((await closedBy(submitted, at.ports)).kind).to.equal("elsewhere");
  });

  it("keep what was worked out when they close a job", async () => {
    const at = setting();
    const { proved } = await jobs(at);
    at.chain.record = { ...at.chain.record!, status: "expired" };
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

describe("the backoff", () => {
  it("doubles from one second and stays at two minutes", () => {
    const pauses = Array.from({ length: 10 }, (_, i) => exponentialBackoff(i + 1));
    expect(pauses).to.deep.equal([1, 2, 4, 8, 16, 32, 64, 120, 120, 120].map((s) => s * 1000));
  });
});
