// Proves a witness: with our own prover on threads, with snarkjs in a child process where an engine cannot run that, or with
// rapidsnark's binary where the operator wants it. All read the same .zkey and .wtns, and every proof is verified here before
// it is handed out.
import { statSync } from "node:fs";
import type { Proof, Signals, VerifyingKey } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import type { Log, LongCall } from "../core/ports.ts";
import { takeTurns } from "../core/turns.ts";
import { toSnarkjs } from "../groth16/proof.ts";
import { openRawProver, type ProverOptions, type RawProver } from "../groth16/prover.ts";
import type { SourceSpec } from "../groth16/source.ts";
import { runRapidsnark } from "./rapidsnark.ts";
import { openSnarkjs } from "./snarkjs.ts";
import { verifyProof } from "./verify.ts";
import { proofFromSnarkjs, readVerifyingKey, signalsFromSnarkjs } from "./vkey.ts";

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
  /** "wasm" is our own. */
  readonly name: "wasm" | "snarkjs" | "rapidsnark";
  /**
   * One at a time; further calls wait. An abort kills the work at once.
   * @throws NodeError "input" (witness or key malformed), "integrity" (the proof does not hold: the witness does not satisfy
   * the circuit, or the key is another circuit's), "environment" with retry (the process died), "aborted".
   */
  prove(job: ProveJob, options?: LongCall): Promise<Proved>;
  /** Ends running and waiting work as "aborted". */
  close(): Promise<void>;
}

export interface ProverChoice extends ProverOptions {
  /** Path of rapidsnark's `prover`: it proves instead of ours. */
  readonly rapidsnark?: string | undefined;
  /** Told once if snarkjs has to take over. */
  readonly log?: Log | undefined;
}

/**
 * Our own prover, started and self-tested; snarkjs on an engine that lacks relaxed SIMD, or computes wrongly with it.
 * @throws NodeError "environment" if the threads cannot be had
 */
export async function openProver({ rapidsnark, log, ...options }: ProverChoice = {}): Promise<Prover> {
  if (rapidsnark !== undefined) return rapidsnarkProver(rapidsnark);
  const raw = openRawProver(options);
  try {
    await raw.start();
    return wasmProver(raw);
  } catch (thrown) {
    await raw.close();
    if (!(thrown instanceof NodeError) || thrown.code !== "unsupported") throw thrown;
    log?.warn({ reason: thrown.message }, "the built-in prover cannot run here: snarkjs proves, several times slower");
    return snarkjsProver();
  }
}

export function wasmProver(raw: RawProver = openRawProver()): Prover {
  const keyOf = keyReader();
  return {
    name: "wasm",
    prove: async ({ zkey, wtns }, call) => {
      const witness: SourceSpec =
        typeof wtns === "string" ? { kind: "path", path: wtns } : { kind: "bytes", bytes: wtns, name: "the witness" };
      const key = keyOf(zkey);
      const { points, signals } = await raw.prove({ kind: "path", path: zkey }, witness, call);
      return checked(key, toSnarkjs(points), signals.map(String));
    },
    close: () => raw.close(),
  };
}

/** Verifying keys by the path of their .zkey, read and judged again only if the file changed. */
function keyReader(): (zkey: string) => VerifyingKey {
  const known = new Map<string, { readonly stamp: string; readonly key: VerifyingKey }>();
  return (zkey) => {
    const { mtimeMs, ctimeMs, size, ino } = statSync(zkey, { throwIfNoEntry: false }) ?? {};
    const stamp = `${mtimeMs} ${ctimeMs} ${size} ${ino}`;
    const before = known.get(zkey);
    if (before?.stamp === stamp) return before.key;
    const key = readVerifyingKey(zkey);
    known.set(zkey, { stamp, key });
    return key;
  };
}

export function snarkjsProver(): Prover {
  const snarkjs = openSnarkjs();
  const keyOf = keyReader();
  return {
    name: "snarkjs",
    prove: async (job, options) => {
      const key = keyOf(job.zkey);
      const { value } = await snarkjs.call({ act: "prove", ...job }, options);
      const { proof, publicSignals } = value as { readonly proof: unknown; readonly publicSignals: unknown };
      return checked(key, proof, publicSignals);
    },
    close: () => snarkjs.close(),
  };
}

export function rapidsnarkProver(binary: string): Prover {
  const closing = new AbortController();
  const turns = takeTurns();
  const keyOf = keyReader();
  let last: Promise<unknown> = Promise.resolve();
  return {
    name: "rapidsnark",
    prove: ({ zkey, wtns }, { signal, onProgress } = {}) => {
      const stop = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      const proved = turns(stop, async () => {
        const key = keyOf(zkey);
        onProgress?.({ what: "proving" });
        const { proof, publicSignals } = await runRapidsnark(binary, zkey, wtns, stop);
        return checked(key, proof, publicSignals);
      });
      last = proved.catch(() => undefined);
      return proved;
    },
    close: async () => {
      closing.abort(new Error("the prover was closed"));
      await last;
    },
  };
}

async function checked(key: VerifyingKey, proofJson: unknown, publicJson: unknown): Promise<Proved> {
  const proof = proofFromSnarkjs(proofJson);
  const signals = signalsFromSnarkjs(publicJson);
  if (await verifyProof(key, signals, proof)) return { proof, signals };
  throw new NodeError("integrity", "the proof that was made does not verify", {
    mend: "The witness does not satisfy the circuit, or the key is of another circuit; compile the model again.",
  });
}
