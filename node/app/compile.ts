// From an ONNX file to a package: read, calibrate, quantize, build the circuit, make or add the key, write the folder. Joins
// the compiler's parts in order and says where it is; the parts themselves are in model/, circuit/ and proof/.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { buildCircuit, type CircuitReport } from "../circuit/build.ts";
import { NodeError } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type BorderTensor, type IntType, typeRange } from "../core/tensor.ts";
import { exponentFor } from "../model/binary.ts";
import { type InputSpec, inputBorder, toIntegers, toReals } from "../model/border.ts";
import { type QuantizedModel, quantizeModel } from "../model/compile.ts";
import { type Dataset, parseRandom, randomDataset, readDataset } from "../model/dataset.ts";
import { evaluate } from "../model/evaluate.ts";
import { evaluateFloat } from "../model/evaluate-float.ts";
import type { FloatGraph } from "../model/graph.ts";
import { type Graph, nodeAt } from "../model/ir.ts";
import { readModelBytes } from "../model/onnx/read.ts";
import { yieldsIndex } from "../model/output.ts";
import { DEFAULT_WIDTHS, type OutputSpec, type Widths } from "../model/lowering.ts";
import { serializeGraph } from "../model/serialize.ts";
import { COMPILER } from "../model/version.ts";
import { developmentKey } from "../proof/cache.ts";
import { sha256 } from "../proof/files.ts";
import type { Json } from "../proof/json.ts";
import type { Description } from "../proof/manifest.ts";
import { type ModelPackage, type PackageKey, writePackage } from "../proof/package.ts";
import { DEVELOPMENT_SEED } from "../proof/setup.ts";

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
  readonly input?: InputSpec;
  /** Reals that the inputs lie between; for random calibration. */
  readonly inputRange?: readonly [number, number];
  readonly output?: OutputSpec;
  readonly widths?: Partial<Widths>;
  readonly keys: boolean;
  /** Folder of the development keys' cache. */
  readonly keyCache: string;
}

/** What a source and its calibration give, before circuit and keys. Auditors make it again and compare. */
export interface Prepared {
  readonly float: FloatGraph;
  readonly source: Uint8Array;
  readonly calibration: Dataset;
  readonly quantized: QuantizedModel;
}

export interface Compiled {
  readonly package: ModelPackage;
  readonly circuit: CircuitReport;
  readonly quantized: QuantizedModel;
  readonly accuracy: Comparison;
}

const RANDOM_SAMPLES = 256;
const INT16: IntType = { bits: 16, signed: true };

/** Reads source and calibration and quantizes. @throws NodeError "input", "unsupported", "usage" */
export async function prepareModel(
  options: Pick<CompileOptions, "source" | "calibration" | "input" | "inputRange" | "output" | "widths">,
  step: StepRunner,
): Promise<Prepared> {
  const { float, source } = await step(
    "read the model",
    async () => {
      const source = readSource(options.source);
      // Without a folder, external data is refused: a package's source is one file under one digest.
      return { float: await readModelBytes(source), source };
    },
    ({ float }) => `${float.nodes.length} nodes: ${[...new Set(float.nodes.map(({ op }) => op))].join(" ")}`,
  );
  const calibration = await calibrationOf(float, options);
  const quantized = await step(
    "quantize",
    async (call) => quantizeModel(float, calibration.samples, pick(options), call),
    ({ onnx }) => `${calibration.samples.length} calibration samples; quantized ONNX of ${onnx.length} bytes`,
  );
  return { float, source, calibration, quantized };
}

function pick({ input, output, widths }: Pick<CompileOptions, "input" | "output" | "widths">): {
  input?: InputSpec;
  output?: OutputSpec;
  widths?: Partial<Widths>;
} {
  return { ...(input && { input }), ...(output && { output }), ...(widths && { widths }) };
}

