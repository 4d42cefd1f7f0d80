// A linked circuit and its witness under snarkjs' own prover and verifier, with the three public signals of the claim.
import { expect } from "chai";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import * as snarkjs from "snarkjs";
import { buildCircuit } from "../../node/circuit/build.ts";
import { claimOf } from "../../node/circuit/claim.ts";
import { prepareWitness } from "../../node/circuit/witness.ts";
import { encodeInts } from "../../node/core/tensor.ts";
import { makeDevelopmentKey } from "../../node/proof/setup.ts";
import { evaluate } from "../../node/model/evaluate.ts";
import { INT8, UINT8, randomInput, tinyNets } from "../support/nets.ts";

describe("snarkjs' Groth16 on a linked circuit", function () {
  this.timeout(120_000);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-groth16-"));
  const file = (name: string): string => path.join(folder, name);
  after(async () => {
    fs.rmSync(folder, { recursive: true });
    await (globalThis as { curve_bn128?: { terminate(): Promise<void> } }).curve_bn128?.terminate();
  });

  it("proves the claim, and no other", async () => {
    const { graph } = tinyNets(1).find(({ name }) => name === "argmax")!;
    const report = await buildCircuit(graph, { file: file("net.r1cs") });
    expect(report.domain).to.equal(1024);
    const made = await makeDevelopmentKey({ r1cs: file("net.r1cs"), zkey: file("net.zkey") });
    expect(made).to.include({ domain: report.domain, constraints: report.constraints });

    const tensors = evaluate(graph, randomInput(graph, 1));
    const [input, output] = [encodeInts(tensors[0]!, INT8), encodeInts(tensors[graph.outputs[0]!.ref]!, UINT8)];
    const r = 123456789n;
    const data = (await prepareWitness(graph))(tensors, r);
    const { proof, publicSignals } = await snarkjs.groth16.prove(file("net.zkey"), { type: "mem", data });
    const { c, v } = claimOf(input, output, r);
    expect(publicSignals).to.deep.equal([c, v, r].map(String));
    const key = await snarkjs.zKey.exportVerificationKey(file("net.zkey"));
    expect(await snarkjs.groth16.verify(key, publicSignals, proof)).to.equal(true);
    output[0]! ^= 1;
    const other = claimOf(input, output, r);
    for (const signals of [
      [c, other.v, r],
      [other.c, v, r],
      [c, v, r + 1n],
    ]) {
      expect(await snarkjs.groth16.verify(key, signals.map(String), proof)).to.equal(false);
    }
  });
});
