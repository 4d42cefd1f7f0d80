// A first proof of the witness in the folder and some after it, by either prover.
import fs from "node:fs";
import { evaluate } from "../../node/model/evaluate.ts";
import type { Prover } from "../../node/proof/prover.ts";
import { proofToSnarkjs } from "../../node/proof/vkey.ts";
import { readGraph, readInput, requireSignals, signalsOf } from "./claims.ts";
import { fileOf, type PhaseJob, type PhaseReport, timed } from "./ports.ts";

const WARM = 2;

export async function proveAgain(job: PhaseJob, prover: Prover, look: () => void): Promise<PhaseReport> {
  const { folder, modelFolder } = job;
  const graph = readGraph(modelFolder);
  const expected = signalsOf(graph, evaluate(graph, readInput(modelFolder)));
  const wtns = fs.readFileSync(fileOf(folder, "wtns"));
  const prove = { zkey: fileOf(folder, "zkey"), wtns };
  const [cold, first] = await timed(() => prover.prove(prove));
  requireSignals(first.signals, expected);
  const warm: number[] = [];
  for (let i = 0; i < WARM; i++) {
    const [seconds, { signals }] = await timed(() => prover.prove(prove));
    requireSignals(signals, expected);
    warm.push(seconds);
  }
  look();
  await prover.close();
  const proof = JSON.stringify(proofToSnarkjs(first.proof));
  fs.writeFileSync(fileOf(folder, "proof"), proof);
  return { seconds: { cold: [cold], warm }, figures: { proofJsonBytes: proof.length } };
}
