// How a model is refused: rules throw a Refusal, the reader gathers them, and the user gets all of them in one NodeError.
// Text from the file reaches messages only through quote(). Relies on nothing of ONNX.
import { NodeError } from "../../core/errors.ts";

/** "input": the file contradicts itself or the standard. "unsupported": it is fine, but not for this compiler. */
export type RefusalCode = "input" | "unsupported";

/** One thing that is wrong with one node (or with the model as a whole). */
export class Refusal extends Error {
  readonly code: RefusalCode;
  readonly mend: string | undefined;

  constructor(code: RefusalCode, why: string, mend?: string) {
    super(why);
    this.code = code;
    this.mend = mend;
  }
}

/** The mend of what is too large. */
export const TOO_LARGE = "Models of this size are beyond what a circuit can hold; use a smaller one.";

/** Of a sound file: there is always something that a person can do. */
export function unsupported(why: string, mend: string): never {
  throw new Refusal("unsupported", why, mend);
}

export function malformed(why: string, mend?: string): never {
  throw new Refusal("input", why, mend);
}

export interface Problem {
  readonly code: RefusalCode;
  /** "the model", "node ...": where it is. */
  readonly where: string;
  readonly why: string;
  readonly mend?: string | undefined;
}

/** After this many problems the reader gives up: a hostile file can have millions. */
const MOST_GATHERED = 1_000;

/** Runs `action`; a Refusal becomes a problem and undefined, anything else passes through. */
export function gather<T>(problems: Problem[], where: string, action: () => T): T | undefined {
  try {
    return action();
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    problems.push({ code: thrown.code, where, why: thrown.message, mend: thrown.mend });
    if (problems.length >= MOST_GATHERED) throwIfAny(problems);
    return undefined;
  }
}

/** How many problems a message spells out; the count of the rest is given. */
const MOST_LISTED = 40;

/** @throws NodeError that lists every problem; "input" if all of them are faults of the file, else "unsupported" */
export function throwIfAny(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const lines = problems.slice(0, MOST_LISTED).map(({ where, why, mend }) => {
    return `- ${where}: ${why}.${mend === undefined ? "" : ` ${mend}`}`;
  });
  if (problems.length > MOST_LISTED) lines.push(`- and ${problems.length - MOST_LISTED} more`);
  const code = problems.every((problem) => problem.code === "input") ? "input" : "unsupported";
  const what = code === "input" ? "the ONNX file is not sound" : "the model needs what the compiler does not do";
  throw new NodeError(code, `${what}; ${problems.length} problem(s):\n${lines.join("\n")}`, {
    mend: "Each line above says what to do; `glassbox inspect --ops` lists what is read.",
    facts: { problems: problems.slice(0, MOST_LISTED).map(({ where, why }) => `${where}: ${why}`) },
  });
}

/** Text of the file as a short printable literal: it may hold terminal escapes or be a megabyte long. */
export function quote(text: string): string {
  const short = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  const plain = short.replace(/[^\x20-\x7e]/g, (c) => `\\u{${(c.codePointAt(0) as number).toString(16)}}`);
  return `"${plain.replaceAll('"', "'")}"`;
}
