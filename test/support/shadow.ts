// The whole contract suite on a second EVM: what a test does to Hardhat's chain is done again on @ethereumjs/vm, and after
// each test both must have said the same of every transaction: success, gas, logs. It listens to the provider, so tests
// need not know; a change of the chain that it cannot mirror is refused, so that none goes unseen.
import { expect } from "chai";
import {
  EDITS,
  accountOf,
  blockOf,
  openEvm,
  outcomeOf,
  type AccountState,
  type Ask,
  type Edit,
  type Outcome,
} from "./evm.ts";

/** The same thing on Hardhat's EVM and on the second: a transaction, or an account after some. */
export interface Pair<T = Outcome> {
  readonly here: T;
  readonly there: T;
}

interface RequestArguments {
  readonly method: string;
  readonly params?: readonly unknown[] | object;
}
interface Provider {
  request(args: RequestArguments): Promise<unknown>;
}

/** What shows in the blocks that are made: nothing else to do. */
const SEEN_IN_BLOCKS = new Set([
  ...["evm_mine", "hardhat_mine", "evm_setAutomine", "evm_setIntervalMining", "evm_setBlockGasLimit"],
  ...["evm_increaseTime", "evm_setNextBlockTimestamp", "hardhat_setNextBlockBaseFeePerGas", "hardhat_setPrevRandao"],
  ...["hardhat_setCoinbase", "hardhat_dropTransaction"],
]);

/** Listens to a chain that is at genesis, from now on. */
export async function shadow(provider: Provider) {
  const request = provider.request.bind(provider);
  const ask: Ask = async <T>(method: string, ...params: readonly unknown[]) => (await request({ method, params })) as T;
  const heightOf = async (): Promise<number> => Number(await ask<string>("eth_blockNumber"));
  const accounts = await ask<string[]>("eth_accounts");
  const balances = accounts.map(async (a) => [a, BigInt(await ask<string>("eth_getBalance", a, "latest"))] as const);
  const evm = await openEvm(Number(await ask<string>("eth_chainId")), await Promise.all(balances));

  let height = await heightOf();
  if (height !== 0) throw new Error(`the chain is at block ${height} already; listen to it from genesis`);
  let behind = false;
  /** Edits of the state, each with the block after which it was made. */
  let edits: { readonly after: number; readonly edit: Edit }[] = [];
  let pairs: Pair[] = [];
  let accountPairs: Pair<AccountState>[] = [];
  const saved = new Map<string, { readonly height: number; readonly state: Awaited<ReturnType<typeof evm.save>> }>();

  async function editUpTo(block: number): Promise<void> {
    for (const { after, edit } of edits) if (after <= block) await evm.edit(edit);
    edits = edits.filter(({ after }) => after > block);
  }

  /** Does what Hardhat's chain did since the last time. */
  async function catchUp(): Promise<void> {
    if (!behind) return;
    behind = false;
    const last = await heightOf();
    const touched = new Set<string>();
    for (; height < last; height++) {
      await editUpTo(height);
      const block = await blockOf(ask, height + 1);
      for (const there of await evm.run(block)) {
        const here = await outcomeOf(ask, there.hash);
        pairs.push({ here, there });
        for (const { address } of here.logs) touched.add(address);
      }
      for (const { from, to } of block.transactions) for (const at of [from, to]) if (at) touched.add(at.toString());
    }
    await editUpTo(height);
    for (const address of touched)
      accountPairs.push({ here: await accountOf(ask, address), there: await evm.accountOf(address) });
  }

  provider.request = async (args) => {
    const { method } = args;
    const params = Array.isArray(args.params) ? (args.params as unknown[]) : [];
    if (method.startsWith("eth_send")) behind = true;
    if (!/^(evm|hardhat)_/.test(method)) return request(args);
    behind = true;
    if (method === "evm_snapshot") {
      await catchUp();
      const id = await request(args);
      saved.set(String(id), { height, state: await evm.save() });
      return id;
    }
    if (method === "evm_revert") {
      await catchUp();
      const then = saved.get(String(params[0]));
      const reverted = await request(args);
      if (then === undefined) throw new Error(`nobody listened when the snapshot ${String(params[0])} was taken`);
      height = then.height;
      await evm.restore(then.state);
      return reverted;
    }
    if (method in EDITS) {
      edits.push({ after: await heightOf(), edit: [method as Edit[0], params as string[]] });
    } else if (!SEEN_IN_BLOCKS.has(method)) {
      throw new Error(`${method} would go unseen by the second EVM; teach test/support/shadow.ts to mirror it`);
    }
    return request(args);
  };

  return {
    /**
     * Every transaction since this was asked last, those of chains that were reverted since included; and the accounts that
     * sent, received or logged, as they were after the last of a chain.
     */
    async pairs(): Promise<{
      readonly transactions: readonly Pair[];
      readonly accounts: readonly Pair<AccountState>[];
    }> {
      await catchUp();
      const done = { transactions: pairs, accounts: accountPairs };
      [pairs, accountPairs] = [[], []];
      return done;
    },
    call: evm.call,
  };
}
export type Shadow = Awaited<ReturnType<typeof shadow>>;

/** The pairs whose halves differ, in words. */
export function differences(of: readonly Pair<unknown>[]): readonly string[] {
  return of.flatMap(({ here, there }) => {
    try {
      expect(there).to.deep.equal(here);
      return [];
    } catch {
      const text = (half: unknown): string =>
        JSON.stringify(half, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v));
      return [`revm:       ${text(here)}\n    ethereumjs: ${text(there)}`];
    }
  });
}
