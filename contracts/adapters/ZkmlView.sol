// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IInferenceCoordinator} from "../interfaces/IInferenceCoordinator.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {InputKind, KeyKind, Model, ModelHead, ModelId} from "../types/Model.sol";
import {IERC7992Registry, IERC7992Verifier} from "./IERC7992.sol";

/// @title ERC-7992: the registry's models and the coordinator's check, in the draft's words
/// @notice A modelId is a {ModelId} as a number, and stands for one version, which never changes: another version has
/// another id. Models are registered and retired in the registry itself, so the draft's three ways to write revert here.
/// A retired model is the draft's deprecated one; one that only names a successor is not.
contract ZkmlView is IERC7992Registry, IERC7992Verifier, ERC165 {
    error WrittenElsewhere(IModelRegistry registry);

    bytes4 public constant GROTH16 = bytes4(keccak256("groth16-bn254-v1"));
    /// @notice Of models whose key somebody made alone, and who can prove anything with it: told apart, so that whoever
    /// asks for Groth16 does not get it.
    bytes4 public constant GROTH16_DEVELOPMENT = bytes4(keccak256("groth16-bn254-development-v1"));
    bytes32 private constant DOMAIN_INPUT = keccak256("glassbox.input.v1");

    IInferenceCoordinator public immutable coordinator;
    IModelRegistry public immutable models;

    constructor(IInferenceCoordinator coordinator_) {
        coordinator = coordinator_;
        models = coordinator_.registry();
    }

    /// @inheritdoc IERC7992Registry
    function registerModel(ModelCommitment calldata) external view returns (uint256) {
        revert WrittenElsewhere(models);
    }

    /// @inheritdoc IERC7992Registry
    function updateModel(uint256, ModelCommitment calldata) external view {
        revert WrittenElsewhere(models);
    }

    /// @inheritdoc IERC7992Registry
    function deprecateModel(uint256) external view {
        revert WrittenElsewhere(models);
    }

    /// @inheritdoc IERC7992Verifier
    /// @dev Anybody may send a proof that is made for this contract, as often as they like: what must happen once is asked
    /// of the coordinator, or has a nonce in its input.
    /// @param inputCommitment keccak256(abi.encode(keccak256("glassbox.input.v1"), inputHash)): the keccak256 of the input,
    /// or the commitment c of a private one.
    /// @param proof abi.encode(bytes input, uint256 c, uint256[8] proof), see {IInferenceCoordinator-verifyInference}.
    function verifyInference(
        uint256 modelId,
        bytes32 inputCommitment,
        bytes calldata output,
        bytes calldata proof
    ) external {
        ModelHead memory head = _headOf(modelId);
        require(!head.retired, VerificationRefused_ModelDeprecated(modelId));
        require(output.length == head.outputLength, OutputMismatch());
        (bytes memory input, uint256 c, uint256[8] memory words) = abi.decode(proof, (bytes, uint256, uint256[8]));
        bool isPrivate = head.inputKinds == 1 << uint8(InputKind.Private);
        bytes32 inputHash = isPrivate ? bytes32(c) : keccak256(input);
        bool matches = inputCommitment == keccak256(abi.encode(DOMAIN_INPUT, inputHash));
        require(matches, InputCommitmentMismatch());
        // Reverts as the draft wants it: InvalidProof() is the coordinator's error, too.
        coordinator.verifyInference(ModelId.wrap(bytes32(modelId)), input, output, c, words);
        emit InferenceVerified(modelId, inputCommitment, output, msg.sender);
    }

    /// @inheritdoc IERC7992Registry
    function getModel(uint256 modelId) external view returns (ModelCommitment memory, bool, address) {
        ModelHead memory head = _headOf(modelId);
        Model memory model = models.modelOf(ModelId.wrap(bytes32(modelId)));
        ModelCommitment memory commitment = ModelCommitment({
            modelHash: model.quantizedDigest,
            circuitHash: model.circuitDigest,
            vkHash: model.keyHash,
            proofSystemId: _systemOf(head),
            uri: model.manifestURI
        });
        return (commitment, head.retired, models.publisherOf(ModelId.wrap(bytes32(modelId))));
    }

    /// @inheritdoc IERC7992Verifier
    function proofSystemOf(uint256 modelId) external view returns (bytes4) {
        return _systemOf(_headOf(modelId));
    }

    /// @inheritdoc IERC7992Verifier
    function registry() external view returns (address) {
        return address(this);
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        bool known = id == type(IERC7992Registry).interfaceId || id == type(IERC7992Verifier).interfaceId;
        return known || super.supportsInterface(id);
    }

    function _headOf(uint256 modelId) private view returns (ModelHead memory) {
        try models.headOf(ModelId.wrap(bytes32(modelId))) returns (ModelHead memory head) {
            return head;
        } catch {
            revert ModelNotFound(modelId);
        }
    }

    function _systemOf(ModelHead memory head) private pure returns (bytes4) {
        return head.keyKind == KeyKind.Development ? GROTH16_DEVELOPMENT : GROTH16;
    }
}
