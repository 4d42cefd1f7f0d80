// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice What sources read, as told: a contract that answers any call, a price feed, a pool's observations.
contract CallTarget {
    enum Manner {
        Answer,
        Revert,
        // Returns, or reverts with, a megabyte.
        ReturnBomb,
        RevertBomb,
        BurnGas,
        Write,
        // Returns the gas that it was given.
        TellGas
    }

    Manner public manner;
    uint256 public written;
    bytes private _answer;

    error NotToday();

    function behave(Manner manner_) external {
        manner = manner_;
    }

    function set(bytes calldata answer) external {
        manner = Manner.Answer;
        _answer = answer;
    }

    // solhint-disable-next-line no-complex-fallback
    fallback(bytes calldata) external returns (bytes memory) {
        uint256 gas_ = gasleft();
        Manner m = manner;
        if (m == Manner.Revert) revert NotToday();
        if (m == Manner.BurnGas) while (true) {}
        if (m == Manner.Write) written = 1;
        if (m == Manner.TellGas) return abi.encode(gas_);
        if (m == Manner.ReturnBomb) {
            assembly ("memory-safe") {
                return(0, 0x100000)
            }
        }
        if (m == Manner.RevertBomb) {
            assembly ("memory-safe") {
                revert(0, 0x100000)
            }
        }
        return _answer;
    }
}

contract PriceFeed {
    uint8 public decimals;
    int256 private _answer;
    uint256 private _updatedAt;

    function set(uint8 decimals_, int256 answer, uint256 updatedAt) external {
        (decimals, _answer, _updatedAt) = (decimals_, answer, updatedAt);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return (1, _answer, _updatedAt, _updatedAt, 1);
    }
}

/// @notice Sums of ticks by how long ago, as a pool of Uniswap V3's form gives them.
contract TickPool {
    mapping(uint32 ago => int56) private _sums;
    uint256 private _missing;

    error OLD();

    function set(uint32[] calldata agos, int56[] calldata sums) external {
        for (uint256 i = 0; i < agos.length; ++i) _sums[agos[i]] = sums[i];
    }

    /// @notice Leaves out so many observations, as no honest pool does.
    function leaveOut(uint256 missing) external {
        _missing = missing;
    }

    function observe(uint32[] calldata agos) external view returns (int56[] memory sums, uint160[] memory) {
        sums = new int56[](agos.length - _missing);
        for (uint256 i = 0; i < sums.length; ++i) {
            if (agos[i] > 1 days) revert OLD();
            sums[i] = _sums[agos[i]];
        }
        return (sums, new uint160[](sums.length));
    }
}

/// @notice A pool of two tokens that asks a {VolatilityFee} what a swap costs.
interface IFee {
    function fee() external view returns (uint24);
}

contract SwapPool {
    IFee public immutable fees;
    uint256 public reserve0;
    uint256 public reserve1;

    constructor(IFee fees_, uint256 reserve0_, uint256 reserve1_) {
        (fees, reserve0, reserve1) = (fees_, reserve0_, reserve1_);
    }

    /// @notice What `amount` of the first token buys: x * y = k after the fee.
    function quote(uint256 amount) external view returns (uint256) {
        uint256 net = (amount * (1e6 - fees.fee())) / 1e6;
        return (net * reserve1) / (reserve0 + net);
    }
}
