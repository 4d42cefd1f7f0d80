// The WebAssembly module: compiled once, an instance with its own memory per thread. The types of what index.ts in kernel/
// exports, and a stack of memory for each instance's owner. Knows nothing of proofs.
import { NodeError } from "../core/errors.ts";

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

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.next = kernel.heap() >>> 0;
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
    this.next = end;
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
}
