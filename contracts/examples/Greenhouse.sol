// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {InferenceRequester} from "../InferenceRequester.sol";
import {IInferenceCoordinator} from "../interfaces/IInferenceCoordinator.sol";
import {Evidence} from "../libraries/Evidence.sol";
import {Tensor} from "../libraries/Tensor.sol";
import {ModelId} from "../types/Model.sol";
import {Payment, RequestId, Result} from "../types/Request.sol";

/// @title Example: asks a model with inputs of mixed types, and reads one of its two outputs
/// @notice Inputs, in the model's order: "door" (bool, one byte), "temperature" (int16, degrees * 2^8), "light" (int32,
/// lux). Outputs: "flow" (int16 [1, 3], litres a minute * 2^6 for each bed: bytes 0 to 5), then "alarm" (uint8, byte 6).
contract Greenhouse is InferenceRequester {
    using Tensor for bytes;

    error EvidenceMissing(uint32 evidence);

    /// @notice The outputs by position.
    uint256 private constant FLOW = 0;
    uint256 private constant ALARM = 1;
    /// @notice Seconds within which an answer must come, and for which it is good.
    uint256 private constant PERIOD = 10 minutes;
    uint256 private constant MAX_AGE = 1 hours;

    ModelId public immutable model;

    constructor(IInferenceCoordinator coordinator_, ModelId model_) InferenceRequester(coordinator_) {
        model = model_;
    }

    /// @notice Asks the model; msg.value is the fee. abi.encodePacked spells numbers as the wire format does (arrays it
    /// does not: their elements are padded to 32 bytes).
    function ask(bool door, int16 temperature, int32 light) external payable returns (RequestId) {
        bytes memory input = abi.encodePacked(door, temperature, light);
        return _ask(_draft(model, msg.value, PERIOD), input, Payment.Direct);
    }

    /// @notice The verified flow for `bed` in whole millilitres a minute, and whether there is alarm. Whoever acts on it
    /// must also know who asked, and with what input.
    function answer(RequestId id, uint256 bed) external view returns (int256 millilitres, bool alarm) {
        Result memory result = coordinator.requireResult(id, model, MAX_AGE); // reverts while there is none
        require(result.evidence & Evidence.ZK != 0, EvidenceMissing(result.evidence));
        bytes memory tensors = coordinator.registry().tensorsOf(model);
        millilitres = result.output.fixedPoint(tensors.output(FLOW), bed % 3, 3); // three decimals of litres
        alarm = result.output.read(tensors.output(ALARM), 0) != 0;
    }
}
