// The package `glassbox/groth16` in a stranger's hands: installed outside the checkout and run by plain Node, it proves a
// circomlib circuit with keys of two makers, and snarkjs believes the proofs. The documented example is one of the scripts.
import { expect } from "chai";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import type { SnarkjsProof } from "snarkjs";
import { R } from "../../node/core/field.ts";
import { endSnarkjsThreads } from "../support/keys.ts";
import { INPUT, MAKERS, nodes, type Stranger, stranger } from "../support/stranger.ts";

interface Made {
  readonly proof: SnarkjsProof;
  readonly publicSignals: readonly string[];
}

type Printed = Readonly<Record<(typeof MAKERS)[number], Made[]>> & {
  readonly told: readonly { readonly what: string; readonly done: number; readonly total: number }[];
};

const SLOW = 120_000;

/** Everything in all forms that a caller may give, warm and alone, at once and in turn. Ends by itself. */
const PROVE = `
import { readFileSync } from "node:fs";
import { openProver, prove } from "glassbox/groth16";
const made = { development: [], snarkjs: [] };
const told = [];
made.development.push(await prove("development.zkey", "circuit.wtns", { onProgress: (step) => told.push(step) }));
const prover = openProver({ threads: 2 });
const poor = openProver({ threads: 1, cacheBytes: 0 });
const witness = readFileSync("circuit.wtns");
for (const maker of ["development", "snarkjs"]) {
  const zkey = new Uint8Array(readFileSync(maker + ".zkey"));
  const given = [[maker + ".zkey", "circuit.wtns"], [zkey, witness], [new Blob([zkey]), new Blob([witness])]];
  made[maker].push(...(await Promise.all(given.map((pair) => prover.prove(...pair)))));
  for (const pair of given) made[maker].push(await poor.prove(...pair));
}
await prover.close();
await poor.close();
console.log(JSON.stringify({ ...made, told }));
`;

/** What must not become a proof, and what is said. */
const REFUSE = `
import { readFileSync } from "node:fs";
import { NodeError, openProver, prove } from "glassbox/groth16";
const said = {};
const prover = openProver({ threads: 2 });
const zkey = "snarkjs.zkey";
const refused = async (name, act) => {
  try {
    await act();
    said[name] = "nothing";
  } catch (thrown) {
    said[name] = thrown instanceof NodeError ? thrown.code : String(thrown);
  }
};
const witness = readFileSync("circuit.wtns");
const changed = Buffer.from(witness);
changed[changed.length - 32] ^= 1;
await refused("a witness that breaks a row", () => prover.prove(zkey, changed));
await refused("a witness cut off", () => prover.prove(zkey, witness.subarray(0, -1)));
await refused("a key that is none", () => prover.prove("circuit.wtns", "circuit.wtns"));
await refused("no such file", () => prover.prove("nothing.zkey", "circuit.wtns"));
await refused("stopped before", () => prover.prove(zkey, witness, { signal: AbortSignal.abort() }));
const stop = new AbortController();
await refused("stopped at the first step", () =>
  prover.prove(zkey, witness, { signal: stop.signal, onProgress: () => stop.abort() }));
await refused("nothing is wrong", () => prover.prove(zkey, witness));
await prover.close();
await refused("closed", () => prover.prove(zkey, witness));
await refused("no threads", () => prove(zkey, witness, { threads: 0 }));
console.log(JSON.stringify(said));
`;

/** Before anything else: an engine that does not take the kernel, but what snarkjs compiles. */
const POOR = `
const { compile } = WebAssembly;
const kernel = (await import("node:fs")).readFileSync("node_modules/glassbox/groth16/kernel.wasm");
WebAssembly.compile = async (bytes) => {
  if (bytes.byteLength === kernel.byteLength) throw new WebAssembly.CompileError("unknown opcode");
  return compile(bytes);
};
`;

