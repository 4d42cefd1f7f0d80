// MatMul and Gemm: with a constant on either side a dense node, of two tensors of the graph a matmul node, whose every
// product costs a constraint. Einsum ends here, too.
import { type Shape, sizeOf } from "../../core/tensor.ts";
import type { Constant } from "./constant.ts";
import {
  type Activation,
  affine,
  broadcastShape,
  reshape,
  sameShape,
  spread,
  spreadTensor,
  tensorOf,
  transpose,
  type Value,
} from "./draft.ts";
import { malformed, unsupported } from "./problems.ts";
import { finite, flagOf, floatOf, needFloat, needSameType, type OpRule, type Site, valueAt } from "./site.ts";
import { counted, pick } from "./take.ts";

/** x[..., K] times a K x N constant, plus bias. */
function dense(site: Site, x: Activation, weights: Constant, bias?: Float64Array): Activation {
  needFloat(x.type);
  const [inner, outer] = weights.shape as [number, number];
  if (x.shape.at(-1) !== inner) innerSizes(x.shape, weights.shape);
  const shape = x.shape.with(-1, outer);
  const data = finite(weights.data, "weights");
  site.draft.budget(outer + data.length, "its weights");
  const node = { op: "dense", x: x.ref, weights: data, bias: bias ?? new Float64Array(outer), shape, name: site.name } as const; // prettier-ignore
  return tensorOf(site.draft, node, x.type);
}

function innerSizes(a: Shape, b: Shape): never {
  return malformed(`[${a.join(", ")}] does not multiply [${b.join(", ")}]: inner sizes differ`);
}

function swapLast(shape: Shape): number[] {
  const perm = shape.map((_, i) => i);
  return [...perm.slice(0, -2), shape.length - 1, shape.length - 2];
}

/** constant[M, K] times x[..., K, N]: the transpose of x^T times constant^T. */
function denseFromLeft(site: Site, constant: Constant, x: Activation): Activation {
  const turned = transpose(site.draft, `${site.name}/turn`, x, swapLast(x.shape));
  const y = dense(site, turned, transpose(site.draft, "", constant, [1, 0]));
  return transpose(site.draft, `${site.name}/turn-back`, y, swapLast(y.shape));
}

/** The value with its leading dimensions broadcast to `lead`. */
function lifted<V extends Value>(site: Site, value: V, lead: Shape): V {
  const shape = [...lead, ...value.shape.slice(-2)];
  if (sameShape(shape, value.shape)) return value;
  if (value.kind === "constant") return { ...value, shape, data: spread(site.draft, value, shape) };
  return spreadTensor(site.draft, `${site.name}/repeat`, value, shape) as V;
}

/** Batches of constants are multiplied one by one: as many dense nodes. */
const MOST_BATCHES = 256;

function batched(site: Site, a: Value, b: Value, lead: Shape): Activation {
  const { draft, name } = site;
  const batches = sizeOf(lead);
  if (batches > MOST_BATCHES) {
    unsupported(
      `its constant is a batch of ${batches} matrices, more than ${MOST_BATCHES}`,
      "Use one MatMul for each.",
    );
  }
  const one = <V extends Value>(value: V, i: number): V => {
    const flat = reshape(draft, `${name}/batches`, lifted(site, value, lead), [batches, ...value.shape.slice(-2)]);
    return pick(draft, `${name}/batch${i}`, flat, [[i]]);
  };
  const xs = counted(0, batches).map((i) => product(site, one(a, i), one(b, i)).ref);
  const shape = [batches, a.shape.at(-2) as number, b.shape.at(-1) as number];
  const joined = tensorOf(draft, { op: "concat", xs, axis: 0, shape, name }, a.type);
  return reshape(draft, `${name}/shape`, joined, [...lead, ...shape.slice(1)]);
}

/** a[..., M, K] times b[..., K, N], of which at least one depends on the input; leading dimensions broadcast. */
export function product(site: Site, a: Value, b: Value): Activation {
  if (a.shape.at(-1) !== b.shape.at(-2)) innerSizes(a.shape, b.shape);
  const lead = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const single = (value: Constant): boolean => sizeOf(value.shape.slice(0, -2)) === 1;
  const matrix = (value: Constant): Constant => ({ ...value, shape: value.shape.slice(-2) });
  const full = (y: Activation): Activation => reshape(site.draft, `${site.name}/shape`, y, [...lead, ...y.shape.slice(-2)]); // prettier-ignore
  if (a.kind === "constant") {
    if (b.kind === "constant") return unsupported("it multiplies two constants", "Fold constants first, with onnxsim.");
    return single(a) ? full(denseFromLeft(site, matrix(a), b)) : batched(site, a, b, lead);
  }
  if (b.kind === "constant") return single(b) ? full(dense(site, a, matrix(b))) : batched(site, a, b, lead);
  needFloat(a.type);
  const [left, right] = [lifted(site, a, lead), lifted(site, b, lead)];
  const shape = [...lead, a.shape.at(-2) as number, b.shape.at(-1) as number];
  const node = { op: "matmul", a: left.ref, b: right.ref, shape, name: site.name } as const;
  return tensorOf(site.draft, node, a.type);
}

