// The example models, whole: quantized to the committed bytes, as accurate as they were, and the same in onnxruntime as by
// definition on every held-out input and on random ones. UPDATE_SNAPSHOTS=1 writes test/vectors/quantized.json anew.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { expect } from "chai";
import { toIntegers } from "../../../node/model/border.ts";
import { measureAccuracy } from "../../../node/model/accuracy.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { randomDataset, readDataset } from "../../../node/model/dataset.ts";
import { evaluate } from "../../../node/model/evaluate.ts";
import { floatInputs, type FloatGraph } from "../../../node/model/graph.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { readModel } from "../../../node/model/onnx/read.ts";
import { printGraph } from "../../../node/model/print.ts";
import { openRunner } from "../../../node/model/run.ts";
import { expectNear } from "../../support/near.ts";

const VECTORS = "test/vectors/quantized.json";
const SEED = 11;

interface Vector {
  readonly onnx: string;
  readonly graph: readonly string[];
  readonly accuracy: {
    readonly samples: number;
    readonly float: number;
    readonly integer: number;
    readonly changed: number;
  };
}

const vectors = JSON.parse(fs.readFileSync(VECTORS, "utf8")) as Record<string, Vector>;

for (const name of ["breast-cancer-mlp", "digits-cnn", "digits-mlp"]) {
  describe(`the example ${name}`, () => {
    let float: FloatGraph;
    let model: ReturnType<typeof quantizeModel>;
    const folder = `models/${name}`;
    const samplesOf = (file: string): ReturnType<typeof readDataset> => readDataset(`${folder}/${file}.npz`, floatInputs(float)); // prettier-ignore

    before(async () => {
      float = await readModel(`${folder}/model.onnx`);
      model = quantizeModel(float, (await samplesOf("calibration")).samples);
    });

    it("is quantized to the committed bytes, loses at most half a point, and changes as many labels as committed", async () => {
      const data = await samplesOf("test");
      const runner = await openRunner(model.onnx, model.graph);
      const source = `${folder}/model.onnx`;
      const {
        float: before,
        integer: after,
        changed,
        samples,
        error,
      } = await measureAccuracy({ source, float, graph: model.graph, runner, data });
      await runner.close();
      const card = JSON.parse(fs.readFileSync(`${folder}/model.json`, "utf8")) as { accuracy: { float: number } };
      expectNear(before!.share, card.accuracy.float, 1e-6);
      expect(before!.share - after!.share).to.be.at.most(0.005);
      expect(error!.mean).to.be.below(0.1);
      const vector: Vector = {
        onnx: createHash("sha256").update(model.onnx).digest("hex"),
        graph: printGraph(model.graph).trimEnd().split("\n"),
        accuracy: { samples, float: before!.right, integer: after!.right, changed: changed! },
      };
      if (process.env["UPDATE_SNAPSHOTS"] === "1") {
        fs.writeFileSync(VECTORS, `${JSON.stringify({ ...vectors, [name]: vector }, null, 2)}\n`);
        vectors[name] = vector;
      }
      expect(vector).to.deep.equal(vectors[name]);
    });

    it("is quantized to the same bytes a second time", async () => {
      const again = quantizeModel(await readModel(`${folder}/model.onnx`), (await samplesOf("calibration")).samples);
      expect(Buffer.from(again.onnx).equals(model.onnx)).to.equal(true);
    });

    for (const [optimization, threads] of [
      ["disabled", 1],
      ["all", 2],
    ] as const) {
      it(`yields in onnxruntime what evaluation yields on all held-out and 200 random inputs (optimizer ${optimization}, ${threads} threads, seed ${SEED})`, async () => {
        const runner = await openRunner(model.onnx, model.graph, { optimization, threads });
        const { inputs } = bordersOf(model.graph);
        const random = randomDataset(inputs, SEED, 200);
        for (const sample of [...(await samplesOf("test")).samples, ...random.samples]) {
          const integers = toIntegers(inputs, sample);
          const [expected, got] = [evaluate(model.graph, integers), await runner.run(integers)];
          expected.forEach((tensor, ref) => {
            const off = tensor.findIndex((value, i) => value !== got[ref]![i]);
            if (off >= 0) expect.fail(`${model.graph.nodes[ref]!.name}[${off}]: ${got[ref]![off]}, not ${tensor[off]}`);
          });
        }
        await runner.close();
      });
    }

    it("reports every layer", () => {
      expect(model.layers.map((layer) => layer.name)).to.deep.equal(model.graph.nodes.map((node) => node.name));
      for (const { observed, possible, clipped, weightBits, op } of model.layers) {
        expect(observed[0]).to.be.at.least(possible[0]);
        expect(observed[1]).to.be.at.most(possible[1]);
        expect(op === "rescale" ? clipped! : 0).to.be.below(0.001);
        expect(weightBits ?? 0).to.be.at.most(8);
      }
    });
  });
}
