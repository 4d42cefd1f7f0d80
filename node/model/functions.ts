// Real functions of one variable, as expressions: what tables are computed from. Made of IEEE + - * / and square roots
// alone, which round the same on every machine; Math.exp and its like do not. Knows no units: see nonlinear.ts for tables.
import type { Expr } from "./graph.ts";
import { exponentOf, pow2 } from "./binary.ts";

const LN2_HIGH = 6.9314718036912381649e-1;
const LN2_LOW = 1.90821492927058770002e-10;
/** fdlibm's coefficients (e_exp.c, e_log.c; Sun Microsystems 1993, freely redistributable). */
const EXP = [1.66666666666666019037e-1, -2.77777777770155933842e-3, 6.61375632143793436117e-5, -1.6533902205465251539e-6, 4.13813679705723846039e-8] as const; // prettier-ignore
const LOG = [6.66666666666673513e-1, 3.999999999940941908e-1, 2.857142874366239149e-1, 2.222219843214978396e-1, 1.818357216161805012e-1, 1.531383769920937332e-1, 1.479819860511658591e-1] as const; // prettier-ignore

/** c[0] + c[1] x + ... */
function polynomial(c: readonly number[], x: number): number {
  return c.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
}

/** e^x, within 1 unit in the last place (fdlibm's method). */
export function exp(x: number): number {
  if (!(x > -746)) return Number.isNaN(x) ? x : 0;
  if (x > 709.79) return Infinity;
  const k = Math.floor(x * 1.442695040888963387 + 0.5);
  const [high, low] = [x - k * LN2_HIGH, k * LN2_LOW];
  const r = high - low;
  const c = r - r * r * polynomial(EXP, r * r);
  const y = 1 - (low - (r * c) / (2 - c) - high);
  if (k < -1000) return y * pow2(k + 1000) * pow2(-1000);
  return k > 1000 ? y * pow2(k - 1000) * pow2(1000) : y * pow2(k);
}

/** The natural logarithm, within 1 unit in the last place (fdlibm's method). */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x > 0 ? x : NaN;
  let k = exponentOf(x);
  let m = k < -1000 ? (x * pow2(100)) / pow2(k + 100) : x / pow2(k);
  if (m > Math.SQRT2) [m, k] = [m / 2, k + 1];
  const f = m - 1;
  const s = f / (2 + f);
  const half = (f * f) / 2;
  const rest = s * s * polynomial(LOG, s * s);
  return k * LN2_HIGH - (half - (s * (half + rest) + k * LN2_LOW) - f);
}

/** e^x - 1, within 4 units in the last place. (Kahan's correction of the rounded exponential.) */
export function expm1(x: number): number {
  const u = exp(x);
  if (u === 1) return x;
  if (u - 1 === -1 || u === Infinity) return u - 1;
  return ((u - 1) * x) / log(u);
}

/** log(1 + x), within 4 units in the last place. (Kahan's correction of the rounded sum.) */
export function log1p(x: number): number {
  const u = 1 + x;
  if (u === 1) return x;
  return u === Infinity || u === 0 ? log(u) : (log(u) * x) / (u - 1);
}

/** Within 6 units in the last place. */
export function tanh(x: number): number {
  const size = Math.abs(x);
  if (size > 22) return Math.sign(x);
  const t = expm1(2 * size);
  return Math.sign(x) * (size < 0.5 ? t / (t + 2) : 1 - 2 / (t + 2));
}

export function sigmoid(x: number): number {
  return 1 / (1 + exp(-x));
}

/** log(1 + e^x) */
export function softplus(x: number): number {
  return Math.max(x, 0) + log1p(exp(-Math.abs(x)));
}

/**
 * The error function, within 16 units in the last place: erf(x) = 2/sqrt(pi) e^(-x^2) sum_n 2^n x^(2n+1) / (1 3 ... (2n+1)),
 * whose terms are all of one sign. x^2 is split, as its rounding would be the largest error.
 */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (!(size < 6)) return Math.sign(x);
  let term = size;
  let sum = size;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * size * size) / (2 * n + 1);
    sum += term;
  }
  const head = Math.floor(size * 2 ** 24) / 2 ** 24;
  const tail = size - head;
  return Math.sign(x) * Math.min(1, 1.1283791670955125739 * sum * exp(-head * head) * exp(-tail * (size + head)));
}

