// What node/circuit uses of circom2 0.2.23: the WASI shim that runs the compiler's WebAssembly.
declare module "circom2" {
  export const bindings: Readonly<Record<string, unknown>>;
}
declare module "circom2/vendor/wasi.js" {
  export class WASI {
    constructor(options: {
      readonly args: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      /** Names that the program sees, and the folders that they are. */
      readonly preopens: Readonly<Record<string, string>>;
      readonly bindings: Readonly<Record<string, unknown>>;
    });
    getImports(module: WebAssembly.Module): WebAssembly.Imports;
    /** Runs to the end; throws an object with the exit `code`, also for 0. */
    start(instance: WebAssembly.Instance): void;
  }
}