describe("glassbox/groth16 as a package", function () {
  this.timeout(SLOW);
  let here: Stranger;
  before(async () => {
    here = await stranger();
  });
  after(async () => {
    await endSnarkjsThreads();
    (here as Stranger | undefined)?.remove();
  });

  /** What the script prints. It must end by itself. */
  const run = (binary: string, name: string, text: string): string => {
    fs.writeFileSync(here.at(name), text);
    const env = { PATH: path.dirname(binary) };
    const done = spawnSync(binary, [name], { cwd: here.path, env, encoding: "utf8", timeout: SLOW / 2 });
    expect(done.stderr, name).to.equal("");
    expect([done.status, done.signal], name).to.deep.equal([0, null]);
    return done.stdout;
  };

  const judge = async (maker: (typeof MAKERS)[number], { proof, publicSignals }: Made): Promise<void> => {
    expect(await here.verify(maker, proof, publicSignals)).to.equal(true);
    for (let i = 0; i < publicSignals.length; i++) {
      const other = ((BigInt(publicSignals[i] as string) + 1n) % R).toString();
      expect(await here.verify(maker, proof, publicSignals.with(i, other)), `signal ${i}`).to.equal(false);
    }
  };

  it("is JavaScript that imports nothing but itself and ffjavascript", () => {
    const folder = here.at("node_modules/glassbox");
    const reached = new Set<string>();
    const outside = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      const imports = fs.readFileSync(file, "utf8").matchAll(/^(?:import|export)\b[^"';]*?\bfrom\s+"([^"]+)"/gm);
      for (const name of [...imports].map((found) => found[1] as string)) {
        const next = path.resolve(path.dirname(file), file.endsWith(".d.ts") ? name.replace(/\.js$/, ".d.ts") : name);
        if (name.startsWith(".")) visit(next);
        else outside.add(name);
      }
    };
    for (const entry of ["index.js", "worker.js", "index.d.ts"]) visit(path.join(folder, "groth16", entry));
    expect(reached.size).to.be.above(20);
    expect([...outside].filter((name) => !name.startsWith("node:"))).to.deep.equal(["ffjavascript"]);
    const all = fs.readdirSync(folder, { recursive: true, encoding: "utf8" });
    expect(all.filter((name) => /(?<!\.d)\.ts$/.test(name))).to.deep.equal([]);
  });

  it("names its worker and its kernel in the forms that bundlers look for, and no other file so", () => {
    const folder = here.at("node_modules/glassbox/groth16");
    const scripts = fs.readdirSync(folder).filter((name) => name.endsWith(".js"));
    const text = scripts.map((name) => fs.readFileSync(path.join(folder, name), "utf8")).join("\n");
    // Vite wants nothing between the brackets but spaces; webpack warns of any that is not a plain string.
    expect(
      text.match(/new Worker\(\s*new URL\("\.\/worker\.js", import\.meta\.url\),\s*\{ type: "module"/g),
    ).to.have.length(1);
    const files = [...text.matchAll(/new URL\(([^;]*?), import\.meta\.url\)/g)].map((found) => found[1] as string);
    expect(files.sort()).to.deep.equal(['"./kernel.wasm"', '"./worker.js"']);
  });

  for (const [version, binary] of nodes()) {
    it(`proves on Node ${version} with keys of both makers, and snarkjs believes no other signals`, async () => {
      const { told, ...made } = JSON.parse(run(binary, "prove.js", PROVE)) as Printed;
      expect(made.development).to.have.length(7);
      expect(made.snarkjs).to.have.length(6);
      expect(told).to.have.length.above(4);
      expect(told.map(({ done }) => done)).to.deep.equal(told.map((_, i) => i + 1));
      for (const { what, done, total } of told) {
        expect(what).to.be.a("string");
        expect(done).to.be.at.most(total);
      }
      for (const maker of MAKERS) for (const each of made[maker]) await judge(maker, each);
      const all = [...made.development, ...made.snarkjs];
      expect(new Set(all.map(({ proof }) => JSON.stringify(proof))).size).to.equal(13);
      expect(new Set(all.map(({ publicSignals }) => publicSignals.join())).size).to.equal(1);
      expect(await here.verify("snarkjs", all[0]!.proof, all[0]!.publicSignals)).to.equal(false);
    });

    it(`refuses on Node ${version} what cannot be proved, and goes on`, () => {
      expect(JSON.parse(run(binary, "refuse.js", REFUSE))).to.deep.equal({
        "a witness that breaks a row": "integrity",
        "a witness cut off": "input",
        "a key that is none": "input",
        "no such file": "input",
        "stopped before": "aborted",
        "stopped at the first step": "aborted",
        "nothing is wrong": "nothing",
        closed: "aborted",
        "no threads": "usage",
      });
    });

    it(`does on Node ${version} what docs/groth16.md shows`, () => {
      const examples = [...fs.readFileSync("docs/groth16.md", "utf8").matchAll(/```js\n(.*?)```/gs)];
      expect(examples).to.have.length(2);
      fs.copyFileSync(here.at("snarkjs.zkey"), here.at("circuit.zkey"));
      fs.writeFileSync(here.at("input.json"), JSON.stringify(INPUT));
      const [one, withFallback] = examples.map((found) => found[1] as string) as [string, string];
      expect(run(binary, "one.js", one)).to.equal("true\n");
      expect(run(binary, "fallback.js", withFallback)).to.equal("true\n");
      expect(run(binary, "poor.js", POOR + withFallback)).to.match(/^snarkjs proves: .*relaxed SIMD\ntrue\n$/);
    });
  }

  it("has types that a strict compiler takes without Node's", () => {
    fs.writeFileSync(
      here.at("typed.ts"),
      `import { NodeError, openProver, prove, type Prover, type SnarkjsProof } from "glassbox/groth16";
      const stop = new AbortController();
      const made = await prove("a.zkey", new Uint8Array(), { signal: stop.signal, threads: 2, onProgress: ({ what }) => void what.length });
      const proof: SnarkjsProof = made.proof;
      const signals: readonly string[] = made.publicSignals;
      const prover: Prover = openProver({ onFallback: (reason: NodeError) => void reason.code });
      export { proof, prover, signals };
      // @ts-expect-error -- a number is no key
      await prove(1, new Uint8Array());
      `,
    );
    const compilerOptions = {
      noEmit: true,
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      module: "nodenext",
      target: "es2022",
      lib: ["es2022", "dom"],
      types: [],
    };
    fs.writeFileSync(here.at("tsconfig.json"), JSON.stringify({ compilerOptions, files: ["typed.ts"] }));
    const tsc = path.resolve("node_modules/typescript/bin/tsc");
    const done = spawnSync(process.execPath, [tsc, "-p", "."], { cwd: here.path, encoding: "utf8" });
    expect(done.stdout).to.equal("");
    expect(done.status).to.equal(0);
  });
});
