// circom's own witness program (the WebAssembly that circom emits), run in process: what the project's hints and its claim
// are held against. Tests only.
import { compile, specName } from "../../node/circuit/compile.ts";
import type { Compiled, Spec } from "../../node/circuit/compile.ts";
import { putField, reduce } from "../../node/core/field.ts";
import { readR1cs, symbolsOf } from "../../node/circuit/r1cs.ts";

interface Program {
  init(check: number): void;
  writeSharedRWMemory(at: number, word: number): void;
  readSharedRWMemory(at: number): number;
  setInputSignal(high: number, low: number, index: number): void;
  getWitness(wire: number): void;
}

export interface CircomWitness {
  /** Every wire's value. @throws if the program refuses the inputs */
  run(inputs: Readonly<Record<string, readonly bigint[]>>): bigint[];
  readonly compiled: Compiled;
  /** Wire by signal name, "main." left out. */
  readonly wireOf: ReadonlyMap<string, number>;
}

/** The witness program of one gadget of circuits/, as circom compiles it at --O0. */
export async function gadgetProgram(spec: Spec): Promise<CircomWitness> {
  const source = `pragma circom 2.1.6;\ninclude "${spec.template}.circom";\ncomponent main = ${specName(spec)};\n`;
  return programOf(source, "--O0");
}

export async function programOf(source: string, level: "--O0" | "--O1" | "--O2"): Promise<CircomWitness> {
  const compiled = await compile(source, { level, wasm: true });
  const { wires } = readR1cs(compiled.r1cs);
  const fail = (code: number): never => {
    throw new Error(`circom's witness program refuses the inputs (code ${code})`);
  };
  const silent = (): void => {};
  const runtime = { exceptionHandler: fail, printErrorMessage: silent, writeBufferMessage: silent, showSharedRWMemory: silent, error: fail }; // prettier-ignore
  const { instance } = await WebAssembly.instantiate(new Uint8Array(compiled.wasm as Buffer), { runtime });
  const program = instance.exports as unknown as Program;
  const words = new Uint32Array(8);
  return {
    compiled,
    wireOf: new Map([...symbolsOf(compiled.sym)].map(({ wire, name }) => [name.replace(/^main\./, ""), wire])),
    run(inputs) {
      program.init(0);
      for (const [name, values] of Object.entries(inputs)) {
        const [high, low] = fnv(name);
        values.forEach((value, index) => {
          putField(words, 0, reduce(value));
          words.forEach((word, k) => program.writeSharedRWMemory(k, word));
          program.setInputSignal(high, low, index);
        });
      }
      return Array.from({ length: wires }, (_, wire) => {
        program.getWitness(wire);
        let value = 0n;
        for (let k = 7; k >= 0; k--) value = (value << 32n) | BigInt(program.readSharedRWMemory(k) >>> 0);
        return value;
      });
    },
  };
}

/** 64-bit FNV-1a, circom's name for an input. */
function fnv(text: string): [high: number, low: number] {
  let hash = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)];
}
