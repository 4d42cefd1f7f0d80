// Calldata that no honest encoder writes: dirt in the padding, offsets that point elsewhere, lengths beyond the end, sizes
// that should exhaust somebody.
import { expect } from "chai";
import { hexlify, keccak256 } from "ethers";
import { INPUT, OUTPUT, flipped, type Answer } from "../../support/contracts.ts";
import { answered, repelled } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { bytesOf } from "../../support/contractsVectors.ts";

const WORD = 64;
/** Hex digits before the answer: selector, request (22 words), offset of the answer, prover. */
const ANSWER_AT = 2 + 8 + 24 * WORD;
const word = (value: number | bigint): string => value.toString(16).padStart(WORD, "0");

describe("Calldata", () => {
  const m = market();
  let good: Answer;
  let data: string;
  beforeEach(async () => {
    good = m.s.answer(await m.s.request());
    data = m.s.coordinator.interface.encodeFunctionData("fulfil", [good.r, m.s.answerArgs(good), good.prover]);
  });
  const send = (bytes: string) =>
    m.s.signers.stranger.sendTransaction({ to: m.s.coordinatorAddress, data: bytes, gasLimit: 10_000_000n });
  /** `data` with the word at `at` of the answer's own words (0: offset of the input, 1: of the output) replaced. */
  const withAnswerWord = (at: number, value: number | bigint): string => {
    const from = ANSWER_AT + at * WORD;
    return data.slice(0, from) + word(value) + data.slice(from + WORD);
  };
  const refusedAs = async (bytes: string, error: string, ...args: unknown[]): Promise<void> => {
    await m.refused(send(bytes), error, ...args);
    expect(await answered(m, good)).to.equal(false);
  };

  it("with ones in the padding after the output means the same output", async () => {
    await send(data.slice(0, -24) + "ff".repeat(12));
    expect((await m.s.resultOf(good))["output"]).to.equal(hexlify(OUTPUT));
  });

  it("with bytes after the end means the same", async () => {
    await send(data + "ab".repeat(100));
    expect((await m.s.resultOf(good))["output"]).to.equal(hexlify(OUTPUT));
  });

  it("with a bit above an address, a time, a kind or a flag is refused: no request has two spellings", async () => {
    const fields = {
      requester: 0,
      inputKind: 5,
      minFee: 9,
      start: 12,
      allowDevelopmentKeys: 19,
      nonce: 20,
      readAt: 21,
    };
    for (const at of Object.values(fields)) {
      const from = 2 + 8 + at * WORD;
      for (const dirt of ["8", "1"]) {
        const dirty = data.slice(0, from) + dirt + data.slice(from + 1);
        await expect(send(dirty)).to.be.revertedWithoutReason(m.s.ethers);
      }
    }
    const prover = 2 + 8 + 23 * WORD;
    await expect(send(`${data.slice(0, prover)}1${data.slice(prover + 1)}`)).to.be.revertedWithoutReason(m.s.ethers);
    expect(await answered(m, good)).to.equal(false);
  });

  it("whose output is the input's bytes, by an offset that points there, is refused", () =>
    refusedAs(
      withAnswerWord(1, Number.parseInt(data.slice(ANSWER_AT, ANSWER_AT + WORD), 16)),
      "OutputLengthMismatch",
      64,
      20,
    ));

  it("whose output begins in the middle of the proof is refused for what stands there", async () => {
    // The word before B is taken for a length, and no calldata is that long.
    await expect(send(withAnswerWord(1, 4 * 32))).to.be.revertedWithoutReason(m.s.ethers);
    expect(await answered(m, good)).to.equal(false);
  });

  it("with an offset or a length beyond the end is refused", async () => {
    const length = ANSWER_AT + 11 * WORD;
    expect(Number.parseInt(data.slice(length, length + WORD), 16)).to.equal(64);
    for (const bytes of [
      withAnswerWord(0, data.length),
      withAnswerWord(1, 2n ** 64n),
      withAnswerWord(1, 2n ** 256n - 32n),
      data.slice(0, length) + word(2n ** 255n) + data.slice(length + WORD),
      data.slice(0, -2 * 32),
      data.slice(0, ANSWER_AT),
    ]) {
      await expect(send(bytes)).to.be.revertedWithoutReason(m.s.ethers);
    }
    expect(await answered(m, good)).to.equal(false);
  });

  it("whose input and output overlap says what it says: the bytes count, not where they stand", async () => {
    // A model whose output is as long as its input: one copy of the bytes serves as both, if both are these bytes.
    const model = await m.s.another({ outputLength: 64 });
    const asked = await m.s.request({ model });
    const honest = m.s.answer(asked, { output: INPUT });
    const encoded = m.s.coordinator.interface.encodeFunctionData("fulfil", [
      honest.r,
      m.s.answerArgs(honest),
      honest.prover,
    ]);
    const offset = encoded.slice(ANSWER_AT, ANSWER_AT + WORD);
    await send(encoded.slice(0, ANSWER_AT + WORD) + offset + encoded.slice(ANSWER_AT + 2 * WORD, -3 * WORD));
    expect((await m.s.resultOf(asked))["output"]).to.equal(hexlify(INPUT));
  });

  it("with a huge input is refused at the cost of who sends it", async () => {
    const input = bytesOf("huge", 70_000);
    await repelled(m, { ...good, input }, "InputLengthMismatch", 70_000, 64);
    await m.refused(m.s.request({ input }), "InputLengthMismatch", 70_000, 64);
  });

  it("with a huge reference to an input makes no request", async () => {
    const origin = bytesOf("uri", 2_049);
    const over = { inputKind: 1, inputHash: keccak256(INPUT), origin };
    await m.refused(m.s.request(over), "UriTooLong", 2_049);
    await m.s.request({ ...over, origin: origin.subarray(0, 2_048) });
  });

  it("of a batch that names one answer many times is one answer", async () => {
    const asked = [good.r, ...(await Promise.all([1, 2].map(async () => (await m.s.request()).r)))];
    const args = [asked, asked.map(() => m.s.answerArgs(good)), good.prover];
    const many = m.s.coordinator.interface.encodeFunctionData("fulfilBatch", args);
    await send(many);
    expect(await answered(m, good)).to.equal(true);
    for (const r of asked.slice(1)) expect(await answered(m, { id: m.s.idOf(r) })).to.equal(false);
  });

  it("with one bit of the answer changed, at any place, is refused", async () => {
    for (let at = 0; at < 12; at++) {
      if (at === 9) continue; // the length of the input, above
      const digit = ANSWER_AT + (2 + at) * WORD + 40;
      const changed = (Number.parseInt(data[digit] ?? "0", 16) ^ 1).toString(16);
      await expect(send(data.slice(0, digit) + changed + data.slice(digit + 1))).to.be.revert(m.s.ethers);
    }
    await m.refused(m.s.fulfil({ ...good, output: flipped(OUTPUT, 19) }), "InvalidProof");
  });
});
