// Four verifiers of one proof: snarkjs, our own off chain, and the contract, alone and as one of many. On the proofs kept for
// ever, and with every word and signal of them changed, they say the same.
import { expect } from "chai";
import fs from "node:fs";
import { network } from "hardhat";
import * as snarkjs from "snarkjs";
import { proofOfWords, proofWords } from "../../node/chain/codec.ts";
import { signalList, type Signals } from "../../node/core/domain.ts";
import { Q, R } from "../../node/core/field.ts";
import { verifyProof } from "../../node/proof/verify.ts";
import { proofToSnarkjs, vkeyFromBytes, vkeyToSnarkjs } from "../../node/proof/vkey.ts";
import { endSnarkjsThreads } from "../support/keys.ts";
import { bytesOfWords } from "../support/trapdoor.ts";

interface Golden {
  readonly made: string;
  readonly vkey: string;
  readonly c: string;
  readonly v: string;
  readonly r: string;
  readonly proof: string;
}

const GOLDEN = JSON.parse(fs.readFileSync("test/node/proof/golden.json", "utf8")) as readonly Golden[];

describe("snarkjs, our verifier and the contract agree", function () {
  this.timeout(120_000);
  after(endSnarkjsThreads);

  for (const { made, vkey, c, v, r, proof } of GOLDEN) {
    it(`on the proof of ${made} and everything next to it`, async () => {
      const { ethers } = await network.create();
      const verifier = await ethers.deployContract("Groth16Verifier");
      const address = "0x00000000000000000000000000000000000c0de5";
      await ethers.provider.send("hardhat_setCode", [address, `0x00${vkey}`]);
      const key = vkeyFromBytes(Buffer.from(vkey, "hex"));
      const words = (proof.match(/.{64}/g) as string[]).map((word) => BigInt(`0x${word}`));
      const signals: Signals = { c: BigInt(c), v: BigInt(v), r: BigInt(r) };

      /** What each of them says; a refusal by exception is a no. */
      async function verdicts(of: readonly bigint[], about: Signals): Promise<boolean[]> {
        const list = signalList(about);
        const onChain = await verifier
          .getFunction("verify")
          .staticCall(address, of, list)
          .then(
            () => true,
            () => false,
          );
        const [valid] = (await verifier
          .getFunction("verifyMany")
          .staticCall(address, bytesOfWords([...words, ...signalList(signals), ...of, ...list]))) as bigint[];
        const ours = await verifyProof(key, about, proofOfWords(of));
        const theirs = await snarkjs.groth16
          .verify(vkeyToSnarkjs(key), list.map(String), proofToSnarkjs(proofOfWords(of)))
          .catch(() => false);
        expect([1n, 3n], "the good one beside it").to.include(valid);
        return [onChain, valid === 3n, ours, theirs];
      }

      expect(proofWords(proofOfWords(words))).to.deep.equal(words);
      expect(await verdicts(words, signals)).to.deep.equal([true, true, true, true]);
      for (let i = 0; i < words.length; i++) {
        const changed = words.map((word, k) => (k === i ? (word + 1n) % Q : word));
        expect(await verdicts(changed, signals), `word ${i} changed`).to.deep.equal([false, false, false, false]);
      }
      for (const name of ["c", "v", "r"] as const) {
        const changed = { ...signals, [name]: (signals[name] + 1n) % R };
        expect(await verdicts(words, changed), `${name} changed`).to.deep.equal([false, false, false, false]);
      }
    });
  }
});
