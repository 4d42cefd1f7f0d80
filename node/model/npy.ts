// NumPy's array files: .npy (format 1 to 3) and the .npz archives of them. Every length is checked before it is used.
// Relies on fflate for the archive; the format is numpy's own description of it (numpy.lib.format).
import { unzipSync } from "fflate";
import { NodeError } from "../core/errors.ts";
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";

export interface NumpyArray {
  readonly shape: Shape;
  /** Row-major, whatever order the file has. */
  readonly data: Float64Array;
}

/** The most that one array of an archive may unpack to. */
const MAX_BYTES = 2 ** 30;
const MAX_RANK = 32;

function broken(what: string, why: string, cause?: unknown): NodeError {
  return new NodeError("input", `${what}: ${why}`, {
    mend: "Write the file again with numpy.save, numpy.savez or numpy.savez_compressed.",
    cause,
  });
}

type Reader = (view: DataView, at: number, little: boolean) => number | bigint;

const READERS: Readonly<Record<string, { readonly width: number; readonly read: Reader }>> = {
  f4: { width: 4, read: (view, at, little) => view.getFloat32(at, little) },
  f8: { width: 8, read: (view, at, little) => view.getFloat64(at, little) },
  u1: { width: 1, read: (view, at) => view.getUint8(at) },
  i1: { width: 1, read: (view, at) => view.getInt8(at) },
  b1: { width: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
  u2: { width: 2, read: (view, at, little) => view.getUint16(at, little) },
  i2: { width: 2, read: (view, at, little) => view.getInt16(at, little) },
  u4: { width: 4, read: (view, at, little) => view.getUint32(at, little) },
  i4: { width: 4, read: (view, at, little) => view.getInt32(at, little) },
  u8: { width: 8, read: (view, at, little) => view.getBigUint64(at, little) },
  i8: { width: 8, read: (view, at, little) => view.getBigInt64(at, little) },
};

/** Reads one array; `what` names it in errors. @throws NodeError "input" */
export function readNpy(bytes: Uint8Array, what: string): NumpyArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < 10 || file.toString("latin1", 0, 6) !== "\x93NUMPY") throw broken(what, "is no .npy file");
  const version = file[6] as number;
  if (version < 1 || version > 3) throw broken(what, `has .npy format ${version}, not 1 to 3`);
  const start = version === 1 ? 10 : 12;
  if (file.length < start) throw broken(what, "ends within its header");
  const end = start + (version === 1 ? file.readUInt16LE(8) : file.readUInt32LE(8));
  if (end > file.length) throw broken(what, "ends within its header");
  const { order, dtype, fortran, shape } = parseHeader(file.toString("latin1", start, end), what);
  const reader = READERS[dtype];
  if (reader === undefined) {
    throw broken(what, `holds elements of type ${dtype}, not one of ${Object.keys(READERS).join(", ")}`);
  }
  const count = sizeOf(shape);
  if (!(count * reader.width <= MAX_BYTES)) throw broken(what, `of shape ${shape.join("x")} is too large`);
  if (file.length - end !== count * reader.width) {
    throw broken(what, `holds ${file.length - end} bytes of data, not the ${count * reader.width} of its shape`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const value = Number(reader.read(view, end + i * reader.width, order !== ">"));
    if (!Number.isFinite(value)) throw broken(what, `element ${i} is ${value}`);
    if ((dtype === "i8" || dtype === "u8") && !Number.isSafeInteger(value)) {
      throw broken(what, `element ${i} is beyond 2^53`);
    }
    data[i] = value;
  }
  return { shape, data: fortran ? fromFortran(data, shape) : data };
}

interface Header {
  readonly order: string;
  readonly dtype: string;
  readonly fortran: boolean;
  readonly shape: Shape;
}

/** The header is a Python literal of three known keys, in any order. */
function parseHeader(text: string, what: string): Header {
  const descr = /'descr':\s*'([<>|=]?)([a-zA-Z]\d+)'/.exec(text);
  const fortran = /'fortran_order':\s*(True|False)/.exec(text);
  const dims = /'shape':\s*\(([\d,\s]*)\)/.exec(text);
  if (descr === null || fortran === null || dims === null) {
    throw broken(what, `has a header that is not one plain array's: ${text.slice(0, 200).trim()}`);
  }
  const shape = (dims[1] as string)
    .split(",")
    .filter((dim) => dim.trim() !== "")
    .map(Number);
  if (shape.length > MAX_RANK || shape.some((dim) => !Number.isSafeInteger(dim))) {
    throw broken(what, `has the impossible shape (${dims[1]})`);
  }
  return { order: descr[1] as string, dtype: descr[2] as string, fortran: fortran[1] === "True", shape };
}

/** First index fastest to last index fastest. */
function fromFortran(data: Float64Array, shape: Shape): Float64Array {
  const index = shape.map(() => 0);
  const steps = shape.map((_, k) => sizeOf(shape.slice(0, k)));
  return data.map(() => {
    const value = data[index.reduce((sum, i, k) => sum + i * (steps[k] as number), 0)] as number;
    for (let k = shape.length - 1; k >= 0; k--) {
      index[k] = (index[k] as number) + 1;
      if ((index[k] as number) < (shape[k] as number)) break;
      index[k] = 0;
    }
    return value;
  });
}

/** The arrays of an archive by name, in the archive's order. @throws NodeError "input" */
export function readNpz(bytes: Uint8Array, what: string): Map<string, NumpyArray> {
  let files: Record<string, Uint8Array>;
  let total = 0;
  try {
    files = unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        total += originalSize;
        if (total > MAX_BYTES) throw new Error(`its arrays are larger than ${MAX_BYTES} bytes`);
        return name.endsWith(".npy");
      },
    });
  } catch (cause) {
    throw broken(what, `cannot be unpacked (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  }
  const arrays = new Map<string, NumpyArray>();
  for (const [name, content] of Object.entries(files)) {
    arrays.set(name.slice(0, -".npy".length), readNpy(content, `${what}, array ${name}`));
  }
  if (arrays.size === 0) throw broken(what, "holds no array");
  return arrays;
}
