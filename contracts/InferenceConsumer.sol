// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IInferenceConsumer} from "./interfaces/IInferenceConsumer.sol";
import {IInferenceCoordinator} from "./interfaces/IInferenceCoordinator.sol";
import {InputKind, ModelId} from "./types/Model.sol";
import {Payment, Request, RequestId} from "./types/Request.sol";

/// @title Base of contracts that ask models and are called with the answers
/// @notice Keeps which requests are its own: an answer to any other is refused.
abstract contract InferenceConsumer is IInferenceConsumer, ERC165 {
    error CallerIsNotCoordinator(address caller);
    error RequestNotPending(RequestId id);

    IInferenceCoordinator public immutable coordinator;

    uint64 private _nonce;
    mapping(RequestId => bool) private _pending;

    constructor(IInferenceCoordinator coordinator_) {
        coordinator = coordinator_;
    }

    /// @inheritdoc IInferenceConsumer
    function onInference(RequestId id, bytes calldata output) external {
        require(msg.sender == address(coordinator), CallerIsNotCoordinator(msg.sender));
        require(_pending[id], RequestNotPending(id));
        delete _pending[id];
        _onAnswer(id, output);
    }

    function supportsInterface(bytes4 id) public view virtual override returns (bool) {
        return id == type(IInferenceConsumer).interfaceId || super.supportsInterface(id);
    }

    /// @dev The answer to a request of {_ask}, once. Reverting is harmless: anybody can have the call made again.
    function _onAnswer(RequestId id, bytes calldata output) internal virtual;

    /// @dev A request that may be changed before {_ask}: public input, a flat fee of the native coin, from now to `deadline`,
    /// claims of a quarter of that time, this contract as requester, payer and consumer.
    function _draft(
        ModelId model,
        bytes memory input,
        uint256 fee,
        uint256 deadline
    ) internal view returns (Request memory r) {
        r.requester = address(this);
        r.payer = address(this);
        r.consumer = address(this);
        r.model = model;
        r.inputKind = InputKind.Data;
        r.inputHash = keccak256(input);
        (r.minFee, r.maxFee) = (uint96(fee), uint96(fee));
        (r.start, r.rampEnd, r.submitBy) = (uint32(block.timestamp), uint32(block.timestamp), uint32(block.timestamp));
        r.deadline = uint32(deadline);
        r.claimPeriod = uint32((deadline - block.timestamp) / 4);
        r.callbackGas = 200_000;
        r.requiredEvidence = 1;
    }

    /// @dev Makes the request and pays maxFee with it in the native coin.
    function _ask(Request memory r, bytes memory input) internal returns (RequestId id) {
        r.nonce = ++_nonce;
        id = coordinator.request{value: r.maxFee}(r, input, Payment.Direct);
        _pending[id] = true;
    }
}
