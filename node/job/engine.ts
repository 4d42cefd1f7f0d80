// A running node without its app: store, follower, sender and runner over one chain client. `tick` does what each look at
// the chain brings; `run` ticks for ever. Models, inference and proving come in as ports; config and logs are app's.
import type { ChainClient } from "../chain/client.ts";
import { blockAt, openFollower } from "../chain/follow.ts";
import type { Signer } from "../chain/keys.ts";
import { openSender, type Sender } from "../chain/submit.ts";
import type { Address, Hex } from "../core/domain.ts";
import { asNodeError } from "../core/errors.ts";
import type { Clock, Log } from "../core/ports.ts";
import { openJobChain } from "./chain.ts";
import type { Place } from "./database.ts";
import type { Job, OpenState, State } from "./job.ts";
import { exponentialBackoff, type Infer, type Inputs, type Models, type Policy, type Proving } from "./ports.ts";
import { openRunner, type Runner } from "./runner.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

export interface EngineOptions {
  readonly client: ChainClient;
  readonly signer: Signer;
  readonly place: Place;
  readonly models: Models;
  readonly inputs: Inputs;
  readonly infer: Infer;
  readonly proving: Proving;
  readonly policy: Policy;
  /** Digest of the environment statement, declared on chain. */
  readonly environment: Hex;
  readonly log: Log;
  readonly clock: Clock;
  /** Blocks on top of a block before it counts. */
  readonly confirmations: number;
  readonly startBlock: number;
  /** Blocks per eth_getLogs at most. */
  readonly maxRange: number;
  /** Milliseconds between looks at the chain. */
  readonly pollMs: number;
  /** Wei per gas. */
  readonly maxFeePerGas: bigint;
  readonly bumpAfterMs: number;
  /** Answers of one model per transaction at most, and milliseconds that the first of them waits for others. */
  readonly batchSize: number;
  readonly batchMs: number;
  readonly states?: readonly OpenState[];
  readonly concurrency?: Partial<Readonly<Record<OpenState, number>>>;
  readonly onStored?: (job: Job) => void;
  /** Named points for fault tests, see runner.ts and submit.ts; also "advanced" after a batch of blocks was stored. */
  readonly fault?: (point: string) => void;
  readonly queueClock?: StoreOptions["clock"];
}

export interface EngineStatus {
  readonly prover: Address;
  readonly chainId: bigint;
  /** The newest block that was read and stored; undefined before the first. */
  readonly cursor: number | undefined;
  /** The chain's newest block at the last look; undefined while it has not answered. */
  readonly head: number | undefined;
  readonly jobs: Readonly<Record<State, number>>;
  readonly active: ReturnType<Runner["active"]>;
  /** Transactions that are not final yet. */
  readonly openIntents: number;
  /** Why the last look at the chain failed, if it did. */
  readonly trouble: string | undefined;
}

export interface Engine {
  readonly store: Store;
  readonly sender: Sender;
  /** Begins to work on jobs. */
  start(): Promise<void>;
  /** Reads all blocks that are confirmed by now, looks after transactions, wakes the jobs that wait for the chain. */
  tick(signal?: AbortSignal): Promise<void>;
  /** Ticks until aborted; trouble with the chain is logged and tried again. @throws only what no repetition mends */
  run(signal: AbortSignal): Promise<void>;
  status(): Promise<EngineStatus>;
  stop(): Promise<void>;
}

export async function openEngine(options: EngineOptions): Promise<Engine> {
  const { client, signer, log, clock, pollMs, confirmations, fault } = options;
  const genesis = await blockAt(client.rpc, 0);
  const owner = [client.chainId, genesis?.hash ?? "", client.coordinator, signer.address].join(" ");
  const store = await openStore({
    place: options.place,
    owner,
    log,
    onClosed: (ids) => runner.cancel(ids),
    ...(options.queueClock === undefined ? {} : { clock: options.queueClock }),
  });
  const sender = openSender({
    rpc: client.rpc,
    chainId: client.chainId,
    signer,
    log: store.intents,
    clock,
    journal: log,
    confirmations,
    maxFeePerGas: options.maxFeePerGas,
    bumpAfterMs: options.bumpAfterMs,
    ...(fault === undefined ? {} : { fault }),
  });
  const { environment, batchSize, batchMs } = options;
  const chain = openJobChain({ client, sender, clock, environment, batchSize, batchMs });
  const { models, inputs, infer, proving, policy, states, concurrency, onStored } = options;
  const runner = openRunner({
    store,
    ports: { models, inputs, infer, proving, chain, policy },
    log,
    clock,
    ...(states === undefined ? {} : { states }),
    // What gathers for a batch is at work while it waits.
    concurrency: { ...(batchSize > 1 ? { proved: 2 * batchSize } : {}), ...concurrency },
    ...(onStored === undefined ? {} : { onStored }),
    ...(fault === undefined ? {} : { fault }),
  });
  const follower = openFollower({
    rpc: client.rpc,
    coordinator: client.coordinator,
    sink: store.sink,
    confirmations,
    startBlock: options.startBlock,
    maxRange: options.maxRange,
  });
  let head: number | undefined;
  let trouble: string | undefined;
  let stopped: Promise<void> | undefined;

  async function tick(signal?: AbortSignal): Promise<void> {
    for (;;) {
      const polled = await follower.poll(signal);
      head = polled.head;
      if (polled.kind === "idle") break;
      if (polled.kind === "rewound") log.warn({ to: polled.to?.number ?? null }, "the chain was reorganised");
      if (polled.kind === "advanced") {
        if (polled.events > 0) log.info({ block: polled.to.number, requests: polled.events }, "requests seen");
        fault?.("advanced");
      }
    }
    await sender.tend(signal);
    await store.wake(["inferred", "submitted", "settled"]);
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await tick(signal);
        if (failures > 0) log.info({ failures }, "the chain answers again");
        [failures, trouble] = [0, undefined];
        await clock.sleep(pollMs, signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const error = asNodeError(thrown);
        if (!error.retry) throw error;
        failures++;
        trouble = error.message;
        log.warn({ failures, error: error.message, mend: error.mend }, "no progress on the chain");
        await clock.sleep(Math.max(pollMs, exponentialBackoff(failures)), signal).catch(() => undefined);
      }
    }
  }

  return {
    store,
    sender,
    start: () => runner.start(),
    tick,
    run,
    async status() {
      const [cursor, jobs, open] = [await store.cursor(), await store.count(), await store.intents.open()];
      return {
        prover: signer.address,
        chainId: client.chainId,
        cursor: cursor?.number,
        head,
        jobs,
        active: runner.active(),
        openIntents: open.length,
        trouble,
      };
    },
    stop: () => (stopped ??= runner.stop().then(() => store.close())),
  };
}
