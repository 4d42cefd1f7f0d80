// The provers that race, each as the bench calls it: files in, snarkjs' JSON out. Each loads only what it needs, so that a
// fresh process pays for what a user of that prover pays for.
import type { OnProgress } from "../../../node/core/ports.ts";
import type * as Groth16 from "../../../node/groth16/index.ts";
import type { ProverName } from "./results.ts";

export interface Made {
  readonly proof: unknown;
  readonly publicSignals: unknown;
  /** Seconds by phase, as far as the prover says. */
  readonly phases?: Readonly<Record<string, number>>;
}

export interface Racer {
  prove(zkey: string, wtns: string): Promise<Made>;
  close(): Promise<void>;
}

export const RACERS: Readonly<Record<ProverName, () => Promise<Racer>>> = { wasm, snarkjs, rapidsnark };

/** The package that others install: without what Node needs to run TypeScript as it is. */
async function wasm(): Promise<Racer> {
  const entry = new URL("../../../dist/groth16/index.js", import.meta.url).href;
  const { openProver } = (await import(entry)) as typeof Groth16;
  const prover = openProver();
  return {
    prove: async (zkey, wtns) => {
      const { proof, publicSignals, phases = {} } = await prover.prove(zkey, wtns);
      const seconds = Object.entries(phases).filter(([name]) => name !== "wall").map(([name, ms]) => [name, ms / 1000]); // prettier-ignore
      return { proof, publicSignals, phases: Object.fromEntries(seconds) as Record<string, number> };
    },
    close: () => prover.close(),
  };
}

/** As the node runs it: in a process of its own, with V8 and malloc set for it. */
async function snarkjs(): Promise<Racer> {
  const { openSnarkjs } = await import("../../../node/proof/snarkjs.ts");
  const process = openSnarkjs();
  return {
    prove: async (zkey, wtns) => {
      const [onProgress, phases] = steps();
      const { value } = await process.call({ act: "prove", zkey, wtns }, { onProgress });
      return { ...(value as Made), phases: phases() };
    },
    close: () => process.close(),
  };
}

/** Its phases by the moments at which they begin; what is before the first is the way there. */
function steps(): readonly [OnProgress, () => Record<string, number>] {
  const names = ["start", "witness", "rows", "transforms", "sum A", "sum B1", "sum B2", "sum C", "sum H"];
  const phases: Record<string, number> = {};
  let [current, since] = [0, performance.now()];
  const end = (): void => {
    const now = performance.now();
    phases[names[current] as string] = (now - since) / 1000;
    since = now;
  };
  const heard: OnProgress = ({ done }) => {
    end();
    current = (done ?? 0) + 1;
  };
  return [heard, () => (end(), phases)];
}

/** A process per proof: that is how its `prover` works. */
async function rapidsnark(): Promise<Racer> {
  const { runRapidsnark } = await import("../../../node/proof/rapidsnark.ts");
  const binary = process.env["RAPIDSNARK"] ?? "prover";
  const stop = new AbortController();
  return {
    prove: (zkey, wtns) => runRapidsnark(binary, zkey, wtns, stop.signal),
    close: async () => stop.abort(),
  };
}
