// One ONNX node as its op's rule sees it: inputs resolved to values, attributes checked, and the questions that rules ask
// of them. A rule refuses by unsupported() or malformed(); where it stands is added by the caller.
import type { Attributes, AttributeRules } from "./attributes.ts";
import { type Constant, type ElemType, isFloat, MAX_RANK } from "./constant.ts";
import type { Activation, Draft, Value } from "./draft.ts";
import type { Tensor } from "./gen/onnx_pb.ts";
import { malformed, unsupported } from "./problems.ts";

export interface Site {
  readonly op: string;
  readonly name: string;
  readonly opset: number;
  /** Optional inputs that are left out are undefined. */
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes: Attributes;
  /** Names of the outputs, "" for those that nobody wants. */
  readonly outputs: readonly string[];
  readonly draft: Draft;
}

export interface OpRule {
  /** Fewest and most inputs. */
  readonly inputs: readonly [number, number];
  /** Most outputs that ONNX defines, 1 if not given. */
  readonly outputs?: number;
  readonly since?: number;
  readonly attributes: AttributeRules;
  /** What is not read, for people. */
  readonly limits: string;
  /** The first output, or all that are yielded; reading one that is not is refused. */
  readonly lower: (site: Site) => Value | readonly (Value | undefined)[];
}

export function intOf(site: Site, name: string, fallback: number): number {
  return (site.attributes.get(name) as number | undefined) ?? fallback;
}

export function floatOf(site: Site, name: string, fallback: number): number {
  const value = intOf(site, name, fallback);
  return Number.isFinite(value)
    ? value
    : unsupported(`attribute "${name}" is ${value}`, "Export it with a finite number.");
}

/** Lists of axes, sizes or pads, two per axis at most. */
function needShort(list: ArrayLike<number>, what: string): void {
  if (list.length > 2 * MAX_RANK)
    unsupported(`its ${what} are a list of ${list.length} numbers`, "Give two for each axis at most.");
}

export function intsOf(site: Site, name: string): readonly number[] | undefined {
  const list = site.attributes.get(name) as readonly number[] | undefined;
  if (list !== undefined) needShort(list, name);
  return list;
}

export function stringOf(site: Site, name: string, fallback: string): string {
  return (site.attributes.get(name) as string | undefined) ?? fallback;
}

export function tensorAttribute(site: Site, name: string): Tensor | undefined {
  return site.attributes.get(name) as Tensor | undefined;
}

/** An attribute that ONNX defines as 0 or 1. */
export function flagOf(site: Site, name: string, fallback: boolean): boolean {
  const value = intOf(site, name, fallback ? 1 : 0);
  if (value !== 0 && value !== 1) malformed(`attribute "${name}" is ${value}, not 0 or 1`);
  return value === 1;
}

export function valueAt(site: Site, index: number): Value {
  return site.inputs[index] ?? malformed(`its input ${index} is missing`);
}

export function constantAt(site: Site, index: number, what: string): Constant {
  const value = valueAt(site, index);
  if (value.kind === "constant") return value;
  return unsupported(
    `its ${what} (input ${index}) depends on the model's input`,
    "Only constants are read there; export the model so that it is one.",
  );
}

export function optionalConstant(site: Site, index: number, what: string): Constant | undefined {
  return site.inputs[index] === undefined ? undefined : constantAt(site, index, what);
}

/** An integer list given as a constant tensor of one dimension (or a scalar). */
export function integersAt(site: Site, index: number, what: string): readonly number[] | undefined {
  const constant = optionalConstant(site, index, what);
  if (constant === undefined) return undefined;
  if (constant.shape.length > 1 || isFloat(constant.type)) malformed(`its ${what} is not a list of integers`);
  needShort(constant.data, what);
  return Array.from(constant.data);
}

/** A single constant of the same type as input 0. */
export function scalarAt(site: Site, index: number, what: string): number | undefined {
  const constant = optionalConstant(site, index, what);
  if (constant === undefined) return undefined;
  needSameType(valueAt(site, 0), constant);
  if (constant.data.length !== 1) malformed(`its ${what} is not a single value`);
  return constant.data[0];
}

/** An input that depends on the model's input and holds floating-point values. */
export function activationAt(site: Site, index: number, what = "input"): Activation {
  const value = tensorAt(site, index, what);
  needFloat(value.type);
  return value;
}

/** An input that depends on the model's input, of any type. */
export function tensorAt(site: Site, index: number, what = "input"): Activation {
  const value = valueAt(site, index);
  if (value.kind === "activation") return value;
  return unsupported(
    `its ${what} (input ${index}) is a constant, and the compiler does not fold this op`,
    "Fold constants first: onnxsim, or onnxruntime's offline optimization at level basic.",
  );
}

export function needFloat(type: ElemType): void {
  if (!isFloat(type)) {
    unsupported(`it computes on ${type} values that depend on the model's input`, "Cast the input to float32 first.");
  }
}

export function needSameType(a: Value, b: Value): void {
  if (a.type !== b.type) malformed(`it mixes ${a.type} and ${b.type}`);
}

/** `axis` counted from the front; ONNX counts negative ones from the back. `past` allows axis = rank. */
export function axisIn(axis: number, rank: number, past = false): number {
  const from = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || from < 0 || from > rank - (past ? 0 : 1)) {
    malformed(`axis ${axis} is outside a tensor of ${rank} dimension(s)`);
  }
  return from;
}

export function axesIn(axes: readonly number[], rank: number): readonly number[] {
  const from = axes.map((axis) => axisIn(axis, rank));
  if (new Set(from).size !== from.length) malformed(`axes [${axes.join(", ")}] name one axis twice`);
  return from;
}

/** The values, all finite. */
export function finite(data: Float64Array, what: string): Float64Array {
  const bad = data.find((value) => !Number.isFinite(value));
  if (bad !== undefined)
    unsupported(`its ${what} hold(s) ${bad}`, "Weights must be finite numbers; check the training.");
  return data;
}
