// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ModelId} from "../types/Model.sol";
import {Answer, Payment, Request, RequestId, RequestStatus, Result} from "../types/Request.sol";
import {IGroth16Verifier} from "./IGroth16Verifier.sol";
import {ILedger} from "./ILedger.sol";
import {IModelRegistry} from "./IModelRegistry.sol";

/// @title Ask a model, pay for the answer, read it with its evidence
/// @notice Nobody administers it. A request ends once: with a result, or with its fee back after the deadline. Times are Unix
/// seconds of blocks; "from" and "to" a second include it.
///
/// From `start` to `deadline` a request may be fulfilled at the price of that second. A claim locks the price and keeps
/// others out to its end, for collateral. After its end anybody may fulfil, at the locked price, and gets half of the
/// collateral (rounded up); the other half goes to the payer. If nobody does, the payer gets fee and collateral.
interface IInferenceCoordinator is ILedger {
    /// @notice `request` is as it is stored: with inputHash and readAt of a Source filled in.
    /// @param input The input (Data, Source) or the URI (Reference, Private). Here and in the transaction only.
    event Requested(
        RequestId indexed id,
        ModelId indexed model,
        address indexed requester,
        Request request,
        bytes input
    );
    /// @notice Follows {Requested} if the input was read from another contract.
    event InputRead(RequestId indexed id, address indexed source, bytes query);
    event Claimed(RequestId indexed id, address indexed prover, uint256 price, uint256 collateral, uint256 end);
    /// @notice With the input of {Requested}, all that it takes to check the proof again, whichever way it was sent.
    event Fulfilled(
        RequestId indexed id,
        ModelId indexed model,
        address indexed prover,
        uint256 price,
        uint32 evidence,
        bytes32 environment,
        uint256 c,
        bytes output,
        uint256[8] proof
    );
    /// @notice A claim ran out: `collateral` was split, or given to the payer if the request expired.
    event CollateralForfeited(RequestId indexed id, address indexed claimer, uint256 collateral);
    /// @notice The request ended without a result; maxFee went back to `payer`. Also for one that was cancelled.
    event Expired(RequestId indexed id, address indexed payer, uint256 refund);
    event CallbackFailed(RequestId indexed id, address indexed consumer);
    event CallbackDelivered(RequestId indexed id, address indexed consumer);
    /// @notice An item of a batch was left out.
    /// @param reason The error that {fulfil} would have reverted with, and InvalidProof for all that can be wrong with a proof;
    /// GasTooLow if bad proofs of the batch used up the gas for checking this one.
    event ItemSkipped(RequestId indexed id, bytes reason);
    event EnvironmentDeclared(address indexed prover, bytes32 environment);

    error RegistryHasNoCode(address registry);
    error ValidatorHasNoCode(address validator);
    // The terms of a request
    error CallerIsNotRequester(address caller, address requester);
    error SignatureInvalid(RequestId id, address requester);
    error RequestAlreadyMade(RequestId id);
    error SubmittedTooLate(uint256 submitBy, uint256 time);
    error TimesOutOfOrder(uint256 start, uint256 rampEnd, uint256 deadline);
    error DeadlinePassed(uint256 deadline, uint256 time);
    error DeadlineTooFar(uint256 deadline, uint256 latest);
    error FeesOutOfOrder(uint256 minFee, uint256 maxFee);
    error PayerMissing();
    error EvidenceUnavailable(uint32 requiredEvidence, uint32 available);
    error ModelIsRetired(ModelId id);
    error DevelopmentKeyNotAllowed(ModelId id);
    error InputKindNotTaken(ModelId id);
    error InputLengthMismatch(uint256 length, uint256 expected);
    error InputMismatch(bytes32 inputHash, bytes32 expected);
    error OriginMismatch(bytes32 originHash, bytes32 expected);
    error UriTooLong(uint256 length);
    error CommitmentOutOfField(bytes32 commitment);
    error FieldNotZero(uint256 field);
    error CallbackGasTooHigh(uint256 gas, uint256 highest);
    // Its life
    error RequestUnknown(RequestId id);
    error RequestNotOpen(RequestId id, RequestStatus status);
    error RequestNotFulfilled(RequestId id);
    error NotStarted(uint256 start, uint256 time);
    error AlreadyStarted(uint256 start, uint256 time);
    error ClaimsNotTaken(RequestId id);
    error ClaimTooLate(uint256 latest, uint256 deadline);
    error ClaimedByOther(RequestId id, address claimer, uint256 end);
    error ProverNotChosen(address prover, address chosen);
    error DeadlineNotPassed(uint256 deadline, uint256 time);
    error CommitmentMismatch(uint256 c, bytes32 expected);
    error OutputLengthMismatch(uint256 length, uint256 expected);
    // The next three as {IGroth16Verifier} has them
    error InvalidProof();
    error SignalOutOfField(uint256 index, uint256 value);
    error CoordinateOutOfField(uint256 index, uint256 value);
    error ProverMissing();
    error GasTooLow(uint256 gas, uint256 needed);
    error CallbackNotPending(RequestId id);
    error BatchInvalid(uint256 requests, uint256 answers);
    error BatchOfTwoModels(ModelId model, ModelId other);
    error ResultOfOtherModel(ModelId model, ModelId expected);
    error ResultTooOld(uint256 fulfilledAt, uint256 oldest);
    error EnvironmentsExhausted(address prover);

