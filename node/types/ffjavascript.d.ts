// What node/proof uses of ffjavascript 0.3.1 and, through its plugin hook, of wasmbuilder. Points are byte arrays:
// affine (two coordinates) or Jacobian (three), little-endian, Montgomery form.
declare module "ffjavascript" {
  export type Code = readonly number[];

  export interface CodeBuilder {
    getLocal(name: string): Code;
    setLocal(name: string, value: Code): Code;
    i32_const(value: number): Code;
    i32_add(a: Code, b: Code): Code;
    i32_sub(a: Code, b: Code): Code;
    i32_mul(a: Code, b: Code): Code;
    i32_eq(a: Code, b: Code): Code;
    i32_eqz(a: Code): Code;
    i32_lt_s(a: Code, b: Code): Code;
    i32_and(a: Code, b: Code): Code;
    i32_shl(a: Code, b: Code): Code;
    i32_shr_u(a: Code, b: Code): Code;
    i32_load(address: Code): Code;
    call(name: string, ...args: Code[]): Code;
    if(condition: Code, then: Code, otherwise?: Code): Code;
    block(body: Code): Code;
    loop(...body: Code[]): Code;
    br(depth: number): Code;
    br_if(depth: number, condition: Code): Code;
  }

  export interface WasmFunction {
    addParam(name: string, type: "i32"): void;
    addLocal(name: string, type: "i32"): void;
    addCode(...code: Code[]): void;
    getCodeBuilder(): CodeBuilder;
  }

  export interface WasmModule {
    addFunction(name: string): WasmFunction;
    exportFunction(name: string): void;
  }

  export type Parameter = { readonly var: number; readonly offset?: number } | { readonly val: number };
  export type Command =
    | { readonly cmd: "ALLOCSET"; readonly var: number; readonly buff: Uint8Array }
    | { readonly cmd: "ALLOC"; readonly var: number; readonly len: number }
    | { readonly cmd: "CALL"; readonly fnName: string; readonly params: readonly Parameter[] }
    | { readonly cmd: "GET"; readonly out: number; readonly var: number; readonly len: number };

  export interface ThreadManager {
    readonly concurrency: number;
    queueAction(commands: readonly Command[]): Promise<Uint8Array[]>;
    terminate(): Promise<void>;
  }

  export interface Field {
    readonly n8: number;
    readonly w: readonly Uint8Array[];
    readonly one: Uint8Array;
    e(value: bigint | number): Uint8Array;
    toObject(a: Uint8Array): bigint;
    fft(values: Uint8Array): Promise<Uint8Array>;
    ifft(values: Uint8Array): Promise<Uint8Array>;
    /** Element i times first * step^i. */
    batchApplyKey(values: Uint8Array, first: Uint8Array, step: Uint8Array): Promise<Uint8Array>;
  }

  export interface Group {
    readonly F: { readonly n8: number };
    readonly g: Uint8Array;
    readonly gAffine: Uint8Array;
    readonly zero: Uint8Array;
    add(a: Uint8Array, b: Uint8Array): Uint8Array;
    neg(a: Uint8Array): Uint8Array;
    double(a: Uint8Array): Uint8Array;
    timesScalar(a: Uint8Array, scalar: bigint | Uint8Array): Uint8Array;
    eq(a: Uint8Array, b: Uint8Array): boolean;
    isZero(a: Uint8Array): boolean;
    isValid(a: Uint8Array): boolean;
    toAffine(a: Uint8Array): Uint8Array;
    /** Big-endian, not Montgomery; G2's halves imaginary first. */
    toUncompressed(a: Uint8Array): Uint8Array;
    fromObject(a: readonly unknown[]): Uint8Array;
    multiExpAffine(bases: Uint8Array, scalars: Uint8Array): Promise<Uint8Array>;
  }

  export interface Curve {
    readonly tm: ThreadManager;
    readonly Fr: Field;
    readonly G1: Group;
    readonly G2: Group;
    readonly Gt: { eq(a: Uint8Array, b: Uint8Array): boolean; readonly one: Uint8Array };
    /** Whether the product of the pairings of (G1, G2) pairs is one. */
    pairingEq(...points: Uint8Array[]): Promise<boolean>;
    terminate(): Promise<void>;
  }

  export function buildBn128(singleThread: boolean, plugin?: (module: WasmModule) => void): Promise<Curve>;
}
