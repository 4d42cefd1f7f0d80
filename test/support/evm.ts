// A second EVM, @ethereumjs/vm, written apart from the one that Hardhat runs (revm): it takes blocks as a node tells them,
// and answers calls at the end of them. It shares neither interpreter nor BN254 arithmetic with Hardhat's. What it is fed,
// and when, is shadow.ts's business.
import { createBlock, type Block } from "@ethereumjs/block";
import { Hardfork, Mainnet, createCustomCommon } from "@ethereumjs/common";
import { createTxFromRPC } from "@ethereumjs/tx";
import { createAccount, createAddressFromString } from "@ethereumjs/util";
import { createVM, runTx } from "@ethereumjs/vm";
import { ZeroAddress, getBytes, hexlify, stripZerosLeft, zeroPadValue, type JsonRpcApiProvider } from "ethers";

/** What both implementations must agree on of one transaction. */
export interface Outcome {
  readonly hash: string;
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly logs: readonly { readonly address: string; readonly topics: readonly string[]; readonly data: string }[];
  /** Why the transaction could not be run at all; never of one that a node put into a block, if both agree. */
  readonly refused?: string;
}

/** All that is at an address, its storage as the root of the trie. */
export interface AccountState {
  readonly address: string;
  readonly nonce: bigint;
  readonly balance: bigint;
  readonly codeHash: string;
  readonly storageHash: string;
}

/** What eth_getBlockByNumber returns, with whole transactions. */
export interface RpcBlock {
  readonly number: string;
  readonly timestamp: string;
  readonly gasLimit: string;
  readonly baseFeePerGas: string;
  readonly miner: string;
  readonly mixHash: string;
  readonly transactions: readonly RpcTransaction[];
}
type RpcTransaction = { readonly hash: string; readonly from: string } & Parameters<typeof createTxFromRPC>[0];

/** One JSON-RPC request. */
export type Ask = <T>(method: string, ...params: readonly unknown[]) => Promise<T>;

export const blockOf = (ask: Ask, number: number): Promise<RpcBlock> =>
  ask("eth_getBlockByNumber", `0x${number.toString(16)}`, true);

/** What the node says of a transaction. */
export async function outcomeOf(ask: Ask, hash: string): Promise<Outcome> {
  type Receipt = Pick<Outcome, "logs"> & { readonly status: string; readonly gasUsed: string };
  const { status, gasUsed, logs } = await ask<Receipt>("eth_getTransactionReceipt", hash);
  const plain = logs.map(({ address, topics, data }) => ({ address: address.toLowerCase(), topics, data }));
  return { hash, succeeded: status === "0x1", gasUsed: BigInt(gasUsed), logs: plain };
}

/** Edits of the state without a transaction, by the name of Hardhat's method: [address, value] or [address, slot, value]. */
export type Edit = readonly [method: keyof typeof EDITS, params: readonly string[]];
export const EDITS = {
  hardhat_setBalance: 2,
  hardhat_setNonce: 2,
  hardhat_setCode: 2,
  hardhat_setStorageAt: 3,
} as const;

export type SecondEvm = Awaited<ReturnType<typeof openEvm>>;

