// The inbox over a real folder, and its HTTP server on a port of its own: what is kept, what is refused, for how long, and
// that neither disk nor log ever has an input.
import { expect } from "chai";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { newSalt, privateCommitment, saltToBytes } from "../../../node/core/commitment.ts";
import type { Address, ModelId } from "../../../node/core/domain.ts";
import type { Log } from "../../../node/core/ports.ts";
import { OVERHEAD, seal } from "../../../node/private/envelope.ts";
import { type Inbox, openInbox } from "../../../node/private/inbox.ts";
import { type EncryptionKey, ensureEncryptionKey, openEncryptionKey } from "../../../node/private/keys.ts";
import { type InboxServer, serveInbox } from "../../../node/private/server.ts";
import { fakeClock, type FakeClock, gate } from "../../support/fakes.ts";
import { publicOf } from "../../support/hpke.ts";
import { refusalOf, workFolder } from "../../support/keys.ts";

const MODEL = `0x${"ab".repeat(32)}` as ModelId;
const OTHER = `0x${"cd".repeat(32)}` as ModelId;
const REQUESTER = `0x${"1e".repeat(20)}` as Address;
const ABOUT = { chainId: 31337n, coordinator: `0x${"0c".repeat(20)}` as Address, model: MODEL, requester: REQUESTER };
const LENGTH = 48;
const HOUR = 3_600_000;
const signal = new AbortController().signal;

interface Handed {
  readonly salt: bigint;
  readonly input: Uint8Array;
  readonly commitment: bigint;
  readonly envelope: Uint8Array;
}

async function handed(key: EncryptionKey, over: { model?: ModelId; length?: number } = {}): Promise<Handed> {
  const [salt, input] = [newSalt(), new Uint8Array(randomBytes(over.length ?? LENGTH))];
  const envelope = await seal(key.publicKey, { ...ABOUT, model: over.model ?? MODEL }, { salt, input });
  return { salt, input, commitment: privateCommitment(salt, input), envelope };
}

const wanted = (commitment: bigint) => ({ model: MODEL, requester: REQUESTER, commitment });

