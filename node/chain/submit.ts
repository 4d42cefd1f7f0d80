// The one sender of a key. Every transaction is recorded, signed, before it is offered to the chain, under a name that says
// what it is for: after a crash the same bytes are offered again, so nothing is sent twice and no nonce is left open.
// Where intents are kept is the caller's business (job/store.ts; memoryLog for a single command).
import type { Address, Hex } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import type { Clock, Log } from "../core/ports.ts";
import type { Call } from "./calls.ts";
import type { BlockRef } from "./codec.ts";
import { blockAt, quantity } from "./follow.ts";
import type { Signer } from "./keys.ts";
import { explained } from "./refusal.ts";
import { revertOf, type Rpc } from "./rpc.ts";

/** A nonce that is spoken for. */
export interface Intent {
  readonly nonce: number;
  /** What it is for; "fulfil:0x..", one for each request that it answers. At most one intent of a name is live. */
  readonly names: readonly string[];
  readonly call: Call;
  readonly gas: bigint;
  readonly maxFee: bigint;
  readonly priorityFee: bigint;
  /** The newest signed transaction, and the hashes of all that were ever signed for this nonce. */
  readonly raw: Hex;
  readonly hashes: readonly Hex[];
  /** Milliseconds: when `raw` was signed. */
  readonly signedAt: number;
  /** open: not final yet. mined: confirmed. void: confirmed as reverted, used up for nothing, or used by somebody else. */
  readonly state: "open" | "mined" | "void";
}

export interface IntentLog {
  /** The live or mined intent with that name and the highest nonce. */
  find(name: string): Promise<Intent | undefined>;
  /** Every open one, lowest nonce first. */
  open(): Promise<readonly Intent[]>;
  /** One more than the highest nonce ever recorded; 0 at first. */
  nextNonce(): Promise<number>;
  /** Inserts, or replaces the one of the same nonce. */
  save(intent: Intent): Promise<void>;
}

export type Progress =
  /** Never recorded, or void. */
  | { readonly kind: "none" }
  | { readonly kind: "pending"; readonly hash: Hex }
  | { readonly kind: "included"; readonly receipt: MinedReceipt; readonly confirmed: boolean };

export interface MinedReceipt {
  readonly hash: Hex;
  readonly block: BlockRef;
  readonly ok: boolean;
  readonly gasUsed: bigint;
  readonly contract: Address | undefined;
}

export interface Sender {
  readonly address: Address;
  /**
   * Records, signs and offers the transaction; again with the same names: offers the same bytes again.
   * @param names one or several things that the call does; if any of them was sent before, nothing new is sent
   * @throws NodeError with the contract's reason if it would revert now.
   */
  submit(names: string | readonly string[], call: Call, options?: SubmitOptions): Promise<{ readonly hash: Hex }>;
  progress(name: string, signal?: AbortSignal): Promise<Progress>;
  /** Looks after every open nonce: closes what is confirmed, offers again, raises fees, empties what lost its sense. */
  tend(signal?: AbortSignal): Promise<void>;
}

export interface SubmitOptions {
  readonly signal?: AbortSignal | undefined;
  /** A confirmed transaction of this name does not count: its effect was undone by a later one. */
  readonly again?: boolean;
}

export interface SenderOptions {
  readonly rpc: Rpc;
  readonly chainId: bigint;
  readonly signer: Signer;
  readonly log: IntentLog;
  readonly clock: Clock;
  readonly journal: Log;
  readonly confirmations: number;
  /** Wei per gas that is never exceeded. */
  readonly maxFeePerGas: bigint;
  /** Milliseconds without inclusion after which the fees are raised. */
  readonly bumpAfterMs: number;
  /** Named points for fault tests: "recorded" (before sending), "sent". */
  readonly fault?: (point: string) => void;
}

/** Nodes replace a pending transaction only for a tenth more (geth's price bump); an eighth leaves room for rounding. */
const raised = (fee: bigint): bigint => (fee * 9n) / 8n + 1n;
/** Wei per gas, where the endpoint has no opinion. */
const USUAL_TIP = 10n ** 9n;
/** Prefix of the name of a nonce that is used up for nothing. */
const VOID = "void:";
const isVoid = ({ names }: Pick<Intent, "names">): boolean => names.every((name) => name.startsWith(VOID));
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);

