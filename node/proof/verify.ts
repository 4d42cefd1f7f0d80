// Groth16 verification off chain, as strict as the contract: signals below R, coordinates below Q, points in their groups
// and not infinity, a fit key. snarkjs' own verify leaves some of these out.
import { type Proof, signalList, type Signals, type VerifyingKey } from "../core/domain.ts";
import { R } from "../core/field.ts";
import { isSound, localCurve } from "./curve.ts";
import { encodeG1, encodeG2, soundVerifyingKey } from "./vkey.ts";

/** Keys already found fit; keys are immutable. */
const fit = new WeakSet<VerifyingKey>();

/** @throws NodeError "integrity" if the key itself is not fit for use; a bad proof is `false`. */
export async function verifyProof(key: VerifyingKey, signals: Signals, proof: Proof): Promise<boolean> {
  if (!fit.has(key)) {
    await soundVerifyingKey(key);
    fit.add(key);
  }
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
