// glassbox prover-key: the key that private inputs are sealed to, and what the prover directory says of it.
import { Command } from "commander";
import { proverEntry, publishCall } from "../../chain/directory.ts";
import { hexOf, parseAddress } from "../../chain/codec.ts";
import { settle } from "../../chain/write.ts";
import { NodeError } from "../../core/errors.ts";
import { ensureEncryptionKey, openEncryptionKey } from "../../private/keys.ts";
import { type ChainOptions, type KeyOptions, openClient, openSigner, waitOf, withChain, withKey } from "./chain.ts";
import { action, withExamples } from "./context.ts";

interface Options extends ChainOptions, KeyOptions {
  readonly directory?: string;
  readonly endpoint?: string;
  readonly withdraw?: true;
}

export function proverKeyCommand(): Command {
  const command = new Command("prover-key")
    .description("make or show the key that private inputs are sealed to; with --directory, publish or withdraw it")
    .argument("<file>", "the key's file, made if it is not there: the node's encryptionKeyFile")
    .option("--directory <address>", "the ProverDirectory to publish in, for the address of --key-file")
    .option("--endpoint <url>", "where envelopes are posted to; without one they are only fetched")
    .option("--withdraw", "take no private inputs any more");
  withExamples(withKey(withChain(command)), [
    "prover-key encryption.key",
    "prover-key encryption.key --directory 0x5FbD... --endpoint https://prover.example/private --key-file prover.key",
    "prover-key encryption.key --directory 0x5FbD... --withdraw --key-file prover.key",
  ]);
  return command.action(
    action(async (context, file: string, options: Options) => {
      const { endpoint = "", withdraw } = options;
      if (options.directory === undefined && (withdraw || endpoint !== "")) {
        throw new NodeError("usage", "an endpoint is published in a directory", { mend: "Give --directory." });
      }
      if (endpoint !== "" && (!URL.canParse(endpoint) || !/^https?:$/.test(new URL(endpoint).protocol))) {
        throw new NodeError("usage", `"${endpoint}" is no endpoint`, { mend: "Give one that begins with https://." });
      }
      const made = ensureEncryptionKey(context.path(file));
      const { publicKey } = await openEncryptionKey(context.path(file));
      const encryptionKey = hexOf(publicKey);
      if (options.directory === undefined) {
        return context.report({ encryptionKey, made, file: context.path(file) }, (say) => say(`key  ${encryptionKey}`));
      }
      const directory = parseAddress(options.directory);
      const signer = await openSigner(context, options);
      const { client } = await openClient(context, options);
      const call = withdraw ? publishCall(directory, undefined) : publishCall(directory, publicKey, endpoint);
      // Told before the first transaction, and not by it, if there is no directory at the address.
      await proverEntry(client.rpc, directory, signer.address, context.signal);
      await context.step("publish", () => settle("publish:key", call, waitOf(context, client, signer, options)));
      const entry = await proverEntry(client.rpc, directory, signer.address, context.signal);
      const shown = entry === undefined ? undefined : { ...entry, encryptionKey: hexOf(entry.encryptionKey) };
      context.report({ prover: signer.address, directory, published: shown ?? null, made }, (say) => {
        say(`prover    ${signer.address}`);
        say(shown === undefined ? "takes no private inputs" : `key       ${shown.encryptionKey}`);
        if (shown !== undefined)
          say(`endpoint  ${shown.endpoint || "none: inputs are fetched from where requests say"}`);
      });
    }),
  );
}
