// A Groth16 key whose toxic waste is known, and so a real, valid proof of any signals at all, without a circuit. For tests
// of what stands behind a circuit: contracts, codecs, the node. What it proves is false as soon as anybody believes it.
import { bn254 } from "@noble/curves/bn254.js";
import { id } from "ethers";
import type { Hex, Proof, Signals, VerifyingKey } from "../../node/core/domain.ts";
import { signalList } from "../../node/core/domain.ts";
import { R, inverse, reduce } from "../../node/core/field.ts";

export interface Trapdoor {
  readonly alpha: bigint;
  readonly beta: bigint;
  readonly gamma: bigint;
  readonly delta: bigint;
  readonly ic: readonly [bigint, bigint, bigint, bigint];
}

export type G1 = readonly [bigint, bigint];
/** [x, y], each [imaginary, real]. */
export type G2 = readonly [readonly [bigint, bigint], readonly [bigint, bigint]];

const scalarOf = (name: string): bigint => BigInt(id(name)) % R;

/** The toxic waste that `seed` stands for; Trapdoor.sol derives the same from "glassbox.test". */
export function trapdoorOf(seed: string, overrides: Partial<Trapdoor> = {}): Trapdoor {
  const part = (name: string): bigint => scalarOf(`${seed}.${name}`);
  return {
    alpha: part("alpha"),
    beta: part("beta"),
    gamma: part("gamma"),
    delta: part("delta"),
    ic: [part("ic0"), part("ic1"), part("ic2"), part("ic3")],
    ...overrides,
  };
}

export const TRAPDOOR: Trapdoor = trapdoorOf("glassbox.test");

/** scalar times the generator of G1; (0, 0) for infinity. */
export function g1(scalar: bigint): G1 {
  if (reduce(scalar) === 0n) return [0n, 0n];
  const { x, y } = bn254.G1.Point.BASE.multiply(reduce(scalar)).toAffine();
  return [x, y];
}

/** scalar times the generator of G2; zeros for infinity. */
export function g2(scalar: bigint): G2 {
  if (reduce(scalar) === 0n) return [[0n, 0n], [0n, 0n]]; // prettier-ignore
  const { x, y } = bn254.G2.Point.BASE.multiply(reduce(scalar)).toAffine();
  return [
    [x.c1, x.c0],
    [y.c1, y.c0],
  ];
}

/** A point of the twist that is on the curve but outside of the subgroup of order R: x and y, imaginary half first. */
export function g2OutsideSubgroup(): bigint[] {
  const { Fp2 } = bn254.fields;
  for (let real = 1n; ; real++) {
    const x = Fp2.create({ c0: real, c1: 0n });
    const square = Fp2.add(Fp2.mul(Fp2.sqr(x), x), bn254.G2.Point.CURVE().b);
    let y: typeof x;
    try {
      y = Fp2.sqrt(square);
    } catch {
      continue;
    }
    const point = bn254.G2.Point.fromAffine({ x, y });
    if (!point.isTorsionFree()) return [x.c1, x.c0, y.c1, y.c0];
  }
}

/** The sum of two points of G1 that are not each other's negatives. */
export function g1Sum([ax, ay]: G1, [bx, by]: G1): G1 {
  const { Point } = bn254.G1;
  const { x, y } = Point.fromAffine({ x: ax, y: ay })
    .add(Point.fromAffine({ x: bx, y: by }))
    .toAffine();
  return [x, y];
}

export function verifyingKeyOf(trapdoor: Trapdoor): VerifyingKey {
  return {
    alpha: g1(trapdoor.alpha),
    beta: g2(trapdoor.beta),
    gamma: g2(trapdoor.gamma),
    delta: g2(trapdoor.delta),
    ic: trapdoor.ic.map(g1),
  };
}

/** A proof of `signals`: a and b may be any non-zero scalars, c solves the equation in the exponent. */
export function prove(trapdoor: Trapdoor, signals: Signals, { a = 7n, b = 11n } = {}): Proof {
  const [ic0, ...ics] = trapdoor.ic;
  const sum = signalList(signals).reduce((total, signal, j) => total + signal * (ics[j] as bigint), ic0);
  const c = (a * b - trapdoor.alpha * trapdoor.beta - sum * trapdoor.gamma) * inverse(trapdoor.delta);
  return { a: g1(a), b: g2(b), c: g1(c) };
}

/** The same statement in other bytes, as anybody can make them without a secret: (a A, a^-1 B, C). */
export function rerandomise(proof: Proof, factor: bigint): Proof {
  const a = bn254.G1.Point.fromAffine({ x: proof.a[0], y: proof.a[1] }).multiply(factor).toAffine();
  const [[xi, xr], [yi, yr]] = proof.b;
  const fp2 = (im: bigint, re: bigint): { c0: bigint; c1: bigint } => ({ c0: re, c1: im });
  const b = bn254.G2.Point.fromAffine({ x: fp2(xi, xr), y: fp2(yi, yr) })
    .multiply(inverse(factor))
    .toAffine();
  return {
    a: [a.x, a.y],
    b: [
      [b.x.c1, b.x.c0],
      [b.y.c1, b.y.c0],
    ],
    c: proof.c,
  };
}

/** The eight words of a proof, as the contracts take them. */
export function proofWords(proof: Proof): bigint[] {
  return [...proof.a, ...proof.b.flat(), ...proof.c];
}

/** The 22 words of a key, as the contracts take them. */
export function keyWords(key: VerifyingKey): bigint[] {
  return [...key.alpha, ...key.beta.flat(), ...key.gamma.flat(), ...key.delta.flat(), ...key.ic.flat()];
}

export function bytesOfWords(words: readonly bigint[]): Hex {
  return `0x${words.map((word) => word.toString(16).padStart(64, "0")).join("")}`;
}
