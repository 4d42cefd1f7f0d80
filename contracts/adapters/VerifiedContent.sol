// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IInferenceCoordinator} from "../interfaces/IInferenceCoordinator.sol";
import {Evidence} from "../libraries/Evidence.sol";
import {InputKind, KeyKind, ModelHead, ModelId} from "../types/Model.sol";
import {Request, RequestId, Result} from "../types/Request.sol";
import {IERC7007} from "./IERC7007.sol";

/// @title ERC-7007: what one model made, as tokens of those who asked
/// @notice A token stands for one fulfilled request: its number is the request's id, its owner whoever made the request,
/// its content {IInferenceCoordinator-resultOf}. Who asked is inside of the id, so nobody can be run ahead of.
/// A prompt is a model's input; of a private one, the 32 bytes of its commitment. A proof is one of two:
///   abi.encode(Request)          704 bytes: a request, as it is stored, whose verified result the coordinator holds,
///   abi.encode(c, uint256[8])    288 bytes: a proof for this contract, see {IInferenceCoordinator-verifyInference}.
contract VerifiedContent is ERC721, IERC7007 {
    error DevelopmentKeyNotAllowed(ModelId model);
    error ProofLengthInvalid(uint256 length);
    error PromptMismatch(bytes32 promptHash, bytes32 expected);
    error ContentMismatch(bytes32 contentHash, bytes32 expected);
    error TokenOfOtherRequest(uint256 tokenId, RequestId id);
    error EvidenceMissing(uint32 evidence);

    uint256 private constant REQUEST_LENGTH = 22 * 32;
    uint256 private constant DIRECT_LENGTH = 9 * 32;

    IInferenceCoordinator public immutable coordinator;
    ModelId public immutable model;
    bool private immutable _isPrivate;

    /// @param allowDevelopmentKey For test networks only: whoever made such a key can prove any content.
    constructor(
        string memory name_,
        string memory symbol_,
        IInferenceCoordinator coordinator_,
        ModelId model_,
        bool allowDevelopmentKey
    ) ERC721(name_, symbol_) {
        ModelHead memory head = coordinator_.registry().headOf(model_);
        require(head.keyKind != KeyKind.Development || allowDevelopmentKey, DevelopmentKeyNotAllowed(model_));
        coordinator = coordinator_;
        model = model_;
        _isPrivate = head.inputKinds == 1 << uint8(InputKind.Private);
    }

    /// @inheritdoc IERC7007
    /// @dev Anybody may send it, once for a request; the token is the requester's, who is not called.
    function addAigcData(
        uint256 tokenId,
        bytes calldata prompt,
        bytes calldata aigcData,
        bytes calldata proof
    ) external {
        require(proof.length == REQUEST_LENGTH, ProofLengthInvalid(proof.length));
        Request memory r = abi.decode(proof, (Request));
        RequestId id = _requireResult(r, prompt, aigcData);
        require(tokenId == uint256(RequestId.unwrap(id)), TokenOfOtherRequest(tokenId, id));
        _mint(r.requester, tokenId);
        emit AigcData(tokenId, prompt, aigcData, proof);
    }

    /// @inheritdoc IERC7007
    /// @dev Never reverts. {requireVerified} says what is wrong.
    function verify(
        bytes calldata prompt,
        bytes calldata aigcData,
        bytes calldata proof
    ) external view returns (bool success) {
        try this.requireVerified(prompt, aigcData, proof) {
            return true;
        } catch {
            return false;
        }
    }

    /// @notice Returns if `proof` shows that the model made `aigcData` of `prompt`, and reverts with the reason if not.
    function requireVerified(bytes calldata prompt, bytes calldata aigcData, bytes calldata proof) external view {
        if (proof.length == REQUEST_LENGTH) {
            _requireResult(abi.decode(proof, (Request)), prompt, aigcData);
        } else {
            require(proof.length == DIRECT_LENGTH, ProofLengthInvalid(proof.length));
            (uint256 c, uint256[8] memory words) = abi.decode(proof, (uint256, uint256[8]));
            if (_isPrivate) _requirePrompt(prompt, bytes32(c), true);
            coordinator.verifyInference(model, _isPrivate ? bytes("") : prompt, aigcData, c, words);
        }
    }

    function supportsInterface(bytes4 id) public view override returns (bool) {
        return id == type(IERC7007).interfaceId || super.supportsInterface(id);
    }

    function _requireResult(
        Request memory r,
        bytes calldata prompt,
        bytes calldata aigcData
    ) private view returns (RequestId id) {
        id = coordinator.idOf(r);
        Result memory result = coordinator.requireResult(id, model, type(uint256).max);
        require(result.evidence & Evidence.ZK != 0, EvidenceMissing(result.evidence));
        _requirePrompt(prompt, r.inputHash, r.inputKind == InputKind.Private);
        bytes32 contentHash = keccak256(aigcData);
        bytes32 expected = keccak256(result.output);
        require(contentHash == expected, ContentMismatch(contentHash, expected));
    }

    function _requirePrompt(bytes calldata prompt, bytes32 expected, bool isPrivate) private pure {
        bytes32 promptHash = isPrivate && prompt.length == 32 ? bytes32(prompt) : keccak256(prompt);
        require(promptHash == expected, PromptMismatch(promptHash, expected));
    }
}
