// Whole circuits of small nets: every op's rows hold what the evaluator yields, and nothing else. The dishonest prover lies in
// one place and is coherent everywhere after it.
import { expect } from "chai";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import * as snarkjs from "snarkjs";
import { buildCircuit } from "../../node/circuit/build.ts";
import { checkWitness, failingRow } from "../../node/circuit/check.ts";
import { claimOf } from "../../node/circuit/claim.ts";
import { HINTS } from "../../node/circuit/hints.ts";
import type { Hint, Hints } from "../../node/circuit/hints.ts";
import type { Value } from "../../node/circuit/lc.ts";
import { Library } from "../../node/circuit/library.ts";
import { Circuit } from "../../node/circuit/linker.ts";
import type { Trace } from "../../node/circuit/linker.ts";
import { planOf } from "../../node/circuit/plan.ts";
import { readWtns } from "../../node/circuit/r1cs.ts";
import { explainRow } from "../../node/circuit/symbols.ts";
import { lay } from "../../node/circuit/layers.ts";
import { walkOn } from "../../node/circuit/walk.ts";
import { fill, prepare, prepareWitness } from "../../node/circuit/witness.ts";
import { NodeError } from "../../node/core/errors.ts";
import { R, reduce } from "../../node/core/field.ts";
import { encodeTensors, joinFlat, sizeOf, splitFlat, typeRange } from "../../node/core/tensor.ts";
import { apply, evaluate, outputsOf } from "../../node/model/evaluate.ts";
import { bordersOf, inputsOf, nodeAt, readsOf } from "../../node/model/ir.ts";
import type { Graph } from "../../node/model/ir.ts";
import { INT8, NetBuilder, randomInput, randomOf, tinyNets, whole } from "../support/nets.ts";

/** What the types of node/proof leave out. */
const { r1cs, wtns } = snarkjs as typeof snarkjs & {
  r1cs: { info(file: string, logger: snarkjs.Logger): Promise<Readonly<Record<string, unknown>>> };
};
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

function bytesOf(graph: Graph, tensors: readonly Float64Array[]): { input: Uint8Array; output: Uint8Array } {
  const { inputs, outputs } = bordersOf(graph);
  return {
    input: encodeTensors(inputs, joinFlat(tensors.slice(0, inputs.length))),
    output: encodeTensors(outputs, outputsOf(graph, tensors)),
  };
}

/** The tensors of a graph whose node `ref` lies by `delta` at one element. */
function lying(graph: Graph, input: Float64Array, ref: number, element: number, delta: number): Float64Array[] {
  const given = splitFlat(inputsOf(graph), input);
  const tensors: Float64Array<ArrayBuffer>[] = [];
  graph.nodes.forEach((node, at) => {
    const reads = readsOf(node);
    const [xs, shapes] = [reads.map((x) => tensors[x]!), reads.map((x) => nodeAt(graph, x).shape)];
    const tensor = Float64Array.from(node.op === "input" ? given[at]! : apply(node, xs, shapes));
    if (at === ref) tensor[element]! += delta;
    tensors.push(tensor);
  });
  return tensors;
}

/** One lie: the stamp whose first wire is `base` runs on a first input shifted by `shift`, then adds `delta` to an output. */
interface Lie {
  base: number;
  shift: number;
  output: number;
  delta: number;
}

function lyingHints(lie: Lie): Hints {
  const wrap = (hint: Hint): Hint => ({
    ...hint,
    run([first, ...rest], base, values) {
      const here = base === lie.base;
      hint.run([here ? (first as number) + lie.shift : (first as Value), ...rest], base, values);
      if (here) values.set(base + lie.output, (values.get(base + lie.output) as number) + lie.delta);
    },
  });
  return Object.fromEntries(Object.entries(HINTS).map(([name, make]) => [name, (...params) => wrap(make(...params))]));
}

