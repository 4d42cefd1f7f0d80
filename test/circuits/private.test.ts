// The claim of a private input as a circuit: what a dishonest prover may try with the salt, with another input under the same
// commitment, with another output, and with the claim of a public input. determined.test.ts shows that no other witness
// exists; here are the lies that somebody would think of, and a real proof of the claim.
import { expect } from "chai";
import fs from "node:fs";
import { buildCircuit } from "../../node/circuit/build.ts";
import { failingRow } from "../../node/circuit/check.ts";
import { claimOf } from "../../node/circuit/claim.ts";
import { Library } from "../../node/circuit/library.ts";
import { planOf } from "../../node/circuit/plan.ts";
import { readWtns } from "../../node/circuit/r1cs.ts";
import { PUBLIC } from "../../node/circuit/sheet.ts";
import { explainRow } from "../../node/circuit/symbols.ts";
import { fill, prepare, prepareWitness } from "../../node/circuit/witness.ts";
import type { Prepared } from "../../node/circuit/witness.ts";
import { newSalt } from "../../node/core/commitment.ts";
import { putField, R, reduce } from "../../node/core/field.ts";
import { encodeTensors } from "../../node/core/tensor.ts";
import { evaluate, outputsOf } from "../../node/model/evaluate.ts";
import { bordersOf } from "../../node/model/ir.ts";
import type { Graph } from "../../node/model/ir.ts";
import { openProver } from "../../node/proof/prover.ts";
import { makeDevelopmentKey } from "../../node/proof/setup.ts";
import { verifyProof } from "../../node/proof/verify.ts";
import { refusalOf, workFolder } from "../support/keys.ts";
import { randomInput, tinyNets } from "../support/nets.ts";

const CHALLENGE = 98765432109876543210n;
const SALT = R - 1_000_000_007n;

interface Bytes {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
}

function bytesOf(graph: Graph, tensors: readonly Float64Array[], input: Float64Array): Bytes {
  const { inputs, outputs } = bordersOf(graph);
  return { input: encodeTensors(inputs, input), output: encodeTensors(outputs, outputsOf(graph, tensors)) };
}

function signalsIn(wtns: Uint8Array): { readonly c: bigint; readonly v: bigint; readonly r: bigint } {
  const values = readWtns(wtns);
  const at = (wire: number): bigint => reduce(BigInt(values[wire] ?? -1));
  return { c: at(PUBLIC.c), v: at(PUBLIC.v), r: at(PUBLIC.r) };
}

/** The witness with another value on one wire. */
function changed(wtns: Uint8Array, wire: number, value: bigint): Uint8Array {
  const words = new Uint32Array(8);
  putField(words, 0, value);
  const copy = Uint8Array.from(wtns);
  copy.set(new Uint8Array(words.buffer), 76 + 32 * wire);
  return copy;
}

