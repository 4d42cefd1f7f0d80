// One ladder of agreement, from the integer graph up: what each rung computes must be what the rung below did, bit for bit.
import { expect } from "chai";
import { prepareWitness } from "../../node/circuit/witness.ts";
import { checkWitness } from "../../node/circuit/check.ts";
import { bindingOf, claimOf } from "../../node/circuit/claim.ts";
import { R } from "../../node/core/field.ts";
import { encodeTensors } from "../../node/core/tensor.ts";
import { evaluate, outputsOf } from "../../node/model/evaluate.ts";
import { openRunner } from "../../node/model/run.ts";
import type { OpenModel } from "../../node/app/model.ts";
import type { Prover } from "../../node/proof/prover.ts";
import { verifyProof } from "../../node/proof/verify.ts";

export type Rung = "onnx" | "witness" | "proof";

export interface AgreeOptions {
  readonly upTo: Rung;
  /** For "proof". */
  readonly prover?: Prover;
}

/** Evaluates `inputs` (integers of the inputs' types, one tensor after the other) on every rung up to `upTo` and compares. */
export async function agree(model: OpenModel, inputs: readonly Float64Array[], options: AgreeOptions): Promise<void> {
  const runner = await openRunner(model.onnx, model.graph);
  const make = options.upTo === "onnx" ? undefined : await prepareWitness(model.graph);
  try {
    for (const [i, input] of inputs.entries()) {
      const tensors = evaluate(model.graph, input);
      const ran = await runner.run(input);
      tensors.forEach((tensor, ref) => {
        const at = tensor.findIndex((value, k) => value !== ran[ref]?.[k]);
        if (at >= 0) expect(ran[ref]?.[at], `input ${i}, node ${ref}, element ${at}`).to.equal(tensor[at]);
      });
      if (make === undefined) continue;
      const bytes = encodeTensors(model.inputs, input);
      const output = encodeTensors(model.outputs, outputsOf(model.graph, tensors));
      const r = (bindingOf(bytes, output) * 7n + BigInt(i)) % R;
      await checkWitness(model.package.path("circuit"), make(ran, r), model.graph);
      if (options.upTo !== "proof" || options.prover === undefined) continue;
      const answer = await model.prove(options.prover, bytes, () => r);
      const { vkey } = model.package;
      if (vkey === undefined) throw new Error("the package has no key");
      expect(answer.output, `output of input ${i}`).to.deep.equal(output);
      expect(answer.signals).to.deep.equal({ ...claimOf(bytes, output, r), r });
      expect(await verifyProof(vkey, answer.signals, answer.proof)).to.equal(true);
      const other = { ...answer.signals, ...claimOf(bytes, flipped(output), r) };
      expect(await verifyProof(vkey, other, answer.proof), "one bit of the output off").to.equal(false);
    }
  } finally {
    await runner.close();
  }
}

function flipped(bytes: Uint8Array): Uint8Array {
  const other = bytes.slice();
  other[other.length - 1] = (other.at(-1) as number) ^ 1;
  return other;
}
