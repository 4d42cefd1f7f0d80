// Callbacks: a consumer is called once the result is stored and paid, with its own gas; whatever it does harms neither, and
// a failure is recorded and made good by anybody.
import { expect } from "chai";
import { getAddress, hexlify, type BaseContract } from "ethers";
import {
  ALL,
  FEE,
  INPUT,
  NATIVE,
  OUTPUT,
  send,
  view,
  type Asked,
  type Asking,
  type Sent,
} from "../support/contracts.ts";
import { market } from "../support/contractsMarket.ts";
import { STATUS } from "../support/contractsRequest.ts";
import { bytesOf } from "../support/contractsVectors.ts";

const MANNER = {
  accept: 0,
  revert: 1,
  returnBomb: 2,
  revertBomb: 3,
  burnGas: 4,
  invalid: 5,
  reenter: 6,
  selfDestruct: 7,
} as const;
const CALLBACK_GAS = 400_000;

describe("callback", () => {
  const m = market();
  let consumer: BaseContract;
  let address: string;
  beforeEach(async () => {
    consumer = await m.s.deploy("Consumer");
    address = await consumer.getAddress();
  });
  const ask = (over: Partial<Asking> = {}): Promise<Asked> =>
    m.s.request({ consumer: address, callbackGas: CALLBACK_GAS, ...over });
  const behave = (manner: number): Sent => send(consumer, "behave", [manner], { from: m.s.signers.stranger });
  const pending = ({ id }: Asked): Promise<unknown> => view(m.s.coordinator, "callbackPending", [id]);
  const seen = (name: string): Promise<unknown> => view(consumer, name);

  /** The request has its result and its prover the fee, and the failed call is on record. */
  async function stands(asked: Asked): Promise<void> {
    expect((await m.s.resultOf(asked))["output"]).to.equal(hexlify(OUTPUT));
    expect(await m.status(asked)).to.equal(STATUS.fulfilled);
    await m.holds(0n, { prover: FEE });
    expect(await pending(asked)).to.equal(true);
    expect(await seen("calls")).to.equal(0n);
    await m.refused(m.s.fulfil(m.s.answer(asked)), "RequestNotOpen", asked.id, STATUS.fulfilled);
    await m.refused(m.s.expire(asked), "RequestNotOpen", asked.id, STATUS.fulfilled);
  }

  it("brings id and output, from the coordinator, once, and says nothing when all went well", async () => {
    const asked = await ask();
    const sent = m.s.fulfil(m.s.answer(asked));
    await expect(sent).to.emit(m.s.coordinator, "Fulfilled");
    await expect(sent).not.to.emit(m.s.coordinator, "CallbackFailed");
    expect([await seen("caller"), await seen("id"), await seen("output"), await seen("calls")]).to.deep.equal([
      m.s.coordinatorAddress,
      asked.id,
      hexlify(OUTPUT),
      1n,
    ]);
    expect(await pending(asked)).to.equal(false);
    await m.refused(m.s.retry(asked), "CallbackNotPending", asked.id);
  });

  it("comes when result and payment are there already", async () => {
    const asked = await ask({ callbackGas: 3_000_000 });
    const { interface: abi } = m.s.coordinator;
    const calls = [
      abi.encodeFunctionData("resultOf", [asked.id]),
      abi.encodeFunctionData("balanceOf", [m.s.signers.prover.address, NATIVE]),
    ].map((data) => ({ to: m.s.coordinatorAddress, value: 0n, data }));
    await send(consumer, "prepare", [calls], { from: m.s.signers.stranger });
    await m.s.fulfil(m.s.answer(asked));
    const returned = async (at: number): Promise<string> => (await view(consumer, "returned", [at])) as string;
    const [result] = abi.decodeFunctionResult("resultOf", await returned(0)) as unknown as [{ output: string }];
    expect(result.output).to.equal(hexlify(OUTPUT));
    expect(BigInt(await returned(1))).to.equal(FEE);
  });

  it("is not made for a request without a consumer", async () => {
    const asked = await m.s.request({ callbackGas: CALLBACK_GAS });
    await expect(m.s.fulfil(m.s.answer(asked))).not.to.emit(m.s.coordinator, "CallbackFailed");
    expect(await pending(asked)).to.equal(false);
    await m.refused(m.s.retry(asked), "CallbackNotPending", asked.id);
  });

  describe("that fails", () => {
    for (const name of ["revert", "revertBomb", "burnGas", "invalid"] as const) {
      it(`by ${name} changes neither result nor payment, costs what was agreed, and is made good later by anybody`, async () => {
        await behave(MANNER[name]);
        const asked = await ask();
        const plain = await (await m.s.fulfil(m.s.answer(await m.s.request()))).wait();
        await m.s.withdraw(m.s.signers.prover);
        const sent = m.s.fulfil(m.s.answer(asked), m.s.signers.prover, 3_000_000n);
        await expect(sent).to.emit(m.s.coordinator, "CallbackFailed").withArgs(asked.id, address);
        const spent = ((await (await sent).wait())?.gasUsed ?? 0n) - (plain?.gasUsed ?? 0n);
        expect(Number(spent)).to.be.lessThan(CALLBACK_GAS + 20_000);
        await stands(asked);
        const { stranger: from } = m.s.signers;
        const again = send(m.s.coordinator, "retryCallback", [asked.r], { from, gasLimit: 1_000_000n });
        await expect(again, "still failing").to.be.revert(m.chain.ethers);
        expect(await pending(asked)).to.equal(true);
        await behave(MANNER.accept);
        await expect(m.s.retry(asked, m.s.signers.rival))
          .to.emit(m.s.coordinator, "CallbackDelivered")
          .withArgs(asked.id, address);
        expect([await seen("caller"), await seen("id"), await seen("output"), await seen("calls")]).to.deep.equal([
          m.s.coordinatorAddress,
          asked.id,
          hexlify(OUTPUT),
          1n,
        ]);
        expect(await pending(asked)).to.equal(false);
        await m.refused(m.s.retry(asked), "CallbackNotPending", asked.id);
      });
    }

    it("or returns a megabyte costs the sender nothing beyond the call: the bytes are not copied", async () => {
      await behave(MANNER.returnBomb);
      const callbackGas = 3_000_000;
      await m.s.fulfil(m.s.answer(await m.s.request()));
      const plain = await (await m.s.fulfil(m.s.answer(await m.s.request()))).wait();
      const receipt = await (await m.s.fulfil(m.s.answer(await ask({ callbackGas })))).wait();
      // A megabyte of memory costs 2.2M gas: once, in the consumer.
      expect(Number((receipt?.gasUsed ?? 0n) - (plain?.gasUsed ?? 0n))).to.be.lessThan(2_300_000);
    });

    it("says the consumer's own reason when it is made again", async () => {
      await behave(MANNER.revert);
      const asked = await ask();
      await m.s.fulfil(m.s.answer(asked));
      await expect(m.s.retry(asked)).to.be.revertedWithCustomError(consumer, "NotToday").withArgs(asked.id);
    });

    it("because the consumer has no code waits for the code", async () => {
      const nowhere = getAddress("0x00000000000000000000000000000000c0dec0de");
      const asked = await ask({ consumer: nowhere });
      await expect(m.s.fulfil(m.s.answer(asked)))
        .to.emit(m.s.coordinator, "CallbackFailed")
        .withArgs(asked.id, nowhere);
      await stands(asked);
      await expect(m.s.retry(asked)).to.be.revert(m.chain.ethers);
      await m.chain.helpers.setCode(nowhere, await m.s.ethers.provider.getCode(address));
      await expect(m.s.retry(asked)).to.emit(m.s.coordinator, "CallbackDelivered").withArgs(asked.id, nowhere);
    });

    it("because the consumer is a key is never made good, and harms nobody", async () => {
      const asked = await ask({ consumer: m.s.signers.rival.address });
      await m.s.fulfil(m.s.answer(asked));
      await stands(asked);
      await expect(m.s.retry(asked)).to.be.revert(m.chain.ethers);
    });

    it("because it had no gas at all comes through with a retry's", async () => {
      const asked = await ask({ callbackGas: 0 });
      await m.s.fulfil(m.s.answer(asked));
      await stands(asked);
      await m.s.retry(asked);
      expect(await seen("calls")).to.equal(1n);
    });

    it("is retried for the request it belongs to, and no other", async () => {
      await behave(MANNER.revert);
      const [first, second] = [await ask(), await ask()];
      await m.s.fulfil(m.s.answer(first));
      await m.refused(m.s.retry(second), "CallbackNotPending", second.id);
      for (const over of [{ consumer: m.s.signers.rival.address }, { callbackGas: 1 }]) {
        const r = { ...first.r, ...over };
        await m.refused(m.s.retry({ r }), "CallbackNotPending", m.s.idOf(r));
      }
      expect(await pending(first)).to.equal(true);
      await behave(MANNER.accept);
      await m.s.retry(first);
      expect(await seen("id")).to.equal(first.id);
      await m.s.fulfil(m.s.answer(second));
      await m.s.withdraw(m.s.signers.prover);
    });

    it("brings long outputs again in full", async () => {
      const model = await m.s.another({ outputLength: 4_096 });
      const output = bytesOf("long", 4_096);
      await behave(MANNER.revert);
      const asked = await ask({ model });
      await m.s.fulfil(m.s.answer(asked, { output }));
      await behave(MANNER.accept);
      await m.s.retry(asked);
      expect(await seen("output")).to.equal(hexlify(output));
    });
  });

  describe("gas", () => {
    /** The least gas limit with which `attempt` does not say GasTooLow or run out, to the unit. */
    async function least(attempt: (gasLimit: bigint) => Promise<unknown>): Promise<bigint> {
      let [low, high] = [30_000n, 16_000_000n];
      while (low < high) {
        const middle = (low + high) / 2n;
        const done = await attempt(middle).then(
          () => true,
          () => false,
        );
        if (done) high = middle;
        else low = middle + 1n;
      }
      return low;
    }
    const fulfilCall = (asked: Asked, output: Uint8Array) => {
      const answer = m.s.answer(asked, { output });
      const args = [answer.r, m.s.answerArgs(answer), answer.prover];
      return {
        answer,
        attempt: (gasLimit: bigint) => m.s.coordinator.getFunction("fulfil").staticCall(...args, { gasLimit }),
      };
    };

    for (const [outputLength, callbackGas] of [
      [20, 7_000_000],
      [20, CALLBACK_GAS],
      [4_096, 4_000_000],
    ] as const) {
      // prettier-ignore
      it(`of ${callbackGas} reaches the consumer in full with the least limit that works, for ${outputLength} bytes of output`, async () => {
        const model = await m.s.another({ outputLength, sourceDigest: hexlify(bytesOf("gas", 32)) });
        const output = bytesOf("output", outputLength);
        await ask({ model }); // the account's first use costs more
        await m.s.fulfil(m.s.answer(await ask({ model }), { output }));
        const asked = await ask({ model, callbackGas });
        const { answer, attempt } = fulfilCall(asked, output);
        const limit = await least(attempt);
        await m.refused(m.s.fulfil(answer, m.s.signers.prover, limit - 1n), "GasTooLow");
        await m.s.fulfil(answer, m.s.signers.prover, limit);
        expect(await seen("id")).to.equal(asked.id);
        const entry = Number(await seen("gasAtEntry"));
        expect(entry).to.be.within(callbackGas - 1_000, callbackGas);
      }).timeout(60_000);

      it(`of ${callbackGas} is the least that a retry brings, for ${outputLength} bytes of output`, async () => {
        const model = await m.s.another({ outputLength, sourceDigest: hexlify(bytesOf("gas", 32)) });
        const output = bytesOf("output", outputLength);
        await m.s.fulfil(m.s.answer(await ask({ model, callbackGas: 4_000_000 }), { output }));
        await behave(MANNER.revert);
        const asked = await ask({ model, callbackGas });
        await m.s.fulfil(m.s.answer(asked, { output }));
        await behave(MANNER.accept);
        const limit = await least((gasLimit) =>
          m.s.coordinator.getFunction("retryCallback").staticCall(asked.r, { gasLimit }),
        );
        const retry = (gasLimit: bigint): Sent =>
          send(m.s.coordinator, "retryCallback", [asked.r], { from: m.s.signers.stranger, gasLimit });
        await m.refused(retry(limit - 1n), "GasTooLow");
        await retry(limit);
        expect(Number(await seen("gasAtEntry"))).to.be.greaterThan(callbackGas - 1_000);
      }).timeout(60_000);
    }

    it("is what was agreed however much the sender brings", async () => {
      const asked = await ask();
      await m.s.fulfil(m.s.answer(asked), m.s.signers.prover, 15_000_000n);
      expect(Number(await seen("gasAtEntry"))).to.be.within(CALLBACK_GAS - 1_000, CALLBACK_GAS);
    });

    it("too little of it stops the whole answer: no prover can save the call and keep the fee", async () => {
      const asked = await ask({ callbackGas: 3_000_000 });
      await m.refused(m.s.fulfil(m.s.answer(asked), m.s.signers.prover, 3_000_000n), "GasTooLow");
      expect(await m.status(asked)).to.equal(STATUS.open);
      await m.s.fulfil(m.s.answer(asked));
      expect(await seen("calls")).to.equal(1n);
    });
  });

  describe("that enters the coordinator again", () => {
    const call = (name: string, args: readonly unknown[], value = 0n) => ({
      to: m.s.coordinatorAddress,
      value,
      data: m.s.coordinator.interface.encodeFunctionData(name, args),
    });
    async function during(asked: Asked, calls: readonly ReturnType<typeof call>[]) {
      await send(consumer, "prepare", [calls], { from: m.s.signers.stranger });
      await m.s.fulfil(m.s.answer(asked));
      expect(await seen("calls")).to.equal(1n);
      return Promise.all(
        calls.map(async (_, at) => {
          const returned = (await view(consumer, "returned", [at])) as string;
          if (await view(consumer, "succeeded", [at])) return "succeeded";
          return m.s.coordinator.interface.parseError(returned)?.name;
        }),
      );
    }

    it("finds the request ended, and gets nothing twice", async () => {
      const asked = await ask({ callbackGas: 3_000_000, requester: m.s.signers.requester.address });
      const answer = m.s.answer(asked);
      const results = await during(asked, [
        call("fulfil", [answer.r, m.s.answerArgs(answer), answer.prover]),
        call("retryCallback", [asked.r]),
        call("claim", [asked.r]),
        call("expire", [asked.r]),
        call("cancel", [asked.r]),
        call("withdraw", [NATIVE, address, ALL]),
      ]);
      expect(results).to.deep.equal([
        ...["RequestNotOpen", "CallbackNotPending", "RequestNotOpen", "RequestNotOpen"],
        ...["CallerIsNotRequester", "NothingToWithdraw"],
      ]);
      await m.holds(0n, { prover: FEE });
      expect(await pending(asked)).to.equal(false);
    });

    it("may do its own business: ask again, answer another, withdraw what is its own", async () => {
      await m.s.deposit(m.s.signers.stranger, 2n * FEE, NATIVE, address);
      const [asked, other] = [await ask({ callbackGas: 3_000_000 }), await m.s.request()];
      const next = m.s.draft({ requester: address });
      const answer = m.s.answer(other, { prover: m.s.signers.rival.address });
      const results = await during(asked, [
        call("request", [next, INPUT, 0]),
        call("fulfil", [answer.r, m.s.answerArgs(answer), answer.prover]),
        call("withdraw", [NATIVE, address, ALL]),
      ]);
      expect(results).to.deep.equal(["succeeded", "succeeded", "succeeded"]);
      expect(await m.status({ r: next })).to.equal(STATUS.open);
      expect(await m.s.ethers.provider.getBalance(address)).to.equal(FEE);
      await m.holds(FEE, { prover: FEE, rival: FEE });
    });

    it("from a retry, too, is delivered once", async () => {
      await behave(MANNER.revert);
      const asked = await ask();
      await m.s.fulfil(m.s.answer(asked));
      await send(consumer, "prepare", [[call("retryCallback", [asked.r])]], { from: m.s.signers.stranger });
      await m.s.retry(asked);
      expect(await seen("calls")).to.equal(1n);
      expect(await view(consumer, "succeeded", [0])).to.equal(false);
      expect(await pending(asked)).to.equal(false);
    });

    it("by paying it by force changes no account: the money is nobody's", async () => {
      await m.s.signers.stranger.sendTransaction({ to: address, value: 7n });
      await behave(MANNER.selfDestruct);
      const asked = await ask();
      await m.s.fulfil(m.s.answer(asked));
      await m.holds(7n, { prover: FEE });
      expect((await m.s.resultOf(asked))["output"]).to.equal(hexlify(OUTPUT));
      expect(await pending(asked)).to.equal(false);
      await m.chain.helpers.setBalance(m.s.coordinatorAddress, FEE);
    });
  });

  it("of a consumer that is gone by the time of the answer is recorded", async () => {
    const asked = await ask();
    await m.chain.helpers.setCode(address, "0x");
    await expect(m.s.fulfil(m.s.answer(asked)))
      .to.emit(m.s.coordinator, "CallbackFailed")
      .withArgs(asked.id, address);
    expect(await pending(asked)).to.equal(true);
    await m.holds(0n, { prover: FEE });
  });

  it("names of its own accord neither requester nor payer: anybody may ask in its name, so a consumer checks ids", async () => {
    const asked = await ask({ from: m.s.signers.stranger });
    await m.s.fulfil(m.s.answer(asked));
    expect(await seen("id")).to.equal(asked.id);
    expect(asked.r.requester).to.equal(m.s.signers.stranger.address);
  });
});
