// What a run of the bench measures, as it is written to bench/results.json, and the bars over it. Pure: nothing is
// timed, read or printed here.
import type { ProverResults } from "./provers/results.ts";

/** Seconds over all samples. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: number;
}

export interface Measured {
  readonly seconds: Readonly<Record<string, Spread>>;
  /** Counts, bytes and gas, as the phase names them. */
  readonly figures: Readonly<Record<string, number>>;
  readonly peak: Peak;
  /** Cores that other programs kept busy meanwhile, on average; absent where the system does not say. */
  readonly others?: number;
}

/** Most resident memory, in bytes, of the phase's process and of the process that it started, if any. */
export interface Peak {
  readonly own: number;
  /** Null where the system does not say. */
  readonly child: number | null;
}

/** A phase that was not run, or did not end, and why. */
export interface NotMeasured {
  readonly reason: string;
}

export type Outcome = Measured | NotMeasured;
export type Outcomes = Readonly<Record<string, Outcome>>;

export interface NetworkResults {
  readonly name: string;
  readonly title: string;
  readonly phases: Outcomes;
  /** The same network through circom2 and snarkjs, at each of LEVELS; or why not. */
  readonly baselines: Readonly<Record<Level, Outcomes>> | NotMeasured;
}

/** A model that was taken the whole way, from its float ONNX file to a verified proof. */
export interface ModelResults {
  readonly name: string;
  readonly title: string;
  readonly phases: Outcomes;
}

/** What was measured of models, with a stamp of its own. */
export interface ModelsResults extends Stamp {
  readonly models: readonly ModelResults[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** What was measured, when and where. */
export interface Stamp {
  readonly commit: string;
  readonly date: string;
  readonly machine: Machine;
  /** One-minute load averages. */
  readonly load: { readonly before: number; readonly after: number };
  readonly runs: number;
}

/** The stamp is the networks'; the other parts have their own, since each can be run without the others. */
export interface Results extends Stamp {
  readonly networks: readonly NetworkResults[];
  readonly models?: ModelsResults;
  readonly provers?: ProverResults;
  readonly bars: readonly Bar[];
}

/** circom's levels of simplification: its default, and the one that eliminates linear rows. */
export const LEVELS = ["O1", "O2"] as const;
export type Level = (typeof LEVELS)[number];

export type Verdict = "met" | "missed" | "not measured";

export interface Bar {
  readonly what: string;
  readonly unit: Unit;
  /** At most this, or at least. */
  readonly limit: number;
  readonly atLeast?: true;
  readonly measured: number | null;
  readonly verdict: Verdict;
  /** As of the phase that was measured. */
  readonly others?: number;
}

export type Unit = "s" | "bytes" | "gas" | "constraints" | "times" | "share";

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const at = (i: number): number => sorted[i] as number;
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2;
  return { median, min: at(0), max: at(sorted.length - 1), samples: sorted.length };
}

/** Undefined for what is absent or was not measured. */
export function measured(outcome: Outcome | undefined): Measured | undefined {
  return outcome !== undefined && "seconds" in outcome ? outcome : undefined;
}

/** Of both processes, as if they reached their peaks at once. */
export function peakBytes({ own, child }: Peak): number | null {
  return child === null ? null : own + child;
}

/** Met at its limit. */
export function judge(
  { what, unit, limit, atLeast }: Pick<Bar, "what" | "unit" | "limit" | "atLeast">,
  found: number | null | undefined,
  others: number | undefined,
): Bar {
  const measured = found ?? null;
  const met = measured !== null && (atLeast === true ? measured >= limit : measured <= limit);
  const verdict = measured === null ? "not measured" : met ? "met" : "missed";
  return {
    what,
    unit,
    limit,
    ...(atLeast === undefined ? {} : { atLeast }),
    measured,
    verdict,
    ...(others === undefined ? {} : { others }),
  };
}
