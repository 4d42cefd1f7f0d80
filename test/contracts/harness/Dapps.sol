// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceConsumer} from "../../../contracts/InferenceConsumer.sol";
import {IInferenceCoordinator} from "../../../contracts/interfaces/IInferenceCoordinator.sol";
import {IModelRegistry} from "../../../contracts/interfaces/IModelRegistry.sol";
import {Tensor} from "../../../contracts/libraries/Tensor.sol";
import {ScheduledInference} from "../../../contracts/ScheduledInference.sol";
import {ModelId} from "../../../contracts/types/Model.sol";
import {Payment, Request, RequestId} from "../../../contracts/types/Request.sol";

/// @notice The first dapp of docs/dapps.md.
contract Jury is InferenceConsumer {
    using Tensor for bytes;

    ModelId public immutable model;
    mapping(uint256 entry => int256) public scores;

    constructor(IInferenceCoordinator coordinator_, ModelId model_) InferenceConsumer(coordinator_) {
        model = model_;
    }

    function ask(uint248 entry, bytes calldata input) external payable returns (RequestId) {
        return _ask(_draft(model, msg.value, 10 minutes), input, Payment.Direct, entry);
    }

    function _onAnswer(RequestId, uint248 entry, bytes calldata output) internal override {
        IModelRegistry registry = coordinator.registry();
        scores[entry] = output.fixedPoint(registry.tensorsOf(model).output(0), 0, 18);
    }
}

/// @notice Opens {InferenceConsumer} to the tests.
contract OpenConsumer is InferenceConsumer {
    enum Manner {
        Accept,
        Revert,
        AskAgain
    }

    struct Note {
        RequestId id;
        uint248 context;
        bytes output;
    }

    Manner public manner;
    Note public noted;
    uint256 public answers;
    Request private _next;
    bytes private _nextInput;

    error NotToday();

    constructor(IInferenceCoordinator coordinator_) InferenceConsumer(coordinator_) {}

    receive() external payable {}

    function behave(Manner manner_) external {
        manner = manner_;
    }

    function askNext(Request calldata r, bytes calldata input) external {
        (manner, _next, _nextInput) = (Manner.AskAgain, r, input);
    }

    function draft(ModelId model, uint256 fee, uint256 period) external view returns (Request memory) {
        return _draft(model, fee, period);
    }

    function ask(
        Request memory r,
        bytes memory input,
        Payment payment,
        uint248 context
    ) external payable returns (RequestId) {
        return context == 0 ? _ask(r, input, payment) : _ask(r, input, payment, context);
    }

    function askSource(Request memory r, address source, bytes memory query) external payable returns (RequestId) {
        return _ask(r, _readFrom(r, source, query), Payment.Direct);
    }

    function forget(RequestId id) external {
        _forget(id);
    }

    function withdraw(address token, address to) external {
        _withdraw(token, to);
    }

    function _onAnswer(RequestId id, uint248 context, bytes calldata output) internal override {
        require(manner != Manner.Revert, NotToday());
        ++answers;
        noted = Note(id, context, output);
        if (manner == Manner.AskAgain) {
            manner = Manner.Accept;
            _ask(_next, _nextInput, Payment.Account, context + 1);
        }
    }
}

/// @notice Triggers a schedule, and does as told when the bounty comes.
contract Keeper {
    enum Manner {
        Accept,
        Reject,
        TriggerAgain,
        TakeAll
    }

    Manner public manner;
    /// @notice Whether the call in {receive} succeeded, and what it said.
    bool public succeeded;
    bytes public returned;
    ScheduledInference private _schedule;

    receive() external payable {
        if (manner == Manner.Reject) revert("not today");
        if (manner == Manner.Accept) return;
        bytes memory data =
            manner == Manner.TriggerAgain
                ? abi.encodeCall(ScheduledInference.trigger, ())
                : abi.encodeCall(ScheduledInference.withdraw, (address(0), address(this), type(uint256).max));
        (succeeded, returned) = address(_schedule).call(data);
    }

    function trigger(ScheduledInference schedule, Manner manner_) external returns (RequestId) {
        (_schedule, manner) = (schedule, manner_);
        return schedule.trigger();
    }
}

/// @notice How a contract sets up a schedule.
contract Subscriber {
    ScheduledInference public schedule;

    function subscribe(IInferenceCoordinator coordinator, ScheduledInference.Plan calldata plan) external payable {
        schedule = new ScheduledInference(coordinator, plan);
        coordinator.deposit{value: msg.value}(address(0), address(schedule), msg.value);
    }
}
