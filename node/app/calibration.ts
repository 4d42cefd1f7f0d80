// Samples to calibrate with, from a file or drawn at random, and what the inputs are taken for where they are random. Nothing is
// quantized here.
import { NodeError } from "../core/errors.ts";
import { type IntType, typeRange } from "../core/tensor.ts";
import { classesAt } from "../model/accuracy.ts";
import { exponentFor } from "../model/binary.ts";
import { inputBorders, type InputSpec, needNames, specFor, type Specs } from "../model/border.ts";
import { type Dataset, parseRandom, randomDataset, readDataset } from "../model/dataset.ts";
import { type FloatGraph, floatInputs } from "../model/graph.ts";
import { sha256 } from "../proof/files.ts";

type Range = readonly [lo: number, hi: number];

export interface CalibrationOptions {
  /** A data file, or random[:seed]. */
  readonly calibration: string;
  readonly inputs?: Specs<InputSpec>;
  /** For random calibration: what floats are taken for that nothing is declared of. */
  readonly assumed?: InputSpec;
  /** Reals that the inputs lie between; for random calibration. */
  readonly inputRanges?: Specs<Range>;
}

const RANDOM_SAMPLES = 256;
const INT16: IntType = { bits: 16, signed: true };

/** The samples, and what is declared of the inputs, by the caller or for them. @throws NodeError "input", "usage" */
export async function calibrationOf(
  float: FloatGraph,
  options: CalibrationOptions,
): Promise<{ readonly calibration: Dataset; readonly inputs: Specs<InputSpec> | undefined }> {
  const seed = parseRandom(options.calibration);
  if (seed === undefined) {
    const classes = classesAt(float) !== undefined;
    const calibration = await readDataset(options.calibration, floatInputs(float), { classes });
    return { calibration, inputs: options.inputs };
  }
  const inputs = { ...undeclared(float, options), ...options.inputs };
  return { calibration: randomCalibration(float, seed, inputs, options.inputRanges), inputs };
}

/** What random calibration takes inputs for whose type neither file nor caller says. @throws NodeError "usage" */
function undeclared(
  float: FloatGraph,
  { inputs = {}, inputRanges = {}, assumed }: CalibrationOptions,
): Specs<InputSpec> {
  const open = floatInputs(float).filter(
    ({ name, elemType }) => specFor(inputs, name) === undefined && /^(float|int64)/.test(elemType),
  );
  const specs = open.map(({ name }) => {
    const range = specFor(inputRanges, name);
    if (range === undefined) return [name, assumed] as const;
    const exponent = exponentFor(Math.max(Math.abs(range[0]), Math.abs(range[1])), typeRange(INT16).hi);
    return [name, { type: INT16, exponent }] as const;
  });
  const unknown = specs.filter(([, spec]) => spec === undefined).map(([name]) => name);
  if (unknown.length > 0) {
    throw new NodeError(
      "usage",
      `random calibration needs to know what the inputs are, and the type of ${unknown.join(", ")} is open`,
      {
        mend: "Declare them: --input uint8, or --input name=int16@-8, or --input-range -1,1; or calibrate with a data file.",
      },
    );
  }
  return Object.fromEntries(specs as [string, InputSpec][]);
}

function randomCalibration(
  float: FloatGraph,
  seed: number,
  declared: Specs<InputSpec>,
  ranges: Specs<Range> = {},
): Dataset {
  needNames(ranges, floatInputs(float).map(({ name }) => name), "input"); // prettier-ignore
  const truths = floatInputs(float).filter(({ elemType }) => elemType === "bool");
  const all = { ...Object.fromEntries(truths.map(({ name }) => [name, [0, 1] as const])), ...ranges };
  return randomDataset(inputBorders(float, [], declared), seed, RANDOM_SAMPLES, all);
}

/** SHA-256 over the samples as little-endian float64, in order. */
export function digestOf(data: Dataset): ReturnType<typeof sha256> {
  const all = Buffer.concat(data.samples.map((s) => Buffer.from(s.buffer, s.byteOffset, s.byteLength)));
  return sha256(all);
}
