// From an ONNX file to a package: read, calibrate, quantize, build the circuit, make or add the key, write the folder. Joins
// the compiler's parts in order and says where it is; the parts themselves are in model/, circuit/ and proof/.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { buildCircuit, type CircuitReport } from "../circuit/build.ts";
import type { ClaimForm } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type Accuracy, classesAt } from "../model/accuracy.ts";
import { observe } from "../model/calibrate.ts";
import { inputBorders, type InputSpec, type Specs } from "../model/border.ts";
import { type QuantizedModel, quantizeModel } from "../model/compile.ts";
import { type Dataset, parseRandom, readDataset } from "../model/dataset.ts";
import { type FloatGraph, floatInputs } from "../model/graph.ts";
import { bordersOf } from "../model/ir.ts";
import type { Dims } from "../model/onnx/check.ts";
import { readModelBytes } from "../model/onnx/read.ts";
import { DEFAULT_WIDTHS, type OutputSpec, type Widths } from "../model/lowering.ts";
import { serializeGraph } from "../model/serialize.ts";
import { COMPILER } from "../model/version.ts";
import { developmentKey, isKept } from "../proof/cache.ts";
import type { Json } from "../proof/json.ts";
import type { Description } from "../proof/manifest.ts";
import { type ModelPackage, type PackageKey, writePackage } from "../proof/package.ts";
import { DEVELOPMENT_SEED } from "../proof/setup.ts";
import { calibrationOf, type CalibrationOptions, digestOf } from "./calibration.ts";
import { comparisonText, compareWithFloat } from "./compare.ts";
import { estimate, type Estimate } from "./estimate.ts";
import { type Bar, type Found, searchWidths, type Trial } from "./search.ts";
import { foresee, limitOf, type Long } from "./size.ts";

/** Runs `work` under a name that a person sees; `detail` says what came of it. */
export type StepRunner = <T>(
  name: string,
  work: (call: Required<LongCall>) => Promise<T>,
  detail?: (result: T) => string,
) => Promise<T>;

export interface CompileOptions extends CalibrationOptions {
  readonly source: string;
  /** Labelled or unlabelled data to compare float and integer on; without it the calibration data. */
  readonly test?: string;
  readonly name: string;
  /** The package's folder. */
  readonly out: string;
  readonly outputs?: Specs<OutputSpec>;
  /** Sizes of the dimensions that the file leaves open. */
  readonly dims?: Dims;
  readonly widths?: Partial<Widths>;
  /** What the circuit's claim is about; "public" unless it is given. */
  readonly claim?: ClaimForm;
  /** What must be kept: the cheapest widths that do are searched, on the test data where there are some. */
  readonly bar?: Bar;
  readonly keys: boolean;
  /** Folder of the development keys' cache. */
  readonly keyCache: string;
  /** Is told what key and proofs will take before there is a key; what it throws stops the compilation. */
  readonly onEstimate?: (estimate: Estimate, hasKey: boolean) => Promise<void>;
  /** Is told before long work on the samples; what it throws stops the compilation. */
  readonly onLong?: (long: Long) => Promise<void>;
  /** Bytes that a proof may take, where there are to be keys. Default: the memory of this machine. */
  readonly memory?: number;
}

type PrepareOptions = CalibrationOptions & Pick<CompileOptions, "source" | "outputs" | "dims" | "widths">;

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
  const { inputs, calibration } = await calibrationOf(float, options);
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
  const claim = given.claim ?? "public";
  const limit = limitOf(given.keys ? (given.memory ?? os.totalmem()) : undefined);
  const long = await foresee({ ...given, ...read, test, limit }, step);
  if (long !== undefined) await given.onLong?.(long);
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
      async (call) => {
        await buildCircuit(graph, { claim, limit, ...call }); // before hundreds of bytes per constraint are written
        return buildCircuit(graph, { claim, file: r1cs, ...call });
      },
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
  { outputs = {}, claim = "public" }: Pick<CompileOptions, "outputs" | "claim">,
  bar: Bar,
  data: Dataset,
  step: StepRunner,
): Promise<Found> {
  return step(
    "search widths",
    async (call) => {
      const observed = observe(float, calibration.samples, call);
      const borders = inputBorders(float, calibration.samples, inputs);
      return searchWidths({ float, observed, inputs: borders, outputs, data, bar, claim }, call);
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
    choices: {
      dims: options.dims ?? {},
      widths: { ...DEFAULT_WIDTHS, ...options.widths },
      claim: options.claim ?? "public",
    },
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

/** Versions that the bytes of the files depend on. */
function toolVersions(): Readonly<Record<string, string>> {
  const require = createRequire(import.meta.url);
  const versionOf = (name: string): string => (require(`${name}/package.json`) as { readonly version: string }).version;
  return { [COMPILER.name]: COMPILER.version, circom2: versionOf("circom2"), circomlib: versionOf("circomlib") };
}
