// The package's entry `glassbox/groth16`: Groth16 proofs over BN254 from snarkjs' own .zkey and .wtns, several times faster
// than snarkjs, on Node and in browsers. Every proof is verified before it is handed out.
import { NodeError } from "../core/errors.ts";
import type { LongCall } from "../core/ports.ts";
import { type SnarkjsProof, toSnarkjs } from "./proof.ts";
import { openRawProver, type ProverOptions } from "./prover.ts";
import { describeSource, shareSource, type SourceSpec } from "./source.ts";
import { verify } from "./verify.ts";

export { NodeError } from "../core/errors.ts";
export type { LongCall, OnProgress, Progress } from "../core/ports.ts";
export type { SnarkjsProof } from "./proof.ts";

/** A path (on Node), an address to fetch (in browsers), the bytes, or a Blob. */
export type Given = string | Uint8Array | Blob;

/** What snarkjs.groth16.prove returns. */
export interface ProofWithSignals {
  readonly proof: SnarkjsProof;
  readonly publicSignals: readonly string[];
  /** Milliseconds of all threads together by phase, and "wall" of the whole. */
  readonly phases?: Readonly<Record<string, number>>;
}

export interface Options extends ProverOptions {
  /**
   * Proves where this prover cannot: on an engine without relaxed SIMD, or whose fused multiply-add fails the self-test.
   * `snarkjs.groth16.prove` fits. Without it such engines get a NodeError "unsupported".
   */
  readonly fallback?: (zkey: Given, wtns: Given) => Promise<ProofWithSignals>;
  /** Told once, when `fallback` takes over. */
  readonly onFallback?: (reason: NodeError) => void;
}

export interface Prover {
  /**
   * One proof at a time; calls wait for those before. The key stays loaded for the next proof with the same file or object.
   * @throws NodeError "input" (key or witness malformed, or not of one circuit), "integrity" (the proof does not verify: the
   * witness does not satisfy the circuit), "environment" (memory, a thread died), "unsupported", "aborted"
   */
  prove(zkey: Given, wtns: Given, call?: LongCall): Promise<ProofWithSignals>;
  /** Ends the threads; a running proof ends as "aborted". */
  close(): Promise<void>;
}

/** A prover that stays warm: keep it for the next proof, and close it in the end. */
export function openProver(options: Options = {}): Prover {
  const raw = openRawProver(options);
  const shared = new WeakMap<object, SourceSpec>();
  let unfit: NodeError | undefined;

  /** Keys in memory once for all threads, and the same one each time. */
  const keyOf = async (zkey: Given, signal: AbortSignal | undefined): Promise<SourceSpec> => {
    if (typeof zkey === "string") return describeSource(zkey, "zkey", signal);
    const before = shared.get(zkey);
    if (before !== undefined) return before;
    const spec = shareSource(await describeSource(zkey, "zkey", signal));
    shared.set(zkey, spec);
    return spec;
  };

  const fast = async (zkey: Given, wtns: Given, call: LongCall): Promise<ProofWithSignals> => {
    const { signal } = call;
    const [key, witness] = await Promise.all([keyOf(zkey, signal), describeSource(wtns, "wtns", signal)]);
    const { points, signals, ic, key: header, phases } = await raw.prove(key, witness, call);
    const before = performance.now();
    if (!(await verify(header, ic, signals, points))) {
      throw new NodeError("integrity", "the proof that was made does not verify", {
        mend: "The witness does not satisfy the circuit, or the key is of another circuit.",
      });
    }
    const took = performance.now() - before;
    return {
      proof: toSnarkjs(points),
      publicSignals: signals.map(String),
      phases: { ...phases, verify: took, wall: (phases["wall"] ?? 0) + took },
    };
  };

  return {
    prove: async (zkey, wtns, call = {}) => {
      const { fallback, onFallback } = options;
      if (unfit === undefined) {
        try {
          return await fast(zkey, wtns, call);
        } catch (thrown) {
          if (!(thrown instanceof NodeError) || thrown.code !== "unsupported" || fallback === undefined) throw thrown;
          unfit = thrown;
          onFallback?.(thrown);
        }
      }
      if (fallback === undefined) throw unfit;
      return fallback(zkey, wtns);
    },
    close: () => raw.close(),
  };
}

/** One proof, with threads that are started for it and end with it. @throws as Prover.prove */
export async function prove(zkey: Given, wtns: Given, options: Options & LongCall = {}): Promise<ProofWithSignals> {
  const prover = openProver(options);
  try {
    return await prover.prove(zkey, wtns, options);
  } finally {
    await prover.close();
  }
}
