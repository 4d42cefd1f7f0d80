// What a requester's page does with a private input, in a headless Chromium: commits, seals and posts it, by the same files
// as in Node; the inbox here opens it. Skipped where there is no Chromium.
import { expect } from "chai";
import { build } from "esbuild";
import type { Address, ModelId } from "../../node/core/domain.ts";
import { OVERHEAD } from "../../node/private/envelope.ts";
import { openInbox } from "../../node/private/inbox.ts";
import { ensureEncryptionKey, openEncryptionKey } from "../../node/private/keys.ts";
import { type InboxServer, serveInbox } from "../../node/private/server.ts";
import { silentLog, systemClock } from "../../node/app/observe.ts";
import { type Browser, openBrowser, serve, type Site } from "../support/browser.ts";
import { workFolder } from "../support/keys.ts";

const ENTRY = `
export { newSalt, privateCommitment } from "./node/core/commitment.ts";
export { deliver } from "./node/private/deliver.ts";
export { seal } from "./node/private/envelope.ts";
`;
const MODEL = `0x${"ab".repeat(32)}` as ModelId;
const COORDINATOR = `0x${"0c".repeat(20)}` as Address;
const INPUT = Array.from({ length: 100 }, (_, i) => (37 * i) % 256);

/** What the page has of the bundle. */
interface Page {
  newSalt(): bigint;
  privateCommitment(salt: bigint, input: Uint8Array): bigint;
  seal(key: Uint8Array, about: object, opening: { salt: bigint; input: Uint8Array }): Promise<Uint8Array>;
  deliver(endpoint: string, envelope: Uint8Array): Promise<void>;
}

describe("a private input from a browser", function () {
  this.timeout(60_000);
  const work = workFolder();
  let browser: Browser | undefined;
  let site: Site | undefined;
  let server: InboxServer | undefined;
  after(async () => {
    await browser?.close();
    await site?.close();
    await server?.close();
    work.remove();
  });

  it("is committed to, sealed and posted in a page, and opens here", async function () {
    const opened = await openBrowser();
    if (typeof opened === "string") return this.skip();
    browser = opened;
    const stdin = { contents: ENTRY, resolveDir: ".", loader: "ts" } as const;
    const { outputFiles } = await build({ stdin, bundle: true, format: "iife", globalName: "glassbox", write: false });
    const script = outputFiles[0]?.text ?? expect.fail("no bundle");
    site = await serve((name) => (name === "/index.html" ? { text: "<!doctype html><script src=/b.js></script>" } : { text: script }), false); // prettier-ignore

    ensureEncryptionKey(work.at("encryption.key"));
    const { opening, publicKey } = await openEncryptionKey(work.at("encryption.key"));
    const inbox = await openInbox({
      folder: work.at("inbox"),
      key: opening,
      chainId: 31337n,
      coordinator: COORDINATOR,
      inputLengthOf: async () => INPUT.length,
      clock: systemClock,
      maxCount: 1,
      maxAgeMs: 60_000,
    });
    // another origin than the page's
    server = await serveInbox({ inbox, log: silentLog, maxBytes: OVERHEAD + INPUT.length, port: 0 });

    const page = await browser.newPage();
    await page.goto(`${site.address}/index.html`);
    const given = { key: [...publicKey], endpoint: server.url, input: INPUT, model: MODEL, coordinator: COORDINATOR };
    const told = await page.evaluate(async ({ key, endpoint, input, model, coordinator }) => {
      const { newSalt, privateCommitment, seal, deliver } = (globalThis as unknown as { glassbox: Page }).glassbox;
      const [salt, bytes] = [newSalt(), Uint8Array.from(input)];
      const about = { chainId: 31337n, coordinator, model, requester: coordinator };
      await deliver(endpoint, await seal(Uint8Array.from(key), about, { salt, input: bytes }));
      return { salt: salt.toString(), commitment: privateCommitment(salt, bytes).toString() };
    }, given);
    const found = await inbox.find(
      { model: MODEL, requester: COORDINATOR, commitment: BigInt(told.commitment) },
      new AbortController().signal,
    );
    expect(found).to.deep.equal({ salt: BigInt(told.salt), input: Uint8Array.from(INPUT) });
  });
});
