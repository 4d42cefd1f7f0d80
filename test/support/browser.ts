// A headless Chromium, where the packages for it are installed, and a server for the pages that it shows.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";

/** What is used here of playwright-core's Page. */
export interface Page {
  goto(address: string): Promise<unknown>;
  evaluate<A, R>(act: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
  on(event: "pageerror" | "console", listen: (event: { text?(): string; message?: string }) => void): void;
  close(): Promise<void>;
}

export interface Browser {
  version(): string;
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: { launch(options: { executablePath: string; args: readonly string[] }): Promise<Browser> };
}

interface PackedChromium {
  readonly default: { executablePath(): Promise<string> };
}

/** For containers, and without what Chromium does of its own accord. The packed one's own flags would weaken isolation. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
].concat(["--disable-component-update", "--disable-sync"]);

/** @returns why there is none, where it cannot be had; CHROMIUM may name a binary */
export async function openBrowser(): Promise<Browser | string> {
  // Optional packages, hence not imports that the compiler would look for.
  const load = (name: string): Promise<unknown> => import(name);
  try {
    const { chromium } = (await load("playwright-core")) as Playwright;
    const own = process.env["CHROMIUM"];
    if (own !== undefined) return await chromium.launch({ executablePath: own, args: FLAGS });
    const { default: packed } = (await load("@sparticuz/chromium")) as PackedChromium;
    return await chromium.launch({ executablePath: await packed.executablePath(), args: FLAGS });
  } catch (cause) {
    return `no Chromium here: ${String(cause).split("\n")[0] ?? ""}`;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".wasm": "application/wasm",
  ".html": "text/html",
};

export interface Site {
  readonly address: string;
  /** What was asked for, in order. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/**
 * Serves texts and files by the paths that `find` knows, on a free port of this machine only.
 * @param isolated with the headers that give pages shared memory
 */
export async function serve(
  find: (name: string) => { file: string } | { text: string } | undefined,
  isolated: boolean,
): Promise<Site> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const name = new URL(request.url ?? "/", "http://local").pathname;
    asked.push(name);
    const found = find(name);
    if (found === undefined || ("file" in found && !existsSync(found.file))) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[path.extname(name)] ?? "application/octet-stream";
    const isolation = {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
      "Cross-Origin-Resource-Policy": "same-origin",
    };
    response.writeHead(200, { "Content-Type": type, ...(isolated ? isolation : {}) });
    if ("file" in found) createReadStream(found.file).pipe(response);
    else response.end(found.text);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // The browser keeps some open for later.
        server.closeAllConnections();
      }),
  };
}
