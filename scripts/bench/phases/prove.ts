// Groth16 by snarkjs, through the node's own prover: cold with its process yet to start, warm in the same process. Each
// proof is verified by the prover before it comes back, and held against the claim here.
import { snarkjsProver } from "../../../node/proof/prover.ts";
import { proveAgain } from "../proving.ts";
import type { Phase } from "../ports.ts";

export const phase: Phase = (job, look) => proveAgain(job, snarkjsProver(), look);
