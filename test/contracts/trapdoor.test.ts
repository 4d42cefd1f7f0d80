// The tests' own prover: TypeScript and Solidity must be the same one.
import { expect } from "chai";
import { network } from "hardhat";
import { R } from "../../node/core/field.ts";
import { view } from "../support/contracts.ts";
import { TRAPDOOR, bytesOfWords, keyWords, proofWords, prove, verifyingKeyOf } from "../support/trapdoor.ts";

describe("the trapdoor prover", () => {
  it("has the same key and makes the same proofs in Solidity and in TypeScript", async () => {
    const { ethers } = await network.create();
    const harness = await ethers.deployContract("TrapdoorHarness");
    expect(await view(harness, "key")).to.equal(bytesOfWords(keyWords(verifyingKeyOf(TRAPDOOR))));
    for (const [c, v, r, a] of [
      [1n, 2n, 3n, 4n],
      [0n, 0n, 0n, 1n],
      [R - 1n, R - 1n, R - 1n, R - 1n],
    ] as const) {
      const words = (await view(harness, "prove", [[c, v, r], a])) as bigint[];
      expect([...words]).to.deep.equal(proofWords(prove(TRAPDOOR, { c, v, r }, { a, b: 1n })));
    }
  });
});
