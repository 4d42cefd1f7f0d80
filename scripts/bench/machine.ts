// What the figures were measured on, without anything that names the machine or a place on it.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import os from "node:os";
import type { Machine } from "./results.ts";
import { treeCpu } from "./tree.ts";

const require = createRequire(import.meta.url);
const TOOLS = ["snarkjs", "circom2", "onnxruntime-node"];

export function machine(): Machine {
  const { version } = process;
  return {
    cpu: os.cpus()[0]?.model.trim() ?? "unknown",
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    node: version,
    versions: Object.fromEntries(TOOLS.map((name) => [name, versionOf(name)])),
  };
}

/** The package's own statement; read as a file where its exports hide it. */
function versionOf(name: string): string {
  return (require(`../../node_modules/${name}/package.json`) as { readonly version: string }).version;
}

/** The commit that was measured, marked where files of the checkout differ from it; "unknown" outside git. */
export function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no", ":/", ":!/bench").trim() !== "";
    return `${git("rev-parse", "--short=12", "HEAD").trim()}${changed ? " and changes to it" : ""}`;
  } catch {
    return "unknown";
  }
}

export interface CpuSeconds {
  readonly all: number;
  /** This process and all that it started. */
  readonly own: number;
}

/** Seconds of CPU used so far by the whole machine and by us; undefined where there is no /proc. */
export function cpuSeconds(): CpuSeconds | undefined {
  const all = os.cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
  const own = treeCpu();
  return own === undefined ? undefined : { all, own };
}

export function load(): number {
  return os.loadavg()[0] as number;
}
