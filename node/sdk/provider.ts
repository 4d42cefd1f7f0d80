// Any way to reach a chain as an Rpc: an endpoint's address, an EIP-1193 provider (window.ethereum), a provider of ethers.
import { httpRpc, localRpc, type Rpc } from "../chain/rpc.ts";
import { orAborted } from "./context.ts";

/** An address, window.ethereum and its like, a JsonRpcProvider or BrowserProvider of ethers 6, or what reads for you. */
export type Endpoint =
  | string
  | Rpc
  | { request(call: { method: string; params?: unknown[] }): Promise<unknown> }
  | { send(method: string, params: unknown[]): Promise<unknown> };

export function rpcOf(endpoint: Endpoint): Rpc {
  if (typeof endpoint === "string") return httpRpc(endpoint);
  if ("name" in endpoint) return endpoint;
  const provider =
    "request" in endpoint
      ? endpoint
      : {
          request: ({ method, params = [] }: { method: string; params?: unknown[] }) =>
            endpoint.send(method, params).catch((thrown: unknown) => {
              throw unwrapped(thrown);
            }),
        };
  const rpc = localRpc(provider, "the provider");
  return { ...rpc, request: (method, params, signal) => orAborted(rpc.request(method, params), signal) };
}

/** ethers hides the endpoint's own error inside of its own. */
function unwrapped(thrown: unknown): unknown {
  const { info, error } = thrown as { readonly info?: { readonly error?: unknown }; readonly error?: unknown };
  return info?.error ?? error ?? thrown;
}
