// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IInferenceConsumer} from "./interfaces/IInferenceConsumer.sol";
import {IInferenceCoordinator} from "./interfaces/IInferenceCoordinator.sol";
import {InferenceRequester} from "./InferenceRequester.sol";
import {ModelId} from "./types/Model.sol";
import {Payment, Request, RequestId} from "./types/Request.sol";

/// @title Base of contracts that ask models and are called with the answers
/// @notice Lets the coordinator in, with answers to its own requests, once each. Such an answer is of the model that was
/// asked, of the input that was asked about, and has the evidence and the kind of key that the request demands: the
/// coordinator delivers no other, so that there is nothing more to check but what the output says.
abstract contract InferenceConsumer is IInferenceConsumer, InferenceRequester, ERC165 {
    struct Pending {
        bool open;
        uint248 context;
    }

    error CallerIsNotCoordinator(address caller);
    error RequestNotPending(RequestId id);

    /// @dev Gas of {_onAnswer} in a draft. The prover pays for it, and so does the fee.
    uint32 internal constant CALLBACK_GAS = 200_000;

    mapping(RequestId => Pending) private _pending;

    // solhint-disable-next-line no-empty-blocks
    constructor(IInferenceCoordinator coordinator_) InferenceRequester(coordinator_) {}

    /// @inheritdoc IInferenceConsumer
    function onInference(RequestId id, bytes calldata output) external {
        require(msg.sender == address(coordinator), CallerIsNotCoordinator(msg.sender));
        Pending memory pending = _pending[id];
        require(pending.open, RequestNotPending(id));
        delete _pending[id];
        _onAnswer(id, pending.context, output);
    }

    function supportsInterface(bytes4 id) public view virtual override returns (bool) {
        return id == type(IInferenceConsumer).interfaceId || super.supportsInterface(id);
    }

    /// @dev The answer to a request of {_ask}, once, with its context. If this reverts, the request stays pending, and anybody
    /// can have the call made again ({IInferenceCoordinator-retryCallback}), however late: an answer that time has made
    /// worthless must be told by its age.
    function _onAnswer(RequestId id, uint248 context, bytes calldata output) internal virtual;

    function _draft(ModelId model, uint256 fee, uint256 period) internal view override returns (Request memory r) {
        r = super._draft(model, fee, period);
        r.consumer = address(this);
        r.callbackGas = CALLBACK_GAS;
    }

    /// @param context Whatever {_onAnswer} is to know of the request: an account, an index.
    function _ask(
        Request memory r,
        bytes memory input,
        Payment payment,
        uint248 context
    ) internal returns (RequestId id) {
        id = super._ask(r, input, payment);
        _pending[id] = Pending(true, context);
    }

    function _ask(Request memory r, bytes memory input, Payment payment) internal override returns (RequestId) {
        return _ask(r, input, payment, 0);
    }

    /// @dev Gives a request up: its answer will be refused.
    function _forget(RequestId id) internal {
        delete _pending[id];
    }
}
