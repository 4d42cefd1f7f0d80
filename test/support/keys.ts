// Keys, witnesses and powers of tau for tests: real ones, of known randomness, for circuits that take a second at most.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { VerifyingKey } from "../../node/core/domain.ts";
import { NodeError } from "../../node/core/errors.ts";
import { inverse, power as raise, Q, R } from "../../node/core/field.ts";
import { inOrder, packScalars, withKeyMaker } from "../../node/groth16/keymaking.ts";
import type { Group } from "../../node/groth16/msm.ts";
import { rootOf } from "../../node/groth16/polynomials.ts";
import { BinFileWriter } from "../../node/proof/binfile.ts";
import { makeDevelopmentKey } from "../../node/proof/setup.ts";
import { littleEndian } from "../../node/proof/zkey.ts";
import { r1csBytes, smallCircuit, wtnsBytes } from "./circuits-small.ts";

/** A folder of its own for a suite; `after` should call `remove`. */
export function workFolder(): { readonly at: (name: string) => string; readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "glassbox-test-"));
  return { path, at: (name) => join(path, name), remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface SmallKey {
  readonly r1cs: string;
  readonly zkey: string;
  readonly vkey: VerifyingKey;
  /** .wtns bytes for a private x and a challenge r: c = x^3 + 5 + k, v = x*r + x^2. */
  witness(x: bigint, r: bigint): Uint8Array;
}

/** A circuit with the signals c, v, r and a development key for it, in `folder`. */
export async function smallKey(
  folder: string,
  { k = 0, padding = 0, name = "small", seed }: { k?: number; padding?: number; name?: string; seed?: string } = {},
): Promise<SmallKey> {
  const { circuit, witness } = smallCircuit({ k, padding });
  const r1cs = join(folder, `${name}.r1cs`);
  const zkey = join(folder, `${name}.zkey`);
  writeFileSync(r1cs, r1csBytes(circuit));
  const { vkey } = await makeDevelopmentKey({ r1cs, zkey, ...(seed === undefined ? {} : { seed }) });
  return { r1cs, zkey, vkey, witness: (x, r) => new Uint8Array(wtnsBytes(witness(x, r))) };
}

const PIECE = 1 << 13;

/** A prepared .ptau of a known tau: right in every section that phase 2 reads, and worth nothing. */
export async function writePtau(path: string, power: number, { prepared = true, tau = 424242n } = {}): Promise<void> {
  const n = 2 ** power;
  const [alpha, beta] = [tau + 1n, tau + 2n];
  await withKeyMaker({ multiples: 15 * n }, async (maker) => {
    const out = new BinFileWriter(path, "ptau", prepared ? 11 : 7);
    const section = async (id: number, group: Group, levels: readonly bigint[][]): Promise<void> => {
      out.begin(id);
      const scalars = levels.flat();
      const pieces = Array.from({ length: Math.ceil(scalars.length / PIECE) }, (_, k) =>
        scalars.slice(PIECE * k, PIECE * (k + 1)),
      );
      const made = pieces.map((piece) => maker.make({ make: "multiples", group, scalars: packScalars(piece) }));
      await inOrder(maker, made, (points) => out.write(points));
      out.end();
    };
    out.begin(1);
    out.u32(32);
    out.write(littleEndian(Q));
    out.u32(power);
    out.u32(power);
    out.end();
    const powers: bigint[] = [1n];
    for (let i = 1; i < 2 * n - 1; i++) powers.push(((powers[i - 1] as bigint) * tau) % R);
    const head = powers.slice(0, n);
    const times = (factor: bigint, list: readonly bigint[]): bigint[] => list.map((value) => (value * factor) % R);
    await section(2, 1, [powers]);
    await section(3, 2, [head]);
    await section(4, 1, [times(alpha, head)]);
    await section(5, 1, [times(beta, head)]);
    await section(6, 2, [[beta]]);
    out.begin(7);
    out.u32(0);
    out.end();
    if (prepared) {
      const roots = Array.from({ length: power + 2 }, (_, k) => rootOf(k));
      const levels = roots.map((root, k) => lagrange(tau, root, 2 ** k));
      // The topmost level interpolates tau's powers but the last, which the file does not have.
      const dropped = (raise(tau, BigInt(2 * n - 1)) * inverse(BigInt(2 * n))) % R;
      let x = 1n;
      const top = (levels.pop() as bigint[]).map((value) => {
        const kept = (value - x * dropped) % R;
        x = (x * (roots[power + 1] as bigint)) % R;
        return kept < 0n ? kept + R : kept;
      });
      await section(12, 1, [...levels, top]);
      await section(13, 2, levels);
      await section(
        14,
        1,
        levels.map((level) => times(alpha, level)),
      );
      await section(
        15,
        1,
        levels.map((level) => times(beta, level)),
      );
    }
    out.close();
  });
}

/** By the formula, one inversion each: slow and plain, and so a check on setup.ts. */
function lagrange(tau: bigint, root: bigint, size: number): bigint[] {
  const scale = ((raise(tau, BigInt(size)) - 1n + R) * inverse(BigInt(size))) % R;
  const values: bigint[] = [];
  for (let i = 0, x = 1n; i < size; i++, x = (x * root) % R) {
    values.push((((scale * x) % R) * inverse(tau - x + R)) % R);
  }
  return values;
}

/** This process' threads of the prover and of key making: Linux tells their names. */
export function groth16Threads(): number {
  const names = readdirSync("/proc/self/task").map((id) => {
    try {
      return readFileSync(`/proc/self/task/${id}/comm`, "utf8").trim();
    } catch {
      return "gone meanwhile";
    }
  });
  return names.filter((name) => name === "groth16").length;
}

/** The NodeError that `act` throws; anything else fails the test. */
export async function refusalOf(act: () => unknown): Promise<NodeError> {
  try {
    await act();
  } catch (thrown) {
    if (thrown instanceof NodeError) return thrown;
    throw thrown;
  }
  throw new Error("nothing was refused");
}

/** Ends the threads that snarkjs leaves behind when a test calls it in this process. */
export async function endSnarkjsThreads(): Promise<void> {
  await (globalThis as { curve_bn128?: { terminate(): Promise<void> } | null }).curve_bn128?.terminate();
}
