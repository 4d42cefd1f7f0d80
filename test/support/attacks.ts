// What the adversarial suite shares: an answer that must not get in by any door, and blocks whose order an attacker chose.
// The suite's list of attacks, README.md beside it, is written by scripts/attacks.ts.
import { expect } from "chai";
import type { ContractTransactionReceipt } from "ethers";
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { send, view, type Answer } from "./contracts.ts";
import type { market } from "./contractsMarket.ts";

export type Market = ReturnType<typeof market>;
const GAS_LIMIT = 3_000_000n;

export function batchArgs(m: Market, answers: readonly Answer[]): readonly unknown[] {
  return [answers.map(({ r }) => r), answers.map(m.s.answerArgs), answers[0]?.prover];
}

/**
 * Neither fulfil nor fulfilBatch takes the answer, and nothing changes by trying.
 * @param error what fulfil says
 */
export async function repelled(m: Market, answer: Answer, error = "InvalidProof", ...args: unknown[]): Promise<void> {
  const before = [await m.status(answer), await m.s.books()];
  await m.refused(m.s.fulfil(answer, m.s.signers.stranger), error, ...args);
  const { stranger: from } = m.s.signers;
  const sent = send(m.s.coordinator, "fulfilBatch", batchArgs(m, [answer]), { from, gasLimit: GAS_LIMIT });
  await expect(sent).to.emit(m.s.coordinator, "ItemSkipped");
  await expect(sent).not.to.emit(m.s.coordinator, "Fulfilled");
  expect([await m.status(answer), await m.s.books()]).to.deep.equal(before);
}

/** A call of the coordinator, by whom. */
export interface Act {
  readonly from: HardhatEthersSigner;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly value?: bigint;
}

/** One block at `time` with these calls in this order, each of another sender. @returns whether each succeeded */
export async function block(m: Market, time: number, acts: readonly Act[]): Promise<readonly boolean[]> {
  const { provider } = m.s.ethers;
  await provider.send("evm_setAutomine", [false]);
  try {
    const sent = [];
    for (const [i, { from, name, args, value = 0n }] of acts.entries()) {
      // Who pays more comes first.
      const maxPriorityFeePerGas = BigInt(acts.length - i) * 10n ** 9n;
      const fees = { maxPriorityFeePerGas, maxFeePerGas: 100n * 10n ** 9n };
      const call = m.s.coordinator.connect(from).getFunction(name);
      sent.push(await call.send(...args, { gasLimit: GAS_LIMIT, value, ...fees }));
    }
    await m.chain.at(time);
    await m.chain.helpers.mine();
    const receipts = await Promise.all(
      sent.map(({ hash }) => provider.getTransactionReceipt(hash) as Promise<ContractTransactionReceipt | null>),
    );
    expect(receipts.map((receipt) => receipt?.index)).to.deep.equal(acts.map((_, i) => i));
    expect(new Set(receipts.map((receipt) => receipt?.blockNumber)).size).to.equal(1);
    return receipts.map((receipt) => receipt?.status === 1);
  } finally {
    await provider.send("evm_setAutomine", [true]);
  }
}

export function fulfilBy(m: Market, answer: Answer, from: HardhatEthersSigner): Act {
  return { from, name: "fulfil", args: [answer.r, m.s.answerArgs(answer), answer.prover] };
}

/** Whether a request has its result. */
export async function answered(m: Market, { id }: { readonly id: string }): Promise<boolean> {
  return view(m.s.coordinator, "resultOf", [id]).then(
    () => true,
    () => false,
  );
}
