// The whole contract suite on a second EVM: what a test does to Hardhat's chain is done again on @ethereumjs/vm, and after
// each test both must have said the same of every transaction: success, gas, logs. It listens to the provider, so tests
// need not know; a change of the chain that it cannot mirror is refused, so that none goes unseen.
import { expect } from "chai";
import { EDITS, blockOf, openEvm, outcomeOf, type Ask, type Edit, type Outcome } from "./evm.ts";

/** One transaction on Hardhat's EVM and on the second. */
export interface Pair {
  readonly here: Outcome;
  readonly there: Outcome;
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
    for (; height < last; height++) {
      await editUpTo(height);
      for (const there of await evm.run(await blockOf(ask, height + 1)))
        pairs.push({ here: await outcomeOf(ask, there.hash), there });
    }
    await editUpTo(height);
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
    /** Every transaction since this was asked last, those of chains that were reverted since included. */
    async pairs(): Promise<readonly Pair[]> {
      await catchUp();
      const done = pairs;
      pairs = [];
      return done;
    },
    call: evm.call,
  };
}
export type Shadow = Awaited<ReturnType<typeof shadow>>;

/** The transactions on which the two differ, in words. */
export function differences(pairs: readonly Pair[]): readonly string[] {
  return pairs.flatMap(({ here, there }) => {
    try {
      expect(there).to.deep.equal(here);
      return [];
    } catch {
      const text = (o: Outcome): string => JSON.stringify(o, (_, v: unknown) => (typeof v === "bigint" ? `${v}` : v));
      return [`${here.hash}\n      revm:      ${text(here)}\n      ethereumjs: ${text(there)}`];
    }
  });
}
