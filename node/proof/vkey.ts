// The verifying key and the proof in their four spellings: core's, a .zkey's, snarkjs' JSON and the contract's bytes. What
// a fit key is says groth16/check.ts. No pairing here.
import type { Proof, Signals, VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { getField, Q, R } from "../core/field.ts";
import type { SnarkjsProof, SnarkjsVerificationKey } from "snarkjs";
import { type G1, type G2, SIGNALS } from "../groth16/check.ts";
import { openZkey, SECTION } from "./zkey.ts";

/** The judgement is groth16's, which browsers have too. */
export { soundVerifyingKey } from "../groth16/check.ts";

/** alpha1 64 | beta2 128 | gamma2 128 | delta2 128 | IC 4 x 64 */
export const VKEY_BYTES = 64 + 3 * 128 + 64 * (SIGNALS + 1);

/** 2^-256 mod Q. `inverse` is of the other field, so by Fermat. */
const UNSHIFT = ((): bigint => {
  let result = 1n;
  let square = (1n << 256n) % Q;
  for (let rest = Q - 2n; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % Q;
    square = (square * square) % Q;
  }
  return result;
})();

export function decodeG1(bytes: Uint8Array, at = 0): G1 {
  const [x, y] = coordinates(bytes, at, 2) as [bigint, bigint];
  return [x, y];
}

export function decodeG2(bytes: Uint8Array, at = 0): G2 {
  const [xr, xi, yr, yi] = coordinates(bytes, at, 4) as [bigint, bigint, bigint, bigint];
  return [
    [xi, xr],
    [yi, yr],
  ];
}

function coordinates(bytes: Uint8Array, at: number, count: number): bigint[] {
  return Array.from({ length: count }, (_, i) => (getField(bytes, at + 32 * i) * UNSHIFT) % Q);
}

/** Reads the verifying part of a .zkey. Does not judge it: see soundVerifyingKey. */
export function readVerifyingKey(path: string): VerifyingKey {
  const { file, header } = openZkey(path);
  try {
    const { offset, size } = file.section(SECTION.ic);
    if (size > 64 * 1024) throw new NodeError("input", `${path}: has ${header.publics} public signals`);
    const ic = file.read(offset, size);
    return {
      alpha: decodeG1(header.alpha1),
      beta: decodeG2(header.beta2),
      gamma: decodeG2(header.gamma2),
      delta: decodeG2(header.delta2),
      ic: Array.from({ length: header.publics + 1 }, (_, i) => decodeG1(ic, 64 * i)),
    };
  } finally {
    file.close();
  }
}

/** The 704 bytes that the registry stores: big-endian coordinates, G2 halves imaginary first (EIP-197). */
export function vkeyToBytes(key: VerifyingKey): Uint8Array {
  if (key.ic.length !== SIGNALS + 1)
    throw new NodeError("integrity", `a key of ${key.ic.length - 1} signals, not ${SIGNALS}`);
  const values: bigint[] = [key.alpha, key.beta.flat(), key.gamma.flat(), key.delta.flat(), key.ic.flat()].flat();
  return new Uint8Array(Buffer.from(values.map((v) => v.toString(16).padStart(64, "0")).join(""), "hex"));
}

/** @throws NodeError "input" unless there are 704 bytes of reduced coordinates. */
export function vkeyFromBytes(bytes: Uint8Array): VerifyingKey {
  if (bytes.length !== VKEY_BYTES) throw new NodeError("input", `a key of ${bytes.length} bytes, not ${VKEY_BYTES}`);
  const word = (i: number): bigint => {
    const value = BigInt(`0x${Buffer.from(bytes.subarray(32 * i, 32 * i + 32)).toString("hex")}`);
    if (value >= Q) throw new NodeError("input", `word ${i} of the key is not a coordinate of BN254`);
    return value;
  };
  const g1 = (i: number): G1 => [word(i), word(i + 1)];
  const g2 = (i: number): G2 => [
    [word(i), word(i + 1)],
    [word(i + 2), word(i + 3)],
  ];
  const ic = Array.from({ length: SIGNALS + 1 }, (_, i) => g1(14 + 2 * i));
  return { alpha: g1(0), beta: g2(2), gamma: g2(6), delta: g2(10), ic };
}

const decimal = (value: bigint): string => value.toString(10);
const g1ToSnarkjs = ([x, y]: G1): string[] => [decimal(x), decimal(y), "1"];
const g2ToSnarkjs = ([[xi, xr], [yi, yr]]: G2): string[][] => [
  [decimal(xr), decimal(xi)],
  [decimal(yr), decimal(yi)],
  ["1", "0"],
];

/** What `snarkjs groth16 verify` needs of a verification_key.json. */
export function vkeyToSnarkjs(key: VerifyingKey): SnarkjsVerificationKey {
  return {
    protocol: "groth16",
    curve: "bn128",
    nPublic: key.ic.length - 1,
    vk_alpha_1: g1ToSnarkjs(key.alpha),
    vk_beta_2: g2ToSnarkjs(key.beta),
    vk_gamma_2: g2ToSnarkjs(key.gamma),
    vk_delta_2: g2ToSnarkjs(key.delta),
    IC: key.ic.map(g1ToSnarkjs),
  };
}

export function proofToSnarkjs(proof: Proof): SnarkjsProof {
  return {
    pi_a: g1ToSnarkjs(proof.a),
    pi_b: g2ToSnarkjs(proof.b),
    pi_c: g1ToSnarkjs(proof.c),
    protocol: "groth16",
    curve: "bn128",
  };
}

/** Decimal numerals only, affine, below `limit`. */
function numeral(value: unknown, limit: bigint, where: string): bigint {
  if (typeof value !== "string" || !/^(0|[1-9][0-9]{0,77})$/.test(value)) {
    throw new NodeError("input", `${where} is not a decimal number in quotes`);
  }
  const parsed = BigInt(value);
  if (parsed >= limit) throw new NodeError("input", `${where} is not below the field's order`);
  return parsed;
}

function list(value: unknown, length: number, where: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) {
    throw new NodeError("input", `${where} is not a list of ${length}`);
  }
  return value;
}

