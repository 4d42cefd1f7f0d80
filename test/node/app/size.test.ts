// How large a model may be: the limits in constraints, refusals before anything is written, and the question before samples
// that take long to run.
import { expect } from "chai";
import fs from "node:fs";
import { agreeOnSamples } from "../../../node/app/cli/compile.ts";
import { compile, type CompileOptions } from "../../../node/app/compile.ts";
import { proofBytesOf } from "../../../node/app/estimate.ts";
import { foresee, limitOf, type Long, LONG_SECONDS, runSecondsOf } from "../../../node/app/size.ts";
import { buildCircuit, domainOf } from "../../../node/circuit/build.ts";
import { NodeError } from "../../../node/core/errors.ts";
import type { Dataset } from "../../../node/model/dataset.ts";
import { readModelBytes } from "../../../node/model/onnx/read.ts";
import { refusalOf, workFolder } from "../../support/keys.ts";
import { lenet5 } from "../../support/nets.ts";
import { bytesOf, node, noise, tensor } from "../../support/onnx.ts";
import { silentStep } from "../../support/packages.ts";
import { expectNear } from "../../support/near.ts";

/** conv 3 -> 2 channels over 8x8 with padding, Relu, then 128 -> 4. */
const net = bytesOf({
  input: { dims: [1, 3, 8, 8], type: "uint8" },
  nodes: [
    node("Cast", ["x"], ["f"], { to: 1 }),
    node("Conv", ["f", "w"], ["c"], { pads: [1, 1, 1, 1] }),
    node("Relu", ["c"], ["r"]),
    node("Flatten", ["r"], ["flat"]),
    node("MatMul", ["flat", "m"], ["y"]),
  ],
  initializers: [tensor("w", [2, 3, 3, 3], noise(1, 54)), tensor("m", [128, 4], noise(2, 512))],
});

const memoryOf = (domain: number): number => proofBytesOf(domain);

describe("the largest circuit", function () {
  this.timeout(30_000);

  it("fills a domain of 2^27 where memory is no matter", () => {
    const { most, mend } = limitOf();
    expect(domainOf(most)).to.equal(2 ** 27);
    expect(domainOf(most + 1)).to.equal(2 ** 28);
    expect(mend).not.to.contain("--no-keys");
    expect(limitOf(memoryOf(2 ** 27)).most).to.equal(most);
  });

  it("fills the largest domain whose proofs fit into memory, and no larger one", () => {
    for (let power = 12; power < 27; power++) {
      const memory = memoryOf(2 ** power);
      const { most, why, mend } = limitOf(memory);
      expect(domainOf(most), `2^${power}`).to.equal(2 ** power);
      expect(domainOf(most + 1), `2^${power}`).to.equal(2 ** (power + 1));
      expect(domainOf(limitOf(memory - 1).most), `2^${power}`).to.equal(2 ** (power - 1));
      expect(why).to.contain("memory");
      expect(mend).to.contain("--no-keys");
    }
  });

  it("is refused with one row more, and leaves no file", async () => {
    const work = workFolder();
    try {
      const graph = lenet5();
      const file = work.at("c.r1cs");
      const { constraints } = await buildCircuit(graph);
      const limit = { why: "it is", mend: "Do." };
      const whole = await buildCircuit(graph, { file, limit: { ...limit, most: constraints } });
      expect(whole.constraints).to.equal(constraints);
      fs.rmSync(file);
      const refused = await refusalOf(() => buildCircuit(graph, { file, limit: { ...limit, most: constraints - 1 } }));
      expect(refused).to.deep.include({ code: "unsupported", mend: "Do." });
      expect(refused.message).to.equal(`the model needs more than ${constraints - 1} constraints: it is`);
      expect(fs.readdirSync(work.path)).to.deep.equal([]);
    } finally {
      work.remove();
    }
  });
});

describe("samples that take long to run", function () {
  this.timeout(30_000);

  /** One sample to calibrate with, and of test samples only how many there are. */
  const foreseen = async (count: number, most = Infinity) => {
    const float = await readModelBytes(net, undefined, { dims: {} });
    const calibration: Dataset = { samples: [new Float64Array(3 * 8 * 8).fill(200)] };
    const test = { samples: { length: count } } as Dataset;
    return foresee(
      { float, inputs: undefined, calibration, test, limit: { most, why: "no", mend: "No." } },
      silentStep,
    );
  };

  it("are told by the products and elements of one run", async () => {
    const float = await readModelBytes(net, undefined, { dims: {} });
    const elements = float.nodes.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b), 0);
    expectNear(runSecondsOf(float), 1.5e-9 * (2 * 64 * 27 + 4 * 128) + 1e-8 * elements, 1e-12);
  });

  it("are no matter for a minute; for more, one of them tells about how many constraints there will be", async () => {
    const seconds = runSecondsOf(await readModelBytes(net, undefined, { dims: {} }));
    const fit = Math.floor(LONG_SECONDS / (2 * seconds)) - 1;
    expect(await foreseen(fit)).to.equal(undefined);
    const long = (await foreseen(fit + 1)) as Long;
    expect(long.seconds).to.be.within(LONG_SECONDS, LONG_SECONDS + 4 * seconds);
    expect(long.constraints).to.be.within(3000, 20_000);
    const most = Math.ceil(long.constraints / 1.5);
    expect(await foreseen(fit + 1, most)).to.deep.equal(long);
    const refused = await refusalOf(() => foreseen(fit + 1, most - 1));
    expect(refused).to.deep.include({ code: "unsupported", mend: "No." });
  });

  it("are run after yes only, or with --yes", async () => {
    const asked = async (answer: boolean | undefined, yes = false) => {
      const questions: string[] = [];
      const ask = async (question: string): Promise<boolean | undefined> => {
        questions.push(question);
        return answer;
      };
      const terminal = { note: () => undefined, ask };
      const thrown: unknown = await agreeOnSamples({ terminal, yes, long: { seconds: 150, constraints: 12345 } }).then(
        () => undefined,
        (error: unknown) => error,
      );
      return { questions, code: thrown instanceof NodeError ? thrown.code : thrown };
    };
    const { questions, code } = await asked(true);
    expect(code).to.equal(undefined);
    expect(questions).to.have.length(1);
    expect(questions[0]).to.contain("2.5 min").and.to.contain("12,345 constraints").and.to.contain("go on?");
    expect((await asked(false)).code).to.equal("aborted");
    expect((await asked(undefined)).code).to.equal("usage");
    expect(await asked(undefined, true)).to.deep.equal({ questions: [], code: undefined });
  });
});

describe("glassbox compile on a model above the limit", function () {
  this.timeout(30_000);

  it("is refused after counting, before a circuit, a key or a package is written", async () => {
    const work = workFolder();
    try {
      const source = work.at("net.onnx");
      fs.writeFileSync(source, net);
      const options: CompileOptions = {
        source,
        calibration: "random:7",
        name: "net",
        out: work.at("out"),
        keys: true,
        keyCache: work.at("keys"),
      };
      const refused = await refusalOf(() => compile({ ...options, memory: memoryOf(2 ** 11) }, silentStep));
      expect(refused.code).to.equal("unsupported");
      expect(refused.message).to.contain("2044 constraints").and.to.contain("this machine has 167.9 MB");
      expect(refused.mend).to.contain("--no-keys");
      expect(fs.readdirSync(work.path)).to.deep.equal(["net.onnx"]);
      await compile({ ...options, keys: false, memory: memoryOf(2 ** 11) }, silentStep);
    } finally {
      work.remove();
    }
  });
});
