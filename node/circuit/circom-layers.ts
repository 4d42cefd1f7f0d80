// The layers of an exported circom program: one total table over the integer graph's ops, as in layers.ts, but text. What
// each element gets is decided by the same plans; circom wires it.
import { sizeOf } from "../core/tensor.ts";
import { nodeAt } from "../model/ir.ts";
import type { NodeOf, Op, Ref, Rules } from "../model/ir.ts";
import { formParts, formed, spell } from "./circom-form.ts";
import { specName } from "./compile.ts";
import type { Spec } from "./compile.ts";
import { isLinear, termsOf } from "./linear.ts";
import type { LinearNode } from "./linear.ts";
import { alwaysZero, boundsAt, contestOf, differenceBits, factorsOf, innerOf, isZero, lineOf, planDiv, planSqrt, takesApart, windowOf } from "./plan.ts"; // prettier-ignore
import type { Contest, Plan } from "./plan.ts";
import { planRescale } from "./plan-rescale.ts";
import type { ComparedRescale, GadgetRescale } from "./plan-rescale.ts";
import { placeOf, planLookup, planStep } from "./plan-table.ts";
import { symbolOf } from "./walk.ts";

/** The text of node `ref`. */
export function layerText(plan: Plan, ref: Ref): string {
  const node = nodeAt(plan.graph, ref);
  return (RULES[node.op] as Rule<Op>)(plan, node, ref, symbolOf(plan, ref));
}

type Rule<K extends Op> = (plan: Plan, node: NodeOf<K>, ref: Ref, symbol: string) => string;

