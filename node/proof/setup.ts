// Development keys: a whole Groth16 key from known randomness, in seconds. Whoever knows the seed can forge proofs, and the
// default seed is public: such a key is for trials, is marked as one in package and registry, and can be made again by
// anybody, byte for byte. Relies on batches.ts for the points; the layout is snarkjs' (zkey.ts).
import { createHash } from "node:crypto";
import type { VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { inverse, power, R } from "../core/field.ts";
import type { LongCall } from "../core/ports.ts";
import { batchPlugin, fixedBase, type FixedBase, type GroupName } from "./batches.ts";
import { BinFileWriter } from "./binfile.ts";
import { withThreads } from "./curve.ts";
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

/** Deterministic in the circuit and the seed. @throws NodeError "input" for a malformed .r1cs, "aborted" on request. */
export async function makeDevelopmentKey(options: DevelopmentKeyOptions): Promise<DevelopmentKey> {
  const secrets = secretsOf(options.seed ?? DEVELOPMENT_SEED);
  const r1cs = openR1cs(options.r1cs);
  try {
    await withThreads(batchPlugin, async (curve) => {
      const base = await fixedBase(curve);
      const { power: log } = r1cs.header;
      // snarkjs' roots of unity, so that the prover's transforms meet the same domain.
      const roots: Roots = { even: rootAt(curve.Fr.w, log), odd: rootAt(curve.Fr.w, log + 1) };
      function rootAt(w: readonly Uint8Array[], k: number): bigint {
        return curve.Fr.toObject(w[k] as Uint8Array);
      }
      await writeKey(r1cs, secrets, roots, base, options);
    });
    const domain = 2 ** r1cs.header.power;
    return { vkey: readVerifyingKey(options.zkey), constraints: r1cs.header.constraints, domain };
  } finally {
    r1cs.close();
  }
}

interface Roots {
  readonly even: bigint;
  readonly odd: bigint;
}

async function writeKey(
  r1cs: R1cs,
  secrets: Secrets,
  roots: Roots,
  base: FixedBase,
  { zkey, signal, onProgress }: DevelopmentKeyOptions,
): Promise<void> {
  const { header } = r1cs;
  const domain = 2 ** header.power;
  const deltaInverse = inverse(secrets.delta);
  const out = new BinFileWriter(zkey, "zkey", 10);
  try {
    writeHeader(out, header, await headerPoints(base, secrets));
    const pause = yielding(signal, (row) =>
      onProgress?.({ what: "reading the circuit", done: row, total: header.constraints }),
    );
    const { a, b, c } = await evaluateColumns(r1cs, new TermsWriter(out), secrets.tau, roots.even, pause);

    const total = 4 * header.wires + domain;
    let before = 0;
    const section = async (
      id: number,
      group: GroupName,
      count: number,
      scalarAt: (i: number) => bigint,
    ): Promise<void> => {
      out.begin(id);
      await base.points(group, count, scalarAt, async (points, done) => {
        out.write(points);
        await pauseForAbort(signal);
        onProgress?.({ what: "making the development key", done: before + done, total });
      });
      out.end();
      before += count;
    };
    const sum = (i: number): bigint =>
      (secrets.beta * (a[i] as bigint) + secrets.alpha * (b[i] as bigint) + (c[i] as bigint)) % R;
    const first = header.publics + 1;
    await section(SECTION.ic, "g1m", first, sum);
    await section(SECTION.h, "g1m", domain, oddLagrange(secrets.tau, roots, domain, deltaInverse));
    await section(SECTION.c, "g1m", header.wires - first, (i) => (sum(first + i) * deltaInverse) % R);
    await section(SECTION.a, "g1m", header.wires, (i) => a[i] as bigint);
    await section(SECTION.b1, "g1m", header.wires, (i) => b[i] as bigint);
    await section(SECTION.b2, "g2m", header.wires, (i) => b[i] as bigint);
    // No circuit hash and no contributions: there was no ceremony.
    out.begin(SECTION.transcript);
    out.write(Buffer.alloc(HASH_BYTES));
    out.u32(0);
    out.end();
  } finally {
    out.close();
  }
}

async function pauseForAbort(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  if (signal?.aborted) throw new NodeError("aborted", "stopped on request", { cause: signal.reason });
}

async function headerPoints(base: FixedBase, { alpha, beta, delta }: Secrets) {
  const scalars = [alpha, beta, delta, 1n];
  const at = (i: number): bigint => scalars[i] as bigint;
  let g1 = new Uint8Array();
  let g2 = new Uint8Array();
  await base.points("g1m", 4, at, (points) => void (g1 = Uint8Array.from(points)));
  await base.points("g2m", 4, at, (points) => void (g2 = Uint8Array.from(points)));
  const one = (i: number): Uint8Array => g1.slice(64 * i, 64 * i + 64);
  const two = (i: number): Uint8Array => g2.slice(128 * i, 128 * i + 128);
  return { alpha1: one(0), beta1: one(1), beta2: two(1), gamma2: two(3), delta1: one(2), delta2: two(2) };
}

/** The columns of A, B and C as polynomials at tau, and on the way section 4. */
async function evaluateColumns(
  r1cs: R1cs,
  terms: TermsWriter,
  tau: bigint,
  root: bigint,
  pause: (row: number) => Promise<void>,
): Promise<{ a: bigint[]; b: bigint[]; c: bigint[] }> {
  const { header } = r1cs;
  const columns = [0, 1, 2].map(() => new Array<bigint>(header.wires).fill(0n)) as [bigint[], bigint[], bigint[]];
  const lagrange = lagrangeAt(tau, root, 2 ** header.power);
  let row = -1;
  let value = 0n;
  const advance = (to: number): void => {
    while (row < to) value = lagrange(++row);
  };
  await r1cs.terms((matrix, at, wire, coefficient) => {
    advance(at);
    const column = columns[matrix];
    const sum = column[wire] as bigint;
    if (coefficient === 1) column[wire] = sum + value;
    else if (coefficient === -1) column[wire] = sum - value;
    else column[wire] = sum + BigInt(coefficient) * value;
    if (matrix !== 2) terms.add(matrix, at, wire, coefficient);
  }, pause);
  for (let wire = 0; wire <= header.publics; wire++) {
    advance(header.constraints + wire);
    columns[0][wire] = (columns[0][wire] as bigint) + value;
  }
  terms.end(header);
  for (const column of columns) {
    for (let i = 0; i < column.length; i++) {
      const rest = (column[i] as bigint) % R;
      column[i] = rest < 0n ? rest + R : rest;
    }
  }
  return { a: columns[0], b: columns[1], c: columns[2] };
}

/** L_i(tau) over the domain of `root`, for i = 0, 1, 2, ... in order. */
function lagrangeAt(tau: bigint, root: bigint, domain: number): (i: number) => bigint {
  const scale = ((power(tau, BigInt(domain)) - 1n + R) * inverse(BigInt(domain))) % R;
  return fractions(tau, root, 1n, scale, domain);
}

/** The odd basis polynomials of twice the domain, over delta: what snarkjs' prover multiplies h's values with. */
function oddLagrange(tau: bigint, roots: Roots, domain: number, deltaInverse: bigint): (i: number) => bigint {
  const size = BigInt(2 * domain);
  const scale = ((((power(tau, size) - 1n + R) * inverse(size)) % R) * deltaInverse) % R;
  return fractions(tau, roots.even, roots.odd, scale, domain);
}

const PIECE = 1 << 12;

/** scale * x_i / (tau - x_i) with x_i = start * root^i, asked for in order; one inversion per piece. */
function fractions(tau: bigint, root: bigint, start: bigint, scale: bigint, count: number): (i: number) => bigint {
  let from = 0;
  let piece: bigint[] = [];
  let x = start;
  return (i) => {
    if (i >= from + piece.length) {
      from += piece.length;
      const size = Math.min(PIECE, count - from);
      const xs: bigint[] = [];
      const products: bigint[] = [];
      let product = 1n;
      for (let k = 0; k < size; k++) {
        xs.push(x);
        products.push(product);
        product = (product * (tau - x + R)) % R;
        x = (x * root) % R;
      }
      // A tau in the domain has no key; a seed that hits it (chance 2^-226) must not pass silently.
      if (product === 0n) throw new NodeError("internal", "the seed's tau lies in the circuit's domain");
      let rest = inverse(product);
      piece = new Array<bigint>(size);
      for (let k = size - 1; k >= 0; k--) {
        const at = xs[k] as bigint;
        piece[k] = (((((scale * at) % R) * rest) % R) * (products[k] as bigint)) % R;
        rest = (rest * (tau - at + R)) % R;
      }
    }
    return piece[i - from] as bigint;
  };
}
