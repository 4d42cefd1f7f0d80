// The search for widths: the cheapest circuit whose answers stay within a loss that a person names. It tries widths, first of
// all tensors at once, then kind by kind, then tensor by tensor, and keeps what stays within the bar and saves constraints.
// What it finds is written down as plain widths, so that nobody has to search again to get the same bytes.
import { setImmediate } from "node:timers/promises";
import { buildCircuit } from "../circuit/build.ts";
import type { ClaimForm } from "../core/domain.ts";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type BorderTensor, sizeOf, splitFlat } from "../core/tensor.ts";
import { classesAt, count, newTally, type Tally } from "../model/accuracy.ts";
import { reduced } from "../model/compile.ts";
import { type Specs, toIntegers, toReals } from "../model/border.ts";
import type { Observed } from "../model/calibrate.ts";
import type { Dataset } from "../model/dataset.ts";
import { evaluate, outputsOf } from "../model/evaluate.ts";
import { evaluateFloat } from "../model/evaluate-float.ts";
import type { FloatGraph } from "../model/graph.ts";
import { bordersOf } from "../model/ir.ts";
import { type Choice, DEFAULT_WIDTHS, type OutputSpec, type WidthKind, type Widths } from "../model/lowering.ts";
import { yieldsIndex } from "../model/output.ts";
import { quantize } from "../model/quantize.ts";

/**
 * What must be kept. loss: a share (0.005 is half a point of accuracy on labelled data, or of samples whose class changes on
 * unlabelled data, or of the output's range where the model yields no classes). error: the largest error of any output, in
 * its own units, or as a share of the range of outputs.
 */
export type Bar =
  | { readonly kind: "loss"; readonly share: number }
  | { readonly kind: "error"; readonly most: number }
  | { readonly kind: "error"; readonly share: number };

/** Reads "0.5%" or "0.005" as a loss. @throws NodeError "usage" */
export function parseLoss(text: string): Bar {
  const { value, percent } = parseNumber(text, "--max-loss");
  const share = percent ? value / 100 : value;
  if (share >= 1) throw new NodeError("usage", `a loss of ${text} is everything`, { mend: "Write 0.5% or 0.005." });
  return { kind: "loss", share };
}

/** Reads "0.25" as an error in the output's units, "1%" as a share of its range. @throws NodeError "usage" */
export function parseError(text: string): Bar {
  const { value, percent } = parseNumber(text, "--max-error");
  return percent ? { kind: "error", share: value / 100 } : { kind: "error", most: value };
}

function parseNumber(text: string, option: string): { readonly value: number; readonly percent: boolean } {
  const match = /^(\d+(?:\.\d+)?|\.\d+)(%?)$/.exec(text.trim());
  if (match === null) {
    throw new NodeError("usage", `${option} ${text} is no number from 0 on`, { mend: `Write ${option} 0.5% or 0.01.` });
  }
  return { value: Number(match[1]), percent: match[2] === "%" };
}

/** One set of widths and what it costs and loses. */
export interface Trial {
  readonly widths: Widths;
  readonly constraints: number;
  /** Size of the evaluation domain: proving time follows it. */
  readonly domain: number;
  /** In the bar's unit. */
  readonly loss: number;
}

export interface Found {
  readonly best: Trial;
  /** The default widths first, then each that was better than the one before. */
  readonly trade: readonly Trial[];
  readonly trials: number;
}

export interface Search {
  readonly float: FloatGraph;
  readonly observed: readonly Observed[];
  readonly inputs: readonly BorderTensor[];
  readonly outputs: Specs<OutputSpec>;
  readonly data: Dataset;
  readonly bar: Bar;
  readonly claim?: ClaimForm;
}

const KINDS: readonly WidthKind[] = ["weights", "activations", "features", "tables"];
const [LEAST_BITS, MOST_BITS] = [2, 16];
/** Trials in all; each quantizes, runs all samples and counts a circuit. */
export const MAX_TRIALS = 96;

/** @throws NodeError "unsupported" if no widths keep the bar, "aborted" */
export async function searchWidths(search: Search, call: LongCall = {}): Promise<Found> {
  const judge = judgeOf(search);
  let trials = 0;
  const attempt = async (widths: Widths): Promise<Tried | undefined> => {
    throwIfAborted(call.signal);
    if (trials >= MAX_TRIALS) return undefined;
    trials++;
    call.onProgress?.({ what: "widths tried", done: trials, total: MAX_TRIALS });
    await setImmediate();
    return tryWidths(search, judge, widths);
  };
  const first = (await attempt(DEFAULT_WIDTHS)) as Tried;
  const kinds = KINDS.filter((kind) => first.choices.some((choice) => choice.kind === kind));
  let best = first;
  while (best.loss > judge.most) {
    const widths = changed(best.widths, kinds, 1);
    if (widths === undefined) throw unreachable(judge, best);
    best = (await attempt(widths)) as Tried;
  }
  const trade = best === first ? [first] : [first, best];
  const take = async (widths: Widths | undefined): Promise<boolean> => {
    const tried = widths === undefined ? undefined : await attempt(widths);
    if (tried === undefined || tried.loss > judge.most || tried.constraints >= best.constraints) return false;
    best = tried;
    trade.push(tried);
    return true;
  };
  while (await take(changed(best.widths, kinds, -1))); // all at once
  for (const kind of kinds) while (await take(changed(best.widths, [kind], -1)));
  for (const { name, bits } of costliest(search.float, best.choices)) {
    let [own, saved] = [bits, true];
    for (const step of [2, 1]) {
      for (saved = true; saved && own - step >= LEAST_BITS; own -= saved ? step : 0) {
        saved = await take({ ...best.widths, tensors: { ...best.widths.tensors, [name]: own - step } });
      }
    }
  }
  return { best, trade, trials };
}

