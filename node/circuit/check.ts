// Does a witness satisfy a circuit? Reads any .r1cs and .wtns over BN254, trusts neither the linker nor the hints, and names
// the first row that fails. For tests and `glassbox doctor`; the prover's own check is the proof's verification.
import fs from "node:fs";
import type { ClaimForm } from "../core/domain.ts";
import { R, R_WORDS, getField, reduce } from "../core/field.ts";
import { NodeError } from "../core/errors.ts";
import type { Graph } from "../model/ir.ts";
import type { Value } from "./lc.ts";
import { TERM, readR1cs, readWtns } from "./r1cs.ts";
import { explainRow, rowText } from "./symbols.ts";

/** The first row (from 0) that the witness does not satisfy. @throws NodeError "input" if the files do not go together */
export function failingRow(r1cs: Buffer, wtns: Uint8Array): number | undefined {
  const { bytes, rows, wires, start } = readR1cs(r1cs);
  const values = readWtns(wtns);
  if (values.length !== wires) throw new NodeError("input", `${values.length} values for ${wires} wires`);
  if (values[0] !== 1) throw new NodeError("input", "wire 0 of the witness is not one");
  let at = start;
  const evaluate = (): Value => {
    let small = 0;
    let big: bigint | undefined;
    const end = at + 4 + TERM * bytes.readUInt32LE(at);
    for (at += 4; at < end; at += TERM) {
      const value = values[bytes.readUInt32LE(at)] as Value;
      const factor = factorAt(bytes, at + 4);
      if (typeof value === "number" && typeof factor === "number") {
        const next = small + value * factor;
        if (Number.isSafeInteger(next) && Number.isSafeInteger(value * factor)) {
          small = next;
          continue;
        }
      }
      big = (big ?? 0n) + BigInt(value) * BigInt(factor);
    }
    return big === undefined ? small : (big + BigInt(small)) % R;
  };
  for (let row = 0; row < rows; row++) {
    const [a, b, c] = [evaluate(), evaluate(), evaluate()];
    if (typeof a === "number" && typeof b === "number" && a * b === c && Number.isSafeInteger(c)) continue;
    if (reduce(BigInt(a) * BigInt(b) - BigInt(c)) !== 0n) return row;
  }
  return undefined;
}

/** @throws NodeError "integrity" naming the first row that fails; by layer and signal, if the graph is given */
export async function checkWitness(
  r1csFile: string,
  wtns: Uint8Array,
  graph?: Graph,
  claim?: ClaimForm,
): Promise<void> {
  const row = failingRow(fs.readFileSync(r1csFile), wtns);
  if (row === undefined) return;
  const named = graph === undefined ? undefined : await explainRow(graph, row, claim);
  throw new NodeError("integrity", `the witness fails ${named === undefined ? `row ${row}` : rowText(named)}`, {
    mend: "The tensors, the circuit file or the tool's version do not belong together: compile the model again.",
    facts: { row, ...(named && { layer: named.layer, element: named.element, gadget: named.gadget }) },
  });
}

/** A factor, in (-2^53, 2^53) as a number where it lies there. */
function factorAt(bytes: Buffer, at: number): Value {
  const high = bytes.readUInt32LE(at + 28);
  const [low, next] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
  if (high === 0 && next === 0 && isWords(bytes, at, 0)) return low;
  if (high === R_WORDS[7] && next === R_WORDS[1] && low <= (R_WORDS[0] as number) && isWords(bytes, at, R_WORDS)) {
    return low - (R_WORDS[0] as number);
  }
  return getField(bytes, at);
}

/** Are words 2 to 6 these? */
function isWords(bytes: Buffer, at: number, words: readonly number[] | 0): boolean {
  for (let k = 2; k < 7; k++) if (bytes.readUInt32LE(at + 4 * k) !== (words === 0 ? 0 : words[k])) return false;
  return true;
}
