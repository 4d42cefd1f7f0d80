// A model as the registry records it, believed only as far as its id vouches for it: the id is a hash of key, digests, lengths
// and tensors, so an endpoint cannot pass off another key or another scale. And its border: reals to bytes and back.
import { sha256, toUtf8Bytes } from "ethers";
import type { ChainClient, ModelRecord } from "../chain/client.ts";
import { keyHash, modelId } from "../chain/codec.ts";
import { readTensors } from "../core/described.ts";
import type { ModelId, VerifyingKey } from "../core/domain.ts";
import { asNodeError, NodeError } from "../core/errors.ts";
import { toIntegers, toReals } from "../core/fixed.ts";
import {
  type BorderTensor,
  byteLengthOf,
  decodeTensors,
  encodeTensors,
  joinFlat,
  type Shape,
  sizeOf,
  splitFlat,
} from "../core/tensor.ts";

export interface Model {
  readonly id: ModelId;
  readonly record: ModelRecord;
  readonly key: VerifyingKey;
  /** In the order of the wire; named as in the manifest, or "input 0", "output 0" and so on without one. */
  readonly inputs: readonly BorderTensor[];
  readonly outputs: readonly BorderTensor[];
  /** Whether it takes private inputs, and only those. */
  readonly isPrivate: boolean;
}

/** The bytes of a model's manifest.json; undefined where it is not to be had. Its digest is checked here. */
export type Manifests = (id: ModelId, uri: string, signal?: AbortSignal) => Promise<Uint8Array | undefined>;

/** @throws NodeError "input" if the registry does not know it, "integrity" if what is said of it is not what its id names */
export async function readModel(
  chain: ChainClient,
  id: ModelId,
  manifests: Manifests,
  signal?: AbortSignal,
): Promise<Model> {
  const [record, key] = await Promise.all([chain.modelOf(id, signal), chain.keyOf(id, signal)]);
  if (record === undefined || key === undefined) {
    throw new NodeError("input", `the registry knows no model ${id}`, {
      mend: "Check the id, and that the coordinator is on the chain that you mean.",
    });
  }
  if (modelId({ ...record, keyHash: keyHash(key) }) !== id) {
    throw new NodeError("integrity", `what the endpoint says of model ${id} is not what its id is a hash of`, {
      mend: "The endpoint lies or is broken: use another one.",
    });
  }
  const { inputs, outputs } = readTensors(record.tensors);
  const names = await namesIn(await manifests(id, record.manifestURI, signal), record);
  return {
    id,
    record,
    key,
    inputs: inputs.map((each, i) => ({ name: names?.inputs[i] ?? `input ${i}`, ...each })),
    outputs: outputs.map((each, i) => ({ name: names?.outputs[i] ?? `output ${i}`, ...each })),
    isPrivate: record.inputKinds.includes("private"),
  };
}

interface Names {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** The names in the manifest, whose types, scales and shapes must be the registry's. */
async function namesIn(bytes: Uint8Array | undefined, record: ModelRecord): Promise<Names | undefined> {
  if (bytes === undefined) return undefined;
  const wrong = (how: string, cause?: unknown): NodeError =>
    new NodeError("integrity", `the model's manifest ${how}`, {
      mend: "Get the manifest of this model from its publisher, or leave it out.",
      cause,
    });
  if (sha256(bytes) !== `0x${record.manifestDigest}`) throw wrong("is not the one that the registry names");
  let manifest: Readonly<Record<keyof Names, readonly BorderTensor[]>>;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes)) as typeof manifest;
    const of = (borders: readonly BorderTensor[]) =>
      borders.map(({ shape, type: { bits, signed }, exponent }) => ({ shape, type: { bits, signed }, exponent }));
    const said = JSON.stringify({ inputs: of(manifest.inputs), outputs: of(manifest.outputs) });
    if (said !== JSON.stringify(readTensors(record.tensors))) throw wrong("has other tensors than the registry");
  } catch (cause) {
    throw cause instanceof NodeError ? cause : wrong(`cannot be read (${asNodeError(cause).message})`, cause);
  }
  const names = (borders: readonly BorderTensor[]) => borders.map(({ name }) => String(name));
  return { inputs: names(manifest.inputs), outputs: names(manifest.outputs) };
}

