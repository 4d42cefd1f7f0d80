// The order of floating-point numbers: neighbours, and the border of a monotone condition. Exact by search over bits.
const word = new DataView(new ArrayBuffer(8));

/** float32 numbers in their order as integers: key(a) < key(b) where a < b. */
function keyOf(value: number): number {
  word.setFloat32(0, value + 0);
  const bits = word.getInt32(0);
  return bits < 0 ? -(bits & 0x7fffffff) : bits;
}

function float32Of(key: number): number {
  word.setUint32(0, key < 0 ? 0x80000000 - key : key);
  return word.getFloat32(0) + 0;
}

/** The least float32 number above `value`, which is one; infinity for the largest. */
export function nextFloat32(value: number): number {
  return value === Infinity ? Infinity : float32Of(keyOf(value) + 1);
}

/** The least float64 number above `value`; infinity for the largest. */
export function nextFloat64(value: number): number {
  if (value === Infinity) return Infinity;
  word.setFloat64(0, value + 0);
  const bits = word.getBigInt64(0);
  if (bits === -0x8000000000000000n || bits === 0n) return Number.MIN_VALUE;
  word.setBigInt64(0, bits < 0n ? bits - 1n : bits + 1n);
  return word.getFloat64(0) + 0;
}

/**
 * The least float32 number x for which `holds`, which is true of all numbers above it; infinity if it holds for no finite
 * one, -infinity if it holds for all.
 */
export function firstFloat32(holds: (x: number) => boolean): number {
  let [low, high] = [keyOf(-Infinity), keyOf(Infinity)];
  // Of (low, high], the last holds or is infinity.
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (holds(float32Of(middle))) high = middle;
    else low = middle;
  }
  return high === keyOf(-Infinity) + 1 ? -Infinity : float32Of(high);
}

/** The least integer q for which float32(q * unit) >= threshold (a float32 number): what a float32 input feels. */
export function firstInteger(threshold: number, unit: number): number {
  if (!Number.isFinite(threshold)) return threshold;
  // Numbers from the middle below the threshold on round to it, the middle itself only if that is the even one.
  const below = -nextFloat32(-threshold);
  if (below === -Infinity) return Math.ceil(threshold / unit);
  const middle = Math.ceil((below + (threshold - below) / 2) / unit);
  return Math.fround(middle * unit) >= threshold ? middle : middle + 1;
}
