// The networks that are measured: the example models, trained on real data, and the sizes that the bars are set on,
// with random weights from a seed (accuracy plays no part in what a proof costs).
import type { Graph } from "../../node/model/ir.ts";
import { cifarCnn, lenet5, mlp784 } from "../../test/support/nets.ts";

export interface Network {
  readonly name: string;
  readonly title: string;
  /** An example model under models/ of the same name, or an integer graph. */
  readonly graph?: () => Graph;
  /** Only the circuit is built. */
  readonly circuitOnly?: true;
  /** Why it does not go through circom as a whole; without it, it does. */
  readonly noBaseline?: string;
}

export const NETWORKS: readonly Network[] = [
  { name: "digits-cnn", title: "digits-cnn, 8x8, trained" },
  { name: "digits-mlp", title: "digits-mlp, 8x8, trained" },
  {
    name: "breast-cancer-mlp",
    title: "breast-cancer-mlp, 30 features, trained",
    noBaseline: "the baseline is run for two of the three example models",
  },
  { name: "mlp-784-128-10", title: "MLP 784-128-10, random int8 weights", graph: mlp784 },
  {
    name: "lenet-5",
    title: "LeNet-5, 28x28, random int8 weights",
    graph: lenet5,
    noBaseline:
      "whole-model circom does not end in reasonable time on a CNN of this size: an earlier trial was stopped after 30 minutes",
  },
  {
    name: "cifar-cnn",
    title: "CNN, 32x32x3, 8 M MAC, random int8 weights",
    graph: cifarCnn,
    circuitOnly: true,
    noBaseline: "only the circuit's build is measured",
  },
];
