// core/poseidon.ts as a circuit, in circomlib's optimised form, written once over an abstract state: over values it is the
// witness, over combinations of wires it is the rows, where only S-boxes cost any. Constants are circomlib's, from
// circomlibjs' data file; equal to circomlib's Poseidon(16) by test. Sbox.circom is the source of the rows.
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { R, power, reduce } from "../core/field.ts";
import { RATE } from "../core/poseidon.ts";
import type { Gadget } from "./gadget.ts";
import { names } from "./hints.ts";
import type { Hint } from "./hints.ts";
import { lcOf, times } from "./lc.ts";
import type { Lc, Row, Value } from "./lc.ts";

/** The gadget's name: h' = Poseidon(h, 15 words). */
export const ABSORB = "Absorb";
const INPUTS = RATE + 1;
const T = INPUTS + 1;
const FULL = 8;
const PARTIAL = 68;

interface Constants {
  readonly C: readonly bigint[];
  readonly S: readonly bigint[];
  readonly M: readonly (readonly bigint[])[];
  readonly P: readonly (readonly bigint[])[];
}

let constants: Constants | undefined;

function constantsOf(): Constants {
  if (constants !== undefined) return constants;
  const main = createRequire(import.meta.url).resolve("circomlibjs"); // its exports hide the data file
  const file = path.join(path.dirname(main), "../src/poseidon_constants_opt.json");
  const all = JSON.parse(fs.readFileSync(file, "utf8")) as {
    C: string[][];
    S: string[][];
    M: string[][][];
    P: string[][][];
  };
  const big = (list: readonly string[] | undefined): bigint[] => (list as string[]).map(BigInt);
  const at = T - 2;
  constants = {
    C: big(all.C[at]),
    S: big(all.S[at]),
    M: (all.M[at] as string[][]).map(big),
    P: (all.P[at] as string[][]).map(big),
  };
  return constants;
}

interface Algebra<X> {
  /** x^5; `name` is circomlib's of the S-box. */
  sbox(x: X, name: string): X;
  /** x + constant */
  add(x: X, constant: bigint): X;
  /** sum of factors[i] * xs[i] */
  mix(factors: readonly bigint[], xs: readonly X[]): X;
}

/** Poseidon's first output for a state of 17, in the optimised form of circomlib (its rounds, names and constants). */
function permute<X>(initial: readonly X[], { sbox, add, mix }: Algebra<X>): X {
  const { C, S, M, P } = constantsOf();
  const c = (i: number): bigint => C[i] as bigint;
  const matrix = (m: readonly (readonly bigint[])[], xs: readonly X[]): X[] =>
    xs.map((_, i) =>
      mix(
        m.map((row) => row[i] as bigint),
        xs,
      ),
    );
  const half = FULL / 2;
  let state = initial.map((x, i) => add(x, c(i)));
  for (let r = 0; r < half; r++) {
    state = state.map((x, j) => add(sbox(x, `pEx.sigmaF[${r}][${j}]`), c((r + 1) * T + j)));
    state = matrix(r === half - 1 ? P : M, state);
  }
  for (let r = 0; r < PARTIAL; r++) {
    const s = S.slice((2 * T - 1) * r, (2 * T - 1) * (r + 1));
    const first = add(sbox(state[0] as X, `pEx.sigmaP[${r}]`), c((half + 1) * T + r));
    const rest = state.slice(1);
    state = [mix(s.slice(0, T), [first, ...rest]), ...rest.map((x, k) => mix([1n, s[T + k] as bigint], [x, first]))];
  }
  for (let r = 0; r < half - 1; r++) {
    state = state.map((x, j) => add(sbox(x, `pEx.sigmaF[${half + r}][${j}]`), c((half + 1) * T + PARTIAL + r * T + j)));
    state = matrix(M, state);
  }
  state = state.map((x, j) => sbox(x, `pEx.sigmaF[${FULL - 1}][${j}]`));
  return mix(
    M.map((row) => row[0] as bigint),
    state,
  );
}

