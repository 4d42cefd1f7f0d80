// Integer graph to a standard ONNX file whose tensors all hold integers, one rule per op. Every node is certified to be
// exact: in float32 if no partial sum, in any order, reaches 2^24, else in float64 (2^53, which range.ts has proven), so
// that every IEEE runtime yields the same bits.
import { typeName, typeRange } from "../core/tensor.ts";
import type { BorderTensor, Shape } from "../core/tensor.ts";
import { pow2 } from "./binary.ts";
import { FLOAT_LIMIT, convAttributes, convInPieces } from "./emit-conv.ts";
import type { Graph, NodeOf, Op, Ref, Rules } from "./ir.ts";
import { inputsOf, nodeAt, readsOf } from "./ir.ts";
import { castTo, onnxWriter } from "./onnx-writer.ts";
import type { Attributes, OnnxWriter, Real } from "./onnx-writer.ts";
import { rangesOf, reach } from "./range.ts";
import type { Bounds } from "./range.ts";
import { COMPILER } from "./version.ts";

export interface Emitted {
  readonly bytes: Uint8Array;
  /** Where the file holds each node's tensor. */
  readonly tensors: readonly { readonly name: string; readonly type: Real }[];
}

/** Opset 17 and IR version 8: old enough for every runtime in use, new enough for all that is written here. */
const [OPSET, IR_VERSION] = [17, 8];

interface Job {
  readonly graph: Graph;
  readonly bounds: readonly Bounds[];
  readonly writer: OnnxWriter;
  readonly tensors: { readonly name: string; readonly type: Real }[];
  readonly casts: Map<string, string>;
}

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
    const { name: own, type } = job.tensors[ref] as Emitted["tensors"][number];
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

/** float32 if every value that the node reads and computes is below its limit. */
function computedIn(job: Job, ref: Ref): Real {
  const { worst } = job.bounds[ref] as Bounds;
  const reads = readsOf(nodeAt(job.graph, ref));
  return worst < FLOAT_LIMIT && reads.every((read) => fitsFloat(job, read)) ? "float32" : "float64";
}

function fitsFloat(job: Job, ref: Ref): boolean {
  return reach(job.bounds[ref] as Bounds) <= FLOAT_LIMIT;
}

function inputType(node: NodeOf<"input">): Real {
  return typeRange(node.border.type).hi <= FLOAT_LIMIT ? "float32" : "float64";
}

/** The name of node `ref`'s tensor in the given type, cast if need be. */
function as(job: Job, ref: Ref, type: Real): string {
  const tensor = job.tensors[ref] as Emitted["tensors"][number];
  if (tensor.type === type) return tensor.name;
  const key = `${type} ${tensor.name}`;
  const known = job.casts.get(key);
  if (known !== undefined) return known;
  const cast = job.writer.op("Cast", [tensor.name], job.writer.fresh(`${tensor.name}.${type}`), castTo(type));
  job.casts.set(key, cast);
  return cast;
}

/** Applies the steps one after another; the last one's output is `name`. */
function chain(job: Job, first: string, name: string, steps: readonly Step[]): void {
  const real = steps.length > 0 ? steps : [{ opType: "Identity", more: [] }];
  real.reduce((x, { opType, more, attributes }, k) => {
    const output = k === real.length - 1 ? name : job.writer.fresh(`${name}.${opType.toLowerCase()}`);
    return job.writer.op(opType, [x, ...more], output, attributes);
  }, first);
}

interface Step {
  readonly opType: string;
  readonly more: readonly string[];
  readonly attributes?: Attributes;
}

/** A step with one constant operand, left out where it would do nothing. */
function withConstant(
  job: Job,
  opType: "Mul" | "Add",
  hint: string,
  type: Real,
  shape: Shape,
  values: ArrayLike<number>,
): Step[] {
  const neutral = opType === "Mul" ? 1 : 0;
  if (Array.from(values).every((value) => value === neutral)) return [];
  return [{ opType, more: [job.writer.constant(hint, type, values.length === 1 ? [] : shape, values)] }];
}

/** The shape that lets a vector along `axis` broadcast. */
function alongAxis(rank: number, axis: number, count: number): Shape {
  return Array.from({ length: rank }, (_, k) => (k === axis ? count : 1));
}

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
    const { x, multiplier, shift, axis, lo, hi, shape } = node;
    const along = alongAxis(shape.length, axis, multiplier.length);
    const factors = multiplier.map((m, k) => m * pow2(-(shift[k] as number)));
    const halves = shift.map((s) => (s === 0 ? 0 : 0.5));
    const rounds = shift.some((s) => s > 0);
    const steps: Step[] = [
      ...withConstant(job, "Mul", `${name}.factor`, type, along, factors),
      ...withConstant(job, "Add", `${name}.half`, type, along, halves),
      ...(rounds ? [{ opType: "Floor", more: [] }] : []),
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
  mul: () => notYet(),
  matmul: () => notYet(),
  div: () => notYet(),
  sqrt: () => notYet(),
  lookup: () => notYet(),
  step: () => notYet(),
  iszero: () => notYet(),
  onehot: () => notYet(),
  select: () => notYet(),
  take: () => notYet(),
};

function notYet(): never {
  throw new Error("not built yet");
}
