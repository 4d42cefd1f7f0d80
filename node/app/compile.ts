// From an ONNX file to a package: read, calibrate, quantize, build the circuit, make or add the key, write the folder. Joins
// the compiler's parts in order and says where it is; the parts themselves are in model/, circuit/ and proof/.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";
import { buildCircuit, type CircuitReport } from "../circuit/build.ts";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type IntType, splitFlat, typeRange } from "../core/tensor.ts";
import { type Accuracy, classesAt, count, newTally, summary } from "../model/accuracy.ts";
import { exponentFor } from "../model/binary.ts";
import { observe } from "../model/calibrate.ts";
import { inputBorders, type InputSpec, needNames, specFor, type Specs, toIntegers, toReals } from "../model/border.ts";
import { type QuantizedModel, quantizeModel } from "../model/compile.ts";
import { type Dataset, parseRandom, randomDataset, readDataset } from "../model/dataset.ts";
import { evaluate, outputsOf } from "../model/evaluate.ts";
import { evaluateFloat } from "../model/evaluate-float.ts";
import { type FloatGraph, floatInputs } from "../model/graph.ts";
import { bordersOf, type Graph } from "../model/ir.ts";
import type { Dims } from "../model/onnx/check.ts";
import { readModelBytes } from "../model/onnx/read.ts";
import { DEFAULT_WIDTHS, type OutputSpec, type Widths } from "../model/lowering.ts";
import { serializeGraph } from "../model/serialize.ts";
import { COMPILER } from "../model/version.ts";
import { developmentKey, isKept } from "../proof/cache.ts";
import { sha256 } from "../proof/files.ts";
import type { Json } from "../proof/json.ts";
import type { Description } from "../proof/manifest.ts";
import { type ModelPackage, type PackageKey, writePackage } from "../proof/package.ts";
import { DEVELOPMENT_SEED } from "../proof/setup.ts";
import { estimate, type Estimate } from "./estimate.ts";
import { type Bar, type Found, searchWidths, type Trial } from "./search.ts";

/** Runs `work` under a name that a person sees; `detail` says what came of it. */
export type StepRunner = <T>(
  name: string,
  work: (call: Required<LongCall>) => Promise<T>,
  detail?: (result: T) => string,
) => Promise<T>;

export interface CompileOptions {
  readonly source: string;
  /** A data file, or random[:seed]. */
  readonly calibration: string;
  /** Labelled or unlabelled data to compare float and integer on; without it the calibration data. */
  readonly test?: string;
  readonly name: string;
  /** The package's folder. */
  readonly out: string;
  readonly inputs?: Specs<InputSpec>;
  /** For random calibration: what floats are taken for that nothing is declared of. */
  readonly assumed?: InputSpec;
  /** Reals that the inputs lie between; for random calibration. */
  readonly inputRanges?: Specs<Range>;
  readonly outputs?: Specs<OutputSpec>;
  /** Sizes of the dimensions that the file leaves open. */
  readonly dims?: Dims;
  readonly widths?: Partial<Widths>;
  /** What must be kept: the cheapest widths that do are searched, on the test data where there are some. */
  readonly bar?: Bar;
  readonly keys: boolean;
  /** Folder of the development keys' cache. */
  readonly keyCache: string;
  /** Is told what key and proofs will take before there is a key; what it throws stops the compilation. */
  readonly onEstimate?: (estimate: Estimate, hasKey: boolean) => Promise<void>;
}

type Range = readonly [lo: number, hi: number];
type PrepareOptions = Pick<CompileOptions, "source" | "calibration" | "inputs" | "assumed" | "inputRanges" | "outputs" | "dims" | "widths">; // prettier-ignore

/** What a source and its calibration give, before circuit and keys. Auditors make it again and compare. */
export interface Prepared {
  readonly float: FloatGraph;
  readonly source: Uint8Array;
  readonly calibration: Dataset;
  readonly quantized: QuantizedModel;
}

export interface Compiled {
  readonly package: ModelPackage;
  readonly float: FloatGraph;
  readonly circuit: CircuitReport;
  readonly quantized: QuantizedModel;
  readonly accuracy: Accuracy;
  /** What the search for widths found, where there was one. */
  readonly found: Found | undefined;
  readonly estimate: Estimate;
}

const RANDOM_SAMPLES = 256;
const INT16: IntType = { bits: 16, signed: true };

