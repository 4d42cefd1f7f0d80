// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IValidationRegistry} from "./IValidationRegistry.sol";

/// @title ERC-8004: a validation registry that nobody administers
/// @notice For chains that have none, and for tests. {InferenceValidator} works with any other of the same interface.
contract ValidationRegistry is IValidationRegistry, ERC165 {
    struct Validation {
        address validator;
        uint8 response;
        uint64 lastUpdate;
        uint256 agentId;
        bytes32 responseHash;
        string tag;
    }

    error IdentityRegistryHasNoCode(address identityRegistry);
    error CallerIsNotAgent(address caller, uint256 agentId);
    error CallerIsNotValidator(address caller, address validator);
    error ValidatorMissing();
    error ValidationAlreadyRequested(bytes32 requestHash);
    error ValidationUnknown(bytes32 requestHash);
    error ResponseTooHigh(uint8 response);

    uint8 public constant MAX_RESPONSE = 100;

    IERC721 private immutable _agents;

    mapping(bytes32 requestHash => Validation) private _validations;
    mapping(uint256 agentId => bytes32[]) private _ofAgent;
    mapping(address validator => bytes32[]) private _ofValidator;

    constructor(IERC721 identityRegistry) {
        require(address(identityRegistry).code.length > 0, IdentityRegistryHasNoCode(address(identityRegistry)));
        _agents = identityRegistry;
    }

    /// @inheritdoc IValidationRegistry
    function validationRequest(
        address validatorAddress,
        uint256 agentId,
        string calldata requestURI,
        bytes32 requestHash
    ) external {
        require(validatorAddress != address(0), ValidatorMissing());
        address owner = _agents.ownerOf(agentId);
        bool allowed =
            msg.sender == owner ||
                _agents.isApprovedForAll(owner, msg.sender) ||
                _agents.getApproved(agentId) == msg.sender;
        require(allowed, CallerIsNotAgent(msg.sender, agentId));
        Validation storage validation = _validations[requestHash];
        require(validation.validator == address(0), ValidationAlreadyRequested(requestHash));
        validation.validator = validatorAddress;
        validation.agentId = agentId;
        _ofAgent[agentId].push(requestHash);
        _ofValidator[validatorAddress].push(requestHash);
        emit ValidationRequest(validatorAddress, agentId, requestURI, requestHash);
    }

    /// @inheritdoc IValidationRegistry
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external {
        Validation storage validation = _known(requestHash);
        address validator = validation.validator;
        require(msg.sender == validator, CallerIsNotValidator(msg.sender, validator));
        require(response <= MAX_RESPONSE, ResponseTooHigh(response));
        validation.response = response;
        validation.lastUpdate = uint64(block.timestamp);
        validation.responseHash = responseHash;
        validation.tag = tag;
        emit ValidationResponse(validator, validation.agentId, requestHash, response, responseURI, responseHash, tag);
    }

    /// @inheritdoc IValidationRegistry
    function getIdentityRegistry() external view returns (address) {
        return address(_agents);
    }

    /// @inheritdoc IValidationRegistry
    function getValidationStatus(
        bytes32 requestHash
    ) external view returns (address, uint256, uint8, bytes32, string memory, uint256) {
        Validation storage v = _known(requestHash);
        return (v.validator, v.agentId, v.response, v.responseHash, v.tag, v.lastUpdate);
    }

    /// @inheritdoc IValidationRegistry
    function getSummary(
        uint256 agentId,
        address[] calldata validatorAddresses,
        string calldata tag
    ) external view returns (uint64 count, uint8 averageResponse) {
        bytes32[] storage requestHashes = _ofAgent[agentId];
        uint256 sum = 0;
        for (uint256 i = 0; i < requestHashes.length; ++i) {
            Validation storage v = _validations[requestHashes[i]];
            if (v.lastUpdate == 0 || !_isAmong(v.validator, validatorAddresses)) continue;
            if (bytes(tag).length > 0 && keccak256(bytes(tag)) != keccak256(bytes(v.tag))) continue;
            sum += v.response;
            ++count;
        }
        if (count > 0) averageResponse = uint8(sum / count);
    }

    /// @inheritdoc IValidationRegistry
    function getAgentValidations(uint256 agentId) external view returns (bytes32[] memory) {
        return _ofAgent[agentId];
    }

    /// @inheritdoc IValidationRegistry
    function getValidatorRequests(address validatorAddress) external view returns (bytes32[] memory) {
        return _ofValidator[validatorAddress];
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IValidationRegistry).interfaceId || super.supportsInterface(id);
    }

    function _known(bytes32 requestHash) private view returns (Validation storage validation) {
        validation = _validations[requestHash];
        require(validation.validator != address(0), ValidationUnknown(requestHash));
    }

    function _isAmong(address validator, address[] calldata chosen) private pure returns (bool) {
        if (chosen.length == 0) return true;
        for (uint256 i = 0; i < chosen.length; ++i) if (chosen[i] == validator) return true;
        return false;
    }
}
