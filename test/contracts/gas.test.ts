// Gas of every transaction and size of every contract, against test/contracts/snapshots: gas.json for single acts, batch.json
// for batches by their length, size.json. Drift is a failure; UPDATE_SNAPSHOTS=1 writes the files anew, and the diff says what a change
// costs. The tables in the docs are made from these files.
import { expect } from "chai";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { keccak256, type ContractTransactionReceipt, type ContractTransactionResponse } from "ethers";
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import {
  CLAIM_PERIOD,
  DEADLINE,
  FEE,
  INPUT,
  START,
  modelFacts,
  openChain,
  seriesIdOf,
  send,
  view,
  type Answer,
  type Asked,
  type Asking,
  type Chain,
  type Sent,
  type Stage,
} from "../support/contracts.ts";
import { bytesOf } from "../support/contractsVectors.ts";

const FILE = new URL("snapshots/gas.json", import.meta.url);
const SIZE_FILE = new URL("snapshots/size.json", import.meta.url);
const BATCH_FILE = new URL("snapshots/batch.json", import.meta.url);
const LENGTHS = [1, 2, 4, 8, 16, 32, 64] as const;
const GAS_LIMIT = 16_000_000n;
const CALLBACK_GAS = 100_000;
const CONTRACTS: Readonly<Record<string, (s: Stage) => Promise<readonly string[]>>> = {
  ModelRegistry: () => Promise.resolve([]),
  InferenceCoordinator: async (s) => [s.registryAddress, await s.validator.getAddress()],
  Groth16Verifier: () => Promise.resolve([]),
  SignatureValidator: () => Promise.resolve([]),
  RequestRelay: (s) => Promise.resolve([s.coordinatorAddress]),
  ProverDirectory: () => Promise.resolve([]),
};

async function receiptOf(sent: ContractTransactionResponse | Promise<ContractTransactionResponse>) {
  return (await (await sent).wait()) as ContractTransactionReceipt;
}
const gasOf = async (sent: ContractTransactionResponse | Sent): Promise<number> =>
  Number((await receiptOf(sent)).gasUsed);

/** Zero bytes cost 12 less, and how many there are in the metadata's hash hangs on every comment: count them as others. */
const zeroBytes = (data: string): number => (data.match(/../g) ?? []).filter((byte) => byte === "00").length;

type Figures = Record<string, number>;

/** Of every contract that can be deployed, examples and adapters too. */
function sizes(): Figures {
  const found: Figures = {};
  for (const file of readdirSync("artifacts/contracts", { recursive: true, encoding: "utf8" }).sort()) {
    if (!file.endsWith(".json") || !existsSync(`contracts/${path.dirname(file)}`)) continue;
    const { contractName, deployedBytecode } = JSON.parse(readFileSync(`artifacts/contracts/${file}`, "utf8")) as {
      readonly contractName: string;
      readonly deployedBytecode: string;
    };
    const isLibrary = file.startsWith("libraries/");
    if (deployedBytecode.length > 2 && !isLibrary) found[contractName] = deployedBytecode.length / 2 - 1;
  }
  return found;
}

async function deployments(chain: Chain, gas: Figures): Promise<void> {
  const s = await chain.stage();
  for (const [name, argsOf] of Object.entries(CONTRACTS)) {
    const contract = await s.deploy(name, ...(await argsOf(s)));
    const deployment = contract.deploymentTransaction() as ContractTransactionResponse;
    gas[`deploy ${name}`] = (await gasOf(deployment)) + 12 * zeroBytes(deployment.data);
  }
}

async function models(chain: Chain, gas: Figures): Promise<void> {
  const s = await chain.stage();
  const { stranger } = s.signers;
  gas["createSeries"] = await gasOf(send(s.registry, "createSeries", ["gas", 3], { from: stranger }));
  gas["register"] = await gasOf(s.register({ from: stranger, series: seriesIdOf(stranger.address, "gas") }));
  gas["retire"] = await gasOf(send(s.registry, "retire", [s.model], { from: s.signers.publisher }));
}

