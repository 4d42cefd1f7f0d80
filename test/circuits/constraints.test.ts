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
import { cifarCnn, lenet5, mlp784, randomInput, tinyNets } from "../support/nets.ts";

const FILE = new URL("../vectors/constraints.json", import.meta.url);
const UPDATE = process.env["UPDATE_SNAPSHOTS"] === "1";

const SPECS: readonly Spec[] = [
  { template: "Absorb", params: [] },
  { template: "AtLeast", params: [16] },
  { template: "AtMost", params: [7, 96] },
  { template: "Bits", params: [8, 128] },
  { template: "Bits", params: [20, 2 ** 19] },
  { template: "Div", params: [24, 0, 12] },
  { template: "Horner", params: [] },
  { template: "IsZero", params: [] },
  { template: "Max2", params: [16] },
  { template: "MaxIndex", params: [16] },
  { template: "Mul", params: [] },
  { template: "OneHot", params: [128] },
  { template: "Rescale", params: [20, 9, 7, 0, 1] },
  { template: "Rescale", params: [20, 9, 8, -128, 1] },
  { template: "Rescale", params: [17, 9, 7, 0, 1] },
  { template: "Rescale", params: [17, 9, 7, 0, 0] },
  { template: "Rescale", params: [16, 9, 7, 0, 0] },
  { template: "RescaleEven", params: [20, 9, 8, -128, 1] },
  { template: "RescaleEven", params: [16, 9, 7, 0, 0] },
  { template: "Select", params: [] },
  { template: "Sqrt", params: [16, 0, 17] },
  { template: "Steps", params: [13, 10, [-32768, -25000, -20000, -15000, -9000, -2000, 100, 8000, 14000, 20000, 26000, 32768]] }, // prettier-ignore
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

/** Builds in a new process; gives the digest of the .r1cs. */
function builtElsewhere(name: string, file: string): string {
  const script = path.join(import.meta.dirname, "../support/netsBuild.ts");
  return execFileSync(process.execPath, ["--no-warnings", script, name, file], { encoding: "utf8" });
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
    networks["mlp784, private input"] = networkOf(
      await buildCircuit(mlp784(), { claim: "private-input", file: path.join(folder, "private.r1cs") }),
    );
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

  it("LeNet-5's .r1cs is the same from a new process", () => {
    expect(builtElsewhere("lenet5", path.join(folder, "cold.r1cs"))).to.equal(found.networks["lenet5"]?.sha256);
  });

  for (const [name, net] of [
    ["LeNet-5", lenet5],
    ["a CIFAR-size CNN of 1.3 million rows", cifarCnn],
  ] as const) {
    it(`the witness of ${name} satisfies every row, and one wire beside it does not`, async () => {
      const graph = net();
      const file = path.join(folder, "whole.r1cs");
      await buildCircuit(graph, { file });
      const rows = fs.readFileSync(file);
      fs.rmSync(file);
      const make = await prepareWitness(graph);
      const wtns = make(evaluate(graph, randomInput(graph, 1)), 3n);
      expect(failingRow(rows, wtns)).to.equal(undefined);
      wtns[wtns.length - 32] = (wtns.at(-32) as number) ^ 1;
      expect(failingRow(rows, wtns)).to.not.equal(undefined);
    });
  }
});
