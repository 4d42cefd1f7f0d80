// A circuit that fills a domain, and its witness, written without any compiler: the worst case for a prover, since every
// value is a full-size field element and nearly every wire stands in A and in B. The same bytes for the same seed.
import { createHash } from "node:crypto";
import fs from "node:fs";
import { putField, R, R_WORDS } from "../../../node/core/field.ts";
import { BinFileWriter } from "../../../node/proof/binfile.ts";

export interface Synthetic {
  readonly rows: number;
  readonly wires: number;
}

/** Public inputs, as many as a claim has, so that the node's own verifier judges the proofs. */
const PUBLICS = 3;
/** Values that no row makes: those that the first row reads. */
const FREE = 4;
/** Rows that a full domain lacks: it also holds a row for the one and for each public input. */
const SPARE = 8;
const PIECE_ROWS = 1 << 14;
/** Five terms and three counts. */
const ROW_WORDS = 5 * 9 + 3;

/** Wire 1 + i carries x_i. Row i says (x_i + p x_(i-2)) x_(i-1) = x_(i+1) - q x_(i-3), with p and q below 2^16. */
export function writeSynthetic(power: number, r1cs: string, wtns: string, seed = "glassbox bench"): Synthetic {
  const rows = 2 ** power - SPARE;
  const wires = 1 + FREE + rows;
  const random = factors(seed);
  const out = new BinFileWriter(r1cs, "r1cs", 3);
  const values = new Uint32Array(19 + 8 * wires);
  // "wtns", version 2, two sections: field and count; values
  values.set([0x736e7477, 2, 2, 1, 40, 0, 32, ...R_WORDS, wires, 2, 32 * wires, 0]);
  const put = (wire: number, value: bigint): void => putField(values, 19 + 8 * wire, value);
  const last = Array.from({ length: FREE }, (_, i) => fieldOf(`${seed} x${i}`)) as [bigint, bigint, bigint, bigint];
  put(0, 1n);
  last.forEach((value, i) => put(1 + i, value));

  writeHeader(out, rows, wires);
  out.begin(2);
  for (let row = 0; row < rows; row += PIECE_ROWS) {
    const count = Math.min(PIECE_ROWS, rows - row);
    const words = new Uint32Array(ROW_WORDS * count);
    for (let k = 0; k < count; k++) {
      const [p, q] = [random(), random()];
      // the wire of x_i in this row
      const x = FREE + row + k;
      const term = (at: number, wire: number, factor: number): void => void words.set([wire, factor], at);
      const at = ROW_WORDS * k;
      words[at] = 2;
      term(at + 1, x - 2, p);
      term(at + 10, x, 1);
      words[at + 19] = 1;
      term(at + 20, x - 1, 1);
      words[at + 29] = 2;
      term(at + 30, x - 3, 0);
      putField(words, at + 31, -q);
      term(at + 39, x + 1, 1);
      const next = ((last[3] + BigInt(p) * last[1]) * last[2] + BigInt(q) * last[0]) % R;
      last.shift();
      last.push(next);
      put(x + 1, next);
    }
    out.write(new Uint8Array(words.buffer));
  }
  out.end();
  out.begin(3);
  out.write(new Uint8Array(BigUint64Array.from({ length: wires }, (_, i) => BigInt(i)).buffer));
  out.end();
  out.close();
  fs.writeFileSync(wtns, new Uint8Array(values.buffer));
  return { rows, wires };
}

function writeHeader(out: BinFileWriter, rows: number, wires: number): void {
  out.begin(1);
  out.u32(32);
  for (const word of R_WORDS) out.u32(word);
  for (const count of [wires, 0, PUBLICS, wires - 1 - PUBLICS]) out.u32(count);
  // 64 bits of labels
  for (const count of [wires, 0, rows]) out.u32(count);
  out.end();
}

function fieldOf(text: string): bigint {
  return BigInt(`0x${createHash("sha512").update(text).digest("hex")}`) % R;
}

/** 1 to 2^16 - 1: xorshift32 from the seed. */
function factors(seed: string): () => number {
  let state = createHash("sha256").update(seed).digest().readUInt32LE(0) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xffff || 1;
  };
}
