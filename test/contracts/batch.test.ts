// Batches: each item as fulfil would have it, whatever is beside it; one check of all proofs that no combination of bad ones
// passes; and gas that never runs out in between.
import { expect } from "chai";
import { concat, hexlify, type ContractTransactionReceipt } from "ethers";
import { Q, R } from "../../node/core/field.ts";
import {
  C,
  CLAIM_PERIOD,
  DEADLINE,
  FEE,
  INPUT,
  NOBODY,
  OUTPUT,
  START,
  flipped,
  send,
  view,
  withWord,
  type Answer,
  type Asked,
  type Asking,
  type Sent,
} from "../support/contracts.ts";
import { market } from "../support/contractsMarket.ts";
import { INPUT_KIND, STATUS } from "../support/contractsRequest.ts";
import { bytesOf } from "../support/contractsVectors.ts";
import {
  TRAPDOOR,
  bytesOfWords,
  g1,
  g1Sum,
  g2OutsideSubgroup,
  proofWords,
  prove,
  type G1,
} from "../support/trapdoor.ts";

const ENOUGH = 16_000_000n;
const LATER = START + 80_000;
const NOW = START + 5_000;
const [ACCEPT, BURN_GAS, REENTER] = [0, 4, 6];
const CALLBACK_GAS = 200_000;
const SEED = 0x5eed;

interface Outcome {
  readonly fulfilled: readonly string[];
  readonly skipped: Readonly<Record<string, string>>;
}

