// The prover: one key at a time on warm threads, one proof at a time. Cuts a proof into tasks (messages.ts), lets the pool
// spread them, and puts the results together. Does not verify: index.ts and the node do, each with its own verifier.
import type * as NodeFiles from "node:fs";
import { asNodeError, NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { takeTurns } from "../core/turns.ts";
import type { ProvingKey } from "./key.ts";
import type { Sum } from "./messages.ts";
import { Arena, compile, instantiate } from "./module.ts";
import { add, combine, cut, type Plan, plan } from "./msm.ts";
import { type Answer, openPool, type Pool } from "./pool.ts";
import { assemble, type Blinding, drawBlinding, type Points, type Sums } from "./proof.ts";
import type { SourceSpec } from "./source.ts";
import { builtin, usualThreads } from "./threads.ts";

export interface ProverOptions {
  /** Default: one per processor, at most 8. */
  readonly threads?: number;
  /** Memory for the keys' points between proofs, all threads together; what does not fit is read again. Default 1 GB. */
  readonly cacheBytes?: number;
  /** Only for making the self-test's own answers: false leaves it out. */
  readonly selfTest?: boolean;
}

export interface Proved {
  readonly points: Points;
  /** The public signals, in [0, R). */
  readonly signals: readonly bigint[];
  readonly key: ProvingKey;
  /** The key's section 3: one point of 64 bytes more than there are signals. */
  readonly ic: Uint8Array;
  /** Milliseconds of threads by phase, and "wall". */
  readonly phases: Readonly<Record<string, number>>;
}

export interface RawProver {
  /** Starts the threads and tests the engine; `prove` does it too. @throws NodeError as prove */
  start(): Promise<void>;
  /**
   * Waits for earlier calls. An abort ends the threads within 100 ms; the next call starts them again.
   * @throws NodeError "input" (key or witness malformed), "unsupported" (the engine cannot run the kernel, or the self-test
   * fails), "environment" (memory, a dead thread), "aborted"
   */
  prove(key: SourceSpec, witness: SourceSpec, options?: LongCall & { readonly blinding?: Blinding }): Promise<Proved>;
  close(): Promise<void>;
}

/** What a thread says of a key. */
export interface KeyFacts {
  readonly header: ProvingKey;
  readonly ic: Uint8Array;
}

/** What a thread says of a witness. */
export interface WitnessFacts {
  readonly histogram: Uint32Array;
  readonly signals: readonly bigint[];
}

export interface Joined {
  readonly scalars: Uint8Array;
  readonly histogram: Uint32Array;
}

/** Additions of points per task: about 4 ms, far more than a message takes. */
const TASK = 25_000;
const CACHE_BYTES = 2 ** 30;

export function openRawProver(options: ProverOptions = {}): RawProver {
  const threads = options.threads ?? usualThreads();
  if (!Number.isInteger(threads) || threads < 1) {
    throw new NodeError("usage", `a prover cannot have ${threads} threads`, { mend: "Give a whole number from 1 on." });
  }
  const turns = takeTurns();
  const closing = new AbortController();
  let warm: Promise<Warm> | undefined;

  const cool = async (reason: NodeError): Promise<void> => {
    const before = warm;
    warm = undefined;
    await (await before?.catch(() => undefined))?.pool.end(reason);
  };
  const work = async (
    key: SourceSpec,
    witness: SourceSpec,
    blinding: Blinding,
    signal: AbortSignal,
    onProgress: LongCall["onProgress"],
  ): Promise<Proved> => {
    const stop = (): void => void cool(new NodeError("aborted", "stopped on request", { cause: signal.reason }));
    signal.addEventListener("abort", stop, { once: true });
    const secrets: Uint8Array[] = [];
    try {
      const ready = await (warm ??= start(threads, options, signal));
      throwIfAborted(signal);
      return await proveWith(ready, key, witness, blinding, onProgress, secrets);
    } catch (thrown) {
      // Whatever went wrong, no thread is left with half a key or with a witness in its memory.
      await cool(asNodeError(thrown));
      throwIfAborted(signal);
      throw thrown;
    } finally {
      signal.removeEventListener("abort", stop);
      // What went to a thread is detached here, and wiped there.
      for (const secret of secrets) if (secret.length > 0) secret.fill(0);
    }
  };

  return {
    start: () =>
      turns(closing.signal, async () => {
        try {
          await (warm ??= start(threads, options, closing.signal));
        } catch (thrown) {
          warm = undefined;
          throw thrown;
        }
      }),
    prove: (key, witness, { signal, onProgress, blinding } = {}) => {
      const stop = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      return turns(stop, () => work(key, witness, blinding ?? drawBlinding(), stop, onProgress));
    },
    close: async () => {
      closing.abort(new Error("the prover was closed"));
      await cool(new NodeError("aborted", "the prover was closed"));
    },
  };
}

interface Warm {
  readonly pool: Pool;
  readonly arena: Arena;
  /** The key that the threads have open. */
  key: ({ readonly id: string } & KeyFacts) | undefined;
}

/** @param signal ends a start on the way; what was started lives on without it */
async function start(threads: number, options: ProverOptions, signal: AbortSignal): Promise<Warm> {
  const { cacheBytes = CACHE_BYTES, selfTest = true } = options;
  const module = await compile();
  const pool = openPool(threads);
  const stop = (): void => void pool.end(new NodeError("aborted", "stopped on request", { cause: signal.reason }));
  signal.addEventListener("abort", stop, { once: true });
  try {
    throwIfAborted(signal);
    await pool.all({ do: "start", module, cacheBytes: Math.floor(cacheBytes / threads) });
    if (selfTest) await pool.run({ do: "test", module });
    return { pool, arena: new Arena(instantiate(module)), key: undefined };
  } catch (thrown) {
    await pool.end(thrown as NodeError);
    throw thrown;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function proveWith(
  warm: Warm,
  key: SourceSpec,
  witness: SourceSpec,
  blinding: Blinding,
  onProgress: LongCall["onProgress"],
  /** Takes what the caller has to wipe, however this ends. */
  secrets: Uint8Array[],
): Promise<Proved> {
  const { pool, arena } = warm;
  const began = performance.now();
  const phases: Record<string, number> = {};
  let done = 0;
  let total = 4;
  const count = <T>(phase: string, { value, took }: Answer<T>): T => {
    phases[phase] = (phases[phase] ?? 0) + took;
    onProgress?.({ what: "proving", done: ++done, total: Math.max(total, done) });
    return value;
  };

  const id = identify(key);
  if (warm.key?.id !== id) {
    const [opened] = await pool.all<KeyFacts>({ do: "key", key });
    warm.key = { id, ...count("key", opened as Answer<KeyFacts>) };
  }
  const { header, ic } = warm.key;

  // Bytes are posted as a copy of their own: of a view, the whole buffer would be copied for each thread, and left there.
  const own = witness.kind === "bytes" ? { ...witness, bytes: shared(witness.bytes) } : witness;
  if (own.kind === "bytes") secrets.push(own.bytes);
  const [facts] = await pool.all<WitnessFacts>({ do: "witness", witness: own });
  const { histogram, signals } = count("witness", facts as Answer<WitnessFacts>);

  /** One sum, in groups of windows that the threads take one by one: by group of windows, piece of the key, group of points. */
  const sum = async (of: Sum, shape: Plan): Promise<readonly Uint8Array[][][]> => {
    const work = shape.costs.reduce((all, cost) => all + cost, 0);
    const bounds = cut(shape, Math.min(4 * pool.size, Math.ceil(work / TASK)));
    total += bounds.length - 1;
    return Promise.all(
      bounds.slice(1).map(async (to, k) => {
        const from = bounds[k] as number;
        return count(
          `sum ${of}`,
          await pool.run<Uint8Array[][]>({ do: "sum", of, plan: shape, from, to }, `sum ${of}`),
        );
      }),
    );
  };
  /** Threads cut a sum into different pieces: one for those that keep its points, many for those that read them again. */
  const together = (group: 1 | 2, parts: readonly Uint8Array[][][], which: number): Uint8Array => {
    const pieces = Array.from({ length: Math.max(...parts.map(({ length }) => length)) }, (_, piece) =>
      combine(
        arena,
        group,
        parts.map((part) => part[piece]?.[which] ?? infinite(part[0]?.[which] as Uint8Array)),
      ),
    );
    return pieces.reduce((all, piece) => add(arena, group, all, piece));
  };

  // The polynomials first: the longest chain of steps hangs on them.
  const coset = async (of: "a" | "b" | "c"): Promise<Uint8Array> => {
    const values = await pool.run<Uint8Array>({ do: "coset", of });
    secrets.push(values.value);
    return count("transforms", values);
  };
  const cosets = Promise.all([coset("a"), coset("b"), coset("c")]);
  const ofWitness = plan(histogram);
  const witnessSums = Promise.all([sum("b", ofWitness), sum("a", ofWitness), sum("c", ofWitness)]);
  // These fail together; the first to be awaited tells it, and the other must not end the process as unhandled.
  witnessSums.catch(() => undefined);
  const [a, b, c] = await cosets;
  const ofJoined = await pool.first<Joined>({ do: "join", a, b, c });
  const scalars = shared(ofJoined.value.scalars);
  secrets.push(ofJoined.value.scalars, scalars);
  const joined = count("join", ofJoined);
  await pool.all({ do: "scalars", scalars });
  const h = await sum("h", plan(joined.histogram));
  const [bParts, aParts, cParts] = await witnessSums;

  const before = performance.now();
  const sums: Sums = {
    a: together(1, aParts, 0),
    b1: together(1, bParts, 0),
    b2: together(2, bParts, 1),
    c: together(1, cParts, 0),
    h: together(1, h, 0),
  };
  const points = assemble(arena, header, sums, blinding);
  phases["points"] = performance.now() - before;
  await pool.all({ do: "wipe" });
  return { points, signals, key: header, ic, phases: { ...phases, wall: performance.now() - began } };
}

/** As many points as these, all infinite: see kernel/layout.ts. */
function infinite({ length }: Uint8Array): Uint8Array {
  return new Uint8Array(new Float64Array(length / 8).fill(Infinity).buffer);
}

/** The same bytes where all threads can see them, if the platform allows; else, they are copied to each. */
function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(
    typeof SharedArrayBuffer === "undefined" ? new ArrayBuffer(bytes.length) : new SharedArrayBuffer(bytes.length),
  );
  copy.set(bytes);
  return copy;
}

const known = new WeakMap<object, string>();
let strangers = 0;

/** What tells one key from another: the file's state, or which object it is. */
function identify(key: SourceSpec): string {
  if (key.kind === "path") {
    // The time of change too: whoever unpacks a stranger's archive takes its modification times, and often the same inode.
    const { mtimeMs, ctimeMs, size, ino } =
      builtin<typeof NodeFiles>("node:fs")?.statSync(key.path, { throwIfNoEntry: false }) ?? {};
    return `${key.path} ${mtimeMs} ${ctimeMs} ${size} ${ino}`;
  }
  const object = key.kind === "bytes" ? key.bytes : key.blob;
  const id = known.get(object) ?? `${++strangers}`;
  known.set(object, id);
  return id;
}
