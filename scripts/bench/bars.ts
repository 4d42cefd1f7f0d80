// The bars over what was measured: limits that the project's issues set. Pure.
import { proverBars, type Race } from "./provers/results.ts";
import { type Bar, judge, measured, type Measured, type NetworkResults, peakBytes, type Unit } from "./results.ts";

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

export function barsOf(networks: readonly NetworkResults[], races: readonly Race[] = []): Bar[] {
  const bars = RULES.map(({ network, phase, of, ...rule }) => {
    const outcome = measured(networks.find(({ name }) => name === network)?.phases[phase]);
    return judge(rule, outcome && of(outcome), outcome?.others);
  });
  return [...bars, ...proverBars(races)];
}
