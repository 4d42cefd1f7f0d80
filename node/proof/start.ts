// The start of a circuit-specific ceremony from a prepared .ptau: what `snarkjs zkey new` computes, byte for byte, in a
// fraction of the time. A wire's points are combinations of few Lagrange points with small coefficients (weights are
// constants), for which shared doublings beat snarkjs' full-width multiplications. The result is no key to use: its delta
// is the generator until somebody contributes.
import { createHash, type Hash } from "node:crypto";
import type { Command, Curve } from "ffjavascript";
import { throwIfAborted } from "../core/errors.ts";
import { R } from "../core/field.ts";
import type { LongCall } from "../core/ports.ts";
import {
  batchPlugin,
  type GroupName,
  inOrder,
  jacobianBytes,
  packScalars,
  POINT_BYTES,
  SCALAR_BYTES,
} from "./batches.ts";
import { BinFileWriter } from "./binfile.ts";
import { G1_BYTES, G2_BYTES, withThreads } from "./curve.ts";
import { checkPtauPoints, needPower, PREPARED, PTAU, type Ptau } from "./ptau.ts";
import { type R1cs, yielding } from "./r1cs.ts";
import { SECTION, TermsWriter, writeHeader } from "./zkey.ts";

/** Terms of one matrix, wire by wire: those of wire i are start[i] .. start[i + 1]. */
interface Columns {
  readonly start: Uint32Array;
  readonly rows: Uint32Array;
  /** WIDE stands for the entry in `wide`. */
  readonly coefficients: Int32Array;
  readonly wide: Map<number, bigint>;
}

/** A column set and the points that its rows name. */
type Part = readonly [Columns, Buffer];

const WIDE = -(2 ** 31);
/** Terms and wires per task: 4 MB of G2 points, some 0.1 s. */
const TASK_TERMS = 1 << 15;
const TASK_WIRES = 1 << 12;

