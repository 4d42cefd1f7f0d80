// The node's hand-written ABI against the compiled contracts, both ways.
import { expect } from "chai";
import { Interface, toBeHex } from "ethers";
import { COORDINATOR_ABI, REGISTRY_ABI } from "../../../node/chain/abi.ts";
import { explained, MEANINGS, type RefusalName } from "../../../node/chain/refusal.ts";
import { rpcError } from "../../../node/chain/rpc.ts";
import type { NodeError } from "../../../node/core/errors.ts";
import { artifact } from "../../support/chain.ts";

const ADDRESS = `0x${"00".repeat(19)}07`;
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
    it(`${name}: tells what every error means, by its bytes, and keeps its facts`, () => {
      let count = 0;
      node.forEachError((error) => {
        count++;
        const values = error.inputs.map((input, i) => (input.type === "address" ? ADDRESS : toBeHex(i + 7, 32)));
        const thrown = rpcError("eth_call", {
          code: 3,
          message: "reverted",
          data: node.encodeErrorResult(error, values),
        });
        const told = explained(thrown, "doing") as NodeError;
        const { code, what, mend } = MEANINGS[error.name as RefusalName];
        expect(told).to.include({ code, mend, message: `doing: ${what}`, retry: false, cause: thrown });
        expect(Object.keys(told.facts)).to.deep.equal(["refusal", ...error.inputs.map((input) => input.name)]);
      });
      expect(count).to.be.greaterThan(10);
    });
  }

  it("lets pass what it does not know: another contract's error, a reason in words, no reason, no revert", () => {
    for (const data of ["0x12345678", `0x08c379a0${"00".repeat(32)}`, "0x"]) {
      const thrown = rpcError("eth_call", { code: 3, message: "reverted", data });
      expect(explained(thrown, "doing")).to.equal(thrown);
    }
    const plain = new Error("x");
    expect(explained(plain, "doing")).to.equal(plain);
  });
});
