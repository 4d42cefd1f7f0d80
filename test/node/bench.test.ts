// The bench's arithmetic and its page, on results made up here; and the page in git against the results in git. Times
// themselves are no matter for a test.
import { expect } from "chai";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { domainOf } from "../../node/circuit/build.ts";
import { readR1cs, readWtns, rowsOf } from "../../node/circuit/r1cs.ts";
import { reduce } from "../../node/core/field.ts";
import { barsOf } from "../../scripts/bench/bars.ts";
import type { Race } from "../../scripts/bench/provers/results.ts";
import { writeSynthetic } from "../../scripts/bench/provers/synthetic.ts";
import { page } from "../../scripts/bench/report.ts";
import {
  type Measured,
  type ModelResults,
  type NetworkResults,
  type Results,
  spreadOf,
} from "../../scripts/bench/results.ts";

function network(name: string, phases: NetworkResults["phases"]): NetworkResults {
  return { name, title: name, phases, baselines: { reason: "made up" } };
}

function proof(warm: number, child: number | null = 0): Measured {
  return { seconds: { warm: spreadOf([warm]) }, figures: {}, peak: { own: 1e8, child } };
}

function made(networks: readonly NetworkResults[]): Results {
  return {
    commit: "0",
    date: "2026-01-01T00:00:00.000Z",
    machine: { cpu: "c", cores: 2, memoryBytes: 1e9, system: "s", node: "n", versions: {} },
    load: { before: 0, after: 0 },
    runs: 1,
    networks,
    bars: barsOf(networks),
  };
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
    const what = "784-128-10: proof, warm";
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
    const results = made(networks);
    expect(page(results)).to.include("| 784-128-10: proof, warm | 600 ms | 700 ms | **missed** | - |");
    expect(page(results)).to.include("- mlp-784-128-10, verify: not measured, it crashed");
  });

  describe("models", () => {
    const compiled = (figures: Measured["figures"], child = 1e8, seconds = 1): Measured => ({
      seconds: { compile: spreadOf([seconds]) },
      figures: { samples: 1000, ...figures },
      peak: { own: 5e9, child },
    });
    const model = (name: string, phases: ModelResults["phases"]): ModelResults => ({ name, title: name, phases });
    const verdictOf = (what: string, found: ModelResults): string | undefined =>
      barsOf([], [], [found]).find((bar) => bar.what === what)?.verdict;

    it("are held to two minutes and 3 GB before keys, of the compiler's process alone, and ten minutes for keys", () => {
      for (const name of ["mlp-2m", "cnn-8m"]) {
        const of = (figures: Measured): ModelResults => model(name, { package: figures });
        expect(verdictOf(`${name}: glassbox compile before keys`, of(compiled({}, 1, 120)))).to.equal("met");
        expect(verdictOf(`${name}: glassbox compile before keys`, of(compiled({}, 1, 120.1)))).to.equal("missed");
        expect(verdictOf(`${name}: peak memory before keys`, of(compiled({}, 3e9)))).to.equal("met");
        expect(verdictOf(`${name}: peak memory before keys`, of(compiled({}, 3e9 + 1)))).to.equal("missed");
        const key = (make: number): ModelResults =>
          model(name, { key: { seconds: { make: spreadOf([make]) }, figures: {}, peak: { own: 1, child: 0 } } });
        expect(verdictOf(`${name}: development key`, key(600))).to.equal("met");
        expect(verdictOf(`${name}: development key`, key(600.1))).to.equal("missed");
      }
    });

    it("with data lose at most half a point of accuracy, or a hundredth of the outputs' range", () => {
      const of = (figures: Measured["figures"]): ModelResults => model("m", { package: compiled(figures) });
      const labelled = (integerShare: number): ModelResults => of({ floatShare: 0.98, integerShare, changed: 100 });
      expect(verdictOf("m: accuracy lost", labelled(0.976))).to.equal("met");
      expect(verdictOf("m: accuracy lost", labelled(0.99))).to.equal("met");
      expect(verdictOf("m: accuracy lost", labelled(0.974))).to.equal("missed");
      expect(verdictOf("m: accuracy lost", of({ changed: 5 }))).to.equal("met");
      expect(verdictOf("m: accuracy lost", of({ changed: 6 }))).to.equal("missed");
      expect(verdictOf("m: error over the outputs' range", of({ errorMax: 2, range: 200 }))).to.equal("met");
      expect(verdictOf("m: error over the outputs' range", of({ errorMax: 2.1, range: 200 }))).to.equal("missed");
      const random = model("mlp-2m", { package: compiled({ changed: 900 }) });
      expect(barsOf([], [], [random]).filter(({ unit }) => unit === "share")).to.deep.equal([]);
    });

    it("show what was said beside what was measured, and why a phase was not", () => {
      const key = { seconds: { make: spreadOf([3]) }, figures: { zkeyBytes: 5e6 }, peak: { own: 1e8, child: 0 } };
      const found = model("m", {
        package: compiled({ constraints: 1234, keyBytes: 5e6, keySeconds: 2, errorMax: 1, range: 100 }),
        key,
        witness: { reason: "it died" },
      });
      const results = { ...made([]), models: { ...made([]), models: [found] } };
      expect(page(results))
        .to.include("| development key | 2.00 s | 3.00 s | 1.50 |")
        .and.to.include("| constraints | - | 1,234 | - |")
        .and.to.include("| loss | - | 1.00 % | - |")
        .and.to.include("- m, witness: not measured, it died");
    });
  });

  describe("race of provers", () => {
    const proving = (wall: number, bytes = 1e8) => ({
      wall: spreadOf([wall]),
      cpu: spreadOf([2 * wall]),
      peak: { own: bytes, child: 0 },
    });
    const race = (name: string, provers: Race["provers"]): Race => ({ name, title: name, figures: {}, provers });
    const verdictOf = (what: string, found: Race): string | undefined =>
      barsOf([], [found]).find((bar) => bar.what === what)?.verdict;

    it("calls a bar on speed met at its least, missed just below it, and not measured when either prover failed", () => {
      const what = "2^16: times as fast as snarkjs, warm";
      const against = (snarkjs: number): Race =>
        race("2^16", {
          wasm: { warm: proving(0.5), phases: {} },
          snarkjs: { warm: proving(snarkjs), phases: {} },
        });
      expect(verdictOf(what, against(2.5))).to.equal("met");
      expect(verdictOf(what, against(2.499))).to.equal("missed");
      const failed = race("2^16", { wasm: { reason: "it died" }, snarkjs: { warm: proving(2.5), phases: {} } });
      expect(verdictOf(what, failed)).to.equal("not measured");
      expect(page({ ...made([]), provers: { ...made([]), races: [failed] } })).to.include(
        "- 2^16, Glassbox (WebAssembly): not measured, it died",
      );
    });

    it("holds our time against rapidsnark's, and not the other way about", () => {
      const what = "2^18: time over rapidsnark's, warm";
      const against = (ours: number): Race =>
        race("2^18", { wasm: { warm: proving(ours), phases: {} }, rapidsnark: { warm: proving(1), phases: {} } });
      expect(verdictOf(what, against(1.15))).to.equal("met");
      expect(verdictOf(what, against(1.16))).to.equal("missed");
    });

    it("takes the larger peak of warm and fresh processes", () => {
      const what = "2^18: peak memory of a proof";
      const of = (warm: number, fresh: number): Race =>
        race("2^18", { wasm: { warm: proving(1, warm), oneShot: proving(1, fresh), phases: {} } });
      expect(verdictOf(what, of(6e8, 5e8))).to.equal("met");
      expect(verdictOf(what, of(6e8 + 1, 5e8))).to.equal("missed");
      expect(verdictOf(what, of(5e8, 6e8 + 1))).to.equal("missed");
    });

    it("makes a circuit that fills its domain, the same each time, whose witness meets every row and no other does", () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-synthetic-"));
      try {
        const [r1cs, wtns] = [path.join(folder, "c.r1cs"), path.join(folder, "w.wtns")];
        const { rows, wires } = writeSynthetic(8, r1cs, wtns);
        const bytes = fs.readFileSync(r1cs);
        const circuit = readR1cs(bytes);
        expect([circuit.rows, circuit.wires, circuit.publicInputs]).to.deep.equal([rows, wires, 3]);
        expect(domainOf(rows)).to.equal(256);
        const values = readWtns(fs.readFileSync(wtns)).map(BigInt);
        const broken = (witness: readonly bigint[]): number =>
          [...rowsOf(circuit)].filter((row) => {
            const [a, b, c] = row.map(({ wires, factors }) =>
              wires.reduce((sum, wire, k) => sum + BigInt(factors[k] ?? 0) * (witness[wire] ?? 0n), 0n),
            ) as [bigint, bigint, bigint];
            return reduce(a * b - c) !== 0n;
          }).length;
        expect(broken(values)).to.equal(0);
        for (let wire = 1; wire < wires; wire++) {
          const other = values.map((value, i) => (i === wire ? value + 1n : value));
          expect(broken(other), `wire ${wire}`).to.be.at.least(1);
        }
        const small = values.slice(1).filter((value) => value < 1n << 200n);
        expect(small).to.deep.equal([]);
        writeSynthetic(8, r1cs, wtns);
        expect(fs.readFileSync(r1cs).equals(bytes)).to.equal(true);
        writeSynthetic(8, r1cs, wtns, "another seed");
        expect(fs.readFileSync(r1cs).equals(bytes)).to.equal(false);
      } finally {
        fs.rmSync(folder, { recursive: true });
      }
    });
  });

  it("has in git the page of the results in git, with every bar judged anew", () => {
    const results = JSON.parse(fs.readFileSync("bench/results.json", "utf8")) as Results;
    expect(results.bars).to.deep.equal(barsOf(results.networks, results.provers?.races, results.models?.models));
    expect(fs.readFileSync("bench/README.md", "utf8")).to.equal(page(results));
  });
});