/** Writes the initial .zkey and returns its circuit hash (64 bytes), which contributions build on. */
export async function writeInitialKey(
  r1cs: R1cs,
  ptau: Ptau,
  zkey: string,
  { signal, onProgress }: LongCall = {},
): Promise<Buffer> {
  const { header } = r1cs;
  needPower(ptau, header.power);
  return withThreads(batchPlugin, async (curve) => {
    await checkPtauPoints(curve, ptau);
    const domain = 2 ** header.power;
    const hash = createHash("blake2b512");
    const out = new BinFileWriter(zkey, "zkey", 10);
    try {
      const point = (id: number, size: number): Buffer => ptau.file.read(ptau.file.section(id).offset, size);
      const points = {
        alpha1: point(PTAU.alpha1, G1_BYTES),
        beta1: point(PTAU.beta1, G1_BYTES),
        beta2: point(PTAU.beta2, G2_BYTES),
        gamma2: curve.G2.gAffine,
        delta1: curve.G1.gAffine,
        delta2: curve.G2.gAffine,
      };
      writeHeader(out, header, points);
      for (const name of ["alpha1", "beta1"] as const) hash.update(curve.G1.toUncompressed(points[name]));
      for (const name of ["beta2", "gamma2"] as const) hash.update(curve.G2.toUncompressed(points[name]));
      hash.update(curve.G1.toUncompressed(points.delta1)).update(curve.G2.toUncompressed(points.delta2));

      const pause = yielding(signal, (row) =>
        onProgress?.({ what: "reading the circuit", done: row, total: header.constraints }),
      );
      const [a, b, c] = await readColumns(r1cs, new TermsWriter(out), pause);

      const total = 4 * header.wires + domain;
      let before = 0;
      const progress = (done: number): void => {
        throwIfAborted(signal);
        onProgress?.({ what: "starting the ceremony's key", done: before + done, total });
      };
      const section = async (id: number, group: GroupName, from: number, to: number, parts: readonly Part[]) => {
        hash.update(bigEndian(to - from));
        out.begin(id);
        let done = 0;
        await inOrder(curve, combinations(curve, group, from, to, parts), ([affine, plain]) => {
          out.write(affine);
          hash.update(plain);
          done += affine.length / POINT_BYTES[group];
          progress(done);
        });
        out.end();
        before += to - from;
      };
      const lagrange = (id: number, size: number): Buffer =>
        ptau.file.read(ptau.file.section(id).offset + (domain - 1) * size, domain * size);

      const first = header.publics + 1;
      const tau1 = lagrange(PREPARED.tau1, G1_BYTES);
      const sum: readonly Part[] = [
        [a, lagrange(PREPARED.beta1, G1_BYTES)],
        [b, lagrange(PREPARED.alpha1, G1_BYTES)],
        [c, tau1],
      ];
      await section(SECTION.ic, "g1m", 0, first, sum);
      writeH(out, ptau, domain);
      await hashH(curve, hash, ptau, domain, progress);
      before += domain;
      await section(SECTION.c, "g1m", first, header.wires, sum);
      await section(SECTION.a, "g1m", 0, header.wires, [[a, tau1]]);
      await section(SECTION.b1, "g1m", 0, header.wires, [[b, tau1]]);
      await section(SECTION.b2, "g2m", 0, header.wires, [[b, lagrange(PREPARED.tau2, G2_BYTES)]]);

      const circuitHash = hash.digest();
      out.begin(SECTION.transcript);
      out.write(circuitHash);
      out.u32(0);
      out.end();
      return circuitHash;
    } finally {
      out.close();
    }
  });
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** Reads the rows twice: once to count, once to place. The public wires' own rows come last in A. */
async function readColumns(
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
function* combinations(
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
  private readonly points: Buffer[] = [];
  private readonly coefficients: (number | bigint)[] = [];
  private readonly calls: Command[] = [];
  private start = 0;

  constructor(group: GroupName) {
    this.group = group;
  }

  add([{ rows, coefficients, wide }, basis]: Part, from: number, to: number): void {
    const size = POINT_BYTES[this.group];
    for (let at = from; at < to; at++) {
      const row = rows[at] as number;
      this.points.push(basis.subarray(row * size, row * size + size));
      const coefficient = coefficients[at] as number;
      this.coefficients.push(coefficient === WIDE ? (wide.get(at) as bigint) : coefficient);
    }
  }

  endColumn(): void {
    const from = this.start;
    const count = this.coefficients.length - from;
    const points = { var: 0, offset: from * POINT_BYTES[this.group] };
    const out = { var: 3, offset: this.columns * jacobianBytes(this.group) };
    const values = this.coefficients.slice(from);
    if (values.some((value) => typeof value === "bigint")) {
      const scalars = { var: 2, offset: from * SCALAR_BYTES };
      const params = [points, scalars, { val: SCALAR_BYTES }, { val: count }, out];
      this.calls.push({ cmd: "CALL", fnName: `${this.group}_multiexpAffine`, params });
    } else {
      const largest = values.reduce<number>((most, value) => Math.max(most, Math.abs(value as number)), 0);
      const bits = largest === 0 ? 0 : 32 - Math.clz32(largest);
      const params = [points, { var: 1, offset: 4 * from }, { val: count }, { val: bits }, out];
      this.calls.push({ cmd: "CALL", fnName: `${this.group}_small`, params });
    }
    this.start = this.coefficients.length;
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
    const small = Int32Array.from(this.coefficients, (value) => (typeof value === "number" ? value : 0));
    // Full-width scalars, only where some column wants them.
    const wide = this.coefficients.some((value) => typeof value === "bigint")
      ? packScalars(this.coefficients.length, (i) => {
          const value = BigInt(this.coefficients[i] as number | bigint);
          return value < 0n ? value + R : value;
        })
      : new Uint8Array(SCALAR_BYTES);
    return [
      { cmd: "ALLOCSET", var: 0, buff: points },
      { cmd: "ALLOCSET", var: 1, buff: new Uint8Array(small.buffer) },
      { cmd: "ALLOCSET", var: 2, buff: wide },
      { cmd: "ALLOC", var: 3, len: this.columns * jacobianBytes(this.group) },
      ...this.calls,
    ];
  }
}

/** The odd points of the next larger Lagrange basis. */
function writeH(out: BinFileWriter, ptau: Ptau, domain: number): void {
  const start = ptau.file.section(PREPARED.tau1).offset + (2 * domain - 1) * G1_BYTES;
  out.begin(SECTION.h);
  for (let from = 0; from < domain; from += TASK_TERMS) {
    const count = Math.min(TASK_TERMS, domain - from);
    const pairs = ptau.file.read(start + 2 * from * G1_BYTES, 2 * count * G1_BYTES);
    const odd = Buffer.allocUnsafe(count * G1_BYTES);
    for (let i = 0; i < count; i++) pairs.copy(odd, i * G1_BYTES, (2 * i + 1) * G1_BYTES, (2 * i + 2) * G1_BYTES);
    out.write(odd);
  }
  out.end();
}

/**
 * Hashes tau^(i + domain) - tau^i. snarkjs hashes whole chunks of 2^14 points, so that from a domain of 2^15 on it takes
 * one point more than the domain - 1 that it announces; where the .ptau has just the circuit's power, that point starts
 * behind its section. The hash names the circuit in every contribution, so it is repeated as it is.
 */
async function hashH(
  curve: Curve,
  hash: Hash,
  { file }: Ptau,
  domain: number,
  progress: (done: number) => void,
): Promise<void> {
  hash.update(bigEndian(domain - 1));
  const start = file.section(PTAU.tau1).offset;
  const chunk = Math.min(domain - 1, 1 << 14);
  function* tasks(): Generator<Promise<Uint8Array[]>> {
    for (let from = 0; from < domain - 1; from += chunk) {
      const at = (index: number): Uint8Array => new Uint8Array(file.read(start + index * G1_BYTES, chunk * G1_BYTES));
      const inPlace = [{ var: 2 }, { val: chunk }, { var: 2 }];
      yield curve.tm.queueAction([
        { cmd: "ALLOCSET", var: 0, buff: at(from + domain) },
        { cmd: "ALLOCSET", var: 1, buff: at(from) },
        { cmd: "ALLOC", var: 2, len: chunk * jacobianBytes("g1m") },
        { cmd: "CALL", fnName: "g1m_differences", params: [{ var: 0 }, { var: 1 }, { val: chunk }, { var: 2 }] },
        { cmd: "CALL", fnName: "g1m_batchToAffine", params: inPlace },
        { cmd: "CALL", fnName: "g1m_batchLEMtoU", params: inPlace },
        { cmd: "GET", out: 0, var: 2, len: chunk * G1_BYTES },
      ]);
    }
  }
  let done = 0;
  await inOrder(curve, tasks(), ([plain]) => {
    hash.update(plain as Uint8Array);
    done += chunk;
    progress(Math.min(done, domain));
  });
}
