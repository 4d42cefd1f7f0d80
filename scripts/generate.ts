// Runs a compiled language model token by token: a prompt in, the answer out, each token the one that the package's output
// "token" names. Proves nothing; it prints the command that proves the last step. See models/tiny-transformer.
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { openModel } from "../node/app/model.ts";
import { NodeError } from "../node/core/errors.ts";
import { decodeTensors, encodeTensors, sizeOf, splitFlat } from "../node/core/tensor.ts";
import { toIntegers } from "../node/model/border.ts";

const USAGE =
  'node scripts/generate.ts <package> <prompt> [--vocabulary models/tiny-transformer/vocabulary.json] [--stop "."]';

function options(): { folder: string; prompt: string; vocabulary: readonly string[]; stop: string } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        vocabulary: {
          type: "string",
          default: path.join(import.meta.dirname, "../models/tiny-transformer/vocabulary.json"),
        },
        stop: { type: "string", default: "." },
      },
    });
    const [folder, prompt] = positionals;
    if (folder === undefined || prompt === undefined || positionals.length > 2)
      throw new Error("a package and a prompt");
    return {
      folder,
      prompt,
      stop: values.stop,
      vocabulary: JSON.parse(fs.readFileSync(values.vocabulary, "utf8")) as string[],
    };
  } catch (cause) {
    throw new NodeError("usage", (cause as Error).message, { mend: USAGE, cause });
  }
}

async function main(): Promise<void> {
  const { folder, prompt, vocabulary, stop } = options();
  const model = await openModel(folder, { keys: false });
  try {
    const [input] = model.inputs;
    const named = model.outputs.findIndex(({ name }) => name === "token");
    if (input === undefined || model.inputs.length > 1 || named < 0) {
      throw new NodeError("input", `${folder} is no model of one input that yields a "token"`);
    }
    const size = sizeOf(input.shape);
    const other = vocabulary.length - 1;
    const ids = [...prompt].map((c) => (vocabulary.indexOf(c) < 0 ? other : vocabulary.indexOf(c)));
    const asked = ids.length;
    let context: number[] = [];
    process.stdout.write(prompt);
    for (let told = ""; told !== stop && ids.length - asked < size;) {
      context = [...new Array<number>(size).fill(0), ...ids].slice(-size);
      const bytes = encodeTensors(model.inputs, toIntegers(model.inputs, Float64Array.from(context)));
      const { output } = await model.infer(bytes);
      const [token] = splitFlat(model.outputs, decodeTensors(model.outputs, output))[named] as Float64Array;
      ids.push(token as number);
      told = vocabulary[token as number] ?? "?";
      process.stdout.write(told);
    }
    process.stdout.write(
      `\n\nThe last step, proven:\n  npx glassbox prove ${folder} --input '[${context.join(", ")}]'\n`,
    );
  } finally {
    await model.close();
  }
}

await main().catch((thrown: unknown) => {
  const { message, mend } = thrown as { message: string; mend?: string };
  process.stderr.write(mend === undefined ? `${message}\n` : `${message}\n${mend}\n`);
  process.exitCode = 1;
});
