// Many proofs of one key, verified by one product of pairings, whose points the prover's kernel prepares; as strict as
// groth16/check.ts on each. snarkjs' own verify leaves some of its checks out.
import { randomBytes } from "node:crypto";
import { type Proof, signalList, type Signals, type VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { R } from "../core/field.ts";
import { encodeG1, encodeG2, judgeKey, verifyProof } from "../groth16/check.ts";
import { isSound, localCurve } from "../groth16/curve.ts";
import { Arena, compile, instantiate } from "../groth16/module.ts";
import { add, combine, histogram, loadBases, negate, plan, scale, sums } from "../groth16/msm.ts";
import { littleEndian } from "./zkey.ts";

export { verifyProof };

export interface Claimed {
  readonly signals: Signals;
  readonly proof: Proof;
}

/** Bits of the random factors: a false proof among them passes with a chance of 2^-128. */
const FACTOR_BYTES = 16;
const INFINITY1 = new Uint8Array(64);

/**
 * Whether all of `claims` hold, as strict as verifyProof on each: k + 3 pairings in one product instead of 4 k in k. Which one
 * fails it does not say. With random factors f_i, and L_i the signals' point of claim i:
 * product of e(f_i A_i, B_i) = e(sum f_i alpha, beta) e(sum f_i L_i, gamma) e(sum f_i C_i, delta).
 * @throws NodeError "integrity" if the key is not fit for use
 */
export async function verifyProofs(key: VerifyingKey, claims: readonly Claimed[]): Promise<boolean> {
  await judgeKey(key);
  const arena = await kernel();
  if (arena === undefined || claims.length < 2) {
    for (const { signals, proof } of claims) if (!(await verifyProof(key, signals, proof))) return false;
    return true;
  }
  const curve = await localCurve();
  const pairs: Uint8Array[] = [];
  const cs: Uint8Array[] = [];
  const factors: Uint8Array[] = [];
  /** Of the points IC_0, IC_1 and so on. */
  const weights = key.ic.map(() => 0n);
  for (const { signals, proof } of claims) {
    const values = [1n, ...signalList(signals)];
    const [a, b, c] = [encodeG1(proof.a), encodeG2(proof.b), encodeG1(proof.c)];
    if (values.some((value) => value < 0n || value >= R) || a === undefined || b === undefined || c === undefined)
      return false;
    const onCurve = isSound(curve, "G1", a) && isSound(curve, "G1", c) && !curve.G2.isZero(b) && curve.G2.isValid(b);
    if (!onCurve || !curve.G2.isZero(scale(arena, 2, b, littleEndian(R)))) return false;
    const bytes = new Uint8Array(32);
    bytes.set(randomBytes(FACTOR_BYTES));
    const factor = BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
    values.forEach((value, i) => (weights[i] = ((weights[i] as bigint) + factor * value) % R));
    pairs.push(negate(arena, 1, scale(arena, 1, a, bytes)), b);
    cs.push(c);
    factors.push(bytes);
  }
  const times = (point: readonly [bigint, bigint], factor: bigint): Uint8Array =>
    scale(arena, 1, encodeG1(point) as Uint8Array, littleEndian(factor));
  const inputs = key.ic.reduce<Uint8Array>(
    (sum, point, i) => add(arena, 1, sum, times(point, weights[i] as bigint)),
    INFINITY1,
  );
  const last: readonly (readonly [Uint8Array, Uint8Array])[] = [
    [times(key.alpha, weights[0] as bigint), encodeG2(key.beta) as Uint8Array],
    [inputs, encodeG2(key.gamma) as Uint8Array],
    [sumOf(arena, cs, factors), encodeG2(key.delta) as Uint8Array],
  ];
  // ffjavascript's Miller loop does not know infinity, whose pairing is one.
  return curve.pairingEq(...pairs, ...last.filter(([point]) => !curve.G1.isZero(point)).flat());
}

function sumOf(arena: Arena, points: readonly Uint8Array[], scalars: readonly Uint8Array[]): Uint8Array {
  const mark = arena.mark();
  const at = arena.alloc(32 * scalars.length);
  scalars.forEach((scalar, i) => arena.bytes(at + 32 * i, 32).set(scalar));
  const bases = loadBases(arena, 1, points.length, points);
  const shape = plan(histogram(arena, at, scalars.length));
  const sum = combine(arena, 1, sums(arena, [bases], at, shape, 0, shape.windows));
  arena.rewind(mark);
  return sum;
}

let local: Promise<Arena | undefined> | undefined;

/** An instance of the prover's kernel; none on engines that lack what it needs. */
function kernel(): Promise<Arena | undefined> {
  local ??= compile().then(
    (module) => new Arena(instantiate(module)),
    (thrown: unknown) => {
      if (thrown instanceof NodeError && thrown.code === "unsupported") return undefined;
      throw thrown;
    },
  );
  return local;
}
