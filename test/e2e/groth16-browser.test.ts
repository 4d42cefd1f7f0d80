// The package `glassbox/groth16` in a headless Chromium, served as it is, without a bundler: in the page and in a worker of
// the page's own, with and without shared memory. snarkjs judges the proofs on our side.
import { expect } from "chai";
import { readFileSync } from "node:fs";
import type { SnarkjsProof } from "snarkjs";
import { type Browser, openBrowser, type Page, serve, type Site } from "../support/browser.ts";
import { endSnarkjsThreads } from "../support/keys.ts";
import { type Stranger, stranger } from "../support/stranger.ts";

const IMPORTS = { imports: { ffjavascript: "/ffjavascript.js", "glassbox/groth16": "/glassbox/groth16/index.js" } };

/** Answers { made, refused }: proofs from all that a caller may give, and what was said of what cannot be proved. */
const ACT = `
const bytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
export async function act({ prove, openProver }) {
  const [key, witness] = ["/files/development.zkey", "/files/circuit.wtns"];
  const made = [await prove(key, witness, { threads: 1 })];
  const prover = openProver({ threads: 2 });
  const [keyBytes, witnessBytes] = [await bytes(key), await bytes(witness)];
  made.push(await prover.prove(keyBytes, witnessBytes));
  made.push(await prover.prove(keyBytes, new Blob([witnessBytes])));
  made.push(await prover.prove(new Blob([keyBytes]), witness));
  const refused = {};
  const refuse = async (name, given, call) => {
    refused[name] = await prover.prove(given, witness, call).then(
      () => "nothing",
      ({ code, message }) => (message.includes("answers 404") ? code + ", not found" : code ?? message),
    );
  };
  const stop = new AbortController();
  await refuse("stopped", key, { signal: stop.signal, onProgress: () => stop.abort() });
  await refuse("no such key", "/files/nothing.zkey");
  await refuse("no key", witness);
  await refuse("a key cut off", keyBytes.subarray(0, -1));
  await refuse("nothing is wrong", key);
  await prover.close();
  return { made, refused, isolated: self.crossOriginIsolated };
}
`;

const PAGE = `<!doctype html>
<script type="importmap">${JSON.stringify(IMPORTS)}</script>
<script type="module">
  import * as groth16 from "glassbox/groth16";
  import { act } from "/act.js";
  window.inPage = () => act(groth16);
  window.inWorker = () => new Promise((resolve, reject) => {
    const worker = new Worker("/worker.js", { type: "module" });
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => reject(new Error(event.message));
  });
  window.withoutSimd = async () => {
    WebAssembly.compile = async () => { throw new WebAssembly.CompileError("no relaxed SIMD"); };
    const said = [];
    const prover = groth16.openProver({
      fallback: async (zkey, wtns) => ({ proof: zkey, publicSignals: [wtns] }),
      onFallback: ({ code }) => said.push(code),
    });
    const given = ["/files/development.zkey", "/files/circuit.wtns"];
    const made = [await prover.prove(...given), await prover.prove(...given)];
    await prover.close();
    const alone = await groth16.prove(...given).catch(({ code }) => code);
    return { said, made, alone };
  };
  window.ready = true;
</script>`;

const WORKER = `
import * as groth16 from "/resolved/groth16/index.js";
import { act } from "/act.js";
act(groth16).then((done) => postMessage(done), (thrown) => postMessage({ thrown: String(thrown) }));
`;

interface Done {
  readonly thrown?: string;
  readonly made: readonly { readonly proof: SnarkjsProof; readonly publicSignals: readonly string[] }[];
  readonly refused: Readonly<Record<string, string>>;
  readonly isolated: boolean;
}

interface Acts {
  readonly ready?: boolean;
  inPage(): Promise<Done>;
  inWorker(): Promise<Done>;
  withoutSimd(): Promise<unknown>;
}

describe("glassbox/groth16 in a browser", function () {
  this.timeout(60_000);
  let here: Stranger;
  let browser: Browser | undefined;
  before(async function () {
    const opened = await openBrowser();
    if (typeof opened === "string") {
      if (process.env["CI"] !== undefined) throw new Error(opened);
      this.skip();
    }
    browser = opened;
    here = await stranger();
  });
  after(async () => {
    await browser?.close();
    await endSnarkjsThreads();
    (here as Stranger | undefined)?.remove();
  });

  const files = (name: string): { file: string } | { text: string } | undefined => {
    const [, folder, rest] = /^\/([^/]*)\/?(.*)$/.exec(name) as unknown as [string, string, string];
    switch (folder) {
      case "index.html":
        return { text: PAGE };
      case "act.js":
        return { text: ACT };
      case "worker.js":
        return { text: WORKER };
      case "ffjavascript.js":
        return { file: here.at("node_modules/ffjavascript/build/browser.esm.js") };
      case "glassbox":
        return { file: here.at(`node_modules/glassbox/${rest}`) };
      case "resolved": {
        const file = here.at(`node_modules/glassbox/${rest}`);
        if (!rest.endsWith(".js")) return { file };
        return { text: readFileSync(file, "utf8").replace('from "ffjavascript"', 'from "/ffjavascript.js"') };
      }
      case "files":
        return { file: here.at(rest) };
      default:
        return undefined;
    }
  };

  /** What `act` of the page answers, on a site of its own. */
  const onPage = async <T>(isolated: boolean, act: (page: Page, site: Site) => Promise<T>): Promise<T> => {
    const site = await serve(files, isolated);
    const page = await (browser as Browser).newPage();
    const wrong: string[] = [];
    page.on("pageerror", (event) => wrong.push(event.message ?? ""));
    try {
      await page.goto(`${site.address}/index.html`);
      const done = await act(page, site);
      expect(wrong).to.deep.equal([]);
      return done;
    } finally {
      await page.close();
      await site.close();
    }
  };

  for (const isolated of [false, true]) {
    for (const place of ["inPage", "inWorker"] as const) {
      const shown = `${place === "inPage" ? "in a page" : "in a page's worker"} with${isolated ? "" : "out"} shared memory`;
      it(`proves ${shown}, from addresses, bytes and Blobs`, () =>
        onPage(isolated, async (page, site) => {
          const done = await page.evaluate((name) => (globalThis as unknown as Acts)[name](), place);
          expect(done.thrown).to.equal(undefined);
          expect(done.isolated).to.equal(isolated);
          expect(done.made).to.have.length(4);
          for (const { proof, publicSignals } of done.made) {
            expect(await here.verify("development", proof, publicSignals)).to.equal(true);
            const other = publicSignals.with(2, `${BigInt(publicSignals[2] as string) + 1n}`);
            expect(await here.verify("development", proof, other)).to.equal(false);
          }
          expect(done.refused).to.deep.equal({
            stopped: "aborted",
            "no such key": "input, not found",
            "no key": "input",
            "a key cut off": "input",
            "nothing is wrong": "nothing",
          });
          const root = place === "inPage" ? "/glassbox" : "/resolved";
          expect(site.asked).to.include.members([`${root}/groth16/worker.js`, `${root}/groth16/kernel.wasm`]);
        }));
    }
  }

  it("hands over to the fallback where there is no relaxed SIMD, and says so once", () =>
    onPage(false, async (page) => {
      const handed = { proof: "/files/development.zkey", publicSignals: ["/files/circuit.wtns"] };
      expect(await page.evaluate(() => (globalThis as unknown as Acts).withoutSimd(), undefined)).to.deep.equal({
        said: ["unsupported"],
        made: [handed, handed],
        alone: "unsupported",
      });
    }));
});
