// How packages and tensors are shown to a person.
import { type BorderTensor, byteLengthOf, decodeTensors, splitFlat, typeName, typeRange } from "../../core/tensor.ts";
import type { Accuracy } from "../../model/accuracy.ts";
import { toReals } from "../../model/border.ts";
import { type FloatGraph, floatInputs } from "../../model/graph.ts";
import type { LayerReport } from "../../model/report.ts";
import type { ModelPackage } from "../../proof/package.ts";
import { comparisonText } from "../compare.ts";
import { type Estimate, MACHINE, proofSecondsOf } from "../estimate.ts";
import type { Found } from "../search.ts";
import { bytes, columns, duration, grouped } from "../terminal.ts";

type Say = (line?: string) => void;

export function borderText({ name, shape, type, exponent }: BorderTensor): string {
  const { lo, hi } = typeRange(type);
  const unit = exponent === 0 ? "" : ` * 2^${exponent}`;
  return `${name}  ${typeName(type)} [${shape.join(", ")}], ${lo} to ${hi}${unit}`;
}

/** Inputs (or outputs), one a line; with the element type that the ONNX file declares, where it is known. */
export function sayBorders(
  what: string,
  borders: readonly BorderTensor[],
  types: ElemTypes | undefined,
  say: Say,
): void {
  for (const border of borders) {
    const type = types?.[border.name];
    say(`${what.padEnd(9)} ${borderText(border)}${type === undefined ? "" : ` (${type} in the ONNX file)`}`);
  }
}

type ElemTypes = Readonly<Record<string, string>>;

/** The inputs' element types as the ONNX file declares them, by name. */
export function elemTypesOf(float: FloatGraph): ElemTypes {
  return Object.fromEntries(floatInputs(float).map(({ name, elemType }) => [name, elemType]));
}

interface NamedReals {
  readonly name: string;
  readonly values: readonly number[];
}

/** The reals that an answer's bytes spell, output by output. */
export function realsOf(borders: readonly BorderTensor[], answer: Uint8Array): readonly NamedReals[] {
  const parts = splitFlat(borders, toReals(borders, decodeTensors(borders, answer)));
  return borders.map(({ name }, k) => ({ name, values: [...(parts[k] as Float64Array)] }));
}

export function sayReals(outputs: readonly NamedReals[], say: Say): void {
  for (const { name, values } of outputs) say(`output    ${name}: ${values.join(" ")}`);
}

/** What key and proofs will take. */
export function estimateText({ keyBytes, keySeconds, proofSeconds, proofBytes }: Estimate): string {
  const [key, proof] = [keySeconds, proofSeconds].map((seconds) => duration(1000 * seconds));
  return `key of ${bytes(keyBytes)} in about ${key}; a proof in about ${proof} with ${bytes(proofBytes)} of memory (on ${MACHINE})`;
}

const real = (value: number): string => (Number.isInteger(value) ? `${value}` : value.toPrecision(4));
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

/** Layers: what they compute, the reals they hold, what is cut off, what they cost. */
export function layerTable(layers: readonly LayerReport[], constraints: readonly number[]): string[] {
  const head = ["layer", "op", "shape", "seen", "possible", "bits", "acc bits", "clipped", "constraints"];
  const rows = layers.map((layer, i) => [
    layer.name,
    layer.op,
    layer.shape.join("x"),
    layer.observed.map(real).join(" .. "),
    layer.possible.map(real).join(" .. "),
    `${layer.bits}`,
    layer.accumulatorBits === undefined ? "" : `${layer.accumulatorBits}`,
    layer.clipped === undefined ? "" : percent(layer.clipped),
    grouped(constraints[i] ?? 0),
  ]);
  return columns([head, ...rows]);
}

/** Lines of the trade that are shown. */
const MOST_TRIALS = 12;

/** What the search for widths gave up and gained, a line for each set of widths that was better than the one before. */
export function tradeTable({ trade, trials }: Found): string[] {
  const shown = trade.length > MOST_TRIALS ? [...trade.slice(0, 2), ...trade.slice(2 - MOST_TRIALS)] : trade;
  const rows = shown.map(({ widths, constraints, domain, loss }) => {
    const { weights, activations, features, tables, tensors = {} } = widths;
    const bits = `${weights}/${activations}/${features}/${tables}`;
    const own = Object.keys(tensors).length;
    return [
      own === 0 ? bits : `${bits} +${own}`,
      grouped(constraints),
      `2^${Math.log2(domain)}`,
      duration(1000 * proofSecondsOf(domain)),
      Number(loss.toPrecision(3)).toString(),
    ];
  });
  return [
    `widths    ${trials} tried (bits of weights/activations/features/tables, + tensors with their own)`,
    ...columns([["bits", "constraints", "domain", "proof", "loss"], ...rows]),
  ];
}

/** How far from the next smaller domain, which would halve the time of a proof. */
export function domainText({ constraints, domain }: { readonly constraints: number; readonly domain: number }): string {
  const smaller = domain / 2;
  const over = constraints + 4 - smaller;
  return `${grouped(constraints)} constraints, domain 2^${Math.log2(domain)} (${grouped(over)} over 2^${Math.log2(smaller)})`;
}

export function showPackage({ folder, digest, manifest }: ModelPackage, types: ElemTypes, say: Say): void {
  const { circuit, report, key, files } = manifest;
  const { layers, accuracy } = report as unknown as {
    readonly layers: readonly LayerReport[];
    readonly accuracy: Accuracy & { readonly on: string };
  };
  say(`model     ${manifest.name}`);
  sayBorders("input", manifest.inputs, types, say);
  sayBorders("output", manifest.outputs, undefined, say);
  say(`bytes     ${byteLengthOf(manifest.inputs)} in, ${byteLengthOf(manifest.outputs)} out`);
  say(`circuit   ${domainText(circuit)}, ${grouped(circuit.claimConstraints)} of them for the claim`);
  if (manifest.choices.claim === "private-input")
    say("claim     of the output; the input stays private, under a salted commitment");
  say(`accuracy  ${comparisonText(accuracy)} (${accuracy.samples} ${accuracy.on} samples)`);
  say(
    key === undefined
      ? "key       none: compiled without"
      : key.kind === "development"
        ? "key       development key, from public randomness: anyone can forge proofs for it"
        : `key       from a ceremony, transcript ${key.transcript}`,
  );
  for (const notice of manifest.notices) say(`note      ${notice}`);
  say();
  for (const line of layerTable(
    layers,
    circuit.layers.map(({ constraints }) => constraints),
  ))
    say(line);
  say();
  for (const line of columns([
    ["file", "size", "sha256"],
    ...Object.entries(files).map(([role, entry]) => [role, bytes(entry.bytes), entry.sha256]),
  ]))
    say(line);
  say();
  say(`package   ${folder}`);
  say(`manifest  ${digest}`);
}
