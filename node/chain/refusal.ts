// What a contract's custom error means to a person: one total table over the errors in abi.ts. Relies on codec's ABI.
import type { ErrorFragment } from "ethers";
import { type ErrorCode, type Fact, NodeError } from "../core/errors.ts";
import type { COORDINATOR_ABI, REGISTRY_ABI, RELAY_ABI } from "./abi.ts";
import { coordinatorAbi, registryAbi, relayAbi } from "./codec.ts";
import { revertOf } from "./rpc.ts";

type NameIn<T> = T extends `error ${infer Name}(${string}` ? Name : never;
export type RefusalName =
  NameIn<(typeof COORDINATOR_ABI)[number]> | NameIn<(typeof REGISTRY_ABI)[number]> | NameIn<(typeof RELAY_ABI)[number]>;

interface Meaning {
  readonly code: ErrorCode;
  readonly what: string;
  readonly mend: string;
}
const means = (code: ErrorCode, what: string, mend: string): Meaning => ({ code, what, mend });

const KEY_MEND = "Make the key again with `glassbox compile`, or finish the ceremony; never register a key by hand.";
const DECLARE_MEND = "Register with the package that `glassbox compile` wrote, unchanged.";
const TENSORS_MEND = "Compile a model with fewer or plainer inputs and outputs.";
const NODE_MEND =
  "Take the request's input and the model's shapes from the chain; report this if the node did it itself.";