describe("the inbox of private inputs", () => {
  const work = workFolder();
  after(() => work.remove());
  let key: EncryptionKey;
  let clock: FakeClock;
  let folder: string;
  let round = 0;
  const opened = (over: { maxCount?: number; before?: () => Promise<void> } = {}): Promise<Inbox> =>
    openInbox({
      ...ABOUT,
      folder,
      key: key.opening,
      clock,
      maxCount: over.maxCount ?? 3,
      maxAgeMs: HOUR,
      inputLengthOf: async (model) => {
        await over.before?.();
        return model === MODEL ? LENGTH : undefined;
      },
    });

  before(async () => {
    ensureEncryptionKey(work.at("opening.key"));
    key = await openEncryptionKey(work.at("opening.key"));
  });
  beforeEach(() => {
    clock = fakeClock();
    folder = work.at(`inbox-${round++}`);
  });

  it("gives what was kept by model, requester and commitment, and nothing for another", async () => {
    const inbox = await opened();
    const { salt, input, commitment, envelope } = await handed(key);
    expect(await inbox.find(wanted(commitment), signal)).to.equal(undefined);
    expect(await inbox.keep(envelope, signal)).to.deep.equal({ ...wanted(commitment), inputLength: LENGTH });
    expect(await inbox.find(wanted(commitment), signal)).to.deep.equal({ salt, input });
    expect(await inbox.find(wanted(commitment + 1n), signal)).to.equal(undefined);
    expect(await inbox.find({ ...wanted(commitment), model: OTHER }, signal)).to.equal(undefined);
    const somebody = `0x${"2f".repeat(20)}` as Address;
    expect(await inbox.find({ ...wanted(commitment), requester: somebody }, signal)).to.equal(undefined);
    // by who comes after, too, in either spelling of the model
    expect(await (await opened()).find({ ...wanted(commitment), model: `0x${MODEL.slice(2).toUpperCase()}` as ModelId }, signal)).to.deep.equal({ salt, input }); // prettier-ignore
  });

  it("has sealed bytes on the disk and nothing else, for this user alone", async () => {
    const inbox = await opened();
    const { salt, input, envelope } = await handed(key);
    await inbox.keep(envelope, signal);
    const names = fs.readdirSync(folder);
    expect(names).to.have.length(1);
    const file = path.join(folder, names[0] ?? "");
    const stored = fs.readFileSync(file);
    expect(stored).to.deep.equal(Buffer.from(envelope));
    for (const secret of [input, saltToBytes(salt)]) expect(stored.includes(Buffer.from(secret))).to.equal(false);
    expect(fs.statSync(file).mode & 0o777).to.equal(0o600);
    expect(fs.statSync(folder).mode & 0o777).to.equal(0o700);
  });

  it("keeps only what opens its commitment, for a model that is served, in its length", async () => {
    const inbox = await opened();
    const { envelope } = await handed(key);
    const bent = Uint8Array.from(envelope);
    bent[130] = (bent[130] as number) ^ 1;
    const secret = work.at(`another-${round}.key`);
    ensureEncryptionKey(secret);
    const away = await handed(await openEncryptionKey(secret));
    const refusals = [
      [bent, "input", /does not open/],
      [away.envelope, "input", /another key/],
      [(await handed(key, { model: OTHER })).envelope, "unsupported", /takes no private input of model/],
      [(await handed(key, { length: LENGTH - 1 })).envelope, "input", /47 bytes, the model takes 48/],
      [(await handed(key, { length: LENGTH + 1 })).envelope, "input", /49 bytes, the model takes 48/],
      [new Uint8Array(10), "input", /no envelope/],
    ] as const;
    for (const [bytes, code, pattern] of refusals) {
      const refusal = await refusalOf(() => inbox.keep(bytes, signal));
      expect(refusal.message).to.match(pattern);
      expect([refusal.code, refusal.retry]).to.deep.equal([code, false]);
    }
    expect(fs.readdirSync(folder)).to.deep.equal([]);
  });

  it("takes so many and no more, but the same one again, until the oldest is too old", async () => {
    const inbox = await opened({ maxCount: 2 });
    const [first, second, third] = [await handed(key), await handed(key), await handed(key)];
    await inbox.keep(first.envelope, signal);
    clock.advance(HOUR / 2);
    await inbox.keep(second.envelope, signal);
    const refusal = await refusalOf(() => inbox.keep(third.envelope, signal));
    expect([refusal.message, refusal.retry]).to.deep.equal(["2 envelopes are waiting", true]);
    await inbox.keep(second.envelope, signal);
    clock.advance(HOUR / 2); // the first is exactly as old as it may be
    expect((await refusalOf(() => inbox.keep(third.envelope, signal))).retry).to.equal(true);
    clock.advance(1000);
    await inbox.keep(third.envelope, signal);
    expect(await inbox.find(wanted(first.commitment), signal)).to.equal(undefined);
    expect(await inbox.find(wanted(second.commitment), signal)).to.include({ salt: second.salt });
  });

  it("counts age from the last use, so that a job in work keeps its input", async () => {
    const inbox = await opened();
    const { commitment, envelope, salt } = await handed(key);
    await inbox.keep(envelope, signal);
    for (let i = 0; i < 5; i++) {
      clock.advance(HOUR - 1000);
      expect(await inbox.find(wanted(commitment), signal), `use ${i}`).to.include({ salt });
    }
    clock.advance(HOUR + 1000);
    expect(await inbox.find(wanted(commitment), signal)).to.equal(undefined);
    expect(fs.readdirSync(folder)).to.deep.equal([]);
  });

  it("forgets what the key does not open any more, so that it can be handed in again", async () => {
    const { commitment, envelope } = await handed(key);
    await (await opened()).keep(envelope, signal);
    const own = key;
    try {
      const newer = work.at("newer.key");
      ensureEncryptionKey(newer);
      key = await openEncryptionKey(newer);
      expect(await (await opened()).find(wanted(commitment), signal)).to.equal(undefined);
      expect(fs.readdirSync(folder)).to.deep.equal([]);
    } finally {
      key = own;
    }
  });

  it("clears away what a crash left half written", async () => {
    const inbox = await opened();
    fs.writeFileSync(path.join(folder, "00ff.tmp"), "half");
    const { envelope } = await handed(key);
    await inbox.keep(envelope, signal);
    expect(fs.readdirSync(folder).filter((name) => !name.endsWith(".sealed"))).to.deep.equal([]);
  });

  it("refuses at once what comes while too many wait, and those who waited are served", async () => {
    const closed = gate();
    const inbox = await opened({ maxCount: 100, before: () => closed.pass() });
    const { envelope } = await handed(key);
    const kept = Array.from({ length: 32 }, () => inbox.keep(envelope, signal));
    const refusal = await refusalOf(() => inbox.keep(envelope, signal));
    expect([refusal.message, refusal.retry]).to.deep.equal(["too many envelopes at once", true]);
    closed.open();
    await Promise.all(kept);
    await inbox.keep(envelope, signal);
  });

  describe("its key", () => {
    it("is made once, for this user alone, and its public half is what another implementation gives", async () => {
      const file = work.at("own.key");
      expect(ensureEncryptionKey(file)).to.equal(true);
      const text = fs.readFileSync(file, "utf8");
      expect(ensureEncryptionKey(file)).to.equal(false);
      expect(fs.readFileSync(file, "utf8")).to.equal(text);
      expect(fs.statSync(file).mode & 0o777).to.equal(0o600);
      const { publicKey } = await openEncryptionKey(file);
      expect(Buffer.from(publicKey)).to.deep.equal(publicOf(Buffer.from(text.trim(), "hex")));
    });

    it("is refused if others can read it, if it is none, or not there", async () => {
      const file = work.at("loose.key");
      ensureEncryptionKey(file);
      fs.chmodSync(file, 0o640);
      expect((await refusalOf(() => openEncryptionKey(file))).message).to.match(/can be read by other users/);
      fs.chmodSync(file, 0o600);
      for (const text of ["", "ab".repeat(31), `0x${"ab".repeat(32)}`, "zz".repeat(32)]) {
        fs.writeFileSync(file, text);
        const refusal = await refusalOf(() => openEncryptionKey(file));
        expect(refusal.message)
          .to.match(/holds no key/)
          .and.not.include("abab");
      }
      expect((await refusalOf(() => openEncryptionKey(work.at("none")))).code).to.equal("input");
      expect(() => ensureEncryptionKey(work.at("no/folder"))).to.throw(/cannot be written/);
    });
  });

  describe("its server", () => {
    let server: InboxServer | undefined;
    let said: string[];
    const log: Log = {
      debug: (fields, message) => void said.push(`${message} ${JSON.stringify(fields)}`),
      info: (fields, message) => void said.push(`${message} ${JSON.stringify(fields)}`),
      warn: (fields, message) => void said.push(`${message} ${JSON.stringify(fields)}`),
      error: (fields, message) => void said.push(`${message} ${JSON.stringify(fields)}`),
      child: () => log,
    };
    const served = async (inbox: Pick<Inbox, "keep">, timeoutMs = 20_000): Promise<string> => {
      server = await serveInbox({ inbox, log, maxBytes: OVERHEAD + LENGTH, port: 0, timeoutMs });
      return server.url;
    };
    const post = (url: string, body: Uint8Array): Promise<Response> =>
      fetch(`${url}/any/path`, { method: "POST", body: Uint8Array.from(body) });
    beforeEach(() => (said = []));
    afterEach(async () => {
      await server?.close();
      server = undefined;
    });

    it("takes an envelope from a page of any origin, and says and logs no more than its commitment", async () => {
      const inbox = await opened();
      const url = await served(inbox);
      const { salt, input, commitment, envelope } = await handed(key);
      const asked = await fetch(url, { method: "OPTIONS" });
      expect([asked.status, asked.headers.get("access-control-allow-origin")]).to.deep.equal([204, "*"]);
      const answer = await post(url, envelope);
      expect(answer.status).to.equal(201);
      const hex = `0x${commitment.toString(16).padStart(64, "0")}`;
      expect(await answer.json()).to.deep.equal({ model: MODEL, commitment: hex });
      expect(await inbox.find(wanted(commitment), signal)).to.deep.equal({ salt, input });
      expect(said).to.have.length(1);
      expect(said[0]).to.include(hex);
      for (const secret of [salt.toString(), salt.toString(16), Buffer.from(input).toString("hex")]) {
        expect(said.join()).to.not.include(secret);
      }
    });

    it("tells why it refuses, with a status that says whether to try again", async () => {
      const url = await served(await opened({ maxCount: 1 }));
      const { envelope } = await handed(key);
      const bent = Uint8Array.from(envelope);
      bent[bent.length - 1] = (bent.at(-1) as number) ^ 1;
      const cases = [
        [bent, 400, /does not open/],
        [new Uint8Array(0), 400, /no envelope/],
        [(await handed(key, { model: OTHER })).envelope, 404, /takes no private input/],
        [(await handed(key, { length: LENGTH + 1 })).envelope, 413, /at most/],
        [envelope, 201, undefined],
        [(await handed(key)).envelope, 503, /1 envelopes are waiting/],
      ] as const;
      for (const [body, status, pattern] of cases) {
        const answer = await post(url, body);
        expect(answer.status).to.equal(status);
        const { error } = (await answer.json()) as { readonly error?: string };
        if (pattern !== undefined) expect(error).to.match(pattern);
      }
      expect((await fetch(url)).status).to.equal(405);
    });

    it("says nothing of its own faults", async () => {
      const url = await served({ keep: () => Promise.reject(new Error("disk at /secret/place is full")) });
      const answer = await post(url, new Uint8Array(200).subarray(0, 100));
      expect([answer.status, await answer.json()]).to.deep.equal([500, { error: "it went wrong here" }]);
    });

    it("reads no more than an envelope, however it is sent", async () => {
      const url = await served(await opened());
      const { port } = new URL(url);
      // chunked: no length is said before
      const socket = net.connect(Number(port), "127.0.0.1");
      const ended = new Promise<string>((resolve) => {
        let text = "";
        socket.on("data", (part: Buffer) => (text += part.toString()));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve(text));
      });
      socket.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
      const chunk = `400\r\n${"x".repeat(1024)}\r\n`;
      socket.write(chunk);
      socket.write(chunk);
      expect(await ended).to.not.include("201");
    });

    it("closes with connections open", async () => {
      const url = await served(await opened());
      const socket = net.connect(Number(new URL(url).port), "127.0.0.1");
      const ended = new Promise((resolve) => socket.once("close", resolve));
      socket.on("error", () => undefined);
      await new Promise((resolve) => socket.once("connect", resolve));
      await server?.close();
      await ended;
      server = undefined;
    });

    it("refuses a port that is taken", async () => {
      const { port } = new URL(await served(await opened()));
      const refusal = await refusalOf(() =>
        serveInbox({ inbox: { keep: () => expect.fail("none") }, log, maxBytes: 1, port: Number(port) }),
      );
      expect([refusal.code, refusal.message]).to.deep.equal(["environment", `port ${port} of 127.0.0.1 cannot be listened on`]); // prettier-ignore
    });
  });
});