describe("the claim of a private input", function () {
  this.timeout(60_000);
  const folder = workFolder();
  after(() => folder.remove());

  const nets = tinyNets(6).filter(({ name }) => /uint8|argmax|two inputs/.test(name));
  for (const { name, graph } of nets) {
    describe(name, () => {
      let rows: Buffer;
      let prepared: Prepared;
      const input = randomInput(graph, 1);
      const tensors = evaluate(graph, input);
      const bytes = bytesOf(graph, tensors, input);
      const lieAt = async (wtns: Uint8Array): Promise<string> => {
        const row = failingRow(rows, wtns);
        expect(row, "a lie passes").to.be.a("number");
        return (await explainRow(graph, row ?? -1, "private-input")).layer;
      };
      before(async () => {
        await buildCircuit(graph, { claim: "private-input", file: folder.at("c.r1cs") });
        rows = fs.readFileSync(folder.at("c.r1cs"));
        prepared = await prepare(planOf(graph, "private-input"), new Library());
      });

      it("is what the claim in the open says, for any salt, and c shows neither output nor input", () => {
        for (const salt of [0n, 1n, R - 1n, newSalt(), newSalt()]) {
          for (const r of [0n, 1n, R - 1n, CHALLENGE]) {
            const wtns = fill(prepared, tensors, r, salt);
            expect(failingRow(rows, wtns)).to.equal(undefined);
            expect(signalsIn(wtns)).to.deep.equal({ ...claimOf(bytes.input, bytes.output, r, salt), r });
          }
        }
        const found = [SALT, SALT + 1n].map((salt) => signalsIn(fill(prepared, tensors, CHALLENGE, salt)));
        expect(found[0]?.v, "v does not depend on the salt").to.equal(found[1]?.v);
        expect(found[0]?.c, "c does").to.not.equal(found[1]?.c);
      });

      it("refuses the commitment of the request for another salt, another input, or a wire beside", async () => {
        const wtns = fill(prepared, tensors, CHALLENGE, SALT);
        const { c } = signalsIn(wtns);
        // everything coherent, but c is the request's
        expect(await lieAt(changed(fill(prepared, tensors, CHALLENGE, SALT + 1n), PUBLIC.c, c))).to.equal("c");
        const other = evaluate(graph, randomInput(graph, 2));
        const told = fill(prepared, other, CHALLENGE, SALT);
        expect(failingRow(rows, told)).to.equal(undefined);
        expect(signalsIn(told).c).to.not.equal(c);
        expect(await lieAt(changed(told, PUBLIC.c, c))).to.equal("c");
        // the salt alone, what follows from it left
        const salt = readWtns(wtns).findIndex((value) => reduce(BigInt(value)) === SALT);
        expect(salt).to.be.greaterThan(PUBLIC.r);
        expect(await lieAt(changed(wtns, salt, SALT + 1n))).to.equal("claim_absorb");
      });

      it("refuses the v of another output, of the words of a public claim, and of no words", async () => {
        const wtns = fill(prepared, tensors, CHALLENGE, SALT);
        const other = bytes.output.slice();
        other[other.length - 1] = (other.at(-1) as number) ^ 1;
        const lies = [
          claimOf(bytes.input, other, CHALLENGE, SALT).v,
          claimOf(bytes.input, bytes.output, CHALLENGE).v,
          claimOf(bytes.input, new Uint8Array(), CHALLENGE).v,
          0n,
        ];
        for (const v of lies) expect(await lieAt(changed(wtns, PUBLIC.v, v))).to.equal("v");
      });

      it("refuses an output that the input does not give, told coherently to the end", async () => {
        const last = graph.outputs[0]?.ref ?? -1;
        const told = tensors.map((tensor, ref) =>
          ref === last ? tensor.map((x, i) => (i > 0 ? x : x === 0 ? 1 : 0)) : tensor,
        );
        try {
          expect(failingRow(rows, fill(prepared, told, CHALLENGE, SALT))).to.be.a("number");
        } catch (thrown) {
          expect((thrown as Error).message).to.match(/has no witness/); // the lie leaves a range: not even a dishonest one
        }
      });

      it("refuses the witness of a public claim, and makes none without a salt", async () => {
        const [make, hidden] = [await prepareWitness(graph), await prepareWitness(graph, "private-input")];
        const open = make(tensors, CHALLENGE);
        // one word of input less to sum is one wire less, a salt one more: the lists may be of one length
        if (open.length === fill(prepared, tensors, CHALLENGE, SALT).length) {
          expect(await lieAt(open)).to.match(/^claim_/);
        } else {
          expect((await refusalOf(() => failingRow(rows, open))).message).to.match(/values for \d+ wires/);
        }
        for (const act of [
          () => hidden(tensors, CHALLENGE),
          () => make(tensors, CHALLENGE, SALT),
          () => hidden(tensors, CHALLENGE, R),
          () => hidden(tensors, CHALLENGE, -1n),
        ]) {
          const refusal = await refusalOf(act);
          expect(refusal.code).to.equal("input");
          expect(refusal.message).to.match(/salt/).and.not.include(String(SALT));
        }
      });
    });
  }

  it("is proved: for its own signals and no others, twice in other bytes", async () => {
    const { graph } = nets[0] ?? expect.fail("no nets");
    const [r1cs, zkey] = [folder.at("real.r1cs"), folder.at("real.zkey")];
    await buildCircuit(graph, { claim: "private-input", file: r1cs });
    const { vkey } = await makeDevelopmentKey({ r1cs, zkey });
    const input = randomInput(graph, 4);
    const tensors = evaluate(graph, input);
    const bytes = bytesOf(graph, tensors, input);
    const salt = newSalt();
    const wtns = (await prepareWitness(graph, "private-input"))(tensors, CHALLENGE, salt);
    const prover = await openProver({});
    try {
      const [one, two] = [await prover.prove({ zkey, wtns }), await prover.prove({ zkey, wtns })];
      const signals = { ...claimOf(bytes.input, bytes.output, CHALLENGE, salt), r: CHALLENGE };
      expect(one.signals).to.deep.equal(signals);
      expect(await verifyProof(vkey, signals, one.proof)).to.equal(true);
      // zero knowledge: the randomness of a proof is fresh, so that equal inputs do not show by equal proofs
      expect(one.proof).to.not.deep.equal(two.proof);
      const open = claimOf(bytes.input, bytes.output, CHALLENGE);
      for (const other of [{ c: open.c }, { v: open.v }, { c: claimOf(bytes.input, bytes.output, 0n, salt + 1n).c }]) {
        expect(await verifyProof(vkey, { ...signals, ...other }, one.proof)).to.equal(false);
      }
    } finally {
      await prover.close();
    }
  });
});
