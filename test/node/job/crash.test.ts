// kill -9 at every point of a job's way: a real process on a real data folder, killed by its own hand at the named point,
// then started again. Each request must be answered exactly once.
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { type RequestSeen, TOPICS } from "../../../node/chain/codec.ts";
import { httpRpc } from "../../../node/chain/rpc.ts";
import { NOBODY } from "../../../node/chain/request.ts";
import type { Address } from "../../../node/core/domain.ts";
import { nodeOn, stage, type Staged, WALLETS } from "../../support/chain.ts";
import type { ChildOptions } from "../../support/chainChild.ts";
import { servedChain } from "../../support/chainEmbedded.ts";

const FEE = 10n ** 15n;
const COLLATERAL = 3n * 10n ** 14n;

/** In the order in which one job passes them. */
const POINTS = [
  "advanced", // events and cursor are stored, nothing has begun
  ...["accepted:loaded", "accepted:stepped", "accepted:stored"],
  ...["inferred:loaded", "inferred:stepped", "inferred:stored"],
  ...["proved:loaded", "recorded", "sent", "proved:stepped", "proved:stored"],
  ...["submitted:loaded", "submitted:stepped", "submitted:stored"],
  ...["settled:loaded", "settled:stepped", "settled:stored"],
];

/** Those around the transactions: "recorded" and "sent" are of a claim or of several answers. */
const MARKET_POINTS = POINTS.filter((point) => /^(recorded|sent|inferred:loaded|proved:|submitted:loaded)/.test(point));

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

for (const market of [false, true]) {
  describe(`a node that is killed${market ? ", and that claims requests and answers them together" : ""}`, function () {
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
        market,
      };
    });
    after(async () => {
      await chain.close();
      fs.rmSync(folder, { recursive: true });
    });
    const ask = async (): Promise<void> =>
      void asked.push(await staged.ask({ seed: asked.length, fee: FEE, minCollateral: COLLATERAL }));

    // One data folder through all of it: each child finds what the one before left, at whatever point that died.
    for (const point of market ? MARKET_POINTS : POINTS) {
      it(`at "${point}" dies there`, async () => {
        await ask();
        if (market) await ask();
        const ended = await run({ ...options, fault: point });
        expect(ended.signal, ended.said).to.equal("SIGKILL");
      });
    }

    it("has in the end answered each request once, lost no collateral, and left no nonce open", async () => {
      const ended = await run({ ...options, fault: undefined });
      expect(ended.code, ended.said).to.equal(0);
      const logs = async (topic: string): Promise<(string | undefined)[]> => {
        const filter = { address: staged.client.coordinator, topics: [topic], fromBlock: "0x0" };
        const found = (await staged.rpc.request("eth_getLogs", [filter])) as { topics: string[] }[];
        return found.map(({ topics }) => topics[1]).sort();
      };
      const ids = asked.map(({ id }) => id).sort();
      expect(await logs(TOPICS.fulfilled)).to.deep.equal(ids);
      expect(await logs(TOPICS.claimed)).to.deep.equal(market ? ids : []);
      const earned = await staged.client.balanceOf(WALLETS[2].address as Address, NOBODY);
      const count = BigInt(asked.length);
      // What came with the first claims stays in the account, and paid for the later ones.
      if (market)
        expect(earned)
          .to.be.at.least(count * FEE)
          .and.to.be.at.most(count * (FEE + COLLATERAL));
      else expect(earned).to.equal(count * FEE);

      const node = await nodeOn(staged, { place: options.place });
      const jobs = await node.store.list();
      expect(jobs.map((job) => job.state === "closed" && job.reason.kind)).to.deep.equal(asked.map(() => "fulfilled"));
      await node.tick();
      expect(await node.status()).to.deep.include({ openIntents: 0 });
      // One transaction for the environment, one for each claim and answer, and not one more; fewer where answers went
      // together.
      const nonce = Number(await staged.rpc.request("eth_getTransactionCount", [node.sender.address, "latest"]));
      if (market) expect(nonce).to.be.lessThan(2 * asked.length + 1);
      else expect(nonce).to.equal(asked.length + 1);
      await node.stop();
    });
  });
}