describe("fulfilBatch", () => {
  const m = market();

  const argsOf = (answers: readonly Answer[], prover = answers[0]?.prover) => [
    answers.map(({ r }) => r),
    answers.map(m.s.answerArgs),
    prover,
  ];
  const batch = (answers: readonly Answer[], gasLimit = ENOUGH): Sent =>
    send(m.s.coordinator, "fulfilBatch", argsOf(answers), { from: m.s.signers.stranger, gasLimit });
  async function outcomeOf(sent: Sent): Promise<Outcome> {
    const receipt = (await (await sent).wait()) as ContractTransactionReceipt;
    const events = receipt.logs.map((log) => m.s.coordinator.interface.parseLog(log));
    const named = (name: string) => events.flatMap((event) => (event?.name === name ? [event.args] : []));
    return {
      fulfilled: named("Fulfilled").map((args) => args["id"] as string),
      skipped: Object.fromEntries(
        named("ItemSkipped").map((args) => [args["id"], args["reason"]]),
      ) as Outcome["skipped"],
    };
  }
  async function ask(count: number, over: Partial<Asking> = {}): Promise<readonly Asked[]> {
    const asked: Asked[] = [];
    for (let i = 0; i < count; i++) asked.push(await m.s.request(over));
    return asked;
  }
  const answersTo = (asked: readonly Asked[]): Answer[] =>
    asked.map((a, i) => m.s.answer(a, { blinding: { a: 7n + BigInt(i), b: 11n + 2n * BigInt(i) } }));
  const answers = async (count: number, over: Partial<Asking> = {}): Promise<Answer[]> =>
    answersTo(await ask(count, over));
  const encoded = (name: string, ...args: unknown[]): string => m.s.coordinator.interface.encodeErrorResult(name, args);
  /** A proof that holds, of something else. */
  const wrong = (a: Answer): Answer => ({ ...a, words: m.s.answer(a, { output: flipped(OUTPUT, 0) }).words });
  /** The bytes that a call reverts with; undefined if it does not. */
  function revertOf(args: readonly unknown[], gasLimit = ENOUGH): Promise<string | undefined> {
    const data = m.s.coordinator.interface.encodeFunctionData("fulfilBatch", args);
    const call = { to: m.s.coordinatorAddress, data, gasLimit };
    return m.s.ethers.provider.call(call).then(
      () => undefined,
      (error: { data?: string }) => error.data ?? "no reason",
    );
  }

  it("leaves each request as fulfil leaves it, and pays the same", async () => {
    const model = await m.s.another({ royaltyBps: 1_001 });
    const terms = { model, minFee: 7n, maxFee: FEE, minCollateral: 3n, rampEnd: START + 10_000, deadline: DEADLINE };
    const asked = await ask(8, terms);
    const [single, many] = [asked.slice(0, 4), asked.slice(4)];
    const { prover, rival } = m.s.signers;
    // One open, one claimed by the prover, one by a rival in vain, in each four; all at the same two seconds.
    await m.s.deposit(prover, FEE);
    await m.s.deposit(rival, FEE);
    for (const [i, from] of [
      [1, prover],
      [2, rival],
    ] as const) {
      for (const four of [single, many]) await m.s.claim(four[i] as Asked, from);
    }
    await m.chain.helpers.time.increaseTo(START + 1_000 + CLAIM_PERIOD);
    const books = async (): Promise<bigint[]> => {
      const { owed } = await m.s.books();
      return ["prover", "rival", "requester", "publisher"].map((name) => owed[name] ?? 0n);
    };
    const before = await books();
    for (const each of single) await m.s.fulfil(m.s.answer(each));
    const between = await books();
    expect(await view(m.s.coordinator, "fulfilBatch", argsOf(answersTo(many)))).to.equal(4n);
    expect(await outcomeOf(batch(answersTo(many)))).to.deep.equal({ fulfilled: many.map(({ id }) => id), skipped: {} });
    const after = await books();
    // The rivals' prices and claims lie a second or two apart, and the price rises by some 10^11 a second.
    for (const [i, amount] of after.entries()) {
      const [first, second] = [(between[i] ?? 0n) - (before[i] ?? 0n), amount - (between[i] ?? 0n)];
      expect(Number(second - first) / 1e12, `account ${i}`).to.be.within(-5, 5);
    }
    for (const each of asked) {
      const { output, prover: by, evidence, model: of } = await m.s.resultOf(each);
      expect([output, by, evidence, of]).to.deep.equal([hexlify(OUTPUT), prover.address, 1n, model]);
      expect(await m.status(each)).to.equal(STATUS.fulfilled);
    }
  });

  it("says of each item what fulfil says of it", async () => {
    await send(m.s.coordinator, "declareEnvironment", [bytesOf("environment", 32)], { from: m.s.signers.prover });
    const [answer] = (await answers(1)) as [Answer];
    await expect(batch([answer]))
      .to.emit(m.s.coordinator, "Fulfilled")
      .withArgs(
        answer.id,
        m.s.model,
        answer.prover,
        FEE,
        1,
        hexlify(bytesOf("environment", 32)),
        C,
        hexlify(OUTPUT),
        answer.words,
      );
  });

  it("takes private inputs, and outputs longer than a slot", async () => {
    const model = await m.s.another({ inputKinds: 1 << INPUT_KIND.private, outputLength: 70 });
    const output = bytesOf("long", 70);
    const asked = await ask(2, { model, inputKind: INPUT_KIND.private, origin: "0x" });
    const both = asked.map((a) => m.s.answer(a, { output })) as [Answer, Answer];
    const { skipped } = await outcomeOf(batch([both[0], { ...both[1], c: C + 1n }]));
    const [first, second] = asked as [Asked, Asked];
    expect(skipped).to.deep.equal({ [second.id]: encoded("CommitmentMismatch", C + 1n, second.r.inputHash) });
    expect((await m.s.resultOf(first))["output"]).to.equal(hexlify(output));
  });

  describe("refuses as a whole", () => {
    it("lists that are empty, of two lengths or longer than 64", async () => {
      const [answer] = (await answers(1)) as [Answer];
      const [r, a] = [answer.r, m.s.answerArgs(answer)];
      for (const [requests, given] of [
        [0, 0],
        [1, 0],
        [1, 2],
        [2, 1],
        [65, 65],
      ] as const) {
        const args = [Array<unknown>(requests).fill(r), Array<unknown>(given).fill(a), answer.prover];
        expect(await revertOf(args)).to.equal(encoded("BatchInvalid", requests, given));
      }
      expect(await revertOf([Array<unknown>(64).fill(r), Array<unknown>(64).fill(a), answer.prover])).to.equal(
        undefined,
      );
    });

    it("two models, a model that nobody knows, and no prover", async () => {
      const model = await m.s.another({ royaltyBps: 1 });
      const [here, there] = [m.s.answer(await m.s.request()), m.s.answer(await m.s.request({ model }))];
      expect(await revertOf(argsOf([here, there]))).to.equal(encoded("BatchOfTwoModels", here.r.model, model));
      const unknown = { ...here, r: { ...here.r, model: here.r.inputHash } };
      const reason = m.s.registry.interface.encodeErrorResult("ModelUnknown", [here.r.inputHash]);
      expect(await revertOf(argsOf([unknown]))).to.equal(reason);
      expect(await revertOf(argsOf([here], NOBODY))).to.equal(encoded("ProverMissing"));
    });
  });

  describe("leaves out, for the very reason of fulfil and to nobody's harm,", () => {
    type Case = readonly [make: () => Promise<Answer>, error: string, args: (of: Answer, time: number) => unknown[]];
    const another = async (over: Partial<Asking> = {}): Promise<Answer> => m.s.answer(await m.s.request(over));
    const cases: Readonly<Record<string, Case>> = {
      "a request that was fulfilled before": [
        async () => {
          const answer = await another();
          await m.s.fulfil(answer);
          return answer;
        },
        "RequestNotOpen",
        ({ id }) => [id, STATUS.fulfilled],
      ],
      "a request that nobody made": [
        () => Promise.resolve(m.s.answer({ r: m.s.draft() })),
        "RequestNotOpen",
        ({ id }) => [id, STATUS.unknown],
      ],
      "a request that was cancelled": [
        async () => {
          const asked = await m.s.request({ start: LATER, rampEnd: LATER });
          await m.s.cancel(asked);
          return m.s.answer(asked);
        },
        "RequestNotOpen",
        ({ id }) => [id, STATUS.expired],
      ],
      "a request that has not started": [
        () => another({ start: NOW + 1, rampEnd: NOW + 1 }),
        "NotStarted",
        (_, time) => [time + 1, time],
      ],
      "a request whose deadline has passed": [
        () => another({ deadline: NOW - 1 }),
        "DeadlinePassed",
        (_, time) => [time - 1, time],
      ],
      "a request of another prover's choice": [
        () => another({ prover: m.s.signers.rival.address }),
        "ProverNotChosen",
        () => [m.s.signers.prover.address, m.s.signers.rival.address],
      ],
      "a request that somebody else has claimed": [
        async () => {
          const asked = await m.s.request({ claimPeriod: 600 });
          await m.chain.at(NOW - 600);
          await m.s.claim(asked, m.s.signers.rival, FEE);
          return m.s.answer(asked);
        },
        "ClaimedByOther",
        ({ id }) => [id, m.s.signers.rival.address, NOW],
      ],
      "an output that is a byte short": [
        async () => m.s.answer(await m.s.request(), { output: OUTPUT.subarray(0, 19) }),
        "OutputLengthMismatch",
        () => [19, 20],
      ],
      "an input that is a byte short": [
        async () => m.s.answer(await m.s.request(), { input: INPUT.subarray(0, 63) }),
        "InputLengthMismatch",
        () => [63, 64],
      ],
      "another input": [
        async () => m.s.answer(await m.s.request(), { input: new Uint8Array(64) }),
        "InputMismatch",
        ({ r }) => ["0xad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5", r.inputHash],
      ],
      "a proof of another output": [async () => wrong(await another()), "InvalidProof", () => []],
    };
    for (const [name, [make, error, args]] of Object.entries(cases)) {
      it(name, async () => {
        const [first, last] = (await answers(2)) as [Answer, Answer];
        const bad = await make();
        await m.chain.at(NOW);
        await m.refused(m.s.fulfil(bad), error, ...args(bad, NOW));
        await m.chain.at(NOW);
        expect(await outcomeOf(batch([first, bad, last]))).to.deep.equal({
          fulfilled: [first.id, last.id],
          skipped: { [bad.id]: encoded(error, ...args(bad, NOW)) },
        });
      });
    }

    it("a request that is in the batch twice, the second time", async () => {
      const [one, two] = (await answers(2)) as [Answer, Answer];
      const again = m.s.answer(one, { blinding: { a: 99n, b: 98n } });
      expect(await outcomeOf(batch([one, one, two, again]))).to.deep.equal({
        fulfilled: [one.id, two.id],
        skipped: { [one.id]: encoded("RequestNotOpen", one.id, STATUS.fulfilled) },
      });
      await m.holds(0n, { prover: 2n * FEE });
    });

    const spoilt: Readonly<Record<string, (a: Answer) => Answer>> = {
      "c spelled above the field": (a) => ({ ...a, c: a.c + R }),
      ...Object.fromEntries(
        ["A.x", "A.y", "B.x imaginary", "B.x real", "B.y imaginary", "B.y real", "C.x", "C.y"].flatMap((part, at) => [
          [`${part} one above`, (a: Answer) => ({ ...a, words: withWord(a.words, at, (w) => (w + 1n) % Q) })],
          [`${part} spelled above the field`, (a: Answer) => ({ ...a, words: withWord(a.words, at, (w) => w + Q) })],
        ]),
      ),
      "B on the curve but outside of the subgroup": (a) => ({
        ...a,
        words: [...a.words.slice(0, 2), ...g2OutsideSubgroup(), ...a.words.slice(6)],
      }),
      "A at infinity": (a) => ({ ...a, words: [0n, 0n, ...a.words.slice(2)] }),
      "C at infinity": (a) => ({ ...a, words: [...a.words.slice(0, 6), 0n, 0n] }),
      "all of it at infinity": (a) => ({ ...a, words: Array<bigint>(8).fill(0n) }),
    };
    for (const [name, spoil] of Object.entries(spoilt)) {
      it(`a proof with ${name}`, async () => {
        const [first, second, third] = (await answers(3)) as [Answer, Answer, Answer];
        const bad = spoil(second);
        expect(await outcomeOf(batch([first, bad, third]))).to.deep.equal({
          fulfilled: [first.id, third.id],
          skipped: { [bad.id]: encoded("InvalidProof") },
        });
      });
    }
  });

  describe("finds the bad proofs,", () => {
    it("whichever of five they are", async () => {
      const good = await answers(5);
      for (let set = 0; set < 32; set++) {
        const mixed = good.map((a, i) => (((set >> i) & 1) === 1 ? wrong(a) : a));
        const fulfilled = await view(m.s.coordinator, "fulfilBatch", argsOf(mixed));
        expect(fulfilled, set.toString(2)).to.equal(BigInt(good.filter((_, i) => ((set >> i) & 1) === 0).length));
      }
      const mixed = good.map((a, i) => (i % 2 === 0 ? wrong(a) : a));
      const { fulfilled } = await outcomeOf(batch(mixed));
      expect(fulfilled).to.deep.equal([good[1]?.id, good[3]?.id]);
    });

    it("if two of them are each the other's", async () => {
      const [one, two, three] = (await answers(3)) as [Answer, Answer, Answer];
      const { fulfilled } = await outcomeOf(batch([{ ...one, words: two.words }, { ...two, words: one.words }, three]));
      expect(fulfilled).to.deep.equal([three.id]);
    });

    it("if the errors of two or three cancel out, as they would in a check without weights", async () => {
      const [one, two, three] = (await answers(3)) as [Answer, Answer, Answer];
      const shifted = (a: Answer, scalar: bigint): Answer => {
        const c = g1Sum(a.words.slice(6) as unknown as G1, g1(scalar));
        return { ...a, words: [...a.words.slice(0, 6), ...c] };
      };
      const plain = await outcomeOf(batch([shifted(one, 5n), shifted(two, R - 5n), three]));
      expect(plain.fulfilled).to.deep.equal([three.id]);
      const [four, five, six] = (await answers(3)) as [Answer, Answer, Answer];
      const sums = await outcomeOf(batch([shifted(four, 3n), shifted(five, 4n), shifted(six, R - 7n)]));
      expect(sums.fulfilled).to.deep.equal([]);
    });
  });

  describe("with consumers", () => {
    /** A consumer that behaves as told, and a request that calls it. */
    async function consumer(
      manner: number,
    ): Promise<{ at: string; seen: (name: string) => Promise<unknown>; asked: Asked }> {
      const contract = await m.s.deploy("Consumer");
      await send(contract, "behave", [manner], { from: m.s.signers.stranger });
      const at = await contract.getAddress();
      const asked = await m.s.request({ consumer: at, callbackGas: CALLBACK_GAS });
      return { at, seen: (name) => view(contract, name), asked };
    }

    it("calls each with its own gas, after all items are settled", async () => {
      const { abi, asked, prepare, seen } = await (async () => {
        const contract = await m.s.deploy("Consumer");
        const asked = await ask(2, { consumer: await contract.getAddress(), callbackGas: 2_000_000 });
        return {
          abi: m.s.coordinator.interface,
          asked,
          prepare: (calls: unknown[]) => send(contract, "prepare", [calls], { from: m.s.signers.stranger }),
          seen: (name: string, ...args: unknown[]) => view(contract, name, args),
        };
      })();
      const [first, second] = asked as [Asked, Asked];
      // Whichever is called, the result of the other is there, and neither can be had again.
      const again = m.s.answer(second);
      await prepare(
        [
          abi.encodeFunctionData("resultOf", [first.id]),
          abi.encodeFunctionData("resultOf", [second.id]),
          abi.encodeFunctionData("fulfil", [again.r, m.s.answerArgs(again), again.prover]),
          abi.encodeFunctionData("fulfilBatch", argsOf([again])),
          abi.encodeFunctionData("claim", [second.r]),
          abi.encodeFunctionData("expire", [second.r]),
          abi.encodeFunctionData("retryCallback", [second.r]),
          abi.encodeFunctionData("retryCallback", [first.r]),
        ].map((data) => ({ to: m.s.coordinatorAddress, value: 0n, data })),
      );
      const { fulfilled } = await outcomeOf(batch(answersTo(asked)));
      expect(fulfilled).to.deep.equal([first.id, second.id]);
      expect(await seen("calls")).to.equal(2n);
      const succeeded: unknown[] = [];
      for (let i = 0; i < 8; i++) succeeded.push(await seen("succeeded", i));
      expect(succeeded).to.deep.equal([true, true, false, true, false, false, false, false]);
      expect(BigInt((await seen("returned", 3)) as string)).to.equal(0n);
      await m.holds(0n, { prover: 2n * FEE });
      expect(REENTER).to.equal(6);
    });

    it("notes the failure of one, and calls the others", async () => {
      const [bad, good] = [await consumer(BURN_GAS), await consumer(ACCEPT)];
      const sent = batch(answersTo([bad.asked, good.asked]));
      await expect(sent).to.emit(m.s.coordinator, "CallbackFailed").withArgs(bad.asked.id, bad.at);
      expect(await good.seen("calls")).to.equal(1n);
      expect(await view(m.s.coordinator, "callbackPending", [bad.asked.id])).to.equal(true);
      expect(await view(m.s.coordinator, "callbackPending", [good.asked.id])).to.equal(false);
    });

    it("does not call for what was left out", async () => {
      const { asked, seen } = await consumer(ACCEPT);
      await outcomeOf(batch([wrong(m.s.answer(asked))]));
      expect(await seen("calls")).to.equal(0n);
    });
  });

  describe("and its gas:", () => {
    /** The least gas with which a call does not revert. */
    async function least(args: readonly unknown[]): Promise<bigint> {
      let [low, high] = [0n, ENOUGH];
      while (high - low > 1n) {
        const middle = (low + high) / 2n;
        if ((await revertOf(args, middle)) === undefined) high = middle;
        else low = middle;
      }
      return high;
    }

    /** Everything at its dearest: new accounts for each payer, the publisher and the prover; claims that others forfeit; long
     * outputs; consumers that burn all that they get. */
    async function dear(): Promise<Answer[]> {
      const model = await m.s.another({ royaltyBps: 2_500, outputLength: 200, collateralBps: 10_000 });
      const contract = await m.s.deploy("Consumer");
      await send(contract, "behave", [BURN_GAS], { from: m.s.signers.stranger });
      const over = { model, consumer: await contract.getAddress(), callbackGas: CALLBACK_GAS };
      const price = { minFee: 10n ** 6n, rampEnd: DEADLINE };
      const made: Answer[] = [];
      for (let i = 1; i <= 4; i++) {
        const payer = hexlify(bytesOf(`payer ${i}`, 20));
        const asked = await m.s.request({ ...over, ...price, payer });
        await m.s.claim(asked, m.s.signers.rival, FEE);
        made.push(m.s.answer(asked, { output: bytesOf("output", 200) }));
      }
      await m.chain.helpers.time.increaseTo(START + 2 * CLAIM_PERIOD);
      return made;
    }

    it("too little of it is refused by name, at once, and one unit more is enough for all", async () => {
      const all = await dear();
      const enough = await least(argsOf(all));
      const reason = (await revertOf(argsOf(all), enough - 1n)) ?? "";
      expect(m.s.coordinator.interface.parseError(reason)?.name).to.equal("GasTooLow");
      const { fulfilled } = await outcomeOf(batch(all, enough));
      expect(fulfilled).to.have.lengthOf(4);
    });

    it("enough of it is enough, too, when every item is paid in a token of its own, to accounts that are all new", async () => {
      const model = await m.s.another({ royaltyBps: 2_500, collateralBps: 10_000 });
      const { requester, rival } = m.s.signers;
      const all: Answer[] = [];
      for (let i = 1; i <= 16; i++) {
        const contract = await m.s.deploy("PlainToken");
        const token = await contract.getAddress();
        for (const from of [requester, rival]) {
          await send(contract, "mint", [from.address, FEE], { from });
          await send(contract, "approve", [m.s.coordinatorAddress, FEE], { from });
        }
        const payer = hexlify(bytesOf(`payer ${i}`, 20));
        const asked = await m.s.request({ model, token, payer, minFee: 10n ** 6n, rampEnd: DEADLINE });
        await m.s.deposit(rival, FEE, token);
        await m.s.claim(asked, rival);
        all.push(m.s.answer(asked));
      }
      await m.chain.helpers.time.increaseTo(START + 2 * CLAIM_PERIOD);
      const enough = await least(argsOf(all));
      const reason = (await revertOf(argsOf(all), enough - 1n)) ?? "";
      expect(m.s.coordinator.interface.parseError(reason)?.name).to.equal("GasTooLow");
      expect((await outcomeOf(batch(all, enough))).fulfilled).to.have.lengthOf(16);
    });

    it("a wallet's estimate is enough for all", async () => {
      const all = await answers(3);
      const { stranger } = m.s.signers;
      const sent = send(m.s.coordinator, "fulfilBatch", argsOf(all), { from: stranger });
      expect((await outcomeOf(sent)).fulfilled).to.have.lengthOf(3);
    });

    it("bad proofs may use up that for checking others, and never that for settling; each consumer gets all of its own", async () => {
      const contract = await m.s.deploy("Consumer");
      const over = { consumer: await contract.getAddress(), callbackGas: CALLBACK_GAS };
      const all = await answers(9, over);
      const mixed = all.map((a, i) => (i % 4 === 0 ? wrong(a) : a));
      const enough = await least(argsOf(mixed));
      const tooLow = m.s.coordinator.interface.getError("GasTooLow")?.selector;
      const counts: bigint[] = [];
      for (let gas = enough; ; gas += 150_000n) {
        const snapshot = await m.chain.helpers.takeSnapshot();
        const { fulfilled, skipped } = await outcomeOf(batch(mixed, gas));
        const good = mixed.filter((_, i) => i % 4 !== 0).map(({ id }) => id);
        expect(fulfilled.every((id) => good.includes(id))).to.equal(true);
        expect(fulfilled.length + Object.keys(skipped).length).to.equal(9);
        for (const id of good.slice(fulfilled.length)) expect(skipped[id]?.slice(0, 10)).to.equal(tooLow);
        expect(await view(contract, "calls")).to.equal(BigInt(fulfilled.length));
        if (fulfilled.length > 0) {
          expect(Number(await view(contract, "gasAtEntry"))).to.be.within(CALLBACK_GAS - 500, CALLBACK_GAS);
        }
        counts.push(BigInt(fulfilled.length));
        await snapshot.restore();
        if (fulfilled.length === good.length) break;
      }
      expect(counts[0]).to.be.lessThan(6n);
    });
  });

  describe("verifyMany of the verifier", () => {
    const keyOf = async (): Promise<string> => {
      const { key } = (await view(m.s.registry, "headOf", [m.s.model])) as { key: string };
      return key;
    };
    const verifyMany = async (proofs: string, gasLimit = ENOUGH): Promise<[bigint, bigint]> => {
      const args = [await keyOf(), proofs];
      const [valid, decided] = (await m.s.verifier.getFunction("verifyMany").staticCall(...args, { gasLimit })) as [
        bigint,
        bigint,
      ];
      return [valid, decided];
    };
    const spelled = (words: readonly bigint[], signals: readonly bigint[]): string =>
      bytesOfWords([...words, ...signals]);
    function proofAt(i: number, holds: boolean): string {
      const signals = { c: BigInt(i), v: R - 1n, r: BigInt(i * i) };
      const words = proofWords(prove(TRAPDOOR, signals, { a: BigInt(i + 2), b: BigInt(i + 5) }));
      return spelled(words, [signals.c, holds ? signals.v : 0n, signals.r]);
    }

    it("answers for up to 256 proofs, one bit for each", async () => {
      expect(await verifyMany("0x")).to.deep.equal([0n, 0n]);
      const proofs = concat(Array.from({ length: 256 }, (_, i) => proofAt(i, true)));
      expect(await verifyMany(proofs)).to.deep.equal([2n ** 256n - 1n, 256n]);
    });

    it("refuses bytes that are not whole proofs, and more than 256", async () => {
      const one = proofAt(1, true);
      for (const bytes of [one.slice(0, -2), `${one}00`, concat(Array<string>(257).fill(one))]) {
        await expect(verifyMany(bytes))
          .to.be.revertedWithCustomError(m.s.verifier, "ProofsLengthInvalid")
          .withArgs((bytes.length - 2) / 2);
      }
    });

    it("says of each of many proofs what verify says of it", async () => {
      let state = SEED;
      const random = (below: number): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      for (let round = 0; round < 12; round++) {
        const good = Array.from({ length: 1 + random(24) }, () => random(4) > 0);
        const expected = good.reduce((bits, holds, i) => (holds ? bits | (1n << BigInt(i)) : bits), 0n);
        const proofs = concat(good.map((holds, i) => proofAt(i, holds)));
        expect(await verifyMany(proofs), `seed ${SEED}, round ${round}`).to.deep.equal([expected, BigInt(good.length)]);
      }
    });

    it("decides from the first on, as far as the gas goes, and never wrongly", async () => {
      const good = [true, true, false, true, true, true, false, true];
      const proofs = concat(good.map((holds, i) => proofAt(i, holds)));
      let last = 0n;
      for (let gas = 300_000n; last < 8n; gas += 200_000n) {
        const [valid, decided] = await verifyMany(proofs, gas);
        const expected = good.reduce((bits, holds, i) => (holds && i < decided ? bits | (1n << BigInt(i)) : bits), 0n);
        expect(valid, `${gas} gas`).to.equal(expected);
        last = decided;
      }
    });

    it("does not take a signal or a coordinate of another spelling", async () => {
      const signals = { c: 1n, v: 2n, r: 3n };
      const words = [...proofWords(prove(TRAPDOOR, signals)), 1n, 2n, 3n];
      for (const at of words.keys()) {
        const alias = bytesOfWords(withWord(words, at, (w) => w + (at < 8 ? Q : R)));
        expect(await verifyMany(concat([alias, bytesOfWords(words)])), `word ${at}`).to.deep.equal([2n, 2n]);
      }
    });
  });
});
