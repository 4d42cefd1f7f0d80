// What is passed in, so that nothing reaches for a global: time, log, progress. Interfaces only.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Resolves after `ms`; rejects with NodeError "aborted" when `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

/** One step of something that may take over two seconds. `done` and `total` count whatever `what` says. */
export interface Progress {
  readonly what: string;
  readonly done?: number;
  readonly total?: number;
}

export type OnProgress = (progress: Progress) => void;

/** What every long call takes. */
export interface LongCall {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
}
