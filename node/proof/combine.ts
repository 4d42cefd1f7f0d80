// A ceremony's points for wires: combinations of the Lagrange points that the wires' columns name, cut into tasks that bring
// their points along. Used by start.ts only; the sums are taken in threads (groth16/multiples.ts).
import type { Curve } from "../groth16/curve.ts";
import type { KeyMaker } from "../groth16/keymaking.ts";
import { type Group, WIRE_BYTES } from "../groth16/msm.ts";
import { type Combinations, WIDE } from "../groth16/multiples.ts";
import { type Columns, cutWires, sliceColumn, sliceColumns } from "./columns.ts";

/** A matrix, and the points that its rows name. */
export type Part = readonly [Columns, Uint8Array];
/** In snarkjs' form, and as they are hashed. */
type Points = readonly [affine: Uint8Array, plain: Uint8Array];

/** A task of either takes some 0.2 s in G1. */
const MOST = { wires: 1 << 12, terms: 1 << 15 };
const WIDE_BYTES = 32;

/** Points of wires [from, to), in order. */
export function* combine(
  curve: Curve,
  maker: KeyMaker,
  group: Group,
  from: number,
  to: number,
  parts: readonly Part[],
): Generator<{ readonly count: number; readonly points: Promise<Points> }> {
  const bases = parts.map(([, points]) => openBasis(points, group));
  const sum = (slices: readonly (readonly [Combinations, Basis])[]): Promise<Points> =>
    maker.make<Points>({ make: "combinations", group, ...gather(slices, WIRE_BYTES[group]) });
  const matrices = parts.map(([matrix]) => matrix);
  const wires = Math.max(64, Math.min(MOST.wires, Math.ceil((to - from) / (4 * maker.threads))));
  for (const [start, end] of cutWires(matrices, from, to, { ...MOST, wires })) {
    const terms = matrices.reduce((all, { starts }) => all + (starts[end] as number) - (starts[start] as number), 0);
    const slices = (slice: (matrix: Columns) => Iterable<Combinations>) =>
      matrices.flatMap((matrix, k) => Array.from(slice(matrix), (each) => [each, bases[k] as Basis] as const));
    if (end - start > 1 || terms <= MOST.terms) {
      yield { count: end - start, points: sum(slices((matrix) => [sliceColumns(matrix, start, end)])) };
    } else {
      // One wire in very many rows (the constant one).
      const pieces = slices((matrix) => sliceColumn(matrix, start, MOST.terms)).map((slice) => sum([slice]));
      yield { count: 1, points: Promise.all(pieces).then((sums) => addUp(curve, group, sums)) };
    }
  }
}

function addUp({ G1, G2 }: Curve, group: Group, sums: readonly Points[]): Points {
  const g = group === 1 ? G1 : G2;
  const affine = g.toAffine(sums.reduce((all, [point]) => g.add(all, point), g.zero));
  return [affine, g.toUncompressed(affine)];
}

interface Basis {
  readonly points: Uint8Array;
  /** By point: one more than its number in the task that is being gathered, or 0. */
  readonly numbers: Uint32Array;
}

function openBasis(points: Uint8Array, group: Group): Basis {
  return { points, numbers: new Uint32Array(points.length / WIRE_BYTES[group]) };
}

/** The slices' combinations added up, output by output, with the points that they name, each once. */
function gather(
  slices: readonly (readonly [Combinations, Basis])[],
  size: number,
): { readonly points: Uint8Array; readonly of: Combinations } {
  const outputs = (slices[0]?.[0].starts.length ?? 1) - 1;
  const all = (length: (of: Combinations) => number): number => slices.reduce((sum, [of]) => sum + length(of), 0);
  const starts = new Uint32Array(outputs + 1);
  const rows = new Uint32Array(all((of) => of.rows.length));
  const coefficients = new Int32Array(rows.length);
  const wide = new Uint8Array(all((of) => of.wide.length));
  const used = slices.map(() => 0);
  const named: (readonly [Basis, number])[] = [];
  let [term, wides] = [0, 0];
  for (let i = 0; i < outputs; i++) {
    slices.forEach(([of, basis], k) => {
      for (let t = of.starts[i] as number; t < (of.starts[i + 1] as number); t++, term++) {
        const row = of.rows[t] as number;
        if (basis.numbers[row] === 0) basis.numbers[row] = named.push([basis, row]);
        rows[term] = (basis.numbers[row] as number) - 1;
        coefficients[term] = of.coefficients[t] as number;
        if (of.coefficients[t] !== WIDE) continue;
        const at = used[k] as number;
        wide.set(of.wide.subarray(at, at + WIDE_BYTES), wides);
        used[k] = at + WIDE_BYTES;
        wides += WIDE_BYTES;
      }
    });
    starts[i + 1] = term;
  }
  const points = new Uint8Array(size * named.length);
  named.forEach(([basis, row], i) => {
    points.set(basis.points.subarray(size * row, size * row + size), size * i);
    basis.numbers[row] = 0;
  });
  return { points, of: { starts, rows, coefficients, wide } };
}
