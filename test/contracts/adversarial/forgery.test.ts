// What a prover with an honest circuit may try: it gets proofs of (c, v, r) for the words W that it ran the model on, c and v
// computed from W in the circuit, r as it likes; and wants a false output accepted. The trapdoor plays the circuit here.
import { expect } from "chai";
import { hexlify } from "ethers";
import { R, inverse } from "../../../node/core/field.ts";
import { fingerprint, wordsOfBytes } from "../../../node/core/tensor.ts";
import { C, CHAIN_ID, INPUT, type Answer } from "../../support/contracts.ts";
import { repelled } from "../../support/attacks.ts";
import { claimFacts, type ClaimText } from "../../support/contractsClaim.ts";
import { market } from "../../support/contractsMarket.ts";
import { bytesOf } from "../../support/contractsVectors.ts";
import { TRAPDOOR, proofWords, prove } from "../../support/trapdoor.ts";

const SEED = "forgery";
const LENGTH = 62;
const TRUE_OUTPUT = bytesOf(`${SEED}.true`, LENGTH);
const toBytes = (words: readonly bigint[]): Uint8Array =>
  Uint8Array.from(Buffer.from(words.map((w) => w.toString(16).padStart(62, "0")).join(""), "hex"));

describe("A prover that wants a false output accepted", () => {
  const m = market();
  let open: Answer;
  beforeEach(async () => {
    const model = await m.s.another({ outputLength: LENGTH });
    open = m.s.answer(await m.s.request({ model }), { output: TRUE_OUTPUT });
  });
  const text = (over: Partial<ClaimText>): ClaimText => ({
    domain: "claim",
    chainId: CHAIN_ID,
    contract: m.s.coordinatorAddress,
    requestId: open.id,
    modelId: open.r.model,
    prover: open.prover,
    c: C,
    input: INPUT,
    output: TRUE_OUTPUT,
    ...over,
  });
  /** What the circuit proves for a given r: c and v of the words that the model was run on. */
  const proven = (r: bigint, c = C): bigint[] => {
    const v = fingerprint([...wordsOfBytes(INPUT), ...wordsOfBytes(TRUE_OUTPUT)], r, R);
    return proofWords(prove(TRAPDOOR, { c, v, r }));
  };

  it("can prove the true one", async () => {
    const { signals } = claimFacts(text({}));
    await m.s.fulfil({ ...open, words: proven(signals.r) });
  });

  it("finds none by the chain's own r of the false one: its v is not the circuit's", async () => {
    for (let i = 0; i < 500; i++) {
      const output = bytesOf(`${SEED}.${i}`, LENGTH);
      const { signals } = claimFacts(text({ output }));
      const circuit = fingerprint([...wordsOfBytes(INPUT), ...wordsOfBytes(TRUE_OUTPUT)], signals.r, R);
      expect(circuit, hexlify(output)).not.to.equal(signals.v);
      if (i < 3) await repelled(m, { ...open, output, words: proven(signals.r) });
    }
  });

  it("finds one of the same v for an r that it knows beforehand, and the chain's r is then another", async () => {
    const { signals } = claimFacts(text({}));
    const [first, second] = wordsOfBytes(TRUE_OUTPUT) as [bigint, bigint];
    // w r^4 + x r^5 (after three words of input) stays the same if w grows by d and x shrinks by d / r.
    let forged: Uint8Array | undefined;
    for (let d = 1n; forged === undefined; d++) {
      const x = (((second - d * inverse(signals.r)) % R) + R) % R;
      if (x < 2n ** 248n) forged = toBytes([first + d, x]);
    }
    const words = [...wordsOfBytes(INPUT), ...wordsOfBytes(forged)];
    expect(fingerprint(words, signals.r, R), "the forgery works for that r").to.equal(signals.v);
    expect(hexlify(forged)).not.to.equal(hexlify(TRUE_OUTPUT));
    await repelled(m, { ...open, output: forged, words: proven(signals.r) });
    await repelled(m, { ...open, output: forged, words: proven(claimFacts(text({ output: forged })).signals.r) });
  });

  it("gains nothing by grinding what else is in r: c, prover and output are all there, and c is the circuit's", async () => {
    const output = bytesOf(`${SEED}.false`, LENGTH);
    for (let i = 0n; i < 200n; i++) {
      // Another c would need a proof of another c, which the circuit does not give for these words.
      const { signals } = claimFacts(text({ output, c: C + i }));
      const circuit = fingerprint([...wordsOfBytes(INPUT), ...wordsOfBytes(TRUE_OUTPUT)], signals.r, R);
      expect(circuit).not.to.equal(signals.v);
      if (i < 3n) await repelled(m, { ...open, output, c: C + i, words: proven(signals.r) });
    }
  });

  it("can not say another c than the proof's", async () => {
    for (const c of [C + 1n, 0n, R - 1n]) {
      const { signals } = claimFacts(text({ c }));
      await repelled(m, { ...open, c, words: proven(signals.r) });
      await repelled(m, { ...open, c, words: proven(claimFacts(text({})).signals.r) });
    }
  });

  it("can not answer a private question with the commitment of another input", async () => {
    const model = await m.s.another({ inputKinds: 8 });
    const asked = await m.s.request({ model, inputKind: 3, origin: "0x" });
    const other = m.s.answer(asked, { c: C + 1n });
    await repelled(m, other, "CommitmentMismatch", C + 1n, asked.r.inputHash);
    await repelled(m, { ...other, c: C });
    await m.s.fulfil(m.s.answer(asked));
  });

  it("can not prove one input and show another of the same hash-free length", async () => {
    const input = bytesOf(`${SEED}.input`, INPUT.length);
    await repelled(m, m.s.answer(open, { input, output: TRUE_OUTPUT }), "InputMismatch");
    const lied = m.s.answer(open, { input, output: TRUE_OUTPUT });
    await repelled(m, { ...lied, input: INPUT });
  });
});
