// The store, on the embedded database and, where GLASSBOX_TEST_POSTGRES holds the address of an empty PostgreSQL database
// (postgres://user:password@127.0.0.1:port/name; its schemas glassbox and glassbox_queue are dropped), on that too.
import { expect } from "chai";
import type { BlockRef, RequestSeen } from "../../../node/chain/codec.ts";
import type { Intent } from "../../../node/chain/submit.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { openDatabase, type Place } from "../../../node/job/database.ts";
import { type Accepted, type Closed, fromJson, type Job, OPEN_STATES, toJson } from "../../../node/job/job.ts";
import { type Message, openStore, queueOf, type Store } from "../../../node/job/store.ts";
import { idOf, memoryJournal, requestSeen } from "../../support/fakes.ts";

const PLACES: readonly (readonly [string, Place])[] = [
  ["PGlite", { dir: undefined }],
  ...(process.env["GLASSBOX_TEST_POSTGRES"] === undefined
    ? []
    : ([["PostgreSQL", { url: process.env["GLASSBOX_TEST_POSTGRES"] }]] as const)),
];

const block = (number: number, branch = 0): BlockRef => ({
  number,
  hash: `0x${(branch * 1000 + number).toString(16).padStart(64, "0")}`,
});
const seenIn = (request: number, at: BlockRef): RequestSeen => requestSeen({ id: idOf(request), block: at });