export function openSender(options: SenderOptions): Sender {
  const { rpc, chainId, signer, log, clock, journal, confirmations, maxFeePerGas, bumpAfterMs, fault } = options;
  const address = signer.address;
  let queue: Promise<unknown> = Promise.resolve();

  /** One at a time: two callers must not take the same nonce. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = queue.then(work, work);
    queue = result.catch(() => undefined);
    return result;
  }

  const count = async (at: string, signal?: AbortSignal): Promise<number> =>
    Number(await rpc.request("eth_getTransactionCount", [address, at], signal));

  async function receiptOf(intent: Intent, signal?: AbortSignal): Promise<MinedReceipt | undefined> {
    for (const hash of [...intent.hashes].reverse()) {
      const raw = (await rpc.request("eth_getTransactionReceipt", [hash], signal)) as RawReceipt | null;
      if (raw !== null) return receiptFrom(raw);
    }
    return undefined;
  }

  async function estimate(call: Call, signal?: AbortSignal): Promise<bigint> {
    const to = call.to === undefined ? {} : { to: call.to };
    const request = { from: address, ...to, data: call.data, value: quantity(call.value ?? 0n) };
    const gas = BigInt((await rpc.request("eth_estimateGas", [request, "latest"], signal)) as string);
    if (call.gas !== undefined) return call.gas;
    // A quarter more: storage that others touch in between may cost more than at the time of the estimate.
    return gas + gas / 4n;
  }

  async function fees(signal?: AbortSignal): Promise<{ readonly maxFee: bigint; readonly priorityFee: bigint }> {
    const block = (await rpc.request("eth_getBlockByNumber", ["latest", false], signal)) as { baseFeePerGas?: string };
    const base = BigInt(block.baseFeePerGas ?? "0x0");
    const tip = await rpc.request("eth_maxPriorityFeePerGas", [], signal).then(
      (price) => BigInt(price as string),
      (error: unknown) => {
        if (error instanceof NodeError && error.facts["rpcCode"] === -32601) return USUAL_TIP;
        throw error;
      },
    );
    if (base > maxFeePerGas) {
      throw new NodeError("chain", `gas costs ${base} wei, more than the limit of ${maxFeePerGas}`, {
        retry: true,
        mend: "Wait, or raise maxFeePerGas.",
      });
    }
    // Twice the base fee stays includable for six full blocks.
    const maxFee = least(2n * base + tip, maxFeePerGas);
    return { maxFee, priorityFee: least(tip, maxFee) };
  }

  /** Signs, records, then offers: in this order, so that a crash in between leaves the record. */
  async function send(intent: Omit<Intent, "raw" | "signedAt">, signal?: AbortSignal): Promise<Intent> {
    const { call, nonce, gas, maxFee, priorityFee } = intent;
    const { raw, hash } = await signer.sign({
      type: 2,
      chainId,
      nonce,
      gasLimit: gas,
      maxFeePerGas: maxFee,
      maxPriorityFeePerGas: priorityFee,
      to: call.to ?? null,
      data: call.data,
      value: call.value ?? 0n,
    });
    const recorded: Intent = { ...intent, raw, hashes: [...intent.hashes, hash], signedAt: clock.now() };
    await log.save(recorded);
    fault?.("recorded");
    await offer(recorded, signal);
    fault?.("sent");
    return recorded;
  }

  /** Offers the bytes to the chain. That they are known or used up already is no trouble: progress() reads what became. */
  async function offer(intent: Intent, signal?: AbortSignal): Promise<void> {
    try {
      await rpc.request("eth_sendRawTransaction", [intent.raw], signal);
    } catch (thrown) {
      const error = asNodeError(thrown, "chain");
      if (error.facts["rpcCode"] === undefined) throw error;
      const known = /already (known|exists|imported)|known transaction|nonce too low|nonce.*(low|used)/i;
      if (known.test(error.message)) return;
      journal.warn(
        { names: intent.names, nonce: intent.nonce, error: error.message },
        "the chain did not take the transaction",
      );
    }
  }

  async function look(intent: Intent, signal?: AbortSignal): Promise<void> {
    const receipt = await receiptOf(intent, signal);
    if (receipt !== undefined) {
      const head = await blockAt(rpc, "latest", signal);
      if (head !== undefined && head.number - receipt.block.number >= confirmations) {
        const served = receipt.ok && !isVoid(intent);
        await log.save({ ...intent, state: served ? "mined" : "void" });
      }
      return;
    }
    if ((await countConfirmed(signal)) > intent.nonce) {
      // Its block may have come between the two questions: then the next look counts its confirmations.
      if ((await receiptOf(intent, signal)) !== undefined) return;
      journal.warn(
        { names: intent.names, nonce: intent.nonce },
        "the nonce was used by another transaction of this key",
      );
      await log.save({ ...intent, state: "void" });
      return;
    }
    if ((await count("latest", signal)) > intent.nonce) return; // used, but not confirmed yet
    if (clock.now() - intent.signedAt < bumpAfterMs) return offer(intent, signal);
    await bump(intent, signal);
  }

  /** The account's nonce as of the newest confirmed block. */
  async function countConfirmed(signal?: AbortSignal): Promise<number> {
    const head = await blockAt(rpc, "latest", signal);
    return count(quantity(Math.max(0, (head?.number ?? 0) - confirmations)), signal);
  }

  async function bump(intent: Intent, signal?: AbortSignal): Promise<void> {
    let next: Omit<Intent, "raw" | "signedAt"> = intent;
    try {
      await estimate(intent.call, signal);
    } catch (error) {
      if (revertOf(error) === undefined) throw error;
      // It would revert by now (answered by another, too late): use the nonce up for nothing, as cheaply as can be.
      const names = isVoid(intent) ? intent.names : intent.names.map((name) => VOID + name);
      next = { ...intent, names, call: { to: address, data: "0x" }, gas: 21_000n };
    }
    const now = await fees(signal);
    const maxFee = [raised(intent.maxFee), now.maxFee].reduce((a, b) => (a > b ? a : b));
    const priorityFee = [raised(intent.priorityFee), now.priorityFee].reduce((a, b) => (a > b ? a : b));
    if (maxFee > maxFeePerGas) return offer(intent, signal);
    await send({ ...next, maxFee, priorityFee: least(priorityFee, maxFee) }, signal);
  }

  return {
    address,
    submit: (given, call, { signal, again = false } = {}) =>
      inTurn(async () => {
        const names = typeof given === "string" ? [given] : given;
        for (const name of names) {
          const known = await log.find(name);
          if (known === undefined || (again && known.state === "mined")) continue;
          if (known.state === "open") await offer(known, signal);
          return { hash: known.hashes.at(-1) as Hex };
        }
        const [gas, fee] = [await estimate(call, signal).catch(rethrowExplained(names)), await fees(signal)];
        // The pending count covers transactions that this log does not know (a lost database, another tool).
        const nonce = Math.max(await count("pending", signal), await log.nextNonce());
        const intent = await send({ nonce, names, call, gas, ...fee, hashes: [], state: "open" }, signal);
        return { hash: intent.hashes.at(-1) as Hex };
      }),
    async progress(name, signal) {
      const intent = await log.find(name);
      if (intent === undefined) return { kind: "none" };
      const receipt = await receiptOf(intent, signal);
      if (receipt === undefined) return { kind: "pending", hash: intent.hashes.at(-1) as Hex };
      const head = await blockAt(rpc, "latest", signal);
      const depth = (head?.number ?? 0) - receipt.block.number;
      return { kind: "included", receipt, confirmed: depth >= confirmations };
    },
    tend: (signal) =>
      inTurn(async () => {
        for (const intent of await log.open()) {
          try {
            await look(intent, signal);
          } catch (thrown) {
            // One nonce that cannot be helped must not stop the others; an endpoint that is down stops all.
            const error = asNodeError(thrown);
            if (error.retry || signal?.aborted === true) throw error;
            journal.error(
              { names: intent.names, nonce: intent.nonce, error: error.message },
              "a transaction needs a person",
            );
          }
        }
      }),
  };
}

