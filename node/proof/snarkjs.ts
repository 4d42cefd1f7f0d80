// snarkjs in a child process: killable at any moment, warm between calls, its global curve, threads, memory and printing
// kept out of ours. Requests travel over the process's own pipe, never through argv, log or disk, and the child gets no
// environment but what it needs.
import { type ChildProcess, fork } from "node:child_process";
import { NodeError } from "../core/errors.ts";
import type { LongCall, OnProgress } from "../core/ports.ts";
import { takeTurns } from "../core/turns.ts";

export type Request =
  | { readonly act: "prove"; readonly zkey: string; readonly wtns: Uint8Array | string }
  | {
      readonly act: "contribute";
      readonly from: string;
      readonly to: string;
      readonly name: string;
      readonly entropy: string;
    }
  | {
      readonly act: "beacon";
      readonly from: string;
      readonly to: string;
      readonly name: string;
      readonly beacon: string;
      readonly iterations: number;
    }
  | { readonly act: "verify"; readonly initial: string; readonly ptau: string; readonly zkey: string };

/** What the child says: where it is, then one end. */
export type Reply =
  | { readonly kind: "step"; readonly done: number; readonly total: number }
  | { readonly kind: "done"; readonly value: unknown; readonly said: readonly string[] }
  | { readonly kind: "failed"; readonly message: string };

export type Answer = Extract<Reply, { kind: "done" }>;

export interface Snarkjs {
  /**
   * One at a time; further calls wait. An abort kills the process, and the next call starts another.
   * @throws NodeError "input" with snarkjs' words, "environment" with retry if the process died, "aborted"
   */
  call(request: Request, options?: LongCall): Promise<Answer>;
  close(): Promise<void>;
}

const WORKER = new URL("./worker.ts", import.meta.url);
/** Enough to find node and its temporary folder; no keys, tokens or addresses. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "NODE_OPTIONS", "LANG", "SystemRoot"] as const;
/**
 * glibc's malloc would raise this limit by itself up to 32 MB, and then keep what snarkjs frees: with it fixed, buffers of a
 * few megabytes and more go back to the system at once (LeNet-5's proof: 0.85 GB instead of 0.95). Asking for huge pages
 * takes back what the fresh pages cost. Other systems ignore both.
 */
const MEMORY = { MALLOC_MMAP_THRESHOLD_: "4194304", GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" };
const STDERR_KEPT = 2000;

export function openSnarkjs(): Snarkjs {
  let child: ChildProcess | undefined;
  const closing = new AbortController();
  const turns = takeTurns();

  const start = (): ChildProcess => {
    const passed = PASSED_ON.flatMap((name): (readonly [string, string | undefined])[] =>
      process.env[name] ? [[name, process.env[name]]] : [],
    );
    const env: NodeJS.ProcessEnv = { ...Object.fromEntries(passed), ...MEMORY };
    const started = fork(WORKER, { env, serialization: "advanced", stdio: ["ignore", "ignore", "pipe", "ipc"] });
    started.once("exit", () => {
      if (child === started) child = undefined;
    });
    return started;
  };

  return {
    call: (request, { signal, onProgress } = {}) => {
      const stop = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      return turns(stop, () => converse((child ??= start()), request, stop, onProgress));
    },
    close: async () => {
      closing.abort(new Error("the process was closed"));
      const ended = child;
      if (ended === undefined) return;
      const exit = new Promise<void>((resolve) => ended.once("exit", () => resolve()));
      ended.kill("SIGKILL");
      await exit;
    },
  };
}

function converse(
  child: ChildProcess,
  request: Request,
  signal: AbortSignal,
  onProgress: OnProgress | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let complaint = "";
    const listen = (piece: Buffer): void => void (complaint = (complaint + piece.toString()).slice(-STDERR_KEPT));
    const kill = (): void => void child.kill("SIGKILL");
    const end = (): void => {
      signal.removeEventListener("abort", kill);
      child.off("message", heard).off("exit", died).off("error", failed);
      child.stderr?.off("data", listen);
    };
    const heard = (message: unknown): void => {
      const reply = message as Reply;
      if (reply.kind === "step") return void onProgress?.({ what: "proving", done: reply.done, total: reply.total });
      end();
      if (reply.kind === "done") resolve(reply);
      else reject(new NodeError("input", `snarkjs cannot ${request.act}: ${reply.message}`));
    };
    const died = (code: number | null, by: string | null): void => {
      end();
      if (signal.aborted) return reject(new NodeError("aborted", "stopped on request", { cause: signal.reason }));
      reject(
        new NodeError("environment", `the snarkjs process died (${by ?? `exit code ${code}`})`, {
          mend: "Try again; if it dies each time, give the machine more memory.",
          retry: true,
          facts: { stderr: complaint.trim() },
        }),
      );
    };
    const failed = (cause: Error): void => {
      end();
      child.kill("SIGKILL");
      reject(new NodeError("environment", "the snarkjs process cannot be reached", { cause, retry: true }));
    };
    child.on("message", heard).on("exit", died).on("error", failed);
    child.stderr?.on("data", listen);
    signal.addEventListener("abort", kill, { once: true });
    child.send(request);
  });
}
