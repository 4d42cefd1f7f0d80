// Builds the prover's WebAssembly, node/groth16/kernel.wasm, from AssemblyScript in node/groth16/kernel/. Called by
// bootstrap.mjs when the sources changed; takes some seconds. The same sources give the same bytes on every machine.
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const OUT = "node/groth16/kernel.wasm";

/**
 * What is used of AssemblyScript's compiler. Not imported by name: its own declarations bring AssemblyScript's globals along,
 * in which an element of an array is never undefined, and would loosen the types of the whole project.
 */
interface Compiler {
  main(
    args: readonly string[],
    options: {
      readonly stderr: { write(text: string | Uint8Array): void };
      readonly writeFile: (name: string, contents: string | Uint8Array) => void;
    },
  ): Promise<{ readonly error: Error | null }>;
}
const COMPILER = "assemblyscript/asc";

/** @param out where the module goes, relative to the project */
export async function buildKernel(out: string = OUT): Promise<void> {
  const place = path.resolve(root, out);
  const complaints: string[] = [];
  const { default: asc } = (await import(COMPILER)) as { readonly default: Compiler };
  const { error } = await asc.main(
    // noAssert: no bounds are checked by assertions in the kernel; runtime stub: it never allocates.
    ["node/groth16/kernel/index.ts", "--baseDir", root, "--outFile", "kernel.wasm", "-O3", "--noAssert"].concat(
      ["--runtime", "stub", "--enable", "simd", "--enable", "relaxed-simd", "--enable", "bulk-memory"],
      // A page less than 4 GB: the byte behind the last one must have an address.
      ["--maximumMemory", "65535"],
    ),
    {
      stderr: { write: (text: string | Uint8Array) => void complaints.push(String(text)) },
      writeFile: (_name: string, contents: string | Uint8Array) => {
        mkdirSync(path.dirname(place), { recursive: true });
        // In one step: another process may be loading it.
        writeFileSync(`${place}.${process.pid}`, contents);
        renameSync(`${place}.${process.pid}`, place);
      },
    },
  );
  if (error !== null) throw new Error(`the kernel does not compile:\n${complaints.join("")}`, { cause: error });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildKernel(process.argv[2]);
