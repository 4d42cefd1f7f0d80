// The claim as a circuit: bits of the output's integers, words that input and output spell, the sponge over them, and their
// fingerprint at r. claim.ts is the same in the open.
//
// With a private input, c is the sponge over a salt (a free wire, absorbed first) and the input's words, and v is of the
// output's words alone. Why that is enough, for a prover who chooses every wire after he has seen r:
//   - c is fixed before r, which is a hash that has c in it; the requester fixed it, with the request. How many words are
//     absorbed is fixed by the circuit, so that two (salt, input) of one c are a collision of Poseidon; nobody has two.
//   - That input fixes the output: input and r given, every other wire follows (determined.test.ts), and the salt touches
//     none of the model's. So the words that v is made of are fixed before r as well, although c does not absorb them.
//   - The contract computes v from the output that it is shown, whose hash is in r, too. If that is another than the
//     circuit's, v is the value at r of two different polynomials that were fixed before r: for at most so many of 2^254
//     values of r as the output has words.
// And why nothing of the input shows but its output: proofs are zero-knowledge, and c is the only signal that depends on it
// otherwise; the salt, uniform and used once, leaves nothing to check a guess of the input against (core/commitment.ts). c
// names neither model nor length: one commitment opened to provers of two models would show that both got the same input.
import { RATE } from "../core/poseidon.ts";
import {
  WORD_BYTES,
  byteLength,
  byteLengthOf,
  encodeTensors,
  joinFlat,
  sizeOf,
  wordCount,
  wordsOfBytes,
} from "../core/tensor.ts";
import type { BorderTensor } from "../core/tensor.ts";
import { inputsOf } from "../model/ir.ts";
import type { Graph, Output, Ref } from "../model/ir.ts";
import type { Lc, Wire } from "./lc.ts";
import { ONE, lcOf, times } from "./lc.ts";
import { boundsAt, specOf, spellingOf } from "./plan.ts";
import type { Plan, Spelling } from "./plan.ts";
import { ABSORB } from "./poseidon.ts";
import { PUBLIC, onWire } from "./sheet.ts";
import type { Operand } from "./sheet.ts";
import { elementOf } from "./walk.ts";
import type { Walk } from "./walk.ts";

/** How one border element enters its words: by bits, or whole where its bounds make it a plain unsigned number. */
export type Entry = Spelling | "whole";

/** Inputs always come in bits, which prove their range. */
export function inputEntry({ type }: BorderTensor): Spelling {
  return { n: type.bits, bias: type.signed ? 2 ** (type.bits - 1) : 0 };
}

/** Outputs come in bits only where they need them: for a sign, or to be cut where a word ends. `k`: which output. */
export function outputEntry(plan: Plan, k: number, element: number): Entry {
  const { outputs } = plan.graph;
  const { ref, border } = outputs[k] as Output;
  const spelling = spellingOf(boundsAt(plan, ref, element), border.type);
  const bytes = border.type.bits / 8;
  const first = byteLengthOf(outputs.slice(0, k).map((output) => output.border)) + element * bytes;
  const cut = Math.floor(first / WORD_BYTES) !== Math.floor((first + bytes - 1) / WORD_BYTES);
  return spelling.bias === 0 && !cut ? "whole" : spelling;
}

/** Where the bits of output `k` stand. */
export function bitsSymbol(graph: Graph, k: number): string {
  return graph.outputs.length === 1 ? "claim_bits" : `claim_bits_${k}`;
}

/** The elements of a border tensor and the wires of their bits. */
interface Spelled {
  readonly ref: Ref;
  readonly border: BorderTensor;
  readonly entries: readonly Entry[];
  /** The first bit of each; nothing for those that enter whole. */
  readonly bits: Int32Array;
}

