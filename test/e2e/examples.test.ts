// The example models, whole: how much the integer model loses, that every rung agrees, that compiling again gives the same
// bytes, and what they cost.
import { expect } from "chai";
import fs from "node:fs";
import { openModel } from "../../node/app/model.ts";
import { joinFlat, sizeOf, typeRange } from "../../node/core/tensor.ts";
import { toIntegers } from "../../node/model/border.ts";
import { randomDataset, readDataset } from "../../node/model/dataset.ts";
import type { Accuracy } from "../../node/model/accuracy.ts";
import { wasmProver } from "../../node/proof/prover.ts";
import { agree } from "../support/agree.ts";
import { compiledExample, type Example, EXAMPLES } from "../support/packages.ts";

const SNAPSHOT = "test/vectors/examples.json";
const SEED = 20261121;

const rightIn = ({ float, integer }: Accuracy): { readonly float: number; readonly integer: number } => ({
  float: float?.right ?? NaN,
  integer: integer?.right ?? NaN,
});

/** Of regressions, the least and the largest held-out target. */
const TARGETS: Readonly<Partial<Record<Example, readonly [number, number]>>> = { "diabetes-gbm": [25, 346] };

describe("example models", function () {
  this.timeout(300_000);
  const snapshot: Record<string, unknown> = {};

  for (const name of EXAMPLES) {
    const targets = TARGETS[name];
    it(`${name} loses at most ${targets === undefined ? "half a point of held-out accuracy" : "1 % of the range of targets"} to integers`, async () => {
      const { accuracy } = await compiledExample(name, { keys: false });
      const { samples } = accuracy;
      if (targets !== undefined) {
        expect(accuracy.float, "classes").to.equal(undefined);
        expect(accuracy.error!.max).to.be.at.most(0.01 * (targets[1] - targets[0]));
        return;
      }
      expect(accuracy.float, "labelled held-out samples").to.not.equal(undefined);
      const { float, integer } = rightIn(accuracy);
      expect((100 * (float - integer)) / samples).to.be.at.most(0.5);
      if (name === "digits-cnn") expect(float / samples).to.be.at.least(0.97);
    });

    it(`${name}: onnxruntime, integer graph and witness agree bit for bit on all held-out inputs and on random ones`, async () => {
      const { package: pack } = await compiledExample(name, { keys: false });
      const model = await openModel(pack.folder, { keys: false });
      try {
        const data = await readDataset(`models/${name}/test.npz`, model.inputs);
        const drawn = randomDataset(model.inputs, SEED, 100).samples.map((sample) => toIntegers(model.inputs, sample));
        const borders = (["lo", "hi"] as const).map((end) =>
          joinFlat(model.inputs.map(({ shape, type }) => new Float64Array(sizeOf(shape)).fill(typeRange(type)[end]))),
        );
        const held = data.samples.map((sample) => toIntegers(model.inputs, sample));
        await agree(model, [...held, ...drawn, ...borders], { upTo: "witness" });
      } finally {
        await model.close();
      }
    });

    it(`${name} compiles to the same bytes twice, and to those of the snapshot`, async () => {
      const [a, b] = [
        await compiledExample(name, { keys: false }),
        await compiledExample(name, { keys: false, variant: "-again" }),
      ];
      expect(b.package.digest).to.equal(a.package.digest);
      const { files, circuit } = a.package.manifest;
      snapshot[name] = {
        quantized: files.quantized?.sha256,
        circuit: files.circuit?.sha256,
        manifest: a.package.digest,
        samples: a.accuracy.samples,
        ...(TARGETS[name] === undefined ? { right: rightIn(a.accuracy) } : { error: a.accuracy.error }),
        constraints: circuit.constraints,
        claimConstraints: circuit.claimConstraints,
        domain: circuit.domain,
      };
      if (process.env["UPDATE_SNAPSHOTS"] === "1") return;
      const kept = JSON.parse(fs.readFileSync(SNAPSHOT, "utf8")) as Record<string, unknown>;
      expect(snapshot[name], "UPDATE_SNAPSHOTS=1 accepts a wanted change").to.deep.equal(kept[name]);
    });
  }

  after(() => {
    if (process.env["UPDATE_SNAPSHOTS"] === "1") fs.writeFileSync(SNAPSHOT, `${JSON.stringify(snapshot, null, 2)}\n`);
  });

  it("digits-mlp proves what onnxruntime computed, and nothing one bit beside it", async () => {
    const { package: pack } = await compiledExample("digits-mlp", { keys: true });
    const model = await openModel(pack.folder, { keys: true });
    const prover = wasmProver();
    try {
      const data = await readDataset("models/digits-mlp/test.npz", model.inputs);
      const inputs = [0, 1].map((i) => toIntegers(model.inputs, data.samples[i] as Float64Array));
      await agree(model, inputs, { upTo: "proof", prover });
    } finally {
      await prover.close();
      await model.close();
    }
  });
});