function foldProduct(site: Site, a: Constant, b: Constant): Constant {
  if (a.shape.at(-1) !== b.shape.at(-2)) innerSizes(a.shape, b.shape);
  const lead = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [left, right] = [lifted(site, a, lead), lifted(site, b, lead)];
  const [rows, inner] = a.shape.slice(-2) as [number, number];
  const columns = b.shape.at(-1) as number;
  const shape = [...lead, rows, columns];
  site.draft.budget(sizeOf(shape) * (inner + 1), "a product of constants");
  const stored = a.type === "float32" ? Math.fround : (v: number): number => v;
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => {
    const [row, n] = [Math.floor(i / columns), i % columns];
    const from = Math.floor(row / rows) * inner * columns + n;
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += (left.data[row * inner + k] as number) * (right.data[from + k * columns] as number); // prettier-ignore
    return stored(sum);
  });
  return { kind: "constant", type: a.type, shape, data };
}

function lowerMatMul(site: Site): Value {
  const [a, b] = [valueAt(site, 0), valueAt(site, 1)];
  needSameType(a, b);
  if (a.shape.length === 0 || b.shape.length === 0) malformed("it multiplies a scalar");
  // A vector is a row on the left and a column on the right; its axis leaves the result.
  const left = a.shape.length > 1 ? a : reshape(site.draft, `${site.name}/row`, a, [1, ...a.shape]);
  const right = b.shape.length > 1 ? b : reshape(site.draft, `${site.name}/column`, b, [...b.shape, 1]);
  const y = left.kind === "constant" && right.kind === "constant" ? foldProduct(site, left, right) : product(site, left, right); // prettier-ignore
  const rank = y.shape.length;
  const shape = y.shape.filter((_, i) => !(i === rank - 2 && a.shape.length === 1) && !(i === rank - 1 && b.shape.length === 1)); // prettier-ignore
  return reshape(site.draft, `${site.name}/vector`, y, shape);
}

function scaled(site: Site, constant: Constant, factor: number): Constant {
  if (factor === 1) return constant;
  site.draft.budget(constant.data.length, "scaled weights");
  return { ...constant, data: constant.data.map((v) => v * factor) };
}

/** alpha * A' * B' + beta * C, where ' is the optional transposition. */
function lowerGemm(site: Site): Value {
  const [a, b] = [valueAt(site, 0), valueAt(site, 1)];
  needSameType(a, b);
  if (a.shape.length !== 2 || b.shape.length !== 2) malformed("its inputs A and B are not matrices");
  const { draft, name } = site;
  const [alpha, beta] = [floatOf(site, "alpha", 1), floatOf(site, "beta", 1)];
  const turned = <V extends Value>(value: V, flag: string): V =>
    flagOf(site, flag, false) ? transpose(draft, `${name}/${flag}`, value, [1, 0]) : value;
  const [left, right] = [turned(a, "transA"), turned(b, "transB")];
  if (left.kind === "activation" && right.kind === "activation") {
    const y = product(site, left, right);
    return addC(site, alpha === 1 ? y : affine(draft, `${name}/alpha`, y, alpha, 0), beta);
  }
  if (right.kind === "constant" && left.kind === "activation") {
    const weights = scaled(site, right, alpha);
    const c = site.inputs[2];
    const rows = c?.kind === "constant" ? sizeOf(c.shape.slice(0, -1)) : 0;
    if (c?.kind === "constant" && rows === 1 && c.shape.length <= 2) {
      needSameType(a, c);
      const outer = right.shape[1] as number;
      const bias = spread(draft, scaled(site, c, beta), c.shape.length === 2 ? [1, outer] : [outer]);
      return dense(site, left, weights, finite(bias, "bias"));
    }
    return addC(site, dense(site, left, weights), beta);
  }
  return addC(site, product(site, left.kind === "constant" ? scaled(site, left, alpha) : left, right), beta);
}

function addC(site: Site, y: Activation, beta: number): Activation {
  const c = site.inputs[2];
  if (c === undefined || beta === 0) return y;
  needSameType(y, c);
  if (!sameShape(broadcastShape(c.shape, y.shape), y.shape)) {
    malformed(`its input C, [${c.shape.join(", ")}], does not broadcast to [${y.shape.join(", ")}]`);
  }
  const name = `${site.name}/add`;
  if (c.kind === "constant") return affine(site.draft, name, y, 1, scaled(site, c, beta));
  const wide = spreadTensor(site.draft, `${name}/repeat`, c, y.shape);
  const node = { op: "sum", xs: [y.ref, wide.ref], factors: [1, beta], shape: y.shape, name } as const;
  return tensorOf(site.draft, node, y.type);
}

export const MATMUL_RULES = {
  Gemm: {
    inputs: [2, 3],
    attributes: {
      alpha: { kind: "float" },
      beta: { kind: "float" },
      transA: { kind: "int" },
      transB: { kind: "int" },
    },
    limits: "",
    lower: lowerGemm,
  },
  MatMul: { inputs: [2, 2], attributes: {}, limits: "", lower: lowerMatMul },
} satisfies Record<string, OpRule>;
