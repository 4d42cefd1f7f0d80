// A whole node over a real (tiny) model: the quantized ONNX file in onnxruntime, circuit, development key, snarkjs' proof,
// chain behind HTTP. And the lock of its data folder.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { planOf } from "../../../node/app/artifacts.ts";
import { loadConfig } from "../../../node/app/config.ts";
import { lock, type NodeOptions, startNode } from "../../../node/app/daemon.ts";
import { silentLog } from "../../../node/app/observe.ts";
import { statement } from "../../../node/app/environment.ts";
import type { Package } from "../../../node/app/model.ts";
import { openPorts } from "../../../node/app/wiring.ts";
import { type ChainClient, connect } from "../../../node/chain/client.ts";
import { challenge, keyHash } from "../../../node/chain/codec.ts";
import { httpRpc } from "../../../node/chain/rpc.ts";
import { draftRequest, ZERO_HASH } from "../../../node/chain/request.ts";
import { deploy } from "../../../node/chain/deploy.ts";
import { openSeries, register, request, type Wait } from "../../../node/chain/write.ts";
import { modelId } from "../../../node/chain/codec.ts";
import { buildCircuit } from "../../../node/circuit/build.ts";
import { describeTensors } from "../../../node/core/described.ts";
import type { Digest, ModelId, VerifyingKey } from "../../../node/core/domain.ts";
import { NodeError } from "../../../node/core/errors.ts";
import type { Closed, Job } from "../../../node/job/job.ts";
import { emit } from "../../../node/model/emit.ts";
import { bordersOf, type Graph } from "../../../node/model/ir.ts";
import { sha256 } from "../../../node/proof/files.ts";
import { openProver } from "../../../node/proof/prover.ts";
import { makeDevelopmentKey } from "../../../node/proof/setup.ts";
import { senderOf, WALLETS } from "../../support/chain.ts";
import { servedChain } from "../../support/chainEmbedded.ts";
import { hastyClock, memoryJournal, watch } from "../../support/fakes.ts";

/** y = x W + b of four bytes, as two int16. */
const GRAPH: Graph = {
  nodes: [
    { op: "input", name: "x", shape: [1, 4], border: { name: "x", shape: [1, 4], type: { bits: 8, signed: false }, exponent: 0 } }, // prettier-ignore
    { op: "dense", name: "y", shape: [1, 2], x: 0, weights: Int32Array.of(1, -2, 3, 4, -5, 6, 7, -8), bias: Float64Array.of(9, -10) }, // prettier-ignore
  ],
  outputs: [{ ref: 1, border: { name: "y", shape: [1, 2], type: { bits: 16, signed: true }, exponent: 0 } }],
};
const INPUT = Uint8Array.of(1, 2, 3, 255);
/** 1+6-15+1785+9 and -2+8+18-2040-10 */
const OUTPUT = Uint8Array.of(0x06, 0xfa, 0xf8, 0x16);

