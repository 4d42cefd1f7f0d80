// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title ERC-7992 (draft of 2025): which model an id stands for
/// @notice The draft's event and error ModelDeprecated are one name for two things, which Solidity refuses; they are left
/// out, with the events of writing. The ERC-165 id is that of the draft's four functions.
interface IERC7992Registry {
    struct ModelCommitment {
        /// Weights and architecture.
        bytes32 modelHash;
        bytes32 circuitHash;
        bytes32 vkHash;
        /// First four bytes of the hash of the proof system's name.
        bytes4 proofSystemId;
        string uri;
    }

    error ModelNotFound(uint256 modelId);

    function registerModel(ModelCommitment calldata commitment) external returns (uint256 modelId);

    function updateModel(uint256 modelId, ModelCommitment calldata newCommitment) external;

    function deprecateModel(uint256 modelId) external;

    function getModel(
        uint256 modelId
    ) external view returns (ModelCommitment memory commitment, bool deprecated, address owner);
}

/// @title ERC-7992 (draft of 2025): was an output inferred by a model?
interface IERC7992Verifier {
    event InferenceVerified(
        uint256 indexed modelId,
        bytes32 indexed inputCommitment,
        bytes output,
        address indexed caller
    );

    error InvalidProof();
    error InputCommitmentMismatch();
    error OutputMismatch();
    // solhint-disable-next-line contract-name-capwords
    error VerificationRefused_ModelDeprecated(uint256 modelId);

    /// @notice Reverts unless `proof` shows that the model infers `output` from the input of `inputCommitment`.
    function verifyInference(
        uint256 modelId,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external;

    function proofSystemOf(uint256 modelId) external view returns (bytes4);

    function registry() external view returns (address registryAddress);
}
