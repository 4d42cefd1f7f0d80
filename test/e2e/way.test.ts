// The straight way with a real proof, on every EVM there is: a compiled model is registered, asked, run, proven, submitted,
// verified and stored by the real node on EDR and (where present) anvil; then every transaction of the EDR chain is replayed
// on @ethereumjs/vm, an implementation that shares no code with them. And what an auditor must notice, he notices.
import { expect } from "chai";
import { JsonRpcProvider } from "ethers";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { type AuditReport, audit } from "../../node/audit/audit.ts";
import { planOf } from "../../node/app/artifacts.ts";
import { requantizer } from "../../node/app/cli/audit.ts";
import { registerModel } from "../../node/app/cli/register.ts";
import { awaitResult } from "../../node/app/cli/request.ts";
import { loadConfig } from "../../node/app/config.ts";
import { startNode } from "../../node/app/daemon.ts";
import { inputOf, openModel, servedPackage } from "../../node/app/model.ts";
import { silentLog, systemClock } from "../../node/app/observe.ts";
import { type ChainClient, connect } from "../../node/chain/client.ts";
import { coordinatorAbi } from "../../node/chain/codec.ts";
import { httpRpc } from "../../node/chain/rpc.ts";
import { draftRequest, NOBODY } from "../../node/chain/request.ts";
import { deploy } from "../../node/chain/deploy.ts";
import { request, type Wait } from "../../node/chain/write.ts";
import { type Address, Evidence, type RequestId } from "../../node/core/domain.ts";
import { decodeTensors, splitFlat } from "../../node/core/tensor.ts";
import { toReals } from "../../node/model/border.ts";
import { readDataset } from "../../node/model/dataset.ts";
import { wasmProver } from "../../node/proof/prover.ts";
import { type ChainKind, type LocalChain, startChain } from "../../scripts/localchain.ts";
import { senderOf, WALLETS } from "../support/chain.ts";
import { replay } from "../support/evm.ts";
import { expectNear } from "../support/near.ts";
import { compiledExample, type Example } from "../support/packages.ts";

const NAME = "digits-mlp";
const calibrationOf = (name: Example): string => `models/${name}/calibration.npz`;
const CALIBRATION = calibrationOf(NAME);

interface Way {
  readonly chain: LocalChain;
  readonly client: ChainClient;
  readonly request: RequestId;
  readonly fromBlock: number;
  readonly folder: string;
  readonly statement: string;
}

async function goTheWay(chain: LocalChain, dataDir: string, name: Example = NAME): Promise<Way> {
  const rpc = httpRpc(chain.rpcUrl);
  const { package: pack } = await compiledExample(name, { keys: true });
  const waits = await Promise.all(
    WALLETS.slice(0, 2).map(async (wallet): Promise<Wait> => ({
      sender: await senderOf(rpc, wallet),
      clock: systemClock,
      pollMs: 20,
    })),
  );
  const [publisher, requester] = waits as [Wait, Wait];
  const deployed = await deploy(planOf("artifacts"), rpc, publisher);
  const client = await connect({ rpc, coordinator: deployed.coordinator });
  const model = await openModel(pack.folder, { keys: true });
  const prover = wasmProver();
  const silent = <T>(
    _: string,
    work: (call: { signal: AbortSignal; onProgress: () => void }) => Promise<T>,
  ): Promise<T> => work({ signal: new AbortController().signal, onProgress: () => undefined });
  const sample = await inputOf(model.inputs, `${calibrationOf(name)}#0`, (file) => file);
  const { id } = await registerModel({
    ...{ model, sample, client, prover },
    wait: publisher,
    manifestURI: "",
    policy: { collateralBps: 5000, royaltyBps: 250 },
    step: silent,
  });
  await prover.close();
  const asked = await inputOf(model.inputs, `models/${name}/test.npz#3`, (file) => file);
  await model.close();

  const keyFile = path.join(dataDir, "prover.key");
  fs.writeFileSync(keyFile, WALLETS[2].privateKey, { mode: 0o600 });
  const over = {
    dataDir,
    rpcUrl: chain.rpcUrl,
    coordinator: deployed.coordinator,
    confirmations: 0,
    packages: [pack.folder],
    keyFile,
    pollSeconds: 0.05,
    proofSeconds: 10,
    claim: "always",
  };
  const node = await startNode(loadConfig({ env: {}, cwd: dataDir, over }), {
    packages: [await servedPackage(pack.folder)],
    log: silentLog,
  });
  try {
    const { time } = await client.head();
    const drafted = draftRequest({
      requester: requester.sender.address,
      model: id,
      from: { kind: "data", bytes: asked },
      now: time,
      fee: { min: 10_000n, max: 12_345n, ramp: 0 },
      allowDevelopmentKeys: true,
    });
    const { seen } = await request(client, drafted, { payment: "direct" }, requester);
    await awaitResult(client, seen, { clock: systemClock, pollMs: 20, signal: AbortSignal.timeout(60_000) });
    const statement = fs.readFileSync(path.join(dataDir, "environment.json"), "utf8");
    return { chain, client, request: seen.id, fromBlock: deployed.block, folder: pack.folder, statement };
  } finally {
    await node.stop();
  }
}

const outcomes = (report: AuditReport): Record<string, string> =>
  Object.fromEntries(report.checks.map(({ name, outcome }) => [name, outcome]));

