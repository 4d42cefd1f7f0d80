// Groth16 by rapidsnark's `prover`, one process per proof, so that there is no warm one: the second finds the key in the
// system's file cache.
import { rapidsnarkProver } from "../../../node/proof/prover.ts";
import { proveTwice } from "../proving.ts";
import type { Phase } from "../ports.ts";

export const phase: Phase = (job, look) => {
  if (job.rapidsnark === undefined) throw new RangeError("no path of rapidsnark's prover");
  return proveTwice(job, rapidsnarkProver(job.rapidsnark), look);
};
