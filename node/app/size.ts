// How large a model may be: what no proof has room for is refused before it is built, and of models whose samples take long to
// run, the circuit is counted beforehand.
import { buildCircuit, type Limit } from "../circuit/build.ts";
import { PUBLICS } from "../circuit/sheet.ts";
import { MAX_POWER } from "../core/field.ts";
import { sizeOf } from "../core/tensor.ts";
import { inputBorders, type InputSpec, type Specs } from "../model/border.ts";
import { observe } from "../model/calibrate.ts";
import type { Dataset } from "../model/dataset.ts";
import type { FloatGraph, FloatNode } from "../model/graph.ts";
import { DEFAULT_WIDTHS, type OutputSpec } from "../model/lowering.ts";
import { optimize } from "../model/optimize.ts";
import { quantize } from "../model/quantize.ts";
import type { StepRunner } from "./compile.ts";
import { proofBytesOf } from "./estimate.ts";
import { type Bar, MAX_TRIALS } from "./search.ts";
import { bytes } from "./terminal.ts";

/** snarkjs' prover and ours transform over twice the domain, and BN254 has roots of unity for 2^28 points. */
const LARGEST_DOMAIN = 2 ** (MAX_POWER - 1);
const SMALLER = "Take a smaller model or smaller inputs";

/** The most constraints that can be proved; with `memory`, in bytes, on a machine that has so much of it. */
export function limitOf(memory = Infinity): Limit {
  let domain = LARGEST_DOMAIN;
  while (domain > 2 && proofBytesOf(domain) > memory) domain /= 2;
  const most = domain - 1 - PUBLICS;
  if (domain === LARGEST_DOMAIN)
    return { most, why: `BN254 has no room for more than ${most} in one proof`, mend: `${SMALLER}.` };
  return {
    most,
    why: `a proof of more than ${most} takes some ${bytes(proofBytesOf(2 * domain))} of memory, and this machine has ${bytes(memory)}`,
    mend: `${SMALLER}; or stop before the key with --no-keys, and go on where there is more memory.`,
  };
}

/** One evaluation of a float model or of its integers, on one core of the bench's machine. */
const SECONDS = { perProduct: 1.5e-9, perElement: 1e-8 };

/** Seconds of running a float model, or the integer model that it becomes, once. */
export function runSecondsOf({ nodes }: FloatGraph): number {
  return nodes.reduce((sum, node) => {
    const each = SECONDS.perElement + SECONDS.perProduct * productsOf(nodes, node);
    return sum + sizeOf(node.shape) * each;
  }, 0);
}

/** Products in one element of what a node yields. */
function productsOf(nodes: readonly FloatNode[], node: FloatNode): number {
  switch (node.op) {
    case "dense":
      return node.weights.length / node.bias.length;
    case "conv":
      return node.weights.length / node.weightShape[0];
    case "matmul":
      return (nodes[node.a] as FloatNode).shape.at(-1) as number;
    default:
      return 0;
  }
}

/** Work on samples that takes long. */
export interface Long {
  readonly seconds: number;
  /** Of the circuit that one sample leads to; the others change it a little. */
  readonly constraints: number;
}

export interface Plan {
  readonly float: FloatGraph;
  readonly inputs: Specs<InputSpec> | undefined;
  readonly outputs?: Specs<OutputSpec>;
  readonly calibration: Dataset;
  readonly test: Dataset;
  readonly bar?: Bar;
  readonly limit: Limit;
}

/** Work that takes longer than so many seconds is not begun without a word. */
export const LONG_SECONDS = 60;
/** By how much constraints may fall when all samples are known, or when widths are searched. */
const [KNOWN, SEARCHED] = [1.5, 4];

/** Undefined for work that is not long. @throws NodeError "unsupported" if the circuit would be far above the limit */
export async function foresee(plan: Plan, step: StepRunner): Promise<Long | undefined> {
  const { float, inputs, outputs, calibration, test, bar, limit } = plan;
  // Both models run on both sets of samples, and for each trial of a search the integers on the second.
  const runs = 2 * calibration.samples.length + (bar === undefined ? 2 : 2 + MAX_TRIALS) * test.samples.length;
  const seconds = runs * runSecondsOf(float);
  if (seconds <= LONG_SECONDS) return undefined;
  const { constraints } = await step(
    "count the circuit",
    (call) => {
      const observed = observe(float, calibration.samples.slice(0, 1), call);
      const borders = inputBorders(float, calibration.samples, inputs);
      const { graph } = optimize(quantize(float, observed, borders, outputs, DEFAULT_WIDTHS).graph);
      const most = Math.floor(limit.most * (bar === undefined ? KNOWN : SEARCHED));
      return buildCircuit(graph, { limit: { ...limit, most }, ...call });
    },
    ({ constraints }) => `about ${constraints} constraints, by one sample`,
  );
  return { seconds, constraints };
}
