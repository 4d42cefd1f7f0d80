// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Request} from "../types/Request.sol";

/// @title A request's hash, price and collateral: pure functions of its fields and the time
library RequestLib {
    // solhint-disable-next-line gas-small-strings
    bytes32 internal constant TYPEHASH = keccak256(
        "Request(address requester,address payer,address consumer,address prover,bytes32 model,uint8 inputKind,"
        "bytes32 inputHash,bytes32 originHash,address token,uint96 minFee,uint96 maxFee,uint96 minCollateral,"
        "uint32 start,uint32 rampEnd,uint32 deadline,uint32 submitBy,uint32 claimPeriod,uint32 callbackGas,"
        "uint32 requiredEvidence,bool allowDevelopmentKeys,uint64 nonce,uint40 readAt)"
    );

    uint256 private constant BPS = 10_000;

    /// @notice The struct hash of EIP-712: all fields are of static types, so that a request in memory, one word for each, is
    /// already encoded. Every act on a request takes this hash; encoding it anew would cost 1,000 gas more.
    function structHash(Request memory r) internal pure returns (bytes32 hash) {
        bytes32 typeHash = TYPEHASH;
        // Memory: reads r, 22 words, after the type hash, which stands in the word before r meanwhile.
        assembly ("memory-safe") {
            let start := sub(r, 0x20)
            let kept := mload(start)
            mstore(start, typeHash)
            hash := keccak256(start, 0x2e0)
            mstore(start, kept)
        }
    }

    /// @notice What answering costs at `time`: minFee until `start`, maxFee from `rampEnd` on, linear in between.
    function priceAt(Request memory r, uint256 time) internal pure returns (uint256) {
        if (time >= r.rampEnd) return r.maxFee;
        if (time <= r.start) return r.minFee;
        return r.minFee + (uint256(r.maxFee - r.minFee) * (time - r.start)) / (r.rampEnd - r.start);
    }

    /// @notice What a claim at `price` locks: the model's share of the price, or the request's minimum if that is more.
    function collateralAt(Request memory r, uint256 price, uint256 collateralBps) internal pure returns (uint256) {
        uint256 share = (price * collateralBps) / BPS;
        return share > r.minCollateral ? share : r.minCollateral;
    }

    /// @notice Last second of a claim that was made at `time`.
    function claimEnd(Request memory r, uint256 time) internal pure returns (uint256) {
        return time + r.claimPeriod;
    }
}
