// What a run of the bench measures, as it is written to bench/results.json, and the bars over it. Pure: nothing is
// timed, read or printed here.

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

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly versions: Readonly<Record<string, string>>;
}

export interface Results {
  readonly commit: string;
  readonly date: string;
  readonly machine: Machine;
  /** One-minute load averages. */
  readonly load: { readonly before: number; readonly after: number };
  readonly runs: number;
  readonly networks: readonly NetworkResults[];
  readonly bars: readonly Bar[];
}

/** circom's levels of simplification: its default, and the one that eliminates linear rows. */
export const LEVELS = ["O1", "O2"] as const;
export type Level = (typeof LEVELS)[number];

export type Verdict = "met" | "missed" | "not measured";

export interface Bar {
  readonly what: string;
  readonly unit: Unit;
  /** At most this. */
  readonly limit: number;
  readonly measured: number | null;
  readonly verdict: Verdict;
  /** As of the phase that was measured. */
  readonly others?: number;
}

export type Unit = "s" | "bytes" | "gas" | "constraints";

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

interface Rule {
  readonly what: string;
  readonly network: string;
  readonly phase: string;
  readonly unit: Unit;
  readonly limit: number;
  readonly of: (phase: Measured) => number | null | undefined;
}

const median =
  (name: string) =>
  ({ seconds }: Measured) =>
    seconds[name]?.median;
/** Of both processes, as if they reached their peaks at once. */
export function peakBytes({ own, child }: Peak): number | null {
  return child === null ? null : own + child;
}

const peak = ({ peak }: Measured) => peakBytes(peak);
const ownConstraints = ({ figures }: Measured) =>
  figures["constraints"] === undefined ? undefined : figures["constraints"] - (figures["claimConstraints"] as number);

const [MLP, LENET, CIFAR] = ["mlp-784-128-10", "lenet-5", "cifar-cnn"];

/** Sections 4, 5, 6 and 9 of the issue. Times are medians; a gigabyte is 10^9 bytes. */
const RULES: readonly Rule[] = [
  { what: "784-128-10: proof, snarkjs, warm", network: MLP, phase: "prove", unit: "s", limit: 0.6, of: median("warm") },
  { what: "LeNet-5: proof, snarkjs, warm", network: LENET, phase: "prove", unit: "s", limit: 9, of: median("warm") },
  { what: "784-128-10: peak memory of a proof", network: MLP, phase: "prove", unit: "bytes", limit: 1e9, of: peak },
  { what: "LeNet-5: peak memory of a proof", network: LENET, phase: "prove", unit: "bytes", limit: 1e9, of: peak },
  { what: "784-128-10: constraints without the claim", network: MLP, phase: "circuit", unit: "constraints", limit: 10_700, of: ownConstraints }, // prettier-ignore
  { what: "LeNet-5: constraints without the claim", network: LENET, phase: "circuit", unit: "constraints", limit: 162_500, of: ownConstraints }, // prettier-ignore
  { what: "LeNet-5: circuit, cold", network: LENET, phase: "circuit", unit: "s", limit: 1, of: median("cold") },
  { what: "LeNet-5: witness, warm", network: LENET, phase: "witness", unit: "s", limit: 0.1, of: median("warm") },
  { what: "784-128-10: development key", network: MLP, phase: "key", unit: "s", limit: 4, of: median("make") },
  { what: "LeNet-5: development key", network: LENET, phase: "key", unit: "s", limit: 40, of: median("make") },
  { what: "CIFAR-size CNN: circuit, cold", network: CIFAR, phase: "circuit", unit: "s", limit: 10, of: median("cold") },
  { what: "CIFAR-size CNN: peak memory of the build", network: CIFAR, phase: "circuit", unit: "bytes", limit: 1e9, of: peak }, // prettier-ignore
  { what: "digits-cnn: gas of fulfil", network: "digits-cnn", phase: "gas", unit: "gas", limit: 330_000, of: ({ figures }) => figures["fulfil"] }, // prettier-ignore
];

export function barsOf(networks: readonly NetworkResults[]): Bar[] {
  return RULES.map(({ what, network, phase, unit, limit, of }) => {
    const outcome = measured(networks.find(({ name }) => name === network)?.phases[phase]);
    const value = (outcome && of(outcome)) ?? null;
    const verdict = value === null ? "not measured" : value <= limit ? "met" : "missed";
    const others = outcome?.others;
    return { what, unit, limit, measured: value, verdict, ...(others === undefined ? {} : { others }) };
  });
}
