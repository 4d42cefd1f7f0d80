// The development key of the .r1cs in the folder, whoever built it; silence is the longest time without word of progress.
import fs from "node:fs";
import { makeDevelopmentKey } from "../../../node/proof/setup.ts";
import { fileOf, type Phase, timed } from "../ports.ts";

export const phase: Phase = async ({ folder }) => {
  const zkey = fileOf(folder, "zkey");
  let [told, silence] = [performance.now(), 0];
  const onProgress = (): void => {
    const now = performance.now();
    silence = Math.max(silence, (now - told) / 1000);
    told = now;
  };
  const [make] = await timed(() => makeDevelopmentKey({ r1cs: fileOf(folder, "r1cs"), zkey, onProgress }));
  onProgress();
  return { seconds: { make: [make], silence: [silence] }, figures: { zkeyBytes: fs.statSync(zkey).size } };
};
