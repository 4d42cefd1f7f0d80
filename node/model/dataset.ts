// Samples for calibration and tests, and their labels where there are some: from .npz, .npy, .json and .csv files, or random
// within the model's input range. Checks every count and shape against the model; knows nothing of quantization.
import fs from "node:fs/promises";
import path from "node:path";
import { NodeError } from "../core/errors.ts";
import { sizeOf, typeRange } from "../core/tensor.ts";
import type { BorderTensor, Shape } from "../core/tensor.ts";
import { pow2 } from "./binary.ts";
import { readNpy, readNpz } from "./npy.ts";
import { mulberry32 } from "./random.ts";

export interface Dataset {
  /** Reals, as the float model takes them, one array of the model's input size per sample. */
  readonly samples: readonly Float64Array[];
  /** Class indices, one per sample. */
  readonly labels?: readonly number[];
}

export interface DatasetOptions {
  /** Of a .csv: the column that holds the label, by its name or its number from 0. */
  readonly labelColumn?: string | number;
  readonly maxBytes?: number;
}

const MAX_BYTES = 512 * 2 ** 20;
const LABEL_NAMES = ["label", "y", "class", "target"];

/** The samples of `file`, each of the model's input `shape` (with the leading 1 or without). @throws NodeError "input" */
export async function readDataset(file: string, shape: Shape, options: DatasetOptions = {}): Promise<Dataset> {
  const format = FORMATS[path.extname(file).toLowerCase()];
  if (format === undefined) {
    throw new NodeError("input", `${file} is not one of ${Object.keys(FORMATS).join(", ")}`, {
      mend: "Give the samples in one of these formats, named so.",
    });
  }
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  const bytes = await fs.stat(file).then(
    ({ size }) => {
      if (size > maxBytes) throw new NodeError("input", `${file} has ${size} bytes, more than ${maxBytes}`);
      return fs.readFile(file);
    },
    (cause: unknown) => {
      throw new NodeError("input", `cannot read ${file}`, { mend: "Give the path of a file of samples.", cause });
    },
  );
  return split(format(bytes, file, sizeOf(shape), options), shape, file);
}

interface Table {
  readonly shape: Shape;
  readonly data: Float64Array;
  readonly labels?: ArrayLike<number>;
  /** Rows are flat, whatever the model's shape. */
  readonly flat?: boolean;
}

type Format = (bytes: Buffer, file: string, size: number, options: DatasetOptions) => Table;

const FORMATS: Readonly<Record<string, Format>> = {
  ".npy": (bytes, file) => readNpy(bytes, file),
  ".npz": (bytes, file) => {
    const arrays = readNpz(bytes, file);
    const x = arrays.get("x") ?? (arrays.size === 1 ? [...arrays.values()][0] : undefined);
    if (x === undefined) {
      throw new NodeError("input", `${file} holds the arrays ${[...arrays.keys()].join(", ")}, and none named x`, {
        mend: "Save the samples as array x and the labels, if any, as array y.",
      });
    }
    const y = arrays.get("y");
    return y === undefined ? x : { ...x, labels: y.data };
  },
  ".json": (bytes, file) => {
    const parsed = parseJson(bytes, file);
    if (Array.isArray(parsed)) return nested(parsed, file);
    const { x, y } = (parsed ?? {}) as { readonly x?: unknown; readonly y?: unknown };
    if (!Array.isArray(x)) {
      throw new NodeError("input", `${file} holds neither a list of samples nor an object with such a list as x`);
    }
    return y === undefined ? nested(x, file) : { ...nested(x, file), labels: nested(y, `${file}, y`).data };
  },
  ".csv": (bytes, file, size, { labelColumn }) => readCsv(bytes.toString("utf8"), file, size, labelColumn),
};

function parseJson(bytes: Buffer, file: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new NodeError("input", `${file} is not JSON`, { cause });
  }
}

/** Nested lists of equal lengths as one table. */
function nested(value: unknown, what: string): Table {
  const shape: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0] as unknown) shape.push(at.length);
  const data: number[] = [];
  const walk = (at: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (typeof at !== "number" || !Number.isFinite(at)) {
        throw new NodeError("input", `${what}: element ${data.length} is no number but ${JSON.stringify(at)}`);
      }
      data.push(at);
      return;
    }
    if (!Array.isArray(at) || at.length !== shape[depth]) {
      throw new NodeError("input", `${what}: the lists at depth ${depth} have unequal lengths`);
    }
    for (const item of at) walk(item, depth + 1);
  };
  if (!Array.isArray(value) || value.length === 0) throw new NodeError("input", `${what} is no list of numbers`);
  walk(value, 0);
  return { shape, data: Float64Array.from(data) };
}

