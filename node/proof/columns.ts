// A circuit's matrices column by column, and the points that a ceremony's key has for each wire: combinations of few
// Lagrange points, most with small coefficients (weights are constants). Used by start.ts only.
import type { Command, Curve } from "ffjavascript";
import { R } from "../core/field.ts";
import { type GroupName, jacobianBytes, packScalars, POINT_BYTES, SCALAR_BYTES } from "./batches.ts";
import type { R1cs } from "./r1cs.ts";
import type { TermsWriter } from "./zkey.ts";

/** Terms of one matrix, wire by wire: those of wire i are start[i] .. start[i + 1]. */
export interface Columns {
  readonly start: Uint32Array;
  readonly rows: Uint32Array;
  /** WIDE stands for the entry in `wide`. */
  readonly coefficients: Int32Array;
  readonly wide: Map<number, bigint>;
}

/** A column set and the points that its rows name. */
export type Part = readonly [Columns, Buffer];

const WIDE = -(2 ** 31);
/** Terms and wires per task: 4 MB of G2 points, some 0.1 s. */
const TASK_TERMS = 1 << 15;
const TASK_WIRES = 1 << 12;

/** Reads the rows twice: once to count, once to place. The public wires' own rows come last in A. */
export async function readColumns(
  r1cs: R1cs,
  terms: TermsWriter,
  pause: (row: number) => Promise<void>,
): Promise<[Columns, Columns, Columns]> {
  const { wires, publics, constraints } = r1cs.header;
  const starts = [0, 1, 2].map(() => new Uint32Array(wires + 1)) as [Uint32Array, Uint32Array, Uint32Array];
  const count = (matrix: 0 | 1 | 2, wire: number): void => {
    starts[matrix][wire + 1] = (starts[matrix][wire + 1] as number) + 1;
  };
  await r1cs.terms((matrix, _row, wire) => count(matrix, wire), pause);
  for (let wire = 0; wire <= publics; wire++) count(0, wire);
  const columns = starts.map((start): Columns => {
    for (let i = 0; i < wires; i++) start[i + 1] = (start[i + 1] as number) + (start[i] as number);
    const size = start[wires] as number;
    return { start, rows: new Uint32Array(size), coefficients: new Int32Array(size), wide: new Map() };
  }) as [Columns, Columns, Columns];

  const next = columns.map(({ start }) => start.slice());
  const place = (matrix: 0 | 1 | 2, row: number, wire: number, coefficient: number | bigint): void => {
    const { rows, coefficients, wide } = columns[matrix];
    const free = next[matrix] as Uint32Array;
    const at = free[wire] as number;
    free[wire] = at + 1;
    rows[at] = row;
    if (typeof coefficient === "number" && Math.abs(coefficient) < -WIDE) coefficients[at] = coefficient;
    else {
      coefficients[at] = WIDE;
      wide.set(at, BigInt(coefficient));
    }
  };
  await r1cs.terms((matrix, row, wire, coefficient) => {
    place(matrix, row, wire, coefficient);
    if (matrix !== 2) terms.add(matrix, row, wire, coefficient);
  }, pause);
  for (let wire = 0; wire <= publics; wire++) place(0, constraints + wire, wire, 1);
  terms.end(r1cs.header);
  return columns;
}

/** Points of wires [from, to), in order, as pieces of [affine Montgomery, big-endian] bytes. */
export function* combinations(
  curve: Curve,
  group: GroupName,
  from: number,
  to: number,
  parts: readonly Part[],
): Generator<Promise<[Uint8Array, Uint8Array]>> {
  const termsOf = (wire: number): number =>
    parts.reduce((sum, [{ start }]) => sum + (start[wire + 1] as number) - (start[wire] as number), 0);
  for (let wire = from; wire < to;) {
    const task = new Task(group);
    if (termsOf(wire) > TASK_TERMS) {
      yield longColumn(curve, group, wire, parts);
      wire++;
      continue;
    }
    let terms = 0;
    for (; wire < to && task.columns < TASK_WIRES && terms + termsOf(wire) <= TASK_TERMS; wire++) {
      for (const part of parts) task.add(part, part[0].start[wire] as number, part[0].start[wire + 1] as number);
      task.endColumn();
      terms += termsOf(wire);
    }
    yield task.affine(curve);
  }
}

/** One wire in very many rows (the constant one): its sum in slices. */
async function longColumn(
  curve: Curve,
  group: GroupName,
  wire: number,
  parts: readonly Part[],
): Promise<[Uint8Array, Uint8Array]> {
  const g = group === "g1m" ? curve.G1 : curve.G2;
  const slices: Promise<Uint8Array>[] = [];
  for (const part of parts) {
    const end = part[0].start[wire + 1] as number;
    for (let at = part[0].start[wire] as number; at < end; at += TASK_TERMS) {
      const task = new Task(group);
      task.add(part, at, Math.min(end, at + TASK_TERMS));
      task.endColumn();
      slices.push(task.jacobian(curve));
    }
  }
  const sum = (await Promise.all(slices)).reduce((total, slice) => g.add(total, slice), g.zero);
  const affine = g.toAffine(sum);
  return [affine, g.toUncompressed(affine)];
}

