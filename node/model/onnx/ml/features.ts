// Preprocessing of classic learners: scaling, imputing, encoding and gathering of features.
import { sizeOf } from "../../../core/tensor.ts";
import { nextFloat32, nextFloat64 } from "../../floats.ts";
import { integerRange } from "../constant.ts";
import { type Activation, type Draft, emit, reshape, spreadTensor, tensorOf, type Value } from "../draft.ts";
import { malformed, quote, unsupported } from "../problems.ts";
import { axisIn, constantAt, flagOf, floatOf, intOf, type OpRule, type Site, stringOf, valueAt } from "../site.ts";
import { mapped, numbersOf } from "./classes.ts";
import { lookup, type Span } from "./tables.ts";

/** The tensor, its numbers taken for float32 ones if they are integers. */
function realAt(site: Site, index: number): Activation {
  const value = valueAt(site, index);
  if (value.kind === "constant") return unsupported(`its input ${index} is a constant`, "Fold it: onnxsim does.");
  return integerRange(value.type) === undefined ? value : { ...value, type: "float32" };
}

/** One number for each feature of the last axis, or one for all, spread over x. */
function perFeature(site: Site, x: Activation, name: string, list: readonly number[]): Float64Array {
  const features = x.shape.at(-1) ?? 1;
  if (list.length !== 1 && list.length !== features) {
    malformed(`its attribute ${quote(name)} has ${list.length} numbers for ${features} features`);
  }
  site.draft.budget(sizeOf(x.shape), `the attribute ${quote(name)}`);
  return Float64Array.from({ length: sizeOf(x.shape) }, (_, i) => list[list.length === 1 ? 0 : i % features] as number);
}

function lowerScaler(site: Site): Activation {
  const x = realAt(site, 0);
  const { draft, name } = site;
  const { shape } = x;
  const size = sizeOf(shape);
  const offset = perFeature(site, x, "offset", numbersOf(site, "offset") ?? [0]);
  const scale = perFeature(site, x, "scale", numbersOf(site, "scale") ?? [1]);
  const node = { op: "affine", shape, name } as const;
  // Two steps, as the file rounds them: trees behind it compare exactly.
  const moved = emit(draft, { ...node, x: x.ref, factor: new Float64Array(size).fill(1), bias: offset.map((v) => 0 - v), name: `${name}/offset` }); // prettier-ignore
  return tensorOf(draft, { ...node, x: moved, factor: scale, bias: new Float64Array(size) }, x.type);
}

/** Sums over the last axis, kept with size 1. */
function sumsOf(draft: Draft, name: string, x: Activation): Activation {
  const inner = x.shape.at(-1) as number;
  const shape = [...x.shape.slice(0, -1), 1];
  const weights = new Float64Array(inner).fill(1);
  return tensorOf(draft, { op: "dense", x: x.ref, weights, bias: Float64Array.of(0), shape, name }, x.type);
}

function lowerNormalizer(site: Site): Activation {
  const x = realAt(site, 0);
  const { draft, name } = site;
  const { shape, type } = x;
  const norm = stringOf(site, "norm", "MAX");
  const node = draft.nodes[x.ref];
  const inner = shape.at(-1) as number;
  if (norm === "L1" && node?.op === "softmax" && !node.log) return x; // Its scores add up to 1.
  if (norm === "L2") {
    const even = tensorOf(draft, { op: "normalize", x: x.ref, epsilon: EPSILON, centered: false, shape, name: `${name}/normalize` }, type); // prettier-ignore
    const factor = Float64Array.of(1 / Math.sqrt(inner));
    return tensorOf(draft, { op: "affine", x: even.ref, factor, bias: Float64Array.of(0), shape, name }, type);
  }
  if (norm !== "L1" && norm !== "MAX") return malformed(`its norm is ${quote(norm)}`);
  const by = norm === "L1" ? sumsOf(draft, `${name}/sum`, absolute(draft, name, x)) : largest(draft, name, x);
  const wide = spreadTensor(draft, `${name}/repeat`, by, shape);
  return tensorOf(draft, { op: "div", a: x.ref, b: wide.ref, shape, name }, type);
}

