// circom2 in process: compiles circom text, or a batch of gadgets in one run. It knows no gadget's meaning; circuits/ is
// the source of the templates. Relies on circom2's WebAssembly, which sees only the folders handed to it.
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { bindings } from "circom2";
import { WASI } from "circom2/vendor/wasi.js";
import { NodeError } from "../core/errors.ts";

const require = createRequire(import.meta.url);
export const CIRCUITS = path.join(import.meta.dirname, "../../circuits");
const CIRCOMLIB = path.dirname(require.resolve("circomlib/circuits/poseidon.circom"));

export interface CompileOptions {
  /**
   * --O0 keeps rows and wires exactly as the text has them; --O1 drops constants and equalities; --O2 eliminates linear
   * rows, and so makes products dense.
   */
  readonly level: "--O0" | "--O1" | "--O2";
  /** Also circom's own witness program. */
  readonly wasm?: boolean;
}

export interface Compiled {
  readonly r1cs: Buffer;
  readonly sym: string;
  readonly wasm: Buffer | undefined;
}

let compiler: Promise<WebAssembly.Module> | undefined;

/** Compiles `source`, which may include "X.circom" of circuits/ and "circomlib/X.circom". @throws NodeError "internal" */
export async function compile(source: string, { level, wasm = false }: CompileOptions): Promise<Compiled> {
  compiler ??= WebAssembly.compile(fs.readFileSync(require.resolve("circom2/circom.wasm")));
  const module = await compiler;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "glassbox-circom-"));
  try {
    fs.writeFileSync(path.join(folder, "main.circom"), source);
    let said = "";
    const wasi = new WASI({
      args: [
        "circom2",
        "main.circom",
        "--r1cs",
        "--sym",
        ...(wasm ? ["--wasm"] : []),
        level,
        "-l",
        "circuits",
        "-l",
        "lib",
      ],
      env: {},
      preopens: { ".": folder, circuits: CIRCUITS, "lib/circomlib": CIRCOMLIB },
      bindings: {
        ...bindings,
        fs: {
          ...fs,
          writeSync: (fd: number, bytes: Uint8Array, ...rest: []) => {
            if (fd > 2) return fs.writeSync(fd, bytes, ...rest);
            said += Buffer.from(bytes).toString();
            return bytes.length;
          },
        },
      },
    });
    const instance = await WebAssembly.instantiate(module, wasi.getImports(module));
    try {
      wasi.start(instance);
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code !== 0) throw refusal(said, thrown);
    }
    const read = (name: string): Buffer => fs.readFileSync(path.join(folder, name));
    return {
      r1cs: read("main.r1cs"),
      sym: read("main.sym").toString(),
      wasm: wasm ? read("main_js/main.wasm") : undefined,
    };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function refusal(said: string, cause: unknown): NodeError {
  // circom colours what it says
  const plain = said.replace(/\u001b\[[0-9;]*m/g, "").trim();
  return new NodeError("internal", `circom refuses the text: ${plain || String(cause)}`, { cause });
}

export type Param = number | readonly number[];

/** A gadget wanted: a template of circuits/ and its parameters. */
export interface Spec {
  readonly template: string;
  readonly params: readonly Param[];
}

/** As circom writes it, and as its name among all gadgets. */
export function specName({ template, params }: Spec): string {
  return `${template}(${params.map((param) => (typeof param === "number" ? param : `[${param.join(",")}]`)).join(",")})`;
}

/** For people: long lists left out. */
export function specLabel({ template, params }: Spec): string {
  return `${template}(${params.map((param) => (typeof param === "number" ? param : "[..]")).join(",")})`;
}

/** A circom text whose component g<i> is the i-th gadget; its inputs, given by name, are left free. */
export function batchSource(specs: readonly Spec[], inputsOf: (spec: Spec) => readonly string[]): string {
  const files = [...new Set(specs.map(({ template }) => template))];
  const components = specs.map((spec, i) => {
    const inputs = inputsOf(spec).map((input) => ` g${i}.${input} <-- 0;`);
    return `    component g${i} = ${specName(spec)};${inputs.join("")}\n`;
  });
  const includes = files.map((file) => `include "${file}.circom";\n`);
  return `pragma circom 2.1.6;\n${includes.join("")}template Batch() {\n${components.join("")}}\ncomponent main = Batch();\n`;
}
