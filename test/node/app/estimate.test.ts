// What is told before a key is made: the key's size to the byte, times that grow with the domain, and a question before
// anything long.
import { expect } from "chai";
import fs from "node:fs";
import { agreeOn } from "../../../node/app/cli/compile.ts";
import { estimate, type Estimate, keySecondsOf, proofBytesOf, proofSecondsOf } from "../../../node/app/estimate.ts";
import { NodeError } from "../../../node/core/errors.ts";
import { countTerms, openR1cs } from "../../../node/proof/r1cs.ts";
import { figuresOf } from "../../../scripts/bench/provers/results.ts";
import { type Measured, measured, type Outcome, type Results } from "../../../scripts/bench/results.ts";
import { refusalOf, smallKey, workFolder } from "../../support/keys.ts";
import { compiledExample } from "../../support/packages.ts";

describe("the estimate of key and proofs", function () {
  this.timeout(60_000);
  const work = workFolder();
  after(() => work.remove());

  it("has the key's size to the byte, for a model and for circuits of a few rows", async () => {
    const { package: pack } = await compiledExample("digits-mlp", { keys: true });
    const { zkey } = pack.manifest.files;
    expect(estimate(pack.path("circuit"))).to.deep.include({
      keyBytes: zkey?.bytes,
      constraints: pack.manifest.circuit.constraints,
      domain: pack.manifest.circuit.domain,
    });
    for (const padding of [0, 1, 40]) {
      const key = await smallKey(work.path, { padding, name: `k${padding}` });
      expect(estimate(key.r1cs).keyBytes, `padding ${padding}`).to.equal(fs.statSync(key.zkey).size);
    }
  });

  it("counts the terms of each matrix as reading them all does, and refuses a circuit that is cut short", async () => {
    const { r1cs } = await smallKey(work.path, { padding: 8, name: "terms" });
    const counts = [0, 0, 0];
    const opened = openR1cs(r1cs);
    await opened.terms((matrix) => void counts[matrix]!++, async () => undefined); // prettier-ignore
    opened.close();
    expect(countTerms(r1cs)).to.deep.equal(counts);
    const cut = work.at("cut.r1cs");
    fs.writeFileSync(cut, fs.readFileSync(r1cs).subarray(0, -100));
    expect((await refusalOf(() => countTerms(cut))).code).to.equal("input");
  });
});

describe("the estimate against the figures of bench/results.json", () => {
  const { networks, models, provers } = JSON.parse(fs.readFileSync("bench/results.json", "utf8")) as Results;
  const FACTOR = 1.5;

  /** Times mean little where other programs kept the machine busy. */
  function quiet(outcome: Outcome | undefined): Measured | undefined {
    const found = measured(outcome);
    return found?.others !== undefined && found.others < 0.2 ? found : undefined;
  }

  function near(what: string, said: number, found: number | undefined): number {
    if (found === undefined) return 0;
    expect(said / found, `${what}: ${said} said, ${found} found`).to.be.within(1 / FACTOR, FACTOR);
    return 1;
  }

  const built = [
    ...networks.map(({ name, phases }) => ({ name, phases, circuit: measured(phases["circuit"]) })),
    ...(models?.models ?? []).map(({ name, phases }) => ({ name, phases, circuit: measured(phases["package"]) })),
  ];

  it("is right about the time of proofs in fresh processes, and of keys, within a factor of 1.5", () => {
    let compared = 0;
    for (const { name, phases, circuit } of built) {
      const { domain, terms } = circuit?.figures ?? {};
      if (domain === undefined) continue;
      compared += near(`${name}: proof`, proofSecondsOf(domain), quiet(phases["prove"])?.seconds["cold"]?.median);
      if (terms === undefined) continue;
      near(`${name}: key`, keySecondsOf(domain, terms), quiet(phases["key"])?.seconds["make"]?.median);
    }
    expect(compared).to.be.at.least(5);
  });

  it("is right about the memory of proofs, busy machine or not", () => {
    let compared = 0;
    for (const { name, phases, circuit } of built) {
      const { domain } = circuit?.figures ?? {};
      if (domain !== undefined) compared += near(name, proofBytesOf(domain), measured(phases["prove"])?.peak.own);
    }
    for (const race of provers?.races ?? []) {
      const domain = race.figures["domain"];
      const { warm, oneShot } = figuresOf(race, "wasm") ?? {};
      if (domain !== undefined) compared += near(race.name, proofBytesOf(domain), (warm ?? oneShot)?.peak.own);
    }
    expect(compared).to.be.at.least(10);
  });
});

describe("the question before a long key", () => {
  const quick: Estimate = {
    constraints: 1,
    terms: 2,
    domain: 4,
    keyBytes: 5000,
    keySeconds: 60,
    proofSeconds: 0.3,
    proofBytes: 2e8,
  };
  const long: Estimate = { ...quick, keySeconds: 61 };
  interface Case {
    readonly estimate: Estimate;
    readonly answer?: boolean;
    readonly yes?: boolean;
    readonly makes?: boolean;
  }
  async function asked({ estimate, answer, yes = false, makes = true }: Case) {
    const said: string[] = [];
    const questions: string[] = [];
    const ask = async (question: string): Promise<boolean | undefined> => {
      questions.push(question);
      return answer;
    };
    const thrown: unknown = await agreeOn({ terminal: { note: (line) => void said.push(line), ask }, estimate, yes, makes }).then(
      () => undefined,
      (error: unknown) => error,
    ); // prettier-ignore
    expect(said.join("\n")).to.match(/key of 5\.0 kB in about .* a proof in about 300 ms with 200\.0 MB of memory/);
    return { questions, thrown };
  }

  it("is not put for a minute, with --yes, without keys, or where the key is there", async () => {
    for (const each of [{ estimate: quick }, { estimate: long, yes: true }, { estimate: long, makes: false }]) {
      expect(await asked(each)).to.deep.equal({ questions: [], thrown: undefined });
    }
  });

  it("is put for more, and only yes goes on", async () => {
    const { questions, thrown } = await asked({ estimate: long, answer: true });
    expect(thrown).to.equal(undefined);
    expect(questions).to.have.length(1);
    expect(questions[0]).to.contain("61.0 s").and.to.contain("go on?");
    const refused = await asked({ estimate: long, answer: false });
    expect(refused.thrown).to.be.instanceOf(NodeError).with.property("code", "aborted");
  });

  it("is a refusal that names --yes where there is no terminal", async () => {
    const { thrown } = await asked({ estimate: long });
    expect(thrown).to.be.instanceOf(NodeError).with.property("code", "usage");
    expect((thrown as NodeError).mend).to.contain("--yes");
  });
});
