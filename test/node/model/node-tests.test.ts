// The ONNX project's own tests of single nodes: what we read computes their results, as floats, as constants and as
// integers; what we do not read is refused by name, for the reason that test/vectors/onnx/node-tests.refused.json pins
// (UPDATE_SNAPSHOTS=1 writes it anew: the diff shows what is read now, or no longer).
import { AssertionError, expect } from "chai";
import fs from "node:fs";
import { NodeError } from "../../../node/core/errors.ts";
import { joinFlat, sizeOf, splitFlat } from "../../../node/core/tensor.ts";
import { toIntegers, toReals } from "../../../node/model/border.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import { evaluate, outputsOf } from "../../../node/model/evaluate.ts";
import type { FloatGraph } from "../../../node/model/graph.ts";
import { bordersOf } from "../../../node/model/ir.ts";
import type { Model } from "../../../node/model/onnx/gen/onnx_pb.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { expectNear } from "../../support/near.ts";
import {
  atBorders,
  encode,
  folded,
  type NodeTensor,
  type NodeTest,
  readNodeTests,
  testedOps,
  withConstants,
} from "../../support/nodeTests.ts";
import { noise, runAll } from "../../support/onnx.ts";
import { floatOutputs } from "../../support/onnxAgree.ts";

const REFUSED = "test/vectors/onnx/node-tests.refused.json";
const UPDATE = process.env["UPDATE_SNAPSHOTS"] === "1";
/** Of the largest result: results are float32's. */
const TOLERANCE = 1e-5;

/** By reason: the cases that are refused for it. */
type Refused = Record<string, string[]>;
type Stage = "read" | "fold" | "quantize";

const cases = readNodeTests();
const pinned = JSON.parse(fs.existsSync(REFUSED) ? fs.readFileSync(REFUSED, "utf8") : "{}") as Record<Stage, Refused>;
const refused: Record<Stage, Refused> = { read: {}, fold: {}, quantize: {} };

/** By the op that they test; functions written out in other ops come under "expanded". */
const groups = Map.groupBy(cases, (test) => {
  const ops = testedOps(test);
  return ops.length === 1 && !/_expanded/.test(test.name) ? (ops[0] as string) : "expanded";
});

/** The problems of the model, each once, with ops in place of nodes' names. */
function reasonOf({ message, facts }: NodeError): string {
  const problems = (facts["problems"] ?? [message]) as readonly string[];
  const short = problems.map((problem) =>
    problem
      .replace(/node .*?\(op "(\w+)"(?:, domain "([\w.]+)")?\)/, (_, op: string, domain?: string) =>
        domain === undefined ? op : `${domain}.${op}`,
      ) // prettier-ignore
      .replace(/^the model: /, "")
      .replaceAll(/\b(input|output) "\w*"/g, "$1"),
  );
  return [...new Set(short)].toSorted().join("; ");
}

/** What `action` yields, or undefined where it is refused, which is kept under `stage`. Nothing else may be thrown. */
async function attempt<T>(stage: Stage, name: string, action: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (thrown) {
    if (thrown instanceof AssertionError) throw thrown;
    if (!(thrown instanceof NodeError)) throw new Error(`${name}: not a refusal`, { cause: thrown });
    expect(thrown.code, `${name}: ${thrown.message}`).to.be.oneOf(["unsupported", "input", "usage"]);
    (refused[stage][reasonOf(thrown)] ??= []).push(name);
    return undefined;
  }
}

/** The model as exporters write it; of several outputs that are not all read, the first one. */
async function readCase(
  test: NodeTest,
): Promise<{ float: FloatGraph; model: Model; feeds: readonly NodeTensor[] } | undefined> {
  const { model, feeds } = withConstants(test, (name) => test.constants.includes(name));
  atBorders(model);
  const read = (): Promise<FloatGraph> => readModelBytes(encode(model));
  let float = await attempt("read", test.name, read);
  if (float === undefined && (model.graph?.output.length ?? 0) > 1) {
    model.graph?.output.splice(1);
    float = await read().catch(() => undefined);
  }
  return float && { float, model, feeds };
}

