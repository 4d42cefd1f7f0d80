// A model of several inputs and outputs on the command line, from its ONNX file to a checked proof; and models that are refused
// for several reasons at once.
import { expect } from "chai";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { bytesOf, node, type NodeInit, noise, tensor, valueInfo } from "../support/onnx.ts";
import { severalOnnx } from "../support/packages.ts";
import { commandLine, type Outcome } from "../support/cli.ts";

let work: string;

const { glassbox, json } = commandLine(() => work);

const DIMS = ["--dim", "n=5"];
const RANDOM = ["--calibration", "random:7", ...DIMS, "--input-range", "x=-2,2"];
const VALUES = { x: [0.5, -1, 2, 0, 1], image: [[1, 2], [3, 255]], on: [true, false, true] }; // prettier-ignore

describe("a model of several inputs and outputs, on the command line", function () {
  this.timeout(120_000);
  before(() => {
    work = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-several-"));
    fs.writeFileSync(path.join(work, "several.onnx"), severalOnnx());
  });
  after(() => fs.rmSync(work, { recursive: true, force: true }));

  it("compiles, telling names, types, choices and what key and proofs will take", async () => {
    const said = await glassbox("compile", "several.onnx", ...RANDOM, "--output", "y=int32", "--out", "pack");
    expect(said.code, said.stderr).to.equal(0);
    expect(said.stderr).to.match(/estimated: key of [\d.]+ MB in about .*; a proof in about .* of memory/);
    expect(said.stdout).to.match(/input {5}x {2}int16 \[1, 5\].*2\^-13 \(float32 in the ONNX file\)/);
    expect(said.stdout).to.match(/input {5}image {2}uint8 \[1, 2, 2\].*\(uint8 in the ONNX file\)/);
    expect(said.stdout).to.match(/input {5}on {2}uint8 \[1, 3\].*\(bool in the ONNX file\)/);
    expect(said.stdout)
      .to.match(/output {4}y {2}int32 \[1, 3\]/)
      .and.to.match(/output {4}class {2}uint8 \[1, 1\]/);
    expect(said.stdout).to.contain("bytes     17 in, 13 out");
    const seen = (await json("inspect", "pack")) as {
      elemTypes: object;
      choices: { dims: object };
      calibration: object;
    };
    expect(seen.elemTypes).to.deep.equal({ x: "float32", image: "uint8", on: "bool" });
    expect(seen.choices.dims).to.deep.equal({ n: 5 });
    expect(seen.calibration).to.deep.include({ from: "random:7", ranges: { x: [-2, 2] } });
  });

  it("has the estimate in the JSON report", async () => {
    const report = await json("compile", "several.onnx", ...RANDOM, "--no-keys", "--out", "none");
    expect(report).to.have.property("estimate").that.has.keys("constraints", "domain", "terms", "keyBytes", "keySeconds", "proofSeconds", "proofBytes"); // prettier-ignore
  });

  it("proves values given by name, in a file or as bytes, and names the answers", async () => {
    const typed = JSON.stringify(VALUES);
    fs.writeFileSync(path.join(work, "one.json"), typed);
    const proved = await json("prove", "pack", "--input", typed, "--out", "p.json");
    const outputs = proved["outputs"] as { name: string; values: number[] }[];
    expect(outputs.map(({ name, values }) => [name, values.length])).to.deep.equal([["y", 3], ["class", 1]]); // prettier-ignore
    const [scores, label] = outputs.map(({ values }) => values) as [number[], number[]];
    expect(scores[label[0] as number]).to.equal(Math.max(...scores));
    const input = proved["input"] as string;
    // 0.5 is 4096 * 2^-13; then four pixels; then three truth values
    expect(input).to.equal("0x1000e000400000002000010203ff010001");
    for (const other of ["one.json", "one.json#0", input]) {
      const again = await json("prove", "pack", "--input", other, "--out", "q.json");
      expect(again["output"], other).to.equal(proved["output"]);
    }
    // Every byte but 0 is true.
    const truths = (bytes: string): string => `${input.slice(0, -6)}${bytes}`;
    const loud = await json("prove", "pack", "--input", truths("ff0002"), "--out", "q.json");
    expect(loud["output"]).to.equal(proved["output"]);
    const turned = await json("prove", "pack", "--input", truths("01ff00"), "--out", "q.json");
    expect(turned["output"]).not.to.equal(proved["output"]);
    const verified = await glassbox("verify", "pack", "p.json");
    expect(verified.code).to.equal(0);
    expect(verified.stdout)
      .to.contain(`output    y: ${scores.join(" ")}`)
      .and.to.contain(`output    class: ${label[0]}`);
  });

  it("evaluates a data set with an array by each name, labels as y", async () => {
    const [x, image, on, y] = [
      [VALUES.x, VALUES.x],
      [VALUES.image, VALUES.image],
      [VALUES.on, [false, true, true]],
      [2, 2],
    ];
    fs.writeFileSync(path.join(work, "data.json"), JSON.stringify({ y, on, x, image })); // prettier-ignore
    const report = await json("evaluate", "pack", "--data", "data.json");
    expect(report).to.include({ samples: 2, identical: 2, witnesses: 2, changed: 0 });
    expect(report).to.have.property("float");
  });

  it("takes types for all inputs or for one, and says which name is wrong", async () => {
    const seen = (await json("inspect", "several.onnx", ...DIMS, "--input", "int16@-4", "--input", "on=uint8", "--output", "y=int16@-2")) as {
      inputs: { name: string; type: object; exponent: number }[];
      outputs: { name: string; exponent: number }[];
    }; // prettier-ignore
    const I16 = { bits: 16, signed: true };
    expect(seen.inputs.map(({ name, type, exponent }) => [name, type, exponent])).to.deep.equal([
      ["x", I16, -4],
      ["image", I16, -4],
      ["on", { bits: 8, signed: false }, 0],
    ]);
    expect(seen.outputs[0]).to.include({ name: "y", exponent: -2 });
    const calibrated = ["compile", "several.onnx", "--calibration", "random"];
    const wrong: readonly (readonly [number, RegExp, readonly string[]])[] = [
      [2, /no input named "z"/, [...calibrated, ...DIMS, "--input", "int8", "--input", "z=int8"]],
      [2, /no output named "z"/, [...calibrated, ...DIMS, "--input", "int8", "--output", "z=int8"]],
      [2, /no input named "z"/, [...calibrated, ...DIMS, "--input", "int8", "--input-range", "z=0,1"]],
      [2, /the type of x is open/, [...calibrated, ...DIMS]],
      [2, /int7.*no border type/, [...calibrated, "--input", "x=int7"]],
      [2, /"1,0" is no range/, [...calibrated, "--input-range", "x=1,0"]],
      [2, /declared before/, [...calibrated, "--input", "x=int8", "--input", "x=int8"]],
      [2, /name and size of a dimension/, [...calibrated, "--dim", "n"]],
      [2, /name and size of a dimension/, [...calibrated, "--dim", "n=0"]],
      [2, /no input has a dimension named "m".*Open are: "batch", "n"/s, [...calibrated, ...DIMS, "--dim", "m=5"]],
      [4, /--dim n=16/, [...calibrated, "--input", "int8"]],
    ];
    for (const [expected, words, args] of wrong) {
      const { code, stderr } = await glassbox(...args);
      expect(stderr, args.join(" ")).to.match(words);
      expect(code, stderr).to.equal(expected);
    }
  });

  it("says which values are missing, misshapen or out of range", async () => {
    const wrong: readonly (readonly [RegExp, object])[] = [
      [/none for the input "on"/, { x: VALUES.x, image: VALUES.image }],
      [/values of shape 4, not 5, for "x"/, { ...VALUES, x: [1, 2, 3, 4] }],
      [/element 3 of "image" is 256, outside 0 to 255/, { ...VALUES, image: [1, 2, 3, 256] }],
      [/one array, and the model has 3 inputs/, [1, 2, 3]],
    ];
    for (const [words, values] of wrong) {
      const { code, stderr } = await glassbox("prove", "pack", "--input", JSON.stringify(values));
      expect(stderr).to.match(words);
      expect(code, stderr).to.equal(3);
    }
  });
});