describe("a whole node", function () {
  this.timeout(120_000);
  let folder: string;
  let chain: Awaited<ReturnType<typeof servedChain>>;
  let client: ChainClient;
  let pack: Package;
  let vkey: VerifyingKey;
  let startBlock: number;
  const wait = async (n: 0 | 1): Promise<Wait> => ({ sender: await senderOf(httpRpc(chain.url), WALLETS[n]), clock: hastyClock() }); // prettier-ignore

  before(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-node-"));
    const [r1cs, zkey] = [path.join(folder, "circuit.r1cs"), path.join(folder, "key.zkey")];
    const circuit = await buildCircuit(GRAPH, { file: r1cs });
    ({ vkey } = await makeDevelopmentKey({ r1cs, zkey }));
    const onnx = emit(GRAPH).bytes;
    const digests = { quantizedDigest: sha256(onnx), circuitDigest: circuit.sha256 as string };
    pack = { name: "tiny", graph: GRAPH, onnx, claim: "public", zkey, keyHash: keyHash(vkey), ...digests };
    chain = await servedChain();
    const { coordinator, block } = await deploy(planOf("artifacts"), httpRpc(chain.url), await wait(0));
    client = await connect({ rpc: chain.url, coordinator });
    startBlock = block;
    fs.writeFileSync(path.join(folder, "prover.key"), WALLETS[2].privateKey, { mode: 0o600 });
  });
  after(async () => {
    await chain.close();
    fs.rmSync(folder, { recursive: true });
  });

  async function registered() {
    const publisher = await wait(0);
    const model = {
      sourceDigest: sha256("source"),
      quantizedDigest: pack.quantizedDigest as Digest,
      circuitDigest: pack.circuitDigest as Digest,
      manifestDigest: sha256("manifest"),
      keyKind: "development" as const,
      inputLength: 4,
      outputLength: 4,
      series: await openSeries(client, "tiny", ["development"], publisher),
      inputKinds: ["data"] as const,
      collateralBps: 0,
      royaltyBps: 0,
      tensors: describeTensors(bordersOf(GRAPH)),
    };
    const prover = publisher.sender.address;
    const id = modelId({ ...model, keyHash: keyHash(vkey) });
    const served = { id, name: pack.name, inputLength: 4, outputLength: 4, privateInput: false, estimateMs: 0 };
    const snark = await openProver();
    const facts = { ...model, keyHash: keyHash(vkey) };
    const padded = { ...facts, outputLength: 5 }; // its zero bytes are in the word already: registers, but no answer fits
    const recordOf = async (asked: ModelId) => (asked === id ? facts : padded) as never;
    const ports = openPorts([pack], { modelOf: recordOf }, snark, 0, silentLog);
    const { signal } = new AbortController();
    expect(await ports.models.served(ZERO_HASH as ModelId, signal)).to.equal(undefined);
    expect(await ports.models.served(id, signal)).to.deep.equal(served);
    const { output, c } = await ports.infer.run(served, { bytes: INPUT }, signal);
    expect(output).to.deep.equal(OUTPUT);
    const { chainId, registry } = client;
    const r = challenge("sample", {
      chainId,
      contract: registry,
      request: ZERO_HASH,
      model: id,
      prover,
      c,
      input: INPUT,
      output,
    });
    const { proof } = await ports.proving.prove({ model: served, input: { bytes: INPUT }, output, c, r }, signal);
    const other = Uint8Array.from(output, (byte, i) => (i === 0 ? byte ^ 1 : byte));
    const lie: unknown = await ports.proving
      .prove({ model: served, input: { bytes: INPUT }, output: other, c, r }, signal)
      .catch((error: unknown) => error);
    expect(lie).to.be.instanceOf(NodeError).with.property("code", "integrity");
    await ports.close();
    const done = await register(
      client,
      { model, manifestURI: "", key: vkey, sample: { input: INPUT, output, c, proof } },
      publisher,
    );
    expect(done.id).to.equal(id);
    return id;
  }

  it("answers a request with a real proof, tells its status, and stops clean", async () => {
    const model = await registered();
    const config = loadConfig({
      env: {},
      cwd: folder,
      over: {
        dataDir: "data",
        rpcUrl: chain.url,
        coordinator: client.coordinator,
        startBlock,
        confirmations: 0,
        packages: ["tiny"],
        keyFile: "prover.key",
        pollSeconds: 0.1,
      },
    });
    const journal = memoryJournal();
    const seen = watch();
    const options: NodeOptions = { packages: [pack], log: journal, onStored: seen.onStored };
    const node = await startNode(config, options);
    const again: unknown = await startNode(config, options).catch((error: unknown) => error);
    expect(again, "a second node on the same folder").to.be.instanceOf(NodeError).with.property("code", "environment");

    const requester = await wait(1);
    const drafted = draftRequest({
      requester: requester.sender.address,
      model,
      from: { kind: "data", bytes: INPUT },
      now: (await client.head()).time,
      fee: 1n,
      allowDevelopmentKeys: true,
    });
    const asked = await request(client, drafted, { payment: "direct" }, requester);
    const job: Job = await seen.until(({ state }) => state === "closed");
    expect((job as Closed).reason.kind).to.equal("fulfilled");
    const result = await client.resultOf(asked.seen.id);
    const environment = statement({ prover: "wasm" });
    const kernel = createHash("sha256").update(fs.readFileSync("node/groth16/kernel.wasm")).digest("hex");
    expect(JSON.parse(environment.text)).to.deep.include({ prover: "wasm", kernel });
    expect(JSON.parse(statement({ prover: "snarkjs" }).text)).not.to.have.property("kernel");
    expect(result).to.deep.include({
      output: OUTPUT,
      prover: WALLETS[2].address,
      evidence: 9,
      environment: environment.digest,
    });
    expect(fs.readFileSync(path.join(config.dataDir, "environment.json"), "utf8")).to.equal(environment.text);
    const fulfilled = await client.fulfilled(asked.seen.id, startBlock);
    expect(fulfilled?.proof).to.deep.equal((job as Closed).answer?.proof);

    const status = await node.status();
    expect(status).to.deep.include({ prover: WALLETS[2].address, packages: ["tiny"], trouble: undefined, active: [] });
    expect(status.jobs).to.deep.include({ closed: 1, accepted: 0 });
    expect(status.behind).to.be.at.most(1);
    await node.stop();
    await node.ended;
    expect(journal.lines.filter(({ level }) => level === "error" || level === "warn")).to.deep.equal([]);
    expect(fs.existsSync(path.join(config.dataDir, "lock"))).to.equal(false);
  });

  it("refuses to start without funds, with another registry, or where no contract is, and leaves no lock", async () => {
    const poor = path.join(folder, "poor.key");
    fs.writeFileSync(poor, `0x${"7".repeat(64)}`, { mode: 0o600 });
    const base = { dataDir: "empty", rpcUrl: chain.url, coordinator: client.coordinator, packages: ["x"], keyFile: "prover.key" }; // prettier-ignore
    const cases = [
      [{ keyFile: poor }, "chain", /no funds/],
      [{ registry: client.coordinator }, "input", /looks models up in/],
      [{ coordinator: WALLETS[0].address }, "chain", /no contract/],
      [{ rpcUrl: "http://127.0.0.1:9" }, "chain", /does not answer/],
    ] as const;
    for (const [over, code, message] of cases) {
      const config = loadConfig({ env: {}, cwd: folder, over: { ...base, ...over } });
      const thrown: unknown = await startNode(config, { packages: [], log: memoryJournal() }).catch((e: unknown) => e);
      expect(thrown).to.be.instanceOf(NodeError).with.property("code", code);
      expect((thrown as NodeError).message).to.match(message);
      expect(fs.existsSync(path.join(config.dataDir, "lock"))).to.equal(false);
    }
  });
});

describe("the lock of a data folder", () => {
  let folder: string;
  const file = (): string => path.join(folder, "lock");
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-lock-"))));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it("is taken once, and free again when it is released", () => {
    const release = lock(folder);
    expect(() => lock(folder)).to.throw(NodeError, new RegExp(`in use by process ${process.pid}`));
    release();
    lock(folder)();
    expect(fs.existsSync(file())).to.equal(false);
  });
  it("is held against a living process, and taken from a dead one", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const gone = new Promise((resolve) => child.once("exit", resolve));
    const stat = fs.readFileSync(`/proc/${child.pid}/stat`, "utf8");
    fs.writeFileSync(file(), `${child.pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`);
    expect(() => lock(folder)).to.throw(NodeError, /in use/);
    child.kill("SIGKILL");
    await gone;
    lock(folder)();
  });
  it("is taken from a process number that was given to another process since, and from a torn file", () => {
    for (const text of [`${process.pid} 1`, "", "rubbish"]) {
      fs.writeFileSync(file(), text);
      lock(folder)();
    }
  });
});
