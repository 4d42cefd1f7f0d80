// Starts an embedded chain for `npm start`, the end-to-end tests and the bench: anvil where its package is there and
// runs, otherwise Hardhat's EDR. Both speak JSON-RPC on 127.0.0.1, on a port that the system picks.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export type ChainKind = "anvil" | "edr";

export interface LocalChain {
  readonly kind: ChainKind;
  readonly rpcUrl: string;
  /** Private keys of funded accounts. Known to everyone: they are derived from the public development mnemonic. */
  readonly keys: readonly string[];
  stop(): Promise<void>;
}

/** The first accounts of "test test test test test test test test test test test junk". */
const DEVELOPMENT_KEYS = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
];
const START_MS = 60_000;

export interface ChainOptions {
  /** anvil only; without it 31337. */
  readonly chainId?: number;
}

function commandOf(kind: ChainKind, { chainId }: ChainOptions): readonly [string, readonly string[]] {
  if (kind === "edr") {
    return [process.execPath, [path.join(path.dirname(fileURLToPath(import.meta.url)), "edr.ts")]];
  }
  const binary = createRequire(import.meta.url).resolve("@foundry-rs/anvil-linux-amd64/bin/anvil");
  const id = chainId === undefined ? [] : ["--chain-id", String(chainId)];
  return [binary, ["--host", "127.0.0.1", "--port", "0", "--hardfork", "osaka", "--accounts", "3", ...id]];
}

async function start(kind: ChainKind, options: ChainOptions): Promise<LocalChain> {
  const [command, args] = commandOf(kind, options);
  const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
  const child = spawn(command, args, { cwd: root, stdio: ["pipe", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let said = "";
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await ended;
  };
  process.once("exit", () => child.kill("SIGKILL"));
  const rpcUrl = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${kind} did not listen within ${START_MS / 1000} s: ${said}`)),
      START_MS,
    );
    const hear = (chunk: Buffer): void => {
      if (said.length < 65_536) said += chunk.toString();
      const found = /Listening on (?:http:\/\/)?127\.0\.0\.1:(\d+)/.exec(said);
      if (found === null) return;
      clearTimeout(timer);
      resolve(`http://127.0.0.1:${found[1]}`);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${kind} ended with code ${code}: ${said}`)));
  }).catch(async (error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  return { kind, rpcUrl, keys: DEVELOPMENT_KEYS, stop };
}

/** @param kind which implementation; without it, anvil where it is present and runs, else EDR */
export async function startChain(kind?: ChainKind, options: ChainOptions = {}): Promise<LocalChain> {
  if (kind !== undefined) return start(kind, options);
  try {
    return await start("anvil", options);
  } catch {
    return start("edr", options); // no such package for this platform, or the binary does not run here
  }
}
