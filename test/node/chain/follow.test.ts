// The follower on a scripted chain: confirmations, ranges, reorgs at every depth, duplicates, and a provider that changes its mind.
import { expect } from "chai";
import { type BlockRef, type RequestSeen } from "../../../node/chain/codec.ts";
import { openFollower, type Polled, type Sink } from "../../../node/chain/follow.ts";
import { rpcError } from "../../../node/chain/rpc.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { COORDINATOR, type requestLog, type Script, scriptedChain } from "../../support/chainScript.ts";
import { idOf } from "../../support/fakes.ts";

interface MemorySink extends Sink {
  trailed: BlockRef[];
  readonly seen: RequestSeen[];
}

function memorySink(): MemorySink {
  const sink: MemorySink = {
    trailed: [],
    seen: [],
    trail: async () => sink.trailed,
    async advance(events, cursor) {
      sink.seen.push(...events);
      const blocks = [...events.map(({ block }) => block), cursor];
      for (const ref of blocks) {
        sink.trailed = [ref, ...sink.trailed.filter(({ number }) => number !== ref.number)];
      }
      sink.trailed.sort((a, b) => b.number - a.number);
    },
    async rewind(to) {
      const height = to?.number ?? -1;
      sink.trailed = sink.trailed.filter(({ number }) => number <= height);
      const kept = sink.seen.filter(({ block }) => block.number <= height);
      sink.seen.splice(0, sink.seen.length, ...kept);
    },
  };
  return sink;
}

function follower(script: Script, over: { confirmations?: number; startBlock?: number; maxRange?: number } = {}) {
  const sink = memorySink();
  const options = { confirmations: 0, startBlock: 0, maxRange: 100, ...over };
  const { poll } = openFollower({ rpc: script.rpc, coordinator: COORDINATOR, sink, ...options });
  const drain = async (): Promise<Polled[]> => {
    const all: Polled[] = [];
    for (;;) {
      const polled = await poll();
      if (polled.kind === "idle") return all;
      all.push(polled);
      if (all.length > 1000) throw new Error("no end of polling");
    }
  };
  const ids = (): string[] => sink.seen.map(({ id }) => id);
  return { sink, poll, drain, ids };
}

