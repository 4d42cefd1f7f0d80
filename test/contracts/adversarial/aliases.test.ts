// One number, two spellings: the precompiles reduce what they are given, so x and x + R would be one signal, x and x + Q one
// coordinate, if the contract let both in.
import { expect } from "chai";
import { Q, R } from "../../../node/core/field.ts";
import { C, view, withWord, type Answer } from "../../support/contracts.ts";
import { repelled } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { TRAPDOOR, proofWords, prove } from "../../support/trapdoor.ts";

const COORDINATES = ["A.x", "A.y", "B.x imaginary", "B.x real", "B.y imaginary", "B.y real", "C.x", "C.y"];

describe("Another spelling of a number", () => {
  const m = market();
  let answer: Answer;
  beforeEach(async () => {
    answer = m.s.answer(await m.s.request());
  });

  it("of c, R above, with the proof of c: refused", () =>
    repelled(m, { ...answer, c: C + R }, "SignalOutOfField", 0, C + R));

  it("of c, R above, with a proof made for that spelling: refused", async () => {
    const made = m.s.answer(answer, { c: C + R });
    await repelled(m, made, "SignalOutOfField", 0, C + R);
  });

  it("of c, as far above as 256 bits go: refused", async () => {
    for (let alias = C + R; alias < 2n ** 256n; alias += R)
      await repelled(m, { ...answer, c: alias }, "SignalOutOfField");
    await repelled(m, { ...answer, c: 2n ** 256n - 1n }, "SignalOutOfField");
  });

  for (const [at, name] of COORDINATES.entries()) {
    it(`of ${name}, Q above: refused`, async () => {
      const words = withWord(answer.words, at, (word) => word + Q);
      await repelled(m, { ...answer, words }, "CoordinateOutOfField", at, words[at]);
    });
  }

  for (const [at, name] of ["c", "v", "r"].entries()) {
    it(`of the signal ${name}, R above, brought to the verifier itself: refused`, async () => {
      const { key } = (await view(m.s.registry, "headOf", [m.s.model])) as { key: string };
      const words = proofWords(prove(TRAPDOOR, { c: 1n, v: 2n, r: 3n }));
      await view(m.s.verifier, "verify", [key, words, [1n, 2n, 3n]]);
      const alias = withWord([1n, 2n, 3n], at, (signal) => signal + R);
      await expect(view(m.s.verifier, "verify", [key, words, alias])).to.be.revertedWithCustomError(
        m.s.verifier,
        "SignalOutOfField",
      );
    });
  }
});
