// Writes test/vectors/wire.json: run it with node when the wire format changes, which takes a new version of the package
// format. Spells integers by a road of its own: as hexadecimal text of q mod 2^bits.
import { writeFileSync } from "node:fs";
import { type BorderTensor, type IntType, typeName } from "../../node/core/tensor.ts";
import { randomOf, whole } from "./nets.ts";

export interface WireTensor {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly exponent: number;
  /** Where it begins. */
  readonly offset: number;
  /** Row-major, and what they stand for. */
  readonly integers: readonly number[];
  readonly reals: readonly number[];
}

export interface WireVector {
  readonly name: string;
  readonly tensors: readonly WireTensor[];
  /** Hex. */
  readonly bytes: string;
  /** What the registry holds of a model with these tensors as its inputs, and again as its outputs; hex. */
  readonly description: string;
}

const int = (bits: IntType["bits"]): IntType => ({ bits, signed: true });
const uint = (bits: IntType["bits"]): IntType => ({ bits, signed: false });

type Part = readonly [
  name: string,
  type: IntType,
  shape: readonly number[],
  exponent: number,
  integers: readonly number[],
];

const random = randomOf(20270107);
const drawn = (count: number, lo: number, hi: number): number[] => Array.from({ length: count }, () => whole(random, lo, hi)); // prettier-ignore

const CASES: readonly (readonly [string, readonly Part[]])[] = [
  ["uint8: ends", [["x", uint(8), [1, 4], 0, [0, 1, 254, 255]]]],
  ["int8: ends and the sign", [["x", int(8), [1, 6], 0, [-128, -127, -1, 0, 1, 127]]]],
  ["uint16: ends and the order of bytes", [["x", uint(16), [1, 5], 0, [0, 1, 255, 256, 65535]]]],
  ["int16: ends and the sign", [["x", int(16), [1, 6], 0, [-32768, -257, -1, 0, 258, 32767]]]],
  ["uint32: ends", [["x", uint(32), [1, 4], 0, [0, 1, 2 ** 31, 2 ** 32 - 1]]]],
  ["int32: ends and the sign", [["x", int(32), [1, 6], 0, [-(2 ** 31), -65537, -1, 0, 66051, 2 ** 31 - 1]]]],
  ["bool as uint8", [["on", uint(8), [1, 3], 0, [0, 1, 255]]]],
  ["fixed point: q * 2^-8, and q * 2^3", [["fine", int(16), [1, 3], -8, [-32768, 1, 384]], ["coarse", int(16), [1, 2], 3, [-5, 4095]]]], // prettier-ignore
  ["no dimensions, and a matrix row by row", [["scalar", int(32), [], -16, [-98304]], ["matrix", int(8), [2, 3], 0, [1, 2, 3, -1, -2, -3]]]], // prettier-ignore
  ["all types, none aligned", [["a", uint(8), [1, 1], 0, [7]], ["b", int(32), [1, 1], 0, [-2]], ["c", int(8), [1, 1], 0, [-3]], ["d", uint(16), [1, 1], 0, [513]], ["e", uint(8), [1, 1], 0, [1]], ["f", int(16), [1, 1], 0, [-2]], ["g", uint(32), [1, 1], 0, [4278255360]]]], // prettier-ignore
  ["the example Greenhouse: its inputs", [["door", uint(8), [1, 1], 0, [1]], ["temperature", int(16), [1, 1], -8, [-2688]], ["light", int(32), [1, 1], 0, [81000]]]], // prettier-ignore
  ["the example Greenhouse: its outputs", [["flow", int(16), [1, 3], -6, [96, -1, 32767]], ["alarm", uint(8), [1, 1], 0, [1]]]], // prettier-ignore
  ["an image of 8x8 and ten features: over the border of words", [["image", uint(8), [1, 1, 8, 8], 0, drawn(64, 0, 255)], ["features", int(32), [1, 10], -20, drawn(10, -(2 ** 31), 2 ** 31 - 1)]]], // prettier-ignore
];

const bordersIn = ([name, type, shape, exponent]: Part): BorderTensor => ({ name, type, shape, exponent });
export const WIRE_BORDERS: ReadonlyMap<string, readonly BorderTensor[]> = new Map(CASES.map(([name, parts]) => [name, parts.map(bordersIn)])); // prettier-ignore

const hex = (value: number, bits: number): string => BigInt.asUintN(bits, BigInt(value)).toString(16).padStart(bits / 4, "0"); // prettier-ignore

export function wireVectors(): WireVector[] {
  return CASES.map(([name, parts]) => {
    let text = "";
    const tensors = parts.map(([tensor, type, shape, exponent, integers]): WireTensor => {
      const offset = text.length / 2;
      for (const q of integers) text += hex(q, type.bits);
      const reals = integers.map((q) => q * 2 ** exponent);
      return { name: tensor, type: typeName(type), shape, exponent, offset, integers, reals };
    });
    const described = parts.map(([, type, shape, exponent]) => {
      const dims = shape.map((dim) => hex(dim, 32)).join("");
      return hex(type.bits + (type.signed ? 128 : 0), 8) + hex(exponent, 8) + hex(shape.length, 8) + dims;
    });
    const description = `0x${hex(parts.length, 8).repeat(2)}${described.join("").repeat(2)}`;
    return { name, tensors, bytes: `0x${text}`, description };
  });
}

export const WIRE_VECTORS = new URL("../vectors/wire.json", import.meta.url);

if (import.meta.main) writeFileSync(WIRE_VECTORS, `${JSON.stringify(wireVectors(), null, 2)}\n`);