/** Reads source and calibration and quantizes. @throws NodeError "input", "unsupported", "usage" */
export async function prepareModel(options: PrepareOptions, step: StepRunner): Promise<Prepared> {
  return quantizeGiven(await readGiven(options, step), options, step);
}

/** What is there before anything is quantized. */
interface Given {
  readonly float: FloatGraph;
  readonly source: Uint8Array;
  readonly inputs: Specs<InputSpec> | undefined;
  readonly calibration: Dataset;
}

async function readGiven(options: PrepareOptions, step: StepRunner): Promise<Given> {
  const { float, source } = await step(
    "read the model",
    async () => {
      const source = readSource(options.source);
      // Without a folder, external data is refused: a package's source is one file under one digest.
      return { float: await readModelBytes(source, undefined, { dims: options.dims ?? {} }), source };
    },
    ({ float }) => `${float.nodes.length} nodes: ${[...new Set(float.nodes.map(({ op }) => op))].join(" ")}`,
  );
  const seed = parseRandom(options.calibration);
  const inputs = seed === undefined ? options.inputs : { ...undeclared(float, options), ...options.inputs };
  const calibration =
    seed === undefined
      ? await readDataset(options.calibration, floatInputs(float), { classes: classesAt(float) !== undefined })
      : randomCalibration(float, seed, inputs, options.inputRanges);
  return { float, source, inputs, calibration };
}

async function quantizeGiven(
  { float, source, inputs, calibration }: Given,
  { outputs, widths }: Pick<CompileOptions, "outputs" | "widths">,
  step: StepRunner,
): Promise<Prepared> {
  const quantized = await step(
    "quantize",
    async (call) => {
      const choices = { ...(inputs && { inputs }), ...(outputs && { outputs }), ...(widths && { widths }) };
      return quantizeModel(float, calibration.samples, choices, call);
    },
    ({ onnx }) => `${calibration.samples.length} calibration samples; quantized ONNX of ${onnx.length} bytes`,
  );
  return { float, source, calibration, quantized };
}

