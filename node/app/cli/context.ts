// What every command shares: where paths start, how results and errors are printed, and when to stop. No command's logic.
import path from "node:path";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import { asNodeError, EXIT_CODES, NodeError } from "../../core/errors.ts";
import type { LongCall } from "../../core/ports.ts";
import { openTerminal, type Terminal } from "../terminal.ts";

export interface Context {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly signal: AbortSignal;
  /** An absolute path from one that the user typed. */
  path(typed: string): string;
  /** Prints a report: as JSON under --json, else by `show`. */
  report(value: unknown, show: (say: (line?: string) => void) => void): void;
  /** Runs `work` as a step with progress and a closing detail. */
  step<T>(name: string, work: (call: Required<LongCall>) => Promise<T>, detail?: (result: T) => string): Promise<T>;
}

/** Where the user stands: npm and the launcher change the working folder, and say so. */
export const userFolder = (): string => process.env["GLASSBOX_CWD"] ?? process.env["INIT_CWD"] ?? process.cwd();
export const projectFolder = path.resolve(import.meta.dirname, "../../..");

/** BigInts as decimal text, typed arrays as plain ones. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, v: unknown) =>
      typeof v === "bigint" ? v.toString() : ArrayBuffer.isView(v) ? Array.from(v as unknown as ArrayLike<number>) : v,
    2,
  );
}

function openContext(json: boolean, signal: AbortSignal): Context {
  const terminal = openTerminal();
  return {
    terminal,
    json,
    signal,
    path: (typed) => path.resolve(userFolder(), typed),
    report(value, show) {
      if (json) terminal.say(toJson(value));
      else show((line) => terminal.say(line));
    },
    async step(name, work, detail) {
      const step = terminal.step(name);
      const result = await work({ signal, onProgress: step.onProgress });
      step.done(detail?.(result));
      return result;
    },
  };
}

/** Prints what was thrown, with what to do about it; gives the exit code. */
export function reportError(thrown: unknown, json: boolean): number {
  const error = asNodeError(thrown);
  if (json) {
    process.stdout.write(
      `${toJson({ error: { code: error.code, message: error.message, mend: error.mend, facts: error.facts } })}\n`,
    );
  }
  process.stderr.write(`\nerror (${error.code}): ${error.message}\n`);
  if (error.mend !== undefined) process.stderr.write(`  what to do: ${error.mend}\n`);
  if (error.code === "internal")
    process.stderr.write(`${error.cause instanceof Error ? (error.cause.stack ?? "") : ""}\n`);
  return EXIT_CODES[error.code];
}

/** Wraps a command's work: opens its context, turns what it throws into one message and an exit code. */
export function action<A extends readonly unknown[]>(
  work: (context: Context, ...args: A) => Promise<number | void>,
): (...args: [...A, Command]) => Promise<void> {
  return async (...all) => {
    const command = all.at(-1) as Command;
    const args = all.slice(0, -1) as unknown as A;
    const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
    const stop = new AbortController();
    const onSignal = (): void => stop.abort(new NodeError("aborted", "stopped on request"));
    process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
    try {
      process.exitCode = (await work(openContext(json, stop.signal), ...args)) ?? 0;
    } catch (thrown) {
      process.exitCode = reportError(thrown, json);
    } finally {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    }
  };
}

/** Adds --json and examples to a command. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  return command
    .option("--json", "print the report as JSON on stdout")
    .addHelpText("after", `\nExamples:\n${examples.map((line) => `  $ glassbox ${line}`).join("\n")}`);
}

export function integerOption(lo: number, hi = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < lo || value > hi) {
      throw new InvalidArgumentError(`Give a whole number from ${lo} to ${hi}.`);
    }
    return value;
  };
}

export function percentOption(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+(\.\d{1,2})?$/.test(text) || value > most) {
      throw new InvalidArgumentError(`Give a number from 0 to ${most}, with at most two digits behind the point.`);
    }
    return value;
  };
}
