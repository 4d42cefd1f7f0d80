// The model's border: which integer type and power of two carry its real inputs and outputs, and the way across. Declared
// by the caller, implied by the ONNX element type, or derived from calibration data.
import { NodeError } from "../core/errors.ts";
import { sizeOf, typeRange } from "../core/tensor.ts";
import type { BorderTensor, IntType } from "../core/tensor.ts";
import { exponentFor, pow2 } from "./binary.ts";
import { floatInputs } from "./graph.ts";
import type { FloatGraph, FloatInput } from "./graph.ts";
import { largest, smallest } from "./range.ts";

export { toIntegers, toReals } from "../core/fixed.ts";

/** q stands for q * 2^exponent. */
export interface InputSpec {
  readonly type: IntType;
  readonly exponent: number;
}

const U8: IntType = { bits: 8, signed: false };
/** From the narrowest on. */
export const INT_TYPES: readonly IntType[] = [
  U8,
  { bits: 8, signed: true },
  { bits: 16, signed: false },
  { bits: 16, signed: true },
  { bits: 32, signed: true },
];

/** Reads "uint8", "int16@-4" (q * 2^-4) and the like. @throws NodeError "usage" */
export function parseInputSpec(text: string): InputSpec {
  const match = /^(u?)int(8|16|32)(?:@(-?\d{1,3}))?$/.exec(text);
  if (/^(b?float|double|half)/.test(text)) {
    throw new NodeError(
      "usage",
      `"${text}" is no border type: reals are carried in fixed point, and nothing is proven to the accuracy of floats`,
      {
        mend: 'Declare a type and an exponent, such as "int32@-16", or none; --max-error bounds what is lost.',
      },
    );
  }
  if (match === null) {
    throw new NodeError("usage", `"${text}" is no border type`, {
      mend: 'Write a type such as uint8 or int16, or with an exponent: "int32@-16" for integers that stand for q * 2^-16.',
    });
  }
  const bits = Number(match[2]) as IntType["bits"];
  return { type: { bits, signed: match[1] === "" }, exponent: Number(match[3] ?? 0) };
}

/** Reads what parseInputSpec reads; an exponent that is not written is left open. @throws NodeError "usage" */
export function parseOutputSpec(text: string): { readonly type: IntType; readonly exponent?: number } {
  const { type, exponent } = parseInputSpec(text);
  return text.includes("@") ? { type, exponent } : { type };
}

/** What a caller declares of inputs or outputs, by their names; under "" for all others. */
export type Specs<S> = Readonly<Record<string, S>>;

/** The spec of `name`. */
export function specFor<S>(specs: Specs<S>, name: string): S | undefined {
  return Object.hasOwn(specs, name) ? specs[name] : specs[""];
}

/** @throws NodeError "usage" if a spec names something that is not there */
export function needNames(specs: Specs<unknown>, names: readonly string[], what: string): void {
  for (const name of Object.keys(specs)) {
    if (name === "" || names.includes(name)) continue;
    throw new NodeError("usage", `the model has no ${what} named "${name}"`, {
      mend: `Name one of: ${names.join(", ")}.`,
    });
  }
}

/** The inputs' borders: as declared, or as the ONNX element type says, or the narrowest that the samples need. */
export function inputBorders(
  graph: FloatGraph,
  samples: readonly Float64Array[],
  declared: Specs<InputSpec> = {},
): readonly BorderTensor[] {
  const inputs = floatInputs(graph);
  needNames(declared, inputs.map(({ name }) => name), "input"); // prettier-ignore
  let at = 0;
  return inputs.map((node, ref) => {
    const [from, to] = [at, (at += sizeOf(node.shape))];
    const own = (): Float64Array[] => samples.map((sample) => sample.subarray(from, to));
    const spec = specFor(declared, node.name) ?? impliedBy(node) ?? derivedFrom(own(), isCompared(graph, ref));
    return { name: node.name, shape: node.shape, ...spec };
  });
}

function impliedBy({ elemType, exponent = 0 }: FloatInput): InputSpec | undefined {
  switch (elemType) {
    case "bool":
      return { type: U8, exponent: 0 };
    case "float32":
    case "float64":
    case "int64":
      return undefined;
    default:
      return { ...parseInputSpec(elemType), exponent };
  }
}

/** A feature's observed range should span this many steps of a fixed-point type. */
const FEATURE_STEPS = 2 ** 8;

/** Trees compare features as they are: a feature rounded past a threshold is another one. */
function isCompared(graph: FloatGraph, ref: number): boolean {
  return graph.nodes.some((node) => node.op === "step" && node.x === ref);
}

function derivedFrom(samples: readonly Float64Array[], compared: boolean): InputSpec {
  const size = samples[0]?.length ?? 0;
  const lows = new Float64Array(size).fill(Infinity);
  const highs = new Float64Array(size).fill(-Infinity);
  let whole = true;
  for (const sample of samples) {
    sample.forEach((value, i) => {
      lows[i] = Math.min(lows[i] as number, value);
      highs[i] = Math.max(highs[i] as number, value);
      whole &&= Number.isInteger(value);
    });
  }
  const [lo, hi] = [Math.min(0, smallest(lows)), Math.max(0, largest(highs))];
  const fits = whole ? INT_TYPES.find((type) => typeRange(type).lo <= lo && hi <= typeRange(type).hi) : undefined;
  if (fits !== undefined) return { type: fits, exponent: 0 };
  // Twice the observed reach: later samples may lie further out.
  const reach = 2 * Math.max(-lo, hi);
  const spans = highs.map((high, i) => high - (lows[i] as number)).filter((span) => span > 0);
  const finest = spans.length > 0 ? smallest(spans) : reach;
  const short = exponentFor(reach, 2 ** 15 - 1);
  if (!compared && finest >= FEATURE_STEPS * pow2(short)) return { type: { bits: 16, signed: true }, exponent: short };
  return { type: { bits: 32, signed: true }, exponent: exponentFor(reach, 2 ** 31 - 1) };
}