function readCsv(text: string, file: string, size: number, labelColumn: string | number | undefined): Table {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const rows = lines.map((line) => line.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const isNumber = (cell: string): boolean => cell !== "" && Number.isFinite(Number(cell));
  const header = rows[0]?.every(isNumber) === false ? rows.shift() : undefined;
  const columns = header?.length ?? rows[0]?.length ?? 0;
  const label = labelIndex(file, header, labelColumn, columns > size);
  const width = columns - (label === undefined ? 0 : 1);
  if (width !== size) {
    throw new NodeError("input", `${file} has ${width} columns of values, and the model takes ${size}`, {
      mend: "Give one sample per line; name the label's column, if there is one.",
    });
  }
  const data: number[] = [];
  const labels: number[] = [];
  rows.forEach((row, r) => {
    const line = r + (header === undefined ? 1 : 2);
    if (row.length !== columns) {
      throw new NodeError("input", `${file}: row ${line} has ${row.length} cells, not ${columns}`);
    }
    row.forEach((cell, c) => {
      if (!isNumber(cell)) throw new NodeError("input", `${file}: row ${line}, cell ${c + 1} is "${cell}", no number`);
      (c === label ? labels : data).push(Number(cell));
    });
  });
  const table = { shape: [rows.length, size], data: Float64Array.from(data), flat: true };
  return label === undefined ? table : { ...table, labels };
}

function labelIndex(
  file: string,
  header: readonly string[] | undefined,
  wanted: string | number | undefined,
  spare: boolean,
): number | undefined {
  if (typeof wanted === "number" || (wanted !== undefined && /^\d+$/.test(wanted))) return Number(wanted);
  if (wanted === undefined && !spare) return undefined;
  const names = wanted === undefined ? LABEL_NAMES : [wanted.toLowerCase()];
  const found = header?.findIndex((name) => names.includes(name.toLowerCase())) ?? -1;
  if (found < 0 && wanted !== undefined) {
    throw new NodeError("input", `${file} has no column named "${wanted}"`, {
      mend: `Name one of: ${header?.join(", ") ?? "the columns, in a first line"}; or give its number, from 0.`,
    });
  }
  return found < 0 ? undefined : found;
}

/** Cuts a table into samples and checks the labels. */
function split({ shape, data, labels, flat }: Table, wanted: Shape, what: string): Dataset {
  const [count = 0, ...each] = shape;
  const inner = wanted[0] === 1 ? wanted.slice(1) : wanted;
  const equal = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, k) => dim === b[k]);
  if (flat !== true && !equal(each, wanted) && !equal(each, inner)) {
    throw new NodeError("input", `${what} holds samples of shape ${each.join("x")}, not ${inner.join("x")}`, {
      mend: "The first axis counts the samples; the others are the model's input shape.",
    });
  }
  const size = sizeOf(wanted);
  if (count === 0) throw new NodeError("input", `${what} holds no sample`);
  const samples = Array.from({ length: count }, (_, i) => data.slice(i * size, (i + 1) * size));
  if (labels === undefined) return { samples };
  const list = Array.from(labels);
  if (list.length !== count) throw new NodeError("input", `${what} has ${list.length} labels for ${count} samples`);
  const odd = list.findIndex((label) => !Number.isSafeInteger(label) || label < 0);
  if (odd >= 0) throw new NodeError("input", `${what}: label ${odd} is ${list[odd]}, no class index`);
  return { samples, labels: list };
}

/** "random" or "random:seed". Undefined if `text` is neither, and so a file. @throws NodeError "usage" */
export function parseRandom(text: string): number | undefined {
  if (!/^random(:|$)/.test(text)) return undefined;
  const seed = text === "random" ? 1 : Number(text.slice("random:".length) || NaN);
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new NodeError("usage", `"${text}": the seed is no integer from 0 to 2^32 - 1`, { mend: "Write random:7." });
  }
  return seed;
}

/** Integers drawn evenly from the border's range (or from `range`, reals), as the reals that they stand for. */
export function randomDataset(
  border: Pick<BorderTensor, "shape" | "type" | "exponent">,
  seed: number,
  count: number,
  range?: readonly [number, number],
): Dataset {
  const random = mulberry32(seed);
  const unit = pow2(border.exponent);
  const { lo, hi } = typeRange(border.type);
  const least = Math.max(lo, Math.ceil((range?.[0] ?? -Infinity) / unit));
  const most = Math.min(hi, Math.floor((range?.[1] ?? Infinity) / unit));
  if (most < least) throw new NodeError("usage", `no input integer lies in ${range?.join(" to ")}`);
  const draw = (): number => (least + Math.floor(random() * (most - least + 1))) * unit;
  return { samples: Array.from({ length: count }, () => Float64Array.from({ length: sizeOf(border.shape) }, draw)) };
}
