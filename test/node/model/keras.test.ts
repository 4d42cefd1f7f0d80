// Nets as Keras and tf2onnx write them (scripts/train/fixtures_keras.py): images last channel first, layers unrolled, attention
// in many small pieces. The float graph against onnxruntime on the same file, and the integer graph against the float graph.
import { expect } from "chai";
import { agreeFile, quantizedFile } from "../../support/onnxAgree.ts";

/** The most that an output may be off, in units of the largest one. */
const LOSS = { cnn: 0.03, recurrent: 0.02, attention: 0.06 } as const;
const TOKENS = 12;

describe("nets as Keras exports them", () => {
  for (const [name, most] of Object.entries(LOSS)) {
    const file = `test/vectors/onnx/keras-${name}.onnx`;

    it(`${name} agrees with onnxruntime`, async () => {
      await agreeFile(file, TOKENS);
    });

    it(`${name} loses at most ${100 * most} % of the largest output to integers`, async () => {
      const { errors } = await quantizedFile(file, TOKENS);
      expect(Math.max(...errors)).to.be.within(1e-6, most);
    }).timeout(30_000);
  }
});
