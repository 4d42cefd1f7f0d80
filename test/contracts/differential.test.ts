// The same bytecode and calldata on two EVM implementations: same success, same gas, same logs, same answers. One story with
// every act of the market in it, good and bad, told to both; every other test's transactions are compared by shadowTally.ts.
import { expect } from "chai";
import { AbiCoder, toUtf8Bytes, type BaseContract } from "ethers";
import { Q } from "../../node/core/field.ts";
import {
  ALL,
  C,
  DEADLINE,
  FEE,
  INPUT,
  NATIVE,
  OUTPUT,
  START,
  ZERO_ID,
  flipped,
  openChain,
  send,
  seriesIdOf,
  view,
  withWord,
  type Answer,
  type Asked,
  type Chain,
  type Stage,
} from "../support/contracts.ts";
import { INPUT_KIND } from "../support/contractsRequest.ts";
import { bytesOf } from "../support/contractsVectors.ts";
import { differences, type Pair } from "../support/shadow.ts";
import { TRAPDOOR, trapdoorOf } from "../support/trapdoor.ts";

const GAS_LIMIT = 4_000_000n;
const LATER = START + 80_000;
const URI = toUtf8Bytes("ipfs://bafy/input.bin");
const [ACCEPT, REVERT] = [0, 1];

describe("a second EVM", function () {
  this.timeout(120_000);
  let chain: Chain;
  let s: Stage;
  let consumer: BaseContract;
  let coin: string;
  let asked: Asked[];
  let pairs: readonly Pair[];
  let accounts: Awaited<ReturnType<Chain["second"]["pairs"]>>["accounts"];
  /** Whether each transaction of the story was to succeed, in order. */
  let expected: boolean[];

  /** Sends what must succeed, and waits for it. */
  async function does(
    contract: BaseContract,
    name: string,
    args: readonly unknown[],
    by: keyof Stage["signers"],
    value = 0n,
  ) {
    await (await send(contract, name, args, { from: s.signers[by], value, gasLimit: GAS_LIMIT })).wait();
    expected.push(true);
  }
  /** Sends what must fail; without asking first, so that the failure gets into a block. */
  async function fails(
    contract: BaseContract,
    name: string,
    args: readonly unknown[],
    by: keyof Stage["signers"] = "prover",
  ) {
    const sent = send(contract, name, args, { from: s.signers[by], gasLimit: GAS_LIMIT });
    const failed = await sent.then(
      () => false,
      () => true,
    );
    expect(failed, `${name} was to fail`).to.equal(true);
    expected.push(false);
  }
  async function ask(over: Parameters<Stage["request"]>[0] = {}): Promise<Asked> {
    const one = await s.request(over);
    expected.push(true);
    asked.push(one);
    return one;
  }
  const argsOf = (a: Answer) => [a.r, s.answerArgs(a), a.prover] as const;
  const fulfils = (a: Answer, by: keyof Stage["signers"] = "prover") => does(s.coordinator, "fulfil", argsOf(a), by);
  const isRefused = (a: Answer) => fails(s.coordinator, "fulfil", argsOf(a));

  async function models(): Promise<void> {
    const { registry } = s;
    await fails(registry, "register", s.registration({ trapdoor: { ...TRAPDOOR, delta: TRAPDOOR.gamma } }).args);
    const open = s.registration({ from: s.signers.publisher, trapdoor: trapdoorOf("x", { ic: [1n, 0n, 1n, 1n] }) });
    await fails(registry, "register", open.args, "publisher");
    await does(registry, "createSeries", ["other", 3], "prover");
    const other = seriesIdOf(s.signers.prover.address, "other");
    const { args } = s.registration({ from: s.signers.prover, series: other });
    const [, facts, key, sample] = args;
    const word = (at: number): string => key.slice(2 + 64 * at, 66 + 64 * at);
    const swapped = key.replace(word(2) + word(3), word(3) + word(2));
    await fails(registry, "register", [other, facts, swapped, sample]);
    await fails(registry, "register", [other, facts, key, { ...sample, output: flipped(sample.output, 0) }]);
    await does(registry, "register", args, "prover");
    await does(registry, "offerSeries", [other, s.signers.rival.address], "prover");
    await fails(registry, "acceptSeries", [other], "stranger");
    await does(registry, "acceptSeries", [other], "rival");
  }

  async function money(): Promise<void> {
    const token = await s.deploy("PlainToken");
    coin = await token.getAddress();
    expected.push(true);
    for (const by of ["requester", "prover"] as const) {
      await does(token, "mint", [s.signers[by].address, 10n * FEE], by);
      await does(token, "approve", [s.coordinatorAddress, ALL], by);
    }
    await does(s.coordinator, "deposit", [NATIVE, s.signers.requester.address, 10n * FEE], "requester", 10n * FEE);
    await does(s.coordinator, "deposit", [coin, s.signers.requester.address, 3n * FEE], "requester");
    await does(s.coordinator, "authorise", [s.signers.stranger.address, NATIVE, FEE], "requester");
    await fails(s.coordinator, "withdraw", [NATIVE, s.signers.rival.address, 1n], "rival");
  }

  /** Requests of each kind and payment, answered by good proofs after bad ones. */
  async function answers(): Promise<void> {
    const first = await ask();
    const good = s.answer(first);
    for (let at = 0; at < 8; at++) await isRefused({ ...good, words: withWord(good.words, at, (w) => (w + 1n) % Q) });
    await isRefused({ ...good, words: withWord(good.words, 0, (w) => w + Q) });
    await isRefused({ ...good, words: Array<bigint>(8).fill(0n) });
    await isRefused({ ...good, output: flipped(OUTPUT, 3) });
    await isRefused({ ...good, c: C + 1n });
    await fulfils(good);
    await isRefused(good);
    await does(s.coordinator, "declareEnvironment", [`0x${"e1".repeat(32)}`], "prover");
    await fulfils(s.answer(await ask({ payment: "account" }), { blinding: { a: 99n, b: 98n } }), "stranger");
    await fulfils(s.answer(await ask({ token: coin })));
    await fulfils(s.answer(await ask({ token: coin, payment: "account", minFee: 1n, rampEnd: DEADLINE })));
    await fulfils(s.answer(await ask({ inputKind: INPUT_KIND.reference, origin: URI })));
    asked.push(await s.requestFor());
    expected.push(true);
    const draft = s.draft();
    await fails(s.coordinator, "requestFor", [draft, INPUT, await s.sign(draft, s.signers.rival)], "stranger");
    const source = await s.deploy("FixedSource");
    expected.push(true);
    await does(source, "set", [INPUT], "stranger");
    const origin = AbiCoder.defaultAbiCoder().encode(["address", "bytes"], [await source.getAddress(), "0x1234"]);
    await fulfils(s.answer(await ask({ inputKind: INPUT_KIND.source, origin, requiredEvidence: 17 })));
    const model = await s.another({ inputKinds: 1 << INPUT_KIND.private });
    expected.push(true);
    await fulfils(s.answer(await ask({ model, inputKind: INPUT_KIND.private, origin: URI })));
    const big = await s.another({ inputLength: 784, outputLength: 33 });
    expected.push(true);
    const input = bytesOf("input", 784);
    await fulfils(s.answer(await ask({ model: big, input }), { output: bytesOf("output", 33) }));
  }

  async function batches(): Promise<void> {
    const items: Answer[] = [];
    for (let i = 0; i < 5; i++) items.push(s.answer(await ask(), { blinding: { a: 7n + BigInt(i), b: 11n } }));
    const [one, two, ...rest] = items as [Answer, Answer, ...Answer[]];
    const sent = (batch: readonly Answer[]) => [batch.map((a) => a.r), batch.map(s.answerArgs), one.prover] as const;
    const bad = { ...two, words: withWord(two.words, 0, (w) => (w + 1n) % Q) };
    await does(s.coordinator, "fulfilBatch", sent([one, bad, ...rest]), "prover");
    await does(s.coordinator, "fulfilBatch", sent([two]), "stranger");
  }

  async function callbacks(): Promise<void> {
    consumer = await s.deploy("Consumer");
    expected.push(true);
    const called = { consumer: await consumer.getAddress(), callbackGas: 200_000 };
    await fulfils(s.answer(await ask(called)));
    await does(consumer, "behave", [REVERT], "stranger");
    const failing = await ask(called);
    await fulfils(s.answer(failing));
    await fails(s.coordinator, "retryCallback", [failing.r], "stranger");
    await does(consumer, "behave", [ACCEPT], "stranger");
    await does(s.coordinator, "retryCallback", [failing.r], "stranger");
  }

  /** Claims kept and broken, what is left over, and the end of a model. */
  async function endings(): Promise<void> {
    const { coordinator } = s;
    const kept = await ask();
    await fails(coordinator, "claim", [kept.r], "rival");
    await does(coordinator, "claim", [kept.r], "prover", FEE / 5n);
    await fails(coordinator, "fulfil", argsOf(s.answer(kept, { prover: s.signers.rival.address })), "rival");
    await fulfils(s.answer(kept));
    const early = await ask({ start: LATER, rampEnd: LATER });
    await does(coordinator, "cancel", [early.r], "requester");
    const [broken, dropped, left] = [await ask(), await ask(), await ask()];
    for (const { r } of [broken, dropped]) await does(coordinator, "claim", [r], "rival", FEE / 5n);
    await fails(coordinator, "cancel", [left.r], "requester");
    await chain.at(START + 40_000);
    await fulfils(s.answer(broken));
    await chain.at(DEADLINE);
    await fails(coordinator, "expire", [left.r], "stranger");
    await chain.at(DEADLINE + 10_000);
    await does(coordinator, "expire", [left.r], "stranger");
    await does(coordinator, "expire", [dropped.r], "stranger");
    await isRefused(s.answer(left));
    await does(coordinator, "withdraw", [NATIVE, s.signers.prover.address, ALL], "prover");
    await does(coordinator, "withdraw", [coin, s.signers.stranger.address, FEE], "prover");
    await does(s.registry, "retire", [s.model], "publisher");
    await fails(coordinator, "request", [s.draft({ token: coin, deadline: DEADLINE * 2 }), INPUT, 1], "requester");
  }

  before(async () => {
    chain = await openChain();
    s = await chain.stage();
    const base = await chain.second.pairs();
    expect(differences([...base.transactions, ...base.accounts])).to.deep.equal([]);
    [expected, asked] = [[], []];
    await models();
    await money();
    await answers();
    await batches();
    await callbacks();
    await endings();
    ({ transactions: pairs, accounts } = await chain.second.pairs());
  });

  it("agrees on the success, the gas and the logs of every transaction", () => {
    expect(differences(pairs)).to.deep.equal([]);
    expect(pairs.map(({ here }) => here.succeeded)).to.deep.equal(expected);
    expect(pairs.flatMap(({ there }) => there.logs)).to.have.length.of.at.least(60);
  });

  it("agrees on nonce, balance, code and storage of every account in it", () => {
    expect(differences(accounts)).to.deep.equal([]);
    expect(accounts.map(({ there }) => there.address)).to.include(s.coordinatorAddress.toLowerCase());
    expect(differences(accounts.map(({ here, there }) => ({ here, there: { ...there, storageHash: "0x" } })))).to.have.lengthOf(accounts.length); // prettier-ignore
  });

  it("would not agree if a status, a unit of gas or a bit of a log were another", () => {
    const { here, there } = pairs.find((pair) => pair.there.logs.length > 0) as Pair;
    const [log, ...logs] = there.logs as [Pair["there"]["logs"][number], ...Pair["there"]["logs"]];
    for (const other of [
      { ...there, succeeded: false },
      { ...there, gasUsed: there.gasUsed + 1n },
      { ...there, logs },
      { ...there, logs: [{ ...log, data: `${log.data}00` }, ...logs] },
      { ...there, refused: "no funds" },
    ]) {
      expect(differences([{ here, there: other }])).to.have.lengthOf(1);
    }
    expect(differences([{ here, there }])).to.have.lengthOf(0);
  });

  it("agrees on every answer of the views", async () => {
    const { coordinator, registry, verifier } = s;
    const { requester, prover } = s.signers;
    const first = asked[0] as Asked;
    const { key } = (await view(registry, "headOf", [s.model])) as { key: string };
    const words = s.answer(first).words;
    const direct = s.answer(first, { domain: "direct", requestId: ZERO_ID, prover: prover.address });
    const { input, output, c } = direct;
    const calls: [BaseContract, string, unknown[]][] = [
      ...["modelOf", "headOf", "keyOf", "tensorsOf", "publisherOf"].map((name): [BaseContract, string, unknown[]] => [
        registry,
        name,
        [s.model],
      ]),
      [registry, "seriesOf", [s.series]],
      [registry, "modelAt", [1]],
      [registry, "modelAt", [99]],
      [verifier, "verify", [key, words, [1n, 2n, 3n]]],
      [verifier, "verify", [requester.address, words, [1n, 2n, 3n]]],
      [coordinator, "balanceOf", [prover.address, coin]],
      [coordinator, "allowance", [requester.address, s.signers.stranger.address, NATIVE]],
      [coordinator, "environmentOf", [prover.address]],
      [coordinator, "verifyInference", [s.model, input, output, c, direct.words]],
      [coordinator, "verifyInference", [s.model, input, output, c + 1n, direct.words]],
      [coordinator, "supportsInterface", ["0x01ffc9a7"]],
    ];
    for (const { id, r } of asked) {
      for (const name of ["resultOf", "callbackPending"]) calls.push([coordinator, name, [id]]);
      for (const name of ["idOf", "statusOf", "claimOf"]) calls.push([coordinator, name, [r]]);
      calls.push([coordinator, "quote", [r, START + 40_000]], [coordinator, "requireResult", [id, s.model, ALL]]);
    }
    for (const [contract, name, args] of calls) {
      const to = await contract.getAddress();
      const data = contract.interface.encodeFunctionData(name, args);
      const there = await chain.second.call(to, data, prover.address);
      const here = await chain.ethers.provider
        .call({ from: prover.address, to, data })
        .then((returned) => ({ reverted: false, data: returned }))
        .catch((error: { data?: string }) => ({ reverted: true, data: error.data }));
      expect(there, name).to.deep.equal(here);
    }
  });
});
