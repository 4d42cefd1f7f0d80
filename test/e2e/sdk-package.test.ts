// The package in a dapp's hands, outside of the checkout: types and sources compile, and what docs/sdk.md shows gets a verified
// answer from a real node with a real proof, in Node from 20 on and in a page's bundle in a headless Chromium.
import { expect } from "chai";
import { spawn } from "node:child_process";
import { build } from "esbuild";
import fs from "node:fs";
import { createHardhatRuntimeEnvironment } from "hardhat/hre";
import { createRequire } from "node:module";
import path from "node:path";
import { planOf } from "../../node/app/artifacts.ts";
import { registerModel } from "../../node/app/cli/register.ts";
import { loadConfig } from "../../node/app/config.ts";
import { type RunningNode, startNode } from "../../node/app/daemon.ts";
import { inputOf, openModel, servedPackage } from "../../node/app/model.ts";
import { silentLog, systemClock } from "../../node/app/observe.ts";
import { connect } from "../../node/chain/client.ts";
import { httpRpc } from "../../node/chain/rpc.ts";
import { deploy } from "../../node/chain/deploy.ts";
import type { Wait } from "../../node/chain/write.ts";
import { toReals } from "../../node/core/fixed.ts";
import { decodeTensors } from "../../node/core/tensor.ts";
import { wasmProver } from "../../node/proof/prover.ts";
import { type LocalChain, startChain } from "../../scripts/localchain.ts";
import { type Browser, openBrowser, serve } from "../support/browser.ts";
import { senderOf, WALLETS } from "../support/chain.ts";
import { workFolder } from "../support/keys.ts";
import { compiledExample, silentStep } from "../support/packages.ts";
import { install, nodes } from "../support/stranger.ts";

const MODEL = "breast-cancer-mlp";
const SAMPLES = `models/${MODEL}/test.npz`;

const TYPED = `
import { JsonRpcProvider, Wallet, BrowserProvider, type Eip1193Provider } from "ethers";
import { type Inference, type InferenceEvent, NodeError, openClient, type VerifiedResult } from "glassbox/sdk";
import { deployments, InferenceCoordinator__factory, type InferenceCoordinator, type RequestStruct } from "glassbox/contracts";

export async function ask(page: Eip1193Provider): Promise<VerifiedResult> {
  const provider = new JsonRpcProvider("http://127.0.0.1:1");
  const client = await openClient({ rpc: provider, coordinator: "0x", signer: new Wallet("0x", provider) });
  const wallet = await new BrowserProvider(page).getSigner();
  const other = await openClient({ rpc: page, coordinator: "0x", signer: wallet, confirmations: 2 });
  const asked: Inference = await client.infer("0x", [[1, 2], new Float32Array(2)], { fee: { min: 1n, max: 2n, ramp: 60 } });
  for await (const event of asked.events({ signal: AbortSignal.timeout(1) })) {
    const told: InferenceEvent = event;
    if (told.kind === "claimed") void (told.price + told.collateral);
    // @ts-expect-error -- only claims have an end
    void told.end;
  }
  // @ts-expect-error -- a fee is no number
  await other.infer("0x", { kind: "bytes", bytes: new Uint8Array(2) }, { fee: 1 });
  return asked.result({ verify: "proof" }).catch((error: unknown) => {
    throw error instanceof NodeError ? error.mend : error;
  });
}

export async function read(address: string, provider: JsonRpcProvider): Promise<bigint> {
  const coordinator: InferenceCoordinator = InferenceCoordinator__factory.connect(address, provider);
  const request: RequestStruct = {} as RequestStruct;
  const { price } = await coordinator.quote(request, 1n);
  // @ts-expect-error -- there is no such function
  void coordinator.frobnicate;
  const [first] = InferenceCoordinator__factory.abi;
  const type: "constructor" = first.type;
  return price + BigInt(type.length) + BigInt(deployments[1]?.block ?? 0);
}
`;

const CONTRACT = `// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;
import {InferenceConsumer} from "glassbox/contracts/InferenceConsumer.sol";
import {IInferenceCoordinator} from "glassbox/contracts/interfaces/IInferenceCoordinator.sol";
import {Tensor} from "glassbox/contracts/libraries/Tensor.sol";
import {RequestId} from "glassbox/contracts/types/Request.sol";

contract Stranger is InferenceConsumer {
    mapping(RequestId => uint256) public length;

    constructor(IInferenceCoordinator coordinator_) InferenceConsumer(coordinator_) {}

    function _onAnswer(RequestId id, uint248, bytes calldata output) internal override {
        length[id] = output.length;
    }

    function elements(bytes memory tensors) external pure returns (uint256) {
        return Tensor.input(tensors, 0).length;
    }
}
`;

