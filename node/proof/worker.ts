// The process that snarkjs proves in (see prover.ts). Stays warm between jobs; ends when its parent does. Prints nothing.
import * as snarkjs from "snarkjs";
import type { ProveJob, Reply } from "./prover.ts";

/** snarkjs' own words at the start of each phase, in order. */
const PHASES = [
  "Reading Wtns",
  "Building ABC",
  "Join ABC",
  "Reading A Points",
  "Reading B1 Points",
  "Reading B2 Points",
  "Reading C Points",
  "Reading H Points",
];

const say = (reply: Reply): void => void process.send?.(reply);
const ignore = (): void => undefined;
const logger = {
  debug: (text: string): void => {
    const done = PHASES.indexOf(text);
    if (done >= 0) say({ kind: "step", done, total: PHASES.length });
  },
  info: ignore,
  warn: ignore,
  error: ignore,
};

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  const { zkey, wtns } = message as ProveJob;
  const witness = typeof wtns === "string" ? wtns : ({ type: "mem", data: wtns } as const);
  snarkjs.groth16.prove(zkey, witness, logger).then(
    ({ proof, publicSignals }) => say({ kind: "proof", proof, publicSignals }),
    (thrown: unknown) => say({ kind: "refused", message: thrown instanceof Error ? thrown.message : String(thrown) }),
  );
});
