// From a key's list of terms, section 4, to the rows of its matrices A and B, in one pass over pieces of the list. What the
// coefficients are multiplied by is in kernel/qap.ts.
import { NodeError } from "../core/errors.ts";
import { R } from "../core/field.ts";
import { TERM_BYTES, VALUE_BYTES } from "./key.ts";
import type { Arena, Pointer } from "./module.ts";
import { PAIR, putPlain, SINGLE } from "./pair.ts";
import type { Domain } from "./polynomials.ts";

/** Terms or coefficients in one call. */
const PIECE = 4096;
/** A square root of two. */
const ROOT_OF_TWO = 6265726278199534483148339147879825670854228981575640389718095647651409606938n;

/** The rows of a key's matrices A and B. */
export interface Terms {
  readonly wires: number;
  /** 2 n + 1 words: where each row of A, then each of B, begins. */
  readonly starts: Pointer;
  readonly terms: Pointer;
  readonly coefficients: Pointer;
}

export interface TermsLoader {
  /**
   * The next terms of section 4 (without its count), in order; whole ones, any number.
   * @throws NodeError "input" if a term names a matrix, row or signal that there is not, or there are too many
   */
  feed(piece: Uint8Array): void;
  /** Takes back all memory but the result's. @throws NodeError "input" if there were too few */
  finish(): Terms;
}

/**
 * Takes the `count` terms of a key's section 4. Until `finish`, nobody else may allocate in `arena`, and no other loader be
 * open in its instance. In the end there are 8 bytes a term and 8 a row, and 40 for each distinct coefficient; on the way 12
 * more for each term and about 150 for each distinct coefficient.
 */
export function termsLoader(
  arena: Arena,
  { domain, wires, count }: { readonly domain: Domain; readonly wires: number; readonly count: number },
): TermsLoader {
  const { kernel } = arena;
  const { size } = domain;
  const starts = arena.alloc(4 * (2 * size + 2));
  const terms = arena.alloc(8 * count);
  const end = arena.mark();
  const unsorted = arena.alloc(12 * count);
  const staging = arena.alloc(TERM_BYTES * PIECE);
  let slots = 2048;
  let coefficients = 0;
  let taken = 0;

  const enlarge = (): void => {
    slots *= 2;
    const table = arena.alloc(4 * slots);
    coefficients = arena.alloc(16 * slots);
    kernel.growTerms(table, slots, coefficients);
  };
  kernel.openTerms(size, wires, starts, unsorted);
  enlarge();

  return {
    feed: (piece) => {
      if (piece.length % TERM_BYTES !== 0)
        throw new NodeError("internal", "a key's terms come in pieces of whole terms");
      for (let at = 0; at < piece.length; at += TERM_BYTES * PIECE) {
        const part = piece.subarray(at, at + TERM_BYTES * PIECE);
        const inPart = part.length / TERM_BYTES;
        if (taken + inPart > count) throw new NodeError("input", `the key has more than its ${count} terms`);
        arena.bytes(staging, part.length).set(part);
        for (let done = 0; done < inPart;) {
          done += kernel.readTerms(staging + done * TERM_BYTES, inPart - done);
          if (done === inPart) break;
          if (kernel.coefficientCount() < slots / 2) {
            throw new NodeError(
              "input",
              `the key's term ${taken + done} is for a matrix, row or signal that there is not`,
            );
          }
          enlarge();
        }
        taken += inPart;
      }
    },
    finish: () => {
      if (taken !== count) throw new NodeError("input", `the key has ${taken} terms of ${count}`);
      kernel.sortTerms(unsorted, count, terms);
      const distinct = kernel.coefficientCount();
      const scale = arena.alloc(PAIR);
      const converted = arena.alloc(SINGLE * distinct);
      // From v 2^512 mod R to v s 2^255, with s^2 = 2^255 / n^2; the product takes off 2^255.
      putPlain(arena, scale, (ROOT_OF_TWO * (1n << BigInt(125 - domain.power))) % R);
      for (let done = 0; done < distinct; done += PIECE) {
        const part = Math.min(PIECE, distinct - done);
        kernel.convertCoefficients(coefficients + done * VALUE_BYTES, part, scale, converted + done * SINGLE);
      }
      arena.rewind(end);
      const kept = arena.alloc(SINGLE * distinct);
      new Uint8Array(kernel.memory.buffer).copyWithin(kept, converted, converted + SINGLE * distinct);
      return { wires, starts, terms, coefficients: kept };
    },
  };
}
