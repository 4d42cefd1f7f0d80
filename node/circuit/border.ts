// The claim as a circuit: bits of the output's integers, words that input and output spell, the sponge over them, and their
// fingerprint at r. claim.ts is the same in the open.
import { WORD_BYTES, encodeInts, sizeOf, wordCount, wordsOfBytes } from "../core/tensor.ts";
import type { BorderTensor } from "../core/tensor.ts";
import { nodeAt } from "../model/ir.ts";
import type { Ref } from "../model/ir.ts";
import type { Lc, Wire } from "./lc.ts";
import { lcOf, times } from "./lc.ts";
import { elementOf } from "./layers.ts";
import type { Walk } from "./layers.ts";
import { boundsAt, specOf, spellingOf } from "./plan.ts";
import type { Plan, Spelling } from "./plan.ts";
import { ABSORB, RATE } from "./poseidon.ts";
import { PUBLIC, onWire } from "./sheet.ts";
import type { Operand } from "./sheet.ts";

/** How one border element enters its words: by bits, or whole where its bounds make it a plain unsigned number. */
export type Entry = { readonly spelling: Spelling } | "whole";

/** Inputs always come in bits (which prove their range), outputs only where they need them. */
export function entryOf(plan: Plan, ref: Ref, border: BorderTensor, element: number): Entry {
  const { bits, signed } = border.type;
  if (nodeAt(plan.graph, ref).op === "input") return { spelling: { n: bits, bias: signed ? 2 ** (bits - 1) : 0 } };
  const interval = boundsAt(plan, ref, element);
  const spelling = spellingOf(interval, border.type);
  const bytes = bits / 8;
  const straddles =
    Math.floor((element * bytes) / WORD_BYTES) !== Math.floor((element * bytes + bytes - 1) / WORD_BYTES);
  return spelling.bias === 0 && !straddles ? "whole" : { spelling };
}

/** Lays the claim on a walk whose nodes have all been laid. */
export function layClaim(walk: Walk): void {
  const { sheet, plan } = walk;
  const { input, output } = plan.graph;
  const source = nodeAt(plan.graph, input);
  if (source.op !== "input") throw new RangeError("node 0 is no input");
  const outputBits = Int32Array.from({ length: sizeOf(output.border.shape) }, (_, i): Wire => {
    const entry = entryOf(plan, output.ref, output.border, i);
    if (entry === "whole") return -1;
    sheet.at({ symbol: "claim_bits", index: [i] });
    return sheet.stamp(specOf("Bits", entry.spelling.n, entry.spelling.bias), [elementOf(walk, output.ref, i)]);
  });
  const words = [
    ...wordsOf(walk, input, source.border, walk.inputBits),
    ...wordsOf(walk, output.ref, output.border, output.ref === input ? walk.inputBits : outputBits),
  ].map((word, i) => {
    sheet.at({ symbol: "claim_word", index: [i] });
    return onWire(sheet, sheet.bind(word));
  });

  const zero: Operand = { lc: () => lcOf(), value: () => 0 };
  const blocks = Array.from({ length: Math.ceil(words.length / RATE) }, (_, i) =>
    Array.from({ length: RATE }, (_, k) => words[i * RATE + k] ?? zero),
  );
  const c = blocks.reduce((h, block, i) => {
    sheet.at({ symbol: "claim_absorb", index: [i] });
    return onWire(sheet, sheet.stamp(specOf(ABSORB), [h, ...block]));
  }, zero);
  sheet.at({ symbol: "c", index: [] });
  sheet.publish(PUBLIC.c, c);

  const r = onWire(sheet, PUBLIC.r);
  const v = words.reduceRight((t, word, i) => {
    sheet.at({ symbol: "claim_power", index: [i] });
    return onWire(sheet, sheet.stamp(specOf("Horner"), [t, word, r]));
  }, zero);
  sheet.at({ symbol: "v", index: [] });
  sheet.publish(PUBLIC.v, v);
}

/** The words of a border tensor, from the wires of its elements' bits (-1: whole). */
function wordsOf(walk: Walk, ref: Ref, border: BorderTensor, firstBits: Int32Array): Operand[] {
  const width = border.type.bits / 8;
  const total = firstBits.length * width;
  let values: readonly bigint[] | undefined;
  return Array.from({ length: wordCount(total) }, (_, w) => ({
    value: () => {
      values ??= wordsOfBytes(encodeInts(walk.tensors[ref] as Float64Array, border.type));
      return values[w] as bigint;
    },
    lc: () => {
      const lc = lcOf();
      for (let k = 0; k < WORD_BYTES && w * WORD_BYTES + k < total; k++) {
        const byte = w * WORD_BYTES + k;
        addByte(walk, ref, border, firstBits, byte, 256n ** BigInt(WORD_BYTES - 1 - k), lc);
      }
      return lc;
    },
  }));
}

/** Adds `weight` times one byte of a border tensor. */
function addByte(
  walk: Walk,
  ref: Ref,
  border: BorderTensor,
  firstBits: Int32Array,
  byte: number,
  weight: bigint,
  lc: Lc,
): void {
  const { bits } = border.type;
  const width = bits / 8;
  const element = Math.floor(byte / width);
  const place = width - 1 - (byte % width); // 0 is the least significant byte
  const entry = entryOf(walk.plan, ref, border, element);
  if (entry === "whole") {
    if (place > 0) return; // all of it comes with its least significant byte
    const { wires, factors } = elementOf(walk, ref, element).lc();
    wires.forEach((wire, i) => {
      lc.wires.push(wire);
      lc.factors.push(times(factors[i] as number | bigint, weight));
    });
    return;
  }
  const { n, bias } = entry.spelling;
  const first = firstBits[element] as Wire;
  for (let t = 0; t < 8; t++) {
    const bit = 8 * place + t;
    const factor = weight << BigInt(t);
    if (bias === 0) {
      if (bit >= n) break;
      lc.wires.push(first + bit);
      lc.factors.push(factor);
    } else if (bit < n - 1) {
      lc.wires.push(first + bit);
      lc.factors.push(factor);
    } else {
      // the sign, one minus the top bit, fills the rest
      lc.wires.push(0, first + n - 1);
      lc.factors.push(factor, -factor);
    }
  }
}
