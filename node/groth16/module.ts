// The WebAssembly module: compiled once, an instance with its own memory per thread. The types of what index.ts in kernel/
// exports, and a stack of memory for each instance's owner. Knows nothing of proofs.
import type * as NodeFiles from "node:fs/promises";
import type * as NodeV8 from "node:v8";
import { NodeError } from "../core/errors.ts";
import { builtin } from "./threads.ts";

/** A byte address in an instance's memory. Those that come out of WebAssembly are signed: use `>>> 0`. */
export type Pointer = number;

export interface Kernel {
  readonly memory: WebAssembly.Memory;
  /** Addresses of the two moduli's constants. */
  readonly FP: WebAssembly.Global;
  readonly FR: WebAssembly.Global;
  heap(): Pointer;
  mul(m: Pointer, a: Pointer, b: Pointer, r: Pointer): void;
  sqr(m: Pointer, a: Pointer, r: Pointer): void;
  mulAdd(m: Pointer, a: Pointer, b: Pointer, c: Pointer, d: Pointer, r: Pointer): void;
  add(a: Pointer, b: Pointer, r: Pointer): void;
  sub(a: Pointer, b: Pointer, r: Pointer): void;
  neg(a: Pointer, r: Pointer): void;
  reduce(m: Pointer, r: Pointer): void;
  isZero(m: Pointer, a: Pointer): number;
  inverse(m: Pointer, a: Pointer, r: Pointer): void;
  unpack(bytes: Pointer, r: Pointer, lane: number): void;
  pack(m: Pointer, a: Pointer, lane: number, bytes: Pointer): void;

  // Points: group 1 or 2.
  mul2(a: Pointer, b: Pointer, r: Pointer): void;
  sqr2(a: Pointer, r: Pointer): void;
  inverse2(a: Pointer, r: Pointer): void;
  inversePair(a: Pointer, r: Pointer): void;
  settleElement(a: Pointer, r: Pointer): void;
  readPoints(group: number, bytes: Pointer, count: number, from: number, points: Pointer, indices: Pointer): number;
  writePoints(group: number, points: Pointer, count: number, bytes: Pointer): void;
  copyPoint(group: number, from: Pointer, to: Pointer): void;
  setInfinite(point: Pointer): void;
  addLater(group: number, a: Pointer, b: Pointer, to: Pointer): void;
  flush(group: number): void;
  horner(group: number, points: Pointer, count: number, doubling: number, result: Pointer): void;
  // Multi-scalar multiplication, as msm.ts leads through it.
  histogram(scalars: Pointer, count: number, counts: Pointer): number;
  prepare(indices: Pointer, n: number, scalars: Pointer, constant: Pointer, order: Pointer, values: Pointer): void;
  reaching(bit: number): number;
  sort(order: Pointer, values: Pointer, bit: number, width: number, counts: Pointer, sorted: Pointer): number;
  slotBytes(): number;
  sumBuckets(
    ...args: [
      group: number,
      points: Pointer,
      sorted: Pointer,
      counts: Pointer,
      n: number,
      sums: Pointer,
      slots: Pointer,
    ]
  ): void;
  fold(group: number, sums: Pointer, widths: Pointer, windows: number): void;
  gather(group: number, sums: Pointer, widths: Pointer, windows: number, points: Pointer): void;
  forget(): void;
  // Multiples and combinations, as multiples.ts leads through them.
  doublePoint(group: number, from: Pointer, times: number, to: Pointer): void;
  buildTable(group: number, table: Pointer, count: number): void;
  offsets(scalars: Pointer, count: number, constant: Pointer, values: Pointer): void;
  addMultiples(
    ...args: [group: number, table: Pointer, values: Pointer, n: number, bit: number, width: number, to: Pointer]
  ): void;
  combinationLengths(starts: Pointer, coefficients: Pointer, wide: Pointer, n: number, lengths: Pointer): number;
  combinationEntries(
    ...args: [
      ...[starts: Pointer, rows: Pointer, coefficients: Pointer, wide: Pointer, n: number],
      ...[lengths: Pointer, places: Pointer, sorted: Pointer],
    ]
  ): number;
  placesOf(counts: Pointer, buckets: number, places: Pointer): void;
  hornerAll(group: number, sums: Pointer, lengths: Pointer, n: number, to: Pointer): void;
  // keymaking.ts, whose user is keyengine.ts.
  fractions(
    ...args: [
      ...[first: Pointer, step: Pointer, point: Pointer, scale: Pointer],
      ...[count: number, scratch: Pointer, to: Pointer],
    ]
  ): void;
  separate(from: Pointer, count: number, to: Pointer): void;
  spellTerms(
    ...args: [rows: Pointer, coefficients: Pointer, wide: Pointer, count: number, terms: Pointer, elements: Pointer]
  ): void;
  weigh(from: Pointer, count: number, factor: Pointer, to: Pointer): void;
  packPairs(from: Pointer, count: number, to: Pointer): void;
  differences(a: Pointer, b: Pointer, count: number, to: Pointer): void;
  writePlain(group: number, points: Pointer, count: number, bytes: Pointer): void;
  // fft.ts, qap.ts and terms.ts, whose users are polynomials.ts and terms.ts.
  scale(from: Pointer, count: number, factor: Pointer, to: Pointer): void;
  coset(at: Pointer, pairs: number, inverse: Pointer, forward: Pointer): void;
  openTerms(domain: number, wires: number, starts: Pointer, unsorted: Pointer): void;
  growTerms(table: Pointer, slots: number, coefficients: Pointer): void;
  readTerms(from: Pointer, count: number): number;
  coefficientCount(): number;
  sortTerms(unsorted: Pointer, count: number, terms: Pointer): void;
  convertCoefficients(from: Pointer, count: number, factor: Pointer, to: Pointer): void;
  unpackValues(from: Pointer, count: number, to: Pointer): number;
  rows(starts: Pointer, terms: Pointer, coefficients: Pointer, witness: Pointer, count: number, r: Pointer): void;
  products(
    startsOfA: Pointer,
    startsOfB: Pointer,
    terms: Pointer,
    coefficients: Pointer,
    witness: Pointer,
    count: number,
    r: Pointer,
  ): void;
  join(a: Pointer, b: Pointer, c: Pointer, factor: Pointer, count: number, to: Pointer): void;
}

