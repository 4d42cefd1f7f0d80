// From the float ONNX file and its calibration data to integer graph and quantized ONNX file. A network of random weights
// begins as an integer graph; of it only the file is emitted.
import fs from "node:fs";
import path from "node:path";
import { toIntegers } from "../../../node/model/border.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { readDataset } from "../../../node/model/dataset.ts";
import { emitOnnx } from "../../../node/model/emit.ts";
import { floatInputs } from "../../../node/model/graph.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { readModel } from "../../../node/model/onnx/read.ts";
import { serializeGraph } from "../../../node/model/serialize.ts";
import { randomInput } from "../../../test/support/nets.ts";
import { NETWORKS } from "../networks.ts";
import { fileOf, type Phase, timed } from "../ports.ts";

export const phase: Phase = async ({ network, folder }) => {
  const made = NETWORKS.find(({ name }) => name === network)?.graph;
  const models = path.join(import.meta.dirname, "../../../models", network);
  const file = (name: string): string => path.join(models, name);

  const [seconds, { graph, onnx, input, sourceBytes }] = await timed(async () => {
    if (made !== undefined) {
      const graph = made();
      return { graph, onnx: emitOnnx(graph), input: randomInput(graph, 1), sourceBytes: undefined };
    }
    const float = await readModel(file("model.onnx"));
    const inputs = floatInputs(float);
    const { samples } = await readDataset(file("calibration.npz"), inputs);
    const { graph, onnx } = quantizeModel(float, samples);
    const heldOut = (await readDataset(file("test.npz"), inputs)).samples[0] as Float64Array;
    return {
      graph,
      onnx,
      input: toIntegers(bordersOf(graph).inputs, heldOut),
      sourceBytes: fs.statSync(file("model.onnx")).size,
    };
  });
  fs.writeFileSync(fileOf(folder, "graph"), serializeGraph(graph));
  fs.writeFileSync(fileOf(folder, "onnx"), onnx);
  fs.writeFileSync(fileOf(folder, "input"), JSON.stringify(Array.from(input)));
  return {
    seconds: made === undefined ? { compile: [seconds] } : { emit: [seconds] },
    figures: { onnxBytes: onnx.length, ...(sourceBytes === undefined ? {} : { sourceBytes }) },
  };
};
