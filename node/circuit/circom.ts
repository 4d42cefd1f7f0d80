// A small model as one readable circom program: the same gadgets with the same parameters, wired by loops. For people who
// want to read what is proven, and for the test that holds the linker's rows equal to circom's. Not the build route: circom
// takes minutes where the linker takes milliseconds. Here are the frame and the claim; the layers are in circom-layers.ts.
import type { ClaimForm } from "../core/domain.ts";
import { RATE } from "../core/poseidon.ts";
import { WORD_BYTES, byteLength, byteLengthOf, sizeOf, wordCount } from "../core/tensor.ts";
import type { BorderTensor } from "../core/tensor.ts";
import { inputsOf } from "../model/ir.ts";
import type { Graph, Ref } from "../model/ir.ts";
import { bitsSymbol, inputEntry, outputEntry } from "./border.ts";
import type { Entry } from "./border.ts";
import { layerText, list, tensor } from "./circom-layers.ts";
import { planOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { symbolOf } from "./walk.ts";

const GADGETS = ["AtLeast", "AtMost", "Bits", "Div", "Horner", "IsZero", "Max2", "MaxIndex", "Mul", "OneHot", "Rescale"]
  .concat(["RescaleEven", "Select", "Sqrt", "Steps"]); // prettier-ignore

/** The program; it compiles with the folders of circuits/ and of circomlib (as circomlib/) on circom's path. */
export function exportCircom(graph: Graph, form?: ClaimForm): string {
  const plan = planOf(graph, form);
  const layers = graph.nodes.map((node, ref) => {
    return `\n    // ${node.name}: ${node.op} -> [${node.shape.join(", ")}]\n${indent(layerText(plan, ref))}`;
  });
  const body = `${layers.join("")}
    // the claim
${indent(claim(plan))}`;
  const gadgets = GADGETS.filter((name) => body.includes(` = ${name}(`));
  return `pragma circom 2.1.6;
${gadgets.map((name) => `include "${name}.circom";`).join("\n")}
include "circomlib/poseidon.circom";

template Model() {
    signal input r;
    signal output c, v;
${body}}

component main {public [r]} = Model();
`;
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
  const hidden = plan.claim === "private-input";
  const absorbed = hidden ? 1 + first : total;
  const blocks = Math.ceil(absorbed / RATE);
  const shown = hidden ? total - first : total;
  const word = shown === total ? "i" : `${first} + i`;
  return `signal claim_word[${total}];
${input}${output}${hidden ? salted(absorbed) : ""}component claim_absorb[${blocks}];
var h = 0;
for (var i = 0; i < ${blocks}; i++) {
    claim_absorb[i] = Poseidon(${RATE + 1});
    claim_absorb[i].inputs[0] <== h;
    for (var k = 0; k < ${RATE}; k++) {
        if (i * ${RATE} + k < ${absorbed}) { claim_absorb[i].inputs[1 + k] <== ${hidden ? "claim_absorbed" : "claim_word"}[i * ${RATE} + k]; }
        else { claim_absorb[i].inputs[1 + k] <== 0; }
    }
    h = claim_absorb[i].out;
}
c <== h;
component claim_power[${shown}];
var t = 0;
for (var i = ${shown - 1}; i >= 0; i--) {
    claim_power[i] = Horner();
    claim_power[i].t <== t;
    claim_power[i].w <== claim_word[${word}];
    claim_power[i].r <== r;
    t = claim_power[i].o;
}
v <== t;
`;
}

/** What is absorbed where the input is private: a salt that only the prover knows, then the input's words. */
function salted(count: number): string {
  return `signal input claim_salt;
var claim_absorbed[${count}];
claim_absorbed[0] = claim_salt;
for (var i = 1; i < ${count}; i++) { claim_absorbed[i] = claim_word[i - 1]; }
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

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "    ");
}