export const MEANINGS: Readonly<Record<RefusalName, Meaning>> = {
  ModelUnknown: means("input", "the registry knows no such model", "Check the model id and the registry's address."),
  ModelAlreadyRegistered: means("input", "this model is registered already", "Use it; its id is in the facts."),
  ModelAlreadyRetired: means("input", "the model is retired already", "Nothing is left to do."),
  SuccessorInvalid: means(
    "input",
    "the successor is the model itself, or not registered",
    "Register the successor first.",
  ),
  NumberUnknown: means("input", "the registry has not so many models", "Count from 1."),
  SeriesUnknown: means(
    "input",
    "the registry knows no such series",
    "Check the series' id, or create it by registering.",
  ),
  SeriesAlreadyCreated: means("input", "this series exists already", "Register the next version in it."),
  VersionUnknown: means("input", "the series has no such version", "Versions count from 1; 0 is the newest."),
  NameLengthOutOfBounds: means("input", "the series' name is empty or too long", "Give one of 1 to 64 bytes."),
  KeyKindsInvalid: means(
    "input",
    "the series allows no kind of key, or one that does not exist",
    "Allow development keys, ceremony keys, or both.",
  ),
  KeyKindNotInSeries: means(
    "input",
    "the series does not take keys of this kind, for ever",
    "Register a package with a key of the other kind, or in another series.",
  ),
  CallerIsNotOwner: means("input", "only the owner of the series may do this", "Send it from the owner's key."),
  CallerIsNotPendingOwner: means(
    "input",
    "the series was not offered to this account",
    "Let its owner offer it first.",
  ),
  InputKindsInvalid: means(
    "input",
    "the model takes no kind of input, or private input and another",
    "Private input needs a package of its own; the others go together.",
  ),
  RoyaltyTooHigh: means(
    "input",
    "the royalty is more than a quarter of the price",
    "Ask for at most 2500 hundredths of a percent.",
  ),
  TensorsTooLong: means("unsupported", "the description of the model's tensors is too long", TENSORS_MEND),
  TensorsCutShort: means("input", "the description of the model's tensors ends too early", DECLARE_MEND),
  TensorsNotEnded: means("input", "the description of the model's tensors goes on behind its end", DECLARE_MEND),
  TensorTypeInvalid: means("input", "a tensor's type is none that there is", DECLARE_MEND),
  TensorRankTooHigh: means("unsupported", "a tensor has too many dimensions", TENSORS_MEND),
  TensorDimensionZero: means("input", "a tensor has a dimension of 0", DECLARE_MEND),
  TensorTooLarge: means("unsupported", "a tensor is too large", TENSORS_MEND),
  TensorInputLengthMismatch: means(
    "input",
    "the described inputs are of another length than the model's",
    DECLARE_MEND,
  ),
  TensorOutputLengthMismatch: means(
    "input",
    "the described outputs are of another length than the model's",
    DECLARE_MEND,
  ),
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
  ValidatorHasNoCode: means("input", "there is no contract at the validator's address", "Deploy the validator first."),
  CallerIsNotRequester: means(
    "input",
    "only the requester may do this",
    "Send it from the requester's key, or bring its signature.",
  ),
  SignatureInvalid: means(
    "input",
    "the signature is not the requester's, for this request on this chain",
    "Sign the request as it is sent, for this coordinator.",
  ),
  RequestAlreadyMade: means(
    "input",
    "this very request was made already",
    "Read its result, or ask again with another nonce.",
  ),
  SubmittedTooLate: means(
    "input",
    "the request may not be made any more",
    "Draft and sign it again with a later submitBy.",
  ),
  TimesOutOfOrder: means(
    "input",
    "start, end of the ramp and deadline are out of order",
    "Let the start come first and the deadline last.",
  ),
  DeadlinePassed: means("input", "the deadline is over", "Ask again with a later deadline."),
  DeadlineTooFar: means("input", "the deadline is more than 180 days ahead", "Choose an earlier one."),
  DeadlineNotPassed: means("input", "the deadline is not over yet", "Send it after the deadline."),
  FeesOutOfOrder: means("input", "the least fee is more than the highest", "Exchange them."),
  PayerMissing: means("input", "the payer's address is zero", "Name whose account pays."),
  EvidenceUnavailable: means(
    "input",
    "nobody can provide the evidence asked for",
    "Ask for zk evidence (1) or none; for chain input (16) with a source.",
  ),
  ModelIsRetired: means("input", "the model is retired", "Ask its publisher for the successor."),
  DevelopmentKeyNotAllowed: means(
    "input",
    "the model has a development key: whoever made it can prove anything",
    "Allow development keys in the request if that will do, or use a model with a ceremony key.",
  ),
  InputKindNotTaken: means(
    "input",
    "the model does not take input of this kind",
    "`glassbox show` says which kinds it takes.",
  ),
  InputLengthMismatch: means("input", "the input has another length than the model's", "`glassbox inspect` prints it."),
  InputMismatch: means("integrity", "the input is not the request's", NODE_MEND),
  OriginMismatch: means(
    "input",
    "the input's origin is not the one that the request names",
    "Send beside the request what it was drafted from.",
  ),
  UriTooLong: means("input", "the URI is too long", "Give one of at most 2048 bytes."),
  CommitmentOutOfField: means(
    "input",
    "the commitment is not below the field's order",
    "Make it with `glassbox request --private`.",
  ),
  FieldNotZero: means("input", "a field that the coordinator fills in is not zero", "Send readAt as 0."),
  CallbackGasTooHigh: means(
    "input",
    "the callback's gas does not fit into a transaction",
    "Ask for at most 10,000,000.",
  ),
  OutputLengthMismatch: means("integrity", "the output has another length than the model's", NODE_MEND),
  RequestUnknown: means(
    "input",
    "the coordinator knows no such request",
    "Check the id and the coordinator's address.",
  ),
  RequestNotOpen: means(
    "input",
    "the request is claimed, answered, expired, or was never made",
    "`glassbox show` says which.",
  ),
  RequestNotFulfilled: means("input", "the request has no result", "Wait, or expire it after its deadline."),
  NotStarted: means("input", "the request has not started yet", "Send it from its start on."),
  AlreadyStarted: means(
    "input",
    "the request has started: it can not be taken back any more",
    "Wait for the answer, or for the deadline.",
  ),
  ClaimsNotTaken: means("input", "the request takes no claims", "Fulfil it without."),
  AmountTooLarge: means("input", "the amount is beyond 2^128 - 1", "Pay less."),
  ClaimTooLate: means(
    "input",
    "a claim must leave as much time to the deadline as it lasts, and a minute at least",
    "Fulfil it without.",
  ),
  ClaimedByOther: means("input", "another prover claimed the request", "Wait for the claim's end."),
  ProverNotChosen: means("input", "the request is for another prover", "Leave it to the one that it names."),
  CommitmentMismatch: means("integrity", "the proof is about another private input than the request", NODE_MEND),
  ProverMissing: means("input", "the prover's address is zero", NODE_MEND),
  GasTooLow: means("chain", "the gas does not suffice for the consumer's call", "Send it with more gas."),
  CallbackNotPending: means(
    "input",
    "no call of the request's consumer waits to be tried again",
    "Nothing is left to do.",
  ),
  BatchInvalid: means("input", "a batch needs as many answers as requests, and at least one", NODE_MEND),
  BatchOfTwoModels: means("input", "a batch must be of one model", NODE_MEND),
  ResultOfOtherModel: means("input", "the result is of another model", "Check the request's id."),
  ResultTooOld: means("input", "the result is older than asked for", "Ask again."),
  EnvironmentsExhausted: means("input", "the prover has declared too many environments", "Use another key."),
  ValueMismatch: means(
    "input",
    "the transaction brings another amount than it must",
    "Send exactly the amount; none with a token.",
  ),
  TokenHasNoCode: means(
    "input",
    "there is no contract at the token's address",
    "Check the token's address and the chain.",
  ),
  TokenTakesFee: means("unsupported", "the token takes a fee of its transfers", "Pay in another token."),
  BalanceTooLow: means(
    "input",
    "the account holds less than that",
    "Deposit first; `glassbox balance` says what it holds.",
  ),
  AllowanceTooLow: means(
    "input",
    "the payer authorised less than that",
    "Let the payer authorise more with `glassbox authorise`.",
  ),
  NothingToWithdraw: means("input", "the account has no balance", "Nothing is left to do."),
  ReceiverMissing: means("input", "the receiver's address is zero", "Give the address to pay to."),
  PaymentFailed: means("chain", "the receiver refused the payment", "Withdraw to an address that takes payments."),
  PayerIsNotRequester: means(
    "input",
    "a permit can pay for its signer's own request only",
    "Let the requester be the payer.",
  ),
  Permit2Missing: means(
    "unsupported",
    "there is no Permit2 on this chain",
    "Pay by the token's own permit, or deposit first.",
  ),
  SafeERC20FailedOperation: means(
    "chain",
    "the token refused the transfer",
    "Check its balance, and that it allows this much to the coordinator.",
  ),
  ReentrancyGuardReentrantCall: means(
    "input",
    "a call from within another of the coordinator's",
    "Make it in a transaction of its own.",
  ),
  InvalidShortString: means("internal", "the contract's name does not fit", "Report this."),
  StringTooLong: means("internal", "the contract's name does not fit", "Report this."),
};

export interface Refusal {
  readonly name: RefusalName;
  readonly args: Readonly<Record<string, Fact>>;
}

/** The contract's own reason in an error that `rpc.request` threw; undefined if there is none that we know. */
export function refusalOf(error: unknown): Refusal | undefined {
  const data = revertOf(error);
  if (data === undefined || data.length < 10) return undefined;
  for (const abi of [coordinatorAbi, registryAbi, relayAbi]) {
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
