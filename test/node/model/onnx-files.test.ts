// Whole files: the example models agree with onnxruntime on held-out data, external data is loaded from the model's folder
// only, and damaged copies of the models never do worse than a NodeError.
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import fs from "node:fs";
import path from "node:path";
import { NodeError } from "../../../node/core/errors.ts";
import { sizeOf } from "../../../node/core/tensor.ts";
import { readDataset } from "../../../node/model/dataset.ts";
import { evaluateFloat } from "../../../node/model/evaluate-float.ts";
import { floatInputs } from "../../../node/model/graph.ts";
import type { FloatGraph, FloatOutput } from "../../../node/model/graph.ts";
import { ModelSchema } from "../../../node/model/onnx/gen/onnx_pb.ts";
import { READ_POLICY, readModel, readModelBytes } from "../../../node/model/onnx/read.ts";
import { mulberry32 } from "../../../node/model/random.ts";
import { bytesOf, inFolder, node, noise, runOnnx, type TensorInit } from "../../support/onnx.ts";
import { expectNear } from "../../support/near.ts";

const MODELS = ["digits-cnn", "digits-mlp", "breast-cancer-mlp"];
const modelFile = (name: string): string => path.join("models", name, "model.onnx");

function indexOfMaximum(data: ArrayLike<number>): number {
  return Array.from(data).reduce((best, value, i, all) => (value > (all[best] as number) ? i : best), 0);
}

/** The only output. */
function endOf(graph: FloatGraph): FloatOutput {
  return graph.outputs[0] as FloatOutput;
}

describe("onnx files: the example models", () => {
  const shapes: Readonly<Record<string, string[]>> = {
    "digits-cnn": ["input", "conv", "clip", "maxpool", "conv", "clip", "reshape", "dense"],
    "digits-mlp": ["input", "reshape", "dense", "clip", "dense"],
    "breast-cancer-mlp": ["input", "affine", "dense", "clip", "dense", "clip", "dense"],
  };
  for (const name of MODELS) {
    it(`${name} reads, is as small as it can be, and agrees with onnxruntime on every held-out sample`, async () => {
      const graph = await readModel(modelFile(name));
      expect(graph.nodes.map(({ op }) => op)).to.deep.equal(shapes[name]);
      const shape = graph.nodes[0]?.shape ?? [];
      const { samples, labels = [] } = await readDataset(path.join("models", name, "test.npz"), floatInputs(graph));
      const batch = samples.flatMap((sample) => Array.from(sample));
      const expected = await runOnnx(modelFile(name), batch, [samples.length, ...shape.slice(1)]);
      const classes = expected.shape[1] as number;
      let right = 0;
      samples.forEach((sample, i) => {
        const actual = evaluateFloat(graph, sample)[endOf(graph).ref] as Float64Array;
        const row = expected.data.slice(i * classes, (i + 1) * classes);
        const largest = row.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
        row.forEach((value, k) => expectNear(actual[k], value, 1e-4 * largest, `sample ${i}`));
        if (indexOfMaximum(actual) === labels[i]) right++;
      });
      expect(right / samples.length).to.be.above(0.95);
    }).timeout(30_000);
  }

  it("cannot be evaluated on an input of another size", async () => {
    const graph = await readModel(modelFile("digits-mlp"));
    expect(() => evaluateFloat(graph, new Float64Array(63))).to.throw(NodeError, "takes 64 input elements, not 63"); // prettier-ignore
  });
});

