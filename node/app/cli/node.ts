// glassbox node: the prover node, until SIGTERM or SIGINT; `--describe-config` prints its settings.
import { Command } from "commander";
import { describeConfig, loadConfig } from "../config.ts";
import { runNode } from "../daemon.ts";
import { servedPackage } from "../model.ts";
import { action, userFolder, withExamples } from "./context.ts";

interface Options {
  readonly config?: string;
  readonly describeConfig?: true;
}

export function nodeCommand(): Command {
  const command = new Command("node")
    .description("run the prover node: watches requests, runs models, proves, submits; logs JSON lines to stderr")
    .option("--config <file>", "JSON file with the settings; GLASSBOX_* variables win over it")
    .option("--describe-config", "print every setting with its meaning and default");
  withExamples(command, ["node --config node.json", "node --describe-config"]);
  return command.action(
    action(async (context, options: Options) => {
      if (options.describeConfig) return context.terminal.say(describeConfig());
      const config = loadConfig({ file: options.config, env: process.env, cwd: userFolder() });
      const packages = [];
      for (const folder of config.packages) packages.push(await servedPackage(folder, { signal: context.signal }));
      await runNode(config, { packages, signal: context.signal });
    }),
  );
}
