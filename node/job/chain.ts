// The chain as a job sees it (ports.ts): client and sender joined. Declares the node's environment before its first answer.
import type { ChainClient } from "../chain/client.ts";
import { challenge } from "../chain/codec.ts";
import type { Progress, Sender } from "../chain/submit.ts";
import { declareEnvironmentCall, fulfilCall } from "../chain/write.ts";
import type { Hex, RequestId } from "../core/domain.ts";
import type { JobChain } from "./ports.ts";

const nameOf = (id: RequestId): string => `fulfil:${id}`;

/** @param environment digest of the node's environment statement */
export function openJobChain(client: ChainClient, sender: Sender, environment: Hex): JobChain {
  const { coordinator, chainId } = client;
  const prover = sender.address;
  let declared = false;

  /** The declaration takes an earlier nonce than the answer, so it need not be waited for. */
  async function declare(signal: AbortSignal): Promise<void> {
    if (declared) return;
    if ((await client.environmentOf(prover, signal)) !== environment) {
      // `again`: a node that goes back to an earlier environment declares a digest that it has declared before.
      const call = declareEnvironmentCall(coordinator, environment);
      await sender.submit(`environment:${environment}`, call, signal, true);
    }
    declared = true;
  }
  return {
    prover,
    time: async (signal) => (await client.head(signal)).time,
    requestOf: (id, signal) => client.requestOf(id, signal),
    answeredBy: async (id, signal) => (await client.result(id, signal))?.prover,
    modelOf: (id, signal) => client.modelOf(id, signal),
    challenge: ({ request, model, input, output, c }) =>
      challenge("claim", { chainId, contract: coordinator, request, model, prover, c, input, output }),
    async submit(fulfilment, signal) {
      await declare(signal);
      return sender.submit(nameOf(fulfilment.request), fulfilCall(coordinator, fulfilment), signal);
    },
    progress: (id, signal): Promise<Progress> => sender.progress(nameOf(id), signal),
  };
}
