// What the bench and the processes of its provers say to each other.
import type { Peak } from "../results.ts";

export interface HostJob {
  readonly zkey: string;
  readonly wtns: string;
  /** Also look at the memory of processes that end with the proof; this costs time, so such a proof is not timed. */
  readonly watch: boolean;
}

export interface Proof {
  readonly proof: unknown;
  readonly publicSignals: unknown;
  /** Seconds. */
  readonly phases: Readonly<Record<string, number>>;
  readonly wall: number;
  /** Seconds of this proof, and of the process since it began; null where the system does not say. */
  readonly cpu: { readonly proof: number; readonly process: number } | null;
  /** So far. */
  readonly peak: Peak;
}

export type HostReply = Proof | { readonly error: string };
