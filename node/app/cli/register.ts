// glassbox register: makes the sample proof that the registry asks for, and registers a package's model.
import { Command } from "commander";
import { challenge, keyHash, modelId, ZERO_ID } from "../../chain/codec.ts";
import type { ChainClient } from "../../chain/client.ts";
import { register, type Wait } from "../../chain/write.ts";
import type { Digest, ModelId } from "../../core/domain.ts";
import { NodeError } from "../../core/errors.ts";
import { byteLengthOf } from "../../core/tensor.ts";
import { openProver, type Prover } from "../../proof/prover.ts";
import type { StepRunner } from "../compile.ts";
import { inputOf, openModel, type OpenModel } from "../model.ts";
import { grouped } from "../terminal.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, waitOf, withChain, withKey } from "./chain.ts";
import { action, withExamples } from "./context.ts";

/** What the registry is told of a package. */
export function modelFacts({ package: { manifest, digest } }: Pick<OpenModel, "package">): {
  readonly sourceDigest: Digest;
  readonly quantizedDigest: Digest;
  readonly circuitDigest: Digest;
  readonly manifestDigest: Digest;
  readonly keyKind: "development" | "ceremony";
  readonly inputLength: number;
  readonly outputLength: number;
} {
  const { files, key, inputs, outputs } = manifest;
  if (key === undefined || !files.source || !files.quantized || !files.circuit) {
    throw new NodeError("input", "a package without a key cannot be registered", {
      mend: "Compile it without --no-keys, or add a ceremony's key.",
    });
  }
  return {
    sourceDigest: files.source.sha256,
    quantizedDigest: files.quantized.sha256,
    circuitDigest: files.circuit.sha256,
    manifestDigest: digest,
    keyKind: key.kind,
    inputLength: byteLengthOf(inputs),
    outputLength: byteLengthOf(outputs),
  };
}

/** Proves the sample and registers. A model that is there already is left as it is; its gas is then undefined. */
export async function registerModel(
  model: OpenModel,
  sample: Uint8Array,
  client: ChainClient,
  wait: Wait,
  prover: Prover,
  manifestURI: string,
  step: StepRunner,
): Promise<{ readonly id: ModelId; readonly gas: bigint | undefined }> {
  const { vkey: key } = model.package;
  if (key === undefined) throw new NodeError("input", "a package without a key cannot be registered");
  const facts = modelFacts(model);
  const publisher = wait.sender.address;
  const id = modelId({ ...facts, publisher, keyHash: keyHash(key) });
  if ((await client.modelOf(id, wait.signal)) !== undefined) return { id, gas: undefined };
  const about = { chainId: client.chainId, contract: client.registry, request: ZERO_ID, model: id, prover: publisher };
  const answer = await step("prove a sample", (call) =>
    model.prove(prover, sample, (c, output) => challenge("sample", { ...about, c, input: sample, output }), call),
  );
  const { input, output, proof, signals } = answer;
  const { receipt } = await step(
    "register the model",
    () => register(client, { model: facts, manifestURI, key, sample: { input, output, c: signals.c, proof } }, wait),
    (done) => `${grouped(done.receipt?.gasUsed ?? 0n)} gas`,
  );
  return { id, gas: receipt?.gasUsed };
}

interface Options extends ChainOptions, KeyOptions {
  readonly sample?: string;
  readonly uri: string;
  readonly rapidsnark?: string;
}

export function registerCommand(): Command {
  const command = new Command("register")
    .description("register a package's model; the sender of the transaction is its publisher for ever")
    .argument("<package>", "the package's folder")
    .option(
      "--sample <data>",
      "input of the sample proof: 0x-hex, JSON, or a data file with #number (default: all zero bytes)",
    )
    .option("--uri <uri>", "where the manifest can be fetched", "")
    .option("--rapidsnark <prover>", "rapidsnark's prover binary, instead of the built-in one");
  withExamples(withKey(withChain(command)), [
    "register packages/digits-cnn --key-file publisher.key",
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
        const { id, gas } = await registerModel(model, sample, client, wait, prover, options.uri, context.step);
        context.report({ model: id, publisher: wait.sender.address, registry: client.registry, gas }, (say) => {
          say(`model      ${id}`);
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
