// Whether the engine may be trusted with proofs: WebAssembly allows relaxed_madd not to fuse, and then products are wrong.
// Runs once when a prover starts, before it is given anything: products at the edges, one multi-exponentiation, one proof,
// each against a stored answer. The answers are made and checked by test/node/groth16/selftest.test.ts.
import { NodeError } from "../core/errors.ts";
import { Q, R } from "../core/field.ts";
import { openEngine } from "./engine.ts";
import { Arena, type Kernel, type Pointer } from "./module.ts";
import { combine, histogram, loadBases, plan, sums } from "./msm.ts";
import { assemble, type Points } from "./proof.ts";
import { VECTOR } from "./selftest-vector.ts";
import { bytesSource } from "./source.ts";

/** @throws NodeError "unsupported", naming what failed */
export function selfTest(kernel: Kernel): void {
  const arena = new Arena(kernel);
  const failed = [
    holds(() => productsHold(arena)) ? [] : ["products (multiply-add is not fused)"],
    holds(() => same(sumOf(arena), decode(VECTOR.sum))) ? [] : ["a multi-exponentiation"],
    holds(() => proofHolds(kernel)) ? [] : ["a proof"],
  ].flat();
  if (failed.length === 0) return;
  throw new NodeError("unsupported", `this JavaScript engine computes wrongly: ${failed.join(", ")}`, {
    mend: "snarkjs proves the same without fused arithmetic; please report the engine's version and processor.",
  });
}

/** Wrong arithmetic may also end in an error, as of scalars that are not reduced. Too little memory says nothing of it. */
function holds(part: () => boolean): boolean {
  try {
    return part();
  } catch (thrown) {
    if (thrown instanceof NodeError && thrown.code === "environment") throw thrown;
    return false;
  }
}

/** Limbs where a product that is rounded twice goes wrong: all ones, largest, smallest, mixed. */
const LIMBS = [2 ** 50, -(2 ** 50), 2 ** 50 - 1, 1, -1, 0, 1 - 2 ** 50, 750599937895082];

function productsHold(arena: Arena): boolean {
  const { kernel } = arena;
  const mark = arena.mark();
  const [a, b, r] = [arena.alloc(80), arena.alloc(80), arena.alloc(80)];
  const limbs = (at: Pointer): Float64Array => new Float64Array(kernel.memory.buffer, at, 10);
  const value = (at: Pointer, lane: number): bigint =>
    Array.from({ length: 5 }, (_, i) => BigInt(limbs(at)[2 * i + lane] as number) << BigInt(51 * i)).reduce(
      (x, y) => x + y,
    );
  let good = true;
  for (const [modulus, p] of [
    [Number(kernel.FP.value), Q],
    [Number(kernel.FR.value), R],
  ] as const) {
    for (let k = 0; k < 32; k++) {
      for (let i = 0; i < 10; i++) {
        // The top limb is kept small, so that values stay below the modulus.
        const shrink = i >= 8 ? 2 ** -2 : 1;
        limbs(a)[i] = Math.trunc((LIMBS[(k + i) % 8] as number) * shrink);
        limbs(b)[i] = Math.trunc((LIMBS[(3 * k + (k >> 3) + 5 * i) % 8] as number) * shrink);
      }
      kernel.mul(modulus, a, b, r);
      for (const lane of [0, 1]) {
        good &&= ((value(r, lane) << 255n) - value(a, lane) * value(b, lane)) % p === 0n;
      }
    }
  }
  arena.rewind(mark);
  return good;
}

/** The key's points of A, again and again, times scalars of every size. */
function sumOf(arena: Arena): Uint8Array {
  const mark = arena.mark();
  const points = decode(VECTOR.points);
  const size = points.length / 64;
  const count = 8 * size;
  const scalars = arena.alloc(32 * count);
  arena.bytes(scalars, 32 * count).set(testScalars(count));
  const repeated = Array.from({ length: 8 }, () => points);
  const bases = loadBases(arena, 1, count, repeated);
  const shape = plan(histogram(arena, scalars, count));
  const sum = combine(arena, 1, sums(arena, [bases], scalars, shape, 0, shape.windows));
  arena.rewind(mark);
  return sum;
}

/** 32 bytes each, of lengths 0 to 31 bytes: every path, and always the same. */
export function testScalars(count: number): Uint8Array {
  const bytes = new Uint8Array(32 * count);
  let state = 1;
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < i % 32; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes
      bytes[32 * i + k] = state >>> 24;
    }
  }
  return bytes;
}

function proofHolds(kernel: Kernel): boolean {
  const engine = openEngine(kernel, 2 ** 20);
  const { header } = engine.key(bytesSource(decode(VECTOR.key), "self-test"));
  const ofWitness = plan(engine.witness(bytesSource(decode(VECTOR.witness), "self-test")).histogram);
  const joined = engine.join(engine.coset("a"), engine.coset("b"), engine.coset("c"));
  engine.scalars(joined.scalars);
  const ofJoined = plan(joined.histogram);
  const arena = new Arena(kernel);
  const one = (of: "a" | "b" | "c" | "h"): Uint8Array[] => {
    const shape = of === "h" ? ofJoined : ofWitness;
    const [points] = engine.sum(of, shape, 0, shape.windows) as [Uint8Array[]];
    return points;
  };
  const [a, b, c, h] = [one("a"), one("b"), one("c"), one("h")];
  // Behind the engine's own memory, which is not needed any more.
  const total = (group: 1 | 2, points: Uint8Array | undefined): Uint8Array =>
    combine(arena, group, [points as Uint8Array]);
  const points: Points = assemble(
    arena,
    header,
    { a: total(1, a[0]), b1: total(1, b[0]), b2: total(2, b[1]), c: total(1, c[0]), h: total(1, h[0]) },
    { r: BigInt(VECTOR.blinding.r), s: BigInt(VECTOR.blinding.s) },
  );
  return (
    same(points.a, decode(VECTOR.proof.a)) &&
    same(points.b, decode(VECTOR.proof.b)) &&
    same(points.c, decode(VECTOR.proof.c))
  );
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function decode(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}
