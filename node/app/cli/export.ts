// glassbox export-circom: a package's circuit as one readable circom text of the same gadgets.
import fs from "node:fs";
import { Command } from "commander";
import { exportCircom } from "../../circuit/circom.ts";
import { loadPackage, readGraph } from "../../proof/package.ts";
import { action, withExamples } from "./context.ts";

export function exportCommand(): Command {
  const command = new Command("export-circom")
    .description("write a small model's circuit as circom text: the same rows, to read and to compile elsewhere")
    .argument("<package>", "the package's folder")
    .option("--out <file>", "where it goes (default: standard output)");
  withExamples(command, ["export-circom packages/digits-mlp --out digits-mlp.circom"]);
  return command.action(
    action(async (context, folder: string, options: { readonly out?: string }) => {
      const pack = await loadPackage(context.path(folder), { keys: false, signal: context.signal });
      const text = exportCircom(await readGraph(pack), pack.manifest.choices.claim);
      if (options.out === undefined) return context.terminal.say(text);
      fs.writeFileSync(context.path(options.out), text);
      context.report({ file: context.path(options.out), characters: text.length }, (say) =>
        say(context.path(options.out ?? "")),
      );
    }),
  );
}
