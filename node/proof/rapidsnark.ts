// Runs rapidsnark's `prover` binary: prover <zkey> <wtns> <proof.json> <public.json>. One process per proof; the witness
// lies for that time in a folder that only this user can read.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NodeError, throwIfAborted } from "../core/errors.ts";

const STDERR_KEPT = 2000;

/** @throws NodeError "environment" if it cannot be run or fails, "aborted" */
export async function runRapidsnark(
  binary: string,
  zkey: string,
  wtns: Uint8Array | string,
  signal: AbortSignal,
): Promise<{ readonly proof: unknown; readonly publicSignals: unknown }> {
  // mkdtemp makes the folder 0700.
  const folder = await mkdtemp(join(tmpdir(), "glassbox-prove-"));
  try {
    const [proof, publicSignals, own] = ["proof.json", "public.json", "witness.wtns"].map((name) =>
      join(folder, name),
    ) as [string, string, string];
    if (typeof wtns !== "string") await writeFile(own, wtns, { mode: 0o600 });
    await run(binary, [zkey, typeof wtns === "string" ? wtns : own, proof, publicSignals], signal);
    return { proof: await readJson(proof), publicSignals: await readJson(publicSignals) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** rapidsnark ends its JSON with a zero byte in some versions. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse((await readFile(path, "utf8")).replace(/\0+$/, ""));
  } catch (cause) {
    throw new NodeError("environment", "rapidsnark's prover left no readable proof", { cause, retry: true });
  }
}

async function run(binary: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const env = { PATH: process.env["PATH"] ?? "" };
  const child = spawn(binary, args, { env, stdio: ["ignore", "ignore", "pipe"], signal, killSignal: "SIGKILL" });
  let complaint = "";
  let failure: Error | undefined;
  child.stderr.on("data", (piece: Buffer) => (complaint = (complaint + piece.toString()).slice(-STDERR_KEPT)));
  child.once("error", (thrown) => (failure = thrown));
  const end = await new Promise<string | number | null>((resolve) => {
    child.once("close", (code, by) => resolve(by ?? code));
  });
  throwIfAborted(signal);
  if (failure !== undefined) {
    throw new NodeError("environment", `${binary} cannot be run`, {
      mend: "Let RAPIDSNARK name rapidsnark's `prover` binary, or unset it to prove with snarkjs.",
      cause: failure,
    });
  }
  if (end !== 0) {
    throw new NodeError(
      "environment",
      `rapidsnark's prover failed (${typeof end === "number" ? "exit code " : ""}${end})`,
      {
        mend: "Its own words are in the facts; unset RAPIDSNARK to prove with snarkjs.",
        retry: true,
        facts: { stderr: complaint.trim() },
      },
    );
  }
}
