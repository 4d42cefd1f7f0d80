// glassbox compile: an ONNX file and calibration data to a model package.
import path from "node:path";
import { Command } from "commander";
import { NodeError } from "../../core/errors.ts";
import { type InputSpec, parseInputSpec, parseOutputSpec, type Specs } from "../../model/border.ts";
import type { OutputSpec } from "../../model/lowering.ts";
import type { Dims } from "../../model/onnx/check.ts";
import { compile } from "../compile.ts";
import { type Estimate, MACHINE } from "../estimate.ts";
import { type Bar, parseError, parseLoss } from "../search.ts";
import { LONG_SECONDS, type Long } from "../size.ts";
import { duration, grouped, type Terminal } from "../terminal.ts";
import { action, type Context, projectFolder, withExamples } from "./context.ts";
import { elemTypesOf, estimateText, showPackage, tradeTable } from "./show.ts";
import { dimsOption, parsed, parseRange, specsOption } from "./specs.ts";

export interface SourceOptions {
  readonly calibration: string;
  readonly input?: Specs<InputSpec>;
  readonly inputRange?: Specs<readonly [number, number]>;
  readonly output?: Specs<OutputSpec>;
  readonly dim?: Dims;
}

interface Options extends SourceOptions {
  readonly test?: string;
  readonly out?: string;
  readonly name?: string;
  readonly privateInput?: true;
  readonly keys: boolean;
  readonly maxLoss?: Bar;
  readonly maxError?: Bar;
  readonly yes?: true;
}

export const keyCache = path.join(projectFolder, ".glassbox", "keys");

/** Adds what says how an .onnx file is to be read and quantized. */
export function withSource(command: Command): Command {
  return command
    .option(
      "--input <[name=]type>",
      'what the inputs (or one of them) are: uint8, or "int16@-8" for integers that stand for q * 2^-8; repeatable',
      specsOption(parseInputSpec),
    )
    .option(
      "--input-range <[name=]lo,hi>",
      "reals that the inputs (or one of them) lie between, for random calibration; repeatable",
      specsOption(parseRange),
    )
    .option(
      "--output <[name=]type>",
      "type of the outputs (or of one), exponent by range unless it is given; repeatable (default: int16 or int32)",
      specsOption(parseOutputSpec),
    )
    .option("--dim <name=size>", "size of a dimension that the file leaves open; repeatable", dimsOption);
}

export function preparing(context: Context, { calibration, input, inputRange, output, dim }: SourceOptions) {
  return {
    calibration: /^random(:|$)/.test(calibration) ? calibration : context.path(calibration),
    ...(input && { inputs: input }),
    ...(inputRange && { inputRanges: inputRange }),
    ...(output && { outputs: output }),
    ...(dim && { dims: dim }),
  };
}

interface Agreement {
  readonly terminal: Pick<Terminal, "note" | "ask">;
  readonly yes: boolean;
  readonly signal?: AbortSignal;
}

/** Tells what key and proofs will take, and asks before a key that takes long. @throws NodeError "usage", "aborted" */
export async function agreeOn(
  given: Agreement & { readonly estimate: Estimate; readonly makes: boolean },
): Promise<void> {
  const { terminal, estimate, makes } = given;
  terminal.note(`  estimated: ${estimateText(estimate)}`);
  if (!makes || estimate.keySeconds <= LONG_SECONDS) return;
  const what = `making the key takes about ${duration(1000 * estimate.keySeconds)} on ${MACHINE}`;
  await agree(given, what, "Add --yes to begin it all the same, or --no-keys to stop before the key.", { ...estimate });
}

/** Asks before long work on the samples. @throws NodeError "usage", "aborted" */
export async function agreeOnSamples(given: Agreement & { readonly long: Long }): Promise<void> {
  const { seconds, constraints } = given.long;
  const what = `running the samples takes about ${duration(1000 * seconds)} on ${MACHINE}, for some ${grouped(constraints)} constraints`;
  await agree(given, what, "Add --yes to begin it all the same; or give fewer samples.", { seconds, constraints });
}

