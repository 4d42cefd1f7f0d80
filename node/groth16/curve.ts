// BN254 from ffjavascript, for single points and pairings: what is computed by the kernel is judged by another hand. Its one home.
import { buildBn128, type Curve } from "ffjavascript";
import { R } from "../core/field.ts";

export type { Curve };

let local: Promise<Curve> | undefined;

/** Without threads, so nothing to end. */
export function localCurve(): Promise<Curve> {
  local ??= buildBn128(true);
  return local;
}

/** Whether an affine point other than infinity is on the curve and in the group of order R. */
export function isSound(curve: Curve, group: "G1" | "G2", point: Uint8Array): boolean {
  const g = curve[group];
  if (g.isZero(point) || !g.isValid(point)) return false;
  // G1 has no cofactor; G2's is not 1.
  return group === "G1" || g.isZero(g.timesScalar(point, R));
}
