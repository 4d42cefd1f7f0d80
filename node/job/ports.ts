// What a job needs of the outside, as interfaces: the models that are served, inputs, running a model, proving, and the
// chain. The real ones are joined in app/wiring.ts; tests bring their own by hand.
import type { Fulfilment } from "../chain/calls.ts";
import type { ModelRecord } from "../chain/client.ts";
import type { RequestSeen } from "../chain/codec.ts";
import type { Progress } from "../chain/submit.ts";
import type { Address, ModelId, Proof, RequestId, Signals } from "../core/domain.ts";
import type { Input } from "./job.ts";

/** A model that this node has a package of. */
export interface ServedModel {
  readonly id: ModelId;
  readonly name: string;
  readonly inputLength: number;
  readonly outputLength: number;
  /** Whether its requests show a commitment to the input, and not the input. */
  readonly privateInput?: boolean;
  /** Milliseconds from request to proof on this machine, as far as known. */
  readonly estimateMs: number;
}

export interface Models {
  /** Undefined: not served here. The same answer whenever the model is asked for while the node runs. */
  served(id: ModelId, signal: AbortSignal): Promise<ServedModel | undefined>;
}

/** Inputs that are not in the request's event: fetched from a URI, or brought by the requester. */
export interface Inputs {
  /**
   * Undefined: its requester has not brought it yet, and may until the deadline. @throws NodeError: with `retry`, it may be
   * there later; else this node will not get it
   */
  get(asked: RequestSeen, model: ServedModel, signal: AbortSignal): Promise<Input | undefined>;
}

export interface Infer {
  /** Runs the model. c is the sponge over the words of input and output; of a private input the commitment. */
  run(
    model: ServedModel,
    input: Input,
    signal: AbortSignal,
  ): Promise<{ readonly output: Uint8Array; readonly c: bigint }>;
}

export interface ProofOrder {
  readonly model: ServedModel;
  readonly input: Input;
  /** What `Infer.run` gave; the witness must spell the same bytes. */
  readonly output: Uint8Array;
  readonly c: bigint;
  readonly r: bigint;
}

export interface Proving {
  /** Makes the proof and verifies it. @throws NodeError "integrity" if it does not hold. */
  prove(order: ProofOrder, signal: AbortSignal): Promise<{ readonly proof: Proof; readonly signals: Signals }>;
}

/** How a request stands on the chain, as of its newest block. */
export type Standing =
  | { readonly status: "unknown" | "open" | "expired" }
  /** To the second `end` nobody but the claimer may fulfil. */
  | { readonly status: "claimed"; readonly claimer: Address; readonly end: number }
  | { readonly status: "fulfilled"; readonly by: Address | undefined };

export interface JobChain {
  /** The address that this node's claims name. */
  readonly prover: Address;
  /** Unix seconds: what the next block will say, as far as the newest one and the time since tell. */
  time(signal: AbortSignal): Promise<number>;
  /** Wei per gas that a transaction would pay now. */
  gasPrice(signal: AbortSignal): Promise<bigint>;
  standing(asked: RequestSeen, signal: AbortSignal): Promise<Standing>;
  modelOf(id: ModelId, signal: AbortSignal): Promise<Pick<ModelRecord, "collateralBps"> | undefined>;
  /** r of this node's claim about the request. */
  challenge(about: {
    readonly request: RequestId;
    readonly model: ModelId;
    /** Undefined if it is private. */
    readonly input: Uint8Array | undefined;
    readonly output: Uint8Array;
    readonly c: bigint;
  }): bigint;
  /**
   * Records and offers the claim of a request; calling it again offers the same bytes again.
   * @param collateral the most that it locks, at any price it may come to
   * @returns false if there is no way to pay the collateral
   */
  claim(asked: RequestSeen, collateral: bigint, signal: AbortSignal): Promise<boolean>;
  claimProgress(id: RequestId, signal: AbortSignal): Promise<Progress>;
  /** Records and offers the answer, alone or with others; calling it again offers the same bytes again. */
  submit(item: Item, signal: AbortSignal): Promise<void>;
  progress(id: RequestId, round: number, signal: AbortSignal): Promise<Progress>;
}

export interface Item {
  readonly id: RequestId;
  readonly round: number;
  readonly fulfilment: Fulfilment;
}

export type ClaimPolicy = "never" | "auto" | "always";

/** Which requests the node takes, on what terms, and how hard it tries. */
export interface Policy {
  /** Least price by token, in its smallest unit; NOBODY is the native coin. A token that is not here is not served. */
  readonly minimumFees: Readonly<Record<Address, bigint>>;
  /** Whether the price must cover the gas of claim and answer, at today's price; of the native coin only. */
  readonly coverGas: boolean;
  /** auto: claims first what takes at least claimSeconds to prove. */
  readonly claim: ClaimPolicy;
  readonly claimSeconds: number;
  /** Most collateral of a claim, in percent of its price. */
  readonly collateralPercent: number;
  /** Most gas of the consumer's call, which the sender of the answer pays. */
  readonly callbackGas: number;
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
  readonly inputs: Inputs;
  readonly infer: Infer;
  readonly proving: Proving;
  readonly chain: JobChain;
  readonly policy: Policy;
}

/** A second, doubled each time, at most two minutes. */
export function exponentialBackoff(attempts: number): number {
  return Math.min(120_000, 1000 * 2 ** Math.max(0, attempts - 1));
}
