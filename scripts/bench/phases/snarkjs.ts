// Groth16 by snarkjs, as the node runs it: cold with its process yet to start, warm in the same process.
import { snarkjsProver } from "../../../node/proof/prover.ts";
import { proveAgain } from "../proving.ts";
import type { Phase } from "../ports.ts";

export const phase: Phase = (job, look) => proveAgain(job, snarkjsProver(), look);
