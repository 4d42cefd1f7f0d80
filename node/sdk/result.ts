// Judges an answer: by the chain (the request's id, its input, the stored result, the evidence) and, if asked, by the proof
// itself, under a key that the model's id vouches for. Then no endpoint is trusted for what the model answered.
import { challenge, keccak } from "../chain/codec.ts";
import type { Request } from "../chain/request.ts";
import { requestId } from "../chain/request.ts";
import { type Address, Evidence, type Hex, type RequestId } from "../core/domain.ts";
import { NodeError } from "../core/errors.ts";
import { R } from "../core/field.ts";
import { fingerprint, wordsOfBytes } from "../core/tensor.ts";
import { verifyProof } from "../groth16/check.ts";
import type { Context } from "./context.ts";
import type { Logged } from "./events.ts";
import { dequantize, type Model, type Output } from "./model.ts";

/** chain: what the endpoint says of the chain is believed. proof: the proof is checked here as well. */
export type Verify = "chain" | "proof";

export interface VerifiedResult {
  readonly id: RequestId;
  readonly outputs: readonly Output[];
  /** The wire bytes: what contracts read. */
  readonly bytes: Uint8Array;
  readonly prover: Address;
  /** What it cost, in the smallest unit of the request's token. */
  readonly price: bigint;
  readonly evidence: {
    readonly bits: number;
    /** Who made the model's key can prove anything with it. */
    readonly developmentKey: boolean;
    /** The coordinator read the input from another contract. */
    readonly chainInput: boolean;
  };
  /** Digest of the prover's statement of its environment; worth as much as its word. */
  readonly environment: Hex;
  /** Unix seconds. */
  readonly fulfilledAt: number;
  readonly transaction: Hex;
  /** How far it was checked. */
  readonly verified: Verify;
}

type Made = Extract<Logged, { kind: "made" }>;
type Fulfilled = Extract<Logged, { kind: "fulfilled" }>;

export interface Judged {
  readonly id: RequestId;
  readonly model: Model;
  /** What was asked; of a source's request without what was read. */
  readonly asked: Request;
  readonly made: Made;
  readonly fulfilled: Fulfilled;
  /** The model's input, where it is known: all kinds but private and, unless it was given, reference. */
  readonly input: Uint8Array | undefined;
  readonly verify: Verify;
}

/** @throws NodeError "integrity" naming what does not hold */
export async function judge(context: Context, what: Judged, signal?: AbortSignal): Promise<VerifiedResult> {
  const { chain } = context;
  const { id, model, made, fulfilled } = what;
  requireAsked(context, what);
  const result = await chain.resultOf(id, signal);
  if (result === undefined) throw wrong("the chain has no result, though its events tell of one");
  const { environment, evidence, fulfilledAt, output, prover } = result;
  if (result.model !== model.id) throw wrong("the result is another model's");
  if (prover !== fulfilled.prover || environment !== fulfilled.environment || evidence !== fulfilled.evidence) {
    throw wrong("the stored result is not the one of the event");
  }
  if (keccak(output) !== keccak(fulfilled.output)) throw wrong("the stored output is not the one of the event");
  const required = made.request.requiredEvidence;
  if ((evidence & required) !== required) throw wrong(`the evidence ${evidence} lacks what was required, ${required}`);
  const developmentKey = (evidence & Evidence.developmentKey) !== 0;
  if (developmentKey !== (model.record.keyKind === "development")) throw wrong("the key's kind is misstated");
  if (what.verify === "proof") await requireProof(context, what);
  return {
    id,
    outputs: dequantize(model, output),
    bytes: output,
    prover,
    price: fulfilled.price,
    evidence: { bits: evidence, developmentKey, chainInput: (evidence & Evidence.chainInput) !== 0 },
    environment,
    fulfilledAt,
    transaction: fulfilled.transaction,
    verified: what.verify,
  };
}

/** That the request is what was asked, by its id: the id is a hash of all that it says. */
function requireAsked({ chain }: Context, { id, model, asked, made, input }: Judged): void {
  const { request } = made;
  if (requestId(chain, request) !== id) throw wrong("the request in the event is not what its id is a hash of");
  const { inputHash, readAt } = request;
  const sought = asked.inputKind === "source" ? { ...asked, inputHash, readAt } : asked;
  if (requestId(chain, sought) !== id || request.model !== model.id) throw wrong("the request is not what was asked");
  const hashed = request.inputKind !== "private" && input !== undefined;
  if (hashed && keccak(input) !== inputHash) throw wrong("the input is not the request's");
}

async function requireProof({ chain }: Context, { id, model, made, fulfilled, input }: Judged): Promise<void> {
  const { inputHash, inputKind } = made.request;
  const isPrivate = inputKind === "private";
  if (!isPrivate && input === undefined) {
    throw new NodeError("usage", "the proof is about an input that is not known here", {
      mend: "Give the bytes behind the reference, or verify by the chain.",
    });
  }
  const { c, output, proof, prover } = fulfilled;
  if (isPrivate && BigInt(inputHash) !== c) throw wrong("the proof is about another private input");
  const { chainId, coordinator } = chain;
  const shown = isPrivate ? undefined : input;
  const r = challenge("claim", {
    ...{ chainId, contract: coordinator, request: id, model: model.id, prover, c },
    ...{ input: shown, output },
  });
  const v = fingerprint([...(shown === undefined ? [] : wordsOfBytes(shown)), ...wordsOfBytes(output)], r, R);
  if (!(await verifyProof(model.key, { c, v, r }, proof))) throw wrong("the proof does not hold");
}

function wrong(how: string): NodeError {
  return new NodeError("integrity", `the answer cannot be believed: ${how}`, {
    mend: "The endpoint lies or follows another chain: use another one, and do not act on the answer.",
  });
}
