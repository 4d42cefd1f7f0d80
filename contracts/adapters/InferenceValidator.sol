// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IInferenceCoordinator} from "../interfaces/IInferenceCoordinator.sol";
import {Evidence} from "../libraries/Evidence.sol";
import {RequestId, Result} from "../types/Request.sol";
import {IInferenceValidator} from "./IInferenceValidator.sol";
import {IValidationRegistry} from "./IValidationRegistry.sol";

contract InferenceValidator is IInferenceValidator, ERC165 {
    uint8 private constant PASSED = 100;

    IInferenceCoordinator public immutable coordinator;
    IValidationRegistry public immutable validations;

    mapping(uint256 agentId => mapping(RequestId => bool)) private _answered;

    constructor(IInferenceCoordinator coordinator_, IValidationRegistry validations_) {
        coordinator = coordinator_;
        validations = validations_;
    }

    /// @inheritdoc IInferenceValidator
    function respond(uint256 agentId, RequestId id, bytes32 salt) external {
        bytes32 requestHash = requestHashOf(agentId, id, salt);
        (, uint256 asking, , , , ) = validations.getValidationStatus(requestHash);
        require(asking == agentId, ValidationOfOtherAgent(requestHash, asking));
        require(!_answered[agentId][id], ValidationAlreadyAnswered(agentId, id));
        Result memory result = coordinator.resultOf(id); // reverts while there is none
        require(result.evidence & Evidence.ZK != 0, EvidenceMissing(id, result.evidence));
        require(_actsFor(result.prover, agentId), ProverIsNotAgent(result.prover, agentId));
        _answered[agentId][id] = true;
        bytes32 outputHash = keccak256(result.output);
        // Reverts unless it is this contract that was asked.
        validations.validationResponse(requestHash, PASSED, "", outputHash, _tagOf(result.evidence));
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IInferenceValidator).interfaceId || super.supportsInterface(id);
    }

    /// @inheritdoc IInferenceValidator
    function requestHashOf(uint256 agentId, RequestId id, bytes32 salt) public pure returns (bytes32) {
        return keccak256(abi.encode(agentId, id, salt));
    }

    function _actsFor(address prover, uint256 agentId) private view returns (bool) {
        IERC721 agents = IERC721(validations.getIdentityRegistry());
        address owner = agents.ownerOf(agentId);
        if (prover == owner) return true;
        // An approval is the owner's word alone: without the prover's, any agent could take the credit for any prover.
        if (prover != msg.sender) return false;
        return agents.isApprovedForAll(owner, prover) || agents.getApproved(agentId) == prover;
    }

    function _tagOf(uint32 evidence) private pure returns (string memory tag) {
        tag = "zk";
        if (evidence & Evidence.ATTESTED != 0) tag = string.concat(tag, "+attested");
        if (evidence & Evidence.OPTIMISTIC != 0) tag = string.concat(tag, "+optimistic");
        if (evidence & Evidence.DEVELOPMENT_KEY != 0) tag = string.concat(tag, "+development-key");
        if (evidence & Evidence.CHAIN_INPUT != 0) tag = string.concat(tag, "+chain-input");
    }
}
