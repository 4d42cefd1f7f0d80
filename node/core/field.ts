// BN254's scalar field as snarkjs' binary files spell it: eight little-endian 32-bit words. No curve arithmetic here.

/** Order of BN254's groups: the field of witnesses, constraints and public signals. */
export const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
/** Field of BN254's coordinates. */
export const Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** The scalar field's two-adicity: no domain is larger than 2^28. */
export const MAX_POWER = 28;

const TWO32 = 2 ** 32;

function wordsOf(value: bigint): number[] {
  return Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(32 * i)) & 0xffffffffn));
}

/** R as eight little-endian words, the prime field of .r1cs and .wtns headers. */
export const R_WORDS: readonly number[] = wordsOf(R);

/** The representative in [0, R). */
export function reduce(value: bigint): bigint {
  const rest = value % R;
  return rest < 0n ? rest + R : rest;
}

/** The representative in (-R/2, R/2], as a number where it is a safe integer. */
export function centred(value: bigint): number | bigint {
  const signed = value > R / 2n ? value - R : value;
  const small = Number(signed);
  return Number.isSafeInteger(small) ? small : value;
}

/** Writes `value` (a safe integer or any bigint, of either sign) at words[at..at+8). */
export function putField(words: Uint32Array, at: number, value: number | bigint): void {
  if (typeof value === "bigint") {
    let rest = reduce(value);
    for (let k = 0; k < 8; k++) {
      words[at + k] = Number(rest & 0xffffffffn);
      rest >>= 32n;
    }
    return;
  }
  if (value >= 0) {
    words[at] = value;
    words[at + 1] = value / TWO32;
    for (let k = 2; k < 8; k++) words[at + k] = 0;
    return;
  }
  const low = -value % TWO32;
  const high = Math.floor(-value / TWO32);
  let borrow = 0;
  for (let k = 0; k < 8; k++) {
    const take = k === 0 ? low : k === 1 ? high : 0;
    const difference = (R_WORDS[k] as number) - take - borrow;
    borrow = difference < 0 ? 1 : 0;
    words[at + k] = difference + borrow * TWO32;
  }
}

/** Reads the field element at byte offset `at`, little-endian, in [0, 2^256). */
export function getField(bytes: Uint8Array, at: number): bigint {
  const words = new DataView(bytes.buffer, bytes.byteOffset + at, 32);
  let value = 0n;
  for (let k = 3; k >= 0; k--) value = (value << 64n) | words.getBigUint64(8 * k, true);
  return value;
}

/** 1/value mod R; 0 for 0. Extended Euclid. */
export function inverse(value: bigint): bigint {
  let [a, b] = [R, reduce(value)];
  if (b === 0n) return 0n;
  let [s, t] = [0n, 1n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [s, t] = [t, s - quotient * t];
  }
  return reduce(s);
}

/** base^exponent mod R, exponent >= 0. */
export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = reduce(base);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % R;
    square = (square * square) % R;
  }
  return result;
}