const VALUES: Algebra<bigint> = {
  sbox: (x) => power(x, 5n),
  add: (x, constant) => x + constant,
  mix: (factors, xs) => factors.reduce((sum, factor, i) => sum + factor * (xs[i] as bigint), 0n) % R,
};

// ---- as a gadget: inputs and names as of circomlib's Poseidon(16) ----

/** Names of the S-boxes that cost rows: all but the first of lane 0, whose input is constant. */
function sboxNames(): string[] {
  const full = (r: number): string[] => names(`pEx.sigmaF[${r}]`, T);
  const first = [0, 1, 2, 3].flatMap(full);
  return [...first.slice(1), ...names("pEx.sigmaP", PARTIAL), ...[4, 5, 6, 7].flatMap(full)];
}

export function absorbHint(): Hint {
  return {
    inputs: names("inputs", INPUTS),
    outputs: ["out"],
    internals: sboxNames().flatMap((name) => [`${name}.out`, `${name}.in2`, `${name}.in4`]),
    run(inputs, base, values) {
      let next = base + 1 - 3; // the constant S-box comes first and has no wires
      const out = permute([0n, ...inputs.map((x) => reduce(BigInt(x)))], {
        ...VALUES,
        sbox(x) {
          const square = (x * x) % R;
          const fourth = (square * square) % R;
          const fifth = (fourth * x) % R;
          if (next > base) {
            values.set(next, fifth);
            values.set(next + 1, square);
            values.set(next + 2, fourth);
          }
          next += 3;
          return fifth;
        },
      });
      values.set(base, out);
    },
  };
}

/** The rows: the S-box's, on combinations of inputs and earlier S-boxes, and one linear row for the output. */
export function absorbRows(sbox: Gadget, hint: Hint): Row[] {
  // a combination is dense: factors by local wire; outputs, inputs and internals as in gadget.ts
  type Dense = readonly bigint[];
  const rows: Row[] = [];
  const unit = (wire: number): Dense => Array.from({ length: wire + 1 }, (_, i) => (i === wire ? 1n : 0n));
  const sparse = (x: Dense): Lc => {
    const wires = [...x.keys()].filter((wire) => reduce(x[wire] as bigint) !== 0n);
    return { wires, factors: wires.map((wire): Value => reduce(x[wire] as bigint)) };
  };
  let next = 1 + hint.outputs.length + hint.inputs.length;
  const out = permute<Dense>([[], ...hint.inputs.map((_, i) => unit(2 + i))], {
    add: (x, constant) => [(x[0] ?? 0n) + constant, ...x.slice(1)],
    mix: (factors, xs) => {
      const sum = new Array<bigint>(Math.max(...xs.map((x) => x.length))).fill(0n);
      xs.forEach((x, i) => {
        for (let wire = 0; wire < x.length; wire++) {
          const factor = x[wire] as bigint;
          if (factor !== 0n) sum[wire] = (sum[wire] as bigint) + factor * (factors[i] as bigint);
        }
      });
      return sum.map((factor) => factor % R);
    },
    sbox: (x) => {
      if (x.length === 1) return [power(reduce(x[0] as bigint), 5n)];
      // local wires of the S-box: 1 = out, 2 = in, 3 = in2, 4 = in4; here out, in2, in4 are consecutive
      const base = next;
      next += 3;
      const input = sparse(x);
      const place = new Map([
        [1, base],
        [3, base + 1],
        [4, base + 2],
      ]);
      const moved = (lc: Lc): Lc => {
        if (lc.wires[0] === 2) return { ...input, factors: input.factors.map((k) => times(k, lc.factors[0] as Value)) };
        return lcOf(...lc.wires.map((wire, k) => [place.get(wire) as number, lc.factors[k] as Value] as const));
      };
      for (const [a, b, c] of sbox.rows) rows.push([moved(a), moved(b), moved(c)]);
      return unit(base);
    },
  });
  // one row more than circom's --O2 leaves, which ends the last S-box in this combination
  rows.push([lcOf(), lcOf(), sparse([out[0] as bigint, -1n, ...out.slice(2)])]);
  return rows;
}