    /// @notice Where models are looked up, for ever.
    function registry() external view returns (IModelRegistry);

    /// @notice What checks proofs. The coordinator made it.
    function verifier() external view returns (IGroth16Verifier);

    /// @notice Asks `r.model`. The caller must be the requester. maxFee is taken at once; what the price leaves goes back to
    /// the payer's account. Terms can not be changed and, from `start` on, requests not be withdrawn: a prover that started may
    /// rely on them, and an answer that was seen can not be had for nothing.
    /// @param input Data: the input. Reference: the URI that it can be fetched from. Source: abi.encode(address source, bytes
    /// query). Private: the URI of what was encrypted for the prover, or nothing.
    /// @return id The EIP-712 digest of the request as it is stored.
    function request(Request calldata r, bytes calldata input, Payment payment) external payable returns (RequestId id);

    /// @notice As {request}, by anybody, with the requester's signature of the request (EIP-712; ERC-1271 and ERC-6492 for
    /// contracts). The payer's account pays. A signature serves once; {cancel} revokes it.
    function requestFor(
        Request calldata r,
        bytes calldata input,
        bytes calldata signature
    ) external returns (RequestId id);

    /// @notice Ends a request before its start, and revokes one that was signed but not made. Requester only.
    function cancel(Request calldata r) external;

    /// @notice Locks the price of this second for the caller, who may fulfil alone to the claim's end, and takes the collateral
    /// from the caller's account, into which msg.value is put before. It must leave as much time to the deadline as it lasts,
    /// and a minute at least, so that an answer which it keeps out can be sent again after it.
    function claim(Request calldata r) external payable;

    /// @notice Brings an output and the proof that the model maps the request's input to it. Anybody may send it; the fee
    /// goes to `prover`, who is part of what is proven: a copy of the proof, re-randomised or not, pays the same address.
    /// The request names its model before it is answered, so a retirement does not stop a prover that already started.
    function fulfil(Request calldata r, Answer calldata answer, address prover) external;

    /// @notice Fulfils up to 64 requests of one model, with one check of all proofs: at 32 items a third of the gas of {fulfil}
    /// for each. An item that {fulfil} would refuse is left out, with the reason, and does not touch the others. Reverts with
    /// GasTooLow, before anything is done, if the gas does not suffice for all items being good; bad proofs among them cost
    /// more, but nothing of what settling the good ones takes. The consumers are called when all items are settled.
    /// @param answers as many as `requests`, in the same order
    /// @return fulfilled how many were
    function fulfilBatch(
        Request[] calldata requests,
        Answer[] calldata answers,
        address prover
    ) external returns (uint256 fulfilled);

    /// @notice Gives the fee of an unanswered request back to its payer's account, with the collateral of who claimed it, from
    /// the second after the deadline on. Anybody may send it.
    function expire(Request calldata r) external;

    /// @notice Calls a consumer whose call failed again, with all gas that is given but at least callbackGas. Anybody may send
    /// it; it reverts with the consumer.
    function retryCallback(Request calldata r) external;

    /// @notice States the environment that the caller's proofs are made in, from now on: the digest of the node's statement of
    /// runtime, versions and image. Only the prover's own address can say it, so a copied proof keeps the prover's word.
    /// A result takes what is declared when it is fulfilled: let open fulfilments settle before declaring a new one. Zero
    /// takes the statement back. At most 65,535 declarations per address.
    function declareEnvironment(bytes32 environment) external;

    /// @notice Returns if `proof` proves that `model` maps `input` to `output`, and reverts otherwise. For a contract that
    /// brings answer and proof in its own transaction. The proof's claim is made for the caller: domain
    /// keccak256("glassbox.direct.v1"), this contract, request id 0, and the caller as prover. It says nothing of when: put a
    /// nonce or a block into the input where that matters, and look at the model's key kind ({IModelRegistry-headOf}).
    /// @param input Empty if the model takes private inputs; c is then the commitment.
    function verifyInference(
        ModelId model,
        bytes calldata input,
        bytes calldata output,
        uint256 c,
        uint256[8] calldata proof
    ) external view;

    /// @notice The answer. Reverts while there is none. It never changes.
    function resultOf(RequestId id) external view returns (Result memory);

    /// @notice The answer, if it is of `model` and at most `maxAge` seconds old. Whoever acts on it must also know who asked
    /// what, which the id says, and look at the evidence.
    function requireResult(RequestId id, ModelId model, uint256 maxAge) external view returns (Result memory);

    /// @notice Whether the consumer's call failed and waits for {retryCallback}.
    function callbackPending(RequestId id) external view returns (bool);

    /// @notice Unknown, open, claimed, fulfilled or expired, as of now: Expired from the second after the deadline on, whether
    /// somebody sent {expire} or not.
    function statusOf(Request calldata r) external view returns (RequestStatus);

    /// @notice Who claimed the request, and to which second nobody else may fulfil it. Zeros if nobody did.
    function claimOf(Request calldata r) external view returns (address claimer, uint256 end);

    /// @notice What a claim, or an answer without one, is paid at `time`, and the collateral that a claim would take.
    function quote(Request calldata r, uint256 time) external view returns (uint256 price, uint256 collateral);

    /// @notice The id of a request as it is stored, and what a requester signs.
    function idOf(Request calldata r) external view returns (RequestId);

    /// @notice What `prover` declares now.
    function environmentOf(address prover) external view returns (bytes32);
}
