// The verifier alone: what it accepts, and for each part of that the nearest thing that it refuses.
import { expect } from "chai";
import type { BaseContract } from "ethers";
import { Q, R } from "../../node/core/field.ts";
import { openChain, view, withWord, type Chain, type Stage } from "../support/contracts.ts";
import { TRAPDOOR, proofWords, prove, rerandomise, trapdoorOf } from "../support/trapdoor.ts";

const SIGNALS = { c: 5n, v: R - 1n, r: 0n };
const LIST = [5n, R - 1n, 0n];
const NAMES = ["A.x", "A.y", "B.x imaginary", "B.x real", "B.y imaginary", "B.y real", "C.x", "C.y"];

describe("Groth16Verifier", () => {
  let chain: Chain;
  let s: Stage;
  let verifier: BaseContract;
  let key: string;
  const proof = prove(TRAPDOOR, SIGNALS);
  const words = proofWords(proof);
  const verify = (proofOf: readonly bigint[], signals: readonly bigint[], at = key): Promise<unknown> =>
    view(verifier, "verify", [at, proofOf, signals]);

  before(async () => {
    chain = await openChain();
    s = await chain.stage();
    verifier = s.verifier;
    ({ key } = (await view(s.registry, "headOf", [s.model])) as { key: string });
  });

  it("accepts a valid proof and returns nothing", async () => {
    const data = verifier.interface.encodeFunctionData("verify", [key, words, LIST]);
    expect(await chain.ethers.provider.call({ to: await verifier.getAddress(), data })).to.equal("0x");
  });

  it("accepts signals at both ends of the field", async () => {
    for (const signal of [0n, 1n, R - 1n]) {
      const signals = { c: signal, v: signal, r: signal };
      await verify(proofWords(prove(TRAPDOOR, signals)), [signal, signal, signal]);
    }
  });

  it("accepts a re-randomised proof: proof bytes name nothing", async () => {
    const other = proofWords(rerandomise(proof, 12345n));
    expect(other).not.to.deep.equal(words);
    await verify(other, LIST);
  });

  for (const [at, name] of NAMES.entries()) {
    it(`refuses ${name} one above, and the same ${name} spelled above the field`, async () => {
      await expect(
        verify(
          withWord(words, at, (word) => (word + 1n) % Q),
          LIST,
        ),
      ).to.be.revertedWithCustomError(verifier, "InvalidProof");
      const alias = withWord(words, at, (word) => word + Q);
      await expect(verify(alias, LIST))
        .to.be.revertedWithCustomError(verifier, "CoordinateOutOfField")
        .withArgs(at, alias[at]);
      await expect(
        verify(
          withWord(words, at, () => Q),
          LIST,
        ),
      )
        .to.be.revertedWithCustomError(verifier, "CoordinateOutOfField")
        .withArgs(at, Q);
      await expect(
        verify(
          withWord(words, at, () => 2n ** 256n - 1n),
          LIST,
        ),
      ).to.be.revertedWithCustomError(verifier, "CoordinateOutOfField");
    });
  }

  for (const [at, name] of ["c", "v", "r"].entries()) {
    it(`refuses ${name} one off, and the same ${name} spelled above the field`, async () => {
      await expect(
        verify(
          words,
          withWord(LIST, at, (x) => (x + 1n) % R),
        ),
      ).to.be.revertedWithCustomError(verifier, "InvalidProof");
      await expect(
        verify(
          words,
          withWord(LIST, at, (x) => (x + R - 1n) % R),
        ),
      ).to.be.revertedWithCustomError(verifier, "InvalidProof");
      const alias = withWord(LIST, at, (x) => x + R);
      await expect(verify(words, alias))
        .to.be.revertedWithCustomError(verifier, "SignalOutOfField")
        .withArgs(at, alias[at]);
    });
  }

  it("refuses signals in another order", async () => {
    await expect(verify(words, [LIST[1] as bigint, LIST[0] as bigint, 0n])).to.be.revertedWithCustomError(
      verifier,
      "InvalidProof",
    );
  });

  it("refuses points replaced by their negatives and by infinity", async () => {
    for (const y of [1, 7]) {
      const negated = withWord(words, y, (word) => Q - word);
      await expect(verify(negated, LIST)).to.be.revertedWithCustomError(verifier, "InvalidProof");
    }
    for (const [from, to] of [
      [0, 2],
      [2, 6],
      [6, 8],
      [0, 8],
    ] as const) {
      const infinite = words.map((word, i) => (i >= from && i < to ? 0n : word));
      await expect(verify(infinite, LIST)).to.be.revertedWithCustomError(verifier, "InvalidProof");
    }
  });

  it("refuses A and C exchanged, and halves of B exchanged", async () => {
    const [a0, a1, b0, b1, b2, b3, c0, c1] = words as [bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint];
    for (const other of [
      [c0, c1, b0, b1, b2, b3, a0, a1],
      [a0, a1, b1, b0, b3, b2, c0, c1],
    ]) {
      await expect(verify(other, LIST)).to.be.revertedWithCustomError(verifier, "InvalidProof");
    }
  });

  it("refuses a proof made for another key", async () => {
    const other = proofWords(prove(trapdoorOf("another"), SIGNALS));
    await expect(verify(other, LIST)).to.be.revertedWithCustomError(verifier, "InvalidProof");
  });

  it("refuses an address that holds no key of three signals", async () => {
    for (const at of [s.signers.stranger.address, s.registryAddress]) {
      const size = (await chain.ethers.provider.getCode(at)).length / 2 - 1;
      await expect(verify(words, LIST, at))
        .to.be.revertedWithCustomError(verifier, "KeyCodeInvalid")
        .withArgs(at, size);
    }
    const code = await chain.ethers.provider.getCode(key);
    const at = s.signers.stranger.address;
    for (const near of [code.slice(0, -2), `${code}00`]) {
      await chain.helpers.setCode(at, near);
      await expect(verify(words, LIST, at)).to.be.revertedWithCustomError(verifier, "KeyCodeInvalid");
    }
    await chain.helpers.setCode(at, code);
    await verify(words, LIST, at);
  });

  it("leaves no room for a key's code to run", async () => {
    expect((await chain.ethers.provider.getCode(key)).slice(0, 4)).to.equal("0x00");
  });
});
