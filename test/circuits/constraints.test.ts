// What circuits cost, exactly: rows and terms of every gadget, rows of three networks, and the bytes of their .r1cs. A drift
// fails; UPDATE_SNAPSHOTS=1 writes the file anew. A new circom that orders rows otherwise shows here, before it changes keys.
import { expect } from "chai";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { buildCircuit } from "../../node/circuit/build.ts";
import type { CircuitReport } from "../../node/circuit/build.ts";
import type { Spec } from "../../node/circuit/compile.ts";
import { Library } from "../../node/circuit/library.ts";
import { prepareWitness } from "../../node/circuit/witness.ts";
import { failingRow } from "../../node/circuit/check.ts";
import { evaluate } from "../../node/model/evaluate.ts";
import type { ColdBuild } from "../support/netsBuild.ts";
import { cifarCnn, lenet5, mlp784, randomInput, tinyNets } from "../support/nets.ts";

const FILE = new URL("../vectors/constraints.json", import.meta.url);
const UPDATE = process.env["UPDATE_SNAPSHOTS"] === "1";

const SPECS: readonly Spec[] = [
  { template: "Absorb", params: [] },
  { template: "AtMost", params: [7, 96] },
  { template: "Bits", params: [8, 128] },
  { template: "Bits", params: [20, 2 ** 19] },
  { template: "Horner", params: [] },
  { template: "Max2", params: [16] },
  { template: "MaxIndex", params: [16] },
  { template: "Rescale", params: [20, 9, 7, 0, 1] },
  { template: "Rescale", params: [20, 9, 8, -128, 1] },
  { template: "Rescale", params: [17, 9, 7, 0, 1] },
  { template: "Rescale", params: [17, 9, 7, 0, 0] },
  { template: "Rescale", params: [16, 9, 7, 0, 0] },
];

interface Network {
  readonly network: number;
  readonly claim: number;
  readonly wires: number;
  readonly domain: number;
  readonly sha256: string | undefined;
}

interface Snapshot {
  readonly gadgets: Readonly<Record<string, { readonly rows: number; readonly terms: readonly number[] }>>;
  readonly networks: Readonly<Record<string, Network>>;
}

function networkOf({ constraints, claimConstraints, wires, domain, sha256 }: CircuitReport): Network {
  return { network: constraints - claimConstraints, claim: claimConstraints, wires, domain, sha256 };
}

/** Builds in a new process. */
function coldBuild(name: string, file: string): ColdBuild {
  const script = path.join(import.meta.dirname, "../support/netsBuild.ts");
  return JSON.parse(
    execFileSync(process.execPath, ["--no-warnings", script, name, file], { encoding: "utf8" }),
  ) as ColdBuild;
}

describe("constraint snapshots", function () {
  this.timeout(120_000);
  let folder = "";
  let found: Snapshot;

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-constraints-"));
    const library = new Library();
    await library.load(SPECS);
    const gadgets = SPECS.map((spec) => {
      const { name, rows } = library.get(spec);
      const terms = [0, 1, 2].map((k) => rows.reduce((sum, row) => sum + row[k]!.wires.length, 0));
      return [name, { rows: rows.length, terms }] as const;
    });
    const networks: Record<string, Network> = {};
    const nets = [["mlp784", mlp784()], ["lenet5", lenet5()], ...tinyNets(1).map(({ name, graph }) => [name, graph] as const)] as const; // prettier-ignore
    for (const [name, graph] of nets) {
      networks[name] = networkOf(
        await buildCircuit(graph, { file: path.join(folder, `${name.replace(/\W/g, "-")}.r1cs`) }),
      );
    }
    networks["cifarCnn"] = networkOf(await buildCircuit(cifarCnn()));
    found = JSON.parse(JSON.stringify({ gadgets: Object.fromEntries(gadgets), networks })) as Snapshot;
    if (UPDATE) fs.writeFileSync(FILE, `${JSON.stringify(found, null, 2)}\n`);
  });
  after(() => fs.rmSync(folder, { recursive: true }));

  it("gadgets and networks cost what they did, and their files have the same bytes", () => {
    expect(found).to.deep.equal(JSON.parse(fs.readFileSync(FILE, "utf8")));
  });

  it("784-128-10 takes at most 10,700 rows and LeNet-5 at most 162,500, beside the claim", () => {
    expect(found.networks["mlp784"]?.network).to.be.at.most(10_700);
    expect(found.networks["lenet5"]?.network).to.be.at.most(162_500);
    for (const name of ["mlp784", "lenet5"]) expect(found.networks[name]?.claim).to.be.at.most(1_500);
  });

  it("LeNet-5's .r1cs is written within a second by a new process, the same as by this one", () => {
    const builds: ColdBuild[] = []; // the best of up to five, for the machine may be busy with other tests
    do builds.push(coldBuild("lenet5", path.join(folder, "cold.r1cs")));
    while (builds.length < 5 && builds.at(-1)!.ms > 1000);
    expect(Math.min(...builds.map(({ ms }) => ms))).to.be.at.most(1000);
    expect(builds[0]?.sha256).to.equal(found.networks["lenet5"]?.sha256);
  });

  it("LeNet-5's witness takes less than 0.1 s once warm, and satisfies its rows", async () => {
    const graph = lenet5();
    const make = await prepareWitness(graph);
    const times = Array.from({ length: 9 }, (_, seed) => {
      const tensors = evaluate(graph, randomInput(graph, seed));
      const start = performance.now();
      make(tensors, 5n);
      return performance.now() - start;
    });
    expect(Math.min(...times.slice(3))).to.be.at.most(100);
    const bytes = fs.readFileSync(path.join(folder, "lenet5.r1cs"));
    expect(failingRow(bytes, make(evaluate(graph, randomInput(graph, 1)), 3n))).to.equal(undefined);
  });

  it("a CIFAR-size CNN builds within 10 s and 1 GB, and its witness satisfies its 1.3 million rows", async () => {
    const file = path.join(folder, "cifar.r1cs");
    const { ms, megabytes } = coldBuild("cifarCnn", file);
    expect(ms).to.be.at.most(10_000);
    expect(megabytes).to.be.at.most(1024);
    const graph = cifarCnn();
    const make = await prepareWitness(graph);
    expect(failingRow(fs.readFileSync(file), make(evaluate(graph, randomInput(graph, 1)), 3n))).to.equal(undefined);
  });
});
