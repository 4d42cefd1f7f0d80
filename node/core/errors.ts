// Errors that a person can act on: a code, what is wrong, what to do, and the facts. Relies on nothing.

/** What kind of trouble; each maps to one exit code of the command line (see EXIT_CODES). */
export type ErrorCode =
  | "usage" // the command or its options are off
  | "input" // a file or value given to us is missing, malformed or out of range
  | "unsupported" // the model needs what the compiler does not do
  | "integrity" // a digest, key, proof or result does not hold
  | "chain" // the chain or its RPC endpoint refused, failed or disagrees
  | "environment" // the machine lacks something, or a child process failed
  | "aborted" // stopped on request
  | "internal"; // our own fault

export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  usage: 2,
  input: 3,
  unsupported: 4,
  integrity: 5,
  chain: 6,
  environment: 7,
  aborted: 130,
};

export type Fact = string | number | bigint | boolean | readonly string[] | readonly number[];

export interface ErrorDetails {
  /** What the reader can do about it, as a full sentence. */
  readonly mend?: string;
  /** May the same action succeed if it is simply done again? */
  readonly retry?: boolean;
  readonly cause?: unknown;
  readonly facts?: Readonly<Record<string, Fact>>;
}

export class NodeError extends Error {
  readonly code: ErrorCode;
  readonly mend: string | undefined;
  readonly retry: boolean;
  readonly facts: Readonly<Record<string, Fact>>;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "NodeError";
    this.code = code;
    this.mend = details.mend;
    this.retry = details.retry ?? false;
    this.facts = details.facts ?? {};
  }
}

/** Wraps whatever was thrown; a NodeError passes through unchanged. */
export function asNodeError(thrown: unknown, code: ErrorCode = "internal"): NodeError {
  if (thrown instanceof NodeError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new NodeError(code, message, { cause: thrown });
}

/** Throws the abort as a NodeError if `signal` was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new NodeError("aborted", "stopped on request", { cause: signal.reason });
}