function rethrowExplained(names: readonly string[]): (error: unknown) => never {
  return (error) => {
    throw explained(error, names[0]?.split(":")[0] ?? "send");
  };
}

interface RawReceipt {
  readonly transactionHash: string;
  readonly blockNumber: string;
  readonly blockHash: string;
  readonly status: string;
  readonly gasUsed: string;
  readonly contractAddress?: string | null;
}

function receiptFrom(raw: RawReceipt): MinedReceipt {
  return {
    hash: raw.transactionHash as Hex,
    block: { number: Number(raw.blockNumber), hash: raw.blockHash as Hex },
    ok: BigInt(raw.status) === 1n,
    gasUsed: BigInt(raw.gasUsed),
    contract: (raw.contractAddress ?? undefined) as Address | undefined,
  };
}

/** For one command: intents live as long as the process. */
export function memoryLog(): IntentLog {
  const intents = new Map<number, Intent>();
  return {
    find: async (name) => [...intents.values()].filter((i) => i.names.includes(name) && i.state !== "void").at(-1),
    open: async () => [...intents.values()].filter((i) => i.state === "open").sort((a, b) => a.nonce - b.nonce),
    nextNonce: async () => Math.max(-1, ...intents.keys()) + 1,
    save: async (intent) => void intents.set(intent.nonce, intent),
  };
}