function g1FromSnarkjs(value: unknown, where: string): G1 {
  const [x, y, z] = list(value, 3, where);
  if (z !== "1") throw new NodeError("input", `${where} is not an affine point other than infinity`);
  return [numeral(x, Q, where), numeral(y, Q, where)];
}

function g2FromSnarkjs(value: unknown, where: string): G2 {
  const [x, y, z] = list(value, 3, where).map((half) => list(half, 2, where)) as [unknown[], unknown[], unknown[]];
  if (z[0] !== "1" || z[1] !== "0") throw new NodeError("input", `${where} is not an affine point other than infinity`);
  return [
    [numeral(x[1], Q, where), numeral(x[0], Q, where)],
    [numeral(y[1], Q, where), numeral(y[0], Q, where)],
  ];
}

function record(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new NodeError("input", `${where} is not an object`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function ofGroth16(fields: Readonly<Record<string, unknown>>, where: string): void {
  if (fields["protocol"] !== "groth16" || fields["curve"] !== "bn128") {
    throw new NodeError("input", `${where} is not of Groth16 over bn128`);
  }
}

/** Reads a parsed verification_key.json of snarkjs. @throws NodeError "input" */
export function vkeyFromSnarkjs(json: unknown): VerifyingKey {
  const fields = record(json, "the verification key");
  ofGroth16(fields, "the verification key");
  const ic = fields["IC"];
  if (!Array.isArray(ic) || ic.length !== SIGNALS + 1 || fields["nPublic"] !== SIGNALS) {
    throw new NodeError("input", `the verification key is not one of ${SIGNALS} signals`);
  }
  return {
    alpha: g1FromSnarkjs(fields["vk_alpha_1"], "vk_alpha_1"),
    beta: g2FromSnarkjs(fields["vk_beta_2"], "vk_beta_2"),
    gamma: g2FromSnarkjs(fields["vk_gamma_2"], "vk_gamma_2"),
    delta: g2FromSnarkjs(fields["vk_delta_2"], "vk_delta_2"),
    ic: ic.map((point, i) => g1FromSnarkjs(point, `IC[${i}]`)),
  };
}

/** Reads a parsed proof.json of snarkjs or rapidsnark (which leaves `curve` out). @throws NodeError "input" */
export function proofFromSnarkjs(json: unknown): Proof {
  const fields = record(json, "the proof");
  ofGroth16({ curve: "bn128", ...fields }, "the proof");
  return {
    a: g1FromSnarkjs(fields["pi_a"], "pi_a"),
    b: g2FromSnarkjs(fields["pi_b"], "pi_b"),
    c: g1FromSnarkjs(fields["pi_c"], "pi_c"),
  };
}

/** Reads a parsed public.json: c, v, r. @throws NodeError "input" */
export function signalsFromSnarkjs(json: unknown): Signals {
  const [c, v, r] = list(json, SIGNALS, "the public signals").map((value, i) => numeral(value, R, `signal ${i}`)) as [
    bigint,
    bigint,
    bigint,
  ];
  return { c, v, r };
}
