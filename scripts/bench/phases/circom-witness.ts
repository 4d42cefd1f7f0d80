// Baseline: the witness by circom's own program, as snarkjs' `wtns calculate` runs it: the program is instantiated each time,
// and evaluates the network itself, so there is no inference beside it.
import fs from "node:fs";
import * as snarkjs from "snarkjs";
import { reduce } from "../../../node/core/field.ts";
import { splitFlat } from "../../../node/core/tensor.ts";
import { symbolOf } from "../../../node/circuit/walk.ts";
import { planOf } from "../../../node/circuit/plan.ts";
import { inputsOf } from "../../../node/model/ir.ts";
import { readGraph, readInput } from "../claims.ts";
import { CHALLENGE, fileOf, type Phase, timed } from "../ports.ts";

export const phase: Phase = async ({ folder, modelFolder }) => {
  const graph = readGraph(modelFolder);
  const plan = planOf(graph);
  const inputs = splitFlat(inputsOf(graph), readInput(modelFolder)).map((values, ref) => {
    return [symbolOf(plan, ref), Array.from(values, (q) => reduce(BigInt(q)).toString())] as const;
  });
  const signals = { r: CHALLENGE.toString(), ...Object.fromEntries(inputs) };
  const wtns = fileOf(folder, "wtns");
  const calculate = (): Promise<void> => snarkjs.wtns.calculate(signals, fileOf(folder, "wasm"), wtns);
  const [cold] = await timed(calculate);
  const [warm] = await timed(calculate);
  return { seconds: { cold: [cold], warm: [warm] }, figures: { wtnsBytes: fs.statSync(wtns).size } };
};
