// The straight way of a job on a real (embedded) chain with the real contracts: seen, run, proven, answered, confirmed.
import { expect } from "chai";
import type { Job } from "../../../node/job/job.ts";
import { embeddedChain, nodeOn, stage } from "../../support/chain.ts";
import { answerTo, inputOf } from "../../support/fakes.ts";

describe("a job", () => {
  it("goes from request to confirmed answer", async () => {
    const chain = await embeddedChain();
    const staged = await stage(chain.rpc);
    const seen: string[] = [];
    let done: (job: Job) => void = () => undefined;
    const closed = new Promise<Job>((resolve) => (done = resolve));
    const node = await nodeOn(staged, {
      onStored: (job) => {
        seen.push(job.state);
        if (job.state === "closed") done(job);
      },
    });
    await node.start();
    const request = await staged.ask({ seed: 7 });
    const abort = new AbortController();
    const running = node.run(abort.signal);
    const job = await closed;
    abort.abort();
    await running;
    expect(seen).to.deep.equal(["inferred", "proved", "submitted", "settled", "closed"]);
    expect(job.state === "closed" && job.reason.kind).to.equal("fulfilled");
    const result = await staged.client.result(request.id);
    expect(result?.output).to.deep.equal(answerTo(inputOf(7)).output);
    expect(result?.environment).to.equal(`0x${"e0".repeat(32)}`);
    await node.stop();
    await chain.close();
  });
});
