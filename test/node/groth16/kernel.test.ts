// The kernel's WebAssembly is what its sources say: built here, it is the file in use and the snapshot, byte for byte.
import { expect } from "chai";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { buildKernel } from "../../../scripts/kernel.ts";
import { compile } from "../../../node/groth16/module.ts";
import { workFolder } from "../../support/keys.ts";

const SNAPSHOT = "test/vectors/kernel.json";

describe("the prover's kernel", function () {
  this.timeout(60_000);
  const folder = workFolder();
  after(() => folder.remove());

  it("is built from its sources to the same bytes everywhere", async () => {
    await buildKernel(folder.at("kernel.wasm"));
    const bytes = fs.readFileSync(folder.at("kernel.wasm"));
    const built = { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    if (process.env["UPDATE_SNAPSHOTS"] !== undefined)
      fs.writeFileSync(SNAPSHOT, `${JSON.stringify(built, null, 2)}\n`);
    expect(built).to.deep.equal(JSON.parse(fs.readFileSync(SNAPSHOT, "utf8")));
    expect(
      bytes.equals(fs.readFileSync("node/groth16/kernel.wasm")),
      "node/groth16/kernel.wasm is up to date",
    ).to.equal(true);
  });

  it("imports nothing but AssemblyScript's abort, and has a memory of its own", async () => {
    const module = await compile();
    const imports = WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`);
    expect(imports.filter((name) => name !== "env.abort")).to.deep.equal([]);
    expect(WebAssembly.Module.exports(module).find(({ name }) => name === "memory")?.kind).to.equal("memory");
  });
});
