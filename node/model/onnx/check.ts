// The model as a whole, before any op is looked at: versions, inputs and outputs, names, and the order of nodes. Yields
// the nodes that the output needs, in an order in which each reads only earlier ones.
import { NodeError } from "../../core/errors.ts";
import type { Shape } from "../../core/tensor.ts";
import type { FloatInput } from "../graph.ts";
import { elemTypeOf, MAX_RANK } from "./constant.ts";
import type { Graph, Model, Node, Tensor, ValueInfo } from "./gen/onnx_pb.ts";
import { checkNode, isDefaultDomain, titleOf } from "./nodes.ts";
import { gather, malformed, type Problem, quote, throwIfAny, TOO_LARGE, unsupported } from "./problems.ts";

/** What onnxruntime 1.30 reads: the oldest and newest opset of ai.onnx (11 is our own floor) and IR version. */
export const OPSETS = { oldest: 11, newest: 26 } as const;
/** Exporters of ai.onnx.ml write the oldest opset of ai.onnx that has the ops they need, or none if they need none. */
const OLDEST_WITH_ML = 7;
/** Ops that meant something else before OPSETS.oldest, and do not show it by their attributes. */
const CHANGED: ReadonlySet<string> = new Set(["Resize"]);
export const IR_VERSIONS = { oldest: 3, newest: 13 } as const;

export interface CheckedModel {
  readonly opset: number;
  readonly inputs: readonly CheckedInput[];
  readonly outputs: readonly CheckedOutput[];
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Tensor>;
  readonly notices: readonly string[];
}

export interface CheckedInput {
  readonly name: string;
  readonly shape: Shape;
  readonly elemType: FloatInput["elemType"];
  /** Of reals that the model quantizes at once (qdq.ts). */
  readonly exponent?: number;
}

export interface CheckedOutput {
  readonly name: string;
  /** Dimensions that the file declares; undefined where it leaves them open. */
  readonly shape: readonly (number | undefined)[] | undefined;
}

/** Sizes for dimensions that the file leaves open, by their names. */
export type Dims = Readonly<Record<string, number>>;

const ONLY_TENSORS = "Only tensors are read: take sequences, maps and optional values apart outside of the model.";

/** Inputs or outputs of a model. */
const MAX_BORDERS = 64;

const INPUT_TYPES: ReadonlySet<string> = new Set<FloatInput["elemType"]>([
  "float32",
  "float64",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "bool",
]);

function checkVersions(model: Model): number {
  const { newest } = IR_VERSIONS;
  if (model.irVersion < IR_VERSIONS.oldest || model.irVersion > newest) {
    unsupported(
      `its IR version is ${model.irVersion}, not one from ${IR_VERSIONS.oldest} to ${newest}`,
      "Export it with another onnx release (onnx.save writes model.ir_version as it is set).",
    );
  }
  const versions = new Set(model.opsetImport.filter((o) => isDefaultDomain(o.domain)).map((o) => o.version));
  const nodes = (model.graph?.node ?? []).filter((node) => isDefaultDomain(node.domain));
  const ml = model.opsetImport.some(({ domain }) => domain === "ai.onnx.ml");
  if (ml && versions.size === 0 && nodes.length === 0) return OPSETS.newest;
  const oldest = ml && !nodes.some(({ opType }) => CHANGED.has(opType)) ? OLDEST_WITH_ML : OPSETS.oldest;
  if (versions.size !== 1) malformed(`it imports ${versions.size} versions of the ai.onnx operator set, not one`);
  const [version] = versions;
  if (version === undefined || version < oldest || version > OPSETS.newest) {
    unsupported(
      `its opset is ${version}, not one from ${oldest} to ${OPSETS.newest}`,
      "Export it with an opset in between (torch.onnx.export has opset_version=17), or use onnx.version_converter.",
    );
  }
  return Number(version);
}

function checkExtras(model: Model, graph: Graph, here: (action: () => void) => void): void {
  const { functions, trainingInfo } = model;
  here(() => {
    if (functions.length === 0) return;
    const names = functions.slice(0, 5).map((f) => quote(f.name));
    unsupported(
      `it defines ${functions.length} local function(s), such as ${names.join(", ")}`,
      "Inline them with onnx.inliner.inline_local_functions.",
    );
  });
  here(() => {
    if (trainingInfo.length > 0) unsupported("it holds training information", "Export the model for inference.");
  });
  here(() => {
    const count = graph.sparseInitializer.length;
    if (count > 0) unsupported(`it has ${count} sparse initializer(s)`, "Store the weights as dense tensors.");
  });
}

