// kill -9 at every point of a job's way: a real process on a real data folder, killed by its own hand at the named point,
// then started again. Each request must be answered exactly once.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { type RequestSeen, TOPICS } from "../../../node/chain/codec.ts";
import { httpRpc } from "../../../node/chain/rpc.ts";
import { nodeOn, stage, type Staged } from "../../support/chain.ts";
import type { ChildOptions } from "../../support/chainChild.ts";
import { servedChain } from "../../support/chainEmbedded.ts";

/** In the order in which one job passes them. */
const POINTS = [
  "advanced", // events and cursor are stored, nothing has begun
  ...["accepted:loaded", "accepted:stepped", "accepted:stored"],
  ...["inferred:loaded", "inferred:stepped", "inferred:stored"],
  ...["proved:loaded", "recorded", "sent", "proved:stepped", "proved:stored"],
  ...["submitted:loaded", "submitted:stepped", "submitted:stored"],
  ...["settled:loaded", "settled:stepped", "settled:stored"],
];

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
}

function run(options: ChildOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["test/support/chainChild.ts", JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal, said }));
  });
}

describe("a node that is killed", function () {
  this.timeout(120_000);
  let chain: Awaited<ReturnType<typeof servedChain>>;
  let staged: Staged;
  let folder: string;
  let options: Omit<ChildOptions, "fault">;
  const asked: RequestSeen[] = [];

  before(async () => {
    chain = await servedChain();
    staged = await stage(httpRpc(chain.url));
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-crash-"));
    const { coordinator } = staged.client;
    options = {
      rpcUrl: chain.url,
      coordinator,
      model: staged.model,
      place: { dir: path.join(folder, "jobs") },
      startBlock: 0,
    };
  });
  after(async () => {
    await chain.close();
    fs.rmSync(folder, { recursive: true });
  });

  // One data folder through all of it: each child finds what the one before left, at whatever point that died.
  for (const point of POINTS) {
    it(`at "${point}" dies there`, async () => {
      asked.push(await staged.ask({ seed: asked.length }));
      const ended = await run({ ...options, fault: point });
      expect(ended.signal, ended.said).to.equal("SIGKILL");
    });
  }

  it("has in the end answered each request once, and left no nonce open", async () => {
    const ended = await run({ ...options, fault: undefined });
    expect(ended.code, ended.said).to.equal(0);
    const filter = { address: staged.client.coordinator, topics: [TOPICS.fulfilled], fromBlock: "0x0" };
    const logs = (await staged.rpc.request("eth_getLogs", [filter])) as { topics: string[] }[];
    expect(logs.map(({ topics }) => topics[1]).sort()).to.deep.equal(asked.map(({ id }) => id).sort());

    const node = await nodeOn(staged, { place: options.place });
    const jobs = await node.store.list();
    expect(jobs.map((job) => job.state === "closed" && job.reason.kind)).to.deep.equal(asked.map(() => "fulfilled"));
    await node.tick();
    expect(await node.status()).to.deep.include({ openIntents: 0 });
    // One transaction for the environment, one for each answer, and not one more.
    const nonce = await staged.rpc.request("eth_getTransactionCount", [node.sender.address, "latest"]);
    expect(Number(nonce)).to.equal(asked.length + 1);
    await node.stop();
  });
});
