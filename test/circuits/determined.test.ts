// Whole circuits, the claim with them: inputs and challenge (and salt, where the input is private) leave nothing to choose.
// With the witness that satisfies the rows and is the claim of the evaluator's output (here too), no proof of another output
// exists, whoever makes it. That a private claim's c leaves no other salt and input is not of this kind: it rests on Poseidon.
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
import type { ClaimForm } from "../../node/core/domain.ts";
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
const SALT = CHALLENGE ** 2n - 5n;

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

  interface Follows {
    readonly claim?: ClaimForm;
    /** A row left out. */
    readonly left?: number;
    /** The salt is not given. */
    readonly saltless?: true;
  }
  /** What follows from the free wires (those of the inputs, and the salt) and r in these rows, the circuit's but for `left`. */
  async function followsIn(
    graph: Graph,
    rows: readonly Row[],
    wires: number,
    { claim = "public", left = Infinity, saltless }: Follows = {},
  ): Promise<Determined> {
    const plan = planOf(graph, claim);
    await loadGadgets(plan, LIBRARY);
    const given: number[] = [PUBLIC.r];
    const decided: Decided[] = [];
    const trace = (stamp: Trace): void => {
      const free = stamp.gadget === undefined && stamp.rows === 0;
      if (free && !(saltless && stamp.place.symbol === "claim_salt")) given.push(stamp.firstWire);
      const whole = left < stamp.firstRow || left >= stamp.firstRow + stamp.rows;
      const firstRow = stamp.firstRow - (left < stamp.firstRow ? 1 : 0);
      if (whole && /^(Steps|OneHot|Div|Sqrt)\(/.test(stamp.gadget?.name ?? "")) decided.push({ ...stamp, firstRow });
    };
    layAll(plan, new Circuit({ library: LIBRARY, trace }));
    return determined(rows, wires, given, decided);
  }
  async function built(graph: Graph, claim: ClaimForm = "public"): Promise<Buffer> {
    await buildCircuit(graph, { claim, file: folder.at("c.r1cs") });
    return fs.readFileSync(folder.at("c.r1cs"));
  }

  const nets = tinyNets(5).map(({ name, graph }) => [name, graph] as const);
  for (const [title, graphs, claim] of [
    ["borders", borders(), "public"],
    ["borders, the input private", borders(), "private-input"],
    ["nets of every op", nets, "public"],
    ["nets of every op, the input private", nets, "private-input"],
    ["random graphs", random(), "public"],
  ] as const) {
    it(`leave the prover no choice: ${title}`, async () => {
      const salt = claim === "public" ? [] : [SALT];
      for (const [name, graph] of graphs) {
        const bytes = await built(graph, claim);
        const r1cs = readR1cs(bytes);
        expect((await followsIn(graph, [...rowsOf(r1cs)], r1cs.wires, { claim })).open, name).to.deep.equal([]);
        const input = randomInput(graph, 7);
        const tensors = evaluate(graph, input);
        const wtns = (await prepareWitness(graph, claim))(tensors, CHALLENGE, ...salt);
        expect(failingRow(bytes, wtns), name).to.equal(undefined);
        const { inputs, outputs } = bordersOf(graph);
        const output = encodeTensors(outputs, outputsOf(graph, tensors));
        const own = claimOf(encodeTensors(inputs, input), output, CHALLENGE, ...salt);
        const [c, v] = [PUBLIC.c, PUBLIC.v].map((wire) => reduce(BigInt(readWtns(wtns)[wire] ?? -1)));
        expect({ c, v }, name).to.deep.equal(own);
      }
    });
  }

  it("let a salt that is not given touch what is absorbed and c, and nothing of the model, its words or v", async () => {
    for (const [name, graph] of nets) {
      const r1cs = readR1cs(await built(graph, "private-input"));
      const touched = new Set<number>([PUBLIC.c]);
      const trace = ({ place: { symbol }, firstWire, wires }: Trace): void => {
        if (!["claim_salt", "claim_absorb"].includes(symbol)) return;
        for (let k = 0; k < wires; k++) touched.add(firstWire + k);
      };
      layAll(planOf(graph, "private-input"), new Circuit({ library: LIBRARY, trace }));
      const { open } = await followsIn(graph, [...rowsOf(r1cs)], r1cs.wires, {
        claim: "private-input",
        saltless: true,
      });
      expect(open.length, name).to.be.greaterThan(500);
      expect(open.filter((wire) => !touched.has(wire)), name).to.deep.equal([]); // prettier-ignore
      expect(open, name).to.include(PUBLIC.c);
    }
  });

  it("would leave one, were any single row missing", async () => {
    for (const [name, graph] of [...nets.slice(0, 3), ...nets.slice(-3)]) {
      for (const claim of ["public", "private-input"] as const) {
        const r1cs = readR1cs(await built(graph, claim));
        const rows = [...rowsOf(r1cs)];
        for (let left = 0; left < rows.length; left += Math.ceil(rows.length / 25)) {
          const { open } = await followsIn(graph, rows.toSpliced(left, 1), r1cs.wires, { claim, left });
          expect(open, `${name}, ${claim}, row ${left}`).not.to.deep.equal([]);
        }
      }
    }
  });
});
