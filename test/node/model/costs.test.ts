// What docs/ops.md says that ops cost, counted: small models of single ops, on 8-bit inputs unless said otherwise.
import { expect } from "chai";
import { buildCircuit, type CircuitReport } from "../../../node/circuit/build.ts";
import { quantizeModel } from "../../../node/model/compile.ts";
import type { Op } from "../../../node/model/ir.ts";
import { supportedOps } from "../../../node/model/onnx/ops.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import {
  type AttributeOf,
  bytesOf,
  type Elem,
  ints,
  node,
  noise,
  tensor,
  type TensorInit,
} from "../../support/onnx.ts";

interface Sample {
  readonly op: string;
  readonly dims: readonly number[];
  readonly type?: Elem;
  readonly outputType?: Elem;
  /** A second input, of the same shape and type. */
  readonly pair?: true;
  readonly attributes?: Record<string, AttributeOf>;
  readonly constants?: readonly TensorInit[];
  /** Bits and exponent of float inputs: 8 and -5 unless given. */
  readonly bits?: 8 | 16;
}

/** Constraints of each op of the sample's integer graph, inputs and their truth values left out. */
async function countsOf(sample: Sample): Promise<{ rows: Map<Op, number>; report: CircuitReport }> {
  const { op, dims, type = "int8", outputType = type, pair, attributes = {}, constants = [], bits = 8 } = sample;
  const names = ["x", ...(pair ? ["z"] : []), ...constants.map(({ name }) => name as string)];
  const nodes = [node(op, names, ["y"], attributes)];
  const moreInputs = pair ? [{ name: "z", dims, type }] : [];
  const float = await readModelBytes(bytesOf({ nodes, initializers: constants, input: { dims, type }, moreInputs, outputType, opset: 20 })); // prettier-ignore
  const size = dims.reduce((a, b) => a * b, 1) * (pair ? 2 : 1);
  const isFloat = type.startsWith("float");
  const reach = isFloat ? 3.9 : 100;
  const samples = [1, 2, 3].map((seed) => Float64Array.from(noise(seed, size), (v) => (type === "bool" ? +(v > 0) : isFloat ? v * reach : Math.round((type === "uint8" ? Math.abs(v) : v) * reach)))); // prettier-ignore
  const inputs = isFloat ? { "": { type: { bits, signed: true }, exponent: bits === 8 ? -5 : -13 } } : {};
  const { graph } = quantizeModel(float, samples, { inputs });
  const report = await buildCircuit(graph);
  const rows = new Map<Op, number>();
  for (const layer of report.layers) rows.set(layer.op, (rows.get(layer.op) ?? 0) + layer.constraints);
  return { rows, report };
}

const image = [1, 2, 4, 4];
const weights = (name: string, ...dims: number[]): TensorInit => tensor(name, dims, noise(5, dims.reduce((a, b) => a * b, 1))); // prettier-ignore
const real = { type: "float32" } as const;

