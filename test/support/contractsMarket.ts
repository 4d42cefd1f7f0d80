// What the tests of the market share: a fresh stage for each, refusals by name, and the audit after each: the coordinator
// holds, in every token, what its events say is open and what its accounts can withdraw, to the unit.
import { expect } from "chai";
import { NATIVE, openChain, view, type Chain, type Stage } from "./contracts.ts";
import type { Terms } from "./contractsRequest.ts";

/** Per token, what open requests and claims lock; and everybody who may have an account. From the events alone. */
async function ghost(s: Stage) {
  const open = new Map<string, { readonly token: string; amount: bigint }>();
  const tokens = new Set([NATIVE]);
  const accounts = new Set(Object.values(s.signers).map(({ address }) => address));
  const lock = (id: string, amount: bigint): void => {
    const entry = open.get(id);
    if (entry !== undefined) entry.amount += amount;
  };
  const rules: Readonly<Record<string, (args: Record<string, unknown>) => void>> = {
    Requested: ({ id, request }) => {
      const { token, maxFee, payer } = request as Terms;
      open.set(id as string, { token, amount: maxFee });
      tokens.add(token);
      accounts.add(payer);
    },
    Claimed: ({ id, collateral }) => lock(id as string, collateral as bigint),
    Expired: ({ id }) => open.delete(id as string),
    Fulfilled: ({ id, prover }) => {
      open.delete(id as string);
      accounts.add(prover as string);
    },
    Deposited: ({ account, token }) => {
      accounts.add(account as string);
      tokens.add(token as string);
    },
  };
  const logs = await s.ethers.provider.getLogs({ address: s.coordinatorAddress, fromBlock: 0 });
  for (const log of logs) {
    const event = s.coordinator.interface.parseLog(log);
    if (event !== null) rules[event.name]?.(event.args.toObject());
  }
  return { open: [...open.values()], tokens, accounts };
}

export async function audit(s: Stage): Promise<void> {
  const { open, tokens, accounts } = await ghost(s);
  for (const token of tokens) {
    const locked = open.reduce((sum, entry) => sum + (entry.token === token ? entry.amount : 0n), 0n);
    const { escrow, owed } = await s.books(token, [...accounts]);
    expect(escrow, `locked in ${token}, beside ${JSON.stringify(owed, (_, v: unknown) => String(v))}`).to.equal(locked);
  }
}

export function market() {
  let chain: Chain | undefined;
  let stage: Stage | undefined;
  before(async () => {
    chain = await openChain();
  });
  beforeEach(async () => {
    stage = await (chain as Chain).stage();
  });
  afterEach(async function () {
    if (stage !== undefined && this.currentTest?.state === "passed") await audit(stage);
  });
  return {
    get chain(): Chain {
      return chain as Chain;
    },
    get s(): Stage {
      return stage as Stage;
    },
    /** Reverts with a named error of the coordinator, with these arguments if any are given. */
    refused(sent: Promise<unknown>, error: string, ...args: unknown[]): Promise<void> {
      const refusal = expect(sent).to.be.revertedWithCustomError((stage as Stage).coordinator, error);
      return args.length === 0 ? refusal : refusal.withArgs(...args);
    },
    /** What the coordinator locks, and what its accounts can withdraw, by the signers' names. */
    async holds(escrow: bigint, owed: Readonly<Record<string, bigint>>, token = NATIVE): Promise<void> {
      expect(await (stage as Stage).books(token)).to.deep.equal({ escrow, owed });
    },
    /** The status of a request, as now. */
    status(asked: { readonly r: Terms }): Promise<unknown> {
      return view((stage as Stage).coordinator, "statusOf", [asked.r]);
    },
  };
}