/** Requests: paid directly, from an account, signed; cancelled, expired. */
async function asking(chain: Chain, gas: Figures): Promise<void> {
  const s = await chain.stage();
  const { requester } = s.signers;
  gas["request, paid directly, 64 bytes"] = await gasOf((await s.request()).sent);
  const { id: model } = s.registration({ facts: modelFacts({ inputLength: 784, outputLength: 40 }) });
  await s.another({ inputLength: 784, outputLength: 40 });
  const input = bytesOf("input", 784);
  gas["request, paid directly, 784 bytes"] = await gasOf((await s.request({ model, input })).sent);
  gas["deposit, an account's first"] = await gasOf(s.deposit(requester, 10n * FEE));
  gas["deposit"] = await gasOf(s.deposit(requester, 10n * FEE));
  gas["request, from an account, 64 bytes"] = await gasOf((await s.request({ payment: "account" })).sent);
  gas["requestFor, a key's signature, 64 bytes"] = await gasOf((await s.requestFor()).sent);
  gas["withdraw, a part"] = await gasOf(s.withdraw(requester, requester.address, FEE));
  const later = await s.request({ start: START + 80_000, rampEnd: START + 80_000 });
  gas["cancel"] = await gasOf(s.cancel(later));
  const left = await s.request();
  await chain.at(DEADLINE + 1);
  gas["expire"] = await gasOf(s.expire(left));
}

