// One phase of the bench in a process of its own, so that its peak memory is its own. Takes one job over the process's pipe,
// answers with samples, figures and peak, and ends. Each phase loads only the modules that it measures.
import fs from "node:fs";
import type { Phase, PhaseJob, PhaseReply } from "./ports.ts";

process.once("message", (message) => {
  answer(message as PhaseJob).then(
    (reply) => end(reply, 0),
    (thrown: unknown) => {
      const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      end({ error }, 1);
    },
  );
});

/** The process would wait for the pipe and for snarkjs' threads. */
function end(reply: PhaseReply, code: number): void {
  process.send?.(reply, undefined, {}, () => process.exit(code));
}

async function answer(job: PhaseJob): Promise<PhaseReply> {
  const { phase } = (await import(`./phases/${job.phase}.ts`)) as { readonly phase: Phase };
  let children = 0;
  const look = (): void => void (children = Math.max(children, peakOfChildren() ?? 0));
  const known = peakOfChildren() !== undefined;
  const report = await phase(job, look);
  const own = process.resourceUsage().maxRSS * 1024;
  return { ...report, peak: { own, child: known ? children : null } };
}

/** The largest peak among this process's children, from Linux' /proc; undefined on other systems. */
function peakOfChildren(): number | undefined {
  try {
    const threads = fs.readdirSync("/proc/self/task");
    const lists = threads.map((thread) => fs.readFileSync(`/proc/self/task/${thread}/children`, "utf8"));
    return Math.max(0, ...lists.flatMap((list) => list.split(" ").filter(Boolean)).map(peakOfProcess));
  } catch {
    return undefined;
  }
}

/** VmHWM, the largest resident size so far; 0 for a process that has ended. */
function peakOfProcess(pid: string): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
    return 1024 * Number(kilobytes?.[1] ?? 0);
  } catch {
    return 0;
  }
}
