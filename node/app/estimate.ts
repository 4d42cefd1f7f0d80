// What key and proofs of a circuit will take, told before they are made. The key's size is exact; times and memory are
// estimates for the machine of the bench, which has 2 cores: straight lines through the figures of bench/results.json.
import { countTerms, openR1cs } from "../proof/r1cs.ts";
import { TERM_BYTES } from "../proof/zkey.ts";

export interface Estimate {
  readonly constraints: number;
  readonly domain: number;
  /** Of all three matrices. */
  readonly terms: number;
  /** Of the .zkey of a development key, exactly; a ceremony's has its contributions besides. */
  readonly keyBytes: number;
  readonly keySeconds: number;
  /** Of a proof in a fresh process. */
  readonly proofSeconds: number;
  /** Most memory of the process that proves. */
  readonly proofBytes: number;
}

/** Whose figures the estimates are. */
export const MACHINE = "a 2-core machine";

/** A constant part, and one per point of the domain (and per term of the rows, which making a key reads). */
const KEY = { seconds: 0.25, perPoint: 7.4e-6, perTerm: 2e-7 };
const PROOF = { seconds: 0.25, perPoint: 3.5e-6 };
/** Memory grows more slowly where the key no longer fits beside the rest. */
const PROOF_BYTES = { small: { bytes: 165e6, perPoint: 1430 }, large: { bytes: 1100e6, perPoint: 525 } };

/** What .zkey files hold whatever the circuit: container, two headers, counts, an empty transcript. */
const FIXED_BYTES = 12 + 10 * 12 + 4 + 660 + 4 + 68;
const [G1_BYTES, G2_BYTES] = [64, 128];

/** Seconds of a proof in a fresh process, over a domain of `domain` points. */
export function proofSecondsOf(domain: number): number {
  return PROOF.seconds + domain * PROOF.perPoint;
}

/** Seconds of making a development key. `terms`: of all three matrices. */
export function keySecondsOf(domain: number, terms: number): number {
  return KEY.seconds + domain * KEY.perPoint + terms * KEY.perTerm;
}

/** Most bytes of the process that makes a proof. */
export function proofBytesOf(domain: number): number {
  return Math.min(...Object.values(PROOF_BYTES).map(({ bytes, perPoint }) => bytes + perPoint * domain));
}

/** @param r1cs path of the circuit */
export function estimate(r1cs: string): Estimate {
  const opened = openR1cs(r1cs);
  opened.close();
  const { wires, publics, constraints, power } = opened.header;
  const [a, b, c] = countTerms(r1cs);
  const domain = 2 ** power;
  // A, B1 and C have a point for each wire (IC has the public ones that C has not), B2 one of the larger group, H for each
  // point of the domain; of the rows, the terms of A and B are kept, with one for each public wire.
  const points = (3 * wires + domain) * G1_BYTES + wires * G2_BYTES;
  return {
    constraints,
    domain,
    terms: a + b + c,
    keyBytes: FIXED_BYTES + points + (a + b + publics + 1) * TERM_BYTES,
    keySeconds: keySecondsOf(domain, a + b + c),
    proofSeconds: proofSecondsOf(domain),
    proofBytes: proofBytesOf(domain),
  };
}