/** An EVM after genesis. @param balances address and wei of everybody who has some. */
export async function openEvm(chainId: number, balances: readonly (readonly [string, bigint])[]) {
  const common = createCustomCommon({ chainId }, Mainnet, { hardfork: Hardfork.Osaka });
  const vm = await createVM({ common });
  const state = vm.stateManager;
  for (const [address, balance] of balances)
    await state.putAccount(createAddressFromString(address), createAccount({ balance }));
  let head: Block = createBlock({}, { common });

  async function runOne(raw: RpcTransaction): Promise<Outcome> {
    const tx = await createTxFromRPC(raw, { common });
    if (hexlify(tx.hash()) !== raw.hash) throw new Error(`transaction ${raw.hash} was read back as another`);
    const { execResult, totalGasSpent } = await runTx(vm, { tx, block: head });
    const logs = (execResult.logs ?? []).map(([address, topics, data]) => ({
      address: hexlify(address),
      topics: topics.map((topic) => hexlify(topic)),
      data: hexlify(data),
    }));
    return { hash: raw.hash, succeeded: execResult.exceptionError === undefined, gasUsed: totalGasSpent, logs };
  }

  return {
    /** Runs the next block. */
    async run({ number, timestamp, gasLimit, baseFeePerGas, miner, mixHash, transactions }: RpcBlock) {
      const coinbase = createAddressFromString(miner);
      const facts = { number: BigInt(number), timestamp: BigInt(timestamp), gasLimit: BigInt(gasLimit) };
      const header = { ...facts, baseFeePerGas: BigInt(baseFeePerGas), coinbase, mixHash: getBytes(mixHash) };
      head = createBlock({ header }, { common });
      const outcomes: Outcome[] = [];
      for (const raw of transactions) {
        const nothing = { hash: raw.hash, succeeded: false, gasUsed: 0n, logs: [] };
        outcomes.push(await runOne(raw).catch((error: unknown) => ({ ...nothing, refused: String(error) })));
      }
      return outcomes;
    },

    async edit([method, [target = "", first = "", second = ""]]: Edit): Promise<void> {
      const address = createAddressFromString(target);
      const account = (await state.getAccount(address)) ?? createAccount({});
      if (method === "hardhat_setBalance") account.balance = BigInt(first);
      if (method === "hardhat_setNonce") account.nonce = BigInt(first);
      await state.putAccount(address, account);
      if (method === "hardhat_setCode") await state.putCode(address, getBytes(first));
      if (method === "hardhat_setStorageAt") {
        await state.putStorage(address, getBytes(zeroPadValue(first, 32)), getBytes(stripZerosLeft(second)));
      }
    },

    /** What is at an address now. */
    async accountOf(address: string): Promise<AccountState> {
      await state.getStateRoot(); // writes the storage's root into the account
      const { nonce, balance, codeHash, storageRoot } =
        (await state.getAccount(createAddressFromString(address))) ?? createAccount({});
      return { address, nonce, balance, codeHash: hexlify(codeHash), storageHash: hexlify(storageRoot) };
    },

    /** Something that `restore` takes back to the state as it is now. */
    async save(): Promise<{ readonly root: Uint8Array; readonly head: Block }> {
      return { root: await state.getStateRoot(), head };
    },
    async restore(saved: { readonly root: Uint8Array; readonly head: Block }): Promise<void> {
      await state.setStateRoot(saved.root);
      head = saved.head;
    },

    /** Return or revert data of a call after the last block. */
    async call(
      to: string,
      data: string,
      from = ZeroAddress,
    ): Promise<{ readonly reverted: boolean; readonly data: string }> {
      const callee = createAddressFromString(to);
      const before = await state.getStateRoot();
      const caller = createAddressFromString(from);
      const gasLimit = 16_000_000n;
      const { execResult } = await vm.evm.runCall({ caller, to: callee, data: getBytes(data), block: head, gasLimit });
      await state.setStateRoot(before);
      return { reverted: execResult.exceptionError !== undefined, data: hexlify(execResult.returnValue) };
    },
  };
}

/** What the node says is at an address now. */
export async function accountOf(ask: Ask, address: string): Promise<AccountState> {
  type Proof = Readonly<Record<"nonce" | "balance" | "codeHash" | "storageHash", string>>;
  const { nonce, balance, codeHash, storageHash } = await ask<Proof>("eth_getProof", address, [], "latest");
  return { address, nonce: BigInt(nonce), balance: BigInt(balance), codeHash, storageHash };
}

/** Replays a chain from genesis to its end; nobody may have edited its state. */
export async function replay(provider: Pick<JsonRpcApiProvider, "send">) {
  const ask: Ask = (method, ...params) => provider.send(method, [...params]);
  const last = Number(await ask<string>("eth_blockNumber"));
  const blocks: RpcBlock[] = [];
  for (let number = 1; number <= last; number++) blocks.push(await blockOf(ask, number));
  const transactions = blocks.flatMap((block) => block.transactions);
  const balances: (readonly [string, bigint])[] = [];
  for (const sender of new Set(transactions.map(({ from }) => from)))
    balances.push([sender, BigInt(await ask<string>("eth_getBalance", sender, "0x0"))]);
  const evm = await openEvm(Number(await ask<string>("eth_chainId")), balances);
  const [here, there]: [Outcome[], Outcome[]] = [[], []];
  for (const block of blocks) there.push(...(await evm.run(block)));
  for (const { hash } of transactions) here.push(await outcomeOf(ask, hash));
  return { here, there, call: evm.call };
}
