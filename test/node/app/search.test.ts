// The search for widths: what it finds keeps the bar by an independent count, costs less than the default, and is refused
// where no widths keep it.
import { expect } from "chai";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { requantizer } from "../../../node/app/cli/audit.ts";
import { compile } from "../../../node/app/compile.ts";
import { type Bar, parseError, parseLoss, searchWidths, type Search } from "../../../node/app/search.ts";
import { buildCircuit } from "../../../node/circuit/build.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { inputBorders, toIntegers } from "../../../node/model/border.ts";
import { observe } from "../../../node/model/calibrate.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { readDataset } from "../../../node/model/dataset.ts";
import { evaluate } from "../../../node/model/evaluate.ts";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import { type FloatGraph, floatInputs } from "../../../node/model/graph.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import { DEFAULT_WIDTHS } from "../../../node/model/lowering.ts";
import { readModel, readModelBytes } from "../../../node/model/onnx/read.ts";
import { loadPackage } from "../../../node/proof/package.ts";
import { silentStep } from "../../support/packages.ts";
import { bytesOf, node, noise, tensor } from "../../support/onnx.ts";

const FOLDER = "models/digits-mlp";

async function digits(more: Partial<Search> = {}): Promise<Search> {
  const float = await readModel(path.join(FOLDER, "model.onnx"));
  const read = (name: string) => readDataset(path.join(FOLDER, name), floatInputs(float), { classes: true });
  const calibration = await read("calibration.npz");
  const { samples, labels = [] } = await read("test.npz");
  const data = { samples: samples.slice(0, 150), labels: labels.slice(0, 150) };
  const observed = observe(float, calibration.samples);
  const inputs = inputBorders(float, calibration.samples);
  return { float, observed, inputs, outputs: {}, data, bar: { kind: "loss", share: 0.01 }, ...more };
}

/** y = x W + b, with one or several outputs. */
async function linear(columns: number): Promise<{ readonly float: FloatGraph; readonly samples: Float64Array[] }> {
  const float = await readModelBytes(
    bytesOf({
      nodes: [node("Gemm", ["x", "w", "b"], ["y"])],
      initializers: [tensor("w", [4, columns], noise(1, 4 * columns)), tensor("b", [columns], noise(2, columns))],
    }),
  );
  const samples = Array.from({ length: 40 }, (_, i) => Float64Array.from(noise(10 + i, 4)));
  return { float, samples };
}

