// Signals of every gadget in the order of its wires, and how to fill them from the inputs. A wrong hint costs completeness, never
// soundness: the rows come from circuits/ alone. A hint throws RangeError where the gadget has no witness.
import { R } from "../core/field.ts";
import { plus, times } from "./lc.ts";
import type { Value, Values, Wire } from "./lc.ts";

export interface Hint {
  /** Outputs are what every stamp is for; what tables read besides, where it is there, counts as internal. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly internals: readonly string[];
  /** Fills the wires from `base` on: outputs, then internals. */
  run(inputs: readonly Value[], base: Wire, values: Values): void;
}

export type Hints = Readonly<Record<string, (...params: number[]) => Hint>>;

/** The low n bits of v, from wire `base` on. */
function putBits(v: number, n: number, base: Wire, values: Values): void {
  if (!(v >= 0 && v < 2 ** n)) throw new RangeError(`${v} does not fit ${n} bits`);
  const { small } = values;
  for (let i = 0, rest = v; i < n; i++) {
    const half = Math.floor(rest / 2);
    small[base + i] = rest - 2 * half;
    rest = half;
  }
}

export function names(base: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${base}[${i}]`);
}

/** 1/n mod R for a safe integer n != 0, by Euclid on |n| after one division: (1 + k R) / |n| with k = -1/R mod |n|. */
export function inverseOfSmall(n: number): bigint {
  const m = Math.abs(n);
  let [a, b, s, t] = [m, Number(R % BigInt(m)), 0, 1];
  while (b !== 0) {
    const quotient = Math.floor(a / b);
    [a, b] = [b, a - quotient * b];
    [s, t] = [t, s - quotient * t];
  }
  const k = BigInt(s > 0 ? m - s : -s); // s = 1/R mod m, |s| <= m
  const inverse = (1n + k * R) / BigInt(m);
  return n < 0 ? R - inverse : inverse;
}

function number(value: Value | undefined): number {
  if (typeof value !== "number") throw new RangeError(`${value} is not a small integer`);
  return value;
}

export const HINTS: Hints = {
  Bits: (n = 0, bias = 0) => ({
    inputs: ["x"],
    outputs: names("b", n),
    internals: [],
    run([x], base, values) {
      putBits(number(x) + bias, n, base, values);
    },
  }),
  Rescale: (B = 0, s = 0, k = 0, lo = 0, signed = 0) => {
    const h = B - signed - s - k;
    const zeroTest = h > 0 && !(h === 1 && signed === 0);
    const off = (s > 0 ? 2 ** (s - 1) : 0) - lo * 2 ** s + (signed === 1 ? 2 ** (B - 1) : 0);
    const [step, sign, width] = [2 ** s, signed === 1 ? 2 ** (B - 1 - s) : 0, 2 ** k];
    return {
      inputs: ["x"],
      outputs: ["y"],
      internals: [...names("b", B), ...(zeroTest ? ["inv[0]", "out[0]"] : [])],
      run([x], base, values) {
        const u = number(x) + off;
        const quotient = Math.floor(u / step) - sign;
        const y = Math.min(width - 1, Math.max(0, quotient));
        values.small[base] = y + lo;
        putBits(u, B, base + 1, values);
        if (!zeroTest) return;
        // as in the gadget: z = high, plus (sign bit - 1) 2^h where signed
        const z = quotient >= 0 ? Math.floor(quotient / width) : Math.floor((quotient + sign) / width) - 2 ** h;
        values.set(base + B + 1, z === 0 ? 0 : inverseOfSmall(z));
        values.small[base + B + 2] = z === 0 ? 0 : 1;
      },
    };
  },
  RescaleEven: (B = 0, s = 0, k = 0, lo = 0, signed = 0) => {
    const h = B - signed - s - k;
    const zeroTest = h > 0 && !(h === 1 && signed === 0);
    const odd = Math.abs(lo % 2);
    const off = 2 ** (s - 1) - odd - lo * 2 ** s + (signed === 1 ? 2 ** (B - 1) : 0);
    const [step, sign, width] = [2 ** s, signed === 1 ? 2 ** (B - 1 - s) : 0, 2 ** k];
    return {
      inputs: ["x"],
      outputs: ["y"],
      internals: [...names("b", B), "fix", ...(zeroTest ? ["out[0]", "inv[0]"] : []), "rinv", "tie"],
      run([x], base, values) {
        const u = number(x) + off;
        const raw = Math.floor(u / step);
        const half = u - raw * step - (odd === 1 ? step - 1 : 0);
        const fix = half === 0 && raw % 2 !== odd ? 1 : 0;
        const quotient = raw - sign + (odd === 1 ? fix : -fix);
        values.small[base] = Math.min(width - 1, Math.max(0, quotient)) + lo;
        putBits(u, B, base + 1, values);
        const next = base + B + 1;
        values.small[next] = fix;
        values.set(next + (zeroTest ? 3 : 1), half === 0 ? 0 : inverseOfSmall(half));
        values.small[next + (zeroTest ? 4 : 2)] = half === 0 ? 1 : 0;
        if (!zeroTest) return;
        const z = quotient >= 0 ? Math.floor(quotient / width) : Math.floor((quotient + sign) / width) - 2 ** h;
        values.small[next + 1] = z === 0 ? 0 : 1;
        values.set(next + 2, z === 0 ? 0 : inverseOfSmall(z));
      },
    };
  },
  AtMost: (n = 0, hi = 0) => ({
    inputs: ["x"],
    outputs: ["y"],
    internals: names("b", n + 1),
    run([x], base, values) {
      const small = number(x);
      values.small[base] = Math.min(small, hi);
      putBits(small - hi - 1 + 2 ** n, n + 1, base + 1, values);
    },
  }),
  Max2: (n = 0) => ({
    inputs: ["x", "y"],
    outputs: ["m"],
    internals: names("b", n + 1),
    run([x, y], base, values) {
      const [a, b] = [number(x), number(y)];
      values.small[base] = Math.max(a, b);
      putBits(a - b + 2 ** n, n + 1, base + 1, values);
    },
  }),
  MaxIndex: (n = 0) => ({
    inputs: ["x", "i", "y", "j"],
    outputs: ["m", "k"],
    internals: names("b", n + 1),
    run([x, i, y, j], base, values) {
      const [a, b] = [number(x), number(y)];
      values.small[base] = Math.max(a, b);
      values.small[base + 1] = number(a >= b ? i : j);
      putBits(a - b + 2 ** n, n + 1, base + 2, values);
    },
  }),
  Mul: () => ({
    inputs: ["x", "y"],
    outputs: ["z"],
    internals: [],
    run([x, y], base, values) {
      values.set(base, times(x as Value, y as Value));
    },
  }),
  Select: () => ({
    inputs: ["c", "a", "b"],
    outputs: ["y"],
    internals: [],
    run([c, a, b], base, values) {
      if (c === 0 || c === 1) values.set(base, (c === 1 ? a : b) as Value);
      else values.set(base, plus(b as Value, times(c as Value, plus(a as Value, times(b as Value, -1)))));
    },
  }),
  IsZero: () => ({
    inputs: ["x"],
    outputs: ["y"],
    internals: ["inv"],
    run([x], base, values) {
      const small = number(x);
      values.small[base] = small === 0 ? 1 : 0;
      values.set(base + 1, small === 0 ? 0 : inverseOfSmall(small));
    },
  }),
  AtLeast: (n = 0) => ({
    inputs: ["x"],
    outputs: ["y"],
    internals: names("b", n),
    run([x], base, values) {
      const small = number(x);
      if (small < -(2 ** n) || small >= 2 ** n) throw new RangeError(`${small} does not fit ${n} bits and a sign`);
      values.small[base] = small >= 0 ? 1 : 0;
      putBits(small >= 0 ? small : small + 2 ** n, n, base + 1, values);
    },
  }),
  Steps: (B = 0, m = 0, ...T) => ({
    inputs: ["x"],
    outputs: names("y", m),
    internals: [...names("b", B), ...names("c", B)],
    run([x], base, values) {
      const small = number(x);
      let k = 0;
      while (k < m && small >= (T[k + 1] as number)) values.small[base + k++] = 1;
      values.small.fill(0, base + k, base + m);
      putBits(small - (T[k] as number), B, base + m, values);
      putBits((T[k + 1] as number) - 1 - small, B, base + m + B, values);
    },
  }),
  OneHot: (m = 0) => ({
    inputs: ["x"],
    outputs: names("y", m),
    internals: [],
    run([x], base, values) {
      const small = number(x);
      if (!(small >= 0 && small < m)) throw new RangeError(`${small} is no index below ${m}`);
      values.small.fill(0, base, base + m);
      values.small[base + small] = 1;
    },
  }),
  Div: (n = 0, lo = 0, k = 0) => ({
    inputs: ["a", "b"],
    outputs: ["q"],
    internals: [...names("p", n), ...names("r", k), ...names("s", k)],
    run([a, b], base, values) {
      const [dividend, divisor] = [number(a), number(b)];
      const rest = ((dividend % divisor) + divisor) % divisor;
      const q = (dividend - rest) / divisor;
      values.small[base] = q;
      putBits(q - lo, n, base + 1, values);
      putBits(rest, k, base + 1 + n, values);
      putBits(divisor - 1 - rest, k, base + 1 + n + k, values);
    },
  }),
  Sqrt: (n = 0, lo = 0, k = 0) => ({
    inputs: ["x"],
    outputs: ["q"],
    internals: [...names("p", n), ...names("d", k), ...names("e", k)],
    run([x], base, values) {
      const small = number(x);
      const q = Math.floor(Math.sqrt(small)); // below 2^52 the rounded root never crosses an integer
      values.small[base] = q;
      putBits(q - lo, n, base + 1, values);
      putBits(small - q * q, k, base + 1 + n, values);
      putBits(2 * q - (small - q * q), k, base + 1 + n + k, values);
    },
  }),
  Horner: () => ({
    inputs: ["t", "w", "r"],
    outputs: ["o"],
    internals: [],
    run([t, w, r], base, values) {
      values.set(base, ((BigInt(t as Value) + BigInt(w as Value)) * BigInt(r as Value)) % R);
    },
  }),
  Sbox: () => ({
    inputs: ["in"],
    outputs: ["out"],
    internals: ["in2", "in4"],
    run([x], base, values) {
      const value = BigInt(x as Value);
      const square = (value * value) % R;
      const fourth = (square * square) % R;
      values.set(base, (fourth * value) % R);
      values.set(base + 1, square);
      values.set(base + 2, fourth);
    },
  }),
};
