// What bench.ts and the processes of its phases say to each other, and the files that phases leave for later ones.
import { performance } from "node:perf_hooks";
import path from "node:path";
import type { Level, Peak } from "./results.ts";

export interface PhaseJob {
  readonly phase: string;
  readonly network: string;
  /** Where this road (ours or the baseline's) keeps its files. */
  readonly folder: string;
  /** Where the network's own files are: the model and its input. */
  readonly modelFolder: string;
  /** Of the baseline. */
  readonly level?: Level;
  /** Path of rapidsnark's `prover`. */
  readonly rapidsnark?: string;
}

export interface PhaseReport {
  /** Samples, by what was timed. */
  readonly seconds: Readonly<Record<string, readonly number[]>>;
  readonly figures?: Readonly<Record<string, number>>;
}

export type PhaseReply = (PhaseReport & { readonly peak: Peak }) | { readonly error: string };

/** @param look notes the peaks of child processes so far; to be called before one ends */
export type Phase = (job: PhaseJob, look: () => void) => Promise<PhaseReport>;

export const FILES = {
  graph: "graph.bin",
  onnx: "quantized.onnx",
  input: "input.json",
  r1cs: "circuit.r1cs",
  wasm: "circuit.wasm",
  zkey: "circuit.zkey",
  wtns: "witness.wtns",
  proof: "proof.json",
} as const;

export function fileOf(folder: string, file: keyof typeof FILES): string {
  return path.join(folder, FILES[file]);
}

/** The challenge of the bench's claims: any field element will do. */
export const CHALLENGE = 0x5eed_5eed_5eed_5eedn ** 3n;

/** Runs `work`; seconds and what it gave. */
export async function timed<T>(work: () => T | Promise<T>): Promise<readonly [number, T]> {
  const started = performance.now();
  const result = await work();
  return [(performance.now() - started) / 1000, result];
}
