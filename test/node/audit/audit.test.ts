// What a publisher can declare on chain beside a package that is in order, and what an audit must say to it. The chain is a
// table of answers; a real one is in test/e2e/way.test.ts.
import { expect } from "chai";
import fs from "node:fs";
import path from "node:path";
import { audit, type AuditReport } from "../../../node/audit/audit.ts";
import type { ChainClient, ModelRecord } from "../../../node/chain/client.ts";
import { challenge, keyHash, modelId, seriesId } from "../../../node/chain/codec.ts";
import { draftRequest, requestId } from "../../../node/chain/request.ts";
import { bindingOf, claimOf } from "../../../node/circuit/claim.ts";
import { type Address, Evidence, type ModelId, type Hex, type VerifyingKey } from "../../../node/core/domain.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { type BorderTensor, byteLengthOf, decodeTensors, encodeTensors } from "../../../node/core/tensor.ts";
import { requantizer } from "../../../node/app/cli/audit.ts";
import { FREE, modelFacts } from "../../../node/app/cli/register.ts";
import { openModel, type OpenModel } from "../../../node/app/model.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { canonicalJson, type Json } from "../../../node/proof/json.ts";
import { MANIFEST, type Manifest } from "../../../node/proof/manifest.ts";
import { compiledExample, compiledSeveral } from "../../support/packages.ts";
import { prove, TRAPDOOR, verifyingKeyOf } from "../../support/trapdoor.ts";

const PUBLISHER = "0x00000000000000000000000000000000000000A1" as Address;
const PROVER = "0x00000000000000000000000000000000000000B2" as Address;
const COORDINATOR = "0x00000000000000000000000000000000000000C3" as Address;
const HASH: Hex = `0x${"22".repeat(32)}`;

interface Loose {
  readonly inputs: object[];
  readonly outputs: object[];
}

/** A chain on which the model is registered as given, and one request answered with a proof that holds under TRAPDOOR. */
function chainOf(model: OpenModel, over: Partial<ModelRecord>, key: VerifyingKey) {
  const series = seriesId(PUBLISHER, "series");
  const facts = { ...modelFacts(model, series, FREE), ...over, keyHash: keyHash(key) };
  const rest = {
    ...{ key: COORDINATOR, retired: false, registeredAt: 0, manifestURI: "", version: 1, successor: undefined },
    registrant: PUBLISHER,
  };
  const record: ModelRecord = { ...rest, ...facts };
  const id = modelId(record);
  const domain = { chainId: 1n, coordinator: COORDINATOR };
  const input = new Uint8Array(byteLengthOf(model.inputs)).fill(1);
  const tensors = evaluate(model.graph, decodeTensors(model.inputs, input));
  const output = encodeTensors(model.outputs, outputsOf(model.graph, tensors));
  const c = bindingOf(input, output);
  const terms = { requester: PUBLISHER, model: id, now: 1, fee: 5n, claimPeriod: 0, allowDevelopmentKeys: true };
  const { request } = draftRequest({ ...terms, from: { kind: "data", bytes: input } });
  const asked = requestId(domain, request);
  const claim = { chainId: 1n, contract: COORDINATOR, request: asked, model: id, prover: PROVER, c, input, output };
  const r = challenge("claim", claim);
  const proof = prove(TRAPDOOR, { c, v: claimOf(input, output, r).v, r });
  const seen = { id: asked, block: { number: 1, hash: HASH }, transaction: HASH };
  const evidence = Evidence.zk | (record.keyKind === "development" ? Evidence.developmentKey : 0);
  const environment: Hex = `0x${"0".repeat(64)}`;
  const answers: Partial<ChainClient> = {
    ...domain,
    requested: async () => ({ ...seen, request, input }),
    fulfilled: async () => ({ ...seen, model: id, price: 5n, prover: PROVER, evidence, environment, c, output, proof }),
    resultOf: async () => ({ output, model: id, prover: PROVER, evidence, fulfilledAt: 1, environment }),
    seriesOf: async () => ({
      owner: PUBLISHER,
      pendingOwner: undefined,
      keyKinds: ["development"],
      versions: 1,
      name: "series",
    }),
    modelOf: async () => record,
    keyOf: async () => key,
  };
  return { client: answers as ChainClient, request: asked };
}

