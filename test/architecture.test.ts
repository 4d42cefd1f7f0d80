// Imports point one way, and each outside package has one home: read off the source text of node/.
import { expect } from "chai";
import fs from "node:fs";
import path from "node:path";

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  core: [],
  groth16: ["core"],
  model: ["core"],
  circuit: ["core", "model"],
  proof: ["core", "model", "circuit", "groth16"],
  chain: ["core"],
  private: ["core", "chain"],
  sdk: ["core", "chain", "groth16", "private"],
  job: ["core", "model", "circuit", "proof", "chain"],
  audit: ["core", "model", "circuit", "proof", "chain"],
  app: ["core", "model", "circuit", "proof", "chain", "private", "job", "audit"],
};
const HOMES: Readonly<Record<string, string | readonly string[]>> = {
  "onnxruntime-node": "model",
  "@bufbuild/protobuf": "model",
  fflate: "model",
  circom2: "circuit",
  circomlib: "circuit",
  circomlibjs: "circuit",
  snarkjs: "proof",
  ffjavascript: "groth16",
  ethers: ["chain", "sdk"],
  "@hpke/core": "private",
  "pg-boss": "job",
  pg: "job",
  "@electric-sql/pglite": "job",
  pino: "app",
  zod: "app",
  commander: "app",
};

const files = fs
  .readdirSync("node", { recursive: true, encoding: "utf8" })
  .filter(
    (file) =>
      file.endsWith(".ts") && !file.startsWith("types") && path.dirname(file) !== path.join("groth16", "kernel"),
  );
const IMPORT =
  /^(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)|\brequire(?:\.resolve)?\("([^"]+)"\)/gm;
const packageOf = (name: string): string => name.split("/", name.startsWith("@") ? 2 : 1).join("/");

describe("architecture", () => {
  it("sees the imports that it judges", () => {
    const imports = (file: string): number => [...fs.readFileSync(file, "utf8").matchAll(IMPORT)].length;
    expect(imports("node/app/wiring.ts")).to.be.at.least(15);
    expect(imports("node/core/domain.ts")).to.equal(0);
  });

  for (const file of files) {
    it(`node/${file} imports only what its folder may`, () => {
      const folder = file.split(path.sep)[0] as string;
      const text = fs.readFileSync(path.join("node", file), "utf8");
      const names = [...text.matchAll(IMPORT)].map((m) => m.slice(1).find((name) => name !== undefined) as string);
      for (const name of names.filter((n) => !n.startsWith("node:"))) {
        if (name.startsWith(".")) {
          const target = path
            .relative("node", path.resolve("node", path.dirname(file), name))
            .split(path.sep)[0] as string;
          expect([folder, ...(ALLOWED[folder] ?? [])], `${file} imports ${name}`).to.include(target);
        } else {
          expect([HOMES[packageOf(name)]].flat(), `the home of ${name}, imported by ${file}`).to.include(folder);
        }
      }
    });
  }

  it("the SDK runs in a page: nothing that it reaches knows Node", () => {
    const reached = new Set<string>();
    const outside = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      const text = fs.readFileSync(file, "utf8").replaceAll(/^import type [^;]*;/gm, "");
      for (const match of text.matchAll(IMPORT)) {
        const name = match.slice(1).find((each) => each !== undefined) as string;
        if (name.startsWith(".")) visit(path.join(path.dirname(file), name));
        else outside.add(name);
      }
      const code = text.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, "");
      expect(code, file).not.to.match(/(?<![.\w])(Buffer|process|require|__dirname)\b/);
    };
    visit("node/sdk/index.ts");
    expect([...outside].sort()).to.deep.equal(["@hpke/core", "ethers", "ffjavascript"]);
    expect([...reached]).to.include.members(["node/chain/client.ts", "node/groth16/check.ts", "node/core/tensor.ts"]);
    expect(reached.size).to.be.within(20, 40);
  });
});