/** [what the table says, a model, the constraints that follow for some ops of its integer graph] */
const SAMPLES: readonly (readonly [cost: string, sample: Sample, rows: Partial<Record<Op, number>>])[] = [
  ["2", { op: "Equal", dims: [1, 5], pair: true, outputType: "bool" }, { iszero: 2 * 5 }],
  ["n + 2", { op: "Greater", dims: [1, 5], pair: true, outputType: "bool" }, { rescale: (8 + 2) * 5 }],
  ["n + 3 for each value but one; with a constant 0: a clamp", { op: "Max", dims: [1, 5], pair: true }, { max: (8 + 3) * 5 }],
  ["n + 3", { op: "Abs", dims: [1, 5] }, { max: (8 + 3) * 5 }],
  ["n + 4 for each value but one", { op: "ArgMax", dims: [1, 6], outputType: "int64", attributes: { axis: 1 } }, { argmax: (8 + 4) * 5 }],
  ["n + 3 for each value but one", { op: "MaxPool", dims: [1, 2, 4, 4], ...real, attributes: { kernel_shape: [2, 2] } }, { maxpool: 2 * 9 * 3 * (8 + 3) }],
  ["n + 3 for each value but one", { op: "ReduceMax", dims: [3, 4], constants: [ints("a", [1])] }, { maxpool: 3 * 3 * (8 + 3) }],
  ["a table", { op: "Sigmoid", dims: [1, 7], ...real }, { lookup: 26 * 7 }],
  ["a table", { op: "Sigmoid", dims: [1, 7], ...real, bits: 16 }, { lookup: 58 * 7, rescale: (17 + 2) * 7 }],
  ["a table", { op: "Tanh", dims: [1, 7], ...real, bits: 16 }, { lookup: 58 * 7 }],
  ["0 with constants, else 1 per product", { op: "MatMul", dims: [5, 5], ...real, pair: true }, { matmul: 125 }],
  ["0 with constants, else 1 per product", { op: "MatMul", dims: [1, 5], ...real, constants: [weights("w", 5, 3)] }, { dense: 0 }],
  ["0 with constants, else 1 per product", { op: "Mul", dims: [1, 5], ...real, pair: true }, { mul: 5 }],
  ["0: linear", { op: "Add", dims: [1, 5], ...real, pair: true }, { sum: 0 }],
  ["0: linear", { op: "Conv", dims: image, ...real, constants: [weights("w", 3, 2, 3, 3)] }, { conv: 0 }],
  ["0: linear", { op: "AveragePool", dims: image, ...real, attributes: { kernel_shape: [2, 2] } }, { conv: 0 }],
  ["0: wiring", { op: "Transpose", dims: [2, 5] }, { transpose: 0 }],
  ["0: wiring", { op: "Tile", dims: [1, 5], constants: [ints("r", [2, 3])] }, { take: 0 }],
  ["1, 0 with constants", { op: "Xor", dims: [1, 5], pair: true, type: "bool" }, { mul: 5 }],
  ["1, 0 with constants", { op: "And", dims: [1, 5], pair: true, type: "bool" }, { mul: 5, iszero: 2 * 10 }],
  ["1 per value", { op: "ReduceSumSquare", dims: [1, 6], ...real, constants: [ints("a", [1])] }, { mul: 6 }],
  ["1 per value, and a root", { op: "ReduceL2", dims: [1, 6], ...real, constants: [ints("a", [1])] }, { mul: 6 }],
  ["B + 2, B + 4 where it may saturate", { op: "Floor", dims: [1, 5], ...real }, { rescale: (8 + 2) * 5 }],
  ["B + 5, B + 7 where it may saturate", { op: "Round", dims: [1, 5], ...real }, { rescale: (9 + 5) * 5 }],
  ["K + 3 per index, K + 4 where it may be negative, for K columns; B + 4 where it may lie outside", { op: "OneHot", dims: [3], type: "uint8", outputType: "float32", constants: [tensor("d", [], [6], "int64"), tensor("v", [2], [0, 1])] }, { onehot: 3 * (6 + 3) }],
  ["K + 3 per index, K + 4 where it may be negative, for K columns; B + 4 where it may lie outside", { op: "OneHot", dims: [3], outputType: "float32", constants: [tensor("d", [], [6], "int64"), tensor("v", [2], [0, 1])] }, { onehot: 3 * (6 + 4) }],
  ["a comparison of n + 2, and 1", { op: "ThresholdedRelu", dims: [1, 5], ...real }, { mul: 5 }],
]; // prettier-ignore

describe("what ops cost", () => {
  SAMPLES.forEach(([cost, sample, wanted], k) => {
    it(`${sample.op} (${k}): ${cost}`, async () => {
      expect(supportedOps().find(({ op }) => op === sample.op)?.cost).to.equal(cost);
      const { rows } = await countsOf(sample);
      for (const [op, count] of Object.entries(wanted)) expect(rows.get(op as Op), op).to.equal(count);
    });
  });

  it("a quotient and a root: n + 2k + 3 of the gadget's own n and k", async () => {
    const samples: readonly Sample[] = [
      { op: "ReduceL2", dims: [1, 4], ...real, constants: [ints("a", [1])] },
      { op: "LayerNormalization", dims: [1, 4], ...real, constants: [weights("g", 4)] },
    ];
    const seen = new Set<string>();
    for (const sample of samples) {
      for (const [name, { rows, stamps }] of Object.entries((await countsOf(sample)).report.gadgets)) {
        const [, template, n, k] = /^(Div|Sqrt)\((\d+),-?\d+,(\d+)\)$/.exec(name) ?? [];
        if (template === undefined) continue;
        seen.add(template);
        expect(rows / stamps, name).to.equal(Number(n) + 2 * Number(k) + 3);
      }
    }
    expect([...seen].toSorted()).to.deep.equal(["Div", "Sqrt"]);
  });

  it("an LSTM: 5 tables and 3 products per step and unit", async () => {
    const [units, steps] = [3, 2];
    const { rows, report } = await countsOf({
      op: "LSTM",
      dims: [steps, 1, 2],
      ...real,
      attributes: { hidden_size: units },
      constants: [weights("w", 1, 4 * units, 2), weights("r", 1, 4 * units, units), weights("b", 1, 8 * units)],
    });
    const looked = report.layers.filter(({ op }) => op === "lookup");
    // The first state is zero: no forget gate and no product with it.
    expect(looked.reduce((sum, { elements }) => sum + elements, 0)).to.equal(units * (5 * steps - 1));
    expect(rows.get("mul")).to.equal(units * (3 * steps - 1));
  });

  it("every op has a text", () => {
    for (const { op, cost } of supportedOps()) expect(cost, op).to.match(/\d|a table|a quotient|a root|as /);
  });
});
