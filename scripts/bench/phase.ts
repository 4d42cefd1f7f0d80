// One phase of the bench in a process of its own, so that its peak memory is its own. Takes one job over the process's pipe,
// answers with samples, figures and peak, and ends. Each phase loads only the modules that it measures.
import type { Phase, PhaseJob, PhaseReply } from "./ports.ts";
import { childrenPeak, ownPeak } from "./tree.ts";

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
  const look = (): void => void (children = Math.max(children, childrenPeak() ?? 0));
  const known = childrenPeak() !== undefined;
  const report = await phase(job, look);
  return { ...report, peak: { own: ownPeak(), child: known ? children : null } };
}
