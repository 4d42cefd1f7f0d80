// Float model against integer model, both in onnxruntime: what is counted for scores, probabilities, class indices, no labels.
import { expect } from "chai";
import { measureAccuracy } from "../../../node/model/accuracy.ts";
import type { Accuracy } from "../../../node/model/accuracy.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import type { Dataset } from "../../../node/model/dataset.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { onnxWriter } from "../../../node/model/onnx-writer.ts";
import { openRunner } from "../../../node/model/run.ts";

/** y = x * 1/2 on two values, then `end`. */
function modelOf(end: "Identity" | "Softmax" | "ArgMax"): Uint8Array {
  const writer = onnxWriter(["x", "y"]);
  const half = writer.constant("half", "float32", [2, 2], [0.5, 0, 0, 0.5]);
  const scores = writer.op("MatMul", ["x", half], "scores");
  if (end === "ArgMax") {
    const index = writer.op("ArgMax", [scores], "index", { axis: 1, keepdims: 1 });
    writer.op("Cast", [index], "y", { to: 1 });
  } else writer.op(end, [scores], "y", end === "Softmax" ? { axis: 1 } : {});
  const shape = end === "ArgMax" ? [1, 1] : [1, 2];
  return writer.finish({
    name: end, opset: 17, irVersion: 8, producer: { name: "test", version: "1" }, metadata: {},
    inputs: [{ name: "x", type: "float32", shape: [1, 2] }], outputs: [{ name: "y", type: "float32", shape }],
  }); // prettier-ignore
}

async function measured(end: "Identity" | "Softmax" | "ArgMax", data: Dataset): Promise<Accuracy> {
  const source = modelOf(end);
  const float = await readModelBytes(source);
  const { graph, onnx } = quantizeModel(float, data.samples);
  const runner = await openRunner(onnx, graph);
  const accuracy = await measureAccuracy({ source, float, graph, runner, data });
  await runner.close();
  return accuracy;
}

const samples = [[3, 1], [0, 200], [7, 7], [255, 254]].map((sample) => Float64Array.from(sample)); // prettier-ignore
const labels = [0, 1, 1, 0];

describe("accuracy, float against integer", () => {
  for (const end of ["Identity", "Softmax", "ArgMax"] as const) {
    it(`counts hits and changes of a model that ends in ${end}, and measures scores, not probabilities`, async () => {
      const { error, ...counts } = await measured(end, { samples, labels });
      // A tie is the first class's.
      const score = { right: 3, share: 0.75 };
      expect(counts).to.deep.equal({ samples: 4, float: score, integer: score, changed: 0 });
      expect(error).to.deep.equal(end === "ArgMax" ? undefined : { max: 0, mean: 0 });
    });
  }

  it("says nothing of hits where there are no labels", async () => {
    const { error, ...counts } = await measured("Identity", { samples });
    expect(counts).to.deep.equal({ samples: 4, changed: 0 });
    expect(error!.max).to.equal(0);
  });
});