async function errorOf(action: () => unknown): Promise<NodeError> {
  try {
    await action();
  } catch (error) {
    expect(error).to.be.instanceOf(NodeError);
    return error as NodeError;
  }
  return expect.fail("nothing was thrown");
}

describe("circuits of whole models", function () {
  this.timeout(120_000);
  let folder = "";
  const file = (name: string): string => path.join(folder, name);
  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-layers-"))));
  after(async () => {
    fs.rmSync(folder, { recursive: true });
    await (globalThis as { curve_bn128?: { terminate(): Promise<void> } }).curve_bn128?.terminate(); // snarkjs' threads
  });

  for (const seed of [1, 2]) {
    for (const { name, graph } of tinyNets(seed)) {
      it(`seed ${seed}, ${name}: the evaluator's tensors satisfy the rows, and the public signals are the claim`, async () => {
        await buildCircuit(graph, { file: file("net.r1cs") });
        const bytes = fs.readFileSync(file("net.r1cs"));
        const make = await prepareWitness(graph);
        const random = randomOf(seed);
        const ends = inputsOf(graph).flatMap(({ border, shape }) => new Array<{ lo: number; hi: number }>(sizeOf(shape)).fill(typeRange(border.type))); // prettier-ignore
        const each = (pick: (range: { lo: number; hi: number }) => number): Float64Array => Float64Array.from(ends, pick); // prettier-ignore
        const inputs: Float64Array[] = [each(({ lo }) => lo), each(({ hi }) => hi), each(() => 0)];
        for (let i = 0; i < 6; i++) inputs.push(randomInput(graph, i));
        for (let i = 0; i < 3; i++) inputs.push(each(({ lo, hi }) => (random() < 0.5 ? lo : hi)));
        for (const [i, input] of inputs.entries()) {
          const tensors = evaluate(graph, input);
          const r = [0n, 1n, R - 1n][i] ?? BigInt(whole(random, 1, 2 ** 40)) ** 5n % R;
          const witness = make(tensors, r);
          const row = failingRow(bytes, witness);
          if (row !== undefined) expect.fail(`input ${i}: ${JSON.stringify(await explainRow(graph, row))}`);
          const given = bytesOf(graph, tensors);
          const { c, v } = claimOf(given.input, given.output, r);
          const signals = readWtns(witness).slice(1, 4).map((value) => reduce(BigInt(value))); // prettier-ignore
          expect(signals).to.deep.equal([c, v, r]);
        }
      });
    }
  }

  for (const { name, graph } of tinyNets(4)) {
    it(`a lie in any layer fails, however coherent its gadget and all that follows: ${name}`, async () => {
      await buildCircuit(graph, { file: file("lie.r1cs") });
      const bytes = fs.readFileSync(file("lie.r1cs"));
      const lie: Lie = { base: -1, shift: 0, output: 0, delta: 0 };
      const prepared = await prepare(planOf(graph), new Library(lyingHints(lie)));
      const stamps: Trace[] = [];
      const walk = walkOn(prepared.plan, new Circuit({ library: prepared.library, trace: (trace) => stamps.push(trace) })); // prettier-ignore
      graph.nodes.forEach((_, ref) => lay(walk, ref));
      const input = randomInput(graph, 9);
      const honest = evaluate(graph, input);
      const truth = fill(prepared, honest, 5n);
      expect(failingRow(bytes, truth)).to.equal(undefined);
      const random = randomOf(77);
      const refused = new Map<string, number>();

      for (let ref = inputsOf(graph).length; ref < graph.nodes.length; ref++) {
        const node = nodeAt(graph, ref);
        for (let round = 0; round < 6; round++) {
          const element = whole(random, 0, honest[ref]!.length - 1);
          // the gadget on one of whose outputs the element, or one of the products that it sums, lies
          const products = walk.products[ref];
          const inner = (products?.length ?? 0) / honest[ref]!.length;
          const wire = products?.[element * inner + whole(random, 0, inner - 1)] ?? walk.wires[ref]?.[element] ?? 0;
          const stamp = stamps.find(({ firstWire, wires }) => firstWire <= wire && wire < firstWire + wires);
          const output = wire - (stamp?.firstWire ?? 0);
          const sign = whole(random, 0, 1) * 2 - 1;
          const bare = stamp?.gadget === undefined;
          for (const shift of bare ? [1, 40, 3000, 2 ** 17] : [0, sign, sign * 2 ** (stamp.gadget.bits >> 1)]) {
            Object.assign(lie, { base: bare ? -1 : stamp.firstWire, shift, output, delta: shift === 0 ? sign : 0 }); // prettier-ignore
            try {
              // what the lying gadget yields is what everything after it takes for true
              const told = readWtns(fill(prepared, honest, 5n))[wire] as number;
              const delta = bare ? sign * shift : told - (readWtns(truth)[wire] as number);
              const witness = fill(prepared, lying(graph, input, ref, element, delta), 5n);
              if (Buffer.compare(witness, truth) === 0) continue; // an element that nothing reads
              expect(failingRow(bytes, witness), `${node.name}[${element}] + ${delta}`).to.be.a("number");
              refused.set(node.op, (refused.get(node.op) ?? 0) + 1);
            } catch (error) {
              if (!(error instanceof NodeError)) throw error; // the lie leaves a range: not even a dishonest witness
            }
          }
        }
      }
      for (const { op } of graph.nodes.slice(inputsOf(graph).length))
        expect(refused.get(op), `lies told about ${op}`).to.be.greaterThan(0);
    });
  }

  it("a lie about the claim fails: its bits, sponge, powers, or published signals", async () => {
    const { graph } = tinyNets(4)[0]!;
    await buildCircuit(graph, { file: file("claim.r1cs") });
    const bytes = fs.readFileSync(file("claim.r1cs"));
    const tensors = evaluate(graph, randomInput(graph, 3));
    const witness = (await prepareWitness(graph))(tensors, 99n);
    // r, c or v of another answer in an otherwise honest witness
    for (const wire of [1, 2, 3]) {
      const forged = Uint8Array.from(witness);
      forged[76 + 32 * wire]! ^= 1;
      expect(failingRow(bytes, forged)).to.be.a("number");
    }
    // another output, told with its own bits, words, sponge and powers
    const other = tensors.map((tensor, ref) =>
      ref === graph.outputs[0]!.ref ? tensor.map((value) => value + 1) : tensor,
    );
    const prepared = await prepare(planOf(graph), new Library());
    const row = failingRow(bytes, fill(prepared, other, 99n));
    expect((await explainRow(graph, row!)).layer).to.equal("claim_bits");
  });

  it("a tensor that the graph does not yield is refused by layer and element, before any witness", async () => {
    const { graph } = tinyNets(5)[0]!;
    const make = await prepareWitness(graph);
    const input = randomInput(graph, 1);
    make(evaluate(graph, input), 1n);
    for (let ref = 1; ref < graph.nodes.length; ref++) {
      const tensors = evaluate(graph, input).map((tensor) => tensor.slice()); // a reshape may share its data
      tensors[ref]![1]! += 1;
      const error = await errorOf(() => make(tensors, 1n));
      expect(error.code).to.equal("integrity");
      expect(error.facts).to.include({ layer: nodeAt(graph, ref).name, element: 1 });
    }
    const short = evaluate(graph, input).slice(0, -1);
    expect((await errorOf(() => make(short, 1n))).message).to.include("no values");
    const tensors = evaluate(graph, input);
    tensors[0]![3] = 128;
    expect((await errorOf(() => make(evaluate(graph, tensors[0]!), 1n))).message).to.include("128");
    expect((await errorOf(() => make(evaluate(graph, input), R))).code).to.equal("input");
  });

  it("snarkjs reads the circuit and accepts the witness, and not one with a bit flipped", async () => {
    for (const { graph } of tinyNets(6).slice(0, 3)) {
      const report = await buildCircuit(graph, { file: file("snark.r1cs") });
      const info = await r1cs.info(file("snark.r1cs"), SILENT);
      expect(info).to.include({ nConstraints: report.constraints, nVars: report.wires, nOutputs: 2, nPubInputs: 1 });
      const witness = (await prepareWitness(graph))(evaluate(graph, randomInput(graph, 2)), 7n);
      expect(await wtns.check(file("snark.r1cs"), { type: "mem", data: witness }, SILENT)).to.equal(true);
      witness[76 + 32 * (report.wires - 2)]! ^= 1;
      expect(await wtns.check(file("snark.r1cs"), { type: "mem", data: witness }, SILENT)).to.equal(false);
    }
  });

  it("every wire and row has a name, and a failing witness is reported by it", async () => {
    const { graph } = tinyNets(7)[0]!;
    const report = await buildCircuit(graph, { file: file("named.r1cs"), symFile: file("named.sym") });
    const lines = fs.readFileSync(file("named.sym"), "utf8").trim().split("\n"); // prettier-ignore
    expect(lines.length).to.equal(report.wires - 1);
    expect(lines).to.include.members(["1,1,0,main.c", "2,2,0,main.v", "3,3,0,main.r", "4,4,0,main.n0_input[0]"]);
    expect(lines.filter((line) => /main\.n3_rescale3\[0\]\.b\[0\]$/.test(line)).length).to.equal(1);

    const witness = (await prepareWitness(graph))(evaluate(graph, randomInput(graph, 2)), 7n);
    await checkWitness(file("named.r1cs"), witness, graph);
    const wire = Number(lines.find((line) => line.endsWith(".n3_rescale3[1].b[2]"))!.split(",")[1]);
    witness[76 + 32 * wire]! ^= 1;
    const error = await errorOf(() => checkWitness(file("named.r1cs"), witness, graph));
    expect(error.message).to.match(/n3_rescale3\[1\], Rescale\(.*b\[2\]/);
    expect((await errorOf(() => explainRow(graph, report.constraints))).code).to.equal("usage");
    expect((await explainRow(graph, report.constraints - 1)).layer).to.equal("v");
  });

  it("the report adds up, and the same graph gives the same bytes", async () => {
    for (const { graph } of tinyNets(8)) {
      const report = await buildCircuit(graph, { file: file("a.r1cs") });
      const again = await buildCircuit(graph, { file: file("b.r1cs") });
      expect(again).to.deep.equal(report);
      expect(Buffer.compare(fs.readFileSync(file("a.r1cs")), fs.readFileSync(file("b.r1cs")))).to.equal(0);
      const layers = report.layers.reduce((sum, layer) => sum + layer.constraints, 0);
      expect(layers + report.claimConstraints).to.equal(report.constraints);
      const counted = await buildCircuit(graph);
      expect(counted).to.deep.equal({ ...report, sha256: undefined });
    }
  });

  it("an aborted build says so and leaves no file", async () => {
    const { graph } = tinyNets(8)[0]!;
    const stop = new AbortController();
    const build = buildCircuit(graph, {
      file: file("aborted.r1cs"),
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    expect((await errorOf(() => build)).code).to.equal("aborted");
    expect(fs.readdirSync(folder).filter((name) => name.startsWith("aborted"))).to.deep.equal([]);
  });

  it("what needs more than 53 bits, or an output that can leave its type, is refused by name", async () => {
    const wide = new NetBuilder(1, [1, 2], INT8);
    wide.push({ op: "affine", x: 0, factor: Float64Array.of(2 ** 15), bias: Float64Array.of(0), shape: [1, 2] });
    wide.rescale(44, { multiplier: [2 ** 30], lo: -128, hi: 127 });
    expect((await errorOf(() => buildCircuit(wide.graph(INT8)))).message).to.include("rescale2");
    const narrow = new NetBuilder(1, [1, 2], INT8);
    narrow.dense(2);
    expect((await errorOf(() => buildCircuit(narrow.graph(INT8)))).message).to.include("int8");
  });
});
