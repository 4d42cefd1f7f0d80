// The development key of the .r1cs in the folder, whoever built it.
import fs from "node:fs";
import { makeDevelopmentKey } from "../../../node/proof/setup.ts";
import { fileOf, type Phase, timed } from "../ports.ts";

export const phase: Phase = async ({ folder }) => {
  const zkey = fileOf(folder, "zkey");
  const [make] = await timed(() => makeDevelopmentKey({ r1cs: fileOf(folder, "r1cs"), zkey }));
  return { seconds: { make: [make] }, figures: { zkeyBytes: fs.statSync(zkey).size } };
};
