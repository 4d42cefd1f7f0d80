// glassbox show: how a request, a model or a series stands on the chain now.
import { Command } from "commander";
import type { ChainClient, ModelRecord, RequestStatus, ResultRecord, SeriesRecord } from "../../chain/client.ts";
import { hexOf, parseId, type RequestSeen } from "../../chain/codec.ts";
import { collateralAt, NOBODY, priceAt, unitOf } from "../../chain/request.ts";
import type { ModelId, RequestId, SeriesId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { type ChainOptions, openClient, withChain } from "./chain.ts";
import { action, type Context, integerOption, withExamples } from "./context.ts";
import { evidenceText } from "./request.ts";

const day = (seconds: number): string => new Date(1000 * seconds).toISOString().slice(0, 19).replace("T", " ");
const percent = (bps: number): string => `${bps / 100} %`;

export function showCommand(): Command {
  const command = new Command("show")
    .description("how a request, a model or a series stands on the chain now")
    .argument("<id>", "of any of them")
    .option("--from-block <n>", "first block to search for a request", integerOption(0));
  withExamples(withChain(command), ["show 0x9c...", "show 0x5f... --json"]);
  return command.action(
    action(async (context, text: string, options: ChainOptions) => {
      const { client, fromBlock } = await openClient(context, options);
      const id = parseId(text);
      const model = await client.modelOf(id as ModelId, context.signal);
      if (model !== undefined) return showModel(context, client, id as ModelId, model);
      const series = await client.seriesOf(id as SeriesId, context.signal);
      if (series !== undefined) return showSeries(context, id as SeriesId, series);
      const asked = await client.requested(id as RequestId, fromBlock, context.signal);
      if (asked !== undefined) return showRequest(context, client, asked);
      throw new NodeError("input", `there is no model, series or request ${id}`, {
        mend: "Check the id, the chain and --from-block.",
      });
    }),
  );
}

async function showModel(context: Context, client: ChainClient, id: ModelId, model: ModelRecord): Promise<void> {
  const series = await client.seriesOf(model.series, context.signal);
  context.report({ model: id, ...model, tensors: hexOf(model.tensors), publisher: series?.owner }, (say) => {
    say(`model       ${id}`);
    say(`series      "${series?.name}", version ${model.version} of ${series?.versions} (${model.series})`);
    say(`publisher   ${series?.owner}`);
    say(`key         ${model.keyKind === "development" ? "DEVELOPMENT key" : "from a ceremony"}`);
    say(`bytes       ${model.inputLength} in, ${model.outputLength} out`);
    say(`input       ${model.inputKinds.join(", ")}`);
    say(`terms       royalty ${percent(model.royaltyBps)}, collateral of claims ${percent(model.collateralBps)}`);
    say(`registered  ${day(model.registeredAt)} UTC by ${model.registrant}`);
    if (model.manifestURI !== "") say(`manifest    ${model.manifestURI}`);
    if (model.successor !== undefined) say(`deprecated  use ${model.successor}`);
    if (model.retired) say("retired     no new requests");
  });
}

function showSeries(context: Context, id: SeriesId, series: SeriesRecord): void {
  context.report({ series: id, ...series }, (say) => {
    say(`series      ${id}`);
    say(`name        ${series.name}`);
    say(`publisher   ${series.owner}`);
    say(`versions    ${series.versions}`);
    say(`keys        ${series.keyKinds.join(", ")}`);
    if (series.pendingOwner !== undefined) say(`offered to  ${series.pendingOwner}`);
  });
}

/** What the statuses mean to whoever asked. */
const STATUSES: Readonly<Record<RequestStatus, string>> = {
  unknown: "not on the chain: its block was replaced",
  open: "open: may be claimed and answered",
  claimed: "claimed",
  fulfilled: "answered",
  expired: "expired or cancelled: it has no answer and never will",
};

async function showRequest(context: Context, client: ChainClient, asked: RequestSeen): Promise<void> {
  const { id, request: r } = asked;
  const { signal } = context;
  const [status, claim, { time }] = [
    await client.statusOf(r, signal),
    await client.claimOf(r, signal),
    await client.head(signal),
  ];
  const result: ResultRecord | undefined = await client.resultOf(id, signal);
  const seen = result && (await client.fulfilled(id, asked.block.number, signal));
  const pending = result !== undefined && (await client.callbackPending(id, signal));
  const price = seen?.price ?? priceAt(r, claim === undefined ? time : claim.end - r.claimPeriod);
  const bps = (await client.modelOf(r.model, signal))?.collateralBps ?? 0;
  const unit = unitOf(r);
  const facts = {
    ...{ request: id, status, terms: r, input: hexOf(asked.input), price, claim, callbackPending: pending },
    ...(result && { result: { ...result, output: hexOf(result.output) } }),
  };
  context.report(facts, (say) => {
    say(`request     ${id}`);
    const held = claim && time <= claim.end;
    const by = claim === undefined ? "" : ` by ${claim.claimer} ${held ? "to" : "until"} ${day(claim.end)} UTC`;
    say(`status      ${STATUSES[status]}${by}`);
    say(`model       ${r.model}`);
    say(`requester   ${r.requester}${r.payer === r.requester ? "" : `, paid by ${r.payer}`}`);
    if (r.prover !== NOBODY) say(`prover      only ${r.prover}`);
    say(`input       ${r.inputKind}, ${r.inputKind === "reference" ? Buffer.from(asked.input).toString("utf8") : `${asked.input.length} bytes`}`); // prettier-ignore
    say(`price       ${price} ${unit}${seen === undefined ? ` now; from ${r.minFee} to ${r.maxFee}` : ""}`);
    if (r.claimPeriod > 0 && status === "open") {
      say(`claims      for ${r.claimPeriod} s, with ${collateralAt(r, price, bps)} ${unit} of collateral`);
    }
    say(`deadline    ${day(r.deadline)} UTC`);
    if (result !== undefined) {
      say(`output      ${hexOf(result.output)}`);
      say(`answered    ${day(result.fulfilledAt)} UTC by ${result.prover}`);
      say(`evidence    ${evidenceText(result.evidence)}`);
    }
    if (r.consumer !== NOBODY)
      say(`callback    ${r.consumer}${pending ? ": FAILED, see `glassbox retry-callback`" : ""}`);
  });
}
