// What a person sees: steps with progress on stderr, results on stdout. Knows nothing of what the steps do.
import { createInterface } from "node:readline/promises";
import { throwIfAborted } from "../core/errors.ts";
import type { OnProgress } from "../core/ports.ts";

export interface Step {
  readonly onProgress: OnProgress;
  /** Ends the step's line with what came of it. */
  done(detail?: string): void;
}

export interface Terminal {
  /** Begins something that may take a while; one line, kept up to date on a terminal, printed once done elsewhere. */
  step(name: string): Step;
  /** A line of the result, to stdout. */
  say(line?: string): void;
  /** A remark that is no result, to stderr. */
  note(line: string): void;
  /** Asks a person, on stderr; anything but yes is no. Undefined where there is no terminal to ask on. */
  ask(question: string, signal?: AbortSignal): Promise<boolean | undefined>;
}

const WIDTH = 30;

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 120_000 ? `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} kB`;
  return count < 1e9 ? `${(count / 1e6).toFixed(1)} MB` : `${(count / 1e9).toFixed(2)} GB`;
}

/** 12345678 -> "12,345,678" */
export function grouped(count: number | bigint): string {
  return count.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** Rows as aligned columns; columns of numbers to the right. */
export function columns(rows: readonly (readonly string[])[], indent = "  "): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  const numeric = widths.map((_, i) => rows.slice(1).every((row) => /^[-+\d.,%e ]*$/.test(row[i] ?? "")));
  return rows.map((row) =>
    (
      indent +
      row
        .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
        .join("  ")
    ).trimEnd(),
  );
}

export function openTerminal(options: { readonly quiet?: boolean } = {}): Terminal {
  const live = process.stderr.isTTY && options.quiet !== true;
  const write = (text: string): void => {
    if (options.quiet !== true) process.stderr.write(text);
  };
  return {
    step(name) {
      const started = performance.now();
      let shown = 0;
      let reported = started;
      if (live) write(`  ${name.padEnd(WIDTH)} ...`);
      return {
        onProgress({ what, done, total }) {
          const now = performance.now();
          const share = done !== undefined && total ? ` ${Math.floor((100 * done) / total)}%` : "";
          if (live && now - shown > 80) {
            shown = now;
            write(`\r\x1b[K  ${name.padEnd(WIDTH)} ... ${what}${share}`);
          } else if (!live && now - reported > 5000) {
            reported = now;
            write(`  ${name.padEnd(WIDTH)} ... ${what}${share} (${duration(now - started)})\n`);
          }
        },
        done(detail = "") {
          const took = duration(performance.now() - started).padStart(9);
          write(`${live ? "\r\x1b[K" : ""}  ${name.padEnd(WIDTH)} ${took}  ${detail}`.trimEnd() + "\n");
        },
      };
    },
    say: (line = "") => void process.stdout.write(`${line}\n`),
    note: (line) => write(`${line}\n`),
    async ask(question, signal) {
      if (!live || !process.stdin.isTTY) return undefined;
      const reader = createInterface({ input: process.stdin, output: process.stderr });
      try {
        const answer = await reader.question(`  ${question} [y/N] `, signal ? { signal } : {});
        return /^y(es)?$/i.test(answer.trim());
      } catch (thrown) {
        throwIfAborted(signal);
        if ((thrown as NodeJS.ErrnoException).code === "ABORT_ERR") return false; // Ctrl-C or Ctrl-D at the question
        throw thrown;
      } finally {
        reader.close();
      }
    },
  };
}

/** A small grey picture, one line a row: values from lo to hi, height x width, row-major. */
export function drawGrey(values: ArrayLike<number>, height: number, width: number, lo: number, hi: number): string[] {
  const shades = " .:-=+*#%@";
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const share = (Number(values[y * width + x]) - lo) / (hi - lo || 1);
      const shade = shades[Math.min(shades.length - 1, Math.max(0, Math.floor(share * shades.length)))] as string;
      return shade + shade;
    }).join(""),
  );
}