const RULES: Rules<{ readonly [K in Op]: Rule<K> }> = {
  input: (_, { border, shape }, __, symbol) => {
    const { bits, signed } = border.type;
    const size = sizeOf(shape);
    return `signal input ${symbol}[${size}];
component ${symbol}_bits[${size}];
for (var i = 0; i < ${size}; i++) {
    ${symbol}_bits[i] = Bits(${bits}, ${signed ? 2 ** (bits - 1) : 0});
    ${symbol}_bits[i].x <== ${symbol}[i];
}
`;
  },
  dense: (plan, { x, weights, bias, shape }, ref, symbol) => {
    const columns = bias.length;
    const inner = weights.length / columns;
    return `${list(`${symbol}_w`, weights)}${list(`${symbol}_b`, bias)}${declare(plan, ref, symbol)}
for (var i = 0; i < ${sizeOf(shape)}; i++) {
    var sum = ${symbol}_b[i % ${columns}];
    for (var k = 0; k < ${inner}; k++) {
        sum += ${symbol}_w[k * ${columns} + i % ${columns}] * ${tensor(plan, x)}[(i \\ ${columns}) * ${inner} + k];
    }
    ${symbol}[i] ${assign(plan, ref)} sum;
}
`;
  },
  conv: (plan, node, ref, symbol) => {
    const [, channels, oh, ow] = node.shape as readonly [number, number, number, number];
    const [, , height, width] = nodeAt(plan.graph, node.x).shape as readonly [number, number, number, number];
    const [, depth, kh, kw] = node.weightShape;
    const { strides, pads, dilations, group, bias } = node;
    const at = `(m * ${oh} + y) * ${ow} + x`;
    return `${list(`${symbol}_w`, node.weights)}${list(`${symbol}_b`, bias)}${declare(plan, ref, symbol)}
for (var m = 0; m < ${channels}; m++) { for (var y = 0; y < ${oh}; y++) { for (var x = 0; x < ${ow}; x++) {
    var sum = ${symbol}_b[${bias.length === channels ? "m" : at}];
    for (var d = 0; d < ${depth}; d++) { for (var p = 0; p < ${kh}; p++) { for (var q = 0; q < ${kw}; q++) {
        var iy = y * ${strides[0]} + p * ${dilations[0]} - ${pads[0]}, ix = x * ${strides[1]} + q * ${dilations[1]} - ${pads[1]};
        var from = (m * ${group} \\ ${channels}) * ${depth} + d;
        if (iy >= 0 && iy < ${height} && ix >= 0 && ix < ${width}) {
            sum += ${symbol}_w[((m * ${depth} + d) * ${kh} + p) * ${kw} + q] * ${tensor(plan, node.x)}[(from * ${height} + iy) * ${width} + ix];
        }
    } } }
    ${symbol}[${at}] ${assign(plan, ref)} sum;
} } }
`;
  },
  affine: (plan, { x, factor, bias, shape }, ref, symbol) => {
    const pick = (name: string, values: Float64Array): string => (values.length === 1 ? `${values[0]}` : `${name}[i]`);
    return `${list(`${symbol}_f`, factor)}${list(`${symbol}_b`, bias)}${declare(plan, ref, symbol)}
for (var i = 0; i < ${sizeOf(shape)}; i++) {
    ${symbol}[i] ${assign(plan, ref)} ${tensor(plan, x)}[i] * (${pick(`${symbol}_f`, factor)}) + (${pick(`${symbol}_b`, bias)});
}
`;
  },
  sum: (plan, { xs, factors, shape }, ref, symbol) => {
    const terms = xs.map((x, k) => `(${factors[k]}) * ${tensor(plan, x)}[i]`).join(" + ");
    return `${declare(plan, ref, symbol)}
for (var i = 0; i < ${sizeOf(shape)}; i++) { ${symbol}[i] ${assign(plan, ref)} ${terms}; }
`;
  },
  reshape: gather,
  transpose: gather,
  pad: gather,
  concat: gather,
  take: gather,
  rescale: (plan, node, _, symbol) => {
    const size = sizeOf(node.shape);
    const choices = Array.from({ length: size }, (_, i) => planRescale(plan, node, i));
    const of = (pick: (choice: GadgetRescale) => number): number[] =>
      choices.map((choice) => ("rescale" in choice ? pick(choice) : 0));
    const parameter = (k: number): number[] => of(({ rescale }) => rescale.params[k] as number);
    const compared = (pick: (choice: ComparedRescale) => number): number[] =>
      choices.map((choice) => ("atLeast" in choice ? pick(choice) : 0));
    const templates = choices.map((choice): Form => {
      if ("constant" in choice) return FORM.constant;
      if ("atLeast" in choice) return FORM.compared;
      return choice.rescale.template === "RescaleEven" ? FORM.even : FORM.up;
    });
    const lists: readonly (readonly [string, readonly number[]])[] = [
      ["form", templates],
      ["B", parameter(0)],
      ["s", parameter(1)],
      ["k", parameter(2)],
      ["base", parameter(3)],
      ["signed", parameter(4)],
      ["m", choices.map((choice) => ("constant" in choice ? 0 : choice.multiplier))],
      ["cap", of(({ atMost }) => (atMost === undefined ? -1 : (atMost.params[0] as number)))],
      ["n", compared(({ atLeast }) => atLeast.params[0] as number)],
      ["minus", compared(({ minus }) => minus)],
      ["value", choices.map((choice) => ("constant" in choice ? choice.constant : "atLeast" in choice ? choice.lower : 0))], // prettier-ignore
    ];
    const p = (name: string): string => `${symbol}_${name}[i]`;
    const gadget = (name: string, template: string): string => `${name}[i] = ${template}(${p("B")}, ${p("s")}, ${p("k")}, ${p("base")}, ${p("signed")});
        ${name}[i].x <== ${tensor(plan, node.x)}[i] * ${p("m")};
        ${symbol}_out[i] = ${name}[i].y;`; // prettier-ignore
    return `${lists.map(([name, values]) => list(`${symbol}_${name}`, values)).join("")}component ${symbol}[${size}];
component ${symbol}_even[${size}];
component ${symbol}_least[${size}];
component ${symbol}_most[${size}];
signal ${symbol}_constant[${size}];
signal ${symbol}_raised[${size}];
var ${symbol}_out[${size}];
for (var i = 0; i < ${size}; i++) {
    if (${p("form")} == ${FORM.constant}) {
        ${symbol}_constant[i] <== ${p("value")};
        ${symbol}_out[i] = ${symbol}_constant[i];
    } else if (${p("form")} == ${FORM.compared}) {
        ${symbol}_least[i] = AtLeast(${p("n")});
        ${symbol}_least[i].x <== ${tensor(plan, node.x)}[i] * ${p("m")} - ${p("minus")};
        ${symbol}_out[i] = ${symbol}_least[i].y;
        if (${p("value")} != 0) {
            ${symbol}_raised[i] <== ${p("value")} + ${symbol}_least[i].y;
            ${symbol}_out[i] = ${symbol}_raised[i];
        }
    } else if (${p("form")} == ${FORM.even}) {
        ${gadget(`${symbol}_even`, "RescaleEven")}
    } else {
        ${gadget(symbol, "Rescale")}
    }
    if (${p("form")} >= ${FORM.even} && ${p("cap")} >= 0) {
        ${symbol}_most[i] = AtMost(${p("cap")}, ${node.hi});
        ${symbol}_most[i].x <== ${symbol}_out[i];
        ${symbol}_out[i] = ${symbol}_most[i].y;
    }
}
`;
  },
  max: (plan, { a, b, shape }, _, symbol) => {
    const size = sizeOf(shape);
    const bits = Array.from({ length: size }, (_, i) => differenceBits(boundsAt(plan, a, i), boundsAt(plan, b, i)));
    return `${list(`${symbol}_n`, bits)}component ${symbol}[${size}];
var ${symbol}_out[${size}];
for (var i = 0; i < ${size}; i++) {
    ${symbol}[i] = Max2(${symbol}_n[i]);
    ${symbol}[i].x <== ${tensor(plan, a)}[i];
    ${symbol}[i].y <== ${tensor(plan, b)}[i];
    ${symbol}_out[i] = ${symbol}[i].m;
}
`;
  },
  maxpool: (plan, node, _, symbol) => {
    const size = sizeOf(node.shape);
    const contests = Array.from({ length: size }, (_, i) => contestOf(plan, node.x, windowOf(plan.graph, node, i)));
    const x = tensor(plan, node.x);
    return `${contestLists(symbol, contests)}component ${symbol}[${size}][${longest(contests)}];
signal ${symbol}_single[${size}];
var ${symbol}_out[${size}];
for (var i = 0; i < ${size}; i++) {
    var best = ${x}[${symbol}_first[i]];
    for (var k = 0; k < ${symbol}_steps[i]; k++) {
        ${symbol}[i][k] = Max2(${symbol}_n[i][k]);
        ${symbol}[i][k].x <== best;
        ${symbol}[i][k].y <== ${x}[${symbol}_at[i][k]];
        best = ${symbol}[i][k].m;
    }
    if (${symbol}_steps[i] == 0) { ${symbol}_single[i] <== best; best = ${symbol}_single[i]; }
    ${symbol}_out[i] = best;
}
`;
  },
  argmax: (plan, node, _, symbol) => {
    const size = sizeOf(node.shape);
    const contests = Array.from({ length: size }, (_, i) => contestOf(plan, node.x, lineOf(plan.graph, node, i)));
    const x = tensor(plan, node.x);
    return `${contestLists(symbol, contests)}component ${symbol}[${size}][${longest(contests)}];
signal ${symbol}_single[${size}];
var ${symbol}_out[${size}];
for (var i = 0; i < ${size}; i++) {
    var best = ${x}[${symbol}_first[i]], at = 0;
    for (var k = 0; k < ${symbol}_steps[i]; k++) {
        ${symbol}[i][k] = MaxIndex(${symbol}_n[i][k]);
        ${symbol}[i][k].x <== best;
        ${symbol}[i][k].i <== at;
        ${symbol}[i][k].y <== ${x}[${symbol}_at[i][k]];
        ${symbol}[i][k].j <== k + 1;
        best = ${symbol}[i][k].m;
        at = ${symbol}[i][k].k;
    }
    if (${symbol}_steps[i] == 0) { ${symbol}_single[i] <== at; at = ${symbol}_single[i]; }
    ${symbol}_out[i] = at;
}
`;
  },
  mul: (plan, { a, b, shape }, _, symbol) => `component ${symbol}[${sizeOf(shape)}];
var ${symbol}_out[${sizeOf(shape)}];
for (var i = 0; i < ${sizeOf(shape)}; i++) {
    ${symbol}[i] = Mul();
    ${symbol}[i].x <== ${tensor(plan, a)}[i];
    ${symbol}[i].y <== ${tensor(plan, b)}[i];
    ${symbol}_out[i] = ${symbol}[i].z;
}
`, // prettier-ignore
  matmul: (plan, node, ref, symbol) => {
    const size = sizeOf(node.shape);
    const inner = innerOf(plan.graph, node);
    const factors = Array.from({ length: size * inner }, (_, at) => {
      const [a, b] = factorsOf(plan, node, Math.floor(at / inner), at % inner);
      return isZero(plan, node.a, a) || isZero(plan, node.b, b) ? ([-1, -1] as const) : ([a, b] as const);
    });
    const pick = (k: 0 | 1): number[] => factors.map((pair) => pair[k]);
    return `${list(`${symbol}_a`, pick(0))}${list(`${symbol}_b`, pick(1))}component ${symbol}_product[${size}][${inner}];
${declare(plan, ref, symbol)}
for (var i = 0; i < ${size}; i++) {
    var sum = 0;
    for (var k = 0; k < ${inner}; k++) { if (${symbol}_a[i * ${inner} + k] >= 0) {
        ${symbol}_product[i][k] = Mul();
        ${symbol}_product[i][k].x <== ${tensor(plan, node.a)}[${symbol}_a[i * ${inner} + k]];
        ${symbol}_product[i][k].y <== ${tensor(plan, node.b)}[${symbol}_b[i * ${inner} + k]];
        sum += ${symbol}_product[i][k].z;
    } }
    ${symbol}[i] ${assign(plan, ref)} sum;
}
`;
  },
  div: (plan, node, ref, symbol) => {
    const choices = Array.from({ length: sizeOf(node.shape) }, (_, i) =>
      planDiv(plan, node, i, boundsAt(plan, ref, i)),
    );
    const [a, b] = [tensor(plan, node.a), tensor(plan, node.b)];
    return gadgets(symbol, "Div", choices, (s) => `${s}.a <== ${a}[i];\n        ${s}.b <== ${b}[i];`, "q", a);
  },
  sqrt: (plan, node, ref, symbol) => {
    const choices = Array.from({ length: sizeOf(node.shape) }, (_, i) => planSqrt(node, boundsAt(plan, ref, i)));
    const x = tensor(plan, node.x);
    return gadgets(symbol, "Sqrt", choices, (s) => `${s}.x <== ${x}[i];`, "q", x);
  },
  lookup: (plan, node, ref, symbol) => {
    const size = sizeOf(node.shape);
    const choices = Array.from({ length: size }, (_, i) => planLookup(plan, node, i));
    const tabled = choices.flatMap((choice) => ("form" in choice ? [choice] : []));
    const made = new Set<number>();
    const elements = choices.map((choice, i) => {
      if ("constant" in choice) {
        return `${symbol}_constant[${i}] <== ${choice.constant};\n${symbol}_out[${i}] = ${symbol}_constant[${i}];\n`;
      }
      const { owner, element, own } = choice.digits;
      const spelled = own && takesApart(plan.graph, ref) && !made.has(element);
      if (spelled) made.add(element);
      return `${spelled ? spell(choice.digits, symbolOf(plan, owner), `${tensor(plan, owner)}[${element}]`) : ""}${formed(plan, symbol, i, choice.form, choice.digits, choice)}`;
    });
    const bits = tabled.some(({ digits }) => digits.own) && takesApart(plan.graph, ref);
    return `${bits ? `component ${symbolOf(plan, node.x)}_bits[${sizeOf(node.shape)}];\n` : ""}signal ${symbol}_constant[${size}];
${formParts(symbol, size, tabled.map(({ form }) => form))}var ${symbol}_out[${size}];
${elements.join("")}`; // prettier-ignore
  },
  step: (plan, node, _, symbol) => {
    const size = sizeOf(node.shape);
    const x = tensor(plan, node.x);
    const steps = planStep(plan, node);
    const yields = (outputs: readonly number[], value: string): string =>
      outputs.map((j) => `${symbol}_out[${j}] = ${value};\n`).join("");
    const lines = steps.map((step) => {
      const at = placeOf(step);
      switch (step.how) {
        case "constant":
          return yields(step.outputs, `${step.value}`);
        case "compared":
          return `${symbol}[${at}] = ${specName(step.spec)};
${symbol}[${at}].x <== ${x}[${step.element}] - (${step.minus});
${yields(step.outputs, `${symbol}[${at}].y`)}`;
        case "formed":
          return `${formed(plan, symbol, at, step.form, step.digits)}${yields(step.outputs.slice(1), `${symbol}_out[${at}]`)}`;
        case "together":
          return `${symbol}_together[${at}] = ${specName(step.spec)};
${symbol}_together[${at}].x <== ${x}[${step.element}];
${step.lists.map((outputs, k) => yields(outputs, `${symbol}_together[${at}].y[${k}]`)).join("")}`;
      }
    });
    const forms = steps.flatMap((step) => (step.how === "formed" ? [step.form] : []));
    return `component ${symbol}[${size}];
component ${symbol}_together[${size}];
${formParts(symbol, size, forms)}var ${symbol}_out[${size}];
${lines.join("")}`;
  },
  iszero: (plan, node, _, symbol) => {
    const choices = Array.from({ length: sizeOf(node.shape) }, (_, i) => {
      const always = alwaysZero(boundsAt(plan, node.x, i));
      return always === undefined ? -1 : always ? 1 : 0;
    });
    return `${list(`${symbol}_known`, choices)}component ${symbol}[${choices.length}];
var ${symbol}_out[${choices.length}];
for (var i = 0; i < ${choices.length}; i++) {
    ${symbol}_out[i] = ${symbol}_known[i];
    if (${symbol}_known[i] == -1) {
        ${symbol}[i] = IsZero();
        ${symbol}[i].x <== ${tensor(plan, node.x)}[i];
        ${symbol}_out[i] = ${symbol}[i].y;
    }
}
`;
  },
  onehot: (plan, node, _, symbol) => {
    const count = node.shape.at(-1) as number;
    const size = sizeOf(node.shape) / count;
    const bounds = Array.from({ length: size }, (_, i) => boundsAt(plan, node.x, i));
    const lists = `${list(
      `${symbol}_first`,
      bounds.map(({ least }) => least),
    )}${list(
      `${symbol}_last`,
      bounds.map(({ most }) => most),
    )}`;
    return `${lists}component ${symbol}[${size}];
var ${symbol}_out[${size * count}];
for (var i = 0; i < ${size}; i++) {
    if (${symbol}_first[i] == ${symbol}_last[i]) {
        ${symbol}_out[i * ${count} + ${symbol}_first[i]] = 1;
    } else {
        ${symbol}[i] = OneHot(${symbol}_last[i] - ${symbol}_first[i] + 1);
        ${symbol}[i].x <== ${tensor(plan, node.x)}[i] - ${symbol}_first[i];
        for (var k = ${symbol}_first[i]; k <= ${symbol}_last[i]; k++) { ${symbol}_out[i * ${count} + k] = ${symbol}[i].y[k - ${symbol}_first[i]]; }
    }
}
`;
  },
  select: (plan, { c, a, b, shape }, _, symbol) => `component ${symbol}[${sizeOf(shape)}];
var ${symbol}_out[${sizeOf(shape)}];
for (var i = 0; i < ${sizeOf(shape)}; i++) {
    ${symbol}[i] = Select();
    ${symbol}[i].c <== ${tensor(plan, c)}[i];
    ${symbol}[i].a <== ${tensor(plan, a)}[i];
    ${symbol}[i].b <== ${tensor(plan, b)}[i];
    ${symbol}_out[i] = ${symbol}[i].y;
}
`, // prettier-ignore
};