export async function compile(given: CompileOptions, step: StepRunner): Promise<Compiled> {
  const read = await readGiven(given, step);
  const { float, source, calibration } = read;
  const classes = classesAt(float) !== undefined;
  const test = given.test === undefined ? calibration : await readDataset(given.test, floatInputs(float), { classes });
  const found = given.bar === undefined ? undefined : await findWidths(read, given, given.bar, test, step);
  const options = found === undefined ? given : { ...given, widths: found.best.widths };
  const { quantized } = await quantizeGiven(read, options, step);
  const { graph, onnx } = quantized;
  const accuracy = await step(
    "compare with the float model",
    (call) => compareWithFloat(float, graph, test, call),
    comparisonText,
  );
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-"));
  try {
    const r1cs = path.join(folder, "circuit.r1cs");
    const circuit = await step(
      "build the circuit",
      (call) => buildCircuit(graph, { file: r1cs, ...call }),
      ({ constraints, domain }) => `${constraints} constraints in a domain of ${domain}`,
    );
    const figures = estimate(r1cs);
    const hasKey = await isKept(circuit.sha256 ?? "", { directory: options.keyCache });
    await options.onEstimate?.(figures, hasKey);
    const key = options.keys ? await makeKey(r1cs, options.keyCache, step) : undefined;
    const pack = await step("write the package", () =>
      writePackage(options.out, {
        description: describe(options, quantized, circuit, calibration, accuracy),
        source,
        quantized: onnx,
        graph: serializeGraph(graph),
        circuit: r1cs,
        ...(key && { key }),
      }),
    );
    return { package: pack, float, circuit, quantized, accuracy, found, estimate: figures };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function findWidths(
  { float, inputs, calibration }: Given,
  { outputs = {} }: Pick<CompileOptions, "outputs">,
  bar: Bar,
  data: Dataset,
  step: StepRunner,
): Promise<Found> {
  return step(
    "search widths",
    async (call) => {
      const observed = observe(float, calibration.samples, call);
      const borders = inputBorders(float, calibration.samples, inputs);
      return searchWidths({ float, observed, inputs: borders, outputs, data, bar }, call);
    },
    ({ best, trade, trials }) =>
      `${trials} tried; ${best.constraints} constraints instead of ${(trade[0] as Trial).constraints}`,
  );
}

async function makeKey(r1cs: string, directory: string, step: StepRunner): Promise<PackageKey> {
  const { zkey } = await step(
    "make the development key",
    (call) => developmentKey({ r1cs, directory, ...call }),
    ({ hit }) => (hit ? "from the cache" : "from public randomness: for trials, not for value"),
  );
  return { kind: "development", seed: DEVELOPMENT_SEED, zkey };
}

function readSource(file: string): Uint8Array {
  try {
    return fs.readFileSync(file);
  } catch (cause) {
    throw new NodeError("input", `${file} cannot be read`, { mend: "Give the path of an .onnx file.", cause });
  }
}

/** What random calibration takes inputs for whose type neither file nor caller says. @throws NodeError "usage" */
function undeclared(float: FloatGraph, { inputs = {}, inputRanges = {}, assumed }: PrepareOptions): Specs<InputSpec> {
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
  declared: Specs<InputSpec> | undefined,
  ranges: Specs<Range> = {},
): Dataset {
  needNames(ranges, floatInputs(float).map(({ name }) => name), "input"); // prettier-ignore
  const truths = floatInputs(float).filter(({ elemType }) => elemType === "bool");
  const all = { ...Object.fromEntries(truths.map(({ name }) => [name, [0, 1] as const])), ...ranges };
  return randomDataset(inputBorders(float, [], declared), seed, RANDOM_SAMPLES, all);
}

/** Float64 evaluation of the float graph against the integer graph: the same figures on any machine. */
async function compareWithFloat(float: FloatGraph, graph: Graph, data: Dataset, call: LongCall): Promise<Accuracy> {
  const { inputs, outputs } = bordersOf(graph);
  const classes = classesAt(float);
  const tally = newTally();
  for (const [i, sample] of data.samples.entries()) {
    call.onProgress?.({ what: "samples", done: i, total: data.samples.length });
    await setImmediate(); // so that an abort is heard
    throwIfAborted(call.signal);
    const tensors = evaluateFloat(float, sample);
    const reals = float.outputs.map(({ ref }) => tensors[ref] as Float64Array);
    const answer = outputsOf(graph, evaluate(graph, toIntegers(inputs, sample)));
    count(tally, float, reals, splitFlat(outputs, toReals(outputs, answer)), classes, data.labels?.[i]);
  }
  return summary(tally, data.samples.length, classes !== undefined, data.labels !== undefined);
}

export function comparisonText({ samples, float, integer, changed, error }: Accuracy): string {
  const share = (count: number): string => `${((100 * count) / samples).toFixed(2)} %`;
  const accuracy = float && integer && `float ${share(float.right)}, integer ${share(integer.right)} right`;
  const labels = changed !== undefined && `${changed} of ${samples} classes changed`;
  const largest = error !== undefined && `largest error ${error.max.toPrecision(3)}`;
  return [accuracy, labels, largest].filter(Boolean).join("; ");
}

function describe(
  options: CompileOptions,
  { graph, layers, notices, certificates }: QuantizedModel,
  circuit: CircuitReport,
  calibration: Dataset,
  accuracy: Accuracy,
): Description {
  const random = parseRandom(options.calibration);
  const { constraints, wires, domain, claimConstraints } = circuit;
  return {
    name: options.name,
    calibration: {
      from: random === undefined ? "file" : `random:${random}`,
      sha256: digestOf(calibration),
      ranges: random === undefined ? {} : (options.inputRanges ?? {}),
    },
    ...bordersOf(graph),
    choices: { dims: options.dims ?? {}, widths: { ...DEFAULT_WIDTHS, ...options.widths } },
    circuit: { constraints, wires, domain, claimConstraints, layers: circuit.layers },
    report: {
      layers: layers as unknown as Json,
      ...(certificates.length > 0 && { certificates: certificates as unknown as Json }),
      accuracy: { on: options.test === undefined ? "calibration" : "test", ...accuracy } as unknown as Json,
    },
    notices,
    tools: toolVersions(),
  };
}

/** SHA-256 over the samples as little-endian float64, in order. */
export function digestOf(data: Dataset): ReturnType<typeof sha256> {
  const all = Buffer.concat(data.samples.map((s) => Buffer.from(s.buffer, s.byteOffset, s.byteLength)));
  return sha256(all);
}

/** Versions that the bytes of the files depend on. */
function toolVersions(): Readonly<Record<string, string>> {
  const require = createRequire(import.meta.url);
  const versionOf = (name: string): string => (require(`${name}/package.json`) as { readonly version: string }).version;
  return { [COMPILER.name]: COMPILER.version, circom2: versionOf("circom2"), circomlib: versionOf("circomlib") };
}
