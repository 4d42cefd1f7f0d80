// glassbox withdraw, refund, retire: the coordinator's and the registry's smaller transactions.
import { Command } from "commander";
import type { ChainClient } from "../../chain/client.ts";
import { parseAddress, parseId } from "../../chain/codec.ts";
import type { MinedReceipt } from "../../chain/submit.ts";
import { refund, retire, type Wait, withdraw } from "../../chain/write.ts";
import type { ModelId, RequestId } from "../../core/domain.ts";
import { grouped } from "../terminal.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, waitOf, withChain, withKey } from "./chain.ts";
import { action, withExamples } from "./context.ts";

type Options = ChainOptions & KeyOptions;

function settleCommand<A extends readonly (string | undefined)[]>(
  command: Command,
  example: string,
  send: (client: ChainClient, wait: Wait, ...args: A) => Promise<MinedReceipt>,
): Command {
  withExamples(withKey(withChain(command)), [example]);
  return command.action(
    action(async (context, ...all: readonly unknown[]) => {
      const options = all.at(-1) as Options;
      const args = all.slice(0, -1) as unknown as A;
      const signer = await openSigner(context, options);
      const { client } = await openClient(context, options);
      const wait = waitOf(context, client, signer, options);
      const receipt = await context.step(
        command.name(),
        () => send(client, wait, ...args),
        ({ gasUsed }) => `${grouped(gasUsed)} gas`,
      );
      context.report({ transaction: receipt.hash, block: receipt.block.number, gas: receipt.gasUsed }, (say) =>
        say(`done in transaction ${receipt.hash}, block ${receipt.block.number}`),
      );
    }),
  );
}

export function withdrawCommand(): Command {
  return settleCommand<[to?: string]>(
    new Command("withdraw")
      .description("pay out what the coordinator owes to the key's account: earned fees and refunds")
      .argument("[to]", "address that is paid (default: the key's own)"),
    "withdraw --key-file prover.key",
    (client, wait, to) => withdraw(client, to === undefined ? wait.sender.address : parseAddress(to), "now", wait),
  );
}

export function refundCommand(): Command {
  return settleCommand<[request: string]>(
    new Command("refund")
      .description("credit an expired request's fee to its requester, who can then withdraw it")
      .argument("<request>", "the request's id"),
    "refund 0x9c... --key-file me.key",
    (client, wait, request) => refund(client, parseId(request) as RequestId, wait),
  );
}

export function retireCommand(): Command {
  return settleCommand<[model: string]>(
    new Command("retire")
      .description("end new requests to a model of yours, for ever; open ones can still be answered")
      .argument("<model>", "the model's id"),
    "retire 0x5f... --key-file publisher.key",
    (client, wait, model) => retire(client, parseId(model) as ModelId, wait),
  );
}