/** Columns gathered for one thread. */
class Task {
  columns = 0;
  private readonly group: GroupName;
  private readonly points: Uint8Array[] = [];
  private readonly small: number[] = [];
  private readonly calls: Command[] = [];
  private readonly wide = new Map<number, bigint>();
  /** The column that is being gathered: [point, coefficient]. */
  private short: [Uint8Array, number][] = [];
  private long: [Uint8Array, bigint][] = [];

  constructor(group: GroupName) {
    this.group = group;
  }

  add([{ rows, coefficients, wide }, basis]: Part, from: number, to: number): void {
    const size = POINT_BYTES[this.group];
    for (let at = from; at < to; at++) {
      const row = rows[at] as number;
      const point = basis.subarray(row * size, row * size + size);
      const coefficient = coefficients[at] as number;
      if (coefficient === WIDE) this.long.push([point, wide.get(at) as bigint]);
      else this.short.push([point, coefficient]);
    }
  }

  /** Terms with small coefficients by shared doublings, the others by snarkjs' multi-exponentiation. */
  endColumn(): void {
    const { group, short, long } = this;
    const out = { var: 3, offset: this.columns * jacobianBytes(group) };
    let most = 0;
    const from = this.points.length;
    for (const [point, coefficient] of short) {
      this.points.push(point);
      this.small.push(coefficient);
      most = Math.max(most, Math.abs(coefficient));
    }
    for (const [point, coefficient] of long) {
      this.wide.set(this.points.length, coefficient < 0n ? coefficient + R : coefficient);
      this.points.push(point);
      this.small.push(0);
    }
    const at = (variable: number, index: number, size: number) => ({ var: variable, offset: index * size });
    const points = (index: number) => at(0, index, POINT_BYTES[group]);
    const bits = most === 0 ? 0 : 32 - Math.clz32(most);
    const shortParams = [points(from), at(1, from, 4), { val: short.length }, { val: bits }, out];
    this.calls.push({ cmd: "CALL", fnName: `${group}_small`, params: shortParams });
    if (long.length > 0) {
      const first = from + short.length;
      const scalars = at(2, first, SCALAR_BYTES);
      const longParams = [points(first), scalars, { val: SCALAR_BYTES }, { val: long.length }, { var: 4 }];
      this.calls.push({ cmd: "CALL", fnName: `${group}_multiexpAffine`, params: longParams });
      this.calls.push({ cmd: "CALL", fnName: `${group}_add`, params: [out, { var: 4 }, out] });
    }
    this.short = [];
    this.long = [];
    this.columns++;
  }

  async affine(curve: Curve): Promise<[Uint8Array, Uint8Array]> {
    const length = this.columns * POINT_BYTES[this.group];
    const inPlace = [{ var: 3 }, { val: this.columns }, { var: 3 }];
    const results = await curve.tm.queueAction([
      ...this.commands(),
      { cmd: "CALL", fnName: `${this.group}_batchToAffine`, params: inPlace },
      { cmd: "GET", out: 0, var: 3, len: length },
      { cmd: "CALL", fnName: `${this.group}_batchLEMtoU`, params: inPlace },
      { cmd: "GET", out: 1, var: 3, len: length },
    ]);
    return results as [Uint8Array, Uint8Array];
  }

  async jacobian(curve: Curve): Promise<Uint8Array> {
    const get: Command = { cmd: "GET", out: 0, var: 3, len: jacobianBytes(this.group) };
    return (await curve.tm.queueAction([...this.commands(), get]))[0] as Uint8Array;
  }

  private commands(): Command[] {
    const size = POINT_BYTES[this.group];
    const points = new Uint8Array(size * this.points.length);
    this.points.forEach((point, i) => points.set(point, size * i));
    const scalars = this.wide.size === 0 ? 1 : this.points.length;
    return [
      { cmd: "ALLOCSET", var: 0, buff: points },
      { cmd: "ALLOCSET", var: 1, buff: new Uint8Array(Int32Array.from(this.small).buffer) },
      { cmd: "ALLOCSET", var: 2, buff: packScalars(scalars, (i) => this.wide.get(i) ?? 0n) },
      { cmd: "ALLOC", var: 3, len: this.columns * jacobianBytes(this.group) },
      { cmd: "ALLOC", var: 4, len: jacobianBytes(this.group) },
      ...this.calls,
    ];
  }
}