/** Answers: direct, claimed, late, with a callback, of 784 bytes. */
async function answering(chain: Chain, gas: Figures): Promise<void> {
  const s = await chain.stage();
  const { prover, rival } = s.signers;
  const facts = { inputLength: 784, outputLength: 40 };
  const { id: model } = s.registration({ facts: modelFacts(facts) });
  await s.another(facts);
  const input = bytesOf("input", 784);
  const [first, next, declared] = [await s.request(), await s.request(), await s.request()];
  const [claimed, late] = [await s.request(), await s.request()];
  const ramp = await s.request({ minFee: 1n, rampEnd: DEADLINE });
  const long = await s.request({ model, input });
  const address = await (await s.deploy("Consumer")).getAddress();
  const called = await s.request({ consumer: address, callbackGas: CALLBACK_GAS });
  const nobody = await s.request({ consumer: rival.address, callbackGas: CALLBACK_GAS });
  await s.deposit(rival, 10n * FEE);

  await chain.at(START + 3600);
  gas["fulfil, prover's first credit, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(first)));
  gas["fulfil, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(next)));
  gas["fulfil, payer's first refund, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(ramp)));
  gas["fulfil, 784 to 40 bytes"] = await gasOf(s.fulfil(s.answer(long, { output: bytesOf("output", 40) })));
  gas["declareEnvironment, first"] = await gasOf(
    send(s.coordinator, "declareEnvironment", [keccak256("0x01")], { from: prover }),
  );
  gas["fulfil, environment declared, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(declared)));
  gas["claim, collateral sent along"] = await gasOf(s.claim(claimed, prover, FEE));
  gas["claim, collateral from the account"] = await gasOf(s.claim(late, rival));
  gas["fulfil, claimed, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(claimed)));
  gas["fulfil, with a consumer that notes it, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(called)));
  gas["fulfil, consumer without code, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(nobody)));
  await chain.helpers.setCode(rival.address, await s.ethers.provider.getCode(address));
  gas["retryCallback"] = await gasOf(s.retry(nobody));
  await chain.at(START + 3600 + CLAIM_PERIOD + 60);
  gas["fulfil, after another's claim, 64 to 20 bytes"] = await gasOf(s.fulfil(s.answer(late)));
  gas["withdraw"] = await gasOf(s.withdraw(prover));
}

async function verifying(chain: Chain, gas: Figures): Promise<void> {
  const s = await chain.stage();
  const asked = await s.request();
  const { key } = (await view(s.registry, "headOf", [s.model])) as { key: string };
  const { prover, c, words, output } = s.answer(asked);
  const harness = await s.deploy("ClaimHarness");
  const args = [false, s.coordinatorAddress, asked.id, s.model, prover, c, INPUT, output];
  const signals = (await view(harness, "signals", args)) as bigint[];
  gas["verify, as a transaction"] = Number(
    await s.verifier.getFunction("verify").estimateGas(key, words, [...signals]),
  );
  gas["fingerprint of 784 and 20 bytes, within a call"] = Number(
    await view(harness, "fingerprintGas", [bytesOf("input", 784), bytesOf("output", 20), 3n]),
  );
}

/** Requests of as many requesters as there are, at a flat fee; the prover and the publisher have accounts. */
async function bookings(s: Stage, k: number, over: Partial<Asking> = {}): Promise<readonly Asked[]> {
  const everybody = await s.ethers.getSigners();
  const asked: Asked[] = [];
  for (let i = 0; i < k; i++) {
    asked.push(await s.request({ from: everybody[i % everybody.length] as HardhatEthersSigner, ...over }));
  }
  for (const who of [s.signers.prover, s.signers.publisher]) await s.deposit(who, 1n);
  return asked;
}
const answersTo = (s: Stage, asked: readonly Asked[]): Answer[] =>
  asked.map((a, i) => s.answer(a, { blinding: { a: 7n + BigInt(i), b: 11n + 2n * BigInt(i) } }));

async function batchOf(s: Stage, answers: readonly Answer[], fulfilled: number): Promise<number> {
  const args = [answers.map(({ r }) => r), answers.map(s.answerArgs), s.signers.prover.address];
  const sent = send(s.coordinator, "fulfilBatch", args, { from: s.signers.prover, gasLimit: GAS_LIMIT });
  const receipt = await receiptOf(sent);
  const names = receipt.logs.map((log) => s.coordinator.interface.parseLog(log)?.name);
  expect(names.filter((name) => name === "Fulfilled")).to.have.lengthOf(fulfilled);
  expect(names.filter((name) => name === "ItemSkipped")).to.have.lengthOf(answers.length - fulfilled);
  return Number(receipt.gasUsed);
}

interface Row {
  readonly items: number;
  readonly total: number;
  readonly each: number;
}
type Table = Record<string, Row[]>;

async function batches(chain: Chain): Promise<Table> {
  const table: Table = { "flat fee, native coin": [], "and a royalty": [] };
  const row = (name: string, items: number, total: number): void => {
    table[name]?.push({ items, total, each: Math.round(total / items) });
  };
  for (const k of LENGTHS) {
    const s = await chain.stage();
    row("flat fee, native coin", k, await batchOf(s, answersTo(s, await bookings(s, k)), k));
  }
  for (const k of LENGTHS) {
    const s = await chain.stage();
    const model = await s.another({ royaltyBps: 2_500 });
    row("and a royalty", k, await batchOf(s, answersTo(s, await bookings(s, k, { model })), k));
  }
  const bad: Readonly<Record<string, (i: number) => boolean>> = {
    "the first": (i) => i === 0,
    "the last": (i) => i === 31,
    "every second": (i) => i % 2 === 1,
    all: () => true,
  };
  for (const [name, isBad] of Object.entries(bad)) {
    const s = await chain.stage();
    const answers = answersTo(s, await bookings(s, 32));
    const mixed = answers.map((a, i) => (isBad(i) ? { ...a, words: answers[(i + 1) % 32]?.words ?? [] } : a));
    table[`bad proofs among 32: ${name}`] = [];
    row(`bad proofs among 32: ${name}`, 32, await batchOf(s, mixed, answers.filter((_, i) => !isBad(i)).length));
  }
  const s = await chain.stage();
  const answers = answersTo(s, await bookings(s, 32));
  await batchOf(s, answers, 32);
  table["32 that were fulfilled before"] = [];
  row("32 that were fulfilled before", 32, await batchOf(s, answers, 0));
  return table;
}

describe("gas and size", () => {
  const gas: Figures = {};
  let table: Table;
  before(async function () {
    this.timeout(120_000);
    const chain = await openChain();
    for (const part of [deployments, models, asking, answering, verifying]) await part(chain, gas);
    table = await batches(chain);
    if (process.env["UPDATE_SNAPSHOTS"] === "1") {
      writeFileSync(FILE, `${JSON.stringify(gas, null, 2)}\n`);
      writeFileSync(SIZE_FILE, `${JSON.stringify(sizes(), null, 2)}\n`);
      writeFileSync(BATCH_FILE, `${JSON.stringify(table, null, 2)}\n`);
    }
  });

  it("is what the snapshots say", () => {
    expect(gas).to.deep.equal(JSON.parse(readFileSync(FILE, "utf8")));
    expect(sizes()).to.deep.equal(JSON.parse(readFileSync(SIZE_FILE, "utf8")));
    expect(table).to.deep.equal(JSON.parse(readFileSync(BATCH_FILE, "utf8")));
  });

  it("keeps a fulfilment of 64 to 20 bytes below 330,000 without a callback, whatever is paid by it", () => {
    const names = Object.keys(gas).filter((name) => /^fulfil.*64 to 20/.test(name) && !name.includes("consumer"));
    expect(names).to.have.lengthOf(6);
    for (const name of names) expect(gas[name], name).to.be.lessThan(330_000);
  });

  it("keeps each of a batch of 32 below 95,000, all in, and each of 64 below that", () => {
    const [plain = []] = [table["flat fee, native coin"]];
    const each = (k: number): number => plain.find(({ items }) => items === k)?.each ?? Infinity;
    expect(each(32)).to.be.lessThan(95_000);
    expect(each(64)).to.be.lessThan(each(32));
  });

  it("keeps the worst batch within the gas of a transaction (EIP-7825)", () => {
    for (const [name, rows] of Object.entries(table)) {
      for (const { total } of rows) expect(total, name).to.be.lessThan(2 ** 24);
    }
  });

  it("keeps every contract below the 24,576 bytes of EIP-170", () => {
    for (const [name, size] of Object.entries(sizes())) expect(size, name).to.be.lessThan(24_576);
  });
});