/**
 * a^b: integers and halves by multiplication and a square root (relative error below 1e-13 for |b| <= 512), others by
 * exp(b log a) (below 1e-13 where |b log a| < 300). NaN for negative a unless b is an integer.
 */
export function pow(a: number, b: number): number {
  if (b < 0) return 1 / pow(a, -b);
  if (Math.abs(b) <= 512 && Number.isInteger(2 * b)) {
    let [result, square] = [Number.isInteger(b) ? 1 : Math.sqrt(a), a];
    for (let n = Math.floor(b); n > 0; n = Math.floor(n / 2)) {
      if (n % 2 === 1) result *= square;
      square *= square;
    }
    return result;
  }
  if (a < 0 && Number.isInteger(b)) return (b % 2 === 0 ? 1 : -1) * pow(-a, b);
  return exp(b * log(a));
}

/** The nearest integer; halves go to the even one, as ONNX' Round has it. */
export function roundEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
}

const FUNCTIONS = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  min: (a: number, b: number) => Math.min(a, b),
  max: (a: number, b: number) => Math.max(a, b),
  abs: (a: number) => Math.abs(a),
  sqrt: (a: number) => Math.sqrt(a),
  exp,
  expm1,
  log,
  log1p,
  tanh,
  sigmoid,
  softplus,
  erf,
  pow,
  floor: (a: number) => Math.floor(a),
  ceil: (a: number) => Math.ceil(a),
  round: roundEven,
  trunc: (a: number) => Math.trunc(a),
  sign: (a: number) => Math.sign(a),
  /** 1 where a is > 0, >= 0, = 0; else 0. */
  positive: (a: number) => (a > 0 ? 1 : 0),
  nonnegative: (a: number) => (a >= 0 ? 1 : 0),
  zero: (a: number) => (a === 0 ? 1 : 0),
  /** c ? a : b */
  select: (c: number, a: number, b: number) => (c !== 0 ? a : b),
  /** The entry of a list for the integer nearest to i: that of `first` comes first; its ends go on. */
  entry: (i: number, first: number, ...list: number[]) =>
    list[Math.min(list.length - 1, Math.max(0, roundEven(i - first)))] as number,
} satisfies Readonly<Record<string, (...args: number[]) => number>>;

export type FunctionName = keyof typeof FUNCTIONS;

/** The expression as a function, for many x. -0 comes out as 0. */
export function functionOf(expr: Expr): (x: number) => number {
  const compiled = compile(expr);
  return (x) => compiled(x) + 0;
}

function compile(expr: Expr): (x: number) => number {
  if (expr === "x") return (x) => x;
  if (typeof expr === "number") return () => expr;
  const [name, ...args] = expr;
  if (name === "entry") {
    const [index, ...numbers] = args;
    const [at, [first, ...list]] = [compile(index as Expr), numbers as [number, ...number[]]];
    return (x) => FUNCTIONS.entry(at(x), first, ...list);
  }
  const [a, b, c] = args.map(compile);
  const apply: (...args: number[]) => number = FUNCTIONS[name];
  if (a === undefined) return () => apply();
  if (b === undefined) return (x) => apply(a(x));
  return c === undefined ? (x) => apply(a(x), b(x)) : (x) => apply(a(x), b(x), c(x));
}

/** expr(x) */
export function evaluateExpr(expr: Expr, x: number): number {
  return functionOf(expr)(x);
}

/** `outer` of `inner`: every "x" replaced. */
export function composed(outer: Expr, inner: Expr): Expr {
  if (outer === "x") return inner;
  if (typeof outer === "number") return outer;
  const [name, ...args] = outer;
  return [name, ...args.map((arg) => composed(arg, inner))];
}

/** Names and leaves of the expression: what it costs to evaluate. */
export function sizeOfExpr(expr: Expr): number {
  if (typeof expr !== "object") return 1;
  const [, ...args] = expr;
  return args.reduce<number>((sum, arg) => sum + sizeOfExpr(arg), 1);
}
