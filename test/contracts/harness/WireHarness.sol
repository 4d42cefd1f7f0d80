// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {WireLib} from "../../../contracts/libraries/WireLib.sol";

/// @notice Opens WireLib to the vectors of test/vectors/wire.json.
contract WireHarness {
    function readUint(bytes memory data, uint256 offset, uint256 index, uint256 size) external pure returns (uint256) {
        return WireLib.readUint(data, offset, index, size);
    }

    function readInt(bytes memory data, uint256 offset, uint256 index, uint256 size) external pure returns (int256) {
        return WireLib.readInt(data, offset, index, size);
    }

    /// @notice What the documents say of abi.encodePacked.
    function packed(
        bool a,
        uint8 b,
        int8 c,
        uint16 d,
        int16 e,
        uint32 f,
        int32 g
    ) external pure returns (bytes memory) {
        return abi.encodePacked(a, b, c, d, e, f, g);
    }
}
