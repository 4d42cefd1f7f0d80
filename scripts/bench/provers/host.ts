// A prover in a process of its own, for the bench: opens the one that its argument names, then answers each job with a proof
// and what it cost. One job at a time.
import { childrenPeak, ownPeak, treeCpu } from "../tree.ts";
import type { ProverName } from "./results.ts";
import { RACERS } from "./table.ts";
import type { HostJob, HostReply } from "./ports.ts";

/** Milliseconds between two looks at processes that end by themselves. */
const LOOK_MS = 10;

const racer = RACERS[process.argv[2] as ProverName]();
// It is awaited with the first job, which may come later than the failure.
racer.catch(() => undefined);
let children = 0;

process.on("disconnect", () => {
  void racer.then((prover) => prover.close()).finally(() => process.exit(0));
});
process.on("message", (message) => {
  answer(message as HostJob).then(
    (reply) => process.send?.(reply),
    (thrown: unknown) => process.send?.({ error: thrown instanceof Error ? thrown.message : String(thrown) }),
  );
});

async function answer({ zkey, wtns, watch }: HostJob): Promise<HostReply> {
  const look = (): void => void (children = Math.max(children, childrenPeak() ?? 0));
  const prover = await racer;
  const timer = watch ? setInterval(look, LOOK_MS) : undefined;
  const [before, started] = [treeCpu(), performance.now()];
  const { proof, publicSignals, phases = {} } = await prover.prove(zkey, wtns);
  const [wall, after] = [(performance.now() - started) / 1000, treeCpu()];
  clearInterval(timer);
  look();
  const child = childrenPeak() === undefined ? null : children;
  const cpu = before === undefined || after === undefined ? null : { proof: after - before, process: after };
  return { proof, publicSignals, phases, wall, cpu, peak: { own: ownPeak(), child } };
}
