// glassbox evaluate: float against integer on data, and whether onnxruntime, integer graph and witness agree bit for bit.
import fs from "node:fs";
import { Command } from "commander";
import { prepareWitness } from "../../circuit/witness.ts";
import { NodeError } from "../../core/errors.ts";
import { toIntegers } from "../../model/border.ts";
import { readDataset } from "../../model/dataset.ts";
import { evaluate } from "../../model/evaluate.ts";
import { openRunner } from "../../model/run.ts";
import { classesAt, measureAccuracy } from "../../model/accuracy.ts";
import { readModelBytes } from "../../model/onnx/read.ts";
import { openModel } from "../model.ts";
import { action, integerOption, withExamples } from "./context.ts";

interface Options {
  readonly data: string;
  readonly witnesses: number;
}

export function evaluateCommand(): Command {
  const command = new Command("evaluate")
    .description("accuracy of the float and the integer model on data, and their agreement bit for bit")
    .argument("<package>", "the package's folder")
    .requiredOption("--data <file>", "samples, with labels if there are any: .npz, .npy, .json, .csv")
    .option("--witnesses <n>", "for how many samples to make the witness as well", integerOption(0), 10);
  withExamples(command, ["evaluate packages/digits-cnn --data models/digits-cnn/test.npz"]);
  return command.action(
    action(async (context, folder: string, options: Options) => {
      const model = await openModel(context.path(folder), { keys: false, signal: context.signal });
      const runner = await openRunner(model.onnx, model.graph);
      try {
        const source = new Uint8Array(fs.readFileSync(model.package.path("source")));
        const float = await readModelBytes(source, undefined, { dims: model.package.manifest.choices.dims });
        const classes = classesAt(float) !== undefined;
        const data = await readDataset(context.path(options.data), model.inputs, { classes });
        const accuracy = await context.step("run float and integer", (call) =>
          measureAccuracy({ source, float, graph: model.graph, runner, data }, call),
        );
        const witnessed = await context.step("compare bit for bit", async ({ onProgress }) => {
          const make = await prepareWitness(model.graph, model.claim);
          for (const [i, sample] of data.samples.entries()) {
            const integers = toIntegers(model.inputs, sample);
            const tensors = await runner.run(integers);
            evaluate(model.graph, integers).forEach((tensor, ref) => {
              if (!tensor.every((value, k) => value === tensors[ref]?.[k])) {
                throw new NodeError(
                  "integrity",
                  `sample ${i}: onnxruntime and the integer graph differ in node ${ref}`,
                  {
                    mend: "Do not prove on this machine; `glassbox doctor` looks for the cause.",
                  },
                );
              }
            });
            const salt = model.claim === "private-input" ? [0n] : []; // hides nothing: these witnesses stay here
            if (i < options.witnesses) make(tensors, BigInt(i + 1), ...salt);
            onProgress({ what: "samples", done: i + 1, total: data.samples.length });
          }
          return Math.min(options.witnesses, data.samples.length);
        });
        context.report({ ...accuracy, identical: data.samples.length, witnesses: witnessed }, (say) => {
          const share = (part: { right: number; share: number }): string =>
            `${part.right} of ${accuracy.samples} right (${(100 * part.share).toFixed(2)} %)`;
          if (accuracy.float) say(`float    ${share(accuracy.float)}`);
          if (accuracy.integer) say(`integer  ${share(accuracy.integer)}`);
          if (accuracy.changed !== undefined) say(`changed  ${accuracy.changed} of ${accuracy.samples} classes`);
          if (accuracy.error)
            say(`error    largest ${accuracy.error.max.toPrecision(3)}, mean ${accuracy.error.mean.toPrecision(3)}`);
          say(`agree    onnxruntime = integer graph on ${data.samples.length} samples, = witness on ${witnessed}`);
        });
      } finally {
        await runner.close();
        await model.close();
      }
    }),
  );
}
