// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ModelId} from "../types/Model.sol";
import {Request, RequestId, Result, Terms} from "../types/Request.sol";
import {IModelRegistry} from "./IModelRegistry.sol";

/// @title Ask a model, pay for the answer, read it with its evidence
/// @notice Nobody administers it. A request is fulfilled once, by whoever first proves an output for it, or its fee goes
/// back after the deadline. Times are Unix seconds of blocks, amounts are wei.
interface IInferenceCoordinator {
    /// @notice `input` is here and in the transaction only; storage keeps its hash.
    event Requested(
        RequestId indexed id,
        ModelId indexed model,
        address indexed requester,
        uint96 fee,
        uint64 deadline,
        uint32 requiredEvidence,
        bool allowDevelopmentKeys,
        bytes input
    );
    /// @notice With the input of {Requested}, all that it takes to check the proof again, whichever way it was sent.
    event Fulfilled(
        RequestId indexed id,
        ModelId indexed model,
        address indexed prover,
        uint32 evidence,
        bytes32 environment,
        uint256 c,
        bytes output,
        uint256[8] proof
    );
    event Refunded(RequestId indexed id, address indexed requester, uint96 fee);
    event Withdrawn(address indexed account, address indexed to, uint256 amount);
    event EnvironmentDeclared(address indexed prover, bytes32 environment);

    error RegistryHasNoCode(address registry);
    error DeadlinePassed(uint256 deadline, uint256 time);
    error DeadlineTooFar(uint256 deadline, uint256 latest);
    error DeadlineNotPassed(uint256 deadline, uint256 time);
    error FeeTooLarge(uint256 fee);
    error EvidenceUnavailable(uint32 requiredEvidence, uint32 available);
    error ModelIsRetired(ModelId id);
    error DevelopmentKeyNotAllowed(ModelId id);
    error InputLengthMismatch(uint256 length, uint256 expected);
    error OutputLengthMismatch(uint256 length, uint256 expected);
    error InputMismatch(bytes32 inputHash, bytes32 expected);
    error ProverMissing();
    error RequestUnknown(RequestId id);
    error RequestAlreadyFulfilled(RequestId id);
    error RequestNotFulfilled(RequestId id);
    error NothingToRefund(RequestId id);
    error NothingToWithdraw(address account);
    error ReceiverMissing();
    error PaymentFailed(address to, uint256 amount);
    error EnvironmentsExhausted(address prover);

    /// @notice Where models are looked up, for ever.
    function registry() external view returns (IModelRegistry);

    /// @notice Asks `model` about `input` and puts msg.value in escrow as the fee.
    /// The id is keccak256(abi.encode(keccak256("glassbox.request.v1"), chain id, this contract, caller, number of earlier
    /// requests of the caller, model, keccak256(input))).
    /// Fees and demands can not be changed and requests not be withdrawn: a prover that started may rely on them. The price
    /// of a deadline far away is a fee locked for as long, if nobody answers.
    /// @param input As many bytes as the model takes; public.
    /// @param deadline Last second at which the request may be fulfilled, at most MAX_WINDOW ahead.
    function request(
        ModelId model,
        bytes calldata input,
        uint64 deadline,
        Terms calldata terms
    ) external payable returns (RequestId id);

    /// @notice Brings an output and the proof that the model maps the request's input to it. Anybody may send it; the fee
    /// goes to `prover`, who is part of what is proven: a copy of the proof, re-randomised or not, pays the same address.
    /// The request names its model before it is answered, so a retirement does not stop a prover that already started.
    /// @param input The request's input.
    /// @param c First signal of the proof. The other two are computed here, see {ClaimLib}.
    /// @param proof As in {IGroth16Verifier-verify}.
    function fulfil(
        RequestId id,
        bytes calldata input,
        bytes calldata output,
        uint256 c,
        uint256[8] calldata proof,
        address prover
    ) external;

    /// @notice Credits the fee of an unanswered request to its requester, from the second after the deadline on. Anybody may
    /// send it.
    function refund(RequestId id) external;

    /// @notice Pays all of the caller's credit to `to`.
    function withdraw(address payable to) external;

    /// @notice States the environment that the caller's proofs are made in, from now on: the digest of the node's statement of
    /// runtime, versions and image. Only the prover's own address can say it, so a copied proof keeps the prover's word.
    /// A result takes what is declared when it is fulfilled: let open fulfilments settle before declaring a new one. Zero
    /// takes the statement back. At most 65,535 declarations per address.
    function declareEnvironment(bytes32 environment) external;

    /// @notice The answer. Reverts while there is none. It never changes.
    function result(RequestId id) external view returns (Result memory);

    /// @notice The request. Reverts if it is unknown.
    function requestOf(RequestId id) external view returns (Request memory);

    /// @notice Wei that `account` can withdraw.
    function credit(address account) external view returns (uint256);

    /// @notice Requests that `account` has made, which is the nonce of its next one.
    function nonceOf(address account) external view returns (uint256);

    /// @notice What `prover` declares now.
    function environmentOf(address prover) external view returns (bytes32);
}
