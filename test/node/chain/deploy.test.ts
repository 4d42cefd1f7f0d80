// Deploying: the same addresses on every chain, by our own code and by Ignition; a second run does nothing, a run that broke
// off is continued; what is there is compared with what was compiled.
import { expect } from "chai";
import { network } from "hardhat";
import Glassbox from "../../../ignition/modules/Glassbox.ts";
import { CREATEX, CREATEX_SIGNER } from "../../../node/chain/createx.ts";
import { type Artifact, compareAll, deployAll, type Placed } from "../../../node/chain/deploy.ts";
import { CONTRACT_NAMES, CONTRACTS, type ContractName, planned } from "../../../node/chain/deployments.ts";
import { httpRpc, localRpc, type Rpc } from "../../../node/chain/rpc.ts";
import { contractArtifact } from "../../../node/app/artifacts.ts";
import type { Wait } from "../../../node/chain/write.ts";
import type { NodeError } from "../../../node/core/errors.ts";
import { startChain } from "../../../scripts/localchain.ts";
import { senderOf, WALLETS } from "../../support/chain.ts";
import { hastyClock } from "../../support/fakes.ts";

const artifact = (name: ContractName): Artifact => contractArtifact("artifacts", name);
const plan = planned((name) => artifact(name).bytecode);
const whereAll = Object.fromEntries(plan.map(({ name, address }) => [name, address]));
const where = (placed: readonly Placed[]): Record<string, string> =>
  Object.fromEntries(placed.map(({ name, address }) => [name, address]));

async function chain(chainId: number) {
  const connection = await network.create({ override: { chainId } });
  const rpc = localRpc(connection.provider);
  return { connection, rpc, wait: await waitOn(rpc), close: () => connection.close() };
}

async function waitOn(rpc: Rpc): Promise<Wait> {
  return { sender: await senderOf(rpc, WALLETS[0]), clock: hastyClock(), pollMs: 1 };
}

const blockNumber = async (rpc: Rpc): Promise<number> => Number(await rpc.request("eth_blockNumber", []));

