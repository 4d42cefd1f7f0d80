// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {InferenceRequester} from "../InferenceRequester.sol";
import {IInferenceCoordinator} from "../interfaces/IInferenceCoordinator.sol";
import {Evidence} from "../libraries/Evidence.sol";
import {Tensor} from "../libraries/Tensor.sol";
import {ModelId} from "../types/Model.sol";
import {Payment, Request, RequestId, Result} from "../types/Request.sol";

/// @title Example: books a digit that a model has read, and only with the proof that the model did read it
/// @notice Three steps: ask, wait for any operator to fulfil, book. The owner pays the fees. A meter has one pending request:
/// asking again gives up the one before, so that nobody can book an old reading over a newer one.
contract MeterReader is Ownable, InferenceRequester {
    using Tensor for bytes;

    struct Reading {
        uint8 digit;
        uint64 readAt;
        RequestId request;
    }

    event Asked(uint256 indexed meter, RequestId indexed request);
    event Booked(uint256 indexed meter, RequestId indexed request, uint8 digit);

    error NothingPending(uint256 meter);
    error EvidenceMissing(uint32 evidence);
    error ScoresMissing(uint256 scores);

    uint256 private constant DIGITS = 10;

    /// @notice A model from an image to ten scores, one for each digit.
    ModelId public immutable model;
    /// @notice Set for test networks only: whoever made a development key can prove any digit.
    bool public immutable allowDevelopmentKeys;

    mapping(uint256 meter => Reading) public readings;
    mapping(uint256 meter => RequestId) public pending;

    constructor(
        IInferenceCoordinator coordinator_,
        ModelId model_,
        bool allowDevelopmentKeys_
    ) Ownable(msg.sender) InferenceRequester(coordinator_) {
        uint256 scores = coordinator_.registry().tensorsOf(model_).output(0).length;
        require(scores == DIGITS, ScoresMissing(scores));
        model = model_;
        allowDevelopmentKeys = allowDevelopmentKeys_;
    }

    /// @notice Asks what digit `image` shows, to be answered within `period` seconds; msg.value is the fee.
    function ask(
        uint256 meter,
        bytes calldata image,
        uint256 period
    ) external payable onlyOwner returns (RequestId id) {
        Request memory r = _draft(model, msg.value, period);
        r.allowDevelopmentKeys = allowDevelopmentKeys;
        id = _ask(r, image, Payment.Direct);
        pending[meter] = id;
        emit Asked(meter, id);
    }

    /// @notice Books the verified answer. Anybody may send it: everything that counts was fixed by {ask} and the proof.
    function book(uint256 meter) external {
        RequestId id = pending[meter];
        require(RequestId.unwrap(id) != 0, NothingPending(meter));
        Result memory result = coordinator.resultOf(id); // reverts while there is none
        require(result.evidence & Evidence.ZK != 0, EvidenceMissing(result.evidence));
        uint8 digit = uint8(result.output.argmax(coordinator.registry().tensorsOf(model).output(0)));

        pending[meter] = RequestId.wrap(0);
        readings[meter] = Reading(digit, result.fulfilledAt, id);
        emit Booked(meter, id, digit);
    }

    /// @notice Takes refunded fees out of the coordinator.
    function reclaim() external onlyOwner {
        _withdraw(address(0), owner());
    }
}
