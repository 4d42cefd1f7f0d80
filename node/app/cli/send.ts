// A command that sends one transaction: opens key, chain and sender, sees the call through and says where it went.
import type { Command } from "commander";
import type { ChainClient } from "../../chain/client.ts";
import { parseId, type RequestSeen } from "../../chain/codec.ts";
import { settle, type Wait } from "../../chain/write.ts";
import type { Call } from "../../chain/calls.ts";
import type { RequestId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { grouped } from "../terminal.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, waitOf, withChain, withKey } from "./chain.ts";
import { action, withExamples } from "./context.ts";

export interface Scene<O> {
  readonly client: ChainClient;
  readonly wait: Wait;
  readonly options: O;
  /** First block worth searching for events. */
  readonly fromBlock: number;
}

/** @param callOf makes the call of the command's arguments; it may read, and send what must come before */
export function sendCommand<A extends readonly (string | undefined)[], O extends object = object>(
  command: Command,
  examples: readonly string[],
  callOf: (scene: Scene<O>, ...args: A) => Promise<Call> | Call,
): Command {
  withExamples(withKey(withChain(command)), examples);
  return command.action(
    action(async (context, ...all: readonly unknown[]) => {
      const options = all.at(-1) as O & ChainOptions & KeyOptions;
      const args = all.slice(0, -1) as unknown as A;
      const signer = await openSigner(context, options);
      const { client, fromBlock } = await openClient(context, options);
      const wait = waitOf(context, client, signer, options);
      const receipt = await context.step(
        command.name(),
        async () => settle(command.name(), await callOf({ client, wait, options, fromBlock }, ...args), wait),
        ({ gasUsed }) => `${grouped(gasUsed)} gas`,
      );
      context.report({ transaction: receipt.hash, block: receipt.block.number, gas: receipt.gasUsed }, (say) =>
        say(`done in transaction ${receipt.hash}, block ${receipt.block.number}`),
      );
    }),
  );
}

/** The request's event: whoever acts on a request brings it along. @throws NodeError "input" */
export async function requestIn(
  client: ChainClient,
  id: string,
  fromBlock: number,
  signal?: AbortSignal,
): Promise<RequestSeen> {
  const seen = await client.requested(parseId(id) as RequestId, fromBlock, signal);
  if (seen !== undefined) return seen;
  throw new NodeError("input", `the coordinator ${client.coordinator} has no request ${id}`, {
    mend: "Check the id, the chain and --from-block.",
  });
}
