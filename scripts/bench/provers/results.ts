// What the race of provers measures, as it is written to bench/results.json, and issue 3's bars over it. Pure.
import { type Bar, judge, type NotMeasured, type Peak, peakBytes, type Spread, type Stamp } from "../results.ts";

export const PROVERS = ["wasm", "snarkjs", "rapidsnark"] as const;
export type ProverName = (typeof PROVERS)[number];

export interface Proving {
  /** Seconds. */
  readonly wall: Spread;
  /** Seconds of all threads and processes; null where the system does not say. */
  readonly cpu: Spread | null;
  readonly peak: Peak;
}

export interface ProverFigures {
  /** Proofs after the first ones, in one process. */
  readonly warm?: Proving;
  /** From the start of a process to its first proof; absent for a prover that is a process per proof anyway. */
  readonly oneShot?: Proving;
  /** Medians of warm proofs' phases, in seconds, as the prover counts them. */
  readonly phases: Readonly<Record<string, number>>;
}

export interface Race {
  readonly name: string;
  readonly title: string;
  /** Of the circuit: constraints, wires, domain, zkeyBytes. */
  readonly figures: Readonly<Record<string, number>>;
  readonly provers: Readonly<Partial<Record<ProverName, ProverFigures | NotMeasured>>>;
  /** Cores that other programs kept busy meanwhile. */
  readonly others?: number;
  /** Why there was none: circuit or key could not be made. */
  readonly reason?: string;
}

export interface ProverResults extends Stamp {
  readonly races: readonly Race[];
}

/** Undefined for what is absent or was not measured. */
export function figuresOf(race: Race | undefined, prover: ProverName): ProverFigures | undefined {
  const found = race?.provers[prover];
  return found === undefined || "reason" in found ? undefined : found;
}

/** A prover's warm median over ours. */
export function timesFaster(race: Race | undefined, than: ProverName): number | undefined {
  const [ours, theirs] = [figuresOf(race, "wasm")?.warm, figuresOf(race, than)?.warm];
  return ours && theirs && theirs.wall.median / ours.wall.median;
}

function peakOf(race: Race | undefined): number | undefined {
  const figures = figuresOf(race, "wasm");
  const peaks = [figures?.warm, figures?.oneShot].flatMap((proving) => (proving ? [peakBytes(proving.peak)] : []));
  return peaks.length === 0 || peaks.includes(null) ? undefined : Math.max(...(peaks as number[]));
}

interface Rule {
  readonly what: string;
  readonly race: string;
  readonly unit: Bar["unit"];
  readonly limit: number;
  readonly atLeast?: true;
  readonly of: (race: Race | undefined) => number | undefined;
}

const faster = (power: number, limit: number): Rule => ({
  what: `2^${power}: times as fast as snarkjs, warm`,
  race: `2^${power}`,
  unit: "times",
  limit,
  atLeast: true,
  of: (race) => timesFaster(race, "snarkjs"),
});
const nearNative = (power: number): Rule => ({
  what: `2^${power}: time over rapidsnark's, warm`,
  race: `2^${power}`,
  unit: "times",
  limit: 1.15,
  of: (race) => {
    const ratio = timesFaster(race, "rapidsnark");
    return ratio && 1 / ratio;
  },
});

/** Sections 4 and 5 of issue 3, on two cores. */
const RULES: readonly Rule[] = [
  faster(14, 3.5),
  ...[16, 18, 20].map((power) => faster(power, 5)),
  ...[16, 18, 20].map(nearNative),
  // The times at 2^18 are those of a network: values of full size throughout cost four times as much.
  { what: "LeNet-5 (2^18): proof in a fresh process", race: "lenet-5", unit: "s", limit: 2.5, of: (race) => figuresOf(race, "wasm")?.oneShot?.wall.median }, // prettier-ignore
  { what: "LeNet-5 (2^18): peak memory of a proof", race: "lenet-5", unit: "bytes", limit: 0.6e9, of: peakOf },
  { what: "2^18: peak memory of a proof", race: "2^18", unit: "bytes", limit: 0.6e9, of: peakOf },
  { what: "2^21: peak memory of a proof", race: "2^21", unit: "bytes", limit: 4e9, of: peakOf },
];

export function proverBars(races: readonly Race[]): Bar[] {
  return RULES.map(({ race: name, of, ...rule }) => {
    const race = races.find((found) => found.name === name);
    return judge(rule, of(race), race?.others);
  });
}
