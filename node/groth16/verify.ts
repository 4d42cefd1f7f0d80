// The pairing check of a proof against its own key, by ffjavascript: what the kernel computed is believed only after that.
import { putField, R } from "../core/field.ts";
import { localCurve } from "./curve.ts";
import type { ProvingKey } from "./key.ts";
import type { Points } from "./proof.ts";

/**
 * e(A, B) = e(alpha, beta) e(IC_0 + sum of signal_i IC_i, gamma) e(C, delta).
 * @param ic the key's section 3, 64 bytes a point, one more than there are signals
 */
export async function verify(
  key: ProvingKey,
  ic: Uint8Array,
  signals: readonly bigint[],
  { a, b, c }: Points,
): Promise<boolean> {
  if (signals.length !== key.publics || signals.some((signal) => signal < 0n || signal >= R)) return false;
  const curve = await localCurve();
  const { G1, G2 } = curve;
  // Blinding makes these random: at infinity they come from a key that is all zeros, under which everything holds.
  if (G1.isZero(a) || G2.isZero(b) || G1.isZero(c)) return false;
  const scalars = new Uint32Array(8 * (signals.length + 1));
  [1n, ...signals].forEach((signal, i) => putField(scalars, 8 * i, signal));
  const inputs = await G1.multiExpAffine(ic, new Uint8Array(scalars.buffer));
  // ffjavascript's Miller loop does not know infinity, whose pairing with anything is one.
  const pairs: readonly (readonly [Uint8Array, Uint8Array])[] = [
    [G1.neg(a), b],
    [key.alpha1, key.beta2],
    [inputs, key.gamma2],
    [c, key.delta2],
  ];
  return curve.pairingEq(...pairs.filter(([p, q]) => !G1.isZero(p) && !G2.isZero(q)).flat());
}
