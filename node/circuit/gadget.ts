// A gadget: one (template, parameters) made ready to be stamped. Its rows come from circom (library.ts) or, for Poseidon's
// permutation, from rows of circom's S-box (poseidon.ts); nothing here makes a constraint.
//
// Local wires, as in circom: 0 = one, outputs, inputs, internals. A stamp binds the inputs to combinations of the caller's
// and gives outputs and internals fresh, consecutive wires ("slots"). Rows that mention no input are the body: kept as
// ready words of the .r1cs file, so that stamping them is one copy and one addition per term. The others are the face.
import { putField } from "../core/field.ts";
import { NodeError } from "../core/errors.ts";
import type { Hint } from "./hints.ts";
import type { Lc, Row } from "./lc.ts";

export interface Gadget {
  readonly name: string;
  readonly hint: Hint;
  readonly ins: number;
  /** Outputs and internals: the wires that a stamp adds. */
  readonly fresh: number;
  /** In the order in which a stamp writes them: body, then face. */
  readonly rows: readonly Row[];
  readonly body: Uint32Array;
  readonly bodyRows: number;
  /** Positions in `body` to which a stamp adds its first wire. */
  readonly patch: Int32Array;
  /** Per input: it occurs once, in C of a linear row, so that a long combination does no harm. */
  readonly alone: readonly boolean[];
  /** How many bits it takes a value apart into. */
  readonly bits: number;
}

/** Name of a local wire. */
export function signalName(hint: Hint, wire: number): string {
  return ["1", ...hint.outputs, ...hint.inputs, ...hint.internals][wire] as string;
}

export function isInput({ hint, ins }: Pick<Gadget, "hint" | "ins">, wire: number): boolean {
  return wire > hint.outputs.length && wire <= hint.outputs.length + ins;
}

/** Which of a stamp's fresh wires a local wire is; not for inputs and the constant. */
export function slotOf({ hint, ins }: Pick<Gadget, "hint" | "ins">, wire: number): number {
  return wire <= hint.outputs.length ? wire - 1 : wire - 1 - ins;
}

export function gadgetOf(name: string, hint: Hint, source: readonly Row[]): Gadget {
  const shape = { hint, ins: hint.inputs.length };
  const touches = (lc: Lc): boolean => lc.wires.some((wire) => isInput(shape, wire));
  const face = source.filter((row) => row.some(touches));
  const body = source.filter((row) => !row.some(touches));
  const alone = hint.inputs.map((_, i) => {
    const wire = 1 + hint.outputs.length + i;
    const uses = source.flatMap(([a, b, c]) => {
      const linear = a.wires.length === 0 || b.wires.length === 0;
      return [a, b, c].map((lc) => ({ lc, harmless: linear && lc === c })).filter(({ lc }) => lc.wires.includes(wire));
    });
    if (uses.length === 0) throw new NodeError("internal", `${name} ignores its input ${hint.inputs[i]}`);
    return uses.length === 1 && uses.every(({ harmless }) => harmless);
  });
  const words: number[] = [];
  const patch: number[] = [];
  for (const lc of body.flat()) {
    words.push(lc.wires.length);
    lc.wires.forEach((wire, k) => {
      if (wire > 0) patch.push(words.length);
      const factor = new Uint32Array(8);
      putField(factor, 0, lc.factors[k] as number | bigint);
      words.push(wire > 0 ? slotOf(shape, wire) : 0, ...factor);
    });
  }
  return {
    name,
    ...shape,
    fresh: hint.outputs.length + hint.internals.length,
    rows: [...body, ...face],
    body: Uint32Array.from(words),
    bodyRows: body.length,
    patch: Int32Array.from(patch),
    alone,
    bits: [...hint.outputs, ...hint.internals].filter((signal) => signal.startsWith("b[")).length,
  };
}