interface Tried extends Trial {
  readonly choices: readonly Choice[];
}

/** Widths with some kinds wider or narrower by `by`; undefined where that leaves the range or changes nothing. */
function changed(widths: Widths, kinds: readonly WidthKind[], by: number): Widths | undefined {
  const entries = kinds.map((kind) => [kind, Math.min(MOST_BITS, Math.max(LEAST_BITS, widths[kind] + by))] as const);
  return entries.some(([kind, bits]) => bits !== widths[kind])
    ? { ...widths, ...Object.fromEntries(entries) }
    : undefined;
}

/** Tensors by how many elements a bit more or less concerns, the largest first. */
function costliest(float: FloatGraph, choices: readonly Choice[]): readonly Choice[] {
  const sizes = new Map(float.nodes.map(({ name, shape }) => [name, sizeOf(shape)]));
  const size = ({ name }: Choice): number => sizes.get(name) ?? 0;
  return choices.toSorted((a, b) => size(b) - size(a));
}

interface Judge {
  /** Per sample, what the float model yields. */
  readonly reals: readonly (readonly Float64Array[])[];
  readonly classes: number | undefined;
  readonly most: number;
  lossOf(tally: Tally): number;
}

function judgeOf({ float, data, bar }: Search): Judge {
  const reals = data.samples.map((sample) => {
    const tensors = evaluateFloat(float, sample);
    return float.outputs.map(({ ref }) => tensors[ref] as Float64Array);
  });
  const classes = classesAt(float);
  const samples = data.samples.length;
  const range = rangeOf(float, reals);
  if (range === 0 && "share" in bar && (bar.kind === "error" || classes === undefined)) {
    throw new NodeError("usage", `${samples} test sample(s) yield one output value only: nothing is a share of that range`, {
      mend: "Give test data that differ, or --max-error in the output's unit.",
    }); // prettier-ignore
  }
  if (bar.kind === "error") {
    if (range === undefined) {
      throw new NodeError("usage", "the model yields class indices only, which have no error", {
        mend: "Give --max-loss.",
      });
    }
    const most = "most" in bar ? bar.most : bar.share * range;
    return { reals, classes, most, lossOf: ({ worst }) => worst };
  }
  return {
    reals,
    classes,
    most: bar.share,
    lossOf: ({ right, rightInteger, changed, worst }) => {
      if (classes === undefined) return range === undefined ? worst : worst / range;
      return data.labels === undefined ? changed / samples : Math.max(0, (right - rightInteger) / samples);
    },
  };
}

/** From the least to the most that any output, class indices aside, yields; undefined where there is no such output. */
function rangeOf(float: FloatGraph, reals: readonly (readonly Float64Array[])[]): number | undefined {
  const values = float.outputs.map((_, k) => k).filter((k) => !yieldsIndex(float, k));
  if (values.length === 0) return undefined;
  let [least, most] = [Infinity, -Infinity];
  for (const sample of reals) {
    for (const k of values) {
      for (const value of sample[k] as Float64Array) [least, most] = [Math.min(least, value), Math.max(most, value)];
    }
  }
  return most - least;
}

async function tryWidths(search: Search, judge: Judge, widths: Widths): Promise<Tried> {
  const { float, observed, inputs, outputs, data } = search;
  const quantized = quantize(float, observed, inputs, outputs, widths);
  const { graph } = reduced(quantized);
  const borders = bordersOf(graph);
  const tally = newTally();
  for (const [i, sample] of data.samples.entries()) {
    const tensors = evaluate(graph, toIntegers(borders.inputs, sample));
    const ours = splitFlat(borders.outputs, toReals(borders.outputs, outputsOf(graph, tensors)));
    count(tally, float, judge.reals[i] as readonly Float64Array[], ours, judge.classes, data.labels?.[i]);
  }
  const { constraints, domain } = await buildCircuit(graph, search.claim === undefined ? {} : { claim: search.claim });
  return { widths, constraints, domain, loss: judge.lossOf(tally), choices: quantized.choices };
}

function unreachable({ most }: Judge, { loss }: Trial): NodeError {
  return new NodeError("unsupported", `no widths up to ${MOST_BITS} bits keep ${most}: the widest lose ${loss}`, {
    mend: "Allow more; or give calibration data that show what the inputs are; or declare a finer input or output type.",
    facts: { most, loss },
  });
}