/** Reads and compiles kernel.wasm, which lies beside this file. @throws NodeError "unsupported" if the engine lacks a part */
export async function compile(): Promise<WebAssembly.Module> {
  const file = new URL("./kernel.wasm", import.meta.url);
  const files = builtin<typeof NodeFiles>("node:fs/promises");
  // Node 20 has relaxed SIMD behind this flag; later ones have it anyway, without the flag.
  if (globalThis.process?.versions?.node?.startsWith("20.")) {
    builtin<typeof NodeV8>("node:v8")?.setFlagsFromString("--experimental-wasm-relaxed-simd");
  }
  let bytes: BufferSource;
  try {
    bytes = files === undefined ? await (await fetch(file)).arrayBuffer() : await files.readFile(file);
  } catch (cause) {
    throw new NodeError("unsupported", "the prover's kernel.wasm cannot be read", {
      mend: "Run `npm run build`, which makes it, or serve it beside the prover's scripts.",
      cause,
    });
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new NodeError("unsupported", "this JavaScript engine lacks WebAssembly's relaxed SIMD", {
      mend: "Use Node 20 or newer, or a browser of 2024 or newer; snarkjs proves the same without it.",
      cause,
    });
  }
}

export function instantiate(module: WebAssembly.Module): Kernel {
  // `abort` is never reached (the kernel is compiled without assertions); AssemblyScript may import it all the same.
  const { exports } = new WebAssembly.Instance(module, { env: { abort: () => undefined } });
  return exports as unknown as Kernel;
}

const PAGE = 65536;

/** Memory of one instance, given out from low to high and taken back down to a mark. */
export class Arena {
  readonly kernel: Kernel;
  private next: Pointer;
  /** The highest end of anything given out since `clear`. */
  private high: Pointer;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.next = kernel.heap() >>> 0;
    this.high = this.next;
  }

  /** `bytes` bytes at a multiple of 64; not cleared. @throws NodeError "environment" if the memory cannot grow. */
  alloc(bytes: number): Pointer {
    const at = this.next;
    const end = Math.ceil((at + bytes) / 64) * 64;
    const { memory } = this.kernel;
    const missing = Math.ceil(end / PAGE) - memory.buffer.byteLength / PAGE;
    if (missing > 0) {
      try {
        memory.grow(missing);
      } catch (cause) {
        throw new NodeError("environment", `a prover's thread cannot have ${end} bytes of memory`, {
          mend: "Give the machine more memory, prove with fewer threads, or use a smaller model.",
          cause,
        });
      }
    }
    // What nobody will write to is not left with what was there: it may stay below what is kept.
    this.bytes(at + bytes, end - at - bytes).fill(0);
    this.next = end;
    this.high = Math.max(this.high, end);
    return at;
  }

  /** The caller's bytes at `at`; valid until the next `alloc`. */
  bytes(at: Pointer, length: number): Uint8Array {
    return new Uint8Array(this.kernel.memory.buffer, at, length);
  }

  mark(): Pointer {
    return this.next;
  }

  /** Takes back what was given out since `mark`. */
  rewind(mark: Pointer): void {
    this.next = mark;
  }

  /** Overwrites with zeros what was given out and taken back. */
  clear(): void {
    this.bytes(this.next, this.high - this.next).fill(0);
    this.high = this.next;
  }
}
