// A second EVM, @ethereumjs/vm, written apart from the one that Hardhat runs (revm): it replays a whole chain from genesis
// and answers calls at its end. It shares neither interpreter nor BN254 arithmetic with Hardhat's.
import { createBlock } from "@ethereumjs/block";
import { Hardfork, Mainnet, createCustomCommon } from "@ethereumjs/common";
import { createTxFromRLP } from "@ethereumjs/tx";
import { createAccount, createAddressFromString } from "@ethereumjs/util";
import { createVM, runTx, type VM } from "@ethereumjs/vm";
import { Transaction, getBytes, hexlify, type JsonRpcApiProvider, type TransactionResponse } from "ethers";

/** What both implementations must agree on of one transaction. */
export interface Outcome {
  readonly hash: string;
  readonly succeeded: boolean;
  readonly gasUsed: bigint;
  readonly logs: readonly { readonly address: string; readonly topics: readonly string[]; readonly data: string }[];
}

export interface Replay {
  readonly here: readonly Outcome[];
  readonly there: readonly Outcome[];
  /** Return or revert data of a call on the second EVM after the last block. */
  readonly call: (to: string, data: string) => Promise<{ readonly reverted: boolean; readonly data: string }>;
}

type Provider = Pick<JsonRpcApiProvider, "getBlock" | "getBlockNumber" | "getNetwork" | "getTransactionReceipt">;

function rawOf(tx: TransactionResponse): Uint8Array {
  const { type, chainId, nonce, to, gasLimit, maxFeePerGas, maxPriorityFeePerGas, value, data, accessList, signature } =
    tx;
  const fees = { maxFeePerGas, maxPriorityFeePerGas };
  const raw = Transaction.from({ type, chainId, nonce, to, gasLimit, ...fees, value, data, accessList, signature });
  if (raw.hash !== tx.hash) throw new Error(`transaction ${tx.hash} was read back as ${raw.hash}`);
  return getBytes(raw.serialized);
}

async function run(vm: VM, tx: TransactionResponse, block: ReturnType<typeof createBlock>): Promise<Outcome> {
  const signed = createTxFromRLP(rawOf(tx), { common: vm.common });
  const sender = signed.getSenderAddress();
  const account = await vm.stateManager.getAccount(sender);
  await vm.stateManager.putAccount(sender, createAccount({ nonce: account?.nonce ?? 0n, balance: 10n ** 24n }));
  const result = await runTx(vm, { tx: signed, block });
  return {
    hash: tx.hash,
    succeeded: result.execResult.exceptionError === undefined,
    gasUsed: result.totalGasSpent,
    logs: (result.execResult.logs ?? []).map(([address, topics, data]) => ({
      address: hexlify(address),
      topics: topics.map((topic) => hexlify(topic)),
      data: hexlify(data),
    })),
  };
}

/** Replays every block of `provider`'s chain. */
export async function replay(provider: Provider): Promise<Replay> {
  const chainId = Number((await provider.getNetwork()).chainId);
  const common = createCustomCommon({ chainId }, Mainnet, { hardfork: Hardfork.Osaka });
  const vm = await createVM({ common });
  const [here, there]: [Outcome[], Outcome[]] = [[], []];
  const last = await provider.getBlockNumber();
  let head = createBlock({}, { common });
  for (let number = 1; number <= last; number++) {
    const block = await provider.getBlock(number, true);
    if (block === null) throw new Error(`no block ${number}`);
    const { timestamp, gasLimit, baseFeePerGas, miner } = block;
    const header = {
      number,
      timestamp,
      gasLimit,
      baseFeePerGas: baseFeePerGas ?? 0n,
      coinbase: createAddressFromString(miner),
    };
    head = createBlock({ header }, { common });
    for (const tx of block.prefetchedTransactions) {
      const receipt = await provider.getTransactionReceipt(tx.hash);
      if (receipt === null) throw new Error(`no receipt of ${tx.hash}`);
      here.push({
        hash: tx.hash,
        succeeded: receipt.status === 1,
        gasUsed: receipt.gasUsed,
        logs: receipt.logs.map(({ address, topics, data }) => ({
          address: address.toLowerCase(),
          topics: [...topics],
          data,
        })),
      });
      there.push(await run(vm, tx, head));
    }
  }
  const call: Replay["call"] = async (to, data) => {
    const { execResult } = await vm.evm.runCall({
      to: createAddressFromString(to),
      data: getBytes(data),
      block: head,
      gasLimit: 16_000_000n,
    });
    return { reverted: execResult.exceptionError !== undefined, data: hexlify(execResult.returnValue) };
  };
  return { here, there, call };
}