describe("a model that is refused", function () {
  this.timeout(60_000);
  before(() => (work = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-refused-"))));
  after(() => fs.rmSync(work, { recursive: true, force: true }));

  const compile = (name: string, bytes: Uint8Array, ...options: string[]): Promise<Outcome> => {
    fs.writeFileSync(path.join(work, name), bytes);
    return glassbox("compile", name, "--calibration", "random", "--input", "int8@-4", "--no-keys", ...options);
  };
  /** A node with subgraphs as attributes. */
  const withBodies = (op: string, inputs: string[], output: string, names: readonly string[]): NodeInit => {
    const attribute = names.map((name) => ({ name, type: 5, g: { name, output: [valueInfo("y", [1])] } }));
    return { name: output, opType: op, input: inputs, output: [output], attribute };
  };

  it("for an open shape, control flow, text, chance and unknown ops is told all of it in one run, each once", async () => {
    const faulty = bytesOf({
      input: { dims: [1, "length"] },
      moreInputs: [{ name: "words", dims: [1, 2], type: "string" as never }],
      nodes: [
        node("RandomNormal", [], ["noise"], { shape: [1, 4] }),
        node("Add", ["x", "noise"], ["a"]),
        withBodies("If", ["a"], "b", ["then_branch", "else_branch"]),
        withBodies("Loop", ["", "b", "a"], "c", ["body"]),
        node("NoSuchOp", ["c"], ["y"]),
      ],
      change: (model) => {
        const words = (model.graph?.input?.[1]?.type as { value: { value: { elemType: number } } }).value.value;
        words.elemType = 8;
        return model;
      },
    }); // prettier-ignore
    const { code, stderr } = await compile("faulty.onnx", faulty);
    expect(code, stderr).to.equal(4);
    const lines = stderr.split("\n").filter((line) => line.startsWith("- "));
    for (const words of ['"length"', "string", '"RandomNormal"', '"If"', '"Loop"', '"NoSuchOp"']) {
      expect(lines.filter((line) => line.includes(words)), words).to.have.length(1); // prettier-ignore
    }
    expect(stderr).to.contain(`${lines.length} problem(s)`);
    expect(stderr).to.not.match(/\n\s+at /, "no stack trace");
    const asJson = await glassbox("compile", "faulty.onnx", "--calibration", "random", "--json");
    const { error } = JSON.parse(asJson.stdout) as { error: { code: string; facts: { problems: string[] } } };
    expect(error.code).to.equal("unsupported");
    expect(error.facts.problems).to.have.length(lines.length);
  });

  it("for more nodes than are read is told both numbers", async () => {
    const nodes = Array.from({ length: 100_001 }, (_, i) => ({ opType: "Relu", input: [i === 0 ? "x" : `t${i}`], output: [i === 100_000 ? "y" : `t${i + 1}`] })); // prettier-ignore
    const { code, stderr } = await compile("long.onnx", bytesOf({ nodes }));
    expect(code, stderr).to.equal(4);
    expect(stderr).to.contain("100001 nodes, more than 100000");
  });

  it("is not one of doubles: they are read, and the notice says to what precision", async () => {
    const double = bytesOf({
      input: { dims: [1, 4], type: "float64" },
      nodes: [node("MatMul", ["x", "w"], ["y"])],
      initializers: [tensor("w", [4, 2], noise(1, 8), "float64")],
      outputType: "float64",
    });
    const { code, stdout, stderr } = await compile("double.onnx", double);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.match(/input {5}x .*\(float64 in the ONNX file\)/);
    expect(stdout).to.match(/note .*"x" is float64: it is carried in fixed point/);
    const demanded = await glassbox("compile", "double.onnx", "--calibration", "random", "--input", "float64");
    expect(demanded.code).to.equal(2);
    expect(demanded.stderr).to.match(/float64.*fixed point/);
  });
});
