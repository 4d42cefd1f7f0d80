// The model, its input and the claim about them, as phases after the first read them back.
import fs from "node:fs";
import { claimOf } from "../../node/circuit/claim.ts";
import type { Signals } from "../../node/core/domain.ts";
import { encodeInts } from "../../node/core/tensor.ts";
import { type Graph, nodeAt } from "../../node/model/ir.ts";
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
  const source = nodeAt(graph, graph.input);
  if (source.op !== "input") throw new RangeError("node 0 is no input");
  const { ref, border } = graph.output;
  return {
    input: encodeInts(tensors[graph.input] as Float64Array, source.border.type),
    output: encodeInts(tensors[ref] as Float64Array, border.type),
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
