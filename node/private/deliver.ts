// The requester's end: posts an envelope to the endpoint that the prover published. Runs in browsers too.
import { asNodeError, NodeError } from "../core/errors.ts";

const TIMEOUT_MS = 30_000;

/** @throws NodeError "chain": with `retry` where the prover may take it later */
export async function deliver(endpoint: string, envelope: Uint8Array, signal?: AbortSignal): Promise<void> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let answer: Response;
  try {
    answer = await fetch(endpoint, {
      method: "POST",
      body: new Blob([Uint8Array.from(envelope)]),
      redirect: "error",
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    if (answer.ok) return await answer.body?.cancel();
  } catch (thrown) {
    if (signal?.aborted) throw new NodeError("aborted", "stopped on request", { cause: thrown });
    throw failed(endpoint, asNodeError(thrown).message, true, thrown);
  }
  const reason = await reasonOf(answer).catch(() => undefined);
  throw failed(endpoint, reason ?? `HTTP ${answer.status}`, answer.status >= 500);
}

/** What the inbox says of its refusal; of a stranger's text no more than a line that shows as it is. */
async function reasonOf(answer: Response): Promise<string | undefined> {
  const reader = answer.body?.getReader();
  const first = await reader?.read(); // the inbox writes it at once; nobody waits for more
  await reader?.cancel();
  const { error } = JSON.parse(new TextDecoder().decode(first?.value)) as { readonly error?: unknown };
  return typeof error === "string" && /^[\x20-\x7e]{1,200}$/.test(error) ? error : undefined;
}

function failed(endpoint: string, why: string, retry: boolean, cause?: unknown): NodeError {
  return new NodeError("chain", `the prover's endpoint ${endpoint} did not take the input (${why})`, {
    retry,
    mend: "Nothing was paid yet: try again, or choose another prover. Without the input nobody can answer.",
    cause,
  });
}
