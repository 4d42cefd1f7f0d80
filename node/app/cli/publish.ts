// glassbox deprecate, retire, offer-series, accept-series: what a publisher does after registering.
import { Command } from "commander";
import { acceptSeriesCall, deprecateCall, offerSeriesCall, retireCall } from "../../chain/calls.ts";
import { parseAddress, parseId } from "../../chain/codec.ts";
import { NOBODY } from "../../chain/request.ts";
import type { ModelId, SeriesId } from "../../core/domain.ts";
import { sendCommand } from "./send.ts";

export const deprecateCommand = (): Command =>
  sendCommand<[model: string, successor: string]>(
    new Command("deprecate")
      .description("say that another model should be used instead of one of yours; requests stay possible")
      .argument("<model>", "the model's id")
      .argument("<successor>", "the other model's id"),
    ["deprecate 0x5f... 0x77... --key-file publisher.key"],
    ({ client }, model, successor) =>
      deprecateCall(client.registry, parseId(model) as ModelId, parseId(successor) as ModelId),
  );

export const retireCommand = (): Command =>
  sendCommand<[model: string]>(
    new Command("retire")
      .description("end new requests to a model of yours, for ever; open ones can still be answered")
      .argument("<model>", "the model's id"),
    ["retire 0x5f... --key-file publisher.key"],
    ({ client }, model) => retireCall(client.registry, parseId(model) as ModelId),
  );

export const offerSeriesCommand = (): Command =>
  sendCommand<[series: string, to: string]>(
    new Command("offer-series")
      .description(
        "offer a series, with all rights over its versions and their royalties; it moves when it is accepted",
      )
      .argument("<series>", "the series' id, as `glassbox register` prints it")
      .argument("<to>", "the address that may accept it; nobody takes the offer back"),
    ["offer-series 0x1d... 0x71C7... --key-file publisher.key", "offer-series 0x1d... nobody --key-file publisher.key"],
    ({ client }, series, to) =>
      offerSeriesCall(client.registry, parseId(series) as SeriesId, to === "nobody" ? NOBODY : parseAddress(to)),
  );

export const acceptSeriesCommand = (): Command =>
  sendCommand<[series: string]>(
    new Command("accept-series")
      .description("take a series that was offered to the key's account")
      .argument("<series>", "the series' id"),
    ["accept-series 0x1d... --key-file heir.key"],
    ({ client }, series) => acceptSeriesCall(client.registry, parseId(series) as SeriesId),
  );
