// Prepared powers-of-tau files (.ptau), as far as a ceremony for one circuit needs them. Checks shape, sizes and that the
// points belong together; that the secret is lost rests on the ceremony that published the file, hence its digest.
import { NodeError } from "../core/errors.ts";
import { getField, MAX_POWER, Q } from "../core/field.ts";
import { type Curve, isSound } from "../groth16/curve.ts";
import { G1_BYTES, G2_BYTES } from "../groth16/key.ts";
import { type BinFile, malformed, openBinFile } from "./binfile.ts";
import { hashFile } from "./files.ts";

export const PTAU = { header: 1, tau1: 2, tau2: 3, alpha1: 4, beta1: 5, beta2: 6 } as const;
/** Lagrange bases, one after another from domain 1 up; level k starts at point 2^k - 1. */
export const PREPARED = { tau1: 12, tau2: 13, alpha1: 14, beta1: 15 } as const;

export interface Ptau {
  readonly file: BinFile;
  readonly power: number;
}

/** @throws NodeError "input" naming what is wrong: not a .ptau, another curve, truncated, not prepared. */
export function openPtau(path: string): Ptau {
  const file = openBinFile(path, "ptau", 1);
  try {
    return { file, power: checkShape(file) };
  } catch (thrown) {
    file.close();
    throw thrown;
  }
}

function checkShape(file: BinFile): number {
  const { offset, size } = file.section(PTAU.header);
  if (size !== 44) throw malformed(file.path, `header of ${size} bytes, not 44`);
  const header = file.read(offset, size);
  if (header.readUInt32LE(0) !== 32 || getField(header, 4) !== Q) {
    throw malformed(file.path, "is of another curve than BN254", "Take a file of a bn128 ceremony.");
  }
  const power = header.readUInt32LE(36);
  if (power < 1 || power > MAX_POWER) throw malformed(file.path, `states a power of ${power}`);
  if (Object.values(PREPARED).some((id) => !file.has(id))) {
    throw malformed(
      file.path,
      "is not prepared for phase 2 (it has no Lagrange sections)",
      "Run `snarkjs powersoftau prepare phase2` on it, or take the published file whose name ends in `_final`.",
    );
  }
  const n = 2 ** power;
  const expected: readonly (readonly [number, number])[] = [
    [PTAU.tau1, G1_BYTES * (2 * n - 1)],
    [PTAU.tau2, G2_BYTES * n],
    [PTAU.alpha1, G1_BYTES * n],
    [PTAU.beta1, G1_BYTES * n],
    [PTAU.beta2, G2_BYTES],
    [PREPARED.tau1, G1_BYTES * (4 * n - 1)],
    [PREPARED.tau2, G2_BYTES * (2 * n - 1)],
    [PREPARED.alpha1, G1_BYTES * (2 * n - 1)],
    [PREPARED.beta1, G1_BYTES * (2 * n - 1)],
  ];
  for (const [id, length] of expected) {
    const found = file.section(id).size;
    if (found !== length) {
      throw malformed(file.path, `section ${id} has ${found} bytes, not the ${length} of a power of ${power}`);
    }
  }
  return power;
}

/** @throws NodeError "input" if the circuit does not fit. */
export function needPower(ptau: Ptau, power: number): void {
  if (power <= ptau.power) return;
  throw malformed(
    ptau.file.path,
    `is of power ${ptau.power}, and the circuit needs ${power}`,
    `Take a prepared file of power ${power} or more.`,
  );
}

/** @param digest BLAKE2b-512 of the whole file in hex, as ceremonies publish it @returns the file's own */
export async function checkPtauDigest(path: string, digest: string | undefined, signal?: AbortSignal): Promise<string> {
  const wanted = digest?.toLowerCase().replace(/^0x/, "").replace(/\s+/g, "");
  if (wanted !== undefined && !/^[0-9a-f]{128}$/.test(wanted)) {
    throw new NodeError("usage", "a .ptau's digest is 128 hex digits (BLAKE2b-512)");
  }
  const found = await hashFile(path, "blake2b512", signal);
  if (wanted !== undefined && wanted !== found) {
    throw new NodeError("integrity", `${path}: is not the file with the digest that was given`, {
      mend: "Download it again, and compare the digest with the one that the ceremony published.",
      facts: { path, wanted, found },
    });
  }
  return found;
}

/** The generators, tau, alpha and beta are points, and each pair hides the same secret in G1 and G2. */
export async function checkPtauPoints(curve: Curve, { file }: Ptau): Promise<void> {
  const at = (id: number, index: number, size: number): Uint8Array =>
    new Uint8Array(file.read(file.section(id).offset + index * size, size));
  const g1 = at(PTAU.tau1, 0, G1_BYTES);
  const g2 = at(PTAU.tau2, 0, G2_BYTES);
  const bad = (what: string): NodeError =>
    malformed(file.path, `${what}: damaged, or not a powers-of-tau file`, "Download it again and check its digest.");
  if (!curve.G1.eq(g1, curve.G1.gAffine) || !curve.G2.eq(g2, curve.G2.gAffine))
    throw bad("does not start at the generators");
  const pairs = [
    ["tau", at(PTAU.tau1, 1, G1_BYTES), at(PTAU.tau2, 1, G2_BYTES)],
    ["beta", at(PTAU.beta1, 0, G1_BYTES), at(PTAU.beta2, 0, G2_BYTES)],
  ] as const;
  for (const [name, one, two] of pairs) {
    if (!isSound(curve, "G1", one) || !isSound(curve, "G2", two)) throw bad(`${name} is not a point of the curve`);
    if (!(await curve.pairingEq(one, curve.G2.gAffine, curve.G1.neg(curve.G1.gAffine), two))) {
      throw bad(`${name} differs between G1 and G2`);
    }
  }
  if (!isSound(curve, "G1", at(PTAU.alpha1, 0, G1_BYTES))) throw bad("alpha is not a point of the curve");
}