describe("deploying", function () {
  this.timeout(60_000);

  it("gives the table's contracts the planned addresses on chains of different ids, CreateX included", async () => {
    for (const id of [31337, 424242]) {
      const { rpc, wait, close } = await chain(id);
      const placed = await deployAll(plan, rpc, wait);
      expect(where(placed), `chain ${id}`).to.deep.equal(whereAll);
      expect(new Set(Object.values(whereAll)).size).to.equal(CONTRACT_NAMES.length);
      for (const { gas, block } of placed) {
        expect(gas).to.be.a("bigint");
        expect(block).to.be.greaterThan(0);
      }
      expect((await compareAll(plan, artifact, rpc)).map(({ outcome }) => outcome)).to.deep.equal(
        plan.map(() => "equal"),
      );
      await close();
    }
  });

  it("gives them on anvil, too", async function () {
    const anvil = await startChain("anvil", { chainId: 7_000_001 }).catch(() => undefined);
    if (anvil === undefined) return this.skip(); // an optional package, for Linux on x64 only
    try {
      const rpc = httpRpc(anvil.rpcUrl);
      expect(BigInt((await rpc.request("eth_chainId", [])) as string)).to.equal(7_000_001n);
      expect(where(await deployAll(plan, rpc, await waitOn(rpc)))).to.deep.equal(whereAll);
    } finally {
      await anvil.stop();
    }
  });

  it("does nothing the second time, and finds the blocks of the first", async () => {
    const { rpc, wait, close } = await chain(31337);
    const first = await deployAll(plan, rpc, wait);
    const before = await blockNumber(rpc);
    const second = await deployAll(plan, rpc, await waitOn(rpc));
    expect(await blockNumber(rpc)).to.equal(before);
    expect(second.map(({ gas }) => gas)).to.deep.equal(plan.map(() => undefined));
    expect(second.map(({ block }) => block)).to.deep.equal(first.map(({ block }) => block));
    await close();
  });

  for (const done of [1, 2, 3]) {
    it(`continues a run that broke off after ${done}`, async () => {
      const { rpc, wait, close } = await chain(31337);
      const stop = new AbortController();
      const seen: string[] = [];
      const broken = deployAll(plan, rpc, { ...wait, signal: stop.signal }, ({ name }) => {
        if (seen.push(name) === done) stop.abort();
      });
      expect(await broken.then(() => undefined, (error: NodeError) => error.code)).to.equal("aborted"); // prettier-ignore
      expect(seen).to.have.length(done);
      const rest = await deployAll(plan, rpc, await waitOn(rpc));
      expect(where(rest)).to.deep.equal(whereAll);
      expect(rest.filter(({ gas }) => gas !== undefined)).to.have.length(plan.length - done);
      await close();
    });
  }

  it("is what Ignition does by its module and CREATE2, which a second run leaves alone", async () => {
    const { connection, rpc, wait, close } = await chain(31337);
    const deploy = async (): Promise<Record<string, string>> => {
      const made = await connection.ignition.deploy(Glassbox, { strategy: "create2" });
      const entries = Object.entries(made).map(
        async ([name, contract]) => [name, await contract.getAddress()] as const,
      );
      return Object.fromEntries(await Promise.all(entries));
    };
    expect(await deploy()).to.deep.equal(whereAll);
    const before = await blockNumber(rpc);
    expect((await deployAll(plan, rpc, wait)).every(({ gas }) => gas === undefined)).to.equal(true);
    expect(await blockNumber(rpc)).to.equal(before);
    await close();
  });

  it("says of code that differs or is not there that it does", async () => {
    const { rpc, wait, close } = await chain(31337);
    await deployAll(plan, rpc, wait);
    const verifier = artifact("Groth16Verifier");
    const { deployedBytecode } = verifier;
    const at = 200;
    const flipped = (parseInt(deployedBytecode.charAt(at), 16) ^ 1).toString(16);
    const other = (name: ContractName): Artifact =>
      name === "Groth16Verifier"
        ? { ...verifier, deployedBytecode: deployedBytecode.slice(0, at) + flipped + deployedBytecode.slice(at + 1) }
        : artifact(name);
    const moved = plan.map((each) => (each.name === "ModelRegistry" ? { ...each, address: CREATEX_SIGNER } : each));
    const outcomes = (await compareAll(moved, other, rpc)).map(({ name, outcome }) => [name, outcome]);
    expect(Object.fromEntries(outcomes)).to.include({
      ModelRegistry: "absent",
      Groth16Verifier: "differs",
      InferenceCoordinator: "equal",
    });
    await close();
  });

  it("stops at a contract in CreateX' place that is another", async () => {
    const { rpc, wait, close } = await chain(31337);
    await rpc.request("hardhat_setCode", [CREATEX, "0x00"]);
    const said = await deployAll(plan, rpc, wait).then(
      () => undefined,
      (error: NodeError) => [error.code, error.message],
    );
    expect(said).to.deep.equal(["chain", `the contract at ${CREATEX} is not CreateX`]);
    await close();
  });

  it("plans by the table alone: arguments come before those who take them, and code alone decides", () => {
    const seen = new Set<string>();
    for (const name of CONTRACT_NAMES) {
      for (const argument of CONTRACTS[name].args) expect(seen, `${name} takes ${argument}`).to.include(argument);
      seen.add(name);
    }
    const changed = planned((name) => (name === "SignatureValidator" ? "0x00" : artifact(name).bytecode));
    const differing = changed.filter(({ address }, i) => address !== plan[i]?.address).map(({ name }) => name);
    // What takes its address, or the address of what does.
    expect(differing).to.include.members(["SignatureValidator", "InferenceCoordinator", "RequestRelay"]);
    expect(differing).not.to.include.members(["ModelRegistry", "Groth16Verifier"]);
  });
});