const PAGE = `
import { JsonRpcProvider, Wallet } from "ethers";
import { openClient } from "glassbox/sdk";
window.ask = async ({ RPC_URL, PRIVATE_KEY, COORDINATOR, MODEL, INPUT }) => {
  const provider = new JsonRpcProvider(RPC_URL);
  const signer = new Wallet(PRIVATE_KEY, provider);
  // By address, as fetch reads it, and with the wallet's own provider.
  const client = await openClient({ rpc: RPC_URL, coordinator: COORDINATOR, signer, pollMs: 50 });
  const asked = await client.infer(MODEL, JSON.parse(INPUT), { within: 600, allowDevelopmentKeys: true });
  const kinds = [];
  for await (const { kind } of asked.events()) kinds.push(kind);
  const { outputs, verified } = await asked.result();
  provider.destroy();
  return { kinds, verified, reals: [...outputs[0].reals], buffer: typeof Buffer };
};
`;

describe("glassbox/sdk and glassbox/contracts as a package", function () {
  this.timeout(180_000);
  const folder = workFolder();
  let chain: LocalChain;
  let node: RunningNode;
  let env: Record<"RPC_URL" | "PRIVATE_KEY" | "OTHER_KEY" | "COORDINATOR" | "MODEL" | "INPUT", string>;
  let reals: number[];

  before(async () => {
    await install(folder.path, ["ethers", "@hpke/core", "ffjavascript", "@openzeppelin/contracts"]);
    chain = await startChain("edr");
    const rpc = httpRpc(chain.rpcUrl);
    const wait: Wait = { sender: await senderOf(rpc, WALLETS[0]), clock: systemClock, pollMs: 20 };
    const { coordinator } = await deploy(planOf("artifacts"), rpc, wait);
    const client = await connect({ rpc, coordinator });
    const { package: pack } = await compiledExample(MODEL, { keys: true });
    const model = await openModel(pack.folder, { keys: true });
    const prover = wasmProver();
    const bytes = await inputOf(model.inputs, `${SAMPLES}#3`, (file) => file);
    const { id } = await registerModel({
      ...{ model, sample: bytes, client, prover, wait, manifestURI: "" },
      policy: { collateralBps: 5000, royaltyBps: 250 },
      step: silentStep,
    });
    await prover.close();
    reals = [...toReals(model.inputs, decodeTensors(model.inputs, bytes))];
    await model.close();
    fs.writeFileSync(folder.at("prover.key"), WALLETS[2].privateKey, { mode: 0o600 });
    const over = {
      ...{ dataDir: folder.at("data"), rpcUrl: chain.rpcUrl, coordinator, packages: [pack.folder] },
      ...{ confirmations: 0, keyFile: folder.at("prover.key"), pollSeconds: 0.05, proofSeconds: 10, claim: "always" },
    };
    node = await startNode(loadConfig({ env: {}, cwd: folder.path, over }), {
      packages: [await servedPackage(pack.folder)],
      log: silentLog,
    });
    env = {
      ...{ RPC_URL: chain.rpcUrl, COORDINATOR: coordinator, MODEL: id, INPUT: JSON.stringify(reals) },
      ...{ PRIVATE_KEY: WALLETS[1].privateKey, OTHER_KEY: WALLETS[3].privateKey },
    };
  });
  after(async () => {
    await node?.stop();
    await chain?.stop();
    folder.remove();
  });

  /** What the command prints; it must end by itself. */
  const run = (
    binary: string,
    args: readonly string[],
    more: object = {},
  ): Promise<{ out: string; said: string; code: number | null }> =>
    new Promise((resolve, reject) => {
      const child = spawn(binary, args, { cwd: folder.path, env: { PATH: process.env["PATH"], ...more } });
      let [out, said] = ["", ""];
      child.stdout.on("data", (piece: Buffer) => (out += piece.toString()));
      child.stderr.on("data", (piece: Buffer) => (said += piece.toString()));
      child.once("error", reject).once("close", (code) => resolve({ out, said, code }));
    });

  it("has types that a strict compiler takes, of the SDK and of every contract", async () => {
    fs.writeFileSync(folder.at("typed.ts"), TYPED);
    const compilerOptions = {
      ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ module: "nodenext", target: "es2022", lib: ["es2023", "dom"], types: [], skipLibCheck: false },
    };
    fs.writeFileSync(folder.at("tsconfig.json"), JSON.stringify({ compilerOptions, files: ["typed.ts"] }));
    const { out, code } = await run(process.execPath, [path.resolve("node_modules/typescript/bin/tsc"), "-p", "."]);
    // Declarations of other packages are not ours to mend.
    const ours = out.split("\n").filter((line) => /^(typed|node_modules\/glassbox)/.test(line));
    expect(ours.join("\n")).to.equal("");
    if (code !== 0) expect(out).not.to.match(/glassbox/);
  });

  it("has sources that a stranger's contract inherits from", async () => {
    fs.mkdirSync(folder.at("contracts"));
    fs.writeFileSync(folder.at("contracts/Stranger.sol"), CONTRACT);
    const compiler = {
      ...{ version: "0.8.37", path: createRequire(import.meta.url).resolve("solc/soljson.js") },
      settings: { optimizer: { enabled: true, runs: 200 }, viaIR: true, evmVersion: "cancun" },
    };
    const hardhat = await createHardhatRuntimeEnvironment({ solidity: compiler }, {}, folder.path);
    const built = await hardhat.solidity.build([folder.at("contracts/Stranger.sol")], { quiet: true });
    expect(hardhat.solidity.isSuccessfulBuildResult(built)).to.equal(true);
    const artifact = folder.at("artifacts/contracts/Stranger.sol/Stranger.json");
    const { bytecode } = JSON.parse(fs.readFileSync(artifact, "utf8")) as { readonly bytecode: string };
    expect(bytecode.length).to.be.greaterThan(1000);
  });

  const documented = [...fs.readFileSync("docs/sdk.md", "utf8").matchAll(/```js\n(.*?)```/gs)].map(
    (m) => m[1] as string,
  );
  for (const [version, binary] of nodes()) {
    it(`does on Node ${version} what docs/sdk.md shows`, async () => {
      expect(documented).to.have.length(2);
      fs.writeFileSync(folder.at("ask.js"), documented[0] as string);
      const asked = await run(binary, ["ask.js"], env);
      expect(asked.code, asked.said).to.equal(0);
      expect(asked.out).to.match(/^made\n(claimed\n)?fulfilled\n\[[^\]]*\] true 0x/);
      expect(asked.out).to.contain(WALLETS[2].address);
      fs.writeFileSync(folder.at("relay.js"), documented[1] as string);
      const relayed = await run(binary, ["relay.js"], env);
      expect([relayed.code, relayed.out], relayed.said).to.deep.equal([0, "proof\n"]);
    });
  }

  it("asks and verifies in a page, bundled, against the chain's endpoint as it is", async function () {
    const opened = await openBrowser();
    if (typeof opened === "string") {
      if (process.env["CI"] !== undefined) throw new Error(opened);
      return this.skip();
    }
    const browser: Browser = opened;
    fs.writeFileSync(folder.at("page.js"), PAGE);
    const { outputFiles, warnings } = await build({
      ...{ entryPoints: [folder.at("page.js")], absWorkingDir: folder.path, bundle: true, minify: true, write: false },
      ...{ format: "iife", platform: "browser", target: "es2022", logLevel: "silent" },
    });
    expect(warnings).to.deep.equal([]);
    const script = outputFiles[0]?.text ?? "";
    expect(script.length).to.be.lessThan(1_500_000);
    const html = "<!doctype html><script src=/page.js></script>";
    const site = await serve((name) => ({ text: name === "/page.js" ? script : html }), false);
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on("pageerror", (event) => wrong.push(event.message ?? ""));
    try {
      await page.goto(`${site.address}/index.html`);
      type Asking = { ask(of: typeof env): Promise<Record<"kinds" | "reals" | "verified" | "buffer", unknown>> };
      const done = await page.evaluate((of) => (globalThis as unknown as Asking).ask(of), env);
      expect(wrong).to.deep.equal([]);
      expect(done).to.deep.include({ verified: "proof", buffer: "undefined" });
      expect(done["kinds"]).to.include.members(["made", "fulfilled"]);
      expect(done["reals"]).to.be.an("array").with.length.above(0);
    } finally {
      await page.close();
      await browser.close();
      await site.close();
    }
  });
});
