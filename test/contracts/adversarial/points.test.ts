// Points that are none: off the curve, outside of the group, at infinity, with halves exchanged. A precompile that fails takes
// all the gas it is given; it must neither let one in nor stop what stands beside it.
import { expect } from "chai";
import { Q } from "../../../node/core/field.ts";
import { send, withWord, type Answer } from "../../support/contracts.ts";
import { batchArgs, repelled } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { g2OutsideSubgroup } from "../../support/trapdoor.ts";

const put = (words: readonly bigint[], at: number, ...point: bigint[]): bigint[] =>
  words.map((word, i) => point[i - at] ?? word);
const ATTACKS: Readonly<Record<string, (words: readonly bigint[]) => readonly bigint[]>> = {
  "A off the curve": (words) => withWord(words, 0, (x) => (x + 1n) % Q),
  "B off the curve": (words) => withWord(words, 2, (x) => (x + 1n) % Q),
  "C off the curve": (words) => withWord(words, 7, (y) => (y + 1n) % Q),
  "A on the cusp y^2 = x^3, where logarithms are easy": (words) => put(words, 0, 1n, 1n),
  "B on the twist but outside of its subgroup": (words) => put(words, 2, ...g2OutsideSubgroup()),
  "B with the halves of its coordinates exchanged": (words) =>
    put(words, 2, words[3] ?? 0n, words[2] ?? 0n, words[5] ?? 0n, words[4] ?? 0n),
  "A at infinity": (words) => put(words, 0, 0n, 0n),
  "B at infinity": (words) => put(words, 2, 0n, 0n, 0n, 0n),
  "C at infinity": (words) => put(words, 6, 0n, 0n),
  "A and B at infinity": (words) => put(words, 0, 0n, 0n, 0n, 0n, 0n, 0n),
  "all three at infinity": (words) => words.map(() => 0n),
  "A and C exchanged": (words) => put(put(words, 0, words[6] ?? 0n, words[7] ?? 0n), 6, words[0] ?? 0n, words[1] ?? 0n),
};

describe("A proof with", () => {
  const m = market();

  for (const [name, spoil] of Object.entries(ATTACKS)) {
    it(`${name} is refused, and stops no proof beside it`, async () => {
      const [bad, good] = [m.s.answer(await m.s.request()), m.s.answer(await m.s.request())];
      const spoilt: Answer = { ...bad, words: spoil(bad.words) };
      await repelled(m, spoilt);
      const args = batchArgs(m, [spoilt, good]);
      const sent = send(m.s.coordinator, "fulfilBatch", args, { from: m.s.signers.prover, gasLimit: 3_000_000n });
      await expect(sent).to.emit(m.s.coordinator, "ItemSkipped").withArgs(bad.id, "0x09bde339");
      await expect(sent).to.emit(m.s.coordinator, "Fulfilled");
      await m.s.fulfil(bad);
    });
  }
});
