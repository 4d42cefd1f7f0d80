// glassbox claim, expire, cancel, retry-callback: what one sends about a request besides asking and answering.
import { Command } from "commander";
import { cancelCall, claimCall, expireCall, retryCallbackCall } from "../../chain/calls.ts";
import { collateralAt, NOBODY } from "../../chain/request.ts";
import type { Call } from "../../chain/calls.ts";
import { integerOption } from "./context.ts";
import { requestIn, type Scene, sendCommand } from "./send.ts";

interface Options {
  readonly fromBlock?: number;
}

const about = (command: Command, description: string): Command =>
  command
    .description(description)
    .argument("<request>", "the request's id")
    .option("--from-block <n>", "first block to search for the request", integerOption(0));

export const claimCommand = (): Command =>
  sendCommand<[id: string], Options>(
    about(new Command("claim"), "keep other provers off a request, at the price of this moment and for collateral"),
    ["claim 0x9c... --key-file prover.key"],
    async ({ client, wait, fromBlock }, id): Promise<Call> => {
      const { request: r } = await requestIn(client, id, fromBlock, wait.signal);
      const model = await client.modelOf(r.model, wait.signal);
      const collateral = collateralAt(r, r.maxFee, model?.collateralBps ?? 0);
      const held = await client.balanceOf(wait.sender.address, r.token, wait.signal);
      // What the account lacks comes with the transaction; what the price leaves of it stays in the account.
      return claimCall(client.coordinator, r, r.token === NOBODY && held < collateral ? collateral - held : 0n);
    },
  );

/** Of a request: its coordinator and its struct. */
const callAbout =
  (make: typeof expireCall) =>
  async ({ client, wait, fromBlock }: Scene<Options>, id: string): Promise<Call> =>
    make(client.coordinator, (await requestIn(client, id, fromBlock, wait.signal)).request);

export const expireCommand = (): Command =>
  sendCommand<[id: string], Options>(
    about(new Command("expire"), "after the deadline, give an unanswered request's fee back to its payer's account"),
    ["expire 0x9c... --key-file me.key"],
    callAbout(expireCall),
  );

export const cancelCommand = (): Command =>
  sendCommand<[id: string], Options>(
    about(new Command("cancel"), "take a request back before its start, with its whole fee"),
    ["cancel 0x9c... --key-file me.key"],
    callAbout(cancelCall),
  );

export const retryCallbackCommand = (): Command =>
  sendCommand<[id: string], Options>(
    about(new Command("retry-callback"), "call a request's consumer again, where its call failed"),
    ["retry-callback 0x9c... --key-file me.key"],
    callAbout(retryCallbackCall),
  );
