// glassbox register: makes the sample proof that the registry asks for, and registers a package's model.
import { Command } from "commander";
import type { ChainClient } from "../../chain/client.ts";
import { challenge, keyHash, type ModelFacts, modelId, parseId } from "../../chain/codec.ts";
import { ZERO_HASH } from "../../chain/request.ts";
import { openSeries, register, type Wait } from "../../chain/write.ts";
import { describeTensors } from "../../core/described.ts";
import { INPUT_KIND_CODE, type InputKind, type ModelId, type SeriesId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { byteLengthOf } from "../../core/tensor.ts";
import { openProver, type Prover } from "../../proof/prover.ts";
import type { StepRunner } from "../compile.ts";
import { inputOf, openModel, type OpenModel } from "../model.ts";
import { grouped } from "../terminal.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, waitOf, withChain, withKey } from "./chain.ts";
import { action, percentOption, withExamples } from "./context.ts";

/** What a publisher asks for; for ever, since it is part of the model's id. */
export interface ModelPolicy {
  /** Least collateral of a claim, and the publisher's part of each price, in hundredths of a percent. */
  readonly collateralBps: number;
  readonly royaltyBps: number;
  /** Default: private for a package of that form, else all others. */
  readonly inputKinds?: readonly InputKind[];
}

export const FREE: ModelPolicy = { collateralBps: 0, royaltyBps: 0 };
const PUBLIC_KINDS = ["data", "reference", "source"] as const satisfies readonly InputKind[];

/** What the registry is told of a package. */
export function modelFacts(
  { package: { manifest, digest } }: Pick<OpenModel, "package">,
  series: SeriesId,
  policy: ModelPolicy,
): Omit<ModelFacts, "keyHash"> {
  const { files, key, inputs, outputs, choices } = manifest;
  if (key === undefined || !files.source || !files.quantized || !files.circuit) {
    throw new NodeError("input", "a package without a key cannot be registered", {
      mend: "Compile it without --no-keys, or add a ceremony's key.",
    });
  }
  return {
    series,
    sourceDigest: files.source.sha256,
    quantizedDigest: files.quantized.sha256,
    circuitDigest: files.circuit.sha256,
    manifestDigest: digest,
    keyKind: key.kind,
    inputLength: byteLengthOf(inputs),
    outputLength: byteLengthOf(outputs),
    inputKinds: policy.inputKinds ?? (choices.claim === "private-input" ? ["private"] : PUBLIC_KINDS),
    collateralBps: policy.collateralBps,
    royaltyBps: policy.royaltyBps,
    tensors: describeTensors(manifest),
  };
}

export interface RegisterOptions {
  readonly model: OpenModel;
  /** Input of the sample proof. */
  readonly sample: Uint8Array;
  readonly client: ChainClient;
  readonly wait: Wait;
  readonly prover: Prover;
  readonly manifestURI: string;
  /** Id, or name of a series of the sender's, which is created if it is not there. Default: the model's name. */
  readonly series?: string | undefined;
  readonly policy?: ModelPolicy;
  readonly step: StepRunner;
}

/** Proves the sample and registers. A model that is there already is left as it is; its gas is then undefined. */
export async function registerModel(
  options: RegisterOptions,
): Promise<{ readonly id: ModelId; readonly series: SeriesId; readonly gas: bigint | undefined }> {
  const { model, sample, client, wait, prover, manifestURI, policy = FREE, step } = options;
  const { vkey: key, manifest } = model.package;
  if (key === undefined) throw new NodeError("input", "a package without a key cannot be registered");
  const named = options.series ?? manifest.name;
  const series = /^0x[0-9a-fA-F]{64}$/.test(named)
    ? (parseId(named) as SeriesId)
    : await openSeries(client, named, ["development", "ceremony"], wait);
  const facts = modelFacts(model, series, policy);
  const publisher = wait.sender.address;
  const id = modelId({ ...facts, keyHash: keyHash(key) });
  if ((await client.modelOf(id, wait.signal)) !== undefined) return { id, series, gas: undefined };
  const about = {
    chainId: client.chainId,
    contract: client.registry,
    request: ZERO_HASH,
    model: id,
    prover: publisher,
  };
  const secret = model.claim === "private-input";
  const shown = secret ? undefined : sample;
  const answer = await step("prove a sample", (call) =>
    model.prove(prover, sample, (c, output) => challenge("sample", { ...about, c, input: shown, output }), {
      ...call,
      ...(secret ? { salt: 1n } : {}),
    }),
  );
  const { output, proof, signals } = answer;
  const shownSample = { input: shown ?? new Uint8Array(), output, c: signals.c, proof };
  const { receipt } = await step(
    "register the model",
    () => register(client, { model: facts, manifestURI, key, sample: shownSample }, wait),
    (done) => `${grouped(done.receipt?.gasUsed ?? 0n)} gas`,
  );
  return { id, series, gas: receipt?.gasUsed };
}

interface Options extends ChainOptions, KeyOptions {
  readonly sample?: string;
  readonly uri: string;
  readonly series?: string;
  readonly royalty: number;
  readonly collateral: number;
  readonly inputKinds?: string;
  readonly rapidsnark?: string;
}

function policyOf({ royalty, collateral, inputKinds }: Options): ModelPolicy {
  const kinds = inputKinds?.split(",").map((kind): InputKind => {
    if (Object.hasOwn(INPUT_KIND_CODE, kind)) return kind as InputKind;
    throw new NodeError("usage", `"${kind}" is no kind of input`, {
      mend: `Give some of ${Object.keys(INPUT_KIND_CODE).join(", ")}, with commas between them.`,
    });
  });
  return {
    royaltyBps: Math.round(100 * royalty),
    collateralBps: Math.round(100 * collateral),
    ...(kinds === undefined ? {} : { inputKinds: kinds }),
  };
}

export function registerCommand(): Command {
  const command = new Command("register")
    .description("register a package's model as the next version of a series; its terms are part of its id, for ever")
    .argument("<package>", "the package's folder")
    .option(
      "--sample <data>",
      "input of the sample proof: 0x-hex, JSON, or a data file with #number (default: all zero bytes)",
    )
    .option("--series <name>", "series of yours, created if it is new; or an id (default: the model's name)")
    .option("--royalty <percent>", "what its publisher gets of each price, at most 25", percentOption(25), 0)
    .option("--collateral <percent>", "least collateral of a claim, of its price", percentOption(655), 0)
    .option("--input-kinds <kinds>", "of data,reference,source; or private (default: what the package's form allows)")
    .option("--uri <uri>", "where the manifest can be fetched", "")
    .option("--rapidsnark <prover>", "rapidsnark's prover binary, instead of the built-in one");
  withExamples(withKey(withChain(command)), [
    "register packages/digits-cnn --key-file publisher.key",
    "register packages/digits-cnn-2 --series digits-cnn --royalty 2.5 --collateral 50 --key-file publisher.key",
    "register packages/digits-cnn --rpc https://rpc.example --coordinator 0x... --key-file publisher.json --password-file pw",
  ]);
  return command.action(
    action(async (context, folder: string, options: Options) => {
      const signer = await openSigner(context, options);
      const { client } = await openClient(context, options);
      const wait = waitOf(context, client, signer, options);
      const model = await context.step("load the package", (call) =>
        openModel(context.path(folder), { keys: true, ...call }),
      );
      const prover = await openProver(options);
      try {
        const sample =
          options.sample === undefined
            ? new Uint8Array(byteLengthOf(model.inputs))
            : await inputOf(model.inputs, options.sample, context.path);
        const { id, series, gas } = await registerModel({
          ...{ model, sample, client, wait, prover },
          manifestURI: options.uri,
          series: options.series,
          policy: policyOf(options),
          step: context.step,
        });
        context.report({ model: id, series, publisher: wait.sender.address, registry: client.registry, gas }, (say) => {
          say(`model      ${id}`);
          say(`series     ${series}`);
          say(`publisher  ${wait.sender.address}`);
          if (gas === undefined) say("it was registered already");
        });
      } finally {
        await prover.close();
        await model.close();
      }
    }),
  );
}