for (const kind of ["edr", "anvil"] as const satisfies readonly ChainKind[]) {
  describe(`the straight way on ${kind}`, function () {
    this.timeout(180_000);
    let way: Way;
    let dataDir: string;

    before(async function () {
      const chain = await startChain(kind).catch((error: unknown) => {
        if (kind === "edr") throw error;
      });
      if (chain === undefined) return this.skip(); // anvil is an optional package, for Linux on x64 only
      dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-way-"));
      way = await goTheWay(chain, dataDir);
    });
    after(async () => {
      await way?.chain.stop();
      if (dataDir !== undefined) fs.rmSync(dataDir, { recursive: true, force: true });
    });

    it("ends with a verified result, marked as of a development key, and everybody paid", async () => {
      const { client, request: id } = way;
      const result = await client.resultOf(id);
      expect(result?.prover).to.equal(WALLETS[2].address);
      expect(result?.evidence).to.equal(Evidence.zk | Evidence.developmentKey);
      // 2.5 % of 12345 wei are the publisher's; the prover has the rest, and its collateral of half the price back.
      expect(await client.balanceOf(WALLETS[0].address as Address, NOBODY)).to.equal(308n);
      expect(await client.balanceOf(WALLETS[2].address as Address, NOBODY)).to.equal(12_345n - 308n + 6172n);
      const claim = await client.claimed(id, way.fromBlock);
      expect(claim).to.include({ prover: WALLETS[2].address, price: 12_345n, collateral: 6172n });
    });

    it("passes an audit that derives model, circuit and key again and runs the model", async () => {
      const report = await audit({ ...way, requantize: requantizer(CALIBRATION) });
      const { "attested hardware": attested, ...others } = outcomes(report);
      expect(attested).to.equal("absent");
      expect([...new Set(Object.values(others))], JSON.stringify(report.checks)).to.deep.equal(["ok"]);
      expect(Object.keys(others)).to.have.length(16);
      expect(report.passed).to.equal(true);
      expect(report.answers.model).to.contain("DEVELOPMENT key");
      expect(report.answers.environment).to.contain("no attested hardware");
    });

    it("says what an audit without package and statement could not check", async () => {
      const { client, request: id, fromBlock } = way;
      const report = await audit({ client, request: id, fromBlock });
      expect(outcomes(report)).to.include({
        package: "absent",
        "environment statement": "absent",
        "model run again": "absent",
        proof: "ok",
      });
      expect(report.passed).to.equal(true);
    });

    if (kind === "anvil") return;

    it("fails the audit of another model's package, of another statement and of other calibration data", async () => {
      const other = await compiledExample("breast-cancer-mlp", { keys: true });
      const swapped = await audit({ ...way, folder: other.package.folder });
      expect(swapped.passed).to.equal(false);
      expect(outcomes(swapped)).to.include({ package: "failed", "circuit derived again": "failed", proof: "ok" });
      const restated = await audit({ ...way, statement: `${way.statement} ` });
      expect(outcomes(restated)["environment statement"]).to.equal("failed");
      expect(restated.passed).to.equal(false);
      const recalibrated = await audit({ ...way, requantize: requantizer(`models/${NAME}/test.npz`) });
      expect(outcomes(recalibrated)["quantization done again"]).to.equal("failed");
    });

    it("is the same, transaction by transaction, on an EVM that shares no code", async () => {
      const provider = new JsonRpcProvider(way.chain.rpcUrl);
      const { here, there, call } = await replay(provider);
      expect(there).to.deep.equal(here);
      expect(here.filter(({ succeeded }) => succeeded)).to.have.length.of.at.least(6);
      const data = coordinatorAbi.encodeFunctionData("resultOf", [way.request]);
      const answer = await call(way.client.coordinator, data);
      expect(answer.reverted).to.equal(false);
      expect(answer.data).to.equal(await provider.call({ to: way.client.coordinator, data }));
      provider.destroy();
    });
  });
}

/** What else an example answers, from its held-out sample 3: outputs in order, as reals. */
const ANSWERS: Readonly<Partial<Record<Example, (outputs: readonly (readonly number[])[], label: number) => void>>> = {
  "breast-cancer-forest": ([label = [], probabilities = []], expected) => {
    expect(label).to.deep.equal([expected]);
    expect(probabilities).to.have.length(2);
    expect(probabilities.indexOf(Math.max(...probabilities))).to.equal(expected);
    expectNear(probabilities[0]! + probabilities[1]!, 1, 1e-3);
  },
  "tiny-transformer": ([token = [], scores = []], expected) => {
    expect(token).to.deep.equal([expected]);
    expect(scores.indexOf(Math.max(...scores))).to.equal(expected);
  },
};

describe("the straight way of models with several outputs", function () {
  this.timeout(180_000);

  for (const name of Object.keys(ANSWERS) as Example[]) {
    it(`${name}: the chain holds label and scores, proven, and an audit derives all of it again`, async () => {
      const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-way-"));
      const chain = await startChain("edr");
      try {
        const way = await goTheWay(chain, dataDir, name);
        const { inputs, outputs } = (await compiledExample(name, { keys: true })).package.manifest;
        const bytes = (await way.client.resultOf(way.request))?.output as Uint8Array;
        const reals = splitFlat(outputs, toReals(outputs, decodeTensors(outputs, bytes)));
        const { labels = [] } = await readDataset(`models/${name}/test.npz`, inputs, { classes: true });
        ANSWERS[name]?.(
          reals.map((output) => [...output]),
          labels[3] as number,
        );
        const report = await audit({ ...way, requantize: requantizer(calibrationOf(name)) });
        expect(report.passed, JSON.stringify(report.checks)).to.equal(true);
        expect(outcomes(report)).to.include({ "quantization done again": "ok", "model run again": "ok", proof: "ok" });
      } finally {
        await chain.stop();
        fs.rmSync(dataDir, { recursive: true, force: true });
      }
    });
  }
});
