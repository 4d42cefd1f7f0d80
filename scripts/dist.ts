// Builds the package that others install, dist/: the prover of node/groth16/ and what it needs of node/core/, as plain
// JavaScript with declarations, and kernel.wasm. Node runs no TypeScript under node_modules, and browsers none at all.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...names: string[]): string => path.join(root, ...names);
/** What strangers import, and what threads.ts starts. */
const ENTRIES = ["node/groth16/index.ts", "node/groth16/worker.ts"];
/** Declarations of packages without their own. */
const AMBIENT = ["node/types/ffjavascript.d.ts"];
const COPIED: readonly (readonly [string, string])[] = [
  ["node/groth16/kernel.wasm", "groth16/kernel.wasm"],
  ["docs/groth16.md", "README.md"],
  ["LICENSE", "LICENSE"],
];

/**
 * @param out where the package goes, relative to the project; replaced as a whole
 * @throws Error with the compiler's words if the sources do not compile, or if kernel.wasm was not built before
 */
export function buildDist(out = "dist"): void {
  const place = path.resolve(root, out);
  mkdirSync(path.dirname(place), { recursive: true });
  const folder = mkdtempSync(`${place}.`);
  try {
    emit(folder);
    for (const [from, to] of COPIED) copyFileSync(at(from), path.join(folder, to));
    writeFileSync(path.join(folder, "package.json"), `${JSON.stringify(manifest(), undefined, 2)}\n`);
    rmSync(place, { recursive: true, force: true });
    renameSync(folder, place);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emit(folder: string): void {
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
      rootDir: "node",
      outDir: folder,
    },
    root,
  );
  const program = ts.createProgram(
    [...ENTRIES, ...AMBIENT].map((file) => at(file)),
    options,
  );
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
  const { name, version, license, type, dependencies } = JSON.parse(readFileSync(at("package.json"), "utf8")) as {
    readonly [key: string]: string;
  } & { readonly dependencies: Readonly<Record<string, string>> };
  return {
    name,
    version,
    description:
      "Groth16 proofs over BN254 from snarkjs' .zkey and .wtns files, in WebAssembly, on Node and in browsers.",
    license,
    type,
    engines: { node: ">=20.16" },
    sideEffects: false,
    exports: {
      "./groth16": { types: "./groth16/index.d.ts", default: "./groth16/index.js" },
      "./package.json": "./package.json",
    },
    dependencies: { ffjavascript: dependencies["ffjavascript"] },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) buildDist(process.argv[2]);
