// LSTM, GRU and RNN against onnxruntime, with every attribute; their refusals; integers against floats; and what PyTorch's
// exporters write.
import { expect } from "chai";
import type { FloatDense } from "../../../node/model/graph.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { expectNear } from "../../support/near.ts";
import { type AttributeOf, bytesOf, type ModelSpec, node, noise, tensor } from "../../support/onnx.ts"; // prettier-ignore
import { agree, agreeFile, floatOutputs, quantizedFile, refused } from "../../support/onnxAgree.ts";

type Kind = "LSTM" | "GRU" | "RNN";
const GATES = { LSTM: 4, GRU: 3, RNN: 1 };
const KINDS = ["LSTM", "GRU", "RNN"] as const;
const FUNCTIONS = { LSTM: 3, GRU: 2, RNN: 1 };

/** What a state or length comes from: left out, a constant, or another input of the model. */
type Source = "none" | "constant" | "input";

interface Recurrent {
  readonly kind: Kind;
  readonly steps?: number;
  readonly batch?: number;
  readonly direction?: "forward" | "reverse" | "bidirectional";
  readonly attributes?: Readonly<Record<string, AttributeOf>>;
  readonly strings?: readonly string[];
  readonly bias?: boolean;
  readonly peephole?: boolean;
  readonly h?: Source;
  readonly c?: Source;
  readonly lengths?: readonly number[];
  /** Which of Y, Y_h, Y_c the model yields. */
  readonly outputs?: readonly (0 | 1 | 2)[];
  readonly batchFirst?: boolean;
  readonly opset?: number;
}

const WIDTH = 3;
const HIDDEN = 2;

function specOf(net: Recurrent): ModelSpec {
  const { kind, steps = 4, batch = 1, direction, bias = true, peephole = false, batchFirst = false } = net;
  const { h = "none", c = "none", outputs = kind === "LSTM" ? [0, 1, 2] : [0, 1] } = net;
  const d = direction === "bidirectional" ? 2 : 1;
  const rows = GATES[kind] * HIDDEN;
  const drawnTensor = (name: string, dims: readonly number[], seed: number) =>
    tensor(name, dims, noise(seed, dims.reduce((a, b) => a * b)).map((v) => 0.9 * v)); // prettier-ignore
  const state = batchFirst ? [batch, d, HIDDEN] : [d, batch, HIDDEN];
  const given = [bias ? "b" : "", net.lengths ? "lengths" : "", h === "none" ? "" : "h0", c === "none" ? "" : "c0", peephole ? "p" : ""]; // prettier-ignore
  const used = given.slice(0, given.findLastIndex((name) => name !== "") + 1);
  const names = ["y", "y2", "y3"];
  const wanted = [0, 1, 2].map((k) => (outputs.includes(k as 0) ? (names[outputs.indexOf(k as 0)] as string) : ""));
  const made = wanted.slice(0, wanted.findLastIndex((name) => name !== "") + 1);
  const extra = net.strings === undefined ? [] : [{ name: "activations", type: 8, strings: net.strings.map((s) => new TextEncoder().encode(s)) }]; // prettier-ignore
  const one = node(kind, ["x", "w", "r", ...used], made, {
    hidden_size: HIDDEN,
    ...(direction === undefined ? {} : { direction }),
    ...(batchFirst ? { layout: 1 } : {}),
    ...net.attributes,
  });
  const states = [["h0", h, 5], ["c0", c, 6]] as const; // prettier-ignore
  return {
    nodes: [{ ...one, attribute: [...(one.attribute ?? []), ...extra] } as typeof one],
    initializers: [
      drawnTensor("w", [d, rows, WIDTH], 3),
      drawnTensor("r", [d, rows, HIDDEN], 4),
      ...(bias ? [drawnTensor("b", [d, 2 * rows], 5)] : []),
      ...(net.lengths ? [tensor("lengths", [batch], net.lengths, "int32")] : []),
      ...(peephole ? [drawnTensor("p", [d, 3 * HIDDEN], 6)] : []),
      ...states.flatMap(([name, source, seed]) => (source === "constant" ? [drawnTensor(name, state, seed)] : [])),
    ],
    input: { dims: batchFirst ? [batch, steps, WIDTH] : [steps, batch, WIDTH] },
    moreInputs: states.flatMap(([name, source]) => (source === "input" ? [{ name, dims: state }] : [])),
    moreOutputs: outputs.slice(1).map((_, k) => ({ name: names[k + 1] as string })),
    opset: net.opset ?? 17,
  };
}

