// Threads of the prover, alike on Node (worker_threads) and in browsers (Worker): start one, talk to it, end it. What a
// thread runs is worker.ts. Knows nothing of proofs.
import type * as NodeSystem from "node:os";
import type * as NodeThreads from "node:worker_threads";

/** The half of a channel that both platforms have. */
export interface Thread {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Ends it at once, also in the middle of WebAssembly. */
  end(): Promise<void>;
}

export interface ThreadEvents {
  readonly message: (message: unknown) => void;
  /** It died or cannot be started; comes at most once, and never after `end`. */
  readonly failed: (cause: unknown) => void;
}

type NodeWorkers = typeof NodeThreads;

/** Node's built-in module, or undefined in a browser: never an import, so that bundlers need not know of it. */
export function builtin<T>(name: string): T | undefined {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  return host.process?.getBuiltinModule?.(name) as T | undefined;
}

const MOST_THREADS = 8;

/** One per processor, at most 8. Node 20 has no navigator. */
export function usualThreads(): number {
  const { navigator } = globalThis as { navigator?: Navigator };
  const processors = navigator?.hardwareConcurrency ?? builtin<typeof NodeSystem>("node:os")?.availableParallelism();
  return Math.min(MOST_THREADS, processors ?? 1);
}

/** worker.ts when run from source, worker.js when built. Not in the form that webpack takes for a file of its own. */
function workerFile(): URL {
  const { url } = import.meta;
  return new URL(url.endsWith(".ts") ? "./worker.ts" : "./worker.js", url);
}

export function startThread(events: ThreadEvents): Thread {
  const node = builtin<NodeWorkers>("node:worker_threads");
  return node === undefined ? browserThread(events) : nodeThread(node, events);
}

function nodeThread({ Worker }: NodeWorkers, events: ThreadEvents): Thread {
  // Nothing of ours in argv or environment.
  const worker = new Worker(workerFile(), { argv: [], env: {}, name: "groth16" });
  let ended = false;
  const fail = (cause: unknown): void => {
    if (!ended) events.failed(cause);
    ended = true;
  };
  worker.on("message", events.message);
  worker.on("error", fail);
  worker.on("messageerror", fail);
  worker.on("exit", (code) => fail(new Error(`the thread ended with code ${code}`)));
  return {
    post: (message, transfer = []) => worker.postMessage(message, transfer),
    end: async () => {
      ended = true;
      await worker.terminate();
    },
  };
}

function browserThread(events: ThreadEvents): Thread {
  // Spelled out once more, and without a comment between its brackets, because bundlers look for exactly this form.
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "groth16" });
  let ended = false;
  worker.onmessage = ({ data }: MessageEvent<unknown>) => events.message(data);
  worker.onerror = (event) => {
    if (!ended) events.failed(new Error(event.message || "the worker could not be started"));
    ended = true;
  };
  worker.onmessageerror = () => {
    if (!ended) events.failed(new Error("an answer of the worker cannot be read"));
    ended = true;
  };
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    end: async () => {
      ended = true;
      worker.terminate();
    },
  };
}

/** This thread's end of the channel; call it in worker.ts only. */
export function parent(listen: (message: unknown) => void): Thread["post"] {
  const port = builtin<NodeWorkers>("node:worker_threads")?.parentPort;
  if (port) {
    port.on("message", listen);
    return (message, transfer = []) => port.postMessage(message, transfer);
  }
  const self = globalThis as unknown as DedicatedWorkerGlobalScope;
  self.onmessage = ({ data }: MessageEvent<unknown>) => listen(data);
  return (message, transfer = []) => self.postMessage(message, [...transfer]);
}

interface DedicatedWorkerGlobalScope {
  onmessage: (event: MessageEvent<unknown>) => void;
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
}
