// The node's hand-written ABI against the compiled contracts, both ways.
import { expect } from "chai";
import { Interface } from "ethers";
import { COORDINATOR_ABI, REGISTRY_ABI } from "../../../node/chain/abi.ts";
import { MEANINGS } from "../../../node/chain/refusal.ts";
import { artifact } from "../../support/chain.ts";

const CONTRACTS = [
  ["InferenceCoordinator", COORDINATOR_ABI],
  ["ModelRegistry", REGISTRY_ABI],
] as const;

describe("the node's ABI", () => {
  for (const [name, ours] of CONTRACTS) {
    const compiled = new Interface((artifact(name) as unknown as { abi: [] }).abi);
    const node = new Interface(ours);

    it(`${name}: is compiled exactly so, to the last word`, () => {
      const all = new Set(compiled.fragments.map((theirs) => theirs.format("full")));
      expect(node.fragments.map((mine) => mine.format("full")).filter((text) => !all.has(text))).to.deep.equal([]);
    });
    it(`${name}: knows every error and event that the contract declares`, () => {
      const declared = compiled.fragments.filter(({ type }) => type === "error" || type === "event");
      const known = new Set(node.fragments.map((fragment) => fragment.format("sighash")));
      expect(declared.map((fragment) => fragment.format("sighash")).filter((text) => !known.has(text))).to.deep.equal(
        [],
      );
    });
    it(`${name}: has a meaning for every error`, () => {
      const errors = node.fragments
        .filter(({ type }) => type === "error")
        .map((e) => e.format("sighash").split("(")[0]);
      expect(errors.length).to.be.greaterThan(10);
      for (const error of errors) expect(MEANINGS).to.have.property(error as string);
    });
  }
});