for (const [name, place] of PLACES) {
  describe(`the store on ${name}`, function () {
    this.timeout(60_000);
    let store: Store;
    const closed: number[][] = [];
    let next = 0;

    before(async () => {
      if ("url" in place) {
        const db = await openDatabase(place);
        for (const schema of ["glassbox", "glassbox_queue"]) await db.query(`drop schema if exists ${schema} cascade`);
        await db.close();
      }
      store = await openStore({
        place,
        owner: "tests",
        log: memoryJournal(),
        onClosed: (ids) => closed.push([...ids]),
      });
    });
    after(() => store.close());
    afterEach(async () => {
      await store.sink.rewind(undefined);
      for (const state of OPEN_STATES) await store.boss.deleteAllJobs(queueOf(state));
      closed.length = 0;
    });
    const fresh = (): number => ++next;
    const jobsOf = async (request: number): Promise<readonly Job[]> =>
      (await store.list({ limit: 1000 })).filter((job) => job.asked.id === idOf(request));
    const messages = async (state: (typeof OPEN_STATES)[number]): Promise<Message[]> =>
      (await store.boss.fetch<Message>(queueOf(state), { batchSize: 100 })).map(({ data }) => data);

    it("accepts an event once, however often it is brought", async () => {
      const n = fresh();
      await store.sink.advance([seenIn(n, block(1)), seenIn(n, block(1))], block(1));
      await store.sink.advance([seenIn(n, block(1))], block(2));
      const [job, ...more] = await jobsOf(n);
      expect(more).to.deep.equal([]);
      expect(job).to.deep.include({ state: "accepted", version: 1, attempts: 0, asked: seenIn(n, block(1)) });
      expect(await messages("accepted")).to.deep.equal([{ job: job?.id, version: 1 }]);
      expect(await store.cursor()).to.deep.equal(block(2));
    });

    it("keeps neither events nor cursor of a batch that fails in the middle", async () => {
      const n = fresh();
      await store.sink.advance([], block(4));
      const broken = seenIn(fresh(), { ...block(5), hash: "0x\0" }); // no database takes a NUL in a text
      let thrown: unknown;
      await store.sink.advance([seenIn(n, block(5)), broken], block(5)).catch((error: unknown) => (thrown = error));
      expect(thrown).to.be.instanceOf(Error);
      expect(await jobsOf(n)).to.deep.equal([]);
      expect(await messages("accepted")).to.deep.equal([]);
      expect(await store.cursor()).to.deep.equal(block(4));
      await store.sink.advance([seenIn(n, block(5))], block(5));
      expect(await jobsOf(n)).to.have.length(1);
    });

    it("stores a step's outcome over the version that it was made from, and over no other", async () => {
      const n = fresh();
      await store.sink.advance([seenIn(n, block(1))], block(1));
      const [job] = (await jobsOf(n)) as [Accepted];
      await messages("accepted");
      const inferred = { ...job, state: "inferred", output: Uint8Array.of(1, 2, 255), c: 2n ** 253n } as const;
      expect(await store.put(inferred)).to.equal(true);
      expect(await store.load(job.id)).to.deep.equal({ ...inferred, version: 2 });
      expect(await store.put(inferred), "the same again").to.equal(false);
      expect(await store.put({ ...inferred, version: 3 }), "from the future").to.equal(false);
      expect(await messages("inferred")).to.deep.equal([{ job: job.id, version: 2 }]);
    });

    it("closes by a reorg what came from the removed blocks, and nothing below", async () => {
      const [low, high] = [fresh(), fresh()];
      await store.sink.advance([seenIn(low, block(1)), seenIn(high, block(2))], block(3));
      await store.sink.rewind(block(1));
      expect((await jobsOf(low))[0]).to.include({ state: "accepted" });
      const [lost] = (await jobsOf(high)) as [Closed];
      expect(lost.reason.kind).to.equal("reorged");
      expect(closed).to.deep.equal([[lost.id]]);
      expect(await store.sink.trail()).to.deep.equal([block(1)]);
      expect(await store.put({ ...lost, state: "closed", version: 1 }), "work of before the reorg is dropped").to.equal(
        false,
      );

      await store.sink.advance([seenIn(high, block(2, 1))], block(2, 1));
      const again = await jobsOf(high);
      expect(again.map(({ state }) => state)).to.deep.equal(["accepted", "closed"]);
      expect(await store.cursor()).to.deep.equal(block(2, 1));
    });

    it("wakes the jobs that are open in the given states, once each", async () => {
      const n = fresh();
      await store.sink.advance([seenIn(n, block(1))], block(1));
      const [job] = await jobsOf(n);
      await store.wake(["submitted", "settled"]);
      expect(await messages("submitted")).to.deep.equal([]);
      for (let i = 0; i < 3; i++) await store.wake(OPEN_STATES);
      expect(await messages("accepted")).to.deep.equal([{ job: job?.id, version: 1 }]);
      await store.wake(OPEN_STATES);
      expect(await messages("accepted"), "at work").to.deep.equal([]);
    });

    it("forgets old blocks but not those of open jobs", async () => {
      const n = fresh();
      await store.sink.advance([seenIn(n, block(1))], block(1));
      for (let i = 2; i <= 300; i++) await store.sink.advance([], block(i));
      const trail = (await store.sink.trail()).map(({ number }) => number);
      expect(trail[0]).to.equal(300);
      expect(trail.at(-1)).to.equal(1);
      expect(trail.at(-2)).to.equal(300 - 255);
    });

    it("keeps intents by nonce, finds the live one of a name, and counts on", async () => {
      const intent = (nonce: number, over: Partial<Intent> = {}): Intent => ({
        nonce,
        names: ["fulfil:1"],
        call: { to: `0x${"c0".repeat(20)}` as never, data: "0x", value: 5n },
        gas: 1n,
        maxFee: 2n ** 64n,
        priorityFee: 1n,
        raw: "0x02",
        hashes: ["0x01"],
        signedAt: 1,
        state: "open",
        ...over,
      });
      const { intents } = store;
      expect(await intents.nextNonce()).to.equal(0);
      await intents.save(intent(8, { names: ["other", "third"] }));
      await intents.save(intent(7));
      expect(await intents.nextNonce()).to.equal(9);
      expect((await intents.open()).map(({ nonce }) => nonce)).to.deep.equal([7, 8]);
      expect(await intents.find("fulfil:1")).to.deep.equal(intent(7));
      for (const name of ["other", "third"]) expect((await intents.find(name))?.nonce, name).to.equal(8);
      expect(await intents.find("oth")).to.equal(undefined);
      await intents.save(intent(7, { state: "void" }));
      expect(await intents.find("fulfil:1")).to.equal(undefined);
      await intents.save(intent(9, { state: "mined" }));
      expect(await intents.find("fulfil:1")).to.deep.equal(intent(9, { state: "mined" }));
      expect((await intents.open()).map(({ nonce }) => nonce)).to.deep.equal([8]);
    });

    if ("url" in place) {
      it("refuses the data of another chain, coordinator or key", async () => {
        const thrown: unknown = await openStore({ place, owner: "others", log: memoryJournal() }).catch(
          (e: unknown) => e,
        );
        expect(thrown).to.be.instanceOf(NodeError).with.property("message").that.contains("owner");
      });
    }
  });
}

describe("a job as JSON", () => {
  it("comes back with its integers and bytes, from text and from parsed JSON", () => {
    const value = {
      big: -(2n ** 255n),
      zero: 0n,
      bytes: Uint8Array.of(0, 1, 255),
      none: new Uint8Array(),
      list: [1n, "1", 1, null, true],
      deep: { proof: { a: [1n, 2n] } },
    };
    expect(fromJson(JSON.parse(toJson(value)))).to.deep.equal(value);
    expect(toJson({ bytes: Buffer.from([1, 2]) })).to.equal(toJson({ bytes: Uint8Array.of(1, 2) }));
  });
});
