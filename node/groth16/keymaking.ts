// Making keys on the prover's kernel: threads for as long as one key takes, tasks for them (keyengine.ts), results in order.
// Knows no key's layout: what is made from what is for node/proof/.
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { KeyTask } from "./messages.ts";
import { compile } from "./module.ts";
import { tableWidth } from "./multiples.ts";
import { openPool } from "./pool.ts";
import { usualThreads } from "./threads.ts";

export interface KeyMaker {
  readonly threads: number;
  /** By any thread; see KeyEngine for what comes back. */
  make<T = Uint8Array>(task: KeyTask): Promise<T>;
  /** By each thread, before whatever is asked for later. */
  all(task: KeyTask): Promise<void>;
}

export interface KeyMakerOptions {
  /** Default: one per processor, at most 8. */
  readonly threads?: number;
  /** Ends the threads within 100 ms. */
  readonly signal?: AbortSignal | undefined;
  /** About how many multiples of generators will be asked for. */
  readonly multiples: number;
}

/** Larger tables, of 7 MB in G1 and 13 MB in G2, save less than they cost in caches and in memory for each thread. */
const WIDEST = 13;

/**
 * Starts threads for the time of `use`. What it returns is from an engine that passed the prover's self-test, which runs
 * beside the first tasks.
 * @throws NodeError "unsupported" (the engine cannot run the kernel, or fails the self-test), "environment" (memory, a dead
 * thread), "aborted", or what `use` throws
 */
export async function withKeyMaker<T>(options: KeyMakerOptions, use: (maker: KeyMaker) => Promise<T>): Promise<T> {
  const { threads = usualThreads(), signal } = options;
  throwIfAborted(signal);
  const pool = openPool(threads);
  const stop = (): void => void pool.end(new NodeError("aborted", "stopped on request", { cause: signal?.reason }));
  signal?.addEventListener("abort", stop, { once: true });
  try {
    const module = await compile();
    const width = Math.min(WIDEST, tableWidth(options.multiples / threads));
    const started = quietly(pool.all({ do: "start keys", module, width }));
    const tested = quietly(pool.run({ do: "test", module }));
    const result = await use({
      threads,
      make: <R>(task: KeyTask) => quietly(pool.run<R>({ do: "keys", task }).then(({ value }) => value)),
      all: (task) => quietly(pool.all({ do: "keys", task }).then(() => undefined)),
    });
    await Promise.all([started, tested]);
    return result;
  } catch (thrown) {
    throwIfAborted(signal);
    throw unfit(thrown);
  } finally {
    signal?.removeEventListener("abort", stop);
    await pool.end(new NodeError("aborted", "the key is made, or given up"));
  }
}

/** Results that nobody awaits any more when another has failed must not end the process as unhandled. */
function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function unfit(thrown: unknown): unknown {
  if (!(thrown instanceof NodeError) || thrown.code !== "unsupported") return thrown;
  return new NodeError("unsupported", `keys cannot be made here: ${thrown.message}`, {
    mend: "Make the keys on a machine with fused multiply-add (x86-64 since 2013, ARM64) and Node 20 or newer.",
    cause: thrown,
  });
}

/** Asks for the next results while earlier ones are computed, some for each thread, and hands them over in order. */
export async function inOrder<T>(
  { threads }: KeyMaker,
  results: Iterable<Promise<T>>,
  use: (result: T) => void | Promise<void>,
): Promise<void> {
  const pending: Promise<T>[] = [];
  for (const result of results) {
    pending.push(quietly(result));
    if (pending.length >= 3 * threads) await use(await (pending.shift() as Promise<T>));
  }
  for (const result of pending) await use(await result);
}

/** Puts scalars in [0, R) as 32 little-endian bytes each. */
export function packScalars(scalars: readonly bigint[]): Uint8Array {
  const words = new BigUint64Array(4 * scalars.length);
  scalars.forEach((scalar, i) => {
    for (let k = 0; k < 4; k++) words[4 * i + k] = BigInt.asUintN(64, scalar >> BigInt(64 * k));
  });
  return new Uint8Array(words.buffer);
}