describe("an audit with the model's package", function () {
  this.timeout(60_000);
  let model: OpenModel;
  before(async () => {
    const { package: pack } = await compiledExample("breast-cancer-mlp", { keys: true });
    model = await openModel(pack.folder, { keys: true });
  });
  after(() => model.close());

  const run = (over: Partial<ModelRecord>, key: VerifyingKey): Promise<AuditReport> =>
    audit({ ...chainOf(model, over, key), fromBlock: 0, folder: model.package.folder });
  const found = (report: AuditReport): string | undefined =>
    report.checks.find(({ name }) => name === "key and lengths")?.detail;

  it("fails where a key of the publisher's own is registered in place of the package's, all digests being right", async () => {
    const report = await run({ keyKind: "ceremony" }, verifyingKeyOf(TRAPDOOR));
    expect(report.checks.find(({ name }) => name === "package")?.outcome).to.equal("ok");
    expect(report.checks.find(({ name }) => name === "proof")?.outcome).to.equal("ok");
    expect(found(report)).to.contain("the verifying key").and.to.contain("the kind of key (here development)");
    expect(report.passed).to.equal(false);
    expect(report.answers.model).to.contain("NOT AS CLAIMED");
  });

  it("fails where the package's development key is registered as a ceremony's", async () => {
    const report = await run({ keyKind: "ceremony" }, model.package.vkey as VerifyingKey);
    expect(found(report)).to.match(/: the kind of key \(here development\)$/);
    expect(report.answers.model).to.contain("NOT AS CLAIMED");
  });

  it("fails where other lengths are registered than the model has", async () => {
    const lengths = { inputLength: byteLengthOf(model.inputs) + 1, outputLength: byteLengthOf(model.outputs) + 1 };
    const report = await run(lengths, model.package.vkey as VerifyingKey);
    expect(found(report)).to.match(/: the input's length, the output's length$/);
  });

  it("fails where other tensors are registered than the model has", async () => {
    const { tensors } = modelFacts(model, seriesId(PUBLISHER, "series"), FREE);
    const scaled = Uint8Array.from(tensors, (byte, i) => (i === 3 ? byte + 1 : byte)); // the first input's exponent
    const report = await run({ tensors: scaled }, model.package.vkey as VerifyingKey);
    expect(found(report)).to.match(/: the tensors' types, scales and shapes$/);
  });

  it("names publisher, version, royalty, successor and price, and how the price came about", async () => {
    const successor = `0x${"44".repeat(32)}` as ModelId;
    const report = await run({ royaltyBps: 250, successor, version: 3 }, model.package.vkey as VerifyingKey);
    expect(report.answers.model)
      .to.match(/version 3 of "series"; 2\.5 % of each price/)
      .and.to.contain(successor);
    const proven = await run({}, verifyingKeyOf(TRAPDOOR));
    expect(proven.answers.output).to.contain("for 5 wei").and.to.contain("and this audit did again");
    expect(proven.checks.find(({ name }) => name === "price")?.detail).to.contain("at the second of the answer");
  });

  it("fails where the price is not that of the second, nor of the claim", async () => {
    const scene = chainOf(model, {}, model.package.vkey as VerifyingKey);
    const paid = async (price: bigint): Promise<string | undefined> => {
      const seen = await scene.client.fulfilled(scene.request, 0);
      const client = { ...scene.client, fulfilled: async () => ({ ...seen!, price }) };
      const { checks } = await audit({ ...scene, client, fromBlock: 0 });
      return checks.find(({ name }) => name === "price")?.outcome;
    };
    expect([await paid(4n), await paid(5n), await paid(6n)]).to.deep.equal(["failed", "ok", "failed"]);
  });

  it("fails where the request's terms are not those that the id is the digest of", async () => {
    const scene = chainOf(model, {}, model.package.vkey as VerifyingKey);
    const seen = await scene.client.requested(scene.request, 0);
    const other = { ...seen!, request: { ...seen!.request, maxFee: 6n } };
    const client = { ...scene.client, requested: async () => other };
    const { checks } = await audit({ ...scene, client, fromBlock: 0 });
    expect(checks.find(({ name }) => name === "request")?.outcome).to.equal("failed");
  });

  it("finds nothing wrong with key and lengths where they are the package's", async () => {
    const report = await run({}, model.package.vkey as VerifyingKey);
    expect(found(report)).to.contain("the package has the key on chain");
    expect(report.checks.filter(({ question }) => question === "model").map(({ outcome }) => outcome)).not.to.contain("failed"); // prettier-ignore
  });
});

describe("an audit of a model of several inputs that was calibrated at random", function () {
  this.timeout(60_000);
  let model: OpenModel;
  before(async () => {
    const { package: pack } = await compiledSeveral({ keys: true });
    model = await openModel(pack.folder, { keys: true });
  });
  after(() => model.close());

  it("derives everything again from the package alone: dimensions, ranges, seed, types and widths are in the manifest", async () => {
    const key = model.package.vkey as VerifyingKey;
    const options = { ...chainOf(model, {}, key), fromBlock: 0, folder: model.package.folder };
    const report = await audit({ ...options, requantize: requantizer(undefined) });
    const outcomes = Object.fromEntries(report.checks.map(({ name, outcome }) => [name, outcome]));
    expect(outcomes).to.include({
      "key and lengths": "ok",
      "quantized ONNX derived again": "ok",
      "quantization done again": "ok",
      "circuit derived again": "ok",
      "key derived again": "ok",
      "model run again": "ok",
    });
  });

  it("fails where the manifest has another scale, name or order than the integer graph, its own digest being right", async () => {
    const folder = `${model.package.folder}-other`;
    const changes: Readonly<Record<string, (manifest: Loose) => void>> = {
      scale: ({ inputs }) => Object.assign(inputs[0] as object, { exponent: -12 }),
      name: ({ outputs }) => Object.assign(outputs[1] as object, { name: "other" }),
      order: ({ inputs }) => inputs.reverse(),
    };
    for (const [name, change] of Object.entries(changes)) {
      fs.cpSync(model.package.folder, folder, { recursive: true });
      const manifest = JSON.parse(fs.readFileSync(path.join(folder, MANIFEST), "utf8")) as Loose;
      change(manifest);
      fs.writeFileSync(path.join(folder, MANIFEST), canonicalJson(manifest as unknown as Json));
      const other = await openModel(folder, { keys: true });
      const scene = chainOf(other, {}, model.package.vkey as VerifyingKey);
      const { checks } = await audit({ ...scene, fromBlock: 0, folder });
      await other.close();
      expect(checks.find((check) => check.name === "package")?.outcome, name).to.equal("ok");
      const derived = checks.find((check) => check.name === "quantized ONNX derived again");
      expect(derived?.outcome, name).to.equal("failed");
      expect(derived?.detail, name).to.contain("other inputs or outputs than the integer graph");
    }
  });

  it("comes to another file, or to none, with any of them changed", async () => {
    const again = (change: Partial<Manifest>): Promise<unknown> => {
      const manifest = { ...model.package.manifest, ...change };
      return requantizer(undefined)({ ...model.package, manifest }, {}).catch((error: unknown) => error);
    };
    const { manifest } = model.package;
    const { calibration, choices, inputs, outputs } = manifest;
    const digest = manifest.files.quantized?.sha256;
    expect(await again({})).to.equal(digest);
    const [x, image, on] = inputs as [BorderTensor, BorderTensor, BorderTensor];
    const [y, label] = outputs as [BorderTensor, BorderTensor];
    const changes: Readonly<Record<string, Partial<Manifest>>> = {
      seed: { calibration: { ...calibration, from: "random:8" } },
      range: { calibration: { ...calibration, ranges: { x: [-1, 1] } } },
      dimension: { choices: { ...choices, dims: { n: 4 } } },
      "no dimension": { choices: { ...choices, dims: {} } },
      widths: { choices: { ...choices, widths: { ...choices.widths, weights: 8, tensors: {} } } },
      "width of a tensor": { choices: { ...choices, widths: { ...choices.widths, tensors: { Gemm_y: 5 } } } },
      "type of an input": { inputs: [x, { ...image, type: { bits: 16, signed: true } }, on] },
      "exponent of an input": { inputs: [{ ...x, exponent: x.exponent + 1 }, image, on] },
      "exponent of an output": { outputs: [{ ...y, exponent: y.exponent + 1 }, label] },
      "name of an input": { inputs: [{ ...x, name: "z" }, image, on] },
      "name of an output": { outputs: [{ ...y, name: "z" }, label] },
    };
    for (const [name, change] of Object.entries(changes)) {
      const found = await again(change);
      expect(found, name).not.to.equal(digest);
      if (found instanceof Error) expect(found, name).to.be.instanceOf(NodeError);
    }
    expect(await again({ calibration: { ...calibration, from: "file" } }), "no data").to.equal(undefined);
  });
});