/** Lays the claim on a walk whose nodes have all been laid. */
export function layClaim(walk: Walk): void {
  const { sheet, plan } = walk;
  const { graph } = plan;
  const given = inputsOf(graph).map(({ border }, ref): Spelled => {
    const bits = walk.bits[ref] as Int32Array;
    return { ref, border, entries: new Array<Entry>(bits.length).fill(inputEntry(border)), bits };
  });
  const yielded = graph.outputs.map((output, k): Spelled => {
    const entries = Array.from({ length: sizeOf(output.border.shape) }, (_, i) => outputEntry(plan, k, i));
    const bits = Int32Array.from(entries, (entry, i): Wire => {
      if (entry === "whole") return -1;
      sheet.at({ symbol: bitsSymbol(graph, k), index: [i] });
      return sheet.stamp(specOf("Bits", entry.n, entry.bias), [elementOf(walk, output.ref, i)]);
    });
    return { ...output, entries, bits };
  });
  const inputWords = wordsOf(walk, given);
  const words = [...inputWords, ...wordsOf(walk, yielded)].map((word, i) => {
    sheet.at({ symbol: "claim_word", index: [i] });
    return onWire(sheet, sheet.bind(word));
  });
  const hidden = plan.claim === "private-input";
  const absorbed = hidden ? [saltOn(walk), ...words.slice(0, inputWords.length)] : words;
  const shown = hidden ? words.slice(inputWords.length) : words;

  const zero: Operand = { lc: () => lcOf(), value: () => 0 };
  const blocks = Array.from({ length: Math.ceil(absorbed.length / RATE) }, (_, i) =>
    Array.from({ length: RATE }, (_, k) => absorbed[i * RATE + k] ?? zero),
  );
  const c = blocks.reduce((h, block, i) => {
    sheet.at({ symbol: "claim_absorb", index: [i] });
    return onWire(sheet, sheet.stamp(specOf(ABSORB), [h, ...block]));
  }, zero);
  sheet.at({ symbol: "c", index: [] });
  sheet.publish(PUBLIC.c, c);

  const r = onWire(sheet, PUBLIC.r);
  const v = shown.reduceRight((t, word, i) => {
    sheet.at({ symbol: "claim_power", index: [i] });
    return onWire(sheet, sheet.stamp(specOf("Horner"), [t, word, r]));
  }, zero);
  sheet.at({ symbol: "v", index: [] });
  sheet.publish(PUBLIC.v, v);
}

function saltOn({ sheet, salt }: Walk): Operand {
  sheet.at({ symbol: "claim_salt", index: [] });
  return onWire(sheet, sheet.free(() => salt)); // prettier-ignore
}

/** The words of tensors that stand one after the other on the wire. */
function wordsOf(walk: Walk, tensors: readonly Spelled[]): Operand[] {
  const borders = tensors.map(({ border }) => border);
  const total = byteLengthOf(borders);
  const bytes = tensors.flatMap((spelled) => Array.from({ length: byteLength(spelled.border) }, (_, byte) => ({ spelled, byte }))); // prettier-ignore
  let values: readonly bigint[] | undefined;
  return Array.from({ length: wordCount(total) }, (_, w) => ({
    value: () => {
      values ??= wordsOfBytes(encodeTensors(borders, joinFlat(tensors.map(({ ref }) => walk.tensors[ref] as Float64Array)))); // prettier-ignore
      return values[w] as bigint;
    },
    lc: () => {
      const lc = lcOf();
      for (let k = 0; k < WORD_BYTES && w * WORD_BYTES + k < total; k++) {
        const { spelled, byte } = bytes[w * WORD_BYTES + k] as (typeof bytes)[number];
        addByte(walk, spelled, byte, 256n ** BigInt(WORD_BYTES - 1 - k), lc);
      }
      return lc;
    },
  }));
}

/** Adds `weight` times one byte of a border tensor. */
function addByte(walk: Walk, { ref, border, entries, bits }: Spelled, byte: number, weight: bigint, lc: Lc): void {
  const width = border.type.bits / 8;
  const element = Math.floor(byte / width);
  const place = width - 1 - (byte % width); // 0 is the least significant byte
  const entry = entries[element] as Entry;
  if (entry === "whole") {
    if (place > 0) return; // all of it comes with its least significant byte
    const { wires, factors } = elementOf(walk, ref, element).lc();
    lc.wires.push(...wires);
    lc.factors.push(...factors.map((factor) => times(factor, weight)));
    return;
  }
  const { n, bias } = entry;
  const first = bits[element] as Wire;
  for (let t = 0; t < 8; t++) {
    const bit = 8 * place + t;
    const factor = weight << BigInt(t);
    if (bias === 0 ? bit < n : bit < n - 1) {
      lc.wires.push(first + bit);
      lc.factors.push(factor);
    } else if (bias !== 0) {
      // the sign, one minus the top bit, fills the rest
      lc.wires.push(ONE, first + n - 1);
      lc.factors.push(factor, -factor);
    }
  }
}
