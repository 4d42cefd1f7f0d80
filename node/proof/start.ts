// The start of a circuit-specific ceremony from a prepared .ptau: what `snarkjs zkey new` computes, byte for byte, by the
// prover's kernel (groth16/keymaking.ts). Each wire's points are combinations of few Lagrange points, most with small
// coefficients, as weights are constants. The result is no key to use: its delta is the generator until somebody contributes.
import { createHash } from "node:crypto";
import { throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type Curve, localCurve } from "../groth16/curve.ts";
import { G1_BYTES, G2_BYTES } from "../groth16/key.ts";
import { inOrder, type KeyMaker, withKeyMaker } from "../groth16/keymaking.ts";
import { type Group, WIRE_BYTES } from "../groth16/msm.ts";
import { BinFileWriter } from "./binfile.ts";
import { combine, type Part } from "./combine.ts";
import { readColumns } from "./columns.ts";
import { checkPtauPoints, needPower, PREPARED, PTAU, type Ptau } from "./ptau.ts";
import { type R1cs, yielding } from "./r1cs.ts";
import { SECTION, TermsWriter, writeHeader } from "./zkey.ts";

/** Points read at once for H. */
const PIECE = 1 << 15;

export interface StartOptions extends LongCall {
  /** Default: one per processor, at most 8. The key is the same. */
  readonly threads?: number;
}

/** Points of one task: of the .zkey, unless they are its H, and as they are hashed. */
interface Piece {
  readonly section: number;
  readonly count: number;
  readonly affine: Uint8Array;
  readonly plain: Uint8Array;
}

/** Writes the initial .zkey and returns its circuit hash (64 bytes), which contributions build on. */
export async function writeInitialKey(
  r1cs: R1cs,
  ptau: Ptau,
  zkey: string,
  options: StartOptions = {},
): Promise<Buffer> {
  needPower(ptau, r1cs.header.power);
  const curve = await localCurve();
  await checkPtauPoints(curve, ptau);
  const { threads, signal } = options;
  // No multiples of the generators, so no tables for them.
  const making = { multiples: 0, signal, ...(threads === undefined ? {} : { threads }) };
  return withKeyMaker(making, (maker) => writeKey(r1cs, ptau, zkey, { curve, maker }, options));
}

async function writeKey(
  r1cs: R1cs,
  ptau: Ptau,
  zkey: string,
  { curve, maker }: { readonly curve: Curve; readonly maker: KeyMaker },
  { signal, onProgress }: StartOptions,
): Promise<Buffer> {
  const { header } = r1cs;
  const domain = 2 ** header.power;
  const { G1, G2 } = curve;
  const hash = createHash("blake2b512");
  const out = new BinFileWriter(zkey, "zkey", 10);
  try {
    const point = (id: number, size: number): Buffer => ptau.file.read(ptau.file.section(id).offset, size);
    const points = {
      alpha1: point(PTAU.alpha1, G1_BYTES),
      beta1: point(PTAU.beta1, G1_BYTES),
      beta2: point(PTAU.beta2, G2_BYTES),
      gamma2: G2.gAffine,
      delta1: G1.gAffine,
      delta2: G2.gAffine,
    };
    writeHeader(out, header, points);
    for (const name of ["alpha1", "beta1"] as const) hash.update(G1.toUncompressed(points[name]));
    for (const name of ["beta2", "gamma2"] as const) hash.update(G2.toUncompressed(points[name]));
    hash.update(G1.toUncompressed(points.delta1)).update(G2.toUncompressed(points.delta2));

    const pause = yielding(signal, (row) =>
      onProgress?.({ what: "reading the circuit", done: row, total: 2 * header.constraints }),
    );
    const [a, b, c] = await readColumns(r1cs, new TermsWriter(out), pause);

    const lagrange = (id: number, group: Group): Buffer => {
      const size = WIRE_BYTES[group];
      return ptau.file.read(ptau.file.section(id).offset + (domain - 1) * size, domain * size);
    };
    function* pieces(): Generator<Promise<Piece>> {
      const { wires } = header;
      const first = header.publics + 1;
      const make = function* (section: number, group: Group, from: number, to: number, parts: readonly Part[]) {
        if (from === to)
          yield Promise.resolve({ section, count: 0, affine: new Uint8Array(), plain: new Uint8Array() });
        for (const { count, points } of combine(curve, maker, group, from, to, parts)) {
          yield points.then(([affine, plain]): Piece => ({ section, count, affine, plain }));
        }
      };
      const tau1 = lagrange(PREPARED.tau1, 1);
      const sum: readonly Part[] = [
        [a, lagrange(PREPARED.beta1, 1)],
        [b, lagrange(PREPARED.alpha1, 1)],
        [c, tau1],
      ];
      yield* make(SECTION.ic, 1, 0, first, sum);
      yield* differences(curve, maker, ptau, domain);
      yield* make(SECTION.c, 1, first, wires, sum);
      yield* make(SECTION.a, 1, 0, wires, [[a, tau1]]);
      yield* make(SECTION.b1, 1, 0, wires, [[b, tau1]]);
      yield* make(SECTION.b2, 2, 0, wires, [[b, lagrange(PREPARED.tau2, 2)]]);
    }
    const total = 4 * header.wires + domain;
    const announced: Readonly<Record<number, number>> = {
      [SECTION.ic]: header.publics + 1,
      [SECTION.h]: domain - 1,
      [SECTION.c]: header.wires - header.publics - 1,
    };
    let current: number = SECTION.terms;
    let done = 0;
    await inOrder(maker, pieces(), ({ section, count, affine, plain }) => {
      throwIfAborted(signal);
      if (section !== current) {
        if (current !== SECTION.terms) out.end();
        out.begin((current = section));
        hash.update(bigEndian(announced[section] ?? header.wires));
        if (section === SECTION.h) writeH(out, ptau, domain);
      }
      out.write(affine);
      hash.update(plain);
      onProgress?.({ what: "starting the ceremony's key", done: (done += count), total });
    });
    out.end();

    const circuitHash = hash.digest();
    out.begin(SECTION.transcript);
    out.write(circuitHash);
    out.u32(0);
    out.end();
    return circuitHash;
  } finally {
    out.close();
  }
}

