// Reads the coordinator's requests from confirmed blocks only, in order, once each, and notices reorgs. What it learns goes
// to a sink that keeps events and cursor in one transaction; this file keeps nothing but the size of its next range.
import { NodeError } from "../core/errors.ts";
import type { Address, Hex } from "../core/domain.ts";
import { type BlockRef, decodeRequested, type RawLog, type RequestSeen, TOPICS } from "./codec.ts";
import type { Rpc } from "./rpc.ts";

export interface Block extends BlockRef {
  readonly parent: Hex;
  /** Unix seconds. */
  readonly time: number;
}

export interface Sink {
  /** Blocks that were stored as read, newest first; the first one is the cursor. Holds the block of every open job. */
  trail(): Promise<readonly BlockRef[]>;
  /** Stores events and cursor together. */
  advance(events: readonly RequestSeen[], cursor: BlockRef): Promise<void>;
  /** Forgets the blocks after `to` and closes the jobs that came from them; undefined: all of them. */
  rewind(to: BlockRef | undefined): Promise<void>;
}

export type Polled =
  /** Nothing confirmed is left to read. */
  | { readonly kind: "idle"; readonly head: number }
  | { readonly kind: "advanced"; readonly head: number; readonly to: BlockRef; readonly events: number }
  | { readonly kind: "rewound"; readonly head: number; readonly to: BlockRef | undefined };

export interface FollowOptions {
  readonly rpc: Rpc;
  readonly coordinator: Address;
  readonly sink: Sink;
  /** A block counts once this many blocks are on top of it. 0 trusts the newest block. */
  readonly confirmations: number;
  /** Where to begin without a cursor: the coordinator's block or later. */
  readonly startBlock: number;
  /** Blocks per eth_getLogs at most; less is found out where the provider allows less. */
  readonly maxRange: number;
}

interface RawBlock {
  readonly number: string;
  readonly hash: string;
  readonly parentHash: string;
  readonly timestamp: string;
}

/** The block at a height or tag; undefined if the chain is not that long. */
export async function blockAt(rpc: Rpc, at: number | "latest", signal?: AbortSignal): Promise<Block | undefined> {
  const tag = typeof at === "number" ? quantity(at) : at;
  const block = (await rpc.request("eth_getBlockByNumber", [tag, false], signal)) as RawBlock | null;
  if (block === null) return undefined;
  return {
    number: Number(block.number),
    hash: block.hash as Hex,
    parent: block.parentHash as Hex,
    time: Number(block.timestamp),
  };
}

export const quantity = (value: number | bigint): Hex => `0x${value.toString(16)}`;

/** eth_getLogs of at most `span` blocks from `from`; halves the span while the provider refuses, down to one block. */
export async function readLogs(
  rpc: Rpc,
  filter: { readonly address: Address; readonly topics: readonly (Hex | null)[] },
  from: number,
  to: number,
  span: number,
  signal?: AbortSignal,
): Promise<{ readonly logs: readonly RawLog[]; readonly to: number; readonly span: number }> {
  for (let size = Math.max(1, span); ; size = Math.floor(size / 2)) {
    const end = Math.min(to, from + size - 1);
    try {
      const range = { ...filter, fromBlock: quantity(from), toBlock: quantity(end) };
      const logs = (await rpc.request("eth_getLogs", [range], signal)) as readonly RawLog[];
      return { logs, to: end, span: size };
    } catch (error) {
      // Providers word their limits (blocks, results, seconds) in a hundred ways. Whatever the answer says, a smaller
      // range is worth a try; an endpoint that does not answer at all has no rpcCode.
      const answered = error instanceof NodeError && error.facts["rpcCode"] !== undefined;
      if (!answered || size <= 1) throw error;
    }
  }
}

export interface Follower {
  /** Reads the next range of confirmed blocks, or rewinds. */
  readonly poll: (signal?: AbortSignal) => Promise<Polled>;
}

export function openFollower(options: FollowOptions): Follower {
  const { rpc, sink, confirmations, startBlock, maxRange } = options;
  const filter = { address: options.coordinator, topics: [TOPICS.requested] };
  let span = maxRange;

  const isCanonical = async (ref: BlockRef, signal?: AbortSignal): Promise<boolean> =>
    (await blockAt(rpc, ref.number, signal))?.hash === ref.hash;

  /** The newest block of `older` that is still part of the chain. */
  async function ancestorIn(older: readonly BlockRef[], signal?: AbortSignal): Promise<BlockRef | undefined> {
    for (const ref of older) if (await isCanonical(ref, signal)) return ref;
    return undefined;
  }

  async function read(from: number, confirmed: number, cursor: BlockRef | undefined, signal?: AbortSignal) {
    const to = Math.min(confirmed, from + span - 1);
    const answer = await readLogs(rpc, filter, from, to, span, signal);
    span = Math.min(maxRange, answer.span * 2);
    const end = await blockAt(rpc, answer.to, signal);
    const logs = inOrder(answer.logs);
    const blocks = new Map(logs.map((log) => [Number(log.blockNumber), log.blockHash as Hex]));
    if (cursor !== undefined) blocks.set(cursor.number, cursor.hash);
    // The provider may have switched branches between two answers: every block that an event names, and the cursor, must
    // still be part of the chain, and so must the end of the range after that.
    for (const [number, hash] of blocks) if (!(await isCanonical({ number, hash }, signal))) return undefined;
    if (end === undefined || !(await isCanonical(end, signal))) return undefined;
    return { events: logs.map(decodeRequested), to: { number: end.number, hash: end.hash } };
  }

  return {
    async poll(signal) {
      const head = await blockAt(rpc, "latest", signal);
      if (head === undefined) throw new NodeError("chain", "the endpoint has no latest block", { retry: true });
      const trail = await sink.trail();
      const cursor = trail[0];
      if (cursor !== undefined) {
        const now = await blockAt(rpc, cursor.number, signal);
        // Absence proves nothing: an endpoint of several machines may answer from one that lags.
        if (now === undefined) return { kind: "idle", head: head.number };
        if (now.hash !== cursor.hash) {
          const to = await ancestorIn(trail.slice(1), signal);
          await sink.rewind(to);
          return { kind: "rewound", head: head.number, to };
        }
      }
      const from = cursor === undefined ? startBlock : cursor.number + 1;
      const confirmed = head.number - confirmations;
      if (from > confirmed) return { kind: "idle", head: head.number };
      const batch = await read(from, confirmed, cursor, signal);
      // A branch switched under our hands: the next poll sees the cursor's block gone, or reads the range again.
      if (batch === undefined) return { kind: "idle", head: head.number };
      await sink.advance(batch.events, batch.to);
      return { kind: "advanced", head: head.number, to: batch.to, events: batch.events.length };
    },
  };
}

/** By block and position, each log once, those that the provider marks as removed left out. */
function inOrder(logs: readonly RawLog[]): RawLog[] {
  const once = new Map<string, RawLog>();
  for (const log of logs) if (log.removed !== true) once.set(`${log.blockHash}:${log.logIndex}`, log);
  return [...once.values()].sort(
    (a, b) => Number(a.blockNumber) - Number(b.blockNumber) || Number(a.logIndex) - Number(b.logIndex),
  );
}
