// Groth16 by rapidsnark's `prover`, one process per proof, so that there is no warm one: those after the first find the key in
// the system's file cache.
import { rapidsnarkProver } from "../../../node/proof/prover.ts";
import { proveAgain } from "../proving.ts";
import type { Phase } from "../ports.ts";

/** Milliseconds between two looks: its processes end by themselves, and looking costs time too. */
const LOOK_MS = 20;

export const phase: Phase = async (job, look) => {
  if (job.rapidsnark === undefined) throw new RangeError("no path of rapidsnark's prover");
  const timer = setInterval(look, LOOK_MS);
  const report = await proveAgain(job, rapidsnarkProver(job.rapidsnark), look);
  clearInterval(timer);
  return report;
};
