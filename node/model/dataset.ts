// Samples for calibration and tests, and their labels where there are some: from .npz, .npy, .json and .csv files, or random
// within the model's input range. Checks every count and shape against the model; knows nothing of quantization.
import fs from "node:fs/promises";
import path from "node:path";
import { NodeError } from "../core/errors.ts";
import { joinFlat, sizeOf, typeRange } from "../core/tensor.ts";
import type { BorderTensor, Shape } from "../core/tensor.ts";
import { pow2 } from "./binary.ts";
import { specFor } from "./border.ts";
import type { Specs } from "./border.ts";
import { readNpy, readNpz } from "./npy.ts";
import { mulberry32 } from "./random.ts";

export interface Dataset {
  /** Reals, as the float model takes them: per sample the elements of all inputs, one tensor after the other. */
  readonly samples: readonly Float64Array[];
  /** Class indices, one per sample. */
  readonly labels?: readonly number[];
}

/** What samples have values for: one of the model's inputs. */
export interface Slot {
  readonly name: string;
  /** With the leading 1, if the input has one. */
  readonly shape: Shape;
}

export interface DatasetOptions {
  /** Of a .csv: the column that holds the label, by its name or its number from 0. */
  readonly labelColumn?: string | number;
  /** false: what the file has as labels are no classes (the targets of a regression), and is left alone. */
  readonly classes?: boolean;
  /** One sample may come without the axis that counts samples, or as a flat list. */
  readonly single?: boolean;
  readonly maxBytes?: number;
}

const MAX_BYTES = 512 * 2 ** 20;
const LABEL_NAMES = ["label", "y", "class", "target"];

/** The samples of `file`, with values for every input (shapes with the leading 1 or without). @throws NodeError "input" */
export async function readDataset(
  file: string,
  inputs: readonly Slot[],
  options: DatasetOptions = {},
): Promise<Dataset> {
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
  return split(format(bytes, file, inputs, options), inputs, file, options);
}

/** The values of one sample, typed as JSON: {"name": [...], ...}, or a list for the only input. @throws NodeError "input" */
export function parseSample(text: string, inputs: readonly Slot[]): Float64Array {
  const what = "the input";
  const { samples } = split(inJson(parseJson(text, what), what, inputs), inputs, what, { single: true });
  const [sample] = samples;
  if (sample === undefined || samples.length > 1) {
    throw new NodeError("input", `${what} holds ${samples.length} samples, not one`);
  }
  return sample;
}

interface Table {
  readonly shape: Shape;
  readonly data: Float64Array;
}

interface Content {
  /** One per input. Of a flat one: a single table of rows, with the elements of all inputs in each. */
  readonly tables: readonly Table[];
  readonly flat?: boolean;
  readonly labels?: ArrayLike<number>;
}

type Format = (bytes: Buffer, file: string, inputs: readonly Slot[], options: DatasetOptions) => Content;

const FORMATS: Readonly<Record<string, Format>> = {
  ".npy": (bytes, file, inputs) => onlyTable(readNpy(bytes, file), file, inputs),
  ".npz": (bytes, file, inputs) => {
    const arrays = readNpz(bytes, file);
    return named(new Map([...arrays].map(([name, array]) => [name, () => array])), file, inputs);
  },
  ".json": (bytes, file, inputs) => inJson(parseJson(bytes.toString("utf8"), file), file, inputs),
  ".csv": (bytes, file, inputs, { labelColumn }) => {
    const size = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return readCsv(bytes.toString("utf8"), file, size, labelColumn);
  },
};

function inJson(parsed: unknown, file: string, inputs: readonly Slot[]): Content {
  if (typeof parsed !== "object" || parsed === null) {
    throw new NodeError(
      "input",
      `${file} holds neither a list of samples nor an object with a list by each input's name`,
    );
  }
  if (Array.isArray(parsed)) return onlyTable(nested(parsed, file), file, inputs);
  const lists = Object.entries(parsed).map(([name, list]) => [name, () => nested(list, `${file}, ${name}`)] as const);
  return named(new Map(lists), file, inputs);
}

function onlyTable(table: Table, file: string, inputs: readonly Slot[]): Content {
  if (inputs.length === 1) return { tables: [table] };
  throw new NodeError("input", `${file} holds one array, and the model has ${inputs.length} inputs`, {
    mend: `Give one by the name of each (.npz or a .json object): ${namesOf(inputs)}.`,
  });
}

const namesOf = (inputs: readonly Slot[]): string => inputs.map(({ name }) => name).join(", ");

/** The tables by the inputs' names; of a single input also as x, or as the only one. Labels are y, unless an input is. */
function named(entries: ReadonlyMap<string, () => Table>, file: string, inputs: readonly Slot[]): Content {
  const isInput = (name: string): boolean => inputs.some((input) => input.name === name);
  const label = ["y", "label"].find((name) => entries.has(name) && !isInput(name));
  const rest = [...entries.keys()].filter((name) => name !== label);
  const tables = inputs.map(({ name }) => {
    const spare = inputs.length > 1 ? undefined : (entries.get("x") ?? (rest.length === 1 ? entries.get(rest[0] as string) : undefined)); // prettier-ignore
    const table = entries.get(name) ?? spare;
    if (table !== undefined) return table();
    const found = entries.size === 0 ? "nothing" : [...entries.keys()].join(", ");
    throw new NodeError("input", `${file} holds ${found}, and none for the input "${name}"`, {
      mend:
        inputs.length === 1
          ? `Save the samples as array x (or ${name}), and the labels, if any, as array y.`
          : `Save the samples of each input under its name (${namesOf(inputs)}), and the labels, if any, as y.`,
    });
  });
  const labels = label === undefined ? undefined : entries.get(label);
  return labels === undefined ? { tables } : { tables, labels: labels().data };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NodeError("input", `${file} is not JSON`, { cause });
  }
}

