// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {ModelId} from "../types/Model.sol";
import {InputSource} from "./InputSource.sol";

/// @notice The part of a Uniswap V3 pool that is read here.
interface IUniswapV3Observer {
    function observe(
        uint32[] calldata secondsAgos
    ) external view returns (int56[] memory tickCumulatives, uint160[] memory secondsPerLiquidityCumulativeX128s);
}

/// @title Reads a model's input from the price history of a pool of Uniswap V3's form
/// @notice The elements are mean ticks (the logarithm of the price to base 1.0001, so 1 is a hundredth of a percent) over
/// windows that follow each other, the oldest first; or the changes from each mean to the next. Long windows are dear to
/// move; the price of a single block is not. The pool must keep observations as far back as the query reaches.
contract UniswapTwapSource is InputSource {
    error PointsOutOfBounds(uint256 points);
    error PointsOutOfOrder(uint256 point);
    error ObservationsMissing(uint256 observations, uint256 expected);

    uint256 public constant MAX_POINTS = 128;

    // solhint-disable-next-line no-empty-blocks
    constructor(IModelRegistry registry_) InputSource(registry_) {}

    /// @param query abi.encode(ModelId model, bool clamp, address pool, uint32[] secondsAgos, bool changes): n + 1 points in
    /// time, falling, the last usually 0, bound n windows, which give n means, or n - 1 changes.
    function read(bytes calldata query) external view returns (bytes memory) {
        (ModelId model, bool clamp, IUniswapV3Observer pool, uint32[] memory agos, bool changes) = abi.decode(
            query,
            (ModelId, bool, IUniswapV3Observer, uint32[], bool)
        );
        require(agos.length > (changes ? 2 : 1) && agos.length <= MAX_POINTS, PointsOutOfBounds(agos.length));
        (int56[] memory sums, ) = pool.observe(agos);
        require(sums.length == agos.length, ObservationsMissing(sums.length, agos.length));

        uint256 windows = agos.length - 1;
        int256[] memory deltas = new int256[](windows);
        int256[] memory lengths = new int256[](windows);
        for (uint256 i = 0; i < windows; ++i) {
            require(agos[i] > agos[i + 1], PointsOutOfOrder(i + 1));
            lengths[i] = int256(uint256(agos[i] - agos[i + 1]));
            // The pool's sums may wrap around, as its own arithmetic does; differences are right all the same.
            unchecked {
                deltas[i] = sums[i + 1] - sums[i];
            }
        }
        Number[] memory numbers = new Number[](changes ? windows - 1 : windows);
        for (uint256 i = 0; i < numbers.length; ++i) {
            numbers[i] =
                changes
                    ? _quotient(deltas[i + 1] * lengths[i] - deltas[i] * lengths[i + 1], lengths[i] * lengths[i + 1])
                    : _quotient(deltas[i], lengths[i]);
        }
        return _spell(model, numbers, clamp);
    }

    function _quotient(int256 numerator, int256 denominator) private pure returns (Number memory) {
        bool negative = numerator < 0;
        return Number(negative, uint256(negative ? -numerator : numerator), uint256(denominator));
    }
}
