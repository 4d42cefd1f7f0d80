// The claim's words, r and v: the committed vectors against TypeScript and Solidity.
import { expect } from "chai";
import { readFileSync } from "node:fs";
import { getBytes } from "ethers";
import { network } from "hardhat";
import { R } from "../../node/core/field.ts";
import { view } from "../support/contracts.ts";
import { CLAIM_VECTORS, claimVectors, type ClaimVector } from "../support/contractsVectors.ts";

const vectors = JSON.parse(readFileSync(CLAIM_VECTORS, "utf8")) as ClaimVector[];

describe("claim vectors", () => {
  it("are what the generator writes", () => {
    expect(vectors).to.deep.equal(claimVectors());
  });

  it("cover the borders of a word", () => {
    const lengths = vectors.flatMap(({ input, output }) => [getBytes(input).length, getBytes(output).length]);
    expect(lengths).to.include.members([1, 30, 31, 32, 62, 63, 784]);
  });

  it("have words below 2^248 that spell the bytes, zeros only after them", () => {
    for (const { name, input, output, words } of vectors) {
      const hex = words.map((word) => BigInt(word).toString(16).padStart(62, "0"));
      const inputWords = Math.ceil(getBytes(input).length / 31);
      for (const [text, bytes] of [
        [hex.slice(0, inputWords).join(""), input.slice(2)],
        [hex.slice(inputWords).join(""), output.slice(2)],
      ] as const) {
        expect(text.slice(0, bytes.length), name).to.equal(bytes);
        expect(text.slice(bytes.length), name).to.match(/^0*$/);
        expect(text.length - bytes.length, name).to.be.lessThan(62);
      }
    }
  });

  it("have v by its definition, term by term", () => {
    for (const { name, words, r, v } of vectors) {
      let [sum, power] = [0n, BigInt(r)];
      for (const word of words) {
        sum = (sum + BigInt(word) * power) % R;
        power = (power * BigInt(r)) % R;
      }
      expect(sum, name).to.equal(BigInt(v));
    }
  });

  for (const chainId of new Set(vectors.map((vector) => vector.chainId))) {
    it(`are what Solidity computes on chain ${chainId}`, async () => {
      const { ethers } = await network.create({ override: { chainId: Number(chainId) } });
      const harness = await ethers.deployContract("ClaimHarness");
      for (const vector of vectors.filter((other) => other.chainId === chainId)) {
        const { name, domain, contract, requestId, modelId, prover, c, input, output, v, r } = vector;
        const args = [domain === "sample", contract, requestId, modelId, prover, c, input, output];
        const signals = (await view(harness, "signals", args)) as bigint[];
        expect([...signals], name).to.deep.equal([c, v, r].map(BigInt));
      }
    });
  }

  it("do not depend on what follows the bytes in calldata", async () => {
    const { ethers } = await network.create();
    const harness = await ethers.deployContract("ClaimHarness");
    const [signer] = await ethers.getSigners();
    const call = harness.interface.encodeFunctionData("fingerprint", ["0x1122", "0x33", 5n]);
    // The ABI's padding after 0x1122 and 0x33 filled with ones.
    const dirty = call.replace(/112200/, "1122ff").replace(/3300/, "33ff");
    expect(dirty).not.to.equal(call);
    const clean = await signer?.call({ to: await harness.getAddress(), data: call });
    expect(await signer?.call({ to: await harness.getAddress(), data: dirty })).to.equal(clean);
    const [word0, word1] = [0x1122n << 232n, 0x33n << 240n];
    expect(BigInt(clean as string)).to.equal((word0 * 5n + word1 * 25n) % R);
  });

  it("tell bytes at the end of the input from bytes at the start of the output", async () => {
    const { ethers } = await network.create();
    const harness = await ethers.deployContract("ClaimHarness");
    const split = await view(harness, "fingerprint", ["0x1122", "0x33", 5n]);
    expect(await view(harness, "fingerprint", ["0x11", "0x2233", 5n])).not.to.equal(split);
  });
});