/** Which gadget rescales an element. */
const FORM = { constant: 0, compared: 1, even: 2, up: 3 } as const;
type Form = (typeof FORM)[keyof typeof FORM];

/** One gadget per element, but for constants and elements of `same`. */
function gadgets(
  symbol: string,
  template: string,
  choices: readonly (Spec | number | "same")[],
  connect: (gadget: string) => string,
  output: string,
  same: string,
): string {
  const size = choices.length;
  const parameters = [0, 1, 2].map((k) =>
    list(
      `${symbol}_p${k}`,
      choices.map((choice) => (typeof choice === "object" ? (choice.params[k] as number) : 0)),
    ),
  );
  const values = choices.map((choice) => (typeof choice === "number" ? choice : 0));
  const kinds = choices.map((choice) => (typeof choice === "object" ? 2 : choice === "same" ? 1 : 0));
  return `${parameters.join("")}${list(`${symbol}_value`, values)}${list(`${symbol}_kind`, kinds)}component ${symbol}[${size}];
signal ${symbol}_constant[${size}];
signal ${symbol}_same[${size}];
var ${symbol}_out[${size}];
for (var i = 0; i < ${size}; i++) {
    if (${symbol}_kind[i] == 0) {
        ${symbol}_constant[i] <== ${symbol}_value[i];
        ${symbol}_out[i] = ${symbol}_constant[i];
    } else if (${symbol}_kind[i] == 1) {
        ${symbol}_same[i] <== ${same}[i];
        ${symbol}_out[i] = ${symbol}_same[i];
    } else {
        ${symbol}[i] = ${template}(${symbol}_p0[i], ${symbol}_p1[i], ${symbol}_p2[i]);
        ${connect(`${symbol}[i]`)}
        ${symbol}_out[i] = ${symbol}[i].${output};
    }
}
`;
}

