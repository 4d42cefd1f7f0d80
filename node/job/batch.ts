// Proved answers of one model that are ready at about the same time go out in one transaction, which checks their proofs
// together. One intent names all its requests, so that after a crash each of them is found to be sent, or none.
import { type Call, fulfilBatchCall, fulfilCall, type Fulfilment } from "../chain/calls.ts";
import type { ChainClient } from "../chain/client.ts";
import { quantity } from "../chain/follow.ts";
import { explained } from "../chain/refusal.ts";
import type { Sender } from "../chain/submit.ts";
import type { ModelId, RequestId } from "../core/domain.ts";
import { asNodeError, throwIfAborted } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import type { Item } from "./ports.ts";

export interface BatchOptions {
  readonly client: Pick<ChainClient, "rpc" | "coordinator">;
  readonly sender: Sender;
  readonly clock: Clock;
  /** Answers per transaction at most; 1 sends each at once. */
  readonly batchSize: number;
  /** Milliseconds that the first answer of a batch waits for others. */
  readonly batchMs: number;
}

/** The intent's name for an answer. */
export const fulfilName = (id: RequestId, round: number): string => `fulfil:${id}${round === 0 ? "" : `:${round}`}`;

/** A transaction's highest gas (EIP-7825), with room for what calls data. */
const MOST_GAS = 15_000_000n;

interface Waiting {
  readonly item: Item;
  readonly signal: AbortSignal;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export interface Batches {
  /** Resolves when the answer is recorded and offered, alone or with others. @throws NodeError why this one cannot be */
  submit(item: Item, signal: AbortSignal): Promise<void>;
}

export function openBatches(options: BatchOptions): Batches {
  const { client, sender, clock, batchSize, batchMs } = options;
  const waiting = new Map<ModelId, Waiting[]>();

  const single = async ({ id, round, fulfilment }: Item, signal?: AbortSignal): Promise<void> =>
    void (await sender.submit(fulfilName(id, round), fulfilCall(client.coordinator, fulfilment), { signal }));

  /** What the answer takes alone, which is more than its part of a batch. @throws the contract's reason */
  async function gasOf(fulfilment: Fulfilment): Promise<bigint> {
    const { to, data } = fulfilCall(client.coordinator, fulfilment);
    try {
      const call = { from: sender.address, to, data, value: quantity(0) };
      return BigInt((await client.rpc.request("eth_estimateGas", [call, "latest"])) as string);
    } catch (error) {
      throw explained(error, "fulfil");
    }
  }

  async function flush(model: ModelId): Promise<void> {
    const all = waiting.get(model) ?? [];
    waiting.delete(model);
    // A batch leaves out what it cannot fulfil instead of reverting: each item is tried first, and the limit holds them all.
    const batch: Waiting[] = [];
    let gas = 0n;
    for (const entry of all) {
      try {
        throwIfAborted(entry.signal);
        const own = await gasOf(entry.item.fulfilment);
        if (gas + own > MOST_GAS && batch.length > 0) {
          await send(batch.splice(0), gas);
          gas = 0n;
        }
        batch.push(entry);
        gas += own;
      } catch (error) {
        entry.failed(error);
      }
    }
    await send(batch, gas);
  }

  async function send(batch: readonly Waiting[], gas: bigint): Promise<void> {
    const [first] = batch;
    if (first === undefined) return;
    try {
      if (batch.length === 1) await single(first.item);
      else {
        const items = batch.map(({ item }) => item.fulfilment);
        const call: Call = {
          ...fulfilBatchCall(client.coordinator, items, first.item.fulfilment.prover),
          gas: gas + gas / 4n < MOST_GAS ? gas + gas / 4n : MOST_GAS,
        };
        await sender.submit(
          batch.map(({ item: { id, round } }) => fulfilName(id, round)),
          call,
        );
      }
      for (const { done } of batch) done();
    } catch (error) {
      for (const { failed } of batch) failed(asNodeError(error, "chain"));
    }
  }

  return {
    async submit(item, signal) {
      if (batchSize === 1) return single(item, signal);
      const { model } = item.fulfilment.request;
      const before = waiting.get(model);
      const group = before ?? [];
      const sent = new Promise<void>((done, failed) => group.push({ item, signal, done, failed }));
      if (before === undefined) {
        waiting.set(model, group);
        // Stopped while they gather: nothing is recorded, and what is stopped stays out.
        const now = (): false | void => waiting.get(model) === group && void flush(model);
        clock.sleep(batchMs, signal).then(now, now);
      }
      if (group.length >= batchSize) void flush(model);
      return sent;
    },
  };
}
