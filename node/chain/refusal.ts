// What a contract's custom error means to a person: one total table over the errors in abi.ts. Relies on codec's ABI.
import type { ErrorFragment } from "ethers";
import { type ErrorCode, type Fact, NodeError } from "../core/errors.ts";
import type { COORDINATOR_ABI, REGISTRY_ABI } from "./abi.ts";
import { coordinatorAbi, registryAbi } from "./codec.ts";
import { revertOf } from "./rpc.ts";

type NameIn<T> = T extends `error ${infer Name}(${string}` ? Name : never;
export type RefusalName = NameIn<(typeof COORDINATOR_ABI)[number]> | NameIn<(typeof REGISTRY_ABI)[number]>;

interface Meaning {
  readonly code: ErrorCode;
  readonly what: string;
  readonly mend: string;
}
const means = (code: ErrorCode, what: string, mend: string): Meaning => ({ code, what, mend });

const KEY_MEND = "Make the key again with `glassbox compile`, or finish the ceremony; never register a key by hand.";
const DECLARE_MEND = "Register with the package that `glassbox compile` wrote, unchanged.";
const NODE_MEND =
  "Take the request's input and the model's shapes from the chain; report this if the node did it itself.";

export const MEANINGS: Readonly<Record<RefusalName, Meaning>> = {
  ModelUnknown: means("input", "the registry knows no such model", "Check the model id and the registry's address."),
  ModelAlreadyRegistered: means("input", "this model is registered already", "Use it; its id is in the facts."),
  ModelAlreadyRetired: means("input", "the model is retired already", "Nothing is left to do."),
  CallerIsNotPublisher: means("input", "only the publisher may retire a model", "Send it from the publisher's key."),
  DigestMissing: means("input", "a digest of the model is zero", DECLARE_MEND),
  InputLengthOutOfBounds: means("unsupported", "the model's input is empty or too long for the registry", DECLARE_MEND),
  OutputLengthOutOfBounds: means(
    "unsupported",
    "the model's output is empty or too long for the registry",
    DECLARE_MEND,
  ),
  ManifestURITooLong: means("input", "the manifest's URI is too long", "Give one of at most 512 bytes."),
  SampleInputLengthMismatch: means("input", "the sample's input has another length than the model's", DECLARE_MEND),
  SampleOutputLengthMismatch: means("input", "the sample's output has another length than the model's", DECLARE_MEND),
  KeyLengthInvalid: means("integrity", "the verifying key has not 704 bytes", KEY_MEND),
  KeyCoordinateOutOfField: means("integrity", "a coordinate of the verifying key is out of the field", KEY_MEND),
  KeyPointAtInfinity: means("integrity", "a point of the verifying key is infinity", KEY_MEND),
  KeyPointNotOnCurve: means("integrity", "a point of the verifying key is off the curve", KEY_MEND),
  KeyPointNotInSubgroup: means("integrity", "a G2 point of the verifying key is outside of the group", KEY_MEND),
  KeyAlphaIsGenerator: means("integrity", "alpha of the verifying key is the generator: anybody could forge", KEY_MEND),
  KeyBetaIsGenerator: means("integrity", "beta of the verifying key is the generator: anybody could forge", KEY_MEND),
  KeyDeltaIsGenerator: means("integrity", "the key's setup had no contribution: anybody could forge", KEY_MEND),
  KeyPointsEqual: means("integrity", "two of the key's beta, gamma and delta are equal: anybody could forge", KEY_MEND),
  KeyNotStored: means("chain", "the chain refused to store the verifying key", "Try again with more gas."),
  KeyCodeInvalid: means("integrity", "no verifying key is stored at the model's key address", "Check the addresses."),
  InvalidProof: means(
    "integrity",
    "the proof does not hold",
    "The claim differs from what was proven (chain, contract, request, prover, input or output), or the key does.",
  ),
  SignalOutOfField: means("integrity", "a public signal is out of the field", NODE_MEND),
  CoordinateOutOfField: means("integrity", "a coordinate of the proof is out of the field", NODE_MEND),
  RegistryHasNoCode: means("input", "there is no contract at the registry's address", "Deploy the registry first."),
  DeadlinePassed: means("input", "the deadline is over", "Ask again with a later deadline."),
  DeadlineTooFar: means("input", "the deadline is more than 180 days ahead", "Choose an earlier one."),
  DeadlineNotPassed: means("input", "the deadline is not over yet", "Ask for the refund after it."),
  FeeTooLarge: means("input", "the fee does not fit 96 bits", "Offer less."),
  EvidenceUnavailable: means("input", "nobody can provide the evidence asked for", "Ask for zk evidence (1) or none."),
  ModelIsRetired: means("input", "the model is retired", "Ask its publisher for the successor."),
  DevelopmentKeyNotAllowed: means(
    "input",
    "the model has a development key: whoever made it can prove anything",
    "Allow development keys in the request if that will do, or use a model with a ceremony key.",
  ),
  InputLengthMismatch: means("input", "the input has another length than the model's", "`glassbox inspect` prints it."),
  OutputLengthMismatch: means("integrity", "the output has another length than the model's", NODE_MEND),
  InputMismatch: means("integrity", "the input is not the request's", NODE_MEND),
  ProverMissing: means("input", "the prover's address is zero", NODE_MEND),
  RequestUnknown: means(
    "input",
    "the coordinator knows no such request",
    "Check the id and the coordinator's address.",
  ),
  RequestAlreadyFulfilled: means("input", "the request is fulfilled already", "Read the result."),
  RequestNotFulfilled: means("input", "the request has no result", "Wait, or ask for the refund after its deadline."),
  NothingToRefund: means("input", "nothing is in escrow for this request", "It was refunded already, or was free."),
  NothingToWithdraw: means("input", "the account has no credit", "Nothing is left to do."),
  ReceiverMissing: means("input", "the receiver's address is zero", "Give the address to pay to."),
  PaymentFailed: means("chain", "the receiver refused the payment", "Withdraw to an address that takes payments."),
  EnvironmentsExhausted: means("input", "the prover has declared too many environments", "Use another key."),
};

export interface Refusal {
  readonly name: RefusalName;
  readonly args: Readonly<Record<string, Fact>>;
}

/** The contract's own reason in an error that `rpc.request` threw; undefined if there is none that we know. */
export function refusalOf(error: unknown): Refusal | undefined {
  const data = revertOf(error);
  if (data === undefined || data.length < 10) return undefined;
  for (const abi of [coordinatorAbi, registryAbi]) {
    const parsed = abi.parseError(data);
    if (parsed === null || !(parsed.name in MEANINGS)) continue;
    return { name: parsed.name as RefusalName, args: factsOf(parsed.fragment, parsed.args) };
  }
  return undefined;
}

function factsOf(fragment: ErrorFragment, values: Iterable<unknown>): Record<string, Fact> {
  const list = [...values];
  return Object.fromEntries(fragment.inputs.map((input, i) => [input.name, list[i] as Fact]));
}

/** Turns a contract's refusal into an error that names cause and mend; anything else passes through. */
export function explained(error: unknown, doing: string): unknown {
  const refusal = refusalOf(error);
  if (refusal === undefined) return error;
  const { code, what, mend } = MEANINGS[refusal.name];
  return new NodeError(code, `${doing}: ${what}`, {
    mend,
    cause: error,
    facts: { refusal: refusal.name, ...refusal.args },
  });
}
