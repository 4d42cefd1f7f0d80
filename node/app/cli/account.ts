// glassbox balance, deposit, withdraw, authorise: the accounts at the coordinator, which pay and are paid.
import { Command } from "commander";
import { ALL, authoriseCall, depositCall, withdrawCall } from "../../chain/calls.ts";
import { parseAddress } from "../../chain/codec.ts";
import { NOBODY } from "../../chain/request.ts";
import { approve } from "../../chain/write.ts";
import type { Address } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, withChain } from "./chain.ts";
import { action, withExamples } from "./context.ts";
import { sendCommand } from "./send.ts";

interface Options {
  readonly token?: string;
}

/** An amount in the smallest unit of its token. @throws NodeError "usage" */
export function amountOf(text: string): bigint {
  if (/^\d{1,78}$/.test(text)) return BigInt(text);
  throw new NodeError("usage", `"${text}" is no amount`, {
    mend: "Give a whole number of wei, or of the token's smallest unit.",
  });
}

export const tokenOf = ({ token }: Options): Address => (token === undefined ? NOBODY : parseAddress(token));

export const withToken = (command: Command): Command =>
  command.option("--token <address>", "an ERC-20 token (default: the native coin)");

export const depositCommand = (): Command =>
  sendCommand<[amount: string, account?: string], Options>(
    withToken(new Command("deposit"))
      .description("put money into an account at the coordinator, for requests and collateral")
      .argument("<amount>", "in wei, or in the token's smallest unit")
      .argument("[account]", "whose (default: the key's own)"),
    ["deposit 1000000000000000000 --key-file me.key", "deposit 5000000 --token 0xA0b8... --key-file me.key"],
    async ({ client, wait, options }, amount, account) => {
      const [token, value] = [tokenOf(options), amountOf(amount)];
      if (token !== NOBODY) await approve(client, token, value, "deposit", wait);
      const to = account === undefined ? wait.sender.address : parseAddress(account);
      return depositCall(client.coordinator, token, to, value);
    },
  );

export const withdrawCommand = (): Command =>
  sendCommand<[to?: string], Options & { readonly amount?: string }>(
    withToken(new Command("withdraw"))
      .description("pay out what the key's account holds: fees, royalties, refunds, deposits")
      .argument("[to]", "address that is paid (default: the key's own)")
      .option("--amount <n>", "so much of it (default: all)"),
    ["withdraw --key-file prover.key", "withdraw 0x71C7... --amount 1000000 --token 0xA0b8... --key-file prover.key"],
    ({ client, wait, options }, to) => {
      const receiver = to === undefined ? wait.sender.address : parseAddress(to);
      const amount = options.amount === undefined ? ALL : amountOf(options.amount);
      return withdrawCall(client.coordinator, tokenOf(options), receiver, amount);
    },
  );

export const authoriseCommand = (): Command =>
  sendCommand<[consumer: string, amount: string], Options>(
    withToken(new Command("authorise"))
      .description("let somebody make requests that the key's account pays, up to an amount in all")
      .argument("<consumer>", "who may ask: an address, of a contract or not")
      .argument("<amount>", "in all, replacing what was authorised before; 0 for nothing, all for no limit"),
    ["authorise 0x5FbD... 1000000000000000000 --key-file me.key", "authorise 0x5FbD... 0 --key-file me.key"],
    ({ client, options }, consumer, amount) =>
      authoriseCall(
        client.coordinator,
        parseAddress(consumer),
        tokenOf(options),
        amount === "all" ? ALL : amountOf(amount),
      ),
  );

export function balanceCommand(): Command {
  const command = withToken(new Command("balance"))
    .description("what an account at the coordinator holds")
    .argument("[account]", "an address (default: that of --key-file)")
    .option("--key-file <file>", "a key, for its address")
    .option("--password-file <file>", "password of the keystore")
    .option("--consumer <address>", "also what this one may spend of it");
  withExamples(withChain(command), ["balance 0x71C7...", "balance --key-file me.key --token 0xA0b8..."]);
  return command.action(
    action(
      async (
        context,
        account: string | undefined,
        options: ChainOptions & KeyOptions & Options & { readonly consumer?: string },
      ) => {
        const of = account === undefined ? (await openSigner(context, options)).address : parseAddress(account);
        const { client } = await openClient(context, options);
        const token = tokenOf(options);
        const balance = await client.balanceOf(of, token, context.signal);
        const consumer = options.consumer === undefined ? undefined : parseAddress(options.consumer);
        const left = consumer && (await client.allowance(of, consumer, token, context.signal));
        const unit = token === NOBODY ? "wei" : `of token ${token}`;
        context.report({ account: of, token, balance, ...(left === undefined ? {} : { allowance: left }) }, (say) => {
          say(`${balance} ${unit}`);
          if (left !== undefined) say(`${left === ALL ? "any amount" : left} of it may be spent by ${consumer}`);
        });
      },
    ),
  );
}
