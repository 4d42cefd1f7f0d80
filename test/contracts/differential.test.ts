// The same bytecode and calldata on two EVM implementations: same success, same gas, same logs, same answers.
import { expect } from "chai";
import type { BaseContract, ContractTransactionResponse } from "ethers";
import { Q } from "../../node/core/field.ts";
import {
  DEADLINE,
  INPUT,
  MODEL,
  flipped,
  openChain,
  send,
  view,
  withWord,
  type Chain,
  type Stage,
} from "../support/contracts.ts";
import { bytesOf } from "../support/contractsVectors.ts";
import { replay, type Replay } from "../support/evm.ts";
import { TRAPDOOR, trapdoorOf } from "../support/trapdoor.ts";

const GAS_LIMIT = 3_000_000n;

describe("a second EVM", function () {
  this.timeout(120_000);
  let chain: Chain;
  let s: Stage;
  let replayed: Replay;
  let expected: boolean[];
  let ids: string[];

  /** Sends without asking first whether it will revert, so that the failure gets into a block. */
  async function attempt(contract: BaseContract, name: string, args: readonly unknown[]): Promise<void> {
    const sent = contract
      .connect(s.signers.prover)
      .getFunction(name)
      .send(...args, { gasLimit: GAS_LIMIT });
    await sent.then((tx: ContractTransactionResponse) => tx.wait()).catch(() => undefined);
  }

  before(async () => {
    chain = await openChain();
    s = await chain.stage();
    expected = [true, true, true, true]; // three deployments and a registration
    const succeeds = async (sent: Promise<unknown>): Promise<void> => {
      await sent;
      expected.push(true);
    };
    const fails = async (contract: BaseContract, name: string, args: readonly unknown[]): Promise<void> => {
      await attempt(contract, name, args);
      expected.push(false);
    };
    const argsOf = (a: ReturnType<Stage["answer"]>) => [a.id, a.input, a.output, a.c, a.words, a.prover] as const;

    const big = { ...MODEL, inputLength: 784, outputLength: 33 };
    await succeeds(s.register({ facts: big }));
    await fails(s.registry, "register", s.registration({ trapdoor: { ...TRAPDOOR, delta: TRAPDOOR.gamma } }).args);
    await fails(s.registry, "register", s.registration({ trapdoor: trapdoorOf("x", { ic: [1n, 0n, 1n, 1n] }) }).args);
    const [facts, key, sample] = s.registration({ from: s.signers.prover }).args;
    const word = (at: number): string => key.slice(2 + 64 * at, 66 + 64 * at);
    const [imaginary, real] = [word(2), word(3)];
    await fails(s.registry, "register", [facts, key.replace(imaginary + real, real + imaginary), sample]);
    await succeeds(send(s.registry, "register", [facts, key, sample], { from: s.signers.prover }));

    ids = [];
    for (let i = 0; i < 4; i++) {
      ids.push((await s.request()).id);
      expected.push(true);
    }
    const [first, second, third, fourth] = ids as [string, string, string, string];
    const { words } = s.answer(first);
    for (let at = 0; at < 8; at++) {
      const changed = { ...s.answer(first), words: withWord(words, at, (w) => (w + 1n) % Q) };
      await fails(s.coordinator, "fulfil", argsOf(changed));
    }
    await fails(s.coordinator, "fulfil", argsOf({ ...s.answer(first), words: withWord(words, 0, (w) => w + Q) }));
    await fails(s.coordinator, "fulfil", argsOf({ ...s.answer(first), output: flipped(bytesOf("output", 20), 3) }));
    await fails(s.coordinator, "fulfil", argsOf({ ...s.answer(first), words: Array<bigint>(8).fill(0n) }));
    await succeeds(s.fulfil(s.answer(first)));
    await fails(s.coordinator, "fulfil", argsOf(s.answer(first)));
    await succeeds(send(s.coordinator, "declareEnvironment", [`0x${"e1".repeat(32)}`], { from: s.signers.prover }));
    await succeeds(s.fulfil(s.answer(second, { blinding: { a: 99n, b: 98n } }), s.signers.stranger));
    const model = s.registration({ facts: big }).id;
    const input = bytesOf("input", 784);
    const { id: long } = await s.request({ model, input });
    expected.push(true);
    await succeeds(s.fulfil(s.answer(long, { modelId: model, input, output: bytesOf("output", 33) })));
    ids.push(long);
    await chain.at(DEADLINE);
    await fails(s.coordinator, "refund", [third]);
    await succeeds(s.refund(third));
    await fails(s.coordinator, "fulfil", argsOf(s.answer(fourth)));
    await succeeds(s.withdraw(s.signers.prover));
    await succeeds(send(s.registry, "retire", [s.model], { from: s.signers.publisher }));
    replayed = await replay(chain.ethers.provider);
  });

  it("agrees on the success, the gas and the logs of every transaction", () => {
    expect(replayed.here.map((outcome) => outcome.succeeded)).to.deep.equal(expected);
    expect(replayed.there).to.deep.equal(replayed.here);
    expect(replayed.here.flatMap((outcome) => outcome.logs)).to.have.lengthOf(15);
  });

  it("agrees on every answer of the views", async () => {
    const [, , , fourth] = ids as [string, string, string, string];
    const calls: [BaseContract, string, unknown[]][] = [
      [s.coordinator, "result", [fourth]],
      [s.registry, "modelOf", [s.model]],
      [s.registry, "headOf", [s.model]],
      [s.registry, "keyOf", [s.model]],
      ...ids.map((id): [BaseContract, string, unknown[]] => [s.coordinator, "requestOf", [id]]),
      ...ids.map((id): [BaseContract, string, unknown[]] => [s.coordinator, "result", [id]]),
    ];
    const { key } = (await view(s.registry, "headOf", [s.model])) as { key: string };
    const { words } = s.answer(fourth);
    calls.push([s.verifier, "verify", [key, words, [1n, 2n, 3n]]]);
    for (const [contract, name, args] of calls) {
      const to = await contract.getAddress();
      const data = contract.interface.encodeFunctionData(name, args);
      const there = await replayed.call(to, data);
      const here = await chain.ethers.provider
        .call({ to, data })
        .then((returned) => ({ reverted: false, data: returned }))
        .catch((error: { data?: string }) => ({ reverted: true, data: error.data }));
      expect(there, `${name}(${args.join()})`).to.deep.equal(here);
    }
  });

  it("accepts a proof in a call, and refuses it with any word changed, for the same reason", async () => {
    const id = ids[0] as string;
    const harness = await s.deploy("ClaimHarness");
    const answer = s.answer(id);
    const args = [false, s.coordinatorAddress, id, s.model, answer.prover, answer.c, INPUT, answer.output];
    const signals = [...((await view(harness, "signals", args)) as bigint[])];
    const { key } = (await view(s.registry, "headOf", [s.model])) as { key: string };
    const to = await s.verifier.getAddress();
    const verify = (proof: readonly bigint[]) =>
      replayed.call(to, s.verifier.interface.encodeFunctionData("verify", [key, proof, signals]));
    expect(await verify(answer.words)).to.deep.equal({ reverted: false, data: "0x" });
    const invalid = s.verifier.interface.encodeErrorResult("InvalidProof");
    for (let at = 0; at < 8; at++) {
      expect(await verify(withWord(answer.words, at, (w) => (w + 1n) % Q))).to.deep.equal({
        reverted: true,
        data: invalid,
      });
    }
  });
});
