// The coordinator calls others at six places. Through each of them every act is tried again, in the name of a contract that has
// money there: it fails, or is one that was possible anyway, and nothing is had twice.
import { expect } from "chai";
import { AbiCoder, concat, type BaseContract } from "ethers";
import { ALL, FEE, INPUT, NATIVE, send, view, type Answer, type Asked } from "../../support/contracts.ts";
import { batchArgs } from "../../support/attacks.ts";
import { market } from "../../support/contractsMarket.ts";
import { INPUT_KIND } from "../../support/contractsRequest.ts";

const [BEFORE, AFTER] = [7, 8];
const MAGIC = "6492".repeat(16);

describe("Entering again", () => {
  const m = market();
  let thief: BaseContract;
  let address: string;
  let open: Asked;
  let answer: Answer;
  beforeEach(async () => {
    thief = await m.s.deploy("Consumer");
    address = await thief.getAddress();
    await m.s.deposit(m.s.signers.stranger, 5n * FEE, NATIVE, address);
    open = await m.s.request();
    answer = m.s.answer(open);
  });

  /** Every act that moves money or ends a request, as calls of the coordinator. */
  const acts = (): readonly (readonly [string, readonly unknown[]])[] => [
    ["withdraw", [NATIVE, address, ALL]],
    ["deposit", [NATIVE, address, 0n]],
    ["request", [m.s.draft({ requester: address, payer: address, maxFee: 0n }), INPUT, 0]],
    ["requestFor", [m.s.draft(), INPUT, "0x"]],
    ["cancel", [m.s.draft({ requester: address })]],
    ["claim", [open.r]],
    ["fulfil", [answer.r, m.s.answerArgs(answer), answer.prover]],
    ["fulfilBatch", batchArgs(m, [answer])],
    ["expire", [open.r]],
    ["retryCallback", [open.r]],
  ];
  const encoded = ([name, args]: readonly [name: string, args: readonly unknown[]]): string =>
    m.s.coordinator.interface.encodeFunctionData(name, args);
  const callOf = (data: string) => ({ to: m.s.coordinatorAddress, value: 0n, data });
  const guard = (): string =>
    m.s.coordinator.interface.getError("ReentrancyGuardReentrantCall")?.selector.slice(2) ?? "";

  for (const [when, manner] of [
    ["before", BEFORE],
    ["after", AFTER],
  ] as const) {
    it(`through a token, ${when} it moves the fee of a request: nothing works`, async () => {
      const token = await m.s.deploy("OddToken");
      const { requester, stranger } = m.s.signers;
      await send(token, "mint", [requester.address, 100n * FEE], { from: stranger });
      await send(token, "approve", [m.s.coordinatorAddress, ALL], { from: requester });
      for (const act of acts()) {
        const call = thief.interface.encodeFunctionData("execute", [callOf(encoded(act))]);
        await send(token, "prepare", [manner, address, call], { from: stranger });
        await m.s.request({ token: await token.getAddress() });
        expect(await view(token, "hookSucceeded"), act[0]).to.equal(false);
        if (act[0] !== "retryCallback") expect(await view(token, "hookReturned"), act[0]).to.contain(guard());
      }
      expect(await m.s.balanceOf(address)).to.equal(5n * FEE);
    });
  }

  it("through who is paid out, from its receive function: its account is empty by then", async () => {
    const receiver = await m.s.deploy("Receiver", m.s.coordinatorAddress);
    const at = await receiver.getAddress();
    await m.s.deposit(m.s.signers.stranger, FEE, NATIVE, at);
    const { stranger: from } = m.s.signers;
    await send(receiver, "behave", [2], { from });
    await m.refused(send(receiver, "withdraw", [at], { from }), "PaymentFailed", at, FEE);
    await send(receiver, "behave", [3], { from });
    await send(receiver, "withdraw", [at], { from });
    expect(await m.s.ethers.provider.getBalance(at)).to.equal(FEE);
    expect(await view(receiver, "attempts"), "one try, refused").to.equal(1n);
  });

  for (const door of ["fulfil", "fulfilBatch"] as const) {
    it(`through the consumer of ${door}: its own business only, and neither request twice`, async () => {
      const own = await m.s.request({ consumer: address, callbackGas: 5_000_000 });
      const mine = m.s.answer(own);
      const again: readonly (readonly [string, readonly unknown[]])[] = [
        ["fulfil", [mine.r, m.s.answerArgs(mine), mine.prover]],
        ["fulfilBatch", batchArgs(m, [mine])],
        ["claim", [own.r]],
        ["expire", [own.r]],
        ["retryCallback", [own.r]],
        ["withdraw", [NATIVE, address, ALL]],
        ["withdraw", [NATIVE, address, ALL]],
        ["fulfil", [answer.r, m.s.answerArgs(answer), answer.prover]],
        ["fulfil", [answer.r, m.s.answerArgs(answer), answer.prover]],
      ];
      const { stranger: from } = m.s.signers;
      await send(thief, "prepare", [again.map((act) => callOf(encoded(act)))], { from });
      const other = m.s.answer(await m.s.request());
      if (door === "fulfil") await m.s.fulfil(mine);
      else await send(m.s.coordinator, "fulfilBatch", batchArgs(m, [mine, other]), { from, gasLimit: 12_000_000n });
      const succeeded: unknown[] = [];
      for (let i = 0; i < again.length; i++) succeeded.push(await view(thief, "succeeded", [i]));
      // A batch with nothing in it that is open succeeds, and does nothing. The second withdrawal and answer come too late.
      expect(succeeded).to.deep.equal([false, true, false, false, false, true, false, true, false]);
      await m.holds(door === "fulfil" ? FEE : 0n, { prover: door === "fulfil" ? 2n * FEE : 3n * FEE });
      expect(await m.s.balanceOf(address)).to.equal(0n);
    });
  }

  it("through a retried call: delivered once", async () => {
    await send(thief, "behave", [1], { from: m.s.signers.stranger });
    const own = await m.s.request({ consumer: address, callbackGas: 2_000_000 });
    await m.s.fulfil(m.s.answer(own));
    const calls = [callOf(encoded(["retryCallback", [own.r]])), callOf(encoded(["withdraw", [NATIVE, address, ALL]]))];
    await send(thief, "prepare", [calls], { from: m.s.signers.stranger });
    await m.s.retry(own);
    expect(await view(thief, "calls")).to.equal(1n);
    expect([await view(thief, "succeeded", [0]), await view(thief, "succeeded", [1])]).to.deep.equal([false, true]);
    await m.refused(m.s.retry(own), "CallbackNotPending", own.id);
  });

  it("through the source of an input: it is only asked, and can change nothing, what needs no guard included", async () => {
    const source = await m.s.deploy("PryingSource");
    const coder = AbiCoder.defaultAbiCoder();
    const prying = async (to: string, data: string): Promise<string> => {
      const query = coder.encode(["address", "bytes"], [to, data]);
      const origin = coder.encode(["address", "bytes"], [await source.getAddress(), query]);
      const asked = await m.s.request({ inputKind: INPUT_KIND.source, origin, maxFee: 0n });
      const receipt = await asked.sent.wait();
      const [event] = receipt?.logs.map((log) => m.s.coordinator.interface.parseLog(log)) ?? [];
      return event?.args["input"] as string;
    };
    for (const act of acts()) {
      const [succeeded, returned] = coder.decode(
        ["bool", "bytes32"],
        await prying(m.s.coordinatorAddress, encoded(act)),
      );
      expect(succeeded, act[0]).to.equal(false);
      if (act[0] !== "retryCallback") expect((returned as string).slice(2, 10), act[0]).to.equal(guard());
    }
    const free = encoded(["authorise", [address, NATIVE, ALL]]);
    for (const [to, data] of [
      [m.s.coordinatorAddress, free],
      [address, thief.interface.encodeFunctionData("behave", [1])],
    ] as const) {
      const [succeeded] = coder.decode(["bool", "bytes32"], await prying(to, data));
      expect(succeeded).to.equal(false);
    }
    const view_ = encoded(["balanceOf", [address, NATIVE]]);
    const [may, balance] = coder.decode(["bool", "uint256"], await prying(m.s.coordinatorAddress, view_));
    expect([may, balance], "it may look").to.deep.equal([true, 5n * FEE]);
  });

  it("through the factory that a signature names (ERC-6492): nothing works", async () => {
    const { requester, stranger } = m.s.signers;
    for (const act of acts()) {
      const r = m.s.draft({ maxFee: 0n, requester: requester.address });
      const call = thief.interface.encodeFunctionData("execute", [callOf(encoded(act))]);
      const inner = await m.s.sign(r);
      const wrapped = AbiCoder.defaultAbiCoder().encode(["address", "bytes", "bytes"], [address, call, inner]);
      await m.s.requestFor({ ...r, signature: concat([wrapped, `0x${MAGIC}`]), from: stranger });
    }
    expect(await m.s.balanceOf(address), "nothing was withdrawn").to.equal(5n * FEE);
    await m.s.fulfil(answer);
  });
});