function expectEqual(data: Float64Array, wanted: NodeTensor, what: string): void {
  const isReal = wanted.type.startsWith("float");
  const finite = wanted.data.map(Math.abs).filter(Number.isFinite);
  const tolerance = isReal ? TOLERANCE * Math.max(1, ...finite) : 0;
  expect(data.length, what).to.equal(wanted.data.length);
  wanted.data.forEach((v, i) => {
    if (!Object.is(v, data[i])) expectNear(data[i], v, tolerance, `${what}, element ${i}`);
  });
}

/** Where the reference implementation and onnxruntime differ, we do as onnxruntime does. */
const OTHERWISE: Readonly<Record<string, string>> = {
  averagepool_2d_ceil_last_window_starts_on_pad: "its results are rounded to four digits",
  resize_downsample_scales_cubic_align_corners: "the reference aligns corners that it has cut off",
  resize_downsample_scales_linear_align_corners: "the reference aligns corners that it has cut off",
};

/** The case's results, or onnxruntime's where it computes others. */
async function wantedOf(test: NodeTest, model: Model, feeds: readonly NodeTensor[]): Promise<readonly NodeTensor[]> {
  const outputs = test.outputs ?? [];
  if (!Object.hasOwn(OTHERWISE, test.name)) return outputs;
  const results = await runAll(encode(model), feeds.map(({ data, shape, type }) => ({ data, dims: shape, type }))); // prettier-ignore
  return results.map(({ shape, data }, k) => ({
    type: (outputs[k] as NodeTensor).type,
    shape,
    data: Float64Array.from(data),
  }));
}

/** A cast to float16 or bfloat16 at the end is read without its rounding. */
function yieldsHalves({ graph }: Model): boolean {
  return graph?.output.some(({ type }) => type?.value.case === "tensorType" && [10, 16].includes(type.value.value.elemType)) === true; // prettier-ignore
}

/** Integers and truth values are exact; reals lose this much of the largest one at the default widths. */
const LOSS = 0.02;
const LOOSER: readonly (readonly [cases: RegExp, loss: number, why: string])[] = [
  [/^gru_seq_length$/, 0.05, "two rounds with a state of 8 bits, of which its largest value here takes 6"],
  [/^log$/, 0.05, "ten bits of index over 0.1 to 13 leave the steep part few entries"],
  [/^resize_.*cubic/, 0.025, "a bicubic kernel's weights have 8 bits, and its results are below its input's range"],
  [
    /^reduce_log_sum_exp.*expanded/,
    1,
    "exponentials up to e^60 are a range for no table; ReduceLogSumExp itself is exact",
  ],
];

/** Integers that reals are rounded to: halves go up in fixed point, and to the even one in ONNX. */
const STEPS: Readonly<Record<string, number>> = { QuantizeLinear: 1 };

/** The case's input, and seven like it: reals a fifth larger or smaller, other truth values, the same integers. */
function samplesOf(feeds: readonly NodeTensor[]): readonly Float64Array[] {
  return Array.from({ length: 8 }, (_, s) =>
    joinFlat(
      feeds.map(({ type, data }, k) => {
        if (s === 0 || (!type.startsWith("float") && type !== "bool")) return data;
        const noisy = noise(100 * s + k, data.length);
        return data.map((v, i) => {
          const n = noisy[i] as number;
          return type === "bool" ? +(n > 0) : Math.fround(v * (1 + 0.2 * n));
        });
      }),
    ),
  );
}

