// A first and a second proof of the witness in the folder, by either prover.
import fs from "node:fs";
import { evaluate } from "../../node/model/evaluate.ts";
import type { Prover } from "../../node/proof/prover.ts";
import { proofToSnarkjs } from "../../node/proof/vkey.ts";
import { readGraph, readInput, requireSignals, signalsOf } from "./claims.ts";
import { fileOf, type PhaseJob, type PhaseReport, timed } from "./ports.ts";

export async function proveTwice(job: PhaseJob, prover: Prover, look: () => void): Promise<PhaseReport> {
  const { folder, modelFolder } = job;
  const graph = readGraph(modelFolder);
  const expected = signalsOf(graph, evaluate(graph, readInput(modelFolder)));
  const wtns = fs.readFileSync(fileOf(folder, "wtns"));
  const prove = { zkey: fileOf(folder, "zkey"), wtns };
  const [cold, first] = await timed(() => prover.prove(prove));
  const [warm, second] = await timed(() => prover.prove(prove));
  look();
  await prover.close();
  for (const { signals } of [first, second]) requireSignals(signals, expected);
  const proof = JSON.stringify(proofToSnarkjs(second.proof));
  fs.writeFileSync(fileOf(folder, "proof"), proof);
  return { seconds: { cold: [cold], warm: [warm] }, figures: { proofJsonBytes: proof.length } };
}
