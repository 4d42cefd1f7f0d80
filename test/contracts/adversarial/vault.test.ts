// What the example vault says that it does not prevent: its budget is whoever's comes first, and each question is judged alone.
import { expect } from "chai";
import { type BaseContract, hexlify } from "ethers";
import type { HardhatEthersSigner } from "@nomicfoundation/hardhat-ethers/types";
import { describeTensors } from "../../../node/core/described.ts";
import { decodeInts, encodeInts } from "../../../node/core/tensor.ts";
import { ALL, FEE, START, send, view } from "../../support/contracts.ts";
import { market } from "../../support/contractsMarket.ts";
import { askedIn } from "../../support/dapps.ts";

const INT16 = { bits: 16, signed: true } as const;
const UNIT = 10n ** 18n;
const BUDGET = 100n * UNIT;
const DAY = 86_400;

describe("RiskVault against its own depositors", () => {
  const m = market();
  let vault: BaseContract;
  let token: BaseContract;
  beforeEach(async () => {
    const features = { type: INT16, exponent: -8, shape: [1, 4] };
    const score = { type: INT16, exponent: -14, shape: [1, 1] };
    const tensors = hexlify(describeTensors({ inputs: [features], outputs: [score] }));
    const model = await m.s.another({ inputLength: 8, outputLength: 2, tensors });
    const source = await m.s.deploy("StaticcallSource", m.s.registryAddress);
    token = await m.s.deploy("PlainToken");
    const args = [m.s.coordinatorAddress, model, await source.getAddress(), BUDGET, UNIT / 2n, false];
    vault = await m.s.deploy("RiskVault", await token.getAddress(), ...args);
  });
  const fund = async (from: HardhatEthersSigner, amount: bigint): Promise<void> => {
    await send(token, "mint", [from.address, amount], { from });
    await send(token, "approve", [await vault.getAddress(), ALL], { from });
  };
  const deposit = (from: HardhatEthersSigner, amount: bigint) =>
    send(vault, "deposit", [amount, from.address], { from });
  const withdraw = (from: HardhatEthersSigner, amount: bigint) =>
    send(vault, "withdraw", [amount, from.address, from.address], { from });

  it("a day's budget can be used up by one who has as much for a moment; what was not cleared waits for the next day", async () => {
    const { requester: holder, rival: spoiler } = m.s.signers;
    for (const who of [holder, spoiler]) await fund(who, BUDGET);
    await deposit(holder, BUDGET);
    await m.chain.at(START + DAY);
    await deposit(spoiler, BUDGET);
    await withdraw(spoiler, BUDGET - 1n);
    expect(await view(vault, "maxWithdraw", [holder.address])).to.equal(1n);
    await withdraw(spoiler, 1n);
    expect(await view(vault, "maxWithdraw", [holder.address])).to.equal(0n);
    expect(await view(token, "balanceOf", [spoiler.address]), "at no cost").to.equal(BUDGET);
    await m.chain.at(START + 2 * DAY);
    await withdraw(holder, BUDGET);
  });

  it("questions of several accounts are judged alone: none sees what the others were cleared for", async () => {
    const { requester, rival, stranger } = m.s.signers;
    const accounts = [requester, rival, stranger];
    for (const who of accounts) {
      await fund(who, 300n * UNIT);
      await deposit(who, 300n * UNIT);
    }
    const cleared: number[] = [];
    for (const who of accounts) {
      const asked = await askedIn(m.s, await send(vault, "askClearance", [270n * UNIT], { from: who, value: FEE }));
      cleared.push(...decodeInts(asked.input, INT16).slice(3));
      await m.s.fulfil(m.s.answer(asked, { output: encodeInts([0], INT16) }));
    }
    expect(cleared, "the part of the vault that left").to.deep.equal([0, 0, 0]);
    for (const who of accounts) await withdraw(who, 270n * UNIT);
    expect(await view(vault, "totalAssets")).to.equal(90n * UNIT);
  });
});
