// Transactions that people send, seen through to their block: register, ask, and `settle` for every other call of calls.ts;
// deploying is in deploy.ts. No state of its own.
import type { Address, Hex, KeyKind, ModelId, SeriesId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Clock } from "../core/ports.ts";
import {
  approveCall,
  approvedCall,
  type Call,
  createSeriesCall,
  type Payment,
  registerCall,
  type Registration,
  requestCall,
  requestForCall,
} from "./calls.ts";
import type { ChainClient } from "./client.ts";
import { decodeRequested, keyHash, modelId, type RawLog, type RequestSeen, seriesId, TOPICS } from "./codec.ts";
import { type Drafted, NOBODY } from "./request.ts";
import type { MinedReceipt, Sender } from "./submit.ts";

export interface Wait {
  readonly sender: Sender;
  readonly clock: Clock;
  /** Milliseconds between looks. */
  readonly pollMs?: number;
  readonly signal?: AbortSignal;
}

/** Sends `what` and waits for its block (and its confirmations, as the sender counts them). */
export async function settle(name: string, what: Call, wait: Wait): Promise<MinedReceipt> {
  const { sender, clock, pollMs = 250, signal } = wait;
  const { hash } = await sender.submit(name, what, { signal });
  for (;;) {
    const progress = await sender.progress(name, signal);
    if (progress.kind === "included" && progress.confirmed) {
      if (progress.receipt.ok) return progress.receipt;
      throw new NodeError(
        "chain",
        `${name.split(":")[0] as string}: the transaction ${hash} was reverted in its block`,
        {
          mend: "Look at it in an explorer; the state changed between the estimate and the block.",
          facts: { hash },
        },
      );
    }
    if (progress.kind === "none") {
      throw new NodeError("chain", `${name.split(":")[0] as string}: the transaction ${hash} was replaced`, {
        mend: "Another program uses this key, or the call lost its sense; look at the account and try again.",
        facts: { hash },
      });
    }
    await clock.sleep(pollMs, signal);
    await sender.tend(signal);
  }
}

/** The series of the sender's with this name, created if it is not there. */
export async function openSeries(
  client: ChainClient,
  name: string,
  keyKinds: readonly KeyKind[],
  wait: Wait,
): Promise<SeriesId> {
  const id = seriesId(wait.sender.address, name);
  if ((await client.seriesOf(id, wait.signal)) === undefined) {
    await settle(`series:${id}`, createSeriesCall(client.registry, name, keyKinds), wait);
  }
  return id;
}

/** Registers a model. One that is registered already is no error: its id is the same. */
export async function register(
  client: ChainClient,
  what: Registration,
  wait: Wait,
): Promise<{ readonly id: ModelId; readonly receipt: MinedReceipt | undefined }> {
  const id = modelId({ ...what.model, keyHash: keyHash(what.key) });
  if ((await client.modelOf(id, wait.signal)) !== undefined) return { id, receipt: undefined };
  return { id, receipt: await settle(`register:${id}`, registerCall(client.registry, what), wait) };
}

export interface Asked {
  readonly seen: RequestSeen;
  readonly receipt: MinedReceipt;
}

/** Asks from the sender's own address, or with a requester's signature. Directly paid tokens are approved first. */
export async function request(
  client: ChainClient,
  drafted: Drafted,
  how: { readonly payment: Payment } | { readonly signature: Hex },
  wait: Wait,
): Promise<Asked> {
  const { request: r } = drafted;
  const { coordinator } = client;
  if ("payment" in how && how.payment === "direct" && r.token !== NOBODY) {
    await approve(client, r.token, r.maxFee, `${r.nonce}`, wait);
  }
  const what =
    "payment" in how
      ? requestCall(coordinator, drafted, how.payment)
      : requestForCall(coordinator, drafted, how.signature);
  const receipt = await settle(`request:${r.requester}:${r.nonce}`, what, wait);
  const raw = (await client.rpc.request("eth_getTransactionReceipt", [receipt.hash], wait.signal)) as {
    readonly logs: readonly RawLog[];
  };
  const log = raw.logs.find(
    ({ address, topics }) => address.toLowerCase() === coordinator.toLowerCase() && topics[0] === TOPICS.requested,
  );
  if (log === undefined) throw new NodeError("chain", `the transaction ${receipt.hash} left no Requested event`);
  return { seen: decodeRequested(log), receipt };
}

/** Lets the coordinator take `amount` of a token, unless it may already. @param once tells it from earlier ones */
export async function approve(
  client: ChainClient,
  token: Address,
  amount: bigint,
  once: string,
  wait: Wait,
): Promise<void> {
  const { to, data } = approvedCall(token, wait.sender.address, client.coordinator);
  const left = BigInt((await client.rpc.request("eth_call", [{ to, data }, "latest"], wait.signal)) as string);
  if (left < amount) await settle(`approve:${token}:${once}`, approveCall(token, client.coordinator, amount), wait);
}
