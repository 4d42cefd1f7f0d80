// Baseline: the same network as one circom program, with the same gadgets and the weights as constants, compiled as a whole
// by circom2, with circom's own witness program.
import fs from "node:fs";
import { exportCircom } from "../../../node/circuit/circom.ts";
import { compile } from "../../../node/circuit/compile.ts";
import { domainOf } from "../../../node/circuit/build.ts";
import { readR1cs } from "../../../node/circuit/r1cs.ts";
import { readGraph } from "../claims.ts";
import { fileOf, type Phase, timed } from "../ports.ts";

export const phase: Phase = async ({ folder, modelFolder, level = "O1" }) => {
  const source = exportCircom(readGraph(modelFolder));
  const [cold, { r1cs, wasm }] = await timed(() => compile(source, { level: `--${level}`, wasm: true }));
  if (wasm === undefined) throw new Error("circom2 left no witness program");
  fs.writeFileSync(fileOf(folder, "r1cs"), r1cs);
  fs.writeFileSync(fileOf(folder, "wasm"), wasm);
  const { rows, wires } = readR1cs(r1cs);
  return {
    seconds: { cold: [cold] },
    figures: { constraints: rows, wires, domain: domainOf(rows), r1csBytes: r1cs.length, wasmBytes: wasm.length },
  };
};