export async function compile(options: CompileOptions, step: StepRunner): Promise<Compiled> {
  const { float, source, calibration, quantized } = await prepareModel(options, step);
  const { graph, onnx } = quantized;
  const shape = nodeAt(graph, graph.input).shape;
  const test = options.test === undefined ? calibration : await readDataset(options.test, shape);
  const accuracy = await step(
    "compare with the float model",
    async () => compareWithFloat(float, graph, test),
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
    return { package: pack, circuit, quantized, accuracy };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
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

async function calibrationOf(
  float: FloatGraph,
  options: Pick<CompileOptions, "calibration" | "input" | "inputRange">,
): Promise<Dataset> {
  const { shape } = float.nodes[float.input] as { readonly shape: readonly number[] };
  const seed = parseRandom(options.calibration);
  if (seed === undefined) return readDataset(options.calibration, shape);
  return randomDataset(randomBorder(float, options), seed, RANDOM_SAMPLES, options.inputRange);
}

function randomBorder(
  float: FloatGraph,
  { input, inputRange }: Pick<CompileOptions, "input" | "inputRange">,
): BorderTensor {
  if (input === undefined && inputRange !== undefined) {
    const { hi } = typeRange(INT16);
    const exponent = exponentFor(Math.max(Math.abs(inputRange[0]), Math.abs(inputRange[1])), hi);
    return inputBorder(float, [], { type: INT16, exponent });
  }
  const { elemType } = float.nodes[float.input] as { readonly elemType: string };
  if (input === undefined && (elemType === "float32" || elemType === "float64")) {
    throw new NodeError("usage", "random calibration needs to know what the inputs are, and the model's are floats", {
      mend: "Declare them: --input uint8, or --input int16@-8, or --input-range -1,1; or calibrate with a data file.",
    });
  }
  return inputBorder(float, [], input);
}

export interface Comparison {
  readonly samples: number;
  /** Of labelled data: how many the float and the integer model get right. */
  readonly right?: { readonly float: number; readonly integer: number };
  /** Samples whose class differs between float and integer model; of models with several outputs or an ArgMax. */
  readonly changed?: number;
  /** Largest difference of an output, in the float model's units; of models without ArgMax. */
  readonly worstError?: number;
}

/** Float64 evaluation of the float graph against the integer graph: the same figures on any machine. */
function compareWithFloat(float: FloatGraph, graph: Graph, data: Dataset): Comparison {
  const input = nodeAt(graph, graph.input);
  if (input.op !== "input") throw new NodeError("internal", "node 0 of an integer graph is its input");
  const isIndex = yieldsIndex(float);
  let [changed, rightFloat, rightInteger, worst] = [0, 0, 0, 0];
  let outputs = 0;
  for (const [i, sample] of data.samples.entries()) {
    const real = evaluateFloat(float, sample)[float.output] as Float64Array;
    const tensors = evaluate(graph, toIntegers(input.border, sample));
    const mine = toReals(graph.output.border, tensors[graph.output.ref] as Float64Array);
    const [a, b] = isIndex ? [real[0], mine[0]] : [argmax(real), argmax(mine)];
    if (a !== b) changed++;
    if (data.labels?.[i] === a) rightFloat++;
    if (data.labels?.[i] === b) rightInteger++;
    outputs = real.length;
    real.forEach((value, k) => (worst = Math.max(worst, Math.abs(value - (mine[k] as number)))));
  }
  return {
    samples: data.samples.length,
    ...(data.labels && (outputs > 1 || isIndex) && { right: { float: rightFloat, integer: rightInteger } }),
    ...((outputs > 1 || isIndex) && { changed }),
    ...(!isIndex && { worstError: worst }),
  };
}

export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

export function comparisonText({ samples, right, changed, worstError }: Comparison): string {
  const share = (count: number): string => `${((100 * count) / samples).toFixed(2)} %`;
  const accuracy = right && `float ${share(right.float)}, integer ${share(right.integer)} right`;
  const labels = changed !== undefined && `${changed} of ${samples} classes changed`;
  const error = worstError !== undefined && `largest error ${worstError.toPrecision(3)}`;
  return [accuracy, labels, error].filter(Boolean).join("; ");
}

function describe(
  options: CompileOptions,
  { graph, layers, notices }: QuantizedModel,
  circuit: CircuitReport,
  calibration: Dataset,
  accuracy: Comparison,
): Description {
  const input = nodeAt(graph, graph.input);
  if (input.op !== "input") throw new NodeError("internal", "node 0 of an integer graph is its input");
  const random = parseRandom(options.calibration);
  const { constraints, wires, domain, claimConstraints } = circuit;
  return {
    name: options.name,
    calibration: { from: random === undefined ? "file" : `random:${random}`, sha256: digestOf(calibration) },
    input: input.border,
    output: graph.output.border,
    circuit: { constraints, wires, domain, claimConstraints, layers: circuit.layers },
    report: {
      widths: { ...DEFAULT_WIDTHS, ...options.widths },
      layers: layers as unknown as Json,
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