/** Nested lists of equal lengths as one table; true and false are 1 and 0. */
function nested(value: unknown, what: string): Table {
  const shape: number[] = [];
  for (let at = value; Array.isArray(at); at = at[0] as unknown) shape.push(at.length);
  const data: number[] = [];
  const walk = (at: unknown, depth: number): void => {
    if (depth === shape.length) {
      if (typeof at !== "boolean" && (typeof at !== "number" || !Number.isFinite(at))) {
        throw new NodeError("input", `${what}: element ${data.length} is no number but ${JSON.stringify(at)}`);
      }
      data.push(Number(at));
      return;
    }
    if (!Array.isArray(at) || at.length !== shape[depth]) {
      throw new NodeError("input", `${what}: the lists at depth ${depth} have unequal lengths`);
    }
    for (const item of at) walk(item, depth + 1);
  };
  if (Array.isArray(value) && value.length === 0) throw new NodeError("input", `${what} is no list of numbers`);
  walk(value, 0);
  return { shape, data: Float64Array.from(data) };
}

function readCsv(text: string, file: string, size: number, labelColumn: string | number | undefined): Content {
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
  const tables = [{ shape: [rows.length, size], data: Float64Array.from(data) }];
  return { tables, flat: true, ...(label !== undefined && { labels }) };
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

/** Cuts tables into samples and checks the labels. */
function split(content: Content, inputs: readonly Slot[], what: string, options: DatasetOptions): Dataset {
  const { tables, flat, labels } = content;
  const counts = flat ? [tables[0]?.shape[0] ?? 0] : tables.map((table, i) => countOf(table, inputs[i] as Slot, what, options)); // prettier-ignore
  const [count = 0] = counts;
  const odd = counts.findIndex((other) => other !== count);
  if (odd > 0) {
    const [first, other] = [inputs[0] as Slot, inputs[odd] as Slot];
    throw new NodeError("input", `${what} has ${count} samples of ${first.name}, but ${counts[odd]} of ${other.name}`);
  }
  if (count === 0) throw new NodeError("input", `${what} holds no sample`);
  const samples = Array.from({ length: count }, (_, i) =>
    joinFlat(tables.map(({ data }) => data.subarray((i * data.length) / count, ((i + 1) * data.length) / count))),
  );
  if (labels === undefined || options.classes === false) return { samples };
  const list = Array.from(labels);
  if (list.length !== count) throw new NodeError("input", `${what} has ${list.length} labels for ${count} samples`);
  const wrong = list.findIndex((label) => !Number.isSafeInteger(label) || label < 0);
  if (wrong >= 0) throw new NodeError("input", `${what}: label ${wrong} is ${list[wrong]}, no class index`);
  return { samples, labels: list };
}

/** How many samples of `input` the table holds. @throws NodeError "input" where their shape is another */
function countOf(table: Table, input: Slot, what: string, { single }: DatasetOptions): number {
  const [count = 0, ...each] = table.shape;
  const inner = input.shape[0] === 1 ? input.shape.slice(1) : input.shape;
  const equal = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, k) => dim === b[k]);
  const counted = table.shape.length > 0;
  if (counted && (equal(each, input.shape) || equal(each, inner))) return count;
  if (single && (equal(table.shape, inner) || (table.shape.length <= 1 && table.data.length === sizeOf(inner))))
    return 1;
  throw new NodeError(
    "input",
    `${what} holds ${single ? "values" : "samples"} of shape ${(single ? table.shape : each).join("x")}, not ${inner.join("x")}, for "${input.name}"`,
    {
      mend: single
        ? "Give the input's values as nested lists of its shape, or as one flat list."
        : "The first axis counts the samples; the others are the model's input shape.",
    },
  );
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

/** Integers drawn evenly from the borders' ranges (or from `ranges`, reals, by name), as the reals that they stand for. */
export function randomDataset(
  borders: readonly BorderTensor[],
  seed: number,
  count: number,
  ranges: Specs<readonly [number, number]> = {},
): Dataset {
  const random = mulberry32(seed);
  const drawers = borders.map(({ name, shape, type, exponent }) => {
    const range = specFor(ranges, name);
    const unit = pow2(exponent);
    const { lo, hi } = typeRange(type);
    const least = Math.max(lo, Math.ceil((range?.[0] ?? -Infinity) / unit));
    const most = Math.min(hi, Math.floor((range?.[1] ?? Infinity) / unit));
    if (most < least) throw new NodeError("usage", `no integer of input "${name}" lies in ${range?.join(" to ")}`);
    const draw = (): number => (least + Math.floor(random() * (most - least + 1))) * unit;
    return () => Float64Array.from({ length: sizeOf(shape) }, draw);
  });
  return { samples: Array.from({ length: count }, () => joinFlat(drawers.map((draw) => draw()))) };
}
