// The requester's end: posts an envelope to the endpoint that the prover published. Runs in browsers too.
import { asNodeError, NodeError } from "../core/errors.ts";

const TIMEOUT_MS = 30_000;

/** @throws NodeError "chain": with `retry` where the prover may take it later */
export async function deliver(endpoint: string, envelope: Uint8Array, signal?: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let status: number;
  try {
    const answer = await fetch(endpoint, {
      method: "POST",
      body: new Blob([Uint8Array.from(envelope)]),
      redirect: "error",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    await answer.body?.cancel(); // what a stranger's endpoint says is not shown to anybody
    if (answer.ok) return;
    status = answer.status;
  } catch (thrown) {
    if (signal?.aborted) throw new NodeError("aborted", "stopped on request", { cause: thrown });
    throw failed(endpoint, asNodeError(thrown).message, true, thrown);
  }
  throw failed(endpoint, `HTTP ${status}`, status >= 500);
}

function failed(endpoint: string, why: string, retry: boolean, cause?: unknown): NodeError {
  return new NodeError("chain", `the prover's endpoint ${endpoint} did not take the input (${why})`, {
    retry,
    mend: "Nothing was paid yet: try again, or choose another prover. Without the input nobody can answer.",
    cause,
  });
}
