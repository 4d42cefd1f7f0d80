// Whole circuits, the claim with them: inputs and challenge leave nothing to choose. With the witness that satisfies the
// rows and is the claim of the evaluator's output (here too), no proof of another output exists, whoever makes it.
import { expect } from "chai";
import fs from "node:fs";
import { buildCircuit } from "../../node/circuit/build.ts";
import { failingRow } from "../../node/circuit/check.ts";
import { claimOf } from "../../node/circuit/claim.ts";
import type { Row } from "../../node/circuit/lc.ts";
import { LIBRARY } from "../../node/circuit/library.ts";
import { Circuit } from "../../node/circuit/linker.ts";
import type { Trace } from "../../node/circuit/linker.ts";
import { planOf } from "../../node/circuit/plan.ts";
import { readR1cs, readWtns, rowsOf } from "../../node/circuit/r1cs.ts";
import { PUBLIC } from "../../node/circuit/sheet.ts";
import { layAll, loadGadgets, prepareWitness } from "../../node/circuit/witness.ts";
import { reduce } from "../../node/core/field.ts";
import { encodeTensors, type IntType } from "../../node/core/tensor.ts";
import { evaluate, outputsOf } from "../../node/model/evaluate.ts";
import { bordersOf } from "../../node/model/ir.ts";
import type { Graph } from "../../node/model/ir.ts";
import { randomGraph } from "../node/model/random-graph.ts";
import { workFolder } from "../support/keys.ts";
import { NetBuilder, randomInput, randomOf, tinyNets } from "../support/nets.ts";
import { determined } from "../support/r1csDetermined.ts";
import type { Decided, Determined } from "../support/r1csDetermined.ts";

const TYPES: readonly IntType[] = ([8, 16, 32] as const).flatMap((bits) =>
  [true, false].map((signed) => ({ bits, signed })),
);
const CHALLENGE = 0x1234_5678_9abc_def0_1234_5678_9abc_def0n;

/** Input and output alone, so that words end where they like: within an integer too. */
function borders(): (readonly [string, Graph])[] {
  return TYPES.flatMap((type) =>
    [1, 8, 15, 31, 32].map((count) => {
      const net = new NetBuilder(1, [1, count], type);
      return [`${count} integers of ${type.bits} bits, ${type.signed ? "" : "un"}signed`, net.graph(type)] as const;
    }),
  );
}

function random(): (readonly [string, Graph])[] {
  return Array.from({ length: 24 }, (_, seed) => {
    const type = TYPES[seed % TYPES.length] as IntType;
    const options = { type, steps: 2 + (seed % 7), weight: type.bits === 32 ? 9 : 127 };
    return [`random graph ${seed}`, randomGraph(randomOf(100 + seed), options)] as const;
  });
}

describe("circuits as a whole", function () {
  this.timeout(120_000);
  const folder = workFolder();
  after(() => folder.remove());

  /** What follows from the inputs' wires and r in these rows, the circuit's but for `left`. */
  async function followsIn(graph: Graph, rows: readonly Row[], wires: number, left = Infinity): Promise<Determined> {
    const plan = planOf(graph);
    await loadGadgets(plan, LIBRARY);
    const given: number[] = [PUBLIC.r];
    const decided: Decided[] = [];
    const trace = (stamp: Trace): void => {
      if (stamp.gadget === undefined && stamp.rows === 0) given.push(stamp.firstWire);
      const whole = left < stamp.firstRow || left >= stamp.firstRow + stamp.rows;
      const firstRow = stamp.firstRow - (left < stamp.firstRow ? 1 : 0);
      if (whole && /^(Steps|OneHot|Div|Sqrt)\(/.test(stamp.gadget?.name ?? "")) decided.push({ ...stamp, firstRow });
    };
    layAll(plan, new Circuit({ library: LIBRARY, trace }));
    return determined(rows, wires, given, decided);
  }
  async function built(graph: Graph): Promise<Buffer> {
    await buildCircuit(graph, { file: folder.at("c.r1cs") });
    return fs.readFileSync(folder.at("c.r1cs"));
  }

  const nets = tinyNets(5).map(({ name, graph }) => [name, graph] as const);
  for (const [title, graphs] of [
    ["borders", borders()],
    ["nets of every op", nets],
    ["random graphs", random()],
  ] as const) {
    it(`leave the prover no choice: ${title}`, async () => {
      for (const [name, graph] of graphs) {
        const bytes = await built(graph);
        const r1cs = readR1cs(bytes);
        expect((await followsIn(graph, [...rowsOf(r1cs)], r1cs.wires)).open, name).to.deep.equal([]);
        const input = randomInput(graph, 7);
        const tensors = evaluate(graph, input);
        const wtns = (await prepareWitness(graph))(tensors, CHALLENGE);
        expect(failingRow(bytes, wtns), name).to.equal(undefined);
        const { inputs, outputs } = bordersOf(graph);
        const output = encodeTensors(outputs, outputsOf(graph, tensors));
        const own = claimOf(encodeTensors(inputs, input), output, CHALLENGE);
        const [c, v] = [PUBLIC.c, PUBLIC.v].map((wire) => reduce(BigInt(readWtns(wtns)[wire] ?? -1)));
        expect({ c, v }, name).to.deep.equal(own);
      }
    });
  }

  it("would leave one, were any single row missing", async () => {
    for (const [name, graph] of [...nets.slice(0, 3), ...nets.slice(-3)]) {
      const r1cs = readR1cs(await built(graph));
      const rows = [...rowsOf(r1cs)];
      for (let left = 0; left < rows.length; left += Math.ceil(rows.length / 25)) {
        const { open } = await followsIn(graph, rows.toSpliced(left, 1), r1cs.wires, left);
        expect(open, `${name}, row ${left}`).not.to.deep.equal([]);
      }
    }
  });
});