/** Quantizes the case and holds the integer graph to the float graph. */
function expectIntegers(test: NodeTest, float: FloatGraph, feeds: readonly NodeTensor[], loss: number): void {
  const samples = samplesOf(feeds);
  const { graph } = quantizeModel(float, samples);
  const { inputs, outputs } = bordersOf(graph);
  const runs = samples.map((sample) => {
    const integers = toIntegers(inputs, sample);
    // The float graph sees what the integer graph sees.
    const reals = evaluateFloat(float, toReals(inputs, integers));
    const ours = splitFlat(outputs, toReals(outputs, outputsOf(graph, evaluate(graph, integers))));
    return { reals: float.outputs.map(({ ref }) => reals[ref] as Float64Array), ours };
  });
  float.outputs.forEach((_, k) => {
    const largest = Math.max(...runs.map(({ reals }) => Math.max(...(reals[k] as Float64Array).map(Math.abs))));
    const isReal = test.outputs?.[k]?.type.startsWith("float") === true;
    const most = isReal ? loss * largest : (STEPS[testedOps(test)[0] as string] ?? 0);
    for (const { reals, ours } of runs) {
      reals[k]?.forEach((v, i) => expectNear(ours[k]?.[i], v, most, `${test.name}, output ${k}, integer ${i}`));
    }
  });
}

/** What every case went through, to hold that something was tested. */
const counts = { read: 0, folded: 0, quantized: 0 };

describe("the ONNX project's node tests", () => {
  for (const [op, list] of [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    it(`${op}: ${list.length} as exporters write them`, async () => {
      for (const test of list) {
        const read = await readCase(test);
        if (read === undefined) continue;
        const { float, model, feeds } = read;
        if (yieldsHalves(model)) continue;
        expect(test.inputs, `${test.name} is read now: let scripts/train/fixtures_node_tests.py keep its data`).to.not.equal(undefined); // prettier-ignore
        const wanted = await wantedOf(test, model, feeds);
        const flat = joinFlat(feeds.map(({ data }) => data));
        floatOutputs(float, flat).forEach(({ shape, data }, k) => {
          expect(shape, `${test.name}, output ${k}`).to.deep.equal(wanted[k]?.shape);
          expectEqual(data, wanted[k] as NodeTensor, `${test.name}, output ${k}`);
        });
        counts.read++;
        // Reals of 1e38 and infinities are no numbers that fixed point carries.
        if (!flat.every(Number.isFinite)) continue;
        const loss = LOOSER.find(([names]) => names.test(test.name))?.[1] ?? LOSS;
        const done = await attempt("quantize", test.name, () => {
          expectIntegers(test, float, feeds, loss);
          return true;
        });
        counts.quantized += done === undefined ? 0 : 1;
      }
    }).timeout(60_000);

    it(`${op}: ${list.length} as constants, folded`, async () => {
      for (const test of list) {
        const { outputs } = test;
        if (outputs === undefined || outputs.some(({ shape }) => sizeOf(shape) === 0)) continue;
        const float = await attempt("fold", test.name, () => readModelBytes(encode(folded(test))));
        if (float === undefined) continue;
        const zeros = new Float64Array(outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
        floatOutputs(float, zeros).forEach(({ data }, k) => expectEqual(data, outputs[k] as NodeTensor, `${test.name}, output ${k}`)); // prettier-ignore
        counts.folded++;
      }
    });
  }

  it("are refused for the reasons that are pinned, and the others are read", () => {
    if (UPDATE) {
      const sorted = (list: Refused): Refused => Object.fromEntries(Object.entries(list).toSorted(([a], [b]) => (a < b ? -1 : 1))); // prettier-ignore
      const all = { read: sorted(refused.read), fold: sorted(refused.fold), quantize: sorted(refused.quantize) };
      fs.writeFileSync(REFUSED, `${JSON.stringify(all, null, 1)}\n`);
      return;
    }
    for (const stage of ["read", "fold", "quantize"] as const) {
      const flat = (list: Refused): string[] => Object.entries(list).flatMap(([why, names]) => names.map((name) => `${name}: ${why}`)).toSorted(); // prettier-ignore
      expect(flat(refused[stage]), `${stage}: UPDATE_SNAPSHOTS=1 accepts a wanted change`).to.deep.equal(flat(pinned[stage])); // prettier-ignore
    }
    expect(counts.read, "cases read").to.be.above(700);
    expect(counts.quantized, "cases quantized").to.be.above(700);
    expect(counts.folded, "cases folded").to.be.above(600);
  });
});
