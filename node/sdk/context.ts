// What every part of the SDK works with: the chain's reader, the wallet if there is one, time. And the wallet's transactions,
// from the estimate to the block. No state.
import type { ChainClient } from "../chain/client.ts";
import type { RawLog } from "../chain/codec.ts";
import { quantity, readLogs } from "../chain/follow.ts";
import { explained } from "../chain/refusal.ts";
import type { Call } from "../chain/calls.ts";
import type { Address, Hex } from "../core/domain.ts";
import { asNodeError, NodeError, throwIfAborted } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";

/** What is used of a wallet. Every Signer of ethers 6 that has a provider is one. */
export interface Wallet {
  getAddress(): Promise<string>;
  sendTransaction(transaction: {
    to: string;
    data: string;
    value: bigint;
    gasLimit: bigint;
  }): Promise<{ readonly hash: string }>;
  signTypedData(
    domain: { name: string; version?: string; chainId: bigint; verifyingContract: string; salt?: string },
    types: Record<string, { name: string; type: string }[]>,
    value: Record<string, unknown>,
  ): Promise<string>;
}

export interface Context {
  readonly chain: ChainClient;
  readonly wallet: Wallet | undefined;
  readonly clock: Clock;
  /** Milliseconds between looks at the chain. */
  readonly pollMs: number;
  /** Blocks per eth_getLogs at most. */
  readonly maxRange: number;
  /** Blocks on top of an event before it counts. */
  readonly confirmations: number;
}

export interface Receipt {
  readonly hash: Hex;
  readonly block: number;
  readonly gasUsed: bigint;
  readonly logs: readonly RawLog[];
}

/** The coordinator's logs of blocks `from` to `to`, in as many calls as the endpoint wants. */
export async function logsOf(
  { chain, maxRange }: Context,
  topics: readonly (Hex | null)[],
  from: number,
  to: number,
  signal?: AbortSignal,
): Promise<readonly RawLog[]> {
  const filter = { address: chain.coordinator, topics };
  const logs: RawLog[] = [];
  for (let at = from, span = maxRange; at <= to;) {
    const batch = await readLogs(chain.rpc, filter, at, to, span, signal);
    logs.push(...batch.logs.filter(({ removed }) => removed !== true));
    [at, span] = [batch.to + 1, Math.min(maxRange, batch.span * 2)];
  }
  return logs;
}

/** @throws NodeError "usage" */
export function walletOf({ wallet }: Context): Wallet {
  if (wallet !== undefined) return wallet;
  throw new NodeError("usage", "this needs a wallet, and the client was opened without one", {
    mend: "Give openClient a signer.",
  });
}

export const addressOf = async (context: Context): Promise<Address> =>
  (await walletOf(context).getAddress()) as Address;

/** `work`, or the abort if that comes first. What a wallet was asked for cannot be taken back. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return work;
  let stop: () => void = () => undefined;
  const aborted = new Promise<void>((resolve) => (stop = resolve));
  signal.addEventListener("abort", stop, { once: true });
  try {
    const first = await Promise.race([work, aborted]);
    throwIfAborted(signal);
    return first as T;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Room in the gas limit for storage that others touch between the estimate and the block. */
const withRoom = (gas: bigint): bigint => gas + gas / 4n;

/**
 * Estimates, has the wallet send, waits for the block.
 * @param doing what it is for, as a message begins
 * @throws NodeError with the contract's reason if it would revert; "aborted" if the wallet's owner says no
 */
export async function send(
  context: Context,
  doing: string,
  call: Call,
  {
    signal,
    onSent,
  }: { readonly signal?: AbortSignal | undefined; readonly onSent?: ((hash: Hex) => void) | undefined },
): Promise<Receipt> {
  const { chain, clock, pollMs } = context;
  const wallet = walletOf(context);
  const { to = "", data, value = 0n } = call;
  const from = await addressOf(context);
  const asked = [{ from, to, data, value: quantity(value) }, "latest"];
  const gas = await chain.rpc.request("eth_estimateGas", asked, signal).catch((error: unknown) => {
    throw explained(error, doing);
  });
  const gasLimit = withRoom(BigInt(gas as string));
  const sent = await orAborted(wallet.sendTransaction({ to, data, value, gasLimit }).catch(refusedBy(doing)), signal);
  const hash = sent.hash as Hex;
  onSent?.(hash);
  for (;;) {
    const receipt = await receiptOf(context, hash, signal);
    if (receipt?.ok === true) return receipt;
    if (receipt !== undefined) {
      throw new NodeError("chain", `${doing}: the transaction ${hash} was reverted in its block`, {
        mend: "The state changed between the estimate and the block. Look at it in an explorer, and try again.",
        facts: { hash },
      });
    }
    await clock.sleep(pollMs, signal);
  }
}

/** Undefined while it is in no block. */
export async function receiptOf(
  { chain }: Context,
  hash: Hex,
  signal?: AbortSignal,
): Promise<(Receipt & { readonly ok: boolean }) | undefined> {
  const raw = (await chain.rpc.request("eth_getTransactionReceipt", [hash], signal)) as RawReceipt | null;
  if (raw === null) return undefined;
  const { status, blockNumber, gasUsed, logs } = raw;
  return { hash, ok: status === "0x1", block: Number(blockNumber), gasUsed: BigInt(gasUsed), logs };
}

interface RawReceipt {
  readonly status: string;
  readonly blockNumber: string;
  readonly gasUsed: string;
  readonly logs: readonly RawLog[];
}

/** What a wallet throws, by the codes of ethers and of EIP-1193, as an error with a mend. */
export function refusedBy(doing: string): (thrown: unknown) => never {
  return (thrown) => {
    const { code } = (thrown ?? {}) as { readonly code?: unknown };
    if (code === "ACTION_REJECTED" || code === 4001) {
      throw new NodeError("aborted", `${doing}: the wallet's owner said no`, { cause: thrown });
    }
    if (code === "INSUFFICIENT_FUNDS") {
      throw new NodeError("input", `${doing}: the wallet has too little for value and gas`, {
        mend: "Send it some of the chain's coin.",
        cause: thrown,
      });
    }
    throw new NodeError("chain", `${doing}: the wallet failed (${asNodeError(thrown).message})`, {
      mend: "Check that the wallet is connected, to the same chain.",
      cause: thrown,
    });
  };
}