/** Keeps a division by 0 away where all features are 0; far below what any border resolves. */
const EPSILON = 2 ** -40;

function absolute(draft: Draft, name: string, x: Activation): Activation {
  return tensorOf(draft, { op: "unary", x: x.ref, fn: ["abs", "x"], shape: x.shape, name: `${name}/abs` }, x.type);
}

function largest(draft: Draft, name: string, x: Activation): Activation {
  const [outer, inner] = [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1) as number];
  let top = reshape(draft, `${name}/rows`, x, [outer, inner]);
  for (let left = inner; left > 1; left = Math.ceil(left / 2)) {
    const half = Math.ceil(left / 2);
    const shape = [outer, half];
    const part = (from: number): number => {
      const index = Int32Array.from(
        { length: outer * half },
        (_, i) => Math.floor(i / half) * left + from + (i % half),
      );
      return emit(draft, { op: "take", x: top.ref, index, shape, name: `${name}/half` });
    };
    top = tensorOf(draft, { op: "max", a: part(0), b: part(left - half), shape, name: `${name}/max` }, x.type);
  }
  return reshape(draft, `${name}/rows`, top, [...x.shape.slice(0, -1), 1]);
}

function lowerImputer(site: Site): Value {
  const value = valueAt(site, 0);
  const floats = numbersOf(site, "imputed_value_floats");
  const list = floats ?? numbersOf(site, "imputed_value_int64s") ?? malformed("it has no imputed values");
  const replaced =
    floats !== undefined ? floatOrNaN(site, "replaced_value_float") : intOf(site, "replaced_value_int64", 0);
  if (Number.isNaN(replaced)) {
    site.draft.notices.push(
      `node ${quote(site.name)} replaces NaN, which no integer input can be: fill missing values in before they are sent`,
    );
    return value;
  }
  const x = realAt(site, 0);
  site.draft.notices.push(`node ${quote(site.name)} replaces values that are exactly ${replaced}`);
  const { draft, name } = site;
  const bias = perFeature(site, x, "imputed values", list);
  const every = Array.from(bias.keys());
  const [from, above] = [replaced, nextOf(x)(replaced)].map((at) => {
    const bits = lookup(site, x, every, () => [{ from: at, until: Infinity, values: [1] }], [0], "bool");
    return reshape(draft, `${name}/shape`, bits, x.shape).ref;
  }) as [number, number];
  const { shape } = x;
  const filled = emit(draft, { op: "affine", x: x.ref, factor: bias.map(() => 0), bias, shape, name: `${name}/imputed` }); // prettier-ignore
  const below = emit(draft, { op: "select", c: above, a: x.ref, b: filled, shape, name: `${name}/above` });
  return tensorOf(draft, { op: "select", c: from, a: below, b: x.ref, shape, name }, value.type);
}

function floatOrNaN(site: Site, name: string): number {
  return (site.attributes.get(name) as number | undefined) ?? 0;
}

function nextOf(x: Activation): (value: number) => number {
  return x.type === "float64" ? nextFloat64 : nextFloat32;
}

function lowerBinarizer(site: Site): Activation {
  const x = realAt(site, 0);
  const above = nextOf(x)(floatOf(site, "threshold", 0));
  const every = Array.from({ length: sizeOf(x.shape) }, (_, i) => i);
  const bits = lookup(site, x, every, () => [{ from: above, until: Infinity, values: [1] }], [0], x.type);
  return reshape(site.draft, `${site.name}/shape`, bits, x.shape);
}

