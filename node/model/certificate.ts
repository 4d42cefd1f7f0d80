// That integers are onnxruntime's: what is emitted for a requantization, and its comparison with float32 at every
// accumulator where a value begins or ends. Monotone in between, so those are all that can differ.
import { createHash } from "node:crypto";
import { NodeError } from "../core/errors.ts";
import { borderPoints, type Line, stepAt, type Steps } from "./line.ts";
import { requantized, type Rounding, roundToEven } from "./rounding.ts";

/** That one tensor's integers are onnxruntime's: all accumulators at which a value begins or ends were compared. */
export interface Certificate {
  readonly name: string;
  /** Different scales, each with the accumulators that it can meet. */
  readonly scales: number;
  /** Accumulators at which the integer form and float32 were compared. */
  readonly points: number;
  /** How values are found: a line (floor((m x + b) / 2^s)), a line with single accumulators mended, or a level table. */
  readonly form: "line" | "mended" | "table";
  /** Over each scale's float32 bits, its range of accumulators and its thresholds, as little-endian float64. */
  readonly sha256: string;
}

export interface Channel extends Steps {
  readonly rounding: Rounding;
  readonly line: Line | undefined;
}

/** What is emitted for one scale: rescale((x + by where x = at) * factor + bias, shift, ties) + offset. */
export interface Form {
  readonly factor: number;
  readonly bias: number;
  readonly shift: number;
  readonly ties: "up" | "even";
  readonly offset: number;
  readonly mends: Line["mends"];
}

/** Lines as one rescale reads them: with the same ties and offset. */
export function formsOf(lines: readonly Line[], zeroPoint: number): readonly Form[] {
  const ties = lines.some((line) => line.ties === "even") ? "even" : "up";
  const offset = lines.some((line) => line.offset !== 0) ? zeroPoint : 0;
  return lines.map((line) => {
    const { multiplier, shift, mends } = line;
    const unit = 2 ** shift;
    const bias = line.bias + (line.offset - offset) * unit;
    if (line.ties === "even") return { factor: multiplier, bias, shift, ties, offset, mends };
    const half = shift === 0 ? 0 : unit / 2; // The rescale adds it.
    if (ties === "up" || shift === 0) return { factor: multiplier, bias: bias - half, shift, ties, offset, mends };
    // An odd number over 2^(shift + 1) is never halfway between two integers.
    return { factor: 2 * multiplier, bias: 2 * (bias - half) + 1, shift: shift + 1, ties, offset, mends };
  });
}

/** What the emitted nodes yield for x. */
function formAt(form: Form, { lo, hi }: Pick<Rounding, "lo" | "hi">, x: number): number {
  const by = form.mends.find(({ at }) => at === x)?.by ?? 0;
  const scaled = (x + by) * form.factor + form.bias;
  const unit = 2 ** form.shift;
  const up = form.shift === 0 ? scaled : Math.floor((scaled + unit / 2) / unit);
  const whole = form.ties === "even" ? roundToEven(scaled / unit) : up;
  return Math.min(hi - form.offset, Math.max(lo - form.offset, whole)) + form.offset + 0;
}

/** Compares every border point once more, by the integers that are emitted. @throws NodeError "internal" if one differs */
export function certify(name: string, channels: readonly Channel[], forms: readonly Form[] | undefined): Certificate {
  const distinct = new Map(channels.map((channel, c) => [channel, forms?.[c]]));
  let points = 0;
  const words: number[] = [];
  for (const [channel, form] of distinct) {
    const { rounding, from, to, thresholds } = channel;
    words.push(rounding.scale, rounding.zeroPoint, from, to, ...thresholds);
    const moved = form?.mends.flatMap(({ at }) => [at - 1, at, at + 1]) ?? [];
    for (const x of new Set([...borderPoints(channel), ...moved.filter((at) => at >= from && at <= to)])) {
      points++;
      const mine = form === undefined ? stepAt(channel, x) : formAt(form, rounding, x);
      if (mine === requantized(rounding, x)) continue;
      throw new NodeError("internal", `the integer form of "${name}" yields ${mine} for the accumulator ${x}`);
    }
  }
  const mended = forms?.some(({ mends }) => mends.length > 0);
  const form = forms === undefined ? "table" : mended ? "mended" : "line";
  const bytes = new Uint8Array(8 * words.length);
  const view = new DataView(bytes.buffer);
  words.forEach((word, i) => view.setFloat64(8 * i, word, true));
  return { name, scales: distinct.size, points, form, sha256: createHash("sha256").update(bytes).digest("hex") };
}
