// glassbox request: asks a registered model a question and, unless told not to, waits for the answer.
import fs from "node:fs";
import { Command } from "commander";
import type { ChainClient, ResultRecord } from "../../chain/client.ts";
import { bytesOf, hexOf, keccak, parseAddress, parseId, type RequestSeen } from "../../chain/codec.ts";
import { proverEntry } from "../../chain/directory.ts";
import { draftRequest, type InputFrom, type Terms, unitOf } from "../../chain/request.ts";
import { request } from "../../chain/write.ts";
import { newSalt, privateCommitment, saltToBytes } from "../../core/commitment.ts";
import { type Address, Evidence, type ModelId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import type { BorderTensor } from "../../core/tensor.ts";
import { deliver } from "../../private/deliver.ts";
import { seal } from "../../private/envelope.ts";
import { writeOpening } from "../../private/opening.ts";
import { loadPackage } from "../../proof/package.ts";
import { inputOf } from "../model.ts";
import { systemClock } from "../observe.ts";
import { grouped } from "../terminal.ts";
import { amountOf, tokenOf, withToken } from "./account.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, waitOf, withChain, withKey } from "./chain.ts";
import { action, type Context, integerOption, withExamples } from "./context.ts";
import { realsOf, sayReals } from "./show.ts";

interface Options extends ChainOptions, KeyOptions {
  readonly input?: string;
  readonly package?: string;
  readonly reference?: string;
  readonly source?: string;
  readonly query?: string;
  readonly private?: string;
  readonly directory?: string;
  readonly token?: string;
  readonly fee?: string;
  readonly minFee?: string;
  readonly maxFee?: string;
  readonly ramp?: number;
  readonly startIn: number;
  readonly deadline: number;
  readonly claimPeriod?: number;
  readonly collateral?: string;
  readonly fromAccount?: string | true;
  readonly prover?: string;
  readonly callback?: string;
  readonly callbackGas: number;
  readonly refuseDevelopmentKeys?: true;
  readonly wait: boolean;
}

export function evidenceText(mask: number): string {
  const names = [
    [Evidence.zk, "zero-knowledge proof"],
    [Evidence.attested, "attested hardware"],
    [Evidence.optimistic, "unchallenged"],
    [Evidence.chainInput, "input read on chain"],
    [Evidence.developmentKey, "DEVELOPMENT KEY"],
  ] as const;
  return names.flatMap(([bit, name]) => ((mask & bit) === 0 ? [] : [name])).join(", ");
}

/** Looks until there is a result. @throws NodeError "chain" once the deadline has passed without one */
export async function awaitResult(
  client: ChainClient,
  { id, request: r }: RequestSeen,
  options: { readonly clock: Clock; readonly pollMs: number; readonly signal?: AbortSignal },
): Promise<ResultRecord> {
  for (;;) {
    const result = await client.resultOf(id, options.signal);
    if (result !== undefined) return result;
    if ((await client.statusOf(r, options.signal)) === "expired") {
      throw new NodeError("chain", `nobody answered request ${id} before its deadline`, {
        mend: "Take the fee back with `glassbox expire` and `glassbox withdraw`; ask again with a higher fee.",
      });
    }
    await options.clock.sleep(options.pollMs, options.signal);
  }
}

/** A flat price, or an auction. @throws NodeError "usage" */
function feeOf({ fee, minFee, maxFee, ramp, deadline }: Options): Terms["fee"] {
  if (minFee === undefined && maxFee === undefined && ramp === undefined) return amountOf(fee ?? "0");
  if (fee !== undefined || maxFee === undefined) {
    throw new NodeError("usage", "a price is either flat or rises", {
      mend: "Give --fee alone; or --max-fee, with --min-fee and --ramp if you like.",
    });
  }
  return { min: amountOf(minFee ?? "0"), max: amountOf(maxFee), ramp: ramp ?? Math.floor(deadline / 2) };
}

/** What a private input is sealed for. */
interface About {
  readonly client: ChainClient;
  readonly model: ModelId;
  readonly requester: Address;
}

/** @throws NodeError "usage" */
async function inputFrom(
  options: Options,
  borders: readonly BorderTensor[] | undefined,
  context: Context,
  about: About,
): Promise<InputFrom> {
  const { input, reference, source, query } = options;
  if (source !== undefined) {
    if (input !== undefined || reference !== undefined) {
      throw new NodeError("usage", "a source brings the input", { mend: "Leave --input and --reference out." });
    }
    if (!/^0x([0-9a-fA-F]{2})*$/.test(query ?? "0x")) {
      throw new NodeError("usage", "the query is no 0x-hex", { mend: "Give --query as the source wants it." });
    }
    return { kind: "source", source: parseAddress(source), query: bytesOf(query ?? "0x") };
  }
  if (input === undefined) {
    throw new NodeError("usage", "there is no input", { mend: "Give --input, or --source with --query." });
  }
  if (borders === undefined && !input.startsWith("0x")) {
    throw new NodeError("usage", "values can only be spelled as bytes with the model's package at hand", {
      mend: "Give --package with its folder, or --input as 0x-hex.",
    });
  }
  const bytes = await inputOf(borders ?? [], input, context.path);
  if (options.private !== undefined) return sealed(options, options.private, bytes, context, about);
  return reference === undefined ? { kind: "data", bytes } : { kind: "reference", uri: reference, hash: keccak(bytes) };
}

/** Seals the input to the prover's key and hands it over, before anything is paid. */
async function sealed(
  { prover, directory, reference }: Options,
  opening: string,
  input: Uint8Array,
  context: Context,
  { client, model, requester }: About,
): Promise<InputFrom> {
  if (prover === undefined || directory === undefined) {
    throw new NodeError("usage", "a private input is sealed to one prover's key", {
      mend: "Give --prover with its address, and --directory with that of the ProverDirectory.",
    });
  }
  const who: Address = parseAddress(prover);
  const entry = await proverEntry(client.rpc, parseAddress(directory), who, context.signal);
  if (entry === undefined || (reference === undefined && entry.endpoint === "")) {
    const by = entry === undefined ? "" : " by post";
    throw new NodeError("input", `the prover ${who} takes no private inputs${by}`, {
      mend: entry === undefined ? "Choose another prover." : "Give --reference with where it will find the envelope.",
    });
  }
  const salt = newSalt();
  const envelope = await seal(entry.encryptionKey, { ...client, model, requester }, { salt, input });
  const file = context.path(opening);
  writeOpening(file, { salt, input });
  const commitment = hexOf(saltToBytes(privateCommitment(salt, input)));
  if (reference !== undefined) {
    fs.writeFileSync(`${file}.sealed`, envelope);
    context.terminal.note(`  put ${file}.sealed where ${reference} is`);
    return { kind: "private", commitment, uri: reference };
  }
  await context.step("hand the sealed input over", ({ signal }) => deliver(entry.endpoint, envelope, signal));
  return { kind: "private", commitment };
}

export function requestCommand(): Command {
  const command = withToken(new Command("request"))
    .description("ask a registered model, with a fee in escrow, and wait for the verified answer")
    .argument("<model>", "the model's id, as `glassbox register` prints it")
    .option(
      "--input <data>",
      "0x-hex of the input bytes; with --package also values as JSON, or a data file with #number",
    )
    .option("--package <folder>", "the model's package: to spell real values as bytes and to read the answer")
    .option("--reference <uri>", "where provers fetch the input's bytes, of which only the hash goes on chain")
    .option("--source <address>", "contract that the coordinator reads the input from")
    .option("--query <0xhex>", "what it is asked for")
    .option("--private <file>", "show only a commitment; the file gets what opens it. Sealed to --prover's key,")
    .option("--directory <address>", "  found in this ProverDirectory, and posted to its endpoint (or --reference)")
    .option("--fee <amount>", "what the prover gets, in wei or in the token's smallest unit (default: 0)")
    .option("--min-fee <amount>", "or: what it gets at the start,")
    .option("--max-fee <amount>", "  and what at the end of the ramp: that much is in escrow")
    .option("--ramp <seconds>", "  how long the price rises (default: half of the time)", integerOption(0))
    .option("--start-in <seconds>", "until then it can be cancelled, and not be answered", integerOption(0), 0)
    .option(
      "--deadline <seconds>",
      "from the start, for the answer; afterwards it can be expired",
      integerOption(1, 15_552_000),
      600,
    )
    .option("--claim-period <seconds>", "how long a claim keeps others off; 0: no claims", integerOption(0))
    .option("--collateral <amount>", "least that a claim must lock")
    .option(
      "--from-account [payer]",
      "pay from an account at the coordinator: the key's own, or one that authorised it",
    )
    .option("--prover <address>", "the only one that may answer")
    .option("--callback <address>", "contract that is called with the answer")
    .option("--callback-gas <n>", "with so much gas", integerOption(0, 10_000_000), 100_000)
    .option("--refuse-development-keys", "fail unless the model's key comes from a ceremony")
    .option("--no-wait", "do not wait for the answer");
  withExamples(withKey(withChain(command)), [
    "request 0x5f... --input models/digits-cnn/test.npz#7 --package packages/digits-cnn --fee 1000000000000000 --key-file me.key",
    "request 0x5f... --input 0x00ff... --min-fee 0 --max-fee 5000000 --ramp 300 --token 0xA0b8... --from-account --key-file me.key",
    "request 0x5f... --input patient.npz --package packages/risk --private opening.json --prover 0x71C7... --directory 0x5FbD... --key-file me.key",
    "request 0x5f... --source 0x7aF3... --query 0x --callback 0x5FbD... --key-file me.key",
  ]);
  return command.action(
    action(async (context, model: string, options: Options) => {
      const signer = await openSigner(context, options);
      const { client } = await openClient(context, options);
      const wait = waitOf(context, client, signer, options);
      const { inputs, outputs } =
        options.package === undefined
          ? {}
          : (await loadPackage(context.path(options.package), { keys: false, signal: context.signal })).manifest;
      const { fromAccount, callback, prover, collateral } = options;
      const drafted = draftRequest({
        requester: signer.address,
        model: parseId(model) as ModelId,
        from: await inputFrom(options, inputs, context, {
          client,
          model: parseId(model) as ModelId,
          requester: signer.address,
        }),
        now: (await client.head(context.signal)).time,
        fee: feeOf(options),
        within: options.deadline,
        delay: options.startIn,
        claimPeriod: options.claimPeriod,
        minCollateral: collateral === undefined ? undefined : amountOf(collateral),
        token: tokenOf(options),
        payer: typeof fromAccount === "string" ? parseAddress(fromAccount) : undefined,
        prover: prover === undefined ? undefined : parseAddress(prover),
        callback: callback === undefined ? undefined : { consumer: parseAddress(callback), gas: options.callbackGas },
        allowDevelopmentKeys: options.refuseDevelopmentKeys !== true,
      });
      const payment = fromAccount === undefined ? "direct" : "account";
      const { seen, receipt } = await context.step(
        "send the request",
        () => request(client, drafted, { payment }, wait),
        ({ receipt: { gasUsed } }) => `${grouped(gasUsed)} gas`,
      );
      const asked = { request: seen.id, transaction: receipt.hash, block: receipt.block.number, gas: receipt.gasUsed };
      if (!options.wait) return context.report(asked, (say) => say(`request  ${seen.id}`));
      const result = await context.step("wait for the answer", ({ signal }) =>
        awaitResult(client, seen, { clock: systemClock, pollMs: 1000, signal }),
      );
      const answer = await client.fulfilled(seen.id, seen.block.number, context.signal);
      const reals = outputs && realsOf(outputs, result.output);
      const price = answer?.price;
      context.report(
        { ...asked, price, result: { ...result, output: hexOf(result.output), outputs: reals } },
        (say) => {
          say(`request   ${seen.id}`);
          if (reals === undefined) say(`output    ${hexOf(result.output)}`);
          else sayReals(reals, say);
          if (price !== undefined) say(`price     ${price} ${unitOf(seen.request)}`);
          say(`prover    ${result.prover}`);
          say(`evidence  ${evidenceText(result.evidence)}`);
          say("check it yourself: glassbox audit with this request's id");
        },
      );
    }),
  );
}