/** What a number of the type is taken for when it is cast to an integer: whole ones are themselves. */
function spanOf(key: number, x: Activation, values: readonly number[]): Span {
  const next = nextOf(x);
  if (key > 0) return { from: key, until: key + 1, values };
  return { from: next(key - 1), until: key === 0 ? 1 : next(key), values };
}

function lowerOneHot(site: Site): Activation {
  const keys = numbersOf(site, "cats_int64s") ?? unsupported("its categories are strings", STRINGS);
  const value = valueAt(site, 0);
  const x = realAt(site, 0);
  if (!flagOf(site, "zeros", true)) {
    site.draft.notices.push(
      `node ${quote(site.name)} yields zeros for categories it does not know (the file: an error)`,
    );
  }
  const whole = integerRange(value.type) !== undefined;
  const every = Array.from({ length: sizeOf(x.shape) }, (_, i) => i);
  const spans = keys.map((key, k): Span => {
    const values = keys.map((_, i) => (i === k ? 1 : 0));
    return whole ? { from: key, until: key + 1, values } : spanOf(key, x, values);
  });
  const bits = lookup(site, x, every, () => spans, keys.map(() => 0), "float32"); // prettier-ignore
  return reshape(site.draft, `${site.name}/shape`, bits, [...x.shape, keys.length]);
}

const STRINGS = "Encode categories as integers before they are sent.";

function lowerLabelEncoder(site: Site): Activation {
  const value = valueAt(site, 0);
  const x = realAt(site, 0);
  const given = (prefix: "keys" | "values"): { readonly list: readonly number[]; readonly whole: boolean } => {
    const [ints, floats] = [numbersOf(site, `${prefix}_int64s`), numbersOf(site, `${prefix}_floats`)];
    if (ints !== undefined) return { list: ints, whole: true };
    return { list: floats ?? unsupported(`its ${prefix} are strings or tensors`, STRINGS), whole: false };
  };
  const [keys, values] = [given("keys"), given("values")];
  if (keys.list.length !== values.list.length) malformed("its keys are not as many as its values");
  const fallback = values.whole ? intOf(site, "default_int64", -1) : floatOf(site, "default_float", 0);
  const whole = integerRange(value.type) !== undefined;
  // Of equal keys, onnxruntime keeps the first.
  const table = new Map<number, number>();
  keys.list.forEach((key, k) => table.has(key) || table.set(key, values.list[k] as number));
  const spans = [...table].map(([key, v]): Span => {
    return { from: key, until: whole ? key + 1 : nextOf(x)(key), values: [v - fallback] };
  });
  const every = Array.from({ length: sizeOf(x.shape) }, (_, i) => i);
  const result = lookup(site, x, every, () => spans, [fallback], values.whole ? "int64" : "float32");
  return reshape(site.draft, `${site.name}/shape`, result, x.shape);
}

/** Elements of the last axis: of a tensor by constant numbers, or of a constant by a number that is computed. */
function lowerArrayFeatureExtractor(site: Site): Value {
  const [data, at] = [valueAt(site, 0), valueAt(site, 1)];
  const last = data.shape.at(-1) ?? malformed("it reads a single number");
  const outer = data.shape.slice(0, -1);
  const { draft, name } = site;
  if (at.kind === "constant") {
    const index = Array.from(at.data, (k) => axisIn(k, last));
    const shape = [...(outer.length === 0 ? [1] : outer), index.length];
    const from = Int32Array.from({ length: sizeOf(shape) }, (_, i) => Math.floor(i / index.length) * last + (index[i % index.length] as number)); // prettier-ignore
    if (data.kind === "constant") return { ...data, shape, data: Float64Array.from(from, (i) => data.data[i] as number) }; // prettier-ignore
    return tensorOf(draft, { op: "take", x: data.ref, index: from, shape, name }, data.type);
  }
  const { data: table, type } = constantAt(site, 0, "data");
  if (sizeOf(outer) !== 1) unsupported("it looks numbers up in several rows", "Look them up row by row.");
  const count = sizeOf(at.shape);
  if (count === 1 && integerRange(type) !== undefined && table.every((v, k) => v === k + (table[0] as number))) {
    // Class labels that follow each other.
    const one = reshape(draft, `${name}/shape`, { ...at, type }, [1, 1]);
    return table[0] === 0 ? one : mapped(draft, name, one, [0], [1], [table[0] as number]);
  }
  const spans = Array.from(table, (v, k): Span => ({ from: k, until: k + 1, values: [v] }));
  const whole: Activation = { ...at, type: "float32" };
  const found = lookup(site, whole, Array.from({ length: count }, (_, i) => i), () => spans, [0], type); // prettier-ignore
  return { ...found, shape: [1, count] };
}

