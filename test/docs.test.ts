// What the documents say, held to what is there: links, commands, figures.
import { expect } from "chai";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { QUESTIONS } from "../node/audit/audit.ts";
import { supportedOps } from "../node/model/onnx/ops.ts";
import { gasDocument } from "../scripts/gasdoc.ts";
import { opsDocument } from "../scripts/opsdoc.ts";
import { opsOfModel, readNodeTests, testedOps } from "./support/nodeTests.ts";

const listed = spawnSync("git", ["ls-files", "*.md"], { encoding: "utf8" });
const documents = listed.stdout.split("\n").filter((file) => file !== "");
const readme = fs.readFileSync("README.md", "utf8");

describe("documents", () => {
  it("are found", () => {
    expect(documents).to.include.members(["README.md", "docs/claim.md", "docs/config.md"]);
  });

  for (const file of documents) {
    it(`${file} links only to what exists`, () => {
      const text = fs.readFileSync(file, "utf8");
      const links = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map((m) => m[1] as string);
      for (const link of links.filter((target) => !/^[a-z]+:/.test(target))) {
        const target = path.join(path.dirname(file), link);
        expect(fs.existsSync(target), `${file} -> ${link}`).to.equal(true);
      }
    });
  }

  it("README: the output that it shows has every question, check and gas figure that the sources print", () => {
    const shown = readme.slice(readme.indexOf("<!-- output: npm start -->"), readme.indexOf("<!-- /output -->"));
    for (const question of Object.values(QUESTIONS)) expect(shown).to.contain(question);
    const source = fs.readFileSync("node/audit/audit.ts", "utf8");
    const checks = [...source.matchAll(/check\(\s*"(?:model|environment|output)",\s*"([^"]+)"/g)].map(
      (m) => m[1] as string,
    );
    expect(checks).to.have.length.of.at.least(12);
    for (const name of checks) expect(shown, name).to.contain(` ${name}: `);
    expect(shown).to.match(/register [\d,]+, request [\d,]+, fulfil [\d,]+/);
    expect(shown).to.contain("audit passed");
  });

  it("README: npm scripts and glassbox commands that it names exist", () => {
    const { scripts } = JSON.parse(fs.readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
    const named = [...readme.matchAll(/npm (?:run )?([a-z]+)/g)].map((m) => m[1] as string);
    for (const name of named.filter((word) => word !== "beside" && word !== "run"))
      expect(scripts, name).to.have.property(name);
    const commands = [...readme.matchAll(/glassbox(?: --)? ([a-z-]+)/g)].map((m) => m[1] as string);
    const sources = fs.readdirSync("node/app/cli").map((f) => fs.readFileSync(path.join("node/app/cli", f), "utf8"));
    for (const name of new Set(commands.filter((word) => !word.startsWith("-")))) {
      expect(
        sources.some((text) => text.includes(`new Command("${name}")`)),
        name,
      ).to.equal(true);
    }
  });

  it("README: the table of examples has the figures of the committed snapshots", () => {
    interface Kept {
      readonly constraints: number;
      /** Of models that yield classes; of others the error. */
      readonly right?: { readonly float: number; readonly integer: number };
      readonly error?: { readonly max: number };
      readonly samples: number;
    }
    const kept = JSON.parse(fs.readFileSync("test/vectors/examples.json", "utf8")) as Record<string, Kept>;
    for (const [name, { constraints, right, error, samples }] of Object.entries(kept)) {
      const row = readme.split("\n").find((line) => line.startsWith(`| [${name}]`)) ?? "";
      if (right !== undefined)
        expect(row).to.contain(`| ${right.float} of ${samples} | ${right.integer} of ${samples} |`);
      else expect(row).to.contain(`| differs by at most ${Number(error?.max.toPrecision(1))} |`);
      expect(row.replaceAll(",", "")).to.contain(`| ${constraints} |`);
    }
  });

  it("docs/ops.md: is what the tables in the code say (node scripts/opsdoc.ts writes it)", () => {
    expect(fs.readFileSync("docs/ops.md", "utf8")).to.equal(opsDocument());
  });

  it("docs/gas.md: is what the snapshots say (npm run gasdoc writes it)", () => {
    expect(fs.readFileSync("docs/gas.md", "utf8")).to.equal(gasDocument());
  });

  it("docs/ops.md: each of its ops is compared with onnxruntime, or with the ONNX project's results", () => {
    const compared = new Set<string>();
    // Node tests that are read: all but those that the pinned list says are refused.
    const { read } = JSON.parse(fs.readFileSync("test/vectors/onnx/node-tests.refused.json", "utf8")) as { read: Record<string, string[]> }; // prettier-ignore
    const refused = new Set(Object.values(read).flat());
    for (const test of readNodeTests()) if (!refused.has(test.name)) for (const op of testedOps(test)) compared.add(op);
    // Files that tests run in onnxruntime, or whose results come from it.
    const folder = "test/vectors/onnx";
    for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".onnx"))) {
      for (const op of opsOfModel(fs.readFileSync(path.join(folder, file)))) compared.add(op);
    }
    // Ops that tests name as they build models for onnxruntime.
    const tests = fs.readdirSync("test/node/model").filter((name) => /(?<!refusals)\.test\.ts$/.test(name)).map((name) => fs.readFileSync(path.join("test/node/model", name), "utf8")); // prettier-ignore
    const agreeing = tests.filter((text) => /\b(runOnnx|runAll|onnxAgree|openOriginal)\b/.test(text)).join("\n");
    const missing = supportedOps().filter(({ op }) => {
      const name = op.split(".").at(-1) as string;
      return !compared.has(op) && !agreeing.includes(`"${name}"`);
    });
    expect(missing.map(({ op }) => op)).to.deep.equal([]);
  });
});
