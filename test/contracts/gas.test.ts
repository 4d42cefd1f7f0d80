// Gas of every transaction and size of every contract, against test/contracts/snapshots/gas.json. Drift is a failure;
// UPDATE_SNAPSHOTS=1 writes the file anew, and the diff says what a change costs.
import { expect } from "chai";
import { readFileSync, writeFileSync } from "node:fs";
import type { ContractTransactionResponse } from "ethers";
import { DEADLINE, INPUT, START, openChain, send, view, type Chain } from "../support/contracts.ts";
import { bytesOf } from "../support/contractsVectors.ts";

const FILE = new URL("snapshots/gas.json", import.meta.url);
const DECLARED = `0x${"e1".repeat(32)}`;

async function gasOf(sent: ContractTransactionResponse | Promise<ContractTransactionResponse>): Promise<number> {
  const receipt = await (await sent).wait();
  return Number(receipt?.gasUsed);
}

/** Zero bytes cost 12 less, and how many there are in the metadata's hash hangs on every comment: count them as others. */
const zeroBytes = (data: string): number => (data.match(/../g) ?? []).filter((byte) => byte === "00").length;

async function measure(chain: Chain): Promise<Record<string, number>> {
  const gas: Record<string, number> = {};
  for (const name of ["ModelRegistry", "InferenceCoordinator", "Groth16Verifier"]) {
    const s = await chain.stage();
    const args = name === "InferenceCoordinator" ? [s.registryAddress] : [];
    const contract = await s.deploy(name, ...args);
    const deployment = contract.deploymentTransaction() as ContractTransactionResponse;
    gas[`deploy ${name}`] = (await gasOf(deployment)) + 12 * zeroBytes(deployment.data);
    gas[`runtime bytes ${name}`] = ((await contract.getDeployedCode()) as string).length / 2 - 1;
  }
  {
    const s = await chain.stage();
    gas["register"] = await gasOf(s.register({ from: s.signers.stranger }));
    gas["retire"] = await gasOf(send(s.registry, "retire", [s.model], { from: s.signers.publisher }));
  }
  {
    const s = await chain.stage();
    const { id, sent } = await s.request();
    gas["request, first of the requester, 64 bytes"] = await gasOf(sent);
    gas["request, 64 bytes"] = await gasOf((await s.request()).sent);
    await chain.at(START + 3600);
    gas["fulfil, prover's first credit, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(id)));
    const next = await s.request();
    gas["fulfil, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(next.id)));
    gas["withdraw"] = await gasOf(s.withdraw(s.signers.prover));
  }
  {
    const s = await chain.stage();
    gas["declareEnvironment, first"] = await gasOf(
      send(s.coordinator, "declareEnvironment", [DECLARED], { from: s.signers.prover }),
    );
    const { id } = await s.request();
    await chain.at(START + 3600);
    gas["fulfil, environment declared, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(id)));
  }
  {
    const s = await chain.stage();
    const facts = { ...s.registration().args[0], inputLength: 784, outputLength: 40 };
    const { id: model } = s.registration({ facts });
    await s.register({ facts });
    const input = bytesOf("input", 784);
    const { id, sent } = await s.request({ model, input });
    gas["request, first of the requester, 784 bytes"] = await gasOf(sent);
    await chain.at(START + 3600);
    const answer = s.answer(id, { modelId: model, input, output: bytesOf("output", 40) });
    gas["fulfil, prover's first credit, 784 to 40 bytes"] = await gasOf(s.fulfil(answer));
  }
  {
    const s = await chain.stage();
    const { id } = await s.request();
    await chain.at(DEADLINE + 1);
    gas["refund"] = await gasOf(s.refund(id));
  }
  {
    const s = await chain.stage();
    const { id } = await s.request();
    const { key } = (await view(s.registry, "headOf", [s.model])) as { key: string };
    const answer = s.answer(id);
    const args = [false, s.coordinatorAddress, id, s.model, answer.prover, answer.c, INPUT, answer.output];
    const signals = (await view(await s.deploy("ClaimHarness"), "signals", args)) as bigint[];
    gas["verify, as a transaction"] = Number(
      await s.verifier.getFunction("verify").estimateGas(key, answer.words, [...signals]),
    );
    gas["fingerprint of 784 and 20 bytes, within a call"] = Number(
      await view(await s.deploy("ClaimHarness"), "fingerprintGas", [bytesOf("input", 784), bytesOf("output", 20), 3n]),
    );
  }
  return gas;
}

describe("gas and size", () => {
  let gas: Record<string, number>;
  before(async function () {
    this.timeout(60_000);
    gas = await measure(await openChain());
    if (process.env["UPDATE_SNAPSHOTS"] === "1") writeFileSync(FILE, `${JSON.stringify(gas, null, 2)}\n`);
  });

  it("is what the snapshot says", () => {
    expect(gas).to.deep.equal(JSON.parse(readFileSync(FILE, "utf8")));
  });

  it("keeps a fulfilment of 64 to 20 bytes below 330,000 in the worst case", () => {
    for (const [name, used] of Object.entries(gas)) {
      if (name.startsWith("fulfil") && name.includes("64 to 20")) expect(used, name).to.be.lessThan(330_000);
    }
  });

  it("keeps every contract below the 24,576 bytes of EIP-170", () => {
    for (const [name, size] of Object.entries(gas)) {
      if (name.startsWith("runtime bytes")) expect(size, name).to.be.lessThan(24_576);
    }
  });
});