describe("the search for widths", () => {
  it("finds widths that keep the accuracy, by a count of its own, at fewer constraints than the default", async () => {
    const search = await digits();
    const { best, trade, trials } = await searchWidths(search);
    expect(trade[0]?.widths).to.deep.equal(DEFAULT_WIDTHS);
    expect(best.constraints).to.be.below((trade[0] as { constraints: number }).constraints);
    expect(trials).to.be.within(3, 96);
    for (const [i, trial] of trade.entries()) {
      if (i > 0) expect(trial.constraints).to.be.below((trade[i - 1] as { constraints: number }).constraints);
      expect(trial.loss).to.be.at.most(0.01);
    }

    const { graph } = quantizeModel(search.float, (await readDataset(path.join(FOLDER, "calibration.npz"), floatInputs(search.float))).samples, { widths: best.widths }); // prettier-ignore
    expect((await buildCircuit(graph)).constraints).to.equal(best.constraints);
    const { samples, labels = [] } = search.data;
    const right = (scoresOf: (sample: Float64Array) => Float64Array): number =>
      samples.filter((sample, i) => {
        const scores = scoresOf(sample);
        return scores.indexOf(Math.max(...scores)) === labels[i];
      }).length;
    const integer = right(
      (sample) => evaluate(graph, toIntegers(bordersOf(graph).inputs, sample))[graph.outputs[0]!.ref]!,
    );
    const float = right((sample) => evaluateFloat(search.float, sample)[search.float.outputs[0]!.ref]!);
    expect(float).to.be.above(0.95 * samples.length);
    expect((float - integer) / samples.length).to.be.at.most(0.01);
  }).timeout(120_000);

  it("widens where the default loses too much, and counts changed classes where there are no labels", async () => {
    const { data, ...rest } = await digits();
    const { best, trade } = await searchWidths({ ...rest, data: { samples: data.samples }, bar: { kind: "loss", share: 0 } }); // prettier-ignore
    expect(best.loss).to.equal(0);
    expect(trade.length).to.be.above(1);
  }).timeout(120_000);

  it("keeps an error in the output's unit, and the same as a share of its range", async () => {
    const { float, samples } = await linear(1);
    const base = { float, observed: observe(float, samples), inputs: inputBorders(float, samples), outputs: {}, data: { samples } }; // prettier-ignore
    const coarse = await searchWidths({ ...base, bar: { kind: "error", most: 0.1 } });
    const fine = await searchWidths({ ...base, bar: { kind: "error", most: 0.001 } });
    expect(coarse.best.loss).to.be.within(0.001, 0.1);
    expect(fine.best.loss).to.be.at.most(0.001);
    expect(fine.best.constraints).to.be.above(coarse.best.constraints);
    const share = await searchWidths({ ...base, bar: { kind: "error", share: 0.01 } });
    const loss = await searchWidths({ ...base, bar: { kind: "loss", share: 0.01 } });
    expect(share.best.widths).to.deep.equal(loss.best.widths);
  }).timeout(60_000);

  it("refuses a share of a range that test data do not have, but no error in the output's unit", async () => {
    const { float, samples } = await linear(1);
    const data = { samples: samples.slice(0, 1) };
    const base = { float, observed: observe(float, samples), inputs: inputBorders(float, samples), outputs: {}, data };
    const bars: readonly Bar[] = [
      { kind: "loss", share: 0.01 },
      { kind: "error", share: 0.01 },
    ];
    for (const bar of bars) {
      const refusal = await searchWidths({ ...base, bar }).catch((error: unknown) => error);
      expect(refusal).to.be.instanceOf(NodeError).with.property("code", "usage");
      expect((refusal as Error).message).to.include("1 test sample(s) yield one output value only");
    }
    expect((await searchWidths({ ...base, bar: { kind: "error", most: 0.1 } })).best.loss).to.be.at.most(0.1);
  }).timeout(60_000);

  it("counts the circuit that is compiled, without what no output needs", async () => {
    // The last of three rows is all that the output reads.
    const float = await readModelBytes(
      bytesOf({
        nodes: [node("MatMul", ["x", "w"], ["h"]), node("Sigmoid", ["h"], ["s"]), node("MatMul", ["s", "v"], ["m"]), node("Gather", ["m", "i"], ["y"], { axis: 1 })],
        initializers: [tensor("w", [4, 4], noise(1, 16)), tensor("v", [4, 2], noise(2, 8)), tensor("i", [], [2], "int64")],
        input: { dims: [1, 3, 4] },
      }),
    ); // prettier-ignore
    const samples = Array.from({ length: 20 }, (_, i) => Float64Array.from(noise(10 + i, 12)));
    const base = { float, observed: observe(float, samples), inputs: inputBorders(float, samples), outputs: {}, data: { samples } }; // prettier-ignore
    const { best } = await searchWidths({ ...base, bar: { kind: "error", most: 0.1 } });
    const { graph } = quantizeModel(float, samples, { widths: best.widths });
    expect((await buildCircuit(graph)).constraints).to.equal(best.constraints);
  }).timeout(60_000);

  it("says so where no widths keep the bar, and stops when it is told to", async () => {
    const { float, samples } = await linear(1);
    const base = { float, observed: observe(float, samples), inputs: inputBorders(float, samples), outputs: {}, data: { samples } }; // prettier-ignore
    const refusal = await searchWidths({ ...base, bar: { kind: "error", most: 1e-9 } }).catch(
      (error: unknown) => error,
    );
    expect(refusal).to.be.instanceOf(NodeError).with.property("code", "unsupported");
    expect((refusal as Error).message).to.include("no widths up to 16 bits keep 1e-9");
    const stopped = await searchWidths({ ...base, bar: { kind: "error", most: 1 } }, { signal: AbortSignal.abort() }).catch((error: unknown) => error); // prettier-ignore
    expect(stopped).to.be.instanceOf(NodeError).with.property("code", "aborted");
  }).timeout(60_000);
});

describe("a package of widths that were searched", () => {
  it("says them tensor by tensor, so that its bytes are made again without a search", async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-search-"));
    try {
      const data = { calibration: `${FOLDER}/calibration.npz`, test: `${FOLDER}/test.npz` };
      const { found, package: pack } = await compile(
        { source: `${FOLDER}/model.onnx`, ...data, name: "digits", out: path.join(folder, "p"), keys: false, keyCache: folder, bar: parseLoss("1%") }, // prettier-ignore
        silentStep,
      );
      const { choices, circuit, files } = pack.manifest;
      expect(choices.widths).to.deep.equal(found?.best.widths);
      expect(choices.widths).to.not.deep.equal(DEFAULT_WIDTHS);
      expect(circuit.constraints).to.equal(found?.best.constraints);
      const read = await loadPackage(pack.folder, { keys: false });
      expect(await requantizer(data.calibration)(read, {})).to.equal(files.quantized?.sha256);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }).timeout(120_000);
});

describe("bars of the search", () => {
  it("are read as shares, percentages or numbers", () => {
    expect(parseLoss("0.5%")).to.deep.equal({ kind: "loss", share: 0.005 });
    expect(parseLoss("0.005")).to.deep.equal({ kind: "loss", share: 0.005 });
    expect(parseLoss("0")).to.deep.equal({ kind: "loss", share: 0 });
    expect(parseError("1%")).to.deep.equal({ kind: "error", share: 0.01 });
    expect(parseError("12.5")).to.deep.equal({ kind: "error", most: 12.5 });
  });

  for (const text of ["", "x", "-1%", "1e-3", "1 %", "%", "0.5%%", "100%", "1"]) {
    it(`is refused: "${text}"`, () => {
      expect(() => parseLoss(text))
        .to.throw(NodeError)
        .with.property("code", "usage");
    });
  }
});
