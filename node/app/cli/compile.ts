// glassbox compile: an ONNX file and calibration data to a model package.
import path from "node:path";
import { Command, InvalidArgumentError } from "commander";
import { parseInputSpec } from "../../model/border.ts";
import { compile } from "../compile.ts";
import { action, projectFolder, withExamples } from "./context.ts";
import { showPackage } from "./show.ts";

interface Options {
  readonly calibration: string;
  readonly test?: string;
  readonly out?: string;
  readonly name?: string;
  readonly input?: string;
  readonly inputRange?: readonly [number, number];
  readonly output?: string;
  readonly keys: boolean;
}

export const keyCache = path.join(projectFolder, ".glassbox", "keys");

function rangeOption(text: string): readonly [number, number] {
  const [lo, hi, more] = text.split(",").map(Number);
  if (lo === undefined || hi === undefined || more !== undefined || !(lo < hi) || !Number.isFinite(hi - lo)) {
    throw new InvalidArgumentError("Give two numbers, the smaller first: --input-range=-1,1");
  }
  return [lo, hi];
}

export function compileCommand(): Command {
  const command = new Command("compile")
    .description("compile an ONNX model to a package: quantized ONNX, circuit, keys, manifest")
    .argument("<model.onnx>", "the float model")
    .requiredOption("--calibration <data>", "samples as .npz, .npy, .json or .csv; or random[:seed], for trials")
    .option("--test <data>", "labelled held-out samples, to compare the float and the integer model on")
    .option("--out <folder>", "where the package goes (default: the model's name, beside where you are)")
    .option("--name <name>", "name of the model (default: the name of its file or of its folder)")
    .option("--input <type>", 'what the inputs are, such as uint8, or "int16@-8" for integers that stand for q * 2^-8')
    .option("--input-range <lo,hi>", "reals that the inputs lie between; for random calibration", rangeOption)
    .option("--output <type>", "type and exponent of the outputs (default: int16, exponent by range)")
    .option("--no-keys", "stop before the proving key");
  withExamples(command, [
    "compile models/digits-cnn/model.onnx --calibration models/digits-cnn/calibration.npz --test models/digits-cnn/test.npz",
    "compile my.onnx --calibration random:7 --input uint8 --no-keys",
    "compile my.onnx --calibration samples.csv --input int16@-8 --out packages/my",
  ]);
  return command.action(
    action(async (context, file: string, options: Options) => {
      const source = context.path(file);
      const base = path.basename(source, path.extname(source));
      const name = options.name ?? (base === "model" ? path.basename(path.dirname(source)) : base);
      const isRandom = /^random(:|$)/.test(options.calibration);
      const compiled = await compile(
        {
          source,
          calibration: isRandom ? options.calibration : context.path(options.calibration),
          name,
          out: context.path(options.out ?? name),
          keys: options.keys,
          keyCache,
          ...(options.test !== undefined && { test: context.path(options.test) }),
          ...(options.input !== undefined && { input: parseInputSpec(options.input) }),
          ...(options.inputRange && { inputRange: options.inputRange }),
          ...(options.output !== undefined && { output: parseInputSpec(options.output) }),
        },
        context.step,
      );
      const { folder, digest, manifest } = compiled.package;
      context.report({ folder, digest, manifest }, (say) => showPackage(compiled.package, say));
    }),
  );
}
