// A job: what this node does about one request. A tagged union, one member per state, and how it is kept as JSON.
// No step logic (steps.ts), no database (store.ts).
import type { BlockRef, RequestSeen } from "../chain/codec.ts";
import type { Address, Hex, Proof, Signals } from "../core/domain.ts";

interface Common {
  /** The node's own number; a request that returns after a reorg is a new job. */
  readonly id: number;
  /** Counts the stores: what was computed from an older version is dropped. */
  readonly version: number;
  readonly asked: RequestSeen;
  /** Confirmed transactions that left the request unanswered: a batch went without it. Tells the next one's intent apart. */
  readonly round?: number;
  /** Tries that failed and steps back, over the whole life of the job. */
  readonly attempts: number;
  /** What the last try died of. */
  readonly trouble?: string;
}

/** A model's input in the open. */
export interface Input {
  readonly bytes: Uint8Array;
  /** Of a private input's commitment. */
  readonly salt?: bigint;
}

interface Answer {
  /** Of a reference: fetched, and forgotten when the job closes. A private one is never stored: it is asked for again. */
  readonly input?: Input;
  readonly output: Uint8Array;
  /** Sponge over the words of input and output; of a private input the commitment. */
  readonly c: bigint;
}

interface Proven extends Answer {
  /** The address inside the claim. */
  readonly prover: Address;
  readonly proof: Proof;
  readonly signals: Signals;
}

export interface Accepted extends Common {
  readonly state: "accepted";
}
/** The model has run. */
export interface Inferred extends Common, Answer {
  readonly state: "inferred";
}
/** The proof is made and was verified here. */
export interface Proved extends Common, Proven {
  readonly state: "proved";
}
/** A transaction is recorded and was offered to the chain. */
export interface Submitted extends Common, Proven {
  readonly state: "submitted";
}
/** The transaction is in a block. */
export interface Settled extends Common, Proven {
  readonly state: "settled";
  readonly receipt: Receipt;
}
/** Nothing is left to do. What the job had worked out is kept for the operator. */
export interface Closed extends Common {
  readonly state: "closed";
  readonly reason: CloseReason;
  readonly answer?: Partial<Proven>;
  readonly receipt?: Receipt;
}

export interface Receipt {
  readonly hash: Hex;
  readonly block: BlockRef;
  readonly gasUsed: bigint;
}

export type CloseKind =
  | "fulfilled" // by this node, confirmed
  | "elsewhere" // by another prover, or claimed by one for too long
  | "expired" // too late to answer, or cancelled
  | "reorged" // its block left the chain
  | "refused" // this node does not serve it: model, price, prover, deadline, evidence or input
  | "failed"; // the attempts are used up or no repetition would help

export interface CloseReason {
  readonly kind: CloseKind;
  /** A sentence for the operator. */
  readonly text: string;
}

export type Job = Accepted | Inferred | Proved | Submitted | Settled | Closed;
export type State = Job["state"];
export type OpenState = Exclude<State, "closed">;
export type JobIn<S extends State> = Extract<Job, { readonly state: S }>;
export type OpenJob = JobIn<OpenState>;

export const OPEN_STATES: readonly OpenState[] = ["accepted", "inferred", "proved", "submitted", "settled"];

function common(job: Job): Common {
  const { id, version, asked, attempts, trouble, round } = job;
  return {
    id,
    version,
    asked,
    attempts,
    ...(round === undefined ? {} : { round }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

/** The input of a job that has run its model. */
export function inputOf(job: Inferred | Proved | Submitted | Settled): Input {
  return job.input ?? { bytes: job.asked.input };
}

/** Ends the job, keeping what it had worked out. */
export function close(job: Job, kind: CloseKind, text: string): Closed {
  const answer: Partial<Proven> = {
    ...("output" in job ? { output: job.output, c: job.c } : {}),
    ...("proof" in job ? { prover: job.prover, proof: job.proof, signals: job.signals } : {}),
  };
  return {
    ...common(job),
    state: "closed",
    reason: { kind, text },
    ...("output" in job ? { answer } : {}),
    ...("receipt" in job && job.receipt !== undefined ? { receipt: job.receipt } : {}),
  };
}

/** Back to the step that submits: the transaction was lost, dropped or left the chain. Counts as an attempt. */
export function backToProved(job: Submitted | Settled, trouble: string): Proved {
  const { input, output, c, prover, proof, signals } = job;
  const answer = { output, c, prover, proof, signals, ...(input === undefined ? {} : { input }) };
  return { ...common(job), attempts: job.attempts + 1, trouble, state: "proved", ...answer };
}

/** As above, where the transaction is final and did other things: the next one is another. */
export function nextRound(job: Submitted | Settled, trouble: string): Proved {
  return { ...backToProved(job, trouble), round: (job.round ?? 0) + 1 };
}

/** JSON with bigint as {"$n": "decimal"} and bytes as {"$x": "hex"}. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, function (this: Readonly<Record<string, unknown>>, key: string) {
    const entry = this[key]; // and not the second argument, in which a Buffer is an object already
    if (typeof entry === "bigint") return { $n: entry.toString() };
    if (entry instanceof Uint8Array) return { $x: Buffer.from(entry).toString("hex") };
    return entry;
  });
}

/** Reverses toJson, from text or from JSON that the database driver has parsed already. */
export function fromJson(value: unknown): unknown {
  if (typeof value === "string" || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(fromJson);
  const entries = Object.entries(value);
  const [key, inner] = entries[0] ?? [];
  if (entries.length === 1 && key === "$n" && typeof inner === "string") return BigInt(inner);
  if (entries.length === 1 && key === "$x" && typeof inner === "string")
    return new Uint8Array(Buffer.from(inner, "hex"));
  return Object.fromEntries(entries.map(([name, entry]) => [name, fromJson(entry)]));
}
