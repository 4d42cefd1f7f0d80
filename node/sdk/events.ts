// What happens to a request, as typed events: read from the coordinator's logs, with what only time says (a claim ran out, the
// deadline passed) and with reorgs: an event whose block is gone is told as such. Pull-driven; keeps no timer.
import { type BlockRef, bytesOf, coordinatorAbi, decodeRequested, proofOfWords, type RawLog } from "../chain/codec.ts";
import { type Block, blockAt } from "../chain/follow.ts";
import type { Request } from "../chain/request.ts";
import type { Address, Hex, Proof, RequestId } from "../core/domain.ts";
import { type Context, logsOf, orAborted } from "./context.ts";

interface Where {
  readonly block: BlockRef;
  readonly transaction: Hex;
}

/** In the chain's logs. */
export type Logged = Where &
  (
    | { readonly kind: "made"; readonly request: Request; readonly input: Uint8Array }
    | { readonly kind: "read"; readonly source: Address; readonly query: Hex }
    | {
        readonly kind: "claimed";
        readonly prover: Address;
        readonly price: bigint;
        readonly collateral: bigint;
        /** Unix seconds: the last second at which nobody else may fulfil. */
        readonly end: number;
      }
    | { readonly kind: "forfeited"; readonly claimer: Address; readonly collateral: bigint }
    | {
        readonly kind: "fulfilled";
        readonly prover: Address;
        readonly price: bigint;
        /** Bits of Evidence. */
        readonly evidence: number;
        readonly environment: Hex;
        readonly c: bigint;
        readonly output: Uint8Array;
        readonly proof: Proof;
      }
    | { readonly kind: "callback-failed"; readonly consumer: Address }
    | { readonly kind: "callback-delivered"; readonly consumer: Address }
    /** Ended without an answer, or cancelled; what was paid is in the payer's account. */
    | { readonly kind: "expired"; readonly payer: Address; readonly refund: bigint }
  );

/** The last one is "fulfilled" (or of its callback), "expired", "overdue" or "lost". */
export type InferenceEvent =
  | Logged
  /** The claim ran out: now anybody may answer, for half of the collateral on top. */
  | { readonly kind: "lapsed"; readonly claimer: Address }
  /** Nobody answered by the deadline: `refund` gives the money back. */
  | { readonly kind: "overdue"; readonly deadline: number }
  /** The block of `event` is no longer part of the chain. */
  | { readonly kind: "reorged"; readonly event: Logged }
  /** A reorg threw the request out, and it is too late to make it again: nothing was paid. */
  | { readonly kind: "lost"; readonly submitBy: number };

type Args = Readonly<Record<string, unknown>>;

/** The coordinator's events whose first topic is the request's id; others have no meaning to a requester. */
const READERS: Readonly<Record<string, (args: Args, log: RawLog) => Omit<Logged, keyof Where>>> = {
  Requested: (_, log) => {
    const { request, input } = decodeRequested(log);
    return { kind: "made", request, input };
  },
  InputRead: ({ source, query }) => ({ kind: "read", source: source as Address, query: query as Hex }),
  Claimed: ({ prover, price, collateral, end }) => ({
    kind: "claimed",
    prover: prover as Address,
    price: price as bigint,
    collateral: collateral as bigint,
    end: Number(end),
  }),
  CollateralForfeited: ({ claimer, collateral }) => ({
    kind: "forfeited",
    claimer: claimer as Address,
    collateral: collateral as bigint,
  }),
  Fulfilled: ({ prover, price, evidence, environment, c, output, proof }) => ({
    kind: "fulfilled",
    prover: prover as Address,
    price: price as bigint,
    evidence: Number(evidence),
    environment: environment as Hex,
    c: c as bigint,
    output: bytesOf(output as string),
    proof: proofOfWords([...(proof as readonly bigint[])]),
  }),
  CallbackFailed: ({ consumer }) => ({ kind: "callback-failed", consumer: consumer as Address }),
  CallbackDelivered: ({ consumer }) => ({ kind: "callback-delivered", consumer: consumer as Address }),
  Expired: ({ payer, refund }) => ({ kind: "expired", payer: payer as Address, refund: refund as bigint }),
};

