// Verification off chain. Cold: with the curve and the key's own check; warm: once more with both at hand.
import fs from "node:fs";
import { evaluate } from "../../../node/model/evaluate.ts";
import { verifyProof } from "../../../node/proof/verify.ts";
import { proofFromSnarkjs, readVerifyingKey } from "../../../node/proof/vkey.ts";
import { readGraph, readInput, signalsOf } from "../claims.ts";
import { fileOf, type Phase, timed } from "../ports.ts";

const WARM = 5;

export const phase: Phase = async ({ folder, modelFolder }) => {
  const graph = readGraph(modelFolder);
  const signals = signalsOf(graph, evaluate(graph, readInput(modelFolder)));
  const proof = proofFromSnarkjs(JSON.parse(fs.readFileSync(fileOf(folder, "proof"), "utf8")));
  const key = readVerifyingKey(fileOf(folder, "zkey"));
  const [cold, holds] = await timed(() => verifyProof(key, signals, proof));
  const warm: number[] = [];
  for (let i = 0; i < WARM; i++) warm.push((await timed(() => verifyProof(key, signals, proof)))[0]);
  const refused = !(await verifyProof(key, { ...signals, v: signals.v + 1n }, proof));
  if (!holds || !refused) throw new Error("verification accepts what it should refuse, or the other way about");
  return { seconds: { cold: [cold], warm } };
};
