// Clients of the SDK on the staged market: of any of its signers, at an endpoint that may be made to lie.
import { expect } from "chai";
import { NodeError } from "../../node/core/errors.ts";
import {
  type Client,
  type ClientOptions,
  type Inference,
  type InferenceEvent,
  openClient,
} from "../../node/sdk/index.ts";
import { requestTuple } from "../../node/chain/request.ts";
import { type Answer, type AnswerOver, type Chain, openChain, type Stage } from "./contracts.ts";
import type { Terms } from "./contractsRequest.ts";
import { hastyClock } from "./fakes.ts";

export type Call = { method: string; params?: unknown[] };
/** Changes what the endpoint answers. */
export type Bend = (call: Call, answer: unknown) => unknown;

export interface SdkStage extends Stage {
  readonly chain: Chain;
  /** The chain's endpoint, as it is or bent. */
  endpoint(bend?: Bend): { request(call: Call): Promise<unknown> };
  /** Of the requester, unless another is named; undefined: without a wallet. */
  client(over?: Partial<ClientOptions> & { readonly by?: keyof Stage["signers"] | undefined }): Promise<Client>;
  /** What a watcher has to tell of a request before it would wait. */
  toldSoFar(id: string, over?: Partial<ClientOptions>): Promise<InferenceEvent[]>;
  /** A valid answer to a request of a client. */
  answerTo(inference: Inference, input: Uint8Array, over?: AnswerOver): Answer;
}

export async function openSdkChain(): Promise<{ stage(): Promise<SdkStage>; close(): Promise<void> }> {
  const chain = await openChain();
  return {
    async stage() {
      const stage = await chain.stage();
      const endpoint = (bend?: Bend) => ({
        async request(call: Call) {
          const answer: unknown = await chain.connection.provider.request(call);
          return bend === undefined ? answer : bend(call, answer);
        },
      });
      const client: SdkStage["client"] = (over = {}) => {
        const { by, ...options } = { by: "requester" as const, ...over };
        return openClient({
          rpc: endpoint(),
          coordinator: stage.coordinatorAddress,
          ...(by === undefined ? {} : { signer: stage.signers[by] }),
          pollMs: 1,
          clock: hastyClock(),
          ...options,
        });
      };
      return {
        ...stage,
        chain,
        endpoint,
        client,
        async toldSoFar(id, over = {}) {
          const told: InferenceEvent[] = [];
          const sleep = () => Promise.reject(new NodeError("aborted", "nothing more for now"));
          const reader = await client({ by: undefined, clock: { now: () => 0, sleep }, ...over });
          const events = (await reader.open(id)).events();
          await failure(
            (async () => {
              for await (const event of events) told.push(event);
              throw new NodeError("aborted", "it ended");
            })(),
          );
          return told;
        },
        answerTo: ({ request }, input, over) => stage.answer({ r: termsOf(request), input }, over),
      };
    },
    close: () => chain.connection.close(),
  };
}

/** The SDK's request as the market's fixtures spell it. */
export const termsOf = (request: Inference["request"]): Terms => requestTuple(request) as unknown as Terms;

export async function failure(work: Promise<unknown>): Promise<NodeError> {
  const thrown = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown, String(thrown)).to.be.instanceOf(NodeError);
  return thrown as NodeError;
}

export async function kindsOf(inference: Inference): Promise<string[]> {
  const kinds: string[] = [];
  for await (const event of inference.events()) kinds.push(event.kind);
  return kinds;
}
