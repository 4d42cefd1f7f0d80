// Sample files and the model's border: what numpy, JSON and CSV writers produce is read; what does not fit is refused by name.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { expect } from "chai";
import { zipSync } from "fflate";
import { NodeError } from "../../../node/core/errors.ts";
import { type BorderTensor, typeRange } from "../../../node/core/tensor.ts";
import { inputBorders, parseInputSpec, parseOutputSpec, toIntegers, toReals } from "../../../node/model/border.ts";
import { parseRandom, parseSample, randomDataset, readDataset, type Slot } from "../../../node/model/dataset.ts";
import type { Dataset, DatasetOptions } from "../../../node/model/dataset.ts";
import type { FloatGraph, FloatInput } from "../../../node/model/graph.ts";
import { readNpy } from "../../../node/model/npy.ts";
import { bitsFor, exponentFor, exponentOf, pow2 } from "../../../node/model/binary.ts";
import { mulberry32 } from "../../../node/model/random.ts";

/** A .npy file as numpy.lib.format describes it. */
function npy(descr: string, shape: readonly number[], data: Buffer, { version = 1, fortran = false } = {}): Buffer {
  const dims = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${dims}), }`;
  const head = version === 1 ? 10 : 12;
  const header = Buffer.from(text.padEnd(Math.ceil((head + text.length + 1) / 64) * 64 - head - 1) + "\n", "latin1");
  const length = Buffer.alloc(head - 8);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  return Buffer.concat([Buffer.from("\x93NUMPY", "latin1"), Buffer.from([version, 0]), length, header, data]);
}

function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}

async function refusal(work: Promise<unknown> | (() => unknown)): Promise<NodeError> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    if (error instanceof NodeError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

describe("sample files", () => {
  let folder: string;
  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-dataset-"))));
  after(() => fs.rmSync(folder, { recursive: true }));

  const read = (
    name: string,
    content: string | Uint8Array,
    shape: readonly number[] | readonly Slot[] = [1, 2, 3],
    options: DatasetOptions = {},
  ): Promise<Dataset> => {
    const file = path.join(folder, name);
    fs.writeFileSync(file, content);
    const single = shape.every((dim) => typeof dim === "number");
    return readDataset(file, single ? [{ name: "in", shape }] : shape, options);
  };
  const SIX = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]; // prettier-ignore
  const twelve = floats(...SIX.flat());
  const listed = (data: Dataset): number[][] => data.samples.map((sample) => [...sample]);

  it("are read from .npy of every element type, in both byte orders", () => {
    const values = [0, 1, 100];
    const types: Readonly<Record<string, (view: DataView, at: number, v: number, little: boolean) => void>> = {
      f4: (view, at, v, little) => view.setFloat32(at, v, little),
      f8: (view, at, v, little) => view.setFloat64(at, v, little),
      u1: (view, at, v) => view.setUint8(at, v),
      i1: (view, at, v) => view.setInt8(at, v),
      u2: (view, at, v, little) => view.setUint16(at, v, little),
      i2: (view, at, v, little) => view.setInt16(at, v, little),
      u4: (view, at, v, little) => view.setUint32(at, v, little),
      i4: (view, at, v, little) => view.setInt32(at, v, little),
      u8: (view, at, v, little) => view.setBigUint64(at, BigInt(v), little),
      i8: (view, at, v, little) => view.setBigInt64(at, BigInt(v), little),
      b1: (view, at, v) => view.setUint8(at, v === 0 ? 0 : 1),
    };
    for (const [type, put] of Object.entries(types)) {
      for (const order of Number(type[1]) === 1 ? ["|"] : ["<", ">"]) {
        const width = Number(type[1]);
        const data = Buffer.alloc(3 * width);
        const view = new DataView(data.buffer, data.byteOffset);
        values.forEach((v, i) => put(view, i * width, v, order !== ">"));
        const expected = type === "b1" ? [0, 1, 1] : values;
        expect([...readNpy(npy(order + type, [3], data), "t").data], order + type).to.deep.equal(expected);
      }
    }
    const negative = npy("<i2", [2], Buffer.from(Int16Array.of(-1, -32768).buffer));
    expect([...readNpy(negative, "t").data]).to.deep.equal([-1, -32768]);
  });

  it("are read from formats 1 to 3, in C and in Fortran order, with or without the batch axis", async () => {
    for (const version of [1, 2, 3]) {
      expect(listed(await read("a.npy", npy("<f4", [2, 2, 3], twelve, { version })))).to.deep.equal(SIX);
    }
    expect(listed(await read("a.npy", npy("<f4", [2, 1, 2, 3], twelve)))).to.deep.equal(SIX);
    // The element at [n, r, c] lies at n + 2r + 4c.
    const fortran = floats(1, 7, 4, 10, 2, 8, 5, 11, 3, 9, 6, 12);
    expect(listed(await read("a.npy", npy("<f4", [2, 2, 3], fortran, { fortran: true })))).to.deep.equal(SIX);
  });

  it("are refused where a .npy file is cut, padded, of another type or of impossible shape", async () => {
    const good = npy("<f4", [2, 2, 3], twelve);
    for (const cut of [0, 5, 9, 20, good.length - 1]) {
      expect((await refusal(read("a.npy", good.subarray(0, cut)))).code, `cut to ${cut}`).to.equal("input");
    }
    const messages: [Buffer, string][] = [
      [Buffer.concat([good, Buffer.alloc(1)]), "49 bytes of data, not the 48"],
      [npy("<c8", [6], floats(...SIX.flat())), "type c8"],
      [npy("<f4", [2, 2, 4], twelve), "not the 64"],
      [npy("<f4", [2 ** 40, 2 ** 40], twelve), "too large"],
      [npy("<f4", [9007199254740993], twelve), "impossible shape"],
      [npy("<f4", [1, 2, 3], floats(1, 2, NaN, 4, 5, 6)), "element 2 is NaN"],
      [npy("<i8", [1], Buffer.from(BigInt64Array.of(2n ** 60n).buffer)), "beyond 2^53"],
      [npy("<f4", [2, 2, 3], twelve, { version: 4 }), "format 4"],
      [npy("<f4", [2, 3, 2], twelve), "samples of shape 3x2, not 2x3"],
      [npy("<f4", [12], twelve), "samples of shape"],
      [npy("<f4", [0, 2, 3], Buffer.alloc(0)), "no sample"],
      [Buffer.from(good.toString("latin1").replace("'descr'", "'other'"), "latin1"), "header"],
    ];
    for (const [file, message] of messages) {
      expect((await refusal(read("a.npy", file))).message).to.include(message);
    }
  });

  it("are read from .npz, stored or deflated, with labels", async () => {
    const x = npy("<f4", [2, 2, 3], twelve);
    const y = npy("<i8", [2], Buffer.from(BigInt64Array.of(1n, 0n).buffer));
    for (const level of [0, 9] as const) {
      const data = await read("a.npz", zipSync({ "x.npy": x, "y.npy": y }, { level }));
      expect(listed(data)).to.deep.equal(SIX);
      expect(data.labels).to.deep.equal([1, 0]);
    }
    expect(await read("a.npz", zipSync({ "images.npy": x }))).not.to.have.property("labels");
  });

  it("are refused where a .npz archive is cut, ambiguous, too large, or its labels are no labels", async () => {
    const x = npy("<f4", [2, 2, 3], twelve);
    const labels = (...values: number[]): Uint8Array =>
      zipSync({ "x.npy": x, "y.npy": npy("<f4", [values.length], floats(...values)) });
    const whole = labels(0, 1);
    expect((await refusal(read("a.npz", whole.subarray(0, whole.length - 30)))).message).to.include(
      "cannot be unpacked",
    );
    expect((await refusal(read("a.npz", zipSync({ "a.npy": x, "b.npy": x })))).message).to.include(
      'none for the input "in"',
    );
    expect((await refusal(read("a.npz", zipSync({ "x.txt": x })))).message).to.include("holds no array");
    expect((await refusal(read("a.npz", labels(0, 1, 2)))).message).to.include("3 labels for 2 samples");
    expect((await refusal(read("a.npz", labels(0, 0.5)))).message).to.include("label 1 is 0.5");
    expect((await refusal(read("a.npz", labels(0, -1)))).message).to.include("label 1 is -1");
    expect((await refusal(read("a.npz", whole, [1, 2, 3], { maxBytes: 10 }))).message).to.include("more than 10");
  });

  it("are read from nested lists in JSON, alone or with labels", async () => {
    const nested = SIX.map((row) => [row.slice(0, 3), row.slice(3)]);
    expect(listed(await read("a.json", JSON.stringify(nested)))).to.deep.equal(SIX);
    const data = await read("a.json", JSON.stringify({ x: nested, y: [3, 4] }));
    expect(listed(data)).to.deep.equal(SIX);
    expect(data.labels).to.deep.equal([3, 4]);
    const bad: [unknown, string][] = [
      [[[[1, 2, 3], [4, 5]]], "unequal lengths"],
      [[[[1, 2, "3"], [4, 5, 6]]], "is no number"],
      [{ y: [1] }, "holds y, and none for the input"],
      [{}, "holds nothing, and none for the input"],
      [null, "neither a list"],
      [[], "no list of numbers"],
    ]; // prettier-ignore
    for (const [value, message] of bad) {
      expect((await refusal(read("a.json", JSON.stringify(value)))).message).to.include(message);
    }
    expect((await refusal(read("a.json", "[1,"))).message).to.include("is not JSON");
  });

  it("are read from CSV, with and without header and label", async () => {
    const rows = "1,2,3,4,5,6\n7,8,9,10,11,12\n";
    expect(listed(await read("a.csv", rows))).to.deep.equal(SIX);
    expect(listed(await read("a.csv", `a,b,c,d,e,f\r\n${rows.replaceAll("\n", "\r\n")}`))).to.deep.equal(SIX);
    const labelled = await read("a.csv", "Label,a,b,c,d,e,f\n5,1,2,3,4,5,6\n6,7,8,9,10,11,12\n");
    expect(listed(labelled)).to.deep.equal(SIX);
    expect(labelled.labels).to.deep.equal([5, 6]);
    expect(listed(await read("a.csv", `,1st,2,3,4,n\n${rows}`))).to.deep.equal(SIX);
    const last = "1,2,3,4,5,6,9\n7,8,9,10,11,12,8";
    expect((await read("a.csv", last, [1, 2, 3], { labelColumn: 6 })).labels).to.deep.equal([9, 8]);
    expect((await read("a.csv", `a,b,c,d,e,f,kind\n${last}`, [1, 6], { labelColumn: "kind" })).labels).to.deep.equal([
      9, 8,
    ]);
    const bad: [string, DatasetOptions, string][] = [
      [last, {}, "7 columns of values, and the model takes 6"],
      ["1,2,3\n", {}, "3 columns of values"],
      ["1,2,3,4,5,6\n1,2,3,4,5\n", {}, "row 2 has 5 cells"],
      ["1,2,3,4,5,6\n1,2,x,4,5,6\n", {}, 'row 2, cell 3 is "x"'],
      ["1,2,3,4,5,6\n1,2,,4,5,6\n", {}, 'cell 3 is ""'],
      ["1,2,nan,4,5,6\n1,2,3,4,5,6\n", {}, 'row 1, cell 3 is "nan"'],
      ["1,2,,4,5,6\n1,2,3,4,5,6\n", {}, 'row 1, cell 3 is ""'],
      [`a,b,c,d,e,f,g\n${last}`, { labelColumn: "h" }, 'no column named "h"'],
      ["a,b,c,d,e,f\n", {}, "no sample"],
    ];
    for (const [text, options, message] of bad) {
      expect((await refusal(read("a.csv", text, [1, 2, 3], options))).message).to.include(message);
    }
  });

  it("are refused with other endings, or where there is no file", async () => {
    expect((await refusal(read("a.txt", "1"))).message).to.include("is not one of .npy, .npz, .json, .csv");
    expect(
      (await refusal(readDataset(path.join(folder, "none.csv"), [{ name: "x", shape: [1, 1] }]))).message,
    ).to.include("cannot read");
  });
});

describe("samples of a model with several inputs", () => {
  let folder: string;
  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-dataset-"))));
  after(() => fs.rmSync(folder, { recursive: true }));

  const INPUTS: readonly Slot[] = [
    { name: "image", shape: [1, 2, 2] },
    { name: "age", shape: [1, 1] },
    { name: "on", shape: [] },
  ];
  const SAMPLES = [[1, 2, 3, 4, 50, 1], [5, 6, 7, 8, 60, 0]]; // prettier-ignore
  const read = (name: string, content: string | Uint8Array, inputs = INPUTS, options: DatasetOptions = {}): Promise<Dataset> => {
    fs.writeFileSync(path.join(folder, name), content);
    return readDataset(path.join(folder, name), inputs, options);
  }; // prettier-ignore
  const listed = (data: Dataset): number[][] => data.samples.map((sample) => [...sample]);
  const image = npy("<f4", [2, 2, 2], floats(1, 2, 3, 4, 5, 6, 7, 8));
  const age = npy("<f4", [2, 1], floats(50, 60));
  const on = npy("|b1", [2], Buffer.of(1, 0));

  it("are read from .npz by the inputs' names, whatever the order and whatever else it holds", async () => {
    const y = npy("<i8", [2], Buffer.from(BigInt64Array.of(3n, 4n).buffer));
    const data = await read(
      "a.npz",
      zipSync({ "y.npy": y, "on.npy": on, "other.npy": y, "age.npy": age, "image.npy": image }),
    );
    expect(listed(data)).to.deep.equal(SAMPLES);
    expect(data.labels).to.deep.equal([3, 4]);
  });

  it("are read from a JSON object by the inputs' names, and true and false are 1 and 0", async () => {
    const values = { on: [true, false], image: [[[1, 2], [3, 4]], [[5, 6], [7, 8]]], age: [[50], [60]], y: [1, 0] }; // prettier-ignore
    const data = await read("a.json", JSON.stringify(values));
    expect(listed(data)).to.deep.equal(SAMPLES);
    expect(data.labels).to.deep.equal([1, 0]);
  });

  it("are read from CSV as the columns of all inputs, in the model's order", async () => {
    const data = await read("a.csv", "a,b,c,d,e,f,label\n1,2,3,4,50,1,9\n5,6,7,8,60,0,8\n");
    expect(listed(data)).to.deep.equal(SAMPLES);
    expect(data.labels).to.deep.equal([9, 8]);
  });

  it("take an input called y for that input, and then label for the labels", async () => {
    const inputs = [{ name: "x", shape: [1, 1] }, { name: "y", shape: [1, 1] }]; // prettier-ignore
    const data = await read("a.json", JSON.stringify({ x: [[1], [2]], y: [[3], [4]], label: [0, 1] }), inputs);
    expect(listed(data)).to.deep.equal([[1, 3], [2, 4]]); // prettier-ignore
    expect(data.labels).to.deep.equal([0, 1]);
  });

  it("are refused where an input is missing, counts differ, or one array is to serve for all", async () => {
    const without = await refusal(read("a.npz", zipSync({ "image.npy": image, "age.npy": age })));
    expect(without.message).to.include('holds image, age, and none for the input "on"');
    expect(without.mend).to.include("image, age, on");
    const three = npy("<f4", [3, 1], floats(1, 2, 3));
    const uneven = await refusal(read("a.npz", zipSync({ "image.npy": image, "age.npy": three, "on.npy": on })));
    expect(uneven.message).to.include("2 samples of image, but 3 of age");
    const turned = npy("<f4", [2, 4], floats(1, 2, 3, 4, 5, 6, 7, 8));
    const flat = await refusal(read("a.npz", zipSync({ "image.npy": turned, "age.npy": age, "on.npy": on })));
    expect(flat.message).to.include('samples of shape 4, not 2x2, for "image"');
    expect((await refusal(read("a.npy", image))).message).to.include("holds one array, and the model has 3 inputs");
    expect((await refusal(read("a.json", "[[1]]"))).message).to.include("holds one array");
    expect((await refusal(read("a.csv", "1,2,3,4,5\n"))).message).to.include(
      "5 columns of values, and the model takes 6",
    );
  });

  it("have no labels where the model yields no classes, whatever y holds", async () => {
    const values = { image: [[1, 2, 3, 4]], age: [7], on: 1 };
    const one = { image: [[[1, 2], [3, 4]]], age: [[7]], on: [1], y: [0.5] }; // prettier-ignore
    expect(await read("a.json", JSON.stringify(one), INPUTS, { classes: false })).not.to.have.property("labels");
    expect((await refusal(read("a.json", JSON.stringify(one)))).message).to.include("label 0 is 0.5");
    expect((await refusal(read("a.json", JSON.stringify(values)))).code).to.equal("input");
  });

  it("are typed as one sample: nested lists, flat lists, and a number where there is but one", () => {
    const expected = [1, 2, 3, 4, 50, 1];
    for (const text of [
      '{"image": [[1, 2], [3, 4]], "age": [50], "on": true}',
      '{"on": 1, "image": [1, 2, 3, 4], "age": 50}',
      '{"on": [1], "image": [[[1, 2], [3, 4]]], "age": [[50]]}',
    ]) {
      expect([...parseSample(text, INPUTS)], text).to.deep.equal(expected);
    }
    expect([...parseSample("[1, 2]", [{ name: "x", shape: [1, 2] }])]).to.deep.equal([1, 2]);
    expect([...parseSample("[[1, 2]]", [{ name: "x", shape: [1, 2] }])]).to.deep.equal([1, 2]);
    expect([...parseSample('{"x": [1, 2]}', [{ name: "in", shape: [1, 2] }])]).to.deep.equal([1, 2]);
  });

  it("are refused as typed samples of another shape, of two samples, of no numbers, or for other inputs", () => {
    const ONE = [{ name: "in", shape: [1, 2, 2] }];
    for (const [text, inputs, message] of [
      ["[1, 2, 3]", ONE, "values of shape 3, not 2x2"],
      ["[[1, 2, 3, 4]]", ONE, "values of shape 1x4, not 2x2"],
      ["[[[1, 2], [3, 4]], [[1, 2], [3, 4]]]", ONE, "holds 2 samples, not one"],
      ['[1, 2, 3, "4"]', ONE, "is no number"],
      ['{"out": [1, 2, 3, 4], "off": 1}', ONE, 'none for the input "in"'],
      ['{"image": [1, 2, 3, 4], "age": 50}', INPUTS, 'none for the input "on"'],
      ["[1, 2, 3, 4, 50, 1]", INPUTS, "one array, and the model has 3 inputs"],
      ["{", ONE, "is not JSON"],
    ] as const) {
      expect(() => parseSample(text, inputs), text).to.throw(NodeError, message);
    }
  });
});

describe("random samples", () => {
  it("are named by random and a seed, and nothing else is", async () => {
    expect(parseRandom("random")).to.equal(1);
    expect(parseRandom("random:77")).to.equal(77);
    expect(parseRandom("randomly.npz")).to.equal(undefined);
    for (const text of ["random:", "random:x", "random:-1", "random:1.5", "random:4294967296"]) {
      expect((await refusal(() => parseRandom(text))).code, text).to.equal("usage");
    }
  });

  it("are the same for the same seed on every machine, and reach both ends of the type", () => {
    const border = { name: "x", shape: [1, 1000], type: { bits: 8, signed: true } as const, exponent: -3 };
    const [sample] = randomDataset([border], 5, 3).samples as [Float64Array];
    expect([...sample.subarray(0, 6)].map((v) => v * 8)).to.deep.equal([48, 69, -72, 31, -107, 23]);
    expect([Math.min(...sample), Math.max(...sample)]).to.deep.equal([-16, 127 / 8]);
    const inside = randomDataset([border], 5, 1, { "": [-1, 2.05] }).samples[0]!;
    expect([Math.min(...inside), Math.max(...inside)]).to.deep.equal([-1, 2]);
    expect(() => randomDataset([border], 5, 1, { x: [20, 30] })).to.throw(NodeError, 'no integer of input "x"');
    const other = { ...border, name: "z", exponent: 0 };
    const both = randomDataset([border, other], 5, 2, { z: [7, 7] }).samples;
    expect(both.map(({ length }) => length)).to.deep.equal([2000, 2000]);
    expect([...both[0]!.subarray(0, 1000)]).to.deep.equal([...sample]);
    expect(new Set(both.flatMap((each) => [...each.subarray(1000)]))).to.deep.equal(new Set([7]));
    const next = mulberry32(0);
    expect([next(), next(), next()].map((v) => v * 2 ** 32)).to.deep.equal([1144304738, 1416247, 958946056]);
  });
});

describe("the input border", () => {
  const graph = (elemType: FloatInput["elemType"]): FloatGraph => ({
    nodes: [{ op: "input", name: "x", shape: [1, 2], elemType }],
    outputs: [{ ref: 0, name: "y" }], notices: [],
  }); // prettier-ignore
  const derived = (...samples: number[][]): string => {
    const { type, exponent } = inputBorders(
      graph("float32"),
      samples.map((s) => Float64Array.from(s)),
    )[0] as BorderTensor;
    return `${type.signed ? "i" : "u"}${type.bits}@${exponent}`;
  };

  it("is the narrowest type that holds whole samples", () => {
    expect(derived([0, 255])).to.equal("u8@0");
    expect(derived([0, 256])).to.equal("u16@0");
    expect(derived([-1, 127])).to.equal("i8@0");
    expect(derived([-1, 128])).to.equal("i16@0");
    expect(derived([0, 65536])).to.equal("i32@0");
  });

  it("is fixed point with twice the room where samples are not whole: int16 if every feature keeps its steps, else int32", () => {
    expect(derived([0, 0.9], [0.5, -0.9])).to.equal("i16@-14");
    expect(derived([0, 0.9], [0.5, 1.1])).to.equal("i16@-13");
    expect(derived([0, 0.9], [0.001, -0.9])).to.equal("i32@-30");
  });

  it("is what the ONNX element type or the caller says", () => {
    const inputBorder = (...args: Parameters<typeof inputBorders>) => inputBorders(...args)[0] as BorderTensor;
    expect(inputBorder(graph("uint8"), []).type).to.deep.equal({ bits: 8, signed: false });
    expect(inputBorder(graph("bool"), []).type).to.deep.equal({ bits: 8, signed: false });
    expect(inputBorder(graph("int32"), []).type).to.deep.equal({ bits: 32, signed: true });
    expect(inputBorder(graph("int64"), [Float64Array.of(-5, 5)]).type).to.deep.equal({ bits: 8, signed: true });
    expect(inputBorder(graph("uint8"), [], { "": parseInputSpec("int16@-4") })).to.deep.include({
      type: { bits: 16, signed: true },
      exponent: -4,
    });
    expect(parseInputSpec("uint32")).to.deep.equal({ type: { bits: 32, signed: false }, exponent: 0 });
    expect(parseOutputSpec("int32")).to.deep.equal({ type: { bits: 32, signed: true } });
    expect(parseOutputSpec("int32@0")).to.deep.equal({ type: { bits: 32, signed: true }, exponent: 0 });
    for (const text of ["int64", "uint8@", "int8@x", "float32", "int8@-1000"]) {
      expect(() => parseInputSpec(text), text).to.throw(NodeError, "no border type");
    }
  });

  it("takes reals across and back to within half a step, up to the type's ends and no further", () => {
    const border = { name: "x", shape: [1, 3], type: { bits: 16, signed: true } as const, exponent: -4 };
    const { lo, hi } = typeRange(border.type);
    expect([...toIntegers([border], Float64Array.of(lo / 16, hi / 16, 0.03))]).to.deep.equal([lo, hi, 0]);
    expect([...toReals([border], Float64Array.of(lo, 1, hi))]).to.deep.equal([lo / 16, 1 / 16, hi / 16]);
    for (const bad of [(lo - 1) / 16, (hi + 1) / 16, NaN, Infinity]) {
      expect(() => toIntegers([border], Float64Array.of(0, bad, 0)), String(bad)).to.throw(
        NodeError,
        'element 1 of "x"',
      );
    }
    expect(() => toIntegers([border], Float64Array.of(0))).to.throw(NodeError, "takes 3 input elements, not 1");
  });
});

describe("powers of two", () => {
  it("are exact over the whole range of float64, as 2 ** k is here", () => {
    for (let k = -1022; k <= 1023; k++) {
      expect(pow2(k)).to.equal(2 ** k);
      expect(exponentOf(pow2(k))).to.equal(k);
      expect(exponentOf(-1.999 * pow2(k))).to.equal(k);
    }
    expect(() => pow2(1024)).to.throw(NodeError);
    expect(() => pow2(-1023)).to.throw(NodeError);
    expect(exponentOf(2 ** -1074)).to.equal(-1074);
  });

  it("bound a value from above as tightly as can be", () => {
    for (const limit of [127, 128, 255, 32767]) {
      for (const x of [1e-9, 0.4, 1, 127, 127.5, 128, 255, 12345.6]) {
        const e = exponentFor(x, limit);
        expect(x <= limit * 2 ** e && x > limit * 2 ** (e - 1), `${x} of ${limit}`).to.equal(true);
      }
    }
  });

  it("count the bits of intervals", () => {
    const cases: [number, number, number][] = [[0, 0, 0], [0, 1, 1], [0, 255, 8], [0, 256, 9], [-1, 0, 1], [-128, 127, 8], [-129, 0, 9], [-1, 128, 9]]; // prettier-ignore
    for (const [lo, hi, bits] of cases) expect(bitsFor(lo, hi), `${lo}..${hi}`).to.equal(bits);
  });
});
