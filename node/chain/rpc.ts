// JSON-RPC over HTTP as a plain function of method and parameters, with timeouts, aborts and errors that say whether to
// try again. No caching and no background polling (which is why it is not ethers' provider). Relies on fetch.
import { asNodeError, NodeError, throwIfAborted } from "../core/errors.ts";

export interface Rpc {
  /** @throws NodeError "chain"; facts: rpcCode, and revert (hex) where the call was reverted by a contract. */
  request(method: string, params: readonly unknown[], signal?: AbortSignal): Promise<unknown>;
  /** The endpoint without credentials, path or query: fit for logs. */
  readonly name: string;
}

interface RpcError {
  readonly code?: number;
  readonly message?: string;
  readonly data?: unknown;
}

/** What providers answer to a request that no repetition will mend: parse error, invalid request, method, parameters. */
const FINAL_CODES = new Set([-32700, -32600, -32601, -32602, -32004]);

/** Providers put revert data into data, data.data or error.data; all of them are tried. */
function revertData(data: unknown, depth = 0): string | undefined {
  if (typeof data === "string" && /^0x([0-9a-f]{2})*$/i.test(data)) return data;
  if (typeof data !== "object" || data === null || depth > 2) return undefined;
  const nested = data as { readonly data?: unknown; readonly result?: unknown };
  return revertData(nested.data ?? nested.result, depth + 1);
}

/** Makes a NodeError of the error object of a JSON-RPC answer (or of what an EIP-1193 provider throws). */
export function rpcError(method: string, error: RpcError): NodeError {
  const message = error.message ?? "no message";
  const data = revertData(error.data);
  const reverted = data !== undefined || error.code === 3 || /revert/i.test(message);
  return new NodeError("chain", `${method}: ${message}`, {
    retry: !reverted && !FINAL_CODES.has(error.code ?? 0),
    cause: error,
    facts: {
      method,
      ...(error.code === undefined ? {} : { rpcCode: error.code }),
      ...(reverted ? { revert: data ?? "0x" } : {}),
    },
  });
}

export function httpRpc(url: string, options: { readonly timeoutMs?: number } = {}): Rpc {
  const timeoutMs = options.timeoutMs ?? 30_000;
  const { name, bare, headers } = endpointOf(url);
  let id = 0;

  async function post(method: string, params: readonly unknown[], signal: AbortSignal | undefined): Promise<Answer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const response = await fetch(bare, {
      method: "POST",
      headers,
      body: JSON.stringify({ jsonrpc: "2.0", id: ++id, method, params }),
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    });
    const text = await response.text();
    const answer = parseAnswer(text);
    if (answer !== undefined) return answer;
    throw new NodeError("chain", `${method}: ${name} answered HTTP ${response.status} and no JSON-RPC`, {
      // Proxies and quotas answer 401, 403 and 404 for a while, too: a request of a customer must not be lost to one.
      retry: true,
      mend: "Check the endpoint's address, credentials and quota.",
      facts: { method, status: response.status },
    });
  }

  return {
    name,
    async request(method, params, signal) {
      for (let tries = 0; ; tries++) {
        throwIfAborted(signal);
        let answer: Answer;
        try {
          answer = await post(method, params, signal);
        } catch (cause) {
          throwIfAborted(signal);
          if (cause instanceof NodeError) throw cause;
          // A kept connection that the server closed meanwhile fails at once; a fresh one deserves a try. Every call of ours
          // may be made twice (see submit.ts for the one that writes).
          if (tries === 0 && !isTimeout(cause)) continue;
          throw new NodeError("chain", `${method}: ${name} does not answer (${whyOf(cause)})`, {
            retry: true,
            mend: "Check that the endpoint is up and reachable from this machine.",
            facts: { method },
          });
        }
        if (answer.error !== undefined) throw rpcError(method, answer.error);
        return answer.result;
      }
    },
  };
}

interface Answer {
  readonly result?: unknown;
  readonly error?: RpcError;
}

function parseAnswer(text: string): Answer | undefined {
  try {
    const json = JSON.parse(text) as unknown;
    return typeof json === "object" && json !== null && ("result" in json || "error" in json)
      ? (json as Answer)
      : undefined;
  } catch {
    return undefined;
  }
}

const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === "TimeoutError";

/** fetch hides the system's reason one level down. */
function whyOf(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return typeof cause?.code === "string" ? cause.code : asNodeError(error).message;
}

/** fetch refuses credentials in an address; they go into a header. */
function endpointOf(url: string): { name: string; bare: string; headers: Record<string, string> } {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (!URL.canParse(url)) {
    throw new NodeError("input", "the RPC address is not a URL", { mend: "Give one like http://127.0.0.1:8545." });
  }
  const parsed = new URL(url);
  if (parsed.username !== "" || parsed.password !== "") {
    const pair = `${decodeURIComponent(parsed.username)}:${decodeURIComponent(parsed.password)}`;
    headers["authorization"] = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(pair)))}`;
    parsed.username = parsed.password = "";
  }
  return { name: parsed.host, bare: parsed.href, headers };
}

/** An in-process EIP-1193 provider (an embedded chain) as an Rpc. */
export function localRpc(
  provider: { request(args: { method: string; params?: unknown[] }): Promise<unknown> },
  name = "embedded",
): Rpc {
  return {
    name,
    async request(method, params, signal) {
      throwIfAborted(signal);
      try {
        return await provider.request({ method, params: [...params] });
      } catch (cause) {
        throw rpcError(method, cause as RpcError);
      }
    },
  };
}

/** The revert data of an error thrown by `request`, if the contract refused. */
export function revertOf(error: unknown): string | undefined {
  if (!(error instanceof NodeError)) return undefined;
  const data = error.facts["revert"];
  return typeof data === "string" ? data : undefined;
}
