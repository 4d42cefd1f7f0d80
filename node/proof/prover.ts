// The Prover and its first implementation: snarkjs in a warm child process that can be killed at any moment. The witness
// travels over the process's own pipe, never through argv, log or disk; the child gets no environment but what it needs.
// Every proof is verified here before it is handed out.
import { type ChildProcess, fork } from "node:child_process";
import type { Proof, Signals } from "../core/domain.ts";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import type { LongCall, OnProgress } from "../core/ports.ts";
import { proofFromSnarkjs, readVerifyingKey, signalsFromSnarkjs } from "./vkey.ts";
import { verifyProof } from "./verify.ts";

export interface ProveJob {
  /** Path of the proving key. */
  readonly zkey: string;
  /** The bytes of a .wtns file, or its path. */
  readonly wtns: Uint8Array | string;
}

export interface Proved {
  readonly proof: Proof;
  readonly signals: Signals;
}

export interface Prover {
  readonly name: "snarkjs" | "rapidsnark";
  /**
   * One at a time; further calls wait. An abort kills the work at once.
   * @throws NodeError "input" (witness or key malformed), "integrity" (the proof does not hold: the witness does not satisfy
   * the circuit, or the key is another circuit's), "environment" with retry (the process died), "aborted".
   */
  prove(job: ProveJob, options?: LongCall): Promise<Proved>;
  close(): Promise<void>;
}

/** What the child says: where it is, then one end. */
export type Reply =
  | { readonly kind: "step"; readonly done: number; readonly total: number }
  | { readonly kind: "proof"; readonly proof: unknown; readonly publicSignals: unknown }
  | { readonly kind: "refused"; readonly message: string };

const WORKER = new URL("./worker.ts", import.meta.url);
/** Enough to find node and its temporary folder; no keys, tokens or addresses. */
const PASSED_ON = ["PATH", "HOME", "TMPDIR", "NODE_OPTIONS", "LANG", "SystemRoot"] as const;
const STDERR_KEPT = 2000;

export function snarkjsProver(): Prover {
  let child: ChildProcess | undefined;
  const closing = new AbortController();
  const turns = queue();

  const start = (): ChildProcess => {
    const env = Object.fromEntries(PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
    const started = fork(WORKER, { env, serialization: "advanced", stdio: ["ignore", "ignore", "pipe", "ipc"] });
    started.once("exit", () => {
      if (child === started) child = undefined;
    });
    return started;
  };

  return {
    name: "snarkjs",
    prove: (job, { signal, onProgress } = {}) => {
      const stop = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      return turns(stop, async () => {
        const key = readVerifyingKey(job.zkey);
        child ??= start();
        const reply = await converse(child, job, stop, onProgress);
        return checked(key, reply.proof, reply.publicSignals);
      });
    },
    close: async () => {
      closing.abort(new Error("the prover was closed"));
      const ended = child;
      if (ended === undefined) return;
      const exit = new Promise<void>((resolve) => ended.once("exit", () => resolve()));
      ended.kill("SIGKILL");
      await exit;
    },
  };
}

/** Runs calls one after another; a call that is aborted while it waits leaves at once. */
export function queue(): <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async (signal, work) => {
    throwIfAborted(signal);
    const before = last;
    const { promise: mine, resolve: leave } = Promise.withResolvers<void>();
    last = before.then(() => mine);
    try {
      await waitFor(before, signal);
      throwIfAborted(signal);
      return await work();
    } finally {
      leave();
    }
  };
}

async function waitFor(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function converse(
  child: ChildProcess,
  job: ProveJob,
  signal: AbortSignal,
  onProgress: OnProgress | undefined,
): Promise<Extract<Reply, { kind: "proof" }>> {
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
      if (reply.kind === "proof") return resolve(reply);
      reject(
        new NodeError("input", `snarkjs cannot prove this witness: ${reply.message}`, {
          mend: "The witness and the proving key must come from the same circuit; compile the model again.",
          facts: { zkey: job.zkey },
        }),
      );
    };
    const died = (code: number | null, by: string | null): void => {
      end();
      if (signal.aborted) return reject(new NodeError("aborted", "stopped on request", { cause: signal.reason }));
      reject(
        new NodeError("environment", `the proving process died (${by ?? `exit code ${code}`})`, {
          mend: "Try again; if it dies each time, give the machine more memory.",
          retry: true,
          facts: { stderr: complaint.trim() },
        }),
      );
    };
    const failed = (cause: Error): void => {
      end();
      child.kill("SIGKILL");
      reject(new NodeError("environment", "the proving process cannot be reached", { cause, retry: true }));
    };
    child.on("message", heard).on("exit", died).on("error", failed);
    child.stderr?.on("data", listen);
    signal.addEventListener("abort", kill, { once: true });
    child.send({ zkey: job.zkey, wtns: job.wtns });
  });
}

/** Parses what a prover printed and verifies it. */
export async function checked(
  key: ReturnType<typeof readVerifyingKey>,
  proofJson: unknown,
  publicJson: unknown,
): Promise<Proved> {
  const proof = proofFromSnarkjs(proofJson);
  const signals = signalsFromSnarkjs(publicJson);
  if (await verifyProof(key, signals, proof)) return { proof, signals };
  throw new NodeError("integrity", "the proof that was made does not verify", {
    mend: "The witness does not satisfy the circuit, or the key is of another circuit; compile the model again.",
  });
}