const strings = (kind: Kind, d: number, pick: (k: number) => string): string[] =>
  Array.from({ length: d * FUNCTIONS[kind] }, (_, k) => pick(k));

describe("recurrent ops against onnxruntime", function () {
  this.timeout(60_000);

  for (const kind of KINDS) {
    it(`${kind} in every direction, of several lengths and batch sizes, at old and new opsets`, async () => {
      for (const direction of [undefined, "forward", "reverse", "bidirectional"] as const) {
        for (const [steps, batch] of [
          [1, 1],
          [4, 1],
          [3, 2],
          [1, 3],
        ] as const)
          // prettier-ignore
          for (const opset of [11, 14, 17, 22])
            await agree(specOf({ kind, steps, batch, opset, ...(direction ? { direction } : {}) }));
      }
    });

    it(`${kind} with initial states left out, constant or given, with and without bias`, async () => {
      const sources = ["none", "constant", "input"] as const;
      for (const direction of ["reverse", "bidirectional"] as const)
        for (const h of sources)
          for (const c of kind === "LSTM" ? sources : (["none"] as const))
            for (const bias of [true, false]) await agree(specOf({ kind, direction, h, c, bias, batch: 2 }));
    });

    it(`${kind} yields any of its outputs`, async () => {
      const all =
        kind === "LSTM" ? ([[0], [1], [2], [1, 2], [0, 2], [2, 0, 1]] as const) : ([[0], [1], [1, 0]] as const);
      for (const outputs of all) await agree(specOf({ kind, direction: "bidirectional", outputs }));
    });

    it(`${kind} with every activation, its parameters consumed in order or by default, and clipped`, async () => {
      const plain = ["Relu", "Tanh", "Sigmoid", "Softsign", "Softplus"];
      const one = ["LeakyRelu", "ThresholdedRelu", "Elu"];
      const two = ["Affine", "ScaledTanh", "HardSigmoid"];
      const list = [...plain, ...one, ...two];
      for (let shift = 0; shift < list.length; shift++) {
        const names = strings(kind, 2, (k) => list[(shift + k) % list.length] as string);
        const alphas = names.filter((name) => !plain.includes(name)).map((_, i) => 0.5 + 0.125 * i);
        const betas = names.filter((name) => two.includes(name)).map((_, i) => 0.25 + 0.25 * i);
        const net = { kind, direction: "bidirectional", strings: names, c: "none" } as const;
        const given = {
          ...(alphas.length > 0 ? { activation_alpha: { floats: alphas } } : {}),
          ...(betas.length > 0 ? { activation_beta: { floats: betas } } : {}),
        };
        await agree(specOf({ ...net, attributes: given }));
        await agree(specOf({ ...net, attributes: { ...given, clip: { float: 0.4 } } }));
      }
      const cased = kind === "RNN" ? ["Tanh", "Sigmoid"] : ["tanh", "SIGMOID"]; // onnxruntime's RNN wants them so
      const defaults = ["LeakyRelu", "Elu", "HardSigmoid", ...cased];
      for (let shift = 0; shift < defaults.length; shift++)
        await agree(specOf({ kind, strings: strings(kind, 1, (k) => defaults[(shift + k) % 5] as string) }));
    });

    it(`${kind} batch first is what it is time first, turned`, async () => {
      for (const direction of ["forward", "bidirectional"] as const)
        for (const batch of [1, 2]) {
          const net = { kind, direction, batch, steps: 3, h: "input", c: kind === "LSTM" ? "input" : "none" } as const;
          const [first, last] = await Promise.all(
            [{ ...net, batchFirst: true }, net].map((one) => readModelBytes(bytesOf(specOf(one)))),
          );
          const d = direction === "bidirectional" ? 2 : 1;
          const turn = (data: ArrayLike<number>, a: number, b: number, inner: number): number[] =>
            Array.from({ length: a * b * inner }, (_, i) => {
              const [p, q, r] = [Math.floor(i / (b * inner)), Math.floor(i / inner) % b, i % inner];
              return data[(q * a + p) * inner + r] as number;
            });
          const parts = [noise(1, 3 * batch * WIDTH), noise(2, d * batch * HIDDEN), noise(3, d * batch * HIDDEN)];
          const states = kind === "LSTM" ? [1, 2] : [1];
          const time = [...(parts[0] as number[]), ...states.flatMap((k) => parts[k] as number[])];
          const turned = [...turn(parts[0] as number[], batch, 3, WIDTH), ...states.flatMap((k) => turn(parts[k] as number[], batch, d, HIDDEN))]; // prettier-ignore
          const ours = floatOutputs(first as never, Float64Array.from(turned));
          const theirs = floatOutputs(last as never, Float64Array.from(time));
          expect(ours.map(({ shape }) => shape)).to.deep.equal([
            [batch, 3, d, HIDDEN],
            ...states.map(() => [batch, d, HIDDEN]),
          ]);
          // Y is [steps, d, batch, hidden] there and [batch, steps, d, hidden] here.
          const wanted = theirs.map(({ data }, k) => (k === 0 ? turn(data, batch, 3 * d, HIDDEN) : turn(data, batch, d, HIDDEN))); // prettier-ignore
          wanted.forEach((list, k) =>
            list.forEach((v, i) => expectNear(ours[k]?.data[i], v, 1e-12, `output ${k}, ${i}`)),
          );
        }
    });
  }

  it("LSTM with peepholes, coupled gates and clip, in all mixtures", async () => {
    for (const input_forget of [0, 1])
      for (const peephole of [true, false])
        for (const clip of [undefined, 0.3])
          for (const c of ["none", "constant", "input"] as const) {
            const attributes = { input_forget, ...(clip === undefined ? {} : { clip: { float: clip } }) };
            await agree(specOf({ kind: "LSTM", direction: "bidirectional", peephole, c, attributes, batch: 2 }));
          }
  });

  it("GRU with linear_before_reset, with and without states and biases", async () => {
    for (const linear_before_reset of [0, 1])
      for (const h of ["none", "constant", "input"] as const)
        for (const bias of [true, false])
          await agree(
            specOf({ kind: "GRU", direction: "bidirectional", h, bias, attributes: { linear_before_reset } }),
          );
  });

  it("sequence_lens that are the full length are as good as none", async () => {
    for (const kind of KINDS) await agree(specOf({ kind, batch: 2, lengths: [4, 4] }));
  });

  it("the weights of all steps are one array", async () => {
    const graph = await readModelBytes(bytesOf(specOf({ kind: "LSTM", steps: 5 })));
    const recurrent = graph.nodes.filter((one): one is FloatDense => one.op === "dense" && one.weights.length === HIDDEN * HIDDEN); // prettier-ignore
    expect(recurrent.length).to.equal(4 * 4); // the first step's state is zero
    expect(new Set(recurrent.map(({ weights }) => weights)).size).to.equal(4);
  });
});