/** What a value's declared type says. */
function tensorTypeOf(info: ValueInfo, what: string): { code: number; dims: (number | string | undefined)[] } {
  const type = info.type?.value;
  if (type?.case === undefined) return malformed(`${what} has no type`);
  if (type.case !== "tensorType")
    return unsupported(`${what} is not a tensor but of the kind ${type.case}`, ONLY_TENSORS);
  if (type.value.shape === undefined) {
    return unsupported(`${what} has no shape`, "Export the model with a fixed input shape (batch 1).");
  }
  const dims = type.value.shape.dim.map(({ value }) => {
    if (value.case === undefined) return undefined;
    if (value.case === "dimParam") return value.value === "" ? undefined : value.value;
    if (value.value < 0n || value.value >= 2n ** 40n) malformed(`${what} has a dimension of ${value.value}`);
    return Number(value.value);
  });
  return { code: type.value.elemType, dims };
}

function checkInput(info: ValueInfo, given: Dims, notices: string[]): CheckedInput {
  const what = `input ${quote(info.name)}`;
  const { code, dims } = tensorTypeOf(info, what);
  const elemType = elemTypeOf(code, what);
  if (!INPUT_TYPES.has(elemType)) unsupported(`${what} has element type ${elemType}`, "Let the input be float32.");
  if (dims.length > MAX_RANK)
    unsupported(`${what} has ${dims.length} dimensions, more than ${MAX_RANK}`, "Flatten some.");
  const shape = dims.map((dim, i) => {
    if (typeof dim === "number" && dim >= 1) return dim;
    if (typeof dim === "string" && Object.hasOwn(given, dim)) return given[dim];
    if (i > 0 || typeof dim === "number") return dim;
    notices.push(`the batch dimension of ${what} was open and is fixed to 1`);
    return 1;
  });
  const open = shape.flatMap((dim, i) => (typeof dim === "number" && dim >= 1 ? [] : `${i} (${dim === undefined ? "open" : quote(String(dim))})`)); // prettier-ignore
  if (open.length > 0) {
    const named = shape.find((dim) => typeof dim === "string");
    unsupported(
      `of the dimensions of ${what}, only the batch, dimension 0, may be open, but so is ${open.join(", ")}`,
      named === undefined
        ? "Fix it with onnx.tools.update_model_dims, or export with static shapes."
        : `Give its size: --dim ${named}=16; or export with static shapes.`,
    );
  }
  if (elemType === "float64") notices.push(`${what} is float64: it is carried in fixed point, to the accuracy that its type and the widths give`); // prettier-ignore
  return { name: info.name, shape: shape as readonly number[], elemType: elemType as FloatInput["elemType"] };
}

/** @throws NodeError "usage" where a size is given for a dimension that no input has */
function needOpen(dims: Dims, inputs: readonly ValueInfo[]): void {
  const open = inputs.flatMap(({ type }) =>
    type?.value.case === "tensorType" ? (type.value.value.shape?.dim ?? []).map(({ value }) => value) : [],
  );
  const names = new Set(open.flatMap(({ case: kind, value }) => (kind === "dimParam" && value !== "" ? [value] : [])));
  const unknown = Object.keys(dims).find((name) => !names.has(name));
  if (unknown === undefined) return;
  throw new NodeError("usage", `no input has a dimension named ${quote(unknown)}`, {
    mend: names.size === 0 ? "The file leaves none open by a name." : `Open are: ${[...names].map(quote).join(", ")}.`,
  });
}

function unique(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name === "") malformed(`${what} has an empty name`);
    if (seen.has(name)) malformed(`${what} ${quote(name)} is defined twice`);
    seen.add(name);
  }
}

/** Nodes with each after those it reads: the file's own order where that holds already. */
function sortNodes(nodes: readonly Node[], given: ReadonlySet<string>): readonly Node[] {
  const makers = new Map(nodes.flatMap((node, i) => node.output.filter((o) => o !== "").map((o) => [o, i] as const)));
  const readers = nodes.map((): number[] => []);
  const waits = nodes.map((node, i) => {
    let count = 0;
    for (const name of new Set(node.input)) {
      if (name === "" || given.has(name)) continue;
      const maker = makers.get(name);
      if (maker === undefined) malformed(`${titleOf(node)} reads ${quote(name)}, which nothing in the model makes`);
      readers[maker]?.push(i);
      count++;
    }
    return count;
  });
  if (readers.every((list, i) => list.every((reader) => reader > i))) return nodes;
  const order = nodes.map((_, i) => i).filter((i) => waits[i] === 0);
  for (let at = 0; at < order.length; at++) {
    for (const reader of readers[order[at] as number] as number[]) {
      const left = (waits[reader] as number) - 1;
      waits[reader] = left;
      if (left === 0) order.push(reader);
    }
  }
  if (order.length < nodes.length) {
    const stuck = nodes.filter((_, i) => (waits[i] as number) > 0);
    malformed(`${stuck.length} node(s) wait for each other in a circle, such as ${titleOf(stuck[0] as Node)}`);
  }
  return order.map((i) => nodes[i] as Node);
}

