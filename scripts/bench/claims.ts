// The model, its input and the claim about them, as phases after the first read them back.
import fs from "node:fs";
import { claimOf } from "../../node/circuit/claim.ts";
import type { Signals } from "../../node/core/domain.ts";
import { encodeTensors, joinFlat } from "../../node/core/tensor.ts";
import { outputsOf } from "../../node/model/evaluate.ts";
import { bordersOf, type Graph } from "../../node/model/ir.ts";
import { parseGraph } from "../../node/model/serialize.ts";
import { CHALLENGE, fileOf } from "./ports.ts";

export function readGraph(folder: string): Graph {
  return parseGraph(fs.readFileSync(fileOf(folder, "graph")));
}

export function readInput(folder: string): Float64Array {
  return Float64Array.from(JSON.parse(fs.readFileSync(fileOf(folder, "input"), "utf8")) as number[]);
}

/** Input and output of a run as a claim spells them. */
export function spelled(graph: Graph, tensors: readonly Float64Array[]): { input: Uint8Array; output: Uint8Array } {
  const { inputs, outputs } = bordersOf(graph);
  return {
    input: encodeTensors(inputs, joinFlat(tensors.slice(0, inputs.length))),
    output: encodeTensors(outputs, outputsOf(graph, tensors)),
  };
}

/** The signals that a proof of this run must have. */
export function signalsOf(graph: Graph, tensors: readonly Float64Array[], r = CHALLENGE): Signals {
  const { input, output } = spelled(graph, tensors);
  return { ...claimOf(input, output, r), r };
}

/** @throws Error unless a proof's signals are those of the claim that was to be proved */
export function requireSignals(found: Signals, expected: Signals): void {
  for (const name of ["c", "v", "r"] as const) {
    if (found[name] !== expected[name]) throw new Error(`the proof's ${name} is not the claim's`);
  }
}
