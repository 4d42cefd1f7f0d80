// A circuit's polynomials: from a key's terms and a witness to the scalars of the quotient's multi-exponentiation, in one
// kernel instance. Every function works in the caller's Arena: results lie at its top, so that mark and rewind free them.
// The arithmetic, and the factors that coefficients carry, are in kernel/qap.ts and kernel/fft.ts.
import { NodeError } from "../core/errors.ts";
import { inverse as invert, power as raise, R } from "../core/field.ts";
import { VALUE_BYTES } from "./key.ts";
import type { Polynomial } from "./messages.ts";
import type { Arena, Pointer } from "./module.ts";
import { PAIR, putPair, SINGLE } from "./pair.ts";
import type { Terms } from "./terms.ts";

/** Pairs in one call: long loops are cut up, as V8 exchanges slow code for fast code only between calls. */
const CHUNK = 512;
/** Of a key's section or of a witness, in one call. */
const PIECE = 4096;

/** Of 2^28 elements, the largest there is: snarkjs' roots of unity are its powers, Fr.w[k] = ROOT^(2^(28-k)). */
const TWO_ADICITY = 28;
const ROOT = raise(5n, (R - 1n) >> BigInt(TWO_ADICITY));

export interface Domain {
  readonly power: number;
  /** n = 2^power */
  readonly size: number;
  readonly inverse: Pointer;
  readonly forward: Pointer;
  /** A pair of constants: see join. */
  readonly factor: Pointer;
}

/**
 * Tables for polynomials of 2^power coefficients: 60 bytes a coefficient.
 * @throws NodeError "input" unless power is in 1..27: snarkjs' smallest domain has two elements
 */
export function openDomain(arena: Arena, power: number): Domain {
  if (!Number.isInteger(power) || power < 1 || power >= TWO_ADICITY) {
    throw new NodeError("input", `a circuit cannot have a domain of 2^${power}`);
  }
  const size = 2 ** power;
  const factor = arena.alloc(PAIR);
  const inverse = arena.alloc(PAIR * Math.max(1, size / 4));
  const forward = arena.alloc(PAIR * Math.max(1, size / 2));
  const before = arena.mark();
  const step = arena.alloc(PAIR);

  // T[2^t + k] = T[k] * w^-1, w of order 2^(t+2).
  putPair(arena, inverse, 1n, invert(rootOf(2)));
  for (let pairs = 1, t = 1; pairs < size / 4; pairs *= 2, t++) {
    putPair(arena, step, invert(rootOf(t + 2)));
    grow(arena, inverse, pairs, step, inverse + pairs * PAIR);
  }
  // Level of m = 2^level elements, at pair m / 4: g^(1 + 2j), g of order 2m.
  putPair(arena, forward, rootOf(2));
  for (let level = 2; level <= power; level++) {
    const pairs = 2 ** (level - 2);
    const at = forward + pairs * PAIR;
    const g = rootOf(level + 1);
    putPair(arena, at, g, (g * g * g) % R);
    for (let done = 1, by = g ** 4n % R; done < pairs; done *= 2, by = (by * by) % R) {
      putPair(arena, step, by);
      grow(arena, at, done, step, at + done * PAIR);
    }
  }
  putPair(arena, factor, -BigInt(size));
  arena.rewind(before);
  return { power, size, inverse, forward, factor };
}

/** to[i] = from[i] * step. */
function grow({ kernel }: Arena, from: Pointer, pairs: number, step: Pointer, to: Pointer): void {
  for (let done = 0; done < pairs; done += CHUNK) {
    kernel.scale(from + done * PAIR, Math.min(CHUNK, pairs - done), step, to + done * PAIR);
  }
}

/**
 * A witness for coset, 40 bytes a value.
 * @param values `count` plain numbers of 32 bytes, little-endian
 * @throws NodeError "input" if one is not below R
 */
export function loadWitness(arena: Arena, values: Pointer, count: number): Pointer {
  const witness = arena.alloc(SINGLE * count);
  for (let done = 0; done < count; done += PIECE) {
    const piece = Math.min(PIECE, count - done);
    const taken = arena.kernel.unpackValues(values + VALUE_BYTES * done, piece, witness + SINGLE * done);
    if (taken < piece) {
      throw new NodeError("input", `the witness' value ${done + taken} is not below the field's order`);
    }
  }
  return witness;
}

/** Bytes of what coset returns. */
export function cosetBytes({ size }: Domain): number {
  return Math.max(2, size / 2) * PAIR;
}

/** Values of one polynomial at the odd powers of the 2n-th root of unity; cosetBytes(domain) bytes, for join. */
export function coset(arena: Arena, domain: Domain, terms: Terms, witness: Pointer, which: Polynomial): Pointer {
  const { kernel } = arena;
  const pairs = domain.size / 2;
  const result = arena.alloc(cosetBytes(domain));
  const startsOf = (matrix: 0 | 1, pair: number): Pointer => terms.starts + 4 * (matrix * domain.size + 2 * pair);
  for (let done = 0; done < pairs; done += CHUNK) {
    const [to, count] = [result + PAIR * done, Math.min(CHUNK, pairs - done)];
    const common = [terms.terms, terms.coefficients, witness, count, to] as const;
    if (which === "c") kernel.products(startsOf(0, done), startsOf(1, done), ...common);
    else kernel.rows(startsOf(which === "a" ? 0 : 1, done), ...common);
  }
  // The only pair of a domain of two is transformed with a second one.
  if (pairs === 1) arena.bytes(result + PAIR, PAIR).fill(0);
  kernel.coset(result, pairs, domain.inverse, domain.forward);
  return result;
}

/** The quotient's scalars, a * b - c at each point: 32 n bytes, plain, below R, little-endian. */
export function join(arena: Arena, domain: Domain, a: Pointer, b: Pointer, c: Pointer): Pointer {
  const { kernel } = arena;
  const pairs = domain.size / 2;
  const scalars = arena.alloc(VALUE_BYTES * domain.size);
  for (let done = 0; done < pairs; done += CHUNK) {
    const [at, count] = [done * PAIR, Math.min(CHUNK, pairs - done)];
    kernel.join(a + at, b + at, c + at, domain.factor, count, scalars + 2 * VALUE_BYTES * done);
  }
  return scalars;
}

/** A root of unity of order 2^k, snarkjs' Fr.w[k]. */
export function rootOf(k: number): bigint {
  return raise(ROOT, 1n << BigInt(TWO_ADICITY - k));
}
