// Builds the package that others install, dist/: the prover (glassbox/groth16), the SDK (glassbox/sdk) and the contracts'
// bindings (glassbox/contracts) with what they need, as plain JavaScript with declarations; kernel.wasm; and the Solidity
// sources. Node runs no TypeScript under node_modules, and browsers none at all. Wants the contracts' artifacts.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { copySources, writeBindings } from "./bindings.ts";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...names: string[]): string => path.join(root, ...names);
/** What strangers import, and what threads.ts starts. */
const ENTRIES = ["node/groth16/index.ts", "node/groth16/worker.ts", "node/sdk/index.ts"];
/** Declarations of packages without their own. */
const AMBIENT = ["node/types/ffjavascript.d.ts"];
const COPIED: readonly (readonly [string, string])[] = [
  ["node/groth16/kernel.wasm", "groth16/kernel.wasm"],
  ["docs/package.md", "README.md"],
  ["docs/groth16.md", "groth16.md"],
  ["docs/sdk.md", "sdk.md"],
  ["LICENSE", "LICENSE"],
];

/** Within the project, where `ethers` is found. */
const BINDINGS = at(".glassbox", "bindings");

/**
 * @param out where the package goes, relative to the project; replaced as a whole
 * @throws Error with the compiler's words if the sources do not compile, or if kernel.wasm was not built before
 */
export async function buildDist(out = "dist"): Promise<void> {
  const place = path.resolve(root, out);
  mkdirSync(path.dirname(place), { recursive: true });
  const folder = mkdtempSync(`${place}.`);
  try {
    emit(
      ENTRIES.concat(AMBIENT).map((file) => at(file)),
      at("node"),
      folder,
    );
    rmSync(BINDINGS, { recursive: true, force: true });
    await writeBindings(root, BINDINGS);
    emit([path.join(BINDINGS, "index.ts")], BINDINGS, path.join(folder, "contracts"));
    copySources(root, path.join(folder, "contracts"));
    for (const [from, to] of COPIED) copyFileSync(at(from), path.join(folder, to));
    writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest(), undefined, 2)}\n`);
    rmSync(place, { recursive: true, force: true });
    renameSync(folder, place);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emit(files: readonly string[], rootDir: string, outDir: string): void {
  const { config } = ts.readConfigFile(at("tsconfig.json"), ts.sys.readFile) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...config.compilerOptions,
      // Node 20's, so that a newer function is an error here and not there.
      target: "es2022",
      lib: ["es2023", "dom"],
      types: ["node"],
      noEmit: false,
      declaration: true,
      rewriteRelativeImportExtensions: true,
      rootDir,
      outDir,
    },
    root,
  );
  const program = ts.createProgram(files, options);
  const wrong = ts.getPreEmitDiagnostics(program);
  if (wrong.length > 0) {
    const host = { getCanonicalFileName: String, getCurrentDirectory: () => root, getNewLine: () => "\n" };
    throw new Error(`the package does not compile:\n${ts.formatDiagnostics(wrong, host)}`);
  }
  program.emit(undefined, (file, text, bom) => {
    // Declarations keep the extension of what they were made from, which is not there for others.
    const fit = file.endsWith(".d.ts") ? text.replace(/(from ")(\.[^"]+)\.ts(")/g, "$1$2.js$3") : text;
    ts.sys.writeFile(file, fit, bom);
  });
}

/** The package by itself needs far less than the project. */
function manifest(): object {
  const { name, version, license, type, dependencies, devDependencies } = JSON.parse(
    readFileSync(at("package.json"), "utf8"),
  ) as { readonly [key: string]: string } & {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  return {
    name,
    version,
    description: "Ask AI models on EVM chains and verify the answers; the contracts; and a fast Groth16 prover.",
    license,
    type,
    engines: { node: ">=20.16" },
    sideEffects: false,
    exports: {
      "./sdk": { types: "./sdk/index.d.ts", default: "./sdk/index.js" },
      "./contracts": { types: "./contracts/index.d.ts", default: "./contracts/index.js" },
      "./contracts/*.sol": "./contracts/*.sol",
      "./groth16": { types: "./groth16/index.d.ts", default: "./groth16/index.js" },
      "./package.json": "./package.json",
    },
    dependencies: { "@hpke/core": dependencies["@hpke/core"], ffjavascript: dependencies["ffjavascript"] },
    // The dapp's own: a signer of another copy of ethers would do, but two copies are a megabyte too many.
    peerDependencies: {
      "@openzeppelin/contracts": `^${devDependencies["@openzeppelin/contracts"]}`,
      ethers: `^${dependencies["ethers"]}`,
    },
    peerDependenciesMeta: { "@openzeppelin/contracts": { optional: true }, ethers: { optional: true } },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDist(process.argv[2]);
