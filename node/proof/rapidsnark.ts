// Proves with rapidsnark's `prover` binary, where the operator has one: prover <zkey> <wtns> <proof.json> <public.json>.
// One process per proof; the witness lies for that time in a folder that only this user can read.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import { checked, type Prover, queue } from "./prover.ts";
import { readVerifyingKey } from "./vkey.ts";

const STDERR_KEPT = 2000;

/** @param binary path of rapidsnark's `prover` */
export function rapidsnarkProver(binary: string): Prover {
  const closing = new AbortController();
  const turns = queue();
  let last: Promise<unknown> = Promise.resolve();
  return {
    name: "rapidsnark",
    prove: (job, { signal, onProgress } = {}) => {
      const stop = signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
      const proved = turns(stop, async () => {
        const key = readVerifyingKey(job.zkey);
        // mkdtemp makes the folder 0700.
        const folder = await mkdtemp(join(tmpdir(), "glassbox-prove-"));
        try {
          const at = (name: string): string => join(folder, name);
          const wtns = typeof job.wtns === "string" ? job.wtns : at("witness.wtns");
          if (typeof job.wtns !== "string") await writeFile(wtns, job.wtns, { mode: 0o600 });
          onProgress?.({ what: "proving" });
          await run(binary, [job.zkey, wtns, at("proof.json"), at("public.json")], stop);
          return await checked(key, await readJson(at("proof.json")), await readJson(at("public.json")));
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
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

/** rapidsnark ends its JSON with a zero byte in some versions. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse((await readFile(path, "utf8")).replace(/\0+$/, ""));
  } catch (cause) {
    throw new NodeError("environment", "rapidsnark's prover left no readable proof", { cause, retry: true });
  }
}

function run(binary: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const env = { PATH: process.env["PATH"] ?? "" };
    const child = spawn(binary, args, { env, stdio: ["ignore", "ignore", "pipe"], signal, killSignal: "SIGKILL" });
    let complaint = "";
    child.stderr.on("data", (piece: Buffer) => (complaint = (complaint + piece.toString()).slice(-STDERR_KEPT)));
    let failure: Error | undefined;
    child.once("error", (thrown) => (failure = thrown));
    child.once("close", (code, by) => {
      try {
        throwIfAborted(signal);
        if (failure !== undefined) {
          throw new NodeError("environment", `${binary} cannot be run`, {
            mend: "Let RAPIDSNARK name rapidsnark's `prover` binary, or unset it to prove with snarkjs.",
            cause: failure,
          });
        }
        if (code !== 0) {
          throw new NodeError("environment", `rapidsnark's prover failed (${by ?? `exit code ${code}`})`, {
            mend: "Its own words are in the facts; unset RAPIDSNARK to prove with snarkjs.",
            retry: true,
            facts: { stderr: complaint.trim() },
          });
        }
        resolve();
      } catch (thrown) {
        reject(thrown as Error);
      }
    });
  });
}
