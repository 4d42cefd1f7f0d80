// Integer graph to a standard ONNX file whose tensors all hold integers, one rule per op. Every node is certified to be
// exact: in float32 if no partial sum, in any order, reaches 2^24, else in float64 (2^53, which range.ts has proven), so
// that every IEEE runtime yields the same bits.
import { typeName } from "../core/tensor.ts";
import type { BorderTensor } from "../core/tensor.ts";
import { pow2 } from "./binary.ts";
import { convAttributes, convInPieces } from "./emit-conv.ts";
import {
  alongAxis,
  as,
  chain,
  computedIn,
  fitsFloat,
  flattened,
  heldIn,
  inputType,
  nameOf,
  roundedIn,
  typeOf,
  withConstant,
} from "./emit-job.ts";
import type { Held, Job, Step } from "./emit-job.ts";
import type { Graph, NodeOf, Op, Ref, Rules } from "./ir.ts";
import { inputsOf, nodeAt } from "./ir.ts";
import { castTo, onnxWriter } from "./onnx-writer.ts";
import type { Real } from "./onnx-writer.ts";
import { rangesOf } from "./range.ts";
import type { Bounds } from "./range.ts";
import { COMPILER } from "./version.ts";

export interface Emitted {
  readonly bytes: Uint8Array;
  /** Where the file holds each node's tensor. */
  readonly tensors: readonly Held[];
}

/** Opset 17 and IR version 8: old enough for every runtime in use, new enough for all that is written here. */
const [OPSET, IR_VERSION] = [17, 8];

export function emitOnnx(graph: Graph): Uint8Array {
  return emit(graph).bytes;
}

export function emit(graph: Graph): Emitted {
  const inputs = inputsOf(graph);
  const writer = onnxWriter([...inputs, ...graph.outputs].map(({ border }) => border.name));
  const job: Job = { graph, bounds: rangesOf(graph), writer, tensors: [], casts: new Map() };
  graph.nodes.forEach((node, ref) => {
    const name =
      node.op === "input"
        ? node.border.name
        : (graph.outputs.find((output) => output.ref === ref)?.border.name ?? writer.fresh(node.name));
    const type = computedIn(job, ref);
    const computed = (RULES[node.op] as Rule<Op>)(job, node, name, type, ref);
    job.tensors.push({ name, type: computed });
  });
  // An input that is an output, or a tensor that is two of them, gets a name for each.
  const outputs = graph.outputs.map(({ ref, border: { name } }) => {
    const { name: own, type } = job.tensors[ref] as Held;
    if (own !== name) writer.op("Identity", [own], name);
    return { name, type, shape: nodeAt(graph, ref).shape };
  });
  const bytes = writer.finish({
    name: "glassbox",
    opset: OPSET,
    irVersion: IR_VERSION,
    producer: COMPILER,
    metadata: Object.fromEntries([
      ...inputs.map(({ border }, i) => [keyOf("glassbox.input", i), meaningOf(border)] as const),
      ...graph.outputs.map(({ border }, i) => [keyOf("glassbox.output", i), meaningOf(border)] as const),
    ]),
    inputs: inputs.map((input) => ({ name: input.border.name, type: inputType(input), shape: input.shape })),
    outputs,
  });
  return { bytes, tensors: job.tensors };
}

/** The first keeps the plain key. */
function keyOf(key: string, i: number): string {
  return i === 0 ? key : `${key}.${i}`;
}

function meaningOf({ type, exponent }: BorderTensor): string {
  return `${typeName(type)} * 2^${exponent}`;
}