function eventOf(log: RawLog): Logged | undefined {
  const parsed = coordinatorAbi.parseLog({ topics: [...log.topics], data: log.data });
  const read = parsed === null ? undefined : READERS[parsed.name];
  if (parsed === null || read === undefined) return undefined;
  const block = { number: Number(log.blockNumber), hash: log.blockHash as Hex };
  return { ...read(parsed.args.toObject(), log), block, transaction: log.transactionHash as Hex } as Logged;
}

/** Reorgs do not reach further back than this many blocks. */
const DEEP = 64;

export interface Watch {
  /** All that was told, in order. */
  readonly events: readonly InferenceEvent[];
  /** What the chain holds now. */
  find<K extends Logged["kind"]>(kind: K): Extract<Logged, { kind: K }> | undefined;
  /** Whether nothing more will come of itself. */
  ended(): boolean;
  /** Looks at the chain once; calls at the same time share a look. */
  look(signal?: AbortSignal): Promise<void>;
}

/** @param fromBlock the request's block or one before it */
export function watch(context: Context, id: RequestId, request: Request, fromBlock: number): Watch {
  const { chain, confirmations } = context;
  const events: InferenceEvent[] = [];
  /** Told and still part of the chain, by place. */
  let logged = new Map<string, Logged>();
  /** What time says is told once. */
  const timely = new Set<string>();
  let from = fromBlock;
  let looking: Promise<void> | undefined;

  const find = <K extends Logged["kind"]>(kind: K) =>
    [...logged.values()].findLast((event) => event.kind === kind) as Extract<Logged, { kind: K }> | undefined;

  async function readAll(head: Block): Promise<Map<string, Logged>> {
    const found = new Map([...logged].filter(([, { block }]) => block.number < from));
    for (const log of await logsOf(context, [null, id], from, head.number)) {
      const event = eventOf(log);
      // An event that is not deep enough is left for a later look.
      if (event !== undefined && event.block.number + confirmations <= head.number) {
        const place = `${log.blockHash}:${log.logIndex}`;
        found.set(place, logged.get(place) ?? event);
      }
    }
    return found;
  }

  async function lookNow(): Promise<void> {
    const head = await chain.head();
    const found = await readAll(head);
    // The endpoint may have changed branches between the two answers: then the next look tells.
    if ((await blockAt(chain.rpc, head.number))?.hash !== head.hash) return;
    // What is not deep enough is not told yet, so neither is its absence.
    const settled = confirmations === 0 ? head : await blockAt(chain.rpc, Math.max(0, head.number - confirmations));
    for (const [place, event] of logged) if (!found.has(place)) events.push({ kind: "reorged", event });
    for (const [place, event] of found) if (!logged.has(place)) events.push(event);
    logged = found;
    from = Math.max(from, head.number - DEEP - confirmations);
    if (settled !== undefined) tellTime(settled.time);
  }

  function tellTime(now: number): void {
    const tell = (event: InferenceEvent): void => {
      if (timely.has(event.kind)) return;
      timely.add(event.kind);
      events.push(event);
    };
    if (find("fulfilled") !== undefined || find("expired") !== undefined) return;
    const claim = find("claimed");
    if (find("made") === undefined) {
      if (now > request.submitBy) tell({ kind: "lost", submitBy: request.submitBy });
    } else if (now > request.deadline) tell({ kind: "overdue", deadline: request.deadline });
    else if (claim !== undefined && now > claim.end) tell({ kind: "lapsed", claimer: claim.prover });
  }

  return {
    events,
    find,
    ended: () =>
      find("fulfilled") !== undefined || find("expired") !== undefined || timely.has("overdue") || timely.has("lost"),
    look(signal) {
      // Shared, so that one caller's abort is not the others'.
      looking ??= lookNow().finally(() => (looking = undefined));
      return orAborted(looking, signal);
    },
  };
}
