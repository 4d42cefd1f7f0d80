// glassbox request: asks a registered model a question and, unless told not to, waits for the answer.
import { Command } from "commander";
import { hexOf, parseId } from "../../chain/codec.ts";
import type { ChainClient, ResultRecord } from "../../chain/client.ts";
import { request } from "../../chain/write.ts";
import { Evidence, type ModelId, type RequestId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { loadPackage } from "../../proof/package.ts";
import { inputOf } from "../model.ts";
import { systemClock } from "../observe.ts";
import { grouped } from "../terminal.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, waitOf, withChain, withKey } from "./chain.ts";
import { action, integerOption, withExamples } from "./context.ts";
import { realsOf, sayReals } from "./show.ts";

interface Options extends ChainOptions, KeyOptions {
  readonly input: string;
  readonly package?: string;
  readonly fee: string;
  readonly deadline: number;
  readonly refuseDevelopmentKeys?: true;
  readonly wait: boolean;
}

export function evidenceText(mask: number): string {
  const names = [
    [Evidence.zk, "zero-knowledge proof"],
    [Evidence.attested, "attested hardware"],
    [Evidence.optimistic, "unchallenged"],
    [Evidence.developmentKey, "DEVELOPMENT KEY"],
  ] as const;
  return names.flatMap(([bit, name]) => ((mask & bit) === 0 ? [] : [name])).join(", ");
}

/** Looks until there is a result. @throws NodeError "chain" once the deadline has passed without one */
export async function awaitResult(
  client: ChainClient,
  id: RequestId,
  options: { readonly clock: Clock; readonly pollMs: number; readonly signal?: AbortSignal },
): Promise<ResultRecord> {
  for (;;) {
    const result = await client.result(id, options.signal);
    if (result !== undefined) return result;
    const record = await client.requestOf(id, options.signal);
    if (record?.status === "expired") {
      throw new NodeError("chain", `nobody answered request ${id} before its deadline`, {
        mend: "Take the fee back with `glassbox refund` and `glassbox withdraw`; ask again with a higher fee.",
      });
    }
    await options.clock.sleep(options.pollMs, options.signal);
  }
}

function feeOf(text: string): bigint {
  if (/^\d+$/.test(text)) return BigInt(text);
  throw new NodeError("usage", `"${text}" is no fee`, { mend: "Give a whole number of wei." });
}

export function requestCommand(): Command {
  const command = new Command("request")
    .description("ask a registered model, with a fee in escrow, and wait for the verified answer")
    .argument("<model>", "the model's id, as `glassbox register` prints it")
    .requiredOption(
      "--input <data>",
      "0x-hex of the input bytes; with --package also values as JSON, or a data file with #number",
    )
    .option("--package <folder>", "the model's package: to spell real values as bytes and to read the answer")
    .option("--fee <wei>", "what the prover gets", "0")
    .option(
      "--deadline <seconds>",
      "from now, for the answer; afterwards the fee can be taken back",
      integerOption(1, 15_552_000),
      600,
    )
    .option("--refuse-development-keys", "fail unless the model's key comes from a ceremony")
    .option("--no-wait", "do not wait for the answer");
  withExamples(withKey(withChain(command)), [
    "request 0x5f... --input models/digits-cnn/test.npz#7 --package packages/digits-cnn --fee 1000000000000000 --key-file me.key",
  ]);
  return command.action(
    action(async (context, model: string, options: Options) => {
      const signer = await openSigner(context, options);
      const { client } = await openClient(context, options);
      const sender = waitOf(context, client, signer, options);
      const manifest =
        options.package === undefined
          ? undefined
          : (await loadPackage(context.path(options.package), { keys: false, signal: context.signal })).manifest;
      if (manifest === undefined && !options.input.startsWith("0x")) {
        throw new NodeError("usage", "values can only be spelled as bytes with the model's package at hand", {
          mend: "Give --package with its folder, or --input as 0x-hex.",
        });
      }
      const bytes = await inputOf(manifest?.inputs ?? [], options.input, context.path);
      const { time } = await client.head(context.signal);
      const question = {
        model: parseId(model) as ModelId,
        input: bytes,
        deadline: time + options.deadline,
        requiredEvidence: Evidence.zk,
        allowDevelopmentKeys: options.refuseDevelopmentKeys !== true,
        fee: feeOf(options.fee),
      };
      const { seen, receipt } = await context.step(
        "send the request",
        () => request(client, question, `${process.pid}:${Date.now()}`, sender),
        ({ receipt: { gasUsed } }) => `${grouped(gasUsed)} gas`,
      );
      const asked = { request: seen.id, transaction: receipt.hash, block: receipt.block.number, gas: receipt.gasUsed };
      if (!options.wait) return context.report(asked, (say) => say(`request  ${seen.id}`));
      const result = await context.step("wait for the answer", ({ signal }) =>
        awaitResult(client, seen.id, { clock: systemClock, pollMs: 1000, signal }),
      );
      const outputs = manifest && realsOf(manifest.outputs, result.output);
      context.report({ ...asked, result: { ...result, output: hexOf(result.output), outputs } }, (say) => {
        say(`request   ${seen.id}`);
        if (outputs === undefined) say(`output    ${hexOf(result.output)}`);
        else sayReals(outputs, say);
        say(`prover    ${result.prover}`);
        say(`evidence  ${evidenceText(result.evidence)}`);
        say("check it yourself: glassbox audit with this request's id");
      });
    }),
  );
}
