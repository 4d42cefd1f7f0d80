// The handle of one request: its events, its verified result, and what its requester may still do about it.
import { type Call, cancelCall, expireCall, retryCallbackCall } from "../chain/calls.ts";
import { decodeRequested, TOPICS } from "../chain/codec.ts";
import type { RequestStatus } from "../chain/client.ts";
import type { Request } from "../chain/request.ts";
import type { Hex, RequestId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { type Context, type Receipt, receiptOf, send } from "./context.ts";
import { type InferenceEvent, type Watch, watch } from "./events.ts";
import type { Model } from "./model.ts";
import { judge, type Verify, type VerifiedResult } from "./result.ts";

export interface Wait {
  readonly signal?: AbortSignal | undefined;
}

export interface Inference {
  readonly id: RequestId;
  /** As it is stored. */
  readonly request: Request;
  /** The transaction that made it. */
  readonly transaction: Hex;
  /**
   * What happened and what happens, from the beginning, to the end: "fulfilled" (or of its callback), "expired", "overdue" or
   * "lost". Each call begins anew.
   */
  events(wait?: Wait): AsyncIterable<InferenceEvent>;
  /**
   * Waits for the answer and judges it, by the chain or by the proof as well.
   * @throws NodeError "integrity" if it does not hold; "chain" if there will be none: overdue, expired or lost
   */
  result(options?: Wait & { readonly verify?: Verify }): Promise<VerifiedResult>;
  status(wait?: Wait): Promise<RequestStatus>;
  /** Before its start; the fee goes to the payer's account. */
  cancel(wait?: Wait): Promise<Receipt>;
  /** After its deadline; fee and a claimer's collateral go to the payer's account. Anybody may. */
  refund(wait?: Wait): Promise<Receipt>;
  /** Calls a consumer again whose call failed. Anybody may. */
  retryCallback(wait?: Wait): Promise<Receipt>;
}

export interface Known {
  readonly id: RequestId;
  readonly model: Model;
  /** As it was asked; `request` of the event differs from it in what a source said. */
  readonly asked: Request;
  readonly request: Request;
  readonly transaction: Hex;
  /** The request's block. */
  readonly block: number;
  /** The model's input, where it is known here. */
  readonly input: Uint8Array | undefined;
  readonly verify: Verify;
}

/** Looks in a row that may fail. */
const PATIENCE = 5;

export function inferenceOf(context: Context, known: Known): Inference {
  const { chain, clock, pollMs } = context;
  const { coordinator } = chain;
  const { id, request, transaction } = known;
  let failures = 0;
  const seen = watch(context, id, request, known.block);

  async function act(doing: string, call: Call, { signal }: Wait = {}): Promise<Receipt> {
    const receipt = await send(context, doing, call, { signal });
    await seen.look(signal);
    return receipt;
  }

  /** Waits and looks again. An endpoint that fails now and then is forgiven. */
  async function later(signal: AbortSignal | undefined): Promise<void> {
    await clock.sleep(pollMs, signal);
    try {
      await seen.look(signal);
      failures = 0;
    } catch (error) {
      if (!(error instanceof NodeError && error.retry) || ++failures > PATIENCE) throw error;
    }
  }

  async function* events({ signal }: Wait = {}): AsyncGenerator<InferenceEvent, void, undefined> {
    await seen.look(signal);
    for (let at = 0; ;) {
      const event = seen.events[at];
      if (event !== undefined) {
        at++;
        yield event;
      } else if (seen.ended()) return;
      else await later(signal);
    }
  }

  return {
    id,
    request,
    transaction,
    events,
    async result({ signal, verify = known.verify } = {}) {
      await seen.look(signal);
      for (;;) {
        const [made, fulfilled] = [seen.find("made"), seen.find("fulfilled")];
        if (made !== undefined && fulfilled !== undefined) {
          try {
            return await judge(context, { ...known, made, fulfilled, verify }, signal);
          } catch (error) {
            // A reorg between the two looks takes the answer away; anything else is what it seems.
            await seen.look(signal);
            if (seen.find("fulfilled") === fulfilled) throw error;
          }
        } else if (seen.ended()) throw await without(seen, signal);
        else await later(signal);
      }
    },
    status: ({ signal } = {}) => chain.statusOf(request, signal),
    cancel: (wait) => act("cancel", cancelCall(coordinator, request), wait),
    refund: (wait) => act("refund", expireCall(coordinator, request), wait),
    retryCallback: (wait) => act("retry the callback", retryCallbackCall(coordinator, request), wait),
  };

  /** Why there is no answer. */
  async function without({ find, events }: Watch, signal: AbortSignal | undefined): Promise<NodeError> {
    if (find("fulfilled") !== undefined) {
      return new NodeError("integrity", "the chain tells of an answer to a request that it does not have", {
        mend: "The endpoint is broken: use another one.",
      });
    }
    const expired = find("expired");
    if (expired !== undefined) {
      return new NodeError("chain", "the request ended without an answer", {
        mend: "The fee is in the payer's account: ask again, with a higher fee or more time, or withdraw it.",
        facts: { request: id, refund: expired.refund },
      });
    }
    if (!events.some(({ kind }) => kind === "lost")) {
      return new NodeError("chain", "nobody answered the request by its deadline", {
        mend: "Take the fee back with refund(), and ask again with a higher fee or more time.",
        facts: { request: id },
      });
    }
    // A source that was read at another block makes another request of the same transaction.
    const logs = (await receiptOf(context, transaction, signal))?.logs ?? [];
    const again = logs.find(({ topics }) => topics[0] === TOPICS.requested);
    return new NodeError("chain", "a reorg threw the request out of the chain", {
      mend:
        again === undefined
          ? "Nothing was paid: ask again."
          : "Its source was read again, at another block: open the request that came of it.",
      facts: { request: id, ...(again === undefined ? {} : { now: decodeRequested(again).id }) },
    });
  }
}
