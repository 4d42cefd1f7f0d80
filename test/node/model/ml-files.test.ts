// Models as scikit-learn's, XGBoost's and LightGBM's exporters write them (scripts/train/fixtures_ml.py): the float graph
// against onnxruntime on the same file, and the integer graph against both.
import { expect } from "chai";
import fs from "node:fs";
import { toIntegers, toReals } from "../../../node/model/border.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { yieldsIndex } from "../../../node/model/output.ts";
import { openRunner } from "../../../node/model/run.ts";
import { openOriginal, outputsOfFloat, withEnds } from "../../support/ml.ts";
import { expectNear } from "../../support/near.ts";

const FOLDER = "test/vectors/onnx";
const SAMPLES = JSON.parse(fs.readFileSync(`${FOLDER}/ml-samples.json`, "utf8")) as Record<string, Record<string, number[][]>>; // prettier-ignore

/** Scores of the integer model are off by at most this share of the scores' range; of trees by what their output type rounds. */
const LOSS: Readonly<Record<string, number>> = { default: 0.03, trees: 1e-4 };

/** onnxruntime finds probabilities of support vector machines by iteration, which ends early. */
const FLOAT: Readonly<Record<string, number>> = { "svc-probability": 0.005 };

/** Labels that may differ: of samples near a border, where features are raw and weights of 8 bits. */
const CHANGED: Readonly<Record<string, number>> = { "linear-svc": 1 };

const NOTICES: Readonly<Record<string, string>> = {
  forest: 'the output "output_probability" is its scores without the map around them, in the order of the classes 0, 1',
  "forest-names": 'classes of node "TreeEnsembleClassifier" are given by their number: 0 = "barbera", 1 = "barolo"',
  "mlp-names": 'the strings of "classes" are given by their number: 0 = "barbera", 1 = "barolo", 2 = "grignolino"',
  columns: "replaces NaN, which no integer input can be",
};

const TREES = /^(forest|boosting|xgboost|lightgbm)/;

describe("classic learners as exporters write them", function () {
  this.timeout(60_000);
  for (const [name, inputs] of Object.entries(SAMPLES)) {
    it(`${name} agrees with onnxruntime, and its integers with it`, async () => {
      const bytes = fs.readFileSync(`${FOLDER}/ml-${name}.onnx`);
      const graph = await readModelBytes(bytes);
      expect(graph.notices.join("\n")).to.contain(NOTICES[name] ?? "");
      const rows = Object.values(inputs);
      const samples = (rows[0] as number[][]).map((_, i) => Float64Array.from(rows.flatMap((list) => list[i] as number[]))); // prettier-ignore
      const { graph: integers, onnx } = quantizeModel(graph, samples);
      const borders = bordersOf(integers);
      const [original, runner] = [await openOriginal(bytes, graph), await openRunner(onnx, integers)];
      const ranges = graph.outputs.map((): [number, number] => [Infinity, -Infinity]);
      const off = graph.outputs.map(() => 0);
      let changed = 0;
      try {
        for (const sample of samples) {
          const expected = await original.run(sample);
          const float = outputsOfFloat(graph, sample);
          const given = toIntegers(borders.inputs, sample);
          const tensors = evaluate(integers, given);
          const own = withEnds(graph, toReals(borders.outputs, outputsOf(integers, tensors)));
          expected.forEach((values, k) => {
            expect(float[k]).to.have.lengthOf(values.length);
            const range = ranges[k] as [number, number];
            values.forEach((value, i) => {
              expectNear((float[k] as Float64Array)[i], value, FLOAT[name] ?? 3e-5 * Math.max(1, Math.abs(value)), `output ${k}[${i}]`); // prettier-ignore
              range[0] = Math.min(range[0], value);
              range[1] = Math.max(range[1], value);
              const error = Math.abs((own[k] as Float64Array)[i]! - value);
              if (!yieldsIndex(graph, k)) off[k] = Math.max(off[k] as number, error);
              else if (error > 0) changed++;
            });
          });
          const run = await runner.run(given);
          tensors.forEach((tensor, ref) => expect(run[ref], integers.nodes[ref]!.name).to.deep.equal(tensor));
        }
      } finally {
        await original.close();
        await runner.close();
      }
      graph.outputs.forEach((output, k) => {
        const [lo, hi] = ranges[k] as [number, number];
        const share = LOSS[TREES.test(name) ? "trees" : "default"] as number;
        expect(off[k], `integer model's output "${output.name}"`).to.be.at.most(share * (hi - lo));
      });
      expect(changed, "labels that differ").to.be.at.most(CHANGED[name] ?? 0);
    });
  }
});
