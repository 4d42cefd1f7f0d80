// The inverse in the base field by Kaliski's binary algorithm ("The Montgomery inverse and its applications", IEEE
// Transactions on Computers 44, 1995), a third of the time of Fermat's power. It takes a time that depends on the value.

import { FP, FROM_PLAIN, PAIR, neg, pack, unpack } from "./field";
import { mul } from "./product";
import { settleElement } from "./settle";

const P0: u64 = 0x3c208c16d87cfd47;
const P1: u64 = 0x97816a916871ca8d;
const P2: u64 = 0xb85045b68181585d;
const P3: u64 = 0x30644e72e131a029;

const swapped: usize = memory.data(80, 16);
const both: usize = memory.data(80, 16);
const power: usize = memory.data(80, 16);
const bytes: usize = memory.data(32, 16);

/**
 * r = 1 / a in both lanes; nothing of meaning if one of them is zero. |a| < 2 p, limbs as for mul. Both lanes are inverted
 * as one, their product.
 */
export function inversePair(a: usize, r: usize): void {
  for (let o: usize = 0; o < PAIR; o += 16) {
    const x = v128.load(a + o);
    v128.store(swapped + o, i64x2.shuffle(x, x, 1, 0));
  }
  mul(FP, a, swapped, both);
  settleElement(both, both);
  pack(FP, both, 0, bytes);
  const k = invertBytes(bytes);
  unpack(bytes, both, 0);
  unpack(bytes, both, 1);
  // bytes = -2^k / x with x the form of both, that is both * 2^255. Wanted is 2^510 / x: times -2^510, then 2^(510-k).
  neg(both, both);
  mul(FP, both, FP + FROM_PLAIN, both);
  const j = 510 - k, limb = min<u32>(j / 51, 4);
  const value = <f64>((<u64>1) << (j - 51 * limb));
  memory.fill(power, 0, PAIR);
  store<f64>(power + 16 * <usize>limb, value);
  store<f64>(power + 16 * <usize>limb, value, 8);
  mul(FP, both, power, both);
  mul(FP, both, swapped, r);
}

/** In place: x in (0, p) becomes -2^k / x mod p, below 2 p; returns k, from 256 to 508. 0 becomes 0, with k = 256. */
function invertBytes(x: usize): u32 {
  let u0 = P0, u1 = P1, u2 = P2, u3 = P3;
  let v0 = load<u64>(x), v1 = load<u64>(x, 8), v2 = load<u64>(x, 16), v3 = load<u64>(x, 24);
  let r0: u64 = 0, r1: u64 = 0, r2: u64 = 0, r3: u64 = 0;
  let s0: u64 = 1, s1: u64 = 0, s2: u64 = 0, s3: u64 = 0;
  let k: u32 = 0;
  let c: u64;
  // p = u s + v r, and r x = -u 2^k, s x = v 2^k mod p. r and s stay below 2 p < 2^256. x = 0 would go on for ever.
  while (v0 | v1 | v2 | v3) {
    if ((u0 & 1) == 0) {
      u0 = (u0 >> 1) | (u1 << 63); u1 = (u1 >> 1) | (u2 << 63); u2 = (u2 >> 1) | (u3 << 63); u3 >>= 1;
      s3 = (s3 << 1) | (s2 >> 63); s2 = (s2 << 1) | (s1 >> 63); s1 = (s1 << 1) | (s0 >> 63); s0 <<= 1;
    } else if ((v0 & 1) == 0) {
      v0 = (v0 >> 1) | (v1 << 63); v1 = (v1 >> 1) | (v2 << 63); v2 = (v2 >> 1) | (v3 << 63); v3 >>= 1;
      r3 = (r3 << 1) | (r2 >> 63); r2 = (r2 << 1) | (r1 >> 63); r1 = (r1 << 1) | (r0 >> 63); r0 <<= 1;
    } else {
      const s = r0 + s0;
      c = u64(s < r0);
      const t = r1 + s1 + c;
      c = (r1 & s1) | ((r1 | s1) & ~t);
      const w = r2 + s2 + (c >> 63);
      c = (r2 & s2) | ((r2 | s2) & ~w);
      const y = r3 + s3 + (c >> 63);
      if (u3 > v3 || (u3 == v3 && (u2 > v2 || (u2 == v2 && (u1 > v1 || (u1 == v1 && u0 > v0)))))) {
        c = u64(u0 < v0); u0 -= v0;
        let d = u1 - v1 - c; c = ((~u1 & v1) | (~(u1 ^ v1) & d)) >> 63; u1 = d;
        d = u2 - v2 - c; c = ((~u2 & v2) | (~(u2 ^ v2) & d)) >> 63; u2 = d;
        u3 = u3 - v3 - c;
        u0 = (u0 >> 1) | (u1 << 63); u1 = (u1 >> 1) | (u2 << 63); u2 = (u2 >> 1) | (u3 << 63); u3 >>= 1;
        r0 = s; r1 = t; r2 = w; r3 = y;
        s3 = (s3 << 1) | (s2 >> 63); s2 = (s2 << 1) | (s1 >> 63); s1 = (s1 << 1) | (s0 >> 63); s0 <<= 1;
      } else {
        c = u64(v0 < u0); v0 -= u0;
        let d = v1 - u1 - c; c = ((~v1 & u1) | (~(v1 ^ u1) & d)) >> 63; v1 = d;
        d = v2 - u2 - c; c = ((~v2 & u2) | (~(v2 ^ u2) & d)) >> 63; v2 = d;
        v3 = v3 - u3 - c;
        v0 = (v0 >> 1) | (v1 << 63); v1 = (v1 >> 1) | (v2 << 63); v2 = (v2 >> 1) | (v3 << 63); v3 >>= 1;
        s0 = s; s1 = t; s2 = w; s3 = y;
        r3 = (r3 << 1) | (r2 >> 63); r2 = (r2 << 1) | (r1 >> 63); r1 = (r1 << 1) | (r0 >> 63); r0 <<= 1;
      }
    }
    k++;
  }
  // For numbers next to powers of two, up to the least k that 2^510 / 2^k as an element allows.
  for (; k < 256; k++) {
    if (r3 > P3 || (r3 == P3 && (r2 > P2 || (r2 == P2 && (r1 > P1 || (r1 == P1 && r0 >= P0)))))) {
      c = u64(r0 < P0); r0 -= P0;
      let d = r1 - P1 - c; c = ((~r1 & P1) | (~(r1 ^ P1) & d)) >> 63; r1 = d;
      d = r2 - P2 - c; c = ((~r2 & P2) | (~(r2 ^ P2) & d)) >> 63; r2 = d;
      r3 = r3 - P3 - c;
    }
    r3 = (r3 << 1) | (r2 >> 63); r2 = (r2 << 1) | (r1 >> 63); r1 = (r1 << 1) | (r0 >> 63); r0 <<= 1;
  }
  store<u64>(x, r0);
  store<u64>(x, r1, 8);
  store<u64>(x, r2, 16);
  store<u64>(x, r3, 24);
  return k;
}