describe("the follower", () => {
  for (const confirmations of [0, 1, 3]) {
    it(`sees a request once ${confirmations} blocks are on top of it, and not one block before`, async () => {
      const script = scriptedChain();
      const node = follower(script, { confirmations });
      script.add([1]);
      for (let i = 0; i < confirmations; i++) {
        await node.drain();
        expect(node.ids(), `after ${i} blocks`).to.deep.equal([]);
        script.add();
      }
      await node.drain();
      expect(node.ids()).to.deep.equal([idOf(1)]);
    });
  }

  it("reads in order, across ranges, without gap or repetition", async () => {
    const script = scriptedChain();
    for (let i = 0; i < 40; i++) script.add(i % 3 === 0 ? [2 * i, 2 * i + 1] : []);
    for (const maxRange of [1, 2, 7, 40, 41, 1000]) {
      const node = follower(script, { maxRange });
      await node.drain();
      const expected = Array.from({ length: 14 }, (_, k) => [idOf(6 * k), idOf(6 * k + 1)]).flat();
      expect(node.ids(), `ranges of ${maxRange}`).to.deep.equal(expected);
    }
  });

  it("begins at the start block, not before", async () => {
    const script = scriptedChain();
    for (let i = 1; i <= 5; i++) script.add([i]);
    const node = follower(script, { startBlock: 3 });
    await node.drain();
    expect(node.ids()).to.deep.equal([idOf(3), idOf(4), idOf(5)]);
  });

  it("halves its range until the provider answers, and tries larger ones later", async () => {
    const script = scriptedChain();
    for (let i = 1; i <= 64; i++) script.add([i]);
    script.limit = 5;
    const node = follower(script, { maxRange: 64 });
    await node.drain();
    expect(node.ids()).to.have.length(64);
    const asks = script.asked.filter((method) => method === "eth_getLogs").length;
    expect(asks).to.be.lessThan(64);
  });

  it("gives up when a single block is refused too, and can go on later", async () => {
    const script = scriptedChain();
    script.add([1]);
    script.limit = 0;
    const node = follower(script);
    const error = await node.drain().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(NodeError).with.property("retry", true);
    script.limit = 1;
    await node.drain();
    expect(node.ids()).to.deep.equal([idOf(1)]);
  });

  it("does not shrink the range of a provider that does not answer at all", async () => {
    const script = scriptedChain();
    script.add([1]);
    script.before = (method) => {
      if (method === "eth_getLogs") throw new NodeError("chain", "down", { retry: true });
    };
    const node = follower(script);
    await node.drain().catch(() => undefined);
    expect(script.asked.filter((method) => method === "eth_getLogs")).to.have.length(1);
  });

  for (const depth of [1, 2, 3, 5]) {
    it(`rewinds ${depth} replaced blocks to the common ancestor and reads the new branch`, async () => {
      const script = scriptedChain();
      const node = follower(script);
      for (let i = 1; i <= 5; i++) {
        script.add([i]);
        await node.drain();
      }
      script.drop(depth);
      for (let i = 0; i <= depth; i++) script.add([10 + i], "other");
      const polled = await node.drain();
      expect(polled[0]).to.deep.include({ kind: "rewound" });
      const old = Array.from({ length: 5 - depth }, (_, i) => idOf(1 + i));
      expect(node.ids()).to.deep.equal([...old, ...Array.from({ length: depth + 1 }, (_, i) => idOf(10 + i))]);
    });
  }

  it("concludes nothing from a chain that is shorter than its cursor, and rewinds once another block is there", async () => {
    const script = scriptedChain();
    const node = follower(script);
    for (let i = 1; i <= 3; i++) {
      script.add([i]);
      await node.drain();
    }
    script.drop(2);
    expect((await node.poll()).kind).to.equal("idle");
    expect(node.ids()).to.have.length(3);
    script.add([2]);
    script.add([3]);
    await node.drain();
    expect(node.ids(), "the same blocks came back").to.have.length(3);
    script.drop(2);
    script.add([], "other");
    script.add([], "other");
    await node.drain();
    expect(node.ids()).to.deep.equal([idOf(1)]);
  });

  it("begins again where no block that it knows is left", async () => {
    const script = scriptedChain();
    for (let i = 1; i <= 4; i++) script.add([i]);
    const node = follower(script, { startBlock: 1 });
    await node.drain();
    script.drop(4);
    for (const request of [7, 8, 9, 10]) script.add([request], "other");
    const [rewound] = await node.drain();
    expect(rewound).to.deep.equal({ kind: "rewound", head: 4, to: undefined });
    expect(node.ids()).to.deep.equal([7, 8, 9, 10].map(idOf));
  });

  it("takes a log that the provider repeats once, and leaves out one that is marked as removed", async () => {
    const script = scriptedChain();
    script.add([1, 2]);
    const { rpc } = script;
    const doubled: Script = {
      ...script,
      rpc: {
        name: "doubled",
        async request(method, params) {
          const answer = await rpc.request(method, params);
          if (method !== "eth_getLogs") return answer;
          const logs = answer as ReturnType<typeof requestLog>[];
          return [...logs, ...logs, { ...(logs[0] as ReturnType<typeof requestLog>), logIndex: "0x9", removed: true }];
        },
      },
    };
    const node = follower(doubled);
    await node.drain();
    expect(node.ids()).to.deep.equal([idOf(1), idOf(2)]);
  });

  it("stores nothing of a range in which the branch changed between two answers", async () => {
    const script = scriptedChain();
    script.add([1]);
    script.add([2]);
    const node = follower(script);
    let switched = false;
    script.before = (method) => {
      if (method !== "eth_getLogs" || switched) return;
      switched = true;
      // The logs come from the old branch's sibling; the blocks asked for next come from the new one.
      queueMicrotask(() => {
        script.drop(1);
        script.add([3], "other");
      });
    };
    expect((await node.poll()).kind).to.equal("idle");
    expect(node.ids()).to.deep.equal([]);
    await node.drain();
    expect(node.ids()).to.deep.equal([idOf(1), idOf(3)]);
  });

  it("stops between two questions when asked to", async () => {
    const script = scriptedChain();
    script.add([1]);
    const stop = new AbortController();
    stop.abort();
    const { poll } = openFollower({
      rpc: {
        name: "strict",
        async request(method, params, signal) {
          signal?.throwIfAborted();
          return script.rpc.request(method, params);
        },
      },
      coordinator: COORDINATOR,
      sink: memorySink(),
      confirmations: 0,
      startBlock: 0,
      maxRange: 10,
    });
    let thrown: unknown;
    await poll(stop.signal).catch((error: unknown) => (thrown = error));
    expect(thrown).to.be.instanceOf(Error).with.property("name", "AbortError");
    expect(script.asked).to.deep.equal([]);
  });
});

describe("an answer of the provider", () => {
  it("is final for what no repetition mends and for reverts, and worth a retry otherwise", () => {
    const cases: readonly (readonly [number, boolean])[] = [
      [-32700, false],
      [-32600, false],
      [-32601, false],
      [-32602, false],
      [-32000, true],
      [-32005, true],
      [-32603, true],
    ];
    for (const [code, retry] of cases)
      expect(rpcError("m", { code, message: "x" }).retry, String(code)).to.equal(retry);
    expect(rpcError("m", { code: 3, message: "execution reverted", data: "0x1234" })).to.include({ retry: false });
    for (const data of ["0x1234", { data: "0x1234" }, { data: { data: "0x1234" } }]) {
      expect(rpcError("m", { code: -32603, message: "x", data }).facts["revert"]).to.equal("0x1234");
    }
  });
});
