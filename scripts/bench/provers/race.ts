// Makes provers prove the same witness in turns, so that whatever else the machine does meets all of them alike. Each has a
// process of its own; every proof is verified here, outside of what is timed.
import type { ChildProcess } from "node:child_process";
import type { VerifyingKey } from "../../../node/core/domain.ts";
import { verifyProof } from "../../../node/proof/verify.ts";
import { proofFromSnarkjs, signalsFromSnarkjs } from "../../../node/proof/vkey.ts";
import { type NotMeasured, spreadOf } from "../results.ts";
import { largest, progress, start } from "../road.ts";
import type { HostJob, HostReply, Proof } from "./ports.ts";
import type { ProverFigures, ProverName, Proving } from "./results.ts";

export interface Course {
  readonly name: string;
  readonly zkey: string;
  readonly wtns: string;
  readonly key: VerifyingKey;
  /** Proofs in one process before those that are timed, and those that are. */
  readonly before: number;
  readonly warm: number;
  /** Fresh processes. */
  readonly oneShots: number;
}

interface Laps {
  readonly warm: Proof[];
  readonly oneShot: Proof[];
}

const PROOF_MS = 600_000;
/** Its warm proofs are fresh processes already; those after the first find the key in the system's file cache. */
const PROCESS_PER_PROOF: ReadonlySet<ProverName> = new Set(["rapidsnark"]);

/** In turns: first the proofs in processes that stay, then fresh processes. A prover that fails is out. */
export async function race(
  { name, zkey, wtns, key, before, warm, oneShots }: Course,
  provers: readonly ProverName[],
): Promise<Partial<Record<ProverName, ProverFigures | NotMeasured>>> {
  const laps = new Map(provers.map((prover): [ProverName, Laps] => [prover, { warm: [], oneShot: [] }]));
  const out = new Map<ProverName, NotMeasured>();
  const lap = async (prover: ProverName, what: string, work: () => Promise<Proof>): Promise<Proof | undefined> => {
    if (out.has(prover)) return undefined;
    progress(`${name}: ${prover}, ${what}`);
    try {
      const made = await work();
      const holds = await verifyProof(key, signalsFromSnarkjs(made.publicSignals), proofFromSnarkjs(made.proof));
      if (!holds) throw new Error("a proof does not verify");
      return made;
    } catch (thrown) {
      const reason = (thrown instanceof Error ? thrown.message : String(thrown)).split("\n")[0] as string;
      progress(`${name}: ${prover}: ${reason}`);
      out.set(prover, { reason });
      return undefined;
    }
  };

  const hosts = new Map(warm > 0 ? provers.map((prover) => [prover, openHost(prover)]) : []);
  for (let round = 0; round < before + warm && hosts.size > 0; round++) {
    for (const [prover, host] of hosts) {
      const watch = round < before;
      const made = await lap(prover, watch ? "warming up" : `warm ${1 + round - before}/${warm}`, () => host.prove({ zkey, wtns, watch })); // prettier-ignore
      if (made !== undefined && !watch) laps.get(prover)?.warm.push(made);
    }
  }
  await Promise.all([...hosts.values()].map((host) => host.close()));

  for (let round = 0; round < oneShots; round++) {
    for (const prover of provers.filter((name) => !PROCESS_PER_PROOF.has(name))) {
      const made = await lap(prover, `fresh process ${1 + round}/${oneShots}`, () => proveOnce({ zkey, wtns }, prover));
      if (made !== undefined) laps.get(prover)?.oneShot.push(made);
    }
  }
  return Object.fromEntries(provers.map((prover) => [prover, out.get(prover) ?? figuresOf(laps.get(prover) as Laps)]));
}

interface Host {
  prove(job: HostJob): Promise<Proof>;
  close(): Promise<void>;
}

function openHost(prover: ProverName): Host {
  const child = start("provers/host.ts", prover);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return {
    prove: (job) => ask(child, job),
    close: async () => {
      // Not killed: it ends what it started.
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}

/** Wall time from before the process is started until its proof is here; CPU of all that it did. */
async function proveOnce(job: Omit<HostJob, "watch">, prover: ProverName): Promise<Proof> {
  const started = performance.now();
  const host = openHost(prover);
  try {
    const made = await host.prove({ ...job, watch: false });
    const wall = (performance.now() - started) / 1000;
    return { ...made, wall, cpu: made.cpu && { ...made.cpu, proof: made.cpu.process } };
  } finally {
    await host.close();
  }
}

function ask(child: ChildProcess, job: HostJob): Promise<Proof> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      child.off("message", heard).off("exit", died);
    };
    const heard = (message: unknown): void => {
      end();
      const reply = message as HostReply;
      if ("error" in reply) reject(new Error(reply.error));
      else resolve(reply);
    };
    const died = (code: number | null, by: string | null): void => {
      end();
      reject(new Error(`its process ended early (${by ?? `exit code ${code}`})`));
    };
    const timer = setTimeout(() => {
      end();
      child.kill("SIGKILL");
      reject(new Error(`no proof within ${PROOF_MS / 1000} s`));
    }, PROOF_MS);
    if (!child.connected) return died(child.exitCode, child.signalCode);
    child.on("message", heard).on("exit", died);
    child.send(job);
  });
}

function figuresOf({ warm, oneShot }: Laps): ProverFigures {
  const last = warm.length > 0 ? warm : oneShot;
  const names = [...new Set(last.flatMap(({ phases }) => Object.keys(phases)))];
  return {
    ...(warm.length === 0 ? {} : { warm: provingOf(warm) }),
    ...(oneShot.length === 0 ? {} : { oneShot: provingOf(oneShot) }),
    phases: Object.fromEntries(
      names.map((name) => [name, spreadOf(last.map(({ phases }) => phases[name] ?? 0)).median]),
    ),
  };
}

function provingOf(proofs: readonly Proof[]): Proving {
  const cpu = proofs.flatMap((proof) => (proof.cpu === null ? [] : [proof.cpu.proof]));
  return {
    wall: spreadOf(proofs.map(({ wall }) => wall)),
    cpu: cpu.length < proofs.length ? null : spreadOf(cpu),
    peak: largest(proofs.map(({ peak }) => peak)),
  };
}
