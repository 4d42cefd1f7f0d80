// What the main part of the prover, or of making keys, and its threads say to each other. Bytes of the key and the witness travel as the thread reads
// them itself (SourceSpec); intermediate results as plain bytes in the kernel's own layout, which every instance shares.
import type { ErrorCode, Fact } from "../core/errors.ts";
import type { Group, Plan } from "./msm.ts";
import type { Combinations } from "./multiples.ts";
import type { SourceSpec } from "./source.ts";

export type Polynomial = "a" | "b" | "c";
/** Sums over the key's points; "b" is one in G1 and one in G2 with the same scalars. */
export type Sum = "a" | "b" | "c" | "h";

export type Task =
  | { readonly do: "start"; readonly module: WebAssembly.Module; readonly cacheBytes: number }
  | { readonly do: "test"; readonly module: WebAssembly.Module }
  | { readonly do: "key"; readonly key: SourceSpec }
  | { readonly do: "witness"; readonly witness: SourceSpec }
  | { readonly do: "coset"; readonly of: Polynomial }
  | { readonly do: "join"; readonly a: Uint8Array; readonly b: Uint8Array; readonly c: Uint8Array }
  | { readonly do: "scalars"; readonly scalars: Uint8Array }
  | { readonly do: "sum"; readonly of: Sum; readonly plan: Plan; readonly from: number; readonly to: number }
  | { readonly do: "wipe" }
  | { readonly do: "start keys"; readonly module: WebAssembly.Module; readonly width: number }
  | { readonly do: "keys"; readonly task: KeyTask };

/** For making keys: see keyengine.ts. */
export type KeyTask =
  | { readonly make: "multiples"; readonly group: Group; readonly scalars: Uint8Array }
  | { readonly make: "fractions"; readonly of: Fractions }
  | { readonly make: "values"; readonly of: Fractions }
  | { readonly make: "columns"; readonly group: Group; readonly parts: readonly WeighedColumns[] }
  | { readonly make: "combinations"; readonly group: Group; readonly points: Uint8Array; readonly of: Combinations }
  | { readonly make: "differences"; readonly a: Uint8Array; readonly b: Uint8Array };

/** scale * x / (point - x) for x = first * root^i, i < count, which is even. No x is the point. */
export interface Fractions {
  readonly first: bigint;
  readonly root: bigint;
  readonly point: bigint;
  readonly scale: bigint;
  readonly count: number;
}

/** A scalar for each output of `terms`: factor times the sum of coefficients times the values that its rows name. */
export interface WeighedColumns {
  readonly terms: Combinations;
  readonly factor: bigint;
}

export interface Request {
  readonly id: number;
  readonly task: Task;
}

/** An error that survives the way between threads. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly mend: string | undefined;
  readonly retry: boolean;
  readonly facts: Readonly<Record<string, Fact>>;
}

export type Reply =
  | { readonly id: number; readonly value: unknown; /** Of this thread, milliseconds. */ readonly took: number }
  | { readonly id: number; readonly failure: Failure };