/** Ops that only move elements: from where to where, for each tensor that they read. */
function gather(plan: Plan, node: NodeOf<Op>, ref: Ref, symbol: string): string {
  const size = sizeOf(node.shape);
  const moves = new Map<Ref, { from: number[]; to: number[] }>();
  const constants = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    constants[i] = termsOf(plan.graph, node as LinearNode, i, (x, from) => {
      const move = moves.get(x) ?? { from: [], to: [] };
      move.from.push(from);
      move.to.push(i);
      moves.set(x, move);
    });
  }
  const loops = [...moves].map(([x, { from, to }], k) => {
    return `${list(`${symbol}_from${k}`, from)}${list(`${symbol}_to${k}`, to)}for (var i = 0; i < ${from.length}; i++) { ${symbol}[${symbol}_to${k}[i]] ${assign(plan, ref)} ${tensor(plan, x)}[${symbol}_from${k}[i]]; }
`;
  });
  const fill = constants.some((value) => value !== 0) ? ` = [${constants.join(", ")}]` : "";
  return `${plan.bound[ref] === true ? "signal" : "var"} ${symbol}[${size}]${fill};\n${loops.join("")}`;
}

// ---- pieces of text ----

/** The name of the array that holds a node's elements. */
export function tensor(plan: Plan, ref: Ref): string {
  const { op } = nodeAt(plan.graph, ref);
  const combined = op === "input" || op === "matmul" || isLinear(nodeAt(plan.graph, ref));
  return combined ? symbolOf(plan, ref) : `${symbolOf(plan, ref)}_out`;
}

