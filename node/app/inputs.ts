// Inputs that are not in a request's event, as jobs need them (job/ports.ts): by reference, fetched and held against the
// hash that is on chain.
import { keccak } from "../chain/codec.ts";
import { NodeError } from "../core/errors.ts";
import type { Inputs } from "../job/ports.ts";
import { fetchBytes, type FetchOptions } from "./fetch.ts";

export function openInputs(options: Omit<FetchOptions, "maxBytes" | "signal">): Inputs {
  return {
    async get({ request, input }, model, signal) {
      if (request.inputKind !== "reference") {
        throw new NodeError("unsupported", `this node takes no ${request.inputKind} input`);
      }
      const uri = Buffer.from(input).toString("utf8");
      const bytes = await fetchBytes(uri, { ...options, maxBytes: model.inputLength, signal });
      if (bytes.length !== model.inputLength || keccak(bytes) !== request.inputHash) {
        throw new NodeError("input", `what ${uri.slice(0, 100)} holds is not the request's input`, {
          retry: true,
          mend: "Put the very bytes there whose keccak256 the request names.",
        });
      }
      return { bytes };
    },
  };
}
