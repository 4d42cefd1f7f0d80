// Groth16 by the node's default prover: cold with its threads yet to start, warm on the same ones. Each proof is verified by
// the prover before it comes back, and held against the claim here.
import { wasmProver } from "../../../node/proof/prover.ts";
import { proveAgain } from "../proving.ts";
import type { Phase } from "../ports.ts";

export const phase: Phase = (job, look) => proveAgain(job, wasmProver(), look);
