// Powers of two and bit counts from the bits of a float64, so that no result depends on a platform's log or pow.
import { NodeError } from "../core/errors.ts";

const view = new DataView(new ArrayBuffer(8));

/** floor(log2 |x|) for finite x other than 0. */
export function exponentOf(x: number): number {
  view.setFloat64(0, x);
  const biased = (view.getUint16(0) >> 4) & 0x7ff;
  return biased === 0 ? exponentOf(x * pow2(64)) - 64 : biased - 1023;
}

/** 2^k. @throws NodeError "unsupported" unless -1022 <= k <= 1023 */
export function pow2(k: number): number {
  if (!Number.isInteger(k) || k < -1022 || k > 1023) {
    throw new NodeError("unsupported", `a scale of 2^${k} is beyond float64`, {
      mend: "The model's weights or its data are absurdly large or small; scale them.",
    });
  }
  view.setUint32(0, (k + 1023) << 20);
  view.setUint32(4, 0);
  return view.getFloat64(0);
}

/** x / 2^exponentOf(x), in [1, 2) for x > 0. */
export function mantissaOf(x: number): number {
  return x / pow2(exponentOf(x));
}

/** The smallest e with |x| <= limit * 2^e; limit > 0. */
export function exponentFor(x: number, limit: number): number {
  let e = exponentOf(x) - exponentOf(limit) - 1;
  while (Math.abs(x) > limit * pow2(e)) e++;
  return e;
}

/** Bits that spell every integer of [lo, hi]: two's complement if lo < 0. */
export function bitsFor(lo: number, hi: number): number {
  const magnitude = Math.max(hi, -lo - 1);
  return (magnitude > 0 ? exponentOf(magnitude) + 1 : 0) + (lo < 0 ? 1 : 0);
}