function bigEndian(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** The odd points of the next larger Lagrange basis. */
function writeH(out: BinFileWriter, ptau: Ptau, domain: number): void {
  const start = ptau.file.section(PREPARED.tau1).offset + (2 * domain - 1) * G1_BYTES;
  for (let from = 0; from < domain; from += PIECE) {
    const count = Math.min(PIECE, domain - from);
    const pairs = ptau.file.read(start + 2 * from * G1_BYTES, 2 * count * G1_BYTES);
    const odd = Buffer.allocUnsafe(count * G1_BYTES);
    for (let i = 0; i < count; i++) pairs.copy(odd, i * G1_BYTES, (2 * i + 1) * G1_BYTES, (2 * i + 2) * G1_BYTES);
    out.write(odd);
  }
}

/** Differences per task. */
const H_TASK = 1 << 14;

/**
 * tau^(i + domain) - tau^i, to be hashed. snarkjs hashes whole chunks of 2^14 points, so that from a domain of 2^15 on it takes
 * one point more than the domain - 1 that it announces. Where the .ptau has just the circuit's power, that point starts
 * behind its section: no point, and coordinates that may not be reduced, which only ffjavascript takes as snarkjs does. The
 * hash names the circuit in every contribution, so it is repeated as it is.
 */
function* differences(curve: Curve, maker: KeyMaker, { file }: Ptau, domain: number): Generator<Promise<Piece>> {
  const start = file.section(PTAU.tau1).offset;
  const at = (index: number, count: number): Uint8Array =>
    new Uint8Array(file.read(start + index * G1_BYTES, count * G1_BYTES));
  const piece = (count: number, plain: Uint8Array): Piece => ({
    section: SECTION.h,
    count,
    affine: new Uint8Array(),
    plain,
  });
  for (let from = 0; from < domain - 1; from += H_TASK) {
    const count = Math.min(H_TASK, domain - 1 - from);
    yield maker
      .make({ make: "differences", a: at(from + domain, count), b: at(from, count) })
      .then((plain) => piece(count, plain));
  }
  if (domain - 1 <= H_TASK) return;
  const { G1 } = curve;
  yield Promise.resolve(piece(1, G1.toUncompressed(G1.toAffine(G1.sub(at(2 * domain - 1, 1), at(domain - 1, 1))))));
}