function declare(plan: Plan, ref: Ref, symbol: string): string {
  return `${plan.bound[ref] === true ? "signal" : "var"} ${symbol}[${sizeOf(nodeAt(plan.graph, ref).shape)}];`;
}

function assign(plan: Plan, ref: Ref): string {
  return plan.bound[ref] === true ? "<==" : "=";
}

export function list(name: string, values: ArrayLike<number>): string {
  return `var ${name}[${values.length}] = [${Array.from(values).join(", ")}];\n`;
}

function longest(contests: readonly Contest[]): number {
  return Math.max(1, ...contests.map(({ steps }) => steps.length));
}

function contestLists(symbol: string, contests: readonly Contest[]): string {
  const length = longest(contests);
  const table = (name: string, pick: (step: Contest["steps"][number]) => number): string => {
    const rows = contests.map(({ steps }) => {
      const row = Array.from({ length }, (_, k) => (steps[k] === undefined ? 0 : pick(steps[k])));
      return `[${row.join(", ")}]`;
    });
    return `var ${symbol}_${name}[${contests.length}][${length}] = [${rows.join(", ")}];\n`;
  };
  const first = contests.map((contest) => contest.first);
  const steps = contests.map((contest) => contest.steps.length);
  return `${list(`${symbol}_first`, first)}${list(`${symbol}_steps`, steps)}${table("at", ({ index }) => index)}${table("n", ({ n }) => n)}`;
}
