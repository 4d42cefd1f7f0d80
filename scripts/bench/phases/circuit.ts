// The integer graph's .r1cs: cold with the gadgets yet to be compiled by circom, warm with them in memory.
import fs from "node:fs";
import { buildCircuit } from "../../../node/circuit/build.ts";
import { readGraph } from "../claims.ts";
import { fileOf, type Phase, timed } from "../ports.ts";

export const phase: Phase = async ({ folder, modelFolder }) => {
  const graph = readGraph(modelFolder);
  const file = fileOf(folder, "r1cs");
  const [cold] = await timed(() => buildCircuit(graph, { file }));
  const [warm, report] = await timed(() => buildCircuit(graph, { file }));
  const { constraints, claimConstraints, domain, wires } = report;
  return {
    seconds: { cold: [cold], warm: [warm] },
    figures: { constraints, claimConstraints, domain, wires, r1csBytes: fs.statSync(file).size },
  };
};
