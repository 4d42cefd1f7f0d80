// The node's ABI against the compiled contracts, and what it says to their errors.
import fs from "node:fs";
import { expect } from "chai";
import { Interface, toBeHex } from "ethers";
import { COORDINATOR_ABI, REGISTRY_ABI, RELAY_ABI } from "../../../node/chain/abi.ts";
import { explained, MEANINGS, type RefusalName } from "../../../node/chain/refusal.ts";
import { rpcError } from "../../../node/chain/rpc.ts";
import type { NodeError } from "../../../node/core/errors.ts";
import { ABI_FILE, abiText } from "../../../scripts/abi.ts";

const ADDRESS = `0x${"00".repeat(19)}07`;
const CONTRACTS = [
  ["InferenceCoordinator", COORDINATOR_ABI, 50],
  ["ModelRegistry", REGISTRY_ABI, 40],
  ["RequestRelay", RELAY_ABI, 4],
] as const;

describe("the node's ABI", () => {
  it("is what scripts/abi.ts writes of the compiled contracts", () => {
    expect(fs.readFileSync(ABI_FILE, "utf8"), "run node scripts/abi.ts").to.equal(abiText());
  });
  for (const [name, ours, least] of CONTRACTS) {
    const node = new Interface(ours);

    it(`${name}: tells what every error means, by its bytes, and keeps its facts`, () => {
      let count = 0;
      node.forEachError((error) => {
        count++;
        const values = error.inputs.map((input, i) =>
          input.type === "address" ? ADDRESS : input.type === "string" ? "text" : toBeHex(i + 7, 32),
        );
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
      expect(count).to.be.at.least(least);
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
