// What files of samples hold: numbers as tables, one per input, and labels beside them. Knows the formats and the inputs' names;
// how tables become samples is dataset.ts.
import { NodeError } from "../core/errors.ts";
import { sizeOf } from "../core/tensor.ts";
import type { Shape } from "../core/tensor.ts";
import { readNpy, readNpz } from "./npy.ts";

/** What samples have values for: one of the model's inputs. */
export interface Slot {
  readonly name: string;
  /** With the leading 1, if the input has one. */
  readonly shape: Shape;
}

const LABEL_NAMES = ["label", "y", "class", "target"];

export interface Table {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export interface Content {
  /** One per input. Of a flat one: a single table of rows, with the elements of all inputs in each. */
  readonly tables: readonly Table[];
  readonly flat?: boolean;
  readonly labels?: ArrayLike<number>;
}

type LabelColumn = string | number | undefined;
type Format = (bytes: Buffer, file: string, inputs: readonly Slot[], labelColumn: LabelColumn) => Content;

/** By the ending of the file's name. */
export const FORMATS: Readonly<Record<string, Format>> = {
  ".npy": (bytes, file, inputs) => onlyTable(readNpy(bytes, file), file, inputs),
  ".npz": (bytes, file, inputs) => {
    const arrays = readNpz(bytes, file);
    return named(new Map([...arrays].map(([name, array]) => [name, () => array])), file, inputs);
  },
  ".json": (bytes, file, inputs) => inJson(parseJson(bytes.toString("utf8"), file), file, inputs),
  ".csv": (bytes, file, inputs, labelColumn) => {
    const size = inputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    return readCsv(bytes.toString("utf8"), file, size, labelColumn);
  },
};

/** A list of samples of the only input, or an object of lists by the inputs' names. @throws NodeError "input" */
export function inJson(parsed: unknown, file: string, inputs: readonly Slot[]): Content {
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

export function parseJson(text: string, file: string): unknown {
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

const MISSING = /^([+-]?(nan|inf|infinity)|na|n\/a|null|none|\?|)$/i;

function readCsv(text: string, file: string, size: number, labelColumn: LabelColumn): Content {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  const rows = lines.map((line) => line.split(",").map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const isNumber = (cell: string): boolean => cell !== "" && Number.isFinite(Number(cell));
  const [first = []] = rows;
  // Numbers beside what is missing are a sample, and refused as one below.
  const named = first.some(isNumber) ? !first.every((cell) => isNumber(cell) || MISSING.test(cell)) : first.length > 0;
  const header = named ? rows.shift() : undefined;
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
  wanted: LabelColumn,
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
