// One inference and its witness. Cold: the runtime opened, the gadgets compiled, the first run; warm: the runs after it.
import fs from "node:fs";
import { prepareWitness } from "../../../node/circuit/witness.ts";
import { openRunner } from "../../../node/model/run.ts";
import { readGraph, readInput } from "../claims.ts";
import { CHALLENGE, fileOf, type Phase, timed } from "../ports.ts";

const WARM = 5;

export const phase: Phase = async ({ folder, modelFolder }) => {
  const graph = readGraph(modelFolder);
  const onnx = fs.readFileSync(fileOf(modelFolder, "onnx"));
  const input = readInput(modelFolder);
  const [openSeconds, runner] = await timed(() => openRunner(onnx, graph));
  const [firstRun, first] = await timed(() => runner.run(input));
  const [cold, make] = await timed(async () => {
    const make = await prepareWitness(graph);
    make(first, CHALLENGE);
    return make;
  });
  const [run, warm]: [number[], number[]] = [[], []];
  let wtns = new Uint8Array();
  for (let i = 0; i < WARM; i++) {
    const [ran, tensors] = await timed(() => runner.run(input));
    const [filled, bytes] = await timed(() => make(tensors, CHALLENGE));
    run.push(ran);
    warm.push(filled);
    wtns = Uint8Array.from(bytes);
  }
  fs.writeFileSync(fileOf(folder, "wtns"), wtns);
  await runner.close();
  return {
    seconds: {
      open: [openSeconds],
      run,
      cold: [cold],
      warm,
      coldWithRun: [openSeconds + firstRun + cold],
      warmWithRun: run.map((seconds, i) => seconds + (warm[i] as number)),
    },
    figures: { wtnsBytes: wtns.length },
  };
};
