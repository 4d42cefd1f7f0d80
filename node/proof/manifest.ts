// manifest.json of a model package: what the model is, what it costs, how good it is, and the digest of every file beside
// it. Canonical JSON without dates, paths or machine facts, so that the same model, calibration and tool give the same
// bytes anywhere. Written here; read, by hand and strictly, in manifest-read.ts.
import type { ClaimForm, Digest, KeyKind } from "../core/domain.ts";
import type { BorderTensor } from "../core/tensor.ts";
import type { Widths } from "../model/lowering.ts";
import { canonicalJson, type Json } from "./json.ts";

export const MANIFEST = "manifest.json";
export const FORMAT = "glassbox-package";
export const VERSION = 2;

/** Every file that a package can have. There are no others, and no folders. */
export const FILES = {
  source: "source.onnx",
  quantized: "quantized.onnx",
  graph: "graph.bin",
  circuit: "circuit.r1cs",
  zkey: "key.zkey",
  vkey: "vkey.json",
  ceremony: "ceremony.json",
} as const;
export type Role = keyof typeof FILES;

const MODEL_ROLES: readonly Role[] = ["source", "quantized", "graph", "circuit"];
const KEY_ROLES: Readonly<Record<KeyKind, readonly Role[]>> = {
  development: ["zkey", "vkey"],
  ceremony: ["zkey", "vkey", "ceremony"],
};

export interface FileEntry {
  readonly sha256: Digest;
  readonly bytes: number;
}

export interface LayerCost {
  readonly name: string;
  readonly op: string;
  readonly constraints: number;
}

export interface CircuitCost {
  readonly constraints: number;
  readonly wires: number;
  /** Size of the evaluation domain; proving time follows it. */
  readonly domain: number;
  readonly claimConstraints: number;
  readonly layers: readonly LayerCost[];
}

export interface Calibration {
  /** "file", or "random:7". */
  readonly from: string;
  /** Of the values. */
  readonly sha256: Digest;
  /** Reals that random values lay between, by input; under "" for all others. */
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
}

/** What else decides the bytes of the files: with source, calibration, inputs and outputs, an auditor needs no more. */
export interface Choices {
  /** Sizes of the dimensions that the ONNX file leaves open, by their names. */
  readonly dims: Readonly<Record<string, number>>;
  readonly widths: Widths;
  /** What the circuit's claim is about. In the file only where it is not "public", which has one spelling so. */
  readonly claim: ClaimForm;
}

/** What is known of the model before it has files or keys. */
export interface Description {
  readonly name: string;
  readonly calibration: Calibration;
  /** In the order of the wire format, under the ONNX file's names. */
  readonly inputs: readonly BorderTensor[];
  readonly outputs: readonly BorderTensor[];
  readonly choices: Choices;
  readonly circuit: CircuitCost;
  /** Float model against integer model, layer by layer and as a whole: the quantizer's own report. */
  readonly report: Json;
  /** What a person should know, e.g. that a final Softmax is left to the reader. */
  readonly notices: readonly string[];
  /** Tool and dependency versions that the files depend on. */
  readonly tools: Readonly<Record<string, string>>;
}

/** A development key is made again from its seed; a ceremony's digest is that of its transcript, ceremony.json. */
export type KeyStatement =
  { readonly kind: "development"; readonly seed: string } | { readonly kind: "ceremony"; readonly transcript: Digest };

export interface Manifest extends Description {
  readonly files: Readonly<Partial<Record<Role, FileEntry>>>;
  readonly key?: KeyStatement;
}

export function rolesOf(key: KeyStatement | undefined): readonly Role[] {
  return key === undefined ? MODEL_ROLES : [...MODEL_ROLES, ...KEY_ROLES[key.kind]];
}

/** The bytes of manifest.json. */
export function writeManifest(
  description: Description,
  files: Manifest["files"],
  key: KeyStatement | undefined,
): string {
  const { name, calibration, circuit, report, notices, tools } = description;
  const entries = rolesOf(key).map((role) => {
    const { sha256, bytes } = files[role] as FileEntry;
    return [FILES[role], { sha256, bytes }] as const;
  });
  return canonicalJson({
    format: FORMAT,
    version: VERSION,
    name,
    calibration: { from: calibration.from, sha256: calibration.sha256, ranges: { ...calibration.ranges } },
    inputs: description.inputs.map(border),
    outputs: description.outputs.map(border),
    choices: choicesOut(description.choices),
    circuit: {
      constraints: circuit.constraints,
      wires: circuit.wires,
      domain: circuit.domain,
      claimConstraints: circuit.claimConstraints,
      layers: circuit.layers.map((layer) => ({ name: layer.name, op: layer.op, constraints: layer.constraints })),
    },
    report,
    notices,
    tools: { ...tools },
    files: Object.fromEntries(entries),
    ...(key === undefined ? {} : { key: { ...key } }),
  });
}

function choicesOut({ dims, widths, claim }: Choices): Json {
  return { dims: { ...dims }, widths: widthsOut(widths), ...(claim === "public" ? {} : { claim }) };
}

function widthsOut({ weights, activations, features, tables, tensors }: Widths): Json {
  return { weights, activations, features, tables, ...(tensors && { tensors: { ...tensors } }) };
}

function border({ name, shape, type, exponent }: BorderTensor): Json {
  return { name, shape, type: { bits: type.bits, signed: type.signed }, exponent };
}