/** The nodes that `outputs` need. */
function liveNodes(sorted: readonly Node[], outputs: readonly string[]): readonly Node[] {
  const needed = new Set(outputs);
  const live = sorted.toReversed().filter((node) => {
    if (!node.output.some((name) => name !== "" && needed.has(name))) return false;
    for (const name of node.input) needed.add(name);
    return true;
  });
  return live.reverse();
}

/** @throws NodeError that lists all that is wrong at this level */
export function checkModel(model: Model, maxNodes: number, dims: Dims = {}): CheckedModel {
  const problems: Problem[] = [];
  const notices: string[] = [];
  const here = <T>(action: () => T): T | undefined => gather(problems, "the model", action);
  const graph = model.graph;
  if (graph === undefined || graph.node.length === 0) {
    problems.push({ code: "input", where: "the model", why: "it holds no graph with nodes" });
    throwIfAny(problems);
    throw new Error("a check failed without a problem");
  }
  const opset = here(() => checkVersions(model));
  here(() => {
    if (graph.node.length > maxNodes)
      unsupported(`it has ${graph.node.length} nodes, more than ${maxNodes}`, TOO_LARGE);
  });
  throwIfAny(problems);
  checkExtras(model, graph, here);
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const inputs = graph.input.filter((info) => !initializers.has(info.name));
  here(() => unique(graph.initializer.map((t) => t.name), "initializer")); // prettier-ignore
  here(() => unique(graph.input.map((info) => info.name), "input")); // prettier-ignore
  here(() => unique(graph.output.map((info) => info.name), "output")); // prettier-ignore
  const made = graph.node.flatMap((node) => node.output).filter((name) => name !== "");
  here(() => unique([...inputs.map((info) => info.name), ...initializers.keys(), ...made], "value"));
  needOpen(dims, inputs);
  const checked = inputs.map((info) => here(() => checkInput(info, dims, notices)));
  here(() => {
    if (inputs.length === 0) unsupported("it has no input", "A model without inputs is a constant.");
    if (inputs.length > MAX_BORDERS)
      unsupported(`it has ${inputs.length} inputs, more than ${MAX_BORDERS}`, "Join some with Concat.");
    if (graph.output.length === 0) malformed("it has no output");
    if (graph.output.length > MAX_BORDERS)
      unsupported(`it has ${graph.output.length} outputs, more than ${MAX_BORDERS}`, "Join some with Concat.");
  });
  const outputs = graph.output.map((info) => here(() => checkOutput(info, made, initializers, inputs)));
  const given = new Set([...inputs.map((info) => info.name), ...initializers.keys()]);
  const sorted = here(() => sortNodes(graph.node, given));
  const live = sorted === undefined ? graph.node : liveNodes(sorted, graph.output.map((info) => info.name)); // prettier-ignore
  // Lowering would find what is wrong with nodes, but will not be reached.
  if (problems.length > 0 && opset !== undefined) {
    for (const name of new Set(live.flatMap((node) => node.input))) {
      const tensor = initializers.get(name);
      if (tensor !== undefined) gather(problems, `initializer ${quote(name)}`, () => elemTypeOf(tensor.dataType, "it"));
    }
    for (const node of live) checkNode(node, opset, problems);
  }
  throwIfAny(problems);
  if (opset === undefined || sorted === undefined) throw new Error("a check failed without a problem");
  const idle = sorted.length - live.length;
  if (idle > 0) notices.push(`${idle} node(s) that the outputs do not need are left out`);
  return {
    opset,
    inputs: checked as readonly CheckedInput[],
    outputs: outputs as readonly CheckedOutput[],
    nodes: live,
    initializers,
    notices,
  };
}

function checkOutput(
  info: ValueInfo,
  made: readonly string[],
  initializers: ReadonlyMap<string, Tensor>,
  inputs: readonly ValueInfo[],
): CheckedOutput {
  const { name } = info;
  if (!made.includes(name) && !initializers.has(name) && !inputs.some((input) => input.name === name)) {
    malformed(`nothing makes its output ${quote(name)}`);
  }
  const kind = info.type?.value.case;
  if (kind !== undefined && kind !== "tensorType") {
    unsupported(`its output ${quote(name)} is not a tensor but of the kind ${kind}`, ONLY_TENSORS);
  }
  const typed = info.type?.value.case === "tensorType" && info.type.value.value.shape !== undefined;
  const dims = typed ? tensorTypeOf(info, `output ${quote(name)}`).dims : undefined;
  return { name, shape: dims?.map((dim) => (typeof dim === "number" ? dim : undefined)) };
}
