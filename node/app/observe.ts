// What the process sees and says: the wall clock, and structured logs in which no secret appears. No metrics yet.
import { pino } from "pino";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { Clock, Log, LogFields } from "../core/ports.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    throwIfAborted(signal);
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(new NodeError("aborted", "stopped on request", { cause: signal?.reason }));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** Texts that are taken out of every line, wherever they stand: addresses with credentials, passwords. */
  readonly secrets?: readonly string[];
  /** Where lines go: stderr by default, since stdout is for results. */
  readonly write?: (line: string) => void;
}

/** Field names that never carry a value into the log, at the top and one level down. */
const SECRET_FIELDS = ["password", "privateKey", "secret", "authorization", "mnemonic"];

/** One JSON object per line. Written before the call returns, so that the last words of a dying process are there. */
export function openLog(options: LogOptions): Log {
  const { level, secrets = [] } = options;
  const write = options.write ?? ((line: string): void => void process.stderr.write(line));
  // Very short texts would blot out half of the log; a secret that short is none.
  const hidden = secrets
    .filter((text) => text.length >= 6)
    .flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: "[secret]" },
    },
    { write: (line: string) => write(hidden.reduce((text, secret) => text.replaceAll(secret, "[secret]"), line)) },
  );
  const wrap = (inner: typeof logger): Log => ({
    debug: (fields, message) => inner.debug(plain(fields), message),
    info: (fields, message) => inner.info(plain(fields), message),
    warn: (fields, message) => inner.warn(plain(fields), message),
    error: (fields, message) => inner.error(plain(fields), message),
    child: (fields) => wrap(inner.child(plain(fields))),
  });
  return wrap(logger);
}

/** BigInts as decimal text: readers of JSON would round them. */
function plain(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === "bigint" ? value.toString() : value]),
  );
}
