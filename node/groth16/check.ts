// Whether a proof of three signals holds under a verifying key, as strict as the contract: signals below R, coordinates below
// Q, points in their groups and not infinity, a key that no contract would refuse. In Node and in browsers, by ffjavascript.
import { type Proof, signalList, type Signals, type VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { Q, R } from "../core/field.ts";
import { isSound, localCurve } from "./curve.ts";

export type G1 = readonly [bigint, bigint];
/** Halves [imaginary, real] as in core/domain.ts. */
export type G2 = readonly [readonly [bigint, bigint], readonly [bigint, bigint]];

/** c, v and r. */
export const SIGNALS = 3;

const GENERATOR1: G1 = [1n, 2n];
const GENERATOR2: G2 = [
  [
    11559732032986387107991004021392285783925812861821192530917403151452391805634n,
    10857046999023057135944570762232829481370756359578518086990519993285655852781n,
  ],
  [
    4082367875863433681332203403145435568316851327593401208105741076214120093531n,
    8495653923123431417604973247489272438418190587263600148770280649306958101930n,
  ],
];

/** Keys already found fit; keys are immutable. */
const fit = new WeakSet<VerifyingKey>();

/** @throws NodeError "integrity" if the key itself is not fit for use; a bad proof is `false`. */
export async function verifyProof(key: VerifyingKey, signals: Signals, proof: Proof): Promise<boolean> {
  await judgeKey(key);
  const values = signalList(signals);
  if (values.some((value) => value < 0n || value >= R)) return false;

  const curve = await localCurve();
  const a = encodeG1(proof.a);
  const b = encodeG2(proof.b);
  const c = encodeG1(proof.c);
  if (a === undefined || b === undefined || c === undefined) return false;
  if (!isSound(curve, "G1", a) || !isSound(curve, "G2", b) || !isSound(curve, "G1", c)) return false;

  const [first, ...rest] = key.ic.map((point) => encodeG1(point) as Uint8Array) as [Uint8Array, ...Uint8Array[]];
  const inputs = rest.reduce(
    (sum, point, i) => curve.G1.add(sum, curve.G1.timesScalar(point, values[i] as bigint)),
    first,
  );
  const [alpha, beta] = [encodeG1(key.alpha), encodeG2(key.beta)] as [Uint8Array, Uint8Array];
  const [gamma, delta] = [encodeG2(key.gamma), encodeG2(key.delta)] as [Uint8Array, Uint8Array];
  // ffjavascript's Miller loop does not know infinity, whose pairing is one.
  const inputsPair = curve.G1.isZero(inputs) ? [] : [inputs, gamma];
  return curve.pairingEq(curve.G1.neg(a), b, alpha, beta, ...inputsPair, c, delta);
}

/** soundVerifyingKey, once for each key. */
export async function judgeKey(key: VerifyingKey): Promise<void> {
  if (fit.has(key)) return;
  await soundVerifyingKey(key);
  fit.add(key);
}

/** On the curve, x is equal for a point and its negative only. Negatives forge as well: see soundVerifyingKey. */
const sameOrNegative = ([a]: G1 | G2, [b]: G1 | G2): boolean => [a].flat().join() === [b].flat().join();

/**
 * Refuses a key that no contract must trust, as KeyLib.sol does: wrong number of signals, points not in their groups, two of
 * beta, gamma and delta equal, delta the generator (a setup that nobody contributed to). With delta = gamma or its negative,
 * A = alpha, B = beta and C = minus or plus the signals' point is a proof of anything.
 * @throws NodeError "integrity"
 */
export async function soundVerifyingKey(key: VerifyingKey): Promise<void> {
  const refuse = (what: string, mend: string): never => {
    throw new NodeError("integrity", `the verifying key is not fit for use: ${what}`, { mend });
  };
  if (key.ic.length !== SIGNALS + 1) {
    refuse(`it has ${key.ic.length - 1} signals, not ${SIGNALS}`, "Use the key that was made for this circuit.");
  }
  const curve = await localCurve();
  const bad = "The file is damaged or was made by a faulty tool; make the key again.";
  for (const [name, point] of [["alpha", key.alpha], ...key.ic.map((p, i) => [`IC[${i}]`, p])] as [string, G1][]) {
    const bytes = encodeG1(point);
    if (bytes === undefined || !isSound(curve, "G1", bytes)) refuse(`${name} is not a point of G1`, bad);
  }
  for (const name of ["beta", "gamma", "delta"] as const) {
    const bytes = encodeG2(key[name]);
    if (bytes === undefined || !isSound(curve, "G2", bytes)) refuse(`${name} is not a point of G2`, bad);
  }
  const uncontributed = "Add a contribution to the ceremony (`glassbox ceremony contribute`) and finish it.";
  if (sameOrNegative(key.gamma, key.delta)) refuse("gamma equals delta or its negative", uncontributed);
  if (sameOrNegative(key.delta, GENERATOR2)) refuse("delta is the generator or its negative", uncontributed);
  const foreign = "No setup ends like this; make the key again with this tool.";
  if (sameOrNegative(key.alpha, GENERATOR1)) refuse("alpha is the generator or its negative", foreign);
  if (sameOrNegative(key.beta, GENERATOR2)) refuse("beta is the generator or its negative", foreign);
  for (const name of ["gamma", "delta"] as const) {
    if (sameOrNegative(key.beta, key[name])) refuse(`beta equals ${name} or its negative`, foreign);
  }
}

/** Affine Montgomery bytes as ffjavascript wants them; undefined if a coordinate is not below Q. */
export function encodeG1(point: G1): Uint8Array | undefined {
  return montgomery(point);
}

export function encodeG2([[xi, xr], [yi, yr]]: G2): Uint8Array | undefined {
  return montgomery([xr, xi, yr, yi]);
}

function montgomery(values: readonly bigint[]): Uint8Array | undefined {
  const bytes = new Uint8Array(32 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) {
    if (value < 0n || value >= Q) return undefined;
    const shifted = (value << 256n) % Q;
    for (let k = 0; k < 4; k++) {
      view.setBigUint64(32 * i + 8 * k, (shifted >> BigInt(64 * k)) & 0xffffffffffffffffn, true);
    }
  }
  return bytes;
}