function lowerFeatureVectorizer(site: Site): Activation {
  const { draft, name } = site;
  const sizes = numbersOf(site, "inputdimensions") ?? malformed("it has no inputdimensions");
  if (sizes.length !== site.inputs.length) malformed(`it has ${sizes.length} inputdimensions for ${site.inputs.length} inputs`); // prettier-ignore
  const parts = sizes.map((size, k) => {
    const x = realAt(site, k);
    const flat = reshape(draft, `${name}/part`, x, [1, sizeOf(x.shape)]);
    if (x.shape.length > 1 && x.shape[0] !== 1) unsupported("it reads several samples at once", "Fix the batch to 1.");
    return flat.shape[1] === size ? flat : malformed(`its input ${k} has ${flat.shape[1]} features, not ${size}`);
  });
  const shape = [1, sizes.reduce((a, b) => a + b, 0)];
  return tensorOf(draft, { op: "concat", xs: parts.map(({ ref }) => ref), axis: 1, shape, name }, "float32");
}

export const FEATURE_RULES = {
  ArrayFeatureExtractor: {
    inputs: [2, 2],
    attributes: {},
    limits: "constant indices, or indices that are computed into a constant list",
    lower: lowerArrayFeatureExtractor,
  },
  Binarizer: { inputs: [1, 1], attributes: { threshold: { kind: "float" } }, limits: "", lower: lowerBinarizer },
  FeatureVectorizer: {
    inputs: [1, Infinity],
    attributes: { inputdimensions: { kind: "ints" } },
    limits: "",
    lower: lowerFeatureVectorizer,
  },
  Imputer: {
    inputs: [1, 1],
    attributes: {
      imputed_value_floats: { kind: "floats" },
      imputed_value_int64s: { kind: "ints" },
      replaced_value_float: { kind: "float" },
      replaced_value_int64: { kind: "int" },
    },
    limits: "NaN cannot come; other values are compared exactly",
    lower: lowerImputer,
  },
  LabelEncoder: {
    inputs: [1, 1],
    attributes: {
      default_float: { kind: "float" },
      default_int64: { kind: "int" },
      default_string: { kind: "string" },
      keys_floats: { kind: "floats" },
      keys_int64s: { kind: "ints" },
      keys_strings: { kind: "strings" },
      values_floats: { kind: "floats" },
      values_int64s: { kind: "ints" },
      values_strings: { kind: "strings" },
    },
    limits: "keys are numbers; strings it yields come out as numbers",
    lower: lowerLabelEncoder,
  },
  Normalizer: {
    inputs: [1, 1],
    attributes: { norm: { kind: "string" } },
    limits: "",
    lower: lowerNormalizer,
  },
  OneHotEncoder: {
    inputs: [1, 1],
    attributes: { cats_int64s: { kind: "ints" }, cats_strings: { kind: "strings" }, zeros: { kind: "int" } },
    limits: "integer categories",
    lower: lowerOneHot,
  },
  Scaler: {
    inputs: [1, 1],
    attributes: { offset: { kind: "floats" }, scale: { kind: "floats" } },
    limits: "",
    lower: lowerScaler,
  },
} satisfies Record<string, OpRule>;
