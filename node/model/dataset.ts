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
import { mulberry32 } from "./random.ts";
import { type Content, FORMATS, inJson, parseJson, type Slot, type Table } from "./tables.ts";

export type { Slot };

export interface Dataset {
  /** Reals, as the float model takes them: per sample the elements of all inputs, one tensor after the other. */
  readonly samples: readonly Float64Array[];
  /** Class indices, one per sample. */
  readonly labels?: readonly number[];
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
  return split(format(bytes, file, inputs, options.labelColumn), inputs, file, options);
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
