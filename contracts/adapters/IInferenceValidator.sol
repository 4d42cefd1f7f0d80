// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {RequestId} from "../types/Request.sol";

/// @title A validator of ERC-8004 that has seen the proof
/// @notice An agent that proved an inference asks this contract to say so: {IValidationRegistry-validationRequest} with its
/// address and {requestHashOf}. Anybody may then have it answer. It says 100, of a result that the coordinator verified, or
/// nothing at all.
interface IInferenceValidator {
    error ValidationOfOtherAgent(bytes32 requestHash, uint256 agentId);
    error ValidationAlreadyAnswered(uint256 agentId, RequestId id);
    error ProverIsNotAgent(address prover, uint256 agentId);
    error EvidenceMissing(RequestId id, uint32 evidence);

    /// @notice Answers 100, once for an agent and an inference, if the result of `id` was proven to the chain by the agent: by its owner, whoever calls
    /// this; or by the caller, if that is an address that may act for the agent (ERC-721 approvals). The answer's hash is that
    /// of the output, its tag names the evidence: "zk", and what else there is after a plus, as in "zk+chain-input" or
    /// "zk+development-key" (which is a caveat).
    function respond(uint256 agentId, RequestId id, bytes32 salt) external;

    /// @notice keccak256(abi.encode(agentId, id, salt)), the request's payload. A registry takes each hash once: with another
    /// salt an agent asks again, should somebody else have used the hash up.
    function requestHashOf(uint256 agentId, RequestId id, bytes32 salt) external pure returns (bytes32);
}
