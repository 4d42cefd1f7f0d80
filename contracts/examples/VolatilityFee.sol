// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {Tensor, TensorSpec} from "../libraries/Tensor.sol";
import {ScheduledInference} from "../ScheduledInference.sol";
import {ModelId} from "../types/Model.sol";

/// @title Example: a swap fee that follows a model's forecast of volatility
/// @notice For a pool that asks somebody else what its fee is (a hook, or the beforeSwap of one). A {ScheduledInference} has
/// the model read the pool's price history again and again; this contract turns the newest score into a fee. Between two
/// bounds, whatever the model says; and the higher bound while there is no fresh answer, so that whoever keeps answers away
/// gains by it for maxAge at most.
contract VolatilityFee {
    error BoundsOutOfOrder(uint24 lowest, uint24 highest);
    error OutputTooLong(uint256 length);

    int256 private constant ONE = 1e18;
    uint256 private constant DECIMALS = 18;

    ScheduledInference public immutable schedule;
    /// @notice In millionths of what is swapped, as Uniswap counts fees.
    uint24 public immutable lowest;
    uint24 public immutable highest;
    /// @notice Millionths of fee for each unit of the score.
    uint24 public immutable slope;
    /// @notice How many seconds after its input was read a score is used.
    uint32 public immutable maxAge;
    /// @dev Of the score, the model's first output. It lies at byte 0.
    uint256 private immutable _size;
    bool private immutable _signed;
    int256 private immutable _exponent;

    constructor(ScheduledInference schedule_, uint24 lowest_, uint24 highest_, uint24 slope_, uint32 maxAge_) {
        require(lowest_ <= highest_ && highest_ < 1e6, BoundsOutOfOrder(lowest_, highest_));
        IModelRegistry registry = schedule_.coordinator().registry();
        ModelId model = schedule_.plan().model;
        uint256 length = registry.headOf(model).outputLength;
        require(length <= 32, OutputTooLong(length)); // of longer ones the schedule keeps a hash
        TensorSpec memory score = Tensor.output(registry.tensorsOf(model), 0);
        (_size, _signed, _exponent) = (score.size, score.signed, score.exponent);
        (schedule, lowest, highest, slope, maxAge) = (schedule_, lowest_, highest_, slope_, maxAge_);
    }

    /// @notice The fee of a swap now, in millionths. Never reverts.
    function fee() external view returns (uint24) {
        try schedule.latest() returns (ScheduledInference.Run memory run) {
            if (block.timestamp - run.triggeredAt > maxAge) return highest;
            return _feeOf(run.output);
        } catch {
            return highest; // nothing is answered yet
        }
    }

    function _feeOf(bytes32 output) private view returns (uint24) {
        TensorSpec memory spec = TensorSpec({offset: 0, length: 1, size: _size, signed: _signed, exponent: _exponent});
        int256 score = Tensor.fixedPoint(abi.encodePacked(output), spec, 0, DECIMALS);
        if (score < 0) return lowest;
        return uint24(Math.min(lowest + Math.mulDiv(uint256(score), slope, uint256(ONE)), highest));
    }
}
