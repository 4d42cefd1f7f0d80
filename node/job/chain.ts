// The chain as a job sees it (ports.ts): client and sender joined. Declares the node's environment before its first answer.
import { claimCall, declareEnvironmentCall } from "../chain/calls.ts";
import type { ChainClient } from "../chain/client.ts";
import { challenge } from "../chain/codec.ts";
import type { BlockRef } from "../chain/codec.ts";
import { NOBODY } from "../chain/request.ts";
import type { Progress, Sender } from "../chain/submit.ts";
import type { Hex, RequestId } from "../core/domain.ts";
import type { Clock } from "../core/ports.ts";
import { type BatchOptions, fulfilName, openBatches } from "./batch.ts";
import type { JobChain, Standing } from "./ports.ts";

const claimName = (id: RequestId): string => `claim:${id}`;

export interface JobChainOptions extends BatchOptions {
  readonly client: ChainClient;
  readonly sender: Sender;
  readonly clock: Clock;
  /** Digest of the node's environment statement. */
  readonly environment: Hex;
}

export function openJobChain(options: JobChainOptions): JobChain {
  const { client, sender, clock, environment } = options;
  const { coordinator, chainId } = client;
  const prover = sender.address;
  const batches = openBatches(options);
  let declared = false;
  let newest: (BlockRef & { readonly seenAt: number }) | undefined;

  /** The declaration takes an earlier nonce than the answer, so it need not be waited for. */
  async function declare(signal: AbortSignal): Promise<void> {
    if (declared) return;
    if ((await client.environmentOf(prover, signal)) !== environment) {
      // `again`: a node that goes back to an earlier environment declares a digest that it has declared before.
      const call = declareEnvironmentCall(coordinator, environment);
      await sender.submit(`environment:${environment}`, call, { signal, again: true });
    }
    declared = true;
  }

  return {
    prover,
    async time(signal) {
      const head = await client.head(signal);
      const at = clock.now();
      if (newest?.hash !== head.hash) newest = { number: head.number, hash: head.hash, seenAt: at };
      return head.time + Math.floor((at - newest.seenAt) / 1000);
    },
    gasPrice: async (signal) => BigInt((await client.rpc.request("eth_gasPrice", [], signal)) as string),
    async standing({ id, request }, signal): Promise<Standing> {
      const status = await client.statusOf(request, signal);
      if (status === "fulfilled") return { status, by: (await client.resultOf(id, signal))?.prover };
      if (status !== "claimed") return { status };
      const claim = await client.claimOf(request, signal);
      // Between the two answers it was fulfilled or expired: the next look sees which.
      return claim === undefined ? { status: "unknown" } : { status, ...claim };
    },
    modelOf: (id, signal) => client.modelOf(id, signal),
    challenge: ({ request, model, input, output, c }) =>
      challenge("claim", { chainId, contract: coordinator, request, model, prover, c, input, output }),
    async claim({ id, request: r }, collateral, signal) {
      const held = await client.balanceOf(prover, r.token, signal);
      const lacking = held < collateral ? collateral - held : 0n;
      if (lacking > 0n) {
        if (r.token !== NOBODY) return false;
        const wei = BigInt((await client.rpc.request("eth_getBalance", [prover, "latest"], signal)) as string);
        if (wei < lacking) return false;
      }
      await sender.submit(claimName(id), claimCall(coordinator, r, lacking), { signal });
      return true;
    },
    claimProgress: (id, signal): Promise<Progress> => sender.progress(claimName(id), signal),
    async submit(item, signal) {
      await declare(signal);
      await batches.submit(item, signal);
    },
    progress: (id, round, signal): Promise<Progress> => sender.progress(fulfilName(id, round), signal),
  };
}
