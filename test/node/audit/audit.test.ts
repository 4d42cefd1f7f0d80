// What a publisher can declare on chain beside a package that is in order, and what an audit must say to it. The chain is a
// table of answers; a real one is in test/e2e/way.test.ts.
import { expect } from "chai";
import fs from "node:fs";
import path from "node:path";
import { audit, type AuditReport } from "../../../node/audit/audit.ts";
import type { ChainClient, ModelRecord } from "../../../node/chain/client.ts";
import { challenge, keccak, keyHash, modelId } from "../../../node/chain/codec.ts";
import { bindingOf, claimOf } from "../../../node/circuit/claim.ts";
import { type Address, Evidence, type Hex, type RequestId, type VerifyingKey } from "../../../node/core/domain.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { type BorderTensor, byteLengthOf, decodeTensors, encodeTensors } from "../../../node/core/tensor.ts";
import { requantizer } from "../../../node/app/cli/audit.ts";
import { modelFacts } from "../../../node/app/cli/register.ts";
import { openModel, type OpenModel } from "../../../node/app/model.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import { canonicalJson, type Json } from "../../../node/proof/json.ts";
import { MANIFEST, type Manifest } from "../../../node/proof/manifest.ts";
import { compiledExample, compiledSeveral } from "../../support/packages.ts";
import { prove, TRAPDOOR, verifyingKeyOf } from "../../support/trapdoor.ts";

const PUBLISHER = "0x00000000000000000000000000000000000000A1" as Address;
const PROVER = "0x00000000000000000000000000000000000000B2" as Address;
const COORDINATOR = "0x00000000000000000000000000000000000000C3" as Address;
const REQUEST = `0x${"11".repeat(32)}` as RequestId;
const HASH: Hex = `0x${"22".repeat(32)}`;

interface Loose {
  readonly inputs: object[];
  readonly outputs: object[];
}

/** A chain on which the model is registered as given, and one request answered with a proof that holds under TRAPDOOR. */
function chainOf(model: OpenModel, over: Partial<ModelRecord>, key: VerifyingKey): ChainClient {
  const facts = { ...modelFacts(model), publisher: PUBLISHER, ...over, keyHash: keyHash(key) };
  const rest = { key: COORDINATOR, retired: false, registeredAt: 0, manifestURI: "" };
  const record: ModelRecord = { ...rest, ...facts };
  const id = modelId(record);
  const input = new Uint8Array(byteLengthOf(model.inputs)).fill(1);
  const tensors = evaluate(model.graph, decodeTensors(model.inputs, input));
  const output = encodeTensors(model.outputs, outputsOf(model.graph, tensors));
  const c = bindingOf(input, output);
  const claim = { chainId: 1n, contract: COORDINATOR, request: REQUEST, model: id, prover: PROVER, c, input, output };
  const r = challenge("claim", claim);
  const proof = prove(TRAPDOOR, { c, v: claimOf(input, output, r).v, r });
  const seen = { id: REQUEST, model: id, block: { number: 1, hash: HASH }, transaction: HASH };
  const evidence = Evidence.zk | (record.keyKind === "development" ? Evidence.developmentKey : 0);
  const environment: Hex = `0x${"0".repeat(64)}`;
  const terms = { requester: PUBLISHER, fee: 0n, deadline: 9, requiredEvidence: 1, allowDevelopmentKeys: true };
  const answers: Partial<ChainClient> = {
    chainId: 1n,
    coordinator: COORDINATOR,
    requested: async () => ({ ...seen, ...terms, input }),
    fulfilled: async () => ({ ...seen, prover: PROVER, evidence, environment, c, output, proof }),
    result: async () => ({ output, model: id, prover: PROVER, evidence, fulfilledAt: 1, environment }),
    requestOf: async () => ({ ...terms, model: id, inputHash: keccak(input), status: "fulfilled" }),
    modelOf: async () => record,
    keyOf: async () => key,
  };
  return answers as ChainClient;
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
    audit({ client: chainOf(model, over, key), request: REQUEST, fromBlock: 0, folder: model.package.folder });
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
    const client = chainOf(model, {}, key);
    const options = { client, request: REQUEST, fromBlock: 0, folder: model.package.folder };
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
      const client = chainOf(other, {}, model.package.vkey as VerifyingKey);
      const { checks } = await audit({ client, request: REQUEST, fromBlock: 0, folder });
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