describe("onnx files: external data", () => {
  const external = (entries: Readonly<Record<string, string>>, more: TensorInit = {}): Uint8Array =>
    bytesOf({
      nodes: [node("Gemm", ["x", "w"], ["y"])],
      initializers: [
        {
          name: "w",
          dims: [4n, 2n],
          dataType: 1,
          dataLocation: 1,
          externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
          ...more,
        },
      ],
    });
  const values = noise(3, 8).map(Math.fround);
  const data = new Uint8Array(Float32Array.from([9, ...values]).buffer);

  /** Reads a model with this external data beside a good data file; the error's message, or "read". */
  async function outcome(bytes: Uint8Array, prepare?: (folder: string) => void): Promise<string> {
    return inFolder(async (outer) => {
      const folder = path.join(outer, "model");
      fs.mkdirSync(path.join(folder, "sub"), { recursive: true });
      for (const file of ["w.bin", "sub/w.bin", "../outside.bin", "../model-too.bin"])
        fs.writeFileSync(path.join(folder, file), data);
      prepare?.(folder);
      const file = path.join(folder, "model.onnx");
      fs.writeFileSync(file, bytes);
      try {
        const graph = await readModel(file);
        expect(Array.from((graph.nodes[1] as { weights: Float64Array }).weights)).to.deep.equal(values);
        return "read";
      } catch (error) {
        expect(error).to.be.instanceOf(NodeError);
        return (error as NodeError).message;
      }
    });
  }

  it("is read from the folder and below it, at an offset and whole, as onnxruntime does", async () => {
    for (const location of ["w.bin", "sub/w.bin", "./w.bin"]) {
      expect(await outcome(external({ location, offset: "4", length: "32" }))).to.equal("read");
      expect(await outcome(external({ location, offset: "4" }))).to.equal("read");
    }
    await inFolder(async (folder) => {
      const file = path.join(folder, "model.onnx");
      fs.writeFileSync(path.join(folder, "w.bin"), data);
      fs.writeFileSync(file, external({ location: "w.bin", offset: "4", length: "32" }));
      const graph = await readModel(file);
      const [a, b] = [evaluateFloat(graph, Float64Array.of(1, 2, 3, 4)).at(-1), await runOnnx(file, [1, 2, 3, 4], [1, 4])]; // prettier-ignore
      b.data.forEach((value, i) => expectNear(a?.[i], value, 1e-5));
    });
  });

  const refusals: [string, Record<string, string>, string, TensorInit?][] = [
    ["outside: ..", { location: "../outside.bin", offset: "4" }, "outside the model's folder"],
    ["outside: a/../..", { location: "sub/../../outside.bin", offset: "4" }, "outside the model's folder"],
    ["outside: backslashes", { location: "..\\outside.bin" }, "outside the model's folder"],
    ["outside: absolute", { location: "/etc/hostname" }, "outside the model's folder"],
    ["outside: a drive", { location: "C:w.bin" }, "outside the model's folder"],
    ["no location", {}, "outside the model's folder"],
    ["a NUL in the name", { location: "w.bin\0" }, "outside the model's folder"],
    ["a missing file", { location: "none.bin" }, "not a readable file"],
    ["a folder", { location: "sub" }, "not a readable file"],
    ["too short a file", { location: "w.bin", offset: "8" }, "needs bytes 8 to 40"],
    ["an offset beyond the file", { location: "w.bin", offset: "999999999999999" }, "needs bytes 999999999999999"],
    ["a negative offset", { location: "w.bin", offset: "-4" }, "not a number of bytes"],
    ["an offset that is no number", { location: "w.bin", offset: "0x4" }, "not a number of bytes"],
    ["another length", { location: "w.bin", length: "36" }, "36 bytes of external data where its shape needs 32"],
    ["an unknown key", { location: "w.bin", basepath: "/" }, 'unknown key "basepath"'],
    ["a huge shape", { location: "w.bin" }, "more than 536870912 bytes", { dims: [2n ** 30n] }],
    ["raw data beside it", { location: "w.bin", offset: "4" }, "both external and raw data", { rawData: data }],
  ]; // prettier-ignore
  for (const [title, entries, text, more] of refusals) {
    it(`is refused: ${title}`, async () => expect(await outcome(external(entries, more))).to.contain(text));
  }

  it("is refused behind a link that leads out, and read behind one that stays inside", async () => {
    const link = (target: string) => (folder: string) => fs.symlinkSync(target, path.join(folder, "link.bin"));
    const bytes = external({ location: "link.bin", offset: "4" });
    expect(await outcome(bytes, link("../outside.bin"))).to.contain("a link that leads outside");
    expect(await outcome(bytes, link("../model-too.bin"))).to.contain("a link that leads outside");
    expect(await outcome(bytes, link("sub/w.bin"))).to.equal("read");
    expect(await outcome(bytes, link("link.bin"))).to.contain("not a readable file");
    const folderLink = (folder: string): void => fs.symlinkSync("..", path.join(folder, "up"));
    expect(await outcome(external({ location: "up/outside.bin" }), folderLink)).to.contain("a link that leads outside");
  });

  it("is refused for a model that has no folder", async () => {
    const error = await readModelBytes(external({ location: "w.bin" })).catch((e: unknown) => e as NodeError);
    expect((error as NodeError).message).to.contain("only a single file is read here");
  });
});

