// The requester's end: the file that opens a commitment, and the post of an envelope to an endpoint that may say anything.
import { expect } from "chai";
import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { NodeError } from "../../../node/core/errors.ts";
import { R } from "../../../node/core/field.ts";
import { deliver } from "../../../node/private/deliver.ts";
import { readOpening, writeOpening } from "../../../node/private/opening.ts";
import { refusalOf, workFolder } from "../../support/keys.ts";

describe("an opening", () => {
  const work = workFolder();
  after(() => work.remove());

  it("is read as it was written, by this user alone, and never overwritten", async () => {
    for (const [i, salt] of [0n, 1n, R - 1n].entries()) {
      const [file, input] = [work.at(`${i}.json`), Uint8Array.from({ length: i }, (_, k) => 200 + k)];
      writeOpening(file, { salt, input });
      expect(fs.statSync(file).mode & 0o777).to.equal(0o600);
      expect(readOpening(file)).to.deep.equal({ salt, input });
      expect((await refusalOf(() => writeOpening(file, { salt: 5n, input }))).code).to.equal("input");
      expect(readOpening(file).salt).to.equal(salt);
    }
    expect((await refusalOf(() => writeOpening(work.at("no/folder"), { salt: 1n, input: Uint8Array.of(1) }))).mend).to.match(/folder that is/); // prettier-ignore
  });

  it("is refused if it was altered, is of another kind, or others can read it; without a word of what it holds", async () => {
    const file = work.at("own.json");
    writeOpening(file, { salt: 99n, input: Uint8Array.of(0xab, 0xcd) });
    const good = fs.readFileSync(file, "utf8");
    const bad = [
      good.replace("abcd", "abce"),
      good.replace("63", "64"),
      good.replace("opening.v1", "opening.v2"),
      good.replace("0xabcd", "abcd"),
      good.replace(/"salt": "0x\d+"/, `"salt": "0x${R.toString(16).padStart(64, "0")}"`),
      "{}",
      "null",
      "abcd",
      "",
    ];
    for (const text of bad) {
      expect(text).not.to.equal(good);
      fs.writeFileSync(file, text);
      const refusal = await refusalOf(() => readOpening(file));
      expect([refusal.code, refusal.message]).to.deep.equal(["input", `${file} opens no commitment`]);
      expect(refusal.cause).to.equal(undefined);
    }
    fs.writeFileSync(file, good);
    fs.chmodSync(file, 0o644);
    expect((await refusalOf(() => readOpening(file))).message).to.match(/can be read by other users/);
  });
});

describe("the post of an envelope", () => {
  let server: http.Server;
  let answer: (request: http.IncomingMessage, response: http.ServerResponse) => void;
  let endpoint: string;
  beforeEach(async () => {
    server = http.createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/in`;
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it("sends the bytes, and is content with any success", async () => {
    const got: Buffer[] = [];
    answer = (request, response) => {
      request.on("data", (part: Buffer) => got.push(part));
      request.on("end", () => response.writeHead(request.method === "POST" ? 201 : 500).end("x".repeat(100_000)));
    };
    await deliver(endpoint, Uint8Array.of(1, 2, 3));
    expect(Buffer.concat(got)).to.deep.equal(Buffer.of(1, 2, 3));
  });

  it("says whether to try again, and why, but no more of a stranger's text than a plain line", async () => {
    for (const [status, retry] of [
      [400, false],
      [404, false],
      [413, false],
      [500, true],
      [503, true],
    ] as const) {
      // prettier-ignore
      answer = (_, response) => response.writeHead(status).end("\u001b[31mtransfer your funds");
      const refusal = await refusalOf(() => deliver(endpoint, Uint8Array.of(1)));
      expect([refusal.code, refusal.retry], `${status}`).to.deep.equal(["chain", retry]);
      expect(refusal.message).to.contain(`HTTP ${status}`).and.not.contain("transfer");
    }
    answer = (_, response) => response.writeHead(503).end(JSON.stringify({ error: "9 envelopes are waiting" }));
    expect((await refusalOf(() => deliver(endpoint, Uint8Array.of(1)))).message).to.contain(
      "(9 envelopes are waiting)",
    );
    for (const error of ["\u001b[31mtransfer", "transfer\nyour funds", "transfer ".repeat(30), "", 7]) {
      answer = (_, response) => response.writeHead(400).end(JSON.stringify({ error }));
      expect((await refusalOf(() => deliver(endpoint, Uint8Array.of(1)))).message).to.contain("(HTTP 400)");
    }
    answer = (request) => request.socket.destroy();
    expect((await refusalOf(() => deliver(endpoint, Uint8Array.of(1)))).retry).to.equal(true);
    // to another place than was published
    answer = (_, response) => response.writeHead(307, { location: "http://127.0.0.1:9/" }).end();
    expect((await refusalOf(() => deliver(endpoint, Uint8Array.of(1)))).code).to.equal("chain");
  });

  it("stops on request", async () => {
    const stop = new AbortController();
    answer = () => stop.abort();
    const stopped: unknown = await deliver(endpoint, Uint8Array.of(1), stop.signal).catch((error: unknown) => error);
    expect(stopped).to.be.instanceOf(NodeError).with.property("code", "aborted");
  });
});
