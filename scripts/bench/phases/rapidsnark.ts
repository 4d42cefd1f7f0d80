// Groth16 by rapidsnark's `prover`, one process per proof, so that there is no warm one: those after the first find the key in
// the system's file cache.
import { rapidsnarkProver } from "../../../node/proof/prover.ts";
import { proveAgain } from "../proving.ts";
import type { Phase } from "../ports.ts";

export const phase: Phase = (job, look) => {
  if (job.rapidsnark === undefined) throw new RangeError("no path of rapidsnark's prover");
  return proveAgain(job, rapidsnarkProver(job.rapidsnark), look);
};
