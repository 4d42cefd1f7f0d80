// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title ERC-8004 (draft of January 2026): the validation registry
/// @notice Agents ask validators to check their work; validators answer from 0 (failed) to 100 (passed).
interface IValidationRegistry {
    event ValidationRequest(
        address indexed validatorAddress,
        uint256 indexed agentId,
        string requestURI,
        bytes32 indexed requestHash
    );
    event ValidationResponse(
        address indexed validatorAddress,
        uint256 indexed agentId,
        bytes32 indexed requestHash,
        uint8 response,
        string responseURI,
        bytes32 responseHash,
        string tag
    );

    /// @notice The ERC-721 whose tokens are the agents.
    function getIdentityRegistry() external view returns (address identityRegistry);

    /// @notice Asks `validatorAddress` to check work of an agent. Its owner or operator only.
    /// @param requestHash keccak256 of what is to be checked; names the request, and serves once.
    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    ) external;

    /// @notice Answers, or answers anew. The validator that was asked only.
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external;

    /// @notice Reverts if nobody asked. lastUpdate is 0 while there is no answer.
    function getValidationStatus(
        bytes32 requestHash
    )
        external
        view
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        );

    /// @notice How many answers an agent has, and their average, rounded down. No validators stand for all of them, and so
    /// does the empty tag. Only what chosen validators say means anything: an agent can be its own.
    function getSummary(
        uint256 agentId,
        address[] calldata validatorAddresses,
        string calldata tag
    ) external view returns (uint64 count, uint8 averageResponse);

    function getAgentValidations(uint256 agentId) external view returns (bytes32[] memory requestHashes);

    function getValidatorRequests(address validatorAddress) external view returns (bytes32[] memory requestHashes);
}
