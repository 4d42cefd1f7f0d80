// The bench's arithmetic and its page, on results made up here; and the page in git against the results in git. Times
// themselves are no matter for a test.
import { expect } from "chai";
import fs from "node:fs";
import { page } from "../../scripts/bench/report.ts";
import { barsOf, type Measured, type NetworkResults, type Results, spreadOf } from "../../scripts/bench/results.ts";

function network(name: string, phases: NetworkResults["phases"]): NetworkResults {
  return { name, title: name, phases, baselines: { reason: "made up" } };
}

function proof(warm: number, child: number | null = 0): Measured {
  return { seconds: { warm: spreadOf([warm]) }, figures: {}, peak: { own: 1e8, child } };
}

function verdict(what: string, ...networks: readonly NetworkResults[]): string | undefined {
  return barsOf(networks).find((bar) => bar.what === what)?.verdict;
}

describe("bench", () => {
  it("takes the middle of an odd number of samples and the mean of the two middle ones of an even number", () => {
    expect(spreadOf([10, 9, 2])).to.deep.equal({ median: 9, min: 2, max: 10, samples: 3 });
    expect(spreadOf([4, 1, 2, 10])).to.deep.equal({ median: 3, min: 1, max: 10, samples: 4 });
  });

  it("calls a bar met at its limit, missed just above it, and not measured without a figure", () => {
    const what = "784-128-10: proof, snarkjs, warm";
    expect(verdict(what, network("mlp-784-128-10", { prove: proof(0.6) }))).to.equal("met");
    expect(verdict(what, network("mlp-784-128-10", { prove: proof(0.600001) }))).to.equal("missed");
    expect(verdict(what, network("lenet-5", { prove: proof(0.6) }))).to.equal("not measured");
    expect(verdict(what, network("mlp-784-128-10", { prove: { reason: "it crashed" } }))).to.equal("not measured");
  });

  it("counts the claim out of a bar on constraints", () => {
    const what = "784-128-10: constraints without the claim";
    const built = (constraints: number): NetworkResults =>
      network("mlp-784-128-10", {
        circuit: { seconds: {}, figures: { constraints, claimConstraints: 1000 }, peak: { own: 0, child: 0 } },
      });
    expect(verdict(what, built(11_700))).to.equal("met");
    expect(verdict(what, built(11_701))).to.equal("missed");
  });

  it("does not call memory measured where the system does not say", () => {
    const what = "LeNet-5: peak memory of a proof";
    expect(verdict(what, network("lenet-5", { prove: proof(1, null) }))).to.equal("not measured");
    expect(verdict(what, network("lenet-5", { prove: proof(1, 9e8) }))).to.equal("met");
    expect(verdict(what, network("lenet-5", { prove: proof(1, 9e8 + 1) }))).to.equal("missed");
  });

  it("shows on its page a miss as a miss, and what was not measured with the reason", () => {
    const networks = [network("mlp-784-128-10", { prove: proof(0.7), verify: { reason: "it crashed" } })];
    const results: Results = {
      commit: "0",
      date: "2026-01-01T00:00:00.000Z",
      machine: { cpu: "c", cores: 2, memoryBytes: 1e9, system: "s", node: "n", versions: {} },
      load: { before: 0, after: 0 },
      runs: 1,
      networks,
      bars: barsOf(networks),
    };
    expect(page(results)).to.include("| 784-128-10: proof, snarkjs, warm | 600 ms | 700 ms | **missed** | - |");
    expect(page(results)).to.include("- mlp-784-128-10, verify: not measured, it crashed");
  });

  it("has in git the page of the results in git, with every bar judged anew", () => {
    const results = JSON.parse(fs.readFileSync("bench/results.json", "utf8")) as Results;
    expect(results.bars).to.deep.equal(barsOf(results.networks));
    expect(fs.readFileSync("bench/README.md", "utf8")).to.equal(page(results));
  });
});