/** Writes node `ref` so that its tensor is called `name`; returns that tensor's type. `type` is what is exact for it. */
type Rule<K extends Op> = (job: Job, node: NodeOf<K>, name: string, type: Real, ref: Ref) => Real;

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: (_, node) => inputType(node),
  dense: (job, { x, weights, bias }, name, type) => {
    const shape = [weights.length / bias.length, bias.length];
    chain(job, as(job, x, type), name, [
      { opType: "MatMul", more: [job.writer.constant(`${name}.weights`, type, shape, weights)] },
      ...withConstant(job, "Add", `${name}.bias`, type, [bias.length], bias),
    ]);
    return type;
  },
  conv: (job, node, name, type) => {
    if (type === "float64") {
      const x = { name: as(job, node.x, type), bounds: job.bounds[node.x] as Bounds };
      return convInPieces(job.writer, node, x, name);
    }
    const { weights, weightShape, bias, shape } = node;
    const whole = bias.length === weightShape[0];
    const constants = [job.writer.constant(`${name}.weights`, type, weightShape, weights)];
    if (whole) constants.push(job.writer.constant(`${name}.bias`, type, [bias.length], bias));
    chain(job, as(job, node.x, type), name, [
      { opType: "Conv", more: constants, attributes: convAttributes(node) },
      ...(whole ? [] : withConstant(job, "Add", `${name}.bias`, type, shape, bias)),
    ]);
    return type;
  },
  affine: (job, { x, factor, bias, shape }, name, type) => {
    chain(job, as(job, x, type), name, [
      ...withConstant(job, "Mul", `${name}.factor`, type, shape, factor),
      ...withConstant(job, "Add", `${name}.bias`, type, shape, bias),
    ]);
    return type;
  },
  sum: (job, { xs, factors }, name, type) => {
    const terms = xs.map((x, i) => {
      const factor = factors[i] as number;
      if (factor === 1) return as(job, x, type);
      const constant = job.writer.constant(`${name}.factor${i}`, type, [], [factor]);
      return job.writer.op("Mul", [as(job, x, type), constant], job.writer.fresh(`${name}.term${i}`));
    });
    job.writer.op("Sum", terms, name);
    return type;
  },
  rescale: (job, node, name, type, ref) => {
    const { x, multiplier, shift, axis, lo, hi, shape, ties } = node;
    const along = alongAxis(shape.length, axis, multiplier.length);
    const factors = multiplier.map((m, k) => m * pow2(-(shift[k] as number)));
    const rounds = shift.some((s) => s > 0);
    // The product has the bits of x * multiplier, which the type holds. (Where 2^-shift is too small for float32, it is 0
    // or next to it, and rounds to 0 as it should.)
    const halves = ties === "even" ? [0] : shift.map((s) => (s === 0 ? 0 : 0.5));
    const steps: Step[] = [
      ...withConstant(job, "Mul", `${name}.factor`, type, along, factors),
      ...withConstant(job, "Add", `${name}.half`, type, along, halves),
      ...(rounds ? [{ opType: ties === "even" ? "Round" : "Floor", more: [] }] : []),
      {
        opType: "Clip",
        more: [job.writer.constant(`${name}.lo`, type, [], [lo]), job.writer.constant(`${name}.hi`, type, [], [hi])],
      },
    ];
    const small = type === "float64" && fitsFloat(job, ref);
    if (small) steps.push({ opType: "Cast", more: [], attributes: castTo("float32") });
    chain(job, as(job, x, type), name, steps);
    return small ? "float32" : type;
  },
  max: (job, { a, b }, name, type) => {
    job.writer.op("Max", [as(job, a, type), as(job, b, type)], name);
    return type;
  },
  maxpool: (job, { x, kernel, strides, pads, dilations }, name, type) => {
    job.writer.op("MaxPool", [as(job, x, type)], name, { kernel_shape: kernel, strides, pads, dilations });
    return type;
  },
  argmax: (job, { x, axis }, name, type) => {
    chain(job, as(job, x, type), name, [
      { opType: "ArgMax", more: [], attributes: { axis, keepdims: 1, select_last_index: 0 } },
      { opType: "Cast", more: [], attributes: castTo("float32") },
    ]);
    return "float32";
  },
  reshape: (job, { x, shape }, name, type) => {
    job.writer.op(
      "Reshape",
      [as(job, x, type), job.writer.constant(`${name}.shape`, "int64", [shape.length], shape)],
      name,
    );
    return type;
  },
  transpose: (job, { x, perm }, name, type) => {
    job.writer.op("Transpose", [as(job, x, type)], name, { perm });
    return type;
  },
  pad: (job, { x, pads, value }, name, type) => {
    if (pads.every((pad) => pad === 0)) {
      chain(job, as(job, x, type), name, []); // onnxruntime pads no scalar, not even by nothing
      return type;
    }
    const begins = job.writer.constant(`${name}.pads`, "int64", [pads.length], pads);
    job.writer.op("Pad", [as(job, x, type), begins, job.writer.constant(`${name}.value`, type, [], [value])], name);
    return type;
  },
  concat: (job, { xs, axis }, name, type) => {
    job.writer.op(
      "Concat",
      xs.map((x) => as(job, x, type)),
      name,
      { axis },
    );
    return type;
  },
  mul: (job, { a, b }, name, type) => {
    job.writer.op("Mul", [as(job, a, type), as(job, b, type)], name);
    return type;
  },
  matmul: (job, { a, b }, name, type) => {
    job.writer.op("MatMul", [as(job, a, type), as(job, b, type)], name);
    return type;
  },
  div: (job, { a, b }, name, _, ref) => {
    const type = roundedIn(job, ref);
    const half = withConstant(job, "Add", `${name}.half`, type, [], [0.5]);
    chain(job, as(job, a, type), name, [
      ...half,
      { opType: "Div", more: [as(job, b, type)] },
      { opType: "Floor", more: [] },
    ]);
    return type;
  },
  sqrt: (job, { x }, name, _, ref) => {
    const type = roundedIn(job, ref);
    const half = withConstant(job, "Add", `${name}.half`, type, [], [0.5]);
    chain(job, as(job, x, type), name, [...half, { opType: "Sqrt", more: [] }, { opType: "Floor", more: [] }]);
    return type;
  },
  lookup: (job, { x, axis, first, length, table, shape }, name, _, ref) => {
    const type = heldIn(job, ref);
    const starts = Array.from({ length: table.length / length }, (_, k) => k * length - first);
    const entries = job.writer.constant(`${name}.table`, type, [table.length], table);
    const index = job.writer.op("Cast", [nameOf(job, x)], job.writer.fresh(`${name}.index`), castTo("int64"));
    const [step] = withConstant(
      job,
      "Add",
      `${name}.starts`,
      "int64",
      alongAxis(shape.length, axis, starts.length),
      starts,
    );
    const at =
      step === undefined ? index : job.writer.op("Add", [index, ...step.more], job.writer.fresh(`${name}.add`));
    job.writer.op("Gather", [entries, at], name, { axis: 0 });
    return type;
  },
  step: (job, { x, index, threshold, shape }, name) => {
    // Compared in a type that holds both sides.
    const type = threshold.every((level) => Math.fround(level) === level) ? typeOf(job, x) : "float64";
    const flat = flattened(job, x, type, name);
    const places = job.writer.constant(`${name}.places`, "int64", shape, index);
    const [level, ...others] = new Set(threshold);
    const levels =
      others.length === 0
        ? job.writer.constant(`${name}.threshold`, type, [], [level as number])
        : job.writer.constant(`${name}.threshold`, type, shape, threshold);
    chain(job, flat, name, [
      { opType: "Gather", more: [places], attributes: { axis: 0 } },
      { opType: "GreaterOrEqual", more: [levels] },
      { opType: "Cast", more: [], attributes: castTo("float32") },
    ]);
    return "float32";
  },
  iszero: (job, { x }, name) => {
    chain(job, nameOf(job, x), name, [
      { opType: "Equal", more: [job.writer.constant(`${name}.zero`, typeOf(job, x), [], [0])] },
      { opType: "Cast", more: [], attributes: castTo("float32") },
    ]);
    return "float32";
  },
  onehot: (job, { x, shape }, name) => {
    const count = shape[shape.length - 1] as number;
    const indices = Array.from({ length: count }, (_, k) => k);
    const column = shape.with(-1, 1);
    chain(job, nameOf(job, x), name, [
      { opType: "Reshape", more: [job.writer.constant(`${name}.shape`, "int64", [shape.length], column)] },
      { opType: "Equal", more: [job.writer.constant(`${name}.indices`, typeOf(job, x), [count], indices)] },
      { opType: "Cast", more: [], attributes: castTo("float32") },
    ]);
    return "float32";
  },
  select: (job, { c, a, b }, name, type) => {
    const condition = job.writer.op("Cast", [nameOf(job, c)], job.writer.fresh(`${name}.condition`), castTo("bool"));
    job.writer.op("Where", [condition, as(job, a, type), as(job, b, type)], name);
    return type;
  },
  take: (job, { x, index, shape }, name, type) => {
    const places = job.writer.constant(`${name}.places`, "int64", shape, index);
    job.writer.op("Gather", [flattened(job, x, type, name), places], name, { axis: 0 });
    return type;
  },
};
