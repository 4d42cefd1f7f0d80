// Inputs that are not in a request's event, as jobs need them (job/ports.ts): by reference, fetched and held against the
// hash that is on chain; private, from the inbox, or sealed from where the request says.
import { keccak } from "../chain/codec.ts";
import type { RequestSeen } from "../chain/codec.ts";
import { NodeError } from "../core/errors.ts";
import type { Input } from "../job/job.ts";
import type { Inputs } from "../job/ports.ts";
import { OVERHEAD } from "../private/envelope.ts";
import type { Inbox } from "../private/inbox.ts";
import { fetchBytes, type FetchOptions } from "./fetch.ts";

/** @param inbox undefined where no model with private input is served */
export function openInputs(options: Omit<FetchOptions, "maxBytes" | "signal">, inbox: Inbox | undefined): Inputs {
  /** What was handed in before the request; else what the request's URI holds, which is handed in here. */
  async function handed(asked: RequestSeen, length: number, signal: AbortSignal): Promise<Input | undefined> {
    const { request, input } = asked;
    if (inbox === undefined) throw new NodeError("unsupported", "this node takes no private input");
    const { model, requester } = request;
    const wanted = { model, requester, commitment: BigInt(request.inputHash) };
    let found = await inbox.find(wanted, signal);
    if (found === undefined && input.length > 0) {
      const uri = Buffer.from(input).toString("utf8");
      await inbox.keep(await fetchBytes(uri, { ...options, maxBytes: OVERHEAD + length, signal }), signal);
      found = await inbox.find(wanted, signal);
    }
    return found && { bytes: found.input, salt: found.salt };
  }

  return {
    async get(asked, model, signal) {
      const { request, input } = asked;
      if (request.inputKind === "private") return handed(asked, model.inputLength, signal);
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
