// Runs phases in processes of their own, one after another, and takes medians. What a phase does is in phases/.
import { type ChildProcess, fork } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { cpuSeconds } from "./machine.ts";
import type { PhaseJob, PhaseReply } from "./ports.ts";
import { type Outcome, type Outcomes, type Peak, spreadOf } from "./results.ts";

export const ROOT = path.join(import.meta.dirname, "../..");

/** The whole model through circom is given this long. */
const CIRCOM_MS = 180_000;
const PHASE_MS = 900_000;

/** All that the bench started and that runs, to be killed if the bench ends early. */
export const running = new Set<ChildProcess>();

export function start(script: string, ...args: readonly string[]): ChildProcess {
  const child = fork(path.join(ROOT, "scripts/bench", script), args, {
    cwd: ROOT,
    stdio: ["ignore", "ignore", 2, "ipc"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

export function progress(text: string): void {
  process.stderr.write(`bench: ${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** Cores that other programs keep busy, on average, from here to the call of what is returned. */
export function watchOthers(): () => { readonly others?: number } {
  const [started, before] = [performance.now(), cpuSeconds()];
  return () => {
    const after = cpuSeconds();
    if (before === undefined || after === undefined) return {};
    const busy = after.all - before.all - (after.own - before.own);
    return { others: Math.max(0, busy / ((performance.now() - started) / 1000)) };
  };
}

/** One job in a process of its own; settles when that has ended. */
function runOnce(job: PhaseJob, limitMs: number): Promise<PhaseReply> {
  return new Promise((resolve) => {
    const child = start("phase.ts");
    let reply: PhaseReply | undefined;
    const timer = setTimeout(() => {
      reply = { error: `did not finish within ${limitMs / 1000} s` };
      child.kill("SIGKILL");
    }, limitMs);
    child.once("message", (message) => (reply = message as PhaseReply));
    child.once("exit", (code, by) => {
      clearTimeout(timer);
      resolve(reply ?? { error: `its process ended early (${by ?? `exit code ${code}`})` });
    });
    child.send(job);
  });
}

async function run(job: PhaseJob, runs: number, limitMs = PHASE_MS): Promise<Outcome> {
  const samples: Record<string, number[]> = {};
  let figures: Readonly<Record<string, number>> = {};
  const peaks: Peak[] = [];
  const othersSince = watchOthers();
  for (let i = 0; i < runs; i++) {
    progress(`${job.network}: ${path.basename(job.folder)} ${job.phase} ${i + 1}/${runs}`);
    const reply = await runOnce(job, limitMs);
    if ("error" in reply) {
      progress(`${job.network}: ${job.phase}: ${reply.error}`);
      return { reason: reply.error.split("\n")[0] as string };
    }
    for (const [name, times] of Object.entries(reply.seconds)) (samples[name] ??= []).push(...times);
    figures = reply.figures ?? {};
    peaks.push(reply.peak);
  }
  const seconds = Object.fromEntries(Object.entries(samples).map(([name, times]) => [name, spreadOf(times)]));
  return { seconds, figures, peak: largest(peaks), ...othersSince() };
}

export function largest(peaks: readonly Peak[]): Peak {
  const known = peaks.every(({ child }) => child !== null);
  return {
    own: Math.max(...peaks.map(({ own }) => own)),
    child: known ? Math.max(...peaks.map(({ child }) => child ?? 0)) : null,
  };
}

/** Runs phases in order; one that has no result ends the road, for those after it read its files. */
export async function road(phases: readonly string[], base: Omit<PhaseJob, "phase">, runs: number): Promise<Outcomes> {
  const outcomes: Record<string, Outcome> = {};
  fs.mkdirSync(base.folder, { recursive: true });
  for (const phase of phases) {
    const once = phase === "gas" || phase === "circom";
    const outcome = await run({ ...base, phase }, once ? 1 : runs, phase === "circom" ? CIRCOM_MS : PHASE_MS);
    outcomes[phase] = outcome;
    if ("reason" in outcome) break;
  }
  return outcomes;
}
