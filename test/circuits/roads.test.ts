// Two roads to one circuit: the linker's .r1cs, and circom's own from the exported program of the same model. Equal in normal
// form: the same linear relations and the same products between the wires that the linker has.
import { expect } from "chai";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { buildCircuit } from "../../node/circuit/build.ts";
import { exportCircom } from "../../node/circuit/circom.ts";
import { compile } from "../../node/circuit/compile.ts";
import type { ClaimForm } from "../../node/core/domain.ts";
import type { Graph } from "../../node/model/ir.ts";
import { readR1cs, rowsOf, symbolsOf } from "../../node/circuit/r1cs.ts";
import type { Row } from "../../node/circuit/lc.ts";
import { normalForm } from "../support/r1csNormal.ts";
import type { NormalForm } from "../support/r1csNormal.ts";
import { NetBuilder, tinyNets, UINT8 } from "../support/nets.ts";

function namesOf(sym: string): Map<number, string> {
  return new Map([...symbolsOf(sym)].map(({ wire, name }) => [wire, name]));
}

function normal(rows: readonly Row[], names: ReadonlyMap<number, string>, kept: ReadonlySet<string>): NormalForm {
  return normalForm(rows, (wire) => names.get(wire) as string, kept);
}

describe("two roads to one circuit", function () {
  this.timeout(60_000);
  let folder = "";
  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-roads-"))));
  after(() => fs.rmSync(folder, { recursive: true }));

  const nets = tinyNets(11);
  const cases: readonly (readonly [name: string, graph: Graph, claim: ClaimForm])[] = [
    ...nets.map(({ name, graph }) => [name, graph, "public"] as const),
    // the claim alone differs: over one input, over several, and over as many words as one block takes, and one more
    ...nets.filter(({ name }) => /argmax|two inputs/.test(name)).map(({ name, graph }) => [name, graph, "private-input"] as const), // prettier-ignore
    ...[434, 435].map((count) => [`${count} bytes`, new NetBuilder(1, [1, count], UINT8).graph(UINT8), "private-input"] as const), // prettier-ignore
  ];
  for (const [name, graph, claim] of cases) {
    it(`the linker and circom say the same of: ${name}, ${claim}`, async () => {
      const [file, symFile] = [path.join(folder, "net.r1cs"), path.join(folder, "net.sym")];
      await buildCircuit(graph, { claim, file, symFile });
      const linkedNames = namesOf(fs.readFileSync(symFile, "utf8"));
      const linkedRows = [...rowsOf(readR1cs(fs.readFileSync(file)))];
      const kept = new Set(linkedNames.values());
      expect(kept.size, "every wire has a name of its own").to.equal(readR1cs(fs.readFileSync(file)).wires - 1);

      const program = await compile(exportCircom(graph, claim), { level: "--O0" });
      const written = namesOf(program.sym);
      const writtenRows = [...rowsOf(readR1cs(program.r1cs))];
      expect([...kept].filter((wire) => ![...written.values()].includes(wire))).to.deep.equal([]);

      const linked = normal(linkedRows, linkedNames, kept);
      const compiled = normal(writtenRows, written, kept);
      expect(linked.foreign).to.deep.equal([]);
      expect(compiled.foreign).to.deep.equal([]);
      expect(linked.products.length).to.be.greaterThan(600);
      expect(compiled.linear).to.deep.equal(linked.linear);
      expect(compiled.products).to.deep.equal(linked.products);

      expect(kept.has("main.claim_salt")).to.equal(claim === "private-input");
      if (name !== "argmax") return;
      // the nearest reject: one factor of a linear row, one of a boolean's product
      for (const [row, at] of [
        [linkedRows.length - 1, 2],
        [40, 0],
      ] as const) {
        const bent = linkedRows.map((lcs, i) => {
          if (i !== row) return lcs;
          return lcs.map((lc, k) =>
            k === at ? { ...lc, factors: [7, ...lc.factors.slice(1)] } : lc,
          ) as unknown as Row;
        });
        const { linear, products } = normal(bent, linkedNames, kept);
        expect({ linear, products }).to.not.deep.equal({ linear: linked.linear, products: linked.products });
      }
    });
  }
});
