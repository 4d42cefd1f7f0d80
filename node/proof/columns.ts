// A circuit's matrices column by column: what a key has for each wire is made from them. Reads them, and cuts them into tasks for
// threads; what is made of a column is for setup.ts and start.ts.
import { reduce } from "../core/field.ts";
import { type Combinations, WIDE } from "../groth16/multiples.ts";
import type { R1cs } from "./r1cs.ts";
import { littleEndian, type TermsWriter } from "./zkey.ts";

/** Terms of one matrix, wire by wire: those of wire i are starts[i] .. starts[i + 1]. */
export interface Columns extends Combinations {
  /** Numbers in `wide` before each wire's. */
  readonly wideStarts: Uint32Array;
}

const WIDE_BYTES = 32;
/** Most weights are small, and most of a task's time goes into the others. */
const WIDE_WEIGHT = 8;

/**
 * Reads the rows twice: once to count, once to place, as `pause` is told: its rows go on from the last one. The public wires'
 * own rows come last in A.
 */
export async function readColumns(
  r1cs: R1cs,
  terms: TermsWriter,
  pause: (row: number) => Promise<void>,
): Promise<[Columns, Columns, Columns]> {
  const { wires, publics, constraints } = r1cs.header;
  const counts = [0, 1, 2].map(() => ({ all: new Uint32Array(wires + 1), wide: new Uint32Array(wires + 1) }));
  const count = (matrix: number, wire: number, coefficient: number | bigint): void => {
    const { all, wide } = counts[matrix] as { all: Uint32Array; wide: Uint32Array };
    all[wire + 1] = (all[wire + 1] as number) + 1;
    if (!isSmall(coefficient)) wide[wire + 1] = (wide[wire + 1] as number) + 1;
  };
  await r1cs.terms((matrix, _row, wire, coefficient) => count(matrix, wire, coefficient), pause);
  for (let wire = 0; wire <= publics; wire++) count(0, wire, 1);
  const columns = counts.map(({ all, wide }): Columns => {
    for (let i = 0; i < wires; i++) {
      all[i + 1] = (all[i + 1] as number) + (all[i] as number);
      wide[i + 1] = (wide[i + 1] as number) + (wide[i] as number);
    }
    const size = all[wires] as number;
    return {
      starts: all,
      wideStarts: wide,
      rows: new Uint32Array(size),
      coefficients: new Int32Array(size),
      wide: new Uint8Array(WIDE_BYTES * (wide[wires] as number)),
    };
  }) as [Columns, Columns, Columns];

  const places = columns.map(({ starts, wideStarts }) => ({ next: starts.slice(), nextWide: wideStarts.slice() }));
  const place = (matrix: 0 | 1 | 2, row: number, wire: number, coefficient: number | bigint): void => {
    const { rows, coefficients, wide } = columns[matrix];
    const { next, nextWide } = places[matrix] as { next: Uint32Array; nextWide: Uint32Array };
    const at = next[wire] as number;
    next[wire] = at + 1;
    rows[at] = row;
    if (isSmall(coefficient)) coefficients[at] = coefficient;
    else {
      coefficients[at] = WIDE;
      const k = nextWide[wire] as number;
      nextWide[wire] = k + 1;
      wide.set(littleEndian(reduce(BigInt(coefficient))), WIDE_BYTES * k);
    }
  };
  await r1cs.terms(
    (matrix, row, wire, coefficient) => {
      place(matrix, row, wire, coefficient);
      if (matrix !== 2) terms.add(matrix, row, wire, coefficient);
    },
    (row) => pause(constraints + row),
  );
  for (let wire = 0; wire <= publics; wire++) place(0, constraints + wire, wire, 1);
  terms.end(r1cs.header);
  return columns;
}

function isSmall(coefficient: number | bigint): coefficient is number {
  return typeof coefficient === "number" && Math.abs(coefficient) < -WIDE;
}

/** The columns of wires [from, to) by themselves. */
export function sliceColumns(
  { starts, wideStarts, rows, coefficients, wide }: Columns,
  from: number,
  to: number,
): Combinations {
  const [first, last] = [starts[from] as number, starts[to] as number];
  return {
    starts: starts.slice(from, to + 1).map((start) => start - first),
    rows: rows.slice(first, last),
    coefficients: coefficients.slice(first, last),
    wide: wide.slice(WIDE_BYTES * (wideStarts[from] as number), WIDE_BYTES * (wideStarts[to] as number)),
  };
}

/** One wire's column, at most `length` terms at a time. */
export function* sliceColumn(columns: Columns, wire: number, length: number): Generator<Combinations> {
  const { coefficients, rows, wide } = sliceColumns(columns, wire, wire + 1);
  let used = 0;
  for (let from = 0; from < rows.length; from += length) {
    const part = coefficients.subarray(from, from + length);
    const wides = part.reduce((sum, coefficient) => sum + (coefficient === WIDE ? WIDE_BYTES : 0), 0);
    yield {
      starts: Uint32Array.of(0, part.length),
      rows: rows.subarray(from, from + length),
      coefficients: part,
      wide: wide.subarray(used, (used += wides)),
    };
  }
}

/** A task's work in these columns' wires, in terms with small coefficients. */
function weightOf(columns: readonly Columns[], from: number, to: number): number {
  return columns.reduce((sum, { starts, wideStarts }) => {
    const terms = (starts[to] as number) - (starts[from] as number);
    return sum + terms + WIDE_WEIGHT * ((wideStarts[to] as number) - (wideStarts[from] as number));
  }, 0);
}

/** Cuts wires [from, to) where their columns' terms or their number get too many; one wire alone may be more. */
export function* cutWires(
  columns: readonly Columns[],
  from: number,
  to: number,
  most: { readonly wires: number; readonly terms: number },
): Generator<readonly [from: number, to: number]> {
  for (let start = from; start < to;) {
    let end = start + 1;
    while (end < to && end - start < most.wires && weightOf(columns, start, end + 1) <= most.terms) end++;
    yield [start, end];
    start = end;
  }
}
