// What this process and those that it started use: memory and CPU, from Linux' /proc. Undefined on other systems.
import fs from "node:fs";

/** Clock ticks per second in Linux' /proc, on every architecture that Node runs on. */
export const TICKS = 100;

/** Ids of the processes that this one started, and those that they started, as far as they still run. */
function descendants(of = "self"): string[] | undefined {
  try {
    const threads = fs.readdirSync(`/proc/${of}/task`);
    const lists = threads.map((thread) => fs.readFileSync(`/proc/${of}/task/${thread}/children`, "utf8"));
    return lists
      .flatMap((list) => list.split(" ").filter(Boolean))
      .flatMap((pid) => [pid, ...(descendants(pid) ?? [])]);
  } catch {
    return of === "self" ? undefined : [];
  }
}

/** The most resident bytes of a process so far (VmHWM); 0 for one that has ended, undefined where there is no /proc. */
function peakOfProcess(pid: string): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
    return 1024 * Number(kilobytes?.[1] ?? 0);
  } catch {
    return pid === "self" ? undefined : 0;
  }
}

/** Of this process alone. getrusage would also count what the parent held when it forked. */
export function ownPeak(): number {
  return peakOfProcess("self") ?? process.resourceUsage().maxRSS * 1024;
}

/** Of the processes that it started and that still run, added up. */
export function childrenPeak(): number | undefined {
  return descendants()?.reduce((sum, pid) => sum + (peakOfProcess(pid) ?? 0), 0);
}

/**
 * Seconds of CPU of this process, all of its threads, and all that it started, running or ended. Of others than this process
 * to a hundredth of a second.
 */
export function treeCpu(): number | undefined {
  const running = descendants();
  if (running === undefined) return undefined;
  const { user, system } = process.cpuUsage();
  const ended = cpuOf("self", [2, 4]);
  return (user + system) / 1e6 + running.reduce((sum, pid) => sum + cpuOf(pid, [0, 4]), ended);
}

/** Seconds in some of utime, stime, cutime and cstime: fields 14 to 17, counted after the command's name in brackets. */
function cpuOf(pid: string, [from, to]: readonly [number, number]): number {
  try {
    const fields = fs
      .readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ")
      .slice(11, 15);
    return fields.slice(from, to).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
  } catch {
    return 0;
  }
}
