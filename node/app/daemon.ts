// The node as a process part: takes the data folder's lock, starts what wiring.ts joins, reports its status, and stops in
// order: what was computed is stored or left to be done again, the proving child is killed, the database closed.
import fs from "node:fs";
import path from "node:path";
import type { Hex } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import type { Clock, Log } from "../core/ports.ts";
import type { EngineOptions, EngineStatus } from "../job/engine.ts";
import { type Config, secretsOf } from "./config.ts";
import { openLog, systemClock } from "./observe.ts";
import type { Package } from "./model.ts";
import { type Wired, wire } from "./wiring.ts";

export interface NodeOptions {
  /** Loaded and checked, see proof/package.ts. */
  readonly packages: readonly Package[];
  /** Default: JSON lines on stderr at the configured level. */
  readonly log?: Log;
  readonly clock?: Clock;
  /** Told about every job that was stored in a new state. */
  readonly onStored?: EngineOptions["onStored"];
  readonly fault?: EngineOptions["fault"];
  readonly signal?: AbortSignal;
}

export interface NodeStatus extends EngineStatus {
  /** Milliseconds since the node started. */
  readonly upMs: number;
  /** Confirmed blocks that are not read yet; undefined while unknown. */
  readonly behind: number | undefined;
  readonly environment: Hex;
  readonly packages: readonly string[];
}

export interface RunningNode {
  status(): Promise<NodeStatus>;
  /** Where private inputs are posted to, as seen from this machine; undefined if nowhere. */
  readonly inbox: string | undefined;
  /** Rejects if the node cannot go on by itself; resolves when it was stopped. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** Starts a node in this process. It works until `stop` is called or `ended` rejects. */
export async function startNode(config: Config, options: NodeOptions): Promise<RunningNode> {
  const { packages, clock = systemClock, signal } = options;
  const log = options.log ?? openLog({ level: config.logLevel, secrets: secretsOf(config) });
  fs.mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
  const unlock = lock(config.dataDir);
  const started = clock.now();
  const stopping = new AbortController();
  let wired: Wired | undefined;
  try {
    wired = await wire(config, packages, {
      log,
      clock,
      ...(signal === undefined ? {} : { signal }),
      ...(options.onStored === undefined ? {} : { onStored: options.onStored }),
      ...(options.fault === undefined ? {} : { fault: options.fault }),
    });
    const { engine, client, environment, funds, inbox } = wired;
    fs.writeFileSync(path.join(config.dataDir, "environment.json"), environment.text);
    const { address: prover } = engine.sender;
    await engine.start();
    const names = packages.map(({ name }) => name);
    const { chainId: chain, coordinator } = client;
    log.info({ chain, coordinator, prover, funds, environment: environment.digest, packages: names }, "the node runs");
    const ended = engine.run(stopping.signal);
    ended.catch((error: unknown) => log.error({ error: asNodeError(error).message }, "the node cannot go on"));
    const { close } = wired;
    let stopped: Promise<void> | undefined;
    return {
      ended,
      inbox,
      async status() {
        const status = await engine.status();
        const { head, cursor } = status;
        const confirmed = head === undefined ? undefined : Math.max(0, head - config.confirmations);
        const behind = confirmed === undefined ? undefined : Math.max(0, confirmed - (cursor ?? config.startBlock));
        return { ...status, upMs: clock.now() - started, behind, environment: environment.digest, packages: names };
      },
      stop: () =>
        (stopped ??= (async () => {
          stopping.abort(new NodeError("aborted", "the node stops"));
          await ended.catch(() => undefined);
          await close();
          unlock();
          log.info({}, "the node stopped");
        })()),
    };
  } catch (error) {
    await wired?.close();
    unlock();
    throw error;
  }
}

/** Runs a node until `signal` is aborted (SIGTERM, SIGINT) or it cannot go on. */
export async function runNode(config: Config, options: NodeOptions & { readonly signal: AbortSignal }): Promise<void> {
  const node = await startNode(config, options);
  const asked = new Promise<void>((resolve) => {
    if (options.signal.aborted) resolve();
    options.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  try {
    await Promise.race([asked, node.ended]);
  } finally {
    await node.stop();
  }
}

/** One node per data folder: two on one embedded database would destroy it. Returns what releases the lock. */
export function lock(folder: string): () => void {
  const file = path.join(folder, "lock");
  const own = identity(process.pid);
  for (let tries = 0; ; tries++) {
    try {
      fs.writeFileSync(file, own, { flag: "wx" });
      return () => fs.rmSync(file, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST" || tries > 2) throw cause;
    }
    const holder = fs.readFileSync(file, "utf8");
    const pid = Number(holder.split(" ")[0]);
    // The process that wrote it is gone, or its number was given to another one since (always so in a container).
    if (!isAlive(pid) || identity(pid) !== holder) {
      fs.rmSync(file, { force: true });
      continue;
    }
    throw new NodeError("environment", `the data folder ${folder} is in use by process ${pid}`, {
      mend: "Stop that node first, or give this one a data folder of its own.",
      facts: { pid },
    });
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Process number and, where the system tells it, the tick it started at: together never given twice until a reboot. */
function identity(pid: number): string {
  try {
    // proc(5): the name in brackets may hold spaces; starttime is the 20th field after it.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""}`;
  } catch {
    return `${pid} `;
  }
}
