// What a caller gives a model, in each of the ways, as the input of a request: values are quantized, lengths checked, private
// ones sealed and delivered.
import { getBytes } from "ethers";
import { keccak, parseAddress } from "../chain/codec.ts";
import type { InputFrom } from "../chain/request.ts";
import type { Address, Hex } from "../core/domain.ts";
import { NodeError, throwIfAborted } from "../core/errors.ts";
import { byteLengthOf } from "../core/tensor.ts";
import type { Context } from "./context.ts";
import { type Model, quantize, type Values } from "./model.ts";
import { type PrivateOptions, type Secret, sendPrivately } from "./private.ts";

/** The wire bytes as they are. */
export interface Bytes {
  readonly kind: "bytes";
  readonly bytes: Uint8Array;
}

/** What a model is asked about. Values are reals, in the model's own units: they are quantized as the registry says. */
export type Given =
  | Values
  | Bytes
  /** What a URI holds: its bytes, or their keccak256 if the answer need not be verified by its proof. */
  | { readonly kind: "reference"; readonly uri: string; readonly bytes: Uint8Array }
  | { readonly kind: "reference"; readonly uri: string; readonly hash: Hex }
  /** What another contract says when the request is made. */
  | { readonly kind: "source"; readonly source: string; readonly query: Hex | Uint8Array }
  /** Values that only the prover sees. */
  | ({ readonly kind: "private"; readonly values: Values | Bytes } & PrivateOptions);

/** Where the input comes from, its bytes where they are known here, and the terms that follow from it. */
export async function inputFrom(
  context: Context,
  model: Model,
  given: Given,
  signal: AbortSignal | undefined,
): Promise<{ from: InputFrom; input: Uint8Array | undefined; secret?: Secret; prover?: Address }> {
  throwIfAborted(signal);
  if (!isTagged(given)) {
    const bytes = quantize(model, given);
    return { from: { kind: "data", bytes }, input: bytes };
  }
  switch (given.kind) {
    case "bytes": {
      const bytes = sized(model, given.bytes);
      return { from: { kind: "data", bytes }, input: bytes };
    }
    case "reference": {
      const input = "bytes" in given ? sized(model, given.bytes) : undefined;
      const hash = "hash" in given ? given.hash : keccak(given.bytes);
      return { from: { kind: "reference", uri: given.uri, hash }, input };
    }
    case "source": {
      const query = typeof given.query === "string" ? getBytes(given.query) : given.query;
      return { from: { kind: "source", source: parseAddress(given.source), query }, input: undefined };
    }
    case "private": {
      const { values, prover } = given;
      const input = isTagged(values) ? sized(model, values.bytes) : quantize(model, values);
      return { ...(await sendPrivately(context, model, input, given, signal)), input, prover };
    }
  }
}

type Tagged = Extract<Given, { readonly kind: string }>;
function isTagged<T extends Given | Bytes>(given: T): given is Extract<T, Tagged> {
  return typeof (given as { readonly kind?: unknown }).kind === "string";
}

function sized({ inputs }: Model, bytes: Uint8Array): Uint8Array {
  const length = byteLengthOf(inputs);
  if (bytes.length === length) return bytes;
  throw new NodeError("input", `the input has ${bytes.length} bytes, and the model takes ${length}`, {
    mend: "Spell it as docs/wire-format.md says, or give the values as numbers.",
  });
}