describe("recurrent ops refuse", () => {
  const odd = (change: (spec: ModelSpec) => ModelSpec, net: Recurrent = { kind: "LSTM" }): ModelSpec =>
    change(specOf(net));
  const replaced = (name: string, dims: readonly number[], net: Recurrent = { kind: "LSTM" }): ModelSpec =>
    odd((spec) => {
      const size = dims.reduce((a, b) => a * b, 1);
      const others = (spec.initializers ?? []).filter((one) => one.name !== name);
      return { ...spec, initializers: [...others, tensor(name, dims, noise(1, size))] };
    }, net);

  it("sequences shorter than the tensor, and lengths that are not known", async () => {
    await refused(specOf({ kind: "GRU", lengths: [3] }), "unsupported", "sequence_lens are [3], not 4 each");
    const spec = specOf({ kind: "GRU", lengths: [4] });
    const initializers = (spec.initializers ?? []).filter(({ name }) => name !== "lengths");
    const moreInputs = [{ name: "lengths", dims: [1], type: "int32" }] as const;
    await refused({ ...spec, initializers, moreInputs }, "unsupported", "its sequence_lens (input 4) depends on the model's input"); // prettier-ignore
  });

  it("weights that depend on the model's input", async () => {
    const spec = specOf({ kind: "RNN" });
    const initializers = (spec.initializers ?? []).filter(({ name }) => name !== "r");
    await refused({ ...spec, initializers, moreInputs: [{ name: "r", dims: [1, HIDDEN, HIDDEN] }] }, "unsupported", "its R (input 2) depends"); // prettier-ignore
  });

  it("activations that are unknown, too few or too many", async () => {
    await refused(specOf({ kind: "RNN", strings: ["Gelu"] }), "unsupported", '"Gelu" is unknown', "Softsign");
    await refused(specOf({ kind: "LSTM", strings: ["Tanh", "Tanh"] }), "input", "names 2 activations, not 3");
    await refused(specOf({ kind: "GRU", strings: ["Tanh", "Tanh", "Tanh", "Tanh"] }), "input", "names 4 activations, not 2"); // prettier-ignore
    for (const name of ["ThresholdedRelu", "Affine", "ScaledTanh"])
      await refused(specOf({ kind: "RNN", strings: [name] }), "unsupported", `its activation ${name} leaves out a parameter`); // prettier-ignore
  });

  it("shapes that do not fit together", async () => {
    await refused(replaced("w", [1, 7, WIDTH]), "input", "its W has the shape [1, 7, 3], not [1, 8, 3]");
    await refused(replaced("r", [1, 9, HIDDEN]), "input", "its R has the shape");
    await refused(replaced("b", [1, 8]), "input", "its B has the shape [1, 8], not [1, 16]");
    await refused(replaced("p", [1, 4], { kind: "LSTM", peephole: true }), "input", "its P has the shape");
    await refused(replaced("h0", [1, 2, HIDDEN], { kind: "LSTM", h: "constant" }), "input", "its initial_h has the shape"); // prettier-ignore
    await refused(specOf({ kind: "RNN", attributes: { hidden_size: 3 } }), "input", "its hidden_size is 3, and that of R 2"); // prettier-ignore
  });

  it("a direction, a clip or a layout that ONNX does not define", async () => {
    await refused(specOf({ kind: "RNN", attributes: { direction: "both" } }), "input", 'its direction is "both"');
    await refused(specOf({ kind: "RNN", attributes: { clip: { float: -1 } } }), "input", "its clip is -1");
    await refused(specOf({ kind: "RNN", attributes: { layout: 2 } }), "input", '"layout" is 2, not 0 or 1');
  });
});

