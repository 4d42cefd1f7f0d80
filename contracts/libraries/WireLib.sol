// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Reads the integers of a model's input or output bytes
/// @notice Tensors lie one after the other, elements in row-major order, each big-endian in its tensor's type, with nothing
/// between them (docs/wire-format.md). Whoever reads knows from the package's manifest where a tensor begins, and its type.
/// @dev Reading past the end panics, as any index beyond an array does.
library WireLib {
    /// @param offset where the tensor begins: the bytes of all tensors before it
    /// @param index of the element, row-major
    /// @param size bytes of an element: 1, 2 or 4
    function readUint(
        bytes memory data,
        uint256 offset,
        uint256 index,
        uint256 size
    ) internal pure returns (uint256 value) {
        uint256 start = offset + index * size;
        for (uint256 i = 0; i < size; ++i) value = (value << 8) | uint8(data[start + i]);
    }

    /// @notice As {readUint}, for int8, int16 and int32: two's complement.
    function readInt(bytes memory data, uint256 offset, uint256 index, uint256 size) internal pure returns (int256) {
        uint256 spare = 256 - 8 * size;
        return int256(readUint(data, offset, index, size) << spare) >> spare; // an arithmetic shift, which keeps the sign
    }
}
