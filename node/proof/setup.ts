// Development keys: a whole Groth16 key from known randomness, in seconds. Whoever knows the seed can forge proofs, and the
// default seed is public: such a key is for trials, is marked as one in package and registry, and can be made again by
// anybody, byte for byte. The prover's kernel makes the points (groth16/keymaking.ts); the layout is snarkjs' (zkey.ts).
import { createHash } from "node:crypto";
import type { VerifyingKey } from "../core/domain.ts";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import { inverse, power, R } from "../core/field.ts";
import type { LongCall } from "../core/ports.ts";
import { inOrder, type KeyMaker, packScalars, withKeyMaker } from "../groth16/keymaking.ts";
import type { Fractions, WeighedColumns } from "../groth16/messages.ts";
import type { Group } from "../groth16/msm.ts";
import { rootOf } from "../groth16/polynomials.ts";
import { BinFileWriter } from "./binfile.ts";
import { type Columns, cutWires, readColumns, sliceColumns } from "./columns.ts";
import { openR1cs, type R1cs, yielding } from "./r1cs.ts";
import { readVerifyingKey } from "./vkey.ts";
import { HASH_BYTES, SECTION, TermsWriter, writeHeader } from "./zkey.ts";

/** Public on purpose. Changing it, or how secrets derive from it, changes every development key. */
export const DEVELOPMENT_SEED = "glassbox development key";
/** Part of every secret and of the cache's names: raise it when the key for a seed changes. */
export const SETUP = "glassbox.setup.v1";

export interface DevelopmentKeyOptions extends LongCall {
  readonly r1cs: string;
  /** Written; the caller renames it into place. */
  readonly zkey: string;
  readonly seed?: string;
  /** Default: one per processor, at most 8. The key is the same. */
  readonly threads?: number;
}

export interface DevelopmentKey {
  readonly vkey: VerifyingKey;
  readonly constraints: number;
  readonly domain: number;
}

interface Secrets {
  readonly tau: bigint;
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly delta: bigint;
}

function secretsOf(seed: string): Secrets {
  const secret = (label: string): bigint => {
    const digest = createHash("sha512").update(`${SETUP}\0${label}\0${seed}`).digest("hex");
    return BigInt(`0x${digest}`) % R;
  };
  return { tau: secret("tau"), alpha: secret("alpha"), beta: secret("beta"), delta: secret("delta") };
}

/**
 * Deterministic in the circuit and the seed.
 * @throws NodeError "input" for a malformed .r1cs, "aborted" on request, or as withKeyMaker
 */
export async function makeDevelopmentKey(options: DevelopmentKeyOptions): Promise<DevelopmentKey> {
  const secrets = secretsOf(options.seed ?? DEVELOPMENT_SEED);
  const r1cs = openR1cs(options.r1cs);
  try {
    const { wires, constraints, power: log } = r1cs.header;
    const domain = 2 ** log;
    const { threads, signal } = options;
    const making = { multiples: 4 * wires + domain, signal, ...(threads === undefined ? {} : { threads }) };
    await withKeyMaker(making, (maker) => writeKey(r1cs, secrets, maker, options));
    return { vkey: readVerifyingKey(options.zkey), constraints, domain };
  } finally {
    r1cs.close();
  }
}

/** Points of one task. */
interface Piece {
  readonly section: number;
  readonly points: Uint8Array;
  readonly count: number;
}

/** A task takes some 50 ms, or a share of a small key. */
const MOST = 1 << 13;
const TERMS = 1 << 17;