describe("recurrent nets as PyTorch exports them", () => {
  for (const name of ["lstm", "lstm-deep", "lstm-stateful", "gru", "gru-deep", "rnn", "rnn-deep"])
    for (const exporter of ["legacy", "dynamo"])
      it(`${name} by the ${exporter} exporter yields what onnxruntime yields`, async () => {
        await agreeFile(`test/vectors/onnx/${name}-${exporter}.onnx`);
      });

  it("loses little to integers, whatever the exporter", async () => {
    const most = { lstm: 0.05, "lstm-deep": 0.05, "lstm-stateful": 0.02, gru: 0.02, "gru-deep": 0.02, rnn: 0.02, "rnn-deep": 0.02 }; // prettier-ignore
    for (const [name, share] of Object.entries(most)) {
      const { errors } = await quantizedFile(`test/vectors/onnx/${name}-dynamo.onnx`);
      errors.forEach((error, k) => expect(error, `${name}, output ${k}`).to.be.below(share));
    }
  }).timeout(60_000);

  it("has no integers for the steps that no output needs: the second layer's way back is read at its first", async () => {
    const { graph, float } = await quantizedFile("test/vectors/onnx/rnn-deep-legacy.onnx");
    const functions = float.nodes.filter(({ op }) => op === "unary").length;
    expect(functions).to.equal(5 * 4);
    expect(graph.nodes.filter(({ op }) => op === "lookup").length).to.equal(5 * 3 + 1);
  });
});
