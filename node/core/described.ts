// The registry's description of a model's tensors: types, scales and shapes as bytes, as libraries/Tensor.sol reads them. It
// has no names; those are in the package's manifest. Pure, and fit for a browser.
import { NodeError } from "./errors.ts";
import { type BorderTensor, sizeOf } from "./tensor.ts";

/** A border tensor without its name. */
export type Described = Omit<BorderTensor, "name">;

export interface Borders<T extends Described = Described> {
  readonly inputs: readonly T[];
  readonly outputs: readonly T[];
}

const MAX_BYTES = 1024;
const MAX_RANK = 8;
const SIGNED = 0x80;

/** The bytes that `register` takes. @throws NodeError "unsupported" for what the registry cannot hold */
export function describeTensors({ inputs, outputs }: Borders): Uint8Array {
  const bytes = [inputs.length, outputs.length];
  for (const { type, exponent, shape } of [...inputs, ...outputs]) {
    if (exponent < -128 || exponent > 127) throw tooMuch(`a scale of 2^${exponent}`, "from 2^-128 to 2^127");
    if (shape.length > MAX_RANK) throw tooMuch(`a tensor of rank ${shape.length}`, `of at most ${MAX_RANK}`);
    bytes.push(type.bits | (type.signed ? SIGNED : 0), exponent & 0xff, shape.length);
    for (const dim of shape) bytes.push((dim >>> 24) & 0xff, (dim >>> 16) & 0xff, (dim >>> 8) & 0xff, dim & 0xff);
  }
  const counts = inputs.length > 255 || outputs.length > 255;
  if (counts || bytes.length > MAX_BYTES) throw tooMuch(`${inputs.length + outputs.length} tensors`, "1,024 bytes of");
  return Uint8Array.from(bytes);
}

function tooMuch(what: string, limit: string): NodeError {
  return new NodeError("unsupported", `the model has ${what}, and the registry takes those ${limit} description`, {
    mend: "Compile a model with fewer or plainer inputs and outputs.",
  });
}

/** Reads what describeTensors writes, and nothing else. @throws NodeError "integrity" */
export function readTensors(bytes: Uint8Array): Borders {
  let at = 2;
  const next = (): number => {
    const byte = bytes[at++];
    if (byte === undefined) throw malformed(`ends at byte ${bytes.length}`);
    return byte;
  };
  const read = (): Described => {
    const [code, exponent, rank] = [next(), next(), next()];
    const bits = code & ~SIGNED;
    if (bits !== 8 && bits !== 16 && bits !== 32) throw malformed(`has a type ${code}`);
    if (rank > MAX_RANK) throw malformed(`has a rank of ${rank}`);
    const shape = Array.from({ length: rank }, () => ((next() << 24) | (next() << 16) | (next() << 8) | next()) >>> 0);
    if (shape.includes(0) || sizeOf(shape) * (bits / 8) >= 2 ** 32) throw malformed(`has a shape ${shape.join("x")}`);
    return { shape, type: { bits, signed: code >= SIGNED }, exponent: (exponent << 24) >> 24 };
  };
  const many = (count: number | undefined): Described[] => Array.from({ length: count ?? 0 }, read);
  const borders = { inputs: many(bytes[0]), outputs: many(bytes[1]) };
  if (at !== bytes.length) throw malformed(`goes on after byte ${at}`);
  return borders;
}

function malformed(how: string): NodeError {
  return new NodeError("integrity", `the description of the model's tensors ${how}`, {
    mend: "The endpoint answers what the registry cannot hold: use another one.",
  });
}
