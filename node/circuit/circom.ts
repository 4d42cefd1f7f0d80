// A small model as one readable circom program: the same gadgets with the same parameters, wired by loops. For people who
// want to read what is proven, and for the test that holds the linker's rows equal to circom's. Not the build route: circom
// takes minutes where the linker takes milliseconds.
import { WORD_BYTES, byteLength, byteLengthOf, sizeOf, wordCount } from "../core/tensor.ts";
import type { BorderTensor } from "../core/tensor.ts";
import { inputsOf, nodeAt } from "../model/ir.ts";
import type { Graph, NodeOf, Op, Ref, Rules } from "../model/ir.ts";
import { bitsSymbol, inputEntry, outputEntry } from "./border.ts";
import { symbolOf } from "./layers.ts";
import { termsOf } from "./linear.ts";
import type { LinearNode } from "./linear.ts";
import { boundsAt, contestOf, differenceBits, lineOf, planOf, planRescale, windowOf } from "./plan.ts";
import type { Entry } from "./border.ts";
import type { Contest, Plan, RescalePlan } from "./plan.ts";
import { RATE } from "./poseidon.ts";

/** The program; it compiles with the folders of circuits/ and of circomlib (as circomlib/) on circom's path. */
export function exportCircom(graph: Graph): string {
  const plan = planOf(graph);
  const layers = graph.nodes.map((node, ref) => {
    const rule = RULES[node.op] as Rule<Op>;
    return `\n    // ${node.name}: ${node.op} -> [${node.shape.join(", ")}]\n${indent(rule(plan, node, ref, symbolOf(plan, ref)))}`;
  });
  const gadgets = ["Bits", "Rescale", "AtMost", "Max2", "MaxIndex", "Horner"];
  return `pragma circom 2.1.6;
${gadgets.map((name) => `include "${name}.circom";`).join("\n")}
include "circomlib/poseidon.circom";

template Model() {
    signal input r;
    signal output c, v;
${layers.join("")}
    // the claim
${indent(claim(plan))}}

component main {public [r]} = Model();
`;
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
  rescale: (plan, node, _, symbol) => {
    const size = sizeOf(node.shape);
    const choices = Array.from({ length: size }, (_, i) => planRescale(plan, node, i));
    const of = (pick: (choice: Exclude<RescalePlan, { constant: number }>) => number): number[] =>
      choices.map((choice) => ("constant" in choice ? 0 : pick(choice)));
    const parameter = (k: number): number[] => of(({ rescale }) => rescale.params[k] as number);
    const lists: readonly (readonly [string, readonly number[]])[] = [
      ["B", parameter(0)],
      ["s", parameter(1)],
      ["k", parameter(2)],
      ["base", parameter(3)],
      ["signed", parameter(4)],
      ["m", of(({ multiplier }) => multiplier)],
      ["cap", of(({ atMost }) => (atMost === undefined ? -1 : (atMost.params[0] as number)))],
      ["value", choices.map((choice) => ("constant" in choice ? choice.constant : 0))],
    ];
    const p = (name: string): string => `${symbol}_${name}[i]`;
    return `${lists.map(([name, values]) => list(`${symbol}_${name}`, values)).join("")}component ${symbol}[${size}];
component ${symbol}_most[${size}];
signal ${symbol}_constant[${size}];
var ${symbol}_out[${size}];
for (var i = 0; i < ${size}; i++) {
    if (${p("B")} == 0) {
        ${symbol}_constant[i] <== ${p("value")};
        ${symbol}_out[i] = ${symbol}_constant[i];
    } else {
        ${symbol}[i] = Rescale(${p("B")}, ${p("s")}, ${p("k")}, ${p("base")}, ${p("signed")});
        ${symbol}[i].x <== ${tensor(plan, node.x)}[i] * ${p("m")};
        ${symbol}_out[i] = ${symbol}[i].y;
        if (${p("cap")} >= 0) {
            ${symbol}_most[i] = AtMost(${p("cap")}, ${node.hi});
            ${symbol}_most[i].x <== ${symbol}[i].y;
            ${symbol}_out[i] = ${symbol}_most[i].y;
        }
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

function claim(plan: Plan): string {
  const { graph } = plan;
  const inputs = inputsOf(graph).map(({ border }, ref): Side => {
    const entries = new Array<Entry>(sizeOf(border.shape)).fill(inputEntry(border));
    return { ref, border, entries, bits: `${symbolOf(plan, ref)}_bits`, own: false };
  });
  const outputs = graph.outputs.map(({ ref, border }, k): Side => {
    const entries = Array.from({ length: sizeOf(border.shape) }, (_, i) => outputEntry(plan, k, i));
    return { ref, border, entries, bits: bitsSymbol(graph, k), own: true };
  });
  const wide = (sides: readonly Side[]): number => wordCount(byteLengthOf(sides.map(({ border }) => border)));
  const first = wide(inputs);
  const total = first + wide(outputs);
  const input = words(plan, inputs, "input", 0);
  const output = words(plan, outputs, "output", first);
  const blocks = Math.ceil(total / RATE);
  return `signal claim_word[${total}];
${input}${output}component claim_absorb[${blocks}];
var h = 0;
for (var i = 0; i < ${blocks}; i++) {
    claim_absorb[i] = Poseidon(${RATE + 1});
    claim_absorb[i].inputs[0] <== h;
    for (var k = 0; k < ${RATE}; k++) {
        if (i * ${RATE} + k < ${total}) { claim_absorb[i].inputs[1 + k] <== claim_word[i * ${RATE} + k]; }
        else { claim_absorb[i].inputs[1 + k] <== 0; }
    }
    h = claim_absorb[i].out;
}
c <== h;
component claim_power[${total}];
var t = 0;
for (var i = ${total - 1}; i >= 0; i--) {
    claim_power[i] = Horner();
    claim_power[i].t <== t;
    claim_power[i].w <== claim_word[i];
    claim_power[i].r <== r;
    t = claim_power[i].o;
}
v <== t;
`;
}

/** A tensor of the border: its bits are its layer's, or (`own`) made here. */
interface Side {
  readonly ref: Ref;
  readonly border: BorderTensor;
  readonly entries: readonly Entry[];
  readonly bits: string;
  readonly own: boolean;
}

/** The bytes of tensors that stand one after the other, and their words. */
function words(plan: Plan, sides: readonly Side[], name: string, first: number): string {
  const total = byteLengthOf(sides.map(({ border }) => border));
  let at = 0;
  const parts = sides.map((side, k) => {
    const from = at;
    at += byteLength(side.border);
    return bytesOf(plan, side, sides.length === 1 ? name : `${name}${k}`, `${name}_byte`, from);
  });
  return `var ${name}_byte[${total}];
${parts.join("")}for (var i = 0; i < ${wordCount(total)}; i++) {
    var sum = 0;
    for (var k = 0; k < ${WORD_BYTES}; k++) { if (i * ${WORD_BYTES} + k < ${total}) { sum += ${name}_byte[i * ${WORD_BYTES} + k] * 256**(${WORD_BYTES - 1} - k); } }
    claim_word[${first} + i] <== sum;
}
`;
}

/** The bytes of one border tensor, two's complement and big-endian, into `bytes` from `from` on. */
function bytesOf(
  plan: Plan,
  { ref, border, entries, bits, own }: Side,
  name: string,
  bytes: string,
  from: number,
): string {
  const size = entries.length;
  const width = border.type.bits / 8;
  const spelled = `    ${bits}[i] = Bits(${name}_n[i], ${name}_bias[i]);
    ${bits}[i].x <== ${tensor(plan, ref)}[i];
`;
  return `${list(
    `${name}_n`,
    entries.map((entry) => (entry === "whole" ? 0 : entry.n)),
  )}${list(
    `${name}_bias`,
    entries.map((entry) => (entry === "whole" ? 0 : entry.bias)),
  )}${own ? `component ${bits}[${size}];\n` : ""}for (var i = 0; i < ${size}; i++) { if (${name}_n[i] == 0) {
    ${bytes}[${from} + i * ${width} + ${width - 1}] = ${tensor(plan, ref)}[i];
} else {
${own ? spelled : ""}    for (var t = 0; t < ${8 * width}; t++) {
        var bit = 0;
        if (${name}_bias[i] == 0) { if (t < ${name}_n[i]) { bit = ${bits}[i].b[t]; } }
        else { if (t < ${name}_n[i] - 1) { bit = ${bits}[i].b[t]; } else { bit = 1 - ${bits}[i].b[${name}_n[i] - 1]; } }
        ${bytes}[${from} + i * ${width} + ${width - 1} - t \\ 8] += bit * 2**(t % 8);
    }
} }
`;
}

// ---- pieces of text ----

/** The name of the array that holds a node's elements. */
function tensor(plan: Plan, ref: Ref): string {
  const { op } = nodeAt(plan.graph, ref);
  return ["rescale", "max", "maxpool", "argmax"].includes(op) ? `${symbolOf(plan, ref)}_out` : symbolOf(plan, ref);
}

function declare(plan: Plan, ref: Ref, symbol: string): string {
  return `${plan.bound[ref] === true ? "signal" : "var"} ${symbol}[${sizeOf(nodeAt(plan.graph, ref).shape)}];`;
}

function assign(plan: Plan, ref: Ref): string {
  return plan.bound[ref] === true ? "<==" : "=";
}

function list(name: string, values: ArrayLike<number>): string {
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

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}

function notYet(): never {
  throw new Error("not built yet");
}
