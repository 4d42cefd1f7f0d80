// What a job needs of the outside, as interfaces: the models that are served, running one, proving, and the chain. The real
// ones are joined in app/wiring.ts; tests bring their own by hand.
import type { Fulfilment } from "../chain/write.ts";
import type { ModelRecord, RequestRecord } from "../chain/client.ts";
import type { Progress } from "../chain/submit.ts";
import type { Address, Hex, ModelId, Proof, RequestId, Signals } from "../core/domain.ts";

/** A model that this node has a package of. */
export interface ServedModel {
  readonly id: ModelId;
  readonly name: string;
  readonly inputLength: number;
  readonly outputLength: number;
  /** Milliseconds from request to proof on this machine, as far as known. */
  readonly estimateMs: number;
}

export interface Models {
  /** Undefined: not served here. The same answer whenever the model is asked for while the node runs. */
  served(id: ModelId, signal: AbortSignal): Promise<ServedModel | undefined>;
}

export interface Infer {
  /** Runs the model on the input's bytes. c is the sponge over the words of input and output. */
  run(
    model: ServedModel,
    input: Uint8Array,
    signal: AbortSignal,
  ): Promise<{ readonly output: Uint8Array; readonly c: bigint }>;
}

export interface ProofOrder {
  readonly model: ServedModel;
  readonly input: Uint8Array;
  /** What `Infer.run` gave; the witness must spell the same bytes. */
  readonly output: Uint8Array;
  readonly c: bigint;
  readonly r: bigint;
}

export interface Proving {
  /** Makes the proof and verifies it. @throws NodeError "integrity" if it does not hold. */
  prove(order: ProofOrder, signal: AbortSignal): Promise<{ readonly proof: Proof; readonly signals: Signals }>;
}

export interface JobChain {
  /** The address that this node's claims name. */
  readonly prover: Address;
  /** Unix seconds of the newest block. */
  time(signal: AbortSignal): Promise<number>;
  requestOf(id: RequestId, signal: AbortSignal): Promise<RequestRecord | undefined>;
  /** Who answered a fulfilled request. */
  answeredBy(id: RequestId, signal: AbortSignal): Promise<Address | undefined>;
  modelOf(id: ModelId, signal: AbortSignal): Promise<Pick<ModelRecord, "retired"> | undefined>;
  /** r of this node's claim about the request. */
  challenge(claim: {
    readonly request: RequestId;
    readonly model: ModelId;
    readonly input: Uint8Array;
    readonly output: Uint8Array;
    readonly c: bigint;
  }): bigint;
  /** Records and offers the answer; calling it again offers the same bytes again. */
  submit(fulfilment: Fulfilment, signal: AbortSignal): Promise<{ readonly hash: Hex }>;
  progress(id: RequestId, signal: AbortSignal): Promise<Progress>;
}

/** Which requests the node takes, and how hard it tries. */
export interface Policy {
  /** Wei. */
  readonly minimumFee: bigint;
  /** Seconds before the deadline by which the answer must be sent. */
  readonly marginSeconds: number;
  readonly maxAttempts: number;
  /** Milliseconds until the next try, after `attempts` that failed (1 and more). */
  readonly backoffMs: (attempts: number) => number;
  /** Bits of Evidence that this node can provide. */
  readonly evidence: number;
}

export interface Ports {
  readonly models: Models;
  readonly infer: Infer;
  readonly proving: Proving;
  readonly chain: JobChain;
  readonly policy: Policy;
}

/** A second, doubled each time, at most two minutes. */
export function exponentialBackoff(attempts: number): number {
  return Math.min(120_000, 1000 * 2 ** Math.max(0, attempts - 1));
}