async function agree(
  { terminal, yes, signal }: Agreement,
  what: string,
  mend: string,
  facts: Readonly<Record<string, number>>,
): Promise<void> {
  if (yes) return;
  const agreed = await terminal.ask(`${what}; go on?`, signal);
  if (agreed === undefined)
    throw new NodeError("usage", `${what}, and there is no terminal to ask on`, { mend, facts });
  if (!agreed) throw new NodeError("aborted", "stopped before that was begun; nothing was written");
}

function barOf({ maxLoss, maxError }: Options): { readonly bar?: Bar } {
  if (maxLoss !== undefined && maxError !== undefined) {
    throw new NodeError("usage", "--max-loss and --max-error were both given", { mend: "Give one of them." });
  }
  const bar = maxLoss ?? maxError;
  return bar === undefined ? {} : { bar };
}

export function compileCommand(): Command {
  const command = new Command("compile")
    .description("compile an ONNX model to a package: quantized ONNX, circuit, keys, manifest")
    .argument("<model.onnx>", "the float model")
    .requiredOption("--calibration <data>", "samples as .npz, .npy, .json or .csv; or random[:seed], for trials")
    .option("--test <data>", "labelled held-out samples, to compare the float and the integer model on")
    .option("--out <folder>", "where the package goes (default: the model's name, beside where you are)")
    .option("--name <name>", "name of the model (default: the name of its file or of its folder)");
  withSource(command)
    .option(
      "--max-loss <share>",
      "search the cheapest widths that lose at most so much (0.5% of accuracy, or of the output's range), on the test data",
      parsed(parseLoss),
    )
    .option(
      "--max-error <error>",
      "the same by the largest error of any output: 0.1 in its unit, or 1% of its range",
      parsed(parseError),
    )
    .option(
      "--private-input",
      "proofs show a salted commitment to the input, and the output; requests then need one, see docs/private-input.md",
    )
    .option("--no-keys", "stop before the proving key")
    .option("--yes", "begin what is estimated to take over a minute without being asked");
  withExamples(command, [
    "compile models/digits-cnn/model.onnx --calibration models/digits-cnn/calibration.npz --test models/digits-cnn/test.npz",
    "compile my.onnx --calibration random:7 --input uint8 --no-keys",
    "compile my.onnx --calibration samples.csv --input int16@-8 --out packages/my",
    "compile my.onnx --calibration samples.npz --private-input",
    "compile my.onnx --calibration samples.npz --test labelled.npz --max-loss 0.5%",
    "compile two.onnx --calibration both.npz --input image=uint8 --input age=int16@-4 --output scores=int32 --dim length=16",
  ]);
  return command.action(
    action(async (context, file: string, options: Options) => {
      const source = context.path(file);
      const base = path.basename(source, path.extname(source));
      const name = options.name ?? (base === "model" ? path.basename(path.dirname(source)) : base);
      const { terminal, signal } = context;
      const agreement = { terminal, signal, yes: options.yes === true };
      const compiled = await compile(
        {
          source,
          ...preparing(context, options),
          name,
          out: context.path(options.out ?? name),
          ...(options.privateInput && { claim: "private-input" as const }),
          keys: options.keys,
          keyCache,
          ...barOf(options),
          ...(options.test !== undefined && { test: context.path(options.test) }),
          onLong: (long) => agreeOnSamples({ ...agreement, long }),
          onEstimate: (estimate, hasKey) => agreeOn({ ...agreement, estimate, makes: options.keys && !hasKey }),
        },
        context.step,
      );
      const { folder, digest, manifest } = compiled.package;
      const { estimate, float, found } = compiled;
      context.report({ folder, digest, estimate, ...(found && { found }), manifest }, (say) => {
        if (found !== undefined) for (const line of tradeTable(found)) say(line);
        showPackage(compiled.package, elemTypesOf(float), say);
      });
    }),
  );
}
