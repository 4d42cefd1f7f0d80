// The circuit of a domain of 2^k, named so, and its witness: see provers/synthetic.ts.
import fs from "node:fs";
import { writeSynthetic } from "../provers/synthetic.ts";
import { fileOf, type Phase, timed } from "../ports.ts";

export const phase: Phase = async ({ network, folder }) => {
  const power = Number(/^2\^(\d+)$/.exec(network)?.[1]);
  const [r1cs, wtns] = [fileOf(folder, "r1cs"), fileOf(folder, "wtns")];
  const [make, { rows, wires }] = await timed(() => writeSynthetic(power, r1cs, wtns));
  return {
    seconds: { make: [make] },
    figures: { constraints: rows, wires, domain: 2 ** power, r1csBytes: fs.statSync(r1cs).size },
  };
};
