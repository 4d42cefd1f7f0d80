// The bars over what was measured: limits that the project's issues set. Pure.
import { proverBars, type Race } from "./provers/results.ts";
import {
  type Bar,
  judge,
  measured,
  type Measured,
  type ModelResults,
  type NetworkResults,
  peakBytes,
  type Unit,
} from "./results.ts";

interface Rule {
  readonly what: string;
  readonly network: string;
  readonly phase: string;
  readonly unit: Unit;
  readonly limit: number;
  readonly of: (phase: Measured) => number | null | undefined;
}

const median =
  (name: string) =>
  ({ seconds }: Measured) =>
    seconds[name]?.median;
const peak = ({ peak }: Measured) => peakBytes(peak);
const ownConstraints = ({ figures }: Measured) =>
  figures["constraints"] === undefined ? undefined : figures["constraints"] - (figures["claimConstraints"] as number);

const [MLP, LENET, CIFAR] = ["mlp-784-128-10", "lenet-5", "cifar-cnn"];

/** Sections 4, 5, 6 and 9 of issue 2, section 7 of issue 3. Times are medians; a gigabyte is 10^9 bytes. */
const RULES: readonly Rule[] = [
  { what: "784-128-10: proof, warm", network: MLP, phase: "prove", unit: "s", limit: 0.6, of: median("warm") },
  { what: "LeNet-5: proof, warm", network: LENET, phase: "prove", unit: "s", limit: 9, of: median("warm") },
  { what: "784-128-10: peak memory of a proof", network: MLP, phase: "prove", unit: "bytes", limit: 1e9, of: peak },
  { what: "LeNet-5: peak memory of a proof", network: LENET, phase: "prove", unit: "bytes", limit: 1e9, of: peak },
  {
    what: "LeNet-5: compile with development key",
    network: LENET,
    phase: "compile",
    unit: "s",
    limit: 12,
    of: median("all"),
  },
  { what: "784-128-10: constraints without the claim", network: MLP, phase: "circuit", unit: "constraints", limit: 10_700, of: ownConstraints }, // prettier-ignore
  { what: "LeNet-5: constraints without the claim", network: LENET, phase: "circuit", unit: "constraints", limit: 162_500, of: ownConstraints }, // prettier-ignore
  { what: "LeNet-5: circuit, cold", network: LENET, phase: "circuit", unit: "s", limit: 1, of: median("cold") },
  { what: "LeNet-5: witness, warm", network: LENET, phase: "witness", unit: "s", limit: 0.1, of: median("warm") },
  { what: "784-128-10: development key", network: MLP, phase: "key", unit: "s", limit: 4, of: median("make") },
  { what: "LeNet-5: development key", network: LENET, phase: "key", unit: "s", limit: 40, of: median("make") },
  { what: "CIFAR-size CNN: circuit, cold", network: CIFAR, phase: "circuit", unit: "s", limit: 10, of: median("cold") },
  { what: "CIFAR-size CNN: peak memory of the build", network: CIFAR, phase: "circuit", unit: "bytes", limit: 1e9, of: peak }, // prettier-ignore
  { what: "digits-cnn: gas of fulfil", network: "digits-cnn", phase: "gas", unit: "gas", limit: 330_000, of: ({ figures }) => figures["fulfil"] }, // prettier-ignore
];

/** Section 10 of issue 4, of the models of the promised sizes. The memory is that of the process of `glassbox compile`. */
const SIZES: readonly Rule[] = ["mlp-2m", "cnn-8m"].flatMap((network) => [
  { what: `${network}: glassbox compile before keys`, network, phase: "package", unit: "s", limit: 120, of: median("compile") }, // prettier-ignore
  { what: `${network}: peak memory before keys`, network, phase: "package", unit: "bytes", limit: 3e9, of: ({ peak }: Measured) => peak.child }, // prettier-ignore
  { what: `${network}: development key`, network, phase: "key", unit: "s", limit: 600, of: median("make") },
]);

/** Section 6 of issue 4: what integers may cost, on the models with data of their own. */
function lossBars(models: readonly ModelResults[]): Bar[] {
  return models.flatMap(({ name, phases }) => {
    const outcome = measured(phases["package"]);
    if (outcome === undefined || SIZES.some(({ network }) => network === name)) return [];
    const [what, limit] = yieldsClasses(outcome) ? ["accuracy lost", 0.005] : ["error over the outputs' range", 0.01];
    return [judge({ what: `${name}: ${what}`, unit: "share", limit }, lossOf(outcome), undefined)];
  });
}

function yieldsClasses({ figures }: Measured): boolean {
  return figures["changed"] !== undefined;
}

/**
 * The share of samples that the float model has right and the integers have not (of another class, where there are no labels);
 * where the model yields no classes, the largest error over the range of outputs seen.
 */
export function lossOf(outcome: Measured): number {
  const { floatShare, integerShare, changed = 0, samples = 1, errorMax = 0, range = 1 } = outcome.figures;
  if (floatShare !== undefined && integerShare !== undefined) return floatShare - integerShare;
  return yieldsClasses(outcome) ? changed / samples : errorMax / range;
}

export function barsOf(
  networks: readonly NetworkResults[],
  races: readonly Race[] = [],
  models: readonly ModelResults[] = [],
): Bar[] {
  return [...judged(RULES, networks), ...judged(SIZES, models), ...lossBars(models), ...proverBars(races)];
}

function judged(rules: readonly Rule[], all: readonly (ModelResults | NetworkResults)[]): Bar[] {
  return rules.map(({ network, phase, of, ...rule }) => {
    const outcome = measured(all.find(({ name }) => name === network)?.phases[phase]);
    return judge(rule, outcome && of(outcome), outcome?.others);
  });
}