describe("onnx files: reading", () => {
  it("refuses what is no file, and files that are too large, before reading them", async () => {
    const messageOf = (file: string, maxBytes = READ_POLICY.maxBytes): Promise<string> =>
      readModel(file, { maxBytes }).then(() => "read", (error: NodeError) => error.message); // prettier-ignore
    expect(await messageOf("models/none.onnx")).to.contain("cannot read");
    expect(await messageOf("models")).to.contain("is not a file");
    const size = fs.statSync(modelFile("digits-mlp")).size;
    const bytes = fs.readFileSync(modelFile("digits-mlp"));
    const given = await readModelBytes(bytes, undefined, { maxBytes: size - 1 }).catch(
      (error: NodeError) => error.message,
    );
    expect(given).to.contain(`the model has ${size} bytes, more than the ${size - 1}`);
    expect(await messageOf(modelFile("digits-mlp"), size)).to.equal("read");
    expect(await messageOf(modelFile("digits-mlp"), size - 1)).to.contain(
      `has ${size} bytes, more than the ${size - 1}`,
    );
  });

  it("yields the same graph every time", async () => {
    const text = async (): Promise<string> => JSON.stringify(await readModel(modelFile("digits-cnn")));
    expect(await text()).to.equal(await text());
  });
});

describe("onnx files: damaged copies", () => {
  const seed = 424242;

  /** The graph, or undefined if the file was refused as it should be. */
  async function survivor(bytes: Uint8Array, what: string): Promise<FloatGraph | undefined> {
    const start = performance.now();
    try {
      return await readModelBytes(bytes, undefined, { maxElements: 2 ** 22 });
    } catch (error) {
      if (!(error instanceof NodeError)) throw new Error(`${what}: ${String(error)}`, { cause: error });
      expect(error.code, `${what}: ${error.message}`).to.be.oneOf(["input", "unsupported"]);
      return undefined;
    } finally {
      expect(performance.now() - start, what).to.be.below(5_000);
    }
  }

  /** False if onnxruntime, which also looks at what the output does not need, refuses the file. */
  async function sameAsOnnxruntime(graph: FloatGraph, bytes: Uint8Array, what: string): Promise<boolean> {
    const shape = graph.nodes[0]?.shape ?? [];
    const input = noise(seed, sizeOf(shape)).map(Math.fround);
    const expected = await runOnnx(bytes, input, shape).catch(() => undefined);
    if (expected === undefined) return false;
    const actual = evaluateFloat(graph, Float64Array.from(input))[endOf(graph).ref] as Float64Array;
    const largest = expected.data.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-3);
    expect(actual.length, what).to.equal(expected.data.length);
    expected.data.forEach((value, k) => expectNear(actual[k], value, 1e-4 * largest, what));
    return true;
  }

  it(`bytes flipped, cut, moved and repeated in 2,400 ways (seed ${seed}) give a graph or a NodeError`, async () => {
    const next = mulberry32(seed);
    const below = (n: number): number => Math.floor(next() * n);
    const originals = MODELS.map((name) => fs.readFileSync(modelFile(name)));
    let read = 0;
    for (let i = 0; i < 2_400; i++) {
      const original = originals[i % 3] as Buffer;
      // Half of the damage goes to the first and last 400 bytes, where the structure is; weights fill the rest.
      const place = (): number => (next() < 0.5 ? below(original.length) : (original.length + below(800) - 400) % original.length); // prettier-ignore
      let bytes = Buffer.from(original);
      for (let k = 0; k <= below(4); k++) {
        const at = place();
        const kind = below(5);
        if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
        else if (kind === 1) bytes[at] = below(256);
        else if (kind === 2) bytes = bytes.subarray(0, at);
        else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(8))]);
        else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(place(), place() + below(64)), bytes.subarray(at)]); // prettier-ignore
      }
      if ((await survivor(bytes, `case ${i}`)) !== undefined) read++;
    }
    expect(read, "some damage is harmless: a weight, a name").to.be.within(200, 2_200);
  }).timeout(60_000);

  it("long chains of one op are read, whatever the op", async () => {
    const count = 12_000;
    const name = (i: number): string => (i === 0 ? "x" : i === count ? "y" : `t${i}`);
    for (const [op, attributes] of [["Transpose", { perm: [0, 1, 3, 2] }], ["MaxPool", { kernel_shape: [1, 1] }], ["Relu", {}], ["Identity", {}]] as const) {
      const nodes = Array.from({ length: count }, (_, i) => node(op, [name(i)], [name(i + 1)], attributes));
      for (const last of ["Relu", "Softmax"]) {
        const ended = [...nodes.slice(0, -1), node(last, [name(count - 1)], ["y"])];
        await readModelBytes(bytesOf({ nodes: ended, input: { dims: [1, 1, 2, 2] } }));
      }
      await readModelBytes(bytesOf({ nodes: [node("Softmax", ["x"], ["t1"]), ...nodes.slice(1)], input: { dims: [1, 1, 2, 2] } }));
    } // prettier-ignore
  }).timeout(60_000);

  it(`structures changed in 1,500 ways (seed ${seed}) give a NodeError, or the graph that onnxruntime runs`, async () => {
    const next = mulberry32(seed);
    const below = (n: number): number => Math.floor(next() * n);
    const originals = MODELS.map((name) => fs.readFileSync(modelFile(name)));
    const numbers = [0n, 1n, -1n, 2n, 3n, 255n, 2n ** 31n, -(2n ** 31n), 2n ** 40n, 2n ** 62n, -(2n ** 63n)];
    const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
    let agreed = 0;
    for (let i = 0; i < 1_500; i++) {
      const model = fromBinary(ModelSchema, originals[i % 3] as Buffer);
      const graph = model.graph!;
      const names = [...graph.node.flatMap(({ output }) => output), ...graph.initializer.map(({ name }) => name), "", "input"]; // prettier-ignore
      const at = pick(graph.node);
      const weight = pick(graph.initializer);
      const attribute = at.attribute.length > 0 ? pick(at.attribute) : undefined;
      const changes: (() => void)[] = [
        () => (at.opType = pick([...graph.node.map(({ opType }) => opType), "Slice", "Gather", "Range", "Pad", "ReduceMean", "ArgMax", "Softmax", "Transpose", "Squeeze", "AveragePool", "Concat", "MatMul"])), // prettier-ignore
        () => (at.input[below(at.input.length + 1)] = pick(names)),
        () => (at.output[below(2)] = pick(names)),
        () => (weight.dims[below(weight.dims.length + 1)] = pick(numbers)),
        () => (weight.dataType = below(30)),
        () => (weight.dims = []),
        () => (weight.rawData = weight.rawData.subarray(below(9))),
        () => void (attribute && (attribute.i = pick(numbers))),
        () => void (attribute && (attribute.ints = Array.from({ length: below(6) }, () => pick(numbers)))),
        () => void (attribute && (attribute.type = below(16))),
        () => void (attribute && (attribute.f = pick([NaN, Infinity, -1, 0, 1e38]))),
        () => at.attribute.push(...pick(graph.node).attribute),
        () => graph.node.splice(below(graph.node.length), 1),
        () => graph.node.push(structuredClone(pick(graph.node))),
        () => graph.node.reverse(),
        () => (model.opsetImport[0]!.version = BigInt(below(30))),
      ];
      for (let k = 0; k <= below(3); k++) pick(changes)();
      const bytes = toBinary(ModelSchema, model);
      const read = await survivor(bytes, `case ${i}`);
      if (read !== undefined && endOf(read).finalSoftmax === undefined && (await sameAsOnnxruntime(read, bytes, `case ${i}`))) agreed++; // prettier-ignore
    }
    expect(agreed, "some changes are harmless").to.be.within(100, 1_400);
  }).timeout(60_000);
});