async function writeKey(
  r1cs: R1cs,
  secrets: Secrets,
  maker: KeyMaker,
  { zkey, signal, onProgress }: DevelopmentKeyOptions,
): Promise<void> {
  const { header } = r1cs;
  const domain = 2 ** header.power;
  const bases = basesOf(secrets, header.power);
  const total = 4 * header.wires + domain;
  let done = 0;
  let read = false;
  const made = (count: number): void => {
    throwIfAborted(signal);
    done += count;
    if (read) onProgress?.({ what: "making the development key", done, total });
  };
  const out = new BinFileWriter(zkey, "zkey", 10);
  try {
    writeHeader(out, header, await headerPoints(maker, secrets));
    // Threads make the points of section 9, which do not depend on the circuit, while it is read here.
    const kept: Piece[] = [];
    const h = inOrder(maker, makeH(maker, bases.h), (piece) => {
      kept.push(piece);
      made(piece.count);
    });
    h.catch(() => undefined);
    const values = maker.all({ make: "values", of: bases.values });
    const pause = yielding(signal, (row) =>
      onProgress?.({ what: "reading the circuit", done: row, total: 2 * header.constraints }),
    );
    const columns = await readColumns(r1cs, new TermsWriter(out), pause);
    read = true;
    await Promise.all([h, values]);

    const wires = Math.max(512, Math.min(MOST, Math.ceil(header.wires / (4 * maker.threads))));
    const make = (section: number, group: Group, from: number, to: number, of: readonly Part[]) =>
      makeColumns(
        maker,
        section,
        group,
        of,
        cutWires(
          of.map(([matrix]) => matrix),
          from,
          to,
          { wires, terms: TERMS },
        ),
      );
    const [a, b, c] = columns;
    const { alpha, beta } = secrets;
    const deltaInverse = inverse(secrets.delta);
    const sum = (scale: bigint): readonly Part[] => [
      [a, (beta * scale) % R],
      [b, (alpha * scale) % R],
      [c, scale],
    ];
    const first = header.publics + 1;
    let current: number = SECTION.terms;
    function* pieces(): Generator<Promise<Piece>> {
      yield* make(SECTION.ic, 1, 0, first, sum(1n));
      yield* kept.splice(0).map((piece) => Promise.resolve({ ...piece, count: 0 }));
      yield* make(SECTION.c, 1, first, header.wires, sum(deltaInverse));
      yield* make(SECTION.a, 1, 0, header.wires, [[a, 1n]]);
      yield* make(SECTION.b1, 1, 0, header.wires, [[b, 1n]]);
      yield* make(SECTION.b2, 2, 0, header.wires, [[b, 1n]]);
    }
    await inOrder(maker, pieces(), ({ section, points, count }) => {
      if (section !== current) {
        if (current !== SECTION.terms) out.end();
        out.begin((current = section));
      }
      out.write(points);
      made(count);
    });
    out.end();
    // No circuit hash and no contributions: there was no ceremony.
    out.begin(SECTION.transcript);
    out.write(Buffer.alloc(HASH_BYTES));
    out.u32(0);
    out.end();
  } finally {
    out.close();
  }
}

type Part = readonly [matrix: Columns, factor: bigint];

/** An empty section has one empty piece. */
function* makeColumns(
  maker: KeyMaker,
  section: number,
  group: Group,
  of: readonly Part[],
  cuts: Iterable<readonly [number, number]>,
): Generator<Promise<Piece>> {
  let empty = true;
  for (const [from, to] of cuts) {
    const parts = of.map(([matrix, factor]): WeighedColumns => ({ terms: sliceColumns(matrix, from, to), factor }));
    empty = false;
    yield maker.make({ make: "columns", group, parts }).then((points) => ({ section, points, count: to - from }));
  }
  if (empty) yield Promise.resolve({ section, points: new Uint8Array(), count: 0 });
}

function* makeH(maker: KeyMaker, of: Fractions): Generator<Promise<Piece>> {
  // Even, also where the threads are no power of two.
  const size = Math.max(512, Math.min(MOST, 2 * Math.ceil(of.count / (8 * maker.threads))));
  for (let from = 0; from < of.count; from += size) {
    const count = Math.min(size, of.count - from);
    const first = (of.first * power(of.root, BigInt(from))) % R;
    yield maker
      .make({ make: "fractions", of: { ...of, first, count } })
      .then((points) => ({ section: SECTION.h, points, count }));
  }
}

async function headerPoints(maker: KeyMaker, { alpha, beta, delta }: Secrets) {
  const scalars = packScalars([alpha, beta, delta, 1n]);
  const [g1, g2] = await Promise.all([
    maker.make({ make: "multiples", group: 1, scalars }),
    maker.make({ make: "multiples", group: 2, scalars }),
  ]);
  const one = (i: number): Uint8Array => g1.slice(64 * i, 64 * i + 64);
  const two = (i: number): Uint8Array => g2.slice(128 * i, 128 * i + 128);
  return { alpha1: one(0), beta1: one(1), beta2: two(1), gamma2: two(3), delta1: one(2), delta2: two(2) };
}

/**
 * The Lagrange basis at tau over the circuit's domain; and the odd polynomials of the basis over twice the domain, over delta:
 * what snarkjs' prover multiplies h's values with.
 */
function basesOf({ tau, delta }: Secrets, log: number): { readonly values: Fractions; readonly h: Fractions } {
  const domain = 2 ** log;
  const scale = (size: number): bigint => ((power(tau, BigInt(size)) - 1n + R) * inverse(BigInt(size))) % R;
  // A tau in the domain has no key; a seed that hits it (chance 2^-226) must not pass silently.
  if (scale(2 * domain) === 0n) throw new NodeError("internal", "the seed's tau lies in the circuit's domain");
  // snarkjs' roots of unity, so that the prover's transforms meet the same domain.
  const common = { root: rootOf(log), point: tau, count: domain };
  return {
    values: { ...common, first: 1n, scale: scale(domain) },
    h: { ...common, first: rootOf(log + 1), scale: (scale(2 * domain) * inverse(delta)) % R },
  };
}