/** Manifests by model id, as bytes or as text. */
export function manifestsOf(given: Readonly<Record<string, Uint8Array | string>>): Manifests {
  return async (id) => {
    const manifest = given[id];
    return typeof manifest === "string" ? toUtf8Bytes(manifest) : manifest;
  };
}

/** A number, nested lists or typed arrays of numbers, row-major. */
export type Reals = number | ArrayLike<number> | readonly Reals[];
/** One input's reals; of several inputs a list of them in the model's order, or by name. */
export type Values = Reals | Readonly<Record<string, Reals>>;

/** The wire bytes of `values`, quantized. @throws NodeError "input" if a count, a name or a range is off */
export function quantize({ inputs }: Pick<Model, "inputs">, values: Values): Uint8Array {
  return encodeTensors(inputs, toIntegers(inputs, joinFlat(partsOf(inputs, values))));
}

function partsOf(inputs: readonly BorderTensor[], values: Values): Float64Array[] {
  const named = typeof values === "object" && !isList(values);
  const [only, second] = inputs;
  if (named) {
    const unknown = Object.keys(values).find((name) => !inputs.some((input) => input.name === name));
    if (unknown !== undefined) throw misgiven(inputs, `there is no input "${unknown}"`);
    return inputs.map((input) => flat(inputs, input, (values as Readonly<Record<string, Reals>>)[input.name]));
  }
  if (only !== undefined && second === undefined) return [flat(inputs, only, values as Reals)];
  const list = isList(values) ? Array.from(values as ArrayLike<Reals>) : [];
  if (list.length !== inputs.length) throw misgiven(inputs, `${list.length} inputs are given`);
  return inputs.map((input, i) => flat(inputs, input, list[i]));
}

const isList = (value: unknown): boolean => Array.isArray(value) || ArrayBuffer.isView(value);

function flat(inputs: readonly BorderTensor[], input: BorderTensor, given: Reals | undefined): Float64Array {
  const numbers: number[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === "number") numbers.push(value);
    else if (isList(value)) for (const each of value as Iterable<unknown>) collect(each);
    else throw misgiven(inputs, `"${input.name}" holds what is no number (${typeof value})`);
  };
  if (given !== undefined) collect(given);
  if (numbers.length === sizeOf(input.shape)) return Float64Array.from(numbers);
  throw misgiven(inputs, `"${input.name}" is given ${numbers.length} numbers`);
}

function misgiven(inputs: readonly BorderTensor[], what: string): NodeError {
  const wanted = inputs.map(({ name, shape }) => `"${name}" ${shape.join("x")}`).join(", ");
  return new NodeError("input", `the values are not the model's inputs: ${what}`, {
    mend: `Give the model's inputs (${wanted}), as numbers, nested lists or typed arrays.`,
  });
}

/** One output of an answer. */
export interface Output {
  readonly name: string;
  readonly shape: Shape;
  /** Row-major: what the proof is about. */
  readonly integers: Float64Array;
  /** integers * 2^exponent, exactly. */
  readonly reals: Float64Array;
}

/** @throws NodeError "integrity" if the bytes are not of the model's outputs */
export function dequantize({ outputs }: Pick<Model, "outputs">, bytes: Uint8Array): readonly Output[] {
  if (bytes.length !== byteLengthOf(outputs)) {
    throw new NodeError("integrity", `an answer of ${bytes.length} bytes is not of the model's outputs`);
  }
  const all = decodeTensors(outputs, bytes);
  const reals = splitFlat(outputs, toReals(outputs, all));
  return splitFlat(outputs, all).map((integers, i) => {
    const { name, shape } = outputs[i] as BorderTensor;
    return { name, shape, integers, reals: reals[i] as Float64Array };
  });
}
